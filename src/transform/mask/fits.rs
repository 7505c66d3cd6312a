//! Which mask fits which type, how much room it needs, and which keep a unique key unique: all known before a row moves.

use crate::config::masking::MaskKind;
use crate::model::LogicalType;

/// Fewest characters of a text under a unique key: 64 bits of the code, so that two of a thousand million values hardly ever meet.
const UNIQUE_DIGITS: u32 = 16;
/// Fewest digits of the code in a made-up address.
const EMAIL_DIGITS: u32 = 8;
/// Where made-up addresses are: a domain that is kept for examples (RFC 2606).
pub const EMAIL_DOMAIN: &str = "@example.com";
/// Characters of [`EMAIL_DOMAIN`].
pub(super) const EMAIL_DOMAIN_CHARS: u32 = 12;
/// What stands for a text that was taken out.
pub const REDACTED: &str = "REDACTED";

/// What a mask works on, so far as it must be the same in two columns for the same value to become the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// Whole numbers of this range: of decimals, without their point.
    Number {
        /// Smallest.
        low: i128,
        /// Largest.
        high: i128,
        /// Digits behind the point.
        scale: u8,
    },
    /// Text, by characters.
    Text,
    /// Bytes.
    Binary,
    /// UUIDs.
    Uuid,
    /// Days, or instants.
    Day,
    /// Anything else.
    Other,
}

/// The shape of a column that is read as `from` and written as `to`. A number keeps to the range of both.
pub fn shape(from: &LogicalType, to: &LogicalType) -> Shape {
    use LogicalType as L;
    match to {
        L::Text { .. } => Shape::Text,
        L::Binary { .. } => Shape::Binary,
        L::Uuid => Shape::Uuid,
        L::Date | L::Timestamp { .. } => Shape::Day,
        _ => match (range(from), range(to)) {
            (Some((from_low, from_high, 0)), Some((low, high, 0))) => {
                Shape::Number { low: low.max(from_low), high: high.min(from_high), scale: 0 }
            }
            (_, Some((low, high, scale))) => Shape::Number { low, high, scale },
            (_, None) => Shape::Other,
        },
    }
}

/// Smallest and largest value, and the digits behind the point, of the types whose values are 128-bit whole numbers.
fn range(logical: &LogicalType) -> Option<(i128, i128, u8)> {
    use LogicalType as L;
    let (low, high) = match logical {
        L::Int8 => (i128::from(i8::MIN), i128::from(i8::MAX)),
        L::Int16 => (i128::from(i16::MIN), i128::from(i16::MAX)),
        L::Int32 => (i128::from(i32::MIN), i128::from(i32::MAX)),
        L::Int64 => (i128::from(i64::MIN), i128::from(i64::MAX)),
        L::UInt8 => (0, i128::from(u8::MAX)),
        L::UInt16 => (0, i128::from(u16::MAX)),
        L::UInt32 => (0, i128::from(u32::MAX)),
        L::UInt64 => (0, i128::from(u64::MAX)),
        L::Decimal { precision, scale } if *precision <= 38 => {
            let high = 10i128.checked_pow(u32::from(*precision))? - 1;
            return Some((-high, high, *scale));
        }
        _ => return None,
    };
    Some((low, high, 0))
}

/// Characters of text, or bytes, that both ends have room for; `None` without a limit.
pub fn room(from: &LogicalType, to: &LogicalType) -> Option<u32> {
    let own = |logical: &LogicalType| match logical {
        LogicalType::Text { length } | LogicalType::Binary { length } => *length,
        _ => None,
    };
    own(from).into_iter().chain(own(to)).min()
}

/// Whether a column can be masked so. `labels` are those that the target keeps the column to, if any.
///
/// # Errors
/// Why not, with what can be done instead.
pub fn fits(kind: MaskKind, from: &LogicalType, to: &LogicalType, room: Option<u32>, labels: &[String]) -> Result<(), String> {
    use LogicalType as L;
    let shape = shape(from, to);
    let word = kind.word();
    let never = |instead: &str| Err(format!("`{word}` has no meaning for {to}; {instead}"));
    let labelled = !labels.is_empty() || matches!(to, L::Enum { .. });
    match kind {
        MaskKind::Null => Ok(()),
        MaskKind::Redact => match to {
            L::Geometry { .. } | L::Vector { .. } => never("use `null`"),
            L::Set { .. } | L::Array { .. } => Ok(()),
            L::Enum { labels } if fixed_label(labels).is_none() => {
                Err(format!("`redact` writes `{REDACTED}`, or an empty text, and the column has no such label; use `null`"))
            }
            _ if labelled && !matches!(to, L::Enum { .. }) && fixed_label(labels).is_none() => {
                Err(format!("`redact` writes `{REDACTED}`, or an empty text, and the column has no such label; use `null`"))
            }
            _ => Ok(()),
        },
        _ if labelled => Err(format!("`{word}` writes values that are none of the column's labels; use `null`")),
        MaskKind::Hash => match shape {
            Shape::Number { .. } | Shape::Text | Shape::Binary | Shape::Uuid => Ok(()),
            Shape::Day => never("use `shift_date`"),
            Shape::Other => never("use `redact` or `null`"),
        },
        MaskKind::FakeEmail if shape != Shape::Text => never("use it for text"),
        MaskKind::FakeEmail => {
            let least = EMAIL_DOMAIN_CHARS + EMAIL_DIGITS;
            match room.filter(|room| *room < least) {
                Some(room) => {
                    Err(format!("a made-up address has at least {least} characters, and the column has room for {room}"))
                }
                None => Ok(()),
            }
        }
        MaskKind::Partial if shape != Shape::Text => never("use `hash` or `redact`"),
        MaskKind::Partial => Ok(()),
        MaskKind::ShiftDate if shape != Shape::Day => never("use it for dates and timestamps"),
        MaskKind::ShiftDate => Ok(()),
    }
}

/// Whether different values stay different, so that a unique key holds.
///
/// # Errors
/// Why that is not sure.
pub fn keeps_unique(kind: MaskKind, from: &LogicalType, to: &LogicalType, room: Option<u32>) -> Result<(), String> {
    let shape = shape(from, to);
    let short = |least: u32, what: &str| match room.filter(|room| *room < least) {
        Some(room) => Err(format!("it needs {least} {what} to keep values apart, and has room for {room}")),
        None => Ok(()),
    };
    match (kind, shape) {
        (MaskKind::Hash, Shape::Text) => short(UNIQUE_DIGITS, "characters"),
        (MaskKind::Hash, Shape::Binary) => short(UNIQUE_DIGITS / 2, "bytes"),
        (MaskKind::FakeEmail, _) => short(UNIQUE_DIGITS + EMAIL_DOMAIN_CHARS, "characters"),
        // Any number of NULLs stand under a unique key; a primary key is NOT NULL and refused for that.
        (MaskKind::Hash | MaskKind::ShiftDate | MaskKind::Null, _) => Ok(()),
        (MaskKind::Redact | MaskKind::Partial, _) => Err(format!("`{}` makes different values the same", kind.word())),
    }
}

/// Of `labels`, the one that `redact` writes.
pub(super) fn fixed_label(labels: &[String]) -> Option<&str> {
    [REDACTED, ""].into_iter().find(|label| labels.iter().any(|known| known == label))
}
