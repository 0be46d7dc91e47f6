//! Workers and alerts, for people who can act and people who can only know.

use serde_json::json;

use super::{admin, browser::Browser, markup::assert_sound, reload_until};
use crate::support::site::Site;

async fn silence(site: &Site) {
    let pool = site.stack.database.pool().await;
    let silent = sqlx::query("update workers set last_seen_at = now() - interval '1 hour'");
    silent.execute(&pool).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_is_drained_and_retired_without_javascript() {
    let mut site = Site::start().await;
    std::fs::write(site.sshd.home().join("file"), "content").unwrap();
    let snapshot = site.snapshot().await;
    let mut browser = admin(&site.stack.hub.url).await;
    let list = browser.get("/workers").await;
    assert_sound(&list);
    let path = list.link("/workers/wrk_");
    let page = browser.get(&path).await;
    assert_sound(&page);
    assert!(page.text().contains("1 snapshots"), "{}", page.text());
    assert!(!page.has_form(&format!("{path}/retire")), "it runs");

    let drained = browser.submit(page.form(&format!("{path}/drain"))).await;
    assert_sound(&drained);
    assert_eq!(drained.path, path);
    assert!(drained.text().contains("It is drained"), "{}", drained.text());
    let again = browser.submit(drained.form(&format!("{path}/undrain"))).await;
    assert!(again.text().contains("Takes whatever is due"), "{}", again.text());

    site.stack.worker.process.kill();
    silence(&site).await;
    let order = format!("/api/v1/snapshots/{snapshot}/restores");
    let answer = site.api.post(&order, json!({"format": "tar"})).await.expect(202);
    let job = format!("/jobs/{}", answer["job"]["id"].as_str().unwrap());
    let waiting = browser.get(&job).await;
    assert_sound(&waiting);
    assert!(waiting.text().contains("it has been away since"), "{}", waiting.text());
    let banner = reload_until(&mut browser, "/sources", "No worker is online").await;
    let alerts = browser.get(&banner.link("/alerts")).await;
    assert_sound(&alerts);
    for said in [
        "Only it has 1 snapshots",
        "1 of your snapshots lies on worker",
        "1 jobs wait for it",
    ] {
        assert!(alerts.text().contains(said), "{said}: {}", alerts.text());
    }

    let page = browser.get(&path).await;
    assert_sound(&page);
    for said in ["Away", "Restore", "1 snapshots", "1 waiting jobs end"] {
        assert!(page.text().contains(said), "{said}: {}", page.text());
    }
    let form = page.form(&format!("{path}/retire"));
    let wrong = browser.submit(form.clone().set("confirm", "yes")).await;
    assert_eq!(wrong.status, 422);
    assert_sound(&wrong);
    assert!(wrong.text().contains("That is not its id"), "{}", wrong.text());
    let id = path.trim_start_matches("/workers/").to_owned();
    let retired = browser.submit(form.set("confirm", &id)).await;
    assert_sound(&retired);
    assert!(retired.text().contains("Retired for ever"), "{}", retired.text());
    let failed = browser.get(&job).await.text();
    assert!(failed.contains("was retired before it could do this"), "{failed}");
    assert!(browser.get("/workers").await.text().contains("Retired (1)"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_sees_only_what_concerns_it() {
    let mut site = Site::start().await;
    std::fs::write(site.sshd.home().join("file"), "content").unwrap();
    site.snapshot().await;
    let owner = json!({"email": "owner@other.example", "password": "another long password"});
    let tenant = json!({"name": "Other", "owner": owner});
    site.api.post("/api/v1/admin/tenants", tenant).await.expect(201);
    site.stack.worker.process.kill();
    silence(&site).await;
    let url = &site.stack.hub.url;
    let mut theirs = Browser::signed_in(url, "owner@other.example", "another long password").await;
    let alerts = reload_until(&mut theirs, "/alerts", "No worker is online").await;
    assert_sound(&alerts);
    for hidden in ["of your snapshots", "/workers", "Worker "] {
        assert!(!alerts.html.contains(hidden), "{hidden}: {}", alerts.text());
    }
    for action in ["drain", "undrain", "retire"] {
        let form = super::Form {
            action: format!("/workers/wrk_0/{action}"),
            ..alerts.form("/sign-out")
        };
        assert_eq!(theirs.submit(form).await.status, 403, "{action}");
    }
    assert_eq!(theirs.get("/workers/wrk_0").await.status, 403);
}
