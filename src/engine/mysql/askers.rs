//! Sessions that ask questions side by side, kept for the next question.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sqlx::MySqlConnection;

use super::connect::Connector;
use crate::error::{Error, ErrorKind, Result};

/// How long to wait before looking again for a session that somebody gave back.
const AGAIN: Duration = Duration::from_millis(20);

/// The sessions.
#[derive(Default)]
pub(super) struct Askers {
    idle: Mutex<Vec<MySqlConnection>>,
    open: AtomicUsize,
}

/// A session that is in use. It ends unless it is given back: after an error, or a dropped future, nobody knows its state.
pub(super) struct Asker<'a> {
    home: &'a Askers,
    connection: Option<MySqlConnection>,
}

impl Askers {
    /// One of them, or a new one. Where the server takes no more, one that is in use is waited for.
    ///
    /// # Errors
    /// As [`Connector::connect`].
    pub(super) async fn take(&self, connector: &Connector) -> Result<Asker<'_>> {
        loop {
            let idle = self.idle().pop();
            if idle.is_some() {
                return Ok(Asker { home: self, connection: idle });
            }
            match connector.connect().await {
                Ok((connection, _)) => {
                    self.open.fetch_add(1, Ordering::SeqCst);
                    return Ok(Asker { home: self, connection: Some(connection) });
                }
                Err(error) if error.kind() == ErrorKind::TooManyConnections && self.open.load(Ordering::SeqCst) > 0 => {
                    tokio::time::sleep(AGAIN).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Takes in sessions that were opened for something else.
    pub(super) fn add(&self, sessions: Vec<MySqlConnection>) {
        self.open.fetch_add(sessions.len(), Ordering::SeqCst);
        self.idle().extend(sessions);
    }

    /// How many are not in use.
    pub(super) fn idle_count(&self) -> u64 {
        u64::try_from(self.idle().len()).unwrap_or(u64::MAX)
    }

    /// Ends those that are not in use.
    pub(super) fn end(&self) {
        let ended = std::mem::take(&mut *self.idle());
        self.open.fetch_sub(ended.len(), Ordering::SeqCst);
    }

    fn idle(&self) -> MutexGuard<'_, Vec<MySqlConnection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Asker<'_> {
    /// The session.
    ///
    /// # Errors
    /// `Internal`, never: it is there until it is given back.
    pub(super) fn connection(&mut self) -> Result<&mut MySqlConnection> {
        self.connection.as_mut().ok_or_else(|| Error::internal("a session that was given back"))
    }

    /// Gives it back.
    pub(super) fn give_back(mut self) {
        if let Some(connection) = self.connection.take() {
            self.home.idle().push(connection);
        }
    }
}

impl Drop for Asker<'_> {
    fn drop(&mut self) {
        if self.connection.is_some() {
            self.home.open.fetch_sub(1, Ordering::SeqCst);
        }
    }
}
