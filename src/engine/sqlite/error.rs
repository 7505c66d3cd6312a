//! What SQLite's errors mean: from its result codes to our kinds. The driver's error stays as the source.

use rusqlite::ErrorCode;

use crate::error::{Error, ErrorKind};

/// The error for what SQLite said while doing `what` (one sentence without a full stop).
pub(super) fn from_sqlite(error: rusqlite::Error, what: impl Into<String>) -> Error {
    use ErrorKind as K;
    let kind = match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::FileLockingProtocolFailed) => K::Timeout,
        Some(ErrorCode::PermissionDenied | ErrorCode::ReadOnly | ErrorCode::AuthorizationForStatementDenied) => K::MissingRight,
        Some(ErrorCode::CannotOpen) => K::Unreachable,
        Some(ErrorCode::NotADatabase) => K::Unsupported,
        Some(ErrorCode::SystemIoFailure) => K::Io,
        Some(ErrorCode::DiskFull) => K::DiskFull,
        Some(ErrorCode::SchemaChanged) => K::SchemaChanged,
        _ => K::SourceRead,
    };
    let hint = match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            Some("Another process is writing to the file; let it finish, then try again")
        }
        Some(ErrorCode::CannotOpen) => Some(
            "Check the rights on the file; a file in WAL mode also needs its `-wal` and `-shm` files, or the right to make them",
        ),
        Some(ErrorCode::ReadOnly) => {
            Some("The file was left by a crash with a journal to roll back: open it once with a program that may write to it")
        }
        Some(ErrorCode::NotADatabase) => Some("The file is no SQLite database, or it is encrypted"),
        Some(ErrorCode::DatabaseCorrupt) => Some("The file is damaged; `PRAGMA integrity_check` tells where"),
        _ => None,
    };
    let error = Error::new(kind, what).with_source(error);
    match hint {
        Some(hint) => error.hint(hint),
        None => error,
    }
}

/// For `map_err`: keeps what was being done.
pub(super) fn doing(what: &'static str) -> impl Fn(rusqlite::Error) -> Error {
    move |error| from_sqlite(error, what)
}

/// The error of a blocking task that ended without an answer.
pub(super) fn task_died(error: tokio::task::JoinError) -> Error {
    Error::internal("a reader thread ended without an answer").with_source(error)
}
