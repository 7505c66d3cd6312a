//! One chunk as a stream of batches.
//!
//! A task of its own owns the reader and decodes, one batch ahead of whoever takes them. The result must end with the server's own
//! end-of-result, otherwise the stream ends with an error.
//! A reader is a part of the snapshot and cannot be had again. So after a value that was refused, and when the stream is dropped because the
//! target failed, the rest of the result is read and forgotten, for a while: the chunk is tried again in the same snapshot.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::batch::BatchBuilder;
use super::cut_short;
use super::error::failed;
use super::key::{KeyColumn, condition};
use super::readers::Readers;
use super::select::{expressions, quote, quote_table};
use super::wire::{Bound, Rows, Step, Wide};
use crate::engine::budget::Filling;
use crate::engine::{Batch, BatchStream, Budget};
use crate::error::{Error, ErrorKind, Result};
use crate::model::ObjectName;
use crate::model::catalog::{NativeType, ServerInfo, Table};
use crate::model::chunk::{Chunk, ChunkRange};
use crate::model::unit::ReadPlan;

/// Most bytes of one batch, whatever is asked for: Arrow's text columns end at 2^31 bytes, and one value has at most 2^30.
const MOST_BATCH_BYTES: usize = 1 << 30;

/// Longest time that the rest of a result is worth its reader.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(30);

/// What an error of the server says of a chunk.
const NOT_READ: &str = "a chunk could not be read";

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
    fn statement(&self, what: &ReadPlan, range: &ChunkRange) -> Result<(String, Vec<Bound>)> {
        let columns: Vec<String> =
            what.columns.iter().flat_map(|column| expressions(column, &self.server, what.keep_raw)).collect();
        if columns.is_empty() {
            return Err(Error::internal("a read plan without columns"));
        }
        let key = what.chunk_key.iter().map(|name| self.key_column(what, name)).collect::<Result<Vec<_>>>()?;
        let mut arguments = Vec::new();
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
pub(super) fn stream(readers: Arc<Readers>, context: Arc<Context>, what: ReadPlan, chunk: Chunk, budget: &Budget) -> BatchStream {
    let filling = budget.filling_announced(&what.table);
    // Nothing happens before the first poll.
    let start = async move {
        let (batches, received) = mpsc::channel(1);
        let table = what.table.clone();
        let task = tokio::spawn(async move { read(&readers, &context, &what, &chunk.range, filling, &batches).await });
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
        let Some(mut task) = self.task.take() else { return };
        self.received.close();
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => {
                runtime.spawn(async move {
                    if tokio::time::timeout(DRAIN_TIMEOUT, &mut task).await.is_err() {
                        task.abort();
                    }
                });
            }
            Err(_) => task.abort(),
        }
    }
}

/// Reads a chunk and sends its batches, or an error as the last item.
async fn read(
    readers: &Arc<Readers>,
    context: &Context,
    what: &ReadPlan,
    range: &ChunkRange,
    filling: Filling,
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
    let mut filling = filling;
    // Asked for before there is room: only what describes the rows is read here, and the answer is on its way until the chunk's turn comes.
    let mut rows = match connection.rows(&sql, &arguments).await {
        Ok(rows) => rows,
        Err(error) => {
            drop(lent);
            return tell(failed(NOT_READ, error)).await;
        }
    };
    let at_end = match fill(&mut rows, builder, what, &mut filling, batches).await {
        Ok(true) => true,
        // Nobody listens any more.
        Ok(false) => tokio::time::timeout(DRAIN_TIMEOUT, drain(&mut rows)).await.unwrap_or(false),
        // The connection is sound when only a value was not: the reader is worth the rest of the chunk.
        Err(error) if matches!(error.kind(), ErrorKind::Value | ErrorKind::Unsupported) => {
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
        let refused = match lent.connection() {
            Ok(connection) => cut_short::refuse(connection).await,
            Err(error) => Err(error),
        };
        match refused {
            Err(error) if error.kind() != ErrorKind::TooLarge => {
                drop(lent);
                return tell(error).await;
            }
            Err(error) => tell(error).await,
            Ok(()) => {}
        }
    }
    if at_end {
        // The reader gives its buffer up first, and `filling` then the part of the budget that stood for it.
        lent.give_back();
    }
}

/// Sends all rows; true at the end of the result, false when nobody listens any more.
async fn fill(
    rows: &mut Rows<'_>,
    mut builder: BatchBuilder<'_>,
    what: &ReadPlan,
    filling: &mut Filling,
    batches: &mpsc::Sender<Result<Batch>>,
) -> Result<bool> {
    let most = what.batch_bytes.clamp(1, MOST_BATCH_BYTES);
    let mut room = None;
    // Bytes on the wire of the row that is announced and has its part of the budget.
    let mut announced = 0;
    loop {
        if room.is_none() {
            // Who waits has no buffer of a wide row that was sent.
            rows.shrink();
            // The next batch begins when the last one was taken: one batch ahead, not two.
            let Ok(free) = batches.reserve().await else { return Ok(false) };
            filling.begin().await;
            room = Some(free);
        }
        let block = match rows.next_within(announced).await.map_err(|error| failed(NOT_READ, error))? {
            Step::Rows(block) => block,
            Step::Wide(Wide { ahead, block }) => {
                // Of a row that comes in one packet the values are not known yet; it is small enough to be received and refused then.
                if block.rows() > 0 {
                    let least = builder.least_bytes(ahead.bytes);
                    filling.check(least).map_err(|error| builder.name_ahead(error, &block, ahead.column))?;
                }
                announced = ahead.bytes;
                let bytes = builder.expected_bytes(ahead.bytes);
                if bytes > most {
                    if let Some(full) = room.take_if(|_| builder.holds_anything()) {
                        full.send(Ok(Batch { held: filling.hand_over(), ..builder.finish()? }));
                        let Ok(free) = batches.reserve().await else { return Ok(false) };
                        room = Some(free);
                    }
                    filling.expect(bytes, ahead.open).await;
                }
                continue;
            }
            Step::End => break,
        };
        announced = 0;
        let mut row = 0;
        while row < block.rows() {
            let bytes = builder.row_bytes(&block, row);
            let mut next = row;
            if !filling.is_short_of(bytes) || !builder.holds_anything() {
                filling.widen(bytes).await.map_err(|error| builder.name_widest(error, &block, row))?;
                filling.settle(bytes);
                next = builder.take(&block, row, most)?;
            }
            // One that is wider than a batch is sent at once: the next is as wide, perhaps, and there must be room for it before it comes.
            if (next == row || bytes > most)
                && let Some(room) = room.take()
            {
                room.send(Ok(Batch { held: filling.hand_over(), ..builder.finish()? }));
            }
            if room.is_none() && next < block.rows() {
                let Ok(free) = batches.reserve().await else { return Ok(false) };
                filling.begin().await;
                room = Some(free);
            }
            row = next;
        }
    }
    if let Some(room) = room
        && builder.holds_anything()
    {
        room.send(Ok(Batch { held: filling.hand_over(), ..builder.finish()? }));
    }
    Ok(true)
}

/// Reads a result to its end; true if it had one.
async fn drain(rows: &mut Rows<'_>) -> bool {
    loop {
        match rows.next_within(0).await {
            Ok(Step::Rows(_)) => {}
            Ok(Step::Wide(_)) => {
                if rows.pass_over().await.is_err() {
                    return false;
                }
            }
            Ok(Step::End) => return true,
            Err(_) => return false,
        }
    }
}
