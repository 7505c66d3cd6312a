//! How the rows of a table are parted, free of any engine's SQL.

use serde::{Deserialize, Serialize};

/// The partitions of a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Partitioning {
    /// In the source's own SQL, for people.
    pub definition: String,
    /// How many there are.
    pub count: usize,
    /// What they mean, where that can be said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parts: Option<Parts>,
    /// Why it cannot be said; empty where it can.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub why_not: String,
}

/// Partitions by the plain values of columns.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parts {
    /// By ranges, or by lists.
    pub method: PartMethod,
    /// The columns; one for lists.
    pub columns: Vec<String>,
    /// In order.
    pub parts: Vec<Part>,
}

/// What a partition is bounded by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PartMethod {
    /// Ranges, each from the end of the one before.
    Range,
    /// Lists of values.
    List,
}

/// A partition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Its name.
    pub name: String,
    /// Which rows it has.
    pub bound: PartBound,
}

/// Which rows a partition has. Values are texts in the spelling of their logical type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PartBound {
    /// Those whose columns are less than these, compared one after the other; none stands for a value above all.
    Below(Vec<Option<String>>),
    /// Those whose column has one of these values; none stands for NULL.
    In(Vec<Option<String>>),
    /// Those that no other partition takes, NULL included.
    Rest,
}
