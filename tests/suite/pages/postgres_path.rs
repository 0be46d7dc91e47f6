//! A PostgreSQL source by its pages: from the form to a stored dump and the command that loads it.

use super::{admin, markup::assert_sound, reload_until};
use crate::support::{
    certificates::Certificate,
    pg_source::{PASSWORD, PgSource},
    xvault::Stack,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_postgres_database_is_added_approved_backed_up_and_chosen_by_pages() {
    let certificate = Certificate::self_signed("127.0.0.1");
    let (stack, server) = (Stack::start().await, PgSource::with_tls(&certificate));
    server.sql("postgres", "create database shop");
    server.sql("shop", "create table t as select 1 as id");
    let mut browser = admin(&stack.hub.url).await;
    let page = browser.get("/sources/new?kind=postgres").await;
    assert_sound(&page);
    let form = page
        .form("/sources/new")
        .set("name", "db")
        .set("host", "127.0.0.1")
        .set("port", &server.port.to_string())
        .set("user", "dump")
        .set("password", PASSWORD);
    let source = browser.submit(form).await.path;
    let identity = format!("{source}/identity");
    let page = reload_until(&mut browser, &source, "It matches, approve").await;
    assert_sound(&page);
    let text = page.text();
    assert!(
        text.contains(&certificate.fingerprint()) && text.contains("-starttls postgres"),
        "{text}"
    );
    browser.submit(page.form(&identity)).await;
    reload_until(&mut browser, &source, "What the check found").await;

    // What the probe saw is what the form offers.
    let edit = browser.get(&format!("{source}/edit")).await;
    assert_sound(&edit);
    assert!(edit.html.contains(r#"name="database" value="shop""#), "{}", edit.text());
    let chosen = edit
        .form(&format!("{source}/edit"))
        .set("databases_all", "no")
        .add("database", "shop");
    browser.submit(chosen).await;
    let page = reload_until(&mut browser, &source, "Ready for the first backup").await;
    assert_sound(&page);
    let job = browser.submit(page.form(&format!("{source}/backups"))).await.path;
    let page = reload_until(&mut browser, &job, "Succeeded").await;
    let snapshot = page.link("/snapshots/");
    let files = browser.get(&format!("{snapshot}/files?path=/databases")).await;
    assert_sound(&files);
    for file in ["shop.dump", "shop.json", "globals.sql"] {
        assert!(files.text().contains(file), "{}", files.text());
    }
    assert!(!files.text().contains("postgres.dump"), "{}", files.text());

    let page = browser.get(&snapshot).await;
    assert!(
        page.text().contains("Not restored and checked so far"),
        "{}",
        page.text()
    );
    let prove = page.form(&format!("{snapshot}/verify")).add("level", "restore");
    let job = browser.submit(prove).await.path;
    let page = reload_until(&mut browser, &job, "Succeeded").await;
    assert!(page.text().contains("Restored and checked in"), "{}", page.text());
    let page = browser.get(&snapshot).await;
    assert_sound(&page);
    for told in ["Restored and checked", "PostgreSQL 1", "shop"] {
        assert!(page.text().contains(told), "{told}: {}", page.text());
    }
}
