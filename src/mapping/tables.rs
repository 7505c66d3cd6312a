//! One source table, made into one target table.

use crate::config::policies::{key as toml_key, quoted as toml_string};
use crate::config::rules::TableRule;
use crate::error::Error;
use crate::model::catalog::{Column, IndexPart, Problem, Severity, Table};
use crate::model::{LogicalType, ObjectName};
use crate::transform::expr::Scope;
use crate::transform::{Castability, can_cast};

use super::policies::{Decided, Retype};
use super::rules::{Rules, column_rule};
use super::{ColumnMapping, MappedTable, computed, dropped, policies};

/// Maps a table; `None` if it is refused, and then a problem says why.
pub(super) fn map_table(
    source: &Table,
    rule: Option<&TableRule>,
    schema: &str,
    rules: &Rules<'_>,
    now_us: i64,
    faults: &mut Vec<Error>,
    problems: &mut Vec<Problem>,
) -> Option<MappedTable> {
    let (faults_before, refusals) = (faults.len(), problems.len());
    let decided = policies::decide(source, rule, rules, faults, problems);
    let source = &decided.source;
    let scope = match super::scope(source, now_us) {
        Ok(scope) => scope,
        Err(error) => {
            faults.push(error.table(&source.name));
            return None;
        }
    };
    let table = Computing { source, rule, rules, scope: &scope, decided: &decided };
    let faulty = faults_before;
    let mut target = source.clone();
    target.name = target_name(source, rule, schema, rules);
    target.columns.clear();
    let mut columns = Vec::new();
    let mut dropped = Vec::new();
    for column in &source.columns {
        if column_rule(rule, &column.name).is_some_and(|rule| rule.drop) {
            dropped.push(column.name.as_str());
            continue;
        }
        match map_column(&table, column, faults) {
            Ok((mapped, mapping)) => {
                if let Some(generated) = column.generated.as_ref().filter(|_| mapping.computed.is_none()) {
                    let why = "the column is computed by the source; its values are carried into a plain column";
                    let place = format!("{}.{}", source.name, column.name);
                    problems.push(Problem::new(Severity::NotCarried, "generated column", place, why).ddl(&generated.expression));
                }
                target.columns.push(mapped);
                columns.push(mapping);
            }
            Err(problem) => problems.push(*problem),
        }
    }
    for (mapped, mapping) in computed::new_columns(&table, faults) {
        target.columns.push(mapped);
        columns.push(mapping);
    }
    if faults.len() > faulty || problems[refusals..].iter().any(|problem| problem.severity == Severity::Refused) {
        return None;
    }
    if columns.is_empty() && !dropped.is_empty() {
        let why = "each of its columns is left out, so nothing of it would be carried";
        let problem = Problem::new(Severity::Refused, "table", &source.name, why);
        problems.push(problem.hint(format!("Leave the table out with `--exclude {}`, or keep a column", source.name.name)));
        return None;
    }
    dropped::without_dropped(source, &mut target, &dropped, problems);
    rename_columns(&mut target, &columns);
    let mut source = source.clone();
    let condition = match computed::condition(&table, &mut source) {
        Ok(condition) => condition,
        Err(error) => {
            faults.push(error);
            return None;
        }
    };
    let looked_at = computed::looked_at(&table, &columns, condition.as_ref());
    let policies = decided.policies();
    Some(MappedTable { source, target, columns, condition, looked_at, policies, max_rejects: None, now_us })
}

/// The table's own rule decides, then the patterns, then the style; a schema that none of them says is the run's.
fn target_name(source: &Table, rule: Option<&TableRule>, schema: &str, rules: &Rules<'_>) -> ObjectName {
    let (own_schema, name) = match rule.and_then(|rule| rule.to.as_deref()) {
        Some(to) => match to.split_once('.') {
            Some((schema, name)) => (Some(schema.to_string()), name.to_string()),
            None => (None, to.to_string()),
        },
        None => rules.renames.table(&source.name),
    };
    let schema = own_schema.or_else(|| rules.renames.schema(&source.name.schema)).unwrap_or_else(|| schema.to_string());
    ObjectName::new(schema, name)
}

/// A table whose columns are being mapped.
pub(super) struct Computing<'a> {
    pub(super) source: &'a Table,
    pub(super) rule: Option<&'a TableRule>,
    pub(super) rules: &'a Rules<'a>,
    pub(super) scope: &'a Scope,
    pub(super) decided: &'a Decided,
}

fn map_column(
    computing: &Computing<'_>,
    column: &Column,
    faults: &mut Vec<Error>,
) -> Result<(Column, ColumnMapping), Box<Problem>> {
    let &Computing { source: table, rule, rules, decided, .. } = computing;
    let decision = decided.columns.get(&column.name);
    let place = format!("{}.{}", table.name, column.name);
    let refuse = |why: String, hint: Option<&str>| {
        let lines = format!(
            "[[table]]\nname = {}\n[table.columns.{}]\nto = \"bytea\"  # or another type that can hold it",
            toml_string(&table.name.name),
            toml_key(&column.name)
        );
        let lines = hint.map_or(lines, |hint| suggest(table, column, hint));
        Box::new(
            Problem::new(Severity::Refused, "column", &place, why).hint(format!("Add to the mapping file (`-m FILE`):\n{lines}")),
        )
    };
    let Some(from) = column.logical.clone() else {
        let why = format!("the source type `{}` cannot be read", column.native.full);
        let hint = format!("Leave the table out with `--exclude {}`", table.name.name);
        return Err(Box::new(Problem::new(Severity::Refused, "column", &place, why).hint(hint)));
    };
    let dialect = rules.route.target;
    let own_type = column_rule(rule, &column.name).is_some_and(|own| own.to.is_some());
    let retype = decision.and_then(|decision| decision.to.as_ref()).filter(|_| !own_type);
    let (mut native, to, mut rule_name) = match rules.column(rule, column).filter(|_| retype.is_none()) {
        Some(decision) => {
            let mut native = dialect.parse_type(&decision.to).map_err(|error| refuse(error.to_string(), None))?;
            native.labels.clone_from(&column.native.labels);
            let to = dialect
                .to_logical(&native)
                .ok_or_else(|| refuse(format!("the target type `{}` cannot be written", native.full), None))?;
            // Asked for its refusal only: whether this server has the type at all.
            dialect
                .to_native(&to, rules.route.target_server)
                .map_err(|error| refuse(error.what().to_string(), suggested(&error)))?;
            (native, receive(&from, to), decision.rule)
        }
        None if let Some(Retype::Named(name)) = retype => {
            let native = dialect.parse_type(name).map_err(|error| refuse(error.to_string(), None))?;
            let to = dialect.to_logical(&native).map_or_else(|| from.clone(), |to| receive(&from, to));
            (native, to, format!("`{name}`"))
        }
        None => {
            let from = if let Some(Retype::Logical(logical)) = retype { logical } else { &from };
            let (native, _) = dialect
                .to_native(from, rules.route.target_server)
                .map_err(|error| refuse(error.what().to_string(), suggested(&error)))?;
            let to = dialect.to_logical(&native).map_or_else(|| from.clone(), |to| receive(from, to));
            (native, to, format!("the target's type for {from}"))
        }
    };
    let computed = computed::of(computing, &column.name);
    if computed.is_some() && decision.is_some_and(|decision| decision.policies.out_of_range.is_some() || decision.to.is_some()) {
        let why = "a policy of the target's type is said of a column that an expression makes";
        let problem = Problem::new(Severity::Refused, "column", &place, why);
        return Err(Box::new(problem.hint("Take it out, or write it into the expression")));
    }
    if let Some(computed) = &computed {
        computed::check(computing, &column.name, computed, &to, faults);
    } else if let Castability::Never(why) = can_cast(&from, &to) {
        return Err(refuse(format!("`{}` cannot become `{}`: {why}", column.native.full, native.full), None));
    }
    // The sign is kept as a check where the target's type would also take negative numbers (rows N1 and N9 of the matrix).
    native.unsigned = column.native.unsigned && !matches!(from, LogicalType::UInt8 | LogicalType::UInt16 | LogicalType::UInt32);
    let name = column_rule(rule, &column.name).and_then(|rule| rule.rename.clone());
    let name = name.unwrap_or_else(|| rules.renames.column(&table.name.name, &column.name));
    let nullable = policies::nullable(table, rule, column, decision)?;
    for said in decision.iter().flat_map(|decision| &decision.said) {
        rule_name.push_str("; ");
        rule_name.push_str(said);
    }
    let mapped = Column { name: name.clone(), native, logical: Some(to.clone()), generated: None, nullable, ..column.clone() };
    Ok((mapped, ColumnMapping { source: column.name.clone(), target: name, from, to, computed, rule: rule_name, mask: None }))
}

/// The logical type under which a target column receives values of `from`. One native type may hold several: a PostgreSQL `interval`
/// holds durations, and a `text[]` holds sets; they are compared as what was sent.
pub(super) fn receive(from: &LogicalType, to: LogicalType) -> LogicalType {
    use LogicalType as L;
    match (from, &to) {
        (L::Duration { .. }, L::Interval) => from.clone(),
        (L::Set { .. }, L::Array { item }) if matches!(**item, L::Text { .. }) => from.clone(),
        (L::Geometry { .. }, L::Geometry { .. }) => from.clone(),
        _ => to,
    }
}

/// The type that an error's hint proposes as `to = "…"`.
fn suggested(error: &crate::Error) -> Option<&str> {
    let hint = error.hint_text()?;
    let (_, rest) = hint.split_once("to = \"")?;
    rest.split_once('"').map(|(to, _)| to)
}

fn suggest(table: &Table, column: &Column, to: &str) -> String {
    format!("[[table]]\nname = {}\n[table.columns.{}]\nto = \"{to}\"", toml_string(&table.name.name), toml_key(&column.name))
}

/// Keys and indexes follow the renames of the columns.
fn rename_columns(target: &mut Table, columns: &[ColumnMapping]) {
    let renamed = |name: &mut String| {
        if let Some(column) = columns.iter().find(|column| column.source == *name) {
            name.clone_from(&column.target);
        }
    };
    let rename_part = |part: &mut IndexPart| part.column.as_mut().map(renamed);
    for index in target.primary_key.iter_mut().chain(&mut target.indexes) {
        for part in &mut index.parts {
            rename_part(part);
        }
    }
    for key in &mut target.foreign_keys {
        key.columns.iter_mut().for_each(renamed);
    }
}
