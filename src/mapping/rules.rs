//! Finding the rule of a table and of a column: a person's first, then the built-in ones of the route.

use crate::config::masking::MaskKind;
use crate::config::policies::PolicyRules;
use crate::config::rules::{ColumnRule, Mapping, TableRule, TypeMatch, TypeRule};
use crate::error::{Error, ErrorKind, Result};
use crate::model::ObjectName;
use crate::model::catalog::{Catalog, Column, NativeType, Table};

use super::Route;
use super::rename::Renames;

/// The built-in rules, by source and target.
pub const BUILT_IN: &[(&str, &str)] = &[
    ("mysql-to-postgres.toml", include_str!("../../mappings/mysql-to-postgres.toml")),
    ("sqlite-to-postgres.toml", include_str!("../../mappings/sqlite-to-postgres.toml")),
    ("sqlite-to-parquet.toml", include_str!("../../mappings/sqlite-to-parquet.toml")),
];

/// All rules that hold for a route.
pub struct Rules<'a> {
    mapping: &'a Mapping,
    built_in: Mapping,
    pub(super) renames: Renames<'a>,
    pub(super) route: Route<'a>,
    pub(super) allow_empty: bool,
}

/// The target type that a rule demands, and which rule that was.
pub struct Decision {
    /// The type as the rule writes it, its placeholders filled.
    pub to: String,
    /// The rule, for people.
    pub rule: String,
}

impl<'a> Rules<'a> {
    pub(super) fn new(mapping: &'a Mapping, route: Route<'a>, allow_empty: bool) -> Result<Self> {
        let name = format!("{}-to-{}.toml", route.source_name, route.target_name);
        let built_in = match BUILT_IN.iter().find(|(file, _)| *file == name) {
            Some((_, text)) => {
                let mut rules = crate::config::load::mapping_from_text(&name, text, &|_| None)?;
                rules.file = format!("built-in {name}");
                rules
            }
            None => Mapping::default(),
        };
        Ok(Rules { mapping, built_in, renames: Renames::new(mapping)?, route, allow_empty })
    }

    /// The rule for a table.
    pub fn table(&self, table: &Table) -> Option<&'a TableRule> {
        self.mapping.tables.iter().find(|rule| names_table(rule, &table.name))
    }

    /// What decides the type of a column, before the target's own type for its logical type does.
    pub fn column(&self, rule: Option<&TableRule>, column: &Column) -> Option<Decision> {
        if let Some(rule) = rule
            && let Some(own) = rule.columns.get(&column.name)
            && let Some(to) = &own.to
        {
            let place = format!("{}:{}", self.mapping.file, own.line_in(rule));
            return Some(Decision { to: fill(to, &column.native), rule: place });
        }
        [self.mapping, &self.built_in].into_iter().find_map(|mapping| {
            let mut fitting = mapping.types.iter().filter(|rule| matches(&rule.matches, column));
            let (rule, to) = fitting.find_map(|rule| Some((rule, rule.to.as_ref()?)))?;
            Some(Decision { to: fill(to, &column.native), rule: place(mapping, rule) })
        })
    }

    /// The value policies of the types that a column matches, from the top, with their places.
    pub(super) fn policies(&self, column: &Column) -> impl Iterator<Item = (&PolicyRules, String)> {
        let fitting = self.mapping.types.iter().filter(|rule| !rule.policies.is_empty() && matches(&rule.matches, column));
        fitting.map(|rule| (&rule.policies, place(self.mapping, rule)))
    }

    /// The mask of a column, and the place of the rule that demands it.
    pub(super) fn mask(&self, table: &Table, column: &Column) -> Option<(MaskKind, String)> {
        let own = self.table(table).and_then(|rule| Some((rule, rule.columns.get(&column.name)?)));
        if let Some((rule, own)) = own
            && let Some(mask) = own.mask
        {
            return Some((mask, format!("{}:{}", self.mapping.file, own.line_in(rule))));
        }
        let mut fitting = self.mapping.types.iter().filter(|rule| matches(&rule.matches, column));
        fitting.find_map(|rule| Some((rule.mask?, place(self.mapping, rule))))
    }

    /// Rules that name what does not exist, each with the nearest name that does.
    pub(super) fn faults(&self, catalog: &Catalog) -> Vec<Error> {
        let mut faults = Vec::new();
        let tables: Vec<&str> = catalog.tables.iter().map(|table| table.name.name.as_str()).collect();
        for rule in &self.mapping.tables {
            let place = format!("{}:{}", self.mapping.file, rule.line);
            let Some(table) = catalog.tables.iter().find(|table| names_table(rule, &table.name)) else {
                // A table that the filter left out may well have a rule: only a name that is like another is taken for a typing error
                // when nothing else explains it, but a rule that does nothing is never right in silence.
                faults.push(unknown("table", &rule.name, &tables).file(place));
                continue;
            };
            let columns: Vec<&str> = table.columns.iter().map(|column| column.name.as_str()).collect();
            // A name of its own with an expression makes a new column.
            let unknown_names = rule.columns.iter().filter(|(name, own)| !columns.contains(&name.as_str()) && own.expr.is_none());
            for (name, own) in unknown_names {
                let place = format!("{}:{}", self.mapping.file, own.line_in(rule));
                faults.push(unknown("column", name, &columns).table(&table.name).file(place));
            }
        }
        // `shop.orders` and `orders` may be two rules of one table.
        for table in &catalog.tables {
            let mut own = self.mapping.tables.iter().filter(|rule| names_table(rule, &table.name));
            if let (Some(first), Some(second)) = (own.next(), own.next())
                && first.name != second.name
            {
                let what = format!("`{}` and `{}` are rules of one table, {}", first.name, second.name, table.name);
                let error = Error::new(ErrorKind::Mapping, what).hint("Join the two `[[table]]` rules");
                faults.push(error.file(format!("{}:{}", self.mapping.file, second.line)));
            }
        }
        // A mask that masks nothing leaves in the clear what somebody meant to hide.
        for rule in self.mapping.types.iter().filter(|rule| rule.mask.is_some()) {
            let mut columns = catalog.tables.iter().flat_map(|table| &table.columns);
            if !columns.any(|column| matches(&rule.matches, column)) {
                let error = Error::new(ErrorKind::Mapping, "no column of the source is as the masking rule says");
                let error = error.hint("Correct its `match`, or take the rule out of the mapping");
                faults.push(error.file(place(self.mapping, rule)));
            }
        }
        faults.extend(self.renames.faults(catalog));
        faults
    }
}

fn unknown(what: &str, name: &str, known: &[&str]) -> Error {
    let error = Error::new(ErrorKind::Mapping, format!("the mapping names the {what} `{name}`, which the source does not have"));
    match crate::config::nearest::nearest(name, known.iter().copied()) {
        Some(near) => error.hint(format!("Did you mean `{near}`?")),
        None => error.hint(format!("Correct the name, or take the {what} out of the mapping")),
    }
}

fn names_table(rule: &TableRule, name: &ObjectName) -> bool {
    rule.name == name.name || rule.name == name.to_string()
}

fn place(mapping: &Mapping, rule: &TypeRule) -> String {
    format!("{}:{}", mapping.file, rule.line)
}

fn matches(wanted: &TypeMatch, column: &Column) -> bool {
    wanted.name.eq_ignore_ascii_case(&column.native.name)
        && wanted.width.is_none_or(|width| column.native.length == Some(width))
        && wanted.unsigned.is_none_or(|unsigned| column.native.unsigned == unsigned)
        && wanted
            .column
            .as_ref()
            .is_none_or(|pattern| globset::Glob::new(pattern).is_ok_and(|glob| glob.compile_matcher().is_match(&column.name)))
}

/// Fills `{length}`, `{precision}`, `{scale}` and `{fsp}` with the source type's own numbers; a number that it lacks takes its
/// brackets along, so that `varchar({length})` becomes `varchar`.
fn fill(template: &str, native: &NativeType) -> String {
    let numbers = [
        ("{length}", native.length),
        ("{precision}", native.precision.map(u64::from)),
        ("{scale}", native.scale.map(u64::from)),
        ("{fsp}", native.fsp.map(u64::from)),
    ];
    let mut text = template.to_string();
    for (placeholder, number) in numbers {
        text = match number {
            Some(number) => text.replace(placeholder, &number.to_string()),
            None => text.replace(&format!("({placeholder})"), "").replace(placeholder, "0"),
        };
    }
    text
}

impl Rules<'_> {
    /// The place of a column's rule in its file.
    pub(super) fn place_of(&self, rule: &TableRule, own: Option<&ColumnRule>) -> String {
        let line = own.map_or(rule.line, |own| own.line_in(rule));
        format!("{}:{line}", self.mapping.file)
    }
}

/// The rule for a column by its table's rule.
pub fn column_rule<'r>(rule: Option<&'r TableRule>, column: &str) -> Option<&'r ColumnRule> {
    rule?.columns.get(column)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_take_the_source_types_numbers() {
        let native = NativeType { name: "decimal".into(), precision: Some(10), scale: Some(2), ..NativeType::default() };
        assert_eq!(fill("numeric({precision},{scale})", &native), "numeric(10,2)");
        assert_eq!(fill("varchar({length})", &native), "varchar");
    }
}
