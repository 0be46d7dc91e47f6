//! What the form of a source shows: as it is set, or as it was typed.

use std::collections::BTreeMap;

use askama::filters::{Html, Safe, escape};

use super::{
    field_errors::FieldErrors,
    form::Form,
    found::{Found, FoundDatabase},
    source_kinds,
};
use crate::{
    domain::source::SourceKind,
    hub::views::{CredentialView, SourceView},
};

/// What the form shows. Secrets are not in it: they are never echoed.
pub(super) struct SourceForm {
    pub(super) kind: SourceKind,
    values: BTreeMap<&'static str, String>,
    set: Vec<CredentialView>,
    /// Databases that the last probe saw, to choose from.
    pub(super) choices: Vec<Choice>,
    /// Document roots of WordPress sites that the last probe saw.
    pub(super) document_roots: Vec<String>,
}

/// A database to choose.
pub(super) struct Choice {
    pub(super) name: String,
    pub(super) bytes: u64,
    pub(super) chosen: bool,
}

impl SourceForm {
    pub(super) fn empty(kind: SourceKind) -> Self {
        let blank = source_kinds::blank(kind).iter();
        Self {
            kind,
            values: blank.map(|(name, value)| (*name, (*value).to_owned())).collect(),
            set: Vec::new(),
            choices: Vec::new(),
            document_roots: Vec::new(),
        }
    }

    pub(super) fn of(source: &SourceView) -> Self {
        let mut values: BTreeMap<_, _> = source_kinds::fields(&source.config).into_iter().collect();
        values.insert("name", source.name.clone());
        Self {
            kind: source.kind,
            values,
            set: source.credentials.clone(),
            choices: Vec::new(),
            document_roots: Vec::new(),
        }
    }

    /// What was typed, as it was typed, but for secrets.
    pub(super) fn typed(kind: SourceKind, form: &Form, set: Vec<CredentialView>) -> Self {
        let names = source_kinds::blank(kind).iter().map(|(name, _)| *name);
        Self {
            kind,
            values: names
                .chain(["name"])
                .map(|name| (name, form.text(name).to_owned()))
                .collect(),
            set,
            choices: Vec::new(),
            document_roots: Vec::new(),
        }
    }

    /// The same, with what a probe found to choose from.
    pub(super) fn choosing_from(self, found: Found, ticked: &[&str]) -> Self {
        let document_roots = found.document_roots;
        Self {
            document_roots,
            ..self.with_databases(found.databases, ticked)
        }
    }

    /// With databases to choose from: those `ticked` are chosen, and those named in the field, which is left with the
    /// others.
    fn with_databases(mut self, found: Vec<FoundDatabase>, ticked: &[&str]) -> Self {
        let named: Vec<String> = self.value("databases").lines().map(str::to_owned).collect();
        let choice = |database: FoundDatabase| Choice {
            chosen: named.contains(&database.name) || ticked.contains(&database.name.as_str()),
            name: database.name,
            bytes: database.bytes,
        };
        self.choices = found.into_iter().map(choice).collect();
        let is_choice = |name: &str| self.choices.iter().any(|choice| choice.name == name);
        let named = named.iter().map(String::as_str);
        let others: Vec<_> = named
            .chain(ticked.iter().copied())
            .filter(|name| !is_choice(name))
            .collect();
        let others = others.join("\n");
        self.values.insert("databases", others);
        self
    }

    /// What a field holds.
    pub(super) fn value(&self, name: &str) -> &str {
        self.values.get(name).map_or("", String::as_str)
    }

    pub(super) fn is(&self, kind: &str) -> bool {
        self.kind.as_str() == kind
    }

    /// Faults of what has no field here.
    pub(super) fn elsewhere(&self, errors: &FieldErrors) -> Vec<String> {
        errors.elsewhere(&[&["/kind", "/name"], source_kinds::pointers(self.kind)].concat())
    }

    pub(super) fn jump_open(&self, errors: &FieldErrors) -> bool {
        !self.value("jump_host").is_empty()
            || errors.any_below("/config/jump")
            || errors.any_below("/config/over_ssh")
            || errors.any_below("/credentials/jump_")
            || errors.any_below("/credentials/ssh_")
    }

    /// Says that a credential is set, with what makes it recognisable.
    pub(super) fn kept(&self, field: &str) -> Safe<String> {
        let Some(set) = self.set.iter().find(|set| set.field == field) else {
            return Safe(String::new());
        };
        let when = set.set_at.format("%-d %b %Y");
        let fingerprint = set.fingerprint.as_deref().map_or(String::new(), |fingerprint| {
            let shown = escape(fingerprint, Html)
                .map(|text| text.to_string())
                .unwrap_or_default();
            format!(", <code>{shown}</code>")
        });
        Safe(format!(
            r#"<p class="hint">Set on {when}{fingerprint}. Leave it empty to keep it. <label class="forget"><input type="checkbox" name="forget" value="{field}"> Remove it</label></p>"#
        ))
    }
}
