//! The command line: definitions, printer, one file per command.
