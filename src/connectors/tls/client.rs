//! Our side of TLS with one server.

use std::{sync::Arc, time::Duration};

use rustls::{
    ClientConfig, DEFAULT_VERSIONS, SupportedProtocolVersion,
    client::Resumption,
    crypto::{CryptoProvider, ring},
    pki_types::ServerName,
    version::TLS12,
};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::{authorities, fault, presented::Presented, verifier::Verifier};
use crate::domain::{error_code::ErrorCode, job::JobError};

/// How long a handshake may take.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Makes TLS connections to one server, all under the same belief. Connections made by one client (or its
/// clones) share TLS sessions, so a later one may resume an earlier one.
#[derive(Debug, Clone)]
pub struct TlsClient {
    place: String,
    name: ServerName<'static>,
    config: Arc<ClientConfig>,
    verifier: Arc<Verifier>,
}

impl TlsClient {
    /// A client for `host` (name or address, IPv6 without brackets). `pin` is an approved fingerprint and
    /// decides alone; otherwise `ca` (PEM) holds the only authorities, or the system's are asked.
    ///
    /// # Errors
    /// `tls_failed` if `ca` cannot be used or no certificate could be issued for such a host.
    pub fn new(host: &str, port: u16, ca: Option<&str>, pin: Option<&str>) -> Result<Self, JobError> {
        let place = format!("{host}:{port}");
        let refused = |what: String, hint: &str| JobError::new(ErrorCode::TlsFailed, what, hint);
        let name = ServerName::try_from(host.to_owned()).map_err(|_| {
            refused(
                format!("no certificate can be issued for the host {host}"),
                "Correct the host.",
            )
        })?;
        let provider = Arc::new(ring::default_provider());
        let verifier = match (pin, ca) {
            (Some(pin), _) => Ok(Verifier::pinned(pin, Arc::clone(&provider))),
            (None, Some(ca)) => authorities::given(ca).and_then(|roots| Verifier::rooted(roots, Arc::clone(&provider))),
            (None, None) => Verifier::rooted(authorities::of_system(), Arc::clone(&provider)),
        };
        let verifier = verifier.map_err(|what| {
            refused(
                format!("the `ca` of the source for {place} {what}"),
                "Give the authority's certificate in PEM form (-----BEGIN CERTIFICATE-----).",
            )
        })?;
        let verifier = Arc::new(verifier);
        let config = config(&place, provider, &verifier, DEFAULT_VERSIONS)?;
        Ok(Self {
            place,
            name,
            config,
            verifier,
        })
    }

    /// The same belief, over TLS 1.2 alone.
    ///
    /// # Errors
    /// `tls_failed` if that cannot be used.
    pub fn only_tls_1_2(&self) -> Result<Self, JobError> {
        let provider = Arc::clone(self.config.crypto_provider());
        Ok(Self {
            config: config(&self.place, provider, &self.verifier, &[&TLS12])?,
            ..self.clone()
        })
    }

    /// The same belief, with sessions kept in `resumption` and shared with no other client.
    pub fn with_sessions(&self, resumption: Resumption) -> Self {
        let mut config = ClientConfig::clone(&self.config);
        config.resumption = resumption;
        Self {
            config: Arc::new(config),
            ..self.clone()
        }
    }

    /// Agrees on TLS over `stream`. When this returns, the server has proved who it is.
    ///
    /// # Errors
    /// `identity_changed` or `identity_not_trusted` if the certificate is the reason, `tls_failed` if the two
    /// sides cannot agree, `connect_failed` if the stream breaks or the server stays silent.
    pub async fn handshake<S: AsyncRead + AsyncWrite + Unpin>(&self, stream: S) -> Result<TlsStream<S>, JobError> {
        let connector = TlsConnector::from(Arc::clone(&self.config));
        let agreeing = tokio::time::timeout(TIMEOUT, connector.connect(self.name.clone(), stream));
        match agreeing.await {
            Ok(Ok(stream)) => Ok(stream),
            Ok(Err(error)) => Err(fault::of_handshake(&self.place, &error, self.presented().as_ref())),
            Err(_) => Err(JobError::new(
                ErrorCode::ConnectFailed,
                format!(
                    "{} did not finish the TLS handshake within {} s",
                    self.place,
                    TIMEOUT.as_secs()
                ),
                "The server or the network is very slow, or the port does not speak TLS.",
            )),
        }
    }

    /// The certificate the server presented last, whether it was trusted or not.
    pub fn presented(&self) -> Option<Presented> {
        self.verifier.presented()
    }
}

fn config(
    place: &str,
    provider: Arc<CryptoProvider>,
    verifier: &Arc<Verifier>,
    versions: &[&'static SupportedProtocolVersion],
) -> Result<Arc<ClientConfig>, JobError> {
    let unusable = |error| {
        JobError::new(
            ErrorCode::TlsFailed,
            format!("TLS cannot be used for {place}: {error}"),
            "",
        )
    };
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .map_err(unusable)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::clone(verifier) as _)
        .with_no_client_auth();
    Ok(Arc::new(config))
}
