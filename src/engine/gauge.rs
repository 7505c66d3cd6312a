//! How hard a server has it, for a run that is to be polite: one session of its own that is asked every few seconds.

use std::fmt;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::error::Result;

/// A sign that a server has it hard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Strain {
    /// The source is a replica and is behind, in seconds.
    ReplicaLag,
    /// Threads of the source that are running, but for those of the run.
    ThreadsRunning,
    /// Undo records of the source that wait to be purged, in transactions.
    HistoryLength,
    /// Checkpoints of the target that WAL has forced, since its statistics began.
    ForcedCheckpoints,
}

impl fmt::Display for Strain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Strain::ReplicaLag => "seconds that the source is behind its own source",
            Strain::ThreadsRunning => "threads that run in the source, without those of this run",
            Strain::HistoryLength => "transactions in the source's undo history",
            Strain::ForcedCheckpoints => "checkpoints that were forced in the target within a minute",
        })
    }
}

/// A session that reads signs of strain.
#[async_trait]
pub trait Gauge: Send {
    /// Reads what was asked for, in that order.
    ///
    /// # Errors
    /// What the server says. The gauge is of no use afterwards.
    async fn read(&mut self) -> Result<Vec<(Strain, u64)>>;
}
