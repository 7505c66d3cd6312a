//! Dates, times, lengths of time, and their ISO text.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, PrimitiveArray, StringBuilder};
use arrow::datatypes::{DataType, Date32Type, DurationMicrosecondType, Time64MicrosecondType, TimestampMicrosecondType};

use super::numbers::map;
use super::pairs::Refusal;
use super::text::{room, shorten, too_long};
use crate::model::{LogicalType, civil};

pub(super) const DAY_US: i64 = 86_400_000_000;

/// What the cast says of a length of time that a policy of [`super::range`] would settle.
pub(super) const NO_TIME_OF_DAY: &str = "is no time of day";

/// Digits of the fraction of a type.
pub(super) fn fsp(logical: &LogicalType) -> u8 {
    use LogicalType as L;
    match logical {
        L::Time { fsp } | L::Timestamp { fsp, .. } | L::Duration { fsp } => *fsp,
        _ => 0,
    }
}

/// Microseconds in the last digit that `digits` digits of fraction hold.
pub(super) fn unit_us(digits: u8) -> i64 {
    (digits..6).fold(1, |unit, _| unit * 10)
}

/// `[-]HH:MM:SS[.f]` with so many digits of fraction; hours are not bounded.
pub fn clock_text(us: i64, digits: u8) -> String {
    let sign = if us < 0 { "-" } else { "" };
    let us = us.unsigned_abs();
    let seconds = us / 1_000_000;
    let mut text = format!("{sign}{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
    if digits > 0 {
        let fraction = format!(".{:06}", us % 1_000_000);
        text.extend(fraction.chars().take(usize::from(digits) + 1));
    }
    text
}

pub(super) fn infinite(value: i64) -> bool {
    value == i64::MIN || value == i64::MAX
}

/// A time of day or a length of time that holds the digits of `to`.
pub(super) fn check_digits(us: i64, to: &LogicalType) -> Result<i64, String> {
    if us % unit_us(fsp(to)) == 0 {
        Ok(us)
    } else {
        Err(format!("{} has more digits of fraction than {to} holds", clock_text(us, 6)))
    }
}

/// The same type with fewer digits of fraction.
pub fn fewer_digits(array: &ArrayRef, _from: &LogicalType, to: &LogicalType) -> Result<ArrayRef, Refusal> {
    let unit = unit_us(fsp(to));
    let cut = |row: usize, text: String| Refusal { row, why: format!("{text} has more digits of fraction than {to} holds") };
    match array.data_type() {
        DataType::Time64(_) => {
            check::<Time64MicrosecondType>(array, |us| us % unit == 0).map_err(|(row, us)| cut(row, clock_text(us, 6)))?
        }
        DataType::Duration(_) => {
            check::<DurationMicrosecondType>(array, |us| us % unit == 0).map_err(|(row, us)| cut(row, clock_text(us, 6)))?
        }
        _ => check::<TimestampMicrosecondType>(array, |us| infinite(us) || us % unit == 0)
            .map_err(|(row, us)| cut(row, timestamp_text(us, 6)))?,
    }
    Ok(array.clone())
}

/// The first row whose value does not pass.
fn check<T: ArrowPrimitiveType<Native = i64>>(array: &ArrayRef, passes: impl Fn(i64) -> bool) -> Result<(), (usize, i64)> {
    let array = array.as_primitive::<T>();
    let mut values = array.values().iter().enumerate();
    match values.find(|(row, value)| !passes(**value) && array.is_valid(*row)) {
        Some((row, value)) => Err((row, *value)),
        None => Ok(()),
    }
}

/// A length of time within one day, as a time of day.
pub fn duration_to_time(array: &ArrayRef, _from: &LogicalType, to: &LogicalType) -> Result<ArrayRef, Refusal> {
    let cast = |us: i64| {
        if (0..DAY_US).contains(&us) { check_digits(us, to) } else { Err(format!("{} {NO_TIME_OF_DAY}", clock_text(us, 6))) }
    };
    Ok(Arc::new(map::<DurationMicrosecondType, Time64MicrosecondType>(array.as_primitive(), cast)?))
}

/// A time of day, as the time since midnight.
pub fn time_to_duration(array: &ArrayRef, _from: &LogicalType, to: &LogicalType) -> Result<ArrayRef, Refusal> {
    Ok(Arc::new(map::<Time64MicrosecondType, DurationMicrosecondType>(array.as_primitive(), |us| check_digits(us, to))?))
}

/// A day, as its midnight.
pub fn date_to_timestamp(array: &ArrayRef, _from: &LogicalType, to: &LogicalType) -> Result<ArrayRef, Refusal> {
    let cast = |days: i32| match days {
        i32::MIN => Ok(i64::MIN),
        i32::MAX => Ok(i64::MAX),
        _ => i64::from(days)
            .checked_mul(DAY_US)
            .ok_or_else(|| format!("{} is out of range for {to}", civil::date_text(i64::from(days)))),
    };
    Ok(Arc::new(map::<Date32Type, TimestampMicrosecondType>(array.as_primitive(), cast)?))
}

fn date_text(days: i32) -> String {
    match days {
        i32::MIN => "-infinity".into(),
        i32::MAX => "infinity".into(),
        _ => civil::date_text(i64::from(days)),
    }
}

/// `YYYY-MM-DD HH:MM:SS[.f]`.
fn timestamp_text(us: i64, digits: u8) -> String {
    match us {
        i64::MIN => "-infinity".into(),
        i64::MAX => "infinity".into(),
        _ => format!("{} {}", civil::date_text(us.div_euclid(DAY_US)), clock_text(us.rem_euclid(DAY_US), digits)),
    }
}

fn write<T: ArrowPrimitiveType>(
    array: &ArrayRef,
    to: &LogicalType,
    text: impl Fn(T::Native) -> String,
) -> Result<ArrayRef, Refusal> {
    let array = array.as_primitive::<T>();
    let room = room(to);
    let mut texts = StringBuilder::with_capacity(array.len(), array.len() * 20);
    for (row, value) in array.iter().enumerate() {
        let value = value.map(&text);
        match &value {
            Some(text) if text.len() > room => return Err(too_long(row, text, to)),
            value => texts.append_option(value.as_deref()),
        }
    }
    Ok(Arc::new(texts.finish()))
}

/// Days as text.
pub fn date_to_text(array: &ArrayRef, _from: &LogicalType, to: &LogicalType) -> Result<ArrayRef, Refusal> {
    write::<Date32Type>(array, to, date_text)
}

/// Times of day and lengths of time as text, with the digits of fraction that their type has, so that none is lost.
pub fn clock_to_text(array: &ArrayRef, from: &LogicalType, to: &LogicalType) -> Result<ArrayRef, Refusal> {
    // A value finer than its type says is written in full.
    let text = |us: i64| clock_text(us, if us % unit_us(fsp(from)) == 0 { fsp(from) } else { 6 });
    match array.data_type() {
        DataType::Time64(_) => write::<Time64MicrosecondType>(array, to, text),
        _ => write::<DurationMicrosecondType>(array, to, text),
    }
}

/// Wall-clock readings as text.
pub fn timestamp_to_text(array: &ArrayRef, from: &LogicalType, to: &LogicalType) -> Result<ArrayRef, Refusal> {
    write::<TimestampMicrosecondType>(array, to, |us| {
        timestamp_text(us, if us % unit_us(fsp(from)) == 0 { fsp(from) } else { 6 })
    })
}

/// Reads text; only what `spell` spells the same way again is taken.
fn read<T: ArrowPrimitiveType>(
    array: &ArrayRef,
    to: &LogicalType,
    value: impl Fn(&str) -> Option<T::Native>,
    spell: impl Fn(T::Native) -> String,
) -> Result<ArrayRef, Refusal> {
    let texts = array.as_string::<i32>();
    let mut values: Vec<T::Native> = Vec::with_capacity(texts.len());
    for (row, text) in texts.iter().enumerate() {
        let Some(text) = text else {
            values.push(T::Native::default());
            continue;
        };
        let found = value(text).filter(|value| spell(*value) == text);
        values.push(found.ok_or_else(|| Refusal {
            row,
            why: format!("`{}` is not the canonical spelling of a value of {to}", shorten(text)),
        })?);
    }
    Ok(Arc::new(PrimitiveArray::<T>::new(values.into(), texts.nulls().cloned())))
}

fn parse_days(text: &str) -> Option<i64> {
    let (negative, digits) = text.strip_prefix('-').map_or((false, text), |digits| (true, digits));
    let mut parts = digits.split('-').map(|part| part.parse::<i64>().ok());
    let (year, month, day) = (parts.next()??, parts.next()??, parts.next()??);
    if parts.next().is_some() {
        return None;
    }
    civil::to_days(if negative { -year } else { year }, month, day)
}

fn parse_clock(text: &str) -> Option<i64> {
    let (clock, fraction) = text.split_once('.').unwrap_or((text, ""));
    let mut parts = clock.split(':').map(|part| part.parse::<i64>().ok());
    let (hours, minutes, seconds) = (parts.next()??, parts.next()??, parts.next()??);
    let fraction: i64 = if fraction.len() <= 6 { format!("{fraction:0<6}").parse().ok()? } else { return None };
    let fits = (0..=24).contains(&hours) && (0..60).contains(&minutes) && (0..60).contains(&seconds);
    let us = (hours * 3600 + minutes * 60 + seconds) * 1_000_000 + fraction;
    (fits && parts.next().is_none() && (0..=DAY_US).contains(&us)).then_some(us)
}

/// Text as days.
pub fn text_to_date(array: &ArrayRef, _from: &LogicalType, to: &LogicalType) -> Result<ArrayRef, Refusal> {
    let value = |text: &str| match text {
        "-infinity" => Some(i32::MIN),
        "infinity" => Some(i32::MAX),
        _ => parse_days(text).and_then(|days| i32::try_from(days).ok()),
    };
    read::<Date32Type>(array, to, value, date_text)
}

/// Text as times of day.
pub fn text_to_time(array: &ArrayRef, _from: &LogicalType, to: &LogicalType) -> Result<ArrayRef, Refusal> {
    read::<Time64MicrosecondType>(array, to, parse_clock, |us| clock_text(us, fsp(to)))
}

/// Text as wall-clock readings.
pub fn text_to_timestamp(array: &ArrayRef, _from: &LogicalType, to: &LogicalType) -> Result<ArrayRef, Refusal> {
    let value = |text: &str| match text {
        "-infinity" => Some(i64::MIN),
        "infinity" => Some(i64::MAX),
        _ => {
            let (date, clock) = text.split_once(' ')?;
            parse_days(date)?.checked_mul(DAY_US)?.checked_add(parse_clock(clock)?)
        }
    };
    read::<TimestampMicrosecondType>(array, to, value, |us| timestamp_text(us, fsp(to)))
}
