//! Reading the parts again: what a reader of the folder sees, not what the writer remembers.
//!
//! The parts are listed once, when the reader is opened; a part never changes, so that list is one consistent view.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use futures::StreamExt;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use tokio::sync::{Semaphore, mpsc};

use super::connect::Folder;
use super::error::{blocking, parquet};
use super::part::{self, Part};
use super::profile::Profiler;
use super::stored;
use crate::engine::{Batch, BatchStream, Profile, ProfileColumn, ReadBack};
use crate::error::{Error, ErrorKind, Result};
use crate::model::chunk::{Chunk, ChunkPlan, ChunkRange};
use crate::model::{LogicalType, ObjectName, RunId, Table, logical};

/// Aim for the size of one batch, in bytes as the file counts them.
const BATCH_BYTES: u64 = 4 << 20;
/// Most rows of one batch.
const BATCH_ROWS: u64 = 16_384;
/// Batches that wait for whoever takes them.
const BATCHES_AHEAD: usize = 1;

/// The parts of a folder, as they were when this was opened.
pub struct ParquetReadBack {
    parts: HashMap<ObjectName, Vec<Part>>,
    readers: Arc<Semaphore>,
}

impl ParquetReadBack {
    /// Lists the parts.
    pub async fn open(folder: Folder, readers: usize) -> Result<ParquetReadBack> {
        let parts = blocking(move || {
            let mut parts: HashMap<ObjectName, Vec<Part>> = HashMap::new();
            for path in folder.tables()? {
                for part in part::of_table(&folder, &path)? {
                    parts.entry(part.receipt.table.clone()).or_default().push(part);
                }
            }
            Ok(parts)
        });
        Ok(ParquetReadBack { parts: parts.await?, readers: Arc::new(Semaphore::new(readers.max(1))) })
    }

    /// The parts of one run; without one named, of the newest run that has any.
    fn of_run(&self, table: &ObjectName, run: Option<RunId>) -> Vec<Part> {
        let all = self.parts.get(table).map(Vec::as_slice).unwrap_or_default();
        let run = run.or_else(|| all.iter().map(|part| part.run).max());
        all.iter().filter(|part| Some(part.run) == run).cloned().collect()
    }

    async fn reader(&self) -> Result<tokio::sync::OwnedSemaphorePermit> {
        self.readers.clone().acquire_owned().await.map_err(|error| Error::internal("the readers are gone").with_source(error))
    }
}

/// Hands every row of a part to `take`, in batches of the columns of `schema`; `take` says whether to go on.
///
/// # Errors
/// `SchemaChanged` when the file has other columns; `Verification` when it ends before its last row.
fn read_part(part: &Part, schema: &SchemaRef, mut take: impl FnMut(RecordBatch) -> Result<bool>) -> Result<()> {
    let (file, footer) = part::open(&part.path)?;
    let changed = |what: String, column: &str| {
        Error::new(ErrorKind::SchemaChanged, what).table(&part.receipt.table).column(column).file(part.path.display())
    };
    let mut roots = Vec::with_capacity(schema.fields().len());
    for field in schema.fields() {
        let Some((at, stored)) = footer.schema().column_with_name(field.name()) else {
            return Err(changed("the part has no such column".into(), field.name()));
        };
        if stored.data_type() != &stored::stored_type(field.data_type()) {
            return Err(changed(format!("the part holds {} instead of {}", stored.data_type(), field.data_type()), field.name()));
        }
        roots.push(at);
    }
    let bytes: u64 = footer.metadata().row_groups().iter().map(|group| u64::try_from(group.total_byte_size()).unwrap_or(0)).sum();
    let rows = part::count_rows(footer.metadata(), &part.path)?;
    let width = bytes / rows.max(1) + 1;
    let batch_rows = usize::try_from((BATCH_BYTES / width).clamp(1, BATCH_ROWS)).unwrap_or(1);
    let mask = ProjectionMask::roots(footer.parquet_schema(), roots.iter().copied());
    // The reader delivers the columns in the order of the file.
    let mut in_file = roots.clone();
    in_file.sort_unstable();
    let places: Vec<usize> = roots.iter().map(|root| in_file.binary_search(root).unwrap_or_default()).collect();
    let unreadable = |error| parquet(error, "the part cannot be read", &part.path).table(&part.receipt.table);
    let reader = ParquetRecordBatchReaderBuilder::new_with_metadata(file, footer)
        .with_projection(mask)
        .with_batch_size(batch_rows)
        .build()
        .map_err(unreadable)?;
    let mut seen: u64 = 0;
    for batch in reader {
        let batch = batch.map_err(|error| unreadable(error.into()))?;
        seen += batch.num_rows() as u64;
        let columns =
            places.iter().zip(schema.fields()).map(|(place, field)| stored::from_stored(batch.column(*place), field.data_type()));
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        let batch = RecordBatch::try_new_with_options(schema.clone(), columns.collect::<Result<Vec<_>>>()?, &options)?;
        if !take(batch)? {
            return Ok(());
        }
    }
    if seen == part.receipt.digest.rows {
        return Ok(());
    }
    let what = format!("the part delivers {seen} rows, its receipt says {}", part.receipt.digest.rows);
    Err(Error::new(ErrorKind::Verification, what).table(&part.receipt.table).file(part.path.display()))
}

/// The schema in which `table`'s rows are delivered.
fn schema_of(table: &Table) -> Result<SchemaRef> {
    let columns = table.columns.iter().map(|column| match &column.logical {
        Some(logical) => Ok((column.name.as_str(), logical)),
        None => {
            Err(Error::new(ErrorKind::Mapping, "the column has no type that can be read").table(&table.name).column(&column.name))
        }
    });
    let columns: Vec<(&str, &LogicalType)> = columns.collect::<Result<_>>()?;
    Ok(logical::schema(columns))
}

#[async_trait]
impl ReadBack for ParquetReadBack {
    async fn count(&self, table: &Table) -> Result<u64> {
        let parts = self.of_run(&table.name, None);
        let _reader = self.reader().await?;
        blocking(move || {
            let mut rows: u64 = 0;
            for part in parts {
                let (_, footer) = part::open(&part.path)?;
                rows = rows.saturating_add(part::count_rows(footer.metadata(), &part.path)?);
            }
            Ok(rows)
        })
        .await
    }

    async fn profile(&self, table: &Table, columns: &[ProfileColumn]) -> Result<Profile> {
        let parts = self.of_run(&table.name, None);
        let mut wanted = Table::new(table.name.clone());
        for column in columns {
            let known = table.column(&column.name).cloned();
            wanted.columns.push(
                known.ok_or_else(|| Error::internal("a profile of an unknown column").table(&table.name).column(&column.name))?,
            );
        }
        let schema = schema_of(&wanted)?;
        let mut profiler = Profiler::new(table.name.clone(), columns, &schema)?;
        let _reader = self.reader().await?;
        blocking(move || {
            for part in parts {
                read_part(&part, &schema, |batch| profiler.add(&batch).map(|()| true))?;
            }
            Ok(profiler.finish())
        })
        .await
    }

    /// One chunk a part, whatever its size: the parts are what was cut once already.
    async fn plan_chunks(&self, table: &Table, _target_bytes: u64, run: Option<RunId>) -> Result<ChunkPlan> {
        let parts = self.of_run(&table.name, run);
        let chunk = |part: &Part| Chunk {
            id: part.receipt.chunk,
            range: ChunkRange::Whole,
            estimated_rows: part.receipt.digest.rows,
            estimated_bytes: part.receipt.bytes,
        };
        Ok(ChunkPlan { key: Vec::new(), index: None, chunks: parts.iter().map(chunk).collect() })
    }

    fn read(&self, table: &Table, chunk: &Chunk) -> BatchStream {
        let (sender, receiver) = mpsc::channel::<Result<Batch>>(BATCHES_AHEAD);
        // A chunk's number names its file, so it is one part, whichever run was asked for.
        let found =
            self.parts.get(&table.name).and_then(|parts| parts.iter().find(|part| part.receipt.chunk == chunk.id).cloned());
        let missing = Error::new(ErrorKind::Verification, format!("there is no part of chunk {}", chunk.id)).table(&table.name);
        let prepared = schema_of(table).and_then(|schema| Ok((found.ok_or(missing)?, schema)));
        let readers = self.readers.clone();
        let start = async move {
            let (part, schema) = match prepared {
                Ok(prepared) => prepared,
                Err(error) => return futures::stream::once(async { Err(error) }).boxed(),
            };
            let Ok(reader) = readers.acquire_owned().await else {
                return futures::stream::once(async { Err(Error::internal("the readers are gone")) }).boxed();
            };
            let work = tokio::task::spawn_blocking(move || {
                let _reader = reader;
                let sent = read_part(&part, &schema, |rows| {
                    let bytes = rows.get_array_memory_size();
                    // A closed channel means that nobody wants the rest.
                    Ok(sender.blocking_send(Ok(Batch::plain(rows, bytes))).is_ok())
                });
                if let Err(error) = sent {
                    let _ = sender.blocking_send(Err(error));
                }
            });
            let batches =
                futures::stream::unfold(receiver, |mut receiver| async { receiver.recv().await.map(|batch| (batch, receiver)) });
            // A reader that panicked must not look like the end of the part.
            let end = futures::stream::once(work).filter_map(|ended| async {
                ended.err().map(|error| Err(Error::internal("the reader of a part did not end").with_source(error)))
            });
            batches.chain(end).boxed()
        };
        futures::stream::once(start).flatten().boxed()
    }
}
