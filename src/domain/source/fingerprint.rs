//! The two forms in which the identity of a server is written.

/// True for `SHA256:` and unpadded base64 of 32 bytes: an SSH host key as OpenSSH prints it.
pub fn is_host_key(text: &str) -> bool {
    let base64 = |b: u8| b.is_ascii_alphanumeric() || b == b'+' || b == b'/';
    text.strip_prefix("SHA256:")
        .is_some_and(|hash| hash.len() == 43 && hash.bytes().all(base64))
}

/// True for `SHA256:` and 32 pairs of upper-case hex digits with colons between them: a TLS certificate as
/// `openssl x509 -noout -fingerprint -sha256` prints it.
pub fn is_certificate(text: &str) -> bool {
    let hex = |b: u8| b.is_ascii_digit() || (b'A'..=b'F').contains(&b);
    let pair = |pair: &str| pair.len() == 2 && pair.bytes().all(hex);
    text.strip_prefix("SHA256:")
        .is_some_and(|hash| hash.split(':').count() == 32 && hash.split(':').all(pair))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_form_is_not_the_other() {
        let key = "SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU";
        let certificate = format!("SHA256:{}", vec!["0F"; 32].join(":"));
        assert!(is_host_key(key) && !is_certificate(key));
        assert!(is_certificate(&certificate) && !is_host_key(&certificate));
        for text in [
            "",
            "SHA256:",
            "SHA256:0F:0F",
            &certificate.to_lowercase(),
            &format!("{key}="),
        ] {
            assert!(!is_host_key(text) && !is_certificate(text), "{text}");
        }
    }
}
