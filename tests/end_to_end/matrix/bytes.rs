//! Bytes: rows B1 to B3.

use super::{MappingFile, losses};
use crate::support::ferry::{ferry, report, table};
use crate::support::{MySqlDatabase, PostgresDatabase};

#[tokio::test]
async fn every_byte_arrives_from_every_binary_type() {
    let all: String = (0..=255u8).map(|byte| format!("{byte:02x}")).collect();
    let from = MySqlDatabase::create(&format!(
        "CREATE TABLE b (id INT NOT NULL PRIMARY KEY, f BINARY(4), v VARBINARY(300), t TINYBLOB, b BLOB, m MEDIUMBLOB, l LONGBLOB, d VARBINARY(4) DEFAULT x'00ff27');
INSERT INTO b (id, f, v, t, b, m, l) VALUES (1, x'0001', x'{all}', x'ff00', x'{all}', x'{all}', x'{all}'), (2, '', '', '', '', '', ''), (3, x'ffffffff', x'00', x'5c2e', x'0a', x'27', x'22');
INSERT INTO b (id) VALUES (4);
"
    ))
    .await;
    let to = PostgresDatabase::create("").await;
    report(0, &["run", &from.url, &to.url, "--verify", "full"]);
    for column in ["f", "v", "t", "b", "m", "l"] {
        to.has_types("b", &[(column, "bytea")]).await;
        let hex = |id: u32| format!("SELECT encode({column}, 'hex') FROM b WHERE id = {id}");
        let first = match column {
            "f" => "00010000".to_string(),
            "t" => "ff00".into(),
            _ => all.clone(),
        };
        // B1: byte for byte; the zeros of a BINARY are a part of it.
        assert_eq!(to.value(&hex(1)).await, Some(first), "{column}");
        assert_eq!(to.value(&hex(2)).await.as_deref(), Some(if column == "f" { "00000000" } else { "" }), "{column}");
        assert_eq!(to.value(&hex(4)).await, None, "{column}");
    }
    to.holds("b", "id = 3", &["f", "v", "t", "b", "m", "l"], "'\\xffffffff', '\\x00', '\\x5c2e', '\\x0a', '\\x27', '\\x22'")
        .await;
    to.run("INSERT INTO b (id) VALUES (5)").await;
    to.holds("b", "id = 5", &["d"], "'\\x00ff27'").await;
    from.drop().await;
    to.drop().await;
}

#[tokio::test]
async fn sixteen_bytes_are_a_uuid_only_by_word_and_in_the_order_that_is_named() {
    // Of versions 1, 4 and 7; the second column as MySQL's UUID_TO_BIN(x, 1) stores them.
    let from = MySqlDatabase::create(
        "CREATE TABLE u (id INT NOT NULL PRIMARY KEY, p BINARY(16), s BINARY(16));
INSERT INTO u VALUES (1, x'6ccd780cbaba102695645b8c656024db', x'1026baba6ccd780c95645b8c656024db'),
  (2, x'9f1bef0e3c5d4a7b8e2f1a2b3c4d5e6f', x'4a7b3c5d9f1bef0e8e2f1a2b3c4d5e6f'),
  (3, x'018f3c1e2b4d7c6a9f8e7d6c5b4a3928', x'7c6a2b4d018f3c1e9f8e7d6c5b4a3928'),
  (4, x'00000000000000000000000000000000', x'ffffffffffffffffffffffffffffffff'), (5, NULL, NULL);
",
    )
    .await;
    let to = PostgresDatabase::create("").await;
    report(0, &["run", &from.url, &to.url, "--verify", "full"]);
    // B2: bytes by themselves are bytes.
    to.has_types("u", &[("p", "bytea"), ("s", "bytea")]).await;
    to.holds("u", "id = 1", &["p", "s"], "'\\x6ccd780cbaba102695645b8c656024db', '\\x1026baba6ccd780c95645b8c656024db'").await;
    let rule = |p: &str, s: &str| {
        MappingFile::new(&format!(
            "[[table]]\nname = \"u\"\n[table.columns]\np = {{ uuid = \"{p}\" }}\ns = {{ uuid = \"{s}\" }}\n"
        ))
    };
    let file = rule("binary16", "binary16_swapped");
    let done = report(0, &["run", &from.url, &to.url, "-m", &file.path(), "--if-exists", "drop", "--verify", "full"]);
    assert_eq!(losses(&done, "u"), Vec::<String>::new());
    to.has_types("u", &[("p", "uuid"), ("s", "uuid")]).await;
    for (id, uuid) in [
        (1, "6ccd780c-baba-1026-9564-5b8c656024db"),
        (2, "9f1bef0e-3c5d-4a7b-8e2f-1a2b3c4d5e6f"),
        (3, "018f3c1e-2b4d-7c6a-9f8e-7d6c5b4a3928"),
    ] {
        // B2: in its own order, and in the swapped one.
        to.holds("u", &format!("id = {id}"), &["p", "s"], &format!("'{uuid}', '{uuid}'")).await;
    }
    to.holds("u", "id = 4", &["p", "s"], "'00000000-0000-0000-0000-000000000000', 'ffffffff-ffff-ffff-ffff-ffffffffffff'").await;
    to.holds("u", "id = 5", &["p", "s"], "NULL, NULL").await;
    // B2: the wrong order is seen by version and variant, and told with the right one.
    for (file, column, other) in
        [(rule("binary16_swapped", "binary16_swapped"), "p", "binary16"), (rule("binary16", "binary16"), "s", "binary16_swapped")]
    {
        let failed = report(1, &["run", &from.url, &to.url, "-m", &file.path(), "--if-exists", "drop"]);
        let error = table(&failed, "u")["errors"][0].as_str().unwrap_or_default().to_string();
        assert!(error.contains(&format!("u.{column}` (id = ")) && error.contains("are no UUID"), "{error}");
        assert!(error.contains(&format!("uuid = \"{other}\"")), "{error}");
        assert_eq!(to.value("SELECT count(*) FROM u").await.as_deref(), Some("0"));
    }
    // B2: another width is no place for a UUID.
    from.run("CREATE TABLE w (id INT NOT NULL PRIMARY KEY, b BINARY(15));").await;
    let file = MappingFile::new("[[table]]\nname = \"w\"\n[table.columns.b]\nuuid = \"binary16\"\n");
    ferry(&["plan", &from.url, &to.url, "-m", &file.path(), "--include", "w"])
        .code(2)
        .complains(&["for binary columns of 16 bytes"]);
    from.drop().await;
    to.drop().await;
}

#[tokio::test]
async fn text_in_the_character_set_binary_is_bytes() {
    let from = MySqlDatabase::create(
        "CREATE TABLE b (id INT NOT NULL PRIMARY KEY, c CHAR(3) CHARACTER SET binary, v VARCHAR(9) CHARACTER SET binary, t TEXT CHARACTER SET binary, m MEDIUMTEXT CHARACTER SET binary, payload LONGBLOB);
INSERT INTO b VALUES (1, x'ff', x'00ff', x'fffe00', x'80', '{\"a\": \"é\"}'), (2, 'abc', 'é', '', NULL, x'7b22ff');
",
    )
    .await;
    let to = PostgresDatabase::create("").await;
    report(0, &["run", &from.url, &to.url, "--verify", "full"]);
    // B3: the character set decides, not the name of the type; JSON in a BLOB is bytes as well.
    to.has_types("b", &[("c", "bytea"), ("v", "bytea"), ("t", "bytea"), ("m", "bytea"), ("payload", "bytea")]).await;
    let columns = ["c", "v", "t", "m", "payload"];
    to.holds("b", "id = 1", &columns, "'\\xff0000', '\\x00ff', '\\xfffe00', '\\x80', convert_to('{\"a\": \"é\"}', 'UTF8')").await;
    to.holds("b", "id = 2", &columns, "'\\x616263', '\\xc3a9', '\\x', NULL, '\\x7b22ff'").await;
    from.drop().await;
    to.drop().await;
}
