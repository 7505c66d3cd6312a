//! Dates and times: a length byte, then year, month, day, then the time, then microseconds, as far as they are not zero.

use arrow::datatypes::{DataType, Date32Type, DurationMicrosecondType, TimeUnit, TimestampMicrosecondType};

use super::number::{Fixed, long_way};
use super::{ColumnDecoder, refused, unexpected};
use crate::error::{Error, Result};
use crate::model::LogicalType;
use crate::model::loss::LossKind;

pub(super) const DAY_MICROS: i64 = 86_400_000_000;

/// What a person may say of dates that are none.
const ZERO_DATE_RULE: &str = "zero_date = \"null\"  # or \"-infinity\", \"text\", or a date such as \"1970-01-01\"";

/// What a DATE, DATETIME or TIMESTAMP has on the wire.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Wire {
    year: u16,
    month: u8,
    day: u8,
    hour: u8,
    minute: u8,
    second: u8,
    micros: u32,
}

impl Wire {
    #[inline]
    pub(super) fn parse(bytes: &[u8]) -> Result<Self> {
        let date = |y0, y1, month, day| Wire { year: u16::from_le_bytes([y0, y1]), month, day, ..Wire::default() };
        Ok(match *bytes {
            [0] => Wire::default(),
            [4, y0, y1, month, day] => date(y0, y1, month, day),
            [7, y0, y1, month, day, hour, minute, second] => Wire { hour, minute, second, ..date(y0, y1, month, day) },
            [11, y0, y1, month, day, hour, minute, second, m0, m1, m2, m3] => {
                Wire { hour, minute, second, micros: u32::from_le_bytes([m0, m1, m2, m3]), ..date(y0, y1, month, day) }
            }
            _ => return Err(unexpected("date", bytes)),
        })
    }

    /// Why it is no day of the calendar; none if it is one.
    #[inline]
    pub(super) fn fault(self) -> Option<LossKind> {
        let Wire { year, month, day, .. } = self;
        // Days that every month has.
        let plain = (1..=9999).contains(&year) && (1..=12).contains(&month) && (1..=28).contains(&day);
        if plain { None } else { self.odd_fault() }
    }

    fn odd_fault(self) -> Option<LossKind> {
        let Wire { year, month, day, .. } = self;
        if (year, month, day) == (0, 0, 0) {
            return Some(LossKind::ZeroDate);
        }
        if month == 0 || day == 0 {
            return Some(LossKind::PartialDate);
        }
        let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
        let last = match month {
            2 if leap => 29,
            2 => 28,
            4 | 6 | 9 | 11 => 30,
            1..=12 => 31,
            _ => 0,
        };
        (year == 0 || year > 9999 || day > last).then_some(LossKind::InvalidDate)
    }

    /// As the server prints it, with `fsp` digits of fraction; without a time when there is no `fsp`.
    pub(super) fn text(self, fsp: Option<u8>) -> String {
        let Wire { year, month, day, hour, minute, second, micros } = self;
        let date = format!("{year:04}-{month:02}-{day:02}");
        let Some(fsp) = fsp.map(usize::from) else { return date };
        let fraction = format!("{micros:06}");
        // A value finer than its type says is written in full.
        let kept = fraction.get(..fsp.min(6)).filter(|kept| fraction.trim_end_matches('0').len() <= kept.len());
        let kept = kept.unwrap_or(&fraction);
        let point = if kept.is_empty() { "" } else { "." };
        format!("{date} {hour:02}:{minute:02}:{second:02}{point}{kept}")
    }

    /// Days since 1970-01-01; refuses a date that the calendar does not have.
    #[inline]
    pub(super) fn days(self) -> Result<i32> {
        if let Some(fault) = self.fault() {
            return Err(self.no_day(fault));
        }
        Ok(days_of(self.year, self.month, self.day))
    }

    #[cold]
    fn no_day(self, fault: LossKind) -> Error {
        let what = match fault {
            LossKind::ZeroDate => "the zero date ",
            LossKind::PartialDate => "the partial date ",
            _ => "",
        };
        refused(format!("{what}{self} is no day of the calendar")).rule(ZERO_DATE_RULE)
    }

    pub(super) fn micros(self) -> Result<i64> {
        if self.hour > 23 || self.minute > 59 || self.second > 59 || self.micros > 999_999 {
            return Err(refused(format!("{self} has no such time of day")));
        }
        let seconds = i64::from(self.hour) * 3600 + i64::from(self.minute) * 60 + i64::from(self.second);
        Ok(i64::from(self.days()?) * DAY_MICROS + seconds * 1_000_000 + i64::from(self.micros))
    }
}

impl std::fmt::Display for Wire {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Wire { year, month, day, hour, minute, second, micros } = self;
        write!(f, "{year:04}-{month:02}-{day:02}")?;
        if (*hour, *minute, *second, *micros) != (0, 0, 0, 0) {
            write!(f, " {hour:02}:{minute:02}:{second:02}")?;
        }
        if *micros != 0 {
            write!(f, ".{micros:06}")?;
        }
        Ok(())
    }
}

/// Days since 1970-01-01 of a day after the year 0.
#[inline]
fn days_of(year: u16, month: u8, day: u8) -> i32 {
    // Howard Hinnant's days_from_civil: the year begins in March, so a leap day is its last. `BEFORE` are the days
    // from there to each month's first.
    const BEFORE: [u16; 16] = [0, 306, 337, 0, 31, 61, 92, 122, 153, 184, 214, 245, 275, 0, 0, 0];
    let year = u32::from(year) - u32::from(month <= 2);
    let centuries = year / 100;
    let before = u32::from(BEFORE[usize::from(month & 15)]);
    (year * 365 + year / 4 - centuries + centuries / 4 + before + u32::from(day)).cast_signed() - 719_469
}

/// A day that every month has.
#[inline]
fn quick_days(year: u16, month: u8, day: u8) -> Option<i32> {
    let plain = (1..=9999).contains(&year) && (1..=12).contains(&month) && (1..=28).contains(&day);
    plain.then(|| days_of(year, month, day))
}

#[inline]
fn quick_date(ahead: &[u8], length: usize) -> Option<i32> {
    match ahead.first_chunk() {
        Some([4, y0, y1, month, day]) if length == 5 => quick_days(u16::from_le_bytes([*y0, *y1]), *month, *day),
        _ => None,
    }
}

#[inline]
fn quick_timestamp(ahead: &[u8], length: usize) -> Option<i64> {
    let [size, y0, y1, month, day, hour, minute, second, m0, m1, m2, m3] = *ahead.first_chunk()?;
    let micros = match (size, length) {
        (7, 8) => 0,
        (11, 12) => u32::from_le_bytes([m0, m1, m2, m3]),
        _ => return None,
    };
    if hour > 23 || minute > 59 || second > 59 || micros > 999_999 {
        return None;
    }
    let days = quick_days(u16::from_le_bytes([y0, y1]), month, day)?;
    let seconds = i64::from(hour) * 3600 + i64::from(minute) * 60 + i64::from(second);
    Some(i64::from(days) * DAY_MICROS + seconds * 1_000_000 + i64::from(micros))
}

pub(super) fn date(at: usize) -> Box<dyn ColumnDecoder> {
    Fixed::<Date32Type, _, _>::boxed(at, DataType::Date32, quick_date, |bytes| Wire::parse(bytes)?.days())
}

/// DATETIME, and TIMESTAMP in a session in UTC.
pub(super) fn timestamp(at: usize, logical: &LogicalType) -> Box<dyn ColumnDecoder> {
    Fixed::<TimestampMicrosecondType, _, _>::boxed(at, logical.arrow(), quick_timestamp, |bytes| Wire::parse(bytes)?.micros())
}

/// TIME.
pub(super) fn duration(at: usize) -> Box<dyn ColumnDecoder> {
    Fixed::<DurationMicrosecondType, _, _>::boxed(at, DataType::Duration(TimeUnit::Microsecond), long_way, time)
}

fn time(bytes: &[u8]) -> Result<i64> {
    let wrong = || -> Error { unexpected("time", bytes) };
    let (negative, days, hour, minute, second, micros) = match *bytes {
        [0] => return Ok(0),
        [8, negative, d0, d1, d2, d3, hour, minute, second] => (negative, [d0, d1, d2, d3], hour, minute, second, 0),
        [12, negative, d0, d1, d2, d3, hour, minute, second, m0, m1, m2, m3] => {
            (negative, [d0, d1, d2, d3], hour, minute, second, u32::from_le_bytes([m0, m1, m2, m3]))
        }
        _ => return Err(wrong()),
    };
    let days = u32::from_le_bytes(days);
    // 838:59:59.999999 is the most that the server keeps.
    if negative > 1 || days > 34 || hour > 23 || minute > 59 || second > 59 || micros > 999_999 {
        return Err(wrong());
    }
    let seconds = i64::from(days) * 86_400 + i64::from(hour) * 3600 + i64::from(minute) * 60 + i64::from(second);
    let total = seconds * 1_000_000 + i64::from(micros);
    Ok(if negative == 1 { -total } else { total })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(year: u16, month: u8, day: u8) -> Result<i32> {
        Wire { year, month, day, ..Wire::default() }.days()
    }

    #[test]
    fn days_count_from_1970() {
        for (date, days) in [
            ((1970, 1, 1), 0),
            ((1969, 12, 31), -1),
            ((2000, 2, 29), 11_016),
            ((2000, 3, 1), 11_017),
            ((1, 1, 1), -719_162),
            ((9999, 12, 31), 2_932_896),
        ] {
            assert_eq!(day(date.0, date.1, date.2).unwrap(), days, "{date:?}");
        }
    }

    #[test]
    fn each_usual_day_is_read_in_both_ways_alike() {
        let mut days = day(1, 1, 1).unwrap();
        for year in 1..=9999_u16 {
            for month in 1..=12 {
                for of_month in 1..=31 {
                    let Ok(one) = day(year, month, of_month) else { continue };
                    assert_eq!(one, days, "{year}-{month}-{of_month}");
                    days += 1;
                    let [y0, y1] = year.to_le_bytes();
                    let quick = quick_date(&[4, y0, y1, month, of_month, 9, 9], 5);
                    assert_eq!(quick, (of_month <= 28).then_some(one));
                    let wire = [11, y0, y1, month, of_month, 23, 59, 58, 0x3f, 0x42, 0x0f, 0];
                    if let Some(quick) = quick_timestamp(&wire, 12) {
                        assert_eq!(quick, Wire::parse(&wire).unwrap().micros().unwrap());
                    }
                }
            }
        }
        for wire in [&[0, 9, 9, 9, 9][..], &[4, 0xd0, 7, 13, 1], &[4, 0xd0, 7, 0, 1], &[4, 0, 0, 1, 1], &[4, 0xd0, 7, 1, 1]] {
            assert_eq!(quick_date(wire, wire.len() - 1), None);
        }
        let noon = [7, 0xd0, 7, 1, 2, 12, 0, 0, 9, 9, 9, 9];
        assert_eq!(quick_timestamp(&noon, 8), Some(Wire::parse(&noon[..8]).unwrap().micros().unwrap()));
        assert_eq!(quick_timestamp(&[7, 0xd0, 7, 1, 2, 24, 0, 0, 9, 9, 9, 9], 8), None);
    }

    #[test]
    fn days_that_are_none_are_refused_by_their_name() {
        for (date, text) in [
            ((0, 0, 0), "zero date 0000-00-00"),
            ((2024, 0, 15), "partial date 2024-00-15"),
            ((2024, 2, 0), "partial date 2024-02-00"),
            ((2024, 2, 31), "2024-02-31"),
            ((2023, 2, 29), "2023-02-29"),
            ((1900, 2, 29), "1900-02-29"),
            ((0, 1, 1), "0000-01-01"),
        ] {
            let error = day(date.0, date.1, date.2).unwrap_err();
            assert!(error.to_string().contains(text), "{error}");
        }
    }

    #[test]
    fn times_reach_from_end_to_end() {
        assert_eq!(time(&[12, 1, 34, 0, 0, 0, 22, 59, 59, 0x3f, 0x42, 0x0f, 0]).unwrap(), -3_020_399_999_999);
        assert_eq!(time(&[0]).unwrap(), 0);
        assert!(time(&[8, 0]).is_err());
    }
}
