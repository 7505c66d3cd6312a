//! Names of partitions that the target has already for something else.

use crate::engine::Sink;
use crate::error::Result;
use crate::mapping::MappedTable;
use crate::model::ObjectName;
use crate::model::catalog::{Problem, Severity, Table};

/// The refusals: of a table that stands, `existing`, the partitions go with it.
///
/// # Errors
/// What the target says when it is asked.
pub(super) async fn taken(tables: &[MappedTable], existing: &[Table], sink: &dyn Sink) -> Result<Vec<Problem>> {
    let of = |table: &Table| -> Vec<ObjectName> {
        let parts =
            table.partitioning.iter().filter_map(|partitioning| partitioning.parts.as_ref()).flat_map(|parts| &parts.parts);
        parts.map(|part| ObjectName::new(&table.name.schema, &part.name)).collect()
    };
    let stands = |table: &&MappedTable| existing.iter().any(|found| found.name == table.target.name);
    let names: Vec<ObjectName> = tables.iter().filter(|table| !stands(table)).flat_map(|table| of(&table.target)).collect();
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let found = sink.existing(&names).await?;
    Ok(found
        .into_iter()
        .map(|table| {
            let why = "a partition is to have this name, and the target has something of this name already";
            let hint = "Choose another schema, or leave out `partitions = \"translate\"` for its table";
            Problem::new(Severity::Refused, "partition", &table.name, why).hint(hint)
        })
        .collect())
}
