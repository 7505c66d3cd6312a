//! One SQLite value into one Arrow column. What does not fit the column's logical type is refused; nothing is converted that
//! the table in [`super::typemap`] does not name.
//!
//! Errors tell the storage class, never the value: values may be secret. The reader adds table, column and row.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryBuilder, BooleanBuilder, Date32Builder, Decimal128Builder, Decimal256Builder, FixedSizeBinaryBuilder,
    Float64Builder, Int64Builder, StringBuilder, Time64MicrosecondBuilder, TimestampMicrosecondBuilder,
};
use arrow::datatypes::DataType;
use rusqlite::types::ValueRef;

use super::decimal::Decimal;
use super::temporal;
use crate::engine::text_policy::TextPolicy;
use crate::error::{Error, ErrorKind, Result};
use crate::model::integer::integer;
use crate::model::logical::Zone;
use crate::model::loss::LossKind;
use crate::model::{LogicalType, ValuePolicies};

/// Builds one Arrow column.
pub(super) enum Decoder {
    Bool(BooleanBuilder),
    Int64(Int64Builder),
    Float64(Float64Builder),
    Decimal128(Decimal128Builder, u8, u8),
    Decimal256(Decimal256Builder, u8, u8),
    Numeric(StringBuilder),
    Text(StringBuilder),
    /// Under a policy.
    PolicyText(StringBuilder, TextPolicy),
    Binary(BinaryBuilder),
    Date(Date32Builder),
    Time(Time64MicrosecondBuilder),
    Timestamp(TimestampMicrosecondBuilder),
    Instant(TimestampMicrosecondBuilder),
    Uuid(FixedSizeBinaryBuilder),
    Json(StringBuilder),
}

impl Decoder {
    /// A decoder for a logical type that [`super::typemap`] gives.
    pub(super) fn new(logical: &LogicalType, policies: &ValuePolicies) -> Result<Self> {
        let data_type = logical.arrow();
        Ok(match logical {
            LogicalType::Bool => Decoder::Bool(BooleanBuilder::new()),
            LogicalType::Int64 => Decoder::Int64(Int64Builder::new()),
            LogicalType::Float64 => Decoder::Float64(Float64Builder::new()),
            LogicalType::Decimal { precision, scale } => match data_type {
                DataType::Decimal128(..) => {
                    Decoder::Decimal128(Decimal128Builder::new().with_data_type(data_type), *precision, *scale)
                }
                _ => Decoder::Decimal256(Decimal256Builder::new().with_data_type(data_type), *precision, *scale),
            },
            LogicalType::Numeric => Decoder::Numeric(StringBuilder::new()),
            LogicalType::Text { .. } => match TextPolicy::of(policies) {
                Some(policy) => Decoder::PolicyText(StringBuilder::new(), policy),
                None => Decoder::Text(StringBuilder::new()),
            },
            LogicalType::Binary { .. } => Decoder::Binary(BinaryBuilder::new()),
            LogicalType::Date => Decoder::Date(Date32Builder::new()),
            LogicalType::Time { .. } => Decoder::Time(Time64MicrosecondBuilder::new()),
            LogicalType::Timestamp { zone: Zone::None, .. } => Decoder::Timestamp(TimestampMicrosecondBuilder::new()),
            LogicalType::Timestamp { zone: Zone::Utc, .. } => {
                Decoder::Instant(TimestampMicrosecondBuilder::new().with_data_type(data_type))
            }
            LogicalType::Uuid => Decoder::Uuid(FixedSizeBinaryBuilder::new(16)),
            LogicalType::Json => Decoder::Json(StringBuilder::new()),
            other => return Err(Error::internal(format!("SQLite has no values of type {other}"))),
        })
    }

    /// The bytes that `value` takes in the Arrow column, roughly.
    pub(super) fn value_bytes(&self, value: ValueRef<'_>) -> usize {
        match (self, value) {
            (Decoder::Bool(_), _) => 1,
            (Decoder::Date(_), _) => 4,
            (Decoder::Decimal128(..) | Decoder::Uuid(_), _) => 16,
            (Decoder::Decimal256(..), _) => 32,
            (
                Decoder::Text(_) | Decoder::Json(_) | Decoder::Numeric(_) | Decoder::Binary(_),
                ValueRef::Text(bytes) | ValueRef::Blob(bytes),
            ) => bytes.len().saturating_add(4),
            // A broken byte becomes a character of three.
            (Decoder::PolicyText(..), ValueRef::Text(bytes) | ValueRef::Blob(bytes)) => {
                bytes.len().saturating_mul(3).saturating_add(4)
            }
            // A number as text.
            (Decoder::Text(_) | Decoder::Json(_) | Decoder::Numeric(_), ValueRef::Integer(_) | ValueRef::Real(_)) => 24,
            (Decoder::Text(_) | Decoder::Json(_) | Decoder::Numeric(_) | Decoder::Binary(_), _) => 4,
            _ => 8,
        }
    }

    /// Appends one value; tells `applied` what policies have done to it.
    ///
    /// # Errors
    /// `Value`, without table, column and row; nothing was appended then.
    pub(super) fn append(&mut self, value: ValueRef<'_>, applied: &mut Vec<LossKind>) -> Result<()> {
        match self {
            Decoder::Bool(builder) => match value {
                ValueRef::Null => builder.append_null(),
                ValueRef::Integer(0) => builder.append_value(false),
                ValueRef::Integer(1) => builder.append_value(true),
                ValueRef::Integer(_) => {
                    return Err(misfit("an INTEGER other than 0 and 1 is no boolean")
                        .hint("Declare the column as INTEGER in a copy of the table, or correct the value"));
                }
                other => return Err(wrong_class(other, "a boolean column holds the INTEGERs 0 and 1")),
            },
            Decoder::Int64(builder) => match value {
                ValueRef::Null => builder.append_null(),
                ValueRef::Integer(number) => builder.append_value(number),
                other => return Err(wrong_class(other, "a column of integers holds INTEGERs")),
            },
            Decoder::Float64(builder) => match value {
                ValueRef::Null => builder.append_null(),
                ValueRef::Real(number) => builder.append_value(number),
                ValueRef::Integer(number) => builder.append_value(exact_f64(number)?),
                other => return Err(wrong_class(other, "a column of floats holds REALs")),
            },
            Decoder::Decimal128(builder, precision, scale) => match value {
                ValueRef::Null => builder.append_null(),
                ValueRef::Integer(number) => {
                    let bound = 10i128.pow(u32::from(*precision));
                    let scaled = 10i128.checked_pow(u32::from(*scale)).and_then(|power| power.checked_mul(i128::from(number)));
                    match scaled.filter(|scaled| scaled.abs() < bound) {
                        Some(scaled) => builder.append_value(scaled),
                        None => return Err(too_many_digits(*precision, *scale)),
                    }
                }
                other => {
                    let text = scaled_text(other, *precision, *scale)?;
                    builder.append_value(text.parse().map_err(|_| too_many_digits(*precision, *scale))?);
                }
            },
            Decoder::Decimal256(builder, precision, scale) => match value {
                ValueRef::Null => builder.append_null(),
                other => {
                    let text = scaled_text(other, *precision, *scale)?;
                    builder.append_value(integer(&text).ok_or_else(|| too_many_digits(*precision, *scale))?);
                }
            },
            Decoder::Numeric(builder) => match value {
                ValueRef::Null => builder.append_null(),
                other => {
                    let plain =
                        decimal(other)?.plain().ok_or_else(|| misfit("the number has more than 20,000 digits").hint(CORRECT))?;
                    builder.append_value(plain);
                }
            },
            Decoder::Text(builder) => match value {
                ValueRef::Null => builder.append_null(),
                ValueRef::Text(bytes) => builder.append_value(utf8(bytes)?),
                other => return Err(wrong_class(other, "a column of text holds TEXT")),
            },
            Decoder::PolicyText(builder, policy) => match value {
                ValueRef::Null => builder.append_null(),
                ValueRef::Text(bytes) => builder.append_value(policy.apply(bytes, invalid_utf8, applied)?),
                other => return Err(wrong_class(other, "a column of text holds TEXT")),
            },
            Decoder::Binary(builder) => match value {
                ValueRef::Null => builder.append_null(),
                ValueRef::Blob(bytes) => builder.append_value(bytes),
                other => return Err(wrong_class(other, "a column of bytes holds BLOBs")),
            },
            Decoder::Date(builder) => match value {
                ValueRef::Null => builder.append_null(),
                other => builder.append_value(temporal_value(other, temporal::date, "YYYY-MM-DD, from 0001-01-01")?),
            },
            Decoder::Time(builder) => match value {
                ValueRef::Null => builder.append_null(),
                other => {
                    builder.append_value(temporal_value(other, temporal::time, "HH:MM:SS, with up to 6 digits of fraction")?)
                }
            },
            Decoder::Timestamp(builder) => match value {
                ValueRef::Null => builder.append_null(),
                other => builder.append_value(temporal_value(
                    other,
                    temporal::timestamp,
                    "YYYY-MM-DD HH:MM:SS, with up to 6 digits of fraction and without a zone",
                )?),
            },
            Decoder::Instant(builder) => match value {
                ValueRef::Null => builder.append_null(),
                other => builder.append_value(temporal_value(
                    other,
                    temporal::instant,
                    "YYYY-MM-DD HH:MM:SS, with up to 6 digits of fraction and with Z or an offset such as +02:00",
                )?),
            },
            Decoder::Uuid(builder) => match value {
                ValueRef::Null => builder.append_null(),
                other => builder.append_value(uuid_bytes(other)?)?,
            },
            Decoder::Json(builder) => match value {
                ValueRef::Null => builder.append_null(),
                // The column's affinity has turned the text of a JSON number into a number.
                ValueRef::Integer(number) => builder.append_value(number.to_string()),
                other @ ValueRef::Real(_) => {
                    builder.append_value(decimal(other)?.plain().ok_or_else(|| misfit("the number is no JSON").hint(CORRECT))?);
                }
                ValueRef::Text(bytes) => builder.append_value(json(utf8(bytes)?)?),
                other @ ValueRef::Blob(_) => {
                    return Err(wrong_class(other, "a column of JSON holds TEXT")
                        .hint("SQLite's own binary JSON becomes text with `UPDATE … SET column = json(column)`"));
                }
            },
        }
        Ok(())
    }

    /// The column so far; the decoder is empty then.
    pub(super) fn finish(&mut self) -> ArrayRef {
        match self {
            Decoder::Bool(builder) => Arc::new(builder.finish()),
            Decoder::Int64(builder) => Arc::new(builder.finish()),
            Decoder::Float64(builder) => Arc::new(builder.finish()),
            Decoder::Decimal128(builder, ..) => Arc::new(builder.finish()),
            Decoder::Decimal256(builder, ..) => Arc::new(builder.finish()),
            Decoder::Numeric(builder) | Decoder::Text(builder) | Decoder::PolicyText(builder, _) | Decoder::Json(builder) => {
                Arc::new(builder.finish())
            }
            Decoder::Binary(builder) => Arc::new(builder.finish()),
            Decoder::Date(builder) => Arc::new(builder.finish()),
            Decoder::Time(builder) => Arc::new(builder.finish()),
            Decoder::Timestamp(builder) | Decoder::Instant(builder) => Arc::new(builder.finish()),
            Decoder::Uuid(builder) => Arc::new(builder.finish()),
        }
    }
}

fn misfit(what: impl Into<String>) -> Error {
    Error::new(ErrorKind::Value, what)
}

/// The hint of most refusals: the file is not ours to change.
const CORRECT: &str =
    "Correct the value in SQLite, declare another type for the column in a copy of the table, or leave the table out";

/// The storage class in words: `a REAL`.
fn class(value: ValueRef<'_>) -> &'static str {
    match value {
        ValueRef::Null => "a NULL",
        ValueRef::Integer(_) => "an INTEGER",
        ValueRef::Real(_) => "a REAL",
        ValueRef::Text(_) => "a TEXT",
        ValueRef::Blob(_) => "a BLOB",
    }
}

fn wrong_class(value: ValueRef<'_>, wanted: &str) -> Error {
    misfit(format!("the stored value is {}, but {wanted}", class(value))).hint(CORRECT)
}

fn utf8(bytes: &[u8]) -> Result<&str> {
    std::str::from_utf8(bytes).map_err(|_| invalid_utf8(bytes))
}

fn invalid_utf8(bytes: &[u8]) -> Error {
    let from = std::str::from_utf8(bytes).map_or_else(|error| error.valid_up_to(), str::len);
    misfit(format!("the stored TEXT is not UTF-8 from its byte {from} on"))
        .hint("Correct the value in SQLite, or store it as a BLOB in a column declared so")
        .rule("invalid_text = \"replace\"")
}

fn exact_f64(number: i64) -> Result<f64> {
    #[expect(clippy::cast_precision_loss, reason = "the way back is compared")]
    let float = number as f64;
    #[expect(clippy::cast_possible_truncation, reason = "a double without a fraction, within i128")]
    let back = float as i128;
    if back == i128::from(number) {
        Ok(float)
    } else {
        Err(misfit("the stored INTEGER is not exactly a 64-bit float").hint(CORRECT))
    }
}

/// The exact number that `value` stands for.
pub(super) fn decimal(value: ValueRef<'_>) -> Result<Decimal> {
    match value {
        ValueRef::Integer(number) => {
            Decimal::parse(&number.to_string()).ok_or_else(|| Error::internal("an integer is no number"))
        }
        ValueRef::Real(number) => {
            Decimal::of_f64(number).ok_or_else(|| misfit("an infinite REAL is no decimal number").hint(CORRECT))
        }
        ValueRef::Text(bytes) => {
            Decimal::parse(utf8(bytes)?).ok_or_else(|| misfit("the stored TEXT is no decimal number").hint(CORRECT))
        }
        other => Err(wrong_class(other, "a decimal column holds INTEGERs, REALs or decimal TEXT")),
    }
}

fn scaled_text(value: ValueRef<'_>, precision: u8, scale: u8) -> Result<String> {
    decimal(value)?.scaled(usize::from(precision), i64::from(scale)).ok_or_else(|| too_many_digits(precision, scale))
}

fn too_many_digits(precision: u8, scale: u8) -> Error {
    misfit(format!("the stored number does not fit decimal({precision},{scale}) exactly"))
        .hint("Round the value in SQLite with `round(column, places)`, or declare more digits in a copy of the table")
}

fn temporal_value<T>(value: ValueRef<'_>, read: impl Fn(&str) -> Option<T>, form: &str) -> Result<T> {
    match value {
        ValueRef::Text(bytes) => read(utf8(bytes)?).ok_or_else(|| {
            misfit(format!("the stored TEXT is not of the form {form}"))
                .hint(CORRECT)
        }),
        other @ (ValueRef::Integer(_) | ValueRef::Real(_)) => Err(misfit(format!(
            "the stored value is {}, but this column holds TEXT of the form {form}",
            class(other)
        ))
        .hint("A Unix time becomes text with `UPDATE … SET column = datetime(column, 'unixepoch')`; or declare the column as INTEGER in a copy")),
        other => Err(wrong_class(other, &format!("this column holds TEXT of the form {form}"))),
    }
}

fn uuid_bytes(value: ValueRef<'_>) -> Result<[u8; 16]> {
    let broken = || {
        misfit("the stored value is no UUID: neither 32 hexadecimal digits, with hyphens or without, nor a BLOB of 16 bytes")
            .hint("Correct the value in SQLite, or declare the column as TEXT or BLOB in a copy of the table")
    };
    match value {
        // Braces and `urn:uuid:` would not come back as they were.
        ValueRef::Text(bytes) if bytes.len() == 36 || bytes.len() == 32 => {
            uuid::Uuid::try_parse_ascii(bytes).map(uuid::Uuid::into_bytes).map_err(|_| broken())
        }
        ValueRef::Blob(bytes) => bytes.try_into().map_err(|_| broken()),
        ValueRef::Text(_) => Err(broken()),
        other => Err(wrong_class(other, "a column of UUIDs holds TEXT or BLOBs")),
    }
}

fn json(text: &str) -> Result<&str> {
    match serde_json::from_str::<serde::de::IgnoredAny>(text) {
        Ok(_) => Ok(text),
        Err(error) => {
            Err(misfit(format!("the stored TEXT is not JSON from its line {}, column {} on", error.line(), error.column()))
                .hint(CORRECT))
        }
    }
}
