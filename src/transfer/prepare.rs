//! All that may refuse a run, before anything is changed: the plan, the ledger's word on earlier runs, the rights.

use crate::config::{Scope, Settings};
use crate::error::{Error, ErrorKind, Result};
use crate::failpoint;
use crate::ledger::{HookRecord, RunRecord, RunState};
use crate::model::unit::Receipt;
use crate::model::{ObjectName, RunId};
use crate::plan::make::{Depth, make, now_us};
use crate::plan::{self, Choices, Plan, passing};
use crate::progress::{Event, Phase};
use crate::report::{self, Report};

use super::hooks::check_left;
use super::restore::refuse_unrestored;
use super::run::{Job, VERIFIED};

/// A run that may begin, or go on.
pub(super) struct Prepared {
    pub(super) run: RunId,
    pub(super) plan: Plan,
    pub(super) receipts: Vec<Receipt>,
    pub(super) marks: Vec<(ObjectName, String)>,
    pub(super) hooks: Vec<HookRecord>,
    /// The report of a run that has nothing left but hooks at its end.
    pub(super) verified: Option<Report>,
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
    let given = Choices::of(settings);
    let choices = job.plan.as_ref().map_or_else(|| given.clone(), |plan| plan.choices.clone());
    let identity = plan::identity(&settings.source.to_string(), &settings.target.to_string(), &choices);
    let all: Vec<RunRecord> = sink.ledger().runs().await?;
    let mut same = all.clone();
    if job.resume && !same.iter().any(|run| run.identity == identity) {
        refuse_other_hooks(&same, settings, &choices)?;
    }
    same.retain(|run| run.identity == identity);
    if job.resume
        && let Some(record) = same.first()
    {
        if record.state == RunState::Done
            && let Ok(mut plan) = stored_plan(record)
        {
            plan.unlock(&given)?;
        }
        if record.state == RunState::Done
            && let Some(report) = record.report.clone().and_then(|report| report::json::from_value(report).ok())
        {
            if let Ok(theirs) = stored_plan(record) {
                // It may have been ended between the two.
                sink.forget_keys(record.run, &theirs.upserted()).await?;
            }
            job.progress.emit(Event::Note { text: format!("run {} is done already; nothing is left to do", record.run) });
            return Ok(Start::AlreadyDone(Box::new(report)));
        }
        let mut plan = stored_plan(record)?;
        plan.unlock(&given)?;
        return resume(job, record, plan).await.map(|prepared| Start::Go(Box::new(prepared)));
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
            stored
        }
        None => {
            let plan = make(settings, source, sink, Depth::Full, now_us()).await?;
            passing::refuse_empty(settings, source, &plan).await?;
            plan
        }
    };
    if let Some(refusal) = plan.refusal() {
        let unfinished = same.iter().any(|run| run.state != RunState::Done);
        return Err(if unfinished { hint_at_resume(refusal) } else { refusal });
    }
    // Nothing is made where every table stands.
    let made = plan.tables.iter().filter(|_| plan.choices.scope != Scope::DataOnly);
    let schemas: Vec<String> = made.map(|table| table.target().schema.clone()).collect();
    sink.check(&distinct(schemas), settings.owner.as_deref()).await?;
    refuse_unrestored(&plan, &all, &**sink).await?;

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
    })))
}

/// Hooks are a part of a run's identity. A run that differs in them alone is meant, and must not be begun again in silence.
fn refuse_other_hooks(runs: &[RunRecord], settings: &Settings, choices: &Choices) -> Result<()> {
    let (source, target) = (settings.source.to_string(), settings.target.to_string());
    let wanted = plan::identity_without_hooks(&source, &target, choices);
    let meant = runs.iter().find(|run| {
        let theirs = run.plan.get("choices").and_then(|choices| serde_json::from_value::<Choices>(choices.clone()).ok());
        let same = |theirs: &Choices| plan::identity_without_hooks(&run.source, &run.target, theirs) == wanted;
        run.state != RunState::Done && theirs.as_ref().is_some_and(same)
    });
    meant.map_or(Ok(()), |run| {
        Err(Error::new(ErrorKind::Ledger, format!("the hooks are not those of the unfinished run {}", run.run))
            .hint("Put them back as they were (`rerun` alone may change), or leave out `--resume` to begin again"))
    })
}

fn hint_at_resume(refusal: Error) -> Error {
    let more = "An unfinished run of the same source, target and choices is in the ledger: `--resume` goes on with it";
    Error::new(refusal.kind(), format!("{refusal}")).hint(more)
}

fn stored_plan(record: &RunRecord) -> Result<Plan> {
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

async fn resume(job: &Job, record: &RunRecord, mut plan: Plan) -> Result<Prepared> {
    let ledger = job.sink.ledger();
    let hooks = if plan.hooks.is_empty() { Vec::new() } else { ledger.hooks(record.run).await? };
    check_left(&mut plan, &job.settings.mapping, &hooks)?;
    let marks = ledger.marks(record.run).await?;
    if marks.iter().any(|(_, mark)| mark == VERIFIED)
        && let Some(report) = record.report.clone()
    {
        let report = report::json::from_value(report)?;
        job.progress.emit(Event::Note { text: format!("going on with run {}: only its last hooks are left", record.run) });
        return Ok(Prepared { run: record.run, plan, receipts: Vec::new(), marks, hooks, verified: Some(report) });
    }
    let now = make(&job.settings, &job.source, &job.sink, Depth::ToResume, now_us()).await?;
    // The target has changed: this run has created its tables. Only the source must be what it was.
    Plan { target: now.target.clone(), ..plan.clone() }.check(&now)?;
    let receipts = ledger.receipts(record.run).await?;
    job.progress.emit(Event::Note {
        text: format!("going on with run {}: {} chunks are there already and are not read again", record.run, receipts.len()),
    });
    Ok(Prepared { run: record.run, plan, receipts, marks, hooks, verified: None })
}

fn distinct(mut names: Vec<String>) -> Vec<String> {
    names.sort();
    names.dedup();
    names.retain(|name| !name.is_empty());
    names
}
