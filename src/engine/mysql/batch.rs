//! Rows on their way into a batch. Where rows are kept, one that cannot be decoded is set aside, and the others go on.
//!
//! Rows come in blocks and are decoded column by column, so that each decoder has a loop of its own over values that are still in the
//! core's cache; rows that are kept are decoded one by one.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{ArrayRef, StringArray};
use arrow::compute::concat_batches;
use arrow::datatypes::SchemaRef;
use arrow::record_batch::{RecordBatch, RecordBatchOptions};

use super::decode::{ColumnDecoder, RowBytes, decoder, hex, wire};
use super::select::expressions;
use super::wire::Block;
use crate::engine::{Batch, Held, RawRows};
use crate::error::{Error, ErrorKind, Result};
use crate::model::catalog::ServerInfo;
use crate::model::logical::{LogicalType, schema};
use crate::model::loss::{LossKind, Losses};
use crate::model::reject::{RawColumn, RawRow, Reject};
use crate::model::row::describe_key;
use crate::model::unit::{ReadColumn, ReadPlan};

/// Rejects of one batch at most, so that a table whose every row fails is told of soon, and is not held in memory.
const MOST_REJECTS: usize = 1000;

/// A batch as it grows.
pub(super) struct BatchBuilder<'a> {
    what: &'a ReadPlan,
    schema: SchemaRef,
    decoders: Decoders,
    /// Where each column's first expression stands in the row.
    positions: Vec<usize>,
    /// How many expressions were asked for.
    width: usize,
    /// What each row adds, and where values stand that add more by their length, with how much.
    row_bytes: usize,
    sized: Vec<(usize, usize)>,
    /// The most that one of them adds for each of its bytes.
    most_per_byte: usize,
    /// Kept, so that no block allocates.
    sizes: Vec<usize>,
    /// Rows in the decoders.
    rows: usize,
    /// Bytes of all rows.
    bytes: usize,
    /// The columns that have policies, by their place.
    under_policies: Vec<usize>,
    /// What they have done to the batch so far.
    losses: Losses,
    /// Kept, so that no row allocates.
    applied: Vec<LossKind>,
    /// What was decoded before a row was set aside.
    pieces: Vec<RecordBatch>,
    rejects: Vec<Reject>,
    /// The rows as they came, where they are kept.
    raw: RawBuffer,
}

/// One decoder per column.
type Decoders = Vec<Box<dyn ColumnDecoder>>;

/// The decoders of a read plan, and where the first expression of each stands.
fn decoders(what: &ReadPlan) -> Result<(Decoders, Vec<usize>)> {
    let mut positions = Vec::with_capacity(what.columns.len());
    let mut decoders = Vec::with_capacity(what.columns.len());
    let mut at = 0;
    for column in &what.columns {
        positions.push(at);
        decoders.push(decoder(column, at)?);
        at += width(column, what.keep_raw);
    }
    Ok((decoders, positions))
}

/// A value's bytes on the wire.
fn value_bytes(block: &Block<'_>, row: usize, at: usize) -> usize {
    block.value(row, at).flatten().map_or(0, <[u8]>::len)
}

/// How many expressions a column has, which does not depend on the server.
fn width(column: &ReadColumn, keep_raw: bool) -> usize {
    expressions(column, &ServerInfo::default(), keep_raw).len()
}

impl<'a> BatchBuilder<'a> {
    pub(super) fn new(what: &'a ReadPlan) -> Result<Self> {
        let (decoders, positions) = decoders(what)?;
        let width = what.columns.iter().map(|column| width(column, what.keep_raw)).sum();
        // An eighth of a byte for each validity bit, rounded up.
        let row_bytes = decoders.len().div_ceil(8) + decoders.iter().map(|decoder| decoder.size().each).sum::<usize>();
        let sized = positions.iter().zip(&decoders).map(|(at, decoder)| (*at, decoder.size().per_byte));
        let sized: Vec<(usize, usize)> = sized.filter(|(_, per_byte)| *per_byte > 0).collect();
        let schema = schema(what.columns.iter().map(|column| (column.name.as_str(), &column.logical)));
        let under_policies =
            what.columns.iter().enumerate().filter(|(_, column)| !column.policies.is_empty()).map(|(at, _)| at).collect();
        Ok(BatchBuilder {
            what,
            schema,
            decoders,
            positions,
            width,
            row_bytes,
            most_per_byte: sized.iter().map(|(_, per_byte)| *per_byte).max().unwrap_or(0),
            sized,
            sizes: Vec::new(),
            rows: 0,
            bytes: 0,
            under_policies,
            losses: Losses::default(),
            applied: Vec::new(),
            pieces: Vec::new(),
            rejects: Vec::new(),
            raw: RawBuffer::default(),
        })
    }

    /// True if there is something to finish.
    pub(super) fn holds_anything(&self) -> bool {
        self.rows > 0 || !self.pieces.is_empty() || !self.rejects.is_empty()
    }

    /// Takes rows of the block, from row `from` on, until the batch has `most` bytes; returns the first row that is left. When that is
    /// `from` itself, the batch must be finished before more is taken.
    ///
    /// # Errors
    /// `Value` for the first row that cannot be decoded, with column and key.
    pub(super) fn take(&mut self, block: &Block<'_>, from: usize, most: usize) -> Result<usize> {
        if block.width() != self.width {
            let what = format!("the server sent {} columns where {} were asked for", block.width(), self.width);
            return Err(Error::new(ErrorKind::SourceRead, what));
        }
        if !self.what.keep_raw
            && let Some(bytes) = self.most_bytes(block, from).filter(|bytes| self.bytes.saturating_add(*bytes) <= most)
        {
            // However its rows are, there is room for all of them, so none is looked at by itself.
            self.bytes += bytes;
            self.extend(block, from..block.rows())?;
            return Ok(block.rows());
        }
        self.measure(block, from);
        let mut to = from;
        if self.what.keep_raw {
            while let Some(bytes) = self.sizes.get(to - from).copied().filter(|bytes| self.has_room(*bytes, most)) {
                self.append(block, to, bytes)?;
                to += 1;
            }
            return Ok(to);
        }
        while let Some(bytes) = self.sizes.get(to - from).copied().filter(|bytes| self.has_room(*bytes, most)) {
            self.bytes += bytes;
            to += 1;
        }
        self.extend(block, from..to)?;
        Ok(to)
    }

    /// The bytes in memory of one row.
    pub(super) fn row_bytes(&self, block: &Block<'_>, row: usize) -> usize {
        let sized = |(at, per_byte): &(usize, usize)| value_bytes(block, row, *at).saturating_mul(*per_byte);
        self.kept(self.row_bytes + self.sized.iter().map(sized).sum::<usize>())
    }

    /// The bytes in memory, at most, of a row that has so many on the wire.
    pub(super) fn expected_bytes(&self, wire_bytes: usize) -> usize {
        let per_byte = self.sized.iter().map(|(_, per_byte)| *per_byte).max().unwrap_or(1);
        self.kept(wire_bytes.saturating_mul(per_byte).saturating_add(self.row_bytes))
    }

    /// The bytes in memory, at least, of a row that has so many on the wire.
    pub(super) fn least_bytes(&self, wire_bytes: usize) -> usize {
        self.kept(wire_bytes)
    }

    /// Gives an error of a row that is still to come the row's key, and the name of the column of its expression at `place`.
    pub(super) fn name_ahead(&self, error: Error, block: &Block<'_>, place: usize) -> Error {
        let column = self.what.columns.iter().zip(&self.positions).rfind(|(_, at)| **at <= place);
        match column {
            Some((column, _)) => error.column(&column.name).key(self.key(RowBytes::Live(block, 0))),
            None => error,
        }
    }

    /// Kept as it came, a row is there twice.
    fn kept(&self, bytes: usize) -> usize {
        let spans = self.width * size_of::<Option<Range<usize>>>();
        if self.what.keep_raw { bytes.saturating_mul(2).saturating_add(spans) } else { bytes }
    }

    /// Gives an error of a row the row's key, and the name of the column that takes the most of it.
    pub(super) fn name_widest(&self, error: Error, block: &Block<'_>, row: usize) -> Error {
        let widest = self.what.columns.iter().zip(&self.positions).max_by_key(|(_, at)| value_bytes(block, row, **at));
        match widest {
            Some((column, _)) => error.column(&column.name).key(self.key(RowBytes::Live(block, row))),
            None => error,
        }
    }

    fn has_room(&self, bytes: usize, most: usize) -> bool {
        (self.bytes == 0 || self.bytes + bytes <= most) && self.rejects.len() < MOST_REJECTS
    }

    /// Upper bound for the bytes in memory of the rows from `from` on, from the room that they take in the buffer.
    fn most_bytes(&self, block: &Block<'_>, from: usize) -> Option<usize> {
        let fixed = (block.rows() - from).checked_mul(self.row_bytes)?;
        block.bytes_from(from)?.checked_mul(self.most_per_byte)?.checked_add(fixed)
    }

    /// Finds out the bytes in memory of the rows from `from` on.
    fn measure(&mut self, block: &Block<'_>, from: usize) {
        self.sizes.clear();
        self.sizes.resize(block.rows() - from, self.row_bytes);
        for (at, per_byte) in &self.sized {
            for (row, size) in self.sizes.iter_mut().enumerate() {
                *size += value_bytes(block, from + row, *at).saturating_mul(*per_byte);
            }
        }
        if self.what.keep_raw {
            let mut sizes = std::mem::take(&mut self.sizes);
            sizes.iter_mut().for_each(|size| *size = self.kept(*size));
            self.sizes = sizes;
        }
    }

    /// Decodes rows, column by column.
    fn extend(&mut self, block: &Block<'_>, rows: Range<usize>) -> Result<()> {
        let mut end = rows.end;
        let mut fault = None;
        let mut applied = Vec::new();
        for (at, decoder) in self.decoders.iter_mut().enumerate() {
            // Of several faults the one in the first row is told, and of that row's the first one.
            let done = if self.under_policies.contains(&at) {
                under_policy(&mut **decoder, block, rows.start..end, |row, kind| applied.push((at, row, kind)))
            } else {
                decoder.extend(block, rows.start..end)
            };
            if let Err((row, error)) = done {
                (end, fault) = (row, Some((at, row, error)));
            }
        }
        if let Some((at, row, error)) = fault {
            let name = self.what.columns.get(at).map_or("?", |column| column.name.as_str());
            return Err(error.column(name).key(self.key(RowBytes::Live(block, row))));
        }
        let mut losses = std::mem::take(&mut self.losses);
        for (at, row, kind) in applied {
            if let Some(column) = self.what.columns.get(at) {
                let key = || Some(self.key(RowBytes::Live(block, row)));
                losses.add(&column.name, kind, &column.policies.word(kind), 1, key);
            }
        }
        self.losses = losses;
        self.rows += rows.len();
        Ok(())
    }

    /// Takes one row, which is kept.
    fn append(&mut self, block: &Block<'_>, row: usize, bytes: usize) -> Result<()> {
        let values = RowBytes::Live(block, row);
        self.bytes += bytes;
        match self.decode(values) {
            Ok(()) => {
                self.raw.push(block, row);
                Ok(())
            }
            Err(error) if error.kind() == ErrorKind::Value => {
                let kept = raw_row(self.what, &self.positions, |at| wire(values, at))?;
                self.set_aside(&error, kept)
            }
            Err(error) => Err(error),
        }
    }

    /// Decodes a row; after an error the decoders hold parts of it.
    fn decode(&mut self, row: RowBytes<'_>) -> Result<()> {
        for (at, decoder) in self.decoders.iter_mut().enumerate() {
            if let Err(error) = decoder.append(row) {
                let name = self.what.columns.get(at).map_or("?", |column| column.name.as_str());
                return Err(error.column(name).key(self.key(row)));
            }
        }
        if !self.under_policies.is_empty() {
            self.count_losses(row);
        }
        self.rows += 1;
        Ok(())
    }

    /// Takes out what was decoded before a row that failed, and goes on with new decoders.
    fn set_aside(&mut self, error: &Error, row: RawRow) -> Result<()> {
        let rows = self.rows;
        let arrays: Vec<ArrayRef> = self
            .decoders
            .iter_mut()
            .map(|decoder| {
                let array = decoder.finish();
                array.slice(0, rows.min(array.len()))
            })
            .collect();
        if rows > 0 {
            self.pieces.push(self.batch_of(arrays)?);
        }
        self.rows = 0;
        self.decoders = decoders(self.what)?.0;
        let place = error.place();
        self.rejects.push(Reject { key: place.key.clone(), column: place.column.clone(), reason: error.what().to_string(), row });
        Ok(())
    }

    /// Counts what policies have done to the row that was decoded last.
    fn count_losses(&mut self, row: RowBytes<'_>) {
        let mut losses = std::mem::take(&mut self.losses);
        let mut applied = std::mem::take(&mut self.applied);
        for at in self.under_policies.clone() {
            if let (Some(decoder), Some(column)) = (self.decoders.get_mut(at), self.what.columns.get(at)) {
                decoder.applied(&mut applied);
                for kind in applied.drain(..) {
                    losses.add(&column.name, kind, &column.policies.word(kind), 1, || Some(self.key(row)));
                }
            }
        }
        (self.losses, self.applied) = (losses, applied);
    }

    /// Names the row by a batch of its own, with nothing but its key.
    fn key(&self, row: RowBytes<'_>) -> String {
        let mut columns: Vec<(&ReadColumn, ArrayRef)> = Vec::new();
        for (column, at) in self.what.columns.iter().zip(&self.positions) {
            if self.what.row_key.contains(&column.name) {
                let decoded = decoder(column, *at).and_then(|mut decoder| decoder.append(row).map(|()| decoder.finish()));
                // The key itself may be what cannot be decoded: then as its bytes.
                let raw = || wire(row, *at).ok().flatten().map(hex);
                columns.push((column, decoded.unwrap_or_else(|_| Arc::new(StringArray::from(vec![raw()])))));
            }
        }
        let text = LogicalType::Text { length: None };
        let batch = RecordBatch::try_new(
            schema(columns.iter().map(|(column, array)| {
                let plain = *array.data_type() == column.logical.arrow();
                (column.name.as_str(), if plain { &column.logical } else { &text })
            })),
            columns.iter().map(|(_, array)| Arc::clone(array)).collect(),
        );
        match batch {
            Ok(batch) => describe_key(&batch, &self.what.row_key, 0),
            Err(_) => describe_key(&RecordBatch::new_empty(schema([])), &self.what.row_key, self.rows),
        }
    }

    fn batch_of(&self, arrays: Vec<ArrayRef>) -> Result<RecordBatch> {
        let options = RecordBatchOptions::new().with_row_count(Some(self.rows));
        Ok(RecordBatch::try_new_with_options(Arc::clone(&self.schema), arrays, &options)?)
    }

    pub(super) fn finish(&mut self) -> Result<Batch> {
        let arrays = self.decoders.iter_mut().map(|decoder| decoder.finish()).collect();
        let mut rows = self.batch_of(arrays)?;
        if !self.pieces.is_empty() {
            self.pieces.push(rows);
            rows = concat_batches(&self.schema, &self.pieces)?;
            self.pieces.clear();
        }
        (self.rows, self.bytes) = (0, 0);
        let raw = std::mem::take(&mut self.raw);
        let raw = self.what.keep_raw.then(|| -> Arc<dyn RawRows> {
            Arc::new(Kept { rows: raw, width: self.width, what: self.what.clone(), positions: self.positions.clone() })
        });
        let losses = std::mem::take(&mut self.losses);
        let rejects = std::mem::take(&mut self.rejects);
        Ok(Batch { bytes: rows.get_array_memory_size(), rows, losses, rejects, raw, held: Held::default() })
    }
}

/// Decodes a column's values one by one, and tells what its policies have done to each.
fn under_policy(
    decoder: &mut dyn ColumnDecoder,
    block: &Block<'_>,
    rows: Range<usize>,
    mut tell: impl FnMut(usize, LossKind),
) -> Result<(), (usize, Error)> {
    let mut applied = Vec::new();
    for row in rows {
        decoder.append(RowBytes::Live(block, row)).map_err(|error| (row, error))?;
        decoder.applied(&mut applied);
        applied.drain(..).for_each(|kind| tell(row, kind));
    }
    Ok(())
}

/// The bytes of rows, one value behind the other.
#[derive(Default)]
struct RawBuffer {
    bytes: Vec<u8>,
    /// Row by row, none for NULL.
    places: Vec<Option<Range<usize>>>,
}

impl RawBuffer {
    fn push(&mut self, block: &Block<'_>, row: usize) {
        for at in 0..block.width() {
            let value = block.value(row, at).flatten();
            self.places.push(value.map(|value| {
                let start = self.bytes.len();
                self.bytes.extend_from_slice(value);
                start..self.bytes.len()
            }));
        }
    }
}

/// The rows of a batch as they came.
struct Kept {
    rows: RawBuffer,
    width: usize,
    what: ReadPlan,
    positions: Vec<usize>,
}

impl std::fmt::Debug for Kept {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Kept({} bytes)", self.rows.bytes.len())
    }
}

impl RawRows for Kept {
    fn raw(&self, row: usize) -> Result<RawRow> {
        let missing = || Error::internal("a batch keeps fewer rows than it has");
        let from = row.checked_mul(self.width).ok_or_else(missing)?;
        let places = self.rows.places.get(from..).and_then(|places| places.get(..self.width)).ok_or_else(missing)?;
        raw_row(&self.what, &self.positions, |at| match places.get(at).ok_or_else(missing)? {
            Some(place) => self.rows.bytes.get(place.clone()).map(Some).ok_or_else(missing),
            None => Ok(None),
        })
    }
}

/// All bytes of a row.
fn raw_row<'a>(what: &ReadPlan, positions: &[usize], value: impl Fn(usize) -> Result<Option<&'a [u8]>>) -> Result<RawRow> {
    let columns = what.columns.iter().zip(positions).map(|(column, at)| {
        let parts = *at..*at + width(column, what.keep_raw);
        let bytes = parts.map(|at| Ok(value(at)?.map(<[u8]>::to_vec))).collect::<Result<_>>()?;
        Ok(RawColumn { name: column.name.clone(), native: column.native.full.clone(), bytes })
    });
    Ok(RawRow { columns: columns.collect::<Result<_>>()? })
}

/// Reads a kept row as `what` says, whose columns may come in another order.
pub(super) fn decode_raw(what: &ReadPlan, row: &RawRow) -> Result<Batch> {
    let mut all = Vec::new();
    for column in &what.columns {
        let fits = |kept: &&RawColumn| kept.name == column.name && kept.native == column.native.full;
        let kept = row.columns.iter().find(fits).filter(|kept| kept.bytes.len() == width(column, true)).ok_or_else(|| {
            Error::new(ErrorKind::Mapping, "the rejected row was read without the column, or in another form")
                .table(&what.table)
                .column(&column.name)
                .hint("Choose another policy for the column, or run the table again")
        })?;
        all.extend(kept.bytes.iter().cloned());
    }
    let what = ReadPlan { keep_raw: true, ..what.clone() };
    let mut builder = BatchBuilder::new(&what)?;
    builder.decode(RowBytes::Kept(&all)).map_err(|error| error.table(&what.table))?;
    builder.finish()
}
