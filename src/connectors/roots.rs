//! From configured paths to what is read: where they really lie, without overlap.

use crate::domain::{
    entry::{EntryPath, Problem, ProblemKind},
    escaped::escape,
    exclude::ExcludeSet,
};

/// Directories that hold no files of their own: the kernel's and the boot's. Left out, with a note,
/// when the whole file system of a machine is captured; the directories themselves are stored empty.
pub const PSEUDO: [&[u8]; 4] = [b"/proc", b"/sys", b"/dev", b"/run"];

/// A configured path as the source resolves it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    /// As configured.
    pub given: String,
    /// Absolute, with every link above its last component resolved.
    pub place: Vec<u8>,
    /// If `place` is a link: where it finally leads, or `None` if nowhere.
    pub link: Option<Option<Vec<u8>>>,
}

/// What to read, and what to tell about it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Roots {
    /// Absolute paths; none lies below another.
    pub paths: Vec<Vec<u8>>,
    /// Directories whose content is not read.
    pub pruned: Vec<Vec<u8>>,
    /// Things worth telling.
    pub notes: Vec<Problem>,
}

/// True if `path` is `above` or lies below it; both absolute.
pub fn is_within(path: &[u8], above: &[u8]) -> bool {
    above == b"/"
        || path
            .strip_prefix(above)
            .is_some_and(|rest| rest.is_empty() || rest[0] == b'/')
}

/// A configured path made absolute: relative to the login directory, without `.`, doubled or
/// trailing slashes.
pub fn absolute(path: &str, login_dir: &[u8]) -> Vec<u8> {
    let login_dir = if path.starts_with('/') { &b""[..] } else { login_dir };
    let parts = login_dir
        .split(|&b| b == b'/')
        .chain(path.as_bytes().split(|&b| b == b'/'));
    let mut absolute = Vec::new();
    for part in parts.filter(|part| !matches!(*part, b"" | b".")) {
        absolute.push(b'/');
        absolute.extend_from_slice(part);
    }
    if absolute.is_empty() {
        absolute.push(b'/');
    }
    absolute
}

impl Roots {
    /// Plans what to read.
    pub fn plan(resolved: &[Resolved], login_dir: &[u8], excludes: &ExcludeSet) -> Self {
        let mut roots = Self::default();
        let mut wanted = Vec::new();
        for include in resolved {
            let given = absolute(&include.given, login_dir);
            if given != include.place {
                let text = format!("leads through a link; stored as {}", escape(&include.place));
                roots.note(&given, text);
            }
            wanted.push(include.place.clone());
            match &include.link {
                None => {}
                Some(None) => roots.note(
                    &include.place,
                    "is a link that leads nowhere; the link itself is stored",
                ),
                Some(Some(target)) => {
                    let text = format!(
                        "is a link; the link is stored, and what it leads to as {}",
                        escape(target)
                    );
                    roots.note(&include.place, text);
                    wanted.push(target.clone());
                }
            }
        }
        wanted.sort();
        for path in wanted {
            if roots.paths.iter().any(|above| is_within(&path, above)) {
                continue;
            }
            // A root is what was asked for by name; whether it is a directory, patterns for
            // directories need not know.
            if EntryPath::new(&path).is_ok_and(|path| excludes.excludes(&path, true)) {
                roots.note(&path, "is configured but left out by an exclude pattern");
                continue;
            }
            roots.paths.push(path);
        }
        roots
    }

    /// Leaves out the content of [`PSEUDO`] if `/` is captured: for sources whose `/` is that of a system.
    pub fn without_pseudo(mut self) -> Self {
        if self.paths.iter().any(|path| path == b"/") {
            self.pruned = PSEUDO.map(<[u8]>::to_vec).to_vec();
            self.note(
                b"/",
                "the content of /proc, /sys, /dev and /run is left out: it exists only while the system runs",
            );
        }
        self
    }

    /// True if `path` (absolute) is below a directory whose content is not read.
    pub fn is_pruned(&self, path: &[u8]) -> bool {
        self.pruned.iter().any(|above| path != above && is_within(path, above))
    }

    fn note(&mut self, path: &[u8], message: impl Into<String>) {
        self.notes.push(Problem {
            kind: ProblemKind::Note,
            path: escape(path),
            message: message.into(),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(includes: &[(&str, &str, Option<Option<&str>>)], exclude: &[&str]) -> Roots {
        let resolved: Vec<_> = includes
            .iter()
            .map(|(given, place, link)| Resolved {
                given: (*given).into(),
                place: place.as_bytes().to_vec(),
                link: link.map(|link| link.map(|link| link.as_bytes().to_vec())),
            })
            .collect();
        let excludes: Vec<_> = exclude.iter().map(|text| (*text).to_owned()).collect();
        Roots::plan(&resolved, b"/home/u", &ExcludeSet::new(&excludes).unwrap()).without_pseudo()
    }

    fn paths(roots: &Roots) -> Vec<&str> {
        roots
            .paths
            .iter()
            .map(|path| std::str::from_utf8(path).unwrap())
            .collect()
    }

    #[test]
    fn overlaps_are_read_once() {
        let roots = plan(
            &[
                ("/srv/www", "/srv/www", None),
                ("/srv", "/srv", None),
                ("/srv-2", "/srv-2", None),
                ("x", "/home/u/x", None),
            ],
            &[],
        );
        assert_eq!(paths(&roots), ["/home/u/x", "/srv", "/srv-2"]);
        assert!(roots.notes.is_empty() && roots.pruned.is_empty());
    }

    #[test]
    fn links_are_stored_with_what_they_lead_to() {
        let roots = plan(
            &[
                ("/srv/now", "/srv/now", Some(Some("/srv/v5"))),
                ("/dead", "/dead", Some(None)),
            ],
            &[],
        );
        assert_eq!(paths(&roots), ["/dead", "/srv/now", "/srv/v5"]);
        assert_eq!(roots.notes.len(), 2);
        let roots = plan(&[("/lib", "/lib", Some(Some("/usr/lib"))), ("/", "/", None)], &[]);
        assert_eq!(paths(&roots), ["/"]);
        assert!(roots.is_pruned(b"/proc/1") && !roots.is_pruned(b"/proc") && !roots.is_pruned(b"/process"));
    }

    #[test]
    fn an_excluded_root_is_told() {
        let roots = plan(&[("/srv/cache", "/srv/cache", None)], &["cache"]);
        assert!(roots.paths.is_empty());
        assert_eq!(roots.notes.len(), 1);
    }

    #[test]
    fn paths_become_absolute() {
        assert_eq!(absolute("./www//a/", b"/home/u"), b"/home/u/www/a");
        assert_eq!(absolute("//etc/.", b"/home/u"), b"/etc");
        assert_eq!(absolute(".", b"/"), b"/");
    }
}
