//! Arrays of one dimension, and pgvector's `vector`.

use arrow::array::{Array, FixedSizeListArray, Float32Array, ListArray};

use super::{Encoder, NULL, begin_field, end_field, refuse};
use crate::engine::postgres::target::PgType;
use crate::error::{Error, Result};
use crate::model::LogicalType;

/// To array types, from sets too, and to `vector`.
pub(super) enum Nested<'a> {
    Array {
        offsets: &'a [i32],
        items: Box<Encoder<'a>>,
        values: &'a dyn Array,
        /// Of the element's type.
        oid: u32,
    },
    Vector {
        floats: &'a [f32],
        /// Of each value.
        dimensions: usize,
    },
}

/// The most dimensions of a `vector`.
const MOST_DIMENSIONS: u32 = 16_000;

impl<'a> Nested<'a> {
    pub(super) fn bind(logical: &LogicalType, array: &'a dyn Array, pg_type: &'a PgType, typmod: i32) -> Option<Self> {
        let any = array.as_any();
        match (logical, pg_type) {
            (LogicalType::Set { .. } | LogicalType::Array { .. }, PgType::Array(element)) => {
                let array: &ListArray = any.downcast_ref()?;
                let labels = LogicalType::Text { length: None };
                let item = match logical {
                    LogicalType::Array { item } => item,
                    _ => &labels,
                };
                // An array of arrays is a rectangle in PostgreSQL, and a list of lists is not.
                if matches!(element.pg_type, PgType::Array(_)) {
                    return None;
                }
                let items = Encoder::bind(item, array.values(), &element.pg_type, element.typmod)?;
                let oid = element.oid;
                Some(Nested::Array { offsets: array.value_offsets(), items: Box::new(items), values: array.values(), oid })
            }
            (LogicalType::Vector { dimensions }, PgType::Vector) => {
                if *dimensions == 0
                    || *dimensions > MOST_DIMENSIONS
                    || (typmod != -1 && i64::from(typmod) != i64::from(*dimensions))
                {
                    return None;
                }
                let array: &FixedSizeListArray = any.downcast_ref()?;
                let floats: &Float32Array = array.values().as_any().downcast_ref()?;
                Some(Nested::Vector { floats: floats.values(), dimensions: usize::try_from(*dimensions).ok()? })
            }
            _ => None,
        }
    }

    pub(super) fn put(&self, row: usize, out: &mut Vec<u8>) -> Result<()> {
        match self {
            Nested::Array { offsets, items, values, oid } => {
                let bounds = |row: usize| offsets.get(row).and_then(|offset| usize::try_from(*offset).ok());
                let (Some(from), Some(to)) = (bounds(row), bounds(row + 1)) else {
                    return Err(Error::internal("a list has no end"));
                };
                let start = begin_field(out);
                let nulls = (from..to).any(|index| values.is_null(index));
                let count = i32::try_from(to.saturating_sub(from)).map_err(|_| refuse("the list is too long"))?;
                // An empty array has no dimension at all.
                out.extend_from_slice(&i32::from(count > 0).to_be_bytes());
                out.extend_from_slice(&i32::from(nulls).to_be_bytes());
                out.extend_from_slice(&oid.to_be_bytes());
                if count > 0 {
                    out.extend_from_slice(&count.to_be_bytes());
                    out.extend_from_slice(&1i32.to_be_bytes());
                }
                for index in from..to {
                    if values.is_null(index) {
                        out.extend_from_slice(&NULL);
                    } else {
                        items.put(index, out)?;
                    }
                }
                end_field(start, out)
            }
            Nested::Vector { floats, dimensions } => {
                let from = row * dimensions;
                let floats = floats.get(from..from + dimensions).ok_or_else(|| Error::internal("a vector has no end"))?;
                if floats.iter().any(|float| !float.is_finite()) {
                    return Err(
                        refuse("the vector holds NaN or an infinity, which pgvector refuses").hint("Map the column to `real[]`")
                    );
                }
                let start = begin_field(out);
                let count = u16::try_from(*dimensions).map_err(|_| refuse("the vector has too many dimensions"))?;
                out.extend_from_slice(&count.to_be_bytes());
                out.extend_from_slice(&[0, 0]);
                for float in floats {
                    out.extend_from_slice(&float.to_bits().to_be_bytes());
                }
                end_field(start, out)
            }
        }
    }
}
