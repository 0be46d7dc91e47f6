//! Restoring dumps of databases: as files to be loaded at once, with the command that loads them.

use std::time::Duration;

use serde_json::{Value, json};
use xvault::{
    db::{exports, jobs},
    domain::{
        export::NewExport,
        job::{ExportFormat, JobPayload},
    },
    queue::route,
};

use super::{browser::Browser, markup::assert_sound};
use crate::{
    api::world::{PASSWORD, World},
    support::catalogue,
};

/// The command of the page, as a person would copy it.
const COMMAND: &str = "mysql -u root -p -e 'CREATE DATABASE `shop_restored`' && mysql -u root -p \
                       --default-character-set=utf8mb4 -- shop_restored < xvault-1-shop.sql";

#[tokio::test(flavor = "multi_thread")]
async fn a_chosen_dump_comes_as_it_is_with_the_command_that_loads_it() {
    let world = World::new().await;
    let source = world.source("db").await;
    let stored = world.snapshot(&source).await;
    let mut browser = Browser::signed_in(&world.hub.url, "operator@example.com", PASSWORD).await;
    let order = format!("/snapshots/{}/restore", stored.id);

    let page = browser.get(&format!("{order}?chosen=1&pick=databases/shop.sql")).await;
    assert_sound(&page);
    assert!(
        page.text().contains("Loads shop into the new database shop_restored"),
        "{}",
        page.text()
    );
    let form = page.form(&order);
    assert!(
        form.fields.contains(&("format".into(), "file".into())),
        "{:?}",
        form.fields
    );

    let job = browser.submit(form).await;
    let claimed = world.claim(&route::of_worker(&stored.worker), &stored.worker).await;
    let JobPayload::Restore { export_id, format, .. } = claimed.job.payload.clone() else {
        panic!("{:?}", claimed.job.payload)
    };
    assert_eq!(format, ExportFormat::File);
    let mut conn = world.pool.acquire().await.unwrap();
    let export = NewExport {
        id: export_id,
        tenant_id: world.tenant.clone(),
        job_id: claimed.job.id.clone(),
        snapshot_id: stored.id.parse().unwrap(),
        worker_id: stored.worker.clone(),
        format,
        file_name: "xvault-1-shop.sql".into(),
        token_hash: vec![0; 32],
        bytes: 5,
        sha256: "a".repeat(64),
    };
    exports::insert(&mut conn, &export, Duration::from_secs(60))
        .await
        .unwrap();
    let finished = jobs::finish(&mut conn, &claimed.lease, &catalogue::done()).await;
    assert!(finished.unwrap());

    let ready = browser.get(&job.path).await;
    assert_sound(&ready);
    assert!(ready.text().contains("Your download is ready"), "{}", ready.text());
    assert!(ready.text().contains(COMMAND), "{}", ready.text());
    let job = world
        .operator
        .get(&format!("/api/v1/jobs/{}", claimed.job.id))
        .await
        .expect(200);
    assert_eq!(job["result"]["load"][0]["command"], COMMAND);
}

#[tokio::test(flavor = "multi_thread")]
async fn several_dumps_are_packed_and_the_page_says_so() {
    let world = World::new().await;
    let source = world.source("db").await;
    let stored = world.snapshot(&source).await;
    let mut browser = Browser::signed_in(&world.hub.url, "operator@example.com", PASSWORD).await;
    let address = format!(
        "/snapshots/{}/restore?chosen=1&pick=databases/shop.dump&pick=databases/globals.sql",
        stored.id
    );
    let page = browser.get(&address).await;
    assert_sound(&page);
    let text = page.text();
    assert!(text.contains("Unpack the download first"), "{text}");
    let (roles, database) = (
        text.find("psql --dbname=postgres"),
        text.find("pg_restore --exit-on-error"),
    );
    assert!(
        roles.is_some() && roles < database,
        "roles come before what belongs to them: {text}"
    );
    assert!(text.contains("databases/shop.dump"), "{text}");
    assert!(!page.html.contains("value=\"file\""), "one file cannot hold two");

    for paths in [json!(["databases/shop.dump", "databases/globals.sql"]), Value::Null] {
        let order = json!({"format": "file", "paths": paths});
        let path = format!("/api/v1/snapshots/{}/restores", stored.id);
        let problem = world.operator.post(&path, order).await.expect(422);
        assert_eq!(problem["errors"][0]["pointer"], "/paths", "{problem}");
    }
}
