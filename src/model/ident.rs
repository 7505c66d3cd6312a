//! Names: of engines, of tables, and of runs.

use std::fmt;

use serde::{Deserialize, Serialize};

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

/// The name of a table: schema (a database in MySQL, empty in SQLite and Parquet) and name, exactly as the engine has them.
///
/// Display is for people (`shop.orders`); the way into SQL text is [`crate::engine::Dialect::quote`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ObjectName {
    /// Schema, or empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub schema: String,
    /// Name within the schema.
    pub name: String,
}

impl ObjectName {
    /// The name `schema.name`.
    pub fn new(schema: impl Into<String>, name: impl Into<String>) -> Self {
        ObjectName { schema: schema.into(), name: name.into() }
    }
}

impl fmt::Display for ObjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.schema.is_empty() { f.write_str(&self.name) } else { write!(f, "{}.{}", self.schema, self.name) }
    }
}

/// The identity of one run: a UUID of version 7, so that runs sort by their start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RunId(pub uuid::Uuid);

impl RunId {
    /// A new identity, now.
    pub fn generate() -> Self {
        RunId(uuid::Uuid::now_v7())
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.simple().fmt(f)
    }
}

impl std::str::FromStr for RunId {
    type Err = uuid::Error;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        uuid::Uuid::parse_str(text).map(RunId)
    }
}
