//! Sources that are database servers, reached directly or over SSH.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::{
    CredentialField, Credentials, JumpConfig, SshConfig,
    checks::{check_ca, check_host, check_port, check_user},
};
use crate::domain::field_error::FieldError;

/// Most databases that one source may name.
const MAX_DATABASES: usize = 500;
/// Longest name of a database, in characters: MySQL's limit; PostgreSQL's is 63 bytes.
const MAX_NAME: usize = 64;
/// Longest login name, in bytes.
const MAX_USER: usize = 128;

/// Where a database server is and what to dump of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DatabaseConfig {
    /// Host name or address, IPv6 without brackets. With `over_ssh`: as that host sees it.
    pub host: String,
    /// TCP port; absent or 0: the usual one of the kind.
    #[serde(default)]
    pub port: u16,
    /// Login name in the database.
    pub user: String,
    /// Names, or `"all"` that the login can see.
    #[serde(default)]
    #[schema(value_type = Object)]
    pub databases: Databases,
    /// Default: `verify`; for a database on the `over_ssh` host itself (`localhost`, `127.0.0.1`, `::1`) `none`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<DatabaseTls>,
    /// The only authorities (PEM) that may issue the server's certificate; the system's if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca: Option<String>,
    /// A host with a shell or forwarding, from which the database is reached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub over_ssh: Option<JumpConfig>,
}

/// Whether the connection to a database is encrypted. There is no mode that encrypts without knowing to whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DatabaseTls {
    /// With a certificate that an authority issued for this host, or that was approved.
    Verify,
    /// The same; for servers whose certificate is expected to need an approval.
    Required,
    /// Not. Password proofs and data are readable on the way.
    None,
}

impl DatabaseTls {
    /// The stable text form.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Verify => "verify",
            Self::Required => "required",
            Self::None => "none",
        }
    }
}

/// Which databases of a server are meant.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Databases {
    /// All that the login can see, but the server's own.
    #[default]
    All,
    /// These.
    Named(Vec<String>),
}

impl Serialize for Databases {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::All => to.serialize_str("all"),
            Self::Named(names) => names.serialize(to),
        }
    }
}

impl<'de> Deserialize<'de> for Databases {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Databases;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("\"all\" or a list of names")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Databases, E> {
                match text {
                    "all" => Ok(Databases::All),
                    other => Err(E::invalid_value(de::Unexpected::Str(other), &self)),
                }
            }
            fn visit_seq<A: de::SeqAccess<'de>>(self, mut list: A) -> Result<Databases, A::Error> {
                let mut names = Vec::new();
                while let Some(name) = list.next_element()? {
                    names.push(name);
                }
                Ok(Databases::Named(names))
            }
        }
        from.deserialize_any(Visitor)
    }
}

impl DatabaseConfig {
    /// The same with a port, if it had none.
    pub(super) fn with_usual_port(self, usual: u16) -> Self {
        let port = if self.port == 0 { usual } else { self.port };
        Self { port, ..self }
    }

    /// Whether the connection is encrypted, whether that was chosen or follows from the rest.
    pub fn tls(&self) -> DatabaseTls {
        let own = matches!(self.host.as_str(), "localhost" | "127.0.0.1" | "::1");
        match self.tls {
            Some(chosen) => chosen,
            None if self.over_ssh.is_some() && own => DatabaseTls::None,
            None => DatabaseTls::Verify,
        }
    }

    /// The host it is reached over, as a machine to log in to, with its credentials under their usual names.
    pub fn ssh(&self, credentials: &Credentials) -> Option<(SshConfig, Credentials)> {
        let over = self.over_ssh.as_ref()?;
        let config = SshConfig {
            host: over.host.clone(),
            port: over.port,
            user: over.user.clone(),
            paths: Vec::new(),
            exclude: Vec::new(),
            jump: None,
        };
        let mut login = Credentials::default();
        for (ours, usual) in [
            (CredentialField::SshPrivateKey, CredentialField::PrivateKey),
            (CredentialField::SshPassphrase, CredentialField::Passphrase),
            (CredentialField::SshPassword, CredentialField::Password),
        ] {
            if let Some(secret) = credentials.get(ours) {
                login.set(usual, secret.clone());
            }
        }
        Some((config, login))
    }

    /// Every fault of the configuration; empty if it is acceptable. Pointers are relative to the request's root.
    pub fn validate(&self) -> Vec<FieldError> {
        let mut errors = Vec::new();
        check_host("/config/host", &self.host, &mut errors);
        check_port("/config/port", self.port, &mut errors);
        if self.user.is_empty() || self.user.len() > MAX_USER || self.user.chars().any(char::is_control) {
            errors.push(FieldError::new(
                "/config/user",
                "must be a login name of at most 128 bytes",
            ));
        }
        if let Databases::Named(names) = &self.databases {
            check_names(names, &mut errors);
        }
        if let Some(ca) = &self.ca {
            check_ca("/config/ca", ca, &mut errors);
        }
        if let Some(over) = &self.over_ssh {
            check_host("/config/over_ssh/host", &over.host, &mut errors);
            check_port("/config/over_ssh/port", over.port, &mut errors);
            check_user("/config/over_ssh/user", &over.user, &mut errors);
        }
        errors
    }

    /// Faults in the combination of credentials. A database may ask for no password; SSH always wants proof.
    pub fn validate_logins(&self, credentials: &Credentials) -> Vec<FieldError> {
        use CredentialField::{SshPassphrase, SshPassword, SshPrivateKey};
        let set = |field| credentials.get(field).is_some();
        let mut errors = Vec::new();
        if self.over_ssh.is_some() && !set(SshPrivateKey) && !set(SshPassword) {
            errors.push(FieldError::new(
                "/credentials",
                "the SSH host needs an ssh_private_key or an ssh_password",
            ));
        }
        if set(SshPassphrase) && !set(SshPrivateKey) {
            errors.push(FieldError::new(
                "/credentials/ssh_passphrase",
                "is given without an ssh_private_key",
            ));
        }
        errors
    }
}

fn check_names(names: &[String], errors: &mut Vec<FieldError>) {
    let pointer = "/config/databases";
    if names.is_empty() {
        errors.push(FieldError::new(pointer, "name at least one database, or say \"all\""));
    }
    if names.len() > MAX_DATABASES {
        errors.push(FieldError::new(pointer, format!("at most {MAX_DATABASES} entries")));
    }
    for (i, name) in names.iter().enumerate() {
        let fault = if name.is_empty() {
            "is empty"
        } else if name.chars().count() > MAX_NAME || name.chars().any(char::is_control) {
            "is no name of a database"
        } else if names[..i].contains(name) {
            "is named twice"
        } else {
            continue;
        };
        errors.push(FieldError::new(format!("{pointer}/{i}"), fault));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: serde_json::Value) -> Result<DatabaseConfig, serde_json::Error> {
        serde_json::from_value::<DatabaseConfig>(json).map(|config| config.with_usual_port(3306))
    }

    #[test]
    fn absent_fields_are_the_safe_ones() {
        let direct = read(serde_json::json!({"host": "db1", "user": "dump"})).unwrap();
        assert_eq!(direct.databases, Databases::All);
        assert_eq!((direct.port, direct.tls()), (3306, DatabaseTls::Verify));
        let over = serde_json::json!({"host": "web1", "user": "deploy"});
        let beside = read(serde_json::json!({"host": "localhost", "user": "dump", "over_ssh": over})).unwrap();
        assert_eq!(beside.tls(), DatabaseTls::None);
        let behind = read(serde_json::json!({"host": "db2", "user": "dump", "over_ssh": over})).unwrap();
        assert_eq!(behind.tls(), DatabaseTls::Verify);
    }

    #[test]
    fn databases_are_all_or_a_list() {
        let named = read(serde_json::json!({"host": "h", "user": "u", "databases": ["a", "b c"]})).unwrap();
        assert_eq!(
            serde_json::to_value(&named).unwrap()["databases"],
            serde_json::json!(["a", "b c"])
        );
        assert!(read(serde_json::json!({"host": "h", "user": "u", "databases": "some"})).is_err());
        for names in [
            serde_json::json!([]),
            serde_json::json!(["a", "a"]),
            serde_json::json!(["a\n"]),
        ] {
            let config = read(serde_json::json!({"host": "h", "user": "u", "databases": names})).unwrap();
            assert!(!config.validate().is_empty(), "{config:?}");
        }
    }
}
