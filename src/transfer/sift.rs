//! A chunk of a table that rejects rows: what cannot be carried is set aside, and the rest arrives.
//!
//! A batch goes its usual way, and only one that is refused is halved, again and again, until the rows are alone that have no place. They go
//! into the ledger with the chunk, in its transaction. What a server says of rows while it takes them is nobody's row: that stays an error.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::engine::{Batch, ChunkWriter, Held, Turn, Turns};
use crate::error::{Error, ErrorKind, Result};
use crate::model::reject::Reject;
use crate::model::unit::{ReadPlan, Receipt, WorkUnit};
use crate::model::{Digest, Losses};
use crate::progress::Event;
use crate::verify::hasher::RowHasher;

use super::execute::{Hands, Rows};

/// Carries one chunk, as [`super::execute::execute`].
pub(super) async fn execute(unit: &WorkUnit, hands: &Hands) -> Result<Receipt> {
    let writer = hands.sink.begin_chunk(unit, &hands.mapped.target).await.map_err(|error| error.table(&unit.target))?;
    let turn = hands.turns.as_ref().map(Turns::next);
    let _ended = turn.as_ref().map(Turn::guard);
    hands.wait_for(turn.as_ref()).await;
    let mut rows = Rows::read(&*hands.snapshot, unit, &hands.budget_in(turn.as_ref()), &hands.rate, &hands.progress);
    let mut sieve = Sieve {
        unit,
        hands,
        writer,
        hasher: RowHasher::new(hands.mapped.target_types()),
        digest: Digest::default(),
        losses: Losses::default(),
        rows_read: 0,
        rejected: Counted { all: &hands.rejected, own: 0 },
        held: Vec::new(),
    };
    let carried = async {
        while let Some(batch) = rows.next().await? {
            sieve.batch(batch).await?;
        }
        Ok(())
    };
    let carried = carried.await;
    let Sieve { mut writer, digest, mut losses, rows_read, rejected, held: _held, .. } = sieve;
    match carried {
        Ok(()) => {
            writer.note_rows_read(rows_read);
            if hands.hides_keys() {
                losses.hide_keys();
            }
            writer.note_losses(&losses);
            let receipt = writer.commit(digest).await.map_err(|error| error.table(&unit.target))?;
            rejected.keep();
            Ok(receipt)
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

/// Rejected rows of a chunk among those of its table; taken back unless the chunk is committed.
struct Counted<'a> {
    all: &'a AtomicU64,
    own: u64,
}

impl Counted<'_> {
    fn add(&mut self, count: u64) -> u64 {
        self.own += count;
        self.all.fetch_add(count, Ordering::AcqRel) + count
    }

    fn keep(mut self) {
        self.own = 0;
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.all.fetch_sub(self.own, Ordering::AcqRel);
    }
}

struct Sieve<'a> {
    unit: &'a WorkUnit,
    hands: &'a Hands,
    writer: Box<dyn ChunkWriter>,
    hasher: RowHasher,
    digest: Digest,
    losses: Losses,
    rows_read: u64,
    rejected: Counted<'a>,
    /// What the rejected rows hold of the budget until they are committed.
    held: Vec<Held>,
}

impl Sieve<'_> {
    async fn batch(&mut self, mut batch: Batch) -> Result<()> {
        let rejects = std::mem::take(&mut batch.rejects);
        self.rows_read += rows(batch.rows.num_rows()) + rows(rejects.len());
        self.losses.merge(&batch.losses);
        self.reject(rejects)?;
        // The parts that are to be tried, the next one last.
        let mut parts = vec![(0, batch.rows.num_rows())];
        parts.retain(|(_, count)| *count > 0);
        while let Some((from, count)) = parts.pop() {
            match self.send(&batch, from, count).await {
                Ok(()) => {}
                Err(error) if error.kind() != ErrorKind::Value => return Err(error),
                Err(error) if count <= 1 => self.set_aside(&batch, from, &error)?,
                Err(_) => {
                    let half = count / 2;
                    parts.extend([(from + half, count - half), (from, half)]);
                }
            }
        }
        Ok(())
    }

    /// Sends a part of a batch. When it is refused for a value, nothing of it was sent or counted.
    async fn send(&mut self, batch: &Batch, from: usize, count: usize) -> Result<()> {
        let (read, table) = (&self.unit.read, &self.unit.read.table);
        let part = batch.rows.slice(from, count);
        let mut losses = Losses::default();
        let sent = self.hands.transform.apply_counted(table, &read.row_key, &part, &mut losses)?;
        self.writer.write(&sent).await?;
        self.losses.merge(&losses);
        self.hasher.update(&sent, &mut self.digest)?;
        let bytes = batch.bytes.saturating_mul(count) / batch.rows.num_rows().max(1);
        let event = Event::Rows { table: table.to_string(), rows: rows(sent.num_rows()), bytes: bytes as u64 };
        self.hands.progress.emit(event);
        Ok(())
    }

    /// Rejects a row that was read and cannot be sent.
    fn set_aside(&mut self, batch: &Batch, row: usize, error: &Error) -> Result<()> {
        let Some(raw) = &batch.raw else { return Err(Error::internal("a batch keeps no rows")) };
        let raw = raw.raw(row)?;
        // What policies did to a row that does not arrive is no loss of those that do.
        let what = ReadPlan { keep_raw: true, ..self.unit.read.clone() };
        self.losses.take_back(&self.hands.source.decode_raw(&what, &raw)?.losses);
        let place = error.place();
        let reject = Reject { key: place.key.clone(), column: place.column.clone(), reason: error.what().to_string(), row: raw };
        self.reject(vec![reject])
    }

    fn reject(&mut self, mut rejects: Vec<Reject>) -> Result<()> {
        if rejects.is_empty() {
            return Ok(());
        }
        let most = self.hands.mapped.max_rejects.unwrap_or_default();
        if self.rejected.add(rows(rejects.len())) > most {
            let last = rejects.pop().map(|reject| reject.reason).unwrap_or_default();
            let what = format!("more than {most} rows cannot be carried (`max_rejects`); the last one: {last}");
            return Err(
                Error::new(ErrorKind::TargetWrite, what).hint("Settle it in the mapping, or raise `max_rejects` for the table")
            );
        }
        for reject in &rejects {
            let Some(held) = self.hands.budget.hold_reject(reject.bytes()) else {
                let memory = self.hands.budget.memory_bytes() >> 20;
                let what = format!("the rejected rows of the chunks under way do not fit a memory of {memory} MiB");
                let error = Error::new(ErrorKind::TargetWrite, what);
                let error = reject.key.iter().fold(error, |error, key| error.key(key));
                return Err(error.hint("Raise `memory`, lower `chunk`, or settle the rows in the mapping"));
            };
            self.held.push(held);
        }
        if self.hands.hides_keys() {
            rejects.iter_mut().for_each(|reject| reject.key = None);
        }
        self.writer.note_rejects(rejects);
        Ok(())
    }
}

fn rows(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}
