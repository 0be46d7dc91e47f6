//! Logs: structured, to standard error, never with a secret.
