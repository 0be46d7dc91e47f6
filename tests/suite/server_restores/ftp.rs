//! Restores to servers that speak FTP only.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::Path,
};

use filetime::FileTime;
use serde_json::{Value, json};

use super::stage::{Stage, count, unfinished};
use crate::support::{
    ftpd::{self, Ftpd, Server},
    sshd::Setup,
    tree::{self, Carried, Kind, assert_same, noise},
};

fn fill(home: &Path) {
    for (name, content) in [
        ("  blanks  ", "b"),
        (".htaccess", "Require all denied"),
        ("empty", ""),
        ("d/e/f", "f"),
    ] {
        let path = home.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        filetime::set_file_mtime(&path, FileTime::from_unix_time(1_234_567_890, 0)).unwrap();
    }
    fs::write(home.join("large"), noise(2_000_000)).unwrap();
    fs::set_permissions(home.join("large"), PermissionsExt::from_mode(0o640)).unwrap();
    fs::set_permissions(home.join("d/e"), PermissionsExt::from_mode(0o750)).unwrap();
    symlink("large", home.join("link")).unwrap();
}

/// What FTP brings: no links, no owners, and times of files alone, to the second.
fn carried(directory: &Path) -> tree::Tree {
    let mut tree = tree::read(directory);
    tree.retain(|_, node| !matches!(node.kind, Kind::Symlink(_)));
    for node in tree.values_mut() {
        (node.uid, node.gid) = (0, 0);
        node.mtime.1 = 0;
        if !matches!(node.kind, Kind::File(..)) {
            node.mtime = (0, 0);
        }
    }
    tree
}

async fn add_ftp_source(stage: &Stage, server: &Ftpd) -> Value {
    let body = json!({
        "name": format!("web space {}", server.port),
        "kind": "ftp",
        "config": {"host": "127.0.0.1", "port": server.port, "user": server.account.name, "paths": ["."]},
        "credentials": {"password": server.account.password},
    });
    let source = stage.site.api.post("/api/v1/sources", body).await.expect(201);
    let path = format!("/api/v1/sources/{}/identity", source["id"].as_str().unwrap());
    let print = json!({"fingerprint": server.fingerprint()});
    stage.site.api.put(&path, print).await.expect(200);
    source
}

#[tokio::test(flavor = "multi_thread")]
async fn files_come_back_over_ftp_and_what_ftp_cannot_carry_is_told() {
    let mut stage = Stage::new(Setup::default(), fill).await;
    let trace = [("XVAULT_LOG", "trace".to_owned())];
    stage.site.stack.worker.restart_with(&trace).await;
    for (kind, extra) in [(Server::Vsftpd, "write_enable=YES"), (Server::Proftpd, "")] {
        let server = Ftpd::with(ftpd::Setup {
            extra,
            ..ftpd::Setup::tls(kind)
        });
        server.own(server.home());
        let source = add_ftp_source(&stage, &server).await;
        let into = server.home().join("new/place");
        let order = json!({
            "target_source_id": source["id"], "confirm": source["name"], "into": into,
        });

        let plan = stage.plan(order.clone()).await;
        assert!(!server.home().join("new").exists(), "a dry run changed something");
        let job = stage.restore(order.clone()).await;
        assert_eq!(job["state"], "partial", "a link is missing: {job}\n{}", server.log());
        let report = &job["result"];
        assert_eq!(count(&plan, "create"), count(report, "create"), "{plan} {report}");
        assert_eq!(count(report, "refused"), 1, "{report}");
        assert_eq!(report["not_set"], json!(null), "{report}");
        let restored = stage.below(&into);
        assert_same(&carried(&stage.site.sshd.home()), &carried(&restored), Carried::Seconds);
        assert_eq!(unfinished(server.home()), Vec::<std::path::PathBuf>::new());

        // All of it is there now, so there is nothing to do.
        let again = stage.restore(order.clone()).await;
        let again = &again["result"];
        assert_eq!(count(again, "create") + count(again, "overwrite"), 0, "{again}");
        fs::write(restored.join("d/e/f"), "changed").unwrap();
        let repaired = stage.restore(order).await;
        assert_eq!(count(&repaired["result"], "overwrite"), 1, "{repaired}");
        assert_eq!(fs::read(restored.join("d/e/f")).unwrap(), b"f");

        let log = stage.site.stack.worker.process.output();
        assert!(!log.contains(&server.account.password), "the password was logged");
    }

    // Modes that cannot be set are a warning, not a fault of each file.
    let server = Ftpd::with(ftpd::Setup {
        extra: "write_enable=YES\nchmod_enable=NO",
        ..ftpd::Setup::tls(Server::Vsftpd)
    });
    server.own(server.home());
    let source = add_ftp_source(&stage, &server).await;
    let order = json!({"target_source_id": source["id"], "confirm": source["name"], "into": server.home()});
    let job = stage.restore(order).await;
    assert_eq!(count(&job["result"], "refused"), 1, "{job}");
    let told = "does not let it be set";
    assert!(job["result"]["not_set"][0].as_str().unwrap().contains(told), "{job}");
    assert!(job["warnings"].to_string().contains(told), "{job}");
}
