//! Parses the command line and dispatches; everything else lives in the library.

use std::process::ExitCode;

use xvault::{cli, connectors::ssh::askpass};

fn main() -> ExitCode {
    // ssh runs this same executable to ask for a password; then nothing else may happen.
    askpass::answer_if_asked().unwrap_or_else(cli::run)
}
