//! Masking in a mapping file: how a column is masked, and the key that the masks are made with.
//!
//! The key is a secret: it comes from the environment, is never written anywhere, and stands for itself only as a fingerprint.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use super::endpoint::Secret;
use super::rules::is_zero;

/// The variable that examples and hints name.
pub const KEY_VARIABLE: &str = "DBFERRY_MASK_KEY";
/// The shortest key, in bytes: one that can be guessed undoes every mask.
pub const SHORTEST_KEY_BYTES: usize = 16;

/// How the values of a column are masked; NULL stays NULL. What each does to which type stands in [`crate::transform::mask`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MaskKind {
    /// A keyed stand-in of the same type: equal values stay equal, different ones stay different.
    Hash,
    /// One fixed value of the type.
    Redact,
    /// An address at example.com, the same for the same value.
    FakeEmail,
    /// The first character and the last four; stars between.
    Partial,
    /// NULL.
    Null,
    /// All dates moved by the same keyed number of days, so that order and intervals hold.
    ShiftDate,
}

impl MaskKind {
    /// The word in a mapping file.
    pub fn word(self) -> &'static str {
        match self {
            MaskKind::Hash => "hash",
            MaskKind::Redact => "redact",
            MaskKind::FakeEmail => "fake_email",
            MaskKind::Partial => "partial",
            MaskKind::Null => "null",
            MaskKind::ShiftDate => "shift_date",
        }
    }

    /// True for masks that are made with the key.
    pub fn needs_key(self) -> bool {
        matches!(self, MaskKind::Hash | MaskKind::FakeEmail | MaskKind::ShiftDate)
    }
}

/// What the masks are made with.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Masking {
    /// The key, from the environment: `key = "${DBFERRY_MASK_KEY}"`; at least 16 bytes. The same key makes the same masks.
    #[serde(default, skip_serializing, deserialize_with = "secret")]
    #[schemars(with = "String", length(min = 1), extend("format" = "secret"))]
    pub key: Option<Secret>,
    /// What tells one key from another, in a stored plan; set when the plan is made.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(skip)]
    pub fingerprint: String,
    /// Line in its file, for messages; set when it is loaded.
    #[serde(default, skip_serializing_if = "is_zero")]
    #[schemars(skip)]
    pub line: u32,
}

impl Masking {
    /// True when nothing is said.
    pub fn is_empty(&self) -> bool {
        self.key.is_none() && self.fingerprint.is_empty()
    }
}

fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Secret>, D::Error> {
    Ok(Option::<String>::deserialize(deserializer)?.map(Secret::new))
}
