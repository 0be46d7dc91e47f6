//! Downloads: the export a restore made, straight from this worker's disk to whoever has the link.
//!
//! The link's token is the permission and the key: the file is sealed for it, so this process can
//! read an export only while somebody asks for it.

mod body;
pub mod connection;
pub mod ledger;
mod range;
mod serve;

pub use serve::download;
