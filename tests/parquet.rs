//! A folder of Parquet files as a target: what is written is what is read, exactly once, and nothing half-done is ever seen.
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::sync::Arc;

use arrow::array::*;
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::datatypes::{DataType, Float32Type, Float64Type, IntervalMonthDayNano, UInt32Type, UInt64Type};
use dbferry::config::endpoint::Endpoint;
use dbferry::engine::{EngineKind, ProfileColumn, ProfileKind};
use dbferry::engine::{ReadBack, SessionOptions, Sink, registry};
use dbferry::error::ErrorKind;
use dbferry::ledger::{RunRecord, RunState};
use dbferry::model::catalog::{NativeType, ServerInfo};
use dbferry::model::chunk::{Chunk, ChunkRange};
use dbferry::model::integer::integer;
use dbferry::model::load::Load;
use dbferry::model::logical::{Zone, schema};
use dbferry::model::unit::{ReadPlan, Receipt, WorkUnit};
use dbferry::model::{Column, Digest, LogicalType, ObjectName, RunId, Table};
use futures::TryStreamExt;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

async fn sink(folder: &Path) -> dbferry::Result<Arc<dyn Sink>> {
    let at = Endpoint::parse(&format!("parquet://{}", folder.display()))?;
    let options = SessionOptions { application_name: "dbferry/test".into(), jobs: 2, ledger_schema: "dbferry".into() };
    registry::engine(EngineKind::Parquet).open_sink(&at, &options).await
}

fn column(name: &str, logical: LogicalType) -> Column {
    let (native, _) = registry::engine(EngineKind::Parquet).dialect().to_native(&logical, &ServerInfo::default()).unwrap();
    Column::new(name, Some(logical), native)
}

fn table(name: ObjectName, columns: &[(&str, LogicalType)]) -> Table {
    let mut table = Table::new(name);
    table.columns = columns.iter().map(|(name, logical)| column(name, logical.clone())).collect();
    table
}

fn ids(name: &str) -> Table {
    table(ObjectName::new("", name), &[("id", LogicalType::Int64)])
}

fn unit(run: RunId, target: &ObjectName, chunk: u32) -> WorkUnit {
    let read = ReadPlan {
        row_filter: None,
        keep_raw: false,
        table: target.clone(),
        columns: Vec::new(),
        row_key: Vec::new(),
        chunk_key: Vec::new(),
        index: None,
        batch_bytes: 1 << 20,
    };
    let chunk = Chunk { id: chunk, range: ChunkRange::Whole, estimated_rows: 0, estimated_bytes: 0 };
    WorkUnit { run, read, chunk, target: target.clone(), load: Load::default() }
}

fn batch(table: &Table, columns: Vec<ArrayRef>) -> RecordBatch {
    let types: Vec<(&str, &LogicalType)> =
        table.columns.iter().map(|column| (column.name.as_str(), column.logical.as_ref().unwrap())).collect();
    RecordBatch::try_new(schema(types), columns).unwrap()
}

fn id_batch(table: &Table, ids: std::ops::Range<i64>) -> RecordBatch {
    batch(table, vec![Arc::new(Int64Array::from_iter_values(ids))])
}

async fn carry(sink: &dyn Sink, run: RunId, table: &Table, chunk: u32, rows: &RecordBatch) -> dbferry::Result<Receipt> {
    let mut writer = sink.begin_chunk(&unit(run, &table.name, chunk), table).await?;
    writer.write(rows).await?;
    writer.commit(Digest { rows: rows.num_rows() as u64, sum: u128::from(chunk) << 100 }).await
}

async fn read_all(back: &dyn ReadBack, table: &Table, run: Option<RunId>) -> dbferry::Result<Vec<RecordBatch>> {
    let mut batches = Vec::new();
    for chunk in back.plan_chunks(table, 1 << 20, run).await?.chunks {
        batches.extend(back.read(table, &chunk).map_ok(|batch| batch.rows).try_collect::<Vec<_>>().await?);
    }
    Ok(batches)
}

fn record(run: RunId) -> RunRecord {
    RunRecord {
        run,
        source: "mysql://db1/shop".into(),
        target: "parquet://out".into(),
        identity: "x".into(),
        state: RunState::Running,
        plan: serde_json::json!({ "tables": ["t"] }),
        started_us: 1,
        updated_us: 1,
        report: None,
    }
}

/// Every file below a folder.
fn files(folder: &Path) -> Vec<String> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.extend(files(&path).into_iter().map(|file| format!("{}/{file}", path.file_name().unwrap().to_string_lossy())));
        } else {
            all.push(path.file_name().unwrap().to_string_lossy().into_owned());
        }
    }
    all.sort();
    all
}

/// Arrays of a logical type over the whole range of its Arrow type, sentinels and NULLs included.
fn arrays(logical: &LogicalType, rows: usize) -> BoxedStrategy<ArrayRef> {
    use LogicalType as L;
    macro_rules! primitive {
        ($array:ty, $strategy:expr) => {
            proptest::collection::vec(proptest::option::weighted(0.8, $strategy), rows)
                .prop_map(|values| Arc::new(<$array>::from(values)) as ArrayRef)
                .boxed()
        };
    }
    fn edges<T: Clone + std::fmt::Debug + 'static>(any: impl Strategy<Value = T> + 'static, edges: Vec<T>) -> BoxedStrategy<T> {
        prop_oneof![3 => any, 1 => proptest::sample::select(edges)].boxed()
    }
    let text = || prop_oneof!["\\PC{0,12}", Just("NUL \0 within".to_string()), Just(String::new()), Just("😀".repeat(40))];
    let bytes = || proptest::collection::vec(any::<u8>(), 0..40);
    let i64s = || edges(any::<i64>(), vec![i64::MIN, i64::MAX, i64::MIN + 1, -1, 0]);
    match logical {
        L::Bool => primitive!(BooleanArray, any::<bool>()),
        L::Int8 => primitive!(Int8Array, any::<i8>()),
        L::Int16 => primitive!(Int16Array, any::<i16>()),
        L::Int32 => primitive!(Int32Array, edges(any::<i32>(), vec![i32::MIN, i32::MAX])),
        L::Int64 => primitive!(Int64Array, i64s()),
        L::UInt8 => primitive!(UInt8Array, any::<u8>()),
        L::UInt16 => primitive!(UInt16Array, any::<u16>()),
        L::UInt32 => primitive!(UInt32Array, edges(any::<u32>(), vec![0, u32::MAX])),
        L::UInt64 => primitive!(UInt64Array, edges(any::<u64>(), vec![0, u64::MAX, 1 << 63])),
        L::Float32 => primitive!(Float32Array, any::<u32>().prop_map(f32::from_bits)),
        L::Float64 => {
            let hard = vec![
                -0.0,
                0.0,
                f64::NAN,
                f64::INFINITY,
                f64::NEG_INFINITY,
                f64::from_bits(1),
                f64::from_bits(0x7ff0_0000_0000_0001),
            ];
            primitive!(Float64Array, edges(any::<u64>().prop_map(f64::from_bits), hard))
        }
        L::Decimal { precision, scale } if *precision <= 38 => {
            let (precision, scale) = (*precision, *scale);
            let bound = 10i128.pow(u32::from(precision)) - 1;
            proptest::collection::vec(proptest::option::weighted(0.8, edges(-bound..=bound, vec![bound, -bound, 0])), rows)
                .prop_map(move |values| {
                    Arc::new(Decimal128Array::from(values).with_precision_and_scale(precision, scale as i8).unwrap()) as ArrayRef
                })
                .boxed()
        }
        L::Decimal { precision, scale } => {
            let (precision, scale) = (*precision, *scale);
            let digits = proptest::string::string_regex(&format!("-?[0-9]{{1,{precision}}}")).unwrap();
            proptest::collection::vec(proptest::option::weighted(0.8, digits), rows)
                .prop_map(move |values| {
                    let values = values.into_iter().map(|digits| digits.map(|digits| integer(&digits).unwrap()));
                    let array = Decimal256Array::from_iter(values);
                    Arc::new(array.with_precision_and_scale(precision, scale as i8).unwrap()) as ArrayRef
                })
                .boxed()
        }
        L::Date => primitive!(Date32Array, edges(any::<i32>(), vec![i32::MIN, i32::MAX, 0])),
        L::Time { .. } => primitive!(Time64MicrosecondArray, edges(0..=86_400_000_000i64, vec![0, 86_400_000_000])),
        L::Timestamp { zone: Zone::None, .. } => primitive!(TimestampMicrosecondArray, i64s()),
        L::Timestamp { zone: Zone::Utc, .. } => proptest::collection::vec(proptest::option::weighted(0.8, i64s()), rows)
            .prop_map(|values| Arc::new(TimestampMicrosecondArray::from(values).with_timezone("UTC")) as ArrayRef)
            .boxed(),
        L::Duration { .. } => primitive!(DurationMicrosecondArray, i64s()),
        L::Interval => {
            let interval = (any::<i32>(), any::<i32>(), i64s());
            primitive!(IntervalMonthDayNanoArray, interval.prop_map(|(m, d, n)| IntervalMonthDayNano::new(m, d, n)))
        }
        L::Numeric => primitive!(StringArray, "-?[0-9]{1,100}\\.[0-9]{1,100}"),
        L::Text { .. } => primitive!(StringArray, text()),
        L::Json => primitive!(StringArray, text().prop_map(|text| serde_json::json!({ "k": text }).to_string())),
        L::Enum { labels } => primitive!(StringArray, proptest::sample::select(labels.clone())),
        L::Binary { .. } | L::Bits { .. } | L::Geometry { .. } => {
            proptest::collection::vec(proptest::option::weighted(0.8, bytes()), rows)
                .prop_map(|values| Arc::new(BinaryArray::from_iter(values)) as ArrayRef)
                .boxed()
        }
        L::Uuid => proptest::collection::vec(proptest::option::weighted(0.8, any::<[u8; 16]>()), rows)
            .prop_map(|values| {
                Arc::new(FixedSizeBinaryArray::try_from_sparse_iter_with_size(values.into_iter(), 16).unwrap()) as ArrayRef
            })
            .boxed(),
        L::Set { .. } | L::Array { .. } => {
            let DataType::List(field) = logical.arrow() else { unreachable!() };
            let item = match logical {
                L::Array { item } => item.as_ref().clone(),
                _ => L::Text { length: None },
            };
            let no_nulls = !field.is_nullable();
            proptest::collection::vec(proptest::option::weighted(0.8, 0usize..4), rows)
                .prop_flat_map(move |lengths| {
                    let total = lengths.iter().flatten().sum();
                    let field = field.clone();
                    arrays(&item, total).prop_map(move |mut values| {
                        if no_nulls {
                            let texts = values.as_string::<i32>().iter().map(|text| text.unwrap_or("null"));
                            values = Arc::new(StringArray::from_iter_values(texts));
                        }
                        let nulls: NullBuffer = lengths.iter().map(Option::is_some).collect();
                        let offsets = OffsetBuffer::from_lengths(lengths.iter().map(|length| length.unwrap_or(0)));
                        Arc::new(ListArray::new(field.clone(), offsets, values, Some(nulls))) as ArrayRef
                    })
                })
                .boxed()
        }
        L::Vector { dimensions } => {
            let DataType::FixedSizeList(field, size) = logical.arrow() else { unreachable!() };
            let values = proptest::collection::vec(any::<u32>(), rows * *dimensions as usize);
            (values, proptest::collection::vec(proptest::bool::weighted(0.8), rows))
                .prop_map(move |(bits, valid)| {
                    let values = Float32Array::from_iter_values(bits.into_iter().map(f32::from_bits));
                    Arc::new(FixedSizeListArray::new(field.clone(), size, Arc::new(values), Some(valid.into()))) as ArrayRef
                })
                .boxed()
        }
    }
}

fn every_type() -> Vec<LogicalType> {
    use LogicalType as L;
    let labels = vec!["a,b".to_string(), "it's".into(), String::new(), "null".into(), "ä\"{}".into()];
    let mut all = vec![L::Bool, L::Int8, L::Int16, L::Int32, L::Int64, L::UInt8, L::UInt16, L::UInt32, L::UInt64];
    all.extend([L::Float32, L::Float64, L::Numeric, L::Date, L::Interval, L::Uuid, L::Json]);
    for (precision, scale) in [(1, 0), (9, 9), (10, 2), (18, 6), (19, 0), (38, 38), (39, 0), (65, 30), (76, 76)] {
        all.push(L::Decimal { precision, scale });
    }
    for fsp in [0, 3, 6] {
        all.extend([
            L::Time { fsp },
            L::Duration { fsp },
            L::Timestamp { fsp, zone: Zone::None },
            L::Timestamp { fsp, zone: Zone::Utc },
        ]);
    }
    all.extend([L::Text { length: None }, L::Text { length: Some(12) }, L::Binary { length: Some(40) }, L::Bits { length: 9 }]);
    all.extend([L::Geometry { srid: Some(4326), shape: Some("POINT".into()) }, L::Enum { labels: labels.clone() }]);
    all.extend([L::Set { labels }, L::Vector { dimensions: 3 }]);
    for item in [L::Int32, L::Interval, L::Decimal { precision: 50, scale: 5 }, L::Array { item: Box::new(L::Interval) }] {
        all.push(L::Array { item: Box::new(item) });
    }
    all
}

/// Equal bit for bit: Arrow's own equality takes no two NaN for equal, and says nothing of the sign of zero.
fn assert_same_bits(one: &RecordBatch, two: &RecordBatch) {
    assert_eq!(one.schema(), two.schema());
    let bits = |array: &ArrayRef| -> ArrayRef {
        match array.data_type() {
            DataType::Float32 => Arc::new(array.as_primitive::<Float32Type>().unary::<_, UInt32Type>(f32::to_bits)),
            DataType::Float64 => Arc::new(array.as_primitive::<Float64Type>().unary::<_, UInt64Type>(f64::to_bits)),
            DataType::FixedSizeList(..) => {
                let list = array.as_fixed_size_list();
                let rows = (0..list.len()).map(|row| {
                    list.is_valid(row).then(|| {
                        let values = list.value(row);
                        let bits = values.as_primitive::<Float32Type>().values().iter().map(|value| Some(value.to_bits()));
                        bits.collect::<Vec<_>>()
                    })
                });
                Arc::new(ListArray::from_iter_primitive::<UInt32Type, _, _>(rows))
            }
            _ => array.clone(),
        }
    };
    for ((field, one), two) in one.schema().fields().iter().zip(one.columns()).zip(two.columns()) {
        assert_eq!(&bits(one), &bits(two), "{}", field.name());
    }
}

#[test]
fn every_logical_type_comes_back_bit_for_bit() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let types = every_type();
    let names: Vec<String> = types.iter().enumerate().map(|(at, logical)| format!("c{at} {logical}")).collect();
    let columns: Vec<(&str, LogicalType)> = names.iter().map(String::as_str).zip(types.clone()).collect();
    let table = table(ObjectName::new("shop", "every type"), &columns);
    let strategy = types.iter().map(|logical| arrays(logical, 20)).collect::<Vec<_>>();
    let mut runner = TestRunner::new(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() });
    let outcome = runner.run(&strategy, |arrays| {
        runtime.block_on(async {
            let folder = tempfile::tempdir().unwrap();
            let sink = sink(folder.path()).await.unwrap();
            let run = RunId::generate();
            let rows = batch(&table, arrays);
            let mut writer = sink.begin_chunk(&unit(run, &table.name, 0), &table).await.unwrap();
            // A slice starts inside its buffers.
            for part in [rows.slice(0, 0), rows.slice(0, 7), rows.slice(7, 13)] {
                writer.write(&part).await.unwrap();
            }
            writer.commit(Digest { rows: 20, sum: 1 }).await.unwrap();
            let back = sink.read_back(1).await.unwrap();
            assert_eq!(back.count(&table).await.unwrap(), 20);
            let batches = read_all(&*back, &table, Some(run)).await.unwrap();
            let read = arrow::compute::concat_batches(&batches[0].schema(), &batches).unwrap();
            assert_same_bits(&rows, &read);
            // The file alone tells the types, too.
            let existing = sink.existing(std::slice::from_ref(&table.name)).await.unwrap();
            assert_eq!(existing[0].columns, table.columns);
        });
        Ok(())
    });
    outcome.unwrap();
}

#[tokio::test]
async fn a_part_is_its_own_receipt() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("made/when needed");
    let sink = sink(&root).await.unwrap();
    sink.check(&[], None).await.unwrap();
    assert!(!root.parent().unwrap().exists(), "a check leaves nothing");
    let (run, table) = (RunId::generate(), table(ObjectName::new("shop", "orders"), &[("id", LogicalType::Int64)]));
    sink.ledger().prepare().await.unwrap();
    sink.ledger().start(&record(run)).await.unwrap();
    let first = carry(&*sink, run, &table, 0, &id_batch(&table, 0..250_000)).await.unwrap();
    let second = carry(&*sink, run, &table, 1, &id_batch(&table, 0..0)).await.unwrap();
    assert!(first.bytes > 0);
    assert!(root.join("shop.orders/part-000000.parquet").is_file());
    assert_eq!(sink.ledger().receipts(run).await.unwrap(), vec![first, second]);
    assert_eq!(sink.ledger().receipts(RunId::generate()).await.unwrap(), vec![]);
    let back = sink.read_back(2).await.unwrap();
    assert_eq!(back.count(&table).await.unwrap(), 250_000);
    let batches = read_all(&*back, &table, None).await.unwrap();
    assert!(batches.len() > 1, "a large part comes in several batches");
    assert_eq!(batches.iter().map(RecordBatch::num_rows).sum::<usize>(), 250_000);
    let profile = back
        .profile(&table, &[ProfileColumn { name: "id".into(), native: NativeType::default(), kind: ProfileKind::Exact }])
        .await
        .unwrap();
    let texts = ["250000", "0", "249999", "31249875000"].map(|text| Some(text.to_string())).to_vec();
    assert_eq!((profile.rows, profile.columns), (250_000, vec![texts]));
}

#[tokio::test]
async fn a_dropped_or_aborted_writer_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let sink = sink(folder.path()).await.unwrap();
    let (run, table) = (RunId::generate(), ids("t"));
    for abort in [false, true] {
        let mut writer = sink.begin_chunk(&unit(run, &table.name, 0), &table).await.unwrap();
        writer.write(&id_batch(&table, 0..10)).await.unwrap();
        let error = sink.begin_chunk(&unit(run, &table.name, 0), &table).await.err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Ledger, "a chunk is claimed once");
        if abort {
            writer.abort().await.unwrap()
        } else {
            drop(writer)
        }
        assert_eq!(files(folder.path()), Vec::<String>::new());
        assert_eq!(sink.read_back(1).await.unwrap().count(&table).await.unwrap(), 0);
    }
    carry(&*sink, run, &table, 0, &id_batch(&table, 0..10)).await.unwrap();
}

#[tokio::test]
async fn a_chunk_is_written_once() {
    let folder = tempfile::tempdir().unwrap();
    let (one, two) = (sink(folder.path()).await.unwrap(), sink(folder.path()).await.unwrap());
    let (run, table) = (RunId::generate(), ids("t"));
    // Two processes begin the same chunk; the first that commits wins, and nothing is written over.
    let rows = id_batch(&table, 0..10);
    let mut early = one.begin_chunk(&unit(run, &table.name, 0), &table).await.unwrap();
    let mut late = two.begin_chunk(&unit(run, &table.name, 0), &table).await.unwrap();
    early.write(&rows).await.unwrap();
    late.write(&rows).await.unwrap();
    late.write(&rows).await.unwrap();
    early.commit(Digest { rows: 10, sum: 1 }).await.unwrap();
    let error = late.commit(Digest { rows: 20, sum: 2 }).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Ledger);
    let error = one.begin_chunk(&unit(run, &table.name, 0), &table).await.err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Ledger);
    assert_eq!(files(folder.path()), vec!["t/part-000000.parquet"]);
    assert_eq!(one.ledger().receipts(run).await.unwrap()[0].digest, Digest { rows: 10, sum: 1 });
}

#[tokio::test]
async fn leftovers_of_a_crash_are_not_seen_and_go_at_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    let sink = sink(folder.path()).await.unwrap();
    let (run, table) = (RunId::generate(), ids("t"));
    let mut living = sink.begin_chunk(&unit(run, &table.name, 7), &table).await.unwrap();
    let leftovers = folder.path().join(format!("_dbferry/{run}/unfinished"));
    std::fs::write(leftovers.join("half"), b"PAR1 half a part").unwrap();
    carry(&*sink, run, &table, 0, &id_batch(&table, 0..3)).await.unwrap();
    assert_eq!(sink.ledger().receipts(run).await.unwrap().len(), 1);
    assert_eq!(sink.read_back(1).await.unwrap().count(&table).await.unwrap(), 3);
    sink.ledger().prepare().await.unwrap();
    assert!(!leftovers.join("half").exists());
    // The file of a living writer stays.
    living.write(&id_batch(&table, 3..5)).await.unwrap();
    living.commit(Digest { rows: 2, sum: 0 }).await.unwrap();
    assert_eq!(sink.read_back(1).await.unwrap().count(&table).await.unwrap(), 5);
}

#[tokio::test]
async fn parts_of_another_run_are_not_read_nor_written_over() {
    let folder = tempfile::tempdir().unwrap();
    let sink = sink(folder.path()).await.unwrap();
    let (old, new, table) = (RunId::generate(), RunId::generate(), ids("t"));
    carry(&*sink, old, &table, 5, &id_batch(&table, 0..50)).await.unwrap();
    for chunk in [5, 6] {
        let error = sink.begin_chunk(&unit(new, &table.name, chunk), &table).await.err().unwrap();
        assert_eq!(error.kind(), ErrorKind::TargetExists, "{error}");
    }
    // Someone puts them there by hand all the same.
    let aside = folder.path().join("aside");
    std::fs::rename(folder.path().join("t"), &aside).unwrap();
    carry(&*sink, new, &table, 0, &id_batch(&table, 0..3)).await.unwrap();
    std::fs::rename(aside.join("part-000005.parquet"), folder.path().join("t/part-000005.parquet")).unwrap();
    std::fs::write(folder.path().join("t/notes.txt"), b"not a part").unwrap();
    let back = sink.read_back(1).await.unwrap();
    assert_eq!(back.count(&table).await.unwrap(), 3);
    assert_eq!(back.plan_chunks(&table, 1, Some(new)).await.unwrap().chunks.len(), 1);
    assert_eq!(back.plan_chunks(&table, 1, Some(old)).await.unwrap().chunks[0].id, 5);
    assert_eq!(sink.ledger().receipts(new).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_part_that_was_moved_or_cut_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let sink = sink(folder.path()).await.unwrap();
    let (run, table) = (RunId::generate(), ids("t"));
    carry(&*sink, run, &table, 0, &id_batch(&table, 0..50)).await.unwrap();
    let part = folder.path().join("t/part-000000.parquet");
    let doubled = folder.path().join("t/part-000001.parquet");
    std::fs::copy(&part, &doubled).unwrap();
    assert_eq!(sink.ledger().receipts(run).await.unwrap_err().kind(), ErrorKind::Ledger);
    assert_eq!(sink.read_back(1).await.err().unwrap().kind(), ErrorKind::Ledger);
    std::fs::remove_file(&doubled).unwrap();
    let bytes = std::fs::read(&part).unwrap();
    std::fs::write(&part, &bytes[..bytes.len() - 9]).unwrap();
    let error = sink.ledger().receipts(run).await.unwrap_err();
    assert!(error.place().file.as_deref().unwrap().ends_with("part-000000.parquet"));
}

#[tokio::test]
async fn hostile_names_stay_in_their_folder() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("root");
    let sink = sink(&root).await.unwrap();
    let run = RunId::generate();
    let long = "長".repeat(64);
    let names =
        ["../up", "/etc", ".", "..", "", "_dbferry", "CON", "a.b", "a%2Eb", "tab\tnl\n", "naïve 😀", "*?[x]", "Ab", "aB", &long];
    let mut tables: Vec<Table> = names.iter().map(|name| ids(name)).collect();
    tables.push(table(
        ObjectName::new("a", "b"),
        &[("id", LogicalType::Int64), ("", LogicalType::Int8), ("ID.x\"", LogicalType::Int8)],
    ));
    for (rows, table) in tables.iter().enumerate() {
        let rows = rows + 1;
        let columns =
            table.columns.iter().map(|column| arrow::array::new_null_array(&column.logical.as_ref().unwrap().arrow(), rows));
        carry(&*sink, run, table, 0, &batch(table, columns.collect())).await.unwrap();
        sink.ledger().mark(run, &table.name, "verify").await.unwrap();
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    let back = sink.read_back(1).await.unwrap();
    for (rows, table) in tables.iter().enumerate() {
        assert_eq!(back.count(table).await.unwrap(), rows as u64 + 1, "{}", table.name);
        assert_eq!(read_all(&*back, table, Some(run)).await.unwrap()[0].num_rows(), rows + 1);
    }
    assert_eq!(sink.ledger().marks(run).await.unwrap().len(), tables.len());
    let existing = sink.existing(&tables.iter().map(|table| table.name.clone()).collect::<Vec<_>>()).await.unwrap();
    assert_eq!(existing.len(), tables.len());
    assert_eq!(sink.existing(&[ObjectName::new("", "other")]).await.unwrap(), vec![]);
}

#[tokio::test]
async fn the_ledger_tells_runs_newest_first() {
    let folder = tempfile::tempdir().unwrap();
    let sink = sink(folder.path()).await.unwrap();
    let ledger = sink.ledger();
    assert_eq!(ledger.runs().await.unwrap(), vec![], "without a ledger there are no runs");
    let (one, two) = (RunId::generate(), RunId::generate());
    ledger.prepare().await.unwrap();
    ledger.prepare().await.unwrap();
    for run in [one, two] {
        ledger.start(&record(run)).await.unwrap();
    }
    assert_eq!(ledger.start(&record(one)).await.unwrap_err().kind(), ErrorKind::Ledger);
    let report = serde_json::json!({ "rows": 3 });
    ledger.finish(one, RunState::Failed, &serde_json::Value::Null).await.unwrap();
    ledger.finish(one, RunState::Done, &report).await.unwrap();
    let runs = ledger.runs().await.unwrap();
    assert_eq!(
        runs.iter().map(|run| (run.run, run.state)).collect::<Vec<_>>(),
        vec![(two, RunState::Running), (one, RunState::Done)]
    );
    assert_eq!((runs[1].report.as_ref(), runs[1].plan.clone()), (Some(&report), record(one).plan));
    assert!(runs[1].updated_us > runs[1].started_us);
    let unknown = ledger.finish(RunId::generate(), RunState::Done, &report).await.unwrap_err();
    assert_eq!(unknown.kind(), ErrorKind::Ledger);
    let table = ObjectName::new("shop", "t");
    for phase in ["tables", "verify", "tables"] {
        ledger.mark(one, &table, phase).await.unwrap();
    }
    assert_eq!(ledger.marks(one).await.unwrap(), vec![(table.clone(), "tables".into()), (table, "verify".into())]);
    assert_eq!(ledger.marks(two).await.unwrap(), vec![]);
    std::fs::write(folder.path().join(format!("_dbferry/{two}/plan.json")), "{").unwrap();
    assert_eq!(ledger.runs().await.unwrap_err().kind(), ErrorKind::Ledger);
}

#[tokio::test]
async fn what_cannot_be_written_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, b"x").unwrap();
    for path in [file.clone(), file.join("below")] {
        let error = match sink(&path).await {
            Ok(sink) => sink.check(&[], None).await.unwrap_err(),
            Err(error) => error,
        };
        assert_eq!(error.kind(), ErrorKind::Io, "{error}");
    }
    let sink = sink(folder.path()).await.unwrap();
    assert_eq!(sink.check(&[], Some("me")).await.unwrap_err().kind(), ErrorKind::Unsupported);
    let run = RunId::generate();
    let mut table = ids("t");
    table.columns[0].nullable = false;
    let mut writer = sink.begin_chunk(&unit(run, &table.name, 0), &table).await.unwrap();
    let error = writer.write(&batch(&table, vec![Arc::new(Int64Array::from(vec![Some(1), None]))])).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "`t.id` (row 2 of its batch; the table has no key): NULL has no place in a column that is NOT NULL"
    );
    let other = ids("t");
    let mut wrong = other.clone();
    wrong.columns[0] = column("id", LogicalType::Int32);
    let rows = batch(&wrong, vec![Arc::new(Int32Array::from(vec![1]))]);
    assert_eq!(writer.write(&rows).await.unwrap_err().kind(), ErrorKind::Internal);
    writer.write(&id_batch(&table, 0..2)).await.unwrap();
    let error = writer.commit(Digest { rows: 1, sum: 0 }).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Internal, "a digest over other rows is no receipt");
    assert_eq!(files(folder.path()), vec!["file"]);
    let empty = Table::new(ObjectName::new("", "none"));
    assert_eq!(sink.begin_chunk(&unit(run, &empty.name, 0), &empty).await.err().unwrap().kind(), ErrorKind::Mapping);
    // The table is asked for with a column that the part does not have.
    let (one, two) = (ids("u"), table_with_two());
    carry(&*sink, run, &one, 0, &id_batch(&one, 0..2)).await.unwrap();
    let error = read_all(&*sink.read_back(1).await.unwrap(), &two, None).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::SchemaChanged, "{error}");
}

fn table_with_two() -> Table {
    table(ObjectName::new("", "u"), &[("id", LogicalType::Int64), ("more", LogicalType::Bool)])
}
