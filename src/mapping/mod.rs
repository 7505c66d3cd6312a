//! Catalog and rules, made into the target's schema; remembers which rule decided each column.
//!
//! [`rules`] finds the rule of a column, `rename` the name by pattern and style, [`names`] makes names fit and unique, `tables` puts a
//! table together, `dropped` takes out what goes with a column that is left out, `masks` decides the masks. Pure: opens no
//! connection. What cannot be mapped is a [`Problem`] of severity `Refused` with the mapping lines that settle it; all of them
//! are collected before anything is said.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use crate::config::rules::Mapping;
use crate::engine::Dialect;
use crate::error::{Error, ErrorKind, Result};
use crate::model::catalog::{Catalog, Problem, ServerInfo, Severity, Table};
use crate::model::unit::ReadColumn;
use crate::model::{LogicalType, ObjectName};
use crate::transform::mask::ColumnMask;

mod dropped;
mod masks;
pub mod names;
mod rename;
pub mod rules;
mod tables;

/// A source table and what becomes of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MappedTable {
    /// As it is.
    pub source: Table,
    /// As it will be. Its columns are those that are carried, in the order of [`MappedTable::columns`].
    pub target: Table,
    /// How each column of the target comes about.
    pub columns: Vec<ColumnMapping>,
}

/// How a target column comes about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ColumnMapping {
    /// Source column.
    pub source: String,
    /// Target column.
    pub target: String,
    /// Logical type that is read.
    pub from: LogicalType,
    /// Logical type that is written, and compared.
    pub to: LogicalType,
    /// What decided the target type: `mappings/shop.toml:12`, `built-in mysql-to-postgres.toml:40`, or `the target's type for int32`.
    pub rule: String,
    /// How its values are masked, after the cast.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mask: Option<ColumnMask>,
}

impl MappedTable {
    /// True if the column of that source name does not arrive in the clear.
    pub fn hides(&self, source: &str) -> bool {
        self.columns.iter().find(|column| column.source == source).is_none_or(|column| column.mask.is_some())
    }

    /// True if a row must not be named by its key in messages, which reports and ledgers keep.
    pub fn hides_key(&self) -> bool {
        self.columns.iter().any(|column| column.mask.is_some())
            && self.source.key_columns().into_iter().any(|name| self.hides(name))
    }

    /// The columns to read, in the order of the target's columns.
    pub fn read_columns(&self) -> Vec<ReadColumn> {
        let native = |name: &str| self.source.column(name).map(|column| column.native.clone()).unwrap_or_default();
        self.columns
            .iter()
            .map(|column| ReadColumn {
                name: column.source.clone(),
                native: native(&column.source),
                logical: column.from.clone(),
            })
            .collect()
    }

    /// The logical types that are written and compared, in the order of the target's columns.
    pub fn target_types(&self) -> impl Iterator<Item = LogicalType> + '_ {
        self.columns.iter().map(|column| column.to.clone())
    }
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
    /// What is not carried, or is refused.
    pub problems: Vec<Problem>,
}

/// Maps a catalog. Tables go to `schema`, or to the target's usual one, unless a rule says otherwise.
///
/// # Errors
/// `Mapping` for rules that name tables or columns that do not exist (all of them at once, with the nearest name), and `Internal`
/// if the built-in rules of the route cannot be read.
pub fn map(catalog: &Catalog, mapping: &Mapping, schema: Option<&str>, route: Route<'_>) -> Result<Mapped> {
    let rules = rules::Rules::new(mapping, route)?;
    if let Some(error) = Error::many(rules.faults(catalog)) {
        return Err(error);
    }
    let schema = schema.unwrap_or(route.target.default_schema());
    let mut mapped = Mapped::default();
    for table in &catalog.tables {
        let rule = rules.table(table);
        if rule.is_some_and(|rule| rule.exclude) {
            continue;
        }
        mapped.tables.extend(tables::map_table(table, rule, schema, &rules, &mut mapped.problems));
    }
    masks::apply(&mut mapped, &rules);
    names::make_unique(&mut mapped, route.target);
    point_foreign_keys(&mut mapped);
    Ok(mapped)
}

/// Foreign keys follow the renames of their parents. A parent that is not carried keeps its source name; the target lists the key.
fn point_foreign_keys(mapped: &mut Mapped) {
    let parents: HashMap<ObjectName, (ObjectName, HashMap<String, String>)> = mapped
        .tables
        .iter()
        .map(|table| {
            let columns = table.columns.iter().map(|column| (column.source.clone(), column.target.clone())).collect();
            (table.source.name.clone(), (table.target.name.clone(), columns))
        })
        .collect();
    let Mapped { tables, problems } = mapped;
    for table in tables {
        let name = table.source.name.clone();
        table.target.foreign_keys.retain_mut(|key| {
            let Some((parent, columns)) = parents.get(&key.parent) else { return true };
            if let Some(gone) = key.parent_columns.iter().find(|column| !columns.contains_key(*column)) {
                let why = format!("the column `{gone}` of `{}` that it points to is left out", key.parent);
                let ddl = format!(
                    "CONSTRAINT {} FOREIGN KEY ({}) REFERENCES {} ({})",
                    key.name,
                    key.columns.join(", "),
                    key.parent,
                    key.parent_columns.join(", ")
                );
                problems.push(Problem::new(Severity::NotCarried, "foreign key", format!("{name}.{}", key.name), why).ddl(ddl));
                return false;
            }
            key.parent = parent.clone();
            for column in &mut key.parent_columns {
                if let Some(renamed) = columns.get(column) {
                    column.clone_from(renamed);
                }
            }
            true
        });
    }
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
