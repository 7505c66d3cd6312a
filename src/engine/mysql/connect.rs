//! From an address to a session whose settings are pinned, and which server it is.
//!
//! The settings matter: a `sql_select_limit` cuts results short without a word, another time zone shifts each TIMESTAMP,
//! another character set puts `?` where a letter was, a time limit ends a long read midway.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use sqlx::mysql::{MySqlConnectOptions, MySqlSslMode};
use sqlx::{AssertSqlSafe, ConnectOptions, MySqlConnection, Row};

use super::error::{failed, not_connected};
use super::leftovers::{self, lock_name};
use super::wire::{self, Fault, Tls, TlsMode};
use crate::config::endpoint::{Endpoint, Secret};
use crate::config::login::{again_if_refused, credentials, is_local};
use crate::engine::SessionOptions;
use crate::error::{Error, ErrorKind, Result};
use crate::model::catalog::ServerInfo;

/// Longest wait for a connection and its settings.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);

/// Longest time that the end of lost readers is worth.
const FAREWELL_TIMEOUT: Duration = Duration::from_secs(5);

/// The server's own.
const DEFAULT_PORT: u16 = 3306;

/// Seconds that the server waits for us in the middle of a result or between two statements. A reader may idle for as long as the
/// largest table of the run takes.
const SERVER_WAIT_SECONDS: u32 = 7 * 24 * 3600;

/// The least `max_allowed_packet` of a session: the server's functions give NULL, without an error, for text that is longer. A VARCHAR or TEXT
/// of 64 KiB in another character set becomes at most four times as long.
pub(super) const LEAST_PACKET: u64 = 256 * 1024;

/// Prepared statements that a session keeps: the first, inner and last range of a few tables.
const STATEMENTS_KEPT: usize = 16;

/// The modes of our sessions. ALLOW_INVALID_DATES, and no NO_ZERO_DATE: bounds of keys may be such dates, and must be compared as
/// they are. No PAD_CHAR_TO_FULL_LENGTH, ANSI_QUOTES or PIPES_AS_CONCAT.
const SQL_MODE: &str = "ALLOW_INVALID_DATES,NO_ENGINE_SUBSTITUTION";

/// The parameters that a URL may have.
const PARAMETERS: &str = "`ssl-mode`, `ssl-ca`, `ssl-cert`, `ssl-key` and `socket`";

/// Opens sessions of one run on one server.
#[derive(Clone)]
pub(super) struct Connector {
    options: MySqlConnectOptions,
    /// The same for readers, which speak the protocol themselves: encryption, and a local socket instead of host and port.
    tls: Tls,
    socket: Option<String>,
    /// Asked for its password at each connect.
    at: Endpoint,
    /// The address without secrets, for messages.
    label: String,
    /// The database, or the patterns that choose several.
    database: String,
    /// `/* dbferry/<run> */ `: the protocol's own session names are not sent by the driver, so statements carry it. A run that goes on is
    /// known only when there are sessions already.
    mark: Arc<RwLock<String>>,
    /// Readers that were opened.
    readers: Arc<AtomicU32>,
}

impl Connector {
    /// # Errors
    /// `Config` for a parameter that is not known or whose value is none.
    pub(super) fn new(at: &Endpoint, session: &SessionOptions) -> Result<Self> {
        let bad = |what: String| Error::new(ErrorKind::Config, what);
        let mut options = MySqlConnectOptions::new()
            .host(&at.host)
            .port(at.port.unwrap_or(DEFAULT_PORT))
            .charset("utf8mb4")
            // Its own settings are switched off: ours come in one statement of their own.
            .pipes_as_concat(false)
            .no_engine_substitution(false)
            .timezone(None)
            .set_names(false)
            // Statements stay prepared: the driver leaves Nagle's algorithm on, and the packet that closes a statement, which the
            // server does not answer, holds up the next one by a delayed acknowledgement of 40 ms.
            .statement_cache_capacity(STATEMENTS_KEPT)
            .disable_statement_logging();
        let (mut tls, mut socket) = (Tls::default(), None);
        // Of several databases none is the session's own: every name carries its database, and one that does not is refused.
        if !at.has_several() {
            options = options.database(&at.database);
        }
        if !is_local(&at.host) && !at.params.contains_key("socket") {
            // A password in the clear is anybody's. Whoever wants that says so.
            options = options.ssl_mode(MySqlSslMode::VerifyIdentity);
            tls.mode = TlsMode::VerifyIdentity;
        }
        for (name, value) in &at.params {
            options = match name.to_ascii_lowercase().replace('_', "-").as_str() {
                "ssl-mode" | "sslmode" => {
                    let mode: MySqlSslMode = value.replace('-', "_").parse().map_err(|error: sqlx::Error| {
                        bad(format!("`{value}` is no `{name}`"))
                            .with_source(error)
                            .hint("Write disabled, preferred, required, verify-ca or verify-identity")
                    })?;
                    tls.mode = tls_mode(mode);
                    options.ssl_mode(mode)
                }
                "ssl-ca" => {
                    tls.ca = Some(value.clone());
                    options.ssl_ca(value)
                }
                "ssl-cert" => {
                    tls.cert = Some(value.clone());
                    options.ssl_client_cert(value)
                }
                "ssl-key" => {
                    tls.key = Some(value.clone());
                    options.ssl_client_key(value)
                }
                "socket" => {
                    socket = Some(value.clone());
                    options.socket(value)
                }
                _ => {
                    return Err(bad(format!("`{name}` is no parameter of a `mysql://` address"))
                        .hint(format!("The parameters are {PARAMETERS}")));
                }
            };
        }
        let mark = Arc::new(RwLock::new(mark_of(&session.application_name)));
        let database = if at.has_several() { at.databases.join(", ") } else { at.database.clone() };
        Ok(Connector { options, tls, socket, at: at.clone(), label: at.to_string(), database, mark, readers: Arc::default() })
    }

    /// The comment that statements begin with.
    pub(super) fn mark(&self) -> String {
        self.mark.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// From now on statements carry this name; those of readers that are open keep theirs.
    pub(super) fn rename(&self, name: &str) {
        *self.mark.write().unwrap_or_else(PoisonError::into_inner) = mark_of(name);
    }

    /// Ends the readers that were lost: their sessions may be there still, with their snapshots and locks. To be called when no reader of
    /// this connector is needed any more; nothing depends on whether it succeeds.
    pub(super) async fn end_lost_readers(&self) {
        let count = self.readers.load(Ordering::Relaxed);
        let ending = async {
            let (mut connection, _) = self.connect().await?;
            let told = leftovers::end_readers(&mut connection, &self.mark(), count).await?;
            let _ = sqlx::Connection::close(connection).await;
            Ok::<_, Error>(told)
        };
        match tokio::time::timeout(FAREWELL_TIMEOUT, ending).await {
            Ok(Ok(told)) => told.iter().for_each(|text| tracing::warn!("{text}")),
            Ok(Err(error)) => tracing::debug!(%error, "readers that were lost could not be ended"),
            Err(_) => tracing::debug!("readers that were lost could not be ended in time"),
        }
    }

    async fn login(&self) -> Result<MySqlConnection> {
        let login = credentials(&self.at).await?;
        let mut options = self.options.clone();
        if let Some(user) = &login.user {
            options = options.username(user);
        }
        if let Some(password) = login.password.as_ref().map(Secret::expose) {
            options = options.password(password);
        }
        options.connect().await.map_err(|error| not_connected(&self.label, error))
    }

    /// A session with our settings, and its server.
    pub(super) async fn connect(&self) -> Result<(MySqlConnection, ServerInfo)> {
        let opening = async {
            let mut connection = again_if_refused(&self.at, || self.login()).await?;
            crate::engine::no_delay::set_on_sockets_to(self.at.port.unwrap_or(3306));
            let server = detect(&mut connection, &self.database).await?;
            pin(&mut connection, &server).await?;
            Ok((connection, server))
        };
        self.in_time(opening).await
    }

    /// A session of ours with the same settings, for a reader of `server`.
    pub(super) async fn reader(&self, server: &ServerInfo) -> Result<wire::Session> {
        let opening = async {
            let mut session = again_if_refused(&self.at, || self.reader_login()).await?;
            let not_set = |error| failed("the session could not be set up", error);
            session.execute(&settings(server)).await.map_err(not_set)?;
            // With the name by which it is found should its client be lost; see `leftovers`.
            let name = lock_name(&self.mark(), self.readers.fetch_add(1, Ordering::Relaxed));
            let found = match session.query(&format!("{PINNED}, GET_LOCK('{name}', 0)")).await {
                // Clusters may know no such locks.
                Err(Fault::Refused { .. }) => session.query(PINNED).await,
                found => found,
            };
            let found = found.map_err(not_set)?;
            let found = found.into_iter().next().unwrap_or_default();
            check_pinned(|at| Ok(found.get(at).cloned().flatten().and_then(|bytes| String::from_utf8(bytes).ok())))?;
            Ok(session)
        };
        self.in_time(opening).await
    }

    async fn reader_login(&self) -> Result<wire::Session> {
        let login = credentials(&self.at).await?;
        let login = wire::Login {
            host: &self.at.host,
            port: self.at.port.unwrap_or(DEFAULT_PORT),
            socket: self.socket.as_deref(),
            tls: &self.tls,
            // The driver's own, where the address names nobody.
            user: login.user.as_deref().unwrap_or("root"),
            password: login.password.as_ref().map(Secret::expose).unwrap_or_default(),
            database: (!self.at.has_several()).then_some(self.at.database.as_str()),
        };
        wire::Session::open(&login).await.map_err(|error| not_connected(&self.label, error))
    }

    async fn in_time<T>(&self, opening: impl Future<Output = Result<T>>) -> Result<T> {
        tokio::time::timeout(CONNECT_TIMEOUT, opening).await.unwrap_or_else(|_| {
            let seconds = CONNECT_TIMEOUT.as_secs();
            Err(Error::new(ErrorKind::Unreachable, format!("{} did not answer within {seconds} seconds", self.label)))
        })
    }
}

/// The comment with a session's name, which nothing in it may end early.
fn mark_of(name: &str) -> String {
    let name: String = name.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '/' | '-' | '_' | '.')).collect();
    format!("/* {name} */ ")
}

/// The driver's mode as ours.
fn tls_mode(mode: MySqlSslMode) -> TlsMode {
    match mode {
        MySqlSslMode::Disabled => TlsMode::Disabled,
        MySqlSslMode::Preferred => TlsMode::Preferred,
        MySqlSslMode::Required => TlsMode::Required,
        MySqlSslMode::VerifyCa => TlsMode::VerifyCa,
        MySqlSslMode::VerifyIdentity => TlsMode::VerifyIdentity,
    }
}

/// Runs a statement that has no result.
pub(super) async fn execute(connection: &mut MySqlConnection, sql: impl Into<String>) -> Result<(), sqlx::Error> {
    sqlx::raw_sql(AssertSqlSafe(sql.into())).execute(connection).await.map(drop)
}

async fn detect(connection: &mut MySqlConnection, database: &str) -> Result<ServerInfo> {
    // As text, which is one way there and back; a statement that is prepared takes two.
    let row = sqlx::raw_sql("SELECT CONVERT(VERSION() USING utf8mb4), CONVERT(@@version_comment USING utf8mb4)")
        .fetch_one(connection)
        .await
        .map_err(|error| failed("the server's version could not be read", error))?;
    let text = |at: usize| row.try_get::<String, _>(at).map_err(|error| failed("the server's version could not be read", error));
    let version = text(0)?;
    let maria = version.contains("MariaDB") || text(1)?.to_ascii_lowercase().contains("mariadb");
    let server = ServerInfo {
        flavour: if maria { "MariaDB" } else { "MySQL" }.into(),
        version_number: parse_version(&version),
        version,
        database: database.into(),
        features: Vec::new(),
    };
    let oldest = if maria { (10, 2, 0) } else { (5, 7, 0) };
    if server.version_number < oldest {
        return Err(Error::new(ErrorKind::Unsupported, format!("{server} is too old to be a source"))
            .hint("MySQL 5.7 and MariaDB 10.2 are the oldest that are supported"));
    }
    Ok(server)
}

fn parse_version(text: &str) -> (u32, u32, u32) {
    // Behind some proxies MariaDB calls itself `5.5.5-10.6.12-MariaDB`.
    let text = text.strip_prefix("5.5.5-").unwrap_or(text);
    let mut numbers = text.split(|c: char| !c.is_ascii_digit()).map(|part| part.parse().unwrap_or(0));
    let mut next = || numbers.next().unwrap_or(0);
    (next(), next(), next())
}

/// True for a MariaDB server.
pub(super) fn is_maria(server: &ServerInfo) -> bool {
    server.flavour == "MariaDB"
}

/// The statement that pins a session's settings.
fn settings(server: &ServerInfo) -> String {
    let wait = SERVER_WAIT_SECONDS;
    let mut settings = vec![
        format!("sql_mode = '{SQL_MODE}'"),
        "time_zone = '+00:00'".into(),
        "sql_select_limit = DEFAULT".into(),
        "sql_big_selects = 1".into(),
        format!("net_read_timeout = {wait}"),
        format!("net_write_timeout = {wait}"),
        format!("wait_timeout = {wait}"),
        format!("interactive_timeout = {wait}"),
    ];
    if is_maria(server) {
        settings.push("max_statement_time = 0".into());
        // Warnings that matter are not to be lost among others. MySQL takes this from privileged users only.
        settings.push("max_error_count = 65535".into());
        if server.version_number >= (10, 3, 0) {
            settings.push("idle_transaction_timeout = 0".into());
            settings.push("idle_readonly_transaction_timeout = 0".into());
        }
        // MariaDB ends a recursive query after so many rounds without a word: a long chain of rows would lose its end.
        settings.push("max_recursive_iterations = 4294967295".into());
    } else {
        settings.push("max_execution_time = 0".into());
        if server.version_number >= (8, 0, 0) {
            settings.push("information_schema_stats_expiry = 0".into());
            settings.push("cte_max_recursion_depth = 4294967295".into());
        }
        if server.version_number >= (8, 0, 30) {
            // A generated primary key is a column like others, and chunks by it are cheap.
            settings.push("show_gipk_in_create_table_and_information_schema = ON".into());
        }
    }
    // MySQL 8 has dropped the old name, and MariaDB has got the new one with 11.1.
    let isolation = if is_maria(server) || server.version_number < (8, 0, 0) { "tx_isolation" } else { "transaction_isolation" };
    settings.push(format!("{isolation} = 'REPEATABLE-READ'"));
    let settings: Vec<String> = settings.into_iter().map(|setting| format!("SESSION {setting}")).collect();
    format!("SET NAMES utf8mb4, {}", settings.join(", "))
}

/// Asks for the settings of [`check_pinned`].
const PINNED: &str = "SELECT CAST(@@session.character_set_client AS CHAR), CAST(@@session.character_set_connection AS CHAR), \
                      CAST(@@session.character_set_results AS CHAR), CAST(@@session.time_zone AS CHAR), \
                      CAST(@@session.max_allowed_packet AS CHAR)";

/// Refuses a session whose settings are not ours: a proxy or an `init_connect` may have had the last word.
fn check_pinned(found: impl Fn(usize) -> Result<Option<String>>) -> Result<()> {
    for (at, (name, wanted)) in [
        ("character_set_client", "utf8mb4"),
        ("character_set_connection", "utf8mb4"),
        ("character_set_results", "utf8mb4"),
        ("time_zone", "+00:00"),
    ]
    .into_iter()
    .enumerate()
    {
        let value = found(at)?;
        if value.as_deref() != Some(wanted) {
            let value = value.unwrap_or_default();
            return Err(Error::new(ErrorKind::Unsupported, format!("the session's `{name}` stays `{value}`, not `{wanted}`"))
                .hint("Connect to the server itself instead of through a proxy"));
        }
    }
    let packet: u64 = found(4)?.and_then(|bytes| bytes.parse().ok()).unwrap_or_default();
    if packet < LEAST_PACKET {
        return Err(Error::new(
            ErrorKind::Unsupported,
            format!("the server's `max_allowed_packet` is {packet} bytes, and below {LEAST_PACKET} texts would be read as NULL"),
        )
        .hint("Raise it: SET GLOBAL max_allowed_packet = 67108864"));
    }
    Ok(())
}

async fn pin(connection: &mut MySqlConnection, server: &ServerInfo) -> Result<()> {
    let not_set = |error| failed("the session could not be set up", error);
    execute(connection, settings(server)).await.map_err(not_set)?;
    let found = sqlx::raw_sql(PINNED).fetch_one(connection).await.map_err(not_set)?;
    check_pinned(|at| found.try_get(at).map_err(not_set))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session() -> SessionOptions {
        SessionOptions { application_name: "dbferry/x */ DROP".into(), jobs: 1, ledger_schema: "dbferry".into() }
    }

    #[test]
    fn an_unknown_parameter_is_named() {
        let at = Endpoint::parse("mysql://me:secret@db/shop?ssl-mode=verify-ca&zone=x").unwrap();
        let error = Connector::new(&at, &session()).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.to_string().contains("`zone`"), "{error}");
        let at = Endpoint::parse("mysql://me:secret@db/shop?sslmode=maybe").unwrap();
        let error = Connector::new(&at, &session()).err().unwrap();
        assert!(error.to_string().contains("`maybe`") && !error.to_string().contains("secret"), "{error}");
    }

    #[test]
    fn the_session_name_cannot_end_its_comment() {
        let at = Endpoint::parse("mysql://db/shop").unwrap();
        assert_eq!(Connector::new(&at, &session()).unwrap().mark(), "/* dbferry/x/DROP */ ");
    }

    #[test]
    fn versions_are_told_apart() {
        assert_eq!(parse_version("10.11.14-MariaDB-0+deb12u2"), (10, 11, 14));
        assert_eq!(parse_version("5.5.5-10.6.1-MariaDB"), (10, 6, 1));
        assert_eq!(parse_version("9.7.4-2"), (9, 7, 4));
    }
}
