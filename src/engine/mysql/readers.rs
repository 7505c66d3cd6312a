//! The readers of a snapshot: sessions that all see the same instant, lent one by one.
//!
//! A reader whose use did not end cleanly is thrown away: its protocol state is unknown, and a new session would see another instant.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::wire::Session;
use crate::error::{Error, ErrorKind, Result};

pub(super) struct Readers {
    idle: std::sync::Mutex<Vec<Session>>,
    free: Arc<Semaphore>,
    alive: AtomicUsize,
}

impl Readers {
    pub(super) fn new(connections: Vec<Session>) -> Arc<Self> {
        let count = connections.len();
        Arc::new(Readers {
            idle: std::sync::Mutex::new(connections),
            free: Arc::new(Semaphore::new(count)),
            alive: AtomicUsize::new(count),
        })
    }

    /// How many are left.
    pub(super) fn alive(&self) -> usize {
        self.alive.load(Ordering::Acquire)
    }

    /// Waits for a free reader.
    ///
    /// # Errors
    /// `Snapshot` when all readers are gone.
    pub(super) async fn lend(self: &Arc<Self>) -> Result<Lent> {
        let gone = || {
            Error::new(ErrorKind::Snapshot, "all connections of the snapshot are lost, and with them its instant")
                .hint("Run the same command again with `--resume`; it takes a new snapshot")
        };
        let permit = Arc::clone(&self.free).acquire_owned().await.map_err(|_| gone())?;
        let connection = self.idle.lock().map_err(|_| gone())?.pop();
        let Some(connection) = connection else { return Err(gone()) };
        Ok(Lent { readers: Arc::clone(self), connection: Some(connection), permit: Some(permit) })
    }

    /// Ends all idle readers; those that are lent end when they come back. False if the server did not hear of one's end.
    pub(super) async fn close(&self) -> bool {
        self.free.close();
        let connections = self.idle.lock().map(|mut idle| std::mem::take(&mut *idle)).unwrap_or_default();
        futures::future::join_all(connections.into_iter().map(Session::close)).await.into_iter().all(|heard| heard)
    }
}

/// A reader, lent. Dropped without [`Lent::give_back`], it is gone.
pub(super) struct Lent {
    readers: Arc<Readers>,
    connection: Option<Session>,
    permit: Option<OwnedSemaphorePermit>,
}

impl Lent {
    /// The session.
    pub(super) fn connection(&mut self) -> Result<&mut Session> {
        self.connection.as_mut().ok_or_else(|| Error::internal("a reader was used after its end"))
    }

    /// Gives the reader back; only after a result that was read to its end.
    pub(super) fn give_back(mut self) {
        if let Some(mut connection) = self.connection.take()
            && !self.readers.free.is_closed()
            && let Ok(mut idle) = self.readers.idle.lock()
        {
            connection.shrink();
            idle.push(connection);
            drop(idle);
            self.permit.take();
        }
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let Some(permit) = self.permit.take() else { return };
        permit.forget();
        if self.readers.alive.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.readers.free.close();
        }
    }
}
