//! A transfer that stops in the middle until the test lets it go on.
//!
//! The server's `tar` and SFTP server are wrapped: after the first megabyte nothing comes until the
//! gate is open. So "in the middle of a transfer" is a fact and not a matter of speed.

use std::{fs, os::unix::fs::PermissionsExt, path::PathBuf};

use super::{scratch::temp_dir, sshd::Setup};

/// Reads of at most 4 KiB that pass before the gate: enough for a probe, and at most a megabyte.
const CHUNKS: usize = 250;

/// A closed gate.
pub struct Gate {
    directory: tempfile::TempDir,
}

impl Gate {
    pub fn closed() -> Self {
        let gate = Self {
            directory: temp_dir("gate"),
        };
        let open = fs::Permissions::from_mode(0o755);
        fs::set_permissions(gate.directory.path(), open).expect("its own directory");
        // A test that ends takes its directory along, and with it what still waits here.
        let wait = format!(
            "{{ dd bs=4096 count={CHUNKS} status=none; while [ -d {} ] && [ ! -e {} ]; do sleep 0.05; done; exec cat; }}",
            gate.directory.path().display(),
            gate.path("open").display()
        );
        gate.script(
            "tar",
            // Asked for its version or options it answers like any other.
            &format!(
                "case \" $* \" in *--create*) ;; *) exec /usr/bin/tar \"$@\";; esac\n/usr/bin/tar \"$@\" | {wait}"
            ),
        );
        gate.script("sftp-server", &format!("/usr/lib/openssh/sftp-server | {wait}"));
        gate
    }

    /// A server behind the gate.
    pub fn setup(&self) -> Setup {
        let directory = self.directory.path().display();
        // Setups are plain constants elsewhere; a few bytes for the length of a test process.
        let leaked = |text: String| -> &'static str { Box::leak(text.into_boxed_str()) };
        Setup {
            sftp: leaked(format!("{directory}/sftp-server")),
            extra: leaked(format!("SetEnv PATH={directory}:/usr/bin:/bin HOME={directory}\n")),
            ..Setup::default()
        }
    }

    /// Lets everything pass from now on.
    pub fn open(&self) {
        fs::write(self.path("open"), "").expect("a file");
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn script(&self, name: &str, body: &str) {
        let path = self.path(name);
        fs::write(&path, format!("#!/bin/sh\n{body}\n")).expect("a script");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("its mode");
    }
}
