//! Reads a source over SFTP version 3, and writes to one, with names as bytes and many requests in flight.
//!
//! `client` speaks the protocol over any pair of streams, `roots` finds out where the configured paths
//! are, `walk` lists what is below them, `fetch` asks for content ahead of need, `emit` hands it on in
//! order. `target` is the other direction. Nothing here knows SSH: whoever opens the channel does.

mod attributes;
mod capture;
mod client;
mod emit;
mod error;
mod extensions;
mod fetch;
mod listing;
mod names;
mod packet;
mod replies;
mod roots;
mod target;
mod walk;
mod writing;

pub use capture::{SftpSource, capture};
pub use client::SftpClient;
pub use error::SftpError;
pub use target::SftpTarget;

use std::time::Duration;

/// Requests without an answer at any time; what OpenSSH's own client allows itself.
const REQUESTS_IN_FLIGHT: usize = 64;

/// Bytes of content asked for and not yet handed on, at most.
const WINDOW: usize = 8 * 1024 * 1024;

/// A server that owes an answer and sends nothing for this long is given up.
const STALL: Duration = Duration::from_secs(120);
