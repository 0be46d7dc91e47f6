//! One file on its way to the server.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;

use super::{
    super::{connection::Transfer, error::FtpError, listed::number},
    Shared,
    lanes::Lane,
};
use crate::connectors::target::{FileWriter, Refusal, Settle, TargetError};

/// A file being written. Dropped, its connection ends, and the rest stays.
pub struct Writer {
    shared: Arc<Shared>,
    path: Vec<u8>,
    written: u64,
    /// Gone after a failure: whoever cleans up may need the connection's place.
    under_way: Option<(Lane, Transfer)>,
}

impl Writer {
    /// Begins.
    pub async fn begin(shared: &Arc<Shared>, path: &[u8]) -> Result<Self, TargetError> {
        let mut lane = shared.lane().await?;
        match lane.connection.start_about("STOR", path, 0).await {
            Ok(transfer) => Ok(Self {
                shared: Arc::clone(shared),
                path: path.to_vec(),
                written: 0,
                under_way: Some((lane, transfer)),
            }),
            Err(error) => Err(shared.failed(lane, error)),
        }
    }
}

fn given_up() -> TargetError {
    TargetError::Refused {
        why: Refusal::Other,
        message: "was given up".to_owned(),
    }
}

#[async_trait]
impl FileWriter for Writer {
    async fn write(&mut self, data: Bytes) -> Result<(), TargetError> {
        let (mut lane, mut transfer) = self.under_way.take().ok_or_else(given_up)?;
        match transfer.write(&data).await {
            Ok(()) => {
                self.written += data.len() as u64;
                self.under_way = Some((lane, transfer));
                Ok(())
            }
            // Servers hang up on the data, and then say why.
            Err(error @ FtpError::Lost(_)) => Err(match lane.connection.finish(transfer).await {
                Ok(reply) if !reply.is_positive() => self.shared.failed(lane, FtpError::Refused(reply)),
                _ => self.shared.failed(lane, error),
            }),
            Err(error) => Err(self.shared.failed(lane, error)),
        }
    }

    async fn finish(mut self: Box<Self>, how: &Settle) -> Result<(), TargetError> {
        let (mut lane, transfer) = self.under_way.take().ok_or_else(given_up)?;
        let connection = &mut lane.connection;
        let finishing = async {
            connection.finish(transfer).await?.positive()?;
            if connection.features.size {
                let size = connection.ask_about("SIZE", &self.path).await?;
                let there = number::<u64>(size.last()).filter(|_| size.code == 213);
                if there.is_some_and(|there| there != self.written) {
                    return Ok(there);
                }
            }
            self.shared.offers.settle(connection, &self.path, true, how).await?;
            Ok(None)
        };
        match finishing.await {
            Ok(None) => {
                lane.give_back();
                Ok(())
            }
            Ok(Some(there)) => {
                lane.give_back();
                Err(TargetError::Refused {
                    why: Refusal::Other,
                    message: format!("{} bytes were sent and the server has {there}", self.written),
                })
            }
            Err(error) => Err(self.shared.failed(lane, error)),
        }
    }
}
