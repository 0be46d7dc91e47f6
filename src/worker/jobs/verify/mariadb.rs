//! Dumps of MySQL and MariaDB, loaded and counted.

use super::{
    super::opened::Opened,
    compare::{self, Loaded},
    proof::{Course, LOAD_TIME, together},
    recorded::{Kind, Recorded},
};
use crate::{
    connectors::{
        mysql::{Access, identifier, quoted},
        throwaway::{MariadbThrowaway, NewMariadb},
    },
    domain::{dump_rows::TableRows, error_code::ErrorCode, job::JobError, restore_proof::ProvenDatabase},
};

/// Tables that are counted with one question.
const AT_ONCE: usize = 100;

/// Loads all of them into one server, and compares each.
pub(super) async fn prove(
    course: &Course<'_>,
    snapshot: &Opened,
    recorded: &[Recorded],
) -> Result<Vec<ProvenDatabase>, JobError> {
    let mut databases = Vec::new();
    for dump in recorded {
        databases.extend(wanted(dump)?);
    }
    course
        .phase("preparing", "Making a MariaDB to load the dumps into")
        .await;
    let ground = course.ground(recorded);
    let server = MariadbThrowaway::start(&ground, &databases, &course.attempt.cancel).await?;
    let (access, version, room) = (server.access(), server.version(), server.room());
    let proving = async {
        let mut proven = Vec::new();
        for dump in recorded {
            proven.push(one(course, (access, version), snapshot, dump).await?);
        }
        Ok(proven)
    };
    let proven = room.suffices(proving).await;
    server.end().await;
    proven
}

/// The database a dump goes to; `None` for those of another kind.
fn wanted(dump: &Recorded) -> Result<Option<NewMariadb<'_>>, JobError> {
    match &dump.record.of {
        Kind::Postgres { .. } => Ok(None),
        Kind::Mysql { server, .. } if server.flavour != "MariaDB" => Err(JobError::new(
            ErrorCode::ServerMissing,
            format!(
                "{} was dumped by {} {}, whose dumps a MariaDB does not load; workers have no server of MySQL",
                dump.name, server.flavour, server.version
            ),
            "Restore it to a server of its own to be sure of it.",
        )),
        Kind::Mysql {
            character_set,
            collation,
            ..
        } => Ok(Some(NewMariadb {
            name: &dump.name,
            character_set,
            collation,
        })),
    }
}

async fn one(
    course: &Course<'_>,
    (access, version): (&Access, &str),
    snapshot: &Opened,
    dump: &Recorded,
) -> Result<ProvenDatabase, JobError> {
    let cancel = &course.attempt.cancel;
    course.loading(dump).await;
    let (feed, reading) = snapshot.stream(&dump.path, course.attempt);
    together(access.load(&dump.name, feed, LOAD_TIME, cancel), reading).await?;
    course.counting(dump).await;
    let dumped = dump.tables()?;
    let loaded = count(course, access, &dump.name, &dumped).await?;
    compare::same(&dump.name, &dumped, &loaded)?;
    Ok(ProvenDatabase {
        name: dump.name.clone(),
        server: version.to_owned(),
        tables: dumped.len() as u64,
        rows: dumped.iter().map(|table| table.rows).sum(),
        large_objects: 0,
        left_out: Vec::new(),
    })
}

/// The rows of those tables that are there.
async fn count(
    course: &Course<'_>,
    access: &Access,
    database: &str,
    dumped: &[TableRows],
) -> Result<Vec<Loaded>, JobError> {
    let cancel = &course.attempt.cancel;
    let sql = format!(
        "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = {} AND TABLE_TYPE <> 'VIEW';",
        quoted(database)
    );
    let there = access.query(&sql, cancel).await?.concat();
    let there: std::collections::BTreeSet<_> = there.into_iter().collect();
    let there: Vec<_> = dumped.iter().filter(|table| there.contains(&table.name)).collect();
    let mut loaded = Vec::new();
    for tables in there.chunks(AT_ONCE) {
        let question = |table: &&TableRows| {
            let (database, name) = (identifier(database), identifier(&table.name));
            format!("SELECT COUNT(*) FROM {database}.{name};\n")
        };
        let sql: String = tables.iter().map(question).collect();
        let counts = access.query(&sql, cancel).await?.concat();
        for (table, rows) in tables.iter().zip(&counts) {
            let rows = rows.parse().map_err(|_| course.nonsense(&table.name))?;
            let table = TableRows {
                rows,
                ..(*table).clone()
            };
            loaded.push(Loaded {
                table,
                of_extension: false,
            });
        }
    }
    Ok(loaded)
}
