//! Making the database itself, where xVault runs its own PostgreSQL.

use sqlx::{AssertSqlSafe, PgConnection};

use super::DbError;

/// Creates `name` on the server unless it is there. `name` is ours, never a user's; it is quoted all the same.
pub async fn create_database(conn: &mut PgConnection, name: &str) -> Result<(), DbError> {
    let exists: bool = sqlx::query_scalar("select exists(select from pg_database where datname = $1)")
        .bind(name)
        .fetch_one(&mut *conn)
        .await?;
    if !exists {
        let quoted = name.replace('"', "\"\"");
        sqlx::query(AssertSqlSafe(format!("create database \"{quoted}\"")))
            .execute(conn)
            .await?;
    }
    Ok(())
}
