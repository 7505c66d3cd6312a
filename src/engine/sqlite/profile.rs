//! Aggregates of columns, computed by SQLite in one statement per table.
//!
//! Decimals are the exception: SQLite can add numbers only as 64-bit integers and as doubles, so it hands out each stored
//! number and they are added here, exactly, without Arrow and without the reader's code for batches.

use arrow::datatypes::i256;
use rusqlite::{Connection, Row};

use super::decimal::{Decimal, place_point};
use super::error::from_sqlite;
use super::typemap::{logical, quoted};
use super::{decode, plan};
use crate::engine::{Profile, ProfileColumn, ProfileKind};
use crate::error::{Error, ErrorKind, Result};
use crate::model::LogicalType;
use crate::model::catalog::Table;
use crate::model::integer::integer;
use crate::model::logical::Zone;

/// Most digits of a sum.
const SUM_DIGITS: usize = 76;

/// The profile of `columns`, in their order.
pub(super) fn profile(connection: &Connection, table: &Table, columns: &[ProfileColumn]) -> Result<Profile> {
    let failed = |error| from_sqlite(error, "the columns could not be profiled").table(&table.name);
    let parts: Vec<Vec<String>> = columns.iter().map(aggregates).collect();
    let wanted: Vec<&str> = parts.iter().flatten().map(String::as_str).collect();
    let rows = plan::count(connection, table)?;
    if wanted.is_empty() {
        return Ok(Profile { rows, columns: Vec::new() });
    }
    let sql = format!("SELECT {} FROM {}", wanted.join(", "), plan::filtered(table));
    let mut statement = connection.prepare(&sql).map_err(failed)?;
    let mut found = statement.query([]).map_err(failed)?;
    let row = found.next().map_err(failed)?.ok_or_else(|| Error::internal("an aggregate without a row"))?;
    let mut at = 0;
    let mut profile = Profile { rows, columns: Vec::with_capacity(columns.len()) };
    for (column, parts) in columns.iter().zip(&parts) {
        let values = texts(connection, table, column, row, at).map_err(|error| error.table(&table.name).column(&column.name))?;
        at += parts.len();
        profile.columns.push(values);
    }
    Ok(profile)
}

fn is_whole(column: &ProfileColumn) -> bool {
    matches!(logical(&column.native), Some(LogicalType::Int64))
}

/// The expressions that SQLite computes for a column; the count first.
fn aggregates(column: &ProfileColumn) -> Vec<String> {
    let name = format!("t.{}", quoted(&column.name));
    let mut all = vec![format!("count({name})")];
    let ends = |all: &mut Vec<String>, value: &str| all.extend([format!("min({value})"), format!("max({value})")]);
    match column.kind {
        ProfileKind::Exact if is_whole(column) => {
            ends(&mut all, &name);
            // A sum beyond 64 bits is an error in SQLite, so high and low halves are summed apart.
            all.extend([format!("sum({name} >> 32)"), format!("sum({name} & 4294967295)")]);
        }
        ProfileKind::Exact | ProfileKind::Count => {}
        ProfileKind::Float => ends(&mut all, &name),
        ProfileKind::Temporal => ends(&mut all, &temporal(column, &name)),
        ProfileKind::Text => {
            // `length` of a text stops at its first NUL.
            all.push(format!("sum(CASE WHEN instr(CAST({name} AS BLOB), x'00') = 0 THEN length({name}) ELSE 0 END)"));
            all.push(format!("sum(octet_length({name}))"));
        }
        ProfileKind::Bytes if matches!(logical(&column.native), Some(LogicalType::Uuid)) => {
            all.push(format!("sum(16 * ({name} IS NOT NULL))"))
        }
        ProfileKind::Bytes => all.push(format!("sum(octet_length({name}))")),
        ProfileKind::Bool => all.push(format!("count(CASE WHEN {name} THEN 1 END)")),
    }
    all
}

/// The value in the one form in which texts compare as times: UTC, a blank between date and time, six digits of fraction.
fn temporal(column: &ProfileColumn, name: &str) -> String {
    let six = |text: &str, length: u8| {
        format!("CASE WHEN instr({text}, '.') = 0 THEN {text} || '.000000' ELSE substr({text} || '000000', 1, {length}) END")
    };
    match logical(&column.native) {
        Some(LogicalType::Date) => format!("{name} || ' 00:00:00.000000'"),
        Some(LogicalType::Time { .. }) => six(name, 15),
        Some(LogicalType::Timestamp { zone: Zone::Utc, .. }) => {
            let zone = format!("(CASE WHEN upper(substr({name}, -1)) = 'Z' THEN 'Z' ELSE substr({name}, -6) END)");
            let fraction = format!("substr({name}, 21, max(length({name}) - 20 - length({zone}), 0))");
            // SQLite's own arithmetic has three digits of fraction, so the fraction stays out of it.
            format!(
                "strftime('%Y-%m-%d %H:%M:%S', substr({name}, 1, 19) || {zone}) || '.' || substr({fraction} || '000000', 1, 6)"
            )
        }
        _ => six(&format!("replace({name}, 'T', ' ')"), 26),
    }
}

/// One column's aggregates as canonical text, from the fields of `row` that begin at `at`.
fn texts(
    connection: &Connection,
    table: &Table,
    column: &ProfileColumn,
    row: &Row<'_>,
    at: usize,
) -> Result<Vec<Option<String>>> {
    let failed = |error| from_sqlite(error, "an aggregate could not be read");
    let whole = |place: usize| row.get::<_, Option<i64>>(at + place).map_err(failed);
    let mut all = vec![whole(0)?.map(|count| count.to_string())];
    match column.kind {
        ProfileKind::Exact if is_whole(column) => {
            all.extend([whole(1)?.map(|value| value.to_string()), whole(2)?.map(|value| value.to_string())]);
            let sum = whole(3)?.zip(whole(4)?).map(|(high, low)| (i128::from(high) << 32) + i128::from(low));
            all.push(sum.map(|sum| sum.to_string()));
        }
        ProfileKind::Exact => all.extend(add_exactly(connection, table, column)?),
        ProfileKind::Float => {
            for place in [1, 2] {
                let value: Option<f64> = row.get(at + place).map_err(failed)?;
                // Adding 0 makes -0 and 0, which are equal, one text.
                all.push(value.map(|value| (value + 0.0).to_string()));
            }
        }
        ProfileKind::Temporal => {
            for place in [1, 2] {
                all.push(row.get(at + place).map_err(failed)?);
            }
        }
        ProfileKind::Text => {
            let characters = whole(1)?;
            let with_nul = if characters.is_some() { characters_with_nul(connection, table, column)? } else { 0 };
            all.extend([characters.map(|count| (count + with_nul).to_string()), whole(2)?.map(|bytes| bytes.to_string())]);
        }
        ProfileKind::Bytes | ProfileKind::Bool => all.push(whole(1)?.map(|value| value.to_string())),
        ProfileKind::Count => {}
    }
    Ok(all)
}

/// The characters of the texts that hold a NUL, which SQLite cannot count.
fn characters_with_nul(connection: &Connection, table: &Table, column: &ProfileColumn) -> Result<i64> {
    let failed = |error| from_sqlite(error, "the texts cannot be read");
    let name = format!("t.{}", quoted(&column.name));
    let rows = plan::filtered(table);
    let sql = format!("SELECT CAST({name} AS BLOB) FROM {rows} AND instr(CAST({name} AS BLOB), x'00') > 0");
    let mut statement = connection.prepare(&sql).map_err(failed)?;
    let mut rows = statement.query([]).map_err(failed)?;
    let mut characters = 0;
    while let Some(row) = rows.next().map_err(failed)? {
        let bytes = row.get_ref(0).and_then(|value| value.as_blob().map_err(Into::into)).map_err(failed)?;
        // Of each character in UTF-8 exactly one byte is no continuation.
        let count = bytes.iter().filter(|byte| **byte & 0xc0 != 0x80).count();
        characters += i64::try_from(count).map_err(|_| Error::internal("a text too long to count"))?;
    }
    Ok(characters)
}

/// Smallest, largest and sum of decimal numbers, all whole numbers after `scale` places.
struct Sum {
    scale: i64,
    least: i256,
    greatest: i256,
    total: i256,
}

impl Sum {
    fn add(&mut self, number: &Decimal) -> Option<()> {
        let scale = i64::try_from(number.scale()).ok()?;
        if scale > self.scale {
            let power = u32::try_from(scale - self.scale).ok()?;
            let factor = i256::from_i128(10).checked_pow(power)?;
            for value in [&mut self.least, &mut self.greatest, &mut self.total] {
                *value = value.checked_mul(factor)?;
            }
            self.scale = scale;
        }
        let value = integer(&number.scaled(SUM_DIGITS, self.scale)?)?;
        self.least = self.least.min(value);
        self.greatest = self.greatest.max(value);
        self.total = self.total.checked_add(value)?;
        Some(())
    }
}

fn add_exactly(connection: &Connection, table: &Table, column: &ProfileColumn) -> Result<[Option<String>; 3]> {
    let failed = |error| from_sqlite(error, "the numbers cannot be read");
    let too_large = || Error::new(ErrorKind::Unsupported, "the column's sum has more than 76 digits");
    let name = format!("t.{}", quoted(&column.name));
    let sql = format!("SELECT {name} FROM {} AND {name} IS NOT NULL", plan::filtered(table));
    let mut statement = connection.prepare(&sql).map_err(failed)?;
    let mut rows = statement.query([]).map_err(failed)?;
    let mut sum: Option<Sum> = None;
    while let Some(row) = rows.next().map_err(failed)? {
        let number = decode::decimal(row.get_ref(0).map_err(failed)?)?;
        if sum.is_none() {
            let scale = i64::try_from(number.scale()).map_err(|_| too_large())?;
            let value = number.scaled(SUM_DIGITS, scale).and_then(|text| integer(&text)).ok_or_else(too_large)?;
            sum = Some(Sum { scale, least: value, greatest: value, total: i256::ZERO });
        }
        sum.as_mut().and_then(|sum| sum.add(&number)).ok_or_else(too_large)?;
    }
    let Some(sum) = sum else { return Ok([None, None, None]) };
    let places = usize::try_from(sum.scale).map_err(|_| too_large())?;
    Ok([sum.least, sum.greatest, sum.total].map(|value| Some(place_point(&value.to_string(), places))))
}
