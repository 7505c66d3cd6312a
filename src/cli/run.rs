//! `dbferry run`: create, copy, index, constrain, verify.

use std::path::Path;

use crate::config::environment::process_environment;
use crate::config::load::{self, Overrides};
use crate::config::{Settings, VerifyLevel};
use crate::error::{Error, ErrorKind, Result};
use crate::model::RunId;
use crate::plan::{Choices, FORMAT, Plan};
use crate::report::{Report, json, text};
use crate::transfer::choose::Resume;
use crate::transfer::run::{Failure, Job};

use super::args::{OutputArgs, RunArgs};
use super::printer::Printer;
use super::session;

/// Does it.
pub async fn run(args: &RunArgs, output: &OutputArgs, printer: &mut Printer) -> Result<u8> {
    let overrides = Overrides::from(args);
    let mut settings = load::settings(&overrides, &process_environment)?;
    printer.keep_secrets_of(&settings);
    if let Some(path) = &args.report {
        json::check_path(path)?;
    }
    let plan = args.plan.as_deref().map(|path| read_plan(path, &overrides, &mut settings)).transpose()?;
    let resume = match args.resume.as_deref() {
        None => Resume::No,
        Some("") => Resume::Unfinished,
        Some(run) => Resume::Run(run.to_string()),
    };
    carry(settings, plan, resume, args.report.as_deref(), output, printer).await
}

/// Carries, shows, and prints the report.
pub async fn carry(
    settings: Settings,
    plan: Option<Plan>,
    resume: Resume,
    report_file: Option<&Path>,
    output: &OutputArgs,
    printer: &Printer,
) -> Result<u8> {
    let progress = session::watch(output, printer);
    let stop = session::hear_signals(&progress);
    let run = RunId::generate();
    let unlogged = settings.unlogged;
    let opened = stop.unless_stopped(session::open(&settings, run)).await;
    let (source, sink) = opened.inspect_err(|_| progress.close())?;
    let job = Job { settings, run, source, sink, resume, plan, progress: progress.clone(), stop: stop.clone() };
    let result = Box::pin(crate::transfer::run::run(job)).await;
    progress.close();
    match result {
        Ok(report) => {
            if let Some(path) = report_file {
                json::write(&report, path)?;
            }
            print(&report, printer)?;
            Ok(report.exit_code)
        }
        Err(failure) => {
            printer.error(failure.error());
            Ok(match (&failure, stop.reason()) {
                (_, Some(reason)) => session::code(reason),
                (Failure::NotStarted(_), None) => super::NOT_STARTED,
                (Failure::Stopped(run, _), None) => {
                    let on = "the same command with `--resume` goes on";
                    let but = if unlogged { ", if its tables have their log by now; otherwise it says what to do" } else { "" };
                    printer.note(&format!("run {run} stopped midway; {on}{but}"));
                    super::STOPPED
                }
            })
        }
    }
}

/// Prints a report for people; it is the command's data. One that tells of failures is printed under `--quiet` too.
pub fn print(report: &Report, printer: &Printer) -> Result<()> {
    if !printer.is_quiet() || report.exit_code != 0 {
        printer.data(&text::render(report, text::TextOptions::default()))?;
    }
    Ok(())
}

/// Reads a stored plan, and takes its choices: a plan is executed exactly.
///
/// # Errors
/// `Config` if it is no plan, or if a flag asks for something else than it does.
fn read_plan(path: &Path, overrides: &Overrides, settings: &mut Settings) -> Result<Plan> {
    let file = path.display();
    let bad = |what: &str| Error::new(ErrorKind::Config, what.to_string()).file(file.to_string());
    let text = std::fs::read_to_string(path).map_err(|error| {
        bad("the plan cannot be read").with_source(error).hint("Make one with `dbferry plan SOURCE TARGET --out FILE`")
    })?;
    let plan: Plan = serde_json::from_str(&text).map_err(|error| {
        bad("this is no plan").with_source(error).hint("Make one with `dbferry plan SOURCE TARGET --out FILE`")
    })?;
    if plan.format != FORMAT {
        return Err(bad(&format!("the plan has form {}, this version knows {FORMAT}", plan.format))
            .hint("Make it again with `dbferry plan`"));
    }
    let choices = plan.choices.clone();
    let other = contradictions(overrides, &Choices::of(settings), &choices);
    if !other.is_empty() {
        return Err(bad(&format!("the plan was made with other choices than {}", other.join(", ")))
            .hint("A plan is executed exactly: leave the flags out, or make another plan with them"));
    }
    if choices.unlogged && settings.verify_named && settings.verify == VerifyLevel::None {
        return Err(bad(
            "the plan makes `unlogged` tables, which are empty after a crash of the target: that needs a verification",
        )
        .hint("Leave out `--verify none`"));
    }
    settings.schema = choices.schema;
    settings.include = choices.include;
    settings.exclude = choices.exclude;
    // The plan holds no key: that of the mapping file, if one was named, goes on.
    let key = settings.mapping.masking.key.take();
    settings.mapping = choices.mapping;
    settings.mapping.masking.key = key;
    settings.scope = choices.scope;
    settings.if_exists = choices.if_exists;
    settings.loading = choices.loading;
    settings.on_table_error = choices.on_table_error;
    settings.on_error = choices.on_error;
    settings.max_rejects = choices.max_rejects;
    if !settings.verify_named {
        settings.verify = choices.verify;
    }
    settings.owner = choices.owner;
    settings.chunk_bytes = choices.chunk_bytes;
    settings.unlogged = choices.unlogged;
    Ok(plan)
}

/// Flags that ask for something else than the plan's choices. How it is verified may be chosen anew: that changes nothing of what is carried.
fn contradictions(flags: &Overrides, given: &Choices, plan: &Choices) -> Vec<&'static str> {
    let scoped = flags.schema_only || flags.data_only || flags.tables.is_some();
    let mapped = |choices: &Choices| choices.mapping.clone().without_places_and_key();
    let all = [
        ("`--mapping`", flags.mapping.is_some() && mapped(given) != mapped(plan)),
        ("`--include`", !flags.include.is_empty() && given.include != plan.include),
        ("`--exclude`", !flags.exclude.is_empty() && given.exclude != plan.exclude),
        ("`--schema`", flags.schema.is_some() && given.schema != plan.schema),
        ("`--if-exists`", flags.if_exists.is_some() && given.if_exists != plan.if_exists),
        ("`--schema-only`, `--data-only` or `--tables`", scoped && given.scope != plan.scope),
        ("`--probe`", flags.probe.is_some() && given.probe != plan.probe),
        ("`--owner`", flags.owner.is_some() && given.owner != plan.owner),
        ("`--chunk`", flags.chunk.is_some() && given.chunk_bytes != plan.chunk_bytes),
        ("`--unlogged`", flags.unlogged && !plan.unlogged),
    ];
    all.into_iter().filter_map(|(flag, other)| other.then_some(flag)).collect()
}
