//! Names that fit the target and are unique there.
//!
//! A name is kept as it is wherever it can be. One that is too long is cut and gets a hash of the whole, so that the same name always
//! gives the same result; index names that are unique only within their table get the table's name in front where the target wants
//! them unique within the schema.

use std::collections::{HashMap, HashSet};

use xxhash_rust::xxh3::xxh3_64;

use crate::engine::Dialect;
use crate::model::catalog::{Problem, Severity};

use super::{Mapped, lines};

/// `name`, if it has at most `limit` bytes; otherwise its beginning and 8 hexadecimal digits of its hash.
pub fn shorten(name: &str, limit: Option<usize>) -> String {
    let Some(limit) = limit.filter(|limit| name.len() > *limit) else { return name.to_string() };
    let hash = format!("_{:08x}", xxh3_64(name.as_bytes()) >> 32);
    let mut end = limit.saturating_sub(hash.len());
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}{hash}", &name[..end])
}

/// Makes every name of the target fit and unique, or lists a refusal.
pub(super) fn make_unique(mapped: &mut Mapped, target: &dyn Dialect) {
    let limit = target.max_name_bytes();
    let Mapped { tables, problems, .. } = mapped;
    let mut seen: HashMap<(String, String), String> = HashMap::new();
    for table in tables.iter_mut() {
        let place = table.source.name.to_string();
        fit(&mut table.target.name.name, limit, "table", &place, problems);
        let name = (table.target.name.schema.clone(), table.target.name.name.clone());
        if let Some(other) = seen.insert(name, place.clone()).filter(|_| !table.merged) {
            let why = format!("it would become `{}`, which `{other}` becomes already", table.target.name);
            let hint = format!(
                "Give one of them another name in the mapping:\n[[table]]\nname = \"{}\"\nto = \"…\"\nor, if the rows of both belong \
                 into one table, say `merge = true` in the `[[table]]` rule of each",
                // Of several databases, both may have that name.
                if other.ends_with(&format!(".{}", table.source.name.name)) { &place } else { &table.source.name.name }
            );
            problems.push(Problem::new(Severity::Refused, "table", &place, why).hint(hint));
        }
        unique_columns(table, limit, problems);
        for mapping in table.columns.iter().filter(|mapping| target.reserves_column_name(&mapping.target)) {
            let place = format!("{}.{}", table.source.name, mapping.source);
            let why =
                format!("each table of the target has a system column `{}`, so no other one can be called so", mapping.target);
            let line = lines::column(&table.source.name, &mapping.source, &format!("rename = \"{}_\"", mapping.target));
            let hint = format!("Give it another name in the mapping file (`-m FILE`):\n{line}");
            problems.push(Problem::new(Severity::Refused, "column", &place, why).hint(hint));
        }
    }
    unique_indexes(tables, target, problems);
}

fn fit(name: &mut String, limit: Option<usize>, object: &str, place: &str, problems: &mut Vec<Problem>) {
    if name.is_empty() {
        let why = "the mapping's pattern leaves nothing of its name";
        problems
            .push(Problem::new(Severity::Refused, object, place, why).hint("Give it a name of its own, or correct the pattern"));
    }
    let short = shorten(name, limit);
    if short != *name {
        let why =
            format!("the name has {} bytes, more than the target's {}; it becomes `{short}`", name.len(), limit.unwrap_or(0));
        problems.push(Problem::new(Severity::Note, object, place, why));
        *name = short;
    }
}

fn unique_columns(table: &mut super::MappedTable, limit: Option<usize>, problems: &mut Vec<Problem>) {
    let mut renamed: HashMap<String, String> = HashMap::new();
    let mut seen: HashMap<String, String> = HashMap::new();
    for (column, mapping) in table.target.columns.iter_mut().zip(&mut table.columns) {
        let place = format!("{}.{}", table.source.name, mapping.source);
        let before = column.name.clone();
        fit(&mut column.name, limit, "column", &place, problems);
        mapping.target.clone_from(&column.name);
        if let Some(other) = seen.insert(column.name.clone(), mapping.source.clone()) {
            let why = format!("it would become `{}`, which the column `{other}` becomes already", column.name);
            problems.push(
                Problem::new(Severity::Refused, "column", &place, why)
                    .hint("Give one of them another name with `rename`, or take the rule or style back that makes them alike"),
            );
        }
        renamed.insert(before, column.name.clone());
    }
    let target = &mut table.target;
    let parts = target.primary_key.iter_mut().chain(&mut target.indexes).flat_map(|index| &mut index.parts);
    let names =
        parts.filter_map(|part| part.column.as_mut()).chain(target.foreign_keys.iter_mut().flat_map(|key| &mut key.columns));
    for name in names {
        if let Some(short) = renamed.get(name) {
            name.clone_from(short);
        }
    }
}

fn unique_indexes(tables: &mut [super::MappedTable], target: &dyn Dialect, problems: &mut Vec<Problem>) {
    let limit = target.max_name_bytes();
    let per_schema = target.index_names_per_schema();
    let mut counts: HashMap<(String, String), usize> = HashMap::new();
    let mut taken: HashSet<(String, String)> = HashSet::new();
    // Of merged tables the first one speaks for all: they get its target in the end.
    let mut joined: HashSet<crate::model::ObjectName> = HashSet::new();
    let first: Vec<bool> = tables.iter().map(|table| !table.merged || joined.insert(table.target.name.clone())).collect();
    if per_schema {
        for (table, _) in tables.iter().zip(&first).filter(|(_, first)| **first) {
            let schema = &table.target.name.schema;
            // Tables and indexes share one name space in PostgreSQL.
            taken.insert((schema.clone(), table.target.name.name.clone()));
            for index in &table.target.indexes {
                *counts.entry((schema.clone(), index.name.clone())).or_default() += 1;
            }
        }
    }
    for (table, first) in tables.iter_mut().zip(&first) {
        name_foreign_keys(table, limit, problems);
        if !first {
            continue;
        }
        let schema = table.target.name.schema.clone();
        let owner = table.target.name.name.clone();
        let mut renamed = Vec::new();
        // A primary key has no name of its own in MySQL (it is always PRIMARY); PostgreSQL's own habit is `table_pkey`.
        if let Some(key) = &mut table.target.primary_key {
            key.name = free_name(format!("{owner}_pkey"), &schema, limit, &mut taken);
        }
        for index in &mut table.target.indexes {
            let shared = counts.get(&(schema.clone(), index.name.clone())).is_some_and(|count| *count > 1);
            let clash = per_schema && (shared || taken.contains(&(schema.clone(), index.name.clone())));
            let wanted = if clash { format!("{owner}_{}", index.name) } else { index.name.clone() };
            let name = if per_schema { free_name(wanted, &schema, limit, &mut taken) } else { shorten(&wanted, limit) };
            if name != index.name {
                renamed.push(format!("`{}` becomes `{name}`", index.name));
                index.name = name;
            }
        }
        if !renamed.is_empty() {
            let why = format!("index names are unique per schema in the target: {}", renamed.join(", "));
            problems.push(Problem::new(Severity::Note, "index names", &table.source.name, why));
        }
    }
}

/// Names of constraints are unique per table in PostgreSQL. Foreign keys come after what stands in the table itself.
fn name_foreign_keys(table: &mut super::MappedTable, limit: Option<usize>, problems: &mut Vec<Problem>) {
    let owner = table.target.name.name.clone();
    let made = table.target.columns.iter().map(|column| format!("{owner}_{}_check", column.name));
    let mut taken: HashSet<(String, String)> =
        made.chain([format!("{owner}_pkey")]).map(|name| (String::new(), shorten(&name, limit))).collect();
    let mut renamed = Vec::new();
    for key in &mut table.target.foreign_keys {
        let name = free_name(key.name.clone(), "", limit, &mut taken);
        if name != key.name {
            renamed.push(format!("`{}` becomes `{name}`", key.name));
            key.name = name;
        }
    }
    if !renamed.is_empty() {
        let why = format!("the names of a table's constraints are short and unique in the target: {}", renamed.join(", "));
        problems.push(Problem::new(Severity::Note, "foreign key names", &table.source.name, why));
    }
}

fn free_name(wanted: String, schema: &str, limit: Option<usize>, taken: &mut HashSet<(String, String)>) -> String {
    let mut name = shorten(&wanted, limit);
    let mut number = 2;
    while !taken.insert((schema.to_string(), name.clone())) {
        name = shorten(&format!("{wanted}_{number}"), limit);
        number += 1;
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_name_is_cut_at_a_character_and_stays_distinct() {
        let one = "ä".repeat(40) + "1";
        let two = "ä".repeat(40) + "2";
        let (short_one, short_two) = (shorten(&one, Some(63)), shorten(&two, Some(63)));
        assert!(short_one.len() <= 63 && short_two.len() <= 63);
        assert_ne!(short_one, short_two);
        assert_eq!(shorten("orders", Some(63)), "orders");
        assert_eq!(shorten(&one, None), one);
    }
}
