//! The data plane: claims jobs, moves data, serves what lies on its own disk.
//!
//! Knows connectors, artifacts, storage, the queue and `db`. It must not know the hub's code: from
//! the hub it gets a brief over HTTP, and only for jobs it holds.

mod attempt;
mod brief;
mod downloads;
mod heartbeat;
mod identity;
mod jobs;
mod keeper;
mod meters;
mod node;
mod outcome;
mod permit;
mod reconcile;
pub mod recover;
mod report;
mod run;
mod server;
mod timing;

pub use identity::Identity;
pub use run::{WorkerError, run, run_handler};
