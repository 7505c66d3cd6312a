//! What a report says of snapshots that were not a run's first.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::engine::LogPosition;

/// A later instant that a run went on at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstantReport {
    /// What had become of the source.
    #[serde(flatten)]
    pub movement: SourceMovement,
    /// The readers of the snapshot before were lost while the run was at work; otherwise it was resumed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub lost_readers: bool,
    /// Tables of which something had been carried, where that was compared with the source.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rechecked: Vec<RecheckedTable>,
}

/// Whether the source had moved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "source", rename_all = "snake_case")]
pub enum SourceMovement {
    /// No: its log stood at the same place.
    Still {
        /// The place.
        at: LogPosition,
    },
    /// Yes.
    Moved {
        /// Where it stood.
        from: LogPosition,
        /// Where it stands.
        to: LogPosition,
    },
    /// Nothing proves that it had not, so it counts as moved.
    Unproven {
        /// Why.
        why: String,
    },
}

/// A table whose carried chunks were compared with the source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecheckedTable {
    /// Name in the source.
    pub table: String,
    /// Chunks that were there.
    pub chunks: usize,
    /// Those that were taken out and carried again.
    pub carried_again: usize,
}

impl fmt::Display for SourceMovement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SourceMovement::Still { at } => write!(f, "the source had not moved ({at})"),
            SourceMovement::Moved { from, to } => write!(f, "the source had moved (from {from} to {to})"),
            SourceMovement::Unproven { why } => {
                write!(f, "nothing proves that the source had not moved, so it counts as moved: {why}")
            }
        }
    }
}

impl InstantReport {
    /// What was compared and carried again, as a sentence.
    pub fn outcome(&self) -> String {
        let chunks: usize = self.rechecked.iter().map(|table| table.chunks).sum();
        let again: Vec<String> = self
            .rechecked
            .iter()
            .filter(|table| table.carried_again > 0)
            .map(|table| format!("{} of {} of {}", table.carried_again, table.chunks, table.table))
            .collect();
        let tables = self.rechecked.len();
        let compared = format!("{chunks} chunks of {tables} tables that had been carried were compared with the source again");
        match again.is_empty() {
            true => format!("{compared}; all are the same"),
            false => format!("{compared}; carried again: {}", again.join(", ")),
        }
    }
}

impl fmt::Display for InstantReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let why = if self.lost_readers {
            "All readers of the snapshot were lost, and the run went on at a later instant"
        } else {
            "Resumed at a later instant"
        };
        write!(f, "{why}; {}", self.movement)?;
        match (&self.movement, self.rechecked.is_empty()) {
            (SourceMovement::Still { .. }, _) => f.write_str(", and what had been carried was not read again"),
            (_, true) => Ok(()),
            (_, false) => write!(f, ". {}", self.outcome()),
        }
    }
}
