//! From the rows of a binary COPY to Arrow arrays: the counterpart of [`super::encode`], and independent of it.
//!
//! A [`Decoder`] is chosen once per column, by the logical type that is wanted and the real type of the target's column. What the logical type
//! cannot hold is an error, never a near value.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::datatypes::SchemaRef;
use bytes::Bytes;

use super::encode::HEADER;
use super::target::{PgType, TargetColumn};
use crate::engine::Batch;
use crate::error::{Error, ErrorKind, Result};
use crate::model::logical::schema;
use crate::model::{LogicalType, Table};

mod binary;
pub(super) mod hashes;
mod nested;
mod number;
mod numeric;
mod temporal;
mod text;

use hashes::Form;

/// A batch is complete once its fields have so many bytes, whatever may be had.
const MOST_BATCH_BYTES: usize = 4 << 20;

/// Room for one row of a batch, in rows; enough that narrow rows amortize what a batch costs.
const BATCH_ROWS: usize = 1 << 16;

/// A field of so many bytes is not copied: its row makes a batch of its own, which shares it.
const SHARED_BYTES: usize = 1 << 20;

/// Reads the fields of one column.
enum Decoder {
    Number(number::Number),
    Numeric(numeric::Numeric),
    Temporal(temporal::Temporal),
    Text(text::Text),
    Binary(binary::Binary),
    Nested(nested::Nested),
}

impl Decoder {
    /// The decoder from `pg_type` to `logical`; `None` if there is none.
    fn new(logical: &LogicalType, pg_type: &PgType) -> Option<Self> {
        None.or_else(|| number::Number::new(logical, pg_type).map(Decoder::Number))
            .or_else(|| numeric::Numeric::new(logical, pg_type).map(Decoder::Numeric))
            .or_else(|| temporal::Temporal::new(logical, pg_type).map(Decoder::Temporal))
            .or_else(|| text::Text::new(logical, pg_type).map(Decoder::Text))
            .or_else(|| binary::Binary::new(logical, pg_type).map(Decoder::Binary))
            .or_else(|| nested::Nested::new(logical, pg_type).map(Decoder::Nested))
    }

    /// Takes a field; `None` is NULL.
    #[inline]
    fn push(&mut self, field: Option<&[u8]>) -> Result<()> {
        match self {
            Decoder::Number(decoder) => decoder.push(field),
            Decoder::Numeric(decoder) => decoder.push(field),
            Decoder::Temporal(decoder) => decoder.push(field),
            Decoder::Text(decoder) => decoder.push(field),
            Decoder::Binary(decoder) => decoder.push(field),
            Decoder::Nested(decoder) => decoder.push(field),
        }
    }

    /// One field as a whole array that shares its bytes; `None` where that cannot be.
    fn whole(&self, field: &Bytes) -> Result<Option<ArrayRef>> {
        match self {
            Decoder::Text(decoder) => decoder.whole(field.clone()).map(Some),
            Decoder::Binary(decoder) => decoder.whole(field),
            _ => Ok(None),
        }
    }

    /// How its fields are hashed where they lie; `logical` is what it was chosen for.
    fn form(&self, logical: &LogicalType) -> Form {
        match self {
            Decoder::Number(decoder) => decoder.form(),
            Decoder::Numeric(decoder) => decoder.form(),
            Decoder::Temporal(decoder) => decoder.form(),
            Decoder::Text(decoder) => decoder.form(logical),
            Decoder::Binary(decoder) => decoder.form(),
            Decoder::Nested(_) => Form::Decoded,
        }
    }

    /// What was taken so far, and begins anew.
    fn finish(&mut self) -> Result<ArrayRef> {
        Ok(match self {
            Decoder::Number(decoder) => decoder.finish(),
            Decoder::Numeric(decoder) => decoder.finish()?,
            Decoder::Temporal(decoder) => decoder.finish(),
            Decoder::Text(decoder) => Arc::new(decoder.0.finish()),
            Decoder::Binary(decoder) => decoder.finish(),
            Decoder::Nested(decoder) => decoder.finish()?,
        })
    }
}

/// The decoders of all columns of `table`, generated ones included.
///
/// # Errors
/// `Mapping` for each column that cannot be read as its logical type.
fn decoders(table: &Table, target: &[TargetColumn]) -> Result<Vec<Decoder>> {
    let mut columns = Vec::with_capacity(table.columns.len());
    let mut faults = Vec::new();
    for (column, target) in table.columns.iter().zip(target) {
        let logical = column.logical.as_ref();
        match logical.and_then(|logical| Decoder::new(logical, &target.pg_type)) {
            Some(decoder) => columns.push(decoder),
            None => {
                let wanted = logical.map_or_else(|| "nothing".to_string(), ToString::to_string);
                let what = format!("a column of type `{}` cannot be read as {wanted}", target.type_name);
                faults.push(Error::new(ErrorKind::Mapping, what).table(&table.name).column(&column.name));
            }
        }
    }
    match Error::many(faults) {
        Some(error) => Err(error),
        None => Ok(columns),
    }
}

/// Reads a whole COPY, piece by piece, whatever the pieces' borders are.
pub(super) struct RowDecoder {
    table: String,
    names: Vec<String>,
    schema: SchemaRef,
    columns: Vec<Decoder>,
    /// The columns of a row that is a batch of its own, as far as they share its bytes; by their place.
    shared: Vec<(usize, ArrayRef)>,
    /// What has arrived and is not read yet, from `at` on.
    pending: Bytes,
    at: usize,
    rows: usize,
    bytes: usize,
    batch_bytes: usize,
    total: u64,
    /// The next row is to be a batch of its own.
    alone: bool,
    begun: bool,
    ended: bool,
}

impl RowDecoder {
    /// For all columns of `table`, generated ones included, in its order and its logical types.
    ///
    /// A batch is complete once its fields have `batch_bytes`.
    ///
    /// # Errors
    /// `Mapping` for a column that cannot be read as its logical type.
    pub(super) fn new(table: &Table, target: &[TargetColumn], batch_bytes: usize) -> Result<Self> {
        let columns = decoders(table, target)?;
        let fields = table.columns.iter().filter_map(|column| Some((column.name.as_str(), column.logical.as_ref()?)));
        let schema = schema(fields);
        Ok(RowDecoder {
            table: table.name.to_string(),
            names: table.columns.iter().map(|column| column.name.clone()).collect(),
            schema,
            columns,
            shared: Vec::new(),
            pending: Bytes::new(),
            at: 0,
            rows: 0,
            bytes: 0,
            batch_bytes: batch_bytes.clamp(1, MOST_BATCH_BYTES),
            total: 0,
            alone: false,
            begun: false,
            ended: false,
        })
    }

    /// Takes what has arrived. The rows in it are read by [`RowDecoder::next`].
    pub(super) fn feed(&mut self, data: Bytes) {
        // What is left over is less than a row; servers send whole rows, so mostly nothing is, and nothing is copied.
        let left = self.pending.get(self.at..).unwrap_or_default();
        self.pending = if left.is_empty() { data } else { Bytes::from([left, &data].concat()) };
        self.at = 0;
    }

    /// The rows that were read and are in no batch yet, though it is not complete; `None` when there are none.
    pub(super) fn so_far(&mut self) -> Result<Option<Batch>> {
        if self.rows == 0 { Ok(None) } else { self.batch().map(Some) }
    }

    /// Reads on; a batch once one is complete, `None` when more must arrive.
    pub(super) fn next(&mut self) -> Result<Option<Batch>> {
        if !self.begun {
            let Some(header) = self.pending.get(self.at..self.at + HEADER.len()) else { return Ok(None) };
            if header != HEADER {
                return Err(self.broken("it does not begin as one"));
            }
            self.at += HEADER.len();
            self.begun = true;
        }
        while self.row()? {
            if self.bytes >= self.batch_bytes || self.rows >= BATCH_ROWS || !self.shared.is_empty() {
                return self.batch().map(Some);
            }
        }
        // A row that is to be a batch of its own waits for those before it.
        if self.alone && self.rows > 0 { self.batch().map(Some) } else { Ok(None) }
    }

    /// The last batch, once all has arrived; `None` when it is empty.
    ///
    /// # Errors
    /// `TargetWrite` (of reading) when the end of the rows has not arrived.
    pub(super) fn finish(mut self) -> Result<Option<Batch>> {
        if !self.ended || self.at != self.pending.len() {
            return Err(self.broken("it ends before its end mark"));
        }
        if self.rows == 0 { Ok(None) } else { self.batch().map(Some) }
    }

    /// Reads one row; false if it has not arrived in full, or none follows.
    fn row(&mut self) -> Result<bool> {
        let pending = self.pending.get(self.at..).unwrap_or_default();
        let Some((count, mut rest)) = pending.split_first_chunk::<2>() else { return Ok(false) };
        if self.ended {
            return Err(self.broken("something follows its end mark"));
        }
        let count = i16::from_be_bytes(*count);
        if count == -1 {
            self.ended = true;
            self.at += 2;
            return Ok(false);
        }
        if usize::try_from(count) != Ok(self.columns.len()) {
            return Err(self.broken("a row has another number of fields"));
        }
        // First whether all of the row is here: a decoder cannot give a field back.
        let fields = rest;
        let mut widest = 0;
        for _ in 0..count {
            let Some((length, behind)) = rest.split_first_chunk::<4>() else { return Ok(false) };
            let length = usize::try_from(i32::from_be_bytes(*length)).unwrap_or_default();
            let Some(behind) = behind.get(length..) else { return Ok(false) };
            widest = widest.max(length);
            rest = behind;
        }
        self.alone = widest >= SHARED_BYTES;
        if self.alone && self.rows > 0 {
            return Ok(false);
        }
        let size = pending.len() - rest.len();
        let mut fields = fields;
        for (index, decoder) in self.columns.iter_mut().enumerate() {
            let Some((length, behind)) = fields.split_first_chunk::<4>() else { break };
            let length = i32::from_be_bytes(*length);
            let (field, behind) = match usize::try_from(length) {
                Ok(length) => match behind.split_at_checked(length) {
                    Some((field, behind)) => (Some(field), behind),
                    None => break,
                },
                Err(_) => (None, behind),
            };
            fields = behind;
            let pushed = match field {
                Some(wide) if wide.len() >= SHARED_BYTES => match decoder.whole(&self.pending.slice_ref(wide)) {
                    Ok(Some(array)) => {
                        self.shared.push((index, array));
                        Ok(())
                    }
                    Ok(None) => decoder.push(field),
                    Err(error) => Err(error),
                },
                _ => decoder.push(field),
            };
            if let Err(error) = pushed {
                let error = error.table(&self.table).key(format!("(row {} of its piece)", self.total + 1));
                return Err(match self.names.get(index) {
                    Some(name) => error.column(name),
                    None => error,
                });
            }
        }
        self.at += size;
        self.rows += 1;
        self.total += 1;
        self.bytes += size;
        Ok(true)
    }

    fn batch(&mut self) -> Result<Batch> {
        let mut arrays = self.columns.iter_mut().map(Decoder::finish).collect::<Result<Vec<_>>>()?;
        for (place, array) in self.shared.drain(..) {
            if let Some(column) = arrays.get_mut(place) {
                *column = array;
            }
        }
        let options = RecordBatchOptions::new().with_row_count(Some(self.rows));
        let rows = RecordBatch::try_new_with_options(Arc::clone(&self.schema), arrays, &options)?;
        self.rows = 0;
        self.bytes = 0;
        if self.at >= self.pending.len() {
            // A wide row would be there twice until the next one comes.
            (self.pending, self.at) = (Bytes::new(), 0);
        }
        let bytes = rows.get_array_memory_size();
        Ok(Batch::plain(rows, bytes))
    }

    fn broken(&self, why: &str) -> Error {
        broken(&self.table, why)
    }
}

fn broken(table: &str, why: &str) -> Error {
    Error::new(ErrorKind::ConnectionLost, format!("the binary COPY that the target sent is broken: {why}")).table(table)
}

/// An error of a value that the logical type cannot hold.
#[cold]
fn unfit(what: impl Into<String>) -> Error {
    Error::new(ErrorKind::Value, what)
}

/// The bytes of a field of a fixed size.
#[inline]
fn fixed<const N: usize>(field: &[u8]) -> Result<[u8; N]> {
    field.try_into().map_err(|_| unfit(format!("the target sent {} bytes where {N} were expected", field.len())))
}

#[cfg(test)]
mod tests {
    use arrow::array::{FixedSizeListArray, Float32Array, Int32Array};
    use arrow::buffer::NullBuffer;
    use arrow::datatypes::DataType;

    use super::*;
    use crate::engine::postgres::encode::{RowEncoder, TRAILER};
    use crate::model::ObjectName;
    use crate::model::catalog::{Column, NativeType};

    /// A table of an integer and a vector, three rows of it, and their COPY.
    fn vectors() -> (Table, Vec<TargetColumn>, RecordBatch, Vec<u8>) {
        let logical = LogicalType::Vector { dimensions: 3 };
        let mut table = Table::new(ObjectName::new("public", "t"));
        let mut target = Vec::new();
        for (name, logical, pg_type) in [("id", LogicalType::Int32, PgType::Int4), ("v", logical.clone(), PgType::Vector)] {
            table.columns.push(Column::new(name, Some(logical), NativeType::default()));
            let type_name = String::new();
            target.push(TargetColumn { name: name.into(), type_name, pg_type, typmod: -1, not_null: false, generated: false });
        }
        let DataType::FixedSizeList(field, _) = logical.arrow() else { panic!("no list") };
        let floats = Float32Array::from(vec![1.5, -0.0, f32::MAX, 0.0, 0.0, 0.0, 1e-45, 2.0, -3.25]);
        let nulls = NullBuffer::from(vec![true, false, true]);
        let vectors = FixedSizeListArray::new(field, 3, Arc::new(floats), Some(nulls));
        let schema = schema(table.columns.iter().map(|column| (column.name.as_str(), column.logical.as_ref().unwrap())));
        let batch =
            RecordBatch::try_new(schema, vec![Arc::new(Int32Array::from(vec![Some(7), None, Some(-1)])), Arc::new(vectors)])
                .unwrap();
        let encoder = RowEncoder::new(&table, &target).unwrap();
        let mut copy = HEADER.to_vec();
        encoder.bind(&batch).unwrap().put(0, usize::MAX, &mut copy).unwrap();
        copy.extend_from_slice(&TRAILER);
        (table, target, batch, copy)
    }

    #[test]
    fn rows_are_read_whatever_the_pieces_that_they_come_in() {
        let (table, target, batch, copy) = vectors();
        for size in [1, 2, 3, 7, 20, 64, copy.len()] {
            let mut decoder = RowDecoder::new(&table, &target, 1 << 20).unwrap();
            for piece in copy.chunks(size) {
                decoder.feed(Bytes::copy_from_slice(piece));
                assert!(decoder.next().unwrap().is_none());
            }
            assert_eq!(decoder.finish().unwrap().unwrap().rows, batch, "pieces of {size} bytes");
        }
    }

    #[test]
    fn a_copy_that_is_cut_off_or_goes_on_is_an_error() {
        let (table, target, _, copy) = vectors();
        for end in 0..copy.len() {
            let mut decoder = RowDecoder::new(&table, &target, 1 << 20).unwrap();
            decoder.feed(Bytes::copy_from_slice(&copy[..end]));
            decoder.next().unwrap();
            assert!(decoder.finish().is_err(), "{end} bytes of {}", copy.len());
        }
        for more in [&[0u8][..], &TRAILER, b"more"] {
            let mut decoder = RowDecoder::new(&table, &target, 1 << 20).unwrap();
            decoder.feed(Bytes::from([&copy, more].concat()));
            assert!(decoder.next().is_err() || decoder.finish().is_err());
        }
    }

    #[test]
    fn a_vector_is_its_dimensions_and_floats() {
        let (.., copy) = vectors();
        // Header, number of fields, the integer; then length, dimensions, an unused word, the first float.
        let at = HEADER.len() + 2 + 8;
        assert_eq!(copy[at..at + 12], [0, 0, 0, 16, 0, 3, 0, 0, 0x3f, 0xc0, 0, 0]);
    }
}
