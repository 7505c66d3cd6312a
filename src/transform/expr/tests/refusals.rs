//! What is refused before a row moves, with its place and a hint.

use super::*;
use crate::error::ErrorKind;

fn refusal(sql: &str) -> Error {
    match Expression::natural_type(sql, &scope()) {
        Ok(natural) => panic!("`{sql}` is taken as {natural}"),
        Err(error) => error,
    }
}

#[test]
fn what_is_wrong_is_named_with_its_place_and_a_hint() {
    for (sql, what, hint) in [
        ("upper(nmae)", "at 1:7: there is no column `nmae`", "Did you mean `name`?"),
        ("concat(name,\n  uper(name))", "at 2:3: there is no function `uper`", "Did you mean `upper`?"),
        ("orders.name", "names a column with its table", "Write `name`"),
        ("random()", "at 1:1: `random` gives another value at each call", "Compute the value from the row"),
        ("uuid()", "gives another value at each call", ""),
        ("1 + sum(a)", "at 1:5: `sum` is over many rows", "Use functions of one row"),
        ("row_number() over (order by a)", "is a window function here", ""),
        ("(select 1)", "a subquery needs other rows", ""),
        ("a in (select 1)", "a subquery needs other rows", ""),
        ("exists (select 1)", "a subquery needs other rows", ""),
        ("a = $1", "there are no parameters", ""),
        ("a b", "at 1:3: `b` follows the end of the expression", ""),
        ("a +", "is no SQL expression", ""),
        ("", "is no SQL expression", ""),
        ("a; drop table x", "`;` follows the end", ""),
        ("upper(name, name, name)", "at 1:1", ""),
        ("id + (name + DATE '2024-01-01')", "at 1:7", ""),
        ("a AND name", "at 1:1", ""),
        ("arrow_cast(f, 'Int8')", "there is no function `arrow_cast`", ""),
        ("CAST(name AS VARCHAR(3))", "at 1:6", ""),
        ("CAST(f AS DATE)", "at 1:6", ""),
        ("CAST(a AS TIMESTAMP)", "without a loss", ""),
        ("unnest(tags)", "", ""),
    ] {
        let error = refusal(sql);
        assert_eq!(error.kind(), ErrorKind::Mapping, "{sql}: {error}");
        assert!(error.what().contains(what), "{sql}: {error}");
        assert!(hint.is_empty() || error.hint_text().is_some_and(|text| text.contains(hint)), "{sql}: {:?}", error.hint_text());
    }
    let many = refusal("concat(nmae, uper(name), random())");
    assert_eq!(many.also().len(), 2);
}

#[test]
fn a_part_that_is_wrong_for_every_row_is_found_at_once() {
    for (sql, what) in [
        ("1 / 0", "division by zero"),
        ("a + 1 / 0", "division by zero"),
        ("CASE WHEN ok THEN 1 % 0 ELSE 2 END", "division by zero"),
        ("9223372036854775807 + 1", "overflow"),
        ("CAST('x' AS INT)", "x"),
        ("CAST(1.5 AS INT)", "1.5 has digits that int32 does not hold"),
        ("CAST(300 AS TINYINT)", "out of range"),
        ("DATE '2024-02-30'", "2024-02-30"),
        ("TIMESTAMP '2024-02-29 00:00:00.1234567'", "more digits of fraction"),
        ("CAST(0.1 AS DECIMAL(40, 0)) + price", "has digits"),
    ] {
        let error = refusal(sql);
        assert!(error.what().contains(what), "{sql}: {error}");
    }
    let error =
        Expression::compile("'abcd'", &scope(), &LogicalType::Text { length: Some(3) }, Rounding::Exact).map(|_| ()).unwrap_err();
    assert!(error.what().contains("too many for text(3)"), "{error}");
}

#[test]
fn a_result_that_never_fits_is_refused() {
    for (sql, target) in [
        ("name = 'x'", LogicalType::Date),
        ("f", LogicalType::Date),
        ("at", INSTANT),
        ("tags", LogicalType::Int32),
        ("day", LogicalType::Bool),
        ("a", LogicalType::Uuid),
    ] {
        let error = Expression::compile(sql, &scope(), &target, Rounding::Exact).map(|_| ()).unwrap_err();
        assert!(error.what().contains("cannot become"), "{sql}: {error}");
    }
}

#[test]
fn a_deep_expression_is_refused_and_never_overruns_the_stack() {
    let deep = |levels: usize| format!("{}a{}", "(".repeat(levels), ")".repeat(levels));
    assert!(refusal(&deep(5000)).what().contains("recursion limit"), "{}", refusal(&deep(5000)));
    let chain = |terms: usize| vec!["b"; terms].join(" + ");
    assert_eq!(values(&chain(90)), "180,0,NULL");
    assert!(refusal(&chain(150)).what().contains("150 levels deep"));
    assert!(refusal(&chain(5000)).what().contains("levels deep"));
    assert!(refusal(&chain(50_000)).what().contains("longer than 20000"));
    let list = (0..2000).map(|number| number.to_string()).collect::<Vec<_>>().join(", ");
    assert_eq!(values(&format!("id IN ({list})")), "true,true,true");
}
