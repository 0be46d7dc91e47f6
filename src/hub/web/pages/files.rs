//! What is inside a snapshot, directory by directory, and choosing from it.
//!
//! The choice travels in the address: each step sends the form, so boxes stay ticked from one directory to
//! the next without JavaScript.

use std::collections::BTreeSet;

use askama::Template;

use super::{
    filters,
    form::{Form, Query},
    id::Id,
    shell::{Section, Shell},
    visit::{Answer, Visit},
};
use crate::{
    domain::{brief::BrowsedEntry, ids::SnapshotId},
    hub::{
        actions::{
            browse::{self, BrowseQuery},
            snapshots,
        },
        views::SnapshotView,
    },
};

/// Entries on a page.
const PAGE: i64 = 100;

/// Bytes of chosen paths that an address may carry.
const MAX_CHOICE_BYTES: usize = 12 * 1024;

/// The chosen paths of a form or an address, without those that lie below another one.
pub fn picks(form: &Form) -> Vec<String> {
    let all: BTreeSet<&str> = form.all("pick").filter(|path| !path.is_empty()).collect();
    let covered = |path: &str| all.iter().any(|other| is_below(path, other));
    all.iter()
        .filter(|path| !covered(path))
        .map(|path| (*path).to_owned())
        .collect()
}

/// Escaping keeps slashes as they are, so this holds for the escaped form too.
fn is_below(path: &str, directory: &str) -> bool {
    path.strip_prefix(directory).is_some_and(|rest| rest.starts_with('/'))
}

struct Crumb {
    name: String,
    path: String,
}

/// The directories from the root down to `path`.
fn crumbs(path: &str) -> Vec<Crumb> {
    let root = Crumb {
        name: "all files".into(),
        path: String::new(),
    };
    let borders = path
        .match_indices('/')
        .map(|(i, _)| i)
        .chain(Some(path.len()).filter(|&end| end > 0));
    let below = borders.map(|end| Crumb {
        name: path[..end].rsplit('/').next().unwrap_or_default().to_owned(),
        path: path[..end].to_owned(),
    });
    std::iter::once(root).chain(below).collect()
}

struct Row {
    entry: BrowsedEntry,
    picked: bool,
    /// A directory above it is chosen.
    inherited: bool,
}

impl Row {
    fn is_directory(&self) -> bool {
        self.entry.kind == "directory"
    }

    fn has_size(&self) -> bool {
        self.entry.kind == "file"
    }

    fn icon(&self) -> &'static str {
        match self.entry.kind.as_str() {
            "symlink" | "hardlink" => "link",
            _ => "file",
        }
    }
}

#[derive(Template)]
#[template(path = "files.html")]
struct FilesPage {
    shell: Shell,
    snapshot: SnapshotView,
    problem: Option<&'static str>,
    crumbs: Vec<Crumb>,
    /// The directory shown.
    path: String,
    /// The same, for people.
    place: String,
    rows: Vec<Row>,
    /// Chosen elsewhere.
    kept: Vec<String>,
    picked_count: usize,
    clear_link: String,
    at_start: bool,
    next_cursor: Option<String>,
}

/// `GET /snapshots/{id}/files`
pub async fn show(Id(id): Id<SnapshotId>, visit: Visit, Query(query): Query) -> Answer {
    let snapshot = snapshots::get(&visit.hub, &visit.actor, &id).await?;
    // A directory's own button says `path`; "next page" says `go`, and `here` is where.
    let (path, cursor) = match query.all("path").next() {
        Some(path) => (path.to_owned(), None),
        None => (query.text("here").to_owned(), query.given("go").map(str::to_owned)),
    };
    let wanted = BrowseQuery {
        path: path.clone(),
        cursor: cursor.clone(),
        limit: PAGE,
    };
    let page = browse::files(&visit.hub, &visit.actor, &id, wanted).await?;

    let mut picks = picks(&query);
    let too_many = picks.iter().map(String::len).sum::<usize>() > MAX_CHOICE_BYTES;
    if too_many {
        picks.clear();
    }
    let inherited = picks.iter().any(|pick| *pick == path || is_below(&path, pick));
    let row = |entry: BrowsedEntry| Row {
        picked: picks.contains(&entry.path),
        inherited,
        entry,
    };
    let rows: Vec<Row> = page.items.into_iter().map(row).collect();
    let is_shown = |pick: &&String| rows.iter().any(|row| row.entry.path == **pick);
    let kept = picks.iter().filter(|pick| !is_shown(pick)).cloned().collect();
    let clear = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("path", &path)
        .finish();
    visit.page(&FilesPage {
        shell: visit.shell(Section::Snapshots),
        problem: too_many.then_some("That is more than fits here. Choose whole directories instead of their files."),
        crumbs: crumbs(&path),
        place: if path.is_empty() {
            "all files".into()
        } else {
            path.clone()
        },
        clear_link: format!("/snapshots/{id}/files?{clear}"),
        at_start: cursor.is_none(),
        next_cursor: page.next_cursor,
        picked_count: picks.len(),
        snapshot,
        path,
        rows,
        kept,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_below_a_chosen_directory_is_not_chosen_twice() {
        let form = Form::parse(b"pick=srv/www&pick=srv&pick=srv2&pick=etc/hosts&pick=srv&pick=");
        assert_eq!(picks(&form), ["etc/hosts", "srv", "srv2"]);
    }

    #[test]
    fn crumbs_lead_down() {
        let names = |path: &str| {
            crumbs(path)
                .into_iter()
                .map(|crumb| (crumb.name, crumb.path))
                .collect::<Vec<_>>()
        };
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        assert_eq!(names(""), [pair("all files", "")]);
        assert_eq!(
            names("srv/www"),
            [pair("all files", ""), pair("srv", "srv"), pair("www", "srv/www")]
        );
    }
}
