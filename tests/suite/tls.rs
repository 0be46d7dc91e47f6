//! TLS towards sources: who is believed, and how every other outcome is told apart.

use std::sync::Arc;

use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio_rustls::TlsAcceptor;
use xvault::{
    connectors::tls::{Standing, TlsClient},
    domain::{error_code::ErrorCode, job::JobError},
};

use super::support::certificates::{Authority, Certificate};

/// The far end of a stream behind which a server has this certificate. It greets and echoes.
fn server(certificate: &Certificate) -> DuplexStream {
    let chain = vec![CertificateDer::from_pem_file(certificate.certificate()).unwrap()];
    let key = PrivateKeyDer::from_pem_file(certificate.key()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    let (ours, theirs) = tokio::io::duplex(64 * 1024);
    tokio::spawn(async move {
        let mut stream = TlsAcceptor::from(Arc::new(config)).accept(theirs).await?;
        stream.write_all(b"hello").await?;
        stream.shutdown().await
    });
    ours
}

async fn greeting(client: &TlsClient, certificate: &Certificate) -> Result<String, JobError> {
    let mut stream = client.handshake(server(certificate)).await?;
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    Ok(text)
}

#[tokio::test]
async fn an_authority_of_the_source_speaks_for_the_host() {
    let authority = Authority::new();
    let certificate = authority.issue("db.example.com", 2);
    let ca = authority.pem();
    let client = TlsClient::new("db.example.com", 3306, Some(&ca), None).unwrap();
    assert_eq!(greeting(&client, &certificate).await.unwrap(), "hello");
    let presented = client.presented().unwrap();
    assert_eq!(presented.fingerprint, certificate.fingerprint());
    assert_eq!(presented.standing, Standing::Issued);

    let address = authority.issue("192.0.2.7", 2);
    let client = TlsClient::new("192.0.2.7", 21, Some(&ca), None).unwrap();
    assert_eq!(greeting(&client, &address).await.unwrap(), "hello");
}

#[tokio::test]
async fn what_is_not_trusted_says_why_and_shows_the_fingerprint() {
    let authority = Authority::new();
    let ca = authority.pem();
    let strange = Certificate::self_signed("db.example.com");
    let issued = authority.issue("db.example.com", 2);
    let other_name = authority.issue("other.example.com", 2);
    let expired = authority.issue("db.example.com", -1);
    for (certificate, ca, why) in [
        (&strange, Some(ca.as_str()), "self-signed"),
        (&strange, None, "self-signed"),
        (&issued, None, "authority that is trusted"),
        (&other_name, Some(&ca), "another name"),
        (&expired, Some(&ca), "expired"),
    ] {
        let client = TlsClient::new("db.example.com", 3306, ca, None).unwrap();
        let error = greeting(&client, certificate).await.unwrap_err();
        assert_eq!(error.code, ErrorCode::IdentityNotTrusted, "{error}");
        assert!(error.message.contains(why), "{error}");
        assert!(error.message.contains("db.example.com:3306"), "{error}");
        let presented = client.presented().unwrap();
        assert_eq!(presented.fingerprint, certificate.fingerprint());
        assert!(matches!(presented.standing, Standing::Unknown(_)));
    }
}

#[tokio::test]
async fn a_pin_decides_alone() {
    let authority = Authority::new();
    let ca = authority.pem();
    let approved = Certificate::self_signed("whatever");
    let pin = approved.fingerprint();
    let client = TlsClient::new("ftp.example.com", 21, Some(&ca), Some(&pin)).unwrap();
    assert_eq!(greeting(&client, &approved).await.unwrap(), "hello");
    assert_eq!(client.presented().unwrap().standing, Standing::Approved);

    // Even one that a trusted authority issued for this host is not the approved one.
    let renewed = authority.issue("ftp.example.com", 2);
    let error = greeting(&client, &renewed).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::IdentityChanged, "{error}");
    assert!(error.message.contains(&renewed.fingerprint()), "{error}");
    assert_eq!(client.presented().unwrap().standing, Standing::Changed);
}

#[tokio::test]
async fn knowing_the_certificate_is_not_having_its_key() {
    let approved = Certificate::self_signed("ftp.example.com");
    let thief = Certificate::self_signed("ftp.example.com");
    std::fs::copy(approved.certificate(), thief.certificate()).unwrap();
    let chain = vec![CertificateDer::from_pem_file(thief.certificate()).unwrap()];
    let key = PrivateKeyDer::from_pem_file(thief.key()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let key = provider.key_provider.load_private_key(key).unwrap();
    let forged = rustls::sign::CertifiedKey::new(chain, key);
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(rustls::sign::SingleCertAndKey::from(forged)));
    let (ours, theirs) = tokio::io::duplex(64 * 1024);
    tokio::spawn(async move { TlsAcceptor::from(Arc::new(config)).accept(theirs).await.map(drop) });
    let client = TlsClient::new("ftp.example.com", 21, None, Some(&approved.fingerprint())).unwrap();
    let error = client.handshake(ours).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::TlsFailed, "{error}");
}

#[tokio::test]
async fn servers_that_do_not_speak_tls_are_told_apart_from_broken_connections() {
    let client = TlsClient::new("ftp.example.com", 21, None, None).unwrap();
    let (ours, mut theirs) = tokio::io::duplex(1024);
    theirs.write_all(b"220 ProFTPD Server ready.\r\n").await.unwrap();
    let error = client.handshake(ours).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::TlsFailed, "{error}");
    assert!(error.message.contains("not TLS"), "{error}");

    let (ours, theirs) = tokio::io::duplex(1024);
    drop(theirs);
    let error = client.handshake(ours).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::ConnectFailed, "{error}");
}

#[test]
fn an_authority_that_is_none_is_refused_before_connecting() {
    for (ca, why) in [
        ("", "no certificate"),
        ("-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n", "PEM"),
    ] {
        let error = TlsClient::new("db.example.com", 3306, Some(ca), None).unwrap_err();
        assert_eq!(error.code, ErrorCode::TlsFailed);
        assert!(error.message.contains(why), "{error}");
    }
    let error = TlsClient::new("not a host", 3306, None, None).unwrap_err();
    assert_eq!(error.code, ErrorCode::TlsFailed);
}
