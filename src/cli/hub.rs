//! `xvault hub`: the control plane.

use std::time::Duration;

use anyhow::Context;
use secrecy::ExposeSecret;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::migrate;
use crate::{
    clock::Clock,
    config::{ConfigError, Environment, HubConfig},
    crypto::envelope::MasterKey,
    db::{self, DbError},
    hub::{
        Hub, HubSettings,
        actions::{ActionError, master_key, seed},
        scheduler,
        web::server,
    },
    shutdown::Shutdown,
};

pub use crate::config::HubArgs;

/// Connections of one hub: requests, housekeeping, and one that listens.
const CONNECTIONS: u32 = 20;

/// How long to wait at the end for connections to be closed properly.
const FAREWELL: Duration = Duration::from_secs(5);

/// Between two looks for a database that is away at the start.
const PAUSE: Duration = Duration::from_secs(1);

/// Runs until a signal, then until the answers under way are given.
pub async fn run(args: HubArgs) -> anyhow::Result<()> {
    let config = HubConfig::load(args, &Environment::process())?;
    let shutdown = Shutdown::on_signals().context("cannot listen for signals")?;
    let hub = open(&config, &shutdown).await?;
    let listener = TcpListener::bind(config.listen)
        .await
        .with_context(|| format!("cannot listen on {} (XVAULT_HUB_LISTEN)", config.listen))?;
    tracing::info!(listen = %config.listen, url = %config.url, "the hub is ready");

    let live = tokio::spawn(hub.live.clone().run(hub.pool.clone(), shutdown.token()));
    let housekeeping = tokio::spawn(scheduler::run(hub.clone()));
    let last_notices = CancellationToken::new();
    let notifying = tokio::spawn(hub.notifier.clone().run(hub.pool.clone(), last_notices.clone()));
    let pool = hub.pool.clone();
    server::serve(hub, listener).await;
    shutdown.trigger();
    let _ = tokio::join!(live, housekeeping);
    last_notices.cancel();
    let _ = notifying.await;
    // Waits for connections that broke without a word as long as TCP does; the server notices that we are gone anyway.
    let _ = tokio::time::timeout(FAREWELL, pool.close()).await;
    Ok(())
}

/// A hub on a database that is up to date, with the right master key and somebody who can sign in. Waits for a
/// database that is away.
async fn open(config: &HubConfig, shutdown: &Shutdown) -> anyhow::Result<Hub> {
    let pool = db::pool(config.database.url.expose_secret(), CONNECTIONS)?;
    let settings = HubSettings {
        url: config.url.clone(),
        worker_token: config.worker_token.clone(),
        metrics_token: config.metrics_token.clone(),
        verify_share: config.verify_share,
        settling: config.settling,
    };
    let key = MasterKey::from_base64(&config.master_key)?;
    let hub = Hub::new(pool, Clock::default(), key, settings, shutdown.token())?;
    let stopped = || anyhow::anyhow!("stopped before it was ready");
    while let Err(error) = shutdown
        .token()
        .run_until_cancelled(make_ready(&hub, config))
        .await
        .ok_or_else(stopped)?
    {
        if !is_away(&error) {
            return Err(error);
        }
        tracing::warn!(error = format!("{error:#}"), "waiting for the database");
        tokio::select! {
            () = tokio::time::sleep(PAUSE) => {}
            () = hub.shutdown.cancelled() => return Err(error.context("stopped while it waited for the database")),
        }
    }
    Ok(hub)
}

async fn make_ready(hub: &Hub, config: &HubConfig) -> anyhow::Result<()> {
    migrate::up_to_date(&hub.pool, config.worker_db_password.as_ref()).await?;
    db::answered(async { Ok(look_into(hub, config).await) }).await?
}

/// The right master key, and somebody who can sign in.
async fn look_into(hub: &Hub, config: &HubConfig) -> anyhow::Result<()> {
    master_key::check(&mut *hub.connection().await?, &hub.keys.master).await?;
    if let Some(admin) = &config.admin
        && seed::first_user(hub, &admin.email, &admin.password)
            .await
            .map_err(explained)?
    {
        tracing::info!(email = %admin.email, "made the first user");
    }
    Ok(())
}

/// True if the database may be there in a moment.
fn is_away(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause.downcast_ref().is_some_and(DbError::is_away)
            || matches!(cause.downcast_ref(), Some(ActionError::Unavailable(_)))
    })
}

/// Faults of the first user, in the words of the settings they come from.
fn explained(error: ActionError) -> anyhow::Error {
    let ActionError::Invalid(faults) = &error else {
        return error.into();
    };
    match faults.first() {
        Some(fault) if fault.pointer == "/owner/email" => ConfigError::new("XVAULT_ADMIN_EMAIL", &fault.detail).into(),
        Some(fault) => ConfigError::new("XVAULT_ADMIN_PASSWORD", &fault.detail).into(),
        None => error.into(),
    }
}
