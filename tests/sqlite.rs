//! The SQLite source: files are written through rusqlite and read through the engine.
#![allow(clippy::unwrap_used)]

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes as types;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use dbferry::ErrorKind;
use dbferry::config::endpoint::Endpoint;
use dbferry::engine::{
    Consistency, Profile, ProfileColumn, ProfileKind, SessionOptions, Snapshot, Source, TableFilter, registry,
};
use dbferry::model::catalog::{DefaultValue, Problem, ReferentialAction, Severity};
use dbferry::model::chunk::{Chunk, ChunkPlan, ChunkRange};
use dbferry::model::unit::{ReadColumn, ReadPlan};
use dbferry::model::{Catalog, LogicalType, Table};
use futures::{StreamExt, TryStreamExt};
use proptest::prelude::*;
use rusqlite::Connection;
use rusqlite::types::Value;
use std::sync::Arc;

struct File {
    folder: tempfile::TempDir,
}

impl File {
    fn new(script: &str) -> Self {
        let file = File { folder: tempfile::tempdir().unwrap() };
        file.writer().execute_batch(script).unwrap();
        file
    }

    fn path(&self) -> String {
        self.folder.path().join("a b?%.db").to_str().unwrap().to_string()
    }

    fn writer(&self) -> Connection {
        let connection = Connection::open(self.folder.path().join("a b?%.db")).unwrap();
        connection.execute_batch("PRAGMA foreign_keys = OFF").unwrap();
        connection
    }

    async fn source(&self) -> Arc<dyn Source> {
        open(&self.path()).await.unwrap()
    }

    async fn catalog(&self) -> Catalog {
        self.source().await.catalog(&TableFilter::all()).await.unwrap()
    }

    /// The only table's rows in one chunk, or the error.
    async fn rows(&self, table: &str) -> dbferry::Result<RecordBatch> {
        let source = self.source().await;
        let catalog = source.catalog(&TableFilter::all()).await?;
        let table = catalog.tables.iter().find(|one| one.name.name == table).unwrap().clone();
        let snapshot = source.snapshot(std::slice::from_ref(&table), 1).await?;
        let batches = read(&*snapshot, &table, &ChunkPlan::whole(0, 0), 1 << 20).await?;
        snapshot.close().await?;
        Ok(batches.into_iter().next().unwrap_or_else(|| RecordBatch::new_empty(Arc::new(types::Schema::empty()))))
    }

    /// Why the only value of a table `t (v DECLARED)` is refused.
    async fn refusal(declared: &str, value: Value) -> dbferry::Error {
        let file = File::with_value(declared, value);
        let error = file.rows("t").await.expect_err(declared);
        assert_eq!(error.kind(), ErrorKind::Value, "{error:?}");
        assert_eq!(error.place().table.as_deref(), Some("t"));
        assert_eq!(error.place().column.as_deref(), Some("v"));
        assert_eq!(error.place().key.as_deref(), Some("(rowid = -7)"));
        assert!(error.hint_text().is_some(), "{error}");
        error
    }

    fn with_value(declared: &str, value: Value) -> File {
        let file = File::new(&format!("CREATE TABLE t (v {declared})"));
        file.writer().execute("INSERT INTO t (rowid, v) VALUES (-7, ?1)", [value]).unwrap();
        file
    }

    /// The only value of a table `t (v DECLARED)`, printed by Arrow.
    async fn shown(declared: &str, value: Value) -> String {
        let rows = File::with_value(declared, value).rows("t").await.unwrap();
        show(&rows, 0, 0)
    }
}

fn show(rows: &RecordBatch, column: usize, row: usize) -> String {
    let options = FormatOptions::default().with_null("NULL");
    let mut array = rows.column(column).clone();
    if let types::DataType::Timestamp(unit, Some(zone)) = array.data_type() {
        // Arrow prints no named zone without its table of zones; UTC needs none.
        assert_eq!(zone.as_ref(), "UTC");
        array = arrow::compute::cast(&array, &types::DataType::Timestamp(*unit, Some("+00:00".into()))).unwrap();
    }
    ArrayFormatter::try_new(&array, &options).unwrap().value(row).to_string()
}

fn options() -> SessionOptions {
    SessionOptions { application_name: "dbferry/test".into(), jobs: 2, ledger_schema: "dbferry".into() }
}

async fn open(path: &str) -> dbferry::Result<Arc<dyn Source>> {
    let at = Endpoint::parse(&format!("sqlite://{path}")).unwrap();
    registry::engine(at.engine).open_source(&at, &options()).await
}

fn read_plan(table: &Table, chunks: &ChunkPlan, batch_bytes: usize) -> ReadPlan {
    let columns = table.columns.iter().map(|column| ReadColumn {
        name: column.name.clone(),
        native: column.native.clone(),
        logical: column.logical.clone().unwrap(),
        policies: dbferry::model::ValuePolicies::default(),
    });
    ReadPlan::of(table, columns.collect(), chunks, batch_bytes)
}

async fn read(
    snapshot: &dyn Snapshot,
    table: &Table,
    chunks: &ChunkPlan,
    batch_bytes: usize,
) -> dbferry::Result<Vec<RecordBatch>> {
    let plan = read_plan(table, chunks, batch_bytes);
    let mut all = Vec::new();
    for chunk in &chunks.chunks {
        let batches: Vec<_> = snapshot.read(&plan, chunk).try_collect().await?;
        all.extend(batches.into_iter().map(|batch| batch.rows));
    }
    Ok(all)
}

fn problem<'a>(catalog: &'a Catalog, name: &str) -> &'a Problem {
    catalog.problems.iter().find(|problem| problem.name == name).unwrap_or_else(|| panic!("{name}: {:?}", catalog.problems))
}

fn text(value: &str) -> Value {
    Value::Text(value.into())
}

#[tokio::test]
async fn a_missing_file_is_named_and_what_is_no_database_is_refused() {
    let error = open("no/such.db").await.err().unwrap();
    assert_eq!(error.kind(), ErrorKind::UnknownDatabase);
    assert!(error.to_string().contains("no/such.db"));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.db");
    assert_eq!(open(folder.path().to_str().unwrap()).await.err().unwrap().kind(), ErrorKind::Unsupported);
    std::fs::write(&path, "this is a text and not a database, whatever its name says".repeat(20)).unwrap();
    let error = open(path.to_str().unwrap()).await.err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error:?}");
    let file = File::new("PRAGMA encoding = 'UTF-16'; CREATE TABLE t (a TEXT)");
    assert_eq!(open(&file.path()).await.err().unwrap().kind(), ErrorKind::Unsupported);
    let file = File::new("CREATE TABLE t (a TEXT)");
    assert_eq!(file.source().await.server().flavour, "SQLite");
}

#[tokio::test]
async fn reading_changes_nothing_in_the_file() {
    let file = File::new("CREATE TABLE t (a INTEGER); INSERT INTO t VALUES (1)");
    let before = std::fs::read(file.path()).unwrap();
    file.rows("t").await.unwrap();
    assert_eq!(std::fs::read(file.path()).unwrap(), before);
}

#[tokio::test]
async fn a_hostile_schema_is_read_as_it_is() {
    let file = File::new(
        r#"
        CREATE TABLE "Order Items, ""quoted"" (x)" (
            "select" INTEGER, "a ""b" TEXT, "Ünï" BLOB,
            PRIMARY KEY ("select" DESC, "a ""b")
        ) WITHOUT ROWID;
        CREATE TABLE parent (id INTEGER PRIMARY KEY AUTOINCREMENT, Code TEXT NOT NULL UNIQUE, other INT, UNIQUE (other, Code));
        INSERT INTO parent VALUES (5, 'five', 1), (9, 'nine', 2);
        DELETE FROM parent WHERE id = 9;
        CREATE TABLE child (
            rowid TEXT, parent_id INT DEFAULT 5 REFERENCES PARENT ON DELETE SET NULL ON UPDATE CASCADE,
            code TEXT DEFAULT 'it''s' REFERENCES parent(CODE) DEFERRABLE INITIALLY DEFERRED,
            qty INT NOT NULL CONSTRAINT positive CHECK (qty > 0),
            twice INT GENERATED ALWAYS AS (qty * 2) VIRTUAL,
            thrice INT AS (qty * 3) STORED,
            made DATETIME DEFAULT CURRENT_TIMESTAMP,
            gone INT REFERENCES nowhere(id)
        );
        CREATE INDEX child_code ON child (code DESC, qty);
        CREATE UNIQUE INDEX child_part ON child (qty) WHERE qty > 5;
        CREATE INDEX child_lower ON child (lower(code));
        CREATE INDEX child_nocase ON child (code COLLATE NOCASE);
        CREATE TABLE strict_one (id INT PRIMARY KEY, any_thing ANY) STRICT;
        CREATE TABLE null_key (a TEXT PRIMARY KEY, b INT);
        INSERT INTO null_key VALUES (NULL, 1), (NULL, 2), ('x', 3);
        CREATE TABLE tree (id INTEGER PRIMARY KEY, up INT REFERENCES tree);
        CREATE VIEW v AS SELECT * FROM parent;
        CREATE TRIGGER tr AFTER INSERT ON parent BEGIN SELECT 1; END;
        CREATE VIRTUAL TABLE words USING fts5(body);
        "#,
    );
    let catalog = file.catalog().await;
    let names: Vec<&str> = catalog.tables.iter().map(|table| table.name.name.as_str()).collect();
    assert_eq!(names, ["Order Items, \"quoted\" (x)", "child", "null_key", "parent", "strict_one", "tree"]);
    let table = |name: &str| catalog.tables.iter().find(|table| table.name.name == name).unwrap();

    let items = table("Order Items, \"quoted\" (x)");
    let key = items.primary_key.as_ref().unwrap();
    assert_eq!(key.plain_columns().unwrap(), ["select", "a \"b"]);
    assert_eq!(key.parts.iter().map(|part| part.descending).collect::<Vec<_>>(), [true, false]);
    assert!(items.columns.iter().take(2).all(|column| !column.nullable));
    assert_eq!(items.next_identity, None);

    let parent = table("parent");
    assert!(parent.columns[0].identity && !parent.columns[0].nullable);
    assert_eq!(parent.next_identity, Some(10), "the counter remembers the row that is gone");
    let uniques: Vec<(&str, bool)> = parent.indexes.iter().map(|index| (index.name.as_str(), index.unique)).collect();
    assert_eq!(uniques, [("parent_Code_key", true), ("parent_other_Code_key", true)]);

    let child = table("child");
    let column = |name: &str| child.column(name).unwrap();
    assert_eq!(column("parent_id").default, Some(DefaultValue::Literal("5".into())));
    assert_eq!(column("code").default, Some(DefaultValue::Literal("it's".into())));
    assert_eq!(column("made").default, Some(DefaultValue::CurrentTimestamp(0)));
    assert!(!column("qty").nullable && column("code").nullable);
    let twice = column("twice").generated.as_ref().unwrap();
    assert_eq!((twice.expression.as_str(), twice.stored), ("qty * 2", false));
    assert_eq!(column("thrice").generated.as_ref().map(|made| (made.expression.as_str(), made.stored)), Some(("qty * 3", true)));
    let keys: Vec<_> = child
        .foreign_keys
        .iter()
        .map(|key| (key.columns[0].as_str(), key.parent.name.as_str(), key.parent_columns[0].as_str()))
        .collect();
    assert_eq!(keys, [("parent_id", "parent", "id"), ("code", "parent", "Code")]);
    assert_eq!(child.foreign_keys[0].on_delete, ReferentialAction::SetNull);
    assert_eq!(child.foreign_keys[0].on_update, ReferentialAction::Cascade);
    assert_eq!(child.foreign_keys[1].on_delete, ReferentialAction::NoAction);
    let indexes: Vec<&str> = child.indexes.iter().map(|index| index.name.as_str()).collect();
    assert_eq!(indexes, ["child_code", "child_nocase"]);
    assert_eq!(child.indexes[0].parts.iter().map(|part| part.descending).collect::<Vec<_>>(), [true, false]);

    let tree = table("tree");
    assert_eq!(tree.foreign_keys[0].parent_columns, ["id"]);
    assert_eq!(tree.next_identity, Some(1));
    assert!(table("strict_one").primary_key.is_some());
    assert!(!table("strict_one").columns[0].identity, "INT PRIMARY KEY is no rowid");
    let null_key = table("null_key");
    assert!(null_key.primary_key.is_none() && null_key.columns[0].nullable);
    assert!(null_key.indexes[0].unique);

    let has = |name: &str, severity: Severity, ddl: Option<&str>| {
        let problem = problem(&catalog, name);
        assert_eq!(problem.severity, severity, "{name}");
        assert!(ddl.is_none_or(|part| problem.ddl.as_deref().unwrap_or_default().contains(part)), "{problem:?}");
    };
    has("v", Severity::NotCarried, Some("CREATE VIEW v"));
    has("tr", Severity::NotCarried, Some("CREATE TRIGGER tr"));
    has("words", Severity::Refused, Some("fts5"));
    assert!(problem(&catalog, "words").why.contains("words_content"));
    has("child.child_part", Severity::NotCarried, Some("WHERE qty > 5"));
    has("child.child_lower", Severity::NotCarried, Some("lower(code)"));
    has("child.child_nocase", Severity::Note, None);
    has("child.positive", Severity::NotCarried, Some("CHECK (qty > 0)"));
    has("child.child_gone_fkey", Severity::NotCarried, None);
    has("child", Severity::Note, Some("DEFERRABLE"));
    has("null_key", Severity::Note, None);
    has("strict_one.any_thing", Severity::Note, None);

    let filter = TableFilter::new(&["*".into()], &["words".into(), "parent".into()]).unwrap();
    let catalog = file.source().await.catalog(&filter).await.unwrap();
    assert!(catalog.problems.iter().all(|problem| problem.severity != Severity::Refused && problem.name != "tr"));
}

#[tokio::test]
async fn a_column_without_a_type_is_what_its_values_are() {
    let file = File::new(
        "CREATE TABLE t (a, b ANY, c STRING, d MONEY, e, f YEAR);
         INSERT INTO t VALUES (1, 'x', 'y', 1.5, x'00', NULL), (2, 'z', NULL, 3, NULL, NULL);
         CREATE TABLE mixed (id INTEGER PRIMARY KEY, v);
         INSERT INTO mixed VALUES (1, 1), (2, 'x');",
    );
    let catalog = file.catalog().await;
    let table = catalog.tables.iter().find(|table| table.name.name == "t").unwrap();
    let types: Vec<String> = table.columns.iter().map(|column| column.logical.as_ref().unwrap().to_string()).collect();
    assert_eq!(types, ["int64", "text", "text", "float64", "binary", "text"]);
    // What the dialect says of the native type is what the catalog says.
    for column in &table.columns {
        assert_eq!(registry::engine(dbferry::engine::EngineKind::Sqlite).dialect().to_logical(&column.native), column.logical);
    }
    assert_eq!(problem(&catalog, "mixed.v").severity, Severity::Refused);
    let rows = file.rows("t").await.unwrap();
    assert_eq!(show(&rows, 3, 1), "3.0");
}

#[tokio::test]
async fn each_type_takes_its_values() {
    for (declared, value, expected) in [
        ("INTEGER", Value::Integer(i64::MIN), "-9223372036854775808"),
        ("INTEGER", Value::Null, "NULL"),
        ("BIGINT UNSIGNED", text("12"), "12"),
        ("BOOLEAN", Value::Integer(1), "true"),
        ("BOOLEAN", Value::Integer(0), "false"),
        ("VARCHAR(2)", text("longer than two"), "longer than two"),
        ("VARCHAR(2)", Value::Integer(7), "7"),
        ("TEXT", text("a\0b 😀 \t\n\\ ' \""), "a\0b 😀 \t\n\\ ' \""),
        ("TEXT", text(""), ""),
        ("BLOB", Value::Blob(vec![]), ""),
        ("VARBINARY(2)", Value::Blob(vec![0, 255]), "00ff"),
        ("REAL", Value::Real(1.5e300), "1.5e300"),
        ("REAL", Value::Real(f64::INFINITY), "inf"),
        ("DOUBLE", Value::Integer(3), "3.0"),
        ("DECIMAL(10,2)", Value::Real(19.99), "19.99"),
        ("DECIMAL(10,2)", Value::Integer(-12_345_678), "-12345678.00"),
        ("DECIMAL(10,2)", text("1.5"), "1.50"),
        ("DECIMAL(60,2)", Value::Real(19.99), "19.99"),
        ("DECIMAL(60,30)", Value::Integer(i64::MAX), "9223372036854775807.000000000000000000000000000000"),
        ("DECIMAL(5)", Value::Integer(99_999), "99999"),
        ("NUMERIC", Value::Real(0.1), "0.1"),
        ("NUMERIC", Value::Real(1e22), "10000000000000000000000"),
        ("NUMERIC", Value::Integer(7), "7"),
        ("DATE", text("0001-01-01"), "0001-01-01"),
        ("DATE", text("9999-12-31"), "9999-12-31"),
        ("DATETIME", text("2024-02-29 12:34:56.789"), "2024-02-29T12:34:56.789"),
        ("TIMESTAMP", text("1969-12-31T23:59:59.999999"), "1969-12-31T23:59:59.999999"),
        ("TIMESTAMP WITH TIME ZONE", text("2024-01-01 01:30:00+01:30"), "2024-01-01T00:00:00Z"),
        ("TIME", text("23:59:59.000001"), "23:59:59.000001"),
        ("JSON", text("{\"a\": [1, 2]}"), "{\"a\": [1, 2]}"),
        ("JSON", text("12"), "12"),
        ("JSON", text("1.50"), "1.5"),
        ("JSON", text("null"), "null"),
        ("UUID", text("00112233-4455-6677-8899-AABBCCDDEEFF"), "00112233445566778899aabbccddeeff"),
        ("UUID", Value::Blob((0..16).collect()), "000102030405060708090a0b0c0d0e0f"),
    ] {
        assert_eq!(File::shown(declared, value.clone()).await, expected, "{declared} {value:?}");
    }
}

#[tokio::test]
async fn what_does_not_fit_is_refused_with_table_column_and_rowid() {
    for (declared, value) in [
        ("INTEGER", text("abc")),
        ("INTEGER", text("")),
        ("INTEGER", Value::Real(1.5)),
        ("INTEGER", Value::Blob(vec![1])),
        ("BOOLEAN", Value::Integer(2)),
        ("BOOLEAN", text("true")),
        ("TEXT", Value::Blob(b"abc".to_vec())),
        ("BLOB", text("abc")),
        ("BLOB", Value::Integer(1)),
        ("REAL", text("abc")),
        ("DECIMAL(10,2)", Value::Real(0.1 + 0.2)),
        ("DECIMAL(10,2)", Value::Real(1.234)),
        ("DECIMAL(10,2)", Value::Integer(123_456_789)),
        ("DECIMAL(10,2)", Value::Real(f64::INFINITY)),
        ("DECIMAL(10,2)", text("12 apples")),
        ("DECIMAL(76,70)", Value::Integer(10_000_000)),
        ("DECIMAL(10,2)", Value::Blob(vec![1])),
        ("NUMERIC", Value::Real(f64::NEG_INFINITY)),
        ("DATE", text("2023-02-29")),
        ("DATE", text("0000-00-00")),
        ("DATE", text("01/02/2024")),
        ("DATE", Value::Integer(1_700_000_000)),
        ("DATETIME", Value::Integer(1_700_000_000)),
        ("DATETIME", Value::Real(2_460_000.5)),
        ("DATETIME", text("2024-01-01")),
        ("DATETIME", text("2024-01-01 00:00:00Z")),
        ("DATETIME", text("2024-01-01 00:00:00.1234567")),
        ("TIMESTAMPTZ", text("2024-01-01 00:00:00")),
        ("TIME", text("25:00:00")),
        ("JSON", text("{a: 1}")),
        ("JSON", text("")),
        ("JSON", Value::Blob(vec![0x2c])),
        ("UUID", text("not a uuid")),
        ("UUID", text("urn:uuid:00112233-4455-6677-8899-aabbccddeeff")),
        ("UUID", Value::Blob(vec![0; 15])),
        ("UUID", Value::Integer(1)),
    ] {
        let error = File::refusal(declared, value.clone()).await;
        if let Value::Text(value) = &value {
            assert!(value.is_empty() || !error.to_string().contains(value), "a value is printed: {error}");
        }
    }
    assert!(File::refusal("DATETIME", Value::Integer(5)).await.hint_text().unwrap().contains("unixepoch"));
}

#[tokio::test]
async fn text_that_is_not_utf8_is_refused() {
    let file = File::new("CREATE TABLE t (v TEXT); INSERT INTO t (rowid, v) VALUES (3, CAST(x'61ff62' AS TEXT))");
    let error = file.rows("t").await.unwrap_err();
    assert_eq!(error.place().key.as_deref(), Some("(rowid = 3)"));
    assert!(error.to_string().contains("byte 1"), "{error}");
}

#[tokio::test]
async fn rows_without_a_rowid_are_named_by_their_key() {
    let file = File::new(
        "CREATE TABLE t (a TEXT, b INT, v INT, PRIMARY KEY (a, b)) WITHOUT ROWID;
         INSERT INTO t VALUES ('k', 1, 1), ('k', 2, 'x');
         CREATE TABLE hidden (rowid INT, _rowid_ INT, oid INT, v INT);
         INSERT INTO hidden VALUES (1, 1, 1, 1), (1, 1, 1, 'x');",
    );
    assert_eq!(file.rows("t").await.unwrap_err().place().key.as_deref(), Some("(a = k, b = 2)"));
    let error = file.rows("hidden").await.unwrap_err();
    assert_eq!(error.place().key.as_deref(), Some("(row 2 of its chunk; the table has no key)"));
}

#[tokio::test]
async fn a_column_that_is_gone_is_an_error_and_not_a_string() {
    let file = File::new("CREATE TABLE t (a TEXT, b TEXT); INSERT INTO t VALUES ('x', 'y')");
    let source = file.source().await;
    let table = source.catalog(&TableFilter::all()).await.unwrap().tables.remove(0);
    file.writer().execute_batch("ALTER TABLE t DROP COLUMN b").unwrap();
    let snapshot = source.snapshot(&[], 1).await.unwrap();
    assert!(read(&*snapshot, &table, &ChunkPlan::whole(0, 0), 1 << 20).await.is_err());
}

/// The ids of a table `t (id …, pad …)`, chunk by chunk.
async fn ids(source: &dyn Source, target_bytes: u64) -> (ChunkPlan, Vec<Vec<i64>>) {
    let table = source.catalog(&TableFilter::all()).await.unwrap().tables.remove(0);
    let chunks = source.plan_chunks(&table, target_bytes).await.unwrap();
    let snapshot = source.snapshot(std::slice::from_ref(&table), 2).await.unwrap();
    let mut all = Vec::new();
    for chunk in &chunks.chunks {
        let plan = ChunkPlan { chunks: vec![chunk.clone()], ..chunks.clone() };
        let batches = read(&*snapshot, &table, &plan, 4096).await.unwrap();
        let ids = |batch: &RecordBatch| batch.column(0).as_primitive::<types::Int64Type>().values().to_vec();
        all.push(batches.iter().flat_map(ids).collect());
    }
    (chunks, all)
}

#[tokio::test]
async fn the_chunks_together_are_the_table() {
    let dense = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000) INSERT INTO t SELECT i, hex(zeroblob(50)) FROM n";
    let sparse = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000)
                  INSERT INTO t SELECT (i - 2500) * 1000003, hex(zeroblob(50)) FROM n;
                  INSERT INTO t VALUES (-9223372036854775808, ''), (9223372036854775807, '')";
    for (declared, rows, count) in
        [("INTEGER PRIMARY KEY", dense, 5000), ("INTEGER PRIMARY KEY", sparse, 5002), ("INTEGER", dense, 5000)]
    {
        let file = File::new(&format!("CREATE TABLE t (id {declared}, pad TEXT); {rows};"));
        let source = file.source().await;
        let (plan, chunks) = ids(&*source, 20_000).await;
        assert!(chunks.len() > 10, "{} chunks", chunks.len());
        assert_eq!(plan.key, [if declared == "INTEGER" { "rowid" } else { "id" }]);
        assert!(matches!(plan.chunks[0].range, ChunkRange::Key { lower: None, .. }));
        assert!(matches!(plan.chunks.last().unwrap().range, ChunkRange::Key { upper: None, .. }));
        let largest = chunks.iter().map(Vec::len).max().unwrap();
        assert!(largest < 1000, "a chunk of {largest} rows");
        let mut all: Vec<i64> = chunks.concat();
        all.sort_unstable();
        let mut stored: Vec<i64> = {
            let connection = file.writer();
            let mut statement = connection.prepare("SELECT id FROM t ORDER BY 1").unwrap();
            statement.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap()
        };
        stored.sort_unstable();
        assert_eq!(all, stored);
        assert_eq!(all.len(), count);
        // Rows that come after planning, outside its bounds, are in the first and the last chunk.
        file.writer().execute_batch("DELETE FROM t WHERE abs(id + 1) > 9223372036854775800").unwrap();
        file.writer().execute_batch("INSERT INTO t (rowid, id) VALUES (-9223372036854775808, -9223372036854775808)").unwrap();
        let table = source.catalog(&TableFilter::all()).await.unwrap().tables.remove(0);
        let snapshot = source.snapshot(&[], 1).await.unwrap();
        let read: usize = read(&*snapshot, &table, &plan, 1 << 20).await.unwrap().iter().map(RecordBatch::num_rows).sum();
        assert_eq!(read as u64, snapshot.count(&table).await.unwrap());
    }
}

#[tokio::test]
async fn small_empty_and_keyless_tables_are_one_chunk() {
    for script in [
        "CREATE TABLE t (id INTEGER PRIMARY KEY, pad TEXT)",
        "CREATE TABLE t (id INTEGER, pad TEXT); INSERT INTO t VALUES (1, 'x'), (1, 'x')",
        "CREATE TABLE t (id INTEGER, pad TEXT, PRIMARY KEY (id)) WITHOUT ROWID; INSERT INTO t VALUES (1, 'x'), (2, 'y')",
        "CREATE TABLE t (rowid INTEGER, oid INT, _rowid_ INT); INSERT INTO t VALUES (1, 2, 3), (4, 5, 6)",
    ] {
        let file = File::new(script);
        let (plan, chunks) = ids(&*file.source().await, 1 << 20).await;
        assert_eq!(plan.chunks.len(), 1);
        assert!([0, 2].contains(&chunks[0].len()));
    }
}

#[tokio::test]
async fn batches_stay_under_their_bound_and_a_larger_row_is_alone() {
    let file = File::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, v BLOB);
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000) INSERT INTO t SELECT i, zeroblob(100) FROM n;
         UPDATE t SET v = zeroblob(100000) WHERE id = 500;",
    );
    let source = file.source().await;
    let table = source.catalog(&TableFilter::all()).await.unwrap().tables.remove(0);
    let snapshot = source.snapshot(&[], 1).await.unwrap();
    let batches = read(&*snapshot, &table, &ChunkPlan::whole(0, 0), 10_000).await.unwrap();
    assert_eq!(batches.iter().map(RecordBatch::num_rows).sum::<usize>(), 1000);
    let mut alone = 0;
    for batch in &batches {
        let bytes = batch.column(1).as_binary::<i32>().value_data().len();
        assert!(bytes <= 10_000 || batch.num_rows() == 1);
        alone += usize::from(bytes > 10_000);
    }
    assert_eq!(alone, 1);
}

#[tokio::test]
async fn a_stream_that_is_dropped_gives_its_reader_back() {
    let file = File::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, v BLOB);
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000) INSERT INTO t SELECT i, zeroblob(100) FROM n;",
    );
    let source = file.source().await;
    let table = source.catalog(&TableFilter::all()).await.unwrap().tables.remove(0);
    let snapshot = source.snapshot(&[], 1).await.unwrap();
    let plan = read_plan(&table, &ChunkPlan::whole(0, 0), 1000);
    let chunk = Chunk { id: 0, range: ChunkRange::Whole, estimated_rows: 0, estimated_bytes: 0 };
    let mut stream = snapshot.read(&plan, &chunk);
    assert!(stream.next().await.unwrap().is_ok());
    // A count does not wait for the stream.
    assert_eq!(snapshot.count(&table).await.unwrap(), 5000);
    drop(stream);
    let rows: Vec<_> = snapshot.read(&plan, &chunk).try_collect().await.unwrap();
    assert_eq!(rows.iter().map(|batch| batch.rows.num_rows()).sum::<usize>(), 5000);
    snapshot.close().await.unwrap();
    assert_eq!(snapshot.count(&table).await.unwrap_err().kind(), ErrorKind::Snapshot);
    // Nothing holds the file any more.
    file.writer().execute_batch("DELETE FROM t; VACUUM").unwrap();
}

/// Moves money between two tables while snapshots are taken: each must see the same total in both together, and in each reader.
async fn totals_agree(journal: &str) {
    let file = File::new(&format!(
        "PRAGMA journal_mode = {journal};
         CREATE TABLE a (id INTEGER PRIMARY KEY, money INTEGER); CREATE TABLE b (id INTEGER PRIMARY KEY, money INTEGER);
         INSERT INTO a VALUES (1, 1000); INSERT INTO b VALUES (1, 1000);"
    ));
    let writer = file.writer();
    writer.busy_timeout(std::time::Duration::from_secs(60)).unwrap();
    let stop = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let stopped = stop.clone();
    let thread = std::thread::spawn(move || {
        let mut moved = 0u32;
        while !stopped.load(std::sync::atomic::Ordering::Relaxed) {
            writer
                .execute_batch("BEGIN IMMEDIATE; UPDATE a SET money = money - 1; UPDATE b SET money = money + 1; COMMIT")
                .unwrap();
            moved += 1;
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
        moved
    });
    let source = file.source().await;
    let tables = source.catalog(&TableFilter::all()).await.unwrap().tables;
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..15 {
        let snapshot = source.snapshot(&tables, 4).await.unwrap();
        assert_eq!(snapshot.consistency(&tables[0]), Consistency::OneInstant);
        for _ in 0..8 {
            let mut total = 0;
            for table in &tables {
                let rows = read(&*snapshot, table, &ChunkPlan::whole(0, 0), 1000).await.unwrap();
                let money = rows[0].column(1).as_primitive::<types::Int64Type>().value(0);
                total += money;
                if table.name.name == "a" {
                    seen.insert(money);
                }
            }
            assert_eq!(total, 2000);
        }
        snapshot.close().await.unwrap();
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    assert!(thread.join().unwrap() > 15);
    assert!(seen.len() > 5 && seen.len() <= 15, "each snapshot sees one instant, and later ones see later ones: {seen:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_is_one_instant_beside_a_writer_in_wal_mode() {
    totals_agree("WAL").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_is_one_instant_beside_a_writer_in_rollback_mode() {
    totals_agree("DELETE").await;
}

async fn profile_of(file: &File, kinds: &[ProfileKind]) -> Profile {
    let source = file.source().await;
    let table = source.catalog(&TableFilter::all()).await.unwrap().tables.remove(0);
    let columns: Vec<ProfileColumn> = table
        .columns
        .iter()
        .zip(kinds)
        .map(|(column, kind)| ProfileColumn { name: column.name.clone(), native: column.native.clone(), kind: *kind })
        .collect();
    source.snapshot(&[], 1).await.unwrap().profile(&table, &columns).await.unwrap()
}

#[tokio::test]
async fn a_profile_is_exact_and_canonical() {
    use ProfileKind as K;
    let file = File::new(
        "CREATE TABLE t (i INTEGER, d DECIMAL(20,4), f REAL, day DATE, at DATETIME, zoned TIMESTAMPTZ, tm TIME, s TEXT, b BLOB, ok BOOLEAN, u UUID);
         INSERT INTO t VALUES
           (9223372036854775807, 0.1, -0.0, '2024-01-02', '2024-01-01T00:00:00', '2024-01-01 01:00:00.5+01:00', '10:00:00', 'aä😀', x'00ff', 1, zeroblob(16)),
           (9223372036854775807, 0.2, 1.5e300, '0001-01-01', '2024-01-01 00:00:00.25', '2024-01-01 00:00:00Z', '09:59:59.5', 'x' || char(0) || 'y', x'', 0, NULL),
           (-5, 12, NULL, NULL, '2023-12-31 23:59:59.1', '2023-12-31 23:30:00.123456-01:00', NULL, '', NULL, NULL, NULL),
           (NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);",
    );
    let kinds =
        [K::Exact, K::Exact, K::Float, K::Temporal, K::Temporal, K::Temporal, K::Temporal, K::Text, K::Bytes, K::Bool, K::Count];
    let profile = profile_of(&file, &kinds).await;
    assert_eq!(profile.rows, 4);
    let found: Vec<Vec<&str>> =
        profile.columns.iter().map(|column| column.iter().map(|value| value.as_deref().unwrap_or("NULL")).collect()).collect();
    let long = format!("15{}", "0".repeat(299));
    let expected: [&[&str]; 11] = [
        &["3", "-5", "9223372036854775807", "18446744073709551609"],
        &["3", "0.1", "12", "12.3"],
        &["2", "0", &long],
        &["2", "0001-01-01 00:00:00.000000", "2024-01-02 00:00:00.000000"],
        &["3", "2023-12-31 23:59:59.100000", "2024-01-01 00:00:00.250000"],
        &["3", "2024-01-01 00:00:00.000000", "2024-01-01 00:30:00.123456"],
        &["2", "09:59:59.500000", "10:00:00.000000"],
        &["3", "6", "10"],
        &["2", "2"],
        &["2", "1"],
        &["1"],
    ];
    assert_eq!(found, expected);
    file.writer().execute_batch("DELETE FROM t").unwrap();
    let profile = profile_of(&file, &kinds).await;
    assert_eq!(profile.columns[0], [Some("0".into()), None, None, None]);
    assert_eq!(profile.columns[1], [Some("0".into()), None, None, None]);
    assert_eq!(profile.columns[7], [Some("0".into()), None, None]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn values_written_through_sqlite_are_the_values_read(
        rows in proptest::collection::vec(
            (any::<Option<i64>>(), any::<Option<f64>>(), any::<Option<String>>(), any::<Option<Vec<u8>>>(), any::<Option<bool>>(), -999_999_999i64..=999_999_999),
            0..60,
        ),
        batch_bytes in 1usize..4000,
    ) {
        let file = File::new("CREATE TABLE t (i BIGINT, f DOUBLE, s TEXT, b BLOB, o BOOL, d DECIMAL(12,3))");
        {
            let connection = file.writer();
            for (i, f, s, b, o, d) in &rows {
                // As a person writes it: SQLite makes the nearest double of it.
                let d = format!("{}{}.{:03}", if *d < 0 { "-" } else { "" }, d.abs() / 1000, d.abs() % 1000);
                connection.execute("INSERT INTO t VALUES (?1, ?2, ?3, ?4, ?5, ?6)", (i, f, s, b, o, d)).unwrap();
            }
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let batches = runtime.block_on(async {
            let source = file.source().await;
            let table = source.catalog(&TableFilter::all()).await.unwrap().tables.remove(0);
            let snapshot = source.snapshot(&[], 1).await.unwrap();
            read(&*snapshot, &table, &ChunkPlan::whole(0, 0), batch_bytes).await.unwrap()
        });
        let mut expected = rows.iter();
        for batch in &batches {
            for row in 0..batch.num_rows() {
                let (i, f, s, b, o, d) = expected.next().unwrap();
                let at = |column: usize| batch.column(column).is_valid(row).then_some(row);
                prop_assert_eq!(at(0).map(|row| batch.column(0).as_primitive::<types::Int64Type>().value(row)), *i);
                // SQLite has no NaN: it stores NULL. It may store -0 as 0.
                let float = at(1).map(|row| batch.column(1).as_primitive::<types::Float64Type>().value(row));
                let wanted = f.filter(|f| !f.is_nan());
                prop_assert!(float == wanted, "{float:?} {wanted:?}");
                prop_assert_eq!(at(2).map(|row| batch.column(2).as_string::<i32>().value(row)), s.as_deref());
                prop_assert_eq!(at(3).map(|row| batch.column(3).as_binary::<i32>().value(row)), b.as_deref());
                prop_assert_eq!(at(4).map(|row| batch.column(4).as_boolean().value(row)), *o);
                prop_assert_eq!(batch.column(5).as_primitive::<types::Decimal128Type>().value(row), i128::from(*d));
            }
        }
        prop_assert!(expected.next().is_none());
    }
}

#[tokio::test]
async fn what_sqlite_makes_of_negative_zero_is_what_arrives() {
    let file = File::new("CREATE TABLE t (v REAL, w REAL)");
    file.writer().execute("INSERT INTO t VALUES (?1, -0.0)", [-0.0f64]).unwrap();
    let rows = file.rows("t").await.unwrap();
    let read = |column: usize| rows.column(column).as_primitive::<types::Float64Type>().value(0).to_bits();
    let stored: (f64, f64) = file.writer().query_row("SELECT v, w FROM t", [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    assert_eq!((read(0), read(1)), (stored.0.to_bits(), stored.1.to_bits()));
}

#[test]
fn the_source_has_only_types_that_it_can_decode() {
    let dialect = registry::engine(dbferry::engine::EngineKind::Sqlite).dialect();
    for declared in [
        "INT",
        "BOOL",
        "DECIMAL(5,2)",
        "DECIMAL",
        "DATE",
        "DATETIME",
        "TIMESTAMPTZ",
        "TIME",
        "JSON",
        "UUID",
        "BLOB",
        "CLOB",
        "FLOAT",
    ] {
        let native = dialect.parse_type(declared).unwrap();
        assert!(dialect.to_logical(&native).is_some_and(|logical: LogicalType| !logical.to_string().is_empty()));
    }
}
