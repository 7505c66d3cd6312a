//! Text, bytes, bits, labels.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{ArrayRef, BinaryBuilder, FixedSizeBinaryBuilder, ListBuilder, NullBufferBuilder, StringArray, StringBuilder};
use arrow::buffer::{Buffer, OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{DataType, Field};

use super::super::select::{TextForm, may_exceed_packet, text_form};
use super::{ColumnDecoder, RowBytes, Size, hex, missing, next_capacity, refused, unexpected, wire};
use crate::engine::mysql::wire::Block;
use crate::engine::short;
use crate::error::{Error, ErrorKind, Result};
use crate::model::catalog::NativeType;
use crate::model::loss::LossKind;
use crate::model::policy::EnumEmpty;

/// Bytes of an offset into a column of values of different lengths.
const OFFSET: usize = 4;

/// A value as long as it is on the wire.
const VARIABLE: Size = Size { each: OFFSET, per_byte: 1 };

fn utf8(bytes: &[u8]) -> Result<&str> {
    std::str::from_utf8(bytes).map_err(|_| invalid_utf8(bytes))
}

/// What a person may say of bytes that are no characters.
const INVALID_TEXT_RULE: &str = "invalid_text = \"replace\"";

/// The error of bytes that are no UTF-8.
pub(super) fn invalid_utf8(bytes: &[u8]) -> Error {
    let from = std::str::from_utf8(bytes).map_or_else(|error| error.valid_up_to(), str::len);
    refused(format!("the text is not valid UTF-8 at byte {}: {}", from + 1, hex(bytes.get(from..).unwrap_or_default())))
        .rule(INVALID_TEXT_RULE)
}

/// The error of text that the server cannot convert and back.
pub(super) fn unconvertible(bytes: &[u8]) -> Error {
    refused(format!(
        "the text has bytes that are no characters of the column's character set; converted it begins with {}",
        hex(bytes)
    ))
    .rule(INVALID_TEXT_RULE)
}

/// The error of a value that is longer than the server's functions return. Not one of a value that may be rejected: not all of it is there.
pub(super) fn longer_than_packet() -> Error {
    let what = "the value is longer than the server's `max_allowed_packet`, and would be read as NULL";
    Error::new(ErrorKind::Unsupported, what)
        .hint("Raise it on the source, as far as its longest value: SET GLOBAL max_allowed_packet = 1073741824; then run again")
}

/// What the server says of a text beside the text itself.
#[derive(Debug, Clone, Copy)]
pub(super) enum Beside {
    /// Nothing.
    Nothing,
    /// At this place, whether the way to utf8mb4 and back gives the same bytes.
    Lossless(usize),
    /// At this place, whether there is a value at all.
    Present(usize),
}

impl Beside {
    /// As [`super::super::select::expressions`] asks; `next` is the place behind the text.
    pub(super) fn of(native: &NativeType, next: usize) -> Self {
        match text_form(native) {
            TextForm::Checked => Beside::Lossless(next),
            TextForm::Bytes if may_exceed_packet(native) => Beside::Present(next),
            TextForm::Bytes | TextForm::Converted => Beside::Nothing,
        }
    }

    /// Whether the text is what the column has, as far as that was asked; `there` if it is not NULL.
    pub(super) fn is_lossless(self, row: RowBytes<'_>, there: bool) -> Result<bool> {
        let flag = |at| Ok::<_, Error>(wire(row, at)?.map(|flag| flag.iter().any(|byte| *byte != 0)));
        match self {
            Beside::Nothing => Ok(true),
            Beside::Lossless(_) if !there => Ok(true),
            Beside::Lossless(at) => flag(at)?.ok_or_else(longer_than_packet),
            Beside::Present(at) if flag(at)?.unwrap_or(there) == there => Ok(true),
            Beside::Present(_) => Err(longer_than_packet()),
        }
    }
}

struct Text {
    at: usize,
    beside: Beside,
    /// All of it UTF-8, and so is each value; checked when it comes in.
    bytes: Vec<u8>,
    /// Where each value ends; in front, where the first one begins.
    offsets: Vec<i32>,
    nulls: NullBufferBuilder,
}

pub(super) fn text(at: usize, beside: Beside) -> Box<dyn ColumnDecoder> {
    Box::new(Text { at, beside, bytes: Vec::new(), offsets: vec![0], nulls: NullBufferBuilder::new(0) })
}

impl Text {
    /// Adds a value that has not been checked.
    #[inline]
    fn push(&mut self, value: Option<&[u8]>) -> Result<()> {
        match value {
            Some(bytes) => {
                self.bytes.extend_from_slice(bytes);
                self.nulls.append_non_null();
            }
            None => self.nulls.append_null(),
        }
        self.offsets.push(self.end()?);
        Ok(())
    }

    /// The offset of what comes next.
    #[inline]
    fn end(&self) -> Result<i32> {
        // A batch is bounded far below.
        i32::try_from(self.bytes.len()).map_err(|_| Error::internal("a batch has more than 2 GiB of one text"))
    }
}

impl ColumnDecoder for Text {
    fn size(&self) -> Size {
        VARIABLE
    }

    fn append(&mut self, row: RowBytes<'_>) -> Result<()> {
        let value = wire(row, self.at)?;
        let lossless = self.beside.is_lossless(row, value.is_some())?;
        if let Some(bytes) = value {
            if !lossless {
                return Err(unconvertible(bytes));
            }
            utf8(bytes)?;
        }
        self.push(value)
    }

    fn extend(&mut self, block: &Block<'_>, rows: Range<usize>) -> Result<(), (usize, Error)> {
        self.offsets.reserve(rows.len());
        if !matches!(self.beside, Beside::Nothing) {
            for row in rows {
                self.append(RowBytes::Live(block, row)).map_err(|error| (row, error))?;
            }
            return Ok(());
        }
        let start = self.bytes.len();
        // NULLs are few, and the others cost nothing when they are told of together.
        let mut valid = 0;
        for row in rows.clone() {
            if let Some((ahead, length)) = block.ahead(row, self.at).ok_or_else(|| (row, missing()))? {
                short::append(ahead, length, &mut self.bytes);
                valid += 1;
            } else {
                self.nulls.append_n_non_nulls(valid);
                valid = 0;
                self.nulls.append_null();
            }
            self.offsets.push(self.end().map_err(|error| (row, error))?);
        }
        self.nulls.append_n_non_nulls(valid);
        // Mostly all of it is ASCII, and then so is each value. UTF-8 together is UTF-8 each if it is cut between characters.
        let added = self.bytes.get(start..).unwrap_or_default();
        let cut = |text: &str| {
            let ends = self.offsets.iter().rev().take(rows.len());
            ends.filter_map(|end| usize::try_from(*end).ok()).all(|end| text.is_char_boundary(end.saturating_sub(start)))
        };
        if !added.is_ascii() && !std::str::from_utf8(added).is_ok_and(cut) {
            for row in rows {
                let value = wire(RowBytes::Live(block, row), self.at).map_err(|error| (row, error))?;
                value.map_or(Ok(""), utf8).map_err(|error| (row, error))?;
            }
        }
        Ok(())
    }

    fn finish(&mut self) -> ArrayRef {
        let bytes = Vec::with_capacity(next_capacity(self.bytes.len()));
        let mut offsets = Vec::with_capacity(next_capacity(self.offsets.len()));
        offsets.push(0);
        let (bytes, offsets) = (std::mem::replace(&mut self.bytes, bytes), std::mem::replace(&mut self.offsets, offsets));
        let offsets = OffsetBuffer::new(ScalarBuffer::from(offsets));
        Arc::new(StringArray::new(offsets, Buffer::from_vec(bytes), self.nulls.finish()))
    }
}

struct Binary {
    at: usize,
    builder: BinaryBuilder,
}

pub(super) fn binary(at: usize) -> Box<dyn ColumnDecoder> {
    Box::new(Binary { at, builder: BinaryBuilder::new() })
}

impl ColumnDecoder for Binary {
    fn size(&self) -> Size {
        VARIABLE
    }

    fn append(&mut self, row: RowBytes<'_>) -> Result<()> {
        self.builder.append_option(wire(row, self.at)?);
        Ok(())
    }

    fn finish(&mut self) -> ArrayRef {
        Arc::new(self.builder.finish())
    }
}

/// BIT(n): on the wire a big-endian number, so aligned to the last bit; in Arrow aligned to the first.
struct Bits {
    at: usize,
    length: u32,
    builder: BinaryBuilder,
}

pub(super) fn bits(at: usize, length: u32) -> Box<dyn ColumnDecoder> {
    Box::new(Bits { at, length, builder: BinaryBuilder::new() })
}

fn align(bytes: &[u8], length: u32) -> Result<([u8; 8], usize)> {
    let wrong = || unexpected("bit string of the planned length", bytes);
    let count = usize::try_from(length.div_ceil(8)).map_err(|_| wrong())?;
    if bytes.is_empty() || length == 0 || length > 64 || bytes.len() > 8 {
        return Err(wrong());
    }
    let number = bytes.iter().fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    if length < 64 && number >> length != 0 {
        return Err(wrong());
    }
    Ok(((number << (64 - length)).to_be_bytes(), count))
}

impl ColumnDecoder for Bits {
    fn size(&self) -> Size {
        VARIABLE
    }

    fn append(&mut self, row: RowBytes<'_>) -> Result<()> {
        match wire(row, self.at)? {
            Some(bytes) => {
                let (aligned, count) = align(bytes, self.length)?;
                self.builder.append_value(aligned.get(..count).unwrap_or_default());
            }
            None => self.builder.append_null(),
        }
        Ok(())
    }

    fn finish(&mut self) -> ArrayRef {
        Arc::new(self.builder.finish())
    }
}

/// MariaDB's UUID, text on the wire.
struct Uuid {
    at: usize,
    builder: FixedSizeBinaryBuilder,
}

pub(super) fn uuid(at: usize) -> Box<dyn ColumnDecoder> {
    Box::new(Uuid { at, builder: FixedSizeBinaryBuilder::new(16) })
}

impl ColumnDecoder for Uuid {
    fn size(&self) -> Size {
        Size::fixed(16)
    }

    fn append(&mut self, row: RowBytes<'_>) -> Result<()> {
        match wire(row, self.at)? {
            Some(bytes) => {
                let uuid = uuid::Uuid::try_parse_ascii(bytes).map_err(|error| unexpected("UUID", bytes).with_source(error))?;
                self.builder.append_value(uuid.as_bytes())?;
            }
            None => self.builder.append_null(),
        }
        Ok(())
    }

    fn finish(&mut self) -> ArrayRef {
        Arc::new(self.builder.finish())
    }
}

/// The number that stands behind a label, asked for where '' is ambiguous.
fn number(row: RowBytes<'_>, at: usize) -> Result<u64> {
    let bytes = wire(row, at)?.unwrap_or_default();
    bytes.try_into().map(u64::from_le_bytes).map_err(|_| unexpected("64-bit number", bytes))
}

struct Label {
    at: usize,
    /// From the label's bytes to its position.
    labels: HashMap<Vec<u8>, usize>,
    /// Where the index stands, if '' is a label.
    index_at: Option<usize>,
    builder: StringBuilder,
    /// What stands for the error value.
    empty: Option<EnumEmpty>,
    applied: Option<LossKind>,
}

pub(super) fn label(at: usize, labels: &[String], empty: Option<EnumEmpty>) -> Box<dyn ColumnDecoder> {
    Box::new(Label {
        at,
        index_at: labels.iter().any(String::is_empty).then_some(at + 1),
        labels: labels.iter().enumerate().map(|(index, label)| (label.clone().into_bytes(), index)).collect(),
        builder: StringBuilder::new(),
        empty,
        applied: None,
    })
}

impl ColumnDecoder for Label {
    fn size(&self) -> Size {
        VARIABLE
    }

    fn append(&mut self, row: RowBytes<'_>) -> Result<()> {
        let Some(bytes) = wire(row, self.at)? else {
            self.builder.append_null();
            return Ok(());
        };
        if bytes.is_empty()
            && match self.index_at {
                Some(at) => number(row, at)? == 0,
                None => true,
            }
        {
            match &self.empty {
                None => {
                    return Err(refused("the enumeration has its error value '', which is none of its labels")
                        .rule("enum_empty = \"null\"  # or the label that is to stand for it"));
                }
                Some(EnumEmpty::Null) => self.builder.append_null(),
                Some(EnumEmpty::Label(label)) => self.builder.append_value(label),
            }
            self.applied = Some(LossKind::EnumEmpty);
            return Ok(());
        }
        if !self.labels.contains_key(bytes) {
            return Err(refused(format!("`{}` is none of the enumeration's labels", String::from_utf8_lossy(bytes))));
        }
        self.builder.append_value(utf8(bytes)?);
        Ok(())
    }

    fn applied(&mut self, into: &mut Vec<LossKind>) {
        into.extend(self.applied.take());
    }

    fn finish(&mut self) -> ArrayRef {
        Arc::new(self.builder.finish())
    }
}

struct Labels {
    at: usize,
    labels: Vec<String>,
    positions: HashMap<Vec<u8>, usize>,
    /// Where the members stand as bits, if '' is a label.
    mask_at: Option<usize>,
    builder: ListBuilder<StringBuilder>,
}

pub(super) fn labels(at: usize, labels: &[String]) -> Box<dyn ColumnDecoder> {
    Box::new(Labels {
        at,
        labels: labels.to_vec(),
        positions: labels.iter().enumerate().map(|(index, label)| (label.clone().into_bytes(), index)).collect(),
        mask_at: labels.iter().any(String::is_empty).then_some(at + 1),
        builder: ListBuilder::new(StringBuilder::new()).with_field(Field::new_list_field(DataType::Utf8, false)),
    })
}

impl Labels {
    /// The members as bits, the first label the lowest.
    fn mask(&self, row: RowBytes<'_>, bytes: &[u8]) -> Result<u64> {
        if let Some(at) = self.mask_at {
            return number(row, at);
        }
        let mut mask = 0;
        for label in bytes.split(|byte| *byte == b',').filter(|_| !bytes.is_empty()) {
            let position = self.positions.get(label).and_then(|position| u32::try_from(*position).ok());
            match position.and_then(|position| 1_u64.checked_shl(position)) {
                Some(bit) => mask |= bit,
                None => return Err(refused(format!("`{}` is none of the set's labels", String::from_utf8_lossy(label)))),
            }
        }
        Ok(mask)
    }
}

impl ColumnDecoder for Labels {
    fn size(&self) -> Size {
        Size { each: OFFSET * (1 + self.labels.len().min(64)), per_byte: 1 }
    }

    fn append(&mut self, row: RowBytes<'_>) -> Result<()> {
        let Some(bytes) = wire(row, self.at)? else {
            self.builder.append(false);
            return Ok(());
        };
        let mut mask = self.mask(row, bytes)?;
        for label in &self.labels {
            if mask & 1 == 1 {
                self.builder.values().append_value(label);
            }
            mask >>= 1;
        }
        if mask != 0 {
            return Err(refused("the set has a member that is none of its labels"));
        }
        self.builder.append(true);
        Ok(())
    }

    fn finish(&mut self) -> ArrayRef {
        Arc::new(self.builder.finish())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::mysql::wire::Sample;

    #[test]
    fn bits_begin_at_the_highest_bit() {
        let read = |bytes: &[u8], length| align(bytes, length).map(|(bytes, count)| bytes[..count].to_vec());
        assert_eq!(read(&[0b101], 3).unwrap(), [0b1010_0000]);
        assert_eq!(read(&[0b1, 0xff], 9).unwrap(), [0xff, 0x80]);
        assert_eq!(read(&[0xff; 8], 64).unwrap(), [0xff; 8]);
        assert!(read(&[0b1000], 3).is_err());
        assert!(read(&[], 3).is_err());
    }

    #[test]
    fn texts_that_are_utf8_only_together_are_refused_one_by_one() {
        let read = |texts: &[&[u8]]| {
            let row = |text: &&[u8]| [&[0, 0, u8::try_from(text.len()).unwrap()][..], text].concat();
            let rows: Vec<Vec<u8>> = texts.iter().map(row).collect();
            let sample = Sample::of(&[0xfd], &rows.iter().map(Vec::as_slice).collect::<Vec<_>>()).unwrap();
            let mut decoder = text(0, Beside::Nothing);
            // What was there before does not count.
            decoder.extend(&sample.block(), 0..1).map_err(|(row, _)| row)?;
            decoder.extend(&sample.block(), 1..texts.len()).map_err(|(row, _)| row)?;
            Ok::<_, usize>(decoder.finish().len())
        };
        assert_eq!(read(&[b"a", "\u{fc}".as_bytes(), b"", "\u{1f600}b".as_bytes()]), Ok(4));
        assert_eq!(read(&[b"a", b"b\xc3", b"\xbc", b"c"]), Err(1));
        assert_eq!(read(&["\u{fc}".as_bytes(), b"c", b"\xf0\x9f", b"\x98\x80"]), Err(2));
        assert_eq!(read(&[b"a", b"b", b"\xff"]), Err(2));
    }

    #[test]
    fn bytes_that_are_no_utf8_are_shown() {
        let error = utf8(b"ab\xed\xa0\x80").unwrap_err();
        assert!(error.to_string().contains("at byte 3: 0xeda080"), "{error}");
    }
}
