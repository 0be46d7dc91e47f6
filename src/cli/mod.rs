//! One file per command.

use std::process::ExitCode;

/// Runs the command named on the command line.
pub fn run() -> ExitCode {
    ExitCode::SUCCESS
}
