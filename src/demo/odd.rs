//! Rows at the ends of every type, as [`Value`]s in the columns of `odd_values` behind its id.

use rusqlite::types::Value;

/// Columns behind `id` and `what`.
const COLUMNS: usize = 11;

const WHOLE: usize = 0;
const EXACT: usize = 1;
const NUMBER: usize = 2;
const WORDS: usize = 3;
const BYTES: usize = 4;
const FLAG: usize = 5;
const DAY: usize = 6;
const CLOCK: usize = 7;
const MOMENT: usize = 8;
const IDENT: usize = 9;
const DOCUMENT: usize = 10;

/// What each row is about, and its values from `whole` on.
pub(super) fn rows() -> Vec<(&'static str, [Value; COLUMNS])> {
    let text = |text: &str| Value::Text(text.to_string());
    let deep = format!("{}1{}", "[".repeat(100), "]".repeat(100));
    let long = "Löng text with 😀 and \"quotes\". ".repeat(8000);
    let cells: Vec<(&'static str, usize, Value)> = vec![
        ("largest whole number", WHOLE, Value::Integer(i64::MAX)),
        ("smallest whole number", WHOLE, Value::Integer(i64::MIN)),
        ("beyond what a double counts", WHOLE, Value::Integer(9_007_199_254_740_993)),
        ("decimal of 19 digits", EXACT, Value::Integer(i64::MAX)),
        ("decimal with ten places", EXACT, Value::Real(-0.000_000_000_1)),
        ("decimal that no double is", EXACT, Value::Real(0.1)),
        ("decimal zero", EXACT, Value::Integer(0)),
        ("negative zero", NUMBER, Value::Real(-0.0)),
        ("largest double", NUMBER, Value::Real(f64::MAX)),
        ("smallest double", NUMBER, Value::Real(f64::MIN)),
        ("smallest positive double", NUMBER, Value::Real(5e-324)),
        ("one third", NUMBER, Value::Real(1.0 / 3.0)),
        ("empty text, not NULL", WORDS, text("")),
        ("the word NULL", WORDS, text("NULL")),
        ("backslash N", WORDS, text("\\N")),
        ("quotes", WORDS, text("it's \"quoted\" `so` ''")),
        ("tab, line ends, backslash", WORDS, text("a\tb\nc\r\nd\\e")),
        ("emoji, accents, right to left", WORDS, text("👩‍👩‍👧 e\u{301} é \u{202e}abc שלום")),
        ("control characters", WORDS, text("\u{1}\u{7f}\u{85}\u{feff}")),
        ("blanks", WORDS, text("   ")),
        ("very long text", WORDS, text(&long)),
        ("empty bytes, not NULL", BYTES, Value::Blob(Vec::new())),
        ("every byte", BYTES, Value::Blob((0..=255).collect())),
        ("a NUL byte", BYTES, Value::Blob(vec![0])),
        ("true", FLAG, Value::Integer(1)),
        ("false", FLAG, Value::Integer(0)),
        ("first day", DAY, text("0001-01-01")),
        ("last day", DAY, text("9999-12-31")),
        ("leap day", DAY, text("2000-02-29")),
        ("midnight", CLOCK, text("00:00:00")),
        ("last microsecond of a day", CLOCK, text("23:59:59.999999")),
        ("first moment", MOMENT, text("0001-01-01 00:00:00")),
        ("last moment", MOMENT, text("9999-12-31 23:59:59.999999")),
        ("before 1970", MOMENT, text("1969-12-31T23:59:59.999999")),
        ("nil UUID", IDENT, text("00000000-0000-0000-0000-000000000000")),
        ("UUID in capitals", IDENT, text("FFEEDDCC-BBAA-4988-B766-554433221100")),
        ("UUID as bytes", IDENT, Value::Blob((0..16).collect())),
        ("JSON null, not NULL", DOCUMENT, text("null")),
        ("JSON number", DOCUMENT, text("12345678901")),
        ("deep JSON", DOCUMENT, text(&deep)),
        (
            "JSON with everything",
            DOCUMENT,
            text(r#"{"b": [1, 2.50, -0, 1e3, true, null], "a": {"ü": "\u00e4\n\"😀\""}, "": {}}"#),
        ),
    ];
    let mut rows = vec![("all NULL", [const { Value::Null }; COLUMNS])];
    for (what, column, value) in cells {
        let mut values = [const { Value::Null }; COLUMNS];
        if let Some(cell) = values.get_mut(column) {
            *cell = value;
        }
        rows.push((what, values));
    }
    rows
}
