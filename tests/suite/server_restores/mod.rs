//! Restores to a server: files written over SFTP and FTP, dry runs, what is refused.

mod databases;
mod faults;
mod files;
mod ftp;
mod logins;
mod orders;
pub mod stage;
