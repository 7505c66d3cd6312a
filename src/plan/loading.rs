//! How rows get into a table that stands: what is switched off or set aside meanwhile, what is checked afterwards, and by which key
//! rows are found.

use crate::config::{IfExists, Scope, TargetForeignKeys, TargetIndexes, TargetTriggers};
use crate::engine::{Ddl, DdlPhase, SetAside, Standing};
use crate::error::Error;
use crate::mapping::MappedTable;
use crate::model::ObjectName;
use crate::model::catalog::{Problem, Severity, Table};
use crate::model::load::{Load, UpsertKey};

use super::standing::Ground;

/// Decides it for one table, and adds its statements to `ddl`.
pub(super) fn decide(
    ground: &Ground<'_>,
    table: &MappedTable,
    found: &Table,
    standing: &Standing,
    ddl: &mut Vec<Ddl>,
    problems: &mut Vec<Problem>,
) -> Load {
    let settings = ground.settings;
    for fault in &standing.faults {
        faults(fault, &table.target.name, problems);
    }
    let name = &table.target.name;
    if settings.scope == Scope::DataOnly && settings.if_exists == IfExists::Error && standing.rows > 0 {
        let rows = match standing.rows {
            1 => "1 row".to_string(),
            many if many > crate::engine::standing::MOST_COUNTED => {
                format!("more than {} rows", crate::report::human::count(crate::engine::standing::MOST_COUNTED))
            }
            many => format!("{} rows", crate::report::human::count(many)),
        };
        let hint = "Say what becomes of them: `--if-exists truncate` takes them out, `append` adds to them, `upsert` changes them by their key";
        problems.push(refused(name, format!("it has {rows} already")).hint(hint));
    }
    let mut aside = Vec::new();
    triggers(ground, found, standing, &mut aside, problems);
    indexes(ground, standing, &mut aside, problems);
    for set in aside {
        // In front of all that clears: emptying a table fires triggers, too.
        ddl.insert(0, set.away);
        ddl.extend(set.back);
    }
    if settings.loading.foreign_keys == TargetForeignKeys::CheckAfter {
        ddl.extend(ground.dialect.recheck(found));
        if settings.if_exists == IfExists::Upsert {
            ddl.extend(children(ground, standing));
        }
    }
    if settings.if_exists == IfExists::Truncate {
        for (child, key) in &standing.referenced_by {
            let among = ground.tables.iter().any(|table| table.target.name == *child) && ground.stands(child).is_some();
            if !among {
                let why = format!(
                    "it cannot be emptied: the foreign key `{}` of `{child}` points to it, and that table is not emptied with it",
                    key.name
                );
                problems
                    .push(refused(name, why).hint("Carry that table too, drop the key first, or choose `--if-exists upsert`"));
            }
        }
    }
    ddl.extend(ground.dialect.continue_numbers(found));
    if !standing.owned {
        // A server only warns, and gathers none.
        ddl.retain(|statement| statement.phase != DdlPhase::Analyze || statement.table.as_ref() != Some(name));
        let why = "no statistics are gathered: that takes its owner";
        problems.push(Problem::new(Severity::Note, "table", name, why).hint("Run `ANALYZE` as its owner after the load"));
    }
    let upsert = if settings.if_exists == IfExists::Upsert { upsert_key(ground, table, standing, problems) } else { None };
    Load { enforced: settings.loading.foreign_keys == TargetForeignKeys::Keep, upsert }
}

fn refused(table: &ObjectName, why: impl Into<String>) -> Problem {
    Problem::new(Severity::Refused, "table", table, why)
}

/// Faults of the target, as problems of the plan.
fn faults(fault: &Error, table: &ObjectName, problems: &mut Vec<Problem>) {
    let place = fault.place();
    let named = place.table.clone().unwrap_or_else(|| table.to_string());
    let (object, name) = match &place.column {
        Some(column) => ("column", format!("{named}.{column}")),
        None => ("table", named),
    };
    let problem = Problem::new(Severity::Refused, object, name, fault.what());
    problems.push(match fault.hint_text() {
        Some(hint) => problem.hint(hint),
        None => problem,
    });
    for other in fault.also() {
        faults(other, table, problems);
    }
}

/// Triggers and foreign keys are switched off by one switch of the session, or each trigger by itself.
fn triggers(ground: &Ground<'_>, found: &Table, standing: &Standing, aside: &mut Vec<SetAside>, problems: &mut Vec<Problem>) {
    let (loading, inspection) = (ground.settings.loading, ground.inspection);
    let name = &standing.name;
    let names = |wanted: &mut dyn Iterator<Item = &str>| wanted.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    if loading.triggers == TargetTriggers::On {
        if !standing.triggers.is_empty() {
            let why =
                format!("its triggers fire for each row: {}", names(&mut standing.triggers.iter().map(|one| one.name.as_str())));
            problems.push(Problem::new(Severity::Note, "table", name, why));
        }
        return;
    }
    let switched = loading.foreign_keys == TargetForeignKeys::CheckAfter;
    let (mut by_switch, mut by_hand) = (Vec::new(), Vec::new());
    for trigger in &standing.triggers {
        match (switched, trigger.stubborn || trigger.on_truncate) {
            (true, false) => by_switch.push(trigger.name.as_str()),
            (true, true) => by_hand.push(trigger),
            (false, _) if trigger.usual => by_hand.push(trigger),
            (false, _) => {}
        }
    }
    let mut keys: Vec<&str> = found.foreign_keys.iter().map(|key| key.name.as_str()).collect();
    if ground.settings.if_exists == IfExists::Upsert {
        keys.extend(standing.referenced_by.iter().map(|(_, key)| key.name.as_str()));
    }
    let switchable = if switched { by_switch.iter().copied().chain(keys).collect() } else { Vec::new() };
    if !switchable.is_empty() && !inspection.may_silence {
        let why = format!(
            "the user may not set `session_replication_role`, which switches its triggers and foreign keys off during the load: {}",
            names(&mut switchable.into_iter())
        );
        let other = if by_switch.is_empty() {
            "or set `target_foreign_keys = \"keep\"` in `[run]`: they are enforced then, parents first"
        } else {
            "or set `target_triggers = \"on\"` in `[run]`: they fire then, and foreign keys are enforced, parents first"
        };
        problems.push(refused(name, why).hint(format!("{}, {other}", inspection.silence_hint)));
    }
    if !by_hand.is_empty() && !standing.owned {
        let why = format!(
            "only its owner may switch these triggers off, and the user is none: {}",
            names(&mut by_hand.iter().map(|one| one.name.as_str()))
        );
        problems
            .push(refused(name, why).hint("Connect as its owner, or set `target_triggers = \"on\"` in `[run]`: they fire then"));
    }
    if !standing.triggers.is_empty() {
        let why = format!(
            "its triggers do not fire during the load: {}",
            names(&mut standing.triggers.iter().map(|one| one.name.as_str()))
        );
        problems.push(Problem::new(Severity::Note, "table", name, why));
    }
    aside.extend(by_hand.into_iter().map(|trigger| trigger.aside.clone()));
}

fn indexes(ground: &Ground<'_>, standing: &Standing, aside: &mut Vec<SetAside>, problems: &mut Vec<Problem>) {
    if ground.settings.loading.indexes != TargetIndexes::Rebuild {
        return;
    }
    let name = &standing.name;
    if !standing.indexes.is_empty() && !standing.owned {
        let why = "only its owner may drop its indexes and make them again, and the user is none";
        problems.push(refused(name, why).hint("Connect as its owner, or leave out `target_indexes = \"rebuild\"`"));
    }
    for (index, why) in &standing.kept_indexes {
        let why = format!("the index stays during the load: {why}");
        problems.push(Problem::new(Severity::Note, "index", format!("{name}.{index}"), why));
    }
    if !standing.indexes.is_empty() {
        let names: Vec<&str> = standing.indexes.iter().map(|index| index.what.as_str()).collect();
        let why = format!("dropped before the load, and made again after it: {}", names.join(", "));
        problems.push(Problem::new(Severity::Note, "table", name, why));
    }
    aside.extend(standing.indexes.iter().cloned());
}

/// Changed rows may have children in tables that are not loaded; those that are loaded check their own keys.
fn children(ground: &Ground<'_>, standing: &Standing) -> Vec<Ddl> {
    let mut all = Vec::new();
    for (child, key) in &standing.referenced_by {
        let loaded = ground.tables.iter().any(|table| table.target.name == *child);
        if !loaded {
            let mut pseudo = Table::new(child.clone());
            pseudo.foreign_keys.push(key.clone());
            all.extend(
                ground.dialect.recheck(&pseudo).into_iter().map(|check| Ddl { table: Some(standing.name.clone()), ..check }),
            );
        }
    }
    all
}

/// The key by which rows are found: the rule's own, or the primary one.
fn upsert_key(ground: &Ground<'_>, table: &MappedTable, standing: &Standing, problems: &mut Vec<Problem>) -> Option<UpsertKey> {
    let name = &table.target.name;
    let source = &table.source.name;
    let mapping = &ground.settings.mapping;
    let rule = mapping.tables.iter().find(|rule| rule.name == source.name || rule.name == source.to_string());
    let wanted = rule.map(|rule| rule.upsert_key.as_slice()).filter(|key| !key.is_empty());
    let written = |key: &UpsertKey| key.columns().all(|column| table.target.column(column).is_some());
    let found = match wanted {
        Some(wanted) => standing.keys.iter().find(|key| {
            key.parts.len() == wanted.len() && key.columns().all(|column| wanted.iter().any(|other| other == column))
        }),
        None => standing.keys.iter().find(|key| standing.primary.as_deref() == Some(key.name.as_str())),
    };
    let others: Vec<String> = standing
        .keys
        .iter()
        .filter(|key| written(key))
        .map(|key| format!("[{}]", key.columns().map(|column| format!("\"{column}\"")).collect::<Vec<_>>().join(", ")))
        .collect();
    let hint = if others.is_empty() {
        "Give the table a primary key over columns that are carried, or choose `--if-exists truncate` or `append`".to_string()
    } else {
        format!("Add to the table's rule in the mapping: `upsert_key = {}`", others.join("` or `upsert_key = "))
    };
    let Some(found) = found else {
        let why = match wanted {
            Some(wanted) => format!("no unique key that is never NULL is over exactly ({})", wanted.join(", ")),
            None => "it has no primary key by which rows that stand there could be found".to_string(),
        };
        problems.push(refused(name, why).hint(hint));
        return None;
    };
    if let Some(missing) = found.columns().find(|column| table.target.column(column).is_none()) {
        let why = format!("its key `{}` is over the column `{missing}`, which is not carried", found.name);
        problems.push(refused(name, why).hint(hint));
        return None;
    }
    let fixed: Vec<String> =
        standing.always_numbered.iter().filter(|column| table.target.column(column).is_some()).cloned().collect();
    if let Some(column) = fixed.iter().find(|column| !found.columns().any(|part| part == column.as_str())) {
        let why = "the existing table always numbers it by itself, so it cannot be changed in rows that stand there";
        let place = format!("{name}.{column}");
        problems.push(Problem::new(Severity::Refused, "column", place, why).hint(format!(
            "Leave it out of the mapping with `drop = true`, or run `ALTER TABLE … ALTER COLUMN \"{column}\" SET GENERATED BY DEFAULT`"
        )));
    }
    Some(UpsertKey { fixed, ..found.clone() })
}
