//! PostgreSQL 13 and later, as a target.

#[doc(hidden)]
pub mod catalog;
#[doc(hidden)]
pub mod check;
pub mod ddl;
mod type_text;
pub mod typemap;

use std::sync::Arc;

use async_trait::async_trait;

use super::{Dialect, Engine, EngineKind, SessionOptions, Sink, Source};
use crate::config::endpoint::Endpoint;
use crate::error::{Error, ErrorKind, Result};

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

    async fn open_sink(&self, at: &Endpoint, _options: &SessionOptions) -> Result<Arc<dyn Sink>> {
        Err(Error::new(ErrorKind::Unsupported, format!("{at} cannot be a target yet")))
    }
}
