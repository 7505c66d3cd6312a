//! The shape of the config file: where from, where to, how hard to push.
//!
//! Shape, JSON schema and checks are one: [`crate::config::document`] walks a file against the schema of these structs.
//! Formats that the schema names beyond JSON's own: `database-url`, `byte-size` (with `x-least-bytes`), `glob`, `regex`, and `sql`
//! (taken as it is: no `${NAME}` in it).

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer};

use crate::config::endpoint::Endpoint;
use crate::config::limits::{self, MIN_CHUNK_BYTES, MIN_MEMORY_BYTES, MIN_RATE_BYTES};
use crate::config::{
    IfExists, OnError, OnMovedSource, OnTableError, Pause, ProbeLevel, TargetForeignKeys, TargetIndexes, TargetTables,
    TargetTriggers, ToastCompression, VerifyLevel,
};

/// A config file of dbferry. Strings may refer to the environment: `${NAME}`; `$${` is a plain `${`.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ConfigFile {
    /// Where from.
    #[serde(default)]
    pub source: SourceSection,
    /// Where to.
    #[serde(default)]
    pub target: TargetSection,
    /// What, how hard, and how it is checked.
    #[serde(default)]
    pub run: RunSection,
}

/// Where from.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SourceSection {
    /// Address of the source: `mysql://user:${PASSWORD}@host:3306/database`, `sqlite://file`.
    #[serde(default)]
    pub url: Option<Address>,
    /// A command whose first line of output is the password; called by `sh -c` at each connect, for tokens that live for minutes.
    #[serde(default)]
    #[schemars(length(min = 1))]
    pub password_command: Option<String>,
    /// A file whose first line is the password, from the folder of this file.
    #[serde(default)]
    #[schemars(length(min = 1))]
    pub password_file: Option<String>,
    /// Shell patterns of databases of a MySQL server whose address names none: all that fit are carried in one run, each into a schema of its
    /// own name. System databases never are.
    #[serde(default)]
    #[schemars(with = "Vec<Glob>")]
    pub databases: Vec<String>,
}

/// Where to.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TargetSection {
    /// Address of the target: `postgres://user:${PASSWORD}@host:5432/database`, `parquet://folder`.
    #[serde(default)]
    pub url: Option<Address>,
    /// A command whose first line of output is the password; called by `sh -c` at each connect, for tokens that live for minutes.
    #[serde(default)]
    #[schemars(length(min = 1))]
    pub password_command: Option<String>,
    /// A file whose first line is the password, from the folder of this file.
    #[serde(default)]
    #[schemars(length(min = 1))]
    pub password_file: Option<String>,
    /// The schema that tables go to unless the mapping says otherwise; created when it is missing. Default: the target's usual
    /// one, `public` in PostgreSQL; of several databases, the one of the database's name.
    #[serde(default)]
    #[schemars(length(min = 1))]
    pub schema: Option<String>,
}

/// What, how hard, and how it is checked.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RunSection {
    /// Path of the mapping file, from the folder of this file.
    #[serde(default)]
    #[schemars(length(min = 1))]
    pub mapping: Option<String>,
    /// Shell patterns of the tables to carry. Default: all. Of several databases a pattern with a point is one of `database.table`.
    #[serde(default)]
    #[schemars(with = "Vec<Glob>")]
    pub include: Vec<String>,
    /// Shell patterns of the tables to leave out, of those that `include` takes.
    #[serde(default)]
    #[schemars(with = "Vec<Glob>")]
    pub exclude: Vec<String>,
    /// Chunks at the same time. Default: the smaller of 8 and the cores.
    #[serde(default)]
    #[schemars(range(min = *limits::JOBS_RANGE.start(), max = *limits::JOBS_RANGE.end()))]
    pub jobs: Option<usize>,
    /// Upper bound for all data buffers together, the drivers' included, at least 64MiB; the process takes up to 128 MiB more. Default
    /// 512MiB.
    #[serde(default)]
    #[schemars(extend("x-least-bytes" = MIN_MEMORY_BYTES))]
    pub memory: Option<Size>,
    /// Most source data in a second, over all jobs, at least 64KiB: `50MiB`. Default: no bound.
    #[serde(default)]
    #[schemars(extend("x-least-bytes" = MIN_RATE_BYTES))]
    pub max_rate: Option<Size>,
    /// When the run waits for its servers. Default: never.
    #[serde(default)]
    pub pause: Pause,
    /// Source data that a chunk aims at, at least 1MiB. Default 64MiB.
    #[serde(default)]
    #[schemars(extend("x-least-bytes" = MIN_CHUNK_BYTES))]
    pub chunk: Option<Size>,
    /// Seconds that a run waits while nothing moves, and no server is busy for it, before it ends in a state that `--resume` continues; 0
    /// waits without end. Default 300.
    #[serde(default)]
    pub stall_timeout: Option<u32>,
    /// How long a chunk, or a statement, is tried again when what stopped it may pass by itself: a lost connection, a server that restarts,
    /// a deadlock, a lock or a connection that cannot be had. Counted from its first failure; `0` never tries again. Default 10min.
    #[serde(default)]
    pub retry_for: Option<Patience>,
    /// Make the tables without a log of their own, and give them one after the load: faster, but a crash of the target empties them, so
    /// such a run cannot be resumed before that. Default false.
    #[serde(default)]
    pub unlogged: bool,
    /// How much of the data is looked at before it moves. Default `full`.
    #[serde(default)]
    pub probe: Option<ProbeLevel>,
    /// What PostgreSQL compresses long values with, in tables that the run makes: `lz4`, which makes loading them two to three times as quick and
    /// the tables somewhat larger, `pglz`, or `default`, as the server is set. Default `lz4` where the server has it (version 14 and later).
    #[serde(default)]
    pub toast_compression: Option<ToastCompression>,
    /// What is compared at the end. Default `digest`.
    #[serde(default)]
    pub verify: Option<VerifyLevel>,
    /// Whether the run makes the target's tables, or each of them stands already. Default `create`.
    #[serde(default)]
    pub tables: Option<TargetTables>,
    /// What to do with a target table that exists. Default `error`; with `tables = "existing"` that refuses one with rows.
    #[serde(default)]
    pub if_exists: Option<IfExists>,
    /// Whether triggers of target tables that stand fire during the load. Default `off`.
    #[serde(default)]
    pub target_triggers: Option<TargetTriggers>,
    /// Whether foreign keys of target tables that stand are enforced during the load, or checked after it. Default `check_after`,
    /// or `keep` with `target_triggers = "on"`.
    #[serde(default)]
    pub target_foreign_keys: Option<TargetForeignKeys>,
    /// Whether secondary indexes of target tables that stand stay during the load, or are made again after it. Default `keep`.
    #[serde(default)]
    pub target_indexes: Option<TargetIndexes>,
    /// What to do with the other tables when one fails. Default `continue`.
    #[serde(default)]
    pub on_table_error: Option<OnTableError>,
    /// What to do with a row that cannot be carried: `stop`, its table fails, or `reject`, it is kept in the ledger. Default `stop`.
    #[serde(default)]
    pub on_error: Option<OnError>,
    /// What to do when a run goes on and the source has changed since it began, or nothing proves that it has not: `recheck`, what is there
    /// is compared with it and carried again where it differs, or `fail`. Default `recheck`.
    #[serde(default)]
    pub on_moved_source: Option<OnMovedSource>,
    /// Most rows of one table that are rejected before the table fails. Default 10000.
    #[serde(default)]
    pub max_rejects: Option<u64>,
    /// Most values that the mapping's policies may lose; when they lose more, the run fails at its end. Default: no bound.
    #[serde(default)]
    pub max_loss: Option<u64>,
    /// Whether statistics of the tables are made at the end (ANALYZE: one core for as long as it takes to sort 30,000 values of each column, per
    /// table). Without them the planner knows nothing of the tables until autovacuum comes by. Default true.
    #[serde(default)]
    pub analyze: Option<bool>,
    /// The role that is to own what is created. Default: the user who connects.
    #[serde(default)]
    #[schemars(length(min = 1))]
    pub owner: Option<String>,
    /// The schema, in the target, of the ledger. Default `dbferry`.
    #[serde(default)]
    #[schemars(length(min = 1))]
    pub ledger_schema: Option<String>,
    /// A filter that matches no table is a success. Default false.
    #[serde(default)]
    pub allow_empty: bool,
}

/// An address in a file. Its password is masked wherever it is printed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address(pub Endpoint);

impl<'de> Deserialize<'de> for Address {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Endpoint::parse(&text).map(Address).map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for Address {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Address".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "database-url" })
    }
}

/// A size in bytes, written with its unit: `64MiB`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size(pub u64);

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        limits::parse_size(&text).map(Size).map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for Size {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Size".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "byte-size" })
    }
}

/// A duration, written with its unit: `10min`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience(pub std::time::Duration);

impl<'de> Deserialize<'de> for Patience {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        limits::parse_duration(&text).map(Patience).map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for Patience {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Patience".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "duration" })
    }
}

/// The schema of a shell pattern; the value itself stays a text.
struct Glob;

impl JsonSchema for Glob {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Glob".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "glob" })
    }
}
