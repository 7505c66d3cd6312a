//! The command line as a person uses it: exit codes, messages, completions.
