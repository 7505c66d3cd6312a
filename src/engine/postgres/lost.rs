//! Sessions whose connection was given up midway: the server may not know it yet.
//!
//! A network that is cut leaves the session of a chunk in its transaction, with its locks, for as long as the server believes in it; and a
//! COMMIT that has arrived may still be on its way to the disk. Whoever tries again ends such a session first, and so knows how it ended.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row};

use super::error;
use crate::error::Result;

/// How long the end of a session is waited for. One that does not end holds up the chunk that it has claimed, and is named as the holder
/// of that lock.
const PATIENCE: Duration = Duration::from_secs(10);

/// A session of the server. Process ids are used again, so the moment that it began is a part of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SessionId {
    pid: i32,
    began: String,
}

impl SessionId {
    /// What a session is asked for its id.
    pub(super) const SQL: &str =
        "SELECT pid, backend_start::text FROM pg_catalog.pg_stat_activity WHERE pid = pg_catalog.pg_backend_pid()";

    /// From the answer to [`Self::SQL`].
    pub(super) fn of(row: &PgRow) -> Result<Self, sqlx::Error> {
        Ok(SessionId { pid: row.try_get(0)?, began: row.try_get(1)? })
    }
}

/// Those that were given up.
#[derive(Debug, Clone, Default)]
pub(super) struct Lost(Arc<Mutex<Vec<SessionId>>>);

impl Lost {
    /// The session counts as lost once what is returned is dropped, unless [`Watched::given_back`] is called.
    pub(super) fn watch(&self, id: SessionId) -> Watched {
        Watched { id: Some(id), lost: self.clone() }
    }

    /// Ends all that were lost, by way of `connection`.
    ///
    /// # Errors
    /// What the server says; they are lost still.
    pub(super) async fn end(&self, connection: &mut PgConnection) -> Result<()> {
        let all = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        if all.is_empty() {
            return Ok(());
        }
        let ended = end(connection, &all).await;
        if ended.is_err() {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).extend(all);
        }
        ended.map_err(|error| error::map(error, "sessions whose connection was lost could not be ended"))
    }
}

async fn end(connection: &mut PgConnection, all: &[SessionId]) -> Result<(), sqlx::Error> {
    let (pids, began): (Vec<i32>, Vec<String>) = all.iter().map(|id| (id.pid, id.began.clone())).unzip();
    let since = Instant::now();
    loop {
        let left = sqlx::query(
            "SELECT pg_catalog.pg_terminate_backend(a.pid) FROM pg_catalog.pg_stat_activity AS a
             JOIN unnest($1::int4[], $2::text[]) AS l(pid, began) ON a.pid = l.pid AND a.backend_start::text = l.began
             WHERE a.pid <> pg_catalog.pg_backend_pid()",
        )
        .bind(&pids)
        .bind(&began)
        .fetch_all(&mut *connection)
        .await?;
        if left.is_empty() || since.elapsed() > PATIENCE {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// The session of a connection that is lent.
#[derive(Debug)]
pub(super) struct Watched {
    id: Option<SessionId>,
    lost: Lost,
}

impl Watched {
    /// The connection was given back in order.
    pub(super) fn given_back(mut self) -> SessionId {
        // Always there: only this, which ends it, takes it.
        self.id.take().unwrap_or(SessionId { pid: 0, began: String::new() })
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        if let Some(id) = self.id.take() {
            self.lost.0.lock().unwrap_or_else(PoisonError::into_inner).push(id);
        }
    }
}
