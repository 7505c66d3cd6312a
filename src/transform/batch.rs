//! A batch through its casts.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::datatypes::SchemaRef;

use super::mask::{ColumnMask, Keyed, Mask};
use super::pairs::{Cast, Refusal, find};
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
    /// How its values are masked, after the cast.
    pub mask: Option<ColumnMask>,
}

/// The compiled casts of one table.
#[derive(Clone)]
pub struct Transform {
    columns: Vec<(CastColumn, Cast, Option<Mask>)>,
    schema: SchemaRef,
}

/// Compiles the casts and masks of a table's columns, which are the target's columns in order. Only masks need the key, and not all.
///
/// # Errors
/// `Mapping` for each pair of types that no exact cast joins, and for each mask that cannot be made, all at once.
pub fn compile(columns: &[CastColumn], key: Option<&Keyed>) -> Result<Transform> {
    let mut faults = Vec::new();
    let mut compiled = Vec::with_capacity(columns.len());
    for column in columns {
        match find(&column.from, &column.to) {
            Ok(cast) => match column.mask.as_ref().map(|mask| Mask::compile(mask, &column.from, &column.to, key)).transpose() {
                Ok(mask) => compiled.push((column.clone(), cast, mask)),
                Err(why) => faults.push(Error::new(ErrorKind::Mapping, why).column(&column.source)),
            },
            Err(why) => faults.push(refused(column, &why)),
        }
    }
    if let Some(error) = Error::many(faults) {
        return Err(error);
    }
    let schema = logical::schema(columns.iter().map(|column| (column.target.as_str(), &column.to)));
    Ok(Transform { columns: compiled, schema })
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
        self.columns.iter().all(|(_, cast, mask)| matches!(cast, Cast::Identity) && mask.is_none())
    }

    /// The rows of `batch` as the target is to have them. Columns that need no cast share their memory with `batch`.
    ///
    /// # Errors
    /// `Value` for a value that cannot be cast exactly, with `table`, column, and the row's key, which is over `key`'s columns of `batch`.
    pub fn apply(&self, table: &ObjectName, key: &[String], batch: &RecordBatch) -> Result<RecordBatch> {
        let mut arrays: Vec<ArrayRef> = Vec::with_capacity(self.columns.len());
        for (at, (column, cast, mask)) in self.columns.iter().enumerate() {
            let in_place =
                batch.schema_ref().fields().get(at).filter(|field| field.name() == &column.source).map(|_| batch.column(at));
            let array = in_place.or_else(|| batch.column_by_name(&column.source));
            let array = array.filter(|array| array.data_type() == &column.from.arrow());
            let array = array.ok_or_else(|| {
                Error::internal(format!("a batch has no such column of {}", column.from)).table(table).column(&column.source)
            })?;
            let refuse = |refusal: Refusal| {
                // What is masked is not told by an error either.
                let why = if mask.is_some() { "the value cannot be cast or masked".into() } else { refusal.why };
                let error = Error::new(ErrorKind::Value, why).table(table).column(&column.source);
                error.key(describe_key(batch, key, refusal.row)).hint(format!(
                    "Correct the value, or map the column to a type that holds it; it is {} to {} now",
                    column.from, column.to
                ))
            };
            let cast = match cast {
                Cast::Identity => Arc::clone(array),
                Cast::Checked(kernel) => kernel(array, &column.from, &column.to).map_err(refuse)?,
            };
            arrays.push(match mask {
                None => cast,
                Some(mask) => mask.apply(&cast, &column.to).map_err(refuse)?,
            });
        }
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        Ok(RecordBatch::try_new_with_options(self.schema.clone(), arrays, &options)?)
    }
}
