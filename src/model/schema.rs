//! A table of the target as its catalog tells it, as it is planned or as it stands: what schema parity compares.

use serde::{Deserialize, Serialize};

use super::catalog::Table;

/// A table with what belongs to it beyond the catalog's model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TableSchema {
    /// Columns, keys, indexes, foreign keys and checks that are made or that stand, and no others.
    pub table: Table,
    /// The role that owns it; none when nobody asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// Names of foreign keys and checks that were never compared with all rows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_validated: Vec<String>,
    /// Triggers that people see; those behind foreign keys are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub triggers: Vec<TriggerState>,
    /// The largest number in the column that numbers new rows; none without one, without rows, or where it may not be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub largest_number: Option<i128>,
    /// It stood before the run, so that its expressions are in the server's own words, and columns of it may be no part of the plan.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub stood: bool,
}

/// A trigger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TriggerState {
    /// Its name.
    pub name: String,
    /// When it fires, as the engine writes it.
    pub fires: String,
}

impl TableSchema {
    /// A table with nothing beyond the model.
    pub fn new(table: Table) -> Self {
        TableSchema { table, owner: None, not_validated: Vec::new(), triggers: Vec::new(), largest_number: None, stood: false }
    }
}
