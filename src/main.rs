//! Parses the command line and dispatches; everything else lives in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    xvault::cli::run()
}
