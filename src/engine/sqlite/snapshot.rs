//! Several connections that see one instant, and the way rows leave them.
//!
//! Each reader holds a read transaction. That all of them see the same instant:
//! - In rollback mode the first reader's shared lock keeps every writer from committing, so the others cannot see anything else.
//!   Writers wait for the end of the run; that is SQLite's way.
//! - In WAL mode writers go on. A connection without a transaction reads `PRAGMA data_version` before and after the readers begin:
//!   it changes with each commit of anyone else, so when both are equal, nothing was committed between. Else all begin again.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use futures::{StreamExt, TryStreamExt};
use rusqlite::Connection;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use super::connect::connect;
use super::error::{doing, task_died};
use super::{plan, profile, read};
use crate::engine::{Batch, BatchStream, Consistency, LogPosition, Profile, ProfileColumn, Snapshot};
use crate::error::{Error, ErrorKind, Result};
use crate::model::catalog::Table;
use crate::model::chunk::Chunk;
use crate::model::unit::ReadPlan;

/// How long a snapshot is tried for.
const SNAPSHOT_TIMEOUT: Duration = Duration::from_secs(20);
/// How long one reader waits for a lock while a snapshot is tried: short, since a writer that waits for the first reader
/// keeps out the others until all let go.
const SNAPSHOT_BUSY_TIMEOUT: Duration = Duration::from_millis(200);
/// Pause between two tries.
const SNAPSHOT_PAUSE: Duration = Duration::from_millis(20);
/// Batches on their way between a reader's thread and the async side.
const CHANNEL_BATCHES: usize = 1;

/// A consistent view of a SQLite file.
pub(super) struct SqliteSnapshot {
    /// For rows: one connection per chunk that is read at the same time.
    readers: Arc<Pool>,
    /// For counts and profiles, so that they never wait for a stream that waits for them.
    counters: Arc<Pool>,
}

impl SqliteSnapshot {
    /// Opens `readers` readers, at least one, that see one instant.
    ///
    /// # Errors
    /// `Snapshot` when writers never left a gap.
    pub(super) async fn open(path: Arc<str>, readers: usize) -> Result<Self> {
        let readers = readers.max(1);
        let mut connections = tokio::task::spawn_blocking(move || open_all(&path, readers + 1)).await.map_err(task_died)??;
        let counter = connections.pop().into_iter().collect();
        Ok(SqliteSnapshot { readers: Pool::new(connections), counters: Pool::new(counter) })
    }
}

/// `count` connections, each in a read transaction, all of one instant.
fn open_all(path: &str, count: usize) -> Result<Vec<Connection>> {
    let deadline = Instant::now() + SNAPSHOT_TIMEOUT;
    loop {
        let why = match try_all(path, count) {
            Ok(Some(connections)) => return Ok(connections),
            Ok(None) => None,
            Err(error) if error.kind() == ErrorKind::Timeout => Some(error),
            Err(error) => return Err(error),
        };
        if Instant::now() >= deadline {
            let error = Error::new(ErrorKind::Snapshot, format!("writers to `{path}` left no gap for a consistent snapshot"))
                .hint("Pause the writers for a moment, or copy the file with `VACUUM INTO` and read the copy");
            return Err(match why {
                Some(why) => error.with_source(why),
                None => error,
            });
        }
        std::thread::sleep(SNAPSHOT_PAUSE);
    }
}

/// One try; `None` when something was committed meanwhile.
fn try_all(path: &str, count: usize) -> Result<Option<Vec<Connection>>> {
    let failed = doing("the snapshot cannot be taken");
    let watcher = connect(path)?;
    watcher.busy_timeout(SNAPSHOT_BUSY_TIMEOUT).map_err(&failed)?;
    let version = || watcher.query_row("PRAGMA data_version", [], |row| row.get::<_, i64>(0)).map_err(&failed);
    let before = version()?;
    let mut connections = Vec::with_capacity(count);
    for _ in 0..count {
        let connection = connect(path)?;
        connection.busy_timeout(SNAPSHOT_BUSY_TIMEOUT).map_err(&failed)?;
        // BEGIN takes no lock; the first read does.
        connection.execute_batch("BEGIN; SELECT count(*) FROM sqlite_schema").map_err(&failed)?;
        connections.push(connection);
    }
    Ok((before == version()?).then_some(connections))
}

/// Connections that lie ready.
struct Pool {
    idle: Mutex<Vec<Connection>>,
    free: Arc<Semaphore>,
}

impl Pool {
    fn new(connections: Vec<Connection>) -> Arc<Self> {
        let free = Arc::new(Semaphore::new(connections.len()));
        Arc::new(Pool { idle: Mutex::new(connections), free })
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Connection>> {
        // The list is whole at every instant, whatever a thread that held it was doing.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a connection.
    async fn take(self: Arc<Self>) -> Result<Lease> {
        let closed = || Error::new(ErrorKind::Snapshot, "the snapshot is closed");
        let permit = self.free.clone().acquire_owned().await.map_err(|_| closed())?;
        let connection = self.idle().pop().ok_or_else(closed)?;
        Ok(Lease { connection: Some(connection), pool: self, _permit: permit })
    }

    /// Ends the transactions of all connections that lie ready; the others end theirs when they come back.
    fn close(&self) {
        self.free.close();
        self.idle().clear();
    }
}

/// A connection in use; dropping it gives it back.
struct Lease {
    connection: Option<Connection>,
    pool: Arc<Pool>,
    _permit: OwnedSemaphorePermit,
}

impl Lease {
    fn connection(&self) -> Result<&Connection> {
        self.connection.as_ref().ok_or_else(|| Error::internal("a reader without a connection"))
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        // The permit is dropped after this, so whoever gets it finds the connection.
        let mut idle = self.pool.idle();
        if !self.pool.free.is_closed() {
            idle.extend(self.connection.take());
        }
    }
}

/// Runs `work` with a connection of the pool on a blocking thread.
async fn with_lease<T: Send + 'static>(
    pool: &Arc<Pool>,
    work: impl FnOnce(&Connection) -> Result<T> + Send + 'static,
) -> Result<T> {
    let lease = pool.clone().take().await?;
    tokio::task::spawn_blocking(move || work(lease.connection()?)).await.map_err(task_died)?
}

/// What a reader's thread says.
enum Message {
    Batch(Batch),
    /// SQLite's own end of the result. A channel that closes without it is a reader that died.
    End,
}

/// The batches of a chunk.
fn stream(pool: Arc<Pool>, what: ReadPlan, chunk: Chunk) -> BatchStream {
    let start = async move {
        let lease = pool.take().await?;
        let (sender, receiver) = mpsc::channel::<Result<Message>>(CHANNEL_BATCHES);
        tokio::task::spawn_blocking(move || {
            let outcome = lease.connection().and_then(|connection| {
                read::read(connection, &what, &chunk, |batch| sender.blocking_send(Ok(Message::Batch(batch))).is_ok())
            });
            // Given back before the end is told, so that the next read finds it.
            drop(lease);
            // Nobody listens any more: nothing is owed.
            let _ = sender.blocking_send(outcome.map(|()| Message::End));
        });
        Ok::<BatchStream, Error>(batches(receiver))
    };
    futures::stream::once(start).try_flatten().boxed()
}

fn batches(receiver: mpsc::Receiver<Result<Message>>) -> BatchStream {
    futures::stream::unfold(Some(receiver), |receiver| async move {
        let mut receiver = receiver?;
        match receiver.recv().await {
            Some(Ok(Message::Batch(batch))) => Some((Ok(batch), Some(receiver))),
            Some(Ok(Message::End)) => None,
            Some(Err(error)) => Some((Err(error), None)),
            None => Some((Err(Error::internal("a reader ended before the end of its result")), None)),
        }
    })
    .boxed()
}

#[async_trait]
impl Snapshot for SqliteSnapshot {
    fn consistency(&self, _table: &Table) -> Consistency {
        Consistency::OneInstant
    }

    fn position(&self) -> Option<&LogPosition> {
        None
    }

    async fn count(&self, table: &Table) -> Result<u64> {
        let table = table.clone();
        with_lease(&self.counters, move |connection| plan::count(connection, &table)).await
    }

    async fn profile(&self, table: &Table, columns: &[ProfileColumn]) -> Result<Profile> {
        let (table, columns) = (table.clone(), columns.to_vec());
        with_lease(&self.counters, move |connection| profile::profile(connection, &table, &columns)).await
    }

    fn read(&self, what: &ReadPlan, chunk: &Chunk) -> BatchStream {
        stream(self.readers.clone(), what.clone(), chunk.clone())
    }

    async fn close(&self) -> Result<()> {
        let pools = [self.readers.clone(), self.counters.clone()];
        tokio::task::spawn_blocking(move || pools.iter().for_each(|pool| pool.close())).await.map_err(task_died)
    }
}
