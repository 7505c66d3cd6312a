//! Integers, decimals, and their digits as text.
//!
//! Every number is a whole number of units of 10^-scale; integers have the scale 0. The digits of a number are `[-]digits[.digits]`: no `+`, no
//! needless zero in front, exactly as many digits behind the point as the scale says, and no `-0`.

use std::fmt::Write as _;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, BooleanArray, BooleanBuilder, PrimitiveArray, StringBuilder};
use arrow::datatypes::{
    ArrowNativeTypeOp, Decimal128Type, Decimal256Type, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type,
    UInt32Type, UInt64Type, i256,
};

use super::pairs::{Kernel, Refusal};
use super::text::{room, shorten, too_long};
use crate::model::LogicalType;
use crate::model::integer::integer;

/// True for integers and decimals.
pub fn is_number(logical: &LogicalType) -> bool {
    logical.is_integer() || matches!(logical, LogicalType::Decimal { .. })
}

/// A type of whole numbers of units.
pub trait Number: ArrowPrimitiveType {
    /// The value, wide enough for every number type.
    fn wide(value: Self::Native) -> i256;
    /// The way back; none when it does not fit.
    fn narrow(value: i256) -> Option<Self::Native>;
}

macro_rules! integer {
    ($($type:ty),*) => {$(
        impl Number for $type {
            fn wide(value: Self::Native) -> i256 {
                i256::from_i128(i128::from(value))
            }
            fn narrow(value: i256) -> Option<Self::Native> {
                value.to_i128().and_then(|value| Self::Native::try_from(value).ok())
            }
        }
    )*};
}
integer!(Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type, UInt32Type, UInt64Type);

impl Number for Decimal128Type {
    fn wide(value: i128) -> i256 {
        i256::from_i128(value)
    }
    fn narrow(value: i256) -> Option<i128> {
        value.to_i128()
    }
}

impl Number for Decimal256Type {
    fn wide(value: i256) -> i256 {
        value
    }
    fn narrow(value: i256) -> Option<i256> {
        Some(value)
    }
}

/// Names the Arrow type of a number as `$T` in `$body`; none for what is no number.
macro_rules! with_number {
    ($logical:expr, $T:ident => $body:expr) => {{
        use crate::model::LogicalType as L;
        macro_rules! arm {
            ($type:ty) => {{
                type $T = $type;
                Some($body)
            }};
        }
        match $logical {
            L::Int8 => arm!(Int8Type),
            L::Int16 => arm!(Int16Type),
            L::Int32 => arm!(Int32Type),
            L::Int64 => arm!(Int64Type),
            L::UInt8 => arm!(UInt8Type),
            L::UInt16 => arm!(UInt16Type),
            L::UInt32 => arm!(UInt32Type),
            L::UInt64 => arm!(UInt64Type),
            L::Decimal { precision, .. } if *precision <= 38 => arm!(Decimal128Type),
            L::Decimal { .. } => arm!(Decimal256Type),
            _ => None,
        }
    }};
}

pub(super) use with_number;

/// Integers and decimals to each other.
pub fn number_to_number(from: &LogicalType, to: &LogicalType) -> Option<Kernel> {
    fn to_kernel<S: Number>(to: &LogicalType) -> Option<Kernel> {
        with_number!(to, T => rescale::<S, T> as Kernel)
    }
    with_number!(from, S => to_kernel::<S>(to)).flatten()
}

/// Integers and decimals to their digits.
pub fn number_to_text(from: &LogicalType) -> Option<Kernel> {
    with_number!(from, S => digits::<S> as Kernel)
}

/// Digits to integers and decimals.
pub fn text_to_number(to: &LogicalType) -> Option<Kernel> {
    with_number!(to, T => parse::<T> as Kernel)
}

/// 0 and 1 to false and true.
pub fn integer_to_bool(from: &LogicalType) -> Option<Kernel> {
    with_number!(from, S => to_bool::<S> as Kernel)
}

/// False and true to 0 and 1.
pub fn bool_to_integer(to: &LogicalType) -> Option<Kernel> {
    with_number!(to, T => of_bool::<T> as Kernel)
}

/// What the cast says of a number that a policy of [`super::range`] would settle.
pub(super) const NO_TRUTH_VALUE: &str = "is neither 0 nor 1";

/// Digits behind the point.
pub fn scale(logical: &LogicalType) -> u8 {
    if let LogicalType::Decimal { scale, .. } = logical { *scale } else { 0 }
}

/// 10^power; none beyond 76, the most that 256 bits hold.
pub fn power_of_ten(power: u8) -> Option<i256> {
    i256::from_i128(10).pow_checked(u32::from(power)).ok()
}

/// The least number of units that a type does not hold any more, for decimals.
pub(super) fn limit(logical: &LogicalType) -> Option<i256> {
    if let LogicalType::Decimal { precision, .. } = logical { power_of_ten(*precision) } else { None }
}

pub(super) fn within(value: i256, limit: Option<i256>) -> bool {
    limit.is_none_or(|limit| value < limit && value > limit.wrapping_neg())
}

/// The digits of `value` units of 10^-`scale`.
pub fn write_digits(value: i256, scale: u8, out: &mut String) {
    let scale = usize::from(scale);
    let text = value.to_string();
    let (sign, digits) = text.strip_prefix('-').map_or(("", text.as_str()), |digits| ("-", digits));
    let digits = format!("{digits:0>width$}", width = scale + 1);
    let (whole, fraction) = digits.split_at_checked(digits.len() - scale).unwrap_or((&digits, ""));
    let point = if fraction.is_empty() { "" } else { "." };
    let _ = write!(out, "{sign}{whole}{point}{fraction}");
}

pub(super) fn shown(value: i256, scale: u8) -> String {
    let mut text = String::new();
    write_digits(value, scale, &mut text);
    text
}

/// Applies `cast` to each value that is not NULL.
pub(super) fn map<S: ArrowPrimitiveType, T: ArrowPrimitiveType>(
    array: &PrimitiveArray<S>,
    cast: impl Fn(S::Native) -> Result<T::Native, String>,
) -> Result<PrimitiveArray<T>, Refusal> {
    let mut values: Vec<T::Native> = Vec::with_capacity(array.len());
    for (row, value) in array.values().iter().enumerate() {
        values.push(if array.is_null(row) { T::Native::default() } else { cast(*value).map_err(|why| Refusal { row, why })? });
    }
    Ok(PrimitiveArray::new(values.into(), array.nulls().cloned()))
}

/// Gives the array the precision, scale or zone of its logical type. The values are checked already.
pub(super) fn typed<T: ArrowPrimitiveType>(array: PrimitiveArray<T>, to: &LogicalType) -> ArrayRef {
    Arc::new(array.with_data_type(to.arrow()))
}

fn rescale<S: Number, T: Number>(array: &ArrayRef, from: &LogicalType, to: &LogicalType) -> Result<ArrayRef, Refusal> {
    let (has, wants) = (scale(from), scale(to));
    let (up, down) = (power_of_ten(wants.saturating_sub(has)), power_of_ten(has.saturating_sub(wants)));
    let limit = limit(to);
    let cast = |value: S::Native| {
        let value = S::wide(value);
        let out_of_range = || format!("{} {} {to}", shown(value, has), super::range::OUT_OF_RANGE);
        let (Some(up), Some(down)) = (up, down) else { return Err(out_of_range()) };
        let scaled = if has > wants {
            if value.wrapping_rem(down) != i256::ZERO {
                return Err(format!("{} has digits that {to} does not hold", shown(value, has)));
            }
            value.wrapping_div(down)
        } else {
            value.checked_mul(up).ok_or_else(out_of_range)?
        };
        T::narrow(scaled).filter(|_| within(scaled, limit)).ok_or_else(out_of_range)
    };
    Ok(typed::<T>(map::<S, T>(array.as_primitive::<S>(), cast)?, to))
}

fn digits<S: Number>(array: &ArrayRef, from: &LogicalType, to: &LogicalType) -> Result<ArrayRef, Refusal> {
    let array = array.as_primitive::<S>();
    let (scale, room) = (scale(from), room(to));
    let mut texts = StringBuilder::with_capacity(array.len(), array.len() * 8);
    let mut text = String::new();
    for row in 0..array.len() {
        if array.is_null(row) {
            texts.append_null();
            continue;
        }
        text.clear();
        write_digits(S::wide(array.value(row)), scale, &mut text);
        if text.len() > room {
            return Err(too_long(row, &text, to));
        }
        texts.append_value(&text);
    }
    Ok(Arc::new(texts.finish()))
}

/// A number as text, in its parts.
struct Digits<'a> {
    negative: bool,
    whole: &'a str,
    fraction: &'a str,
}

/// Reads `[-]digits[.digits]` in the one spelling that has no needless zero in front and no `-0`.
fn read_digits(text: &str) -> Option<Digits<'_>> {
    let (negative, digits) = text.strip_prefix('-').map_or((false, text), |digits| (true, digits));
    let (whole, fraction) = match digits.split_once('.') {
        Some((_, "")) => return None,
        Some((whole, fraction)) => (whole, fraction),
        None => (digits, ""),
    };
    let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let plain = !whole.is_empty() && all_digits(whole) && all_digits(fraction) && (whole == "0" || !whole.starts_with('0'));
    let zero = whole == "0" && fraction.bytes().all(|byte| byte == b'0');
    (plain && !(negative && zero)).then_some(Digits { negative, whole, fraction })
}

/// From text, only the canonical spelling in the scale of the type; from `Numeric`, any digits whose value fits.
fn parse<T: Number>(array: &ArrayRef, from: &LogicalType, to: &LogicalType) -> Result<ArrayRef, Refusal> {
    let texts = array.as_string::<i32>();
    let (scale, limit) = (usize::from(scale(to)), limit(to));
    let exact_spelling = !matches!(from, LogicalType::Numeric);
    let mut values: Vec<T::Native> = Vec::with_capacity(texts.len());
    for row in 0..texts.len() {
        if texts.is_null(row) {
            values.push(T::Native::default());
            continue;
        }
        let text = texts.value(row);
        let refuse = |why: &str| Refusal { row, why: format!("`{}` {why} {to}", shorten(text)) };
        let digits = read_digits(text).filter(|digits| !exact_spelling || digits.fraction.len() == scale);
        let Some(digits) = digits else { return Err(refuse("is not the canonical spelling of a value of")) };
        let fraction = if exact_spelling { digits.fraction } else { digits.fraction.trim_end_matches('0') };
        if fraction.len() > scale {
            return Err(refuse("has digits that are not held by"));
        }
        let units = format!("{}{fraction:0<scale$}", digits.whole);
        let value = integer(&units).map(|size| if digits.negative { size.wrapping_neg() } else { size });
        let value = value.filter(|value| within(*value, limit)).and_then(T::narrow);
        values.push(value.ok_or_else(|| refuse("is out of range for"))?);
    }
    Ok(typed::<T>(PrimitiveArray::new(values.into(), texts.nulls().cloned()), to))
}

/// Text to a decimal number without bounds: the same text, if it is digits.
pub fn text_to_numeric(array: &ArrayRef, _from: &LogicalType, to: &LogicalType) -> Result<ArrayRef, Refusal> {
    for (row, text) in array.as_string::<i32>().iter().enumerate() {
        if text.is_some_and(|text| read_digits(text).is_none()) {
            let why = format!("`{}` is not the canonical spelling of a value of {to}", shorten(text.unwrap_or_default()));
            return Err(Refusal { row, why });
        }
    }
    Ok(array.clone())
}

fn to_bool<S: Number>(array: &ArrayRef, _from: &LogicalType, _to: &LogicalType) -> Result<ArrayRef, Refusal> {
    let array = array.as_primitive::<S>();
    let (no, yes) = (S::Native::ZERO, S::Native::ONE);
    let mut flags = BooleanBuilder::with_capacity(array.len());
    for row in 0..array.len() {
        let value = array.value(row);
        if array.is_null(row) {
            flags.append_null();
        } else if value == yes || value == no {
            flags.append_value(value == yes);
        } else {
            return Err(Refusal { row, why: format!("{} {NO_TRUTH_VALUE}, so it is no truth value", S::wide(value)) });
        }
    }
    Ok(Arc::new(flags.finish()))
}

fn of_bool<T: Number>(array: &ArrayRef, _from: &LogicalType, _to: &LogicalType) -> Result<ArrayRef, Refusal> {
    let flags: &BooleanArray = array.as_boolean();
    let values = flags.values().iter().map(|flag| if flag { T::Native::ONE } else { T::Native::ZERO });
    let array: PrimitiveArray<T> = PrimitiveArray::new(values.collect::<Vec<_>>().into(), flags.nulls().cloned());
    Ok(Arc::new(array))
}
