//! The credentials that a source's form says, of whatever kind it is.

use secrecy::SecretString;

use super::form::Form;
use crate::{
    domain::source::{CredentialField, Credentials, SourceKind},
    hub::actions::CredentialsPatch,
};

/// The credentials of a new source. The form's fields have their names.
pub fn credentials(kind: SourceKind, form: &Form) -> Credentials {
    let mut credentials = Credentials::default();
    let without_jump = form.text("jump_host").trim().is_empty();
    for &field in kind.credentials() {
        if without_jump && field.is_of_host_between() {
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
pub fn credential_changes(kind: SourceKind, form: &Form) -> CredentialsPatch {
    let without_jump = form.text("jump_host").trim().is_empty();
    let mut patch = CredentialsPatch::default();
    for &field in kind.credentials() {
        let new_key = field.key_of_passphrase().is_some_and(|key| secret(form, key).is_some());
        let forgotten = form.all("forget").any(|name| name == field.as_str());
        let removed = forgotten || (without_jump && field.is_of_host_between());
        match secret(form, field) {
            Some(secret) if !removed => patch.change(field, Some(secret)),
            _ if removed || new_key => patch.change(field, None),
            _ => {}
        }
    }
    patch
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
        let credentials = credentials(SourceKind::Ssh, &form);
        let key = credentials.get(CredentialField::PrivateKey).unwrap();
        assert_eq!(key.expose_secret(), "-----BEGIN\nabc\n-----END\n");
    }

    #[test]
    fn empty_fields_keep_what_is_set() {
        let patch = credential_changes(
            SourceKind::Ssh,
            &Form::parse(b"password=&private_key=k&forget=jump_password&jump_host=b"),
        );
        assert_eq!(change(&patch, CredentialField::Password), None);
        assert_eq!(change(&patch, CredentialField::PrivateKey), Some(Some("k\n")));
        assert_eq!(
            change(&patch, CredentialField::Passphrase),
            Some(None),
            "the old passphrase belongs to the old key"
        );
        assert_eq!(change(&patch, CredentialField::JumpPassword), Some(None));
        assert_eq!(change(&patch, CredentialField::JumpPrivateKey), None);
        let direct = credential_changes(SourceKind::Ssh, &Form::parse(b"jump_host=&jump_password=x"));
        assert_eq!(change(&direct, CredentialField::JumpPassword), Some(None));
    }
}
