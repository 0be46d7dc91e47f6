//! A site whose worker hangs on cables: to the database, to the hub and to the source.

use std::{ops::RangeInclusive, sync::Arc};

use secrecy::ExposeSecret;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection, PgConnection};

use super::{
    cable::{Cable, Far},
    eventually::{SOON, eventually, eventually_some},
    far_host::FarHost,
    gate::Gate,
    postgres::Database,
    site::{Site, add_source_at, names_at_depth},
    sshd::{Setup, Sshd},
    tree::noise,
    xvault::{Hub, Stack, Variable, Worker},
};

/// A site and its cables.
pub struct Wired {
    pub site: Site,
    pub database: Cable,
    pub hub: Cable,
    pub source: Cable,
}

/// A transaction of the test that keeps others waiting until it is dropped.
pub struct Hold {
    conn: PgConnection,
    /// A transaction sees other sessions as they were when it first looked.
    looking: PgConnection,
}

impl Wired {
    /// A site with two files to back up, and a worker with short times; `worker` comes last and wins.
    pub async fn start(setup: Setup, worker: &[Variable]) -> Self {
        Self::on(Database::new().await, setup, worker).await
    }

    /// As [`Wired::start`], on this database.
    pub async fn on(database: Database, setup: Setup, worker: &[Variable]) -> Self {
        Self::across(None, database, setup, worker).await
    }

    /// As [`Wired::on`], with the worker on another host.
    pub async fn across(host: Option<Arc<FarHost>>, database: Database, setup: Setup, worker: &[Variable]) -> Self {
        let here = host.as_ref().map_or("127.0.0.1", |host| &host.our_address).to_owned();
        let hub = Hub::start(&database, &[("XVAULT_SETTLING", "0s".to_owned())]).await;
        let port = hub.url.rsplit(':').next().and_then(|port| port.parse().ok());
        let to_hub = Cable::between(&here, Far::Port(port.expect("a port")), None).await;
        let to_database = Cable::between(&here, Far::Socket(database.socket()), None).await;
        let mut variables = short_times();
        variables.push(("XVAULT_HUB_URL", format!("http://{here}:{}", to_hub.port)));
        let url = Database::through(&database.worker_url, &here, to_database.port);
        variables.push(("XVAULT_DATABASE_URL", url));
        variables.extend_from_slice(worker);
        let worker = Worker::start_on(host, &database, &hub, &variables).await;
        let sshd = tokio::task::spawn_blocking(move || Sshd::with(setup))
            .await
            .expect("sshd");
        let to_source = Cable::between(&here, Far::Port(sshd.port), None).await;
        let mut config = sshd.config(&[&sshd.home_seen()]);
        config.host.clone_from(&here);
        config.port = to_source.port;
        let api = hub.admin().await;
        let source = add_source_at(&api, "site", &config).await;
        std::fs::write(sshd.home().join("noise"), noise(4_000_000)).expect("a file");
        std::fs::write(sshd.home().join("small"), "small").expect("a file");
        Self {
            site: Site {
                api,
                source,
                sshd,
                stack: Stack { worker, hub, database },
            },
            database: to_database,
            hub: to_hub,
            source: to_source,
        }
    }

    /// A site whose backup was claimed, and gets no brief: nothing passes between worker and hub.
    pub async fn without_brief(worker: &[Variable]) -> (Self, String) {
        let wired = Self::start(Setup::default(), worker).await;
        wired.hub.silence();
        let job = wired.site.back_up().await;
        let claimed = |job: &Value| job["state"] == "running";
        wired.site.until(&job, "it is claimed", claimed).await;
        (wired, job)
    }

    /// A site whose backup is connecting to a source that does not answer.
    pub async fn connecting(worker: &[Variable]) -> (Self, String) {
        let wired = Self::start(Setup::default(), worker).await;
        wired.source.silence();
        let job = wired.site.back_up().await;
        let connects = |job: &Value| job["phase"] == "connecting";
        wired.site.until(&job, "it connects", connects).await;
        (wired, job)
    }

    /// A site whose next backup stops in the middle, and that backup.
    pub async fn in_the_middle(worker: &[Variable]) -> (Self, Gate, String) {
        let gate = Gate::closed();
        let wired = Self::start(gate.setup(), worker).await;
        let job = wired.site.back_up().await;
        let flows = |job: &Value| job["phase"] == "transferring" && job["progress"]["bytes"].as_u64() > Some(0);
        wired.site.until(&job, "data flows", flows).await;
        (wired, gate, job)
    }

    /// Another worker, past all cables.
    pub async fn second_worker(&self) -> Worker {
        Worker::start(&self.site.stack.database, &self.site.stack.hub, &short_times()).await
    }

    /// Keeps everybody from writing to `table`.
    pub async fn hold_table(&self, table: &str) -> Hold {
        self.hold(format!("lock table {table} in share row exclusive mode"))
            .await
    }

    /// Keeps everybody from changing a job.
    pub async fn hold_job(&self, id: &str) -> Hold {
        self.hold(format!("select from jobs where id = '{id}' for update"))
            .await
    }

    async fn hold(&self, sql: String) -> Hold {
        let url = self.site.stack.database.url.expose_secret();
        let mut conn = PgConnection::connect(url).await.expect("a connection");
        let looking = PgConnection::connect(url).await.expect("a connection");
        for sql in ["begin".to_owned(), sql] {
            sqlx::query(AssertSqlSafe(sql))
                .execute(&mut conn)
                .await
                .expect("a lock");
        }
        Hold { conn, looking }
    }

    /// The job is over, successfully, after `attempts`; there is exactly one snapshot, which verifies; and
    /// nothing else is left on disk, here or at the source.
    pub async fn survived(&self, job: &str, attempts: RangeInclusive<u64>) {
        self.survived_by(&self.site.stack.worker, job, attempts).await;
    }

    /// As [`Wired::survived`], with the snapshot at `worker`.
    pub async fn survived_by(&self, worker: &Worker, job: &str, attempts: RangeInclusive<u64>) {
        let snapshot = self.one_good_snapshot(job, attempts).await;
        self.leaves(worker, std::slice::from_ref(&snapshot)).await;
        let storage = worker.directories.storage();
        assert_eq!(names_at_depth(&storage.join("tenants"), 5), [snapshot]);
    }

    /// The job is over, successfully, after `attempts`; there is exactly one snapshot, this one, and it verifies.
    pub async fn one_good_snapshot(&self, job: &str, attempts: RangeInclusive<u64>) -> String {
        let site = &self.site;
        let job = site.over(job).await;
        assert_eq!(job["state"], "succeeded", "{job}");
        let attempt = job["attempt"].as_u64().expect("a number");
        assert!(attempts.contains(&attempt), "{job}");
        let mut snapshots = site.snapshots().await;
        assert_eq!(snapshots.len(), 1, "{snapshots:?}");
        let path = format!("/api/v1/snapshots/{}/verify", snapshots[0]);
        let verify = site.api.post(&path, json!({})).await.expect(202);
        let verified = site.over(verify["job"]["id"].as_str().expect("an id")).await;
        assert_eq!(verified["state"], "succeeded", "{verified}");
        snapshots.remove(0)
    }

    /// Soon there is nothing on the worker's disk but `snapshots` of those it may have, and nothing runs at
    /// the source.
    pub async fn leaves(&self, worker: &Worker, snapshots: &[String]) {
        let storage = worker.directories.storage();
        eventually("only catalogued snapshots are stored", SOON, async || {
            names_at_depth(&storage.join("tenants"), 5)
                .iter()
                .all(|name| snapshots.contains(name))
        })
        .await;
        for left in [storage.join(".staging"), worker.directories.tmp()] {
            let empty = async || names_at_depth(&left, 1).is_empty();
            eventually(&format!("{} is empty", left.display()), SOON, empty).await;
        }
        let silent = async || self.site.sshd.processes().is_empty();
        eventually("nothing runs at the source", SOON, silent).await;
    }
}

impl Hold {
    /// Waits until a statement that begins like this is kept waiting.
    pub async fn keeps_waiting(&mut self, statement: &str) {
        let pattern = format!("%{statement}%");
        eventually_some(&format!("{statement} waits"), SOON, async || {
            sqlx::query(
                "select from pg_stat_activity where wait_event_type = 'Lock' and query ilike $1 \
                 and datname = current_database() and pid <> pg_backend_pid()",
            )
            .bind(&pattern)
            .fetch_optional(&mut self.looking)
            .await
            .expect("an answer")
        })
        .await;
    }

    /// Lets everybody go on.
    pub async fn release(self) {
        self.conn.close().await.expect("its end");
    }
}

fn short_times() -> Vec<Variable> {
    [
        ("XVAULT_LEASE", "3s"),
        ("XVAULT_RETRY_BASE", "0s"),
        ("XVAULT_ORPHAN_GRACE", "0s"),
        ("XVAULT_RECONCILE_EVERY", "1s"),
        ("XVAULT_EGRESS_ALLOW", "127.0.0.0/8,10.0.0.0/8"),
    ]
    .map(|(name, value)| (name, value.to_owned()))
    .to_vec()
}
