//! Keys that meet in a merged table: asked of the source before anything runs.
//!
//! Two tables cannot meet where the key has a constant of its own for each of them. Else the source compares their keys, as it sees its rows
//! now. A key that occurs in both refuses the run. What the source cannot tell is a note: the target's unique index decides, and the run
//! ends as failed if two rows meet there.

use std::sync::Arc;

use crate::config::masking::MaskKind;
use crate::config::{Scope, Settings};
use crate::engine::{Ddl, DdlPhase, KeyOf, SharedKeys, Source};
use crate::error::Result;
use crate::mapping::discriminator::fixed;
use crate::mapping::merge::is_lacking;
use crate::mapping::{ColumnMapping, MappedTable};
use crate::model::catalog::{Index, Problem, Severity};

use super::groups::groups;

/// The collisions of all merged tables.
///
/// # Errors
/// What the source says when it is asked.
pub(super) async fn find(
    settings: &Settings,
    source: &Arc<dyn Source>,
    tables: &[MappedTable],
    ddl: &[Ddl],
) -> Result<Vec<Problem>> {
    let mut problems = Vec::new();
    if settings.scope == Scope::SchemaOnly {
        return Ok(problems);
    }
    for group in groups(tables.iter()).into_iter().filter(|group| group.len() > 1) {
        let members: Vec<&MappedTable> = group.iter().filter_map(|place| tables.get(*place)).collect();
        let Some(target) = members.first().map(|table| &table.target) else { continue };
        let decides = ddl.iter().any(|made| made.phase == DdlPhase::Indexes && made.table.as_ref() == Some(&target.name));
        for key in target.primary_key.iter().chain(target.indexes.iter().filter(|index| index.unique)) {
            for (place, one) in members.iter().enumerate() {
                for two in members.iter().skip(place + 1) {
                    let met = meet(&**source, key, one, two).await?;
                    problems.extend(told(settings, key, one, two, met, decides));
                }
            }
        }
    }
    Ok(problems)
}

/// Whether a key of the target can be had by rows of both tables.
async fn meet(source: &dyn Source, key: &Index, one: &MappedTable, two: &MappedTable) -> Result<SharedKeys> {
    let unknown = |why: String| Ok(SharedKeys::Unknown(why));
    let Some(names) = key.plain_columns() else { return unknown("a part of it is no whole column".into()) };
    let mut compared: (Vec<&str>, Vec<&str>) = Default::default();
    let mut doubt = None;
    for name in names {
        let find = |table: &'_ MappedTable| table.columns.iter().position(|column| column.target == *name);
        let (Some(left), Some(right)) = (find(one), find(two)) else { return unknown(format!("it has no column `{name}`")) };
        let (Some(left), Some(right)) = (one.columns.get(left), two.columns.get(right)) else { continue };
        if is_lacking(left) || is_lacking(right) {
            // NULL meets nothing.
            return Ok(SharedKeys::None);
        }
        let folded = one.target.column(name).is_some_and(|column| folds(&column.native.name, [(one, left), (two, right)]));
        if let (Some(left), Some(right), false) = (fixed(left), fixed(right), folded) {
            if left != right {
                return Ok(SharedKeys::None);
            }
            continue;
        }
        // Another column may still settle it.
        if left.computed.is_some() || right.computed.is_some() {
            doubt = Some(format!("`{name}` is computed"));
        } else if let Some(mapped) =
            [(one, left), (two, right)].iter().find(|(table, column)| table.policies.contains_key(&column.source))
        {
            doubt = Some(format!("`{}` has a value policy", mapped.1.source));
        } else if masked(left) != masked(right) {
            doubt = Some(format!("`{name}` is masked in two ways"));
        } else if folded {
            doubt = Some(format!("the target compares `{name}` in a way of its own"));
        }
        compared.0.push(&left.source);
        compared.1.push(&right.source);
    }
    if let Some(why) = doubt {
        return unknown(why);
    }
    if compared.0.is_empty() {
        return unknown("each of its columns is the same constant in both".into());
    }
    let keys = [KeyOf { table: &one.source, columns: &compared.0 }, KeyOf { table: &two.source, columns: &compared.1 }];
    let met = source.shared_keys(keys).await?;
    let narrowed = |table: &MappedTable| table.condition.as_ref().is_some_and(|condition| !condition.complete);
    match met {
        // More rows were looked at than are carried.
        SharedKeys::Some { .. } if narrowed(one) || narrowed(two) => {
            unknown("some rows share it in the source, and it cannot tell whether the condition lets them through".into())
        }
        met => Ok(met),
    }
}

fn masked(column: &ColumnMapping) -> Option<(MaskKind, Option<u32>)> {
    column.mask.as_ref().map(|mask| (mask.kind, mask.room))
}

/// True for types of the target whose equal values need not be equal texts: one without regard to case, and one that pads with blanks,
/// unless its values had none behind them in the source either.
fn folds(native: &str, columns: [(&MappedTable, &ColumnMapping); 2]) -> bool {
    let padded = |(table, column): (&MappedTable, &ColumnMapping)| {
        table.source.column(&column.source).is_some_and(|column| column.native.name == "char")
    };
    native == "citext" || (native == "char" && !columns.into_iter().all(padded))
}

fn told(
    settings: &Settings,
    key: &Index,
    one: &MappedTable,
    two: &MappedTable,
    met: SharedKeys,
    decides: bool,
) -> Option<Problem> {
    let target = &one.target;
    let columns = key.plain_columns().unwrap_or_default().join(", ");
    let name = format!("{} ({columns})", target.name);
    let (left, right) = (&one.source.name, &two.source.name);
    match met {
        SharedKeys::None => None,
        SharedKeys::Some { pairs, example } => {
            let hidden = settings.hide_keys || one.hides_key() || two.hides_key();
            let example = if hidden { String::new() } else { format!(", such as {example}") };
            let times = if pairs == 1 { "1 key".to_string() } else { format!("{pairs} keys") };
            let why = format!("`{left}` and `{right}` have {times} in common{example}, and it must be unique");
            let hint = format!(
                "Tell the rows apart by a column of the key, in the `[[table]]` rule of each, with a constant of its own:\n\
                 [table.columns.origin]\nexpr = \"'{}'\"\nkey = true\n\
                 or give the numbers of one an offset with `expr`, or leave the key's columns out",
                right.name.replace('\'', "''")
            );
            Some(Problem::new(Severity::Refused, "merged key", name, why).hint(hint))
        }
        SharedKeys::Unknown(why) => {
            let then = if decides {
                "the target's unique index decides, and the run ends as failed if two rows meet"
            } else {
                "the target has no such key, so rows with the same one would stand there side by side"
            };
            let why = format!("whether `{left}` and `{right}` share it is not known before the run, since {why}: {then}");
            Some(Problem::new(Severity::Note, "merged key", name, why))
        }
    }
}
