//! Which master key the tenants' keys are wrapped with: its check value, never the key.

use sqlx::PgConnection;

use super::DbError;

/// The check value of the key in use. The first caller on a new database sets it to `own`; from then on
/// that is what everybody gets.
pub async fn get_or_set(conn: &mut PgConnection, own: &[u8]) -> Result<Vec<u8>, DbError> {
    sqlx::query("insert into master_key (check_value) values ($1) on conflict (singleton) do nothing")
        .bind(own)
        .execute(&mut *conn)
        .await?;
    Ok(sqlx::query_scalar("select check_value from master_key")
        .fetch_one(conn)
        .await?)
}

/// The check value of the key in use, locked until the transaction ends; `None` before the first start.
pub async fn lock(conn: &mut PgConnection) -> Result<Option<Vec<u8>>, DbError> {
    Ok(sqlx::query_scalar("select check_value from master_key for update")
        .fetch_optional(conn)
        .await?)
}

/// Refuses a rotation while the caller's transaction runs; waits for one that is under way. Says whether
/// the key in use is still the caller's.
pub async fn hold(conn: &mut PgConnection, own: &[u8]) -> Result<bool, DbError> {
    let stored: Option<Vec<u8>> = sqlx::query_scalar("select check_value from master_key for share")
        .fetch_optional(conn)
        .await?;
    Ok(stored.as_deref() == Some(own))
}

/// Notes that the keys are wrapped by another master key now.
pub async fn replace(conn: &mut PgConnection, check_value: &[u8]) -> Result<(), DbError> {
    sqlx::query("update master_key set check_value = $1, rotated_at = now()")
        .bind(check_value)
        .execute(conn)
        .await?;
    Ok(())
}
