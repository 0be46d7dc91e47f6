//! The path of a user with an FTP account, without JavaScript: form, certificate, backup.

use std::fs;

use super::{admin, markup::assert_sound, reload_until};
use crate::support::{
    ftpd::{Ftpd, Server},
    xvault::Stack,
};

#[tokio::test(flavor = "multi_thread")]
async fn from_an_ftp_login_to_a_snapshot() {
    let (stack, server) = (Stack::start().await, Ftpd::start(Server::Vsftpd));
    fs::write(server.home().join(".htaccess"), "Require all denied").expect("a file");
    fs::write(server.home().join("index.html"), "<h1>hello</h1>").expect("a file");
    let mut browser = admin(&stack.hub.url).await;

    let page = browser.get("/sources/new?kind=ftp").await;
    assert_sound(&page);
    let form = page.form("/sources/new");
    let form = form
        .set("name", "web space")
        .set("host", "127.0.0.1")
        .set("port", &server.port.to_string())
        .set("user", &server.account.name)
        .set("password", &server.account.password)
        .set("paths", ".");
    let wrong = browser.submit(form.clone().set("connections", "many").set("ca", "me").set("password", "")).await;
    assert_eq!(wrong.status, 422);
    assert_sound(&wrong);
    for fault in ["number between 1 and 16", "certificates in PEM form"] {
        assert!(wrong.text().contains(fault), "{fault}: {}", wrong.text());
    }
    let kept = wrong.form("/sources/new").fields;
    assert!(kept.contains(&("kind".into(), "ftp".into())) && kept.contains(&("ca".into(), "me".into())), "{kept:?}");

    let source = browser.submit(form).await;
    assert!(source.path.starts_with("/sources/src_"), "{}: {}", source.path, source.text());
    let found = reload_until(&mut browser, &source.path, "Is this your server?").await;
    assert_sound(&found);
    let text = found.text();
    assert!(text.contains(&server.fingerprint()) && text.contains("self-signed"), "{text}");
    assert!(text.contains("openssl s_client -starttls ftp"), "{text}");
    let approved = browser.submit(found.form(&format!("{}/identity", source.path))).await;
    let ready = reload_until(&mut browser, &approved.path, "Ready for the first backup").await;
    assert_sound(&ready);
    assert!(ready.text().contains("FTP with TLS"), "{}", ready.text());

    let job = browser.submit(ready.form(&format!("{}/backups", source.path))).await;
    let done = reload_until(&mut browser, &job.path, "Everything was read and stored.").await;
    assert_sound(&done);

    // Saved as it is, nothing changes; the certificate stays approved.
    let edit = format!("{}/edit", source.path);
    let page = browser.get(&edit).await;
    assert_sound(&page);
    let saved = browser.submit(page.form(&edit)).await;
    assert!(saved.text().contains(&server.fingerprint()), "{}", saved.text());
}
