//! Restores to a server: files written over SFTP, dry runs, what is refused.

mod databases;
mod faults;
mod files;
mod logins;
mod orders;
pub mod stage;
