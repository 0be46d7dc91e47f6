//! Counts and sizes: PostgreSQL has no unsigned numbers, and ours are never negative.

use sqlx::{Row, postgres::PgRow};

/// The number in a column of type `bigint`.
pub(super) fn unsigned(row: &PgRow, column: &str) -> Result<u64, sqlx::Error> {
    Ok(row.try_get::<i64, _>(column)?.unsigned_abs())
}
