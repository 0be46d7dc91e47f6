//! Orders that are refused, and whose fault it is.

use std::fs;

use serde_json::{Value, json};

use super::stage::{Stage, add_other, approve};
use crate::support::{ssh_keys, sshd::Setup};

async fn stage() -> Stage {
    Stage::new(Setup::default(), |home| fs::write(home.join("file"), "x").unwrap()).await
}

/// The fields that a refused order names.
async fn fields(stage: &Stage, order: Value) -> Vec<String> {
    let refused = stage.ask(order).await.expect(422);
    let errors = refused["errors"].as_array().expect("a list");
    errors
        .iter()
        .map(|error| error["pointer"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_exact_name_of_the_target_confirms_a_restore() {
    let stage = stage().await;
    for wrong in [json!(null), json!(""), json!("Other"), json!("site")] {
        assert_eq!(fields(&stage, json!({"confirm": wrong})).await, ["/confirm"], "{wrong}");
    }
    let into = stage.other.home();
    stage.ask(json!({"confirm": "other", "into": into})).await.expect(202);
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_orders_are_refused_with_the_field_named() {
    let stage = stage().await;
    for into in ["relative", "", "/srv/../etc", "/a\0b"] {
        assert_eq!(fields(&stage, json!({"into": into})).await, ["/into"], "{into:?}");
    }
    let many: Vec<String> = (0..2000).map(|i| format!("p{i}")).collect();
    assert_eq!(fields(&stage, json!({"paths": many})).await, ["/paths"]);
    assert_eq!(fields(&stage, json!({"paths": []})).await, ["/paths"]);
    assert_eq!(fields(&stage, json!({"paths": ["../etc"]})).await, ["/paths/0"]);
    assert_eq!(fields(&stage, json!({"existing": "delete"})).await, ["/existing"]);
    let nobody = json!({"credentials": {"user": "www-data"}, "owners": true});
    assert_eq!(fields(&stage, nobody).await, ["/owners"]);
    let option = json!({"credentials": {"user": "-oProxyCommand=x", "password": "p"}});
    assert_eq!(fields(&stage, option).await, ["/credentials/user"]);
    assert_eq!(
        fields(&stage, json!({"credentials": {"password": "two\nlines"}})).await,
        ["/credentials/password"]
    );
    let unknown = json!({"target_source_id": "src_0000000000000000000000000"});
    let refused = stage.ask(unknown).await;
    assert!(matches!(refused.status.as_u16(), 404 | 422), "{}", refused.status);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_must_be_of_a_fitting_kind_and_approved() {
    let stage = stage().await;
    let key = json!({"private_key": ssh_keys::accepted().private});
    let body = json!({"name": "stranger", "kind": "ssh", "config": stage.other.config(&["/srv"]), "credentials": key});
    let stranger = stage.site.api.post("/api/v1/sources", body).await.expect(201);
    let order = json!({"target_source_id": stranger["id"], "confirm": "stranger"});
    assert_eq!(fields(&stage, order.clone()).await, ["/target_source_id"]);
    approve(&stage.site, stranger["id"].as_str().unwrap(), &stage.other).await;
    let dry = json!({"target_source_id": stranger["id"], "dry_run": true});
    stage.ask(dry).await.expect(202);

    let config = json!({"host": "127.0.0.1", "user": "root", "databases": "all", "tls": "none"});
    let body = json!({"name": "db", "kind": "mysql", "config": config, "credentials": {"password": "p"}});
    let database = stage.site.api.post("/api/v1/sources", body).await.expect(201);
    let order = json!({"target_source_id": database["id"], "confirm": "db"});
    assert_eq!(fields(&stage, order).await, ["/target_source_id"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_order_is_one_job() {
    let stage = stage().await;
    let target = add_other(&stage, "again", json!({"private_key": ssh_keys::accepted().private})).await;
    let path = format!("/api/v1/snapshots/{}/restores-to-source", stage.snapshot);
    let body = json!({"target_source_id": target, "dry_run": true, "into": "/"});
    let mut jobs = Vec::new();
    for _ in 0..2 {
        let request = stage.site.api.request(reqwest::Method::POST, &path);
        let request = request.header("Idempotency-Key", "once").json(&body);
        let answer = crate::support::http::Reply::of(request).await.expect(202);
        jobs.push(answer["job"]["id"].clone());
    }
    assert_eq!(jobs[0], jobs[1]);
}
