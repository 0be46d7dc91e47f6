//! `xvault dev`: a private PostgreSQL, a hub and a worker in one process tree, from nothing.

pub mod account;
pub mod binaries;
pub mod cluster;
pub mod leash;
pub mod stale;
