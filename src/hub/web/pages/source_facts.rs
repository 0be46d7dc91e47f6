//! The settings of a source as a list of facts, whatever its kind.

use crate::domain::source::{Machine, SourceConfig};

/// One setting.
pub struct Fact {
    /// What it is.
    pub name: &'static str,
    /// What it is set to; several of a list.
    pub values: Vec<String>,
}

/// Where a source is, as `user@host` and the port if it is not the usual one.
pub fn address(config: &SourceConfig) -> String {
    let (SourceConfig::Ssh(ssh) | SourceConfig::Sftp(ssh)) = config;
    login(&ssh.user, config.target())
}

/// What it captures and how it gets there.
pub fn facts(config: &SourceConfig) -> Vec<Fact> {
    let (SourceConfig::Ssh(ssh) | SourceConfig::Sftp(ssh)) = config;
    let jump = ssh.jump.iter().zip(config.jump());
    let all = [
        ("Paths", ssh.paths.clone()),
        ("Left out", ssh.exclude.clone()),
        (
            "Jump host",
            jump.map(|(jump, machine)| login(&jump.user, machine)).collect(),
        ),
    ];
    let set = all.into_iter().filter(|(_, values)| !values.is_empty());
    set.map(|(name, values)| Fact { name, values }).collect()
}

fn login(user: &str, Machine { host, port }: Machine<'_>) -> String {
    match port {
        22 => format!("{user}@{host}"),
        _ if host.contains(':') => format!("{user}@[{host}]:{port}"),
        _ => format!("{user}@{host}:{port}"),
    }
}
