//! Exact decimal numbers as SQLite may hold them: as INTEGER, as REAL, or as text.
//!
//! A REAL stands for the shortest decimal text that reads back as the same double, which is what a person wrote when the
//! number had at most 15 digits.

use std::fmt::Write as _;

/// Most digits that a number may have when it is written out in full.
const MAX_DIGITS: usize = 20_000;

/// A decimal number: `digits` times ten to the power of `exponent`. Zero has no digits and no sign.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Decimal {
    negative: bool,
    /// Without leading and trailing zeros.
    digits: String,
    exponent: i64,
}

impl Decimal {
    /// Reads `[+-]digits[.digits][e[+-]digits]`; `None` for anything else.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (negative, rest) = match text.as_bytes().first()? {
            b'-' => (true, text.get(1..)?),
            b'+' => (false, text.get(1..)?),
            _ => (false, text),
        };
        let (mantissa, power) = match rest.split_once(['e', 'E']) {
            Some((mantissa, power)) => (mantissa, power.parse::<i32>().ok()?),
            None => (rest, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if (whole.is_empty() && fraction.is_empty()) || !all_digits(whole) || !all_digits(fraction) {
            return None;
        }
        let mut digits = String::with_capacity(whole.len() + fraction.len());
        digits.push_str(whole);
        digits.push_str(fraction);
        let mut exponent = i64::from(power).checked_sub(i64::try_from(fraction.len()).ok()?)?;
        while digits.ends_with('0') {
            digits.pop();
            exponent += 1;
        }
        let digits = digits.trim_start_matches('0').to_string();
        Some(if digits.is_empty() { Decimal::default() } else { Decimal { negative, digits, exponent } })
    }

    /// The number that a REAL stands for; `None` for an infinity.
    pub(super) fn of_f64(number: f64) -> Option<Self> {
        if !number.is_finite() {
            return None;
        }
        let mut text = String::with_capacity(24);
        // Rust prints the shortest digits that read back as the same double.
        write!(text, "{number:e}").ok()?;
        Decimal::parse(&text)
    }

    /// Digits behind the point.
    pub(super) fn scale(&self) -> u64 {
        u64::try_from(self.exponent.saturating_neg()).unwrap_or(0)
    }

    /// The whole number that this one is after `scale` places, with its sign; `None` if it has more places, or more than
    /// `precision` digits in all.
    pub(super) fn scaled(&self, precision: usize, scale: i64) -> Option<String> {
        if self.digits.is_empty() {
            return Some("0".into());
        }
        // The digits have no trailing zeros, so a missing place is a digit lost.
        let zeros = usize::try_from(self.exponent.checked_add(scale)?).ok()?;
        if self.digits.len().checked_add(zeros)? > precision {
            return None;
        }
        let mut text = String::with_capacity(self.digits.len() + zeros + 1);
        if self.negative {
            text.push('-');
        }
        text.push_str(&self.digits);
        text.extend(std::iter::repeat_n('0', zeros));
        Some(text)
    }

    /// All digits, without an exponent, without zeros behind the last place: `-12.5`; `None` for more than [`MAX_DIGITS`].
    pub(super) fn plain(&self) -> Option<String> {
        let places = usize::try_from(self.scale()).ok().filter(|places| *places <= MAX_DIGITS)?;
        let whole = self.scaled(MAX_DIGITS, i64::try_from(places).ok()?)?;
        Some(place_point(&whole, places))
    }
}

/// Puts the point into a whole number's digits, `places` from the right.
pub(super) fn place_point(whole: &str, places: usize) -> String {
    let (sign, digits) = match whole.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", whole),
    };
    if places == 0 {
        return whole.to_string();
    }
    let padded = format!("{digits:0>width$}", width = places + 1);
    let (before, behind) = padded.split_at(padded.len() - places);
    let behind = behind.trim_end_matches('0');
    if behind.is_empty() { format!("{sign}{before}") } else { format!("{sign}{before}.{behind}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(text: &str) -> Option<String> {
        Decimal::parse(text)?.plain()
    }

    #[test]
    fn numbers_are_written_out_in_full() {
        for (text, expected) in [
            ("0", "0"),
            ("-0.00", "0"),
            ("1.50", "1.5"),
            ("-00012", "-12"),
            ("1e3", "1000"),
            ("12.5e-3", "0.0125"),
            (".5", "0.5"),
            ("5.", "5"),
            ("+7", "7"),
            ("100", "100"),
        ] {
            assert_eq!(plain(text).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_number_is_none() {
        for text in ["", "-", ".", "1e", "e1", "1.2.3", " 1", "1 ", "0x10", "inf", "nan", "1_0", "ä", "1e99999999999", "--1"] {
            assert_eq!(Decimal::parse(text), None, "{text}");
        }
        assert_eq!(plain("1e30000"), None);
        assert_eq!(plain("1e-30000"), None);
    }

    #[test]
    fn a_real_is_its_shortest_text() {
        assert_eq!(Decimal::of_f64(0.1).unwrap().plain().as_deref(), Some("0.1"));
        assert_eq!(Decimal::of_f64(0.1 + 0.2).unwrap().plain().as_deref(), Some("0.30000000000000004"));
        assert_eq!(Decimal::of_f64(1e22).unwrap().plain().as_deref(), Some("10000000000000000000000"));
        assert_eq!(Decimal::of_f64(-0.0).unwrap().plain().as_deref(), Some("0"));
        assert_eq!(Decimal::of_f64(f64::INFINITY), None);
    }

    #[test]
    fn a_number_fits_its_digits_and_places_or_is_none() {
        let number = Decimal::parse("123.45").unwrap();
        assert_eq!(number.scaled(5, 2).as_deref(), Some("12345"));
        assert_eq!(number.scaled(7, 4).as_deref(), Some("1234500"));
        assert_eq!(number.scaled(6, 4), None);
        assert_eq!(number.scaled(5, 1), None);
        assert_eq!(Decimal::parse("-1e2").unwrap().scaled(3, 0).as_deref(), Some("-100"));
        assert_eq!(place_point("-5", 3), "-0.005");
        assert_eq!(place_point("1200", 2), "12");
    }
}
