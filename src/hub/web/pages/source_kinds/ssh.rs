//! Kinds `ssh` and `sftp`.

use super::{Fact, Family, jump, port, trimmed, unless};
use crate::{
    domain::{
        field_error::FieldError,
        source::{SourceConfig, SourceKind, SshConfig},
    },
    hub::web::pages::form::Form,
};

pub(super) const FAMILY: Family = Family {
    blank: &[
        ("host", ""),
        ("port", "22"),
        ("user", ""),
        ("paths", ""),
        ("exclude", ""),
        ("jump_host", ""),
        ("jump_port", "22"),
        ("jump_user", ""),
    ],
    pointers: &[
        "/config/host",
        "/config/port",
        "/config/user",
        "/config/paths",
        "/config/exclude",
        "/config/jump/host",
        "/config/jump/port",
        "/config/jump/user",
        "/credentials",
        "/credentials/private_key",
        "/credentials/passphrase",
        "/credentials/password",
        "/credentials/jump_private_key",
        "/credentials/jump_passphrase",
        "/credentials/jump_password",
    ],
    optional: &["jump"],
    read,
};

fn read(kind: SourceKind, form: &Form) -> Result<SourceConfig, Vec<FieldError>> {
    let mut faults = Vec::new();
    let config = SshConfig {
        host: trimmed(form, "host"),
        port: port(form, "port", "/config/port", &mut faults),
        user: trimmed(form, "user"),
        paths: form.lines("paths"),
        exclude: form.lines("exclude"),
        jump: jump::read(form, &mut faults),
    };
    let config = unless(faults, config, SshConfig::validate)?;
    Ok(match kind {
        SourceKind::Sftp => SourceConfig::Sftp(config),
        _ => SourceConfig::Ssh(config),
    })
}

pub(super) fn fields(config: &SshConfig) -> Vec<(&'static str, String)> {
    let mut fields = vec![
        ("host", config.host.clone()),
        ("port", config.port.to_string()),
        ("user", config.user.clone()),
        ("paths", config.paths.join("\n")),
        ("exclude", config.exclude.join("\n")),
    ];
    fields.extend(jump::fields(config.jump.as_ref()));
    fields
}

pub(super) fn facts(config: &SshConfig) -> Vec<Fact> {
    let all = [
        ("Paths", config.paths.clone()),
        ("Left out", config.exclude.clone()),
        ("Jump host", jump::fact(config.jump.as_ref())),
    ];
    all.map(|(name, values)| Fact { name, values }).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_is_told_at_once() {
        let faults = read(SourceKind::Ssh, &Form::parse(b"host=-x&port=ssh&user=&paths=")).unwrap_err();
        let at = |pointer: &str| faults.iter().filter(|fault| fault.pointer == pointer).count();
        for pointer in ["/config/host", "/config/port", "/config/user", "/config/paths"] {
            assert_eq!(at(pointer), 1, "{pointer}: {faults:?}");
        }
    }
}
