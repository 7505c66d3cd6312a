//! All that may refuse a run, before anything is changed: the plan, the ledger's word on earlier runs, the rights.

use std::sync::Arc;

use crate::config::{IfExists, Scope, Settings};
use crate::error::{Error, ErrorKind, Result};
use crate::failpoint;
use crate::ledger::lease::{Holder, refused, still_living};
use crate::ledger::{HookRecord, RunRecord, RunState};
use crate::model::unit::Receipt;
use crate::model::{ObjectName, RunId};
use crate::plan::make::{Depth, make, now_us};
use crate::plan::{self, Choices, Plan, PlannedSide, passing};
use crate::progress::{Event, Phase};
use crate::report::{self, Report};

use super::choose::{Resume, choose};
use super::hooks::check_left;
use super::keep::Keeper;
use super::restore::refuse_unrestored;
use super::run::{Job, VERIFIED};
use super::{pause, sessions, unlogged};

/// A run that may begin, or go on.
pub(super) struct Prepared {
    pub(super) run: RunId,
    pub(super) plan: Plan,
    pub(super) receipts: Vec<Receipt>,
    pub(super) marks: Vec<(ObjectName, String)>,
    pub(super) hooks: Vec<HookRecord>,
    /// The report of a run that has nothing left but hooks at its end.
    pub(super) verified: Option<Report>,
    /// Chunks that are opened ahead of their turn.
    pub(super) ahead: usize,
    /// Holds the lease.
    pub(super) keeper: Keeper,
}

/// What comes of looking before leaping.
pub(super) enum Start {
    Go(Box<Prepared>),
    AlreadyDone(Box<Report>),
}

/// All that may refuse the run, before anything is changed.
pub(super) async fn prepare(job: &Job) -> Result<Start> {
    let Job { settings, source, sink, .. } = job;
    job.progress.emit(Event::Phase { phase: Phase::Plan, steps: 0 });
    // Rights that are missing are told together: each is set aside until all are known.
    let mut denied = Vec::new();
    set_aside(pause::check(&settings.pause, &**source, &**sink).await, &mut denied)?;
    let ahead = sessions::check(settings.effective_jobs(), &**source, &**sink, &job.progress).await?;
    let given = Choices::of(settings);
    let choices = job.plan.as_ref().map_or_else(|| given.clone(), |plan| plan.choices.clone());
    let identity = plan::identity(&settings.source.to_string(), &settings.target.to_string(), &choices);
    let all: Vec<RunRecord> = set_aside(sink.ledger().runs().await, &mut denied)?;
    let chosen = if denied.is_empty() { choose(&all, &job.resume, settings, &choices)? } else { None };
    let mut same = all.clone();
    same.retain(|run| run.identity == identity);
    if let Some(record) = chosen {
        if record.state == RunState::Done {
            // One of an earlier version cannot be read any more, and nothing is left to be done by it.
            let mut plan = stored_plan(record).ok();
            if let Some(plan) = &mut plan {
                plan.unlock(&given)?;
            }
            if let Some(report) = record.report.clone().and_then(|report| report::json::from_value(report).ok()) {
                if let Some(plan) = &plan {
                    // It may have been ended between the two.
                    sink.forget_keys(record.run, &plan.upserted()).await?;
                }
                job.progress.emit(Event::Note { text: format!("run {} is done already{}", record.run, ended(record)) });
                if let Some(text) = plan.as_ref().and_then(|plan| not_compared(settings, plan)) {
                    job.progress.emit(Event::Note { text });
                }
                return Ok(Start::AlreadyDone(Box::new(report)));
            }
        }
        let mut plan = stored_plan(record)?;
        plan.unlock(&given)?;
        verify_as_asked(job, &mut plan);
        return resume(job, record, plan, ahead).await;
    }
    for run in same.iter().filter(|run| run.state == RunState::Running) {
        if let Some(living) = still_living(sink.ledger(), run.run, told(job)).await? {
            return Err(refused(run.run, &living));
        }
    }
    if settings.unlogged && job.resume != Resume::No {
        let what =
            "there is no run to go on with, and `--resume` would begin a new one with `unlogged`, which promises no resume";
        return Err(
            Error::new(ErrorKind::Config, what).hint("Leave out `--resume` to begin it all the same, or leave out `unlogged`")
        );
    }
    let plan = match &job.plan {
        Some(stored) => {
            let now = make(settings, source, sink, Depth::WithoutChunks, now_us()).await?;
            stored.check(&now)?;
            // Rows may have come into tables that were to be empty.
            if let Some(refusal) = now.refusal() {
                return Err(refusal);
            }
            let mut stored = stored.clone();
            stored.unlock(&given)?;
            verify_as_asked(job, &mut stored);
            stored
        }
        None => {
            let plan = match make(settings, source, sink, Depth::Full, now_us()).await {
                Ok(plan) => plan,
                Err(error) => return Err(denied.into_iter().fold(error, Error::and)),
            };
            passing::refuse_empty(settings, source, &plan).await?;
            plan
        }
    };
    let unfinished = same.iter().any(|run| run.state != RunState::Done);
    let refusal = plan.refusal().map(|refusal| if unfinished { hint_at_resume(refusal) } else { refusal });
    refuse(job, &plan, refusal, denied).await?;
    refuse_unrestored(&plan, &all, &**sink).await?;
    refuse_shared(job, &plan, &all).await?;

    // From here on something changes; the ledger comes first, so that whatever follows can be continued.
    let ledger = sink.ledger();
    ledger.prepare().await?;
    failpoint::reached(failpoint::LEDGER_MADE);
    let record = RunRecord {
        run: job.run,
        source: settings.source.to_string(),
        target: settings.target.to_string(),
        identity,
        state: RunState::Running,
        plan: serde_json::to_value(&plan).map_err(|error| Error::internal("a plan is not JSON").with_source(error))?,
        started_us: 0,
        updated_us: 0,
        report: None,
    };
    ledger.start(&record).await?;
    failpoint::reached(failpoint::RUN_STARTED);
    let keeper = hold(job, job.run).await?;
    refuse_twin(job, &record).await?;
    for earlier in &same {
        // They are given up by this one: nobody goes on with them any more.
        if let Ok(theirs) = stored_plan(earlier) {
            sink.forget_keys(earlier.run, &theirs.upserted()).await?;
        }
    }
    Ok(Start::Go(Box::new(Prepared {
        run: job.run,
        plan,
        receipts: Vec::new(),
        marks: Vec::new(),
        hooks: Vec::new(),
        verified: None,
        ahead,
        keeper,
    })))
}

/// What was asked for; nothing instead where a right is missing, which is kept.
fn set_aside<T: Default>(asked: Result<T>, denied: &mut Vec<Error>) -> Result<T> {
    match asked {
        Err(error) if error.kind() == ErrorKind::MissingRight => {
            denied.push(error);
            Ok(T::default())
        }
        asked => asked,
    }
}

/// Refuses for what the plan says, and for the rights that the target does not give, all at once.
async fn refuse(job: &Job, plan: &Plan, refusal: Option<Error>, denied: Vec<Error>) -> Result<()> {
    let Job { settings, sink, .. } = job;
    // Nothing is made where every table stands.
    let made = plan.tables.iter().filter(|_| plan.choices.scope != Scope::DataOnly);
    let mut schemas: Vec<String> = made.map(|table| table.target().schema.clone()).collect();
    schemas.extend(plan.sequences.iter().map(|one| one.target.schema.clone()));
    let mut errors: Vec<Error> = refusal.into_iter().chain(denied).collect();
    errors.extend(sink.check(&distinct(schemas), settings.owner.as_deref()).await.err());
    if plan.choices.if_exists == IfExists::Drop {
        let dropped: Vec<ObjectName> = plan.tables.iter().map(|table| table.target().clone()).collect();
        errors.extend(sink.may_not_drop(&dropped).await?);
    }
    // Each as it is, with those that were found in the same go.
    match errors.into_iter().reduce(Error::and) {
        Some(error) => Err(error),
        None => Ok(()),
    }
}

fn hint_at_resume(refusal: Error) -> Error {
    let more = "An unfinished run of the same source, target and choices is in the ledger: `--resume` goes on with it";
    Error::new(refusal.kind(), format!("{refusal}")).hint(more)
}

pub(super) fn stored_plan(record: &RunRecord) -> Result<Plan> {
    let plan: Plan = serde_json::from_value(record.plan.clone()).map_err(|error| {
        Error::new(ErrorKind::Ledger, "the plan in the ledger cannot be read by this version").with_source(error)
    })?;
    if plan.format != plan::FORMAT {
        return Err(Error::new(
            ErrorKind::Ledger,
            format!("the plan in the ledger has form {}, this version knows {}", plan.format, plan::FORMAT),
        ));
    }
    Ok(plan)
}

async fn resume(job: &Job, record: &RunRecord, mut plan: Plan, ahead: usize) -> Result<Start> {
    let ledger = job.sink.ledger();
    if let Some(living) = still_living(ledger, record.run, told(job)).await? {
        return Err(refused(record.run, &living));
    }
    let hooks = if plan.hooks.is_empty() { Vec::new() } else { ledger.hooks(record.run).await? };
    check_left(&mut plan, &job.settings.mapping, &hooks)?;
    let verified = ledger.marks(record.run).await?.iter().any(|(_, mark)| mark == VERIFIED);
    if !verified {
        let now = make(&job.settings, &job.source, &job.sink, Depth::ToResume, now_us()).await?;
        // The target's tables have changed: this run has created them. Its server, and all of the source, must be what they were.
        let target = PlannedSide { fingerprint: now.target.fingerprint.clone(), ..plan.target.clone() };
        Plan { target, ..plan.clone() }.check(&now).map_err(|error| {
            error.hint(format!(
                "Put the source back as it was, or give the run up with `dbferry abandon {} TARGET` and begin again",
                record.run
            ))
        })?;
    }
    // A ledger of an earlier version may lack what this one keeps.
    ledger.prepare().await?;
    let keeper = hold(job, record.run).await?;
    if !verified {
        for text in job.source.take_over(record.run).await? {
            job.progress.emit(Event::Note { text });
        }
    }
    // What is read from here on is not changed any more by an earlier coordinator; it may have come further meanwhile.
    let record = ledger.runs().await?.into_iter().find(|run| run.run == record.run).unwrap_or_else(|| record.clone());
    if record.state == RunState::Done {
        // The end of an earlier coordinator was on its way when this one looked.
        keeper.release().await;
        job.progress.emit(Event::Note { text: format!("run {} is done by now{}", record.run, ended(&record)) });
        let report = record.report.clone().and_then(|report| report::json::from_value(report).ok());
        return report.map(|report| Start::AlreadyDone(Box::new(report))).ok_or_else(|| {
            Error::new(ErrorKind::Ledger, format!("the run {} was finished by another coordinator just now", record.run))
                .hint("Nothing is left to do")
        });
    }
    let hooks = if plan.hooks.is_empty() { hooks } else { ledger.hooks(record.run).await? };
    check_left(&mut plan, &job.settings.mapping, &hooks)?;
    let marks = ledger.marks(record.run).await?;
    if marks.iter().any(|(_, mark)| mark == VERIFIED)
        && let Some(report) = record.report.clone()
    {
        let report = report::json::from_value(report)?;
        job.progress.emit(Event::Note { text: format!("going on with run {}: only its last hooks are left", record.run) });
        let verified = Some(report);
        return Ok(Start::Go(Box::new(Prepared {
            run: record.run,
            plan,
            receipts: Vec::new(),
            marks,
            hooks,
            verified,
            ahead,
            keeper,
        })));
    }
    let receipts = ledger.receipts(record.run).await?;
    if let Err(refusal) = unlogged::refuse(record.run, &plan, &marks, &receipts) {
        keeper.release().await;
        return Err(refusal);
    }
    job.progress
        .emit(Event::Note { text: format!("going on with run {}: {} chunks are there already", record.run, receipts.len()) });
    Ok(Start::Go(Box::new(Prepared { run: record.run, plan, receipts, marks, hooks, verified: None, ahead, keeper })))
}

/// When a run ended, so that nobody takes its report for that of a new one.
fn ended(record: &RunRecord) -> String {
    let when = report::human::utc(record.updated_us);
    format!(": it ended at {when}, nothing is left to do, and nothing was compared now; its report of then follows")
}

/// The level that is asked for by name takes the place of the plan's, and that is told.
fn verify_as_asked(job: &Job, plan: &mut Plan) {
    let (asked, planned) = (job.settings.verify, &mut plan.choices.verify);
    if job.settings.verify_named && asked != *planned {
        let text = format!(
            "verified by `{}`, as is asked for now, and not by `{}`, as the run was planned",
            asked.name(),
            planned.name()
        );
        job.progress.emit(Event::Note { text });
        *planned = asked;
    }
}

/// What to say of a run that is done, where another verification is asked for than it had.
fn not_compared(settings: &Settings, plan: &Plan) -> Option<String> {
    let (asked, had) = (settings.verify, plan.choices.verify);
    let more = settings.verify_named && asked > had;
    more.then(|| {
        let (asked, had) = (asked.name(), had.name());
        format!("it was verified by `{had}`, not by `{asked}`: `dbferry verify` with the same source, target and mapping, and `--level {asked}`, compares now")
    })
}

/// Tells what is waited for.
fn told(job: &Job) -> impl Fn(String) {
    let progress = job.progress.clone();
    move |text| progress.emit(Event::Note { text })
}

/// Takes the lease of the run, and keeps it.
async fn hold(job: &Job, run: RunId) -> Result<Keeper> {
    let holder = Holder::this_process();
    job.sink.ledger().hold(run, &holder).await?;
    failpoint::reached(failpoint::HELD);
    Ok(Keeper::start(Arc::clone(&job.sink), run, holder))
}

/// Refuses a run into tables that another one is working on.
async fn refuse_shared(job: &Job, plan: &Plan, runs: &[RunRecord]) -> Result<()> {
    for run in runs.iter().filter(|run| run.state == RunState::Running) {
        let Ok(theirs) = stored_plan(run) else { continue };
        let shares = theirs.tables.iter().any(|table| plan.tables.iter().any(|own| own.target() == table.target()));
        if shares && let Some(living) = still_living(job.sink.ledger(), run.run, told(job)).await? {
            return Err(refused(run.run, &living));
        }
    }
    Ok(())
}

/// Two runs that began in the same moment have not seen each other: the later one gives way.
async fn refuse_twin(job: &Job, own: &RunRecord) -> Result<()> {
    let ledger = job.sink.ledger();
    let runs = ledger.runs().await?;
    let Some(started) = runs.iter().find(|run| run.run == own.run).map(|run| (run.started_us, run.run)) else { return Ok(()) };
    let earlier =
        |run: &&RunRecord| run.identity == own.identity && run.state == RunState::Running && (run.started_us, run.run) < started;
    for twin in runs.iter().filter(earlier) {
        if let Some(living) = still_living(ledger, twin.run, told(job)).await? {
            // Where a ledger cannot forget, it stays an unfinished one without a row.
            if let Err(error) = ledger.forget(own.run).await {
                tracing::debug!(%error, "the later of two runs stays in the ledger");
            }
            return Err(refused(twin.run, &living));
        }
    }
    Ok(())
}

fn distinct(mut names: Vec<String>) -> Vec<String> {
    names.sort();
    names.dedup();
    names.retain(|name| !name.is_empty());
    names
}
