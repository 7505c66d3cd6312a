//! What the mapping has decided of values that the probe found, and the lines that decide it.

use crate::mapping::standing::decides;
use crate::mapping::{MappedTable, lines};
use crate::model::civil;
use crate::model::policy::{EnumEmpty, NulByte, OutOfRange, ValuePolicies, ZeroDate};
use crate::model::probe::Question;

/// What a column's policies do with the values that the question found; none where they do nothing.
pub(super) fn by_policy(policies: &ValuePolicies, question: &Question, one: bool) -> Option<String> {
    use Question as Q;
    let turn_into = |what: &str, policy: &str| {
        if one { format!("it becomes {what} by `{policy}`") } else { format!("they become {what} by `{policy}`") }
    };
    let are = |what: &str, policy: &str| {
        if one { format!("it is {what} by `{policy}`") } else { format!("they are {what} by `{policy}`") }
    };
    Some(match question {
        Q::ZeroDate { .. } | Q::InvalidDate { .. } => match policies.zero_date? {
            ZeroDate::Null => turn_into("NULL", "zero_date"),
            ZeroDate::NegativeInfinity => turn_into("-infinity", "zero_date"),
            ZeroDate::Day(days) => turn_into(&civil::date_text(days.into()), "zero_date"),
            ZeroDate::Text => are("kept, as text,", "zero_date"),
        },
        Q::OutOfRange { .. } | Q::NotZeroOrOne { .. } | Q::NotTimeOfDay { .. } => match policies.out_of_range? {
            OutOfRange::Clamp => turn_into("the nearest value that the type holds", "out_of_range"),
            OutOfRange::Null => turn_into("NULL", "out_of_range"),
        },
        Q::NoLabel { .. } => match policies.enum_empty.as_ref()? {
            EnumEmpty::Null => turn_into("NULL", "enum_empty"),
            EnumEmpty::Label(label) => turn_into(&format!("'{label}'"), "enum_empty"),
        },
        Q::NulCharacter { .. } => match policies.nul_byte.as_ref()? {
            NulByte::Strip => are("carried without it", "nul_byte"),
            NulByte::Replace(text) => are(&format!("carried with '{text}' in its place"), "nul_byte"),
        },
        Q::NulEscape { .. } if policies.strip_json => are("carried without it", "json"),
        Q::InvalidText { .. } if policies.replace_invalid => are("carried, what is no character replaced,", "invalid_text"),
        Q::EncodedTwice { .. } if policies.decode_utf8 => are("decoded", "decode"),
        _ => return None,
    })
}

/// The line for dates that no calendar has, as the column can take it.
pub(super) fn dates(table: &MappedTable, column: &str) -> String {
    null_or(table, column, r#"zero_date = "null""#, r#"zero_date = "1970-01-01"  # or another date that stands for it"#)
}

/// The line for the error value of an enumeration.
pub(super) fn no_label(table: &MappedTable, column: &str) -> String {
    null_or(table, column, r#"enum_empty = "null""#, r#"enum_empty = "unknown"  # or another label that stands for it"#)
}

/// The line for numbers beyond the target's type.
pub(super) fn beyond(table: &MappedTable, column: &str) -> String {
    let clamp = r#"out_of_range = "clamp""#;
    if stands(table, column) { clamp.to_string() } else { format!("to = \"numeric\"  # or: {clamp}") }
}

/// The line for numbers in a boolean that are neither 0 nor 1.
pub(super) fn no_truth_value(table: &MappedTable, column: &str) -> String {
    if !stands(table, column) {
        return r#"to = "smallint""#.to_string();
    }
    let compared = format!("{} <> 0", quoted(column));
    format!("expr = {}  # all but 0 are true; or instead: out_of_range = \"clamp\", or \"null\"", lines::string(&compared))
}

/// The line for times outside of a day.
pub(super) fn no_time_of_day(table: &MappedTable, column: &str) -> String {
    let line = if stands(table, column) { r#"out_of_range = "clamp"  # or "null""# } else { r#"to = "interval""# };
    line.to_string()
}

/// True if a table that stands decides the column's type.
fn stands(table: &MappedTable, column: &str) -> bool {
    table.columns.iter().any(|mapping| mapping.source == column && decides(mapping))
}

/// A name in an expression.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// NULL where the target's column takes it or may be made to, and otherwise something else.
fn null_or(table: &MappedTable, column: &str, null: &str, other: &str) -> String {
    let Some(place) = table.columns.iter().position(|mapping| mapping.source == column) else { return null.to_string() };
    if table.target.columns.get(place).is_none_or(|target| target.nullable) {
        return null.to_string();
    }
    let is_key = table.source.key_columns().into_iter().any(|name| name == column);
    if is_key || table.columns.get(place).is_some_and(decides) {
        return other.to_string();
    }
    format!("{null}\nnullable = true  # drops NOT NULL; or instead of both:\n# {other}")
}
