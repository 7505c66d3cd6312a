//! Exact integers of many digits, read from text.

use arrow::datatypes::i256;

/// Digits that any `i256` has room for.
const MOST_DIGITS: usize = 76;

/// Digits that any `i128` has room for.
const HALF: usize = 38;

/// The number that `text` spells: a sign or none, then at least one ASCII digit, zeros in front allowed.
///
/// `None` if it is no such number, or has more than 76 digits. Takes the place of `i256::from_string`: that of arrow 59
/// calls itself once per 38 digits, and a `numeric` of PostgreSQL may have 131,072 of them before its point
/// (<https://www.postgresql.org/docs/current/datatype-numeric.html>): the stack ended, and with it the process.
pub fn integer(text: &str) -> Option<i256> {
    let (negative, digits) = match text.strip_prefix(['-', '+']) {
        Some(digits) => (text.starts_with('-'), digits),
        None => (false, text),
    };
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let digits = digits.trim_start_matches('0');
    if digits.len() > MOST_DIGITS {
        return None;
    }
    let (high, low) = digits.split_at(digits.len().saturating_sub(HALF));
    let part = |digits: &str| if digits.is_empty() { Some(0) } else { digits.parse().ok() };
    // 10^76 is below the largest `i256`, 5.7 * 10^76: nothing wraps.
    let size =
        i256::from_i128(part(high)?).wrapping_mul(i256::from_i128(10_i128.pow(38))).wrapping_add(i256::from_i128(part(low)?));
    Some(if negative { size.wrapping_neg() } else { size })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_no_number_is_none() {
        for text in ["", "-", "+", "--1", "+-1", "1.0", " 1", "1 ", "1e3", "\u{661}", "0x10"] {
            assert_eq!(integer(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_number_of_a_hundred_thousand_digits_does_not_end_the_stack() {
        assert_eq!(integer(&"9".repeat(131_072)), None);
        assert_eq!(integer(&format!("-{}7", "0".repeat(131_072))), Some(i256::from_i128(-7)));
    }

    #[test]
    fn seventy_six_digits_fit_and_no_more() {
        let most = "9".repeat(76);
        assert_eq!(integer(&most).unwrap().to_string(), most);
        assert_eq!(integer(&format!("-{most}")).unwrap().to_string(), format!("-{most}"));
        assert_eq!(integer(&format!("1{}", "0".repeat(76))), None);
    }

    proptest! {
        #[test]
        fn a_number_is_the_one_that_its_text_says(minus: bool, zeros in 0usize..50, digits in "[1-9][0-9]{0,75}|0") {
            let sign = if minus && digits != "0" { "-" } else { "" };
            let read = integer(&format!("{sign}{}{digits}", "0".repeat(zeros))).unwrap();
            prop_assert_eq!(read.to_string(), format!("{sign}{digits}"));
        }
    }
}
