//! What a change of the mapping changes in the target: two plans of the same source and target, compared.
//!
//! What follows from a change that is told already is not told again: an index whose column is renamed, a foreign key whose parent is.
//! Estimates, chunks and the places of rules that decide the same are no changes. Holds no key of masks.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::engine::Ddl;
use crate::error::{Error, ErrorKind, Result};
use crate::mapping::ColumnMapping;
use crate::model::Hook;
use crate::model::catalog::{Column, Problem};

use super::{Plan, TablePlan, hooks};
use keys::{Key, keys};

mod keys;
#[cfg(test)]
mod tests;
mod text;

pub use text::text;

/// What is otherwise under the second mapping.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct PlanDiff {
    /// The first mapping's file, or empty.
    pub from: String,
    /// The second mapping's file.
    pub to: String,
    /// The masks are made with another key, so every value that is masked with it is another.
    pub other_key: bool,
    /// Tables with changes, in the order of the first plan, then those that come.
    pub tables: Vec<TableDiff>,
    /// What belongs to no table: schemas.
    pub shared: Vec<Change>,
    /// The person's own SQL.
    pub hooks: Vec<Change>,
    /// Problems that come or are settled.
    pub problems: Vec<ProblemChange>,
}

impl PlanDiff {
    /// True when nothing changes in the target.
    pub fn is_empty(&self) -> bool {
        !self.other_key && self.tables.is_empty() && self.shared.is_empty() && self.hooks.is_empty() && self.problems.is_empty()
    }
}

/// What is otherwise about a table.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TableDiff {
    /// Name in the source.
    pub source: String,
    /// Name in the target, under the second mapping unless it goes.
    pub target: String,
    /// Whether the table comes, goes, or stays.
    pub how: How,
    /// What is otherwise about one that stays.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<Change>,
    /// It goes since the second plan refuses it, and a problem says why.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub refused: bool,
    /// Columns of a table that comes or goes.
    #[serde(skip)]
    columns: usize,
}

/// In which way something is otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum How {
    /// It is there under the second mapping alone.
    Comes,
    /// It is there under the first mapping alone.
    Goes,
    /// It has another name.
    Renamed,
    /// It is there under both, and is not the same.
    Changes,
}

/// One change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// In which way.
    pub how: How,
    /// What sort of thing: `column`, `mask of column`, `index`, `rows`.
    pub what: &'static str,
    /// Its name under the second mapping, or under the first if it goes; empty for what has none.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// As it is under the first mapping.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// As it is under the second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// The rule that decides under the first mapping.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from_rule: Option<String>,
    /// The rule that decides under the second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to_rule: Option<String>,
}

impl Change {
    fn new(how: How, what: &'static str, name: impl Into<String>) -> Self {
        Change { how, what, name: name.into(), from: None, to: None, from_rule: None, to_rule: None }
    }

    fn from(self, from: impl Into<String>) -> Self {
        Change { from: Some(from.into()), ..self }
    }

    fn to(self, to: impl Into<String>) -> Self {
        Change { to: Some(to.into()), ..self }
    }

    fn rules(self, from: Option<&str>, to: Option<&str>) -> Self {
        Change { from_rule: from.map(str::to_string), to_rule: to.map(str::to_string), ..self }
    }

    /// Something that may be missing on either side; `None` if both are the same.
    fn between(what: &'static str, name: &str, from: Option<&str>, to: Option<&str>) -> Option<Self> {
        match (from, to) {
            (None, Some(to)) => Some(Change::new(How::Comes, what, name).to(to)),
            (Some(from), None) => Some(Change::new(How::Goes, what, name).from(from)),
            (Some(from), Some(to)) if from != to => Some(Change::new(How::Changes, what, name).from(from).to(to)),
            _ => None,
        }
    }
}

/// A problem that one of both plans has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ProblemChange {
    /// `Comes`, or `Goes` for one that is settled.
    pub how: How,
    /// The problem.
    pub problem: Problem,
}

/// Compares the plan under one mapping with that under another.
///
/// # Errors
/// `SchemaChanged` when both were not made of the same source and target as they stood.
pub fn diff(one: &Plan, two: &Plan) -> Result<PlanDiff> {
    for (side, one, two) in [("source", &one.source, &two.source), ("target", &one.target, &two.target)] {
        // The second mapping may ask about other tables of the target, so only the source's fingerprint must be one.
        if one.address != two.address || (side == "source" && one.fingerprint != two.fingerprint) {
            let what = format!("the tables of the {side} changed while both plans were made");
            return Err(Error::new(ErrorKind::SchemaChanged, what).hint("Ask again"));
        }
    }
    let masking = |plan: &Plan| plan.needs_key().then(|| plan.choices.mapping.masking.fingerprint.clone());
    let other_key = matches!((masking(one), masking(two)), (Some(one), Some(two)) if one != two);
    let tables = pair(
        &one.tables,
        &two.tables,
        &[&|one, two| one.source() == two.source() && one.target() == two.target(), &|one, two| one.source() == two.source()],
    );
    Ok(PlanDiff {
        from: one.choices.mapping.file.clone(),
        to: two.choices.mapping.file.clone(),
        other_key,
        tables: tables.into_iter().filter_map(|(left, right)| table(one, left, two, right)).collect(),
        shared: objects_of_none(one, two),
        hooks: hook_changes(&one.hooks, &two.hooks),
        problems: problems(one, two),
    })
}

/// Is it the same thing?
type Same<'a, T> = &'a dyn Fn(&T, &T) -> bool;

/// The things of both lists, side by side: each of the first with the one of the second that is the same by the earliest of `sames`; then
/// those that only the second has.
fn pair<'p, T>(one: &'p [T], two: &'p [T], sames: &[Same<'_, T>]) -> Vec<(Option<&'p T>, Option<&'p T>)> {
    let mut partners: Vec<Option<usize>> = vec![None; one.len()];
    let mut taken = vec![false; two.len()];
    for same in sames {
        for (left, partner) in one.iter().zip(&mut partners).filter(|(_, partner)| partner.is_none()) {
            let found = two.iter().enumerate().find(|(place, right)| !taken[*place] && same(left, right));
            if let Some((place, _)) = found {
                taken[place] = true;
                *partner = Some(place);
            }
        }
    }
    let mut pairs: Vec<_> = one.iter().zip(partners).map(|(left, place)| (Some(left), place.map(|place| &two[place]))).collect();
    pairs.extend(two.iter().zip(taken).filter(|(_, taken)| !taken).map(|(right, _)| (None, Some(right))));
    pairs
}

fn table(one: &Plan, left: Option<&TablePlan>, two: &Plan, right: Option<&TablePlan>) -> Option<TableDiff> {
    let (how, shown, changes) = match (left, right) {
        (Some(left), Some(right)) => (How::Changes, right, table_changes(one, left, two, right)),
        (Some(left), None) => (How::Goes, left, Vec::new()),
        (None, Some(right)) => (How::Comes, right, Vec::new()),
        (None, None) => return None,
    };
    if how == How::Changes && changes.is_empty() {
        return None;
    }
    let source = shown.source().to_string();
    let refuses = |problem: &Problem| {
        problem.severity == crate::model::catalog::Severity::Refused
            && (problem.name == source || problem.name.starts_with(&format!("{source}.")))
    };
    Some(TableDiff {
        refused: how == How::Goes && two.problems.iter().any(refuses),
        target: shown.target().to_string(),
        how,
        changes,
        columns: shown.mapped.columns.len(),
        source,
    })
}

fn table_changes(one: &Plan, left: &TablePlan, two: &Plan, right: &TablePlan) -> Vec<Change> {
    let mut changes = Vec::new();
    if left.target() != right.target() {
        changes.push(Change::new(How::Renamed, "table", "").from(left.target().to_string()).to(right.target().to_string()));
    }
    if left.append != right.append {
        let word = |append: bool| if append { "added to those that stand there" } else { "all there is" };
        changes.push(Change::new(How::Changes, "what rows are", "").from(word(left.append)).to(word(right.append)));
    }
    rows(one, left, two, right, &mut changes);
    columns(left, right, &mut changes);
    rejected(left, right, &mut changes);
    let (left_keys, right_keys) = (keys(one, left), keys(two, right));
    let same: [Same<'_, Key>; 2] =
        [&|one, two| one.what == two.what && one.name == two.name, &|one, two| one.what == two.what && one.origin == two.origin];
    for (left, right) in pair(&left_keys, &right_keys, &same) {
        changes.extend(keys::change(left, right));
    }
    if changes.is_empty() {
        statements(one, left, two, right, &mut changes);
    }
    changes
}

/// Which rows are carried.
fn rows(one: &Plan, left: &TablePlan, two: &Plan, right: &TablePlan, changes: &mut Vec<Change>) {
    fn condition(table: &TablePlan) -> Option<&str> {
        table.mapped.condition.as_ref().map(|condition| condition.sql.as_str())
    }
    fn source_where<'p>(plan: &'p Plan, table: &TablePlan) -> Option<&'p str> {
        let name = table.source();
        let rule = plan.choices.mapping.tables.iter().find(|rule| rule.name == name.name || rule.name == name.to_string());
        rule?.source_where.as_deref()
    }
    let before = changes.len();
    changes.extend(Change::between("rows where", "", condition(left), condition(right)));
    changes.extend(Change::between("rows where, in the source's SQL,", "", source_where(one, left), source_where(two, right)));
    if changes.len() == before {
        let filter = |table: &TablePlan| table.mapped.source.row_filter.clone();
        let (left, right) = (filter(left), filter(right));
        changes.extend(Change::between("rows that the source chooses by", "", left.as_deref(), right.as_deref()));
    }
}

/// What becomes of rows that cannot be carried.
fn rejected(left: &TablePlan, right: &TablePlan, changes: &mut Vec<Change>) {
    let (one, two) = (left.mapped.max_rejects, right.mapped.max_rejects);
    let word = |most: Option<u64>| match most {
        Some(most) => format!("rejected, {most} at most"),
        None => "an error of the table".to_string(),
    };
    if one != two {
        changes.push(Change::new(How::Changes, "rows that cannot be carried", "").from(word(one)).to(word(two)));
    }
    let columns = left.mapped.policies.keys().chain(right.mapped.policies.keys());
    for column in columns.collect::<BTreeSet<_>>() {
        let said = |table: &TablePlan| table.mapped.policies.get(column).map(ToString::to_string);
        changes.extend(Change::between("value policies of column", column, said(left).as_deref(), said(right).as_deref()));
    }
}

/// A column of the target, with how it comes about.
struct Carried<'p> {
    mapping: &'p ColumnMapping,
    column: &'p Column,
}

fn columns(left: &TablePlan, right: &TablePlan, changes: &mut Vec<Change>) {
    fn carried(table: &TablePlan) -> Vec<Carried<'_>> {
        let columns = table.mapped.columns.iter().zip(&table.mapped.target.columns);
        columns.map(|(mapping, column)| Carried { mapping, column }).collect()
    }
    let same_source: Same<'_, Carried<'_>> =
        &|one, two| !one.mapping.source.is_empty() && one.mapping.source == two.mapping.source;
    let same_target: Same<'_, Carried<'_>> = &|one, two| one.mapping.target == two.mapping.target;
    let (left, right) = (carried(left), carried(right));
    let both: Same<'_, Carried<'_>> = &|one, two| same_source(one, two) && same_target(one, two);
    for pair in pair(&left, &right, &[both, same_source, same_target]) {
        match pair {
            (Some(left), Some(right)) => column(left, right, changes),
            (Some(left), None) => {
                let change = Change::new(How::Goes, "column", &left.mapping.target).from(whole(left));
                changes.push(change.rules(Some(&left.mapping.rule), None));
            }
            (None, Some(right)) => {
                let change = Change::new(How::Comes, "column", &right.mapping.target).to(whole(right));
                changes.push(change.rules(None, Some(&right.mapping.rule)));
            }
            (None, None) => {}
        }
    }
}

/// All of a column in one line.
fn whole(Carried { mapping, column }: &Carried<'_>) -> String {
    let mut text = type_of(column);
    if let Some(made) = made_by(mapping) {
        text.push_str(&format!(", {made}"));
    }
    if let Some(mask) = &mapping.mask {
        text.push_str(&format!(", masked by `{}`", mask.kind.word()));
    }
    text
}

fn column(left: &Carried<'_>, right: &Carried<'_>, changes: &mut Vec<Change>) {
    let (one, two) = (left.mapping, right.mapping);
    let name = &two.target;
    if one.target != two.target {
        changes.push(Change::new(How::Renamed, "column", name).from(&one.target).to(name));
    }
    let origin = |column: &ColumnMapping| {
        let source = if column.source.is_empty() { "no column".to_string() } else { format!("column `{}`", column.source) };
        made_by(column).unwrap_or_else(|| format!("the values of {source}"))
    };
    if one.source != two.source || one.computed != two.computed {
        changes.push(Change::new(How::Changes, "values of column", name).from(origin(one)).to(origin(two)));
    }
    if type_of(left.column) != type_of(right.column) || left.column.native.labels != right.column.native.labels {
        let change = Change::new(How::Changes, "column", name).from(type_of(left.column)).to(type_of(right.column));
        changes.push(change.rules(Some(&one.rule), Some(&two.rule)));
    } else if one.to != two.to {
        let change =
            Change::new(How::Changes, "what is compared of column", name).from(one.to.to_string()).to(two.to.to_string());
        changes.push(change.rules(Some(&one.rule), Some(&two.rule)));
    }
    let word = |column: &ColumnMapping| {
        column.mask.as_ref().map(|mask| match mask.room {
            Some(room) => format!("`{}` within {room}", mask.kind.word()),
            None => format!("`{}`", mask.kind.word()),
        })
    };
    let because = |column: &ColumnMapping| column.mask.as_ref().map(|mask| mask.because.clone());
    if let Some(change) = Change::between("mask of column", name, word(one).as_deref(), word(two).as_deref()) {
        changes.push(change.rules(because(one).as_deref(), because(two).as_deref()));
    }
}

fn type_of(column: &Column) -> String {
    let mut text = column.native.full.clone();
    for (holds, words) in
        [(!column.nullable, " not null"), (column.native.unsigned, ", never negative"), (column.identity, ", numbers new rows")]
    {
        if holds {
            text.push_str(words);
        }
    }
    text
}

/// The expression of a column, if one makes its values.
fn made_by(column: &ColumnMapping) -> Option<String> {
    use crate::transform::expr::Rounding;
    let computed = column.computed.as_ref()?;
    let rounding = match computed.rounding {
        Rounding::Exact => "",
        Rounding::Round => ", rounded",
        Rounding::Trunc => ", cut off",
    };
    Some(format!("`{}`{rounding}", computed.sql.trim()))
}

/// What no other comparison has seen: statements for the table that are other ones.
fn statements(one: &Plan, left: &TablePlan, two: &Plan, right: &TablePlan, changes: &mut Vec<Change>) {
    fn of<'p>(plan: &'p Plan, table: &TablePlan) -> Vec<&'p Ddl> {
        plan.ddl.iter().filter(|ddl| ddl.table.as_ref() == Some(table.target())).collect()
    }
    // One statement may stand for several, such as comments.
    let same: Same<'_, &Ddl> = &|one, two| one.object == two.object && one.sql == two.sql;
    let named: Same<'_, &Ddl> = &|one, two| one.object == two.object;
    for (left, right) in pair(&of(one, left), &of(two, right), &[same, named]) {
        let sql = |ddl: Option<&&Ddl>| ddl.map(|ddl| ddl.sql.clone());
        let object = left.or(right).map(|ddl| ddl.object.clone()).unwrap_or_default();
        changes.extend(Change::between("statement for", &object, sql(left).as_deref(), sql(right).as_deref()));
    }
}

/// Schemas and the like; what is cleared first is no object of the target.
fn objects_of_none(one: &Plan, two: &Plan) -> Vec<Change> {
    fn of(plan: &Plan) -> Vec<&Ddl> {
        let none = plan.ddl.iter().filter(|ddl| ddl.table.is_none());
        none.filter(|ddl| ddl.phase != crate::engine::DdlPhase::Clear).collect()
    }
    let same: Same<'_, &Ddl> = &|one, two| one.object == two.object;
    let (one, two) = (of(one), of(two));
    let pairs = pair(&one, &two, &[same]).into_iter().filter_map(|pair| match pair {
        (Some(left), None) => Some(Change::new(How::Goes, "", &left.object)),
        (None, Some(right)) => Some(Change::new(How::Comes, "", &right.object)),
        _ => None,
    });
    pairs.collect()
}

fn hook_changes(one: &[Hook], two: &[Hook]) -> Vec<Change> {
    let mut changes = Vec::new();
    for pair in pair(one, two, &[&|one, two| one.name == two.name]) {
        match pair {
            (Some(left), Some(right)) => {
                let how = |hook: &Hook| {
                    let alone = if hook.transaction { "" } else { ", in no transaction" };
                    format!("{}{alone}", hooks::describe(hook))
                };
                changes.extend(Change::between("hook", &right.name, Some(&how(left)), Some(&how(right))));
                if left.sha256 != right.sha256 {
                    changes.push(Change::new(How::Changes, "SQL of hook", &right.name).from(&left.sql).to(&right.sql));
                }
            }
            (Some(left), None) => changes.push(Change::new(How::Goes, "hook", &left.name).from(hooks::describe(left))),
            (None, Some(right)) => changes.push(Change::new(How::Comes, "hook", &right.name).to(hooks::describe(right))),
            (None, None) => {}
        }
    }
    // Hooks of one point run in the order of the file.
    let order = |own: &[Hook], other: &[Hook]| {
        let common = own.iter().filter(|hook| other.iter().any(|other| other.name == hook.name));
        common.map(|hook| hook.name.clone()).collect::<Vec<_>>().join(", ")
    };
    let (before, after) = (order(one, two), order(two, one));
    changes.extend(Change::between("order of hooks", "", Some(&before), Some(&after)));
    changes
}

fn problems(one: &Plan, two: &Plan) -> Vec<ProblemChange> {
    let (first, second) = (&one.choices.mapping.file, &two.choices.mapping.file);
    let same: Same<'_, Problem> = &|one, two| {
        (one.severity, &one.object, &one.name) == (two.severity, &two.object, &two.name)
            && without_lines(&one.why, first) == without_lines(&two.why, second)
    };
    let pairs = pair(&one.problems, &two.problems, &[same]).into_iter().filter_map(|pair| match pair {
        (Some(problem), None) => Some(ProblemChange { how: How::Goes, problem: problem.clone() }),
        (None, Some(problem)) => Some(ProblemChange { how: How::Comes, problem: problem.clone() }),
        _ => None,
    });
    pairs.collect()
}

/// A sentence without the places that it names in `file`: a rule may stand elsewhere and say the same.
fn without_lines(text: &str, file: &str) -> String {
    if file.is_empty() {
        return text.to_string();
    }
    let place = format!("{file}:");
    let mut parts = text.split(&place);
    let start = parts.next().unwrap_or_default().to_string();
    parts.fold(start, |text, part| text + part.trim_start_matches(|letter: char| letter.is_ascii_digit()))
}
