//! The engines there are. A new engine is one line here.

use super::{Engine, EngineKind};

/// The engine of that kind.
pub fn engine(kind: EngineKind) -> &'static dyn Engine {
    match kind {
        EngineKind::MySql => &super::mysql::MySqlEngine,
        EngineKind::Postgres => &super::postgres::PostgresEngine,
        EngineKind::Sqlite => &super::sqlite::SqliteEngine,
        EngineKind::Parquet => &super::parquet::ParquetEngine,
    }
}
