//! Bytes, bits, and what is made of them.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BinaryArray, BooleanBuilder, FixedSizeBinaryBuilder, PrimitiveArray};
use arrow::datatypes::{
    Decimal128Type, Decimal256Type, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
    i256,
};

use super::numbers::{Number, with_number};
use super::pairs::{Kernel, Refusal};
use super::text::room;
use crate::model::LogicalType;

fn too_long(row: usize, bytes: usize, to: &LogicalType) -> Refusal {
    Refusal { row, why: format!("a value of {bytes} bytes is too long for {to}") }
}

/// Bytes that are short enough.
pub fn fits(array: &ArrayRef, _from: &LogicalType, to: &LogicalType) -> Result<ArrayRef, Refusal> {
    let room = room(to);
    for (row, value) in array.as_binary::<i32>().iter().enumerate() {
        if let Some(value) = value.filter(|value| value.len() > room) {
            return Err(too_long(row, value.len(), to));
        }
    }
    Ok(array.clone())
}

/// Text as its UTF-8 bytes. The bytes themselves are shared.
pub fn of_text(array: &ArrayRef, from: &LogicalType, to: &LogicalType) -> Result<ArrayRef, Refusal> {
    let bytes: ArrayRef = Arc::new(BinaryArray::from(array.as_string::<i32>().clone()));
    fits(&bytes, from, to)
}

/// 16 bytes as a UUID.
pub fn to_uuid(array: &ArrayRef, _from: &LogicalType, _to: &LogicalType) -> Result<ArrayRef, Refusal> {
    let values = array.as_binary::<i32>();
    let mut uuids = FixedSizeBinaryBuilder::with_capacity(values.len(), 16);
    for (row, value) in values.iter().enumerate() {
        match value {
            None => uuids.append_null(),
            Some(value) => uuids
                .append_value(value)
                .map_err(|_| Refusal { row, why: format!("a value of {} bytes is no UUID, which has 16", value.len()) })?,
        }
    }
    Ok(Arc::new(uuids.finish()))
}

/// A UUID as its 16 bytes.
pub fn of_uuid(array: &ArrayRef, _from: &LogicalType, _to: &LogicalType) -> Result<ArrayRef, Refusal> {
    Ok(Arc::new(BinaryArray::from_iter(array.as_fixed_size_binary().iter())))
}

/// The number that bits spell, the first one highest; none unless there are exactly `length` of them.
fn number(bytes: &[u8], length: u32) -> Option<u64> {
    let length = usize::try_from(length).ok()?;
    if bytes.len() != length.div_ceil(8) {
        return None;
    }
    let all = bytes.iter().try_fold(0u128, |number, byte| number.checked_mul(256)?.checked_add(u128::from(*byte)))?;
    let unused = bytes.len() * 8 - length;
    // The bits behind the last are 0.
    let number = all >> unused;
    (number << unused == all).then(|| u64::try_from(number).ok()).flatten()
}

fn length(from: &LogicalType) -> u32 {
    if let LogicalType::Bits { length } = from { *length } else { 0 }
}

fn not_bits(row: usize, from: &LogicalType) -> Refusal {
    Refusal { row, why: format!("the value is not {from}") }
}

/// One bit as a truth value.
pub fn bit_to_bool(array: &ArrayRef, from: &LogicalType, _to: &LogicalType) -> Result<ArrayRef, Refusal> {
    let bits = array.as_binary::<i32>();
    let mut flags = BooleanBuilder::with_capacity(bits.len());
    for (row, value) in bits.iter().enumerate() {
        match value {
            None => flags.append_null(),
            Some(value) => flags.append_value(number(value, length(from)).ok_or_else(|| not_bits(row, from))? == 1),
        }
    }
    Ok(Arc::new(flags.finish()))
}

/// Bits as unsigned numbers.
pub fn bits_to_integer(to: &LogicalType) -> Option<Kernel> {
    with_number!(to, T => bits_to::<T> as Kernel)
}

fn bits_to<T: Number>(array: &ArrayRef, from: &LogicalType, to: &LogicalType) -> Result<ArrayRef, Refusal> {
    let bits = array.as_binary::<i32>();
    let mut values: Vec<T::Native> = Vec::with_capacity(bits.len());
    for (row, value) in bits.iter().enumerate() {
        let Some(value) = value else {
            values.push(T::Native::default());
            continue;
        };
        let number = number(value, length(from)).ok_or_else(|| not_bits(row, from))?;
        let narrow = T::narrow(i256::from_i128(i128::from(number)));
        values
            .push(narrow.ok_or_else(|| Refusal { row, why: format!("the bits mean {number}, which is out of range for {to}") })?);
    }
    Ok(Arc::new(PrimitiveArray::<T>::new(values.into(), bits.nulls().cloned())))
}
