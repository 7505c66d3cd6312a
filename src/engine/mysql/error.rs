//! The server's and the driver's errors as ours: a kind by the error's number, the driver's error kept as the source.
//!
//! Numbers are those of the MySQL and MariaDB error lists; the two agree on all that are named here, or use different ones.

use sqlx::mysql::MySqlDatabaseError;

use crate::error::{Error, ErrorKind};

/// The number of a server's error; none for errors of the network or the driver.
pub(super) fn number(error: &sqlx::Error) -> Option<u16> {
    error.as_database_error()?.try_downcast_ref::<MySqlDatabaseError>().map(MySqlDatabaseError::number)
}

/// A statement's error; `what` is a sentence that says what could not be done.
pub(super) fn failed(what: impl Into<String>, error: sqlx::Error) -> Error {
    let kind = kind(&error, ErrorKind::ConnectionLost);
    let what = what.into();
    let mapped = Error::new(kind, what);
    let mapped = match number(&error) {
        Some(1412) => mapped.hint("A table was altered after the snapshot was taken; run again without DDL on the source"),
        _ => mapped,
    };
    mapped.with_source(error)
}

/// A login's error.
pub(super) fn not_connected(at: &str, error: sqlx::Error) -> Error {
    let kind = kind(&error, ErrorKind::Unreachable);
    let what = match kind {
        ErrorKind::LoginRefused => format!("{at} refused the login"),
        ErrorKind::UnknownDatabase => format!("{at} does not exist"),
        ErrorKind::MissingRight => format!("{at} may not be used by this user"),
        ErrorKind::TooManyConnections => format!("{at} has no connection to spare"),
        _ => format!("{at} cannot be reached"),
    };
    let insecure = matches!(error, sqlx::Error::Tls(_));
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
fn kind(error: &sqlx::Error, network: ErrorKind) -> ErrorKind {
    use ErrorKind as K;
    if let Some(number) = number(error) {
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
    match error {
        sqlx::Error::Io(_) => network,
        sqlx::Error::Tls(_) => K::Unreachable,
        sqlx::Error::Configuration(_) => K::Config,
        _ => K::SourceRead,
    }
}
