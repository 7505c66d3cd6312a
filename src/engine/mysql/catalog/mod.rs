//! Reads what a MySQL or MariaDB database holds, row by row from `information_schema`.
//!
//! One query per view and database, never one per table; no `GROUP_CONCAT`, which cuts off at 1024 bytes. All
//! answers come over the text protocol, since the types of the views' columns differ from version to version. What a server's
//! `information_schema` lacks is found by asking it for its own columns, and is then not asked for.
//!
//! - [`read`](read()): the order of the work.
//! - `databases`: which are meant, where patterns choose several.
//! - `query`: questions and answers; names and texts in SQL; what the session must be like.
//! - `tables`: tables, their sizes, next ids; `columns`, with `defaults` and `labels`; `indexes`; `constraints`.
//! - `expressions`: undoing what MySQL does to expressions before it prints them.
//! - `objects`: what has no place in the model and is listed: views, routines, triggers, events; `partitions`: how rows are parted;
//!   `sequences` of MariaDB.
//!
//! What concerns columns, indexes and checks of a carried table is in the model, and the target lists what it cannot make.

mod columns;
mod constraints;
mod databases;
mod defaults;
mod expressions;
mod indexes;
mod labels;
mod objects;
mod partitions;
mod query;
mod read;
mod sequences;
mod tables;

pub use query::Questions;
pub use read::{read, read_several};
