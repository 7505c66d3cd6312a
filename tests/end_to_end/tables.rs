//! Large tables, tables without keys, keys of every kind cut in chunks; and one instant for all of them.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::support::ferry::{ferry, report, table};
use crate::support::{MySqlDatabase, PostgresDatabase};

/// Tables that are cut in many chunks of the smallest size.
const SMALL_CHUNKS: [&str; 4] = ["--chunk", "1MiB", "--jobs", "4"];

#[tokio::test]
async fn two_hundred_thousand_rows_in_many_chunks_arrive_once_each() {
    let from = MySqlDatabase::create(
        "CREATE TABLE big (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, grp INT NOT NULL, amount DECIMAL(12,2), note VARCHAR(60), KEY (grp));
INSERT INTO big SELECT seq, seq % 97, seq / 100, CONCAT('note ', seq, ' ', REPEAT('x', seq % 40)) FROM seq_1_to_200000;
DELETE FROM big WHERE id BETWEEN 50000 AND 59999;
INSERT INTO big SELECT seq, 0, -1, NULL FROM seq_1000001_to_1010000;
ANALYZE TABLE big;
",
    )
    .await;
    let to = PostgresDatabase::create("").await;

    // A whole-number key is cut by the server's estimates, which differ from range to range; a walk along the index, which costs a
    // pass over it, would give all chunks the same.
    let plan = ferry(&[&["plan", &from.url, &to.url, "--format", "json"], &SMALL_CHUNKS[..]].concat()).code(0);
    let plan: serde_json::Value = serde_json::from_str(&plan.out).unwrap();
    let estimates: HashSet<u64> = plan["tables"][0]["chunks"]["chunks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|chunk| chunk["estimated_rows"].as_u64().unwrap())
        .collect();
    assert!(estimates.len() > 2, "the server's estimates are not read: {estimates:?}");

    let report = report(0, &[&["run", &from.url, &to.url], &SMALL_CHUNKS[..]].concat());
    let big = table(&report, "big");
    assert_eq!(big["rows"], 200_000);
    assert_eq!(big["consistency"], "one_instant");
    assert!(big["chunks"].as_u64() > Some(4), "{big:#}");
    to.holds(
        "(SELECT count(*) AS n, count(DISTINCT id) AS d, sum(grp) AS g, sum(amount) AS a, sum(length(note)) AS l FROM big) AS x",
        "true",
        &["n", "d", "g", "a", "l"],
        "(200000::bigint), 200000, (SELECT sum(s % 97) FROM generate_series(1, 200000) s WHERE s NOT BETWEEN 50000 AND 59999),
         (SELECT sum(s / 100.0) - 10000 FROM generate_series(1, 200000) s WHERE s NOT BETWEEN 50000 AND 59999),
         (SELECT sum(length('note ' || s || ' ' || repeat('x', s % 40))) FROM generate_series(1, 200000) s WHERE s NOT BETWEEN 50000 AND 59999)",
    )
    .await;
    let receipts = to.value("SELECT count(*) FROM dbferry.receipts").await;
    assert_eq!(receipts, Some(big["chunks"].to_string()));
    from.drop().await;
    to.drop().await;
}

#[tokio::test]
async fn tables_without_a_usable_key_arrive_with_their_duplicates() {
    let from = MySqlDatabase::create(
        "CREATE TABLE keyless (a INT, b VARCHAR(20));
INSERT INTO keyless SELECT seq % 7, CONCAT('b', seq % 3) FROM seq_1_to_5000;
INSERT INTO keyless VALUES (NULL, NULL), (NULL, NULL);
CREATE TABLE empty_one (id INT NOT NULL PRIMARY KEY, v TEXT);
CREATE TABLE empty_keyless (v TEXT);
CREATE TABLE by_enum (e ENUM('z','a','m') NOT NULL PRIMARY KEY);
INSERT INTO by_enum VALUES ('z'), ('a'), ('m');
CREATE TABLE old (id INT NOT NULL PRIMARY KEY, v CHAR(3)) ENGINE=MyISAM;
INSERT INTO old VALUES (1, 'a'), (2, 'b');
",
    )
    .await;
    let to = PostgresDatabase::create("").await;
    let report = report(0, &["run", &from.url, &to.url, "--verify", "full"]);
    let counts = [("keyless", 5002), ("empty_one", 0), ("empty_keyless", 0), ("by_enum", 3), ("old", 2)];
    for (name, rows) in counts {
        assert_eq!((&table(&report, name)["rows"], table(&report, name)["outcome"].as_str()), (&rows.into(), Some("verified")));
        assert_eq!(to.value(&format!("SELECT count(*) FROM {name}")).await, Some(rows.to_string()));
    }
    assert_eq!(table(&report, "old")["consistency"], "per_table");
    // K4: rows without a key arrive as often as they are there.
    let groups = "SELECT string_agg(n::text, ',' ORDER BY a, b) FROM (SELECT a, b, count(*) AS n FROM keyless GROUP BY a, b) x WHERE a < 1 OR a IS NULL";
    assert_eq!(to.value(groups).await.as_deref(), Some("238,238,238,2"));
    from.drop().await;
    to.drop().await;
}

#[tokio::test]
async fn composite_text_binary_and_temporal_keys_are_cut_without_losing_a_row() {
    let pad = "pad VARCHAR(200) NOT NULL DEFAULT ''";
    let from = MySqlDatabase::create(&format!(
        "CREATE TABLE composite (a INT NOT NULL, b VARCHAR(20) NOT NULL, c DATE NOT NULL, {pad}, PRIMARY KEY (a, b, c));
INSERT INTO composite SELECT CAST(seq % 5 AS SIGNED) - 2, CONCAT('k', seq DIV 3), '2020-01-01' + INTERVAL seq % 3 DAY, REPEAT('p', 150) FROM seq_1_to_12000;
CREATE TABLE ci (name VARCHAR(40) COLLATE utf8mb4_general_ci NOT NULL PRIMARY KEY, {pad});
INSERT INTO ci SELECT CONCAT(ELT(seq % 4 + 1, 'a', 'B', 'ä', '_'), IF(seq % 2, UPPER(HEX(seq)), LOWER(HEX(seq))), '\\'\"'), REPEAT('p', 150) FROM seq_1_to_12000;
CREATE TABLE bin (id BINARY(16) NOT NULL PRIMARY KEY, {pad});
INSERT INTO bin SELECT UNHEX(MD5(seq)), REPEAT('p', 150) FROM seq_1_to_12000;
CREATE TABLE moments (at DATETIME(6) NOT NULL PRIMARY KEY, {pad});
INSERT INTO moments SELECT '2020-01-01' + INTERVAL seq * 1000003 MICROSECOND, REPEAT('p', 150) FROM seq_1_to_12000;
CREATE TABLE huge (id BIGINT UNSIGNED NOT NULL PRIMARY KEY, {pad});
INSERT INTO huge SELECT 18446744073709551615 - seq * 1000000007, REPEAT('p', 150) FROM seq_1_to_12000;
CREATE TABLE signed_ids (id DECIMAL(20,4) NOT NULL PRIMARY KEY, {pad});
INSERT INTO signed_ids SELECT (CAST(seq AS SIGNED) - 6000) / 4, REPEAT('p', 150) FROM seq_1_to_12000;
CREATE TABLE nullable (k INT NULL, {pad}, KEY (k));
INSERT INTO nullable SELECT NULLIF(seq % 4000, 7), REPEAT('p', 150) FROM seq_1_to_12000;
ANALYZE TABLE composite, ci, bin, moments, huge, signed_ids, nullable;
"
    ))
    .await;
    let to = PostgresDatabase::create("").await;
    let report = report(0, &[&["run", &from.url, &to.url], &SMALL_CHUNKS[..]].concat());
    for name in ["composite", "ci", "bin", "moments", "huge", "signed_ids", "nullable"] {
        let entry = table(&report, name);
        assert_eq!((&entry["rows"], entry["outcome"].as_str()), (&12_000.into(), Some("verified")), "{name}");
        assert!(entry["chunks"].as_u64() > Some(1), "{name} was not cut: {entry:#}");
        assert_eq!(
            to.value(&format!("SELECT count(*) FROM (SELECT DISTINCT * FROM {name}) x")).await.as_deref(),
            Some(if name == "nullable" { "4000" } else { "12000" })
        );
    }
    from.drop().await;
    to.drop().await;
}

#[tokio::test]
async fn a_writer_who_moves_money_meanwhile_does_not_tear_the_totals() {
    let from = MySqlDatabase::create(
        "CREATE TABLE left_side (id INT NOT NULL PRIMARY KEY, money BIGINT NOT NULL, pad VARCHAR(200));
CREATE TABLE right_side (id INT NOT NULL PRIMARY KEY, money BIGINT NOT NULL, pad VARCHAR(200));
INSERT INTO left_side SELECT seq, 1000, REPEAT('p', 150) FROM seq_1_to_20000;
INSERT INTO right_side SELECT seq, 1000, REPEAT('p', 150) FROM seq_1_to_20000;
ANALYZE TABLE left_side, right_side;
",
    )
    .await;
    let to = PostgresDatabase::create("").await;
    let done = Arc::new(AtomicBool::new(false));
    let mut writers = Vec::new();
    for writer in 0..2u32 {
        let (done, mut connection) = (Arc::clone(&done), from.connect().await);
        writers.push(tokio::spawn(async move {
            let mut moves = 0u32;
            while !done.load(Ordering::Relaxed) {
                let (one, two) = (1 + (moves * 7919 + writer * 31) % 20_000, 1 + (moves * 104_729 + 3) % 20_000);
                let sql = format!(
                    "BEGIN; UPDATE left_side SET money = money - 1 WHERE id = {one}; UPDATE right_side SET money = money + 1 WHERE id = {two}; COMMIT"
                );
                // Two writers may meet in a deadlock: then neither half of this move has happened.
                if sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut connection).await.is_err() {
                    sqlx::raw_sql("ROLLBACK").execute(&mut connection).await.unwrap();
                }
                moves += 1;
            }
            moves
        }));
    }
    let (source, target) = (from.url.clone(), to.url.clone());
    let report = tokio::task::spawn_blocking(move || report(0, &[&["run", &source, &target], &SMALL_CHUNKS[..]].concat()));
    let report = report.await.unwrap();
    done.store(true, Ordering::Relaxed);
    let mut moves = 0;
    for writer in writers {
        moves += writer.await.unwrap();
    }
    assert!(moves > 20, "only {moves} moves were made: nothing was tried");
    for name in ["left_side", "right_side"] {
        assert_eq!(table(&report, name)["consistency"], "one_instant");
        assert!(table(&report, name)["chunks"].as_u64() > Some(1));
    }
    let total = "SELECT (SELECT sum(money) FROM left_side) + (SELECT sum(money) FROM right_side)";
    assert_eq!(to.value(total).await.as_deref(), Some("40000000"));
    // V4: compared within the run's own snapshot, both sides agree. The source has moved on since: a later comparison must see that.
    ferry(&["verify", &from.url, &to.url, "--level", "rows"]).code(0);
    ferry(&["verify", &from.url, &to.url]).code(1).prints(&["left_side", "DIFFERS"]);
    from.drop().await;
    to.drop().await;
}
