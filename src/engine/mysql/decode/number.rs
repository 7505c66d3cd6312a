//! Whole numbers, floats by their bits, decimals from their digits.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, ArrowPrimitiveType, BooleanBuilder, FixedSizeListBuilder, Float32Builder, NullBufferBuilder, PrimitiveArray,
};
use arrow::datatypes::{
    DataType, Decimal128Type, Decimal256Type, Field, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    UInt8Type, UInt16Type, UInt32Type, UInt64Type, i256,
};

use super::{ColumnDecoder, RowBytes, Size, missing, next_capacity, refused, unexpected, wire};
use crate::engine::mysql::wire::Block;
use crate::error::{Error, Result};
use crate::model::LogicalType;

/// A column of values of one width; `quick` and `parse` are types of their own, so that each column's loop is compiled for itself.
pub(super) struct Fixed<T: ArrowPrimitiveType, Q, F> {
    at: usize,
    arrow: DataType,
    values: Vec<T::Native>,
    nulls: NullBufferBuilder,
    quick: Q,
    parse: F,
}

impl<T, Q, F> Fixed<T, Q, F>
where
    T: ArrowPrimitiveType,
    Q: Fn(&[u8], usize) -> Option<T::Native> + Send + 'static,
    F: Fn(&[u8]) -> Result<T::Native> + Send + 'static,
{
    /// `quick` gets a value as [`Block::ahead`] gives it, reads what is usual, and leaves everything else, errors among it, to `parse`.
    pub(super) fn boxed(at: usize, arrow: DataType, quick: Q, parse: F) -> Box<dyn ColumnDecoder> {
        Box::new(Fixed::<T, Q, F> { at, arrow, values: Vec::new(), nulls: NullBufferBuilder::new(0), quick, parse })
    }
}

impl<T, Q, F> ColumnDecoder for Fixed<T, Q, F>
where
    T: ArrowPrimitiveType,
    Q: Fn(&[u8], usize) -> Option<T::Native> + Send + 'static,
    F: Fn(&[u8]) -> Result<T::Native> + Send + 'static,
{
    fn size(&self) -> Size {
        Size::fixed(size_of::<T::Native>())
    }

    fn append(&mut self, row: RowBytes<'_>) -> Result<()> {
        match wire(row, self.at)? {
            Some(bytes) => {
                self.values.push((self.parse)(bytes)?);
                self.nulls.append_non_null();
            }
            None => {
                self.values.push(T::Native::default());
                self.nulls.append_null();
            }
        }
        Ok(())
    }

    fn extend(&mut self, block: &Block<'_>, rows: Range<usize>) -> Result<(), (usize, Error)> {
        self.values.reserve(rows.len());
        // NULLs are few, and the others cost nothing when they are told of together.
        let mut valid = 0;
        for row in rows {
            if let Some((ahead, length)) = block.ahead(row, self.at).ok_or_else(|| (row, missing()))? {
                let value = match (self.quick)(ahead, length) {
                    Some(value) => value,
                    None => (self.parse)(ahead.get(..length).unwrap_or(ahead)).map_err(|error| (row, error))?,
                };
                self.values.push(value);
                valid += 1;
            } else {
                self.nulls.append_n_non_nulls(valid);
                valid = 0;
                self.values.push(T::Native::default());
                self.nulls.append_null();
            }
        }
        self.nulls.append_n_non_nulls(valid);
        Ok(())
    }

    fn finish(&mut self) -> ArrayRef {
        let next = Vec::with_capacity(next_capacity(self.values.len()));
        let values = std::mem::replace(&mut self.values, next);
        Arc::new(PrimitiveArray::<T>::new(values.into(), self.nulls.finish()).with_data_type(self.arrow.clone()))
    }
}

macro_rules! little_endian {
    ($($name:ident: $arrow:ident, $native:ty, $what:literal;)*) => {$(
        pub(super) fn $name(at: usize) -> Box<dyn ColumnDecoder> {
            let quick = |ahead: &[u8], length: usize| {
                ahead.first_chunk().filter(|_| length == size_of::<$native>()).map(|bytes| <$native>::from_le_bytes(*bytes))
            };
            Fixed::<$arrow, _, _>::boxed(at, $arrow::DATA_TYPE, quick, |bytes| {
                bytes.try_into().map(<$native>::from_le_bytes).map_err(|_| unexpected($what, bytes))
            })
        }
    )*};
}

little_endian! {
    int8: Int8Type, i8, "8-bit number";
    int16: Int16Type, i16, "16-bit number";
    int32: Int32Type, i32, "32-bit number";
    int64: Int64Type, i64, "64-bit number";
    uint8: UInt8Type, u8, "8-bit number";
    uint16: UInt16Type, u16, "16-bit number";
    uint32: UInt32Type, u32, "32-bit number";
    uint64: UInt64Type, u64, "64-bit number";
    float32: Float32Type, f32, "32-bit float";
    float64: Float64Type, f64, "64-bit float";
}

/// For types that have no quick way.
pub(super) fn long_way<T>(_ahead: &[u8], _length: usize) -> Option<T> {
    None
}

/// YEAR: unsigned on the wire, 0 or 1901 to 2155.
pub(super) fn year(at: usize) -> Box<dyn ColumnDecoder> {
    Fixed::<Int16Type, _, _>::boxed(at, DataType::Int16, long_way, |bytes| {
        let year = bytes.try_into().map(u16::from_le_bytes).map_err(|_| unexpected("year", bytes))?;
        i16::try_from(year).map_err(|_| unexpected("year", bytes))
    })
}

/// TINYINT with 0 and 1 alone.
struct Bool {
    at: usize,
    builder: BooleanBuilder,
}

pub(super) fn bool(at: usize) -> Box<dyn ColumnDecoder> {
    Box::new(Bool { at, builder: BooleanBuilder::new() })
}

impl ColumnDecoder for Bool {
    fn size(&self) -> Size {
        Size::fixed(1)
    }

    fn append(&mut self, row: RowBytes<'_>) -> Result<()> {
        self.builder.append_option(match wire(row, self.at)? {
            None => None,
            Some([0]) => Some(false),
            Some([1]) => Some(true),
            Some([other]) => return Err(refused(format!("{} is neither 0 nor 1", other.cast_signed()))),
            Some(bytes) => return Err(unexpected("8-bit number", bytes)),
        });
        Ok(())
    }

    fn finish(&mut self) -> ArrayRef {
        Arc::new(self.builder.finish())
    }
}

pub(super) fn decimal128(at: usize, logical: &LogicalType, precision: u8, scale: u8) -> Box<dyn ColumnDecoder> {
    let plain = PlainDecimal::of(precision, scale);
    let short = plain.and_then(ShortDecimal::of);
    let quick = move |ahead: &[u8], length: usize| short.as_ref()?.read(ahead, length).map(i128::from);
    Fixed::<Decimal128Type, _, _>::boxed(at, logical.arrow(), quick, move |bytes| {
        if let Some(value) = plain.as_ref().and_then(|plain| plain.read(bytes)) {
            return Ok(value);
        }
        let digits = Digits::of(bytes, precision, scale)?;
        // At most 38 digits, so below 2^127.
        let value = digits.number(0..digits.count).ok_or_else(|| unexpected("decimal", bytes))?;
        Ok(if digits.negative { -value } else { value })
    })
}

pub(super) fn decimal256(at: usize, logical: &LogicalType, precision: u8, scale: u8) -> Box<dyn ColumnDecoder> {
    Fixed::<Decimal256Type, _, _>::boxed(at, logical.arrow(), long_way, move |bytes| {
        let digits = Digits::of(bytes, precision, scale)?;
        // Two halves of at most 38 digits each, so that only one multiplication is 256 bits wide.
        let half = digits.count.min(38);
        let value = || {
            let (high, low) = (digits.number(0..half)?, digits.number(half..digits.count)?);
            let shift = 10_i128.checked_pow(u32::try_from(digits.count - half).ok()?)?;
            i256::from_i128(high).checked_mul(i256::from_i128(shift))?.checked_add(i256::from_i128(low))
        };
        let value = value().ok_or_else(|| unexpected("decimal", bytes))?;
        Ok(if digits.negative { value.wrapping_neg() } else { value })
    })
}

/// Decimals of up to 18 digits as the server mostly writes them, all digits behind the point and none too many before it, in one pass.
#[derive(Debug, Clone, Copy)]
struct PlainDecimal {
    whole: usize,
    fraction: usize,
}

impl PlainDecimal {
    fn of(precision: u8, scale: u8) -> Option<Self> {
        let whole = precision.checked_sub(scale)?;
        (whole + scale <= 18).then_some(PlainDecimal { whole: whole.into(), fraction: scale.into() })
    }

    /// The number without its point; none for anything out of the ordinary.
    #[inline]
    fn read(self, bytes: &[u8]) -> Option<i128> {
        let (negative, number) = match bytes {
            [b'-', rest @ ..] => (true, rest),
            _ => (false, bytes),
        };
        let (whole, fraction) = match self.fraction {
            0 => (number, &[][..]),
            fraction => match number.split_at_checked(number.len().checked_sub(fraction + 1)?)? {
                (whole, [b'.', fraction @ ..]) => (whole, fraction),
                _ => return None,
            },
        };
        if whole.is_empty() || (whole.len() > self.whole && whole != b"0") {
            return None;
        }
        let value = small(small(0, whole)?, fraction)?;
        let value = i128::from(value);
        Some(if negative { -value } else { value })
    }
}

/// The same of numbers that have at most 16 bytes with sign and point: all digits at once, a byte of a register each.
#[derive(Debug, Clone, Copy)]
struct ShortDecimal {
    whole: usize,
    /// Bytes behind the whole digits: the point, if there is one, and the fraction.
    behind: usize,
    /// The bytes of the fraction, which are the highest, since the last byte of the number is brought to the register's end.
    fraction: u128,
}

impl ShortDecimal {
    const BYTES: usize = 16;

    fn of(plain: PlainDecimal) -> Option<Self> {
        let below = u32::try_from(8 * Self::BYTES.checked_sub(plain.fraction)?).ok()?;
        // Nothing, where there is no fraction.
        let fraction = u128::MAX.checked_shl(below).unwrap_or(0);
        Some(ShortDecimal { whole: plain.whole, behind: plain.fraction + usize::from(plain.fraction > 0), fraction })
    }

    /// The number without its point, of the first `length` bytes; none for anything out of the ordinary.
    #[inline]
    fn read(&self, ahead: &[u8], length: usize) -> Option<i64> {
        const ZEROS: u128 = u128::from_ne_bytes([b'0'; ShortDecimal::BYTES]);
        const HIGHEST_BITS: u128 = u128::from_ne_bytes([0x80; ShortDecimal::BYTES]);
        // Added to 10 or more, it gives a byte its highest bit.
        const TO_TEN: u128 = u128::from_ne_bytes([0x80 - 10; ShortDecimal::BYTES]);
        let bytes = ahead.first_chunk::<{ Self::BYTES }>()?;
        let negative = bytes[0] == b'-';
        let sign = usize::from(negative);
        let whole = length.checked_sub(self.behind + sign)?;
        if whole == 0 || whole > self.whole || length > Self::BYTES {
            return None;
        }
        // Each byte its digit, the last one the highest; what stood behind the number is shifted out, and so is the sign.
        let bits = u32::try_from(8 * (Self::BYTES - length)).ok()?;
        let mut digits = (u128::from_le_bytes(*bytes) ^ ZEROS) << bits;
        if negative {
            digits &= u128::MAX.checked_shl(bits + 8)?;
        }
        if self.behind > 0 {
            if ahead.get(length - self.behind) != Some(&b'.') {
                return None;
            }
            // What is before the point takes its place.
            digits = digits & self.fraction | digits << 8 & !self.fraction;
        }
        if (digits | digits.wrapping_add(TO_TEN)) & HIGHEST_BITS != 0 {
            return None;
        }
        let [low, high] = [digits.to_le_bytes().first_chunk().copied()?, digits.to_le_bytes().last_chunk().copied()?];
        let number = eight_digits(u64::from_le_bytes(low)) * 100_000_000 + eight_digits(u64::from_le_bytes(high));
        let number = number.cast_signed();
        Some(if negative { -number } else { number })
    }
}

/// The number of eight digits, a byte each, the first one the lowest byte: pairs of them, pairs of pairs, and both of those.
#[inline]
fn eight_digits(digits: u64) -> u64 {
    const EVERY_OTHER: u64 = 0x0000_00ff_0000_00ff;
    let pairs = digits.wrapping_mul(10).wrapping_add(digits >> 8);
    let first = (pairs & EVERY_OTHER).wrapping_mul(100 + (1_000_000 << 32));
    let second = (pairs >> 16 & EVERY_OTHER).wrapping_mul(1 + (10_000 << 32));
    first.wrapping_add(second) >> 32
}

/// `value` with more digits behind it, all together at most 19; none if one of them is no digit.
#[inline]
fn small(mut value: u64, digits: &[u8]) -> Option<u64> {
    let mut wrong = false;
    let (eights, digits) = digits.as_chunks::<8>();
    for eight in eights {
        let eight = u64::from_le_bytes(*eight) ^ u64::from_ne_bytes([b'0'; 8]);
        // Added to 10 or more, it gives a byte its highest bit.
        wrong |= (eight | eight.wrapping_add(u64::from_ne_bytes([0x80 - 10; 8]))) & u64::from_ne_bytes([0x80; 8]) != 0;
        value = value.wrapping_mul(100_000_000).wrapping_add(eight_digits(eight));
    }
    for byte in digits {
        let digit = byte.wrapping_sub(b'0');
        wrong |= digit > 9;
        value = value.wrapping_mul(10).wrapping_add(u64::from(digit));
    }
    (!wrong).then_some(value)
}

/// Looks at all of them, since that is quicker than to stop.
fn are_digits(bytes: &[u8]) -> bool {
    bytes.iter().fold(true, |digits, byte| digits & byte.is_ascii_digit())
}

/// Most digits of a decimal.
const MOST_DIGITS: usize = 76;

/// Sign and digits of a decimal as the server writes it (`-12.30`), filled up to the scale behind the point and without zeros in
/// front (ZEROFILL); at most as many as the precision says.
struct Digits {
    negative: bool,
    /// As characters.
    digits: [u8; MOST_DIGITS],
    count: usize,
}

impl Digits {
    fn of(bytes: &[u8], precision: u8, scale: u8) -> Result<Self> {
        let wrong = || unexpected("decimal of the planned size", bytes);
        let (negative, number) = bytes.strip_prefix(b"-").map_or((false, bytes), |rest| (true, rest));
        let point = number.iter().position(|byte| *byte == b'.');
        let (whole, fraction) = match point {
            Some(point) => (number.get(..point).unwrap_or_default(), number.get(point + 1..).unwrap_or_default()),
            None => (number, &[][..]),
        };
        let zeros = whole.iter().take_while(|byte| **byte == b'0').count();
        let whole = whole.get(zeros..).unwrap_or_default();
        let count = whole.len() + usize::from(scale);
        if fraction.len() > usize::from(scale)
            || count > usize::from(precision)
            || number.is_empty()
            || !(are_digits(whole) && are_digits(fraction))
        {
            return Err(wrong());
        }
        let mut digits = [b'0'; MOST_DIGITS];
        let into = digits.get_mut(..whole.len() + fraction.len()).ok_or_else(wrong)?;
        let (front, back) = into.split_at_mut(whole.len());
        front.copy_from_slice(whole);
        back.copy_from_slice(fraction);
        if count > MOST_DIGITS {
            return Err(wrong());
        }
        Ok(Digits { negative, digits, count })
    }

    /// The number that some of the digits are; none if it does not fit.
    fn number(&self, range: std::ops::Range<usize>) -> Option<i128> {
        let mut value = 0_i128;
        // By pieces, since a multiplication of 128 bits costs as much as several of 64.
        for piece in self.digits.get(range)?.chunks(18) {
            let shift = 10_u64.pow(u32::try_from(piece.len()).ok()?);
            value = value.checked_mul(i128::from(shift))?.checked_add(i128::from(small(0, piece)?))?;
        }
        Some(value)
    }
}

/// A vector: little-endian 32-bit floats, one after another.
struct Vector {
    at: usize,
    dimensions: usize,
    builder: FixedSizeListBuilder<Float32Builder>,
}

pub(super) fn vector(at: usize, dimensions: u32) -> Box<dyn ColumnDecoder> {
    let length = i32::try_from(dimensions).unwrap_or(i32::MAX);
    let builder =
        FixedSizeListBuilder::new(Float32Builder::new(), length).with_field(Field::new_list_field(DataType::Float32, false));
    Box::new(Vector { at, dimensions: usize::try_from(length).unwrap_or_default(), builder })
}

impl ColumnDecoder for Vector {
    fn size(&self) -> Size {
        Size::fixed(self.dimensions * 4)
    }

    fn append(&mut self, row: RowBytes<'_>) -> Result<()> {
        let Some(bytes) = wire(row, self.at)? else {
            // A list's items are not nullable, and a NULL list still has its room.
            for _ in 0..self.dimensions {
                self.builder.values().append_value(0.0);
            }
            self.builder.append(false);
            return Ok(());
        };
        let (floats, rest) = bytes.as_chunks::<4>();
        if !rest.is_empty() || floats.len() != self.dimensions {
            return Err(refused(format!("a vector of {} dimensions in a column of {}", floats.len(), self.dimensions)));
        }
        for float in floats {
            self.builder.values().append_value(f32::from_le_bytes(*float));
        }
        self.builder.append(true);
        Ok(())
    }

    fn finish(&mut self) -> ArrayRef {
        Arc::new(self.builder.finish())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, precision: u8, scale: u8) -> Option<String> {
        let digits = Digits::of(text.as_bytes(), precision, scale).ok()?;
        let text: String = digits.digits[..digits.count].iter().map(|digit| char::from(*digit)).collect();
        Some(format!("{}{text}", if digits.negative { "-" } else { "" }))
    }

    #[test]
    fn the_short_way_says_what_the_long_one_says_or_nothing() {
        let texts = [
            "0", "-0", "7", "-7.5", "7.50", "0.05", ".05", "-.5", "12.34", "99.99", "100.00", "007.00", "1.2.3", "1e5", "7.05",
            "", "-", "--1", "1,5",
        ];
        for (precision, scale) in [(4, 2), (2, 2), (3, 0), (18, 2), (18, 18), (18, 0)] {
            let Some(plain) = PlainDecimal::of(precision, scale) else { continue };
            for text in texts {
                let Some(short) = plain.read(text.as_bytes()) else { continue };
                let digits =
                    Digits::of(text.as_bytes(), precision, scale).unwrap_or_else(|_| panic!("{text} {precision} {scale}"));
                let long = digits.number(0..digits.count).unwrap();
                assert_eq!(short, if digits.negative { -long } else { long }, "{text} {precision} {scale}");
            }
        }
        assert_eq!(PlainDecimal::of(15, 2).unwrap().read(b"-12345.67"), Some(-1_234_567));
        assert!(PlainDecimal::of(19, 2).is_none());
    }

    #[test]
    fn all_digits_at_once_say_what_they_say_one_by_one_or_nothing() {
        let texts = [
            "0",
            "-0",
            "7",
            "-7",
            "7.50",
            "-7.50",
            "0.05",
            ".05",
            "-.50",
            "12.34",
            "1234567890123.45",
            "-123456789012.45",
            "007.00",
            "1.2.3",
            "12.3",
            "1e5.00",
            "1,50",
            "",
            "-",
            "--1.00",
            "-",
            "9999999999999999",
            "99999999999999999",
            "1/.00",
            "1:.00",
            "\u{ff}1.00",
            "+1.00",
        ];
        let mut short_ways = 0;
        for (precision, scale) in [(4, 2), (15, 2), (18, 2), (16, 0), (15, 15), (16, 14), (18, 18), (9, 4)] {
            let plain = PlainDecimal::of(precision, scale).unwrap();
            let Some(short) = ShortDecimal::of(plain) else { continue };
            for text in texts {
                // Whatever stands behind it, or nothing.
                for behind in ["", "7", "777777777777777777", ".............."] {
                    let ahead = [text.as_bytes(), behind.as_bytes()].concat();
                    let Some(number) = short.read(&ahead, text.len()) else { continue };
                    assert_eq!(Some(i128::from(number)), plain.read(text.as_bytes()), "{text} {precision} {scale}");
                    short_ways += 1;
                }
            }
        }
        assert!(short_ways > 50, "{short_ways}");
        let short = ShortDecimal::of(PlainDecimal::of(15, 2).unwrap()).unwrap();
        assert_eq!(short.read(b"-123456789012.45777", 16), Some(-12_345_678_901_245));
        assert_eq!(short.read(b"0.05 and more than that", 4), Some(5));
    }

    #[test]
    fn a_decimal_has_exactly_its_digits() {
        assert_eq!(read("-12.30", 5, 2).as_deref(), Some("-1230"));
        assert_eq!(read("0.05", 2, 2).as_deref(), Some("05"));
        assert_eq!(read("0007", 3, 0).as_deref(), Some("7"));
        assert_eq!(read("7.5", 5, 3).as_deref(), Some("7500"));
        for (text, precision, scale) in [("123", 2, 0), ("1.23", 3, 1), ("", 3, 0), ("1e5", 9, 0), ("-", 3, 0)] {
            assert_eq!(read(text, precision, scale), None, "{text}");
        }
    }
}
