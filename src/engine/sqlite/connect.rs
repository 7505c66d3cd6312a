//! Opens a SQLite file, only ever for reading.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use rusqlite::{Connection, OpenFlags};

use super::error::{doing, from_sqlite, task_died};
use crate::config::endpoint::Endpoint;
use crate::engine::{KeyOf, SharedKeys, Snapshot, Source, TableFilter};
use crate::error::{Error, ErrorKind, Result};
use crate::model::catalog::{Catalog, ServerInfo, Table};
use crate::model::chunk::ChunkPlan;

/// How long a statement waits for another process's lock.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// A connection to the file at `path`. It can read, and nothing else.
///
/// # Errors
/// `UnknownDatabase` when there is no file, `Unsupported` when it is no database, else what SQLite says.
pub(super) fn connect(path: &str) -> Result<Connection> {
    let failed = |error| from_sqlite(error, format!("the SQLite file `{path}` cannot be opened"));
    match std::fs::metadata(path) {
        Ok(about) if about.is_dir() => {
            return Err(Error::new(ErrorKind::Unsupported, format!("`{path}` is a folder, not a SQLite file")));
        }
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(Error::new(ErrorKind::UnknownDatabase, format!("there is no file `{path}`")).hint(
                "Check the path; `sqlite://shop.db` is relative to the working directory, `sqlite:///srv/shop.db` is absolute",
            ));
        }
        Err(error) => return Err(Error::from(error).file(path)),
    }
    // No URI flag: a `?` or `%` in a path is a character like any other.
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(Path::new(path), flags).map_err(failed)?;
    connection.busy_timeout(BUSY_TIMEOUT).map_err(failed)?;
    // The schema of a file from elsewhere may call functions; only harmless ones may run.
    connection
        .execute_batch("PRAGMA query_only = ON; PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON")
        .map_err(failed)?;
    super::subset::register(&connection).map_err(failed)?;
    Ok(connection)
}

/// What the file tells of itself. The first real read, so this is where a file that is no database is found out.
fn server_info(connection: &Connection, path: &str) -> Result<ServerInfo> {
    let failed = |error| from_sqlite(error, format!("`{path}` cannot be read as a SQLite file"));
    connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get::<_, i64>(0)).map_err(failed)?;
    let encoding: String = connection.query_row("PRAGMA encoding", [], |row| row.get(0)).map_err(failed)?;
    if encoding != "UTF-8" {
        // SQLite turns UTF-16 into UTF-8 without a word about broken surrogate pairs.
        return Err(Error::new(ErrorKind::Unsupported, format!("`{path}` keeps its text as {encoding}, which is not read"))
            .hint("Copy it into a UTF-8 file first: `sqlite3 old.db .dump | sqlite3 new.db`"));
    }
    let version = rusqlite::version().to_string();
    let mut numbers = version.split('.').map(|part| part.parse().unwrap_or(0));
    let mut next = || numbers.next().unwrap_or(0);
    let version_number = (next(), next(), next());
    Ok(ServerInfo { flavour: "SQLite".into(), version, version_number, database: path.to_string(), features: Vec::new() })
}

/// Runs `work` with a connection of its own, inside one read transaction, on a blocking thread.
pub(super) async fn with_connection<T: Send + 'static>(
    path: Arc<str>,
    work: impl FnOnce(&Connection) -> Result<T> + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(move || {
        let connection = connect(&path)?;
        connection.execute_batch("BEGIN").map_err(doing("the SQLite file cannot be read"))?;
        work(&connection)
    })
    .await
    .map_err(task_died)?
}

/// A SQLite file as a source. Holds no connection between calls.
pub(super) struct SqliteSource {
    path: Arc<str>,
    server: ServerInfo,
}

impl SqliteSource {
    /// Opens the file once, to see that it can be read.
    pub(super) async fn open(at: &Endpoint) -> Result<Self> {
        let path: Arc<str> = at.database.as_str().into();
        let server = with_connection(path.clone(), {
            let path = path.clone();
            move |connection| server_info(connection, &path)
        })
        .await?;
        Ok(SqliteSource { path, server })
    }
}

#[async_trait]
impl Source for SqliteSource {
    fn server(&self) -> &ServerInfo {
        &self.server
    }

    async fn catalog(&self, filter: &TableFilter) -> Result<Catalog> {
        let (server, filter) = (self.server.clone(), filter.clone());
        with_connection(self.path.clone(), move |connection| super::catalog::read(connection, server, &filter)).await
    }

    async fn plan_chunks(&self, table: &Table, target_bytes: u64) -> Result<ChunkPlan> {
        let table = table.clone();
        with_connection(self.path.clone(), move |connection| super::plan::plan_chunks(connection, &table, target_bytes)).await
    }

    async fn shared_keys(&self, [one, two]: [KeyOf<'_>; 2]) -> Result<SharedKeys> {
        let owned = |key: KeyOf<'_>| (key.table.clone(), key.columns.iter().map(ToString::to_string).collect::<Vec<_>>());
        let (one, two) = (owned(one), owned(two));
        with_connection(self.path.clone(), move |connection| {
            let [left, right] = [&one, &two].map(|(_, columns)| columns.iter().map(String::as_str).collect::<Vec<_>>());
            let keys = [KeyOf { table: &one.0, columns: &left }, KeyOf { table: &two.0, columns: &right }];
            super::collision::shared_keys(connection, keys)
        })
        .await
    }

    async fn any_row(&self, table: &Table) -> Result<bool> {
        let table = table.clone();
        with_connection(self.path.clone(), move |connection| {
            let failed = |error| from_sqlite(error, "the table could not be asked for a row").table(&table.name);
            let sql = format!("SELECT EXISTS (SELECT 1 FROM {})", super::plan::filtered(&table));
            connection.query_row(&sql, [], |row| row.get(0)).map_err(failed)
        })
        .await
    }

    async fn snapshot(&self, _tables: &[Table], readers: usize) -> Result<Arc<dyn Snapshot>> {
        Ok(Arc::new(super::snapshot::SqliteSnapshot::open(self.path.clone(), readers).await?))
    }
}
