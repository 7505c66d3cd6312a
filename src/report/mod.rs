//! What a run did, and what it proved: for people as [`text`], for machines as [`json`]; [`human`] writes numbers; [`instants`] is
//! about snapshots that were not the first; [`resources`] is what a run took of its surroundings.

use serde::{Deserialize, Serialize};

use crate::config::VerifyLevel;
use crate::engine::{Consistency, LogPosition};
use crate::model::catalog::Problem;
use crate::model::hook::{HookSide, HookWhen};
use crate::model::{Digest, Losses};

pub mod human;
pub mod instants;
pub mod json;
pub mod resources;
pub mod text;

pub use instants::{InstantReport, RecheckedTable, SourceMovement};
pub use resources::{PauseReport, ResourceReport};

/// The report of a run, or of a later verification.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// `run` or `verify`.
    pub command: String,
    /// The run's identity; of a later verification that of the newest finished run from this source into this target, if there is one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub run: String,
    /// dbferry's version.
    pub version: String,
    /// The source, masked, with its server.
    pub source: Side,
    /// The target, masked, with its server.
    pub target: Side,
    /// Seconds in all.
    pub seconds: f64,
    /// Seconds of each phase, in order.
    pub phases: Vec<PhaseReport>,
    /// Where the snapshot stands in the source's log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub position: Option<LogPosition>,
    /// Later instants that the run went on at, because it was resumed or had lost its readers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub instants: Vec<InstantReport>,
    /// Level of verification asked for.
    pub verify: VerifyLevel,
    /// One entry per table.
    pub tables: Vec<TableReport>,
    /// How the target's schema compares with what was planned; none where that was not asked, as by an earlier version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<SchemaReport>,
    /// SQL of the person's own, in the order in which it ran.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hooks: Vec<HookReport>,
    /// What it took of memory and of the servers' patience; none of an earlier version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<ResourceReport>,
    /// What was not carried, and what is worth knowing.
    pub problems: Vec<Problem>,
    /// What failed beside the tables.
    pub errors: Vec<String>,
    /// One sentence that says what was proven.
    pub proven: String,
    /// The exit code.
    pub exit_code: u8,
}

/// The target's tables as its catalog tells them, compared with what was planned.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SchemaReport {
    /// Tables that were compared.
    pub tables: usize,
    /// Of them, those that stood before the run, and were to stay as they were.
    #[serde(default)]
    pub stood: usize,
    /// Their columns, as planned; likewise what follows.
    pub columns: usize,
    /// Indexes, primary keys included.
    pub indexes: usize,
    /// Foreign keys.
    pub foreign_keys: usize,
    /// Checks.
    pub checks: usize,
    /// Sequences that belong to no column.
    #[serde(default, skip_serializing_if = "is_none")]
    pub sequences: usize,
    /// What is not as planned; each stands with its table too.
    pub differences: Vec<SchemaDifference>,
    /// Tables of which nothing is known to compare with.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_compared: Vec<String>,
}

/// Something of a table that is not as planned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SchemaDifference {
    /// The table in the target.
    pub table: String,
    /// What, in one sentence.
    pub what: String,
}

/// One side of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Side {
    /// The address, masked.
    pub address: String,
    /// The server.
    pub server: String,
}

/// The time of one phase.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PhaseReport {
    /// `copy`, `index` …
    pub phase: String,
    /// Seconds from its beginning to its end.
    pub seconds: f64,
}

/// What became of a table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TableReport {
    /// Name in the source.
    pub source: String,
    /// Name in the target.
    pub target: String,
    /// Rows that were sent, or that were read from the source.
    pub rows: u64,
    /// Bytes that were sent.
    pub bytes: u64,
    /// Seconds from its first chunk's start to its last chunk's commit.
    pub seconds: f64,
    /// Chunks.
    pub chunks: usize,
    /// What the snapshot promises for it.
    pub consistency: Consistency,
    /// Digest of what was sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// What stood in the target's table, for one that rows were added to; at level `rows` its digest is 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stood: Option<Digest>,
    /// What value policies of the mapping have done to its values.
    #[serde(default, skip_serializing_if = "Losses::is_empty")]
    pub losses: Losses,
    /// Rows that were read and rejected, and are kept in the ledger.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub rejected: u64,
    /// How the comparison ended.
    pub outcome: Outcome,
    /// What went wrong.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<String>,
}

fn is_none(number: &usize) -> bool {
    *number == 0
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// How the comparison of a table ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Both sides agree at the level asked for.
    Verified,
    /// Nothing was compared, as asked.
    NotVerified,
    /// Rows were rejected; the others arrived, as far as that was compared.
    Rejected,
    /// Both sides differ.
    Differs,
    /// The table did not arrive.
    Failed,
}

/// What became of a hook.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HookReport {
    /// Its name.
    pub name: String,
    /// Before or after.
    pub when: HookWhen,
    /// Which database ran it.
    pub side: HookSide,
    /// The table in the target that it is about; none for the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub table: Option<String>,
    /// Seconds that it took.
    pub seconds: f64,
    /// How it went.
    pub state: HookState,
}

/// How a hook went. One that fails stops the run, so that there is no report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HookState {
    /// It ran.
    Done,
    /// An earlier attempt of this run had run it.
    DoneBefore,
    /// It was not run, since what it is about did not arrive or was not proven.
    Skipped,
}
