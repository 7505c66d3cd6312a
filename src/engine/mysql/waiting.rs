//! What the sessions of a run do in MySQL: "Examining Server Thread (Process) Information" in the manual.

use sqlx::{MySqlConnection, Row};

use super::error::failed;
use crate::engine::waiting::{Waiting, shortened};
use crate::error::Result;

/// The sessions whose statement carries the run's mark. A user sees its own sessions without any right.
pub(super) async fn waiting(connection: &mut MySqlConnection, mark: &str) -> Result<Vec<Waiting>> {
    let not_listed = |error| failed("the sessions of the source could not be listed", error);
    let rows = sqlx::query(
        "SELECT CAST(ID AS CHAR), CAST(COALESCE(STATE, '') AS CHAR), CAST(COALESCE(INFO, '') AS CHAR) \
         FROM information_schema.PROCESSLIST WHERE COMMAND IN ('Query', 'Execute') AND INFO LIKE CONCAT(?, '%') AND ID <> CONNECTION_ID()",
    )
    .bind(mark.trim_end())
    .fetch_all(connection)
    .await
    .map_err(not_listed)?;
    rows.iter()
        .map(|row| {
            let text = |at: usize| row.try_get_unchecked::<String, _>(at).map_err(not_listed);
            let (id, state, sql) = (text(0)?, text(1)?, text(2)?);
            // Who sends waits for us.
            let waits =
                state.starts_with("Waiting") || matches!(state.as_str(), "Writing to net" | "Sending to client" | "User sleep");
            let doing = if state.is_empty() { String::new() } else { format!(": {state}") };
            Ok(Waiting { what: format!("in the source session {id} (`{}`){doing}", shortened(&sql)), working: !waits })
        })
        .collect()
}
