//! Making the database itself, where xVault runs its own PostgreSQL.

use sqlx::{AssertSqlSafe, Connection, PgConnection, postgres::PgConnectOptions};

use super::DbError;

/// Creates `name` on a server unless it is there. `name` is ours, never a user's; it is quoted all the same.
pub async fn create_database(server: &PgConnectOptions, name: &str) -> Result<(), DbError> {
    let mut conn = PgConnection::connect_with(server).await?;
    let exists: bool = sqlx::query_scalar("select exists(select from pg_database where datname = $1)")
        .bind(name)
        .fetch_one(&mut conn)
        .await?;
    if !exists {
        let quoted = name.replace('"', "\"\"");
        sqlx::query(AssertSqlSafe(format!("create database \"{quoted}\"")))
            .execute(&mut conn)
            .await?;
    }
    conn.close().await?;
    Ok(())
}
