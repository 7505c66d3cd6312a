//! What both databases compute of a column for `full` verification, and how the two outcomes compare.
//!
//! This is the one check that sees the reading of the source: it needs neither reader nor mapping nor encoder.

use crate::config::masking::MaskKind;
use crate::engine::{ProfileColumn, ProfileKind};
use crate::mapping::{ColumnMapping, MappedTable};
use crate::model::LogicalType;

/// The columns to profile, in the source and in the target, in the order of the target's columns. One that becomes NULL throughout has
/// nothing to compare.
pub fn columns(table: &MappedTable) -> (Vec<ProfileColumn>, Vec<ProfileColumn>) {
    table
        .columns
        .iter()
        .zip(&table.target.columns)
        // The source cannot compute our expressions: those columns are proven by the digest alone.
        .filter(|(mapping, _)| mapping.computed.is_none())
        .filter(|(mapping, _)| mapping.mask.as_ref().is_none_or(|mask| mask.kind != MaskKind::Null))
        .map(|(mapping, target)| {
            let kind = kind(mapping);
            let native = table.source.column(&mapping.source).map(|column| column.native.clone()).unwrap_or_default();
            (
                ProfileColumn { name: mapping.source.clone(), native, kind },
                ProfileColumn { name: mapping.target.clone(), native: target.native.clone(), kind },
            )
        })
        .unzip()
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
fn aggregates(kind: ProfileKind) -> &'static [&'static str] {
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
