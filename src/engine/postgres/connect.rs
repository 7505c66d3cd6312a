//! From an endpoint to a session that is pinned: nothing that a server, a role or a database has set changes what is carried.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgSslMode};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection, Row};

use super::lease::Fence;
use super::lost::SessionId;
use super::{error, pooler};
use crate::config::endpoint::{Endpoint, Secret};
use crate::config::login::{again_if_refused, credentials, is_local};
use crate::engine::SessionOptions;
use crate::error::{Error, ErrorKind, Result};
use crate::model::catalog::ServerInfo;

/// The oldest server that is supported.
const OLDEST_MAJOR: u32 = 13;

/// How long connecting may take, name resolution, TLS and login included, unless `connect_timeout` says otherwise.
const CONNECT_TIMEOUT_SECONDS: u64 = 15;

/// Extensions whose presence and schema decide what types there are.
const KNOWN_EXTENSIONS: [&str; 3] = ["postgis", "vector", "citext"];

/// Opens sessions of one endpoint that are all alike.
pub(super) struct Connector {
    options: PgConnectOptions,
    /// Asked for its password at each connect.
    at: Endpoint,
    timeout: Duration,
    /// The address without its password, for errors.
    place: String,
    /// The name that sessions are opened with.
    name: String,
    /// The run that they belong to, once it is held.
    fence: Mutex<Option<Fence>>,
}

impl Connector {
    /// Reads the endpoint. Opens nothing.
    ///
    /// # Errors
    /// `Config` for parameters that are unknown or wrong, all at once.
    pub(super) fn new(at: &Endpoint, session: &SessionOptions) -> Result<Self> {
        // Values are never logged: statements of the driver's own log hold none of ours, and slow ones are expected here.
        let mut options = PgConnectOptions::new_without_pgpass()
            .host(&at.host)
            .port(at.port.unwrap_or(5432))
            .database(&at.database)
            .application_name(&session.application_name)
            // Set with the other settings instead: poolers in session mode refuse a startup parameter that they do not know.
            .extra_float_digits(None)
            // No named statements, so that poolers between us and the server do not matter.
            .statement_cache_capacity(0)
            .disable_statement_logging();
        if !is_local(at.params.get("host").unwrap_or(&at.host)) {
            // A password in the clear is anybody's. Whoever wants that says so.
            options = options.ssl_mode(PgSslMode::VerifyFull);
        }
        let mut timeout = Duration::from_secs(CONNECT_TIMEOUT_SECONDS);
        let mut faults = Vec::new();
        for (name, value) in &at.params {
            match name.as_str() {
                "sslmode" => match value.parse::<PgSslMode>() {
                    Ok(mode) => options = options.ssl_mode(mode),
                    Err(_) => faults.push(
                        Error::new(ErrorKind::Config, format!("`sslmode={value}` is no mode of TLS"))
                            .hint("Write disable, allow, prefer, require, verify-ca or verify-full"),
                    ),
                },
                "sslrootcert" => options = options.ssl_root_cert(value),
                "sslcert" => options = options.ssl_client_cert(value),
                "sslkey" => options = options.ssl_client_key(value),
                // A folder of a socket (`/var/run/postgresql`), or a host.
                "host" => options = options.host(value),
                "connect_timeout" => match value.parse::<u64>() {
                    Ok(seconds) if (1..=3600).contains(&seconds) => timeout = Duration::from_secs(seconds),
                    _ => faults.push(Error::new(
                        ErrorKind::Config,
                        format!("`connect_timeout={value}` is no number of seconds from 1 to 3600"),
                    )),
                },
                // Sessions carry the name of the run instead: resume finds leftovers by it.
                "application_name" => {}
                other => {
                    faults
                        .push(Error::new(ErrorKind::Config, format!("`{other}` is no parameter of a postgres:// address")).hint(
                        "The parameters are sslmode, sslrootcert, sslcert, sslkey, host, connect_timeout and application_name",
                    ))
                }
            }
        }
        match Error::many(faults) {
            Some(error) => Err(error),
            None => Ok(Connector {
                options,
                at: at.clone(),
                timeout,
                place: at.to_string(),
                name: session.application_name.clone(),
                fence: Mutex::default(),
            }),
        }
    }

    pub(super) fn fence(&self) -> Option<Fence> {
        self.fence.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn set_fence(&self, fence: Option<Fence>) {
        *self.fence.lock().unwrap_or_else(PoisonError::into_inner) = fence;
    }

    /// True if sessions are opened with this name.
    pub(super) fn is_named(&self, name: &str) -> bool {
        self.fence().map_or_else(|| self.name == name, |fence| fence.session_name() == name)
    }

    async fn login(&self, fence: Option<&Fence>) -> Result<PgConnection> {
        let login = credentials(&self.at).await?;
        let mut options = self.options.clone();
        if let Some(user) = &login.user {
            options = options.username(user);
        }
        if let Some(password) = &login.password {
            options = options.password(Secret::expose(password));
        }
        if let Some(fence) = fence {
            options = options.application_name(&fence.session_name());
        }
        PgConnection::connect_with(&options).await.map_err(|error| error::map_connect(error, &self.place))
    }

    /// Opens a session and pins it.
    ///
    /// # Errors
    /// `Unreachable`, `LoginRefused`, `UnknownDatabase`, `TooManyConnections`; `Unsupported` for old servers and for databases
    /// that are not UTF-8; `Ledger` when the run that they belong to is another coordinator's by now.
    pub(super) async fn connect(&self) -> Result<(PgConnection, SessionId)> {
        let opened = tokio::time::timeout(self.timeout, async {
            let fence = self.fence();
            let mut connection = again_if_refused(&self.at, || self.login(fence.as_ref())).await?;
            crate::engine::no_delay::set_on_sockets_to(self.options.get_port());
            let id = self.pin(&mut connection, fence.as_ref()).await?;
            Ok((connection, id))
        });
        match opened.await {
            Ok(opened) => opened,
            Err(_) => Err(Error::new(
                ErrorKind::Unreachable,
                format!("no PostgreSQL server answered at {} within {} seconds", self.place, self.timeout.as_secs()),
            )),
        }
    }

    /// Sets the session's settings, and asks what it is.
    async fn pin(&self, connection: &mut PgConnection, fence: Option<&Fence>) -> Result<SessionId> {
        let failed = |error| match error::sqlstate(&error) {
            // A statement that this session has prepared is another one's, or a transaction is none: what poolers between do.
            Some("42P05" | "26000") => pooler::refused(&self.place),
            _ => error::map(error, format!("the session at {} could not be set up", self.place)),
        };
        // One message: each way there and back would cost a connection as much as its login.
        // A client that is gone without a word is noticed by the server within a minute, and its locks are free.
        // By way of pg_settings, since not every version knows every one (`idle_session_timeout` came with 14).
        let settings = "SELECT current_setting('server_version_num')::int4;
             SELECT count(pg_catalog.set_config(s.name, v.value, false)) FROM (VALUES
                ('search_path', ''), ('row_security', 'off'), ('statement_timeout', '0'), ('lock_timeout', '0'),
                ('idle_in_transaction_session_timeout', '0'), ('idle_session_timeout', '0'), ('transaction_timeout', '0'),
                ('TimeZone', 'UTC'), ('DateStyle', 'ISO, YMD'), ('IntervalStyle', 'postgres'), ('extra_float_digits', '3'),
                ('bytea_output', 'hex'), ('jit', 'off'), ('standard_conforming_strings', 'on'), ('client_min_messages', 'warning'),
                ('default_transaction_isolation', 'read committed'), ('default_transaction_deferrable', 'off'),
                ('tcp_keepalives_idle', '30'), ('tcp_keepalives_interval', '10'), ('tcp_keepalives_count', '3')
             ) AS v(name, value) JOIN pg_catalog.pg_settings AS s ON s.name = v.name;
             SELECT current_setting('server_encoding'), current_setting('client_encoding'), current_setting('TimeZone'),
                    current_setting('search_path'), current_setting('row_security'), current_setting('statement_timeout')";
        // Tables, marks and leases must outlive a crash; chunks say for themselves that theirs may be carried again.
        let durable = "SELECT count(pg_catalog.set_config('synchronous_commit', 'on', false))
             FROM (SELECT WHERE current_setting('synchronous_commit') = 'off') AS lax";
        let mut all = vec![settings.to_string(), durable.to_string(), SessionId::SQL.to_string()];
        all.extend(fence.map(Fence::sql));
        let rows = sqlx::raw_sql(AssertSqlSafe(all.join(";\n"))).fetch_all(&mut *connection).await.map_err(failed)?;
        let [version, _, row, _, id, held @ ..] = rows.as_slice() else {
            return Err(Error::internal(format!("the session at {} answered in another way than it was asked", self.place)));
        };
        let version: i32 = version.try_get(0).map_err(failed)?;
        let major = u32::try_from(version / 10_000).unwrap_or_default();
        if major < OLDEST_MAJOR {
            return Err(Error::new(
                ErrorKind::Unsupported,
                format!("{} is PostgreSQL {major}; dbferry needs {OLDEST_MAJOR} or later", self.place),
            ));
        }
        let setting = |index: usize| row.try_get::<String, _>(index).map_err(failed);
        let encoding = setting(0)?;
        if encoding != "UTF8" {
            return Err(Error::new(
                ErrorKind::Unsupported,
                format!("the database at {} has the encoding {encoding}, which cannot hold every character", self.place),
            )
            .hint("Create the target with `CREATE DATABASE ... ENCODING 'UTF8' TEMPLATE template0`"));
        }
        let is = [setting(1)?, setting(2)?, setting(3)?, setting(4)?, setting(5)?];
        if is != ["UTF8", "UTC", "", "off", "0"] && is != ["UTF8", "UTC", "\"\"", "off", "0"] {
            return Err(Error::new(
                ErrorKind::Unsupported,
                format!("the session at {} does not keep its settings ({})", self.place, is.join(", ")),
            )
            .hint("Connect to the server itself, and not through a pooler in transaction mode, which gives each transaction to another session"));
        }
        if let Some(fence) = fence {
            let Some(held) = held.first() else { return Err(Error::internal("a session was not asked for its lease")) };
            fence.judge(held)?;
        }
        SessionId::of(id).map_err(failed)
    }
}

/// Asks the server what it is.
pub(super) async fn server_info(connection: &mut PgConnection) -> Result<ServerInfo> {
    let failed = |error| error::map(error, "the server could not be asked for its version");
    // One message, whose answers are told apart by their columns: three, two, one. The versions of extensions are asked for only where they
    // count: the server reads all files of all extensions for them, 30 ms and more.
    let rows = sqlx::raw_sql(
        "SELECT current_setting('server_version'), current_setting('server_version_num')::int4, current_database()::text;
         SELECT e.extname::text, n.nspname::text FROM pg_catalog.pg_extension AS e
         JOIN pg_catalog.pg_namespace AS n ON n.oid = e.extnamespace ORDER BY 1;
         SELECT 'icu' FROM pg_catalog.pg_collation WHERE collname = 'und-x-icu' AND collnamespace = 'pg_catalog'::regnamespace
         UNION ALL
         SELECT 'toast:' || unnest(enumvals) FROM pg_catalog.pg_settings WHERE name = 'default_toast_compression'
         UNION ALL
         SELECT 'text_search:' || cfgname FROM pg_catalog.pg_ts_config WHERE cfgnamespace = 'pg_catalog'::regnamespace
         UNION ALL
         SELECT 'can_install:' || e.name FROM pg_catalog.pg_available_extensions AS e
         JOIN pg_catalog.pg_roles AS r ON r.rolname = current_user
         WHERE e.name = 'citext' AND e.installed_version IS NULL
           AND (r.rolsuper OR (pg_catalog.has_database_privilege(current_database(), 'CREATE') AND EXISTS (
             SELECT FROM pg_catalog.pg_available_extension_versions AS v
             WHERE v.name = e.name AND v.version = e.default_version AND v.trusted)))
         ORDER BY 1",
    )
    .fetch_all(&mut *connection)
    .await
    .map_err(failed)?;
    let (own, others): (Vec<_>, Vec<_>) = rows.into_iter().partition(|row| row.len() == 3);
    let (extensions, more): (Vec<_>, Vec<_>) = others.into_iter().partition(|row| row.len() == 2);
    let Some(row) = own.first() else { return Err(Error::internal("the server did not tell its version")) };
    let number: u32 = u32::try_from(row.try_get::<i32, _>(1).map_err(failed)?).unwrap_or_default();
    let mut features = Vec::new();
    for extension in extensions {
        let (name, schema): (String, String) = (extension.try_get(0).map_err(failed)?, extension.try_get(1).map_err(failed)?);
        if KNOWN_EXTENSIONS.contains(&name.as_str()) {
            // The search path is empty, so the schema is part of the type's name.
            features.push(format!("{name}_schema:{schema}"));
            features.push(name);
        }
    }
    if number >= 180_000 {
        features.extend(["not_enforced", "virtual_generated"].map(str::to_string));
    }
    for row in more {
        features.push(row.try_get(0).map_err(failed)?);
    }
    Ok(ServerInfo {
        flavour: "PostgreSQL".into(),
        version: row.try_get(0).map_err(failed)?,
        version_number: (number / 10_000, 0, number % 10_000),
        database: row.try_get(2).map_err(failed)?,
        features,
    })
}
