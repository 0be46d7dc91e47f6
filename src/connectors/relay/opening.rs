//! What comes before bytes can be passed on as they are.

use async_trait::async_trait;
use tokio::net::UnixStream;

use super::Wire;
use crate::domain::job::JobError;

/// How connections of a protocol begin: agreeing on TLS, mostly.
#[async_trait]
pub trait Opening: Send + Sync + 'static {
    /// Brings a fresh connection to where client and server may speak directly. A part of their talk that
    /// TLS changes is carried between `server` and `client` here. Returns the connection to go on with.
    ///
    /// # Errors
    /// Of the protocol's or TLS's own; both connections are closed then. May be dropped at any await.
    async fn open(&self, server: Wire, client: &mut UnixStream) -> Result<Wire, JobError>;
}

/// Client and server speak directly from the first byte on.
#[derive(Debug, Clone, Copy)]
pub struct Plain;

#[async_trait]
impl Opening for Plain {
    async fn open(&self, server: Wire, _: &mut UnixStream) -> Result<Wire, JobError> {
        Ok(server)
    }
}
