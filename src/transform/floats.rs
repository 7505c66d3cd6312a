//! Binary floats: a value goes in or out of one only when nothing of it changes.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray};
use arrow::datatypes::{
    Decimal128Type, Decimal256Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type,
    UInt32Type, UInt64Type, i256,
};

use super::numbers::{Number, map, scale, with_number, write_digits};
use super::pairs::{Kernel, Refusal};
use crate::model::LogicalType;

/// One more than the largest odd number that a 64-bit float holds.
const MANTISSA_END: i128 = 1 << 53;

/// Integers and decimals to 64-bit floats.
pub fn number_to_float(from: &LogicalType) -> Option<Kernel> {
    with_number!(from, S => exact::<S> as Kernel)
}

fn exact<S: Number>(array: &ArrayRef, from: &LogicalType, _to: &LogicalType) -> Result<ArrayRef, Refusal> {
    let scale = scale(from);
    let cast = |value: S::Native| {
        let value = S::wide(value);
        let mut text = String::new();
        write_digits(value, scale, &mut text);
        // The standard library rounds to the nearest float, which is the value itself when that is one.
        let float: Option<f64> = text.parse().ok();
        float.filter(|_| is_binary(value, scale)).ok_or_else(|| format!("{text} is not exactly a 64-bit binary float"))
    };
    Ok(Arc::new(map::<S, Float64Type>(array.as_primitive::<S>(), cast)?))
}

/// True if `value` × 10^-`scale` is a mantissa of 53 bits times a power of two: `value` must be divisible by 5^`scale`.
pub(super) fn is_binary(value: i256, scale: u8) -> bool {
    let (two, five) = (i256::from_i128(2), i256::from_i128(5));
    let mut rest = value;
    for _ in 0..scale {
        if rest.wrapping_rem(five) != i256::ZERO {
            return false;
        }
        rest = rest.wrapping_div(five);
    }
    while rest != i256::ZERO && rest.wrapping_rem(two) == i256::ZERO {
        rest = rest.wrapping_div(two);
    }
    // The exponent never is out of range: 76 digits are far from 2^1023 and 2^-1022.
    rest.to_i128().is_some_and(|rest| rest.abs() < MANTISSA_END)
}

/// The nearest 32-bit float.
#[expect(clippy::cast_possible_truncation, reason = "both callers compare the bits on the way back")]
pub(super) fn nearest(value: f64) -> f32 {
    value as f32
}

/// 32-bit floats to 64 bits.
pub fn widen(array: &ArrayRef, _from: &LogicalType, _to: &LogicalType) -> Result<ArrayRef, Refusal> {
    let cast = |value: f32| {
        let wide = f64::from(value);
        // Only a signalling NaN does not survive.
        if nearest(wide).to_bits() == value.to_bits() {
            Ok(wide)
        } else {
            Err(format!("{value} changes its bits as a 64-bit float"))
        }
    };
    Ok(Arc::new(map::<Float32Type, Float64Type>(array.as_primitive(), cast)?))
}

/// 64-bit floats to 32 bits.
pub fn narrow(array: &ArrayRef, _from: &LogicalType, _to: &LogicalType) -> Result<ArrayRef, Refusal> {
    let cast = |value: f64| {
        let short = nearest(value);
        if f64::from(short).to_bits() == value.to_bits() {
            Ok(short)
        } else {
            Err(format!("{value} is not exactly a 32-bit binary float"))
        }
    };
    Ok(Arc::new(map::<Float64Type, Float32Type>(array.as_primitive(), cast)?))
}
