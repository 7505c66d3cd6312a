//! What becomes of objects that PostgreSQL has in several ways: enumerations, collations, full-text indexes.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What becomes of a column that the source computes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum GeneratedChoice {
    /// The target computes it where it can; verification compares the values.
    #[default]
    Compute,
    /// Its values are carried into a plain column.
    Copy,
}

/// What becomes of ENUM.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EnumChoice {
    /// A type of its own, in the order of its labels.
    #[default]
    Native,
    /// Text with a CHECK.
    Text,
}

/// What becomes of text whose collation knows no case.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CollationChoice {
    /// Text as it is, compared by its letters; a note lists the unique keys that then let more in.
    #[default]
    AsIs,
    /// The type `citext`.
    Citext,
    /// A collation of ICU that finds the same texts equal. `LIKE` needs PostgreSQL 18 with it.
    Nondeterministic,
}

/// How an index is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum IndexChoice {
    /// As it is, though some entries may be too long for the target: what it compresses may fit.
    AsIs,
    /// Over hashes, which are short: it finds equal values only. Of one column it is a hash index; a unique one, or one of several columns,
    /// is over the md5 of text and bytes.
    Hash,
    /// Not at all.
    Drop,
}

/// What becomes of a table with partitions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PartitionChoice {
    /// One plain table; a note has the partitions.
    #[default]
    Plain,
    /// A table with the same partitions, where they are ranges or lists of plain values; else a plain one, and a note says why.
    Translate,
}

/// How objects are made, for all tables.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Objects {
    /// Full-text indexes: the text search configuration of the target (`simple`, `english`, …), or `skip`. Default `simple`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    pub fulltext: Option<String>,
    /// What becomes of tables with partitions, unless a rule says otherwise. Default `plain`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partitions: Option<PartitionChoice>,
    /// What becomes of ENUM, unless a rule says otherwise. Default `native`.
    #[serde(default, rename = "enum", skip_serializing_if = "Option::is_none")]
    pub enumeration: Option<EnumChoice>,
    /// What becomes of text whose collation knows no case, unless a rule says otherwise. Default `as_is`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub collation: Option<CollationChoice>,
}

impl Objects {
    /// True if nothing is said.
    pub fn is_empty(&self) -> bool {
        *self == Objects::default()
    }
}
