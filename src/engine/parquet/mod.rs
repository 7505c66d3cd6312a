//! Folders of Parquet files, as a target.
//!
//! [`connect`] the folder · [`names`] tables as folders · [`typemap`] types · [`ddl`] what is not kept · [`stored`] values in files ·
//! [`mod@write`] a part · [`part`] its receipt · `ledger` runs · [`sink`] the target · [`read_back`] reading again · [`profile`] aggregates ·
//! [`export`] a file that is no table's.

use std::sync::Arc;

use async_trait::async_trait;

use super::{Dialect, Engine, EngineKind, SessionOptions, Sink, Source};
use crate::config::endpoint::Endpoint;
use crate::error::{Error, ErrorKind, Result};

pub mod connect;
pub mod ddl;
pub mod error;
pub mod exact;
pub mod export;
pub mod lease;
mod ledger;
pub mod names;
pub mod part;
pub mod profile;
pub mod read_back;
pub mod sink;
pub mod stored;
pub mod typemap;
pub mod write;

/// The engine.
pub struct ParquetEngine;

#[async_trait]
impl Engine for ParquetEngine {
    fn kind(&self) -> EngineKind {
        EngineKind::Parquet
    }

    fn dialect(&self) -> &'static dyn Dialect {
        &typemap::ParquetDialect
    }

    async fn open_source(&self, at: &Endpoint, _options: &SessionOptions) -> Result<Arc<dyn Source>> {
        Err(Error::new(ErrorKind::Unsupported, format!("{at} cannot be a source yet")))
    }

    async fn open_sink(&self, at: &Endpoint, options: &SessionOptions) -> Result<Arc<dyn Sink>> {
        Ok(Arc::new(sink::ParquetSink::open(at, options).await?))
    }
}
