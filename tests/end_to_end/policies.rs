//! What becomes of hard values where the mapping decides it: the value in PostgreSQL, its count in the report, and what is refused.

use std::time::Duration;

use serde_json::Value;

use super::renames::MappingFile;
use crate::support::ferry::{command, ferry, ferry_with_report, finish, report, table};
use crate::support::{MySqlDatabase, PostgresDatabase};

/// The losses of a table as `column kind policy count`.
fn losses(report: &Value, name: &str) -> Vec<String> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_string();
    let all = table(report, name)["losses"].as_array().cloned().unwrap_or_default();
    all.iter()
        .map(|loss| format!("{} {} {} {}", text(&loss["column"]), text(&loss["kind"]), text(&loss["policy"]), loss["count"]))
        .collect()
}

const DATES: &str = "CREATE TABLE dates (id INT NOT NULL PRIMARY KEY, d DATE, dt DATETIME(3), ts TIMESTAMP NULL);
INSERT INTO dates VALUES (1, '2024-02-29', '2024-01-31 10:11:12.345', '2024-01-31 10:11:12');
INSERT INTO dates VALUES (2, '0000-00-00', '0000-00-00 00:00:00', '0000-00-00 00:00:00');
INSERT INTO dates VALUES (3, '2024-00-15', '2024-02-00 01:02:03.004', NULL);
INSERT INTO dates VALUES (4, '2024-02-31', '2023-02-29 00:00:00', NULL);
INSERT INTO dates VALUES (5, NULL, NULL, NULL), (6, '9999-12-31', '1000-01-01 00:00:00', '1970-01-01 00:00:01');
";

#[tokio::test]
async fn dates_that_are_none_become_what_the_mapping_says() {
    let from = MySqlDatabase::create(DATES).await;
    // T1, T3, T4: each policy over a column that holds good values too; each sort of bad value counted for itself.
    for (word, zero, zero_time) in [
        ("null", "NULL", "NULL"),
        ("-infinity", "'-infinity'", "'-infinity'"),
        ("1970-01-02", "'1970-01-02'", "'1970-01-02 00:00:00'"),
    ] {
        let to = PostgresDatabase::create("").await;
        let file = MappingFile::new(&format!("[[table]]\nname = \"dates\"\nzero_date = \"{word}\"\n"));
        let (said, report) = ferry_with_report(&["run", &from.url, &to.url, "-m", &file.path(), "--verify", "full"]);
        said.code(0).prints(&["Changed by the mapping's policies: 7 values", "zero_date ->", "(id = 2)", "Policies of the"]);
        let report = report.unwrap();
        let policy = if word == "1970-01-02" { "a fixed date" } else { word };
        assert_eq!(
            losses(&report, "dates"),
            [
                format!("d zero_date {policy} 1"),
                format!("d partial_date {policy} 1"),
                format!("d invalid_date {policy} 1"),
                format!("dt zero_date {policy} 1"),
                format!("dt partial_date {policy} 1"),
                format!("dt invalid_date {policy} 1"),
                format!("ts zero_date {policy} 1"),
            ]
        );
        assert_eq!(table(&report, "dates")["outcome"], "verified");
        let columns = ["d", "dt", "ts"];
        for (id, values) in [
            (1, "'2024-02-29', '2024-01-31 10:11:12.345', '2024-01-31 10:11:12Z'".to_string()),
            (2, format!("{zero}, {zero_time}, {}", zero_time.replace("00'", "00Z'"))),
            (3, format!("{zero}, {zero_time}, NULL")),
            (4, format!("{zero}, {zero_time}, NULL")),
            (5, "NULL, NULL, NULL".into()),
            (6, "'9999-12-31', '1000-01-01', '1970-01-01 00:00:01Z'".into()),
        ] {
            to.holds("dates", &format!("id = {id}"), &columns, &values).await;
        }
        // A later verification reads the source by the same policies, counts them again, and agrees.
        let (said, again) = ferry_with_report(&["verify", &from.url, &to.url, "-m", &file.path(), "--level", "full"]);
        said.code(0);
        assert_eq!(losses(&again.unwrap(), "dates").len(), 7);
        to.drop().await;
    }
    from.drop().await;
}

#[tokio::test]
async fn dates_as_text_keep_every_digit() {
    let from = MySqlDatabase::create(DATES).await;
    let to = PostgresDatabase::create("").await;
    let file = MappingFile::new("[[table]]\nname = \"dates\"\nzero_date = \"text\"\n");
    let report = report(0, &["run", &from.url, &to.url, "-m", &file.path(), "--verify", "full", "--max-loss", "0"]);
    assert_eq!(losses(&report, "dates").len(), 7);
    to.has_types("dates", &[("d", "text"), ("dt", "text"), ("ts", "text")]).await;
    let columns = ["d", "dt", "ts"];
    for (id, values) in [
        (1, "'2024-02-29', '2024-01-31 10:11:12.345', '2024-01-31 10:11:12'"),
        (2, "'0000-00-00', '0000-00-00 00:00:00.000', '0000-00-00 00:00:00'"),
        (3, "'2024-00-15', '2024-02-00 01:02:03.004', NULL"),
        (4, "'2024-02-31', '2023-02-29 00:00:00.000', NULL"),
    ] {
        to.holds("dates", &format!("id = {id}"), &columns, values).await;
    }
    from.drop().await;
    to.drop().await;
}

#[tokio::test]
async fn the_most_special_word_wins_and_error_is_the_default() {
    let from = MySqlDatabase::create(
        "CREATE TABLE a (id INT NOT NULL PRIMARY KEY, d DATE, e DATE, f DATE);
INSERT INTO a VALUES (7, '0000-00-00', '0000-00-00', '0000-00-00');
",
    )
    .await;
    let file = MappingFile::new(
        "[[type]]\nmatch = { type = \"date\" }\nzero_date = \"1970-01-01\"\n\n[[type]]\nmatch = { type = \"date\" }\nzero_date = \"null\"\n
[[table]]\nname = \"a\"\n[table.columns.d]\nzero_date = \"null\"\n[table.columns.e]\nzero_date = \"-infinity\"\n",
    );
    let to = PostgresDatabase::create("").await;
    report(0, &["run", &from.url, &to.url, "-m", &file.path()]);
    to.holds("a", "id = 7", &["d", "e", "f"], "NULL, '-infinity', '1970-01-01'").await;
    ferry(&["plan", &from.url, &to.url, "-m", &file.path(), "--if-exists", "drop"])
        .code(0)
        .prints(&["zero_date = -infinity by "]);
    // A column that says `error` takes itself out of its type's rule; the error shows what to write, and where.
    let file = MappingFile::new(
        "[[type]]\nmatch = { type = \"date\" }\nzero_date = \"null\"\n\n[[table]]\nname = \"a\"\n[table.columns.e]\nzero_date = \"error\"\n",
    );
    let failed = report(1, &["run", &from.url, &to.url, "-m", &file.path(), "--if-exists", "drop", "--probe", "off"]);
    let error = table(&failed, "a")["errors"][0].as_str().unwrap().to_string();
    for part in [".a.e`", "(id = 7)", "0000-00-00", "[[table]]\nname = \"a\"\n[table.columns.e]\nzero_date = \"null\""] {
        assert!(error.contains(part), "no `{part}` in {error}");
    }
    from.drop().await;
    to.drop().await;
}

const TEXTS: &str = "CREATE TABLE texts (id INT NOT NULL PRIMARY KEY, t TEXT, v VARCHAR(20), a VARCHAR(10) CHARACTER SET ascii,
  s VARCHAR(10) CHARACTER SET sjis, g VARCHAR(10) CHARACTER SET gbk, c VARCHAR(10) CHARACTER SET cp1251, l VARCHAR(10) CHARACTER SET latin1);
INSERT INTO texts VALUES (1, 'plain', 'good', 'ascii', '日本', '汉字', 'Мир', 'é€');
INSERT INTO texts VALUES (2, 'a\\0b\\0', 'x\\0', x'61ff62', x'8540', x'FEFE', x'98cc', x'8081');
INSERT INTO texts (id) VALUES (3);
";

#[tokio::test]
async fn text_that_has_no_place_is_stripped_or_replaced_and_counted() {
    let from = MySqlDatabase::create(TEXTS).await;
    let to = PostgresDatabase::create("").await;
    let file = MappingFile::new(
        "[[table]]\nname = \"texts\"\ninvalid_text = \"replace\"\nnul_byte = \"strip\"\n[table.columns.v]\nnul_byte = { replace = \"<nul>\" }\n",
    );
    let done = report(0, &["run", &from.url, &to.url, "-m", &file.path(), "--verify", "full"]);
    let all = losses(&done, "texts");
    for loss in [
        "a invalid_text replace 1",
        "c invalid_text replace 1",
        "g invalid_text replace 1",
        "s invalid_text replace 1",
        "t nul_byte strip 1",
        "v nul_byte replace 1",
    ] {
        assert!(all.iter().any(|other| other == loss), "no `{loss}` in {all:?}");
    }
    // S4: each byte of latin1 is a character, so nothing was applied there; what sjis, gbk and cp1251 have no character for, was.
    assert!(!all.iter().any(|loss| loss.starts_with("l ")), "{all:?}");
    to.holds("texts", "id = 1", &["t", "v", "a", "s", "g", "c", "l"], "'plain', 'good', 'ascii', '日本', '汉字', 'Мир', 'é€'")
        .await;
    to.holds("texts", "id = 2", &["t", "v", "a", "l"], "'ab', 'x<nul>', 'a\u{fffd}b', U&'\\20ac\\0081'").await;
    to.holds("texts", "id = 3", &["t", "v", "a", "s"], "NULL, NULL, NULL, NULL").await;
    from.drop().await;
    to.drop().await;
}

#[tokio::test]
async fn nul_bytes_replace_by_the_character_that_stands_for_them_or_make_the_column_binary() {
    let from = MySqlDatabase::create(
        "CREATE TABLE n (id INT NOT NULL PRIMARY KEY, t TEXT, b VARCHAR(9));
INSERT INTO n VALUES (1, 'a\\0', 'b\\0é'), (2, 'good', 'good');
",
    )
    .await;
    let to = PostgresDatabase::create("").await;
    let file = MappingFile::new(
        "[[table]]\nname = \"n\"\n[table.columns.t]\nnul_byte = \"replace\"\n[table.columns.b]\nnul_byte = \"bytea\"\n",
    );
    let done = report(0, &["run", &from.url, &to.url, "-m", &file.path(), "--verify", "full"]);
    assert_eq!(losses(&done, "n"), ["t nul_byte replace 1"]);
    to.has_types("n", &[("t", "text"), ("b", "bytea")]).await;
    to.holds("n", "id = 1", &["t", "b"], "'a\u{fffd}', '\\x6200c3a9'").await;
    // By default the error says what to write.
    let failed = report(1, &["run", &from.url, &to.url, "--if-exists", "drop", "--probe", "off"]);
    let error = table(&failed, "n")["errors"][0].as_str().unwrap().to_string();
    for part in ["(id = 1)", "[[table]]\nname = \"n\"\n[table.columns.t]\nnul_byte = \"strip\""] {
        assert!(error.contains(part), "no `{part}` in {error}");
    }
    from.drop().await;
    to.drop().await;
}

#[tokio::test]
async fn doubly_encoded_text_is_decoded_and_never_guessed() {
    let from = MySqlDatabase::create(
        "CREATE TABLE m (id INT NOT NULL PRIMARY KEY, l VARCHAR(20) CHARACTER SET latin1, u VARCHAR(20));
INSERT INTO m VALUES (1, x'636166c3a9', 'cafÃ©'), (2, x'e282ac', 'â‚¬'), (3, 'plain', 'plain'), (4, NULL, NULL);
CREATE TABLE wrong (id INT NOT NULL PRIMARY KEY, l VARCHAR(20) CHARACTER SET latin1);
INSERT INTO wrong VALUES (1, x'c3a9'), (9, x'e9');
",
    )
    .await;
    let to = PostgresDatabase::create("").await;
    let file = MappingFile::new(
        "[[table]]\nname = \"m\"\n[table.columns.l]\ndecode = \"utf8\"\n[table.columns.u]\ndecode = \"utf8\"\n\n[[table]]\nname = \"wrong\"\n[table.columns.l]\ndecode = \"utf8\"\n",
    );
    let done = report(1, &["run", &from.url, &to.url, "-m", &file.path(), "--verify", "full", "--max-loss", "0"]);
    assert_eq!(losses(&done, "m"), ["l decoded utf8 2", "u decoded utf8 2"]);
    assert_eq!(table(&done, "m")["outcome"], "verified");
    for (id, text) in [(1, "'café'"), (2, "'€'"), (3, "'plain'"), (4, "NULL")] {
        to.holds("m", &format!("id = {id}"), &["l", "u"], &format!("{text}, {text}")).await;
    }
    let error = table(&done, "wrong")["errors"][0].as_str().unwrap().to_string();
    assert!(error.contains("(id = 9)") && error.contains("no UTF-8"), "{error}");
    from.drop().await;
    to.drop().await;
}

#[tokio::test]
async fn numbers_beyond_their_type_are_clamped_or_become_null() {
    let from = MySqlDatabase::create(
        "CREATE TABLE n (id INT NOT NULL PRIMARY KEY, b BIGINT, u BIGINT UNSIGNED, d DECIMAL(10,2), i INT);
INSERT INTO n VALUES (1, 1, 2, 3.10, 4), (2, 40000, 18446744073709551615, 12345678.90, 70000), (3, -40000, 0, -12345678.90, -70000);
INSERT INTO n (id) VALUES (4);
",
    )
    .await;
    let to = PostgresDatabase::create("").await;
    let file = MappingFile::new(
        "[[table]]\nname = \"n\"\nout_of_range = \"clamp\"\n[table.columns.b]\nto = \"smallint\"\n[table.columns.u]\nto = \"bigint\"\n[table.columns.d]\nto = \"numeric(5,2)\"\n[table.columns.i]\nto = \"smallint\"\nout_of_range = \"null\"\n",
    );
    let done = report(0, &["run", &from.url, &to.url, "-m", &file.path(), "--verify", "full"]);
    assert_eq!(
        losses(&done, "n"),
        ["b out_of_range clamp 2", "d out_of_range clamp 2", "i out_of_range null 2", "u out_of_range clamp 1"]
    );
    let columns = ["b", "u", "d", "i"];
    to.holds("n", "id = 1", &columns, "1, 2, 3.10, 4").await;
    to.holds("n", "id = 2", &columns, "32767, 9223372036854775807, 999.99, NULL").await;
    to.holds("n", "id = 3", &columns, "-32768, 0, -999.99, NULL").await;
    to.holds("n", "id = 4", &columns, "NULL, NULL, NULL, NULL").await;
    // The default names the lines.
    let file = MappingFile::new("[[table]]\nname = \"n\"\n[table.columns.b]\nto = \"smallint\"\n");
    let failed = report(1, &["run", &from.url, &to.url, "-m", &file.path(), "--if-exists", "drop", "--probe", "off"]);
    assert!(
        table(&failed, "n")["errors"][0].as_str().unwrap().contains("[table.columns.b]\nout_of_range = \"clamp\""),
        "{failed:#}"
    );
    from.drop().await;
    to.drop().await;
}

#[tokio::test]
async fn the_error_value_of_an_enum_becomes_null_or_a_label() {
    let from = MySqlDatabase::create(
        "CREATE TABLE e (id INT NOT NULL PRIMARY KEY, n ENUM('a','b'), l ENUM('a','b'), x ENUM('a','b') NOT NULL, w ENUM('','b'));
INSERT IGNORE INTO e VALUES (1, 'a', 'b', 'a', ''), (2, 'zzz', 'zzz', 'zzz', 'zzz');
",
    )
    .await;
    let to = PostgresDatabase::create("").await;
    let file = MappingFile::new(
        "[[table]]\nname = \"e\"\nenum_empty = \"unknown\"\n[table.columns.n]\nenum_empty = \"null\"\n[table.columns.l]\nenum_empty = \"b\"\n[table.columns.w]\nenum_empty = \"null\"\n",
    );
    let plan = ferry(&["plan", &from.url, &to.url, "-m", &file.path()]);
    plan.code(0).prints(&["the label `unknown` is added to its type"]);
    let done = report(0, &["run", &from.url, &to.url, "-m", &file.path(), "--verify", "full"]);
    assert_eq!(losses(&done, "e"), ["l enum_empty b 1", "n enum_empty null 1", "w enum_empty null 1", "x enum_empty unknown 1"]);
    let columns = ["n::text", "l::text", "x::text", "w::text"];
    to.holds("e", "id = 1", &columns, "'a', 'b', 'a', ''").await;
    to.holds("e", "id = 2", &columns, "NULL, 'b', 'unknown', NULL").await;
    from.drop().await;
    to.drop().await;
}

#[tokio::test]
async fn json_that_jsonb_cannot_keep_stays_json_and_uuids_come_out_of_their_bytes() {
    let from = MySqlDatabase::create(
        r#"CREATE TABLE j (id INT NOT NULL PRIMARY KEY, j JSON, p BINARY(16), s BINARY(16));
INSERT INTO j VALUES (1, '{"a": 1, "a": 2}', x'6ccd780cbaba102695645b8c656024db', x'1026baba6ccd780c95645b8c656024db');
INSERT INTO j VALUES (2, '"\\u0000"', NULL, NULL), (3, '1e400000', NULL, NULL);
"#,
    )
    .await;
    let to = PostgresDatabase::create("").await;
    let file = MappingFile::new(
        "[[type]]\nmatch = { type = \"json\" }\njson = \"json\"\n\n[[table]]\nname = \"j\"\n[table.columns.p]\nuuid = \"binary16\"\n[table.columns.s]\nuuid = \"binary16_swapped\"\n",
    );
    report(0, &["run", &from.url, &to.url, "-m", &file.path(), "--verify", "full"]);
    to.has_types("j", &[("j", "json"), ("p", "uuid"), ("s", "uuid")]).await;
    let uuid = "'6ccd780c-baba-1026-9564-5b8c656024db'";
    to.holds("j", "id = 1", &["j::text", "p", "s"], &format!(r#"'{{"a": 1, "a": 2}}', {uuid}, {uuid}"#)).await;
    to.holds("j", "id = 2", &["j::text", "p"], r#"'"\u0000"', NULL"#).await;
    let failed = report(1, &["run", &from.url, &to.url, "--if-exists", "drop", "--probe", "off"]);
    assert!(table(&failed, "j")["errors"][0].as_str().unwrap().contains("[table.columns.j]\njson = \"json\""), "{failed:#}");
    from.drop().await;
    to.drop().await;
}

#[tokio::test]
async fn a_policy_that_cannot_apply_is_refused_before_anything_is_made() {
    let from = MySqlDatabase::create(
        "CREATE TABLE p (id INT NOT NULL PRIMARY KEY, d DATE NOT NULL, t VARCHAR(9), k VARCHAR(9) CHARACTER SET sjis, b BINARY(15));
INSERT INTO p VALUES (1, '2024-01-01', 'a', 'b', '');
",
    )
    .await;
    let to = PostgresDatabase::create("").await;
    for (lines, says) in [
        (
            "[table.columns.t]\nzero_date = \"null\"",
            vec!["m.toml:3", "`zero_date` is for columns with dates, and the column is `varchar(9)`", "hint"],
        ),
        ("[table.columns.d]\nnul_byte = \"strip\"", vec!["m.toml:3", "for columns of text"]),
        ("[table.columns.k]\ndecode = \"utf8\"", vec!["m.toml:3", "the column's is in sjis"]),
        ("[table.columns.b]\nuuid = \"binary16\"", vec!["m.toml:3", "for binary columns of 16 bytes"]),
        ("json = \"json\"", vec!["m.toml:1", "none of its columns can have it"]),
        ("[table.columns.id]\nnullable = true", vec!["cannot be NULL"]),
        ("[table.columns.d]\nzero_date = \"nul\"", vec!["m.toml:3", "neither a word nor a date"]),
        ("[table.columns.d]\nzero_dat = \"null\"", vec!["m.toml:4", "`zero_dat` is no key", "zero_date"]),
        ("[table.columns.d]\nout_of_range = \"clip\"", vec!["m.toml:4", "clamp"]),
        (
            "[table.columns.d]\nzero_date = \"null\"",
            vec![
                "would put NULL into a column that is NOT NULL",
                "[table.columns.d]",
                "nullable = true",
                "zero_date = \"1970-01-01\"",
            ],
        ),
    ] {
        let file = MappingFile::new(&format!("[[table]]\nname = \"p\"\n{lines}\n"));
        let said = ferry(&["run", &from.url, &to.url, "-m", &file.path()]).code(2);
        said.complains(&says);
        assert_eq!(to.value("SELECT to_regclass('p')::text").await, None);
    }
    // The lines of the hint settle it.
    let file = MappingFile::new("[[table]]\nname = \"p\"\n[table.columns.d]\nzero_date = \"null\"\nnullable = true\n");
    report(0, &["run", &from.url, &to.url, "-m", &file.path()]);
    to.run("INSERT INTO p (id) VALUES (2)").await;
    from.drop().await;
    to.drop().await;
}

#[tokio::test]
async fn a_condition_is_about_the_value_as_it_is_read() {
    let from = MySqlDatabase::create(DATES).await;
    let to = PostgresDatabase::create("").await;
    let file = MappingFile::new("[[table]]\nname = \"dates\"\nwhere = \"d >= '2000-01-01'\"\nzero_date = \"2001-01-01\"\n");
    let done = report(0, &["run", &from.url, &to.url, "-m", &file.path(), "--verify", "full"]);
    assert_eq!(table(&done, "dates")["rows"], 5);
    assert_eq!(to.value("SELECT count(*) FROM dates WHERE d = '2001-01-01'").await.as_deref(), Some("3"));
    from.drop().await;
    to.drop().await;
}

#[tokio::test]
async fn more_losses_than_are_allowed_fail_the_run() {
    let from = MySqlDatabase::create(DATES).await;
    let to = PostgresDatabase::create("").await;
    let file = MappingFile::new("[[table]]\nname = \"dates\"\nzero_date = \"null\"\n");
    let ends = ["run", &from.url, &to.url, "-m", &file.path(), "--if-exists", "drop", "--max-loss"];
    ferry(&[&ends[..], &["6"]].concat()).code(1).prints(&["the mapping's policies have lost 7 values, and `max_loss` allows 6"]);
    ferry(&[&ends[..], &["7"]].concat()).code(0);
    from.drop().await;
    to.drop().await;
}

/// Enough rows for several chunks; every tenth has no date.
fn many(rows: u32) -> String {
    format!(
        "CREATE TABLE many (id INT NOT NULL PRIMARY KEY, d DATE, filler VARCHAR(200));
INSERT INTO many SELECT seq, IF(seq % 10 = 0, '0000-00-00', '2024-01-01'), REPEAT('x', 200) FROM seq_1_to_{rows};
ANALYZE TABLE many;
"
    )
}

#[tokio::test]
async fn losses_of_several_chunks_add_up_and_a_killed_run_counts_each_once() {
    let from = MySqlDatabase::create(&many(60_000)).await;
    let to = PostgresDatabase::create("").await;
    let file = MappingFile::new("[[table]]\nname = \"many\"\n[table.columns.d]\nzero_date = \"null\"\n");
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
    let before: u32 = to.value(receipts).await.unwrap().parse().unwrap();
    let done = report(0, &[&ends[..], &["--resume"]].concat());
    assert!(table(&done, "many")["chunks"].as_u64().unwrap() > 3, "{done:#}");
    assert!(before > 0);
    assert_eq!(losses(&done, "many"), ["d zero_date null 6000"]);
    assert_eq!(to.value("SELECT count(*) FROM many WHERE d IS NULL").await.as_deref(), Some("6000"));
    assert_eq!(to.value("SELECT sum(count) FROM dbferry.losses").await.as_deref(), Some("6000"));
    from.drop().await;
    to.drop().await;
}

#[tokio::test]
async fn sqlite_honours_the_policies_of_text_and_refuses_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let script = "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT, d DATE);
        INSERT INTO t VALUES (1, CAST(x'61006200' AS TEXT), '2024-01-01'), (2, CAST(x'61ff' AS TEXT), NULL), (3, 'good', NULL);";
    rusqlite::Connection::open(&path).unwrap().execute_batch(script).unwrap();
    let from = format!("sqlite://{}", path.display());
    let to = PostgresDatabase::create("").await;
    let file = MappingFile::new("[[table]]\nname = \"t\"\nnul_byte = \"strip\"\ninvalid_text = \"replace\"\n");
    let done = report(0, &["run", &from, &to.url, "-m", &file.path()]);
    assert_eq!(losses(&done, "t"), ["v nul_byte strip 1", "v invalid_text replace 1"]);
    assert_eq!(to.value("SELECT string_agg(v, '|' ORDER BY id) FROM t").await.as_deref(), Some("ab|a\u{fffd}|good"));
    let file = MappingFile::new("[[table]]\nname = \"t\"\n[table.columns.d]\nzero_date = \"null\"\n");
    let refused = ferry(&["run", &from, &to.url, "-m", &file.path(), "--if-exists", "drop"]);
    refused.code(2).complains(&["m.toml:3", "SQLite's reader cannot apply `zero_date`"]);
    to.drop().await;
}

#[tokio::test]
async fn a_table_that_stands_keeps_its_types_and_a_policy_that_does_not_fit_them_is_refused() {
    let from = MySqlDatabase::create(
        "CREATE TABLE s (id INT NOT NULL PRIMARY KEY, d DATE, e ENUM('a'), u BINARY(16), k DATE);
INSERT INTO s VALUES (1, '0000-00-00', '', x'6ccd780cbaba102695645b8c656024db', '0000-00-00');
",
    )
    .await;
    let to = PostgresDatabase::create(
        "CREATE TYPE letter AS ENUM ('a', 'none'); CREATE TABLE s (id int PRIMARY KEY, d text, e letter, u uuid, k date NOT NULL)",
    )
    .await;
    let run = |lines: &str| MappingFile::new(&format!("[[table]]\nname = \"s\"\n[table.columns]\n{lines}\n"));
    let good = "d.zero_date = \"text\"\ne.enum_empty = \"none\"\nu.uuid = \"binary16\"\nk.zero_date = \"1970-01-01\"";
    for (one, other, says) in [
        ("k.zero_date = \"1970-01-01\"", "k.zero_date = \"text\"", "a policy (zero_date = text by "),
        ("k.zero_date = \"1970-01-01\"", "k.zero_date = \"null\"", "would put NULL into a column that is NOT NULL"),
        ("k.zero_date = \"1970-01-01\"", "k = { zero_date = \"null\", nullable = true }", "NOT NULL in the existing table"),
        ("\"none\"", "\"nothing\"", "has no such label"),
    ] {
        let file = run(&good.replace(one, other));
        ferry(&["run", &from.url, &to.url, "-m", &file.path(), "--tables", "existing"]).code(2).complains(&[says]);
    }
    let file = run(good);
    let done = report(0, &["run", &from.url, &to.url, "-m", &file.path(), "--tables", "existing"]);
    assert_eq!(losses(&done, "s"), ["d zero_date text 1", "e enum_empty none 1", "k zero_date a fixed date 1"]);
    let values = "'0000-00-00', 'none', '6ccd780c-baba-1026-9564-5b8c656024db', '1970-01-01'";
    to.holds("s", "id = 1", &["d", "e", "u", "k"], values).await;
    from.drop().await;
    to.drop().await;
}

#[tokio::test]
async fn a_change_of_policies_is_told() {
    let from = MySqlDatabase::create(DATES).await;
    let to = PostgresDatabase::create("").await;
    let one = MappingFile::new("[[table]]\nname = \"dates\"\nzero_date = \"null\"\n");
    let two = MappingFile::new(
        "[[table]]\nname = \"dates\"\non_error = \"reject\"\nmax_rejects = 5\n[table.columns.d]\nzero_date = \"1970-01-02\"\n",
    );
    ferry(&["plan", &from.url, &to.url, "-m", &one.path(), "--diff", &two.path()]).prints(&[
        "rows that cannot be carried: an error of the table becomes rejected, 5 at most",
        "value policies of column d: zero_date = null becomes zero_date = 1970-01-02",
        "value policies of column dt: zero_date = null",
    ]);
    from.drop().await;
    to.drop().await;
}
