//! What both databases compute of a column, for `full` verification.

use serde::{Deserialize, Serialize};

use crate::model::catalog::NativeType;

/// What is computed of a column, by both databases, for `full` verification.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProfileKind {
    /// Count of values; min, max, sum as exact numbers.
    Exact,
    /// Count; min, max as 64-bit floats.
    Float,
    /// Count; min, max as ISO text in UTC with six digits of fraction.
    Temporal,
    /// Count; characters and UTF-8 bytes in all.
    Text,
    /// Count; bytes in all.
    Bytes,
    /// Count; how many are true.
    Bool,
    /// Count only.
    Count,
}

/// A column to profile, in one database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProfileColumn {
    /// Its name in that database.
    pub name: String,
    /// Its native type in that database.
    pub native: NativeType,
    /// What is computed. The same on both sides.
    pub kind: ProfileKind,
}

/// A table's profile.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Profile {
    /// `count(*)`.
    pub rows: u64,
    /// For each column asked for, its aggregates in the order of [`ProfileKind`], as canonical text (exact numbers without trailing
    /// zeros or `+`; floats as the shortest text that reads back, temporal values as `YYYY-MM-DD HH:MM:SS.ffffff`); `None` for NULL.
    pub columns: Vec<Vec<Option<String>>>,
}
