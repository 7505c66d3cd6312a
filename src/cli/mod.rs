//! The command line: definitions ([`args`]), what they override ([`overrides`]), the printer ([`printer`]), one file per command.

pub mod args;
pub mod overrides;
pub mod printer;
