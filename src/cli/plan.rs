//! `dbferry plan`: what a run would do. Changes nothing.

use std::path::Path;

use crate::config::Settings;
use crate::config::environment::process_environment;
use crate::config::load::{self, Overrides};
use crate::error::{Error, ErrorKind, Result};
use crate::model::RunId;
use crate::model::catalog::Severity;
use crate::plan::diff::{self, How};
use crate::plan::make::{Depth, make, now_us};
use crate::plan::{Plan, passing, text};
use crate::progress::{Event, Phase};

use super::args::{OutputArgs, PlanArgs, PlanFormat};
use super::printer::Printer;
use super::session;

/// Prints the plan; 1 when a problem would refuse the run.
pub async fn plan(args: &PlanArgs, output: &OutputArgs, printer: &mut Printer) -> Result<u8> {
    let settings = load::settings(&Overrides::from(args), &process_environment);
    if let Some(other) = &args.diff {
        return compare(args, settings, other, output, printer).await;
    }
    let settings = settings?;
    printer.keep_secrets_of(&settings);
    let progress = session::watch(output, printer);
    let stop = session::hear_signals(&progress);
    progress.emit(Event::Phase { phase: Phase::Plan, steps: 0 });
    let made = stop
        .unless_stopped(async {
            let (source, sink) = session::open(&settings, RunId::generate()).await?;
            let plan = make(&settings, &source, &sink, Depth::Full, now_us()).await?;
            passing::refuse_empty(&settings, &source, &plan).await?;
            Ok(plan)
        })
        .await;
    progress.close();
    let plan = made?;
    if let Some(path) = &args.out {
        store(&plan, path)?;
        printer.note(&format!("the plan is stored in {}; `dbferry run SOURCE TARGET --plan {0}` executes it", path.display()));
    }
    match args.format {
        PlanFormat::Text => printer.data(&text::text(&plan))?,
        PlanFormat::Sql => printer.data(&text::sql(&plan))?,
        PlanFormat::Json => printer.data(&pretty(&plan)?)?,
    }
    Ok(if plan.refusal().is_some() { super::DIFFERS } else { super::DONE })
}

/// Prints what the mapping file `other` changes in the target; 1 when it brings a problem that would refuse the run.
async fn compare(
    args: &PlanArgs,
    settings: Result<Settings>,
    other: &Path,
    output: &OutputArgs,
    printer: &mut Printer,
) -> Result<u8> {
    let mapping = load::mapping(other, &process_environment);
    let (settings, mapping) = match (settings, mapping) {
        (Ok(settings), Ok(mapping)) => (settings, mapping),
        (one, two) => return Err(both(one.err(), two.err())),
    };
    printer.keep_secrets_of(&settings);
    printer.keep_text(mapping.masking.key.as_ref());
    if args.format == PlanFormat::Sql {
        let error = Error::new(ErrorKind::Config, "the differences of two plans have no form in SQL");
        return Err(error.hint("Choose `--format text` or `--format json`, or see each plan by itself with `--format sql`"));
    }
    let progress = session::watch(output, printer);
    let stop = session::hear_signals(&progress);
    progress.emit(Event::Phase { phase: Phase::Plan, steps: 0 });
    let made = stop
        .unless_stopped(async {
            let (source, sink) = session::open(&settings, RunId::generate()).await?;
            let others = Settings { mapping, ..settings.clone() };
            let now = now_us();
            // The plans need no chunks: how a table is cut changes nothing in the target.
            let one = make(&settings, &source, &sink, Depth::WithoutChunks, now).await;
            let two = make(&others, &source, &sink, Depth::WithoutChunks, now).await;
            match (one, two) {
                (Ok(one), Ok(two)) => diff::diff(&one, &two),
                (one, two) => Err(both(one.err(), two.err())),
            }
        })
        .await;
    progress.close();
    let found = made?;
    match args.format {
        PlanFormat::Json => printer.data(&pretty(&found)?)?,
        PlanFormat::Text | PlanFormat::Sql => printer.data(&diff::text(&found))?,
    }
    let refuses = |change: &diff::ProblemChange| change.how == How::Comes && change.problem.severity == Severity::Refused;
    Ok(if found.problems.iter().any(refuses) { super::DIFFERS } else { super::DONE })
}

/// The faults of both mappings, each once.
fn both(one: Option<Error>, two: Option<Error>) -> Error {
    match (one, two) {
        (Some(one), Some(two)) if one.to_string() != two.to_string() => one.and(two),
        (Some(error), _) | (None, Some(error)) => error,
        (None, None) => Error::internal("two plans could not be made, without a fault"),
    }
}

fn pretty(value: &impl serde::Serialize) -> Result<String> {
    serde_json::to_string_pretty(value).map_err(|error| Error::internal("a plan is not JSON").with_source(error))
}

fn store(plan: &Plan, path: &Path) -> Result<()> {
    std::fs::write(path, pretty(plan)? + "\n").map_err(|error| Error::from(error).file(path.display()))
}
