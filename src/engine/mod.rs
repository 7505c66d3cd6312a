//! Everything that differs per engine, and nothing else: the traits, and one folder per engine.
//!
//! Engines are a hub with spokes: each knows the logical types and Arrow, none knows another one, and no code exists for
//! a pair of them. A new engine is one folder with the same file names, one line in [`registry`], one line in the
//! conformance tests.

use std::sync::Arc;

use async_trait::async_trait;
use futures::stream::BoxStream;
use serde::{Deserialize, Serialize};

use crate::config::endpoint::Endpoint;
use crate::error::Result;
use crate::ledger::Ledger;
use crate::model::catalog::{Catalog, NativeType, ServerInfo, Table};
use crate::model::chunk::{Chunk, ChunkPlan};
use crate::model::unit::{ReadPlan, Receipt, WorkUnit};
use crate::model::{Digest, LogicalType, ObjectName, RunId};
use arrow::record_batch::RecordBatch;

pub mod mysql;
pub mod parquet;
pub mod postgres;
pub mod registry;
pub mod sqlite;

/// The engines there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EngineKind {
    /// MySQL and MariaDB.
    MySql,
    /// PostgreSQL.
    Postgres,
    /// SQLite.
    Sqlite,
    /// A folder of Parquet files.
    Parquet,
}

impl EngineKind {
    /// The name in file names and messages: `mysql`.
    pub fn name(self) -> &'static str {
        match self {
            EngineKind::MySql => "mysql",
            EngineKind::Postgres => "postgres",
            EngineKind::Sqlite => "sqlite",
            EngineKind::Parquet => "parquet",
        }
    }
}

/// An engine: how to talk to it, and the way in and out.
#[async_trait]
pub trait Engine: Send + Sync {
    /// Which.
    fn kind(&self) -> EngineKind;

    /// Its types and its SQL.
    fn dialect(&self) -> &'static dyn Dialect;

    /// Connects for reading.
    ///
    /// # Errors
    /// `Unreachable`, `LoginRefused`, `UnknownDatabase`, or `Unsupported` for engines and versions that cannot be a source.
    async fn open_source(&self, at: &Endpoint, options: &SessionOptions) -> Result<Arc<dyn Source>>;

    /// Connects for writing. Creates nothing.
    ///
    /// # Errors
    /// As for [`Engine::open_source`].
    async fn open_sink(&self, at: &Endpoint, options: &SessionOptions) -> Result<Arc<dyn Sink>>;
}

/// What every session of a run shares.
#[derive(Debug, Clone)]
pub struct SessionOptions {
    /// The name that sessions show to the server: `dbferry/<run>`.
    pub application_name: String,
    /// How many chunks are carried at the same time: the most connections that carry data.
    pub jobs: usize,
    /// The schema of the ledger (`dbferry`), or, in engines without schemas, the folder of it.
    pub ledger_schema: String,
}

/// Which tables are wanted: shell patterns (`*`, `?`, `[a-z]`) over table names, `exclude` after `include`.
#[derive(Debug, Clone)]
pub struct TableFilter {
    include: globset::GlobSet,
    exclude: globset::GlobSet,
}

impl TableFilter {
    /// Compiles the patterns.
    ///
    /// # Errors
    /// `Config` for a pattern that is none.
    pub fn new(include: &[String], exclude: &[String]) -> Result<Self> {
        let compile = |patterns: &[String]| -> Result<globset::GlobSet> {
            let mut set = globset::GlobSetBuilder::new();
            for pattern in patterns {
                let glob = globset::Glob::new(pattern).map_err(|error| {
                    crate::Error::new(crate::ErrorKind::Config, format!("`{pattern}` is no pattern")).with_source(error)
                })?;
                set.add(glob);
            }
            set.build().map_err(|error| crate::Error::internal("patterns could not be joined").with_source(error))
        };
        Ok(TableFilter { include: compile(include)?, exclude: compile(exclude)? })
    }

    /// Every table.
    pub fn all() -> Self {
        TableFilter::new(&["*".into()], &[]).unwrap_or_else(|_| unreachable_filter())
    }

    /// True if the table is wanted.
    pub fn accepts(&self, table: &str) -> bool {
        (self.include.is_empty() || self.include.is_match(table)) && !self.exclude.is_match(table)
    }
}

fn unreachable_filter() -> TableFilter {
    TableFilter { include: globset::GlobSet::empty(), exclude: globset::GlobSet::empty() }
}

/// A source that is connected.
#[async_trait]
pub trait Source: Send + Sync {
    /// The server.
    fn server(&self) -> &ServerInfo;

    /// Tables, columns, keys; row by row from the server's own catalog. What cannot be represented is a problem, never a gap.
    async fn catalog(&self, filter: &TableFilter) -> Result<Catalog>;

    /// Cuts a table into chunks of about `target_bytes`. Only the database orders keys.
    async fn plan_chunks(&self, table: &Table, target_bytes: u64) -> Result<ChunkPlan>;

    /// Opens `readers` readers over one consistent view of `tables`.
    async fn snapshot(&self, tables: &[Table], readers: usize) -> Result<Arc<dyn Snapshot>>;
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

/// A piece of a table on its way, in Arrow.
#[derive(Debug, Clone)]
pub struct Batch {
    /// The rows, in the columns of the read plan.
    pub rows: RecordBatch,
    /// Their size in memory, in bytes.
    pub bytes: usize,
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

    /// How the instant was had, or why it could not be, for people; empty where there is nothing to tell.
    fn describe(&self) -> String {
        String::new()
    }

    /// The rows of a table, counted by the database itself in this snapshot.
    async fn count(&self, table: &Table) -> Result<u64>;

    /// Aggregates of a table's columns, computed by the database itself in this snapshot.
    async fn profile(&self, table: &Table, columns: &[ProfileColumn]) -> Result<Profile>;

    /// Reads one chunk. Waits for a free reader at the first poll; gives it back at the end of the stream.
    fn read(&self, what: &ReadPlan, chunk: &Chunk) -> BatchStream;

    /// Ends the readers. Reads that are under way fail.
    async fn close(&self) -> Result<()>;
}

/// What is computed of a column, by both databases, for `full` verification.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProfileKind {
    /// Count of values; min, max, sum as exact numbers.
    Exact,
    /// Count; min, max as 64-bit floats.
    Float,
    /// Count; min, max as ISO text in UTC with six digits of fraction.
    Temporal,
    /// Count; characters and UTF-8 bytes in all.
    Text,
    /// Count; bytes in all.
    Bytes,
    /// Count; how many are true.
    Bool,
    /// Count only.
    Count,
}

/// A column to profile, in one database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProfileColumn {
    /// Its name in that database.
    pub name: String,
    /// Its native type in that database.
    pub native: NativeType,
    /// What is computed. The same on both sides.
    pub kind: ProfileKind,
}

/// A table's profile.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Profile {
    /// `count(*)`.
    pub rows: u64,
    /// For each column asked for, its aggregates in the order of [`ProfileKind`], as canonical text (exact numbers without trailing
    /// zeros or `+`; floats as the shortest text that reads back, temporal values as `YYYY-MM-DD HH:MM:SS.ffffff`); `None` for NULL.
    pub columns: Vec<Vec<Option<String>>>,
}

/// A target that is connected.
#[async_trait]
pub trait Sink: Send + Sync {
    /// The server.
    fn server(&self) -> &ServerInfo;

    /// Of these tables, those that exist, as they are.
    async fn existing(&self, tables: &[ObjectName]) -> Result<Vec<Table>>;

    /// Checks that the rights are there and that the place can be written to; creates nothing that stays. All faults at once.
    async fn check(&self, schemas: &[String], owner: Option<&str>) -> Result<()>;

    /// Runs the statements of one phase, up to `jobs` side by side where they do not depend on each other. Safe to repeat.
    async fn apply(&self, ddl: &Ddl) -> Result<()>;

    /// Opens the transaction of a chunk: claims its receipt first, then takes rows. `table` is the target table as planned.
    async fn begin_chunk(&self, unit: &WorkUnit, table: &Table) -> Result<Box<dyn ChunkWriter>>;

    /// The ledger in this target.
    fn ledger(&self) -> &dyn Ledger;

    /// Opens `readers` independent readers of what was written, in one consistent view.
    async fn read_back(&self, readers: usize) -> Result<Arc<dyn ReadBack>>;
}

/// One chunk's way into the target.
#[async_trait]
pub trait ChunkWriter: Send {
    /// Sends rows, whose columns are the written columns of the target table in order. Back-pressure is not returning yet.
    async fn write(&mut self, rows: &RecordBatch) -> Result<()>;

    /// Commits rows and receipt in one atomic step.
    async fn commit(self: Box<Self>, digest: Digest) -> Result<Receipt>;

    /// Takes everything back.
    async fn abort(self: Box<Self>) -> Result<()>;
}

/// An independent look at what stands in the target.
#[async_trait]
pub trait ReadBack: Send + Sync {
    /// The rows of a table, counted by the database itself.
    async fn count(&self, table: &Table) -> Result<u64>;

    /// Aggregates of a table's columns, computed by the database itself.
    async fn profile(&self, table: &Table, columns: &[ProfileColumn]) -> Result<Profile>;

    /// Cuts the table in pieces of about `target_bytes`, in a way of the target's own.
    async fn plan_chunks(&self, table: &Table, target_bytes: u64, run: Option<RunId>) -> Result<ChunkPlan>;

    /// Reads one piece in the logical types of `table`'s columns, generated ones included.
    fn read(&self, table: &Table, chunk: &Chunk) -> BatchStream;
}

/// When a statement runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DdlPhase {
    /// What stands in the way goes, when the person asked for that. Done once a run, never again on resume.
    Clear,
    /// Schemas, then types: before the tables.
    Before,
    /// Tables without indexes.
    Tables,
    /// Primary keys, unique keys and indexes, once the rows are there.
    Indexes,
    /// Next ids, comments, checks, owners.
    Finish,
    /// Foreign keys, not yet validated.
    ForeignKeys,
    /// Their validation.
    Validate,
    /// Statistics.
    Analyze,
}

impl DdlPhase {
    /// All, in the order of the work.
    pub const ALL: [DdlPhase; 8] = [
        DdlPhase::Clear,
        DdlPhase::Before,
        DdlPhase::Tables,
        DdlPhase::Indexes,
        DdlPhase::Finish,
        DdlPhase::ForeignKeys,
        DdlPhase::Validate,
        DdlPhase::Analyze,
    ];
}

/// One statement for the target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ddl {
    /// When.
    pub phase: DdlPhase,
    /// The table it is about; none for schemas.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub table: Option<ObjectName>,
    /// What it makes, for people: `index orders_customer_idx`.
    pub object: String,
    /// The statement, without a final semicolon.
    pub sql: String,
    /// A query whose first column says `true` when the object stands already, so that repeating is safe.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exists_sql: Option<String>,
}

/// How a table that stands in the way is cleared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clear {
    /// Its rows go.
    Truncate,
    /// It goes; nothing that depends on it does.
    Drop,
}

/// What becomes of a logical type in an engine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fidelity {
    /// Exactly its values.
    Exact,
    /// All its values and more.
    Widened,
}

/// How the target's objects are to be made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DdlOptions {
    /// The role that is to own what is created.
    pub owner: Option<String>,
    /// Schemas that are to be created when they are missing.
    pub schemas: Vec<String>,
    /// What the target can do, as in [`ServerInfo::features`]: the types of extensions are written with their schema.
    pub features: Vec<String>,
}

/// A name, quoted; the only way a name reaches SQL text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quoted(pub(crate) String);

impl std::fmt::Display for Quoted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// An engine's types and SQL. Pure: no connection, no state.
pub trait Dialect: Send + Sync {
    /// The logical type of a native one; `None` if the engine cannot carry it.
    fn to_logical(&self, native: &NativeType) -> Option<LogicalType>;

    /// Reads a type as a person writes it in a mapping: `numeric(20,4)`.
    ///
    /// # Errors
    /// `Mapping`, with the nearest type that is known.
    fn parse_type(&self, text: &str) -> Result<NativeType>;

    /// The engine's own type for a logical one. With what `server` can do; an `Err` is a refusal whose hint is the mapping line that settles it.
    fn to_native(&self, logical: &LogicalType, server: &ServerInfo) -> Result<(NativeType, Fidelity)>;

    /// Quotes one part of a name.
    fn quote(&self, name: &str) -> Quoted;

    /// The longest name, in bytes; none for no limit.
    fn max_name_bytes(&self) -> Option<usize>;

    /// True where index names are unique per schema, and not only per table.
    fn index_names_per_schema(&self) -> bool;

    /// The schema that unqualified tables go to, or empty for engines without schemas.
    fn default_schema(&self) -> &'static str;

    /// The statements of phase `Clear` that clear tables that stand in the way; `None` if the engine cannot.
    fn clear(&self, _tables: &[&Table], _how: Clear) -> Option<Vec<Ddl>> {
        None
    }

    /// Statements of phase `Validate` that fail if rows loaded into a table that stood before the run break its own foreign keys,
    /// for engines whose writer switches those off.
    fn recheck(&self, _standing: &Table) -> Vec<Ddl> {
        Vec::new()
    }

    /// All statements that make `tables`, in no particular order; each says its phase. What cannot be made is a problem.
    fn ddl(&self, tables: &[Table], options: &DdlOptions) -> (Vec<Ddl>, Vec<crate::model::catalog::Problem>);
}
