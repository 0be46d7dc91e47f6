//! Archives of PostgreSQL, loaded and counted.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{
    super::opened::Opened,
    compare::{self, Loaded},
    proof::{Course, LOAD_TIME, together},
    recorded::{Kind, Recorded},
};
use crate::{
    connectors::{
        postgres::{Access, Loading, identifier, major},
        throwaway::{NewPostgres, PostgresThrowaway},
    },
    domain::{dump_rows::TableRows, error_code::ErrorCode, job::JobError, restore_proof::ProvenDatabase},
};

/// Tables that are counted with one question.
const AT_ONCE: usize = 100;

/// Where extensions are unless the record says so.
const PUBLIC: &str = "public";

/// Loads all of them into one server, and compares each.
pub(super) async fn prove(
    course: &Course<'_>,
    snapshot: &Opened,
    recorded: &[Recorded],
) -> Result<Vec<ProvenDatabase>, JobError> {
    let databases: Vec<_> = recorded.iter().filter_map(wanted).collect();
    let mut newest = 0;
    for dump in recorded {
        newest = newest.max(made_by(dump)?);
    }
    course
        .phase("preparing", "Making a PostgreSQL to load the dumps into")
        .await;
    let roles = snapshot.roles(course.attempt).await?;
    let (ground, cancel) = (course.ground(recorded), &course.attempt.cancel);
    let server = PostgresThrowaway::start(&ground, newest, &databases, &roles, cancel).await?;
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

/// The database an archive goes to; `None` for those of another kind.
fn wanted(dump: &Recorded) -> Option<NewPostgres> {
    let Kind::Postgres { encoding, extensions } = &dump.record.of else {
        return None;
    };
    let schema = |name: &Option<String>| name.clone().unwrap_or_else(|| PUBLIC.to_owned());
    Some(NewPostgres {
        name: dump.name.clone(),
        encoding: encoding.clone(),
        extensions: extensions
            .iter()
            .map(|extension| (extension.name.clone(), schema(&extension.schema)))
            .collect(),
    })
}

/// Major version of the `pg_dump` that made it.
fn made_by(dump: &Recorded) -> Result<u32, JobError> {
    major(&dump.record.dumped_with).ok_or_else(|| {
        JobError::new(
            ErrorCode::NothingToProve,
            format!("the snapshot does not say which version dumped {}", dump.name),
            "No backup makes such a snapshot; it is not what it says.",
        )
    })
}

async fn one(
    course: &Course<'_>,
    (access, version): (&Access, &str),
    snapshot: &Opened,
    dump: &Recorded,
) -> Result<ProvenDatabase, JobError> {
    let cancel = &course.attempt.cancel;
    let loading = Loading {
        major: made_by(dump)?,
        owners: false,
        as_far_as_rights_go: true,
        time: LOAD_TIME,
    };
    course.loading(dump).await;
    let (feed, reading) = snapshot.stream(&dump.path, course.attempt);
    let mut left_out = together(access.load(&dump.name, feed, loading, cancel), reading).await?;
    left_out.truncate(ProvenDatabase::MAX_LEFT_OUT);
    course.counting(dump).await;
    let dumped = dump.tables()?;
    let loaded = count(course, access, &dump.name, &dumped).await?;
    compare::same(&dump.name, &dumped, &loaded)?;
    let (wanted, found) = (dump.large_objects(), large_objects(course, access, &dump.name).await?);
    let differ = (wanted != found).then(|| format!("it has {found} large objects, and {wanted} were dumped"));
    compare::different(&dump.name, differ.as_slice())?;
    Ok(ProvenDatabase {
        name: dump.name.clone(),
        server: version.to_owned(),
        tables: dumped.len() as u64,
        rows: dumped.iter().map(|table| table.rows).sum(),
        large_objects: found,
        left_out,
    })
}

#[derive(Deserialize)]
struct There {
    schema: String,
    name: String,
    of_extension: bool,
}

#[derive(Deserialize)]
struct Count {
    count: u64,
}

/// Asked as the one whom everything belongs to: what was loaded may be a view in a table's place, with anything behind it.
const TABLES: &str = "SELECT json_build_object('schema', nspname, 'name', relname, 'of_extension', EXISTS (SELECT FROM \
    pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')) \
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE relkind = 'r' AND nspname !~ '^pg_' \
    AND nspname <> 'information_schema';";

/// The rows of those tables that are there.
async fn count(
    course: &Course<'_>,
    access: &Access,
    database: &str,
    dumped: &[TableRows],
) -> Result<Vec<Loaded>, JobError> {
    let cancel = &course.attempt.cancel;
    let there: Vec<There> = access.query(database, TABLES, cancel).await?;
    let there: BTreeMap<_, _> = there
        .into_iter()
        .map(|table| ((table.schema, table.name), table.of_extension))
        .collect();
    let key = |table: &TableRows| (table.schema.clone().unwrap_or_default(), table.name.clone());
    let there: Vec<_> = dumped
        .iter()
        .filter_map(|table| Some((table, *there.get(&key(table))?)))
        .collect();
    let mut loaded = Vec::new();
    for tables in there.chunks(AT_ONCE) {
        let question = |(table, _): &(&TableRows, bool)| {
            let (schema, name) = key(table);
            let (schema, name) = (identifier(&schema), identifier(&name));
            format!("SELECT json_build_object('count', count(*)) FROM ONLY {schema}.{name};\n")
        };
        let sql: String = tables.iter().map(question).collect();
        let counts: Vec<Count> = access.query(database, &sql, cancel).await?;
        for ((table, of_extension), Count { count }) in tables.iter().zip(counts) {
            let table = TableRows {
                rows: count,
                ..(*table).clone()
            };
            loaded.push(Loaded {
                table,
                of_extension: *of_extension,
            });
        }
    }
    Ok(loaded)
}

async fn large_objects(course: &Course<'_>, access: &Access, database: &str) -> Result<u64, JobError> {
    let sql = "SELECT json_build_object('count', count(*)) FROM pg_largeobject_metadata;";
    let counts: Vec<Count> = access.query(database, sql, &course.attempt.cancel).await?;
    let count = counts.first().ok_or_else(|| course.nonsense("its large objects"))?;
    Ok(count.count)
}
