//! xVault: agentless, encrypted backups. One binary, one PostgreSQL.
//!
//! The map. Each module may import only what stands to the right of its arrow; the test
//! `tests/suite/architecture.rs` parses the imports and holds this table.
//!
//! | Module | May import | What it is |
//! |---|---|---|
//! | [`domain`] | – | pure types and rules |
//! | [`clock`], [`shutdown`], [`telemetry`], [`serving`] | – | time that tests can set · the stop signal · logs and metrics · HTTP connections |
//! | [`config`] | domain, telemetry | environment and flags, validated once |
//! | [`crypto`] | domain | envelope, age keys, passwords, tokens |
//! | [`db`] | domain, crypto | the only SQL |
//! | [`queue`] | domain, db | the only apalis |
//! | [`connectors`] | domain, crypto | how sources are read |
//! | [`storage`] | domain, crypto | where artifacts lie |
//! | [`artifact`] | domain, crypto, storage | format v1: write, read, check, export |
//! | [`worker`] | all of the above | the data plane |
//! | [`hub`] | domain, crypto, db, queue, clock, config, shutdown, telemetry, serving | the control plane |
//! | [`cli`] | everything | one file per command |

pub mod artifact;
pub mod cli;
pub mod clock;
pub mod config;
pub mod connectors;
pub mod crypto;
pub mod db;
pub mod domain;
pub mod hub;
pub mod queue;
pub mod serving;
pub mod shutdown;
pub mod storage;
pub mod telemetry;
pub mod worker;
