//! What becomes of a column's hard values, where the mapping has decided something else than an error.
//!
//! Those of reading act where a value is decoded, since a zero date or a broken byte has no place in an Arrow array; the reader gets them
//! with its [`crate::model::unit::ReadColumn`]. [`OutOfRange`] acts in the cast to the target's type.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::civil;
use super::loss::{LossKind, NULL, TEXT};

/// A policy, by its key in a mapping file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PolicyKind {
    /// `zero_date`.
    ZeroDate,
    /// `nul_byte`.
    NulByte,
    /// `invalid_text`.
    InvalidText,
    /// `out_of_range`.
    OutOfRange,
    /// `enum_empty`.
    EnumEmpty,
    /// `json`.
    Json,
    /// `decode`.
    Decode,
    /// `uuid`.
    Uuid,
}

impl PolicyKind {
    /// The key.
    pub fn word(self) -> &'static str {
        match self {
            PolicyKind::ZeroDate => "zero_date",
            PolicyKind::NulByte => "nul_byte",
            PolicyKind::InvalidText => "invalid_text",
            PolicyKind::OutOfRange => "out_of_range",
            PolicyKind::EnumEmpty => "enum_empty",
            PolicyKind::Json => "json",
            PolicyKind::Decode => "decode",
            PolicyKind::Uuid => "uuid",
        }
    }

    /// Which columns it is for.
    pub fn is_for(self) -> &'static str {
        match self {
            PolicyKind::ZeroDate => "for columns with dates",
            PolicyKind::NulByte | PolicyKind::InvalidText | PolicyKind::Decode => "for columns of text",
            PolicyKind::OutOfRange => "for whole numbers, decimals and times",
            PolicyKind::EnumEmpty => "for enumerations",
            PolicyKind::Json => "for columns of JSON",
            PolicyKind::Uuid => "for binary columns of 16 bytes",
        }
    }
}

/// The policies of one column; nothing means `error`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ValuePolicies {
    /// Zero dates, partial dates, and dates that no calendar has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zero_date: Option<ZeroDate>,
    /// The character U+0000 in text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nul_byte: Option<NulByte>,
    /// Bytes that are no characters of the column's character set become U+FFFD, or the `?` of a server that converts.
    #[serde(default, skip_serializing_if = "is_false")]
    pub replace_invalid: bool,
    /// The error value '' of an enumeration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enum_empty: Option<EnumEmpty>,
    /// The text is UTF-8 that was stored as if it were MySQL's latin1.
    #[serde(default, skip_serializing_if = "is_false")]
    pub decode_utf8: bool,
    /// Sixteen bytes are a UUID.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uuid: Option<UuidOrder>,
    /// Numbers and times beyond the target's type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub out_of_range: Option<OutOfRange>,
    /// U+0000, which JSON writes as an escape, is left out of its texts.
    #[serde(default, skip_serializing_if = "is_false")]
    pub strip_json: bool,
}

fn is_false(flag: &bool) -> bool {
    !flag
}

impl ValuePolicies {
    /// True when every hard value is an error.
    pub fn is_empty(&self) -> bool {
        *self == ValuePolicies::default()
    }

    /// True when reading a value may give another one than the source's own SQL sees: conditions on the column are not the source's then.
    pub fn changes_what_is_read(&self) -> bool {
        let behind_the_reader =
            ValuePolicies { out_of_range: self.out_of_range, strip_json: self.strip_json, ..ValuePolicies::default() };
        *self != behind_the_reader
    }

    /// What becomes of values of a kind, in a word.
    pub fn word(&self, kind: LossKind) -> String {
        use LossKind as K;
        let word = match (kind, self) {
            (K::ZeroDate | K::PartialDate | K::InvalidDate, ValuePolicies { zero_date: Some(how), .. }) => match how {
                ZeroDate::Null => NULL,
                ZeroDate::NegativeInfinity => "-infinity",
                ZeroDate::Day(_) => "a fixed date",
                ZeroDate::Text => TEXT,
            },
            (K::NulByte, ValuePolicies { nul_byte: Some(NulByte::Strip), .. } | ValuePolicies { strip_json: true, .. }) => {
                "strip"
            }
            (K::NulByte | K::InvalidText, _) => "replace",
            (K::Decoded, _) => "utf8",
            (K::OutOfRange, ValuePolicies { out_of_range: Some(OutOfRange::Clamp), .. }) => "clamp",
            (K::EnumEmpty, ValuePolicies { enum_empty: Some(EnumEmpty::Label(label)), .. }) => label,
            _ => NULL,
        };
        word.to_string()
    }

    /// The line of the first policy that may give NULL.
    pub fn gives_null(&self) -> Option<&'static str> {
        match self {
            ValuePolicies { zero_date: Some(ZeroDate::Null), .. } => Some("zero_date = \"null\""),
            ValuePolicies { enum_empty: Some(EnumEmpty::Null), .. } => Some("enum_empty = \"null\""),
            ValuePolicies { out_of_range: Some(OutOfRange::Null), .. } => Some("out_of_range = \"null\""),
            _ => None,
        }
    }
}

impl fmt::Display for ValuePolicies {
    /// As a mapping file says them: `zero_date = null, nul_byte = strip`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ValuePolicies { zero_date, nul_byte, replace_invalid, enum_empty, decode_utf8, uuid, out_of_range, strip_json } =
            self;
        let zero_date = zero_date.map(|how| match how {
            ZeroDate::Null => NULL.to_string(),
            ZeroDate::NegativeInfinity => "-infinity".into(),
            ZeroDate::Day(days) => civil::date_text(days.into()),
            ZeroDate::Text => TEXT.into(),
        });
        let nul_byte = nul_byte.as_ref().map(|how| match how {
            NulByte::Strip => "strip".to_string(),
            NulByte::Replace(text) => format!("replaced by `{text}`"),
        });
        let enum_empty = enum_empty.as_ref().map(|how| match how {
            EnumEmpty::Null => NULL.to_string(),
            EnumEmpty::Label(label) => format!("`{label}`"),
        });
        let uuid = uuid.map(|order| if order == UuidOrder::Plain { "binary16" } else { "binary16_swapped" }.to_string());
        let out_of_range = out_of_range.map(|how| if how == OutOfRange::Clamp { "clamp" } else { NULL }.to_string());
        let all = [
            (PolicyKind::ZeroDate, zero_date),
            (PolicyKind::NulByte, nul_byte),
            (PolicyKind::InvalidText, replace_invalid.then(|| "replace".to_string())),
            (PolicyKind::EnumEmpty, enum_empty),
            (PolicyKind::Decode, decode_utf8.then(|| "utf8".to_string())),
            (PolicyKind::Uuid, uuid),
            (PolicyKind::OutOfRange, out_of_range),
            (PolicyKind::Json, strip_json.then(|| "strip".to_string())),
        ];
        let said: Vec<String> = all.into_iter().filter_map(|(kind, word)| Some(format!("{} = {}", kind.word(), word?))).collect();
        f.write_str(&said.join(", "))
    }
}

/// What becomes of a date that no calendar has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ZeroDate {
    /// NULL.
    Null,
    /// Before every date.
    NegativeInfinity,
    /// This day, in days since 1970-01-01; at midnight where there is a time.
    Day(i32),
    /// The whole column becomes text, each value as the source prints it.
    Text,
}

/// What becomes of U+0000.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NulByte {
    /// It is left out.
    Strip,
    /// This text stands for it.
    Replace(String),
}

/// What becomes of the error value of an enumeration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EnumEmpty {
    /// NULL.
    Null,
    /// This label.
    Label(String),
}

/// The order of a UUID's bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UuidOrder {
    /// As it is written.
    Plain,
    /// Time-high, time-mid, time-low first: `UUID_TO_BIN(x, 1)`.
    Swapped,
}

/// What becomes of a number or a time beyond the target's type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutOfRange {
    /// The nearest value that the type holds.
    Clamp,
    /// NULL.
    Null,
}
