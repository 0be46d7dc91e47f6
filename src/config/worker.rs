//! A worker.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use ipnet::IpNet;
use secrecy::SecretString;
use url::Url;

use super::{ConfigError, DatabaseConfig, Environment, hub::listened_url, values};
use crate::domain::ids::WorkerId;

/// Where backups lie, unless the operator says otherwise.
pub(super) const STORAGE_DIR: &str = "/var/lib/xvault/backups";

/// Where a worker keeps its identity, unless the operator says otherwise.
pub(super) const DATA_DIR: &str = "/var/lib/xvault";

/// Flags of `xvault worker`.
#[derive(Debug, Clone, clap::Args)]
pub struct WorkerArgs {
    /// URL of the hub
    #[arg(long, env = "XVAULT_HUB_URL", value_name = "URL", value_parser = values::base_url)]
    hub_url: Url,
    /// Lasting identity [default: made on the first start and kept in the data directory]
    #[arg(long, env = "XVAULT_WORKER_ID", value_name = "ID", value_parser = worker_id)]
    worker_id: Option<WorkerId>,
    /// Address and port for downloads
    #[arg(long, env = "XVAULT_WORKER_LISTEN", value_name = "ADDR:PORT", default_value = "127.0.0.1:8081", value_parser = values::listen)]
    worker_listen: SocketAddr,
    /// URL under which people reach this worker's downloads [default: http:// and the address listened on]
    #[arg(long, env = "XVAULT_WORKER_URL", value_name = "URL", value_parser = values::base_url)]
    worker_url: Option<Url>,
    /// URL under which hubs reach this worker, if another than people use
    #[arg(long, env = "XVAULT_WORKER_INTERNAL_URL", value_name = "URL", value_parser = values::base_url)]
    worker_internal_url: Option<Url>,
    /// How many jobs run at once
    #[arg(long, env = "XVAULT_WORKER_CONCURRENCY", value_name = "N", default_value = "4", value_parser = values::concurrency)]
    worker_concurrency: usize,
    /// Where backups lie; one worker's own
    #[arg(long, env = "XVAULT_STORAGE_DIR", value_name = "DIR", default_value = STORAGE_DIR)]
    storage_dir: PathBuf,
    /// Where this worker keeps its identity and the exports that wait for their download
    #[arg(long, env = "XVAULT_DATA_DIR", value_name = "DIR", default_value = DATA_DIR)]
    data_dir: PathBuf,
    /// For sockets and the like of running jobs; short, because socket paths are limited to 107 bytes
    #[arg(long, env = "XVAULT_TMP_DIR", value_name = "DIR", default_value = "/tmp/xvault")]
    tmp_dir: PathBuf,
    /// Networks that sources may lie in although they are private, loopback or link-local
    #[arg(long, env = "XVAULT_EGRESS_ALLOW", value_name = "CIDR,…", value_delimiter = ',', value_parser = values::network)]
    egress_allow: Vec<IpNet>,
    /// With less free space in the storage directory, take no backups
    #[arg(long, env = "XVAULT_MIN_FREE", value_name = "SIZE", default_value = "1GiB", value_parser = values::size)]
    min_free: u64,
    /// How long jobs may go on after a stop signal before they are handed back
    #[arg(long, env = "XVAULT_SHUTDOWN_GRACE", value_name = "TIME", default_value = "30s", value_parser = values::duration)]
    shutdown_grace: Duration,
    /// How old a snapshot on the disk must be that no job stands behind, before it is removed
    #[arg(long, env = "XVAULT_ORPHAN_GRACE", value_name = "TIME", default_value = "24h", value_parser = values::duration)]
    orphan_grace: Duration,
    /// How long a job is held without a sign of life from its worker
    #[arg(long, env = "XVAULT_LEASE", value_name = "TIME", default_value = "30s", value_parser = values::duration, hide = true)]
    lease: Duration,
    /// Pause before the second attempt of a job
    #[arg(long, env = "XVAULT_RETRY_BASE", value_name = "TIME", default_value = "30s", value_parser = values::duration, hide = true)]
    retry_base: Duration,
    /// How often disk and catalogue are compared
    #[arg(long, env = "XVAULT_RECONCILE_EVERY", value_name = "TIME", default_value = "15m", value_parser = values::duration, hide = true)]
    reconcile_every: Duration,
}

fn worker_id(text: &str) -> Result<WorkerId, String> {
    text.parse()
        .map_err(|_| "is not wrk_ followed by letters, digits, _ or - (64 characters at most)".to_owned())
}

/// Everything a worker needs to know.
#[derive(Debug, Clone)]
pub struct WorkerConfig {
    /// A role with no right to read secrets, users or keys.
    pub database: DatabaseConfig,
    /// Where briefs come from.
    pub hub_url: Url,
    /// Proves to the hub that this is a worker.
    pub token: SecretString,
    /// Set by the operator; otherwise made on the first start and kept in `data_dir`.
    pub id: Option<WorkerId>,
    /// Where to listen.
    pub listen: SocketAddr,
    /// Opens `/metrics` to others than programs on this machine.
    pub metrics_token: Option<SecretString>,
    /// How people reach its downloads.
    pub url: Url,
    /// How hubs reach it, if otherwise.
    pub internal_url: Option<Url>,
    /// Jobs at once, 1 to 256.
    pub concurrency: usize,
    /// Where backups lie.
    pub storage_dir: PathBuf,
    /// Sockets and the like of running jobs.
    pub tmp_dir: PathBuf,
    /// Identity and exports.
    pub data_dir: PathBuf,
    /// Networks opened to sources.
    pub egress_allow: Vec<IpNet>,
    /// Bytes that must be free before a backup is taken.
    pub min_free_bytes: u64,
    /// How long jobs may go on after a stop signal.
    pub shutdown_grace: Duration,
    /// How old a snapshot must be that no job stands behind, before it is removed.
    pub orphan_grace: Duration,
    /// How long a claim holds a job without being renewed; shortened in tests.
    pub lease: Duration,
    /// Pause before the second attempt of a job; shortened in tests.
    pub retry_base: Duration,
    /// How often disk and catalogue are compared; shortened in tests.
    pub reconcile_every: Duration,
}

impl WorkerConfig {
    /// Joins flags and secrets.
    pub fn load(args: WorkerArgs, env: &Environment) -> Result<Self, ConfigError> {
        Ok(Self {
            database: DatabaseConfig::load(env)?,
            token: env.required_secret("XVAULT_WORKER_TOKEN")?,
            metrics_token: env.secret("XVAULT_METRICS_TOKEN")?,
            hub_url: args.hub_url,
            id: args.worker_id,
            listen: args.worker_listen,
            url: match args.worker_url {
                Some(url) => url,
                None => listened_url(args.worker_listen, "XVAULT_WORKER_URL")?,
            },
            internal_url: args.worker_internal_url,
            concurrency: args.worker_concurrency,
            storage_dir: args.storage_dir,
            tmp_dir: args.tmp_dir,
            data_dir: args.data_dir,
            egress_allow: args.egress_allow,
            min_free_bytes: args.min_free,
            shutdown_grace: args.shutdown_grace,
            lease: args.lease,
            retry_base: args.retry_base,
            orphan_grace: args.orphan_grace,
            reconcile_every: args.reconcile_every,
        })
    }
}
