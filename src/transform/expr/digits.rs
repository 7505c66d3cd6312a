//! Casts of numbers that lose digits only on purpose: between integers, decimals, binary floats and text.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, PrimitiveArray};
use arrow::datatypes::{
    ArrowNativeTypeOp, Decimal128Type, Decimal256Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    UInt8Type, UInt16Type, UInt32Type, UInt64Type, i256,
};

use super::cast::Rounding;
use crate::model::LogicalType;
use crate::transform::floats::{is_binary, nearest};
use crate::transform::numbers::{Number, limit, map, power_of_ten, scale, shown, typed, with_number, within, write_digits};
use crate::transform::pairs::Refusal;
use crate::transform::text::shorten;

/// Casts an array of the first type to the second.
pub type RoundingKernel = fn(&ArrayRef, &LogicalType, &LogicalType, Rounding) -> Result<ArrayRef, Refusal>;

/// One more than the largest odd number that a 64-bit float holds.
const MANTISSA_END: i128 = 1 << 53;

/// The largest power of ten that is a 64-bit float.
const EXACT_POWER: u8 = 22;

/// Integers and decimals to each other.
pub fn number_to_number(from: &LogicalType, to: &LogicalType) -> Option<RoundingKernel> {
    fn to_kernel<S: Number>(to: &LogicalType) -> Option<RoundingKernel> {
        with_number!(to, T => rescale::<S, T> as RoundingKernel)
    }
    with_number!(from, S => to_kernel::<S>(to)).flatten()
}

/// Integers and decimals to floats.
pub fn number_to_float(from: &LogicalType, to: &LogicalType) -> Option<RoundingKernel> {
    match to {
        LogicalType::Float64 => with_number!(from, S => to_double::<S> as RoundingKernel),
        LogicalType::Float32 => with_number!(from, S => to_single::<S> as RoundingKernel),
        _ => None,
    }
}

/// Floats to integers and decimals.
pub fn float_to_number(from: &LogicalType, to: &LogicalType) -> Option<RoundingKernel> {
    match from {
        LogicalType::Float64 => with_number!(to, T => of_double::<T> as RoundingKernel),
        LogicalType::Float32 => with_number!(to, T => of_single::<T> as RoundingKernel),
        _ => None,
    }
}

/// Text to decimals: `[+-]digits[.digits]`, in any number of digits.
pub fn text_to_decimal(to: &LogicalType) -> Option<RoundingKernel> {
    with_number!(to, T => parse::<T> as RoundingKernel)
}

/// A quotient that is to become whole: `units` / `divisor`, both not negative.
fn round_off(quotient: i256, rest: i256, divisor: i256, rounding: Rounding) -> Option<i256> {
    match rounding {
        _ if rest == i256::ZERO => Some(quotient),
        Rounding::Exact => None,
        Rounding::Trunc => Some(quotient),
        // Half away from zero, as SQL rounds. Not `rest * 2`, which may overflow.
        Rounding::Round if divisor.wrapping_sub(rest) <= rest => quotient.checked_add(i256::ONE),
        Rounding::Round => Some(quotient),
    }
}

fn signed(negative: bool, size: i256) -> i256 {
    if negative { size.wrapping_neg() } else { size }
}

fn fit<T: Number>(value: i256, limit: Option<i256>) -> Option<T::Native> {
    if within(value, limit) { T::narrow(value) } else { None }
}

fn rescale<S: Number, T: Number>(
    array: &ArrayRef,
    from: &LogicalType,
    to: &LogicalType,
    rounding: Rounding,
) -> Result<ArrayRef, Refusal> {
    let (has, wants) = (scale(from), scale(to));
    let (up, down) = (power_of_ten(wants.saturating_sub(has)), power_of_ten(has.saturating_sub(wants)));
    let limit = limit(to);
    let cast = |value: S::Native| {
        let value = S::wide(value);
        let out_of_range = || format!("{} is out of range for {to}", shown(value, has));
        let (Some(up), Some(down)) = (up, down) else { return Err(out_of_range()) };
        let scaled = if has > wants {
            let size = value.wrapping_abs();
            let whole = round_off(size.wrapping_div(down), size.wrapping_rem(down), down, rounding);
            let whole = whole.ok_or_else(|| format!("{} has digits that {to} does not hold", shown(value, has)))?;
            signed(value < i256::ZERO, whole)
        } else {
            value.checked_mul(up).ok_or_else(out_of_range)?
        };
        fit::<T>(scaled, limit).ok_or_else(out_of_range)
    };
    Ok(typed::<T>(map::<S, T>(array.as_primitive::<S>(), cast)?, to))
}

#[expect(clippy::cast_precision_loss, reason = "the callers pass at most 53 bits")]
fn small(value: i128) -> f64 {
    value as f64
}

/// The 64-bit float that is `value` units of 10^-`scale`, or the nearest one if that will do.
fn double(value: i256, scale: u8, rounding: Rounding, buffer: &mut String) -> Result<f64, String> {
    let exact = rounding != Rounding::Round;
    let units = value.to_i128().filter(|units| units.abs() <= MANTISSA_END);
    if let (Some(units), 0) = (units, scale) {
        return Ok(small(units));
    }
    buffer.clear();
    if exact && !is_binary(value, scale) {
        write_digits(value, scale, buffer);
        return Err(format!("{buffer} is not exactly a 64-bit binary float"));
    }
    if let Some(units) = units.filter(|_| scale <= EXACT_POWER) {
        // Both are exact, so that the quotient is the nearest float.
        return Ok(small(units) / 10f64.powi(i32::from(scale)));
    }
    write_digits(value, scale, buffer);
    buffer.parse().map_err(|_| format!("{buffer} is no number"))
}

fn to_double<S: Number>(
    array: &ArrayRef,
    from: &LogicalType,
    _to: &LogicalType,
    rounding: Rounding,
) -> Result<ArrayRef, Refusal> {
    let scale = scale(from);
    convert::<S, Float64Type>(array, |value, buffer| double(S::wide(value), scale, rounding, buffer))
}

fn to_single<S: Number>(
    array: &ArrayRef,
    from: &LogicalType,
    _to: &LogicalType,
    rounding: Rounding,
) -> Result<ArrayRef, Refusal> {
    let scale = scale(from);
    convert::<S, Float32Type>(array, |value, buffer| {
        let value = S::wide(value);
        buffer.clear();
        if rounding == Rounding::Round {
            // Not over 64 bits, which would round twice.
            write_digits(value, scale, buffer);
            let single: Option<f32> = buffer.parse().ok();
            return single.filter(|single| single.is_finite()).ok_or_else(|| format!("{buffer} is out of range for float32"));
        }
        let double = double(value, scale, rounding, buffer)?;
        let single = nearest(double);
        if f64::from(single).to_bits() == double.to_bits() {
            Ok(single)
        } else {
            Err(format!("{} is not exactly a 32-bit binary float", shown(value, scale)))
        }
    })
}

/// As [`map`], with one buffer for all rows.
fn convert<S: ArrowPrimitiveType, T: ArrowPrimitiveType>(
    array: &ArrayRef,
    mut cast: impl FnMut(S::Native, &mut String) -> Result<T::Native, String>,
) -> Result<ArrayRef, Refusal> {
    let array = array.as_primitive::<S>();
    let mut buffer = String::new();
    let mut values: Vec<T::Native> = Vec::with_capacity(array.len());
    for (row, value) in array.values().iter().enumerate() {
        let value = if array.is_null(row) { Ok(T::Native::default()) } else { cast(*value, &mut buffer) };
        values.push(value.map_err(|why| Refusal { row, why })?);
    }
    Ok(Arc::new(PrimitiveArray::<T>::new(values.into(), array.nulls().cloned())))
}

/// `value` in units of 10^-`scale`: computed from its bits, so that nothing is rounded twice.
fn units(value: f64, scale: u8, rounding: Rounding) -> Option<i256> {
    let bits = value.to_bits();
    let (exponent, fraction) = ((bits >> 52) & 0x7ff, bits & ((1 << 52) - 1));
    let mantissa = if exponent == 0 { fraction } else { fraction | (1 << 52) };
    let size = i256::from_i128(i128::from(mantissa)).checked_mul(power_of_ten(scale)?)?;
    let two = i256::from_i128(2);
    // The value is mantissa × 2^power.
    let power = i32::try_from(exponent.max(1)).ok()? - 1075;
    let size = if mantissa == 0 {
        i256::ZERO
    } else if power >= 0 {
        size.checked_mul(two.pow_checked(power.unsigned_abs()).ok()?)?
    } else {
        match two.pow_checked(power.unsigned_abs()) {
            Ok(divisor) => round_off(size.wrapping_div(divisor), size.wrapping_rem(divisor), divisor, rounding)?,
            // Beyond 2^254: `size` is less than a quarter of the divisor, since then it has at most 53 bits and those of 10^scale.
            Err(_) if scale <= 60 => round_off(i256::ZERO, i256::ONE, i256::MAX, rounding)?,
            Err(_) => return None,
        }
    };
    Some(signed(value.is_sign_negative(), size))
}

fn of_double<T: Number>(
    array: &ArrayRef,
    _from: &LogicalType,
    to: &LogicalType,
    rounding: Rounding,
) -> Result<ArrayRef, Refusal> {
    let (scale, limit) = (scale(to), limit(to));
    let cast = |value: f64| of_float::<T>(value, scale, limit, to, rounding);
    Ok(typed::<T>(map::<Float64Type, T>(array.as_primitive(), cast)?, to))
}

fn of_single<T: Number>(
    array: &ArrayRef,
    _from: &LogicalType,
    to: &LogicalType,
    rounding: Rounding,
) -> Result<ArrayRef, Refusal> {
    let (scale, limit) = (scale(to), limit(to));
    let cast = |value: f32| of_float::<T>(f64::from(value), scale, limit, to, rounding);
    Ok(typed::<T>(map::<Float32Type, T>(array.as_primitive(), cast)?, to))
}

fn of_float<T: Number>(
    value: f64,
    scale: u8,
    limit: Option<i256>,
    to: &LogicalType,
    rounding: Rounding,
) -> Result<T::Native, String> {
    if !value.is_finite() {
        return Err(format!("{value} is not held by {to}"));
    }
    if let Some(units) = units(value, scale, rounding) {
        return fit::<T>(units, limit).ok_or_else(|| format!("{value} is out of range for {to}"));
    }
    let why =
        if units(value, scale, Rounding::Trunc).is_some() { "has digits that are not held by" } else { "is out of range for" };
    Err(format!("{value} {why} {to}"))
}

fn parse<T: Number>(array: &ArrayRef, _from: &LogicalType, to: &LogicalType, rounding: Rounding) -> Result<ArrayRef, Refusal> {
    let texts = array.as_string::<i32>();
    let (scale, limit) = (scale(to), limit(to));
    let mut values: Vec<T::Native> = Vec::with_capacity(texts.len());
    for row in 0..texts.len() {
        if texts.is_null(row) {
            values.push(T::Native::default());
            continue;
        }
        let text = texts.value(row);
        let value = read(text, scale, rounding).and_then(|value| fit::<T>(value, limit).ok_or("is out of range for"));
        values.push(value.map_err(|why| Refusal { row, why: format!("`{}` {why} {to}", shorten(text)) })?);
    }
    Ok(typed::<T>(PrimitiveArray::new(values.into(), texts.nulls().cloned()), to))
}

/// Text in units of 10^-`scale`.
fn read(text: &str, scale: u8, rounding: Rounding) -> Result<i256, &'static str> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if whole.is_empty() && fraction.is_empty() {
        return Err("is no value of");
    }
    let (kept, dropped) = fraction.split_at_checked(usize::from(scale)).unwrap_or((fraction, ""));
    let mut size = i256::ZERO;
    let missing = usize::from(scale).saturating_sub(kept.len());
    for digit in whole.bytes().chain(kept.bytes()).chain(std::iter::repeat_n(b'0', missing)) {
        if !digit.is_ascii_digit() {
            return Err("is no value of");
        }
        let digit = i256::from_i128(i128::from(digit - b'0'));
        let next = size.checked_mul(i256::from_i128(10)).and_then(|size| size.checked_add(digit));
        size = next.ok_or("is out of range for")?;
    }
    if !dropped.bytes().all(|digit| digit.is_ascii_digit()) {
        return Err("is no value of");
    }
    let up = match rounding {
        Rounding::Exact if dropped.bytes().any(|digit| digit != b'0') => return Err("has digits that are not held by"),
        Rounding::Round => dropped.as_bytes().first().is_some_and(|digit| *digit >= b'5'),
        Rounding::Exact | Rounding::Trunc => false,
    };
    let size = if up { size.checked_add(i256::ONE).ok_or("is out of range for")? } else { size };
    Ok(signed(negative, size))
}
