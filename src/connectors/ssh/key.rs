//! Private keys: made acceptable to ssh, checked before any connection is made.

use std::{process::Stdio, time::Duration};

use base64::{Engine, prelude::BASE64_STANDARD, prelude::BASE64_STANDARD_NO_PAD};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

use crate::{
    connectors::{
        local::{SecretFile, spawner},
        open::ConnectorContext,
    },
    domain::{error_code::ErrorCode, job::JobError},
};

/// Deriving the key from a passphrase takes a second or two with many rounds.
const TIMEOUT: Duration = Duration::from_secs(60);

/// A private key that ssh can load.
#[derive(Debug)]
pub(crate) struct PreparedKey {
    /// The key itself.
    pub(crate) key: SecretFile,
    /// Its passphrase; empty if it has none.
    pub(crate) passphrase: SecretFile,
    /// Of its public half, `SHA256:…`.
    pub(crate) fingerprint: String,
}

/// Puts a key where ssh can read it and checks that it can be opened. `whose` names its login in
/// errors.
///
/// # Errors
/// `key_unusable` if it is no private key or the passphrase does not open it.
pub(crate) async fn prepare(
    whose: &str,
    key: &SecretString,
    passphrase: Option<&SecretString>,
    ctx: &ConnectorContext,
) -> Result<PreparedKey, JobError> {
    let in_memory = |secret: &SecretString| SecretFile::new(secret).map_err(|e| failed(whose, &e));
    let no_passphrase = SecretString::default();
    let mut prepared = PreparedKey {
        key: in_memory(&normalised(key))?,
        passphrase: in_memory(passphrase.unwrap_or(&no_passphrase))?,
        fingerprint: String::new(),
    };
    let mut command = spawner::command("ssh-keygen");
    command.args(["-y", "-f", &prepared.key.path()]).stdout(Stdio::piped());
    prepared.passphrase.answer_for(&mut command, &ctx.askpass);
    let child = spawner::spawn(command).await.map_err(|e| failed(whose, &e))?;
    let output = match tokio::time::timeout(TIMEOUT, child.wait_with_output()).await {
        Ok(output) => output.map_err(|e| failed(whose, &e))?,
        Err(_) => return Err(unusable(whose, "takes longer than a minute to open")),
    };
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let encrypted = said.contains("incorrect passphrase");
        return Err(match (encrypted, passphrase) {
            (true, Some(_)) => unusable(whose, "is not opened by the passphrase that is set"),
            (true, None) => unusable(whose, "is encrypted and no passphrase is set"),
            (false, _) => unusable(whose, "is not a private key that ssh can read"),
        });
    }
    prepared.fingerprint =
        public_fingerprint(&output.stdout).ok_or_else(|| unusable(whose, "has a public half that cannot be read"))?;
    Ok(prepared)
}

/// Keys come out of web forms: with CRLF, blanks around them, without the last line's end. ssh
/// insists on none of these.
fn normalised(key: &SecretString) -> SecretString {
    let mut text = String::with_capacity(key.expose_secret().len() + 1);
    for line in key.expose_secret().trim().lines() {
        text.push_str(line.trim_end());
        text.push('\n');
    }
    SecretString::from(text)
}

/// Fingerprint of a line `ssh-ed25519 AAAA… comment`.
fn public_fingerprint(line: &[u8]) -> Option<String> {
    let blob = std::str::from_utf8(line).ok()?.split_whitespace().nth(1)?;
    let digest = Sha256::digest(BASE64_STANDARD.decode(blob).ok()?);
    Some(format!("SHA256:{}", BASE64_STANDARD_NO_PAD.encode(digest)))
}

fn unusable(whose: &str, what: &str) -> JobError {
    JobError::new(
        ErrorCode::KeyUnusable,
        format!("the private key for {whose} {what}"),
        "Set the private key again, whole, in OpenSSH or PEM form, with its passphrase if it has one.",
    )
}

fn failed(whose: &str, error: &std::io::Error) -> JobError {
    JobError::new(
        ErrorCode::Internal,
        format!("ssh-keygen could not check the private key for {whose}: {error}"),
        "The worker needs ssh-keygen (package openssh-client) and setpriv (util-linux) in its PATH.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_from_forms_are_repaired() {
        let pasted = SecretString::from("\r\n  -----BEGIN X-----\r\nabc \r\n-----END X-----");
        assert_eq!(
            normalised(&pasted).expose_secret(),
            "-----BEGIN X-----\nabc\n-----END X-----\n"
        );
    }

    #[test]
    fn fingerprints_are_those_of_openssh() {
        // ssh-keygen -lf says the same.
        let line = b"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA x\n";
        let found = public_fingerprint(line).unwrap();
        assert!(found.starts_with("SHA256:") && found.len() == 50, "{found}");
        assert_eq!(public_fingerprint(b"ssh-ed25519"), None);
    }
}
