//! Bytes, bits, UUIDs and geometries.

use std::sync::Arc;

use arrow::array::{ArrayRef, BinaryArray, BinaryBuilder, FixedSizeBinaryBuilder};
use arrow::buffer::{Buffer, OffsetBuffer};
use bytes::Bytes;

use super::hashes::Form;
use super::{fixed, unfit};
use crate::engine::postgres::target::PgType;
use crate::error::Result;
use crate::model::LogicalType;

/// To bytes.
pub(super) enum Binary {
    Bytes(BinaryBuilder),
    /// With the length that is wanted, in bits.
    Bits(BinaryBuilder, u32),
    BitsFromBool(BinaryBuilder),
    Uuid(FixedSizeBinaryBuilder),
}

impl Binary {
    pub(super) fn new(logical: &LogicalType, pg_type: &PgType) -> Option<Self> {
        use LogicalType as L;
        Some(match (logical, pg_type) {
            (L::Binary { .. } | L::Geometry { .. }, PgType::Bytea)
            | (L::Binary { .. }, PgType::Uuid)
            | (L::Geometry { .. }, PgType::Geometry) => Binary::Bytes(BinaryBuilder::new()),
            (L::Bits { length }, PgType::Bit | PgType::Varbit) => Binary::Bits(BinaryBuilder::new(), *length),
            (L::Bits { length: 1 }, PgType::Bool) => Binary::BitsFromBool(BinaryBuilder::new()),
            (L::Uuid, PgType::Uuid | PgType::Bytea) => Binary::Uuid(FixedSizeBinaryBuilder::new(16)),
            _ => return None,
        })
    }

    pub(super) fn form(&self) -> Form {
        match self {
            Binary::Bytes(_) => Form::Bytes,
            Binary::Bits(_, wanted) => Form::Bits(*wanted),
            Binary::BitsFromBool(_) => Form::Decoded,
            Binary::Uuid(_) => Form::Uuid,
        }
    }

    /// One field as a whole array, which shares its bytes; `None` where they are not taken as they are.
    pub(super) fn whole(&self, field: &Bytes) -> Result<Option<ArrayRef>> {
        let Binary::Bytes(_) = self else { return Ok(None) };
        let offsets = OffsetBuffer::from_lengths([field.len()]);
        Ok(Some(Arc::new(BinaryArray::try_new(offsets, Buffer::from(field.clone()), None)?)))
    }

    #[inline]
    pub(super) fn push(&mut self, field: Option<&[u8]>) -> Result<()> {
        match (self, field) {
            (Binary::Bytes(builder), field) => builder.append_option(field),
            (Binary::Bits(builder, _) | Binary::BitsFromBool(builder), None) => builder.append_null(),
            (Binary::Bits(builder, wanted), Some(field)) => {
                builder.append_value(bits(field, *wanted)?);
            }
            (Binary::BitsFromBool(builder), Some(field)) => {
                builder.append_value([if fixed::<1>(field)?[0] == 0 { 0 } else { 0x80 }]);
            }
            (Binary::Uuid(builder), None) => builder.append_null(),
            (Binary::Uuid(builder), Some(field)) => builder.append_value(fixed::<16>(field)?)?,
        }
        Ok(())
    }

    pub(super) fn finish(&mut self) -> ArrayRef {
        match self {
            Binary::Bytes(builder) | Binary::Bits(builder, _) | Binary::BitsFromBool(builder) => Arc::new(builder.finish()),
            Binary::Uuid(builder) => Arc::new(builder.finish()),
        }
    }
}

/// Bits behind their number, of which so many are wanted.
pub(super) fn bits(field: &[u8], wanted: u32) -> Result<&[u8]> {
    let (length, bits) = field.split_first_chunk::<4>().ok_or_else(|| unfit("the target sent broken bits"))?;
    let length = u32::from_be_bytes(*length);
    if length != wanted {
        return Err(unfit(format!("the target holds {length} bits where {wanted} were sent")));
    }
    Ok(bits)
}
