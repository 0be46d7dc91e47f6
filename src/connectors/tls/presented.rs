//! What a server showed, and what we think of it.

use sha2::{Digest, Sha256};

/// A certificate that a server presented.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Presented {
    /// `SHA256:` and hex pairs with colons, as `openssl x509 -noout -fingerprint -sha256` prints it.
    pub fingerprint: String,
    /// Whether it may be trusted.
    pub standing: Standing,
}

/// Whether a certificate may be trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// It is the approved one.
    Approved,
    /// Nobody approved it, but a trusted authority issued it for this host.
    Issued,
    /// Another one is approved.
    Changed,
    /// Nobody approved it, and this is why it does not speak for itself: the end of a sentence.
    Unknown(String),
}

/// The fingerprint of a certificate in DER.
pub(super) fn fingerprint(der: &[u8]) -> String {
    let pairs: Vec<_> = Sha256::digest(der).iter().map(|byte| format!("{byte:02X}")).collect();
    format!("SHA256:{}", pairs.join(":"))
}
