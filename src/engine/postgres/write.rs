//! One chunk's way into the target: one transaction, one COPY, one receipt. Rows that are found by a key take the way of [`upsert`].
//!
//! A task of its own owns the connection and sends, while the caller encodes the next piece. Two buffers go round between both, so a slow server
//! holds the caller up. A row that is much wider than a piece is sent in slices, and waited for. Whatever ends the writer without a commit closes the connection, and so takes everything back.

use std::sync::Arc;

use arrow::array::RecordBatch;
use async_trait::async_trait;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::encode::{HEADER, RowEncoder, TRAILER};
use super::error;
use super::ledger::PostgresLedger;
use super::pool::Lease;
use super::target::{quoted, quoted_columns, run};
use super::upsert::{self, Merge};
use crate::engine::ChunkWriter;
use crate::error::{Error, ErrorKind, Result};
use crate::failpoint;
use crate::model::reject::Reject;
use crate::model::unit::{Receipt, WorkUnit};
use crate::model::{Digest, Losses, ObjectName, RunId};

/// A piece is sent once it has so many bytes: far above the cost of a message, far below what memory is counted in.
const PIECE_BYTES: usize = 1 << 20;

/// Smallest piece. Where memory is short pieces are small: each job has four, two on their way, one being filled, one of the driver's.
const LEAST_PIECE_BYTES: usize = 16 << 10;

/// Pieces of one batch at least.
const PIECES_PER_BATCH: usize = 4;

/// A buffer that one wide row has made so many times as large as a piece is not used again, nor is another one filled meanwhile.
const WIDE_PIECES: usize = 4;

/// Where a chunk goes.
struct Destination {
    ledger: Arc<PostgresLedger>,
    run: RunId,
    table: ObjectName,
    chunk: u32,
    piece_bytes: usize,
    claim: Claim,
    /// What follows the COPY, of rows that are found by a key.
    merge: Option<Merge>,
}

/// What the transaction claims before it sends anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Claim {
    /// The chunk.
    Chunk,
    /// A row that the chunk has rejected.
    Reject(u32),
}

/// What the task is to do.
enum Order {
    Send(Vec<u8>),
    /// Likewise, in slices; and say when it is gone.
    SendWide(Vec<u8>, oneshot::Sender<()>),
    Commit(Receipt, Vec<Reject>),
    Abort,
}

/// The writer of one chunk.
pub(super) struct Writer {
    encoder: Arc<RowEncoder>,
    table: ObjectName,
    chunk: u32,
    piece_bytes: usize,
    buffer: Vec<u8>,
    rows: u64,
    /// Rows of the source that the chunk is made from, if told.
    rows_read: Option<u64>,
    losses: Losses,
    rejects: Vec<Reject>,
    /// A batch is sent only once all of it is encoded, so that one that is refused leaves no trace.
    whole_batches: bool,
    bytes: u64,
    /// A row was refused in its midst, so that nothing may follow and nothing be committed.
    broken: bool,
    orders: Sender<Order>,
    spare: Receiver<Vec<u8>>,
    task: Option<JoinHandle<Result<()>>>,
}

/// Opens the transaction on `lease`, claims the receipt and begins the COPY.
pub(super) async fn begin(
    mut lease: Lease,
    ledger: Arc<PostgresLedger>,
    unit: &WorkUnit,
    encoder: Arc<RowEncoder>,
    triggers_off: bool,
    claim: Claim,
) -> Result<Writer> {
    let table = unit.target.clone();
    let failed = |error| error::map(error, "the transaction of a chunk could not be opened").table(&table);
    match claim {
        Claim::Chunk => ledger.open_chunk(&mut lease, unit.run, &table, unit.chunk.id, triggers_off).await?,
        Claim::Reject(number) => {
            run(&mut lease, "BEGIN".into()).await.map_err(failed)?;
            ledger.take_reject(&mut lease, unit.run, &table, unit.chunk.id, number).await?;
            if triggers_off {
                run(&mut lease, "SET LOCAL session_replication_role = replica".into()).await.map_err(failed)?;
            }
        }
    }
    failpoint::reached(failpoint::CHUNK_CLAIMED);
    let columns = quoted_columns(encoder.columns());
    let (place, merge) = match &unit.load.upsert {
        None => (quoted(&table), None),
        Some(key) => {
            let names: Vec<String> = encoder.columns().map(str::to_string).collect();
            let place = upsert::stage(&mut lease, &table, &columns).await?;
            (place.to_string(), Some(Merge::new(&ledger, unit.run, &table, &names, key)))
        }
    };
    let sql = format!("COPY {place} ({columns}) FROM STDIN (FORMAT binary)");
    // One piece on its way, and one waiting.
    let (orders, todo) = channel(1);
    let (used, spare) = channel(2);
    let piece_bytes = (unit.read.batch_bytes / PIECES_PER_BATCH).clamp(LEAST_PIECE_BYTES, PIECE_BYTES);
    let chunk = unit.chunk.id;
    let destination = Destination { ledger, run: unit.run, table: table.clone(), chunk, piece_bytes, claim, merge };
    let task = tokio::spawn(destination.carry(lease, sql, todo, used));
    let mut buffer = Vec::with_capacity(room_of(piece_bytes));
    buffer.extend_from_slice(HEADER);
    Ok(Writer {
        encoder,
        table,
        chunk,
        piece_bytes,
        buffer,
        rows: 0,
        rows_read: None,
        losses: Losses::default(),
        rejects: Vec::new(),
        whole_batches: unit.read.keep_raw,
        bytes: 0,
        broken: false,
        orders,
        spare,
        task: Some(task),
    })
}

/// Capacity of a buffer: the last row of a piece goes beyond it.
fn room_of(piece_bytes: usize) -> usize {
    piece_bytes + piece_bytes / 8
}

impl Destination {
    async fn carry(self, mut lease: Lease, sql: String, mut orders: Receiver<Order>, used: Sender<Vec<u8>>) -> Result<()> {
        let failed = |error| error::map(error, format!("the target refused chunk {}", self.chunk)).table(&self.table);
        let mut copy = lease.copy_in_raw(&sql).await.map_err(failed)?;
        let (receipt, rejects) = loop {
            match orders.recv().await {
                Some(Order::Send(mut piece)) => {
                    copy.send(piece.as_slice()).await.map_err(failed)?;
                    piece.clear();
                    if piece.capacity() <= WIDE_PIECES * self.piece_bytes {
                        // Without a taker it is dropped, which is as good.
                        let _ = used.try_send(piece);
                    }
                }
                Some(Order::SendWide(piece, gone)) => {
                    // The driver copies what it sends into a buffer that it keeps.
                    for slice in piece.chunks(self.piece_bytes.max(1)) {
                        copy.send(slice).await.map_err(failed)?;
                    }
                    drop(piece);
                    // A writer that does not wait any more has been dropped.
                    let _ = gone.send(());
                }
                Some(Order::Commit(receipt, rejects)) => break (receipt, rejects),
                Some(Order::Abort) => {
                    copy.abort("dbferry gives the chunk up").await.map_err(failed)?;
                    run(&mut lease, "ROLLBACK".into()).await.map_err(failed)?;
                    lease.give_back();
                    return Ok(());
                }
                // The writer was dropped: so is the connection.
                None => return Ok(()),
            }
        };
        let mut stored = copy.finish().await.map_err(failed)?;
        failpoint::reached(failpoint::ROWS_SENT);
        if let Some(merge) = self.merge.as_ref().filter(|_| stored == receipt.digest.rows) {
            stored = merge.run(&mut lease, &self.table, self.chunk, stored).await?;
            failpoint::reached(failpoint::ROWS_MERGED);
        }
        if stored != receipt.digest.rows {
            // A trigger or a rule of the target may leave rows out.
            return Err(Error::new(
                ErrorKind::TargetWrite,
                format!("chunk {} has {} rows, and the target stored {stored}", self.chunk, receipt.digest.rows),
            )
            .table(&self.table)
            .hint("A trigger of the target table leaves rows out; disable it for the run"));
        }
        if self.claim == Claim::Chunk && receipt.losses.0.is_empty() && rejects.is_empty() {
            failpoint::reached(failpoint::RECEIPT_WRITTEN);
            self.ledger.close_chunk(&mut lease, self.run, &receipt).await?;
        } else {
            match self.claim {
                Claim::Chunk => self.ledger.complete(&mut lease, self.run, &receipt).await?,
                Claim::Reject(_) => self.ledger.add_to_receipt(&mut lease, self.run, &receipt).await?,
            }
            self.ledger.insert_rejects(&mut lease, self.run, &receipt, &rejects).await?;
            failpoint::reached(failpoint::RECEIPT_WRITTEN);
            run(&mut lease, "COMMIT".into())
                .await
                .map_err(|error| error::map(error, format!("chunk {} could not be committed", self.chunk)).table(&self.table))?;
        }
        failpoint::reached(failpoint::CHUNK_COMMITTED);
        lease.give_back();
        Ok(())
    }
}

impl Writer {
    /// Gives an order; when the task has ended, says why.
    async fn order(&mut self, order: Order) -> Result<()> {
        if self.orders.send(order).await.is_ok() {
            return Ok(());
        }
        self.broken = true;
        self.end().await?;
        Err(Error::internal("a chunk ended before its commit").table(&self.table))
    }

    /// Waits for the end of the task.
    async fn end(&mut self) -> Result<()> {
        let Some(task) = self.task.take() else {
            return Err(Error::internal("the chunk has ended already").table(&self.table));
        };
        task.await.map_err(|error| Error::internal("the task of a chunk died").table(&self.table).with_source(error))?
    }

    /// Sends what is buffered.
    async fn flush(&mut self) -> Result<()> {
        self.bytes += u64::try_from(self.buffer.len()).unwrap_or(u64::MAX);
        if self.buffer.len() > WIDE_PIECES * self.piece_bytes {
            let piece = std::mem::take(&mut self.buffer);
            let (gone, sent) = oneshot::channel();
            self.order(Order::SendWide(piece, gone)).await?;
            if sent.await.is_err() {
                // The task has ended, and says why.
                self.broken = true;
                self.end().await?;
                return Err(Error::internal("a chunk ended before its commit").table(&self.table));
            }
            return Ok(());
        }
        let next = self.spare.try_recv().unwrap_or_else(|_| Vec::with_capacity(room_of(self.piece_bytes)));
        let piece = std::mem::replace(&mut self.buffer, next);
        self.order(Order::Send(piece)).await
    }

    fn check(&self) -> Result<()> {
        if self.broken { Err(Error::internal("the chunk has failed already").table(&self.table)) } else { Ok(()) }
    }
}

#[async_trait]
impl ChunkWriter for Writer {
    async fn write(&mut self, rows: &RecordBatch) -> Result<()> {
        self.check()?;
        let encoder = Arc::clone(&self.encoder);
        if self.whole_batches {
            let before = self.buffer.len();
            let mut row = 0;
            let mut encode = || {
                let bound = encoder.bind(rows)?;
                while row < rows.num_rows() {
                    row = bound.put(row, usize::MAX, &mut self.buffer)?;
                }
                Ok(())
            };
            if let Err(error) = encode() {
                self.buffer.truncate(before);
                return Err(error);
            }
            self.rows += u64::try_from(rows.num_rows()).unwrap_or(u64::MAX);
            if self.buffer.len() >= self.piece_bytes {
                self.flush().await?;
            }
            return Ok(());
        }
        self.broken = true;
        let bound = encoder.bind(rows)?;
        let mut row = 0;
        while row < rows.num_rows() {
            row = bound.put(row, self.piece_bytes, &mut self.buffer)?;
            if self.buffer.len() >= self.piece_bytes {
                self.flush().await?;
            }
        }
        self.rows += u64::try_from(rows.num_rows()).unwrap_or(u64::MAX);
        self.broken = false;
        Ok(())
    }

    fn note_rows_read(&mut self, rows_read: u64) {
        self.rows_read = Some(rows_read);
    }

    fn note_rejects(&mut self, rejects: Vec<Reject>) {
        self.rejects.extend(rejects);
    }

    fn note_losses(&mut self, losses: &Losses) {
        self.losses.merge(losses);
    }

    /// A `ConnectionLost` here leaves open whether the commit took place: the ledger knows.
    async fn commit(mut self: Box<Self>, digest: Digest) -> Result<Receipt> {
        self.check()?;
        if digest.rows != self.rows {
            let what = format!("a digest of {} rows for a chunk of {}", digest.rows, self.rows);
            return Err(Error::internal(what).table(&self.table));
        }
        self.buffer.extend_from_slice(&TRAILER);
        self.flush().await?;
        let rows_read = self.rows_read.unwrap_or(self.rows);
        let losses = std::mem::take(&mut self.losses);
        let rejects = std::mem::take(&mut self.rejects);
        let rejected = u64::try_from(rejects.len()).unwrap_or(u64::MAX);
        let receipt =
            Receipt { table: self.table.clone(), chunk: self.chunk, digest, bytes: self.bytes, rows_read, losses, rejected };
        self.order(Order::Commit(receipt.clone(), rejects)).await?;
        self.end().await?;
        Ok(receipt)
    }

    async fn abort(mut self: Box<Self>) -> Result<()> {
        // A task that has failed has closed its connection, and so has taken everything back.
        if self.orders.send(Order::Abort).await.is_ok()
            && let Some(task) = self.task.take()
        {
            let _ = task.await;
        }
        Ok(())
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        if let Some(task) = self.task.take() {
            task.abort();
        }
    }
}
