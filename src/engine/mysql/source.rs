//! A connected source: one control session for catalog and planning, and the way to snapshots.

use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use sqlx::{Connection, MySqlConnection};
use tokio::sync::Mutex;
use tokio::task::JoinHandle;

use super::askers::Askers;
use super::connect::{Connector, execute};
use super::{MySqlSnapshot, catalog, collision, error, gauge, leftovers, plan, pooler, probe, profile, rights, waiting};
use crate::config::endpoint::Endpoint;
use crate::engine::{Gauge, KeyOf, SessionOptions, SharedKeys, Snapshot, Source, Strain, TableFilter, Waiting, distance};
use crate::error::{Error, Result};
use crate::model::catalog::{Catalog, Problem, ServerInfo, Table};
use crate::model::chunk::ChunkPlan;
use crate::model::probe::{Answer, Asked};
use crate::model::{Hook, RunId};

/// How long a session that has answered is sure to be there: long enough for questions one after the other, where each ping would be one more
/// way there and back.
const SURE_OF: Duration = Duration::from_secs(1);

/// A MySQL or MariaDB server that is read from.
pub struct MySqlSource {
    connector: Connector,
    server: ServerInfo,
    /// Patterns of the databases, where there are several.
    databases: Vec<String>,
    /// Absent while it is used, and after an error or a dropped future left it in an unknown state; with when it answered last.
    control: Mutex<Option<(MySqlConnection, Instant)>>,
    round_trip: Duration,
    /// Those of the catalog's last reading.
    questions: std::sync::Mutex<catalog::Questions>,
    /// Sessions that have asked questions and may ask more, side by side.
    askers: Askers,
    /// How many of them there are at most.
    jobs: usize,
    /// Finds out whether a proxy spreads statements, beside what is done first; gone once its word was heard.
    tried: std::sync::Mutex<Option<JoinHandle<Result<Vec<MySqlConnection>>>>>,
}

impl MySqlSource {
    /// Connects.
    ///
    /// # Errors
    /// As [`crate::engine::Engine::open_source`].
    pub async fn open(at: &Endpoint, options: &SessionOptions) -> Result<Self> {
        let connector = Connector::new(at, options)?;
        let (mut connection, server) = connector.connect().await?;
        let round_trip = round_trip(&mut connection).await?;
        let tried = std::sync::Mutex::new(Some(tokio::spawn(pooler::refuse(connector.clone(), at.to_string()))));
        Ok(MySqlSource {
            tried,
            connector,
            server,
            databases: at.databases.clone(),
            control: Mutex::new(Some((connection, Instant::now()))),
            round_trip,
            questions: std::sync::Mutex::default(),
            askers: Askers::default(),
            jobs: options.jobs.max(1),
        })
    }

    /// [`Source::snapshot`], as its own type: with [`MySqlSnapshot::barrier`].
    ///
    /// # Errors
    /// As [`Source::snapshot`].
    pub async fn open_snapshot(&self, tables: &[Table], readers: usize) -> Result<MySqlSnapshot> {
        // Who has asked questions is not needed any more; the server has sessions for others.
        self.askers.end();
        MySqlSnapshot::open(&self.connector, &self.server, tables, readers, 0).await
    }

    fn prober(&self, first_rows: Option<u64>) -> probe::Prober<'_> {
        let Self { connector, server, askers, .. } = self;
        probe::Prober { connector, mark: connector.mark(), server, askers, jobs: self.jobs, first_rows, plain: false }
    }

    /// As [`Source::probe`], by the exact conditions alone, each asked of each row: what tests compare its answers with.
    ///
    /// # Errors
    /// As [`Source::probe`].
    #[doc(hidden)]
    pub async fn probe_plainly(&self, asked: &[Asked<'_>]) -> Result<Vec<Vec<Answer>>> {
        probe::Prober { plain: true, ..self.prober(None) }.probe(asked).await
    }

    /// Refuses a proxy that spreads statements, once; the sessions that tried it may ask other questions.
    async fn heard(&self) -> Result<()> {
        let tried = self.tried.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(tried) = tried else { return Ok(()) };
        let sessions =
            tried.await.map_err(|error| Error::internal("a question to the source did not end").with_source(error))??;
        self.askers.add(sessions);
        Ok(())
    }

    async fn control(&self, slot: &mut Option<(MySqlConnection, Instant)>) -> Result<MySqlConnection> {
        if let Some((mut connection, answered)) = slot.take() {
            // The server may have been restarted since it was used last.
            if answered.elapsed() < SURE_OF || connection.ping().await.is_ok() {
                return Ok(connection);
            }
        }
        Ok(self.connector.connect().await?.0)
    }
}

/// How long a question and its answer take.
async fn round_trip(connection: &mut MySqlConnection) -> Result<Duration> {
    let began = async |connection: &mut MySqlConnection| {
        let began = Instant::now();
        connection.ping().await.map(|()| began.elapsed()).map_err(|error| error::failed("the server does not answer", error))
    };
    let first = began(connection).await?;
    // One that seems far is asked again.
    if distance::is_far(first) { Ok(first.min(began(connection).await?)) } else { Ok(first) }
}

#[async_trait]
impl Source for MySqlSource {
    fn server(&self) -> &ServerInfo {
        &self.server
    }

    async fn catalog(&self, filter: &TableFilter) -> Result<Catalog> {
        let mut slot = self.control.lock().await;
        let mut connection = self.control(&mut slot).await?;
        let mut questions = std::mem::take(&mut *self.questions.lock().unwrap_or_else(PoisonError::into_inner));
        let catalog = if self.databases.is_empty() {
            catalog::read(&mut connection, &self.connector.mark(), &self.server, filter, &mut questions).await?
        } else {
            catalog::read_several(&mut connection, &self.connector.mark(), &self.server, &self.databases, filter, &mut questions)
                .await?
        };
        *self.questions.lock().unwrap_or_else(PoisonError::into_inner) = questions;
        *slot = Some((connection, Instant::now()));
        Ok(catalog)
    }

    async fn missing_rights(&self, tables: &[Table]) -> Result<Vec<Problem>> {
        self.heard().await?;
        let mut slot = self.control.lock().await;
        let mut connection = self.control(&mut slot).await?;
        let missing = rights::missing(&mut connection, &self.connector.mark(), &self.server, tables).await?;
        *slot = Some((connection, Instant::now()));
        Ok(missing)
    }

    async fn plan_chunks(&self, table: &Table, target_bytes: u64) -> Result<ChunkPlan> {
        let mut slot = self.control.lock().await;
        let mut connection = self.control(&mut slot).await?;
        let plan = plan::plan_chunks(&mut connection, &self.connector.mark(), table, target_bytes).await?;
        *slot = Some((connection, Instant::now()));
        Ok(plan)
    }

    async fn any_row(&self, table: &Table) -> Result<bool> {
        let mut slot = self.control.lock().await;
        let mut connection = self.control(&mut slot).await?;
        let found = profile::any_row(&mut connection, &self.connector.mark(), table).await?;
        *slot = Some((connection, Instant::now()));
        Ok(found)
    }

    async fn probe(&self, asked: &[Asked<'_>], first_rows: Option<u64>) -> Result<Option<Vec<Vec<Answer>>>> {
        self.prober(first_rows).probe(asked).await.map(Some)
    }

    async fn snapshot(&self, tables: &[Table], readers: usize) -> Result<Arc<dyn Snapshot>> {
        self.heard().await?;
        // They have asked all there was, and would count against the server's limit beside the readers.
        self.askers.end();
        let spares = if readers > 1 { 2 } else { 1 };
        Ok(Arc::new(MySqlSnapshot::open(&self.connector, &self.server, tables, readers, spares).await?))
    }

    async fn shared_keys(&self, keys: [KeyOf<'_>; 2]) -> Result<SharedKeys> {
        let mut slot = self.control.lock().await;
        let mut connection = self.control(&mut slot).await?;
        let shared = collision::shared_keys(&mut connection, &self.connector.mark(), keys).await?;
        *slot = Some((connection, Instant::now()));
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

    fn round_trip(&self) -> Duration {
        self.round_trip
    }

    async fn free_sessions(&self) -> Result<Option<u64>> {
        self.heard().await?;
        let mut slot = self.control.lock().await;
        let mut connection = self.control(&mut slot).await?;
        let free = gauge::free_sessions(&mut connection).await?;
        *slot = Some((connection, Instant::now()));
        // Those that ask questions go before readers come.
        Ok(Some(free.saturating_add(self.askers.idle_count())))
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
