//! SQLite files, as a source.
//!
//! | File | Job |
//! |---|---|
//! | `connect` | opens a file, only ever for reading; the [`super::Source`] |
//! | `catalog`, `keys`, `create_table`, `default_value`, `rowid` | tables, columns, keys, and what has no place in the model |
//! | [`typemap`] | declared types to logical types: the table of them is there |
//! | `plan` | cuts a table by its rowids |
//! | `snapshot` | several readers that see one instant |
//! | `read`, `decode`, `decimal`, `temporal` | rows into Arrow; each value must fit its column or is refused with its rowid |
//! | `subset` | rows by a share of their keys, and along foreign keys |
//! | `profile` | aggregates, for verification |
//! | `collision` | keys that two tables share |
//! | `error` | what SQLite's errors mean |
//!
//! SQLite's calls block, so each reader is a connection of its own on a blocking thread, with a short channel of batches to
//! the async side. SQLite is no target yet.

use std::sync::Arc;

use async_trait::async_trait;

use super::{Dialect, Engine, EngineKind, SessionOptions, Sink, Source};
use crate::config::endpoint::Endpoint;
use crate::error::{Error, ErrorKind, Result};

mod catalog;
mod collision;
mod connect;
mod create_table;
mod decimal;
mod decode;
mod default_value;
mod error;
mod keys;
mod plan;
mod profile;
mod read;
mod rowid;
mod snapshot;
mod subset;
mod temporal;
pub mod typemap;

/// The engine.
pub struct SqliteEngine;

#[async_trait]
impl Engine for SqliteEngine {
    fn kind(&self) -> EngineKind {
        EngineKind::Sqlite
    }

    fn dialect(&self) -> &'static dyn Dialect {
        &typemap::SqliteDialect
    }

    async fn open_source(&self, at: &Endpoint, _options: &SessionOptions) -> Result<Arc<dyn Source>> {
        Ok(Arc::new(connect::SqliteSource::open(at).await?))
    }

    async fn open_sink(&self, at: &Endpoint, _options: &SessionOptions) -> Result<Arc<dyn Sink>> {
        Err(Error::new(ErrorKind::Unsupported, format!("{at} cannot be a target yet"))
            .hint("SQLite is read, not written; the targets are `postgres://…` and `parquet://…`"))
    }
}
