//! What a Parquet file keeps of a table, and what it does not: columns, types, NOT NULL and rows stay; everything else is listed.

use std::collections::BTreeMap;

use super::names;
use super::typemap::ParquetDialect;
use crate::engine::Dialect as _;
use crate::model::LogicalType;
use crate::model::catalog::{Column, Problem, ServerInfo, Severity, Table};
use crate::model::schema::TableSchema;

/// The tables as files hold them: columns with types and NOT NULL, and nothing else.
pub fn made(tables: &[Table]) -> Vec<TableSchema> {
    let made = tables.iter().map(|table| {
        let mut made = Table::new(table.name.clone());
        made.columns = table.columns.iter().map(stored).collect();
        TableSchema::new(made)
    });
    made.collect()
}

fn stored(column: &Column) -> Column {
    let known = column.logical.as_ref().and_then(|logical| ParquetDialect.to_native(logical, &ServerInfo::default()).ok());
    let native = known.map_or_else(|| column.native.clone(), |(native, _)| native);
    Column { nullable: column.nullable, ..Column::new(&column.name, column.logical.clone(), native) }
}

/// Of each table, one note that names what has no place in a Parquet file, and of each pair of names that differ in case only another.
pub fn not_kept(tables: &[Table]) -> Vec<Problem> {
    let mut problems: Vec<Problem> =
        tables.iter().flat_map(|table| of_table(table).into_iter().chain(wide_decimals(table))).collect();
    let mut seen: BTreeMap<String, &Table> = BTreeMap::new();
    for table in tables {
        let folder = names::table_folder(&table.name);
        if let Some(other) = seen.insert(folder.to_ascii_lowercase(), table) {
            let why = format!(
                "its folder differs from that of `{}` in case only, which file systems of Windows and macOS take for the same",
                other.name
            );
            problems.push(
                Problem::new(Severity::Note, "table", &table.name, why)
                    .hint("Give one of the two another name with `to` in its `[[table]]` rule"),
            );
        }
    }
    problems
}

/// Decimals that are exact in the file, but not in every program that reads it.
fn wide_decimals(table: &Table) -> Option<Problem> {
    let wide = |logical: &LogicalType| matches!(logical, LogicalType::Decimal { precision: 39.., .. });
    let columns: Vec<&str> = table
        .columns
        .iter()
        .filter(|column| column.logical.as_ref().is_some_and(wide))
        .map(|column| column.name.as_str())
        .collect();
    if columns.is_empty() {
        return None;
    }
    let why = format!(
        "decimals of more than 38 digits ({}) are exact in the file, but some readers, such as DuckDB, take them as floats",
        columns.join(", ")
    );
    Some(
        Problem::new(Severity::Note, "table", &table.name, why)
            .hint("Map the columns to `numeric`, which is text, if such readers are used"),
    )
}

fn of_table(table: &Table) -> Option<Problem> {
    let columns = |wanted: fn(&crate::model::Column) -> bool| -> Vec<&str> {
        table.columns.iter().filter(|column| wanted(column)).map(|column| column.name.as_str()).collect()
    };
    let mut lost: Vec<String> = Vec::new();
    let mut add = |what: &str, names: Vec<&str>| {
        if !names.is_empty() {
            lost.push(format!("{what} ({})", names.join(", ")));
        }
    };
    add("the primary key", table.primary_key.iter().map(|key| key.name.as_str()).collect());
    add("indexes", table.indexes.iter().map(|index| index.name.as_str()).collect());
    add("foreign keys", table.foreign_keys.iter().map(|key| key.name.as_str()).collect());
    add(
        "checks",
        table.checks.iter().map(|check| if check.name.is_empty() { check.expression.as_str() } else { &check.name }).collect(),
    );
    add("defaults", columns(|column| column.default.is_some()));
    add("the numbering of new rows", columns(|column| column.identity));
    add("the expressions of computed columns, whose values are kept", columns(|column| column.generated.is_some()));
    add("ON UPDATE", columns(|column| column.on_update_now));
    add("comments", columns(|column| !column.comment.is_empty()));
    if !table.comment.is_empty() {
        lost.push("the table's comment".into());
    }
    if lost.is_empty() {
        return None;
    }
    Some(Problem::new(Severity::Note, "table", &table.name, format!("Parquet files do not keep {}", lost.join(", "))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ObjectName;
    use crate::model::catalog::{Check, Index, IndexMethod};

    #[test]
    fn what_is_not_kept_is_named() {
        let mut table = Table::new(ObjectName::new("", "orders"));
        assert!(not_kept(std::slice::from_ref(&table)).is_empty());
        table.primary_key = Some(Index {
            name: "orders_pkey".into(),
            parts: Vec::new(),
            unique: true,
            method: IndexMethod::BTree,
            visible: true,
        });
        table.checks = vec![Check { name: String::new(), expression: "total > 0".into(), enforced: true }];
        let problems = not_kept(&[table, Table::new(ObjectName::new("", "Orders"))]);
        assert_eq!(problems[0].why, "Parquet files do not keep the primary key (orders_pkey), checks (total > 0)");
        assert!(problems[1].why.contains("differs from that of `orders` in case only"));
    }
}
