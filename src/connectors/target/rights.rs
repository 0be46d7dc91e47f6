//! Whether a login may write into a directory, as far as numbers and bits tell.

use super::{Found, Login};

/// `None` if that cannot be told.
pub fn may_write_into(login: &Login, directory: &Found) -> Option<bool> {
    if login.user == 0 {
        return Some(true);
    }
    let (mode, (user, group)) = (directory.mode?, directory.owner?);
    let allows = |bits: u32| mode & bits == bits;
    if user == login.user {
        return Some(allows(0o300));
    }
    match &login.groups {
        Some(groups) if groups.contains(&group) => Some(allows(0o030)),
        Some(_) => Some(allows(0o003)),
        None => None,
    }
}

/// True if the login may set mode and time of something.
pub fn may_settle(login: &Login, found: &Found) -> Option<bool> {
    Some(login.user == 0 || found.owner?.0 == login.user)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connectors::target::FoundKind;

    #[test]
    fn rights_are_read_as_the_kernel_reads_them() {
        let directory = |mode: u32, owner: (u32, u32)| Found {
            kind: FoundKind::Directory,
            size: None,
            mtime: None,
            mode: Some(mode),
            owner: Some(owner),
        };
        let login = Login {
            user: 5,
            groups: Some(vec![5, 6]),
        };
        for (mode, owner, expected) in [
            (0o755, (5, 1), true),
            (0o555, (5, 1), false),
            // The owner's bits count alone.
            (0o077, (5, 5), false),
            (0o775, (1, 6), true),
            (0o757, (1, 6), false),
            (0o777, (1, 1), true),
            (0o755, (1, 1), false),
        ] {
            let directory = directory(mode, owner);
            assert_eq!(may_write_into(&login, &directory), Some(expected), "{mode:o} {owner:?}");
        }
        let root = Login { user: 0, groups: None };
        assert_eq!(may_write_into(&root, &directory(0, (1, 1))), Some(true));
        let unknown = Login { user: 5, groups: None };
        assert_eq!(may_write_into(&unknown, &directory(0o777, (1, 1))), None);
    }
}
