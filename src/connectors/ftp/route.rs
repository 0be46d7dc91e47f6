//! Where data connections go: to the address of their control connection and no other, whatever a server says.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use suppaftp::{FtpError as SuppaError, FtpResult};
use tokio::net::TcpStream;

use super::{below::Below, dial::CONNECT_TIMEOUT, error::FtpError};
use crate::{
    connectors::egress::EgressPolicy,
    domain::{error_code::ErrorCode, job::JobError},
};

/// The way of data connections.
#[derive(Debug, Clone)]
pub struct DataRoute {
    /// Where the control connection goes.
    pub address: IpAddr,
    /// Where workers may go.
    pub egress: Arc<EgressPolicy>,
    /// The notes of the control connection.
    pub below: Below,
}

impl DataRoute {
    /// Connects to the port that the server named.
    ///
    /// # Errors
    /// What it says is left in the notes.
    pub async fn open(self, port: u16) -> FtpResult<TcpStream> {
        self.below.got_data_port();
        let opened = self.connect(port).await;
        opened.map_err(|error| {
            self.below.fail(error);
            SuppaError::ConnectionError(io::ErrorKind::NotConnected.into())
        })
    }

    async fn connect(&self, port: u16) -> Result<TcpStream, FtpError> {
        if let Some(what) = self.egress.forbidden(self.address) {
            return Err(FtpError::Stopped(JobError::new(
                ErrorCode::AddressForbidden,
                format!(
                    "data connections lead to {}, an address workers must not reach ({what})",
                    self.address
                ),
                "Use a public address, or ask the operator to add the range to XVAULT_EGRESS_ALLOW.",
            )));
        }
        let address = SocketAddr::new(self.address, port);
        match tokio::time::timeout(CONNECT_TIMEOUT, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => Ok(stream),
            Ok(Err(error)) => Err(FtpError::Lost(format!("no data connection to port {port}: {error}"))),
            Err(_) => Err(FtpError::Stalled(CONNECT_TIMEOUT)),
        }
    }
}
