//! Passing bytes on, and telling whose fault it was when that ends.

use std::io;

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::UnixStream,
};

use super::Wire;

/// Bytes on their way in one direction.
const BUFFER: usize = 64 * 1024;

/// How one direction ended.
enum Ended {
    /// Its source has nothing more.
    Done,
    /// Its source broke.
    Source(io::Error),
    /// Its target takes nothing more.
    Target(io::Error),
}

/// Passes bytes on in both directions until the client has closed its end. A server that closes first is passed
/// on to the client, which knows whether that is right. True if the server said anything at all.
///
/// # Errors
/// If the server's side broke while the client was still there.
pub(super) async fn carry(mut client: UnixStream, server: Wire) -> io::Result<bool> {
    let (from_client, to_client) = client.split();
    let (from_server, to_server) = tokio::io::split(server);
    let (mut asked, mut answered) = (false, false);
    let ended = {
        let up = copy(from_client, to_server, &mut asked);
        let down = copy(from_server, to_client, &mut answered);
        tokio::pin!(up, down);
        tokio::select! {
            biased;
            ended = &mut up => match ended {
                Ended::Target(error) => Err(error),
                Ended::Done | Ended::Source(_) => Ok(()),
            },
            ended = &mut down => match ended {
                Ended::Source(error) => Err(error),
                Ended::Target(_) => Ok(()),
                Ended::Done => {
                    // The server hung up and the client has been told; what it still says has no reader.
                    up.await;
                    Ok(())
                }
            },
        }
    };
    ended.map(|()| answered)
}

/// Copies to the end and closes the target behind it; notes that there was something to copy.
async fn copy(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin, any: &mut bool) -> Ended {
    let mut buffer = vec![0; BUFFER];
    loop {
        let count = match from.read(&mut buffer).await {
            Ok(0) => break,
            Ok(count) => count,
            // Without TLS's own goodbye: database servers hang up like this. Their protocols know what is whole.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => break,
            Err(error) => return Ended::Source(error),
        };
        *any = true;
        let written = async {
            to.write_all(&buffer[..count]).await?;
            to.flush().await
        };
        if let Err(error) = written.await {
            return Ended::Target(error);
        }
    }
    // A peer that is gone needs no goodbye.
    let _ = to.shutdown().await;
    Ended::Done
}
