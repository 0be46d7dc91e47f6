//! TLS towards sources, over any stream: whom to believe, what certificate was seen, what went wrong.
//!
//! Knows certificates and handshakes; knows no protocol that asks for them, no addresses and no credentials.
//! One rule for every kind of source. A pin, if there is one, decides alone: exactly that certificate or
//! `identity_changed`. Without a pin the certificate must be issued for the host by an authority that is
//! trusted (the source's own `ca` if it names one, else the system's), otherwise `identity_not_trusted`.

mod authorities;
mod client;
mod fault;
mod presented;
mod verifier;

pub use client::TlsClient;
pub use presented::{Presented, Standing};
