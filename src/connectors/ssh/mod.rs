//! Sources behind OpenSSH: kinds `ssh` (a remote tar, else SFTP) and `sftp` (never a command).
//!
//! `session` is the connection; the rest reads through it.

pub mod askpass;
mod capture;
mod connector;
pub mod key;
pub mod not_carried;
mod paths;
mod probe;
pub mod remote_tar;
pub mod session;
mod source;
mod tar_capture;
mod tar_filter;
mod tar_messages;
mod tar_roots;
mod tar_script;
mod target;

pub(super) use capture::capture_over;
pub use connector::SshConnector;
pub(super) use probe::{probe_gate, probe_session};
pub use source::SshSource;
pub(super) use target::target;
