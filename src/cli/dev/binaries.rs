//! Finds PostgreSQL's server programs, which distributions keep out of `PATH`.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, bail};

use super::leash::in_path;

/// Oldest major version that xVault runs on.
pub const OLDEST: u32 = 15;

/// Directories that hold one directory per version, and what leads from there to the programs.
const VERSIONED: [(&str, &str, &str); 5] = [
    ("/usr/lib/postgresql", "", "bin"),
    ("/usr", "pgsql-", "bin"),
    ("/opt/homebrew/opt", "postgresql@", "bin"),
    ("/usr/local/opt", "postgresql@", "bin"),
    ("/Applications/Postgres.app/Contents/Versions", "", "bin"),
];

/// A directory with `initdb` and `postgres` of one version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binaries {
    directory: PathBuf,
    major: u32,
}

impl Binaries {
    /// The newest installed version, or the one an existing cluster was made by.
    pub fn find(cluster: &Path) -> anyhow::Result<Self> {
        let wanted = match fs::read_to_string(cluster.join("PG_VERSION")) {
            Ok(text) => Some(
                text.trim()
                    .parse::<u32>()
                    .context("PG_VERSION in the data directory is damaged")?,
            ),
            Err(_) => None,
        };
        let found = installed();
        match wanted {
            Some(major) => match found.iter().find(|b| b.major == major) {
                Some(binaries) => Ok(binaries.clone()),
                None => bail!(
                    "{} belongs to PostgreSQL {major}, which is not installed: apt-get install postgresql-{major}",
                    cluster.display()
                ),
            },
            None => match found.into_iter().max_by_key(|b| b.major) {
                Some(binaries) if binaries.major >= OLDEST => Ok(binaries),
                Some(old) => bail!(
                    "PostgreSQL {} in {} is too old, xVault needs {OLDEST} or later",
                    old.major,
                    old.directory.display()
                ),
                None => bail!(
                    "PostgreSQL's server is not installed: apt-get install postgresql (Debian, Ubuntu), \
                     brew install postgresql@17 (macOS), or run ./justw dev, which installs it"
                ),
            },
        }
    }

    /// Path of one program.
    pub fn program(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }
}

fn installed() -> Vec<Binaries> {
    let mut directories = Vec::new();
    // What stands in PATH may be a link; the programs beside its target belong together.
    if let Some(initdb) = in_path("initdb").and_then(|path| fs::canonicalize(path).ok()) {
        directories.extend(initdb.parent().map(Path::to_owned));
    }
    for (parent, prefix, rest) in VERSIONED {
        let versions = fs::read_dir(parent).into_iter().flatten().flatten();
        let matching = versions.filter(|entry| entry.file_name().to_string_lossy().starts_with(prefix));
        directories.extend(matching.map(|entry| entry.path().join(rest)));
    }
    let whole = directories
        .into_iter()
        .filter(|d| d.join("initdb").is_file() && d.join("postgres").is_file());
    whole
        .filter_map(|directory| {
            let major = major(&directory.join("postgres"))?;
            Some(Binaries { directory, major })
        })
        .collect()
}

fn major(postgres: &Path) -> Option<u32> {
    let output = Command::new(postgres).arg("--version").output().ok()?;
    parse_major(&String::from_utf8_lossy(&output.stdout))
}

/// The 15 of `postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)`.
fn parse_major(text: &str) -> Option<u32> {
    let version = text.split(") ").nth(1)?;
    version.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_from_what_postgres_prints() {
        assert_eq!(
            parse_major("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n"),
            Some(15)
        );
        assert_eq!(parse_major("postgres (PostgreSQL) 18beta1\n"), Some(18));
        assert_eq!(parse_major("nonsense"), None);
    }

    #[test]
    fn a_cluster_of_a_missing_version_is_refused_with_the_package() {
        let cluster = tempfile::tempdir().unwrap();
        fs::write(cluster.path().join("PG_VERSION"), "9\n").unwrap();
        let error = Binaries::find(cluster.path()).unwrap_err().to_string();
        assert!(error.ends_with("apt-get install postgresql-9"), "{error}");
    }
}
