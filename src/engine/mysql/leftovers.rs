//! Sessions that an earlier coordinator of a run has left on the server: one whose client is gone may read and hold its locks for hours,
//! until it writes to the socket and notices.

use sqlx::{AssertSqlSafe, MySqlConnection, Row};

use super::error::{failed, number};
use crate::error::Result;

/// No such session: it has ended by itself.
const GONE: u16 = 1094;

/// Ends the sessions whose statement carries the mark; those that the user may not end are told.
pub(super) async fn end(connection: &mut MySqlConnection, mark: &str) -> Result<Vec<String>> {
    let not_listed = |error| failed("the sessions of the source could not be listed", error);
    let rows = sqlx::query(
        "SELECT CAST(ID AS CHAR) FROM information_schema.PROCESSLIST WHERE INFO LIKE CONCAT(?, '%') AND ID <> CONNECTION_ID()",
    )
    .bind(mark.trim_end())
    .fetch_all(&mut *connection)
    .await
    .map_err(not_listed)?;
    let mut told = Vec::new();
    for row in &rows {
        let id: String = row.try_get_unchecked(0).map_err(not_listed)?;
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
