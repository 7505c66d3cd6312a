//! Dates and times as ISO text, strictly: what is not exactly in the form is no date.

/// Microseconds of a day.
const DAY_US: i64 = 86_400_000_000;

/// `YYYY-MM-DD` from 0001-01-01 to 9999-12-31, as days since 1970-01-01.
pub(super) fn date(text: &str) -> Option<i32> {
    let (days, rest) = date_start(text.as_bytes())?;
    rest.is_empty().then_some(days)
}

/// `HH:MM:SS[.ffffff]` from 00:00:00 to 24:00:00, as microseconds since midnight.
pub(super) fn time(text: &str) -> Option<i64> {
    let (time, rest) = time_start(text.as_bytes())?;
    (rest.is_empty() && time <= DAY_US).then_some(time)
}

/// `YYYY-MM-DD HH:MM:SS[.ffffff]`, with a blank or a `T` between, as microseconds since 1970-01-01 00:00:00.
pub(super) fn timestamp(text: &str) -> Option<i64> {
    let (timestamp, rest) = timestamp_start(text.as_bytes())?;
    rest.is_empty().then_some(timestamp)
}

/// As [`timestamp`], with `Z`, `+HH:MM` or `-HH:MM` behind it, in UTC.
pub(super) fn instant(text: &str) -> Option<i64> {
    let (timestamp, rest) = timestamp_start(text.as_bytes())?;
    let (sign, rest) = match rest {
        b"Z" | b"z" => return Some(timestamp),
        [b'+', rest @ ..] => (1, rest),
        [b'-', rest @ ..] => (-1, rest),
        _ => return None,
    };
    let (hours, rest) = number(rest, 2)?;
    let (minutes, rest) = number(byte(rest, b":")?, 2)?;
    // The widest offset there ever was is 15:59 (PostgreSQL's own bound).
    if !rest.is_empty() || hours > 15 || minutes > 59 {
        return None;
    }
    timestamp.checked_sub(sign * (hours * 60 + minutes) * 60_000_000)
}

fn timestamp_start(text: &[u8]) -> Option<(i64, &[u8])> {
    let (days, rest) = date_start(text)?;
    let (time, rest) = time_start(byte(rest, b" T")?)?;
    (time < DAY_US).then_some((i64::from(days) * DAY_US + time, rest))
}

fn date_start(text: &[u8]) -> Option<(i32, &[u8])> {
    let (year, rest) = number(text, 4)?;
    let (month, rest) = number(byte(rest, b"-")?, 2)?;
    let (day, rest) = number(byte(rest, b"-")?, 2)?;
    let leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    let length = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => return None,
    };
    if year == 0 || day == 0 || day > length {
        return None;
    }
    // Years that begin in March put the leap day last, so that the months before it have fixed lengths.
    let year = if month <= 2 { year - 1 } else { year };
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days = year * 365 + year / 4 - year / 100 + year / 400 + day_of_year - 719_468;
    Some((i32::try_from(days).ok()?, rest))
}

/// The time may be 24:00:00 or more of a minute; its caller says what is too late.
fn time_start(text: &[u8]) -> Option<(i64, &[u8])> {
    let (hours, rest) = number(text, 2)?;
    let (minutes, rest) = number(byte(rest, b":")?, 2)?;
    let (seconds, mut rest) = number(byte(rest, b":")?, 2)?;
    if hours > 24 || minutes > 59 || seconds > 59 {
        return None;
    }
    let mut micros = 0;
    if let [b'.', fraction @ ..] = rest {
        let digits = fraction.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (places, behind) = fraction.split_at(digits);
        if places.is_empty() || places.iter().skip(6).any(|digit| *digit != b'0') {
            return None;
        }
        for place in 0..6 {
            micros = micros * 10 + i64::from(places.get(place).copied().unwrap_or(b'0') - b'0');
        }
        rest = behind;
    }
    Some((((hours * 60 + minutes) * 60 + seconds) * 1_000_000 + micros, rest))
}

/// Exactly `width` digits.
fn number(text: &[u8], width: usize) -> Option<(i64, &[u8])> {
    let (digits, rest) = text.split_at_checked(width)?;
    let mut number = 0;
    for digit in digits {
        number = number * 10 + i64::from(char::from(*digit).to_digit(10)?);
    }
    Some((number, rest))
}

/// One of `any`.
fn byte<'a>(text: &'a [u8], any: &[u8]) -> Option<&'a [u8]> {
    let (first, rest) = text.split_first()?;
    any.contains(first).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_days_since_1970() {
        assert_eq!(date("1970-01-01"), Some(0));
        assert_eq!(date("2000-02-29"), Some(11_016));
        assert_eq!(date("1969-12-31"), Some(-1));
        assert_eq!(date("0001-01-01"), Some(-719_162));
        assert_eq!(date("9999-12-31"), Some(2_932_896));
    }

    #[test]
    fn each_day_of_the_calendar_follows_the_one_before() {
        let mut expected = -719_162;
        for year in 1..=9999 {
            for month in 1..=12 {
                for day in 1..=31 {
                    if let Some(days) = date(&format!("{year:04}-{month:02}-{day:02}")) {
                        assert_eq!(days, expected, "{year}-{month}-{day}");
                        expected += 1;
                    }
                }
            }
        }
        assert_eq!(expected, 2_932_897);
    }

    #[test]
    fn what_is_not_in_the_form_is_no_date() {
        for text in
            ["", "2024-1-01", "2023-02-29", "1900-02-29", "0000-01-01", "2024-13-01", "2024-01-01 ", "+024-01-01", "20240101"]
        {
            assert_eq!(date(text), None, "{text}");
        }
        for text in [
            "12:00",
            "25:00:00",
            "24:00:01",
            "24:00:00.000001",
            "12:00:60",
            "12:60:00",
            "12:00:00.",
            "12:00:00.1234567",
            "1:00:00",
        ] {
            assert_eq!(time(text), None, "{text}");
        }
        for text in [
            "2024-01-01",
            "2024-01-01 24:00:00",
            "2024-01-01  00:00:00",
            "2024-01-01 00:00:00Z",
            "2024-01-01t00:00:00",
            "1700000000",
        ] {
            assert_eq!(timestamp(text), None, "{text}");
        }
        for text in ["2024-01-01 00:00:00", "2024-01-01 00:00:00+1", "2024-01-01 00:00:00+16:00", "2024-01-01 00:00:00+01:60"] {
            assert_eq!(instant(text), None, "{text}");
        }
    }

    #[test]
    fn times_are_microseconds() {
        assert_eq!(time("00:00:00"), Some(0));
        assert_eq!(time("24:00:00"), Some(DAY_US));
        assert_eq!(time("00:00:01.5"), Some(1_500_000));
        assert_eq!(time("23:59:59.999999000"), Some(DAY_US - 1));
        assert_eq!(timestamp("1969-12-31T23:59:59.999999"), Some(-1));
        assert_eq!(timestamp("1970-01-02 00:00:00.25"), Some(DAY_US + 250_000));
        assert_eq!(instant("1970-01-01 01:30:00+01:30"), Some(0));
        assert_eq!(instant("1970-01-01T00:00:00Z"), Some(0));
        assert_eq!(instant("1969-12-31 23:00:00-01:00"), Some(0));
    }
}
