//! Which run is gone on with: the one that is asked for, or the unfinished one of the same source, target and choices.

use crate::config::{IfExists, Settings};
use crate::error::{Error, ErrorKind, Result};
use crate::ledger::{RunRecord, RunState};
use crate::plan::{self, Choices, changes};

/// Whether a run is to be gone on with.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Resume {
    /// No: a new one begins.
    #[default]
    No,
    /// The unfinished one; with nothing to go on, a new one begins.
    Unfinished,
    /// This one, by the first digits of its identity.
    Run(String),
}

/// The run whose identity begins with `digits`.
///
/// # Errors
/// `Config` when there is none, or more than one.
pub fn find<'a>(runs: &'a [RunRecord], digits: &str) -> Result<&'a RunRecord> {
    let found: Vec<&RunRecord> = runs.iter().filter(|run| run.run.to_string().starts_with(digits)).collect();
    match found.as_slice() {
        [run] if !digits.is_empty() => Ok(run),
        [] => Err(Error::new(ErrorKind::Config, format!("the ledger knows no run `{digits}`"))
            .hint("`dbferry status` lists them; the first digits of a run are enough")),
        many => {
            Err(Error::new(ErrorKind::Config, format!("{} runs begin with `{digits}`", many.len()))
                .hint("Give more of its digits"))
        }
    }
}

/// The run to go on with, if there is one.
///
/// # Errors
/// `Config` when it is not clear which one is meant; `Ledger` when the one that is meant was begun with other choices: says which.
pub(super) fn choose<'a>(
    runs: &'a [RunRecord],
    resume: &Resume,
    settings: &Settings,
    choices: &Choices,
) -> Result<Option<&'a RunRecord>> {
    let (source, target) = (settings.source.to_string(), settings.target.to_string());
    let identity = plan::identity(&source, &target, choices);
    match resume {
        Resume::No => Ok(None),
        Resume::Run(digits) => {
            let run = find(runs, digits)?;
            if run.source != source || run.target != target {
                return Err(Error::new(
                    ErrorKind::Ledger,
                    format!("the run {} is from {} into {}, not from {source} into {target}", run.run, run.source, run.target),
                )
                .hint("Name its own source and target"));
            }
            if run.identity != identity && run.state != RunState::Done {
                return Err(other_choices(run, choices));
            }
            Ok(Some(run))
        }
        Resume::Unfinished => {
            let same: Vec<&RunRecord> = runs.iter().filter(|run| run.identity == identity).collect();
            let open: Vec<&RunRecord> = same.iter().copied().take_while(|run| run.state != RunState::Done).collect();
            if open.len() > 1 && choices.if_exists == IfExists::Append {
                // Each of them has added rows; otherwise the newest has put itself in the place of those before.
                return Err(several(&open, choices));
            }
            if let Some(run) = same.first() {
                return Ok(Some(run));
            }
            let meant: Vec<&RunRecord> =
                runs.iter().filter(|run| run.state != RunState::Done && run.source == source && run.target == target).collect();
            match meant.as_slice() {
                [] => Ok(None),
                [run] => Err(other_choices(run, choices)),
                many => Err(several(many, choices)),
            }
        }
    }
}

fn theirs(run: &RunRecord) -> Option<Choices> {
    run.plan.get("choices").and_then(|choices| serde_json::from_value(choices.clone()).ok())
}

fn changed(run: &RunRecord, choices: &Choices) -> String {
    match theirs(run).map(|theirs| changes::of_choices(&theirs, choices)) {
        Some(all) if !all.is_empty() => all.join("; "),
        Some(_) => "nothing is different".into(),
        None => "its choices cannot be read by this version".into(),
    }
}

fn other_choices(run: &RunRecord, choices: &Choices) -> Error {
    let only_hooks = theirs(run)
        .is_some_and(|theirs| plan::identity_without_hooks("", "", &theirs) == plan::identity_without_hooks("", "", choices));
    let (what, hint) = if only_hooks {
        (
            format!("the hooks are not those of the unfinished run {}", run.run),
            "Put them back as they were (`rerun` alone may change)",
        )
    } else {
        (format!("the unfinished run {} was begun with other choices", run.run), "Put them back as they were")
    };
    Error::new(ErrorKind::Ledger, format!("{what}: {}", changed(run, choices))).hint(format!(
        "{hint}, give the run up with `dbferry abandon {} TARGET`, or leave out `--resume` to begin again",
        run.run
    ))
}

fn several(runs: &[&RunRecord], choices: &Choices) -> Error {
    let lines: Vec<String> = runs
        .iter()
        .map(|run| {
            let when = crate::report::human::utc(run.started_us);
            format!("\n  {}  begun {when}; {}", run.run, changed(run, choices))
        })
        .collect();
    let what = format!("{} unfinished runs may be meant:{}", runs.len(), lines.concat());
    Error::new(ErrorKind::Config, what).hint("Name one with `--resume=RUN`, or give one up with `dbferry abandon RUN TARGET`")
}
