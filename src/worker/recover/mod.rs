//! `xvault recover`: enters into the catalogue again what a storage has and the catalogue has lost, and makes a
//! storage that another worker left behind this worker's.
//!
//! It works while the worker stands still, so that nothing is half-done. It must not know how its findings are
//! shown, and it never overwrites what the catalogue has.

mod found;
mod run;

pub use found::{Found, Verdict};
pub use run::{Mode, RecoverError, Summary, recover};
