//! One unit of work: read, transform, digest, write, commit.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use futures::StreamExt;
use tokio::sync::mpsc;

use crate::engine::{Batch, Budget, Dialect, Sink, Snapshot, Turn, Turns};
use crate::error::{Error, Result};
use crate::failpoint;
use crate::mapping::MappedTable;
use crate::model::unit::{Receipt, WorkUnit};
use crate::model::{Digest, Losses};
use crate::progress::{Event, Progress};
use crate::transform::Transform;
use crate::verify::hasher::RowHasher;

use super::rate::Rate;

/// Batches that may wait between the reader and the encoder: one, so that both always have something to do and no more is held.
const BATCHES_WAITING: usize = 1;

/// What a unit needs beside its order.
pub struct Hands {
    /// Reads.
    pub snapshot: Arc<dyn Snapshot>,
    /// Writes.
    pub sink: Arc<dyn Sink>,
    /// The table.
    pub mapped: MappedTable,
    /// From what is read to what is written.
    pub transform: Transform,
    /// Reads a row again that was kept.
    pub source: &'static dyn Dialect,
    /// Rows of the table that were rejected so far, by all of its chunks.
    pub rejected: Arc<AtomicU64>,
    /// Mask keys in what is kept.
    pub hide_keys: bool,
    /// Bounds what is held of rows.
    pub budget: Budget,
    /// Where chunks that are opened ahead wait, if there are such.
    pub turns: Option<Turns>,
    /// Bounds how fast the source is read.
    pub rate: Arc<Rate>,
    /// Hears of progress.
    pub progress: Progress,
}

impl Hands {
    /// Waits for the turn of a chunk whose reader would not.
    pub(super) async fn wait_for(&self, turn: Option<&Turn>) {
        if let Some(turn) = turn.filter(|_| !self.snapshot.reads_ahead()) {
            turn.begin().await;
        }
    }

    /// The budget of a chunk that may have a turn.
    pub(super) fn budget_in(&self, turn: Option<&Turn>) -> Budget {
        turn.map_or_else(|| self.budget.clone(), |turn| self.budget.in_turn(turn))
    }

    /// True if rows are not to be named by their key.
    pub(super) fn hides_keys(&self) -> bool {
        self.hide_keys || self.mapped.hides_key()
    }
}

/// Carries one chunk. Its rows and its receipt become visible together, or not at all; dropping the future leaves nothing.
///
/// # Errors
/// What reading, transforming or writing says, with the table's name.
pub async fn execute(unit: &WorkUnit, hands: &Hands) -> Result<Receipt> {
    if hands.mapped.max_rejects.is_some() {
        return super::sift::execute(unit, hands).await;
    }
    let name = hands.mapped.label();
    let mut writer = hands.sink.begin_chunk(unit, &hands.mapped.target).await.map_err(|error| error.table(&unit.target))?;
    // Not before: a chunk that waits for a connection must not hold what others need to be done with theirs.
    let turn = hands.turns.as_ref().map(Turns::next);
    let _ended = turn.as_ref().map(Turn::guard);
    hands.wait_for(turn.as_ref()).await;
    let mut rows = Rows::read(&*hands.snapshot, unit, &hands.budget_in(turn.as_ref()), &hands.rate, &hands.progress);
    let mut hasher = RowHasher::new(hands.mapped.target_types());
    let mut digest = Digest::default();
    let mut rows_read = 0;
    let mut losses = Losses::default();
    let carried = async {
        while let Some(mut batch) = rows.next().await? {
            let bytes = batch.bytes as u64;
            rows_read += batch.rows.num_rows() as u64;
            losses.merge(&batch.losses);
            let rows = hands.transform.apply_counted(&unit.read.table, &unit.read.row_key, &batch.rows, &mut losses)?;
            // Their part of the budget is held until they are sent.
            let _held = std::mem::take(&mut batch.held);
            drop(batch);
            hasher.update(&rows, &mut digest)?;
            failpoint::reached(failpoint::BATCH_BEFORE);
            writer.write(&rows).await?;
            failpoint::reached(failpoint::BATCH_WRITTEN);
            hands.progress.emit(Event::Rows { table: name.clone(), rows: rows.num_rows() as u64, bytes });
        }
        Ok(())
    };
    let carried = carried.await;
    // While this one is committed, the next one reads.
    if let Some(turn) = &turn {
        turn.end();
    }
    match carried {
        Ok(()) => {
            writer.note_rows_read(rows_read);
            if hands.hides_keys() {
                losses.hide_keys();
            }
            writer.note_losses(&losses);
            // So that who reads them again knows.
            hands.budget.met_again(&unit.target, &unit.read.table);
            writer.commit(digest).await.map_err(|error| error.table(&unit.target))
        }
        Err(error) => {
            // The first error is the one that tells; one of the way back would hide it.
            if let Err(second) = writer.abort().await {
                tracing::debug!(%second, "the chunk could not be taken back in order; its connection is closed");
            }
            Err(hands.mapped.settle(Error::table(error, &unit.read.table)))
        }
    }
}

/// Batches that are read ahead on a task of their own, so that decoding and encoding overlap.
pub(super) struct Rows {
    batches: mpsc::Receiver<Result<Batch>>,
    reader: tokio::task::JoinHandle<()>,
}

impl Rows {
    pub(super) fn read(snapshot: &dyn Snapshot, unit: &WorkUnit, budget: &Budget, rate: &Arc<Rate>, progress: &Progress) -> Self {
        let mut stream = snapshot.read_within(&unit.read, &unit.chunk, budget);
        let (sender, batches) = mpsc::channel(BATCHES_WAITING);
        let (budget, rate, progress) = (budget.clone(), Arc::clone(rate), progress.clone());
        let reader = tokio::spawn(async move {
            while let Some(mut batch) = stream.next().await {
                if let Ok(batch) = &mut batch
                    && !batch.held.is_some()
                {
                    // An engine that knows of no budget: late, but before the next one is read.
                    batch.held = budget.hold(batch.bytes).await;
                }
                if let Ok(batch) = &batch {
                    // The reader waits meanwhile, one batch ahead, and so does the server.
                    rate.pass(batch.bytes, &progress).await;
                }
                if sender.send(batch).await.is_err() {
                    return;
                }
            }
        });
        Rows { batches, reader }
    }

    pub(super) async fn next(&mut self) -> Result<Option<Batch>> {
        match self.batches.recv().await {
            Some(batch) => batch.map(Some),
            // The channel also closes when the reader panics: that must never look like the end of the rows.
            None => match (&mut self.reader).await {
                Ok(()) => Ok(None),
                Err(panic) => Err(Error::internal("a reader panicked").with_source(panic)),
            },
        }
    }
}

impl Drop for Rows {
    fn drop(&mut self) {
        self.reader.abort();
    }
}
