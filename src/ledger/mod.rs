//! Receipts and run state, kept in the target: whoever can reach the target can go on with the run.
//!
//! This module knows what is kept and what it means; how it is kept is each engine's own affair.

pub mod instant;
pub mod lease;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind, Result};
use crate::model::reject::RejectRecord;
use crate::model::unit::Receipt;
use crate::model::{Hook, ObjectName, RunId};
use instant::InstantRecord;
use lease::{Holder, Living};

/// How far a run has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// Working, or stopped midway: only a living coordinator's lease tells these apart.
    Running,
    /// Every row arrived, and verification at the level asked for agreed.
    Done,
    /// Finished, but something did not arrive or differs.
    Failed,
}

/// A run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunRecord {
    /// Its identity.
    pub run: RunId,
    /// The source, without secrets.
    pub source: String,
    /// The target, without secrets.
    pub target: String,
    /// Of source, target, what is included, and mapping: resume picks an unfinished run with the same.
    pub identity: String,
    /// How far.
    pub state: RunState,
    /// The plan, as JSON; see [`crate::plan::Plan`].
    pub plan: serde_json::Value,
    /// When it began, in microseconds since 1970 UTC, by the target's clock.
    pub started_us: i64,
    /// When its state last changed, likewise.
    pub updated_us: i64,
    /// The last report, as JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report: Option<serde_json::Value>,
}

/// What the ledger knows of a hook.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HookRecord {
    /// Its name.
    pub name: String,
    /// SHA-256 of its SQL.
    pub sha256: String,
    /// It has gone through. Otherwise it was begun, and nobody knows how far it came.
    pub done: bool,
    /// Seconds that it took, once it is done.
    pub seconds: f64,
}

fn no_hooks() -> Error {
    Error::new(ErrorKind::Unsupported, "the ledger of this target keeps no account of hooks")
}

/// The ledger of one target.
#[async_trait]
pub trait Ledger: Send + Sync {
    /// Makes the ledger, if it is missing. Safe to repeat.
    async fn prepare(&self) -> Result<()>;

    /// Stores a run and its plan, before its first row moves.
    async fn start(&self, run: &RunRecord) -> Result<()>;

    /// Sets the state and the report. When the state is `Done` this is durable before it returns.
    async fn finish(&self, run: RunId, state: RunState, report: &serde_json::Value) -> Result<()>;

    /// The runs, newest first; without a ledger, none.
    async fn runs(&self) -> Result<Vec<RunRecord>>;

    /// The receipts of a run.
    async fn receipts(&self, run: RunId) -> Result<Vec<Receipt>>;

    /// Makes all commits of the run so far durable, then reads its receipts.
    async fn settle(&self, run: RunId) -> Result<Vec<Receipt>> {
        self.receipts(run).await
    }

    /// Notes that a phase is done for a table, so that resume skips it (`tables`, `indexes`, `verify`).
    async fn mark(&self, run: RunId, table: &ObjectName, phase: &str) -> Result<()>;

    /// What was marked.
    async fn marks(&self, run: RunId) -> Result<Vec<(ObjectName, String)>>;

    /// Remembers a snapshot of the source, before the first row of it is carried.
    async fn note_instant(&self, _run: RunId, _instant: &InstantRecord) -> Result<()> {
        Ok(())
    }

    /// Notes that all rows carried so far are those of that instant.
    async fn settle_instant(&self, _run: RunId, _number: u32) -> Result<()> {
        Ok(())
    }

    /// The snapshots that a run has carried rows of, in their order; a ledger that does not remember them has none.
    async fn instants(&self, _run: RunId) -> Result<Vec<InstantRecord>> {
        Ok(Vec::new())
    }

    /// The rows of a run that were rejected and are still, by table and chunk.
    async fn rejects(&self, _run: RunId) -> Result<Vec<RejectRecord>> {
        Ok(Vec::new())
    }

    /// Who works on a run now, if somebody does; a ledger without leases does not know.
    async fn living(&self, _run: RunId) -> Result<Option<Living>> {
        Ok(None)
    }

    /// Takes the lease of a run, and ends what an earlier coordinator of it has left. From then on, whatever this ledger writes of the run
    /// is written only while the lease is held.
    ///
    /// # Errors
    /// `Ledger` while another one lives.
    async fn hold(&self, _run: RunId, _holder: &Holder) -> Result<()> {
        Ok(())
    }

    /// Renews the lease.
    ///
    /// # Errors
    /// `Ledger` when another one has taken the run over.
    async fn renew(&self, _run: RunId, _holder: &Holder) -> Result<()> {
        Ok(())
    }

    /// Gives the lease back.
    async fn release(&self, _run: RunId) -> Result<()> {
        Ok(())
    }

    /// Forgets a run: its receipts, marks and hooks, and the run itself, in one step.
    async fn forget(&self, _run: RunId) -> Result<()> {
        Err(Error::new(ErrorKind::Unsupported, "a run of this target cannot be given up").hint("Remove what it has made by hand"))
    }

    /// The hooks of a run that were begun.
    async fn hooks(&self, _run: RunId) -> Result<Vec<HookRecord>> {
        Ok(Vec::new())
    }

    /// Notes durably that a hook is about to run outside a transaction of the ledger's.
    ///
    /// # Errors
    /// `Ledger` when it was begun before, unless its `rerun` is set and it is not done.
    async fn begin_hook(&self, _run: RunId, _hook: &Hook) -> Result<()> {
        Err(no_hooks())
    }

    /// Notes that a hook that was begun has gone through.
    async fn finish_hook(&self, _run: RunId, _hook: &Hook) -> Result<()> {
        Err(no_hooks())
    }
}
