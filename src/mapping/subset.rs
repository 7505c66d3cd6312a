//! Subsets: a consistent small copy, by following foreign keys from chosen rows.
//!
//! The conditions of a table with `follow` choose *seeds*. With *T* and *P* tables and a foreign key from *T* to *P*:
//!
//! - Chosen: the seeds of *T*; and, where `P`'s chosen rows take their children along, the rows of *T* that point to one of them. If *T* has
//!   a condition and no `follow` of its own, only those of them for which it is true.
//! - Carried: the chosen rows, and the rows of *P* that a carried row of *T* points to, whatever conditions *P* has.
//!
//! First down, then up: what is needed does not bring its other children. Both are the smallest sets for which this holds, so circles and
//! tables that point to themselves are no exception. A table below a subset that nothing asks for would point to rows that are not there;
//! it arrives empty, and so does what is below it. All other tables are carried whole.
//!
//! All of it becomes one condition in the source's own SQL per table, its `row_filter`, so that reader, counts, profiles and a later
//! verification see the same rows.

use std::collections::HashMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::rules::Rules;
use super::{Mapped, MappedTable};
use crate::config::rules::TableRule;
use crate::config::subset::Follow;
use crate::error::{Error, ErrorKind};
use crate::model::ObjectName;
use crate::model::catalog::{Catalog, ForeignKey, Problem, Severity, Table};
use crate::model::row_set::{RowLink, RowSet, RowSetPart};

/// Why these rows of a table are carried, and not others.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subset {
    /// The table's own conditions, as the mapping writes them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<String>,
    /// The same in the source's own SQL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub own_filter: Option<String>,
    /// What the own conditions choose is carried, and followed if that is wanted.
    #[serde(default)]
    pub seed: bool,
    /// Tables whose chosen rows take along those of this table that point to them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub children_of: Vec<ObjectName>,
    /// Tables whose carried rows point to rows of this one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub needed_by: Vec<ObjectName>,
    /// Tables above it of which only a part is carried, and nothing asks for this one: it arrives empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub empty_below: Vec<ObjectName>,
}

impl Subset {
    /// True if other tables are looked at to choose the rows.
    pub fn looks_elsewhere(&self) -> bool {
        !self.children_of.is_empty() || !self.needed_by.is_empty()
    }
}

impl fmt::Display for Subset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = |tables: &[ObjectName]| tables.iter().map(|table| format!("`{}`", table.name)).collect::<Vec<_>>().join(", ");
        if !self.empty_below.is_empty() {
            return write!(
                f,
                "arrives empty: it points to {}, of which only a part is carried, and nothing asks for its rows",
                names(&self.empty_below)
            );
        }
        let mut parts = Vec::new();
        let own = self.conditions.iter().map(|one| format!("`{one}`")).collect::<Vec<_>>().join(" and ");
        if self.seed {
            parts.push(format!("what {own} chooses"));
        }
        if !self.children_of.is_empty() {
            let narrowed = if self.seed || own.is_empty() { String::new() } else { format!(" and {own} lets through") };
            parts.push(format!("what points to chosen rows of {}{narrowed}", names(&self.children_of)));
        }
        if !self.needed_by.is_empty() {
            let verb = if self.needed_by.len() == 1 { "needs" } else { "need" };
            parts.push(format!("what {} {verb}", names(&self.needed_by)));
        }
        write!(f, "a subset: {}", parts.join("; "))
    }
}

/// A foreign key between two tables that are carried, by their places.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Edge {
    child: usize,
    parent: usize,
    columns: Vec<String>,
    parent_columns: Vec<String>,
}

/// The tables as far as foreign keys are concerned.
#[derive(Debug, Default)]
struct Graph {
    /// How the rows that a table's own conditions choose are followed.
    follow: Vec<Option<Follow>>,
    edges: Vec<Edge>,
}

/// What becomes of a table.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Part {
    /// Its chosen rows take their children along.
    takes_children: bool,
    /// It has rows that are chosen for pointing to chosen ones.
    is_child: bool,
    /// It is a seed, a child, or above one of those.
    taken: bool,
    /// It is below those, and is none of them.
    below: bool,
}

impl Graph {
    fn parts(&self) -> Vec<Part> {
        let mut parts = vec![Part::default(); self.follow.len()];
        for (part, follow) in parts.iter_mut().zip(&self.follow) {
            part.taken = follow.is_some();
            part.takes_children = *follow == Some(Follow::ForeignKeysAndChildren);
        }
        // Each round changes a table for good, or is the last.
        let spread = |parts: &mut Vec<Part>, change: &dyn Fn(&mut Vec<Part>, &Edge) -> bool| loop {
            let mut changed = false;
            for edge in &self.edges {
                changed |= change(parts, edge);
            }
            if !changed {
                break;
            }
        };
        spread(&mut parts, &|parts, edge| {
            let new = parts[edge.parent].takes_children && !parts[edge.child].is_child;
            if new {
                let child = &mut parts[edge.child];
                (child.is_child, child.takes_children, child.taken) = (true, true, true);
            }
            new
        });
        spread(&mut parts, &|parts, edge| {
            let new = parts[edge.child].taken && !parts[edge.parent].taken;
            parts[edge.parent].taken |= new;
            new
        });
        spread(&mut parts, &|parts, edge| {
            let above = parts[edge.parent].taken || parts[edge.parent].below;
            let new = above && !parts[edge.child].taken && !parts[edge.child].below;
            parts[edge.child].below |= new;
            new
        });
        parts
    }

    /// The sets of chosen rows, at the places of their tables, and behind them those of carried rows. `own` are the conditions.
    fn row_sets(&self, tables: &[&ObjectName], parts: &[Part], own: &[Option<String>]) -> Vec<RowSet> {
        let count = tables.len();
        let mut sets = Vec::with_capacity(2 * count);
        for carried in [false, true] {
            for (place, table) in tables.iter().enumerate() {
                let part = parts[place];
                let links_up = self.edges.iter().filter(|edge| edge.child == place && parts[edge.parent].takes_children);
                let links: Vec<RowLink> = links_up
                    .map(|edge| RowLink {
                        columns: edge.columns.clone(),
                        from: edge.parent,
                        from_columns: edge.parent_columns.clone(),
                    })
                    .collect();
                let mut set = RowSet { table: (*table).clone(), parts: Vec::new() };
                let seed = self.follow[place];
                if let (Some(follow), Some(own)) = (seed, &own[place])
                    && (carried || follow == Follow::ForeignKeysAndChildren)
                {
                    set.parts.push(RowSetPart { condition: Some(own.clone()), links: Vec::new() });
                }
                if part.is_child {
                    let narrowed = if seed.is_none() { own[place].clone() } else { None };
                    set.parts.push(RowSetPart { condition: narrowed, links });
                }
                let links_down = self.edges.iter().filter(|edge| carried && edge.parent == place && parts[edge.child].taken);
                let links: Vec<RowLink> = links_down
                    .map(|edge| RowLink {
                        columns: edge.parent_columns.clone(),
                        from: count + edge.child,
                        from_columns: edge.columns.clone(),
                    })
                    .collect();
                if !links.is_empty() {
                    set.parts.push(RowSetPart { condition: None, links });
                }
                sets.push(set);
            }
        }
        sets
    }
}

/// Gives each table of a subset its filter, and tells of each why.
pub(super) fn apply(
    mapped: &mut Mapped,
    rules: &Rules<'_>,
    resolved: &[Option<TableRule>],
    catalog: &Catalog,
    faults: &mut Vec<Error>,
) {
    let Mapped { tables, problems, .. } = mapped;
    let own_rules: Vec<Option<&TableRule>> = resolved.iter().map(Option::as_ref).collect();
    for (table, rule) in tables.iter_mut().zip(&own_rules) {
        if let Some(rule) = rule.filter(|rule| rule.sample.is_some() && rule.follow.is_none()) {
            let (conditions, own_filter) = (rule.own_conditions(), table.source.row_filter.clone());
            table.subset = Some(Subset { conditions, own_filter, seed: true, ..Subset::default() });
        }
    }
    let follow: Vec<Option<Follow>> = own_rules.iter().map(|rule| rule.and_then(|rule| rule.follow)).collect();
    if follow.iter().all(Option::is_none) {
        return tell(tables, problems);
    }
    let places: HashMap<ObjectName, usize> =
        tables.iter().enumerate().map(|(place, table)| (table.source.name.clone(), place)).collect();
    let graph = Graph { follow, edges: edges(tables, &places) };
    let parts = graph.parts();
    let before = faults.len();
    for (place, table) in tables.iter().enumerate() {
        if table.part && (parts[place].taken || parts[place].below) {
            let error = Error::new(ErrorKind::Mapping, "a table that is split into several cannot be a part of a subset");
            let error = error.hint("Carry the subset whole, and split the table in the target").table(&table.source.name);
            faults.push(match own_rules[place] {
                Some(rule) => error.file(rules.place_of(rule, None)),
                None => error,
            });
        }
        if let (Some(rule), true) = (own_rules[place], parts[place].taken || parts[place].below) {
            let at = |error: Error| error.table(&table.source.name).file(rules.place_of(rule, None));
            faults.extend(unfit(table, rule, parts[place]).map(at));
        }
    }
    if faults.len() > before {
        return;
    }
    let own: Vec<Option<String>> = tables.iter().map(|table| table.source.row_filter.clone()).collect();
    let names: Vec<ObjectName> = tables.iter().map(|table| table.source.name.clone()).collect();
    let sets = graph.row_sets(&names.iter().collect::<Vec<_>>(), &parts, &own);
    for (place, table) in tables.iter_mut().enumerate() {
        let part = parts[place];
        if !part.taken && !part.below {
            continue;
        }
        let mut subset = graph.reasons(place, &parts, &names);
        subset.conditions = own_rules[place].map(TableRule::own_conditions).unwrap_or_default();
        subset.own_filter.clone_from(&own[place]);
        if part.below {
            table.source.row_filter = Some("1 = 0".into());
            (table.source.estimated_rows, table.source.estimated_bytes) = (0, 0);
        } else {
            match rules.route.source.row_set(&sets, names.len() + place, &catalog.server) {
                Ok(filter) => table.source.row_filter = Some(filter),
                Err(error) => faults.push(error.table(&table.source.name)),
            }
            // It stands in the filter, which also lets rows through that others need.
            table.condition = None;
            untold(&table.source, part, catalog, &places, problems);
        }
        table.subset = Some(subset);
    }
    tell(tables, problems);
}

fn tell(tables: &[MappedTable], problems: &mut Vec<Problem>) {
    for table in tables {
        if let Some(subset) = &table.subset {
            problems.push(Problem::new(Severity::Note, "table", &table.source.name, subset.to_string()));
        }
    }
}

fn edges(tables: &[MappedTable], places: &HashMap<ObjectName, usize>) -> Vec<Edge> {
    let edge = |child: usize, key: &ForeignKey| {
        let parent = *places.get(&key.parent)?;
        Some(Edge { child, parent, columns: key.columns.clone(), parent_columns: key.parent_columns.clone() })
    };
    let keys = tables.iter().enumerate().flat_map(|(child, table)| table.source.foreign_keys.iter().map(move |key| (child, key)));
    let mut edges: Vec<Edge> = Vec::new();
    for edge in keys.filter_map(|(child, key)| edge(child, key)) {
        // The same foreign key twice, under two names, asks for nothing more.
        if !edges.contains(&edge) {
            edges.push(edge);
        }
    }
    edges
}

impl Graph {
    fn reasons(&self, place: usize, parts: &[Part], names: &[ObjectName]) -> Subset {
        let part = parts[place];
        let tables = |wanted: &dyn Fn(&Edge) -> Option<usize>| {
            let mut found: Vec<ObjectName> = self.edges.iter().filter_map(|edge| names.get(wanted(edge)?).cloned()).collect();
            found.sort();
            found.dedup();
            found
        };
        let above = |edge: &Edge| (edge.child == place).then_some(edge.parent);
        Subset {
            seed: self.follow[place].is_some(),
            children_of: tables(&|edge| above(edge).filter(|parent| part.is_child && parts[*parent].takes_children)),
            needed_by: tables(&|edge| {
                (edge.parent == place && part.taken).then_some(edge.child).filter(|child| parts[*child].taken)
            }),
            empty_below: tables(&|edge| {
                above(edge).filter(|parent| part.below && (parts[*parent].taken || parts[*parent].below) && *parent != place)
            }),
            ..Subset::default()
        }
    }
}

/// Why a table's own conditions do not go together with the subset that it is a part of.
fn unfit(table: &MappedTable, rule: &TableRule, part: Part) -> Option<Error> {
    let own = rule.own_conditions();
    if own.is_empty() {
        return None;
    }
    let error = |what: String| Some(Error::new(ErrorKind::Mapping, what));
    if let Some(condition) = table.condition.as_ref().filter(|condition| !condition.complete) {
        return error(format!("the source cannot check all of `{}`, so its rows cannot be followed", condition.sql))
            .map(|error| error.hint("Write the condition as `source_where`, in the source's own SQL"));
    }
    if rule.follow.is_none() && !part.is_child {
        let name = &table.source.name;
        return error(format!("`{name}` is joined by foreign keys with a subset, and its own condition does not say how")).map(
            |error| error.hint("Add `follow = \"foreign_keys\"`, so that its rows are seeds too, or take the condition out"),
        );
    }
    None
}

/// Tells of foreign keys that are not followed, since their other end is not carried.
fn untold(table: &Table, part: Part, catalog: &Catalog, places: &HashMap<ObjectName, usize>, problems: &mut Vec<Problem>) {
    let mut tell = |key: &ForeignKey, child: &ObjectName, other: &ObjectName| {
        let why = format!("`{other}` is not carried, so the subset does not follow it");
        problems.push(Problem::new(Severity::Note, "foreign key", format!("{child}.{}", key.name), why));
    };
    for key in table.foreign_keys.iter().filter(|key| !places.contains_key(&key.parent)) {
        tell(key, &table.name, &key.parent);
    }
    for child in catalog.tables.iter().filter(|child| part.takes_children && !places.contains_key(&child.name)) {
        for key in child.foreign_keys.iter().filter(|key| key.parent == table.name) {
            tell(key, &child.name, &child.name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Foreign keys as `child>parent`, seeds as `table` or `table+` for those that take their children along.
    fn parts(edges: &str, seeds: &str) -> String {
        let mut names: Vec<&str> = edges.split([' ', '>']).collect();
        names.sort_unstable();
        names.dedup();
        let place = |name: &str| names.iter().position(|one| *one == name).unwrap();
        let mut graph = Graph { follow: vec![None; names.len()], edges: Vec::new() };
        for edge in edges.split(' ') {
            let (child, parent) = edge.split_once('>').unwrap();
            let (child, parent) = (place(child), place(parent));
            graph.edges.push(Edge { child, parent, columns: vec!["p".into()], parent_columns: vec!["id".into()] });
        }
        for seed in seeds.split(' ') {
            let follow = if seed.ends_with('+') { Follow::ForeignKeysAndChildren } else { Follow::ForeignKeys };
            graph.follow[place(seed.trim_end_matches('+'))] = Some(follow);
        }
        let told = names.iter().zip(graph.parts()).map(|(name, part)| {
            let word = match part {
                Part { is_child: true, .. } => "child",
                Part { taken: true, .. } => "taken",
                Part { below: true, .. } => "empty",
                _ => "whole",
            };
            format!("{name} {word}")
        });
        told.collect::<Vec<_>>().join(", ")
    }

    #[test]
    fn parents_are_taken_what_hangs_below_is_empty_and_the_rest_is_whole() {
        let shop = "item>order order>customer note>customer stamp>note tag>label";
        assert_eq!(
            parts(shop, "order"),
            "customer taken, item empty, label whole, note empty, order taken, stamp empty, tag whole"
        );
        assert_eq!(
            parts(shop, "order+"),
            "customer taken, item child, label whole, note empty, order taken, stamp empty, tag whole"
        );
        assert_eq!(
            parts(shop, "customer+"),
            "customer taken, item child, label whole, note child, order child, stamp child, tag whole"
        );
        assert_eq!(
            parts(shop, "label"),
            "customer whole, item whole, label taken, note whole, order whole, stamp whole, tag empty"
        );
    }

    #[test]
    fn circles_and_tables_that_point_to_themselves_come_to_an_end() {
        assert_eq!(parts("staff>store store>staff rental>staff", "store"), "rental empty, staff taken, store taken");
        assert_eq!(parts("staff>store store>staff rental>staff", "rental"), "rental taken, staff taken, store taken");
        assert_eq!(parts("staff>store store>staff rental>staff", "store+"), "rental child, staff child, store child");
        assert_eq!(parts("person>person", "person"), "person taken");
        assert_eq!(parts("person>person", "person+"), "person child");
    }
}
