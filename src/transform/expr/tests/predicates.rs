//! Conditions, and what of them a source may check.

use proptest::prelude::*;

use super::*;
use crate::error::ErrorKind;
use crate::model::predicate::{Comparison, PushedPredicate, PushedValue};

fn selected(sql: &str) -> Vec<bool> {
    let predicate = Predicate::compile(sql, &scope()).unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    predicate.evaluate(&table(), &["id".into()], &batch()).unwrap().iter().map(Option::unwrap).collect()
}

#[test]
fn null_is_not_selected() {
    assert_eq!(selected("a > 0"), [true, false, false]);
    assert_eq!(selected("NOT a > 0"), [false, true, false]);
    assert_eq!(selected("a > 0 OR a IS NULL"), [true, false, true]);
    assert_eq!(selected("ok"), [true, false, false]);
    assert_eq!(selected("ok IS NOT TRUE"), [false, true, true]);
    assert_eq!(selected("NULL"), [false; 3]);
    assert_eq!(selected("true"), [true; 3]);
    assert!(Predicate::compile("1 = 2", &scope()).unwrap().is_never());
    assert!(!Predicate::compile("a = 2", &scope()).unwrap().is_never());
}

#[test]
fn a_condition_is_true_or_false_and_fails_with_the_row() {
    let error = Predicate::compile("a + 1", &scope()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Mapping);
    let predicate = Predicate::compile("a / b > 1", &scope()).unwrap();
    let error = predicate.evaluate(&table(), &["id".into()], &batch()).unwrap_err();
    assert_eq!((error.kind(), error.place().key.as_deref()), (ErrorKind::Value, Some("(id = 2)")));
}

fn pushed(sql: &str) -> Option<(String, bool)> {
    let pushdown = Predicate::compile(sql, &scope()).unwrap().pushdown(|column| column == "name")?;
    Some((print(&pushdown.predicate), pushdown.complete))
}

fn print(predicate: &PushedPredicate) -> String {
    let all = |parts: &[PushedPredicate], word: &str| format!("({})", parts.iter().map(print).collect::<Vec<_>>().join(word));
    match predicate {
        PushedPredicate::And(parts) => all(parts, " and "),
        PushedPredicate::Or(parts) => all(parts, " or "),
        PushedPredicate::Not(inner) => format!("not {}", print(inner)),
        PushedPredicate::Compare { column, comparison, value } => format!("{column} {} {}", comparison.sql(), print_value(value)),
        PushedPredicate::In { column, values } => {
            format!("{column} in ({})", values.iter().map(print_value).collect::<Vec<_>>().join(" "))
        }
        PushedPredicate::IsNull { column } => format!("{column} is null"),
    }
}

fn print_value(value: &PushedValue) -> String {
    match value {
        PushedValue::Integer(value) => value.to_string(),
        PushedValue::Decimal(value) => value.clone(),
        PushedValue::Bool(value) => value.to_string(),
        PushedValue::Date(days) => crate::model::civil::date_text(i64::from(*days)),
        PushedValue::Timestamp { us, .. } => us.to_string(),
        PushedValue::Text(text) => format!("'{text}'"),
    }
}

#[test]
fn plain_comparisons_are_pushed_and_the_rest_stays() {
    for (sql, expected) in [
        ("id > 1", Some(("id > 1", true))),
        ("1 < id", Some(("id > 1", true))),
        ("id > 1 AND upper(name) = 'ADA'", Some(("id > 1", false))),
        ("id > 1 OR upper(name) = 'ADA'", None),
        ("id BETWEEN 1 AND 2", Some(("(id >= 1 and id <= 2)", true))),
        ("id IN (1, 2, 3, 4, 5)", Some(("id in (1 2 3 4 5)", true))),
        ("price >= 9.5", Some(("price >= 9.50", true))),
        ("id > 0.5", Some(("id > 0.5", true))),
        ("u = 18446744073709551615", Some(("u = 18446744073709551615", true))),
        ("day < DATE '2024-03-01'", Some(("day < 2024-03-01", true))),
        ("seen < now()", Some(("seen < 1709210096789012", true))),
        ("at >= '1970-01-01'", Some(("at >= 0", true))),
        ("name = 'Ada'", Some(("name = 'Ada'", true))),
        ("Name = 'Ada'", None),
        ("kind = 'old'", None),
        ("f > 1", None),
        ("doc IS NULL AND ok", Some(("(doc is null and ok = true)", true))),
        ("a + 1 = 2", None),
        ("a % 2 = 0 AND (id = 1 OR a IS NOT NULL)", Some(("(id = 1 or not a is null)", false))),
    ] {
        let expected = expected.map(|(text, complete)| (text.to_string(), complete));
        assert_eq!(pushed(sql), expected, "{sql}");
    }
}

/// A row of the property: an integer, a decimal of two digits of fraction, a truth value, a date, text.
type Row = (Option<i32>, Option<i64>, Option<bool>, Option<i32>, Option<String>);

fn row() -> impl Strategy<Value = Row> {
    use proptest::option::of;
    (of(-3i32..4), of(-300i64..400), of(any::<bool>()), of(-3i32..4), of("[ab]{0,2}"))
}

fn condition() -> impl Strategy<Value = String> {
    let comparison = || prop_oneof![Just("="), Just("<>"), Just("<"), Just("<="), Just(">"), Just(">=")];
    let leaf = prop_oneof![
        (comparison(), -3i32..4).prop_map(|(how, value)| format!("i {how} {value}")),
        (comparison(), -300i32..400).prop_map(|(how, value)| format!("d {how} {}", f64::from(value) / 100.0)),
        (comparison(), -3i32..4).prop_map(|(how, value)| format!("d {how} {value}")),
        (-3i32..4, comparison()).prop_map(|(value, how)| format!("{value}.5 {how} i")),
        (comparison(), 1u32..4).prop_map(|(how, day)| format!("day {how} DATE '1970-01-0{day}'")),
        (comparison(), "[ab]{0,2}").prop_map(|(how, text)| format!("t {how} '{text}'")),
        prop_oneof![Just("i"), Just("d"), Just("t"), Just("day"), Just("flag")].prop_map(|column| format!("{column} IS NULL")),
        proptest::collection::vec(-3i32..4, 1..6)
            .prop_map(|values| format!("i IN ({})", values.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))),
        proptest::collection::vec(-3i32..4, 1..6)
            .prop_map(|values| format!("i NOT IN ({})", values.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))),
        (-3i32..4, -3i32..4).prop_map(|(low, high)| format!("i BETWEEN {low} AND {high}")),
        Just("flag".to_string()),
        Just("i % 2 = 0".to_string()),
        Just("upper(t) = 'A'".to_string()),
    ];
    leaf.prop_recursive(3, 12, 2, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(left, right)| format!("({left}) AND ({right})")),
            (inner.clone(), inner.clone()).prop_map(|(left, right)| format!("({left}) OR ({right})")),
            inner.prop_map(|inner| format!("NOT ({inner})")),
        ]
    })
}

/// `decisive` if any part is so, else NULL if any part is NULL.
fn decide(parts: &[PushedPredicate], row: &Row, decisive: bool) -> Option<bool> {
    let parts: Vec<_> = parts.iter().map(|part| interpret(part, row)).collect();
    match parts.contains(&Some(decisive)) {
        true => Some(decisive),
        false => (!parts.contains(&None)).then_some(!decisive),
    }
}

/// The source's side: three-valued logic over one row.
fn interpret(predicate: &PushedPredicate, row: &Row) -> Option<bool> {
    match predicate {
        PushedPredicate::And(parts) => decide(parts, row, false),
        PushedPredicate::Or(parts) => decide(parts, row, true),
        PushedPredicate::Not(inner) => interpret(inner, row).map(|truth| !truth),
        PushedPredicate::IsNull { column } => Some(match column.as_str() {
            "i" => row.0.is_none(),
            "d" => row.1.is_none(),
            "flag" => row.2.is_none(),
            "day" => row.3.is_none(),
            _ => row.4.is_none(),
        }),
        PushedPredicate::Compare { column, comparison, value } => {
            let order = order(column, value, row)?;
            Some(match comparison {
                Comparison::Equal => order.is_eq(),
                Comparison::NotEqual => order.is_ne(),
                Comparison::Less => order.is_lt(),
                Comparison::LessOrEqual => order.is_le(),
                Comparison::Greater => order.is_gt(),
                Comparison::GreaterOrEqual => order.is_ge(),
            })
        }
        PushedPredicate::In { column, values } => {
            values.iter().map(|value| Some(order(column, value, row)?.is_eq())).try_fold(false, |any, one| Some(any | one?))
        }
    }
}

fn order(column: &str, value: &PushedValue, row: &Row) -> Option<std::cmp::Ordering> {
    // Numbers in units of 10^-6.
    let units = |value: &PushedValue| match value {
        PushedValue::Integer(whole) => whole * 1_000_000,
        PushedValue::Decimal(text) => {
            let (whole, fraction) = text.split_once('.').unwrap();
            format!("{whole}{fraction:0<6}").parse().unwrap()
        }
        other => panic!("{other:?} beside a number"),
    };
    Some(match (column, value) {
        ("i", value) => (i128::from(row.0?) * 1_000_000).cmp(&units(value)),
        ("d", value) => (i128::from(row.1?) * 10_000).cmp(&units(value)),
        ("flag", PushedValue::Bool(value)) => row.2?.cmp(value),
        ("day", PushedValue::Date(value)) => row.3?.cmp(value),
        ("t", PushedValue::Text(value)) => row.4.as_ref()?.cmp(value),
        other => panic!("{other:?}"),
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn what_is_pushed_means_what_is_evaluated(sql in condition(), rows in proptest::collection::vec(row(), 1..12)) {
        let types = [("i", LogicalType::Int32), ("d", decimal(8, 2)), ("flag", LogicalType::Bool), ("day", LogicalType::Date), ("t", TEXT)];
        let columns: Vec<_> = types.iter().map(|(name, logical)| ((*name).to_string(), logical.clone())).collect();
        let arrays: Vec<ArrayRef> = vec![
            Arc::new(rows.iter().map(|row| row.0).collect::<Int32Array>()),
            Arc::new(rows.iter().map(|row| row.1.map(i128::from)).collect::<Decimal128Array>().with_precision_and_scale(8, 2).unwrap()),
            Arc::new(rows.iter().map(|row| row.2).collect::<BooleanArray>()),
            Arc::new(rows.iter().map(|row| row.3).collect::<Date32Array>()),
            Arc::new(rows.iter().map(|row| row.4.clone()).collect::<StringArray>()),
        ];
        let batch = RecordBatch::try_new(schema(types.iter().map(|(name, logical)| (*name, logical))), arrays).unwrap();
        let predicate = Predicate::compile(&sql, &Scope::new(&columns, NOW_US).unwrap()).unwrap();
        let evaluated: Vec<bool> = predicate.evaluate(&table(), &[], &batch).unwrap().iter().map(Option::unwrap).collect();
        prop_assert!(evaluated.len() == rows.len());
        if let Some(pushdown) = predicate.pushdown(|_| true) {
            for (row, evaluated) in rows.iter().zip(&evaluated) {
                let pushed = interpret(&pushdown.predicate, row) == Some(true);
                if pushdown.complete {
                    prop_assert_eq!(pushed, *evaluated, "{} as {:?} on {:?}", sql, pushdown, row);
                } else {
                    prop_assert!(pushed || !evaluated, "{} as {:?} on {:?}", sql, pushdown, row);
                }
            }
        }
    }
}
