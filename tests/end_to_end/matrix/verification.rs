//! Rows V1 to V7: what verification sees.

use crate::end_to_end::renames::MappingFile;
use crate::support::ferry::{ferry, report, table};
use crate::support::{MySqlDatabase, PostgresDatabase};

/// One row of hard values, and for each column a value that is nearly the same.
const SUBTLE: &str = "
CREATE TABLE t (id INT NOT NULL PRIMARY KEY, c CHAR(5), s VARCHAR(20), accent VARCHAR(9), f DOUBLE, r FLOAT, n DECIMAL(12,4), ts DATETIME(6), at TIMESTAMP(6) NULL, d TIME(6), b VARBINARY(9), e ENUM('a','b'), bits BIT(9), j JSON, nothing VARCHAR(9), tiny TINYINT(1));
INSERT INTO t VALUES (1, 'ab', 'x', 'é', 0.1, 0.1, 1.0001, '2024-01-02 03:04:05.000001', '2024-01-02 03:04:05.000001', '-10:00:00.000001', x'00', 'a', b'000000001', '{\"a\": 1.10, \"b\": [1, 2]}', '', 1);
";
const NEARLY: [(&str, &str); 17] = [
    ("c", "'ab '"),
    ("s", "'x '"),
    ("s", "'X'"),
    ("accent", "U&'e\\0301'"),
    ("f", "0.1::float8 + 1e-17"),
    ("f", "0.10000000000000002"),
    ("r", "0.10000001::real"),
    ("n", "1.0002"),
    ("ts", "ts + '1 microsecond'"),
    ("at", "at + '1 microsecond'"),
    ("d", "d - '1 microsecond'::interval"),
    ("b", "'\\x0000'"),
    ("e", "'b'"),
    ("bits", "B'100000001'"),
    ("j", "'{\"a\": 1.11, \"b\": [1, 2]}'"),
    ("nothing", "NULL"),
    ("tiny", "NOT tiny"),
];

#[tokio::test]
async fn values_that_are_nearly_the_same_are_seen_and_what_is_declared_equal_is_not() {
    let from = MySqlDatabase::create(SUBTLE).await;
    let to = PostgresDatabase::create("").await;
    ferry(&["run", &from.url, &to.url, "--verify", "full"]).code(0);
    for (column, value) in NEARLY.iter().filter(|(_, value)| *value != "0.1::float8 + 1e-17") {
        if *column == "c" {
            // The column has no room for the blank, so it gets some.
            to.run("CREATE TABLE kept AS TABLE t; ALTER TABLE t ALTER c TYPE varchar(5)").await;
        } else {
            to.run("CREATE TABLE kept AS TABLE t").await;
        }
        to.run(&format!("UPDATE t SET {column} = {value}")).await;
        // V1: the count is the same, and no such value passes. V3: nothing is normalised away.
        ferry(&["verify", &from.url, &to.url, "--level", "rows"]).code(0).prints(&["values were not compared"]);
        let said = ferry(&["verify", &from.url, &to.url]);
        assert_eq!(said.code, 1, "V3: {column} = {value} is not seen:\n{}", said.out);
        to.run("TRUNCATE t; INSERT INTO t TABLE kept; DROP TABLE kept").await;
    }
    // V3: the one thing that is declared equal: white space, the order of keys and the spelling of numbers in JSON.
    to.run("UPDATE t SET j = '{\"b\":[1,2],\"a\":1.1}'").await;
    ferry(&["verify", &from.url, &to.url, "--level", "full"]).code(0);
    from.drop().await;
    to.drop().await;
}

#[tokio::test]
async fn verification_follows_the_mapping_and_the_snapshot() {
    let from = MySqlDatabase::create(
        "CREATE TABLE people (id INT NOT NULL PRIMARY KEY, name VARCHAR(20), born DATE, n INT, secret VARCHAR(20), tenant INT);
INSERT INTO people VALUES (1, 'Ann', '0000-00-00', 1, 'a', 1), (2, 'Bob', '2000-01-01', 2, 'b', 1), (3, 'Cid', NULL, 3, 'c', 2);
",
    )
    .await;
    let to = PostgresDatabase::create("").await;
    let rules = "[[table]]\nname = \"people\"\nto = \"users\"\nwhere = \"tenant = 1\"\n[table.columns.name]\nrename = \"full_name\"\nexpr = \"upper(name)\"\n\
         [table.columns.born]\nzero_date = \"null\"\n[table.columns.n]\nto = \"bigint\"\n[table.columns.secret]\ndrop = true\n";
    // The source moves on after the rows were read, and before they are compared.
    let hook = "[[hook]]\nwhen = \"after\"\nside = \"source\"\ntable = \"people\"\nsql = \"UPDATE people SET n = n + 100\"\n";
    let file = MappingFile::new(&format!("{rules}{hook}"));
    let done = report(0, &["run", &from.url, &to.url, "-m", &file.path(), "--verify", "full"]);
    // V4: compared with the instant that was read.
    assert_eq!(table(&done, "people")["outcome"], "verified", "{done:#}");
    assert_eq!(
        to.value("SELECT string_agg(u::text, ' ' ORDER BY id) FROM users u").await.as_deref(),
        Some("(1,ANN,,1,1) (2,BOB,2000-01-01,2,1)")
    );
    let plain = MappingFile::new(rules);
    ferry(&["verify", &from.url, &to.url, "-m", &plain.path()]).code(1).prints(&["DIFFERS"]);
    from.run("UPDATE people SET n = n - 100;\n").await;
    // V2: the same rules, conditions, names and policies as the run: no false difference, and no value that is left out.
    ferry(&["verify", &from.url, &to.url, "-m", &plain.path(), "--level", "full"]).code(0);
    for fault in ["full_name = 'Ann'", "born = '1970-01-01'", "n = 3"] {
        to.run(&format!("CREATE TABLE kept AS TABLE users; UPDATE users SET {fault} WHERE id = 1")).await;
        ferry(&["verify", &from.url, &to.url, "-m", &plain.path()]).code(1).prints(&["DIFFERS"]);
        to.run("TRUNCATE users; INSERT INTO users TABLE kept; DROP TABLE kept").await;
    }
    from.drop().await;
    to.drop().await;
}

#[tokio::test]
async fn every_difference_is_counted_and_named() {
    let tables: Vec<String> = (0..14).map(|number| format!("t{number:02}")).collect();
    let script: Vec<String> = tables
        .iter()
        .map(|name| {
            format!("CREATE TABLE {name} (id INT NOT NULL PRIMARY KEY, v INT, KEY {name}_v (v));\nINSERT INTO {name} VALUES (1, 1), (2, 2);\n")
        })
        .collect();
    let dates: Vec<String> = (0..1500).map(|number| format!("({number}, '0000-00-00')")).collect();
    let from = MySqlDatabase::create(&format!(
        "{}CREATE TABLE bad (id INT NOT NULL PRIMARY KEY, d DATE);\nINSERT INTO bad VALUES {};\n",
        script.concat(),
        dates.join(", ")
    ))
    .await;
    let to = PostgresDatabase::create("").await;
    let file = MappingFile::new("[[table]]\nname = \"bad\"\non_error = \"reject\"\nmax_rejects = 2000\n");
    let done = report(1, &["run", &from.url, &to.url, "-m", &file.path()]);
    // V7: all rejected rows are counted and kept, however many.
    assert_eq!(table(&done, "bad")["rejected"], 1500);
    assert_eq!(to.value("SELECT count(*) FROM dbferry.rejects").await.as_deref(), Some("1500"));
    let faults: Vec<String> =
        tables.iter().map(|name| format!("UPDATE {name} SET v = 9 WHERE id = 1; DROP INDEX {name}_v")).collect();
    to.run(&faults.join(";")).await;
    let later = report(1, &["verify", &from.url, &to.url, "--exclude", "bad"]);
    // V7: each table that differs is told, and the exit code says so. V6: what differs besides rows, too.
    for name in &tables {
        let entry = table(&later, name);
        let errors = entry["errors"].to_string();
        assert!(
            entry["outcome"] == "differs"
                && errors.contains("digest")
                && errors.contains(&format!("the index `{name}_v` is missing")),
            "{entry:#}"
        );
    }
    from.drop().await;
    to.drop().await;
}
