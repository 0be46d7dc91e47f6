//! The path of a user, without JavaScript: from signing in to the same files again.

use std::{fs, os::unix::fs::PermissionsExt, process::Command};

use super::{
    admin,
    browser::Browser,
    filled_in,
    markup::{assert_locked_down, assert_sound},
    reload_until,
};
use crate::support::{
    http, ssh_keys,
    sshd::{Login, Setup, Sshd},
    xvault::Stack,
};

#[tokio::test(flavor = "multi_thread")]
async fn from_signing_in_to_the_same_files_again() {
    let (stack, server) = (Stack::start().await, Sshd::start());
    let data = server.home().join("site");
    fs::create_dir_all(data.join("sub")).expect("a directory");
    fs::write(data.join("index.html"), "<h1>hello</h1>").expect("a file");
    fs::write(data.join("sub/<b>&\n.txt"), "odd").expect("a file");
    let mut browser = admin(&stack.hub.url).await;

    // An empty house says what to do.
    let empty = browser.get("/").await;
    assert_sound(&empty);
    assert_locked_down(&empty);
    assert!(empty.text().contains("Back up your first server"), "{}", empty.text());
    assert_eq!(empty.link("/sources/new"), "/sources/new");

    // A wrong form comes back with what was typed, without the secret, and with what is wrong.
    let form = filled_in(&mut browser, &server, "web", data.to_str().expect("UTF-8")).await;
    let wrong = browser.submit(form.clone().set("port", "ssh").set("host", "-x")).await;
    assert_eq!(wrong.status, 422);
    assert_sound(&wrong);
    assert!(
        wrong.text().contains("Must be a number between 1 and 65535"),
        "{}",
        wrong.text()
    );
    assert!(!wrong.html.contains("OPENSSH PRIVATE KEY-----\n"), "the key is echoed");
    assert!(
        wrong
            .form("/sources/new")
            .fields
            .contains(&("name".into(), "web".into()))
    );

    // The right one leads to the source, whose probe runs by itself.
    let source = browser.submit(form).await;
    assert!(
        source.path.starts_with("/sources/src_"),
        "{}: {}",
        source.path,
        source.text()
    );
    assert_sound(&source);
    let found = reload_until(&mut browser, &source.path, "Is this your server?").await;
    assert_sound(&found);
    let fingerprint = server.fingerprint();
    assert!(found.text().contains(&fingerprint), "{}", found.text());
    assert!(found.text().contains("ssh-keygen -lf"));
    let approve = found.form(&format!("{}/identity", source.path));
    assert!(approve.fields.contains(&("fingerprint".into(), fingerprint)));
    let approved = browser.submit(approve).await;
    let ready = reload_until(&mut browser, &approved.path, "Ready for the first backup").await;
    assert_sound(&ready);

    // A backup, and its snapshot.
    let job = browser.submit(ready.form(&format!("{}/backups", source.path))).await;
    assert!(job.path.starts_with("/jobs/job_"), "{}", job.path);
    assert_sound(&job);
    let done = reload_until(&mut browser, &job.path, "Everything was read and stored.").await;
    assert_sound(&done);
    let snapshot = browser.get(&done.link("/snapshots/snp_")).await;
    assert_sound(&snapshot);
    let text = snapshot.text();
    assert!(
        text.contains("local_fs") && text.contains("SHA-256") && text.contains("age1"),
        "{text}"
    );

    // Everything ends up in the lists.
    for path in [
        "/",
        "/sources",
        "/jobs",
        "/jobs?kind=backup&state=succeeded",
        "/snapshots",
    ] {
        let page = browser.get(path).await;
        assert_sound(&page);
        assert!(page.text().contains("web"), "{path}: {}", page.text());
    }

    choose_and_restore(&mut browser, &snapshot.path, &data).await;
}

/// Walks down to the directory, ticks one file, and gets exactly that file, once.
async fn choose_and_restore(browser: &mut Browser, snapshot: &str, data: &std::path::Path) {
    let files = format!("{snapshot}/files");
    let mut page = browser.get(&files).await;
    let inside = data.to_str().expect("UTF-8").trim_start_matches('/').to_owned();
    let parents: Vec<&str> = inside
        .match_indices('/')
        .map(|(i, _)| &inside[..i])
        .chain([inside.as_str()])
        .collect();
    for parent in parents {
        assert_sound(&page);
        page = browser.submit(page.form(&files).add("path", parent)).await;
    }
    assert!(
        page.html.contains(&format!("value=\"{inside}/index.html\"")),
        "{}",
        page.text()
    );

    // Ticked here, kept while looking elsewhere, ticked again on the way back.
    let below = browser
        .submit(
            page.form(&files)
                .add("pick", &format!("{inside}/index.html"))
                .add("path", &format!("{inside}/sub")),
        )
        .await;
    assert!(below.text().contains("<b>&\\x0a.txt"), "{}", below.text());
    assert!(below.text().contains("1 chosen"), "{}", below.text());
    let back = browser.submit(below.form(&files).add("path", &inside)).await;
    let kept = back.form(&files);
    assert!(
        kept.fields.contains(&("pick".into(), format!("{inside}/index.html"))),
        "{:?}",
        kept.fields
    );

    let none = browser.get(&format!("{snapshot}/restore?chosen=1")).await;
    assert!(
        none.text().contains("Choose at least one"),
        "nothing must not become everything: {}",
        none.text()
    );
    let order = format!("{snapshot}/restore");
    let restore = browser
        .submit(super::Form {
            action: order.clone(),
            ..kept.add("chosen", "1")
        })
        .await;
    assert_sound(&restore);
    assert!(restore.text().contains("1 chosen path"), "{}", restore.text());
    let job = browser.submit(restore.form(&order).set("format", "tar")).await;
    let ready = reload_until(browser, &job.path, "Your download is ready").await;
    assert_sound(&ready);

    let link = ready.link("http://127.0.0.1");
    let answer = http::client().get(&link).send().await.expect("an answer");
    assert_eq!(answer.status(), 200);
    let archive = data.parent().expect("a parent").join("restored.tar");
    fs::write(&archive, answer.bytes().await.expect("the whole file")).expect("a file");
    let listed = Command::new("tar").arg("-tf").arg(&archive).output().expect("tar");
    let names = String::from_utf8_lossy(&listed.stdout).into_owned();
    assert!(names.contains("index.html") && !names.contains("sub"), "{names}");

    let fetched = reload_until(browser, &job.path, "The download was fetched").await;
    assert_sound(&fetched);
    assert!(!fetched.html.contains(&link), "a dead link is not shown");
    assert_eq!(http::client().get(&link).send().await.expect("an answer").status(), 410);
}

/// A password goes out only after a yes, so the first probe cannot sign in and a second one follows it.
#[tokio::test(flavor = "multi_thread")]
async fn each_hop_is_approved_in_order() {
    let (stack, target, jump) = (Stack::start().await, Sshd::start(), Sshd::start());
    let mut browser = admin(&stack.hub.url).await;
    let home = target.home();
    let form = filled_in(&mut browser, &target, "behind", home.to_str().expect("UTF-8")).await;
    let form = form
        .set("jump_host", "127.0.0.1")
        .set("jump_port", &jump.port.to_string())
        .set("jump_user", &jump.user)
        .set("jump_private_key", &ssh_keys::accepted().private);
    let source = browser.submit(form).await;
    let identity = format!("{}/identity", source.path);

    let first = reload_until(&mut browser, &source.path, "Is this your jump host?").await;
    assert!(
        first.text().contains(&jump.fingerprint()) && first.text().contains("Step 1 of 2"),
        "{}",
        first.text()
    );
    browser.submit(first.form(&identity)).await;
    let second = reload_until(&mut browser, &source.path, "Is this your server?").await;
    assert!(
        second.text().contains(&target.fingerprint()) && second.text().contains("Step 2 of 2"),
        "{}",
        second.text()
    );
    browser.submit(second.form(&identity)).await;
    reload_until(&mut browser, &source.path, "Ready for the first backup").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_check_says_what_to_do_and_can_be_mended() {
    let (stack, server) = (Stack::start().await, Sshd::start());
    let mut browser = admin(&stack.hub.url).await;
    let home = server.home();
    let form = filled_in(&mut browser, &server, "web", home.to_str().expect("UTF-8")).await;
    let source = browser
        .submit(form.set("private_key", &ssh_keys::unknown().private))
        .await;
    let failed = reload_until(&mut browser, &source.path, "The connection check failed").await;
    assert_sound(&failed);
    assert!(failed.text().contains("key_rejected"), "{}", failed.text());

    let edit = format!("{}/edit", source.path);
    let page = browser.get(&edit).await;
    assert_sound(&page);
    assert!(page.text().contains("Leave it empty to keep it"), "{}", page.text());
    assert!(!page.html.contains("PRIVATE KEY-----\n"), "the key comes back");
    browser
        .submit(page.form(&edit).set("private_key", &ssh_keys::accepted().private))
        .await;
    reload_until(&mut browser, &source.path, "Is this your server?").await;
}

/// The first probe may not show the password to a stranger; the second one follows the approval by itself.
#[tokio::test(flavor = "multi_thread")]
async fn a_password_waits_for_the_approval_and_a_partial_backup_says_so() {
    let (mut stack, server) = (
        Stack::start().await,
        Sshd::with(Setup {
            login: Login::Fresh,
            ..Setup::default()
        }),
    );
    let data = server.home().join("data");
    fs::create_dir_all(&data).expect("a directory");
    fs::write(data.join("open.txt"), "open").expect("a file");
    fs::write(data.join("closed.txt"), "closed").expect("a file");
    fs::set_permissions(data.join("closed.txt"), fs::Permissions::from_mode(0o0)).expect("a mode");
    let mut browser = admin(&stack.hub.url).await;
    let form = filled_in(&mut browser, &server, "web", "data").await;
    let source = browser
        .submit(form.set("private_key", "").set("password", server.password()))
        .await;
    let found = reload_until(&mut browser, &source.path, "Is this your server?").await;
    assert!(found.text().contains("not tried yet"), "{}", found.text());
    let approved = browser.submit(found.form(&format!("{}/identity", source.path))).await;
    assert!(
        approved.text().contains("The sign-in is being checked"),
        "{}",
        approved.text()
    );
    let ready = reload_until(&mut browser, &source.path, "Ready for the first backup").await;

    let job = browser.submit(ready.form(&format!("{}/backups", source.path))).await;
    let partial = reload_until(&mut browser, &job.path, "not everything could be read").await;
    assert_sound(&partial);
    assert!(
        partial.text().contains("Partial") && partial.text().contains("data/closed.txt"),
        "{}",
        partial.text()
    );
    let overview = browser.get("/").await;
    assert_sound(&overview);
    assert!(overview.text().contains("Needs attention"), "{}", overview.text());

    // Its files lie with a worker; without it there is a page that says so.
    let snapshot = partial.link("/snapshots/snp_");
    assert_eq!(browser.get(&format!("{snapshot}/files")).await.status, 200);
    stack.worker.process.kill();
    let away = browser.get(&format!("{snapshot}/files")).await;
    assert_eq!(away.status, 503);
    assert_sound(&away);
    assert!(away.text().contains("does not answer"), "{}", away.text());
}
