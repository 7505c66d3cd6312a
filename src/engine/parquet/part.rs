//! A part: one chunk's file, which is its own receipt.
//!
//! The footer's key-value metadata say what it is; a file without them was not written by dbferry.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use parquet::file::metadata::{KeyValue, ParquetMetaData};

use super::connect::{Folder, list};
use super::error::{io, parquet};
use super::names;
use crate::error::{Error, ErrorKind, Result};
use crate::model::unit::Receipt;
use crate::model::{Digest, Losses, ObjectName, RunId};

const RUN: &str = "dbferry.run";
const TABLE: &str = "dbferry.table";
const CHUNK: &str = "dbferry.chunk";
const ROWS: &str = "dbferry.rows";
const DIGEST: &str = "dbferry.digest";
const BYTES: &str = "dbferry.bytes";
const ROWS_READ: &str = "dbferry.rows_read";
const LOSSES: &str = "dbferry.losses";

/// A part that is visible.
#[derive(Debug, Clone)]
pub struct Part {
    /// Its file.
    pub path: PathBuf,
    /// The run that wrote it.
    pub run: RunId,
    /// What it proves.
    pub receipt: Receipt,
}

/// The footer entries of a part.
pub fn metadata(run: RunId, receipt: &Receipt) -> Result<Vec<KeyValue>> {
    let table =
        serde_json::to_string(&receipt.table).map_err(|error| Error::internal("a name has no JSON form").with_source(error))?;
    let entry = |key: &str, value: String| KeyValue { key: key.into(), value: Some(value) };
    let mut entries = vec![
        entry(RUN, run.to_string()),
        entry(TABLE, table),
        entry(CHUNK, receipt.chunk.to_string()),
        entry(ROWS, receipt.digest.rows.to_string()),
        entry(DIGEST, receipt.digest.to_string()),
        entry(BYTES, receipt.bytes.to_string()),
        entry(ROWS_READ, receipt.rows_read.to_string()),
    ];
    if !receipt.losses.is_empty() {
        let losses = serde_json::to_string(&receipt.losses)
            .map_err(|error| Error::internal("losses have no JSON form").with_source(error))?;
        entries.push(entry(LOSSES, losses));
    }
    Ok(entries)
}

/// Opens a file and reads its footer.
pub fn open(path: &Path) -> Result<(File, ArrowReaderMetadata)> {
    let file = File::open(path).map_err(|error| io(error, "the part cannot be opened", path))?;
    let footer = ArrowReaderMetadata::load(&file, ArrowReaderOptions::new())
        .map_err(|error| parquet(error, "the part has no readable footer", path))?;
    Ok((file, footer))
}

/// The rows of a file, counted over its row groups.
pub fn count_rows(footer: &Arc<ParquetMetaData>, path: &Path) -> Result<u64> {
    let rows = footer.row_groups().iter().try_fold(0u64, |sum, group| sum.checked_add(u64::try_from(group.num_rows()).ok()?));
    rows.ok_or_else(|| Error::new(ErrorKind::Io, "the part's footer tells a negative number of rows").file(path.display()))
}

/// The receipt in a file's footer; none for a file that dbferry did not write.
///
/// # Errors
/// `Ledger` when the footer contradicts itself, or the file's place.
pub fn read(folder: &Folder, path: &Path) -> Result<Option<Part>> {
    let (_, footer) = open(path)?;
    let Some(entries) = footer.metadata().file_metadata().key_value_metadata() else { return Ok(None) };
    let value = |key: &str| entries.iter().find(|entry| entry.key == key).and_then(|entry| entry.value.as_deref());
    let Some(run) = value(RUN) else { return Ok(None) };
    let parsed = (|| {
        let run: RunId = run.parse().ok()?;
        let table: ObjectName = serde_json::from_str(value(TABLE)?).ok()?;
        let rows = value(ROWS)?.parse().ok()?;
        let sum = u128::from_str_radix(value(DIGEST)?, 16).ok()?;
        let (chunk, bytes) = (value(CHUNK)?.parse().ok()?, value(BYTES)?.parse().ok()?);
        let rows_read = value(ROWS_READ)?.parse().ok()?;
        let losses = value(LOSSES).map_or_else(|| Some(Losses::default()), |losses| serde_json::from_str(losses).ok())?;
        let receipt = Receipt { table, chunk, digest: Digest { rows, sum }, bytes, rows_read, losses, rejected: 0 };
        Some(Part { path: path.into(), run, receipt })
    })();
    let broken = |what: &str| Err(Error::new(ErrorKind::Ledger, what).file(path.display()));
    let Some(part) = parsed else { return broken("the part's receipt cannot be read") };
    if count_rows(footer.metadata(), path)? != part.receipt.digest.rows {
        return broken("the part does not hold as many rows as its receipt says");
    }
    if folder.table(&part.receipt.table).join(names::part_file(part.receipt.chunk)) != path {
        return broken("the part is not where its receipt belongs; it was moved, or copied from elsewhere");
    }
    Ok(Some(part))
}

/// The parts in a table's folder, of whatever run, by chunk.
pub fn of_table(folder: &Folder, table: &Path) -> Result<Vec<Part>> {
    let mut parts = Vec::new();
    for path in list(table)? {
        if path.file_name().and_then(|name| names::chunk_of(name.to_str()?)).is_some() {
            parts.extend(read(folder, &path)?);
        }
    }
    parts.sort_by_key(|part| part.receipt.chunk);
    Ok(parts)
}
