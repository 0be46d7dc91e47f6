//! Certificates and keys for servers of TLS, made by openssl in a directory of their own.

use std::{path::PathBuf, process::Command};

use super::{run::run, scratch::temp_dir};

/// A key and a certificate on disk, gone when the value goes.
pub struct Certificate {
    directory: tempfile::TempDir,
}

/// An authority that issues certificates.
pub struct Authority(Certificate);

impl Certificate {
    /// Issued by nobody but itself, as installers of FTP and database servers make them.
    pub fn self_signed(name: &str) -> Self {
        let made = Self {
            directory: temp_dir("certificate"),
        };
        made.openssl(&["req", "-x509", "-days", "2", "-subj", "/CN=self", "-addext", &alt(name)]);
        made
    }

    /// Path of the private key (PEM).
    pub fn key(&self) -> PathBuf {
        self.directory.path().join("key.pem")
    }

    /// Path of the certificate (PEM).
    pub fn certificate(&self) -> PathBuf {
        self.directory.path().join("certificate.pem")
    }

    /// The certificate in PEM.
    pub fn pem(&self) -> String {
        std::fs::read_to_string(self.certificate()).expect("a certificate")
    }

    /// What openssl says its SHA-256 fingerprint is, in our notation.
    pub fn fingerprint(&self) -> String {
        let mut command = Command::new("openssl");
        command.args(["x509", "-noout", "-fingerprint", "-sha256", "-in"]);
        let output = command
            .arg(self.certificate())
            .output()
            .expect("openssl (package openssl)");
        let text = String::from_utf8(output.stdout).expect("text");
        let (_, hash) = text.trim().split_once('=').expect("sha256 Fingerprint=…");
        format!("SHA256:{hash}")
    }

    /// Makes a new key and what `request` says in the files of this certificate.
    fn openssl(&self, request: &[&str]) {
        let mut command = Command::new("openssl");
        command.args(request);
        command.args([
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-keyout",
        ]);
        run(command.arg(self.key()).arg("-out").arg(self.certificate()));
    }
}

impl Authority {
    /// A new one.
    pub fn new() -> Self {
        let made = Certificate {
            directory: temp_dir("authority"),
        };
        made.openssl(&["req", "-x509", "-days", "2", "-subj", "/CN=Authority of the tests"]);
        Self(made)
    }

    /// Its own certificate in PEM: what a source names as `ca`.
    pub fn pem(&self) -> String {
        self.0.pem()
    }

    /// A certificate for the host `name`, valid for `days` days from now; a negative number and it has expired.
    pub fn issue(&self, name: &str, days: i32) -> Certificate {
        let made = Certificate {
            directory: temp_dir("certificate"),
        };
        let place = |file: &str| made.directory.path().join(file);
        made.openssl(&["req", "-subj", "/CN=issued"]);
        std::fs::rename(made.certificate(), place("request.pem")).expect("a request");
        std::fs::write(place("extensions"), alt(name)).expect("extensions");
        let mut command = Command::new("openssl");
        command.args(["x509", "-req", "-days", &days.to_string(), "-set_serial", "7", "-in"]);
        command.arg(place("request.pem")).arg("-CA").arg(self.0.certificate());
        command
            .arg("-CAkey")
            .arg(self.0.key())
            .arg("-extfile")
            .arg(place("extensions"));
        run(command.arg("-out").arg(made.certificate()));
        made
    }
}

/// The names a certificate is good for.
fn alt(name: &str) -> String {
    match name.parse::<std::net::IpAddr>() {
        Ok(address) => format!("subjectAltName=IP:{address}"),
        Err(_) => format!("subjectAltName=DNS:{name}"),
    }
}
