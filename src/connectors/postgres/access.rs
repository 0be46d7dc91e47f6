//! A server as the client programs reach it: how they sign in, what they are asked, and what they say.

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;
use tokio_util::sync::CancellationToken;

use super::{
    capture, faults,
    opening::PostgresOpening,
    probe, server,
    tools::{Programs, Tools},
};
use crate::{
    connectors::{
        CaptureReport, CaptureSink, ProbeReport,
        database::{DatabaseSource, Login, Reach, Server, Way},
        open::ConnectorContext,
        program::{At, Program},
        ssh::session::SshSession,
    },
    domain::{error_code::ErrorCode, job::JobError, source::Databases},
};

/// Sockets are found by their directory and the port in their name.
const SOCKET: &str = ".s.PGSQL.5432";

/// Nothing of what follows may be taken for something that a user of the server has put into its way.
const PREAMBLE: &str = "SET search_path = pg_catalog; SET standard_conforming_strings = on;";

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
        let on_worker = Tools::find(At::Worker, cancel).await;
        let on_host = match &session {
            Some(session) => find_on_host(source, session, cancel).await,
            None => Ok(None),
        };
        let session = match on_host {
            Ok(None) => session,
            Ok(Some(tools)) => {
                let (reach, tools) = Reach::settle(source, session, Ok((Way::OnHost, tools))).await?;
                let access = Self::new(source, reach, tools);
                let worker = on_worker.as_ref().ok().and_then(Option::as_ref);
                if access.is_best(&source.config.databases, worker, cancel).await {
                    return Ok(access);
                }
                access.reach.into_session()
            }
            Err(error) => return Reach::settle(source, session, Err(error)).await.map(|(_, never)| never),
        };
        let prepared = forwarded_or_direct(source, ctx, session.as_ref(), on_worker).await;
        let (reach, tools) = Reach::settle(source, session, prepared).await?;
        Ok(Self::new(source, reach, tools))
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
    fn new(source: &DatabaseSource, reach: Reach, tools: Tools) -> Self {
        Self {
            reach,
            login: source.into(),
            tools,
        }
    }

    /// True if the programs here are to be used rather than the worker's: they are of the server's own version, or
    /// the worker has none that fit. A server that cannot be asked is asked again, the other way.
    async fn is_best(&self, wanted: &Databases, worker: Option<&Tools>, cancel: &CancellationToken) -> bool {
        let Ok(server) = server::look(self, wanted, cancel).await else {
            return worker.is_none();
        };
        let here = self.tools.fitting(server.major);
        let there = worker.and_then(|tools| tools.fitting(server.major));
        match (here, there) {
            (Some(here), Some(there)) => here.major <= there.major,
            (Some(_), None) => true,
            (None, there) => there.is_none(),
        }
    }

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
    pub(super) fn place(&self) -> &str {
        self.reach.place()
    }

    /// The login name, for messages and statements.
    pub(super) fn user(&self) -> &str {
        &self.login.user
    }

    /// How a backup reads it, as jobs and manifests name it.
    pub(super) fn transport(&self) -> String {
        self.reach.transport("postgres")
    }

    /// The programs that dump a server of this major version.
    ///
    /// # Errors
    /// `client_missing` if there are only older ones.
    pub(super) fn dumpers(&self, major: u32) -> Result<&Programs, JobError> {
        self.tools.fitting(major).ok_or_else(|| {
            JobError::new(
                ErrorCode::ClientMissing,
                format!(
                    "{} is PostgreSQL {major}, and {} has client programs of version {} only; older ones cannot dump it",
                    self.place(),
                    self.reach.at(),
                    self.tools.majors()
                ),
                format!("Install postgresql-client-{major} on the worker."),
            )
        })
    }

    /// Runs SQL statements in a database that answer nothing.
    ///
    /// # Errors
    /// By what the server or the connection says.
    pub async fn command(&self, database: &str, sql: &str, cancel: &CancellationToken) -> Result<(), JobError> {
        self.query::<serde::de::IgnoredAny>(database, sql, cancel)
            .await
            .map(drop)
    }

    /// Runs SQL statements in a database; each row of their answers is one JSON object.
    ///
    /// # Errors
    /// By what the server or the connection says.
    pub async fn query<T: DeserializeOwned>(
        &self,
        database: &str,
        sql: &str,
        cancel: &CancellationToken,
    ) -> Result<Vec<T>, JobError> {
        let psql = self.tools.newest().ok_or_else(Tools::missing)?.named("psql").args([
            "--no-psqlrc",
            "--no-password",
            "--quiet",
            "--tuples-only",
            "--no-align",
            "--set=ON_ERROR_STOP=1",
            "--set=VERBOSITY=verbose",
        ]);
        let sql = format!("{PREAMBLE}\n{sql}\n");
        let sort = |said: &str| self.sorted(said).unwrap_or_else(|| self.nonsense(&faults::words(said)));
        let psql = self.signed_in(psql, database);
        let answer = self.reach.ask(&psql, sql, sort, cancel).await?;
        let lines = answer.lines().filter(|line| !line.is_empty());
        let rows: Result<_, _> = lines.map(serde_json::from_str).collect();
        rows.map_err(|error| self.nonsense(&error.to_string()))
    }

    /// `program` with all that it needs to sign in to `database`.
    pub(super) fn signed_in(&self, program: Program, database: &str) -> Program {
        let program = program
            .env("PGUSER", &self.login.user)
            // As a variable it is a name whatever it holds; as an argument it may be taken for more than that.
            .env("PGDATABASE", database)
            .env("PGSSLMODE", "disable")
            .env("PGGSSENCMODE", "disable")
            .env("PGAPPNAME", "xvault")
            .env("PGCLIENTENCODING", "UTF8");
        match self.reach.socket().and_then(Path::parent) {
            Some(directory) => program
                .env("PGHOST", directory.display().to_string())
                .env("PGPORT", "5432")
                .secret_file_env("PGPASSFILE", self.password_file()),
            None => {
                let program = program
                    .env("PGHOST", &self.login.host)
                    .env("PGPORT", self.login.port.to_string());
                match &self.login.password {
                    Some(password) => program.secret_env("PGPASSWORD", password.clone()),
                    None => program,
                }
            }
        }
    }

    /// A file of passwords with one line, for every server.
    fn password_file(&self) -> SecretString {
        let Some(password) = &self.login.password else {
            return SecretString::default();
        };
        let escaped = password.expose_secret().replace('\\', r"\\").replace(':', r"\:");
        format!("*:*:*:*:{escaped}\n").into()
    }

    /// The error of the job, if a program's words name a known cause.
    pub(super) fn sorted(&self, said: &str) -> Option<JobError> {
        faults::sorted(self.place(), self.user(), said)
    }

    /// For answers that make no sense.
    pub(super) fn nonsense(&self, why: &str) -> JobError {
        JobError::new(
            ErrorCode::ProtocolError,
            format!("{} could not be asked: {}", self.place(), faults::printable(why)),
            "Check that a PostgreSQL server answers there, and go round a pooler such as pgbouncer.",
        )
    }
}

async fn find_on_host(
    source: &DatabaseSource,
    session: &SshSession,
    cancel: &CancellationToken,
) -> Result<Option<Tools>, JobError> {
    match Way::may_be_on_host(source, session).await? {
        true => Tools::find(At::Source(session), cancel).await,
        false => Ok(None),
    }
}

async fn forwarded_or_direct(
    source: &DatabaseSource,
    ctx: &ConnectorContext,
    session: Option<&SshSession>,
    on_worker: Result<Option<Tools>, JobError>,
) -> Result<(Way, Tools), JobError> {
    let tools = on_worker?.ok_or_else(Tools::missing)?;
    let opening = |place, tls| PostgresOpening {
        place,
        user: source.config.user.clone(),
        tls,
    };
    let way = Way::relay(source, ctx, session, SOCKET, opening).await?;
    Ok((way, tools))
}
