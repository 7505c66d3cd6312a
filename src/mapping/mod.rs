//! Catalog and rules, made into the target's schema; remembers which rule decided each column.
//!
//! [`rules`] finds the rule of a column, [`candidates`] tells all that might have decided, `rename` the name by pattern and style, [`names`] makes names fit and unique, `tables` puts a
//! table together, `parts` says how many are made of one, `merge` makes one of several, told apart by a `discriminator`, `foreign_keys`
//! follow them, `partitions` decides what becomes of partitioned tables, `subset` follows foreign keys from chosen rows, `policies` decides
//! what becomes of hard values and `rejects` which tables go on without rows that cannot be carried, `agree` gives columns that foreign keys
//! join one type, `choices` are types
//! chosen by a word, `dropped` takes out what goes with a column that is left out, `masks` decides the masks, `expressions` what checks and
//! generated columns mean, `standing` follows the types of tables that stand in the target, [`lines`] writes what a
//! person may paste, [`offline`] checks a mapping by itself. Pure: opens no connection. What cannot be mapped is a [`Problem`] of
//! severity `Refused` with the mapping lines that settle it; all of them
//! are collected before anything is said.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::config::OnError;
use crate::config::rules::{IndexChoice, Mapping, Orphans};
use crate::engine::Dialect;
use crate::error::{Error, ErrorKind, Result};
use crate::model::catalog::{Catalog, Problem, ServerInfo, Severity, Table};
use crate::model::probe::Proven;
use crate::model::sequence::CarriedSequence;
use crate::model::unit::ReadColumn;
use crate::model::{LogicalType, ObjectName, ValuePolicies};
use crate::transform::expr::{Rounding, Scope};
use crate::transform::mask::{ColumnMask, Keyed};
use crate::transform::{self, CastColumn, Step, Transform};

mod agree;
pub mod candidates;
mod choices;
mod computed;
pub mod discriminator;
mod dropped;
mod expressions;
mod foreign_keys;
mod left_out;
pub mod lines;
mod masks;
pub mod merge;
pub mod names;
pub mod offline;
mod partitions;
pub mod parts;
mod policies;
mod rejects;
mod rename;
pub mod rules;
mod sequences;
pub(crate) mod standing;
pub mod subset;
mod tables;

pub(crate) use lines::{key as toml_key, string as toml_string};

/// A source table and what becomes of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MappedTable {
    /// As it is.
    pub source: Table,
    /// As it will be. Its columns are those that are carried, in the order of [`MappedTable::columns`].
    pub target: Table,
    /// How each column of the target comes about.
    pub columns: Vec<ColumnMapping>,
    /// Which rows are carried, evaluated on each batch; what the source checks by itself stands in its table's `row_filter`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub condition: Option<Condition>,
    /// Source columns that are read only because an expression or the condition looks at them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub looked_at: Vec<String>,
    /// What becomes of hard values, by source column.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub policies: BTreeMap<String, ValuePolicies>,
    /// Rows that cannot be carried are rejected, so many at most; none where one is an error of the table.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_rejects: Option<u64>,
    /// Why only some of its rows are carried, when foreign keys are followed from or to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subset: Option<subset::Subset>,
    /// The table's own conditions, as the mapping writes them, and the place of their rule; for messages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chosen_by: Option<ChosenBy>,
    /// What becomes of rows that point to no parent.
    #[serde(default, skip_serializing_if = "is_default")]
    pub orphans: Orphans,
    /// How indexes are made, where a person says so, by their names in the source.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub indexes: BTreeMap<String, IndexChoice>,
    /// What `now()` is: the start of the run, in microseconds since 1970 UTC, so that resume and verification agree.
    #[serde(default)]
    pub now_us: i64,
    /// Its rows come together with those of other tables in one target table, which is the same for all of them.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub merged: bool,
    /// It is one of several that are made of its source table.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub part: bool,
}

/// The conditions that a rule has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChosenBy {
    /// As the rule writes them.
    pub conditions: Vec<String>,
    /// The rule, for people: `shop.toml:7`.
    pub place: String,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// Which rows of a table are carried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Condition {
    /// The condition, in the SQL of expressions.
    pub sql: String,
    /// True if the source checks all of it: then its own counts and profiles are over the same rows.
    pub complete: bool,
}

/// What a column is computed by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Computed {
    /// The expression.
    pub sql: String,
    /// What becomes of digits that the target has no place for.
    pub rounding: Rounding,
}

/// How a target column comes about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ColumnMapping {
    /// Source column; empty for a column that the source does not have.
    pub source: String,
    /// Target column.
    pub target: String,
    /// Logical type that is read.
    pub from: LogicalType,
    /// Logical type that is written, and compared.
    pub to: LogicalType,
    /// The expression that makes the values, unless they are the source column's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub computed: Option<Computed>,
    /// What decided the target type: `mappings/shop.toml:12`, `built-in mysql-to-postgres.toml:40`, or `the target's type for int32`.
    pub rule: String,
    /// How its values are masked, after the cast.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mask: Option<ColumnMask>,
}

impl MappedTable {
    /// What tells it from all others in messages: the source's name, and for a part of a table its target as well.
    pub fn label(&self) -> String {
        if self.part { format!("{} -> {}", self.source.name, self.target.name) } else { self.source.name.to_string() }
    }

    /// True if the column of that source name does not arrive in the clear.
    pub fn hides(&self, source: &str) -> bool {
        self.columns.iter().find(|column| column.source == source).is_none_or(|column| column.mask.is_some())
    }

    /// True if a row must not be named by its key in messages, which reports and ledgers keep.
    pub fn hides_key(&self) -> bool {
        self.columns.iter().any(|column| column.mask.is_some())
            && self.source.key_columns().into_iter().any(|name| self.hides(name))
    }

    /// The columns to read: those that are carried as they are, in the order of the target's columns, then those that are only looked at.
    pub fn read_columns(&self) -> Vec<ReadColumn> {
        let carried = self.columns.iter().filter(|column| column.computed.is_none()).map(|column| &column.source);
        carried
            .chain(&self.looked_at)
            .filter_map(|name| self.source.column(name))
            .filter_map(|column| {
                let logical = column.logical.clone()?;
                let policies = self.policies.get(&column.name).cloned().unwrap_or_default();
                Some(ReadColumn { name: column.name.clone(), native: column.native.clone(), logical, policies })
            })
            .collect()
    }

    /// What expressions over its rows can name.
    ///
    /// # Errors
    /// `Internal` for columns that make no schema.
    pub fn scope(&self) -> Result<Scope> {
        scope(&self.source, self.now_us)
    }

    /// Compiles the way from what is read to what is written. Only masks need the key.
    ///
    /// # Errors
    /// `Mapping`: an expression that does not fit its columns, a cast that can never be exact; all of them at once.
    pub fn transform(&self, key: Option<&Keyed>) -> Result<Transform> {
        let condition = self.condition.as_ref().map(|condition| condition.sql.as_str());
        let columns = self.columns.iter().map(|column| {
            let cast = CastColumn {
                source: column.source.clone(),
                target: column.target.clone(),
                from: column.from.clone(),
                to: column.to.clone(),
                native: self.source.column(&column.source).map(|column| column.native.clone()).unwrap_or_default(),
                mask: column.mask.clone(),
                out_of_range: self.policies.get(&column.source).and_then(|policies| policies.out_of_range),
                strip_json: self.policies.get(&column.source).is_some_and(|policies| policies.strip_json),
            };
            match &column.computed {
                None => Step::Cast(cast),
                Some(computed) => Step::Compute { cast, sql: computed.sql.clone(), rounding: computed.rounding },
            }
        });
        let scope = self.scope()?;
        transform::compile_table(&columns.collect::<Vec<_>>(), condition, &scope, key)
            .map_err(|error| error.table(&self.source.name))
    }

    /// Writes the mapping lines that would settle an error about a column into its hint.
    pub fn settle(&self, error: Error) -> Error {
        let Some(name) = error.place().column.clone() else { return error };
        let mut columns = self.columns.iter().filter(|column| !column.source.is_empty());
        let source = columns.find(|column| column.target == name || column.source == name).map(|column| &column.source);
        let source = source.unwrap_or(&name);
        error.settle(|rule| {
            let lines = lines::column(&self.source.name, source, rule);
            format!("Correct the value in the source, or add to the mapping file (`-m FILE`):\n{lines}")
        })
    }

    /// The logical types that are written and compared, in the order of the target's columns.
    pub fn target_types(&self) -> impl Iterator<Item = LogicalType> + '_ {
        self.columns.iter().map(|column| column.to.clone())
    }
}

/// What expressions over a table's rows can name: the columns that can be read.
fn scope(table: &Table, now_us: i64) -> Result<Scope> {
    let columns: Vec<(String, LogicalType)> =
        table.columns.iter().filter_map(|column| Some((column.name.clone(), column.logical.clone()?))).collect();
    Scope::new(&columns, now_us)
}

/// The two dialects of a route, and what is known of the target.
#[derive(Clone, Copy)]
pub struct Route<'a> {
    /// Types of the source.
    pub source: &'a dyn Dialect,
    /// Name of the source's engine, for the built-in rules.
    pub source_name: &'a str,
    /// Types of the target.
    pub target: &'a dyn Dialect,
    /// Name of the target's engine, for the built-in rules.
    pub target_name: &'a str,
    /// The target's server.
    pub target_server: &'a ServerInfo,
}

/// The outcome of mapping a catalog.
#[derive(Debug, Default)]
pub struct Mapped {
    /// The tables that are carried, in the order of the catalog.
    pub tables: Vec<MappedTable>,
    /// The sequences that are carried.
    pub sequences: Vec<CarriedSequence>,
    /// What is not carried, or is refused.
    pub problems: Vec<Problem>,
}

/// What holds for all tables.
#[derive(Debug, Clone, Copy, Default)]
pub struct MapOptions<'a> {
    /// Where tables go unless a rule says otherwise; the target's usual schema when none.
    pub schema: Option<&'a str>,
    /// The source has several databases: without `schema`, each goes into a schema of its own name.
    pub by_database: bool,
    /// What `now()` is, in microseconds since 1970 UTC.
    pub now_us: i64,
    /// A condition that lets nothing through is no error.
    pub allow_empty: bool,
    /// What to do with rows that cannot be carried, unless a table's rule says otherwise.
    pub on_error: OnError,
    /// Most rows of a table that are rejected, unless its rule says otherwise.
    pub max_rejects: u64,
    /// Tables of the target that stand and are loaded as they are: their columns' types are followed.
    pub standing: &'a [Table],
    /// What is known of the data.
    pub proven: Option<&'a Proven>,
}

/// Maps a catalog.
///
/// # Errors
/// `Mapping` for rules that name tables or columns that do not exist (all of them at once, with the nearest name), and `Internal`
/// if the built-in rules of the route cannot be read.
pub fn map(catalog: &Catalog, mapping: &Mapping, options: MapOptions<'_>, route: Route<'_>) -> Result<Mapped> {
    let MapOptions { now_us, allow_empty, standing, proven, .. } = options;
    let rules = rules::Rules::new(mapping, route, allow_empty, proven)?;
    if let Some(error) = Error::many(rules.faults(catalog)) {
        return Err(error);
    }
    let schema = tables::UsualSchema::of(options, route);
    let mut mapped = Mapped::default();
    let mut faults = Vec::new();
    let place = tables::Place { schema, standing, now_us };
    // The rule of each mapped table.
    let mut resolved = Vec::new();
    for table in &catalog.tables {
        let all = parts::of(&rules, table, &mut faults);
        let (first, several) = (mapped.tables.len(), all.len() > 1);
        let mut left_out = Vec::new();
        for rule in all.into_iter().filter(|rule| !rule.as_ref().is_some_and(|rule| rule.exclude)) {
            let mut with_columns = Vec::new();
            let listed = tables::Listed { problems: &mut mapped.problems, left_out: &mut with_columns };
            if let Some(one) = tables::map_table(table, rule.as_ref(), place, &rules, &mut faults, listed) {
                mapped.tables.push(MappedTable { part: several, ..one });
                resolved.push(rule);
            }
            left_out.push(with_columns);
        }
        mapped.problems.extend(parts::carried_by_none(left_out));
        let made: Vec<&MappedTable> = mapped.tables.iter().skip(first).collect();
        mapped.problems.extend(parts::rows_left_behind(&made));
    }
    if faults.is_empty() {
        subset::apply(&mut mapped, &rules, &resolved, catalog, &mut faults);
    }
    if let Some(error) = Error::many(faults) {
        return Err(error);
    }
    let mut faults = Vec::new();
    agree::agree(&mut mapped, &rules, &resolved, &mut faults);
    if let Some(error) = Error::many(faults) {
        return Err(error);
    }
    masks::apply(&mut mapped, &rules, &resolved);
    rejects::decide(&mut mapped, &rules, &resolved, options);
    merge::align(&mut mapped, &resolved);
    names::make_unique(&mut mapped, route.target);
    sequences::carry(&mut mapped, catalog, &rules, schema);
    foreign_keys::point(&mut mapped, &resolved);
    partitions::apply(&mut mapped, &rules, &resolved);
    expressions::translate(&mut mapped, &rules, &resolved);
    merge::join(&mut mapped, route.target);
    choices::note_keys(&mut mapped, &rules);
    Ok(mapped)
}

/// The names in the target of the tables of a catalog, each with its source, in its order, without a look at their columns.
///
/// # Errors
/// As for [`map`], as far as names go.
pub fn target_names(
    catalog: &Catalog,
    mapping: &Mapping,
    options: MapOptions<'_>,
    route: Route<'_>,
) -> Result<Vec<(ObjectName, ObjectName)>> {
    let rules = rules::Rules::new(mapping, route, options.allow_empty, options.proven)?;
    let schema = tables::UsualSchema::of(options, route);
    let mut names = Vec::new();
    // What is wrong with a rule is told when the tables are mapped.
    let mut faults = Vec::new();
    for table in &catalog.tables {
        for rule in parts::of(&rules, table, &mut faults).iter().filter(|rule| !rule.as_ref().is_some_and(|rule| rule.exclude)) {
            let name = tables::target_name(table, rule.as_ref(), schema, &rules);
            let short = names::shorten(&name.name, route.target.max_name_bytes());
            names.push((table.name.clone(), ObjectName::new(name.schema, short)));
        }
    }
    Ok(names)
}

/// The refusals among `problems`, as one error.
pub fn refusals(problems: &[Problem]) -> Option<Error> {
    let errors = problems.iter().filter(|problem| problem.severity == Severity::Refused).map(|problem| {
        let error = Error::new(ErrorKind::Mapping, format!("{} `{}`: {}", problem.object, problem.name, problem.why));
        match &problem.hint {
            Some(hint) => error.hint(hint),
            None => error,
        }
    });
    Error::many(errors.collect())
}
