//! What a column becomes.

use arrow::array::{ArrayRef, RecordBatch};
use datafusion_expr::Expr;

use super::cast::{CheckedCast, Rounding, name};
use super::compile::{Compiled, compile, first_failure, unfit};
use super::natural::natural;
use super::scope::Scope;
use crate::error::{Error, ErrorKind, Result};
use crate::model::row::describe_key;
use crate::model::{LogicalType, ObjectName};

/// An expression that makes the values of one target column.
#[derive(Clone)]
pub struct Expression {
    compiled: Compiled,
    natural: LogicalType,
    target: LogicalType,
    cast: CheckedCast,
    rounding: Rounding,
}

impl Expression {
    /// Compiles `sql` for a column of the type `target`. `rounding` holds for every cast of the expression, and for the last one.
    ///
    /// # Errors
    /// `Mapping`, with the place in `sql` (`line:column`, from 1): no SQL, unknown names, wrong types, a part that is wrong for every row, a
    /// result that cannot become `target`.
    pub fn compile(sql: &str, scope: &Scope, target: &LogicalType, rounding: Rounding) -> Result<Self> {
        let (compiled, natural) = typed(sql, scope, rounding)?;
        let cast = CheckedCast::to_target(&compiled.data_type, &natural, target, rounding).map_err(|why| {
            unfit(sql, &format!("it is {natural}, which cannot become {target}: {why}"))
                .hint("Write the cast into the expression, or give the column another type with `to`")
        })?;
        let expression = Expression { compiled, natural, target: target.clone(), cast, rounding };
        expression.check_constant()?;
        Ok(expression)
    }

    /// The type that `sql` has of itself, for a column whose type is not given.
    ///
    /// # Errors
    /// As [`Expression::compile`]; and for a result that no column can hold.
    pub fn natural_type(sql: &str, scope: &Scope) -> Result<LogicalType> {
        typed(sql, scope, Rounding::Exact).map(|(_, natural)| natural)
    }

    /// The source columns that are read, in the order of the scope.
    pub fn inputs(&self) -> &[String] {
        &self.compiled.inputs
    }

    /// The type that the expression has of itself.
    pub fn natural(&self) -> &LogicalType {
        &self.natural
    }

    /// The type of the values.
    pub fn target(&self) -> &LogicalType {
        &self.target
    }

    /// The text.
    pub fn sql(&self) -> &str {
        &self.compiled.sql
    }

    /// The values for the rows of `batch`, which has the columns of [`Expression::inputs`]: an array of exactly `target.arrow()`.
    ///
    /// # Errors
    /// `Value` for the first row that has none, with `table`, the target's `column`, and the row's key over `key`'s columns of `batch`.
    pub fn evaluate(&self, table: &ObjectName, column: &str, key: &[String], batch: &RecordBatch) -> Result<ArrayRef> {
        let rows = self.compiled.take(batch).map_err(|error| error.table(table).column(column))?;
        self.values(&rows).map_err(|why| {
            let (row, why) = match first_failure(&rows, |rows| self.values(rows).err()) {
                Some((row, why)) => (Some(row), why),
                None => (None, why),
            };
            let error = Error::new(ErrorKind::Value, format!("`{}` has no value: {why}", self.compiled.sql));
            let error = error.table(table).column(column);
            let error = match row {
                Some(row) => error.key(describe_key(batch, key, row)),
                None => error,
            };
            error.hint(
                "Correct the value, say in the expression what is to become of it, or add `round = true` or `trunc = true` to the rule if digits may go",
            )
        })
    }

    fn values(&self, rows: &RecordBatch) -> Result<ArrayRef, String> {
        let values = self.compiled.evaluate(rows)?;
        self.cast.run(&values, self.rounding).map_err(|refusal| refusal.why)
    }

    /// A value that is the same for every row is cast now.
    fn check_constant(&self) -> Result<()> {
        let Some(value) = self.compiled.constant() else { return Ok(()) };
        let array = value.to_array().map_err(|error| unfit(self.sql(), &super::fault::words(&error)))?;
        match self.cast.run(&array, self.rounding) {
            Ok(_) => Ok(()),
            Err(refusal) => Err(unfit(self.sql(), &refusal.why)),
        }
    }
}

fn typed(sql: &str, scope: &Scope, rounding: Rounding) -> Result<(Compiled, LogicalType)> {
    let compiled = compile(sql, scope, rounding)?;
    // A column that is passed on keeps what Arrow does not know of its type.
    let known = match &compiled.logical {
        Expr::Column(column) => scope.logical(&column.name).cloned(),
        _ => None,
    };
    let natural = match known.or_else(|| natural(&compiled.data_type)) {
        Some(natural) => natural,
        // `NULL` alone.
        None if compiled.data_type.is_null() => LogicalType::Text { length: None },
        None => {
            return Err(unfit(sql, &format!("it is {}, which no column holds", name(&compiled.data_type)))
                .hint("Make text, a number, a date or a list of such of it"));
        }
    };
    Ok((compiled, natural))
}
