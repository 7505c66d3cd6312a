//! The functions at hand, names, and the run's clock.

use super::*;

#[test]
fn many_functions_are_at_hand() {
    for (sql, expected) in [
        ("upper(name)", "ADA,SSTRASSE,NULL"),
        ("lower(name)", "ada,ßtraße,NULL"),
        ("concat(name, '-', id)", "Ada-1,ßtraße-2,-3"),
        ("name || '/' || id", "Ada/1,ßtraße/2,NULL"),
        ("coalesce(name, 'none')", "Ada,ßtraße,none"),
        ("nullif(b, 0)", "2,NULL,NULL"),
        ("nvl(a, 5)", "7,-7,5"),
        ("nvl2(a, 'yes', 'no')", "yes,yes,no"),
        ("CASE WHEN a > 0 THEN 'plus' WHEN a < 0 THEN 'minus' ELSE 'none' END", "plus,minus,none"),
        ("CASE kind WHEN 'old' THEN 1 ELSE 2 END", "1,2,2"),
        ("CASE WHEN b <> 0 THEN a / b END", "3,NULL,NULL"),
        ("substr(name, 2)", "da,traße,NULL"),
        ("substring(name from 1 for 2)", "Ad,ßt,NULL"),
        ("left(name, 1)", "A,ß,NULL"),
        ("right(name, 2)", "da,ße,NULL"),
        ("length(name)", "3,6,NULL"),
        ("character_length(name)", "3,6,NULL"),
        ("octet_length(name)", "3,8,NULL"),
        ("reverse(name)", "adA,eßartß,NULL"),
        ("replace(name, 'a', 'o')", "Ado,ßtroße,NULL"),
        ("regexp_replace(name, '[aeiou]', '*', 'g')", "Ad*,ßtr*ß*,NULL"),
        ("regexp_like(name, '^A')", "true,false,NULL"),
        ("split_part('x,y,z', ',', id)", "x,y,z"),
        ("trim('  x ')", "x,x,x"),
        ("lpad(CAST(id AS VARCHAR), 3, '0')", "001,002,003"),
        ("starts_with(name, 'A')", "true,false,NULL"),
        ("strpos(name, 'a')", "3,4,NULL"),
        ("position('a' in name)", "3,4,NULL"),
        ("initcap('ada lovelace')", "Ada Lovelace,Ada Lovelace,Ada Lovelace"),
        ("md5('a')", "0cc175b9c0f1b6a831c399e269772661,0cc175b9c0f1b6a831c399e269772661,0cc175b9c0f1b6a831c399e269772661"),
        ("encode(raw, 'hex')", "616263,ff00,NULL"),
        ("encode(sha256(name), 'hex') = encode(sha256('Ada'), 'hex')", "true,false,NULL"),
        ("abs(a)", "7,7,NULL"),
        ("sqrt(4)", "2.0,2.0,2.0"),
        ("power(2, id)", "2.0,4.0,8.0"),
        ("round(f)", "1.0,-3.0,NULL"),
        ("round(price, 1)", "20.0,-0.1,NULL"),
        ("trunc(f)", "0.0,-2.0,NULL"),
        ("floor(f)", "0.0,-3.0,NULL"),
        ("ceil(price)", "20.00,0.00,NULL"),
        ("greatest(a, b)", "7,0,NULL"),
        ("least(id, 2)", "1,2,2"),
        ("a % 4", "3,-3,NULL"),
        ("date_part('year', at)", "2024,1969,NULL"),
        ("extract(month from at)", "2,12,NULL"),
        ("date_trunc('day', at)", "2024-02-29T00:00:00,1969-12-31T00:00:00,NULL"),
        ("to_char(DATE '2024-02-29', '%d.%m.%Y')", "29.02.2024,29.02.2024,29.02.2024"),
        ("array_length(tags)", "2,0,NULL"),
        ("array_has(tags, 'hot')", "true,false,NULL"),
        ("array_to_string(tags, '+')", "new+hot,,NULL"),
        ("id BETWEEN 2 AND 3", "false,true,true"),
        ("name LIKE 'A%'", "true,false,NULL"),
        ("kind IN ('old', 'older')", "true,false,NULL"),
        ("name IS NULL", "false,false,true"),
        ("doc", "{\"a\":1},[],NULL"),
    ] {
        assert_eq!(values(sql), expected, "{sql}");
    }
}

#[test]
fn names_keep_their_case_quoted_or_not() {
    assert_eq!(values("name"), "Ada,ßtraße,NULL");
    assert_eq!(values("Name"), "upper,case,NULL");
    assert_eq!(values("\"Name\""), "upper,case,NULL");
    assert_eq!(values("\"first name\" || 'x'"), "withx,spacex,NULL");
    assert_eq!(values("UPPER(name)"), "ADA,SSTRASSE,NULL");
    let error = error_of("NAME", &TEXT);
    assert!(error.what().ends_with("at 1:1: there is no column `NAME`"), "{error}");
    assert_eq!(error.hint_text(), Some("Did you mean `name`?"));
}

#[test]
fn the_inputs_are_the_columns_that_are_read() {
    let expression = Expression::compile("concat(\"Name\", name, 'x')", &scope(), &TEXT, Rounding::Exact).unwrap();
    assert_eq!(expression.inputs(), ["name", "Name"]);
    assert!(Expression::compile("'x'", &scope(), &TEXT, Rounding::Exact).unwrap().inputs().is_empty());
}

#[test]
fn a_column_passed_on_keeps_its_type() {
    for (name, logical, array) in columns() {
        let sql = format!("\"{name}\"");
        assert_eq!(Expression::natural_type(&sql, &scope()).unwrap(), logical);
        assert_eq!(&evaluate(&sql, &logical, Rounding::Exact).unwrap(), &array);
    }
}

#[test]
fn now_is_the_start_of_the_run() {
    let instant = "2024-02-29T12:34:56.789012";
    for sql in ["now()", "current_timestamp", "CURRENT_TIMESTAMP()"] {
        assert_eq!(values(sql), [instant; 3].join(","));
        assert_eq!(Expression::natural_type(sql, &scope()).unwrap(), INSTANT);
    }
    assert_eq!(values("current_date"), ["2024-02-29"; 3].join(","));
    assert_eq!(values("current_time"), ["12:34:56.789012"; 3].join(","));
    assert_eq!(values("seen = now()"), "true,false,NULL");
    assert_eq!(values("seen < TIMESTAMP '9999-12-31 00:00:00'::TIMESTAMPTZ"), "true,true,NULL");
    assert_eq!(values("at < TIMESTAMP '9999-12-31 00:00:00'"), "true,true,NULL");
    assert_eq!(values("at + INTERVAL '1 day'"), "2024-03-01T12:34:56.789012,1970-01-01T12:00:00,NULL");
}

#[test]
fn a_wall_clock_becomes_an_instant_only_by_a_named_zone() {
    assert_eq!(values("at AT TIME ZONE 'Europe/Berlin'"), "2024-02-29T11:34:56.789012,1969-12-31T11:00:00,NULL");
    assert_eq!(values("at AT TIME ZONE 'UTC'"), "2024-02-29T12:34:56.789012,1969-12-31T12:00:00,NULL");
    assert_eq!(values("DATE '2024-06-01' AT TIME ZONE 'Europe/Berlin'"), ["2024-05-31T22:00:00"; 3].join(","));
    let gap = "CAST('2024-03-31 02:30:00' AS TIMESTAMP) AT TIME ZONE 'Europe/Berlin'";
    assert!(Expression::natural_type(gap, &scope()).is_err());
    assert_eq!(values("at = to_timestamp('2024-02-29T12:34:56.789012')"), "true,false,NULL");
    assert_eq!(
        values("to_local_time(seen AT TIME ZONE 'America/New_York')"),
        "2024-02-29T07:34:56.789012,1969-12-31T19:00:00,NULL"
    );
    for sql in [
        "CAST(at AS TIMESTAMPTZ)",
        "at = seen",
        "at < now()",
        "CAST(seen AS DATE)",
        "CAST(seen AS TIMESTAMP)",
        "seen > day",
        "seen - at",
    ] {
        let error = Expression::natural_type(sql, &scope()).unwrap_err();
        assert!(error.what().contains("time zone"), "{sql}: {error}");
    }
    assert!(Expression::compile("at", &scope(), &INSTANT, Rounding::Exact).is_err());
}

#[test]
fn infinite_dates_are_compared_and_passed_on_but_not_calculated_with() {
    assert_eq!(values("day > DATE '2024-01-01'"), "true,true,NULL");
    assert_eq!(values("coalesce(day, DATE '2024-01-01') = day"), "true,true,NULL");
    let array = evaluate("CASE WHEN ok THEN day ELSE day END", &LogicalType::Date, Rounding::Exact).unwrap();
    assert_eq!(&array, batch().column_by_name("day").unwrap());
    for sql in [
        "date_part('year', day)",
        "date_trunc('month', day)",
        "day + INTERVAL '1 day'",
        "day - DATE '2024-01-01'",
        "CAST(day AS VARCHAR)",
        "concat(day, '')",
    ] {
        let natural = Expression::natural_type(sql, &scope()).unwrap();
        let error = error_of(sql, &natural);
        assert!(error.what().ends_with("the value is infinite, which no calculation can be done with"), "{sql}: {error}");
        assert_eq!(error.place().key.as_deref(), Some("(id = 2)"), "{sql}");
    }
}

#[test]
fn the_values_do_not_depend_on_how_rows_are_cut_into_batches() {
    fn travels<T: Send + Sync + Clone>(value: &T) -> T {
        value.clone()
    }
    let batch = batch();
    for sql in
        ["CASE WHEN ok THEN upper(name) ELSE num END", "a > 0 AND b <> 0 OR f < 1", "concat(name, md5(num))", "price * 3 + id"]
    {
        let natural = Expression::natural_type(sql, &scope()).unwrap();
        let expression = travels(&Expression::compile(sql, &scope(), &natural, Rounding::Exact).unwrap());
        let whole = expression.evaluate(&table(), "out", &[], &batch).unwrap();
        for row in 0..3 {
            let one = expression.evaluate(&table(), "out", &[], &batch.slice(row, 1)).unwrap();
            assert_eq!(&one, &whole.slice(row, 1), "{sql}");
        }
        // Columns are found by their names.
        let turned: Vec<usize> = (0..batch.num_columns()).rev().collect();
        assert_eq!(&expression.evaluate(&table(), "out", &[], &batch.project(&turned).unwrap()).unwrap(), &whole);
    }
    let few = batch.project(&[0]).unwrap();
    let missing =
        Expression::compile("upper(name)", &scope(), &TEXT, Rounding::Exact).unwrap().evaluate(&table(), "out", &[], &few);
    assert_eq!(missing.unwrap_err().kind(), crate::error::ErrorKind::Internal);
}
