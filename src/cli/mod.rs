//! The command line: definitions, printer, one file per command.
//!
//! [`args`] says what can be typed, [`overrides`] what that overrides, [`printer`] is the only place that prints, `session` opens both ends and hears signals;
//! each other file is one command. A command gives the exit code, or the error that ends it.

use crate::error::{Error, Result};

use args::{Cli, Command};
use printer::Printer;

mod abandon;
pub mod args;
mod check;
mod completions;
mod demo;
mod explain;
mod init;
pub mod overrides;
mod plan;
pub mod printer;
mod rejects;
mod run;
mod session;
mod status;
mod verify;

/// Exit code: done, and verified at the level asked for.
pub const DONE: u8 = 0;
/// Exit code: finished, but rows or tables did not arrive, or differ.
pub const DIFFERS: u8 = 1;
/// Exit code: could not start; nothing was changed.
pub const NOT_STARTED: u8 = 2;
/// Exit code: stopped midway by an error; `--resume` continues.
pub const STOPPED: u8 = 3;
/// Exit code: interrupted by SIGINT.
pub const INTERRUPTED: u8 = 130;
/// Exit code: interrupted by SIGTERM.
pub const TERMINATED: u8 = 143;

/// Does what the command line asks; the exit code.
pub async fn main(cli: Cli) -> u8 {
    let mut printer = Printer::new(cli.output.quiet, cli.output.verbose);
    let result: Result<u8> = match cli.command {
        Command::Demo(args) => demo::demo(&args, &cli.output, &printer).await,
        Command::Plan(args) => plan::plan(&args, &cli.output, &mut printer).await,
        Command::Explain(args) => explain::explain(&args, &cli.output, &mut printer).await,
        Command::Run(args) => run::run(&args, &cli.output, &mut printer).await,
        Command::Verify(args) => verify::verify(&args, &cli.output, &mut printer).await,
        Command::Status(args) => status::status(&args, &mut printer).await,
        Command::Report(args) => status::report(&args, &mut printer).await,
        Command::Rejects(args) => rejects::rejects(&args, &mut printer).await,
        Command::RetryRejects(args) => rejects::retry(&args, &cli.output, &mut printer).await,
        Command::Abandon(args) => abandon::abandon(&args, &mut printer).await,
        Command::Init(args) => init::init(&args, &mut printer).await,
        Command::Check { file } => check::check(&file, &printer),
        Command::Completions { shell } => completions::completions(shell, &printer),
    };
    result.unwrap_or_else(|error| {
        printer.error(&error);
        code_of(&error)
    })
}

/// The exit code for an error that came before anything was changed.
fn code_of(error: &Error) -> u8 {
    if error.kind() == crate::ErrorKind::Interrupted { INTERRUPTED } else { NOT_STARTED }
}
