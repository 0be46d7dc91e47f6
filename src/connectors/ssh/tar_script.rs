//! The shell scripts that run on the source: finding the configured paths, and calling its tar.
//!
//! They go to a POSIX shell's standard input, never through the login shell, so quoting has one set
//! of rules and length no limit. Every path in them is absolute and cannot look like an option.

use super::remote_tar::{RemoteTar, TarFlavour};
use crate::{
    connectors::roots::Roots,
    domain::exclude::{PlainPattern, plain_patterns},
};

/// Most bytes of patterns handed to the remote tar; what does not fit is left out here alone.
const MAX_PATTERNS: usize = 64 * 1024;

/// One word for a POSIX shell, whatever its bytes.
pub fn quote(word: &[u8]) -> Vec<u8> {
    let mut quoted = vec![b'\''];
    for &byte in word {
        match byte {
            b'\'' => quoted.extend_from_slice(br"'\''"),
            byte => quoted.push(byte),
        }
    }
    quoted.push(b'\'');
    quoted
}

/// Prints the login directory and a NUL.
pub const LOGIN_DIR: &[u8] = b"unset CDPATH\npwd -P\nprintf '\\000'\n";

/// Says for each absolute path, each field ending in a NUL: what it is (`d`irectory, `f`ile, `l`ink,
/// `o`ther, `n`othing, `p`ermission denied), whether what it leads to can be read (`y`, `n`), the
/// real path of the directory above it, and where it leads if it is a link.
pub fn look(paths: &[Vec<u8>]) -> Vec<u8> {
    let mut script = LOOK.as_bytes().to_vec();
    for path in paths {
        let slash = path.iter().rposition(|&b| b == b'/').unwrap_or(0);
        script.extend_from_slice(b"look ");
        script.extend_from_slice(&quote(path));
        script.push(b' ');
        script.extend_from_slice(&quote(&path[..slash.max(1)]));
        script.push(b'\n');
    }
    script
}

const LOOK: &str = r#"LC_ALL=C; export LC_ALL; unset CDPATH
look() {
  if [ -h "$1" ]; then k=l
  elif [ -d "$1" ]; then k=d
  elif [ -f "$1" ]; then k=f
  elif [ -e "$1" ]; then k=o
  else case $(ls -d "$1" 2>&1) in *'ermission denied') k=p;; *) k=n;; esac
  fi
  r=n
  if [ -d "$1" ]; then [ -r "$1" ] && [ -x "$1" ] && r=y
  elif [ -r "$1" ] || [ ! -f "$1" ]; then r=y
  fi
  printf '%s\000%s\000' "$k" "$r"
  (cd -P "$2" 2>/dev/null && pwd -P)
  printf '\000'
  if [ -h "$1" ] && [ -e "$1" ]; then
    if [ -d "$1" ]; then (cd -P "$1" 2>/dev/null && pwd -P)
    else readlink -f "$1" 2>/dev/null || realpath "$1" 2>/dev/null
    fi
  fi
  printf '\000'
}
"#;

/// Calls the source's tar for these roots.
pub fn tar(tar: &RemoteTar, roots: &Roots, exclude: &[String]) -> Vec<u8> {
    let mut patterns = plain_patterns(exclude);
    let mut room = MAX_PATTERNS;
    patterns.retain(|pattern| {
        let fits = pattern.body.len() + 32 <= room;
        room = room.saturating_sub(pattern.body.len() + 32);
        fits
    });
    match tar.flavour {
        TarFlavour::Gnu => gnu(tar, roots, &patterns),
        TarFlavour::Bsd => bsd(tar, roots, &patterns),
        TarFlavour::Busybox => busybox(tar, roots, &patterns),
    }
}

fn words(script: &mut Vec<u8>, words: impl IntoIterator<Item = impl AsRef<[u8]>>) {
    for word in words {
        script.push(b' ');
        script.extend_from_slice(&quote(word.as_ref()));
    }
}

/// GNU tar, with those options that this version and build of it knows.
fn gnu(tar: &RemoteTar, roots: &Roots, patterns: &[PlainPattern<'_>]) -> Vec<u8> {
    // Before 1.29 it found holes by reading files twice.
    let sparse = if at_least(&tar.version, 1, 29) { "--sparse" } else { "" };
    let program = tar.program;
    let mut script = format!(
        "LC_ALL=C; export LC_ALL; unset TAR_OPTIONS TAPE\no=\n\
         for x in --acls --xattrs {sparse} --quoting-style=escape --pax-option=delete=atime,delete=ctime; do\n\
         {program} $x --help >/dev/null 2>&1 </dev/null && o=\"$o $x\"; done\n\
         exec {program} --create --file=- --format=posix --numeric-owner --absolute-names --blocking-factor=128 $o"
    )
    .into_bytes();
    if !patterns.is_empty() || !roots.pruned.is_empty() {
        words(&mut script, ["--wildcards", "--no-wildcards-match-slash", "--anchored"]);
        let below = roots
            .pruned
            .iter()
            .map(|path| [b"--exclude=", path.as_slice(), b"/*"].concat());
        words(&mut script, below);
        let (anchored, floating): (Vec<_>, Vec<_>) = patterns.iter().partition(|pattern| pattern.anchored);
        words(&mut script, anchored.iter().map(|p| format!("--exclude=/{}", p.body)));
        words(&mut script, ["--no-anchored"]);
        words(&mut script, floating.iter().map(|p| format!("--exclude={}", p.body)));
    }
    words(&mut script, ["--"]);
    words(&mut script, &roots.paths);
    script.extend_from_slice(b" </dev/null\n");
    script
}

/// bsdtar gives up a whole directory at its first unreadable file, so `find` names each file to it.
fn bsd(tar: &RemoteTar, roots: &Roots, patterns: &[PlainPattern<'_>]) -> Vec<u8> {
    let mut script = b"LC_ALL=C; export LC_ALL; COPYFILE_DISABLE=1; export COPYFILE_DISABLE\nfind".to_vec();
    words(&mut script, &roots.paths);
    let mut prune: Vec<Vec<&str>> = Vec::new();
    let mut matches = Vec::new();
    for pattern in patterns {
        // In `-path` a wildcard would cross slashes.
        let (test, text) = match (pattern.anchored, pattern.body.contains('/'), pattern.wildcards) {
            (false, false, _) => ("-name", pattern.body.to_owned()),
            (true, _, false) => ("-path", format!("/{}", pattern.body)),
            (false, true, false) => ("-path", format!("*/{}", pattern.body)),
            _ => continue,
        };
        matches.push((test, text));
    }
    let pruned = roots
        .pruned
        .iter()
        .map(|path| String::from_utf8_lossy(path).into_owned());
    let pruned: Vec<_> = pruned.map(|path| ("-path", format!("{path}/*"))).collect();
    for (test, text) in pruned.iter().chain(&matches) {
        prune.push(vec![test, text, "-prune", "-o"]);
    }
    words(&mut script, prune.concat());
    script.extend_from_slice(b" -print0 </dev/null | ");
    script.extend_from_slice(tar.program.as_bytes());
    script.extend_from_slice(b" --create --file - --format pax --options hdrcharset=BINARY");
    script.extend_from_slice(b" --numeric-owner --no-recursion --absolute-paths --null --files-from -\n");
    script
}

/// busybox tar: patterns are only usable unanchored, since it compares names without their leading
/// slash; and since it cannot leave out the content of `/proc`, it is given the children of `/`.
fn busybox(tar: &RemoteTar, roots: &Roots, patterns: &[PlainPattern<'_>]) -> Vec<u8> {
    let program = tar.program;
    let mut script = b"LC_ALL=C; export LC_ALL\nset --".to_vec();
    let floating = patterns.iter().filter(|pattern| !pattern.anchored);
    words(
        &mut script,
        floating.map(|pattern| format!("--exclude={}", pattern.body)),
    );
    let probe = format!(
        "\n[ $# -gt 0 ] && {{ {program} -c -f - --exclude=x /dev/null >/dev/null 2>&1 </dev/null || set --; }}\n"
    );
    script.extend_from_slice(probe.as_bytes());
    for root in &roots.paths {
        if root == b"/" {
            script.extend_from_slice(b"for f in /* /.[!.]* /..?*; do case $f in ");
            script.extend_from_slice(&roots.pruned.join(&b'|'));
            script.extend_from_slice(
                b") ;; *) if [ -e \"$f\" ] || [ -h \"$f\" ]; then set -- \"$@\" \"$f\"; fi;; esac; done\n",
            );
        } else {
            script.extend_from_slice(b"set -- \"$@\"");
            words(&mut script, [root]);
            script.push(b'\n');
        }
    }
    script.extend_from_slice(format!("exec {program} -c -f - \"$@\" </dev/null\n").as_bytes());
    script
}

fn at_least(version: &str, major: u32, minor: u32) -> bool {
    let mut parts = version.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
    (parts.next().unwrap_or(0), parts.next().unwrap_or(0)) >= (major, minor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_survive_the_shell() {
        assert_eq!(quote(b"it's \xff\n$x"), b"'it'\\''s \xff\n$x'");
    }

    #[test]
    fn versions_compare_as_numbers() {
        assert!(at_least("1.34", 1, 29) && at_least("2.0", 1, 29) && !at_least("1.9", 1, 29) && !at_least("?", 1, 0));
    }
}
