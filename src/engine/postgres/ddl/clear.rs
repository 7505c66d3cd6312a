//! Emptying or dropping tables that stand in the way. Never with CASCADE: what depends on them and is not among them makes it fail.

use super::{Labelled, enum_type_name, labelled, on_update, quote_table};
use crate::engine::{Clear, Ddl, DdlPhase};
use crate::model::{ObjectName, Table};

/// One statement for all of `tables`, so that foreign keys among them do not stand in the way, and then the types behind them.
pub fn clear(tables: &[&Table], how: Clear) -> Vec<Ddl> {
    if tables.is_empty() {
        return Vec::new();
    }
    let statement = |object: String, sql: String| Ddl { phase: DdlPhase::Clear, table: None, object, sql, exists_sql: None };
    let names = tables.iter().map(|table| quote_table(&table.name)).collect::<Vec<_>>().join(", ");
    match how {
        Clear::Truncate => vec![statement(format!("empty {} tables", tables.len()), format!("TRUNCATE {names}"))],
        Clear::Drop => {
            let mut all = vec![statement(format!("drop {} tables", tables.len()), format!("DROP TABLE IF EXISTS {names}"))];
            // The types of ENUM columns stay behind their table, and other labels under the same name would be refused.
            let types = tables.iter().flat_map(|table| types_behind(table));
            all.extend(
                types.map(|name| statement(format!("drop type {name}"), format!("DROP TYPE IF EXISTS {}", quote_table(&name)))),
            );
            // So do the functions of triggers.
            all.extend(tables.iter().flat_map(|table| functions_behind(table)).map(|name| {
                statement(format!("drop function {name}"), format!("DROP FUNCTION IF EXISTS {}()", quote_table(&name)))
            }));
            all
        }
    }
}

/// The types that go with a table.
pub(in crate::engine::postgres) fn types_behind(table: &Table) -> Vec<ObjectName> {
    let columns = table.columns.iter().filter(|column| labelled(&column.native) == Some(Labelled::Enum));
    columns.map(|column| enum_type_name(&table.name, &column.name)).collect()
}

/// The functions that go with a table; they take nothing.
pub(in crate::engine::postgres) fn functions_behind(table: &Table) -> Vec<ObjectName> {
    on_update::columns(table).map(|column| on_update::function_name(&table.name, &column.name)).collect()
}
