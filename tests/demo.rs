//! The sample shop: its content is sound, always the same, and can be read in full.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use dbferry::ErrorKind;
use dbferry::config::endpoint::Endpoint;
use dbferry::demo;
use dbferry::engine::{SessionOptions, TableFilter, registry};
use dbferry::model::catalog::Severity;
use dbferry::model::unit::{ReadColumn, ReadPlan};
use futures::TryStreamExt;
use rusqlite::Connection;
use rusqlite::types::Value;

const TABLES: [&str; 13] = [
    "Order Notes",
    "addresses",
    "categories",
    "customers",
    "exchange_rates",
    "gift_cards",
    "odd_values",
    "order_items",
    "orders",
    "page_visits",
    "payments",
    "products",
    "reviews",
];

fn shop(folder: &Path, name: &str, rows: u32) -> PathBuf {
    let path = folder.join(name);
    demo::build(&path, rows).unwrap();
    path
}

fn number(connection: &Connection, sql: &str) -> i64 {
    connection.query_row(sql, [], |row| row.get(0)).unwrap()
}

#[test]
fn the_shop_has_as_many_rows_as_asked_for_and_none_without_its_parent() {
    let folder = tempfile::tempdir().unwrap();
    for rows in [demo::MIN_ROWS, 5_000, 7_777] {
        let connection = Connection::open(shop(folder.path(), &format!("{rows}.db"), rows)).unwrap();
        let counted: i64 = TABLES.iter().map(|table| number(&connection, &format!("SELECT count(*) FROM \"{table}\""))).sum();
        assert_eq!(counted, i64::from(rows));
        assert_eq!(number(&connection, "SELECT count(*) FROM pragma_foreign_key_check"), 0);
        let sound: String = connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
        assert_eq!(sound, "ok");
        let wrong = "SELECT count(*) FROM orders o WHERE round(100 * o.total) <>
            (SELECT sum(round(100 * unit_price) * quantity) FROM order_items i WHERE i.order_id = o.id)";
        assert_eq!(number(&connection, wrong), 0);
        assert!(
            number(&connection, "SELECT count(*) - (SELECT count(*) FROM (SELECT DISTINCT * FROM page_visits)) FROM page_visits")
                > 0
        );
        assert_eq!(number(&connection, "SELECT count(*) FROM gift_cards"), 0);
        assert_eq!(
            number(&connection, "SELECT count(*) FROM odd_values WHERE document IS NOT NULL AND NOT json_valid(document)"),
            0
        );
    }
    assert!(!folder.path().join("5000.db.partial").exists());
}

#[test]
fn two_shops_of_one_size_are_equal_to_the_last_byte_of_each_value() {
    let folder = tempfile::tempdir().unwrap();
    let dump = |path: PathBuf| -> Vec<Vec<Value>> {
        let connection = Connection::open(path).unwrap();
        let mut all = Vec::new();
        for table in TABLES {
            let mut statement = connection.prepare(&format!("SELECT * FROM \"{table}\"")).unwrap();
            let columns = statement.column_count();
            let mut rows = statement.query([]).unwrap();
            while let Some(row) = rows.next().unwrap() {
                all.push((0..columns).map(|column| row.get(column).unwrap()).collect());
            }
        }
        all
    };
    let (one, two) = (dump(shop(folder.path(), "one.db", 5_000)), dump(shop(folder.path(), "two.db", 5_000)));
    assert_eq!(one.len(), 5_000);
    assert!(one == two);
}

#[test]
fn a_file_that_is_there_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shop.db");
    std::fs::write(&path, "mine").unwrap();
    assert_eq!(demo::build(&path, 1_000).unwrap_err().kind(), ErrorKind::TargetExists);
    assert_eq!(std::fs::read(&path).unwrap(), b"mine");
    assert_eq!(demo::build(&folder.path().join("no/such/folder.db"), 1_000).unwrap_err().kind(), ErrorKind::Io);
}

#[tokio::test]
async fn every_value_of_the_shop_can_be_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = shop(folder.path(), "shop.db", 5_000);
    let at = Endpoint::parse(&format!("sqlite://{}", path.display())).unwrap();
    let options = SessionOptions { application_name: "dbferry/test".into(), jobs: 2, ledger_schema: "dbferry".into() };
    let source = registry::engine(at.engine).open_source(&at, &options).await.unwrap();
    let catalog = source.catalog(&TableFilter::all()).await.unwrap();
    assert!(catalog.problems.iter().all(|problem| problem.severity != Severity::Refused), "{:?}", catalog.problems);
    let names: Vec<&str> = catalog.tables.iter().map(|table| table.name.name.as_str()).collect();
    assert_eq!(names, TABLES);
    let snapshot = source.snapshot(&catalog.tables, 2).await.unwrap();
    let mut all = 0;
    for table in &catalog.tables {
        let chunks = source.plan_chunks(table, 20_000).await.unwrap();
        let columns = table.columns.iter().map(|column| ReadColumn {
            name: column.name.clone(),
            native: column.native.clone(),
            logical: column.logical.clone().unwrap(),
            policies: dbferry::model::ValuePolicies::default(),
        });
        let plan = ReadPlan::of(table, columns.collect(), &chunks, 100_000);
        let mut rows = 0;
        for chunk in &chunks.chunks {
            let batches: Vec<_> = snapshot.read(&plan, chunk).try_collect().await.unwrap();
            rows += batches.iter().map(|batch| batch.rows.num_rows() as u64).sum::<u64>();
        }
        assert_eq!(rows, snapshot.count(table).await.unwrap(), "{}", table.name);
        all += rows;
    }
    assert_eq!(all, 5_000);
    let types: std::collections::BTreeSet<String> = catalog
        .tables
        .iter()
        .flat_map(|table| &table.columns)
        .map(|column| column.logical.as_ref().unwrap().to_string().split('(').next().unwrap().to_string())
        .collect();
    let expected = ["binary", "bool", "date", "decimal", "float64", "int64", "json", "text", "time", "timestamp", "uuid"];
    assert_eq!(types.iter().map(String::as_str).collect::<Vec<_>>(), expected);
}

/// Not a test of content: how long the full shop takes is printed with `--nocapture`.
#[test]
fn the_full_shop_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let start = std::time::Instant::now();
    let path = shop(folder.path(), "full.db", demo::DEFAULT_ROWS);
    println!("{} rows in {:?}, {} bytes", demo::DEFAULT_ROWS, start.elapsed(), std::fs::metadata(&path).unwrap().len());
    let connection = Connection::open(path).unwrap();
    assert_eq!(number(&connection, "SELECT count(*) FROM pragma_foreign_key_check"), 0);
}

/// The digests of a report by table.
fn digests(report: &serde_json::Value) -> Vec<(&str, &serde_json::Value)> {
    let tables = report["tables"].as_array().unwrap();
    tables.iter().map(|table| (table["source"].as_str().unwrap(), &table["digest"])).collect()
}

#[test]
fn the_demo_is_a_run_like_any_other() {
    use crate::support::ferry::{ferry, report};
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("shown");
    let dir = dir.to_str().unwrap();
    let shown =
        ferry(&["demo", "--dir", dir, "--rows", "20000"]).code(0).prints(&["Proven by digest: all 13 tables", "order_items"]);
    shown.complains(&[&format!("{dir}/parquet"), &format!("{dir}/shop.db")]);
    ferry(&["demo", "--dir", dir]).code(2).complains(&["hint: ", dir]);

    let (from, to) = (format!("sqlite://{dir}/shop.db"), format!("parquet://{}", folder.path().join("by_hand").display()));
    let by_hand = report(0, &["run", &from, &to]);
    let target = format!("parquet://{dir}/parquet");
    let status = ferry(&["status", &target]).code(0).prints(&["done"]);
    let run = status.out.split_whitespace().next().unwrap();
    let stored = ferry(&["report", run, &target, "--format", "json"]).code(0);
    let stored: serde_json::Value = serde_json::from_str(&stored.out).unwrap();
    assert_eq!(digests(&stored), digests(&by_hand));
    assert_eq!(digests(&by_hand).len(), 13);
    let rows: u64 = by_hand["tables"].as_array().unwrap().iter().map(|table| table["rows"].as_u64().unwrap()).sum();
    assert!((19_000..=21_000).contains(&rows), "{rows} rows");
    ferry(&["verify", &from, &target]).code(0).prints(&["Proven by digest"]);
    ferry(&["run", &from, &to, "--resume"]).code(0).complains(&["done already"]);
}
