//! Value policies of text, the same for every source: bytes that are no characters, U+0000, and text in two codings.

use std::borrow::Cow;

use crate::error::{Error, ErrorKind, Result};
use crate::model::ValuePolicies;
use crate::model::loss::LossKind;
use crate::model::policy::NulByte;

/// What becomes of a column's text.
#[derive(Debug, Clone, Default)]
pub struct TextPolicy {
    nul: Option<NulByte>,
    replace_invalid: bool,
    decode_utf8: bool,
}

impl TextPolicy {
    /// The policy among a column's; none where text is carried as it is.
    pub fn of(policies: &ValuePolicies) -> Option<Self> {
        let policy = TextPolicy {
            nul: policies.nul_byte.clone(),
            replace_invalid: policies.replace_invalid,
            decode_utf8: policies.decode_utf8,
        };
        (policy.nul.is_some() || policy.replace_invalid || policy.decode_utf8).then_some(policy)
    }

    /// True if bytes that are no characters are replaced.
    pub fn replaces_invalid(&self) -> bool {
        self.replace_invalid
    }

    /// The text of `bytes`, which are meant to be UTF-8; tells `applied` what was done. `refuse` makes the error of bytes that are not.
    ///
    /// # Errors
    /// `Value`, without a place.
    pub fn apply<'b>(
        &self,
        bytes: &'b [u8],
        refuse: impl Fn(&[u8]) -> Error,
        applied: &mut Vec<LossKind>,
    ) -> Result<Cow<'b, str>> {
        let mut text = self.utf8(Cow::Borrowed(bytes), &refuse, applied)?;
        if self.decode_utf8 && !text.is_ascii() {
            let stored = latin1_bytes(&text).ok_or_else(|| {
                let what = "the text has characters that latin1 has not, so it is not UTF-8 that was stored as latin1";
                Error::new(ErrorKind::Value, what)
                    .hint("Take out `decode = \"utf8\"` for the column, or correct the value in the source")
            })?;
            text = self.utf8(Cow::Owned(stored), &|bytes| not_doubly_encoded(bytes), applied)?;
            applied.push(LossKind::Decoded);
        }
        let Some(nul) = self.nul.as_ref().filter(|_| text.as_bytes().contains(&0)) else { return Ok(text) };
        applied.push(LossKind::NulByte);
        let instead = match nul {
            NulByte::Strip => "",
            NulByte::Replace(instead) => instead,
        };
        Ok(Cow::Owned(text.replace('\0', instead)))
    }

    fn utf8<'b>(
        &self,
        bytes: Cow<'b, [u8]>,
        refuse: &dyn Fn(&[u8]) -> Error,
        applied: &mut Vec<LossKind>,
    ) -> Result<Cow<'b, str>> {
        let checked = match bytes {
            Cow::Borrowed(bytes) => std::str::from_utf8(bytes).map(Cow::Borrowed).map_err(|_| Cow::Borrowed(bytes)),
            Cow::Owned(bytes) => String::from_utf8(bytes).map(Cow::Owned).map_err(|error| Cow::Owned(error.into_bytes())),
        };
        match checked {
            Ok(text) => Ok(text),
            Err(bytes) if self.replace_invalid => {
                applied.push(LossKind::InvalidText);
                Ok(Cow::Owned(String::from_utf8_lossy(&bytes).into_owned()))
            }
            Err(bytes) => Err(refuse(&bytes)),
        }
    }
}

fn not_doubly_encoded(_: &[u8]) -> Error {
    Error::new(ErrorKind::Value, "the text is not UTF-8 that was stored as latin1: taken as bytes of latin1 it is no UTF-8")
        .hint("Take out `decode = \"utf8\"` for the column, or correct the value in the source")
}

/// The characters of MySQL's latin1 at 0x80 to 0x9F: cp1252, whose five holes are the control characters of that number.
const HIGH: [char; 32] = [
    '\u{20ac}', '\u{81}', '\u{201a}', '\u{192}', '\u{201e}', '\u{2026}', '\u{2020}', '\u{2021}', '\u{2c6}', '\u{2030}',
    '\u{160}', '\u{2039}', '\u{152}', '\u{8d}', '\u{17d}', '\u{8f}', '\u{90}', '\u{2018}', '\u{2019}', '\u{201c}', '\u{201d}',
    '\u{2022}', '\u{2013}', '\u{2014}', '\u{2dc}', '\u{2122}', '\u{161}', '\u{203a}', '\u{153}', '\u{9d}', '\u{17e}', '\u{178}',
];

/// The text in MySQL's latin1; none if it has other characters.
fn latin1_bytes(text: &str) -> Option<Vec<u8>> {
    text.chars()
        .map(|character| match u8::try_from(u32::from(character)) {
            Ok(byte) if !(0x80..0xa0).contains(&byte) => Some(byte),
            _ => {
                let place = HIGH.iter().position(|high| *high == character)?;
                u8::try_from(place).ok().map(|place| 0x80 + place)
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn apply(policy: &TextPolicy, bytes: &[u8]) -> (Option<String>, Vec<LossKind>) {
        let mut applied = Vec::new();
        let text = policy.apply(bytes, |_| Error::new(ErrorKind::Value, "no"), &mut applied);
        (text.ok().map(Cow::into_owned), applied)
    }

    #[test]
    fn doubly_encoded_text_loses_one_coding() {
        let policy = TextPolicy { decode_utf8: true, ..TextPolicy::default() };
        assert_eq!(apply(&policy, "cafÃ©".as_bytes()), (Some("café".into()), vec![LossKind::Decoded]));
        assert_eq!(apply(&policy, "â‚¬".as_bytes()), (Some("€".into()), vec![LossKind::Decoded]));
        assert_eq!(apply(&policy, b"plain"), (Some("plain".into()), vec![]));
        // A text that is right already does not decode, nor does one that latin1 cannot hold.
        assert_eq!(apply(&policy, "café".as_bytes()).0, None);
        assert_eq!(apply(&policy, "日本".as_bytes()).0, None);
    }

    #[test]
    fn every_byte_of_latin1_has_its_way_back() {
        let text: String = (0..=255u8)
            .map(|byte| if (0x80..0xa0).contains(&byte) { HIGH[usize::from(byte - 0x80)] } else { char::from(byte) })
            .collect();
        assert_eq!(latin1_bytes(&text).unwrap(), (0..=255u8).collect::<Vec<_>>());
    }

    #[test]
    fn nul_and_broken_bytes_follow_their_policies() {
        let policy = TextPolicy { nul: Some(NulByte::Strip), replace_invalid: true, decode_utf8: false };
        assert_eq!(apply(&policy, b"a\0b\xff"), (Some("ab\u{fffd}".into()), vec![LossKind::InvalidText, LossKind::NulByte]));
        let policy = TextPolicy { nul: Some(NulByte::Replace("?".into())), ..TextPolicy::default() };
        assert_eq!(apply(&policy, b"\0a\0"), (Some("?a?".into()), vec![LossKind::NulByte]));
        assert_eq!(apply(&policy, b"\xff").0, None);
    }
}
