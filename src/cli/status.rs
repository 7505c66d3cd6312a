//! `dbferry status` and `dbferry report`: what the target's ledger knows.

use std::sync::Arc;

use crate::config::environment::process_environment;
use crate::config::load::{self, Overrides};
use crate::engine::{SessionOptions, Sink};
use crate::error::{Error, ErrorKind, Result};
use crate::ledger::RunState;
use crate::model::RunId;
use crate::plan::Plan;
use crate::report::{human, json, text};
use crate::transfer::choose;

use super::args::{ReportArgs, ReportFormat, StatusArgs};
use super::printer::Printer;
use super::session;

/// Prints the runs, newest first.
pub async fn status(args: &StatusArgs, printer: &mut Printer) -> Result<u8> {
    let sink = open(&Overrides::from(args), printer).await?;
    let runs = sink.ledger().runs().await?;
    if runs.is_empty() {
        printer.note("the ledger of this target knows no run");
    }
    for run in &runs {
        let receipts = sink.ledger().receipts(run.run).await?;
        let rows: u64 = receipts.iter().map(|receipt| receipt.digest.rows).sum();
        let plan: Option<Plan> = serde_json::from_value(run.plan.clone()).ok();
        let of = plan.as_ref().map(|plan| {
            let chunks: usize = plan.tables.iter().map(|table| table.chunks.chunks.len()).sum();
            format!(" of {chunks} chunks in {} tables", plan.tables.len())
        });
        let living = match run.state {
            RunState::Running => sink.ledger().living(run.run).await?,
            _ => None,
        };
        let state = match run.state {
            RunState::Running if living.is_some() => "running",
            RunState::Running => "unfinished",
            RunState::Done => "done",
            RunState::Failed => "failed",
        };
        let line = format!(
            "{}  {state:10}  {}  {}{}, {} rows  {} -> {}\n",
            run.run,
            human::utc(run.updated_us),
            receipts.len(),
            of.unwrap_or_default(),
            human::count(rows),
            run.source,
            run.target,
        );
        printer.data(&line)?;
        if let Some(living) = living {
            printer.data(&format!("  worked on by {living}\n"))?;
        }
    }
    if runs.first().is_some_and(|run| run.state != RunState::Done) {
        printer
            .note("hint: `dbferry run` with the same source, target and choices and `--resume` goes on with an unfinished run");
    }
    Ok(super::DONE)
}

/// Prints the report of one run.
pub async fn report(args: &ReportArgs, printer: &mut Printer) -> Result<u8> {
    let sink = open(&Overrides::from(args), printer).await?;
    let runs = sink.ledger().runs().await?;
    let run = choose::find(&runs, &args.run)?;
    let Some(stored) = run.report.clone() else {
        return Err(Error::new(ErrorKind::Ledger, format!("run {} has no report: it has not finished", run.run))
            .hint("`dbferry run … --resume` goes on with it"));
    };
    match args.format {
        ReportFormat::Json => {
            let pretty = serde_json::to_string_pretty(&stored)
                .map_err(|error| Error::internal("a report is not JSON").with_source(error))?;
            printer.data(&pretty)?;
        }
        ReportFormat::Text => printer.data(&text::render(&json::from_value(stored)?, text::TextOptions::default()))?,
    }
    Ok(super::DONE)
}

async fn open(overrides: &Overrides, printer: &mut Printer) -> Result<Arc<dyn Sink>> {
    let (target, ledger_schema) = load::target(overrides, &process_environment)?;
    printer.keep_secret(&target);
    let options = SessionOptions { application_name: format!("dbferry/{}", RunId::generate()), jobs: 1, ledger_schema };
    session::open_sink(&target, &options).await
}
