//! Passwords of people: argon2id. Hashing takes tens of milliseconds and 19 MiB, so callers on an async
//! runtime run it on a blocking thread.

use std::sync::LazyLock;

use argon2::{
    Argon2,
    password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString},
};
use secrecy::{ExposeSecret, SecretString};

/// Shortest accepted password in characters.
pub const MIN_CHARS: usize = 10;

/// Longest accepted password in bytes; bounds the work an attacker can ask for.
pub const MAX_BYTES: usize = 1024;

/// What is wrong with a new password, in words for its field; `None` if it is acceptable.
pub fn fault(password: &SecretString) -> Option<String> {
    let text = password.expose_secret();
    if text.chars().count() < MIN_CHARS {
        Some(format!("must have at least {MIN_CHARS} characters"))
    } else if text.len() > MAX_BYTES {
        Some(format!("must have at most {MAX_BYTES} bytes"))
    } else {
        None
    }
}

/// Hashes a password to a PHC string.
pub fn hash(password: &SecretString) -> String {
    // A salt of 16 bytes and argon2's default parameters are always valid.
    #[allow(clippy::expect_used)]
    let salt = SaltString::encode_b64(&rand::random::<[u8; 16]>()).expect("16 bytes are a valid salt");
    #[allow(clippy::expect_used)]
    Argon2::default()
        .hash_password(password.expose_secret().as_bytes(), &salt)
        .expect("the default parameters are valid")
        .to_string()
}

/// True if `password` is the one that was hashed. Without a hash (unknown user, invitation not yet
/// accepted) the same work is done for nothing, so that the time tells no one who exists.
pub fn verify(password: &SecretString, hash: Option<&str>) -> bool {
    static NOBODY: LazyLock<String> = LazyLock::new(|| self::hash(&"nobody's password".into()));
    let text = hash.unwrap_or_else(|| NOBODY.as_str());
    let Ok(parsed) = PasswordHash::new(text) else {
        return false;
    };
    let right = Argon2::default()
        .verify_password(password.expose_secret().as_bytes(), &parsed)
        .is_ok();
    right && hash.is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_right_password_of_somebody_verifies() {
        let right = SecretString::from("correct horse battery");
        let hashed = hash(&right);
        assert!(hashed.starts_with("$argon2id$"));
        assert!(verify(&right, Some(&hashed)));
        assert!(!verify(&"wrong horse battery".into(), Some(&hashed)));
        assert!(!verify(&"nobody's password".into(), None));
        assert!(!verify(&right, Some("not a hash")));
    }
}
