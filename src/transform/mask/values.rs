//! The masks, value by value, over Arrow arrays. NULL stays NULL.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, BinaryArray, BinaryBuilder, BooleanArray, FixedSizeBinaryBuilder,
    PrimitiveArray, StringArray, StringBuilder, UInt32Array, new_empty_array,
};
use arrow::datatypes::{
    Date32Type, Decimal128Type, Decimal256Type, DurationMicrosecondType, Float32Type, Float64Type, Int8Type, Int16Type,
    Int32Type, Int64Type, IntervalMonthDayNanoType, Time64MicrosecondType, TimestampMicrosecondType, UInt8Type, UInt16Type,
    UInt32Type, UInt64Type,
};

use super::fits::{EMAIL_DOMAIN, REDACTED, fixed_label};
use super::keyed::{Keyed, hex};
use super::permutation::Permutation;
use crate::model::LogicalType;
use crate::transform::pairs::Refusal;

/// Microseconds of a day.
const DAY: i64 = 86_400_000_000;

/// Permutes numbers of both signs, each among its own, so that no sign is lost and a CHECK on it holds.
#[derive(Clone)]
pub(super) struct Numbers {
    positive: Permutation,
    negative: Option<Permutation>,
}

impl Numbers {
    pub(super) fn new(keyed: &Keyed, low: i128, high: i128) -> Self {
        let positive = Permutation::new(keyed, "number", high.max(0).unsigned_abs());
        // -1 is the first negative number: -1 - n counts them from 0.
        let negative = (low < 0).then(|| Permutation::new(keyed, "negative number", (-1 - low).unsigned_abs()));
        Numbers { positive, negative }
    }

    fn of(&self, number: i128) -> Option<i128> {
        if number >= 0 {
            return i128::try_from(self.positive.of(number.unsigned_abs())?).ok();
        }
        let place = self.negative.as_ref()?.of((-1 - number).unsigned_abs())?;
        i128::try_from(place).ok().map(|place| -1 - place)
    }
}

fn numbers_of<T>(array: &ArrayRef, numbers: &Numbers) -> Result<ArrayRef, Refusal>
where
    T: ArrowPrimitiveType,
    T::Native: Into<i128> + TryFrom<i128>,
{
    let array = array.as_primitive::<T>();
    let mut masked = Vec::with_capacity(array.len());
    for row in 0..array.len() {
        if array.is_null(row) {
            masked.push(None);
            continue;
        }
        let number = numbers.of(array.value(row).into()).and_then(|number| T::Native::try_from(number).ok());
        let why = "the number is outside of the range that can be masked";
        masked.push(Some(number.ok_or_else(|| Refusal { row, why: why.into() })?));
    }
    let masked = masked.into_iter().collect::<PrimitiveArray<T>>();
    Ok(Arc::new(masked.with_data_type(array.data_type().clone())))
}

pub(super) fn numbers(array: &ArrayRef, to: &LogicalType, numbers: &Numbers) -> Result<ArrayRef, Refusal> {
    use LogicalType as L;
    match to {
        L::Int8 => numbers_of::<Int8Type>(array, numbers),
        L::Int16 => numbers_of::<Int16Type>(array, numbers),
        L::Int32 => numbers_of::<Int32Type>(array, numbers),
        L::Int64 => numbers_of::<Int64Type>(array, numbers),
        L::UInt8 => numbers_of::<UInt8Type>(array, numbers),
        L::UInt16 => numbers_of::<UInt16Type>(array, numbers),
        L::UInt32 => numbers_of::<UInt32Type>(array, numbers),
        L::UInt64 => numbers_of::<UInt64Type>(array, numbers),
        _ => numbers_of::<Decimal128Type>(array, numbers),
    }
}

/// Each text as `write` makes it.
fn texts(array: &ArrayRef, mut write: impl FnMut(&str, &mut String)) -> ArrayRef {
    let array = array.as_string::<i32>();
    let mut masked = StringBuilder::with_capacity(array.len(), array.len() * 32);
    let mut text = String::new();
    for value in array {
        match value {
            None => masked.append_null(),
            Some(value) => {
                text.clear();
                write(value, &mut text);
                masked.append_value(&text);
            }
        }
    }
    Arc::new(masked.finish())
}

/// `digits` hexadecimal digits of each text's code, and `behind` behind them.
pub(super) fn text_codes(array: &ArrayRef, keyed: &Keyed, digits: usize, behind: &str) -> ArrayRef {
    texts(array, |value, text| {
        let code = hex(&keyed.code("text", value.as_bytes()));
        text.push_str(code.get(..digits).unwrap_or(&code));
        text.push_str(behind);
    })
}

pub(super) fn emails(array: &ArrayRef, keyed: &Keyed, digits: usize) -> ArrayRef {
    text_codes(array, keyed, digits, EMAIL_DOMAIN)
}

/// The first character and the last four, where at least as many lie between them; of shorter texts only the first; of a single
/// character nothing. The number of characters stays.
pub(super) fn partial(array: &ArrayRef) -> ArrayRef {
    texts(array, |value, text| {
        let count = value.chars().count();
        let (first, last) = if count >= 9 { (1, 4) } else { (usize::from(count > 1), 0) };
        for (place, letter) in value.chars().enumerate() {
            text.push(if place < first || place >= count - last { letter } else { '*' });
        }
    })
}

pub(super) fn byte_codes(array: &ArrayRef, keyed: &Keyed, bytes: usize) -> ArrayRef {
    let array: &BinaryArray = array.as_binary();
    let mut masked = BinaryBuilder::with_capacity(array.len(), array.len() * bytes);
    for value in array {
        match value {
            None => masked.append_null(),
            Some(value) => {
                let code = keyed.code("bytes", value);
                masked.append_value(code.get(..bytes).unwrap_or(&code));
            }
        }
    }
    Arc::new(masked.finish())
}

/// UUIDs of version 8, which is for those that are made in a way of their own (RFC 9562).
pub(super) fn uuids(array: &ArrayRef, keyed: &Keyed) -> Result<ArrayRef, Refusal> {
    let array = array.as_fixed_size_binary();
    let mut masked = FixedSizeBinaryBuilder::with_capacity(array.len(), 16);
    for row in 0..array.len() {
        if array.is_null(row) {
            masked.append_null();
            continue;
        }
        let mut bytes = [0u8; 16];
        bytes.copy_from_slice(&keyed.code("uuid", array.value(row))[..16]);
        bytes[6] = 0x80 | (bytes[6] & 0x0f);
        bytes[8] = 0x80 | (bytes[8] & 0x3f);
        masked.append_value(bytes).map_err(|error| Refusal { row, why: error.to_string() })?;
    }
    Ok(Arc::new(masked.finish()))
}

/// The days that dates are moved by: 1 to 365, either way, the same for all columns.
pub(super) fn days(keyed: &Keyed) -> i32 {
    let code = keyed.code("shift_date", b"");
    let place = i32::from(u16::from_le_bytes([code[0], code[1]]) % 730);
    if place < 365 { place - 365 } else { place - 364 }
}

/// Dates and timestamps, moved. The smallest and the largest value mean infinity, and stay.
pub(super) fn moved(array: &ArrayRef, days: i32) -> Result<ArrayRef, Refusal> {
    match array.as_primitive_opt::<Date32Type>() {
        Some(_) => moved_by::<Date32Type>(array, |day| match day {
            i32::MIN | i32::MAX => Some(day),
            _ => day.checked_add(days).filter(|day| *day != i32::MIN && *day != i32::MAX),
        }),
        None => moved_by::<TimestampMicrosecondType>(array, |instant| match instant {
            i64::MIN | i64::MAX => Some(instant),
            _ => instant.checked_add(i64::from(days) * DAY).filter(|instant| *instant != i64::MIN && *instant != i64::MAX),
        }),
    }
}

fn moved_by<T: ArrowPrimitiveType>(array: &ArrayRef, add: impl Fn(T::Native) -> Option<T::Native>) -> Result<ArrayRef, Refusal> {
    let array = array.as_primitive::<T>();
    let mut masked = Vec::with_capacity(array.len());
    for row in 0..array.len() {
        if array.is_null(row) {
            masked.push(None);
            continue;
        }
        let why = "the moved date is outside of the range of its type";
        masked.push(Some(add(array.value(row)).ok_or_else(|| Refusal { row, why: why.into() })?));
    }
    let masked = masked.into_iter().collect::<PrimitiveArray<T>>();
    Ok(Arc::new(masked.with_data_type(array.data_type().clone())))
}

/// `one`, which holds one value, in each row that is not NULL.
pub(super) fn replaced(array: &ArrayRef, one: &ArrayRef) -> Result<ArrayRef, Refusal> {
    let places: UInt32Array = (0..array.len()).map(|row| array.is_valid(row).then_some(0)).collect();
    arrow::compute::take(one, &places, None).map_err(|error| Refusal { row: 0, why: error.to_string() })
}

/// The fixed value of a type, as an array of one; `None` for types without one.
pub(super) fn fixed(to: &LogicalType, labels: &[String], room: Option<u32>) -> Option<ArrayRef> {
    use LogicalType as L;
    fn zero<T: ArrowPrimitiveType>(to: &LogicalType) -> ArrayRef {
        Arc::new(PrimitiveArray::<T>::from_iter_values([T::Native::default()]).with_data_type(to.arrow()))
    }
    let text = |text: &str| -> ArrayRef { Arc::new(StringArray::from(vec![text])) };
    Some(match to {
        L::Bool => Arc::new(BooleanArray::from(vec![false])),
        L::Int8 => zero::<Int8Type>(to),
        L::Int16 => zero::<Int16Type>(to),
        L::Int32 => zero::<Int32Type>(to),
        L::Int64 => zero::<Int64Type>(to),
        L::UInt8 => zero::<UInt8Type>(to),
        L::UInt16 => zero::<UInt16Type>(to),
        L::UInt32 => zero::<UInt32Type>(to),
        L::UInt64 => zero::<UInt64Type>(to),
        L::Float32 => zero::<Float32Type>(to),
        L::Float64 => zero::<Float64Type>(to),
        L::Decimal { precision, .. } if *precision <= 38 => zero::<Decimal128Type>(to),
        L::Decimal { .. } => zero::<Decimal256Type>(to),
        L::Numeric => text("0"),
        L::Date => zero::<Date32Type>(to),
        L::Time { .. } => zero::<Time64MicrosecondType>(to),
        L::Timestamp { .. } => zero::<TimestampMicrosecondType>(to),
        L::Duration { .. } => zero::<DurationMicrosecondType>(to),
        L::Interval => zero::<IntervalMonthDayNanoType>(to),
        L::Text { .. } if !labels.is_empty() => text(fixed_label(labels)?),
        L::Text { .. } => {
            let room = room.and_then(|room| usize::try_from(room).ok()).unwrap_or(REDACTED.len());
            text(REDACTED.get(..room).unwrap_or(REDACTED))
        }
        L::Json => text("{}"),
        L::Enum { labels } => text(fixed_label(labels)?),
        L::Binary { .. } => Arc::new(BinaryArray::from(vec![b"".as_slice()])),
        L::Bits { length } => {
            let bytes = vec![0u8; usize::try_from(length.div_ceil(8)).ok()?];
            Arc::new(BinaryArray::from(vec![bytes.as_slice()]))
        }
        L::Uuid => {
            let mut one = FixedSizeBinaryBuilder::with_capacity(1, 16);
            one.append_value([0u8; 16]).ok()?;
            Arc::new(one.finish())
        }
        L::Set { .. } | L::Array { .. } => {
            let arrow::datatypes::DataType::List(field) = to.arrow() else { return None };
            let none = new_empty_array(field.data_type());
            let offsets = arrow::buffer::OffsetBuffer::from_lengths([0]);
            Arc::new(arrow::array::ListArray::try_new(field, offsets, none, None).ok()?)
        }
        L::Geometry { .. } | L::Vector { .. } => return None,
    })
}
