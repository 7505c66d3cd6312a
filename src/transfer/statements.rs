//! The statements around the rows: tables before them; indexes, next ids, foreign keys and statistics after them.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::config::Scope;
use crate::engine::{Ddl, DdlPhase, Sink};
use crate::error::{Error, Result};
use crate::failpoint;
use crate::model::ObjectName;
use crate::model::hook::HookWhen;
use crate::progress::{Event, Phase, Progress};

use super::batches;
use super::copy::{Accounts, stops_the_run};
use super::pool;
use super::restore;
use super::retry_chunk::persist;
use super::run::{Job, Runner};
use super::stop::Stop;
use super::unlogged;

/// The mark in the ledger once what stood in the way is gone: on resume, what stands there is the run's own.
pub(super) const CLEARED: &str = "cleared";

/// What failed beside the copying of rows: the table, if it is one's, and the error with its hint.
pub(super) type Faults = Vec<(Option<ObjectName>, String)>;

impl Runner<'_> {
    /// Clears what stands in the way, once a run, and creates what is missing.
    pub(super) async fn create(&self, marks: &[(ObjectName, String)]) -> Result<()> {
        let ddl = |phase| self.plan.statements(phase).cloned().collect::<Vec<_>>();
        let hooks = self.hooks.left(HookWhen::Before, false) + self.hooks.left(HookWhen::Before, true);
        let steps = ddl(DdlPhase::Clear).len() + ddl(DdlPhase::Before).len() + ddl(DdlPhase::Tables).len();
        self.phase(Phase::Create, steps + hooks);
        let ledger = self.job.sink.ledger();
        let everything = ObjectName::new("", "*");
        self.hooks.run_all(HookWhen::Before, false, |_| None).await?;
        if !marks.iter().any(|(_, mark)| mark == CLEARED) {
            for statement in ddl(DdlPhase::Clear) {
                self.apply(&statement).await?;
            }
            ledger.mark(self.run, &everything, CLEARED).await?;
            failpoint::reached(failpoint::CLEARED);
        }
        for statement in ddl(DdlPhase::Before) {
            self.apply(&statement).await?;
        }
        let jobs = self.job.settings.effective_jobs();
        let (sink, stop, progress) = (Arc::clone(&self.job.sink), self.job.stop.clone(), self.job.progress.clone());
        let patience = self.job.settings.retry_for;
        let groups = ddl(DdlPhase::Tables).into_iter().map(|statement| vec![statement]).collect();
        pool::each(jobs, batches::together(groups, jobs, |_| true), move |group| {
            let (sink, stop, progress) = (Arc::clone(&sink), stop.clone(), progress.clone());
            async move {
                if batches::done_at_once(&group, &*sink, &stop, &progress).await? {
                    return Ok(());
                }
                for statement in &group {
                    step(statement, &*sink, &stop, &progress, patience).await?;
                }
                Ok(())
            }
        })
        .await?;
        // Before the snapshot of the source is taken, so that it shows what they change there.
        self.hooks.run_all(HookWhen::Before, true, |_| None).await
    }

    async fn apply(&self, statement: &Ddl) -> Result<()> {
        let Job { sink, stop, progress, settings, .. } = self.job;
        step(statement, &**sink, stop, progress, settings.retry_for).await
    }

    /// True for statements of tables that arrived, or of none in particular.
    fn wanted(&self, accounts: &Accounts) -> Box<dyn Fn(&Ddl) -> bool> {
        if self.plan.choices.scope == Scope::SchemaOnly {
            return Box::new(|_| true);
        }
        let arrived: Vec<ObjectName> =
            self.arrived(accounts).into_iter().map(|place| self.plan.tables[place].target().clone()).collect();
        Box::new(move |ddl| ddl.table.as_ref().is_none_or(|table| arrived.contains(table)))
    }

    pub(super) async fn index(&self, accounts: &Accounts, errors: &mut Faults) -> Result<()> {
        let wanted = self.wanted(accounts);
        let mut statements: Vec<Ddl> = self.plan.statements(DdlPhase::Indexes).filter(|ddl| wanted(ddl)).cloned().collect();
        // The largest table's indexes first; the sort is stable, so that a primary key stays before the others.
        let size = |ddl: &Ddl| {
            self.plan
                .tables
                .iter()
                .find(|table| Some(table.target()) == ddl.table.as_ref())
                .map(|table| table.mapped.source.estimated_bytes)
        };
        statements.sort_by_key(|ddl| std::cmp::Reverse(size(ddl)));
        let finish: Vec<Ddl> = self.plan.statements(DdlPhase::Finish).filter(|ddl| wanted(ddl)).cloned().collect();
        let restored = restore::groups(self.plan);
        self.phase(
            Phase::Index,
            statements.len()
                + finish.len()
                + self.plan.statements(DdlPhase::Logged).count()
                + restored.iter().map(Vec::len).sum::<usize>(),
        );
        if !restored.is_empty() {
            // Whatever became of the rows.
            let before = errors.len();
            self.side_by_side(restored, errors).await?;
            if errors.len() == before {
                self.job.sink.ledger().mark(self.run, &ObjectName::new("", "*"), restore::RESTORED).await?;
                failpoint::reached(failpoint::RESTORED);
            }
        }
        let logged: Vec<Vec<Ddl>> = self.plan.statements(DdlPhase::Logged).map(|statement| vec![statement.clone()]).collect();
        if !logged.is_empty() {
            // Whatever became of the rows.
            let before = errors.len();
            self.side_by_side(logged, errors).await?;
            if errors.len() == before {
                self.job.sink.ledger().mark(self.run, &ObjectName::new("", "*"), unlogged::LOGGED).await?;
            }
        }
        self.side_by_side(self.small_together(statements.into_iter().map(|statement| vec![statement]).collect()), errors).await?;
        // Those about one table run in their order: the owner changes last, when nothing is left to be done as its maker.
        let mut by_table: Vec<Vec<Ddl>> = Vec::new();
        for statement in finish {
            match by_table.last_mut().filter(|group| group.last().is_some_and(|last| last.table == statement.table)) {
                Some(group) => group.push(statement),
                None => by_table.push(vec![statement]),
            }
        }
        self.side_by_side(self.small_together(by_table), errors).await
    }

    /// The tables whose target is small, with all that goes there.
    pub(super) fn small_places(&self) -> HashSet<usize> {
        let bytes = |place: &usize| self.plan.tables.get(*place).map_or(0, |table| table.mapped.source.estimated_bytes);
        let small = |group: &Vec<usize>| group.iter().map(bytes).fold(0, u64::saturating_add) <= batches::SMALL_BYTES;
        self.plan.groups().into_iter().filter(small).flatten().collect()
    }

    /// The groups that are about small tables several together: what they wait for is the way there and back.
    fn small_together(&self, groups: Vec<Vec<Ddl>>) -> Vec<Vec<Ddl>> {
        let small: HashSet<&ObjectName> = self
            .plan
            .tables
            .iter()
            .filter(|table| table.mapped.source.estimated_bytes <= batches::SMALL_BYTES)
            .map(|table| table.target())
            .collect();
        let is_small = |group: &[Ddl]| group.iter().all(|ddl| ddl.table.as_ref().is_some_and(|table| small.contains(table)));
        batches::together(groups, self.job.settings.effective_jobs(), is_small)
    }

    pub(super) async fn constrain(&self, accounts: &Accounts, errors: &mut Faults) -> Result<()> {
        let wanted = self.wanted(accounts);
        let of = |phase| self.plan.statements(phase).filter(|ddl| wanted(ddl)).cloned().collect::<Vec<_>>();
        let (keys, validate) = (of(DdlPhase::ForeignKeys), of(DdlPhase::Validate));
        self.phase(Phase::Constrain, keys.len() + validate.len());
        // One after the other: adding a foreign key locks child and parent, and two of them side by side can deadlock.
        self.side_by_side(vec![keys], errors).await?;
        self.side_by_side(validate.into_iter().map(|statement| vec![statement]).collect(), errors).await
    }

    /// Statistics of the tables that arrived. A run that goes on, or executes a stored plan, leaves them out as well if that is asked for now.
    pub(super) async fn analyze(&self, accounts: &Accounts, errors: &mut Faults) -> Result<()> {
        if !self.job.settings.analyze {
            return Ok(());
        }
        let wanted = self.wanted(accounts);
        let statements = self.plan.statements(DdlPhase::Analyze).filter(|ddl| wanted(ddl)).map(|ddl| vec![ddl.clone()]).collect();
        self.side_by_side(self.small_together(statements), errors).await
    }

    /// Runs groups of statements whose failure is the table's, and not the run's: groups side by side, each in its order.
    async fn side_by_side(&self, groups: Vec<Vec<Ddl>>, errors: &mut Faults) -> Result<()> {
        let failed: Arc<Mutex<Faults>> = Arc::default();
        let (sink, stop, progress) = (Arc::clone(&self.job.sink), self.job.stop.clone(), self.job.progress.clone());
        let collected = Arc::clone(&failed);
        let (hide_keys, patience) = (self.job.settings.hide_keys, self.job.settings.retry_for);
        pool::each(self.job.settings.effective_jobs(), groups, move |group| {
            let (sink, stop, progress, failed) = (Arc::clone(&sink), stop.clone(), progress.clone(), Arc::clone(&collected));
            async move {
                if batches::done_at_once(&group, &*sink, &stop, &progress).await? {
                    return Ok(());
                }
                for statement in group {
                    match step(&statement, &*sink, &stop, &progress, patience).await {
                        Err(error) if stops_the_run(&error) => return Err(error),
                        Err(error) => {
                            failed
                                .lock()
                                .unwrap_or_else(PoisonError::into_inner)
                                .push((statement.table.clone(), error.hide_keys(hide_keys).with_hint()));
                        }
                        Ok(()) => {}
                    }
                }
                Ok(())
            }
        })
        .await?;
        errors.append(&mut failed.lock().unwrap_or_else(PoisonError::into_inner));
        Ok(())
    }
}

/// Runs one statement, and tells of it.
async fn step(statement: &Ddl, sink: &dyn Sink, stop: &Stop, progress: &Progress, patience: Duration) -> Result<()> {
    progress.emit(Event::StepStarted { step: statement.object.clone() });
    let (before, after) = points(statement.phase);
    failpoint::reached(before);
    let applied = persist(patience, progress, &statement.object, || sink.apply(statement));
    let result = stop.unless_stopped(applied).await.map_err(|error| about(error, statement));
    failpoint::reached(after);
    let error = result.as_ref().err().map(ToString::to_string);
    progress.emit(Event::StepFinished { step: statement.object.clone(), error });
    result
}

/// The places around a statement where a test may end the process.
pub(super) fn points(phase: DdlPhase) -> (&'static str, &'static str) {
    match phase {
        DdlPhase::Clear => (failpoint::CLEAR_BEFORE, failpoint::CLEAR_DONE),
        DdlPhase::Before => (failpoint::SCHEMA_BEFORE, failpoint::SCHEMA_MADE),
        DdlPhase::Tables => (failpoint::TABLE_BEFORE, failpoint::TABLE_MADE),
        DdlPhase::Restore => (failpoint::RESTORE_BEFORE, failpoint::RESTORE_DONE),
        DdlPhase::Logged | DdlPhase::Indexes => (failpoint::INDEX_BEFORE, failpoint::INDEX_MADE),
        DdlPhase::Finish => (failpoint::FINISH_BEFORE, failpoint::FINISH_DONE),
        DdlPhase::ForeignKeys => (failpoint::FOREIGN_KEY_BEFORE, failpoint::FOREIGN_KEY_ADDED),
        DdlPhase::Validate => (failpoint::VALIDATE_BEFORE, failpoint::VALIDATED),
        DdlPhase::Analyze => (failpoint::ANALYZE_BEFORE, failpoint::ANALYZED),
    }
}

/// Names the statement's object in its error, unless the engine has.
fn about(error: Error, statement: &Ddl) -> Error {
    if error.what().contains(&statement.object) {
        return match &statement.table {
            Some(table) => error.table(table),
            None => error,
        };
    }
    let what = format!("{} could not be made", statement.object);
    let kind = error.kind();
    let hint = error.hint_text().map(str::to_string);
    let mut error = Error::new(kind, what).with_source(error);
    if let Some(table) = &statement.table {
        error = error.table(table);
    }
    match hint {
        Some(hint) => error.hint(hint),
        None => error,
    }
}
