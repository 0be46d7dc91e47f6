//! A site through the whole product, by the API: stored, told, proven by loading it, restored into another database.

use std::{fs, os::unix::fs::PermissionsExt};

use serde_json::json;

use super::stage::Blog;
use crate::{
    server_restores::stage::{approve, count, succeeded},
    support::{mariadb, scratch::temp_dir, site::Site, ssh_keys, sshd::Setup},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_sites_snapshot_says_its_moments_is_proven_and_goes_back_into_a_database() {
    let tmp = temp_dir("t");
    fs::set_permissions(tmp.path(), fs::Permissions::from_mode(0o711)).unwrap();
    let worker = [("XVAULT_TMP_DIR", tmp.path().display().to_string())];
    let mut site = Site::with(Setup::default(), &worker).await;
    let blog = Blog::start();
    let root = blog.site("www", &blog.config(&blog.tcp()));
    let body = json!({
        "name": "blog",
        "kind": "wordpress",
        "config": {"host": "127.0.0.1", "port": blog.ssh.port, "user": blog.ssh.user, "path": root},
        "credentials": {"private_key": ssh_keys::accepted().private},
    });
    let mut wrong = body.clone();
    wrong["config"]["path"] = "/".into();
    site.api.post("/api/v1/sources", wrong).await.expect(422);
    let source = site.api.post("/api/v1/sources", body).await.expect(201);
    site.source = source["id"].as_str().unwrap().to_owned();
    approve(&site, &site.source, &blog.ssh).await;

    let job = site.over(&site.back_up().await).await;
    assert_eq!(job["state"], "succeeded", "{job}");
    let told = &job["result"]["site"];
    assert_eq!(
        (&told["table_prefix"], &told["database"]),
        (&"wp_".into(), &"blog".into()),
        "{told}"
    );
    for moment in ["database_as_of", "files_from", "files_until"] {
        assert!(told[moment].is_string(), "{told}");
    }
    assert!(told["apart_seconds"].is_u64(), "{told}");
    let snapshot = format!("/api/v1/snapshots/{}", job["snapshot_id"].as_str().unwrap());

    let answer = site
        .api
        .post(&format!("{snapshot}/verify"), json!({"level": "restore"}))
        .await
        .expect(202);
    let proof = site.over(answer["job"]["id"].as_str().unwrap()).await;
    assert_eq!(proof["state"], "succeeded", "{proof}");
    let found = site.api.get(&snapshot).await.expect(200);
    assert_eq!(found["restore_proof"]["databases"][0]["name"], "blog", "{found}");

    let config = json!({"host": "127.0.0.1", "port": blog.server.port, "user": "dump", "tls": "none"});
    let body = json!({"name": "db", "kind": "mysql", "config": config, "credentials": {"password": mariadb::PASSWORD}});
    let target = site.api.post("/api/v1/sources", body).await.expect(201);
    blog.server
        .sql("create user writer@'%' identified by 'write'; grant all on *.* to writer@'%'");
    let order = json!({
        "target_source_id": target["id"], "dry_run": false, "confirm": "db", "databases": {"blog": "back"},
        "credentials": {"user": "writer", "password": "write"},
    });
    let answer = site
        .api
        .post(&format!("{snapshot}/restores-to-source"), order)
        .await
        .expect(202);
    let report = succeeded(&site.over(answer["job"]["id"].as_str().unwrap()).await);
    assert_eq!(count(&report, "create"), 1, "{report}");
    assert_eq!(blog.everything("blog"), blog.everything("back"));
}
