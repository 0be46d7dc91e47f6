//! Kind `postgres` against real PostgreSQL servers: what is stored, what is refused, what is left behind.

mod dumps;
mod faults;
mod loads;
mod over_ssh;
mod rights;
pub mod stage;
mod tls;
