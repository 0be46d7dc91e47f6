//! The `hubs` table: which hub processes are there, written by themselves.

use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::{FromRow, PgConnection};

use super::DbError;

/// What a hub says about itself.
#[derive(Debug, Clone)]
pub struct HubBeat {
    /// Fresh for every start of the process.
    pub id: String,
    /// What its host calls itself.
    pub hostname: String,
    /// Version of xVault it runs.
    pub version: String,
    /// How people reach it.
    pub url: String,
}

/// A hub process that is there.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct HubRow {
    /// What its host calls itself.
    pub hostname: String,
    /// Version of xVault it runs.
    pub version: String,
    /// When it started.
    pub started_at: DateTime<Utc>,
}

/// Writes that a hub is there, and forgets those that have been silent for `silence`.
pub async fn beat(conn: &mut PgConnection, beat: &HubBeat, silence: Duration) -> Result<(), DbError> {
    sqlx::query(
        "with gone as (delete from hubs where id <> $1 and last_seen_at < now() - make_interval(secs => $5)) \
         insert into hubs (id, hostname, version, url) values ($1, $2, $3, $4) \
         on conflict (id) do update set last_seen_at = now()",
    )
    .bind(&beat.id)
    .bind(&beat.hostname)
    .bind(&beat.version)
    .bind(&beat.url)
    .bind(silence.as_secs_f64())
    .execute(conn)
    .await?;
    Ok(())
}

/// Forgets a hub that stops.
pub async fn stopped(conn: &mut PgConnection, id: &str) -> Result<(), DbError> {
    sqlx::query("delete from hubs where id = $1")
        .bind(id)
        .execute(conn)
        .await?;
    Ok(())
}

/// Hubs heard of within `silence`, at most 200.
pub async fn list(conn: &mut PgConnection, silence: Duration) -> Result<Vec<HubRow>, DbError> {
    Ok(sqlx::query_as(
        "select hostname, version, started_at from hubs \
         where last_seen_at > now() - make_interval(secs => $1) order by started_at, id limit 200",
    )
    .bind(silence.as_secs_f64())
    .fetch_all(conn)
    .await?)
}
