//! From the facts of both sides to a verdict per table, and to the sentence that says what was proven.

use crate::config::VerifyLevel;
use crate::mapping::MappedTable;
use crate::model::{Digest, Losses};
use crate::report::{Outcome, TableReport};

use super::facts::Facts;
use super::{merged, profile};

/// What was read of a table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Read {
    /// Rows that the source delivered.
    pub rows: u64,
    /// Rows that a condition let through, and their digest.
    pub digest: Digest,
    /// What value policies have done to them.
    pub losses: Losses,
    /// Rows among those delivered that were rejected.
    pub rejected: u64,
}

/// Where both sides of a table differ, in words; empty when they agree at `level`. What could not be asked counts as a difference:
/// nothing is taken for proven that was not compared.
///
/// `read` is what the run read and sent, or what was read of the source just now.
pub fn differences(table: &MappedTable, level: VerifyLevel, read: &Read, source: &Facts, target: &Facts) -> Vec<String> {
    let sent = read.digest;
    let mut found = differences_read(table, level, read, source, target);
    if level == VerifyLevel::None {
        return found;
    }
    let (name, copy) = (&table.source.name, &table.target.name);
    match target.rows {
        Some(rows) if rows != sent.rows => {
            found
                .push(format!("`{copy}` has {rows} rows as the target counts them, and {} were read from the source", sent.rows));
        }
        None if target.errors.is_empty() => found.push(format!("`{copy}` was not counted by the target")),
        _ => {}
    }
    if level >= VerifyLevel::Digest {
        match target.digest {
            Some(digest) if digest != sent => found.push(format!(
                "the values of `{copy}` differ from what was read: digest {digest} over {} rows, expected {sent} over {}",
                digest.rows, sent.rows
            )),
            None if target.errors.is_empty() => found.push(format!("`{copy}` was not read again")),
            _ => {}
        }
    }
    // Where rows were rejected, or a condition is evaluated here, the source's own aggregates are over other rows.
    if level == VerifyLevel::Full && read.rejected == 0 && table.condition.as_ref().is_none_or(|condition| condition.complete) {
        match (&source.profile, &target.profile) {
            (Some(one), Some(two)) => {
                let (columns, _) = profile::columns(table);
                if one.columns.len() != columns.len() || two.columns.len() != columns.len() {
                    found.push(format!("the profiles of `{name}` do not cover its {} columns", columns.len()));
                }
                for (column, (one, two)) in columns.iter().zip(one.columns.iter().zip(&two.columns)) {
                    found.extend(if read.losses.of_column(&column.name) > 0 {
                        profile::differences_under_policies(column, read.losses.nulls_of(&column.name), one, two)
                    } else {
                        profile::differences(column, one, two)
                    });
                }
            }
            _ if source.errors.is_empty() && target.errors.is_empty() => {
                found.push(format!("`{name}` was not profiled on both sides"))
            }
            _ => {}
        }
    }
    found
}

/// What went wrong on either side, and whether the source counts the rows that were read.
pub(super) fn differences_read(
    table: &MappedTable,
    level: VerifyLevel,
    read: &Read,
    source: &Facts,
    target: &Facts,
) -> Vec<String> {
    let mut found: Vec<String> = source.errors.iter().chain(&target.errors).cloned().collect();
    let name = &table.source.name;
    match source.rows {
        _ if level == VerifyLevel::None => {}
        Some(rows) if rows != read.rows => {
            found.push(format!("`{name}` has {rows} rows as the source counts them, and {} were read", read.rows));
        }
        None if source.errors.is_empty() => found.push(format!("`{name}` was not counted by the source")),
        _ => {}
    }
    found
}

/// As [`differences`], for a table that rows were added to: it must hold what stood there and what was sent, and nothing else.
/// Column profiles are not compared, since those of the target cover both.
pub fn differences_appended(
    table: &MappedTable,
    level: VerifyLevel,
    stood: Digest,
    read: &Read,
    source: &Facts,
    target: &Facts,
) -> Vec<String> {
    let sent = read.digest;
    let mut found = differences_read(table, level, read, source, target);
    if level == VerifyLevel::None {
        return found;
    }
    let copy = &table.target.name;
    let mut all = stood;
    all.merge(sent);
    match target.rows {
        Some(rows) if rows != all.rows => found.push(format!(
            "`{copy}` held {} rows, {} were added, and it holds {rows} now: rows are missing or too many, or the target changed meanwhile",
            stood.rows, sent.rows
        )),
        None if target.errors.is_empty() => found.push(format!("`{copy}` was not counted by the target")),
        _ => {}
    }
    if level >= VerifyLevel::Digest {
        match target.digest {
            Some(digest) if digest != all => found.push(format!(
                "the values of `{copy}` are not those that stood there and those that were added, or the target changed meanwhile: digest \
                 {digest} over {} rows, expected {all} over {}",
                digest.rows, all.rows
            )),
            None if target.errors.is_empty() => found.push(format!("`{copy}` was not read again")),
            _ => {}
        }
    }
    found
}

/// One sentence on what was proven, and what was not.
pub fn sentence(level: VerifyLevel, tables: &[TableReport]) -> String {
    let count = |outcome: Outcome| tables.iter().filter(|table| table.outcome == outcome).count();
    let (differ, failed, rejecting) = (count(Outcome::Differs), count(Outcome::Failed), count(Outcome::Rejected));
    let rows: u64 = tables.iter().filter(|table| table.outcome == Outcome::Verified).map(|table| table.rows).sum();
    let rows = crate::report::human::count(rows);
    let all = tables.len();
    let (tables_word, verified) = (if all == 1 { "table" } else { "tables" }, count(Outcome::Verified));
    if rejecting > 0 {
        let rejected = crate::report::human::count(tables.iter().map(|table| table.rejected).sum());
        return format!(
            "NOT PROVEN: {rejected} rows of {rejecting} of {all} {tables_word} were rejected; {failed} did not arrive in full, {differ} differ, {verified} agree."
        );
    }
    if differ + failed > 0 {
        return format!(
            "NOT PROVEN: of {all} {tables_word}, {failed} did not arrive in full and {differ} differ; {verified} agree."
        );
    }
    let every = if all == 1 { "the one table".to_string() } else { format!("all {all} tables") };
    let proven = match level {
        VerifyLevel::None => format!("Nothing was proven: {all} {tables_word} were sent, and no comparison was asked for."),
        VerifyLevel::Rows => format!(
            "Proven by rows: {every} with as many rows in the target as in the source, {rows} in all, counted by both databases; values were not compared."
        ),
        VerifyLevel::Digest => format!(
            "Proven by digest: {every}, {rows} rows; both databases count the same, and what was read again from the target is, value by value, what was read from the source."
        ),
        VerifyLevel::Full => format!(
            "Proven in full: {every}, {rows} rows; counts and column profiles of both databases agree, and what was read again from the target is, value by value, what was read from the source."
        ),
    };
    let changed: u64 = tables.iter().flat_map(|table| &table.losses.0).map(|loss| loss.count).sum();
    let proven = match (changed, level) {
        (0, _) | (_, VerifyLevel::None) => proven,
        (_, VerifyLevel::Full) => format!(
            "{proven} Policies of the mapping have changed {} values, listed above; of the profiles of their columns only the number of values was compared.",
            crate::report::human::count(changed)
        ),
        _ => format!(
            "{proven} Policies of the mapping have changed {} values, listed above.",
            crate::report::human::count(changed)
        ),
    };
    let proven = merged::sentence(tables).map_or(proven.clone(), |merged| format!("{proven} {merged}"));
    let added = tables.iter().filter(|table| table.stood.is_some()).count();
    if added == 0 || level == VerifyLevel::None {
        return proven;
    }
    let profiles = if level == VerifyLevel::Full { "; their columns were not profiled" } else { "" };
    format!(
        "{proven} For {added} of them rows were added to others: they hold what stood there and what was sent, and nothing else{profiles}."
    )
}
