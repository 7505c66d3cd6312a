//! Connections that are lost on the way, and coordinators that meet: each row arrives once, or the run says that it did not.

use std::time::Duration;

use crate::support::ferry::{command, ferry, finish};
use crate::support::{MySqlDatabase, PostgresDatabase};

const MANY: &str = "
CREATE TABLE keyless (v VARCHAR(300) NOT NULL, w INT NOT NULL, KEY (w));
INSERT INTO keyless SELECT REPEAT(CHAR(65 + seq % 26), 250), seq DIV 10 FROM seq_1_to_60000;
ANALYZE TABLE keyless;
";

#[tokio::test(flavor = "multi_thread")]
async fn sessions_that_the_target_ends_cost_no_row_and_double_none() {
    let (from, to) = (MySqlDatabase::create(MANY).await, PostgresDatabase::create("").await);
    let mut admin = to.connect().await;
    let name = to.name.clone();
    let (stop, mut stopped) = tokio::sync::oneshot::channel::<()>();
    let killing = tokio::spawn(async move {
        let sql = format!(
            "SELECT count(pg_terminate_backend(pid)) FROM (SELECT pid FROM pg_stat_activity
             WHERE datname = '{name}' AND query ILIKE 'COPY%' AND state = 'active' LIMIT 1) AS x"
        );
        let mut killed = 0;
        while stopped.try_recv().is_err() && killed < 3 {
            killed += sqlx::query_scalar::<_, i64>(sqlx::AssertSqlSafe(sql.clone())).fetch_one(&mut admin).await.unwrap();
            tokio::time::sleep(Duration::from_millis(if killed > 0 { 150 } else { 5 })).await;
        }
        killed
    });
    let ends = ["run", &from.url, &to.url, "--chunk", "1MiB", "--jobs", "2"];
    let mut child = command(&ends);
    let said = tokio::task::spawn_blocking(move || finish(child.spawn().unwrap())).await.unwrap();
    // The receiver is gone when all three were ended before.
    let _ = stop.send(());
    let killed = killing.await.unwrap();
    assert!(killed > 0, "no session was ended");
    assert!([0, 3].contains(&said.code), "exit code {}\n{}\n{}", said.code, said.out, said.err);
    if said.code == 0 {
        assert!(said.err.contains("tried again"), "{}", said.err);
    }
    ferry(&[&ends[..], &["--resume"]].concat()).code(0).prints(&["Proven by digest", "60,000 rows"]);
    let rows = to.value("SELECT count(*) || ' ' || count(DISTINCT w) || ' ' || max(n) FROM (SELECT w, count(*) OVER (PARTITION BY w) AS n FROM keyless) x").await;
    assert_eq!(rows.as_deref(), Some("60000 6001 10"));
    from.drop().await;
    to.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_resumes_at_once_leave_each_row_once() {
    let (from, to) = (MySqlDatabase::create(MANY).await, PostgresDatabase::create("").await);
    let ends =
        vec!["run".to_string(), from.url.clone(), to.url.clone(), "--chunk".into(), "1MiB".into(), "--jobs".into(), "1".into()];
    let arguments: Vec<&str> = ends.iter().map(String::as_str).collect();
    let mut first = command(&arguments).spawn().unwrap();
    for _ in 0..2000 {
        let receipts =
            sqlx::query_scalar::<_, i64>("SELECT count(*) FROM dbferry.receipts").fetch_one(&mut to.connect().await).await;
        if receipts.is_ok_and(|receipts| receipts >= 1) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    first.kill().unwrap();
    first.wait().unwrap();
    let resume = |ends: Vec<String>| {
        tokio::task::spawn_blocking(move || {
            let arguments: Vec<&str> = ends.iter().map(String::as_str).chain(["--resume"]).collect();
            ferry(&arguments)
        })
    };
    let (one, two) = (resume(ends.clone()), resume(ends.clone()));
    let said = [one.await.unwrap(), two.await.unwrap()];
    // Which of them carries a chunk does not matter, and one of them may be sent away; but no row is there twice.
    let codes: Vec<i32> = said.iter().map(|said| said.code).collect();
    ferry(&[&arguments[..], &["--resume"]].concat()).code(0).prints(&["Proven by digest", "60,000 rows"]);
    let rows = to.value("SELECT count(*) || ' ' || count(DISTINCT w) FROM keyless").await;
    assert_eq!(rows.as_deref(), Some("60000 6001"), "exit codes {codes:?}");
    assert!(codes.iter().all(|code| [0, 1, 2, 3].contains(code)), "exit codes {codes:?}");
    from.drop().await;
    to.drop().await;
}
