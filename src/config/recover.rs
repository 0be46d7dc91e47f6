//! `xvault recover`.

use std::path::PathBuf;

use super::{
    ConfigError, DatabaseConfig, Environment,
    worker::{DATA_DIR, STORAGE_DIR},
};

/// Flags of `xvault recover`.
#[derive(Debug, Clone, clap::Args)]
pub struct RecoverArgs {
    /// The storage to go through
    #[arg(long, env = "XVAULT_STORAGE_DIR", value_name = "DIR", default_value = STORAGE_DIR)]
    storage_dir: PathBuf,
    /// The data directory of the worker that has the storage: its identity is in there
    #[arg(long, env = "XVAULT_DATA_DIR", value_name = "DIR", default_value = DATA_DIR)]
    data_dir: PathBuf,
    /// Write it down; without it, only say what would be done
    #[arg(long)]
    apply: bool,
    /// Make the storage this worker's: for a disk that came from another worker, which must be stopped, and for
    /// a new disk after the old one was lost
    #[arg(long)]
    adopt: bool,
}

/// Everything `xvault recover` needs to know.
#[derive(Debug, Clone)]
pub struct RecoverConfig {
    /// A role that owns the schema.
    pub database: DatabaseConfig,
    /// The storage.
    pub storage_dir: PathBuf,
    /// Identity of the worker.
    pub data_dir: PathBuf,
    /// Write it down.
    pub apply: bool,
    /// Make the storage this worker's.
    pub adopt: bool,
}

impl RecoverConfig {
    /// Joins flags and secrets.
    pub fn load(args: RecoverArgs, env: &Environment) -> Result<Self, ConfigError> {
        Ok(Self {
            database: DatabaseConfig::load(env)?,
            storage_dir: args.storage_dir,
            data_dir: args.data_dir,
            apply: args.apply,
            adopt: args.adopt,
        })
    }
}
