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
use super::policies::PolicyRules;
use crate::error::{Error, ErrorKind};

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
}

/// What becomes of a table.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
// Not `deny_unknown_fields`, which serde does not have beside `flatten`: the document is checked against the schema before.
#[schemars(extend("additionalProperties" = false))]
pub struct TableRule {
    /// The source table's name, exactly.
    #[schemars(length(min = 1))]
    pub name: String,
    /// Its name in the target: `orders` or `sales.orders`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    pub to: Option<String>,
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

fn is_false(flag: &bool) -> bool {
    !flag
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
    /// Let the column be NULL in the target, though it is NOT NULL in the source.
    #[serde(default, skip_serializing_if = "is_false")]
    pub nullable: bool,
    /// What becomes of hard values.
    #[serde(flatten)]
    pub policies: PolicyRules,
    /// Leave the column out, with what is built on it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub drop: bool,
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
            if let Some(first) = self.tables[..place].iter().find(|other| other.name == rule.name) {
                let what = format!("`{}` has a rule already, in line {}", rule.name, first.line);
                fault(rule.line, what, "Join the two `[[table]]` rules");
            }
            for (what, hint) in rule.policies.faults() {
                fault(rule.line, what, hint);
            }
            for column in rule.columns.values() {
                for (what, hint) in column.policies.faults() {
                    fault(column.line_in(rule), what, hint);
                }
            }
            if rule.exclude && (rule.to.is_some() || !rule.columns.is_empty() || !rule.policies.is_empty()) {
                fault(
                    rule.line,
                    format!("`{}` is left out, so its other rules say nothing", rule.name),
                    "Take out `exclude = true`, or the other lines",
                );
            }
            for (name, column) in &rule.columns {
                if column.drop && (column.to.is_some() || column.rename.is_some() || column.mask.is_some() || column.nullable) {
                    fault(
                        column.line_in(rule),
                        format!("column `{name}` is left out, so its other rules say nothing"),
                        "Take out `drop = true`, or the other lines",
                    );
                }
            }
        }
        for rule in self.types.iter().filter(|rule| rule.to.is_none() && rule.mask.is_none() && rule.policies.is_empty()) {
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

    /// The mapping without its places in a file, for comparisons of what it says.
    #[must_use]
    pub fn without_places(mut self) -> Self {
        self.file.clear();
        self.masking.line = 0;
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
