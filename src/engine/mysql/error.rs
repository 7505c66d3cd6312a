//! The server's and the driver's errors, and those of our own sessions, as ours: a kind by the error's number, the other error kept as
//! the source.
//!
//! Numbers are those of the MySQL and MariaDB error lists; the two agree on all that are named here, or use different ones.

use sqlx::mysql::MySqlDatabaseError;

use super::wire::Fault;
use crate::error::{Error, ErrorKind};

/// Where an error that is not the server's comes from.
pub(super) enum Origin {
    Network,
    Tls,
    Address,
    Other,
}

/// An error of the driver, or of a session of ours.
pub(super) trait Told: std::error::Error + Send + Sync + 'static {
    /// The number of the server's error; none for all others.
    fn number(&self) -> Option<u16>;

    /// Where it comes from, if it is not the server's.
    fn origin(&self) -> Origin;
}

impl Told for sqlx::Error {
    fn number(&self) -> Option<u16> {
        self.as_database_error()?.try_downcast_ref::<MySqlDatabaseError>().map(MySqlDatabaseError::number)
    }

    fn origin(&self) -> Origin {
        match self {
            sqlx::Error::Io(_) => Origin::Network,
            sqlx::Error::Tls(_) => Origin::Tls,
            sqlx::Error::Configuration(_) => Origin::Address,
            _ => Origin::Other,
        }
    }
}

impl Told for Fault {
    fn number(&self) -> Option<u16> {
        Fault::number(self)
    }

    fn origin(&self) -> Origin {
        match self {
            Fault::Network(_) => Origin::Network,
            Fault::Tls(_) => Origin::Tls,
            Fault::Config(_) => Origin::Address,
            Fault::Refused { .. } | Fault::Protocol(_) => Origin::Other,
        }
    }
}

/// The number of a server's error; none for errors of the network or the driver.
pub(super) fn number(error: &impl Told) -> Option<u16> {
    error.number()
}

/// A statement's error; `what` is a sentence that says what could not be done.
pub(super) fn failed(what: impl Into<String>, error: impl Told) -> Error {
    let kind = kind(&error, ErrorKind::ConnectionLost);
    let what = what.into();
    let mapped = Error::new(kind, what);
    let mapped = match error.number() {
        Some(1412) => mapped.hint("A table was altered after the snapshot was taken; run again without DDL on the source"),
        _ => mapped,
    };
    mapped.with_source(error)
}

/// A login's error.
pub(super) fn not_connected(at: &str, error: impl Told) -> Error {
    let kind = kind(&error, ErrorKind::Unreachable);
    let what = match kind {
        ErrorKind::LoginRefused => format!("{at} refused the login"),
        ErrorKind::UnknownDatabase => format!("{at} does not exist"),
        ErrorKind::MissingRight => format!("{at} may not be used by this user"),
        ErrorKind::TooManyConnections => format!("{at} has no connection to spare"),
        _ => format!("{at} cannot be reached"),
    };
    let insecure = matches!(error.origin(), Origin::Tls);
    let mapped = Error::new(kind, what).with_source(error);
    if insecure {
        return mapped.hint(
            "Hosts other than this machine are reached by TLS, and their certificate is checked. Name its authority with `?ssl-ca=FILE`; \
             encrypt without checking it with `?ssl-mode=required`; or allow plain text with `?ssl-mode=disabled`",
        );
    }
    mapped
}

/// `network` is the kind for a network that fails.
fn kind(error: &impl Told, network: ErrorKind) -> ErrorKind {
    use ErrorKind as K;
    if let Some(number) = error.number() {
        return match number {
            // Access denied for user, host not allowed, auth plugin refused, password expired, transport must be secure.
            1045 | 1129 | 1130 | 1251 | 1275 | 1524 | 1698 | 1820 | 1862 | 3118 | 3159 | 3955 | 4151 => K::LoginRefused,
            1049 => K::UnknownDatabase,
            1044 | 1142 | 1143 | 1227 | 1370 | 1410 => K::MissingRight,
            1040 | 1203 | 1226 => K::TooManyConnections,
            1205 | 1969 | 3024 => K::Timeout,
            1213 => K::Deadlock,
            // Shutdown, killed, network errors that the server noticed, idle too long.
            1053 | 1152 | 1158..=1161 | 1184 | 1317 | 1927 | 3032 | 3169 | 4031 => K::ConnectionLost,
            // No such database object any more, or altered since the snapshot.
            1054 | 1146 | 1176 | 1412 => K::SchemaChanged,
            1153 => K::TooLarge,
            1021 => K::DiskFull,
            _ => K::SourceRead,
        };
    }
    match error.origin() {
        Origin::Network => network,
        Origin::Tls => K::Unreachable,
        Origin::Address => K::Config,
        Origin::Other => K::SourceRead,
    }
}
