//! Decides about a certificate in the middle of the handshake, and remembers what it saw.

use std::sync::{Arc, Mutex, PoisonError};

use rustls::{
    CertificateError, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{self, CryptoProvider},
    pki_types::{CertificateDer, ServerName, UnixTime},
};

use super::{
    fault,
    presented::{Presented, Standing, fingerprint},
};

/// Whom to believe.
#[derive(Debug)]
enum Belief {
    /// Only the certificate with this fingerprint, whatever it says of itself.
    Pin(String),
    /// What these authorities issued.
    Authorities(Arc<WebPkiServerVerifier>),
}

/// The verifier of one connection or of several to the same server.
#[derive(Debug)]
pub(super) struct Verifier {
    belief: Belief,
    provider: Arc<CryptoProvider>,
    presented: Mutex<Option<Presented>>,
}

impl Verifier {
    /// Believes one certificate only.
    pub(super) fn pinned(fingerprint: &str, provider: Arc<CryptoProvider>) -> Self {
        Self::new(Belief::Pin(fingerprint.to_owned()), provider)
    }

    /// Believes what `roots` issued.
    pub(super) fn rooted(roots: RootCertStore, provider: Arc<CryptoProvider>) -> Result<Self, String> {
        let builder = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
        let verifier = builder.build().map_err(|error| error.to_string())?;
        Ok(Self::new(Belief::Authorities(verifier), provider))
    }

    fn new(belief: Belief, provider: Arc<CryptoProvider>) -> Self {
        Self {
            belief,
            provider,
            presented: Mutex::new(None),
        }
    }

    /// The certificate seen last. A resumed session presents none: it stays the one that began it.
    pub(super) fn presented(&self) -> Option<Presented> {
        self.presented.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let fingerprint = fingerprint(end_entity);
        let (standing, verdict) = match &self.belief {
            Belief::Pin(pin) if *pin == fingerprint => (Standing::Approved, Ok(ServerCertVerified::assertion())),
            Belief::Pin(_) => {
                let refused = Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure);
                (Standing::Changed, Err(refused))
            }
            Belief::Authorities(authorities) => {
                match authorities.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now) {
                    Ok(verified) => (Standing::Issued, Ok(verified)),
                    Err(error) => (Standing::Unknown(fault::why_not(&error)), Err(error)),
                }
            }
        };
        *self.presented.lock().unwrap_or_else(PoisonError::into_inner) = Some(Presented { fingerprint, standing });
        verdict
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        crypto::verify_tls12_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        crypto::verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
