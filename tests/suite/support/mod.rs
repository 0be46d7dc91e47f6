//! The harness: real servers for the suite to talk to, started once per process and gone with it.

pub mod account;
pub mod bad_disk;
pub mod cable;
pub mod captured;
pub mod catalogue;
pub mod certificates;
pub mod dump;
pub mod dumping;
pub mod eventually;
pub mod fake_ftp;
pub mod far_host;
pub mod feeding;
pub mod ftpd;
pub mod gate;
pub mod http;
pub mod mariadb;
pub mod pg_source;
pub mod ports;
pub mod postgres;
pub mod run;
pub mod scratch;
pub mod site;
pub mod small_disk;
pub mod source_server;
pub mod spawner;
pub mod ssh_keys;
pub mod ssh_place;
pub mod sshd;
pub mod tree;
pub mod wired;
pub mod xvault;

pub use eventually::eventually;
