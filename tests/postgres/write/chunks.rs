//! Rows and receipts of a chunk: together, once, or not at all.

use std::sync::Arc;

use dbferry::config::endpoint::{Endpoint, Secret};
use dbferry::engine::EngineKind;
use dbferry::engine::registry::engine;
use dbferry::error::ErrorKind;
use dbferry::model::catalog::Generated;
use dbferry::model::{Digest, LogicalType as L, RunId};

use super::*;
use crate::support::PostgresDatabase;

#[tokio::test]
async fn generated_columns_are_not_written_but_read_again() {
    let db = PostgresDatabase::create("CREATE TABLE t (id int, twice int GENERATED ALWAYS AS (id * 2) STORED, c text)").await;
    let sink = open_prepared(&db).await;
    let mut twice = column("twice", L::Int32, "integer");
    twice.generated = Some(Generated { expression: "id * 2".into(), stored: true });
    let table = table("t", vec![twice, column("c", L::Text { length: None }, "text")]);
    let rows =
        batch(&table, vec![ids(3), Arc::new(Int32Array::from(vec![0, 2, 4])), Arc::new(StringArray::from(vec!["a", "b", "c"]))]);
    carry(&*sink, &table, std::slice::from_ref(&rows)).await.unwrap();
    let back = sink.read_back(1).await.unwrap();
    assert_eq!(read_all(&*back, &table, 1 << 20).await, rows);
    // What one side generates and the other does not is no table of this plan.
    let mut plain = table.clone();
    plain.columns[1].generated = None;
    let error = carry(&*sink, &plain, &[rows]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::SchemaChanged);
    drop(back);
    drop(sink);
    db.drop().await;
}

#[tokio::test]
async fn rows_and_receipt_are_committed_together_and_a_chunk_is_taken_once() {
    let db = PostgresDatabase::create(PLAIN).await;
    let sink = open_prepared(&db).await;
    let (table, run) = (plain(), RunId::generate());
    let rows = numbers(&table, 1000);
    let mut writer = sink.begin_chunk(&unit(run, &table, 3), &table).await.unwrap();
    writer.write(&rows).await.unwrap();
    assert!(sink.ledger().receipts(run).await.unwrap().is_empty());
    assert_eq!(db.value("SELECT count(*) FROM t").await.as_deref(), Some("0"));
    let receipt = writer.commit(digest(1000)).await.unwrap();
    assert_eq!(receipt.digest, digest(1000));
    assert!(receipt.bytes > 10_000);
    assert_eq!(sink.ledger().receipts(run).await.unwrap(), [receipt]);
    assert_eq!(db.value("SELECT count(*) FROM t").await.as_deref(), Some("1000"));

    let error = sink.begin_chunk(&unit(run, &table, 3), &table).await.err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Ledger, "{error:?}");
    // Another run, and another chunk, are no second attempt.
    for unit in [unit(RunId::generate(), &table, 3), unit(run, &table, 4)] {
        let writer = sink.begin_chunk(&unit, &table).await.unwrap();
        writer.commit(Digest::default()).await.unwrap();
    }
    drop(sink);
    db.drop().await;
}

#[tokio::test]
async fn a_second_claim_waits_for_the_first_and_then_fails() {
    let db = PostgresDatabase::create(PLAIN).await;
    let sink = open_prepared(&db).await;
    let (table, run) = (plain(), RunId::generate());
    let first = sink.begin_chunk(&unit(run, &table, 0), &table).await.unwrap();
    let second = {
        let (sink, table) = (Arc::clone(&sink), table.clone());
        tokio::spawn(async move { sink.begin_chunk(&unit(run, &table, 0), &table).await.map(drop) })
    };
    // It waits in the server, where it can be seen to.
    let waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    while db.value(waiting).await.as_deref() != Some("1") {
        assert!(!second.is_finished());
    }
    first.commit(Digest::default()).await.unwrap();
    let error = second.await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Ledger, "{error:?}");

    // After a first one that was taken back, the second one goes on.
    let first = sink.begin_chunk(&unit(run, &table, 1), &table).await.unwrap();
    let second = {
        let (sink, table) = (Arc::clone(&sink), table.clone());
        tokio::spawn(async move { sink.begin_chunk(&unit(run, &table, 1), &table).await.map(drop) })
    };
    first.abort().await.unwrap();
    second.await.unwrap().unwrap();
    drop(sink);
    db.drop().await;
}

#[tokio::test]
async fn a_writer_that_is_dropped_or_aborted_leaves_nothing() {
    let db = PostgresDatabase::create(PLAIN).await;
    let sink = open_prepared(&db).await;
    let (table, run) = (plain(), RunId::generate());
    // More than one piece, so that rows are in the server already.
    let rows = numbers(&table, 200_000);
    for abort in [false, true, false] {
        let mut writer = sink.begin_chunk(&unit(run, &table, 0), &table).await.unwrap();
        writer.write(&rows).await.unwrap();
        if abort {
            writer.abort().await.unwrap();
        }
    }
    // The claim of a new attempt waits until the dropped ones are gone.
    let mut writer = sink.begin_chunk(&unit(run, &table, 0), &table).await.unwrap();
    assert_eq!(db.value("SELECT count(*) FROM t").await.as_deref(), Some("0"));
    writer.write(&rows.slice(0, 5)).await.unwrap();
    writer.commit(digest(5)).await.unwrap();
    assert_eq!(db.value("SELECT count(*) FROM t").await.as_deref(), Some("5"));
    drop(sink);
    db.drop().await;
}

#[tokio::test]
async fn a_row_that_the_target_refuses_fails_the_chunk_with_constraint_and_key() {
    let db = PostgresDatabase::create("CREATE TABLE t (id int PRIMARY KEY, c text CHECK (c <> 'value 7'))").await;
    let sink = open_prepared(&db).await;
    let table = plain();
    // Far more is sent than the row that is refused at the beginning.
    let error = carry(&*sink, &table, &[numbers(&table, 300_000)]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TargetWrite);
    assert!(error.hint_text().unwrap().contains("t_c_check"), "{error:?}");
    assert_eq!(error.place().key.as_deref(), Some("(row 8 of the chunk)"), "{error:?}");
    let rows = numbers(&table, 5);
    let error = carry(&*sink, &table, &[rows.clone(), rows.clone()]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TargetWrite);
    assert_eq!(error.place().key.as_deref(), Some("(id) = (0)"), "{error:?}");
    carry(&*sink, &table, &[rows]).await.unwrap();
    drop(sink);
    db.drop().await;
}

#[tokio::test]
async fn a_chunk_whose_connection_is_lost_may_be_carried_again() {
    let db = PostgresDatabase::create(PLAIN).await;
    let sink = open_prepared(&db).await;
    let (table, run) = (plain(), RunId::generate());
    let rows = numbers(&table, 100_000);
    let kill = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = 'dbferry/test'
                AND datname = current_database()";
    for during_copy in [true, false] {
        let mut writer = sink.begin_chunk(&unit(run, &table, 0), &table).await.unwrap();
        if during_copy {
            writer.write(&rows).await.unwrap();
        }
        assert_ne!(db.value(kill).await.as_deref(), Some("0"));
        let lost = match writer.write(&rows).await {
            Ok(()) => writer.commit(digest(100_000 * if during_copy { 2 } else { 1 })).await.map(drop),
            Err(error) => Err(error),
        };
        let error = lost.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionLost, "{error:?}");
    }
    // Connections that died while they lay idle are replaced without a word.
    drop((sink.begin_chunk(&unit(run, &table, 9), &table).await.unwrap().abort().await, sink.ledger().runs().await.unwrap()));
    db.value(kill).await;
    let mut writer = sink.begin_chunk(&unit(run, &table, 0), &table).await.unwrap();
    writer.write(&rows).await.unwrap();
    writer.commit(digest(100_000)).await.unwrap();
    assert_eq!(db.value("SELECT count(*) FROM t").await.as_deref(), Some("100000"));
    drop(sink);
    db.drop().await;
}

#[tokio::test]
async fn triggers_do_not_act_on_carried_rows_and_rows_that_one_drops_are_missed() {
    let db = PostgresDatabase::create(
        "CREATE TABLE t (id int, c text);
         CREATE FUNCTION skip() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
         CREATE TRIGGER skip BEFORE INSERT ON t FOR EACH ROW WHEN (NEW.id = 2) EXECUTE FUNCTION skip()",
    )
    .await;
    let sink = open_prepared(&db).await;
    let table = plain();
    carry(&*sink, &table, &[numbers(&table, 5)]).await.unwrap();
    assert_eq!(db.value("SELECT count(*) FROM t").await.as_deref(), Some("5"));
    db.run("ALTER TABLE t ENABLE ALWAYS TRIGGER skip").await;
    let error = carry(&*sink, &table, &[numbers(&table, 5)]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TargetWrite, "{error:?}");
    assert!(error.what().contains("stored 4"), "{error:?}");
    assert_eq!(db.value("SELECT count(*) FROM t").await.as_deref(), Some("5"));
    drop(sink);
    db.drop().await;
}

#[tokio::test]
async fn a_user_without_rights_carries_and_is_told_what_is_missing() {
    let db = PostgresDatabase::create("").await;
    let user = format!("{}_loader", db.name);
    db.run(&format!(
        "CREATE ROLE {user} LOGIN PASSWORD 'secret'; CREATE SCHEMA ours AUTHORIZATION {user}; REVOKE CREATE ON DATABASE {} FROM PUBLIC;
         CREATE TABLE t (id int, c text); GRANT INSERT, SELECT ON t TO {user}; CREATE TABLE shut (id int)",
        db.name
    ))
    .await;
    let mut at = Endpoint::parse(&db.url).unwrap();
    at.user = Some(user.clone());
    at.password = Some(Secret::new("secret"));
    let open = |schema: &str| {
        let (at, mut options) = (at.clone(), options(2));
        options.ledger_schema = schema.into();
        async move { engine(EngineKind::Postgres).open_sink(&at, &options).await.unwrap() }
    };
    let error = open("elsewhere").await.ledger().prepare().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::MissingRight);
    assert!(error.hint_text().unwrap().contains("ledger_schema"));
    // No right to create schemas, and none is needed for one that stands.
    let sink = open("ours").await;
    sink.ledger().prepare().await.unwrap();
    let rows = numbers(&plain(), 5);
    carry(&*sink, &plain(), &[rows]).await.unwrap();
    let shut = table("shut", vec![]);
    let error = carry(&*sink, &shut, &[batch(&shut, vec![ids(1)])]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::MissingRight, "{error:?}");
    let gone = table("gone", vec![]);
    let error = carry(&*sink, &gone, &[batch(&gone, vec![ids(1)])]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::SchemaChanged, "{error:?}");
    drop(sink);
    db.run(&format!("DROP OWNED BY {user}; DROP ROLE {user}")).await;
    db.drop().await;
}
