//! What stands in the target, read again in one snapshot.

use dbferry::engine::{ProfileColumn, ProfileKind};
use dbferry::error::ErrorKind;
use dbferry::model::catalog::NativeType;
use dbferry::model::{LogicalType as L, ObjectName, Table};
use futures::StreamExt;

use super::*;
use crate::support::PostgresDatabase;

#[tokio::test]
async fn a_table_is_read_again_in_pieces_of_one_snapshot() {
    let db = PostgresDatabase::create(PLAIN).await;
    let sink = open_prepared(&db).await;
    let table = plain();
    let rows = numbers(&table, 50_000);
    carry(&*sink, &table, std::slice::from_ref(&rows)).await.unwrap();
    let back = sink.read_back(2).await.unwrap();
    let plan = back.plan_chunks(&table, 256 << 10, None).await.unwrap();
    assert!(plan.chunks.len() > 5, "{}", plan.chunks.len());
    // What comes later is in no reader's snapshot, not even in one that is opened later.
    db.run("INSERT INTO t SELECT n, 'late' FROM generate_series(1, 1000) AS n; DELETE FROM t WHERE id < 100").await;
    assert_eq!(back.count(&table).await.unwrap(), 50_000);
    assert_eq!(read_all(&*back, &table, 256 << 10).await, rows);
    // A reader whose rows are not wanted to the end does no harm.
    for chunk in &plan.chunks {
        let mut stream = back.read(&table, chunk);
        assert!(stream.next().await.unwrap().is_ok());
    }
    assert_eq!(back.count(&table).await.unwrap(), 50_000);
    drop(back);
    let back = sink.read_back(1).await.unwrap();
    assert_eq!(back.count(&table).await.unwrap(), 50_801);
    drop(back);
    drop(sink);
    db.drop().await;
}

#[tokio::test]
async fn what_cannot_be_read_as_it_was_sent_is_an_error() {
    let db = PostgresDatabase::create("").await;
    let sink = open(&db).await;
    let cases = [
        (L::Int16, "integer", "40000"),
        (L::UInt64, "numeric", "-1"),
        (L::UInt64, "numeric", "1.5"),
        (L::Int32, "numeric", "'NaN'"),
        (L::Decimal { precision: 5, scale: 2 }, "numeric", "1.005"),
        (L::Decimal { precision: 5, scale: 2 }, "numeric", "1000"),
        (L::Decimal { precision: 76, scale: 2 }, "numeric", "1e80"),
        (L::Duration { fsp: 6 }, "interval", "'1 month'"),
        (L::Bits { length: 4 }, "varbit", "B'101'"),
        (L::Set { labels: vec![] }, "text[]", "'{{a},{b}}'"),
        (L::Set { labels: vec![] }, "text[]", "'[0:1]={a,b}'"),
        (L::Float32, "double precision", "0.1"),
    ];
    for (number, (logical, native, value)) in cases.into_iter().enumerate() {
        db.run(&format!("CREATE TABLE t{number} (id int, c {native}); INSERT INTO t{number} VALUES (1, {value})")).await;
        let what = format!("{value} as {logical}");
        let table = table(&format!("t{number}"), vec![column("c", logical, native)]);
        let back = sink.read_back(1).await.unwrap();
        let plan = back.plan_chunks(&table, 1 << 20, None).await.unwrap();
        let first = back.read(&table, &plan.chunks[0]).next().await.unwrap();
        let hashed = back.digest_within(&table, &plan.chunks[0], &Budget::boundless(), &|_, _| {}).await;
        for error in [first.expect_err(&what), hashed.expect_err(&what)] {
            assert_eq!(error.kind(), ErrorKind::Value, "{what}: {error:?}");
            assert_eq!(error.place().column.as_deref(), Some("c"), "{what}");
        }
    }
    drop(sink);
    db.drop().await;
}

#[tokio::test]
async fn a_profile_is_computed_by_the_database() {
    let db = PostgresDatabase::create(
        "CREATE TABLE t (n numeric, i interval, f real, d date, z timestamptz, s text, b bytea, o boolean, j jsonb, t time, u bigint, x uuid);
         INSERT INTO t VALUES
           (1.50, '-838:59:59.999999', 0.1, '2024-02-29', '2024-02-29 12:00:00.5+03', 'aäé', '\\x0102', true, '1', '24:00', 9223372036854775807),
           (-10.00, '1 day 00:00:01', '-0', '0044-03-15 BC', 'infinity', '😀', '', false, '{}', '00:00:01.5', 9223372036854775807),
           (NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)",
    )
    .await;
    let sink = open(&db).await;
    let back = sink.read_back(1).await.unwrap();
    let of = |name: &str, native: &str, kind| ProfileColumn {
        name: name.into(),
        native: NativeType { name: native.into(), ..NativeType::default() },
        kind,
    };
    let columns = [
        of("n", "numeric", ProfileKind::Exact),
        of("i", "interval", ProfileKind::Exact),
        of("f", "real", ProfileKind::Float),
        of("d", "date", ProfileKind::Temporal),
        of("z", "timestamptz", ProfileKind::Temporal),
        of("s", "text", ProfileKind::Text),
        of("b", "bytea", ProfileKind::Bytes),
        of("o", "boolean", ProfileKind::Bool),
        of("j", "jsonb", ProfileKind::Count),
        of("t", "time", ProfileKind::Exact),
        of("u", "bigint", ProfileKind::Exact),
        of("x", "uuid", ProfileKind::Bytes),
    ];
    let profile = back.profile(&Table::new(ObjectName::new("public", "t")), &columns).await.unwrap();
    assert_eq!(profile.rows, 3);
    let got: Vec<Vec<&str>> =
        profile.columns.iter().map(|column| column.iter().map(|value| value.as_deref().unwrap_or("NULL")).collect()).collect();
    let wanted: Vec<Vec<&str>> = vec![
        vec!["2", "-10", "1.5", "-8.5"],
        vec!["2", "-3020399999999", "86401000000", "-2933998999999"],
        vec!["2", "0", "0.10000000149011612"],
        vec!["2", "0044-03-15 BC", "2024-02-29 00:00:00.000000"],
        vec!["2", "2024-02-29 09:00:00.500000", "infinity"],
        vec!["2", "4", "9"],
        vec!["2", "2"],
        vec!["2", "1"],
        vec!["2"],
        vec!["2", "1500000", "86400000000", "86401500000"],
        vec!["2", "9223372036854775807", "9223372036854775807", "18446744073709551614"],
        vec!["0", "NULL"],
    ];
    assert_eq!(got, wanted);
    drop(back);
    drop(sink);
    db.drop().await;
}
