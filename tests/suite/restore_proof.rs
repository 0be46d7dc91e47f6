//! The proof that a snapshot of databases can be restored, by the API: loaded, counted, told; or found wrong.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use serde_json::{Value, json};

use crate::{
    mysql, postgres,
    support::{
        eventually::{SOON, eventually_some},
        http::Api,
        mariadb::{self, MariaDb},
        pg_source::{self, PgSource},
        postgres::Database,
        scratch::temp_dir,
        site,
        xvault::{Hub, Stack, Variable, Worker},
    },
};

/// The product, and a source in it.
struct Product {
    api: Api,
    source: String,
    stack: Stack,
    tmp: tempfile::TempDir,
}

impl Product {
    async fn start(kind: &str, port: u16, password: &str, worker: &[Variable]) -> Self {
        let tmp = temp_dir("t");
        fs::set_permissions(tmp.path(), fs::Permissions::from_mode(0o711)).unwrap();
        let database = Database::new().await;
        let hub = Hub::start(&database, &[]).await;
        let mut variables = vec![("XVAULT_TMP_DIR", tmp.path().display().to_string())];
        variables.extend_from_slice(worker);
        let worker = Worker::start(&database, &hub, &variables).await;
        let api = hub.admin().await;
        let body = json!({
            "name": "db",
            "kind": kind,
            "config": {"host": "127.0.0.1", "port": port, "user": "dump", "databases": ["shop"], "tls": "none"},
            "credentials": {"password": password},
        });
        let source = site::id(&api.post("/api/v1/sources", body).await.expect(201));
        let stack = Stack { worker, hub, database };
        Self {
            api,
            source,
            stack,
            tmp,
        }
    }

    /// Backs the source up; gives the snapshot's path in the API.
    async fn snapshot(&self) -> String {
        let path = format!("/api/v1/sources/{}/backups", self.source);
        let job = self.over(&self.api.post(&path, json!({})).await.expect(202)).await;
        assert_eq!(job["state"], "succeeded", "{job}");
        format!("/api/v1/snapshots/{}", job["snapshot_id"].as_str().expect("a snapshot"))
    }

    /// Orders a verification; gives the answer.
    async fn order(&self, snapshot: &str, level: &str) -> Value {
        let answer = self
            .api
            .post(&format!("{snapshot}/verify"), json!({"level": level}))
            .await;
        answer.expect(202)
    }

    async fn verified(&self, snapshot: &str, level: &str) -> Value {
        let answer = self.order(snapshot, level).await;
        self.over(&answer).await
    }

    async fn over(&self, answer: &Value) -> Value {
        let last = |job: &Value| !matches!(job["state"].as_str(), Some("queued" | "running"));
        self.until(answer, "the job is over", last).await
    }

    async fn until(&self, answer: &Value, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let path = format!("/api/v1/jobs/{}", site::id(&answer["job"]));
        eventually_some(what, SOON, async || {
            let job = self.api.get(&path).await.expect(200);
            wanted(&job).then_some(job)
        })
        .await
    }

    /// What lies in the worker's directory for temporary things.
    fn left(&self) -> Vec<String> {
        let entries = fs::read_dir(self.tmp.path()).unwrap().flatten();
        entries
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_postgres_snapshot_is_restored_and_checked() {
    let server = PgSource::start();
    postgres::stage::shop(&server, "shop");
    // In the source it does nothing; where the dump is loaded it tries what a superuser could.
    let owned = temp_dir("owned");
    fs::set_permissions(owned.path(), fs::Permissions::from_mode(0o777)).unwrap();
    let file = owned.path().join("x");
    server.sql(
        "shop",
        &format!(
            "create role app; create extension hstore; create table h (a int, b hstore); insert into h values (1, 'a=>1');
             create function evil(int) returns bool language plpgsql as $$begin
               if current_setting('listen_addresses') <> '' then return true; end if;
               execute $x$copy (select 1) to program 'touch {0}'$x$; return true;
             exception when insufficient_privilege then return true; end$$;
             alter table h add check (evil(a)); create policy p on h to app using (false);
             alter table h enable row level security; alter table h force row level security;
             create function watched() returns event_trigger language plpgsql as $$begin end$$;
             create event trigger watch on ddl_command_end execute function watched();
             alter role dump bypassrls",
            file.display()
        ),
    );
    let product = Product::start("postgres", server.port, pg_source::PASSWORD, &[]).await;
    let snapshot = product.snapshot().await;
    assert!(product.api.get(&snapshot).await.expect(200)["restore_proof"].is_null());
    let job = product.verified(&snapshot, "restore").await;
    assert_eq!(job["state"], "succeeded", "{job}");

    let found = product.api.get(&snapshot).await.expect(200);
    let proof = &found["restore_proof"];
    assert_eq!(
        (&found["state"], &found["verified_depth"]),
        (&"complete".into(), &"content".into())
    );
    assert!(
        proof["checked_at"].is_string() && proof["duration_seconds"].is_u64(),
        "{proof}"
    );
    let shop = &proof["databases"][0];
    let rows = server.sql(
        "shop",
        "select (select count(*) from items) + (select count(*) from part) + (select count(*) from parent) +
           (select count(*) from child) + (select count(*) from log) + (select count(*) from h) + 1",
    );
    assert_eq!(
        (
            &shop["name"],
            &shop["tables"],
            shop["rows"].to_string(),
            &shop["large_objects"]
        ),
        (&"shop".into(), &8.into(), rows.trim().to_owned(), &2.into()),
        "{proof}"
    );
    assert!(shop["left_out"].to_string().contains("event trigger"), "{proof}");
    assert_eq!(job["result"]["restore_proof"], *proof);
    assert!(!file.exists());
    assert_eq!(product.left(), [""; 0]);

    let events = format!("/api/v1/jobs/{}/events", job["id"].as_str().unwrap());
    let events = product.api.get(&events).await.expect(200).to_string();
    for told in [
        "Reading every byte",
        "Making a PostgreSQL",
        "Loading the database shop",
        "Counting the rows",
    ] {
        assert!(events.contains(told), "{told}: {events}");
    }
}

/// A directory with a `mariadb-dump` that adds `line` to the end of what the real one makes.
fn dumping_also(line: &str) -> (tempfile::TempDir, Variable) {
    let programs = temp_dir("bin");
    let (place, path) = (programs.path().join("mariadb-dump"), std::env::var("PATH").unwrap());
    let real = std::env::split_paths(&path)
        .map(|dir| dir.join("mariadb-dump"))
        .find(|path| path.exists())
        .unwrap();
    let script = format!(
        "#!/bin/sh\nset -e\n{} \"$@\" | sed \"s/^-- Dump completed/{line}\\n&/\"\n",
        real.display()
    );
    fs::write(&place, script).unwrap();
    fs::set_permissions(&place, fs::Permissions::from_mode(0o755)).unwrap();
    let variable = ("PATH", format!("{}:{path}", programs.path().display()));
    (programs, variable)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mariadb_snapshot_is_restored_and_checked_and_one_that_is_not_what_was_counted_is_found() {
    let server = MariaDb::start();
    mysql::stage::shop(&server, "shop");
    let honest = Product::start("mysql", server.port, mariadb::PASSWORD, &[]).await;
    let snapshot = honest.snapshot().await;
    let job = honest.verified(&snapshot, "restore").await;
    assert_eq!(job["state"], "succeeded", "{job}");
    let found = honest.api.get(&snapshot).await.expect(200);
    let shop = &found["restore_proof"]["databases"][0];
    assert_eq!((&shop["tables"], &shop["rows"]), (&7.into(), &10.into()), "{found}");
    assert!(shop["server"].as_str().unwrap().starts_with("MariaDB 1"), "{found}");
    assert_eq!(honest.left(), [""; 0]);
    drop(honest);

    let (_programs, path) = dumping_also("DELETE FROM items LIMIT 1;");
    let product = Product::start("mysql", server.port, mariadb::PASSWORD, &[path]).await;
    let snapshot = product.snapshot().await;
    let job = product.verified(&snapshot, "restore").await;
    assert_eq!(
        (&job["state"], &job["error"]["code"]),
        (&"failed".into(), &"restore_mismatch".into()),
        "{job}"
    );
    let damaged = |found: &Value| {
        let fault = found["fault"].as_str().unwrap_or_default();
        assert_eq!(found["state"], "damaged", "{found}");
        assert!(fault.contains("items has 2 rows, and 3 were dumped"), "{found}");
    };
    damaged(&product.api.get(&snapshot).await.expect(200));
    // Every byte has its hash; that acquits nobody of this.
    assert_eq!(product.verified(&snapshot, "content").await["state"], "succeeded");
    damaged(&product.api.get(&snapshot).await.expect(200));
    assert_eq!(product.left(), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proof_that_is_cancelled_or_whose_worker_is_killed_leaves_nothing() {
    let server = MariaDb::start();
    mysql::stage::shop(&server, "shop");
    let (_programs, path) = dumping_also("DO SLEEP(1000);");
    let short = ("XVAULT_LEASE", "3s".to_owned());
    let mut product = Product::start("mysql", server.port, mariadb::PASSWORD, &[path, short]).await;
    let snapshot = product.snapshot().await;
    let loading = |job: &Value| job["phase"] == "loading";
    let order = product.order(&snapshot, "restore").await;
    product.until(&order, "it loads", loading).await;
    assert_eq!(product.left().len(), 1);
    let path = format!("/api/v1/jobs/{}/cancel", site::id(&order["job"]));
    product.api.post(&path, json!({})).await.expect(202);
    assert_eq!(product.over(&order).await["state"], "cancelled");
    assert_eq!((product.left(), working_in(product.tmp.path())), (vec![], 0));

    let order = product.order(&snapshot, "restore").await;
    product.until(&order, "it loads", loading).await;
    product.stack.worker.process.kill();
    let path = format!("/api/v1/jobs/{}/cancel", site::id(&order["job"]));
    product.api.post(&path, json!({})).await.expect(202);
    product.stack.worker.restart().await;
    assert_eq!(product.over(&order).await["state"], "cancelled");
    assert_eq!((product.left(), working_in(product.tmp.path())), (vec![], 0));
}

/// Processes whose working directory is below `dir`.
fn working_in(dir: &Path) -> usize {
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let inside = processes.filter(|process| {
        let cwd = fs::read_link(process.path().join("cwd"));
        cwd.is_ok_and(|cwd| cwd.starts_with(dir))
    });
    inside.count()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_proven_is_refused_when_it_is_ordered() {
    let site = site::Site::start().await;
    fs::write(site.sshd.home().join("file"), "content").unwrap();
    let path = format!("/api/v1/snapshots/{}/verify", site.snapshot().await);
    let refused = site.api.post(&path, json!({"level": "restore"})).await.expect(409);
    assert!(refused["detail"].as_str().unwrap().contains("of files"), "{refused}");
    site.api.post(&path, json!({"level": "nonsense"})).await.expect(422);

    let server = PgSource::start();
    server.sql("postgres", "create database shop");
    let product = Product::start("postgres", server.port, pg_source::PASSWORD, &[]).await;
    let snapshot = product.snapshot().await;
    sqlx::query("update age_keys set sealed_identity = null")
        .execute(&product.stack.database.pool().await)
        .await
        .unwrap();
    let answer = product
        .api
        .post(&format!("{snapshot}/verify"), json!({"level": "restore"}))
        .await;
    let refused = answer.expect(409);
    assert!(
        refused["detail"].as_str().unwrap().contains("keeps the key"),
        "{refused}"
    );
}
