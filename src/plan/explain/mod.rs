//! Everything that is known of one column, or of one table, in one place: what it is, what it becomes and why, what its values meet on
//! their way, and what is compared of it.
//!
//! `find` says what a name means, `values` what a value meets, [`text`] prints it for people. One more kind of fact is one more field
//! of [`ColumnExplanation`] and one more section of the text.

use serde::Serialize;

use crate::error::Result;
use crate::mapping::candidates::{Candidate, candidates};
use crate::mapping::{ColumnMapping, Route};
use crate::model::catalog::{Column, DefaultValue, Index, IndexPart, Problem, Severity, Table};
use crate::model::schema::TableSchema;

use super::{Plan, TablePlan};

mod find;
pub mod text;
mod values;

pub use find::is_about;
use find::{Found, find};

/// What a name stands for.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Explanation {
    /// The name that was asked for.
    pub asked: String,
    /// Tables; of one source table several, if it is split.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tables: Vec<TableExplanation>,
    /// Columns; likewise.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<ColumnExplanation>,
    /// Problems of the plan that concern it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<Problem>,
}

/// A table.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TableExplanation {
    /// Name in the source.
    pub source: String,
    /// Name in the target.
    pub target: String,
    /// Rows, as the server estimates them.
    pub estimated_rows: u64,
    /// Which rows are carried, and what becomes of the others; empty for all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rows: Vec<String>,
    /// Its columns: name in the source, type, type in the target, and the rule.
    pub columns: Vec<[String; 4]>,
    /// Keys, indexes, foreign keys and checks as they are planned.
    pub objects: Vec<String>,
    /// What is compared, by level.
    pub compared: Vec<Compared>,
}

/// A column.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ColumnExplanation {
    /// As it is in the source; none for a column that the source does not have.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<Side>,
    /// As it is planned; none for a column that is left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<Side>,
    /// What decided its type.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub rule: String,
    /// What might have decided it, in the order of asking.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub candidates: Vec<Candidate>,
    /// What touches its values: expression, mask, the rows that are left behind.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub touched_by: Vec<String>,
    /// What each value is checked for; the run stops, or the table fails, at the first one that does not fit.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub checked: Vec<String>,
    /// Keys, indexes, foreign keys and checks in the target that it is part of.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub part_of: Vec<String>,
    /// What is compared of it, by level.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub compared: Vec<Compared>,
}

/// A column of one side.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Side {
    /// The table.
    pub table: String,
    /// Its name.
    pub column: String,
    /// Its type in full.
    #[serde(rename = "type")]
    pub full: String,
    /// What is carried, free of any engine's words; none for a type that cannot be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logical: Option<String>,
    /// Character set of text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub charset: Option<String>,
    /// Collation of text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub collation: Option<String>,
    /// False under NOT NULL.
    pub nullable: bool,
    /// The default, in SQL.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
    /// What else it is: numbered, computed, set at each change, commented.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<String>,
}

/// What a level of verification compares.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Compared {
    /// `schema`, at every level; or `rows`, `digest`, `full`, each with those before it.
    pub level: &'static str,
    /// What.
    pub what: String,
}

impl Explanation {
    /// True if a problem of it would refuse the run.
    pub fn is_refused(&self) -> bool {
        self.problems.iter().any(|problem| problem.severity == Severity::Refused)
    }
}

/// Explains `asked`: `table`, `table.column`, each with or without its database in front, in the names of the source or of the target.
///
/// # Errors
/// `Config` for a name that is neither, with the nearest one.
pub fn explain(plan: &Plan, asked: &str, route: Route<'_>) -> Result<Explanation> {
    let mut explanation = Explanation { asked: asked.to_string(), ..Explanation::default() };
    let mut names: Vec<String> = Vec::new();
    for found in find(plan, asked)? {
        match found {
            Found::Table(table) => {
                names.extend([table.source().to_string(), table.target().to_string()]);
                names.extend(table.mapped.source.columns.iter().map(|column| format!("{}.{}", table.source(), column.name)));
                names.extend(objects_of(plan, table, None).into_iter().flat_map(|(name, _)| named(table, &name)));
                explanation.tables.push(of_table(plan, table));
            }
            Found::Column(table, source, mapping) => {
                names.extend(source.into_iter().map(|column| format!("{}.{}", table.source(), column.name)));
                if let Some((_, target)) = mapping {
                    names.push(format!("{}.{}", table.target(), target.name));
                }
                let all = objects_of(plan, table, Some((source, mapping.map(|(_, target)| target))));
                names.extend(all.into_iter().flat_map(|(name, _)| named(table, &name)));
                explanation.columns.push(of_column(plan, table, source, mapping, route)?);
            }
            Found::Refused => names.push(asked.to_string()),
        }
    }
    let concerns = |problem: &&Problem| {
        let refused = explanation.tables.is_empty() && explanation.columns.is_empty();
        names.contains(&problem.name) || (refused && find::names_it(&problem.name, asked))
    };
    explanation.problems = plan.problems.iter().filter(concerns).cloned().collect();
    Ok(explanation)
}

/// The names under which a problem may speak of an object of a table.
fn named(table: &TablePlan, object: &str) -> [String; 2] {
    [format!("{}.{object}", table.source()), format!("{}.{object}", table.target())]
}

fn of_table(plan: &Plan, table: &TablePlan) -> TableExplanation {
    let (source, target) = (&table.mapped.source, &table.mapped.target);
    let columns = table.mapped.columns.iter().zip(&target.columns).map(|(mapping, column)| {
        let from = source.column(&mapping.source).map(|column| column.native.full.clone()).unwrap_or_default();
        let name = if mapping.source == mapping.target || mapping.source.is_empty() {
            mapping.target.clone()
        } else {
            format!("{} -> {}", mapping.source, mapping.target)
        };
        [name, from, column.native.full.clone(), mapping.rule.clone()]
    });
    TableExplanation {
        source: table.source().to_string(),
        target: table.target().to_string(),
        estimated_rows: source.estimated_rows,
        rows: values::rows(table),
        columns: columns.collect(),
        objects: objects_of(plan, table, None).into_iter().map(|(_, what)| what).collect(),
        compared: values::compared_of_table(),
    }
}

fn of_column(
    plan: &Plan,
    table: &TablePlan,
    source: Option<&Column>,
    mapping: Option<(&ColumnMapping, &Column)>,
    route: Route<'_>,
) -> Result<ColumnExplanation> {
    let made = planned(plan, table);
    let Some((mapping, target)) = mapping else {
        return Ok(ColumnExplanation {
            source: source.map(|column| side(&table.mapped.source, column)),
            target: None,
            rule: String::new(),
            candidates: Vec::new(),
            touched_by: vec!["it is left out, as the mapping says".into()],
            checked: Vec::new(),
            part_of: Vec::new(),
            compared: Vec::new(),
        });
    };
    let as_made = made.and_then(|made| made.table.column(&target.name)).unwrap_or(target);
    let mut shown = side(&table.mapped.target, as_made);
    shown.full.clone_from(&target.native.full);
    shown.logical = Some(mapping.to.to_string());
    Ok(ColumnExplanation {
        source: source.map(|column| side(&table.mapped.source, column)),
        target: Some(shown),
        rule: mapping.rule.clone(),
        candidates: candidates(&table.mapped, mapping, &target.native.full, &plan.choices.mapping, route)?,
        touched_by: values::touched_by(table, mapping),
        checked: values::checked(plan, table, mapping, target, route.target),
        part_of: objects_of(plan, table, Some((source, Some(target)))).into_iter().map(|(_, what)| what).collect(),
        compared: values::compared_of_column(plan, table, mapping),
    })
}

/// The table as it will stand, if the plan says it.
fn planned<'a>(plan: &'a Plan, table: &TablePlan) -> Option<&'a TableSchema> {
    plan.schema.iter().find(|schema| schema.table.name == *table.target())
}

fn side(table: &Table, column: &Column) -> Side {
    let mut also = Vec::new();
    if column.identity {
        also.push("numbers new rows".to_string());
    }
    if let Some(generated) = &column.generated {
        let kind = if generated.stored { "stored" } else { "at each read" };
        also.push(format!("computed as {} ({kind})", generated.expression));
    }
    if column.on_update_now {
        also.push("set to the time at each change of its row".into());
    }
    if column.invisible {
        also.push("invisible to SELECT *".into());
    }
    if !column.comment.is_empty() {
        also.push(format!("comment: {}", column.comment));
    }
    Side {
        table: table.name.to_string(),
        column: column.name.clone(),
        full: column.native.full.clone(),
        logical: column.logical.as_ref().map(ToString::to_string),
        charset: column.native.charset.clone(),
        collation: column.native.collation.clone(),
        nullable: column.nullable,
        default: column.default.as_ref().map(|default| match default {
            DefaultValue::Literal(text) => format!("'{text}'"),
            DefaultValue::Bytes(bytes) => format!("X'{}'", bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>()),
            DefaultValue::CurrentTimestamp(fsp) => format!("CURRENT_TIMESTAMP({fsp})"),
            DefaultValue::NextOf(sequence) => format!("nextval('{sequence}')"),
            DefaultValue::Expression(sql) => sql.clone(),
        }),
        also,
    }
}

/// Keys, indexes, foreign keys and checks, as planned, each with its name; of a column those that it is part of.
fn objects_of(plan: &Plan, table: &TablePlan, of: Option<(Option<&Column>, Option<&Column>)>) -> Vec<(String, String)> {
    let target = planned(plan, table).map_or(&table.mapped.target, |planned| &planned.table);
    let name = of.map(|(_, target)| target.map(|column| column.name.as_str()).unwrap_or_default());
    let has = |columns: &[String]| name.is_none_or(|name| columns.iter().any(|column| column == name));
    let over = |index: &Index| {
        let part = |part: &IndexPart| {
            let own = part.column.as_deref().or(part.expression.as_deref()).unwrap_or_default();
            name.is_none_or(|name| part.column.as_deref() == Some(name) || own.contains(&format!("\"{name}\"")))
        };
        index.parts.iter().any(part)
    };
    let mut all = Vec::new();
    for key in target.primary_key.iter().filter(|key| over(key)) {
        all.push((key.name.clone(), format!("primary key ({})", index_parts(key))));
    }
    for index in target.indexes.iter().filter(|index| over(index)) {
        let unique = if index.unique { "unique " } else { "" };
        all.push((index.name.clone(), format!("{unique}index {} ({})", index.name, index_parts(index))));
    }
    for key in target.foreign_keys.iter().filter(|key| has(&key.columns)) {
        let what = format!(
            "foreign key {} ({}) to {} ({})",
            key.name,
            key.columns.join(", "),
            key.parent,
            key.parent_columns.join(", ")
        );
        all.push((key.name.clone(), what));
    }
    let children = plan.leads().into_iter().filter_map(|place| plan.tables.get(place));
    for child in children {
        let keys = &planned(plan, child).map_or(&child.mapped.target, |planned| &planned.table).foreign_keys;
        for key in keys.iter().filter(|key| key.parent == *table.target() && has(&key.parent_columns)) {
            all.push((String::new(), format!("parent of foreign key {} of {}", key.name, child.target())));
        }
    }
    for check in &target.checks {
        if name.is_none_or(|name| check.expression.contains(&format!("\"{name}\""))) {
            let label = if check.name.is_empty() { String::new() } else { format!("{} ", check.name) };
            all.push((check.name.clone(), format!("check {label}{}", check.expression)));
        }
    }
    all
}

fn index_parts(index: &Index) -> String {
    let parts = index.parts.iter().map(|part| {
        let over = part.column.as_deref().or(part.expression.as_deref()).unwrap_or("?");
        let start = part.prefix.map(|prefix| format!("({prefix})")).unwrap_or_default();
        format!("{over}{start}{}", if part.descending { " DESC" } else { "" })
    });
    parts.collect::<Vec<_>>().join(", ")
}
