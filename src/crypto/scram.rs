//! Password verifiers in PostgreSQL's own form, so that a password set with `alter role` never stands in a
//! statement, and so in no server log and no activity view.

use base64::{Engine, prelude::BASE64_STANDARD};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::hmac_sha256::hmac_sha256 as hmac;

/// PostgreSQL's default.
const ITERATIONS: u32 = 4096;

/// The SCRAM-SHA-256 verifier of an ASCII password, as `pg_authid.rolpassword` holds it.
pub fn verifier(password: &SecretString) -> String {
    with_salt(password, &rand::random::<[u8; 16]>())
}

fn with_salt(password: &SecretString, salt: &[u8]) -> String {
    let salted = Zeroizing::new(salted(password.expose_secret().as_bytes(), salt));
    let client_key = Zeroizing::new(hmac(salted.as_slice(), &[b"Client Key"]));
    let stored_key = Sha256::digest(client_key.as_slice());
    let server_key = hmac(salted.as_slice(), &[b"Server Key"]);
    let base64 = |bytes: &[u8]| BASE64_STANDARD.encode(bytes);
    format!(
        "SCRAM-SHA-256${ITERATIONS}:{}${}:{}",
        base64(salt),
        base64(&stored_key),
        base64(&server_key)
    )
}

/// PBKDF2-HMAC-SHA256 with one block of output (RFC 5802 calls it `Hi`).
fn salted(password: &[u8], salt: &[u8]) -> [u8; 32] {
    let mut block = hmac(password, &[salt, &1u32.to_be_bytes()]);
    let mut sum = block;
    for _ in 1..ITERATIONS {
        block = hmac(password, &[&block]);
        sum.iter_mut().zip(block).for_each(|(sum, byte)| *sum ^= byte);
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_what_the_specification_says() {
        // RFC 7677, section 3: user "user", password "pencil", 4096 iterations. The proof there was checked
        // against ServerSignature; the keys follow from the same salted password.
        let salt = BASE64_STANDARD.decode("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap();
        let salted = salted(b"pencil", &salt);
        let auth_message = "n=user,r=rOprNGfwEbeRWgbNEkqO,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
             s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
        let server_key = hmac(&salted, &[b"Server Key"]);
        let signature = hmac(&server_key, &[auth_message.as_bytes()]);
        assert_eq!(
            BASE64_STANDARD.encode(signature),
            "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="
        );
        assert!(with_salt(&"pencil".into(), &salt).starts_with("SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$"));
    }
}
