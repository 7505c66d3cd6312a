//! Tables whose rows come together in one target table: each is compared with its source by itself, and the target with all of them.

use arrow::datatypes::i256;

use crate::config::VerifyLevel;
use crate::engine::{Profile, ProfileKind};
use crate::mapping::MappedTable;
use crate::mapping::merge::is_lacking;
use crate::model::integer::integer;
use crate::model::{Digest, Losses};
use crate::report::{Outcome, TableReport};

use super::compare::{self, Read};
use super::facts::Facts;
use super::profile;

/// One of the tables.
#[derive(Debug, Clone)]
pub struct Member<'a> {
    /// The table.
    pub table: &'a MappedTable,
    /// What was read of it, and sent.
    pub read: Read,
    /// What the source says of it.
    pub source: &'a Facts,
}

/// Where the two sides differ, for each member; what is wrong with the target as a whole stands with the first one. `stood` is what rows were
/// added to.
pub fn differences(members: &[Member<'_>], level: VerifyLevel, stood: Option<Digest>, target: &Facts) -> Vec<Vec<String>> {
    let nothing = Facts::default();
    let mut found: Vec<Vec<String>> = members
        .iter()
        .map(|member| compare::differences_read(member.table, level, &member.read, member.source, &nothing))
        .collect();
    let (Some(first), Some(own)) = (members.first(), found.first_mut()) else { return found };
    let mut losses = Losses::default();
    members.iter().for_each(|member| losses.merge(&member.read.losses));
    let read = Read {
        rows: members.iter().map(|member| member.read.rows).sum(),
        digest: members.iter().map(|member| member.read.digest).sum(),
        losses,
        rejected: members.iter().map(|member| member.read.rejected).sum(),
    };
    // Each was compared with its source already; no profile of theirs is one of the target's.
    let all = Facts { rows: Some(read.rows), ..Facts::default() };
    match stood {
        Some(stood) => own.extend(compare::differences_appended(first.table, level, stood, &read, &all, target)),
        None => {
            let level_below = level.min(VerifyLevel::Digest);
            own.extend(compare::differences(first.table, level_below, &read, &all, target));
            let complete = |member: &Member<'_>| member.table.condition.as_ref().is_none_or(|condition| condition.complete);
            // Where rows were rejected, or a condition is evaluated here, the source's own aggregates are over other rows.
            let answered = target.errors.is_empty() && members.iter().all(|member| member.source.errors.is_empty());
            if level == VerifyLevel::Full && read.rejected == 0 && answered && members.iter().all(complete) {
                own.extend(profiles(members, target));
            }
        }
    }
    found
}

/// Where the profile of the target is not that of all members together.
fn profiles(members: &[Member<'_>], target: &Facts) -> Vec<String> {
    let tables: Vec<&MappedTable> = members.iter().map(|member| member.table).collect();
    let Some(first) = tables.first() else { return Vec::new() };
    let name = &first.target.name;
    let kinds = profile::kinds(&tables);
    let columns = profile::target_columns(first, &kinds);
    let sources: Option<Vec<&Profile>> = members.iter().map(|member| member.source.profile.as_ref()).collect();
    let (Some(sources), Some(found)) = (sources, &target.profile) else {
        return vec![format!("`{name}` was not profiled on both sides")];
    };
    let wanted: Vec<usize> = tables.iter().map(|table| profile::source_columns(table, &kinds).len()).collect();
    if found.columns.len() != columns.len()
        || sources.iter().zip(&wanted).any(|(profile, wanted)| profile.columns.len() != *wanted)
    {
        return vec![format!("the profiles of `{name}` do not cover its {} columns", columns.len())];
    }
    let mut own: Vec<_> = sources.iter().map(|profile| profile.columns.iter()).collect();
    let mut targets = columns.iter().zip(&found.columns);
    let mut differences = Vec::new();
    for (place, kind) in kinds.iter().enumerate() {
        let Some(kind) = *kind else { continue };
        let brings = |table: &MappedTable| table.columns.get(place).is_some_and(|column| !is_lacking(column));
        let having: Vec<&Vec<Option<String>>> =
            tables.iter().zip(&mut own).filter(|(table, _)| brings(table)).filter_map(|(_, columns)| columns.next()).collect();
        let Some((column, found)) = targets.next() else { break };
        let count = |of: fn(&Losses, &str) -> u64| -> u64 {
            let of =
                |member: &Member<'_>| member.table.columns.get(place).map_or(0, |column| of(&member.read.losses, &column.source));
            members.iter().map(of).sum()
        };
        match together(kind, &having) {
            Some(all) if count(Losses::of_column) > 0 => {
                differences.extend(profile::differences_under_policies(column, count(Losses::nulls_of), &all, found));
            }
            Some(all) => differences.extend(profile::differences(column, &all, found)),
            None => differences.push(format!("column `{}`: the profiles of the source cannot be put together", column.name)),
        }
    }
    differences
}

/// How two values of an aggregate become one.
#[derive(Clone, Copy)]
enum Join {
    Sum,
    Least,
    Most,
}

/// The aggregates of one column over the rows of all tables; `None` for what cannot be put together.
fn together(kind: ProfileKind, all: &[&Vec<Option<String>>]) -> Option<Vec<Option<String>>> {
    use Join::{Least, Most, Sum};
    let joins: &[Join] = match kind {
        ProfileKind::Exact => &[Sum, Least, Most, Sum],
        ProfileKind::Float | ProfileKind::Temporal => &[Sum, Least, Most],
        ProfileKind::Text => &[Sum, Sum, Sum],
        ProfileKind::Bytes | ProfileKind::Bool => &[Sum, Sum],
        ProfileKind::Count => &[Sum],
    };
    let one = |(place, join): (usize, &Join)| -> Option<Option<String>> {
        let mut joined: Option<String> = None;
        for aggregates in all {
            // Nothing to count is no value, as in SQL.
            let Some(value) = aggregates.get(place)? else { continue };
            joined = Some(match joined {
                None => value.clone(),
                Some(other) => join_two(kind, *join, &other, value)?,
            });
        }
        Some(joined)
    };
    joins.iter().enumerate().map(one).collect()
}

fn join_two(kind: ProfileKind, join: Join, one: &str, two: &str) -> Option<String> {
    let first_is_less = match (join, kind) {
        (Join::Sum, _) => return add(one, two),
        (_, ProfileKind::Float) => one.parse::<f64>().ok()? <= two.parse::<f64>().ok()?,
        // ISO form with years of four digits: the order of the texts is that of the times.
        (_, ProfileKind::Temporal) => {
            let plain = |text: &str| text.len() == one.len() && text.starts_with(|letter: char| letter.is_ascii_digit());
            (plain(one) && plain(two)).then(|| one <= two)?
        }
        _ => {
            let (one, two, _) = aligned(one, two)?;
            one <= two
        }
    };
    Some(if first_is_less == matches!(join, Join::Least) { one } else { two }.to_string())
}

/// Two exact numbers as integers of the same digits of fraction, and how many these are; `None` beyond 76 digits.
fn aligned(one: &str, two: &str) -> Option<(i256, i256, usize)> {
    let fraction = |text: &str| text.split_once('.').map_or(0, |(_, digits)| digits.len());
    let digits = fraction(one).max(fraction(two));
    let number = |text: &str| {
        let (whole, rest) = text.split_once('.').unwrap_or((text, ""));
        integer(&format!("{whole}{rest:0<digits$}"))
    };
    Some((number(one)?, number(two)?, digits))
}

/// The exact sum, in the canonical form: without zeros at the end of its fraction.
fn add(one: &str, two: &str) -> Option<String> {
    let (one, two, digits) = aligned(one, two)?;
    let sum = one.checked_add(two)?;
    let (sign, text) = match sum.to_string().strip_prefix('-') {
        Some(rest) => ("-", rest.to_string()),
        None => ("", sum.to_string()),
    };
    if digits == 0 {
        return Some(format!("{sign}{text}"));
    }
    let text = format!("{text:0>width$}", width = digits + 1);
    let (whole, fraction) = text.split_at_checked(text.len() - digits)?;
    let fraction = fraction.trim_end_matches('0');
    let sign = if fraction.is_empty() && whole == "0" { "" } else { sign };
    Some(if fraction.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") })
}

/// A target table is proven as a whole: where one of the tables that went into it is not, the others are not either.
pub fn share_outcomes(tables: &mut [TableReport]) {
    let rank = |outcome: Outcome| match outcome {
        Outcome::Verified | Outcome::NotVerified => 0,
        Outcome::Rejected => 1,
        Outcome::Differs => 2,
        Outcome::Failed => 3,
    };
    let worst: Vec<Option<(Outcome, String, String)>> = tables
        .iter()
        .map(|table| {
            let others = tables.iter().filter(|other| other.target == table.target && other.source != table.source);
            let worst = others.max_by_key(|other| rank(other.outcome))?;
            (rank(worst.outcome) > rank(table.outcome)).then(|| (worst.outcome, worst.source.clone(), worst.target.clone()))
        })
        .collect();
    for (table, worst) in tables.iter_mut().zip(worst) {
        let Some((outcome, source, target)) = worst else { continue };
        table.outcome = outcome;
        let what = match outcome {
            Outcome::Failed => "which did not arrive in full",
            Outcome::Rejected => "some of which were rejected",
            _ => "and differ there",
        };
        table.errors.push(format!("`{}`: its rows are in `{target}` together with those of `{source}`, {what}", table.source));
    }
}

/// What the report says of merged tables that are proven; none without such tables.
pub fn sentence(tables: &[TableReport]) -> Option<String> {
    let shared = |table: &&TableReport| tables.iter().any(|other| other.target == table.target && other.source != table.source);
    let merged: Vec<&TableReport> = tables.iter().filter(shared).collect();
    let mut targets: Vec<&str> = merged.iter().map(|table| table.target.as_str()).collect();
    targets.sort_unstable();
    targets.dedup();
    let into = if targets.len() == 1 { "one".to_string() } else { targets.len().to_string() };
    (!targets.is_empty()).then(|| {
        format!(
            "The rows of {} of them were merged into {into} ({}) and are compared together.",
            merged.len(),
            targets.join(", ")
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn profiles_of_two_tables_become_that_of_all_rows() {
        let of = |values: &[&str]| values.iter().map(|value| (*value != "-").then(|| (*value).to_string())).collect::<Vec<_>>();
        let join = |kind, one: &[&str], two: &[&str]| together(kind, &[&of(one), &of(two)]);
        assert_eq!(
            join(ProfileKind::Exact, &["2", "-1.5", "3", "1.5"], &["1", "-1.25", "10", "-1.50"]),
            Some(of(&["3", "-1.5", "10", "0"]))
        );
        assert_eq!(join(ProfileKind::Exact, &["0", "-", "-", "-"], &["1", "7", "7", "7"]), Some(of(&["1", "7", "7", "7"])));
        assert_eq!(join(ProfileKind::Exact, &["1", "9", "9", "9"], &["1", "10", "10", "10"]), Some(of(&["2", "9", "10", "19"])));
        assert_eq!(join(ProfileKind::Float, &["1", "1e3", "1e3"], &["1", "5", "5"]), Some(of(&["2", "5", "1e3"])));
        assert_eq!(
            join(ProfileKind::Temporal, &["1", "2024-01-01", "2024-01-01"], &["1", "2023-12-31", "2025-01-01"]),
            Some(of(&["2", "2023-12-31", "2025-01-01"]))
        );
        assert_eq!(join(ProfileKind::Exact, &["1", &"9".repeat(90), "1", "1"], &["1", "1", "1", "1"]), None);
        assert_eq!(add("-0.75", "0.5"), Some("-0.25".into()));
        assert_eq!(add("0.05", "99.95"), Some("100".into()));
    }
}
