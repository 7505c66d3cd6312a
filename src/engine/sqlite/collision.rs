//! [`crate::engine::Source::shared_keys`]: a join of the two keys in SQLite.

use rusqlite::Connection;

use super::error::from_sqlite;
use super::typemap::quoted;
use crate::engine::{KeyOf, SharedKeys};
use crate::error::Result;
use crate::model::{LogicalType, Table};

/// Whole numbers, text and bytes are kept in one form; of the others one value may stand there in several.
fn has_one_form(table: &Table, column: &str) -> Option<LogicalType> {
    let logical = table.column(column)?.logical.clone()?;
    match logical {
        LogicalType::Int64 => Some(LogicalType::Int64),
        LogicalType::Text { .. } => Some(LogicalType::Text { length: None }),
        LogicalType::Binary { .. } => Some(LogicalType::Binary { length: None }),
        _ => None,
    }
}

/// Joins the two keys; each is a table and its columns.
pub(super) fn shared_keys(connection: &Connection, keys: [KeyOf<'_>; 2]) -> Result<SharedKeys> {
    let failed = |error| from_sqlite(error, "the keys of two tables could not be compared");
    let [one, two] = keys;
    let mut conditions = Vec::new();
    let mut shown = Vec::new();
    for (first, second) in one.columns.iter().zip(two.columns) {
        let forms = (has_one_form(one.table, first), has_one_form(two.table, second));
        if forms.0.is_none() || forms.0 != forms.1 {
            return Ok(SharedKeys::Unknown(format!("values of `{first}` may stand there in several forms")));
        }
        let (left, right) = (format!("one.{}", quoted(first)), format!("two.{}", quoted(second)));
        conditions.push(format!("{left} COLLATE BINARY = {right}"));
        shown.push(if forms.0 == Some(LogicalType::Binary { length: None }) {
            format!("'0x' || hex({left})")
        } else {
            format!("CAST({left} AS TEXT)")
        });
    }
    let join = format!(
        "FROM {} one JOIN {} two ON {}",
        quoted(&one.table.name.name),
        quoted(&two.table.name.name),
        conditions.join(" AND ")
    );
    let sql = format!("SELECT {} {join} LIMIT 1", shown.join(" || ', ' || "));
    let mut statement = connection.prepare(&sql).map_err(failed)?;
    let mut rows = statement.query([]).map_err(failed)?;
    let example: Option<String> = match rows.next().map_err(failed)? {
        Some(row) => row.get(0).map_err(failed)?,
        None => None,
    };
    let Some(example) = example else { return Ok(SharedKeys::None) };
    let pairs: i64 = connection.query_row(&format!("SELECT count(*) {join}"), [], |row| row.get(0)).map_err(failed)?;
    Ok(SharedKeys::Some { pairs: u64::try_from(pairs).unwrap_or_default().max(1), example })
}
