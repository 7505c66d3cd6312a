//! The way out of an engine: catalog, chunks, and one consistent view to read from.

use std::sync::Arc;
use std::time::Duration;

use arrow::record_batch::RecordBatch;
use async_trait::async_trait;
use futures::stream::BoxStream;
use serde::{Deserialize, Serialize};

use super::{Budget, Gauge, Held, KeyOf, Profile, ProfileColumn, SharedKeys, Strain, TableFilter, Waiting};
use crate::error::{Error, ErrorKind, Result};
use crate::model::catalog::{Catalog, Problem, ServerInfo, Table};
use crate::model::chunk::{Chunk, ChunkPlan};
use crate::model::probe::{Answer, Asked};
use crate::model::reject::{RawRow, Reject};
use crate::model::unit::ReadPlan;
use crate::model::{Hook, Losses, RunId};

/// A source that is connected.
#[async_trait]
pub trait Source: Send + Sync {
    /// The server.
    fn server(&self) -> &ServerInfo;

    /// Tables, columns, keys; row by row from the server's own catalog. What cannot be represented is a problem, never a gap.
    async fn catalog(&self, filter: &TableFilter) -> Result<Catalog>;

    /// What the user may not do of all that carrying these tables needs, or that the report tells: refusals and notes.
    async fn missing_rights(&self, _tables: &[Table]) -> Result<Vec<Problem>> {
        Ok(Vec::new())
    }

    /// Cuts a table into chunks of about `target_bytes`. Only the database orders keys.
    async fn plan_chunks(&self, table: &Table, target_bytes: u64) -> Result<ChunkPlan>;

    /// True if a row of the table passes its filter; any row, if it has none. Asks for one row, counts nothing.
    async fn any_row(&self, table: &Table) -> Result<bool>;

    /// Answers questions about the rows of each table that are carried, in their order: about all of them, or, with `first_rows`, about so
    /// many of each table at most. `None` if the source cannot be asked.
    async fn probe(&self, _asked: &[Asked<'_>], _first_rows: Option<u64>) -> Result<Option<Vec<Vec<Answer>>>> {
        Ok(None)
    }

    /// Opens `readers` readers over one consistent view of `tables`.
    async fn snapshot(&self, tables: &[Table], readers: usize) -> Result<Arc<dyn Snapshot>>;

    /// Whether rows of two tables have the same key, compared as the target will compare it.
    async fn shared_keys(&self, _keys: [KeyOf<'_>; 2]) -> Result<SharedKeys> {
        Ok(SharedKeys::Unknown("this source does not compare the keys of two tables".into()))
    }

    /// What the run's sessions do at this moment, asked on a session of its own; nothing where nobody can be asked.
    async fn waiting(&self) -> Result<Vec<Waiting>> {
        Ok(Vec::new())
    }

    /// Lets the sessions carry the name of the run that is gone on with, and ends those that an earlier coordinator of it has left.
    /// What could not be ended is told, in sentences.
    ///
    /// # Errors
    /// When the sessions cannot be listed.
    async fn take_over(&self, _run: RunId) -> Result<Vec<String>> {
        Ok(Vec::new())
    }

    /// Opens a session that tells how hard the server has it.
    ///
    /// # Errors
    /// `Unsupported` for what this source does not tell.
    async fn gauge(&self, asked: &[Strain]) -> Result<Box<dyn Gauge>> {
        let names: Vec<String> = asked.iter().map(ToString::to_string).collect();
        Err(Error::new(ErrorKind::Unsupported, format!("this source does not tell the {}", names.join(" and the "))))
    }

    /// How long a question to the server and its answer take, when it has nothing to do for them; nothing where there is no way to go.
    fn round_trip(&self) -> Duration {
        Duration::ZERO
    }

    /// How many more sessions the server takes of this user; none where there is no bound.
    async fn free_sessions(&self) -> Result<Option<u64>> {
        Ok(None)
    }

    /// Why this source cannot run hooks; none where it can.
    fn refuses_hooks(&self) -> Option<&'static str> {
        Some("this source is opened for reading alone")
    }

    /// Runs a hook of the source on a session of its own.
    ///
    /// # Errors
    /// What the server says of the SQL.
    async fn run_hook(&self, _hook: &Hook) -> Result<()> {
        Err(Error::new(ErrorKind::Unsupported, "this source is opened for reading alone"))
    }
}

/// What a snapshot promises for a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Consistency {
    /// The same instant for all tables of the run.
    OneInstant,
    /// One instant for this table, but not that of the others.
    PerTable,
    /// Each chunk its own instant.
    PerChunk,
}

/// Where in the source's log the snapshot stands, so that a change stream could go on from there.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogPosition {
    /// File of the binary log, or empty.
    pub file: String,
    /// Offset in it.
    pub offset: u64,
    /// Executed GTIDs, or empty.
    pub gtid: String,
}

impl LogPosition {
    /// True if both are the same place. GTIDs count where both have some.
    pub fn is_same(&self, other: &LogPosition) -> bool {
        let gtids = self.gtid.is_empty() || other.gtid.is_empty() || self.gtid == other.gtid;
        (&self.file, self.offset) == (&other.file, other.offset) && gtids
    }
}

impl std::fmt::Display for LogPosition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        /// Sets of GTIDs may be pages long.
        const SHOWN: usize = 80;
        write!(f, "{}:{}", self.file, self.offset)?;
        match self.gtid.char_indices().nth(SHOWN).and_then(|(end, _)| self.gtid.get(..end)) {
            Some(start) => write!(f, ", GTID {start}…"),
            None if self.gtid.is_empty() => Ok(()),
            None => write!(f, ", GTID {}", self.gtid),
        }
    }
}

/// A piece of a table on its way, in Arrow.
#[derive(Debug, Clone)]
pub struct Batch {
    /// The rows, in the columns of the read plan.
    pub rows: RecordBatch,
    /// Their size in memory, in bytes.
    pub bytes: usize,
    /// What value policies have done to them.
    pub losses: Losses,
    /// Rows that were read before them or among them and could not be; only where the read plan keeps rows.
    pub rejects: Vec<Reject>,
    /// The rows as they came, where the read plan keeps them.
    pub raw: Option<Arc<dyn RawRows>>,
    /// Their part of the memory budget; none where their reader knows of no budget.
    pub held: Held,
}

impl Batch {
    /// Rows without anything to tell of them.
    pub fn plain(rows: RecordBatch, bytes: usize) -> Self {
        Batch { rows, bytes, losses: Losses::default(), rejects: Vec::new(), raw: None, held: Held::default() }
    }
}

/// The rows of a batch as they came.
pub trait RawRows: Send + Sync + std::fmt::Debug {
    /// One of them.
    ///
    /// # Errors
    /// `Internal`, when the batch has no such row.
    fn raw(&self, row: usize) -> Result<RawRow>;
}

/// Batches on their way. The stream ends with the database's own end of the result: anything less is an `Err`.
pub type BatchStream = BoxStream<'static, Result<Batch>>;

/// A consistent view of a source, held open by its readers.
#[async_trait]
pub trait Snapshot: Send + Sync {
    /// What is promised for that table.
    fn consistency(&self, table: &Table) -> Consistency;

    /// Where in the log the snapshot stands, if the server has a log.
    fn position(&self) -> Option<&LogPosition>;

    /// Why an equal position of another snapshot would not prove that both show the same rows; none where the log has every change.
    fn doubt(&self) -> Option<&str> {
        Some("the source keeps no log of its changes")
    }

    /// True once no reader is left: nobody can read at its instant any more.
    fn is_lost(&self) -> bool {
        false
    }

    /// How the instant was had, or why it could not be, for people; empty where there is nothing to tell.
    fn describe(&self) -> String {
        String::new()
    }

    /// Counts those of the tables that are small, in few questions, for [`Snapshot::count`] to tell.
    ///
    /// # Errors
    /// Each is counted alone after one; a reader may be lost by it.
    async fn count_ahead(&self, _tables: &[&Table]) -> Result<()> {
        Ok(())
    }

    /// The rows of a table, counted by the database itself in this snapshot.
    async fn count(&self, table: &Table) -> Result<u64>;

    /// Aggregates of a table's columns, computed by the database itself in this snapshot.
    async fn profile(&self, table: &Table, columns: &[ProfileColumn]) -> Result<Profile>;

    /// Reads one chunk. Waits for a free reader at the first poll; gives it back at the end of the stream.
    fn read(&self, what: &ReadPlan, chunk: &Chunk) -> BatchStream;

    /// As [`Snapshot::read`], but no row is taken into memory before the budget has room for it; its part travels with the batch. An engine
    /// that leaves this out hands over batches that hold no part.
    fn read_within(&self, what: &ReadPlan, chunk: &Chunk, _budget: &Budget) -> BatchStream {
        self.read(what, chunk)
    }

    /// True if a read within a budget may begin before its chunk's turn, since it takes no row before that.
    fn reads_ahead(&self) -> bool {
        false
    }

    /// Ends the readers. Reads that are under way fail.
    async fn close(&self) -> Result<()>;
}
