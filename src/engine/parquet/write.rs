//! Writing one part: rows into a file that nobody sees, then receipt, flush, and its final name in one step.

use std::collections::HashSet;
use std::fs::File;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{Array, ArrayRef, RecordBatch};
use arrow::datatypes::{Schema, SchemaRef};
use async_trait::async_trait;
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;

use super::connect::{Folder, Unfinished};
use super::error::{blocking, io, parquet};
use super::{names, part, stored};
use crate::engine::ChunkWriter;
use crate::error::{Error, ErrorKind, Result};
use crate::model::row::describe_key;
use crate::model::unit::{Receipt, WorkUnit};
use crate::model::{Digest, LogicalType, Losses, ObjectName, RunId, Table};

/// A row group ends at this size: large enough that readers scan well, small enough that a writer holds little.
const ROW_GROUP_BYTES: usize = 32 << 20;
/// Or at this number of rows.
const ROW_GROUP_ROWS: usize = 100_000;

/// The chunks that are being written by this process.
#[derive(Debug, Clone, Default)]
pub struct Claims(Arc<Mutex<HashSet<(RunId, ObjectName, u32)>>>);

/// One claimed chunk, free again when this is dropped.
struct Claim {
    all: Claims,
    key: (RunId, ObjectName, u32),
}

impl Claims {
    fn claim(&self, key: (RunId, ObjectName, u32)) -> Result<Claim> {
        let fresh = self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(key.clone());
        if fresh {
            return Ok(Claim { all: self.clone(), key });
        }
        let (run, table, chunk) = key;
        Err(Error::new(ErrorKind::Ledger, format!("chunk {chunk} of run {run} is being written already")).table(table))
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.all.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.key);
    }
}

/// A column as it is written.
struct WrittenColumn {
    name: String,
    logical: LogicalType,
    nullable: bool,
}

/// The file that is being written.
struct Encoder {
    // Before `unfinished`: the file is closed before its name is removed.
    writer: ArrowWriter<File>,
    unfinished: Unfinished,
}

/// Writes one chunk. Encoding runs on a blocking thread: a batch of some megabytes takes tens of milliseconds.
pub struct PartWriter {
    // None while a batch is being encoded: when that is cancelled or fails, the file goes and nothing can be committed.
    encoder: Option<Encoder>,
    columns: Vec<WrittenColumn>,
    schema: SchemaRef,
    key: Vec<String>,
    run: RunId,
    table: ObjectName,
    chunk: u32,
    rows: u64,
    /// Rows of the source that the chunk is made from, if told.
    rows_read: Option<u64>,
    losses: Losses,
    to: PathBuf,
    _claim: Claim,
}

impl PartWriter {
    /// Claims the chunk and opens its file.
    ///
    /// # Errors
    /// `Ledger` when the chunk stands already or is being written; `TargetExists` when the folder holds rows of another run.
    pub async fn begin(folder: Folder, claims: &Claims, unit: &WorkUnit, table: &Table) -> Result<PartWriter> {
        let (run, chunk, name) = (unit.run, unit.chunk.id, unit.target.clone());
        let claim = claims.claim((run, name.clone(), chunk))?;
        let columns = written_columns(table)?;
        let fields = columns.iter().map(|column| {
            let field = column.logical.field(&column.name);
            let stored = stored::stored_type(field.data_type());
            field.with_data_type(stored).with_nullable(column.nullable)
        });
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        let to = folder.table(&name).join(names::part_file(chunk));
        let key = table.key_columns().into_iter().map(str::to_string).collect();
        let encoder = blocking({
            let (schema, name, to) = (schema.clone(), name.clone(), to.clone());
            move || {
                folder.make_table(&name)?;
                refuse_existing(&folder, &name, run, chunk, &to)?;
                let (unfinished, file) = Unfinished::create(&folder.unfinished(run))?;
                let properties = WriterProperties::builder()
                    .set_compression(Compression::SNAPPY)
                    .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
                    .set_max_row_group_bytes(Some(ROW_GROUP_BYTES))
                    .build();
                let writer = ArrowWriter::try_new(file, schema, Some(properties))
                    .map_err(|error| parquet(error, "the part cannot be begun", &to).table(&name))?;
                Ok(Encoder { writer, unfinished })
            }
        })
        .await
        .map_err(|error| error.table(&unit.target))?;
        Ok(PartWriter {
            encoder: Some(encoder),
            columns,
            schema,
            key,
            run,
            table: name,
            chunk,
            rows: 0,
            losses: Losses::default(),
            rows_read: None,
            to,
            _claim: claim,
        })
    }

    /// The columns of `rows` as they are written.
    fn stored(&self, rows: &RecordBatch) -> Result<RecordBatch> {
        if rows.num_columns() != self.columns.len() {
            let what = format!("a batch has {} columns where the part has {}", rows.num_columns(), self.columns.len());
            return Err(Error::internal(what).table(&self.table));
        }
        let mut arrays: Vec<ArrayRef> = Vec::with_capacity(self.columns.len());
        for ((column, array), field) in self.columns.iter().zip(rows.columns()).zip(rows.schema_ref().fields()) {
            if field.name() != &column.name || array.data_type() != &column.logical.arrow() {
                let what = format!(
                    "a batch brings `{}` of {} where `{}` of {} is expected",
                    field.name(),
                    array.data_type(),
                    column.name,
                    column.logical
                );
                return Err(Error::internal(what).table(&self.table).column(&column.name));
            }
            if !column.nullable && array.null_count() > 0 {
                let row = (0..array.len()).find(|row| array.is_null(*row)).unwrap_or_default();
                let error = Error::new(ErrorKind::Value, "NULL has no place in a column that is NOT NULL").table(&self.table);
                return Err(error.column(&column.name).key(describe_key(rows, &self.key, row)));
            }
            arrays.push(stored::to_stored(array)?);
        }
        Ok(RecordBatch::try_new(self.schema.clone(), arrays)?)
    }
}

fn written_columns(table: &Table) -> Result<Vec<WrittenColumn>> {
    if table.columns.is_empty() {
        return Err(Error::new(ErrorKind::Mapping, "a Parquet file needs a column to hold rows").table(&table.name));
    }
    let columns = table.columns.iter().map(|column| {
        let logical = column.logical.clone().ok_or_else(|| {
            Error::new(ErrorKind::Mapping, "the column has no type that can be written").table(&table.name).column(&column.name)
        })?;
        Ok(WrittenColumn { name: column.name.clone(), logical, nullable: column.nullable })
    });
    columns.collect()
}

/// Rows of another run, or this chunk's own, are never written over.
fn refuse_existing(folder: &Folder, table: &ObjectName, run: RunId, chunk: u32, to: &std::path::Path) -> Result<()> {
    if to.try_exists().map_err(|error| io(error, "the part cannot be looked for", to))? {
        if part::read(folder, to)?.is_some_and(|part| part.run == run) {
            return Err(Error::new(ErrorKind::Ledger, format!("chunk {chunk} of run {run} stands already")).table(table));
        }
        return Err(occupied(table, to));
    }
    // One footer is enough: parts of another run never come to lie beside ours.
    for path in super::connect::list(&folder.table(table))? {
        if path.file_name().and_then(|name| names::chunk_of(name.to_str()?)).is_some() {
            return match part::read(folder, &path)? {
                Some(part) if part.run == run => Ok(()),
                _ => Err(occupied(table, &path)),
            };
        }
    }
    Ok(())
}

fn occupied(table: &ObjectName, path: &std::path::Path) -> Error {
    Error::new(ErrorKind::TargetExists, "the folder holds parts of another run")
        .table(table)
        .file(path.display())
        .hint("Name another folder, or remove the table's folder")
}

fn gone() -> Error {
    Error::internal("the part's file is gone after an earlier error")
}

#[async_trait]
impl ChunkWriter for PartWriter {
    async fn write(&mut self, rows: &RecordBatch) -> Result<()> {
        let batch = self.stored(rows)?;
        let mut encoder = self.encoder.take().ok_or_else(gone)?;
        let (to, table) = (self.to.clone(), self.table.clone());
        let encoder = blocking(move || {
            encoder.writer.write(&batch).map_err(|error| parquet(error, "the rows cannot be written", &to).table(&table))?;
            Ok(encoder)
        });
        self.encoder = Some(encoder.await?);
        self.rows += rows.num_rows() as u64;
        Ok(())
    }

    fn note_rows_read(&mut self, rows_read: u64) {
        self.rows_read = Some(rows_read);
    }

    fn note_losses(&mut self, losses: &Losses) {
        self.losses.merge(losses);
    }

    async fn commit(mut self: Box<Self>, digest: Digest) -> Result<Receipt> {
        if digest.rows != self.rows {
            let what = format!("the digest is over {} rows, but {} were written", digest.rows, self.rows);
            return Err(Error::internal(what).table(&self.table));
        }
        let Encoder { mut writer, unfinished } = self.encoder.take().ok_or_else(gone)?;
        let (table, chunk, run, to) = (self.table.clone(), self.chunk, self.run, self.to.clone());
        let rows_read = self.rows_read.unwrap_or(self.rows);
        let losses = std::mem::take(&mut self.losses);
        blocking(move || {
            let failed = |error| parquet(error, "the part cannot be completed", &to).table(&table);
            writer.flush().map_err(failed)?;
            let bytes = writer.bytes_written() as u64;
            let receipt = Receipt { table: table.clone(), chunk, digest, bytes, rows_read, losses, rejected: 0 };
            for entry in part::metadata(run, &receipt)? {
                writer.append_key_value_metadata(entry);
            }
            let file = writer.into_inner().map_err(failed)?;
            file.sync_all().map_err(|error| io(error, "the part cannot be flushed to disk", &to).table(&table))?;
            if unfinished.place(&to)? {
                return Ok(receipt);
            }
            let what = format!("chunk {chunk} was written by another process meanwhile");
            Err(Error::new(ErrorKind::Ledger, what).table(&table).file(to.display()))
        })
        .await
    }

    async fn abort(mut self: Box<Self>) -> Result<()> {
        let encoder = self.encoder.take();
        blocking(move || {
            drop(encoder);
            Ok(())
        })
        .await
    }
}
