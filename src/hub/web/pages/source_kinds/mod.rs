//! What the pages know of each kind of source: the fields of its form, there and back, and its settings as
//! facts. A file per family of kinds. Knows no requests, no database and no templates.

use serde_json::{Map, Value};

use super::{error::PageError, form::Form};
use crate::domain::{
    field_error::FieldError,
    source::{Machine, SourceConfig, SourceKind},
};

mod database;
mod ftp;
mod jump;
mod ssh;
mod wordpress;

/// One setting, for reading.
pub struct Fact {
    /// What it is.
    pub name: &'static str,
    /// What it is set to; several of a list.
    pub values: Vec<String>,
}

/// What a family of kinds has to say for itself.
struct Family {
    /// Its fields, except secrets, and what they hold before anything is typed.
    blank: &'static [(&'static str, &'static str)],
    /// Fields whose faults are shown beside them.
    pointers: &'static [&'static str],
    /// Parts of the configuration that may be absent: saved without them, they are removed.
    optional: &'static [&'static str],
    /// Its configuration out of a form, or every fault of it at once.
    read: Read,
}

/// Reads the configuration of a kind out of a form.
type Read = fn(SourceKind, &Form) -> Result<SourceConfig, Vec<FieldError>>;

fn family(kind: SourceKind) -> &'static Family {
    match kind {
        SourceKind::Ssh | SourceKind::Sftp => &ssh::FAMILY,
        SourceKind::Ftp => &ftp::FAMILY,
        SourceKind::Mysql => &database::MYSQL,
        SourceKind::Postgres => &database::POSTGRES,
        SourceKind::Wordpress => &wordpress::FAMILY,
    }
}

/// What people call a kind.
pub fn name(kind: SourceKind) -> &'static str {
    match kind {
        SourceKind::Ssh => "SSH",
        SourceKind::Sftp => "SFTP",
        SourceKind::Ftp => "FTP",
        SourceKind::Mysql => "MySQL or MariaDB",
        SourceKind::Postgres => "PostgreSQL",
        SourceKind::Wordpress => "WordPress",
    }
}

/// What the machine is to a kind that its server is reached through.
pub fn between(kind: SourceKind) -> &'static str {
    match kind {
        SourceKind::Mysql | SourceKind::Postgres => "SSH host",
        SourceKind::Ssh | SourceKind::Sftp | SourceKind::Ftp | SourceKind::Wordpress => "jump host",
    }
}

/// What the fields of a new source hold.
pub fn blank(kind: SourceKind) -> &'static [(&'static str, &'static str)] {
    family(kind).blank
}

/// JSON pointers of the fields that show their own faults.
pub fn pointers(kind: SourceKind) -> &'static [&'static str] {
    family(kind).pointers
}

/// The configuration that a form says, or every fault of it.
pub fn read(kind: SourceKind, form: &Form) -> Result<SourceConfig, Vec<FieldError>> {
    (family(kind).read)(kind, form)
}

/// What the fields of a source's form hold.
pub fn fields(config: &SourceConfig) -> Vec<(&'static str, String)> {
    match config {
        SourceConfig::Ssh(config) | SourceConfig::Sftp(config) => ssh::fields(config),
        SourceConfig::Ftp(config) => ftp::fields(config),
        SourceConfig::Mysql(config) | SourceConfig::Postgres(config) => database::fields(config),
        SourceConfig::Wordpress(config) => wordpress::fields(config),
    }
}

/// What a source captures and how it gets there.
pub fn facts(config: &SourceConfig) -> Vec<Fact> {
    let all = match config {
        SourceConfig::Ssh(config) | SourceConfig::Sftp(config) => ssh::facts(config),
        SourceConfig::Ftp(config) => ftp::facts(config),
        SourceConfig::Mysql(config) | SourceConfig::Postgres(config) => database::facts(config),
        SourceConfig::Wordpress(config) => wordpress::facts(config),
    };
    all.into_iter().filter(|fact| !fact.values.is_empty()).collect()
}

/// Where a source is, as `user@host` and the port if it is not the usual one.
pub fn address(config: &SourceConfig) -> String {
    let (user, usual) = match config {
        SourceConfig::Ssh(config) | SourceConfig::Sftp(config) => (&config.user, 22),
        SourceConfig::Ftp(config) => (&config.user, 21),
        SourceConfig::Mysql(config) => (&config.user, 3306),
        SourceConfig::Postgres(config) => (&config.user, 5432),
        SourceConfig::Wordpress(config) => (&config.user, 22),
    };
    login(user, config.target(), usual)
}

/// The whole configuration as a patch: what it lacks is removed.
pub fn as_patch(config: &SourceConfig) -> Result<Map<String, Value>, PageError> {
    let mut fields = match serde_json::to_value(config).map_err(PageError::internal)? {
        Value::Object(fields) => fields,
        other => return Err(PageError::internal(format!("a configuration is {other}"))),
    };
    for name in family(config.kind()).optional {
        fields.entry(*name).or_insert(Value::Null);
    }
    Ok(fields)
}

/// What openssl calls the protocol in which a source of this kind begins TLS.
pub fn starttls(kind: SourceKind) -> &'static str {
    kind.as_str()
}

fn login(user: &str, Machine { host, port }: Machine<'_>, usual: u16) -> String {
    match port {
        port if port == usual => format!("{user}@{host}"),
        _ if host.contains(':') => format!("{user}@[{host}]:{port}"),
        _ => format!("{user}@{host}:{port}"),
    }
}

fn trimmed(form: &Form, name: &str) -> String {
    form.text(name).trim().to_owned()
}

/// A number out of a field, or a fault that is noted.
fn number<N: std::str::FromStr + Default>(
    form: &Form,
    name: &str,
    pointer: &str,
    range: &str,
    faults: &mut Vec<FieldError>,
) -> N {
    form.text(name).trim().parse().unwrap_or_else(|_| {
        faults.push(FieldError::new(pointer, format!("must be a number between {range}")));
        N::default()
    })
}

fn port(form: &Form, name: &str, pointer: &str, faults: &mut Vec<FieldError>) -> u16 {
    number(form, name, pointer, "1 and 65535", faults)
}

/// The configuration, unless there are faults: then these and those that it finds of itself, so that nobody
/// mends a form field by field. A field is told its first fault only.
fn unless<C>(
    mut faults: Vec<FieldError>,
    config: C,
    validate: fn(&C) -> Vec<FieldError>,
) -> Result<C, Vec<FieldError>> {
    if faults.is_empty() {
        return Ok(config);
    }
    let more = validate(&config);
    let new = |fault: &FieldError| !faults.iter().any(|told| told.pointer == fault.pointer);
    let more: Vec<_> = more.into_iter().filter(new).collect();
    faults.extend(more);
    Err(faults)
}
