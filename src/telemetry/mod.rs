//! Logs and metrics: how they are written. Logs go to standard error and never hold a secret.
//!
//! Knows nothing of what is logged or measured.

pub mod exposition;
mod json;
pub mod process;

use std::io::IsTerminal;

use tracing_subscriber::{
    EnvFilter,
    fmt::{
        self,
        format::{DefaultFields, Format},
    },
    layer::SubscriberExt,
    util::SubscriberInitExt,
};

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
    let registry = tracing_subscriber::registry().with(filter);
    // The only failure is that logging runs already, as it does in tests.
    let _ = match format {
        LogFormat::Text => registry.with(lines().with_target(false)).try_init(),
        LogFormat::Json => {
            let lines = lines().event_format(json::JsonLines);
            registry.with(json::KeepFields).with(lines).try_init()
        }
    };
}

fn lines<S>() -> fmt::Layer<S, DefaultFields, Format, fn() -> std::io::Stderr> {
    fmt::Layer::new()
        .with_writer(std::io::stderr as fn() -> std::io::Stderr)
        .with_ansi(std::io::stderr().is_terminal())
}
