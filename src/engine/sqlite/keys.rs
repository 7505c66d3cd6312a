//! Primary keys, indexes and foreign keys, from the pragmas.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension};

use super::error::{doing, from_sqlite};
use super::rowid::Rowid;
use super::typemap::quoted;
use crate::error::Result;
use crate::model::catalog::{ForeignKey, Index, IndexMethod, IndexPart, Problem, ReferentialAction, Severity, Table};
use crate::model::ident::ObjectName;

/// The names of a table's columns.
pub(super) fn column_names(connection: &Connection, table: &str) -> Result<Vec<String>> {
    let failed = doing("the columns of a table cannot be read");
    let mut statement = connection.prepare("SELECT name FROM pragma_table_xinfo(?1, 'main') ORDER BY cid").map_err(&failed)?;
    statement.query_map([table], |row| row.get(0)).and_then(Iterator::collect).map_err(&failed)
}

/// Sets the primary key from its columns and their places.
///
/// SQLite lets NULL into a primary key of a table with rowids. Where there is one, the key becomes a unique index and is listed.
pub(super) fn primary_key(
    connection: &Connection,
    table: &mut Table,
    key: &[(i64, String)],
    rowid: Option<&Rowid>,
    problems: &mut Vec<Problem>,
) -> Result<()> {
    if key.is_empty() {
        return Ok(());
    }
    let is_rowid = rowid.is_some_and(|rowid| rowid.is_column);
    let mut with_null = Vec::new();
    for (_, name) in key {
        let nullable = table.column(name).is_some_and(|column| column.nullable);
        if nullable && !is_rowid && has_null(connection, table, name)? {
            with_null.push(name.as_str());
        }
    }
    let descending = descending_of_key(connection, &table.name.name)?;
    let parts = (0..).zip(key).map(|(place, (_, name)): (usize, _)| IndexPart {
        column: Some(name.clone()),
        expression: None,
        prefix: None,
        descending: descending.get(place).copied().unwrap_or(false),
    });
    let mut index = Index {
        name: format!("{}_pkey", table.name.name),
        parts: parts.collect(),
        unique: true,
        method: IndexMethod::BTree,
        visible: true,
    };
    if with_null.is_empty() {
        for column in table.columns.iter_mut().filter(|column| key.iter().any(|(_, name)| *name == column.name)) {
            column.nullable = false;
        }
        table.primary_key = Some(index);
    } else {
        let why = format!("there are NULLs in its column {}, so it is carried as a unique index", with_null.join(", "));
        problems.push(Problem::new(Severity::Note, "primary key", &table.name, why));
        index.name = unique_name(table, "key", key.iter().map(|(_, name)| name.as_str()));
        table.indexes.push(index);
    }
    Ok(())
}

fn has_null(connection: &Connection, table: &Table, column: &str) -> Result<bool> {
    let sql = format!("SELECT EXISTS (SELECT 1 FROM {} t WHERE t.{} IS NULL)", quoted(&table.name.name), quoted(column));
    connection
        .query_row(&sql, [], |row| row.get(0))
        .map_err(|error| from_sqlite(error, "the primary key cannot be searched for NULL").table(&table.name))
}

fn descending_of_key(connection: &Connection, table: &str) -> Result<Vec<bool>> {
    let failed = doing("the primary key of a table cannot be read");
    let mut statement = connection
        .prepare(
            "SELECT x.\"desc\" FROM pragma_index_list(?1, 'main') l JOIN pragma_index_xinfo(l.name, 'main') x \
             WHERE l.origin = 'pk' AND x.key ORDER BY x.seqno",
        )
        .map_err(&failed)?;
    statement.query_map([table], |row| row.get(0)).and_then(Iterator::collect).map_err(&failed)
}

/// `orders_email_key`, with a number behind it when another key or index of the table has that name.
fn unique_name<'a>(table: &Table, ending: &str, columns: impl Iterator<Item = &'a str>) -> String {
    let mut name = table.name.name.clone();
    for column in columns {
        name.push('_');
        name.push_str(column);
    }
    name.push('_');
    name.push_str(ending);
    let taken = |name: &str| {
        table.indexes.iter().any(|index| index.name == *name) || table.foreign_keys.iter().any(|key| key.name == *name)
    };
    let plain = name.clone();
    let mut number = 2;
    while taken(&name) {
        name = format!("{plain}{number}");
        number += 1;
    }
    name
}

/// Reads the indexes, those of UNIQUE constraints included. Partial ones, and those over expressions, are listed.
pub(super) fn indexes(connection: &Connection, table: &mut Table, problems: &mut Vec<Problem>) -> Result<()> {
    let failed = doing("the indexes of a table cannot be read");
    let mut statement = connection
        .prepare("SELECT name, \"unique\", origin, partial FROM pragma_index_list(?1, 'main') ORDER BY seq DESC")
        .map_err(&failed)?;
    let list: Vec<(String, bool, String, bool)> = statement
        .query_map([&table.name.name], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))
        .and_then(Iterator::collect)
        .map_err(&failed)?;
    let mut parts_of = connection
        .prepare("SELECT cid, name, \"desc\", coll FROM pragma_index_xinfo(?1, 'main') WHERE key ORDER BY seqno")
        .map_err(&failed)?;
    for (name, unique, origin, partial) in list {
        if origin == "pk" {
            continue;
        }
        let parts: Vec<(i64, Option<String>, bool, Option<String>)> = parts_of
            .query_map([&name], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))
            .and_then(Iterator::collect)
            .map_err(&failed)?;
        let object = format!("{}.{name}", table.name);
        let plain = parts.iter().all(|(cid, column, ..)| *cid >= 0 && column.is_some());
        if partial || !plain {
            let what = if partial { "an index over a part of the rows" } else { "an index over an expression" };
            let sql: Option<String> = connection
                .query_row("SELECT sql FROM sqlite_schema WHERE type = 'index' AND name = ?1", [&name], |row| row.get(0))
                .optional()
                .map_err(&failed)?
                .flatten();
            let problem =
                Problem::new(Severity::NotCarried, "index", object, format!("{what} in SQLite's own SQL is not carried"));
            problems.push(match sql {
                Some(sql) => problem.ddl(sql),
                None => problem,
            });
            continue;
        }
        let collations: Vec<&str> =
            parts.iter().filter_map(|(.., collation)| collation.as_deref()).filter(|name| *name != "BINARY").collect();
        if !collations.is_empty() {
            let why =
                format!("it compares with {}; the carried index compares as its target's columns do", collations.join(", "));
            problems.push(Problem::new(Severity::Note, "index", object, why));
        }
        let parts: Vec<IndexPart> = parts
            .into_iter()
            .map(|(_, column, descending, _)| IndexPart { column, expression: None, prefix: None, descending })
            .collect();
        let columns = parts.iter().filter_map(|part| part.column.as_deref());
        let name = if origin == "u" { unique_name(table, "key", columns) } else { name };
        table.indexes.push(Index { name, parts, unique, method: IndexMethod::BTree, visible: true });
    }
    Ok(())
}

fn action(name: &str) -> ReferentialAction {
    match name {
        "RESTRICT" => ReferentialAction::Restrict,
        "CASCADE" => ReferentialAction::Cascade,
        "SET NULL" => ReferentialAction::SetNull,
        "SET DEFAULT" => ReferentialAction::SetDefault,
        _ => ReferentialAction::NoAction,
    }
}

/// Reads the foreign keys. `names` holds every table by its name in lower case, with its name and columns as they are.
pub(super) fn foreign_keys(
    connection: &Connection,
    table: &mut Table,
    names: &HashMap<String, (String, Vec<String>)>,
    problems: &mut Vec<Problem>,
) -> Result<()> {
    struct Part {
        id: i64,
        parent: String,
        from: String,
        to: Option<String>,
        on_update: String,
        on_delete: String,
    }
    let failed = doing("the foreign keys of a table cannot be read");
    let mut statement = connection
        .prepare(
            "SELECT id, \"table\", \"from\", \"to\", on_update, on_delete FROM pragma_foreign_key_list(?1, 'main') \
             ORDER BY id DESC, seq",
        )
        .map_err(&failed)?;
    let parts: Vec<Part> = statement
        .query_map([&table.name.name], |row| {
            Ok(Part {
                id: row.get(0)?,
                parent: row.get(1)?,
                from: row.get(2)?,
                to: row.get(3)?,
                on_update: row.get(4)?,
                on_delete: row.get(5)?,
            })
        })
        .and_then(Iterator::collect)
        .map_err(&failed)?;
    for key in parts.chunk_by(|one, other| one.id == other.id) {
        let Some(first) = key.first() else { continue };
        let columns: Vec<String> = key.iter().map(|part| part.from.clone()).collect();
        let name = unique_name(table, "fkey", columns.iter().map(String::as_str));
        // Names in SQLite are compared without regard to case, and a foreign key keeps the spelling of its own text.
        let Some((parent, parent_names)) = names.get(&first.parent.to_lowercase()) else {
            let why = format!("it points to the table `{}`, which does not exist", first.parent);
            problems.push(Problem::new(Severity::NotCarried, "foreign key", format!("{}.{name}", table.name), why));
            continue;
        };
        let named: Option<Vec<String>> = key.iter().map(|part| part.to.clone()).collect();
        let parent_columns: Vec<String> = match named {
            Some(named) => named
                .into_iter()
                .map(|name| parent_names.iter().find(|known| known.eq_ignore_ascii_case(&name)).cloned().unwrap_or(name))
                .collect(),
            None => primary_key_columns(connection, parent)?,
        };
        if parent_columns.len() != columns.len() || !parent_columns.iter().all(|name| parent_names.contains(name)) {
            let why = format!("its columns do not match those of `{parent}`");
            problems.push(Problem::new(Severity::NotCarried, "foreign key", format!("{}.{name}", table.name), why));
            continue;
        }
        table.foreign_keys.push(ForeignKey {
            name,
            columns,
            parent: ObjectName::new("", parent),
            parent_columns,
            on_delete: action(&first.on_delete),
            on_update: action(&first.on_update),
        });
    }
    Ok(())
}

fn primary_key_columns(connection: &Connection, table: &str) -> Result<Vec<String>> {
    let failed = doing("the primary key of a table cannot be read");
    let mut statement =
        connection.prepare("SELECT name FROM pragma_table_xinfo(?1, 'main') WHERE pk > 0 ORDER BY pk").map_err(&failed)?;
    statement.query_map([table], |row| row.get(0)).and_then(Iterator::collect).map_err(&failed)
}
