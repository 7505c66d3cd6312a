//! Days since 1970-01-01 and the proleptic Gregorian calendar, over the whole range of an `i32` of days.
//!
//! The algorithm is Howard Hinnant's `days_from_civil` (<https://howardhinnant.github.io/date_algorithms.html>).

/// Year (0 is 1 BC), month and day of a number of days since 1970-01-01.
pub fn from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

/// Days since 1970-01-01; none for a day that the calendar does not have.
pub fn to_days(year: i64, month: i64, day: i64) -> Option<i64> {
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) || year.unsigned_abs() > 100_000_000 {
        return None;
    }
    let shifted_year = year - i64::from(month <= 2);
    let era = shifted_year.div_euclid(400);
    let year_of_era = shifted_year.rem_euclid(400);
    let day_of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    let days = era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468;
    (from_days(days) == (year, month, day)).then_some(days)
}

/// `YYYY-MM-DD`: four digits of year or more, with `-` before years that precede 1 BC.
pub fn date_text(days: i64) -> String {
    let (year, month, day) = from_days(days);
    let sign = if year < 0 { "-" } else { "" };
    format!("{sign}{:04}-{month:02}-{day:02}", year.abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_days() {
        assert_eq!(from_days(0), (1970, 1, 1));
        assert_eq!(to_days(2000, 2, 29), Some(11_016));
        assert_eq!(to_days(1900, 2, 29), None);
        assert_eq!(to_days(2024, 4, 31), None);
        assert_eq!(date_text(-719_528), "0000-01-01");
        assert_eq!(date_text(-719_529), "-0001-12-31");
    }

    proptest::proptest! {
        #[test]
        fn every_day_has_one_date(days in i32::MIN..=i32::MAX) {
            let (year, month, day) = from_days(i64::from(days));
            proptest::prop_assert_eq!(to_days(year, month, day), Some(i64::from(days)));
            let (next_year, next_month, next_day) = from_days(i64::from(days) + 1);
            proptest::prop_assert!((year, month, day) < (next_year, next_month, next_day));
        }
    }
}
