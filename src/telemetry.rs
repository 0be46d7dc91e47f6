//! Logs: structured, to standard error, never with a secret.

use std::io::IsTerminal;

use tracing_subscriber::{EnvFilter, fmt};

/// Shape of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// What these say below a warning helps nobody who runs xVault; `XVAULT_LOG` can still ask for it.
const QUIET: &str =
    "apalis_core=warn,apalis_postgres=warn,h2=warn,hyper=warn,openssh=warn,openssh_mux_client=warn,sqlx=warn";

/// Starts logging for the whole process. `filter` is in the syntax of `XVAULT_LOG` and comes last,
/// so that it wins. A second call changes nothing.
pub fn init(filter: &str, format: LogFormat) {
    let filter = EnvFilter::builder().parse_lossy(format!("{QUIET},{filter}"));
    let lines = fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    // The only failure is that logging runs already, as it does in tests.
    let _ = match format {
        LogFormat::Text => lines.with_target(false).try_init(),
        LogFormat::Json => lines.json().flatten_event(true).try_init(),
    };
}
