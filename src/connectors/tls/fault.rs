//! What a failed handshake means, in words and codes.

use std::io;

use rustls::{AlertDescription, CertificateError, Error};

use super::presented::{Presented, Standing};
use crate::domain::{error_code::ErrorCode, job::JobError};

/// Why a certificate does not speak for itself: the end of a sentence.
pub(super) fn why_not(error: &Error) -> String {
    use CertificateError as C;
    match error {
        Error::InvalidCertificate(C::UnknownIssuer) => "it was not issued by an authority that is trusted here".into(),
        Error::InvalidCertificate(C::Expired | C::ExpiredContext { .. }) => "it has expired".into(),
        Error::InvalidCertificate(C::NotValidYet | C::NotValidYetContext { .. }) => "it is not valid yet".into(),
        Error::InvalidCertificate(C::NotValidForName | C::NotValidForNameContext { .. }) => {
            "it was issued for another name".into()
        }
        Error::InvalidCertificate(C::BadEncoding) => "it is not a well-formed certificate of version 3".into(),
        // The library has no variant for it. `openssl req -x509` makes such certificates.
        Error::InvalidCertificate(C::Other(inner)) if inner.to_string() == "CaUsedAsEndEntity" => {
            "it is self-signed".into()
        }
        other => short(&other.to_string()),
    }
}

/// The error of a job whose handshake with `place` failed.
pub(super) fn of_handshake(place: &str, error: &io::Error, presented: Option<&Presented>) -> JobError {
    match presented.map(|presented| (&presented.standing, &presented.fingerprint)) {
        Some((Standing::Changed, fingerprint)) => JobError::new(
            ErrorCode::IdentityChanged,
            format!("{place} presents another certificate than the approved one: {fingerprint}"),
            "If the certificate was replaced on purpose (as at each renewal), approve the new one; otherwise \
             someone may be between the worker and the server. No credentials were sent.",
        ),
        Some((Standing::Unknown(why), fingerprint)) => JobError::new(
            ErrorCode::IdentityNotTrusted,
            format!("the certificate of {place} is not trusted: {why} ({fingerprint})"),
            "Compare the fingerprint with the server's and approve it, or name the authority in the source's `ca`.",
        ),
        _ => of_protocol(place, error),
    }
}

fn of_protocol(place: &str, error: &io::Error) -> JobError {
    let Some(tls) = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) else {
        return JobError::new(
            ErrorCode::ConnectFailed,
            format!("the connection to {place} broke while TLS was being agreed: {error}"),
            "It is tried again by itself. If it stays so, look into the server's log.",
        );
    };
    let (what, hint) = match tls {
        Error::AlertReceived(AlertDescription::ProtocolVersion) | Error::PeerIncompatible(_) => (
            format!("they have no version or cipher in common ({})", short(&tls.to_string())),
            "The server must offer TLS 1.2 or 1.3 with a modern cipher.",
        ),
        Error::InvalidMessage(_) => (
            "what it sends is not TLS".to_owned(),
            "Check the port, and that TLS is switched on there.",
        ),
        other => (
            short(&other.to_string()),
            "Check the server's TLS settings, certificate and key.",
        ),
    };
    JobError::new(
        ErrorCode::TlsFailed,
        format!("{place} and xVault could not agree on TLS: {what}"),
        hint,
    )
}

fn short(text: &str) -> String {
    text.chars().take(200).collect()
}
