//! Casts that keep the value or are errors: those that an expression writes, those that DataFusion adds, and the last one to the target's type.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, PrimitiveArray};
use arrow::compute::kernels::cmp::distinct;
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{
    DataType, Date32Type, DurationMicrosecondType, Time64MicrosecondType, TimeUnit, TimestampMicrosecondType,
};
use datafusion_common::{Result, ScalarValue, exec_err, internal_err, plan_err};
use datafusion_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility};

use super::digits::{self, RoundingKernel};
use super::natural::natural;
use crate::model::LogicalType;
use crate::transform::numbers::is_number;
use crate::transform::pairs::{Cast, Kernel, Refusal, find};
use crate::transform::temporal::{fsp, infinite, unit_us};

/// What becomes of digits that a type does not hold.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rounding {
    /// They are an error, unless they are 0.
    #[default]
    Exact,
    /// The nearest value, half away from zero. Also lets a decimal become the nearest float.
    Round,
    /// The nearest value towards zero; for timestamps the last one before.
    Trunc,
}

/// How an array becomes one of another type.
#[derive(Clone)]
enum Way {
    Same,
    /// Arrow's cast, which for these types keeps the value or fails.
    Arrow,
    /// Arrow's cast, if the way back gives the same value.
    ThereAndBack,
    /// A kernel of the plain casts.
    Exact(Kernel, LogicalType, LogicalType),
    Digits(RoundingKernel, LogicalType, LogicalType),
    /// Arrow's cast of text that tells a moment in so many digits of fraction, with or without a date and a time of day.
    Moment {
        digits: usize,
        clock: bool,
    },
    /// Times with fewer digits of fraction.
    Fraction(LogicalType),
    /// The day of a wall-clock reading.
    Day,
    /// A list of text as a set.
    Labels(Vec<String>),
    /// First to the natural type, then on.
    Then(Box<Way>, DataType, Box<Way>),
}

/// Why there is no cast between a wall clock and an instant.
pub const UNRELATED: &str =
    "a wall-clock reading and an instant become each other only by a named time zone: `x AT TIME ZONE 'UTC'`, `to_local_time(x)`";

const OPTIONS: CastOptions<'static> = CastOptions { safe: false, format_options: arrow::util::display::FormatOptions::new() };

/// A cast, ready to run.
#[derive(Clone)]
pub struct CheckedCast {
    way: Way,
    to: DataType,
}

impl CheckedCast {
    /// The cast of results of the Arrow type `from`, which is also `natural` when that is known better, to the target's type.
    ///
    /// # Errors
    /// Why there is none.
    pub fn to_target(from: &DataType, natural: &LogicalType, target: &LogicalType, rounding: Rounding) -> Result<Self, String> {
        let middle = natural.arrow();
        let last = last_way(natural, target, rounding)?;
        let way = match way(from, &middle, rounding, false)? {
            Way::Same => last,
            first => Way::Then(Box::new(first), middle, Box::new(last)),
        };
        Ok(CheckedCast { way, to: target.arrow() })
    }

    /// Casts an array.
    ///
    /// # Errors
    /// The first value that cannot be cast. Its row is right unless Arrow refused, which does not tell.
    pub fn run(&self, array: &ArrayRef, rounding: Rounding) -> Result<ArrayRef, Refusal> {
        run(&self.way, array, &self.to, rounding)
    }
}

/// From a result's own type to the target's.
fn last_way(from: &LogicalType, to: &LogicalType, rounding: Rounding) -> Result<Way, String> {
    use LogicalType as L;
    let way = match (from, to) {
        (L::Float32 | L::Float64, number) if is_number(number) => digits_way(digits::float_to_number(from, to), from, to)?,
        (number, L::Float32 | L::Float64) if is_number(number) => digits_way(digits::number_to_float(from, to), from, to)?,
        // With more room Arrow's cast is exact, and several times as fast.
        (number, other) if widens(&number.arrow(), &other.arrow()) => Way::Arrow,
        (number, other) if is_number(number) && is_number(other) && rounding != Rounding::Exact => {
            digits_way(digits::number_to_number(from, to), from, to)?
        }
        (L::Float64, L::Float32) if rounding == Rounding::Round => Way::Arrow,
        (L::Time { fsp: has }, L::Time { fsp: wants })
        | (L::Duration { fsp: has }, L::Duration { fsp: wants })
        | (L::Timestamp { fsp: has, .. }, L::Timestamp { fsp: wants, .. })
            if wants < has && rounding != Rounding::Exact && find(from, to).is_ok() =>
        {
            Way::Fraction(to.clone())
        }
        (L::Timestamp { zone: crate::model::logical::Zone::None, .. }, L::Date) => Way::Day,
        (L::Array { item }, L::Set { labels }) if matches!(**item, L::Text { .. }) => Way::Labels(labels.clone()),
        (L::Vector { dimensions: has }, L::Vector { dimensions: wants }) if has == wants => Way::Arrow,
        (L::Array { .. }, L::Array { .. }) => way(&from.arrow(), &to.arrow(), rounding, false)?,
        _ => match find(from, to)? {
            Cast::Identity => Way::Same,
            Cast::Checked(kernel) => Way::Exact(kernel, from.clone(), to.clone()),
        },
    };
    Ok(way)
}

fn digits_way(kernel: Option<RoundingKernel>, from: &LogicalType, to: &LogicalType) -> Result<Way, String> {
    match kernel {
        Some(kernel) => Ok(Way::Digits(kernel, from.clone(), to.clone())),
        None => Err("there is no exact cast between the two".into()),
    }
}

/// The cast between two Arrow types. `zone_is_named` if a time zone was written, so that a wall clock may become an instant.
fn way(from: &DataType, to: &DataType, rounding: Rounding, zone_is_named: bool) -> Result<Way, String> {
    use DataType as D;
    let none = || Err(format!("{} cannot be cast to {} without a loss", name(from), name(to)));
    if from == to {
        return Ok(Way::Same);
    }
    let numeric = |data_type: &D| data_type.is_integer() || matches!(data_type, D::Decimal128(_, 0..) | D::Decimal256(_, 0..));
    let text = |data_type: &D| matches!(data_type, D::Utf8 | D::LargeUtf8 | D::Utf8View);
    let bytes = |data_type: &D| matches!(data_type, D::Binary | D::LargeBinary | D::BinaryView | D::FixedSizeBinary(_));
    let float = |data_type: &D| matches!(data_type, D::Float32 | D::Float64);
    Ok(match (from, to) {
        (D::Null, _) => Way::Arrow,
        (D::Decimal32(precision, scale) | D::Decimal64(precision, scale), D::Decimal128(..) | D::Decimal256(..)) => {
            let middle = D::Decimal128(*precision, *scale);
            Way::Then(Box::new(Way::Arrow), middle.clone(), Box::new(way(&middle, to, rounding, false)?))
        }
        (D::Decimal128(_, ..0) | D::Decimal256(_, ..0), number) if numeric(number) => Way::ThereAndBack,
        (a, b) if numeric(a) && numeric(b) => match (natural(a), natural(b)) {
            _ if widens(a, b) => Way::Arrow,
            (Some(from), Some(to)) => digits_way(digits::number_to_number(&from, &to), &from, &to)?,
            _ => return none(),
        },
        (D::Float32, D::Float64) => Way::Arrow,
        (D::Float64, D::Float32) if rounding == Rounding::Round => Way::Arrow,
        (a, b) if float(a) && float(b) => last_way(&LogicalType::Float64, &LogicalType::Float32, rounding)?,
        (a, b) if numeric(a) && float(b) || float(a) && numeric(b) => match (natural(a), natural(b)) {
            (Some(from), Some(to)) => last_way(&from, &to, rounding)?,
            _ => return none(),
        },
        (D::Boolean, b) if b.is_integer() || text(b) => Way::Arrow,
        (a, D::Boolean) if a.is_integer() => match natural(a) {
            Some(from) => last_way(&from, &LogicalType::Bool, rounding)?,
            None => return none(),
        },
        (a, b) if text(a) && text(b) => Way::Arrow,
        (a, D::Decimal128(..) | D::Decimal256(..)) if text(a) => match natural(to) {
            Some(logical) => {
                let plain = digits_way(digits::text_to_decimal(&logical), &LogicalType::Text { length: None }, &logical)?;
                Way::Then(Box::new(Way::Arrow), D::Utf8, Box::new(plain))
            }
            None => return none(),
        },
        (a, D::Date32) if text(a) => Way::Moment { digits: 0, clock: false },
        (a, D::Timestamp(unit, _) | D::Time32(unit) | D::Time64(unit)) if text(a) => {
            Way::Moment { digits: fraction(*unit), clock: true }
        }
        (a, b) if text(a) && (b.is_integer() || float(b) || bytes(b) || matches!(b, D::Boolean | D::Interval(_))) => Way::Arrow,
        (D::FixedSizeBinary(_), b) if text(b) => return none(),
        (a, b) if bytes(a) && (bytes(b) || text(b)) => Way::Arrow,
        (a, b) if text(b) && (numeric(a) || float(a)) => Way::Arrow,
        (D::Date32 | D::Timestamp(_, None) | D::Time32(_) | D::Time64(_) | D::Interval(_) | D::Duration(_), b) if text(b) => {
            Way::Arrow
        }
        (D::Timestamp(_, Some(_)), b) if text(b) => Way::Arrow,
        (D::Timestamp(a, Some(_)), D::Timestamp(b, Some(_))) if a == b => Way::Arrow,
        (D::Date32, D::Timestamp(TimeUnit::Microsecond, None)) => {
            last_way(&LogicalType::Date, &natural(to).unwrap_or(LogicalType::Date), rounding)?
        }
        // Arrow refuses what the zone does not have, or has twice.
        (D::Timestamp(a, None), D::Timestamp(b, Some(_))) if a == b && zone_is_named => Way::Arrow,
        (D::Timestamp(_, None) | D::Date32, D::Timestamp(unit, Some(_))) if zone_is_named => {
            let middle = D::Timestamp(*unit, None);
            Way::Then(Box::new(way(from, &middle, rounding, false)?), middle, Box::new(Way::Arrow))
        }
        (D::Timestamp(_, a), D::Timestamp(_, b)) if a.is_some() == b.is_some() || zone_is_named => Way::ThereAndBack,
        (D::Date32, D::Timestamp(_, None)) => Way::ThereAndBack,
        (D::Timestamp(TimeUnit::Microsecond, None), D::Date32) => Way::Day,
        (D::Date32 | D::Date64, D::Date32 | D::Date64)
        | (D::Time32(_) | D::Time64(_), D::Time32(_) | D::Time64(_))
        | (D::Duration(_), D::Duration(_))
        | (D::Timestamp(_, None), D::Date32 | D::Date64) => Way::ThereAndBack,
        (D::Interval(_), D::Interval(_)) => Way::Arrow,
        (D::Timestamp(_, Some(_)) | D::Date32, D::Timestamp(..)) | (D::Timestamp(_, None), D::Timestamp(_, Some(_))) => {
            return Err(UNRELATED.into());
        }
        (D::Timestamp(_, Some(_)), D::Date32) => {
            return Err("an instant has a date only in a time zone: `CAST(date_trunc('day', to_local_time(x AT TIME ZONE 'UTC')) AS DATE)`".into());
        }
        (D::List(a) | D::LargeList(a) | D::FixedSizeList(a, _), D::List(b) | D::LargeList(b) | D::FixedSizeList(b, _)) => {
            match way(a.data_type(), b.data_type(), rounding, false)? {
                Way::Same | Way::Arrow => Way::Arrow,
                _ => return none(),
            }
        }
        _ => return none(),
    })
}

fn fraction(unit: TimeUnit) -> usize {
    match unit {
        TimeUnit::Second => 0,
        TimeUnit::Millisecond => 3,
        TimeUnit::Microsecond => 6,
        TimeUnit::Nanosecond => 9,
    }
}

/// True if every number of one type is one of the other.
pub fn widens(from: &DataType, to: &DataType) -> bool {
    use DataType as D;
    /// Whole digits, digits of fraction; 0 digits for what is no such number.
    fn digits(data_type: &D) -> Option<(u8, u8)> {
        let whole = match data_type {
            D::Int8 | D::UInt8 => 3,
            D::Int16 | D::UInt16 => 5,
            D::Int32 | D::UInt32 => 10,
            D::Int64 => 19,
            D::UInt64 => 20,
            D::Decimal128(precision, scale) | D::Decimal256(precision, scale) => {
                let scale = u8::try_from(*scale).ok()?;
                return Some((precision.checked_sub(scale)?, scale));
            }
            _ => return None,
        };
        Some((whole, 0))
    }
    fn bits(data_type: &D) -> Option<(u8, bool)> {
        Some(match data_type {
            D::Int8 => (8, true),
            D::Int16 => (16, true),
            D::Int32 => (32, true),
            D::Int64 => (64, true),
            D::UInt8 => (8, false),
            D::UInt16 => (16, false),
            D::UInt32 => (32, false),
            D::UInt64 => (64, false),
            _ => return None,
        })
    }
    match (bits(from), bits(to)) {
        (Some((has, false)), Some((room, true))) => has < room,
        (Some((has, signed)), Some((room, too))) => signed == too && has <= room,
        (_, None) => match (digits(from), digits(to)) {
            (Some((whole, fraction)), Some((room, places))) => whole <= room && fraction <= places,
            _ => false,
        },
        _ => false,
    }
}

/// An Arrow type in the words of SQL, as far as it has them.
pub fn name(data_type: &DataType) -> String {
    natural(data_type).map_or_else(|| data_type.to_string(), |logical| logical.to_string())
}

fn refuse(row: usize, why: impl Into<String>) -> Refusal {
    Refusal { row, why: why.into() }
}

fn arrow_cast(array: &ArrayRef, to: &DataType) -> Result<ArrayRef, Refusal> {
    cast_with_options(array, to, &OPTIONS).map_err(|error| refuse(0, super::fault::words(&error.into())))
}

fn run(way: &Way, array: &ArrayRef, to: &DataType, rounding: Rounding) -> Result<ArrayRef, Refusal> {
    match way {
        Way::Same => Ok(Arc::clone(array)),
        Way::Arrow => {
            let result = arrow_cast(array, to)?;
            let burst = matches!((array.data_type(), to), (DataType::Float64, DataType::Float32))
                && array
                    .as_primitive::<arrow::datatypes::Float64Type>()
                    .iter()
                    .flatten()
                    .zip(result.as_primitive::<arrow::datatypes::Float32Type>().iter().flatten())
                    .any(|(double, single)| double.is_finite() && !single.is_finite());
            if burst { Err(refuse(0, "a value is out of range for float32")) } else { Ok(result) }
        }
        Way::ThereAndBack => {
            let there = arrow_cast(array, to)?;
            let back = arrow_cast(&there, array.data_type())?;
            let differs = distinct(array, &back).map_err(|error| refuse(0, error.to_string()))?;
            match differs.values().set_indices().next() {
                Some(row) => Err(refuse(row, format!("the value would change as {}", name(to)))),
                None => Ok(there),
            }
        }
        Way::Exact(kernel, from, logical) => kernel(array, from, logical),
        Way::Digits(kernel, from, logical) => kernel(array, from, logical, rounding),
        Way::Moment { digits, clock } => {
            let text = arrow_cast(array, &DataType::Utf8)?;
            for (row, text) in text.as_string::<i32>().iter().enumerate() {
                if let Some(why) = text.and_then(|text| unheld(text, *digits, *clock)) {
                    return Err(refuse(
                        row,
                        format!("`{}` {why} {}", crate::transform::text::shorten(text.unwrap_or_default()), name(to)),
                    ));
                }
            }
            arrow_cast(array, to)
        }
        Way::Fraction(logical) => Ok(fewer_digits(array, unit_us(fsp(logical)), rounding)),
        Way::Day => days(array, rounding),
        Way::Labels(labels) => check_labels(array, labels, to),
        Way::Then(first, middle, last) => run(last, &run(first, array, middle, rounding)?, to, rounding),
    }
}

/// Why a moment in this text would lose something: Arrow cuts what a type does not hold.
fn unheld(text: &str, digits: usize, clock: bool) -> Option<&'static str> {
    if !clock && text.contains(':') {
        return Some("has a time of day, which is not held by");
    }
    let (_, fraction) = text.split_once('.')?;
    let end = fraction.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(fraction.len());
    let lost = fraction.get(..end)?.get(digits..).unwrap_or_default();
    lost.bytes().any(|digit| digit != b'0').then_some("has more digits of fraction than are held by")
}

fn fewer_digits(array: &ArrayRef, unit: i64, rounding: Rounding) -> ArrayRef {
    let cut = |us: i64| {
        if infinite(us) {
            return us;
        }
        let floor = us.div_euclid(unit) * unit;
        let up = rounding == Rounding::Round && us - floor >= unit - (us - floor) && unit > 1;
        if up { floor.saturating_add(unit) } else { floor }
    };
    match array.data_type() {
        DataType::Time64(_) => {
            let values: PrimitiveArray<Time64MicrosecondType> = array.as_primitive::<Time64MicrosecondType>().unary(cut);
            Arc::new(values)
        }
        DataType::Duration(_) => {
            let values: PrimitiveArray<DurationMicrosecondType> = array.as_primitive::<DurationMicrosecondType>().unary(cut);
            Arc::new(values)
        }
        _ => {
            let values: PrimitiveArray<TimestampMicrosecondType> = array.as_primitive::<TimestampMicrosecondType>().unary(cut);
            Arc::new(values.with_data_type(array.data_type().clone()))
        }
    }
}

/// The days of wall-clock readings, of which only midnights are exact.
fn days(array: &ArrayRef, rounding: Rounding) -> Result<ArrayRef, Refusal> {
    const DAY_US: i64 = 86_400_000_000;
    let stamps = array.as_primitive::<TimestampMicrosecondType>();
    let day = |us: i64| match us {
        i64::MIN => Ok(i32::MIN),
        i64::MAX => Ok(i32::MAX),
        _ if rounding == Rounding::Exact && us.rem_euclid(DAY_US) != 0 => {
            Err("the timestamp has a time of day, which a date does not hold; use `date_trunc('day', …)` to drop it".to_string())
        }
        _ => i32::try_from(us.div_euclid(DAY_US)).map_err(|_| "the timestamp is out of range for a date".to_string()),
    };
    let days = crate::transform::numbers::map::<TimestampMicrosecondType, Date32Type>(stamps, day)?;
    Ok(Arc::new(days))
}

/// A list of text whose elements are labels, each at most once and in the order of their declaration.
fn check_labels(array: &ArrayRef, labels: &[String], to: &DataType) -> Result<ArrayRef, Refusal> {
    let lists = array.as_list::<i32>();
    for row in (0..lists.len()).filter(|row| lists.is_valid(*row)) {
        let values = lists.value(row);
        let mut rest = labels.iter();
        for value in values.as_string::<i32>() {
            let found = value.is_some_and(|value| rest.any(|label| label == value));
            if !found {
                let value = crate::transform::text::shorten(value.unwrap_or("NULL"));
                let why = format!("`{value}` is none of the {} labels, or does not stand in their order", labels.len());
                return Err(refuse(row, why));
            }
        }
    }
    arrow_cast(array, to)
}

/// A cast within an expression.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct CastFunction {
    to: DataType,
    rounding: Rounding,
    zone_is_named: bool,
    /// NULL where the cast would be an error.
    lenient: bool,
    signature: Signature,
}

impl CastFunction {
    /// A cast to `to`.
    pub fn new(to: DataType, rounding: Rounding) -> Self {
        let signature = Signature::any(1, Volatility::Immutable);
        CastFunction { to, rounding, zone_is_named: false, lenient: false, signature }
    }

    /// A wall clock may become an instant: the zone was written, or the value is a constant.
    pub fn named_zone(mut self, named: bool) -> Self {
        self.zone_is_named = named;
        self
    }

    /// NULL where the cast would be an error.
    pub fn lenient(mut self, lenient: bool) -> Self {
        self.lenient = lenient;
        self
    }

    /// The type that comes out.
    pub fn to(&self) -> &DataType {
        &self.to
    }

    fn apply(&self, array: &ArrayRef) -> Result<ArrayRef> {
        let way = match way(array.data_type(), &self.to, self.rounding, self.zone_is_named) {
            Ok(way) => way,
            Err(why) => return plan_err!("{why}"),
        };
        match run(&way, array, &self.to, self.rounding) {
            Ok(result) => Ok(result),
            Err(_) if self.lenient => self.row_by_row(&way, array),
            Err(refusal) => exec_err!("{}", refusal.why),
        }
    }

    fn row_by_row(&self, way: &Way, array: &ArrayRef) -> Result<ArrayRef> {
        let null = arrow::array::new_null_array(&self.to, 1);
        let rows: Vec<ArrayRef> = (0..array.len())
            .map(|row| run(way, &array.slice(row, 1), &self.to, self.rounding).unwrap_or_else(|_| Arc::clone(&null)))
            .collect();
        let rows: Vec<&dyn Array> = rows.iter().map(AsRef::as_ref).collect();
        Ok(arrow::compute::concat(&rows)?)
    }
}

impl ScalarUDFImpl for CastFunction {
    fn name(&self) -> &str {
        "checked_cast"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        let [from] = arguments else { return internal_err!("a cast has one operand") };
        match way(from, &self.to, self.rounding, self.zone_is_named) {
            Ok(_) => Ok(self.to.clone()),
            Err(why) => plan_err!("{why}"),
        }
    }

    fn invoke_with_args(&self, call: ScalarFunctionArgs) -> Result<ColumnarValue> {
        match call.args.as_slice() {
            [ColumnarValue::Array(array)] => Ok(ColumnarValue::Array(self.apply(array)?)),
            [ColumnarValue::Scalar(scalar)] => {
                let result = self.apply(&scalar.to_array()?)?;
                Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&result, 0)?))
            }
            _ => internal_err!("a cast has one operand"),
        }
    }
}
