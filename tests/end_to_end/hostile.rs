//! What a database of somebody else brought to light, each by the name of what went wrong.

use crate::support::ferry::{ferry, report, table};
use crate::support::{MySqlDatabase, PostgresDatabase};

#[tokio::test]
async fn chains_and_depths_of_expressions_neither_end_the_process_nor_spoil_the_stored_plan() {
    let chain: Vec<String> = (0..150).map(|number| format!("a <> {}", number + 1000)).collect();
    let nested = |levels: usize| format!("{}a{}", "coalesce(".repeat(levels), ",1)".repeat(levels));
    let from = MySqlDatabase::create(&format!(
        "CREATE TABLE c (id INT NOT NULL PRIMARY KEY, a INT, g INT AS ({}) STORED, h INT AS ({}) STORED, s BIGINT AS (a{}) STORED,
  CONSTRAINT all_of CHECK ({}), CONSTRAINT one_of CHECK (a IS NULL OR {}));
INSERT INTO c (id, a) VALUES (1, 5), (2, NULL), (3, -7);
",
        nested(10),
        nested(44),
        " + 1".repeat(200),
        chain.join(" and "),
        chain.join(" or "),
    ))
    .await;
    let to = PostgresDatabase::create("").await;
    let done = report(0, &["run", &from.url, &to.url, "--verify", "full"]);
    assert_eq!(table(&done, "c")["outcome"], "verified");
    to.holds("c", "id = 1", &["a", "g", "h", "s"], "5, 5, 5, 205").await;
    to.holds("c", "id = 2", &["a", "g", "h", "s"], "NULL, 1, 1, NULL").await;
    // The chains are carried whole, and the deep ones are columns of values.
    to.refuses("INSERT INTO c (id, a) VALUES (9, 1149)", "23514").await;
    let computed =
        "SELECT string_agg(attname, ',' ORDER BY attnum) FROM pg_attribute WHERE attrelid = 'c'::regclass AND attgenerated <> ''";
    assert_eq!(to.value(computed).await.as_deref(), Some("g"));
    // What the ledger keeps of it can be read again.
    ferry(&["verify", &from.url, &to.url, "--level", "full"]).code(0);
    ferry(&["status", &to.url]).code(0);
    from.drop().await;
    to.drop().await;
}

#[tokio::test]
async fn half_of_a_surrogate_pair_in_ucs2_is_found_before_a_row_moves() {
    let from = MySqlDatabase::create(
        "CREATE TABLE u (id INT NOT NULL PRIMARY KEY, v VARCHAR(20) CHARACTER SET ucs2);
INSERT INTO u VALUES (1, _ucs2 x'0061D8000062'), (2, _ucs2 x'D7FF65E5E000'), (3, 'é'), (4, NULL);
",
    )
    .await;
    let to = PostgresDatabase::create("").await;
    let said = ferry(&["run", &from.url, &to.url]).code(2);
    said.complains(&["u.v`: 1 text is not valid in its character set, for example where id = 1", "invalid_text = \"replace\""]);
    from.run("DELETE FROM u WHERE id = 1").await;
    report(0, &["run", &from.url, &to.url, "--verify", "full"]);
    to.holds("u", "id = 2", &["v"], "U&'\\D7FF\\65E5\\E000'").await;
    from.drop().await;
    to.drop().await;
}
