//! A batch through its casts.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::compute::filter_record_batch;
use arrow::datatypes::SchemaRef;

use super::expr::{Expression, Predicate, Rounding, Scope};
use super::pairs::{Cast, find};
use crate::error::{Error, ErrorKind, Result};
use crate::model::catalog::NativeType;
use crate::model::row::describe_key;
use crate::model::{LogicalType, ObjectName, logical};

/// What becomes of one column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CastColumn {
    /// Its name in the source's batch.
    pub source: String,
    /// Its name in the target.
    pub target: String,
    /// Its type in the source's batch.
    pub from: LogicalType,
    /// Its type in the target.
    pub to: LogicalType,
    /// Its type in the source's own words, for messages.
    pub native: NativeType,
}

/// How one column of the target comes about.
#[derive(Debug, Clone)]
pub enum Step {
    /// From a column of the source.
    Cast(CastColumn),
    /// By an expression over columns of the source.
    Compute {
        /// The column; its `source` and `from` do not count.
        cast: CastColumn,
        /// The expression.
        sql: String,
        /// What becomes of digits that the target has no place for.
        rounding: Rounding,
    },
}

/// The compiled way of one table's rows.
#[derive(Clone)]
pub struct Transform {
    condition: Option<Predicate>,
    columns: Vec<(CastColumn, Way)>,
    schema: SchemaRef,
}

#[derive(Clone)]
enum Way {
    Cast(Cast),
    Compute(Box<Expression>),
}

/// Compiles the way of a table's rows: the condition on them, and the target's columns in order.
///
/// # Errors
/// `Mapping` for each pair of types that no exact cast joins, and each expression that does not fit, all at once.
pub fn compile_table(steps: &[Step], condition: Option<&str>, scope: &Scope) -> Result<Transform> {
    let mut faults = Vec::new();
    let mut columns = Vec::with_capacity(steps.len());
    for step in steps {
        match step {
            Step::Cast(column) => match find(&column.from, &column.to) {
                Ok(cast) => columns.push((column.clone(), Way::Cast(cast))),
                Err(why) => faults.push(refused(column, &why)),
            },
            Step::Compute { cast, sql, rounding } => match Expression::compile(sql, scope, &cast.to, *rounding) {
                Ok(expression) => columns.push((cast.clone(), Way::Compute(Box::new(expression)))),
                Err(error) => faults.push(error.column(&cast.target)),
            },
        }
    }
    let condition = condition.map(|sql| Predicate::compile(sql, scope)).transpose().unwrap_or_else(|error| {
        faults.push(error);
        None
    });
    if let Some(error) = Error::many(faults) {
        return Err(error);
    }
    let schema = logical::schema(columns.iter().map(|(column, _)| (column.target.as_str(), &column.to)));
    Ok(Transform { condition, columns, schema })
}

/// Compiles casts alone, of a table's columns, which are the target's columns in order.
///
/// # Errors
/// `Mapping` for each pair of types that no exact cast joins, all at once.
pub fn compile(columns: &[CastColumn]) -> Result<Transform> {
    let steps: Vec<Step> = columns.iter().cloned().map(Step::Cast).collect();
    compile_table(&steps, None, &Scope::new(&[], 0)?)
}

fn refused(column: &CastColumn, why: &str) -> Error {
    let CastColumn { from, to, native, .. } = column;
    let what = if native.full.is_empty() { from.to_string() } else { format!("{} ({from})", native.full) };
    let error = Error::new(ErrorKind::Mapping, format!("{what} cannot become {to}: {why}")).column(&column.source);
    let instant =
        matches!(from, LogicalType::Timestamp { .. } | LogicalType::Date) && matches!(to, LogicalType::Timestamp { .. });
    error.hint(if instant {
        "Map it to the timestamp type of the same kind; the zone of a wall clock is never guessed"
    } else {
        "Map the column to another type with `to` in the mapping, or leave its rule out"
    })
}

impl Transform {
    /// The target's columns.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// True when no value has to be looked at.
    pub fn is_identity(&self) -> bool {
        self.condition.is_none() && self.columns.iter().all(|(_, way)| matches!(way, Way::Cast(Cast::Identity)))
    }

    /// The rows of `batch` as the target is to have them. Columns that need no cast share their memory with `batch`.
    ///
    /// # Errors
    /// `Value` for a value that cannot be cast exactly, with `table`, column, and the row's key, which is over `key`'s columns of `batch`.
    pub fn apply(&self, table: &ObjectName, key: &[String], batch: &RecordBatch) -> Result<RecordBatch> {
        let chosen = match &self.condition {
            None => None,
            Some(condition) => Some(filter_record_batch(batch, &condition.evaluate(table, key, batch)?)?),
        };
        let batch = chosen.as_ref().unwrap_or(batch);
        let mut arrays: Vec<ArrayRef> = Vec::with_capacity(self.columns.len());
        for (at, (column, way)) in self.columns.iter().enumerate() {
            let cast = match way {
                Way::Cast(cast) => cast,
                Way::Compute(expression) => {
                    arrays.push(expression.evaluate(table, &column.target, key, batch)?);
                    continue;
                }
            };
            let in_place =
                batch.schema_ref().fields().get(at).filter(|field| field.name() == &column.source).map(|_| batch.column(at));
            let array = in_place.or_else(|| batch.column_by_name(&column.source));
            let array = array.filter(|array| array.data_type() == &column.from.arrow());
            let array = array.ok_or_else(|| {
                Error::internal(format!("a batch has no such column of {}", column.from)).table(table).column(&column.source)
            })?;
            arrays.push(match cast {
                Cast::Identity => Arc::clone(array),
                Cast::Checked(kernel) => kernel(array, &column.from, &column.to).map_err(|refusal| {
                    let error = Error::new(ErrorKind::Value, refusal.why).table(table).column(&column.source);
                    error.key(describe_key(batch, key, refusal.row)).hint(format!(
                        "Correct the value, or map the column to a type that holds it; it is {} to {} now",
                        column.from, column.to
                    ))
                })?,
            });
        }
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        Ok(RecordBatch::try_new_with_options(self.schema.clone(), arrays, &options)?)
    }
}
