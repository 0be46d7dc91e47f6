//! Writing to a server behind OpenSSH: over SFTP, whether or not it has a shell.

use tokio_util::sync::CancellationToken;

use super::{
    SshSource,
    session::{SftpChannel, SshSession},
};
use crate::{
    connectors::{
        open::ConnectorContext,
        sftp::{SftpClient, SftpTarget},
        target::Login,
    },
    domain::{error_code::ErrorCode, job::JobError},
};

/// Connects to a server for writing.
///
/// # Errors
/// As when it is read; `cancelled` if `cancel` fires first.
pub(in crate::connectors) async fn target(
    source: &SshSource,
    ctx: &ConnectorContext,
    cancel: &CancellationToken,
) -> Result<SftpTarget, JobError> {
    let connecting = cancel.run_until_cancelled(async {
        let session = SshSession::connect(source, ctx).await?;
        match begin(&session).await {
            Ok((client, channel, login)) => {
                let place = session.place().to_owned();
                let closing = async move {
                    drop(channel);
                    session.close().await;
                };
                Ok(SftpTarget::new(client, place, login, Box::pin(closing)))
            }
            Err(error) => {
                session.close().await;
                Err(error)
            }
        }
    });
    let cancelled = || JobError::new(ErrorCode::Cancelled, "the restore was cancelled", "");
    connecting.await.ok_or_else(cancelled)?
}

async fn begin(session: &SshSession) -> Result<(SftpClient, SftpChannel, Option<Login>), JobError> {
    let login = match session.has_shell().await? {
        true => login(session).await?,
        false => None,
    };
    let mut channel = session.sftp_subsystem().await?;
    let (Some(stdin), Some(stdout)) = (channel.stdin.take(), channel.stdout.take()) else {
        return Err(session.interruption());
    };
    match SftpClient::start(stdout, stdin).await {
        Ok(client) => Ok((client, channel, login)),
        Err(_) if session.is_lost().await => Err(session.interruption()),
        Err(_) => Err(session.no_sftp()),
    }
}

/// Who the shell says we are.
async fn login(session: &SshSession) -> Result<Option<Login>, JobError> {
    let said = session.run("id -u && id -G").await?;
    Ok(read_login(&said.stdout).filter(|_| said.exit.success()))
}

/// A line with the user's number, and one with those of the groups.
fn read_login(said: &[u8]) -> Option<Login> {
    let text = std::str::from_utf8(said).ok()?;
    let mut lines = text.lines();
    let user = lines.next()?.trim().parse().ok()?;
    let groups = lines
        .next()?
        .split_whitespace()
        .map(str::parse)
        .collect::<Result<_, _>>();
    Some(Login {
        user,
        groups: groups.ok(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_the_login_is_is_read_or_unknown() {
        let login = Login {
            user: 1000,
            groups: Some(vec![1000, 27]),
        };
        assert_eq!(read_login(b"1000\n1000 27\n"), Some(login));
        assert_eq!(read_login(b"id: not found\n"), None);
        assert_eq!(read_login(b"\xff"), None);
    }
}
