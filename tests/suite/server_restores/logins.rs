//! A login that is for one job only.

use std::fs;

use serde_json::{Value, json};

use super::stage::{Stage, add_other, succeeded};
use crate::support::{
    eventually::{SOON, eventually},
    ssh_keys,
    sshd::{Login, Setup},
};

/// How many credentials of jobs the database holds.
async fn held(stage: &Stage) -> i64 {
    let pool = stage.site.stack.database.pool().await;
    sqlx::query_scalar("select count(*) from job_credentials")
        .fetch_one(&pool)
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_for_one_job_is_used_and_gone_with_the_job_however_it_ends() {
    let setup = Setup {
        login: Login::Fresh,
        ..Setup::default()
    };
    let mut stage = Stage::new(setup, |home| fs::write(home.join("file"), "x").unwrap()).await;
    // A source that can be read by nobody just now: its key is unknown to the server.
    let target = add_other(&stage, "closed", json!({"private_key": ssh_keys::unknown().private})).await;
    let order = |credentials: Value| json!({"target_source_id": target, "confirm": "closed", "into": stage.other.home(), "credentials": credentials});
    let refused = stage.restore(order(Value::Null)).await;
    assert_eq!(refused["error"]["code"], "key_rejected", "{refused}");

    let login = json!({"user": stage.other.user, "password": stage.other.password()});
    let job = stage.restore(order(login.clone())).await;
    succeeded(&job);
    assert!(!job.to_string().contains(stage.other.password()), "{job}");
    assert_eq!(held(&stage).await, 0);

    let wrong = stage.restore(order(json!({"password": "wrong"}))).await;
    assert_eq!(wrong["error"]["code"], "auth_failed", "{wrong}");
    assert_eq!(held(&stage).await, 0);

    // Cancelled while its worker is gone: nobody but the database knows.
    stage.site.stack.worker.process.kill();
    let path = format!("/api/v1/snapshots/{}/restores-to-source", stage.snapshot);
    let mut body = json!({"target_source_id": target, "confirm": "closed", "dry_run": false});
    body["credentials"] = login;
    let job = stage.site.api.post(&path, body).await.expect(202)["job"]["id"].clone();
    assert_eq!(held(&stage).await, 1);
    let cancel = format!("/api/v1/jobs/{}/cancel", job.as_str().unwrap());
    stage.site.api.post(&cancel, json!({})).await.expect(202);
    eventually("the login is gone", SOON, async || held(&stage).await == 0).await;
}
