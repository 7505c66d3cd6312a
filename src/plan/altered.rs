//! What has changed in a table of the source since a plan was made, in words.

use serde::Serialize;

use super::changes;
use crate::model::Table;
use crate::model::catalog::{Check, Column, DefaultValue, ForeignKey, Index};

/// The changes, the more important ones first; none when nothing differs that is told here.
pub fn of_table(before: &Table, now: &Table) -> Vec<String> {
    let mut all = Vec::new();
    let order = |table: &Table| table.columns.iter().map(|column| column.name.clone()).collect::<Vec<_>>();
    each("column", &before.columns, &now.columns, |column| &column.name, shape, of_column, &mut all);
    let (old, new) = (order(before), order(now));
    let same_names = old.len() == new.len() && old.iter().all(|name| new.contains(name));
    if same_names && old != new {
        all.push("its columns stand in another order".into());
    }
    match (&before.primary_key, &now.primary_key) {
        (None, Some(key)) => all.push(format!("the primary key ({}) is new", parts(key))),
        (Some(key), None) => all.push(format!("the primary key ({}) is gone", parts(key))),
        (Some(old), Some(new)) if old != new => {
            all.push(format!("the primary key was ({}) and is ({})", parts(old), parts(new)));
        }
        _ => {}
    }
    each("index", &before.indexes, &now.indexes, |index| &index.name, index_shape, of_index, &mut all);
    each("foreign key", &before.foreign_keys, &now.foreign_keys, |key| &key.name, key_shape, of_key, &mut all);
    each("check", &before.checks, &now.checks, |check| &check.name, |check| check.expression.clone(), of_check, &mut all);
    if before.storage != now.storage {
        all.push(format!("its storage engine was {} and is {}", before.storage, now.storage));
    }
    if before.comment != now.comment {
        all.push("its comment is another one".into());
    }
    if all.is_empty() { changes::of_fields(&super::bare(before), &super::bare(now)) } else { changes::cut(all) }
}

/// What is new, what is gone and what is another one, by name.
fn each<T: PartialEq + Serialize>(
    what: &str,
    before: &[T],
    now: &[T],
    name: impl Fn(&T) -> &str,
    shape: impl Fn(&T) -> String,
    between: impl Fn(&T, &T) -> Vec<String>,
    all: &mut Vec<String>,
) {
    for old in before {
        match now.iter().find(|new| name(new) == name(old)) {
            None => all.push(format!("the {what} `{}` ({}) is gone", name(old), shape(old))),
            Some(new) if new != old => {
                let mut found = between(old, new);
                if found.is_empty() {
                    found = changes::of_fields(old, new);
                }
                all.push(format!("the {what} `{}` {}", name(old), found.join(", ")));
            }
            Some(_) => {}
        }
    }
    for new in now.iter().filter(|new| !before.iter().any(|old| name(old) == name(new))) {
        all.push(format!("the {what} `{}` ({}) is new", name(new), shape(new)));
    }
}

fn shape(column: &Column) -> String {
    format!("{}{}", column.native.full, if column.nullable { "" } else { " not null" })
}

fn of_column(old: &Column, new: &Column) -> Vec<String> {
    let mut all = Vec::new();
    if old.native.full != new.native.full {
        all.push(format!("was {} and is {}", old.native.full, new.native.full));
    }
    if old.native.labels != new.native.labels && old.native.full == new.native.full {
        all.push(format!("had the labels {} and has {}", old.native.labels.join(", "), new.native.labels.join(", ")));
    }
    if old.native.collation != new.native.collation {
        let named = |column: &Column| column.native.collation.clone().unwrap_or_else(|| "no collation".into());
        all.push(format!("had {} and has {}", named(old), named(new)));
    }
    match (old.nullable, new.nullable) {
        (true, false) => all.push("may not be NULL any more".into()),
        (false, true) => all.push("may be NULL now".into()),
        _ => {}
    }
    if old.default != new.default {
        all.push(format!("had {} and has {}", default(old), default(new)));
    }
    match (&old.generated, &new.generated) {
        (None, Some(_)) => all.push("is computed by the database now".into()),
        (Some(_), None) => all.push("is not computed by the database any more".into()),
        (Some(one), Some(two)) if one != two => all.push("is computed in another way".into()),
        _ => {}
    }
    match (old.identity, new.identity) {
        (true, false) => all.push("does not number new rows any more".into()),
        (false, true) => all.push("numbers new rows now".into()),
        _ => {}
    }
    if old.comment != new.comment {
        all.push("has another comment".into());
    }
    all
}

fn default(column: &Column) -> String {
    match &column.default {
        None => "no default".into(),
        Some(DefaultValue::Literal(text) | DefaultValue::Expression(text)) => format!("the default `{text}`"),
        Some(DefaultValue::CurrentTimestamp(_)) => "the time of the statement as its default".into(),
        Some(_) => "a default".into(),
    }
}

fn parts(index: &Index) -> String {
    let part = |part: &crate::model::catalog::IndexPart| {
        let name = part.column.as_deref().or(part.expression.as_deref()).unwrap_or_default();
        let prefix = part.prefix.map(|length| format!("({length})")).unwrap_or_default();
        format!("{name}{prefix}{}", if part.descending { " desc" } else { "" })
    };
    index.parts.iter().map(part).collect::<Vec<_>>().join(", ")
}

fn index_shape(index: &Index) -> String {
    format!("{}{}", if index.unique { "unique on " } else { "on " }, parts(index))
}

fn of_index(old: &Index, new: &Index) -> Vec<String> {
    let (before, after) = (index_shape(old), index_shape(new));
    if before == after { Vec::new() } else { vec![format!("was {before} and is {after}")] }
}

fn key_shape(key: &ForeignKey) -> String {
    format!("{} to {}", key.columns.join(", "), key.parent)
}

fn of_key(old: &ForeignKey, new: &ForeignKey) -> Vec<String> {
    let (before, after) = (key_shape(old), key_shape(new));
    let what = if before == after {
        "does something else when its parent changes".into()
    } else {
        format!("was {before} and is {after}")
    };
    vec![what]
}

fn of_check(old: &Check, new: &Check) -> Vec<String> {
    if old.expression == new.expression {
        return vec![if new.enforced { "is enforced now" } else { "is not enforced any more" }.into()];
    }
    vec![format!("was `{}` and is `{}`", old.expression, new.expression)]
}
