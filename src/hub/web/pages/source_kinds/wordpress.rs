//! Kind `wordpress`.

use super::{Fact, Family, jump, port, trimmed, unless};
use crate::{
    domain::{
        field_error::FieldError,
        source::{SourceConfig, SourceKind, WordpressConfig},
    },
    hub::web::pages::form::Form,
};

pub(super) const FAMILY: Family = Family {
    blank: &[
        ("host", ""),
        ("port", "22"),
        ("user", ""),
        ("path", ""),
        ("exclude", ""),
        ("jump_host", ""),
        ("jump_port", "22"),
        ("jump_user", ""),
    ],
    pointers: &[
        "/config/host",
        "/config/port",
        "/config/user",
        "/config/path",
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

fn read(_: SourceKind, form: &Form) -> Result<SourceConfig, Vec<FieldError>> {
    let mut faults = Vec::new();
    let config = WordpressConfig {
        host: trimmed(form, "host"),
        port: port(form, "port", "/config/port", &mut faults),
        user: trimmed(form, "user"),
        path: trimmed(form, "path"),
        exclude: form.lines("exclude"),
        jump: jump::read(form, &mut faults),
    };
    Ok(SourceConfig::Wordpress(unless(
        faults,
        config,
        WordpressConfig::validate,
    )?))
}

pub(super) fn fields(config: &WordpressConfig) -> Vec<(&'static str, String)> {
    let mut fields = vec![
        ("host", config.host.clone()),
        ("port", config.port.to_string()),
        ("user", config.user.clone()),
        ("path", config.path.clone()),
        ("exclude", config.exclude.join("\n")),
    ];
    fields.extend(jump::fields(config.jump.as_ref()));
    fields
}

pub(super) fn facts(config: &WordpressConfig) -> Vec<Fact> {
    let all = [
        ("Document root", vec![config.path.clone()]),
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
        let form = Form::parse(b"host=-x&port=ssh&user=&path=/&jump_host=-y&jump_port=0");
        let faults = read(SourceKind::Wordpress, &form).unwrap_err();
        let at = |pointer: &str| faults.iter().filter(|fault| fault.pointer == pointer).count();
        for field in ["host", "port", "user", "path", "jump/host", "jump/port"] {
            assert_eq!(at(&format!("/config/{field}")), 1, "{field}: {faults:?}");
        }
    }
}
