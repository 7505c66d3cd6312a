//! Rejected rows in the ledger: entered with their chunk, taken out by the transaction that carries them after all.

use std::collections::HashMap;

use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, PgConnection, Row};

use super::ledger::PostgresLedger;
use crate::error::{Error, ErrorKind, Result};
use crate::model::reject::{Reject, RejectRecord};
use crate::model::unit::Receipt;
use crate::model::{Digest, ObjectName, RunId};

/// The columns of the ledger's table. `row_data` holds each value's bytes as hexadecimal digits, so nothing in it is no JSON.
pub(super) const COLUMNS: &str = "run uuid NOT NULL, table_schema text NOT NULL, table_name text NOT NULL, chunk bigint NOT NULL,
    number bigint NOT NULL, key text, column_name text, reason text NOT NULL, row_data json NOT NULL,
    rejected_at timestamptz NOT NULL DEFAULT clock_timestamp(), PRIMARY KEY (run, table_schema, table_name, chunk, number)";

/// What PostgreSQL keeps in a text.
fn kept(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

impl PostgresLedger {
    /// Enters the rows that a chunk has rejected in the open transaction that completes it.
    pub(super) async fn insert_rejects(
        &self,
        connection: &mut PgConnection,
        run: RunId,
        receipt: &Receipt,
        rejects: &[Reject],
    ) -> Result<()> {
        let sql = format!(
            "INSERT INTO {} (run, table_schema, table_name, chunk, number, key, column_name, reason, row_data)
             VALUES ($1::uuid, $2, $3, $4, $5, $6, $7, $8, $9::json)",
            self.table("rejects")
        );
        for (number, reject) in (0_i64..).zip(rejects) {
            let row =
                serde_json::to_string(&reject.row).map_err(|error| Error::internal("a row is no JSON").with_source(error))?;
            sqlx::query(AssertSqlSafe(sql.clone()))
                .bind(run.0.to_string())
                .bind(&receipt.table.schema)
                .bind(&receipt.table.name)
                .bind(i64::from(receipt.chunk))
                .bind(number)
                .bind(reject.key.as_deref().map(kept))
                .bind(reject.column.as_deref().map(kept))
                .bind(kept(&reject.reason))
                .bind(row)
                .execute(&mut *connection)
                .await
                .map_err(|error| self.failed("did not take a rejected row")(error).table(&receipt.table))?;
        }
        Ok(())
    }

    /// Takes a rejected row out, in the open transaction that carries it.
    ///
    /// # Errors
    /// `Ledger` when it is not there any more.
    pub(super) async fn take_reject(
        &self,
        connection: &mut PgConnection,
        run: RunId,
        table: &ObjectName,
        chunk: u32,
        number: u32,
    ) -> Result<()> {
        let sql = format!(
            "DELETE FROM {} WHERE run = $1::uuid AND table_schema = $2 AND table_name = $3 AND chunk = $4 AND number = $5",
            self.table("rejects")
        );
        let deleted = sqlx::query(AssertSqlSafe(sql))
            .bind(run.0.to_string())
            .bind(&table.schema)
            .bind(&table.name)
            .bind(i64::from(chunk))
            .bind(i64::from(number))
            .execute(connection)
            .await
            .map_err(|error| self.failed("did not give a rejected row back")(error).table(table))?;
        if deleted.rows_affected() == 1 {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Ledger, "the rejected row is not in the ledger any more").table(table))
    }

    /// Adds what was sent of a rejected row to the receipt of its chunk, in the open transaction.
    pub(super) async fn add_to_receipt(&self, connection: &mut PgConnection, run: RunId, sent: &Receipt) -> Result<()> {
        let place = "WHERE run = $1::uuid AND table_schema = $2 AND table_name = $3 AND chunk = $4";
        let gone = || Error::new(ErrorKind::Ledger, "the receipt of the row's chunk is not in the ledger").table(&sent.table);
        let sql = format!("SELECT rows, digest, bytes FROM {} {place} FOR UPDATE", self.table("receipts"));
        let row = sqlx::query(AssertSqlSafe(sql))
            .bind(run.0.to_string())
            .bind(&sent.table.schema)
            .bind(&sent.table.name)
            .bind(i64::from(sent.chunk))
            .fetch_optional(&mut *connection)
            .await
            .map_err(self.failed("could not be read"))?
            .ok_or_else(gone)?;
        let read =
            |row: &PgRow| -> Result<(i64, String, i64), sqlx::Error> { Ok((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?)) };
        let (rows, digest, bytes) = read(&row).map_err(self.failed("could not be read"))?;
        let rows = u64::try_from(rows).map_err(|_| gone())?;
        let mut all = Digest { rows, sum: u128::from_str_radix(&digest, 16).map_err(|_| gone())? };
        all.merge(sent.digest);
        let sql = format!("UPDATE {} SET rows = $5, digest = $6, bytes = $7 {place}", self.table("receipts"));
        let number = |number: u64| i64::try_from(number).map_err(|_| Error::internal("a count does not fit into the ledger"));
        sqlx::query(AssertSqlSafe(sql))
            .bind(run.0.to_string())
            .bind(&sent.table.schema)
            .bind(&sent.table.name)
            .bind(i64::from(sent.chunk))
            .bind(number(all.rows)?)
            .bind(all.to_string())
            .bind(bytes.saturating_add(number(sent.bytes)?))
            .execute(&mut *connection)
            .await
            .map_err(|error| self.failed("did not take a receipt")(error).table(&sent.table))?;
        self.insert_losses(connection, run, sent).await
    }

    /// How many rows of each chunk are rejected.
    pub(super) async fn rejected(&self, run: RunId) -> Result<HashMap<(ObjectName, u32), u64>> {
        let mut counts = HashMap::new();
        let rows = self.rows("rejects", "table_schema, table_name, chunk", Some(run), "table_schema, table_name, chunk").await?;
        for row in &rows {
            let (table, chunk) = place(row).map_err(self.failed("could not be read"))?;
            *counts.entry((table, chunk)).or_default() += 1;
        }
        Ok(counts)
    }

    /// All rejected rows of a run.
    pub(super) async fn all_rejects(&self, run: RunId) -> Result<Vec<RejectRecord>> {
        let columns = "table_schema, table_name, chunk, number, key, column_name, reason, row_data::text";
        let rows = self.rows("rejects", columns, Some(run), "table_schema, table_name, chunk, number").await?;
        let read = |row: &PgRow| -> Result<Option<RejectRecord>, sqlx::Error> {
            let (table, chunk) = place(row)?;
            let Some(number) = u32::try_from(row.try_get::<i64, _>(3)?).ok() else { return Ok(None) };
            let Ok(raw) = serde_json::from_str(row.try_get(7)?) else { return Ok(None) };
            let reject = Reject { key: row.try_get(4)?, column: row.try_get(5)?, reason: row.try_get(6)?, row: raw };
            Ok(Some(RejectRecord { table, chunk, number, reject }))
        };
        rows.iter()
            .map(|row| {
                read(row)
                    .map_err(self.failed("could not be read"))?
                    .ok_or_else(|| Error::new(ErrorKind::Ledger, "the ledger holds a rejected row that is none"))
            })
            .collect()
    }
}

fn place(row: &PgRow) -> Result<(ObjectName, u32), sqlx::Error> {
    let table = ObjectName::new(row.try_get::<String, _>(0)?, row.try_get::<String, _>(1)?);
    // Chunks are numbered by us, below 2^32.
    Ok((table, u32::try_from(row.try_get::<i64, _>(2)?).unwrap_or(u32::MAX)))
}
