//! Programs that prepare something for a test.

use std::process::Command;

/// Runs a program that has to succeed; what is missing is installed by `scripts/packages`.
pub fn run(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {said}");
}
