//! Bytes, bits, UUIDs and geometries.

use arrow::array::{Array, BinaryArray, FixedSizeBinaryArray};

use super::{begin_field, end_field, put_bytes, put_fixed, refuse};
use crate::engine::postgres::target::PgType;
use crate::error::Result;
use crate::model::LogicalType;

/// To `bytea`, `bit(n)`, `varbit(n)`, `boolean` (one bit), `uuid` and `geometry`.
pub(super) enum Binary<'a> {
    Bytea(&'a BinaryArray),
    Bits(&'a BinaryArray, i32),
    BitsBool(&'a BinaryArray),
    Uuid(&'a FixedSizeBinaryArray),
    UuidBytea(&'a FixedSizeBinaryArray),
    UuidFromBytes(&'a BinaryArray),
    /// With the spatial reference system that the column demands, 0 for any.
    Geometry(&'a BinaryArray, u32),
}

impl<'a> Binary<'a> {
    pub(super) fn bind(logical: &LogicalType, array: &'a dyn Array, pg_type: &PgType, typmod: i32) -> Option<Self> {
        use LogicalType as L;
        let any = array.as_any();
        let length = match logical {
            L::Bits { length } => i32::try_from(*length).ok()?,
            _ => 0,
        };
        match (logical, pg_type) {
            (L::Binary { .. } | L::Geometry { .. }, PgType::Bytea) => any.downcast_ref().map(Binary::Bytea),
            // A `bit(n)` holds exactly n bits, a `varbit(n)` at most n.
            (L::Bits { .. }, PgType::Bit) if typmod == length => any.downcast_ref().map(|array| Binary::Bits(array, length)),
            (L::Bits { .. }, PgType::Varbit) if typmod == -1 || length <= typmod => {
                any.downcast_ref().map(|array| Binary::Bits(array, length))
            }
            (L::Bits { length: 1 }, PgType::Bool) => any.downcast_ref().map(Binary::BitsBool),
            (L::Uuid, PgType::Uuid) => any.downcast_ref().map(Binary::Uuid),
            (L::Uuid, PgType::Bytea) => any.downcast_ref().map(Binary::UuidBytea),
            (L::Binary { .. }, PgType::Uuid) => any.downcast_ref().map(Binary::UuidFromBytes),
            (L::Geometry { .. }, PgType::Geometry) => {
                any.downcast_ref().map(|array| Binary::Geometry(array, demanded_srid(typmod)))
            }
            _ => None,
        }
    }

    #[inline]
    pub(super) fn put(&self, row: usize, out: &mut Vec<u8>) -> Result<()> {
        match self {
            Binary::Bytea(array) => put_bytes(array.value(row), out),
            Binary::Bits(array, length) => {
                let bits = array.value(row);
                check_bits(bits, *length)?;
                let start = begin_field(out);
                out.extend_from_slice(&length.to_be_bytes());
                out.extend_from_slice(bits);
                end_field(start, out)
            }
            Binary::BitsBool(array) => {
                let bits = array.value(row);
                check_bits(bits, 1)?;
                put_fixed([u8::from(bits.first().is_some_and(|byte| byte & 0x80 != 0))], out);
                Ok(())
            }
            Binary::Uuid(array) | Binary::UuidBytea(array) => put_bytes(array.value(row), out),
            Binary::UuidFromBytes(array) => match array.value(row) {
                bytes if bytes.len() == 16 => put_bytes(bytes, out),
                bytes => Err(refuse(format!("a value of {} bytes is no `uuid`, which has 16", bytes.len()))
                    .hint("Map the column to `bytea`")),
            },
            Binary::Geometry(array, demanded) => {
                let bytes = array.value(row);
                let srid = srid(bytes).ok_or_else(|| refuse("the value is no geometry in EWKB"))?;
                if *demanded != 0 && srid != *demanded {
                    return Err(refuse(format!("the geometry has the SRID {srid}, and the column demands {demanded}"))
                        .hint("Map the column to `geometry` without an SRID"));
                }
                put_bytes(bytes, out)
            }
        }
    }
}

fn check_bits(bits: &[u8], length: i32) -> Result<()> {
    let bytes = usize::try_from(length).unwrap_or_default().div_ceil(8);
    // The server sets the unused bits of the last byte to 0 without a word.
    let unused = (8 - length % 8) % 8;
    let spilled = bits.last().is_some_and(|last| last & ((1u16 << unused) - 1).to_be_bytes()[1] != 0);
    if bits.len() != bytes || spilled {
        return Err(refuse(format!("the value does not have exactly {length} bits")).hint("Map the column to `bytea`"));
    }
    Ok(())
}

/// The spatial reference system in a `geometry`'s modifier: 21 bits from the 9th on.
fn demanded_srid(typmod: i32) -> u32 {
    if typmod < 0 { 0 } else { (typmod.cast_unsigned() & 0x0fff_ff00) >> 8 }
}

/// The spatial reference system that an EWKB names, or 0; `None` if it is none.
fn srid(ewkb: &[u8]) -> Option<u32> {
    let (order, rest) = ewkb.split_first()?;
    let number = |bytes: [u8; 4]| match order {
        0 => Some(u32::from_be_bytes(bytes)),
        1 => Some(u32::from_le_bytes(bytes)),
        _ => None,
    };
    let (kind, rest) = rest.split_first_chunk::<4>()?;
    if number(*kind)? & 0x2000_0000 == 0 {
        return Some(0);
    }
    number(*rest.first_chunk::<4>()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_are_as_many_as_the_type_says() {
        assert!(check_bits(&[0b1010_0000], 3).is_ok());
        assert!(check_bits(&[0b1011_0000], 3).is_err());
        assert!(check_bits(&[1], 8).is_ok());
        assert!(check_bits(&[1, 0], 8).is_err());
        assert!(check_bits(&[], 1).is_err());
    }

    #[test]
    fn a_geometry_names_its_reference_system() {
        assert_eq!(srid(&[1, 1, 0, 0, 0x20, 0xe6, 0x10, 0, 0, 9]), Some(4326));
        assert_eq!(srid(&[1, 1, 0, 0, 0, 0, 0, 0, 0]), Some(0));
        assert_eq!(srid(&[0, 0x20, 0, 0, 1, 0, 0, 0x10, 0xe6]), Some(4326));
        assert_eq!(srid(&[1, 1, 0, 0, 0x20]), None);
        assert_eq!(srid(&[2, 1, 0, 0, 0]), None);
        assert_eq!(srid(&[]), None);
        // geometry(Point, 4326)
        assert_eq!(demanded_srid(1_107_460), 4326);
    }
}
