//! What an expression can name: the columns of a row, and the start of the run.

use std::sync::Arc;

use arrow::datatypes::{Field, Schema};
use datafusion_common::{DFSchema, DFSchemaRef};

use crate::error::{Error, ErrorKind, Result};
use crate::model::LogicalType;

/// The columns of a table's row, and the moment that `now()` is.
#[derive(Debug, Clone)]
pub struct Scope {
    columns: Vec<(String, LogicalType)>,
    schema: DFSchemaRef,
    now_us: i64,
}

impl Scope {
    /// The scope of rows with these columns; `now_us` is the start of the run, in microseconds since 1970-01-01 00:00 UTC.
    ///
    /// # Errors
    /// `Mapping` for two columns of one name.
    pub fn new(columns: &[(String, LogicalType)], now_us: i64) -> Result<Self> {
        // Without metadata: DataFusion would hand it on to results of other types.
        let fields: Vec<Field> = columns.iter().map(|(name, logical)| Field::new(name, logical.arrow(), true)).collect();
        let schema = DFSchema::try_from(Schema::new(fields))
            .map_err(|error| Error::new(ErrorKind::Mapping, "the columns do not make a row").with_source(error))?;
        Ok(Scope { columns: columns.to_vec(), schema: Arc::new(schema), now_us })
    }

    /// The columns, in order.
    pub fn columns(&self) -> &[(String, LogicalType)] {
        &self.columns
    }

    /// The type of a column.
    pub fn logical(&self, name: &str) -> Option<&LogicalType> {
        self.columns.iter().find(|(column, _)| column == name).map(|(_, logical)| logical)
    }

    /// The names of the columns.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> + Clone {
        self.columns.iter().map(|(name, _)| name.as_str())
    }

    /// The row as DataFusion sees it.
    pub(super) fn schema(&self) -> &DFSchemaRef {
        &self.schema
    }

    /// The start of the run, in microseconds since 1970-01-01 00:00 UTC.
    pub(super) fn now_us(&self) -> i64 {
        self.now_us
    }
}
