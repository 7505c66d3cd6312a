//! The instants of the source in the ledger: one row for each snapshot of a run.

use sqlx::Row;
use sqlx::postgres::PgRow;

use super::ledger::PostgresLedger;
use super::messages::{counts, literal};
use crate::engine::LogPosition;
use crate::error::{Error, ErrorKind, Result};
use crate::ledger::instant::InstantRecord;
use crate::model::RunId;

/// The columns of the ledger's table.
pub(super) const COLUMNS: &str = "run uuid NOT NULL, number bigint NOT NULL, position json, doubt text, settled boolean NOT NULL,
    taken_at timestamptz NOT NULL DEFAULT clock_timestamp(), PRIMARY KEY (run, number)";

impl PostgresLedger {
    /// Remembers a snapshot of the source.
    ///
    /// # Errors
    /// `Ledger` when the run is another coordinator's by now.
    pub(super) async fn insert_instant(&self, run: RunId, instant: &InstantRecord) -> Result<()> {
        let position = instant.position.as_ref().map(serde_json::to_string).transpose();
        let position = position.map_err(|error| Error::internal("a position is no JSON").with_source(error))?;
        let mut lease = self.pool.acquire().await?;
        let sql = format!(
            "INSERT INTO {} (run, number, position, doubt, settled) SELECT '{}'::uuid, {}, {}::json, {}, {} {}",
            self.table("instants"),
            run.0,
            instant.number,
            literal(position.as_deref()),
            literal(instant.doubt.as_deref()),
            instant.settled,
            self.only_held(run)
        );
        let inserted = counts(&mut lease, sql).await.map_err(self.failed("did not take an instant"))?;
        lease.give_back();
        if inserted.last() == Some(&1) { Ok(()) } else { Err(self.replaced(run).await) }
    }

    /// Notes that all rows carried so far are those of that instant.
    pub(super) async fn complete_instant(&self, run: RunId, number: u32) -> Result<()> {
        let mut lease = self.pool.acquire().await?;
        let (held, condition) = self.held_fast(run);
        let sql = format!(
            "{held}UPDATE {} SET settled = true WHERE run = '{}'::uuid AND number = {number}{condition}",
            self.table("instants"),
            run.0
        );
        let updated = counts(&mut lease, sql).await.map_err(self.failed("did not take an instant"))?;
        lease.give_back();
        if updated.last() == Some(&1) { Ok(()) } else { Err(self.replaced(run).await) }
    }

    /// The instants of a run; none in a ledger of an earlier version.
    pub(super) async fn all_instants(&self, run: RunId) -> Result<Vec<InstantRecord>> {
        let rows = self.rows("instants", "number, position::text, doubt, settled", Some(run), "number").await?;
        let read = |row: &PgRow| -> Result<Option<InstantRecord>, sqlx::Error> {
            let Ok(number) = u32::try_from(row.try_get::<i64, _>(0)?) else { return Ok(None) };
            let position = row.try_get::<Option<&str>, _>(1)?.map(serde_json::from_str::<LogPosition>).transpose();
            let Ok(position) = position else { return Ok(None) };
            Ok(Some(InstantRecord { number, position, doubt: row.try_get(2)?, settled: row.try_get(3)? }))
        };
        rows.iter()
            .map(|row| {
                read(row)
                    .map_err(self.failed("could not be read"))?
                    .ok_or_else(|| Error::new(ErrorKind::Ledger, "the ledger holds an instant that is none"))
            })
            .collect()
    }
}
