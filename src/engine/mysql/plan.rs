//! Cuts a table into chunks of about equal size.
//!
//! Two ways. By *ranges* of a whole number: equal widths between its smallest and largest value, then mended with the server's own
//! estimates, since keys have gaps; costs no reading of rows. By a *walk* along the index: each bound is the key that stands a
//! chunk's rows behind the last one; costs one pass over the index, and serves keys of every type.
//! Both leave the first and the last range open, so that a wrong estimate makes a chunk large, never a row lost.

use sqlx::mysql::{MySqlArguments, MySqlRow};
use sqlx::{Arguments, AssertSqlSafe, MySqlConnection, Row};

use super::error::failed;
use super::key::{KeyColumn, Side, compare, condition};
use super::select::{quote, quote_table};
use super::wire::Bound;
use crate::error::{Error, Result};
use crate::model::catalog::{Index, IndexMethod, Table};
use crate::model::chunk::{Chunk, ChunkPlan, ChunkRange, KeyValue};

/// EXPLAINs that ranges may cost, for each chunk that is aimed at, and besides.
const EXPLAINS_PER_CHUNK: u64 = 4;
const EXPLAINS_BESIDES: u64 = 200;

/// Most chunks of a table; a smaller aim is raised.
const MOST_CHUNKS: u64 = 100_000;

/// An index that can serve ranges.
struct ChunkKey {
    index: String,
    columns: Vec<KeyColumn>,
    /// Rows whose first column is NULL lie in no range.
    first_nullable: bool,
}

/// What the cutting of one table knows.
struct Cutter<'a> {
    connection: &'a mut MySqlConnection,
    mark: &'a str,
    table: &'a Table,
    key: ChunkKey,
    rows_aim: u64,
    chunks_aim: u64,
    row_bytes: u64,
}

/// [`crate::engine::Source::plan_chunks`].
pub(super) async fn plan_chunks(
    connection: &mut MySqlConnection,
    mark: &str,
    table: &Table,
    target_bytes: u64,
) -> Result<ChunkPlan> {
    let whole = || Ok(ChunkPlan::whole(table.estimated_rows, table.estimated_bytes));
    let target_bytes = target_bytes.max(1);
    // Storage outside of transactions is one instant only within one statement.
    if !table.transactional || table.estimated_bytes < target_bytes {
        return whole();
    }
    let Some(key) = choose_key(table) else { return whole() };
    let chunks_aim = table.estimated_bytes.div_ceil(target_bytes).clamp(1, MOST_CHUNKS);
    let rows_aim = table.estimated_rows.div_ceil(chunks_aim).max(1);
    let row_bytes = (table.estimated_bytes / table.estimated_rows.max(1)).max(1);
    let mut cutter = Cutter { connection, mark, table, key, rows_aim, chunks_aim, row_bytes };
    cutter.plan().await.map_err(|error| error.table(&table.name))
}

/// Bounds of a whole-number primary key, between which lie about as many rows each.
pub(super) struct Pieces {
    pub(super) index: String,
    pub(super) column: String,
    pub(super) bounds: Vec<i128>,
}

/// Cuts a table into about `count` pieces by its primary key; none where it does not begin with a whole number, or its values do not tell.
pub(super) async fn pieces(connection: &mut MySqlConnection, mark: &str, table: &Table, count: u64) -> Result<Option<Pieces>> {
    let whole_number = |key: &ChunkKey| !key.first_nullable && key.columns.first().is_some_and(KeyColumn::is_integer);
    let Some(key) = choose_key(table).filter(|key| table.primary_key.is_some() && whole_number(key)) else { return Ok(None) };
    let Some(column) = key.columns.first().map(|column| column.name.clone()) else { return Ok(None) };
    let index = key.index.clone();
    let rows_aim = table.estimated_rows.div_ceil(count.max(1)).max(1);
    let mut cutter = Cutter { connection, mark, table, key, rows_aim, chunks_aim: count.max(1), row_bytes: 1 };
    let Some(bounds) = cutter.ranges().await.map_err(|error| error.table(&table.name))? else { return Ok(None) };
    let bounds = bounds.into_iter().filter_map(|(bound, _)| match bound.as_slice() {
        [KeyValue::Int(number)] => Some(*number),
        _ => None,
    });
    Ok(Some(Pieces { index, column, bounds: bounds.collect() }))
}

/// The primary key, else a unique index, else any: of each the longest usable start, whole-number keys first.
fn choose_key(table: &Table) -> Option<ChunkKey> {
    let usable = |index: &Index| -> Option<ChunkKey> {
        if index.method != IndexMethod::BTree || !index.visible {
            return None;
        }
        let mut columns = Vec::new();
        let mut first_nullable = false;
        let descending = index.parts.first()?.descending;
        for part in &index.parts {
            let Some(name) = part.column.as_deref() else { break };
            let Some(column) = table.column(name) else { break };
            // NULLs further behind would fall out of a comparison, and a change of direction would make the walk sort.
            if part.prefix.is_some() || part.descending != descending || (column.nullable && !columns.is_empty()) {
                break;
            }
            let Some(key) = KeyColumn::of(name, &column.native) else { break };
            if columns.is_empty() {
                first_nullable = column.nullable;
            }
            columns.push(key);
        }
        (!columns.is_empty()).then(|| ChunkKey { index: index.name.clone(), columns, first_nullable })
    };
    let primary = table.primary_key.iter().map(|index| Index { name: "PRIMARY".into(), ..index.clone() });
    let (unique, others): (Vec<_>, Vec<_>) = table.indexes.iter().cloned().partition(|index| index.unique);
    let rank = |key: &ChunkKey| (key.first_nullable, !key.columns.first().is_some_and(KeyColumn::is_integer));
    primary
        .filter_map(|index| usable(&index))
        .next()
        .or_else(|| unique.iter().filter_map(usable).min_by_key(rank))
        .or_else(|| others.iter().filter_map(usable).min_by_key(rank))
}

/// A range of a whole-number key, half-open, with the rows that the server expects in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Span {
    from: i128,
    to: i128,
    rows: u64,
}

impl Cutter<'_> {
    async fn plan(&mut self) -> Result<ChunkPlan> {
        let integer = self.key.columns.first().is_some_and(KeyColumn::is_integer);
        let (key, bounds) = match if integer { self.ranges().await? } else { None } {
            // Ranges bound the first column alone.
            Some(bounds) => (self.key.columns.iter().take(1).map(|column| column.name.clone()).collect(), bounds),
            None => (self.key.columns.iter().map(|column| column.name.clone()).collect(), self.walk().await?),
        };
        if bounds.is_empty() {
            return Ok(ChunkPlan::whole(self.table.estimated_rows, self.table.estimated_bytes));
        }
        let mut chunks = Vec::with_capacity(bounds.len() + 2);
        let mut push = |range: ChunkRange, rows: u64| -> Result<()> {
            let id = u32::try_from(chunks.len()).map_err(|_| Error::internal("more than 2^32 chunks"))?;
            chunks.push(Chunk { id, range, estimated_rows: rows, estimated_bytes: rows.saturating_mul(self.row_bytes) });
            Ok(())
        };
        let mut lower: Option<Vec<KeyValue>> = None;
        for (bound, rows) in bounds {
            push(ChunkRange::Key { lower, upper: Some(bound.clone()) }, rows)?;
            lower = Some(bound);
        }
        push(ChunkRange::Key { lower, upper: None }, self.rows_aim)?;
        if self.key.first_nullable {
            push(ChunkRange::NullKey, 0)?;
        }
        Ok(ChunkPlan { key, index: Some(self.key.index.clone()), chunks })
    }

    /// Bounds between equal widths, mended by estimates, each with the rows below it; none when the values are too crowded or too
    /// unevenly spread to be cut that way.
    async fn ranges(&mut self) -> Result<Option<Vec<(Vec<KeyValue>, u64)>>> {
        let Some((least, most)) = self.extremes().await? else { return Ok(Some(Vec::new())) };
        // 64-bit keys: neither the difference nor the end overflows 128 bits.
        let (begin, end) = (least, most + 1);
        let parts = i128::from(self.chunks_aim).min(end - begin);
        let mut open: Vec<Span> = Vec::new();
        for part in 0..parts {
            let at = |part: i128| begin + (end - begin) * part / parts;
            open.push(Span { from: at(part), to: at(part + 1), rows: 0 });
        }
        open.reverse();
        let mut explains = EXPLAINS_BESIDES + EXPLAINS_PER_CHUNK * self.chunks_aim;
        let mut done: Vec<Span> = Vec::new();
        while let Some(mut span) = open.pop() {
            if explains == 0 {
                return Ok(None);
            }
            explains -= 1;
            span.rows = self.explain(span, most).await?;
            if span.rows > self.rows_aim.saturating_mul(2) {
                if span.to - span.from == 1 {
                    // One value with many rows: further columns of the key, if there are some, can cut it.
                    if self.key.columns.len() > 1 {
                        return Ok(None);
                    }
                } else {
                    let middle = span.from + (span.to - span.from) / 2;
                    open.push(Span { from: middle, ..span });
                    open.push(Span { to: middle, ..span });
                    continue;
                }
            }
            match done.last_mut() {
                // The aim is also a bound for merged neighbours, so that merging makes no chunk that was worth cutting.
                Some(last) if last.rows.saturating_add(span.rows) <= self.rows_aim => {
                    last.to = span.to;
                    last.rows += span.rows;
                }
                _ => done.push(span),
            }
        }
        // Estimates that do not add up to a good part of the table are none.
        let total: u64 = done.iter().fold(0, |total, span| total.saturating_add(span.rows));
        if total < self.table.estimated_rows / 4 {
            tracing::debug!(table = %self.table.name, total, "the server's estimates of ranges cannot be used");
            return Ok(None);
        }
        // The end of the last span is no bound: it stays open.
        let count = done.len().saturating_sub(1);
        Ok(Some(done.iter().take(count).map(|span| (vec![KeyValue::Int(span.to)], span.rows)).collect()))
    }

    async fn extremes(&mut self) -> Result<Option<(i128, i128)>> {
        let Some(first) = self.key.columns.first() else { return Ok(None) };
        let name = quote(&first.name);
        let sql = format!("SELECT CAST(MIN({name}) AS CHAR), CAST(MAX({name}) AS CHAR) FROM {}", self.from());
        let row = self.fetch(sql, Vec::new()).await?;
        let read = |at: usize| -> Result<Option<i128>> {
            let Some(row) = &row else { return Ok(None) };
            let text: Option<String> =
                row.try_get_unchecked(at).map_err(|error| failed("the ends of a key could not be read", error))?;
            let parse = |text: String| {
                text.parse().map_err(|error| Error::internal(format!("`{text}` is no whole number")).with_source(error))
            };
            text.map(parse).transpose()
        };
        Ok(read(0)?.zip(read(1)?))
    }

    /// The rows that the server expects in a span.
    async fn explain(&mut self, span: Span, most: i128) -> Result<u64> {
        let key: Vec<KeyColumn> = self.key.columns.iter().take(1).cloned().collect();
        let lower = Some(vec![KeyValue::Int(span.from)]);
        // One behind the largest value may not fit the column's type, and is no bound of a chunk either.
        let upper = (span.to <= most).then(|| vec![KeyValue::Int(span.to)]);
        let mut arguments = Vec::new();
        let condition = condition(&key, &ChunkRange::Key { lower, upper }, &mut arguments)?.unwrap_or_default();
        // With FORCE INDEX and no ORDER BY, MySQL 8 does not look into the index and says 1.
        let name = key.first().map(|column| quote(&column.name)).unwrap_or_default();
        let sql = format!("EXPLAIN FORMAT=TRADITIONAL SELECT 1 FROM {} WHERE {condition} ORDER BY {name}", self.from());
        let Some(row) = self.fetch(sql, arguments).await? else { return Ok(0) };
        // MySQL sends a number; MariaDB sends text, whose bytes would pass for a huge number. NULL where the server knows without
        // looking that there is no row.
        let unreadable = |error| failed("an estimate could not be read", error);
        if let Ok(text) = row.try_get::<Option<String>, _>("rows") {
            let parse = |text: String| {
                text.parse().map_err(|error| Error::internal(format!("`{text}` is no estimate")).with_source(error))
            };
            return Ok(text.map(parse).transpose()?.unwrap_or(0));
        }
        let rows: Option<u64> = row.try_get_unchecked("rows").map_err(unreadable)?;
        Ok(rows.unwrap_or(0))
    }

    /// Bounds along the index, each with the rows below it.
    async fn walk(&mut self) -> Result<Vec<(Vec<KeyValue>, u64)>> {
        let mut bounds: Vec<(Vec<KeyValue>, u64)> = Vec::new();
        loop {
            let lower = bounds.last().map(|(bound, _)| bound.clone());
            let mut next = self.step(lower.as_deref(), Side::From, self.rows_aim).await?;
            if next.is_some() && next == lower {
                // One key with more rows than a chunk: the next other key.
                next = self.step(lower.as_deref(), Side::After, 0).await?;
            }
            let Some(next) = next else { return Ok(bounds) };
            bounds.push((next, self.rows_aim));
            // Far more chunks than aimed at: the server believes the table smaller than it is.
            let count = u64::try_from(bounds.len()).unwrap_or(u64::MAX);
            if count.is_multiple_of(self.chunks_aim.saturating_mul(4)) {
                self.rows_aim = self.rows_aim.saturating_mul(2);
            }
        }
    }

    /// The key that stands `offset` rows behind the bound.
    async fn step(&mut self, bound: Option<&[KeyValue]>, side: Side, offset: u64) -> Result<Option<Vec<KeyValue>>> {
        let mut arguments = Vec::new();
        let condition = match bound {
            Some(bound) => compare(&self.key.columns, bound, side, &mut arguments)?,
            None => {
                condition(&self.key.columns, &ChunkRange::Key { lower: None, upper: None }, &mut arguments)?.unwrap_or_default()
            }
        };
        let select: Vec<String> = self.key.columns.iter().map(KeyColumn::select).collect();
        let order: Vec<String> = self.key.columns.iter().map(|column| quote(&column.name)).collect();
        let (select, order) = (select.join(", "), order.join(", "));
        let sql = format!("SELECT {select} FROM {} WHERE {condition} ORDER BY {order} LIMIT 1 OFFSET {offset}", self.from());
        let Some(row) = self.fetch(sql, arguments).await? else { return Ok(None) };
        let values = self.key.columns.iter().enumerate().map(|(at, column)| column.value(&row, at));
        values.collect::<Result<Vec<_>>>().map(Some)
    }

    fn from(&self) -> String {
        format!("{} FORCE INDEX ({})", quote_table(&self.table.name), quote(&self.key.index))
    }

    async fn fetch(&mut self, sql: String, bounds: Vec<Bound>) -> Result<Option<MySqlRow>> {
        let mut arguments = MySqlArguments::default();
        for bound in bounds {
            match bound {
                Bound::Int(number) => arguments.add(number),
                Bound::UInt(number) => arguments.add(number),
                Bound::Text(text) => arguments.add(text),
                Bound::Bytes(bytes) => arguments.add(bytes),
            }
            .map_err(|error| Error::internal("a bound could not be encoded").with_source(error))?;
        }
        let sql = sqlx::query_with(AssertSqlSafe(format!("{}{sql}", self.mark)), arguments);
        sql.fetch_optional(&mut *self.connection).await.map_err(|error| failed("the table could not be cut into chunks", error))
    }
}
