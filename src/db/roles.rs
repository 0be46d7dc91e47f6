//! What workers may do in the database: a group role with exactly the rights they need, and optionally a
//! login role in that group. Roles belong to the whole cluster, rights to this database.

use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use sqlx::{AssertSqlSafe, PgConnection, PgPool};

use super::DbError;
use crate::crypto::scram;

/// The group: everything a worker may do hangs on it.
pub const WORKER: &str = "xvault_worker";

/// The role workers sign in as, where xVault makes it.
pub const WORKER_LOGIN: &str = "xvault_worker_login";

/// Tries before a conflict with other processes that set up roles counts as an error.
const TRIES: u32 = 20;

/// Rights of a worker. Tables that are not named here stay closed: users, sessions, keys, credentials, tokens.
const GRANTS: &[&str] = &[
    "revoke all on all tables in schema public from xvault_worker",
    "grant usage on schema public, apalis to xvault_worker",
    "grant select, update on jobs to xvault_worker",
    "grant select, insert on job_events to xvault_worker",
    "grant select on limits, tenant_limits, blocked_hosts, full_tenants, due_jobs to xvault_worker",
    "grant select, insert, update on turns, busy_hosts to xvault_worker",
    "grant select, insert, update, delete on snapshots, exports to xvault_worker",
    "grant select on workers, schema_compatibility, _sqlx_migrations to xvault_worker",
    // Not what the operator decides: draining and retiring.
    "grant insert (id, hostname, version, url, internal_url, concurrency, running, storage_total_bytes, \
         storage_free_bytes, paused_reason, draining), \
     update (hostname, version, url, internal_url, concurrency, running, storage_total_bytes, storage_free_bytes, \
         paused_reason, draining, last_seen_at, stopped_at, storage_id, reconciled_at, orphans, orphans_removed, \
         unclaimed) on workers to xvault_worker",
    "grant select, insert, update, delete on all tables in schema apalis to xvault_worker",
    "grant usage on all sequences in schema apalis to xvault_worker",
    "grant execute on all functions in schema apalis to xvault_worker",
];

/// Makes the roles if they are missing and sets the rights. Runs after the migrations and the queue's
/// setup, as the schema's owner with the right to create roles. Any number of processes may do so at
/// once, in any databases of the cluster.
pub async fn apply(pool: &PgPool, login_password: Option<&SecretString>) -> Result<(), DbError> {
    let verifier = login_password.map(verifier).transpose()?;
    let mut tries = 0;
    loop {
        tries += 1;
        match set_up(pool, verifier.as_deref()).await {
            Err(error) if tries < TRIES && is_race(&error) => {
                tokio::time::sleep(Duration::from_millis(u64::from(10 * tries))).await;
            }
            Err(error) if is_forbidden(&error) => {
                return Err(DbError::Role(format!(
                    "{error}; let the role of XVAULT_DATABASE_URL create roles (alter role … createrole), or create \
                     {WORKER} once as a superuser (create role {WORKER} nologin)"
                )));
            }
            other => return other,
        }
    }
}

async fn set_up(pool: &PgPool, verifier: Option<&str>) -> Result<(), DbError> {
    let mut tx = pool.begin().await?;
    // Orders the processes that work on this database; those on others meet us at the roles only.
    sqlx::query("select pg_advisory_xact_lock(hashtext('xvault roles'))")
        .execute(&mut *tx)
        .await?;
    if !exists(&mut tx, WORKER).await? {
        execute(&mut tx, format!("create role {WORKER} nologin")).await?;
    }
    for grant in GRANTS {
        execute(&mut tx, (*grant).to_owned()).await?;
    }
    if let Some(verifier) = verifier {
        if !exists(&mut tx, WORKER_LOGIN).await? {
            execute(&mut tx, format!("create role {WORKER_LOGIN} login")).await?;
        }
        // A verifier is base64 with `$` and `:`; nothing in it ends a literal.
        execute(
            &mut tx,
            format!("alter role {WORKER_LOGIN} login password '{verifier}'"),
        )
        .await?;
        let member: bool = sqlx::query_scalar("select pg_has_role($1, $2, 'member')")
            .bind(WORKER_LOGIN)
            .bind(WORKER)
            .fetch_one(&mut *tx)
            .await?;
        if !member {
            execute(&mut tx, format!("grant {WORKER} to {WORKER_LOGIN}")).await?;
        }
    }
    tx.commit().await?;
    Ok(())
}

/// PostgreSQL takes a verifier wherever it takes a password. The driver normalises other characters than
/// ASCII before it hashes them, which this does not.
fn verifier(password: &SecretString) -> Result<String, DbError> {
    if password.expose_secret().is_ascii() && !password.expose_secret().is_empty() {
        Ok(scram::verifier(password))
    } else {
        Err(DbError::Role(
            "XVAULT_WORKER_DATABASE_PASSWORD must be ASCII and not empty".into(),
        ))
    }
}

async fn exists(conn: &mut PgConnection, role: &str) -> Result<bool, DbError> {
    Ok(
        sqlx::query_scalar("select exists (select from pg_roles where rolname = $1)")
            .bind(role)
            .fetch_one(conn)
            .await?,
    )
}

async fn execute(conn: &mut PgConnection, statement: String) -> Result<(), DbError> {
    sqlx::raw_sql(AssertSqlSafe(statement)).execute(conn).await?;
    Ok(())
}

/// Another process made or changed the same role at the same moment: unique_violation, duplicate_object,
/// or an internal error that has no code of its own.
fn is_race(error: &DbError) -> bool {
    match error {
        DbError::Sqlx(sqlx::Error::Database(error)) => {
            matches!(error.code().as_deref(), Some("23505" | "42710"))
                || error.message().contains("tuple concurrently updated")
        }
        _ => false,
    }
}

fn is_forbidden(error: &DbError) -> bool {
    matches!(error, DbError::Sqlx(sqlx::Error::Database(error)) if error.code().as_deref() == Some("42501"))
}
