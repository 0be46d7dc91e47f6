//! Which authorities may speak for a host.

use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, pem::PemObject},
};

/// The authorities in `ca` (PEM), and no others.
///
/// # Errors
/// The end of a sentence about the source's `ca`.
pub(super) fn given(ca: &str) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(ca.as_bytes()) {
        let certificate = certificate.map_err(|error| format!("is not PEM: {error}"))?;
        let added = roots.add(certificate);
        added.map_err(|error| format!("has a certificate that cannot be used: {error}"))?;
    }
    match roots.is_empty() {
        true => Err("has no certificate in it".to_owned()),
        false => Ok(roots),
    }
}

/// The system's authorities; Mozilla's where the system has none.
pub(super) fn of_system() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    roots
}
