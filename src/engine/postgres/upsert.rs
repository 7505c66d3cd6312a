//! Rows that are found by a key and changed, or added: a chunk goes by COPY into a temporary table, and from there into the target.
//!
//! The keys that a run has sent are kept in a table of the ledger's schema, written by the very transaction that writes the rows. Its
//! unique index has the target's own equality, so two sent rows that the target takes for one are noticed and never overwrite each
//! other in silence; and the re-read of the target is joined with it.

use sha2::{Digest as _, Sha256};
use sqlx::{AssertSqlSafe, PgConnection};

use super::ddl::{quote_literal, quote_name};
use super::error;
use super::ledger::PostgresLedger;
use super::target::{quoted, run};
use crate::error::{Error, ErrorKind, Result};
use crate::model::load::UpsertKey;
use crate::model::{ObjectName, RunId};

/// The temporary table of a chunk.
const STAGE: &str = "pg_temp.dbferry_chunk";

/// The name of the table with the keys that a run has sent into `table`.
pub(super) fn keys_table(id: RunId, table: &ObjectName) -> String {
    let hash = Sha256::digest(format!("{}\n{}\n{}", id.0, table.schema, table.name).as_bytes());
    let hash: String = hash.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    format!("sent_keys_{hash}")
}

/// Makes the table for the keys. Safe to repeat.
pub(super) async fn make_keys(
    connection: &mut PgConnection,
    ledger: &PostgresLedger,
    id: RunId,
    table: &ObjectName,
    key: &UpsertKey,
) -> Result<()> {
    let failed = |error| error::map(error, "the place for the keys that are sent could not be made").table(table);
    let name = keys_table(id, table);
    let keys = ledger.table(&name);
    let columns = key.columns().map(quote_name).collect::<Vec<_>>().join(", ");
    let parts =
        key.parts.iter().map(|part| format!("{}{}", quote_name(&part.column), part.indexed)).collect::<Vec<_>>().join(", ");
    let sql = format!(
        "BEGIN; LOCK TABLE {} IN SHARE ROW EXCLUSIVE MODE; \
         CREATE TABLE IF NOT EXISTS {keys} AS SELECT {columns} FROM {} WITH NO DATA; \
         CREATE UNIQUE INDEX IF NOT EXISTS {} ON {keys} ({parts}); \
         COMMENT ON TABLE {keys} IS {}; COMMIT",
        ledger.table("marks"),
        quoted(table),
        quote_name(&format!("{name}_key")),
        quote_literal(&format!("The keys that the run {id} has sent into {table}"))
    );
    run(connection, sql).await.map_err(failed)
}

/// Drops the tables for the keys.
pub(super) async fn drop_keys(
    connection: &mut PgConnection,
    ledger: &PostgresLedger,
    id: RunId,
    tables: &[ObjectName],
) -> Result<()> {
    for table in tables {
        let sql = format!("DROP TABLE IF EXISTS {}", ledger.table(&keys_table(id, table)));
        run(connection, sql)
            .await
            .map_err(|error| error::map(error, "the keys that were sent could not be given up").table(table))?;
    }
    Ok(())
}

/// True for rows of `table` whose key the run has sent, as SQL.
pub(super) fn was_sent(ledger: &str, id: RunId, table: &ObjectName, key: &UpsertKey) -> String {
    let keys = format!("{}.{}", quote_name(ledger), quote_name(&keys_table(id, table)));
    let same = key.parts.iter().map(|part| {
        let column = quote_name(&part.column);
        format!("{keys}.{column}{} {} {}.{column}", part.collated, part.equality, quoted(table))
    });
    format!("EXISTS (SELECT FROM {keys} WHERE {})", same.collect::<Vec<_>>().join(" AND "))
}

/// Makes the temporary table of a chunk, in its transaction, and says where to COPY to.
pub(super) async fn stage(connection: &mut PgConnection, table: &ObjectName, columns: &str) -> Result<&'static str> {
    let sql =
        format!("CREATE TEMPORARY TABLE dbferry_chunk ON COMMIT DROP AS SELECT {columns} FROM {} WITH NO DATA", quoted(table));
    run(connection, sql)
        .await
        .map_err(|error| error::map(error, "the temporary table of a chunk could not be made").table(table))?;
    Ok(STAGE)
}

/// What a chunk does once its rows are in the temporary table.
pub(super) struct Merge {
    keys: String,
    insert: String,
    /// Each row that is sent is added or changed; not so where there is nothing to change.
    counted: bool,
    key: UpsertKey,
}

impl Merge {
    /// `columns` are those that are written.
    pub(super) fn new(ledger: &PostgresLedger, id: RunId, table: &ObjectName, columns: &[String], key: &UpsertKey) -> Self {
        let names = |columns: &mut dyn Iterator<Item = &str>| columns.map(quote_name).collect::<Vec<_>>().join(", ");
        let all = names(&mut columns.iter().map(String::as_str));
        let of_key = names(&mut key.columns());
        let changed: Vec<String> = columns
            .iter()
            .filter(|column| !key.fixed.contains(column))
            .map(|column| format!("{0} = excluded.{0}", quote_name(column)))
            .collect();
        let action = if changed.is_empty() { "NOTHING".to_string() } else { format!("UPDATE SET {}", changed.join(", ")) };
        Merge {
            keys: format!("INSERT INTO {} ({of_key}) SELECT {of_key} FROM {STAGE}", ledger.table(&keys_table(id, table))),
            insert: format!(
                "INSERT INTO {} ({all}) OVERRIDING SYSTEM VALUE SELECT {all} FROM {STAGE} ON CONFLICT ({of_key}) DO {action}",
                quoted(table)
            ),
            counted: !changed.is_empty(),
            key: key.clone(),
        }
    }

    /// Puts the rows from the temporary table into the target, in the chunk's transaction; says how many of `sent` were stored.
    ///
    /// # Errors
    /// `Value` for two sent rows with one key.
    pub(super) async fn run(&self, connection: &mut PgConnection, table: &ObjectName, chunk: u32, sent: u64) -> Result<u64> {
        if let Err(error) = sqlx::query(AssertSqlSafe(self.keys.clone())).execute(&mut *connection).await {
            return Err(self.collision(error, table));
        }
        let failed = |error| error::map(error, format!("the target refused chunk {chunk}")).table(table);
        let done = sqlx::query(AssertSqlSafe(self.insert.clone())).execute(connection).await.map_err(failed)?;
        Ok(if self.counted { done.rows_affected() } else { sent })
    }

    fn collision(&self, error: sqlx::Error, table: &ObjectName) -> Error {
        if error::sqlstate(&error) != Some("23505") {
            return error::map(error, "the keys of a chunk could not be kept").table(table);
        }
        let what = format!("two rows that are sent have one key by the equality of `{}` in the target", self.key.name);
        let mapped = error::map(error, "the keys of a chunk could not be kept");
        let place = mapped.place().key.clone();
        let mut ours = Error::new(ErrorKind::Value, what).table(table);
        if let Some(key) = place {
            ours = ours.key(key);
        }
        ours.hint("Only one of them can stand: leave one out with `where` in the mapping, make their keys differ, or choose another `upsert_key`")
            .with_source(mapped)
    }
}
