//! Names by pattern and by style; see [`crate::config::naming`] for who decides.

use globset::{Glob, GlobMatcher};
use regex::Regex;

use crate::config::naming::{Named, RenameRule, renamed, whole_name};
use crate::config::nearest::nearest;
use crate::config::rules::Mapping;
use crate::error::{Error, ErrorKind, Result};
use crate::model::ObjectName;
use crate::model::catalog::Catalog;

/// The compiled `[[rename]]` rules and the styles.
pub(super) struct Renames<'a> {
    mapping: &'a Mapping,
    rules: Vec<Compiled<'a>>,
}

struct Compiled<'a> {
    rule: &'a RenameRule,
    named: Named,
    pattern: Regex,
    within: Option<GlobMatcher>,
}

impl Compiled<'_> {
    fn is_in(&self, table: &str) -> bool {
        self.within.as_ref().is_none_or(|glob| glob.is_match(table))
    }
}

impl<'a> Renames<'a> {
    /// Compiles the rules.
    ///
    /// # Errors
    /// `Config` for a pattern that is none: only of a plan that went through other hands, since a mapping file is checked.
    pub(super) fn new(mapping: &'a Mapping) -> Result<Self> {
        let compile = |rule: &'a RenameRule| {
            let (named, pattern) = rule.subject()?;
            let within = rule.within.as_deref().map(Glob::new).transpose().map_err(|error| error.to_string())?;
            Ok(Compiled { rule, named, pattern: whole_name(pattern)?, within: within.map(|glob| glob.compile_matcher()) })
        };
        let compiled = mapping.renames.iter().map(|rule| {
            compile(rule)
                .map_err(|why: String| Error::new(ErrorKind::Config, why).file(format!("{}:{}", mapping.file, rule.line)))
        });
        Ok(Renames { mapping, rules: compiled.collect::<Result<_>>()? })
    }

    fn first(&self, named: Named, table: &str, name: &str) -> Option<(String, &RenameRule)> {
        let mut rules = self.rules.iter().filter(|rule| rule.named == named && (named != Named::Columns || rule.is_in(table)));
        rules.find_map(|rule| Some((renamed(name, &rule.pattern, &rule.rule.to)?, rule.rule)))
    }

    /// Schema and name in the target, of a table that no rule names exactly; without a schema where no rule says one.
    pub(super) fn table(&self, source: &ObjectName) -> (Option<String>, String) {
        let found = self.rules.iter().filter(|rule| rule.named == Named::Tables).find_map(|rule| {
            // The point is that of the rule: one that a group brings in is a part of the name.
            let (schema, name) = match rule.rule.to.split_once('.') {
                Some((schema, name)) => (Some(schema), name),
                None => (None, rule.rule.to.as_str()),
            };
            let name = renamed(&source.name, &rule.pattern, name)?;
            Some((schema.and_then(|schema| renamed(&source.name, &rule.pattern, schema)), name))
        });
        let (schema, name) = found.unwrap_or_else(|| (None, source.name.clone()));
        (schema, self.mapping.naming.tables.of(&name))
    }

    /// The schema in the target of what stands in a source's schema.
    pub(super) fn schema(&self, source: &str) -> Option<String> {
        self.first(Named::Schemas, "", source).map(|(name, _)| name)
    }

    /// The name in the target of a column that no rule names exactly.
    pub(super) fn column(&self, table: &str, column: &str) -> String {
        let name = self.first(Named::Columns, table, column).map_or_else(|| column.to_string(), |(name, _)| name);
        self.mapping.naming.columns.of(&name)
    }

    /// Patterns that fit nothing in the source.
    pub(super) fn faults(&self, catalog: &Catalog) -> Vec<Error> {
        let mut faults = Vec::new();
        for rule in &self.rules {
            let fault = |what: String, hint: String| {
                Error::new(ErrorKind::Mapping, what).hint(hint).file(format!("{}:{}", self.mapping.file, rule.rule.line))
            };
            let tables: Vec<_> = catalog.tables.iter().filter(|table| rule.is_in(&table.name.name)).collect();
            if let (Some(within), true) = (&rule.rule.within, tables.is_empty()) {
                faults.push(fault(
                    format!("no table of the source is like `{within}`"),
                    "Correct the pattern, or take the rule out of the mapping".into(),
                ));
                continue;
            }
            let (what, names): (&str, Vec<&str>) = match rule.named {
                Named::Tables => ("table", tables.iter().map(|table| table.name.name.as_str()).collect()),
                Named::Schemas => ("schema", tables.iter().map(|table| table.name.schema.as_str()).collect()),
                Named::Columns => {
                    let columns = tables.iter().flat_map(|table| &table.columns);
                    ("column", columns.map(|column| column.name.as_str()).collect())
                }
            };
            if !names.iter().any(|name| rule.pattern.is_match(name)) {
                let Ok((_, pattern)) = rule.rule.subject() else { continue };
                let hint = match nearest(pattern, names) {
                    Some(near) => format!("Did you mean `{near}`?"),
                    None => "The pattern must fit the whole name; correct it, or take the rule out of the mapping".into(),
                };
                faults.push(fault(format!("the pattern `{pattern}` fits no {what} of the source"), hint));
            }
        }
        faults
    }
}
