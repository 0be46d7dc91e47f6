//! Programs in a cell: without rights, without network where the system lets us, and with bounded memory.

use tokio_util::sync::CancellationToken;

use super::ground::{NOBODY, is_root};
use crate::{
    connectors::program::{At, Limits, Program, Stdin},
    domain::job::JobError,
};

/// Most memory that one process may ask for, in bytes: the largest row of MySQL takes a gigabyte, several times.
const MEMORY: u64 = 6 << 30;

/// Namespaces of its own: no network, and its first process takes all others along.
const NAMESPACES: [&str; 5] = ["--net", "--ipc", "--pid", "--fork", "--kill-child=KILL"];

/// How programs are confined on this worker.
#[derive(Debug, Clone)]
pub(super) struct Cell {
    /// What `unshare` is given; `None` where the system does not let us.
    namespaces: Option<Vec<&'static str>>,
}

impl Cell {
    /// Finds out what the system allows.
    pub(super) async fn find(cancel: &CancellationToken) -> Result<Self, JobError> {
        let mut wanted = NAMESPACES.to_vec();
        if !is_root() {
            wanted.extend(["--user", "--map-current-user"]);
        }
        let attempt = Program::new("unshare")
            .args(wanted.iter().copied())
            .args(["--", "true"]);
        let ran = attempt.run(At::Worker, Stdin::Empty, Limits::default(), cancel).await?;
        Ok(Self {
            namespaces: ran.exit.success().then_some(wanted),
        })
    }

    /// `program`, a path, in the cell.
    pub(super) fn program(&self, program: &str) -> Program {
        let mut line: Vec<String> = Vec::new();
        let mut add = |words: &[&str]| line.extend(words.iter().map(|&word| word.to_owned()));
        if let Some(namespaces) = &self.namespaces {
            add(&["unshare"]);
            add(namespaces);
            add(&["--"]);
        }
        add(&["setpriv", "--no-new-privs"]);
        if is_root() {
            let nobody = NOBODY.to_string();
            add(&[
                "--reuid",
                &nobody,
                "--regid",
                &nobody,
                "--clear-groups",
                "--inh-caps=-all",
                "--bounding-set=-all",
            ]);
        }
        add(&["--", "prlimit", "--core=0", &format!("--as={MEMORY}"), "--", program]);
        let mut words = line.into_iter();
        // There is always `setpriv`.
        Program::new(words.next().unwrap_or_default()).args(words)
    }
}
