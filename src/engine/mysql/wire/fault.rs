//! What can go wrong between us and the server.

use std::io;

/// An error of a session.
#[derive(Debug, thiserror::Error)]
pub(in crate::engine::mysql) enum Fault {
    /// The network failed, or the server went away in the middle of something.
    #[error("{0}")]
    Network(#[from] io::Error),
    /// Encryption could not be had as it was asked for.
    #[error("{0}")]
    Tls(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The server's own error: "ERR_Packet".
    #[error("{number} ({state}): {message}")]
    Refused {
        /// Its number in the server's error list.
        number: u16,
        /// Its SQLSTATE.
        state: String,
        /// Its text.
        message: String,
    },
    /// What the address says cannot be done.
    #[error("{0}")]
    Config(String),
    /// The other side does not keep to the protocol as we know it.
    #[error("{0}")]
    Protocol(String),
}

impl Fault {
    /// A fault of the protocol.
    pub(super) fn protocol(what: impl Into<String>) -> Self {
        Fault::Protocol(what.into())
    }

    /// A fault of TLS.
    pub(super) fn tls(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Fault::Tls(error.into())
    }

    /// The connection is at its end, but what it carried is not.
    pub(super) fn cut() -> Self {
        io::Error::new(io::ErrorKind::UnexpectedEof, "the server closed the connection").into()
    }

    /// The server's number, if the error is the server's.
    pub(in crate::engine::mysql) fn number(&self) -> Option<u16> {
        match self {
            Fault::Refused { number, .. } => Some(*number),
            _ => None,
        }
    }
}
