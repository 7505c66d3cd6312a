//! How the rows of a chunk are put into their table.

use serde::{Deserialize, Serialize};

/// How rows are put into a table.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Load {
    /// The target's triggers fire and its foreign keys are enforced, as for everybody.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub enforced: bool,
    /// Rows that stand there are found by this key and changed, and the others are added; without it, all are added.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upsert: Option<UpsertKey>,
}

impl Load {
    /// True for rows that are simply added.
    pub fn is_plain(&self) -> bool {
        *self == Load::default()
    }
}

/// A unique key of a table that stands, with what its equality is, in the engine's own SQL.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UpsertKey {
    /// The name of the key's index.
    pub name: String,
    /// Its columns, in order.
    pub parts: Vec<KeyPart>,
    /// Columns that are numbered by the table itself and cannot be changed, so that a row that stands keeps its own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fixed: Vec<String>,
}

impl UpsertKey {
    /// The names of its columns.
    pub fn columns(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().map(|part| part.column.as_str())
    }
}

/// A column of an [`UpsertKey`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyPart {
    /// The column.
    pub column: String,
    /// The operator by which two of its values are the same: `OPERATOR(pg_catalog.=)`.
    pub equality: String,
    /// What follows the column in the definition of an index with this equality: collation and operator class.
    pub indexed: String,
    /// What follows the column in a comparison: the collation, or nothing.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub collated: String,
}
