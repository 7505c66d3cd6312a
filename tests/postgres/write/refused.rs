//! What would change on its way is refused, with table, column and key.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, IntervalMonthDayNano};

use dbferry::error::ErrorKind;
use dbferry::model::logical::Zone;
use dbferry::model::{LogicalType as L, RunId};

use super::*;
use crate::support::PostgresDatabase;

/// Values that a binary COPY would change or refuse: each is refused before it is sent, with column and key, and nothing stays.
async fn refused(script: &str, cases: Vec<(L, &str, ArrayRef, &str)>) {
    let db = PostgresDatabase::create(script).await;
    let sink = open_prepared(&db).await;
    for (number, (logical, native, value, why)) in cases.into_iter().enumerate() {
        let what = format!("{logical} to {native}: {why}");
        let name = format!("t{number}");
        db.run(&format!("CREATE TABLE {name} (id int, c {native})")).await;
        let table = table(&name, vec![column("c", logical, native)]);
        // A NULL first: the row that is named must be the one that fails.
        let nothing = arrow::array::new_null_array(value.data_type(), 1);
        let values = arrow::compute::concat(&[&*nothing, &*value]).unwrap();
        let rows = batch(&table, vec![Arc::new(Int32Array::from(vec![6, 7])), values]);
        let error = carry(&*sink, &table, &[rows]).await.expect_err(&what);
        assert_eq!(error.kind(), ErrorKind::Value, "{what}: {error:?}");
        assert_eq!(error.place().table.as_deref(), Some(format!("public.{name}").as_str()), "{what}");
        assert_eq!(error.place().column.as_deref(), Some("c"), "{what}");
        assert_eq!(error.place().key.as_deref(), Some("(id = 7)"), "{what}");
        assert!(error.what().contains(why), "{what}: {error:?}");
        assert_eq!(db.value(&format!("SELECT count(*) FROM {name}")).await.as_deref(), Some("0"), "{what}");
    }
    assert_eq!(db.value("SELECT count(*) FROM dbferry.receipts").await.as_deref(), Some("0"));
    drop(sink);
    db.drop().await;
}

fn decimal(value: i128, precision: u8, scale: i8) -> (L, ArrayRef) {
    let array = Decimal128Array::from(vec![value]).with_precision_and_scale(precision, scale).unwrap();
    (L::Decimal { precision, scale: scale.try_into().unwrap() }, Arc::new(array))
}

#[tokio::test]
async fn numbers_that_would_change_are_refused() {
    let mut cases: Vec<(L, &str, ArrayRef, &str)> = vec![
        (L::UInt64, "bigint", Arc::new(UInt64Array::from(vec![1u64 << 63])), "out of the range of `bigint`"),
        (L::Int64, "smallint", Arc::new(Int64Array::from(vec![32_768])), "out of the range of `smallint`"),
        (L::Int32, "smallint", Arc::new(Int32Array::from(vec![-32_769])), "out of the range of `smallint`"),
        (L::UInt32, "integer", Arc::new(UInt32Array::from(vec![u32::MAX])), "out of the range of `integer`"),
        (L::Int8, "boolean", Arc::new(Int8Array::from(vec![2])), "neither 0 nor 1"),
        (L::Int8, "boolean", Arc::new(Int8Array::from(vec![-1])), "neither 0 nor 1"),
        (L::UInt64, "numeric(19,0)", Arc::new(UInt64Array::from(vec![u64::MAX])), "20 digits before the point"),
        (L::Numeric, "numeric(5,2)", Arc::new(StringArray::from(vec!["1.005"])), "3 digits behind the point"),
        (L::Numeric, "numeric(5,2)", Arc::new(StringArray::from(vec!["-1000"])), "4 digits before the point"),
        (L::Numeric, "numeric(5,2)", Arc::new(StringArray::from(vec!["Infinity"])), "Infinity has no place"),
        (L::Numeric, "numeric", Arc::new(StringArray::from(vec!["1e5"])), "no decimal number"),
        (L::Numeric, "numeric", Arc::new(StringArray::from(vec![""])), "no decimal number"),
        (L::Numeric, "numeric", Arc::new(StringArray::from(vec!["1.2.3"])), "no decimal number"),
        (L::Numeric, "numeric", Arc::new(StringArray::from(vec!["9".repeat(131_073)])), "more digits"),
        (L::Numeric, "numeric", Arc::new(StringArray::from(vec![format!("0.{}", "1".repeat(16_384))])), "more digits"),
    ];
    let (logical, value) = decimal(100_001, 9, 5);
    cases.push((logical, "numeric(9,4)", value, "5 digits behind the point"));
    let (logical, value) = decimal(100_000, 9, 2);
    cases.push((logical, "numeric(5,2)", value, "4 digits before the point"));
    let (logical, value) = decimal(1, 38, 38);
    cases.push((logical, "amount", value, "38 digits behind the point"));
    refused("CREATE DOMAIN amount AS numeric(20,2)", cases).await;
}

#[tokio::test]
async fn times_that_would_change_are_refused() {
    let timestamp = |micros: i64| -> ArrayRef { Arc::new(TimestampMicrosecondArray::from(vec![micros])) };
    let instant = |micros: i64| -> ArrayRef { Arc::new(TimestampMicrosecondArray::from(vec![micros]).with_timezone("UTC")) };
    let wall = L::Timestamp { fsp: 6, zone: Zone::None };
    let duration = |micros: i64| -> ArrayRef { Arc::new(DurationMicrosecondArray::from(vec![micros])) };
    let parts = |months, days, nanoseconds| -> ArrayRef {
        Arc::new(IntervalMonthDayNanoArray::from(vec![IntervalMonthDayNano { months, days, nanoseconds }]))
    };
    let cases: Vec<(L, &str, ArrayRef, &str)> = vec![
        (wall.clone(), "timestamp(3)", timestamp(1_500), "more than the 3 digits"),
        (wall.clone(), "timestamp(0)", timestamp(-1), "more than the 0 digits"),
        (L::Timestamp { fsp: 6, zone: Zone::Utc }, "timestamptz(5)", instant(1), "more than the 5 digits"),
        (wall.clone(), "timestamp", timestamp(i64::MIN + 1), "out of PostgreSQL's range"),
        (wall, "timestamp", timestamp(-210_866_803_200_000_001), "out of PostgreSQL's range"),
        (L::Date, "date", Arc::new(Date32Array::from(vec![i32::MAX - 1])), "out of PostgreSQL's range"),
        (L::Date, "date", Arc::new(Date32Array::from(vec![-2_440_589])), "out of PostgreSQL's range"),
        (L::Date, "date", Arc::new(Date32Array::from(vec![2_145_042_906])), "out of PostgreSQL's range"),
        (L::Time { fsp: 6 }, "time(2)", Arc::new(Time64MicrosecondArray::from(vec![123_456])), "more than the 2 digits"),
        (L::Time { fsp: 6 }, "time", Arc::new(Time64MicrosecondArray::from(vec![-1])), "not between 00:00:00 and 24:00:00"),
        (L::Duration { fsp: 6 }, "time", duration(86_400_000_001), "not between 00:00:00 and 24:00:00"),
        (L::Duration { fsp: 6 }, "time", duration(-1), "not between 00:00:00 and 24:00:00"),
        (L::Duration { fsp: 6 }, "interval(0)", duration(-500_000), "more than the 0 digits"),
        (L::Interval, "interval(3)", parts(1, 1, 1_000), "more than the 3 digits"),
        (L::Interval, "interval", parts(0, 0, 1_001), "fraction of a microsecond"),
    ];
    refused("", cases).await;
}

#[tokio::test]
async fn texts_and_bytes_that_would_change_are_refused() {
    let text = |text: &str| -> ArrayRef { Arc::new(StringArray::from(vec![text])) };
    let bytes = |bytes: &[u8]| -> ArrayRef { Arc::new(BinaryArray::from(vec![bytes])) };
    let any = L::Text { length: None };
    let mood = L::Enum { labels: vec!["sad".into(), "".into()] };
    let mut set = ListBuilder::new(StringBuilder::new()).with_field(Field::new_list_field(DataType::Utf8, false));
    set.values().append_value("ok");
    set.values().append_value("not\0ok");
    set.append(true);
    let set: ArrayRef = Arc::new(set.finish());
    let cases: Vec<(L, &str, ArrayRef, &str)> = vec![
        (any.clone(), "text", text("a\0b"), "U+0000"),
        (any.clone(), "varchar(3)", text("äöüß"), "4 characters"),
        // The server would drop the spaces without a word.
        (any.clone(), "varchar(3)", text("abc  "), "5 characters"),
        (any.clone(), "short", text("abcd"), "4 characters"),
        (any.clone(), "char(3)", text("ab"), "pads"),
        (any.clone(), "char(3)", text("abc "), "pads"),
        (any.clone(), "name", text(&"x".repeat(64)), "64 bytes"),
        (mood, "mood", text(""), "no label"),
        (any.clone(), "mood", text("glad"), "no label"),
        (L::Set { labels: vec![] }, "text[]", set.clone(), "U+0000"),
        (L::Set { labels: vec![] }, "varchar(3)[]", set, "6 characters"),
        (L::Bits { length: 3 }, "bit(3)", bytes(&[0b1011_0000]), "exactly 3 bits"),
        (L::Bits { length: 3 }, "bit(3)", bytes(&[0, 0]), "exactly 3 bits"),
        (L::Binary { length: None }, "uuid", bytes(&[1; 15]), "no `uuid`"),
        (L::Json, "jsonb", text("{\"a\":1,\"\\u0061\":2}"), "key `a` twice"),
        (L::Json, "jsonb", text("\"\\u0000\""), "U+0000"),
        (L::Json, "jsonb", text("\"\\ud800\""), "surrogate"),
        (L::Json, "jsonb", text("[1e131072]"), "more digits"),
        (L::Json, "jsonb", text("[1e-16384]"), "more digits"),
        (L::Json, "jsonb", text("[1"), "no JSON"),
        (L::Json, "json", text("{a:1}"), "no JSON"),
        (any, "jsonb", text(""), "no JSON"),
    ];
    refused("CREATE DOMAIN short AS varchar(3); CREATE TYPE mood AS ENUM ('sad')", cases).await;
}

#[tokio::test]
async fn a_geometry_of_another_reference_system_is_refused() {
    let mut point = vec![1, 1, 0, 0, 0x20, 0x11, 0x0f, 0, 0];
    point.extend([0; 16]);
    let geometry = L::Geometry { srid: Some(4326), shape: None };
    let bytes = |bytes: &[u8]| -> ArrayRef { Arc::new(BinaryArray::from(vec![bytes])) };
    let cases: Vec<(L, &str, ArrayRef, &str)> = vec![
        (geometry.clone(), "geometry(Point,4326)", bytes(&point), "SRID 3857"),
        (geometry.clone(), "geometry", bytes(&[1, 2]), "no geometry"),
    ];
    refused("CREATE EXTENSION postgis", cases).await;
}

#[tokio::test]
async fn a_null_where_none_may_be_is_refused_with_its_key() {
    let db = PostgresDatabase::create("CREATE TABLE t (id int, c text NOT NULL)").await;
    let sink = open_prepared(&db).await;
    let table = table("t", vec![column("c", L::Text { length: None }, "text")]);
    let rows = batch(&table, vec![ids(3), Arc::new(StringArray::from(vec![Some("a"), None, None]))]);
    let error = carry(&*sink, &table, &[rows]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Value);
    assert_eq!(error.place().key.as_deref(), Some("(id = 1)"));
    assert_eq!(error.place().column.as_deref(), Some("c"));
    drop(sink);
    db.drop().await;
}

#[tokio::test]
async fn a_pair_without_an_encoder_is_refused_before_the_first_row() {
    let db = PostgresDatabase::create("").await;
    let sink = open_prepared(&db).await;
    let pairs = [
        (L::Text { length: None }, "integer"),
        (L::Float64, "real"),
        (L::Float64, "numeric"),
        (L::Int64, "double precision"),
        (L::Timestamp { fsp: 0, zone: Zone::None }, "timestamptz"),
        (L::Timestamp { fsp: 0, zone: Zone::Utc }, "timestamp"),
        (L::Duration { fsp: 6 }, "interval year to month"),
        (L::Bits { length: 9 }, "bit(8)"),
        (L::Bits { length: 9 }, "varbit(8)"),
        (L::Text { length: None }, "xml"),
        (L::Text { length: None }, "cidr"),
        (L::Text { length: None }, "\"char\""),
        (L::Set { labels: vec![] }, "text"),
        (L::Set { labels: vec![] }, "integer[]"),
        (L::Time { fsp: 6 }, "timetz"),
        (L::Int32, "money"),
        (L::Vector { dimensions: 3 }, "real[]"),
    ];
    let natives: Vec<_> = pairs.iter().enumerate().map(|(number, (_, native))| format!("c{number} {native}")).collect();
    db.run(&format!("CREATE TABLE t (id int, {})", natives.join(", "))).await;
    let columns =
        pairs.iter().enumerate().map(|(number, (logical, native))| column(&format!("c{number}"), logical.clone(), native));
    let table = table("t", columns.collect());
    let error = sink.begin_chunk(&unit(RunId::generate(), &table, 0), &table).await.err().unwrap();
    let all: Vec<_> = std::iter::once(&error).chain(error.also()).collect();
    for error in &all {
        assert_eq!(error.kind(), ErrorKind::Mapping, "{error:?}");
    }
    let names: Vec<_> = all.iter().map(|error| error.place().column.clone().unwrap()).collect();
    let expected: Vec<_> = (0..pairs.len()).map(|number| format!("c{number}")).collect();
    assert_eq!(names, expected, "{error:?}");
    drop(sink);
    db.drop().await;
}
