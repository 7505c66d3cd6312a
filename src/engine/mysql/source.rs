//! A connected source: one control session for catalog and planning, and the way to snapshots.

use std::sync::{Arc, PoisonError};

use async_trait::async_trait;
use sqlx::{Connection, MySqlConnection};
use tokio::sync::Mutex;

use super::connect::{Connector, execute};
use super::{MySqlSnapshot, catalog, collision, error, gauge, leftovers, plan, probe, profile, rights, waiting};
use crate::config::endpoint::Endpoint;
use crate::engine::{Gauge, KeyOf, SessionOptions, SharedKeys, Snapshot, Source, Strain, TableFilter, Waiting};
use crate::error::Result;
use crate::model::catalog::{Catalog, Problem, ServerInfo, Table};
use crate::model::chunk::ChunkPlan;
use crate::model::probe::{Answer, Question};
use crate::model::{Hook, RunId};

/// A MySQL or MariaDB server that is read from.
pub struct MySqlSource {
    connector: Connector,
    server: ServerInfo,
    /// Patterns of the databases, where there are several.
    databases: Vec<String>,
    /// Absent while it is used, and after an error or a dropped future left it in an unknown state.
    control: Mutex<Option<MySqlConnection>>,
    /// Sessions that have asked questions and may ask more, side by side.
    askers: std::sync::Mutex<Vec<MySqlConnection>>,
}

impl MySqlSource {
    /// Connects.
    ///
    /// # Errors
    /// As [`crate::engine::Engine::open_source`].
    pub async fn open(at: &Endpoint, options: &SessionOptions) -> Result<Self> {
        let connector = Connector::new(at, options)?;
        let (connection, server) = connector.connect().await?;
        Ok(MySqlSource {
            connector,
            server,
            databases: at.databases.clone(),
            control: Mutex::new(Some(connection)),
            askers: std::sync::Mutex::default(),
        })
    }

    /// [`Source::snapshot`], as its own type: with [`MySqlSnapshot::barrier`].
    ///
    /// # Errors
    /// As [`Source::snapshot`].
    pub async fn open_snapshot(&self, tables: &[Table], readers: usize) -> Result<MySqlSnapshot> {
        // Who has asked questions is not needed any more; the server has sessions for others.
        self.askers.lock().unwrap_or_else(PoisonError::into_inner).clear();
        MySqlSnapshot::open(&self.connector, &self.server, tables, readers, 0).await
    }

    async fn control(&self, slot: &mut Option<MySqlConnection>) -> Result<MySqlConnection> {
        if let Some(mut connection) = slot.take() {
            // The server may have been restarted since it was used last.
            if connection.ping().await.is_ok() {
                return Ok(connection);
            }
        }
        Ok(self.connector.connect().await?.0)
    }
}

#[async_trait]
impl Source for MySqlSource {
    fn server(&self) -> &ServerInfo {
        &self.server
    }

    async fn catalog(&self, filter: &TableFilter) -> Result<Catalog> {
        let mut slot = self.control.lock().await;
        let mut connection = self.control(&mut slot).await?;
        let catalog = if self.databases.is_empty() {
            catalog::read(&mut connection, &self.connector.mark(), &self.server, filter).await?
        } else {
            catalog::read_several(&mut connection, &self.connector.mark(), &self.server, &self.databases, filter).await?
        };
        *slot = Some(connection);
        Ok(catalog)
    }

    async fn missing_rights(&self, tables: &[Table]) -> Result<Vec<Problem>> {
        let mut slot = self.control.lock().await;
        let mut connection = self.control(&mut slot).await?;
        let missing = rights::missing(&mut connection, &self.connector.mark(), &self.server, tables).await?;
        *slot = Some(connection);
        Ok(missing)
    }

    async fn plan_chunks(&self, table: &Table, target_bytes: u64) -> Result<ChunkPlan> {
        let mut slot = self.control.lock().await;
        let mut connection = self.control(&mut slot).await?;
        let plan = plan::plan_chunks(&mut connection, &self.connector.mark(), table, target_bytes).await?;
        *slot = Some(connection);
        Ok(plan)
    }

    async fn any_row(&self, table: &Table) -> Result<bool> {
        let mut slot = self.control.lock().await;
        let mut connection = self.control(&mut slot).await?;
        let found = profile::any_row(&mut connection, &self.connector.mark(), table).await?;
        *slot = Some(connection);
        Ok(found)
    }

    async fn probe(&self, table: &Table, questions: &[Question], first_rows: Option<u64>) -> Result<Option<Vec<Answer>>> {
        let idle = self.askers.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut connection = match idle {
            Some(connection) => connection,
            None => self.connector.connect().await?.0,
        };
        let answers = probe::probe(&mut connection, &self.connector.mark(), table, questions, first_rows).await?;
        self.askers.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
        Ok(Some(answers))
    }

    async fn snapshot(&self, tables: &[Table], readers: usize) -> Result<Arc<dyn Snapshot>> {
        // They have asked all there was, and would count against the server's limit beside the readers.
        self.askers.lock().unwrap_or_else(PoisonError::into_inner).clear();
        let spares = if readers > 1 { 2 } else { 1 };
        Ok(Arc::new(MySqlSnapshot::open(&self.connector, &self.server, tables, readers, spares).await?))
    }

    async fn shared_keys(&self, keys: [KeyOf<'_>; 2]) -> Result<SharedKeys> {
        let mut slot = self.control.lock().await;
        let mut connection = self.control(&mut slot).await?;
        let shared = collision::shared_keys(&mut connection, &self.connector.mark(), keys).await?;
        *slot = Some(connection);
        Ok(shared)
    }

    async fn waiting(&self) -> Result<Vec<Waiting>> {
        let (mut connection, _) = self.connector.connect().await?;
        waiting::waiting(&mut connection, &self.connector.mark()).await
    }

    async fn take_over(&self, run: RunId) -> Result<Vec<String>> {
        self.connector.rename(&format!("dbferry/{run}"));
        let (mut connection, _) = self.connector.connect().await?;
        let told = leftovers::end(&mut connection, &self.connector.mark()).await?;
        // Everything is done: a server that does not hear the farewell notices the closed socket.
        let _ = connection.close().await;
        Ok(told)
    }

    async fn gauge(&self, asked: &[Strain]) -> Result<Box<dyn Gauge>> {
        let (connection, server) = self.connector.connect().await?;
        Ok(Box::new(gauge::MySqlGauge::new(connection, &server, &self.connector.mark(), asked)?))
    }

    async fn free_sessions(&self) -> Result<Option<u64>> {
        let mut slot = self.control.lock().await;
        let mut connection = self.control(&mut slot).await?;
        let free = gauge::free_sessions(&mut connection).await?;
        *slot = Some(connection);
        Ok(Some(free))
    }

    fn refuses_hooks(&self) -> Option<&'static str> {
        None
    }

    async fn run_hook(&self, hook: &Hook) -> Result<()> {
        let failed = |error| error::failed(format!("the hook `{}` failed in the source", hook.name), error);
        // What the hook sets in its session ends with it.
        let (mut connection, _) = self.connector.connect().await?;
        if hook.transaction {
            execute(&mut connection, "START TRANSACTION READ WRITE").await.map_err(failed)?;
        }
        // Closing the connection on an error takes the transaction back.
        execute(&mut connection, hook.sql.clone()).await.map_err(failed)?;
        if hook.transaction {
            execute(&mut connection, "COMMIT").await.map_err(failed)?;
        }
        // Everything is done: a server that does not hear the farewell notices the closed socket.
        let _ = connection.close().await;
        Ok(())
    }
}
