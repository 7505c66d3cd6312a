//! Each type arrives: random values are carried, and the database compares them with texts that do not come from the encoder.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, IntervalMonthDayNano};

use dbferry::model::integer::integer;
use dbferry::model::logical::Zone;
use dbferry::model::{LogicalType as L, json};

use proptest::prelude::*;
use sqlx::{AssertSqlSafe, Row};

use super::*;
use crate::support::PostgresDatabase;
use crate::support::random::Random;

/// What is carried, and how the database is asked whether it has arrived.
struct Case {
    name: String,
    logical: L,
    /// Type of the target column.
    native: String,
    array: ArrayRef,
    /// What each value is, as text that does not come from the encoder.
    wanted: Vec<Option<String>>,
    /// SQL that is true when the column `c` is what the text `v` says.
    same: String,
}

fn case(logical: L, native: &str, array: impl Array + 'static, wanted: Vec<Option<String>>, same: &str) -> Case {
    let name = format!("{logical} to {native}");
    Case { name, logical, native: native.into(), array: Arc::new(array), wanted, same: same.into() }
}

/// Carries each case into a table of its own, lets the database compare, reads it again and compares with what was sent.
async fn arrives(script: &str, seed: u64, cases: Vec<Case>) {
    let db = PostgresDatabase::create(script).await;
    let sink = open_prepared(&db).await;
    let mut connection = db.connect().await;
    sqlx::raw_sql("SET timezone = 'UTC'; SET extra_float_digits = 3").execute(&mut connection).await.unwrap();
    let mut tables = Vec::new();
    for (number, case) in cases.iter().enumerate() {
        let name = format!("t{number}");
        db.run(&format!("CREATE TABLE {name} (id int NOT NULL, c {}); CREATE TABLE want{number} (id int, v text)", case.native))
            .await;
        let table = table(&name, vec![column("c", case.logical.clone(), &case.native)]);
        let rows = batch(&table, vec![ids(case.array.len()), Arc::clone(&case.array)]);
        // Two batches, of which the second one is a slice: offsets matter.
        let cut = rows.num_rows() / 3;
        let batches = [rows.slice(0, cut), rows.slice(cut, rows.num_rows() - cut)];
        carry(&*sink, &table, &batches).await.unwrap_or_else(|error| panic!("{} (seed {seed}): {error:?}", case.name));
        let wanted: Vec<i32> = (0..).take(case.wanted.len()).collect();
        sqlx::query(AssertSqlSafe(format!("INSERT INTO want{number} SELECT * FROM unnest($1::int[], $2::text[])")))
            .bind(wanted)
            .bind(&case.wanted)
            .execute(&mut connection)
            .await
            .unwrap();
        let sql = format!(
            "SELECT id, c::text, v, (SELECT count(*) FROM {name}) FROM {name} FULL JOIN want{number} USING (id)
             WHERE (CASE WHEN v IS NULL THEN c IS NULL ELSE {} END) IS NOT TRUE LIMIT 3",
            case.same
        );
        let wrong = sqlx::query(AssertSqlSafe(sql)).fetch_all(&mut connection).await;
        let wrong = wrong.unwrap_or_else(|error| panic!("{} (seed {seed}): {error}", case.name));
        let wrong: Vec<(i32, Option<String>, Option<String>)> =
            wrong.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect();
        assert!(wrong.is_empty(), "{} (seed {seed}): the database differs in {wrong:?}", case.name);
        tables.push((table, rows));
    }
    let back = sink.read_back(2).await.unwrap();
    for ((table, sent), case) in tables.iter().zip(&cases) {
        let read = read_all(&*back, table, 16 << 10).await;
        if case.native.starts_with("jsonb") {
            let (sent, read) = (sent.column(1).as_string::<i32>(), read.column(1).as_string::<i32>());
            let meaning = |array: &StringArray| -> Vec<_> {
                array.iter().map(|text| text.map(|text| json::canonical(text).unwrap())).collect()
            };
            assert_eq!(meaning(sent), meaning(read), "{} (seed {seed})", case.name);
        } else {
            assert_eq!(sent.num_rows(), read.num_rows(), "{} (seed {seed}): read again", case.name);
            for row in 0..sent.num_rows() {
                assert_eq!(sent.slice(row, 1), read.slice(row, 1), "{} (seed {seed}): read again", case.name);
            }
        }
    }
    drop(back);
    drop(sink);
    db.drop().await;
}

fn texts<T: ToString>(values: &[Option<T>]) -> Vec<Option<String>> {
    values.iter().map(|value| value.as_ref().map(T::to_string)).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn cases_of_integers(random: &mut Random) -> Vec<Case> {
    let mut cases = Vec::new();
    macro_rules! integers {
        ($($logical:ident $array:ident $type:ty: $($native:literal)*;)*) => {$(
            let edge = prop_oneof![Just(<$type>::MIN), Just(<$type>::MAX), Just(0), Just(1), any::<$type>()];
            let values = random.some(edge);
            $(cases.push(case(L::$logical, $native, $array::from(values.clone()), texts(&values), "c::numeric = v::numeric"));)*
        )*};
    }
    integers! {
        Int8 Int8Array i8: "smallint" "integer" "bigint" "numeric" "numeric(3,0)";
        Int16 Int16Array i16: "smallint" "integer" "bigint" "numeric";
        Int32 Int32Array i32: "integer" "bigint" "numeric(10,0)";
        Int64 Int64Array i64: "bigint" "numeric" "numeric(19,0)";
        UInt8 UInt8Array u8: "smallint" "numeric(3,0)";
        UInt16 UInt16Array u16: "integer" "numeric";
        UInt32 UInt32Array u32: "bigint" "numeric(10,0)";
        UInt64 UInt64Array u64: "numeric(20,0)" "numeric";
    }
    let values = random.some(0u64..=9_223_372_036_854_775_807);
    cases.push(case(L::UInt64, "bigint", UInt64Array::from(values.clone()), texts(&values), "c = v::bigint"));
    let values = random.some(any::<bool>());
    let numbers: Vec<_> = values.iter().map(|value| value.map(i32::from)).collect();
    cases.push(case(L::Bool, "boolean", BooleanArray::from(values.clone()), texts(&values), "c = v::boolean"));
    cases.push(case(L::Bool, "smallint", BooleanArray::from(values), texts(&numbers), "c = v::smallint"));
    cases.push(case(L::Int32, "boolean", Int32Array::from(numbers.clone()), texts(&numbers), "c = (v = '1')"));
    cases
}

#[tokio::test]
async fn whole_numbers_arrive() {
    let mut random = Random::new();
    let cases = cases_of_integers(&mut random);
    arrives("", random.seed, cases).await;
}

#[tokio::test]
async fn floats_arrive_bit_by_bit() {
    let mut random = Random::new();
    let any64 = prop_oneof![any::<u64>(), Just((-0.0f64).to_bits()), Just(1), Just(f64::NAN.to_bits()), Just(f64::MAX.to_bits())];
    let values = random.some(any64);
    let hexes = values.iter().map(|bits| bits.map(|bits| hex(&bits.to_be_bytes()))).collect();
    let array: Float64Array = values.iter().map(|bits| bits.map(f64::from_bits)).collect();
    let double = case(L::Float64, "double precision", array, hexes, "encode(float8send(c), 'hex') = v");
    let any32 = prop_oneof![any::<u32>(), Just((-0.0f32).to_bits()), Just(1), Just(f32::INFINITY.to_bits())];
    let values = random.some(any32);
    let hexes = values.iter().map(|bits| bits.map(|bits| hex(&bits.to_be_bytes()))).collect();
    let array: Float32Array = values.iter().map(|bits| bits.map(f32::from_bits)).collect();
    let real = case(L::Float32, "real", array, hexes, "encode(float4send(c), 'hex') = v");
    let values = random.some(proptest::num::f32::ANY.prop_filter("a NaN has no one spelling", |value| !value.is_nan()));
    let wide: Vec<_> = values.iter().map(|value| value.map(|value| format!("{:?}", f64::from(value)))).collect();
    let widened = case(L::Float32, "double precision", Float32Array::from(values), wide, "c = v::float8");
    arrives("", random.seed, vec![double, real, widened]).await;
}

/// An unscaled number of up to `precision` digits, as text, often with runs of zeros.
fn digits(precision: usize) -> impl Strategy<Value = String> {
    let run = prop_oneof!["[0-9]{1,6}", "0{1,9}", "[1-9]0{2,7}", "9{1,8}"];
    (proptest::collection::vec(run, 1..16), 1..=precision, any::<bool>()).prop_map(|(runs, length, minus)| {
        let digits: String = runs.concat().chars().cycle().take(length).collect();
        format!("{}{digits}", if minus { "-" } else { "" })
    })
}

/// `unscaled` with `scale` digits behind the point.
fn with_point(unscaled: &str, scale: usize) -> String {
    let (sign, digits) = unscaled.strip_prefix('-').map_or(("", unscaled), |digits| ("-", digits));
    let digits = format!("{digits:0>width$}", width = scale + 1);
    let (integer, fraction) = digits.split_at(digits.len() - scale);
    if scale == 0 { format!("{sign}{integer}") } else { format!("{sign}{integer}.{fraction}") }
}

#[tokio::test]
async fn decimals_of_every_scale_arrive_as_the_number_that_their_text_says() {
    let mut random = Random::new();
    let mut cases = Vec::new();
    for (precision, scale) in
        [(1, 0), (1, 1), (4, 4), (5, 5), (9, 2), (10, 3), (18, 6), (19, 7), (38, 0), (38, 10), (38, 37), (38, 38)]
    {
        let values = random.some(digits(usize::from(precision)));
        let array: Decimal128Array = values.iter().map(|text| text.as_ref().map(|text| text.parse::<i128>().unwrap())).collect();
        let array = array.with_precision_and_scale(precision, i8::try_from(scale).unwrap()).unwrap();
        let wanted: Vec<_> = values.iter().map(|text| text.as_ref().map(|text| with_point(text, scale))).collect();
        let logical = L::Decimal { precision, scale: u8::try_from(scale).unwrap() };
        for native in
            ["numeric".to_string(), format!("numeric({precision},{scale})"), format!("numeric({},{})", precision + 9, scale + 4)]
        {
            // The text says it, too: all zeros behind the point are there.
            let same = if native == "numeric" { "c = v::numeric AND c::text = (v::numeric)::text" } else { "c = v::numeric" };
            cases.push(case(logical.clone(), &native, array.clone(), wanted.clone(), same));
        }
    }
    for (precision, scale) in [(39, 0), (40, 5), (65, 30), (76, 0), (76, 30), (76, 73), (76, 76)] {
        let values = random.some(digits(usize::from(precision)));
        let array: Decimal256Array = values.iter().map(|text| text.as_ref().map(|text| integer(text).unwrap())).collect();
        let array = array.with_precision_and_scale(precision, i8::try_from(scale).unwrap()).unwrap();
        let wanted: Vec<_> = values.iter().map(|text| text.as_ref().map(|text| with_point(text, scale))).collect();
        let logical = L::Decimal { precision, scale: u8::try_from(scale).unwrap() };
        for native in ["numeric".to_string(), format!("numeric({precision},{scale})")] {
            cases.push(case(logical.clone(), &native, array.clone(), wanted.clone(), "c = v::numeric"));
        }
    }
    arrives("", random.seed, cases).await;
}

#[tokio::test]
async fn numbers_without_bounds_arrive_as_the_number_that_their_text_says() {
    let mut random = Random::new();
    let number = ("-?", "[1-9][0-9]{0,30}|0|[1-9]0{3,40}", proptest::option::of("[0-9]{1,30}|0{1,13}[0-9]{0,3}")).prop_map(
        |(sign, integer, fraction)| match fraction {
            Some(fraction) => format!("{sign}{integer}.{fraction}"),
            None => format!("{sign}{integer}"),
        },
    );
    // There is no -0.
    let number = number
        .prop_map(|text| if text.bytes().all(|byte| matches!(byte, b'-' | b'0' | b'.')) { text.replace('-', "") } else { text });
    let special = prop_oneof![Just("NaN".to_string()), Just("Infinity".to_string()), Just("-Infinity".to_string())];
    let edges = [
        format!("1{}", "0".repeat(131_071)),
        "9".repeat(131_072),
        format!("0.{}1", "0".repeat(16_382)),
        format!("-9.{}", "9".repeat(16_383)),
    ];
    let mut values = random.some(prop_oneof![100 => number, 5 => special]);
    values.extend(edges.map(Some));
    let case = case(L::Numeric, "numeric", StringArray::from(values.clone()), values, "c = v::numeric AND c::text = v");
    arrives("", random.seed, vec![case]).await;
}

#[tokio::test]
async fn dates_and_times_arrive() {
    let mut random = Random::new();
    let mut cases = Vec::new();
    let days = prop_oneof![
        6 => -800_000i32..2_000_000,
        1 => -2_440_588i32..=2_145_042_905,
        1 => Just(i32::MIN), 1 => Just(i32::MAX), 1 => Just(0), 1 => Just(10_957), 1 => Just(-2_440_588), 1 => Just(2_145_042_905)
    ];
    let values = random.some(days);
    let date = "c = CASE v WHEN '-2147483648' THEN date '-infinity' WHEN '2147483647' THEN 'infinity' ELSE date '1970-01-01' + v::int END";
    cases.push(case(L::Date, "date", Date32Array::from(values.clone()), texts(&values), date));

    let day = 86_400_000_000i64;
    for fsp in [0, 3, 6] {
        let step = 10i64.pow(6 - fsp);
        let fsp = u8::try_from(fsp).unwrap();
        let micros = prop_oneof![
            6 => -62_000_000_000_000_000i64..250_000_000_000_000_000,
            1 => Just(i64::MIN / step * step), 1 => Just(0), 1 => Just(946_684_800_000_000), 1 => Just(946_684_799_000_000)
        ];
        let micros = micros
            .prop_map(move |micros| if micros < -300_000_000_000_000_000 { i64::MIN } else { micros.div_euclid(step) * step });
        let last = i64::MAX / step * step - step;
        let micros = prop_oneof![9 => micros, 1 => Just(i64::MAX), 1 => Just(last), 1 => Just(-210_866_803_200_000_000)];
        for (zone, native) in [(Zone::None, "timestamp"), (Zone::Utc, "timestamptz")] {
            let values = random.some(&micros);
            let array = TimestampMicrosecondArray::from(values.clone()).with_timezone_opt((zone == Zone::Utc).then_some("UTC"));
            let same = format!(
                "c = CASE v WHEN '{}' THEN {native} '-infinity' WHEN '{}' THEN 'infinity' ELSE {native} '1970-01-01'
                 + div(v::numeric, {day})::int * interval '1 day' + mod(v::numeric, {day})::bigint * interval '1 microsecond' END",
                i64::MIN,
                i64::MAX
            );
            cases.push(case(L::Timestamp { fsp, zone }, &format!("{native}({fsp})"), array.clone(), texts(&values), &same));
            cases.push(case(L::Timestamp { fsp, zone }, native, array, texts(&values), &same));
        }
        let micros = prop_oneof![8 => 0..day, 1 => Just(0), 1 => Just(day)].prop_map(move |micros| micros / step * step);
        let values = random.some(micros);
        let same =
            format!("c = CASE v WHEN '{day}' THEN time '24:00' ELSE time '00:00' + v::bigint * interval '1 microsecond' END");
        let native = format!("time({fsp})");
        cases.push(case(L::Time { fsp }, &native, Time64MicrosecondArray::from(values.clone()), texts(&values), &same));
        cases.push(case(L::Duration { fsp }, &native, DurationMicrosecondArray::from(values.clone()), texts(&values), &same));
        let same = "c = v::bigint * interval '1 microsecond'";
        cases.push(case(L::Time { fsp }, "interval", Time64MicrosecondArray::from(values.clone()), texts(&values), same));

        let micros = (-3_020_399_999_999i64..=3_020_399_999_999).prop_map(move |micros| micros / step * step);
        let values = random.some(micros);
        let native = format!("interval({fsp})");
        let same = "c = v::bigint * interval '1 microsecond' AND extract(day FROM c) = 0";
        cases.push(case(L::Duration { fsp }, &native, DurationMicrosecondArray::from(values.clone()), texts(&values), same));
        let native = format!("interval day to second({fsp})");
        cases.push(case(L::Duration { fsp }, &native, DurationMicrosecondArray::from(values.clone()), texts(&values), same));
    }
    let parts = (any::<i16>(), -100_000i32..100_000, -9_000_000_000_000_000i64..9_000_000_000_000_000);
    let values = random.some(parts);
    let array: IntervalMonthDayNanoArray = values
        .iter()
        .map(|value| {
            value.map(|(months, days, micros)| IntervalMonthDayNano { months: months.into(), days, nanoseconds: micros * 1_000 })
        })
        .collect();
    let wanted = values.iter().map(|value| value.map(|(months, days, micros)| format!("{months} {days} {micros}"))).collect();
    let same = "extract(year FROM c) * 12 + extract(month FROM c) || ' ' || extract(day FROM c) || ' '
         || trim_scale((extract(hour FROM c) * 3600 + extract(minute FROM c) * 60) * 1000000 + extract(microseconds FROM c)) = v";
    cases.push(case(L::Interval, "interval", array, wanted, same));
    arrives("", random.seed, cases).await;
}

#[tokio::test]
async fn known_days_are_those_days() {
    let wanted = [
        "1970-01-01",
        "2000-01-01",
        "1999-12-31",
        "0001-01-01",
        "9999-12-31",
        "1000-01-01",
        "2024-02-29",
        "infinity",
        "-infinity",
    ];
    let days = [0, 10_957, 10_956, -719_162, 2_932_896, -354_285, 19_782, i32::MAX, i32::MIN];
    let wanted = wanted.map(|text| Some(text.to_string())).to_vec();
    let date = case(L::Date, "date", Date32Array::from(days.to_vec()), wanted, "c = v::date AND c::text = v");
    let wanted = ["1970-01-01 00:00:00", "1999-12-31 23:59:59.999999", "1000-01-01 00:00:00.5", "9999-12-31 23:59:59.999999"];
    let micros = vec![0, 946_684_799_999_999, -30_610_223_999_500_000, 253_402_300_799_999_999];
    let wanted = wanted.map(|text| Some(text.to_string())).to_vec();
    let timestamp = case(
        L::Timestamp { fsp: 6, zone: Zone::None },
        "timestamp",
        TimestampMicrosecondArray::from(micros),
        wanted,
        "c::text = v",
    );
    arrives("", 0, vec![date, timestamp]).await;
}

#[tokio::test]
async fn texts_arrive() {
    let mut random = Random::new();
    let text = L::Text { length: None };
    let values = random.some("[^\\x00]{0,40}|[\\t\\r\\n\\\\ ]{0,5}|NULL|\\\\N|\\\\\\.| {1,3}|😀{1,3}");
    let mut cases = Vec::new();
    for native in ["text", "varchar", "varchar(40)", "shop.citext", "shop.short", "bpchar"] {
        // A cast from `bpchar` would trim.
        let bytes = if native == "bpchar" { "bpcharsend(c)" } else { "convert_to(c::text, 'UTF8')" };
        let same = format!("{bytes} = convert_to(v, 'UTF8')");
        cases.push(case(text.clone(), native, StringArray::from(values.clone()), values.clone(), &same));
    }
    let values = random.some("[a-zA-Zäß😀]{3}");
    cases.push(case(text.clone(), "char(3)", StringArray::from(values.clone()), values, "c = v"));
    let values = random.some("[a-z]{1,63}");
    cases.push(case(text.clone(), "name", StringArray::from(values.clone()), values, "c = v"));
    let labels = ["a", "", "it's", "A", "\"q\"\\", "ä😀"].map(String::from).to_vec();
    let values = random.some(proptest::sample::select(labels.clone()));
    let logical = L::Enum { labels: labels.clone() };
    for native in ["shop.\"Mood\"", "text", "varchar(5)"] {
        cases.push(case(logical.clone(), native, StringArray::from(values.clone()), values.clone(), "c::text = v"));
    }
    let script = "CREATE SCHEMA shop; CREATE EXTENSION citext SCHEMA shop; CREATE DOMAIN shop.inner AS varchar(40);
        CREATE DOMAIN shop.short AS shop.inner CHECK (char_length(VALUE) <= 40);
        CREATE TYPE shop.\"Mood\" AS ENUM ('a', '', 'it''s', 'A', '\"q\"\\', 'ä😀')";
    arrives(script, random.seed, cases).await;
}

#[tokio::test]
async fn bytes_bits_and_uuids_arrive() {
    let mut random = Random::new();
    let mut cases = Vec::new();
    let values = random.some(proptest::collection::vec(any::<u8>(), 0..60));
    let hexes: Vec<_> = values.iter().map(|bytes| bytes.as_deref().map(hex)).collect();
    let array: BinaryArray = values.iter().map(Option::as_deref).collect();
    cases.push(case(L::Binary { length: None }, "bytea", array, hexes, "encode(c, 'hex') = v"));
    for length in [1u32, 3, 8, 9, 64] {
        let values = random.some(proptest::collection::vec(any::<bool>(), usize::try_from(length).unwrap()));
        let wanted: Vec<Option<String>> = values
            .iter()
            .map(|bits| bits.as_ref().map(|bits| bits.iter().map(|bit| if *bit { '1' } else { '0' }).collect()))
            .collect();
        let packed = |bits: &Vec<bool>| -> Vec<u8> {
            bits.chunks(8)
                .map(|bits| bits.iter().enumerate().fold(0, |byte, (at, bit)| byte | u8::from(*bit) << (7 - at)))
                .collect()
        };
        let array: BinaryArray = values.iter().map(|bits| bits.as_ref().map(packed)).collect();
        for native in [format!("bit({length})"), "varbit".into(), format!("varbit({})", length + 1)] {
            cases.push(case(L::Bits { length }, &native, array.clone(), wanted.clone(), "c::text = v"));
        }
        if length == 1 {
            cases.push(case(L::Bits { length }, "boolean", array, wanted, "c::int::text = v"));
        }
    }
    let values = random.some(any::<[u8; 16]>());
    let wanted: Vec<_> = values.iter().map(|bytes| bytes.as_ref().map(|bytes| hex(bytes))).collect();
    let array = FixedSizeBinaryArray::try_from_sparse_iter_with_size(values.iter().copied(), 16).unwrap();
    cases.push(case(L::Uuid, "uuid", array.clone(), wanted.clone(), "c = v::uuid"));
    cases.push(case(L::Uuid, "bytea", array, wanted.clone(), "encode(c, 'hex') = v"));
    let array: BinaryArray = values.iter().map(|bytes| bytes.as_ref().map(<[u8; 16]>::as_slice)).collect();
    cases.push(case(L::Binary { length: Some(16) }, "uuid", array, wanted, "c = v::uuid"));
    arrives("", random.seed, cases).await;
}

#[tokio::test]
async fn json_arrives() {
    let mut random = Random::new();
    let leaf = prop_oneof![
        Just("null".to_string()),
        Just("true".to_string()),
        "-?(0|[1-9][0-9]{0,25})(\\.[0-9]{1,20})?([eE][+-]?[0-9]{1,2})?",
        "[^\\x00-\\x1f\"\\\\]{0,9}".prop_map(|text| format!("\"{text}\"")),
        Just("\"\\ud83d\\ude00\\n\\/\\\"\"".to_string()),
    ];
    let value = leaf.prop_recursive(3, 20, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(|items| format!("[{}]", items.join(" , "))),
            proptest::collection::btree_map("[a-z ]{0,4}", inner, 0..4).prop_map(|members| {
                let members: Vec<_> = members.iter().rev().map(|(key, value)| format!("\"{key}\" : {value}")).collect();
                format!("{{{}}}", members.join(","))
            }),
        ]
    });
    let values = random.some(value);
    let mut cases = Vec::new();
    for (native, same) in [("json", "c::text = v"), ("jsonb", "c = v::jsonb"), ("text", "c = v")] {
        cases.push(case(L::Json, native, StringArray::from(values.clone()), values.clone(), same));
    }
    let edges = ["1e131071", "1e-16383", "-1.5e-16382", "[0e5, -0, 0.000]", "1.50"].map(|text| Some(text.to_string())).to_vec();
    cases.push(case(L::Json, "jsonb", StringArray::from(edges.clone()), edges, "c = v::jsonb"));
    let deep = Some(format!("{}{}", "[".repeat(500), "]".repeat(500)));
    cases.push(case(L::Json, "jsonb", StringArray::from(vec![deep.clone()]), vec![deep], "c = v::jsonb"));
    // The plain `json` keeps what `jsonb` refuses.
    let odd = ["{\"a\":1,\"a\":2}", "\"\\u0000\"", "\"\\ud800\"", "1e999999", " [1.0, 1 ] "]
        .map(|text| Some(text.to_string()))
        .to_vec();
    cases.push(case(L::Json, "json", StringArray::from(odd.clone()), odd, "c::text = v"));
    arrives("", random.seed, cases).await;
}

#[tokio::test]
async fn arrays_arrive() {
    let mut random = Random::new();
    let mut cases = Vec::new();
    let labels = ["null", "NULL", "", "a\"b", "{", "}", ",", "\\", "it's", "ä😀"].map(String::from).to_vec();
    let sets = random.some(proptest::collection::vec(proptest::sample::select(labels.clone()), 0..5));
    let mut builder = ListBuilder::new(StringBuilder::new()).with_field(Field::new_list_field(DataType::Utf8, false));
    for set in &sets {
        if let Some(set) = set {
            set.iter().for_each(|label| builder.values().append_value(label));
        }
        builder.append(set.is_some());
    }
    // Compared as JSON, which the array has no part in.
    let as_json: Vec<_> = sets.iter().map(|set| set.as_ref().map(|set| serde_json::to_string(set).unwrap())).collect();
    let array = builder.finish();
    for native in ["text[]", "varchar(4)[]", "label[]", "label_text[]", "labels"] {
        let same = "to_jsonb(c::text[]) = v::jsonb AND (cardinality(c) = 0 OR array_lower(c, 1) = 1)";
        cases.push(case(L::Set { labels: labels.clone() }, native, array.clone(), as_json.clone(), same));
    }
    let lists = random.some(proptest::collection::vec(proptest::option::weighted(0.8, any::<i64>()), 0..6));
    let as_json: Vec<_> = lists.iter().map(|list| list.as_ref().map(|list| serde_json::to_string(list).unwrap())).collect();
    let array = ListArray::from_iter_primitive::<arrow::datatypes::Int64Type, _, _>(lists);
    let array = retyped(&array, L::Array { item: Box::new(L::Int64) });
    for native in ["bigint[]", "numeric[]", "numeric(19,0)[]"] {
        cases.push(case(L::Array { item: Box::new(L::Int64) }, native, array.clone(), as_json.clone(), "to_jsonb(c) = v::jsonb"));
    }
    let script = "CREATE TYPE label AS ENUM ('null','NULL','','a\"b','{','}',',','\\','it''s','ä😀');
        CREATE DOMAIN label_text AS varchar(4); CREATE DOMAIN labels AS text[]";
    arrives(script, random.seed, cases).await;
}

fn retyped(array: &ListArray, logical: L) -> ListArray {
    let DataType::List(field) = logical.arrow() else { panic!("no list") };
    ListArray::new(field, array.offsets().clone(), Arc::clone(array.values()), array.nulls().cloned())
}

#[tokio::test]
async fn geometries_arrive_with_their_reference_system() {
    let mut random = Random::new();
    let point = |x: f64, y: f64, srid: u32| {
        let mut bytes = vec![1];
        bytes.extend((1u32 | if srid == 0 { 0 } else { 0x2000_0000 }).to_le_bytes());
        if srid != 0 {
            bytes.extend(srid.to_le_bytes());
        }
        bytes.extend(x.to_le_bytes());
        bytes.extend(y.to_le_bytes());
        bytes
    };
    let place = (-180.0f64..180.0, -90.0f64..90.0);
    let mut cases = Vec::new();
    for (srid, native) in [(4326, "gis.geometry(Point,4326)"), (0, "gis.geometry"), (3857, "gis.geometry")] {
        let values: Vec<_> = random.some(&place).iter().map(|place| place.map(|(x, y)| point(x, y, srid))).collect();
        let hexes = values.iter().map(|bytes| bytes.as_deref().map(hex)).collect();
        let array: BinaryArray = values.iter().map(Option::as_deref).collect();
        let logical = L::Geometry { srid: None, shape: None };
        cases.push(case(logical, native, array, hexes, "encode(gis.ST_AsEWKB(c, 'NDR'), 'hex') = v"));
    }
    arrives("CREATE SCHEMA gis; CREATE EXTENSION postgis SCHEMA gis", random.seed, cases).await;
}
