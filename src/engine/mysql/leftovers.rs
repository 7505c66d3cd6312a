//! Sessions that an earlier coordinator of a run has left on the server: one whose client is gone may read and hold its locks for hours,
//! until it writes to the socket and notices. One that does nothing never notices, and keeps its snapshot and its tables' locks for as long
//! as the server lets a session idle.
//!
//! So each reader takes a named lock of the server (`GET_LOCK`), which needs no right and costs no writer anything: it says who holds it.
//! A session that works is known by the comment of its statement.

use sqlx::{AssertSqlSafe, MySqlConnection, Row};

use super::error::{failed, number};
use crate::error::Result;

/// No such session: it has ended by itself.
const GONE: u16 = 1094;

/// How many names readers take, one after the other and then again.
pub(super) const NAMES: u32 = 512;

/// The name of the lock of a reader.
pub(super) fn lock_name(mark: &str, reader: u32) -> String {
    // The server's bound is 64.
    let run: String = mark.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.')).take(50).collect();
    format!("{run}/{}", reader % NAMES)
}

/// Ends the sessions whose statement carries the mark, and the readers; those that the user may not end are told.
pub(super) async fn end(connection: &mut MySqlConnection, mark: &str) -> Result<Vec<String>> {
    let not_listed = |error| failed("the sessions of the source could not be listed", error);
    let rows = sqlx::query(
        "SELECT CAST(ID AS CHAR) FROM information_schema.PROCESSLIST WHERE INFO LIKE CONCAT(?, '%') AND ID <> CONNECTION_ID()",
    )
    .bind(mark.trim_end())
    .fetch_all(&mut *connection)
    .await
    .map_err(not_listed)?;
    let ids = rows.iter().map(|row| row.try_get_unchecked(0)).collect::<Result<Vec<String>, _>>().map_err(not_listed)?;
    let mut told = kill(connection, ids).await?;
    told.extend(end_readers(connection, mark, NAMES).await?);
    Ok(told)
}

/// Ends those of the first `count` readers that are there.
pub(super) async fn end_readers(connection: &mut MySqlConnection, mark: &str, count: u32) -> Result<Vec<String>> {
    let holders: Vec<String> =
        (0..count.min(NAMES)).map(|reader| format!("CAST(IS_USED_LOCK('{}') AS CHAR)", lock_name(mark, reader))).collect();
    if holders.is_empty() {
        return Ok(Vec::new());
    }
    let asked = sqlx::raw_sql(AssertSqlSafe(format!("SELECT {}", holders.join(", ")))).fetch_one(&mut *connection).await;
    let row = match asked {
        Ok(row) => row,
        // Clusters may know no such locks; then no reader has one.
        Err(error) if number(&error).is_some() => return Ok(Vec::new()),
        Err(error) => return Err(failed("the sessions of an earlier attempt could not be found", error)),
    };
    let ids = (0..row.len()).filter_map(|at| row.try_get_unchecked::<Option<String>, _>(at).ok().flatten()).collect();
    kill(connection, ids).await
}

async fn kill(connection: &mut MySqlConnection, ids: Vec<String>) -> Result<Vec<String>> {
    let mut told = Vec::new();
    for id in ids {
        // Digits alone go into the statement.
        let Ok(id) = id.parse::<u64>() else { continue };
        match sqlx::raw_sql(AssertSqlSafe(format!("KILL {id}"))).execute(&mut *connection).await {
            Ok(_) => tracing::info!(id, "a session of an earlier coordinator was ended"),
            Err(error) if number(&error) == Some(GONE) => {}
            Err(error) if number(&error).is_some() => {
                told.push(format!("the source's session {id} of an earlier attempt still works, and may not be ended: {error}"));
            }
            Err(error) => return Err(failed("the sessions of an earlier attempt could not be ended", error)),
        }
    }
    Ok(told)
}
