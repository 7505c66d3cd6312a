//! Rows that a run has carried and takes out again together with their receipts, so that they can be carried anew.

use crate::model::chunk::{ChunkRange, KeyValue};
use crate::model::{LogicalType, ObjectName};

/// What is to be taken out of one target table, in one transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TakeOut {
    /// The table.
    pub table: ObjectName,
    /// The chunks whose receipts go with the rows, losses and rejected rows included.
    pub chunks: Vec<u32>,
    /// Rows that those receipts promise.
    pub rows: u64,
    /// Which rows.
    pub extent: Extent,
    /// The table stood before the run: what hangs on it is somebody else's, and must not notice.
    pub stood: bool,
    /// Foreign keys that the run has made from or to the table, by child and name: dropped first where they stand, and made again and
    /// validated by whoever takes the rows out, since what was validated once is not looked at again.
    pub foreign_keys: Vec<(ObjectName, String)>,
}

/// Which rows are taken out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Extent {
    /// Those of one chunk, by its key, whose values are those of the source one by one; or all of one source table, by `apart` alone.
    Range {
        /// Columns of the target with the constants that only rows of this source table have, where several come together in the target.
        apart: Vec<(String, LogicalType, KeyValue)>,
        /// The key's columns in the target, each with its type.
        key: Vec<(String, LogicalType)>,
        /// A range of the key; `Whole` where `apart` says it all.
        range: ChunkRange,
    },
    /// All.
    Whole,
}

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TakenOut {
    /// Rows and receipts are gone.
    Done,
    /// So many rows are there and not those that the receipts promise: nothing was changed.
    Others(u64),
}
