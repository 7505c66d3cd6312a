//! Refuses the dates and timestamps that mean infinity, where a function would take them for a day of the calendar.

use arrow::array::{Array, AsArray, PrimitiveArray};
use arrow::datatypes::{ArrowPrimitiveType, DataType, Date32Type, TimeUnit, TimestampMicrosecondType};
use datafusion_common::{Result, ScalarValue, exec_err, internal_err};
use datafusion_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility};

/// The types with infinite values.
pub fn has_infinity(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Date32 | DataType::Timestamp(TimeUnit::Microsecond, _))
}

/// Its argument, which must not be infinite.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Finite {
    signature: Signature,
}

impl Finite {
    /// The one there is.
    pub fn new() -> Self {
        Finite { signature: Signature::any(1, Volatility::Immutable) }
    }
}

fn infinite<T: ArrowPrimitiveType>(array: &PrimitiveArray<T>, low: T::Native, high: T::Native) -> bool {
    let suspect = array.values().iter().any(|value| *value == low || *value == high);
    suspect && array.iter().flatten().any(|value| value == low || value == high)
}

impl ScalarUDFImpl for Finite {
    fn name(&self) -> &str {
        "finite"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        match arguments {
            [argument] => Ok(argument.clone()),
            _ => internal_err!("one value is checked at a time"),
        }
    }

    fn invoke_with_args(&self, call: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let found = match call.args.as_slice() {
            [ColumnarValue::Array(array)] => match array.data_type() {
                DataType::Date32 => infinite::<Date32Type>(array.as_primitive(), i32::MIN, i32::MAX),
                DataType::Timestamp(TimeUnit::Microsecond, _) => {
                    infinite::<TimestampMicrosecondType>(array.as_primitive(), i64::MIN, i64::MAX)
                }
                _ => false,
            },
            [ColumnarValue::Scalar(ScalarValue::Date32(Some(value)))] => *value == i32::MIN || *value == i32::MAX,
            [ColumnarValue::Scalar(ScalarValue::TimestampMicrosecond(Some(value), _))] => {
                *value == i64::MIN || *value == i64::MAX
            }
            _ => false,
        };
        if found {
            return exec_err!("the value is infinite, which no calculation can be done with");
        }
        call.args.into_iter().next().map_or_else(|| internal_err!("one value is checked at a time"), Ok)
    }
}
