//! The shape of a mapping file: what becomes of names, types and values. Policy, never mechanics.
//!
//! The built-in rules of each route are such files too (`mappings/`), so everything that they do a person can override.
//! Precedence: a table's column, then the person's `[[type]]` rules from the top, then the built-in ones from the top,
//! then the target's own type for the logical type.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

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
    /// The file, for messages and for the plan; set when it is loaded.
    #[serde(default, skip_deserializing, skip_serializing_if = "String::is_empty")]
    #[schemars(skip)]
    pub file: String,
}

/// What becomes of a source type.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TypeRule {
    /// Which columns the rule is for.
    #[serde(rename = "match")]
    pub matches: TypeMatch,
    /// The target type. `{length}`, `{precision}`, `{scale}` and `{fsp}` stand for the source type's own numbers.
    #[schemars(length(min = 1))]
    pub to: String,
    /// Line in its file, for messages and for the plan; set when it is loaded.
    #[serde(default, skip_deserializing, skip_serializing_if = "is_zero")]
    #[schemars(skip)]
    pub line: u32,
}

fn is_zero(number: &u32) -> bool {
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
#[serde(deny_unknown_fields)]
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
    /// Rules by column, by the source column's name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub columns: BTreeMap<String, ColumnRule>,
    /// Line in its file, for messages and for the plan; set when it is loaded.
    #[serde(default, skip_deserializing, skip_serializing_if = "is_zero")]
    #[schemars(skip)]
    pub line: u32,
}

fn is_false(flag: &bool) -> bool {
    !flag
}

/// What becomes of a column.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ColumnRule {
    /// The target type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    pub to: Option<String>,
    /// Its name in the target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    pub rename: Option<String>,
}
