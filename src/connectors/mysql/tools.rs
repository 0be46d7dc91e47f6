//! The client programs: which there are, and how each wants to be told the same.

use tokio_util::sync::CancellationToken;

use super::server::Flavour;
use crate::{
    connectors::program::{At, Limits, Program, Stdin},
    domain::{error_code::ErrorCode, job::JobError},
};

/// Prints `name<TAB>version` for each program that is there.
const LOOK: &str = "for p in mariadb mysql mariadb-dump mysqldump; do \
    command -v \"$p\" >/dev/null 2>&1 && printf '%s\\t%s\\n' \"$p\" \"$(\"$p\" --version 2>&1 | head -n 1)\"; \
    done; exit 0";

/// A program and the version it gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tool {
    pub(super) name: String,
    pub(super) version: String,
}

impl Tool {
    fn flavour(&self) -> Flavour {
        Flavour::of(&self.version)
    }

    /// `9` of `mysqldump  Ver 9.1.0 for Linux`.
    fn major(&self) -> Option<u32> {
        let (_, rest) = self.version.split_once("Ver ")?;
        rest.split('.').next()?.trim().parse().ok()
    }
}

/// The programs of one machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tools {
    clients: Vec<Tool>,
    dumpers: Vec<Tool>,
}

impl Tools {
    /// Looks for them. `None` if those that are needed are not there.
    pub(super) async fn find(at: At<'_>, cancel: &CancellationToken) -> Result<Option<Self>, JobError> {
        let look = Program::new("sh").args(["-c", LOOK]);
        let ran = look.run(at, Stdin::Empty, Limits::default(), cancel).await?;
        Ok(Self::read(&String::from_utf8_lossy(&ran.stdout)))
    }

    fn read(found: &str) -> Option<Self> {
        let (mut clients, mut dumpers) = (Vec::new(), Vec::new());
        for (name, version) in found.lines().filter_map(|line| line.split_once('\t')) {
            let (name, version) = (name.to_owned(), version.trim().chars().take(200).collect());
            let list = if name.ends_with("dump") {
                &mut dumpers
            } else {
                &mut clients
            };
            list.push(Tool { name, version });
        }
        let complete = !clients.is_empty() && !dumpers.is_empty();
        complete.then_some(Self { clients, dumpers })
    }

    /// A program that runs SQL.
    pub(super) fn client(&self) -> &Tool {
        &self.clients[0]
    }

    /// The program that dumps a server of this flavour: its own where there is a choice.
    pub(super) fn dumper(&self, flavour: Flavour) -> &Tool {
        let own = self.dumpers.iter().find(|tool| tool.flavour() == flavour);
        own.unwrap_or(&self.dumpers[0])
    }

    /// What a worker without them ends with.
    pub(super) fn missing() -> JobError {
        JobError::new(
            ErrorCode::ClientMissing,
            "the worker has no mariadb and mariadb-dump (or mysql and mysqldump)",
            "Install mariadb-client on the worker.",
        )
    }
}

/// What of a database is dumped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Extent {
    /// These tables and views only; empty: all.
    pub(super) only: Vec<String>,
    /// Tables and views that are left out.
    pub(super) ignored: Vec<String>,
    /// With procedures and functions.
    pub(super) routines: bool,
    /// With events.
    pub(super) events: bool,
}

impl Extent {
    /// Everything but these views.
    pub(super) fn all_but(ignored: Vec<String>) -> Self {
        Self {
            only: Vec::new(),
            ignored,
            routines: true,
            events: true,
        }
    }
}

/// Arguments of a dump of `database`, for this program.
pub(super) fn dump_args(dumper: &Tool, database: &str, extent: &Extent) -> Vec<String> {
    let mut args: Vec<String> = [
        "--single-transaction",
        "--quick",
        "--skip-lock-tables",
        "--triggers",
        "--hex-blob",
        // Otherwise the right PROCESS would be needed, for something that no dump of a database restores.
        "--no-tablespaces",
        "--default-character-set=utf8mb4",
        // The largest there is: rows are as long as they are.
        "--max-allowed-packet=1G",
    ]
    .map(str::to_owned)
    .to_vec();
    if dumper.flavour() == Flavour::Mysql {
        args.push("--set-gtid-purged=OFF".into());
        if dumper.major().is_some_and(|major| major >= 8) {
            args.push("--column-statistics=0".into());
        }
    }
    args.extend(extent.routines.then(|| "--routines".to_owned()));
    args.extend(extent.events.then(|| "--events".to_owned()));
    args.extend(
        extent
            .ignored
            .iter()
            .map(|view| format!("--ignore-table={database}.{view}")),
    );
    args.push("--".into());
    args.push(database.to_owned());
    args.extend_from_slice(&extent.only);
    args
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEBIAN: &str = "mariadb\tmariadb  Ver 15.1 Distrib 10.11.19-MariaDB\n\
        mysql\tmysql  Ver 15.1 Distrib 10.11.19-MariaDB\n\
        mariadb-dump\tmariadb-dump  Ver 10.19 Distrib 10.11.19-MariaDB\n\
        mysqldump\tmysqldump  Ver 9.1.0 for Linux on x86_64 (MySQL Community Server - GPL)\n";

    #[test]
    fn a_server_is_dumped_by_its_own_program_where_there_is_one() {
        let tools = Tools::read(DEBIAN).unwrap();
        assert_eq!(tools.client().name, "mariadb");
        assert_eq!(tools.dumper(Flavour::Mariadb).name, "mariadb-dump");
        assert_eq!(tools.dumper(Flavour::Mysql).name, "mysqldump");
        let half = "mysql\tmysql  Ver 8.0.40\nmysqldump\tmysqldump  Ver 8.0.40";
        assert_eq!(Tools::read(half).unwrap().dumper(Flavour::Mariadb).name, "mysqldump");
        assert_eq!(Tools::read("mysql\tmysql  Ver 8.0.40\n"), None);
    }

    #[test]
    fn each_program_is_told_in_its_own_words() {
        let tools = Tools::read(DEBIAN).unwrap();
        let mysql = dump_args(tools.dumper(Flavour::Mysql), "-x", &Extent::all_but(vec!["v".into()]));
        assert!(mysql.iter().any(|arg| arg == "--column-statistics=0"));
        assert_eq!(mysql[mysql.len() - 3..], ["--ignore-table=-x.v", "--", "-x"]);
        let mariadb = dump_args(tools.dumper(Flavour::Mariadb), "x", &Extent::all_but(Vec::new()));
        assert!(
            !mariadb
                .iter()
                .any(|arg| arg.contains("gtid") || arg.contains("statistics"))
        );
    }
}
