//! A condition on the rows of a table, in a form that every engine can print in its own SQL.

use super::logical::Zone;

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

    /// With its sides exchanged.
    pub fn mirrored(self) -> Self {
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
