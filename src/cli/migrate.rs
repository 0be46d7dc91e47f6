//! `xvault migrate`: brings the database up to date.

use anyhow::Context;
use secrecy::{ExposeSecret, SecretString};
use sqlx::PgPool;

use crate::{
    config::{Environment, MigrateConfig},
    db, queue,
};

/// Runs the command.
pub fn run() -> anyhow::Result<()> {
    let config = MigrateConfig::load(&Environment::process())?;
    super::block_on(async {
        let pool = db::pool(config.database.url.expose_secret(), 2)?;
        up_to_date(&pool, config.worker_db_password.as_ref()).await?;
        pool.close().await;
        Ok(())
    })
}

/// Our tables, the queue's tables, and the workers' rights on them. Safe to run from many processes at once.
pub(super) async fn up_to_date(pool: &PgPool, worker_password: Option<&SecretString>) -> anyhow::Result<()> {
    db::while_busy(
        pool,
        |pool| async move { bring_up_to_date(&pool, worker_password).await },
    )
    .await
}

async fn bring_up_to_date(pool: &PgPool, worker_password: Option<&SecretString>) -> anyhow::Result<()> {
    let ours = db::migrate(pool)
        .await
        .context("cannot bring the database up to date")?;
    if !ours {
        tracing::warn!("a newer version of xVault has migrated the database; leaving schema and rights as they are");
        return Ok(());
    }
    queue::setup(pool).await.context("cannot set up the queue's tables")?;
    db::roles::apply(pool, worker_password)
        .await
        .context("cannot set up the workers' role")?;
    Ok(())
}
