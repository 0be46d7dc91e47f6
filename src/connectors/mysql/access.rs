//! A server as the client programs reach it: how they sign in, what they are asked, and what they say.

use std::path::PathBuf;

use async_trait::async_trait;
use secrecy::{ExposeSecret, SecretString};
use tokio_util::sync::CancellationToken;

use super::{
    capture, faults,
    opening::MysqlOpening,
    probe,
    server::Flavour,
    tools::{self, Extent, Tool, Tools},
};
use crate::{
    connectors::{
        CaptureReport, CaptureSink, ProbeReport,
        database::{DatabaseSource, Login, Reach, Server, Way},
        local::said::last_words,
        open::ConnectorContext,
        program::{At, Program},
        ssh::session::SshSession,
    },
    domain::{error_code::ErrorCode, job::JobError, source::Databases},
};

/// An open way to a server, and the programs for it.
pub struct Access {
    reach: Reach,
    login: Login,
    tools: Tools,
}

#[async_trait]
impl Server for Access {
    async fn open(
        source: &DatabaseSource,
        ctx: &ConnectorContext,
        session: Option<SshSession>,
        cancel: &CancellationToken,
    ) -> Result<Self, JobError> {
        let prepared = prepare(source, ctx, session.as_ref(), cancel).await;
        let (reach, tools) = Reach::settle(source, session, prepared).await?;
        Ok(Self {
            reach,
            login: source.into(),
            tools,
        })
    }

    async fn look(
        &self,
        wanted: &Databases,
        report: &mut ProbeReport,
        cancel: &CancellationToken,
    ) -> Result<(), JobError> {
        probe::look(self, wanted, report, cancel).await
    }

    async fn capture(
        &self,
        wanted: &Databases,
        sink: &CaptureSink,
        cancel: &CancellationToken,
    ) -> Result<CaptureReport, JobError> {
        capture::capture(self, wanted, sink, cancel).await
    }

    fn reach(&self) -> &Reach {
        &self.reach
    }

    fn into_reach(self) -> Reach {
        self.reach
    }
}

impl Access {
    /// The way to a server on this worker that asks `user` for no password.
    ///
    /// # Errors
    /// `client_missing` if there are no programs for it.
    pub async fn on_worker(socket: PathBuf, user: &str, cancel: &CancellationToken) -> Result<Self, JobError> {
        let tools = Tools::find(At::Worker, cancel).await?.ok_or_else(Tools::missing)?;
        Ok(Self {
            reach: Reach::on_worker(socket),
            login: Login::on_worker(user),
            tools,
        })
    }

    /// The server, for messages.
    pub(in crate::connectors) fn place(&self) -> &str {
        self.reach.place()
    }

    /// The login name, for messages.
    pub(in crate::connectors) fn user(&self) -> &str {
        &self.login.user
    }

    /// How a backup reads it, as jobs and manifests name it.
    pub(in crate::connectors) fn transport(&self) -> String {
        self.reach.transport("mysql")
    }

    /// The program that dumps servers of this flavour.
    pub(super) fn dumper(&self, flavour: Flavour) -> &Tool {
        self.tools.dumper(flavour)
    }

    /// A dump of `database`, to be started.
    pub(super) fn dump(&self, flavour: Flavour, database: &str, extent: &Extent) -> Program {
        let dumper = self.tools.dumper(flavour);
        self.signed_in(&dumper.name)
            .args(tools::dump_args(dumper, database, extent))
    }

    /// The program that runs SQL, signed in.
    pub(super) fn client(&self) -> Program {
        self.signed_in(&self.tools.client().name)
    }

    /// Runs SQL statements; gives the rows of all their answers.
    ///
    /// # Errors
    /// By what the server or the connection says.
    pub async fn query(&self, sql: &str, cancel: &CancellationToken) -> Result<Vec<Vec<String>>, JobError> {
        let client = self.client().args([
            "--batch",
            "--skip-column-names",
            "--default-character-set=utf8mb4",
            // A server may ask for files of the machine that the client runs on.
            "--local-infile=0",
        ]);
        // In this mode, quotes and backslashes mean what `quoted` makes of them.
        let sql = format!("SET SESSION sql_mode = '';\n{sql}\n");
        let sort = |said: &str| faults::sorted(self, said).unwrap_or_else(|| self.unasked(said));
        let answer = self.reach.ask(&client, sql, sort, cancel).await?;
        Ok(answer.lines().map(fields).collect())
    }

    fn unasked(&self, said: &str) -> JobError {
        JobError::new(
            ErrorCode::ProtocolError,
            format!("{} could not be asked{}", self.place(), last_words(said)),
            "Try the same login with the mysql client.",
        )
    }

    /// A program that signs in: its options for that must be the first.
    fn signed_in(&self, name: &str) -> Program {
        let user = format!("--user={}", self.login.user);
        if let Some(socket) = self.reach.socket() {
            return Program::new(name)
                .secret_file_arg("--defaults-file=", self.defaults())
                .args([user, format!("--socket={}", socket.display())]);
        }
        let program = Program::new(name).args(["--no-defaults".to_owned(), user]);
        let program = match self.login.host.starts_with('/') {
            true => program.args(["--protocol=socket".to_owned(), format!("--socket={}", self.login.host)]),
            false => program.args([
                format!("--host={}", self.login.host),
                format!("--port={}", self.login.port),
            ]),
        };
        match &self.login.password {
            Some(password) => program.secret_env("MYSQL_PWD", password.clone()),
            None => program,
        }
    }

    /// An option file that holds the password.
    fn defaults(&self) -> SecretString {
        match &self.login.password {
            None => "[client]\n".into(),
            Some(password) => {
                let escaped = password.expose_secret().replace('\\', r"\\").replace('"', "\\\"");
                format!("[client]\npassword=\"{escaped}\"\n").into()
            }
        }
    }
}

async fn prepare(
    source: &DatabaseSource,
    ctx: &ConnectorContext,
    session: Option<&SshSession>,
    cancel: &CancellationToken,
) -> Result<(Way, Tools), JobError> {
    if let Some(session) = session
        && Way::may_be_on_host(source, session).await?
        && let Some(tools) = Tools::find(At::Source(session), cancel).await?
    {
        return Ok((Way::OnHost, tools));
    }
    let tools = Tools::find(At::Worker, cancel).await?.ok_or_else(Tools::missing)?;
    let opening = |place, tls| MysqlOpening { place, tls };
    let way = Way::relay(source, ctx, session, "mysqld.sock", opening).await?;
    Ok((way, tools))
}

/// A text as a literal, in the mode that [`Access::query`] sets.
pub fn quoted(text: &str) -> String {
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
