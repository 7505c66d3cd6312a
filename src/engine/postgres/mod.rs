//! PostgreSQL 13 and later, as a target.
//!
//! A chunk arrives as one transaction: its receipt is claimed first, its rows follow as one binary COPY, the receipt is completed,
//! and both are committed together (`write`). What is sent is encoded straight from Arrow (`encode`), by the type that the target's
//! own catalog names (`target`), since a binary COPY rounds and pads in silence. What stands in the target is read again in one
//! exported snapshot (`read_back`, `decode`, `profile`). What tables that stand demand is asked beforehand (`standing`); rows that
//! are found by a key go by way of a temporary table (`upsert`).

use std::sync::Arc;

use async_trait::async_trait;

use super::{Dialect, Engine, EngineKind, SessionOptions, Sink, Source};
use crate::config::endpoint::Endpoint;
use crate::error::{Error, ErrorKind, Result};

#[doc(hidden)]
pub mod catalog;
#[doc(hidden)]
pub mod check;
mod connect;
pub mod ddl;
mod decode;
mod dependents;
#[doc(hidden)]
pub mod encode;
mod error;
pub mod expression;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
mod gauge;
mod hook;
mod instants;
mod lease;
mod leaves;
mod ledger;
mod losses;
mod lost;
mod messages;
mod pool;
mod pooler;
mod profile;
mod read_back;
mod receipt;
mod rejects;
mod rights;
mod schema;
mod sequences;
mod sink;
mod standing;
mod take_out;
mod target;
mod type_text;
pub mod typemap;
mod upsert;
mod waiting;
mod write;

/// The engine.
pub struct PostgresEngine;

#[async_trait]
impl Engine for PostgresEngine {
    fn kind(&self) -> EngineKind {
        EngineKind::Postgres
    }

    fn dialect(&self) -> &'static dyn Dialect {
        &typemap::PostgresDialect
    }

    async fn open_source(&self, at: &Endpoint, _options: &SessionOptions) -> Result<Arc<dyn Source>> {
        Err(Error::new(ErrorKind::Unsupported, format!("{at} cannot be a source yet")))
    }

    async fn open_sink(&self, at: &Endpoint, options: &SessionOptions) -> Result<Arc<dyn Sink>> {
        Ok(Arc::new(sink::PostgresSink::open(at, options).await?))
    }
}
