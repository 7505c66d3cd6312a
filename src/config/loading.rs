//! How rows are loaded into tables that stand already: whether they must stand, and what becomes of their triggers, foreign keys and
//! indexes meanwhile.

use crate::error::{Error, ErrorKind};

/// Where the target's tables come from.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize, schemars::JsonSchema, clap::ValueEnum,
)]
#[serde(rename_all = "snake_case")]
pub enum TargetTables {
    /// The run makes them, with their keys and indexes.
    #[default]
    Create,
    /// They stand already, each of them; nothing is made.
    Existing,
}

/// What becomes of the triggers of a table that stands, while rows are loaded into it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TargetTriggers {
    /// None of them fires.
    #[default]
    Off,
    /// They fire for each row, as they do for everybody.
    On,
}

/// What becomes of the foreign keys of a table that stands, while rows are loaded into it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TargetForeignKeys {
    /// They are off, and each of them is checked over all rows afterwards.
    #[default]
    CheckAfter,
    /// They are enforced for each row; tables are loaded one after the other, parents first.
    Keep,
}

/// What becomes of the secondary indexes of a table that stands, while rows are loaded into it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TargetIndexes {
    /// They stay.
    #[default]
    Keep,
    /// Those that enforce nothing are dropped, and made again as they were.
    Rebuild,
}

/// All of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct Loading {
    /// Triggers.
    pub triggers: TargetTriggers,
    /// Foreign keys.
    pub foreign_keys: TargetForeignKeys,
    /// Secondary indexes.
    pub indexes: TargetIndexes,
}

impl Loading {
    /// True for the defaults, which a stored plan leaves out.
    pub fn is_default(&self) -> bool {
        *self == Loading::default()
    }

    /// What was chosen. Triggers that fire need foreign keys that are kept, since one switch turns both off.
    ///
    /// # Errors
    /// `Config` for choices that contradict each other.
    pub fn of(
        triggers: Option<TargetTriggers>,
        foreign_keys: Option<TargetForeignKeys>,
        indexes: Option<TargetIndexes>,
    ) -> Result<Self, Error> {
        let triggers = triggers.unwrap_or_default();
        let foreign_keys = match (triggers, foreign_keys) {
            (TargetTriggers::On, None | Some(TargetForeignKeys::Keep)) => TargetForeignKeys::Keep,
            (TargetTriggers::On, Some(TargetForeignKeys::CheckAfter)) => {
                let what = "`target_triggers = \"on\"` and `target_foreign_keys = \"check_after\"` cannot both be: one switch of the target turns off triggers and foreign keys";
                return Err(Error::new(ErrorKind::Config, what)
                    .hint("Set `target_foreign_keys = \"keep\"`, or leave out `target_triggers`"));
            }
            (TargetTriggers::Off, chosen) => chosen.unwrap_or_default(),
        };
        Ok(Loading { triggers, foreign_keys, indexes: indexes.unwrap_or_default() })
    }
}
