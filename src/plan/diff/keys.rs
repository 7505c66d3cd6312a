//! Keys, indexes and foreign keys of two plans: which come, which go, and which are otherwise.

use crate::model::ObjectName;
use crate::model::catalog::Index;
use crate::plan::{Plan, TablePlan};

use super::{Change, How};

/// A key or an index that the target will have.
pub(super) struct Key {
    /// What sort of thing.
    pub(super) what: &'static str,
    /// Its name.
    pub(super) name: String,
    /// What it is over, in the target's names.
    over: String,
    /// The same in the source's names, which no rename changes.
    pub(super) origin: String,
}

/// What a statement of the plan makes, in the order of the model: what the target cannot make is a problem, and no key.
pub(super) fn keys(plan: &Plan, table: &TablePlan) -> Vec<Key> {
    let target = &table.mapped.target;
    let name = table.target().to_string();
    let made = |wanted: &str| {
        let mut own = plan.ddl.iter().filter(|ddl| ddl.table.as_ref() == Some(table.target()));
        own.any(|ddl| ddl.object.strip_suffix(wanted).is_some_and(|before| before.ends_with(' ')))
    };
    let mut keys = Vec::new();
    let to_origin = |column: &str| origin(table, column);
    for key in target.primary_key.iter().filter(|_| made(&format!("key of {name}"))) {
        keys.push(of_index("primary key", key, &to_origin));
    }
    for index in target.indexes.iter().filter(|index| made(&index.name)) {
        keys.push(of_index(if index.unique { "unique index" } else { "index" }, index, &to_origin));
    }
    for key in target.foreign_keys.iter().filter(|key| made(&key.name)) {
        let parent = plan.tables.iter().find(|parent| *parent.target() == key.parent);
        let source: &ObjectName = parent.map_or(&key.parent, TablePlan::source);
        let parent_columns: Vec<String> = key
            .parent_columns
            .iter()
            .map(|column| parent.map_or_else(|| column.clone(), |parent| origin(parent, column)))
            .collect();
        let columns: Vec<String> = key.columns.iter().map(|column| to_origin(column)).collect();
        keys.push(Key {
            what: "foreign key",
            name: key.name.clone(),
            over: format!("({}) to {} ({})", key.columns.join(", "), key.parent, key.parent_columns.join(", ")),
            origin: format!("({}) to {source} ({})", columns.join(", "), parent_columns.join(", ")),
        });
    }
    keys
}

/// The source's name of a target column; one that is computed anew keeps its own.
fn origin(table: &TablePlan, target: &str) -> String {
    let column = table.mapped.columns.iter().find(|column| column.target == target);
    column.map(|column| &column.source).filter(|source| !source.is_empty()).map_or_else(|| target.to_string(), String::clone)
}

fn of_index(what: &'static str, index: &Index, to_origin: &dyn Fn(&str) -> String) -> Key {
    let over = |name: &dyn Fn(&str) -> String| {
        let parts = index.parts.iter().map(|part| {
            let mut text = match (&part.column, &part.expression) {
                (Some(column), _) => name(column),
                (None, expression) => format!("({})", expression.as_deref().unwrap_or_default()),
            };
            if let Some(prefix) = part.prefix {
                text.push_str(&format!("({prefix})"));
            }
            if part.descending {
                text.push_str(" desc");
            }
            text
        });
        format!("({})", parts.collect::<Vec<_>>().join(", "))
    };
    Key { what, name: index.name.clone(), over: over(&str::to_string), origin: over(to_origin) }
}

/// What is otherwise about a key. The name of a primary key follows its table's, which is told.
pub(super) fn change(left: Option<&Key>, right: Option<&Key>) -> Option<Change> {
    match (left, right) {
        (Some(left), None) => Some(Change::new(How::Goes, left.what, &left.name).from(&left.over)),
        (None, Some(right)) => Some(Change::new(How::Comes, right.what, &right.name).to(&right.over)),
        (Some(left), Some(right)) if left.origin != right.origin => {
            Some(Change::new(How::Changes, right.what, &right.name).from(&left.over).to(&right.over))
        }
        (Some(left), Some(right)) if left.name != right.name && right.what != "primary key" => {
            Some(Change::new(How::Renamed, right.what, &right.name).from(&left.name).to(&right.name))
        }
        _ => None,
    }
}
