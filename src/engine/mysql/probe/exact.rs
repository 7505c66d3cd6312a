//! What a question about values means to the server, exactly. `signs` has what is cheaper to look at first.

use crate::engine::mysql::select::{TextForm, quote, text_form};
use crate::error::{Error, Result};
use crate::model::catalog::Table;
use crate::model::probe::Question;

/// Characters in which the signs of text that was encoded twice are looked for.
pub(super) const LOOKED_AT: u32 = 1000;

/// The condition that no row meets.
pub(super) const NEVER: &str = "FALSE";

/// A question about values as a condition of the server's.
///
/// # Errors
/// `Internal` for a question about a foreign key.
pub(super) fn exact(table: &Table, question: &Question) -> Result<String> {
    use Question as Q;
    let native = |column: &str| table.column(column).map(|column| column.native.clone()).unwrap_or_default();
    Ok(match question {
        Q::ZeroDate { column } => zero_date(&quote(column)),
        Q::InvalidDate { column } => invalid_date(&quote(column)),
        Q::NotZeroOrOne { column } => format!("{} NOT IN (0, 1)", quote(column)),
        Q::NotTimeOfDay { column } => {
            let name = quote(column);
            format!("({name} < CAST('00:00:00' AS TIME) OR {name} >= CAST('24:00:00' AS TIME))")
        }
        Q::OutOfRange { column, min, max } => {
            let name = quote(column);
            format!("({name} < {min} OR {name} > {max})")
        }
        // Index 0; a label '' has an index of its own.
        Q::NoLabel { column } => format!("{} + 0 = 0", quote(column)),
        // As bytes: to some collations a NUL is nothing, and found everywhere.
        Q::NulCharacter { column } => {
            format!("LOCATE(CAST(CHAR(0) AS BINARY), CAST(CONVERT({} USING utf8mb4) AS BINARY)) > 0", quote(column))
        }
        // Behind an even number of backslashes, each pair of which is one. The cheap condition comes first.
        Q::NulEscape { column } => {
            let text = format!("CONVERT({} USING utf8mb4)", quote(column));
            format!("(LOCATE('\\\\u0000', {text}) > 0 AND {text} REGEXP '(^|[^\\\\\\\\])(\\\\\\\\\\\\\\\\)*\\\\\\\\u0000')")
        }
        Q::EndSpaces { column } => {
            // PAD SPACE: all collations but MySQL's newest and MariaDB's `_nopad_` ones.
            let native = native(column);
            let collation = native.collation.as_deref().filter(|_| native.labels.is_empty());
            let pads = |name: &str| name != "binary" && !name.contains("_0900_") && !name.contains("_nopad_");
            if collation.is_some_and(pads) {
                let name = quote(column);
                format!("CHAR_LENGTH(TRIM(TRAILING ' ' FROM {name})) < CHAR_LENGTH({name})")
            } else {
                NEVER.into()
            }
        }
        Q::InvalidText { column } => {
            let (name, native) = (quote(column), native(column));
            match text_form(&native) {
                TextForm::Checked => {
                    let charset = quote(native.charset.as_deref().unwrap_or("utf8mb4"));
                    let lossy = format!(
                        "CAST(CONVERT(CONVERT({name} USING utf8mb4) USING {charset}) AS BINARY) <> CAST({name} AS BINARY)"
                    );
                    // Half of a surrogate pair is a character to UCS-2, comes back as it was, and is none in UTF-8.
                    match native.charset.as_deref() {
                        Some("ucs2") => format!("({lossy} OR HEX(CONVERT({name} USING utf8mb4)) REGEXP '^(..)*ED[AB]')"),
                        _ => lossy,
                    }
                }
                // MariaDB stores any byte in an `ascii` column.
                TextForm::Bytes if native.charset.as_deref() == Some("ascii") => {
                    format!("HEX({name}) REGEXP '^(..)*[89A-F]'")
                }
                TextForm::Bytes | TextForm::Converted => NEVER.into(),
            }
        }
        Q::EncodedTwice { column } => encoded_twice(&quote(column), native(column).charset.as_deref() == Some("latin1")),
        Q::LongerThan { columns, bytes } => {
            let lengths: Vec<String> = columns.iter().map(|column| format!("COALESCE(LENGTH({}), 0)", quote(column))).collect();
            format!("{} > {bytes}", lengths.join(" + "))
        }
        Q::LongEntry { parts, bytes, .. } => format!("{} > {bytes}", entry_length(table, parts)),
        Q::Orphan { .. } | Q::OtherSpelling { .. } => return Err(Error::internal("a join is no condition")),
    })
}

/// The bytes of an index entry's text and bytes, text as UTF-8.
pub(super) fn entry_length(table: &Table, parts: &[(String, Option<u32>)]) -> String {
    let lengths = parts.iter().map(|(name, start)| {
        let is_text = table.column(name).is_some_and(|column| column.native.charset.is_some());
        let whole = quote(name);
        let value = start.map_or(whole.clone(), |start| format!("LEFT({whole}, {start})"));
        let value = if is_text { format!("CONVERT({value} USING utf8mb4)") } else { value };
        format!("COALESCE(LENGTH({value}), 0)")
    });
    lengths.collect::<Vec<_>>().join(" + ")
}

fn zero_date(name: &str) -> String {
    format!("(YEAR({name}) = 0 AND MONTH({name}) = 0 AND DAYOFMONTH({name}) = 0)")
}

/// The server keeps 31 February under ALLOW_INVALID_DATES, and a month or a day of zero without NO_ZERO_IN_DATE.
fn invalid_date(name: &str) -> String {
    let leap = format!("(YEAR({name}) % 4 = 0 AND (YEAR({name}) % 100 <> 0 OR YEAR({name}) % 400 = 0))");
    format!(
        "(NOT {} AND (YEAR({name}) = 0 OR MONTH({name}) = 0 OR DAYOFMONTH({name}) = 0 \
         OR (DAYOFMONTH({name}) > 30 AND MONTH({name}) IN (4, 6, 9, 11)) \
         OR (MONTH({name}) = 2 AND DAYOFMONTH({name}) > 28 + {leap})))",
        zero_date(name)
    )
}

/// A letter of U+00C2 or U+00C3 with one of U+0080 to U+00BF behind it: what a letter of Latin-1 in UTF-8 looks like to a reader of Latin-1.
/// Digits of the bytes, since collations fold letters. The cheap condition comes first.
fn encoded_twice(name: &str, latin1: bool) -> String {
    let start = format!("LEFT({name}, {LOOKED_AT})");
    if latin1 {
        return format!("(LOCATE(0xC3, CAST({name} AS BINARY)) > 0 AND HEX({start}) REGEXP '^(..)*C[23][89AB]')");
    }
    let utf8 = format!("CONVERT({start} USING utf8mb4)");
    format!("(LENGTH({utf8}) <> CHAR_LENGTH({start}) AND HEX({utf8}) REGEXP '^(..)*C38[23]C2[89AB]')")
}

/// False for questions that no value of the column's type can be an answer to, whatever the server was told to let in. They are not asked.
pub(super) fn possible(table: &Table, question: &Question) -> bool {
    use Question as Q;
    let native = |column: &str| table.column(column).map(|column| &column.native);
    match question {
        // Kept as seconds since 1970, or as zero.
        Q::InvalidDate { column } => native(column).is_none_or(|native| native.name != "timestamp"),
        // Takes two characters.
        Q::EncodedTwice { column } => {
            native(column).is_none_or(|native| !matches!(native.name.as_str(), "char" | "varchar") || native.length != Some(1))
        }
        // The server's own types, whose text has no NUL in it; JSON writes an escape.
        Q::NulCharacter { column } => native(column).is_none_or(|native| {
            native.charset.is_some() || !matches!(native.name.as_str(), "json" | "uuid" | "inet4" | "inet6")
        }),
        // The server takes the spaces away, unless PAD_CHAR_TO_FULL_LENGTH is set.
        Q::EndSpaces { column } => native(column).is_none_or(|native| native.name != "char"),
        _ => true,
    }
}
