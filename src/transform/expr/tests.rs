//! Tests of expressions over small batches, against values worked out elsewhere.

mod functions;
mod numbers;
mod predicates;
mod refusals;

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, Float64Array, Int32Array, Int64Array, ListBuilder,
    RecordBatch, StringArray, StringBuilder, TimestampMicrosecondArray, UInt64Array,
};
use arrow::datatypes::{DataType, Field};
use arrow::util::display::{ArrayFormatter, FormatOptions};

use super::*;
use crate::error::{Error, Result};
use crate::model::logical::{Zone, schema};
use crate::model::{LogicalType, ObjectName};

const TEXT: LogicalType = LogicalType::Text { length: None };
const WALL: LogicalType = LogicalType::Timestamp { fsp: 6, zone: Zone::None };
const INSTANT: LogicalType = LogicalType::Timestamp { fsp: 6, zone: Zone::Utc };
/// 2024-02-29 12:34:56.789012 UTC.
const NOW_US: i64 = 1_709_210_096_789_012;

fn decimal(precision: u8, scale: u8) -> LogicalType {
    LogicalType::Decimal { precision, scale }
}

/// Three rows: two of values, one of NULLs except for its key.
fn columns() -> Vec<(String, LogicalType, ArrayRef)> {
    let mut tags = ListBuilder::new(StringBuilder::new()).with_field(Field::new_list_field(DataType::Utf8, false));
    tags.append_value([Some("new"), Some("hot")]);
    tags.append_value(Vec::<Option<&str>>::new());
    tags.append_null();
    let labels = |labels: &[&str]| labels.iter().map(|label| (*label).to_string()).collect::<Vec<_>>();
    let day = 86_400_000_000i64;
    let array = |array: &dyn arrow::array::Array| arrow::array::make_array(array.to_data());
    let column = |name: &str, logical, values: &dyn arrow::array::Array| (name.to_string(), logical, array(values));
    vec![
        column("id", LogicalType::Int32, &Int32Array::from(vec![1, 2, 3])),
        column("a", LogicalType::Int64, &Int64Array::from(vec![Some(7), Some(-7), None])),
        column("b", LogicalType::Int64, &Int64Array::from(vec![Some(2), Some(0), None])),
        column("u", LogicalType::UInt64, &UInt64Array::from(vec![Some(u64::MAX), Some(0), None])),
        column(
            "price",
            decimal(10, 2),
            &Decimal128Array::from(vec![Some(1999), Some(-5), None]).with_precision_and_scale(10, 2).unwrap(),
        ),
        column("f", LogicalType::Float64, &Float64Array::from(vec![Some(0.5), Some(-2.75), None])),
        column("ok", LogicalType::Bool, &BooleanArray::from(vec![Some(true), Some(false), None])),
        column("name", TEXT, &StringArray::from(vec![Some("Ada"), Some("ßtraße"), None])),
        column("Name", TEXT, &StringArray::from(vec![Some("upper"), Some("case"), None])),
        column("first name", TEXT, &StringArray::from(vec![Some("with"), Some("space"), None])),
        column("num", TEXT, &StringArray::from(vec![Some("007"), Some("1.50"), None])),
        column("day", LogicalType::Date, &Date32Array::from(vec![Some(19_782), Some(i32::MAX), None])),
        column("at", WALL, &TimestampMicrosecondArray::from(vec![Some(NOW_US), Some(-day / 2), None])),
        column("seen", INSTANT, &TimestampMicrosecondArray::from(vec![Some(NOW_US), Some(0), None]).with_timezone("UTC")),
        column(
            "raw",
            LogicalType::Binary { length: None },
            &BinaryArray::from(vec![Some(&b"abc"[..]), Some(&[0xff, 0x00][..]), None]),
        ),
        column(
            "kind",
            LogicalType::Enum { labels: labels(&["old", "new"]) },
            &StringArray::from(vec![Some("old"), Some("new"), None]),
        ),
        column("tags", LogicalType::Set { labels: labels(&["new", "hot"]) }, &tags.finish()),
        column("doc", LogicalType::Json, &StringArray::from(vec![Some("{\"a\":1}"), Some("[]"), None])),
    ]
}

fn scope() -> Scope {
    let columns: Vec<_> = columns().into_iter().map(|(name, logical, _)| (name, logical)).collect();
    Scope::new(&columns, NOW_US).unwrap()
}

fn batch() -> RecordBatch {
    let columns = columns();
    let schema = schema(columns.iter().map(|(name, logical, _)| (name.as_str(), logical)));
    RecordBatch::try_new(schema, columns.into_iter().map(|(_, _, array)| array).collect()).unwrap()
}

fn table() -> ObjectName {
    ObjectName::new("shop", "orders")
}

fn evaluate(sql: &str, target: &LogicalType, rounding: Rounding) -> Result<ArrayRef> {
    let expression = Expression::compile(sql, &scope(), target, rounding)?;
    let array = expression.evaluate(&table(), "out", &["id".to_string()], &batch())?;
    assert_eq!(array.data_type(), &target.arrow(), "{sql}");
    assert_eq!(array.len(), 3, "{sql}");
    Ok(array)
}

fn show(array: &ArrayRef) -> Vec<String> {
    let options = FormatOptions::default().with_null("NULL");
    let plain = match array.data_type() {
        DataType::Timestamp(unit, Some(_)) => arrow::compute::cast(array, &DataType::Timestamp(*unit, None)).unwrap(),
        _ => Arc::clone(array),
    };
    let formatter = ArrayFormatter::try_new(&plain, &options).unwrap();
    (0..plain.len()).map(|row| formatter.value(row).to_string()).collect()
}

/// The three values of an expression, with commas between, in its own type.
fn values(sql: &str) -> String {
    let natural = Expression::natural_type(sql, &scope()).unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    show(&evaluate(sql, &natural, Rounding::Exact).unwrap_or_else(|error| panic!("{sql}: {error:?}"))).join(",")
}

fn error_of(sql: &str, target: &LogicalType) -> Error {
    match evaluate(sql, target, Rounding::Exact) {
        Ok(array) => panic!("{sql} gives {:?}", show(&array)),
        Err(error) => error,
    }
}
