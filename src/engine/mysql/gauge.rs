//! How hard a MySQL or MariaDB server has it, and how many sessions it has left.

use async_trait::async_trait;
use sqlx::mysql::MySqlRow;
use sqlx::{AssertSqlSafe, MySqlConnection, Row};

use super::connect::is_maria;
use super::error::failed;
use crate::engine::{Gauge, Strain};
use crate::error::{Error, ErrorKind, Result};
use crate::model::catalog::ServerInfo;

/// A session that is asked.
pub(super) struct MySqlGauge {
    connection: MySqlConnection,
    server: ServerInfo,
    mark: String,
    asked: Vec<Strain>,
}

impl MySqlGauge {
    /// Reads `asked` on `connection`; `mark` is how statements of the run begin.
    ///
    /// # Errors
    /// `Unsupported` for what this server does not have.
    pub(super) fn new(connection: MySqlConnection, server: &ServerInfo, mark: &str, asked: &[Strain]) -> Result<Self> {
        if let Some(strange) = asked.iter().find(|strain| **strain == Strain::ForcedCheckpoints) {
            return Err(Error::new(ErrorKind::Unsupported, format!("this source does not tell the {strange}")));
        }
        Ok(MySqlGauge { connection, server: server.clone(), mark: mark.trim_end().to_string(), asked: asked.to_vec() })
    }

    /// 0 while replication stands still (stopped by a person, or cut off from its source): the server cannot tell, and reading does it no harm.
    /// How far replicas of the source itself are behind is not known there.
    async fn replica_lag(&mut self) -> Result<u64> {
        let renamed = !is_maria(&self.server) && self.server.version_number >= (8, 0, 22);
        let (show, column) = match (renamed, is_maria(&self.server)) {
            (true, _) => ("SHOW REPLICA STATUS", "Seconds_Behind_Source"),
            (false, true) => ("SHOW ALL SLAVES STATUS", "Seconds_Behind_Master"),
            (false, false) => ("SHOW SLAVE STATUS", "Seconds_Behind_Master"),
        };
        let rows = sqlx::raw_sql(show).fetch_all(&mut self.connection).await;
        let rows = rows.map_err(|error| {
            failed("the lag of the replica cannot be read", error)
                .hint("Grant REPLICATION CLIENT (in MariaDB: REPLICA MONITOR), or leave `replica_lag` out")
        })?;
        if rows.is_empty() {
            return Err(Error::new(ErrorKind::Unsupported, "the source is no replica, so it is behind nothing").hint(
                "Leave `replica_lag` out; a server does not know how far its own replicas are behind: to spare one, read from it",
            ));
        }
        // Of several channels the one that is most behind.
        Ok(rows.iter().map(|row| number(row, column).unwrap_or_default()).max().unwrap_or_default())
    }

    async fn threads_running(&mut self) -> Result<u64> {
        let not_read = |error| failed("the running threads of the source cannot be counted", error);
        let all = status(&mut self.connection, "Threads_running").await?;
        // A user sees its own sessions without any right; the run's statements carry its mark.
        let own = sqlx::query(
            "SELECT COUNT(*) FROM information_schema.PROCESSLIST \
             WHERE COMMAND IN ('Query', 'Execute') AND (INFO LIKE CONCAT(?, '%') OR ID = CONNECTION_ID())",
        )
        .bind(&self.mark)
        .fetch_one(&mut self.connection)
        .await
        .map_err(not_read)?;
        let own: i64 = own.try_get(0).map_err(not_read)?;
        Ok(all.saturating_sub(u64::try_from(own).unwrap_or_default()))
    }

    async fn history_length(&mut self) -> Result<u64> {
        let row = sqlx::raw_sql("SELECT `COUNT` AS n FROM information_schema.INNODB_METRICS WHERE NAME = 'trx_rseg_history_len'")
            .fetch_optional(&mut self.connection)
            .await
            .map_err(|error| {
                failed("the length of the undo history cannot be read", error)
                    .hint("Grant PROCESS, or leave `history_length` out")
            })?;
        Ok(row.and_then(|row| number(&row, "n")).unwrap_or_default())
    }
}

#[async_trait]
impl Gauge for MySqlGauge {
    async fn read(&mut self) -> Result<Vec<(Strain, u64)>> {
        let mut readings = Vec::with_capacity(self.asked.len());
        for strain in self.asked.clone() {
            let value = match strain {
                Strain::ReplicaLag => self.replica_lag().await?,
                Strain::ThreadsRunning => self.threads_running().await?,
                Strain::HistoryLength => self.history_length().await?,
                Strain::ForcedCheckpoints => continue,
            };
            readings.push((strain, value));
        }
        Ok(readings)
    }
}

/// How many sessions the server still takes of this user.
pub(super) async fn free_sessions(connection: &mut MySqlConnection) -> Result<u64> {
    let not_read = |error| failed("the server's limit of connections cannot be read", error);
    let row = sqlx::raw_sql("SELECT CAST(@@global.max_connections AS UNSIGNED) AS n")
        .fetch_one(&mut *connection)
        .await
        .map_err(not_read)?;
    let most = number(&row, "n").unwrap_or(u64::MAX);
    Ok(most.saturating_sub(status(connection, "Threads_connected").await?))
}

async fn status(connection: &mut MySqlConnection, name: &str) -> Result<u64> {
    let sql = format!("SHOW GLOBAL STATUS LIKE '{name}'");
    let row = sqlx::raw_sql(AssertSqlSafe(sql))
        .fetch_one(connection)
        .await
        .map_err(|error| failed(format!("the server does not tell `{name}`"), error))?;
    Ok(number(&row, "Value").unwrap_or_default())
}

/// A number of a row in the text protocol, whatever the type that the server gives it; none for NULL.
fn number(row: &MySqlRow, column: &str) -> Option<u64> {
    let bytes: Option<Vec<u8>> = row.try_get_unchecked(column).ok()?;
    std::str::from_utf8(&bytes?).ok()?.trim().parse().ok()
}
