//! The integration tests: one binary, real servers. `tests/run` starts the servers; see `support`.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::print_stderr,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss
)]

mod support;

mod cli;
mod config;
mod conformance;
mod correctness;
mod demo;
mod end_to_end;
mod expressions;
mod kill;
mod mysql;
mod mysql_catalog;
mod mysql_probe;
mod mysql_wire;
mod parquet;
mod postgres;
mod postgres_ddl;
mod sqlite;
mod verify;
