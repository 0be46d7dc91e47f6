//! Writes an artifact from what a connector captures.

mod pack;
mod settle;

pub use pack::{ArtifactWriter, WriterOptions};
pub use settle::{CaptureFacts, Written};
