//! What the target's tables are to look like in the end: as the statements make them, or as they stood.
//!
//! It is a part of the plan, so that a run that goes on, and a verification that comes later, compare with what was decided.

use crate::config::rules::Orphans;
use crate::config::{Scope, Settings};
use crate::engine::{Ddl, DdlOptions, Dialect, Sink};
use crate::error::Result;
use crate::mapping::MappedTable;
use crate::model::ObjectName;
use crate::model::catalog::Table;
use crate::model::schema::TableSchema;

use super::standing::loads_standing;

/// The target's tables, each once. `leads` are the first of each target table, `all` all of them.
///
/// # Errors
/// What the target says of tables that stand.
pub(super) async fn planned(
    settings: &Settings,
    (dialect, sink): (&dyn Dialect, &dyn Sink),
    leads: &[MappedTable],
    all: &[MappedTable],
    existing: &[Table],
    ddl: &[Ddl],
) -> Result<Vec<TableSchema>> {
    if settings.scope == Scope::SchemaOnly && ddl.is_empty() {
        return Ok(Vec::new());
    }
    let stands = |name: &ObjectName| loads_standing(settings) && existing.iter().any(|table| table.name == *name);
    let options = DdlOptions {
        // No part of what is compared.
        compression: None,
        owner: settings.owner.clone(),
        schemas: Vec::new(),
        features: sink.server().features.clone(),
        unlogged: settings.unlogged,
        fulltext: settings.mapping.objects.fulltext.clone(),
    };
    let targets: Vec<Table> = leads.iter().map(|table| table.target.clone()).collect();
    let mut planned = dialect.made(&targets, &options);
    planned.retain(|schema| settings.scope != Scope::DataOnly && !stands(&schema.table.name));
    for schema in &mut planned {
        let unproven = |table: &MappedTable| table.target.name == schema.table.name && table.orphans == Orphans::NotValid;
        if all.iter().any(unproven) {
            schema.not_validated = schema.table.foreign_keys.iter().map(|key| key.name.clone()).collect();
        }
    }
    let names: Vec<ObjectName> = targets.into_iter().map(|table| table.name).filter(stands).collect();
    if !names.is_empty() {
        let found = sink.schemas(&names).await?;
        planned.extend(found.into_iter().map(|schema| TableSchema {
            stood: true,
            largest_number: None,
            table: Table { estimated_rows: 0, estimated_bytes: 0, ..schema.table },
            ..schema
        }));
    }
    Ok(planned)
}
