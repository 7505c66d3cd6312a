//! Foreign keys follow their parents: through renames, to the part of a split table that has the key, and over discriminators.

use std::collections::HashMap;

use crate::config::rules::TableRule;
use crate::model::ObjectName;
use crate::model::catalog::{ForeignKey, Problem, ReferentialAction, Severity};

use super::discriminator::{constant, fronts};
use super::{Mapped, MappedTable, lines, parts};

/// Points the foreign keys to where their parents are. A parent that is not carried keeps its source name; the target lists the key.
/// `resolved` has the rule of each table.
pub(super) fn point(mapped: &mut Mapped, resolved: &[Option<TableRule>]) {
    let Mapped { tables, problems, .. } = mapped;
    let mut by_source: HashMap<&ObjectName, Vec<&MappedTable>> = HashMap::new();
    for table in tables.iter() {
        by_source.entry(&table.source.name).or_default().push(table);
    }
    let mut pointed = Vec::new();
    for (table, rule) in tables.iter().zip(resolved) {
        let mut keys = Vec::new();
        for key in &table.target.foreign_keys {
            let Some(all) = by_source.get(&key.parent) else {
                if key.parent.schema == table.source.name.schema {
                    keys.push(key.clone());
                } else {
                    // Under its source's name it might be taken for another table of the target.
                    problems.push(elsewhere(table, key, &by_source));
                }
                continue;
            };
            let found = parts::parent(all, &key.parent_columns).and_then(|parent| {
                // The rule of a part is that of its place.
                let place = tables.iter().position(|other| std::ptr::eq(other, parent));
                let parent_rule = place.and_then(|place| resolved.get(place)).and_then(Option::as_ref);
                to(key, parent, &fronts(parent_rule, &parent.columns), table, &fronts(rule.as_ref(), &table.columns))
            });
            match found {
                Ok(key) => keys.push(key),
                Err(why) => {
                    let name = format!("{}.{}", table.source.name, key.name);
                    problems.push(Problem::new(Severity::NotCarried, "foreign key", name, why).ddl(ddl(key)));
                }
            }
        }
        pointed.push(keys);
    }
    for (table, keys) in tables.iter_mut().zip(pointed) {
        table.target.foreign_keys = keys;
    }
}

/// The problem of a key to a table of another database that is not carried.
fn elsewhere(table: &MappedTable, key: &ForeignKey, by_source: &HashMap<&ObjectName, Vec<&MappedTable>>) -> Problem {
    let (own, other) = (&table.source.name.schema, &key.parent.schema);
    let name = format!("{}.{}", table.source.name, key.name);
    let why = format!("the table `{}` that it points to is not carried", key.parent);
    let problem = |why: String| Problem::new(Severity::NotCarried, "foreign key", name, why).ddl(ddl(key));
    if by_source.keys().any(|name| name.schema == *other) {
        return problem(why);
    }
    let hint = format!(
        "Carry both in one run (`--database {own} --database {other}`, with an address that names no database), or add to the mapping \
         file (`-m FILE`):\n{}",
        lines::table(&table.source.name, &format!("drop_foreign_keys = [{}]", lines::string(&key.name)))
    );
    let refused = problem(format!("{why}: the database `{other}` is not in the run"));
    Problem { severity: Severity::Refused, ..refused }.hint(hint)
}

/// `key`, pointed to `parent`. Where the parent's key begins with discriminators, the child's own ones of the same value join the key.
fn to(
    key: &ForeignKey,
    parent: &MappedTable,
    parent_fronts: &[String],
    child: &MappedTable,
    child_fronts: &[String],
) -> Result<ForeignKey, String> {
    let mut pointed = ForeignKey { parent: parent.target.name.clone(), ..key.clone() };
    for name in &mut pointed.parent_columns {
        if let Some(column) = parent.columns.iter().find(|column| column.source == *name) {
            name.clone_from(&column.target);
        }
    }
    let missing: Vec<&String> = parent_fronts.iter().filter(|front| !pointed.parent_columns.contains(front)).collect();
    if missing.is_empty() {
        return Ok(pointed);
    }
    let sets = |action| matches!(action, ReferentialAction::SetNull | ReferentialAction::SetDefault);
    for front in missing.into_iter().rev() {
        let value = |table: &MappedTable| {
            let column = table.columns.iter().find(|column| column.target == *front)?;
            constant(&column.computed.as_ref()?.sql)
        };
        let agrees = child_fronts.contains(front) && value(child).is_some() && value(child) == value(parent);
        if !agrees {
            return Err(format!(
                "the key of `{}` begins with `{front}`, and `{}` has no `{front}` with `key = true` and the same constant",
                parent.target.name, child.target.name
            ));
        }
        if sets(key.on_delete) || sets(key.on_update) {
            return Err(format!("it would set `{front}`, which joins it, to NULL or to its default"));
        }
        pointed.columns.insert(0, front.clone());
        pointed.parent_columns.insert(0, front.clone());
    }
    Ok(pointed)
}

/// The key in words of SQL.
pub(super) fn ddl(key: &ForeignKey) -> String {
    format!(
        "CONSTRAINT {} FOREIGN KEY ({}) REFERENCES {} ({})",
        key.name,
        key.columns.join(", "),
        key.parent,
        key.parent_columns.join(", ")
    )
}
