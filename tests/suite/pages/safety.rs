//! Forged forms, foreign tenants, roles, hostile strings.

use serde_json::json;

use super::{Form, admin, browser::Browser, markup::assert_sound};
use crate::support::{
    postgres::Database,
    xvault::{ADMIN_EMAIL, ADMIN_PASSWORD, Hub},
};

/// A source that exists but is never reached.
async fn add_source(browser: &mut Browser, name: &str) -> String {
    let form = browser.get("/sources/new").await.form("/sources/new");
    let form = form
        .set("name", name)
        .set("host", "192.0.2.1")
        .set("user", "nobody")
        .set("paths", "/srv")
        .set("password", "hunter2 <secret>");
    let page = browser.submit(form).await;
    assert!(page.path.starts_with("/sources/src_"), "{}", page.text());
    page.path
}

async fn hub() -> (Database, Hub) {
    let database = Database::new().await;
    let hub = Hub::start(&database, &[]).await;
    (database, hub)
}

#[tokio::test(flavor = "multi_thread")]
async fn forms_without_their_token_are_refused() {
    let (_database, hub) = hub().await;
    let mut browser = admin(&hub.url).await;
    let source = add_source(&mut browser, "web").await;
    let page = browser.get(&source).await;
    for action in [
        format!("{source}/probe"),
        format!("{source}/remove"),
        "/sign-out".to_owned(),
    ] {
        let form = page.form(&action);
        for token in ["", "wrong"] {
            let refused = browser.submit(form.clone().set("csrf", token)).await;
            assert_eq!(refused.status, 403, "{action} with {token:?}");
            assert_sound(&refused);
        }
        let without = Form {
            fields: Vec::new(),
            ..form
        };
        assert_eq!(browser.submit(without).await.status, 403, "{action} without a token");
    }
    // Another session's token is as good as none.
    let other = admin(&hub.url)
        .await
        .get(&source)
        .await
        .form(&format!("{source}/probe"));
    assert_eq!(browser.submit(other).await.status, 403);
    assert_eq!(browser.get(&source).await.status, 200, "nothing happened");

    let mut stranger = Browser::new(&hub.url);
    let gate = stranger
        .get("/sign-in")
        .await
        .form("/sign-in")
        .set("email", ADMIN_EMAIL)
        .set("password", ADMIN_PASSWORD);
    stranger.forget_cookies();
    assert_eq!(stranger.submit(gate).await.status, 403, "a sign-in from elsewhere");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_session_cookie_is_kept_from_scripts_and_ends() {
    let (_database, hub) = hub().await;
    let mut browser = admin(&hub.url).await;
    let line = browser
        .set_cookies
        .iter()
        .find(|line| line.starts_with("xvault_session="))
        .expect("a cookie")
        .clone();
    for flag in ["HttpOnly", "SameSite=Lax", "Path=/"] {
        assert!(line.contains(flag), "{line}");
    }
    let page = browser.get("/").await;
    let out = browser.submit(page.form("/sign-out")).await;
    assert_eq!(out.path, "/sign-in?out=1");
    assert_sound(&out);
    let gone = browser.get("/jobs?state=failed").await;
    assert_eq!(gone.path, "/sign-in?next=%2Fjobs%3Fstate%3Dfailed");
    // And the way back.
    let form = gone
        .form("/sign-in")
        .set("email", ADMIN_EMAIL)
        .set("password", "not the password");
    let wrong = browser.submit(form).await;
    assert_eq!(wrong.status, 401);
    assert!(!wrong.html.contains("not the password"));
    let back = browser
        .submit(wrong.form("/sign-in").set("password", ADMIN_PASSWORD))
        .await;
    assert_eq!(back.path, "/jobs?state=failed");
}

#[tokio::test(flavor = "multi_thread")]
async fn cookies_are_secure_behind_https() {
    let database = Database::new().await;
    let https = [("XVAULT_HUB_URL", "https://backup.example.com".to_owned())];
    let hub = Hub::start(&database, &https).await;
    let browser = admin(&hub.url).await;
    let line = browser
        .set_cookies
        .iter()
        .find(|line| line.contains("xvault_session="))
        .expect("a cookie");
    assert!(line.starts_with("__Host-") && line.contains("; Secure"), "{line}");
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_names_are_text() {
    let (_database, hub) = hub().await;
    let mut browser = admin(&hub.url).await;
    let name = r#"<script>alert("1")</script>'"&amp;"#;
    let source = add_source(&mut browser, name).await;
    for path in ["/", "/sources", &source, &format!("{source}/edit"), "/jobs"] {
        let page = browser.get(path).await;
        assert_sound(&page);
        assert!(!page.html.contains("<script>alert"), "{path}");
        assert!(page.html.contains("&#60;script&#62;alert"), "{path}: {}", page.text());
        assert!(!page.html.contains("hunter2"), "{path} shows a secret");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_tenants_pages_do_not_exist() {
    let (_database, hub) = hub().await;
    let mut mine = admin(&hub.url).await;
    let source = add_source(&mut mine, "mine").await;
    let job = mine.get(&source).await.link("/jobs/job_");
    let owner = json!({"email": "owner@other.example", "password": "another long password"});
    let tenants = hub
        .admin()
        .await
        .post("/api/v1/admin/tenants", json!({"name": "Other", "owner": owner}))
        .await;
    tenants.expect(201);

    let mut theirs = Browser::signed_in(&hub.url, "owner@other.example", "another long password").await;
    let token = theirs.get("/").await.form("/sign-out");
    for path in [
        &source,
        &format!("{source}/edit"),
        &job,
        "/jobs/job_0",
        "/jobs/-",
        "/snapshots/snp_0/files",
        "/nowhere",
        &format!("/live?jobs={}", job.trim_start_matches("/jobs/")),
    ] {
        let page = theirs.get(path).await;
        assert_eq!(page.status, 404, "{path}: {}", page.text());
        assert_sound(&page);
        assert!(!page.html.contains("mine"), "{path}");
    }
    for action in ["probe", "backups", "identity", "remove", "edit"] {
        let forged = Form {
            action: format!("{source}/{action}"),
            ..token.clone()
        };
        let page = theirs
            .submit(forged.set("fingerprint", &format!("SHA256:{}", "A".repeat(43))))
            .await;
        assert_eq!(page.status, 404, "{action}: {}", page.text());
    }
    assert!(!theirs.get("/sources").await.text().contains("mine"));
    assert_eq!(
        theirs.get("/workers").await.status,
        403,
        "the platform's, not a tenant's"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_viewer_sees_no_forms_and_may_send_none() {
    let (_database, hub) = hub().await;
    let mut owner = admin(&hub.url).await;
    let source = add_source(&mut owner, "web").await;
    let viewer = json!({"email": "viewer@example.com", "role": "viewer", "password": "a long enough password"});
    hub.admin().await.post("/api/v1/members", viewer).await.expect(201);

    let mut viewer = Browser::signed_in(&hub.url, "viewer@example.com", "a long enough password").await;
    let page = viewer.get(&source).await;
    assert_sound(&page);
    let token = page.form("/sign-out");
    for action in ["probe", "backups", "remove"] {
        let action = format!("{source}/{action}");
        assert!(!page.has_form(&action), "{action}");
        let sent = Form {
            action: action.clone(),
            ..token.clone()
        };
        assert_eq!(viewer.submit(sent).await.status, 403, "{action}");
    }
    for path in ["/sources/new", "/settings/members", "/settings/api-keys"] {
        let refused = viewer.get(path).await;
        assert_eq!(refused.status, 403, "{path}");
        assert_sound(&refused);
    }
    let recovery = viewer.get("/settings/recovery").await;
    assert!(
        recovery.text().contains("Only an owner can download it"),
        "{}",
        recovery.text()
    );
}
