//! What is asked of a server: who it is, which databases it has, what is in them.

use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use super::access::Access;
use crate::domain::{error_code::ErrorCode, job::JobError, source::Databases};

/// The oldest major version that is backed up: older ones get no fixes any more, and nothing here was tried there.
const OLDEST: u32 = 13;

/// Databases that a login may connect to in order to ask about all others, on any server.
const ENTRIES: [&str; 2] = ["postgres", "template1"];

/// A server, as the login sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Server {
    pub(super) major: u32,
    /// For example `15.14 (Debian 15.14-0+deb12u1)`.
    pub(super) version: String,
    /// True if the login may read the hashes of passwords.
    pub(super) reads_passwords: bool,
    /// The database in which questions about the whole server are asked.
    pub(super) entry: String,
}

/// A database of a server.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Database {
    pub(super) name: String,
    pub(super) encoding: String,
    pub(super) collation: String,
    /// True if the login may connect to it.
    pub(super) open: bool,
    /// On disk; 0 if the login may not connect.
    pub(super) bytes: u64,
}

/// A table or something like it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Relation {
    pub(super) schema: String,
    pub(super) name: String,
    /// `table`, `partitioned table`, `sequence`, `view`, `materialized view` or `foreign table`.
    pub(super) kind: String,
    /// False if a dump needs to read it and the login may not.
    #[serde(skip_serializing)]
    pub(super) readable: bool,
    /// True if the login would see some of its rows only.
    #[serde(skip_serializing)]
    pub(super) filtered: bool,
}

/// An extension that must be installed where the dump is restored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Extension {
    pub(super) name: String,
    /// Where its functions and types are.
    pub(super) schema: String,
    pub(super) version: String,
}

/// What is in a database.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Content {
    pub(super) relations: Vec<Relation>,
    pub(super) extensions: Vec<Extension>,
    pub(super) counts: Counts,
}

/// How many there are of the rest.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Counts {
    pub(super) functions: u64,
    pub(super) triggers: u64,
    pub(super) large_objects: u64,
    /// Those the login may not read.
    #[serde(skip_serializing)]
    pub(super) large_objects_closed: u64,
}

#[derive(Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
enum Row {
    Relation(Relation),
    Extension(Extension),
    Counts(Counts),
}

#[derive(Deserialize)]
struct Who {
    version: String,
    number: u32,
    reads_passwords: bool,
}

const WHO: &str = "SELECT json_build_object('version', current_setting('server_version'), \
    'number', current_setting('server_version_num')::int, \
    'reads_passwords', has_table_privilege('pg_catalog.pg_authid', 'SELECT'));";

/// Invalid ones are what is left of a DROP DATABASE that was broken off.
const DATABASES: &str = "SELECT json_build_object('name', datname, 'encoding', pg_encoding_to_char(encoding), \
    'collation', datcollate, 'open', open, 'bytes', CASE WHEN open THEN pg_database_size(oid) ELSE 0 END) \
    FROM (SELECT *, has_database_privilege(oid, 'CONNECT') AS open FROM pg_database) AS d \
    WHERE datallowconn AND NOT datistemplate AND datconnlimit <> -2 ORDER BY datname;";

/// What belongs to an extension is not dumped, except tables of its settings. What has no data of its own (views,
/// foreign tables) need not be read. Large objects have no function that tells rights before version 18.
const CONTENT: &str = "\
SELECT json_build_object('is', 'relation', 'schema', n.nspname, 'name', c.relname, 'kind', \
  CASE c.relkind WHEN 'r' THEN 'table' WHEN 'p' THEN 'partitioned table' WHEN 'S' THEN 'sequence' WHEN 'v' THEN 'view' \
  WHEN 'm' THEN 'materialized view' ELSE 'foreign table' END, \
  'readable', c.relkind NOT IN ('r', 'p', 'S') OR has_schema_privilege(n.oid, 'USAGE') AND \
  CASE c.relkind WHEN 'S' THEN has_sequence_privilege(c.oid, 'SELECT') ELSE has_table_privilege(c.oid, 'SELECT') END, \
  'filtered', c.relkind IN ('r', 'p') AND row_security_active(c.oid)) \
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
WHERE c.relkind IN ('r', 'p', 'S', 'v', 'm', 'f') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' \
  AND (NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e') \
    OR EXISTS (SELECT FROM pg_extension e WHERE c.oid = ANY (e.extconfig))) \
ORDER BY n.nspname, c.relname;\n\
SELECT json_build_object('is', 'extension', 'name', extname, 'schema', nspname, 'version', extversion) \
FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE extname <> 'plpgsql' ORDER BY extname;\n\
SELECT json_build_object('is', 'counts', \
  'functions', (SELECT count(*) FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace \
    WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND NOT EXISTS \
    (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')), \
  'triggers', (SELECT count(*) FROM pg_trigger WHERE NOT tgisinternal), \
  'large_objects', (SELECT count(*) FROM pg_largeobject_metadata), \
  'large_objects_closed', (SELECT count(*) FROM pg_largeobject_metadata m \
    WHERE NOT current_setting('lo_compat_privileges')::bool \
    AND NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) \
    AND NOT pg_has_role(m.lomowner, 'USAGE') \
    AND NOT EXISTS (SELECT FROM aclexplode(m.lomacl) a WHERE a.privilege_type = 'SELECT' \
      AND (a.grantee = 0 OR pg_has_role(a.grantee, 'USAGE')))));";

/// Asks who the server is and what the login may do. The first database that lets the login in is asked.
///
/// # Errors
/// `server_unsupported`, and those of [`Access::query`].
pub(super) async fn look(access: &Access, wanted: &Databases, cancel: &CancellationToken) -> Result<Server, JobError> {
    let named = match wanted {
        Databases::All => None,
        Databases::Named(names) => names.first().map(String::as_str),
    };
    let [first, last] = ENTRIES;
    let mut failed = None;
    for entry in [Some(first), named, Some(last)].into_iter().flatten() {
        match access.query::<Who>(entry, WHO, cancel).await {
            Ok(rows) => return read(access, rows, entry),
            Err(error) if is_of_one_database(&error) => failed = failed.or(Some(error)),
            Err(error) => return Err(error),
        }
    }
    Err(failed.unwrap_or_else(|| access.nonsense("it has no database")))
}

/// True if another database may answer.
fn is_of_one_database(error: &JobError) -> bool {
    matches!(error.code, ErrorCode::DatabaseNotFound | ErrorCode::MissingPrivilege)
        || (error.code == ErrorCode::AuthFailed && error.message.contains("pg_hba.conf"))
}

fn read(access: &Access, rows: Vec<Who>, entry: &str) -> Result<Server, JobError> {
    let who = rows
        .into_iter()
        .next()
        .ok_or_else(|| access.nonsense("it says nothing"))?;
    let major = who.number / 10_000;
    if major < OLDEST {
        return Err(JobError::new(
            ErrorCode::ServerUnsupported,
            format!(
                "{} is PostgreSQL {}; only {OLDEST} and later are backed up",
                access.place(),
                super::faults::printable(&who.version)
            ),
            "Upgrade the server: its version gets no more fixes either.",
        ));
    }
    Ok(Server {
        major,
        version: super::faults::printable(&who.version),
        reads_passwords: who.reads_passwords,
        entry: entry.to_owned(),
    })
}

/// The databases of the server without templates, by name.
pub(super) async fn databases(
    access: &Access,
    server: &Server,
    cancel: &CancellationToken,
) -> Result<Vec<Database>, JobError> {
    access.query(&server.entry, DATABASES, cancel).await
}

/// What is in a database.
pub(super) async fn content(access: &Access, database: &str, cancel: &CancellationToken) -> Result<Content, JobError> {
    let mut content = Content::default();
    for row in access.query(database, CONTENT, cancel).await? {
        match row {
            Row::Relation(relation) => content.relations.push(relation),
            Row::Extension(extension) => content.extensions.push(extension),
            Row::Counts(counts) => content.counts = counts,
        }
    }
    Ok(content)
}
