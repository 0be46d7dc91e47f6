//! Members, invitations, keys, the recovery sheet, colours.

use super::{admin, browser::Browser, markup::assert_sound, reload_until};
use crate::support::{
    postgres::Database,
    xvault::{ADMIN_EMAIL, Hub, Stack},
};

#[tokio::test(flavor = "multi_thread")]
async fn an_invited_member_chooses_a_password_once() {
    let database = Database::new().await;
    let hub = Hub::start(&database, &[]).await;
    let mut owner = admin(&hub.url).await;
    let members = owner.get("/settings/members").await;
    assert_sound(&members);
    let wrong = owner
        .submit(members.form("/settings/members").set("email", "no address"))
        .await;
    assert_eq!(wrong.status, 422);
    assert!(wrong.text().contains("Is not an e-mail address"), "{}", wrong.text());
    let form = wrong
        .form("/settings/members")
        .set("email", "Kim@Example.com")
        .set("role", "operator");
    let added = owner.submit(form).await;
    assert_sound(&added);
    let link = added
        .text()
        .split_whitespace()
        .find(|word| word.contains("/invitations/"))
        .expect("a link")
        .to_owned();
    let path = link.strip_prefix(&hub.url).expect("a link to this hub").to_owned();

    let mut kim = Browser::new(&hub.url);
    let page = kim.get(&path).await;
    assert_sound(&page);
    assert!(page.text().contains("kim@example.com"), "{}", page.text());
    let form = page.form(&path);
    let short = kim
        .submit(form.clone().set("password", "short").set("repeat", "short"))
        .await;
    assert_eq!(short.status, 422);
    let differs = kim
        .submit(
            form.clone()
                .set("password", "a long enough password")
                .set("repeat", "another one"),
        )
        .await;
    assert!(differs.text().contains("not the same"), "{}", differs.text());
    let inside = kim
        .submit(
            form.set("password", "a long enough password")
                .set("repeat", "a long enough password"),
        )
        .await;
    assert_eq!(inside.path, "/", "{}", inside.text());
    assert_eq!(
        Browser::new(&hub.url).get(&path).await.status,
        404,
        "a used link is dead"
    );

    let listed = owner.get("/settings/members").await;
    let kims = listed
        .html
        .split("/settings/members/usr_")
        .skip(1)
        .map(|rest| rest.split('/').next().unwrap_or_default());
    let actions: Vec<String> = kims.map(|id| format!("/settings/members/usr_{id}")).collect();
    // The last owner stays.
    let mut refused = 0;
    for action in actions.iter().collect::<std::collections::BTreeSet<_>>() {
        let answer = owner
            .submit(listed.form(&format!("{action}/role")).set("role", "viewer"))
            .await;
        refused += usize::from(answer.status == 422);
    }
    assert_eq!(refused, 1, "exactly the last owner is kept");
    assert!(owner.get("/settings/members").await.text().contains(ADMIN_EMAIL));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_shown_once_and_works_until_revoked() {
    let database = Database::new().await;
    let hub = Hub::start(&database, &[]).await;
    let mut owner = admin(&hub.url).await;
    let page = owner.get("/settings/api-keys").await;
    assert_sound(&page);
    let made = owner
        .submit(
            page.form("/settings/api-keys")
                .set("name", "nightly")
                .set("role", "viewer"),
        )
        .await;
    assert_sound(&made);
    let key = made
        .text()
        .split_whitespace()
        .find(|word| word.starts_with("xvk_"))
        .expect("a key")
        .to_owned();
    let api = hub.anonymous().with_token(&key);
    api.get("/api/v1/sources").await.expect(200);
    let listed = owner.get("/settings/api-keys").await;
    assert!(listed.text().contains("nightly") && !listed.html.contains(&key));
    let id = listed
        .html
        .split("/settings/api-keys/")
        .nth(1)
        .and_then(|rest| rest.split('/').next())
        .expect("an id");
    owner
        .submit(listed.form(&format!("/settings/api-keys/{id}/revoke")))
        .await;
    api.get("/api/v1/sources").await.expect(401);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_overview_asks_for_the_recovery_sheet_until_it_was_fetched() {
    let stack = Stack::start().await;
    let mut owner = admin(&stack.hub.url).await;
    let reminded = reload_until(&mut owner, "/", "Download your recovery sheet").await;
    let page = owner.get(&reminded.link("/settings/recovery")).await;
    assert_sound(&page);
    let sheet = owner.submit(page.form("/settings/recovery")).await;
    assert!(sheet.html.contains("AGE-SECRET-KEY-1"), "no key in the sheet");
    assert_eq!(sheet.headers["cache-control"], "no-store");
    assert!(!owner.get("/").await.text().contains("Download your recovery sheet"));

    let workers = owner.get("/workers").await;
    assert_sound(&workers);
    assert!(workers.text().contains("Online"), "{}", workers.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn colours_are_chosen_without_javascript() {
    let database = Database::new().await;
    let hub = Hub::start(&database, &[]).await;
    let mut browser = Browser::new(&hub.url);
    let page = browser.get("/sign-in").await;
    assert!(!page.html.contains("data-theme"));
    let dark = browser.submit(page.form("/theme").set("theme", "dark")).await;
    assert_eq!(dark.path, "/sign-in");
    assert!(dark.html.contains("data-theme=\"dark\""));
    let away = browser
        .submit(dark.form("/theme").set("theme", "light").set("back", "//evil.example"))
        .await;
    assert_eq!(away.path, "/sign-in", "by way of /");
}

/// A page that waits for a worker says so.
#[tokio::test(flavor = "multi_thread")]
async fn without_a_worker_the_overview_says_so() {
    let database = Database::new().await;
    let hub = Hub::start(&database, &[]).await;
    let page = admin(&hub.url).await.get("/").await;
    assert!(page.text().contains("No worker is online"), "{}", page.text());
}
