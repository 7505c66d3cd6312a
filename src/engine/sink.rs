//! The way into an engine: statements, chunks with their receipts, and an independent look at what was written.

use std::sync::Arc;
use std::time::Duration;

use arrow::record_batch::RecordBatch;
use async_trait::async_trait;

use super::{Asked, BatchStream, Budget, Ddl, Gauge, Inspection, Profile, ProfileColumn, Strain, TakeOut, TakenOut, Waiting};
use crate::error::{Error, ErrorKind, Result};
use crate::ledger::Ledger;
use crate::model::catalog::{Problem, ServerInfo, Table};
use crate::model::chunk::{Chunk, ChunkPlan};
use crate::model::load::UpsertKey;
use crate::model::reject::Reject;
use crate::model::schema::TableSchema;
use crate::model::sequence::Sequence;
use crate::model::unit::{Receipt, WorkUnit};
use crate::model::{Digest, Hook, Losses, ObjectName, RunId};

/// A target that is connected.
#[async_trait]
pub trait Sink: Send + Sync {
    /// The server.
    fn server(&self) -> &ServerInfo;

    /// Of these tables, those that exist, as they are.
    async fn existing(&self, tables: &[ObjectName]) -> Result<Vec<Table>>;

    /// Of these tables, those that exist, with all that schema parity compares.
    async fn schemas(&self, tables: &[ObjectName]) -> Result<Vec<TableSchema>> {
        Ok(self.existing(tables).await?.into_iter().map(TableSchema::new).collect())
    }

    /// Of these names, those that sequences have which belong to no column.
    async fn sequences(&self, _names: &[ObjectName]) -> Result<Vec<Sequence>> {
        Ok(Vec::new())
    }

    /// The tables of these schemas, for the names that were probably meant.
    async fn table_names(&self, _schemas: &[String]) -> Result<Vec<ObjectName>> {
        Ok(Vec::new())
    }

    /// Why those of these tables that stand cannot be dropped, with the types and functions behind the planned ones: what depends on them
    /// and would stay, rights that are missing. Changes nothing.
    async fn undroppable(&self, _tables: &[&Table]) -> Result<Vec<Problem>> {
        Ok(Vec::new())
    }

    /// What rows will meet in tables that stand. Changes nothing.
    async fn inspect(&self, _asked: &[Asked]) -> Result<Inspection> {
        Ok(Inspection::default())
    }

    /// Makes a place for the keys that a run sends into a table that stands. Safe to repeat.
    async fn keep_keys(&self, _run: RunId, _table: &ObjectName, _key: &UpsertKey) -> Result<()> {
        Err(Error::new(ErrorKind::Unsupported, "rows of this target cannot be found by a key"))
    }

    /// Gives up the places for the keys that a run has sent.
    async fn forget_keys(&self, _run: RunId, _tables: &[ObjectName]) -> Result<()> {
        Ok(())
    }

    /// True if what the statement makes stands already, as far as the statement can tell.
    async fn stands(&self, _ddl: &Ddl) -> Result<bool> {
        Ok(false)
    }

    /// Checks that the rights are there and that the place can be written to; creates nothing that stays. All faults at once.
    async fn check(&self, schemas: &[String], owner: Option<&str>) -> Result<()>;

    /// Of these tables, those that stand and may not be dropped by this user: one error each.
    async fn may_not_drop(&self, _tables: &[ObjectName]) -> Result<Vec<Error>> {
        Ok(Vec::new())
    }

    /// Runs the statements of one phase, up to `jobs` side by side where they do not depend on each other. Safe to repeat.
    async fn apply(&self, ddl: &Ddl) -> Result<()>;

    /// Runs statements of one phase in one transaction, in their order: all of them or none. Safe to repeat.
    ///
    /// # Errors
    /// The first that fails, without saying which: run one by one, they tell.
    async fn apply_all(&self, ddl: &[Ddl]) -> Result<()> {
        for statement in ddl {
            self.apply(statement).await?;
        }
        Ok(())
    }

    /// Reads what writing these target tables needs to know of them, for all at once. Without it, each is asked about when its first chunk
    /// begins. What is wrong with a table is said then.
    async fn look_up(&self, _tables: &[&Table]) -> Result<()> {
        Ok(())
    }

    /// Opens the transaction of a chunk: claims its receipt first, then takes rows. `table` is the target table as planned.
    async fn begin_chunk(&self, unit: &WorkUnit, table: &Table) -> Result<Box<dyn ChunkWriter>>;

    /// Opens the transaction of a row that its chunk, that of `unit`, has rejected: takes it out of the ledger first, then takes the row.
    ///
    /// # Errors
    /// `Ledger`, when it is not there any more.
    async fn begin_reject(&self, _unit: &WorkUnit, _number: u32, _table: &Table) -> Result<Box<dyn ChunkWriter>> {
        Err(Error::new(ErrorKind::Unsupported, "the ledger of this target keeps no rejected rows"))
    }

    /// Takes rows out together with their receipts, in one transaction that demands the lease of the run.
    ///
    /// # Errors
    /// `Unsupported` where rows cannot be taken out; `MissingRight` where others would notice; `Ledger` when the receipts are not there or
    /// the run is another coordinator's by now.
    async fn take_out(&self, _run: RunId, _rows: &TakeOut) -> Result<TakenOut> {
        Err(Error::new(ErrorKind::Unsupported, "rows that are in this target cannot be taken out again"))
    }

    /// The ledger in this target.
    fn ledger(&self) -> &dyn Ledger;

    /// Opens `readers` independent readers of what was written, in one consistent view.
    async fn read_back(&self, readers: usize) -> Result<Arc<dyn ReadBack>>;

    /// What the run's sessions do at this moment, asked on a session of its own; nothing where nobody can be asked.
    async fn waiting(&self) -> Result<Vec<Waiting>> {
        Ok(Vec::new())
    }

    /// Opens a session that tells how hard the server has it.
    ///
    /// # Errors
    /// `Unsupported` for what this target does not tell.
    async fn gauge(&self, asked: &[Strain]) -> Result<Box<dyn Gauge>> {
        let names: Vec<String> = asked.iter().map(ToString::to_string).collect();
        Err(Error::new(ErrorKind::Unsupported, format!("this target does not tell the {}", names.join(" and the "))))
    }

    /// How long a question to the server and its answer take, as [`super::Source::round_trip`]. A far one lends [`super::distance::ahead`] more
    /// sessions for chunks than there are jobs.
    fn round_trip(&self) -> Duration {
        Duration::ZERO
    }

    /// How many more sessions the server takes of this user; none where there is no bound.
    async fn free_sessions(&self) -> Result<Option<u64>> {
        Ok(None)
    }

    /// Why this target cannot run hooks, or keep account of the source's; none where it can.
    fn refuses_hooks(&self) -> Option<&'static str> {
        Some("this target runs no SQL, and its ledger keeps no account of hooks")
    }

    /// Runs a hook of the target. One in a transaction is noted in the ledger by that very transaction; another one is not noted here.
    ///
    /// # Errors
    /// `Ledger` when it has run already; what the server says of the SQL.
    async fn run_hook(&self, _run: RunId, _hook: &Hook) -> Result<()> {
        Err(Error::new(ErrorKind::Unsupported, "this target runs no SQL"))
    }
}

/// One chunk's way into the target.
#[async_trait]
pub trait ChunkWriter: Send {
    /// Sends rows, whose columns are the written columns of the target table in order. Back-pressure is not returning yet. Where the unit
    /// keeps rows, a batch that is refused for a value has left no trace, and another one may follow.
    async fn write(&mut self, rows: &RecordBatch) -> Result<()>;

    /// Says how many rows of the source the chunk was made from, for its receipt; when never called, as many as were sent.
    fn note_rows_read(&mut self, rows_read: u64);

    /// Hands over rows of the chunk that are rejected, for the ledger. Only where the dialect says that it keeps them.
    fn note_rejects(&mut self, _rejects: Vec<Reject>) {}

    /// Says what value policies have done to the chunk's rows, for its receipt.
    fn note_losses(&mut self, losses: &Losses);

    /// Commits rows and receipt in one atomic step.
    async fn commit(self: Box<Self>, digest: Digest) -> Result<Receipt>;

    /// Takes everything back.
    async fn abort(self: Box<Self>) -> Result<()>;
}

/// An independent look at what stands in the target.
#[async_trait]
pub trait ReadBack: Send + Sync {
    /// `table`, narrowed to the rows whose keys the run has sent, each as often as it is there.
    fn only_sent(&self, table: &Table, _run: RunId, _key: &UpsertKey) -> Table {
        table.clone()
    }

    /// Reads what the other questions need to know of these tables, for all at once, as [`Sink::look_up`] does for writing.
    async fn look_up(&self, _tables: &[&Table]) -> Result<()> {
        Ok(())
    }

    /// The rows of a table, counted by the database itself.
    async fn count(&self, table: &Table) -> Result<u64>;

    /// Aggregates of a table's columns, computed by the database itself.
    async fn profile(&self, table: &Table, columns: &[ProfileColumn]) -> Result<Profile>;

    /// Cuts the table in pieces of about `target_bytes`, in a way of the target's own.
    async fn plan_chunks(&self, table: &Table, target_bytes: u64, run: Option<RunId>) -> Result<ChunkPlan>;

    /// Reads one piece in the logical types of `table`'s columns, generated ones included.
    fn read(&self, table: &Table, chunk: &Chunk) -> BatchStream;

    /// As [`ReadBack::read`], within a budget of memory; see [`super::Snapshot::read_within`].
    fn read_within(&self, table: &Table, chunk: &Chunk, _budget: &Budget) -> BatchStream {
        self.read(table, chunk)
    }

    /// The digest of what [`ReadBack::read_within`] reads, where the engine makes it of the rows as they arrive, which costs less; none where
    /// they are to be read and hashed. `heard` is told of rows and their bytes meanwhile.
    async fn digest_within(
        &self,
        _table: &Table,
        _chunk: &Chunk,
        _budget: &Budget,
        _heard: &(dyn Fn(u64, u64) + Send + Sync),
    ) -> Result<Option<Digest>> {
        Ok(None)
    }
}
