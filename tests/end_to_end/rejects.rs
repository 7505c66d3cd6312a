//! Rows that cannot be carried: kept whole in the ledger while the others arrive, listed, exported, and sent again.

use std::time::Duration;

use serde_json::Value;

use super::renames::MappingFile;
use crate::support::ferry::{command, ferry, ferry_with_report, finish, report, table};
use crate::support::{MySqlDatabase, PostgresDatabase};

/// 30,000 rows in several chunks; every thousandth is hostile: in decoding, in casting, or in encoding.
const MANY: &str =
    "CREATE TABLE many (id INT NOT NULL PRIMARY KEY, d DATE, n INT, t VARCHAR(250), s VARCHAR(10) CHARACTER SET sjis);
INSERT INTO many SELECT seq, '2024-01-01', 7, REPEAT('x', 240), '日' FROM seq_1_to_30000;
UPDATE many SET d = '0000-00-00' WHERE id % 3000 = 0;
UPDATE many SET n = 70000 WHERE id % 3000 = 1000;
UPDATE many SET t = 'a\\0b' WHERE id % 3000 = 2000;
UPDATE many SET s = x'8540' WHERE id = 9;
ANALYZE TABLE many;
CREATE TABLE good (id INT NOT NULL PRIMARY KEY);
INSERT INTO good VALUES (1), (2);
";

const REJECTING: &str = "[[table]]\nname = \"many\"\non_error = \"reject\"\n[table.columns.n]\nto = \"smallint\"\n";

#[tokio::test]
async fn rejected_rows_are_kept_whole_and_sent_again_under_a_corrected_mapping() {
    let from = MySqlDatabase::create(MANY).await;
    let to = PostgresDatabase::create("").await;
    let file = MappingFile::new(REJECTING);
    let ends = ["run", &from.url, &to.url, "-m", &file.path(), "--chunk", "1MiB", "--verify", "full"];
    let (said, done) = ferry_with_report(&ends);
    said.code(1).prints(&["REJECTS", "NOT PROVEN: 31 rows of 1 of 2 tables were rejected", "dbferry rejects "]);
    let done = done.unwrap();
    let many = table(&done, "many");
    // D8: exit code 1, each rejected row counted and kept.
    assert_eq!(
        (many["outcome"].as_str(), many["rows"].as_u64(), many["rejected"].as_u64()),
        (Some("rejected"), Some(29_969), Some(31))
    );
    assert!(many["chunks"].as_u64().unwrap() > 3, "{many:#}");
    assert_eq!(table(&done, "good")["outcome"], "verified");
    assert_eq!(to.value("SELECT count(*) FROM many").await.as_deref(), Some("29969"));
    assert_eq!(to.value("SELECT count(*) FROM many WHERE id % 1000 = 0 OR id = 9").await.as_deref(), Some("0"));
    assert_eq!(to.value("SELECT count(*) FROM dbferry.rejects").await.as_deref(), Some("31"));
    // A later verification expects all other rows, and says so; each rejected row must be in the source as it was.
    let run = done["run"].as_str().unwrap();
    for level in ["rows", "digest", "full"] {
        let (said, later) = ferry_with_report(&["verify", &from.url, &to.url, "-m", &file.path(), "--level", level]);
        let said = said.code(1).prints(&[
            &format!("verify of run {run}, dbferry"),
            "NOT PROVEN: 31 rows of 1 of 2 tables were rejected; 0 did not arrive in full, 0 differ, 1 agree",
            &format!("`dbferry rejects {run} TARGET` lists them"),
        ]);
        let words = said.words();
        assert!(
            words.contains(&format!("31 of its rows were rejected, as the ledger says of run {run}: they are not expected")),
            "{words}"
        );
        let later = later.unwrap();
        let many = table(&later, "many");
        assert_eq!(
            (later["run"].as_str(), many["outcome"].as_str(), many["rows"].as_u64(), many["rejected"].as_u64()),
            (Some(run), Some("rejected"), Some(29_969), Some(31)),
            "{many:#}"
        );
    }
    from.run("UPDATE many SET t = 'ab' WHERE id = 2000;").await;
    let said = ferry(&["verify", &from.url, &to.url, "-m", &file.path()]).code(1);
    let words = said.words();
    assert!(words.contains("30 of them are in the source as they were") && words.contains("1 differ"), "{words}");
    from.run("UPDATE many SET t = 'a\\0b' WHERE id = 2000;\nUPDATE many SET d = '0000-00-00' WHERE id = 5;").await;
    // One that cannot be read, and was not rejected, is no part of what the ledger says.
    let said = ferry(&["verify", &from.url, &to.url, "-m", &file.path()]).code(1);
    assert!(said.out.contains("(id = 5)") && said.out.contains("zero date"), "{}", said.out);
    from.run("UPDATE many SET d = '2024-01-01' WHERE id = 5;").await;
    // With the key built, since the table is there.
    to.refuses("INSERT INTO many (id) VALUES (1)", "23505").await;

    // Listed with table, column, key and reason; exported with every byte.
    let run = done["run"].as_str().unwrap();
    let listed = ferry(&["rejects", run, &to.url]).code(0);
    assert_eq!(listed.out.lines().count(), 31);
    listed.prints(&[
        "public.many.d  (id = 3000)  the zero date 0000-00-00",
        "public.many.n  (id = 1000)  70000 is out of range for int16",
        "public.many.t  (id = 2000)  the text holds the character U+0000",
        "public.many.s  (id = 9)  the text has bytes that are no characters",
    ]);
    assert_eq!(ferry(&["rejects", &to.url]).code(0).out.lines().count(), 31);
    let folder = tempfile::tempdir().unwrap();
    let export = |name: &str| folder.path().join(name).to_str().unwrap().to_string();
    ferry(&["rejects", run, &to.url, "--export", &export("r.json")]).code(0);
    let rows: Value = serde_json::from_str(&std::fs::read_to_string(export("r.json")).unwrap()).unwrap();
    let rows = rows.as_array().unwrap();
    let of = |key: &str| rows.iter().find(|row| row["key"] == key).unwrap();
    let bytes = |row: &Value, at: usize| row["row"]["columns"][at]["bytes"].clone();
    assert_eq!(bytes(of("(id = 2000)"), 3)[0], "610062");
    assert_eq!(bytes(of("(id = 3000)"), 1)[0], "00", "the zero date is one byte of length on the wire");
    // What the server cannot convert is kept in its own coding too.
    assert_eq!(bytes(of("(id = 9)"), 4)[2], "8540");
    ferry(&["rejects", run, &to.url, "--export", &export("r.parquet")]).code(0);
    let parquet = std::fs::File::open(export("r.parquet")).unwrap();
    let reader = parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder::try_new(parquet).unwrap().build().unwrap();
    assert_eq!(reader.map(|batch| batch.unwrap().num_rows()).sum::<usize>(), 31);
    ferry(&["rejects", run, &to.url, "--export", &export("r.csv")]).code(2).complains(&["told by the name"]);

    // A mapping that settles some of them sends those, and says what is left.
    let some = MappingFile::new(&format!("{REJECTING}out_of_range = \"clamp\"\n[table.columns.d]\nzero_date = \"null\"\n"));
    ferry(&["retry-rejects", run, &to.url, "-m", &some.path()])
        .code(1)
        .complains(&["20 rows were sent again, 11 are still rejected", "U+0000"])
        .prints(&["11 rows of 1 of 2 tables were rejected"]);
    assert_eq!(to.value("SELECT count(*) FROM dbferry.rejects").await.as_deref(), Some("11"));
    assert_eq!(to.value("SELECT string_agg(state, ' ') FROM dbferry.runs").await.as_deref(), Some("failed"));
    // One that makes another table is refused.
    let other = MappingFile::new("[[table]]\nname = \"many\"\n");
    ferry(&["retry-rejects", run, &to.url, "-m", &other.path()]).code(2).complains(&["another table than the one that stands"]);

    // The source is not needed for it.
    from.run("RENAME TABLE many TO elsewhere").await;
    let all = MappingFile::new(&format!(
        "{REJECTING}out_of_range = \"clamp\"\n[table.columns.d]\nzero_date = \"null\"\n[table.columns.t]\nnul_byte = \"strip\"\n[table.columns.s]\ninvalid_text = \"replace\"\n"
    ));
    let settled = report(0, &["retry-rejects", run, &to.url, "-m", &all.path()]);
    let many = table(&settled, "many");
    assert_eq!((many["outcome"].as_str(), many["rows"].as_u64(), many.get("rejected")), (Some("verified"), Some(30_000), None));
    let losses: Vec<String> =
        many["losses"].as_array().unwrap().iter().map(|loss| format!("{} {}", loss["kind"], loss["count"])).collect();
    assert_eq!(losses, ["\"zero_date\" 10", "\"out_of_range\" 10", "\"invalid_text\" 1", "\"nul_byte\" 10"]);
    to.holds("many", "id = 3000", &["d", "n", "t"], "NULL, 7, repeat('x', 240)").await;
    to.holds("many", "id = 1000", &["d", "n"], "'2024-01-01', 32767").await;
    to.holds("many", "id = 2000", &["t"], "'ab'").await;
    assert_eq!(to.value("SELECT string_agg(state, ' ') FROM dbferry.runs").await.as_deref(), Some("done"));
    assert_eq!(to.value("SELECT count(*) FROM dbferry.rejects").await.as_deref(), Some("0"));
    // The ledger's receipts add up to the rows, and a later verification with that mapping agrees.
    assert_eq!(to.value("SELECT sum(rows) FROM dbferry.receipts").await.as_deref(), Some("30002"));
    from.run("RENAME TABLE elsewhere TO many").await;
    report(0, &["verify", &from.url, &to.url, "-m", &all.path(), "--level", "full"]);
    // A second time there is nothing to do.
    ferry(&["retry-rejects", run, &to.url, "-m", &all.path()]).code(0).complains(&["0 rows were sent again"]);
    from.drop().await;
    to.drop().await;
}

#[tokio::test]
async fn losses_of_rejected_rows_are_not_counted_and_neither_are_rows_a_condition_leaves_out() {
    let from = MySqlDatabase::create(
        "CREATE TABLE r (id INT NOT NULL PRIMARY KEY, d DATE, e DATE, n INT, u SET('a','b'));
INSERT INTO r VALUES (1, '0000-00-00', NULL, 70000, 'a,b'), (2, '0000-00-00', NULL, 1, 'a'), (3, '0000-00-00', NULL, 1, ''), (4, NULL, '0000-00-00', 1, 'b'), (5, NULL, '0000-00-00', 99, 'b');
",
    )
    .await;
    let to = PostgresDatabase::create("").await;
    let file = MappingFile::new(
        "[[table]]\nname = \"r\"\non_error = \"reject\"\nsource_where = \"n <> 99\"\n[table.columns.d]\nzero_date = \"null\"\n[table.columns.n]\nto = \"smallint\"\n",
    );
    let done = report(1, &["run", &from.url, &to.url, "-m", &file.path()]);
    let entry = table(&done, "r");
    assert_eq!(
        (entry["outcome"].as_str(), entry["rows"].as_u64(), entry["rejected"].as_u64()),
        (Some("rejected"), Some(2), Some(2))
    );
    assert_eq!(entry["losses"][0]["count"], 2, "{entry:#}");
    to.holds("r", "id = 2", &["d", "u"], "NULL, ARRAY['a']").await;
    from.drop().await;
    to.drop().await;
}

#[tokio::test]
async fn a_killed_run_rejects_each_row_once() {
    let from = MySqlDatabase::create(MANY).await;
    let to = PostgresDatabase::create("").await;
    let file = MappingFile::new(REJECTING);
    let path = file.path();
    let ends = ["run", &from.url, &to.url, "-m", &path, "--chunk", "1MiB", "--jobs", "1"];
    let receipts = "SELECT count(*) FROM dbferry.receipts WHERE rows IS NOT NULL";
    let mut killed = command(&ends).spawn().unwrap();
    let some = async {
        loop {
            let stands = to.value("SELECT to_regclass('dbferry.receipts') IS NOT NULL").await;
            if stands.as_deref() == Some("true") && to.value(receipts).await.is_some_and(|count| count != "0") {
                break;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), some).await.expect("a chunk arrives");
    killed.kill().unwrap();
    finish(killed);
    let done = report(1, &[&ends[..], &["--resume"]].concat());
    assert_eq!((table(&done, "many")["rows"].as_u64(), table(&done, "many")["rejected"].as_u64()), (Some(29_969), Some(31)));
    assert_eq!(to.value("SELECT count(*) || ' ' || count(DISTINCT key) FROM dbferry.rejects").await.as_deref(), Some("31 31"));
    from.drop().await;
    to.drop().await;
}

#[tokio::test]
async fn too_many_rejects_and_the_target_own_refusals_fail_the_table() {
    let from = MySqlDatabase::create(
        "CREATE TABLE a (id INT NOT NULL PRIMARY KEY, d DATE);
INSERT INTO a VALUES (1, '0000-00-00'), (2, '0000-00-00'), (3, '2024-01-01'), (4, '0000-00-00');
CREATE TABLE b (id INT NOT NULL PRIMARY KEY, n INT);
INSERT INTO b VALUES (1, 5), (2, 6);
",
    )
    .await;
    let to = PostgresDatabase::create("CREATE TABLE b (id int PRIMARY KEY, n int CHECK (n < 6))").await;
    let file = MappingFile::new("[[table]]\nname = \"a\"\nmax_rejects = 2\n");
    let config = format!(
        "[source]\nurl = \"{}\"\n[target]\nurl = \"{}\"\n[run]\nmapping = \"m.toml\"\non_error = \"reject\"\nif_exists = \"append\"\n",
        from.url, to.url
    );
    let path = std::path::Path::new(&file.path()).with_file_name("c.toml");
    std::fs::write(&path, config).unwrap();
    // The probe would have told.
    ferry(&["run", "-c", path.to_str().unwrap()]).code(2).complains(&["3 values are zero dates", "`max_rejects` allows 2"]);
    let done = report(1, &["run", "-c", path.to_str().unwrap(), "--probe", "off"]);
    let (a, b) = (table(&done, "a"), table(&done, "b"));
    assert!(a["errors"][0].as_str().unwrap().contains("more than 2 rows cannot be carried (`max_rejects`)"), "{a:#}");
    assert_eq!((a["outcome"].as_str(), b["outcome"].as_str()), (Some("failed"), Some("failed")));
    assert!(b["errors"][0].as_str().unwrap().contains("b_n_check"), "{b:#}");
    assert_eq!(to.value("SELECT count(*) FROM dbferry.rejects").await.as_deref(), Some("0"));
    from.drop().await;
    to.drop().await;
}

#[tokio::test]
async fn rows_that_may_not_be_kept_are_refused_before_anything_is_made() {
    let from = MySqlDatabase::create(
        "CREATE TABLE p (id INT NOT NULL PRIMARY KEY, mail VARCHAR(40));
INSERT INTO p VALUES (1, 'a@b');
",
    )
    .await;
    let to = PostgresDatabase::create("").await;
    let file = MappingFile::new("[[table]]\nname = \"p\"\non_error = \"reject\"\n[table.columns.mail]\nmask = \"redact\"\n");
    ferry(&["run", &from.url, &to.url, "-m", &file.path()])
        .code(2)
        .complains(&["the table has masked columns", "on_error = \"stop\""]);
    let folder = tempfile::tempdir().unwrap();
    let parquet = format!("parquet://{}", folder.path().join("out").display());
    let file = MappingFile::new("[[table]]\nname = \"p\"\non_error = \"reject\"\n");
    ferry(&["run", &from.url, &parquet, "-m", &file.path()]).code(2).complains(&["the ledger of this target keeps no rows"]);
    from.drop().await;
    to.drop().await;
}

#[tokio::test]
async fn a_foreign_key_that_misses_a_rejected_row_is_made_once_the_row_is_there() {
    let from = MySqlDatabase::create(
        "CREATE TABLE parent (id INT NOT NULL PRIMARY KEY, d DATE);
CREATE TABLE child (id INT NOT NULL PRIMARY KEY, parent_id INT, CONSTRAINT of_parent FOREIGN KEY (parent_id) REFERENCES parent (id));
INSERT INTO parent VALUES (1, '2024-01-01'), (2, '0000-00-00');
INSERT INTO child VALUES (1, 1), (2, 2);
",
    )
    .await;
    let to = PostgresDatabase::create("").await;
    let file = MappingFile::new("[[table]]\nname = \"parent\"\non_error = \"reject\"\n");
    let done = report(1, &["run", &from.url, &to.url, "-m", &file.path()]);
    assert_eq!(
        (table(&done, "parent")["outcome"].as_str(), table(&done, "child")["outcome"].as_str()),
        (Some("rejected"), Some("failed"))
    );
    let file = MappingFile::new("[[table]]\nname = \"parent\"\n[table.columns.d]\nzero_date = \"-infinity\"\n");
    let settled = report(0, &["retry-rejects", done["run"].as_str().unwrap(), &to.url, "-m", &file.path()]);
    assert_eq!(table(&settled, "child")["outcome"], "verified");
    to.holds("parent", "id = 2", &["d"], "'-infinity'").await;
    assert_eq!(to.value("SELECT convalidated FROM pg_constraint WHERE conname = 'of_parent'").await.as_deref(), Some("true"));
    from.drop().await;
    to.drop().await;
}

#[tokio::test]
async fn rows_of_merged_tables_are_sent_again_as_their_own_table_has_them() {
    let from = MySqlDatabase::create(
        "CREATE TABLE orders_eu (id INT NOT NULL PRIMARY KEY, d DATE);
CREATE TABLE orders_us (id INT NOT NULL PRIMARY KEY, d DATE);
INSERT INTO orders_eu VALUES (1, '2024-01-01'), (2, '0000-00-00');
INSERT INTO orders_us VALUES (1, '0000-00-00'), (2, '2024-01-02'), (3, NULL);
",
    )
    .await;
    let to = PostgresDatabase::create("").await;
    let rule = |more: &str| {
        MappingFile::new(&format!(
            "[[table]]\nmatch = \"orders_(.*)\"\nto = \"orders\"\nmerge = true\non_error = \"reject\"\n{more}\n[table.columns.region]\nexpr = \"'$1'\"\nkey = true\n"
        ))
    };
    let file = rule("");
    let done = report(1, &["run", &from.url, &to.url, "-m", &file.path(), "--verify", "full"]);
    for (name, rows) in [("orders_eu", 1), ("orders_us", 2)] {
        let entry = table(&done, name);
        assert_eq!(
            (entry["outcome"].as_str(), entry["rows"].as_u64(), entry["rejected"].as_u64()),
            (Some("rejected"), Some(rows), Some(1)),
            "{entry:#}"
        );
    }
    let file = rule("zero_date = \"-infinity\"");
    let settled = report(0, &["retry-rejects", done["run"].as_str().unwrap(), &to.url, "-m", &file.path()]);
    for (name, rows) in [("orders_eu", 2), ("orders_us", 3)] {
        let entry = table(&settled, name);
        assert_eq!((entry["outcome"].as_str(), entry["rows"].as_u64()), (Some("verified"), Some(rows)), "{entry:#}");
    }
    let sent = "SELECT string_agg(region || ' ' || id, ', ' ORDER BY region) FROM orders WHERE d = '-infinity'";
    assert_eq!(to.value(sent).await.as_deref(), Some("eu 2, us 1"));
    report(0, &["verify", &from.url, &to.url, "-m", &file.path(), "--level", "full"]);
    from.drop().await;
    to.drop().await;
}

#[tokio::test]
async fn rows_that_are_found_by_their_key_are_not_rejected() {
    let from =
        MySqlDatabase::create("CREATE TABLE a (id INT NOT NULL PRIMARY KEY, d DATE); INSERT INTO a VALUES (1, '0000-00-00');")
            .await;
    let to =
        PostgresDatabase::create("CREATE TABLE a (id int PRIMARY KEY, d date); INSERT INTO a VALUES (1, '2024-01-01')").await;
    let file = MappingFile::new("[[table]]\nname = \"a\"\non_error = \"reject\"\n");
    let ends = ["run", &from.url, &to.url, "-m", &file.path(), "--if-exists", "upsert"];
    ferry(&ends).code(2).complains(&["rows are found by their key there", "on_error = \"stop\""]);
    // A policy and an upsert go together.
    let file = MappingFile::new("[[table]]\nname = \"a\"\n[table.columns.d]\nzero_date = \"null\"\n");
    let done = report(0, &["run", &from.url, &to.url, "-m", &file.path(), "--if-exists", "upsert"]);
    assert_eq!(table(&done, "a")["losses"][0]["count"], 1, "{done:#}");
    to.holds("a", "id = 1", &["d"], "NULL").await;
    from.drop().await;
    to.drop().await;
}
