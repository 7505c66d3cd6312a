//! Which rows are carried.

use arrow::array::{Array, AsArray, BooleanArray, RecordBatch};
use arrow::datatypes::DataType;

use super::cast::{Rounding, name};
use super::compile::{Compiled, alone, compile, first_failure, unfit};
use super::pushdown::{Pushdown, pushdown};
use super::scope::Scope;
use crate::error::{Error, ErrorKind, Result};
use crate::model::ObjectName;
use crate::model::row::describe_key;

/// A condition is true, false or NULL.
fn decides(sql: &str, data_type: &DataType) -> Result<()> {
    match data_type {
        DataType::Boolean | DataType::Null => Ok(()),
        other => Err(unfit(sql, &format!("it is {}, and a condition is true or false", name(other)))
            .hint("Compare it with something: `… = 1`, `… IS NOT NULL`")),
    }
}

/// A condition on a row.
#[derive(Debug, Clone)]
pub struct Predicate {
    compiled: Compiled,
    scope: Scope,
}

impl Predicate {
    /// Compiles `sql`, which must be true, false or NULL.
    ///
    /// # Errors
    /// `Mapping`, with the place in `sql` (`line:column`, from 1).
    pub fn compile(sql: &str, scope: &Scope) -> Result<Self> {
        let compiled = compile(sql, scope, Rounding::Exact)?;
        decides(sql, &compiled.data_type)?;
        Ok(Predicate { compiled, scope: scope.clone() })
    }

    /// Checks a condition whose columns are not known: what is wrong whatever they are.
    ///
    /// # Errors
    /// As [`Predicate::compile`].
    pub fn check_alone(sql: &str) -> Result<()> {
        alone(sql)?.map_or(Ok(()), |data_type| decides(sql, &data_type))
    }

    /// The source columns that are read, in the order of the scope.
    pub fn inputs(&self) -> &[String] {
        &self.compiled.inputs
    }

    /// The text.
    pub fn sql(&self) -> &str {
        &self.compiled.sql
    }

    /// True if the condition lets nothing through, whatever the row.
    pub fn is_never(&self) -> bool {
        use datafusion_common::ScalarValue;
        matches!(self.compiled.constant(), Some(ScalarValue::Boolean(Some(false) | None) | ScalarValue::Null))
    }

    /// For each row of `batch` whether it is carried; NULL is no. The array has no NULL.
    ///
    /// # Errors
    /// `Value` for the first row for which the condition cannot be computed, with `table` and the row's key over `key`'s columns of `batch`.
    pub fn evaluate(&self, table: &ObjectName, key: &[String], batch: &RecordBatch) -> Result<BooleanArray> {
        let rows = self.compiled.take(batch).map_err(|error| error.table(table))?;
        match self.compiled.evaluate(&rows) {
            Ok(values) => match values.as_boolean_opt() {
                Some(values) => Ok(match values.nulls() {
                    Some(valid) => BooleanArray::new(values.values() & valid.inner(), None),
                    None => values.clone(),
                }),
                // NULL alone.
                None => Ok(BooleanArray::from(vec![false; batch.num_rows()])),
            },
            Err(why) => {
                let first = first_failure(&rows, |rows| self.compiled.evaluate(rows).err());
                let (key, why) = match first {
                    Some((row, why)) => (Some(describe_key(batch, key, row)), why),
                    None => (None, why),
                };
                let error =
                    Error::new(ErrorKind::Value, format!("the condition `{}` has no value: {why}", self.sql())).table(table);
                let error = match key {
                    Some(key) => error.key(key),
                    None => error,
                };
                Err(error.hint("Guard the calculation: `CASE WHEN b <> 0 THEN a / b > 1 ELSE false END`, `a / nullif(b, 0) > 1`"))
            }
        }
    }

    /// What of the condition the source can check itself, none if nothing. `binary_text` says whether the source compares a text column by its
    /// bytes, without padding and without folding.
    pub fn pushdown(&self, binary_text: impl Fn(&str) -> bool) -> Option<Pushdown> {
        pushdown(&self.compiled.logical, &self.scope, &binary_text)
    }
}
