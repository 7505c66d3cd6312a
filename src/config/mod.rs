//! Files, environment and flags, made into validated values. Opens no connection.
//!
//! [`mod@file`] and [`rules`] are the shapes of the config and the mapping file ([`naming`], [`masking`], [`policies`] and [`hooks`] are parts of it), [`schema`] their JSON schemas; [`document`] walks a
//! file against its schema and collects every fault; [`environment`] resolves `${NAME}`; [`limits`] knows sizes and ranges;
//! [`load`] puts flags over file over defaults; [`loading`] is how tables that stand are loaded; [`pause`] when a run waits; [`endpoint`] is an address, [`login`] where its password comes from; [`init`] writes both files for a live source;
//! [`nearest`] guesses what was meant. [`Settings`] is the outcome.

use crate::config::endpoint::Endpoint;
use crate::config::rules::Mapping;

pub use loading::{Loading, TargetForeignKeys, TargetIndexes, TargetTables, TargetTriggers};
pub use pause::Pause;

pub mod document;
pub mod endpoint;
pub mod environment;
pub mod file;
pub mod hooks;
pub mod init;
pub mod limits;
pub mod load;
pub mod loading;
pub mod login;
pub mod masking;
pub mod naming;
pub mod nearest;
pub mod objects;
pub mod pause;
pub mod policies;
pub mod rules;
pub mod schema;
pub mod subset;

/// What is compared at the end of a run.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Default,
    serde::Serialize,
    serde::Deserialize,
    schemars::JsonSchema,
    clap::ValueEnum,
)]
#[serde(rename_all = "snake_case")]
pub enum VerifyLevel {
    /// Nothing.
    None,
    /// The rows of each table, counted by both databases.
    Rows,
    /// Also an independent re-read of the target, whose digest equals what was sent.
    #[default]
    Digest,
    /// Also profiles of the columns, computed by both databases.
    Full,
}

impl VerifyLevel {
    /// As a flag and a file name it.
    pub fn name(self) -> &'static str {
        match self {
            VerifyLevel::None => "none",
            VerifyLevel::Rows => "rows",
            VerifyLevel::Digest => "digest",
            VerifyLevel::Full => "full",
        }
    }
}

/// How much of the data is looked at before it moves.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize, schemars::JsonSchema, clap::ValueEnum,
)]
#[serde(rename_all = "snake_case")]
pub enum ProbeLevel {
    /// All rows of the columns that may hold something awkward.
    #[default]
    Full,
    /// The first rows of each table: finds, and proves nothing.
    Sample,
    /// None.
    Off,
}

/// What the target compresses long values with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ToastCompression {
    /// LZ4: a third of the time of PGLZ, and somewhat larger tables.
    Lz4,
    /// PGLZ, PostgreSQL's own.
    Pglz,
    /// What the server is set to.
    Default,
}

/// What to do with a target table that exists.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize, schemars::JsonSchema, clap::ValueEnum,
)]
#[serde(rename_all = "snake_case")]
pub enum IfExists {
    /// Refuse the run before anything is created.
    #[default]
    Error,
    /// Empty it and load into it as it is.
    Truncate,
    /// Drop it, never with CASCADE, and create it.
    Drop,
    /// Add the rows to those that stand there.
    Append,
    /// Change the rows that stand there by their key, and add the others.
    Upsert,
}

/// What to do with the other tables when one fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnTableError {
    /// Carry the others.
    #[default]
    Continue,
    /// Stop the run.
    Stop,
}

/// What to do when a run goes on and the source has changed since it began, or nothing proves that it has not.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize, schemars::JsonSchema, clap::ValueEnum,
)]
#[serde(rename_all = "snake_case")]
pub enum OnMovedSource {
    /// Compare what is there with the source as it is now, and carry again what differs.
    #[default]
    Recheck,
    /// Stop, with nothing changed.
    Fail,
}

/// What to do with a row that cannot be carried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnError {
    /// Its table fails.
    #[default]
    Stop,
    /// It is kept in the ledger, the others arrive, and the run ends with exit code 1.
    Reject,
}

/// Which parts of the work are done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Schema and rows.
    #[default]
    All,
    /// Tables, keys and indexes, without rows.
    SchemaOnly,
    /// Rows into tables that stand already.
    DataOnly,
}

/// A run, decided in full: flags over file over defaults.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where from.
    pub source: Endpoint,
    /// Where to.
    pub target: Endpoint,
    /// The schema that tables go to unless a rule says otherwise; the target's usual one when none.
    pub schema: Option<String>,
    /// Patterns of tables to carry; empty means all.
    pub include: Vec<String>,
    /// Patterns of tables to leave out.
    pub exclude: Vec<String>,
    /// Chunks at the same time; when none, the smaller of 8 and the cores.
    pub jobs: Option<usize>,
    /// How long a run waits while nothing moves; without end when zero. Default 5 minutes.
    pub stall_timeout: std::time::Duration,
    /// How long work is tried again that fails for a reason that may pass, from its first failure. Default 10 minutes.
    pub retry_for: std::time::Duration,
    /// Tables are made without a log, and get one after the load.
    pub unlogged: bool,
    /// Whether statistics of the tables are made at the end. Default true.
    pub analyze: bool,
    /// Upper bound for all data buffers together, in bytes. Default 512 MiB.
    pub memory_bytes: u64,
    /// Most bytes of source data in a second, over all jobs; no bound when none.
    pub max_rate_bytes: Option<u64>,
    /// When no chunk is begun.
    pub pause: Pause,
    /// Size of a chunk that planning aims at, in bytes of source data. Default 64 MiB.
    pub chunk_bytes: u64,
    /// How much of the data is looked at before it moves.
    pub probe: ProbeLevel,
    /// What the target compresses long values of the tables with that are made; when none, LZ4 where the server has it.
    pub toast_compression: Option<ToastCompression>,
    /// What is compared at the end.
    pub verify: VerifyLevel,
    /// [`Settings::verify`] was asked for by name: a run that goes on, or a stored plan, takes it instead of its own.
    pub verify_named: bool,
    /// What to do with target tables that exist.
    pub if_exists: IfExists,
    /// How tables that stand are loaded.
    pub loading: Loading,
    /// What to do with the others when a table fails.
    pub on_table_error: OnTableError,
    /// What to do with rows that cannot be carried, unless their table's rule says otherwise.
    pub on_error: OnError,
    /// What to do when a run goes on and the source has changed since.
    pub on_moved_source: OnMovedSource,
    /// Most rows of one table that are rejected before the table fails.
    pub max_rejects: u64,
    /// Most values that value policies may lose; no bound when none.
    pub max_loss: Option<u64>,
    /// Schema, rows, or both.
    pub scope: Scope,
    /// The role that is to own what is created.
    pub owner: Option<String>,
    /// The schema of the ledger. Default `dbferry`.
    pub ledger_schema: String,
    /// A filter that matches no table is a success, not an error.
    pub allow_empty: bool,
    /// Mask keys in messages and reports.
    pub hide_keys: bool,
    /// The mapping; empty when no file was named.
    pub mapping: Mapping,
}

/// Default of [`Settings::stall_timeout`].
pub const DEFAULT_STALL_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(300);
/// Default of [`Settings::retry_for`]: a server that has crashed is back by then, and a person who waits has not given up.
pub const DEFAULT_RETRY_FOR: std::time::Duration = std::time::Duration::from_secs(600);
/// Default of [`Settings::memory_bytes`].
pub const DEFAULT_MEMORY_BYTES: u64 = 512 << 20;
/// Default of [`Settings::chunk_bytes`]: large enough that a transaction's overhead does not show, small enough that eight of them
/// keep both servers busy to the end of a table of a gigabyte.
pub const DEFAULT_CHUNK_BYTES: u64 = 64 << 20;
/// Default of [`Settings::ledger_schema`].
pub const DEFAULT_LEDGER_SCHEMA: &str = "dbferry";
/// Default of [`Settings::max_rejects`].
pub const DEFAULT_MAX_REJECTS: u64 = 10_000;
/// Most jobs that a run takes by itself.
pub const DEFAULT_JOBS_LIMIT: usize = 8;

impl Settings {
    /// A run with every default.
    pub fn new(source: Endpoint, target: Endpoint) -> Self {
        Settings {
            source,
            target,
            schema: None,
            include: Vec::new(),
            exclude: Vec::new(),
            jobs: None,
            stall_timeout: DEFAULT_STALL_TIMEOUT,
            retry_for: DEFAULT_RETRY_FOR,
            unlogged: false,
            analyze: true,
            memory_bytes: DEFAULT_MEMORY_BYTES,
            max_rate_bytes: None,
            pause: Pause::default(),
            chunk_bytes: DEFAULT_CHUNK_BYTES,
            probe: ProbeLevel::default(),
            toast_compression: None,
            verify: VerifyLevel::default(),
            verify_named: false,
            if_exists: IfExists::default(),
            loading: Loading::default(),
            on_table_error: OnTableError::default(),
            on_error: OnError::default(),
            on_moved_source: OnMovedSource::default(),
            max_rejects: DEFAULT_MAX_REJECTS,
            max_loss: None,
            scope: Scope::default(),
            owner: None,
            ledger_schema: DEFAULT_LEDGER_SCHEMA.into(),
            allow_empty: false,
            hide_keys: false,
            mapping: Mapping::default(),
        }
    }

    /// The jobs to use: as set, or the smaller of [`DEFAULT_JOBS_LIMIT`] and the cores.
    pub fn effective_jobs(&self) -> usize {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        self.jobs.unwrap_or_else(|| cores.min(DEFAULT_JOBS_LIMIT)).max(1)
    }
}
