//! Columns that are computed, and conditions on rows: checked against the table's columns before anything runs, each fault with its
//! place in the file.

use crate::config::rules::ColumnRule;
use crate::error::{Error, ErrorKind, Result};
use crate::model::LogicalType;
use crate::model::catalog::{Column, Table};
use crate::transform::expr::{Expression, Predicate, Rounding};

use super::rules::column_rule;
use super::tables::{Computing, receive};
use super::{ColumnMapping, Computed, Condition, standing};

/// What the rule of a source's column computes.
pub(super) fn of(table: &Computing<'_>, column: &str) -> Option<Computed> {
    computed(column_rule(table.rule, column)?)
}

fn computed(rule: &ColumnRule) -> Option<Computed> {
    let rounding = match (rule.round, rule.trunc) {
        (true, _) => Rounding::Round,
        (false, true) => Rounding::Trunc,
        (false, false) => Rounding::Exact,
    };
    Some(Computed { sql: rule.expr.clone()?, rounding })
}

/// Notes a fault if the expression does not fit the table's columns, or the target's type.
pub(super) fn check(table: &Computing<'_>, column: &str, computed: &Computed, to: &LogicalType, faults: &mut Vec<Error>) {
    if let Err(error) = Expression::compile(&computed.sql, table.scope, to, computed.rounding) {
        faults.push(at(table, column, error));
    }
}

fn at(table: &Computing<'_>, column: &str, error: Error) -> Error {
    let error = error.table(&table.source.name).column(column);
    match table.rule {
        Some(rule) => error.file(table.rules.place_of(rule, rule.columns.get(column))),
        None => error,
    }
}

/// The columns that the source does not have.
pub(super) fn new_columns(table: &Computing<'_>, faults: &mut Vec<Error>) -> Vec<(Column, ColumnMapping)> {
    let Some(rule) = table.rule else { return Vec::new() };
    let new = rule.columns.iter().filter(|(name, own)| own.expr.is_some() && table.source.column(name).is_none());
    let mut columns = Vec::new();
    for (name, own) in new {
        match new_column(table, name, own) {
            Ok(column) => columns.push(column),
            Err(error) => faults.push(at(table, name, error)),
        }
    }
    columns
}

fn new_column(table: &Computing<'_>, name: &str, rule: &ColumnRule) -> Result<(Column, ColumnMapping)> {
    if rule.mask.is_some() {
        let error = Error::new(ErrorKind::Mapping, "a column that is computed cannot be masked as well");
        return Err(error.hint("Mask the column that it is computed from, or write the masking into the expression"));
    }
    let Some(computed) = computed(rule) else { return Err(Error::internal("a new column without an expression")) };
    let (dialect, server) = (table.rules.route.target, table.rules.route.target_server);
    let natural = Expression::natural_type(&computed.sql, table.scope)?;
    let target = rule.rename.clone().unwrap_or_else(|| name.to_string());
    let there = standing::column(table, &target, Some(rule));
    if standing::is_generated(table.standing, &target) {
        return Err(Error::new(ErrorKind::Mapping, "the existing table computes the column by itself").hint("Take its rule out"));
    }
    let (native, to, why) = match (there, &rule.to) {
        (Some(there), _) => {
            let to = standing::logical(&natural, there).ok_or_else(|| {
                let what = format!("the existing table has `{}`, which cannot be written", there.native.full);
                Error::new(ErrorKind::Mapping, what)
            })?;
            (there.native.clone(), to, standing::RULE.to_string())
        }
        (None, Some(to)) => {
            let native = dialect.parse_type(to)?;
            let logical = dialect
                .to_logical(&native)
                .ok_or_else(|| Error::new(ErrorKind::Mapping, format!("the target type `{}` cannot be written", native.full)))?;
            let place = table.rule.map(|table_rule| table.rules.place_of(table_rule, Some(rule))).unwrap_or_default();
            (native, receive(&natural, logical), place)
        }
        (None, None) => {
            let (native, _) = dialect.to_native(&natural, server)?;
            let to = dialect.to_logical(&native).map_or_else(|| natural.clone(), |to| receive(&natural, to));
            (native, to, format!("the target's type for {natural}"))
        }
    };
    Expression::compile(&computed.sql, table.scope, &to, computed.rounding)?;
    let column = Column::new(target.clone(), Some(to.clone()), native);
    Ok((
        column,
        ColumnMapping { source: String::new(), target, from: natural, to, computed: Some(computed), rule: why, mask: None },
    ))
}

/// The condition on the table's rows; what the source can check of it goes into `source`'s own filter.
pub(super) fn condition(table: &Computing<'_>, source: &mut Table) -> Result<Option<Condition>> {
    let Some(rule) = table.rule else { return Ok(None) };
    let place = |error: Error| error.table(&table.source.name).file(table.rules.place_of(rule, None));
    let dialect = table.rules.route.source;
    let mut filters = Vec::new();
    if let Some(own) = &rule.source_where {
        if !dialect.takes_conditions() {
            let error = Error::new(ErrorKind::Mapping, "the source takes no condition in its own SQL");
            return Err(place(error).hint("Write the condition as `where`"));
        }
        filters.push(own.clone());
    }
    let condition = match &rule.condition {
        None => None,
        Some(sql) => {
            let predicate = Predicate::compile(sql, table.scope).map_err(place)?;
            if predicate.is_never() && !table.rules.allow_empty {
                let error = Error::new(ErrorKind::Mapping, format!("the condition `{sql}` lets no row through"));
                return Err(
                    place(error).hint("Correct it, leave the table out with `exclude = true`, or allow it with `--allow-empty`")
                );
            }
            let bytewise = |name: &str| table.source.column(name).is_some_and(|column| dialect.compares_bytes(&column.native));
            // The source's own SQL sees the value as it is stored, and the condition is about the value as it is read.
            let changed = predicate.inputs().iter().any(|column| table.decided.changes(column));
            let pushed = predicate.pushdown(bytewise).filter(|_| !changed);
            let sql_of = pushed.as_ref().and_then(|pushed| dialect.condition(table.source, &pushed.predicate));
            let complete = sql_of.is_some() && pushed.is_some_and(|pushed| pushed.complete);
            filters.extend(sql_of);
            Some(Condition { sql: sql.clone(), complete })
        }
    };
    if let Some(share) = rule.sample {
        let error = |what: &str, hint: &str| Err(place(Error::new(ErrorKind::Mapping, what).hint(hint)));
        let Some(key) = table.source.identity_columns() else {
            return error(
                "`sample` takes rows by their key, and the table has none",
                "Choose its rows with `where` or `source_where`, or give it a primary key",
            );
        };
        match dialect.sample(&key, share) {
            Some(sql) => filters.push(sql),
            None => return error("the source takes no samples", "Choose its rows with `where`"),
        }
    }
    source.row_filter = match filters.len() {
        0 => None,
        1 => filters.pop(),
        _ => Some(filters.iter().map(|filter| format!("({filter})")).collect::<Vec<_>>().join(" AND ")),
    };
    Ok(condition)
}

/// Source columns that are read and not carried as they are.
pub(super) fn looked_at(table: &Computing<'_>, columns: &[ColumnMapping], condition: Option<&Condition>) -> Vec<String> {
    let mut wanted: Vec<String> = Vec::new();
    for computed in columns.iter().filter_map(|column| column.computed.as_ref()) {
        // Compiled before without a fault; the type does not change what is read.
        if let Ok(inputs) = inputs_of(table, &computed.sql) {
            wanted.extend(inputs);
        }
    }
    if let Some(predicate) = condition.and_then(|condition| Predicate::compile(&condition.sql, table.scope).ok()) {
        wanted.extend(predicate.inputs().iter().cloned());
    }
    let carried: Vec<&str> =
        columns.iter().filter(|column| column.computed.is_none()).map(|column| column.source.as_str()).collect();
    // In the table's order, each once. The key's columns name a row in an error.
    let key = table.source.key_columns();
    let looked_at = table.source.columns.iter().map(|column| column.name.as_str());
    let mut names: Vec<String> = looked_at
        .filter(|name| {
            !carried.contains(name) && (wanted.iter().any(|wanted| wanted == name) || (!wanted.is_empty() && key.contains(name)))
        })
        .map(str::to_string)
        .collect();
    if carried.is_empty() && names.is_empty() {
        // Constants alone: rows are still counted by reading one column.
        names.extend(table.source.columns.iter().find(|column| column.logical.is_some()).map(|column| column.name.clone()));
    }
    names
}

fn inputs_of(table: &Computing<'_>, sql: &str) -> Result<Vec<String>> {
    let natural = Expression::natural_type(sql, table.scope)?;
    Ok(Expression::compile(sql, table.scope, &natural, Rounding::Exact)?.inputs().to_vec())
}
