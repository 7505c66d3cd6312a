//! Reads one chunk, row by row, into Arrow batches.

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Row, params_from_iter};

use super::decode::Decoder;
use super::error::from_sqlite;
use super::rowid::{Rowid, rowid_of};
use super::typemap::quoted;
use crate::engine::Batch;
use crate::error::{Error, Result};
use crate::model::chunk::{Chunk, ChunkRange, KeyValue};
use crate::model::logical::schema;
use crate::model::loss::{LossKind, Losses};
use crate::model::unit::ReadPlan;

/// Upper bound of a batch whatever the plan says: an Arrow column of text ends at 2 GiB.
const MAX_BATCH_BYTES: usize = 1 << 30;
/// Most characters of one key value in an error.
const KEY_VALUE_CHARS: usize = 80;

/// Reads `chunk` and hands each batch to `send`, until the end of the result or until `send` says `false` (nobody listens any more).
///
/// # Errors
/// `Value` for a value that does not fit its column, with table, column and rowid.
pub(super) fn read(connection: &Connection, plan: &ReadPlan, chunk: &Chunk, mut send: impl FnMut(Batch) -> bool) -> Result<()> {
    let failed = |error| from_sqlite(error, "the table cannot be read").table(&plan.table);
    let rowid = rowid_of(connection, &plan.table.name)?;
    let (sql, bounds) = select(plan, chunk, rowid.as_ref())?;
    let mut statement = connection.prepare(&sql).map_err(failed)?;
    let mut rows = statement.query(params_from_iter(bounds)).map_err(failed)?;
    let mut building = Building::new(plan)?;
    let first = usize::from(rowid.is_some());
    let mut position: u64 = 0;
    while let Some(row) = rows.next().map_err(failed)? {
        position += 1;
        if let Some(batch) = building.append(row, first, failed, || name_of(row, plan, first, position))?
            && !send(batch)
        {
            return Ok(());
        }
    }
    if let Some(batch) = building.finish()? {
        send(batch);
    }
    Ok(())
}

/// The query of a chunk: the rowid first, if there is one, then the columns of the plan.
fn select(plan: &ReadPlan, chunk: &Chunk, rowid: Option<&Rowid>) -> Result<(String, Vec<i64>)> {
    let unfit = |what: &str| Error::internal(format!("chunk {} {what}", chunk.id)).table(&plan.table);
    let mut wanted: Vec<String> = rowid.map(Rowid::sql).into_iter().collect();
    wanted.extend(plan.columns.iter().map(|column| format!("t.{}", quoted(&column.name))));
    if wanted.is_empty() {
        // Rows without a column still count.
        wanted.push("NULL".into());
    }
    let mut sql = format!("SELECT {} FROM {} t", wanted.join(", "), quoted(&plan.table.name));
    let mut bounds = Vec::new();
    let mut conditions: Vec<String> = plan.row_filter.iter().map(|filter| format!("({filter})")).collect();
    match &chunk.range {
        ChunkRange::Whole => {}
        ChunkRange::Key { lower, upper } => {
            let id = rowid.ok_or_else(|| unfit("is a range of rowids, but the table has none"))?.sql();
            for (bound, operator) in [(lower, ">="), (upper, "<")] {
                match bound.as_deref() {
                    None => {}
                    Some([KeyValue::Int(value)]) => {
                        bounds.push(i64::try_from(*value).map_err(|_| unfit("is bounded by a number that is no rowid"))?);
                        conditions.push(format!("{id} {operator} ?{}", bounds.len()));
                    }
                    Some(_) => return Err(unfit("is not bounded by one whole number")),
                }
            }
        }
        ChunkRange::NullKey | ChunkRange::Pages { .. } => return Err(unfit("is of a kind that SQLite has not")),
    }
    if !conditions.is_empty() {
        sql.push_str(" WHERE ");
        sql.push_str(&conditions.join(" AND "));
    }
    Ok((sql, bounds))
}

/// A batch as it grows.
struct Building<'a> {
    plan: &'a ReadPlan,
    schema: SchemaRef,
    decoders: Vec<Decoder>,
    rows: usize,
    bytes: usize,
    limit: usize,
    /// What policies have done to the batch so far.
    losses: Losses,
    /// Kept, so that no row allocates.
    applied: Vec<LossKind>,
}

impl<'a> Building<'a> {
    fn new(plan: &'a ReadPlan) -> Result<Self> {
        let decoders = plan
            .columns
            .iter()
            .map(|column| {
                Decoder::new(&column.logical, &column.policies).map_err(|error| error.table(&plan.table).column(&column.name))
            })
            .collect::<Result<_>>()?;
        Ok(Building {
            plan,
            schema: schema(plan.columns.iter().map(|column| (column.name.as_str(), &column.logical))),
            decoders,
            rows: 0,
            bytes: 0,
            limit: plan.batch_bytes.min(MAX_BATCH_BYTES),
            losses: Losses::default(),
            applied: Vec::new(),
        })
    }

    /// Adds a row; gives the batch before it when the row would make that too large.
    fn append(
        &mut self,
        row: &Row<'_>,
        first: usize,
        failed: impl Fn(rusqlite::Error) -> Error,
        name: impl Fn() -> String,
    ) -> Result<Option<Batch>> {
        let mut bytes: usize = 1;
        for (place, decoder) in (first..).zip(&self.decoders) {
            bytes = bytes.saturating_add(decoder.value_bytes(row.get_ref(place).map_err(&failed)?));
        }
        let full = if self.rows > 0 && self.bytes.saturating_add(bytes) > self.limit { self.finish()? } else { None };
        for ((place, decoder), column) in (first..).zip(&mut self.decoders).zip(&self.plan.columns) {
            let value = row.get_ref(place).map_err(&failed)?;
            decoder
                .append(value, &mut self.applied)
                .map_err(|error| error.table(&self.plan.table).column(&column.name).key(name()))?;
            for kind in self.applied.drain(..) {
                self.losses.add(&column.name, kind, &column.policies.word(kind), 1, || Some(name()));
            }
        }
        self.rows += 1;
        self.bytes = self.bytes.saturating_add(bytes);
        Ok(full)
    }

    /// The rows so far as a batch; none without rows.
    fn finish(&mut self) -> Result<Option<Batch>> {
        if self.rows == 0 {
            return Ok(None);
        }
        let columns = self.decoders.iter_mut().map(Decoder::finish).collect();
        let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(self.rows));
        let rows = RecordBatch::try_new_with_options(self.schema.clone(), columns, &options)?;
        (self.rows, self.bytes) = (0, 0);
        let losses = std::mem::take(&mut self.losses);
        Ok(Some(Batch { losses, ..Batch::plain(rows.clone(), rows.get_array_memory_size()) }))
    }
}

/// The row for people: `(rowid = 7)`, else its key, else its place in the chunk.
fn name_of(row: &Row<'_>, plan: &ReadPlan, first: usize, position: u64) -> String {
    if first == 1
        && let Ok(ValueRef::Integer(rowid)) = row.get_ref(0)
    {
        return format!("(rowid = {rowid})");
    }
    let parts: Vec<String> = (first..)
        .zip(&plan.columns)
        .filter(|(_, column)| plan.row_key.contains(&column.name))
        .filter_map(|(place, column)| Some(format!("{} = {}", column.name, key_value(row.get_ref(place).ok()?))))
        .collect();
    if parts.is_empty() {
        format!("(row {position} of its chunk; the table has no key)")
    } else {
        format!("({})", parts.join(", "))
    }
}

fn key_value(value: ValueRef<'_>) -> String {
    let text = match value {
        ValueRef::Null => "NULL".to_string(),
        ValueRef::Integer(number) => number.to_string(),
        ValueRef::Real(number) => number.to_string(),
        ValueRef::Text(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        ValueRef::Blob(bytes) => {
            let digits: String = bytes.iter().take(KEY_VALUE_CHARS / 2).map(|byte| format!("{byte:02x}")).collect();
            if bytes.len() > KEY_VALUE_CHARS / 2 { format!("x'{digits}…'") } else { format!("x'{digits}'") }
        }
    };
    let cut: String = text.chars().take(KEY_VALUE_CHARS + 4).collect();
    if cut.len() < text.len() { format!("{cut}…") } else { cut }
}
