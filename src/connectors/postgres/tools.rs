//! The client programs: which versions there are, and which of them fits a server.

use tokio_util::sync::CancellationToken;

use crate::{
    connectors::program::{At, Limits, Program, Stdin},
    domain::{error_code::ErrorCode, job::JobError},
};

/// Prints `directory/<TAB>version` of each installation. The plain names come last: on Debian they are wrappers
/// that choose a version by themselves.
const LOOK: &str = "for d in /usr/lib/postgresql/*/bin/ /usr/pgsql-*/bin/ /usr/local/pgsql/bin/ ''; do \
    command -v \"${d}psql\" >/dev/null 2>&1 && command -v \"${d}pg_dumpall\" >/dev/null 2>&1 \
    && v=$(\"${d}pg_dump\" --version 2>/dev/null) && printf '%s\\t%s\\n' \"$d\" \"$v\"; \
    done; exit 0";

/// The programs of one version of PostgreSQL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Programs {
    /// With a slash at its end; empty: those in `PATH`.
    directory: String,
    pub(super) major: u32,
    /// As they give it: `pg_dump (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)`.
    pub(super) version: String,
}

impl Programs {
    /// One of them, to be given arguments.
    pub(super) fn named(&self, name: &str) -> Program {
        Program::new(format!("{}{name}", self.directory))
    }
}

/// The programs of one machine; at least one version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tools(Vec<Programs>);

impl Tools {
    /// Looks for them. `None` if there are none.
    pub(super) async fn find(at: At<'_>, cancel: &CancellationToken) -> Result<Option<Self>, JobError> {
        let look = Program::new("sh").args(["-c", LOOK]);
        let ran = look.run(at, Stdin::Empty, Limits::default(), cancel).await?;
        Ok(Self::read(&String::from_utf8_lossy(&ran.stdout)))
    }

    fn read(found: &str) -> Option<Self> {
        let programs = found.lines().filter_map(|line| {
            let (directory, version) = line.split_once('\t')?;
            Some(Programs {
                directory: directory.to_owned(),
                major: major(version)?,
                version: version.trim().chars().take(200).collect(),
            })
        });
        let mut programs: Vec<_> = programs.collect();
        programs.sort_by_key(|programs| programs.major);
        (!programs.is_empty()).then_some(Self(programs))
    }

    /// Those that ask: any version can, the newest knows most.
    pub(super) fn newest(&self) -> Option<&Programs> {
        self.0.last()
    }

    /// Those that dump a server of this major version: its own, or the next newer ones. Older ones refuse.
    pub(super) fn fitting(&self, server: u32) -> Option<&Programs> {
        self.0.iter().find(|programs| programs.major >= server)
    }

    /// The major versions, for messages.
    pub(super) fn majors(&self) -> String {
        let majors: Vec<_> = self.0.iter().map(|programs| programs.major.to_string()).collect();
        majors.join(", ")
    }

    /// What a worker without them ends with.
    pub(super) fn missing() -> JobError {
        JobError::new(
            ErrorCode::ClientMissing,
            "the worker has no psql, pg_dump and pg_dumpall",
            "Install postgresql-client on the worker, of the server's major version.",
        )
    }
}

/// `15` of `pg_dump (PostgreSQL) 15.14 (Debian …)`, `18` of `… 18beta1`.
pub(crate) fn major(version: &str) -> Option<u32> {
    let (_, number) = version.split_once(") ")?;
    let digits = number.split(|c: char| !c.is_ascii_digit()).next()?;
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_dumped_by_its_own_version_or_the_next_newer_one() {
        let found = "/usr/lib/postgresql/17/bin/\tpg_dump (PostgreSQL) 17.6 (Debian 17.6-1)\n\
            /usr/lib/postgresql/13/bin/\tpg_dump (PostgreSQL) 13.22\n\
            /usr/lib/postgresql/15/bin/\tpg_dump (PostgreSQL) 15.14\n\tpg_dump (PostgreSQL) 17.6\nnonsense\n";
        let tools = Tools::read(found).unwrap();
        let fitting = |server| tools.fitting(server).map(|programs| programs.directory.as_str());
        assert_eq!(fitting(15), Some("/usr/lib/postgresql/15/bin/"));
        assert_eq!(fitting(16), Some("/usr/lib/postgresql/17/bin/"));
        assert_eq!(fitting(18), None);
        assert_eq!(tools.majors(), "13, 15, 17, 17");
        assert_eq!(Tools::read("sh: pg_dump: not found"), None);
    }
}
