//! Logs.

use tracing_subscriber::EnvFilter;

use crate::telemetry::LogFormat;

/// Flags of every command.
#[derive(Debug, Clone, clap::Args)]
pub struct LogArgs {
    /// What to log: a level, or levels per module
    #[arg(
        long,
        global = true,
        env = "XVAULT_LOG",
        value_name = "FILTER",
        default_value = "info",
        value_parser = filter
    )]
    pub log: String,
    /// Lines for people (`text`) or for machines (`json`)
    #[arg(
        long,
        global = true,
        env = "XVAULT_LOG_FORMAT",
        value_name = "FORMAT",
        default_value = "text",
        value_parser = format
    )]
    pub log_format: LogFormat,
}

fn filter(text: &str) -> Result<String, String> {
    match EnvFilter::builder().parse(text) {
        Ok(_) if !text.trim().is_empty() => Ok(text.to_owned()),
        _ => Err("is not a log filter".to_owned()),
    }
}

fn format(text: &str) -> Result<LogFormat, String> {
    match text {
        "text" => Ok(LogFormat::Text),
        "json" => Ok(LogFormat::Json),
        _ => Err("is neither text nor json".to_owned()),
    }
}
