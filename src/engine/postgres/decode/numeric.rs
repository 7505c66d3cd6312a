//! `numeric`, to decimals and to text.

use std::sync::Arc;

use arrow::array::{ArrayRef, Decimal128Builder, Decimal256Builder, StringBuilder};
use arrow::datatypes::{DataType, i256};

use super::hashes::Form;
use super::unfit;
use crate::engine::postgres::target::PgType;
use crate::error::Result;
use crate::model::LogicalType;
use crate::verify::canonical;

/// A field, taken apart. Nothing of it is copied.
struct Parts<'a> {
    /// Two bytes each, the highest first.
    groups: &'a [u8],
    /// The first group stands for 10000 to the power of this.
    weight: i32,
    sign: u16,
    /// Digits behind the point, for display.
    dscale: usize,
}

impl<'a> Parts<'a> {
    fn new(field: &'a [u8]) -> Result<Self> {
        let broken = || unfit("the target sent a broken numeric");
        let (header, groups) = field.split_first_chunk::<8>().ok_or_else(broken)?;
        let word = |at: usize| u16::from_be_bytes([header[at], header[at + 1]]);
        if groups.len() != usize::from(word(0)) * 2 {
            return Err(broken());
        }
        Ok(Parts { groups, weight: i32::from(word(2).cast_signed()), sign: word(4), dscale: usize::from(word(6)) })
    }

    fn groups(&self) -> impl Iterator<Item = u16> {
        self.groups.chunks_exact(2).map(|group| u16::from_be_bytes([group[0], group[1]]))
    }

    fn negative(&self) -> bool {
        self.sign == 0x4000
    }

    /// What it is, if it is no number.
    fn special(&self) -> Option<&'static str> {
        match self.sign {
            0xc000 => Some("NaN"),
            0xd000 => Some("Infinity"),
            0xf000 => Some("-Infinity"),
            _ => None,
        }
    }

    /// The number times 10 to the power of `scale`; `None` if that is no whole number, or larger than `N`.
    fn scaled<N: Whole>(&self, scale: i32) -> Option<N> {
        let mut value = N::from_small(0);
        // Digits behind the point that `value` has so far; less than none while groups before the point are missing.
        let mut have = -(self.weight.checked_add(1)?).checked_mul(4)?;
        for group in self.groups() {
            let missing = scale.checked_sub(have)?;
            if missing >= 4 {
                value = value.times(10_000)?.plus(group)?;
                have += 4;
            } else {
                // The group reaches beyond the scale: its last digits must be zeros.
                let kept = u32::try_from(missing.max(0)).ok()?;
                let cut = 10u16.pow(4 - kept);
                if group % cut != 0 {
                    return None;
                }
                if kept > 0 {
                    value = value.times(10i32.pow(kept))?.plus(group / cut)?;
                }
                have += i32::try_from(kept).ok()?;
            }
        }
        // Groups of zeros at the end are not sent.
        if !value.is_zero() {
            while have < scale {
                let step = u32::try_from((scale - have).min(4)).ok()?;
                value = value.times(10i32.pow(step))?;
                have += i32::try_from(step).ok()?;
            }
        }
        if self.negative() { value.negated() } else { Some(value) }
    }

    fn decimal128(&self, precision: u8, scale: u8) -> Result<i128> {
        let value = self.scaled::<i128>(i32::from(scale)).filter(|_| self.special().is_none());
        let limit = 10u128.pow(u32::from(precision));
        value.filter(|value| value.unsigned_abs() < limit).ok_or_else(|| no_decimal(precision, scale))
    }

    fn decimal256(&self, precision: u8, scale: u8) -> Result<i256> {
        let value = self.scaled::<i256>(i32::from(scale)).filter(|_| self.special().is_none());
        let limit = i256::from_i128(10).checked_pow(u32::from(precision));
        let value = value.filter(|value| limit.is_some_and(|limit| value.wrapping_abs() < limit));
        value.ok_or_else(|| no_decimal(precision, scale))
    }

    /// As digits with `dscale` of them behind the point.
    fn text(&self) -> String {
        if let Some(special) = self.special() {
            return special.to_string();
        }
        let mut text = String::new();
        if self.negative() {
            text.push('-');
        }
        let mut groups = self.groups();
        if self.weight < 0 {
            text.push('0');
        } else {
            for place in 0..=self.weight {
                let group = groups.next().unwrap_or(0);
                text.push_str(&if place == 0 { format!("{group}") } else { format!("{group:04}") });
            }
        }
        if self.dscale > 0 {
            text.push('.');
            let end = text.len() + self.dscale;
            for _ in self.weight..-1 {
                text.push_str("0000");
            }
            text.extend(groups.map(|group| format!("{group:04}")));
            while text.len() < end {
                text.push('0');
            }
            text.truncate(end);
        }
        text
    }
}

/// Whole numbers that arithmetic may not overflow.
trait Whole: Sized {
    fn from_small(value: i32) -> Self;
    fn times(self, factor: i32) -> Option<Self>;
    fn plus(self, group: u16) -> Option<Self>;
    fn negated(self) -> Option<Self>;
    fn is_zero(&self) -> bool;
}

impl Whole for i128 {
    fn from_small(value: i32) -> Self {
        i128::from(value)
    }
    fn times(self, factor: i32) -> Option<Self> {
        self.checked_mul(i128::from(factor))
    }
    fn plus(self, group: u16) -> Option<Self> {
        self.checked_add(i128::from(group))
    }
    fn negated(self) -> Option<Self> {
        self.checked_neg()
    }
    fn is_zero(&self) -> bool {
        *self == 0
    }
}

impl Whole for i256 {
    fn from_small(value: i32) -> Self {
        i256::from_i128(i128::from(value))
    }
    fn times(self, factor: i32) -> Option<Self> {
        self.checked_mul(i256::from_i128(i128::from(factor)))
    }
    fn plus(self, group: u16) -> Option<Self> {
        self.checked_add(i256::from_i128(i128::from(group)))
    }
    fn negated(self) -> Option<Self> {
        self.checked_neg()
    }
    fn is_zero(&self) -> bool {
        *self == i256::ZERO
    }
}

/// A whole number.
pub(super) fn whole(field: &[u8]) -> Result<i128> {
    let parts = Parts::new(field)?;
    parts
        .scaled::<i128>(0)
        .filter(|_| parts.special().is_none())
        .ok_or_else(|| unfit("the target holds a number that is not whole, or too large"))
}

/// The powers of ten that 64 bits hold.
const POWERS: [u64; 20] = {
    let mut powers = [1; 20];
    let mut at = 1;
    while at < powers.len() {
        powers[at] = powers[at - 1] * 10;
        at += 1;
    }
    powers
};

/// A number of few digits, as most are: `coefficient / 10^scale`, without zeros at the end of the fraction.
pub(super) struct Fraction {
    pub(super) coefficient: i64,
    pub(super) scale: u8,
}

impl Fraction {
    /// Of up to four groups, none of which lies far from the point; `None` for others, and for what is broken or no number.
    #[inline(always)]
    pub(super) fn small(field: &[u8]) -> Option<Self> {
        let (header, groups) = field.split_first_chunk::<8>()?;
        let [0, count, weight_high, weight_low, sign, 0, _, _] = *header else { return None };
        if groups.len() != usize::from(count) * 2 || count > 4 || !matches!(sign, 0 | 0x40) {
            return None;
        }
        let weight = i16::from_be_bytes([weight_high, weight_low]);
        if !(-5..=3).contains(&weight) {
            return None;
        }
        let mut coefficient = 0_i64;
        for group in groups.chunks_exact(2) {
            let group = u16::from_be_bytes([group[0], group[1]]);
            if group > 9999 {
                return None;
            }
            coefficient = coefficient * 10_000 + i64::from(group);
        }
        // Groups behind the point; less than none where groups of zeros before it were not sent.
        let behind = i16::from(count) - 1 - weight;
        let mut scale = 0;
        if behind > 0 {
            scale = u8::try_from(4 * behind).ok()?;
            while scale > 0 && coefficient % 10 == 0 {
                coefficient /= 10;
                scale -= 1;
            }
        } else {
            for _ in behind..0 {
                coefficient *= 10_000;
            }
        }
        Some(Fraction { coefficient: if sign == 0 { coefficient } else { -coefficient }, scale })
    }

    /// True if it is certain to have at most so many digits, and so many of them behind the point.
    #[inline(always)]
    pub(super) fn is_decimal(&self, precision: u8, scale: u8) -> bool {
        let Some(before) = precision.checked_sub(scale).filter(|_| self.scale <= scale) else { return false };
        let limit = POWERS.get(usize::from(before) + usize::from(self.scale));
        limit.is_none_or(|limit| self.coefficient.unsigned_abs() < *limit)
    }

    /// True if the text of `field`, which it was read from, has all of its digits.
    pub(super) fn is_shown(&self, field: &[u8]) -> bool {
        matches!(field, [_, _, _, _, _, _, high, low, ..] if u16::from_be_bytes([*high, *low]) >= u16::from(self.scale))
    }
}

/// The canonical bytes of a decimal of any digits.
pub(super) fn decimal_form(field: &[u8], precision: u8, scale: u8, out: &mut Vec<u8>) -> Result<()> {
    let parts = Parts::new(field)?;
    if precision <= 38 {
        canonical::exact(parts.decimal128(precision, scale)?, scale, out);
    } else {
        canonical::exact_wide(parts.decimal256(precision, scale)?, scale, out);
    }
    Ok(())
}

/// A number as text.
pub(super) fn text(field: &[u8]) -> Result<String> {
    Ok(Parts::new(field)?.text())
}

#[cold]
fn no_decimal(precision: u8, scale: u8) -> crate::Error {
    unfit(format!("the target holds a number that is no decimal({precision},{scale})"))
}

/// To decimals, and to text.
pub(super) enum Numeric {
    Decimal128(Decimal128Builder, u8, u8),
    Decimal256(Decimal256Builder, u8, u8),
    Text(StringBuilder),
}

impl Numeric {
    pub(super) fn new(logical: &LogicalType, pg_type: &PgType) -> Option<Self> {
        if *pg_type != PgType::Numeric {
            return None;
        }
        match (logical, logical.arrow()) {
            (LogicalType::Decimal { precision, scale }, DataType::Decimal128(..)) => {
                let builder = Decimal128Builder::new().with_data_type(logical.arrow());
                Some(Numeric::Decimal128(builder, *precision, *scale))
            }
            (LogicalType::Decimal { precision, scale }, _) => {
                let builder = Decimal256Builder::new().with_data_type(logical.arrow());
                Some(Numeric::Decimal256(builder, *precision, *scale))
            }
            (LogicalType::Numeric, _) => Some(Numeric::Text(StringBuilder::new())),
            _ => None,
        }
    }

    pub(super) fn form(&self) -> Form {
        match self {
            Numeric::Decimal128(_, precision, scale) | Numeric::Decimal256(_, precision, scale) => {
                Form::Decimal(*precision, *scale)
            }
            Numeric::Text(_) => Form::Numeric,
        }
    }

    pub(super) fn push(&mut self, field: Option<&[u8]>) -> Result<()> {
        let Some(field) = field else {
            match self {
                Numeric::Decimal128(builder, ..) => builder.append_null(),
                Numeric::Decimal256(builder, ..) => builder.append_null(),
                Numeric::Text(builder) => builder.append_null(),
            }
            return Ok(());
        };
        let parts = Parts::new(field)?;
        match self {
            Numeric::Decimal128(builder, precision, scale) => builder.append_value(parts.decimal128(*precision, *scale)?),
            Numeric::Decimal256(builder, precision, scale) => builder.append_value(parts.decimal256(*precision, *scale)?),
            Numeric::Text(builder) => builder.append_value(parts.text()),
        }
        Ok(())
    }

    pub(super) fn finish(&mut self) -> Result<ArrayRef> {
        Ok(match self {
            Numeric::Decimal128(builder, ..) => Arc::new(builder.finish()),
            Numeric::Decimal256(builder, ..) => Arc::new(builder.finish()),
            Numeric::Text(builder) => Arc::new(builder.finish()),
        })
    }
}
