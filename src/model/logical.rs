//! Logical types: the hub between engines. Each engine maps its own types to these, and these to its own.

use std::fmt;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, IntervalUnit, Schema, SchemaRef, TimeUnit};
use serde::{Deserialize, Serialize};

/// Whether a timestamp is an instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Zone {
    /// A wall-clock reading without a zone (MySQL DATETIME, PostgreSQL timestamp).
    None,
    /// An instant, kept in UTC (MySQL TIMESTAMP, PostgreSQL timestamptz).
    Utc,
}

/// A type as dbferry's core knows it.
///
/// | Logical | Arrow | Notes |
/// |---|---|---|
/// | Bool, Int8..64, UInt8..64, Float32/64 | the same | floats are compared by bits |
/// | Decimal(p, s) | Decimal128 to 38 digits, Decimal256 to 76 | |
/// | Numeric | Utf8 | a decimal number without bounds, or with more than 76 digits |
/// | Date | Date32 | `i32::MIN` and `i32::MAX` mean -infinity and infinity |
/// | Time(fsp) | Time64(µs) | 00:00:00 to 24:00:00 |
/// | Timestamp(fsp, zone) | Timestamp(µs), zone `UTC` for instants | `i64::MIN` and `i64::MAX` mean -infinity and infinity |
/// | Duration(fsp) | Duration(µs) | MySQL TIME: ±838:59:59.999999 |
/// | Interval | Interval(MonthDayNano) | PostgreSQL |
/// | Text(n) | Utf8 | length in characters |
/// | Binary(n) | Binary | length in bytes |
/// | Bits(n) | Binary | ceil(n/8) bytes, first bit in the highest bit of the first byte, unused low bits of the last byte 0 |
/// | Uuid | FixedSizeBinary(16) | network order |
/// | Json | Utf8 | the text as the source has it |
/// | Geometry | Binary | EWKB, little endian, x before y (longitude before latitude) |
/// | Enum(labels) | Utf8 | the label |
/// | Set(labels) | List\<Utf8\> | labels in the order of their declaration |
/// | Array(t), Vector(n) | List, FixedSizeList\<Float32\> | |
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum LogicalType {
    /// True or false.
    Bool,
    /// Signed, 8 bits.
    Int8,
    /// Signed, 16 bits.
    Int16,
    /// Signed, 32 bits.
    Int32,
    /// Signed, 64 bits.
    Int64,
    /// Unsigned, 8 bits.
    #[serde(rename = "uint8")]
    UInt8,
    /// Unsigned, 16 bits.
    #[serde(rename = "uint16")]
    UInt16,
    /// Unsigned, 32 bits.
    #[serde(rename = "uint32")]
    UInt32,
    /// Unsigned, 64 bits.
    #[serde(rename = "uint64")]
    UInt64,
    /// IEEE 754 binary32.
    Float32,
    /// IEEE 754 binary64.
    Float64,
    /// An exact number of `precision` digits, `scale` of them behind the point; at most 76.
    Decimal {
        /// Digits in all, 1 to 76.
        precision: u8,
        /// Digits behind the point, 0 to `precision`.
        scale: u8,
    },
    /// An exact number without bounds, as text.
    Numeric,
    /// A day of the Gregorian calendar.
    Date,
    /// A time of day.
    Time {
        /// Digits of the second's fraction, 0 to 6.
        fsp: u8,
    },
    /// A date with a time of day.
    Timestamp {
        /// Digits of the second's fraction, 0 to 6.
        fsp: u8,
        /// Instant or wall clock.
        zone: Zone,
    },
    /// A signed length of time.
    Duration {
        /// Digits of the second's fraction, 0 to 6.
        fsp: u8,
    },
    /// Months, days and microseconds.
    Interval,
    /// Text.
    Text {
        /// Most characters, or no limit.
        length: Option<u32>,
    },
    /// Bytes.
    Binary {
        /// Most bytes, or no limit.
        length: Option<u32>,
    },
    /// A string of exactly `length` bits.
    Bits {
        /// Number of bits.
        length: u32,
    },
    /// A UUID.
    Uuid,
    /// A JSON document. Equal means equal in meaning: white space, the order of keys and the spelling of numbers do not count.
    Json,
    /// A geometry.
    Geometry {
        /// The spatial reference system that the column demands, or any.
        srid: Option<u32>,
        /// The shape that the column demands, in capitals (`POINT`), or any.
        shape: Option<String>,
    },
    /// One of `labels`.
    Enum {
        /// In the order of their declaration, which is their sort order.
        labels: Vec<String>,
    },
    /// Any of `labels`.
    Set {
        /// In the order of their declaration.
        labels: Vec<String>,
    },
    /// A list of values of one type.
    Array {
        /// Type of the elements.
        item: Box<LogicalType>,
    },
    /// A vector of 32-bit floats.
    Vector {
        /// Number of dimensions.
        dimensions: u32,
    },
}

/// The key under which a field's logical type is kept in Arrow and Parquet metadata, as JSON.
pub const LOGICAL_KEY: &str = "dbferry.logical";

impl LogicalType {
    /// The Arrow type that holds it.
    pub fn arrow(&self) -> DataType {
        use LogicalType as L;
        match self {
            L::Bool => DataType::Boolean,
            L::Int8 => DataType::Int8,
            L::Int16 => DataType::Int16,
            L::Int32 => DataType::Int32,
            L::Int64 => DataType::Int64,
            L::UInt8 => DataType::UInt8,
            L::UInt16 => DataType::UInt16,
            L::UInt32 => DataType::UInt32,
            L::UInt64 => DataType::UInt64,
            L::Float32 => DataType::Float32,
            L::Float64 => DataType::Float64,
            L::Decimal { precision, scale } if *precision <= 38 => DataType::Decimal128(*precision, scale.cast_signed()),
            L::Decimal { precision, scale } => DataType::Decimal256(*precision, scale.cast_signed()),
            L::Numeric | L::Text { .. } | L::Json | L::Enum { .. } => DataType::Utf8,
            L::Date => DataType::Date32,
            L::Time { .. } => DataType::Time64(TimeUnit::Microsecond),
            L::Timestamp { zone: Zone::None, .. } => DataType::Timestamp(TimeUnit::Microsecond, None),
            L::Timestamp { zone: Zone::Utc, .. } => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            L::Duration { .. } => DataType::Duration(TimeUnit::Microsecond),
            L::Interval => DataType::Interval(IntervalUnit::MonthDayNano),
            L::Binary { .. } | L::Bits { .. } | L::Geometry { .. } => DataType::Binary,
            L::Uuid => DataType::FixedSizeBinary(16),
            L::Set { .. } => DataType::List(Arc::new(Field::new_list_field(DataType::Utf8, false))),
            L::Array { item } => DataType::List(Arc::new(Field::new_list_field(item.arrow(), true))),
            L::Vector { dimensions } => DataType::FixedSizeList(
                Arc::new(Field::new_list_field(DataType::Float32, false)),
                i32::try_from(*dimensions).unwrap_or(i32::MAX),
            ),
        }
    }

    /// A nullable Arrow field of this type, its logical type kept in the metadata.
    ///
    /// Always nullable: a NULL where none may be is the target's or a policy's to refuse with the row's key, not Arrow's to panic at.
    pub fn field(&self, name: &str) -> Field {
        let json = serde_json::to_string(self).unwrap_or_default();
        Field::new(name, self.arrow(), true).with_metadata([(LOGICAL_KEY.to_string(), json)].into())
    }

    /// The logical type that [`LogicalType::field`] has kept in `field`.
    pub fn of_field(field: &Field) -> Option<LogicalType> {
        serde_json::from_str(field.metadata().get(LOGICAL_KEY)?).ok()
    }

    /// True for types whose values are whole numbers, so that ranges of a key can be computed.
    pub fn is_integer(&self) -> bool {
        use LogicalType as L;
        matches!(self, L::Int8 | L::Int16 | L::Int32 | L::Int64 | L::UInt8 | L::UInt16 | L::UInt32 | L::UInt64)
    }
}

/// The Arrow schema of columns given by name and type.
pub fn schema<'a>(columns: impl IntoIterator<Item = (&'a str, &'a LogicalType)>) -> SchemaRef {
    Arc::new(Schema::new(columns.into_iter().map(|(name, logical)| logical.field(name)).collect::<Vec<_>>()))
}

impl fmt::Display for LogicalType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use LogicalType as L;
        match self {
            L::Bool => f.write_str("bool"),
            L::Int8 => f.write_str("int8"),
            L::Int16 => f.write_str("int16"),
            L::Int32 => f.write_str("int32"),
            L::Int64 => f.write_str("int64"),
            L::UInt8 => f.write_str("uint8"),
            L::UInt16 => f.write_str("uint16"),
            L::UInt32 => f.write_str("uint32"),
            L::UInt64 => f.write_str("uint64"),
            L::Float32 => f.write_str("float32"),
            L::Float64 => f.write_str("float64"),
            L::Decimal { precision, scale } => write!(f, "decimal({precision},{scale})"),
            L::Numeric => f.write_str("numeric"),
            L::Date => f.write_str("date"),
            L::Time { fsp } => write!(f, "time({fsp})"),
            L::Timestamp { fsp, zone: Zone::None } => write!(f, "timestamp({fsp})"),
            L::Timestamp { fsp, zone: Zone::Utc } => write!(f, "timestamp({fsp}) utc"),
            L::Duration { fsp } => write!(f, "duration({fsp})"),
            L::Interval => f.write_str("interval"),
            L::Text { length: Some(length) } => write!(f, "text({length})"),
            L::Text { length: None } => f.write_str("text"),
            L::Binary { length: Some(length) } => write!(f, "binary({length})"),
            L::Binary { length: None } => f.write_str("binary"),
            L::Bits { length } => write!(f, "bits({length})"),
            L::Uuid => f.write_str("uuid"),
            L::Json => f.write_str("json"),
            L::Geometry { .. } => f.write_str("geometry"),
            L::Enum { labels } => write!(f, "enum of {}", labels.len()),
            L::Set { labels } => write!(f, "set of {}", labels.len()),
            L::Array { item } => write!(f, "array of {item}"),
            L::Vector { dimensions } => write!(f, "vector({dimensions})"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_logical_type_survives_the_metadata_of_its_field() {
        for logical in [
            LogicalType::UInt64,
            LogicalType::Decimal { precision: 65, scale: 30 },
            LogicalType::Enum { labels: vec!["a'b".into(), "\"".into()] },
            LogicalType::Timestamp { fsp: 6, zone: Zone::Utc },
        ] {
            assert_eq!(LogicalType::of_field(&logical.field("c")), Some(logical));
        }
    }
}
