//! Kind `ftp`.

use super::{Fact, Family, number, port, trimmed, unless};
use crate::{
    domain::{
        field_error::FieldError,
        source::{FtpConfig, FtpTls, SourceConfig, SourceKind},
    },
    hub::web::pages::form::Form,
};

pub(super) const FAMILY: Family = Family {
    blank: &[
        ("host", ""),
        ("port", "21"),
        ("user", ""),
        ("paths", ""),
        ("exclude", ""),
        ("tls", "required"),
        ("ca", ""),
        ("connections", "6"),
    ],
    pointers: &[
        "/config/host",
        "/config/port",
        "/config/user",
        "/config/paths",
        "/config/exclude",
        "/config/tls",
        "/config/ca",
        "/config/connections",
        "/credentials",
        "/credentials/password",
    ],
    optional: &["ca"],
    read,
};

fn read(_: SourceKind, form: &Form) -> Result<SourceConfig, Vec<FieldError>> {
    let mut faults = Vec::new();
    let tls = match form.text("tls") {
        "required" | "" => FtpTls::Required,
        "none" => FtpTls::None,
        _ => {
            faults.push(FieldError::new("/config/tls", "must be required or none"));
            FtpTls::Required
        }
    };
    let config = FtpConfig {
        host: trimmed(form, "host"),
        port: port(form, "port", "/config/port", &mut faults),
        user: trimmed(form, "user"),
        paths: form.lines("paths"),
        exclude: form.lines("exclude"),
        tls,
        ca: Some(trimmed(form, "ca")).filter(|ca| !ca.is_empty()),
        connections: number(form, "connections", "/config/connections", "1 and 16", &mut faults),
    };
    Ok(SourceConfig::Ftp(unless(faults, config, FtpConfig::validate)?))
}

pub(super) fn fields(config: &FtpConfig) -> Vec<(&'static str, String)> {
    let tls = match config.tls {
        FtpTls::Required => "required",
        FtpTls::None => "none",
    };
    vec![
        ("host", config.host.clone()),
        ("port", config.port.to_string()),
        ("user", config.user.clone()),
        ("paths", config.paths.join("\n")),
        ("exclude", config.exclude.join("\n")),
        ("tls", tls.to_owned()),
        ("ca", config.ca.clone().unwrap_or_default()),
        ("connections", config.connections.to_string()),
    ]
}

pub(super) fn facts(config: &FtpConfig) -> Vec<Fact> {
    let encryption = match (config.tls, &config.ca) {
        (FtpTls::Required, None) => "TLS",
        (FtpTls::Required, Some(_)) => "TLS, with an authority of its own",
        (FtpTls::None, _) => "none: password and files travel readable",
    };
    let all = [
        ("Paths", config.paths.clone()),
        ("Left out", config.exclude.clone()),
        ("Encryption", vec![encryption.to_owned()]),
        ("Connections", vec![format!("up to {}", config.connections)]),
    ];
    all.map(|(name, values)| Fact { name, values }).into()
}
