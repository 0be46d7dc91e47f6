//! Which tar the source has. They share a name and little else, so it is asked, not assumed.

use super::session::{SshSession, clean};
use crate::domain::job::JobError;

/// The families that matter: each takes other options.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TarFlavour {
    /// GNU tar: every option there is.
    Gnu,
    /// libarchive's tar (FreeBSD, macOS).
    Bsd,
    /// The small one of busybox: no formats, no xattrs.
    Busybox,
}

/// A tar program on the source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteTar {
    /// How to call it: `tar` or `gtar`.
    pub program: &'static str,
    /// What it understands.
    pub flavour: TarFlavour,
    /// Its version, for example `1.34`.
    pub version: String,
}

impl std::fmt::Display for RemoteTar {
    /// `GNU tar 1.34`
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = match self.flavour {
            TarFlavour::Gnu => "GNU tar",
            TarFlavour::Bsd => "bsdtar",
            TarFlavour::Busybox => "busybox tar",
        };
        write!(f, "{name} {}", self.version)
    }
}

/// Asks `tar` and, where that is not GNU's, `gtar` for their names.
const ASK: &str = "for t in tar gtar; do \
    if command -v $t >/dev/null 2>&1; then echo \"xvault $t\"; $t --version </dev/null 2>&1; fi; done";

/// The best tar on the source; `None` if there is none that xVault knows how to call.
///
/// # Errors
/// If the connection is lost or the account runs no commands.
pub async fn detect(session: &SshSession) -> Result<Option<RemoteTar>, JobError> {
    let finished = session.run(ASK).await?;
    Ok(choose(&String::from_utf8_lossy(&finished.stdout)))
}

fn choose(output: &str) -> Option<RemoteTar> {
    let mut found: Vec<RemoteTar> = Vec::new();
    for (header, program) in [("xvault tar\n", "tar"), ("xvault gtar\n", "gtar")] {
        let Some((_, answer)) = output.split_once(header) else {
            continue;
        };
        let answer = answer.split("xvault ").next().unwrap_or_default();
        found.extend(recognise(program, answer));
    }
    let gnu = found.iter().position(|tar| tar.flavour == TarFlavour::Gnu);
    (!found.is_empty()).then(|| found.swap_remove(gnu.unwrap_or(0)))
}

fn recognise(program: &'static str, answer: &str) -> Option<RemoteTar> {
    let marks = [
        ("(GNU tar) ", TarFlavour::Gnu),
        ("bsdtar ", TarFlavour::Bsd),
        ("tar (busybox) ", TarFlavour::Busybox),
        ("BusyBox v", TarFlavour::Busybox),
    ];
    let (flavour, rest) = marks
        .iter()
        .find_map(|(mark, flavour)| Some((*flavour, answer.split_once(mark)?.1)))?;
    let version = clean(rest.split_whitespace().next().unwrap_or("?"), 40);
    Some(RemoteTar {
        program,
        flavour,
        version,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tars_are_told_apart() {
        for (answer, expected) in [
            ("tar (GNU tar) 1.34\nCopyright (C) 2021", Some("GNU tar 1.34")),
            ("bsdtar 3.6.2 - libarchive 3.6.2 zlib/1.2.13", Some("bsdtar 3.6.2")),
            ("tar (busybox) 1.36.1", Some("busybox tar 1.36.1")),
            (
                "tar: unrecognized option '--version'\nBusyBox v1.30.1 (Debian 1:1.30.1-6)",
                Some("busybox tar 1.30.1"),
            ),
            ("tar: unknown option -- -\nusage: tar {crtux}", None),
        ] {
            let found = choose(&format!("xvault tar\n{answer}\n"));
            assert_eq!(found.map(|tar| tar.to_string()).as_deref(), expected);
        }
    }

    #[test]
    fn gnu_tar_is_preferred_under_either_name() {
        let both = "xvault tar\nbsdtar 3.5.3 - libarchive\nxvault gtar\ntar (GNU tar) 1.35\n";
        assert_eq!(choose(both).unwrap().program, "gtar");
        assert_eq!(choose("\n"), None);
    }
}
