//! Wire bytes of the binary protocol into Arrow, one decoder per column, chosen once.
//!
//! `number` whole numbers, floats, decimals; `temporal` dates and times; `text` text, bytes, labels; `geometry` shapes; `policy` the
//! columns whose hard values become something else, as the mapping says.
//! A decoder refuses what its Arrow type cannot hold unchanged; the reader adds table, column and key.

use std::ops::Range;

use arrow::array::ArrayRef;

use super::wire::Block;
use crate::engine::text_policy::TextPolicy;
use crate::error::{Error, ErrorKind, Result};
use crate::model::catalog::NativeType;
use crate::model::logical::Zone;
use crate::model::loss::LossKind;
use crate::model::policy::PolicyKind;
use crate::model::unit::ReadColumn;
use crate::model::{LogicalType, ValuePolicies};

mod geometry;
mod number;
mod policy;
mod temporal;
mod text;

/// The bytes of a row: where they were received, or as they were kept.
#[derive(Clone, Copy)]
pub(super) enum RowBytes<'a> {
    /// From the server.
    Live(&'a Block<'a>, usize),
    /// From the ledger.
    Kept(&'a [Option<Vec<u8>>]),
}

/// Upper bound for the bytes of Arrow data that a value adds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Size {
    /// For each value, NULL too.
    pub(super) each: usize,
    /// For each byte that it has on the wire.
    pub(super) per_byte: usize,
}

impl Size {
    /// Of values that all have the same size.
    pub(super) fn fixed(each: usize) -> Self {
        Size { each, per_byte: 0 }
    }
}

/// Builds one column of a batch.
pub(super) trait ColumnDecoder: Send {
    /// Upper bound for the bytes of Arrow data that a row's value adds.
    fn size(&self) -> Size;

    /// Adds the row's value.
    ///
    /// # Errors
    /// `Value`, without its place; the decoder is of no use afterwards.
    fn append(&mut self, row: RowBytes<'_>) -> Result<()>;

    /// Adds the values of some rows: one loop for each type of decoder.
    ///
    /// # Errors
    /// As [`ColumnDecoder::append`], with the row that failed.
    fn extend(&mut self, block: &Block<'_>, rows: Range<usize>) -> Result<(), (usize, Error)> {
        for row in rows {
            self.append(RowBytes::Live(block, row)).map_err(|error| (row, error))?;
        }
        Ok(())
    }

    /// Tells what the column's policies have done to the value that was appended last, and forgets it. Asked only of columns with policies.
    fn applied(&mut self, _into: &mut Vec<LossKind>) {}

    /// The column so far; the decoder begins anew.
    fn finish(&mut self) -> ArrayRef;
}

/// The decoder of a column whose first expression is the `at`th of the row.
///
/// # Errors
/// `Mapping` for a logical type that is not the source's own for the native one.
pub(super) fn decoder(column: &ReadColumn, at: usize) -> Result<Box<dyn ColumnDecoder>> {
    use LogicalType as L;
    let native = column.native.name.as_str();
    if !column.policies.is_empty()
        && let Some(decoder) = under_policies(column, at)
    {
        return Ok(decoder);
    }
    Ok(match &column.logical {
        L::Bool => number::bool(at),
        L::Int16 if native == "year" => number::year(at),
        L::Int8 => number::int8(at),
        L::Int16 => number::int16(at),
        L::Int32 => number::int32(at),
        L::Int64 => number::int64(at),
        L::UInt8 => number::uint8(at),
        L::UInt16 => number::uint16(at),
        L::UInt32 => number::uint32(at),
        L::UInt64 => number::uint64(at),
        L::Float32 => number::float32(at),
        L::Float64 => number::float64(at),
        L::Decimal { precision, scale } if *precision <= 38 => number::decimal128(at, &column.logical, *precision, *scale),
        L::Decimal { precision, scale } => number::decimal256(at, &column.logical, *precision, *scale),
        L::Date => temporal::date(at),
        L::Timestamp { zone: Zone::None | Zone::Utc, .. } => temporal::timestamp(at, &column.logical),
        L::Duration { .. } => temporal::duration(at),
        L::Text { .. } | L::Json => text::text(at, text::Beside::of(&column.native, at + 1)),
        L::Binary { .. } => text::binary(at),
        L::Bits { length } => text::bits(at, *length),
        L::Uuid => text::uuid(at),
        L::Enum { labels } => text::label(at, labels, column.policies.enum_empty.clone()),
        L::Set { labels } => text::labels(at, labels),
        L::Geometry { .. } => geometry::geometry(at),
        L::Vector { dimensions } => number::vector(at, *dimensions),
        other => {
            return Err(Error::new(ErrorKind::Mapping, format!("`{}` cannot be read as {other}", column.native.full))
                .column(&column.name));
        }
    })
}

/// Why a policy cannot be for a column of that type, which is of the kind that the policy is for.
pub(super) fn refuses_policy(policy: PolicyKind, native: &NativeType) -> Option<String> {
    let charset = native.charset.as_deref().unwrap_or("utf8mb4");
    match policy {
        PolicyKind::Decode if !matches!(charset, "latin1" | "utf8mb4" | "utf8mb3" | "utf8") => {
            Some(format!("`decode = \"utf8\"` is for text in latin1, utf8mb3 and utf8mb4, and the column's is in {charset}"))
        }
        _ => None,
    }
}

/// The decoder of a column whose policies change how it is read; none where they do not.
fn under_policies(column: &ReadColumn, at: usize) -> Option<Box<dyn ColumnDecoder>> {
    use LogicalType as L;
    let (native, policies) = (&column.native, &column.policies);
    match (&column.logical, policies) {
        (L::Date, ValuePolicies { zero_date: Some(how), .. }) => Some(policy::date(at, *how)),
        (logical @ L::Timestamp { .. }, ValuePolicies { zero_date: Some(how), .. }) => Some(policy::timestamp(at, logical, *how)),
        (L::Text { .. }, ValuePolicies { zero_date: Some(_), .. }) if policy::has_dates(&native.name) => {
            Some(policy::date_text(at, policy::text_digits(&native.name, native.fsp)))
        }
        (L::Uuid, ValuePolicies { uuid: Some(order), .. }) => Some(policy::packed_uuid(at, *order)),
        (L::Text { .. }, policies) => {
            let beside = text::Beside::of(native, at + 1);
            TextPolicy::of(policies).map(|policy| policy::policy_text(at, beside, policy))
        }
        _ => None,
    }
}

/// The value's bytes as they came; none for NULL. Temporal values keep their length in front.
#[inline]
pub(super) fn wire(row: RowBytes<'_>, at: usize) -> Result<Option<&[u8]>> {
    match row {
        RowBytes::Live(block, row) => block.value(row, at).ok_or_else(missing),
        RowBytes::Kept(row) => {
            row.get(at).map(Option::as_deref).ok_or_else(|| Error::internal("a kept row has fewer columns than were read"))
        }
    }
}

#[cold]
fn missing() -> Error {
    Error::new(ErrorKind::SourceRead, "the server sent fewer columns than were asked for")
}

/// Room for the next batch, which is about as long as the last one: with some to spare, since a little more would double it.
fn next_capacity(length: usize) -> usize {
    length + length / 8
}

/// A value that cannot be carried.
fn refused(what: impl Into<String>) -> Error {
    Error::new(ErrorKind::Value, what).hint("Correct the value in the source, or leave its table out with `exclude`")
}

/// Bytes that do not have the shape that the protocol gives the type: not the binary protocol, or another type than was planned.
fn unexpected(what: &str, bytes: &[u8]) -> Error {
    Error::new(ErrorKind::SourceRead, format!("the server sent {} bytes that are no {what}", bytes.len()))
        .hint("If the table was altered, make a new plan; otherwise report this as a bug")
}

/// The start of `bytes` in hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    const MOST: usize = 32;
    let mut text = String::from("0x");
    for byte in bytes.iter().take(MOST) {
        let _ = write!(text, "{byte:02x}");
    }
    if bytes.len() > MOST {
        text.push('…');
    }
    text
}
