//! Arithmetic and casts of numbers, compared with wide integers.

use arrow::array::{Array, AsArray};
use arrow::datatypes::{Decimal128Type, Decimal256Type, Int64Type, i256};
use proptest::prelude::*;

use super::*;

/// One value of an expression over one row of `x` and `y`.
fn one(sql: &str, types: [&LogicalType; 2], arrays: [ArrayRef; 2], target: &LogicalType, rounding: Rounding) -> Result<ArrayRef> {
    let scope = Scope::new(&[("x".into(), types[0].clone()), ("y".into(), types[1].clone())], NOW_US)?;
    let batch = RecordBatch::try_new(schema([("x", types[0]), ("y", types[1])]), arrays.into()).unwrap();
    Expression::compile(sql, &scope, target, rounding)?.evaluate(&table(), "out", &[], &batch)
}

fn integers(sql: &str, x: i64, y: i64) -> Option<i64> {
    let array = |value| Arc::new(Int64Array::from(vec![value])) as ArrayRef;
    let int = &LogicalType::Int64;
    match one(sql, [int, int], [array(x), array(y)], int, Rounding::Exact) {
        Ok(result) => Some(result.as_primitive::<Int64Type>().value(0)),
        Err(error) => {
            assert_eq!(error.kind(), crate::error::ErrorKind::Value, "{error:?}");
            None
        }
    }
}

/// Integers near the ends of their range as often as others.
fn edgy() -> impl Strategy<Value = i64> {
    prop_oneof![
        any::<i64>(),
        -3i64..=3,
        (0i64..3).prop_map(|less| i64::MAX - less),
        (0i64..3).prop_map(|more| i64::MIN + more),
        any::<i32>().prop_map(i64::from)
    ]
}

fn narrow(value: Option<i128>) -> Option<i64> {
    value.and_then(|value| i64::try_from(value).ok())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn integers_never_wrap(x in edgy(), y in edgy()) {
        let (wide_x, wide_y) = (i128::from(x), i128::from(y));
        prop_assert_eq!(integers("x + y", x, y), narrow(Some(wide_x + wide_y)));
        prop_assert_eq!(integers("x - y", x, y), narrow(Some(wide_x - wide_y)));
        prop_assert_eq!(integers("x * y", x, y), narrow(Some(wide_x * wide_y)));
        prop_assert_eq!(integers("x / y", x, y), narrow(wide_x.checked_div(wide_y)));
        prop_assert_eq!(integers("x % y", x, y), narrow(wide_x.checked_rem(wide_y)));
        prop_assert_eq!(integers("-x", x, y), narrow(Some(-wide_x)));
        prop_assert_eq!(integers("abs(x)", x, y), narrow(Some(wide_x.abs())));
        prop_assert_eq!(integers("(x + y) - y", x, y), narrow(Some(wide_x + wide_y)).map(|_| x));
    }

    #[test]
    fn decimals_are_exact_or_refused(x in edgy(), y in edgy(), big in any::<i128>()) {
        let bound = 10i128.pow(38) - 1;
        let big = big % bound;
        let wide = |value: i128, scale| Arc::new(Decimal128Array::from(vec![value]).with_precision_and_scale(38, scale).unwrap()) as ArrayRef;
        let number = decimal(38, 4);
        for (sql, expected) in [("x + y", big.checked_add(i128::from(y))), ("x - y", big.checked_sub(i128::from(y)))] {
            let result = one(sql, [&number, &number], [wide(big, 4), wide(i128::from(y), 4)], &number, Rounding::Exact).ok();
            let expected = expected.filter(|value| value.abs() <= bound);
            prop_assert_eq!(result.map(|array| array.as_primitive::<Decimal128Type>().value(0)), expected, "{} {} {}", big, sql, y);
        }
        let (small, product) = (decimal(19, 4), decimal(38, 8));
        let narrow = |value: i64| Arc::new(Decimal128Array::from(vec![i128::from(value) % 10i128.pow(18)]).with_precision_and_scale(19, 4).unwrap()) as ArrayRef;
        let result = one("x * y", [&small, &small], [narrow(x), narrow(y)], &product, Rounding::Exact).unwrap();
        let expected = (i128::from(x) % 10i128.pow(18)) * (i128::from(y) % 10i128.pow(18));
        prop_assert_eq!(result.as_primitive::<Decimal128Type>().value(0), expected);
        let sum = decimal(60, 10);
        let huge = |value: i128| Arc::new(arrow::array::Decimal256Array::from(vec![i256::from_i128(value)]).with_precision_and_scale(60, 10).unwrap()) as ArrayRef;
        let result = one("x + y", [&sum, &sum], [huge(big), huge(i128::from(y))], &decimal(61, 10), Rounding::Exact).unwrap();
        prop_assert_eq!(result.as_primitive::<Decimal256Type>().value(0), i256::from_i128(big).wrapping_add(i256::from_i128(y.into())));
    }

    #[test]
    fn unsigned_and_signed_together_lose_nothing(u in any::<u64>(), y in edgy()) {
        let (unsigned, signed) = (LogicalType::UInt64, LogicalType::Int64);
        let arrays = || [Arc::new(UInt64Array::from(vec![u])) as ArrayRef, Arc::new(Int64Array::from(vec![y])) as ArrayRef];
        let sum = one("x + y", [&unsigned, &signed], arrays(), &decimal(38, 0), Rounding::Exact).unwrap();
        prop_assert_eq!(sum.as_primitive::<Decimal128Type>().value(0), i128::from(u) + i128::from(y));
        let less = one("x < y", [&unsigned, &signed], arrays(), &LogicalType::Bool, Rounding::Exact).unwrap();
        prop_assert_eq!(less.as_boolean().value(0), i128::from(u) < i128::from(y));
        let minus = one("0 - x", [&unsigned, &signed], arrays(), &decimal(38, 0), Rounding::Exact).unwrap();
        prop_assert_eq!(minus.as_primitive::<Decimal128Type>().value(0), -i128::from(u));
    }

    #[test]
    fn a_rule_rounds_half_away_from_zero_or_cuts(units in -1_000_000i64..1_000_000) {
        let (fine, coarse) = (decimal(20, 3), decimal(20, 1));
        let array = || Arc::new(Decimal128Array::from(vec![i128::from(units)]).with_precision_and_scale(20, 3).unwrap()) as ArrayRef;
        let with = |rounding| one("x", [&fine, &fine], [array(), array()], &coarse, rounding).ok().map(|array| array.as_primitive::<Decimal128Type>().value(0));
        let size = i128::from(units.unsigned_abs());
        let sign = i128::from(units.signum());
        prop_assert_eq!(with(Rounding::Exact), (size % 100 == 0).then_some(sign * (size / 100)));
        prop_assert_eq!(with(Rounding::Trunc), Some(sign * (size / 100)));
        prop_assert_eq!(with(Rounding::Round), Some(sign * ((size + 50) / 100)));
    }

    #[test]
    fn a_float_becomes_a_decimal_by_its_exact_digits(value in prop_oneof![-1e6f64..1e6, (-1_000_000i32..1_000_000).prop_map(|n| f64::from(n) / 64.0)]) {
        let (float, target) = (LogicalType::Float64, decimal(30, 3));
        let array = || Arc::new(Float64Array::from(vec![value])) as ArrayRef;
        let with = |rounding| one("x", [&float, &float], [array(), array()], &target, rounding).ok().map(|array| array.as_primitive::<Decimal128Type>().value(0));
        // All digits of a binary fraction, and those that are cut away.
        let text = format!("{:.1074}", value.abs());
        let (whole, fraction) = text.split_once('.').unwrap();
        let (kept, rest) = fraction.split_at(3);
        let cut: i128 = format!("{whole}{kept}").parse().unwrap();
        let sign = if value < 0.0 { -1 } else { 1 };
        let up = i128::from(rest.as_bytes()[0] >= b'5');
        prop_assert_eq!(with(Rounding::Trunc), Some(sign * cut));
        prop_assert_eq!(with(Rounding::Round), Some(sign * (cut + up)));
        prop_assert_eq!(with(Rounding::Exact), rest.bytes().all(|digit| digit == b'0').then_some(sign * cut));
    }

    #[test]
    fn text_becomes_a_decimal_by_its_digits(text in "[-+]?[0-9]{0,6}[.]?[0-9]{0,5}") {
        let target = decimal(30, 3);
        let array = || Arc::new(StringArray::from(vec![text.as_str()])) as ArrayRef;
        let result = one("CAST(x AS DECIMAL(30, 3))", [&TEXT, &TEXT], [array(), array()], &target, Rounding::Exact).ok();
        let size = text.trim_start_matches(['-', '+']);
        let (whole, fraction) = size.split_once('.').unwrap_or((size, ""));
        let units = format!("{whole}{:0<3}", fraction.trim_end_matches('0')).parse::<i128>().ok();
        let fits = fraction.trim_end_matches('0').len() <= 3 && !(whole.is_empty() && fraction.is_empty());
        let expected = units.filter(|_| fits).map(|units| if text.starts_with('-') { -units } else { units });
        prop_assert_eq!(result.map(|array| array.as_primitive::<Decimal128Type>().value(0)), expected, "{}", text);
    }
}

#[test]
fn overflow_and_division_by_zero_name_the_first_row() {
    for (sql, why) in [
        ("a / b", "division by zero"),
        ("a % b", "division by zero"),
        ("f / (f + 2.75)", "division by zero"),
        ("price / b", "division by zero"),
        ("a - 9223372036854775807", "overflow"),
    ] {
        let natural = Expression::natural_type(sql, &scope()).unwrap();
        let error = error_of(sql, &natural);
        assert!(error.what().contains(why), "{sql}: {error}");
        assert_eq!(error.place().table.as_deref(), Some("shop.orders"));
        assert_eq!(error.place().column.as_deref(), Some("out"));
        assert_eq!(error.place().key.as_deref(), Some("(id = 2)"), "{sql}");
    }
    let error = error_of("f * CAST('1e308' AS DOUBLE) * 1e10", &LogicalType::Float64);
    assert!(error.what().contains("beyond the largest float"), "{error}");
}

#[test]
fn a_fraction_is_a_decimal_and_beside_a_float_the_nearest_one() {
    assert_eq!(Expression::natural_type("0.1", &scope()).unwrap(), decimal(1, 1));
    assert_eq!(values("0.1 + 0.2 = 0.3"), "true,true,true");
    assert_eq!(values("1e10"), ["10000000000"; 3].join(","));
    assert_eq!(Expression::natural_type("12e50", &scope()).unwrap(), decimal(52, 0));
    assert!(Expression::natural_type("1e308", &scope()).is_err());
    assert_eq!(values("price * 1.19"), "23.7881,-0.0595,NULL");
    assert_eq!(values("f * 0.1"), "0.05,-0.275,NULL");
    assert_eq!(values("f > 0.1"), "true,false,NULL");
    assert_eq!(values("CAST(0.1 AS DOUBLE)"), "0.1,0.1,0.1");
}

#[test]
fn casts_keep_the_value_or_are_errors() {
    assert_eq!(values("CAST(trunc(price) AS INT)"), "19,0,NULL");
    assert_eq!(values("CAST(round(f) AS BIGINT)"), "1,-3,NULL");
    assert_eq!(values("CAST(a AS SMALLINT)"), "7,-7,NULL");
    assert_eq!(values("CAST(a AS DOUBLE)"), "7.0,-7.0,NULL");
    assert_eq!(values("TRY_CAST(num AS INT)"), "7,NULL,NULL");
    assert_eq!(values("TRY_CAST(price AS INT)"), "NULL,NULL,NULL");
    assert_eq!(values("CAST(num AS DECIMAL(10, 2))"), "7.00,1.50,NULL");
    assert_eq!(values("CAST(ok AS INT)"), "1,0,NULL");
    assert_eq!(values("CAST('2024-02-29' AS DATE)"), ["2024-02-29"; 3].join(","));
    assert_eq!(values("CAST(date_trunc('day', at) AS DATE)"), "2024-02-29,1969-12-31,NULL");
    for (sql, target) in [
        ("CAST(price AS INT)", LogicalType::Int32),
        ("CAST(f AS INT)", LogicalType::Int32),
        ("CAST(u AS BIGINT)", LogicalType::Int64),
        ("CAST(price AS DECIMAL(10, 1))", decimal(10, 1)),
        ("CAST(price AS DOUBLE)", LogicalType::Float64),
        ("CAST(num AS INT)", LogicalType::Int32),
        ("CAST(a AS BOOLEAN)", LogicalType::Bool),
        ("CAST(at AS DATE)", LogicalType::Date),
        ("CAST(CAST(at AS VARCHAR) AS DATE)", LogicalType::Date),
        ("CAST(raw AS VARCHAR)", TEXT),
        ("price", LogicalType::Int64),
        ("f", LogicalType::Int64),
        ("u", LogicalType::Int64),
        ("price + 0", decimal(3, 2)),
        ("at", LogicalType::Timestamp { fsp: 0, zone: Zone::None }),
        ("name", LogicalType::Text { length: Some(3) }),
        ("u * 1.0", LogicalType::UInt8),
    ] {
        let error = error_of(sql, &target);
        assert_eq!(error.kind(), crate::error::ErrorKind::Value, "{sql}: {error}");
        assert!(error.place().key.is_some(), "{sql}: {error}");
    }
    let rounded = |sql, target: &LogicalType, rounding| show(&evaluate(sql, target, rounding).unwrap()).join(",");
    assert_eq!(rounded("f", &LogicalType::Int32, Rounding::Round), "1,-3,NULL");
    assert_eq!(rounded("f", &LogicalType::Int32, Rounding::Trunc), "0,-2,NULL");
    assert_eq!(rounded("price * f", &LogicalType::Float64, Rounding::Round), "9.995,0.1375,NULL");
    let seconds = LogicalType::Timestamp { fsp: 0, zone: Zone::None };
    assert_eq!(rounded("at", &seconds, Rounding::Round), "2024-02-29T12:34:57,1969-12-31T12:00:00,NULL");
    assert_eq!(rounded("at", &seconds, Rounding::Trunc), "2024-02-29T12:34:56,1969-12-31T12:00:00,NULL");
    assert_eq!(rounded("at", &LogicalType::Date, Rounding::Trunc), "2024-02-29,1969-12-31,NULL");
    assert_eq!(
        rounded("array_sort(tags)", &LogicalType::Set { labels: vec!["hot".into(), "new".into()] }, Rounding::Exact),
        "[hot, new],[],NULL"
    );
}

#[test]
fn an_expression_over_many_rows_finds_the_one_that_fails() {
    let scope = Scope::new(&[("x".into(), LogicalType::Int64)], NOW_US).unwrap();
    let expression =
        Expression::compile("CASE WHEN x % 2 = 1 THEN 10 / (x - 777) ELSE x END", &scope, &LogicalType::Int64, Rounding::Exact)
            .unwrap();
    let batch = RecordBatch::try_new(schema([("x", &LogicalType::Int64)]), vec![Arc::new(Int64Array::from_iter_values(0..2000))])
        .unwrap();
    let error = expression.evaluate(&table(), "out", &["x".into()], &batch).unwrap_err();
    assert_eq!(error.place().key.as_deref(), Some("(x = 777)"));
    let rest = batch.slice(778, 1000);
    let (first, second) = (expression.evaluate(&table(), "out", &[], &rest), expression.evaluate(&table(), "out", &[], &rest));
    assert_eq!(&first.unwrap(), &second.unwrap());
    let error = error_of("name || raw", &TEXT);
    assert_eq!(error.place().key.as_deref(), Some("(id = 2)"), "{error}");
    let empty = expression.evaluate(&table(), "out", &[], &batch.slice(0, 0)).unwrap();
    assert!(empty.is_empty() && empty.data_type() == &DataType::Int64);
}
