//! Receipts and run state, in a schema of the target.

use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, PgConnection, Row};

use super::ddl::quote_literal;
use super::messages::{counts, literal};
use super::pool::Pool;
use super::target::run;
use super::typemap::PostgresDialect;
use super::{error, lease};
use crate::engine::Dialect;
use crate::error::{Error, ErrorKind, Result};
use crate::ledger::instant::InstantRecord;
use crate::ledger::lease::{Holder, Living};
use crate::ledger::{HookRecord, Ledger, RunRecord, RunState};
use crate::model::reject::RejectRecord;
use crate::model::unit::Receipt;
use crate::model::{Digest, Hook, Losses, ObjectName, RunId};

/// The format of the tables below. A ledger of a later one is refused.
const FORMAT_VERSION: i32 = 1;

/// How often making the ledger is tried while others make it too.
const PREPARE_ATTEMPTS: u32 = 8;

/// The ledger in one schema.
pub(super) struct PostgresLedger {
    pub(super) pool: Pool,
    schema: String,
    /// The tables are known to stand.
    prepared: AtomicBool,
    /// The session that keeps the lease of a run, if one is held.
    pub(super) session: tokio::sync::Mutex<Option<PgConnection>>,
}

impl PostgresLedger {
    /// The ledger in `schema`, whether it stands or not.
    pub(super) fn new(pool: Pool, schema: &str) -> Self {
        PostgresLedger {
            pool,
            schema: schema.to_string(),
            prepared: AtomicBool::new(false),
            session: tokio::sync::Mutex::default(),
        }
    }

    /// A table of the ledger, for SQL text.
    pub(super) fn table(&self, name: &str) -> String {
        format!("{}.{}", PostgresDialect.quote(&self.schema), PostgresDialect.quote(name))
    }

    pub(super) fn failed(&self, what: &str) -> impl FnOnce(sqlx::Error) -> Error {
        let what = format!("the ledger in schema `{}` {what}", self.schema);
        |error| error::map(error, what)
    }

    /// Enters a hook as begun, in the open transaction if there is one.
    ///
    /// # Errors
    /// `Ledger` when it was entered before, unless it may be run again and is not done.
    pub(super) async fn insert_hook(&self, connection: &mut PgConnection, run: RunId, hook: &Hook) -> Result<()> {
        let table = self.table("hooks");
        let again = if hook.rerun {
            "DO UPDATE SET sha256 = excluded.sha256, begun_at = excluded.begun_at WHERE known.done_at IS NULL"
        } else {
            "DO NOTHING"
        };
        let sql = format!(
            "INSERT INTO {table} AS known (run, hook, sha256) SELECT $1::uuid, $2, $3 {} ON CONFLICT (run, hook) {again}",
            self.only_held(run)
        );
        let inserted = sqlx::query(AssertSqlSafe(sql))
            .bind(run.0.to_string())
            .bind(&hook.name)
            .bind(&hook.sha256)
            .execute(connection)
            .await
            .map_err(self.failed("did not take a hook"))?;
        if inserted.rows_affected() == 1 {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Ledger, format!("the hook `{}` was begun by somebody else in the meantime", hook.name))
            .hint("Let the other coordinator of this run finish, or stop it, then run the same command again with `--resume`"))
    }

    /// Enters a hook that was begun as done.
    pub(super) async fn complete_hook(&self, connection: &mut PgConnection, run: RunId, hook: &Hook) -> Result<()> {
        let sql = format!(
            "UPDATE {} SET done_at = clock_timestamp() WHERE run = $1::uuid AND hook = $2 AND sha256 = $3",
            self.table("hooks")
        );
        let updated = sqlx::query(AssertSqlSafe(sql))
            .bind(run.0.to_string())
            .bind(&hook.name)
            .bind(&hook.sha256)
            .execute(connection)
            .await
            .map_err(self.failed("did not take the end of a hook"))?;
        if updated.rows_affected() == 1 {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Ledger, format!("the entry of the hook `{}` is gone from the ledger", hook.name)))
    }

    /// Makes what is missing, and gives the format that the ledger has.
    async fn prepare_once(&self, connection: &mut PgConnection) -> Result<i32, sqlx::Error> {
        let sql = format!(
            "SELECT c.relname::text FROM pg_catalog.pg_namespace AS n
             LEFT JOIN pg_catalog.pg_class AS c ON c.relnamespace = n.oid AND c.relkind IN ('r', 'p') WHERE n.nspname = {}",
            quote_literal(&self.schema)
        );
        let known = sqlx::raw_sql(AssertSqlSafe(sql)).fetch_all(&mut *connection).await?;
        let known = known.iter().map(|row| row.try_get(0)).collect::<Result<Vec<Option<String>>, _>>()?;
        let mut missing = Vec::new();
        // Asked first, since IF NOT EXISTS demands the right to create even for a schema that stands.
        if known.is_empty() {
            let schema = PostgresDialect.quote(&self.schema);
            missing.push(format!("CREATE SCHEMA IF NOT EXISTS {schema}"));
            missing
                .push(format!("COMMENT ON SCHEMA {schema} IS 'What dbferry has carried into this database; needed by --resume'"));
        }
        let tables = [
            (
                "format",
                "one boolean PRIMARY KEY DEFAULT true CHECK (one), version integer NOT NULL",
                "The format of these tables",
            ),
            (
                "runs",
                "run uuid PRIMARY KEY, source text NOT NULL, target text NOT NULL, identity text NOT NULL, state text NOT NULL,
                 plan json NOT NULL, report json, started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
                 updated_at timestamptz NOT NULL DEFAULT clock_timestamp()",
                "The runs, and what each has planned",
            ),
            (
                "receipts",
                "run uuid NOT NULL, table_schema text NOT NULL, table_name text NOT NULL, chunk bigint NOT NULL, rows bigint,
                 digest text, bytes bigint, rows_read bigint, written_at timestamptz, PRIMARY KEY (run, table_schema, table_name, chunk)",
                "One row for each chunk whose rows are in this database, committed together with them",
            ),
            (
                "marks",
                "run uuid NOT NULL, table_schema text NOT NULL, table_name text NOT NULL, phase text NOT NULL,
                 marked_at timestamptz NOT NULL DEFAULT clock_timestamp(), PRIMARY KEY (run, table_schema, table_name, phase)",
                "The phases that are done for a table",
            ),
            ("leases", lease::COLUMNS, "Who works on a run, and until when without a word of its own"),
            (
                "hooks",
                "run uuid NOT NULL, hook text NOT NULL, sha256 text NOT NULL, begun_at timestamptz NOT NULL DEFAULT clock_timestamp(),
                 done_at timestamptz, PRIMARY KEY (run, hook)",
                "The hooks that were begun, and those that have gone through",
            ),
            ("rejects", super::rejects::COLUMNS, "Rows that could not be carried, as the source sent them"),
            ("instants", super::instants::COLUMNS, "The instants of the source that rows were read at"),
            ("losses", super::losses::COLUMNS, "What value policies of the mapping have done, chunk by chunk, committed together with its rows"),
        ];
        for (name, columns, comment) in tables {
            if known.iter().any(|table| table.as_deref() == Some(name)) {
                continue;
            }
            let table = self.table(name);
            missing.push(format!("CREATE TABLE IF NOT EXISTS {table} ({columns})"));
            missing.push(format!("COMMENT ON TABLE {table} IS '{comment}'"));
        }
        if !missing.is_empty() {
            // One message, and so one transaction.
            run(connection, missing.join(";\n")).await?;
        }
        let format = self.table("format");
        let sql = format!(
            "INSERT INTO {format} (version) VALUES ({FORMAT_VERSION}) ON CONFLICT DO NOTHING; SELECT version FROM {format}"
        );
        sqlx::raw_sql(AssertSqlSafe(sql)).fetch_one(connection).await?.try_get(0)
    }

    pub(super) async fn stands(&self, connection: &mut PgConnection, name: &str) -> Result<bool, sqlx::Error> {
        if self.prepared.load(Ordering::Acquire) {
            return Ok(true);
        }
        let sql = format!(
            "SELECT EXISTS (SELECT FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
             WHERE n.nspname = {} AND c.relname = {})",
            quote_literal(&self.schema),
            quote_literal(name)
        );
        sqlx::raw_sql(AssertSqlSafe(sql)).fetch_one(connection).await?.try_get(0)
    }

    /// Reads rows of a table of the ledger; none without a ledger.
    pub(super) async fn rows(&self, name: &str, columns: &str, run: Option<RunId>, order: &str) -> Result<Vec<PgRow>> {
        let mut lease = self.pool.acquire().await?;
        if !self.stands(&mut lease, name).await.map_err(self.failed("could not be read"))? {
            lease.give_back();
            return Ok(Vec::new());
        }
        let table = self.table(name);
        let sql = match run {
            Some(run) => format!("SELECT {columns} FROM {table} WHERE run = '{}'::uuid ORDER BY {order}", run.0),
            None => format!("SELECT {columns} FROM {table} ORDER BY {order}"),
        };
        let rows = sqlx::raw_sql(AssertSqlSafe(sql)).fetch_all(&mut *lease).await.map_err(self.failed("could not be read"))?;
        lease.give_back();
        Ok(rows)
    }

    fn run_record(&self, row: &PgRow) -> Result<RunRecord, sqlx::Error> {
        let unreadable = |what: &str, error: Box<dyn std::error::Error + Send + Sync>| sqlx::Error::ColumnDecode {
            index: what.into(),
            source: error,
        };
        let json = |text: &str| serde_json::from_str(text).map_err(|error| unreadable("plan", error.into()));
        let state: String = row.try_get(4)?;
        let report: Option<String> = row.try_get(6)?;
        Ok(RunRecord {
            run: row.try_get::<String, _>(0)?.parse().map_err(|error: uuid::Error| unreadable("run", error.into()))?,
            source: row.try_get(1)?,
            target: row.try_get(2)?,
            identity: row.try_get(3)?,
            state: serde_json::from_value(serde_json::Value::String(state)).map_err(|error| unreadable("state", error.into()))?,
            plan: json(row.try_get::<&str, _>(5)?)?,
            report: report.as_deref().map(json).transpose()?,
            started_us: row.try_get(7)?,
            updated_us: row.try_get(8)?,
        })
    }
}

/// Lets the open transaction's commit wait for the disk, whatever the server's own setting; so it waits for all commits before it.
const WAIT_FOR_DISK: &str = "SELECT pg_catalog.set_config('synchronous_commit', 'on', true)
     WHERE current_setting('synchronous_commit') IN ('off', 'local')";

fn state_name(state: RunState) -> &'static str {
    match state {
        RunState::Running => "running",
        RunState::Done => "done",
        RunState::Failed => "failed",
    }
}

#[async_trait]
impl Ledger for PostgresLedger {
    async fn prepare(&self) -> Result<()> {
        let mut lease = self.pool.acquire().await?;
        let mut attempt = 1;
        let version = loop {
            match self.prepare_once(&mut lease).await {
                Ok(version) => break version,
                // IF NOT EXISTS does not wait for another session that makes the same thing; afterwards it stands.
                Err(error)
                    if attempt < PREPARE_ATTEMPTS
                        && matches!(error::sqlstate(&error), Some("23505" | "42P06" | "42P07" | "42710" | "XX000")) =>
                {
                    attempt += 1;
                    tokio::time::sleep(std::time::Duration::from_millis(20 * u64::from(attempt))).await;
                }
                Err(error) => {
                    let error = self.failed("could not be made")(error);
                    return Err(if error.kind() == ErrorKind::MissingRight {
                        error.hint("Name a schema that the user may create tables in with `ledger_schema`")
                    } else {
                        error
                    });
                }
            }
        };
        lease.give_back();
        if version == FORMAT_VERSION {
            self.prepared.store(true, Ordering::Release);
            Ok(())
        } else {
            Err(Error::new(
                ErrorKind::Ledger,
                format!(
                    "the ledger in schema `{}` has the format {version}, and this dbferry writes {FORMAT_VERSION}",
                    self.schema
                ),
            )
            .hint("Use the version of dbferry that made it, or another `ledger_schema`"))
        }
    }

    async fn start(&self, run: &RunRecord) -> Result<()> {
        let mut lease = self.pool.acquire().await?;
        let sql = format!(
            "INSERT INTO {} (run, source, target, identity, state, plan, report) VALUES ('{}'::uuid, {}, {}, {}, '{}', {}::json, {}::json)",
            self.table("runs"),
            run.run.0,
            quote_literal(&run.source),
            quote_literal(&run.target),
            quote_literal(&run.identity),
            state_name(run.state),
            quote_literal(&run.plan.to_string()),
            literal(run.report.as_ref().map(serde_json::Value::to_string).as_deref())
        );
        let inserted = super::target::run(&mut lease, sql).await;
        match inserted {
            Ok(_) => {
                lease.give_back();
                Ok(())
            }
            Err(error) if error::sqlstate(&error) == Some("23505") => {
                Err(Error::new(ErrorKind::Ledger, format!("the run {} is in the ledger already", run.run)))
            }
            Err(error) => Err(self.failed("did not take the run")(error)),
        }
    }

    async fn finish(&self, id: RunId, state: RunState, report: &serde_json::Value) -> Result<()> {
        let failed = || self.failed("did not take the end of the run");
        let mut lease = self.pool.acquire().await?;
        let durable = if state == RunState::Done { format!("{WAIT_FOR_DISK}; ") } else { String::new() };
        let (held, condition) = self.held_fast(id);
        let sql = format!(
            "BEGIN; {durable}{held}UPDATE {} SET state = '{}', report = {}::json, updated_at = clock_timestamp() WHERE run = '{}'::uuid{condition}",
            self.table("runs"),
            state_name(state),
            quote_literal(&report.to_string()),
            id.0
        );
        let updated = counts(&mut lease, sql).await.map_err(failed())?;
        if updated.last() != Some(&1) {
            if self.holder_of(id).is_some() {
                return Err(self.replaced(id).await);
            }
            return Err(Error::new(ErrorKind::Ledger, format!("the run {id} is not in the ledger")));
        }
        run(&mut lease, "COMMIT".into()).await.map_err(failed())?;
        lease.give_back();
        Ok(())
    }

    async fn runs(&self) -> Result<Vec<RunRecord>> {
        let columns = "run::text, source, target, identity, state, plan::text, report::text,
                       (extract(epoch FROM started_at) * 1000000)::bigint, (extract(epoch FROM updated_at) * 1000000)::bigint";
        let rows = self.rows("runs", columns, None, "started_at DESC, run DESC").await?;
        rows.iter().map(|row| self.run_record(row).map_err(self.failed("could not be read"))).collect()
    }

    async fn receipts(&self, run: RunId) -> Result<Vec<Receipt>> {
        let columns = "table_schema, table_name, chunk, rows, digest, bytes, rows_read";
        let rows = self.rows("receipts", columns, Some(run), "table_schema, table_name, chunk").await?;
        let receipt = |row: &PgRow| -> Result<Option<Receipt>, sqlx::Error> {
            let sum = u128::from_str_radix(row.try_get::<&str, _>(4)?, 16).ok();
            let count = |index: usize| row.try_get::<i64, _>(index).map(|count| u64::try_from(count).ok());
            let chunk = u32::try_from(row.try_get::<i64, _>(2)?).ok();
            let (Some(sum), Some(chunk)) = (sum, chunk) else { return Ok(None) };
            let (Some(rows), Some(bytes), Some(rows_read)) = (count(3)?, count(5)?, count(6)?) else { return Ok(None) };
            let table = ObjectName::new(row.try_get::<String, _>(0)?, row.try_get::<String, _>(1)?);
            Ok(Some(Receipt {
                table,
                chunk,
                digest: Digest { rows, sum },
                bytes,
                rows_read,
                losses: Losses::default(),
                rejected: 0,
            }))
        };
        let (mut losses, rejected) = (self.losses(run).await?, self.rejected(run).await?);
        rows.iter()
            .map(|row| {
                receipt(row)
                    .map_err(self.failed("could not be read"))?
                    .map(|mut receipt| {
                        let chunk = (receipt.table.clone(), receipt.chunk);
                        receipt.losses = losses.remove(&chunk).unwrap_or_default();
                        receipt.rejected = rejected.get(&chunk).copied().unwrap_or_default();
                        receipt
                    })
                    .ok_or_else(|| Error::new(ErrorKind::Ledger, "the ledger holds a receipt that is none"))
            })
            .collect()
    }

    async fn settle(&self, id: RunId) -> Result<Vec<Receipt>> {
        let failed = || self.failed("could not make the receipts durable");
        let mut lease = self.pool.acquire().await?;
        // Something must be written: a commit of nothing waits for nothing.
        let update = format!("UPDATE {} SET updated_at = clock_timestamp() WHERE run = '{}'", self.table("runs"), id.0);
        let sql = format!("BEGIN; {WAIT_FOR_DISK}; {update}; COMMIT");
        run(&mut lease, sql).await.map_err(failed())?;
        lease.give_back();
        self.receipts(id).await
    }

    async fn mark(&self, run: RunId, table: &ObjectName, phase: &str) -> Result<()> {
        let mut lease = self.pool.acquire().await?;
        let sql = format!(
            "INSERT INTO {} (run, table_schema, table_name, phase) SELECT '{}'::uuid, {}, {}, {} {} ON CONFLICT DO NOTHING",
            self.table("marks"),
            run.0,
            quote_literal(&table.schema),
            quote_literal(&table.name),
            quote_literal(phase),
            self.only_held(run)
        );
        let marked = counts(&mut lease, sql).await.map_err(|error| self.failed("did not take a mark")(error).table(table))?;
        // It stands already, or the run is another's.
        let fence = self.pool.fence().filter(|fence| fence.run == run && marked.last() == Some(&0));
        if let Some(fence) = fence {
            fence.check(&mut lease).await?;
        }
        lease.give_back();
        Ok(())
    }

    async fn marks(&self, run: RunId) -> Result<Vec<(ObjectName, String)>> {
        let rows = self.rows("marks", "table_schema, table_name, phase", Some(run), "marked_at").await?;
        let mark = |row: &PgRow| -> Result<_, sqlx::Error> {
            Ok((ObjectName::new(row.try_get::<String, _>(0)?, row.try_get::<String, _>(1)?), row.try_get(2)?))
        };
        rows.iter().map(|row| mark(row).map_err(self.failed("could not be read"))).collect()
    }

    async fn note_instant(&self, run: RunId, instant: &InstantRecord) -> Result<()> {
        self.insert_instant(run, instant).await
    }

    async fn settle_instant(&self, run: RunId, number: u32) -> Result<()> {
        self.complete_instant(run, number).await
    }

    async fn instants(&self, run: RunId) -> Result<Vec<InstantRecord>> {
        self.all_instants(run).await
    }

    async fn hooks(&self, run: RunId) -> Result<Vec<HookRecord>> {
        let columns = "hook, sha256, done_at IS NOT NULL, coalesce(extract(epoch FROM done_at - begun_at), 0)::float8";
        let rows = self.rows("hooks", columns, Some(run), "begun_at").await?;
        let record = |row: &PgRow| -> Result<_, sqlx::Error> {
            Ok(HookRecord { name: row.try_get(0)?, sha256: row.try_get(1)?, done: row.try_get(2)?, seconds: row.try_get(3)? })
        };
        rows.iter().map(|row| record(row).map_err(self.failed("could not be read"))).collect()
    }

    async fn rejects(&self, run: RunId) -> Result<Vec<RejectRecord>> {
        self.all_rejects(run).await
    }

    async fn begin_hook(&self, run: RunId, hook: &Hook) -> Result<()> {
        let mut lease = self.pool.acquire().await?;
        let result = self.insert_hook(&mut lease, run, hook).await;
        lease.give_back();
        result
    }

    async fn forget(&self, id: RunId) -> Result<()> {
        let mut lease = self.pool.acquire().await?;
        let run_id = id.0;
        let mut all = vec!["receipts", "marks", "hooks", "leases", "runs"];
        // A ledger of an earlier version has none.
        if self.stands(&mut lease, "instants").await.map_err(self.failed("could not be read"))? {
            all.push("instants");
        }
        let sql: Vec<String> =
            all.iter().map(|name| format!("DELETE FROM {} WHERE run = '{run_id}'", self.table(name))).collect();
        run(&mut lease, format!("BEGIN; {}; COMMIT", sql.join("; "))).await.map_err(self.failed("could not forget the run"))?;
        lease.give_back();
        Ok(())
    }

    async fn living(&self, run: RunId) -> Result<Option<Living>> {
        self.who_lives(run).await
    }

    async fn hold(&self, run: RunId, holder: &Holder) -> Result<()> {
        self.take(run, holder).await
    }

    async fn renew(&self, run: RunId, holder: &Holder) -> Result<()> {
        self.renew_lease(run, holder).await
    }

    async fn release(&self, run: RunId) -> Result<()> {
        self.give_up_lease(run).await
    }

    async fn finish_hook(&self, run: RunId, hook: &Hook) -> Result<()> {
        let mut lease = self.pool.acquire().await?;
        let result = self.complete_hook(&mut lease, run, hook).await;
        lease.give_back();
        result
    }
}
