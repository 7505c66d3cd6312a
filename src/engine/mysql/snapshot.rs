//! One instant for all readers.
//!
//! The readers connect first, a few spare ones among them for those that are lost on the way. Then a barrier session keeps writers out for
//! the moment in which each reader opens its own snapshot, and is closed again on every path. Writers queue up behind a lock that waits,
//! so it waits for the least that the server knows, a few times with a pause in between.
//!
//! MySQL is never asked for its global lock: behind a long SELECT it does not come, and once it has been given up every later statement on
//! that table still waits for that SELECT to end. MariaDB, whose lock waits for no SELECT, is.
//! What could not be had is told, never pretended: [`Barrier`].

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use sqlx::{Connection, MySqlConnection, Row};

use super::connect::{Connector, execute, is_maria};
use super::counts::Counts;
use super::error::failed;
use super::readers::Readers;
use super::select::quote_table;
use super::wire::Session;
use super::{position, profile, read};
use crate::engine::{BatchStream, Budget, Consistency, LogPosition, Profile, ProfileColumn, Snapshot};
use crate::error::{Error, ErrorKind, Result};
use crate::failpoint;
use crate::model::catalog::{ServerInfo, Table};
use crate::model::chunk::Chunk;
use crate::model::unit::ReadPlan;

/// Longest wait for a lock, in seconds. While we wait, writers wait behind us.
const LOCK_WAIT_SECONDS: u32 = 1;

/// How often a lock is asked for that does not come in time.
const LOCK_TRIES: u32 = 3;

/// The pause before it is asked for again: writers that have waited behind us go on.
const LOCK_PAUSE: Duration = Duration::from_millis(500);

/// The server's error for a lock that does not come in time.
const LOCK_TIMED_OUT: u16 = 1205;

/// Longest time that the barrier is held.
const BARRIER_TIMEOUT: Duration = Duration::from_secs(5);

/// Connections that the server must have left for others, beside a spare reader.
const LEFT_FOR_OTHERS: i64 = 10;

/// Seconds after which the server frees the barrier of a client that fell silent (a process that was put to sleep, a machine that is gone): a little
/// more than [`BARRIER_TIMEOUT`], in which a living one has nothing to say. Applications that write wait for as long.
const BARRIER_WAIT_SECONDS: u32 = 7;

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
    doubt: Option<String>,
    /// Readers that were opened.
    opened: usize,
    connector: Connector,
    counts: Counts,
}

impl MySqlSnapshot {
    /// Opens `readers`, and up to `spares` more that take the place of those that are lost.
    pub(super) async fn open(
        connector: &Connector,
        server: &ServerInfo,
        tables: &[Table],
        readers: usize,
        spares: usize,
    ) -> Result<Self> {
        let readers = readers.max(1);
        let (holder, sessions) = tokio::join!(connector.connect(), connect_readers(connector, server, readers));
        let mut sessions = sessions?;
        let mut holder = match holder {
            Ok((holder, _)) => holder,
            // The readers have taken all that the server has to spare.
            Err(error) if error.kind() == ErrorKind::TooManyConnections && sessions.len() > 1 => {
                if let Some(session) = sessions.pop() {
                    session.close().await;
                }
                connector.connect().await?.0
            }
            Err(error) => return Err(error),
        };
        add_spares(connector, server, &mut holder, &mut sessions, spares).await?;
        let (mut barrier, position) = begin_all(&mut holder, server, tables, &mut sessions).await?;
        if matches!(barrier, Barrier::None(_)) && readers == 1 {
            // One alone has one instant, whatever the others would have.
            sessions.truncate(1);
            barrier = Barrier::OneReader;
        }
        let doubt = position::doubt(&mut holder, server, position.is_some()).await?;
        // The lock is free already; whether the goodbye arrives does not matter.
        let _ = holder.close().await;
        if let Barrier::None(why) = &barrier {
            tracing::warn!(why, "the readers have no common instant");
        } else {
            tracing::info!(%barrier, ?position, readers = sessions.len(), "snapshot taken");
        }
        Ok(MySqlSnapshot {
            opened: sessions.len(),
            readers: Readers::new(sessions),
            read: Arc::new(read::Context::new(&connector.mark(), server.clone(), tables)),
            barrier,
            position,
            doubt,
            connector: connector.clone(),
            counts: Counts::default(),
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

    fn doubt(&self) -> Option<&str> {
        self.doubt.as_deref()
    }

    fn is_lost(&self) -> bool {
        self.readers() == 0
    }

    fn describe(&self) -> String {
        let lost = self.opened.saturating_sub(self.readers());
        let mut text = match &self.barrier {
            Barrier::None(why) => format!("the readers have no instant in common: {why}"),
            Barrier::SameLogPosition => format!(
                "{} readers share one instant: no lock could be had, and all of them were opened between two equal readings of the position in the binary log",
                self.opened
            ),
            Barrier::OneReader => "one reader, and so one instant".to_string(),
            how => format!("{} readers, spare ones among them, share one instant, by {how}", self.opened),
        };
        if lost > 0 {
            let went = if self.is_lost() { "no other one is left" } else { "others that hold the same instant went on" };
            text.push_str(&format!("; {lost} of them were lost on the way, and {went}"));
        }
        text
    }

    async fn count_ahead(&self, tables: &[&Table]) -> Result<()> {
        // A statement that is refused costs its reader, and the last one is needed.
        if self.readers() < 2 {
            return Ok(());
        }
        let mut lent = self.readers.lend().await?;
        self.counts.ahead(lent.connection()?, self.read.mark(), tables).await?;
        lent.give_back();
        Ok(())
    }

    async fn count(&self, table: &Table) -> Result<u64> {
        if let Some(count) = self.counts.take(table) {
            return Ok(count);
        }
        loop {
            let mut lent = self.readers.lend().await?;
            match profile::count(lent.connection()?, self.read.mark(), table).await {
                // That reader is gone now; the next one sees the same rows, until none is left.
                Err(error) if error.kind() == ErrorKind::ConnectionLost => tracing::warn!(%error, "a reader was lost"),
                Ok(count) => {
                    lent.give_back();
                    return Ok(count);
                }
                Err(error) => return Err(error),
            }
        }
    }

    async fn profile(&self, table: &Table, columns: &[ProfileColumn]) -> Result<Profile> {
        loop {
            let mut lent = self.readers.lend().await?;
            match profile::profile(lent.connection()?, self.read.mark(), table, columns).await {
                Err(error) if error.kind() == ErrorKind::ConnectionLost => tracing::warn!(%error, "a reader was lost"),
                Ok(profile) => {
                    lent.give_back();
                    return Ok(profile);
                }
                Err(error) => return Err(error),
            }
        }
    }

    fn read(&self, what: &ReadPlan, chunk: &Chunk) -> BatchStream {
        self.read_within(what, chunk, &Budget::boundless())
    }

    fn read_within(&self, what: &ReadPlan, chunk: &Chunk, budget: &Budget) -> BatchStream {
        read::stream(Arc::clone(&self.readers), Arc::clone(&self.read), what.clone(), chunk.clone(), budget)
    }

    fn reads_ahead(&self) -> bool {
        true
    }

    async fn close(&self) -> Result<()> {
        let lost = self.readers() < self.opened;
        // One that did nothing is lost without anybody noticing.
        let heard = self.readers.close().await;
        if lost || !heard {
            self.connector.end_lost_readers().await;
        }
        Ok(())
    }
}

/// As many sessions as wanted; fewer, but at least one, when the server has no more to spare.
async fn connect_readers(connector: &Connector, server: &ServerInfo, readers: usize) -> Result<Vec<Session>> {
    let mut sessions = Vec::with_capacity(readers);
    for result in futures::future::join_all((0..readers).map(|_| connector.reader(server))).await {
        match result {
            Ok(session) => sessions.push(session),
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

/// Adds spare readers, as many as the server has connections for. None is as good as one to begin with, so only a lost `holder` fails here.
async fn add_spares(
    connector: &Connector,
    server: &ServerInfo,
    holder: &mut MySqlConnection,
    sessions: &mut Vec<Session>,
    spares: usize,
) -> Result<()> {
    // Where a user has a limit of its own, nobody tells how much of it is used.
    let most = "SELECT CAST(IF(@@session.max_user_connections > 0, 0, @@global.max_connections) AS SIGNED)";
    let most = told(sqlx::raw_sql(most).fetch_one(&mut *holder).await)?;
    let most = most.and_then(|row| row.try_get::<i64, _>(0).ok()).unwrap_or_default();
    let used = told(sqlx::raw_sql("SHOW GLOBAL STATUS LIKE 'Threads_connected'").fetch_one(&mut *holder).await)?;
    let used = used.and_then(|row| row.try_get::<String, _>(1).ok()?.parse::<i64>().ok());
    let Some(used) = used else { return Ok(()) };
    let free = usize::try_from(most.saturating_sub(used.saturating_add(LEFT_FOR_OTHERS))).unwrap_or_default();
    for opened in futures::future::join_all((0..spares.min(free)).map(|_| connector.reader(server))).await {
        match opened {
            Ok(session) => sessions.push(session),
            Err(error) => tracing::warn!(%error, "no spare reader"),
        }
    }
    Ok(())
}

/// None where the server refuses to tell. After any other error the session is of no more use: half of an answer may be left in it, and the next
/// statement would take it for its own.
fn told<T>(answer: Result<T, sqlx::Error>) -> Result<Option<T>> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(error) if super::error::number(&error).is_some() => Ok(None),
        Err(error) => Err(failed("the session of the lock could not be set up", error)),
    }
}

/// Asks for a lock, again if it does not come in time.
async fn lock(holder: &mut MySqlConnection, sql: &str) -> Result<(), sqlx::Error> {
    let mut tries = 1;
    loop {
        match execute(holder, sql).await {
            Err(error) if super::error::number(&error) == Some(LOCK_TIMED_OUT) && tries < LOCK_TRIES => {
                tries += 1;
                tokio::time::sleep(LOCK_PAUSE).await;
            }
            result => return result,
        }
    }
}

/// Opens the snapshot of each session under the strongest barrier that can be had. On each error `holder` is to be dropped: the server frees
/// its locks when its socket closes.
async fn begin_all(
    holder: &mut MySqlConnection,
    server: &ServerInfo,
    tables: &[Table],
    sessions: &mut [Session],
) -> Result<(Barrier, Option<LogPosition>)> {
    let mut whys = Vec::new();
    let list: Vec<String> = tables.iter().map(|table| format!("{} READ", quote_table(&table.name))).collect();
    let mut locks = Vec::new();
    if is_maria(server) {
        locks.push((Barrier::GlobalLock, "FLUSH TABLES WITH READ LOCK".to_string()));
    }
    if !list.is_empty() {
        locks.push((Barrier::TableLocks, format!("LOCK TABLES {}", list.join(", "))));
    }
    execute(
        holder,
        format!("SET SESSION lock_wait_timeout = {LOCK_WAIT_SECONDS}, SESSION wait_timeout = {BARRIER_WAIT_SECONDS}"),
    )
    .await
    .map_err(|error| failed("the session of the lock could not be set up", error))?;
    for (barrier, sql) in locks {
        match lock(holder, &sql).await {
            Ok(()) => {
                failpoint::reached(failpoint::SNAPSHOT_LOCKED);
                // Side by side, since nobody writes meanwhile and writers wait.
                let position = tokio::time::timeout(BARRIER_TIMEOUT, async {
                    let readers = futures::future::try_join_all(sessions.iter_mut().map(begin));
                    let (_, position) = tokio::try_join!(readers, log_position(holder, server))?;
                    Ok(position)
                })
                .await;
                let released = execute(holder, "UNLOCK TABLES").await;
                let position = position.unwrap_or_else(|_| {
                    let seconds = BARRIER_TIMEOUT.as_secs();
                    Err(Error::new(ErrorKind::Snapshot, format!("the readers did not open within {seconds} seconds of the lock")))
                })?;
                // The lock was ours until now only if the session is still alive.
                released.map_err(|error| {
                    Error::new(ErrorKind::Snapshot, "the session of the lock was lost while readers were opened")
                        .with_source(error)
                })?;
                return Ok((barrier, position));
            }
            Err(error) if super::error::number(&error).is_some() => whys.push(format!("{barrier}: {error}")),
            Err(error) => return Err(failed("the session of the lock was lost", error)),
        }
    }
    begin_by_position(holder, server, sessions, whys).await
}

/// Without a lock: opens all snapshots again until they have the same log position.
async fn begin_by_position(
    control: &mut MySqlConnection,
    server: &ServerInfo,
    sessions: &mut [Session],
    mut whys: Vec<String>,
) -> Result<(Barrier, Option<LogPosition>)> {
    let mut position = None;
    for attempt in 0..POSITION_TRIES {
        if attempt > 0 {
            futures::future::try_join_all(sessions.iter_mut().map(end)).await?;
        }
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

/// Opens the snapshot of one session that is in no transaction: a writer that waits for the barrier waits for this.
async fn begin(session: &mut Session) -> Result<()> {
    let not_opened = |error| failed("a reader's snapshot could not be opened", error);
    session.execute("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY").await.map_err(not_opened)?;
    // In another isolation level, or without an engine that can, the server ignores the clause with a mere warning.
    if session.warnings() == 0 {
        return Ok(());
    }
    let warnings = session.query("SHOW WARNINGS").await.map_err(not_opened)?;
    let first = warnings.first().and_then(|warning| warning.get(2)).and_then(Option::as_deref).unwrap_or_default();
    let text = String::from_utf8_lossy(first);
    Err(Error::new(ErrorKind::Snapshot, format!("the server opened no consistent snapshot: {text}")))
}

/// Ends the snapshot of one session, for another one.
async fn end(session: &mut Session) -> Result<()> {
    session.execute("ROLLBACK").await.map_err(|error| failed("a reader's snapshot could not be given up", error))
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
    let gtid = optional(sqlx::raw_sql(gtid).fetch_optional(session).await)?.flatten();
    let gtid = gtid.map(|row| row.try_get::<Option<String>, _>(0).map_err(unreadable)).transpose()?.flatten();
    // MySQL breaks long sets into lines.
    Ok(Some(LogPosition { file, offset, gtid: gtid.unwrap_or_default().replace('\n', "") }))
}

/// MariaDB: where in the log this session's snapshot stands.
async fn snapshot_position(session: &mut Session) -> Result<Option<LogPosition>> {
    let rows = session
        .query("SHOW STATUS LIKE 'binlog_snapshot%'")
        .await
        .map_err(|error| failed("the log position of a snapshot could not be read", error))?;
    let mut position = LogPosition::default();
    for row in &rows {
        let [Some(name), Some(value)] = row.as_slice() else { continue };
        let (name, value) = (String::from_utf8_lossy(name), String::from_utf8_lossy(value));
        match name.to_ascii_lowercase().as_str() {
            "binlog_snapshot_file" => position.file = value.into_owned(),
            "binlog_snapshot_position" => position.offset = value.parse().unwrap_or(0),
            _ => {}
        }
    }
    Ok((!position.file.is_empty()).then_some(position))
}

/// A refusal by the server is an answer: it cannot be had. A lost connection stays an error.
pub(super) fn optional<T>(result: Result<T, sqlx::Error>) -> Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if super::error::number(&error).is_some() => Ok(None),
        Err(error) => Err(failed("the position in the binary log could not be read", error)),
    }
}
