//! Dates, times, timestamps, durations and intervals.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, Date32Builder, DurationMicrosecondBuilder, IntervalMonthDayNanoBuilder, Time64MicrosecondBuilder,
    TimestampMicrosecondBuilder,
};
use arrow::datatypes::IntervalMonthDayNano;

use super::hashes::Form;
use super::{fixed, unfit};
use crate::engine::postgres::target::PgType;
use crate::error::Result;
use crate::model::LogicalType;
use crate::model::logical::Zone;

/// Days from 1970-01-01 to 2000-01-01, where PostgreSQL counts from.
const EPOCH_DAYS: i32 = 10_957;
/// The same in microseconds.
const EPOCH_MICROS: i64 = 946_684_800_000_000;
const DAY_MICROS: i64 = 86_400_000_000;

/// To dates, times, timestamps, durations and intervals.
pub(super) enum Temporal {
    Date(Date32Builder),
    Time(Time64MicrosecondBuilder),
    TimeFromInterval(Time64MicrosecondBuilder),
    Timestamp(TimestampMicrosecondBuilder),
    Duration(DurationMicrosecondBuilder),
    DurationFromTime(DurationMicrosecondBuilder),
    Interval(IntervalMonthDayNanoBuilder),
}

impl Temporal {
    pub(super) fn new(logical: &LogicalType, pg_type: &PgType) -> Option<Self> {
        use LogicalType as L;
        Some(match (logical, pg_type) {
            (L::Date, PgType::Date) => Temporal::Date(Date32Builder::new()),
            (L::Time { .. }, PgType::Time) => Temporal::Time(Time64MicrosecondBuilder::new()),
            (L::Time { .. }, PgType::Interval) => Temporal::TimeFromInterval(Time64MicrosecondBuilder::new()),
            (L::Timestamp { zone: Zone::None, .. }, PgType::Timestamp)
            | (L::Timestamp { zone: Zone::Utc, .. }, PgType::Timestamptz) => {
                Temporal::Timestamp(TimestampMicrosecondBuilder::new().with_data_type(logical.arrow()))
            }
            (L::Duration { .. }, PgType::Interval) => Temporal::Duration(DurationMicrosecondBuilder::new()),
            (L::Duration { .. }, PgType::Time) => Temporal::DurationFromTime(DurationMicrosecondBuilder::new()),
            (L::Interval, PgType::Interval) => Temporal::Interval(IntervalMonthDayNanoBuilder::new()),
            _ => return None,
        })
    }

    pub(super) fn form(&self) -> Form {
        match self {
            Temporal::Date(_) => Form::Date,
            Temporal::Time(_) | Temporal::DurationFromTime(_) => Form::Micros,
            Temporal::Timestamp(_) => Form::Timestamp,
            Temporal::TimeFromInterval(_) | Temporal::Duration(_) => Form::Duration,
            Temporal::Interval(_) => Form::Decoded,
        }
    }

    #[inline]
    pub(super) fn push(&mut self, field: Option<&[u8]>) -> Result<()> {
        match self {
            Temporal::Date(builder) => builder.append_option(field.map(date).transpose()?),
            Temporal::Time(builder) => builder.append_option(field.map(micros).transpose()?),
            Temporal::TimeFromInterval(builder) => builder.append_option(field.map(duration).transpose()?),
            Temporal::Timestamp(builder) => builder.append_option(field.map(timestamp).transpose()?),
            Temporal::Duration(builder) => builder.append_option(field.map(duration).transpose()?),
            Temporal::DurationFromTime(builder) => builder.append_option(field.map(micros).transpose()?),
            Temporal::Interval(builder) => builder.append_option(field.map(interval).transpose()?),
        }
        Ok(())
    }

    pub(super) fn finish(&mut self) -> ArrayRef {
        match self {
            Temporal::Date(builder) => Arc::new(builder.finish()),
            Temporal::Time(builder) | Temporal::TimeFromInterval(builder) => Arc::new(builder.finish()),
            Temporal::Timestamp(builder) => Arc::new(builder.finish()),
            Temporal::Duration(builder) | Temporal::DurationFromTime(builder) => Arc::new(builder.finish()),
            Temporal::Interval(builder) => Arc::new(builder.finish()),
        }
    }
}

#[inline]
pub(super) fn date(field: &[u8]) -> Result<i32> {
    match i32::from_be_bytes(fixed(field)?) {
        // -infinity and infinity on both sides.
        infinite @ (i32::MIN | i32::MAX) => Ok(infinite),
        days => days.checked_add(EPOCH_DAYS).ok_or_else(|| unfit("the target holds a date that Arrow cannot hold")),
    }
}

#[inline]
pub(super) fn timestamp(field: &[u8]) -> Result<i64> {
    match i64::from_be_bytes(fixed(field)?) {
        infinite @ (i64::MIN | i64::MAX) => Ok(infinite),
        micros => micros.checked_add(EPOCH_MICROS).ok_or_else(|| unfit("the target holds a timestamp that Arrow cannot hold")),
    }
}

#[inline]
pub(super) fn micros(field: &[u8]) -> Result<i64> {
    Ok(i64::from_be_bytes(fixed(field)?))
}

/// Microseconds, days, months.
fn parts(field: &[u8]) -> Result<(i64, i32, i32)> {
    let bytes: [u8; 16] = fixed(field)?;
    let [a, b, c, d, e, f, g, h, day @ .., i, j, k, l] = bytes;
    let parts = (i64::from_be_bytes([a, b, c, d, e, f, g, h]), i32::from_be_bytes(day), i32::from_be_bytes([i, j, k, l]));
    match parts {
        (i64::MIN, i32::MIN, i32::MIN) | (i64::MAX, i32::MAX, i32::MAX) => Err(unfit("the target holds an infinite interval")),
        parts => Ok(parts),
    }
}

#[inline]
pub(super) fn duration(field: &[u8]) -> Result<i64> {
    let (micros, days, months) = parts(field)?;
    if months != 0 {
        return Err(unfit("the target holds an interval with months, which have no fixed length"));
    }
    i64::from(days)
        .checked_mul(DAY_MICROS)
        .and_then(|days| days.checked_add(micros))
        .ok_or_else(|| unfit("the target holds an interval that is too long"))
}

fn interval(field: &[u8]) -> Result<IntervalMonthDayNano> {
    let (micros, days, months) = parts(field)?;
    let nanoseconds = micros
        .checked_mul(1_000)
        .ok_or_else(|| unfit("the target holds an interval of more than 292 years in seconds, which Arrow cannot hold"))?;
    Ok(IntervalMonthDayNano { months, days, nanoseconds })
}
