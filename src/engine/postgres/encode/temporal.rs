//! Dates, times, timestamps, durations and intervals: counted from 2000-01-01, in days and microseconds.

use arrow::array::{
    Array, Date32Array, DurationMicrosecondArray, IntervalMonthDayNanoArray, Time64MicrosecondArray, TimestampMicrosecondArray,
};

use super::{begin_field, end_field, put_fixed, refuse};
use crate::engine::postgres::target::PgType;
use crate::error::Result;

/// Days from 1970-01-01 to 2000-01-01.
const EPOCH_DAYS: i32 = 10_957;
/// Microseconds from 1970-01-01 to 2000-01-01.
const EPOCH_MICROS: i64 = 946_684_800_000_000;
/// Microseconds of a day.
const DAY_MICROS: i64 = 86_400_000_000;

/// First and last day of a `date`, from 2000-01-01: 4713-11-24 BC and 5874897-12-31.
const DATES: std::ops::RangeInclusive<i32> = -2_451_545..=2_145_031_948;
/// First and last microsecond of a `timestamp`, likewise: 4713-11-24 BC and 294276-12-31.
const TIMESTAMPS: std::ops::RangeInclusive<i64> = -211_813_488_000_000_000..=9_223_371_331_199_999_999;

/// To `date`, `time`, `timestamp`, `timestamptz` and `interval`.
pub(super) enum Temporal<'a> {
    Date(&'a Date32Array),
    Time(&'a Time64MicrosecondArray, Fraction),
    Timestamp(&'a TimestampMicrosecondArray, Fraction),
    /// A duration into a `time`: within one day.
    DurationTime(&'a DurationMicrosecondArray, Fraction),
    /// A duration, whole in the microseconds of an `interval`.
    Duration(&'a DurationMicrosecondArray, Fraction),
    /// A time of day as an `interval`.
    TimeInterval(&'a Time64MicrosecondArray, Fraction),
    Interval(&'a IntervalMonthDayNanoArray, Fraction),
}

/// The digits of a second's fraction that the target's type keeps.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fraction {
    digits: i32,
    /// What a value in microseconds must be a multiple of.
    step: i64,
}

impl Fraction {
    /// From the type modifier of `time`, `timestamp` and `timestamptz`.
    fn of(typmod: i32) -> Self {
        let digits = if (0..6).contains(&typmod) { typmod } else { 6 };
        let step = 10i64.pow(6u32.saturating_sub(u32::try_from(digits).unwrap_or(6)));
        Fraction { digits, step }
    }

    /// From that of an `interval`; `None` for one that drops seconds, such as `interval year to month`.
    fn of_interval(typmod: i32) -> Option<Self> {
        if typmod < 0 {
            return Some(Fraction::of(6));
        }
        // Bit 12 of the range stands for seconds, and the server drops nothing larger than the least field of the range.
        let range = typmod >> 16 & 0x7fff;
        (range & (1 << 12) != 0).then(|| Fraction::of(typmod & 0xffff))
    }

    #[inline]
    fn check(self, micros: i64) -> Result<()> {
        if self.step == 1 || micros % self.step == 0 {
            return Ok(());
        }
        Err(refuse(format!(
            "the fraction of the second has more than the {} digits that the target keeps: it would be rounded",
            self.digits
        ))
        .hint("Map the column to a type with 6 digits"))
    }
}

impl<'a> Temporal<'a> {
    pub(super) fn bind(array: &'a dyn Array, pg_type: &PgType, typmod: i32) -> Option<Self> {
        let any = array.as_any();
        match pg_type {
            PgType::Date => any.downcast_ref().map(Temporal::Date),
            PgType::Time => {
                let fraction = Fraction::of(typmod);
                let time = any.downcast_ref().map(|array| Temporal::Time(array, fraction));
                time.or_else(|| any.downcast_ref().map(|array| Temporal::DurationTime(array, fraction)))
            }
            // Between instants and wall clocks stands a zone, which is for the mapping to name.
            PgType::Timestamp | PgType::Timestamptz => {
                let array: &TimestampMicrosecondArray = any.downcast_ref()?;
                let instant = array.timezone().is_some();
                (instant == (*pg_type == PgType::Timestamptz)).then_some(Temporal::Timestamp(array, Fraction::of(typmod)))
            }
            PgType::Interval => {
                let fraction = Fraction::of_interval(typmod)?;
                if let Some(array) = any.downcast_ref() {
                    return Some(Temporal::Duration(array, fraction));
                }
                if let Some(array) = any.downcast_ref() {
                    return Some(Temporal::TimeInterval(array, fraction));
                }
                any.downcast_ref().map(|array| Temporal::Interval(array, fraction))
            }
            _ => None,
        }
    }

    #[inline]
    pub(super) fn put(&self, row: usize, out: &mut Vec<u8>) -> Result<()> {
        match self {
            Temporal::Date(array) => put_fixed(date(array.value(row))?.to_be_bytes(), out),
            Temporal::Time(array, fraction) => put_fixed(time(array.value(row), *fraction)?.to_be_bytes(), out),
            Temporal::DurationTime(array, fraction) => put_fixed(time(array.value(row), *fraction)?.to_be_bytes(), out),
            Temporal::Timestamp(array, fraction) => put_fixed(timestamp(array.value(row), *fraction)?.to_be_bytes(), out),
            Temporal::Duration(array, fraction) => {
                let micros = array.value(row);
                fraction.check(micros)?;
                return interval(micros, 0, 0, out);
            }
            Temporal::TimeInterval(array, fraction) => {
                let micros = array.value(row);
                fraction.check(micros)?;
                return interval(micros, 0, 0, out);
            }
            Temporal::Interval(array, fraction) => {
                let value = array.value(row);
                if value.nanoseconds % 1_000 != 0 {
                    return Err(refuse("the interval has a fraction of a microsecond, which PostgreSQL does not keep"));
                }
                let micros = value.nanoseconds / 1_000;
                fraction.check(micros)?;
                return interval(micros, value.days, value.months, out);
            }
        }
        Ok(())
    }
}

#[inline]
fn date(days: i32) -> Result<i32> {
    // The smallest and the largest value mean -infinity and infinity on both sides.
    if days == i32::MIN || days == i32::MAX {
        return Ok(days);
    }
    days.checked_sub(EPOCH_DAYS)
        .filter(|days| DATES.contains(days))
        .ok_or_else(|| refuse("the date is out of PostgreSQL's range, 4713-11-24 BC to 5874897-12-31"))
}

fn timestamp(micros: i64, fraction: Fraction) -> Result<i64> {
    if micros == i64::MIN || micros == i64::MAX {
        return Ok(micros);
    }
    fraction.check(micros)?;
    micros
        .checked_sub(EPOCH_MICROS)
        .filter(|micros| TIMESTAMPS.contains(micros))
        .ok_or_else(|| refuse("the timestamp is out of PostgreSQL's range, 4713-11-24 BC to 294276-12-31"))
}

fn time(micros: i64, fraction: Fraction) -> Result<i64> {
    if !(0..=DAY_MICROS).contains(&micros) {
        return Err(refuse("the time is not between 00:00:00 and 24:00:00, so it has no place in a `time`")
            .hint("Map the column to `interval`"));
    }
    fraction.check(micros)?;
    Ok(micros)
}

fn interval(micros: i64, days: i32, months: i32, out: &mut Vec<u8>) -> Result<()> {
    // Since version 17 these are its infinities.
    if matches!((micros, days, months), (i64::MIN, i32::MIN, i32::MIN) | (i64::MAX, i32::MAX, i32::MAX)) {
        return Err(refuse("the interval is one of the two that PostgreSQL takes for infinity"));
    }
    let start = begin_field(out);
    out.extend_from_slice(&micros.to_be_bytes());
    out.extend_from_slice(&days.to_be_bytes());
    out.extend_from_slice(&months.to_be_bytes());
    end_field(start, out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fraction_that_a_type_keeps_is_read_from_its_modifier() {
        assert_eq!(Fraction::of(-1).step, 1);
        assert_eq!(Fraction::of(6).step, 1);
        assert_eq!(Fraction::of(0).step, 1_000_000);
        assert_eq!(Fraction::of(3).step, 1_000);
        // interval(3), interval day to second(0), interval year to month.
        assert_eq!(Fraction::of_interval(0x7fff << 16 | 3).map(|fraction| fraction.step), Some(1_000));
        assert_eq!(Fraction::of_interval(0x1c08 << 16).map(|fraction| fraction.step), Some(1_000_000));
        assert!(Fraction::of_interval(6 << 16 | 0xffff).is_none());
    }
}
