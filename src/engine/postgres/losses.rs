//! The loss ledger: what value policies have done, one row for each chunk, column and kind.

use std::collections::HashMap;

use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, PgConnection, Row};

use super::ledger::PostgresLedger;
use crate::error::{Error, ErrorKind, Result};
use crate::model::loss::{Loss, LossKind, Losses};
use crate::model::unit::Receipt;
use crate::model::{ObjectName, RunId};

/// The columns of the ledger's table.
pub(super) const COLUMNS: &str = "run uuid NOT NULL, table_schema text NOT NULL, table_name text NOT NULL, chunk bigint NOT NULL,
    column_name text NOT NULL, kind text NOT NULL, policy text NOT NULL, count bigint NOT NULL, example text,
    PRIMARY KEY (run, table_schema, table_name, chunk, column_name, kind)";

/// Losses by table and chunk.
pub(super) type ByChunk = HashMap<(ObjectName, u32), Losses>;

impl PostgresLedger {
    /// Enters a receipt's losses in the open transaction that completes it. A row that is sent again adds to its chunk's.
    pub(super) async fn insert_losses(&self, connection: &mut PgConnection, run: RunId, receipt: &Receipt) -> Result<()> {
        for loss in &receipt.losses.0 {
            let sql = format!(
                "INSERT INTO {} AS known (run, table_schema, table_name, chunk, column_name, kind, policy, count, example)
                 VALUES ($1::uuid, $2, $3, $4, $5, $6, $7, $8, $9)
                 ON CONFLICT (run, table_schema, table_name, chunk, column_name, kind) DO UPDATE SET count = known.count + excluded.count",
                self.table("losses")
            );
            let count = i64::try_from(loss.count).map_err(|_| Error::internal("a count does not fit into the ledger"))?;
            sqlx::query(AssertSqlSafe(sql))
                .bind(run.0.to_string())
                .bind(&receipt.table.schema)
                .bind(&receipt.table.name)
                .bind(i64::from(receipt.chunk))
                .bind(&loss.column)
                .bind(loss.kind.word())
                .bind(&loss.policy)
                .bind(count)
                .bind(loss.example.as_ref().map(|example| example.replace('\0', "\u{fffd}")))
                .execute(&mut *connection)
                .await
                .map_err(|error| self.failed("did not take a loss")(error).table(&receipt.table))?;
        }
        Ok(())
    }

    /// The losses of a run's chunks.
    pub(super) async fn losses(&self, run: RunId) -> Result<ByChunk> {
        let columns = "table_schema, table_name, chunk, column_name, kind, policy, count, example";
        let rows = self.rows("losses", columns, Some(run), "table_schema, table_name, chunk, column_name, kind").await?;
        let read = |row: &PgRow| -> Result<Option<(ObjectName, u32, Loss)>, sqlx::Error> {
            let table = ObjectName::new(row.try_get::<String, _>(0)?, row.try_get::<String, _>(1)?);
            let chunk = u32::try_from(row.try_get::<i64, _>(2)?).ok();
            let kind = LossKind::of_word(row.try_get(4)?);
            let count = u64::try_from(row.try_get::<i64, _>(6)?).ok();
            let (Some(chunk), Some(kind), Some(count)) = (chunk, kind, count) else { return Ok(None) };
            let loss = Loss { column: row.try_get(3)?, kind, policy: row.try_get(5)?, count, example: row.try_get(7)? };
            Ok(Some((table, chunk, loss)))
        };
        let mut all = ByChunk::new();
        for row in &rows {
            let (table, chunk, loss) = read(row)
                .map_err(self.failed("could not be read"))?
                .ok_or_else(|| Error::new(ErrorKind::Ledger, "the ledger holds a loss that is none"))?;
            all.entry((table, chunk)).or_default().0.push(loss);
        }
        Ok(all)
    }
}
