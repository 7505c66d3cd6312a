//! The default of a column as SQL. A constant is written only when it is certain that the column's type takes it.
//!
//! A wrong constant would fail the CREATE TABLE, or, worse, the application's first INSERT; so each is checked here by the rules of its
//! type, and what does not pass is listed instead.

use super::literal::{quote_literal, text_array};
use super::{Labelled, column_problem, labelled};
use crate::engine::postgres::expression::{print, takes};
use crate::model::catalog::{Column, DefaultValue, NativeType, Problem, Severity, Table};
use crate::model::expression::{Class, Expression, Function};

/// The SQL behind DEFAULT, or none for a column without one.
///
/// A default that cannot be kept is put to `problems`; the column is then made without it.
pub(super) fn default_sql(table: &Table, column: &Column, features: &[String], problems: &mut Vec<Problem>) -> Option<String> {
    let native = &column.native;
    let default = column.default.as_ref()?;
    let (found, shown) = match default {
        DefaultValue::Literal(text) => (constant(native, text), quote_literal(text)),
        DefaultValue::Bytes(bytes) => (bytes_constant(native, bytes), format!("X'{}'", hex(bytes))),
        DefaultValue::CurrentTimestamp(fsp) => (current(native, *fsp), format!("CURRENT_TIMESTAMP({fsp})")),
        DefaultValue::NextOf(sequence) => (super::sequence::next_of(native, sequence), format!("nextval('{sequence}')")),
        DefaultValue::Expression(sql) => (expression(table, column, sql, features).ok(), sql.clone()),
    };
    if found.is_none() {
        let (severity, why) = match default {
            DefaultValue::Literal(text) if is_zero_date(native, text) => {
                let why = "the default is a zero date, which PostgreSQL does not have; the column is made without a default";
                (Severity::Note, why.to_string())
            }
            DefaultValue::Expression(sql) => {
                let why = expression(table, column, sql, features).err().unwrap_or_default();
                (Severity::NotCarried, format!("the default is an expression that is not carried: {why}"))
            }
            _ => (Severity::NotCarried, format!("the default is no value that the type `{}` is known to take", native.full)),
        };
        problems.push(column_problem(severity, "default", table, column, why).ddl(format!("DEFAULT {shown}")));
    }
    found
}

/// An expression without columns, of which PostgreSQL's defaults know none.
fn expression(table: &Table, column: &Column, sql: &str, features: &[String]) -> Result<String, String> {
    let understood = table.expression(sql)?;
    if let Some(name) = understood.tree.columns().first() {
        return Err(format!("it looks at `{name}`, and a default of PostgreSQL looks at no column"));
    }
    let (tree, class) = match column.native.name.as_str() {
        "boolean" => (understood.condition().ok_or("it is no condition")?, Class::Bool),
        _ => understood.value(),
    };
    if class == Class::Text
        && let Expression::Text(text) = &tree
    {
        return constant(&column.native, text).ok_or_else(|| format!("`{}` may not take it", column.native.full));
    }
    if tree == Expression::call(Function::NewUuid, Vec::new()) && column.native.name == "uuid" {
        return Ok("pg_catalog.gen_random_uuid()".into());
    }
    if !takes(column, class) {
        return Err(format!("its type is not `{}`", column.native.full));
    }
    Ok(format!("({})", print(&tree, table, features)?.sql))
}

/// The time of the statement. MySQL's is the session's wall clock in a DATETIME and an instant in a TIMESTAMP, so as the column has it.
fn current(native: &NativeType, fsp: u8) -> Option<String> {
    let fsp = fsp.min(6);
    Some(match native.name.as_str() {
        "timestamp" => format!("LOCALTIMESTAMP({fsp})"),
        "timestamptz" => format!("CURRENT_TIMESTAMP({fsp})"),
        "time" => format!("LOCALTIME({fsp})"),
        "date" => "CURRENT_DATE".into(),
        _ => return None,
    })
}

fn constant(native: &NativeType, text: &str) -> Option<String> {
    // No text of PostgreSQL holds NUL.
    if text.contains('\0') {
        return None;
    }
    match labelled(native) {
        Some(Labelled::Enum | Labelled::Text) => {
            return native.labels.iter().any(|label| label == text).then(|| quote_literal(text));
        }
        Some(Labelled::Set) => {
            let chosen: Vec<&str> = if text.is_empty() { Vec::new() } else { text.split(',').collect() };
            if !chosen.iter().all(|label| native.labels.iter().any(|known| known == label)) {
                return None;
            }
            // In the order of the declaration, as the values are carried.
            return Some(text_array(native.labels.iter().filter(|label| chosen.contains(&label.as_str()))));
        }
        None => {}
    }
    let quoted = || quote_literal(text);
    match native.name.as_str() {
        "smallint" => integer(text, i16::MIN.into(), i16::MAX.into()),
        "integer" => integer(text, i32::MIN.into(), i32::MAX.into()),
        "bigint" => integer(text, i64::MIN, i64::MAX),
        "numeric" => is_decimal(text).then(|| text.to_string()),
        "real" => text.parse().is_ok_and(|number: f32| is_kept(text, number.into())).then(quoted),
        "double precision" => text.parse().is_ok_and(|number| is_kept(text, number)).then(quoted),
        "boolean" => match text.to_lowercase().as_str() {
            "0" | "false" | "b'0'" => Some("false".into()),
            "1" | "true" | "b'1'" => Some("true".into()),
            _ => None,
        },
        "varchar" | "char" => {
            let fits = native.length.is_none_or(|length| u64::try_from(text.chars().count()).is_ok_and(|count| count <= length));
            fits.then(quoted)
        }
        "text" | "citext" => Some(quoted()),
        "bytea" => Some(bytea(text.as_bytes())),
        "bit" => bits(native, text.strip_prefix("b'").and_then(|text| text.strip_suffix('\'')).unwrap_or(text)),
        "uuid" => uuid::Uuid::parse_str(text).ok().map(|uuid| quote_literal(&uuid.to_string())),
        "json" | "jsonb" => is_json(text).then(quoted),
        "date" => (text == "infinity" || text == "-infinity" || is_date(text)).then(quoted),
        "time" => (is_clock(text, 24) && (!text.starts_with("24") || is_zero(text.get(2..)?))).then(quoted),
        "interval" => is_clock(text.strip_prefix('-').unwrap_or(text), 838).then(quoted),
        "timestamp" => is_timestamp(text).then(quoted),
        // Our sessions are in UTC on both sides, so a reading without a zone is one of UTC.
        "timestamptz" => is_timestamp(text).then(|| quote_literal(&format!("{text}+00"))),
        "inet" => text.parse::<std::net::IpAddr>().is_ok().then(quoted),
        _ => None,
    }
}

fn bytes_constant(native: &NativeType, bytes: &[u8]) -> Option<String> {
    match native.name.as_str() {
        "bytea" => Some(bytea(bytes)),
        "bit" => {
            let length = usize::try_from(native.length.unwrap_or(1)).ok()?;
            let all: String = bytes.iter().map(|byte| format!("{byte:08b}")).collect();
            let (kept, rest) = all.split_at_checked(length)?;
            (rest.len() < 8 && !rest.contains('1')).then(|| format!("B'{kept}'"))
        }
        _ => constant(native, std::str::from_utf8(bytes).ok()?),
    }
}

fn integer(text: &str, low: i64, high: i64) -> Option<String> {
    let number = text.parse::<i64>().ok().filter(|number| (low..=high).contains(number))?;
    // -9223372036854775808 without quotes is the negation of a number that no bigint holds, and so a numeric.
    Some(if number < 0 { quote_literal(&number.to_string()) } else { number.to_string() })
}

/// Digits with an optional sign, point and exponent; the exponent small enough for a numeric.
fn is_decimal(text: &str) -> bool {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (mantissa, exponent) = unsigned.split_once(['e', 'E']).unwrap_or((unsigned, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    !(whole.is_empty() && fraction.is_empty())
        && digits(whole)
        && digits(fraction)
        && exponent.parse::<i16>().is_ok_and(|exponent| (-1000..=1000).contains(&exponent))
}

/// True if the float that was read from `text` is neither infinite nor nothing where something was meant, which the server refuses.
///
/// Floats are written in quotes: bare, -0 would be the integer 0.
fn is_kept(text: &str, number: f64) -> bool {
    let mantissa = text.split(['e', 'E']).next().unwrap_or(text);
    is_decimal(text) && number.is_finite() && (number != 0.0 || !mantissa.bytes().any(|byte| matches!(byte, b'1'..=b'9')))
}

/// One that `jsonb` takes too: no NUL character. Numbers are kept as text when read, so their size does not matter here.
fn is_json(text: &str) -> bool {
    serde_json::from_str::<serde_json::Value>(text).is_ok() && !text.contains("\\u0000")
}

fn bytea(bytes: &[u8]) -> String {
    format!(r"'\x{}'::pg_catalog.bytea", hex(bytes))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Bits in 0 and 1; MySQL leaves leading zeros out.
fn bits(native: &NativeType, text: &str) -> Option<String> {
    let length = usize::try_from(native.length.unwrap_or(1)).ok()?;
    (text.bytes().all(|byte| matches!(byte, b'0' | b'1')) && text.len() <= length && !text.is_empty())
        .then(|| format!("B'{text:0>length$}'"))
}

/// True for a date with a month or day of 0 in a column that can hold dates.
fn is_zero_date(native: &NativeType, text: &str) -> bool {
    let mut parts = text.get(..10).unwrap_or_default().splitn(3, '-');
    matches!(native.name.as_str(), "date" | "timestamp" | "timestamptz")
        && parts.next().is_some_and(|year| year.len() == 4)
        && parts.clone().count() == 2
        && parts.any(|part| part == "00")
}

/// `YYYY-MM-DD`, a day that the calendar has, from the year 1 on.
fn is_date(text: &str) -> bool {
    let number = |range: std::ops::Range<usize>| -> Option<u32> {
        text.get(range).filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))?.parse().ok()
    };
    let (Some(year), Some(month), Some(day)) = (number(0..4), number(5..7), number(8..10)) else { return false };
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => 0,
    };
    text.len() == 10 && text.get(4..5) == Some("-") && text.get(7..8) == Some("-") && year >= 1 && (1..=days).contains(&day)
}

/// `HH:MM:SS`, with up to six digits of fraction, and hours up to `hours`.
fn is_clock(text: &str, hours: u32) -> bool {
    let (clock, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let number = |part: Option<&str>, high: u32| {
        part.is_some_and(|part| {
            (1..=if high > 59 { 3 } else { 2 }).contains(&part.len())
                && part.bytes().all(|byte| byte.is_ascii_digit())
                && part.parse::<u32>().is_ok_and(|number| number <= high)
        })
    };
    let mut parts = clock.split(':');
    number(parts.next(), hours)
        && number(parts.next(), 59)
        && number(parts.next(), 59)
        && parts.next().is_none()
        && (1..=6).contains(&fraction.len())
        && fraction.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_zero(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b'0' | b':' | b'.'))
}

fn is_timestamp(text: &str) -> bool {
    if text == "infinity" || text == "-infinity" {
        return false;
    }
    let (Some(date), Some(clock)) = (text.get(..10), text.get(10..)) else { return false };
    is_date(date) && (clock.is_empty() || clock.strip_prefix([' ', 'T']).is_some_and(|clock| is_clock(clock, 23)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::postgres::type_text::parse;

    fn written(text: &str, default: &str) -> Option<String> {
        constant(&parse(text).unwrap(), default)
    }

    #[test]
    fn a_number_is_written_only_when_it_is_one_that_the_type_holds() {
        assert_eq!(written("smallint", "-5").as_deref(), Some("'-5'"));
        assert_eq!(written("smallint", "32768"), None);
        assert_eq!(written("bigint", "9223372036854775807").as_deref(), Some("9223372036854775807"));
        assert_eq!(written("numeric(20,0)", "18446744073709551615").as_deref(), Some("18446744073709551615"));
        assert_eq!(written("numeric(5,2)", "1; DROP TABLE x"), None);
        assert_eq!(written("numeric(5,2)", "."), None);
        assert_eq!(written("real", "1e39"), None);
        assert_eq!(written("double precision", "-1.5e300").as_deref(), Some("'-1.5e300'"));
        assert_eq!(written("double precision", "1e-400"), None);
        assert_eq!(written("double precision", "-0.0").as_deref(), Some("'-0.0'"));
        assert_eq!(written("double precision", "NaN"), None);
        assert_eq!(written("boolean", "1").as_deref(), Some("true"));
        assert_eq!(written("boolean", "2"), None);
    }

    #[test]
    fn text_is_quoted_and_bytes_are_hexadecimal() {
        assert_eq!(written("text", r"it's \n").as_deref(), Some(r"'it''s \n'"));
        assert_eq!(written("varchar(3)", "äöü").as_deref(), Some("'äöü'"));
        assert_eq!(written("varchar(2)", "äöü"), None);
        assert_eq!(written("text", "a\0b"), None);
        assert_eq!(bytes_constant(&parse("bytea").unwrap(), &[0, 255]).as_deref(), Some(r"'\x00ff'::pg_catalog.bytea"));
        assert_eq!(bytes_constant(&parse("bit(5)").unwrap(), &[0b1010_1000]).as_deref(), Some("B'10101'"));
        assert_eq!(bytes_constant(&parse("bit(5)").unwrap(), &[0b1010_1100]), None);
        assert_eq!(written("bit(8)", "b'101'").as_deref(), Some("B'00000101'"));
        assert_eq!(written("bit(2)", "101"), None);
        assert_eq!(written("jsonb", "{\"a\": [1]}").as_deref(), Some("'{\"a\": [1]}'"));
        assert_eq!(written("jsonb", "{a}"), None);
    }

    #[test]
    fn only_days_of_the_calendar_are_defaults() {
        assert_eq!(written("date", "2024-02-29").as_deref(), Some("'2024-02-29'"));
        assert_eq!(written("date", "2023-02-29"), None);
        assert_eq!(written("date", "0000-01-01"), None);
        assert_eq!(written("timestamp(3)", "2024-02-29 23:59:59.123").as_deref(), Some("'2024-02-29 23:59:59.123'"));
        assert_eq!(written("timestamptz", "2024-02-29 23:59:59").as_deref(), Some("'2024-02-29 23:59:59+00'"));
        assert_eq!(written("timestamp", "2024-02-29 24:00:00"), None);
        assert_eq!(written("time", "24:00:00").as_deref(), Some("'24:00:00'"));
        assert_eq!(written("time", "24:00:01"), None);
        assert_eq!(written("interval", "-838:59:59.999999").as_deref(), Some("'-838:59:59.999999'"));
        let zero = |text: &str| is_zero_date(&parse("timestamp").unwrap(), text);
        assert!(zero("0000-00-00 00:00:00") && zero("0000-00-00") && zero("2024-00-15"));
        assert!(!zero("2024-10-10 00:00:00") && !zero("2000-01-01") && !zero("abc"));
    }

    #[test]
    fn labels_must_be_declared() {
        let set = NativeType { labels: vec!["a".into(), "b,".into(), "c".into()], ..parse("text[]").unwrap() };
        assert_eq!(constant(&set, "c,a").as_deref(), Some("ARRAY['a', 'c']::pg_catalog.text[]"));
        assert_eq!(constant(&set, "").as_deref(), Some("ARRAY[]::pg_catalog.text[]"));
        assert_eq!(constant(&set, "d"), None);
        let label = NativeType { labels: vec!["it's".into()], ..parse("enum").unwrap() };
        assert_eq!(constant(&label, "it's").as_deref(), Some("'it''s'"));
        assert_eq!(constant(&label, "its"), None);
    }

    #[test]
    fn the_time_of_the_statement_is_local_where_the_column_has_no_zone() {
        assert_eq!(current(&parse("timestamp(6)").unwrap(), 6).as_deref(), Some("LOCALTIMESTAMP(6)"));
        assert_eq!(current(&parse("timestamptz(0)").unwrap(), 0).as_deref(), Some("CURRENT_TIMESTAMP(0)"));
        assert_eq!(current(&parse("integer").unwrap(), 0), None);
    }
}
