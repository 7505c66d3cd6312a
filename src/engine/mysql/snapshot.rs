//! One instant for all readers.
//!
//! The readers connect first. Then a barrier session keeps writers out for the moment in which each reader opens its own snapshot,
//! and is closed again on every path; a lock is waited for a few seconds at most, since writers queue up behind a waiting one.
//! What could not be had is told, never pretended: [`Barrier`].

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use sqlx::{AssertSqlSafe, Connection, MySqlConnection, Row};

use super::connect::{Connector, execute, is_maria};
use super::error::failed;
use super::readers::Readers;
use super::select::quote_table;
use super::{profile, read};
use crate::engine::{BatchStream, Consistency, LogPosition, Profile, ProfileColumn, Snapshot};
use crate::error::{Error, ErrorKind, Result};
use crate::model::catalog::{ServerInfo, Table};
use crate::model::chunk::Chunk;
use crate::model::unit::ReadPlan;

/// Longest wait for a lock, in seconds. While we wait, writers wait behind us.
const LOCK_WAIT_SECONDS: u32 = 3;

/// Longest time that the barrier is held.
const BARRIER_TIMEOUT: Duration = Duration::from_secs(10);

/// Seconds after which the server frees the barrier of a client that fell silent.
const BARRIER_WAIT_SECONDS: u32 = 30;

/// How often snapshots are opened again until all have the same log position.
const POSITION_TRIES: usize = 10;

/// How often MariaDB is asked for the position of each snapshot, one session after the other. It keeps the answer to SHOW STATUS in a
/// variable that all sessions share for a moment: asked side by side, one session was told the position of another, and two instants
/// were taken for one. A session of somebody else may still ask in that moment; hardly so in each round.
const POSITION_READINGS: usize = 3;

/// MySQL shows the position of a transaction shortly before other sessions see its rows; after this pause they do.
const POSITION_SETTLES: Duration = Duration::from_millis(20);

/// How the readers came to one instant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Barrier {
    /// FLUSH TABLES WITH READ LOCK.
    GlobalLock,
    /// LOCK TABLES … READ of the tables to be carried.
    TableLocks,
    /// The position in the binary log was the same for all.
    SameLogPosition,
    /// There is only one reader.
    OneReader,
    /// They did not: each reader has an instant of its own. The text says why.
    None(String),
}

impl fmt::Display for Barrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Barrier::GlobalLock => f.write_str("a global read lock"),
            Barrier::TableLocks => f.write_str("read locks on the tables"),
            Barrier::SameLogPosition => f.write_str("equal positions in the binary log"),
            Barrier::OneReader => f.write_str("a single reader"),
            Barrier::None(why) => write!(f, "no common instant: {why}"),
        }
    }
}

/// Readers at one instant, or as near to it as the server allows.
pub struct MySqlSnapshot {
    readers: Arc<Readers>,
    read: Arc<read::Context>,
    barrier: Barrier,
    position: Option<LogPosition>,
}

impl MySqlSnapshot {
    pub(super) async fn open(connector: &Connector, server: &ServerInfo, tables: &[Table], readers: usize) -> Result<Self> {
        // Before the readers, which take what the server has to spare.
        let (holder, _) = connector.connect().await?;
        let mut sessions = connect_readers(connector, readers.max(1)).await?;
        let (barrier, position) = begin_all(holder, server, tables, &mut sessions).await?;
        if let Barrier::None(why) = &barrier {
            tracing::warn!(why, "the readers have no common instant");
        } else {
            tracing::info!(%barrier, ?position, readers = sessions.len(), "snapshot taken");
        }
        Ok(MySqlSnapshot {
            readers: Readers::new(sessions),
            read: Arc::new(read::Context::new(connector.mark(), server.clone(), tables)),
            barrier,
            position,
        })
    }

    /// How the readers came to one instant.
    pub fn barrier(&self) -> &Barrier {
        &self.barrier
    }

    /// How many readers are left.
    pub fn readers(&self) -> usize {
        self.readers.alive()
    }
}

#[async_trait]
impl Snapshot for MySqlSnapshot {
    fn consistency(&self, table: &Table) -> Consistency {
        match &self.barrier {
            // Such a table is one chunk, so one SELECT, whose table lock makes it one instant.
            _ if !table.transactional => Consistency::PerTable,
            Barrier::None(_) => Consistency::PerChunk,
            _ => Consistency::OneInstant,
        }
    }

    fn position(&self) -> Option<&LogPosition> {
        self.position.as_ref()
    }

    fn describe(&self) -> String {
        match &self.barrier {
            Barrier::None(why) => format!("the readers have no instant in common: {why}"),
            how => format!("{} readers share one instant, by {how}", self.readers()),
        }
    }

    async fn count(&self, table: &Table) -> Result<u64> {
        let mut lent = self.readers.lend().await?;
        let count = profile::count(lent.connection()?, self.read.mark(), table).await?;
        lent.give_back();
        Ok(count)
    }

    async fn profile(&self, table: &Table, columns: &[ProfileColumn]) -> Result<Profile> {
        let mut lent = self.readers.lend().await?;
        let profile = profile::profile(lent.connection()?, self.read.mark(), table, columns).await?;
        lent.give_back();
        Ok(profile)
    }

    fn read(&self, what: &ReadPlan, chunk: &Chunk) -> BatchStream {
        read::stream(Arc::clone(&self.readers), Arc::clone(&self.read), what.clone(), chunk.clone())
    }

    async fn close(&self) -> Result<()> {
        self.readers.close().await;
        Ok(())
    }
}

/// As many sessions as wanted; fewer, but at least one, when the server has no more to spare.
async fn connect_readers(connector: &Connector, readers: usize) -> Result<Vec<MySqlConnection>> {
    let mut sessions = Vec::with_capacity(readers);
    for result in futures::future::join_all((0..readers).map(|_| connector.connect())).await {
        match result {
            Ok((session, _)) => sessions.push(session),
            Err(error) if error.kind() == ErrorKind::TooManyConnections && readers > 1 => {
                tracing::warn!(%error, "fewer readers than asked for");
            }
            Err(error) => return Err(error),
        }
    }
    if sessions.is_empty() {
        return Err(Error::new(ErrorKind::TooManyConnections, "the source has no connection to spare for a reader"));
    }
    Ok(sessions)
}

/// Opens the snapshot of each session under the strongest barrier that can be had.
///
/// `holder` is a session of its own for the lock, dropped on each path out of here: the server frees its locks when its socket closes.
async fn begin_all(
    mut holder: MySqlConnection,
    server: &ServerInfo,
    tables: &[Table],
    sessions: &mut [MySqlConnection],
) -> Result<(Barrier, Option<LogPosition>)> {
    let mut whys = Vec::new();
    let list: Vec<String> = tables.iter().map(|table| format!("{} READ", quote_table(&table.name))).collect();
    let mut locks = vec![(Barrier::GlobalLock, "FLUSH TABLES WITH READ LOCK".to_string())];
    if !list.is_empty() {
        locks.push((Barrier::TableLocks, format!("LOCK TABLES {}", list.join(", "))));
    }
    execute(
        &mut holder,
        format!("SET SESSION lock_wait_timeout = {LOCK_WAIT_SECONDS}, SESSION wait_timeout = {BARRIER_WAIT_SECONDS}"),
    )
    .await
    .map_err(|error| failed("the session of the lock could not be set up", error))?;
    for (barrier, sql) in locks {
        match execute(&mut holder, sql).await {
            Ok(()) => {
                let position = tokio::time::timeout(BARRIER_TIMEOUT, async {
                    futures::future::try_join_all(sessions.iter_mut().map(begin)).await?;
                    log_position(&mut holder, server).await
                })
                .await;
                let released = execute(&mut holder, "UNLOCK TABLES").await;
                let position = position.unwrap_or_else(|_| {
                    let seconds = BARRIER_TIMEOUT.as_secs();
                    Err(Error::new(ErrorKind::Snapshot, format!("the readers did not open within {seconds} seconds of the lock")))
                })?;
                // The lock was ours until now only if the session is still alive.
                released.map_err(|error| {
                    Error::new(ErrorKind::Snapshot, "the session of the lock was lost while readers were opened")
                        .with_source(error)
                })?;
                // The lock is free already; whether the goodbye arrives does not matter.
                let _ = holder.close().await;
                return Ok((barrier, position));
            }
            Err(error) if super::error::number(&error).is_some() => whys.push(format!("{barrier}: {error}")),
            Err(error) => return Err(failed("the session of the lock was lost", error)),
        }
    }
    let (barrier, position) = begin_by_position(&mut holder, server, sessions, whys).await?;
    let _ = holder.close().await;
    Ok((barrier, position))
}

/// Without a lock: opens all snapshots again until they have the same log position.
async fn begin_by_position(
    control: &mut MySqlConnection,
    server: &ServerInfo,
    sessions: &mut [MySqlConnection],
    mut whys: Vec<String>,
) -> Result<(Barrier, Option<LogPosition>)> {
    let mut position = None;
    for _ in 0..POSITION_TRIES {
        if is_maria(server) {
            // MariaDB ties each such snapshot to the log and tells where.
            futures::future::try_join_all(sessions.iter_mut().map(begin)).await?;
            let mut positions = Vec::with_capacity(POSITION_READINGS * sessions.len());
            for _ in 0..POSITION_READINGS {
                for session in sessions.iter_mut() {
                    positions.push(snapshot_position(session).await?);
                }
            }
            position = positions.first().cloned().flatten();
            if position.is_some() && positions.iter().all(|other| *other == position) {
                return Ok((Barrier::SameLogPosition, position));
            }
        } else {
            position = log_position(control, server).await?;
            tokio::time::sleep(POSITION_SETTLES).await;
            futures::future::try_join_all(sessions.iter_mut().map(begin)).await?;
            tokio::time::sleep(POSITION_SETTLES).await;
            if position.is_some() && log_position(control, server).await? == position {
                return Ok((Barrier::SameLogPosition, position));
            }
        }
        if position.is_none() || sessions.len() == 1 {
            break;
        }
    }
    if sessions.len() == 1 {
        return Ok((Barrier::OneReader, None));
    }
    whys.push(match position {
        Some(_) => {
            format!("the source was written to during each of {POSITION_TRIES} tries to open all readers at one log position")
        }
        None => "the position in the binary log cannot be read".into(),
    });
    Ok((Barrier::None(whys.join("; ")), None))
}

/// Opens the snapshot of one session.
async fn begin(session: &mut MySqlConnection) -> Result<()> {
    let not_opened = |error| failed("a reader's snapshot could not be opened", error);
    // A second try finds the transaction of the first one.
    execute(session, "ROLLBACK").await.map_err(not_opened)?;
    execute(session, "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ").await.map_err(not_opened)?;
    execute(session, "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY").await.map_err(not_opened)?;
    // In another isolation level, or without an engine that can, the server ignores the clause with a mere warning.
    let warnings = sqlx::raw_sql("SHOW WARNINGS").fetch_all(session).await.map_err(not_opened)?;
    if let Some(warning) = warnings.first() {
        let text: String = warning.try_get(2).unwrap_or_default();
        return Err(Error::new(ErrorKind::Snapshot, format!("the server opened no consistent snapshot: {text}")));
    }
    Ok(())
}

/// Where the log stands now; none without a log or without the right to see it.
async fn log_position(session: &mut MySqlConnection, server: &ServerInfo) -> Result<Option<LogPosition>> {
    let renamed = !is_maria(server) && server.version_number >= (8, 2, 0);
    let show = if renamed { "SHOW BINARY LOG STATUS" } else { "SHOW MASTER STATUS" };
    let Some(row) = optional(sqlx::raw_sql(show).fetch_optional(&mut *session).await)?.flatten() else { return Ok(None) };
    let unreadable = |error| failed("the position in the binary log could not be read", error);
    let file: String = row.try_get("File").map_err(unreadable)?;
    // BIGINT, signed or not, depending on the server.
    let offset: u64 = row.try_get_unchecked("Position").map_err(unreadable)?;
    let gtid = if is_maria(server) { "SELECT @@gtid_current_pos" } else { "SELECT @@global.gtid_executed" };
    let gtid = optional(sqlx::query_scalar::<_, String>(gtid).fetch_optional(session).await)?.flatten();
    // MySQL breaks long sets into lines.
    Ok(Some(LogPosition { file, offset, gtid: gtid.unwrap_or_default().replace('\n', "") }))
}

/// MariaDB: where in the log this session's snapshot stands.
async fn snapshot_position(session: &mut MySqlConnection) -> Result<Option<LogPosition>> {
    let rows = sqlx::query(AssertSqlSafe("SHOW STATUS LIKE 'binlog_snapshot%'"))
        .fetch_all(session)
        .await
        .map_err(|error| failed("the log position of a snapshot could not be read", error))?;
    let mut position = LogPosition::default();
    for row in &rows {
        let (Ok(name), Ok(value)) = (row.try_get::<String, _>(0), row.try_get::<String, _>(1)) else { continue };
        match name.to_ascii_lowercase().as_str() {
            "binlog_snapshot_file" => position.file = value,
            "binlog_snapshot_position" => position.offset = value.parse().unwrap_or(0),
            _ => {}
        }
    }
    Ok((!position.file.is_empty()).then_some(position))
}

/// A refusal by the server is an answer: it cannot be had. A lost connection stays an error.
fn optional<T>(result: Result<T, sqlx::Error>) -> Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if super::error::number(&error).is_some() => Ok(None),
        Err(error) => Err(failed("the position in the binary log could not be read", error)),
    }
}
