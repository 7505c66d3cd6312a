//! The part of a condition that a source can check in its own SQL, with the same result.

use datafusion_common::ScalarValue;
use datafusion_expr::expr::InList;
use datafusion_expr::{BinaryExpr, Expr, Operator};

use super::cast::widens;
use super::rewrite::cast_operand;
use super::scope::Scope;
use crate::model::LogicalType;
use crate::model::logical::Zone;
use crate::transform::numbers::{is_number, shown};
use arrow::datatypes::i256;

/// What a source may check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pushdown {
    /// The condition. It is true for every row for which the whole predicate is.
    pub predicate: PushedPredicate,
    /// The condition is the whole predicate. It is evaluated on the batch all the same.
    pub complete: bool,
}

/// How a column is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// `=`
    Equal,
    /// `<>`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
}

impl Comparison {
    /// The operator in SQL.
    pub fn sql(self) -> &'static str {
        match self {
            Comparison::Equal => "=",
            Comparison::NotEqual => "<>",
            Comparison::Less => "<",
            Comparison::LessOrEqual => "<=",
            Comparison::Greater => ">",
            Comparison::GreaterOrEqual => ">=",
        }
    }

    fn of(operator: Operator) -> Option<Self> {
        Some(match operator {
            Operator::Eq => Comparison::Equal,
            Operator::NotEq => Comparison::NotEqual,
            Operator::Lt => Comparison::Less,
            Operator::LtEq => Comparison::LessOrEqual,
            Operator::Gt => Comparison::Greater,
            Operator::GtEq => Comparison::GreaterOrEqual,
            _ => return None,
        })
    }

    /// With its sides exchanged.
    fn mirrored(self) -> Self {
        match self {
            Comparison::Less => Comparison::Greater,
            Comparison::LessOrEqual => Comparison::GreaterOrEqual,
            Comparison::Greater => Comparison::Less,
            Comparison::GreaterOrEqual => Comparison::LessOrEqual,
            same => same,
        }
    }
}

/// A constant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PushedValue {
    /// A whole number, beside an integer or a decimal column. It may be out of the column's range.
    Integer(i128),
    /// The digits of a number with a fraction (`-12.50`), beside an integer or a decimal column.
    Decimal(String),
    /// Beside a truth value.
    Bool(bool),
    /// Days since 1970-01-01, beside a date.
    Date(i32),
    /// Microseconds since 1970-01-01 00:00, beside a timestamp of the same kind.
    Timestamp {
        /// The microseconds.
        us: i64,
        /// Instant or wall clock.
        zone: Zone,
    },
    /// Text, beside a text column that is compared by its bytes.
    Text(String),
}

/// A condition in three-valued logic, as in SQL: a comparison with NULL is NULL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PushedPredicate {
    /// All of them; two at least.
    And(Vec<PushedPredicate>),
    /// Any of them; two at least.
    Or(Vec<PushedPredicate>),
    /// Not so.
    Not(Box<PushedPredicate>),
    /// The column on the left, the constant on the right. `BETWEEN` is two of these.
    Compare {
        /// The column.
        column: String,
        /// The operator.
        comparison: Comparison,
        /// The constant.
        value: PushedValue,
    },
    /// The column is one of the constants, of which there is one at least. Never NULL.
    In {
        /// The column.
        column: String,
        /// The constants.
        values: Vec<PushedValue>,
    },
    /// The column is NULL.
    IsNull {
        /// The column.
        column: String,
    },
}

struct Pusher<'a> {
    scope: &'a Scope,
    binary_text: &'a dyn Fn(&str) -> bool,
}

/// The part of `expr` that can be pushed.
pub(super) fn pushdown(expr: &Expr, scope: &Scope, binary_text: &dyn Fn(&str) -> bool) -> Option<Pushdown> {
    let pusher = Pusher { scope, binary_text };
    let mut all = Vec::new();
    conjuncts(expr, &mut all);
    let pushed: Vec<_> = all.iter().filter_map(|part| pusher.push(part)).collect();
    let complete = pushed.len() == all.len();
    Some(Pushdown { predicate: join(pushed, PushedPredicate::And)?, complete })
}

fn conjuncts<'e>(expr: &'e Expr, into: &mut Vec<&'e Expr>) {
    match expr {
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::And, right }) => {
            conjuncts(left, into);
            conjuncts(right, into);
        }
        other => into.push(other),
    }
}

fn join(mut parts: Vec<PushedPredicate>, how: fn(Vec<PushedPredicate>) -> PushedPredicate) -> Option<PushedPredicate> {
    match parts.len() {
        0 | 1 => parts.pop(),
        _ => Some(how(parts)),
    }
}

fn not(inner: PushedPredicate) -> PushedPredicate {
    PushedPredicate::Not(Box::new(inner))
}

impl Pusher<'_> {
    fn push(&self, expr: &Expr) -> Option<PushedPredicate> {
        match expr {
            Expr::BinaryExpr(BinaryExpr { left, op: Operator::And, right }) => {
                Some(PushedPredicate::And(vec![self.push(left)?, self.push(right)?]))
            }
            Expr::BinaryExpr(BinaryExpr { left, op: Operator::Or, right }) => {
                Some(PushedPredicate::Or(vec![self.push(left)?, self.push(right)?]))
            }
            Expr::BinaryExpr(BinaryExpr { left, op, right }) => {
                let comparison = Comparison::of(*op)?;
                match (literal(left), literal(right)) {
                    (None, Some(value)) => self.compare(left, comparison, value),
                    (Some(value), None) => self.compare(right, comparison.mirrored(), value),
                    _ => None,
                }
            }
            Expr::Not(inner) => Some(not(self.push(inner)?)),
            Expr::Column(column) => match self.scope.logical(&column.name)? {
                LogicalType::Bool => Some(PushedPredicate::Compare {
                    column: column.name.clone(),
                    comparison: Comparison::Equal,
                    value: PushedValue::Bool(true),
                }),
                _ => None,
            },
            Expr::IsNull(inner) => self.is_null(inner),
            Expr::IsNotNull(inner) => Some(not(self.is_null(inner)?)),
            Expr::Between(between) => {
                let low = self.compare(&between.expr, Comparison::GreaterOrEqual, literal(&between.low)?)?;
                let high = self.compare(&between.expr, Comparison::LessOrEqual, literal(&between.high)?)?;
                let both = PushedPredicate::And(vec![low, high]);
                Some(if between.negated { not(both) } else { both })
            }
            Expr::InList(InList { expr, list, negated }) => {
                let (column, logical) = self.column(expr)?;
                let values = list.iter().map(|item| self.value(&column, logical, literal(item)?)).collect::<Option<Vec<_>>>()?;
                if values.is_empty() {
                    return None;
                }
                let among = PushedPredicate::In { column, values };
                Some(if *negated { not(among) } else { among })
            }
            _ => None,
        }
    }

    fn is_null(&self, inner: &Expr) -> Option<PushedPredicate> {
        // Of any type: this is no comparison.
        match inner {
            Expr::Column(column) => Some(PushedPredicate::IsNull { column: column.name.clone() }),
            _ => self.column(inner).map(|(column, _)| PushedPredicate::IsNull { column }),
        }
    }

    fn compare(&self, side: &Expr, comparison: Comparison, value: &ScalarValue) -> Option<PushedPredicate> {
        let (column, logical) = self.column(side)?;
        let value = self.value(&column, logical, value)?;
        Some(PushedPredicate::Compare { column, comparison, value })
    }

    /// A column, or one that is cast to a type in which each of its numbers is the same.
    fn column(&self, side: &Expr) -> Option<(String, &LogicalType)> {
        let column = match side {
            Expr::Column(column) => column,
            _ => match cast_operand(side)? {
                (Expr::Column(column), to) if widens(&self.scope.logical(&column.name)?.arrow(), to) => column,
                _ => return None,
            },
        };
        Some((column.name.clone(), self.scope.logical(&column.name)?))
    }

    fn value(&self, column: &str, logical: &LogicalType, value: &ScalarValue) -> Option<PushedValue> {
        use ScalarValue as V;
        let number = is_number(logical);
        Some(match (value, logical) {
            (V::Boolean(Some(value)), LogicalType::Bool) => PushedValue::Bool(*value),
            (V::Date32(Some(days)), LogicalType::Date) => PushedValue::Date(*days),
            (V::TimestampMicrosecond(Some(us), zone), LogicalType::Timestamp { zone: kind, .. })
                if zone.is_some() == (*kind == Zone::Utc) =>
            {
                PushedValue::Timestamp { us: *us, zone: *kind }
            }
            (V::Utf8(Some(text)), LogicalType::Text { .. }) if (self.binary_text)(column) => PushedValue::Text(text.clone()),
            (V::Int8(Some(value)), _) if number => PushedValue::Integer((*value).into()),
            (V::Int16(Some(value)), _) if number => PushedValue::Integer((*value).into()),
            (V::Int32(Some(value)), _) if number => PushedValue::Integer((*value).into()),
            (V::Int64(Some(value)), _) if number => PushedValue::Integer((*value).into()),
            (V::UInt8(Some(value)), _) if number => PushedValue::Integer((*value).into()),
            (V::UInt16(Some(value)), _) if number => PushedValue::Integer((*value).into()),
            (V::UInt32(Some(value)), _) if number => PushedValue::Integer((*value).into()),
            (V::UInt64(Some(value)), _) if number => PushedValue::Integer((*value).into()),
            (V::Decimal128(Some(value), _, scale), _) if number => decimal(i256::from_i128(*value), *scale)?,
            (V::Decimal256(Some(value), _, scale), _) if number => decimal(*value, *scale)?,
            _ => return None,
        })
    }
}

fn literal(expr: &Expr) -> Option<&ScalarValue> {
    match expr {
        Expr::Literal(value, _) => Some(value),
        _ => None,
    }
}

fn decimal(units: i256, scale: i8) -> Option<PushedValue> {
    let scale = u8::try_from(scale).ok()?;
    match (scale, units.to_i128()) {
        (0, Some(whole)) => Some(PushedValue::Integer(whole)),
        _ => Some(PushedValue::Decimal(shown(units, scale))),
    }
}
