//! What a value meets on its way: what touches it, what it is checked for, and what is compared of it.

use crate::engine::{Dialect, ProfileKind};
use crate::mapping::{ColumnMapping, MappedTable};
use crate::model::LogicalType;
use crate::model::catalog::Column;
use crate::model::probe::Question;
use crate::transform::expr::{Predicate, Rounding};
use crate::transform::{Castability, can_cast};
use crate::verify::{canonical, profile};

use super::super::{Plan, TablePlan, probe};
use super::Compared;

/// Which rows are carried; empty for all.
pub(super) fn rows(table: &TablePlan) -> Vec<String> {
    let mut all = Vec::new();
    if let Some(condition) = &table.mapped.condition {
        all.push(format!("rows where {}", condition.sql));
    }
    all.extend(table.mapped.subset.iter().map(|subset| format!("rows {subset}")));
    if table.mapped.condition.is_none() && table.mapped.subset.is_none() {
        all.extend(table.mapped.source.row_filter.iter().map(|filter| format!("rows where, in the source's SQL, {filter}")));
    }
    if table.append {
        all.push("they are added to those that stand there".into());
    }
    if let Some(key) = &table.load.upsert {
        all.push(format!("those that stand there are found by ({}) and changed", key.columns().collect::<Vec<_>>().join(", ")));
    }
    all
}

/// What touches the values of a column.
pub(super) fn touched_by(table: &TablePlan, column: &ColumnMapping) -> Vec<String> {
    let mut all = Vec::new();
    if let Some(computed) = &column.computed {
        let rounding = match computed.rounding {
            Rounding::Exact => "digits without a place are refused",
            Rounding::Round => "digits without a place are rounded",
            Rounding::Trunc => "digits without a place are cut off",
        };
        all.push(format!("computed as {} ({rounding})", computed.sql));
    }
    if let Some(mask) = &column.mask {
        all.push(format!("masked: {} [{}]", mask.kind.word(), mask.because));
    }
    if let Some(condition) = &table.mapped.condition {
        let looks = table.mapped.scope().and_then(|scope| Predicate::compile(&condition.sql, &scope));
        if looks.is_ok_and(|predicate| predicate.inputs().contains(&column.source)) {
            all.push(format!("chooses the rows: {}", condition.sql));
        }
    }
    all
}

/// What each value is checked for on its way.
pub(super) fn checked(
    plan: &Plan,
    table: &TablePlan,
    column: &ColumnMapping,
    target: &Column,
    dialect: &dyn Dialect,
) -> Vec<String> {
    let mut all = Vec::new();
    let tables: Vec<MappedTable> = plan.tables.iter().map(|table| table.mapped.clone()).collect();
    if column.computed.is_none() {
        for question in probe::questions(&table.mapped, &tables, dialect) {
            all.extend(refused(&question, &column.source));
        }
        match can_cast(&column.from, &column.to) {
            Castability::Identity => {
                all.push(format!(
                    "every {} is a {}: no value is changed, and none is refused by the cast",
                    column.from, column.to
                ));
            }
            Castability::Checked => all.push(format!("{} to {}: {}", column.from, column.to, demand(&column.from, &column.to))),
            Castability::Never(why) => all.push(format!("{} never becomes {}: {why}", column.from, column.to)),
        }
    }
    if !target.nullable {
        all.push("NULL is refused by the target".into());
    }
    all
}

/// What the answer to a question would refuse of that column.
fn refused(question: &Question, name: &str) -> Option<String> {
    let is = |column: &String| column == name;
    let text = match question {
        Question::ZeroDate { column } if is(column) => "a zero date is refused".into(),
        Question::InvalidDate { column } if is(column) => "a date that no calendar has is refused".into(),
        Question::OutOfRange { column, min, max } if is(column) => format!("a number outside {min} to {max} is refused"),
        Question::NoLabel { column } if is(column) => {
            "the empty value of an enumeration, which is none of its labels, is refused".into()
        }
        Question::NulCharacter { column } if is(column) => "text with a NUL character is refused".into(),
        Question::NulEscape { column } if is(column) => "JSON with a NUL character is refused".into(),
        Question::InvalidText { column } if is(column) => "text that is none in its character set is refused".into(),
        Question::LongerThan { columns, bytes } if columns.iter().any(is) => format!("more than {bytes} bytes are refused"),
        Question::LongEntry { index, parts, bytes } if parts.iter().any(|(column, _)| is(column)) => {
            format!("more than {bytes} bytes in an entry of the index `{index}` are refused")
        }
        Question::Orphan { key, .. } if key.columns.iter().any(is) => {
            format!("a value that no row of `{}` has fails the foreign key `{}`", key.parent, key.name)
        }
        _ => return None,
    };
    Some(text)
}

/// What a cast demands of each value; the table of all casts is that of [`crate::transform::pairs`].
fn demand(from: &LogicalType, to: &LogicalType) -> String {
    use LogicalType as L;
    let number = |logical: &L| logical.is_integer() || matches!(logical, L::Decimal { .. } | L::Numeric);
    match (from, to) {
        (L::Bool, _) | (_, L::Bool) => "0 and 1 alone, and anything else is refused".into(),
        (from, L::Text { .. }) if number(from) => "its digits, as many behind the point as the scale says".into(),
        (L::Text { .. }, to) if number(to) || matches!(to, L::Date | L::Time { .. } | L::Timestamp { .. } | L::Uuid) => {
            "the very text that the way back gives, and any other is refused".into()
        }
        (_, to) if number(to) => "a number that is not in its range, or would lose a digit, is refused".into(),
        (_, L::Float32 | L::Float64) => "a number that the float does not hold exactly is refused".into(),
        (L::Duration { .. }, L::Time { .. }) => "a time before 00:00, or from 24:00 on, is refused".into(),
        (
            L::Time { .. } | L::Timestamp { .. } | L::Duration { .. },
            L::Time { fsp } | L::Timestamp { fsp, .. } | L::Duration { fsp },
        ) => {
            format!("a fraction of a second with more than {fsp} digits is refused")
        }
        (L::Date, L::Timestamp { .. }) => "midnight".into(),
        (_, L::Text { length: Some(length) }) => format!("more than {length} characters are refused"),
        (_, L::Enum { .. }) => "what is none of the labels is refused".into(),
        (_, L::Json) => "text that is no JSON is refused".into(),
        (_, L::Binary { length: Some(length) }) => format!("more than {length} bytes are refused"),
        (_, L::Uuid) => "anything but 16 bytes is refused".into(),
        (_, L::Vector { dimensions }) => format!("anything but {dimensions} finite floats is refused"),
        _ => "each value is checked, and one that would change is refused".into(),
    }
}

/// What is compared of every table.
pub(super) fn compared_of_table() -> Vec<Compared> {
    [
        (
            "schema",
            "at every level: columns, keys, indexes, foreign keys, checks, comments and the next id, with what was planned",
        ),
        ("rows", "how many rows both databases count"),
        ("digest", "every value, read again from the target, with what was read from the source"),
        ("full", "aggregates of each column, computed by both databases"),
    ]
    .map(|(level, what)| Compared { level, what: what.into() })
    .into()
}

/// What is compared of a column.
pub(super) fn compared_of_column(plan: &Plan, table: &TablePlan, column: &ColumnMapping) -> Vec<Compared> {
    let place = table.mapped.columns.iter().position(|other| other.target == column.target);
    let members: Vec<&MappedTable> =
        plan.tables.iter().map(|other| &other.mapped).filter(|other| other.target.name == *table.target()).collect();
    let kind = place.and_then(|place| profile::kinds(&members).get(place).copied().flatten());
    let full = match kind {
        Some(kind) => {
            let less = if kind == ProfileKind::Count && column.mask.is_none() {
                ", since no more is computed alike by both"
            } else {
                ""
            };
            format!("{}, computed by both databases{less}", profile::aggregates(kind).join(", "))
        }
        None => "nothing more: the source cannot compute its values".into(),
    };
    let of = |level, what: &str| Compared { level, what: what.into() };
    vec![
        of("schema", "at every level: type, NOT NULL, default, numbering, computation and comment, with what was planned"),
        of("rows", "nothing of it: rows are counted"),
        of("digest", &format!("every value by {}", canonical::words(&column.to))),
        of("full", &full),
    ]
}
