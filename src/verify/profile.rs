//! What both databases compute of a column for `full` verification, and how the two outcomes compare.
//!
//! This is the one check that sees the reading of the source: it needs neither reader nor mapping nor encoder.

use crate::config::masking::MaskKind;
use crate::engine::{ProfileColumn, ProfileKind};
use crate::mapping::merge::is_lacking;
use crate::mapping::{ColumnMapping, MappedTable};
use crate::model::{Column, LogicalType};

/// The columns to profile, in the source and in the target, in the order of the target's columns. One that becomes NULL throughout has
/// nothing to compare.
pub fn columns(table: &MappedTable) -> (Vec<ProfileColumn>, Vec<ProfileColumn>) {
    let kinds = kinds(&[table]);
    (source_columns(table, &kinds), target_columns(table, &kinds))
}

/// What is computed of each column of a target table that these tables' rows go into; none for a column that not all of them bring as
/// it is in the source. The source cannot compute our expressions: those columns are proven by the digest alone.
pub fn kinds(members: &[&MappedTable]) -> Vec<Option<ProfileKind>> {
    let places = members.first().map_or(0, |table| table.columns.len());
    let one = |place: usize| {
        let all = members.iter().filter_map(|table| table.columns.get(place)).filter(|column| !is_lacking(column));
        let mut found = None;
        for column in all {
            let same = column.computed.is_none() && column.mask.as_ref().is_none_or(|mask| mask.kind != MaskKind::Null);
            let kind = same.then(|| kind(column))?;
            // What can be computed in every one of them: the number of values at least.
            found = Some(if found.is_none_or(|other| other == kind) { kind } else { ProfileKind::Count });
        }
        found
    };
    (0..places).map(one).collect()
}

/// The columns that a source table is profiled by: those with a kind, but for those that it lacks.
pub fn source_columns(table: &MappedTable, kinds: &[Option<ProfileKind>]) -> Vec<ProfileColumn> {
    let wanted = table.columns.iter().zip(kinds).filter(|(mapping, _)| !is_lacking(mapping));
    let column = |(mapping, kind): (&ColumnMapping, &Option<ProfileKind>)| {
        let native = table.source.column(&mapping.source).map(|column| column.native.clone()).unwrap_or_default();
        Some(ProfileColumn { name: mapping.source.clone(), native, kind: (*kind)? })
    };
    wanted.filter_map(column).collect()
}

/// The columns that a target table is profiled by.
pub fn target_columns(table: &MappedTable, kinds: &[Option<ProfileKind>]) -> Vec<ProfileColumn> {
    let column = |(column, kind): (&Column, &Option<ProfileKind>)| {
        Some(ProfileColumn { name: column.name.clone(), native: column.native.clone(), kind: (*kind)? })
    };
    table.target.columns.iter().zip(kinds).filter_map(column).collect()
}

/// What can be computed alike on both sides: the aggregates of the type when it stays what it is, else the number of values.
fn kind(column: &ColumnMapping) -> ProfileKind {
    use LogicalType as L;
    if column.mask.is_some() {
        return ProfileKind::Count;
    }
    let exact = |logical: &L| logical.is_integer() || matches!(logical, L::Decimal { .. } | L::Numeric);
    match (&column.from, &column.to) {
        (from, to) if exact(from) && exact(to) => ProfileKind::Exact,
        (L::Duration { .. }, L::Duration { .. }) => ProfileKind::Exact,
        (L::Float32, L::Float32) | (L::Float64, L::Float64) => ProfileKind::Float,
        (L::Date, L::Date) => ProfileKind::Temporal,
        (L::Timestamp { zone: one, .. }, L::Timestamp { zone: two, .. }) if one == two => ProfileKind::Temporal,
        (L::Text { .. } | L::Enum { .. }, L::Text { .. } | L::Enum { .. }) => ProfileKind::Text,
        (L::Binary { .. }, L::Binary { .. }) => ProfileKind::Bytes,
        (L::Bool, L::Bool) => ProfileKind::Bool,
        _ => ProfileKind::Count,
    }
}

/// The names of the aggregates of a kind, in their order.
pub(crate) fn aggregates(kind: ProfileKind) -> &'static [&'static str] {
    match kind {
        ProfileKind::Exact => &["count", "min", "max", "sum"],
        ProfileKind::Float | ProfileKind::Temporal => &["count", "min", "max"],
        ProfileKind::Text => &["count", "characters", "bytes"],
        ProfileKind::Bytes => &["count", "bytes"],
        ProfileKind::Bool => &["count", "true"],
        ProfileKind::Count => &["count"],
    }
}

/// As [`differences`], for a column whose policies have changed values: of its aggregates only the number of values can be foretold,
/// which is less by those that became NULL.
pub fn differences_under_policies(
    column: &ProfileColumn,
    nulls: u64,
    source: &[Option<String>],
    target: &[Option<String>],
) -> Vec<String> {
    let count = |aggregates: &[Option<String>]| aggregates.first()?.as_ref()?.parse::<u64>().ok();
    match (count(source), count(target)) {
        (Some(one), Some(two)) if one.checked_sub(nulls) == Some(two) => Vec::new(),
        (Some(one), Some(two)) => vec![format!(
            "column `{}`: count is {one} in the source, {nulls} became NULL by policy, and it is {two} in the target",
            column.name
        )],
        _ => vec![format!("column `{}`: the databases did not count its values", column.name)],
    }
}

/// Where two profiles of one column differ, in words; empty when they agree.
pub fn differences(column: &ProfileColumn, source: &[Option<String>], target: &[Option<String>]) -> Vec<String> {
    let show = |value: &Option<String>| value.clone().unwrap_or_else(|| "NULL".into());
    if source.len() != target.len() {
        return vec![format!("column `{}`: the databases gave {} and {} aggregates", column.name, source.len(), target.len())];
    }
    let names = aggregates(column.kind);
    source
        .iter()
        .zip(target)
        .enumerate()
        .filter(|(_, (one, two))| !equal(column.kind, one.as_deref(), two.as_deref()))
        .map(|(place, (one, two))| {
            let name = names.get(place).copied().unwrap_or("aggregate");
            format!("column `{}`: {name} is {} in the source and {} in the target", column.name, show(one), show(two))
        })
        .collect()
}

fn equal(kind: ProfileKind, one: Option<&str>, two: Option<&str>) -> bool {
    match (one, two) {
        // Two servers print one float in two ways (1e+16 and 1e16): their values are what counts.
        (Some(one), Some(two)) if kind == ProfileKind::Float => match (one.parse::<f64>(), two.parse::<f64>()) {
            (Ok(one), Ok(two)) => one == two,
            _ => one == two,
        },
        (Some(one), Some(two)) => one == two,
        // The sum of nothing is NULL in one database and 0 in another.
        (None, Some("0")) | (Some("0"), None) | (None, None) => true,
        _ => false,
    }
}
