//! Columns that foreign keys join get one type: solved over the graph of all foreign keys, a person's rules taken in.
//!
//! A rule for one of them decides for all; two rules that contradict each other are refused with both places. Without a rule the
//! widest type is taken, as the target's dialect knows it. Runs before masks, which are made to fit the types.

use std::collections::{BTreeMap, HashMap};

use crate::config::rules::TableRule;
use crate::error::{Error, ErrorKind};
use crate::model::ObjectName;
use crate::model::catalog::NativeType;
use crate::transform::{Castability, can_cast};

use super::policies;
use super::rules::Rules;
use super::standing;
use super::tables::{keeps_sign, receive};
use super::{Mapped, MappedTable};

/// A column, by the places of its table and of itself.
type Place = (usize, usize);

/// Gives the columns of each group one type.
pub(super) fn agree(mapped: &mut Mapped, rules: &Rules<'_>, resolved: &[Option<TableRule>], faults: &mut Vec<Error>) {
    for group in groups(&mapped.tables) {
        settle(&mut mapped.tables, &group, rules, resolved, faults);
    }
}

/// The columns that foreign keys join, each group in the order of the catalog.
fn groups(tables: &[MappedTable]) -> Vec<Vec<Place>> {
    let mut by_name: HashMap<&ObjectName, Vec<usize>> = HashMap::new();
    for (at, table) in tables.iter().enumerate() {
        by_name.entry(&table.source.name).or_default().push(at);
    }
    let place = |table: usize, name: &str| {
        let columns = &tables.get(table)?.columns;
        Some((table, columns.iter().position(|column| column.source == name && column.computed.is_none())?))
    };
    let mut above: HashMap<Place, Place> = HashMap::new();
    for (child, table) in tables.iter().enumerate() {
        for key in &table.source.foreign_keys {
            // A parent that is split is several.
            for parent in by_name.get(&key.parent).into_iter().flatten() {
                for (own, other) in key.columns.iter().zip(&key.parent_columns) {
                    if let (Some(child), Some(parent)) = (place(child, own), place(*parent, other)) {
                        let (from, to) = (root(&above, child), root(&above, parent));
                        if from != to {
                            above.insert(from, to);
                        }
                    }
                }
            }
        }
    }
    let mut groups: BTreeMap<Place, Vec<Place>> = BTreeMap::new();
    let mut members: Vec<Place> = above.keys().copied().collect();
    members.extend(above.values().copied());
    members.sort_unstable();
    members.dedup();
    for member in members {
        groups.entry(root(&above, member)).or_default().push(member);
    }
    groups.into_values().collect()
}

fn root(above: &HashMap<Place, Place>, mut place: Place) -> Place {
    while let Some(next) = above.get(&place) {
        place = *next;
    }
    place
}

fn settle(
    tables: &mut [MappedTable],
    group: &[Place],
    rules: &Rules<'_>,
    resolved: &[Option<TableRule>],
    faults: &mut Vec<Error>,
) {
    // Tables that stand have their types, and their foreign keys.
    if group.iter().any(|(table, column)| standing::decides(&tables[*table].columns[*column])) {
        return;
    }
    // A UUID in another order of bytes would find no parent.
    let order = |(table, column): Place| {
        let table = &tables[table];
        table.policies.get(&table.columns[column].source).and_then(|policies| policies.uuid)
    };
    if let Some(other) = group.iter().find(|place| order(**place) != order(group[0])) {
        let (one, other) = (name(tables, group[0]), name(tables, *other));
        let what = format!("a foreign key joins `{one}` and `{other}`, and `uuid` is not said of both in the same way");
        faults.push(Error::new(ErrorKind::Mapping, what).hint("Say the same `uuid` of both columns"));
        return;
    }
    let native = |(table, column): Place| -> &NativeType { &tables[table].target.columns[column].native };
    let own: Vec<Place> = group.iter().copied().filter(|place| decided(tables, *place, rules, resolved)).collect();
    let chosen = match own.as_slice() {
        [] => {
            let mut widest = native(group[0]).clone();
            for place in &group[1..] {
                match rules.route.target.wider(&widest, native(*place)) {
                    Some(wider) => widest = wider,
                    None => return,
                }
            }
            group.iter().copied().find(|place| native(*place).full == widest.full).map(|leader| (leader, widest))
        }
        [first, rest @ ..] => {
            if let Some(other) = rest.iter().find(|other| !alike(native(**other), native(*first))) {
                faults.push(contradiction(tables, *first, *other));
                return;
            }
            Some((*first, native(*first).clone()))
        }
    };
    let Some((leader, chosen)) = chosen else { return };
    let others = group.iter().copied().filter(|place| !own.contains(place));
    let others: Vec<Place> = if own.is_empty() {
        others.filter(|place| native(*place).full != chosen.full).collect()
    } else {
        others.filter(|place| !alike(native(*place), &chosen)).collect()
    };
    let Some(logical) = rules.route.target.to_logical(&chosen) else { return };
    let never = others.iter().find_map(|(table, column)| {
        let mapping = &tables[*table].columns[*column];
        match can_cast(&mapping.from, &receive(&mapping.from, logical.clone())) {
            Castability::Never(why) => Some((mapping.source.clone(), *table, why)),
            _ => None,
        }
    });
    if let Some((column, table, why)) = never {
        if !own.is_empty() {
            let what = format!(
                "it cannot become `{}`, the type of `{}`, which a foreign key joins it to: {why}",
                chosen.full,
                name(tables, leader)
            );
            let hint = format!("Correct the rule for `{}`", name(tables, leader));
            faults.push(Error::new(ErrorKind::Mapping, what).table(&tables[table].source.name).column(column).hint(hint));
        }
        return;
    }
    let rule = format!("as `{}`, since a foreign key joins them", name(tables, leader));
    for (table, column) in others {
        let MappedTable { source, target, columns, .. } = &mut tables[table];
        let (mapping, target) = (&mut columns[column], &mut target.columns[column]);
        let mut native = chosen.clone();
        native.labels = std::mem::take(&mut target.native.labels);
        native.unsigned = source.column(&mapping.source).is_some_and(|source| keeps_sign(source, &mapping.from));
        let to = rules.route.target.to_logical(&native).unwrap_or_else(|| logical.clone());
        mapping.to = receive(&mapping.from, to);
        let said = mapping.rule.split_once("; ").map(|(_, said)| format!("; {said}")).unwrap_or_default();
        mapping.rule = rule.clone() + &said;
        target.logical = Some(mapping.to.clone());
        target.native = native;
    }
}

/// True for two types that a person may give to both ends of a foreign key.
fn alike(one: &NativeType, other: &NativeType) -> bool {
    one.name == other.name && one.collation == other.collation
}

/// True if a person's rule decided the type.
fn decided(tables: &[MappedTable], (table, column): Place, rules: &Rules<'_>, resolved: &[Option<TableRule>]) -> bool {
    let rule = resolved.get(table).and_then(Option::as_ref);
    let table = &tables[table];
    let source = table.source.column(&table.columns[column].source);
    source.is_some_and(|source| rules.is_decided(rule, &table.source, source) || policies::decides_type(rule, source, rules))
}

fn name(tables: &[MappedTable], (table, column): Place) -> String {
    format!("{}.{}", tables[table].source.name, tables[table].columns[column].source)
}

fn contradiction(tables: &[MappedTable], one: Place, other: Place) -> Error {
    let said = |place: Place| {
        let (table, column) = place;
        let native = &tables[table].target.columns[column].native;
        format!("`{}` (`{}`, by {})", native.full, name(tables, place), tables[table].columns[column].rule)
    };
    let what =
        format!("a foreign key joins columns to which the mapping gives different types: {} and {}", said(one), said(other));
    Error::new(ErrorKind::Mapping, what).hint("Give both one type, or leave one of the two rules out: it then follows the other")
}
