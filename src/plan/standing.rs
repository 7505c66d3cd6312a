//! The statements for the target, and what becomes of tables that stand there already.
//!
//! [`loading`] decides how rows get into a table that stands: its triggers, foreign keys and indexes, and the key of an upsert.

use crate::config::{IfExists, Scope, Settings};
use crate::engine::{Clear, Ddl, DdlOptions, DdlPhase, Dialect, Inspection, Sink};
use crate::error::Result;
use crate::mapping::MappedTable;
use crate::model::ObjectName;
use crate::model::catalog::{Problem, Severity, Table};
use crate::model::load::Load;
use crate::model::sequence::CarriedSequence;

use super::columns;
use super::compression;
use super::loading;

/// What is known, and asked for.
pub(super) struct Ground<'a> {
    pub(super) settings: &'a Settings,
    /// Both sides are compared, and nothing is loaded.
    pub(super) comparing: bool,
    pub(super) dialect: &'a dyn Dialect,
    pub(super) tables: &'a [MappedTable],
    /// Those of the target that exist already.
    pub(super) existing: &'a [Table],
    /// What rows will meet in those that are loaded as they stand; nothing when no rows are to be loaded.
    pub(super) inspection: &'a Inspection,
    /// The sequences that belong to no column.
    pub(super) sequences: &'a [CarriedSequence],
    /// The names of the target's tables, if one that should stand does not.
    pub(super) names: &'a [ObjectName],
}

/// True if tables that stand are loaded as they are.
pub(super) fn loads_standing(settings: &Settings) -> bool {
    settings.scope == Scope::DataOnly || matches!(settings.if_exists, IfExists::Truncate | IfExists::Append | IfExists::Upsert)
}

/// Rows that are found by their key are not rejected: the row that stands in the place of a rejected one would be taken for it.
pub(super) fn refuse_rejects(table: &MappedTable, load: &Load) -> Option<Problem> {
    (table.max_rejects.is_some() && load.upsert.is_some()).then(|| {
        let why = "`on_error = \"reject\"`: rows are found by their key there, and what stands would be taken for a rejected row";
        let hint = "Say `on_error = \"stop\"` for the table, or take value policies for what cannot be carried";
        Problem::new(Severity::Refused, "table", &table.source.name, why).hint(hint)
    })
}

/// A table that keeps its shape computes what it computes, whatever the source does: its values are read again and compared.
pub(super) fn adopt(settings: &Settings, tables: &mut [MappedTable], existing: &[Table]) {
    let keeps = loads_standing(settings);
    for table in tables.iter_mut().filter(|_| keeps) {
        let Some(found) = existing.iter().find(|found| found.name == table.target.name) else { continue };
        for column in &mut table.target.columns {
            if let Some(there) = found.column(&column.name) {
                column.generated.clone_from(&there.generated);
            }
        }
    }
}

impl Ground<'_> {
    pub(super) fn stands(&self, name: &ObjectName) -> Option<&Table> {
        self.existing.iter().find(|table| table.name == *name)
    }

    /// The statements for the target, and how each table is loaded; what exists already is refused, cleared or loaded, as asked.
    pub(super) fn statements(&self, sink: &dyn Sink, problems: &mut Vec<Problem>) -> (Vec<Ddl>, Vec<Load>) {
        let Ground { settings, dialect, tables, .. } = *self;
        let targets: Vec<Table> = tables.iter().map(|table| table.target.clone()).collect();
        let mut schemas: Vec<String> =
            targets.iter().map(|table| table.name.schema.clone()).filter(|schema| !schema.is_empty()).collect();
        schemas.extend(self.sequences.iter().map(|one| one.target.schema.clone()).filter(|schema| !schema.is_empty()));
        schemas.sort();
        schemas.dedup();
        let options = DdlOptions {
            compression: compression::decide(settings, sink.server(), &targets, problems),
            owner: settings.owner.clone(),
            schemas,
            features: sink.server().features.clone(),
            unlogged: settings.unlogged,
            fulltext: settings.mapping.objects.fulltext.clone(),
        };
        let (mut ddl, more) = dialect.ddl(&targets, &options);
        let mut loads = vec![Load::default(); tables.len()];
        if settings.scope == Scope::DataOnly {
            // Nothing is made, so nothing of it can fail to be made.
            ddl.retain(|statement| statement.phase == DdlPhase::Analyze);
            let absent = tables.iter().filter(|table| self.stands(&table.target.name).is_none());
            problems.extend(absent.map(|table| columns::absent(table, self.names)));
        } else {
            problems.extend(more);
        }
        let standing: Vec<(&MappedTable, &Table)> =
            tables.iter().filter_map(|table| Some((table, self.stands(&table.target.name)?))).collect();
        match settings.if_exists {
            IfExists::Error if settings.scope == Scope::DataOnly => {}
            IfExists::Error => problems.extend(standing.iter().map(|(table, _)| {
                Problem::new(Severity::Refused, "table", &table.target.name, "it exists in the target already").hint(
                    "Choose another schema with `--schema`, or say what to do with `--if-exists drop|truncate|append|upsert`",
                )
            })),
            IfExists::Drop => clear(&standing, Clear::Drop, dialect, &mut ddl, problems),
            IfExists::Truncate => clear(&standing, Clear::Truncate, dialect, &mut ddl, problems),
            IfExists::Append | IfExists::Upsert => {
                if !dialect.appends() {
                    problems.extend(standing.iter().map(|(table, _)| {
                        let why = "it exists in the target already, and rows cannot be added to it there";
                        Problem::new(Severity::Refused, "table", &table.target.name, why).hint("Choose another target")
                    }));
                    return (ddl, loads);
                }
            }
        }
        if !loads_standing(settings) {
            return (ddl, loads);
        }
        for (place, table) in tables.iter().enumerate() {
            let name = &table.target.name;
            let Some(found) = self.stands(name) else { continue };
            columns::compare(table, found, problems);
            ddl.retain(|statement| {
                statement.table.as_ref() != Some(name) || matches!(statement.phase, DdlPhase::Analyze | DdlPhase::Clear)
            });
            if settings.scope != Scope::SchemaOnly
                && let Some(standing) = self.inspection.tables.iter().find(|standing| standing.name == *name)
            {
                loads[place] = loading::decide(self, table, found, standing, &mut ddl, problems);
            }
            let why = match settings.if_exists {
                IfExists::Append => {
                    "rows are added to those that stand there; its keys, indexes and defaults are left as they are"
                }
                IfExists::Upsert => {
                    "rows that stand there are changed by their key, and the others added; its keys, indexes and defaults are left as they are"
                }
                // Nothing is loaded.
                _ if self.comparing => continue,
                _ => "it is loaded as it stands: its keys, indexes and defaults are left as they are",
            };
            problems.push(Problem::new(Severity::Note, "table", name, why));
        }
        (ddl, loads)
    }
}

/// The tables of which more must be known than the catalog tells, as they are planned.
pub(super) fn asked(settings: &Settings, tables: &[MappedTable], existing: &[Table]) -> Vec<crate::engine::Asked> {
    let asked = tables.iter().filter_map(|table| {
        let found = existing.iter().find(|found| found.name == table.target.name)?;
        let mut planned = table.target.clone();
        // What does not fit is told by the comparison of the columns.
        planned.columns.retain(|column| {
            column.logical.is_some()
                && found.column(&column.name).is_some_and(|there| {
                    there.generated.is_none() && (there.native.full == column.native.full || there.logical == column.logical)
                })
        });
        Some(crate::engine::Asked {
            table: planned,
            upsert: settings.if_exists == IfExists::Upsert,
            truncate: settings.if_exists == IfExists::Truncate,
            rebuild: settings.loading.indexes == crate::config::TargetIndexes::Rebuild,
        })
    });
    asked.collect()
}

/// The names of all tables of the target, where one that should stand does not.
pub(super) async fn names_if_absent(
    settings: &Settings,
    tables: &[MappedTable],
    existing: &[Table],
    sink: &dyn Sink,
) -> Result<Vec<ObjectName>> {
    let stands = |name: &ObjectName| existing.iter().any(|table| table.name == *name);
    let absent = tables.iter().map(|table| &table.target.name).filter(|name| !stands(name));
    let mut schemas: Vec<String> = absent.map(|name| name.schema.clone()).collect();
    schemas.sort();
    schemas.dedup();
    if settings.scope != Scope::DataOnly || schemas.is_empty() {
        return Ok(Vec::new());
    }
    sink.table_names(&schemas).await
}

fn clear(
    standing: &[(&MappedTable, &Table)],
    how: Clear,
    dialect: &dyn Dialect,
    ddl: &mut Vec<Ddl>,
    problems: &mut Vec<Problem>,
) {
    let targets: Vec<&Table> = standing.iter().map(|(table, _)| &table.target).collect();
    match dialect.clear(&targets, how) {
        Some(statements) => ddl.extend(statements),
        None => problems.extend(targets.iter().map(|table| {
            Problem::new(Severity::Refused, "table", &table.name, "it exists in the target already, and cannot be cleared there")
                .hint("Clear it by hand, or choose another target")
        })),
    }
}
