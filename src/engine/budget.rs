//! One budget of memory, in bytes, for all rows that a process holds at a time.
//!
//! A batch holds a part of the budget from its first row until its encoded form was sent ([`Held`] travels with it). Three rules keep it free
//! of deadlocks: who waits for a part holds none; what is held is given back by work that needs no more of it; and parts are handed out in
//! the order in which they were asked for, so a wide row is not passed by narrow ones for ever. A row that is wider than the whole budget
//! takes all of it, and so goes alone.
//!
//! Our own client of MySQL announces a wide row before it receives it ([`Filling::expect`]), so no row is in memory that has no part. Other
//! drivers tell a row's width when they have it, and keep a buffer that is as large as the widest row they met, until the result ends. So
//! who reads a table with wide rows by them takes such a buffer from a part of its own first, for as long as the read takes, and a batch has
//! room for the widest row that was met. Another part is never handed out: it stands for the buffers that each job has at all times.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::turn::Turn;
use crate::error::{Error, ErrorKind, Result};
use crate::model::ObjectName;

/// Bytes of one permit.
const UNIT_BYTES: u64 = 1 << 10;
/// How often the rows of a batch are there at the same time: decoded and encoded.
const COPIES: u64 = 2;
/// How often a wide row is there: drivers put it together from what they receive, and so have it twice before it is decoded.
const WIDE_COPIES: u64 = 3;
/// A row of a table whose average row is wider than a batch may be so many times as wide, for all that is known before the first one.
const WIDER_THAN_AVERAGE: usize = 4;
/// A row in the form of the target may be wider by this part of it, and by so many bytes.
const OTHER_FORM: usize = 4;
const OTHER_FORM_BYTES: usize = 64 << 10;
/// Batches that one job holds at most: one being decoded, two waiting, one being encoded.
const BATCHES_PER_JOB: u64 = 4;
/// Smallest and largest batch, in bytes. Below, what a batch costs shows; above, its memory is no longer that of an earlier one, and a run of
/// usual rows takes more time and twice the memory.
const BATCH_BYTES: std::ops::RangeInclusive<u64> = (64 << 10)..=(1 << 20);
/// What a single row may take beyond the budget, in bytes: the most that resident memory may be above it, less what the process itself needs.
const ROW_MARGIN_BYTES: u64 = 96 << 20;

/// The budget. Cheap to clone; all clones share it.
#[derive(Clone)]
pub struct Budget(Arc<Inner>, Option<Turn>);

struct Inner {
    memory_bytes: u64,
    batch_bytes: usize,
    /// Permits of the rows on their way.
    rows: Arc<Semaphore>,
    rows_units: u32,
    /// Permits of the buffers of drivers that read wide rows.
    buffers: Arc<Semaphore>,
    buffers_units: u32,
    /// Permits of rows that are rejected, held until their chunk is committed. Of their own, since who holds them waits for rows.
    rejects: Arc<Semaphore>,
    /// The widest row that was met of each table.
    widest: Mutex<HashMap<ObjectName, usize>>,
}

impl fmt::Debug for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Budget({} bytes)", self.0.memory_bytes)
    }
}

impl Budget {
    /// A budget of `memory_bytes` for `jobs` chunks at the same time.
    pub fn new(memory_bytes: u64, jobs: usize) -> Self {
        let jobs = u64::try_from(jobs).unwrap_or(u64::MAX).max(1);
        // Half for rows, a quarter for wide buffers, an eighth for rejected rows, an eighth for the buffers that are always there.
        let (rows, buffers, rejects) = (memory_bytes / 2, memory_bytes / 4, memory_bytes / 8);
        let share = rows / BATCHES_PER_JOB.saturating_mul(COPIES).saturating_mul(jobs);
        let batch_bytes = share.clamp(*BATCH_BYTES.start(), *BATCH_BYTES.end());
        let (rows_units, buffers_units) = (units(rows), units(buffers));
        let semaphore = |units: u32| Arc::new(Semaphore::new(usize::try_from(units).unwrap_or(usize::MAX)));
        let inner = Inner {
            memory_bytes,
            batch_bytes: usize::try_from(batch_bytes).unwrap_or(usize::MAX),
            rows: semaphore(rows_units),
            rows_units,
            buffers: semaphore(buffers_units),
            buffers_units,
            rejects: semaphore(units(rejects)),
            widest: Mutex::default(),
        };
        Budget(Arc::new(inner), None)
    }

    /// The same budget for one chunk, whose reader takes nothing of it before the chunk's turn.
    pub fn in_turn(&self, turn: &Turn) -> Self {
        Budget(Arc::clone(&self.0), Some(turn.clone()))
    }

    /// A budget that nobody has to wait for: for reads that are bounded otherwise.
    pub fn boundless() -> Self {
        Budget::new(u64::from(u32::MAX) * UNIT_BYTES, 1)
    }

    /// What was set, in bytes.
    pub fn memory_bytes(&self) -> u64 {
        self.0.memory_bytes
    }

    /// Upper bound of one batch, in bytes, so that all jobs have batches enough under the budget.
    pub fn batch_bytes(&self) -> usize {
        self.0.batch_bytes
    }

    /// Waits for the part of a batch of so many bytes; for all of the budget, if it is more than that. The caller holds no other part.
    pub async fn hold(&self, bytes: usize) -> Held {
        let wanted = self.units_of(bytes);
        // The semaphore is never closed; without a permit the batch would go uncounted, which is no reason to lose it.
        Held(Arc::clone(&self.0.rows).acquire_many_owned(wanted).await.ok().map(Arc::new))
    }

    /// What a batch of so many bytes takes.
    fn units_of(&self, bytes: usize) -> u32 {
        units(bytes_of(bytes).saturating_mul(COPIES)).min(self.0.rows_units)
    }

    fn buffer_units(&self, row_bytes: usize) -> u32 {
        units(bytes_of(row_bytes)).min(self.0.buffers_units)
    }

    /// Waits for the part of a driver's buffer for rows of so many bytes. The caller holds no other part.
    async fn hold_buffer(&self, row_bytes: usize) -> Held {
        let wanted = self.buffer_units(row_bytes);
        Held(Arc::clone(&self.0.buffers).acquire_many_owned(wanted).await.ok().map(Arc::new))
    }

    /// The part of a rejected row, which is held until its chunk is committed; `None` when too many are held.
    pub fn hold_reject(&self, bytes: usize) -> Option<Held> {
        let wanted = units(bytes_of(bytes).saturating_mul(COPIES));
        Arc::clone(&self.0.rejects).try_acquire_many_owned(wanted).ok().map(|permit| Held(Some(Arc::new(permit))))
    }

    /// Remembers the width of a row of `table`.
    pub fn met(&self, table: &ObjectName, row_bytes: usize) {
        // Narrower ones change nothing.
        if row_bytes > self.0.batch_bytes {
            let mut widest = self.0.widest.lock().unwrap_or_else(PoisonError::into_inner);
            let known = widest.entry(table.clone()).or_default();
            *known = (*known).max(row_bytes);
        }
    }

    /// Remembers for `target`, which holds rows of `source` in a form of its own, how wide they may be.
    pub fn met_again(&self, target: &ObjectName, source: &ObjectName) {
        let widest = self.widest(source);
        if widest > 0 {
            self.met(target, widest.saturating_add(widest / OTHER_FORM).saturating_add(OTHER_FORM_BYTES));
        }
    }

    /// The widest row of `table` that was met and is wider than a batch, in bytes; 0 if there was none.
    pub fn widest(&self, table: &ObjectName) -> usize {
        self.0.widest.lock().unwrap_or_else(PoisonError::into_inner).get(table).copied().unwrap_or_default()
    }

    /// Refuses a row that cannot be carried within the budget.
    ///
    /// # Errors
    /// `Value`, without a place, with the row's size and the memory that it needs.
    pub fn check_row(&self, row_bytes: usize) -> Result<()> {
        let needed = bytes_of(row_bytes).saturating_mul(WIDE_COPIES).saturating_sub(ROW_MARGIN_BYTES);
        if needed <= self.0.memory_bytes {
            return Ok(());
        }
        let needed = needed.div_ceil(64 << 20).saturating_mul(64);
        let (row, memory) = (row_bytes.div_ceil(1 << 20), self.0.memory_bytes >> 20);
        let what = format!("the row has {row} MiB, and does not fit a memory of {memory} MiB");
        Err(Error::new(ErrorKind::Value, what).hint(format!("Set `memory = \"{needed}MiB\"` (`--memory {needed}MiB`) or more")))
    }

    /// What a reader of `table` holds for the batch that it fills. `row_bytes` is how wide a row is on average, as far as that is known.
    pub fn filling(&self, table: &ObjectName, row_bytes: u64) -> Filling {
        let average = usize::try_from(row_bytes).unwrap_or(usize::MAX);
        if average > self.0.batch_bytes && self.widest(table) == 0 {
            self.met(table, average.saturating_mul(WIDER_THAN_AVERAGE));
        }
        Filling {
            budget: self.clone(),
            table: table.clone(),
            held: None,
            bytes: 0,
            announced: false,
            buffer: None,
            buffer_bytes: 0,
        }
    }

    /// Like [`Budget::filling`], for a reader that announces rows before it receives them, and keeps no buffer of a wide one while it waits.
    pub fn filling_announced(&self, table: &ObjectName) -> Filling {
        Filling { announced: true, ..self.filling(table, 0) }
    }
}

/// A part of the budget; it is given back when the last clone is dropped.
#[derive(Clone, Default)]
pub struct Held(Option<Arc<OwnedSemaphorePermit>>);

impl Held {
    fn units(&self) -> u32 {
        self.0.as_ref().map_or(0, |permit| u32::try_from(permit.num_permits()).unwrap_or(u32::MAX))
    }

    /// True if it is a part of a budget, and not none at all.
    pub fn is_some(&self) -> bool {
        self.0.is_some()
    }
}

impl fmt::Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Held({} KiB)", self.0.as_ref().map_or(0, |permit| permit.num_permits()))
    }
}

/// The part of the budget of a batch that is being filled.
#[derive(Debug)]
pub struct Filling {
    budget: Budget,
    table: ObjectName,
    held: Option<Held>,
    /// What `held` is good for.
    bytes: usize,
    /// True if wide rows are announced, and no buffer is kept.
    announced: bool,
    /// The driver's buffer, where rows are wide.
    buffer: Option<Held>,
    buffer_bytes: usize,
}

impl Filling {
    /// Waits for room for a batch of the table, or for its widest row if one was met that is wider and such a row is not announced. To be
    /// called before the first row of a batch is asked for; does nothing when there is room already.
    pub async fn begin(&mut self) {
        if let Some(turn) = &self.budget.1 {
            turn.begin().await;
        }
        if self.held.is_none() {
            let widest = if self.announced { 0 } else { self.budget.widest(&self.table) };
            self.take(self.budget.batch_bytes().max(widest)).await;
        }
    }

    /// Waits for room for a row that is announced, and is to begin a batch: of so many bytes, or, if it is `open`, of any number above. Of
    /// open rows those of a table that had one are as wide as its widest, and the first takes the whole budget, until
    /// [`Filling::settle`] knows. What was filled so far must be handed over before.
    pub async fn expect(&mut self, row_bytes: usize, open: bool) {
        let widest = if open { self.budget.widest(&self.table) } else { 0 };
        let bytes = if open && widest == 0 { usize::MAX } else { row_bytes.max(widest) };
        if self.is_short_of(bytes) {
            self.take(bytes.max(self.budget.batch_bytes())).await;
        }
    }

    /// [`Budget::check_row`].
    ///
    /// # Errors
    /// `Value`, without a place.
    pub fn check(&self, row_bytes: usize) -> Result<()> {
        self.budget.check_row(row_bytes)
    }

    /// Gives back what a row, whose width is known by now, does not need after all.
    pub fn settle(&mut self, row_bytes: usize) {
        self.budget.met(&self.table, row_bytes);
        let needed = self.budget.batch_bytes().max(row_bytes);
        if needed < self.bytes
            && let Some(permit) = self.held.take().and_then(|held| held.0)
        {
            self.held = Some(Held(Some(match Arc::try_unwrap(permit) {
                Ok(mut permit) => {
                    let kept = usize::try_from(self.budget.units_of(needed)).unwrap_or(usize::MAX);
                    drop(permit.split(permit.num_permits().saturating_sub(kept)));
                    self.bytes = needed;
                    Arc::new(permit)
                }
                Err(shared) => shared,
            })));
        }
    }

    /// True if a batch may be filled.
    pub fn is_held(&self) -> bool {
        self.held.is_some()
    }

    /// True if there is no room for a row of so many bytes. What was filled so far must be handed over before [`Filling::widen`].
    pub fn is_short_of(&self, row_bytes: usize) -> bool {
        self.held.is_none() || row_bytes > self.bytes
    }

    /// Waits for room for a row of so many bytes, which is to begin a batch.
    ///
    /// # Errors
    /// [`Budget::check_row`].
    pub async fn widen(&mut self, row_bytes: usize) -> Result<()> {
        // Also where there is room for more: that may be a guess.
        self.budget.check_row(row_bytes)?;
        if self.is_short_of(row_bytes) {
            self.budget.met(&self.table, row_bytes);
            self.take(self.budget.batch_bytes().max(row_bytes)).await;
        }
        Ok(())
    }

    async fn take(&mut self, bytes: usize) {
        // All of it is all of it, however wide the row.
        let enough = |held: &Option<Held>, wanted: u32| held.as_ref().is_some_and(|held| held.units() >= wanted);
        if !self.announced && bytes > self.budget.batch_bytes() && bytes > self.buffer_bytes {
            if !enough(&self.buffer, self.budget.buffer_units(bytes)) {
                // Given back first, since who waits holds nothing; who has a buffer may wait for rows.
                self.held = None;
                self.buffer = None;
                self.buffer = Some(self.budget.hold_buffer(bytes).await);
            }
            self.buffer_bytes = bytes;
        }
        if !enough(&self.held, self.budget.units_of(bytes)) {
            self.held = None;
            self.held = Some(self.budget.hold(bytes).await);
        }
        self.bytes = bytes;
    }

    /// [`Budget::widest`] of the table.
    pub fn widest(&self) -> usize {
        self.budget.widest(&self.table)
    }

    /// True if rows were met that are wider than a batch, so that the driver has a wide buffer.
    pub fn is_wide(&self) -> bool {
        self.buffer.is_some()
    }

    /// Hands the part over, to travel with the batch.
    pub fn hand_over(&mut self) -> Held {
        self.held.take().unwrap_or_default()
    }
}

fn bytes_of(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

fn units(bytes: u64) -> u32 {
    // What a semaphore holds at most is far above, and 4 TiB are as good as no bound.
    u32::try_from(bytes.div_ceil(UNIT_BYTES)).unwrap_or(u32::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const MIB: usize = 1 << 20;

    async fn waits(holding: impl Future<Output = Held>) -> bool {
        tokio::time::timeout(Duration::from_millis(20), holding).await.is_err()
    }

    #[tokio::test]
    async fn what_is_held_comes_back_with_the_last_clone() {
        let budget = Budget::new(64 << 20, 2);
        let held = budget.hold(16 * MIB).await;
        let clone = held.clone();
        drop(held);
        assert!(waits(budget.hold(1)).await, "all is held");
        drop(clone);
        assert!(!waits(budget.hold(16 * MIB)).await);
    }

    #[tokio::test]
    async fn a_row_above_the_budget_takes_all_of_it_and_is_not_passed_by_others() {
        let budget = Budget::new(64 << 20, 2);
        let small = budget.hold(MIB).await;
        let wide = tokio::spawn({
            let budget = budget.clone();
            async move { budget.hold(60 * MIB).await }
        });
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert!(waits(budget.hold(1)).await, "who came later does not pass");
        drop(small);
        let wide = wide.await.unwrap();
        assert!(waits(budget.hold(1)).await);
        drop(wide);
        assert!(!waits(budget.hold(1)).await);
    }

    #[tokio::test]
    async fn many_jobs_with_rows_of_any_width_all_come_to_their_end() {
        let budget = Budget::new(32 << 20, 16);
        let jobs = (0..16usize).map(|job| {
            let budget = budget.clone();
            tokio::spawn(async move {
                let table = ObjectName::new("s", format!("t{}", job % 3));
                let mut filling = budget.filling(&table, 0);
                for row in 0..40usize {
                    filling.begin().await;
                    filling.widen((job * 7919 + row * 104_729) % (40 * MIB)).await.unwrap();
                    let held = filling.hand_over();
                    tokio::task::yield_now().await;
                    drop(held);
                }
            })
        });
        for job in futures::future::join_all(jobs).await {
            job.unwrap();
        }
    }

    #[tokio::test]
    async fn of_a_row_that_is_announced_only_what_may_be_behind_it_takes_all() {
        let budget = Budget::new(256 << 20, 2);
        let table = ObjectName::new("s", "t");
        let mut filling = budget.filling_announced(&table);
        filling.begin().await;
        filling.expect(40 * MIB, false).await;
        let second = budget.hold(20 * MIB).await;
        assert!(waits(budget.hold(10 * MIB)).await, "the row has its part");
        drop(second);
        drop(filling.hand_over());
        filling.begin().await;
        filling.expect(20 * MIB, true).await;
        assert!(waits(budget.hold(1)).await, "all is held");
        filling.widen(30 * MIB).await.unwrap();
        filling.settle(30 * MIB);
        let second = budget.hold(30 * MIB).await;
        assert!(waits(budget.hold(10 * MIB)).await);
        drop(second);
        // The widest is known now; and a batch of narrow rows takes no more than before.
        drop(filling.hand_over());
        filling.begin().await;
        drop(budget.hold(50 * MIB).await);
        filling.expect(20 * MIB, true).await;
        drop(budget.hold(34 * MIB).await);
        assert!(waits(budget.hold(36 * MIB)).await);
        assert!(filling.check(200 * MIB).is_err());
    }

    #[test]
    fn a_row_that_cannot_fit_says_what_to_set() {
        let budget = Budget::new(64 << 20, 2);
        budget.check_row(50 * MIB).unwrap();
        let error = budget.check_row(200 * MIB).unwrap_err();
        assert_eq!(error.what(), "the row has 200 MiB, and does not fit a memory of 64 MiB");
        assert_eq!(error.hint_text(), Some("Set `memory = \"512MiB\"` (`--memory 512MiB`) or more"));
        Budget::new(512 << 20, 2).check_row(200 * MIB).unwrap();
    }

    #[test]
    fn batches_of_all_jobs_fit_the_budget() {
        for memory in [32u64 << 20, 64 << 20, 512 << 20, 1 << 40] {
            for jobs in [1usize, 2, 8, 32] {
                let batch = bytes_of(Budget::new(memory, jobs).batch_bytes());
                assert!(BATCH_BYTES.contains(&batch));
                assert!(
                    batch * COPIES * BATCHES_PER_JOB * jobs as u64 <= memory || batch == *BATCH_BYTES.start(),
                    "{memory} {jobs}"
                );
            }
        }
    }

    #[test]
    fn rejected_rows_have_a_part_of_their_own() {
        let budget = Budget::new(64 << 20, 2);
        let held = budget.hold_reject(4 * MIB).unwrap();
        assert!(budget.hold_reject(MIB).is_none());
        drop(held);
        assert!(budget.hold_reject(MIB).is_some());
    }
}
