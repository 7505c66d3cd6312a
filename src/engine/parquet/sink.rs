//! A folder of Parquet files as a target.

use std::sync::Arc;

use async_trait::async_trait;
use parquet::file::properties::DEFAULT_CREATED_BY;

use super::connect::{Folder, list};
use super::error::blocking;
use super::ledger::ParquetLedger;
use super::part;
use super::read_back::ParquetReadBack;
use super::typemap::ParquetDialect;
use super::write::{Claims, PartWriter};
use crate::config::endpoint::Endpoint;
use crate::engine::{ChunkWriter, Ddl, Dialect as _, ReadBack, SessionOptions, Sink};
use crate::error::{Error, ErrorKind, Result};
use crate::ledger::Ledger;
use crate::model::catalog::{NativeType, ServerInfo};
use crate::model::unit::WorkUnit;
use crate::model::{Column, LogicalType, ObjectName, Table};

/// A folder that is written to.
pub struct ParquetSink {
    folder: Folder,
    server: ServerInfo,
    ledger: ParquetLedger,
    claims: Claims,
}

impl ParquetSink {
    /// Opens the folder; creates nothing.
    ///
    /// # Errors
    /// As for [`Folder::open`].
    pub async fn open(at: &Endpoint, options: &SessionOptions) -> Result<ParquetSink> {
        let (at, schema) = (at.clone(), options.ledger_schema.clone());
        let folder = blocking(move || Folder::open(&at, &schema)).await?;
        let version = DEFAULT_CREATED_BY.rsplit(' ').next().unwrap_or_default();
        let mut numbers = version.split('.').map(|number| number.parse().unwrap_or(0));
        let mut next = || numbers.next().unwrap_or(0);
        let server = ServerInfo {
            flavour: "Parquet".into(),
            version: version.into(),
            version_number: (next(), next(), next()),
            database: folder.root().display().to_string(),
            features: Vec::new(),
        };
        Ok(ParquetSink { ledger: ParquetLedger::new(folder.clone()), folder, server, claims: Claims::default() })
    }
}

/// The table in a folder, as its first Parquet file has it; none without such files.
fn existing_table(folder: &Folder, name: &ObjectName) -> Result<Option<Table>> {
    let mut files = list(&folder.table(name))?;
    files.retain(|path| path.extension().is_some_and(|extension| extension == "parquet"));
    files.sort();
    let mut table: Option<Table> = None;
    for path in files {
        let (_, footer) = part::open(&path)?;
        let rows = part::count_rows(footer.metadata(), &path)?;
        let table = table.get_or_insert_with(|| {
            let mut table = Table::new(name.clone());
            table.columns = footer.schema().fields().iter().map(|field| column(field)).collect();
            table
        });
        table.estimated_rows = table.estimated_rows.saturating_add(rows);
        table.estimated_bytes = table.estimated_bytes.saturating_add(path.metadata().map_or(0, |file| file.len()));
    }
    Ok(table)
}

fn column(field: &arrow::datatypes::Field) -> Column {
    let logical = LogicalType::of_field(field);
    let known = logical.as_ref().and_then(|logical| ParquetDialect.to_native(logical, &ServerInfo::default()).ok());
    let native = known.map(|(native, _)| native).unwrap_or_else(|| {
        let full = field.data_type().to_string();
        NativeType { name: full.to_ascii_lowercase(), full, ..NativeType::default() }
    });
    Column { nullable: field.is_nullable(), ..Column::new(field.name().clone(), logical, native) }
}

#[async_trait]
impl Sink for ParquetSink {
    fn server(&self) -> &ServerInfo {
        &self.server
    }

    async fn existing(&self, tables: &[ObjectName]) -> Result<Vec<Table>> {
        let (folder, tables) = (self.folder.clone(), tables.to_vec());
        blocking(move || tables.iter().filter_map(|name| existing_table(&folder, name).transpose()).collect()).await
    }

    async fn check(&self, _schemas: &[String], owner: Option<&str>) -> Result<()> {
        if let Some(owner) = owner {
            let error = Error::new(ErrorKind::Unsupported, format!("the role `{owner}` cannot own files"));
            return Err(error.hint("Leave out `owner` for a folder of Parquet files"));
        }
        let folder = self.folder.clone();
        blocking(move || folder.check()).await
    }

    async fn apply(&self, ddl: &Ddl) -> Result<()> {
        // `ParquetDialect::ddl` makes no statements, so whoever sends one expects something that would not happen.
        Err(Error::new(ErrorKind::Unsupported, format!("a folder of Parquet files runs no statements: {}", ddl.object)))
    }

    async fn begin_chunk(&self, unit: &WorkUnit, table: &Table) -> Result<Box<dyn ChunkWriter>> {
        Ok(Box::new(PartWriter::begin(self.folder.clone(), &self.claims, unit, table).await?))
    }

    fn ledger(&self) -> &dyn Ledger {
        &self.ledger
    }

    async fn read_back(&self, readers: usize) -> Result<Arc<dyn ReadBack>> {
        Ok(Arc::new(ParquetReadBack::open(self.folder.clone(), readers).await?))
    }
}
