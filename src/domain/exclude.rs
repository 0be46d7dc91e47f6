//! What to leave out: the glob syntax of `exclude`, the same for every transport.
//!
//! | Pattern | Leaves out |
//! |---|---|
//! | `*.log` | every name that matches, at any depth (a pattern without `/`) |
//! | `cache/tmp` | every path that ends in these components |
//! | `/srv/www/cache` | this path of the source and no other (a leading `/` anchors) |
//! | `/srv/**/cache` | `cache` at any depth below `/srv` (`**` crosses `/`; `*` and `?` do not) |
//! | `build/` | directories of that name only (a trailing `/`) |
//!
//! `[ab]`, `[!ab]` and `{one,two}` work too; a backslash takes the next character literally. A match
//! leaves out everything below it. Matching is on bytes, so a name need not be UTF-8.

use std::{ffi::OsStr, os::unix::ffi::OsStrExt, path::Path};

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

use super::entry::EntryPath;

/// A pattern that is no valid glob.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("is no valid glob: {reason}")]
pub struct InvalidGlob {
    /// What is wrong with it.
    reason: String,
}

/// Compiled exclude patterns.
#[derive(Debug, Clone)]
pub struct ExcludeSet {
    any: GlobSet,
    directories: GlobSet,
}

/// One pattern, taken apart.
struct Pattern<'a> {
    /// As the glob is matched against a path without its leading slash.
    glob: String,
    directories_only: bool,
    /// The glob's own text, without the slashes at its ends.
    body: &'a str,
    anchored: bool,
}

impl<'a> Pattern<'a> {
    fn parse(text: &'a str) -> Self {
        let body = text.trim_end_matches('/');
        let directories_only = body.len() < text.len();
        let anchored = body.starts_with('/');
        let body = body.trim_start_matches('/');
        let glob = if anchored {
            body.to_owned()
        } else {
            format!("**/{body}")
        };
        Self {
            glob,
            directories_only,
            body,
            anchored,
        }
    }

    fn compile(&self) -> Result<globset::Glob, InvalidGlob> {
        if self.body.is_empty() {
            let reason = "it would leave out everything".to_owned();
            return Err(InvalidGlob { reason });
        }
        GlobBuilder::new(&self.glob)
            .literal_separator(true)
            .backslash_escape(true)
            .build()
            .map_err(|error| InvalidGlob {
                reason: error.kind().to_string(),
            })
    }
}

impl ExcludeSet {
    /// Compiles patterns; the error carries the position of the first invalid one.
    pub fn new(patterns: &[String]) -> Result<Self, (usize, InvalidGlob)> {
        let (mut any, mut directories) = (GlobSetBuilder::new(), GlobSetBuilder::new());
        for (i, text) in patterns.iter().enumerate() {
            let pattern = Pattern::parse(text);
            let glob = pattern.compile().map_err(|error| (i, error))?;
            if pattern.directories_only {
                directories.add(glob);
            } else {
                any.add(glob);
            }
        }
        let build = |set: GlobSetBuilder| {
            set.build().map_err(|error| {
                let reason = error.kind().to_string();
                (0, InvalidGlob { reason })
            })
        };
        Ok(Self {
            any: build(any)?,
            directories: build(directories)?,
        })
    }

    /// Checks one pattern.
    pub fn check(pattern: &str) -> Result<(), InvalidGlob> {
        Pattern::parse(pattern).compile().map(|_| ())
    }

    /// True if nothing is excluded.
    pub fn is_empty(&self) -> bool {
        self.any.is_empty() && self.directories.is_empty()
    }

    /// True if a pattern matches this very path; its ancestors are not looked at.
    pub fn matches(&self, path: &[u8], is_directory: bool) -> bool {
        if self.is_empty() {
            return false;
        }
        let path = Path::new(OsStr::from_bytes(path));
        self.any.is_match(path) || (is_directory && self.directories.is_match(path))
    }

    /// True if a pattern matches this path or a directory above it.
    pub fn excludes(&self, path: &EntryPath, is_directory: bool) -> bool {
        self.matches(path.as_bytes(), is_directory) || self.excludes_parents(path.as_bytes())
    }

    /// True if a pattern matches a directory above this path.
    pub fn excludes_parents(&self, path: &[u8]) -> bool {
        if self.is_empty() {
            return false;
        }
        let slashes = path.iter().enumerate().filter(|&(_, &byte)| byte == b'/');
        slashes.into_iter().any(|(i, _)| self.matches(&path[..i], true))
    }
}

/// A pattern whose meaning survives translation into another tool's excludes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlainPattern<'a> {
    /// Letters, digits, common punctuation and, if `wildcards`, `*` and `?`; no slash at either end.
    pub body: &'a str,
    /// The pattern is anchored at the root.
    pub anchored: bool,
    /// `body` has `*` or `?`, which must not cross a slash.
    pub wildcards: bool,
}

/// The patterns among these that mean the same in plain `fnmatch` with `FNM_PATHNAME` and
/// `FNM_LEADING_DIR`: no classes, alternatives, escapes, `**`, and no restriction to directories.
pub fn plain_patterns(patterns: &[String]) -> Vec<PlainPattern<'_>> {
    let plain = |c: char| c.is_ascii_alphanumeric() || " /._-+@%,:=~*?".contains(c);
    let parsed = patterns.iter().map(|text| Pattern::parse(text));
    let usable = parsed.filter(|p| {
        let body = p.body;
        let components = || body.split('/');
        !p.directories_only
            && !body.is_empty()
            && body.chars().all(plain)
            && !body.contains("**")
            && components().all(|part| !matches!(part, "" | "." | ".."))
    });
    usable
        .map(|p| PlainPattern {
            body: p.body,
            anchored: p.anchored,
            wildcards: p.body.contains(['*', '?']),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn excludes(pattern: &str, path: &[u8], is_directory: bool) -> bool {
        let set = ExcludeSet::new(&[pattern.to_owned()]).unwrap();
        set.excludes(&EntryPath::new(path).unwrap(), is_directory)
    }

    #[test]
    fn the_syntax_is_as_documented() {
        for (pattern, path, expected) in [
            ("*.log", &b"srv/a.log"[..], true),
            ("*.log", b"a.log", true),
            ("*.log", b"a.log/below", true),
            ("*.log", b"srv/a.logs", false),
            ("*.log", b"srv/\xff\n.log", true),
            ("foo.", b"srv/foo.", true),
            ("cache/tmp", b"srv/cache/tmp/x", true),
            ("cache/tmp", b"srv/xcache/tmp", false),
            ("/srv/cache", b"srv/cache/x", true),
            ("/srv/cache", b"home/srv/cache", false),
            ("/srv/*/cache", b"srv/a/cache", true),
            ("/srv/*/cache", b"srv/a/b/cache", false),
            ("/srv/**/cache", b"srv/a/b/cache", true),
            ("/srv/**/cache", b"srv/cache", true),
            ("/srv/**", b"srv/x", true),
            ("/srv/**", b"srv", false),
            ("/srv/*", b"srv/a/b", true),
            ("[!a]x", b"bx", true),
            ("[!a]x", b"ax", false),
            ("{one,two}", b"d/two", true),
            ("a\\*", b"a*", true),
            ("a\\*", b"ab", false),
            ("?", b"\xff", true),
            (".*", b"srv/.git/config", true),
            ("node_modules", b"srv/node_modules/x/y", true),
        ] {
            assert_eq!(
                excludes(pattern, path, false),
                expected,
                "{pattern} on {}",
                path.escape_ascii()
            );
        }
    }

    #[test]
    fn a_trailing_slash_means_directories() {
        assert!(excludes("build/", b"srv/build", true));
        assert!(excludes("build/", b"srv/build/x", false));
        assert!(!excludes("build/", b"srv/build", false));
    }

    #[test]
    fn broken_patterns_are_named() {
        let error = ExcludeSet::new(&["ok".into(), "a{b".into()]).unwrap_err();
        assert_eq!(error.0, 1);
        for bad in ["[a", "/", "", "a{b"] {
            assert!(ExcludeSet::check(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn only_patterns_that_mean_the_same_are_plain() {
        let patterns: Vec<String> = [
            "*.log", "/srv/c?", "a/b", "**/x", "[a]", "{a,b}", "a\\*", "dir/", "a//b", "é",
        ]
        .map(String::from)
        .to_vec();
        let plain: Vec<_> = plain_patterns(&patterns).iter().map(|p| (p.body, p.anchored)).collect();
        assert_eq!(plain, [("*.log", false), ("srv/c?", true), ("a/b", false)]);
    }
}
