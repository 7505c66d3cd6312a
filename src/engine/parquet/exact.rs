//! Exact decimal numbers of any size: comparing and adding them without a bound.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt;

/// A decimal number in canonical digits: no leading and no trailing zeros, zero without a sign.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Exact {
    negative: bool,
    /// In front of the point; empty for 0.
    whole: String,
    /// Behind it.
    fraction: String,
}

impl Exact {
    /// Reads `[+-]digits[.digits]`; none for anything else.
    pub fn parse(text: &str) -> Option<Exact> {
        let (negative, digits) = match text.as_bytes().first()? {
            b'-' => (true, text.get(1..)?),
            b'+' => (false, text.get(1..)?),
            _ => (false, text),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if (whole.is_empty() && fraction.is_empty()) || !all_digits(whole) || !all_digits(fraction) {
            return None;
        }
        Some(Exact::new(negative, whole, fraction))
    }

    /// `unscaled` × 10^-scale, from the digits of a whole number.
    pub fn scaled(unscaled: &str, scale: usize) -> Option<Exact> {
        let (negative, digits) = unscaled.strip_prefix('-').map_or((false, unscaled), |digits| (true, digits));
        let padded = format!("{digits:0>width$}", width = scale + 1);
        let (whole, fraction) = padded.split_at_checked(padded.len() - scale)?;
        Some(Exact::new(negative, whole, fraction))
    }

    fn new(negative: bool, whole: &str, fraction: &str) -> Exact {
        let (whole, fraction) = (whole.trim_start_matches('0').to_string(), fraction.trim_end_matches('0').to_string());
        Exact { negative: negative && !(whole.is_empty() && fraction.is_empty()), whole, fraction }
    }
}

impl Ord for Exact {
    fn cmp(&self, other: &Self) -> Ordering {
        let size = |one: &Exact, two: &Exact| {
            let whole = one.whole.len().cmp(&two.whole.len()).then_with(|| one.whole.cmp(&two.whole));
            whole.then_with(|| one.fraction.cmp(&two.fraction))
        };
        match (self.negative, other.negative) {
            (false, true) => Ordering::Greater,
            (true, false) => Ordering::Less,
            (false, false) => size(self, other),
            (true, true) => size(other, self),
        }
    }
}

impl PartialOrd for Exact {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Exact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.negative { "-" } else { "" };
        let whole = if self.whole.is_empty() { "0" } else { &self.whole };
        let point = if self.fraction.is_empty() { "" } else { "." };
        write!(f, "{sign}{whole}{point}{}", self.fraction)
    }
}

/// Digits in one limb of a sum.
const LIMB_DIGITS: usize = 9;
/// One more than the largest limb.
const LIMB: i128 = 1_000_000_000;

/// A sum without a bound: limbs of nine digits by their distance from the point, carried only at the end.
#[derive(Debug, Clone, Default)]
pub struct Sum(BTreeMap<i32, i128>);

impl Sum {
    /// Adds a number.
    pub fn add(&mut self, number: &Exact) {
        let sign = if number.negative { -1 } else { 1 };
        let mut place = 0i32;
        for limb in number.whole.as_bytes().rchunks(LIMB_DIGITS) {
            *self.0.entry(place).or_default() += sign * value(limb);
            place = place.saturating_add(1);
        }
        place = -1;
        for limb in number.fraction.as_bytes().chunks(LIMB_DIGITS) {
            let missing = (limb.len()..LIMB_DIGITS).fold(1, |power, _| power * 10);
            *self.0.entry(place).or_default() += sign * value(limb) * missing;
            place = place.saturating_sub(1);
        }
    }

    /// The sum.
    pub fn total(&self) -> Exact {
        let (limbs, carry) = carried(&self.0, 1);
        let (limbs, negative) = if carry < 0 { (carried(&self.0, -1).0, true) } else { (limbs, false) };
        let (mut whole, mut fraction) = (String::new(), String::new());
        for (place, limb) in limbs.iter().rev() {
            let part = if *place >= 0 { &mut whole } else { &mut fraction };
            part.push_str(&format!("{limb:0>9}"));
        }
        Exact::new(negative, &whole, &fraction)
    }
}

fn value(digits: &[u8]) -> i128 {
    digits.iter().fold(0, |value, digit| value * 10 + i128::from(digit - b'0'))
}

/// The limbs times `sign`, each brought into 0..LIMB without gaps, and what is left over above them: negative for a negative number.
fn carried(limbs: &BTreeMap<i32, i128>, sign: i128) -> (BTreeMap<i32, i128>, i128) {
    let mut all = BTreeMap::new();
    let lowest = limbs.keys().next().copied().unwrap_or(0).min(0);
    let highest = limbs.keys().next_back().copied().unwrap_or(0).max(0);
    let mut carry = 0i128;
    for place in lowest..=highest {
        let limb = sign * limbs.get(&place).copied().unwrap_or(0) + carry;
        all.insert(place, limb.rem_euclid(LIMB));
        carry = limb.div_euclid(LIMB);
    }
    let mut place = highest;
    while carry > 0 {
        place = place.saturating_add(1);
        all.insert(place, carry % LIMB);
        carry /= LIMB;
    }
    (all, carry)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exact(text: &str) -> Exact {
        Exact::parse(text).unwrap()
    }

    #[test]
    fn numbers_have_one_spelling() {
        for (text, canonical) in [("+007.500", "7.5"), ("-0.00", "0"), (".5", "0.5"), ("5.", "5"), ("-120", "-120")] {
            assert_eq!(exact(text).to_string(), canonical);
        }
        for text in ["", ".", "-", "1e5", "NaN", "1.2.3", " 1", "١"] {
            assert_eq!(Exact::parse(text), None, "{text}");
        }
        assert_eq!(Exact::scaled("-5", 3).unwrap().to_string(), "-0.005");
    }

    #[test]
    fn a_sum_crosses_zero_and_every_limb() {
        let mut sum = Sum::default();
        for text in ["999999999999999999.999999999999", "0.000000000001", "-1000000000000000000", "-0.25"] {
            sum.add(&exact(text));
        }
        assert_eq!(sum.total().to_string(), "-0.25");
    }

    proptest::proptest! {
        #[test]
        fn sum_and_order_agree_with_whole_numbers(values in proptest::collection::vec(proptest::num::i64::ANY, 0..20), scale in 0usize..25) {
            let mut sum = Sum::default();
            let numbers: Vec<Exact> = values.iter().map(|value| Exact::scaled(&value.to_string(), scale).unwrap()).collect();
            numbers.iter().for_each(|number| sum.add(number));
            let total: i128 = values.iter().copied().map(i128::from).sum();
            proptest::prop_assert_eq!(sum.total(), Exact::scaled(&total.to_string(), scale).unwrap());
            for (one, a) in numbers.iter().zip(&values) {
                for (two, b) in numbers.iter().zip(&values) {
                    proptest::prop_assert_eq!(one.cmp(two), a.cmp(b));
                }
            }
        }
    }
}
