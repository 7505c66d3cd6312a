//! A batch through its casts.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::compute::filter_record_batch;
use arrow::datatypes::SchemaRef;

use super::expr::{Expression, Predicate, Rounding, Scope};
use super::mask::{ColumnMask, Keyed, Mask};
use super::pairs::{Cast, Refusal, find};
use super::{range, text};
use crate::error::{Error, ErrorKind, Result};
use crate::model::catalog::NativeType;
use crate::model::loss::LossKind;
use crate::model::policy::OutOfRange;
use crate::model::row::describe_key;
use crate::model::{LogicalType, Losses, ObjectName, ValuePolicies, logical};

/// What a person may say of numbers and times that do not fit.
const OUT_OF_RANGE_RULE: &str = "out_of_range = \"clamp\"  # or \"null\"; or another type with `to`";

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
    /// How its values are masked, after the cast.
    pub mask: Option<ColumnMask>,
    /// What becomes of numbers and times beyond the target's type; an error when none.
    pub out_of_range: Option<OutOfRange>,
    /// True if U+0000 is left out of JSON.
    pub strip_json: bool,
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
    columns: Vec<Compiled>,
    schema: SchemaRef,
}

#[derive(Clone)]
struct Compiled {
    column: CastColumn,
    way: Way,
    mask: Option<Mask>,
}

#[derive(Clone)]
enum Way {
    Cast(Cast),
    /// A cast of numbers whose range a policy forgives.
    Ranged(range::Kernel, OutOfRange),
    /// JSON, with U+0000 left out, and then a cast.
    Stripped(Cast),
    Compute(Box<Expression>),
}

/// Compiles the way of a table's rows: the condition on them, and the target's columns in order. Only masks need the key, and not all.
///
/// # Errors
/// `Mapping` for each pair of types that no exact cast joins, each expression that does not fit, and each mask that cannot be made, all
/// at once.
pub fn compile_table(steps: &[Step], condition: Option<&str>, scope: &Scope, key: Option<&Keyed>) -> Result<Transform> {
    let mut faults = Vec::new();
    let mut columns = Vec::with_capacity(steps.len());
    for step in steps {
        let compiled = match step {
            Step::Cast(column) => match find(&column.from, &column.to) {
                Ok(cast) => compiled(column, &column.from, way(column, cast), key),
                Err(why) => Err(refused(column, &why)),
            },
            Step::Compute { cast, sql, rounding } => Expression::compile(sql, scope, &cast.to, *rounding)
                .map_err(|error| error.column(&cast.target))
                .and_then(|expression| compiled(cast, &cast.to, Way::Compute(Box::new(expression)), key)),
        };
        match compiled {
            Ok(compiled) => columns.push(compiled),
            Err(error) => faults.push(error),
        }
    }
    let condition = condition.map(|sql| Predicate::compile(sql, scope)).transpose().unwrap_or_else(|error| {
        faults.push(error);
        None
    });
    if let Some(error) = Error::many(faults) {
        return Err(error);
    }
    let schema = logical::schema(columns.iter().map(|compiled| (compiled.column.target.as_str(), &compiled.column.to)));
    Ok(Transform { condition, columns, schema })
}

/// How a column is cast: under its policy, where the cast looks at values at all.
fn way(column: &CastColumn, cast: Cast) -> Way {
    if column.strip_json && column.from == LogicalType::Json {
        return Way::Stripped(cast);
    }
    let ranged = column.out_of_range.filter(|_| matches!(cast, Cast::Checked(_)));
    match ranged.and_then(|how| Some((range::kernel(&column.from, &column.to)?, how))) {
        Some((kernel, how)) => Way::Ranged(kernel, how),
        None => Way::Cast(cast),
    }
}

fn compiled(column: &CastColumn, from: &LogicalType, way: Way, key: Option<&Keyed>) -> Result<Compiled> {
    let mask = column.mask.as_ref().map(|mask| Mask::compile(mask, from, &column.to, key)).transpose();
    let mask = mask.map_err(|why| Error::new(ErrorKind::Mapping, why).column(&column.source))?;
    Ok(Compiled { column: column.clone(), way, mask })
}

/// Compiles casts and masks alone, of a table's columns, which are the target's columns in order.
///
/// # Errors
/// As for [`compile_table`].
pub fn compile(columns: &[CastColumn], key: Option<&Keyed>) -> Result<Transform> {
    let steps: Vec<Step> = columns.iter().cloned().map(Step::Cast).collect();
    compile_table(&steps, None, &Scope::new(&[], 0)?, key)
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
        self.condition.is_none()
            && self.columns.iter().all(|compiled| matches!(compiled.way, Way::Cast(Cast::Identity)) && compiled.mask.is_none())
    }

    /// The rows of `batch` as the target is to have them. Columns that need no cast share their memory with `batch`.
    ///
    /// # Errors
    /// `Value` for a value that cannot be cast exactly, with `table`, column, and the row's key, which is over `key`'s columns of `batch`.
    pub fn apply(&self, table: &ObjectName, key: &[String], batch: &RecordBatch) -> Result<RecordBatch> {
        self.apply_counted(table, key, batch, &mut Losses::default())
    }

    /// As [`Transform::apply`]; adds to `losses` what policies have done.
    ///
    /// # Errors
    /// As for [`Transform::apply`].
    pub fn apply_counted(
        &self,
        table: &ObjectName,
        key: &[String],
        batch: &RecordBatch,
        losses: &mut Losses,
    ) -> Result<RecordBatch> {
        let chosen = match &self.condition {
            None => None,
            Some(condition) => Some(filter_record_batch(batch, &condition.evaluate(table, key, batch)?)?),
        };
        let batch = chosen.as_ref().unwrap_or(batch);
        let mut arrays: Vec<ArrayRef> = Vec::with_capacity(self.columns.len());
        for (at, Compiled { column, way, mask }) in self.columns.iter().enumerate() {
            let refuse = |refusal: Refusal| {
                let settles = range::settles(&column.from, &column.to, &refusal.why);
                // What is masked is not told by an error either.
                let why = if mask.is_some() { "the value cannot be cast or masked".into() } else { refusal.why };
                let error = Error::new(ErrorKind::Value, why).table(table).column(&column.source);
                let error = if settles { error.rule(OUT_OF_RANGE_RULE) } else { error };
                error.key(describe_key(batch, key, refusal.row)).hint(format!(
                    "Correct the value, or map the column to a type that holds it; it is {} to {} now",
                    column.from, column.to
                ))
            };
            let values = match way {
                Way::Cast(Cast::Identity) => Arc::clone(source_array(batch, at, column).map_err(|error| error.table(table))?),
                Way::Cast(Cast::Checked(kernel)) => {
                    let array = source_array(batch, at, column).map_err(|error| error.table(table))?;
                    kernel(array, &column.from, &column.to).map_err(refuse)?
                }
                Way::Ranged(kernel, how) => {
                    let array = source_array(batch, at, column).map_err(|error| error.table(table))?;
                    let (array, rows) = kernel(array, &column.from, &column.to, *how).map_err(refuse)?;
                    let policies = ValuePolicies { out_of_range: Some(*how), ..ValuePolicies::default() };
                    count_losses(&column.source, LossKind::OutOfRange, &policies, &rows, batch, key, losses);
                    array
                }
                Way::Stripped(cast) => {
                    let array = source_array(batch, at, column).map_err(|error| error.table(table))?;
                    let (array, rows) = text::without_nul(array);
                    let policies = ValuePolicies { strip_json: true, ..ValuePolicies::default() };
                    count_losses(&column.source, LossKind::NulByte, &policies, &rows, batch, key, losses);
                    match cast {
                        Cast::Identity => array,
                        Cast::Checked(kernel) => kernel(&array, &column.from, &column.to).map_err(refuse)?,
                    }
                }
                Way::Compute(expression) => expression.evaluate(table, &column.target, key, batch)?,
            };
            arrays.push(match mask {
                None => values,
                Some(mask) => mask.apply(&values, &column.to).map_err(refuse)?,
            });
        }
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        Ok(RecordBatch::try_new_with_options(self.schema.clone(), arrays, &options)?)
    }
}

/// Counts what a policy has done to `rows`.
fn count_losses(
    column: &str,
    kind: LossKind,
    policies: &ValuePolicies,
    rows: &[usize],
    batch: &RecordBatch,
    key: &[String],
    losses: &mut Losses,
) {
    let Some(first) = rows.first() else { return };
    let count = u64::try_from(rows.len()).unwrap_or(u64::MAX);
    losses.add(column, kind, &policies.word(kind), count, || Some(describe_key(batch, key, *first)));
}

/// The array of a column's source: in its own place, as it nearly always is, or else by its name.
fn source_array<'b>(batch: &'b RecordBatch, at: usize, column: &CastColumn) -> Result<&'b ArrayRef> {
    let in_place = batch.schema_ref().fields().get(at).filter(|field| field.name() == &column.source).map(|_| batch.column(at));
    let array = in_place.or_else(|| batch.column_by_name(&column.source));
    array
        .filter(|array| array.data_type() == &column.from.arrow())
        .ok_or_else(|| Error::internal(format!("a batch has no such column of {}", column.from)).column(&column.source))
}
