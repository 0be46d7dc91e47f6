//! What a source's form says, as configuration and credentials.

use secrecy::SecretString;
use serde_json::{Map, Value};

use super::{error::PageError, form::Form};
use crate::{
    domain::{
        field_error::FieldError,
        source::{CredentialField, Credentials, JumpConfig, SshConfig},
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

/// The credentials of a new source. The form's fields have their names.
pub fn credentials(form: &Form) -> Credentials {
    let mut credentials = Credentials::default();
    let without_jump = form.text("jump_host").trim().is_empty();
    for &field in CredentialField::ALL {
        if without_jump && field.is_of_jump() {
            continue;
        }
        if let Some(secret) = secret(form, field) {
            credentials.set(field, secret);
        }
    }
    credentials
}

/// Browsers send line breaks as CR LF, which OpenSSH does not take in a key; and a pasted key may lack its last one.
fn secret(form: &Form, field: CredentialField) -> Option<SecretString> {
    let secret = form.given(field.as_str())?;
    if !field.is_private_key() {
        return Some(secret.into());
    }
    let key = secret.trim();
    (!key.is_empty()).then(|| format!("{}\n", key.replace("\r\n", "\n")).into())
}

/// What to change of a source's credentials: what is typed is set, what is ticked is removed, the rest stays.
/// A new key does not take over the old one's passphrase, and without a jump host nothing of it is kept.
pub fn credential_changes(form: &Form) -> CredentialsPatch {
    let without_jump = form.text("jump_host").trim().is_empty();
    let mut patch = CredentialsPatch::default();
    for &field in CredentialField::ALL {
        let new_key = field.key_of_passphrase().is_some_and(|key| secret(form, key).is_some());
        let forgotten = form.all("forget").any(|name| name == field.as_str());
        let removed = forgotten || (without_jump && field.is_of_jump());
        match secret(form, field) {
            Some(secret) if !removed => patch.change(field, Some(secret)),
            _ if removed || new_key => patch.change(field, None),
            _ => {}
        }
    }
    patch
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

    fn change(patch: &CredentialsPatch, field: CredentialField) -> Option<Option<&str>> {
        patch
            .of(field)
            .map(|secret| secret.as_ref().map(|secret| secret.expose_secret()))
    }

    #[test]
    fn keys_arrive_as_openssh_wants_them() {
        let form = Form::parse(b"private_key=%0D%0A-----BEGIN%0D%0Aabc%0D%0A-----END");
        let credentials = credentials(&form);
        let key = credentials.get(CredentialField::PrivateKey).unwrap();
        assert_eq!(key.expose_secret(), "-----BEGIN\nabc\n-----END\n");
    }

    #[test]
    fn empty_fields_keep_what_is_set() {
        let patch = credential_changes(&Form::parse(
            b"password=&private_key=k&forget=jump_password&jump_host=b",
        ));
        assert_eq!(change(&patch, CredentialField::Password), None);
        assert_eq!(change(&patch, CredentialField::PrivateKey), Some(Some("k\n")));
        assert_eq!(
            change(&patch, CredentialField::Passphrase),
            Some(None),
            "the old passphrase belongs to the old key"
        );
        assert_eq!(change(&patch, CredentialField::JumpPassword), Some(None));
        assert_eq!(change(&patch, CredentialField::JumpPrivateKey), None);
        let direct = credential_changes(&Form::parse(b"jump_host=&jump_password=x"));
        assert_eq!(change(&direct, CredentialField::JumpPassword), Some(None));
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
