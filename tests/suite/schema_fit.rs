//! Old and new versions on one schema: what may work side by side, and what says so and waits or ends.

use secrecy::ExposeSecret;

use super::support::{
    eventually::{SOON, eventually},
    http::Api,
    postgres::Database,
    xvault::{Hub, MASTER_KEY, Process, Stack, command},
};

async fn execute(database: &Database, sql: &'static str) {
    sqlx::query(sql).execute(&database.pool().await).await.unwrap();
}

/// As a later version would: one more migration, and a note on who may stay.
const MIGRATED: &str = "insert into _sqlx_migrations (version, description, success, checksum, execution_time) \
     values (9000, 'later', true, '\\x00', 0)";
const BREAKING: &str = "update schema_compatibility set oldest_binary = 9000";

async fn says(process: &Process, line: &str) {
    eventually(line, SOON, async || process.output().contains(line)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn additions_of_a_newer_version_disturb_nobody() {
    let mut stack = Stack::start().await;
    execute(&stack.database, MIGRATED).await;
    execute(&stack.database, "create table later (id text)").await;
    execute(&stack.database, "grant select on later to xvault_worker").await;
    stack.hub.restart().await;
    stack.worker.restart().await;
    let worker = stack.database.worker_pool().await;
    let kept = sqlx::query("select from later").execute(&worker).await;
    assert!(
        kept.is_ok(),
        "an old hub must not take the rights of newer workers away: {kept:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_breaking_change_ends_what_does_not_understand_it() {
    let mut stack = Stack::start().await;
    execute(&stack.database, MIGRATED).await;
    execute(&stack.database, BREAKING).await;
    let unready = Api::anonymous(&stack.hub.url).get("/readyz").await;
    assert_eq!(unready.status, 503);
    assert!(unready.text().contains("newer than this version"), "{}", unready.text());
    assert!(!stack.worker.process.ended().await.success());
    says(&stack.worker.process, "newer than this version of xVault understands").await;
    let env = [
        ("XVAULT_DATABASE_URL", stack.database.url.expose_secret().to_owned()),
        ("XVAULT_MASTER_KEY", MASTER_KEY.to_owned()),
    ];
    let refused = tokio::task::spawn_blocking(move || command(&["hub"], &env).output().expect("the binary runs"));
    let refused = refused.await.unwrap();
    let text = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(
        !refused.status.success() && text.contains("install the version that the hubs run"),
        "{text}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_waits_for_the_migration_it_needs() {
    let database = Database::new().await;
    let hub = Hub::start(&database, &[]).await;
    let last = "delete from _sqlx_migrations where version = (select max(version) from _sqlx_migrations) \
                returning version, description, checksum";
    let (version, description, checksum): (i64, String, Vec<u8>) =
        sqlx::query_as(last).fetch_one(&database.pool().await).await.unwrap();
    let unready = Api::anonymous(&hub.url).get("/readyz").await;
    assert!(unready.text().contains("older"), "{}", unready.text());
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).display().to_string();
    let worker = Process::start(
        &["worker"],
        &[
            ("XVAULT_DATABASE_URL", database.worker_url.expose_secret().to_owned()),
            ("XVAULT_HUB_URL", hub.url.clone()),
            ("XVAULT_WORKER_TOKEN", "any".to_owned()),
            (
                "XVAULT_WORKER_LISTEN",
                format!("127.0.0.1:{}", super::support::ports::free_port()),
            ),
            ("XVAULT_STORAGE_DIR", path("backups")),
            ("XVAULT_TMP_DIR", path("tmp")),
            ("XVAULT_DATA_DIR", path("data")),
        ],
    );
    says(&worker, "run `xvault migrate` of this version").await;
    sqlx::query(
        "insert into _sqlx_migrations (version, description, success, checksum, execution_time) \
         values ($1, $2, true, $3, 0)",
    )
    .bind(version)
    .bind(description)
    .bind(checksum)
    .execute(&database.pool().await)
    .await
    .unwrap();
    says(&worker, "worker ready").await;
}
