//! From an error of the driver to ours, by SQLSTATE. The cause is kept as the source.

use std::fmt;

use sqlx::postgres::PgDatabaseError;

use crate::error::{Error, ErrorKind};

/// The kind that a SQLSTATE means to us.
pub(super) fn kind_of(code: &str) -> ErrorKind {
    match code {
        "28P01" | "28000" => ErrorKind::LoginRefused,
        "3D000" => ErrorKind::UnknownDatabase,
        "42501" => ErrorKind::MissingRight,
        "53300" => ErrorKind::TooManyConnections,
        "53100" => ErrorKind::DiskFull,
        "40P01" | "40001" => ErrorKind::Deadlock,
        // Lock, statement and idle time-outs, and a cancel by an administrator.
        "55P03" | "57014" | "25P03" | "57P05" => ErrorKind::Timeout,
        "57P01" | "57P02" | "57P03" => ErrorKind::ConnectionLost,
        "42P06" | "42P07" | "42710" => ErrorKind::TargetExists,
        "42P01" | "42703" | "3F000" => ErrorKind::SchemaChanged,
        "0A000" => ErrorKind::Unsupported,
        _ if code.starts_with("08") => ErrorKind::ConnectionLost,
        _ => ErrorKind::TargetWrite,
    }
}

/// What the server said. The driver's own text adds a line of the server's source code, which tells a person nothing.
#[derive(Debug)]
pub(super) struct ServerError(pub PgDatabaseError);

impl fmt::Display for ServerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (SQLSTATE {})", self.0.message(), self.0.code())
    }
}

impl std::error::Error for ServerError {}

/// The SQLSTATE, if the server itself has spoken.
pub(super) fn sqlstate(error: &sqlx::Error) -> Option<&str> {
    match error {
        sqlx::Error::Database(error) => error.try_downcast_ref::<PgDatabaseError>().map(PgDatabaseError::code),
        _ => None,
    }
}

/// Maps an error of a session that stands; `what` is what was being done, as a whole sentence: `the ledger could not be read`.
pub(super) fn map(error: sqlx::Error, what: impl Into<String>) -> Error {
    match error {
        sqlx::Error::Database(error) => match error.try_downcast::<PgDatabaseError>() {
            Ok(error) => map_database(*error, what.into()),
            Err(other) => Error::new(ErrorKind::TargetWrite, what).with_source(sqlx::Error::Database(other)),
        },
        error @ (sqlx::Error::Io(_) | sqlx::Error::WorkerCrashed) => {
            Error::new(ErrorKind::ConnectionLost, what).with_source(error)
        }
        error @ sqlx::Error::Tls(_) => Error::new(ErrorKind::ConnectionLost, what).with_source(error),
        error => Error::internal(what).with_source(error),
    }
}

fn map_database(error: PgDatabaseError, what: String) -> Error {
    let kind = kind_of(error.code());
    // Names of objects only, no values: `view v depends on table orders`.
    let what = match (error.code(), error.detail()) {
        ("2BP01", Some(detail)) => format!("{what}: {}", detail.replace('\n', "; ")),
        _ => what,
    };
    let mut ours = Error::new(kind, what);
    if let Some(table) = error.table() {
        ours = match error.schema() {
            Some(schema) => ours.table(format!("{schema}.{table}")),
            None => ours.table(table),
        };
    }
    if let Some(column) = error.column() {
        ours = ours.column(column);
    }
    // Of a violated key the detail says `Key (id)=(7) already exists.`, in the server's language; other details repeat whole rows.
    if matches!(error.code(), "23505" | "23503" | "23P01")
        && let Some(key) = error.detail().and_then(key_of)
    {
        ours = ours.key(key);
    }
    if matches!(error.code().get(..2), Some("22" | "23" | "54"))
        && let Some(line) = error.r#where().and_then(line_of)
    {
        ours = ours.key(format!("(row {line} of the chunk)"));
    }
    ours = match (error.code(), error.constraint()) {
        (code, Some(constraint)) if code.starts_with("23") => {
            ours.hint(format!("The constraint `{constraint}` of the target refuses the row; correct the data or the constraint"))
        }
        ("2BP01", _) => ours.hint("Drop what depends on it first: nothing is ever dropped with CASCADE"),
        ("25006", _) => ours.hint("The server is a standby, or `default_transaction_read_only` is on: connect to the primary"),
        // Ours says how the run goes on.
        ("53100", _) => ours,
        _ => match error.hint() {
            Some(hint) => ours.hint(hint.to_string()),
            None => ours,
        },
    };
    ours.with_source(ServerError(error))
}

/// The part `(id)=(7)` of a detail text.
fn key_of(detail: &str) -> Option<String> {
    let end = detail.rfind(')')?;
    let start = detail.find('(').filter(|start| *start < end)?;
    let key: String = detail.get(start..=end)?.chars().take(200).collect();
    Some(key.replace(")=(", ") = ("))
}

/// The number in `COPY t, line 7, column c: ...`: the rows of a binary COPY are counted so, too. None in another language than English.
fn line_of(context: &str) -> Option<u64> {
    let (_, rest) = context.lines().find(|line| line.starts_with("COPY "))?.rsplit_once(", line ")?;
    let digits = rest.split(|letter: char| !letter.is_ascii_digit()).next()?;
    digits.parse().ok()
}

/// Maps an error of connecting to `place`, an address without its password.
pub(super) fn map_connect(error: sqlx::Error, place: &str) -> Error {
    match error {
        error @ sqlx::Error::Io(_) => Error::new(ErrorKind::Unreachable, format!("no PostgreSQL server answers at {place}")).with_source(error),
        error @ sqlx::Error::Tls(_) => Error::new(ErrorKind::Unreachable, format!("no TLS connection to {place} could be made"))
            .with_source(error)
            .hint("Hosts other than this machine are reached by TLS, and their certificate is checked. Name its authority with `?sslrootcert=FILE`; \
             encrypt without checking it with `?sslmode=require`; or allow plain text with `?sslmode=disable`"),
        error @ sqlx::Error::Configuration(_) => {
            Error::new(ErrorKind::Config, format!("the connection to {place} could not be set up")).with_source(error)
        }
        error @ sqlx::Error::Protocol(_) => {
            Error::new(ErrorKind::Unreachable, format!("what answers at {place} does not speak as PostgreSQL does")).with_source(error)
        }
        error => {
            let what = match sqlstate(&error).map(kind_of) {
                Some(ErrorKind::LoginRefused) => format!("the login at {place} was refused"),
                Some(ErrorKind::UnknownDatabase) => format!("{place} does not exist"),
                _ => format!("{place} refused the connection"),
            };
            map(error, what)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_taken_from_the_detail_in_any_language() {
        assert_eq!(key_of("Key (id)=(7) already exists.").as_deref(), Some("(id) = (7)"));
        assert_eq!(key_of("Schlüssel »(id, t)=(7, a)« existiert bereits.").as_deref(), Some("(id, t) = (7, a)"));
        assert_eq!(key_of("nothing"), None);
        assert_eq!(key_of(")("), None);
    }

    #[test]
    fn a_row_is_taken_from_the_context() {
        assert_eq!(line_of("COPY t, line 7"), Some(7));
        assert_eq!(line_of("PL/pgSQL function f() line 1 at RAISE\nCOPY a, line 3, line 12, column c"), Some(12));
        assert_eq!(line_of("COPY t"), None);
    }

    #[test]
    fn what_may_be_tried_again_is_told_from_what_may_not() {
        assert_eq!(kind_of("40P01"), ErrorKind::Deadlock);
        assert_eq!(kind_of("08006"), ErrorKind::ConnectionLost);
        assert_eq!(kind_of("57P01"), ErrorKind::ConnectionLost);
        assert_eq!(kind_of("53100"), ErrorKind::DiskFull);
        assert_eq!(kind_of("23505"), ErrorKind::TargetWrite);
        assert_eq!(kind_of("22003"), ErrorKind::TargetWrite);
    }
}
