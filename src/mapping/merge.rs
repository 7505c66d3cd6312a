//! Several tables that become one: their columns are brought into one form, and what can only be had once is the first one's.
//!
//! The first is the one whose rule stands first in the file, or the first by name within one rule. Columns are matched by their names in the
//! target; one that a table lacks is NULL there, if it may be NULL. Types must be equal; NULL is allowed where one of the tables allows it.
//! Keys, indexes, defaults, checks and comments are those of the first, and what others have besides is listed. A foreign key is made if each
//! table has it, or lacks one of its columns. The next id is the largest of all.

use std::collections::HashMap;

use crate::config::rules::TableRule;
use crate::engine::Dialect;
use crate::model::ObjectName;
use crate::model::catalog::{Column, ForeignKey, Index, Problem, Severity, Table};
use crate::transform::expr::Rounding;

use super::{ColumnMapping, Computed, Mapped, MappedTable, dropped, foreign_keys, names};

/// What a column is computed by that a merged table does not have.
const LACKING: &str = "NULL";

/// True for a column that stands in for one which its table does not have: it is NULL throughout.
pub fn is_lacking(mapping: &ColumnMapping) -> bool {
    mapping.source.is_empty() && mapping.computed.as_ref().is_some_and(|computed| computed.sql == LACKING)
}

/// Brings the tables that go into one target table into one form. Where one of them does not say `merge`, all are left as they are, and
/// refused for their name later.
pub(super) fn align(mapped: &mut Mapped, resolved: &[Option<TableRule>]) {
    let Mapped { tables, problems, .. } = mapped;
    let mut groups: Vec<(ObjectName, Vec<usize>)> = Vec::new();
    let mut places: HashMap<ObjectName, usize> = HashMap::new();
    for (place, table) in tables.iter().enumerate() {
        let group = *places.entry(table.target.name.clone()).or_insert_with(|| {
            groups.push((table.target.name.clone(), Vec::new()));
            groups.len() - 1
        });
        groups[group].1.push(place);
    }
    let rule = |place: usize| resolved.get(place).and_then(Option::as_ref);
    for (name, mut members) in groups {
        let says_merge = |place: &usize| rule(*place).is_some_and(|rule| rule.merge);
        if let [alone] = members.as_slice()
            && says_merge(alone)
        {
            let why = "its rule says `merge = true`, and no other table goes there";
            problems.push(Problem::new(Severity::Note, "merged table", &name, why));
        }
        let mut sources: Vec<&ObjectName> = members.iter().map(|place| &tables[*place].source.name).collect();
        sources.sort();
        // Two parts of one table are no two tables: their rows would come twice, or belong into one part.
        let twice = sources.windows(2).any(|pair| pair[0] == pair[1]);
        if members.len() < 2 || twice || !members.iter().all(says_merge) {
            continue;
        }
        members.sort_by_key(|place| (rule(*place).map(|rule| rule.line), *place));
        let sources: Vec<String> = members.iter().map(|place| format!("`{}`", tables[*place].source.name)).collect();
        let why = format!("the rows of {} come together in it; they are counted and compared together", sources.join(", "));
        problems.push(Problem::new(Severity::Note, "merged table", &name, why));
        let target = united(&members, tables, problems);
        list_differences(&members, tables, problems);
        for place in members {
            fit(&mut tables[place], &target);
        }
    }
}

/// The target table of all members: the first one's, with the columns of all.
fn united(members: &[usize], tables: &[MappedTable], problems: &mut Vec<Problem>) -> Table {
    let all: Vec<&MappedTable> = members.iter().map(|place| &tables[*place]).collect();
    let mut target = all.first().map(|first| first.target.clone()).unwrap_or_else(|| Table::new(ObjectName::new("", "")));
    let numbered = target.columns.iter().any(|column| column.identity);
    for table in all.iter().skip(1) {
        for column in &table.target.columns {
            if target.column(&column.name).is_some() {
                continue;
            }
            if numbered && column.identity {
                let place = format!("{}.{}", table.source.name, column.name);
                let why = format!("another column of `{}` hands out its numbers", target.name);
                problems.push(Problem::new(Severity::NotCarried, "auto-increment", place, why));
            }
            target.columns.push(Column { identity: column.identity && !numbered, ..column.clone() });
        }
    }
    let key: Vec<String> = target.primary_key.iter().flat_map(|key| &key.parts).filter_map(|part| part.column.clone()).collect();
    for column in &mut target.columns {
        unite(column, &target.name, &all, problems);
        if key.contains(&column.name) {
            column.nullable = false;
        }
    }
    target
}

/// One column of all tables that have it.
fn unite(column: &mut Column, target: &ObjectName, all: &[&MappedTable], problems: &mut Vec<Problem>) {
    let place = format!("{target}.{}", column.name);
    let (mut lacking, mut having) = (Vec::new(), Vec::new());
    for table in all {
        let found = table.columns.iter().zip(&table.target.columns).find(|(_, own)| own.name == column.name);
        match found {
            Some((mapping, own)) => having.push((*table, mapping, own)),
            None => lacking.push(*table),
        }
    }
    let Some((first, (first_mapping, first_own))) = having.first().map(|(table, mapping, own)| (*table, (*mapping, *own))) else {
        return;
    };
    for (table, mapping, own) in having.iter().skip(1) {
        let same = mapping.to == first_mapping.to
            && own.native.full == first_own.native.full
            && own.native.labels == first_own.native.labels
            && own.native.srid == first_own.native.srid;
        if !same {
            let why = format!(
                "of `{}` it becomes `{}` ({}), and of `{}` it becomes `{}` ({}): one column has one type",
                first.source.name,
                shown(first_own),
                first_mapping.rule,
                table.source.name,
                shown(own),
                mapping.rule
            );
            let lines = [(first, first_mapping), (*table, *mapping)].map(|(table, mapping)| {
                let name = if mapping.source.is_empty() { &mapping.target } else { &mapping.source };
                format!("[[table]]\nname = \"{}\"\n[table.columns.\"{name}\"]\nto = \"…\"", table.source.name.name)
            });
            let hint = format!("Give both the same type in the mapping file:\n{}", lines.join("\n"));
            problems.push(Problem::new(Severity::Refused, "merged column", &place, why).hint(hint));
        }
    }
    // The sign is a check of the target: only where all demand it.
    column.native.unsigned = having.iter().all(|(_, _, own)| own.native.unsigned);
    column.nullable = !lacking.is_empty() || having.iter().any(|(_, _, own)| own.nullable);
    let demands = having.iter().find(|(_, _, own)| !own.nullable);
    for table in lacking {
        let name = &table.source.name;
        match demands {
            None => {
                let why = format!("`{name}` does not have it: it is NULL in its rows");
                problems.push(Problem::new(Severity::Note, "merged column", &place, why));
            }
            Some((other, ..)) => {
                let why = format!("`{name}` does not have it, and of `{}` it is NOT NULL", other.source.name);
                let hint = format!(
                    "Say in the mapping what it is there:\n[[table]]\nname = \"{}\"\n[table.columns.\"{}\"]\nexpr = \"…\"",
                    name.name, column.name
                );
                problems.push(Problem::new(Severity::Refused, "merged column", &place, why).hint(hint));
            }
        }
    }
}

fn shown(column: &Column) -> String {
    let labels = &column.native.labels;
    if labels.is_empty() { column.native.full.clone() } else { format!("{} of {}", column.native.full, labels.join(", ")) }
}

/// Lists what others than the first have besides.
fn list_differences(members: &[usize], tables: &[MappedTable], problems: &mut Vec<Problem>) {
    let mut all = members.iter().map(|place| &tables[*place]);
    let Some(first) = all.next() else { return };
    let why = format!("`{}` comes first in `{}`, and has another one, or none", first.source.name, first.target.name);
    for table in all {
        let name = &table.source.name;
        let mut list = |object: &str, name: String, ddl: String| {
            problems.push(Problem::new(Severity::NotCarried, object, name, &why).ddl(ddl));
        };
        let same = |one: &Index, two: &Index| (&one.parts, one.unique, one.method) == (&two.parts, two.unique, two.method);
        if let Some(key) = &table.target.primary_key
            && !first.target.primary_key.as_ref().is_some_and(|other| same(key, other))
        {
            list("primary key", name.to_string(), format!("PRIMARY KEY ({})", dropped::parts(key)));
        }
        for index in &table.target.indexes {
            if !first.target.indexes.iter().any(|other| same(index, other)) {
                let kind = if index.unique { "unique index" } else { "index" };
                let ddl = format!("{} {} ({})", kind.to_uppercase(), index.name, dropped::parts(index));
                list(kind, format!("{name}.{}", index.name), ddl);
            }
        }
        for check in &table.target.checks {
            if !first.target.checks.iter().any(|other| other.expression == check.expression) {
                list("check", format!("{name}.{}", check.name), format!("CHECK ({})", check.expression));
            }
        }
        if !table.target.comment.is_empty() && table.target.comment != first.target.comment {
            list("comment", name.to_string(), table.target.comment.clone());
        }
        for column in &table.target.columns {
            let Some(other) = first.target.column(&column.name) else { continue };
            let place = format!("{name}.{}", column.name);
            if let Some(default) = column.default.as_ref().filter(|_| column.default != other.default) {
                list("default", place.clone(), format!("{default:?}"));
            }
            if column.identity && !other.identity {
                list("auto-increment", place.clone(), "AUTO_INCREMENT".into());
            }
            if !column.comment.is_empty() && column.comment != other.comment {
                list("comment", place, column.comment.clone());
            }
        }
        let keys = first.target.primary_key.iter().chain(first.target.indexes.iter().filter(|index| index.unique));
        let own: Vec<&Index> =
            table.target.primary_key.iter().chain(table.target.indexes.iter().filter(|index| index.unique)).collect();
        for key in keys.filter(|key| !own.iter().any(|other| other.parts == key.parts)) {
            let why = format!("`{name}` has no such key: its own rows may break it, and the target decides when the key is made");
            let place = format!("{} ({})", first.target.name, dropped::parts(key));
            problems.push(Problem::new(Severity::Note, "merged key", place, why));
        }
    }
}

/// Gives a table the columns of `target`, in their order, and all else of it but its own foreign keys.
fn fit(table: &mut MappedTable, target: &Table) {
    let columns = target.columns.iter().map(|column| {
        let own = table.columns.iter().find(|mapping| mapping.target == column.name).cloned();
        own.unwrap_or_else(|| {
            let to = column.logical.clone().unwrap_or(crate::model::LogicalType::Text { length: None });
            ColumnMapping {
                source: String::new(),
                target: column.name.clone(),
                from: to.clone(),
                to,
                computed: Some(Computed { sql: LACKING.into(), rounding: Rounding::Exact }),
                rule: "the table does not have it".into(),
                mask: None,
            }
        })
    });
    table.columns = columns.collect();
    let foreign_keys = std::mem::take(&mut table.target.foreign_keys);
    let next_identity = table.target.next_identity;
    table.target = Table { foreign_keys, next_identity, ..target.clone() };
    table.merged = true;
}

/// Makes one target of those of merged tables, once names and foreign keys are settled: each gets the same.
pub(super) fn join(mapped: &mut Mapped, dialect: &dyn Dialect) {
    let Mapped { tables, problems, .. } = mapped;
    let mut groups: HashMap<ObjectName, Vec<usize>> = HashMap::new();
    for (place, table) in tables.iter().enumerate().filter(|(_, table)| table.merged) {
        groups.entry(table.target.name.clone()).or_default().push(place);
    }
    let mut groups: Vec<Vec<usize>> = groups.into_values().collect();
    groups.sort();
    for members in groups {
        let Some(first) = members.first() else { continue };
        let mut target = tables[*first].target.clone();
        let all: Vec<&MappedTable> = members.iter().map(|place| &tables[*place]).collect();
        target.foreign_keys = shared_keys(&all, dialect, problems);
        target.next_identity = all.iter().filter_map(|table| table.target.next_identity).max();
        if !target.columns.iter().any(|column| column.identity) {
            target.next_identity = None;
        }
        target.estimated_rows = all.iter().fold(0, |sum, table| table.source.estimated_rows.saturating_add(sum));
        target.estimated_bytes = all.iter().fold(0, |sum, table| table.source.estimated_bytes.saturating_add(sum));
        for place in members {
            tables[place].target = target.clone();
        }
    }
}

/// The foreign keys that hold for the rows of each table, each once; the others are listed.
fn shared_keys(all: &[&MappedTable], dialect: &dyn Dialect, problems: &mut Vec<Problem>) -> Vec<ForeignKey> {
    let alike = |one: &ForeignKey, two: &ForeignKey| {
        (&one.columns, &one.parent, &one.parent_columns) == (&two.columns, &two.parent, &two.parent_columns)
    };
    let mut made: Vec<ForeignKey> = Vec::new();
    let mut refused: Vec<&ForeignKey> = Vec::new();
    for table in all {
        for key in &table.target.foreign_keys {
            let name = format!("{}.{}", table.source.name, key.name);
            let not_carried =
                |why: String| Problem::new(Severity::NotCarried, "foreign key", &name, why).ddl(foreign_keys::ddl(key));
            if let Some(other) = made.iter().find(|other| alike(other, key)) {
                if (other.on_delete, other.on_update) != (key.on_delete, key.on_update) {
                    problems.push(not_carried(format!("`{}` has the same key with other actions, and comes first", other.name)));
                }
                continue;
            }
            if refused.iter().any(|other| alike(other, key)) {
                continue;
            }
            let lacks = |other: &&&MappedTable| {
                let has = other.target.foreign_keys.iter().any(|own| alike(own, key));
                let null = other.columns.iter().any(|column| is_lacking(column) && key.columns.contains(&column.target));
                !has && !null
            };
            if let Some(other) = all.iter().find(lacks) {
                let (target, other) = (&table.target.name, &other.source.name);
                let why = format!("the rows of `{other}`, which go into `{target}` too, are not bound by it");
                problems.push(not_carried(why));
                refused.push(key);
                continue;
            }
            let mut key = key.clone();
            let (wanted, mut number) = (key.name.clone(), 2);
            while made.iter().any(|other| other.name == key.name) {
                key.name = names::shorten(&format!("{wanted}_{number}"), dialect.max_name_bytes());
                number += 1;
            }
            made.push(key);
        }
    }
    made
}
