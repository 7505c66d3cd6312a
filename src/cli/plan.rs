//! `dbferry plan`: what a run would do. Changes nothing.

use std::path::Path;

use crate::config::environment::process_environment;
use crate::config::load::{self, Overrides};
use crate::error::{Error, Result};
use crate::model::RunId;
use crate::plan::make::{Depth, make, now_us};
use crate::plan::{Plan, passing, text};
use crate::progress::{Event, Phase};

use super::args::{OutputArgs, PlanArgs, PlanFormat};
use super::printer::Printer;
use super::session;

/// Prints the plan; 1 when a problem would refuse the run.
pub async fn plan(args: &PlanArgs, output: &OutputArgs, printer: &mut Printer) -> Result<u8> {
    let settings = load::settings(&Overrides::from(args), &process_environment)?;
    printer.keep_secret(&settings.source);
    printer.keep_secret(&settings.target);
    printer.keep_text(settings.mapping.masking.key.as_ref());
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
        PlanFormat::Json => printer.data(&json(&plan)?)?,
    }
    Ok(if plan.refusal().is_some() { super::DIFFERS } else { super::DONE })
}

fn json(plan: &Plan) -> Result<String> {
    serde_json::to_string_pretty(plan).map_err(|error| Error::internal("a plan is not JSON").with_source(error))
}

fn store(plan: &Plan, path: &Path) -> Result<()> {
    std::fs::write(path, json(plan)? + "\n").map_err(|error| Error::from(error).file(path.display()))
}
