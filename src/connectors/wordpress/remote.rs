//! What can be asked of the site's server: small scripts, whose arguments never pass through a shell's eyes.

use std::{collections::BTreeMap, time::Duration};

use tokio_util::sync::CancellationToken;

use super::{faults, php::Seen};
use crate::{
    connectors::{
        program::{At, Limits, Program, Stdin},
        ssh::session::SshSession,
    },
    domain::{error_code::ErrorCode, job::JobError},
};

/// Largest file of a configuration, in bytes.
const MAX_FILE: usize = 1024 * 1024;

/// What one question may take.
const LIMITS: Limits = Limits {
    bytes: 2 * 1024 * 1024,
    time: Duration::from_secs(60),
};

/// Says what a path is (`f`ile, `u`nreadable, `o`ther, `n`othing), and of a file where it really lies and what is in it.
const READ: &str = r#"if [ -f "$1" ]; then
  if [ -r "$1" ]; then
    printf 'f'; readlink -f "$1" 2>/dev/null || realpath "$1" 2>/dev/null || printf '%s\n' "$1"
    printf '\000'; exec head -c "$2" < "$1"
  fi; printf u
elif [ -e "$1" ]; then printf o
else case $(LC_ALL=C ls -d "$1" 2>&1) in *'ermission denied') printf u;; *) printf n;; esac; fi"#;

/// For each variable `1` and its value, or `0`.
const ENVIRONMENT: &str = r#"for n do eval "s=\${$n+x} v=\${$n-}"; if [ -n "$s" ]; then printf '1%s\000' "$v"; else printf '0\000'; fi; done"#;

/// For each path where it really lies, or nothing.
const RESOLVE: &str = r#"unset CDPATH; for p do
  if [ -d "$p" ]; then (cd -P "$p" 2>/dev/null && pwd -P); elif [ -e "$p" ]; then readlink -f "$p" 2>/dev/null || realpath "$p"; fi
  printf '\000'; done"#;

/// The server of a site.
pub(super) struct Remote<'a> {
    session: &'a SshSession,
    cancel: &'a CancellationToken,
}

impl<'a> Remote<'a> {
    /// # Errors
    /// `shell_required`, and those of a lost connection.
    pub(super) async fn new(session: &'a SshSession, cancel: &'a CancellationToken) -> Result<Self, JobError> {
        let cancelled = || JobError::new(ErrorCode::Cancelled, "cancelled while the site was looked at", "");
        let asking = cancel.run_until_cancelled(session.has_shell()).await;
        match asking.ok_or_else(cancelled)?? {
            true => Ok(Self { session, cancel }),
            false => Err(faults::no_shell(session.place())),
        }
    }

    /// The server, for messages.
    pub(super) fn place(&self) -> &str {
        self.session.place()
    }

    pub(super) fn session(&self) -> &SshSession {
        self.session
    }

    /// Runs a program and gives what it prints; how it ended does not matter.
    pub(super) async fn run(&self, program: &Program, stdin: Stdin, limits: Limits) -> Result<Vec<u8>, JobError> {
        let ran = program
            .run(At::Source(self.session), stdin, limits, self.cancel)
            .await?;
        Ok(ran.stdout)
    }

    /// Runs a shell script with arguments.
    pub(super) async fn script(&self, script: &str, arguments: &[String], limits: Limits) -> Result<Vec<u8>, JobError> {
        let program = Program::new("sh").args(["-c", script, "sh"]).args(arguments);
        self.run(&program, Stdin::Empty, limits).await
    }

    /// What lies at a path.
    pub(super) async fn read(&self, path: &str) -> Result<Seen, JobError> {
        if path.contains('\0') {
            return Ok(Seen::Absent);
        }
        let arguments = [path.to_owned(), (MAX_FILE + 1).to_string()];
        let answer = self.script(READ, &arguments, LIMITS).await?;
        let (kind, rest) = answer.split_first().unwrap_or((&b'n', &[]));
        Ok(match kind {
            b'f' => {
                let end = rest.iter().position(|&b| b == 0).unwrap_or(0);
                let real = String::from_utf8_lossy(&rest[..end]);
                let content = rest.get(end + 1..).unwrap_or_default();
                match content.len() > MAX_FILE {
                    true => Seen::Unreadable("is larger than 1 MiB".into()),
                    false => Seen::File {
                        real: real.strip_suffix('\n').unwrap_or(&real).to_owned(),
                        content: content.to_vec(),
                    },
                }
            }
            b'u' => Seen::Unreadable("may not be read by this login".into()),
            b'o' => Seen::Other,
            _ => Seen::Absent,
        })
    }

    /// Environment variables, as the login has them.
    pub(super) async fn environment(
        &self,
        names: impl IntoIterator<Item = String>,
    ) -> Result<BTreeMap<String, Option<Vec<u8>>>, JobError> {
        let plain = |name: &String| {
            let first = name
                .bytes()
                .next()
                .is_some_and(|b| b.is_ascii_alphabetic() || b == b'_');
            first && name.len() < 200 && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        };
        let (names, others): (Vec<_>, Vec<_>) = names.into_iter().partition(plain);
        let mut all: BTreeMap<_, _> = others.into_iter().map(|name| (name, None)).collect();
        if !names.is_empty() {
            let answer = self.script(ENVIRONMENT, &names, LIMITS).await?;
            let values = answer.split(|&b| b == 0);
            all.extend(names.into_iter().zip(values).map(|(name, value)| {
                let value = value.strip_prefix(b"1").map(<[u8]>::to_vec);
                (name, value)
            }));
        }
        Ok(all)
    }

    /// Where paths really lie; `None` for those that are not there, or that are not UTF-8.
    pub(super) async fn resolve(&self, paths: &[String]) -> Result<Vec<Option<String>>, JobError> {
        let answer = self.script(RESOLVE, paths, LIMITS).await?;
        let mut answers = answer.split(|&b| b == 0).map(|answer| {
            let answer = answer.strip_suffix(b"\n").unwrap_or(answer);
            let text = std::str::from_utf8(answer).ok()?;
            text.starts_with('/').then(|| text.to_owned())
        });
        Ok(paths.iter().map(|_| answers.next().flatten()).collect())
    }
}
