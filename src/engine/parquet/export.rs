//! One file of rows that are no table's: what the ledger of another target exports.

use std::fs::File;
use std::path::Path;

use arrow::array::RecordBatch;
use parquet::arrow::ArrowWriter;

use super::error::{io, parquet};
use crate::error::Result;

/// Writes the rows into a file, instead of what it held.
///
/// # Errors
/// `Io` or `DiskFull`.
pub fn export(path: &Path, rows: &RecordBatch) -> Result<()> {
    let file = File::create(path).map_err(|error| io(error, "the export cannot be created", path))?;
    let failed = |error| parquet(error, "the export cannot be written", path);
    let mut writer = ArrowWriter::try_new(file, rows.schema(), None).map_err(failed)?;
    writer.write(rows).map_err(failed)?;
    writer.into_inner().map_err(failed)?.sync_all().map_err(|error| io(error, "the export cannot be flushed to disk", path))
}
