//! Columns: types, defaults, what the database computes.

use std::collections::BTreeMap;

use super::super::typemap::{MySqlDialect, parse};
use super::constraints::FoundCheck;
use super::query::Session;
use super::{defaults, expressions};
use crate::engine::Dialect;
use crate::error::{Error, ErrorKind, Result};
use crate::model::catalog::{Column, Generated, NativeType, Problem, Severity, Table};

/// Adds the columns to `tables`, in the order of their position.
pub(super) async fn read(
    session: &mut Session<'_>,
    tables: &mut BTreeMap<String, Table>,
    checks: &[FoundCheck],
    problems: &mut Vec<Problem>,
) -> Result<()> {
    let sql = format!(
        "SELECT TABLE_NAME, COLUMN_NAME, COLUMN_TYPE, IS_NULLABLE, COLUMN_DEFAULT, EXTRA, CHARACTER_SET_NAME, COLLATION_NAME, \
         COLUMN_COMMENT, {}, {} FROM information_schema.COLUMNS WHERE {} ORDER BY TABLE_NAME, ORDINAL_POSITION",
        session.if_known("COLUMNS", "GENERATION_EXPRESSION"),
        session.if_known("COLUMNS", "SRS_ID"),
        session.in_database("TABLE_SCHEMA"),
    );
    for row in session.rows(&sql).await? {
        let Some(table) = tables.get_mut(&row.need(0)?) else { continue };
        let (name, printed_type) = (row.need(1)?, row.need(2)?);
        let Some(mut native) = parse::native_type(&printed_type) else {
            let what = format!("the server prints the type `{printed_type}`, which cannot be read");
            return Err(Error::new(ErrorKind::SourceRead, what).table(&table.name).column(name));
        };
        native.charset = row.text(6)?.map(|charset| charset.to_ascii_lowercase());
        native.collation = row.text(7)?;
        native.srid = row.number(10)?;
        if native.name == "longtext" && checks.iter().any(|check| check.marks_json(&table.name.name, &name)) {
            native.name = "json".into();
            native.full = "json".into();
        }
        let extra = row.need(5)?.to_ascii_lowercase();
        let generated = generated(session, &extra, row.text(9)?);
        let logical = MySqlDialect.to_logical(&native);
        if logical.is_none() {
            problems.push(unknown_type(table, &session.in_patterns(&table.name.name), &name, &native));
        }
        if native.full.to_ascii_lowercase().contains("zerofill") {
            let why = format!(
                "`{}` shows its numbers with zeros in front, and other engines do not; the numbers are the same",
                native.full
            );
            let problem = Problem::new(Severity::Note, "column", format!("{}.{name}", table.name), why);
            problems.push(problem.hint("Where people read it so, show it by `lpad(x::text, …, '0')`"));
        }
        let default = if generated.is_some() { None } else { defaults::parse(session, &native, &extra, row.text(4)?.as_deref()) };
        table.columns.push(Column {
            name,
            logical,
            nullable: row.need(3)? == "YES",
            default,
            generated,
            identity: extra.contains("auto_increment"),
            invisible: extra.contains("invisible"),
            on_update_now: extra.contains("on update current_timestamp"),
            comment: row.text(8)?.unwrap_or_default(),
            native,
        });
    }
    for table in tables.values_mut() {
        defaults::mend(session, table, problems).await?;
    }
    Ok(())
}

fn generated(session: &Session<'_>, extra: &str, expression: Option<String>) -> Option<Generated> {
    // Not `default_generated`, which is a default. MariaDB says PERSISTENT up to 10.1.
    let stored = extra.contains("stored generated") || extra.contains("persistent");
    if !stored && !extra.contains("virtual generated") {
        return None;
    }
    let expression = expressions::plain(session, &expression.unwrap_or_default());
    Some(Generated { expression, stored })
}

fn unknown_type(table: &Table, pattern: &str, column: &str, native: &NativeType) -> Problem {
    let why = format!("dbferry does not know the type `{}`", native.full);
    Problem::new(Severity::Refused, "column", format!("{}.{column}", table.name), why)
        .hint(format!("Leave the table out: `--exclude {pattern}`"))
}
