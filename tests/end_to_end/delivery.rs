//! What a snapshot promises, what it demands of the source, and what becomes of a source that is another by the time it is read.

use std::process::Child;
use std::time::Duration;

use sqlx::AssertSqlSafe;

use crate::support::ferry::{Said, command, finish, report, table};
#[cfg(debug_assertions)]
use crate::support::ferry::{asleep, signal};
use crate::support::{MySqlDatabase, PostgresDatabase};

#[cfg(debug_assertions)]
async fn gone_on(child: Child) -> Said {
    signal(&child, "CONT");
    tokio::task::spawn_blocking(move || finish(child)).await.unwrap()
}

#[tokio::test]
async fn a_table_outside_of_transactions_is_read_by_one_statement_and_told() {
    let from = MySqlDatabase::create(
        "CREATE TABLE old (id INT NOT NULL PRIMARY KEY, v VARCHAR(500) NOT NULL) ENGINE = MyISAM;
CREATE TABLE new (id INT NOT NULL PRIMARY KEY, v VARCHAR(500) NOT NULL);
INSERT INTO old SELECT seq, REPEAT('a', 450) FROM seq_1_to_6000;
INSERT INTO new SELECT seq, REPEAT('a', 450) FROM seq_1_to_6000;
ANALYZE TABLE old, new;
",
    )
    .await;
    let to = PostgresDatabase::create("").await;
    let report = report(0, &["run", &from.url, &to.url, "--chunk", "1MiB"]);
    // D2: one SELECT, whose table lock makes it one instant, where a transactional table of the same size is cut.
    assert_eq!((&table(&report, "old")["chunks"], table(&report, "old")["consistency"].as_str()), (&1.into(), Some("per_table")));
    assert_eq!(table(&report, "new")["consistency"], "one_instant");
    assert!(table(&report, "new")["chunks"].as_u64() > Some(2), "{report:#}");
    assert_eq!(to.value("SELECT count(*) FROM old").await.as_deref(), Some("6000"));
    from.drop().await;
    to.drop().await;
}

#[cfg(debug_assertions)]
#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_is_altered_after_the_snapshot_fails_and_no_column_shifts() {
    const TABLES: &str = "CREATE TABLE a (id INT NOT NULL PRIMARY KEY, v VARCHAR(20) NOT NULL, w VARCHAR(20) NOT NULL);
CREATE TABLE b (id INT NOT NULL PRIMARY KEY);
INSERT INTO a VALUES (1, 'v', 'w');
INSERT INTO b VALUES (1);
";
    let (from, to) = (MySqlDatabase::create(TABLES).await, PostgresDatabase::create("").await);
    let line = ["run", &from.url, &to.url];
    let child = asleep(command(&line), "snapshot-taken").await;
    from.run("ALTER TABLE a ADD COLUMN first INT FIRST, ALGORITHM = COPY;").await;
    let said = gone_on(child).await.code(1);
    // D11: the snapshot does not have the new form, and the server says so.
    said.prints(&["NOT PROVEN", "FAILED", "definition has changed"]);
    assert_eq!(to.value("SELECT count(*) FROM b").await.as_deref(), Some("1"), "the others arrive");
    assert_eq!(to.value("SELECT count(*) FROM a").await.as_deref(), Some("0"));
    to.drop().await;

    // What the server lets pass: another order of the columns, made without copying the table.
    let to = PostgresDatabase::create("").await;
    let child = asleep(command(&["run", &from.url, &to.url]), "snapshot-taken").await;
    from.run("ALTER TABLE a ADD COLUMN second INT FIRST, MODIFY w VARCHAR(20) NOT NULL AFTER id, ALGORITHM = INSTANT;").await;
    // D11: columns are asked for by name, so none shifts; and the report says that the table is another by now.
    gone_on(child).await.code(0).prints(&["Proven by digest", "altered in the source while", "`second`"]);
    assert_eq!(to.value("SELECT a::text FROM a").await.as_deref(), Some("(,1,v,w)"));
    to.drop().await;

    // D11: between the plan and the snapshot, the tables are compared once more.
    let to = PostgresDatabase::create("").await;
    let line = ["run", &from.url, &to.url];
    let child = asleep(command(&line), "table-made").await;
    from.run("ALTER TABLE a DROP COLUMN first;").await;
    gone_on(child).await.code(3).complains(&["the tables of the source have changed since the plan was made"]);
    assert_eq!(to.value("SELECT count(*) FROM a").await.as_deref(), Some("0"));
    from.drop().await;
    to.drop().await;
}

#[cfg(debug_assertions)]
#[tokio::test(flavor = "multi_thread")]
async fn the_source_is_let_go_as_soon_as_its_rows_are_read_and_counted() {
    let from =
        MySqlDatabase::create("CREATE TABLE a (id INT NOT NULL PRIMARY KEY, v INT, KEY (v));\nINSERT INTO a VALUES (1, 1);")
            .await;
    let to = PostgresDatabase::create("").await;
    let child = asleep(command(&["run", &from.url, &to.url]), "source-counted").await;
    // D13: no transaction of ours keeps old versions of rows or locks on tables while indexes are built and the target is verified.
    let open = format!(
        "SELECT CAST(COUNT(*) AS CHAR) FROM information_schema.INNODB_TRX JOIN information_schema.PROCESSLIST ON ID = trx_mysql_thread_id WHERE DB = '{}'",
        from.name
    );
    let open: String = sqlx::query_scalar(AssertSqlSafe(open)).fetch_one(&mut from.connect().await).await.unwrap();
    assert_eq!(open, "0");
    let altered = from.run("ALTER TABLE a ADD COLUMN w INT;");
    tokio::time::timeout(Duration::from_secs(5), altered).await.expect("no metadata lock is left");
    gone_on(child).await.code(0).prints(&["Proven by digest"]);
    from.drop().await;
    to.drop().await;
}
