//! Value policies as a mapping file says them: of a type, a table or a column. What is not said is an error, and so is what cannot apply.
//!
//! A column's own word wins, then its table's, then that of the first `[[type]]` rule that matches it and has one. Which columns can have
//! which policy is decided with the catalog at hand, in [`crate::mapping`].

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::civil;
use crate::model::policy::{EnumEmpty, NulByte, OutOfRange, UuidOrder, ZeroDate};

/// What becomes of hard values.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PolicyRules {
    /// Dates that no calendar has, such as 0000-00-00 and 2024-02-31: `error`, `null`, `-infinity`, a date such as `1970-01-01`, or
    /// `text`, which makes the whole column text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    pub zero_date: Option<String>,
    /// The character U+0000 in text: `error`, `strip`, `replace` (by U+FFFD), `{ replace = "…" }`, or `bytea`, which makes the whole
    /// column binary.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nul_byte: Option<NulByteRule>,
    /// Text with bytes that are no characters of its character set: `error`, or `replace` (by U+FFFD, or the `?` of a server that converts).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invalid_text: Option<InvalidTextRule>,
    /// Numbers beyond the target's type, and times outside of a day where that is a time of day: `error`, `clamp` (the nearest value that
    /// it holds), or `null`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub out_of_range: Option<OutOfRangeRule>,
    /// The error value '' of an ENUM: `error`, `null`, or a label; one that the ENUM does not have is added to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enum_empty: Option<String>,
    /// JSON that the target's `jsonb` cannot keep: `error`; `json`, which makes the whole column PostgreSQL's `json`; or `strip`, which
    /// leaves U+0000 out of its texts and keys (what else `jsonb` cannot keep stays an error).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub json: Option<JsonRule>,
    /// `utf8`: the text is UTF-8 that was stored as if it were latin1. A value that is not is an error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decode: Option<DecodeRule>,
    /// BINARY(16) holds UUIDs: `binary16`, or `binary16_swapped` for those of MySQL's `UUID_TO_BIN(x, 1)`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uuid: Option<UuidRule>,
}

/// What becomes of U+0000.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum NulByteRule {
    /// In a word.
    Word(NulByteWord),
    /// By a text.
    With(Replacement),
}

/// What becomes of U+0000, in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NulByteWord {
    /// It is an error.
    Error,
    /// It is left out.
    Strip,
    /// U+FFFD stands for it.
    Replace,
    /// The column becomes binary.
    Bytea,
}

/// A text that stands for another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Replacement {
    /// The text.
    pub replace: String,
}

/// What becomes of bytes that are no characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum InvalidTextRule {
    /// They are an error.
    Error,
    /// U+FFFD stands for them, or the `?` of a server that converts.
    Replace,
}

/// What becomes of numbers beyond the target's type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OutOfRangeRule {
    /// They are an error.
    Error,
    /// The nearest number that the type holds.
    Clamp,
    /// NULL.
    Null,
}

/// What becomes of JSON that `jsonb` cannot keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum JsonRule {
    /// It is an error.
    Error,
    /// The column becomes `json`, which keeps its text.
    Json,
    /// U+0000 is left out.
    Strip,
}

/// How text was stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DecodeRule {
    /// As UTF-8 that was taken for latin1.
    Utf8,
}

/// How a UUID was stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum UuidRule {
    /// In the order in which it is written.
    Binary16,
    /// With its times swapped, as `UUID_TO_BIN(x, 1)` does it.
    #[serde(rename = "binary16_swapped")]
    Binary16Swapped,
}

impl PolicyRules {
    /// True when nothing is said.
    pub fn is_empty(&self) -> bool {
        *self == PolicyRules::default()
    }

    /// What is said in a way that cannot be meant: what is wrong, and what to write.
    pub fn faults(&self) -> Vec<(String, &'static str)> {
        let mut faults = Vec::new();
        if let Some(word) = &self.zero_date
            && zero_date(word).is_none()
        {
            faults.push((
                format!("`zero_date = \"{word}\"` is neither a word nor a date"),
                "Write `error`, `null`, `-infinity`, `text`, or a date such as `1970-01-01`",
            ));
        }
        if let Some(NulByteRule::With(Replacement { replace })) = &self.nul_byte
            && replace.contains('\0')
        {
            faults.push(("the replacement for U+0000 holds it itself".into(), "Replace it by another text"));
        }
        if self.enum_empty.as_deref().is_some_and(|label| label.contains('\0')) {
            faults.push(("the label holds U+0000".into(), "Choose another label"));
        }
        faults
    }
}

/// What a policy is when it is more than an error.
pub type Chosen<T> = Option<T>;

/// What a word of `zero_date` means; `Some(None)` is an error.
pub fn zero_date(word: &str) -> Option<Chosen<ZeroDate>> {
    Some(match word {
        "error" => None,
        "null" => Some(ZeroDate::Null),
        "-infinity" => Some(ZeroDate::NegativeInfinity),
        "text" => Some(ZeroDate::Text),
        date => Some(ZeroDate::Day(day(date)?)),
    })
}

/// The days since 1970-01-01 of `YYYY-MM-DD`.
fn day(text: &str) -> Option<i32> {
    let mut parts = text.split('-');
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
    let digits = |text: &str, count: usize| text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit());
    let plain = parts.next().is_none() && digits(year, 4) && digits(month, 2) && digits(day, 2);
    let date = plain.then(|| civil::to_days(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?)).flatten();
    // The targets have no year 0.
    i32::try_from(date?).ok().filter(|_| year != "0000")
}

impl NulByteRule {
    /// What the reader does; none for an error and for a column that becomes binary.
    pub fn chosen(&self) -> Chosen<NulByte> {
        match self {
            NulByteRule::Word(NulByteWord::Strip) => Some(NulByte::Strip),
            NulByteRule::Word(NulByteWord::Replace) => Some(NulByte::Replace("\u{fffd}".into())),
            NulByteRule::With(Replacement { replace }) => Some(NulByte::Replace(replace.clone())),
            NulByteRule::Word(NulByteWord::Error | NulByteWord::Bytea) => None,
        }
    }
}

impl OutOfRangeRule {
    /// What the cast does.
    pub fn chosen(self) -> Chosen<OutOfRange> {
        match self {
            OutOfRangeRule::Error => None,
            OutOfRangeRule::Clamp => Some(OutOfRange::Clamp),
            OutOfRangeRule::Null => Some(OutOfRange::Null),
        }
    }
}

impl UuidRule {
    /// The order of the bytes.
    pub fn order(self) -> UuidOrder {
        match self {
            UuidRule::Binary16 => UuidOrder::Plain,
            UuidRule::Binary16Swapped => UuidOrder::Swapped,
        }
    }
}

/// What a word of `enum_empty` means.
pub fn enum_empty(word: &str) -> Chosen<EnumEmpty> {
    match word {
        "error" => None,
        "null" => Some(EnumEmpty::Null),
        label => Some(EnumEmpty::Label(label.into())),
    }
}

/// A text in TOML.
pub fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for character in text.chars() {
        match character {
            '\\' | '"' => out.extend(['\\', character]),
            control if control.is_control() => out.push_str(&format!("\\u{:04X}", u32::from(control))),
            other => out.push(other),
        }
    }
    out.push('"');
    out
}

/// A key in TOML.
pub fn key(name: &str) -> String {
    let bare = !name.is_empty() && name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_' || letter == '-');
    if bare { name.to_string() } else { quoted(name) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_dates_are_told_apart() {
        assert_eq!(zero_date("error"), Some(None));
        assert_eq!(zero_date("1970-01-02"), Some(Some(ZeroDate::Day(1))));
        assert_eq!(zero_date("-infinity"), Some(Some(ZeroDate::NegativeInfinity)));
        for wrong in ["", "nul", "1970-1-2", "2023-02-29", "0000-00-00", "1970-01-01 00:00:00"] {
            assert_eq!(zero_date(wrong), None, "{wrong}");
        }
        assert_eq!(key("a b\""), "\"a b\\\"\"");
    }
}
