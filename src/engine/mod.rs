//! Everything that differs per engine, and nothing else: the traits, and one folder per engine.
//!
//! Engines are a hub with spokes: each knows the logical types and Arrow, none knows another one, and no code exists for
//! a pair of them. A new engine is one folder with the same file names, one line in [`registry`], one line in the
//! conformance tests.
//!
//! The traits: [`Engine`] the way in; [`source`] what is read from, [`sink`] what is written to ([`standing`] what stands there already, [`take_out`] what is carried anew),
//! [`dialect`] types and SQL, [`profile`] aggregates that both databases compute, [`text_policy`] what becomes of hard text, [`filter`] which
//! tables are wanted, [`collision`] keys that two tables share, [`waiting`] what a server does for a run, [`budget`] the memory that all
//! rows share, [`gauge`] how hard a server has it, [`distance`] how far away it is, [`turn`] who of those opened ahead may read. [`row_set`] is SQL that engines with
//! subqueries share.

use std::sync::Arc;

use async_trait::async_trait;

use crate::config::endpoint::Endpoint;
use crate::error::Result;

pub mod budget;
pub mod collision;
pub mod dialect;
pub mod distance;
pub mod filter;
pub mod gauge;
pub mod mysql;
pub mod no_delay;
pub mod parquet;
pub mod postgres;
pub mod profile;
pub mod registry;
pub mod row_set;
pub(crate) mod short;
pub mod sink;
pub mod source;
pub mod sqlite;
pub mod standing;
pub mod take_out;
pub mod text_policy;
pub mod turn;
pub mod waiting;

pub use crate::model::EngineKind;
pub use budget::{Budget, Held};
pub use collision::{KeyOf, SharedKeys};
pub use dialect::{Clear, Ddl, DdlOptions, DdlPhase, Dialect, Fidelity, Folding, Quoted, SequenceStep};
pub use filter::TableFilter;
pub use gauge::{Gauge, Strain};
pub use profile::{Profile, ProfileColumn, ProfileKind};
pub use sink::{ChunkWriter, ReadBack, Sink};
pub use source::{Batch, BatchStream, Consistency, LogPosition, RawRows, Snapshot, Source};
pub use standing::{Asked, Inspection, SetAside, Standing, Trigger};
pub use take_out::{Extent, TakeOut, TakenOut};
pub use turn::{Turn, Turns};
pub use waiting::Waiting;

/// An engine: how to talk to it, and the way in and out.
#[async_trait]
pub trait Engine: Send + Sync {
    /// Which.
    fn kind(&self) -> EngineKind;

    /// Its types and its SQL.
    fn dialect(&self) -> &'static dyn Dialect;

    /// Connects for reading.
    ///
    /// # Errors
    /// `Unreachable`, `LoginRefused`, `UnknownDatabase`, or `Unsupported` for engines and versions that cannot be a source.
    async fn open_source(&self, at: &Endpoint, options: &SessionOptions) -> Result<Arc<dyn Source>>;

    /// Connects for writing. Creates nothing.
    ///
    /// # Errors
    /// As for [`Engine::open_source`].
    async fn open_sink(&self, at: &Endpoint, options: &SessionOptions) -> Result<Arc<dyn Sink>>;
}

/// What every session of a run shares.
#[derive(Debug, Clone)]
pub struct SessionOptions {
    /// The name that sessions show to the server: `dbferry/<run>`.
    pub application_name: String,
    /// How many chunks are carried at the same time: the most connections that carry data.
    pub jobs: usize,
    /// The schema of the ledger (`dbferry`), or, in engines without schemas, the folder of it.
    pub ledger_schema: String,
}
