//! Numbers beyond the target's type, where the mapping has decided what becomes of them: the nearest number that the type holds, or NULL.
//!
//! Only range is forgiven: a digit that the target has no place for is refused as ever.

use arrow::array::{Array, ArrayRef, AsArray, BooleanBufferBuilder, PrimitiveArray};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{
    ArrowNativeTypeOp, Decimal128Type, Decimal256Type, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type,
    UInt32Type, UInt64Type, i256,
};

use super::numbers::{Number, limit, power_of_ten, scale, shown, typed, with_number};
use super::pairs::Refusal;
use crate::model::LogicalType;
use crate::model::policy::OutOfRange;

/// Numbers to numbers under a policy: the array, and the rows that it was applied to. None for types that are no numbers.
pub type Kernel = fn(&ArrayRef, &LogicalType, &LogicalType, OutOfRange) -> Result<(ArrayRef, Vec<usize>), Refusal>;

/// What the casts of numbers say of a number that a policy here would settle.
pub const OUT_OF_RANGE: &str = "is out of range for";

/// The kernel from one type of numbers to another.
pub fn kernel(from: &LogicalType, to: &LogicalType) -> Option<Kernel> {
    fn to_kernel<S: Number>(to: &LogicalType) -> Option<Kernel> {
        with_number!(to, T => rescale::<S, T> as Kernel)
    }
    with_number!(from, S => to_kernel::<S>(to)).flatten()
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
