//! From Arrow arrays to the rows of a binary COPY, with no value in between.
//!
//! An `Encoder` is bound to one column of one batch: it is chosen by the logical type of the column and the real type of the target
//! (`Encoder::bind`), once per batch, so that the loop over rows only matches on an enum. Binding to an empty array
//! before the first row tells whether a pair has an encoder at all. Rows go into one buffer that is used again and again.
//!
//! The server checks a binary value less than a text: it rounds to a `numeric(p,s)` or a `timestamp(n)`, pads a `char(n)`, and drops
//! trailing spaces beyond a `varchar(n)`. So each encoder checks the type modifier for each value and refuses what would change.

use arrow::array::{Array, ArrayRef, RecordBatch};
use arrow::buffer::NullBuffer;

use super::target::{PgType, TargetColumn};
use crate::error::{Error, ErrorKind, Result};
use crate::model::row::describe_key;
use crate::model::{LogicalType, Table};

mod binary;
mod json;
mod nested;
mod number;
mod numeric;
mod temporal;
mod text;

/// What a binary COPY begins with: signature, no flags, no extension.
pub(super) const HEADER: &[u8; 19] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";

/// What it ends with.
pub(super) const TRAILER: [u8; 2] = (-1i16).to_be_bytes();

/// The largest field that is sent, in bytes: the server's largest allocation (1 GiB - 1) less the header of a value.
pub(super) const LARGEST_FIELD: usize = 0x3fff_ffff - 64;

/// An encoder for one column of one batch.
enum Encoder<'a> {
    Number(number::Number<'a>),
    Numeric(numeric::Numeric<'a>),
    Temporal(temporal::Temporal<'a>),
    Text(text::Text<'a>),
    Json(json::Json<'a>),
    Binary(binary::Binary<'a>),
    Nested(nested::Nested<'a>),
}

impl<'a> Encoder<'a> {
    /// The encoder of `array`, whose logical type is `logical`, for a column of type `pg_type` with that modifier; `None` if there is none.
    fn bind(logical: &LogicalType, array: &'a dyn Array, pg_type: &'a PgType, typmod: i32) -> Option<Self> {
        if *array.data_type() != logical.arrow() {
            return None;
        }
        // In the order of how often columns are of the kind; no pair is served by two of them.
        if let Some(encoder) = number::Number::bind(array, pg_type) {
            return Some(Encoder::Number(encoder));
        }
        if let Some(encoder) = text::Text::bind(logical, array, pg_type, typmod) {
            return Some(Encoder::Text(encoder));
        }
        if let Some(encoder) = numeric::Numeric::bind(logical, array, pg_type, typmod) {
            return Some(Encoder::Numeric(encoder));
        }
        if let Some(encoder) = temporal::Temporal::bind(array, pg_type, typmod) {
            return Some(Encoder::Temporal(encoder));
        }
        if let Some(encoder) = json::Json::bind(logical, array, pg_type) {
            return Some(Encoder::Json(encoder));
        }
        if let Some(encoder) = binary::Binary::bind(logical, array, pg_type, typmod) {
            return Some(Encoder::Binary(encoder));
        }
        nested::Nested::bind(logical, array, pg_type, typmod).map(Encoder::Nested)
    }

    /// Appends the field of a row that is not NULL, its length first.
    ///
    /// # Errors
    /// `Value`, without a place, for a value that the target's type would change or refuse.
    #[inline]
    fn put(&self, row: usize, out: &mut Vec<u8>) -> Result<()> {
        match self {
            Encoder::Number(encoder) => encoder.put(row, out),
            Encoder::Numeric(encoder) => encoder.put(row, out),
            Encoder::Temporal(encoder) => encoder.put(row, out),
            Encoder::Text(encoder) => encoder.put(row, out),
            Encoder::Json(encoder) => encoder.put(row, out),
            Encoder::Binary(encoder) => encoder.put(row, out),
            Encoder::Nested(encoder) => encoder.put(row, out),
        }
    }
}

/// A table's columns as they are written.
#[derive(Debug)]
pub(super) struct RowEncoder {
    table: String,
    key: Vec<String>,
    /// How many columns a batch has, generated ones included.
    width: usize,
    written: Vec<Written>,
}

/// A column that is written.
#[derive(Debug)]
struct Written {
    /// Its place in the batch.
    index: usize,
    logical: LogicalType,
    target: TargetColumn,
}

impl RowEncoder {
    /// Chooses an encoder for each column that the target does not generate by itself.
    ///
    /// # Errors
    /// `Mapping`, all at once, for the columns without an encoder: before the first row.
    pub(super) fn new(table: &Table, target: &[TargetColumn]) -> Result<Self> {
        let mut written = Vec::new();
        let mut faults = Vec::new();
        for (index, (column, target)) in table.columns.iter().zip(target).enumerate() {
            if column.generated.is_some() {
                continue;
            }
            let place = |error: Error| error.table(&table.name).column(&column.name);
            let Some(logical) = &column.logical else {
                faults.push(place(Error::new(ErrorKind::Mapping, "the column has no logical type")));
                continue;
            };
            let empty = arrow::array::new_empty_array(&logical.arrow());
            if Encoder::bind(logical, &empty, &target.pg_type, target.typmod).is_none() {
                let what = format!("{logical} cannot be written to a column of type `{}`", target.type_name);
                faults.push(place(
                    Error::new(ErrorKind::Mapping, what).hint("Choose another type for the column with `to` in the mapping"),
                ));
                continue;
            }
            written.push(Written { index, logical: logical.clone(), target: target.clone() });
        }
        if let Some(error) = Error::many(faults) {
            return Err(error);
        }
        if written.is_empty() {
            return Err(Error::new(ErrorKind::Mapping, "the table has no column that can be written").table(&table.name));
        }
        Ok(RowEncoder {
            table: table.name.to_string(),
            key: table.key_columns().into_iter().map(str::to_string).collect(),
            width: table.columns.len(),
            written,
        })
    }

    /// The names of the columns that are written, in the order of a row's fields.
    pub(super) fn columns(&self) -> impl Iterator<Item = &str> {
        self.written.iter().map(|column| column.target.name.as_str())
    }

    /// Binds the encoders to a batch of all of the table's columns.
    ///
    /// # Errors
    /// `Internal` when the batch does not fit; `Value` for a NULL where the target allows none.
    pub(super) fn bind<'a>(&'a self, batch: &'a RecordBatch) -> Result<BoundRows<'a>> {
        if batch.num_columns() != self.width {
            return Err(
                Error::internal(format!("a batch of {} columns for {}", batch.num_columns(), self.width)).table(&self.table)
            );
        }
        let mut columns = Vec::with_capacity(self.written.len());
        for column in &self.written {
            let array: &ArrayRef = batch.column(column.index);
            let encoder =
                Encoder::bind(&column.logical, array, &column.target.pg_type, column.target.typmod).ok_or_else(|| {
                    Error::internal(format!("a batch with {} where {} was planned", array.data_type(), column.logical))
                        .table(&self.table)
                        .column(&column.target.name)
                })?;
            let nulls = array.nulls().filter(|nulls| nulls.null_count() > 0);
            if column.target.not_null
                && let Some(nulls) = nulls
            {
                let row = nulls.iter().position(|valid| !valid).unwrap_or_default();
                let error = Error::new(ErrorKind::Value, "NULL has no place in a column that is NOT NULL in the target");
                return Err(self.place(error, column, batch, row));
            }
            columns.push((nulls, encoder));
        }
        let count = i16::try_from(columns.len())
            .map_err(|_| Error::new(ErrorKind::Mapping, "the table has too many columns").table(&self.table))?;
        Ok(BoundRows { rows: self, batch, columns, count: count.to_be_bytes() })
    }

    fn place(&self, error: Error, column: &Written, batch: &RecordBatch, row: usize) -> Error {
        error.table(&self.table).column(&column.target.name).key(describe_key(batch, &self.key, row))
    }
}

/// Encodes a batch of `table` for columns of these types and modifiers: what benchmarks do, which have no server.
///
/// # Errors
/// `Mapping` for types that are not known here or have no encoder, and what a writer says of the rows.
#[doc(hidden)]
pub fn encode_offline(table: &Table, types: &[(&str, i32)], batch: &RecordBatch, out: &mut Vec<u8>) -> Result<()> {
    let target = types.iter().zip(&table.columns).map(|((name, typmod), column)| {
        let pg_type = match *name {
            "int4" => PgType::Int4,
            "int8" => PgType::Int8,
            "float8" => PgType::Float8,
            "numeric" => PgType::Numeric,
            "date" => PgType::Date,
            "timestamp" => PgType::Timestamp,
            "text" => PgType::Text,
            "bytea" => PgType::Bytea,
            _ => PgType::Other,
        };
        let (name, type_name) = (column.name.clone(), (*name).to_string());
        TargetColumn { name, type_name, pg_type, typmod: *typmod, not_null: false, generated: false }
    });
    let encoder = RowEncoder::new(table, &target.collect::<Vec<_>>())?;
    let bound = encoder.bind(batch)?;
    let mut row = 0;
    while row < batch.num_rows() {
        row = bound.put(row, usize::MAX, out)?;
    }
    Ok(())
}

/// The encoders of one batch.
pub(super) struct BoundRows<'a> {
    rows: &'a RowEncoder,
    batch: &'a RecordBatch,
    columns: Vec<(Option<&'a NullBuffer>, Encoder<'a>)>,
    count: [u8; 2],
}

impl BoundRows<'_> {
    /// Appends rows from `row` on until `out` holds `limit` bytes or the batch ends; returns the first row that is not in it.
    ///
    /// # Errors
    /// `Value`, with table, column and key. Then `out` ends within a row, and the chunk must be given up.
    pub(super) fn put(&self, mut row: usize, limit: usize, out: &mut Vec<u8>) -> Result<usize> {
        while row < self.batch.num_rows() && out.len() < limit {
            out.extend_from_slice(&self.count);
            for (index, (nulls, encoder)) in self.columns.iter().enumerate() {
                if nulls.is_some_and(|nulls| nulls.is_null(row)) {
                    out.extend_from_slice(&NULL);
                } else if let Err(error) = encoder.put(row, out) {
                    return Err(match self.rows.written.get(index) {
                        Some(column) => self.rows.place(error, column, self.batch, row),
                        None => error,
                    });
                }
            }
            row += 1;
        }
        Ok(row)
    }
}

/// The length of a NULL.
const NULL: [u8; 4] = (-1i32).to_be_bytes();

/// Appends a field of `N` bytes, its length first.
#[inline]
fn put_fixed<const N: usize>(bytes: [u8; N], out: &mut Vec<u8>) {
    const { assert!(N <= 16) };
    // Length and bytes in one piece, so that there is one growth check; `N` is a constant, so its last byte is all of it.
    let mut field = [0; 20];
    field[3] = N.to_be_bytes()[size_of::<usize>() - 1];
    field[4..4 + N].copy_from_slice(&bytes);
    out.extend_from_slice(&field[..4 + N]);
}

/// Appends a field of any length, its length first.
#[inline]
fn put_bytes(bytes: &[u8], out: &mut Vec<u8>) -> Result<()> {
    let length = field_length(bytes.len())?;
    out.reserve(4 + bytes.len());
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(bytes);
    Ok(())
}

/// Appends a field that is `prefix` and `bytes` together.
#[inline]
fn put_prefixed(prefix: &[u8], bytes: &[u8], out: &mut Vec<u8>) -> Result<()> {
    let length = field_length(prefix.len() + bytes.len())?;
    out.reserve(4 + prefix.len() + bytes.len());
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(prefix);
    out.extend_from_slice(bytes);
    Ok(())
}

/// The length of a field, if the server can hold it.
#[inline]
fn field_length(length: usize) -> Result<i32> {
    match i32::try_from(length) {
        Ok(ours) if length <= LARGEST_FIELD => Ok(ours),
        _ => Err(Error::new(ErrorKind::Value, format!("a value of {length} bytes is too large: PostgreSQL ends at 1 GiB"))
            .hint("Leave the column out, or keep such values elsewhere")),
    }
}

/// Begins a field whose length is not known yet; [`end_field`] completes it.
fn begin_field(out: &mut Vec<u8>) -> usize {
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    start
}

/// Completes a field.
fn end_field(start: usize, out: &mut [u8]) -> Result<()> {
    let length = field_length(out.len().saturating_sub(start + 4))?;
    match out.get_mut(start..start + 4) {
        Some(place) => place.copy_from_slice(&length.to_be_bytes()),
        None => return Err(Error::internal("a field ends before it begins")),
    }
    Ok(())
}

/// An error of a value.
#[cold]
fn refuse(what: impl Into<String>) -> Error {
    Error::new(ErrorKind::Value, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_beyond_a_gigabyte_is_refused() {
        assert!(field_length(LARGEST_FIELD).is_ok());
        let error = field_length(LARGEST_FIELD + 1).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Value);
        assert!(field_length(usize::MAX).is_err());
    }

    #[test]
    fn a_field_is_its_length_and_its_bytes() {
        let mut out = Vec::new();
        put_fixed([7, 8], &mut out);
        put_prefixed(&[1], b"ab", &mut out).unwrap();
        let start = begin_field(&mut out);
        out.extend_from_slice(b"xyz");
        end_field(start, &mut out).unwrap();
        assert_eq!(out, [0, 0, 0, 2, 7, 8, 0, 0, 0, 3, 1, b'a', b'b', 0, 0, 0, 3, b'x', b'y', b'z']);
    }
}
