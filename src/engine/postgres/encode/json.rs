//! JSON, to `json` and `jsonb`.
//!
//! `json` keeps the text; `jsonb` keeps the meaning, as far as it can hold it: not a key twice, not U+0000, not half of a surrogate
//! pair, and no number beyond a `numeric`.

use arrow::array::{Array, StringArray};

use super::numeric::{MOST_FRACTION_DIGITS, MOST_INTEGER_DIGITS};
use super::{put_prefixed, refuse};
use crate::engine::postgres::target::PgType;
use crate::error::{Error, Result};
use crate::model::LogicalType;
use crate::model::json::{JsonFault, MAX_DEPTH, canonical};

/// What a person may say of JSON that `jsonb` cannot keep.
const JSON_RULE: &str = "json = \"json\"";

/// To `json` and `jsonb`.
pub(super) struct Json<'a> {
    array: &'a StringArray,
    strict: bool,
}

impl<'a> Json<'a> {
    pub(super) fn bind(logical: &LogicalType, array: &'a dyn Array, pg_type: &PgType) -> Option<Self> {
        let strict = match pg_type {
            PgType::Json => false,
            PgType::Jsonb => true,
            _ => return None,
        };
        if !matches!(logical, LogicalType::Json | LogicalType::Text { .. }) {
            return None;
        }
        Some(Json { array: array.as_any().downcast_ref()?, strict })
    }

    pub(super) fn put(&self, row: usize, out: &mut Vec<u8>) -> Result<()> {
        let text = self.array.value(row);
        match canonical(text) {
            Ok(_) if self.strict => numbers(text)?,
            Ok(_) => {}
            Err(fault) => self.judge(fault)?,
        }
        // A `jsonb` begins with the version of its form, which is its text.
        put_prefixed(if self.strict { &[1] } else { &[] }, text.as_bytes(), out)
    }

    fn judge(&self, fault: JsonFault) -> Result<()> {
        let to_json = |error: Error| error.hint("Map the column to `json`, which keeps the text as it is").rule(JSON_RULE);
        match fault {
            JsonFault::Syntax(at) => Err(refuse(format!("the value is no JSON, at byte {at}")).hint("Map the column to `text`")),
            JsonFault::TooDeep => {
                Err(refuse(format!("the JSON is nested deeper than {MAX_DEPTH} levels")).hint("Map the column to `text`"))
            }
            _ if !self.strict => Ok(()),
            JsonFault::DuplicateKey(key) => {
                let key: String = key.chars().take(80).collect();
                Err(to_json(refuse(format!(
                    "the JSON names the key `{key}` twice in one object, and `jsonb` would keep only one"
                ))))
            }
            JsonFault::NulCharacter => {
                let error = refuse("the JSON holds the character U+0000 as `\\u0000`, which `jsonb` cannot keep");
                // The first line that is named is the one that is said.
                Err(to_json(error.rule("json = \"json\"  # or \"strip\", which leaves the character out")))
            }
            JsonFault::LoneSurrogate => {
                Err(to_json(refuse("the JSON holds half of a surrogate pair, which `jsonb` cannot keep")))
            }
        }
    }
}

/// Refuses numbers that a `jsonb` cannot hold, in a text that is JSON.
fn numbers(text: &str) -> Result<()> {
    let mut bytes = text.bytes().peekable();
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => {
                while let Some(byte) = bytes.next() {
                    match byte {
                        b'"' => break,
                        b'\\' => drop(bytes.next()),
                        _ => {}
                    }
                }
            }
            b'0'..=b'9' => {
                let mut integer = usize::from(byte != b'0');
                while bytes.next_if(u8::is_ascii_digit).is_some() {
                    integer += 1;
                }
                let mut fraction = 0usize;
                if bytes.next_if_eq(&b'.').is_some() {
                    while bytes.next_if(u8::is_ascii_digit).is_some() {
                        fraction += 1;
                    }
                }
                let mut exponent = 0i64;
                if bytes.next_if(|byte| matches!(byte, b'e' | b'E')).is_some() {
                    let minus = bytes.next_if(|byte| matches!(byte, b'+' | b'-')) == Some(b'-');
                    while let Some(digit) = bytes.next_if(u8::is_ascii_digit) {
                        exponent = exponent.saturating_mul(10).saturating_add(i64::from(digit - b'0'));
                    }
                    exponent = if minus { -exponent } else { exponent };
                }
                let signed = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
                let before = signed(integer).saturating_add(exponent);
                let behind = signed(fraction).saturating_sub(exponent);
                if before > signed(MOST_INTEGER_DIGITS) || behind > signed(MOST_FRACTION_DIGITS) {
                    return Err(refuse(
                        "the JSON holds a number with more digits than `jsonb` keeps: 131072 before and 16383 behind the point",
                    )
                    .hint("Map the column to `json`, which keeps the text as it is")
                    .rule(JSON_RULE));
                }
            }
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_numbers_outside_of_strings_are_measured() {
        assert!(numbers(r#"{"1e999999": "1e999999", "a\"1e999999": [1, -2.5e-3]}"#).is_ok());
        assert!(numbers("1e131071").is_ok());
        assert!(numbers("1e131072").is_err());
        assert!(numbers("1e-16383").is_ok());
        assert!(numbers("1e-16384").is_err());
        assert!(numbers("[0.5, 1E+99999999999999999999]").is_err());
    }
}
