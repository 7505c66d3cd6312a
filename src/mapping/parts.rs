//! What becomes of one source table: nothing, one table of the target, or several, each by a rule of its own.

use crate::config::naming::{renamed, whole_name};
use crate::config::rules::TableRule;
use crate::error::{Error, ErrorKind, Result};
use crate::model::ObjectName;
use crate::model::catalog::{Problem, Severity, Table};
use crate::transform::expr::captures;

use super::MappedTable;
use super::rules::{Rules, fitting};

/// The rules of a table, one for each part that is made of it; a table that no rule names has one part without a rule. Rules by name go before
/// rules by pattern; of these, the first that fits decides, together with those of the same pattern.
pub(super) fn of(rules: &Rules<'_>, table: &Table, faults: &mut Vec<Error>) -> Vec<Option<TableRule>> {
    let all = rules.of_table(table);
    let filled = all
        .into_iter()
        .map(|rule| filled(rule, &table.name).map_err(|error| error.table(&table.name).file(rules.place_of(rule, None))));
    let mut parts = Vec::new();
    for part in filled {
        match part {
            Ok(rule) => parts.push(Some(rule)),
            Err(error) => faults.push(error),
        }
    }
    if parts.is_empty() { vec![None] } else { parts }
}

/// The rule with what its pattern matched in the place of `$1`.
fn filled(rule: &TableRule, name: &ObjectName) -> Result<TableRule> {
    let mut rule = rule.clone();
    let Some(pattern) = &rule.matches else { return Ok(rule) };
    let Some(name) = fitting(pattern, name) else { return Ok(rule) };
    let pattern = whole_name(pattern).map_err(|why| Error::new(ErrorKind::Mapping, why))?;
    let groups = pattern.captures(&name);
    let count = pattern.captures_len();
    let group = |number: usize| -> String {
        groups.as_ref().and_then(|groups| groups.get(number)).map(|found| found.as_str().to_string()).unwrap_or_default()
    };
    let fill = |sql: &mut Option<String>| -> Result<()> {
        let Some(text) = sql else { return Ok(()) };
        if let Some(missing) = (count..10).find(|number| text.contains(&format!("${number}"))) {
            let what = format!("`${missing}` stands for group {missing}, and the pattern has {}", count - 1);
            return Err(Error::new(ErrorKind::Mapping, what).hint("Correct the number, or add the group to `match`"));
        }
        *text = captures::fill(text, group)?;
        Ok(())
    };
    fill(&mut rule.condition)?;
    for column in rule.columns.values_mut() {
        fill(&mut column.expr)?;
    }
    if let Some(template) = &rule.to {
        let to = renamed(&name, &pattern, template);
        // The point is that of the rule, between schema and name.
        let points = |text: &str| text.matches('.').count();
        if let Some(to) = to.as_ref().filter(|to| points(to) != points(template)) {
            let what = format!("`{template}` becomes `{to}`, where a group brings in a point, which parts schema and name");
            return Err(Error::new(ErrorKind::Mapping, what).hint("Give the table a rule by `name`, with a `to` of its own"));
        }
        rule.to = to;
    }
    Ok(rule)
}

/// Of what each part of a table leaves out, that which no part carries: the rest only goes another way.
pub(super) fn carried_by_none(mut left_out: Vec<Vec<Problem>>) -> Vec<Problem> {
    let Some(last) = left_out.pop() else { return Vec::new() };
    let same = |one: &Problem, two: &Problem| (&one.object, &one.name) == (&two.object, &two.name);
    last.into_iter().filter(|problem| left_out.iter().all(|part| part.iter().any(|other| same(problem, other)))).collect()
}

/// What the note is about that some rows of a table may belong to none of its parts; and the note.
pub const SPLIT_TABLE: &str = "split table";
/// See [`SPLIT_TABLE`].
pub const LEFT_BEHIND: &str = "it is split by rows: rows that no part's condition lets through are left behind";

/// A table whose every part has a condition may have rows that none of them takes.
pub(super) fn rows_left_behind(parts: &[&MappedTable]) -> Option<Problem> {
    let narrowed = |part: &&MappedTable| part.condition.is_some() || part.source.row_filter.is_some();
    let [first, _, ..] = parts else { return None };
    parts.iter().all(narrowed).then(|| Problem::new(Severity::Note, SPLIT_TABLE, &first.source.name, LEFT_BEHIND))
}

/// Of the parts of a source table, the one that foreign keys lead to: the first that carries all of the columns, of all rows.
///
/// # Errors
/// Why there is none, in one sentence.
pub(super) fn parent<'a>(parts: &[&'a MappedTable], columns: &[String]) -> Result<&'a MappedTable, String> {
    let carries = |part: &MappedTable, name: &String| part.columns.iter().any(|column| column.source == *name);
    let mut carrying = parts.iter().filter(|part| columns.iter().all(|name| carries(part, name))).peekable();
    let split = parts.len() > 1;
    let Some(first) = carrying.peek() else {
        let table = parts.first().map(|part| part.source.name.to_string()).unwrap_or_default();
        let gone = parts.first().and_then(|part| columns.iter().find(|name| !carries(part, name))).cloned().unwrap_or_default();
        return Err(match split {
            false => format!("the column `{gone}` of `{table}` that it points to is left out"),
            true => format!("no part of `{table}` carries ({}) that it points to", columns.join(", ")),
        });
    };
    if !split {
        return Ok(first);
    }
    let name = &first.source.name;
    let whole = |part: &&&MappedTable| part.condition.is_none() && part.source.row_filter.is_none();
    carrying.find(whole).copied().ok_or_else(|| {
        format!(
            "each part of `{name}` that carries ({}) has a condition, so that rows may lack their parent there",
            columns.join(", ")
        )
    })
}
