//! Bytes, bits, UUIDs and geometries.

use std::sync::Arc;

use arrow::array::{ArrayRef, BinaryBuilder, FixedSizeBinaryBuilder};

use super::{fixed, unfit};
use crate::engine::postgres::target::PgType;
use crate::error::Result;
use crate::model::LogicalType;

/// To bytes.
pub(super) enum Bytes {
    Bytes(BinaryBuilder),
    /// With the length that is wanted, in bits.
    Bits(BinaryBuilder, u32),
    BitsFromBool(BinaryBuilder),
    Uuid(FixedSizeBinaryBuilder),
}

impl Bytes {
    pub(super) fn new(logical: &LogicalType, pg_type: &PgType) -> Option<Self> {
        use LogicalType as L;
        Some(match (logical, pg_type) {
            (L::Binary { .. } | L::Geometry { .. }, PgType::Bytea)
            | (L::Binary { .. }, PgType::Uuid)
            | (L::Geometry { .. }, PgType::Geometry) => Bytes::Bytes(BinaryBuilder::new()),
            (L::Bits { length }, PgType::Bit | PgType::Varbit) => Bytes::Bits(BinaryBuilder::new(), *length),
            (L::Bits { length: 1 }, PgType::Bool) => Bytes::BitsFromBool(BinaryBuilder::new()),
            (L::Uuid, PgType::Uuid | PgType::Bytea) => Bytes::Uuid(FixedSizeBinaryBuilder::new(16)),
            _ => return None,
        })
    }

    #[inline]
    pub(super) fn push(&mut self, field: Option<&[u8]>) -> Result<()> {
        match (self, field) {
            (Bytes::Bytes(builder), field) => builder.append_option(field),
            (Bytes::Bits(builder, _) | Bytes::BitsFromBool(builder), None) => builder.append_null(),
            (Bytes::Bits(builder, wanted), Some(field)) => {
                let (length, bits) = field.split_first_chunk::<4>().ok_or_else(|| unfit("the target sent broken bits"))?;
                let length = u32::from_be_bytes(*length);
                if length != *wanted {
                    return Err(unfit(format!("the target holds {length} bits where {wanted} were sent")));
                }
                builder.append_value(bits);
            }
            (Bytes::BitsFromBool(builder), Some(field)) => {
                builder.append_value([if fixed::<1>(field)?[0] == 0 { 0 } else { 0x80 }]);
            }
            (Bytes::Uuid(builder), None) => builder.append_null(),
            (Bytes::Uuid(builder), Some(field)) => builder.append_value(fixed::<16>(field)?)?,
        }
        Ok(())
    }

    pub(super) fn finish(&mut self) -> ArrayRef {
        match self {
            Bytes::Bytes(builder) | Bytes::Bits(builder, _) | Bytes::BitsFromBool(builder) => Arc::new(builder.finish()),
            Bytes::Uuid(builder) => Arc::new(builder.finish()),
        }
    }
}
