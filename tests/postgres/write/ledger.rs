//! The ledger, statements, and addresses.

use dbferry::config::endpoint::Endpoint;
use dbferry::engine::registry::engine;
use dbferry::engine::{Ddl, DdlPhase, EngineKind};
use dbferry::error::ErrorKind;
use dbferry::ledger::{RunRecord, RunState};
use dbferry::model::{ObjectName, RunId};

use super::*;
use crate::support::PostgresDatabase;

#[tokio::test]
async fn the_ledger_is_made_by_many_at_once_and_keeps_runs_and_marks() {
    let db = PostgresDatabase::create("").await;
    let sinks = [open(&db).await, open(&db).await, open(&db).await, open(&db).await];
    let ledger = sinks[0].ledger();
    assert!(ledger.runs().await.unwrap().is_empty());
    let outcomes = futures::future::join_all(sinks.iter().map(|sink| sink.ledger().prepare())).await;
    outcomes.into_iter().for_each(Result::unwrap);
    ledger.prepare().await.unwrap();
    let run = RunRecord {
        run: RunId::generate(),
        source: "mysql://me@db/shop".into(),
        target: "postgres://me@db2/shop".into(),
        identity: "abc".into(),
        state: RunState::Running,
        plan: serde_json::json!({"z": 1, "a": "\u{0}ä", "n": 18446744073709551615u64}),
        started_us: 0,
        updated_us: 0,
        report: None,
    };
    ledger.start(&run).await.unwrap();
    assert_eq!(ledger.start(&run).await.unwrap_err().kind(), ErrorKind::Ledger);
    let report = serde_json::json!({"ok": true});
    ledger.finish(run.run, RunState::Done, &report).await.unwrap();
    let kept = ledger.runs().await.unwrap();
    let [kept] = kept.as_slice() else { panic!("{kept:?}") };
    assert!(kept.started_us > 1_700_000_000_000_000 && kept.updated_us >= kept.started_us);
    let expected = RunRecord {
        started_us: kept.started_us,
        updated_us: kept.updated_us,
        report: Some(report),
        state: RunState::Done,
        ..run
    };
    assert_eq!(*kept, expected);
    let other = ledger.finish(RunId::generate(), RunState::Failed, &serde_json::Value::Null).await.unwrap_err();
    assert_eq!(other.kind(), ErrorKind::Ledger);
    for _ in 0..2 {
        ledger.mark(expected.run, &ObjectName::new("public", "t"), "indexes").await.unwrap();
    }
    assert_eq!(ledger.marks(expected.run).await.unwrap(), [(ObjectName::new("public", "t"), "indexes".to_string())]);
    db.run("UPDATE dbferry.format SET version = 99").await;
    assert_eq!(ledger.prepare().await.unwrap_err().kind(), ErrorKind::Ledger);
    drop(sinks);
    db.drop().await;
}

#[tokio::test]
async fn statements_are_skipped_when_their_object_stands() {
    let db = PostgresDatabase::create("").await;
    let sink = open(&db).await;
    let ddl = |phase, sql: &str, exists: &str| Ddl {
        phase,
        table: Some(ObjectName::new("public", "t")),
        object: "table t".into(),
        sql: sql.into(),
        exists_sql: Some(exists.into()),
    };
    let create = ddl(DdlPhase::Tables, "CREATE TABLE public.t (id int)", "SELECT to_regclass('public.t') IS NOT NULL");
    let index = ddl(DdlPhase::Indexes, "CREATE INDEX i ON public.t (id)", "SELECT to_regclass('public.i') IS NOT NULL");
    for _ in 0..2 {
        sink.apply(&create).await.unwrap();
        sink.apply(&index).await.unwrap();
    }
    let again = Ddl { exists_sql: None, ..create };
    let error = sink.apply(&again).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TargetExists);
    assert_eq!(error.place().table.as_deref(), Some("public.t"));
    drop(sink);
    db.drop().await;
}

#[tokio::test]
async fn wrong_addresses_are_told_apart() {
    let db = PostgresDatabase::create("").await;
    let at = Endpoint::parse(&db.url).unwrap();
    let kind = |at: Endpoint| async move {
        engine(EngineKind::Postgres).open_sink(&at, &options(1)).await.err().map(|error| error.kind())
    };
    assert_eq!(kind(at.clone()).await, None);
    assert_eq!(kind(Endpoint { database: "gone".into(), ..at.clone() }).await, Some(ErrorKind::UnknownDatabase));
    assert_eq!(kind(Endpoint { port: Some(1), ..at.clone() }).await, Some(ErrorKind::Unreachable));
    assert_eq!(kind(Endpoint { user: Some("nobody such".into()), ..at.clone() }).await, Some(ErrorKind::LoginRefused));
    for (name, value) in [("sslmod", "require"), ("sslmode", "maybe"), ("connect_timeout", "0")] {
        let params = [(name.to_string(), value.to_string())].into();
        assert_eq!(kind(Endpoint { params, ..at.clone() }).await, Some(ErrorKind::Config), "{name}={value}");
    }
    let params = [
        ("host".to_string(), "127.0.0.1".to_string()),
        ("application_name".into(), "x".into()),
        ("sslmode".into(), "prefer".into()),
    ];
    assert_eq!(kind(Endpoint { host: "gone.invalid".into(), params: params.into(), ..at.clone() }).await, None);
    db.run("ALTER DATABASE CURRENT_DB SET search_path = 'public'".replace("CURRENT_DB", &db.name).as_str()).await;
    let latin = format!("{}_latin", db.name);
    db.run(&format!("CREATE DATABASE {latin} ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")).await;
    assert_eq!(kind(Endpoint { database: latin.clone(), ..at.clone() }).await, Some(ErrorKind::Unsupported));
    db.run(&format!("DROP DATABASE {latin} WITH (FORCE)")).await;
    db.drop().await;
}
