//! Booleans, whole numbers and floats.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanBuilder, Float32Builder, Float64Builder, Int8Builder, Int16Builder, Int32Builder, Int64Builder,
    UInt8Builder, UInt16Builder, UInt32Builder, UInt64Builder,
};

use super::hashes::Form;
use super::{fixed, numeric, unfit};
use crate::engine::postgres::target::PgType;
use crate::error::Result;
use crate::model::LogicalType;

/// Takes whole numbers of any width.
pub(super) enum Ints {
    Bool(BooleanBuilder),
    Int8(Int8Builder),
    Int16(Int16Builder),
    Int32(Int32Builder),
    Int64(Int64Builder),
    UInt8(UInt8Builder),
    UInt16(UInt16Builder),
    UInt32(UInt32Builder),
    UInt64(UInt64Builder),
}

impl Ints {
    fn new(logical: &LogicalType) -> Option<Self> {
        Some(match logical {
            LogicalType::Bool => Ints::Bool(BooleanBuilder::new()),
            LogicalType::Int8 => Ints::Int8(Int8Builder::new()),
            LogicalType::Int16 => Ints::Int16(Int16Builder::new()),
            LogicalType::Int32 => Ints::Int32(Int32Builder::new()),
            LogicalType::Int64 => Ints::Int64(Int64Builder::new()),
            LogicalType::UInt8 => Ints::UInt8(UInt8Builder::new()),
            LogicalType::UInt16 => Ints::UInt16(UInt16Builder::new()),
            LogicalType::UInt32 => Ints::UInt32(UInt32Builder::new()),
            LogicalType::UInt64 => Ints::UInt64(UInt64Builder::new()),
            _ => return None,
        })
    }

    fn push(&mut self, value: Option<i128>) -> Result<()> {
        macro_rules! push {
            ($builder:ident) => {
                match value {
                    None => $builder.append_null(),
                    Some(value) => $builder.append_value(value.try_into().map_err(|_| out_of_range(value))?),
                }
            };
        }
        match self {
            Ints::Bool(builder) => match value {
                None => builder.append_null(),
                Some(0) => builder.append_value(false),
                Some(1) => builder.append_value(true),
                Some(value) => return Err(out_of_range(value)),
            },
            Ints::Int8(builder) => push!(builder),
            Ints::Int16(builder) => push!(builder),
            Ints::Int32(builder) => push!(builder),
            Ints::Int64(builder) => push!(builder),
            Ints::UInt8(builder) => push!(builder),
            Ints::UInt16(builder) => push!(builder),
            Ints::UInt32(builder) => push!(builder),
            Ints::UInt64(builder) => push!(builder),
        }
        Ok(())
    }

    /// The least and the most that it takes; none for booleans.
    fn bounds(&self) -> Option<(i128, i128)> {
        Some(match self {
            Ints::Bool(_) => return None,
            Ints::Int8(_) => (i8::MIN.into(), i8::MAX.into()),
            Ints::Int16(_) => (i16::MIN.into(), i16::MAX.into()),
            Ints::Int32(_) => (i32::MIN.into(), i32::MAX.into()),
            Ints::Int64(_) => (i64::MIN.into(), i64::MAX.into()),
            Ints::UInt8(_) => (0, u8::MAX.into()),
            Ints::UInt16(_) => (0, u16::MAX.into()),
            Ints::UInt32(_) => (0, u32::MAX.into()),
            Ints::UInt64(_) => (0, u64::MAX.into()),
        })
    }

    fn finish(&mut self) -> ArrayRef {
        match self {
            Ints::Bool(builder) => Arc::new(builder.finish()),
            Ints::Int8(builder) => Arc::new(builder.finish()),
            Ints::Int16(builder) => Arc::new(builder.finish()),
            Ints::Int32(builder) => Arc::new(builder.finish()),
            Ints::Int64(builder) => Arc::new(builder.finish()),
            Ints::UInt8(builder) => Arc::new(builder.finish()),
            Ints::UInt16(builder) => Arc::new(builder.finish()),
            Ints::UInt32(builder) => Arc::new(builder.finish()),
            Ints::UInt64(builder) => Arc::new(builder.finish()),
        }
    }
}

#[cold]
pub(super) fn out_of_range(value: i128) -> crate::Error {
    unfit(format!("the target holds {value}, which is out of the range of what was sent"))
}

/// The forms of a whole number.
enum From {
    Bool,
    Int2,
    Int4,
    Int8,
    Numeric,
}

/// To booleans, whole numbers and floats.
pub(super) struct Number(Kind);

enum Kind {
    Ints(From, Ints),
    Float32(Float32Builder),
    Float32From8(Float32Builder),
    Float64(Float64Builder),
}

impl Number {
    pub(super) fn new(logical: &LogicalType, pg_type: &PgType) -> Option<Self> {
        let from = match (logical, pg_type) {
            (LogicalType::Float32, PgType::Float4) => return Some(Number(Kind::Float32(Float32Builder::new()))),
            (LogicalType::Float32, PgType::Float8) => return Some(Number(Kind::Float32From8(Float32Builder::new()))),
            (LogicalType::Float64, PgType::Float8) => return Some(Number(Kind::Float64(Float64Builder::new()))),
            (_, PgType::Bool) => From::Bool,
            (_, PgType::Int2) => From::Int2,
            (_, PgType::Int4) => From::Int4,
            (_, PgType::Int8) => From::Int8,
            (_, PgType::Numeric) => From::Numeric,
            _ => return None,
        };
        Ints::new(logical).map(|ints| Number(Kind::Ints(from, ints)))
    }

    pub(super) fn form(&self) -> Form {
        match &self.0 {
            Kind::Ints(from, ints) => {
                let Some((least, most)) = ints.bounds() else {
                    return if matches!(from, From::Bool) { Form::Flag } else { Form::Decoded };
                };
                let size = match from {
                    From::Bool => 1,
                    From::Int2 => 2,
                    From::Int4 => 4,
                    From::Int8 => 8,
                    From::Numeric => return Form::WholeNumeric(least, most),
                };
                Form::Whole(size, i64::try_from(least).unwrap_or(i64::MIN), i64::try_from(most).unwrap_or(i64::MAX))
            }
            Kind::Float32(_) => Form::Float32,
            Kind::Float64(_) => Form::Float64,
            Kind::Float32From8(_) => Form::Decoded,
        }
    }

    #[inline]
    pub(super) fn push(&mut self, field: Option<&[u8]>) -> Result<()> {
        match &mut self.0 {
            Kind::Ints(from, ints) => {
                let Some(field) = field else { return ints.push(None) };
                ints.push(Some(match from {
                    From::Bool => i128::from(fixed::<1>(field)?[0]),
                    From::Int2 => i128::from(i16::from_be_bytes(fixed(field)?)),
                    From::Int4 => i128::from(i32::from_be_bytes(fixed(field)?)),
                    From::Int8 => i128::from(i64::from_be_bytes(fixed(field)?)),
                    From::Numeric => numeric::whole(field)?,
                }))?;
            }
            Kind::Float32(builder) => {
                builder.append_option(field.map(fixed).transpose()?.map(|bytes| f32::from_bits(u32::from_be_bytes(bytes))));
            }
            Kind::Float64(builder) => {
                builder.append_option(field.map(fixed).transpose()?.map(|bytes| f64::from_bits(u64::from_be_bytes(bytes))));
            }
            Kind::Float32From8(builder) => {
                let wide = field.map(fixed).transpose()?.map(|bytes| f64::from_bits(u64::from_be_bytes(bytes)));
                builder.append_option(wide.map(narrow).transpose()?);
            }
        }
        Ok(())
    }

    pub(super) fn finish(&mut self) -> ArrayRef {
        match &mut self.0 {
            Kind::Ints(_, ints) => ints.finish(),
            Kind::Float32(builder) | Kind::Float32From8(builder) => Arc::new(builder.finish()),
            Kind::Float64(builder) => Arc::new(builder.finish()),
        }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "compared with the original right away")]
fn narrow(wide: f64) -> Result<f32> {
    let narrow = wide as f32;
    if f64::from(narrow).to_bits() == wide.to_bits() || (narrow.is_nan() && wide.is_nan()) {
        Ok(narrow)
    } else {
        Err(unfit("the target holds a float of 64 bits that is none of 32"))
    }
}
