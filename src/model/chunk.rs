//! Pieces of a table, small enough to be carried in one transaction.

use serde::{Deserialize, Serialize};

/// One value of a key, typed, to be bound as a parameter and never written into SQL text.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyValue {
    /// A whole number; up to 64 bits, signed or unsigned.
    Int(i128),
    /// A decimal number, or a date or time, in the database's own text form.
    Text(String),
    /// Bytes: a binary key, or text in the column's own character set.
    Bytes(Vec<u8>),
}

/// Which rows a chunk holds.
///
/// Ranges are half-open (`lower <= key < upper`) with an open first and last one, so that no estimate can lose a row;
/// the order is the one of the source's index, compared by the source itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChunkRange {
    /// All rows.
    Whole,
    /// Rows by a key. One value per key column of the plan, or fewer: a prefix of the key.
    Key {
        /// First key that belongs, or open.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        lower: Option<Vec<KeyValue>>,
        /// First key that belongs no more, or open.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        upper: Option<Vec<KeyValue>>,
    },
    /// Rows whose first key column is NULL.
    NullKey,
    /// Blocks of a table's storage (PostgreSQL: pages by ctid), half-open; the last one is open.
    Pages {
        /// First page.
        from: u64,
        /// First page that belongs no more, or open.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        to: Option<u64>,
    },
}

/// A piece of a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chunk {
    /// Counts from 0 within its table.
    pub id: u32,
    /// Which rows.
    pub range: ChunkRange,
    /// Estimate, for progress only.
    pub estimated_rows: u64,
    /// Estimate, for progress and order only.
    pub estimated_bytes: u64,
}

/// How a table is cut; stored before its first row moves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChunkPlan {
    /// The columns that the ranges bound, in the order of the index; empty for whole tables and pages.
    pub key: Vec<String>,
    /// The index that serves the ranges, named to the server so that it does not choose another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index: Option<String>,
    /// In the order of their id; together exactly the table's rows.
    pub chunks: Vec<Chunk>,
}

impl ChunkPlan {
    /// The whole table as one chunk.
    pub fn whole(estimated_rows: u64, estimated_bytes: u64) -> Self {
        ChunkPlan {
            key: Vec::new(),
            index: None,
            chunks: vec![Chunk { id: 0, range: ChunkRange::Whole, estimated_rows, estimated_bytes }],
        }
    }
}
