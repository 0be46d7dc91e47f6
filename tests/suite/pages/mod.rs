//! The pages, as a browser without JavaScript sees them.

pub mod browser;
mod databases;
mod dumps;
mod live;
mod markup;
mod postgres_path;
mod restore_to_server;
mod safety;
mod settings;
mod user_path;
mod wordpress_path;
mod workers;

use browser::{Browser, Form, Page};

use crate::support::{
    ssh_keys,
    sshd::Sshd,
    xvault::{ADMIN_EMAIL, ADMIN_PASSWORD},
};

/// The first user, signed in.
async fn admin(url: &str) -> Browser {
    Browser::signed_in(url, ADMIN_EMAIL, ADMIN_PASSWORD).await
}

/// The form for a new source, filled in for `server` with the accepted key.
async fn filled_in(browser: &mut Browser, server: &Sshd, name: &str, paths: &str) -> Form {
    let form = browser.get("/sources/new").await.form("/sources/new");
    form.set("kind", "ssh")
        .set("name", name)
        .set("host", "127.0.0.1")
        .set("port", &server.port.to_string())
        .set("user", &server.user)
        .set("paths", paths)
        // As a browser sends it.
        .set("private_key", &ssh_keys::accepted().private.replace('\n', "\r\n"))
}

/// Reloads until the page says this, as a person without JavaScript does.
async fn reload_until(browser: &mut Browser, path: &str, said: &str) -> Page {
    let end = tokio::time::Instant::now() + crate::support::eventually::SOON;
    loop {
        let page = browser.get(path).await;
        if page.text().contains(said) {
            return page;
        }
        assert!(
            tokio::time::Instant::now() < end,
            "{path} never said {said:?}: {}",
            page.text()
        );
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
}
