//! Ctrl-C and SIGTERM in each phase, while the target makes the run wait: it ends within seconds, says how to go on, and can.

use std::time::{Duration, Instant};

use dbferry::failpoint as at;
use sqlx::{AssertSqlSafe, Connection};

use crate::support::ferry::{asleep, command, ferry, finish, signal};
use crate::support::{MySqlDatabase, PostgresDatabase};

const SOURCE: &str = "CREATE TABLE t (id INT NOT NULL PRIMARY KEY, v INT NOT NULL, KEY by_v (v));
INSERT INTO t SELECT seq, seq DIV 2 FROM seq_1_to_1000;
";

/// Longer than anything that ends by itself.
const PATIENCE: Duration = Duration::from_secs(8);

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_waits_ends_within_seconds_in_each_phase() {
    let from = MySqlDatabase::create(SOURCE).await;
    let lock = "LOCK TABLE public.t IN ACCESS EXCLUSIVE MODE";
    let phases: [(&str, &str, &[&str], i32); 7] = [
        (at::TABLE_BEFORE, "CREATE TABLE public.t (x int)", &["INT"], 130),
        (at::CHUNK_CLAIMED, lock, &["INT"], 130),
        (at::CHUNK_CLAIMED, lock, &["TERM"], 143),
        (at::CHUNK_CLAIMED, lock, &["INT", "INT"], 130),
        (at::INDEX_BEFORE, lock, &["INT"], 130),
        (at::ANALYZE_BEFORE, lock, &["TERM"], 143),
        (at::VERIFY_BEFORE, lock, &["INT"], 130),
    ];
    for (place, sql, signals, code) in phases {
        let to = PostgresDatabase::create("").await;
        let line = ["run", &from.url, &to.url];
        let child = asleep(command(&line), place).await;
        let mut blocker = to.connect().await;
        sqlx::raw_sql(AssertSqlSafe(format!("BEGIN; {sql}"))).execute(&mut blocker).await.unwrap();
        signal(&child, "CONT");
        let waits = format!("SELECT count(*) FROM pg_stat_activity WHERE datname = '{}' AND wait_event_type = 'Lock'", to.name);
        let began = Instant::now();
        while to.value(&waits).await.as_deref() == Some("0") {
            assert!(began.elapsed() < Duration::from_secs(20), "nothing waits after {place}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let began = Instant::now();
        for name in signals {
            signal(&child, name);
        }
        let said = tokio::task::spawn_blocking(move || finish(child)).await.unwrap();
        assert!(began.elapsed() < PATIENCE, "{place}: it took {:?}", began.elapsed());
        let said = said.code(code);
        if signals.len() == 1 {
            said.complains(&["stopping", "--resume"]);
        }
        blocker.close().await.unwrap();
        ferry(&[&line[..], &["--resume"]].concat()).code(0).prints(&["Proven by digest", "1,000 rows"]);
        assert_eq!(
            to.value("SELECT count(*) || ' ' || count(DISTINCT id) FROM t").await.as_deref(),
            Some("1000 1000"),
            "{place}"
        );
        to.drop().await;
    }
    from.drop().await;
}
