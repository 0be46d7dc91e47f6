//! Handing secrets to ssh without arguments, environment or disk.
//!
//! A secret lies in an anonymous memory file. ssh reads a private key straight from
//! `/proc/<our pid>/fd/<n>`; for a passphrase or password it runs our own executable as its askpass
//! program, which finds that path in [`ASKPASS_ENV`] and prints what it holds.

use std::{
    io::{self, Write},
    path::Path,
    process::ExitCode,
};

use tokio::process::Command;

use crate::connectors::local::SecretFile;

/// Names the memory file whose content the askpass program prints.
pub const ASKPASS_ENV: &str = "XVAULT_ASKPASS";

/// If this process was started by ssh to ask for a secret, prints it and says with which code to
/// exit. To be called before anything else looks at arguments or environment.
pub fn answer_if_asked() -> Option<ExitCode> {
    let path = std::env::var_os(ASKPASS_ENV)?;
    let answer = std::fs::read(path).and_then(|mut secret| {
        secret.push(b'\n');
        let written = io::stdout().lock().write_all(&secret);
        zeroize::Zeroize::zeroize(&mut secret);
        written
    });
    Some(if answer.is_ok() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

impl SecretFile {
    /// Makes `command` (an OpenSSH program) take its answer to any prompt from here.
    pub(crate) fn answer_for(&self, command: &mut Command, askpass: &Path) {
        command
            .env("SSH_ASKPASS", askpass)
            .env("SSH_ASKPASS_REQUIRE", "force")
            .env(ASKPASS_ENV, self.path());
    }
}
