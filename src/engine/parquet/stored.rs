//! How the values of a logical type lie in a Parquet file: as in Arrow, but for intervals.
//!
//! Parquet has no place for Arrow's `Interval(MonthDayNano)`; its own INTERVAL counts in unsigned milliseconds. So an interval is stored as
//! `struct<months: int32, days: int32, nanoseconds: int64>`, which loses nothing and which every reader understands. A `Duration` is an INT64 of
//! microseconds, told apart by the Arrow schema and the logical type that the file's metadata keep.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, IntervalMonthDayNanoArray, ListArray, PrimitiveArray, StructArray};
use arrow::buffer::ScalarBuffer;
use arrow::datatypes::{
    DataType, Field, Fields, Int32Type, Int64Type, IntervalMonthDayNano, IntervalMonthDayNanoType, IntervalUnit,
};

use crate::error::{Error, Result};

fn interval_fields() -> Fields {
    Fields::from(vec![
        Field::new("months", DataType::Int32, false),
        Field::new("days", DataType::Int32, false),
        Field::new("nanoseconds", DataType::Int64, false),
    ])
}

/// The Arrow type that is written for values of `arrow`.
pub fn stored_type(arrow: &DataType) -> DataType {
    match arrow {
        DataType::Interval(IntervalUnit::MonthDayNano) => DataType::Struct(interval_fields()),
        DataType::List(item) => DataType::List(stored_item(item)),
        other => other.clone(),
    }
}

fn stored_item(item: &Arc<Field>) -> Arc<Field> {
    let stored = stored_type(item.data_type());
    if &stored == item.data_type() { item.clone() } else { Arc::new(item.as_ref().clone().with_data_type(stored)) }
}

/// The same values in the type that is written. Costs nothing for types that are written as they are.
pub fn to_stored(array: &ArrayRef) -> Result<ArrayRef> {
    match array.data_type() {
        DataType::Interval(IntervalUnit::MonthDayNano) => {
            let values = array.as_primitive::<IntervalMonthDayNanoType>();
            let months: ScalarBuffer<i32> = values.values().iter().map(|value| value.months).collect();
            let days: ScalarBuffer<i32> = values.values().iter().map(|value| value.days).collect();
            let nanoseconds: ScalarBuffer<i64> = values.values().iter().map(|value| value.nanoseconds).collect();
            let columns: Vec<ArrayRef> = vec![
                Arc::new(PrimitiveArray::<Int32Type>::new(months, None)),
                Arc::new(PrimitiveArray::<Int32Type>::new(days, None)),
                Arc::new(PrimitiveArray::<Int64Type>::new(nanoseconds, None)),
            ];
            Ok(Arc::new(StructArray::try_new(interval_fields(), columns, values.nulls().cloned())?))
        }
        DataType::List(item) => {
            let stored = stored_item(item);
            if stored.data_type() == item.data_type() {
                return Ok(array.clone());
            }
            let list = array.as_list::<i32>();
            let values = to_stored(list.values())?;
            Ok(Arc::new(ListArray::try_new(stored, list.offsets().clone(), values, list.nulls().cloned())?))
        }
        _ => Ok(array.clone()),
    }
}

/// The way back: the values of a file in the Arrow type `arrow`.
///
/// # Errors
/// `Internal` when the file has another type; callers compare the types before.
pub fn from_stored(array: &ArrayRef, arrow: &DataType) -> Result<ArrayRef> {
    match (array.data_type(), arrow) {
        (DataType::Struct(_), DataType::Interval(IntervalUnit::MonthDayNano)) => {
            let columns = array.as_struct();
            let [months, days, nanoseconds] = columns.columns() else {
                return Err(Error::internal("a stored interval does not have three parts"));
            };
            let (Some(months), Some(days), Some(nanoseconds)) = (
                months.as_primitive_opt::<Int32Type>(),
                days.as_primitive_opt::<Int32Type>(),
                nanoseconds.as_primitive_opt::<Int64Type>(),
            ) else {
                return Err(Error::internal("a stored interval has parts of other types"));
            };
            let parts = months.values().iter().zip(days.values()).zip(nanoseconds.values());
            let values: ScalarBuffer<IntervalMonthDayNano> =
                parts.map(|((months, days), nanoseconds)| IntervalMonthDayNano::new(*months, *days, *nanoseconds)).collect();
            Ok(Arc::new(IntervalMonthDayNanoArray::try_new(values, columns.nulls().cloned())?))
        }
        (DataType::List(_), DataType::List(item)) => {
            let list = array.as_list::<i32>();
            let values = from_stored(list.values(), item.data_type())?;
            Ok(Arc::new(ListArray::try_new(item.clone(), list.offsets().clone(), values, list.nulls().cloned())?))
        }
        (stored, wanted) if stored == wanted => Ok(array.clone()),
        (stored, wanted) => Err(Error::internal(format!("a file holds {stored} where {wanted} is expected"))),
    }
}
