//! Arrays of one dimension, and pgvector's `vector`.

use std::sync::Arc;

use arrow::array::{ArrayRef, FixedSizeListArray, Float32Builder, ListArray, NullBufferBuilder};
use arrow::buffer::{OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{DataType, FieldRef};

use super::{Decoder, fixed, unfit};
use crate::engine::postgres::target::PgType;
use crate::error::{Error, Result};
use crate::model::LogicalType;

/// To lists.
pub(super) struct Nested {
    nulls: NullBufferBuilder,
    field: FieldRef,
    kind: Kind,
}

enum Kind {
    List {
        items: Box<Decoder>,
        /// Items of the lists so far.
        count: i32,
        offsets: Vec<i32>,
    },
    Vector {
        floats: Float32Builder,
        dimensions: u16,
    },
}

impl Nested {
    pub(super) fn new(logical: &LogicalType, pg_type: &PgType) -> Option<Self> {
        let (DataType::List(field) | DataType::FixedSizeList(field, _)) = logical.arrow() else { return None };
        let kind = match (logical, pg_type) {
            (LogicalType::Set { .. }, PgType::Array(element)) => {
                let text = LogicalType::Text { length: None };
                Kind::List { items: Box::new(Decoder::new(&text, &element.pg_type)?), count: 0, offsets: vec![0] }
            }
            (LogicalType::Array { item }, PgType::Array(element)) => {
                Kind::List { items: Box::new(Decoder::new(item, &element.pg_type)?), count: 0, offsets: vec![0] }
            }
            (LogicalType::Vector { dimensions }, PgType::Vector) => {
                Kind::Vector { floats: Float32Builder::new(), dimensions: u16::try_from(*dimensions).ok()? }
            }
            _ => return None,
        };
        Some(Nested { nulls: NullBufferBuilder::new(0), field, kind })
    }

    pub(super) fn push(&mut self, field: Option<&[u8]>) -> Result<()> {
        self.nulls.append(field.is_some());
        match &mut self.kind {
            Kind::List { items, count, offsets } => {
                if let Some(field) = field {
                    let more = list(field, items)?;
                    *count = count.checked_add(more).ok_or_else(|| unfit("a batch has too many items in its lists"))?;
                }
                offsets.push(*count);
            }
            Kind::Vector { floats, dimensions } => match field {
                None => (0..*dimensions).for_each(|_| floats.append_value(0.0)),
                Some(field) => {
                    let (header, values) =
                        field.split_first_chunk::<4>().ok_or_else(|| unfit("the target sent a broken vector"))?;
                    let sent = u16::from_be_bytes([header[0], header[1]]);
                    if sent != *dimensions || values.len() != usize::from(sent) * 4 {
                        return Err(unfit(format!(
                            "the target holds a vector of {sent} dimensions where {dimensions} were sent"
                        )));
                    }
                    for value in values.chunks_exact(4) {
                        floats.append_value(f32::from_bits(u32::from_be_bytes(fixed(value)?)));
                    }
                }
            },
        }
        Ok(())
    }

    pub(super) fn finish(&mut self) -> Result<ArrayRef> {
        let nulls = self.nulls.finish();
        let field = Arc::clone(&self.field);
        Ok(match &mut self.kind {
            Kind::List { items, count, offsets } => {
                *count = 0;
                let offsets = OffsetBuffer::new(ScalarBuffer::from(std::mem::replace(offsets, vec![0])));
                Arc::new(ListArray::try_new(field, offsets, items.finish()?, nulls)?)
            }
            Kind::Vector { floats, dimensions } => {
                Arc::new(FixedSizeListArray::try_new(field, i32::from(*dimensions), Arc::new(floats.finish()), nulls)?)
            }
        })
    }
}

/// Hands an array's elements to `items` and returns how many there are.
fn list(field: &[u8], items: &mut Decoder) -> Result<i32> {
    let broken = || unfit("the target sent a broken array");
    let word = |bytes: &[u8; 4]| i32::from_be_bytes(*bytes);
    let (dimensions, rest) = field.split_first_chunk::<4>().ok_or_else(broken)?;
    // The two words between are whether there are NULLs, and the type of the elements.
    let rest = rest.get(8..).ok_or_else(broken)?;
    match word(dimensions) {
        0 => return Ok(0),
        1 => {}
        more => return Err(unfit(format!("the target holds an array of {more} dimensions"))),
    }
    let (count, rest) = rest.split_first_chunk::<4>().ok_or_else(broken)?;
    let (first, mut rest) = rest.split_first_chunk::<4>().ok_or_else(broken)?;
    if word(first) != 1 {
        return Err(unfit(format!("the target holds an array that counts from {}", word(first))));
    }
    let count = word(count);
    for _ in 0..count {
        let (length, behind) = rest.split_first_chunk::<4>().ok_or_else(broken)?;
        let item = match usize::try_from(word(length)) {
            Ok(length) => {
                let (item, behind) = behind.split_at_checked(length).ok_or_else(broken)?;
                rest = behind;
                Some(item)
            }
            Err(_) => {
                rest = behind;
                None
            }
        };
        items.push(item)?;
    }
    if rest.is_empty() && count >= 0 { Ok(count) } else { Err(Error::internal("an array has more than its elements")) }
}
