//! Checks and foreign keys.

use std::collections::{BTreeMap, HashMap};

use super::expressions;
use super::query::Session;
use crate::error::{Error, ErrorKind, Result};
use crate::model::ObjectName;
use crate::model::catalog::{Check, ForeignKey, ReferentialAction, Table};

/// A check, and where it was found.
pub(super) struct FoundCheck {
    table: String,
    /// It belongs to the column of its name (MariaDB), and has no name of its own.
    of_column: bool,
    check: Check,
}

impl FoundCheck {
    /// True for the check by which MariaDB marks a column as JSON.
    pub(super) fn marks_json(&self, table: &str, column: &str) -> bool {
        self.of_column
            && self.table == table
            && self.check.name == column
            && self.check.expression == format!("json_valid({})", super::query::quote(column))
    }
}

/// The checks of the database; none on servers that have none.
pub(super) async fn checks(session: &mut Session<'_>) -> Result<Vec<FoundCheck>> {
    if !session.has("CHECK_CONSTRAINTS", "CHECK_CLAUSE") {
        return Ok(Vec::new());
    }
    let sql = format!(
        "SELECT CONSTRAINT_NAME, CHECK_CLAUSE, {}, {} FROM information_schema.CHECK_CONSTRAINTS WHERE {} ORDER BY CONSTRAINT_NAME",
        session.if_known("CHECK_CONSTRAINTS", "TABLE_NAME"),
        session.if_known("CHECK_CONSTRAINTS", "LEVEL"),
        session.in_database("CONSTRAINT_SCHEMA"),
    );
    let rows = session.rows(&sql).await?;
    let places = places(session).await?;
    let mut found = Vec::new();
    for row in rows {
        let (name, clause) = (row.need(0)?, row.need(1)?);
        let place = match row.text(2)? {
            Some(table) => Some((table, true)),
            None => places.get(&name).cloned(),
        };
        let Some((table, enforced)) = place else {
            return Err(Error::new(ErrorKind::SourceRead, format!("the server does not tell the table of the check `{name}`")));
        };
        // Older MariaDB does not tell the level. There, a column's check has the name of its column.
        let of_column = match row.text(3)? {
            Some(level) => level.eq_ignore_ascii_case("column"),
            None => session.mariadb,
        };
        let expression = expressions::plain(session, &clause);
        found.push(FoundCheck { table, of_column, check: Check { name, expression, enforced } });
    }
    Ok(found)
}

/// Of each check, its table and whether it is enforced. In MySQL the names of checks are unique in a database.
async fn places(session: &mut Session<'_>) -> Result<HashMap<String, (String, bool)>> {
    let sql = format!(
        "SELECT CONSTRAINT_NAME, TABLE_NAME, {} FROM information_schema.TABLE_CONSTRAINTS WHERE {} AND CONSTRAINT_TYPE = 'CHECK'",
        session.if_known("TABLE_CONSTRAINTS", "ENFORCED"),
        session.in_database("CONSTRAINT_SCHEMA"),
    );
    let rows = session.rows(&sql).await?;
    rows.iter().map(|row| Ok((row.need(0)?, (row.need(1)?, row.text(2)?.as_deref() != Some("NO"))))).collect()
}

/// Adds the checks to `tables`, but for those that only mark a column as JSON, which the column's type tells.
pub(super) fn add_checks(tables: &mut BTreeMap<String, Table>, checks: Vec<FoundCheck>) {
    for found in checks {
        let Some(table) = tables.get_mut(&found.table) else { continue };
        let column = table.column(&found.check.name);
        if column.is_some_and(|column| column.native.name == "json" && found.marks_json(&found.table, &column.name)) {
            continue;
        }
        let of_column = found.of_column && column.is_some();
        let name = if of_column { String::new() } else { found.check.name };
        table.checks.push(Check { name, ..found.check });
    }
}

/// Adds the foreign keys to `tables`, sorted by name. The parent may be in another database, or left out by the filter.
pub(super) async fn foreign_keys(session: &mut Session<'_>, tables: &mut BTreeMap<String, Table>) -> Result<()> {
    let sql = format!(
        "SELECT TABLE_NAME, CONSTRAINT_NAME, DELETE_RULE, UPDATE_RULE FROM information_schema.REFERENTIAL_CONSTRAINTS WHERE {}",
        session.in_database("CONSTRAINT_SCHEMA"),
    );
    let mut actions = HashMap::new();
    for row in session.rows(&sql).await? {
        actions.insert((row.need(0)?, row.need(1)?), (action(&row.need(2)?)?, action(&row.need(3)?)?));
    }
    let sql = format!(
        "SELECT TABLE_NAME, CONSTRAINT_NAME, COLUMN_NAME, REFERENCED_TABLE_SCHEMA, REFERENCED_TABLE_NAME, REFERENCED_COLUMN_NAME \
         FROM information_schema.KEY_COLUMN_USAGE WHERE {} AND REFERENCED_TABLE_NAME IS NOT NULL \
         ORDER BY TABLE_NAME, CONSTRAINT_NAME, ORDINAL_POSITION",
        session.in_database("TABLE_SCHEMA"),
    );
    for row in session.rows(&sql).await? {
        let (table_name, name) = (row.need(0)?, row.need(1)?);
        let Some(table) = tables.get_mut(&table_name) else { continue };
        let (column, parent_column) = (row.need(2)?, row.need(5)?);
        if let Some(key) = table.foreign_keys.iter_mut().find(|key| key.name == name) {
            key.columns.push(column);
            key.parent_columns.push(parent_column);
            continue;
        }
        let Some((on_delete, on_update)) = actions.get(&(table_name, name.clone())).copied() else {
            // MariaDB hides them from whoever has no right but SELECT, and still lists the columns: without this the key would be lost silently.
            let what = format!("the server does not tell the actions of the foreign key `{name}` to this user");
            let database = super::query::quote(&table.name.schema);
            return Err(Error::new(ErrorKind::MissingRight, what)
                .table(&table.name)
                .hint(format!("Grant one of SHOW VIEW, TRIGGER and REFERENCES: GRANT SHOW VIEW ON {database}.* TO the user")));
        };
        table.foreign_keys.push(ForeignKey {
            name,
            columns: vec![column],
            parent: ObjectName::new(row.need(3)?, row.need(4)?),
            parent_columns: vec![parent_column],
            on_delete,
            on_update,
        });
    }
    for table in tables.values_mut() {
        table.foreign_keys.sort_by(|a, b| a.name.cmp(&b.name));
    }
    Ok(())
}

fn action(rule: &str) -> Result<ReferentialAction> {
    Ok(match rule {
        "NO ACTION" => ReferentialAction::NoAction,
        "RESTRICT" => ReferentialAction::Restrict,
        "CASCADE" => ReferentialAction::Cascade,
        "SET NULL" => ReferentialAction::SetNull,
        "SET DEFAULT" => ReferentialAction::SetDefault,
        other => {
            return Err(Error::new(ErrorKind::SourceRead, format!("the server prints the unknown referential action `{other}`")));
        }
    })
}
