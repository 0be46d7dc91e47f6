//! What is asked of a server: who it is, which databases it has, what is in them.

use tokio_util::sync::CancellationToken;

use super::{
    access::{Access, quoted},
    grants::Grants,
};
use crate::domain::{error_code::ErrorCode, job::JobError};

/// The server's own, which are not dumped.
const OWN: &str = "'information_schema', 'performance_schema', 'mysql', 'sys', 'ndbinfo'";

/// Engines whose tables `--single-transaction` dumps as of one moment.
const TRANSACTIONAL: &[&str] = &["InnoDB", "ROCKSDB", "TokuDB", "NDBCLUSTER"];

/// Whose server, or program, it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flavour {
    /// MariaDB.
    Mariadb,
    /// MySQL, or something that calls itself neither.
    Mysql,
}

impl Flavour {
    /// By a version, as servers and programs give it.
    pub(super) fn of(version: &str) -> Self {
        match version.to_ascii_lowercase().contains("mariadb") {
            true => Self::Mariadb,
            false => Self::Mysql,
        }
    }

    /// Its name.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Mariadb => "MariaDB",
            Self::Mysql => "MySQL",
        }
    }
}

/// A server, as the login sees it.
#[derive(Debug, Clone)]
pub(super) struct Server {
    pub(super) flavour: Flavour,
    /// For example `10.11.19-MariaDB-0+deb12u1`.
    pub(super) version: String,
    /// The account that the login was matched with: `dump@%`.
    pub(super) account: String,
    pub(super) grants: Grants,
}

/// A database of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Database {
    pub(super) name: String,
    pub(super) character_set: String,
    pub(super) collation: String,
    /// Data and indexes, as far as the server knows.
    pub(super) bytes: u64,
    pub(super) tables: u64,
}

/// A table or view.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub(super) struct Table {
    pub(super) name: String,
    /// `BASE TABLE`, `VIEW`, `SEQUENCE`, `SYSTEM VERSIONED`, …
    #[serde(rename = "type")]
    pub(super) kind: String,
    /// Empty for a view.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) engine: String,
    /// Why the server cannot use this view.
    #[serde(skip)]
    pub(super) broken: Option<String>,
}

impl Table {
    /// True if it is dumped as of the moment that the dump began.
    pub(super) fn is_consistent(&self) -> bool {
        self.engine.is_empty() || TRANSACTIONAL.contains(&self.engine.as_str())
    }
}

/// What a database has beside tables.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Content {
    pub(super) tables: Vec<Table>,
    pub(super) routines: u64,
    pub(super) events: u64,
    pub(super) triggers: u64,
    /// `table.column` of type FLOAT.
    pub(super) floats: Vec<String>,
    /// Name and definition of the views that cannot be dumped.
    pub(super) broken_views: Vec<(String, String)>,
}

/// Asks who the server is and what the login may do.
pub(super) async fn look(access: &Access, cancel: &CancellationToken) -> Result<Server, JobError> {
    let rows = access.query("SELECT VERSION(), CURRENT_USER();", cancel).await?;
    let [version, account] = rows.concat().try_into().map_err(|_| nonsense(access))?;
    let flavour = Flavour::of(&version);
    let using = match flavour {
        // Shows what active roles grant as well.
        Flavour::Mariadb => String::new(),
        Flavour::Mysql => {
            let role = access.query("SELECT CURRENT_ROLE();", cancel).await?.concat();
            match role.first().map(String::as_str) {
                None | Some("NONE" | "") => String::new(),
                // Quoted by the server, and parsed by it again.
                Some(roles) => format!(" FOR CURRENT_USER() USING {roles}"),
            }
        }
    };
    let lines = access.query(&format!("SHOW GRANTS{using};"), cancel).await?.concat();
    Ok(Server {
        flavour,
        grants: Grants::read(&lines),
        version,
        account,
    })
}

/// The databases the login can see, without the server's own, by name.
pub(super) async fn databases(access: &Access, cancel: &CancellationToken) -> Result<Vec<Database>, JobError> {
    let sql = format!(
        "SELECT s.SCHEMA_NAME, s.DEFAULT_CHARACTER_SET_NAME, s.DEFAULT_COLLATION_NAME, \
         COALESCE(SUM(t.DATA_LENGTH + t.INDEX_LENGTH), 0), COUNT(t.TABLE_NAME) \
         FROM information_schema.SCHEMATA s LEFT JOIN information_schema.TABLES t ON t.TABLE_SCHEMA = s.SCHEMA_NAME \
         WHERE s.SCHEMA_NAME NOT IN ({OWN}) GROUP BY 1, 2, 3 ORDER BY 1;"
    );
    let rows = access.query(&sql, cancel).await?;
    let read = |row: Vec<String>| {
        let [name, character_set, collation, bytes, tables] = row.try_into().ok()?;
        Some(Database {
            name,
            character_set,
            collation,
            bytes: bytes.parse().unwrap_or(0),
            tables: tables.parse().unwrap_or(0),
        })
    };
    let found: Option<Vec<_>> = rows.into_iter().map(read).collect();
    found.ok_or_else(|| nonsense(access))
}

/// What is in a database.
pub(super) async fn content(access: &Access, database: &str, cancel: &CancellationToken) -> Result<Content, JobError> {
    let name = quoted(database);
    // Each row begins with what it is about. TABLE_ROWS is asked for because without it, or something like it,
    // MariaDB does not look into views, and says nothing of those that are broken.
    let sql = format!(
        "SELECT 'table', TABLE_NAME, TABLE_TYPE, COALESCE(ENGINE, ''), COALESCE(TABLE_COMMENT, ''), TABLE_ROWS \
         FROM information_schema.TABLES WHERE TABLE_SCHEMA = {name} ORDER BY 2;\n\
         SELECT 'float', CONCAT(TABLE_NAME, '.', COLUMN_NAME) FROM information_schema.COLUMNS \
         WHERE TABLE_SCHEMA = {name} AND DATA_TYPE = 'float' ORDER BY 2;\n\
         SELECT 'routines', COUNT(*) FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = {name};\n\
         SELECT 'events', COUNT(*) FROM information_schema.EVENTS WHERE EVENT_SCHEMA = {name};\n\
         SELECT 'triggers', COUNT(*) FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = {name};"
    );
    let mut content = Content::default();
    for row in access.query(&sql, cancel).await? {
        let mut fields = row.into_iter();
        let mut next = || fields.next().ok_or_else(|| nonsense(access));
        match next()?.as_str() {
            "table" => {
                let (name, kind, engine, comment) = (next()?, next()?, next()?, next()?);
                // The server's complaint stands in the comment of a view, which otherwise is just that word.
                let broken = (kind == "VIEW" && comment != "VIEW").then_some(comment);
                content.tables.push(Table {
                    name,
                    kind,
                    engine,
                    broken,
                });
            }
            "float" => content.floats.push(next()?),
            "routines" => content.routines = next()?.parse().unwrap_or(0),
            "events" => content.events = next()?.parse().unwrap_or(0),
            "triggers" => content.triggers = next()?.parse().unwrap_or(0),
            _ => return Err(nonsense(access)),
        }
    }
    for table in content.tables.iter().filter(|table| table.broken.is_some()) {
        let sql = format!(
            "SELECT VIEW_DEFINITION FROM information_schema.VIEWS WHERE TABLE_SCHEMA = {name} AND TABLE_NAME = {};",
            quoted(&table.name)
        );
        let definition = access.query(&sql, cancel).await?.concat().concat();
        content.broken_views.push((table.name.clone(), definition));
    }
    Ok(content)
}

fn nonsense(access: &Access) -> JobError {
    JobError::new(
        ErrorCode::ProtocolError,
        format!("{} answers a plain question with something else", access.place()),
        "Check that a MySQL or MariaDB server answers there, without a proxy that rewrites queries.",
    )
}
