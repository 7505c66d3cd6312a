//! `+ - * / %` and unary minus that end in the right value or in an error. DataFusion's own wrap around for integers.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Datum};
use arrow::compute::kernels::numeric::{add, div, mul, neg, rem, sub};
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Decimal128Type, Decimal256Type, Float32Type, Float64Type, IntervalMonthDayNanoType,
    IntervalUnit,
};
use datafusion_common::{Result, ScalarValue, exec_err, internal_err};
use datafusion_expr::{ColumnarValue, Operator, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility};

const DAY_NS: i64 = 86_400_000_000_000;

/// A checked operation on two values, of the type that DataFusion gives its result.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Arithmetic {
    operator: Operator,
    result: DataType,
    signature: Signature,
}

impl Arithmetic {
    /// `operator` is one of `+ - * / %`; `result` is the type that DataFusion gives it.
    pub fn new(operator: Operator, result: DataType) -> Self {
        Arithmetic { operator, result, signature: Signature::any(2, Volatility::Immutable) }
    }

    fn compute(&self, left: &dyn Datum, right: &dyn Datum) -> Result<ArrayRef> {
        self.check_days(right)?;
        let result = match self.operator {
            Operator::Plus => add(left, right)?,
            Operator::Minus => sub(left, right)?,
            Operator::Multiply => mul(left, right)?,
            Operator::Divide => div(left, right)?,
            Operator::Modulo => rem(left, right)?,
            other => return internal_err!("`{other}` is no arithmetic"),
        };
        self.check(left, right, &result)?;
        Ok(result)
    }

    /// What Arrow's kernels let pass: floats that leave the finite, decimals with more digits than their type.
    fn check(&self, left: &dyn Datum, right: &dyn Datum, result: &ArrayRef) -> Result<()> {
        match result.data_type() {
            DataType::Float32 => check_floats::<Float32Type>(left, right, result, |value| value.is_finite()),
            DataType::Float64 => check_floats::<Float64Type>(left, right, result, |value| value.is_finite()),
            DataType::Decimal128(precision, _) => {
                Ok(result.as_primitive::<Decimal128Type>().validate_decimal_precision(*precision)?)
            }
            DataType::Decimal256(precision, _) => {
                Ok(result.as_primitive::<Decimal256Type>().validate_decimal_precision(*precision)?)
            }
            _ => Ok(()),
        }
    }

    /// A date plus an interval is a date: hours in the interval would be lost.
    fn check_days(&self, right: &dyn Datum) -> Result<()> {
        let (array, _) = right.get();
        if self.result != DataType::Date32 || !matches!(array.data_type(), DataType::Interval(IntervalUnit::MonthDayNano)) {
            return Ok(());
        }
        if array.as_primitive::<IntervalMonthDayNanoType>().iter().flatten().any(|interval| interval.nanoseconds % DAY_NS != 0) {
            return exec_err!("a date and an interval with hours make no date; cast the date to a timestamp first");
        }
        Ok(())
    }
}

fn check_floats<T: ArrowPrimitiveType>(
    left: &dyn Datum,
    right: &dyn Datum,
    result: &ArrayRef,
    finite: impl Fn(T::Native) -> bool,
) -> Result<()> {
    let result = result.as_primitive::<T>();
    if result.values().iter().all(|value| finite(*value)) {
        return Ok(());
    }
    let ((left, left_scalar), (right, right_scalar)) = (left.get(), right.get());
    let (Some(left), Some(right)) = (left.as_primitive_opt::<T>(), right.as_primitive_opt::<T>()) else { return Ok(()) };
    for row in (0..result.len()).filter(|row| result.is_valid(*row) && !finite(result.value(*row))) {
        let left = left.value(if left_scalar { 0 } else { row });
        let right = right.value(if right_scalar { 0 } else { row });
        if finite(left) && finite(right) {
            let zero = right == T::Native::default();
            return exec_err!("{}", if zero { "division by zero" } else { "overflow: the result is beyond the largest float" });
        }
    }
    Ok(())
}

impl ScalarUDFImpl for Arithmetic {
    fn name(&self) -> &str {
        match self.operator {
            Operator::Plus => "checked_add",
            Operator::Minus => "checked_subtract",
            Operator::Multiply => "checked_multiply",
            Operator::Divide => "checked_divide",
            _ => "checked_modulo",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(self.result.clone())
    }

    fn invoke_with_args(&self, call: ScalarFunctionArgs) -> Result<ColumnarValue> {
        use ColumnarValue::{Array, Scalar};
        let [left, right] = call.args.as_slice() else { return internal_err!("an operator has two sides") };
        let result = match (left, right) {
            (Array(left), Array(right)) => self.compute(left, right)?,
            (Array(left), Scalar(right)) => self.compute(left, &right.to_scalar()?)?,
            (Scalar(left), Array(right)) => self.compute(&left.to_scalar()?, right)?,
            (Scalar(left), Scalar(right)) => {
                let result = self.compute(&left.to_array()?, &right.to_array()?)?;
                return Ok(Scalar(ScalarValue::try_from_array(&result, 0)?));
            }
        };
        Ok(Array(result))
    }
}

/// A checked unary minus. Its argument is signed.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Negation {
    signature: Signature,
}

impl Negation {
    /// The one there is.
    pub fn new() -> Self {
        Negation { signature: Signature::any(1, Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for Negation {
    fn name(&self) -> &str {
        "checked_negate"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        match arguments {
            [argument] => Ok(argument.clone()),
            _ => internal_err!("a minus has one operand"),
        }
    }

    fn invoke_with_args(&self, call: ScalarFunctionArgs) -> Result<ColumnarValue> {
        match call.args.as_slice() {
            [ColumnarValue::Array(array)] => Ok(ColumnarValue::Array(neg(array)?)),
            [ColumnarValue::Scalar(scalar)] => {
                let result: Arc<dyn Array> = neg(&scalar.to_array()?)?;
                Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&result, 0)?))
            }
            _ => internal_err!("a minus has one operand"),
        }
    }
}
