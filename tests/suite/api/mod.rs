//! The hub's API over HTTP, against a real hub process and PostgreSQL.

mod auth;
mod bad_input;
mod briefs;
mod ftp_sources;
mod idempotency;
mod jobs;
mod master_key;
mod members;
mod openapi;
mod roles;
mod secrets;
mod sources;
mod worker_role;
mod workers;
pub mod world;
