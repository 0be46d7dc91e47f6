//! Secrets are in clear nowhere they could be found.

use std::process::Command;

use secrecy::ExposeSecret;
use serde_json::{Value, json};

use super::world::{PASSWORD, World, source};
use crate::support::xvault::{ADMIN_PASSWORD, MASTER_KEY, WORKER_TOKEN};

#[tokio::test]
async fn no_secret_stands_in_the_database_an_answer_or_the_log() {
    let world = World::new().await;
    let mut new = source("planted");
    new["config"]["jump"] = json!({"host": "jump.example", "user": "hop"});
    new["credentials"] = json!({
        "private_key": "planted-private-key", "passphrase": "planted-passphrase", "password": "planted-password",
        "jump_private_key": "planted-jump-key", "jump_passphrase": "planted-jump-phrase", "jump_password": "planted-jump-pw",
    });
    let path = "/api/v1/sources";
    let request = world
        .operator
        .request(reqwest::Method::POST, path)
        .header("Idempotency-Key", "planted-request");
    let made = crate::support::http::Reply::of(request.json(&new)).await.expect(201);
    let id = super::world::id_of(&made);
    let mut answers = made.to_string();
    for wrong in [
        json!("planted-in-a-wrong-place"),
        json!({"password": ["planted-in-a-list"]}),
    ] {
        let mut bad = source("x");
        bad["credentials"] = wrong;
        answers.push_str(&world.operator.post(path, bad).await.text());
    }
    world.running_backup(&id).await;
    for path in [
        path,
        &format!("{path}/{id}"),
        "/api/v1/jobs",
        "/api/v1/members",
        "/metrics",
    ] {
        answers.push_str(&world.admin.get(path).await.text());
    }
    let key = world
        .admin
        .post("/api/v1/api-keys", json!({"name": "k", "role": "viewer"}))
        .await
        .expect(201);
    let sheet = world
        .admin
        .post("/api/v1/tenant/recovery-sheet", Value::Null)
        .await
        .text();
    let identity = sheet
        .lines()
        .find(|line| line.starts_with("AGE-SECRET-KEY-1"))
        .unwrap()
        .to_owned();

    let dump = Command::new("pg_dump")
        .args(["--inserts", "--dbname", world.database.url.expose_secret()])
        .output()
        .expect("pg_dump (package postgresql-client)");
    assert!(dump.status.success(), "{}", String::from_utf8_lossy(&dump.stderr));
    let dump = String::from_utf8(dump.stdout).unwrap();
    assert!(dump.contains("server.example"), "the dump has the rows");
    let log = world.hub.process.output();
    let mut secrets = vec![
        PASSWORD,
        ADMIN_PASSWORD,
        MASTER_KEY,
        WORKER_TOKEN,
        &identity,
        key["key"].as_str().unwrap(),
    ];
    secrets.extend(
        new["credentials"]
            .as_object()
            .unwrap()
            .values()
            .map(|value| value.as_str().unwrap()),
    );
    for secret in secrets {
        let hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
        assert!(
            !dump.contains(secret) && !dump.contains(&hex),
            "{secret} is in the database"
        );
        assert!(!log.contains(secret), "{secret} is in the log");
    }
    assert!(!answers.contains("planted-"), "{answers}");
}

#[tokio::test]
async fn a_workers_database_role_reads_no_secret() {
    let world = World::new().await;
    let source = world.source("web").await;
    world.snapshot(&source).await;
    let worker = world.database.worker_pool().await;
    for table in ["jobs", "job_events", "snapshots", "exports", "workers", "apalis.jobs"] {
        let query = format!("select count(*) from {table}");
        let read = sqlx::query_scalar::<_, i64>(sqlx::AssertSqlSafe(query))
            .fetch_one(&worker)
            .await;
        assert!(read.is_ok(), "{table}: {read:?}");
    }
    let tables: Vec<String> = sqlx::query_scalar("select tablename::text from pg_tables where schemaname = 'public'")
        .fetch_all(&world.pool)
        .await
        .unwrap();
    let mut open = vec!["jobs", "job_events", "snapshots", "exports", "workers"];
    // What a claim looks at, and keeps.
    open.extend(["limits", "tenant_limits", "turns", "busy_hosts"]);
    // Which versions may work on the schema is no secret, but not the worker's to say.
    let readable = ["_sqlx_migrations", "schema_compatibility"];
    for table in readable {
        let delete = sqlx::AssertSqlSafe(format!("delete from {table}"));
        assert!(sqlx::query(delete).execute(&worker).await.is_err(), "{table}");
    }
    open.extend(readable);
    let closed: Vec<&String> = tables.iter().filter(|table| !open.contains(&table.as_str())).collect();
    assert!(closed.len() >= 14, "{closed:?}");
    for table in closed {
        for statement in [format!("select * from {table}"), format!("delete from {table}")] {
            let refused = sqlx::raw_sql(sqlx::AssertSqlSafe(statement.clone()))
                .execute(&worker)
                .await;
            let code = refused
                .unwrap_err()
                .into_database_error()
                .and_then(|error| error.code().map(|code| code.into_owned()));
            assert_eq!(code.as_deref(), Some("42501"), "{statement}");
        }
    }
    for statement in [
        "create table mine (x int)",
        "set role xvault",
        "delete from jobs",
        "create role mine",
    ] {
        assert!(sqlx::raw_sql(statement).execute(&worker).await.is_err(), "{statement}");
    }
}

#[tokio::test]
async fn the_recovery_sheet_is_an_identity_file_and_is_remembered() {
    let world = World::new().await;
    let before = world.viewer.get("/api/v1/me").await.expect(200);
    assert_eq!(before["tenant"]["recovery_sheet_at"], Value::Null);
    let sheet = world.admin.post("/api/v1/tenant/recovery-sheet", Value::Null).await;
    assert_eq!(sheet.headers["content-type"], "text/plain; charset=utf-8");
    let text = sheet.text();
    assert!(
        text.contains("age -d -i recovery-sheet.txt backup.tar.zst.enc | zstd -d | tar"),
        "{text}"
    );
    let identities = age::IdentityFile::from_buffer(text.as_bytes())
        .unwrap()
        .into_identities()
        .unwrap();
    assert_eq!(identities.len(), 1);
    let after = world.viewer.get("/api/v1/me").await.expect(200);
    assert!(after["tenant"]["recovery_sheet_at"].is_string());
    let audited: i64 = sqlx::query_scalar("select count(*) from audit_log where action = 'tenant.recovery_sheet'")
        .fetch_one(&world.pool)
        .await
        .unwrap();
    assert_eq!(audited, 1);
}
