//! The one error type: what went wrong, where, why, and what to do about it.
//!
//! A driver's error is mapped to an [`ErrorKind`] in its engine's folder and kept as the source, never turned into
//! text. What may be retried, and the standing advice for a kind, is decided in [`crate::advice`] alone.

use std::fmt;

/// The result of everything in dbferry that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What kind of thing went wrong; [`crate::advice::advice`] tells what follows from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ErrorKind {
    /// The configuration, the mapping or a flag is wrong.
    Config,
    /// No server answers at that address.
    Unreachable,
    /// The server refused the user name or the password.
    LoginRefused,
    /// The database named does not exist.
    UnknownDatabase,
    /// The user lacks a right that is needed.
    MissingRight,
    /// The server, or the file, is of a kind or version that is not supported.
    Unsupported,
    /// A type, an object or a name has no place in the target, or the mapping does not fit.
    Mapping,
    /// Something of that name exists in the target already.
    TargetExists,
    /// A value cannot be carried unchanged.
    Value,
    /// The source could not be read.
    SourceRead,
    /// The target refused what was sent.
    TargetWrite,
    /// A connection was lost or a server went away.
    ConnectionLost,
    /// A lock, a statement or the network took too long.
    Timeout,
    /// The server chose this transaction as the victim of a deadlock or a serialization conflict.
    Deadlock,
    /// The server has no connection to spare.
    TooManyConnections,
    /// A row or a statement is larger than the server lets through in one piece.
    TooLarge,
    /// No space is left.
    DiskFull,
    /// The catalog of one side is not the one that was planned for.
    SchemaChanged,
    /// The consistent snapshot could not be taken.
    Snapshot,
    /// The ledger contradicts the request (another run, another plan, a second coordinator).
    Ledger,
    /// Source and target differ.
    Verification,
    /// A file could not be read or written.
    Io,
    /// A person or an orchestrator asked to stop.
    Interrupted,
    /// A bug in dbferry.
    Internal,
}

/// Where it went wrong, as far as that is known.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Place {
    /// The table, as `schema.name`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub table: Option<String>,
    /// The column.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
    /// The key of the row, as `(id = 7)`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The file, with line and column where they are known: `configs/shop.toml:3:1`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
}

/// An error: kind, sentence, place, hint and cause.
///
/// It is one pointer wide, so that a `Result` of it stays cheap in loops over rows.
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    what: String,
    place: Place,
    hint: Option<String>,
    rule: Option<&'static str>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
    also: Vec<Error>,
}

impl Error {
    /// An error of `kind`; `what` is one sentence without a full stop.
    pub fn new(kind: ErrorKind, what: impl Into<String>) -> Self {
        Error(Box::new(Inner {
            kind,
            what: what.into(),
            place: Place::default(),
            hint: None,
            rule: None,
            source: None,
            also: Vec::new(),
        }))
    }

    /// A bug in dbferry: a state that the code's own invariants exclude.
    pub fn internal(what: impl Into<String>) -> Self {
        Error::new(ErrorKind::Internal, what)
    }

    /// Several independent errors as one; `None` when there are none.
    pub fn many(errors: Vec<Error>) -> Option<Self> {
        let mut errors = errors.into_iter();
        let mut first = errors.next()?;
        first.0.also.extend(errors);
        Some(first)
    }

    /// Both errors, and all that were found together with either, as one.
    #[must_use]
    pub fn and(mut self, mut other: Error) -> Self {
        let more = std::mem::take(&mut other.0.also);
        self.0.also.push(other);
        self.0.also.extend(more);
        self
    }

    /// Keeps the error that caused this one.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// Says what to do, in the imperative. The first hint given stays, since it was given nearest to the cause.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint.get_or_insert(hint.into());
        self
    }

    /// Says which line under a column's rule in the mapping would settle it; [`Error::settle`] makes the hint of it.
    #[must_use]
    pub fn rule(mut self, line: &'static str) -> Self {
        self.0.rule.get_or_insert(line);
        self
    }

    /// Makes the hint of the line that would settle it, if there is one, where the column's place in the mapping is known.
    #[must_use]
    pub fn settle(mut self, lines: impl FnOnce(&'static str) -> String) -> Self {
        if let Some(rule) = self.0.rule.take() {
            self.0.hint = Some(lines(rule));
        }
        self
    }

    /// Names the table, unless one is named.
    #[must_use]
    pub fn table(mut self, table: impl fmt::Display) -> Self {
        self.0.place.table.get_or_insert_with(|| table.to_string());
        self
    }

    /// Names the column, unless one is named.
    #[must_use]
    pub fn column(mut self, column: impl fmt::Display) -> Self {
        self.0.place.column.get_or_insert_with(|| column.to_string());
        self
    }

    /// Names the row by its key, unless one is named.
    #[must_use]
    pub fn key(mut self, key: impl fmt::Display) -> Self {
        self.0.place.key.get_or_insert_with(|| key.to_string());
        self
    }

    /// Names the place in a file, unless one is named.
    #[must_use]
    pub fn file(mut self, file: impl fmt::Display) -> Self {
        self.0.place.file.get_or_insert_with(|| file.to_string());
        self
    }

    /// Masks the row's key, here and in all errors of the same go, if `hide` is set (`--hide-keys`).
    #[must_use]
    pub fn hide_keys(mut self, hide: bool) -> Self {
        if hide {
            self.0.place.key = self.0.place.key.take().map(|_| "(key hidden)".into());
            self.0.also = std::mem::take(&mut self.0.also).into_iter().map(|error| error.hide_keys(true)).collect();
        }
        self
    }

    /// The kind.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The sentence, without place and cause.
    pub fn what(&self) -> &str {
        &self.0.what
    }

    /// Where.
    pub fn place(&self) -> &Place {
        &self.0.place
    }

    /// The hint given with the error, or else the standing advice for its kind.
    pub fn hint_text(&self) -> Option<&str> {
        self.0.hint.as_deref().or_else(|| crate::advice::advice(self.0.kind).hint)
    }

    /// The error as one text, with its hint on a line of its own.
    pub fn with_hint(&self) -> String {
        match self.hint_text() {
            Some(hint) => format!("{self}\nhint: {hint}"),
            None => self.to_string(),
        }
    }

    /// The other errors that were found in the same go.
    pub fn also(&self) -> &[Error] {
        &self.0.also
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { what, place, source, .. } = &*self.0;
        if let Some(file) = &place.file {
            write!(f, "{file}: ")?;
        }
        match (&place.table, &place.column) {
            (Some(table), Some(column)) => write!(f, "`{table}.{column}`")?,
            (Some(table), None) => write!(f, "`{table}`")?,
            (None, Some(column)) => write!(f, "column `{column}`")?,
            (None, None) => {}
        }
        if let Some(key) = &place.key {
            write!(f, " {key}")?;
        }
        if place.table.is_some() || place.column.is_some() {
            f.write_str(": ")?;
        }
        f.write_str(what)?;
        let mut cause: Option<&dyn std::error::Error> = source.as_deref().map(|source| source as _);
        while let Some(error) = cause {
            let text = error.to_string();
            // Many drivers repeat their cause in their own text.
            if !what.contains(&text) {
                write!(f, ": {text}")?;
            }
            cause = error.source().filter(|inner| !text.contains(&inner.to_string()));
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {self}", self.0.kind)?;
        for error in &self.0.also {
            write!(f, "\nalso {error:?}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}

impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Self {
        let kind = match error.kind() {
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => ErrorKind::DiskFull,
            _ => ErrorKind::Io,
        };
        Error::new(kind, "a file could not be read or written").with_source(error)
    }
}

impl From<arrow::error::ArrowError> for Error {
    fn from(error: arrow::error::ArrowError) -> Self {
        Error::internal("Arrow refused a batch").with_source(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_names_table_column_and_key_before_the_sentence() {
        let error = Error::new(ErrorKind::Value, "the date 0000-00-00 has no place in a PostgreSQL `date`")
            .table("shop.orders")
            .column("shipped_on")
            .key("(id = 7)")
            .hint("Set `zero_date` for the column in the mapping");
        assert_eq!(
            error.to_string(),
            "`shop.orders.shipped_on` (id = 7): the date 0000-00-00 has no place in a PostgreSQL `date`"
        );
        assert_eq!(error.hint_text(), Some("Set `zero_date` for the column in the mapping"));
    }

    #[test]
    fn the_place_named_first_stays() {
        let error = Error::new(ErrorKind::Value, "no").column("inner").column("outer");
        assert_eq!(error.place().column.as_deref(), Some("inner"));
    }
}
