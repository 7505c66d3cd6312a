//! From the rows of a binary COPY straight to their digest, without arrays in between: most of what reading again costs is making them.
//!
//! Each column has a [`Form`], by which its fields become canonical bytes where they lie; columns without one are decoded and hashed as
//! everything else is. Rows are hashed column by column, some hundred at a time, so that each type has a loop of its own and what is touched
//! stays in the processor's first caches. What [`super::RowDecoder`] refuses is refused here too, and the outcome is that of
//! [`crate::verify::hasher::RowHasher`] over its batches: the fuzzing of this engine compares both.

use super::numeric::Fraction;
use super::{Decoder, fixed, temporal};
use crate::engine::postgres::encode::HEADER;
use crate::engine::postgres::target::TargetColumn;
use crate::error::{Error, Result};
use crate::model::{Digest, LogicalType, Table, json};
use crate::verify::canonical;
use crate::verify::hasher::{Chain, chain, chain_exact};

/// Bytes that are gathered before they are hashed: rows come one by one. With the places of their fields they fit the smallest first caches.
const GATHERED_BYTES: usize = 16 << 10;

/// Rows that are hashed together at most.
const MOST_ROWS: usize = 256;

/// How a field becomes canonical bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// Whole numbers of 1, 2, 4 or 8 bytes, from the least to the most.
    Whole(usize, i64, i64),
    /// Whole numbers as `numeric`, from the least to the most.
    WholeNumeric(i128, i128),
    /// One byte, 0 or 1.
    Flag,
    /// The bits of a float, of 4 bytes.
    Float32,
    /// The bits of a float, of 8 bytes.
    Float64,
    /// `numeric` of so many digits, and so many of them behind the point.
    Decimal(u8, u8),
    /// `numeric` of any digits.
    Numeric,
    /// Days.
    Date,
    /// Microseconds as they are.
    Micros,
    /// Microseconds since 2000.
    Timestamp,
    /// An interval that is microseconds.
    Duration,
    /// UTF-8.
    Text,
    /// UTF-8 behind a version.
    VersionedText,
    /// JSON; true behind a version.
    Json(bool),
    /// Bytes as they are.
    Bytes,
    /// So many bits behind their number.
    Bits(u32),
    /// Sixteen bytes.
    Uuid,
    /// By way of an array.
    Decoded,
}

/// Where a field stands in the bytes of its block.
#[derive(Debug, Clone, Copy)]
struct Span {
    start: u32,
    end: u32,
}

/// What stands for NULL. No field lies there.
const NULL: Span = Span { start: u32::MAX, end: u32::MAX };

/// What stands at a place.
enum Found {
    /// A row, with its end.
    Row(usize),
    /// The end mark, with its end.
    End(usize),
    /// Something that has not arrived in full.
    Part,
}

struct Column {
    name: String,
    logical: LogicalType,
    form: Form,
    decoder: Decoder,
}

/// Hashes a whole COPY, whatever the borders of the pieces that it comes in.
pub(in crate::engine::postgres) struct RowHashes {
    table: String,
    columns: Vec<Column>,
    /// What has arrived and is not hashed yet.
    gathered: Vec<u8>,
    /// Of the rows of a block, one after the other.
    spans: Vec<Span>,
    states: Vec<u128>,
    scratch: Vec<u8>,
    digest: Digest,
    begun: bool,
    ended: bool,
}

impl RowHashes {
    /// For all columns of `table`, generated ones included, in its order and its logical types.
    ///
    /// # Errors
    /// `Mapping` for a column that cannot be read as its logical type.
    pub(in crate::engine::postgres) fn new(table: &Table, target: &[TargetColumn]) -> Result<Self> {
        let decoders = super::decoders(table, target)?;
        let columns = table.columns.iter().zip(decoders).filter_map(|(column, decoder)| {
            let logical = column.logical.clone()?;
            Some(Column { name: column.name.clone(), form: decoder.form(&logical), logical, decoder })
        });
        Ok(RowHashes {
            table: table.name.to_string(),
            columns: columns.collect(),
            gathered: Vec::new(),
            spans: Vec::new(),
            states: Vec::new(),
            scratch: Vec::new(),
            digest: Digest::default(),
            begun: false,
            ended: false,
        })
    }

    /// Takes what has arrived.
    ///
    /// # Errors
    /// `Value` for what the logical type of its column cannot hold; `ConnectionLost` for what is no COPY of these columns.
    pub(in crate::engine::postgres) fn feed(&mut self, data: &[u8]) -> Result<()> {
        if data.len() >= GATHERED_BYTES {
            self.hash_gathered()?;
        }
        if self.gathered.is_empty() && data.len() >= GATHERED_BYTES {
            // Nothing of a wide row is copied.
            let used = self.read(data)?;
            self.gathered.extend_from_slice(data.get(used..).unwrap_or_default());
            return Ok(());
        }
        self.gathered.extend_from_slice(data);
        if self.gathered.len() >= GATHERED_BYTES { self.hash_gathered() } else { Ok(()) }
    }

    /// Rows that were hashed so far.
    pub(in crate::engine::postgres) fn rows(&self) -> u64 {
        self.digest.rows
    }

    /// The digest of all rows, once all has arrived.
    ///
    /// # Errors
    /// As for [`RowHashes::feed`], and `ConnectionLost` when the end of the rows has not arrived.
    pub(in crate::engine::postgres) fn finish(mut self) -> Result<Digest> {
        self.hash_gathered()?;
        if !self.ended || !self.gathered.is_empty() {
            return Err(self.broken("it ends before its end mark"));
        }
        Ok(self.digest)
    }

    fn hash_gathered(&mut self) -> Result<()> {
        let mut gathered = std::mem::take(&mut self.gathered);
        let used = self.read(&gathered)?;
        gathered.drain(..used);
        if gathered.len() < GATHERED_BYTES {
            // The room that a wide row has taken is not kept.
            gathered.shrink_to(2 * GATHERED_BYTES);
        }
        self.gathered = gathered;
        Ok(())
    }

    /// Hashes the rows that are there in full; gives how many bytes they have.
    fn read(&mut self, bytes: &[u8]) -> Result<usize> {
        if u32::try_from(bytes.len()).is_ok_and(|length| length < u32::MAX) {
            let mut at = 0;
            if !self.begun {
                let Some(header) = bytes.get(..HEADER.len()) else { return Ok(0) };
                if header != HEADER {
                    return Err(self.broken("it does not begin as one"));
                }
                at = HEADER.len();
                self.begun = true;
            }
            loop {
                self.spans.clear();
                let mut rows = 0;
                let more = loop {
                    match self.row(bytes, at)? {
                        Found::Row(end) => (at, rows) = (end, rows + 1),
                        Found::End(end) => {
                            (at, self.ended) = (end, true);
                            break false;
                        }
                        Found::Part => break false,
                    }
                    if rows == MOST_ROWS {
                        break true;
                    }
                };
                self.block(bytes, rows)?;
                if !more {
                    return Ok(at);
                }
            }
        }
        Err(self.broken("a row has 4 GiB or more"))
    }

    /// Finds the fields of the row at `at`.
    #[inline]
    fn row(&mut self, bytes: &[u8], mut at: usize) -> Result<Found> {
        let pending = bytes.get(at..).unwrap_or_default();
        let Some((count, mut rest)) = pending.split_first_chunk::<2>() else { return Ok(Found::Part) };
        if self.ended {
            return Err(self.broken("something follows its end mark"));
        }
        at += 2;
        let count = i16::from_be_bytes(*count);
        if count == -1 {
            return Ok(Found::End(at));
        }
        if usize::try_from(count) != Ok(self.columns.len()) {
            return Err(self.broken("a row has another number of fields"));
        }
        let before = self.spans.len();
        for _ in 0..self.columns.len() {
            let Some((length, behind)) = rest.split_first_chunk::<4>() else { break };
            at += 4;
            rest = behind;
            let Ok(length) = usize::try_from(i32::from_be_bytes(*length)) else {
                self.spans.push(NULL);
                continue;
            };
            let Some(behind) = rest.get(length..) else { break };
            self.spans.push(Span { start: place(at), end: place(at + length) });
            at += length;
            rest = behind;
        }
        if self.spans.len() - before < self.columns.len() {
            self.spans.truncate(before);
            return Ok(Found::Part);
        }
        Ok(Found::Row(at))
    }

    /// Hashes rows whose fields were found.
    fn block(&mut self, bytes: &[u8], rows: usize) -> Result<()> {
        self.states.clear();
        self.states.resize(rows, 0);
        let width = self.columns.len();
        for (index, column) in self.columns.iter_mut().enumerate() {
            let fields = Fields { bytes, spans: self.spans.get(index..).unwrap_or_default(), width };
            if let Err((row, error)) = column.hash(fields, &mut self.states, &mut self.scratch) {
                let row = self.digest.rows + u64::try_from(row).unwrap_or_default() + 1;
                return Err(error.table(&self.table).column(&column.name).key(format!("(row {row} of its piece)")));
            }
        }
        for state in &self.states {
            self.digest.add_row(*state);
        }
        Ok(())
    }

    fn broken(&self, why: &str) -> Error {
        super::broken(&self.table, why)
    }
}

/// A place in a block, which has less than 4 GiB.
#[inline]
fn place(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

/// The fields of one column of a block.
#[derive(Clone, Copy)]
struct Fields<'a> {
    bytes: &'a [u8],
    /// From the first row's on.
    spans: &'a [Span],
    /// Columns of a row.
    width: usize,
}

impl<'a> Fields<'a> {
    /// Those of each row.
    #[inline(always)]
    fn each(self) -> impl Iterator<Item = Option<&'a [u8]>> {
        // No span but that of NULL lies outside of the bytes.
        self.spans.iter().step_by(self.width.max(1)).map(move |span| self.bytes.get(span.start as usize..span.end as usize))
    }

    /// One step of each row's hash. `step` gives its next state.
    #[inline(always)]
    fn chain(self, states: &mut [u128], mut step: impl FnMut(u128, &'a [u8]) -> Result<u128>) -> Result<(), (usize, Error)> {
        for (row, (state, field)) in states.iter_mut().zip(self.each()).enumerate() {
            *state = match field {
                None => chain(*state, None),
                Some(field) => step(*state, field).map_err(|error| (row, error))?,
            };
        }
        Ok(())
    }

    /// As [`Fields::chain`], of forms with a fixed number of bytes.
    #[inline(always)]
    fn fixed<const N: usize>(
        self,
        states: &mut [u128],
        form: impl Fn(&'a [u8]) -> Result<[u8; N]>,
    ) -> Result<(), (usize, Error)> {
        self.chain(states, |state, field| Ok(chain(state, Some(&form(field)?))))
    }

    /// As [`Fields::chain`], of whole numbers within their bounds.
    #[inline(always)]
    fn whole(
        self,
        states: &mut [u128],
        least: i64,
        most: i64,
        number: impl Fn(&'a [u8]) -> Result<i64>,
    ) -> Result<(), (usize, Error)> {
        self.chain(states, |state, field| {
            let value = number(field)?;
            if value < least || value > most {
                return Err(super::number::out_of_range(value.into()));
            }
            Ok(chain_exact(state, value, 0))
        })
    }
}

impl Column {
    fn hash(&mut self, fields: Fields<'_>, states: &mut [u128], scratch: &mut Vec<u8>) -> Result<(), (usize, Error)> {
        match self.form {
            Form::Whole(1, least, most) => fields.whole(states, least, most, |field| Ok(fixed::<1>(field)?[0].into())),
            Form::Whole(2, least, most) => {
                fields.whole(states, least, most, |field| Ok(i16::from_be_bytes(fixed(field)?).into()))
            }
            Form::Whole(4, least, most) => {
                fields.whole(states, least, most, |field| Ok(i32::from_be_bytes(fixed(field)?).into()))
            }
            Form::Whole(_, least, most) => fields.whole(states, least, most, |field| Ok(i64::from_be_bytes(fixed(field)?))),
            Form::WholeNumeric(least, most) => fields.chain(states, |state, field| {
                let value = super::numeric::whole(field)?;
                if value < least || value > most {
                    return Err(super::number::out_of_range(value));
                }
                canonical::exact(value, 0, scratch);
                Ok(chain(state, Some(scratch)))
            }),
            Form::Flag => fields.fixed(states, |field| match fixed::<1>(field)? {
                [value @ (0 | 1)] => Ok([value]),
                [value] => Err(super::number::out_of_range(value.into())),
            }),
            Form::Float32 => fields.fixed(states, |field| Ok(u32::from_be_bytes(fixed(field)?).to_le_bytes())),
            Form::Float64 => fields.fixed(states, |field| Ok(u64::from_be_bytes(fixed(field)?).to_le_bytes())),
            Form::Decimal(precision, scale) => fields.chain(states, |state, field| match Fraction::small(field) {
                Some(small) if small.is_decimal(precision, scale) => Ok(chain_exact(state, small.coefficient, small.scale)),
                _ => {
                    super::numeric::decimal_form(field, precision, scale, scratch)?;
                    Ok(chain(state, Some(scratch)))
                }
            }),
            Form::Numeric => fields.chain(states, |state, field| match Fraction::small(field) {
                Some(small) if small.is_shown(field) => Ok(chain_exact(state, small.coefficient, small.scale)),
                _ => {
                    canonical::numeric(&super::numeric::text(field)?, scratch);
                    Ok(chain(state, Some(scratch)))
                }
            }),
            Form::Date => fields.fixed(states, |field| Ok(temporal::date(field)?.to_le_bytes())),
            Form::Micros => fields.fixed(states, |field| Ok(temporal::micros(field)?.to_le_bytes())),
            Form::Timestamp => fields.fixed(states, |field| Ok(temporal::timestamp(field)?.to_le_bytes())),
            Form::Duration => fields.fixed(states, |field| Ok(temporal::duration(field)?.to_le_bytes())),
            Form::Text => fields.chain(states, |state, field| {
                // Most texts are short and ASCII.
                if !field.is_ascii() {
                    super::text::utf8(field)?;
                }
                Ok(chain(state, Some(field)))
            }),
            Form::VersionedText => fields.chain(states, |state, field| {
                let text = super::text::utf8(super::text::unversioned(field)?)?;
                Ok(chain(state, Some(text.as_bytes())))
            }),
            Form::Json(versioned) => fields.chain(states, |state, field| {
                let text = super::text::utf8(if versioned { super::text::unversioned(field)? } else { field })?;
                Ok(match json::canonical(text) {
                    Ok(form) => chain(state, Some(form.as_bytes())),
                    Err(_) => {
                        canonical::no_json(text, scratch);
                        chain(state, Some(scratch))
                    }
                })
            }),
            Form::Bytes => fields.chain(states, |state, field| Ok(chain(state, Some(field)))),
            Form::Bits(wanted) => {
                fields.chain(states, |state, field| Ok(chain(state, Some(super::binary::bits(field, wanted)?))))
            }
            Form::Uuid => fields.fixed(states, fixed::<16>),
            Form::Decoded => {
                for (row, field) in fields.each().take(states.len()).enumerate() {
                    self.decoder.push(field).map_err(|error| (row, error))?;
                }
                let hashed = self.decoder.finish().and_then(|array| canonical::tell(&array, &self.logical, Chain(states)));
                hashed.map_err(|error| (0, error))
            }
        }
    }
}
