//! Batch to batch: checked casts between logical types.

use crate::model::LogicalType;

/// What may become of values of one type under another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Castability {
    /// The same values; nothing is done.
    Identity,
    /// Each value is checked.
    Checked,
    /// No, and why.
    Never(String),
}

/// Whether values of `from` can become `to`.
pub fn can_cast(from: &LogicalType, to: &LogicalType) -> Castability {
    if from == to { Castability::Identity } else { Castability::Checked }
}
