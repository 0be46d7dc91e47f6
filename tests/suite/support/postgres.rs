//! PostgreSQL: one cluster per test process, one database per test, copied from a migrated template.

use std::{
    path::PathBuf,
    process::{Child, Stdio},
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
    thread,
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use secrecy::{ExposeSecret, SecretString};
use sqlx::{Connection, Executor, PgConnection, PgPool, postgres::PgPoolOptions};
use xvault::cli::dev::cluster::Cluster;

use super::{scratch::scratch, spawner};

/// Password of `xvault_worker_login` in every test database.
pub const WORKER_PASSWORD: &str = "worker-password-of-the-tests";

/// Speed before durability: a test cluster never outlives its machine.
const SETTINGS: &[&str] = &[
    "fsync=off",
    "full_page_writes=off",
    "max_connections=400",
    "shared_buffers=64MB",
    "autovacuum=off",
    "log_min_messages=fatal",
];

/// For the server that nobody kills: a killed one would forget what it has just promised.
const FORGETFUL: &[&str] = &[
    "fsync=off",
    "synchronous_commit=off",
    "full_page_writes=off",
    "max_connections=400",
    "shared_buffers=64MB",
    "autovacuum=off",
    "log_min_messages=fatal",
];

/// What is not flushed at its commit is flushed late: a server to crash.
const LAZY: &[&str] = &[
    "wal_writer_delay=10s",
    "max_connections=200",
    "shared_buffers=64MB",
    "autovacuum=off",
    "log_min_messages=fatal",
];

/// As an operator would run it: durable, and vacuumed.
const DURABLE: &[&str] = &["max_connections=200", "shared_buffers=256MB", "log_min_messages=fatal"];

const TEMPLATE: &str = "xvault_template";

/// A running server.
pub struct Server {
    cluster: Cluster,
    directory: PathBuf,
    child: Option<Child>,
    settings: &'static [&'static str],
}

impl Server {
    /// A cluster of its own, which the test may kill. It has the migrated template.
    pub fn start() -> Self {
        Self::start_with(SETTINGS)
    }

    /// A cluster that forgets what was not flushed when it crashes.
    pub fn lazy() -> Self {
        Self::start_with(LAZY)
    }

    /// A cluster to measure on.
    pub fn durable() -> Self {
        Self::start_with(DURABLE)
    }

    fn start_with(settings: &'static [&'static str]) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let directory = scratch().join(format!("pg{}", COUNT.fetch_add(1, Ordering::Relaxed)));
        std::fs::create_dir(&directory).expect("a directory for PostgreSQL");
        let password = SecretString::from("owner-password-of-the-tests");
        let cluster = Cluster::locate(&directory.join("data"), &directory.join("s"), password).expect("PostgreSQL");
        cluster.init().expect("initdb");
        let mut server = Self {
            cluster,
            directory,
            child: None,
            settings,
        };
        server.resume();
        block_on(server.make_template());
        server
    }

    /// Starts it again after [`Server::kill`], and waits until it answers.
    pub fn resume(&mut self) {
        assert!(self.child.is_none(), "the server runs already");
        self.launch();
        block_on(async {
            super::eventually("PostgreSQL answers", super::eventually::SOON, async || {
                let ended = self
                    .child
                    .as_mut()
                    .is_some_and(|child| !matches!(child.try_wait(), Ok(None)));
                if ended {
                    // A process of the one that was killed still held the shared memory.
                    self.launch();
                }
                PgConnection::connect_with(&self.cluster.options("postgres"))
                    .await
                    .is_ok()
            })
            .await;
        });
    }

    fn launch(&mut self) {
        xvault::cli::dev::stale::clear(&self.directory.join("data")).expect("the killed server is gone");
        let mut command = self.cluster.server(self.settings).expect("PostgreSQL's command");
        let log = std::fs::File::create(self.directory.join("log")).expect("a log file");
        command.stdout(Stdio::null()).stderr(log);
        self.child = Some(spawner::spawn(command).expect("PostgreSQL starts"));
    }

    /// SIGQUIT: the server and all its sessions end at once, without a shutdown checkpoint.
    /// (SIGKILL would leave its children running; they notice on their own time.)
    pub fn kill(&mut self) {
        let mut child = self.child.take().expect("the server runs");
        let pid = Pid::from_child(&child);
        kill_process(pid, Signal::QUIT).expect("a signal to our own child");
        child.wait().expect("the server's end");
    }

    /// SIGKILL of the server and everything it started, as the kernel's out-of-memory killer would.
    pub fn crash(&mut self) {
        let mut child = self.child.take().expect("the server runs");
        // So that it starts nothing more while we look.
        super::sshd::signal(child.id(), Signal::STOP);
        let sessions = super::sshd::descendants(child.id());
        child.kill().expect("a signal to our own child");
        child.wait().expect("the server's end");
        sessions.into_iter().for_each(super::sshd::sigkill);
    }

    /// Stops the server and its sessions in their tracks, or lets them go on.
    pub fn pause(&self, paused: bool) {
        let child = self.child.as_ref().expect("the server runs");
        let signal = if paused { Signal::STOP } else { Signal::CONT };
        for pid in std::iter::once(child.id()).chain(super::sshd::descendants(child.id())) {
            super::sshd::signal(pid, signal);
        }
    }

    /// A fresh database with the whole schema.
    pub async fn database(&self) -> Database {
        self.make_database(&format!("template {TEMPLATE} strategy file_copy"))
            .await
    }

    /// A fresh database with nothing in it.
    pub async fn empty_database(&self) -> Database {
        self.make_database("template template0").await
    }

    async fn make_database(&self, how: &str) -> Database {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("t{}", COUNT.fetch_add(1, Ordering::Relaxed));
        self.execute(format!("create database {name} {how}")).await;
        let url = self.cluster.owner_url(&name).expect("a URL");
        let worker = SecretString::from(WORKER_PASSWORD);
        let worker_url = self.cluster.url(&name, "xvault_worker_login", &worker).expect("a URL");
        Database {
            name,
            url,
            worker_url,
            cluster: self.cluster.clone(),
        }
    }

    async fn make_template(&self) {
        self.execute(format!("create database {TEMPLATE}")).await;
        let url = self.cluster.owner_url(TEMPLATE).expect("a URL");
        let pool = connect(&url).await;
        xvault::db::migrate(&pool).await.expect("the schema");
        xvault::queue::setup(&pool).await.expect("the queue's tables");
        let password = SecretString::from(WORKER_PASSWORD);
        let roles = xvault::db::roles::apply(&pool, Some(&password)).await;
        roles.expect("the roles of workers");
        // A database with sessions cannot be copied.
        pool.close().await;
    }

    async fn execute(&self, sql: String) {
        execute(&self.cluster, sql).await;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.child.is_some() {
            self.kill();
        }
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

/// A database of one test, dropped with the value.
pub struct Database {
    /// Its name.
    pub name: String,
    /// For its owner, as a hub uses it.
    pub url: SecretString,
    /// For `xvault_worker_login`, as a worker uses it.
    pub worker_url: SecretString,
    pub(super) cluster: Cluster,
}

impl Database {
    /// A fresh database with the whole schema in the shared cluster.
    pub async fn new() -> Self {
        static SHARED: OnceLock<Server> = OnceLock::new();
        // Starting blocks, and other tests wait in the lock: not on a runtime's thread.
        let shared = tokio::task::spawn_blocking(|| SHARED.get_or_init(|| Server::start_with(FORGETFUL)));
        shared.await.expect("PostgreSQL starts").database().await
    }

    /// `url`, or `worker_url`, as it reads through a cable on this address and port.
    pub fn through(url: &SecretString, address: &str, port: u16) -> String {
        let mut url = url::Url::parse(url.expose_secret()).expect("a URL");
        url.set_query(None);
        url.set_host(Some(address)).expect("a host");
        url.set_port(Some(port)).expect("a port");
        url.into()
    }

    /// Where its server listens.
    pub fn socket(&self) -> PathBuf {
        let url = url::Url::parse(self.url.expose_secret()).expect("a URL");
        let host = url.query_pairs().find(|(name, _)| name == "host");
        PathBuf::from(host.expect("a socket directory").1.as_ref()).join(".s.PGSQL.5432")
    }

    /// A pool as the owner.
    pub async fn pool(&self) -> PgPool {
        connect(&self.url).await
    }

    /// A pool with a worker's rights.
    pub async fn worker_pool(&self) -> PgPool {
        connect(&self.worker_url).await
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let sql = format!("drop database if exists {} with (force)", self.name);
        let cluster = self.cluster.clone();
        // A runtime cannot be entered from inside another one, which tests run in. A server that the
        // test has killed has nothing left to drop.
        let dropped = thread::spawn(move || block_on(try_execute(&cluster, sql))).join();
        let _ = dropped.expect("the thread does not panic");
    }
}

async fn connect(url: &SecretString) -> PgPool {
    let options = PgPoolOptions::new()
        .max_connections(10)
        .acquire_timeout(Duration::from_secs(60));
    options.connect(url.expose_secret()).await.expect("a connection")
}

pub(super) async fn execute(cluster: &Cluster, sql: String) {
    try_execute(cluster, sql).await.expect("the statement succeeds");
}

async fn try_execute(cluster: &Cluster, sql: String) -> sqlx::Result<()> {
    let mut connection = PgConnection::connect_with(&cluster.options("postgres")).await?;
    connection.execute(sqlx::AssertSqlSafe(sql)).await?;
    connection.close().await
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(future)
}

#[tokio::test]
async fn each_test_has_a_migrated_database_of_its_own() {
    let (one, two) = (Database::new().await, Database::new().await);
    assert_ne!(one.name, two.name);
    let tenants: i64 = sqlx::query_scalar("select count(*) from tenants")
        .fetch_one(&one.pool().await)
        .await
        .unwrap();
    assert_eq!(tenants, 0);
    let jobs = sqlx::query("select from jobs").execute(&two.worker_pool().await).await;
    jobs.expect("a worker may read jobs");
}

#[tokio::test]
async fn a_private_cluster_survives_its_own_killing() {
    let mut server = tokio::task::spawn_blocking(Server::start).await.unwrap();
    let database = server.database().await;
    server = tokio::task::spawn_blocking(move || {
        server.kill();
        server.resume();
        server
    })
    .await
    .unwrap();
    sqlx::query("select 1 from jobs")
        .execute(&database.pool().await)
        .await
        .unwrap();
    drop(database);
    drop(server);
}
