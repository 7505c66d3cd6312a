//! `dbferry rejects` and `dbferry retry-rejects`: rows that could not be carried.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray, UInt32Array};

use crate::config::VerifyLevel;
use crate::config::environment::process_environment;
use crate::config::load::{self, AddressText, Overrides};
use crate::engine::{Budget, SessionOptions, Sink, parquet};
use crate::error::{Error, ErrorKind, Result};
use crate::ledger::RunRecord;
use crate::model::RunId;
use crate::model::reject::RejectRecord;
use crate::report::json;
use crate::transfer::retry;
use crate::verify::facts::Asking;

use super::args::{OutputArgs, RejectsArgs, RetryArgs};
use super::printer::Printer;
use super::session;

/// Lists or exports them.
pub async fn rejects(args: &RejectsArgs, printer: &mut Printer) -> Result<u8> {
    if let Some(path) = &args.export {
        form(path)?;
    }
    let sink = open(&Overrides::from(args), 1, printer).await?;
    let record = find(&*sink, args.run.as_ref().and_then(AddressText::as_run)).await?;
    let rejects = sink.ledger().rejects(record.run).await?;
    if let Some(path) = &args.export {
        match form(path)? {
            Form::Json => write_json(path, &rejects)?,
            Form::Parquet => parquet::export::export(path, &table(&rejects)?)?,
        }
        printer.note(&format!("{} rejected rows of run {} are in {}", rejects.len(), record.run, path.display()));
        return Ok(super::DONE);
    }
    if rejects.is_empty() {
        printer.note(&format!("run {} has no rejected rows", record.run));
    }
    for RejectRecord { table, reject, .. } in &rejects {
        let key = reject.key.as_deref().filter(|_| !args.ledger.hide_keys).unwrap_or("(key hidden)");
        let column = reject.column.as_deref().map(|column| format!(".{column}")).unwrap_or_default();
        let line = format!("{table}{column}  {key}  {}", reject.reason);
        printer.data(&format!("{}\n", line.replace(char::is_control, " ")))?;
    }
    Ok(super::DONE)
}

/// Sends them again.
pub async fn retry(args: &RetryArgs, output: &OutputArgs, printer: &mut Printer) -> Result<u8> {
    if let Some(path) = &args.report {
        json::check_path(path)?;
    }
    let overrides = Overrides::from(args);
    let mapping = load::chosen_mapping(&overrides, &process_environment)?;
    let jobs = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let sink = open(&overrides, jobs, printer).await?;
    let record = find(&*sink, Some(&args.run)).await?;
    let progress = session::watch(output, printer);
    let stop = session::hear_signals(&progress);
    let asking = Asking {
        jobs,
        level: VerifyLevel::Digest,
        budget: Budget::new(crate::config::DEFAULT_MEMORY_BYTES, jobs),
        hide_keys: args.ledger.hide_keys,
        progress: progress.clone(),
        stop: stop.clone(),
    };
    let retried = Box::pin(retry::retry(&record, mapping.as_ref(), &sink, &asking)).await;
    progress.close();
    let retried = match retried {
        Ok(retried) => retried,
        Err(error) => {
            printer.error(&error);
            return Ok(stop.reason().map_or(super::NOT_STARTED, session::code));
        }
    };
    printer.note(&format!("{} rows were sent again, {} are still rejected", retried.sent, retried.left.len()));
    for error in retried.left.iter().take(MOST_SHOWN) {
        printer.error(error);
    }
    if let Some(path) = &args.report {
        json::write(&retried.report, path)?;
    }
    super::run::print(&retried.report, printer)?;
    Ok(retried.report.exit_code)
}

/// Most errors of rows that are shown; the ledger has all rows.
const MOST_SHOWN: usize = 20;

/// The form of an export.
enum Form {
    Json,
    Parquet,
}

fn form(path: &Path) -> Result<Form> {
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("json") => Ok(Form::Json),
        Some("parquet") => Ok(Form::Parquet),
        _ => Err(Error::new(ErrorKind::Config, format!("`--export {}`: the form is told by the name", path.display()))
            .hint("Name a file that ends with `.json` or `.parquet`")),
    }
}

fn write_json(path: &Path, rejects: &[RejectRecord]) -> Result<()> {
    let text = serde_json::to_string_pretty(rejects).map_err(|error| Error::internal("rows are no JSON").with_source(error))?;
    std::fs::write(path, text + "\n").map_err(|error| Error::from(error).file(path.display()))
}

/// All that the ledger has of the rows; `row` is the same JSON as in a `.json` file, with each value's bytes in hexadecimal digits.
fn table(rejects: &[RejectRecord]) -> Result<RecordBatch> {
    let texts = |get: &dyn Fn(&RejectRecord) -> Option<String>| -> ArrayRef {
        Arc::new(rejects.iter().map(get).collect::<StringArray>())
    };
    let rows =
        rejects.iter().map(|reject| serde_json::to_string(&reject.reject.row).map(Some)).collect::<Result<StringArray, _>>();
    let rows = rows.map_err(|error| Error::internal("a row is no JSON").with_source(error))?;
    Ok(RecordBatch::try_from_iter_with_nullable([
        ("table_schema", texts(&|reject| Some(reject.table.schema.clone())), false),
        ("table_name", texts(&|reject| Some(reject.table.name.clone())), false),
        ("chunk", Arc::new(UInt32Array::from_iter_values(rejects.iter().map(|reject| reject.chunk))) as ArrayRef, false),
        ("number", Arc::new(UInt32Array::from_iter_values(rejects.iter().map(|reject| reject.number))) as ArrayRef, false),
        ("key", texts(&|reject| reject.reject.key.clone()), true),
        ("column", texts(&|reject| reject.reject.column.clone()), true),
        ("reason", texts(&|reject| Some(reject.reject.reason.clone())), false),
        ("row", Arc::new(rows) as ArrayRef, false),
    ])?)
}

/// The run that begins with these digits, or the newest.
async fn find(sink: &dyn Sink, run: Option<&str>) -> Result<RunRecord> {
    let runs = sink.ledger().runs().await?;
    if run.is_some_and(|run| run.contains("://")) {
        return Err(Error::new(ErrorKind::Config, "an address stands where the run belongs")
            .hint("Name the run first, as `dbferry status` shows it, then the target"));
    }
    let mut found = runs.into_iter().filter(|record| run.is_none_or(|run| record.run.to_string().starts_with(run)));
    let (first, second) = (found.next(), found.next());
    match (first, run, second) {
        (Some(record), Some(_), None) | (Some(record), None, _) => Ok(record),
        (Some(_), Some(run), Some(_)) => {
            Err(Error::new(ErrorKind::Config, format!("several runs begin with `{run}`")).hint("Give more of its digits"))
        }
        (None, Some(run), _) => Err(Error::new(ErrorKind::Config, format!("the ledger knows no run `{run}`"))
            .hint("`dbferry status` lists them; the first digits of a run are enough")),
        (None, None, _) => Err(Error::new(ErrorKind::Config, "the ledger of this target knows no run")
            .hint("Nothing was carried into it yet, or the ledger has another name: see `--ledger-schema`")),
    }
}

async fn open(overrides: &Overrides, jobs: usize, printer: &mut Printer) -> Result<Arc<dyn Sink>> {
    let (target, ledger_schema) = load::target(overrides, &process_environment)?;
    printer.keep_secret(&target);
    let options = SessionOptions { application_name: format!("dbferry/{}", RunId::generate()), jobs, ledger_schema };
    session::open_sink(&target, &options).await
}
