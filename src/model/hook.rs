//! A person's own SQL, to be run at a point of a run.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ObjectName;

/// Before or after the work on a table, or the whole run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum HookWhen {
    /// Of a run: before anything is cleared or created. Of a table: once it is created, before its first row.
    Before,
    /// Of a run: at its very end, after a verification that agreed. Of a table: when its rows, keys and indexes are there, before
    /// foreign keys and verification.
    After,
}

/// Which database runs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum HookSide {
    /// The source: outside the snapshot, so before it is opened or after it is closed.
    Source,
    /// The target.
    Target,
}

impl HookWhen {
    /// As it is written in a mapping file.
    pub fn name(self) -> &'static str {
        match self {
            HookWhen::Before => "before",
            HookWhen::After => "after",
        }
    }
}

impl HookSide {
    /// As it is written in a mapping file.
    pub fn name(self) -> &'static str {
        match self {
            HookSide::Source => "source",
            HookSide::Target => "target",
        }
    }
}

/// A hook, as it is planned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hook {
    /// Its name, unique in a plan.
    pub name: String,
    /// When.
    pub when: HookWhen,
    /// Where.
    pub side: HookSide,
    /// The table in the target's names; none for a hook of the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub table: Option<ObjectName>,
    /// Where the target looks up names without a schema; the source looks in its database.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub schema: String,
    /// What is run, exactly.
    pub sql: String,
    /// SHA-256 of `sql`, in hexadecimal digits.
    pub sha256: String,
    /// Run it in one transaction; on the target that of its ledger entry.
    pub transaction: bool,
    /// It may be run again when nobody knows whether an earlier attempt went through.
    #[serde(default)]
    pub rerun: bool,
}
