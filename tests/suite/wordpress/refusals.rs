//! What is wrong with a site is told by a code of its own, in one sentence, and leaves nothing behind.

use std::{fs, path::Path, time::Duration};

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use xvault::{
    connectors::{CaptureSink, Connector},
    domain::entry::Captured,
};

use super::stage::Blog;
use crate::support::{
    eventually::{SOON, eventually},
    sshd::{Login, Setup, Sshd},
};

#[tokio::test(flavor = "multi_thread")]
async fn each_fault_of_a_site_has_its_own_code_and_the_probe_tells_it_with_the_sites_there_are() {
    let blog = Blog::start();
    let good = blog.config(&blog.tcp());
    let root = blog.core("www");
    let tcp = blog.tcp();
    for (config, code, word) in [
        ("".to_owned(), "config_unresolved", "DB_NAME"),
        (
            good.replace("'blog'", "getenv('DB_NAME')"),
            "config_unresolved",
            "environment variable DB_NAME",
        ),
        (
            good.replace("'blog'", "$_ENV['DB_NAME'] ?? 'blog'"),
            "config_unresolved",
            "environment variable DB_NAME",
        ),
        (
            good.replace("$table_prefix = 'wp_';", ""),
            "config_unresolved",
            "$table_prefix",
        ),
        (good.replace("'wp_'", "'wp-'"), "config_unresolved", "prefix"),
        (good.replace("'blog'", "'bl\u{0}og'"), "config_unresolved", "DB_NAME"),
        (good.replace("'site'", "'nobody'"), "database_refused", "nobody"),
        (good.replace("'blog'", "'shop'"), "database_not_found", "shop"),
        (good.replace("'wp_'", "'other_'"), "tables_not_found", "other_options"),
        (good.replace(&tcp, "127.0.0.1:1"), "transfer_interrupted", "127.0.0.1:1"),
        (
            good.replace(&tcp, "localhost:/nowhere/s.sock"),
            "transfer_interrupted",
            "/nowhere/s.sock",
        ),
        (good.replace("'blog'", "unheard_of()"), "config_unresolved", "DB_NAME"),
    ] {
        fs::write(root.join("wp-config.php"), &config).unwrap();
        let error = blog.refused(&root).await;
        assert_eq!(error.code.as_str(), code, "{error} for {config}");
        assert!(error.message.contains(word), "{error}");
    }
    fs::remove_file(root.join("wp-config.php")).unwrap();
    let error = blog.refused(&root).await;
    assert_eq!(error.code.as_str(), "config_not_found", "{error}");
    let error = blog.refused(Path::new("/not/there")).await;
    assert_eq!(error.code.as_str(), "path_not_found", "{error}");

    let found = blog.probed(&root).await;
    assert!(found.authenticated && found.site.is_none());
    assert_eq!(found.site_fault.unwrap().code.as_str(), "config_not_found");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_probe_offers_the_sites_that_it_finds() {
    let setup = Setup {
        login: Login::Fresh,
        ..Setup::default()
    };
    let blog = Blog::on(Sshd::with(setup));
    let config = blog.config(&blog.tcp());
    let one = blog.site("sites/one", &config);
    blog.core("two/web/wp");
    fs::write(blog.home.join("two/web/wp-config.php"), &config).unwrap();
    fs::write(blog.home.join("two/web/index.php"), "<?php").unwrap();
    blog.core("three/public");
    fs::write(blog.home.join("three/wp-config.php"), &config).unwrap();
    blog.core("unfinished");
    let owner = blog.ssh.uid();
    for path in ["sites", "two", "three"] {
        std::process::Command::new("chown")
            .args(["-R", &owner.to_string()])
            .arg(blog.home.join(path))
            .status()
            .unwrap();
    }
    let found = blog.probed(&one).await;
    let wanted = ["sites/one", "three/public", "two/web"].map(|path| blog.home.join(path).display().to_string());
    for root in &wanted {
        assert!(
            found.document_roots.contains(root),
            "{root} in {:?}",
            found.document_roots
        );
    }
    assert!(
        !found
            .document_roots
            .iter()
            .any(|root| root.ends_with("unfinished") || root.ends_with("web/wp"))
    );
    assert!(found.site.is_some(), "{found:?}");

    fs::set_permissions(
        one.join("wp-config.php"),
        std::os::unix::fs::PermissionsExt::from_mode(0o000),
    )
    .unwrap();
    std::process::Command::new("chown")
        .arg("root")
        .arg(one.join("wp-config.php"))
        .status()
        .unwrap();
    let error = blog.refused(&one).await;
    assert_eq!(error.code.as_str(), "permission_denied", "{error}");

    // PHP would pass over what the login may not read, and take the default behind it.
    let hidden = one.join("hidden.php");
    fs::write(&hidden, "<?php define('DB_NAME', 'blog');").unwrap();
    fs::set_permissions(&hidden, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    fs::remove_file(one.join("wp-config.php")).unwrap();
    let guarded = config.replace(
        "define( 'DB_NAME'",
        "@include 'hidden.php'; defined('DB_NAME') or define( 'DB_NAME'",
    );
    fs::write(one.join("wp-config.php"), guarded).unwrap();
    let error = blog.refused(&one).await;
    assert_eq!(error.code.as_str(), "config_unresolved", "{error}");
    assert!(error.message.contains("hidden.php, which may not be read"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_without_a_shell_is_told_to_use_other_kinds() {
    let setup = Setup {
        login: Login::SftpOnly,
        ..Setup::default()
    };
    let blog = Blog::on(Sshd::with(setup));
    let error = blog.refused(Path::new("/data")).await;
    assert_eq!(error.code.as_str(), "shell_required", "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_with_no_client_that_forbids_forwarding_is_told_what_to_do() {
    let path = crate::support::scratch::temp_dir("path").keep();
    fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    for tool in ["sh", "head", "sleep", "ls", "readlink", "find", "tar"] {
        std::os::unix::fs::symlink(Path::new("/bin").join(tool), path.join(tool)).unwrap();
    }
    let extra = format!(
        "SetEnv PATH={}\nAllowTcpForwarding no\nAllowStreamLocalForwarding no\n",
        path.display()
    );
    let blog = Blog::on(Sshd::with(Setup {
        extra: extra.leak(),
        ..Setup::default()
    }));
    for host in [blog.tcp(), format!("localhost:{}", blog.server.socket().display())] {
        let root = blog.site("www", &blog.config(&host));
        let error = blog.refused(&root).await;
        assert_eq!(error.code.as_str(), "database_unreachable", "{error}");
        assert!(
            error.message.contains("no mariadb or mysql client") && error.hint.contains("AllowTcpForwarding"),
            "{error:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_backup_leaves_nothing_running_and_nothing_on_the_worker() {
    let blog = Blog::start();
    blog.server.sql_in(
        "blog",
        "create table wp_large (id int primary key auto_increment, t longtext) engine=innodb; \
         insert into wp_large (t) select repeat(uuid(), 20000) from seq_1_to_60",
    );
    let root = blog.site("www", &blog.config(&blog.tcp()));
    let (sink, mut items) = CaptureSink::channel();
    let cancel = CancellationToken::new();
    let (connector, token) = (blog.connector(&root), cancel.clone());
    let capture = tokio::spawn(async move { connector.capture(sink, token).await });
    until_data(&mut items).await;
    cancel.cancel();
    while items.recv().await.is_some() {}
    let error = capture.await.unwrap().unwrap_err();
    assert_eq!(error.code.as_str(), "cancelled", "{error}");
    assert_eq!(blog.place.left_behind(), 0);
    let running = "select count(*) from information_schema.processlist where user = 'site'";
    eventually("the dump is gone", SOON, async || {
        blog.server.sql(running).trim() == "0"
    })
    .await;
    eventually("nothing runs for the login", SOON, async || {
        blog.ssh.processes().len() <= 1
    })
    .await;
}

async fn until_data(items: &mut mpsc::Receiver<Captured>) {
    let begun = async { while !matches!(items.recv().await.expect("the dump begins"), Captured::Data(_)) {} };
    tokio::time::timeout(Duration::from_secs(60), begun).await.unwrap();
}
