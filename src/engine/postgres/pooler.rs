//! Poolers between us and the server, and why one that pools by transaction is refused.
//!
//! Such a pooler gives each transaction to whatever session of the server is free. Then the settings that pin a session hold for another
//! one, snapshots and temporary tables are gone at the next statement, and the lease of a run is kept by a session that is nobody's. A pooler
//! that gives a whole session to each client is as good as the server.

use std::time::Duration;

use sqlx::PgConnection;

use super::error;
use super::target::run;
use crate::error::{Error, ErrorKind, Result};

/// Longest wait for the answer of one session while another one is in a transaction: a pooler with a single session would never answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Asks two sessions which process of the server serves them, the first one again while the second is in a transaction.
///
/// # Errors
/// `Unsupported` when one process serves both, or two serve one.
pub(super) async fn refuse(first: &mut PgConnection, second: &mut PgConnection, place: &str) -> Result<()> {
    let failed = |error| error::map(error, "the sessions could not be asked for their process");
    let before = process(first).await.map_err(failed)?;
    run(second, "BEGIN".into()).await.map_err(failed)?;
    let other = process(second).await.map_err(failed)?;
    let mut pooled = before == other;
    if !pooled {
        pooled = match tokio::time::timeout(PATIENCE, process(first)).await {
            Ok(after) => after.map_err(failed)? != before,
            Err(_) => true,
        };
    }
    run(second, "ROLLBACK".into()).await.map_err(failed)?;
    if pooled { Err(refused(place)) } else { Ok(()) }
}

/// The error for a pooler that gives away a session between two transactions.
pub(super) fn refused(place: &str) -> Error {
    Error::new(
        ErrorKind::Unsupported,
        format!(
            "behind {place} is a pooler in transaction mode: two statements of one connection are served by different processes of the server, \
             so settings, snapshots and the lease of the run do not hold"
        ),
    )
    .hint("Connect to the server itself, or let the pooler give whole sessions away (PgBouncer: `pool_mode = session`)")
}

async fn process(connection: &mut PgConnection) -> Result<i32, sqlx::Error> {
    sqlx::query_scalar("SELECT pg_catalog.pg_backend_pid()").fetch_one(connection).await
}
