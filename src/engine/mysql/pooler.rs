//! Proxies between us and the server, and why one that spreads the statements of a session is refused.
//!
//! Such a proxy gives each statement, or each transaction, to whatever session or server is free, or reads to another server than the rest.
//! Then a lock and the snapshots that it is for are different sessions' or even servers', and the log's position is another server's. It is
//! told by what it does, whatever its name. One that gives a whole session to each client is as good as the server.

use std::time::Duration;

use sqlx::{MySqlConnection, Row};

use super::connect::{Connector, execute};
use super::error::number;
use crate::error::{Error, ErrorKind, Result};

/// Longest wait for the answer of one session while another one is in a transaction: a proxy with a single session would never answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Which server serves a session, and by which of its own. Not the bare `CONNECTION_ID()`, which some proxies answer by themselves.
const BACKEND: &str = "SELECT CAST(CONCAT_WS(' ', @@hostname, @@port, @@server_id, @@pseudo_thread_id) AS CHAR)";

/// Opens two sessions, and asks both who serves them, in a transaction and outside; gives them back for further questions.
///
/// # Errors
/// `Unsupported` when two serve one, or one serves both. What else goes wrong is no proof of anything, and is told by whoever connects next.
pub(super) async fn refuse(connector: Connector, place: String) -> Result<Vec<MySqlConnection>> {
    let opened = futures::future::try_join(Box::pin(connector.connect()), Box::pin(connector.connect())).await;
    let ((mut first, _), (mut second, _)) = match opened {
        Ok(both) => both,
        Err(error) => {
            tracing::debug!(%error, "whether a proxy stands before the server could not be tried");
            return Ok(Vec::new());
        }
    };
    match tokio::time::timeout(PATIENCE, why(&mut first, &mut second)).await {
        Ok(Ok(None)) => Ok(vec![first, second]),
        Ok(Ok(Some(why))) => Err(refused(&place, why)),
        // A statement that one session has prepared, or a transaction that it has begun, is not known to the next one.
        Ok(Err(error)) if number(&error) == Some(1243) => Err(refused(&place, SPREAD)),
        Ok(Err(error)) => {
            tracing::debug!(%error, "whether a proxy stands before the server could not be asked");
            Ok(Vec::new())
        }
        Err(_) => Err(refused(&place, "one connection is not answered while another one is in a transaction")),
    }
}

const SPREAD: &str = "two statements of one connection are served by different sessions of the server";

async fn why(first: &mut MySqlConnection, second: &mut MySqlConnection) -> Result<Option<&'static str>, sqlx::Error> {
    let before = backend(first).await?;
    execute(second, "START TRANSACTION").await?;
    let other = backend(second).await?;
    let after = backend(first).await?;
    execute(second, "ROLLBACK").await?;
    if before != after {
        return Ok(Some(SPREAD));
    }
    if before == other {
        return Ok(Some("two connections are served by one session of the server"));
    }
    // As readers do. A proxy that knows where reads go sends this elsewhere.
    execute(first, "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY").await?;
    let reading = backend(first).await?;
    execute(first, "ROLLBACK").await?;
    let outside = backend(second).await?;
    if reading != before || outside != other {
        return Ok(Some("a connection is served by another session of the server within a transaction than outside of one"));
    }
    Ok(None)
}

async fn backend(connection: &mut MySqlConnection) -> Result<String, sqlx::Error> {
    sqlx::raw_sql(BACKEND).fetch_one(connection).await?.try_get(0)
}

fn refused(place: &str, why: &str) -> Error {
    let what = format!(
        "behind {place} is a proxy that spreads statements: {why}, so locks, snapshots and the log's position do not hold"
    );
    Error::new(ErrorKind::Unsupported, what)
        .hint("Connect to one server itself, or to a port of the proxy that gives each client a session of its own")
}
