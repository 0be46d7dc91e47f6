//! `xvault artifact …` on a directory and an identity file.

use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::Path,
    process::{Command, Output},
};

use super::fixture::{Bench, directory, entry, file, file_of, hard_link, noise, symlink};
use crate::support::xvault::command;
use xvault::domain::{
    entry::{EntryKind, FileEnd},
    snapshot::ArtifactFile,
};

fn xvault(args: &[&str]) -> Output {
    command(args, &[]).output().expect("the binary runs")
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr].concat()).into_owned()
}

struct Site {
    bench: Bench,
    directory: String,
    identity: String,
}

impl Site {
    fn new(name: &str, items: Vec<xvault::domain::entry::Captured>) -> Self {
        let bench = Bench::new(name);
        bench.write(items).unwrap();
        Self {
            directory: bench.snapshot().to_str().unwrap().to_owned(),
            identity: bench.identity_file().to_str().unwrap().to_owned(),
            bench,
        }
    }

    fn run(&self, command: &str, more: &[&str]) -> Output {
        let args = ["artifact", command, "-i", &self.identity, &self.directory];
        xvault(&[&args[..], more].concat())
    }
}

fn tree() -> Vec<xvault::domain::entry::Captured> {
    let mut items = vec![directory("srv"), directory("srv/sub")];
    items.extend(file("srv/one", b"one\n"));
    items.extend(file("srv/sub/big", &noise(4, 3_000_000)));
    items.push(hard_link("srv/again", "srv/sub/big"));
    items.push(symlink("srv/link", b"/etc/passwd"));
    let mut locked = entry("srv/locked", EntryKind::Directory);
    locked.mode = 0o555;
    items.push(xvault::domain::entry::Captured::Entry(locked));
    let mut inside = entry("srv/locked/suid", EntryKind::File { size: 1 });
    inside.mode = 0o4755;
    inside.uid = 1234;
    items.extend(file_of(inside, b"x", FileEnd::Complete));
    items
}

#[test]
fn inspect_needs_no_key() {
    let site = Site::new("inspect", tree());
    let output = xvault(&["artifact", "inspect", &site.directory]);
    let shown = text(&output);
    assert!(output.status.success(), "{shown}");
    for wanted in [
        site.bench.key.snapshot_id.as_str(),
        "3 files, 3 directories, 1 symlinks, 1 hard links",
        "complete",
    ] {
        assert!(shown.contains(wanted), "{shown}");
    }
    assert!(!shown.contains("srv/one"));
    let json = xvault(&["artifact", "inspect", "--json", &site.directory]).stdout;
    let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
    assert_eq!(json["counts"]["files"], 3);
}

#[test]
fn verify_says_intact_or_what_is_wrong() {
    let site = Site::new("cli-verify", tree());
    let output = site.run("verify", &[]);
    assert!(
        output.status.success() && text(&output).contains("intact"),
        "{}",
        text(&output)
    );
    assert!(xvault(&["artifact", "verify", &site.directory]).status.success());

    let path = site.bench.file(ArtifactFile::Backup);
    let mut bytes = fs::read(&path).unwrap();
    bytes[5000] ^= 1;
    fs::write(&path, bytes).unwrap();
    for output in [
        site.run("verify", &[]),
        xvault(&["artifact", "verify", &site.directory]),
    ] {
        assert_eq!(output.status.code(), Some(1));
        assert!(
            text(&output).contains("backup.tar.zst.enc is damaged"),
            "{}",
            text(&output)
        );
    }
}

#[test]
fn extract_gives_modes_times_owners_and_links_back() {
    let site = Site::new("extract", tree());
    let target = site.bench.path("out");
    let output = site.run("extract", &["--to", target.to_str().unwrap()]);
    assert!(output.status.success(), "{}", text(&output));
    assert_eq!(fs::read(target.join("srv/one")).unwrap(), b"one\n");
    let meta = |name: &str| fs::symlink_metadata(target.join(name)).unwrap();
    assert_eq!(meta("srv/again").ino(), meta("srv/sub/big").ino());
    assert_eq!(
        fs::read_link(target.join("srv/link")).unwrap(),
        Path::new("/etc/passwd")
    );
    assert_eq!(meta("srv/locked").mode() & 0o7777, 0o555);
    assert_eq!(meta("srv/locked/suid").mode() & 0o7777, 0o4755);
    for name in ["srv", "srv/sub", "srv/one", "srv/link", "srv/locked"] {
        assert_eq!(meta(name).mtime(), 1_600_000_000, "{name}");
    }
    if rustix::process::geteuid().is_root() {
        assert_eq!(meta("srv/locked/suid").uid(), 1234);
    }
    let again = site.run("extract", &["--to", target.to_str().unwrap()]);
    assert!(
        !again.status.success() && text(&again).contains("not empty"),
        "{}",
        text(&again)
    );
}

#[test]
fn chosen_paths_as_a_tar_on_standard_output() {
    let site = Site::new("to-tar", tree());
    let output = site.run("extract", &["--to-tar", "-", "srv/sub"]);
    assert!(output.status.success(), "{}", text(&output));
    let into = site.bench.path("out");
    super::fixture::unpack("tar", &output.stdout, &into);
    assert_eq!(fs::read(into.join("srv/sub/big")).unwrap(), noise(4, 3_000_000));
    assert!(!into.join("srv/one").exists());
    let missing = site.run("extract", &["--to-tar", "-", "srv/none"]);
    assert_eq!(missing.status.code(), Some(1));
    assert!(text(&missing).contains("srv/none"), "{}", text(&missing));
}

#[test]
fn a_wrong_identity_learns_whose_the_snapshot_is() {
    let site = Site::new("wrong", tree());
    let other = Bench::new("other");
    let output = xvault(&[
        "artifact",
        "list",
        &site.directory,
        "-i",
        other.identity_file().to_str().unwrap(),
    ]);
    let said = text(&output);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        said.contains(&site.bench.identity.recipient()) && said.contains(&other.identity.recipient()),
        "{said}"
    );
    let nonsense = site.bench.path("nonsense");
    fs::write(&nonsense, "# fine\nAGE-SECRET-KEY-1NOPE\n").unwrap();
    let output = xvault(&["artifact", "list", &site.directory, "-i", nonsense.to_str().unwrap()]);
    let said = text(&output);
    assert!(said.contains("line 2") && !said.contains("NOPE"), "{said}");
}

#[test]
fn what_is_no_snapshot_is_said_so() {
    let bench = Bench::new("no-snapshot");
    let output = xvault(&["artifact", "inspect", bench.dir.path().to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output).contains("meta.json does not exist"), "{}", text(&output));
}

#[test]
fn nothing_is_written_through_a_link() {
    let outside = Bench::new("outside");
    let place = outside.dir.path().to_str().unwrap().to_owned();
    let mut items = vec![symlink("way", place.as_bytes())];
    items.extend(file("way/escaped", b"evil"));
    let site = Site::new("escape", items);
    let target = site.bench.path("out");
    let output = site.run("extract", &["--to", target.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
    assert!(text(&output).contains("symbolic link"), "{}", text(&output));
    assert!(!outside.path("escaped").exists());

    // A file where a link was replaces the link, not what it points to.
    fs::write(outside.path("victim"), b"mine").unwrap();
    let mut items = vec![symlink("way", outside.path("victim").to_str().unwrap().as_bytes())];
    items.extend(file("way", b"evil"));
    let site = Site::new("replace", items);
    let target = site.bench.path("out");
    assert!(
        site.run("extract", &["--to", target.to_str().unwrap()])
            .status
            .success()
    );
    assert_eq!(fs::read(outside.path("victim")).unwrap(), b"mine");
    assert_eq!(fs::read(target.join("way")).unwrap(), b"evil");
}

#[test]
fn listing_into_a_closed_pipe_is_no_failure() {
    let mut items = Vec::new();
    for n in 0..20_000 {
        items.extend(file(format!("dir/file number {n}"), b""));
    }
    let site = Site::new("pipe", items);
    let script = format!(
        "set -o pipefail; {} artifact list -i {} {} | head -1",
        env!("CARGO_BIN_EXE_xvault"),
        site.identity,
        site.directory
    );
    let output = Command::new("bash").args(["-c", &script]).output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    assert!(text(&output).starts_with("-rw-r--r--"));
}
