//! Checks, defaults, generated columns and expressions of indexes: what they mean, in the names of the target.
//!
//! Runs when the names and masks are decided. An expression holds only over columns that are carried as they are: what is masked,
//! computed or left out is other, or nothing, in the target.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::config::rules::{GeneratedChoice, TableRule};
use crate::model::ObjectName;
use crate::model::catalog::{Column, DefaultValue, Generated, Problem, Severity, Table};
use crate::model::expression::Reading;

use super::rules::{Rules, column_rule};
use super::{ColumnMapping, Mapped, MappedTable};

/// Fills the expressions of all target tables, and decides which of their columns the target computes.
pub(super) fn translate(mapped: &mut Mapped, rules: &Rules<'_>, resolved: &[Option<TableRule>]) {
    let Mapped { tables, problems, .. } = mapped;
    let mut members: HashMap<ObjectName, usize> = HashMap::new();
    for table in tables.iter() {
        *members.entry(table.target.name.clone()).or_default() += 1;
    }
    for (table, rule) in tables.iter_mut().zip(resolved) {
        table.target.expressions = readings(table, rules);
        let merged = members.get(&table.target.name).is_some_and(|members| *members > 1);
        generate(table, rule.as_ref(), merged, rules, problems);
    }
}

/// All the SQL that hangs on a table.
fn texts(table: &Table) -> BTreeSet<&str> {
    let checks = table.checks.iter().map(|check| check.expression.as_str());
    let generated = table.columns.iter().filter_map(|column| Some(column.generated.as_ref()?.expression.as_str()));
    let defaults = table.columns.iter().filter_map(|column| match &column.default {
        Some(DefaultValue::Expression(sql)) => Some(sql.as_str()),
        _ => None,
    });
    let parts = table.primary_key.iter().chain(&table.indexes).flat_map(|index| &index.parts);
    checks.chain(generated).chain(defaults).chain(parts.filter_map(|part| part.expression.as_deref())).collect()
}

fn readings(table: &MappedTable, rules: &Rules<'_>) -> BTreeMap<String, Reading> {
    let one = |sql: &str| {
        let mut understood = rules.route.source.understand(&table.source, sql)?;
        for name in understood.tree.columns() {
            carried_as_it_is(table, name)?;
        }
        let renamed = |name: &str| Some(mapping_of(table, name)?.target.clone());
        understood.tree.rename(&renamed);
        Ok(understood)
    };
    let reading = |sql: &str| match one(sql) {
        Ok(understood) => Reading::Understood(understood),
        Err(why) => Reading::Unread(why),
    };
    texts(&table.source).into_iter().map(|sql| (sql.to_string(), reading(sql))).collect()
}

fn mapping_of<'t>(table: &'t MappedTable, source: &str) -> Option<&'t ColumnMapping> {
    table.columns.iter().find(|column| column.source == source)
}

fn carried_as_it_is(table: &MappedTable, source: &str) -> Result<(), String> {
    match mapping_of(table, source) {
        None => Err(format!("its column `{source}` is left out")),
        Some(column) if column.computed.is_some() => Err(format!("its column `{source}` is computed anew by the mapping")),
        Some(column) if column.mask.is_some() => Err(format!("its column `{source}` is masked")),
        Some(_) => Ok(()),
    }
}

/// Lets the target compute what the source computes, where it can.
fn generate(table: &mut MappedTable, rule: Option<&TableRule>, merged: bool, rules: &Rules<'_>, problems: &mut Vec<Problem>) {
    let mut computed: Vec<(usize, Generated)> = Vec::new();
    for (place, mapping) in table.columns.iter().enumerate() {
        let source = table.source.column(&mapping.source);
        let Some(generated) = source.and_then(|column| column.generated.as_ref()).filter(|_| mapping.computed.is_none()) else {
            continue;
        };
        let kind = if generated.stored { "STORED" } else { "VIRTUAL" };
        let copied = column_rule(rule, &mapping.source).is_some_and(|rule| rule.generated == GeneratedChoice::Copy);
        let (severity, why) = if copied {
            (Severity::Note, "its values are carried into a plain column, as the mapping says".to_string())
        } else if merged {
            // Each member may compute it in another way.
            (Severity::NotCarried, "its table is merged with others; its values are carried into a plain column".to_string())
        } else {
            match can_generate(table, mapping, generated, rules) {
                Ok(()) => {
                    computed.push((place, generated.clone()));
                    continue;
                }
                Err(why) => {
                    (Severity::NotCarried, format!("its values are carried into a plain column; it is not computed, since {why}"))
                }
            }
        };
        let name = format!("{}.{}", table.source.name, mapping.source);
        let ddl = format!("GENERATED ALWAYS AS ({}) {kind}", generated.expression);
        problems.push(Problem::new(severity, "generated column", name, why).ddl(ddl));
    }
    for (place, generated) in computed {
        if let Some(column) = table.target.columns.get_mut(place) {
            column.generated = Some(generated);
            column.default = None;
        }
    }
}

fn can_generate(table: &MappedTable, mapping: &ColumnMapping, generated: &Generated, rules: &Rules<'_>) -> Result<(), String> {
    if mapping.mask.is_some() {
        return Err("it is masked".into());
    }
    if table.policies.contains_key(&mapping.source) {
        return Err("it has a value policy".into());
    }
    let target: &Column = table.target.column(&mapping.target).ok_or("it is not carried")?;
    for name in table.target.expression(&generated.expression)?.tree.columns() {
        let input = table.columns.iter().find(|column| column.target == name);
        if input.is_some_and(|input| table.policies.contains_key(&input.source)) {
            return Err(format!("it is computed from `{name}`, which has a value policy"));
        }
        let source = input.and_then(|input| table.source.column(&input.source));
        if source.is_some_and(|source| source.generated.is_some()) {
            return Err(format!("it is computed from `{name}`, which is computed itself"));
        }
    }
    rules.route.target.can_generate(&table.target, target, &generated.expression, rules.route.target_server)
}
