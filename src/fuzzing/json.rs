//! The canonical form of JSON.

use crate::model::json::{JsonFault, canonical};

/// Documents to begin with.
pub(super) const DOCUMENTS: &[&[u8]] = &[
    br#"{"a": [1, -2.50e+3, null, true, false], "b": {"": "\u00e9\ud83d\ude00\"\\\/\b\f\n\r\t"}}"#,
    b"  [[[[0.0]]], -0, 1E400, 123456789012345678901234567890.5] ",
    br#"{"a":1,"\u0061":2}"#,
    br#""\ud800""#,
    br#"["\u0000"]"#,
    &[b'['; 600],
];

/// The canonical form of any text is an error, or JSON that is its own canonical form; and what another reader says is JSON is JSON.
///
/// # Panics
/// Where that is not so.
pub fn json(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let ours = canonical(text);
    if let Ok(form) = &ours {
        assert_eq!(canonical(form).as_ref(), Ok(form), "the canonical form of {text:?} has another one");
    }
    // A depth that serde_json ends at as well, a key twice, and half of a pair are told apart by ours alone.
    let theirs: Result<serde_json::Value, _> = serde_json::from_str(text);
    match (&ours, &theirs) {
        (Err(JsonFault::Syntax(_)), Ok(_)) => panic!("{text:?} is JSON, and ours calls it none"),
        (Ok(_), Err(error)) => {
            assert!(error.to_string().contains("recursion limit"), "{text:?} is no JSON, and ours calls it some: {error}");
        }
        _ => {}
    }
}
