//! Envelope encryption, age keys, passwords, tokens. Knows nothing of SQL or HTTP.
