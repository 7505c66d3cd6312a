//! MySQL 5.7 to 9 and MariaDB 10.6 and later, as a source.

#[doc(hidden)]
pub mod catalog;
pub mod typemap;

use std::sync::Arc;

use async_trait::async_trait;

use super::{Dialect, Engine, EngineKind, SessionOptions, Sink, Source};
use crate::config::endpoint::Endpoint;
use crate::error::{Error, ErrorKind, Result};

/// The engine.
pub struct MySqlEngine;

#[async_trait]
impl Engine for MySqlEngine {
    fn kind(&self) -> EngineKind {
        EngineKind::MySql
    }

    fn dialect(&self) -> &'static dyn Dialect {
        unimplemented!()
    }

    async fn open_source(&self, at: &Endpoint, _options: &SessionOptions) -> Result<Arc<dyn Source>> {
        Err(Error::new(ErrorKind::Unsupported, format!("{at} cannot be a source yet")))
    }

    async fn open_sink(&self, at: &Endpoint, _options: &SessionOptions) -> Result<Arc<dyn Sink>> {
        Err(Error::new(ErrorKind::Unsupported, format!("{at} cannot be a target yet")))
    }
}
