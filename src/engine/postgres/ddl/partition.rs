//! Declarative partitions. They are made together with their table, in one statement of several parts: none of them stands without the others.

use super::{quote_literal, quote_name, quote_table};
use crate::model::ObjectName;
use crate::model::catalog::{ServerInfo, Table};
use crate::model::partition::{PartBound, PartMethod, Parts};

/// Row triggers stand on partitioned tables since this version, keys and a default partition since 11.
const SINCE_MAJOR: u32 = 13;

/// Whether the server has what is needed.
///
/// # Errors
/// Why not.
pub(in crate::engine::postgres) fn can_partition(server: &ServerInfo) -> Result<(), String> {
    if server.version_number.0 >= SINCE_MAJOR {
        return Ok(());
    }
    Err(format!("PostgreSQL has what it needs for them since version {SINCE_MAJOR}"))
}

fn parts(table: &Table) -> Option<&Parts> {
    table.partitioning.as_ref()?.parts.as_ref()
}

/// The names of a table's partitions.
pub(super) fn names(table: &Table) -> impl Iterator<Item = ObjectName> + '_ {
    let parts = parts(table).into_iter().flat_map(|parts| &parts.parts);
    parts.map(|part| ObjectName::new(&table.name.schema, &part.name))
}

/// What follows the columns in CREATE TABLE, and the statements after it; empty for a plain table.
pub(super) fn clause(table: &Table) -> String {
    let Some(parts) = parts(table) else { return String::new() };
    let columns: Vec<String> = parts.columns.iter().map(|column| quote_name(column)).collect();
    let method = match parts.method {
        PartMethod::Range => "RANGE",
        PartMethod::List => "LIST",
    };
    let mut sql = format!(" PARTITION BY {method} ({})", columns.join(", "));
    let mut from = vec!["MINVALUE".to_string(); parts.columns.len()].join(", ");
    for (part, name) in parts.parts.iter().zip(names(table)) {
        let bound = match &part.bound {
            PartBound::Rest => "DEFAULT".to_string(),
            PartBound::In(values) => format!("FOR VALUES IN ({})", literals(values, "NULL")),
            PartBound::Below(values) => {
                let to = literals(values, "MAXVALUE");
                let from = std::mem::replace(&mut from, to.clone());
                format!("FOR VALUES FROM ({from}) TO ({to})")
            }
        };
        sql.push_str(&format!(";\nCREATE TABLE {} PARTITION OF {} {bound}", quote_table(&name), quote_table(&table.name)));
    }
    sql
}

fn literals(values: &[Option<String>], none: &str) -> String {
    let values = values.iter().map(|value| value.as_deref().map_or_else(|| none.to_string(), quote_literal));
    values.collect::<Vec<_>>().join(", ")
}
