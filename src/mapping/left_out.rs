//! Indexes and foreign keys that a table's rule is about: left out, each listed, or made in another way.

use crate::config::rules::{IndexChoice, TableRule};
use crate::model::catalog::{Index, IndexMethod, Problem, Severity, Table};

use super::{dropped, foreign_keys};

/// Of `target`, which still has the names of the source, leaves out what the rule leaves out, and marks what is to be over hashes.
pub(super) fn choose(source: &Table, rule: Option<&TableRule>, target: &mut Table, problems: &mut Vec<Problem>) {
    let Some(rule) = rule else { return };
    let mut lost = |object: &str, name: String, ddl: String| {
        let why = "left out, as the mapping says";
        problems.push(Problem::new(Severity::NotCarried, object, name, why).ddl(ddl));
    };
    target.foreign_keys.retain(|key| {
        let dropped = rule.drop_foreign_keys.contains(&key.name);
        if dropped {
            lost("foreign key", format!("{}.{}", source.name, key.name), foreign_keys::ddl(key));
        }
        !dropped
    });
    let mut kept = |index: &mut Index| match rule.indexes.get(&index.name) {
        Some(IndexChoice::Drop) => {
            let kind = if index.unique { "unique index" } else { "index" };
            let ddl = format!("{} {} ({})", kind.to_uppercase(), index.name, dropped::parts(index));
            lost(kind, format!("{}.{}", source.name, index.name), ddl);
            false
        }
        Some(IndexChoice::Hash) if index.method == IndexMethod::BTree => {
            index.method = IndexMethod::Hash;
            true
        }
        Some(IndexChoice::Hash | IndexChoice::AsIs) | None => true,
    };
    if !target.primary_key.as_mut().is_none_or(&mut kept) {
        target.primary_key = None;
    }
    target.indexes.retain_mut(kept);
}

/// Names in the rule that none of its tables has: each with its kind and what there is.
pub(super) fn unknown_names<'c>(rule: &TableRule, tables: &[&'c Table]) -> Vec<(&'static str, String, Vec<&'c str>)> {
    let keys: Vec<&str> = tables.iter().flat_map(|table| &table.foreign_keys).map(|key| key.name.as_str()).collect();
    let indexes = tables.iter().flat_map(|table| table.primary_key.iter().chain(&table.indexes));
    let indexes: Vec<&str> = indexes.map(|index| index.name.as_str()).collect();
    let of = |what: &'static str, name: &String, known: &Vec<&'c str>| {
        (!known.contains(&name.as_str())).then(|| (what, name.clone(), known.clone()))
    };
    let unknown_keys = rule.drop_foreign_keys.iter().filter_map(|name| of("foreign key", name, &keys));
    unknown_keys.chain(rule.indexes.keys().filter_map(|name| of("index", name, &indexes))).collect()
}
