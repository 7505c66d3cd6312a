//! Aggregates of columns over a pass of their own through the files: what `full` verification compares.

use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, PrimitiveArray, RecordBatch};
use arrow::compute::{max, min};
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Decimal256Type, DurationMicrosecondType, Float32Type, Float64Type, Int8Type, Int16Type,
    Int32Type, Int64Type, SchemaRef, Time64MicrosecondType, TimeUnit, TimestampMicrosecondType, UInt8Type, UInt16Type,
    UInt32Type, UInt64Type,
};

use super::exact::{Exact, Sum};
use crate::engine::{Profile, ProfileColumn, ProfileKind};
use crate::error::{Error, ErrorKind, Result};
use crate::model::{ObjectName, civil};

/// Collects the aggregates of a table's columns.
pub struct Profiler {
    table: ObjectName,
    rows: u64,
    columns: Vec<Aggregate>,
}

/// One column's aggregates so far.
struct Aggregate {
    name: String,
    count: u64,
    state: State,
}

enum State {
    Exact { range: Option<(Exact, Exact)>, sum: Sum },
    Float { range: Option<(f64, f64)> },
    Temporal { range: Option<(i64, i64)>, text: fn(i64) -> String },
    Text { characters: u64, bytes: u64 },
    Bytes { bytes: u64 },
    Bool { yes: u64 },
    Count,
}

impl Profiler {
    /// Prepares for `columns`, whose types `schema` tells.
    ///
    /// # Errors
    /// `Internal` for an aggregate that a type does not have.
    pub fn new(table: ObjectName, columns: &[ProfileColumn], schema: &SchemaRef) -> Result<Profiler> {
        let columns = columns.iter().zip(schema.fields()).map(|(column, field)| {
            let state = match column.kind {
                ProfileKind::Exact => State::Exact { range: None, sum: Sum::default() },
                ProfileKind::Float => State::Float { range: None },
                ProfileKind::Temporal => State::Temporal {
                    range: None,
                    text: temporal_text(field.data_type()).ok_or_else(|| misfit(&column.name, field.data_type()))?,
                },
                ProfileKind::Text => State::Text { characters: 0, bytes: 0 },
                ProfileKind::Bytes => State::Bytes { bytes: 0 },
                ProfileKind::Bool => State::Bool { yes: 0 },
                ProfileKind::Count => State::Count,
            };
            Ok(Aggregate { name: column.name.clone(), count: 0, state })
        });
        Ok(Profiler { columns: columns.collect::<Result<_>>()?, table, rows: 0 })
    }

    /// Adds the rows of a batch of the schema.
    pub fn add(&mut self, batch: &RecordBatch) -> Result<()> {
        self.rows += batch.num_rows() as u64;
        for (column, array) in self.columns.iter_mut().zip(batch.columns()) {
            column.add(array).map_err(|error| error.table(&self.table))?;
        }
        Ok(())
    }

    /// The aggregates in their canonical text.
    pub fn finish(self) -> Profile {
        Profile { rows: self.rows, columns: self.columns.into_iter().map(Aggregate::finish).collect() }
    }
}

fn misfit(column: &str, arrow: &DataType) -> Error {
    Error::internal(format!("{arrow} does not have the aggregates asked for")).column(column)
}

impl Aggregate {
    fn add(&mut self, array: &ArrayRef) -> Result<()> {
        self.count += (array.len() - array.null_count()) as u64;
        match &mut self.state {
            State::Exact { range, sum } => return add_exact(range, sum, array, &self.name),
            State::Float { range } => match array.data_type() {
                DataType::Float32 => widen(range, array.as_primitive::<Float32Type>().iter().flatten().map(f64::from)),
                DataType::Float64 => widen(range, array.as_primitive::<Float64Type>().iter().flatten()),
                other => return Err(misfit(&self.name, other)),
            },
            State::Temporal { range, .. } => {
                let found = match array.data_type() {
                    DataType::Date32 => bounds::<Date32Type>(array).map(|(low, high)| (i64::from(low), i64::from(high))),
                    DataType::Time64(TimeUnit::Microsecond) => bounds::<Time64MicrosecondType>(array),
                    DataType::Timestamp(TimeUnit::Microsecond, _) => bounds::<TimestampMicrosecondType>(array),
                    DataType::Duration(TimeUnit::Microsecond) => bounds::<DurationMicrosecondType>(array),
                    other => return Err(misfit(&self.name, other)),
                };
                merge(range, found);
            }
            State::Text { characters, bytes } => {
                let texts = array.as_string_opt::<i32>().ok_or_else(|| misfit(&self.name, array.data_type()))?;
                for text in texts.iter().flatten() {
                    *characters += text.chars().count() as u64;
                    *bytes += text.len() as u64;
                }
            }
            State::Bytes { bytes } => match array.data_type() {
                DataType::Binary => {
                    *bytes += array.as_binary::<i32>().iter().flatten().map(|value| value.len() as u64).sum::<u64>()
                }
                DataType::Utf8 => {
                    *bytes += array.as_string::<i32>().iter().flatten().map(|value| value.len() as u64).sum::<u64>()
                }
                DataType::FixedSizeBinary(_) => {
                    *bytes += array.as_fixed_size_binary().iter().flatten().map(|value| value.len() as u64).sum::<u64>();
                }
                other => return Err(misfit(&self.name, other)),
            },
            State::Bool { yes } => {
                let flags = array.as_boolean_opt().ok_or_else(|| misfit(&self.name, array.data_type()))?;
                *yes += flags.true_count() as u64;
            }
            State::Count => {}
        }
        Ok(())
    }

    fn finish(self) -> Vec<Option<String>> {
        let empty = self.count == 0;
        let mut texts = vec![Some(self.count.to_string())];
        match self.state {
            State::Exact { range, sum } => {
                let (low, high) = range.unzip();
                texts.extend([low.map(|low| low.to_string()), high.map(|high| high.to_string())]);
                texts.push((!empty).then(|| sum.total().to_string()));
            }
            State::Float { range } => {
                let (low, high) = range.unzip();
                // Adding 0 makes -0 and 0, which are equal, one text.
                texts.extend([low.map(|low| (low + 0.0).to_string()), high.map(|high| (high + 0.0).to_string())]);
            }
            State::Temporal { range, text } => {
                let (low, high) = range.unzip();
                texts.extend([low.map(text), high.map(text)]);
            }
            // As in SQL, the sum over no values is NULL.
            State::Text { characters, bytes } => {
                texts.extend([(!empty).then(|| characters.to_string()), (!empty).then(|| bytes.to_string())]);
            }
            State::Bytes { bytes } => texts.push((!empty).then(|| bytes.to_string())),
            State::Bool { yes } => texts.push((!empty).then(|| yes.to_string())),
            State::Count => {}
        }
        texts
    }
}

fn bounds<T: ArrowPrimitiveType>(array: &ArrayRef) -> Option<(T::Native, T::Native)>
where
    PrimitiveArray<T>: Array,
{
    let values = array.as_primitive_opt::<T>()?;
    min(values).zip(max(values))
}

fn merge<T: Ord>(range: &mut Option<(T, T)>, found: Option<(T, T)>) {
    *range = match (range.take(), found) {
        (Some((low, high)), Some((new_low, new_high))) => Some((low.min(new_low), high.max(new_high))),
        (old, new) => old.or(new),
    };
}

/// NaN is the largest, as in PostgreSQL.
fn widen(range: &mut Option<(f64, f64)>, values: impl Iterator<Item = f64>) {
    let above = |a: f64, b: f64| a > b || (a.is_nan() && !b.is_nan());
    for value in values {
        let (low, high) = range.get_or_insert((value, value));
        if above(*low, value) {
            *low = value;
        }
        if above(value, *high) {
            *high = value;
        }
    }
}

fn add_exact(range: &mut Option<(Exact, Exact)>, sum: &mut Sum, array: &ArrayRef, column: &str) -> Result<()> {
    let mut add = |text: &str, scale: i8| -> Result<()> {
        let number = Exact::scaled(text, usize::try_from(scale).unwrap_or(0)).ok_or_else(|| misfit(column, array.data_type()))?;
        sum.add(&number);
        merge(range, Some((number.clone(), number)));
        Ok(())
    };
    /// Least, greatest and sum of whole numbers of up to 64 bits: a batch of them cannot exceed 128.
    macro_rules! whole {
        ($type:ty) => {{
            let values = array.as_primitive::<$type>();
            let total: i128 = values.iter().flatten().map(i128::from).sum();
            if let Some((low, high)) = min(values).zip(max(values)) {
                let number = |value: i128| Exact::scaled(&value.to_string(), 0).unwrap_or_default();
                merge(range, Some((number(low.into()), number(high.into()))));
                sum.add(&number(total));
            }
        }};
    }
    match array.data_type() {
        DataType::Int8 => whole!(Int8Type),
        DataType::Int16 => whole!(Int16Type),
        DataType::Int32 => whole!(Int32Type),
        DataType::Int64 => whole!(Int64Type),
        DataType::UInt8 => whole!(UInt8Type),
        DataType::UInt16 => whole!(UInt16Type),
        DataType::UInt32 => whole!(UInt32Type),
        DataType::UInt64 => whole!(UInt64Type),
        DataType::Boolean => array.as_boolean().iter().flatten().try_for_each(|flag| add(if flag { "1" } else { "0" }, 0))?,
        DataType::Decimal128(_, scale) => {
            array.as_primitive::<Decimal128Type>().iter().flatten().try_for_each(|value| add(&value.to_string(), *scale))?;
        }
        DataType::Decimal256(_, scale) => {
            array.as_primitive::<Decimal256Type>().iter().flatten().try_for_each(|value| add(&value.to_string(), *scale))?;
        }
        DataType::Utf8 => {
            for text in array.as_string::<i32>().iter().flatten() {
                let number = Exact::parse(text).ok_or_else(|| {
                    Error::new(ErrorKind::Value, format!("`{text:.40}` has no place in a sum of numbers")).column(column)
                })?;
                sum.add(&number);
                merge(range, Some((number.clone(), number)));
            }
        }
        other => return Err(misfit(column, other)),
    }
    Ok(())
}

const DAY_US: i64 = 86_400_000_000;

/// How a temporal value of that type is spelt.
fn temporal_text(arrow: &DataType) -> Option<fn(i64) -> String> {
    match arrow {
        DataType::Date32 => Some(|days| match i32::try_from(days) {
            Ok(i32::MIN) => "-infinity".into(),
            Ok(i32::MAX) => "infinity".into(),
            _ => format!("{} 00:00:00.000000", civil::date_text(days)),
        }),
        DataType::Timestamp(..) => Some(|us| match us {
            i64::MIN => "-infinity".into(),
            i64::MAX => "infinity".into(),
            _ => format!("{} {}", civil::date_text(us.div_euclid(DAY_US)), clock_text(us.rem_euclid(DAY_US).unsigned_abs())),
        }),
        DataType::Time64(_) => Some(|us| clock_text(us.unsigned_abs())),
        DataType::Duration(_) => Some(|us| format!("{}{}", if us < 0 { "-" } else { "" }, clock_text(us.unsigned_abs()))),
        _ => None,
    }
}

fn clock_text(us: u64) -> String {
    let seconds = us / 1_000_000;
    format!("{:02}:{:02}:{:02}.{:06}", seconds / 3600, seconds / 60 % 60, seconds % 60, us % 1_000_000)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Decimal128Array, Float64Array, Int64Array, StringArray, TimestampMicrosecondArray};

    use super::*;
    use crate::model::LogicalType;
    use crate::model::catalog::NativeType;
    use crate::model::logical::{Zone, schema};

    fn profile(logical: &LogicalType, kind: ProfileKind, array: ArrayRef) -> Vec<Option<String>> {
        let columns = [ProfileColumn { name: "c".into(), native: NativeType::default(), kind }];
        let schema = schema([("c", logical)]);
        let mut profiler = Profiler::new(ObjectName::new("", "t"), &columns, &schema).unwrap();
        let batch = RecordBatch::try_new(schema, vec![array]).unwrap();
        profiler.add(&batch.slice(0, 1)).unwrap();
        profiler.add(&batch.slice(1, batch.num_rows() - 1)).unwrap();
        profiler.finish().columns.remove(0)
    }

    fn texts<const N: usize>(all: [&str; N]) -> Vec<Option<String>> {
        all.iter().map(|text| Some((*text).to_string())).collect()
    }

    #[test]
    fn aggregates_are_exact() {
        let ints = Int64Array::from(vec![Some(i64::MAX), None, Some(i64::MAX), Some(-1)]);
        let expected = texts(["3", "-1", "9223372036854775807", "18446744073709551613"]);
        assert_eq!(profile(&LogicalType::Int64, ProfileKind::Exact, Arc::new(ints)), expected);
        let decimals = Decimal128Array::from(vec![-150, 1000, 5]).with_precision_and_scale(10, 2).unwrap();
        let decimal = LogicalType::Decimal { precision: 10, scale: 2 };
        assert_eq!(profile(&decimal, ProfileKind::Exact, Arc::new(decimals)), texts(["3", "-1.5", "10", "8.55"]));
        let floats = Float64Array::from(vec![Some(-0.0), Some(f64::NAN), Some(1e300), None]);
        let found = profile(&LogicalType::Float64, ProfileKind::Float, Arc::new(floats));
        assert_eq!(found, texts(["3", "0", "NaN"]));
        let text = StringArray::from(vec![Some("ä😀"), None]);
        assert_eq!(profile(&LogicalType::Text { length: None }, ProfileKind::Text, Arc::new(text)), texts(["1", "2", "6"]));
        let none = Int64Array::from(vec![None, None]);
        let found = profile(&LogicalType::Int64, ProfileKind::Exact, Arc::new(none));
        assert_eq!(found, vec![Some("0".into()), None, None, None]);
    }

    #[test]
    fn temporal_bounds_are_iso_text() {
        let timestamp = LogicalType::Timestamp { fsp: 6, zone: Zone::None };
        let values = TimestampMicrosecondArray::from(vec![-1, 0, i64::MAX]);
        let found = profile(&timestamp, ProfileKind::Temporal, Arc::new(values));
        assert_eq!(found, texts(["3", "1969-12-31 23:59:59.999999", "infinity"]));
    }
}
