//! A chunk's work order and its receipt.

use serde::{Deserialize, Serialize};

use super::catalog::{NativeType, Table};
use super::chunk::{Chunk, ChunkPlan};
use super::digest::Digest;
use super::ident::{ObjectName, RunId};
use super::load::Load;
use super::logical::LogicalType;
use super::loss::Losses;
use super::policy::ValuePolicies;

/// A column as the reader is to deliver it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadColumn {
    /// Name in the source.
    pub name: String,
    /// Type in the source.
    pub native: NativeType,
    /// The logical type of the Arrow column: the source's own for that native type.
    pub logical: LogicalType,
    /// What becomes of values that the Arrow column cannot hold.
    #[serde(default, skip_serializing_if = "ValuePolicies::is_empty")]
    pub policies: ValuePolicies,
}

/// What to read of a table, the same for all of its chunks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadPlan {
    /// The source table.
    pub table: ObjectName,
    /// The columns, in the order of the batch.
    pub columns: Vec<ReadColumn>,
    /// Names of those columns that tell one row from another, for errors; may be empty.
    pub row_key: Vec<String>,
    /// Columns that the chunks' ranges bound.
    pub chunk_key: Vec<String>,
    /// Index that serves the ranges.
    pub index: Option<String>,
    /// Which rows, as a condition in the source's own SQL; see [`Table::row_filter`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub row_filter: Option<String>,
    /// Rows that cannot be carried are rejected, and not an error: the reader sets them aside, and keeps each row as it came.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub keep_raw: bool,
    /// Upper bound for one batch, in bytes of Arrow data; a single larger row makes a batch of its own.
    pub batch_bytes: usize,
}

impl ReadPlan {
    /// Reads all carried columns of `table`, cut as `chunks` says.
    pub fn of(table: &Table, columns: Vec<ReadColumn>, chunks: &ChunkPlan, batch_bytes: usize) -> Self {
        let has = |name: &&str| columns.iter().any(|column| column.name == **name);
        let row_key = table.key_columns().into_iter().filter(|name| has(name)).map(str::to_string).collect();
        ReadPlan {
            table: table.name.clone(),
            row_key,
            columns,
            chunk_key: chunks.key.clone(),
            index: chunks.index.clone(),
            row_filter: table.row_filter.clone(),
            keep_raw: false,
            batch_bytes,
        }
    }
}

/// A chunk's work order: one source chunk into one target table. Holds no secret and no handle, so it may travel to a worker elsewhere.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WorkUnit {
    /// The run.
    pub run: RunId,
    /// What to read.
    pub read: ReadPlan,
    /// Which rows of it.
    pub chunk: Chunk,
    /// The table that receives them.
    pub target: ObjectName,
    /// How they are put there.
    #[serde(default, skip_serializing_if = "Load::is_plain")]
    pub load: Load,
}

/// The proof in the target that a chunk's rows are there: committed with them in one atomic step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// The target table.
    pub table: ObjectName,
    /// The chunk.
    pub chunk: u32,
    /// Rows, and their digest as they were sent.
    pub digest: Digest,
    /// Bytes that were sent to the target.
    pub bytes: u64,
    /// Rows that were read from the source: more than were sent, when a condition left some behind.
    #[serde(default)]
    pub rows_read: u64,
    /// What value policies have done to its rows.
    #[serde(default, skip_serializing_if = "Losses::is_empty")]
    pub losses: Losses,
    /// Rows that were read and rejected, and are kept in the ledger.
    #[serde(default)]
    pub rejected: u64,
}
