//! The columns that tell merged rows apart (`key = true`), and what they become a part of.

use crate::config::rules::TableRule;
use crate::model::LogicalType;
use crate::model::catalog::{Index, IndexPart, Problem, Severity, Table};

use super::ColumnMapping;

/// Puts the columns in front of the primary key and of every unique index: what was unique in a source table stays unique within its
/// rows. `target` has its own column names already.
pub(super) fn join_keys(
    source: &Table,
    rule: Option<&TableRule>,
    columns: &[ColumnMapping],
    target: &mut Table,
    problems: &mut Vec<Problem>,
) {
    let fronts = fronts(rule, columns);
    let Some(first) = fronts.first() else { return };
    let keys = target.primary_key.iter_mut().chain(target.indexes.iter_mut().filter(|index| index.unique));
    let mut joined = 0;
    for key in keys {
        put_in_front(key, &fronts);
        joined += 1;
    }
    if joined == 0 {
        let why = "the table has no primary key and no unique index that the column could join";
        let place = format!("{}.{first}", source.name);
        problems.push(Problem::new(Severity::Refused, "column", place, why).hint("Take out `key = true`"));
    }
    for column in target.columns.iter_mut().filter(|column| fronts.contains(&column.name)) {
        column.nullable = false;
    }
}

/// The names in the target of a table's columns with `key = true`, in the order of its columns.
pub(super) fn fronts(rule: Option<&TableRule>, columns: &[ColumnMapping]) -> Vec<String> {
    let Some(rule) = rule else { return Vec::new() };
    let is_key = |column: &&ColumnMapping| {
        rule.columns.iter().any(|(name, own)| {
            // A new column has no name in the source.
            let new = column.source.is_empty() && own.rename.as_ref().unwrap_or(name) == &column.target;
            own.key && (*name == column.source || new)
        })
    };
    columns.iter().filter(is_key).map(|column| column.target.clone()).collect()
}

fn put_in_front(key: &mut Index, fronts: &[String]) {
    key.parts.retain(|part| part.column.as_ref().is_none_or(|name| !fronts.contains(name)));
    let parts =
        fronts.iter().map(|name| IndexPart { column: Some(name.clone()), expression: None, prefix: None, descending: false });
    key.parts.splice(0..0, parts);
}

/// A constant of an expression, where it is one without a doubt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Constant {
    /// `'tenant_a'`, without its quotes.
    Text(String),
    /// `7`.
    Number(i128),
}

/// The constant that `sql` is, if it is a single text or whole number.
pub fn constant(sql: &str) -> Option<Constant> {
    let sql = sql.trim();
    if let Ok(number) = sql.parse() {
        return Some(Constant::Number(number));
    }
    let inner = sql.strip_prefix('\'')?.strip_suffix('\'')?;
    // A quote within stands twice.
    let alone = inner.split("''").all(|piece| !piece.contains('\''));
    (alone && sql.len() >= 2).then(|| Constant::Text(inner.replace("''", "'")))
}

/// The constant of a column, where two different ones stay different in the target.
pub fn fixed(column: &ColumnMapping) -> Option<Constant> {
    let constant = constant(&column.computed.as_ref()?.sql)?;
    match (&constant, &column.to) {
        (Constant::Text(_), LogicalType::Text { .. }) => Some(constant),
        (Constant::Number(_), to) if to.is_integer() => Some(constant),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_single_text_or_number_is_a_constant() {
        assert_eq!(constant(" 'a' "), Some(Constant::Text("a".into())));
        assert_eq!(constant("'it''s'"), Some(Constant::Text("it's".into())));
        assert_eq!(constant("-7"), Some(Constant::Number(-7)));
        assert_eq!(constant("'a' || 'b'"), None);
        assert_eq!(constant("'a''"), None);
        assert_eq!(constant("id"), None);
        assert_eq!(constant("'"), None);
    }
}
