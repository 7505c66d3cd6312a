//! One chunk as a stream of batches.
//!
//! A task of its own owns the reader and decodes, one batch ahead of whoever takes them; when the stream is dropped the task ends and
//! the reader is thrown away. The result must end with the server's own end-of-result, otherwise the stream ends with an error.
//! After a value that was refused the rest of the result is read and forgotten, so that one bad table does not cost the others their
//! readers.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{ArrayRef, StringArray};
use arrow::datatypes::SchemaRef;
use arrow::record_batch::{RecordBatch, RecordBatchOptions};
use futures::StreamExt;
use futures::stream::BoxStream;
use sqlx::mysql::{MySqlArguments, MySqlQueryResult, MySqlRow};
use sqlx::{AssertSqlSafe, Either, Executor};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::decode::{ColumnDecoder, decoder, hex, wire};
use super::error::failed;
use super::key::{KeyColumn, condition};
use super::readers::Readers;
use super::select::{expressions, quote, quote_table};
use crate::engine::{Batch, BatchStream};
use crate::error::{Error, ErrorKind, Result};
use crate::model::ObjectName;
use crate::model::catalog::{NativeType, ServerInfo, Table};
use crate::model::chunk::{Chunk, ChunkRange};
use crate::model::logical::{LogicalType, schema};
use crate::model::loss::{LossKind, Losses};
use crate::model::row::describe_key;
use crate::model::unit::{ReadColumn, ReadPlan};

/// Most bytes of one batch, whatever is asked for: Arrow's text columns end at 2^31 bytes, and one value has at most 2^30.
const MOST_BATCH_BYTES: usize = 1 << 30;

/// Longest time that the rest of a result is worth its reader.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(30);

/// What all reads of a snapshot share.
pub(super) struct Context {
    mark: String,
    server: ServerInfo,
    /// The types of key columns that a plan may not read.
    natives: HashMap<ObjectName, HashMap<String, NativeType>>,
}

impl Context {
    pub(super) fn new(mark: &str, server: ServerInfo, tables: &[Table]) -> Self {
        let natives = |table: &Table| table.columns.iter().map(|c| (c.name.clone(), c.native.clone())).collect();
        let natives = tables.iter().map(|table| (table.name.clone(), natives(table))).collect();
        Context { mark: mark.to_string(), server, natives }
    }

    pub(super) fn mark(&self) -> &str {
        &self.mark
    }

    /// The statement for a chunk, with its bounds.
    fn statement(&self, what: &ReadPlan, range: &ChunkRange) -> Result<(String, MySqlArguments)> {
        let columns: Vec<String> = what.columns.iter().flat_map(|column| expressions(column, &self.server)).collect();
        if columns.is_empty() {
            return Err(Error::internal("a read plan without columns"));
        }
        let key = what.chunk_key.iter().map(|name| self.key_column(what, name)).collect::<Result<Vec<_>>>()?;
        let mut arguments = MySqlArguments::default();
        let mut sql = format!("{}SELECT {} FROM {}", self.mark, columns.join(", "), quote_table(&what.table));
        let mut conditions: Vec<String> = what.row_filter.iter().map(|filter| format!("({filter})")).collect();
        if let Some(condition) = condition(&key, range, &mut arguments)? {
            if let Some(index) = &what.index {
                sql.push_str(&format!(" FORCE INDEX ({})", quote(index)));
            }
            conditions.push(format!("({condition})"));
        }
        if !conditions.is_empty() {
            sql.push_str(" WHERE ");
            sql.push_str(&conditions.join(" AND "));
        }
        Ok((sql, arguments))
    }

    fn key_column(&self, what: &ReadPlan, name: &str) -> Result<KeyColumn> {
        let read = what.columns.iter().find(|column| column.name == name).map(|column| &column.native);
        let native = read.or_else(|| self.natives.get(&what.table)?.get(name));
        native
            .and_then(|native| KeyColumn::of(name, native))
            .ok_or_else(|| Error::internal(format!("`{name}` cannot bound chunks")))
    }
}

/// [`crate::engine::Snapshot::read`].
pub(super) fn stream(readers: Arc<Readers>, context: Arc<Context>, what: ReadPlan, chunk: Chunk) -> BatchStream {
    // Nothing happens before the first poll.
    let start = async move {
        let (batches, received) = mpsc::channel(1);
        let table = what.table.clone();
        let task = tokio::spawn(async move { read(&readers, &context, &what, &chunk.range, &batches).await });
        Incoming { received, task: Some(task), table }
    };
    futures::stream::once(start).flat_map(|incoming| futures::stream::unfold(incoming, Incoming::next)).boxed()
}

/// The stream's end of the channel. Dropped midway, it ends the task, and with it the reader.
struct Incoming {
    received: mpsc::Receiver<Result<Batch>>,
    /// None once the stream is at its end.
    task: Option<JoinHandle<()>>,
    table: ObjectName,
}

impl Incoming {
    async fn next(mut self) -> Option<(Result<Batch>, Self)> {
        self.task.as_ref()?;
        if let Some(batch) = self.received.recv().await {
            if batch.is_err() {
                // The end of the stream; the task goes on for a moment to save its reader.
                self.task = None;
            }
            return Some((batch, self));
        }
        // A task that panicked sent no error, and must not look like the end of the table.
        let ended = self.task.take()?.await;
        let error = ended.err()?;
        Some((Err(Error::internal("a reader's task ended early").table(&self.table).with_source(error)), self))
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

/// Rows as the driver hands them out, and the server's end of the result.
type Rows<'a> = BoxStream<'a, Result<Either<MySqlQueryResult, MySqlRow>, sqlx::Error>>;

/// Reads a chunk and sends its batches, or an error as the last item.
async fn read(
    readers: &Arc<Readers>,
    context: &Context,
    what: &ReadPlan,
    range: &ChunkRange,
    batches: &mpsc::Sender<Result<Batch>>,
) {
    // Nobody listens any more when the stream was dropped, so whether an error arrives does not matter.
    let tell = async |error: Error| drop(batches.send(Err(error.table(&what.table))).await);
    let prepared = async { Ok((context.statement(what, range)?, BatchBuilder::new(what)?, readers.lend().await?)) };
    let ((sql, arguments), builder, mut lent) = match prepared.await {
        Ok(prepared) => prepared,
        Err(error) => return tell(error).await,
    };
    let connection = match lent.connection() {
        Ok(connection) => connection,
        Err(error) => return tell(error).await,
    };
    // With arguments, even none, the driver prepares the statement, so values come in the binary protocol.
    let mut rows: Rows<'_> = connection.fetch_many(sqlx::query_with(AssertSqlSafe(sql), arguments));
    let at_end = match fill(&mut rows, builder, what, batches).await {
        Ok(at_end) => at_end,
        // The connection is sound when only a value was not: the reader is worth the rest of the chunk.
        Err(error) if error.kind() == ErrorKind::Value => {
            tell(error).await;
            tokio::time::timeout(DRAIN_TIMEOUT, drain(&mut rows)).await.unwrap_or(false)
        }
        Err(error) => {
            // Gone before it is told, so that nobody who was told waits for it.
            drop(rows);
            drop(lent);
            return tell(error).await;
        }
    };
    drop(rows);
    if at_end {
        lent.give_back();
    }
}

/// Sends all rows; true at the end of the result, false when nobody listens any more.
async fn fill(
    rows: &mut Rows<'_>,
    mut builder: BatchBuilder<'_>,
    what: &ReadPlan,
    batches: &mpsc::Sender<Result<Batch>>,
) -> Result<bool> {
    let most = what.batch_bytes.clamp(1, MOST_BATCH_BYTES);
    let Ok(mut room) = batches.reserve().await else { return Ok(false) };
    let mut ended = false;
    while let Some(item) = rows.next().await {
        match item.map_err(|error| failed("a chunk could not be read", error))? {
            Either::Left(_) => ended = true,
            Either::Right(row) => {
                let bytes = builder.row_bytes(&row)?;
                if builder.rows > 0 && builder.bytes + bytes > most {
                    room.send(Ok(builder.finish()?));
                    // The next batch begins when the last one was taken: one batch ahead, not two.
                    let Ok(next) = batches.reserve().await else { return Ok(false) };
                    room = next;
                }
                builder.append(&row, bytes)?;
            }
        }
    }
    if !ended {
        return Err(Error::new(ErrorKind::ConnectionLost, "the server's result ended without its end mark"));
    }
    if builder.rows > 0 {
        room.send(Ok(builder.finish()?));
    }
    Ok(true)
}

/// Reads a result to its end; true if it had one.
async fn drain(rows: &mut Rows<'_>) -> bool {
    let mut ended = false;
    while let Some(item) = rows.next().await {
        match item {
            Ok(Either::Left(_)) => ended = true,
            Ok(Either::Right(_)) => {}
            Err(_) => return false,
        }
    }
    ended
}

/// Rows on their way into a batch.
struct BatchBuilder<'a> {
    what: &'a ReadPlan,
    schema: SchemaRef,
    decoders: Vec<Box<dyn ColumnDecoder>>,
    /// Where each column's first expression stands in the row.
    positions: Vec<usize>,
    rows: usize,
    bytes: usize,
    /// The columns that have policies, by their place.
    under_policies: Vec<usize>,
    /// What they have done to the batch so far.
    losses: Losses,
    /// Kept, so that no row allocates.
    applied: Vec<LossKind>,
}

impl<'a> BatchBuilder<'a> {
    fn new(what: &'a ReadPlan) -> Result<Self> {
        let mut positions = Vec::with_capacity(what.columns.len());
        let mut decoders = Vec::with_capacity(what.columns.len());
        let mut at = 0;
        // How many expressions a column has does not depend on the server.
        let any = ServerInfo::default();
        for column in &what.columns {
            positions.push(at);
            decoders.push(decoder(column, at)?);
            at += expressions(column, &any).len();
        }
        let schema = schema(what.columns.iter().map(|column| (column.name.as_str(), &column.logical)));
        let under_policies =
            what.columns.iter().enumerate().filter(|(_, column)| !column.policies.is_empty()).map(|(at, _)| at).collect();
        Ok(BatchBuilder {
            what,
            schema,
            decoders,
            positions,
            rows: 0,
            bytes: 0,
            under_policies,
            losses: Losses::default(),
            applied: Vec::new(),
        })
    }

    /// The row's bytes in Arrow.
    fn row_bytes(&self, row: &MySqlRow) -> Result<usize> {
        // An eighth of a byte for each validity bit, rounded up.
        let mut bytes = self.decoders.len().div_ceil(8);
        for decoder in &self.decoders {
            bytes += decoder.bytes(row)?;
        }
        Ok(bytes)
    }

    fn append(&mut self, row: &MySqlRow, bytes: usize) -> Result<()> {
        for (at, decoder) in self.decoders.iter_mut().enumerate() {
            if let Err(error) = decoder.append(row) {
                let name = self.what.columns.get(at).map_or("?", |column| column.name.as_str());
                return Err(error.column(name).key(self.key(row)));
            }
        }
        if !self.under_policies.is_empty() {
            self.count_losses(row);
        }
        self.rows += 1;
        self.bytes += bytes;
        Ok(())
    }

    /// Counts what policies have done to the row that was appended last.
    fn count_losses(&mut self, row: &MySqlRow) {
        let mut losses = std::mem::take(&mut self.losses);
        let mut applied = std::mem::take(&mut self.applied);
        for at in self.under_policies.clone() {
            if let (Some(decoder), Some(column)) = (self.decoders.get_mut(at), self.what.columns.get(at)) {
                decoder.applied(&mut applied);
                for kind in applied.drain(..) {
                    losses.add(&column.name, kind, &column.policies.word(kind), 1, || Some(self.key(row)));
                }
            }
        }
        (self.losses, self.applied) = (losses, applied);
    }

    /// Names the row by a batch of its own, with nothing but its key.
    fn key(&self, row: &MySqlRow) -> String {
        let mut columns: Vec<(&ReadColumn, ArrayRef)> = Vec::new();
        for (column, at) in self.what.columns.iter().zip(&self.positions) {
            if self.what.row_key.contains(&column.name) {
                let decoded = decoder(column, *at).and_then(|mut decoder| decoder.append(row).map(|()| decoder.finish()));
                // The key itself may be what cannot be decoded: then as its bytes.
                let raw = || wire(row, *at).ok().flatten().map(hex);
                columns.push((column, decoded.unwrap_or_else(|_| Arc::new(StringArray::from(vec![raw()])))));
            }
        }
        let text = LogicalType::Text { length: None };
        let batch = RecordBatch::try_new(
            schema(columns.iter().map(|(column, array)| {
                let plain = *array.data_type() == column.logical.arrow();
                (column.name.as_str(), if plain { &column.logical } else { &text })
            })),
            columns.iter().map(|(_, array)| Arc::clone(array)).collect(),
        );
        match batch {
            Ok(batch) => describe_key(&batch, &self.what.row_key, 0),
            Err(_) => describe_key(&RecordBatch::new_empty(schema([])), &self.what.row_key, self.rows),
        }
    }

    fn finish(&mut self) -> Result<Batch> {
        let columns = self.decoders.iter_mut().map(|decoder| decoder.finish()).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(self.rows));
        let rows = RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)?;
        (self.rows, self.bytes) = (0, 0);
        Ok(Batch { bytes: rows.get_array_memory_size(), rows, losses: std::mem::take(&mut self.losses) })
    }
}
