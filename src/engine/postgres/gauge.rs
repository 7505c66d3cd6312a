//! How hard a PostgreSQL server has it, and how many sessions it has left.

use async_trait::async_trait;
use sqlx::{PgConnection, Row};

use super::error;
use crate::engine::{Gauge, Strain};
use crate::error::{Error, ErrorKind, Result};

/// Since this version checkpoints have a view of their own.
const CHECKPOINTER_SINCE: i32 = 17_00_00;

/// A session that is asked.
pub(super) struct PostgresGauge {
    connection: PgConnection,
}

impl PostgresGauge {
    /// Reads `asked` on `connection`.
    ///
    /// # Errors
    /// `Unsupported` for what this server does not have.
    pub(super) fn new(connection: PgConnection, asked: &[Strain]) -> Result<Self> {
        match asked.iter().find(|strain| **strain != Strain::ForcedCheckpoints) {
            Some(strange) => Err(Error::new(ErrorKind::Unsupported, format!("this target does not tell the {strange}"))),
            None => Ok(PostgresGauge { connection }),
        }
    }
}

#[async_trait]
impl Gauge for PostgresGauge {
    async fn read(&mut self) -> Result<Vec<(Strain, u64)>> {
        let failed = |error| error::map(error, "the checkpoints of the target cannot be counted");
        let version: i32 = sqlx::query_scalar("SELECT current_setting('server_version_num')::int4")
            .fetch_one(&mut self.connection)
            .await
            .map_err(failed)?;
        let sql = if version >= CHECKPOINTER_SINCE {
            "SELECT num_requested::int8 FROM pg_catalog.pg_stat_checkpointer"
        } else {
            "SELECT checkpoints_req::int8 FROM pg_catalog.pg_stat_bgwriter"
        };
        let count: i64 = sqlx::query_scalar(sql).fetch_one(&mut self.connection).await.map_err(failed)?;
        Ok(vec![(Strain::ForcedCheckpoints, u64::try_from(count).unwrap_or_default())])
    }
}

/// How many sessions the server still takes of this user, by the limits of server, database and role.
pub(super) async fn free_sessions(connection: &mut PgConnection) -> Result<u64> {
    let failed = |error| error::map(error, "the server's limit of connections cannot be read");
    // Sessions of others are counted without any right; reserved ones are kept for superusers and, since version 16, for a role.
    let row = sqlx::raw_sql(
        "WITH sessions AS (
             SELECT count(*) AS all_of_them, count(*) FILTER (WHERE datname = current_database()) AS here,
                    count(*) FILTER (WHERE usename = current_user) AS mine
             FROM pg_catalog.pg_stat_activity WHERE backend_type = 'client backend')
         SELECT least(
             current_setting('max_connections')::int8 - all_of_them
                 - CASE WHEN r.rolsuper THEN 0 ELSE current_setting('superuser_reserved_connections')::int8
                       + coalesce(current_setting('reserved_connections', true)::int8, 0) END,
             CASE WHEN d.datconnlimit >= 0 AND NOT r.rolsuper THEN d.datconnlimit - here END,
             CASE WHEN r.rolconnlimit >= 0 AND NOT r.rolsuper THEN r.rolconnlimit - mine END)::int8
         FROM sessions, pg_catalog.pg_roles AS r, pg_catalog.pg_database AS d
         WHERE r.rolname = current_user AND d.datname = current_database()",
    )
    .fetch_one(connection)
    .await
    .map_err(failed)?;
    let free: i64 = row.try_get(0).map_err(failed)?;
    Ok(u64::try_from(free).unwrap_or_default())
}
