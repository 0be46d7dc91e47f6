//! Handing secrets to ssh without arguments, environment or disk.
//!
//! A secret lies in an anonymous memory file. ssh reads a private key straight from
//! `/proc/<our pid>/fd/<n>`; for a passphrase or password it runs our own executable as its askpass
//! program, which finds that path in [`ASKPASS_ENV`] and prints what it holds.

use std::{
    fs::File,
    io::{self, Write},
    os::fd::AsRawFd,
    path::Path,
    process::ExitCode,
};

use rustix::fs::{MemfdFlags, Mode, fchmod, memfd_create};
use secrecy::{ExposeSecret, SecretString};
use tokio::process::Command;

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

/// A secret in memory that our own children can open by path, for as long as this value lives.
#[derive(Debug)]
pub(crate) struct SecretFile {
    file: File,
}

impl SecretFile {
    /// Puts `secret` into a new memory file, readable by our user only.
    pub(crate) fn new(secret: &SecretString) -> io::Result<Self> {
        let fd = memfd_create("xvault", MemfdFlags::CLOEXEC)?;
        // ssh refuses keys that others could read, and a memory file starts with mode 0777.
        fchmod(&fd, Mode::RUSR | Mode::WUSR)?;
        let mut file = File::from(fd);
        file.write_all(secret.expose_secret().as_bytes())?;
        Ok(Self { file })
    }

    /// Where our children find it.
    pub(crate) fn path(&self) -> String {
        format!("/proc/{}/fd/{}", std::process::id(), self.file.as_raw_fd())
    }

    /// Makes `command` (an OpenSSH program) take its answer to any prompt from here.
    pub(crate) fn answer_for(&self, command: &mut Command, askpass: &Path) {
        command
            .env("SSH_ASKPASS", askpass)
            .env("SSH_ASKPASS_REQUIRE", "force")
            .env(ASKPASS_ENV, self.path());
    }
}
