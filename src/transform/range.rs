//! Numbers beyond the target's type, and times outside of a day, where the mapping has decided what becomes of them: the nearest value that
//! the type holds, or NULL.
//!
//! Only range is forgiven: a digit that the target has no place for is refused as ever.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, BooleanBufferBuilder, PrimitiveArray};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{
    ArrowNativeTypeOp, Decimal128Type, Decimal256Type, DurationMicrosecondType, Int8Type, Int16Type, Int32Type, Int64Type,
    Time64MicrosecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type, i256,
};

use super::numbers::{NO_TRUTH_VALUE, Number, limit, power_of_ten, scale, shown, typed, with_number};
use super::pairs::Refusal;
use super::temporal::{DAY_US, NO_TIME_OF_DAY, check_digits, fsp, unit_us};
use crate::model::LogicalType;
use crate::model::policy::OutOfRange;

/// Values to values under a policy: the array, and the rows that it was applied to.
pub type Kernel = fn(&ArrayRef, &LogicalType, &LogicalType, OutOfRange) -> Result<(ArrayRef, Vec<usize>), Refusal>;

/// What the casts of numbers say of a number that a policy here would settle.
pub const OUT_OF_RANGE: &str = "is out of range for";

/// True if a policy here would settle what the cast from one type to the other said.
pub fn settles(from: &LogicalType, to: &LogicalType, why: &str) -> bool {
    let said = match to {
        LogicalType::Bool => why.contains(NO_TRUTH_VALUE),
        LogicalType::Time { .. } => why.contains(NO_TIME_OF_DAY),
        _ => why.contains(OUT_OF_RANGE),
    };
    said && kernel(from, to).is_some()
}

/// The kernel from one type to another: numbers to numbers, whole numbers to truth values, lengths of time to times of day.
pub fn kernel(from: &LogicalType, to: &LogicalType) -> Option<Kernel> {
    fn to_kernel<S: Number>(to: &LogicalType) -> Option<Kernel> {
        with_number!(to, T => rescale::<S, T> as Kernel)
    }
    match (from, to) {
        (LogicalType::Duration { .. }, LogicalType::Time { .. }) => Some(time_of_day),
        (integer, LogicalType::Bool) if integer.is_integer() => with_number!(from, S => truth_value::<S> as Kernel),
        _ => with_number!(from, S => to_kernel::<S>(to)).flatten(),
    }
}

/// 0 and 1 are the numbers that a truth value holds: what is less becomes false, and what is more true.
fn truth_value<S: Number>(
    array: &ArrayRef,
    _from: &LogicalType,
    _to: &LogicalType,
    how: OutOfRange,
) -> Result<(ArrayRef, Vec<usize>), Refusal> {
    let array = array.as_primitive::<S>();
    let mut applied = Vec::new();
    let values: BooleanArray = (0..array.len())
        .map(|row| {
            let value = array.is_valid(row).then(|| S::wide(array.value(row)))?;
            if value == i256::ZERO || value == i256::ONE {
                return Some(value == i256::ONE);
            }
            applied.push(row);
            (how == OutOfRange::Clamp).then_some(value > i256::ZERO)
        })
        .collect();
    Ok((Arc::new(values), applied))
}

/// Midnight, and the last instant of the day that the type has digits for.
fn time_of_day(
    array: &ArrayRef,
    _from: &LogicalType,
    to: &LogicalType,
    how: OutOfRange,
) -> Result<(ArrayRef, Vec<usize>), Refusal> {
    let array = array.as_primitive::<DurationMicrosecondType>();
    let last = DAY_US - unit_us(fsp(to));
    let mut applied = Vec::new();
    let mut times = Vec::with_capacity(array.len());
    for row in 0..array.len() {
        let us = array.is_valid(row).then(|| array.value(row));
        times.push(match us {
            Some(us) if !(0..DAY_US).contains(&us) => {
                applied.push(row);
                (how == OutOfRange::Clamp).then_some(if us < 0 { 0 } else { last })
            }
            Some(us) => Some(check_digits(us, to).map_err(|why| Refusal { row, why })?),
            None => None,
        });
    }
    Ok((Arc::new(PrimitiveArray::<Time64MicrosecondType>::from(times)), applied))
}

/// The least and the greatest number of units of a type.
fn bounds<T: Number>(to: &LogicalType) -> (i256, i256) {
    match limit(to) {
        Some(limit) => {
            let most = limit.wrapping_sub(i256::ONE);
            (most.wrapping_neg(), most)
        }
        None => (T::wide(T::Native::MIN_TOTAL_ORDER), T::wide(T::Native::MAX_TOTAL_ORDER)),
    }
}

fn rescale<S: Number, T: Number>(
    array: &ArrayRef,
    from: &LogicalType,
    to: &LogicalType,
    how: OutOfRange,
) -> Result<(ArrayRef, Vec<usize>), Refusal> {
    let array = array.as_primitive::<S>();
    let (has, wants) = (scale(from), scale(to));
    let (up, down) = (power_of_ten(wants.saturating_sub(has)), power_of_ten(has.saturating_sub(wants)));
    let (Some(up), Some(down)) = (up, down) else {
        return Err(Refusal { row: 0, why: format!("{from} and {to} are too far apart") });
    };
    let (least, most) = bounds::<T>(to);
    let mut values: Vec<T::Native> = Vec::with_capacity(array.len());
    let mut valid = BooleanBufferBuilder::new(array.len());
    let mut applied = Vec::new();
    for row in 0..array.len() {
        if array.is_null(row) {
            values.push(T::Native::default());
            valid.append(false);
            continue;
        }
        let value = S::wide(array.value(row));
        let scaled = if has > wants { Some(value.wrapping_div(down)) } else { value.checked_mul(up) };
        // Beyond 256 bits is beyond every type.
        let bound = match scaled {
            Some(scaled) if scaled > most => Some(most),
            Some(scaled) if scaled < least => Some(least),
            Some(_) => None,
            None => Some(if value < i256::ZERO { least } else { most }),
        };
        let wanted = match (bound, scaled) {
            (Some(bound), _) => {
                applied.push(row);
                (how == OutOfRange::Clamp).then_some(bound)
            }
            (None, Some(_)) if has > wants && value.wrapping_rem(down) != i256::ZERO => {
                return Err(Refusal { row, why: format!("{} has digits that {to} does not hold", shown(value, has)) });
            }
            (None, scaled) => scaled,
        };
        values.push(wanted.and_then(T::narrow).unwrap_or_default());
        valid.append(wanted.is_some());
    }
    let nulls = NullBuffer::new(valid.finish());
    Ok((typed::<T>(PrimitiveArray::new(values.into(), Some(nulls)), to), applied))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Decimal128Array, Int64Array};

    use super::*;

    fn run(array: ArrayRef, from: &LogicalType, to: &LogicalType, how: OutOfRange) -> (String, Vec<usize>) {
        let (array, applied) = kernel(from, to).unwrap()(&array, from, to, how).unwrap();
        let text: Vec<String> =
            (0..array.len()).map(|row| arrow::util::display::array_value_to_string(&array, row).unwrap()).collect();
        (text.join(" "), applied)
    }

    #[test]
    fn integers_end_at_their_type() {
        let numbers: ArrayRef = Arc::new(Int64Array::from(vec![Some(1), None, Some(40_000), Some(-40_000)]));
        let (from, to) = (LogicalType::Int64, LogicalType::Int16);
        assert_eq!(run(numbers.clone(), &from, &to, OutOfRange::Clamp), ("1  32767 -32768".into(), vec![2, 3]));
        assert_eq!(run(numbers, &from, &to, OutOfRange::Null), ("1   ".into(), vec![2, 3]));
        let negative: ArrayRef = Arc::new(Int64Array::from(vec![-1]));
        assert_eq!(run(negative, &from, &LogicalType::UInt64, OutOfRange::Clamp), ("0".into(), vec![0]));
    }

    #[test]
    fn truth_values_and_times_of_day_end_at_their_type() {
        let flags: ArrayRef = Arc::new(Int64Array::from(vec![Some(0), Some(1), Some(2), Some(-1), None]));
        let (from, to) = (LogicalType::Int64, LogicalType::Bool);
        assert_eq!(run(flags.clone(), &from, &to, OutOfRange::Clamp), ("false true true false ".into(), vec![2, 3]));
        assert_eq!(run(flags, &from, &to, OutOfRange::Null), ("false true   ".into(), vec![2, 3]));
        let times = |values: Vec<i64>| -> ArrayRef { Arc::new(arrow::array::DurationMicrosecondArray::from(values)) };
        let (from, to) = (LogicalType::Duration { fsp: 6 }, LogicalType::Time { fsp: 3 });
        let said = run(times(vec![1_000, DAY_US, -1, DAY_US - 1_000]), &from, &to, OutOfRange::Clamp);
        assert_eq!(said, ("00:00:00.001 23:59:59.999 00:00:00 23:59:59.999".into(), vec![1, 2]));
        assert!(time_of_day(&times(vec![1]), &from, &to, OutOfRange::Null).is_err());
        assert!(settles(&from, &to, "25:00:00 is no time of day") && !settles(&from, &to, "has more digits"));
    }

    #[test]
    fn decimals_end_at_their_digits_and_keep_each() {
        let from = LogicalType::Decimal { precision: 10, scale: 2 };
        let to = LogicalType::Decimal { precision: 4, scale: 1 };
        let decimals =
            |values: Vec<i128>| -> ArrayRef { Arc::new(Decimal128Array::from(values).with_precision_and_scale(10, 2).unwrap()) };
        assert_eq!(
            run(decimals(vec![12_340, 99_990, 100_000, -500_001]), &from, &to, OutOfRange::Clamp).0,
            "123.4 999.9 999.9 -999.9"
        );
        assert!(kernel(&from, &to).unwrap()(&decimals(vec![12_345]), &from, &to, OutOfRange::Clamp).is_err());
        assert!(kernel(&from, &LogicalType::Date).is_none());
    }
}
