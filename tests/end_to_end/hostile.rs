//! What a database of somebody else brought to light, each by the name of what went wrong.

use super::renames::MappingFile;
use crate::support::ferry::{ferry, report, table};
use crate::support::{MySqlDatabase, PostgresDatabase};

#[tokio::test]
async fn columns_with_the_names_of_system_columns_are_refused_before_anything_is_made() {
    let from = MySqlDatabase::create(
        "CREATE TABLE `select` (`from` INT NOT NULL PRIMARY KEY, `ctid` INT, `xmin` INT, `XMIN_` INT, `oid` INT, KEY (ctid));
INSERT INTO `select` VALUES (1, 2, 3, 4, 5);
",
    )
    .await;
    let to = PostgresDatabase::create("").await;
    let said = ferry(&["run", &from.url, &to.url]).code(2);
    said.complains(&[
        "select.ctid`: each table of the target has a system column `ctid`",
        "[table.columns.xmin]",
        "rename = \"xmin_\"",
    ]);
    assert_eq!(to.value("SELECT to_regclass('\"select\"')::text").await, None);
    let file = MappingFile::new(
        "[[table]]\nname = \"select\"\n[table.columns.ctid]\nrename = \"ctid_\"\n[table.columns.xmin]\nrename = \"xmin_\"\n",
    );
    report(0, &["run", &from.url, &to.url, "-m", &file.path(), "--verify", "full"]);
    to.holds("\"select\"", "true", &["\"from\"", "ctid_", "xmin_", "\"XMIN_\"", "oid"], "1, 2, 3, 4, 5").await;
    from.drop().await;
    to.drop().await;
}

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

#[tokio::test]
async fn rows_that_no_page_of_the_target_holds_are_told_before_they_move() {
    let columns = |native: &str, count: usize| (0..count).map(|at| format!("c{at} {native}")).collect::<Vec<_>>().join(", ");
    let from = MySqlDatabase::create(&format!(
        "CREATE TABLE times (id INT NOT NULL PRIMARY KEY, {});
CREATE TABLE numbers (id INT NOT NULL PRIMARY KEY, {});
INSERT INTO times VALUES (1{});
INSERT INTO numbers (id, c0, c899) VALUES (1, 18446744073709551615, 2), (2, NULL, NULL);
",
        columns("TIME NOT NULL", 600),
        columns("BIGINT UNSIGNED", 900),
        ", '30:00:00'".repeat(600),
    ))
    .await;
    let to = PostgresDatabase::create("").await;
    let said = ferry(&["run", &from.url, &to.url]).code(2);
    said.complains(&["`public.times`: its columns that are NOT NULL take 9632 bytes of a row at least, and a row of PostgreSQL has 8160 at most"]);
    assert_eq!(to.value("SELECT to_regclass('numbers')::text").await, None);
    // A time of day takes half as much, and what has room for few values only is a note.
    let set: Vec<String> = (0..600).map(|at| format!("c{at} = '12:00:00'")).collect();
    from.run(&format!("UPDATE times SET {}", set.join(", "))).await;
    let said = ferry(&["run", &from.url, &to.url, "--verify", "full"]).code(0);
    said.prints(&["table public.numbers: a row with a value in each of its 901 columns may take"]);
    to.holds("numbers", "id = 1", &["c0", "c1", "c899"], "18446744073709551615, NULL, 2").await;
    to.holds("times", "true", &["c0", "c599"], "'12:00', '12:00'").await;
    from.drop().await;
    to.drop().await;
}
