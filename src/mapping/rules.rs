//! Finding the rule of a table and of a column: a person's first, then the built-in ones of the route.

use crate::config::masking::MaskKind;
use crate::config::naming::whole_name;
use crate::config::nearest::nearest;
use crate::config::policies::PolicyRules;
use crate::config::rules::{ColumnRule, Mapping, Objects, TableRule, TypeMatch, TypeRule};
use crate::error::{Error, ErrorKind, Result};
use crate::model::ObjectName;
use crate::model::catalog::{Catalog, Column, NativeType, Table};
use crate::model::probe::{Fact, Proven};

use super::rename::Renames;
use super::{Route, left_out};

/// The built-in rules, by source and target.
pub const BUILT_IN: &[(&str, &str)] = &[
    ("mysql-to-postgres.toml", include_str!("../../mappings/mysql-to-postgres.toml")),
    ("mysql-to-parquet.toml", include_str!("../../mappings/mysql-to-parquet.toml")),
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
    proven: Option<&'a Proven>,
}

/// What the name of a rule ends with that holds by what the probe has proven.
pub(super) const PROVEN: &str = ", as the probe has proven";

/// The target type that a rule demands, and which rule that was.
pub struct Decision {
    /// The type as the rule writes it, its placeholders filled.
    pub to: String,
    /// The rule, for people.
    pub rule: String,
    /// A person's, and not a built-in one.
    pub own: bool,
}

impl<'a> Rules<'a> {
    pub(super) fn new(mapping: &'a Mapping, route: Route<'a>, allow_empty: bool, proven: Option<&'a Proven>) -> Result<Self> {
        let name = format!("{}-to-{}.toml", route.source_name, route.target_name);
        let built_in = match BUILT_IN.iter().find(|(file, _)| *file == name) {
            Some((_, text)) => {
                let mut rules = crate::config::load::mapping_from_text(&name, text, &|_| None)?;
                rules.file = format!("built-in {name}");
                rules
            }
            None => Mapping::default(),
        };
        Ok(Rules { mapping, built_in, renames: Renames::new(mapping)?, route, allow_empty, proven })
    }

    /// The rules of a table: those by its name, or else those of the first pattern that fits it; see [`super::parts`].
    pub(super) fn of_table(&self, table: &Table) -> Vec<&'a TableRule> {
        let all = &self.mapping.tables;
        let by_name = all.iter().find(|rule| names_table(rule, &table.name));
        let first = by_name.or_else(|| all.iter().find(|rule| matches_table(rule, &table.name)));
        let Some(first) = first else { return Vec::new() };
        all.iter().filter(|rule| rule.is_about_the_same(first)).collect()
    }

    /// What decides the type of a column, before the target's own type for its logical type does.
    pub fn column(&self, rule: Option<&TableRule>, table: &Table, column: &Column) -> Option<Decision> {
        if let Some(rule) = rule
            && let Some(own) = rule.columns.get(&column.name)
            && let Some(to) = &own.to
        {
            let place = format!("{}:{}", self.mapping.file, own.line_in(rule));
            return Some(Decision { to: fill(to, &column.native), rule: place, own: true });
        }
        [self.mapping, &self.built_in].into_iter().find_map(|mapping| {
            let mut fitting =
                mapping.types.iter().filter(|rule| matches(&rule.matches, column) && self.known(table, column, &rule.matches));
            let (rule, to) = fitting.find_map(|rule| Some((rule, rule.to.as_ref()?)))?;
            let proven = if rule.matches.proven.is_some() { PROVEN } else { "" };
            Some(Decision {
                to: fill(to, &column.native),
                rule: format!("{}{proven}", place(mapping, rule)),
                own: std::ptr::eq(mapping, self.mapping),
            })
        })
    }

    /// The value policies of the types that a column matches, from the top, with their places.
    pub(super) fn policies(&self, column: &Column) -> impl Iterator<Item = (&PolicyRules, String)> {
        let fitting = self.mapping.types.iter().filter(|rule| !rule.policies.is_empty() && matches(&rule.matches, column));
        fitting.map(|rule| (&rule.policies, place(self.mapping, rule)))
    }

    /// All rules by type that fit the column, in the order of asking: place, type, and the fact that must be proven.
    pub(super) fn type_rules(&self, column: &Column) -> Vec<(String, String, Option<Fact>)> {
        let both = [self.mapping, &self.built_in].into_iter();
        let all = both.flat_map(|mapping| mapping.types.iter().map(move |rule| (mapping, rule)));
        let fitting = all.filter(|(_, rule)| matches(&rule.matches, column));
        fitting
            .filter_map(|(mapping, rule)| {
                Some((place(mapping, rule), fill(rule.to.as_ref()?, &column.native), rule.matches.proven))
            })
            .collect()
    }

    /// True if a person's rule decided the column's type.
    pub(super) fn is_decided(&self, rule: Option<&TableRule>, table: &Table, column: &Column) -> bool {
        let chosen = column_rule(rule, &column.name).is_some_and(|own| own.enumeration.is_some() || own.collation.is_some());
        chosen || self.column(rule, table, column).is_some_and(|decision| decision.own)
    }

    /// The word of the first type rule for the column that has one.
    pub(super) fn type_choice<T>(&self, column: &Column, word: impl Fn(&TypeRule) -> Option<T>) -> Option<T> {
        self.mapping.types.iter().filter(|rule| matches(&rule.matches, column)).find_map(word)
    }

    /// The words that hold for all tables.
    pub(super) fn objects(&self) -> &Objects {
        &self.mapping.objects
    }

    /// The mask of a column, and the place of the rule that demands it.
    pub(super) fn mask(&self, rule: Option<&TableRule>, column: &Column) -> Option<(MaskKind, String)> {
        let own = rule.and_then(|rule| Some((rule, rule.columns.get(&column.name)?)));
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
            if rule.matches.is_some() {
                faults.extend(self.faults_of_pattern(rule, catalog));
                continue;
            }
            let mut named = catalog.tables.iter().filter(|table| names_table(rule, &table.name));
            let first = named.next();
            if let (Some(first), Some(second)) = (first, named.next()) {
                let what = format!("`{}` names tables of several databases: `{}` and `{}`", rule.name, first.name, second.name);
                let hint = format!(
                    "Write `name = {}`, or, for all of them, `match = \"(.*)\\\\.{}\"`",
                    super::toml_string(&first.name.to_string()),
                    regex::escape(&rule.name)
                );
                faults.push(Error::new(ErrorKind::Mapping, what).hint(hint).file(place));
                continue;
            }
            let Some(table) = first else {
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
            for name in rule.only.iter().flatten().filter(|name| !columns.contains(&name.as_str())) {
                faults.push(unknown("column", name, &columns).table(&table.name).file(place.clone()));
            }
            for (what, name, known) in left_out::unknown_names(rule, &[table]) {
                faults.push(unknown(what, &name, &known).table(&table.name).file(place.clone()));
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

/// True if the rule is about a table of that name, by its name or its pattern.
pub(crate) fn is_about(rule: &TableRule, name: &ObjectName) -> bool {
    names_table(rule, name) || matches_table(rule, name)
}

fn names_table(rule: &TableRule, name: &ObjectName) -> bool {
    rule.matches.is_none() && (rule.name == name.name || rule.name == name.to_string())
}

fn matches_table(rule: &TableRule, name: &ObjectName) -> bool {
    rule.matches.as_deref().is_some_and(|pattern| fitting(pattern, name).is_some())
}

/// What of a table's name the pattern fits: the name, or, for a pattern with a point of its own (`\.`), `database.table`.
pub(super) fn fitting(pattern: &str, name: &ObjectName) -> Option<String> {
    let compiled = whole_name(pattern).ok()?;
    if compiled.is_match(&name.name) {
        return Some(name.name.clone());
    }
    let full = name.to_string();
    let points = pattern.contains("\\.") || pattern.contains("[.]");
    (points && compiled.is_match(&full)).then_some(full)
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
pub(super) fn fill(template: &str, native: &NativeType) -> String {
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
    /// A pattern that fits no table, and columns that none of its tables has.
    fn faults_of_pattern(&self, rule: &TableRule, catalog: &Catalog) -> Vec<Error> {
        let place = format!("{}:{}", self.mapping.file, rule.line);
        let tables: Vec<&Table> = catalog.tables.iter().filter(|table| matches_table(rule, &table.name)).collect();
        if tables.is_empty() {
            let what = format!("the pattern `{}` fits no table of the source", rule.subject());
            let names = catalog.tables.iter().map(|table| table.name.name.as_str());
            let hint = match nearest(rule.subject(), names) {
                Some(near) => format!("Did you mean `{near}`?"),
                None => "The pattern must fit the whole name; correct it, or take the rule out of the mapping".into(),
            };
            return vec![Error::new(ErrorKind::Mapping, what).hint(hint).file(place)];
        }
        let columns: Vec<&str> = tables.iter().flat_map(|table| &table.columns).map(|column| column.name.as_str()).collect();
        let named = rule.columns.iter().filter(|(_, own)| own.expr.is_none()).map(|(name, own)| (name, own.line_in(rule)));
        let only = rule.only.iter().flatten().map(|name| (name, rule.line));
        let unknown_names = named.chain(only).filter(|(name, _)| !columns.contains(&name.as_str()));
        let others = left_out::unknown_names(rule, &tables);
        unknown_names
            .map(|(name, line)| unknown("column", name, &columns).file(format!("{}:{line}", self.mapping.file)))
            .chain(others.into_iter().map(|(what, name, known)| unknown(what, &name, &known).file(place.clone())))
            .collect()
    }

    /// True if what the rule demands of the data is proven.
    fn known(&self, table: &Table, column: &Column, wanted: &TypeMatch) -> bool {
        wanted.proven.is_none_or(|fact| self.proven.is_some_and(|proven| proven.holds(&table.name, &column.name, fact)))
    }

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

    /// What a table in the comments of a rule file says: the source's type, and the target's.
    fn documented(text: &str) -> Vec<(&str, &str)> {
        let rows = text.lines().filter_map(|line| line.strip_prefix("#   ")?.split_once("  "));
        rows.map(|(from, rest)| (from, rest.trim_start().split("  ").next().unwrap_or_default())).collect()
    }

    #[test]
    fn the_routes_without_rules_document_what_becomes_of_each_type() {
        use crate::engine::registry::engine;
        use crate::model::EngineKind;
        for (file, source, rows) in
            [("mysql-to-parquet.toml", EngineKind::MySql, 39), ("sqlite-to-parquet.toml", EngineKind::Sqlite, 23)]
        {
            let (_, text) = BUILT_IN.iter().find(|(name, _)| *name == file).unwrap();
            let (source, target) = (engine(source).dialect(), engine(EngineKind::Parquet).dialect());
            let documented = documented(text);
            assert_eq!(documented.len(), rows, "{file}");
            for (from, to) in documented {
                let native = source.parse_type(from).unwrap_or_else(|error| panic!("{file}: {from}: {error}"));
                let logical = source.to_logical(&native).unwrap_or_else(|| panic!("{file}: {from} cannot be read"));
                let (native, _) = target.to_native(&logical, &crate::model::catalog::ServerInfo::default()).unwrap();
                assert_eq!(native.full, to, "{file}: {from}");
            }
        }
    }

    #[test]
    fn every_route_has_a_documented_rule_file() {
        for route in ["mysql-to-postgres", "mysql-to-parquet", "sqlite-to-postgres", "sqlite-to-parquet"] {
            let (_, text) = BUILT_IN.iter().find(|(file, _)| file.strip_suffix(".toml") == Some(route)).unwrap();
            assert!(text.starts_with("# "), "{route}");
        }
    }
}
