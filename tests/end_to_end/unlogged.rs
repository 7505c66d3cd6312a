//! Tables without a log while they are loaded: never by default, never resumed half-way, and like any others in the end.

use std::process::Stdio;

use crate::support::ferry::{command, ferry, finish};
use crate::support::{MySqlDatabase, PostgresDatabase};

const SHOP: &str = "CREATE TABLE customers (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, name VARCHAR(40) NOT NULL);
CREATE TABLE orders (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, customer INT NOT NULL, KEY (customer), CONSTRAINT of_customer FOREIGN KEY (customer) REFERENCES customers (id));
INSERT INTO customers VALUES (1, 'Ada'), (2, 'Bob');
INSERT INTO orders VALUES (1, 1), (2, 1), (3, 2);
";

const KINDS: &str = "SELECT string_agg(relname || ' ' || relpersistence::text, ', ' ORDER BY relname) FROM pg_class
     WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'";

#[cfg(debug_assertions)]
#[tokio::test]
async fn a_table_without_a_log_is_asked_for_told_and_never_resumed_with_rows() {
    let (from, to) = (MySqlDatabase::create(SHOP).await, PostgresDatabase::create("").await);
    let line = ["run", from.url.as_str(), &to.url];
    let killed = |line: &[&str], place: &str| {
        let mut command = command(line);
        finish(command.env("DBFERRY_FAILPOINT", place).stderr(Stdio::piped()).spawn().unwrap()).code(-1);
    };
    // D6: off by default.
    ferry(&["plan", &from.url, &to.url, "--format", "sql"]).code(0).never_says("UNLOGGED").never_says("SET LOGGED");
    killed(&line, "chunk-committed");
    assert_eq!(to.value(KINDS).await.as_deref(), Some("customers p, orders p"));
    ferry(&[&line[..], &["--resume"]].concat()).code(0);
    to.run("DROP TABLE orders, customers; DROP SCHEMA dbferry CASCADE").await;

    let line = [&line[..], &["--unlogged"]].concat();
    ferry(&[&["plan"], &line[1..]].concat()).code(0).prints(&["without a log", "cannot be resumed"]);
    ferry(&[&line[..], &["--verify", "none"]].concat()).code(2).complains(&["`unlogged`", "verification"]);
    killed(&line, "chunk-committed");
    assert_eq!(to.value(KINDS).await.as_deref(), Some("customers u, orders u"));
    // D6: rows without a log are never taken for carried ones.
    let resume = [&line[..], &["--resume"]].concat();
    ferry(&resume).code(2).complains(&["begun with `unlogged`", "dbferry abandon"]);
    let run = to.value("SELECT replace(run::text, '-', '') FROM dbferry.runs").await.unwrap();
    ferry(&["abandon", &run, &to.url, "--yes"]).code(0);

    // Before the first row, and once each table has its log, it may be gone on with.
    killed(&line, "snapshot-taken");
    ferry(&resume).code(0);
    to.run("DROP TABLE orders, customers; DROP SCHEMA dbferry CASCADE").await;
    killed(&line, "index-made:4");
    assert_eq!(to.value(KINDS).await.as_deref(), Some("customers p, orders p"));
    ferry(&resume).code(0).prints(&["Proven by digest", "are made without a log"]);
    let kinds = "SELECT string_agg(DISTINCT relpersistence::text, '') FROM pg_class WHERE relnamespace = 'public'::regnamespace";
    assert_eq!(to.value(kinds).await.as_deref(), Some("p"), "indexes and sequences too");
    from.drop().await;
    to.drop().await;
}
