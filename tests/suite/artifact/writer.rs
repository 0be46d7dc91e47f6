//! What the writer makes of captures that are not as they should be.

use bytes::Bytes;
use xvault::domain::{
    entry::{Captured, Entry, EntryKind, FileEnd, Problem, ProblemKind},
    error_code::ErrorCode,
    snapshot::{ArtifactFile, SnapshotState},
};

use super::fixture::{Bench, directory, entry, file, file_of, hard_link};

fn announced(name: &str, size: u64) -> Entry {
    entry(name, EntryKind::File { size })
}

fn problem(kind: ProblemKind, path: &str) -> Captured {
    Captured::Problem(Problem {
        kind,
        path: path.into(),
        message: "said the connector".into(),
    })
}

/// The index's line of an entry.
fn line(bench: &Bench, path: &str) -> serde_json::Value {
    let index = String::from_utf8(bench.stock_content(ArtifactFile::Index)).unwrap();
    let mut lines = index
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    lines
        .find(|line| line["path"] == path && line["offset"].is_number())
        .unwrap()
}

#[test]
fn files_of_another_length_than_announced_do_not_shift_the_rest() {
    let bench = Bench::new("lengths");
    let mut items = file_of(announced("short", 2000), b"short", FileEnd::Complete);
    items.extend(file_of(announced("long", 4), b"longer", FileEnd::Complete));
    items.extend(file_of(announced("mixed", 5), b"mixed", FileEnd::Changed));
    items.extend(file("after", b"after"));
    let written = bench.write(items).unwrap();
    assert_eq!(written.snapshot.state, SnapshotState::Complete);
    assert_eq!(written.snapshot.warnings.count, 3);
    assert!(
        written
            .snapshot
            .warnings
            .sample
            .iter()
            .all(|problem| problem.kind == ProblemKind::Changed)
    );
    assert_eq!(written.snapshot.bytes_source, 5 + 4 + 5 + 5);

    let into = bench.path("out");
    super::fixture::unpack("tar", &bench.stock_content(ArtifactFile::Backup), &into);
    let read = |name: &str| std::fs::read(into.join(name)).unwrap();
    assert_eq!(read("short"), [&b"short"[..], &[0; 1995]].concat());
    assert_eq!(read("long"), b"long");
    assert_eq!(read("after"), b"after");
    assert_eq!(line(&bench, "short")["content"], "padded");
    assert_eq!(line(&bench, "short")["captured"], 5);
    assert_eq!(line(&bench, "long")["content"], "cut");
    assert_eq!(line(&bench, "mixed")["content"], "changed");
    assert!(line(&bench, "after")["content"].is_null());
}

#[test]
fn an_unreadable_file_makes_it_partial_and_is_told_once() {
    let bench = Bench::new("unreadable");
    let mut items = file("fine", b"fine");
    items.extend(file_of(announced("srv/bad", 100), b"be", FileEnd::Unreadable));
    items.push(problem(ProblemKind::Unreadable, "/srv/bad"));
    items.extend(file_of(announced("srv/worse", 100), b"be", FileEnd::Unreadable));
    let written = bench.write(items).unwrap();
    assert_eq!(written.snapshot.state, SnapshotState::Partial);
    let told: Vec<_> = written
        .snapshot
        .warnings
        .sample
        .iter()
        .map(|problem| problem.path.as_str())
        .collect();
    assert_eq!(told, ["/srv/bad", "/srv/worse"]);
    assert_eq!(written.snapshot.warnings.sample[0].message, "said the connector");
    assert_eq!(line(&bench, "srv/bad")["content"], "unreadable");
}

#[test]
fn a_link_to_what_was_not_stored_is_left_out_and_told() {
    let bench = Bench::new("links");
    let mut items = file("kept", b"x");
    items.push(hard_link("good", "kept"));
    items.push(hard_link("dangling", "excluded"));
    items.push(hard_link("itself", "itself"));
    let written = bench.write(items).unwrap();
    assert_eq!(written.snapshot.state, SnapshotState::Partial);
    assert_eq!((written.counts.hardlinks, written.counts.problems), (1, 2));
    let into = bench.path("out");
    super::fixture::unpack("tar", &bench.stock_content(ArtifactFile::Backup), &into);
    assert!(into.join("good").exists() && !into.join("dangling").exists());
}

#[test]
fn a_capture_without_a_file_is_no_snapshot() {
    for items in [
        vec![],
        vec![directory("mount/point")],
        vec![directory("a"), problem(ProblemKind::Unreadable, "/a/b")],
    ] {
        let bench = Bench::new("nothing");
        let error = bench.write(items).unwrap_err();
        assert_eq!(error.code, ErrorCode::NothingCaptured);
        assert_eq!(bench.leftovers(), Vec::<std::path::PathBuf>::new());
    }
}

#[test]
fn a_stream_that_breaks_its_protocol_is_no_snapshot() {
    let data = || Captured::Data(Bytes::from_static(b"x"));
    let open = || Captured::Entry(announced("f", 1));
    for items in [
        vec![data()],
        vec![Captured::End(FileEnd::Complete)],
        vec![open(), open()],
        vec![open(), problem(ProblemKind::Note, "x")],
        vec![open(), data()],
    ] {
        let bench = Bench::new("protocol");
        let error = bench.write(file("first", b"1").into_iter().chain(items)).unwrap_err();
        assert_eq!(error.code, ErrorCode::Internal, "{}", error.message);
        assert_eq!(bench.leftovers(), Vec::<std::path::PathBuf>::new());
    }
}

#[test]
fn absurd_sizes_end_the_job_at_once() {
    for size in [u64::MAX, 1 << 63, (1 << 46) + 1, 1 << 45] {
        let bench = Bench::new("absurd");
        let items = file_of(announced("f", size), b"little", FileEnd::Complete);
        assert_eq!(bench.write(items).unwrap_err().code, ErrorCode::SourceLimit, "{size}");
    }
}

#[test]
fn a_dropped_writer_leaves_nothing() {
    let bench = Bench::new("dropped");
    let mut writer = bench.writer();
    for item in file("f", &super::fixture::noise(1, 9_000_000)) {
        writer.push(item).unwrap();
    }
    assert!(!bench.leftovers().is_empty());
    drop(writer);
    assert_eq!(bench.leftovers(), Vec::<std::path::PathBuf>::new());
    bench.write(file("f", b"again")).unwrap();
}

#[test]
fn a_cancelled_writer_stops() {
    let bench = Bench::new("cancelled");
    let mut writer = bench.writer();
    writer.gauge().clone().cancel();
    let error = writer.push(directory("d")).unwrap_err();
    assert_eq!(error.code, ErrorCode::Cancelled);
}
