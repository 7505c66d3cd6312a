//! A snapshot that is not the run's first: what was carried in an earlier one is brought to its instant before anything else is carried.
//!
//! The ledger remembers where the source stood at each snapshot. Where its log proves that nothing was written since, what is there is of
//! this instant too. Otherwise each chunk that is there is read again, and those that differ are taken out together with their receipts, so
//! that they are carried as if they had never been: a chunk has a receipt and all of its rows, or neither, at each instant on the way.
//! All that differ go before the first is carried again, since a unique value may have wandered from one to another.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, PoisonError};

use crate::config::OnMovedSource;
use crate::engine::{Snapshot, TakeOut, TakenOut};
use crate::error::{Error, ErrorKind, Result};
use crate::failpoint;
use crate::ledger::instant::{InstantRecord, Movement};
use crate::model::ObjectName;
use crate::model::hook::HookWhen;
use crate::model::unit::Receipt;
use crate::plan::TablePlan;
use crate::progress::Event;
use crate::report::{InstantReport, RecheckedTable, SourceMovement};

use super::baseline::Baselines;
use super::recheck::{Carried, Recheck, carried};
use super::run::Runner;
use super::take_out::{Order, orders};

impl Runner<'_> {
    /// Brings what the run has carried so far to the instant of `snapshot`; gives the receipts that hold there. `lost` says that the readers
    /// of this attempt's own snapshot were lost.
    ///
    /// # Errors
    /// `Snapshot` when the source has moved and that is to be an error, or when rows that differ cannot be taken out; nothing was changed then.
    pub(super) async fn at_instant(
        &self,
        snapshot: &Arc<dyn Snapshot>,
        receipts: Vec<Receipt>,
        stood: &Baselines,
        lost: bool,
    ) -> Result<Vec<Receipt>> {
        let ledger = self.sink().ledger();
        let earlier = ledger.instants(self.run).await?;
        let mut now = InstantRecord {
            number: earlier.last().map_or(1, |last| last.number.saturating_add(1)),
            position: snapshot.position().cloned(),
            doubt: snapshot.doubt().map(str::to_string),
            settled: receipts.is_empty(),
        };
        if receipts.is_empty() && !lost {
            self.note(&now).await?;
            return Ok(receipts);
        }
        let movement = Movement::between(&earlier, &now);
        let mut report = InstantReport { movement: told(&movement), lost_readers: lost, rechecked: Vec::new() };
        if receipts.is_empty() || matches!(movement, Movement::Still(_)) {
            now.settled = true;
            self.note(&now).await?;
            self.tell(report, receipts.len());
            return Ok(receipts);
        }
        if self.job.settings.on_moved_source == OnMovedSource::Fail {
            return Err(moved(&report.movement, receipts.len(), &self.run.to_string()));
        }
        self.note(&now).await?;
        self.job.progress.emit(Event::Note {
            text: format!("{}: the {} chunks that are there are compared with it", report.movement, receipts.len()),
        });
        let known = carried(self.plan, &receipts);
        let differing = self.recheck(snapshot).differing(known.clone()).await?;
        failpoint::reached(failpoint::RECHECKED);
        let orders = orders(self.plan, &differing, &receipts, stood)?;
        self.refuse_hooked(&differing)?;
        let mut gone: HashSet<(ObjectName, u32)> = HashSet::new();
        for order in orders {
            for taken in self.carry_out(order).await? {
                gone.extend(taken.chunks.into_iter().map(|chunk| (taken.table.clone(), chunk)));
            }
        }
        ledger.settle_instant(self.run, now.number).await?;
        failpoint::reached(failpoint::INSTANT_SETTLED);
        let is_gone = |receipt: &Receipt| gone.contains(&(receipt.table.clone(), receipt.chunk));
        report.rechecked = counted(&self.plan.tables, &known, &is_gone);
        self.tell(report, receipts.len());
        Ok(receipts.into_iter().filter(|receipt| !is_gone(receipt)).collect())
    }

    async fn note(&self, instant: &InstantRecord) -> Result<()> {
        self.sink().ledger().note_instant(self.run, instant).await?;
        failpoint::reached(failpoint::INSTANT_NOTED);
        Ok(())
    }

    fn tell(&self, report: InstantReport, chunks: usize) {
        let text = match report.rechecked.is_empty() {
            true if chunks == 0 => format!("{}; nothing had been carried yet", report.movement),
            true => format!("{}: the {chunks} chunks that are there are not read again", report.movement),
            false => report.outcome(),
        };
        self.job.progress.emit(Event::Note { text });
        self.instants.lock().unwrap_or_else(PoisonError::into_inner).push(report);
    }

    fn recheck<'a>(&'a self, snapshot: &'a Arc<dyn Snapshot>) -> Recheck<'a> {
        let settings = &self.job.settings;
        let jobs = settings.effective_jobs();
        Recheck {
            run: self.run,
            plan: self.plan,
            snapshot,
            jobs,
            budget: self.budget.clone(),
            rate: Arc::clone(&self.rate),
            retry_for: settings.retry_for,
            progress: &self.job.progress,
            stop: &self.job.stop,
        }
    }

    /// A hook that has run after a table's load has seen its rows, and does not run again.
    fn refuse_hooked(&self, differing: &[Carried]) -> Result<()> {
        let hooked = |one: &&Carried| {
            self.hooks_done().find(|hook| hook.when == HookWhen::After && hook.table.as_ref() == Some(&one.receipt.table))
        };
        let Some((one, hook)) = differing.iter().find_map(|one| Some((one, hooked(&one)?))) else { return Ok(()) };
        let what =
            format!("some of its rows are others in the source by now, and the hook `{}` has run on what was carried", hook.name);
        Err(Error::new(ErrorKind::Snapshot, what)
            .table(&one.receipt.table)
            .hint(format!("Give the run up with `dbferry abandon {} TARGET`, and begin again", self.run)))
    }

    /// Takes rows out as ordered; gives what was taken out.
    async fn carry_out(&self, order: Order) -> Result<Vec<TakeOut>> {
        let mut done = Vec::new();
        for rows in order.first {
            let found = match self.stop().unless_stopped(self.sink().take_out(self.run, &rows)).await? {
                TakenOut::Done => {
                    done.push(rows);
                    continue;
                }
                TakenOut::Others(found) => found,
            };
            let Some(mut whole) = order.otherwise else { return Err(others(&rows, found)) };
            // Those of the ranges before are out already.
            whole.chunks.retain(|chunk| !done.iter().any(|taken| taken.chunks.contains(chunk)));
            whole.rows = whole.rows.saturating_sub(done.iter().map(|taken| taken.rows).sum());
            return match self.stop().unless_stopped(self.sink().take_out(self.run, &whole)).await? {
                TakenOut::Done => {
                    done.push(whole);
                    Ok(done)
                }
                TakenOut::Others(found) => Err(others(&whole, found)),
            };
        }
        Ok(done)
    }
}

fn told(movement: &Movement) -> SourceMovement {
    match movement {
        Movement::Still(position) => SourceMovement::Still { at: position.clone() },
        Movement::Moved { from, to } => SourceMovement::Moved { from: from.clone(), to: to.clone() },
        Movement::Unproven(why) => SourceMovement::Unproven { why: why.clone() },
    }
}

fn moved(movement: &SourceMovement, chunks: usize, run: &str) -> Error {
    let what =
        format!("{movement}, and `on_moved_source` is `fail`; nothing was changed, and {chunks} chunks are there as they were");
    Error::new(ErrorKind::Snapshot, what).hint(format!(
        "`--resume --on-moved-source recheck` compares them with the source as it is now and carries again what differs; or give the run up with `dbferry abandon {run} TARGET`, and begin again"
    ))
}

fn others(rows: &TakeOut, found: u64) -> Error {
    let what = format!(
        "the rows of its chunks ({}) are others in the source by now, and cannot be taken out: the run has carried {}, and {found} rows are there in their place",
        rows.chunks.iter().map(u32::to_string).collect::<Vec<_>>().join(", "),
        rows.rows
    );
    Error::new(ErrorKind::Snapshot, what)
        .table(&rows.table)
        .hint("Rows of somebody else are among them. Give the run up with `dbferry abandon RUN TARGET`, put the table right, and begin again")
}

/// By table, how many chunks were compared and how many are carried again.
fn counted(tables: &[TablePlan], known: &[Carried], is_gone: &dyn Fn(&Receipt) -> bool) -> Vec<RecheckedTable> {
    let mut all: BTreeMap<usize, (usize, usize)> = BTreeMap::new();
    for one in known {
        let counts = all.entry(one.place).or_default();
        counts.0 += 1;
        counts.1 += usize::from(is_gone(&one.receipt));
    }
    let named = |(place, (chunks, carried_again)): (usize, (usize, usize))| {
        Some(RecheckedTable { table: tables.get(place)?.label(), chunks, carried_again })
    };
    all.into_iter().filter_map(named).collect()
}
