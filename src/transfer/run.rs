//! The order of a run's phases.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures::future::try_join;

use crate::config::{Scope, Settings, VerifyLevel};
use crate::engine::{Budget, Sink, Snapshot, Source, registry};
use crate::error::{Error, ErrorKind, Result};
use crate::failpoint;
use crate::ledger::RunState;
use crate::ledger::lease::Holder;
use crate::model::catalog::Problem;
use crate::model::hook::HookWhen;
use crate::model::unit::Receipt;
use crate::model::{Hook, ObjectName, RunId};
use crate::plan::{self, Plan};
use crate::progress::{Event, Phase, Progress};
use crate::report::{self, InstantReport, PauseReport, PhaseReport, Report, SchemaReport};
use crate::verify::facts::{self, Asking, Facts};

use super::baseline::{Baselines, baselines};
use super::choose::Resume;
use super::copy::{Accounts, Copy, accounts};
use super::hooks::Hooks;
use super::pause::{History, HistoryBefore, Watcher};
use super::prepare::{Prepared, Start, prepare};
use super::rate::Rate;
use super::restore;
use super::retry_chunk::persist;
use super::stall::{Moves, quiet_patience, unless_stalled};
use super::statements::Faults;
use super::stop::Stop;
use super::unlogged;

/// The mark in the ledger once a verification has agreed and its report is stored: hooks of the run's end may change rows from then on.
pub(super) const VERIFIED: &str = "verified";
/// What the report says that is stored together with that mark.
const NOT_YET: &str = " Hooks of the run's end have not run yet.";
/// How often a run whose readers are all lost goes on with another snapshot by itself.
const MOST_LATER_SNAPSHOTS: u32 = 3;

/// A run to be done.
pub struct Job {
    /// What is asked for.
    pub settings: Settings,
    /// The identity that the sessions carry; a resumed run takes the identity of the one that it goes on with.
    pub run: RunId,
    /// Where from.
    pub source: Arc<dyn Source>,
    /// Where to.
    pub sink: Arc<dyn Sink>,
    /// Go on with an unfinished run of the same source, target and choices, if there is one.
    pub resume: Resume,
    /// Execute this plan, and no other.
    pub plan: Option<Plan>,
    /// Hears of progress.
    pub progress: Progress,
    /// May end it.
    pub stop: Stop,
}

/// How a run ended without a report.
#[derive(Debug)]
pub enum Failure {
    /// Before anything was changed: exit code 2.
    NotStarted(Error),
    /// Midway: exit code 3, or 130 and 143 when it was asked to stop. `--resume` continues.
    Stopped(RunId, Error),
}

impl Failure {
    /// The error.
    pub fn error(&self) -> &Error {
        match self {
            Failure::NotStarted(error) | Failure::Stopped(_, error) => error,
        }
    }
}

/// Does a run.
///
/// # Errors
/// [`Failure`]. A run that finished with tables that failed or differ is no failure: its report says exit code 1.
pub async fn run(job: Job) -> Result<Report, Failure> {
    let started = Instant::now();
    let (moves, progress) = Moves::watch(job.progress.clone());
    let job = Job { progress, ..job };
    // Not before somebody else's lease has run out, which is waited for.
    let patience = quiet_patience(&job.settings);
    let patience = if patience.is_zero() { patience } else { patience.max(Holder::this_process().lasts * 2) };
    let preparing = Box::pin(job.stop.unless_stopped(prepare(&job)));
    let prepared = unless_stalled(preparing, patience, &moves, &*job.source, &*job.sink).await.map_err(Failure::NotStarted)?;
    let Prepared { run, plan, receipts, marks, hooks, verified, ahead, mut keeper } = match prepared {
        Start::Go(prepared) => *prepared,
        Start::AlreadyDone(report) => return Ok(*report),
    };
    let hooks = Hooks {
        run,
        plan: &plan.hooks,
        source: &*job.source,
        sink: &*job.sink,
        stop: &job.stop,
        progress: &job.progress,
        known: &hooks,
        reports: Mutex::default(),
    };
    let budget = Budget::new(job.settings.memory_bytes, job.settings.effective_jobs());
    let runner = Runner {
        job: &job,
        run,
        plan: &plan,
        started,
        budget,
        ahead,
        rate: Arc::new(Rate::new(job.settings.max_rate_bytes)),
        pauses: Mutex::default(),
        history_before: Mutex::default(),
        history: Mutex::default(),
        phases: Mutex::default(),
        instants: Mutex::default(),
        altered: Mutex::default(),
        hooks,
    };
    let work = Box::pin(async {
        match verified {
            Some(report) => runner.conclude(report).await,
            None => runner.work(&receipts, &marks).await,
        }
    });
    let work = unless_stalled(work, job.settings.stall_timeout, &moves, &*job.source, &*job.sink);
    let result = tokio::select! {
        biased;
        error = keeper.lost() => Err(error),
        result = work => result,
    };
    keeper.release().await;
    match result {
        Ok(report) => Ok(report),
        Err(error) => {
            if let Some(aside) = restore::told(&plan) {
                let text = format!("set aside for the load, and put back by `--resume` unless it is back already: {aside}");
                job.progress.emit(Event::Note { text });
            }
            Err(Failure::Stopped(run, error))
        }
    }
}

/// The view of the source that the rows were read in, and what stood in the target.
pub(super) struct View<'a> {
    pub(super) snapshot: Option<&'a dyn Snapshot>,
    /// What stood in tables that rows were added to.
    pub(super) stood: Baselines,
    /// How the target's schema compares with the plan.
    pub(super) schema: Option<SchemaReport>,
}

pub(super) struct Runner<'a> {
    pub(super) job: &'a Job,
    pub(super) run: RunId,
    pub(super) plan: &'a Plan,
    pub(super) started: Instant,
    pub(super) budget: Budget,
    /// Chunks that are opened ahead of their turn.
    ahead: usize,
    pub(super) rate: Arc<Rate>,
    pub(super) pauses: Mutex<Vec<PauseReport>>,
    history_before: Mutex<HistoryBefore>,
    pub(super) history: Mutex<Option<History>>,
    pub(super) phases: Mutex<Vec<(Phase, f64)>>,
    /// Snapshots that were not the run's first.
    pub(super) instants: Mutex<Vec<InstantReport>>,
    /// Tables that were altered in the source while the run read them.
    pub(super) altered: Mutex<Vec<Problem>>,
    pub(super) hooks: Hooks<'a>,
}

impl Runner<'_> {
    pub(super) fn phase(&self, phase: Phase, steps: usize) {
        let mut phases = self.phases.lock().unwrap_or_else(PoisonError::into_inner);
        phases.push((phase, self.started.elapsed().as_secs_f64()));
        self.job.progress.emit(Event::Phase { phase, steps });
    }

    pub(super) fn sink(&self) -> &dyn Sink {
        &*self.job.sink
    }

    pub(super) fn stop(&self) -> &Stop {
        &self.job.stop
    }

    async fn work(&self, receipts: &[Receipt], marks: &[(ObjectName, String)]) -> Result<Report> {
        let (job, plan) = (self.job, self.plan);
        let scope = plan.choices.scope;
        job.progress.emit(Event::Started {
            run: self.run.to_string(),
            source: plan.source.address.clone(),
            target: plan.target.address.clone(),
            tables: plan.tables.len(),
            estimated_rows: plan.estimated_rows(),
            estimated_bytes: plan.estimated_bytes(),
        });
        let mut errors: Faults = Vec::new();
        self.create(marks).await?;
        for table in plan.tables.iter().filter(|_| scope != Scope::SchemaOnly) {
            if let Some(key) = &table.load.upsert {
                job.stop.unless_stopped(job.sink.keep_keys(self.run, table.target(), key)).await?;
                failpoint::reached(failpoint::KEYS_MADE);
            }
        }

        let stood = match scope {
            Scope::SchemaOnly => Baselines::new(),
            _ => baselines(self.run, plan, &*job.sink, receipts, marks, &self.asking()).await?,
        };
        let accounts: Accounts = Arc::new(Mutex::new(accounts(plan, receipts)));
        let (snapshot, source_facts) = if scope == Scope::SchemaOnly {
            self.index(&accounts, &mut errors).await?;
            (None, vec![Facts::default(); plan.tables.len()])
        } else {
            let chunks: usize = plan.tables.iter().map(|table| table.chunks.chunks.len()).sum();
            self.phase(Phase::Copy, chunks.saturating_sub(receipts.len()));
            // Beside the snapshot, which waits for none of it.
            let watched = async {
                let before = History::begin(&*job.source).await;
                *self.history_before.lock().unwrap_or_else(PoisonError::into_inner) = before;
            };
            tokio::join!(watched, self.carry_rows(&accounts, receipts.to_vec(), &stood, &mut errors)).1?
        };
        self.after_tables(&accounts).await?;
        self.constrain(&accounts, &mut errors).await?;
        failpoint::reached(failpoint::VERIFY_BEFORE);
        let target_facts = if self.asking().level == VerifyLevel::None {
            self.analyze(&accounts, &mut errors).await?;
            self.verify(&accounts).await?
        } else {
            // Statistics are of no use to who reads everything, and each table's take one core for as long as reading it again takes all of them.
            try_join(self.verify(&accounts), self.analyze(&accounts, &mut errors)).await?.0
        };
        let schema = self.parity(&self.arrived(&accounts), &mut errors).await?;
        failpoint::reached(failpoint::VERIFIED);
        let view = View { snapshot: snapshot.as_deref(), stood, schema };
        let report = self.report(&accounts, errors, &source_facts, &target_facts, view)?;
        self.conclude(report).await
    }

    /// Carries what is not there yet, all of it and what is there at one instant of the source, and asks the source about that instant, while
    /// the indexes are built. When all readers of the snapshot are lost, it goes on with another one, as a resumed run does.
    async fn carry_rows(
        &self,
        accounts: &Accounts,
        mut receipts: Vec<Receipt>,
        stood: &Baselines,
        errors: &mut Faults,
    ) -> Result<(Option<Arc<dyn Snapshot>>, Vec<Facts>)> {
        let mut taken_before = 0;
        loop {
            // A source that has ended all readers may be starting again.
            let patience = if taken_before > 0 { self.job.settings.retry_for } else { Duration::ZERO };
            let taken = persist(patience, &self.job.progress, "the snapshot of the source", || self.snapshot()).await?;
            failpoint::reached(failpoint::SNAPSHOT_TAKEN);
            let error = match self.carry_in(&taken, accounts, receipts, stood, taken_before > 0).await {
                Ok(()) => {
                    // Both to their end: an index whose statement is left alone is built all the same, and in the way of the next attempt.
                    let (facts, indexed) = tokio::join!(self.ask_source(&taken, accounts), self.index(accounts, errors));
                    match facts {
                        Ok(facts) => return indexed.map(|()| (Some(taken), facts)),
                        Err(error) => error,
                    }
                }
                Err(error) => error,
            };
            let lost = taken.is_lost() && matches!(error.kind(), ErrorKind::Snapshot | ErrorKind::ConnectionLost);
            if error.kind() != ErrorKind::Interrupted {
                // What is left of it would keep locks in the source, and rows that were deleted since.
                taken.close().await?;
            }
            if !lost || taken_before == MOST_LATER_SNAPSHOTS {
                return Err(error);
            }
            taken_before += 1;
            errors.clear();
            self.job.progress.emit(Event::Note {
                text: format!("all readers of the source's snapshot are lost ({error}); the run goes on at a later instant"),
            });
            receipts = self.sink().ledger().receipts(self.run).await?;
        }
    }

    async fn carry_in(
        &self,
        taken: &Arc<dyn Snapshot>,
        accounts: &Accounts,
        receipts: Vec<Receipt>,
        stood: &Baselines,
        lost: bool,
    ) -> Result<()> {
        let receipts = self.at_instant(taken, receipts, stood, lost).await?;
        *accounts.lock().unwrap_or_else(PoisonError::into_inner) = super::copy::accounts(self.plan, &receipts);
        self.copy(accounts, &receipts, taken).await?;
        self.settle(accounts, taken).await?;
        failpoint::reached(failpoint::COPIED);
        Ok(())
    }

    /// What the source says of the instant, which nothing else is asked about after that.
    async fn ask_source(&self, taken: &Arc<dyn Snapshot>, accounts: &Accounts) -> Result<Vec<Facts>> {
        let facts = facts::of_source(self.plan, taken, &self.arrived(accounts), &self.asking()).await?;
        self.look_again().await?;
        let before = *self.history_before.lock().unwrap_or_else(PoisonError::into_inner);
        let history = before.end(&*self.job.source).await;
        *self.history.lock().unwrap_or_else(PoisonError::into_inner) = history;
        taken.close().await?;
        failpoint::reached(failpoint::SOURCE_COUNTED);
        Ok(facts)
    }

    /// The hooks that earlier attempts have run.
    pub(super) fn hooks_done(&self) -> impl Iterator<Item = &Hook> {
        let done = |hook: &&Hook| self.hooks.known.iter().any(|known| known.name == hook.name && known.done);
        self.plan.hooks.iter().filter(done)
    }

    /// Runs the hooks of tables whose rows, keys and indexes are there.
    async fn after_tables(&self, accounts: &Accounts) -> Result<()> {
        let all = self.plan.choices.scope == Scope::SchemaOnly;
        let arrived: Vec<&ObjectName> =
            self.arrived(accounts).into_iter().map(|place| self.plan.tables[place].target()).collect();
        let skip = |table: Option<&ObjectName>| {
            let there = all || table.is_some_and(|table| arrived.contains(&table));
            (!there).then(|| "its table did not arrive in full".to_string())
        };
        self.hooks.run_all(HookWhen::After, true, skip).await
    }

    /// Runs the hooks of the run's end, and stores the report. What they change comes after the verification, and the report says so.
    async fn conclude(&self, mut report: Report) -> Result<Report> {
        let ledger = self.job.sink.ledger();
        let good = report.exit_code == 0;
        let earlier = std::mem::take(&mut report.hooks);
        if let Some(proven) = report.proven.strip_suffix(NOT_YET) {
            report.proven = proven.to_string();
        }
        let left = self.hooks.left(HookWhen::After, false);
        if self.plan.hooks.iter().any(|hook| hook.when == HookWhen::After && hook.table.is_none()) {
            if good && left > 0 {
                let mut stored = report.clone();
                stored.proven.push_str(NOT_YET);
                stored.hooks = self.hook_reports(&earlier);
                ledger.finish(self.run, RunState::Running, &report::json::to_value(&stored)?).await?;
                failpoint::reached(failpoint::REPORT_STORED);
                ledger.mark(self.run, &ObjectName::new("", "*"), VERIFIED).await?;
                failpoint::reached(failpoint::ONLY_HOOKS_LEFT);
                self.phase(Phase::After, left);
            }
            let began = self.started.elapsed().as_secs_f64();
            let skip = |_: Option<&ObjectName>| (!good).then(|| "the run is not good so far".to_string());
            self.hooks.run_all(HookWhen::After, false, skip).await?;
            if good {
                let seconds = self.started.elapsed().as_secs_f64() - began;
                report.phases.push(PhaseReport { phase: "after".into(), seconds });
                report.seconds += seconds;
                report.proven.push_str(" Hooks ran after that; what they changed is no part of it.");
            }
        }
        if let Some(resources) = &mut report.resources {
            // Reading again took memory as well.
            resources.peak_resident_bytes = report::resources::peak_resident_bytes();
        }
        report.hooks = self.hook_reports(&earlier);
        let state = if good { RunState::Done } else { RunState::Failed };
        failpoint::reached(failpoint::DONE_BEFORE);
        let stored = report::json::to_value(&report)?;
        persist(self.job.settings.retry_for, &self.job.progress, "the end of the run", || {
            ledger.finish(self.run, state, &stored)
        })
        .await?;
        failpoint::reached(failpoint::DONE);
        if good {
            // A run that is not good may be gone on with, and needs them.
            self.job.sink.forget_keys(self.run, &self.plan.upserted()).await?;
        }
        failpoint::reached(failpoint::FINISHED);
        self.job.progress.emit(Event::Finished { seconds: report.seconds });
        Ok(report)
    }

    /// The hooks so far; `earlier` is what the report of an earlier attempt has of them.
    fn hook_reports(&self, earlier: &[report::HookReport]) -> Vec<report::HookReport> {
        let mine = self.hooks.reports.lock().unwrap_or_else(PoisonError::into_inner);
        let others = earlier.iter().filter(|hook| !mine.iter().any(|mine| mine.name == hook.name));
        others.chain(mine.iter()).cloned().collect()
    }

    pub(super) fn asking(&self) -> Asking {
        let jobs = self.job.settings.effective_jobs();
        Asking {
            jobs,
            level: if self.plan.choices.scope == Scope::SchemaOnly { VerifyLevel::None } else { self.plan.choices.verify },
            budget: self.budget.clone(),
            hide_keys: self.job.settings.hide_keys,
            progress: self.job.progress.clone(),
            stop: self.job.stop.clone(),
        }
    }

    /// Tables whose every chunk is there, by their place in the plan; of merged ones, all or none.
    pub(super) fn arrived(&self, accounts: &Accounts) -> Vec<usize> {
        let accounts = accounts.lock().unwrap_or_else(PoisonError::into_inner);
        let whole = |place: &usize| accounts.get(*place).is_some_and(|account| account.left == 0 && account.errors.is_empty());
        let mut places: Vec<usize> = self.plan.groups().into_iter().filter(|group| group.iter().all(whole)).flatten().collect();
        places.sort_unstable();
        places
    }

    /// Takes the snapshot, and makes sure that it shows the tables that were planned for.
    async fn snapshot(&self) -> Result<Arc<dyn Snapshot>> {
        let job = self.job;
        let tables = self.plan.source_tables();
        let snapshot = job.stop.unless_stopped(job.source.snapshot(&tables, job.settings.effective_jobs() + self.ahead)).await?;
        // D11: a column added between plan and snapshot would otherwise shift what is read.
        let filter = crate::engine::TableFilter::new(&self.plan.choices.include, &self.plan.choices.exclude)?;
        let catalog = job.stop.unless_stopped(job.source.catalog(&filter)).await?;
        if plan::fingerprint(&catalog.tables) != self.plan.source.fingerprint {
            return Err(Error::new(ErrorKind::SchemaChanged, "the tables of the source have changed since the plan was made"));
        }
        Ok(snapshot)
    }

    pub(super) async fn copy(&self, accounts: &Accounts, receipts: &[Receipt], snapshot: &Arc<dyn Snapshot>) -> Result<()> {
        let job = self.job;
        let jobs = job.settings.effective_jobs();
        let (source, sink) = (Arc::clone(&job.source), Arc::clone(&job.sink));
        let watcher = Watcher::start(job.settings.pause, source, sink, job.progress.clone());
        let copied = Copy {
            run: self.run,
            plan: self.plan,
            source: registry::engine(self.job.settings.source.engine).dialect(),
            snapshot: Arc::clone(snapshot),
            sink: Arc::clone(&self.job.sink),
            jobs,
            ahead: self.ahead,
            budget: self.budget.clone(),
            rate: Arc::clone(&self.rate),
            gate: watcher.gate(),
            hide_keys: self.job.settings.hide_keys,
            retry_for: unlogged::patience(self.plan, self.job.settings.retry_for),
            progress: self.job.progress.clone(),
            stop: self.job.stop.clone(),
        }
        .all(accounts, receipts)
        .await;
        self.pauses.lock().unwrap_or_else(PoisonError::into_inner).extend(watcher.end());
        copied
    }

    async fn verify(&self, accounts: &Accounts) -> Result<Vec<Facts>> {
        let asking = self.asking();
        let arrived = self.arrived(accounts);
        self.phase(Phase::Verify, 0);
        if asking.level == VerifyLevel::None {
            return Ok(vec![Facts::default(); self.plan.tables.len()]);
        }
        // A target that is lost in the midst of it is asked again from the beginning: it must show one instant.
        let work = persist(self.job.settings.retry_for, &self.job.progress, "the verification", || async {
            let read_back = self.job.sink.read_back(asking.jobs.saturating_add(self.ahead)).await?;
            // Of a far target's small tables more are asked at a time: what they cost is the way.
            let wide = if self.ahead > 0 { self.small_places() } else { HashSet::new() };
            let (small, large): (Vec<usize>, Vec<usize>) = arrived.iter().partition(|place| wide.contains(place));
            let mut found = facts::of_target(self.plan, &read_back, Some(self.run), &large, &asking).await?;
            if !small.is_empty() {
                let wider = Asking { jobs: asking.jobs.saturating_add(self.ahead), ..asking.clone() };
                let mut others = facts::of_target(self.plan, &read_back, Some(self.run), &small, &wider).await?;
                for place in small {
                    std::mem::swap(&mut found[place], &mut others[place]);
                }
            }
            Ok(found)
        });
        self.job.stop.unless_stopped(work).await
    }
}
