//! CHECK constraints: made without a look at the rows, validated after. What was not understood is listed.

use std::collections::HashSet;

use super::literal::table_oid;
use super::{Draft, made, named, quote_literal, quote_name, quote_table};
use crate::engine::DdlPhase;
use crate::engine::postgres::expression::print;
use crate::model::catalog::{Check, Problem, Severity, Table};
use crate::model::expression::{Expression, Function};

/// The checks of `table`.
pub(super) fn create(draft: &mut Draft<'_>, table: &Table) {
    let mut taken: HashSet<String> = table.primary_key.iter().map(|key| key.name.clone()).collect();
    taken.extend(table.foreign_keys.iter().map(|key| key.name.clone()));
    // PostgreSQL's own names for the checks that stand in the CREATE TABLE.
    taken.extend(table.columns.iter().map(|column| format!("{}_{}_check", table.name.name, column.name)));
    for check in &table.checks {
        if let Err(why) = one(draft, table, check, &mut taken) {
            let enforced = if check.enforced { "" } else { " NOT ENFORCED" };
            let ddl = format!("CONSTRAINT {} CHECK ({}){enforced}", quote_name(&check.name), check.expression);
            let why = format!("the condition is not carried: {why}");
            let name = named(&table.name, &check.name);
            draft.problems.push(Problem::new(Severity::NotCarried, "check", name, why).ddl(ddl));
        }
    }
}

fn one(draft: &mut Draft<'_>, table: &Table, check: &Check, taken: &mut HashSet<String>) -> Result<(), String> {
    let understood = table.expression(&check.expression)?;
    let tree = understood.condition().ok_or("it is no condition")?;
    if let Expression::Call { function: Function::JsonValid, arguments } = &tree
        && let [Expression::Column { name, .. }] = arguments.as_slice()
        && let Some(column) = table.column(name)
    {
        let why = format!("the type `{}` of `{name}` holds nothing but JSON, so it needs no check", column.native.full);
        draft.problems.push(Problem::new(Severity::Note, "check", named(&table.name, &check.name), why));
        return Ok(());
    }
    let sql = print(&tree, table, &draft.options.features)?.sql;
    let inner = sql.strip_prefix('(').and_then(|inner| inner.strip_suffix(')'));
    let condition = if inner.is_some() { sql } else { format!("({sql})") };
    let can_rest = draft.options.features.iter().any(|feature| feature == "not_enforced");
    if !check.enforced && !can_rest {
        return Err("it is not enforced, which PostgreSQL has from version 18 on".into());
    }
    let wanted = match tree.columns().first() {
        _ if !check.name.is_empty() => check.name.clone(),
        Some(column) => format!("{}_{column}_chk", table.name.name),
        None => format!("{}_chk", table.name.name),
    };
    let constraint = free_name(&wanted, table, taken);
    if !check.name.is_empty() && constraint != check.name {
        let why =
            format!("it becomes `{constraint}`, since the names of a table's constraints are short and unique in PostgreSQL");
        draft.problems.push(Problem::new(Severity::Note, "check", named(&table.name, &check.name), why));
    }
    if let Some(note) = &understood.note {
        let problem = Problem::new(Severity::Note, "check", named(&table.name, &constraint), note.clone());
        draft.problems.push(problem.ddl(format!("CHECK {condition}")));
    }
    let owner = quote_table(&table.name);
    let found = format!(
        "SELECT FROM pg_catalog.pg_constraint WHERE conrelid = {} AND conname = {} AND contype = 'c'",
        table_oid(&table.name),
        quote_literal(&constraint)
    );
    let how = if check.enforced { "NOT VALID" } else { "NOT ENFORCED" };
    draft.push(
        DdlPhase::Finish,
        table,
        format!("check {constraint}"),
        format!("ALTER TABLE {owner} ADD CONSTRAINT {} CHECK {condition} {how}", quote_name(&constraint)),
        Some(format!("SELECT EXISTS ({found})")),
    );
    draft.note(|made| made.table.checks.push(made::check(&constraint, &condition, check.enforced)));
    if check.enforced {
        draft.push(
            DdlPhase::Validate,
            table,
            format!("validation of {constraint}"),
            format!("ALTER TABLE {owner} VALIDATE CONSTRAINT {}", quote_name(&constraint)),
            Some(format!("SELECT EXISTS ({found} AND convalidated)")),
        );
    }
    Ok(())
}

fn free_name(wanted: &str, table: &Table, taken: &mut HashSet<String>) -> String {
    let mut name = super::names::shortened(wanted, &table.name, "");
    let mut number = 2;
    while !taken.insert(name.clone()) {
        name = super::names::shortened(&format!("{wanted}_{number}"), &table.name, "");
        number += 1;
    }
    name
}
