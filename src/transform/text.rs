//! Text, JSON, labels and UUIDs.

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, FixedSizeBinaryBuilder, StringArray, StringBuilder};

use super::pairs::Refusal;
use crate::model::{LogicalType, json};

/// Most characters of a value in a message.
const SHOWN_CHARS: usize = 40;

/// A value for a message, cut with `…`.
pub(super) fn shorten(text: &str) -> String {
    let mut cut: String = text.chars().take(SHOWN_CHARS).collect();
    if cut.len() < text.len() {
        cut.push('…');
    }
    cut
}

/// Most characters (text) or bytes (binary) that a type holds.
pub(super) fn room(to: &LogicalType) -> usize {
    match to {
        LogicalType::Text { length: Some(length) } | LogicalType::Binary { length: Some(length) } => {
            usize::try_from(*length).unwrap_or(usize::MAX)
        }
        _ => usize::MAX,
    }
}

pub(super) fn too_long(row: usize, text: &str, to: &LogicalType) -> Refusal {
    Refusal { row, why: format!("`{}` has {} characters, too many for {to}", shorten(text), text.chars().count()) }
}

/// Checks every text; the array stays as it is.
fn check(array: &ArrayRef, fault: impl Fn(usize, &str) -> Option<Refusal>) -> Result<ArrayRef, Refusal> {
    for (row, text) in array.as_string::<i32>().iter().enumerate() {
        if let Some(refusal) = text.and_then(|text| fault(row, text)) {
            return Err(refusal);
        }
    }
    Ok(array.clone())
}

/// Text that is short enough, counted in characters.
pub fn fits(array: &ArrayRef, _from: &LogicalType, to: &LogicalType) -> Result<ArrayRef, Refusal> {
    let room = room(to);
    // No text has more characters than bytes.
    check(array, |row, text| (text.len() > room && text.chars().count() > room).then(|| too_long(row, text, to)))
}

/// Text that is JSON.
pub fn to_json(array: &ArrayRef, _from: &LogicalType, _to: &LogicalType) -> Result<ArrayRef, Refusal> {
    check(array, |row, text| {
        let why = match json::canonical(text).err()? {
            json::JsonFault::Syntax(at) => format!("`{}` is no JSON: wrong at byte {at}", shorten(text)),
            json::JsonFault::DuplicateKey(key) => {
                format!("the JSON document names the key `{}` twice in one object", shorten(&key))
            }
            json::JsonFault::NulCharacter => "the JSON document holds the character U+0000".into(),
            json::JsonFault::LoneSurrogate => "the JSON document holds half of a surrogate pair".into(),
            json::JsonFault::TooDeep => format!("the JSON document is nested deeper than {}", json::MAX_DEPTH),
        };
        Some(Refusal { row, why })
    })
}

/// JSON without U+0000, and the rows that had it.
pub fn without_nul(array: &ArrayRef) -> (ArrayRef, Vec<usize>) {
    let texts = array.as_string::<i32>();
    let found = |text: Option<&str>| text.and_then(json::without_nul);
    let rows: Vec<usize> =
        (0..texts.len()).filter(|row| texts.is_valid(*row) && found(Some(texts.value(*row))).is_some()).collect();
    if rows.is_empty() {
        return (array.clone(), rows);
    }
    let stripped: StringArray =
        texts.iter().map(|text| found(text).map_or_else(|| text.map(Cow::Borrowed), |text| Some(Cow::Owned(text)))).collect();
    (Arc::new(stripped), rows)
}

/// Text that is one of the labels.
pub fn to_label(array: &ArrayRef, _from: &LogicalType, to: &LogicalType) -> Result<ArrayRef, Refusal> {
    let LogicalType::Enum { labels } = to else { return check(array, |_, _| None) };
    let known: HashSet<&str> = labels.iter().map(String::as_str).collect();
    check(array, |row, text| {
        (!known.contains(text))
            .then(|| Refusal { row, why: format!("`{}` is none of the {} labels", shorten(text), labels.len()) })
    })
}

/// Labels with commas between; that no label has a comma is known.
pub fn join(array: &ArrayRef, _from: &LogicalType, to: &LogicalType) -> Result<ArrayRef, Refusal> {
    let (sets, room) = (array.as_list::<i32>(), room(to));
    let mut texts = StringBuilder::new();
    for row in 0..sets.len() {
        if sets.is_null(row) {
            texts.append_null();
            continue;
        }
        let labels = sets.value(row);
        let joined = labels.as_string::<i32>().iter().flatten().collect::<Vec<_>>().join(",");
        if joined.chars().count() > room {
            return Err(too_long(row, &joined, to));
        }
        texts.append_value(joined);
    }
    Ok(Arc::new(texts.finish()))
}

/// Text as UUIDs: 36 characters in lower case, since a UUID is printed so again.
pub fn to_uuid(array: &ArrayRef, _from: &LogicalType, _to: &LogicalType) -> Result<ArrayRef, Refusal> {
    let texts = array.as_string::<i32>();
    let mut uuids = FixedSizeBinaryBuilder::with_capacity(texts.len(), 16);
    for (row, text) in texts.iter().enumerate() {
        let Some(text) = text else {
            uuids.append_null();
            continue;
        };
        let uuid = uuid::Uuid::try_parse(text).ok().filter(|uuid| uuid.hyphenated().to_string() == text);
        let appended = uuid.and_then(|uuid| uuids.append_value(uuid.as_bytes()).ok());
        appended.ok_or_else(|| Refusal { row, why: format!("`{}` is not the canonical spelling of a UUID", shorten(text)) })?;
    }
    Ok(Arc::new(uuids.finish()))
}

/// UUIDs as text.
pub fn of_uuid(array: &ArrayRef, _from: &LogicalType, to: &LogicalType) -> Result<ArrayRef, Refusal> {
    let (uuids, room) = (array.as_fixed_size_binary(), room(to));
    let mut texts = StringBuilder::with_capacity(uuids.len(), uuids.len() * 36);
    for (row, bytes) in uuids.iter().enumerate() {
        let text = bytes.and_then(|bytes| uuid::Uuid::from_slice(bytes).ok()).map(|uuid| uuid.hyphenated().to_string());
        match text {
            Some(text) if text.len() > room => return Err(too_long(row, &text, to)),
            text => texts.append_option(text),
        }
    }
    Ok(Arc::new(texts.finish()))
}
