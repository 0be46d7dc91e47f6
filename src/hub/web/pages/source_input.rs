//! What a source's form says, as configuration and credentials.

use secrecy::SecretString;
use serde_json::{Map, Value};

use super::{error::PageError, form::Form};
use crate::{
    domain::{
        field_error::FieldError,
        source::{JumpConfig, SshConfig, SshCredentials},
    },
    hub::actions::CredentialsPatch,
};

/// Host, paths and the rest, with a fault for each port that is no number.
pub fn config(form: &Form) -> Result<SshConfig, Vec<FieldError>> {
    let mut faults = Vec::new();
    let mut port = |name: &str, pointer: &str| {
        form.text(name).trim().parse::<u16>().unwrap_or_else(|_| {
            faults.push(FieldError::new(pointer, "must be a number between 1 and 65535"));
            22
        })
    };
    let trimmed = |name: &str| form.text(name).trim().to_owned();
    let has_jump = !trimmed("jump_host").is_empty();
    let config = SshConfig {
        host: trimmed("host"),
        port: port("port", "/config/port"),
        user: trimmed("user"),
        paths: form.lines("paths"),
        exclude: form.lines("exclude"),
        jump: has_jump.then(|| JumpConfig {
            host: trimmed("jump_host"),
            port: port("jump_port", "/config/jump/port"),
            user: trimmed("jump_user"),
        }),
    };
    if faults.is_empty() {
        return Ok(config);
    }
    // All faults at once, so that nobody mends a form field by field.
    faults.extend(config.validate());
    Err(faults)
}

/// Every credential; also the names of the form's fields.
const FIELDS: [&str; 6] = [
    "private_key",
    "passphrase",
    "password",
    "jump_private_key",
    "jump_passphrase",
    "jump_password",
];

/// The credentials of a new source.
pub fn credentials(form: &Form) -> SshCredentials {
    let mut credentials = SshCredentials::default();
    let without_jump = form.text("jump_host").trim().is_empty();
    for field in FIELDS
        .into_iter()
        .filter(|field| !without_jump || !field.starts_with("jump_"))
    {
        if let Some(secret) = secret(form, field) {
            credentials.set(field, secret);
        }
    }
    credentials
}

/// Browsers send line breaks as CR LF, which OpenSSH does not take in a key; and a pasted key may lack its last one.
fn secret(form: &Form, field: &str) -> Option<SecretString> {
    let secret = form.given(field)?;
    if !field.ends_with("private_key") {
        return Some(secret.into());
    }
    let key = secret.trim();
    (!key.is_empty()).then(|| format!("{}\n", key.replace("\r\n", "\n")).into())
}

/// What to change of a source's credentials: what is typed is set, what is ticked is removed, the rest stays.
/// A new key does not take over the old one's passphrase, and without a jump host nothing of it is kept.
pub fn credential_changes(form: &Form) -> CredentialsPatch {
    let without_jump = form.text("jump_host").trim().is_empty();
    let change = |field: &str| {
        let key = field.replace("passphrase", "private_key");
        let new_key = key != field && secret(form, &key).is_some();
        let removed = form.all("forget").any(|name| name == field) || (without_jump && field.starts_with("jump_"));
        match secret(form, field) {
            Some(secret) if !removed => Some(Some(secret)),
            _ if removed || new_key => Some(None),
            _ => None,
        }
    };
    CredentialsPatch {
        private_key: change("private_key"),
        passphrase: change("passphrase"),
        password: change("password"),
        jump_private_key: change("jump_private_key"),
        jump_passphrase: change("jump_passphrase"),
        jump_password: change("jump_password"),
    }
}

/// The whole configuration as a patch: a jump host that is gone is removed.
pub fn as_patch(config: &SshConfig) -> Result<Map<String, Value>, PageError> {
    let mut fields = match serde_json::to_value(config).map_err(PageError::internal)? {
        Value::Object(fields) => fields,
        other => return Err(PageError::internal(format!("a configuration is {other}"))),
    };
    fields.entry("jump").or_insert(Value::Null);
    Ok(fields)
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    fn change(change: &Option<Option<SecretString>>) -> Option<Option<&str>> {
        change
            .as_ref()
            .map(|secret| secret.as_ref().map(|secret| secret.expose_secret()))
    }

    #[test]
    fn keys_arrive_as_openssh_wants_them() {
        let form = Form::parse(b"private_key=%0D%0A-----BEGIN%0D%0Aabc%0D%0A-----END");
        let key = credentials(&form).private_key.unwrap();
        assert_eq!(key.expose_secret(), "-----BEGIN\nabc\n-----END\n");
    }

    #[test]
    fn empty_fields_keep_what_is_set() {
        let patch = credential_changes(&Form::parse(
            b"password=&private_key=k&forget=jump_password&jump_host=b",
        ));
        assert_eq!(change(&patch.password), None);
        assert_eq!(change(&patch.private_key), Some(Some("k\n")));
        assert_eq!(
            change(&patch.passphrase),
            Some(None),
            "the old passphrase belongs to the old key"
        );
        assert_eq!(change(&patch.jump_password), Some(None));
        assert_eq!(change(&patch.jump_private_key), None);
        let direct = credential_changes(&Form::parse(b"jump_host=&jump_password=x"));
        assert_eq!(change(&direct.jump_password), Some(None));
    }

    #[test]
    fn every_fault_is_told_at_once() {
        let faults = config(&Form::parse(b"host=-x&port=ssh&user=&paths=")).unwrap_err();
        let at = |pointer: &str| faults.iter().any(|fault| fault.pointer == pointer);
        assert!(
            at("/config/host") && at("/config/port") && at("/config/user") && at("/config/paths"),
            "{faults:?}"
        );
    }
}
