//! Logs and metrics: how they are written. Logs go to standard error and never hold a secret.
//!
//! Knows nothing of what is logged or measured.

pub mod exposition;
mod json;
pub mod process;

use std::{error::Error, io::IsTerminal};

use tracing::{Subscriber, level_filters::LevelFilter};
use tracing_log::{AsLog, LogTracer};
use tracing_subscriber::{
    EnvFilter,
    fmt::{
        self,
        format::{DefaultFields, Format},
    },
    layer::SubscriberExt,
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

/// Crates whose lines no filter brings back: suppaftp writes every FTP command it sends, `PASS` included.
const SILENT: [&str; 1] = ["suppaftp"];

/// Starts logging for the whole process. `filter` is in the syntax of `XVAULT_LOG` and comes last,
/// so that it wins. A second call changes nothing.
pub fn init(filter: &str, format: LogFormat) {
    let filter = EnvFilter::builder().parse_lossy(format!("{QUIET},{filter}"));
    let registry = tracing_subscriber::registry().with(filter);
    // The only failure is that logging runs already, as it does in tests.
    let _ = match format {
        LogFormat::Text => begin(registry.with(lines().with_target(false))),
        LogFormat::Json => {
            let lines = lines().event_format(json::JsonLines);
            begin(registry.with(json::KeepFields).with(lines))
        }
    };
}

fn begin(subscriber: impl Subscriber + Send + Sync) -> Result<(), Box<dyn Error>> {
    tracing::subscriber::set_global_default(subscriber)?;
    let crates_that_log = LogTracer::builder()
        .ignore_all(SILENT)
        .with_max_level(LevelFilter::current().as_log());
    Ok(crates_that_log.init()?)
}

fn lines<S>() -> fmt::Layer<S, DefaultFields, Format, fn() -> std::io::Stderr> {
    fmt::Layer::new()
        .with_writer(std::io::stderr as fn() -> std::io::Stderr)
        .with_ansi(std::io::stderr().is_terminal())
}

#[cfg(test)]
mod tests {
    use tracing_log::log::{self, Level, Metadata};

    use super::*;

    #[test]
    fn no_filter_brings_back_what_suppaftp_logs() {
        init("warn,suppaftp=trace", LogFormat::Text);
        let is_written = |target| {
            let line = Metadata::builder().target(target).level(Level::Error).build();
            log::logger().enabled(&line)
        };
        assert!(is_written("another_crate"));
        assert!(!is_written("suppaftp") && !is_written("suppaftp::async_ftp::tokio_ftp::control"));
    }
}
