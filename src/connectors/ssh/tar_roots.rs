//! Finds out with the source's shell where the configured paths really are, before tar is started.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{session::SshSession, tar_script};
use crate::{
    connectors::roots::{Resolved, absolute},
    domain::{error_code::ErrorCode, escaped::escape, job::JobError},
};

/// For looking at all paths; a sleeping network share takes its time.
const TIMEOUT: Duration = Duration::from_secs(180);
/// Most bytes of answer: 500 paths of 32 KiB.
const MAX_ANSWER: u64 = 16 * 1024 * 1024;

/// The login directory and the configured paths as the source resolves them.
///
/// # Errors
/// `path_not_found` or `permission_denied`, naming the path.
pub async fn resolve(session: &SshSession, includes: &[String]) -> Result<(Vec<u8>, Vec<Resolved>), JobError> {
    let answer = run(session, tar_script::LOGIN_DIR.to_vec()).await?;
    let login_dir = fields(&answer).next().map(<[u8]>::to_vec).unwrap_or_default();
    if !login_dir.starts_with(b"/") {
        return Err(unexpected(session, "does not say where its login directory is"));
    }
    let paths: Vec<_> = includes.iter().map(|given| absolute(given, &login_dir)).collect();
    let answer = run(session, tar_script::look(&paths)).await?;
    let mut fields = fields(&answer);
    let mut resolved = Vec::with_capacity(includes.len());
    for (given, path) in includes.iter().zip(&paths) {
        let mut field = || {
            fields
                .next()
                .ok_or_else(|| unexpected(session, "gave no answer about a path"))
        };
        let (kind, readable, parent, target) = (field()?, field()?, field()?, field()?);
        check(session, path, kind, readable)?;
        resolved.push(Resolved {
            given: given.clone(),
            place: place(path, parent),
            link: (kind == b"l").then(|| target.starts_with(b"/").then(|| target.to_vec())),
        });
    }
    Ok((login_dir, resolved))
}

/// The path with the directory above it resolved.
fn place(path: &[u8], parent: &[u8]) -> Vec<u8> {
    let slash = path.iter().rposition(|&b| b == b'/').unwrap_or(0);
    match parent {
        // It may be searched but not entered: then the path stays as it is.
        parent if !parent.starts_with(b"/") => path.to_vec(),
        b"/" => path[slash..].to_vec(),
        parent if slash + 1 == path.len() => parent.to_vec(),
        parent => [parent, &path[slash..]].concat(),
    }
}

fn check(session: &SshSession, path: &[u8], kind: &[u8], readable: &[u8]) -> Result<(), JobError> {
    let (path, place) = (escape(path), session.place());
    match (kind, readable) {
        (b"n", _) => Err(JobError::new(
            ErrorCode::PathNotFound,
            format!("{path} does not exist on {place}"),
            "Correct the source's paths.",
        )),
        (b"p", _) | (_, b"n") => Err(JobError::new(
            ErrorCode::PermissionDenied,
            format!("the account on {place} may not read {path}"),
            "Grant the login read access, or use another account.",
        )),
        (b"d" | b"f" | b"l" | b"o", b"y") => Ok(()),
        _ => Err(unexpected(session, "gave an answer about a path that makes no sense")),
    }
}

fn unexpected(session: &SshSession, what: &str) -> JobError {
    JobError::new(
        ErrorCode::ProtocolError,
        format!("the shell on {} {what}", session.place()),
        "The account's shell may be restricted. Use the source kind sftp if it serves that.",
    )
}

/// NUL-terminated fields, without the line break that `pwd` and its like add.
fn fields(answer: &[u8]) -> impl Iterator<Item = &[u8]> {
    let fields = answer.split(|&b| b == 0);
    fields.map(|field| field.strip_suffix(b"\n").unwrap_or(field))
}

/// Gives a script to a shell and returns what it prints.
async fn run(session: &SshSession, script: Vec<u8>) -> Result<Vec<u8>, JobError> {
    let mut child = session.exec("exec sh").await?;
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let talk = async {
        let write = async {
            if let Some(mut stdin) = stdin {
                // If the shell does not take it all, its answer is too short, and that is told.
                let _ = stdin.write_all(&script).await;
            }
        };
        let read = async {
            let mut answer = Vec::new();
            if let Some(stdout) = stdout {
                let _ = stdout.take(MAX_ANSWER).read_to_end(&mut answer).await;
            }
            answer
        };
        let ignore = async {
            if let Some(mut stderr) = stderr {
                let _ = tokio::io::copy(&mut stderr, &mut tokio::io::sink()).await;
            }
        };
        tokio::join!(write, read, ignore).1
    };
    match tokio::time::timeout(TIMEOUT, talk).await {
        Ok(answer) => child.wait().await.map(|_| answer),
        Err(_) => {
            // The error that counts is the one returned here.
            let _ = child.kill().await;
            Err(JobError::new(
                ErrorCode::TransferInterrupted,
                format!("looking at the configured paths on {} took too long", session.place()),
                "A hanging disk or network share on the server can cause this. It is tried again by itself.",
            ))
        }
    }
}
