//! Input of every wrong kind answers 4xx, as a problem document, and never 5xx.

use reqwest::{Method, header};
use serde_json::{Value, json};

use super::world::{World, source};
use crate::support::http::Reply;

fn assert_problem(reply: &Reply, what: &str) {
    assert!(
        reply.status.is_client_error(),
        "{what}: {} {}",
        reply.status,
        reply.text()
    );
    assert_eq!(
        reply.headers[header::CONTENT_TYPE],
        "application/problem+json",
        "{what}"
    );
    let problem: Value = serde_json::from_slice(&reply.bytes).unwrap();
    assert_eq!(problem["status"], reply.status.as_u16(), "{what}");
    for field in ["type", "title", "detail"] {
        assert!(
            problem[field].as_str().is_some_and(|text| !text.is_empty()),
            "{what}: {field}"
        );
    }
}

/// Bodies that are no JSON, or JSON of a strange shape.
fn bodies() -> Vec<Vec<u8>> {
    let mut bodies: Vec<Vec<u8>> = [
        &b""[..],
        b"{",
        b"null",
        b"[]",
        b"\"text\"",
        b"0",
        b"1e999",
        b"\xff\xfe",
        b"{\"\\u0000\": 1}",
        b"{\"name\": \"a\\u0000b\"}",
        b"{\"name\": \"\\ud800\"}",
        b"{\"name\": {}}",
        b"{\"limit\": 99999999999999999999999999}",
        b"{\"paths\": [\"a\\u0000\"], \"format\": \"tar\"}",
        b"{\"format\": \"rar\"}",
        b"{\"format\": \"tar\", \"paths\": []}",
        b"{\"format\": \"tar\", \"paths\": [\"../x\"]}",
        b"{\"format\": \"tar\", \"paths\": [\"\\\\q\"]}",
        b"{\"fingerprint\": \"\"}",
        b"{\"role\": \"king\"}",
        b"{\"pinned\": 1}",
        b"{\"email\": \"a\\u0000@b.c\", \"role\": \"viewer\"}",
        b"{\"email\": \"x\", \"password\": \"\"}",
        b"{\"refresh_token\": \"\\u0000\"}",
        b"{\"token\": \"x\"}",
        b"{\"unknown\": true}",
    ]
    .map(<[u8]>::to_vec)
    .to_vec();
    bodies.push([vec![b'['; 100_000], vec![b']'; 100_000]].concat());
    bodies.push(format!("{{\"name\": \"{}\"}}", "x".repeat(100_000)).into_bytes());
    bodies
}

#[tokio::test]
async fn no_body_makes_any_call_fail_on_our_side() {
    let world = World::new().await;
    let source_id = world.source("web").await;
    let stored = world.snapshot(&source_id).await;
    let targets = [
        (Method::POST, "auth/login".to_owned()),
        (Method::POST, "auth/refresh".to_owned()),
        (Method::POST, "auth/logout".to_owned()),
        (Method::POST, "invitations/accept".to_owned()),
        (Method::POST, "api-keys".to_owned()),
        (Method::POST, "sources".to_owned()),
        (Method::PATCH, format!("sources/{source_id}")),
        (Method::PUT, format!("sources/{source_id}/identity")),
        (Method::POST, format!("jobs/{}/restore", stored.job)),
        (Method::POST, format!("snapshots/{}/restores", stored.id)),
        (Method::PATCH, format!("snapshots/{}", stored.id)),
        (Method::POST, "members".to_owned()),
        (Method::POST, "admin/tenants".to_owned()),
    ];
    for (method, path) in targets {
        for body in bodies() {
            let what = format!(
                "{method} {path} {}",
                String::from_utf8_lossy(&body[..body.len().min(80)])
            );
            let request = world.admin.request(method.clone(), &format!("/api/v1/{path}"));
            let reply = Reply::of(request.header(header::CONTENT_TYPE, "application/json").body(body)).await;
            // A patch of nothing, or signing out with an unknown token, is fine.
            if !reply.status.is_success() {
                assert_problem(&reply, &what);
            }
        }
        let request = world.admin.request(method.clone(), &format!("/api/v1/{path}"));
        let form = Reply::of(request.header(header::CONTENT_TYPE, "text/plain").body("a=b")).await;
        assert_eq!(form.status, 415, "{method} {path}");
        assert_problem(&form, &path);
    }
}

#[tokio::test]
async fn faults_point_at_their_fields() {
    let world = World::new().await;
    let mut many = source("");
    many["config"] = json!({"host": "-oProxyCommand=x", "port": 0, "user": "a b", "paths": ["/../etc", ""]});
    many["credentials"] = json!({"passphrase": "x"});
    let reply = world.operator.post("/api/v1/sources", many).await;
    assert_problem(&reply, "many faults");
    let problem = reply.expect(422);
    let pointers: Vec<&str> = problem["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|fault| fault["pointer"].as_str().unwrap())
        .collect();
    for pointer in [
        "/name",
        "/config/host",
        "/config/port",
        "/config/user",
        "/config/paths/0",
        "/config/paths/1",
        "/credentials",
        "/credentials/passphrase",
    ] {
        assert!(pointers.contains(&pointer), "{pointer} not in {pointers:?}");
    }
    let mut port = source("x");
    port["config"]["port"] = json!(65_536);
    let problem = world.operator.post("/api/v1/sources", port).await.expect(422);
    assert_eq!(problem["errors"][0]["pointer"], "/config/port");
}

#[tokio::test]
async fn strange_addresses_and_queries_are_refused() {
    let world = World::new().await;
    let source_id = world.source("web").await;
    let stored = world.snapshot(&source_id).await;
    for path in [
        "sources/src_0",
        "sources/x",
        "sources/%00",
        "sources/%ff%fe",
        "sources/src_%00",
        "sources/..%2f..%2fetc",
        &format!("sources/src_{}", "a".repeat(5000)),
        "jobs/src_0",
        "nothing/here",
        "",
    ] {
        let reply = world.admin.get(&format!("/api/v1/{path}")).await;
        assert_problem(&reply, path);
        assert_eq!(reply.status, 404, "{path}");
    }
    let files = format!("snapshots/{}/files", stored.id);
    let events = format!("jobs/{}/events", stored.job);
    for query in [
        "sources?limit=0",
        "sources?limit=201",
        "sources?limit=abc",
        "sources?limit=-1",
        "sources?limit=99999999999999999999",
        "sources?limit=",
        "sources?limit=1&limit=2",
        "sources?cursor=x",
        "sources?cursor=%00",
        "sources?cursor=job_0",
        "sources?cursor=",
        "sources?unknown=1",
        "jobs?state=done",
        "jobs?kind=%ff",
        "jobs?source_id=1%00",
        "snapshots?source_id=abc",
        "api-keys?limit=0",
        "members?cursor=%F0%28%8C%28",
        "workers?limit=x",
        "admin/tenants?limit=0",
        &format!("{events}?after=x"),
        &format!("{events}?after=9999999999999999999999"),
        &format!("{files}?limit=0"),
        &format!("{files}?limit=1000"),
        &format!("{files}?path=a%00b"),
        &format!("{files}?path=%5cq"),
    ] {
        let reply = world.admin.get(&format!("/api/v1/{query}")).await;
        assert_problem(&reply, query);
        assert_eq!(reply.status, 422, "{query}: {}", reply.text());
    }
}

#[tokio::test]
async fn wrong_methods_and_long_bodies_have_their_own_status() {
    let world = World::new().await;
    for (method, path) in [
        (Method::PUT, "/api/v1/sources"),
        (Method::DELETE, "/api/v1/me"),
        (Method::GET, "/api/v1/auth/login"),
        (Method::GET, "/internal/v1/jobs/job_0/secrets"),
    ] {
        let reply = Reply::of(world.admin.request(method, path)).await;
        assert_problem(&reply, path);
        assert_eq!(reply.status, 405, "{path}");
        assert!(reply.headers.contains_key(header::ALLOW), "{path}");
    }
    let long = json!({"name": "x".repeat(2_000_000)});
    for path in ["/api/v1/sources", "/api/v1/auth/login"] {
        let reply = world.admin.post(path, long.clone()).await;
        assert_problem(&reply, path);
        assert_eq!(reply.status, 413, "{path}");
    }
}

#[tokio::test]
async fn every_answer_is_guarded_and_has_an_id() {
    let world = World::new().await;
    for path in ["/api/v1/me", "/api/v1/nothing", "/healthz", "/sign-in", "/nowhere"] {
        let reply = world.hub.anonymous().get(path).await;
        let policy = reply.headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
        assert!(
            policy.starts_with("default-src 'none'") && policy.contains("frame-ancestors 'none'"),
            "{path}"
        );
        assert_eq!(reply.headers[header::X_CONTENT_TYPE_OPTIONS], "nosniff", "{path}");
        assert_eq!(reply.headers["x-request-id"].len(), 32, "{path}");
    }
}
