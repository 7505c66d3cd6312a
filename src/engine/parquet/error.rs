//! What the file system and the Parquet library say, as kinds of errors with the file named.

use std::path::Path;

use parquet::errors::ParquetError;

use crate::error::{Error, ErrorKind, Result};

/// An error of the file system at `path`.
pub fn io(error: std::io::Error, what: &str, path: &Path) -> Error {
    let kind = io_kind(&error);
    let failed = Error::new(kind, what).with_source(error).file(path.display());
    if kind == ErrorKind::MissingRight {
        failed.hint("Make the folder writable for this user, or name another one")
    } else {
        failed
    }
}

fn io_kind(error: &std::io::Error) -> ErrorKind {
    use std::io::ErrorKind as K;
    match error.kind() {
        K::PermissionDenied | K::ReadOnlyFilesystem => ErrorKind::MissingRight,
        K::StorageFull | K::QuotaExceeded => ErrorKind::DiskFull,
        K::TimedOut => ErrorKind::Timeout,
        _ => ErrorKind::Io,
    }
}

/// An error of the Parquet library while it wrote or read `path`.
pub fn parquet(error: ParquetError, what: &str, path: &Path) -> Error {
    let kind = match &error {
        ParquetError::External(inner) => inner.downcast_ref::<std::io::Error>().map_or(ErrorKind::Io, io_kind),
        _ => ErrorKind::Io,
    };
    Error::new(kind, what).with_source(error).file(path.display())
}

/// Runs `work` on a thread that may block: encoding and the file system would hold up the other tasks.
pub async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => Err(Error::internal("work on files did not end").with_source(error)),
    }
}
