//! Readers that are lost while a run is at work, and sessions that an earlier coordinator has left.

use std::process::Child;
use std::time::Duration;

use sqlx::AssertSqlSafe;

use crate::support::ferry::{Said, asleep, command, ferry, finish, signal};
use crate::support::{MySqlDatabase, PostgresDatabase};

/// A table in chunks, and one without a key, far larger than what lies between the server and a client that does not read.
const SOURCE: &str = "CREATE TABLE cut (id INT NOT NULL PRIMARY KEY, v VARCHAR(500) NOT NULL);
CREATE TABLE keyless (v VARCHAR(9000) NOT NULL, w INT NOT NULL);
INSERT INTO cut SELECT seq, REPEAT(CHAR(65 + seq % 26), 450) FROM seq_1_to_6000;
INSERT INTO keyless SELECT REPEAT(CHAR(65 + seq % 26), 8000), seq FROM seq_1_to_8000;
ANALYZE TABLE cut, keyless;
";

/// Starts the command and waits until it stands still at the place.
async fn stopped(line: &[&str], place: &str) -> Child {
    let mut command = command(line);
    command.env("DBFERRY_LEASE_SECONDS", "4");
    asleep(command, place).await
}

async fn ended(child: Child) -> Said {
    tokio::task::spawn_blocking(move || finish(child)).await.unwrap()
}

/// The sessions of the database that meet a condition.
async fn sessions(from: &MySqlDatabase, condition: &str) -> Vec<String> {
    let sql = format!(
        "SELECT CAST(ID AS CHAR) FROM information_schema.PROCESSLIST WHERE DB = '{}' AND ID <> CONNECTION_ID() AND {condition}",
        from.name
    );
    sqlx::query_scalar(AssertSqlSafe(sql)).fetch_all(&mut from.connect().await).await.unwrap()
}

async fn kill(from: &MySqlDatabase, ids: &[String]) {
    for id in ids {
        from.run(&format!("KILL {id};")).await;
    }
}

const READS: &str = "INFO LIKE '/* dbferry/%'";
const ROWS: &str = "SELECT (SELECT count(*) || '/' || count(DISTINCT id) FROM cut) || ' ' || (SELECT count(*) || '/' || count(DISTINCT w) FROM keyless)";

#[tokio::test(flavor = "multi_thread")]
async fn a_spare_reader_goes_on_where_one_is_lost() {
    let (from, to) = (MySqlDatabase::create(SOURCE).await, PostgresDatabase::create("").await);
    let line = ["run", &from.url, &to.url, "--chunk", "1MiB", "--jobs", "1"];
    let child = stopped(&line, "batch-written").await;
    let reading = sessions(&from, READS).await;
    assert_eq!(reading.len(), 1, "one reader is at work");
    kill(&from, &reading).await;
    // What is written meanwhile is not of the snapshot's instant, which the spare one still has.
    from.run("UPDATE cut SET v = 'later';\nINSERT INTO keyless VALUES ('later', 99999);").await;
    signal(&child, "CONT");
    // D3: a reader that is lost in the midst of a chunk is never taken for the end of its rows.
    let said = ended(child).await.code(0).prints(&["Proven by digest", "1 of them were lost"]);
    assert!(!said.out.contains("later instant"), "{}", said.out);
    assert_eq!(to.value(ROWS).await.as_deref(), Some("6000/6000 8000/8000"));
    assert_eq!(to.value("SELECT count(*) FROM cut WHERE v = 'later'").await.as_deref(), Some("0"));
    from.drop().await;
    to.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_whose_readers_are_all_lost_goes_on_at_a_later_instant() {
    let (from, to) = (MySqlDatabase::create(SOURCE).await, PostgresDatabase::create("").await);
    let line = ["run", &from.url, &to.url, "--chunk", "1MiB", "--jobs", "2"];
    // The large table goes first, in one chunk; of the other one some are there.
    let child = stopped(&line, "chunk-committed:2").await;
    kill(&from, &sessions(&from, "1 = 1").await).await;
    from.run("UPDATE cut SET v = 'later' WHERE id <= 2;\nDELETE FROM cut WHERE id = 6000;\nINSERT INTO keyless VALUES ('later', 99999);").await;
    signal(&child, "CONT");
    let said = ended(child).await.code(0);
    let said = said.prints(&["Proven by digest", "All readers of the snapshot were lost", "the source had moved"]);
    said.complains(&["the run goes on at a later instant"]);
    // D1: all of it is of the later instant.
    assert_eq!(to.value(ROWS).await.as_deref(), Some("5999/5999 8001/8001"));
    assert_eq!(to.value("SELECT count(*) FROM cut WHERE v = 'later'").await.as_deref(), Some("2"));
    to.drop().await;

    // Where that is to be an error, it stops, and the same command goes on.
    let to = PostgresDatabase::create("").await;
    let line = ["run", &from.url, &to.url, "--chunk", "1MiB", "--jobs", "2"];
    let child = stopped(&[&line[..], &["--on-moved-source", "fail"]].concat(), "chunk-committed:2").await;
    kill(&from, &sessions(&from, "1 = 1").await).await;
    from.run("UPDATE cut SET v = 'again' WHERE id <= 3;").await;
    signal(&child, "CONT");
    ended(child).await.code(3).complains(&["had moved", "nothing was changed"]);
    ferry(&[&line[..], &["--resume"]].concat()).code(0).prints(&["Proven by digest", "Resumed at a later instant"]);
    assert_eq!(to.value("SELECT count(*) FROM cut WHERE v = 'again'").await.as_deref(), Some("3"));
    from.drop().await;
    to.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_of_an_earlier_coordinator_are_ended_in_the_source() {
    let (from, to) = (MySqlDatabase::create(SOURCE).await, PostgresDatabase::create("").await);
    let line = ["run", &from.url, &to.url, "--chunk", "1MiB", "--jobs", "1"];
    // Asleep in the midst of a chunk, as a machine that has lost its network: the server goes on sending to nobody.
    let first = stopped(&line, "batch-written").await;
    let left = sessions(&from, READS).await;
    assert_eq!(left.len(), 1);
    tokio::time::sleep(Duration::from_millis(4200)).await;
    let resume = [&line[..], &["--resume"]].concat();
    let second = stopped(&resume, "snapshot-taken").await;
    let there = format!("ID = {}", left[0]);
    // D13: it would hold its snapshot for as long as the server waits for its client.
    assert_eq!(sessions(&from, &there).await, Vec::<String>::new(), "it is ended while its client still sleeps");
    signal(&second, "CONT");
    ended(second).await.code(0).prints(&["Proven by digest"]);
    signal(&first, "CONT");
    ended(first).await.code(3);
    assert_eq!(to.value(ROWS).await.as_deref(), Some("6000/6000 8000/8000"));
    from.drop().await;
    to.drop().await;
}
