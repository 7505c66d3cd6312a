//! Runs that wait for servers that have it hard: a replica that lags, an undo history that grows, checkpoints that cannot keep up.

use std::io::{BufRead, BufReader, Lines};
use std::process::{Child, ChildStderr};
use std::time::{Duration, Instant};

use serde_json::Value;
use sqlx::{AssertSqlSafe, MySqlConnection, Row};

use super::servers::Servers;
use crate::support::ferry::{command, ferry};
use crate::support::{MySqlDatabase, PostgresDatabase};

/// A run whose progress is read while it waits.
struct Run {
    child: Child,
    lines: Lines<BufReader<ChildStderr>>,
    heard: Vec<String>,
    folder: tempfile::TempDir,
}

impl Run {
    fn start(from: &str, to: &str, pause: &str, more: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).to_str().unwrap().to_string();
        // Less patience than the pause is long: waiting is no hang.
        std::fs::write(path("c.toml"), format!("[run]\nstall_timeout = 1\n[run.pause]\n{pause}\n")).unwrap();
        let (config, report) = (path("c.toml"), path("r.json"));
        let line = ["run", from, to, "-c", &config, "--progress", "json", "--report", &report];
        let mut child = command(&[&line[..], more].concat()).spawn().unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        Run { child, lines, heard: Vec::new(), folder }
    }

    /// Reads on up to an event.
    fn hear(&mut self, wanted: &str) -> Value {
        for line in &mut self.lines {
            let line = line.unwrap();
            let event: Value = serde_json::from_str(&line).unwrap_or_default();
            self.heard.push(line);
            if event["event"] == wanted {
                return event;
            }
        }
        panic!("no `{wanted}` in\n{}", self.heard.join("\n"));
    }

    fn lives(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Its report, and what it said.
    fn end(mut self) -> (Value, String) {
        for line in &mut self.lines {
            self.heard.push(line.unwrap());
        }
        let ended = self.child.wait_with_output().unwrap();
        let said = String::from_utf8(ended.stdout).unwrap();
        assert_eq!(ended.status.code(), Some(0), "{said}\n{}", self.heard.join("\n"));
        assert!(said.contains("PAUSED for") && said.contains("Proven by digest"), "{said}");
        let report = std::fs::read_to_string(self.folder.path().join("r.json")).unwrap();
        (serde_json::from_str(&report).unwrap(), said)
    }
}

/// Demands that the first pause of a report was the one that progress has told.
fn is_reported(report: &Value, paused: &Value, resumed: &Value) {
    let first = &report["resources"]["pauses"][0];
    assert_eq!(first["why"], paused["why"], "{first}");
    let (told, reported) = (resumed["seconds"].as_f64().unwrap(), first["seconds"].as_f64().unwrap());
    assert!((told - reported).abs() < 0.1 && told > 1.0, "{told} {reported}");
}

async fn pair(options: &'static str) -> Servers {
    tokio::task::spawn_blocking(move || Servers::start_with(options)).await.unwrap()
}

async fn run(session: &mut MySqlConnection, sql: &str) {
    sqlx::raw_sql(AssertSqlSafe(sql.to_string())).execute(session).await.unwrap_or_else(|error| panic!("{error}\nin: {sql}"));
}

/// Waits for a condition that a query tells, for a minute.
async fn until(session: &mut MySqlConnection, sql: &str, column: &str, is: impl Fn(Option<i64>) -> bool) {
    let began = Instant::now();
    loop {
        let row = sqlx::raw_sql(AssertSqlSafe(sql.to_string())).fetch_one(&mut *session).await.unwrap();
        let bytes: Option<Vec<u8>> = row.try_get_unchecked(column).unwrap();
        let value = bytes.and_then(|bytes| String::from_utf8(bytes).unwrap().parse().ok());
        if is(value) {
            return;
        }
        assert!(began.elapsed() < Duration::from_secs(60), "{column} is {value:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

const THREE: &str = "CREATE TABLE t (id INT NOT NULL PRIMARY KEY);
CREATE TABLE busy (id INT NOT NULL PRIMARY KEY, v INT NOT NULL);
INSERT INTO t VALUES (1), (2), (3);
INSERT INTO busy VALUES (1, 0);
";

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_that_lags_is_waited_for_until_it_has_caught_up() {
    let (primary, replica) = tokio::join!(pair(""), pair(""));
    let written = MySqlDatabase::create_on(&primary.mysql, THREE).await;
    let to = PostgresDatabase::create_on(&primary.postgres, "").await;
    let threshold = "replica_lag = 2";
    // One that is no replica has no lag, and does not know that of others.
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("c.toml");
    std::fs::write(&config, format!("[run.pause]\n{threshold}\n")).unwrap();
    ferry(&["run", &written.url, &to.url, "-c", config.to_str().unwrap()])
        .code(2)
        .complains(&["the source is no replica", "does not know how far its own replicas are behind"]);

    let address = url::Url::parse(&primary.mysql).unwrap();
    let read = MySqlDatabase { url: format!("{}/{}", replica.mysql, written.name), name: written.name.clone() };
    let mut admin = <MySqlConnection as sqlx::Connection>::connect(&format!("{}/mysql", replica.mysql)).await.unwrap();
    run(&mut admin, "SET GLOBAL server_id = 2").await;
    let change = format!(
        "CHANGE MASTER TO MASTER_HOST = '127.0.0.1', MASTER_PORT = {}, MASTER_USER = 'test', MASTER_PASSWORD = 'secret', \
         MASTER_LOG_FILE = 'binlog.000001', MASTER_LOG_POS = 4, MASTER_DELAY = 0",
        address.port().unwrap()
    );
    run(&mut admin, &change).await;
    // The databases of the server itself are no concern of the test.
    run(&mut admin, &format!("SET GLOBAL replicate_wild_do_table = '{}.%'", written.name.replace('_', "\\_"))).await;
    run(&mut admin, "START SLAVE").await;
    let sql = format!("SELECT (SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA = '{}') AS n", written.name);
    until(&mut admin, &sql, "n", |n| n == Some(2)).await;
    run(&mut admin, "STOP SLAVE").await;
    run(&mut admin, "CHANGE MASTER TO MASTER_DELAY = 3600").await;
    run(&mut admin, "START SLAVE").await;
    written.run("UPDATE busy SET v = 1;\nINSERT INTO t VALUES (4);\n").await;
    until(&mut admin, "SHOW SLAVE STATUS", "Seconds_Behind_Master", |lag| lag.is_some_and(|lag| lag > 3)).await;

    let mut ferry = Run::start(&read.url, &to.url, threshold, &[]);
    let paused = ferry.hear("paused");
    let why = paused["why"].as_str().unwrap();
    assert!(why.contains("seconds that the source is behind its own source, where 2 are allowed"), "{why}");
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert!(ferry.lives(), "it waits");
    assert_eq!(to.value("SELECT count(*) FROM t").await.as_deref(), Some("0"));
    for sql in ["STOP SLAVE", "CHANGE MASTER TO MASTER_DELAY = 0", "START SLAVE"] {
        run(&mut admin, sql).await;
    }
    let resumed = ferry.hear("resumed");
    let (report, _) = ferry.end();
    is_reported(&report, &paused, &resumed);

    // Replication that a person has stopped is not waited for.
    run(&mut admin, "STOP SLAVE SQL_THREAD").await;
    written.run("INSERT INTO t VALUES (5);\n").await;
    let (said, report) = crate::support::ferry::ferry_with_report(&[
        "run",
        &read.url,
        &to.url,
        "-c",
        config.to_str().unwrap(),
        "--if-exists",
        "drop",
    ]);
    said.code(0);
    assert_eq!(report.unwrap()["resources"]["pauses"].as_array().map_or(0, Vec::len), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_undo_history_is_waited_for_until_it_is_purged() {
    let servers = pair("").await;
    let from = MySqlDatabase::create_on(&servers.mysql, THREE).await;
    let to = PostgresDatabase::create_on(&servers.postgres, "").await;
    // Somebody looks at an old state for long, and others write.
    let mut old = from.connect().await;
    run(&mut old, "START TRANSACTION WITH CONSISTENT SNAPSHOT").await;
    let mut writer = from.connect().await;
    for _ in 0..1500 {
        run(&mut writer, "UPDATE busy SET v = v + 1").await;
    }
    let mut ferry = Run::start(&from.url, &to.url, "history_length = 1000", &[]);
    let paused = ferry.hear("paused");
    let why = paused["why"].as_str().unwrap();
    assert!(why.contains("transactions in the source's undo history, where 1000 are allowed"), "{why}");
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(ferry.lives(), "it waits");
    run(&mut old, "COMMIT").await;
    let resumed = ferry.hear("resumed");
    let (report, _) = ferry.end();
    is_reported(&report, &paused, &resumed);

    // One that waiting does not shorten is waited for a minute, and no longer.
    run(&mut old, "START TRANSACTION WITH CONSISTENT SNAPSHOT").await;
    for _ in 0..1500 {
        run(&mut writer, "UPDATE busy SET v = v + 1").await;
    }
    let mut ferry = Run::start(&from.url, &to.url, "history_length = 1000", &["--if-exists", "drop"]);
    let paused = ferry.hear("paused");
    let resumed = ferry.hear("resumed");
    assert!(resumed["seconds"].as_f64().unwrap() > 55.0, "{resumed}");
    assert!(ferry.heard.iter().any(|line| line.contains("does not shrink while the run waits")), "{}", ferry.heard.join("\n"));
    let (report, _) = ferry.end();
    is_reported(&report, &paused, &resumed);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_that_lets_the_undo_history_grow_is_told() {
    let servers = pair("").await;
    let from = MySqlDatabase::create_on(&servers.mysql, super::SLOW).await;
    from.run("CREATE TABLE busy (id INT NOT NULL PRIMARY KEY, v INT NOT NULL);\nINSERT INTO busy VALUES (1, 0);\n").await;
    let to = PostgresDatabase::create_on(&servers.postgres, "").await;
    super::slow_chunks(&to).await;
    let line = ["run", &from.url, &to.url, "--chunk", "1MiB", "--jobs", "1"].map(String::from);
    let ferry = command(&line.each_ref().map(String::as_str)).spawn().unwrap();
    let began = Instant::now();
    let mut held = to.connect().await;
    while !sqlx::query_scalar::<_, i64>("SELECT count(*) FROM dbferry.receipts").fetch_one(&mut held).await.is_ok_and(|n| n > 0) {
        assert!(began.elapsed() < Duration::from_secs(60), "no receipt came");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    // The snapshot stays open for as long as the next chunk cannot be written.
    sqlx::raw_sql("BEGIN; LOCK TABLE keyless IN ACCESS EXCLUSIVE MODE").execute(&mut held).await.unwrap();
    let mut writer = from.connect().await;
    run(&mut writer, "BEGIN NOT ATOMIC FOR i IN 1..110000 DO UPDATE busy SET v = v + 1; END FOR; END").await;
    sqlx::raw_sql("COMMIT").execute(&mut held).await.unwrap();
    let said = tokio::task::spawn_blocking(move || crate::support::ferry::finish(ferry)).await.unwrap().code(0);
    let words = said.out.split_whitespace().collect::<Vec<_>>().join(" ");
    // D13: the history grew, and the report says so.
    assert!(words.contains("the source's undo history grew from ") && words.contains("Proven by digest"), "{}", said.out);
}

#[tokio::test(flavor = "multi_thread")]
async fn checkpoints_that_rows_force_are_waited_for() {
    // As small as the server takes it: the load itself forces checkpoints.
    let servers = pair("-c max_wal_size=64MB -c min_wal_size=32MB -c checkpoint_timeout=1h").await;
    let from = MySqlDatabase::create_on(
        &servers.mysql,
        "CREATE TABLE t (id INT NOT NULL PRIMARY KEY, v VARCHAR(1000) NOT NULL);
INSERT INTO t SELECT seq, REPEAT('x', 1000) FROM seq_1_to_45000;
ANALYZE TABLE t;
",
    )
    .await;
    let to = PostgresDatabase::create_on(&servers.postgres, "").await;
    let more = ["--chunk", "2MiB", "--jobs", "1", "--max-rate", "4MiB"];
    let mut ferry = Run::start(&from.url, &to.url, "checkpoints_per_minute = 0", &more);
    let paused = ferry.hear("paused");
    let why = paused["why"].as_str().unwrap();
    assert!(why.contains("checkpoints that were forced in the target within a minute, where 0 are allowed"), "{why}");
    tokio::time::sleep(Duration::from_secs(2)).await;
    // The chunk under way has ended.
    let before = to.value("SELECT count(*) FROM t").await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(to.value("SELECT count(*) FROM t").await, before);
    assert_ne!(before.as_deref(), Some("45000"));
    // A minute without one.
    let resumed = ferry.hear("resumed");
    assert!(resumed["seconds"].as_f64().unwrap() > 40.0, "{resumed}");
    let (report, _) = ferry.end();
    is_reported(&report, &paused, &resumed);
    assert_eq!(to.value("SELECT count(*) FROM t").await.as_deref(), Some("45000"));
}
