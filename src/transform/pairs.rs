//! Which logical types become which: the one table of all casts.
//!
//! | From | To | Each value |
//! |---|---|---|
//! | anything | the same, or the same with more room | unchanged, at no cost |
//! | integers | integers, Decimal, Numeric | in range |
//! | Decimal | Decimal, integers, Numeric | without a digit lost, in range |
//! | Numeric | Decimal, integers | likewise |
//! | integers, Bool | Bool, integers | 0 and 1 only |
//! | integers, Decimal, Numeric | Text | its digits: as many behind the point as the scale says |
//! | integers, Decimal | Float64 | only what a 64-bit float holds exactly |
//! | Float32, Float64 | Float64, Float32 | only if every bit survives |
//! | Time, Timestamp, Duration | the same with fewer digits of fraction | if the digits dropped are 0 |
//! | Duration, Time | Time, Duration | from 00:00 to before 24:00 |
//! | Date | Timestamp without zone | midnight |
//! | Date, Time, Timestamp without zone, Duration | Text | ISO: `YYYY-MM-DD HH:MM:SS[.f]`, `[-]HH:MM:SS[.f]` |
//! | Text | integers, Decimal, Numeric, Date, Time, Timestamp without zone, Uuid | only the very text that the way back gives |
//! | Text, Json, Enum | Text, Json, Enum | length in characters; valid JSON; one of the labels |
//! | Set | Text | labels with commas between |
//! | Uuid, Binary | Binary, Uuid | 16 bytes |
//! | Text, Geometry, Bits, Binary | Binary | UTF-8, EWKB, the bits from the highest; length in bytes |
//! | Text, Json | Vector, arrays of Float32 and Float64 | a JSON array of as many numbers, each a float's own text (see [`vectors`]) |
//! | Binary | Vector, arrays of Float32 | packed 32-bit floats, little endian |
//! | Vector | arrays of Float32; Text, Json | unchanged; finite, by the shortest text |
//! | Bits | integers; Bool if it is one bit | the bits as an unsigned number, in range |
//!
//! All other pairs are refused before a row moves.

use arrow::array::ArrayRef;

use super::{bytes, floats, numbers, temporal, text, vectors};
use crate::model::LogicalType;
use crate::model::logical::Zone;

/// Whether values of one type can become values of another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Castability {
    /// Always, unchanged and at no cost.
    Identity,
    /// Each value is cast exactly, or refused.
    Checked,
    /// Never, and why.
    Never(String),
}

/// A value that cannot be cast exactly.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Its row in the batch.
    pub row: usize,
    /// Why, in one sentence.
    pub why: String,
}

/// Casts an array of the first type to the second.
pub type Kernel = fn(&ArrayRef, &LogicalType, &LogicalType) -> Result<ArrayRef, Refusal>;

/// How one type becomes another.
#[derive(Clone, Copy)]
pub enum Cast {
    /// The array stays as it is.
    Identity,
    /// Value by value.
    Checked(Kernel),
}

/// Whether values of `from` can become values of `to`.
pub fn can_cast(from: &LogicalType, to: &LogicalType) -> Castability {
    match find(from, to) {
        Ok(Cast::Identity) => Castability::Identity,
        Ok(Cast::Checked(_)) => Castability::Checked,
        Err(reason) => Castability::Never(reason),
    }
}

/// The cast from `from` to `to`.
///
/// # Errors
/// Why there is none.
pub fn find(from: &LogicalType, to: &LogicalType) -> Result<Cast, String> {
    use Cast::{Checked, Identity};
    use LogicalType as L;
    if from == to {
        return Ok(Identity);
    }
    let no = |why: &str| Err(why.to_string());
    let cast = match (from, to) {
        (L::Int8 | L::Int16 | L::Int32 | L::Int64 | L::UInt8 | L::UInt16 | L::UInt32 | L::UInt64 | L::Decimal { .. }, number)
            if numbers::is_number(number) =>
        {
            Checked(numbers::number_to_number(from, to).ok_or("there is no such cast")?)
        }
        (number, L::Numeric | L::Text { .. }) if numbers::is_number(number) => {
            Checked(numbers::number_to_text(from).ok_or("there is no such cast")?)
        }
        (L::Numeric | L::Text { .. }, number) if numbers::is_number(number) => {
            Checked(numbers::text_to_number(to).ok_or("there is no such cast")?)
        }
        (L::Text { .. }, L::Numeric) => Checked(numbers::text_to_numeric),
        (L::Numeric, L::Text { length: None }) => Identity,
        (L::Numeric, L::Text { .. }) => Checked(text::fits),
        (integer, L::Bool) if integer.is_integer() => Checked(numbers::integer_to_bool(from).ok_or("there is no such cast")?),
        (L::Bool, integer) if integer.is_integer() => Checked(numbers::bool_to_integer(to).ok_or("there is no such cast")?),
        (number, L::Float64) if numbers::is_number(number) => {
            Checked(floats::number_to_float(from).ok_or("there is no such cast")?)
        }
        (L::Float32, L::Float64) => Checked(floats::widen),
        (L::Float64, L::Float32) => Checked(floats::narrow),
        (L::Float32 | L::Float64, _) => return no("a binary fraction has no exact form there"),

        (L::Time { fsp: digits }, L::Time { fsp })
        | (L::Duration { fsp: digits }, L::Duration { fsp })
        | (L::Timestamp { fsp: digits, zone: Zone::None }, L::Timestamp { fsp, zone: Zone::None })
        | (L::Timestamp { fsp: digits, zone: Zone::Utc }, L::Timestamp { fsp, zone: Zone::Utc }) => {
            if fsp >= digits {
                Identity
            } else {
                Checked(temporal::fewer_digits)
            }
        }
        (L::Timestamp { zone: Zone::None, .. } | L::Date, L::Timestamp { zone: Zone::Utc, .. }) => {
            return no("a wall-clock reading becomes an instant only with a declared time zone");
        }
        (L::Timestamp { zone: Zone::Utc, .. }, L::Timestamp { zone: Zone::None, .. }) => {
            return no("an instant becomes a wall-clock reading only with a declared time zone");
        }
        (L::Duration { .. }, L::Time { .. }) => Checked(temporal::duration_to_time),
        (L::Time { .. }, L::Duration { .. }) => Checked(temporal::time_to_duration),
        (L::Date, L::Timestamp { zone: Zone::None, .. }) => Checked(temporal::date_to_timestamp),
        (L::Date, L::Text { .. }) => Checked(temporal::date_to_text),
        (L::Time { .. } | L::Duration { .. }, L::Text { .. }) => Checked(temporal::clock_to_text),
        (L::Timestamp { zone: Zone::None, .. }, L::Text { .. }) => Checked(temporal::timestamp_to_text),
        (L::Text { .. }, L::Date) => Checked(temporal::text_to_date),
        (L::Text { .. }, L::Time { .. }) => Checked(temporal::text_to_time),
        (L::Text { .. }, L::Timestamp { zone: Zone::None, .. }) => Checked(temporal::text_to_timestamp),

        (L::Text { length: Some(has) }, L::Text { length: Some(room) }) if has <= room => Identity,
        (L::Text { .. } | L::Json, L::Text { length: None }) => Identity,
        (L::Text { .. } | L::Json, L::Text { .. }) => Checked(text::fits),
        (L::Enum { labels }, L::Text { length }) => {
            let room = length.map_or(usize::MAX, |length| usize::try_from(length).unwrap_or(usize::MAX));
            if labels.iter().all(|label| label.chars().count() <= room) { Identity } else { Checked(text::fits) }
        }
        (L::Enum { labels: has }, L::Enum { labels }) if has.iter().all(|label| labels.contains(label)) => Identity,
        (L::Text { .. } | L::Enum { .. }, L::Enum { .. }) => Checked(text::to_label),
        (L::Text { .. }, L::Json) => Checked(text::to_json),
        (L::Set { labels: has }, L::Set { labels })
            if has.iter().all(|label| labels.contains(label)) && in_order(has, labels) =>
        {
            Identity
        }
        (L::Set { labels }, L::Text { .. }) => {
            if labels.iter().any(|label| label.is_empty() || label.contains(',')) {
                return no("a label is empty or has a comma, so the joined text would not tell which labels were set");
            }
            Checked(text::join)
        }
        (L::Text { .. }, L::Uuid) => Checked(text::to_uuid),
        (L::Uuid, L::Text { .. }) => Checked(text::of_uuid),

        (L::Text { .. } | L::Json, L::Vector { .. }) => Checked(vectors::json_to_vector),
        (L::Text { .. } | L::Json, L::Array { item }) if **item == L::Float32 => Checked(vectors::json_to_floats32),
        (L::Text { .. } | L::Json, L::Array { item }) if **item == L::Float64 => Checked(vectors::json_to_floats64),
        (L::Binary { length }, L::Vector { dimensions }) => {
            if length.is_some_and(|length| u64::from(length) < 4 * u64::from(*dimensions)) {
                return no("a vector takes 4 bytes for each dimension");
            }
            Checked(vectors::bytes_to_vector)
        }
        (L::Binary { .. }, L::Array { item }) if **item == L::Float32 => Checked(vectors::bytes_to_floats),
        (L::Vector { .. }, L::Array { item }) if **item == L::Float32 => Checked(vectors::to_floats),
        (L::Vector { .. }, L::Text { .. } | L::Json) => Checked(vectors::to_text),
        (L::Vector { .. }, L::Vector { .. }) => return no("vectors of another number of dimensions are others"),

        (L::Text { .. }, L::Binary { .. }) => Checked(bytes::of_text),
        (L::Binary { .. }, L::Text { .. }) => return no("bytes have no character set, so they are no text"),
        (L::Binary { length: Some(has) }, L::Binary { length: Some(room) }) if has <= room => Identity,
        (L::Binary { .. } | L::Geometry { .. } | L::Bits { .. }, L::Binary { length: None }) => Identity,
        (L::Binary { .. } | L::Geometry { .. } | L::Bits { .. }, L::Binary { .. }) => Checked(bytes::fits),
        (L::Binary { .. }, L::Uuid) => Checked(bytes::to_uuid),
        (L::Uuid, L::Binary { length }) => {
            if length.is_some_and(|length| length < 16) {
                return no("a UUID has 16 bytes");
            }
            Checked(bytes::of_uuid)
        }
        (L::Geometry { srid: has, shape: is }, L::Geometry { srid, shape })
            if (srid.is_none() || srid == has) && (shape.is_none() || shape == is) =>
        {
            Identity
        }
        (L::Bits { length: 1 }, L::Bool) => Checked(bytes::bit_to_bool),
        (L::Bits { length }, integer) if integer.is_integer() => {
            if *length > 64 {
                return no("more than 64 bits have no place in an integer");
            }
            Checked(bytes::bits_to_integer(to).ok_or("there is no such cast")?)
        }
        _ => return no("there is no exact cast between the two"),
    };
    Ok(cast)
}

/// The labels of `has` stand in the same order in `labels`: a set's values are in that order.
fn in_order(has: &[String], labels: &[String]) -> bool {
    let mut rest = labels.iter();
    has.iter().all(|label| rest.any(|other| other == label))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_room_costs_nothing_and_the_impossible_is_refused_at_once() {
        use LogicalType as L;
        let text = |length| L::Text { length };
        let enumeration = |labels: &[&str]| L::Enum { labels: labels.iter().map(|label| (*label).to_string()).collect() };
        let timestamp = |fsp, zone| L::Timestamp { fsp, zone };
        for (from, to) in [
            (text(Some(5)), text(Some(9))),
            (text(Some(5)), text(None)),
            (L::Json, text(None)),
            (enumeration(&["a", "bb"]), text(Some(2))),
            (enumeration(&["a"]), enumeration(&["b", "a"])),
            (timestamp(3, Zone::Utc), timestamp(6, Zone::Utc)),
            (L::Binary { length: Some(4) }, L::Binary { length: None }),
            (L::Geometry { srid: Some(4326), shape: None }, L::Geometry { srid: None, shape: None }),
            (L::Interval, L::Interval),
        ] {
            assert_eq!(can_cast(&from, &to), Castability::Identity, "{from} to {to}");
        }
        for (from, to) in [
            (timestamp(6, Zone::None), timestamp(6, Zone::Utc)),
            (timestamp(6, Zone::Utc), timestamp(6, Zone::None)),
            (L::Date, timestamp(6, Zone::Utc)),
            (L::Binary { length: None }, text(None)),
            (L::Float64, L::Int32),
            (L::Bits { length: 65 }, L::UInt64),
            (L::Bits { length: 2 }, L::Bool),
            (L::Set { labels: vec![String::new()] }, text(None)),
            (L::Uuid, L::Binary { length: Some(15) }),
            (L::Interval, text(None)),
            (L::Json, L::Int8),
        ] {
            assert!(matches!(can_cast(&from, &to), Castability::Never(_)), "{from} to {to}");
        }
    }
}
