//! On servers that nobody else uses, so that a log stands still when nobody writes, and whoever waits waits for us.

use std::time::{Duration, Instant};

use dbferry::failpoint as at;
use sqlx::AssertSqlSafe;

use super::servers::Servers;
use crate::support::ferry::{asleep, command, ferry_with_report, finish, report, signal};
use crate::support::{MySqlDatabase, PostgresDatabase};

const SOURCE: &str = "CREATE TABLE cut (id INT NOT NULL PRIMARY KEY, v VARCHAR(500) NOT NULL);
CREATE TABLE keyless (v VARCHAR(500) NOT NULL, w INT NOT NULL);
CREATE TABLE busy (id INT NOT NULL PRIMARY KEY, v INT);
INSERT INTO cut SELECT seq, REPEAT(CHAR(65 + seq % 26), 450) FROM seq_1_to_6000;
INSERT INTO keyless SELECT REPEAT(CHAR(65 + seq % 26), 450), seq FROM seq_1_to_3000;
INSERT INTO busy VALUES (1, 1), (2, 2), (3, 3);
ANALYZE TABLE cut, keyless, busy;
";

async fn text(from: &MySqlDatabase, sql: &str) -> String {
    sqlx::query_scalar(AssertSqlSafe(sql.to_string())).fetch_one(&mut from.connect().await).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_stood_still_is_not_read_again_and_writers_wait_no_longer_than_the_timeout() {
    let servers = tokio::task::spawn_blocking(Servers::start).await.unwrap();
    let from = MySqlDatabase::create_on(&servers.mysql, SOURCE).await;
    // D5: a chunk that is committed is not read again: the source itself counts the rows that it has delivered.
    // D14: the position that is told is the server's own, file, offset and GTID, while nobody has written since.
    stood_still(&servers, &from).await;
    // D1: the barrier keeps writers out for the moment in which the readers open, and for its own short timeout while it waits.
    writers_go_on(&servers, &from).await;
    // D13: a coordinator that is put to sleep with the lock in hand keeps them out for seconds.
    the_lock_of_a_sleeper_is_freed(&servers, &from).await;
}

/// Whoever is put to sleep with the lock in hand keeps writers waiting for seconds, and takes no snapshot that is not one.
async fn the_lock_of_a_sleeper_is_freed(servers: &Servers, from: &MySqlDatabase) {
    let to = PostgresDatabase::create_on(&servers.postgres, "").await;
    let line = ["run", &from.url, &to.url, "--jobs", "2"];
    let sleeper = asleep(command(&line), at::SNAPSHOT_LOCKED).await;
    let began = Instant::now();
    from.run("UPDATE cut SET v = CONCAT(v, 'y') WHERE id = 8;").await;
    let waited = began.elapsed();
    eprintln!("a writer waited {waited:?} for a lock whose holder sleeps");
    assert!(waited > Duration::from_secs(2) && waited < Duration::from_secs(12), "a writer was blocked for {waited:?}");
    signal(&sleeper, "CONT");
    let said = tokio::task::spawn_blocking(move || finish(sleeper)).await.unwrap().code(3);
    said.complains(&["stopped midway", "--resume"]);
    let resumed = report(0, &[&line[..], &["--resume"]].concat());
    assert!(resumed["proven"].as_str().unwrap().starts_with("Proven by digest"), "{resumed:#}");
    assert_eq!(to.value("SELECT right(v, 1) FROM cut WHERE id = 8").await.as_deref(), Some("y"));
}

async fn stood_still(servers: &Servers, from: &MySqlDatabase) {
    let to = PostgresDatabase::create_on(&servers.postgres, "").await;
    let line = ["run", &from.url, &to.url, "--chunk", "1MiB", "--jobs", "2"];
    let mut killed = command(&line);
    finish(killed.env("DBFERRY_FAILPOINT", at::COPIED).spawn().unwrap()).code(-1);
    from.run("SET GLOBAL userstat = 1;\nFLUSH NO_WRITE_TO_BINLOG TABLE_STATISTICS;").await;
    let (said, report) = ferry_with_report(&[&line[..], &["--resume"]].concat());
    said.code(0)
        .prints(&["Proven by digest", "Resumed at a later instant; the source had not moved"])
        .complains(&["are not read again"]);
    let report = report.unwrap();
    assert_eq!((report["instants"][0]["source"].as_str(), report["instants"][0].get("rechecked")), (Some("still"), None));
    for (name, rows) in [("cut", "6000"), ("keyless", "3000")] {
        let read = format!(
            "SELECT CAST(COALESCE(SUM(ROWS_READ), 0) AS CHAR) FROM information_schema.TABLE_STATISTICS WHERE TABLE_SCHEMA = '{}' AND TABLE_NAME = '{name}'",
            from.name
        );
        // Once, to count them.
        assert_eq!(text(from, &read).await, rows, "rows of {name} that were read by the second attempt");
    }
    // Where a change stream can go on.
    let status = sqlx::raw_sql("SHOW MASTER STATUS").fetch_one(&mut from.connect().await).await.unwrap();
    let position = &report["position"];
    assert_eq!(position["file"].as_str(), Some(sqlx::Row::get::<String, _>(&status, "File").as_str()));
    assert_eq!(position["offset"].to_string(), sqlx::Row::get::<u64, _>(&status, "Position").to_string());
    assert_eq!(position["gtid"].as_str(), Some(text(from, "SELECT @@gtid_current_pos").await.as_str()));
    assert!(!position["gtid"].as_str().unwrap().is_empty());
    from.run("SET GLOBAL userstat = 0;").await;
}

async fn writers_go_on(servers: &Servers, from: &MySqlDatabase) {
    // The global lock waits for no SELECT; for a statement that writes it does, longer than our patience.
    for (busy, comes) in [("SELECT SUM(SLEEP(2)) FROM busy", true), ("UPDATE busy SET v = SLEEP(5)", false)] {
        let to = PostgresDatabase::create_on(&servers.postgres, "").await;
        let mut session = from.connect().await;
        let long = tokio::spawn(async move { sqlx::raw_sql(busy).execute(&mut session).await.map(drop) });
        tokio::time::sleep(Duration::from_millis(300)).await;
        let line = ["run", &from.url, &to.url, "--jobs", "2", "--probe", "off"].map(String::from);
        let run = tokio::task::spawn_blocking(move || report(0, &line.each_ref().map(String::as_str)));
        // An application beside, on a table that is locked as well.
        let (mut writer, mut longest, mut writes) = (from.connect().await, Duration::ZERO, 0);
        while !run.is_finished() {
            let began = Instant::now();
            sqlx::raw_sql("UPDATE cut SET v = CONCAT(v, 'x') WHERE id = 7").execute(&mut writer).await.unwrap();
            longest = longest.max(began.elapsed());
            writes += 1;
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let report = run.await.unwrap();
        eprintln!("{writes} writes beside `{busy}`, the longest took {longest:?}");
        assert!(
            longest < Duration::from_millis(if comes { 1_000 } else { 1_900 }),
            "a writer was blocked for {longest:?} beside `{busy}`"
        );
        let notes = report["problems"].to_string();
        if comes {
            assert!(notes.contains("share one instant, by a global read lock"), "{notes}");
        } else {
            assert!(writes > 100, "{writes}");
            let told = ["no instant in common", "opened between two equal readings of the position"];
            assert!(
                told.iter().any(|told| notes.contains(told)) && notes.contains("Lock wait timeout") != notes.contains(told[1]),
                "{notes}"
            );
        }
        let by = if notes.contains("no instant in common") { "per_chunk" } else { "one_instant" };
        assert!(report["tables"].as_array().unwrap().iter().all(|table| table["consistency"] == by), "{report:#}");
        long.await.unwrap().unwrap();
    }
}
