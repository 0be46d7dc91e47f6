//! What comes back, and what stays as it is.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
};

use filetime::FileTime;
use serde_json::json;

use super::stage::{Stage, count, succeeded, unfinished};
use crate::support::{
    scratch::temp_dir,
    sshd::{Login, Setup},
    tree::{self, Carried, assert_same, assert_same_tree},
};

#[tokio::test(flavor = "multi_thread")]
async fn files_come_back_on_another_server_with_names_modes_times_and_links() {
    let stage = Stage::new(Setup::default(), tree::build).await;
    let into = temp_dir("into");
    let order = json!({"into": into.path(), "owners": true});

    let plan = stage.plan(order.clone()).await;
    assert_eq!(
        fs::read_dir(into.path()).unwrap().count(),
        0,
        "a dry run changed something"
    );
    assert_eq!(plan["obstacles"], json!(null), "{plan}");
    assert!(plan["free_bytes"].as_u64().unwrap() > 0, "{plan}");

    let report = succeeded(&stage.restore(order.clone()).await);
    assert_same_tree(&stage.site.sshd.home(), &stage.below(into.path()), Carried::Seconds);
    assert_eq!(unfinished(into.path()), Vec::<std::path::PathBuf>::new());
    assert_eq!(count(&plan, "create"), count(&report, "create"), "{plan} {report}");

    // All of it is there now, so there is nothing to do.
    let again = succeeded(&stage.restore(order).await);
    assert_eq!(count(&again, "create") + count(&again, "overwrite"), 0, "{again}");
}

#[tokio::test(flavor = "multi_thread")]
async fn files_come_back_to_an_account_that_has_nothing_but_sftp() {
    let setup = Setup {
        login: Login::SftpOnly,
        ..Setup::default()
    };
    let stage = Stage::new(setup, tree::build).await;
    let report = succeeded(&stage.restore(json!({"into": "/data/new/place"})).await);
    assert_eq!(report["into"], "/data/new/place");
    let restored = stage.below(&stage.other.home().join("new/place"));
    // Whose they are cannot be chosen by who is not root; and who is not may not hand out set-id bits of other groups.
    let anonymous = |mut tree: tree::Tree| {
        for node in tree.values_mut() {
            (node.uid, node.gid) = (0, 0);
        }
        tree
    };
    let (original, restored) = (tree::read(&stage.site.sshd.home()), tree::read(&restored));
    assert_same(&anonymous(original), &anonymous(restored), Carried::Seconds);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_there_is_kept_or_overwritten_as_told_and_nothing_is_ever_removed() {
    let stage = Stage::new(Setup::default(), |home| {
        for name in ["same", "longer", "older", "missing"] {
            fs::write(home.join(name), "as it was").unwrap();
        }
        symlink("same", home.join("link")).unwrap();
        fs::write(home.join("is a directory there"), "x").unwrap();
    })
    .await;
    let into = temp_dir("into");
    let order = |existing: &str| json!({"into": into.path(), "existing": existing});
    succeeded(&stage.restore(order("changed")).await);
    let below = stage.below(into.path());
    let text = |name: &str| fs::read_to_string(below.join(name)).unwrap();

    let change = || {
        fs::write(below.join("longer"), "longer than it was").unwrap();
        filetime::set_file_mtime(below.join("older"), FileTime::from_unix_time(1, 0)).unwrap();
        fs::write(below.join("older"), "as IT was").unwrap();
        fs::write(below.join("stranger"), "not in the snapshot").unwrap();
        let _ = fs::remove_file(below.join("missing"));
        let _ = fs::remove_file(below.join("link"));
        symlink("elsewhere", below.join("link")).unwrap();
        // The same size and time: nobody can tell without reading it.
        let time = FileTime::from_last_modification_time(&fs::metadata(below.join("same")).unwrap());
        fs::write(below.join("same"), "AS IT WAS").unwrap();
        filetime::set_file_mtime(below.join("same"), time).unwrap();
    };

    change();
    let _ = fs::remove_file(below.join("is a directory there"));
    fs::create_dir(below.join("is a directory there")).unwrap();
    fs::write(below.join("is a directory there/x"), "x").unwrap();
    let kept = stage.restore(order("never")).await;
    assert_eq!(kept["state"], "partial", "a conflict: {kept}");
    assert_eq!(
        (text("longer"), text("older")),
        ("longer than it was".into(), "as IT was".into())
    );
    assert_eq!(text("missing"), "as it was");
    assert_eq!(fs::read_link(below.join("link")).unwrap().to_str(), Some("elsewhere"));

    change();
    let plan = stage.plan(order("changed")).await;
    assert_eq!((count(&plan, "overwrite"), count(&plan, "create")), (3, 1), "{plan}");
    assert_eq!(count(&plan, "conflict"), 1, "{plan}");
    assert_eq!(text("longer"), "longer than it was");
    let changed = stage.restore(order("changed")).await;
    assert_eq!(changed["warnings"]["count"], 1, "{changed}");
    for name in ["longer", "older", "missing"] {
        assert_eq!(text(name), "as it was", "{name}");
    }
    assert_eq!(fs::read_link(below.join("link")).unwrap().to_str(), Some("same"));
    assert_eq!(text("same"), "AS IT WAS");
    stage.restore(order("all")).await;
    assert_eq!(text("same"), "as it was");
    assert_eq!(text("stranger"), "not in the snapshot");
    assert_eq!(text("is a directory there/x"), "x");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_written_through_a_link_that_leads_out() {
    let stage = Stage::new(Setup::default(), |home| {
        fs::create_dir_all(home.join("uploads/deep")).unwrap();
        fs::write(home.join("uploads/deep/file"), "x").unwrap();
        fs::write(home.join("plain"), "y").unwrap();
    })
    .await;
    let (into, outside) = (temp_dir("into"), temp_dir("outside"));
    let below = stage.below(into.path());
    fs::create_dir_all(&below).unwrap();
    symlink(outside.path(), below.join("uploads")).unwrap();
    let job = stage.restore(json!({"into": into.path()})).await;
    assert_eq!(job["state"], "partial", "{job}");
    assert_eq!(count(&job["result"], "conflict"), 3, "{job}");
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 0);
    assert_eq!(fs::read_to_string(below.join("plain")).unwrap(), "y");
}

#[tokio::test(flavor = "multi_thread")]
async fn chosen_paths_go_back_to_where_they_were() {
    let stage = Stage::new(Setup::default(), |home| {
        fs::create_dir(home.join("etc")).unwrap();
        for name in ["etc/app.conf", "etc/other.conf", "rest"] {
            fs::write(home.join(name), "as it was").unwrap();
        }
        fs::set_permissions(home.join("etc/app.conf"), PermissionsExt::from_mode(0o640)).unwrap();
    })
    .await;
    let home = stage.site.sshd.home();
    for name in ["etc/app.conf", "etc/other.conf", "rest"] {
        fs::write(home.join(name), "broken").unwrap();
    }
    let chosen = home.join("etc/app.conf");
    let order = json!({"target_source_id": stage.site.source, "confirm": "site", "paths": [chosen]});
    let report = succeeded(&stage.restore(order).await);
    assert_eq!(count(&report, "overwrite"), 1, "{report}");
    assert_eq!(fs::read_to_string(&chosen).unwrap(), "as it was");
    assert_eq!(fs::metadata(&chosen).unwrap().permissions().mode() & 0o7777, 0o640);
    assert_eq!(fs::read_to_string(home.join("etc/other.conf")).unwrap(), "broken");
    assert_eq!(fs::read_to_string(home.join("rest")).unwrap(), "broken");
}
