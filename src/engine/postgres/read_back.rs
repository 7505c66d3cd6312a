//! The tables read again, in one snapshot that all readers share.
//!
//! One connection exports the snapshot and stays idle in its transaction; the readers are opened as they are needed, import it, and are
//! replaced when one is lost or its rows are not wanted to the end.

mod lone;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use futures::StreamExt;
use sqlx::{AssertSqlSafe, Connection, PgConnection, Row};
use tokio::sync::mpsc::{Sender, channel};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use self::lone::LONE_BYTES;
use super::decode::RowDecoder;
use super::decode::hashes::RowHashes;
use super::pool::Pool;
use super::profile;
use super::target::{TargetTable, quoted, quoted_columns, run, target_table, target_tables};
use super::upsert;
use super::{error, leaves};
use crate::engine::budget::Filling;
use crate::engine::{Batch, BatchStream, Budget, Profile, ProfileColumn, ReadBack};
use crate::error::{Error, ErrorKind, Result};
use crate::model::chunk::{Chunk, ChunkPlan, ChunkRange};
use crate::model::load::UpsertKey;
use crate::model::{Digest, ObjectName, RunId, Table};

/// Ranges of pages are read by themselves alone since version 14; before it, each would read the whole table.
const RANGES_SINCE_MAJOR: u32 = 14;

/// Bytes that are hashed between two signs of progress.
const TOLD_BYTES: u64 = 1 << 20;

/// Tables that the catalog is asked about in one query.
const LOOKED_UP: usize = 500;

/// Tables that are counted in one query, and the size up to which they are.
const COUNTED: usize = 50;
const SMALL_BYTES: u64 = 1 << 20;

/// The readers of one snapshot.
#[derive(Clone)]
pub(super) struct PostgresReadBack(Arc<Shared>);

struct Shared {
    pool: Pool,
    snapshot: String,
    ledger_schema: String,
    page_bytes: u64,
    major: u32,
    /// Holds the snapshot open.
    _exporter: tokio::sync::Mutex<PgConnection>,
    idle: Mutex<Vec<PgConnection>>,
    permits: Arc<Semaphore>,
    targets: Mutex<HashMap<ObjectName, Arc<TargetTable>>>,
    sizes: Mutex<HashMap<ObjectName, Sizes>>,
    /// Rows of small tables that were counted together, until they are asked for.
    counts: Mutex<HashMap<ObjectName, u64>>,
}

impl PostgresReadBack {
    /// Takes the snapshot.
    pub(super) async fn open(pool: Pool, ledger_schema: &str, readers: usize) -> Result<Self> {
        let failed = |error| error::map(error, "the snapshot of the target could not be taken");
        let mut exporter = pool.connect().await?;
        let row = sqlx::raw_sql(
            "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
             SELECT pg_catalog.pg_export_snapshot(), current_setting('block_size')::int8, current_setting('server_version_num')::int4",
        )
        .fetch_one(&mut exporter)
        .await
        .map_err(failed)?;
        let shared = Shared {
            snapshot: row.try_get(0).map_err(failed)?,
            ledger_schema: ledger_schema.to_string(),
            page_bytes: u64::try_from(row.try_get::<i64, _>(1).map_err(failed)?).unwrap_or(8_192).max(1),
            major: u32::try_from(row.try_get::<i32, _>(2).map_err(failed)? / 10_000).unwrap_or_default(),
            pool,
            _exporter: tokio::sync::Mutex::new(exporter),
            idle: Mutex::default(),
            permits: Arc::new(Semaphore::new(readers.max(1))),
            targets: Mutex::default(),
            sizes: Mutex::default(),
            counts: Mutex::default(),
        };
        Ok(PostgresReadBack(Arc::new(shared)))
    }

    async fn reader(&self) -> Result<Reader> {
        let permit = Arc::clone(&self.0.permits)
            .acquire_owned()
            .await
            .map_err(|error| Error::internal("the readers are closed").with_source(error))?;
        let idle = self.0.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let connection = match idle {
            Some(connection) => connection,
            None => {
                let failed = |error| error::map(error, "a reader could not join the snapshot of the target");
                let mut connection = self.0.pool.connect().await?;
                let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET TRANSACTION SNAPSHOT";
                run(&mut connection, format!("{begin} '{}'", self.0.snapshot)).await.map_err(failed)?;
                connection
            }
        };
        Ok(Reader { connection, back: Arc::clone(&self.0), _permit: permit })
    }

    /// Counts small tables in few statements, for [`ReadBack::count`] to tell: what each count costs is the way to the server and back.
    async fn count_small(&self, reader: &mut Reader, tables: &[&Table]) -> Result<()> {
        let failed = |error| error::map(error, "the rows could not be counted");
        for some in tables.chunks(COUNTED) {
            let each = |(place, table): (usize, &&Table)| format!("SELECT {place}, count(*) FROM {}", quoted(&table.name));
            let selects: Vec<String> = some.iter().enumerate().map(each).collect();
            let rows = sqlx::raw_sql(AssertSqlSafe(selects.join(" UNION ALL "))).fetch_all(&mut reader.connection).await;
            let mut counts = self.0.counts.lock().unwrap_or_else(PoisonError::into_inner);
            for row in rows.map_err(failed)? {
                let (place, count): (i32, i64) = (row.try_get(0).map_err(failed)?, row.try_get(1).map_err(failed)?);
                let table = usize::try_from(place).ok().and_then(|place| some.get(place));
                let (Some(table), Ok(count)) = (table, u64::try_from(count)) else {
                    return Err(Error::internal("a count is negative, or of no table"));
                };
                counts.insert(table.name.clone(), count);
            }
        }
        Ok(())
    }

    async fn target(&self, reader: &mut Reader, table: &Table) -> Result<Arc<TargetTable>> {
        {
            let targets = self.0.targets.lock().unwrap_or_else(PoisonError::into_inner);
            let known = targets.get(&table.name).filter(|target| {
                target.columns.iter().map(|column| &column.name).eq(table.columns.iter().map(|column| &column.name))
            });
            if let Some(target) = known {
                return Ok(Arc::clone(target));
            }
        }
        let target = Arc::new(target_table(&mut reader.connection, table).await?);
        self.0.targets.lock().unwrap_or_else(PoisonError::into_inner).insert(table.name.clone(), Arc::clone(&target));
        Ok(target)
    }

    async fn read_all(
        self,
        table: Table,
        range: ChunkRange,
        batch_bytes: usize,
        mut filling: Filling,
        to: &Sender<Piece>,
    ) -> Result<()> {
        let failed = |error| error::map(error, "the target could not be read").table(&table.name);
        let mut reader = self.reader().await?;
        let target = self.target(&mut reader, &table).await?;
        let mut decoder = RowDecoder::new(&table, &target.columns, batch_bytes)?;
        let (place, pages) = place_of(&table, &target, range)?;
        let sql = copy_of(&table, &place, pages);
        filling.begin().await;
        let mut rows = reader.connection.copy_out_raw(&sql).await.map_err(failed)?;
        while let Some(data) = rows.next().await {
            let data = data.map_err(failed)?;
            if filling.is_short_of(data.len()) {
                // A row is one message, so that what was read is whole rows.
                if let Some(batch) = decoder.so_far()? {
                    let piece = Piece::Rows(Batch { held: filling.hand_over(), ..batch });
                    if to.send(piece).await.is_err() {
                        return Ok(());
                    }
                }
            }
            if data.len() > batch_bytes || filling.is_short_of(data.len()) {
                filling.widen(data.len()).await.map_err(|error| error.table(&table.name))?;
            }
            decoder.feed(data);
            while let Some(batch) = decoder.next()? {
                // One message may end two batches. Each needs a part: who takes them cannot be the one to wait for it, since the next reader
                // of this table may wait for him.
                filling.begin().await;
                if to.send(Piece::Rows(Batch { held: filling.hand_over(), ..batch })).await.is_err() {
                    // Nobody wants the rest: the reader is in the midst of its rows, and is closed.
                    return Ok(());
                }
            }
            filling.begin().await;
        }
        drop(rows);
        let last = decoder.finish()?;
        // The driver keeps the buffer of a wide row, whatever it is asked: another session takes the place of this one.
        if filling.is_wide() {
            drop(reader)
        } else {
            reader.give_back()
        }
        if let Some(batch) = last {
            let _ = to.send(Piece::Rows(Batch { held: filling.hand_over(), ..batch })).await;
        }
        let _ = to.send(Piece::End).await;
        Ok(())
    }
}

impl PostgresReadBack {
    /// Hashes a piece as it arrives.
    async fn hash_all(
        &self,
        table: &Table,
        range: ChunkRange,
        mut filling: Filling,
        heard: &(dyn Fn(u64, u64) + Send + Sync),
    ) -> Result<Digest> {
        let failed = |error| error::map(error, "the target could not be read").table(&table.name);
        let mut reader = self.reader().await?;
        let target = self.target(&mut reader, table).await?;
        let (place, pages) = place_of(table, &target, range)?;
        // Held to the end: no more is there at a time than a row and what is gathered.
        filling.begin().await;
        let lone = if filling.widest() > LONE_BYTES {
            lone::find(&mut reader.connection, table, &target.columns, &place, pages.as_deref()).await.map_err(failed)?
        } else {
            Vec::new()
        };
        let rest = lone::both(pages.as_deref(), lone::without(&lone).as_deref());
        let mut digest = Digest::default();
        for condition in [rest].into_iter().chain(lone.iter().map(|row| Some(row.condition()))) {
            let hashes = RowHashes::new(table, &target.columns)?;
            let sql = copy_of(table, &place, condition);
            digest.merge(hash_copy(&mut reader, table, &sql, hashes, &mut filling, heard).await?);
            if !lone.is_empty() {
                reader.connection.shrink_buffers();
            }
        }
        // The driver keeps the buffer of a wide row, whatever it is asked: another session takes the place of this one.
        if filling.is_wide() {
            drop(reader)
        } else {
            reader.give_back()
        }
        Ok(digest)
    }
}

/// Hashes the rows of one COPY.
async fn hash_copy(
    reader: &mut Reader,
    table: &Table,
    sql: &str,
    mut hashes: RowHashes,
    filling: &mut Filling,
    heard: &(dyn Fn(u64, u64) + Send + Sync),
) -> Result<Digest> {
    let failed = |error| error::map(error, "the target could not be read").table(&table.name);
    let mut rows = reader.connection.copy_out_raw(sql).await.map_err(failed)?;
    let (mut told, mut bytes) = (0, 0);
    while let Some(data) = rows.next().await {
        let data = data.map_err(failed)?;
        if filling.is_short_of(data.len()) {
            filling.widen(data.len()).await.map_err(|error| error.table(&table.name))?;
        }
        bytes += u64::try_from(data.len()).unwrap_or_default();
        hashes.feed(&data)?;
        if bytes >= TOLD_BYTES {
            heard(hashes.rows() - told, bytes);
            (told, bytes) = (hashes.rows(), 0);
        }
    }
    let digest = hashes.finish()?;
    heard(digest.rows - told, bytes);
    Ok(digest)
}

/// Where the rows of a range of a table lie, and the condition that leaves them.
fn place_of(table: &Table, target: &TargetTable, range: ChunkRange) -> Result<(String, Option<String>)> {
    let (place, range) = match target.leaves.as_deref().and_then(|leaves| leaves::within(leaves, &range)) {
        Some((leaf, range)) => (leaf.name.clone(), range),
        None => (quoted(&table.name), range),
    };
    let pages = pages_condition(&range).ok_or_else(|| Error::internal("the target is read by pages alone").table(&table.name))?;
    Ok((place, pages))
}

/// The COPY of what a condition leaves of a place.
fn copy_of(table: &Table, place: &str, condition: Option<String>) -> String {
    let rows_of = narrowed(condition, table);
    let columns = quoted_columns(table.columns.iter().map(|column| column.name.as_str()));
    format!("COPY (SELECT {columns} FROM {place}{rows_of}) TO STDOUT (FORMAT binary)")
}

/// What a reader's task hands over. The end is told: a task that died must not look like one that is done.
enum Piece {
    Rows(Batch),
    End,
    Failed(Error),
}

/// The condition of a range of pages; `None` for ranges of another kind.
fn pages_condition(range: &ChunkRange) -> Option<Option<String>> {
    match range {
        ChunkRange::Whole => Some(None),
        ChunkRange::Pages { from, to: None } => Some(Some(format!("ctid >= '({from},0)'::tid"))),
        ChunkRange::Pages { from, to: Some(to) } => Some(Some(format!("ctid >= '({from},0)'::tid AND ctid < '({to},0)'::tid"))),
        ChunkRange::Key { .. } | ChunkRange::NullKey => None,
    }
}

/// The WHERE of a table's own filter, and of one more condition; empty without both.
pub(super) fn narrowed(more: Option<String>, table: &Table) -> String {
    let all: Vec<String> = more.into_iter().chain(table.row_filter.clone()).collect();
    if all.is_empty() { String::new() } else { format!(" WHERE {}", all.join(" AND ")) }
}

/// A reader at work. Dropping it closes its connection.
struct Reader {
    connection: PgConnection,
    back: Arc<Shared>,
    _permit: OwnedSemaphorePermit,
}

impl Reader {
    /// Gives back a reader that is in no COPY and whose transaction has not failed.
    fn give_back(self) {
        self.back.idle.lock().unwrap_or_else(PoisonError::into_inner).push(self.connection);
    }
}

/// The sizes of a table: of its pages, with what lies outside of them, and the rows that the server expects.
#[derive(Clone, Copy)]
struct Sizes {
    main: u64,
    all: u64,
    rows: u64,
}

impl Sizes {
    /// Of those of the tables that exist, by their place.
    async fn read(connection: &mut PgConnection, tables: &[&Table]) -> Result<HashMap<usize, Self>, sqlx::Error> {
        let rows = sqlx::query(
            "SELECT w.place, pg_catalog.pg_relation_size(c.oid), pg_catalog.pg_table_size(c.oid), greatest(c.reltuples, 0)::int8
             FROM unnest($1::text[]) WITH ORDINALITY AS w(name, place)
             JOIN pg_catalog.pg_class AS c ON c.oid = pg_catalog.to_regclass(w.name)",
        )
        .bind(tables.iter().map(|table| quoted(&table.name)).collect::<Vec<_>>())
        .fetch_all(connection)
        .await?;
        let mut found = HashMap::new();
        for row in rows {
            let number = |index: usize| row.try_get::<i64, _>(index).map(|size| u64::try_from(size).unwrap_or_default());
            let place = usize::try_from(number(0)?).unwrap_or_default().saturating_sub(1);
            found.insert(place, Sizes { main: number(1)?, all: number(2)?, rows: number(3)? });
        }
        Ok(found)
    }
}

#[async_trait]
impl ReadBack for PostgresReadBack {
    async fn look_up(&self, tables: &[&Table]) -> Result<()> {
        let mut reader = self.reader().await?;
        let mut small: Vec<&Table> = Vec::new();
        for some in tables.chunks(LOOKED_UP) {
            let found = target_tables(&mut reader.connection, some).await?;
            let sizes = Sizes::read(&mut reader.connection, some)
                .await
                .map_err(|error| error::map(error, "the sizes of the tables could not be read"))?;
            for (place, (table, target)) in some.iter().zip(found).enumerate() {
                // Whatever is wrong is said when the table is read.
                let Ok(target) = target else { continue };
                let whole = target.leaves.is_none();
                let mut targets = self.0.targets.lock().unwrap_or_else(PoisonError::into_inner);
                targets.insert(table.name.clone(), Arc::new(target));
                if let Some(sizes) = sizes.get(&place) {
                    if whole && sizes.main <= SMALL_BYTES && table.row_filter.is_none() {
                        small.push(*table);
                    }
                    self.0.sizes.lock().unwrap_or_else(PoisonError::into_inner).insert(table.name.clone(), *sizes);
                }
            }
        }
        if small.len() > 1 {
            self.count_small(&mut reader, &small).await?;
        }
        reader.give_back();
        Ok(())
    }

    fn only_sent(&self, table: &Table, run: RunId, key: &UpsertKey) -> Table {
        let filter = upsert::was_sent(&self.0.ledger_schema, run, &table.name, key);
        Table { row_filter: Some(filter), ..table.clone() }
    }

    async fn count(&self, table: &Table) -> Result<u64> {
        let failed = |error| error::map(error, "the rows could not be counted").table(&table.name);
        if table.row_filter.is_none()
            && let Some(count) = self.0.counts.lock().unwrap_or_else(PoisonError::into_inner).remove(&table.name)
        {
            return Ok(count);
        }
        let mut reader = self.reader().await?;
        let sql = format!("SELECT count(*) FROM {}{}", quoted(&table.name), narrowed(None, table));
        let count = sqlx::raw_sql(AssertSqlSafe(sql)).fetch_one(&mut reader.connection).await;
        let count: i64 = count.and_then(|row| row.try_get(0)).map_err(failed)?;
        reader.give_back();
        u64::try_from(count).map_err(|_| Error::internal("a count is negative").table(&table.name))
    }

    async fn profile(&self, table: &Table, columns: &[ProfileColumn]) -> Result<Profile> {
        let mut reader = self.reader().await?;
        let profile = profile::profile(&mut reader.connection, table, columns).await?;
        reader.give_back();
        Ok(profile)
    }

    async fn plan_chunks(&self, table: &Table, target_bytes: u64, _run: Option<RunId>) -> Result<ChunkPlan> {
        let failed = |error| error::map(error, "the size of the table could not be read").table(&table.name);
        let mut reader = self.reader().await?;
        let target = self.target(&mut reader, table).await?;
        let known = self.0.sizes.lock().unwrap_or_else(PoisonError::into_inner).get(&table.name).copied();
        let sizes = match known {
            Some(sizes) => Some(sizes),
            None => Sizes::read(&mut reader.connection, &[table]).await.map_err(failed)?.remove(&0),
        };
        reader.give_back();
        let Sizes { main, all, rows } = sizes
            .ok_or_else(|| Error::new(ErrorKind::SchemaChanged, "the table does not exist in the target").table(&table.name))?;
        let rows = rows.max(table.estimated_rows);
        if let Some(leaves) = &target.leaves {
            let bytes = leaves.iter().fold(0, |sum: u64, leaf| sum.saturating_add(leaf.bytes));
            // A filter names the columns of the table itself.
            if leaves.is_empty() || table.row_filter.is_some() || self.0.major < RANGES_SINCE_MAJOR {
                return Ok(ChunkPlan::whole(rows, bytes));
            }
            let ranges = leaves::ranges(leaves, target_bytes);
            let count = u64::try_from(ranges.len()).unwrap_or(u64::MAX).max(1);
            let chunks = ranges.into_iter().zip(0..).map(|((range, bytes), id)| Chunk {
                id,
                range,
                estimated_rows: rows / count,
                estimated_bytes: bytes,
            });
            return Ok(ChunkPlan { key: Vec::new(), index: None, chunks: chunks.collect() });
        }
        let pages = main / self.0.page_bytes;
        // Wide values lie outside the pages, and are read with them.
        let count = all.div_ceil(target_bytes.max(1)).clamp(1, pages.max(1));
        if self.0.major < RANGES_SINCE_MAJOR || count <= 1 {
            return Ok(ChunkPlan::whole(rows, all));
        }
        let step = pages.div_ceil(count).max(1);
        let chunks = pages.div_ceil(step);
        let last = chunks.saturating_sub(1);
        let chunks = (0..chunks).map(|index| -> Result<Chunk> {
            let from = index * step;
            // The last one is open: the table may have grown since its size was read.
            let to = (index < last).then(|| from + step);
            Ok(Chunk {
                id: u32::try_from(index).map_err(|_| Error::internal("a table has too many pieces").table(&table.name))?,
                range: ChunkRange::Pages { from, to },
                estimated_rows: rows / count,
                estimated_bytes: all / count,
            })
        });
        Ok(ChunkPlan { key: Vec::new(), index: None, chunks: chunks.collect::<Result<_>>()? })
    }

    fn read(&self, table: &Table, chunk: &Chunk) -> BatchStream {
        self.read_within(table, chunk, &Budget::boundless())
    }

    fn read_within(&self, table: &Table, chunk: &Chunk, budget: &Budget) -> BatchStream {
        let (back, table, range) = (self.clone(), table.clone(), chunk.range.clone());
        let filling = budget.filling(&table.name, chunk.estimated_bytes / chunk.estimated_rows.max(1));
        let batch_bytes = budget.batch_bytes();
        // The work begins at the first poll; one batch waits while the next one is read.
        futures::stream::once(async move {
            let (to, from) = channel(1);
            tokio::spawn(async move {
                if let Err(error) = back.read_all(table, range, batch_bytes, filling, &to).await {
                    let _ = to.send(Piece::Failed(error)).await;
                }
            });
            futures::stream::unfold(Some(from), |from| async move {
                let mut from = from?;
                match from.recv().await {
                    Some(Piece::Rows(batch)) => Some((Ok(batch), Some(from))),
                    Some(Piece::End) => None,
                    Some(Piece::Failed(error)) => Some((Err(error), None)),
                    None => Some((Err(Error::internal("the task of a reader died")), None)),
                }
            })
        })
        .flatten()
        .boxed()
    }

    async fn digest_within(
        &self,
        table: &Table,
        chunk: &Chunk,
        budget: &Budget,
        heard: &(dyn Fn(u64, u64) + Send + Sync),
    ) -> Result<Option<Digest>> {
        let filling = budget.filling(&table.name, chunk.estimated_bytes / chunk.estimated_rows.max(1));
        self.hash_all(table, chunk.range.clone(), filling, heard).await.map(Some)
    }
}
