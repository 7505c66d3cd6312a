//! `dbferry verify`: both sides compared again, later and independently.

use crate::config::VerifyLevel;
use crate::config::environment::process_environment;
use crate::config::load::{self, Overrides};
use crate::error::Result;
use crate::model::RunId;
use crate::report::json;

use super::args::{OutputArgs, VerifyArgs};
use super::printer::Printer;
use super::{run, session};

/// Compares, and prints the report.
pub async fn verify(args: &VerifyArgs, output: &OutputArgs, printer: &mut Printer) -> Result<u8> {
    let mut settings = load::settings(&Overrides::from(args), &process_environment)?;
    if settings.verify == VerifyLevel::None {
        // The file's level is that of a run; who asks for a verification wants one.
        settings.verify = VerifyLevel::default();
    }
    printer.keep_secrets_of(&settings);
    if let Some(path) = &args.report {
        json::check_path(path)?;
    }
    let progress = session::watch(output, printer);
    let stop = session::hear_signals(&progress);
    let result = async {
        let (source, sink) = stop.unless_stopped(session::open(&settings, RunId::generate())).await?;
        Box::pin(crate::verify::later::verify(&settings, source, sink, progress.clone(), stop.clone())).await
    }
    .await;
    progress.close();
    let report = match (result, stop.reason()) {
        (Ok(report), _) => report,
        (Err(error), Some(reason)) => {
            printer.error(&error);
            return Ok(session::code(reason));
        }
        (Err(error), None) => return Err(error),
    };
    if let Some(path) = &args.report {
        json::write(&report, path)?;
    }
    run::print(&report, printer)?;
    Ok(report.exit_code)
}
