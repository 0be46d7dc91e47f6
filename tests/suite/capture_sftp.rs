//! Captures over SFTP, against OpenSSH's own server on a pair of pipes.

use std::{fs, os::unix::fs::PermissionsExt, path::Path, process::Stdio};

use tokio::process::Command;
use xvault::{
    connectors::sftp::{SftpClient, SftpSource, capture},
    domain::{entry::ProblemKind, error_code::ErrorCode, exclude::ExcludeSet, job::JobError},
};

use super::support::{
    captured::{Collected, collect},
    scratch::temp_dir,
    tree::{self, Carried},
};

const SERVER: &str = "/usr/lib/openssh/sftp-server";

/// Captures from a real server, as another user if `uid` says so.
async fn capture_as(
    uid: Option<u32>,
    start: &Path,
    includes: &[&str],
    exclude: &[&str],
) -> (Collected, Result<(), JobError>) {
    assert!(
        Path::new(SERVER).exists(),
        "{SERVER} is missing: apt-get install openssh-sftp-server"
    );
    let mut command = Command::new(SERVER);
    command.arg("-d").arg(start);
    if let Some(uid) = uid {
        command.uid(uid).gid(uid);
    }
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
    let mut server = command.spawn().expect("sftp-server");
    let (stdin, stdout) = (
        server.stdin.take().expect("piped"),
        server.stdout.take().expect("piped"),
    );
    let includes: Vec<String> = includes.iter().map(|&path| path.to_owned()).collect();
    let exclude: Vec<String> = exclude.iter().map(|&pattern| pattern.to_owned()).collect();
    let excludes = ExcludeSet::new(&exclude).expect("patterns");
    let source = SftpSource {
        place: "test:22",
        includes: &includes,
        excludes: &excludes,
    };
    collect(async |sink| {
        let client = SftpClient::start(stdout, stdin).await.expect("a greeting");
        capture(client, &source, &sink).await
    })
    .await
}

fn text(path: &Path) -> &str {
    path.to_str().expect("plain")
}

#[tokio::test]
async fn the_whole_tree_comes_over_sftp() {
    let dir = temp_dir("tree");
    tree::build(dir.path());
    tree::add_specials(dir.path());
    let (collected, report) = capture_as(None, Path::new("/"), &[text(dir.path())], &[]).await;
    report.unwrap();
    tree::assert_same(&tree::read(dir.path()), &collected.below(dir.path()), Carried::Sftp);
    assert_eq!(collected.problems(ProblemKind::SpecialSkipped).len(), 2);
    assert_eq!(collected.problems.len(), 2, "{:?}", collected.problems);
    assert!(collected.ends.is_empty());
}

#[tokio::test]
async fn includes_may_be_relative_overlapping_or_links() {
    let dir = temp_dir("tree");
    for name in ["releases/v5", "www/sub", "other"] {
        fs::create_dir_all(dir.path().join(name)).unwrap();
        fs::write(dir.path().join(name).join("f"), name).unwrap();
    }
    std::os::unix::fs::symlink("releases/v5", dir.path().join("current")).unwrap();
    std::os::unix::fs::symlink("gone", dir.path().join("dangling")).unwrap();
    let at = |name: &str| format!("{}/{name}", text(dir.path()));
    let includes = [
        "www/sub",
        &at("www"),
        "current",
        "./other/",
        "dangling",
        &at("current/f"),
    ];
    let (collected, report) = capture_as(None, dir.path(), &includes, &[]).await;
    report.unwrap();
    let names: Vec<_> = collected
        .below(dir.path())
        .into_keys()
        .map(|k| String::from_utf8(k).unwrap())
        .collect();
    let expected = [
        "current",
        "dangling",
        "other",
        "other/f",
        "releases/v5",
        "releases/v5/f",
        "www",
        "www/sub",
        "www/sub/f",
    ];
    assert_eq!(names, expected);
    assert_eq!(
        collected.problems(ProblemKind::Note).len(),
        3,
        "{:?}",
        collected.problems
    );
}

#[tokio::test]
async fn a_path_that_cannot_be_read_fails_before_anything_is_sent() {
    let dir = temp_dir("tree");
    fs::set_permissions(dir.path(), PermissionsExt::from_mode(0o755)).unwrap();
    fs::write(dir.path().join("f"), "x").unwrap();
    fs::create_dir(dir.path().join("closed")).unwrap();
    fs::set_permissions(dir.path().join("closed"), PermissionsExt::from_mode(0o700)).unwrap();
    for (name, code) in [
        ("missing", ErrorCode::PathNotFound),
        ("closed", ErrorCode::PermissionDenied),
    ] {
        let path = dir.path().join(name);
        let (collected, result) = capture_as(Some(65534), Path::new("/"), &[text(dir.path()), text(&path)], &[]).await;
        let error = result.unwrap_err();
        assert_eq!(error.code, code);
        assert!(error.message.contains(text(&path)), "{error}");
        assert!(collected.order.is_empty());
    }
}

#[tokio::test]
async fn what_cannot_be_read_is_told_and_the_rest_comes() {
    let dir = temp_dir("tree");
    fs::set_permissions(dir.path(), PermissionsExt::from_mode(0o755)).unwrap();
    fs::create_dir(dir.path().join("closed")).unwrap();
    for name in ["a", "closed/f", "secret", "z"] {
        fs::write(dir.path().join(name), name).unwrap();
    }
    for name in ["closed", "secret"] {
        fs::set_permissions(dir.path().join(name), PermissionsExt::from_mode(0o700)).unwrap();
    }
    let (collected, result) = capture_as(Some(65534), Path::new("/"), &[text(dir.path())], &[]).await;
    result.unwrap();
    let mut unreadable = collected.problems(ProblemKind::Unreadable);
    unreadable.sort_unstable();
    let at = |name: &str| format!("{}/{name}", text(dir.path()));
    assert_eq!(unreadable, [at("closed"), at("secret")]);
    let below = collected.below(dir.path());
    assert!(below.contains_key(&b"a"[..]) && below.contains_key(&b"z"[..]) && !below.contains_key(&b"secret"[..]));
}

#[tokio::test]
async fn excluded_directories_are_not_even_entered() {
    let dir = temp_dir("tree");
    fs::set_permissions(dir.path(), PermissionsExt::from_mode(0o755)).unwrap();
    for name in ["keep", "cache/deep", "node_modules/x"] {
        fs::create_dir_all(dir.path().join(name)).unwrap();
        fs::write(dir.path().join(name).join("f.txt"), name).unwrap();
        fs::write(dir.path().join(name).join("f.log"), name).unwrap();
    }
    fs::set_permissions(dir.path().join("cache"), PermissionsExt::from_mode(0o700)).unwrap();
    let anchored = format!("{}/cache", text(dir.path()));
    let exclude = [anchored.as_str(), "node_modules/", "*.log"];
    let (collected, result) = capture_as(Some(65534), Path::new("/"), &[text(dir.path())], &exclude).await;
    result.unwrap();
    let names: Vec<_> = collected
        .below(dir.path())
        .into_keys()
        .map(|k| String::from_utf8(k).unwrap())
        .collect();
    assert_eq!(names, ["keep", "keep/f.txt"]);
    assert!(collected.problems.is_empty(), "{:?}", collected.problems);
}
