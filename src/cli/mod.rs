//! The command line: definitions ([`args`]), the printer ([`printer`]), one file per command.

pub mod args;
pub mod printer;
