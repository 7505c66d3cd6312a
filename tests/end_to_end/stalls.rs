//! A run that waits for somebody else's lock ends by itself, says for what it waited, and goes on later.

use crate::support::ferry::ferry;
use crate::support::{MySqlDatabase, PostgresDatabase};

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_that_somebody_holds_in_the_target_is_named_and_the_run_goes_on_later() {
    let from = MySqlDatabase::create("CREATE TABLE t (id INT PRIMARY KEY); INSERT INTO t VALUES (1), (2);").await;
    let to = PostgresDatabase::create("CREATE TABLE t (id int PRIMARY KEY); CREATE TABLE mine (x int);").await;
    let mut holder = to.connect().await;
    sqlx::raw_sql("BEGIN; LOCK TABLE t IN SHARE MODE; SELECT count(*) FROM mine").execute(&mut holder).await.unwrap();
    let run = ["run", &from.url, &to.url, "--if-exists", "append", "--stall-timeout", "2"];
    let said = ferry(&run).code(3);
    said.complains(&["nothing has moved for", "waits for a lock that is held by", "SELECT count(*) FROM mine", "--resume"]);
    sqlx::raw_sql("COMMIT").execute(&mut holder).await.unwrap();
    ferry(&[&run[..], &["--resume"]].concat()).code(0).prints(&["Proven by digest"]);
    assert_eq!(to.value("SELECT count(*) FROM t").await.as_deref(), Some("2"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_busy_for_the_run_is_no_hang() {
    let from = MySqlDatabase::create("CREATE TABLE t (id INT PRIMARY KEY); INSERT INTO t VALUES (1);").await;
    let to = PostgresDatabase::create("").await;
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mapping = folder.path().join("m.toml");
    let busy = "DO $$ DECLARE till timestamptz := clock_timestamp() + interval '4 s'; BEGIN WHILE clock_timestamp() < till LOOP END LOOP; END $$";
    std::fs::write(&mapping, format!("[[hook]]\nwhen = \"before\"\nside = \"target\"\nsql = \"{busy}\"\n")).expect("written");
    let mapping = mapping.to_str().expect("the path is UTF-8");
    ferry(&["run", &from.url, &to.url, "-m", mapping, "--stall-timeout", "1"]).code(0);
}
