//! Booleans, whole numbers and floats.

use arrow::array::{
    Array, BooleanArray, Float32Array, Float64Array, Int8Array, Int16Array, Int32Array, Int64Array, UInt8Array, UInt16Array,
    UInt32Array, UInt64Array,
};

use super::{put_fixed, refuse};
use crate::engine::postgres::target::PgType;
use crate::error::Result;

/// Whole numbers of any width; true is 1.
pub(super) enum Ints<'a> {
    Bool(&'a BooleanArray),
    Int8(&'a Int8Array),
    Int16(&'a Int16Array),
    Int32(&'a Int32Array),
    Int64(&'a Int64Array),
    UInt8(&'a UInt8Array),
    UInt16(&'a UInt16Array),
    UInt32(&'a UInt32Array),
    UInt64(&'a UInt64Array),
}

impl<'a> Ints<'a> {
    pub(super) fn bind(array: &'a dyn Array) -> Option<Self> {
        let any = array.as_any();
        macro_rules! first {
            ($($variant:ident: $array:ty),*) => {
                $(if let Some(array) = any.downcast_ref::<$array>() { return Some(Ints::$variant(array)); })*
            };
        }
        first!(Bool: BooleanArray, Int8: Int8Array, Int16: Int16Array, Int32: Int32Array, Int64: Int64Array,
            UInt8: UInt8Array, UInt16: UInt16Array, UInt32: UInt32Array, UInt64: UInt64Array);
        None
    }

    #[inline]
    pub(super) fn value(&self, row: usize) -> i128 {
        match self {
            Ints::Bool(array) => i128::from(array.value(row)),
            Ints::Int8(array) => i128::from(array.value(row)),
            Ints::Int16(array) => i128::from(array.value(row)),
            Ints::Int32(array) => i128::from(array.value(row)),
            Ints::Int64(array) => i128::from(array.value(row)),
            Ints::UInt8(array) => i128::from(array.value(row)),
            Ints::UInt16(array) => i128::from(array.value(row)),
            Ints::UInt32(array) => i128::from(array.value(row)),
            Ints::UInt64(array) => i128::from(array.value(row)),
        }
    }
}

/// To `boolean`, `smallint`, `integer`, `bigint`, `real` and `double precision`.
pub(super) enum Number<'a> {
    Bool(Ints<'a>),
    Int2(Ints<'a>),
    Int4(Ints<'a>),
    Int8(Ints<'a>),
    /// Of the very width: nothing to check.
    SameInt2(&'a Int16Array),
    SameInt4(&'a Int32Array),
    SameInt8(&'a Int64Array),
    Float4(&'a Float32Array),
    Float8(&'a Float64Array),
    /// Each 32-bit float is a 64-bit one too.
    Float8From4(&'a Float32Array),
}

impl<'a> Number<'a> {
    pub(super) fn bind(array: &'a dyn Array, pg_type: &PgType) -> Option<Self> {
        let any = array.as_any();
        match pg_type {
            PgType::Bool => Ints::bind(array).map(Number::Bool),
            PgType::Int2 => any.downcast_ref().map(Number::SameInt2).or_else(|| Ints::bind(array).map(Number::Int2)),
            PgType::Int4 => any.downcast_ref().map(Number::SameInt4).or_else(|| Ints::bind(array).map(Number::Int4)),
            PgType::Int8 => any.downcast_ref().map(Number::SameInt8).or_else(|| Ints::bind(array).map(Number::Int8)),
            PgType::Float4 => any.downcast_ref().map(Number::Float4),
            PgType::Float8 => any.downcast_ref().map(Number::Float8).or_else(|| any.downcast_ref().map(Number::Float8From4)),
            _ => None,
        }
    }

    #[inline]
    pub(super) fn put(&self, row: usize, out: &mut Vec<u8>) -> Result<()> {
        match self {
            Number::Bool(ints) => match ints.value(row) {
                0 => put_fixed([0], out),
                1 => put_fixed([1], out),
                other => {
                    return Err(refuse(format!("{other} is neither 0 nor 1, so it has no place in a `boolean`"))
                        .hint("Map the column to `smallint` or `integer`"));
                }
            },
            Number::Int2(ints) => put_fixed(narrow::<i16>(ints.value(row), "smallint")?.to_be_bytes(), out),
            Number::Int4(ints) => put_fixed(narrow::<i32>(ints.value(row), "integer")?.to_be_bytes(), out),
            Number::Int8(ints) => put_fixed(narrow::<i64>(ints.value(row), "bigint")?.to_be_bytes(), out),
            Number::SameInt2(array) => put_fixed(array.value(row).to_be_bytes(), out),
            Number::SameInt4(array) => put_fixed(array.value(row).to_be_bytes(), out),
            Number::SameInt8(array) => put_fixed(array.value(row).to_be_bytes(), out),
            Number::Float4(array) => put_fixed(array.value(row).to_bits().to_be_bytes(), out),
            Number::Float8(array) => put_fixed(array.value(row).to_bits().to_be_bytes(), out),
            Number::Float8From4(array) => put_fixed(f64::from(array.value(row)).to_bits().to_be_bytes(), out),
        }
        Ok(())
    }
}

#[inline]
fn narrow<T: TryFrom<i128>>(value: i128, target: &str) -> Result<T> {
    T::try_from(value).map_err(|_| {
        refuse(format!("{value} is out of the range of `{target}`")).hint("Map the column to `bigint` or `numeric(20,0)`")
    })
}
