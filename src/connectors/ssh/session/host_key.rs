//! Checking who a host is, before any credential goes out.
//!
//! ssh asks a small script of ours for the known keys of the host and passes it the key the host
//! has just presented. The script notes that key and knows it only if its fingerprint is the
//! approved one; with `StrictHostKeyChecking=yes` ssh then goes on or stops.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use crate::connectors::HostKey;

/// Which host keys are accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Trust {
    /// The key with this fingerprint (`SHA256:…`) and no other.
    Pinned(String),
    /// None: ssh learns the key and stops.
    Nobody,
    /// Whatever key is presented, and noted. Only for probing with a private key, whose signature
    /// is of no use to an impostor; never with a password.
    Anyone,
}

impl Trust {
    /// The approved fingerprint, or nobody.
    pub(crate) fn pinned(fingerprint: Option<&str>) -> Self {
        fingerprint.map_or(Self::Nobody, |f| Self::Pinned(f.to_owned()))
    }
}

/// Host key algorithms in our order of preference, grouped by the key they use.
pub(crate) const FAMILIES: &[&[&str]] = &[
    &["ssh-ed25519"],
    &["ecdsa-sha2-nistp256"],
    &["ecdsa-sha2-nistp384"],
    &["ecdsa-sha2-nistp521"],
    &["rsa-sha2-512", "rsa-sha2-256"],
];

/// True if a key of type `key_type` (as in a public key file) is one of `family`.
pub(crate) fn is_of_family(key_type: &str, family: &[&str]) -> bool {
    family.contains(&key_type) || (key_type == "ssh-rsa" && family.contains(&"rsa-sha2-256"))
}

/// The script and the note it leaves, in a directory that belongs to one connection.
#[derive(Debug)]
pub(super) struct HostKeyCheck {
    script: PathBuf,
    presented: PathBuf,
}

impl HostKeyCheck {
    /// Writes the script into `dir`, whose path must be plain (see `PrivateDir`).
    pub(super) fn write(dir: &Path, trust: &Trust) -> io::Result<Self> {
        let (script, presented) = (dir.join("known-hosts"), dir.join("presented"));
        let known = match trust {
            Trust::Pinned(fingerprint) if is_fingerprint(fingerprint) => format!("[ \"$3\" = '{fingerprint}' ]"),
            Trust::Anyone => "true".to_owned(),
            Trust::Pinned(_) | Trust::Nobody => "false".to_owned(),
        };
        // $1 reason, $2 key type, $3 fingerprint, $4 key, $5 host name: all written by ssh itself.
        let text = format!(
            "[ \"$1\" = HOSTNAME ] || exit 0\n\
             printf '%s %s\\n' \"$2\" \"$3\" >>'{}'\n\
             {known} && printf '%s %s %s\\n' \"$5\" \"$2\" \"$4\"\n\
             exit 0\n",
            presented.display()
        );
        fs::write(&script, text)?;
        Ok(Self { script, presented })
    }

    /// Value of ssh's `KnownHostsCommand`.
    pub(super) fn command(&self) -> String {
        format!("/bin/sh {} %I %t %f %K %H", self.script.display())
    }

    /// Forgets what was presented so far.
    pub(super) fn reset(&self) {
        // Absent before the first connection.
        let _ = fs::remove_file(&self.presented);
    }

    /// The key the host presented last, if it came that far.
    pub(super) fn presented(&self) -> Option<HostKey> {
        let text = fs::read_to_string(&self.presented).ok()?;
        let (algorithm, fingerprint) = text.lines().last()?.split_once(' ')?;
        Some(HostKey {
            algorithm: algorithm.to_owned(),
            fingerprint: fingerprint.to_owned(),
        })
    }
}

/// `SHA256:` and 43 characters of base64: anything else matches no key, and must not reach a script.
fn is_fingerprint(text: &str) -> bool {
    let base64 = |c: char| c.is_ascii_alphanumeric() || c == '+' || c == '/';
    text.strip_prefix("SHA256:")
        .is_some_and(|rest| rest.len() == 43 && rest.chars().all(base64))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(trust: &Trust, reason: &str, fingerprint: &str) -> (String, Option<HostKey>) {
        let dir = tempfile::tempdir().unwrap();
        let check = HostKeyCheck::write(dir.path(), trust).unwrap();
        let output = std::process::Command::new("/bin/sh")
            .arg(&check.script)
            .args([reason, "ssh-ed25519", fingerprint, "AAAAC3Nz", "web1"])
            .output()
            .unwrap();
        assert!(output.status.success());
        (String::from_utf8(output.stdout).unwrap(), check.presented())
    }

    #[test]
    fn only_the_approved_key_is_known() {
        let good = format!("SHA256:{}", "a".repeat(43));
        let pinned = Trust::Pinned(good.clone());
        assert_eq!(run(&pinned, "HOSTNAME", &good).0, "web1 ssh-ed25519 AAAAC3Nz\n");
        let (known, presented) = run(&pinned, "HOSTNAME", "SHA256:other");
        assert_eq!(
            (known.as_str(), presented.unwrap().fingerprint.as_str()),
            ("", "SHA256:other")
        );
        assert_eq!(run(&pinned, "ORDER", "NONE"), (String::new(), None));
        assert_eq!(run(&Trust::Nobody, "HOSTNAME", &good).0, "");
        assert!(!run(&Trust::Anyone, "HOSTNAME", &good).0.is_empty());
    }

    #[test]
    fn a_pin_that_is_no_fingerprint_matches_nothing() {
        for pin in ["'; touch /tmp/x; '", "", "SHA256:short"] {
            assert_eq!(run(&Trust::Pinned(pin.to_owned()), "HOSTNAME", pin).0, "");
        }
    }
}
