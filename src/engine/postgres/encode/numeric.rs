//! `numeric`: groups of four decimal digits (base 10000), aligned to the decimal point.
//!
//! The binary form is `ndigits, weight, sign, dscale` as 16-bit integers and then the groups; the first group stands for
//! `10000^weight`, and groups of zeros at either end are left out.

use arrow::array::{Array, Decimal128Array, Decimal256Array, StringArray};
use arrow::datatypes::i256;

use super::number::Ints;
use super::{begin_field, end_field, put_fixed, refuse};
use crate::engine::postgres::target::PgType;
use crate::error::{Error, Result};
use crate::model::LogicalType;

/// Most digits before the point that a `numeric` holds, and most behind it.
pub(super) const MOST_INTEGER_DIGITS: usize = 131_072;
/// See [`MOST_INTEGER_DIGITS`].
pub(super) const MOST_FRACTION_DIGITS: usize = 16_383;

const POSITIVE: u16 = 0x0000;
const NEGATIVE: u16 = 0x4000;
const NAN: u16 = 0xc000;
const INFINITY: u16 = 0xd000;
const NEGATIVE_INFINITY: u16 = 0xf000;

/// What a `numeric(p, s)` holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Limits {
    precision: i32,
    scale: i32,
}

impl Limits {
    /// From the type modifier; `None` for a `numeric` without bounds.
    pub(super) fn of(typmod: i32) -> Option<Limits> {
        let packed = typmod.checked_sub(4).filter(|packed| *packed >= 0)?;
        // 11 bits, signed: since version 15 a scale may be negative.
        Some(Limits { precision: packed >> 16 & 0xffff, scale: ((packed & 0x7ff) ^ 1024) - 1024 })
    }
}

/// To `numeric`.
pub(super) struct Numeric<'a> {
    from: From<'a>,
    limits: Option<Limits>,
    /// Magnitudes below it have a place in the target and few groups.
    short_below: u64,
}

enum From<'a> {
    Ints(Ints<'a>),
    Decimal128(&'a Decimal128Array, u8),
    Decimal256(&'a Decimal256Array, u8),
    Text(&'a StringArray),
}

impl<'a> Numeric<'a> {
    pub(super) fn bind(logical: &LogicalType, array: &'a dyn Array, pg_type: &PgType, typmod: i32) -> Option<Self> {
        if *pg_type != PgType::Numeric {
            return None;
        }
        let any = array.as_any();
        let from = match logical {
            LogicalType::Decimal { precision, scale } if *precision <= 38 => From::Decimal128(any.downcast_ref()?, *scale),
            LogicalType::Decimal { scale, .. } => From::Decimal256(any.downcast_ref()?, *scale),
            LogicalType::Numeric => From::Text(any.downcast_ref()?),
            _ => From::Ints(Ints::bind(array)?),
        };
        let scale = match from {
            From::Ints(_) => 0,
            From::Decimal128(_, scale) | From::Decimal256(_, scale) => scale,
            From::Text(_) => return Some(Numeric { from, limits: Limits::of(typmod), short_below: 0 }),
        };
        let limits = Limits::of(typmod);
        Some(Numeric { from, short_below: short_below(scale, limits), limits })
    }

    pub(super) fn put(&self, row: usize, out: &mut Vec<u8>) -> Result<()> {
        match &self.from {
            From::Ints(ints) => {
                let value = ints.value(row);
                self.put_small(value < 0, value.unsigned_abs(), 0, out)
            }
            From::Decimal128(array, scale) => {
                let value = array.value(row);
                self.put_small(value < 0, value.unsigned_abs(), *scale, out)
            }
            From::Decimal256(array, scale) => {
                let value = array.value(row);
                let negative = value.is_negative();
                // The smallest value has no positive one, and more than the 76 digits that are allowed.
                let magnitude = value.checked_abs().ok_or_else(|| refuse("a decimal has more than 76 digits"))?;
                match magnitude.to_parts() {
                    (low, 0) => self.put_small(negative, low, *scale, out),
                    _ => self.put_large(negative, magnitude, *scale, out),
                }
            }
            From::Text(array) => self.put_text(array.value(row), out),
        }
    }

    /// A number of at most 128 bits, `scale` of its digits behind the point.
    #[inline]
    fn put_small(&self, negative: bool, magnitude: u128, scale: u8, out: &mut Vec<u8>) -> Result<()> {
        match u64::try_from(magnitude) {
            Ok(magnitude) if magnitude < self.short_below => {
                put_short(negative, magnitude, scale, out);
                Ok(())
            }
            Ok(magnitude) => self.put_smaller(negative, magnitude, scale, out),
            Err(_) => self.put_wide(negative, magnitude, scale, out),
        }
    }

    /// A number of at most 64 bits, as nearly all are: divided by constants alone, and appended in one piece.
    fn put_smaller(&self, negative: bool, magnitude: u64, scale: u8, out: &mut Vec<u8>) -> Result<()> {
        if magnitude == 0 {
            put_fixed(header(0, 0, POSITIVE, i16::from(scale)), out);
            return Ok(());
        }
        // The lowest group is the short one when the scale is no multiple of four.
        let (low, mut rest) = match scale % 4 {
            0 => (None, magnitude),
            1 => (Some(magnitude % 10 * 1_000), magnitude / 10),
            2 => (Some(magnitude % 100 * 100), magnitude / 100),
            _ => (Some(magnitude % 1_000 * 10), magnitude / 1_000),
        };
        // 20 digits at most, so six groups.
        let mut groups = [0_u64; 6];
        let mut slots = groups.iter_mut();
        let mut count = 0;
        if let Some(low) = low
            && let Some(slot) = slots.next()
        {
            (*slot, count) = (low, 1);
        }
        for slot in slots {
            if rest == 0 {
                break;
            }
            (*slot, rest) = (rest % 10_000, rest / 10_000);
            count += 1;
        }
        let groups = groups.get(..count).unwrap_or_default();
        // The highest group is not 0, unless the lowest is the only one, and then it is not.
        let zeros = groups.iter().take_while(|group| **group == 0).count();
        let significant = groups.get(zeros..).unwrap_or_default();
        let narrow = |group: Option<&u64>| u16::try_from(group.copied().unwrap_or_default()).unwrap_or_default();
        let behind_point = i32::from(scale.div_ceil(4));
        let place = |index: usize| i32::try_from(index).unwrap_or(i32::MAX) - behind_point;
        let (weight, lowest) = (place(count - 1), place(zeros));
        if self.limits.is_some() {
            let integer_digits = (weight + 1) * 4 - leading_zeros(narrow(significant.last()));
            let fraction_digits = -lowest * 4 - trailing_zeros(narrow(significant.first()));
            self.check(integer_digits, fraction_digits)?;
        }
        let sign = if negative { NEGATIVE } else { POSITIVE };
        let groups_count = u16::try_from(significant.len()).unwrap_or(u16::MAX);
        let mut field = [0; 4 + 8 + 12];
        let (length, body) = field.split_at_mut(4);
        let (head, tail) = body.split_at_mut(8);
        length.copy_from_slice(&(8 + 2 * u32::from(groups_count)).to_be_bytes());
        head.copy_from_slice(&header(groups_count, i16::try_from(weight).unwrap_or(i16::MAX), sign, i16::from(scale)));
        for (slot, group) in tail.chunks_exact_mut(2).zip(significant.iter().rev()) {
            slot.copy_from_slice(&narrow(Some(group)).to_be_bytes());
        }
        out.extend_from_slice(field.get(..12 + 2 * significant.len()).unwrap_or_default());
        Ok(())
    }

    /// A number of more than 64 bits and at most 128.
    fn put_wide(&self, negative: bool, magnitude: u128, scale: u8, out: &mut Vec<u8>) -> Result<()> {
        let mut groups = Groups::new(scale);
        let mut rest = magnitude;
        if let Some((divisor, factor)) = groups.partial {
            groups.push(u16::try_from(rest % u128::from(divisor)).unwrap_or_default() * factor)?;
            rest /= u128::from(divisor);
        }
        groups.push_all(rest)?;
        self.put_groups(negative, &groups, scale, out)
    }

    /// A number of up to 76 digits.
    fn put_large(&self, negative: bool, magnitude: i256, scale: u8, out: &mut Vec<u8>) -> Result<()> {
        let mut groups = Groups::new(scale);
        let mut rest = Limbs::of(magnitude);
        if let Some((divisor, factor)) = groups.partial {
            groups.push(u16::try_from(rest.divide(divisor.into())).unwrap_or_default() * factor)?;
        }
        while let Some(number) = rest.wide() {
            groups.push_four(number.divide(FOUR_GROUPS))?;
        }
        groups.push_all(rest.low())?;
        self.put_groups(negative, &groups, scale, out)
    }

    fn put_groups(&self, negative: bool, groups: &Groups, dscale: u8, out: &mut Vec<u8>) -> Result<()> {
        let digits = groups.digits.get(..groups.len).unwrap_or_default();
        let (Some(last), Some(first)) =
            (digits.iter().position(|group| *group != 0), digits.iter().rposition(|group| *group != 0))
        else {
            put_fixed(header(0, 0, POSITIVE, i16::from(dscale)), out);
            return Ok(());
        };
        let place = |index: usize| i32::try_from(index).unwrap_or(i32::MAX) - groups.behind_point;
        let significant = digits.get(last..=first).unwrap_or_default();
        let (weight, lowest) = (place(first), place(last));
        let integer_digits = (weight + 1) * 4 - leading_zeros(significant.last().copied().unwrap_or_default());
        let fraction_digits = -lowest * 4 - trailing_zeros(significant.first().copied().unwrap_or_default());
        self.check(integer_digits, fraction_digits)?;
        let start = begin_field(out);
        let sign = if negative { NEGATIVE } else { POSITIVE };
        let count = u16::try_from(significant.len()).unwrap_or(u16::MAX);
        out.extend_from_slice(&header(count, i16::try_from(weight).unwrap_or(i16::MAX), sign, i16::from(dscale)));
        for group in significant.iter().rev() {
            out.extend_from_slice(&group.to_be_bytes());
        }
        end_field(start, out)
    }

    /// A number as `[+-]digits[.digits]`, or `NaN`, `Infinity`, `-Infinity`.
    fn put_text(&self, text: &str, out: &mut Vec<u8>) -> Result<()> {
        let special = match text {
            "NaN" => Some(NAN),
            "Infinity" => Some(INFINITY),
            "-Infinity" => Some(NEGATIVE_INFINITY),
            _ => None,
        };
        if let Some(sign) = special {
            if sign != NAN && self.limits.is_some() {
                return Err(
                    refuse(format!("{text} has no place in a `numeric` with a precision")).hint("Map the column to `numeric`")
                );
            }
            put_fixed(header(0, 0, sign, 0), out);
            return Ok(());
        }
        let no_number = || refuse("the value is no decimal number such as -12.50");
        let (negative, digits) = match text.as_bytes() {
            [b'-', digits @ ..] => (true, digits),
            [b'+', digits @ ..] => (false, digits),
            digits => (false, digits),
        };
        let point = digits.iter().position(|digit| *digit == b'.');
        let (integer, fraction) = match point {
            Some(point) => (digits.get(..point).unwrap_or_default(), digits.get(point + 1..).unwrap_or_default()),
            None => (digits, &[][..]),
        };
        if integer.len() + fraction.len() == 0 || !integer.iter().chain(fraction).all(u8::is_ascii_digit) {
            return Err(no_number());
        }
        let dscale = i16::try_from(fraction.len()).ok().filter(|_| fraction.len() <= MOST_FRACTION_DIGITS);
        let integer = integer.get(count_zeros(integer.iter())..).unwrap_or_default();
        let fraction = fraction.get(..fraction.len() - count_zeros(fraction.iter().rev())).unwrap_or_default();
        let Some(dscale) = dscale.filter(|_| integer.len() <= MOST_INTEGER_DIGITS) else {
            return Err(refuse("the number has more digits than PostgreSQL keeps: 131072 before and 16383 behind the point"));
        };
        if integer.is_empty() && fraction.is_empty() {
            put_fixed(header(0, 0, POSITIVE, dscale), out);
            return Ok(());
        }
        let length = |digits: &[u8]| i32::try_from(digits.len()).unwrap_or(i32::MAX);
        let zeros = |zeros: usize| i32::try_from(zeros).unwrap_or(i32::MAX);
        let integer_digits = if integer.is_empty() { -zeros(count_zeros(fraction.iter())) } else { length(integer) };
        let fraction_digits = if fraction.is_empty() { -zeros(count_zeros(integer.iter().rev())) } else { length(fraction) };
        self.check(integer_digits, fraction_digits)?;

        let start = begin_field(out);
        out.extend_from_slice(&[0; 8]);
        let first_group = out.len();
        // The first group before the point is the short one; behind the point it is the last one.
        let (short, whole) = integer.split_at(integer.len() % 4);
        let mut weight = i32::try_from(integer.len().div_ceil(4)).unwrap_or(i32::MAX) - 1;
        if !short.is_empty() {
            out.extend_from_slice(&group(short).to_be_bytes());
        }
        for digits in whole.chunks(4) {
            out.extend_from_slice(&group(digits).to_be_bytes());
        }
        for digits in fraction.chunks(4) {
            let group = group(digits) * POWERS.get(4 - digits.len()).copied().unwrap_or(1);
            if group == 0 && out.len() == first_group {
                weight -= 1;
            } else {
                out.extend_from_slice(&group.to_be_bytes());
            }
        }
        while out.len() > first_group && out.ends_with(&[0, 0]) {
            out.truncate(out.len() - 2);
        }
        let count = u16::try_from((out.len() - first_group) / 2)
            .map_err(|_| Error::internal("a number has too many groups of digits"))?;
        let weight = i16::try_from(weight).map_err(|_| Error::internal("a number is too large"))?;
        let sign = if negative { NEGATIVE } else { POSITIVE };
        if let Some(place) = out.get_mut(first_group - 8..first_group) {
            place.copy_from_slice(&header(count, weight, sign, dscale));
        }
        end_field(start, out)
    }

    /// Digits before the point, and behind it; less than none are zeros next to the point.
    fn check(&self, integer_digits: i32, fraction_digits: i32) -> Result<()> {
        let Some(Limits { precision, scale }) = self.limits else { return Ok(()) };
        if fraction_digits > scale {
            return Err(refuse(format!(
                "a number with {fraction_digits} digits behind the point has no place in a `numeric({precision},{scale})`: it would be rounded"
            ))
            .hint("Map the column to `numeric`, or to one with a larger scale"));
        }
        if integer_digits > precision - scale {
            return Err(refuse(format!(
                "a number with {integer_digits} digits before the point has no place in a `numeric({precision},{scale})`"
            ))
            .hint("Map the column to `numeric`, or to one with a larger precision"));
        }
        Ok(())
    }
}

/// The magnitudes with that many digits behind the point that [`put_short`] takes and a target of these limits holds, are below it.
fn short_below(scale: u8, limits: Option<Limits>) -> u64 {
    // Three whole groups before and behind the point, and the short one.
    let most = 10u64.pow(12 + u32::from(scale % 4));
    match limits {
        None => most,
        // Where zeros at the end may have to go, each value is looked at.
        Some(limits) if limits.scale < i32::from(scale) => 0,
        Some(limits) => {
            let digits = limits.precision - limits.scale + i32::from(scale);
            let bound = u32::try_from(digits).map_or(0, |digits| 10u64.saturating_pow(digits));
            most.min(bound)
        }
    }
}

/// Appends a number that is not to be checked and has four groups at most: they are put together in one register, and go out as one piece.
#[inline]
fn put_short(negative: bool, magnitude: u64, scale: u8, out: &mut Vec<u8>) {
    // The lowest group is the short one when the scale is no multiple of four.
    let (mut groups, mut rest, mut bits) = match scale % 4 {
        0 => (0, magnitude, 0),
        1 => (magnitude % 10 * 1_000, magnitude / 10, 16),
        2 => (magnitude % 100 * 100, magnitude / 100, 16),
        _ => (magnitude % 1_000 * 10, magnitude / 1_000, 16),
    };
    while rest != 0 {
        groups |= (rest % 10_000) << bits;
        rest /= 10_000;
        bits += 16;
    }
    let mut field = [0; 20];
    let (length, body) = field.split_at_mut(4);
    let (head, tail) = body.split_at_mut(8);
    if groups == 0 {
        length.copy_from_slice(&8u32.to_be_bytes());
        head.copy_from_slice(&header(0, 0, POSITIVE, i16::from(scale)));
        out.extend_from_slice(field.get(..12).unwrap_or_default());
        return;
    }
    let narrow = |number: u32| u16::try_from(number).unwrap_or_default();
    // Groups of zeros at the end are left out.
    let zeros = groups.trailing_zeros() / 16;
    let count = bits / 16 - zeros;
    let weight = narrow(bits / 16).cast_signed() - 1 - i16::from(scale.div_ceil(4));
    length.copy_from_slice(&(8 + 2 * count).to_be_bytes());
    let sign = if negative { NEGATIVE } else { POSITIVE };
    head.copy_from_slice(&header(narrow(count), weight, sign, i16::from(scale)));
    // The highest group is the first of the eight bytes.
    tail.copy_from_slice(&(groups << (64 - bits)).to_be_bytes());
    let end = out.len() + field.len();
    out.extend_from_slice(&field);
    out.truncate(end - 2 * (4 - count as usize));
}

/// Four groups of digits: what one division of more than 64 bits takes off.
const FOUR_GROUPS: u64 = 10u64.pow(16);

/// A number of 256 bits without a sign, the highest 64 bits first.
struct Limbs([u64; 4]);

impl Limbs {
    /// Of a number that is not negative.
    fn of(number: i256) -> Self {
        let bytes = number.to_be_bytes();
        let (limbs, _) = bytes.as_chunks::<8>();
        let mut all = [0; 4];
        all.iter_mut().zip(limbs).for_each(|(limb, bytes)| *limb = u64::from_be_bytes(*bytes));
        Limbs(all)
    }

    /// Divides it, and gives what is left over. Limb by limb, so that each division fits the processor's own.
    fn divide(&mut self, divisor: u64) -> u64 {
        let divisor = u128::from(divisor);
        let mut left = 0_u128;
        // Nothing is to be divided above the highest limb that is not 0.
        for limb in self.0.iter_mut().skip_while(|limb| **limb == 0) {
            let part = left << 64 | u128::from(*limb);
            let quotient = part / divisor;
            left = part - quotient * divisor;
            *limb = u64::try_from(quotient).unwrap_or_default();
        }
        u64::try_from(left).unwrap_or_default()
    }

    /// The number, if it has more than 128 bits.
    fn wide(&mut self) -> Option<&mut Self> {
        let [highest, high, ..] = self.0;
        (highest | high != 0).then_some(self)
    }

    /// Its lower 128 bits.
    fn low(&self) -> u128 {
        let [.., low, lowest] = self.0;
        u128::from(low) << 64 | u128::from(lowest)
    }
}

/// Powers of ten.
const POWERS: [u16; 5] = [1, 10, 100, 1_000, 10_000];

/// Groups of four digits, the lowest first.
struct Groups {
    digits: [u16; 24],
    len: usize,
    /// How many of them stand behind the point.
    behind_point: i32,
    /// When the scale is no multiple of four: what divides the lowest digits off, and the factor that moves them up in their group.
    partial: Option<(u16, u16)>,
}

impl Groups {
    fn new(scale: u8) -> Self {
        let short = usize::from(scale % 4);
        let partial = match short {
            0 => None,
            short => Some((POWERS.get(short).copied().unwrap_or(1), POWERS.get(4 - short).copied().unwrap_or(1))),
        };
        Groups { digits: [0; 24], len: 0, behind_point: i32::from(scale.div_ceil(4)), partial }
    }

    #[inline]
    fn push(&mut self, group: u16) -> Result<()> {
        let place = self.digits.get_mut(self.len).ok_or_else(|| Error::internal("a decimal has more than 76 digits"))?;
        *place = group;
        self.len += 1;
        Ok(())
    }

    /// Four groups, zeros among them.
    #[inline]
    fn push_four(&mut self, mut groups: u64) -> Result<()> {
        for _ in 0..4 {
            self.push(u16::try_from(groups % 10_000).unwrap_or_default())?;
            groups /= 10_000;
        }
        Ok(())
    }

    #[inline]
    fn push_all(&mut self, mut rest: u128) -> Result<()> {
        // A division of 128 bits is a call, and some dozen times slower than one of 64: one for four groups.
        while rest > u128::from(u64::MAX) {
            let above = rest / u128::from(FOUR_GROUPS);
            self.push_four(u64::try_from(rest - above * u128::from(FOUR_GROUPS)).unwrap_or_default())?;
            rest = above;
        }
        let mut rest = u64::try_from(rest).unwrap_or_default();
        while rest > 0 {
            self.push(u16::try_from(rest % 10_000).unwrap_or_default())?;
            rest /= 10_000;
        }
        Ok(())
    }
}

fn header(count: u16, weight: i16, sign: u16, dscale: i16) -> [u8; 8] {
    let ([a, b], [c, d]) = (count.to_be_bytes(), weight.to_be_bytes());
    let ([e, f], [g, h]) = (sign.to_be_bytes(), dscale.to_be_bytes());
    [a, b, c, d, e, f, g, h]
}

fn group(digits: &[u8]) -> u16 {
    digits.iter().fold(0, |group, digit| group * 10 + u16::from(digit - b'0'))
}

fn count_zeros<'a>(digits: impl Iterator<Item = &'a u8>) -> usize {
    digits.take_while(|digit| **digit == b'0').count()
}

/// Zeros at the front of a group's four digits.
fn leading_zeros(group: u16) -> i32 {
    match group {
        1_000.. => 0,
        100.. => 1,
        10.. => 2,
        _ => 3,
    }
}

/// Zeros at the end of a group that is not 0.
fn trailing_zeros(group: u16) -> i32 {
    match group {
        _ if group.is_multiple_of(1_000) => 3,
        _ if group.is_multiple_of(100) => 2,
        _ if group.is_multiple_of(10) => 1,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_of_64_bits_is_written_as_one_of_128_is() {
        let array = Decimal128Array::from(vec![0_i128]).with_precision_and_scale(38, 0).unwrap();
        let plain = Numeric { from: From::Decimal128(&array, 0), limits: None, short_below: 0 };
        let numbers = (0..20).flat_map(|power| [1, 5, 9, 12, 9_999, 10_001].map(|times| 10_u64.pow(power).checked_mul(times)));
        for magnitude in numbers.flatten().chain([0, u64::MAX, u64::MAX - 1, 123_456_789_012_345_678]) {
            for scale in 0..=38 {
                for negative in [false, true] {
                    let (mut short, mut long) = (Vec::new(), Vec::new());
                    plain.put_smaller(negative, magnitude, scale, &mut short).unwrap();
                    plain.put_wide(negative, u128::from(magnitude), scale, &mut long).unwrap();
                    assert_eq!(short, long, "{magnitude} {scale} {negative}");
                    if magnitude < short_below(scale, None) {
                        let mut shortest = Vec::new();
                        put_short(negative, magnitude, scale, &mut shortest);
                        assert_eq!(shortest, long, "{magnitude} {scale} {negative}");
                    }
                }
            }
        }
    }

    #[test]
    fn what_is_not_looked_at_has_a_place_in_any_case() {
        let limits = |precision, scale| Some(Limits { precision, scale });
        assert_eq!(short_below(2, limits(15, 2)), 10u64.pow(14));
        assert_eq!(short_below(2, limits(5, 2)), 100_000);
        assert_eq!(short_below(2, limits(5, 3)), 10_000);
        assert_eq!(short_below(0, limits(3, 0)), 1000);
        // Some would be rounded, and none fits.
        assert_eq!(short_below(2, limits(5, 1)), 0);
        assert_eq!(short_below(0, limits(3, -2)), 0);
        assert_eq!(short_below(0, limits(3, 5)), 0);
        assert_eq!(short_below(4, limits(3, 5)), 100);
    }

    #[test]
    fn the_limits_of_a_numeric_are_read_from_its_modifier() {
        assert_eq!(Limits::of(-1), None);
        assert_eq!(Limits::of((20 << 16) + 4 + 4), Some(Limits { precision: 20, scale: 4 }));
        // numeric(3, -2) of version 15.
        assert_eq!(Limits::of(((3 << 16) | 0x7fe) + 4), Some(Limits { precision: 3, scale: -2 }));
    }
}
