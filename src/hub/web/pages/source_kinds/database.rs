//! Kinds `mysql` and `postgres`: databases.

use super::{Fact, Family, Read, login, port, trimmed, unless};
use crate::{
    domain::{
        field_error::FieldError,
        source::{DatabaseConfig, DatabaseTls, Databases, JumpConfig, Machine, SourceConfig, SourceKind},
    },
    hub::web::pages::form::Form,
};

pub(super) const MYSQL: Family = family(&blank("3306"), |_: SourceKind, form: &Form| {
    read(form).map(SourceConfig::Mysql)
});

pub(super) const POSTGRES: Family = family(&blank("5432"), |_: SourceKind, form: &Form| {
    read(form).map(SourceConfig::Postgres)
});

const fn blank(port: &'static str) -> [(&'static str, &'static str); 10] {
    [
        ("host", ""),
        ("port", port),
        ("user", ""),
        ("tls", ""),
        ("ca", ""),
        ("databases_all", "yes"),
        ("databases", ""),
        ("jump_host", ""),
        ("jump_port", "22"),
        ("jump_user", ""),
    ]
}

const fn family(blank: &'static [(&'static str, &'static str)], read: Read) -> Family {
    Family {
        blank,
        pointers: POINTERS,
        optional: &["tls", "ca", "over_ssh"],
        read,
    }
}

const POINTERS: &[&str] = &[
    "/config/host",
    "/config/port",
    "/config/user",
    "/config/databases",
    "/config/tls",
    "/config/ca",
    "/config/over_ssh/host",
    "/config/over_ssh/port",
    "/config/over_ssh/user",
    "/credentials",
    "/credentials/password",
    "/credentials/ssh_private_key",
    "/credentials/ssh_passphrase",
    "/credentials/ssh_password",
];

fn read(form: &Form) -> Result<DatabaseConfig, Vec<FieldError>> {
    let mut faults = Vec::new();
    let tls = [DatabaseTls::Verify, DatabaseTls::Required, DatabaseTls::None];
    let tls = tls.into_iter().find(|tls| tls.as_str() == form.text("tls"));
    if tls.is_none() && !form.text("tls").is_empty() {
        faults.push(FieldError::new("/config/tls", "must be verify, required or none"));
    }
    let over = trimmed(form, "jump_host");
    let config = DatabaseConfig {
        host: trimmed(form, "host"),
        port: port(form, "port", "/config/port", &mut faults),
        user: trimmed(form, "user"),
        databases: match form.text("databases_all") {
            "no" => Databases::Named(names(form)),
            _ => Databases::All,
        },
        tls,
        ca: Some(trimmed(form, "ca")).filter(|ca| !ca.is_empty()),
        over_ssh: (!over.is_empty()).then(|| JumpConfig {
            host: over,
            port: port(form, "jump_port", "/config/over_ssh/port", &mut faults),
            user: trimmed(form, "jump_user"),
        }),
    };
    unless(faults, config, DatabaseConfig::validate)
}

/// The databases that are ticked, and those that are typed.
fn names(form: &Form) -> Vec<String> {
    let mut names: Vec<String> = form.all("database").map(str::to_owned).collect();
    let typed = form.lines("databases").into_iter().filter(|name| !names.contains(name));
    let typed: Vec<_> = typed.collect();
    names.extend(typed);
    names
}

pub(super) fn fields(config: &DatabaseConfig) -> Vec<(&'static str, String)> {
    let (all, databases) = match &config.databases {
        Databases::All => ("yes", String::new()),
        Databases::Named(names) => ("no", names.join("\n")),
    };
    let mut fields = vec![
        ("host", config.host.clone()),
        ("port", config.port.to_string()),
        ("user", config.user.clone()),
        ("tls", config.tls.map_or("", DatabaseTls::as_str).to_owned()),
        ("ca", config.ca.clone().unwrap_or_default()),
        ("databases_all", all.to_owned()),
        ("databases", databases),
    ];
    match &config.over_ssh {
        None => fields.push(("jump_port", "22".to_owned())),
        Some(over) => fields.extend([
            ("jump_host", over.host.clone()),
            ("jump_port", over.port.to_string()),
            ("jump_user", over.user.clone()),
        ]),
    }
    fields
}

pub(super) fn facts(config: &DatabaseConfig) -> Vec<Fact> {
    let databases = match &config.databases {
        Databases::All => vec!["all that the login can see".to_owned()],
        Databases::Named(names) => names.clone(),
    };
    let encryption = match (config.tls(), config.over_ssh.is_some(), config.ca.is_some()) {
        (DatabaseTls::None, true, _) => "SSH",
        (DatabaseTls::None, false, _) => "none: everything travels readable",
        (_, _, true) => "TLS, with an authority of its own",
        (_, _, false) => "TLS",
    };
    let over = config.over_ssh.iter().map(|over| {
        let machine = Machine {
            host: &over.host,
            port: over.port,
        };
        login(&over.user, machine, 22)
    });
    let all = [
        ("Databases", databases),
        ("Encryption", vec![encryption.to_owned()]),
        ("Over SSH", over.collect()),
    ];
    all.map(|(name, values)| Fact { name, values }).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn databases_are_those_ticked_and_those_typed() {
        let form = b"host=h&port=3306&user=u&databases_all=no&database=a&database=b&databases=c%0D%0Aa%0D%0A";
        let config = read(&Form::parse(form)).unwrap();
        assert_eq!(
            config.databases,
            Databases::Named(vec!["a".into(), "b".into(), "c".into()])
        );
        let all = read(&Form::parse(b"host=h&port=3306&user=u&databases_all=yes&database=a")).unwrap();
        assert_eq!(all.databases, Databases::All);
    }

    #[test]
    fn every_fault_is_told_at_once() {
        let faults = read(&Form::parse(b"host=-x&port=x&user=&tls=maybe&jump_host=-y&jump_port=0")).unwrap_err();
        let at = |pointer: &str| faults.iter().filter(|fault| fault.pointer == pointer).count();
        for field in ["host", "port", "user", "tls", "over_ssh/host", "over_ssh/port"] {
            assert_eq!(at(&format!("/config/{field}")), 1, "{field}: {faults:?}");
        }
    }
}
