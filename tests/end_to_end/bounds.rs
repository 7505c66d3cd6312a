//! Bounded memory, and polite to both servers: wide rows and wide tables under a small budget, a rate, and pauses.

use std::io::{BufRead, BufReader};
use std::time::Duration;

use serde_json::Value;
use sqlx::Connection;

use crate::support::ferry::{command, ferry, report, table};
use crate::support::{MySqlDatabase, PostgresDatabase};

/// What the process may take beyond its budget.
const BEYOND_BYTES: u64 = 128 << 20;

/// Demands that the process of a run kept its bound.
#[track_caller]
fn keeps_its_bound(done: &Value) {
    let resources = &done["resources"];
    let memory = resources["memory_bytes"].as_u64().expect("a run has a budget");
    let peak = resources["peak_resident_bytes"].as_u64().expect("Linux tells the peak");
    assert!(peak <= memory + BEYOND_BYTES, "{} MiB were resident under a budget of {} MiB", peak >> 20, memory >> 20);
}

#[tokio::test]
async fn rows_of_60_megabytes_pass_under_a_small_budget() {
    let from = MySqlDatabase::create(
        "CREATE TABLE wide (id INT NOT NULL PRIMARY KEY, b LONGBLOB, t LONGTEXT);
CREATE TABLE narrow (id INT NOT NULL PRIMARY KEY, t VARCHAR(40));
INSERT INTO narrow SELECT seq, 'a text' FROM seq_1_to_20000;
INSERT INTO wide SELECT seq, CASE WHEN seq IN (2, 5) THEN REPEAT('b', 60000000) END, CASE WHEN seq = 4 THEN REPEAT('ü', 30000000) END FROM seq_1_to_6;
ANALYZE TABLE wide;
",
    )
    .await;
    let to = PostgresDatabase::create("").await;
    let done = report(0, &["run", &from.url, &to.url, "--memory", "128MiB", "--jobs", "3"]);
    // D12: rows of 60 MB pass, the digest of all of them agrees, and resident memory stays under the budget and 128 MiB.
    keeps_its_bound(&done);
    assert_eq!(table(&done, "wide")["outcome"], "verified");
    let lengths =
        "SELECT string_agg(coalesce(octet_length(b), 0) || ' ' || coalesce(octet_length(t), 0), ', ' ORDER BY id) FROM wide";
    assert_eq!(to.value(lengths).await.as_deref(), Some("0 0, 60000000 0, 0 0, 0 60000000, 60000000 0, 0 0"));
    from.drop().await;
    to.drop().await;
}

#[tokio::test]
async fn wide_rows_behind_each_other_are_read_again_one_by_one() {
    let from = MySqlDatabase::create(
        "CREATE TABLE wide (id INT NOT NULL, part INT NOT NULL, t LONGTEXT, j JSON, b LONGBLOB, PRIMARY KEY (id, part))
PARTITION BY LIST (part) (PARTITION p0 VALUES IN (0), PARTITION p1 VALUES IN (1));
INSERT INTO wide SELECT seq, seq % 2, CASE WHEN seq % 5 = 1 THEN REPEAT('ü', 1000000 * seq) ELSE 'narrow' END,
  CASE WHEN seq % 5 = 2 THEN CONCAT('[\"', REPEAT('j', 2000000 * seq), '\"]') ELSE '{}' END,
  CASE WHEN seq % 5 = 3 THEN REPEAT('b', 2000000 * seq) END FROM seq_1_to_20;
ANALYZE TABLE wide;
",
    )
    .await;
    let to = PostgresDatabase::create("").await;
    let done = report(0, &["run", &from.url, &to.url, "--memory", "128MiB", "--jobs", "3"]);
    // D12: each of them wider than the one before, some narrow ones between, and all are in the digest once.
    keeps_its_bound(&done);
    assert_eq!((table(&done, "wide")["outcome"].as_str(), table(&done, "wide")["rows"].as_u64()), (Some("verified"), Some(20)));
    from.drop().await;
    to.drop().await;
}

#[tokio::test]
async fn a_table_of_a_thousand_columns_passes_under_the_least_budget() {
    let text = |n: usize| n.is_multiple_of(10);
    let column = |n: usize| if text(n) { format!(", c{n} VARCHAR(10) CHARACTER SET ascii") } else { format!(", c{n} INT") };
    let value = |n: usize| if text(n) { ", CONCAT('t', seq)".to_string() } else { format!(", seq * {n}") };
    let (columns, values): (String, String) = ((1..=999).map(column).collect(), (1..=999).map(value).collect());
    let from = MySqlDatabase::create(&format!(
        "CREATE TABLE many (id INT NOT NULL PRIMARY KEY{columns});
INSERT INTO many SELECT seq{values} FROM seq_1_to_2000;
ANALYZE TABLE many;
"
    ))
    .await;
    let to = PostgresDatabase::create("").await;
    let done = report(0, &["run", &from.url, &to.url, "--memory", "64MiB", "--jobs", "4", "--chunk", "1MiB"]);
    // D12: so does a table of 1,000 columns.
    keeps_its_bound(&done);
    assert_eq!((table(&done, "many")["outcome"].as_str(), table(&done, "many")["rows"].as_u64()), (Some("verified"), Some(2000)));
    from.drop().await;
    to.drop().await;
}

#[tokio::test]
async fn a_row_that_cannot_fit_is_refused_by_name_and_the_others_arrive() {
    let from = MySqlDatabase::create(
        "CREATE TABLE huge (id INT NOT NULL PRIMARY KEY, small TEXT, picture LONGBLOB);
INSERT INTO huge VALUES (1, 'a', 'b'), (7, 'a', REPEAT('b', 80000000));
CREATE TABLE other (id INT NOT NULL PRIMARY KEY);
INSERT INTO other VALUES (1);
",
    )
    .await;
    let to = PostgresDatabase::create("").await;
    let done = report(1, &["run", &from.url, &to.url, "--memory", "64MiB"]);
    let huge = table(&done, "huge");
    assert_eq!((huge["outcome"].as_str(), table(&done, "other")["outcome"].as_str()), (Some("failed"), Some("verified")));
    let error = huge["errors"][0].as_str().unwrap();
    // D12: and one that cannot fit is refused with its table, column, key and size, and what to set.
    for text in ["huge.picture` (id = 7)", "the row has 77 MiB, and does not fit a memory of 64 MiB", "`--memory 192MiB`"] {
        assert!(error.contains(text), "no `{text}` in {error}");
    }
    assert_eq!(to.value("SELECT count(*) FROM huge WHERE id = 7").await.as_deref(), Some("0"));
    // What is said is enough.
    report(0, &["run", &from.url, &to.url, "--if-exists", "drop", "--memory", "192MiB"]);
    from.drop().await;
    to.drop().await;
}

#[tokio::test]
async fn a_row_far_above_the_budget_is_refused_by_its_beginning() {
    let from = MySqlDatabase::create(
        "CREATE TABLE vast (id INT NOT NULL PRIMARY KEY, small TEXT, picture LONGBLOB, note TEXT);
INSERT INTO vast VALUES (3, 'a', REPEAT('b', 250000000), 'c'), (4, 'a', 'b', 'c');
",
    )
    .await;
    let to = PostgresDatabase::create("").await;
    let done = report(1, &["run", &from.url, &to.url, "--memory", "64MiB"]);
    let error = table(&done, "vast")["errors"][0].as_str().unwrap();
    for text in ["vast.picture` (id = 3)", "the row has 239 MiB, and does not fit a memory of 64 MiB"] {
        assert!(error.contains(text), "no `{text}` in {error}");
    }
    // D12: nor is it received, which would take more than there is.
    keeps_its_bound(&done);
    from.drop().await;
    to.drop().await;
}

#[tokio::test]
async fn rejected_rows_are_bounded_as_well() {
    let from = MySqlDatabase::create(
        "CREATE TABLE r (id INT NOT NULL PRIMARY KEY, d DATE, b LONGBLOB);
INSERT INTO r SELECT seq, '0000-00-00', REPEAT('x', 2000000) FROM seq_1_to_6;
",
    )
    .await;
    let to = PostgresDatabase::create("").await;
    let folder = tempfile::tempdir().unwrap();
    let mapping = folder.path().join("m.toml");
    std::fs::write(&mapping, "[[table]]\nname = \"r\"\non_error = \"reject\"\n").unwrap();
    let run = ["run", &from.url, &to.url, "-m", mapping.to_str().unwrap(), "--memory"];
    let done = report(1, &[&run[..], &["64MiB"]].concat());
    let error = table(&done, "r")["errors"][0].as_str().unwrap().to_string();
    assert!(error.contains("the rejected rows of the chunks under way do not fit a memory of 64 MiB"), "{error}");
    let done = report(1, &[&run[..], &["512MiB", "--if-exists", "drop"]].concat());
    assert_eq!((table(&done, "r")["outcome"].as_str(), table(&done, "r")["rejected"].as_u64()), (Some("rejected"), Some(6)));
    from.drop().await;
    to.drop().await;
}

#[tokio::test]
async fn a_rate_holds_batches_back_and_the_report_tells() {
    let from = MySqlDatabase::create(
        "CREATE TABLE t (id INT NOT NULL PRIMARY KEY, t VARCHAR(250));
INSERT INTO t SELECT seq, REPEAT('x', 240) FROM seq_1_to_8000;
ANALYZE TABLE t;
",
    )
    .await;
    let to = PostgresDatabase::create("").await;
    // Longer than the patience: a run that holds itself back does not hang.
    let done = report(0, &["run", &from.url, &to.url, "--max-rate", "512KiB", "--stall-timeout", "2"]);
    let resources = &done["resources"];
    assert_eq!(resources["max_rate_bytes"], 512 << 10);
    assert!(resources["throttled_seconds"].as_f64().unwrap() > 1.0, "{resources:#}");
    ferry(&["run", &from.url, &to.url, "--max-rate", "1KiB"]).code(2).complains(&["`--max-rate` is 1KiB", "at least 64KiB"]);
    from.drop().await;
    to.drop().await;
}

/// Sessions that keep the source busy, more than other tests of the same server do.
const BUSY: usize = 40;

#[tokio::test(flavor = "multi_thread")]
async fn a_busy_source_is_waited_for_and_progress_and_report_tell() {
    let from = MySqlDatabase::create("CREATE TABLE t (id INT NOT NULL PRIMARY KEY);\nINSERT INTO t VALUES (1), (2);\n").await;
    let to = PostgresDatabase::create("").await;
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_string();
    let settings =
        format!("[run]\nstall_timeout = 1\n[run.pause]\nthreads_running = {}\nhistory_length = 1000000000\n", BUSY / 2);
    std::fs::write(path("c.toml"), settings).unwrap();
    let mut busy = Vec::new();
    for _ in 0..BUSY {
        let mut session = sqlx::MySqlConnection::connect(&from.url).await.unwrap();
        let id: u64 = sqlx::query_scalar("SELECT CONNECTION_ID()").fetch_one(&mut session).await.unwrap();
        let asleep = tokio::spawn(async move { sqlx::raw_sql("SELECT SLEEP(300)").execute(&mut session).await.map(drop) });
        busy.push((id, asleep));
    }
    let (config, done) = (path("c.toml"), path("r.json"));
    let args = ["run", &from.url, &to.url, "-c", &config, "--progress", "json", "--report", &done];
    let mut child = command(&args).spawn().unwrap();
    // Its progress is read while it waits.
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let mut heard = Vec::new();
    let until = |wanted: &str, lines: &mut dyn Iterator<Item = std::io::Result<String>>, heard: &mut Vec<String>| {
        for line in lines {
            let line = line.unwrap();
            let event: Value = serde_json::from_str(&line).unwrap_or_default();
            heard.push(line);
            if event["event"] == wanted {
                return event;
            }
        }
        panic!("no `{wanted}` in\n{}", heard.join("\n"));
    };
    let paused = until("paused", &mut lines, &mut heard);
    let why = paused["why"].as_str().unwrap().to_string();
    assert!(why.contains("threads that run in the source") && why.ends_with(&format!("where {} are allowed", BUSY / 2)), "{why}");
    // Nothing has arrived, and it is no hang, whatever the patience.
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert!(child.try_wait().unwrap().is_none(), "it waits");
    assert_eq!(to.value("SELECT count(*) FROM t").await.as_deref(), Some("0"));
    let mut admin = from.connect().await;
    for (id, _) in &busy {
        sqlx::raw_sql(sqlx::AssertSqlSafe(format!("KILL {id}"))).execute(&mut admin).await.unwrap();
    }
    let resumed = until("resumed", &mut lines, &mut heard);
    assert!(resumed["seconds"].as_f64().unwrap() > 1.0, "{resumed}");
    lines.for_each(drop);
    let ended = child.wait_with_output().unwrap();
    let said = String::from_utf8(ended.stdout).unwrap();
    assert_eq!(ended.status.code(), Some(0), "{said}");
    assert!(said.contains("PAUSED for") && said.contains("Proven by digest"), "{said}");
    let report: Value = serde_json::from_str(&std::fs::read_to_string(done).unwrap()).unwrap();
    let pauses = report["resources"]["pauses"].as_array().unwrap();
    assert!(pauses[0]["why"] == why && pauses[0]["seconds"].as_f64().unwrap() > 1.0, "{pauses:#?}");
    from.drop().await;
    to.drop().await;
}

#[tokio::test]
async fn a_threshold_that_a_server_cannot_tell_refuses_the_run() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("c.toml");
    std::fs::write(&config, "[run.pause]\nthreads_running = 10\n").unwrap();
    let config = config.to_str().unwrap();
    let to = PostgresDatabase::create("").await;
    let shop = folder.path().join("empty.db");
    sqlite(&shop);
    let from = format!("sqlite://{}", shop.display());
    ferry(&["run", &from, &to.url, "-c", config]).code(2).complains(&["this source does not tell the threads that run"]);
    assert_eq!(to.value("SELECT count(*) FROM pg_namespace WHERE nspname = 'dbferry'").await.as_deref(), Some("0"));
    to.drop().await;
}

fn sqlite(path: &std::path::Path) {
    let connection = rusqlite::Connection::open(path).unwrap();
    connection.execute_batch("CREATE TABLE t (id INTEGER PRIMARY KEY); INSERT INTO t VALUES (1)").unwrap();
}

#[tokio::test]
async fn a_server_with_too_few_sessions_left_is_told_before_anything_starts() {
    let from = MySqlDatabase::create("CREATE TABLE t (id INT NOT NULL PRIMARY KEY);\nINSERT INTO t VALUES (1);\n").await;
    let to = PostgresDatabase::create("").await;
    // The limit of a role is the test's own, that of a server is everybody's.
    let role = format!("few_{}", to.name);
    to.run(&format!(
        "CREATE ROLE {role} LOGIN PASSWORD 'few' CONNECTION LIMIT 3; GRANT ALL ON DATABASE {0} TO {role}; GRANT ALL ON SCHEMA public TO {role}",
        to.name
    ))
    .await;
    let host = to.url.rsplit_once('@').unwrap().1;
    let few = format!("postgres://{role}:few@{host}");
    ferry(&["run", &from.url, &few, "--jobs", "2"])
        .code(2)
        .complains(&["the target takes 2 more sessions of this user, and a run needs 3"]);
    to.run(&format!("ALTER ROLE {role} CONNECTION LIMIT 5")).await;
    ferry(&["run", &from.url, &few, "--jobs", "2"])
        .code(0)
        .complains(&["the target takes 4 more sessions, and the run opens up to 5"]);
    to.run(&format!("REASSIGN OWNED BY {role} TO CURRENT_USER; DROP OWNED BY {role}; DROP ROLE {role}")).await;
    from.drop().await;
    to.drop().await;
}
