//! A restore to a server by its pages: what would change, the target's name, what was restored.

use std::fs;

use super::{admin, markup::assert_sound, reload_until};
use crate::support::site::Site;

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_to_a_server_is_looked_at_confirmed_by_name_and_carried_out_by_pages() {
    let site = Site::start().await;
    let file = site.sshd.home().join("page.html");
    fs::write(&file, "as it was").unwrap();
    let snapshot = site.snapshot().await;
    fs::write(&file, "broken by somebody").unwrap();
    let mut browser = admin(&site.stack.hub.url).await;
    let address = format!("/snapshots/{snapshot}/restore-to-server");
    assert_eq!(
        browser.get(&format!("/snapshots/{snapshot}")).await.link(&address),
        address
    );
    let page = browser.get(&address).await;
    assert_sound(&page);
    let wrong = browser.submit(page.form(&address).set("into", "relative")).await;
    assert_sound(&wrong);
    assert!(wrong.text().contains("Must be an absolute path"), "{}", wrong.text());

    let job = browser.submit(page.form(&address)).await.path;
    let page = reload_until(&mut browser, &job, "What would change").await;
    assert_sound(&page);
    assert!(page.text().contains("Will be overwritten"), "{}", page.text());
    assert_eq!(fs::read_to_string(&file).unwrap(), "broken by somebody");
    let carry_out = format!("{job}/carry-out");
    let refused = browser.submit(page.form(&carry_out).set("confirm", "sight")).await;
    assert_sound(&refused);
    assert!(refused.text().contains("exact name"), "{}", refused.text());
    let job = browser.submit(page.form(&carry_out).set("confirm", "site")).await.path;
    let page = reload_until(&mut browser, &job, "What was restored").await;
    assert_sound(&page);
    assert!(page.text().contains("Overwritten: "), "{}", page.text());
    assert_eq!(fs::read_to_string(&file).unwrap(), "as it was");
}
