//! Whether the configured paths are there and can be read, asked without reading them.

use std::path::Path;

use futures::{StreamExt, stream};
use openssh_sftp_client::{Error, Sftp, SftpOptions, error::SftpErrorKind, fs::Fs};
use tokio::io::AsyncReadExt;

use super::session::{SshSession, quote};
use crate::{connectors::ProbedPath, domain::job::JobError};

/// Paths asked about at the same time.
const IN_FLIGHT: usize = 16;
/// Most bytes a server may answer: honest answers for 500 paths are a tenth of it.
const MAX_ANSWERS: u64 = 16 * 1024 * 1024;

/// Looks at every path over SFTP.
///
/// # Errors
/// If the server has no SFTP or speaks it wrongly from the start.
pub(super) async fn over_sftp(session: &SshSession, paths: &[String]) -> Result<Vec<ProbedPath>, JobError> {
    let mut channel = session.sftp_subsystem().await?;
    let (Some(stdin), Some(stdout)) = (channel.stdin.take(), channel.stdout.take()) else {
        return Err(session.interruption());
    };
    let opened = Sftp::new(stdin, stdout.take(MAX_ANSWERS), SftpOptions::new()).await;
    let sftp = opened.map_err(|_| session.no_sftp())?;
    let looks = stream::iter(paths.to_vec()).map(|path| look(&sftp, path));
    Ok(looks.buffered(IN_FLIGHT).collect().await)
}

async fn look(sftp: &Sftp, path: String) -> ProbedPath {
    let mut fs = sftp.fs();
    // Resolving says nothing about existence: servers resolve what is not there as well.
    let resolved = fs
        .canonicalize(&path)
        .await
        .ok()
        .and_then(|path| Some(path.to_str()?.to_owned()));
    let status = match try_read(sftp, &mut fs, Path::new(&path)).await {
        Ok(()) => "ok",
        Err(Error::SftpError(SftpErrorKind::NoSuchFile, _)) => "not_found",
        Err(Error::SftpError(SftpErrorKind::PermDenied, _)) => "permission_denied",
        Err(_) => "error",
    };
    ProbedPath {
        path,
        resolved,
        status: status.to_owned(),
    }
}

/// Opens what can be opened without side effects; a FIFO would wait for its other end.
async fn try_read(sftp: &Sftp, fs: &mut Fs, path: &Path) -> Result<(), Error> {
    let kind = fs.symlink_metadata(path).await?.file_type();
    match kind {
        Some(kind) if kind.is_dir() => fs.open_dir(path).await?.close().await,
        Some(kind) if kind.is_file() => sftp.options().read(true).open(path).await?.close().await,
        _ => Ok(()),
    }
}

/// Looks at every path with the shell, for servers without SFTP.
///
/// # Errors
/// If the connection is lost.
pub(super) async fn over_shell(session: &SshSession, paths: &[String]) -> Result<Vec<ProbedPath>, JobError> {
    let mut all = Vec::new();
    for path in paths {
        let script = format!(
            "p={}; case $p in -*) p=./$p;; esac; \
             if [ ! -e \"$p\" ] && [ ! -h \"$p\" ]; then echo not_found; \
             elif [ -h \"$p\" ] || [ -r \"$p\" ]; then echo ok; else echo permission_denied; fi",
            quote(path)
        );
        let answer = session.run(&script).await?.stdout;
        let status = match answer.as_slice() {
            b"ok\n" => "ok",
            b"not_found\n" => "not_found",
            b"permission_denied\n" => "permission_denied",
            _ => "error",
        };
        all.push(ProbedPath {
            path: path.clone(),
            resolved: None,
            status: status.to_owned(),
        });
    }
    Ok(all)
}
