//! A WordPress source by its pages: from the form to a stored site, and what the pages tell of it.

use std::fs;

use super::{admin, markup::assert_sound, reload_until};
use crate::{
    support::{ssh_keys, xvault::Stack},
    wordpress::stage::Blog,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_site_is_added_checked_backed_up_and_shown_by_pages() {
    let (stack, blog) = (Stack::start().await, Blog::start());
    let root = blog.site("www", &blog.config(&blog.tcp()));
    fs::remove_dir_all(root.join("wp-content/uploads")).unwrap();
    let mut browser = admin(&stack.hub.url).await;
    let page = browser.get("/sources/new?kind=wordpress").await;
    assert_sound(&page);
    let form = page
        .form("/sources/new")
        .set("name", "blog")
        .set("host", "127.0.0.1")
        .set("port", &blog.ssh.port.to_string())
        .set("user", &blog.ssh.user)
        .set("private_key", &ssh_keys::accepted().private);
    let wrong = browser.submit(form.clone().set("path", "/")).await;
    assert_eq!(wrong.status, 422);
    assert_sound(&wrong);

    // A directory that is no site: told, although signing in works.
    let source = browser
        .submit(form.set("path", root.parent().unwrap().to_str().unwrap()))
        .await
        .path;
    let page = reload_until(&mut browser, &source, "It matches, approve").await;
    browser.submit(page.form(&format!("{source}/identity"))).await;
    let page = reload_until(&mut browser, &source, "A backup would fail").await;
    assert_sound(&page);
    assert!(page.text().contains("no wp-config.php belongs to"), "{}", page.text());

    let edit = browser.get(&format!("{source}/edit")).await;
    assert_sound(&edit);
    let form = edit.form(&format!("{source}/edit")).set("path", root.to_str().unwrap());
    browser.submit(form).await;
    let page = reload_until(&mut browser, &source, "https://blog.example.com").await;
    assert_sound(&page);
    assert!(page.text().contains("12 tables beginning with wp_"), "{}", page.text());

    let job = browser.submit(page.form(&format!("{source}/backups"))).await.path;
    let page = reload_until(&mut browser, &job, "Succeeded").await;
    assert_sound(&page);
    assert!(page.text().contains("Database as of"), "{}", page.text());
    let snapshot = browser.get(&page.link("/snapshots/")).await;
    assert_sound(&snapshot);
    for text in ["The site", "At most apart", "https://blog.example.com"] {
        assert!(snapshot.text().contains(text), "{text}: {}", snapshot.text());
    }
    let files = browser.get(&format!("{}/files?path=/", snapshot.path)).await;
    for file in ["databases", "wordpress.json"] {
        assert!(files.text().contains(file), "{}", files.text());
    }
}
