//! Counts and aggregates that the server computes itself, as canonical text.
//!
//! MySQL's TIME is a length of time, not a time of day. Its `min`, `max` and, under [`ProfileKind::Exact`], `sum` are whole
//! microseconds, under [`ProfileKind::Temporal`] too: the one form that another engine's interval has as well.

use arrow::datatypes::i256;
use sqlx::{AssertSqlSafe, MySqlConnection};

use super::error::failed;
use super::select::{quote, quote_table};
use super::wire::{Field, Session};
use crate::engine::{Profile, ProfileColumn, ProfileKind};
use crate::error::{Error, ErrorKind, Result};
use crate::model::catalog::{NativeType, Table};
use crate::model::integer::integer;

/// Digits that a sum of a DECIMAL may have before the server must widen it: 65 less the 22 that it adds for the number of rows.
const SUMMED_DIGITS: u8 = 43;

/// How many rows `table` has.
pub(super) async fn count(session: &mut Session, mark: &str, table: &Table) -> Result<u64> {
    let sql = format!("{mark}SELECT CAST(COUNT(*) AS CHAR) FROM {}", from(table));
    let failed = |error| failed("the rows could not be counted", error).table(&table.name);
    let rows = session.query(&sql).await.map_err(failed)?;
    number(rows.first().and_then(|row| row.first()).cloned().flatten())
}

/// A number of rows, from its text.
fn number(text: Field) -> Result<u64> {
    let text = text.and_then(|bytes| String::from_utf8(bytes).ok());
    text.and_then(|text| text.parse().ok()).ok_or_else(|| Error::internal("a count that is none"))
}

/// [`crate::engine::Source::any_row`].
pub(super) async fn any_row(connection: &mut MySqlConnection, mark: &str, table: &Table) -> Result<bool> {
    let sql = format!("{mark}SELECT 1 FROM {} LIMIT 1", from(table));
    let failed = |error| failed("the table could not be asked for a row", error).table(&table.name);
    Ok(sqlx::query(AssertSqlSafe(sql)).fetch_optional(connection).await.map_err(failed)?.is_some())
}

/// The rows that are carried.
pub(super) fn from(table: &Table) -> String {
    let name = quote_table(&table.name);
    match &table.row_filter {
        Some(filter) => format!("{name} WHERE ({filter})"),
        None => name,
    }
}

/// All aggregates in one statement.
pub(super) async fn profile(session: &mut Session, mark: &str, table: &Table, columns: &[ProfileColumn]) -> Result<Profile> {
    let mut expressions = vec!["CAST(COUNT(*) AS CHAR)".to_string()];
    for column in columns {
        expressions.extend(aggregates(column));
    }
    let sql = format!("{mark}SELECT {} FROM {}", expressions.join(", "), from(table));
    let failed = |error| failed("the columns could not be profiled", error).table(&table.name);
    // In the binary protocol, where a float is its bits.
    let rows = session.ask(&sql).await.map_err(failed)?;
    let row = rows.into_iter().next().unwrap_or_default();
    let mut reader = Fields { fields: row.into_iter() };
    let rows = number(reader.next()?)?;
    let columns = columns
        .iter()
        .map(|column| read(column, &mut reader).map_err(|error| error.table(&table.name).column(&column.name)))
        .collect::<Result<_>>()?;
    Ok(Profile { rows, columns })
}

fn is_time(native: &NativeType) -> bool {
    native.name == "time"
}

/// The low digits that a sum of this column is split at; none when it is not.
fn split(native: &NativeType) -> Option<u8> {
    let (precision, scale) = (native.precision?, native.scale.unwrap_or(0));
    (matches!(native.name.as_str(), "decimal" | "numeric") && precision > SUMMED_DIGITS)
        .then(|| SUMMED_DIGITS.saturating_sub(scale))
}

fn aggregates(column: &ProfileColumn) -> Vec<String> {
    let name = quote(&column.name);
    let text = |expression: String| format!("CAST({expression} AS CHAR)");
    let mut all = vec![text(format!("COUNT({name})"))];
    let ends = |all: &mut Vec<String>| all.extend(["MIN", "MAX"].map(|f| text(format!("{f}({name})"))));
    match column.kind {
        ProfileKind::Exact => {
            ends(&mut all);
            if is_time(&column.native) {
                let micros =
                    format!("((HOUR({name}) * 3600 + MINUTE({name}) * 60 + SECOND({name})) * 1000000 + MICROSECOND({name}))");
                all.push(text(format!("SUM(IF({name} < CAST('00:00:00' AS TIME), -{micros}, {micros}))")));
            } else if let Some(low) = split(&column.native) {
                // The server cuts a sum of more than 65 digits off without an error, so the high and the low digits are summed apart.
                let scale = column.native.scale.unwrap_or(0);
                let high = format!("SUBSTRING_INDEX(CAST(TRUNCATE({name}, -{low}) AS CHAR), '.', 1)");
                all.push(text(format!("SUM(CAST(LEFT({high}, GREATEST(CHAR_LENGTH({high}) - {low}, 0)) AS DECIMAL(23,0)))")));
                let digits = u32::from(low) + u32::from(scale);
                all.push(text(format!("SUM(CAST({name} - TRUNCATE({name}, -{low}) AS DECIMAL({digits},{scale})))")));
            } else {
                all.push(text(format!("SUM({name})")));
            }
        }
        // As they are: text would round them.
        ProfileKind::Float => all.extend(["MIN", "MAX"].map(|f| format!("{f}({name})"))),
        ProfileKind::Temporal => ends(&mut all),
        ProfileKind::Text => {
            all.push(text(format!("SUM(CHAR_LENGTH({name}))")));
            all.push(text(format!("SUM(LENGTH(CONVERT({name} USING utf8mb4)))")));
        }
        ProfileKind::Bytes => all.push(text(format!("SUM(LENGTH({name}))"))),
        ProfileKind::Bool => all.push(text(format!("COUNT(IF({name} <> 0, 1, NULL))"))),
        ProfileKind::Count => {}
    }
    all
}

fn read(column: &ProfileColumn, fields: &mut Fields) -> Result<Vec<Option<String>>> {
    let mut all = vec![fields.text()?];
    match column.kind {
        ProfileKind::Exact => {
            for _ in 0..2 {
                let text = fields.text()?;
                let value = if is_time(&column.native) { text.as_deref().map(micros).transpose()? } else { text };
                all.push(value.as_deref().map(plain_number));
            }
            let sum = match split(&column.native) {
                Some(low) => match (fields.text()?, fields.text()?) {
                    (Some(high), Some(rest)) => Some(join(&high, &rest, low, column.native.scale.unwrap_or(0))?),
                    _ => None,
                },
                None => fields.text()?,
            };
            all.push(sum.as_deref().map(plain_number));
        }
        ProfileKind::Float => {
            for _ in 0..2 {
                all.push(fields.float()?.map(|value| if value == 0.0 { "0".into() } else { value.to_string() }));
            }
        }
        ProfileKind::Temporal => {
            for _ in 0..2 {
                let text = fields.text()?;
                all.push(match (text, is_time(&column.native)) {
                    (Some(text), true) => Some(micros(&text)?),
                    (text, _) => text.map(full_timestamp),
                });
            }
        }
        ProfileKind::Text => all.extend([fields.text()?, fields.text()?]),
        ProfileKind::Bytes | ProfileKind::Bool => all.push(fields.text()?),
        ProfileKind::Count => {}
    }
    Ok(all)
}

/// The row's fields, one after another.
struct Fields {
    fields: std::vec::IntoIter<Field>,
}

impl Fields {
    fn next(&mut self) -> Result<Field> {
        self.fields.next().ok_or_else(|| Error::internal("the server sent fewer aggregates than were asked for"))
    }

    fn text(&mut self) -> Result<Option<String>> {
        let text = self.next()?.map(String::from_utf8).transpose();
        text.map_err(|error| Error::new(ErrorKind::SourceRead, "an aggregate could not be read").with_source(error))
    }

    /// A FLOAT's value as a double is exact.
    fn float(&mut self) -> Result<Option<f64>> {
        let Some(bytes) = self.next()? else { return Ok(None) };
        if let Ok(four) = <[u8; 4]>::try_from(bytes.as_slice()) {
            return Ok(Some(f32::from_le_bytes(four).into()));
        }
        let eight = <[u8; 8]>::try_from(bytes).map_err(|_| Error::internal("the server sent a float of another length"))?;
        Ok(Some(f64::from_le_bytes(eight)))
    }
}

/// An exact number without `+`, without zeros in front of or behind its digits; zero has no sign.
fn plain_number(text: &str) -> String {
    let (sign, digits) = text.strip_prefix('-').map_or(("", text), |digits| ("-", digits));
    let digits = digits.strip_prefix('+').unwrap_or(digits);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let (whole, fraction) = (whole.trim_start_matches('0'), fraction.trim_end_matches('0'));
    match (whole, fraction) {
        ("", "") => "0".into(),
        (whole, "") => format!("{sign}{whole}"),
        (whole, fraction) => format!("{sign}{}.{fraction}", if whole.is_empty() { "0" } else { whole }),
    }
}

/// `high * 10^low + rest`, where `rest` has `scale` digits behind its point.
fn join(high: &str, rest: &str, low: u8, scale: u8) -> Result<String> {
    let too_large = || Error::new(ErrorKind::Unsupported, "a column's sum has more than 76 digits");
    let number = |text: &str| integer(text).ok_or_else(too_large);
    let shift = i256::from_i128(10).checked_pow(u32::from(low) + u32::from(scale)).ok_or_else(too_large)?;
    let sum = number(high)?
        .checked_mul(shift)
        .and_then(|high| high.checked_add(number(&rest.replace('.', "")).ok()?))
        .ok_or_else(too_large)?;
    let negative = sum < i256::ZERO;
    let digits = sum.to_string();
    let digits = digits.trim_start_matches('-');
    let width = usize::from(scale) + 1;
    let digits = format!("{digits:0>width$}");
    let (whole, fraction) = digits.split_at(digits.len().saturating_sub(usize::from(scale)));
    Ok(format!("{}{whole}.{fraction}", if negative { "-" } else { "" }))
}

/// `2024-01-31`, `2024-01-31 10:00:00` or with a fraction, in full: `2024-01-31 10:00:00.000000`.
fn full_timestamp(mut text: String) -> String {
    if text.len() == "2024-01-31".len() {
        text.push_str(" 00:00:00");
    }
    if !text.contains('.') {
        text.push('.');
    }
    while text.len() < "2024-01-31 00:00:00.000000".len() {
        text.push('0');
    }
    text
}

/// A TIME `-838:59:59.999999` as whole microseconds.
fn micros(text: &str) -> Result<String> {
    let wrong = || Error::internal(format!("`{text}` is no TIME"));
    let (sign, digits) = text.strip_prefix('-').map_or((1, text), |digits| (-1, digits));
    let (clock, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let mut seconds: i64 = 0;
    for part in clock.split(':') {
        let part: i64 = part.parse().map_err(|_| wrong())?;
        seconds = seconds * 60 + part;
    }
    let fraction: i64 = format!("{fraction:0<6}").parse().map_err(|_| wrong())?;
    Ok((sign * (seconds * 1_000_000 + fraction)).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_lose_what_says_nothing() {
        for (text, plain) in [("-0.00", "0"), ("0012.3400", "12.34"), ("-100", "-100"), ("0.50", "0.5"), ("+7", "7")] {
            assert_eq!(plain_number(text), plain);
        }
    }

    #[test]
    fn a_split_sum_is_joined() {
        assert_eq!(join("12", "-0.50", 3, 2).unwrap(), "11999.50");
        assert_eq!(join("0", "-0.05", 3, 2).unwrap(), "-0.05");
    }

    #[test]
    fn times_are_microseconds_and_dates_are_full() {
        assert_eq!(micros("-838:59:59.5").unwrap(), "-3020399500000");
        assert_eq!(full_timestamp("2024-01-31".into()), "2024-01-31 00:00:00.000000");
        assert_eq!(full_timestamp("2024-01-31 10:00:00.12".into()), "2024-01-31 10:00:00.120000");
    }
}
