//! Decoders of columns for which the mapping has decided what becomes of their hard values. Columns without a policy never come here.

use std::sync::Arc;

use arrow::array::{ArrayRef, ArrowPrimitiveType, FixedSizeBinaryBuilder, PrimitiveBuilder, StringBuilder};
use arrow::datatypes::{Date32Type, TimestampMicrosecondType};

use super::temporal::{DAY_MICROS, Wire};
use super::{ColumnDecoder, RowBytes, Size, text, unexpected, wire};
use crate::engine::text_policy::TextPolicy;
use crate::error::{Error, ErrorKind, Result};
use crate::model::LogicalType;
use crate::model::loss::LossKind;
use crate::model::policy::{UuidOrder, ZeroDate};

/// Dates, and dates with a time.
struct Dates<T: ArrowPrimitiveType> {
    at: usize,
    builder: PrimitiveBuilder<T>,
    parse: fn(Wire) -> Result<T::Native>,
    /// What stands for a date that is none; nothing means NULL.
    instead: Option<T::Native>,
    applied: Option<LossKind>,
}

/// A DATE.
pub(super) fn date(at: usize, policy: ZeroDate) -> Box<dyn ColumnDecoder> {
    let instead = match policy {
        ZeroDate::NegativeInfinity => Some(i32::MIN),
        ZeroDate::Day(day) => Some(day),
        ZeroDate::Null | ZeroDate::Text => None,
    };
    Box::new(Dates::<Date32Type> { at, builder: PrimitiveBuilder::new(), parse: Wire::days, instead, applied: None })
}

/// A DATETIME or TIMESTAMP.
pub(super) fn timestamp(at: usize, logical: &LogicalType, policy: ZeroDate) -> Box<dyn ColumnDecoder> {
    let instead = match policy {
        ZeroDate::NegativeInfinity => Some(i64::MIN),
        ZeroDate::Day(day) => i64::from(day).checked_mul(DAY_MICROS),
        ZeroDate::Null | ZeroDate::Text => None,
    };
    let builder = PrimitiveBuilder::new().with_data_type(logical.arrow());
    Box::new(Dates::<TimestampMicrosecondType> { at, builder, parse: Wire::micros, instead, applied: None })
}

impl<T: ArrowPrimitiveType> ColumnDecoder for Dates<T>
where
    T::Native: Send,
{
    fn size(&self) -> Size {
        Size::fixed(size_of::<T::Native>())
    }

    fn append(&mut self, row: RowBytes<'_>) -> Result<()> {
        let Some(bytes) = wire(row, self.at)? else {
            self.builder.append_null();
            return Ok(());
        };
        let date = Wire::parse(bytes)?;
        self.applied = date.fault();
        match self.applied {
            None => self.builder.append_value((self.parse)(date)?),
            Some(_) => self.builder.append_option(self.instead),
        }
        Ok(())
    }

    fn applied(&mut self, into: &mut Vec<LossKind>) {
        into.extend(self.applied.take());
    }

    fn finish(&mut self) -> ArrayRef {
        Arc::new(self.builder.finish())
    }
}

/// Dates as the server prints them, those that are none among them.
struct DateText {
    at: usize,
    /// Digits of fraction; none for a date without a time.
    fsp: Option<u8>,
    builder: StringBuilder,
    applied: Option<LossKind>,
}

/// A DATE, DATETIME or TIMESTAMP as text.
pub(super) fn date_text(at: usize, fsp: Option<u8>) -> Box<dyn ColumnDecoder> {
    Box::new(DateText { at, fsp, builder: StringBuilder::new(), applied: None })
}

impl ColumnDecoder for DateText {
    fn size(&self) -> Size {
        Size::fixed("2024-01-31 10:00:00.000000".len() + 4)
    }

    fn append(&mut self, row: RowBytes<'_>) -> Result<()> {
        match wire(row, self.at)? {
            Some(bytes) => {
                let date = Wire::parse(bytes)?;
                self.applied = date.fault();
                self.builder.append_value(date.text(self.fsp));
            }
            None => self.builder.append_null(),
        }
        Ok(())
    }

    fn applied(&mut self, into: &mut Vec<LossKind>) {
        into.extend(self.applied.take());
    }

    fn finish(&mut self) -> ArrayRef {
        Arc::new(self.builder.finish())
    }
}

/// Text under a policy.
struct PolicyText {
    at: usize,
    beside: text::Beside,
    policy: TextPolicy,
    builder: StringBuilder,
    applied: Vec<LossKind>,
}

/// Text; `beside` as for text without a policy.
pub(super) fn policy_text(at: usize, beside: text::Beside, policy: TextPolicy) -> Box<dyn ColumnDecoder> {
    Box::new(PolicyText { at, beside, policy, builder: StringBuilder::new(), applied: Vec::new() })
}

impl ColumnDecoder for PolicyText {
    fn size(&self) -> Size {
        // A broken byte becomes a character of three; a NUL what the mapping says.
        Size { each: 4, per_byte: 3 }
    }

    fn append(&mut self, row: RowBytes<'_>) -> Result<()> {
        let bytes = wire(row, self.at)?;
        let lossless = self.beside.is_lossless(row, bytes.is_some())?;
        let Some(bytes) = bytes else {
            self.builder.append_null();
            return Ok(());
        };
        if !lossless {
            if !self.policy.replaces_invalid() {
                return Err(text::unconvertible(bytes));
            }
            self.applied.push(LossKind::InvalidText);
        }
        let text = self.policy.apply(bytes, text::invalid_utf8, &mut self.applied)?;
        self.builder.append_value(text);
        Ok(())
    }

    fn applied(&mut self, into: &mut Vec<LossKind>) {
        // One value is one loss of a kind, whichever way it was found.
        self.applied.dedup();
        into.append(&mut self.applied);
    }

    fn finish(&mut self) -> ArrayRef {
        Arc::new(self.builder.finish())
    }
}

/// BINARY(16) that holds UUIDs.
struct PackedUuid {
    at: usize,
    order: UuidOrder,
    builder: FixedSizeBinaryBuilder,
}

/// A UUID in sixteen bytes.
pub(super) fn packed_uuid(at: usize, order: UuidOrder) -> Box<dyn ColumnDecoder> {
    Box::new(PackedUuid { at, order, builder: FixedSizeBinaryBuilder::new(16) })
}

/// The bytes as the UUID is written.
fn unswapped(bytes: [u8; 16], order: UuidOrder) -> [u8; 16] {
    match order {
        UuidOrder::Plain => bytes,
        UuidOrder::Swapped => {
            let [h0, h1, m0, m1, l0, l1, l2, l3, rest @ ..] = bytes;
            let [r0, r1, r2, r3, r4, r5, r6, r7] = rest;
            [l0, l1, l2, l3, m0, m1, h0, h1, r0, r1, r2, r3, r4, r5, r6, r7]
        }
    }
}

/// True for the versions and the variant that are in use (RFC 9562), for none, and for all ones. Bytes in another order are hardly one.
fn is_uuid(bytes: [u8; 16]) -> bool {
    let uuid = uuid::Uuid::from_bytes(bytes);
    uuid.is_nil() || uuid.is_max() || (uuid.get_variant() == uuid::Variant::RFC4122 && (1..=8).contains(&uuid.get_version_num()))
}

fn no_uuid(order: UuidOrder) -> Error {
    let (is, other) = match order {
        UuidOrder::Plain => ("written", "binary16_swapped"),
        UuidOrder::Swapped => ("swapped", "binary16"),
    };
    Error::new(ErrorKind::Value, format!("the 16 bytes are no UUID in {is} order: version or variant is none")).hint(format!(
        "If the order is the other one, write `uuid = \"{other}\"`; `to = \"uuid\"` instead of `uuid` takes any 16 bytes"
    ))
}

impl ColumnDecoder for PackedUuid {
    fn size(&self) -> Size {
        Size::fixed(16)
    }

    fn append(&mut self, row: RowBytes<'_>) -> Result<()> {
        match wire(row, self.at)? {
            Some(bytes) => {
                let bytes: [u8; 16] = bytes.try_into().map_err(|_| unexpected("UUID of 16 bytes", bytes))?;
                let uuid = unswapped(bytes, self.order);
                if !is_uuid(uuid) {
                    return Err(no_uuid(self.order));
                }
                self.builder.append_value(uuid)?;
            }
            None => self.builder.append_null(),
        }
        Ok(())
    }

    fn finish(&mut self) -> ArrayRef {
        Arc::new(self.builder.finish())
    }
}

/// The digits of fraction of a temporal column's text form.
pub(super) fn text_digits(native: &str, fsp: Option<u8>) -> Option<u8> {
    (native != "date").then(|| fsp.unwrap_or(0))
}

/// True for the types that have dates.
pub(super) fn has_dates(native: &str) -> bool {
    matches!(native, "date" | "datetime" | "timestamp")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_swapped_uuid_has_its_time_back_in_order() {
        let written = uuid::Uuid::parse_str("6ccd780c-baba-1026-9564-5b8c656024db").unwrap();
        // SELECT HEX(UUID_TO_BIN('6ccd780c-baba-1026-9564-5b8c656024db', 1)): from MySQL's manual.
        let stored: [u8; 16] = [0x10, 0x26, 0xba, 0xba, 0x6c, 0xcd, 0x78, 0x0c, 0x95, 0x64, 0x5b, 0x8c, 0x65, 0x60, 0x24, 0xdb];
        assert_eq!(unswapped(stored, UuidOrder::Swapped), written.into_bytes());
        assert_eq!(unswapped(stored, UuidOrder::Plain), stored);
        assert!(is_uuid(written.into_bytes()) && is_uuid([0; 16]) && is_uuid([0xff; 16]));
        // Of version 9 in the other order, which is none; half of all random ones are.
        let random = uuid::Uuid::parse_str("9f1bef0e-3c5d-4a7b-8e2f-1a2b3c4d5e6f").unwrap().into_bytes();
        assert!(is_uuid(random) && !is_uuid(unswapped(random, UuidOrder::Swapped)));
        assert!(!is_uuid([0x55; 16]));
    }
}
