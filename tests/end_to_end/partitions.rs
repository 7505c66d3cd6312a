//! Tables with partitions: every row of every kind arrives in a plain table, and, where it is asked for, in partitions with the same bounds.

use super::renames::MappingFile;
use crate::support::ferry::{ferry, report, table};
use crate::support::{MySqlDatabase, PostgresDatabase};

const KINDS: &str = "CREATE TABLE by_range (id INT NOT NULL PRIMARY KEY) PARTITION BY RANGE (id) (PARTITION p0 VALUES LESS THAN (10), PARTITION p1 VALUES LESS THAN MAXVALUE);
CREATE TABLE by_list (id INT NOT NULL PRIMARY KEY) PARTITION BY LIST (id MOD 3) (PARTITION p0 VALUES IN (0), PARTITION p1 VALUES IN (1, 2));
CREATE TABLE by_hash (id INT NOT NULL PRIMARY KEY) PARTITION BY LINEAR HASH (id) PARTITIONS 4;
CREATE TABLE by_key (id VARCHAR(9) NOT NULL PRIMARY KEY) PARTITION BY KEY () PARTITIONS 3;
CREATE TABLE by_both (id INT NOT NULL, d DATE NOT NULL, PRIMARY KEY (id, d)) PARTITION BY RANGE (YEAR(d)) SUBPARTITION BY HASH (id) SUBPARTITIONS 2 (PARTITION p0 VALUES LESS THAN (2020), PARTITION p1 VALUES LESS THAN MAXVALUE);
INSERT INTO by_range VALUES (-5), (9), (10), (11);
INSERT INTO by_list VALUES (3), (4), (5);
INSERT INTO by_hash VALUES (1), (2), (3), (4), (5);
INSERT INTO by_key VALUES ('a'), ('b'), ('c'), ('d');
INSERT INTO by_both VALUES (1, '2019-12-31'), (2, '2020-01-01'), (3, '2021-06-01');
";

#[tokio::test]
async fn every_kind_arrives_as_a_plain_table_and_the_note_has_its_partitions() {
    let (from, to) = (MySqlDatabase::create(KINDS).await, PostgresDatabase::create("").await);
    let done = report(0, &["run", &from.url, &to.url, "--verify", "full"]);
    for (name, rows) in [("by_range", 4), ("by_list", 3), ("by_hash", 5), ("by_key", 4), ("by_both", 3)] {
        let entry = table(&done, name);
        assert_eq!((entry["outcome"].as_str(), entry["rows"].as_u64()), (Some("verified"), Some(rows)), "{entry:#}");
    }
    // C6: whatever parts the rows, one plain table has them, and the note has the partitions.
    assert_eq!(to.value("SELECT count(*) FROM pg_class WHERE relkind = 'p'").await.as_deref(), Some("0"));
    let problems = done["problems"].to_string().replace("\\\"", "\"");
    for says in [
        "PARTITION BY RANGE (`id`) (PARTITION `p0` VALUES LESS THAN (10), PARTITION `p1` VALUES LESS THAN MAXVALUE)",
        "VALUES IN (1,2)",
        "LINEAR HASH",
        "SUBPARTITION BY HASH",
        "Carried as one plain table; the source has 3 partitions",
    ] {
        assert!(problems.contains(says), "no `{says}` in {problems}");
    }
    // What has no like in the target stays plain, and says why.
    let file = MappingFile::new("[objects]\npartitions = \"translate\"\n");
    let plan = ferry(&["plan", &from.url, &to.url, "-m", &file.path(), "--if-exists", "drop"]).code(0);
    let words = plan.words();
    for why in
        ["LINEAR HASH is a way of the source alone", "KEY is a way", "partitions within partitions", "MOD 3 is not translated"]
    {
        assert!(words.to_lowercase().contains(&why.to_lowercase()), "no `{why}` in {words}");
    }
    from.drop().await;
    to.drop().await;
}

const PARTED: &str = "CREATE TABLE sales (id INT UNSIGNED NOT NULL AUTO_INCREMENT, day DATE NOT NULL, amount DECIMAL(8,2), state ENUM('a','b') NOT NULL, PRIMARY KEY (id, day), KEY by_amount (amount)) COMMENT 'parted'
  PARTITION BY RANGE (YEAR(day)) (PARTITION y19 VALUES LESS THAN (2020), PARTITION y20 VALUES LESS THAN (2021), PARTITION rest VALUES LESS THAN MAXVALUE);
CREATE TABLE visits (at DATETIME(3) NULL, n INT) PARTITION BY RANGE (TO_DAYS(at)) (PARTITION p0 VALUES LESS THAN (TO_DAYS('2020-03-01')), PARTITION p1 VALUES LESS THAN (TO_DAYS('2020-04-01')));
CREATE TABLE pairs (a INT NOT NULL, b DATE NOT NULL, v INT, PRIMARY KEY (a, b)) PARTITION BY RANGE COLUMNS (a, b) (PARTITION p0 VALUES LESS THAN (5, '2020-01-01'), PARTITION p1 VALUES LESS THAN (5, MAXVALUE), PARTITION p2 VALUES LESS THAN (MAXVALUE, MAXVALUE));
CREATE TABLE lists (k INT, v INT) PARTITION BY LIST (k) (PARTITION odd VALUES IN (1, 3), PARTITION nothing VALUES IN (NULL, 0));
CREATE TABLE lands (land VARCHAR(4) NOT NULL, v INT) PARTITION BY LIST COLUMNS (land) (PARTITION eu VALUES IN ('DE', 'FR', 'it''s'), PARTITION us VALUES IN ('US'));
CREATE TABLE words (w VARCHAR(9) NOT NULL PRIMARY KEY) PARTITION BY RANGE COLUMNS (w) (PARTITION p0 VALUES LESS THAN ('m'), PARTITION p1 VALUES LESS THAN (MAXVALUE));
INSERT INTO sales VALUES (1, '2019-12-31', 1.5, 'a'), (2, '2020-01-01', NULL, 'b'), (3, '2020-12-31', 3, 'a'), (40, '2021-01-01', 4, 'b');
INSERT INTO visits VALUES (NULL, 1), ('1999-01-01', 2), ('2020-02-29 23:59:59.999', 3), ('2020-03-01', 4), ('2020-03-31 23:59:59.999', 5);
INSERT INTO pairs VALUES (4, '2030-01-01', 1), (5, '2019-12-31', 2), (5, '2020-01-01', 3), (5, '9999-12-31', 4), (6, '1000-01-01', 5);
INSERT INTO lists VALUES (1, 1), (3, 2), (NULL, 3), (0, 4);
INSERT INTO lands VALUES ('DE', 1), ('de', 2), ('US', 3), ('it''s', 4);
INSERT INTO words VALUES ('a'), ('z');
";

/// The rows of a table by their partition: `sales_y19: 1, …`.
async fn parts(to: &PostgresDatabase, table: &str, key: &str) -> String {
    let sql = format!(
        "SELECT string_agg(part || ':' || keys, ' ' ORDER BY part) FROM (SELECT tableoid::regclass::text AS part, string_agg(coalesce({key}::text, '-'), ',' ORDER BY {key}) AS keys FROM {table} GROUP BY 1) x"
    );
    to.value(&sql).await.unwrap_or_default()
}

#[tokio::test]
async fn ranges_and_lists_become_partitions_of_the_same_bounds() {
    let (from, to) = (MySqlDatabase::create(PARTED).await, PostgresDatabase::create("").await);
    let file = MappingFile::new("[objects]\npartitions = \"translate\"\n");
    let ends = [from.url.as_str(), &to.url, "-m", &file.path(), "--verify", "full"].map(str::to_string);
    let run = |how: &str| {
        let ends: Vec<&str> = ends.iter().map(String::as_str).collect();
        report(0, &[&["run"], ends.as_slice(), &["--if-exists", how]].concat())
    };
    for how in ["error", "drop", "truncate"] {
        let done = run(how);
        for (name, rows) in [("sales", 4), ("visits", 5), ("pairs", 5), ("lists", 4), ("lands", 4), ("words", 2)] {
            let entry = table(&done, name);
            assert_eq!((entry["outcome"].as_str(), entry["rows"].as_u64()), (Some("verified"), Some(rows)), "{how}: {entry:#}");
        }
        assert_eq!(parts(&to, "sales", "id").await, "sales_rest:40 sales_y19:1 sales_y20:2,3", "{how}");
        assert_eq!(parts(&to, "visits", "n").await, "visits_default:1 visits_p0:2,3 visits_p1:4,5", "{how}");
        assert_eq!(parts(&to, "pairs", "v").await, "pairs_p0:1,2 pairs_p1:3,4 pairs_p2:5", "{how}");
        assert_eq!(parts(&to, "lists", "v").await, "lists_nothing:3,4 lists_odd:1,2", "{how}");
        // The source's collation takes 'de' for 'DE', the target's does not.
        assert_eq!(parts(&to, "lands", "v").await, "lands_default:2 lands_eu:1,4 lands_us:3", "{how}");
        assert_eq!(parts(&to, "words", "w").await, "words:a,z", "ranges of text stay plain");
    }
    let problems = run("truncate")["problems"].to_string();
    assert!(problems.contains("ranges of text follow the order of the source's collation"), "{problems}");
    assert!(problems.contains("Carried into 2 partitions of their own, and one more for NULL"), "{problems}");
    // Keys, numbers and indexes are those of the whole.
    to.refuses("INSERT INTO sales (id, day, state) VALUES (1, '2019-12-31', 'a')", "23505").await;
    to.run("INSERT INTO sales (day, state) VALUES ('2020-06-01', 'a')").await;
    assert_eq!(to.value("SELECT id FROM sales WHERE day = '2020-06-01'").await.as_deref(), Some("41"));
    assert_eq!(to.value("SELECT count(*) FROM pg_indexes WHERE indexdef LIKE '%(amount)%'").await.as_deref(), Some("4"));
    // A row that lies in the wrong hands is seen later.
    ferry(&["verify", &from.url, &to.url, "-m", &file.path()]).code(1).complains(&[]).prints(&["sales"]);
    to.run("DELETE FROM sales WHERE id = 41").await;
    ferry(&["verify", &from.url, &to.url, "-m", &file.path(), "--level", "full"]).code(0);
    // Rows added, and rows changed by their key.
    from.run("DELETE FROM visits; DELETE FROM lists; DELETE FROM lands; DELETE FROM pairs; DELETE FROM words;").await;
    let only = ["--include", "sales"];
    let ends: Vec<&str> = ends.iter().map(String::as_str).collect();
    from.run("UPDATE sales SET amount = 99 WHERE id = 3;\nINSERT INTO sales VALUES (50, '2020-05-05', 5, 'a');").await;
    ferry(&[&["run"], ends.as_slice(), &only, &["--if-exists", "upsert"]].concat()).code(0);
    assert_eq!(parts(&to, "sales", "id").await, "sales_rest:40 sales_y19:1 sales_y20:2,3,50");
    assert_eq!(to.value("SELECT amount FROM sales WHERE id = 3").await.as_deref(), Some("99.00"));
    from.run("UPDATE sales SET id = id + 100 WHERE id > 0;").await;
    ferry(&[&["run"], ends.as_slice(), &only, &["--if-exists", "append"]].concat()).code(0);
    assert_eq!(to.value("SELECT count(*) FROM sales").await.as_deref(), Some("10"));
    from.drop().await;
    to.drop().await;
}

#[tokio::test]
async fn large_partitions_are_read_again_in_pieces() {
    let from = MySqlDatabase::create(
        "CREATE TABLE big (id INT NOT NULL PRIMARY KEY, filler CHAR(200) NOT NULL) PARTITION BY RANGE (id) (PARTITION p0 VALUES LESS THAN (3000), PARTITION p1 VALUES LESS THAN (3001), PARTITION p2 VALUES LESS THAN (60000));
INSERT INTO big SELECT seq, REPEAT('x', seq % 200) FROM seq_1_to_40000;
",
    )
    .await;
    let to = PostgresDatabase::create("").await;
    let file = MappingFile::new("[[table]]\nname = \"big\"\npartitions = \"translate\"\n");
    let ends = ["run", &from.url, &to.url, "-m", &file.path(), "--chunk", "1MiB"].map(str::to_string);
    let ends: Vec<&str> = ends.iter().map(String::as_str).collect();
    let done = report(0, &ends);
    assert_eq!(table(&done, "big")["outcome"].as_str(), Some("verified"));
    assert_eq!(table(&done, "big")["rows"].as_u64(), Some(40_000));
    let rows = "SELECT string_agg(n::text, ' ' ORDER BY part) FROM (SELECT tableoid::regclass::text AS part, count(*) AS n FROM big GROUP BY 1) x";
    assert_eq!(to.value(rows).await.as_deref(), Some("2999 1 37000"));
    // One lost row of the last partition is found.
    to.run("DELETE FROM big WHERE id = 39999").await;
    ferry(&["verify", &from.url, &to.url, "-m", &file.path(), "--chunk", "1MiB"]).code(1);
    from.drop().await;
    to.drop().await;
}

#[tokio::test]
async fn what_the_target_cannot_part_stays_plain_or_is_refused_first() {
    let from = MySqlDatabase::create(PARTED).await;
    let to = PostgresDatabase::create("CREATE TABLE lists_odd (x int);").await;
    let plan = |rules: &str| {
        let file = MappingFile::new(rules);
        ferry(&["plan", &from.url, &to.url, "-m", &file.path()])
    };
    plan("[[table]]\nname = \"lists\"\npartitions = \"translate\"\n").code(1).prints(&["partition `public.lists_odd`"]);
    let said = plan(
        "[[table]]\nname = \"sales\"\npartitions = \"translate\"\n[table.columns.day]\nto = \"text\"\n[[table]]\nname = \"pairs\"\npartitions = \"translate\"\n[table.columns.b]\ndrop = true\n",
    )
    .code(0);
    let words = said.words();
    assert!(words.contains("its column `day` becomes `text`, whose bounds are others"), "{words}");
    assert!(words.contains("its column `b` is not carried as it is"), "{words}");
    from.drop().await;
    to.drop().await;
}

#[tokio::test]
async fn sequences_history_and_types_of_mariadb_are_carried_or_listed() {
    let from = MySqlDatabase::create(
        "CREATE TABLE kinds (id INT NOT NULL PRIMARY KEY, u UUID, four INET4, six INET6);
INSERT INTO kinds VALUES (1, '123e4567-e89b-12d3-a456-426614174000', '10.0.0.255', '2001:db8::ff00:42:8329'), (2, NULL, NULL, NULL), (3, 'ffffffff-ffff-ffff-ffff-ffffffffffff', '0.0.0.0', '::ffff:192.0.2.128');
CREATE TABLE prices (id INT NOT NULL PRIMARY KEY, v INT) WITH SYSTEM VERSIONING;
INSERT INTO prices VALUES (1, 1), (2, 2);
UPDATE prices SET v = 10 WHERE id = 1;
DELETE FROM prices WHERE id = 2;
CREATE TABLE aged (id INT NOT NULL PRIMARY KEY, v INT) WITH SYSTEM VERSIONING PARTITION BY SYSTEM_TIME (PARTITION old HISTORY, PARTITION young CURRENT);
INSERT INTO aged VALUES (1, 1), (2, 2);
DELETE FROM aged WHERE id = 2;
CREATE SEQUENCE numbers START WITH 500 INCREMENT BY 5 NOCACHE;
SELECT NEXTVAL(numbers);
",
    )
    .await;
    let to = PostgresDatabase::create("").await;
    let done = report(0, &["run", &from.url, &to.url, "--verify", "full"]);
    to.has_types("kinds", &[("u", "uuid"), ("four", "text"), ("six", "text")]).await;
    let rows = "SELECT string_agg(concat_ws('/', id, u, four, six), ' ' ORDER BY id) FROM kinds";
    let expected = "1/123e4567-e89b-12d3-a456-426614174000/10.0.0.255/2001:db8::ff00:42:8329 2 3/ffffffff-ffff-ffff-ffff-ffffffffffff/0.0.0.0/::ffff:192.0.2.128";
    assert_eq!(to.value(rows).await.as_deref(), Some(expected));
    assert_eq!(to.value("SELECT string_agg(id || '/' || v, ' ') FROM prices").await.as_deref(), Some("1/10"));
    assert_eq!(to.value("SELECT string_agg(id || '/' || v, ' ') FROM aged").await.as_deref(), Some("1/1"));
    let problems = done["problems"].to_string();
    assert!(problems.contains("SYSTEM_TIME"), "{problems}");
    // C5: rows of the past are counted.
    assert!(problems.contains("the rows of the past are not, 2 of them"), "{problems}");
    assert_eq!(to.value("SELECT nextval('numbers')").await.as_deref(), Some("505"));
    from.drop().await;
    to.drop().await;
}
