//! The site's database: the way to it, what is in it, and its dump.

use chrono::{DateTime, Utc};
use tokio_util::sync::CancellationToken;

use super::{
    address::Address,
    connector::{JobClock, WordpressSource},
    faults,
    remote::Remote,
    settings::Settings,
    tables::{self, Division, Options},
};
use crate::{
    connectors::{
        CaptureSink,
        database::{DatabaseSource, Server, listed},
        dump_name::dump_path,
        mysql::{Access, Owned},
        open::ConnectorContext,
        program::Limits,
        ssh::session::SshSession,
    },
    domain::{
        entry::ProblemKind,
        job::JobError,
        site::SiteFacts,
        source::{CredentialField, Credentials, PinnedIdentity},
    },
};

/// PHP's own default socket if it has one that is there, then those of the usual places that are.
const SOCKETS: &str = r#"s=; command -v php >/dev/null 2>&1 && s=$(php -r 'echo ini_get("mysqli.default_socket");' 2>/dev/null </dev/null)
[ -n "$s" ] && [ -S "$s" ] && printf '%s' "$s"; printf '\000'
for p in /run/mysqld/mysqld.sock /var/run/mysqld/mysqld.sock /var/lib/mysql/mysql.sock /tmp/mysql.sock /var/mysql/mysql.sock \
  /run/mysql/mysql.sock /var/run/mysql/mysql.sock /opt/lampp/var/mysql/mysql.sock /opt/bitnami/mariadb/tmp/mysql.sock; do
  [ -S "$p" ] && { readlink -f "$p" 2>/dev/null || printf '%s\n' "$p"; printf '\000'; }; done"#;

/// An open way to a site's database, and what is there.
pub(super) struct SiteDatabase {
    access: Access,
    pub(super) owned: Owned,
    pub(super) division: Division,
    pub(super) options: Options,
}

/// Where the server of the configuration's database is, for programs of the site's host: host and port.
pub(super) async fn target(remote: &Remote<'_>, settings: &Settings) -> Result<(String, u16), JobError> {
    match &settings.address {
        Address::Tcp(host, port) => Ok((host.clone(), *port)),
        Address::Socket(Some(path)) => Ok((path.clone(), 0)),
        Address::Socket(None) => {
            let answer = remote.script(SOCKETS, &[], Limits::default()).await?;
            let text = String::from_utf8_lossy(&answer).into_owned();
            let mut found = text.split('\0').map(str::trim_end);
            if let Some(own) = found.next().filter(|own| own.starts_with('/')) {
                return Ok((own.to_owned(), 0));
            }
            let mut found: Vec<_> = found.filter(|path| path.starts_with('/')).map(str::to_owned).collect();
            found.sort();
            found.dedup();
            match found.as_slice() {
                [one] => Ok((one.clone(), 0)),
                found => Err(faults::no_socket(remote.session(), found)),
            }
        }
    }
}

impl SiteDatabase {
    /// Opens the way and looks at what is there.
    ///
    /// # Errors
    /// Those of the database, in the words for a site; the session is closed then.
    pub(super) async fn open(
        source: &WordpressSource,
        settings: &Settings,
        (host, port): (String, u16),
        ctx: &ConnectorContext,
        session: SshSession,
        cancel: &CancellationToken,
    ) -> Result<Self, JobError> {
        let gate = session.place().to_owned();
        let of_database = |error| faults::of_database(error, &gate, &settings.user);
        let mut credentials = Credentials::default();
        credentials.set(CredentialField::Password, settings.password.clone());
        let database = DatabaseSource {
            config: settings.database_config(host, port),
            credentials,
            identity: PinnedIdentity {
                target: None,
                jump: source.identity.target.clone(),
            },
        };
        let access = Access::open(&database, ctx, Some(session), cancel).await;
        let access = access.map_err(of_database)?;
        match look(&access, settings, cancel).await {
            Ok((owned, division, options)) => Ok(Self {
                access,
                owned,
                division,
                options,
            }),
            Err(error) => {
                access.into_reach().close().await;
                Err(of_database(error))
            }
        }
    }

    /// What is known of the site by now.
    pub(super) fn facts(&self, settings: &Settings, wordpress: Option<String>) -> SiteFacts {
        let Self {
            owned,
            division,
            options,
            ..
        } = self;
        let others = division.others.iter().take(SiteFacts::MAX_OTHERS).cloned();
        SiteFacts {
            wordpress,
            home: options.home.clone(),
            siteurl: options.siteurl.clone(),
            multisite: settings.multisite,
            sites: options.sites,
            table_prefix: settings.prefix.clone(),
            database: owned.name().to_owned(),
            database_host: settings.host.clone(),
            database_server: owned.server(),
            tables: division.ours.len() as u64,
            other_tables: others.collect(),
            config_file: settings.located.config.clone(),
            document_root: settings.located.root.clone(),
            directories: Vec::new(),
            database_transport: self.access.transport(),
            asked_php: settings.asked_php,
        }
    }

    /// Dumps what belongs to the site; gives the moment that the dump is of.
    ///
    /// # Errors
    /// The reason why there is no dump.
    pub(super) async fn dump(
        &self,
        settings: &Settings,
        clock: JobClock,
        sink: &CaptureSink,
        cancel: &CancellationToken,
    ) -> Result<DateTime<Utc>, JobError> {
        let Self {
            access,
            owned,
            division,
            ..
        } = self;
        let only = match division.others.as_slice() {
            [] => None,
            others => {
                let path = dump_path(owned.name(), "sql")?;
                let text = format!(
                    "the database holds more than this site, so only what begins with {} is dumped, without procedures, \
                     functions and events; left out: {}",
                    settings.prefix,
                    listed(others)
                );
                sink.problem(ProblemKind::Note, path.as_bytes(), text).await?;
                Some(division.ours.as_slice())
            }
        };
        let as_of = clock.now();
        let dumped = owned.dump(access, only, sink, cancel).await;
        dumped.map_err(|error| faults::of_database(error, access.place(), access.user()))?;
        Ok(as_of)
    }

    /// The session that the database was reached over.
    pub(super) fn into_session(self) -> Option<SshSession> {
        self.access.into_reach().into_session()
    }
}

async fn look(
    access: &Access,
    settings: &Settings,
    cancel: &CancellationToken,
) -> Result<(Owned, Division, Options), JobError> {
    let owned = Owned::look(access, &settings.database, cancel).await?;
    let division = Division::of(owned.tables(), &settings.prefix, &settings.shared_tables);
    let wanted = format!("{}options", settings.prefix);
    let Some(table) = division.find(&wanted) else {
        return Err(faults::no_tables(access.place(), owned.name(), &wanted));
    };
    let options = tables::options(access, &owned, &division, settings, table, cancel).await?;
    Ok((owned, division, options))
}
