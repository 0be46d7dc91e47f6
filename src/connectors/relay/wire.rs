//! A connection to a server, whatever it goes through.

use tokio::io::{AsyncRead, AsyncWrite};

/// Both directions of a connection.
pub trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// A connection to a server: TCP, TLS or SSH.
pub type Wire = Box<dyn Duplex>;
