//! Who may call what, and that another tenant's things do not exist.

use reqwest::Method;
use serde_json::{Value, json};

use super::world::{PASSWORD, Stored, World, id_of, source};
use crate::support::http::{Api, Reply};

struct Call {
    method: Method,
    path: String,
    body: Value,
    /// `viewer`, `operator`, `owner` or `platform`.
    least: &'static str,
}

fn calls(source_id: &str, stored: &Stored, key: &str, member: &str) -> Vec<Call> {
    let call = |least, method: Method, path: &str, body| {
        let path = path
            .replace("{source}", source_id)
            .replace("{snapshot}", &stored.id)
            .replace("{job}", &stored.job)
            .replace("{key}", key)
            .replace("{member}", member);
        Call {
            method,
            path: format!("/api/v1/{path}"),
            body,
            least,
        }
    };
    let (get, post, put) = (Method::GET, Method::POST, Method::PUT);
    let restore = json!({"format": "tar"});
    let print = json!({"fingerprint": "SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU"});
    vec![
        call("viewer", get.clone(), "me", Value::Null),
        call("viewer", get.clone(), "sources", Value::Null),
        call("viewer", get.clone(), "sources/{source}", Value::Null),
        call("viewer", get.clone(), "jobs", Value::Null),
        call("viewer", get.clone(), "jobs/{job}", Value::Null),
        call("viewer", get.clone(), "jobs/{job}/events", Value::Null),
        call("viewer", get.clone(), "snapshots", Value::Null),
        call("viewer", get.clone(), "snapshots/{snapshot}", Value::Null),
        call("viewer", get.clone(), "snapshots/{snapshot}/files", Value::Null),
        call("operator", post.clone(), "sources", source("another")),
        call("operator", Method::PATCH, "sources/{source}", json!({"name": "web"})),
        call("operator", put, "sources/{source}/identity", print),
        call("operator", post.clone(), "sources/{source}/probe", Value::Null),
        call("operator", post.clone(), "sources/{source}/backups", Value::Null),
        call("operator", post.clone(), "jobs/{job}/cancel", Value::Null),
        call("operator", post.clone(), "jobs/{job}/restore", restore.clone()),
        call("operator", post.clone(), "snapshots/{snapshot}/restores", restore),
        call(
            "operator",
            post.clone(),
            "snapshots/{snapshot}/restores-to-source",
            json!({"target_source_id": source_id, "dry_run": true}),
        ),
        call("operator", post.clone(), "snapshots/{snapshot}/verify", Value::Null),
        call(
            "operator",
            Method::PATCH,
            "snapshots/{snapshot}",
            json!({"pinned": true}),
        ),
        call("owner", get.clone(), "api-keys", Value::Null),
        call(
            "owner",
            post.clone(),
            "api-keys",
            json!({"name": "k", "role": "viewer"}),
        ),
        call("owner", Method::DELETE, "api-keys/{key}", Value::Null),
        call("owner", get.clone(), "members", Value::Null),
        call(
            "owner",
            post.clone(),
            "members",
            json!({"email": "new@example.com", "role": "viewer"}),
        ),
        call("owner", Method::PATCH, "members/{member}", json!({"role": "viewer"})),
        call("owner", Method::DELETE, "members/{member}", Value::Null),
        call("owner", post.clone(), "tenant/recovery-sheet", Value::Null),
        call("owner", Method::DELETE, "snapshots/{snapshot}", Value::Null),
        call("owner", Method::DELETE, "sources/{source}", Value::Null),
        call("viewer", get.clone(), "alerts", Value::Null),
        call("platform", get.clone(), "workers", Value::Null),
        call("platform", get.clone(), "workers/wrk_0", Value::Null),
        call("platform", post.clone(), "workers/wrk_0/drain", Value::Null),
        call("platform", post.clone(), "workers/wrk_0/undrain", Value::Null),
        call("platform", post.clone(), "workers/wrk_0/retire", json!({"confirm": ""})),
        call("platform", get, "admin/tenants", Value::Null),
        call(
            "platform",
            post,
            "admin/tenants",
            json!({"name": "T", "owner": {"email": "t@example.com", "password": PASSWORD}}),
        ),
    ]
}

async fn send(api: &Api, call: &Call) -> Reply {
    let request = api.request(call.method.clone(), &call.path);
    Reply::of(if call.body.is_null() {
        request
    } else {
        request.json(&call.body)
    })
    .await
}

const RANKS: [&str; 4] = ["viewer", "operator", "owner", "platform"];

fn rank(role: &str) -> usize {
    RANKS.iter().position(|rank| *rank == role).unwrap()
}

async fn everything(world: &World) -> Vec<Call> {
    let source = world.source("web").await;
    let stored = world.snapshot(&source).await;
    let key = json!({"name": "k", "role": "viewer"});
    let key = world.admin.post("/api/v1/api-keys", key).await.expect(201);
    let member = json!({"email": "member@example.com", "role": "viewer", "password": PASSWORD});
    let member = world.admin.post("/api/v1/members", member).await.expect(201);
    calls(&source, &stored, &id_of(&key), &id_of(&member))
}

#[tokio::test]
async fn each_role_may_do_what_it_includes_and_nothing_more() {
    let world = World::new().await;
    let calls = everything(&world).await;
    let owner = json!({"email": "owner@example.com", "role": "owner", "password": PASSWORD});
    world.admin.post("/api/v1/members", owner).await.expect(201);
    let owner = world.hub.anonymous().sign_in("owner@example.com", PASSWORD).await;
    // From the weakest on, so that what the stronger ones remove is still there.
    let people = [
        ("viewer", &world.viewer),
        ("operator", &world.operator),
        ("owner", &owner),
        ("platform", &world.admin),
    ];
    for (role, api) in people {
        for call in &calls {
            let status = send(api, call).await.status.as_u16();
            let what = format!("{role}: {} {}", call.method, call.path);
            if rank(role) < rank(call.least) {
                assert_eq!(status, 403, "{what}");
            } else {
                assert!(![401, 403].contains(&status) && status != 500, "{what}: {status}");
            }
        }
    }
    for call in &calls {
        assert_eq!(
            send(&world.hub.anonymous(), call).await.status,
            401,
            "{} {}",
            call.method,
            call.path
        );
    }
}

#[tokio::test]
async fn another_tenants_things_do_not_exist() {
    let world = World::new().await;
    let calls = everything(&world).await;
    let mut tried = 0;
    let of_tenants = |call: &&Call| call.path.contains('_') && call.least != "platform";
    for call in calls.iter().filter(of_tenants) {
        let reply = send(&world.stranger, call).await;
        let known = reply.status;
        let body = reply.text();
        assert_eq!(known, 404, "{} {}: {body}", call.method, call.path);
        // Somebody else's id and one that never was answer the same.
        let (path, last) = call.path.split_at(call.path.find('_').unwrap() + 1);
        let end = last.find('/').unwrap_or(last.len());
        let nobody = Call {
            path: format!("{path}{}{}", "0".repeat(32), &last[end..]),
            method: call.method.clone(),
            body: call.body.clone(),
            least: call.least,
        };
        assert_eq!(send(&world.stranger, &nobody).await.text(), body, "{}", nobody.path);
        tried += 1;
    }
    assert!(tried >= 19, "{tried}");
    for list in ["sources", "jobs", "snapshots"] {
        let found = world.stranger.get(&format!("/api/v1/{list}")).await.expect(200);
        assert_eq!(found["items"], json!([]), "{list}");
    }
    let filtered = calls.iter().find(|call| call.path.contains("/sources/src_")).unwrap();
    let source = filtered.path.split('/').nth(4).unwrap();
    for list in ["jobs", "snapshots"] {
        let path = format!("/api/v1/{list}?source_id={source}");
        assert_eq!(world.stranger.get(&path).await.expect(200)["items"], json!([]));
    }
}
