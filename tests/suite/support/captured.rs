//! Takes what a connector sends and makes a tree of it, checking the order of items on the way.

use tokio::sync::mpsc;
use xvault::{
    connectors::{CaptureSink, MAX_DATA},
    domain::{
        entry::{Captured, Entry, EntryKind, FileEnd, Mtime, Problem, ProblemKind},
        job::JobError,
    },
};

use super::tree::{Kind, Node, Tree, link_names};

/// What came out of a capture.
#[derive(Debug, Default)]
pub struct Collected {
    /// Everything stored, by path on the source without the leading slash.
    pub tree: Tree,
    pub problems: Vec<Problem>,
    /// Files that did not end well.
    pub ends: Vec<(Vec<u8>, FileEnd)>,
    /// Paths in the order they came.
    pub order: Vec<Vec<u8>>,
    pub pax: Vec<(Vec<u8>, String, Vec<u8>)>,
}

impl Collected {
    /// What lies below a directory of the source, relative to it.
    pub fn below(&self, root: &std::path::Path) -> Tree {
        let root = root.to_str().expect("plain").trim_start_matches('/').as_bytes();
        let below = self.tree.iter().filter_map(|(path, node)| {
            let rest = path.strip_prefix(root)?.strip_prefix(b"/")?;
            let mut node = node.clone();
            if let Kind::File(.., Some(first)) = &mut node.kind {
                *first = first.strip_prefix(root)?.strip_prefix(b"/")?.to_vec();
            }
            Some((rest.to_vec(), node))
        });
        below.collect()
    }

    /// Problems of one kind, by their path.
    pub fn problems(&self, kind: ProblemKind) -> Vec<&str> {
        let of_kind = self.problems.iter().filter(|problem| problem.kind == kind);
        of_kind.map(|problem| problem.path.as_str()).collect()
    }
}

/// Runs a capture and collects what it sends.
pub async fn collect<R>(
    capture: impl AsyncFnOnce(CaptureSink) -> Result<R, JobError>,
) -> (Collected, Result<R, JobError>) {
    let (sink, items) = CaptureSink::channel();
    let (collected, result) = tokio::join!(receive(items), capture(sink));
    (collected, result)
}

async fn receive(mut items: mpsc::Receiver<Captured>) -> Collected {
    let mut collected = Collected::default();
    let mut links: Vec<Vec<Vec<u8>>> = Vec::new();
    let mut open: Option<(Entry, u64, blake3::Hasher)> = None;
    let mut streaming = false;
    while let Some(item) = items.recv().await {
        match item {
            Captured::Entry(entry) => {
                assert!(open.is_none(), "{entry:?} inside a file");
                let path = entry.path.as_bytes().to_vec();
                collected.order.push(path.clone());
                for (key, value) in &entry.pax {
                    collected.pax.push((path.clone(), key.clone(), value.clone()));
                }
                let kind = match &entry.kind {
                    EntryKind::File { .. } => {
                        open = Some((entry, 0, blake3::Hasher::new()));
                        continue;
                    }
                    EntryKind::Directory => Kind::Directory,
                    EntryKind::Symlink { target } => Kind::Symlink(target.clone()),
                    EntryKind::HardLink { target } => {
                        let target = target.as_bytes().to_vec();
                        let kind = collected.tree.get(&target).map(|node| node.kind.clone());
                        match links.iter_mut().find(|names| names.contains(&target)) {
                            Some(names) => names.push(path),
                            None => links.push(vec![target.clone(), path]),
                        }
                        kind.unwrap_or_else(|| panic!("a hard link to {}, which did not come", target.escape_ascii()))
                    }
                };
                insert(&mut collected, &entry, kind);
            }
            Captured::Stream(path) => {
                assert!(open.is_none(), "{path:?} inside a file");
                collected.order.push(path.as_bytes().to_vec());
                let kind = EntryKind::File { size: 0 };
                let (mode, mtime, pax) = (0o600, Mtime::default(), Vec::new());
                let entry = Entry {
                    path,
                    kind,
                    mode,
                    uid: 0,
                    gid: 0,
                    mtime,
                    pax,
                };
                open = Some((entry, 0, blake3::Hasher::new()));
                streaming = true;
            }
            Captured::Data(data) => {
                assert!(!data.is_empty() && data.len() <= MAX_DATA, "a chunk of {}", data.len());
                let (_, length, hasher) = open.as_mut().expect("data inside a file");
                *length += data.len() as u64;
                hasher.update(&data);
            }
            Captured::End(end) => {
                let (entry, length, hasher) = open.take().expect("an end after a file");
                let streamed = std::mem::take(&mut streaming);
                if end != FileEnd::Complete {
                    collected.ends.push((entry.path.as_bytes().to_vec(), end));
                } else if !streamed {
                    assert_eq!(entry.kind, EntryKind::File { size: length }, "{:?}", entry.path);
                }
                insert(&mut collected, &entry, Kind::File(length, hasher.finalize(), None));
            }
            Captured::Problem(problem) => {
                assert!(open.is_none(), "{problem:?} inside a file");
                collected.problems.push(problem);
            }
        }
    }
    for names in links {
        link_names(&mut collected.tree, names);
    }
    collected
}

fn insert(collected: &mut Collected, entry: &Entry, kind: Kind) {
    let node = Node {
        kind,
        mode: entry.mode,
        uid: entry.uid,
        gid: entry.gid,
        mtime: (entry.mtime.seconds, entry.mtime.nanos),
    };
    let before = collected.tree.insert(entry.path.as_bytes().to_vec(), node);
    assert!(before.is_none(), "{:?} came twice", entry.path);
}
