//! One suite that every engine passes: what the traits promise, asked of each engine in each role that it has.
//!
//! [`roles`] matches on every kind of engine, so a new engine does not compile before it is entered here.

use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::RecordBatch;
use dbferry::config::endpoint::Endpoint;
use dbferry::config::{Settings, VerifyLevel};
use dbferry::engine::{EngineKind, ReadBack, SessionOptions, Sink, Snapshot, Source, TableFilter, registry};
use dbferry::error::ErrorKind;
use dbferry::ledger::{RunRecord, RunState};
use dbferry::model::catalog::Severity;
use dbferry::model::chunk::ChunkRange;
use dbferry::model::load::Load;
use dbferry::model::logical::schema;
use dbferry::model::unit::{ReadColumn, ReadPlan, Receipt, WorkUnit};
use dbferry::model::{Chunk, ChunkPlan, Column, Digest, LogicalType, ObjectName, RunId, Table};
use dbferry::progress::Progress;
use dbferry::report::{Outcome, Report};
use dbferry::transfer::run::{Job, run};
use dbferry::transfer::stop;
use dbferry::verify::hasher::RowHasher;
use futures::{StreamExt, TryStreamExt};

use crate::support::{MySqlDatabase, PostgresDatabase};

const ALL: [EngineKind; 4] = [EngineKind::MySql, EngineKind::Postgres, EngineKind::Sqlite, EngineKind::Parquet];

/// The roles that an engine can take today: source, sink.
fn roles(kind: EngineKind) -> (bool, bool) {
    match kind {
        EngineKind::MySql | EngineKind::Sqlite => (true, false),
        EngineKind::Postgres | EngineKind::Parquet => (false, true),
    }
}

fn sources() -> impl Iterator<Item = EngineKind> {
    ALL.into_iter().filter(|kind| roles(*kind).0)
}

fn sinks() -> impl Iterator<Item = EngineKind> {
    ALL.into_iter().filter(|kind| roles(*kind).1)
}

/// A database of any engine, for one test.
enum Place {
    MySql(MySqlDatabase),
    Postgres(PostgresDatabase),
    Path { url: String, _folder: tempfile::TempDir },
}

impl Place {
    fn url(&self) -> &str {
        match self {
            Place::MySql(database) => &database.url,
            Place::Postgres(database) => &database.url,
            Place::Path { url, .. } => url,
        }
    }

    fn endpoint(&self) -> Endpoint {
        Endpoint::parse(self.url()).unwrap()
    }

    async fn source(&self) -> Arc<dyn Source> {
        let at = self.endpoint();
        registry::engine(at.engine).open_source(&at, &options()).await.unwrap()
    }

    async fn sink(&self) -> Arc<dyn Sink> {
        let at = self.endpoint();
        registry::engine(at.engine).open_sink(&at, &options()).await.unwrap()
    }

    async fn drop(self) {
        match self {
            Place::MySql(database) => database.drop().await,
            Place::Postgres(database) => database.drop().await,
            Place::Path { .. } => {}
        }
    }
}

fn options() -> SessionOptions {
    SessionOptions { application_name: "dbferry/conformance".into(), jobs: 3, ledger_schema: "dbferry".into() }
}

fn path(scheme: &str, name: &str) -> (Place, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    (Place::Path { url: format!("{scheme}://{}", path.display()), _folder: folder }, path)
}

/// An empty target of that kind.
async fn target(kind: EngineKind) -> Place {
    match kind {
        EngineKind::Postgres => Place::Postgres(PostgresDatabase::create("").await),
        EngineKind::Parquet => path("parquet", "out").0,
        EngineKind::MySql | EngineKind::Sqlite => panic!("{} is no target yet", kind.name()),
    }
}

/// The same content in each engine: a table with a key, one without, one without rows, each value as the engine writes it.
async fn filled(kind: EngineKind) -> Place {
    match kind {
        EngineKind::MySql => Place::MySql(
            MySqlDatabase::create(
                "CREATE TABLE numbers (id BIGINT NOT NULL PRIMARY KEY, small INT, word VARCHAR(40), amount DECIMAL(12,2), ratio DOUBLE, raw BLOB, day DATE, at DATETIME(6));
INSERT INTO numbers SELECT seq * 3, IF(seq % 11 = 0, NULL, CAST(seq AS SIGNED) - 1000), CONCAT('wört ', seq % 13, REPEAT('.', 20)), seq / 4, seq / 8, UNHEX(HEX(seq)), '2020-02-28' + INTERVAL seq % 50 DAY, '2020-01-01 00:00:00.000001' + INTERVAL seq MINUTE FROM seq_1_to_30000;
CREATE TABLE bag (v BIGINT, w VARCHAR(10));
INSERT INTO bag VALUES (1, 'a'), (1, 'a'), (NULL, NULL), (NULL, NULL), (2, '');
CREATE TABLE nothing (id BIGINT NOT NULL PRIMARY KEY);
ANALYZE TABLE numbers, bag, nothing;
",
            )
            .await,
        ),
        EngineKind::Sqlite => {
            let (place, file) = path("sqlite", "filled.db");
            let connection = rusqlite::Connection::open(file).unwrap();
            connection
                .execute_batch(
                    "CREATE TABLE numbers (id INTEGER PRIMARY KEY NOT NULL, small INT, word VARCHAR(40), amount DECIMAL(12,2), ratio DOUBLE, raw BLOB, day DATE, at DATETIME);
                     WITH RECURSIVE s(seq) AS (SELECT 1 UNION ALL SELECT seq + 1 FROM s WHERE seq < 30000)
                     INSERT INTO numbers SELECT seq * 3, iif(seq % 11 = 0, NULL, seq - 1000), 'wört ' || (seq % 13) || '....................', seq / 4.0, seq / 8.0,
                       CAST(seq AS BLOB), date('2020-02-28', (seq % 50) || ' days'), datetime('2020-01-01', seq || ' minutes') || '.000001' FROM s;
                     CREATE TABLE bag (v BIGINT, w VARCHAR(10));
                     INSERT INTO bag VALUES (1, 'a'), (1, 'a'), (NULL, NULL), (NULL, NULL), (2, '');
                     CREATE TABLE \"nothing\" (id INTEGER PRIMARY KEY NOT NULL);",
                )
                .unwrap();
            place
        }
        EngineKind::Postgres | EngineKind::Parquet => panic!("{} is no source yet", kind.name()),
    }
}

const ROWS: [(&str, u64); 3] = [("bag", 5), ("nothing", 0), ("numbers", 30_000)];

async fn carry(from: &Place, to: &Place) -> Report {
    let mut settings = Settings::new(from.endpoint(), to.endpoint());
    settings.verify = VerifyLevel::Full;
    settings.chunk_bytes = 1 << 20;
    settings.jobs = Some(3);
    let (_stopper, stop) = stop::channel();
    let job = Job {
        settings,
        run: RunId::generate(),
        source: from.source().await,
        sink: to.sink().await,
        resume: dbferry::transfer::choose::Resume::No,
        plan: None,
        progress: Progress::silent(),
        stop,
    };
    Box::pin(run(job)).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_source_into_every_sink_verifies_in_full() {
    for from_kind in sources() {
        let from = filled(from_kind).await;
        for to_kind in sinks() {
            let route = format!("{} to {}", from_kind.name(), to_kind.name());
            let to = target(to_kind).await;
            let report = carry(&from, &to).await;
            assert_eq!(report.exit_code, 0, "{route}: {report:#?}");
            assert!(report.proven.starts_with("Proven in full: all 3 tables, 30,005 rows"), "{route}: {}", report.proven);
            let mut found: Vec<(&str, u64)> = Vec::new();
            for table in &report.tables {
                assert_eq!(table.outcome, Outcome::Verified, "{route}");
                found.push((table.source.rsplit('.').next().unwrap(), table.rows));
            }
            assert_eq!(found, ROWS, "{route}");
            to.drop().await;
        }
        from.drop().await;
    }
}

async fn rows_of(snapshot: &dyn Snapshot, table: &Table, plan: &ChunkPlan) -> (u64, Digest, usize) {
    let columns: Vec<ReadColumn> = table
        .columns
        .iter()
        .map(|column| ReadColumn {
            name: column.name.clone(),
            native: column.native.clone(),
            logical: column.logical.clone().unwrap(),
            policies: dbferry::model::ValuePolicies::default(),
        })
        .collect();
    let types: Vec<LogicalType> = columns.iter().map(|column| column.logical.clone()).collect();
    let expected = schema(columns.iter().map(|column| (column.name.as_str(), &column.logical)));
    let what = ReadPlan::of(table, columns, plan, 64 << 10);
    let mut hasher = RowHasher::new(types);
    let (mut digest, mut rows, mut most) = (Digest::default(), 0, 0);
    for chunk in &plan.chunks {
        let mut batches = snapshot.read(&what, chunk);
        while let Some(batch) = batches.next().await {
            let batch = batch.unwrap();
            assert_eq!(batch.rows.schema().fields().len(), expected.fields().len());
            for (one, two) in batch.rows.schema().fields().iter().zip(expected.fields()) {
                assert_eq!((one.name(), one.data_type()), (two.name(), two.data_type()), "{}", table.name);
            }
            rows += batch.rows.num_rows() as u64;
            most = most.max(batch.bytes);
            hasher.update(&batch.rows, &mut digest).unwrap();
        }
    }
    (rows, digest, most)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_source_reads_each_row_once_however_the_table_is_cut() {
    for kind in sources() {
        let place = filled(kind).await;
        let source = place.source().await;
        let catalog = source.catalog(&TableFilter::all()).await.unwrap();
        let names: Vec<&str> = catalog.tables.iter().map(|table| table.name.name.as_str()).collect();
        assert_eq!(names, ROWS.map(|(name, _)| name), "{}: sorted by name", kind.name());
        assert!(catalog.problems.iter().all(|problem| problem.severity == Severity::Note), "{:?}", catalog.problems);
        let some = source.catalog(&TableFilter::new(&["n*".into()], &["nothing".into()]).unwrap()).await.unwrap();
        assert_eq!(some.tables, catalog.tables[2..], "{}: a filter changes nothing but the list", kind.name());

        let snapshot = source.snapshot(&catalog.tables, 2).await.unwrap();
        for (table, (name, expected)) in catalog.tables.iter().zip(ROWS) {
            let what = format!("{} {name}", kind.name());
            assert_eq!(snapshot.count(table).await.unwrap(), expected, "{what}");
            let whole = rows_of(&*snapshot, table, &ChunkPlan::whole(0, 0)).await;
            assert_eq!(whole.0, expected, "{what}: whole");
            // A batch's own size is a goal with the last row over it; the hundredfold would be none.
            assert!(whole.2 < 6 << 20, "{what}: a batch of {} bytes", whole.2);
            for bytes in [100_000, 1 << 20, u64::MAX] {
                let plan = source.plan_chunks(table, bytes).await.unwrap();
                assert!(bytes > 100_000 || name != "numbers" || plan.chunks.len() > 3, "{what}: {} chunks", plan.chunks.len());
                assert!(plan.chunks.iter().enumerate().all(|(at, chunk)| chunk.id as usize == at), "{what}");
                let cut = rows_of(&*snapshot, table, &plan).await;
                assert_eq!((cut.0, cut.1), (whole.0, whole.1), "{what}: in {} chunks", plan.chunks.len());
            }
        }
        snapshot.close().await.unwrap();
        place.drop().await;
    }
}

fn target_table(sink: &dyn Sink, kind: EngineKind) -> Table {
    let dialect = registry::engine(kind).dialect();
    let mut table = Table::new(ObjectName::new(dialect.default_schema(), "t"));
    for (name, logical) in [("id", LogicalType::Int64), ("word", LogicalType::Text { length: None })] {
        let (native, _) = dialect.to_native(&logical, sink.server()).unwrap();
        table.columns.push(Column::new(name, Some(logical), native));
    }
    table
}

fn some_rows(ids: std::ops::Range<i64>) -> RecordBatch {
    use arrow::array::{Int64Array, StringArray};
    let (id, text) = (LogicalType::Int64, LogicalType::Text { length: None });
    let words: Vec<String> = ids.clone().map(|id| format!("wört {id}")).collect();
    let columns: Vec<arrow::array::ArrayRef> =
        vec![Arc::new(Int64Array::from_iter_values(ids)), Arc::new(StringArray::from(words))];
    RecordBatch::try_new(schema([("id", &id), ("word", &text)]), columns).unwrap()
}

fn digest(rows: &RecordBatch) -> Digest {
    let mut digest = Digest::default();
    RowHasher::new([LogicalType::Int64, LogicalType::Text { length: None }]).update(rows, &mut digest).unwrap();
    digest
}

fn unit(run: RunId, table: &Table, chunk: u32) -> WorkUnit {
    let chunk = Chunk { id: chunk, range: ChunkRange::Whole, estimated_rows: 0, estimated_bytes: 0 };
    let whole = ChunkPlan::whole(0, 0);
    let read = ReadPlan::of(table, Vec::new(), &whole, 1 << 20);
    WorkUnit { run, read, chunk, target: table.name.clone(), load: Load::default() }
}

async fn write(sink: &dyn Sink, run: RunId, table: &Table, chunk: u32, rows: &RecordBatch) -> dbferry::Result<Receipt> {
    let mut writer = sink.begin_chunk(&unit(run, table, chunk), table).await?;
    writer.write(rows).await?;
    writer.commit(digest(rows)).await
}

async fn read_back(sink: &dyn Sink, table: &Table, run: RunId) -> Digest {
    let back: Arc<dyn ReadBack> = sink.read_back(2).await.unwrap();
    let mut all = Digest::default();
    for chunk in back.plan_chunks(table, 1 << 20, Some(run)).await.unwrap().chunks {
        let batches: Vec<_> = back.read(table, &chunk).try_collect().await.unwrap();
        all.merge(batches.iter().map(|batch| digest(&batch.rows)).sum());
    }
    assert_eq!(back.count(table).await.unwrap(), all.rows, "the count is that of the rows");
    all
}

fn record(run: RunId) -> RunRecord {
    RunRecord {
        run,
        source: "mysql://db1/shop".into(),
        target: "postgres://db2/shop".into(),
        identity: "x".into(),
        state: RunState::Running,
        plan: serde_json::json!({ "tables": [] }),
        started_us: 0,
        updated_us: 0,
        report: None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_sink_keeps_rows_and_receipts_together() {
    for kind in sinks() {
        let name = kind.name();
        let place = target(kind).await;
        let sink = place.sink().await;
        let table = target_table(&*sink, kind);
        let names = [table.name.clone()];
        assert!(sink.existing(&names).await.unwrap().is_empty(), "{name}");
        assert!(sink.ledger().runs().await.unwrap().is_empty(), "{name}: without a ledger, no runs");
        sink.check(&[], None).await.unwrap();
        sink.ledger().prepare().await.unwrap();
        sink.ledger().prepare().await.unwrap();
        let (first, second) = (RunId::generate(), RunId::generate());
        sink.ledger().start(&record(first)).await.unwrap();
        sink.ledger().start(&record(second)).await.unwrap();
        let runs = sink.ledger().runs().await.unwrap();
        assert_eq!(runs.iter().map(|run| run.run).collect::<Vec<_>>(), [second, first], "{name}: newest first");

        let (statements, problems) = registry::engine(kind).dialect().ddl(std::slice::from_ref(&table), &Default::default());
        assert!(problems.is_empty(), "{name}: {problems:?}");
        for _ in 0..2 {
            for statement in &statements {
                sink.apply(statement).await.unwrap_or_else(|error| panic!("{name}: {}: {error}", statement.object));
            }
        }

        // A writer that is dropped, or that takes itself back, leaves nothing.
        for abort in [false, true] {
            let mut writer = sink.begin_chunk(&unit(first, &table, 0), &table).await.unwrap();
            writer.write(&some_rows(0..1000)).await.unwrap();
            if abort {
                writer.abort().await.unwrap();
            } else {
                drop(writer);
            }
        }
        assert!(sink.ledger().receipts(first).await.unwrap().is_empty(), "{name}: no rows, no receipt");
        assert_eq!(read_back(&*sink, &table, first).await, Digest::default(), "{name}: nothing is left");

        let (one, two) = (some_rows(0..3000), some_rows(3000..3001));
        let receipt = write(&*sink, first, &table, 0, &one).await.unwrap();
        assert_eq!((receipt.table.clone(), receipt.chunk, receipt.digest), (table.name.clone(), 0, digest(&one)), "{name}");
        // The same chunk a second time, as a late twin of the first would.
        let error = write(&*sink, first, &table, 0, &one).await.expect_err("a second claim");
        assert_eq!(error.kind(), ErrorKind::Ledger, "{name}: {error}");
        write(&*sink, first, &table, 1, &two).await.unwrap();
        // A chunk without rows has its receipt, too.
        write(&*sink, first, &table, 2, &some_rows(0..0)).await.unwrap();
        let mut receipts = sink.ledger().receipts(first).await.unwrap();
        receipts.sort_by_key(|receipt| receipt.chunk);
        let rows: Vec<(u32, u64)> = receipts.iter().map(|receipt| (receipt.chunk, receipt.digest.rows)).collect();
        assert_eq!(rows, [(0, 3000), (1, 1), (2, 0)], "{name}");
        assert_eq!(read_back(&*sink, &table, first).await, digest(&some_rows(0..3001)), "{name}: what was written is read");
        assert!(sink.ledger().receipts(second).await.unwrap().is_empty(), "{name}: another run's receipts are its own");

        sink.ledger().mark(first, &table.name, "indexes").await.unwrap();
        sink.ledger().mark(first, &table.name, "indexes").await.unwrap();
        assert_eq!(sink.ledger().marks(first).await.unwrap(), [(table.name.clone(), "indexes".to_string())], "{name}");
        sink.ledger().finish(first, RunState::Done, &serde_json::json!({ "exit_code": 0 })).await.unwrap();
        let found = sink.ledger().runs().await.unwrap().into_iter().find(|run| run.run == first).unwrap();
        assert_eq!((found.state, found.report), (RunState::Done, Some(serde_json::json!({ "exit_code": 0 }))), "{name}");
        assert_eq!(sink.existing(&names).await.unwrap().len(), 1, "{name}");
        drop(sink);
        place.drop().await;
    }
}

#[tokio::test]
async fn every_engine_has_its_entry_and_refuses_the_roles_that_it_has_not() {
    for kind in ALL {
        let engine = registry::engine(kind);
        assert_eq!(engine.kind(), kind);
        let (source, sink) = roles(kind);
        let url = format!("{}://nowhere.invalid/x", kind.name());
        let at = Endpoint::parse(&url).unwrap();
        if !source {
            assert_eq!(engine.open_source(&at, &options()).await.err().map(|error| error.kind()), Some(ErrorKind::Unsupported));
        }
        if !sink {
            assert_eq!(engine.open_sink(&at, &options()).await.err().map(|error| error.kind()), Some(ErrorKind::Unsupported));
        }
    }
}
