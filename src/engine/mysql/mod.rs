//! MySQL 5.7 to 9 and MariaDB 10.2 and later, as a source.
//!
//! `connect` a session with pinned settings; `source` the way in; `catalog` what the database holds;
//! `typemap` its types; `plan` chunks, `key` their bounds in SQL; `snapshot` one instant for all readers,
//! `readers` who hands them out, `position` whether the log proves that nothing was written; `leftovers` ends sessions of an earlier attempt; `read` one chunk as Arrow, `filter` conditions, `select` which expressions are asked for,
//! `expression` what checks and defaults mean, `decode` wire bytes into Arrow; `subset` rows by sample and by foreign keys; `profile` counts
//! and aggregates, `probe` questions about the data, `askers` the sessions that ask; `waiting` what the
//! server does for us; `wire` the protocol of the readers; `error` the server's errors as ours.

use std::sync::Arc;

use async_trait::async_trait;

use super::{Dialect, Engine, EngineKind, SessionOptions, Sink, Source};
use crate::config::endpoint::Endpoint;
use crate::error::{Error, ErrorKind, Result};

mod askers;
#[doc(hidden)]
mod batch;
pub mod catalog;
mod collision;
mod connect;
mod counts;
mod cut_short;
mod decode;
mod error;
mod expression;
mod filter;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
mod gauge;
mod key;
mod leftovers;
#[doc(hidden)]
pub mod offline;
mod plan;
mod pooler;
mod position;
mod probe;
mod profile;
mod read;
mod readers;
mod rights;
mod select;
mod snapshot;
mod source;
mod subset;
pub mod typemap;
mod waiting;
mod wire;

pub use snapshot::{Barrier, MySqlSnapshot};
pub use source::MySqlSource;
pub use typemap::MySqlDialect;

/// The engine.
pub struct MySqlEngine;

#[async_trait]
impl Engine for MySqlEngine {
    fn kind(&self) -> EngineKind {
        EngineKind::MySql
    }

    fn dialect(&self) -> &'static dyn Dialect {
        &MySqlDialect
    }

    async fn open_source(&self, at: &Endpoint, options: &SessionOptions) -> Result<Arc<dyn Source>> {
        Ok(Arc::new(MySqlSource::open(at, options).await?))
    }

    async fn open_sink(&self, at: &Endpoint, _options: &SessionOptions) -> Result<Arc<dyn Sink>> {
        Err(Error::new(ErrorKind::Unsupported, format!("{at} cannot be a target yet"))
            .hint("MySQL and MariaDB are sources; the targets are PostgreSQL and Parquet"))
    }
}
