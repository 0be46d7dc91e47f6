//! Pure types and rules. No I/O, no SQL, no HTTP, and no other module of this crate.

pub mod brief;
pub mod dump;
pub mod dump_rows;
pub mod entry;
pub mod error_code;
pub mod escaped;
pub mod exclude;
pub mod export;
pub mod field_error;
pub mod ids;
pub mod job;
pub mod job_event;
pub mod restore_proof;
pub mod server_restore;
pub mod site;
pub mod snapshot;
pub mod source;
pub mod user;
pub mod worker;
