//! Which tables are loaded before which, where foreign keys are enforced during the load: parents first.

use std::collections::BTreeMap;

use crate::mapping::MappedTable;
use crate::model::catalog::{Problem, Severity, Table};
use crate::model::{ChunkPlan, ObjectName};

/// For each table its place in the order: all tables of one place may be loaded side by side, after those of smaller ones. What has no
/// order is refused.
pub(super) fn levels(tables: &[MappedTable], chunks: &[ChunkPlan], existing: &[Table], problems: &mut Vec<Problem>) -> Vec<u32> {
    let place: BTreeMap<&ObjectName, usize> = tables.iter().enumerate().map(|(at, table)| (&table.target.name, at)).collect();
    let mut parents: Vec<Vec<usize>> = vec![Vec::new(); tables.len()];
    for found in existing {
        let Some(&child) = place.get(&found.name) else { continue };
        for key in &found.foreign_keys {
            let Some(&parent) = place.get(&key.parent) else { continue };
            if parent == child {
                // The key is checked at the end of each statement, so a table that goes in one piece may point to itself.
                if chunks.get(child).is_some_and(|chunks| chunks.chunks.len() > 1) {
                    let why = format!(
                        "its foreign key `{}` points to the table itself, and the table goes in several chunks, so a row may come before its parent",
                        key.name
                    );
                    problems.push(refused(
                        &found.name,
                        why,
                        "Set `target_foreign_keys = \"check_after\"`, or make `--chunk` as large as the table",
                    ));
                }
                continue;
            }
            parents[child].push(parent);
        }
    }
    let mut levels: Vec<Option<u32>> = vec![None; tables.len()];
    loop {
        let ready: Vec<(usize, u32)> = (0..tables.len())
            .filter(|at| levels[*at].is_none())
            .filter_map(|at| {
                let above: Option<Vec<u32>> = parents[at].iter().map(|parent| levels[*parent]).collect();
                Some((at, above?.into_iter().max().map_or(0, |highest| highest + 1)))
            })
            .collect();
        if ready.is_empty() {
            break;
        }
        for (at, level) in ready {
            levels[at] = Some(level);
        }
    }
    let left: Vec<&ObjectName> =
        tables.iter().zip(&levels).filter(|(_, level)| level.is_none()).map(|(table, _)| &table.target.name).collect();
    if let Some(first) = left.first() {
        let names: Vec<String> = left.iter().map(|name| format!("`{name}`")).collect();
        let why = format!("foreign keys lead round in a circle, so none of these can be loaded first: {}", names.join(", "));
        problems.push(refused(first, why, "Set `target_foreign_keys = \"check_after\"`"));
    }
    levels.into_iter().map(Option::unwrap_or_default).collect()
}

fn refused(table: &ObjectName, why: String, hint: &str) -> Problem {
    Problem::new(Severity::Refused, "table", table, why).hint(hint)
}
