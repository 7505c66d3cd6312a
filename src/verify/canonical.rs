//! The canonical bytes of a value: what "equal" means when two databases are compared.
//!
//! They follow from the value and its *logical* type, never from an engine:
//!
//! | Logical type | Canonical bytes |
//! |---|---|
//! | exact numbers (all integers, Decimal, Numeric) | digits behind the point (1 byte, trailing zeros cut off first, never below 0), then the coefficient in two's complement, little endian, in the first of 8, 16 or 32 bytes that holds it; a longer Numeric: `FE` and its digits as text; NaN and infinities: `FF` and their name |
//! | Bool | 1 byte, 0 or 1 |
//! | Float32, Float64 | the bits, 4 or 8 bytes, little endian (so -0.0 is not 0.0) |
//! | Date | days since 1970-01-01, 4 bytes, little endian |
//! | Time, Timestamp, Duration | microseconds, 8 bytes, little endian |
//! | Interval | months (4), days (4), nanoseconds (8), little endian |
//! | Text, Enum | UTF-8 |
//! | Binary, Bits, Uuid, Geometry | the bytes |
//! | Json | the canonical form of [`crate::model::json`], as UTF-8; a text that has none (a key twice): `FF` and the text as it is |
//! | Set, Array | number of elements (8, little endian), then each: `0` for NULL, or `1`, its length (8) and its canonical bytes |
//! | Vector | the bits of its floats, 4 bytes each |
//!
//! So the `DECIMAL(10,2)` 1.50, the `numeric` 1.5 and the JSON-free text of neither are told apart as they should be: both numbers are
//! `01 0f 00 00 00 00 00 00 00`, and the text `1.5` is `31 2e 35`.
//!
//! A NULL has no bytes; [`super::hasher`] marks it in its own way.

use arrow::array::{Array, ArrayRef, AsArray, Decimal128Array};
use arrow::datatypes::{
    ArrowPrimitiveType, Date32Type, Decimal256Type, DurationMicrosecondType, Float32Type, Float64Type, Int8Type, Int16Type,
    Int32Type, Int64Type, IntervalMonthDayNanoType, Time64MicrosecondType, TimestampMicrosecondType, UInt8Type, UInt16Type,
    UInt32Type, UInt64Type, i256,
};

use crate::error::{Error, Result};
use crate::model::integer::integer;
use crate::model::{LogicalType, json};

/// The canonical form of a type in words, to follow "by".
pub fn words(logical: &LogicalType) -> String {
    use LogicalType as L;
    let exact = logical.is_integer() || matches!(logical, L::Decimal { .. } | L::Numeric);
    let form = match logical {
        _ if exact => "its digits, without zeros at the end of the fraction",
        L::Bool => "true or false",
        L::Float32 | L::Float64 => "its bits, so that -0.0 is not 0.0",
        L::Date => "its day",
        L::Time { .. } | L::Timestamp { .. } | L::Duration { .. } => "its microseconds",
        L::Text { .. } | L::Enum { .. } => "its characters, as UTF-8",
        L::Json => "its meaning: white space, the order of keys and the spelling of numbers do not count",
        L::Set { .. } | L::Array { .. } => "its elements, in their order",
        L::Vector { .. } => "the bits of its floats",
        _ => "its bytes",
    };
    form.to_string()
}

/// Hears of canonical bytes, row by row.
pub trait Visit {
    /// A row's bytes, `None` for NULL.
    fn value(&mut self, row: usize, bytes: Option<&[u8]>);

    /// A row's exact number whose coefficient has 8 bytes, without zeros at the end of its fraction: as most numbers are. Its bytes are the
    /// scale and the coefficient.
    #[inline(always)]
    fn exact(&mut self, row: usize, coefficient: i64, scale: u8) {
        self.value(row, Some(&nine(coefficient, scale)));
    }
}

impl<F: FnMut(usize, Option<&[u8]>)> Visit for F {
    #[inline]
    fn value(&mut self, row: usize, bytes: Option<&[u8]>) {
        self(row, bytes);
    }
}

/// Calls `visit` with each row's canonical bytes, `None` for NULL, in order.
///
/// # Errors
/// `Internal` if the array is not of the Arrow type that belongs to `logical`.
pub fn visit(array: &ArrayRef, logical: &LogicalType, visit: impl FnMut(usize, Option<&[u8]>)) -> Result<()> {
    tell(array, logical, visit)
}

/// As [`visit`], for those who want to be compiled into its loops.
///
/// # Errors
/// As for [`visit`].
pub fn tell(array: &ArrayRef, logical: &LogicalType, mut visit: impl Visit) -> Result<()> {
    use LogicalType as L;
    if array.data_type() != &logical.arrow() && !same_but_for_names(array, logical) {
        return Err(Error::internal(format!("a column of {logical} arrived as {}", array.data_type())));
    }
    let visit = &mut visit;
    match logical {
        L::Int8 => integers::<Int8Type>(array, visit),
        L::Int16 => integers::<Int16Type>(array, visit),
        L::Int32 => integers::<Int32Type>(array, visit),
        L::Int64 => integers::<Int64Type>(array, visit),
        L::UInt8 => integers::<UInt8Type>(array, visit),
        L::UInt16 => integers::<UInt16Type>(array, visit),
        L::UInt32 => integers::<UInt32Type>(array, visit),
        L::UInt64 => {
            let array = array.as_primitive::<UInt64Type>();
            let mut out = Vec::with_capacity(33);
            for row in 0..array.len() {
                match (array.is_null(row), i64::try_from(array.value(row))) {
                    (true, _) => visit.value(row, None),
                    (false, Ok(small)) => visit.exact(row, small, 0),
                    (false, Err(_)) => {
                        exact(i128::from(array.value(row)), 0, &mut out);
                        visit.value(row, Some(&out));
                    }
                }
            }
        }
        L::Decimal { precision, scale } if *precision <= 38 => {
            decimals(array.as_primitive(), *scale, visit);
        }
        L::Decimal { scale, .. } => primitives::<Decimal256Type>(array, visit, |value, out| exact_wide(value, *scale, out)),
        L::Numeric => {
            let texts = array.as_string::<i32>();
            let mut out = Vec::new();
            for row in 0..texts.len() {
                if texts.is_null(row) {
                    visit.value(row, None);
                } else {
                    numeric(texts.value(row), &mut out);
                    visit.value(row, Some(&out));
                }
            }
        }
        L::Bool => {
            let values = array.as_boolean();
            for row in 0..values.len() {
                visit.value(row, (!values.is_null(row)).then(|| if values.value(row) { &[1u8][..] } else { &[0u8][..] }));
            }
        }
        L::Float32 => fixed::<Float32Type, 4>(array, visit, |value| value.to_bits().to_le_bytes()),
        L::Float64 => fixed::<Float64Type, 8>(array, visit, |value| value.to_bits().to_le_bytes()),
        L::Date => fixed::<Date32Type, 4>(array, visit, i32::to_le_bytes),
        L::Time { .. } => fixed::<Time64MicrosecondType, 8>(array, visit, i64::to_le_bytes),
        L::Timestamp { .. } => fixed::<TimestampMicrosecondType, 8>(array, visit, i64::to_le_bytes),
        L::Duration { .. } => fixed::<DurationMicrosecondType, 8>(array, visit, i64::to_le_bytes),
        L::Interval => fixed::<IntervalMonthDayNanoType, 16>(array, visit, |value| {
            let mut bytes = [0; 16];
            bytes[..4].copy_from_slice(&value.months.to_le_bytes());
            bytes[4..8].copy_from_slice(&value.days.to_le_bytes());
            bytes[8..].copy_from_slice(&value.nanoseconds.to_le_bytes());
            bytes
        }),
        L::Text { .. } | L::Enum { .. } => {
            let texts = array.as_string::<i32>();
            for row in 0..texts.len() {
                visit.value(row, (!texts.is_null(row)).then(|| texts.value(row).as_bytes()));
            }
        }
        L::Json => {
            let texts = array.as_string::<i32>();
            let mut out = Vec::new();
            for row in 0..texts.len() {
                if texts.is_null(row) {
                    visit.value(row, None);
                    continue;
                }
                if let Ok(form) = json::canonical(texts.value(row)) {
                    visit.value(row, Some(form.as_bytes()));
                } else {
                    no_json(texts.value(row), &mut out);
                    visit.value(row, Some(&out));
                }
            }
        }
        L::Binary { .. } | L::Bits { .. } | L::Geometry { .. } => {
            let values = array.as_binary::<i32>();
            for row in 0..values.len() {
                visit.value(row, (!values.is_null(row)).then(|| values.value(row)));
            }
        }
        L::Uuid => {
            let values = array.as_fixed_size_binary();
            for row in 0..values.len() {
                visit.value(row, (!values.is_null(row)).then(|| values.value(row)));
            }
        }
        L::Set { .. } => list(array, &L::Text { length: None }, visit)?,
        L::Array { item } => list(array, item, visit)?,
        L::Vector { .. } => {
            let lists = array.as_fixed_size_list();
            let mut out = Vec::new();
            for row in 0..lists.len() {
                if lists.is_null(row) {
                    visit.value(row, None);
                    continue;
                }
                out.clear();
                for value in lists.value(row).as_primitive::<Float32Type>().values() {
                    out.extend_from_slice(&value.to_bits().to_le_bytes());
                }
                visit.value(row, Some(&out));
            }
        }
    }
    Ok(())
}

/// True for lists that differ from the logical type's own only in the name or the nullability of their item field.
fn same_but_for_names(array: &ArrayRef, logical: &LogicalType) -> bool {
    array.data_type().equals_datatype(&logical.arrow())
        || matches!((array.data_type(), &logical.arrow()), (arrow::datatypes::DataType::List(one), arrow::datatypes::DataType::List(two)) if one.data_type() == two.data_type())
}

fn list(array: &ArrayRef, item: &LogicalType, visitor: &mut impl Visit) -> Result<()> {
    let lists = array.as_list::<i32>();
    let mut out = Vec::new();
    for row in 0..lists.len() {
        if lists.is_null(row) {
            visitor.value(row, None);
            continue;
        }
        let items = lists.value(row);
        out.clear();
        out.extend_from_slice(&(items.len() as u64).to_le_bytes());
        // Behind a `dyn`, since a recursion with a closure type of its own would never end; lists are rare.
        let mut push = |_: usize, value: Option<&[u8]>| match value {
            None => out.push(0),
            Some(bytes) => {
                out.push(1);
                out.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
                out.extend_from_slice(bytes);
            }
        };
        visit(&items, item, &mut push as &mut dyn FnMut(usize, Option<&[u8]>))?;
        visitor.value(row, Some(&out));
    }
    Ok(())
}

fn fixed<T: ArrowPrimitiveType, const N: usize>(array: &ArrayRef, visit: &mut impl Visit, bytes: impl Fn(T::Native) -> [u8; N]) {
    let array = array.as_primitive::<T>();
    if array.null_count() == 0 {
        for (row, value) in array.values().iter().enumerate() {
            visit.value(row, Some(&bytes(*value)));
        }
    } else {
        for row in 0..array.len() {
            visit.value(row, (!array.is_null(row)).then(|| bytes(array.value(row))).as_ref().map(<[u8; N]>::as_slice));
        }
    }
}

/// Integers of up to 64 bits, signed: always scale 0 and 8 bytes.
fn integers<T: ArrowPrimitiveType>(array: &ArrayRef, visit: &mut impl Visit)
where
    i64: From<T::Native>,
{
    let array = array.as_primitive::<T>();
    if array.null_count() == 0 {
        for (row, value) in array.values().iter().enumerate() {
            visit.exact(row, i64::from(*value), 0);
        }
    } else {
        for row in 0..array.len() {
            match array.is_null(row) {
                true => visit.value(row, None),
                false => visit.exact(row, i64::from(array.value(row)), 0),
            }
        }
    }
}

/// Decimals of up to 128 bits, most of which have no more than 64.
fn decimals(array: &Decimal128Array, scale: u8, visit: &mut impl Visit) {
    let mut out = Vec::with_capacity(33);
    for row in 0..array.len() {
        if array.is_null(row) {
            visit.value(row, None);
            continue;
        }
        let value = array.value(row);
        if let Ok(small) = i64::try_from(value) {
            let (coefficient, scale) = shortened(small, scale);
            visit.exact(row, coefficient, scale);
        } else {
            exact(value, scale, &mut out);
            visit.value(row, Some(&out));
        }
    }
}

fn primitives<T: ArrowPrimitiveType>(array: &ArrayRef, visit: &mut impl Visit, write: impl Fn(T::Native, &mut Vec<u8>)) {
    let array = array.as_primitive::<T>();
    let mut out = Vec::with_capacity(33);
    for row in 0..array.len() {
        if array.is_null(row) {
            visit.value(row, None);
        } else {
            write(array.value(row), &mut out);
            visit.value(row, Some(&out));
        }
    }
}

/// Writes `coefficient / 10^scale`.
pub(crate) fn exact(coefficient: i128, mut scale: u8, out: &mut Vec<u8>) {
    out.clear();
    if let Ok(small) = i64::try_from(coefficient) {
        let (coefficient, scale) = shortened(small, scale);
        out.extend_from_slice(&nine(coefficient, scale));
        return;
    }
    let mut coefficient = coefficient;
    while scale > 0 && coefficient % 10 == 0 {
        coefficient /= 10;
        scale -= 1;
    }
    out.push(scale);
    match i64::try_from(coefficient) {
        Ok(small) => out.extend_from_slice(&small.to_le_bytes()),
        Err(_) => out.extend_from_slice(&coefficient.to_le_bytes()),
    }
}

/// Without zeros at the end of the fraction. The division of 64 bits is several times as fast as that of 128.
#[inline(always)]
fn shortened(mut coefficient: i64, mut scale: u8) -> (i64, u8) {
    while scale > 0 && coefficient % 10 == 0 {
        coefficient /= 10;
        scale -= 1;
    }
    (coefficient, scale)
}

/// The canonical bytes of a number that is short and shortened.
#[inline(always)]
fn nine(coefficient: i64, scale: u8) -> [u8; 9] {
    let mut bytes = [0; 9];
    bytes[0] = scale;
    bytes[1..].copy_from_slice(&coefficient.to_le_bytes());
    bytes
}

/// As [`exact`], of 256 bits.
pub(crate) fn exact_wide(coefficient: i256, mut scale: u8, out: &mut Vec<u8>) {
    let ten = i256::from_i128(10);
    let mut coefficient = coefficient;
    loop {
        if let Some(narrow) = coefficient.to_i128() {
            return exact(narrow, scale, out);
        }
        if scale == 0 || coefficient.wrapping_rem(ten) != i256::ZERO {
            out.clear();
            out.push(scale);
            out.extend_from_slice(&coefficient.to_le_bytes());
            return;
        }
        coefficient = coefficient.wrapping_div(ten);
        scale -= 1;
    }
}

/// Writes a text that has no canonical form as JSON.
pub(crate) fn no_json(text: &str, out: &mut Vec<u8>) {
    out.clear();
    out.push(0xff);
    out.extend_from_slice(text.as_bytes());
}

/// Writes a number given as text: `-12.50`, `1e400`, `NaN`.
pub(crate) fn numeric(text: &str, out: &mut Vec<u8>) {
    let Ok(form) = json::canonical(text.trim_start_matches('+')) else {
        out.clear();
        out.push(0xff);
        out.extend_from_slice(text.as_bytes());
        return;
    };
    // The canonical JSON number: digits without trailing zeros, and an exponent if it is not 0.
    let (digits, exponent) = form.split_once('e').unwrap_or((&form, "0"));
    let exponent: i64 = exponent.parse().unwrap_or(i64::MAX);
    let (scale, zeros) = if exponent < 0 { (exponent.unsigned_abs(), 0) } else { (0, exponent.unsigned_abs()) };
    let padded = (zeros <= 80).then(|| format!("{digits}{}", "0".repeat(usize::try_from(zeros).unwrap_or(0))));
    match (padded.and_then(|padded| integer(&padded)), u8::try_from(scale)) {
        (Some(coefficient), Ok(scale)) if scale <= 76 => exact_wide(coefficient, scale, out),
        _ => {
            out.clear();
            out.push(0xfe);
            out.extend_from_slice(form.as_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Decimal256Array, Int16Array, Int64Array, StringArray, UInt64Array};

    use super::*;

    fn bytes(array: ArrayRef, logical: &LogicalType) -> Vec<Option<Vec<u8>>> {
        let mut all = Vec::new();
        visit(&array, logical, |_, value| all.push(value.map(<[u8]>::to_vec))).unwrap();
        all
    }

    #[test]
    fn the_worked_example_of_the_docs_holds() {
        let decimal = Decimal128Array::from(vec![150]).with_precision_and_scale(10, 2).unwrap();
        let expected = vec![Some(vec![1, 15, 0, 0, 0, 0, 0, 0, 0])];
        assert_eq!(bytes(Arc::new(decimal), &LogicalType::Decimal { precision: 10, scale: 2 }), expected);
        assert_eq!(bytes(Arc::new(StringArray::from(vec!["1.5"])), &LogicalType::Numeric), expected);
        assert_eq!(
            bytes(Arc::new(StringArray::from(vec!["1.5"])), &LogicalType::Text { length: None }),
            vec![Some(b"1.5".to_vec())]
        );
    }

    #[test]
    fn an_integer_is_equal_in_every_exact_type() {
        let expected = bytes(Arc::new(Int64Array::from(vec![Some(-700), None])), &LogicalType::Int64);
        assert_eq!(bytes(Arc::new(Int16Array::from(vec![Some(-700), None])), &LogicalType::Int16), expected);
        assert_eq!(bytes(Arc::new(StringArray::from(vec![Some("-700.00"), None])), &LogicalType::Numeric), expected);
        let wide = Decimal256Array::from(vec![Some(i256::from_i128(-7_000_000)), None]).with_precision_and_scale(65, 4).unwrap();
        assert_eq!(bytes(Arc::new(wide), &LogicalType::Decimal { precision: 65, scale: 4 }), expected);
    }

    #[test]
    fn the_largest_unsigned_number_is_equal_to_its_numeric() {
        let expected = bytes(Arc::new(UInt64Array::from(vec![u64::MAX])), &LogicalType::UInt64);
        let decimal = Decimal128Array::from(vec![i128::from(u64::MAX)]).with_precision_and_scale(20, 0).unwrap();
        assert_eq!(bytes(Arc::new(decimal), &LogicalType::Decimal { precision: 20, scale: 0 }), expected);
        assert_eq!(bytes(Arc::new(StringArray::from(vec!["18446744073709551615"])), &LogicalType::Numeric), expected);
    }

    #[test]
    fn numbers_beyond_76_digits_are_told_apart() {
        let one = format!("1{}", "0".repeat(90));
        let two = format!("1{}1", "0".repeat(89));
        let all = bytes(Arc::new(StringArray::from(vec![one.as_str(), two.as_str(), "NaN"])), &LogicalType::Numeric);
        assert_ne!(all[0], all[1]);
        assert_eq!(all[2], Some(b"\xffNaN".to_vec()));
    }
}
