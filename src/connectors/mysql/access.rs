//! The way to a server: directly or over SSH, with the programs on the worker or on the SSH host.

use std::{sync::Arc, time::Duration};

use secrecy::{ExposeSecret, SecretString};
use tokio_util::sync::CancellationToken;

use super::{
    MysqlSource, faults,
    opening::MysqlOpening,
    server::Flavour,
    tools::{self, Tool, Tools},
};
use crate::{
    connectors::{
        local::said::last_words,
        open::ConnectorContext,
        program::{At, Limits, Program, Stdin},
        relay::{Relay, Route},
        ssh::session::{FarEnd, SshSession},
        tls::{Presented, TlsClient},
    },
    domain::{
        error_code::ErrorCode,
        job::JobError,
        source::{CredentialField, DatabaseTls},
    },
};

/// What one question to the server may take: a list of very many tables.
const LIMITS: Limits = Limits {
    bytes: 32 * 1024 * 1024,
    time: Duration::from_secs(300),
};

/// An open way to a server.
pub(super) struct Access {
    place: String,
    user: String,
    password: Option<SecretString>,
    session: Option<SshSession>,
    way: Way,
    tools: Tools,
    tls: Option<TlsClient>,
}

/// Who connects to the server.
enum Way {
    /// This worker, for its own programs.
    Relay(Relay),
    /// The programs of the SSH host, by themselves.
    OnHost { host: String, port: u16 },
}

impl Access {
    /// Prepares the way; the server itself is not asked anything yet. `session` is the SSH host's, if the source
    /// is reached over one.
    ///
    /// # Errors
    /// `client_missing`, `tls_failed`, and those of a lost SSH connection. The session is closed then.
    pub(super) async fn open(
        source: &MysqlSource,
        ctx: &ConnectorContext,
        session: Option<SshSession>,
        cancel: &CancellationToken,
    ) -> Result<Self, JobError> {
        match prepare(source, ctx, session.as_ref(), cancel).await {
            Ok((way, tools, tls)) => Ok(Self {
                place: place_of(source, session.as_ref()),
                user: source.config.user.clone(),
                password: source.credentials.get(CredentialField::Password).cloned(),
                session,
                way,
                tools,
                tls,
            }),
            Err(error) => {
                if let Some(session) = session {
                    session.close().await;
                }
                Err(error)
            }
        }
    }

    /// The server, for messages.
    pub(super) fn place(&self) -> &str {
        &self.place
    }

    /// The login name, for messages.
    pub(super) fn user(&self) -> &str {
        &self.user
    }

    /// How a backup reads it, as jobs and manifests name it.
    pub(super) fn transport(&self) -> &'static str {
        match (&self.way, &self.session) {
            (Way::OnHost { .. }, _) => "mysql-on-host",
            (Way::Relay(_), Some(_)) => "mysql-forwarded",
            (Way::Relay(_), None) => "mysql",
        }
    }

    /// The certificate the server presented, if it came to that.
    pub(super) fn presented(&self) -> Option<Presented> {
        self.tls.as_ref()?.presented()
    }

    /// The program that dumps servers of this flavour.
    pub(super) fn dumper(&self, flavour: Flavour) -> &Tool {
        self.tools.dumper(flavour)
    }

    /// Where programs run.
    pub(super) fn at(&self) -> At<'_> {
        match (&self.way, &self.session) {
            (Way::OnHost { .. }, Some(session)) => At::Source(session),
            _ => At::Worker,
        }
    }

    /// What broke a connection, if the worker made it: see [`Relay::take_failure`].
    pub(super) fn take_failure(&self) -> Option<JobError> {
        match &self.way {
            Way::Relay(relay) => relay.take_failure(),
            Way::OnHost { .. } => None,
        }
    }

    /// A dump of `database`, to be started.
    pub(super) fn dump(&self, flavour: Flavour, database: &str, ignored: &[String]) -> Program {
        let dumper = self.tools.dumper(flavour);
        self.signed_in(&dumper.name)
            .args(tools::dump_args(dumper, database, ignored))
    }

    /// Runs SQL statements; gives the rows of all their answers.
    ///
    /// # Errors
    /// By what the server or the connection says.
    pub(super) async fn query(&self, sql: &str, cancel: &CancellationToken) -> Result<Vec<Vec<String>>, JobError> {
        let client = self.signed_in(&self.tools.client().name).args([
            "--batch",
            "--skip-column-names",
            "--default-character-set=utf8mb4",
            // A server may ask for files of the machine that the client runs on.
            "--local-infile=0",
        ]);
        // In this mode, quotes and backslashes mean what `quoted` makes of them.
        let sql = format!("SET SESSION sql_mode = '';\n{sql}\n");
        // What went wrong before has been told by then.
        self.take_failure();
        let ran = client.run(self.at(), Stdin::Text(sql), LIMITS, cancel).await?;
        if ran.exit.success() {
            let text = String::from_utf8_lossy(&ran.stdout);
            return Ok(text.lines().map(fields).collect());
        }
        if let Some(failure) = self.take_failure() {
            return Err(failure);
        }
        Err(faults::sorted(self, &ran.said).unwrap_or_else(|| {
            JobError::new(
                ErrorCode::ProtocolError,
                format!("{} could not be asked{}", self.place, last_words(&ran.said)),
                "Try the same login with the mysql client.",
            )
        }))
    }

    /// A program that signs in: its options for that must be the first.
    fn signed_in(&self, name: &str) -> Program {
        let user = format!("--user={}", self.user);
        match &self.way {
            Way::Relay(relay) => Program::new(name)
                .secret_file_arg("--defaults-file=", self.defaults())
                .args([user, format!("--socket={}", relay.socket().display())]),
            Way::OnHost { host, port } => {
                let program = Program::new(name).args([
                    "--no-defaults".to_owned(),
                    user,
                    format!("--host={host}"),
                    format!("--port={port}"),
                ]);
                match &self.password {
                    Some(password) => program.secret_env("MYSQL_PWD", password.clone()),
                    None => program,
                }
            }
        }
    }

    /// An option file that holds the password.
    fn defaults(&self) -> SecretString {
        match &self.password {
            None => "[client]\n".into(),
            Some(password) => {
                let escaped = password.expose_secret().replace('\\', r"\\").replace('"', "\\\"");
                format!("[client]\npassword=\"{escaped}\"\n").into()
            }
        }
    }

    /// Ends every connection; returns when they are gone.
    pub(super) async fn close(self) {
        drop(self.way);
        if let Some(session) = self.session {
            session.close().await;
        }
    }
}

async fn prepare(
    source: &MysqlSource,
    ctx: &ConnectorContext,
    session: Option<&SshSession>,
    cancel: &CancellationToken,
) -> Result<(Way, Tools, Option<TlsClient>), JobError> {
    let config = &source.config;
    let encrypted = config.tls() != DatabaseTls::None;
    // Only the worker can check a certificate against an approved one, so only plain connections are left to others.
    if let (Some(session), false) = (session, encrypted)
        && session.has_shell().await?
        && let Some(tools) = Tools::find(At::Source(session), cancel).await?
    {
        let (host, port) = (config.host.clone(), config.port);
        return Ok((Way::OnHost { host, port }, tools, None));
    }
    let tools = Tools::find(At::Worker, cancel).await?.ok_or_else(Tools::missing)?;
    let tls = match encrypted {
        false => None,
        true => {
            let pin = source.identity.target.as_deref();
            Some(TlsClient::new(&config.host, config.port, config.ca.as_deref(), pin)?)
        }
    };
    let route = match session {
        Some(session) => {
            let to = FarEnd::Tcp(config.host.clone(), config.port);
            Route::Forwarded(session.forward(to).await?)
        }
        None => Route::Direct {
            host: config.host.clone(),
            port: config.port,
            egress: Arc::clone(&ctx.egress),
        },
    };
    let opening = MysqlOpening {
        place: route.to_string(),
        tls: tls.clone(),
    };
    let relay = Relay::start(ctx, "mysqld.sock", route, Arc::new(opening))?;
    Ok((Way::Relay(relay), tools, tls))
}

fn place_of(source: &MysqlSource, session: Option<&SshSession>) -> String {
    let server = FarEnd::Tcp(source.config.host.clone(), source.config.port);
    match session {
        Some(session) => format!("{server} (through {})", session.place()),
        None => server.to_string(),
    }
}

/// A text as a literal, in the mode that [`Access::query`] sets.
pub(super) fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\\', r"\\").replace('\'', "''"))
}

/// The fields of a line, with the client's escapes undone.
fn fields(line: &str) -> Vec<String> {
    line.split('\t').map(unescaped).collect()
}

fn unescaped(field: &str) -> String {
    let mut text = String::with_capacity(field.len());
    let mut chars = field.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some('n') => text.push('\n'),
                Some('t') => text.push('\t'),
                Some('0') => text.push('\0'),
                Some(other) => text.push(other),
                None => text.push('\\'),
            },
            other => text.push(other),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_what_they_were() {
        assert_eq!(fields("a\\tb\tc\\\\n\\nd\t"), ["a\tb", "c\\n\nd", ""]);
        assert_eq!(quoted(r"it's \ x"), r"'it''s \\ x'");
    }
}
