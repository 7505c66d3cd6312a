//! The sink: the connections, and what each of its methods is made of.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use futures::StreamExt;
use sqlx::{AssertSqlSafe, Connection, Either, PgConnection, Row};

use super::connect::{Connector, server_info};
use super::encode::RowEncoder;
use super::error;
use super::ledger::PostgresLedger;
use super::pool::{Lease, Pool};
use super::read_back::PostgresReadBack;
use super::target::{TargetTable, run, target_table, target_tables};
use super::{
    catalog, check, dependents, gauge, hook, pooler, rights, schema, sequences, standing, take_out, upsert, waiting, write,
};
use crate::config::endpoint::Endpoint;
use crate::engine::{
    Asked, ChunkWriter, Ddl, DdlPhase, Gauge, Inspection, ReadBack, SessionOptions, Sink, Strain, TakeOut, TakenOut, Waiting,
    distance,
};
use crate::error::{Error, ErrorKind, Result};
use crate::ledger::Ledger;
use crate::model::catalog::{Column, Problem, ServerInfo, Table};
use crate::model::load::UpsertKey;
use crate::model::schema::TableSchema;
use crate::model::sequence::Sequence;
use crate::model::unit::WorkUnit;
use crate::model::{Hook, ObjectName, RunId};

/// Memory for building one index, where the server's own setting is less: the default of 64 MiB makes sorts of large tables spill, and a few
/// indexes built side by side with this still fit a small server.
const INDEX_MEMORY: &str = "256MB";

/// Tables that the catalog is asked about in one query.
const LOOKED_UP: usize = 500;

/// A PostgreSQL database that is written to.
pub(super) struct PostgresSink {
    pool: Pool,
    server: ServerInfo,
    ledger: Arc<PostgresLedger>,
    ledger_schema: String,
    /// Whether sessions may switch the triggers off that would act on rows a second time.
    triggers_off: bool,
    round_trip: Duration,
    /// How the rows of a table are written; until the next statement that may change it.
    encoders: Mutex<HashMap<ObjectName, Prepared>>,
}

struct Prepared {
    columns: Vec<Column>,
    encoder: Arc<RowEncoder>,
}

impl PostgresSink {
    /// Connects.
    pub(super) async fn open(at: &Endpoint, options: &SessionOptions) -> Result<Self> {
        // One more than carry rows: for the ledger.
        let pool = Pool::new(Connector::new(at, options)?, options.jobs.saturating_add(1));
        let (mut lease, mut other) = tokio::try_join!(pool.acquire(), pool.connect())?;
        pooler::refuse(&mut lease, &mut other, &at.to_string()).await?;
        // Its socket is closed; whether the goodbye arrives does not matter.
        let _ = other.close().await;
        let round_trip = round_trip(&mut lease).await?;
        // Either server may be the far one; how many chunks are under way is the run's to say.
        pool.widen(distance::MOST_AHEAD);
        let server = server_info(&mut lease).await?;
        let triggers_off = may_switch_triggers_off(&mut lease)
            .await
            .map_err(|error| error::map(error, "the rights of the session could not be tried"))?;
        lease.give_back();
        let ledger = Arc::new(PostgresLedger::new(pool.clone(), &options.ledger_schema));
        Ok(PostgresSink {
            pool,
            server,
            ledger,
            ledger_schema: options.ledger_schema.clone(),
            triggers_off,
            round_trip,
            encoders: Mutex::default(),
        })
    }

    /// Opens the transaction of a chunk, or of a row that it has rejected.
    async fn begin(&self, unit: &WorkUnit, table: &Table, claim: write::Claim) -> Result<write::Writer> {
        // A connection that died while it lay idle has begun nothing: another one takes its place, without a word.
        while let Some(lease) = self.pool.acquire_untried().await? {
            match self.begin_on(lease, unit, table, claim).await {
                Err(error) if error.kind() == ErrorKind::ConnectionLost => {
                    tracing::debug!(%error, "a connection that lay idle is replaced");
                }
                begun => return begun,
            }
        }
        self.begin_on(self.pool.acquire().await?, unit, table, claim).await
    }

    async fn begin_on(&self, mut lease: Lease, unit: &WorkUnit, table: &Table, claim: write::Claim) -> Result<write::Writer> {
        let encoder = match self.encoder(&mut lease, table).await {
            Ok(encoder) => encoder,
            Err(error) if error.kind() == ErrorKind::ConnectionLost => return Err(error),
            Err(error) => {
                lease.give_back();
                return Err(error);
            }
        };
        write::begin(lease, Arc::clone(&self.ledger), unit, encoder, self.triggers_off && !unit.load.enforced, claim).await
    }

    /// How the rows of `table` are written, looked up in the target's catalog once.
    async fn encoder(&self, connection: &mut PgConnection, table: &Table) -> Result<Arc<RowEncoder>> {
        {
            let encoders = self.encoders.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(prepared) = encoders.get(&table.name).filter(|prepared| prepared.columns == table.columns) {
                return Ok(Arc::clone(&prepared.encoder));
            }
        }
        let target = target_table(connection, table).await?;
        self.keep_encoder(table, &target)
    }

    fn keep_encoder(&self, table: &Table, target: &TargetTable) -> Result<Arc<RowEncoder>> {
        let encoder = Arc::new(RowEncoder::new(table, &target.columns)?);
        let prepared = Prepared { columns: table.columns.clone(), encoder: Arc::clone(&encoder) };
        self.encoders.lock().unwrap_or_else(PoisonError::into_inner).insert(table.name.clone(), prepared);
        Ok(encoder)
    }
}

/// How long a question and its answer take.
async fn round_trip(connection: &mut PgConnection) -> Result<Duration> {
    let asked = async |connection: &mut PgConnection| {
        let began = Instant::now();
        connection.ping().await.map(|()| began.elapsed()).map_err(|error| error::map(error, "the server does not answer"))
    };
    let first = asked(connection).await?;
    // One that seems far is asked again.
    if distance::is_far(first) { Ok(first.min(asked(connection).await?)) } else { Ok(first) }
}

/// Superusers may, and since version 15 those who were granted the setting.
async fn may_switch_triggers_off(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
    match run(connection, "BEGIN; SET LOCAL session_replication_role = replica; ROLLBACK".into()).await {
        Ok(()) => Ok(true),
        Err(error) if error::sqlstate(&error) == Some("42501") => {
            // The message ended there, and the transaction is open still.
            run(connection, "ROLLBACK".into()).await?;
            Ok(false)
        }
        Err(error) => Err(error),
    }
}

/// True if what the statement makes stands already.
async fn exists(connection: &mut PgConnection, ddl: &Ddl) -> Result<bool> {
    let Some(sql) = &ddl.exists_sql else { return Ok(false) };
    let row = sqlx::raw_sql(AssertSqlSafe(sql.clone()))
        .fetch_optional(connection)
        .await
        .and_then(|row| row.map(|row| row.try_get::<Option<bool>, _>(0)).transpose())
        .map_err(|error| {
            let error = error::map(error, format!("it could not be found out whether {} exists", ddl.object));
            match &ddl.table {
                Some(table) => error.table(table),
                None => error,
            }
        })?;
    Ok(row.flatten() == Some(true))
}

/// For each of the statements, whether what it makes stands already; asked in one message.
async fn exist(connection: &mut PgConnection, ddl: &[Ddl]) -> Result<Vec<bool>, sqlx::Error> {
    let asked: Vec<(usize, &str)> =
        ddl.iter().enumerate().filter_map(|(place, ddl)| Some((place, ddl.exists_sql.as_deref()?))).collect();
    let mut stand = vec![false; ddl.len()];
    if asked.is_empty() {
        return Ok(stand);
    }
    let sql = asked.iter().map(|(_, sql)| *sql).collect::<Vec<_>>().join(";\n");
    let mut answers = sqlx::raw_sql(AssertSqlSafe(sql)).fetch_many(connection);
    let mut queries = asked.iter();
    let mut first = None;
    while let Some(answer) = answers.next().await {
        match answer? {
            Either::Right(row) if first.is_none() => first = Some(row.try_get::<Option<bool>, _>(0)? == Some(true)),
            Either::Right(_) => {}
            // The end of one query's rows.
            Either::Left(_) => {
                if let Some((place, _)) = queries.next()
                    && let Some(stands) = stand.get_mut(*place)
                {
                    *stands = first.take() == Some(true);
                }
            }
        }
    }
    Ok(stand)
}

#[async_trait]
impl Sink for PostgresSink {
    fn server(&self) -> &ServerInfo {
        &self.server
    }

    async fn existing(&self, tables: &[ObjectName]) -> Result<Vec<Table>> {
        let mut lease = self.pool.acquire().await?;
        let existing = catalog::existing(&mut lease, tables).await?;
        lease.give_back();
        Ok(existing)
    }

    async fn schemas(&self, tables: &[ObjectName]) -> Result<Vec<TableSchema>> {
        let mut lease = self.pool.acquire().await?;
        let schemas = schema::schemas(&mut lease, tables).await?;
        lease.give_back();
        Ok(schemas)
    }

    async fn sequences(&self, names: &[ObjectName]) -> Result<Vec<Sequence>> {
        let mut lease = self.pool.acquire().await?;
        let found = sequences::sequences(&mut lease, names).await?;
        lease.give_back();
        Ok(found)
    }

    async fn table_names(&self, schemas: &[String]) -> Result<Vec<ObjectName>> {
        let mut lease = self.pool.acquire().await?;
        let names = standing::table_names(&mut lease, schemas).await?;
        lease.give_back();
        Ok(names)
    }

    async fn undroppable(&self, tables: &[&Table]) -> Result<Vec<Problem>> {
        let mut lease = self.pool.acquire().await?;
        let found = dependents::undroppable(&mut lease, tables).await?;
        lease.give_back();
        Ok(found)
    }

    async fn inspect(&self, asked: &[Asked]) -> Result<Inspection> {
        let mut lease = self.pool.acquire().await?;
        let user = standing::user(&mut lease).await?;
        let mut tables = Vec::with_capacity(asked.len());
        for one in asked {
            tables.push(standing::inspect(&mut lease, one).await?);
        }
        lease.give_back();
        let silence_hint = standing::silence_hint(&self.server, &user);
        Ok(Inspection { may_silence: self.triggers_off, silence_hint, tables })
    }

    async fn keep_keys(&self, run: RunId, table: &ObjectName, key: &UpsertKey) -> Result<()> {
        let mut lease = self.pool.acquire().await?;
        upsert::make_keys(&mut lease, &self.ledger, run, table, key).await?;
        lease.give_back();
        Ok(())
    }

    async fn forget_keys(&self, run: RunId, tables: &[ObjectName]) -> Result<()> {
        let mut lease = self.pool.acquire().await?;
        upsert::drop_keys(&mut lease, &self.ledger, run, tables).await?;
        lease.give_back();
        Ok(())
    }

    async fn waiting(&self) -> Result<Vec<Waiting>> {
        // Not from the pool: all of its sessions may be waiting.
        let mut connection = self.pool.connect().await?;
        waiting::waiting(&mut connection).await
    }

    async fn stands(&self, ddl: &Ddl) -> Result<bool> {
        let mut lease = self.pool.acquire().await?;
        let stands = exists(&mut lease, ddl).await?;
        lease.give_back();
        Ok(stands)
    }

    async fn check(&self, schemas: &[String], owner: Option<&str>) -> Result<()> {
        let mut lease = self.pool.acquire().await?;
        check::check(&mut lease, &self.server, schemas, owner, &self.ledger_schema).await?;
        lease.give_back();
        Ok(())
    }

    async fn may_not_drop(&self, tables: &[ObjectName]) -> Result<Vec<Error>> {
        let mut lease = self.pool.acquire().await?;
        let errors = rights::may_not_drop(&mut lease, tables).await?;
        lease.give_back();
        Ok(errors)
    }

    async fn apply(&self, ddl: &Ddl) -> Result<()> {
        self.encoders.lock().unwrap_or_else(PoisonError::into_inner).clear();
        let place = |error, what: String| {
            let error = error::map(error, what);
            match &ddl.table {
                Some(table) => error.table(table),
                None => error,
            }
        };
        let mut lease = self.pool.acquire().await?;
        if exists(&mut lease, ddl).await? {
            lease.give_back();
            return Ok(());
        }
        let failed = |error| place(error, format!("{} could not be made", ddl.object));
        let sorts = matches!(ddl.phase, DdlPhase::Indexes | DdlPhase::Restore);
        let sql = if sorts {
            // One message, and so one transaction, which the setting ends with.
            format!(
                "SELECT pg_catalog.set_config('maintenance_work_mem', '{INDEX_MEMORY}', true)
                 WHERE pg_catalog.pg_size_bytes(current_setting('maintenance_work_mem')) < pg_catalog.pg_size_bytes('{INDEX_MEMORY}');\n{}",
                ddl.sql
            )
        } else {
            ddl.sql.clone()
        };
        run(&mut lease, sql).await.map_err(failed)?;
        lease.give_back();
        Ok(())
    }

    async fn apply_all(&self, ddl: &[Ddl]) -> Result<()> {
        self.encoders.lock().unwrap_or_else(PoisonError::into_inner).clear();
        let failed = |error| error::map(error, "several statements together were refused");
        let mut lease = self.pool.acquire().await?;
        let stand = exist(&mut lease, ddl).await.map_err(failed)?;
        let missing: Vec<&Ddl> = ddl.iter().zip(stand).filter(|(_, stands)| !stands).map(|(ddl, _)| ddl).collect();
        if !missing.is_empty() {
            // One message, and so one transaction: the server takes all of it back when one of them fails.
            let statements: Vec<&str> = missing.iter().map(|ddl| ddl.sql.as_str()).collect();
            run(&mut lease, format!("BEGIN; {}; COMMIT", statements.join(";\n"))).await.map_err(failed)?;
        }
        lease.give_back();
        Ok(())
    }

    async fn look_up(&self, tables: &[&Table]) -> Result<()> {
        let mut lease = self.pool.acquire().await?;
        for some in tables.chunks(LOOKED_UP) {
            let found = target_tables(&mut lease, some).await?;
            for (table, target) in some.iter().zip(found) {
                // Whatever is wrong is said by the first chunk of the table.
                if let Ok(target) = target {
                    let _ = self.keep_encoder(table, &target);
                }
            }
        }
        lease.give_back();
        Ok(())
    }

    async fn begin_chunk(&self, unit: &WorkUnit, table: &Table) -> Result<Box<dyn ChunkWriter>> {
        Ok(Box::new(self.begin(unit, table, write::Claim::Chunk).await?))
    }

    async fn begin_reject(&self, unit: &WorkUnit, number: u32, table: &Table) -> Result<Box<dyn ChunkWriter>> {
        Ok(Box::new(self.begin(unit, table, write::Claim::Reject(number)).await?))
    }

    async fn take_out(&self, run: RunId, rows: &TakeOut) -> Result<TakenOut> {
        let lease = self.pool.acquire().await?;
        take_out::take_out(lease, &self.ledger, run, rows, self.triggers_off).await
    }

    fn ledger(&self) -> &dyn Ledger {
        &*self.ledger
    }

    async fn read_back(&self, readers: usize) -> Result<Arc<dyn ReadBack>> {
        // What lies idle would count against the server's limit beside the readers.
        self.pool.close_idle();
        Ok(Arc::new(PostgresReadBack::open(self.pool.clone(), &self.ledger_schema, readers).await?))
    }

    async fn gauge(&self, asked: &[Strain]) -> Result<Box<dyn Gauge>> {
        Ok(Box::new(gauge::PostgresGauge::new(self.pool.connect().await?, asked)?))
    }

    fn round_trip(&self) -> Duration {
        self.round_trip
    }

    async fn free_sessions(&self) -> Result<Option<u64>> {
        let mut lease = self.pool.acquire().await?;
        let free = gauge::free_sessions(&mut lease).await?;
        lease.give_back();
        Ok(Some(free))
    }

    fn refuses_hooks(&self) -> Option<&'static str> {
        None
    }

    async fn run_hook(&self, run: RunId, hook: &Hook) -> Result<()> {
        // It may change any table.
        self.encoders.lock().unwrap_or_else(PoisonError::into_inner).clear();
        hook::run_hook(&self.pool, &self.ledger, run, hook).await
    }
}
