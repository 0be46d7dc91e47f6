//! What people use instead.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use crate::support::{ftpd::Ftpd, ssh_keys, sshd::Sshd};

/// How stock clients reach a test server.
pub struct Login<'a> {
    server: &'a Sshd,
    key: PathBuf,
}

impl<'a> Login<'a> {
    /// Writes the accepted key below `directory`.
    pub fn new(server: &'a Sshd, directory: &Path) -> Self {
        use std::os::unix::fs::PermissionsExt;
        let key = directory.join("key");
        fs::write(&key, &ssh_keys::accepted().private).expect("a key file");
        fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).expect("its mode");
        Self { server, key }
    }

    fn options(&self) -> String {
        format!(
            "-F none -q -i {} -o BatchMode=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null",
            self.key.display()
        )
    }

    /// `ssh tar c | zstd -3 -T2 | age -r … > file`.
    pub fn tar_zstd_age(&self, path: &str, recipient: &str, into: &Path) -> Duration {
        let (options, server) = (self.options(), self.server);
        timed(&format!(
            "ssh {options} -p {} {}@127.0.0.1 tar -C / -cf - {} | zstd -q -3 -T2 | age -r {recipient} > {}",
            server.port,
            server.user,
            path.trim_start_matches('/'),
            into.display()
        ))
    }

    /// `sftp -r`.
    pub fn sftp(&self, path: &str, into: &Path) -> Duration {
        let (options, server) = (self.options(), self.server);
        timed(&format!(
            "sftp {options} -r -P {} {}@127.0.0.1:{path} {} >/dev/null",
            server.port,
            server.user,
            into.display()
        ))
    }

    /// rclone with 16 transfers.
    pub fn rclone(&self, path: &str, into: &Path) -> Duration {
        let server = self.server;
        timed(&format!(
            "rclone --config /dev/null --quiet copy --transfers 16 --checkers 16 --sftp-host 127.0.0.1 \
             --sftp-port {} --sftp-user {} --sftp-key-file {} :sftp:{path} {}",
            server.port,
            server.user,
            self.key.display(),
            into.display()
        ))
    }
}

/// `lftp mirror --parallel=4` of everything the login sees, over TLS for commands and data.
pub fn lftp_mirror(server: &Ftpd, into: &Path) -> Duration {
    timed(&format!(
        "lftp --norc -c 'set ftp:ssl-force yes; set ftp:ssl-protect-data yes; set ssl:verify-certificate no; \
         set xfer:log no; open -p {} -u {},{} 127.0.0.1; mirror --parallel=4 . {}' >/dev/null",
        server.port,
        server.account.name,
        server.account.password,
        into.display()
    ))
}

/// A fresh age key: identity and recipient.
pub fn age_recipient() -> String {
    let output = Command::new("age-keygen").stderr(Stdio::null()).output();
    let text = String::from_utf8(output.expect("age-keygen (package age)").stdout).expect("text");
    let line = text.lines().find_map(|line| line.strip_prefix("# public key: "));
    line.expect("a recipient").to_owned()
}

/// Runs a shell command; every part of a pipe must succeed.
pub fn timed(command: &str) -> Duration {
    let begin = Instant::now();
    let status = Command::new("bash").args(["-o", "pipefail", "-c", command]).status();
    let taken = begin.elapsed();
    assert!(status.expect("bash").success(), "{command}");
    taken
}
