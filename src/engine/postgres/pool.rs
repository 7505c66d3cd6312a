//! A few connections, lent out one by one.
//!
//! Not the driver's pool: a connection that was dropped in the midst of a chunk must be closed, never cleaned up and lent again. Its session
//! may live on in the server, when the network between both is gone: before others are lent it is ended, since it may hold locks, or commit.

use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use sqlx::{Connection, PgConnection};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::connect::Connector;
use super::lease::Fence;
use super::lost::{Lost, SessionId, Watched};
use crate::error::{Error, ErrorKind, Result};

/// The pause before a full server is asked again.
const FULL_SERVER_PAUSE: Duration = Duration::from_millis(100);

/// How long the run's own other connections are waited for, before the full server is an error.
const FULL_SERVER_PATIENCE: Duration = Duration::from_secs(10);

/// How long a connection that has answered is sure to be there: long enough for questions one after the other, where each ping would be one
/// more way there and back.
const SURE_OF: Duration = Duration::from_secs(1);

/// A connection, its session, and when it was given back.
type Idle = (PgConnection, SessionId, Instant);

/// The connections of a sink. Cheap to clone.
#[derive(Clone)]
pub(super) struct Pool {
    connector: Arc<Connector>,
    idle: Arc<Mutex<Vec<Idle>>>,
    lost: Lost,
    permits: Arc<Semaphore>,
    limit: Arc<AtomicUsize>,
}

impl Pool {
    /// Lends out at most `limit` connections at a time.
    pub(super) fn new(connector: Connector, limit: usize) -> Self {
        let limit = limit.max(1);
        Pool {
            connector: Arc::new(connector),
            idle: Arc::default(),
            lost: Lost::default(),
            permits: Arc::new(Semaphore::new(limit)),
            limit: Arc::new(AtomicUsize::new(limit)),
        }
    }

    /// The run that sessions belong to, once it is held.
    pub(super) fn fence(&self) -> Option<Fence> {
        self.connector.fence()
    }

    /// From now on sessions carry the name of that run, and open only while it is held. Those that are lent out are not changed.
    pub(super) fn set_fence(&self, fence: Option<Fence>) {
        let other = fence.as_ref().is_some_and(|fence| !self.connector.is_named(&fence.session_name()));
        self.connector.set_fence(fence);
        if other {
            self.close_idle();
        }
    }

    /// True if sessions are opened with this name.
    pub(super) fn is_named(&self, name: &str) -> bool {
        self.connector.is_named(name)
    }

    /// Opens a connection that is none of the pool's.
    pub(super) async fn connect(&self) -> Result<PgConnection> {
        self.connector.connect().await.map(|(connection, _)| connection)
    }

    /// Lends a connection, that has answered a moment ago; waits while all are lent out.
    pub(super) async fn acquire(&self) -> Result<Lease> {
        let permit = self.permit().await?;
        let began = Instant::now();
        loop {
            let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let (mut connection, id) = match idle {
                // One that died while it lay idle is replaced without a word.
                Some((connection, id, answered)) if answered.elapsed() < SURE_OF => (connection, id),
                Some((mut connection, id, _)) => match connection.ping().await {
                    Ok(()) => (connection, id),
                    Err(_) => continue,
                },
                None => match self.connector.connect().await {
                    Ok(opened) => opened,
                    // The server has none to spare, and the run has others: one of them will be free in a while.
                    Err(error)
                        if error.kind() == ErrorKind::TooManyConnections
                            && self.lent() > 1
                            && began.elapsed() < FULL_SERVER_PATIENCE =>
                    {
                        tokio::time::sleep(FULL_SERVER_PAUSE).await;
                        continue;
                    }
                    Err(error) => return Err(error),
                },
            };
            self.lost.end(&mut connection).await?;
            let id = self.lost.watch(id);
            return Ok(Lease { connection, id, idle: Arc::clone(&self.idle), _permit: permit });
        }
    }

    /// Lends a connection that lay idle, if there is one, without asking whether it still answers, which would be one more way there and back:
    /// for work that can begin again on another one when its first message tells that this one is dead.
    pub(super) async fn acquire_untried(&self) -> Result<Option<Lease>> {
        let permit = self.permit().await?;
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let Some((mut connection, id, _)) = idle else { return Ok(None) };
        if self.lost.end(&mut connection).await.is_err() {
            // Dead, or not able to: `acquire` finds out which.
            return Ok(None);
        }
        let id = self.lost.watch(id);
        Ok(Some(Lease { connection, id, idle: Arc::clone(&self.idle), _permit: permit }))
    }

    async fn permit(&self) -> Result<OwnedSemaphorePermit> {
        Arc::clone(&self.permits).acquire_owned().await.map_err(|error| Error::internal("the pool is closed").with_source(error))
    }

    /// Lends out more at a time.
    pub(super) fn widen(&self, more: usize) {
        self.limit.fetch_add(more, Ordering::AcqRel);
        self.permits.add_permits(more);
    }

    /// How many are lent out, or asked for.
    fn lent(&self) -> usize {
        self.limit.load(Ordering::Acquire).saturating_sub(self.permits.available_permits())
    }

    /// Closes what lies idle.
    pub(super) fn close_idle(&self) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

/// A connection that is lent. Dropping it closes the connection, and so takes back its open transaction; see [`Lease::give_back`].
pub(super) struct Lease {
    connection: PgConnection,
    id: Watched,
    idle: Arc<Mutex<Vec<Idle>>>,
    _permit: OwnedSemaphorePermit,
}

impl Lease {
    /// Gives a connection back that is in no transaction and in no COPY.
    pub(super) fn give_back(mut self) {
        // The driver's buffers grow with the widest row, and would stay so.
        self.connection.shrink_buffers();
        let id = self.id.given_back();
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push((self.connection, id, Instant::now()));
    }
}

impl Deref for Lease {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        &self.connection
    }
}

impl DerefMut for Lease {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.connection
    }
}
