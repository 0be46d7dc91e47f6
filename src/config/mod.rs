//! Environment and flags, loaded and validated once.
//!
//! Every setting is an environment variable; those that are not secret are flags of the same name
//! too (`XVAULT_HUB_LISTEN` is `--hub-listen`). Secrets have no flag, because arguments show in the
//! process list; each may come from a file instead (`XVAULT_WORKER_TOKEN_FILE`). A wrong value stops
//! the start with one line that names the variable, the problem and an example.
//!
//! Knows nothing of what the settings are used for: it returns plain structs.

mod database;
mod environment;
mod error;
mod hub;
mod log;
mod recover;
mod report;
mod values;
mod variables;
mod worker;

pub use database::{DatabaseConfig, MigrateConfig};
pub use environment::Environment;
pub use error::ConfigError;
pub use hub::{AdminSeed, HubArgs, HubConfig, master_key};
pub use log::LogArgs;
pub use recover::{RecoverArgs, RecoverConfig};
pub use report::explain;
pub use values::listen;
pub use variables::{VARIABLES, Variable, variable};
pub use worker::{WorkerArgs, WorkerConfig};
