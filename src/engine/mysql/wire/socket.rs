//! The way to the server: TCP, a local socket, or TLS over either.

use std::path::PathBuf;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};

use super::fault::Fault;

/// Bytes in both directions. Behind a pointer: one call per read of many rows costs nothing.
pub(super) trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// An open way.
pub(super) type Socket = Box<dyn Duplex>;

/// Where the server is.
#[derive(Debug, Clone)]
pub(in crate::engine::mysql) enum Place {
    /// Host, as it is in an address, and port.
    Tcp(String, u16),
    /// A local socket.
    Local(PathBuf),
}

/// The host without the brackets that an address puts around IPv6.
pub(super) fn bare(host: &str) -> &str {
    host.trim_matches(['[', ']'])
}

impl Place {
    /// True if nobody else can listen on the way.
    pub(super) fn is_local(&self) -> bool {
        matches!(self, Place::Local(_))
    }

    pub(super) async fn connect(&self) -> Result<Socket, Fault> {
        Ok(match self {
            Place::Tcp(host, port) => {
                let stream = TcpStream::connect((bare(host), *port)).await?;
                // A statement that is closed is not answered, and would hold the next one up. The kernel sizes the buffers: a fixed size
                // would be smaller than what it grows to on a long way.
                stream.set_nodelay(true)?;
                Box::new(stream)
            }
            Place::Local(path) => Box::new(UnixStream::connect(path).await?),
        })
    }
}
