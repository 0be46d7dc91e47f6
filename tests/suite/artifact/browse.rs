//! Directory levels out of the index.

use xvault::{
    artifact::browse,
    domain::{brief::BrowsePage, error_code::ErrorCode, job::JobError, snapshot::ArtifactFile},
    storage::Storage,
};

use super::fixture::{Bench, directory, file, hard_link, symlink};

struct Listing {
    bench: Bench,
    keys: xvault::artifact::Keys,
}

impl Listing {
    fn new() -> Self {
        let bench = Bench::new("browse");
        let mut items = vec![directory("srv/www")];
        items.extend(file("srv/www/b", b"bb"));
        items.extend(file("srv/www/a\u{ff}", b""));
        items.extend(file(b"srv/www/raw\xff", b"1"));
        items.push(symlink("srv/www/link", b"b"));
        items.push(hard_link("srv/www/hard", "srv/www/b"));
        items.push(directory("srv/www/dir"));
        items.extend(file("srv/www/dir/x", b"x"));
        items.extend(file("srv/wwwx", b"beside"));
        items.extend(file("etc/hosts", b"hosts"));
        let written = bench.write(items).unwrap();
        let keys = bench.keys(&written);
        Self { bench, keys }
    }

    fn page(&self, path: &str, cursor: Option<&str>, limit: usize) -> Result<BrowsePage, JobError> {
        let index = self.bench.storage.open(&self.bench.key, ArtifactFile::Index).unwrap();
        browse(index, &self.keys.index, path, cursor, limit)
    }

    fn names(&self, path: &str) -> Vec<String> {
        let page = self.page(path, None, 100).unwrap();
        assert_eq!(page.next_cursor, None);
        page.items
            .into_iter()
            .map(|item| format!("{} {}", item.kind, item.path))
            .collect()
    }
}

#[test]
fn each_level_shows_its_own_names_in_order() {
    let listing = Listing::new();
    assert_eq!(listing.names(""), ["directory etc", "directory srv"]);
    assert_eq!(listing.names("/"), ["directory etc", "directory srv"]);
    assert_eq!(listing.names("srv"), ["directory srv/www", "file srv/wwwx"]);
    assert_eq!(
        listing.names("/srv/www/"),
        [
            "file srv/www/a\u{ff}",
            "file srv/www/b",
            "directory srv/www/dir",
            "hardlink srv/www/hard",
            "symlink srv/www/link",
            "file srv/www/raw\\xff",
        ]
    );
    let file = listing.page("etc", None, 10).unwrap().items.remove(0);
    assert_eq!((file.name.as_str(), file.size, file.mode), ("hosts", 5, 0o644));
    assert_eq!(file.mtime.unwrap().timestamp(), 1_600_000_000);
}

#[test]
fn pages_follow_each_other_without_gap_or_overlap() {
    let listing = Listing::new();
    let mut seen = Vec::new();
    let mut cursor = None;
    loop {
        let page = listing.page("srv/www", cursor.as_deref(), 2).unwrap();
        assert!(page.items.len() <= 2);
        seen.extend(page.items.into_iter().map(|item| item.name));
        cursor = page.next_cursor;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(seen, ["a\u{ff}", "b", "dir", "hard", "link", "raw\\xff"]);
}

#[test]
fn what_is_no_directory_is_not_found() {
    let listing = Listing::new();
    for path in ["nowhere", "srv/www/b", "srv/ww", "../etc", "bad\\escape"] {
        let error = listing.page(path, None, 10).unwrap_err();
        assert_eq!(error.code, ErrorCode::PathNotFound, "{path}");
    }
}
