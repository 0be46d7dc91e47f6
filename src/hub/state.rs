//! What every part of a hub process shares.

use std::sync::Arc;

use secrecy::SecretString;
use sqlx::PgPool;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use url::Url;
use zeroize::Zeroizing;

use super::rate_limit::LoginLimits;
use crate::{
    clock::Clock,
    crypto::{envelope::MasterKey, jwt::AccessTokens},
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
    pub csrf: Zeroizing<[u8; 32]>,
}

impl Keys {
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
            login_limits: Arc::default(),
            password_hashes: Arc::new(Semaphore::new(PASSWORD_HASHES)),
            http: reqwest::Client::builder().user_agent("xvault-hub").build()?,
            shutdown,
        })
    }
}
