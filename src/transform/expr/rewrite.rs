//! From DataFusion's meaning of an expression to the strict one: its arithmetic and its casts are replaced, the run's clock is set.

use std::sync::Arc;

use arrow::datatypes::{DataType, TimeUnit, i256};
use datafusion_common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion_common::{DFSchema, Result, ScalarValue, plan_err};
use datafusion_expr::expr::ScalarFunction;
use datafusion_expr::{BinaryExpr, Expr, ExprSchemable, Operator, ScalarUDF, ScalarUDFImpl};

use super::arithmetic::{Arithmetic, Negation};
use super::cast::{CastFunction, Rounding, UNRELATED};
use super::finite::{Finite, has_infinity};
use super::functions::UNNAMED_ZONE;
use crate::transform::numbers::power_of_ten;

const DAY_US: i64 = 86_400_000_000;

fn call(function: impl ScalarUDFImpl + 'static, arguments: Vec<Expr>) -> Expr {
    Expr::ScalarFunction(ScalarFunction::new_udf(Arc::new(ScalarUDF::new_from_impl(function)), arguments))
}

/// Before types are reconciled: the casts that were written, and the run's clock.
pub fn written(expr: Expr, schema: &DFSchema, now_us: i64, rounding: Rounding) -> Result<Expr> {
    expr.transform_up(|part| {
        Ok(match part {
            Expr::Literal(value, metadata) => Transformed::yes(Expr::Literal(whole(value)?, metadata)),
            Expr::Cast(cast) => Transformed::yes(cast_of(*cast.expr, cast.field.data_type(), rounding, false, schema)?),
            Expr::TryCast(cast) => Transformed::yes(cast_of(*cast.expr, cast.field.data_type(), rounding, true, schema)?),
            Expr::ScalarFunction(function) if function.args.is_empty() => match clock(function.name(), now_us) {
                Some(literal) => Transformed::yes(Expr::Literal(literal, None)),
                None => Transformed::no(Expr::ScalarFunction(function)),
            },
            Expr::ScalarFunction(_) => match part.get_type(schema) {
                // Beside these, columns would become nanoseconds too, which end in the year 2262.
                Ok(DataType::Timestamp(TimeUnit::Nanosecond, zone)) => {
                    let to = DataType::Timestamp(TimeUnit::Microsecond, zone);
                    Transformed::yes(call(CastFunction::new(to, rounding), vec![part]))
                }
                _ => Transformed::no(part),
            },
            other => Transformed::no(other),
        })
    })
    .data()
}

/// `1e10` is read as a decimal without its zeros, which no column has and few casts take.
fn whole(value: ScalarValue) -> Result<ScalarValue> {
    let (units, precision, scale) = match value {
        ScalarValue::Decimal128(Some(units), precision, scale @ ..0) => (i256::from_i128(units), precision, scale),
        ScalarValue::Decimal256(Some(units), precision, scale @ ..0) => (units, precision, scale),
        other => return Ok(other),
    };
    let digits = precision.saturating_add(scale.unsigned_abs());
    let units = power_of_ten(scale.unsigned_abs()).and_then(|power| units.checked_mul(power)).filter(|_| digits <= 76);
    match (units, units.and_then(i256::to_i128)) {
        (_, Some(units)) if digits <= 38 => Ok(ScalarValue::Decimal128(Some(units), digits, 0)),
        (Some(units), _) => Ok(ScalarValue::Decimal256(Some(units), digits, 0)),
        _ => plan_err!("the number has more than 76 digits; write a float as `CAST('1e100' AS DOUBLE)`"),
    }
}

fn clock(function: &str, now_us: i64) -> Option<ScalarValue> {
    match function {
        "now" => Some(ScalarValue::TimestampMicrosecond(Some(now_us), Some("UTC".into()))),
        "current_date" => i32::try_from(now_us.div_euclid(DAY_US)).ok().map(|days| ScalarValue::Date32(Some(days))),
        "current_time" => Some(ScalarValue::Time64Microsecond(Some(now_us.rem_euclid(DAY_US)))),
        _ => None,
    }
}

fn cast_of(inner: Expr, to: &DataType, rounding: Rounding, lenient: bool, schema: &DFSchema) -> Result<Expr> {
    let constant = inner.column_refs().is_empty();
    let (to, named) = match to {
        DataType::Timestamp(_, Some(zone)) if zone.as_ref() == UNNAMED_ZONE => {
            // Beside an instant already, or a constant, UTC is no guess.
            (DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())), constant)
        }
        DataType::Timestamp(TimeUnit::Nanosecond, Some(zone)) => {
            (DataType::Timestamp(TimeUnit::Microsecond, Some(Arc::clone(zone))), true)
        }
        DataType::Timestamp(TimeUnit::Nanosecond, None) => (DataType::Timestamp(TimeUnit::Microsecond, None), false),
        DataType::Time64(TimeUnit::Nanosecond) => (DataType::Time64(TimeUnit::Microsecond), false),
        other => (other.clone(), constant),
    };
    if inner.get_type(schema)? == to {
        return Ok(inner);
    }
    let rounding = if nearest_float(&inner, &to, schema)? { Rounding::Round } else { rounding };
    Ok(call(CastFunction::new(to, rounding).named_zone(named).lenient(lenient), vec![inner]))
}

/// A decimal constant means the nearest float where a float is wanted.
fn nearest_float(inner: &Expr, to: &DataType, schema: &DFSchema) -> Result<bool> {
    let constant =
        matches!(inner, Expr::Literal(..)) || matches!(inner, Expr::Negative(inner) if matches!(**inner, Expr::Literal(..)));
    Ok(constant
        && matches!(to, DataType::Float32 | DataType::Float64)
        && matches!(inner.get_type(schema)?, DataType::Decimal128(..) | DataType::Decimal256(..)))
}

/// After types are reconciled: the casts that DataFusion added, and arithmetic.
pub fn strict(expr: Expr, schema: &DFSchema, rounding: Rounding) -> Result<Expr> {
    expr.transform_up(|part| {
        Ok(match part {
            Expr::Cast(cast) => Transformed::yes(cast_of(*cast.expr, cast.field.data_type(), rounding, false, schema)?),
            Expr::TryCast(cast) => Transformed::yes(cast_of(*cast.expr, cast.field.data_type(), rounding, true, schema)?),
            // DataFusion has refused unsigned operands.
            Expr::Negative(inner) => Transformed::yes(call(Negation::new(), vec![*inner])),
            Expr::BinaryExpr(binary) => match checked(&binary, schema)? {
                Some(result) => {
                    let BinaryExpr { left, op, right } = binary;
                    Transformed::yes(call(Arithmetic::new(op, result), vec![finite(*left, schema)?, finite(*right, schema)?]))
                }
                None => Transformed::no(Expr::BinaryExpr(binary)),
            },
            other => Transformed::no(other),
        })
    })
    .data()
}

/// The type of a result that is to be computed by [`Arithmetic`].
fn checked(binary: &BinaryExpr, schema: &DFSchema) -> Result<Option<DataType>> {
    use Operator::{Divide, Minus, Modulo, Multiply, Plus};
    if !matches!(binary.op, Plus | Minus | Multiply | Divide | Modulo) {
        return Ok(None);
    }
    let (left, right) = (binary.left.get_type(schema)?, binary.right.get_type(schema)?);
    if let (DataType::Timestamp(_, left), DataType::Timestamp(_, right)) = (&left, &right)
        && left.is_some() != right.is_some()
    {
        return plan_err!("{UNRELATED}");
    }
    let days = matches!((&left, &right), (DataType::Date32 | DataType::Date64, DataType::Date32 | DataType::Date64));
    let time = |data_type: &DataType| matches!(data_type, DataType::Time32(_) | DataType::Time64(_));
    if days || time(&left) || time(&right) {
        // DataFusion's own: days between two dates; a time of day, round the clock.
        return Ok(None);
    }
    Ok(Some(Expr::BinaryExpr(binary.clone()).get_type(schema)?))
}

fn finite(inner: Expr, schema: &DFSchema) -> Result<Expr> {
    let guarded = matches!(&inner, Expr::ScalarFunction(function) if function.name() == "finite");
    if guarded || matches!(inner, Expr::Literal(..)) || !has_infinity(&inner.get_type(schema)?) {
        return Ok(inner);
    }
    Ok(call(Finite::new(), vec![inner]))
}

/// Functions that only choose among their arguments.
const CHOOSERS: &[&str] = &["finite", "coalesce", "greatest", "least", "nullif", "nvl", "nvl2"];

/// Guards the dates that go into functions, and the differences of dates.
pub fn guard(expr: Expr, schema: &DFSchema) -> Result<Expr> {
    expr.transform_up(|part| {
        Ok(match part {
            Expr::ScalarFunction(mut function) if !CHOOSERS.contains(&function.name()) => {
                // A cast to a date or timestamp keeps infinities itself, or fails.
                let cast = (*function.func.inner()).as_any_cast();
                if cast.is_some_and(has_infinity) {
                    return Ok(Transformed::no(Expr::ScalarFunction(function)));
                }
                let arguments = std::mem::take(&mut function.args);
                function.args = arguments.into_iter().map(|argument| finite(argument, schema)).collect::<Result<_>>()?;
                Transformed::yes(Expr::ScalarFunction(function))
            }
            Expr::BinaryExpr(BinaryExpr { left, op: Operator::Minus, right }) => {
                let (left, right) = (Box::new(finite(*left, schema)?), Box::new(finite(*right, schema)?));
                Transformed::yes(Expr::BinaryExpr(BinaryExpr { left, op: Operator::Minus, right }))
            }
            other => Transformed::no(other),
        })
    })
    .data()
}

/// The type that a checked cast makes, of a function that is one.
trait AsCast {
    fn as_any_cast(&self) -> Option<&DataType>;
}

impl AsCast for dyn ScalarUDFImpl {
    fn as_any_cast(&self) -> Option<&DataType> {
        let any: &dyn std::any::Any = self;
        any.downcast_ref::<CastFunction>().map(CastFunction::to)
    }
}

/// The operand of a checked cast.
pub fn cast_operand(expr: &Expr) -> Option<(&Expr, &DataType)> {
    let Expr::ScalarFunction(function) = expr else { return None };
    let to = (**function.func.inner()).as_any_cast()?;
    Some((function.args.first()?, to))
}

/// Nothing is left that could change a value in silence, or that is over more than a row.
pub fn verify(expr: &Expr) -> Result<()> {
    expr.apply(|part| {
        use datafusion_common::tree_node::TreeNodeRecursion;
        match part {
            Expr::Cast(_) | Expr::TryCast(_) | Expr::Negative(_) => plan_err!("a part of it could not be made strict: {part}"),
            Expr::AggregateFunction(_) | Expr::WindowFunction(_) | Expr::GroupingSet(_) => plan_err!("it is over many rows"),
            Expr::Exists(_)
            | Expr::InSubquery(_)
            | Expr::SetComparison(_)
            | Expr::ScalarSubquery(_)
            | Expr::OuterReferenceColumn(..) => {
                plan_err!("a subquery needs other rows")
            }
            Expr::Placeholder(_) | Expr::ScalarVariable(..) => plan_err!("there are no parameters"),
            Expr::Unnest(_) => plan_err!("`unnest` makes several rows of one"),
            Expr::HigherOrderFunction(_) | Expr::Lambda(_) | Expr::LambdaVariable(_) => {
                plan_err!("lambda functions have no place here")
            }
            _ => Ok(TreeNodeRecursion::Continue),
        }
    })?;
    Ok(())
}
