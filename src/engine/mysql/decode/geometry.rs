//! Shapes: the server's WKB with its reference system built in, as EWKB.

use std::sync::Arc;

use arrow::array::{ArrayRef, BinaryBuilder};

use super::{ColumnDecoder, RowBytes, Size, text, unexpected, wire};
use crate::error::Result;

/// Marks a type number of EWKB behind which the SRID stands.
const SRID_FLAG: u32 = 0x2000_0000;

struct Geometry {
    at: usize,
    builder: BinaryBuilder,
    /// Kept, so that no row allocates.
    ewkb: Vec<u8>,
}

/// Two expressions: the WKB, x first, and the SRID.
pub(super) fn geometry(at: usize) -> Box<dyn ColumnDecoder> {
    Box::new(Geometry { at, builder: BinaryBuilder::new(), ewkb: Vec::new() })
}

/// Writes EWKB. System 0 means none, which EWKB says by leaving it out; parts of a collection never repeat it.
fn write_ewkb(wkb: &[u8], srid: u32, out: &mut Vec<u8>) -> Result<()> {
    let Some((&[1, t0, t1, t2, t3], rest)) = wkb.split_first_chunk::<5>() else {
        return Err(unexpected("little-endian WKB", wkb));
    };
    out.clear();
    if srid == 0 {
        out.extend_from_slice(wkb);
        return Ok(());
    }
    out.push(1);
    out.extend_from_slice(&(u32::from_le_bytes([t0, t1, t2, t3]) | SRID_FLAG).to_le_bytes());
    out.extend_from_slice(&srid.to_le_bytes());
    out.extend_from_slice(rest);
    Ok(())
}

impl ColumnDecoder for Geometry {
    fn size(&self) -> Size {
        // The offset, and the SRID that is added.
        Size { each: 8, per_byte: 1 }
    }

    fn append(&mut self, row: RowBytes<'_>) -> Result<()> {
        let Some(wkb) = wire(row, self.at)? else {
            // A shape without WKB is longer than the server's functions return.
            if wire(row, self.at + 1)?.is_some() {
                return Err(text::longer_than_packet());
            }
            self.builder.append_null();
            return Ok(());
        };
        // INT or BIGINT, depending on the server.
        let bytes = wire(row, self.at + 1)?.unwrap_or_default();
        let srid = match bytes {
            [a, b, c, d] | [a, b, c, d, 0, 0, 0, 0] => u32::from_le_bytes([*a, *b, *c, *d]),
            _ => return Err(unexpected("SRID", bytes)),
        };
        write_ewkb(wkb, srid, &mut self.ewkb)?;
        self.builder.append_value(&self.ewkb);
        Ok(())
    }

    fn finish(&mut self) -> ArrayRef {
        Arc::new(self.builder.finish())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_srid_stands_behind_the_type() {
        let mut ewkb = Vec::new();
        write_ewkb(&[1, 1, 0, 0, 0, 7, 8], 4326, &mut ewkb).unwrap();
        assert_eq!(ewkb, [1, 1, 0, 0, 0x20, 0xe6, 0x10, 0, 0, 7, 8]);
        write_ewkb(&[1, 1, 0, 0, 0, 7], 0, &mut ewkb).unwrap();
        assert_eq!(ewkb, [1, 1, 0, 0, 0, 7]);
        assert!(write_ewkb(&[0, 0, 0, 0, 1], 0, &mut ewkb).is_err());
    }
}
