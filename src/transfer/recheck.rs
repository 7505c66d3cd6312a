//! Chunks that an earlier attempt has carried, read again and compared by digest with what was sent then. Nothing is written.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::engine::{Budget, Snapshot};
use crate::error::{Error, ErrorKind, Result};
use crate::mapping::MappedTable;
use crate::model::loss::Losses;
use crate::model::unit::{ReadPlan, Receipt, WorkUnit};
use crate::model::{Chunk, Digest, RunId};
use crate::plan::Plan;
use crate::progress::{Event, Progress};
use crate::transform::Transform;
use crate::verify::hasher::RowHasher;

use super::execute::Rows;
use super::pool;
use super::rate::Rate;
use super::retry_chunk::persist;
use super::stop::Stop;

/// What comparing needs.
pub(super) struct Recheck<'a> {
    pub(super) run: RunId,
    pub(super) plan: &'a Plan,
    pub(super) snapshot: &'a Arc<dyn Snapshot>,
    /// Chunks side by side.
    pub(super) jobs: usize,
    pub(super) budget: Budget,
    pub(super) rate: Arc<Rate>,
    /// How long a chunk is tried again that may pass by itself.
    pub(super) retry_for: Duration,
    pub(super) progress: &'a Progress,
    pub(super) stop: &'a Stop,
}

/// A chunk that was carried, by its table's place in the plan.
#[derive(Debug, Clone)]
pub(super) struct Carried {
    pub(super) place: usize,
    pub(super) chunk: Chunk,
    pub(super) receipt: Receipt,
}

/// A table's way, the same for all of its chunks.
struct Way {
    mapped: MappedTable,
    read: ReadPlan,
    transform: Transform,
    budget: Budget,
    rate: Arc<Rate>,
    progress: Progress,
}

/// The chunks that have a receipt, in the order of the plan.
pub(super) fn carried(plan: &Plan, receipts: &[Receipt]) -> Vec<Carried> {
    let mut all = Vec::new();
    for (place, table) in plan.tables.iter().enumerate() {
        let own: BTreeMap<u32, &Receipt> =
            receipts.iter().filter(|receipt| receipt.table == *table.target()).map(|receipt| (receipt.chunk, receipt)).collect();
        for chunk in &table.chunks.chunks {
            if let Some(receipt) = own.get(&chunk.id) {
                all.push(Carried { place, chunk: chunk.clone(), receipt: (*receipt).clone() });
            }
        }
    }
    all
}

impl Recheck<'_> {
    /// Those of `chunks` whose rows are others in this snapshot.
    ///
    /// # Errors
    /// What reading says, but for a value that cannot be carried: that chunk differs, and carrying it says why.
    pub(super) async fn differing(&self, mut chunks: Vec<Carried>) -> Result<Vec<Carried>> {
        let keyed = self.plan.keyed();
        let mut ways: BTreeMap<usize, Arc<Way>> = BTreeMap::new();
        for place in chunks.iter().map(|chunk| chunk.place) {
            if !ways.contains_key(&place)
                && let Some(table) = self.plan.tables.get(place)
            {
                let (mapped, read) = (table.mapped.clone(), table.read_plan(self.budget.batch_bytes()));
                let transform = mapped.transform(keyed.as_ref())?;
                let (budget, progress) = (self.budget.clone(), self.progress.clone());
                ways.insert(place, Arc::new(Way { mapped, read, transform, budget, rate: Arc::clone(&self.rate), progress }));
            }
        }
        // The largest table first, so that the last worker is not left alone with it.
        let size = |place: usize| self.plan.tables.get(place).map_or(0, |table| table.mapped.source.estimated_bytes);
        chunks.sort_by_key(|chunk| (std::cmp::Reverse(size(chunk.place)), chunk.place, chunk.chunk.id));
        let found: Arc<Mutex<Vec<Carried>>> = Arc::default();
        let (run, snapshot, progress, stop) = (self.run, Arc::clone(self.snapshot), self.progress.clone(), self.stop.clone());
        let (others, retry_for) = (Arc::clone(&found), self.retry_for);
        pool::each(self.jobs, chunks, move |one| {
            let (way, snapshot, progress, stop, others) =
                (ways.get(&one.place).cloned(), Arc::clone(&snapshot), progress.clone(), stop.clone(), Arc::clone(&others));
            async move {
                let Some(way) = way else { return Err(Error::internal("a chunk of no table")) };
                let step = format!("recheck of chunk {} of {}", one.chunk.id, way.mapped.label());
                progress.emit(Event::StepStarted { step: step.clone() });
                let same = stop.unless_stopped(way.is_same(run, &one, &*snapshot, (retry_for, &progress, &step))).await;
                progress.emit(Event::StepFinished { step, error: same.as_ref().err().map(ToString::to_string) });
                if !same? {
                    others.lock().unwrap_or_else(PoisonError::into_inner).push(one);
                }
                Ok(())
            }
        })
        .await?;
        let mut found = std::mem::take(&mut *found.lock().unwrap_or_else(PoisonError::into_inner));
        found.sort_by_key(|one| (one.place, one.chunk.id));
        Ok(found)
    }
}

impl Way {
    /// True if the chunk would be carried now exactly as it was.
    async fn is_same(
        &self,
        run: RunId,
        one: &Carried,
        snapshot: &dyn Snapshot,
        (retry_for, progress, step): (Duration, &Progress, &str),
    ) -> Result<bool> {
        // What is rejected is decided by the encoder too, so such a chunk is carried again in any case.
        if one.receipt.rejected > 0 {
            return Ok(false);
        }
        match persist(retry_for, progress, step, || self.read(run, one, snapshot)).await {
            Ok((digest, rows_read, losses)) => {
                let same = digest == one.receipt.digest && rows_read == one.receipt.rows_read;
                Ok(same && counted(&losses) == counted(&one.receipt.losses))
            }
            Err(error) if error.kind() == ErrorKind::Value => Ok(false),
            Err(error) => Err(error.table(&self.read.table)),
        }
    }

    async fn read(&self, run: RunId, one: &Carried, snapshot: &dyn Snapshot) -> Result<(Digest, u64, Losses)> {
        let target = self.mapped.target.name.clone();
        let unit = WorkUnit { run, read: self.read.clone(), chunk: one.chunk.clone(), target, load: Default::default() };
        let mut rows = Rows::read(snapshot, &unit, &self.budget, &self.rate, &self.progress);
        let mut hasher = RowHasher::new(self.mapped.target_types());
        let (mut digest, mut rows_read, mut losses) = (Digest::default(), 0, Losses::default());
        while let Some(batch) = rows.next().await? {
            rows_read += batch.rows.num_rows() as u64;
            losses.merge(&batch.losses);
            let rows = self.transform.apply_counted(&self.read.table, &self.read.row_key, &batch.rows, &mut losses)?;
            drop(batch);
            hasher.update(&rows, &mut digest)?;
        }
        Ok((digest, rows_read, losses))
    }
}

/// What was lost, whatever the examples are.
fn counted(losses: &Losses) -> BTreeMap<(&str, &'static str), u64> {
    losses.0.iter().map(|loss| ((loss.column.as_str(), loss.kind.word()), loss.count)).collect()
}
