//! A chunk's transaction, from the ledger's side: how it opens, and how it ends.
//!
//! Each end is one message with all its statements, so that it costs one round trip. The server stops such a message at the first statement
//! that fails, so what stands behind a check is not done when the check fails.

use sqlx::{AssertSqlSafe, PgConnection};

use super::ddl::quote_literal;
use super::error;
use super::ledger::PostgresLedger;
use super::target::run as execute;
use crate::error::{Error, ErrorKind, Result};
use crate::model::unit::Receipt;
use crate::model::{ObjectName, RunId};

/// What the server says when the receipt was not taken: the text of the failing cast.
const NOT_TAKEN: &str = "dbferry: no receipt";

impl PostgresLedger {
    /// Opens the transaction of a chunk and claims the chunk: a second one waits for the first, and fails once that is committed. With
    /// `triggers_off`, triggers and foreign keys are off for the rest of the transaction.
    ///
    /// # Errors
    /// `Ledger` when the chunk has been carried, or the run is another coordinator's by now.
    pub(super) async fn open_chunk(
        &self,
        connection: &mut PgConnection,
        run: RunId,
        table: &ObjectName,
        chunk: u32,
        triggers_off: bool,
    ) -> Result<()> {
        // Rows and receipt are lost together or not at all, so this commit need not wait for the disk: `Ledger::settle` does, for all.
        let sql = format!(
            "BEGIN; SET LOCAL synchronous_commit = off; \
             INSERT INTO {} (run, table_schema, table_name, chunk) SELECT '{}'::uuid, {}, {}, {chunk} {}{}",
            self.table("receipts"),
            run.0,
            quote_literal(&table.schema),
            quote_literal(&table.name),
            self.only_held(run),
            if triggers_off { "; SET LOCAL session_replication_role = replica" } else { "" }
        );
        match sqlx::raw_sql(AssertSqlSafe(sql)).execute(connection).await {
            // Of these statements only the INSERT counts rows.
            Ok(done) if done.rows_affected() == 1 => Ok(()),
            Ok(_) => Err(self.replaced(run).await.table(table)),
            Err(error) if error::sqlstate(&error) == Some("23505") => {
                Err(Error::new(ErrorKind::Ledger, format!("chunk {chunk} of the table is already carried by this run"))
                    .table(table)
                    .hint("Ask the ledger for its receipts again, and leave the chunk out"))
            }
            Err(error) => Err(error::map(error, "the transaction of a chunk could not be opened").table(table)),
        }
    }

    /// Completes the receipt that the open transaction has claimed, and commits; nothing is committed without it.
    ///
    /// # Errors
    /// `Ledger` when the run is another coordinator's by now. A lost connection leaves open whether the commit took place.
    pub(super) async fn close_chunk(&self, connection: &mut PgConnection, run: RunId, receipt: &Receipt) -> Result<()> {
        let update = self.completion(run, receipt)?;
        // A cast that fails unless one row was updated, so that COMMIT behind it is not reached.
        let (held, update) = update;
        let with = if held.is_empty() { "WITH ".to_string() } else { format!("{held}, ") };
        let sql = format!(
            "{with}done AS ({update} RETURNING 1) \
             SELECT (CASE WHEN count(*) = 1 THEN '1' ELSE '{NOT_TAKEN}' END)::int FROM done; COMMIT"
        );
        match execute(connection, sql).await {
            Ok(()) => Ok(()),
            Err(error) if error::sqlstate(&error) == Some("22P02") && error.to_string().contains(NOT_TAKEN) => {
                Err(self.not_taken(run, receipt).await)
            }
            Err(error) => Err(error::map(error, format!("chunk {} could not be committed", receipt.chunk)).table(&receipt.table)),
        }
    }

    /// Completes the receipt that the open transaction has claimed, and enters what value policies have done.
    pub(super) async fn complete(&self, connection: &mut PgConnection, run: RunId, receipt: &Receipt) -> Result<()> {
        let (held, update) = self.completion(run, receipt)?;
        let updated = sqlx::raw_sql(AssertSqlSafe(format!("{held} {update}")))
            .execute(&mut *connection)
            .await
            .map_err(|error| self.failed("did not take a receipt")(error).table(&receipt.table))?;
        if updated.rows_affected() != 1 {
            return Err(self.not_taken(run, receipt).await);
        }
        self.insert_losses(connection, run, receipt).await
    }

    /// The statement that completes a receipt, and the WITH clause before it, if there is one.
    fn completion(&self, run: RunId, receipt: &Receipt) -> Result<(String, String)> {
        let number = |number: u64| {
            i64::try_from(number).map_err(|_| Error::internal("a count does not fit into the ledger").table(&receipt.table))
        };
        // The lease stays locked until the commit: whoever takes the run over waits for it, and so sees this receipt or its absence.
        let (held, condition) = self.held_fast(run);
        let update = format!(
            "UPDATE {} SET rows = {}, digest = {}, bytes = {}, rows_read = {}, written_at = clock_timestamp() \
             WHERE run = '{}'::uuid AND table_schema = {} AND table_name = {} AND chunk = {}{condition}",
            self.table("receipts"),
            number(receipt.digest.rows)?,
            quote_literal(&receipt.digest.to_string()),
            number(receipt.bytes)?,
            number(receipt.rows_read)?,
            run.0,
            quote_literal(&receipt.table.schema),
            quote_literal(&receipt.table.name),
            receipt.chunk
        );
        Ok((held.trim_end().to_string(), update))
    }

    async fn not_taken(&self, run: RunId, receipt: &Receipt) -> Error {
        if self.holder_of(run).is_some() {
            return self.replaced(run).await.table(&receipt.table);
        }
        Error::new(ErrorKind::Ledger, "the claimed receipt is gone from the ledger").table(&receipt.table)
    }
}
