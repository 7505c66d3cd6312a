//! What the sessions of a run do in PostgreSQL: "pg_stat_activity" in the manual's chapter on monitoring.

use sqlx::PgConnection;

use super::catalog::get;
use super::error;
use crate::engine::waiting::{Waiting, shortened};
use crate::error::Result;

/// Who waits for a lock is not working, and neither is who waits for us.
const SESSIONS: &str = "
    SELECT a.pid::int4 AS pid, a.query AS query, COALESCE(a.wait_event_type, '') AS kind, COALESCE(a.wait_event, '') AS event,
           a.state = 'active' AS active,
           ARRAY(SELECT pg_catalog.format('%s (%s, %s: %s)', b.pid, b.usename, b.state, pg_catalog.left(b.query, 80))
                 FROM pg_catalog.pg_stat_activity b WHERE b.pid = ANY (pg_catalog.pg_blocking_pids(a.pid))) AS holders
    FROM pg_catalog.pg_stat_activity a
    WHERE a.application_name = pg_catalog.current_setting('application_name') AND a.pid <> pg_catalog.pg_backend_pid() AND a.state <> 'idle'
    ORDER BY a.pid";

/// The sessions of the run of the one that asks, as far as they are in a transaction or a statement.
pub(super) async fn waiting(connection: &mut PgConnection) -> Result<Vec<Waiting>> {
    let rows = sqlx::query(SESSIONS)
        .fetch_all(connection)
        .await
        .map_err(|error| error::map(error, "the sessions of the target could not be listed"))?;
    rows.iter()
        .map(|row| {
            let (kind, event): (String, String) = (get(row, "kind")?, get(row, "event")?);
            let holders: Vec<String> = get(row, "holders")?;
            let query = shortened(&get::<String>(row, "query")?);
            let pid: i32 = get(row, "pid")?;
            let waits = match (kind.as_str(), holders.is_empty()) {
                (_, false) => format!(" waits for a lock that is held by {}", holders.join(", ")),
                ("Client", _) => " waits for dbferry".to_string(),
                ("", _) => String::new(),
                _ => format!(" waits ({kind}: {event})"),
            };
            let working = get::<bool>(row, "active")? && holders.is_empty() && !matches!(kind.as_str(), "Client" | "Lock");
            Ok(Waiting { what: format!("in the target session {pid} (`{query}`){waits}"), working })
        })
        .collect()
}
