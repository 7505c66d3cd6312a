//! One coordinator per run: a second one is refused, one that is gone is replaced, and one that was replaced writes nothing any more.

use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use super::{SLOW, slow_chunks};
use crate::support::ferry::{Said, command, ferry, finish, signal};
use crate::support::{MySqlDatabase, PostgresDatabase};

/// Ends a child that a failed test leaves behind.
struct Ferry(Option<Child>);

impl Ferry {
    fn signal(&self, name: &str) {
        signal(self.0.as_ref().unwrap(), name);
    }

    async fn end(mut self) -> Said {
        let child = self.0.take().unwrap();
        tokio::task::spawn_blocking(move || finish(child)).await.unwrap()
    }
}

impl Drop for Ferry {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn line<'a>(from: &'a MySqlDatabase, to: &'a PostgresDatabase) -> Vec<&'a str> {
    vec!["run", &from.url, &to.url, "--chunk", "1MiB", "--jobs", "1"]
}

/// Starts a run whose lease lasts two seconds, and waits for its first receipt.
async fn begun(from: &MySqlDatabase, to: &PostgresDatabase) -> Ferry {
    let mut command = command(&line(from, to));
    let child = command.env("DBFERRY_LEASE_SECONDS", "8").stderr(Stdio::piped()).spawn().unwrap();
    receipts(to, 1).await;
    Ferry(Some(child))
}

/// Waits for so many receipts.
async fn receipts(to: &PostgresDatabase, wanted: i64) {
    let mut connection = to.connect().await;
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(60) {
        let found = sqlx::query_scalar::<_, i64>("SELECT count(*) FROM dbferry.receipts").fetch_one(&mut connection).await;
        if found.is_ok_and(|found| found >= wanted) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("no {wanted} receipts came");
}

const ONCE: &str = "SELECT count(*) || ' ' || count(DISTINCT w) || ' ' || (SELECT max(n) FROM (SELECT count(*) AS n FROM keyless GROUP BY w) AS x) FROM keyless";

#[tokio::test(flavor = "multi_thread")]
async fn a_living_run_is_left_alone_and_a_stalled_one_is_taken_over() {
    let (from, to) = (MySqlDatabase::create(SLOW).await, PostgresDatabase::create("").await);
    slow_chunks(&to).await;
    // Slower still: it must live through all that is tried meanwhile.
    to.run("CREATE OR REPLACE FUNCTION slow_row() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(2); RETURN NEW; END $$").await;
    let first = begun(&from, &to).await;
    let pid = first.0.as_ref().unwrap().id().to_string();
    let line = line(&from, &to);
    for more in [&["--resume"][..], &[], &["--if-exists", "drop"]] {
        let texts = ["is being worked on", &format!("process {pid} on "), "--resume"];
        ferry(&[&line[..], more].concat()).code(2).complains(&texts);
    }
    ferry(&["status", &to.url]).code(0).prints(&["running", &format!("process {pid} on ")]);
    let run = to.value("SELECT replace(run::text, '-', '') FROM dbferry.runs").await.unwrap();
    ferry(&["abandon", &run, &to.url, "--yes"]).code(2).complains(&["is being worked on"]);
    // A laptop that is closed: its lease runs out, which is waited for, and its sessions are ended by whoever takes over.
    first.signal("STOP");
    let mut second = command(&[&line[..], &["--resume"]].concat());
    let second = Ferry(Some(second.spawn().unwrap()));
    tokio::time::sleep(Duration::from_millis(10_500)).await;
    first.signal("CONT");
    let old = first.end().await.code(3);
    assert!(old.err.contains("taken over"), "{}", old.err);
    second.end().await.code(0).complains(&["is held by process", "waiting until"]).prints(&["Proven by digest", "12,000 rows"]);
    assert_eq!(to.value(ONCE).await.as_deref(), Some("12000 1200 10"));
    assert_eq!(to.value("SELECT count(*) FROM dbferry.leases").await.as_deref(), Some("0"));
    from.drop().await;
    to.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chunk_of_a_coordinator_that_was_replaced_is_not_committed() {
    let (from, to) = (MySqlDatabase::create(SLOW).await, PostgresDatabase::create("").await);
    slow_chunks(&to).await;
    let first = begun(&from, &to).await;
    // As if somebody else had it, with none of its sessions ended: the chunk under way, and each later one, must fail by itself.
    to.run("UPDATE dbferry.leases SET holder = '00000000-0000-4000-8000-000000000000', host = 'elsewhere', backend = 0").await;
    let before = to.value("SELECT count(*) FROM dbferry.receipts").await;
    first.end().await.code(3).complains(&["taken over"]);
    assert_eq!(to.value("SELECT count(*) FROM dbferry.receipts").await, before);
    ferry(&[&line(&from, &to)[..], &["--resume"]].concat()).code(0).prints(&["Proven by digest"]);
    assert_eq!(to.value(ONCE).await.as_deref(), Some("12000 1200 10"));
    from.drop().await;
    to.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_was_killed_is_taken_over_at_once_and_its_sessions_are_ended() {
    let (from, to) = (MySqlDatabase::create(SLOW).await, PostgresDatabase::create("").await);
    slow_chunks(&to).await;
    let mut first = begun(&from, &to).await;
    let mut child = first.0.take().unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    // A session that the death of its client has not reached, in the midst of something.
    let run = to.value("SELECT replace(run::text, '-', '') FROM dbferry.runs").await.unwrap();
    let mut ghost = to.connect().await;
    sqlx::raw_sql(sqlx::AssertSqlSafe(format!(
        "SET application_name = 'dbferry/{run}'; BEGIN;
         INSERT INTO dbferry.receipts (run, table_schema, table_name, chunk) VALUES ('{run}', 'public', 'keyless', 5)"
    )))
    .execute(&mut ghost)
    .await
    .unwrap();
    ferry(&[&line(&from, &to)[..], &["--resume"]].concat()).code(0).prints(&["Proven by digest"]);
    assert!(sqlx::raw_sql("SELECT 1").execute(&mut ghost).await.is_err(), "the ghost still lives");
    assert_eq!(to.value(ONCE).await.as_deref(), Some("12000 1200 10"));
    from.drop().await;
    to.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_without_leases_is_read_and_completed() {
    let (from, to) = (MySqlDatabase::create(SLOW).await, PostgresDatabase::create("").await);
    let line = line(&from, &to);
    let mut killed = command(&line);
    finish(killed.env("DBFERRY_FAILPOINT", "chunk-committed:2").spawn().unwrap()).code(-1);
    to.run("DROP TABLE dbferry.leases").await;
    ferry(&["status", &to.url]).code(0).prints(&["unfinished"]);
    ferry(&[&line[..], &["--resume"]].concat()).code(0).prints(&["Proven by digest", "12,000 rows"]);
    from.drop().await;
    to.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_of_a_coordinator_that_sleeps_are_ended_by_whoever_takes_over() {
    let (from, to) = (MySqlDatabase::create(SLOW).await, PostgresDatabase::create("").await);
    slow_chunks(&to).await;
    let first = begun(&from, &to).await;
    // Spare readers do nothing: no statement tells whose they are. They hold the table all the same, once they have read it.
    first.signal("STOP");
    let run = to.value("SELECT replace(run::text, '-', '') FROM dbferry.runs").await.unwrap();
    let mut source = from.connect().await;
    let readers: Vec<String> =
        (0..3).map(|reader| format!("CAST(COALESCE(IS_USED_LOCK('dbferry{run}/{reader}'), 0) AS CHAR)")).collect();
    let sql = format!("SELECT CONCAT_WS(' ', {})", readers.join(", "));
    let held: String = sqlx::query_scalar(sqlx::AssertSqlSafe(sql.clone())).fetch_one(&mut source).await.unwrap();
    let readers: Vec<&str> = held.split(' ').filter(|id| *id != "0").collect();
    assert!(readers.len() >= 2, "a reader and a spare one: {held}");
    ferry(&[&line(&from, &to)[..], &["--resume"]].concat()).code(0).prints(&["Proven by digest", "12,000 rows"]);
    let sql = format!("SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE ID IN ({})", readers.join(", "));
    let left: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).fetch_one(&mut source).await.unwrap();
    // D13: sessions of an earlier coordinator are ended, though they do nothing that tells whose they are.
    assert_eq!(left, 0, "readers of the first coordinator are there still: {held}");
    first.signal("CONT");
    first.end().await.code(3);
    assert_eq!(to.value(ONCE).await.as_deref(), Some("12000 1200 10"));
    from.drop().await;
    to.drop().await;
}
