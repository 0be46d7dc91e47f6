//! Envelope encryption, age keys, passwords, tokens. Knows nothing of SQL or HTTP.

pub mod age_keys;
pub mod envelope;
pub mod hmac_sha256;
pub mod jwt;
pub mod password;
pub mod scram;
pub mod ssh_key;
pub mod tokens;
