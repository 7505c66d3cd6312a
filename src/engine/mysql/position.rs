//! Whether the binary log has every change: only then do two equal positions prove that nothing was written in between.
//!
//! What no server tells is left out: sessions that have switched `sql_log_bin` off. `UPDATE_TIME` of the tables is no proof either: InnoDB
//! forgets it with the table's place in its cache, and tables that change places by RENAME bring theirs along.

use sqlx::{AssertSqlSafe, MySqlConnection, Row};

use super::connect::is_maria;
use super::snapshot::optional;
use crate::error::Result;
use crate::model::catalog::ServerInfo;

/// Why equal positions would prove nothing; none where they do.
pub(super) async fn doubt(session: &mut MySqlConnection, server: &ServerInfo, known: bool) -> Result<Option<String>> {
    let maria = is_maria(server);
    if !known {
        let right = if maria { "BINLOG MONITOR" } else { "REPLICATION CLIENT" };
        return Ok(Some(format!("its binary log is off, or the user may not ask for the position in it ({right})")));
    }
    let show = if !maria && server.version_number >= (8, 2, 0) { "SHOW BINARY LOG STATUS" } else { "SHOW MASTER STATUS" };
    let Some(status) = optional(sqlx::raw_sql(show).fetch_optional(&mut *session).await)?.flatten() else {
        return Ok(Some("the user may not ask which databases its binary log leaves out".into()));
    };
    for name in ["Binlog_Do_DB", "Binlog_Ignore_DB"] {
        let filter: String = status.try_get_unchecked(name).unwrap_or_default();
        if !filter.is_empty() {
            return Ok(Some(format!("its binary log leaves databases out ({name} is {filter})")));
        }
    }
    let logs = if !maria && server.version_number >= (8, 0, 26) { "log_replica_updates" } else { "log_slave_updates" };
    if number(session, &format!("SELECT CAST(@@global.{logs} AS SIGNED)")).await? == Some(1) {
        return Ok(None);
    }
    // From here on: what it is told by other servers is not in its own log.
    if maria && number(session, "SELECT CAST(@@global.wsrep_on AS SIGNED)").await? == Some(1) {
        return Ok(Some(format!(
            "it belongs to a Galera cluster, and writes of other nodes are not in its binary log (`{logs}`)"
        )));
    }
    let show = match maria {
        true => "SHOW ALL SLAVES STATUS",
        false if server.version_number >= (8, 0, 22) => "SHOW REPLICA STATUS",
        false => "SHOW SLAVE STATUS",
    };
    match optional(sqlx::raw_sql(show).fetch_optional(session).await)? {
        Some(None) => Ok(None),
        Some(Some(_)) => Ok(Some(format!("it is a replica, and what it replicates is not in its binary log (`{logs}`)"))),
        None => Ok(Some("the user may not ask whether it is a replica whose writes are not in its binary log".into())),
    }
}

/// A number; none where the server does not know it, or does not tell.
async fn number(session: &mut MySqlConnection, sql: &str) -> Result<Option<i64>> {
    let asked = sqlx::raw_sql(AssertSqlSafe(sql.to_string())).fetch_optional(session).await;
    let asked = asked.and_then(|row| row.map(|row| row.try_get::<Option<i64>, _>(0)).transpose());
    Ok(optional(asked)?.flatten().flatten())
}
