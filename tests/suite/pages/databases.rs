//! A database source by its pages: from the form to a stored dump, and what the form offers afterwards.

use super::{admin, markup::assert_sound, reload_until};
use crate::support::{
    certificates::Certificate,
    mariadb::{MariaDb, PASSWORD},
    xvault::Stack,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_database_is_added_approved_backed_up_and_chosen_by_pages() {
    let certificate = Certificate::self_signed("127.0.0.1");
    let (stack, server) = (Stack::start().await, MariaDb::with_tls(&certificate));
    for name in ["shop", "blog"] {
        server.sql(&format!("create database {name}"));
        server.sql_in(name, "create table t (id int) engine=innodb; insert into t values (1)");
    }
    server.grant("shop");
    let mut browser = admin(&stack.hub.url).await;
    let page = browser.get("/sources/new?kind=mysql").await;
    assert_sound(&page);
    let form = page
        .form("/sources/new")
        .set("name", "db")
        .set("host", "127.0.0.1")
        .set("port", &server.port.to_string())
        .set("user", "dump")
        .set("password", PASSWORD);
    let wrong = browser
        .submit(form.clone().set("databases_all", "no").set("jump_host", "-x"))
        .await;
    assert_eq!(wrong.status, 422);
    assert_sound(&wrong);

    let source = browser.submit(form).await.path;
    let identity = format!("{source}/identity");
    let page = reload_until(&mut browser, &source, "It matches, approve").await;
    assert_sound(&page);
    assert!(page.text().contains(&certificate.fingerprint()), "{}", page.text());
    browser.submit(page.form(&identity)).await;
    let page = reload_until(&mut browser, &source, "What the check found").await;
    assert_sound(&page);

    let page = reload_until(&mut browser, &source, "Ready for the first backup").await;
    let job = browser.submit(page.form(&format!("{source}/backups"))).await.path;
    let page = reload_until(&mut browser, &job, "Succeeded").await;
    assert_sound(&page);
    let snapshot = page.link("/snapshots/");
    let files = browser.get(&format!("{snapshot}/files?path=/databases")).await;
    assert!(
        files.text().contains("shop.sql") && files.text().contains("shop.json"),
        "{}",
        files.text()
    );

    let page = browser.get(&snapshot).await;
    assert_sound(&page);
    assert!(page.text().contains("databases/shop.sql"), "{}", page.text());
    let order = browser.submit(page.form(&format!("{snapshot}/restore"))).await;
    assert_sound(&order);
    assert!(
        order.html.contains(r#"name="pick" value="databases/shop.sql""#),
        "{}",
        order.text()
    );
    let everything = browser.get(&format!("{snapshot}/restore")).await;
    let loads = "Loads shop into the new database shop_restored";
    assert!(everything.text().contains(loads), "{}", everything.text());
    let job = browser
        .submit(everything.form(&format!("{snapshot}/restore")))
        .await
        .path;
    let page = reload_until(&mut browser, &job, "Your download is ready").await;
    assert_sound(&page);
    assert!(page.text().contains(loads), "{}", page.text());

    // What the probe saw is what the form offers; the login sees one database only.
    let edit = browser.get(&format!("{source}/edit")).await;
    assert_sound(&edit);
    assert!(edit.html.contains(r#"name="database" value="shop""#), "{}", edit.text());
    assert!(!edit.html.contains("blog"));
    let chosen = edit
        .form(&format!("{source}/edit"))
        .set("databases_all", "no")
        .set("databases", "blog")
        .add("database", "shop");
    browser.submit(chosen).await;
    let page = reload_until(&mut browser, &source, "Missing rights").await;
    assert_sound(&page);
    assert!(
        page.text()
            .contains("GRANT SELECT, SHOW VIEW, TRIGGER, EVENT ON `blog`.* TO 'dump'@'%';")
    );
}
