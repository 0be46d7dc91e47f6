//! Sources read over FTP, plain or with explicit TLS, with names as bytes and several connections.
//!
//! suppaftp holds the conversation and transfers, over streams of ours (`wire`, made by `links` and `route`).
//! `dial` gets in, `connection` asks and transfers, `listing` and its parsers understand what directories
//! hold, `walk` finds everything, `crew` does the listing and fetching on as many connections as the server
//! allows and goes on after a dropped one, `emit` hands on in order. `target` writes. Nothing a server says is obeyed: the
//! address of a data connection is ours, names are checked, and whatever it sends is bounded.

mod answers;
mod below;
mod capture;
mod connection;
mod connector;
mod crew;
mod dates;
mod dial;
mod dos_list;
mod emit;
mod error;
mod features;
mod fetch;
mod links;
mod listed;
mod listing;
mod mlsd;
mod names;
mod not_carried;
mod patience;
mod probe;
mod reply;
mod roots;
mod route;
mod source;
mod target;
mod tasks;
mod unix_list;
mod walk;
mod wire;

pub use connector::FtpConnector;
pub use source::FtpSource;
pub use target::FtpTarget;

use std::time::Duration;

/// A server that owes an answer or data and sends nothing for this long is given up.
const STALL: Duration = Duration::from_secs(60);
