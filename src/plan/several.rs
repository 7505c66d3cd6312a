//! What only concerns runs of several databases: schemas that must not be taken, and names that say their database.

use std::collections::BTreeSet;

use crate::config::Settings;
use crate::engine::registry;
use crate::mapping::{MappedTable, names, toml_string};
use crate::model::catalog::{Problem, Severity};

/// Refuses databases whose schema would be the ledger's, notes those whose name is too long for one, and puts the database into the names that hints propose.
pub(super) fn note(settings: &Settings, tables: &[MappedTable], problems: &mut Vec<Problem>) {
    let taken: BTreeSet<&str> = tables
        .iter()
        .filter(|table| table.target.name.schema == settings.ledger_schema)
        .map(|table| table.source.name.schema.as_str())
        .collect();
    problems.extend(taken.into_iter().map(|database| {
        let why = format!("its tables would go into the schema `{}`, which is the ledger's", settings.ledger_schema);
        let hint = format!(
            "Keep the ledger elsewhere with `--ledger-schema`, or add to the mapping file (`-m FILE`):\n[[rename]]\nschemas = {}\nto = \"…\"",
            toml_string(&regex::escape(database))
        );
        Problem::new(Severity::Refused, "database", database, why).hint(hint)
    }));
    let limit = registry::engine(settings.target.engine).dialect().max_name_bytes();
    let names: BTreeSet<(&str, &str)> =
        tables.iter().map(|table| (table.source.name.schema.as_str(), table.target.name.schema.as_str())).collect();
    for (database, schema) in names {
        if database != schema && names::shorten(database, limit) == schema {
            let (long, most) = (database.len(), limit.unwrap_or_default());
            let why = format!("the name has {long} bytes, more than the target's {most}; its schema becomes `{schema}`");
            problems.push(Problem::new(Severity::Note, "database", database, why));
        }
    }
    for problem in problems.iter_mut() {
        let Some(hint) = &mut problem.hint else { continue };
        let about = tables.iter().find(|table| {
            let full = table.source.name.to_string();
            problem.name.strip_prefix(&full).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        });
        let Some(name) = about.map(|table| &table.source.name) else { continue };
        let full = name.to_string();
        for (bare, qualified) in [
            (format!("name = {}\n", toml_string(&name.name)), format!("name = {}\n", toml_string(&full))),
            (format!("`--exclude {}`", name.name), format!("`--exclude {full}`")),
        ] {
            *hint = hint.replace(&bare, &qualified);
        }
    }
}
