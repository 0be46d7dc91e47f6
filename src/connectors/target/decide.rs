//! What becomes of one thing, from what the snapshot has and what is there.

use super::{Abilities, Found, FoundKind};
use crate::domain::{
    entry::{Entry, EntryKind},
    server_restore::{Existing, RestoreAction},
};

/// A decision, with the reason where it is worth telling.
pub type Decision = (RestoreAction, Option<String>);

/// Rules of one restore.
#[derive(Debug, Clone, Copy)]
pub struct Rules {
    /// What happens to files that are there.
    pub existing: Existing,
    /// Whether owners are restored.
    pub owners: bool,
    /// What the target can tell and do.
    pub abilities: Abilities,
}

impl Rules {
    /// Decides about a file, directory or symbolic link.
    pub fn decide(&self, entry: &Entry, found: Option<&Found>) -> Decision {
        if let (EntryKind::Symlink { .. }, false) = (&entry.kind, self.abilities.symlinks) {
            let why = "symbolic links cannot be made over this transport";
            return (RestoreAction::Refused, Some(why.into()));
        }
        let Some(found) = found else {
            return (RestoreAction::Create, None);
        };
        let same = match (&entry.kind, &found.kind) {
            (EntryKind::Directory, FoundKind::Directory) => self.same_mode_and_owner(entry, found),
            (EntryKind::File { size }, FoundKind::File) => {
                found.size == Some(*size)
                    && found.mtime == Some(entry.mtime.seconds)
                    && self.same_mode_and_owner(entry, found)
            }
            (EntryKind::Symlink { target }, FoundKind::Symlink { target: there }) => there.as_ref() == Some(target),
            (wanted, there) => return (RestoreAction::Conflict, Some(conflict(wanted, there))),
        };
        let directory = found.kind == FoundKind::Directory;
        match self.existing {
            Existing::Never => (RestoreAction::Keep, None),
            Existing::All if !directory => (RestoreAction::Overwrite, None),
            Existing::All | Existing::Changed if same => (RestoreAction::Unchanged, None),
            Existing::All | Existing::Changed => (RestoreAction::Overwrite, self.difference(entry, found)),
        }
    }

    /// Decides about another name of a file, from what is there under both names.
    pub fn decide_link(&self, there: Option<&Found>, file: Option<&Found>) -> Decision {
        let same = match (there, file) {
            (None, _) => return (RestoreAction::Create, None),
            (Some(there), _) if there.kind != FoundKind::File => {
                let wanted = EntryKind::File { size: 0 };
                return (RestoreAction::Conflict, Some(conflict(&wanted, &there.kind)));
            }
            (Some(there), Some(file)) => (there.size, there.mtime) == (file.size, file.mtime),
            (Some(_), None) => false,
        };
        match (self.existing, same) {
            (Existing::Never, _) => (RestoreAction::Keep, None),
            (_, true) => (RestoreAction::Unchanged, None),
            (_, false) => (RestoreAction::Overwrite, None),
        }
    }

    fn same_mode_and_owner(&self, entry: &Entry, found: &Found) -> bool {
        let mode = !self.abilities.modes || found.mode.is_none_or(|mode| mode == entry.mode);
        let owner = !self.owners || found.owner.is_none_or(|owner| Some(owner) == numeric_owner(entry));
        mode && owner
    }

    fn difference(&self, entry: &Entry, found: &Found) -> Option<String> {
        match (&entry.kind, &found.kind) {
            (EntryKind::File { size }, _) if found.size != Some(*size) => {
                let there = found.size.map_or("unknown".to_owned(), |size| size.to_string());
                Some(format!("has {there} bytes, the snapshot {size}"))
            }
            (EntryKind::File { .. }, _) if found.mtime != Some(entry.mtime.seconds) => {
                Some("was changed at another time".to_owned())
            }
            (EntryKind::Symlink { .. }, _) => Some("points elsewhere".to_owned()),
            _ => {
                let there = found.mode.unwrap_or(0);
                Some(format!("has mode {there:04o}, the snapshot {:04o}", entry.mode))
            }
        }
    }
}

/// The owner, if both numbers are such that a system can have.
pub fn numeric_owner(entry: &Entry) -> Option<(u32, u32)> {
    let id = |id: u64| u32::try_from(id).ok().filter(|&id| id != u32::MAX);
    Some((id(entry.uid)?, id(entry.gid)?))
}

fn conflict(wanted: &EntryKind, there: &FoundKind) -> String {
    let there = match there {
        FoundKind::File => "a file",
        FoundKind::Directory => "a directory",
        FoundKind::Symlink { .. } => "a symbolic link",
        FoundKind::Other => "something that is neither file nor directory",
    };
    let wanted = match wanted {
        EntryKind::File { .. } | EntryKind::HardLink { .. } => "a file",
        EntryKind::Directory => "a directory",
        EntryKind::Symlink { .. } => "a symbolic link",
    };
    format!("is {there} there, and {wanted} in the snapshot")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::entry::{EntryPath, Mtime};

    fn entry(kind: EntryKind) -> Entry {
        Entry {
            path: EntryPath::new(b"a").unwrap(),
            kind,
            mode: 0o644,
            uid: 7,
            gid: 8,
            mtime: Mtime { seconds: 100, nanos: 5 },
            pax: Vec::new(),
        }
    }

    fn found(kind: FoundKind) -> Found {
        Found {
            kind,
            size: Some(3),
            mtime: Some(100),
            mode: Some(0o644),
            owner: Some((1, 1)),
        }
    }

    fn rules(existing: Existing) -> Rules {
        Rules {
            existing,
            owners: false,
            abilities: Abilities {
                symlinks: true,
                hard_links: true,
                modes: true,
                owners: true,
                file_times: true,
                lanes: 1,
            },
        }
    }

    fn action(rules: Rules, kind: EntryKind, there: &Found) -> RestoreAction {
        rules.decide(&entry(kind), Some(there)).0
    }

    #[test]
    fn files_of_the_same_size_time_and_mode_are_left_alone() {
        let file = || EntryKind::File { size: 3 };
        let changed = rules(Existing::Changed);
        let there = found(FoundKind::File);
        assert_eq!(action(changed, file(), &there), RestoreAction::Unchanged);
        for other in [
            Found {
                size: Some(4),
                ..there.clone()
            },
            Found {
                mtime: Some(101),
                ..there.clone()
            },
            Found {
                mtime: None,
                ..there.clone()
            },
            Found {
                mode: Some(0o600),
                ..there.clone()
            },
        ] {
            assert_eq!(action(changed, file(), &other), RestoreAction::Overwrite, "{other:?}");
            assert_eq!(action(rules(Existing::Never), file(), &other), RestoreAction::Keep);
        }
        assert_eq!(action(rules(Existing::All), file(), &there), RestoreAction::Overwrite);
        let owners = Rules {
            owners: true,
            ..changed
        };
        assert_eq!(action(owners, file(), &there), RestoreAction::Overwrite);
        assert_eq!(changed.decide(&entry(file()), None).0, RestoreAction::Create);
    }

    #[test]
    fn another_kind_of_thing_is_never_replaced() {
        let all = rules(Existing::All);
        let link = FoundKind::Symlink { target: None };
        for kind in [FoundKind::Directory, link.clone(), FoundKind::Other] {
            assert_eq!(
                action(all, EntryKind::File { size: 3 }, &found(kind.clone())),
                RestoreAction::Conflict
            );
            assert_eq!(all.decide_link(Some(&found(kind)), None).0, RestoreAction::Conflict);
        }
        for kind in [FoundKind::File, link, FoundKind::Other] {
            assert_eq!(action(all, EntryKind::Directory, &found(kind)), RestoreAction::Conflict);
        }
        let symlink = EntryKind::Symlink { target: b"x".to_vec() };
        assert_eq!(action(all, symlink, &found(FoundKind::File)), RestoreAction::Conflict);
    }

    #[test]
    fn links_are_compared_by_where_they_point() {
        let link = || EntryKind::Symlink { target: b"x".to_vec() };
        let there = |target: &[u8]| {
            found(FoundKind::Symlink {
                target: Some(target.to_vec()),
            })
        };
        let changed = rules(Existing::Changed);
        assert_eq!(action(changed, link(), &there(b"x")), RestoreAction::Unchanged);
        assert_eq!(action(changed, link(), &there(b"y")), RestoreAction::Overwrite);
        let mut unable = changed;
        unable.abilities.symlinks = false;
        assert_eq!(action(unable, link(), &there(b"x")), RestoreAction::Refused);
    }
}
