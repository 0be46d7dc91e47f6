//! Tokens with which workers show themselves to hubs: only their hashes.

use sqlx::PgConnection;

use super::DbError;
use crate::domain::ids::KeyId;

/// Adds a token.
pub async fn insert(conn: &mut PgConnection, label: &str, secret_hash: &[u8]) -> Result<(), DbError> {
    sqlx::query("insert into worker_tokens (id, label, secret_hash) values ($1, $2, $3)")
        .bind(KeyId::generate())
        .bind(label)
        .bind(secret_hash)
        .execute(conn)
        .await?;
    Ok(())
}

/// True if a token with this hash is accepted.
pub async fn is_accepted(conn: &mut PgConnection, secret_hash: &[u8]) -> Result<bool, DbError> {
    Ok(
        sqlx::query_scalar("select exists (select from worker_tokens where secret_hash = $1 and revoked_at is null)")
            .bind(secret_hash)
            .fetch_one(conn)
            .await?,
    )
}

/// Ends every token with this label; returns how many there were.
pub async fn revoke(conn: &mut PgConnection, label: &str) -> Result<u64, DbError> {
    let done = sqlx::query("update worker_tokens set revoked_at = now() where label = $1 and revoked_at is null")
        .bind(label)
        .execute(conn)
        .await?;
    Ok(done.rows_affected())
}
