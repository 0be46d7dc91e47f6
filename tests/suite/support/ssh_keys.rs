//! Key pairs, made by ssh-keygen once per test process.

use std::{path::Path, process::Command, sync::OnceLock};

use super::scratch::scratch;

/// Passphrase of [`with_passphrase`].
pub const PASSPHRASE: &str = "passphrase-of-the-tests";

/// A client's key pair.
#[derive(Clone)]
pub struct KeyPair {
    pub private: String,
    pub public: String,
}

/// The key that every test server accepts.
pub fn accepted() -> &'static KeyPair {
    static KEY: OnceLock<KeyPair> = OnceLock::new();
    KEY.get_or_init(|| pair("accepted", ""))
}

/// Accepted too, but encrypted with [`PASSPHRASE`].
pub fn with_passphrase() -> &'static KeyPair {
    static KEY: OnceLock<KeyPair> = OnceLock::new();
    KEY.get_or_init(|| pair("encrypted", PASSPHRASE))
}

/// A good key that no test server knows.
pub fn unknown() -> &'static KeyPair {
    static KEY: OnceLock<KeyPair> = OnceLock::new();
    KEY.get_or_init(|| pair("unknown", ""))
}

fn pair(name: &str, passphrase: &str) -> KeyPair {
    let path = scratch().join(format!("key-{name}"));
    generate("ed25519", &path, passphrase);
    let read = |path: &Path| std::fs::read_to_string(path).expect("a key file");
    KeyPair {
        private: read(&path),
        public: read(&path.with_extension("pub")),
    }
}

/// Writes a new key pair to `path` and `path.pub`.
pub fn generate(kind: &str, path: &Path, passphrase: &str) {
    let _ = std::fs::remove_file(path);
    let mut command = Command::new("ssh-keygen");
    command
        .args(["-q", "-t", kind, "-N", passphrase, "-C", "xvault test", "-f"])
        .arg(path);
    let output = command.output().expect("ssh-keygen (package openssh-client)");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// `SHA256:…` of a public or private key file, as ssh-keygen prints it.
pub fn fingerprint(path: &Path) -> String {
    let output = Command::new("ssh-keygen")
        .arg("-lf")
        .arg(path)
        .output()
        .expect("ssh-keygen");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.split_whitespace()
        .nth(1)
        .unwrap_or_else(|| panic!("no fingerprint in {text:?}"))
        .to_owned()
}
