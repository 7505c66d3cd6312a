//! The statements for the target, and what becomes of tables that stand there already.

use crate::config::{IfExists, Scope, Settings};
use crate::engine::{Clear, Ddl, DdlOptions, DdlPhase, Dialect};
use crate::mapping::MappedTable;
use crate::model::ObjectName;
use crate::model::catalog::{Problem, ServerInfo, Severity, Table};

/// The statements for the target; what exists already is refused, or cleared as asked.
pub(super) fn statements(
    settings: &Settings,
    dialect: &dyn Dialect,
    server: &ServerInfo,
    tables: &[MappedTable],
    existing: &[Table],
    problems: &mut Vec<Problem>,
) -> Vec<Ddl> {
    let targets: Vec<Table> = tables.iter().map(|table| table.target.clone()).collect();
    let mut schemas: Vec<String> =
        targets.iter().map(|table| table.name.schema.clone()).filter(|schema| !schema.is_empty()).collect();
    schemas.sort();
    schemas.dedup();
    let options = DdlOptions {
        owner: settings.owner.clone(),
        schemas,
        features: server.features.clone(),
        fulltext: settings.mapping.objects.fulltext.clone(),
    };
    let (mut ddl, more) = dialect.ddl(&targets, &options);
    problems.extend(more);

    let stands = |name: &ObjectName| existing.iter().find(|table| table.name == *name);
    if settings.scope == Scope::DataOnly {
        ddl.retain(|statement| statement.phase == DdlPhase::Analyze);
        for table in tables {
            match stands(&table.target.name) {
                None => problems.push(
                    Problem::new(
                        Severity::Refused,
                        "table",
                        &table.target.name,
                        "it does not exist in the target, and --data-only creates none",
                    )
                    .hint("Create it first, or leave out `--data-only`"),
                ),
                Some(found) => {
                    compare_columns(table, found, problems);
                    ddl.extend(dialect.recheck(found));
                }
            }
        }
    }
    let standing: Vec<(&MappedTable, &Table)> =
        tables.iter().filter_map(|table| Some((table, stands(&table.target.name)?))).collect();
    match settings.if_exists {
        IfExists::Error if settings.scope == Scope::DataOnly => {}
        IfExists::Error => problems.extend(standing.iter().map(|(table, _)| {
            Problem::new(Severity::Refused, "table", &table.target.name, "it exists in the target already")
                .hint("Choose another schema with `--schema`, or say what to do with `--if-exists drop|truncate|append`")
        })),
        IfExists::Drop => clear(&standing, Clear::Drop, dialect, &mut ddl, problems),
        IfExists::Append => {
            for (table, found) in standing {
                let name = &table.target.name;
                if !dialect.appends() {
                    let why = "it exists in the target already, and rows cannot be added to it there";
                    problems.push(Problem::new(Severity::Refused, "table", name, why).hint("Choose another target"));
                    continue;
                }
                if settings.scope != Scope::DataOnly {
                    load_as_it_stands(table, found, dialect, &mut ddl, problems);
                }
                if settings.scope != Scope::SchemaOnly {
                    ddl.extend(dialect.continue_numbers(found));
                }
                let why = "rows are added to those that stand there; its keys, indexes and defaults are left as they are";
                problems.push(Problem::new(Severity::Note, "table", name, why));
            }
        }
        IfExists::Truncate => {
            clear(&standing, Clear::Truncate, dialect, &mut ddl, problems);
            for (table, found) in standing {
                let name = &table.target.name;
                if settings.scope != Scope::DataOnly {
                    load_as_it_stands(table, found, dialect, &mut ddl, problems);
                }
                let why = "it is loaded as it stands: its keys, indexes, defaults and next ids are left as they are";
                problems.push(Problem::new(Severity::Note, "table", name, why));
            }
        }
    }
    ddl
}

/// A table that keeps its shape computes what it computes, whatever the source does: its values are read again and compared.
pub(super) fn adopt(settings: &Settings, tables: &mut [MappedTable], existing: &[Table]) {
    let keeps = settings.scope == Scope::DataOnly || matches!(settings.if_exists, IfExists::Append | IfExists::Truncate);
    for table in tables.iter_mut().filter(|_| keeps) {
        let Some(found) = existing.iter().find(|found| found.name == table.target.name) else { continue };
        for column in &mut table.target.columns {
            if let Some(there) = found.column(&column.name) {
                column.generated.clone_from(&there.generated);
            }
        }
    }
}

/// A table that keeps its shape: nothing is made of it, its columns must fit, and its own foreign keys are checked afterwards.
fn load_as_it_stands(table: &MappedTable, found: &Table, dialect: &dyn Dialect, ddl: &mut Vec<Ddl>, problems: &mut Vec<Problem>) {
    compare_columns(table, found, problems);
    let name = Some(&table.target.name);
    ddl.retain(|statement| statement.table.as_ref() != name || statement.phase == DdlPhase::Analyze);
    ddl.extend(dialect.recheck(found));
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

/// A table that is loaded as it stands must have every column, each of a type with the same values.
fn compare_columns(table: &MappedTable, found: &Table, problems: &mut Vec<Problem>) {
    let place = |column: &str| format!("{}.{column}", table.target.name);
    for column in &table.target.columns {
        match found.column(&column.name) {
            None => problems.push(
                Problem::new(Severity::Refused, "column", place(&column.name), "the existing table does not have it")
                    .hint("Add the column, or rename it in the mapping"),
            ),
            Some(there) if there.native.full != column.native.full && there.logical != column.logical => problems.push(
                Problem::new(
                    Severity::Refused,
                    "column",
                    place(&column.name),
                    format!("the existing table has `{}`, and `{}` is planned", there.native.full, column.native.full),
                )
                .hint(format!("Set `to = \"{}\"` for the column in the mapping", there.native.full)),
            ),
            Some(_) => {}
        }
    }
    for column in &found.columns {
        let filled = table.target.column(&column.name).is_some();
        if !filled && !column.nullable && column.default.is_none() && column.generated.is_none() && !column.identity {
            problems.push(
                Problem::new(
                    Severity::Refused,
                    "column",
                    place(&column.name),
                    "the existing table demands it, and the source does not have it",
                )
                .hint("Give the column a default, or let it be NULL"),
            );
        }
    }
}
