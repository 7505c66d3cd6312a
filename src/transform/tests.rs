//! Casts over whole batches: what arrives is exactly what was sent, or an error that names it.

use std::sync::Arc;

use arrow::array::*;
use arrow::datatypes::{Decimal128Type, Decimal256Type, Float64Type, TimestampMicrosecondType, i256};
use proptest::prelude::*;

use super::*;
use crate::error::{ErrorKind, Result};
use crate::model::LogicalType as L;
use crate::model::catalog::NativeType;
use crate::model::integer::integer;
use crate::model::logical::{Zone, schema};
use crate::model::{LogicalType, ObjectName};

const TEXT: L = L::Text { length: None };
const TIMESTAMP: L = L::Timestamp { fsp: 6, zone: Zone::None };

fn decimal(precision: u8, scale: u8) -> L {
    L::Decimal { precision, scale }
}

fn column(source: &str, from: &L, to: &L) -> CastColumn {
    CastColumn {
        out_of_range: None,
        strip_json: false,
        source: source.into(),
        target: "c".into(),
        from: from.clone(),
        to: to.clone(),
        native: NativeType::default(),
        mask: None,
    }
}

fn cast(from: &LogicalType, to: &LogicalType, array: ArrayRef) -> Result<ArrayRef> {
    let batch = RecordBatch::try_new(schema([("v", from)]), vec![array]).unwrap();
    let cast = compile(&[column("v", from, to)], None)?.apply(&ObjectName::new("shop", "t"), &[], &batch)?;
    assert_eq!(cast.schema(), schema([("c", to)]));
    Ok(cast.column(0).clone())
}

fn texts<const N: usize>(all: [&str; N]) -> ArrayRef {
    Arc::new(StringArray::from(all.to_vec()))
}

/// Casts and shows each value as text.
fn shown(from: &L, to: &L, array: ArrayRef) -> Vec<String> {
    let array = cast(from, to, array).unwrap();
    let options = arrow::util::display::FormatOptions::default().with_null("NULL");
    let formatter = arrow::util::display::ArrayFormatter::try_new(&array, &options).unwrap();
    (0..array.len()).map(|row| formatter.value(row).to_string()).collect()
}

/// The one value of each array is refused.
fn refused(from: &L, to: &L, arrays: impl IntoIterator<Item = ArrayRef>) {
    for array in arrays {
        let shown = format!("{from} to {to}: {array:?}");
        let error = cast(from, to, array).err().unwrap_or_else(|| panic!("{shown}"));
        assert_eq!(error.kind(), ErrorKind::Value, "{shown}");
        assert!(
            error.place().table.is_some()
                && error.place().column.is_some()
                && error.place().key.is_some()
                && error.hint_text().is_some()
        );
    }
}

#[test]
fn a_refused_value_is_named() {
    let columns = [("id", &L::Int32), ("qty", &L::Int64)];
    let qty: ArrayRef = Arc::new(Int64Array::from(vec![Some(1), None, Some(40_000)]));
    let batch = RecordBatch::try_new(schema(columns), vec![Arc::new(Int32Array::from(vec![5, 6, 7])), qty]).unwrap();
    let transform = compile(&[column("qty", &L::Int64, &L::Int16)], None).unwrap();
    let error = transform.apply(&ObjectName::new("shop", "orders"), &["id".into()], &batch).unwrap_err();
    assert_eq!(error.to_string(), "`shop.orders.qty` (id = 7): 40000 is out of range for int16");
    let array = transform.apply(&ObjectName::new("shop", "orders"), &["id".into()], &batch.slice(0, 2)).unwrap();
    assert_eq!(array.column(0).as_ref(), &Int16Array::from(vec![Some(1), None]) as &dyn Array);
}

#[test]
fn what_stays_as_it_is_costs_nothing() {
    let to = L::Text { length: Some(9) };
    let batch = RecordBatch::try_new(
        schema([("a", &L::Int32), ("b", &L::Text { length: Some(5) })]),
        vec![Arc::new(Int32Array::from(vec![1])), texts(["x"])],
    )
    .unwrap();
    let columns =
        [column("b", &L::Text { length: Some(5) }, &to), CastColumn { target: "d".into(), ..column("a", &L::Int32, &L::Int32) }];
    let transform = compile(&columns, None).unwrap();
    assert!(transform.is_identity());
    let out = transform.apply(&ObjectName::new("", "t"), &[], &batch).unwrap();
    assert_eq!(out.schema(), schema([("c", &to), ("d", &L::Int32)]));
    assert!(Arc::ptr_eq(out.column(0), batch.column(1)) && Arc::ptr_eq(out.column(1), batch.column(0)));
}

#[test]
fn every_impossible_pair_is_refused_at_once() {
    let utc = L::Timestamp { fsp: 6, zone: Zone::Utc };
    let mut zoned = column("made_at", &TIMESTAMP, &utc);
    zoned.native.full = "datetime(6)".into();
    let error = compile(&[zoned, column("b", &L::Binary { length: None }, &TEXT)], None).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Mapping);
    let expected = "column `made_at`: datetime(6) (timestamp(6)) cannot become timestamp(6) utc: \
                    a wall-clock reading becomes an instant only with a declared time zone";
    assert_eq!(error.to_string(), expected);
    assert_eq!(error.also().len(), 1);
    assert!(error.hint_text().unwrap().contains("never guessed"));
}

#[test]
fn numbers_keep_every_digit() {
    let d128 = |value: i128| Arc::new(Decimal128Array::from(vec![value]).with_precision_and_scale(10, 2).unwrap()) as ArrayRef;
    assert_eq!(shown(&decimal(10, 2), &TEXT, d128(-5)), ["-0.05"]);
    assert_eq!(shown(&decimal(10, 2), &L::Numeric, d128(100)), ["1.00"]);
    assert_eq!(shown(&decimal(10, 2), &decimal(65, 30), d128(-150)), ["-1.500000000000000000000000000000"]);
    assert_eq!(shown(&decimal(10, 2), &decimal(3, 1), d128(990)), ["9.9"]);
    assert_eq!(shown(&decimal(10, 2), &L::UInt8, d128(25_500)), ["255"]);
    refused(&decimal(10, 2), &decimal(3, 1), [d128(995), d128(10_000)]);
    refused(&decimal(10, 2), &L::UInt8, [d128(25_600), d128(-100), d128(1)]);
    refused(&decimal(10, 2), &L::Text { length: Some(3) }, [d128(100)]);
    assert_eq!(shown(&L::UInt64, &decimal(20, 0), Arc::new(UInt64Array::from(vec![u64::MAX]))), ["18446744073709551615"]);
    refused(&L::UInt64, &L::Int64, [Arc::new(UInt64Array::from(vec![1 << 63])) as ArrayRef]);
    // Scales so far apart that the factor itself needs all digits.
    let one = Arc::new(Int64Array::from(vec![0, 9])) as ArrayRef;
    refused(&L::Int64, &decimal(76, 76), [one.slice(1, 1)]);
    assert_eq!(cast(&L::Int64, &decimal(76, 76), one.slice(0, 1)).unwrap().as_primitive::<Decimal256Type>().value(0), i256::ZERO);
    // The text of 38 nines behind "-0." and of all 76 digits.
    let (nines, all) = (format!("-0.{}", "9".repeat(38)), format!("-{}", "9".repeat(76)));
    let read = cast(&TEXT, &decimal(38, 38), texts([&nines])).unwrap();
    assert_eq!(read.as_primitive::<Decimal128Type>().value(0), 1 - 10i128.pow(38));
    assert_eq!(shown(&decimal(76, 0), &TEXT, cast(&L::Numeric, &decimal(76, 0), texts([&all])).unwrap()), [all]);
    assert_eq!(shown(&L::Numeric, &decimal(4, 2), texts(["1", "1.5", "1.500000000"])), ["1.00", "1.50", "1.50"]);
    refused(&L::Numeric, &decimal(4, 2), [texts(["1.234"]), texts(["100"]), texts(["NaN"]), texts(["1e1"])]);
    refused(
        &TEXT,
        &decimal(4, 2),
        ["1", "1.5", "01.50", "+1.50", "-0.00", ".50", "1.500", " 1.50", ""].map(|text| texts([text])),
    );
    refused(&TEXT, &L::Int32, ["1.0", "2147483648", "-0", "٣", "1 "].map(|text| texts([text])));
    refused(&TEXT, &L::Numeric, ["Infinity", "1.", "--1", "0x1"].map(|text| texts([text])));
}

#[test]
fn truth_is_0_or_1() {
    let values = Arc::new(Int8Array::from(vec![Some(0), None, Some(1)])) as ArrayRef;
    let flags = cast(&L::Int8, &L::Bool, values.clone()).unwrap();
    assert_eq!(flags.as_ref(), &BooleanArray::from(vec![Some(false), None, Some(true)]) as &dyn Array);
    assert_eq!(&cast(&L::Bool, &L::Int8, flags).unwrap(), &values);
    refused(&L::Int8, &L::Bool, [-1, 2, 127].map(|value| Arc::new(Int8Array::from(vec![value])) as ArrayRef));
    let bit = Arc::new(BinaryArray::from(vec![Some(&[0x80u8][..]), None, Some(&[0])])) as ArrayRef;
    assert_eq!(shown(&L::Bits { length: 1 }, &L::Bool, bit), ["true", "NULL", "false"]);
}

#[test]
fn floats_survive_bit_for_bit_or_not_at_all() {
    let d = |value: i128| Arc::new(Decimal128Array::from(vec![value]).with_precision_and_scale(20, 3).unwrap()) as ArrayRef;
    assert_eq!(shown(&decimal(20, 3), &L::Float64, d(-125)), ["-0.125"]);
    refused(&decimal(20, 3), &L::Float64, [d(100), d(1)]);
    let i = |value: i64| Arc::new(Int64Array::from(vec![value])) as ArrayRef;
    for value in [0, 1 << 53, i64::MIN, 3 << 60] {
        assert_eq!(cast(&L::Int64, &L::Float64, i(value)).unwrap().as_primitive::<Float64Type>().value(0), value as f64);
    }
    refused(&L::Int64, &L::Float64, [i((1 << 53) + 1), i(i64::MAX)]);
    let f = |value: f64| Arc::new(Float64Array::from(vec![value])) as ArrayRef;
    assert_eq!(
        shown(&L::Float64, &L::Float32, Arc::new(Float64Array::from(vec![-0.0, 0.5, f64::INFINITY]))),
        ["-0.0", "0.5", "inf"]
    );
    refused(&L::Float64, &L::Float32, [f(0.1), f(1e300), f(f64::from_bits(1))]);
}

#[test]
fn temporal_values_stay_what_they_are() {
    let duration = |us: i64| Arc::new(DurationMicrosecondArray::from(vec![us])) as ArrayRef;
    let (length, time) = (L::Duration { fsp: 6 }, L::Time { fsp: 6 });
    assert_eq!(shown(&length, &time, duration(86_399_999_999)), ["23:59:59.999999"]);
    refused(&length, &time, [duration(86_400_000_000), duration(-1)]);
    refused(&length, &L::Time { fsp: 3 }, [duration(1)]);
    assert_eq!(shown(&length, &TEXT, duration(-3_020_399_999_999)), ["-838:59:59.999999"]);
    assert_eq!(shown(&L::Duration { fsp: 0 }, &TEXT, duration(-1_000_000)), ["-00:00:01"]);
    let dates = Arc::new(Date32Array::from(vec![Some(-1), None, Some(i32::MIN), Some(i32::MAX)])) as ArrayRef;
    let stamps = cast(&L::Date, &TIMESTAMP, dates.clone()).unwrap();
    let values = stamps.as_primitive::<TimestampMicrosecondType>();
    assert_eq!((values.value(0), values.value(2), values.value(3)), (-86_400_000_000, i64::MIN, i64::MAX));
    refused(&L::Date, &TIMESTAMP, [Arc::new(Date32Array::from(vec![i32::MAX - 1])) as ArrayRef]);
    assert_eq!(shown(&L::Date, &TEXT, dates), ["1969-12-31", "NULL", "-infinity", "infinity"]);
    let stamp = |us: i64| Arc::new(TimestampMicrosecondArray::from(vec![us])) as ArrayRef;
    let millis = L::Timestamp { fsp: 3, zone: Zone::None };
    assert!(cast(&TIMESTAMP, &millis, stamp(i64::MAX)).is_ok() && cast(&TIMESTAMP, &millis, stamp(-1_000)).is_ok());
    refused(&TIMESTAMP, &millis, [stamp(1), stamp(-1)]);
    refused(&TEXT, &L::Date, ["2024-02-30", "0000-00-00", "2024-2-3", "24-02-03", "2024-02-03 "].map(|text| texts([text])));
    refused(&TEXT, &L::Time { fsp: 2 }, ["24:00:01.00", "1:00:00.00", "00:00:00", "00:00:60.00"].map(|text| texts([text])));
    refused(&TEXT, &TIMESTAMP, ["2024-02-03", "2024-02-03T00:00:00.000000", "2024-02-03 00:00:00"].map(|text| texts([text])));
}

#[test]
fn text_and_bytes_are_measured_each_in_its_own_unit() {
    let five = L::Text { length: Some(5) };
    assert_eq!(shown(&TEXT, &five, texts(["ääää😀"])), ["ääää😀"]);
    refused(&TEXT, &five, [texts(["ääää😀."])]);
    refused(&TEXT, &L::Binary { length: Some(5) }, [texts(["äää"])]);
    assert_eq!(shown(&TEXT, &L::Binary { length: Some(6) }, texts(["äää"])), ["c3a4c3a4c3a4"]);
    assert!(cast(&TEXT, &L::Json, texts(["{\"a\": 1.0}"])).is_ok());
    refused(&TEXT, &L::Json, ["{", "", "{\"a\":1,\"a\":2}", "\"\\u0000\""].map(|text| texts([text])));
    let labels = L::Enum { labels: vec!["new".into(), "it's".into()] };
    assert_eq!(shown(&TEXT, &labels, texts(["it's", "new"])), ["it's", "new"]);
    refused(&TEXT, &labels, [texts(["NEW"]), texts([""])]);
    let uuid = "0190163d-8694-739b-aea5-966c26f8ad91";
    let parsed = cast(&TEXT, &L::Uuid, texts([uuid])).unwrap();
    assert_eq!(shown(&L::Uuid, &TEXT, parsed.clone()), [uuid]);
    refused(&TEXT, &L::Uuid, [texts([&uuid.to_uppercase()]), texts([&uuid.replace('-', "")])]);
    let bytes = cast(&L::Uuid, &L::Binary { length: Some(16) }, parsed.clone()).unwrap();
    assert_eq!(&cast(&L::Binary { length: Some(16) }, &L::Uuid, bytes).unwrap(), &parsed);
    refused(&L::Binary { length: None }, &L::Uuid, [Arc::new(BinaryArray::from(vec![&[1u8; 15][..]])) as ArrayRef]);
    refused(
        &L::Binary { length: None },
        &L::Binary { length: Some(2) },
        [Arc::new(BinaryArray::from(vec![&[1u8; 3][..]])) as ArrayRef],
    );
    let mut sets = ListBuilder::new(StringBuilder::new())
        .with_field(arrow::datatypes::Field::new_list_field(arrow::datatypes::DataType::Utf8, false));
    sets.append_value([Some("a"), Some("c")]);
    sets.append_value(Vec::<Option<&str>>::new());
    sets.append_null();
    let set = L::Set { labels: vec!["a".into(), "b".into(), "c".into()] };
    assert_eq!(shown(&set, &TEXT, Arc::new(sets.finish())), ["a,c", "", "NULL"]);
}

#[test]
fn bits_are_an_unsigned_number() {
    let bits = |bytes: &[u8]| Arc::new(BinaryArray::from(vec![bytes])) as ArrayRef;
    assert_eq!(shown(&L::Bits { length: 10 }, &L::Int16, bits(&[0b1000_0000, 0b0100_0000])), ["513"]);
    assert_eq!(shown(&L::Bits { length: 64 }, &L::UInt64, bits(&[0xff; 8])), ["18446744073709551615"]);
    refused(&L::Bits { length: 64 }, &L::Int64, [bits(&[0xff; 8])]);
    refused(&L::Bits { length: 10 }, &L::Int16, [bits(&[1]), bits(&[0, 0b0010_0000])]);
}

proptest! {
    #[test]
    fn integers_go_to_text_and_decimals_and_back(values in proptest::collection::vec(proptest::option::of(any::<i64>()), 0..20)) {
        let array = Arc::new(Int64Array::from(values)) as ArrayRef;
        for between in [TEXT, L::Numeric, decimal(19, 0), decimal(50, 12), decimal(38, 19)] {
            let there = cast(&L::Int64, &between, array.clone()).unwrap();
            prop_assert_eq!(&cast(&between, &L::Int64, there).unwrap(), &array);
        }
        for narrow in [L::Int8, L::UInt8, L::Int16, L::UInt16, L::Int32, L::UInt32, L::UInt64, decimal(5, 0)] {
            for row in 0..array.len() {
                let one = array.slice(row, 1);
                if let Ok(there) = cast(&L::Int64, &narrow, one.clone()) {
                    prop_assert_eq!(&cast(&narrow, &L::Int64, there).unwrap(), &one);
                }
            }
        }
    }

    #[test]
    fn decimals_agree_with_their_digits(digits in "-?[1-9][0-9]{0,75}", scale in 0u8..=76, to_scale in 0u8..=76, to_precision in 1u8..=76) {
        let (from, to) = (decimal(76, scale), decimal(to_precision, to_scale.min(to_precision)));
        let value = integer(&digits).unwrap();
        let array = Arc::new(Decimal256Array::from(vec![value]).with_precision_and_scale(76, scale.cast_signed()).unwrap()) as ArrayRef;
        let text = shown(&from, &TEXT, array.clone()).remove(0);
        prop_assert_eq!(&cast(&TEXT, &from, texts([&text])).unwrap(), &array);
        // By its digits alone: does the value fit, and what is it then?
        let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
        let fraction = fraction.trim_end_matches('0');
        let L::Decimal { scale: to_scale, .. } = to else { unreachable!() };
        let whole_digits = whole.trim_start_matches('-').trim_start_matches('0').len();
        let fits = fraction.len() <= usize::from(to_scale) && whole_digits <= usize::from(to_precision - to_scale);
        match cast(&from, &to, array.clone()) {
            Ok(there) => {
                let point = if to_scale == 0 { "" } else { "." };
                let expected = format!("{whole}{point}{fraction:0<width$}", width = usize::from(to_scale));
                prop_assert!(fits);
                prop_assert_eq!(shown(&to, &TEXT, there.clone()).remove(0), expected);
                prop_assert_eq!(&cast(&to, &from, there).unwrap(), &array);
            }
            Err(_) => prop_assert!(!fits, "{} as {}", text, to),
        }
        // A float prints all of its digits.
        let float = cast(&from, &L::Float64, array);
        let nearest: f64 = text.parse().unwrap();
        let printed = format!("{nearest:.1100}");
        let printed = if printed.contains('.') { printed.trim_end_matches('0').trim_end_matches('.') } else { &printed };
        let plain = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
        prop_assert_eq!(float.is_ok(), printed == plain, "{}", text);
    }

    #[test]
    fn a_moment_and_its_text_are_one_to_one(us in any::<i64>(), near in "[-]?[0-9]{4}-[0-9]{1,2}-[0-9]{1,2} [0-9]{1,2}:[0-9]{2}:[0-9]{2}\\.[0-9]{6}") {
        let array = Arc::new(TimestampMicrosecondArray::from(vec![us])) as ArrayRef;
        let text = cast(&TIMESTAMP, &TEXT, array.clone()).unwrap();
        prop_assert_eq!(&cast(&TEXT, &TIMESTAMP, text).unwrap(), &array);
        let text = texts([&near]);
        if let Ok(read) = cast(&TEXT, &TIMESTAMP, text.clone()) {
            prop_assert_eq!(&cast(&TIMESTAMP, &TEXT, read).unwrap(), &text);
        }
    }

    #[test]
    fn whatever_text_is_taken_is_given_back(near in "[-+]?0{0,2}[0-9]{0,20}[.]?[0-9]{0,3}") {
        for to in [L::Int8, L::Int64, L::UInt64, decimal(10, 2), decimal(60, 0), L::Numeric] {
            let text = texts([&near]);
            if let Ok(read) = cast(&TEXT, &to, text.clone()) {
                prop_assert_eq!(&cast(&to, &TEXT, read).unwrap(), &text, "{}", to);
            }
        }
    }
}

#[test]
fn json_arrays_and_packed_floats_become_vectors_and_lists() {
    let vector = L::Vector { dimensions: 3 };
    let list = |item: L| L::Array { item: Box::new(item) };
    let json = texts(["[0.1, -2.50e0,3]", " [1e-1,0,\t16777216]"]);
    for from in [L::Json, TEXT] {
        assert_eq!(shown(&from, &vector, json.clone()), ["[0.1, -2.5, 3.0]", "[0.1, 0.0, 16777216.0]"]);
    }
    assert_eq!(shown(&L::Json, &list(L::Float64), texts(["[0.1234567891, null]", "[]"])), ["[0.1234567891, NULL]", "[]"]);
    assert_eq!(shown(&L::Json, &list(L::Float32), texts(["[null,1]", "[0.25]"])), ["[NULL, 1.0]", "[0.25]"]);
    let none: ArrayRef = Arc::new(StringArray::from(vec![None::<&str>]));
    assert_eq!(shown(&L::Json, &vector, none.clone()), ["NULL"]);
    assert_eq!(shown(&L::Json, &list(L::Float32), none), ["NULL"]);
    let wrong = [
        "[1,2]",
        "[1,2,3,4]",
        "{}",
        "null",
        "[1,2,null]",
        "[1,2,\"3,4\"]",
        "[1,2,[3]]",
        "[1,2,true]",
        "[1,2",
        "[1,2,16777217]",
        "[1,2,1e39]",
    ];
    refused(&L::Json, &vector, wrong.map(|text| texts([text])));

    let packed: Vec<u8> = [0.1f32, f32::MIN_POSITIVE, -0.0].iter().flat_map(|float| float.to_le_bytes()).collect();
    let bytes = |bytes: &[u8]| -> ArrayRef { Arc::new(BinaryArray::from_vec(vec![bytes])) };
    let binary = L::Binary { length: None };
    assert_eq!(shown(&binary, &vector, bytes(&packed)), ["[0.1, 1.1754944e-38, -0.0]"]);
    assert_eq!(shown(&binary, &list(L::Float32), bytes(&packed[..8])), ["[0.1, 1.1754944e-38]"]);
    refused(&binary, &vector, [bytes(&packed[..8]), bytes(&packed[..11]), bytes(&[])]);
    assert!(matches!(can_cast(&L::Binary { length: Some(11) }, &vector), Castability::Never(_)));
}

#[test]
fn vectors_become_lists_and_text_that_comes_back() {
    let vector = L::Vector { dimensions: 2 };
    let vectors = cast(&TEXT, &vector, texts(["[0.1,16777216]", "[-3.5,0.00001]"])).unwrap();
    assert_eq!(shown(&vector, &TEXT, vectors.clone()), ["[0.1,16777216]", "[-3.5,0.00001]"]);
    let back = cast(&L::Json, &vector, cast(&vector, &L::Json, vectors.clone()).unwrap()).unwrap();
    assert_eq!(&back, &vectors);
    let list = L::Array { item: Box::new(L::Float32) };
    assert_eq!(shown(&vector, &list, vectors.clone()), ["[0.1, 16777216.0]", "[-3.5, 0.00001]"]);
    refused(&vector, &L::Text { length: Some(5) }, [vectors]);
    let packed = |floats: [f32; 2]| -> ArrayRef {
        let bytes: Vec<u8> = floats.iter().flat_map(|float| float.to_le_bytes()).collect();
        let binary: ArrayRef = Arc::new(BinaryArray::from_vec(vec![bytes.as_slice()]));
        cast(&L::Binary { length: None }, &vector, binary).unwrap()
    };
    refused(&vector, &L::Json, [packed([f32::NAN, 0.0]), packed([f32::INFINITY, 0.0]), packed([-0.0, 1.0])]);
}
