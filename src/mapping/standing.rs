//! Columns of tables that stand in the target already: the type is theirs, unless the column's own rule says another.

use crate::config::rules::ColumnRule;
use crate::model::LogicalType;
use crate::model::catalog::{Column, Table};
use crate::model::logical::Zone;

use super::tables::{Computing, receive};
use super::{ColumnMapping, toml_key, toml_string};

/// The rule that decided, for people.
pub(super) const RULE: &str = "the existing table's type";

/// The column of the standing table that decides the type: none without such a table, or with a type of the rule's own.
pub(super) fn column<'a>(computing: &Computing<'a>, name: &str, own: Option<&ColumnRule>) -> Option<&'a Column> {
    if own.is_some_and(|own| own.to.is_some()) {
        return None;
    }
    computing.standing?.column(name)
}

/// True if the type of a table's column is that of the standing table.
pub(crate) fn decides(column: &ColumnMapping) -> bool {
    column.rule.starts_with(RULE)
}

/// True for a column that the standing table computes by itself.
pub(super) fn is_generated(standing: Option<&Table>, name: &str) -> bool {
    standing.and_then(|table| table.column(name)).is_some_and(|column| column.generated.is_some())
}

/// The logical type under which values of `from` are written to the standing column; `None` for a type that cannot be written.
pub(super) fn logical(from: &LogicalType, there: &Column) -> Option<LogicalType> {
    there.logical.clone().map(|to| receive(from, to))
}

/// The mapping lines that settle a column which cannot become what stands there.
pub(super) fn settle(table: &Table, column: &Column, there: &Column) -> String {
    let expression = match zone_expression(column, there) {
        Some(expression) => expression,
        None => format!("expr = \"…\"  # what becomes `{}`", there.native.full),
    };
    let head = format!("[[table]]\nname = {}", toml_string(&table.name.name));
    format!("{head}\n[table.columns.{}]\n{expression}\n# or leave the column out: drop = true", toml_key(&column.name))
}

/// The line that makes an instant of a wall-clock reading; none for other pairs of types.
pub(super) fn zone_expression(column: &Column, wanted: &Column) -> Option<String> {
    let utc = matches!(column.logical, Some(LogicalType::Timestamp { zone: Zone::None, .. } | LogicalType::Date))
        && matches!(wanted.logical, Some(LogicalType::Timestamp { zone: Zone::Utc, .. }));
    // A name that SQL would not take bare is quoted there, and those quotes stand inside the text of the file.
    let name = toml_key(&column.name).replace('"', "\\\"");
    utc.then(|| format!("expr = \"{name} AT TIME ZONE 'UTC'\"  # or the zone whose readings they are"))
}
