//! Envelope encryption, age keys, passwords, tokens. Knows nothing of SQL or HTTP.

pub mod age_keys;
