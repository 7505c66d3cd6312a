//! `dbferry completions`: a script for a shell.

use clap::CommandFactory;

use crate::error::Result;

use super::args::Cli;
use super::printer::Printer;

/// Prints the script.
pub fn completions(shell: clap_complete::Shell, printer: &Printer) -> Result<u8> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "dbferry", &mut script);
    printer.data(&String::from_utf8_lossy(&script))?;
    Ok(super::DONE)
}
