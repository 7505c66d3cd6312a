//! Primary keys and indexes.

use std::collections::BTreeMap;

use super::expressions;
use super::query::{Row, Session};
use crate::error::Result;
use crate::model::catalog::{Column, Index, IndexMethod, IndexPart, Problem, Severity, Table};

/// Adds the indexes to `tables`, sorted by name.
pub(super) async fn read(
    session: &mut Session<'_>,
    tables: &mut BTreeMap<String, Table>,
    problems: &mut Vec<Problem>,
) -> Result<()> {
    let sql = format!(
        "SELECT TABLE_NAME, INDEX_NAME, NON_UNIQUE, COLUMN_NAME, COLLATION, SUB_PART, INDEX_TYPE, {}, {}, {} \
         FROM information_schema.STATISTICS WHERE {} ORDER BY TABLE_NAME, INDEX_NAME, SEQ_IN_INDEX",
        session.if_known("STATISTICS", "EXPRESSION"),
        session.if_known("STATISTICS", "IS_VISIBLE"),
        session.if_known("STATISTICS", "IGNORED"),
        session.in_database("TABLE_SCHEMA"),
    );
    for row in session.rows(&sql).await? {
        let Some(table) = tables.get_mut(&row.need(0)?) else { continue };
        let name = row.need(1)?;
        let method = match row.need(6)?.as_str() {
            "FULLTEXT" => IndexMethod::FullText,
            "SPATIAL" | "RTREE" => IndexMethod::Spatial,
            "VECTOR" => {
                let name = format!("{}.{name}", table.name);
                problems.push(Problem::new(Severity::NotCarried, "vector index", name, "No target has vector indexes yet"));
                continue;
            }
            // HASH too: what it can do, an ordered index can.
            _ => IndexMethod::BTree,
        };
        let part = part(session, &row, method)?;
        let unique = row.need(2)? == "0";
        let visible = row.text(8)?.as_deref() != Some("NO") && row.text(9)?.as_deref() != Some("YES");
        let primary = name == "PRIMARY";
        let known = if primary { table.primary_key.as_mut() } else { table.indexes.iter_mut().find(|index| index.name == name) };
        match known {
            Some(index) => index.parts.push(part),
            None => {
                let index = Index { name, parts: vec![part], unique, method, visible };
                if primary {
                    table.primary_key = Some(index);
                } else {
                    table.indexes.push(index);
                }
            }
        }
    }
    for table in tables.values_mut() {
        // The server sorts without regard to case, in a collation of its own.
        table.indexes.sort_by(|a, b| a.name.cmp(&b.name));
        drop_row_end(table);
    }
    Ok(())
}

/// Takes the end of the row out of the unique keys of a system-versioned table, where MariaDB adds it when the column is named.
///
/// Only current rows are carried, and they all have the same end. A foreign key to the table needs the key without it.
fn drop_row_end(table: &mut Table) {
    let is_end = |column: &&Column| column.generated.as_ref().is_some_and(|by| by.expression.eq_ignore_ascii_case("row end"));
    let Some(end) = table.columns.iter().find(is_end).map(|column| column.name.clone()) else { return };
    for index in table.primary_key.iter_mut().chain(&mut table.indexes).filter(|index| index.unique && index.parts.len() > 1) {
        index.parts.retain(|part| part.column.as_ref() != Some(&end));
    }
}

fn part(session: &Session<'_>, row: &Row, method: IndexMethod) -> Result<IndexPart> {
    // Of a spatial index the 32 bytes of a bounding box are told, of a full-text index nothing.
    let prefix = if method == IndexMethod::BTree { row.number(5)? } else { None };
    Ok(IndexPart {
        column: row.text(3)?,
        expression: row.text(7)?.map(|expression| expressions::plain(session, &expression)),
        prefix,
        descending: row.text(4)?.as_deref() == Some("D"),
    })
}
