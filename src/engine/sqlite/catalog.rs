//! Tables, columns and keys from SQLite's own catalog; what has no place in the model becomes a problem.
//!
//! Names of keys are made up where SQLite has none: `orders_pkey`, `orders_email_key`, `orders_customer_id_fkey`.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension};

use super::create_table::CreateTable;
use super::error::{doing, from_sqlite};
use super::keys;
use super::rowid::{Rowid, rowid_of};
use super::typemap::{logical, parse_declared, quoted};
use super::{default_value, plan};
use crate::engine::TableFilter;
use crate::error::Result;
use crate::model::LogicalType;
use crate::model::catalog::{Catalog, Column, Generated, NativeType, Problem, ServerInfo, Severity, Table};
use crate::model::ident::ObjectName;

/// One row of `pragma_table_list`, with its SQL.
struct Entry {
    name: String,
    kind: String,
    sql: String,
}

/// Reads the catalog of the main database.
pub(super) fn read(connection: &Connection, server: ServerInfo, filter: &TableFilter) -> Result<Catalog> {
    let entries = entries(connection)?;
    let mut catalog = Catalog { server, ..Catalog::default() };
    for entry in &entries {
        match entry.kind.as_str() {
            "table" if filter.accepts(&entry.name) => {
                let table = read_table(connection, entry, &mut catalog.problems)?;
                catalog.tables.push(table);
            }
            "view" => catalog
                .problems
                .push(Problem::new(Severity::NotCarried, "view", &entry.name, "views are not carried").ddl(entry.sql.as_str())),
            "virtual" if filter.accepts(&entry.name) => catalog.problems.push(virtual_table(entry, &entries)),
            _ => {}
        }
    }
    triggers(connection, filter, &mut catalog.problems)?;
    let names: HashMap<String, (String, Vec<String>)> = entries
        .iter()
        .filter(|entry| entry.kind == "table")
        .map(|entry| Ok((entry.name.to_lowercase(), (entry.name.clone(), keys::column_names(connection, &entry.name)?))))
        .collect::<Result<_>>()?;
    for table in &mut catalog.tables {
        keys::foreign_keys(connection, table, &names, &mut catalog.problems)?;
    }
    catalog.tables.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(catalog)
}

fn entries(connection: &Connection) -> Result<Vec<Entry>> {
    let failed = doing("the list of tables cannot be read");
    let mut statement = connection
        .prepare(
            "SELECT l.name, l.type, coalesce(s.sql, '') FROM pragma_table_list l \
             LEFT JOIN sqlite_schema s ON s.name = l.name AND s.type IN ('table', 'view') \
             WHERE l.schema = 'main' AND l.name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY l.name",
        )
        .map_err(&failed)?;
    statement
        .query_map([], |row| Ok(Entry { name: row.get(0)?, kind: row.get(1)?, sql: row.get(2)? }))
        .and_then(Iterator::collect)
        .map_err(&failed)
}

/// A virtual table's rows are its module's own affair, so they cannot be carried in silence nor left out in silence.
fn virtual_table(entry: &Entry, entries: &[Entry]) -> Problem {
    let prefix = format!("{}_", entry.name);
    let shadows: Vec<&str> = entries
        .iter()
        .filter(|other| other.kind == "shadow" && other.name.starts_with(&prefix))
        .map(|other| other.name.as_str())
        .collect();
    let mut why = "the rows of a virtual table are kept by its module and cannot be carried".to_string();
    if !shadows.is_empty() {
        why.push_str(&format!(" (its shadow tables: {})", shadows.join(", ")));
    }
    Problem::new(Severity::Refused, "virtual table", &entry.name, why)
        .ddl(entry.sql.as_str())
        .hint(format!("Leave it out: `exclude = [\"{}\"]`", entry.name))
}

fn triggers(connection: &Connection, filter: &TableFilter, problems: &mut Vec<Problem>) -> Result<()> {
    let failed = doing("the list of triggers cannot be read");
    let mut statement = connection
        .prepare("SELECT name, tbl_name, sql FROM sqlite_schema WHERE type = 'trigger' ORDER BY name")
        .map_err(&failed)?;
    let triggers: Vec<(String, String, String)> = statement
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .and_then(Iterator::collect)
        .map_err(&failed)?;
    for (name, table, sql) in triggers.into_iter().filter(|(_, table, _)| filter.accepts(table)) {
        let why = format!("triggers are not carried (it stands on `{table}`)");
        problems.push(Problem::new(Severity::NotCarried, "trigger", name, why).ddl(sql));
    }
    Ok(())
}

fn read_table(connection: &Connection, entry: &Entry, problems: &mut Vec<Problem>) -> Result<Table> {
    let text = CreateTable::parse(&entry.sql);
    let rowid = rowid_of(connection, &entry.name)?;
    let mut table = Table::new(ObjectName::new("", &entry.name));
    let mut key = Vec::new();
    read_columns(connection, &mut table, &text, &mut key, problems)?;
    if let Some(identity) = rowid.as_ref().filter(|rowid| rowid.is_column) {
        for column in table.columns.iter_mut().filter(|column| column.name == identity.name) {
            column.identity = true;
            column.nullable = false;
        }
        table.next_identity = Some(next_identity(connection, &entry.name, identity, text.autoincrement)?);
    }
    by_values(connection, &mut table, problems)?;
    keys::primary_key(connection, &mut table, &key, rowid.as_ref(), problems)?;
    keys::indexes(connection, &mut table, problems)?;
    for (name, check) in &text.checks {
        let name = format!("{}.{}", entry.name, name.as_deref().unwrap_or("(check without a name)"));
        problems.push(
            Problem::new(Severity::NotCarried, "check", name, "checks in SQLite's own SQL are not carried").ddl(check.as_str()),
        );
    }
    if text.deferrable {
        let why = "deferrable foreign keys are carried as ones that are checked at each statement";
        problems.push(Problem::new(Severity::Note, "foreign key", &entry.name, why).ddl(entry.sql.as_str()));
    }
    let (rows, bytes) = plan::estimate(connection, &table, rowid.as_ref())?;
    (table.estimated_rows, table.estimated_bytes) = (rows, bytes);
    Ok(table)
}

fn read_columns(
    connection: &Connection,
    table: &mut Table,
    text: &CreateTable,
    key: &mut Vec<(i64, String)>,
    problems: &mut Vec<Problem>,
) -> Result<()> {
    let failed = doing("the columns of a table cannot be read");
    let mut statement = connection
        .prepare("SELECT name, type, \"notnull\", dflt_value, pk, hidden FROM pragma_table_xinfo(?1, 'main') ORDER BY cid")
        .map_err(&failed)?;
    let mut rows = statement.query([&table.name.name]).map_err(&failed)?;
    while let Some(row) = rows.next().map_err(&failed)? {
        let name: String = row.get(0).map_err(&failed)?;
        let native = parse_declared(&row.get::<_, String>(1).map_err(&failed)?);
        let default: Option<String> = row.get(3).map_err(&failed)?;
        let place: i64 = row.get(4).map_err(&failed)?;
        let hidden: i64 = row.get(5).map_err(&failed)?;
        if place > 0 {
            key.push((place, name.clone()));
        }
        let logical = logical(&native);
        let generated = match hidden {
            2 | 3 => {
                let expression = text.generated(&name).unwrap_or_default().to_string();
                if expression.is_empty() {
                    let why = "the expression of the generated column was not found in the table's SQL";
                    problems.push(Problem::new(Severity::Note, "column", format!("{}.{name}", table.name), why));
                }
                Some(Generated { expression, stored: hidden == 3 })
            }
            _ => None,
        };
        table.columns.push(Column {
            default: default.and_then(|sql| default_value::parse(&sql, logical.as_ref())),
            nullable: !row.get::<_, bool>(2).map_err(&failed)?,
            generated,
            ..Column::new(name, logical, native)
        });
    }
    key.sort();
    Ok(())
}

/// The larger of the counter of AUTOINCREMENT and the largest rowid, plus one; at least 1, since most targets count from there.
fn next_identity(connection: &Connection, table: &str, rowid: &Rowid, autoincrement: bool) -> Result<i128> {
    let failed = |error| from_sqlite(error, "the largest rowid cannot be read").table(table);
    let sql = format!("SELECT max({}) FROM {} t", rowid.sql(), quoted(table));
    let largest: Option<i64> = connection.query_row(&sql, [], |row| row.get(0)).map_err(failed)?;
    let counter: Option<i64> = if autoincrement {
        connection
            .query_row("SELECT seq FROM sqlite_sequence WHERE name = ?1 COLLATE NOCASE", [table], |row| row.get(0))
            .optional()
            .map_err(failed)?
            .flatten()
    } else {
        None
    };
    Ok(i128::from(largest.max(counter).unwrap_or(0)).saturating_add(1).max(1))
}

/// Settles the columns whose declared type says nothing, by the storage classes of all their values.
fn by_values(connection: &Connection, table: &mut Table, problems: &mut Vec<Problem>) -> Result<()> {
    const CLASSES: [&str; 4] = ["integer", "real", "text", "blob"];
    let failed = |error| from_sqlite(error, "the storage classes of values cannot be read").table(&table.name);
    let open: Vec<usize> =
        (0..).zip(&table.columns).filter(|(_, column)| column.logical.is_none()).map(|(place, _)| place).collect();
    if open.is_empty() {
        return Ok(());
    }
    let mut parts = Vec::new();
    for column in open.iter().filter_map(|place| table.columns.get(*place)) {
        let name = quoted(&column.name);
        parts.extend(CLASSES.map(|class| format!("coalesce(sum(typeof(t.{name}) = '{class}'), 0)")));
    }
    let sql = format!("SELECT {} FROM {} t", parts.join(", "), quoted(&table.name.name));
    let counts: Vec<i64> =
        connection.query_row(&sql, [], |row| (0..parts.len()).map(|place| row.get(place)).collect()).map_err(failed)?;
    let name = table.name.clone();
    for (place, counts) in open.into_iter().zip(counts.chunks(CLASSES.len())) {
        let Some(column) = table.columns.get_mut(place) else { continue };
        let found: Vec<&str> = CLASSES.into_iter().zip(counts).filter(|(_, count)| **count > 0).map(|(class, _)| class).collect();
        let declared = if column.native.full.is_empty() {
            "no declared type".to_string()
        } else {
            format!("the type `{}`", column.native.full)
        };
        let object = format!("{name}.{}", column.name);
        let (class, because) = match found.as_slice() {
            [] => ("text", "there is no value in it"),
            [class] => (*class, "all its values are of that class"),
            ["integer", "real"] => ("real", "all its values are numbers"),
            several => {
                let why = format!("it has {declared}, and its values are of several classes: {}", several.join(", "));
                problems
                    .push(Problem::new(Severity::Refused, "column", object, why).hint(
                        "Copy the table in SQLite into one whose column has a type, or leave the table out with `exclude`",
                    ));
                continue;
            }
        };
        column.native = NativeType { name: class.to_string(), ..std::mem::take(&mut column.native) };
        column.logical = match class {
            "integer" => Some(LogicalType::Int64),
            "real" => Some(LogicalType::Float64),
            "blob" => Some(LogicalType::Binary { length: None }),
            _ => Some(LogicalType::Text { length: None }),
        };
        let why = format!("it has {declared}; it is read as {class}, since {because}");
        problems.push(Problem::new(Severity::Note, "column", object, why));
    }
    Ok(())
}
