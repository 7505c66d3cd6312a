//! Labels of ENUM and SET with characters outside the BMP, which both servers print as `?`.
//!
//! Such a label is read from a row that has it. A label that no row has cannot be read; it keeps its `?` and is listed. To find
//! that out, the table is scanned once per such label.

use std::collections::BTreeMap;

use super::super::typemap::MySqlDialect;
use super::query::{Session, quote};
use crate::engine::Dialect;
use crate::error::Result;
use crate::model::catalog::{Problem, Severity, Table};

/// Puts the true labels into the types of `tables`. Costs nothing unless a label has a `?`.
pub(super) async fn mend(
    session: &mut Session<'_>,
    tables: &mut BTreeMap<String, Table>,
    problems: &mut Vec<Problem>,
) -> Result<()> {
    for table in tables.values_mut() {
        for column in &mut table.columns {
            let set = column.native.name == "set";
            let mut unread = Vec::new();
            for at in 0..column.native.labels.len() {
                let Some(label) = column.native.labels.get(at).filter(|label| label.contains('?')).cloned() else { continue };
                match exact(session, &table.name.name, &column.name, set, at).await? {
                    Some(exact) => {
                        if let Some(place) = column.native.labels.get_mut(at) {
                            *place = exact;
                        }
                    }
                    None => unread.push(label),
                }
            }
            let same = |label: &String| column.native.labels.iter().filter(|other| *other == label).count() > 1;
            let place = format!("{}.{}", table.name, column.name);
            for label in &unread {
                problems.push(if same(label) {
                    let why = format!("The server prints several labels as `{label}`, and no row tells them apart");
                    Problem::new(Severity::Refused, "column", &place, why)
                        .hint("Rename the labels in the source, or map the column to `text`")
                } else {
                    let why = format!(
                        "No row has the label `{label}`; a `?` in it may stand for a character that the server cannot print"
                    );
                    Problem::new(Severity::Note, "label", &place, why)
                });
            }
            column.logical = MySqlDialect.to_logical(&column.native);
        }
    }
    Ok(())
}

/// The label of that position, as a row has it.
async fn exact(session: &mut Session<'_>, table: &str, column: &str, set: bool, at: usize) -> Result<Option<String>> {
    let name = quote(column);
    let table = session.quoted(table);
    let Some(bit) = u32::try_from(at).ok().and_then(|at| 1u64.checked_shl(at)).filter(|_| set) else {
        let sql = format!("SELECT {name} FROM {table} WHERE {name} = {} LIMIT 1", at.saturating_add(1));
        return match session.rows(&sql).await?.first() {
            Some(row) => row.text(0),
            None => Ok(None),
        };
    };
    let sql = format!("SELECT {name}, {name} + 0 FROM {table} WHERE {name} & {bit} LIMIT 1");
    let rows = session.rows(&sql).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    let (labels, bits) = (row.need(0)?, row.number::<u64>(1)?.unwrap_or(0));
    // The labels come in the order of their declaration.
    let before = usize::try_from((bits & (bit - 1)).count_ones()).unwrap_or(usize::MAX);
    Ok(labels.split(',').nth(before).map(str::to_string))
}
