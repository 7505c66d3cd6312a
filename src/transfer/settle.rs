//! The end of the copying: every receipt that a commit has promised is asked for once more, when nothing can take it back.
//!
//! A chunk's commit does not wait for the disk: rows and receipt are lost together, or not at all. A server that crashes in the midst may so
//! forget chunks that it has acknowledged. A run that outlives the crash carries those again, from the snapshot that it still has.

use std::collections::HashSet;
use std::sync::{Arc, PoisonError};

use crate::engine::{Sink, Snapshot};
use crate::error::{Error, ErrorKind, Result};
use crate::model::unit::Receipt;
use crate::model::{ObjectName, RunId};
use crate::plan::Plan;
use crate::progress::Event;

use super::copy::{Account, Accounts, accounts as accounts_of};
use super::retry_chunk::persist;
use super::run::Runner;

/// How often chunks that were forgotten are carried again: a target that crashes more often in one run is not fit to be one.
const ROUNDS: u32 = 20;

impl Runner<'_> {
    /// Makes all commits so far durable, compares the receipts with the accounts, and carries again what the target has forgotten.
    ///
    /// # Errors
    /// `ConnectionLost` when receipts stay missing: a resume carries their chunks again; what copying says.
    pub(super) async fn settle(&self, accounts: &Accounts, snapshot: &Arc<dyn Snapshot>) -> Result<()> {
        let sink: &dyn Sink = self.sink();
        let (run, plan, job) = (self.run, self.plan, self.job);
        for _ in 0..ROUNDS {
            let there = persist(job.settings.retry_for, &job.progress, "the end of the copying", || settled(run, sink)).await?;
            let state: Vec<Account> = accounts.lock().unwrap_or_else(PoisonError::into_inner).clone();
            let Some((table, forgotten)) = forgotten(plan, &state, &there) else { return Ok(()) };
            let what = format!("the target has forgotten {forgotten} chunks that it had acknowledged: it was restarted");
            if plan.choices.unlogged {
                return Err(Error::new(ErrorKind::ConnectionLost, what).table(table));
            }
            job.progress.emit(Event::Note { text: format!("`{table}`: {what}; they are carried again") });
            *accounts.lock().unwrap_or_else(PoisonError::into_inner) = going_on(&state, accounts_of(plan, &there), false);
            self.copy(accounts, &there, snapshot).await?;
            let after: Vec<Account> = accounts.lock().unwrap_or_else(PoisonError::into_inner).clone();
            *accounts.lock().unwrap_or_else(PoisonError::into_inner) = going_on(&state, after, true);
        }
        Err(Error::new(ErrorKind::ConnectionLost, "the target was restarted again and again, and has forgotten chunks each time"))
    }
}

async fn settled(run: RunId, sink: &dyn Sink) -> Result<Vec<Receipt>> {
    sink.ledger().settle(run).await
}

/// A table of which chunks were forgotten, and how many of all tables.
fn forgotten(plan: &Plan, accounts: &[Account], receipts: &[Receipt]) -> Option<(ObjectName, usize)> {
    let there: HashSet<(&ObjectName, u32)> = receipts.iter().map(|receipt| (&receipt.table, receipt.chunk)).collect();
    let mut all: Option<(ObjectName, usize)> = None;
    for (table, account) in plan.tables.iter().zip(accounts) {
        let chunks = &table.chunks.chunks;
        let found = chunks.iter().filter(|chunk| there.contains(&(table.target(), chunk.id))).count();
        let expected = chunks.len().saturating_sub(account.left);
        if found < expected {
            all.get_or_insert_with(|| (table.target().clone(), 0)).1 += expected - found;
        }
    }
    all
}

/// The accounts `now`, with what `before` knows beside the receipts. While chunks are carried again nothing counts as carried by an
/// earlier attempt, unless `with_resumed`: that was told already.
fn going_on(before: &[Account], now: Vec<Account>, with_resumed: bool) -> Vec<Account> {
    let merged = now.into_iter().zip(before).map(|(now, before)| Account {
        resumed: if with_resumed { before.resumed } else { 0 },
        began: before.began.or(now.began),
        seconds: now.seconds.max(before.seconds),
        errors: if now.errors.is_empty() { before.errors.clone() } else { now.errors },
        ..now
    });
    merged.collect()
}
