//! Giving a run up: what it has made goes, what it has set aside comes back, and the ledger forgets it.
//!
//! Only tables that the run itself has made are dropped. Rows that it has added to tables that stood before stay, and are told.

use std::sync::Arc;

use crate::engine::{Clear, Ddl, DdlPhase, Dialect, SequenceStep, Sink};
use crate::error::{Error, ErrorKind, Result};
use crate::ledger::lease::{Holder, refused, still_living};
use crate::ledger::{RunRecord, RunState};
use crate::model::{ObjectName, Table};
use crate::plan::Plan;

use super::keep::Keeper;
use super::prepare::stored_plan;
use super::restore::RESTORED;
use super::statements::CLEARED;

/// What giving a run up comes to.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Given {
    /// Tables that go.
    pub dropped: Vec<ObjectName>,
    /// What is put back, by name.
    pub restored: Vec<String>,
    /// Tables that stood before, with the rows that were put there; they stay.
    pub kept: Vec<(ObjectName, u64)>,
    /// Tables that stood before, with the rows that were sent there by their key: added, or in the place of what stood there; they stay.
    pub upserted: Vec<(ObjectName, u64)>,
    /// Tables that a later run has made anew; they stay.
    pub later: Vec<ObjectName>,
}

/// What is to be done; changes nothing.
///
/// # Errors
/// `Ledger` for a run that is done, or that is being worked on.
pub async fn look(sink: &dyn Sink, runs: &[RunRecord], record: &RunRecord) -> Result<Given> {
    refuse_living(sink, record).await?;
    Ok(weigh(sink, runs, record).await?.0)
}

/// Gives the run up. Safe to repeat: the ledger forgets the run last.
///
/// # Errors
/// As [`look`]; what the target says when something of somebody else's depends on a table.
pub async fn abandon(sink: &Arc<dyn Sink>, dialect: &dyn Dialect, runs: &[RunRecord], record: &RunRecord) -> Result<Given> {
    refuse_living(&**sink, record).await?;
    weigh(&**sink, runs, record).await?;
    let ledger = sink.ledger();
    ledger.prepare().await?;
    let holder = Holder::this_process();
    ledger.hold(record.run, &holder).await?;
    let keeper = Keeper::start(Arc::clone(sink), record.run, holder);
    // Again, since the run may have gone on until now.
    let (given, plan, back) = weigh(&**sink, runs, record).await?;
    for statement in &back {
        sink.apply(statement).await?;
    }
    let mut tables: Vec<&Table> = plan.tables.iter().map(|table| &table.mapped.target).collect();
    tables.retain(|table| given.dropped.contains(&table.name));
    tables.dedup_by_key(|table| &table.name);
    for statement in dialect.clear(&tables, Clear::Drop).unwrap_or_default() {
        sink.apply(&statement).await?;
    }
    for one in plan.sequences.iter().filter(|one| given.dropped.contains(&one.target)) {
        for statement in dialect.sequence(&one.planned(), SequenceStep::Drop, None).unwrap_or_default() {
            sink.apply(&statement).await?;
        }
    }
    sink.forget_keys(record.run, &plan.upserted()).await?;
    ledger.forget(record.run).await?;
    keeper.release().await;
    Ok(given)
}

async fn refuse_living(sink: &dyn Sink, record: &RunRecord) -> Result<()> {
    let waiting = |text: String| tracing::warn!("{text}");
    match still_living(sink.ledger(), record.run, waiting).await? {
        Some(living) => Err(refused(record.run, &living)),
        None => Ok(()),
    }
}

async fn weigh(sink: &dyn Sink, runs: &[RunRecord], record: &RunRecord) -> Result<(Given, Plan, Vec<Ddl>)> {
    let ledger = sink.ledger();
    if record.state == RunState::Done {
        return Err(Error::new(ErrorKind::Ledger, format!("the run {} is done; what it carried is not taken away", record.run))
            .hint("Drop its tables by hand if they are not wanted"));
    }
    let plan = stored_plan(record)?;
    let marks = ledger.marks(record.run).await?;
    let receipts = ledger.receipts(record.run).await?;
    // Before that mark nothing was made, and what stands is what stood before.
    let cleared = marks.iter().any(|(_, mark)| mark == CLEARED);
    let made: Vec<&ObjectName> = plan.statements(DdlPhase::Tables).filter_map(|ddl| ddl.table.as_ref()).collect();
    let mut targets: Vec<ObjectName> = plan.tables.iter().map(|table| table.target().clone()).collect();
    targets.sort();
    targets.dedup();
    let later = |table: &ObjectName| {
        let newer =
            runs.iter().filter(|run| (run.started_us, run.run) > (record.started_us, record.run) && run.run != record.run);
        newer.filter_map(|run| stored_plan(run).ok()).any(|plan| plan.tables.iter().any(|other| other.target() == table))
    };
    let upserted = plan.upserted();
    let mut given = Given::default();
    let standing: Vec<ObjectName> = sink.existing(&targets).await?.into_iter().map(|table| table.name).collect();
    for table in targets.into_iter().filter(|table| standing.contains(table)) {
        let rows: u64 = receipts.iter().filter(|receipt| receipt.table == table).map(|receipt| receipt.digest.rows).sum();
        match (made.contains(&&table), later(&table)) {
            (true, false) if cleared => given.dropped.push(table),
            (true, true) => given.later.push(table),
            _ if rows > 0 && upserted.contains(&table) => given.upserted.push((table, rows)),
            _ if rows > 0 => given.kept.push((table, rows)),
            _ => {}
        }
    }
    // Sequences that this run has made, and no other one since.
    let names: Vec<ObjectName> = plan.sequences.iter().map(|one| one.target.clone()).collect();
    let numbers: Vec<ObjectName> = sink.sequences(&names).await?.into_iter().map(|one| one.name).collect();
    for name in names.into_iter().filter(|name| cleared && numbers.contains(name)) {
        let object = format!("sequence {name}");
        if plan.statements(DdlPhase::Before).any(|ddl| ddl.object == object) && !later_sequence(runs, record, &name) {
            given.dropped.push(name);
        }
    }
    let mut back = Vec::new();
    if !marks.iter().any(|(_, mark)| mark == RESTORED) {
        for ddl in plan.statements(DdlPhase::Restore) {
            if !sink.stands(ddl).await? {
                back.push(ddl.clone());
            }
        }
    }
    given.restored = back.iter().map(|ddl| ddl.object.clone()).collect();
    Ok((given, plan, back))
}

/// True if a run that began after `record` has the sequence too.
fn later_sequence(runs: &[RunRecord], record: &RunRecord, name: &ObjectName) -> bool {
    let newer = runs.iter().filter(|run| (run.started_us, run.run) > (record.started_us, record.run) && run.run != record.run);
    newer.filter_map(|run| stored_plan(run).ok()).any(|plan| plan.sequences.iter().any(|one| one.target == *name))
}
