//! Makes the streams of one control connection and its data connections, where suppaftp asks for TLS.

use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use suppaftp::{FtpError as SuppaError, FtpResult, tokio::AsyncTlsConnector};
use tokio::net::TcpStream;

use super::{
    below::Below,
    wire::{Channel, Wire},
};
use crate::connectors::tls::TlsClient;

/// Makes the control connection first, and data connections from then on.
#[derive(Debug)]
pub struct Links {
    tls: Option<TlsClient>,
    below: Below,
    has_control: AtomicBool,
}

impl Links {
    /// Streams in clear text.
    pub fn clear(below: &Below) -> Self {
        Self::new(None, below)
    }

    /// Encrypted ones, which share the sessions of `tls`.
    pub fn encrypted(tls: TlsClient, below: &Below) -> Self {
        Self::new(Some(tls), below)
    }

    fn new(tls: Option<TlsClient>, below: &Below) -> Self {
        Self {
            tls,
            below: below.clone(),
            has_control: AtomicBool::new(false),
        }
    }
}

#[async_trait]
impl AsyncTlsConnector for Links {
    type Stream = Wire;

    async fn connect(&self, _: &str, stream: TcpStream) -> FtpResult<Wire> {
        let is_data = self.has_control.swap(true, Ordering::Relaxed);
        if !is_data {
            // Commands are small and each waits for its answer.
            let _ = stream.set_nodelay(true);
            self.below.connected();
        }
        let channel = match &self.tls {
            None => Channel::Clear(stream),
            Some(tls) => match tls.handshake(stream).await {
                Ok(stream) => Channel::Encrypted(Box::new(stream)),
                Err(error) => {
                    let what = error.message.clone();
                    self.below.fail(error.into());
                    return Err(SuppaError::SecureError(what));
                }
            },
        };
        if is_data {
            return Ok(Wire::data(channel));
        }
        if self.tls.is_some() {
            self.below.encrypted();
        }
        Ok(Wire::control(channel, self.below.clone()))
    }
}
