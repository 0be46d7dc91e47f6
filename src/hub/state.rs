//! What every part of a hub process shares.

use std::{sync::Arc, time::Duration};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use secrecy::SecretString;
use sqlx::PgPool;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use url::Url;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::{
    actions::{
        ActionError,
        fleet::{Counts, Fleet},
    },
    live::Live,
    meters::Meters,
    once::Once,
    rate_limit::LoginLimits,
    recent::Recent,
};
use crate::{
    clock::Clock,
    crypto::{
        envelope::{DataKey, MasterKey},
        hmac_sha256::hmac_sha256,
        jwt::AccessTokens,
        tokens,
    },
    db::{Connection, DbError, Notifier, Transaction, tenant_keys},
    domain::ids::{SessionId, TenantId},
};

/// How many passwords are hashed at once: each takes 19 MiB and a core.
const PASSWORD_HASHES: usize = 2;

/// A hub process. Cloning is cheap and shares everything.
#[derive(Debug, Clone)]
pub struct Hub {
    /// The database.
    pub pool: PgPool,
    /// The time.
    pub clock: Clock,
    /// Master key and what is derived from it.
    pub keys: Arc<Keys>,
    /// What the operator chose.
    pub settings: Arc<HubSettings>,
    /// Which jobs changed just now.
    pub live: Live,
    /// Tells other processes what changed.
    pub notifier: Notifier,
    /// This process, in the `hubs` table.
    pub process_id: Uuid,
    /// The fleet as it was a moment ago.
    pub fleet: Arc<Recent<Fleet>>,
    /// What is counted of jobs and snapshots, as it was a moment ago.
    pub counts: Arc<Counts>,
    /// What this process has done.
    pub meters: Arc<Meters>,
    /// Failed sign-ins.
    pub login_limits: Arc<LoginLimits>,
    /// Taken while a password is hashed.
    pub password_hashes: Arc<Semaphore>,
    /// Asks workers for one directory of an index.
    pub http: reqwest::Client,
    /// Fires when the process stops; long answers end then.
    pub shutdown: CancellationToken,
}

/// What the operator chose for a hub.
#[derive(Debug)]
pub struct HubSettings {
    /// Where people reach this hub; links start with it.
    pub url: Url,
    /// A worker token accepted besides those in the database.
    pub worker_token: Option<SecretString>,
    /// What Prometheus sends as Bearer; without it `/metrics` answers loopback only.
    pub metrics_token: Option<SecretString>,
    /// Which share of the snapshots the schedule verifies per day; 0 for none, 1 for all.
    pub verify_share: f64,
    /// How long workers have to renew their leases after a restart of the database.
    pub settling: Duration,
}

impl HubSettings {
    /// True if browsers reach the hub over TLS, so cookies may be marked `Secure`.
    pub fn is_https(&self) -> bool {
        self.url.scheme() == "https"
    }
}

/// The master key and what is derived from it.
#[derive(Debug)]
pub struct Keys {
    /// Wraps the tenants' data keys.
    pub master: MasterKey,
    /// Signs access tokens.
    pub access_tokens: AccessTokens,
    /// Makes CSRF tokens out of session ids.
    csrf: Zeroizing<[u8; 32]>,
}

impl Keys {
    /// The token that a form of a browser session carries.
    pub fn csrf_token(&self, session: &SessionId) -> String {
        BASE64_URL_SAFE_NO_PAD.encode(hmac_sha256(self.csrf.as_slice(), &[session.as_str().as_bytes()]))
    }

    /// True if `token` is that of the session; takes the same time whatever is wrong with it.
    pub fn csrf_matches(&self, session: &SessionId, token: &str) -> bool {
        tokens::matches(self.csrf_token(session).as_bytes(), token.as_bytes())
    }

    /// Derives everything from the master key.
    pub fn new(master: MasterKey) -> Self {
        Self {
            access_tokens: AccessTokens::new(&master.derive("xvault jwt v1")),
            csrf: master.derive("xvault csrf v1"),
            master,
        }
    }
}

impl Hub {
    /// A hub on a migrated database.
    pub fn new(
        pool: PgPool,
        clock: Clock,
        master: MasterKey,
        settings: HubSettings,
        shutdown: CancellationToken,
    ) -> reqwest::Result<Self> {
        Ok(Self {
            pool,
            clock,
            keys: Arc::new(Keys::new(master)),
            settings: Arc::new(settings),
            live: Live::default(),
            notifier: Notifier::default(),
            process_id: Uuid::now_v7(),
            fleet: Arc::default(),
            counts: Arc::default(),
            meters: Arc::default(),
            login_limits: Arc::default(),
            password_hashes: Arc::new(Semaphore::new(PASSWORD_HASHES)),
            http: reqwest::Client::builder().user_agent("xvault-hub").build()?,
            shutdown,
        })
    }

    /// A connection of the pool.
    pub async fn connection(&self) -> Result<Connection, ActionError> {
        Ok(self.pool.acquire().await.map_err(DbError::from)?)
    }

    /// A transaction, rolled back unless [`Hub::commit`] gets it.
    pub async fn begin(&self) -> Result<Transaction, ActionError> {
        match Once::current() {
            Some(once) => once.begin(&self.pool, self.clock.now()).await,
            None => Ok(Transaction::begin(&self.pool).await?),
        }
    }

    /// Makes what a transaction did last, and tells of it: now, or together with the answer where the request asked
    /// for that ([`Once`]).
    pub async fn commit(&self, transaction: Transaction) -> Result<(), ActionError> {
        match Once::current() {
            Some(once) => once.lay_by(transaction),
            None => transaction.commit(&self.notifier).await?,
        }
        Ok(())
    }

    /// The data key of a tenant.
    pub async fn data_key(&self, conn: &mut sqlx::PgConnection, tenant: &TenantId) -> Result<DataKey, ActionError> {
        let wrapped = tenant_keys::get(conn, tenant).await?;
        let wrapped = wrapped.ok_or_else(|| ActionError::internal(format!("tenant {tenant} has no data key")))?;
        Ok(self.keys.master.unwrap_data_key(tenant, &wrapped)?)
    }

    /// Runs a password hash beside the async threads, a few at a time.
    pub async fn hashing<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, ActionError> {
        let turn = self.password_hashes.clone().acquire_owned().await;
        let turn = turn.map_err(ActionError::internal)?;
        let hashed = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            work()
        });
        hashed.await.map_err(ActionError::internal)
    }
}
