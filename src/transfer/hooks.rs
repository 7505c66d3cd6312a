//! Running hooks, each at most once a run.
//!
//! A target hook in a transaction shares it with its ledger entry, so the two are there together or not at all. Any other one is entered
//! as begun first, and as done afterwards: whoever finds it begun and not done cannot know how far it came, so a resume stops there
//! and asks.

use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use crate::config::rules::Mapping;
use crate::engine::{Sink, Source};
use crate::error::{Error, ErrorKind, Result};
use crate::failpoint;
use crate::ledger::HookRecord;
use crate::model::hook::{HookSide, HookWhen};
use crate::model::{Hook, ObjectName, RunId};
use crate::plan::{Plan, hooks};
use crate::progress::{Event, Progress};
use crate::report::{HookReport, HookState};

use super::stop::Stop;

/// Checks what earlier attempts left, before a run goes on. `now` is the mapping as it is: it may allow by `rerun` what the stored plan
/// did not.
///
/// # Errors
/// `Ledger` for hooks that were begun and are not known to be done, all at once.
pub fn check_left(plan: &mut Plan, now: &Mapping, records: &[HookRecord]) -> Result<()> {
    for hook in &mut plan.hooks {
        let allowed = now.hooks.iter().enumerate().any(|(place, rule)| rule.rerun && rule.name_at(place) == hook.name);
        hook.rerun |= allowed;
    }
    let mut faults = Vec::new();
    for record in records {
        let Some(hook) = plan.hooks.iter().find(|hook| hook.name == record.name && hook.sha256 == record.sha256) else {
            faults.push(Error::new(
                ErrorKind::Ledger,
                format!("the ledger has the hook `{}` with other SQL than the plan", record.name),
            ));
            continue;
        };
        if !record.done && !hook.rerun {
            let what = format!(
                "the hook `{}` ({}) was begun by an earlier attempt, and it is not known whether it went through",
                hook.name,
                hooks::describe(hook)
            );
            faults.push(Error::new(ErrorKind::Ledger, what).hint(
                "Look at what it has done, undo that by hand if running it twice would harm, then set `rerun = true` for it in the mapping file",
            ));
        }
    }
    Error::many(faults).map_or(Ok(()), Err)
}

/// The hooks of a run at work.
pub struct Hooks<'a> {
    /// The run.
    pub run: RunId,
    /// All of its hooks.
    pub plan: &'a [Hook],
    /// Where hooks of the source run.
    pub source: &'a dyn Source,
    /// Where the others run, and where the ledger is.
    pub sink: &'a dyn Sink,
    /// May end it.
    pub stop: &'a Stop,
    /// Hears of progress.
    pub progress: &'a Progress,
    /// What earlier attempts have done.
    pub known: &'a [HookRecord],
    /// What became of them, so far.
    pub reports: Mutex<Vec<HookReport>>,
}

impl Hooks<'_> {
    /// How many hooks are still to be run at a point.
    pub fn left(&self, when: HookWhen, of_tables: bool) -> usize {
        hooks::at(self.plan, when, of_tables).filter(|hook| self.done(hook).is_none()).count()
    }

    fn done(&self, hook: &Hook) -> Option<&HookRecord> {
        self.known.iter().find(|record| record.name == hook.name && record.done)
    }

    /// Runs the hooks of a point, one after the other in the order of the file; `skip` says why one is not run.
    ///
    /// # Errors
    /// That of the first hook that fails: the run stops there, and resuming goes on with that hook.
    pub async fn run_all(
        &self,
        when: HookWhen,
        of_tables: bool,
        skip: impl Fn(Option<&ObjectName>) -> Option<String>,
    ) -> Result<()> {
        for hook in hooks::at(self.plan, when, of_tables) {
            let (state, seconds) = match (self.done(hook), skip(hook.table.as_ref())) {
                (Some(record), _) => (HookState::DoneBefore, record.seconds),
                (None, Some(why)) => {
                    self.progress.emit(Event::Note { text: format!("the hook `{}` is not run: {why}", hook.name) });
                    (HookState::Skipped, 0.0)
                }
                (None, None) => {
                    let began = Instant::now();
                    self.one(hook).await?;
                    failpoint::reached(failpoint::HOOK_DONE);
                    (HookState::Done, began.elapsed().as_secs_f64())
                }
            };
            let report = HookReport {
                name: hook.name.clone(),
                when: hook.when,
                side: hook.side,
                table: hook.table.as_ref().map(ToString::to_string),
                seconds,
                state,
            };
            self.reports.lock().unwrap_or_else(PoisonError::into_inner).push(report);
        }
        Ok(())
    }

    async fn one(&self, hook: &Hook) -> Result<()> {
        let step = format!("hook {}", hook.name);
        self.progress.emit(Event::StepStarted { step: step.clone() });
        let result = self.stop.unless_stopped(self.entered(hook)).await;
        let error = result.as_ref().err().map(ToString::to_string);
        self.progress.emit(Event::StepFinished { step, error });
        result
    }

    async fn entered(&self, hook: &Hook) -> Result<()> {
        if hook.side == HookSide::Target && hook.transaction {
            return self.sink.run_hook(self.run, hook).await.map_err(|error| {
                error.hint("Nothing of it was kept; correct what it needs, then run the same command again with `--resume`")
            });
        }
        let ledger = self.sink.ledger();
        ledger.begin_hook(self.run, hook).await?;
        failpoint::reached(failpoint::HOOK_BEGUN);
        let ran = match hook.side {
            HookSide::Source => self.source.run_hook(hook).await,
            HookSide::Target => self.sink.run_hook(self.run, hook).await,
        };
        ran.map_err(|error| {
            error.hint(
                "A part of it may have been kept; undo that by hand if running it twice would harm, set `rerun = true` for it in the \
                 mapping file, then run the same command again with `--resume`",
            )
        })?;
        failpoint::reached(failpoint::HOOK_RAN);
        ledger.finish_hook(self.run, hook).await
    }
}
