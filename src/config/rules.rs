//! The shape of a mapping file: what becomes of names, types and values. Policy, never mechanics.
//!
//! The built-in rules of each route are such files too (`mappings/`), so everything that they do a person can override.
//! Precedence of types: a table's column, then the person's `[[type]]` rules from the top, then the built-in ones from the top,
//! then the target's own type for the logical type. Of names: see [`crate::config::naming`].

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::OnError;
use super::hooks::HookRule;
use super::masking::{KEY_VARIABLE, MaskKind, Masking, SHORTEST_KEY_BYTES};
use super::naming::{self, Naming, RenameRule};
pub use super::objects::{CollationChoice, EnumChoice, GeneratedChoice, IndexChoice, Objects, PartitionChoice};
use super::policies::PolicyRules;
use super::subset::{Follow, Sample};
use crate::error::{Error, ErrorKind};
use crate::model::probe::Fact;

/// A mapping file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Mapping {
    /// Rules by type; the first that matches decides.
    #[serde(default, rename = "type", skip_serializing_if = "Vec::is_empty")]
    pub types: Vec<TypeRule>,
    /// Rules by table.
    #[serde(default, rename = "table", skip_serializing_if = "Vec::is_empty")]
    pub tables: Vec<TableRule>,
    /// Renames by pattern, for what no `[[table]]` names; the first that fits decides.
    #[serde(default, rename = "rename", skip_serializing_if = "Vec::is_empty")]
    pub renames: Vec<RenameRule>,
    /// Styles of names.
    #[serde(default, skip_serializing_if = "Naming::is_keep")]
    pub naming: Naming,
    /// How enumerations, collations and full-text indexes are made.
    #[serde(default, skip_serializing_if = "Objects::is_empty")]
    pub objects: Objects,
    /// What masks are made with.
    #[serde(default, skip_serializing_if = "Masking::is_empty")]
    pub masking: Masking,
    /// SQL of the person's own, before and after; of one point, in this order.
    #[serde(default, rename = "hook", skip_serializing_if = "Vec::is_empty")]
    pub hooks: Vec<HookRule>,
    /// The file, for messages and for the plan; set when it is loaded.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(skip)]
    pub file: String,
}

/// What becomes of a source type.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
// Not `deny_unknown_fields`, which serde does not have beside `flatten`: the document is checked against the schema before.
#[schemars(extend("additionalProperties" = false))]
pub struct TypeRule {
    /// Which columns the rule is for.
    #[serde(rename = "match")]
    pub matches: TypeMatch,
    /// The target type. `{length}`, `{precision}`, `{scale}` and `{fsp}` stand for the source type's own numbers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    pub to: Option<String>,
    /// Masks the columns. A column's own `mask` wins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mask: Option<MaskKind>,
    /// What becomes of such a column, where it is an ENUM.
    #[serde(default, rename = "enum", skip_serializing_if = "Option::is_none")]
    pub enumeration: Option<EnumChoice>,
    /// What becomes of such a column, where it is text whose collation knows no case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub collation: Option<CollationChoice>,
    /// What becomes of hard values.
    #[serde(flatten)]
    pub policies: PolicyRules,
    /// Line in its file, for messages and for the plan; set when it is loaded.
    #[serde(default, skip_serializing_if = "is_zero")]
    #[schemars(skip)]
    pub line: u32,
}

pub(crate) fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// Which columns a [`TypeRule`] is for: all conditions that are given must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TypeMatch {
    /// Bare name of the source type, without regard to case: `tinyint`.
    #[serde(rename = "type")]
    #[schemars(length(min = 1))]
    pub name: String,
    /// Its width, length or number of bits: the 1 of `tinyint(1)`, the 36 of `char(36)`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub width: Option<u64>,
    /// Unsigned, or signed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unsigned: Option<bool>,
    /// Shell pattern over the column's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "glob"))]
    pub column: Option<String>,
    /// What the probe of the data has proven of the column: without `--probe full` nothing is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proven: Option<Fact>,
}

/// What becomes of rows that point to no parent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Orphans {
    /// The run is refused when the probe finds some, and the table fails when its foreign key cannot be validated.
    #[default]
    Error,
    /// They are carried, and the foreign keys are made but not validated: they hold for new and changed rows only.
    NotValid,
}

/// What becomes of a table.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
// Not `deny_unknown_fields`, which serde does not have beside `flatten`: the document is checked against the schema before.
#[schemars(extend("additionalProperties" = false))]
pub struct TableRule {
    /// The source table's name, exactly; `database.table` where several databases have it. Several rules of one name, each with a `to` of its own, make several tables of it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(min = 1))]
    pub name: String,
    /// In the place of `name`: regular expression over the names of source tables; it must fit the whole name: `orders_(.*)`. In `to`, and
    /// within the quotes of a text in `where` and `expr`, `$1` to `$9` stand for what its groups matched. A rule by `name` goes before.
    /// A pattern with a point of its own may fit `database.table`: `tenant_(.*)\.orders`.
    #[serde(default, rename = "match", skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1), extend("format" = "regex"))]
    pub matches: Option<String>,
    /// Its name in the target: `orders` or `sales.orders`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    pub to: Option<String>,
    /// Rows of other tables may go into the same target table; each of their rules says so.
    #[serde(default, skip_serializing_if = "is_false")]
    pub merge: bool,
    /// Carry only these columns of the source, and those that are computed newly.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    pub only: Option<Vec<String>>,
    /// Leave the table out.
    #[serde(default, skip_serializing_if = "is_false")]
    pub exclude: bool,
    /// Carry only rows for which this SQL condition over the source's columns is true; the source checks what it can of it.
    #[serde(default, rename = "where", skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1), extend("format" = "sql"))]
    pub condition: Option<String>,
    /// Carry only rows for which this condition in the source's own SQL is true.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1), extend("format" = "sql"))]
    pub source_where: Option<String>,
    /// What becomes of each of its columns, where it is an ENUM.
    #[serde(default, rename = "enum", skip_serializing_if = "Option::is_none")]
    pub enumeration: Option<EnumChoice>,
    /// What becomes of each of its columns, where it is text whose collation knows no case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub collation: Option<CollationChoice>,
    /// What becomes of its partitions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partitions: Option<PartitionChoice>,
    /// Carry only this share of the rows (of those that the conditions let through): `0.01`. The same rows on each run, by their key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("minimum" = 0, "maximum" = 1))]
    pub sample: Option<Sample>,
    /// Carry along, of other tables, the rows that the chosen ones need (`foreign_keys`), and, if wanted, those that point to them
    /// (`foreign_keys_and_children`): a small copy whose foreign keys hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub follow: Option<Follow>,
    /// The target's columns of the unique key by which `--if-exists upsert` finds the rows that stand there. Default: the primary key.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub upsert_key: Vec<String>,
    /// What becomes of rows whose foreign keys lead to no parent. Default `error`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub orphans: Option<Orphans>,
    /// Foreign keys that are left out, by their names in the source; each is listed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub drop_foreign_keys: Vec<String>,
    /// How indexes are made, by their names in the source; `PRIMARY` is the primary key.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub indexes: BTreeMap<String, IndexChoice>,
    /// What to do with a row that cannot be carried: `stop`, the table fails, or `reject`, it is kept in the ledger.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_error: Option<OnError>,
    /// Most rows that are rejected before the table fails.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_rejects: Option<u64>,
    /// What becomes of hard values, in those of the table's columns that can have them.
    #[serde(flatten)]
    pub policies: PolicyRules,
    /// Rules by column, by the source column's name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub columns: BTreeMap<String, ColumnRule>,
    /// Line in its file, for messages and for the plan; set when it is loaded.
    #[serde(default, skip_serializing_if = "is_zero")]
    #[schemars(skip)]
    pub line: u32,
}

fn computes(choice: &GeneratedChoice) -> bool {
    *choice == GeneratedChoice::Compute
}

fn is_false(flag: &bool) -> bool {
    !flag
}

impl TableRule {
    /// The name or the pattern of the tables that it is about.
    pub fn subject(&self) -> &str {
        self.matches.as_deref().unwrap_or(&self.name)
    }

    /// What is wrong with its name or pattern, if something is.
    fn check_subject(&self) -> Result<(), String> {
        match &self.matches {
            None if self.name.is_empty() => Err("a `[[table]]` has a `name`, or a `match`".into()),
            None => Ok(()),
            Some(_) if !self.name.is_empty() => Err("a `[[table]]` has either a `name` or a `match`".into()),
            Some(pattern) => {
                let pattern = naming::whole_name(pattern)?;
                self.to.as_deref().map_or(Ok(()), |to| naming::check_template(to, &pattern))
            }
        }
    }

    /// True if the two are about the same tables, in the same words.
    pub fn is_about_the_same(&self, other: &TableRule) -> bool {
        self.name == other.name && self.matches == other.matches
    }

    /// True if the column of the source is left out.
    pub fn leaves_out(&self, column: &str) -> bool {
        let own = self.columns.get(column);
        let computed = own.is_some_and(|rule| rule.expr.is_some());
        own.is_some_and(|rule| rule.drop)
            || (!computed && self.only.as_ref().is_some_and(|only| !only.iter().any(|name| name == column)))
    }
}

/// What becomes of a column.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
// Not `deny_unknown_fields`, which serde does not have beside `flatten`: the document is checked against the schema before.
#[schemars(extend("additionalProperties" = false))]
pub struct ColumnRule {
    /// The target type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    pub to: Option<String>,
    /// Its name in the target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    pub rename: Option<String>,
    /// What it becomes: a SQL expression over the source's columns of its row. A name that the source does not have makes a new column.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1), extend("format" = "sql"))]
    pub expr: Option<String>,
    /// Digits that the target has no place for are rounded away, half away from zero.
    #[serde(default, skip_serializing_if = "is_false")]
    pub round: bool,
    /// Digits that the target has no place for are cut off.
    #[serde(default, skip_serializing_if = "is_false")]
    pub trunc: bool,
    /// Masks the column's values.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mask: Option<MaskKind>,
    /// What becomes of the column, where it is an ENUM.
    #[serde(default, rename = "enum", skip_serializing_if = "Option::is_none")]
    pub enumeration: Option<EnumChoice>,
    /// What becomes of the column, where it is text whose collation knows no case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub collation: Option<CollationChoice>,
    /// What becomes of the column, where the source computes it. Default `compute`.
    #[serde(default, skip_serializing_if = "computes")]
    pub generated: GeneratedChoice,
    /// Let the column be NULL in the target, though it is NOT NULL in the source.
    #[serde(default, skip_serializing_if = "is_false")]
    pub nullable: bool,
    /// What becomes of hard values.
    #[serde(flatten)]
    pub policies: PolicyRules,
    /// Leave the column out, with what is built on it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub drop: bool,
    /// It tells merged rows apart: it goes in front of the primary key and of every unique index, and is NOT NULL.
    #[serde(default, skip_serializing_if = "is_false")]
    pub key: bool,
    /// Line in its file, for messages and for the plan; set when it is loaded.
    #[serde(default, skip_serializing_if = "is_zero")]
    #[schemars(skip)]
    pub line: u32,
}

impl ColumnRule {
    /// The line to name: its own, or its table's.
    pub fn line_in(&self, table: &TableRule) -> u32 {
        if self.line > 0 { self.line } else { table.line }
    }
}

impl Mapping {
    /// What contradicts itself, whatever the source holds; each fault with its line.
    pub fn faults(&self) -> Vec<Error> {
        let mut faults = Vec::new();
        let mut fault = |line: u32, what: String, hint: &str| {
            faults.push(Error::new(ErrorKind::Config, what).hint(hint).file(format!("{}:{line}", self.file)));
        };
        for (place, rule) in self.tables.iter().enumerate() {
            let same_part = |other: &&TableRule| {
                other.is_about_the_same(rule) && (rule.to.is_none() || other.to.is_none() || other.to == rule.to)
            };
            if let Some(first) = self.tables.get(..place).and_then(|before| before.iter().find(same_part)) {
                let what = format!("`{}` has a rule already, in line {}", rule.subject(), first.line);
                fault(
                    rule.line,
                    what,
                    "Join the two `[[table]]` rules; or give each a `to` of its own, if each makes a table of its own",
                );
            }
            if rule.exclude
                && (rule.to.is_some()
                    || !rule.columns.is_empty()
                    || rule.merge
                    || rule.only.is_some()
                    || !rule.upsert_key.is_empty()
                    || !rule.policies.is_empty())
            {
                fault(
                    rule.line,
                    format!("`{}` is left out, so its other rules say nothing", rule.subject()),
                    "Take out `exclude = true`, or the other lines",
                );
            }
            if let Err(why) = rule.check_subject() {
                fault(
                    rule.line,
                    why,
                    "A rule is such as `match = \"orders_(.*)\"` with `to = \"orders\"`, or by `name = \"orders\"`",
                );
            }
            for (what, hint) in super::subset::faults(rule) {
                fault(rule.line, what, hint);
            }
            for (what, hint) in rule.policies.faults() {
                fault(rule.line, what, hint);
            }
            for column in rule.columns.values() {
                for (what, hint) in column.policies.faults() {
                    fault(column.line_in(rule), what, hint);
                }
            }
            for (name, column) in &rule.columns {
                if let Some(only) = rule.only.as_ref().filter(|only| column.expr.is_none() && !only.contains(name)) {
                    let what = format!("column `{name}` has a rule, and `only` leaves it out");
                    fault(column.line_in(rule), what, &format!("Add it to `only = {only:?}`, or take its rule out"));
                }
                let says =
                    column.to.is_some() || column.rename.is_some() || column.mask.is_some() || column.key || column.nullable;
                if column.drop && says {
                    fault(
                        column.line_in(rule),
                        format!("column `{name}` is left out, so its other rules say nothing"),
                        "Take out `drop = true`, or the other lines",
                    );
                }
            }
        }
        let empty = |rule: &&TypeRule| {
            rule.to.is_none()
                && rule.mask.is_none()
                && rule.enumeration.is_none()
                && rule.collation.is_none()
                && rule.policies.is_empty()
        };
        for rule in self.types.iter().filter(empty) {
            fault(
                rule.line,
                "the rule says nothing".into(),
                "Give it `to = \"…\"`, `mask = \"…\"`, or a value policy such as `zero_date = \"null\"`",
            );
        }
        for rule in &self.types {
            for (what, hint) in rule.policies.faults() {
                fault(rule.line, what, hint);
            }
        }
        for rule in self.types.iter().filter(|rule| rule.mask.is_some() && rule.matches.proven.is_some()) {
            let what = "a mask does not depend on what the data holds: without the probe, the column would go in the clear";
            fault(rule.line, what.into(), "Take `proven` out of its `match`, or mask the columns by name");
        }
        self.masking_faults(&mut fault);
        for rule in &self.renames {
            let checked = rule.subject().and_then(|(_, pattern)| naming::check_template(&rule.to, &naming::whole_name(pattern)?));
            if let Err(why) = checked {
                fault(rule.line, why, "A rule is such as `tables = \"shop_(.*)\"` with `to = \"$1\"`");
            }
        }
        super::hooks::faults(&self.hooks, &self.file, &mut faults);
        faults
    }

    fn masking_faults(&self, fault: &mut impl FnMut(u32, String, &str)) {
        if let Some(key) = &self.masking.key {
            if key.expose().len() < SHORTEST_KEY_BYTES {
                let what = format!("the key of the masks has fewer than {SHORTEST_KEY_BYTES} bytes");
                fault(self.masking.line, what, "Make one that nobody can guess: `openssl rand -hex 32`");
            }
            return;
        }
        let columns = self.tables.iter().flat_map(|table| table.columns.values().map(|rule| (rule.line_in(table), rule.mask)));
        let types = self.types.iter().map(|rule| (rule.line, rule.mask));
        let keyed = columns.chain(types).find_map(|(line, mask)| Some((line, mask.filter(|mask| mask.needs_key())?)));
        if let Some((line, mask)) = keyed {
            let hint = format!(
                "Set it first: `export {KEY_VARIABLE}=…`, and add to this file:\n[masking]\nkey = \"${{{KEY_VARIABLE}}}\""
            );
            fault(
                line,
                format!("`mask = \"{}\"` needs a key, from the environment variable `{KEY_VARIABLE}`", mask.word()),
                &hint,
            );
        }
    }

    /// The mapping without its places in a file and without the key of its masks, for comparisons of what it says.
    #[must_use]
    pub fn without_places_and_key(mut self) -> Self {
        self.file.clear();
        self.masking = Masking::default();
        self.types.iter_mut().for_each(|rule| rule.line = 0);
        self.renames.iter_mut().for_each(|rule| rule.line = 0);
        self.hooks = self.hooks.into_iter().map(HookRule::without_place).collect();
        for rule in &mut self.tables {
            rule.line = 0;
            rule.columns.values_mut().for_each(|column| column.line = 0);
        }
        self
    }
}
