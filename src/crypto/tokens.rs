//! Random tokens: made here, shown once, kept only as SHA-256. They carry 256 bits of chance, so a fast
//! hash is enough.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// A fresh token: `prefix` and 43 characters of base64url.
pub fn generate(prefix: &str) -> SecretString {
    let bytes = Zeroizing::new(rand::random::<[u8; 32]>());
    encode(prefix, &bytes)
}

/// A token made of given bytes, for tokens that are derived instead of stored.
pub fn encode(prefix: &str, bytes: &[u8; 32]) -> SecretString {
    let text = Zeroizing::new(BASE64_URL_SAFE_NO_PAD.encode(bytes));
    format!("{prefix}{}", text.as_str()).into()
}

/// What is stored of a token.
pub fn hash(token: &SecretString) -> Vec<u8> {
    Sha256::digest(token.expose_secret().as_bytes()).to_vec()
}

/// Compares without telling by its time where two values differ.
pub fn matches(a: &[u8], b: &[u8]) -> bool {
    a.ct_eq(b).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_differ_and_hash_alike() {
        let (a, b) = (generate("xvk_"), generate("xvk_"));
        assert!(a.expose_secret().starts_with("xvk_"));
        assert_eq!(a.expose_secret().len(), 4 + 43);
        assert!(!matches(&hash(&a), &hash(&b)));
        assert!(matches(&hash(&a), &hash(&a.clone())));
    }
}
