//! Pure data that every other module speaks in. Knows nobody but [`crate::error`]; does no I/O.
//!
//! [`ident`] names, [`logical`] types, [`json`] the meaning of JSON, [`mod@integer`] integers of many digits, [`civil`] the calendar, [`row`] naming a row, [`predicate`] conditions, [`catalog`] what a
//! database holds, [`chunk`] pieces of a table, [`digest`] what "equal" is measured with, [`mod@unit`] a chunk's work order and its
//! receipt, [`partition`] how tables are parted, [`load`] how rows are put into a table, [`expression`] what checks and defaults compute,
//! [`hook`] a person's own SQL, [`probe`] questions about the data, [`policy`] what becomes of hard values, [`loss`] how often, [`reject`]
//! rows that could not be carried, [`schema`] what schema parity compares, [`sequence`] numbers that belong to no column.

pub mod catalog;
pub mod chunk;
pub mod civil;
pub mod digest;
pub mod expression;
pub mod hook;
pub mod ident;
pub mod integer;
pub mod json;
pub mod load;
pub mod logical;
pub mod loss;
pub mod partition;
pub mod policy;
pub mod predicate;
pub mod probe;
pub mod reject;
pub mod row;
pub mod row_set;
pub mod schema;
pub mod sequence;
pub mod unit;

pub use catalog::{Catalog, Column, Table};
pub use chunk::{Chunk, ChunkPlan};
pub use digest::Digest;
pub use hook::Hook;
pub use ident::{EngineKind, ObjectName, RunId};
pub use logical::LogicalType;
pub use loss::Losses;
pub use policy::ValuePolicies;
