//! Artifact format v1 (`docs/format.md`): write, read, check, browse, export.
//!
//! Everything here blocks: call it from a thread that may. It knows nothing of jobs, connectors or
//! the database; of storage it knows only the traits.

pub mod browse;
mod clear;
pub mod export;
mod fault;
pub mod files;
mod frames;
pub mod gauge;
mod index;
pub mod keys;
pub mod list;
pub mod manifest;
mod names;
mod parts;
pub mod plain;
mod tar;
pub mod verify;
mod walk;
mod whole;
pub mod write;

pub use browse::browse;
pub use export::{ExportReport, Handed, UnpackReport, export, hand_over, hand_over_list, unpack};
pub use files::{Directory, Files, Stored};
pub use gauge::Gauge;
pub use keys::Keys;
pub use list::{Listed, list};
pub use manifest::{Counts, Manifest, Meta};
pub use plain::{age_header, check_hashes, look, manifest, meta};
pub use verify::{Expected, VerifyReport, verify};
pub use write::{ArtifactWriter, CaptureFacts, WriterOptions, Written};
