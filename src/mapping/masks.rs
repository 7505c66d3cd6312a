//! Which columns are masked, and how: as the rules say, and along foreign keys, so that joins still hold.
//!
//! A parent that is masked masks its children. What would break a key, a NOT NULL or a type is refused, each with its place. Runs while
//! source names are at hand: before names are made to fit.

use std::collections::HashMap;

use crate::config::masking::MaskKind;
use crate::config::rules::TableRule;
use crate::model::ObjectName;
use crate::model::catalog::{Index, Problem, Severity};
use crate::transform::mask::{ColumnMask, fits};

use super::rules::Rules;
use super::{ColumnMapping, Mapped, MappedTable, parts};

/// A column, by the places of its table and of itself.
type Place = (usize, usize);

/// A column of a foreign key.
struct Edge {
    child: Place,
    parent: Place,
}

/// Decides the masks of all columns. `resolved` has the rule of each table.
pub(super) fn apply(mapped: &mut Mapped, rules: &Rules<'_>, resolved: &[Option<TableRule>]) {
    let Mapped { tables, problems, .. } = mapped;
    for (table, rule) in tables.iter_mut().zip(resolved) {
        let rule = rule.as_ref();
        let MappedTable { source, target, columns, .. } = table;
        for (mapping, target) in columns.iter_mut().zip(&target.columns) {
            let Some(column) = source.column(&mapping.source) else { continue };
            if mapping.computed.is_some() && rules.mask(rule, column).is_some() {
                let place = format!("{}.{}", source.name, column.name);
                let hint = "Write the masking into the expression, or leave out one of the two".to_string();
                problems.push(refuse(place, "a column that is computed cannot be masked as well".into(), hint));
                continue;
            }
            mapping.mask =
                rules.mask(rule, column).map(|(kind, because)| new(kind, because, mapping, target.native.labels.clone()));
        }
    }
    let edges = edges(tables);
    if tables.iter().flat_map(|table| &table.columns).all(|column| column.mask.is_none()) {
        return;
    }
    follow(tables, &edges);
    share_room(tables, &edges);
    let mut found = Vec::new();
    for edge in &edges {
        found.extend(check_edge(tables, edge));
    }
    for (place, table) in tables.iter().enumerate() {
        for (number, column) in table.columns.iter().enumerate() {
            if let Some(mask) = &column.mask {
                found.extend(check_column(tables, (place, number), mask));
            }
        }
        found.extend(computed_in_the_clear(table));
    }
    found.extend(notes(tables));
    problems.extend(found);
}

fn new(kind: MaskKind, because: String, mapping: &ColumnMapping, labels: Vec<String>) -> ColumnMask {
    ColumnMask { kind, room: fits::room(&mapping.from, &mapping.to), labels, because }
}

/// The columns of all foreign keys whose both ends are carried.
fn edges(tables: &[MappedTable]) -> Vec<Edge> {
    let mut by_name: HashMap<&ObjectName, Vec<&MappedTable>> = HashMap::new();
    for table in tables {
        by_name.entry(&table.source.name).or_default().push(table);
    }
    let column = |table: usize, name: &str| {
        let place = tables.get(table)?.columns.iter().position(|column| column.source == *name)?;
        Some((table, place))
    };
    let mut edges = Vec::new();
    for (child, table) in tables.iter().enumerate() {
        for key in &table.source.foreign_keys {
            let Some(all) = by_name.get(&key.parent) else { continue };
            // Rows join with the part that the key leads to, or, when it leads to none, with the first one.
            let parent = parts::parent(all, &key.parent_columns).ok().or(all.first().copied());
            let Some(parent) = tables.iter().position(|table| parent.is_some_and(|parent| std::ptr::eq(table, parent))) else {
                continue;
            };
            for (own, other) in key.columns.iter().zip(&key.parent_columns) {
                if let (Some(child), Some(parent)) = (column(child, own), column(parent, other)) {
                    edges.push(Edge { child, parent });
                }
            }
        }
    }
    edges
}

fn at(tables: &[MappedTable], (table, column): Place) -> &ColumnMapping {
    &tables[table].columns[column]
}

fn name(tables: &[MappedTable], (table, column): Place) -> String {
    format!("{}.{}", tables[table].source.name, tables[table].columns[column].source)
}

/// Children without a mask of their own take their parent's, and so on down.
fn follow(tables: &mut [MappedTable], edges: &[Edge]) {
    loop {
        let mut changed = false;
        for edge in edges {
            let Some(kind) = at(tables, edge.parent).mask.as_ref().map(|mask| mask.kind) else { continue };
            if at(tables, edge.child).mask.is_some() {
                continue;
            }
            let because = format!("as its parent `{}`", name(tables, edge.parent));
            let (table, column) = edge.child;
            let labels = tables[table].target.columns.get(column).map(|column| column.native.labels.clone()).unwrap_or_default();
            let mapping = &mut tables[table].columns[column];
            mapping.mask = Some(new(kind, because, mapping, labels));
            changed = true;
        }
        if !changed {
            return;
        }
    }
}

/// Stand-ins of joined columns are as long as the shortest of them allows.
fn share_room(tables: &mut [MappedTable], edges: &[Edge]) {
    let room = |tables: &[MappedTable], place| at(tables, place).mask.as_ref().and_then(|mask| mask.room);
    loop {
        let mut changed = false;
        for edge in edges {
            let (child, parent) = (at(tables, edge.child).mask.as_ref(), at(tables, edge.parent).mask.as_ref());
            if child.map(|mask| mask.kind) != parent.map(|mask| mask.kind) {
                continue;
            }
            let least = room(tables, edge.child).into_iter().chain(room(tables, edge.parent)).min();
            for (table, column) in [edge.child, edge.parent] {
                if let Some(mask) = &mut tables[table].columns[column].mask
                    && mask.room != least
                {
                    mask.room = least;
                    changed = true;
                }
            }
        }
        if !changed {
            return;
        }
    }
}

fn refuse(place: String, why: String, hint: String) -> Problem {
    Problem::new(Severity::Refused, "mask", place, why).hint(hint)
}

fn check_edge(tables: &[MappedTable], edge: &Edge) -> Option<Problem> {
    let (child, parent) = (at(tables, edge.child), at(tables, edge.parent));
    let own = child.mask.as_ref()?;
    let names = || (name(tables, edge.child), name(tables, edge.parent));
    // A child without a parent is no orphan.
    if own.kind == MaskKind::Null {
        return None;
    }
    let (child_name, parent_name) = names();
    let Some(theirs) = &parent.mask else {
        let why = format!("it points to `{parent_name}`, which is not masked, so no row would find its parent");
        let hint = format!("Mask `{parent_name}` instead ({}): its children follow", own.because);
        return Some(refuse(child_name, why, hint));
    };
    if theirs.kind != own.kind {
        let why =
            format!("its mask is `{}`, and that of its parent `{parent_name}` is `{}`", own.kind.word(), theirs.kind.word());
        let hint = format!("Give both one mask, or the child `null` or none ({} and {})", own.because, theirs.because);
        return Some(refuse(child_name, why, hint));
    }
    let shapes = (fits::shape(&child.from, &child.to), fits::shape(&parent.from, &parent.to));
    if own.kind == MaskKind::Hash && shapes.0 != shapes.1 {
        let why = format!(
            "it becomes {} and its parent `{parent_name}` becomes {}, and numbers of two ranges are masked in two ways",
            child.to, parent.to
        );
        return Some(refuse(child_name, why, "Give both the same type with `to`".into()));
    }
    None
}

fn check_column(tables: &[MappedTable], place: Place, mask: &ColumnMask) -> Vec<Problem> {
    let table = &tables[place.0];
    let column = at(tables, place);
    let mut found = Vec::new();
    let hint = |what: &str| format!("{what} ({})", mask.because);
    if let Err(why) = fits::fits(mask.kind, &column.from, &column.to, mask.room, &mask.labels) {
        found.push(refuse(name(tables, place), why, hint("Choose another mask, or leave the column out with `drop = true`")));
        return found;
    }
    let nullable = table.target.columns.get(place.1).is_some_and(|target| target.nullable);
    if mask.kind == MaskKind::Null && !nullable {
        let why = "`null` writes NULL, and the column is NOT NULL".to_string();
        found.push(refuse(name(tables, place), why, hint("Use `redact`, or leave the column out with `drop = true`")));
    }
    for index in unique_over(table, &column.source) {
        let prefix = index.parts.iter().filter(|part| part.column.as_ref() == Some(&column.source)).find_map(|part| part.prefix);
        let room = mask.room.into_iter().chain(prefix).min();
        // An index over the start of a number or a date does not exist.
        if let Err(why) = fits::keeps_unique(mask.kind, &column.from, &column.to, room) {
            let why = format!("it is in the unique key `{}`, and {why}", index.name);
            found.push(refuse(name(tables, place), why, hint("Use `hash`, or make more room with `to`")));
        }
    }
    found
}

/// The unique keys over a column that will be made in the target.
fn unique_over<'a>(table: &'a MappedTable, column: &'a str) -> impl Iterator<Item = &'a Index> {
    let carried = |index: &&Index| {
        index
            .parts
            .iter()
            .all(|part| part.column.as_ref().is_none_or(|name| table.columns.iter().any(|mapping| mapping.source == *name)))
    };
    let all = table.source.primary_key.iter().chain(table.source.indexes.iter().filter(|index| index.unique));
    all.filter(carried).filter(move |index| index.parts.iter().any(|part| part.column.as_deref() == Some(column)))
}

/// Columns that the source computes from what is masked: they would carry it in the clear.
fn computed_in_the_clear(table: &MappedTable) -> Vec<Problem> {
    let mut found = Vec::new();
    for column in table.columns.iter().filter(|column| column.mask.is_none()) {
        let source = table.source.column(&column.source);
        let expression = match &column.computed {
            Some(computed) => &computed.sql,
            None => match source.and_then(|source| source.generated.as_ref()) {
                Some(generated) => &generated.expression,
                None => continue,
            },
        };
        let masked = table.columns.iter().find(|other| other.mask.is_some() && mentions(expression, &other.source));
        if let Some(masked) = masked {
            let name = if column.source.is_empty() { &column.target } else { &column.source };
            let place = format!("{}.{name}", table.source.name);
            let why = format!("it is computed from `{}`, which is masked, and would carry that in the clear", masked.source);
            found.push(refuse(place, why, "Mask it too, or leave it out with `drop = true`".into()));
        }
    }
    found
}

/// True if `name` stands in an expression as a word; without regard to case, as in the source's SQL.
fn mentions(expression: &str, name: &str) -> bool {
    let (text, name) = (expression.to_lowercase(), name.to_lowercase());
    let in_word = |letter: Option<char>| letter.is_some_and(|letter| letter.is_alphanumeric() || letter == '_');
    text.match_indices(&name).any(|(start, found)| {
        let (before, after) = (text.get(..start), text.get(start + found.len()..));
        !in_word(before.and_then(|before| before.chars().next_back())) && !in_word(after.and_then(|after| after.chars().next()))
    })
}

/// What is masked and how, for plan and report.
fn notes(tables: &[MappedTable]) -> Vec<Problem> {
    let mut found = Vec::new();
    for table in tables {
        for (column, target) in table.columns.iter().zip(&table.target.columns) {
            let Some(mask) = &column.mask else { continue };
            let place = format!("{}.{}", table.source.name, column.source);
            let why = format!("by `{}` ({})", mask.kind.word(), mask.because);
            found.push(Problem::new(Severity::Note, "masked column", &place, why));
            if target.identity {
                let why = "the numbers that the target hands out go on from the source's, and may meet one that was masked";
                found.push(Problem::new(Severity::Note, "next id", &place, why));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_is_mentioned_as_a_word_only() {
        assert!(mentions("concat(`first`,' ',`Email`)", "email"));
        assert!(mentions("lower(email)", "email"));
        assert!(!mentions("lower(email_hash)", "email"));
        assert!(!mentions("1", "email"));
    }
}
