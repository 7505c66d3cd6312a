//! The columns that bound chunks, and a chunk's range as a condition in SQL.
//!
//! Every bound is a parameter, brought to the column's own type by the server, so that it compares under the column's own
//! collation and the index can serve it.

use sqlx::Row;
use sqlx::mysql::MySqlRow;

use super::error::failed;
use super::select::{is_bytes, quote};
use super::wire::Bound;
use crate::error::{Error, ErrorKind, Result};
use crate::model::catalog::NativeType;
use crate::model::chunk::{ChunkRange, KeyValue};

/// How the values of a key column travel.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Form {
    /// Whole numbers.
    Int,
    /// As text, cast back by the server to this type.
    Cast(String),
    /// Bytes, compared as bytes.
    Bytes,
    /// Bytes in the column's character set, compared under its collation.
    Text { charset: String, collation: String },
}

/// A column that can bound chunks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct KeyColumn {
    pub(super) name: String,
    form: Form,
}

impl KeyColumn {
    /// None for types whose order is not that of their values as we could bind them: an ENUM sorts by index but compares as text,
    /// a float has no exact text, a YEAR reads small numbers as this century's.
    pub(super) fn of(name: &str, native: &NativeType) -> Option<Self> {
        let form = match native.name.as_str() {
            "tinyint" | "smallint" | "mediumint" | "int" | "integer" | "bigint" => Form::Int,
            "decimal" | "numeric" => {
                Form::Cast(format!("DECIMAL({},{})", native.precision.unwrap_or(65), native.scale.unwrap_or(0)))
            }
            "date" => Form::Cast("DATE".into()),
            "datetime" | "timestamp" => Form::Cast("DATETIME(6)".into()),
            "time" => Form::Cast("TIME(6)".into()),
            "uuid" => Form::Cast("UUID".into()),
            "inet6" => Form::Cast("INET6".into()),
            "binary" | "varbinary" => Form::Bytes,
            "char" | "varchar" if is_bytes(native) => Form::Bytes,
            "char" | "varchar" => Form::Text { charset: native.charset.clone()?, collation: native.collation.clone()? },
            _ => return None,
        };
        Some(KeyColumn { name: name.to_string(), form })
    }

    pub(super) fn is_integer(&self) -> bool {
        self.form == Form::Int
    }

    /// The expression that reads a value in the form in which it is bound.
    pub(super) fn select(&self) -> String {
        let name = quote(&self.name);
        match &self.form {
            Form::Int | Form::Cast(_) => format!("CAST({name} AS CHAR)"),
            Form::Bytes | Form::Text { .. } => format!("CAST({name} AS BINARY)"),
        }
    }

    /// Reads the value that [`KeyColumn::select`] asked for.
    pub(super) fn value(&self, row: &MySqlRow, at: usize) -> Result<KeyValue> {
        let unreadable = |error| failed("a key could not be read", error).column(&self.name);
        let bytes: Vec<u8> = row.try_get_unchecked(at).map_err(unreadable)?;
        if matches!(self.form, Form::Bytes | Form::Text { .. }) {
            return Ok(KeyValue::Bytes(bytes));
        }
        let text = String::from_utf8(bytes)
            .map_err(|error| Error::new(ErrorKind::SourceRead, "the server sent a key that is no text").with_source(error))?;
        match self.form {
            Form::Int => text.parse().map(KeyValue::Int).map_err(|error| {
                Error::new(ErrorKind::SourceRead, format!("the server sent the key `{text}`, which is no whole number"))
                    .column(&self.name)
                    .with_source(error)
            }),
            _ => Ok(KeyValue::Text(text)),
        }
    }

    fn placeholder(&self) -> String {
        match &self.form {
            Form::Int | Form::Bytes => "?".into(),
            Form::Cast(to) => format!("CAST(? AS {to})"),
            // From bytes the conversion only names the character set, it changes nothing.
            Form::Text { charset, collation } => format!("CONVERT(? USING {charset}) COLLATE {collation}"),
        }
    }

    fn bind(&self, value: &KeyValue, arguments: &mut Vec<Bound>) -> Result<()> {
        let wrong = || Error::internal(format!("a bound of `{}` does not have the column's type", self.name));
        arguments.push(match (&self.form, value) {
            (Form::Int, KeyValue::Int(number)) => match (i64::try_from(*number), u64::try_from(*number)) {
                (Ok(number), _) => Bound::Int(number),
                (_, Ok(number)) => Bound::UInt(number),
                _ => return Err(wrong()),
            },
            (Form::Cast(_), KeyValue::Text(text)) => Bound::Text(text.clone()),
            (Form::Bytes | Form::Text { .. }, KeyValue::Bytes(bytes)) => Bound::Bytes(bytes.clone()),
            _ => return Err(wrong()),
        });
        Ok(())
    }
}

/// The condition for a range, its bounds added to `arguments`; none for all rows.
pub(super) fn condition(key: &[KeyColumn], range: &ChunkRange, arguments: &mut Vec<Bound>) -> Result<Option<String>> {
    let first = || key.first().ok_or_else(|| Error::internal("a range without a key"));
    match range {
        ChunkRange::Whole => Ok(None),
        ChunkRange::NullKey => Ok(Some(format!("{} IS NULL", quote(&first()?.name)))),
        ChunkRange::Key { lower: None, upper: None } => Ok(Some(format!("{} IS NOT NULL", quote(&first()?.name)))),
        ChunkRange::Key { lower, upper } => {
            let mut sides = Vec::new();
            if let Some(bound) = lower {
                sides.push(compare(key, bound, Side::From, arguments)?);
            }
            if let Some(bound) = upper {
                sides.push(compare(key, bound, Side::Below, arguments)?);
            }
            Ok(Some(sides.join(" AND ")))
        }
        ChunkRange::Pages { .. } => Err(Error::internal("MySQL has no ranges of pages")),
    }
}

/// Which rows, seen from a bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// `key >= bound`.
    From,
    /// `key > bound`.
    After,
    /// `key < bound`.
    Below,
}

/// `key <side> bound` in the expanded form, since the server makes no range of `(a, b) >= (?, ?)`:
/// `(a > ? OR (a = ? AND b >= ?))`.
pub(super) fn compare(key: &[KeyColumn], bound: &[KeyValue], side: Side, arguments: &mut Vec<Bound>) -> Result<String> {
    let (Some((column, key)), Some((value, bound))) = (key.split_first(), bound.split_first()) else {
        return Err(Error::internal("a bound with more columns than its key, or with none"));
    };
    let (name, placeholder) = (quote(&column.name), column.placeholder());
    column.bind(value, arguments)?;
    if bound.is_empty() {
        let operator = match side {
            Side::From => ">=",
            Side::After => ">",
            Side::Below => "<",
        };
        return Ok(format!("{name} {operator} {placeholder}"));
    }
    let operator = if side == Side::Below { "<" } else { ">" };
    column.bind(value, arguments)?;
    let rest = compare(key, bound, side, arguments)?;
    Ok(format!("({name} {operator} {placeholder} OR ({name} = {placeholder} AND {rest}))"))
}
