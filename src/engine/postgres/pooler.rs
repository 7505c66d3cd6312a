//! Poolers between us and the server, and why one that pools by transaction is refused.
//!
//! Such a pooler gives each transaction to whatever session of the server is free. Then the settings that pin a session hold for another
//! one, snapshots and temporary tables are gone at the next statement, and the lease of a run is kept by a session that is nobody's. A pooler
//! that gives a whole session to each client is as good as the server.

use std::time::Duration;

use sqlx::{PgConnection, Row};

use super::error;
use super::target::run;
use crate::error::{Error, ErrorKind, Result};

/// Longest wait for the answer of one session while another one is in a transaction: a pooler with a single session would never answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Asks for the process.
const PROCESS: &str = "SELECT pg_catalog.pg_backend_pid()";

/// Likewise, in a transaction that stays open.
const IN_TRANSACTION: &str = "BEGIN; SELECT pg_catalog.pg_backend_pid()";

/// Asks two sessions which process of the server serves them, the first one again while the second is in a transaction.
///
/// # Errors
/// `Unsupported` when one process serves both, or two serve one.
pub(super) async fn refuse(first: &mut PgConnection, second: &mut PgConnection, place: &str) -> Result<()> {
    let failed = |error| match error::sqlstate(&error) {
        // A statement that one has prepared is the other's; or transactions are not even allowed.
        Some("42P05" | "26000" | "08P01") => refused(place),
        _ => error::map(error, "the sessions could not be asked for their process"),
    };
    let before = process(first, PROCESS).await.map_err(failed)?;
    let other = process(second, IN_TRANSACTION).await.map_err(failed)?;
    let mut pooled = before == other;
    if !pooled {
        pooled = match tokio::time::timeout(PATIENCE, process(first, PROCESS)).await {
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

async fn process(connection: &mut PgConnection, sql: &'static str) -> Result<i32, sqlx::Error> {
    sqlx::raw_sql(sql).fetch_one(connection).await?.try_get(0)
}
