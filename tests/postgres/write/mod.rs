//! What the tests of the sink share: tables built by hand, and the way of a batch into one.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow::array::*;
use arrow::record_batch::RecordBatch;
use dbferry::config::endpoint::Endpoint;
use dbferry::engine::registry::engine;
use dbferry::engine::{Budget, EngineKind, ReadBack, SessionOptions, Sink};
use dbferry::error::Error;
use dbferry::model::catalog::{Column, Index, IndexMethod, IndexPart, NativeType};
use dbferry::model::chunk::{Chunk, ChunkRange};
use dbferry::model::load::Load;
use dbferry::model::logical::schema;
use dbferry::model::unit::{ReadPlan, WorkUnit};
use dbferry::model::{ChunkPlan, Digest, LogicalType as L, ObjectName, RunId, Table};
use dbferry::verify::hasher::RowHasher;
use futures::StreamExt;

use crate::support::PostgresDatabase;

mod chunks;
mod ledger;
mod read_back;
mod refused;
mod values;

fn options(jobs: usize) -> SessionOptions {
    SessionOptions { application_name: "dbferry/test".into(), jobs, ledger_schema: "dbferry".into() }
}

async fn open(db: &PostgresDatabase) -> Arc<dyn Sink> {
    let at = Endpoint::parse(&db.url).unwrap();
    engine(EngineKind::Postgres).open_sink(&at, &options(2)).await.unwrap()
}

async fn open_prepared(db: &PostgresDatabase) -> Arc<dyn Sink> {
    let sink = open(db).await;
    sink.ledger().prepare().await.unwrap();
    sink
}

fn column(name: &str, logical: L, native: &str) -> Column {
    Column::new(name, Some(logical), NativeType::named(native))
}

/// A table with `id` as its key, and more columns.
fn table(name: &str, more: Vec<Column>) -> Table {
    let mut table = Table::new(ObjectName::new("public", name));
    table.columns = vec![column("id", L::Int32, "integer")];
    table.columns.extend(more);
    let part = IndexPart { column: Some("id".into()), expression: None, prefix: None, descending: false };
    let index = Index { name: "pk".into(), parts: vec![part], unique: true, method: IndexMethod::BTree, visible: true };
    table.primary_key = Some(index);
    table
}

fn batch(table: &Table, arrays: Vec<ArrayRef>) -> RecordBatch {
    let columns = table.columns.iter().map(|column| (column.name.as_str(), column.logical.as_ref().unwrap()));
    RecordBatch::try_new(schema(columns), arrays).unwrap()
}

fn ids(count: usize) -> ArrayRef {
    Arc::new(Int32Array::from_iter_values(0..i32::try_from(count).unwrap()))
}

fn unit(run: RunId, table: &Table, chunk: u32) -> WorkUnit {
    WorkUnit {
        run,
        read: ReadPlan::of(table, Vec::new(), &ChunkPlan::whole(0, 0), 1 << 20),
        chunk: Chunk { id: chunk, range: ChunkRange::Whole, estimated_rows: 0, estimated_bytes: 0 },
        target: table.name.clone(),
        load: Load::default(),
    }
}

fn digest(rows: usize) -> Digest {
    Digest { rows: u64::try_from(rows).unwrap(), sum: u128::MAX - 5 }
}

async fn carry(sink: &dyn Sink, table: &Table, batches: &[RecordBatch]) -> Result<(), Error> {
    let mut writer = sink.begin_chunk(&unit(RunId::generate(), table, 0), table).await?;
    for batch in batches {
        writer.write(batch).await?;
    }
    writer.commit(digest(batches.iter().map(RecordBatch::num_rows).sum())).await?;
    Ok(())
}

async fn read_all(back: &dyn ReadBack, table: &Table, target_bytes: u64) -> RecordBatch {
    let plan = back.plan_chunks(table, target_bytes, None).await.unwrap();
    let mut batches = Vec::new();
    let mut hasher = RowHasher::new(table.columns.iter().filter_map(|column| column.logical.clone()));
    for chunk in &plan.chunks {
        let mut stream = back.read(table, chunk);
        let mut digest = Digest::default();
        while let Some(batch) = stream.next().await {
            let rows = batch.unwrap().rows;
            hasher.update(&rows, &mut digest).unwrap();
            batches.push(rows);
        }
        // The shorter way to the same digest, whatever the types are.
        let heard = AtomicU64::new(0);
        let hear = |rows, _| {
            heard.fetch_add(rows, Ordering::Relaxed);
        };
        let hashed = back.digest_within(table, chunk, &Budget::boundless(), &hear).await.unwrap().unwrap();
        assert_eq!((hashed, heard.into_inner()), (digest, digest.rows));
    }
    let columns = table.columns.iter().map(|column| (column.name.as_str(), column.logical.as_ref().unwrap()));
    // Rows do not lie in the order of their arrival: the server fills the room that a wide row has left.
    let all = arrow::compute::concat_batches(&schema(columns), &batches).unwrap();
    let order = arrow::compute::sort_to_indices(all.column(0), None, None).unwrap();
    arrow::compute::take_record_batch(&all, &order).unwrap()
}

fn numbers(table: &Table, count: usize) -> RecordBatch {
    let texts: StringArray = (0..count).map(|number| Some(format!("value {number}"))).collect();
    batch(table, vec![ids(count), Arc::new(texts)])
}

fn plain() -> Table {
    table("t", vec![column("c", L::Text { length: None }, "text")])
}

const PLAIN: &str = "CREATE TABLE t (id int, c text)";
