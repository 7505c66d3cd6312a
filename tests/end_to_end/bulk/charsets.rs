//! Every character of every character set of the server.
//!
//! The server says which codes are characters, and what they are in UTF-8. Where PostgreSQL knows the character set as well, it is asked
//! too: a second judge, that shares nothing with the first.

use sqlx::{AssertSqlSafe, Row};

use super::{Bulk, Value};
use crate::support::{MySqlDatabase, PostgresDatabase};

/// Codes of one value.
const CODES_OF_ONE_VALUE: usize = 100;

/// A character set's codes in hexadecimal digits, each with its character.
type Codes = Vec<(String, String)>;

/// The codes of one and two bytes that are one character, and come back from UTF-8 as they were; and those of three bytes of the sets that
/// have such.
async fn codes(from: &MySqlDatabase, charset: &str, most: i32) -> Codes {
    let mut connection = from.connect().await;
    let mut sources = vec!["SELECT CHAR(n) AS b FROM codes WHERE n < 256".to_string()];
    if most > 1 {
        sources.push("SELECT UNHEX(LPAD(HEX(n), 4, '0')) AS b FROM codes".into());
    }
    if most == 3 {
        sources.push("SELECT UNHEX(CONCAT('8F', LPAD(HEX(n), 4, '0'))) AS b FROM codes".into());
    }
    if most == 4 {
        sources.push("SELECT UNHEX(LPAD(HEX(n), 8, '0')) AS b FROM codes".into());
        sources.push("SELECT UNHEX(CONCAT('D83DDE', LPAD(HEX(n), 2, '0'))) AS b FROM codes WHERE n < 256".into());
        sources.push("SELECT UNHEX(CONCAT('8130', LPAD(HEX(n), 4, '0'))) AS b FROM codes".into());
    }
    let mut all = Vec::new();
    for source in sources {
        let sql = format!(
            "SELECT HEX(b), CONVERT(t USING utf8mb4) FROM (SELECT b, CONVERT(b USING {charset}) AS t FROM ({source}) AS s) AS x
             WHERE CHAR_LENGTH(t) = 1 AND HEX(CONVERT(CONVERT(t USING utf8mb4) USING {charset})) = HEX(b)
             AND HEX(CONVERT(t USING utf8mb4)) <> '00' AND (HEX(CONVERT(t USING utf8mb4)) <> '3F' OR HEX(b) IN ('3F', '003F', '3F00', '0000003F'))"
        );
        let rows = sqlx::query(AssertSqlSafe(sql)).fetch_all(&mut connection).await;
        for row in rows.unwrap_or_else(|error| panic!("{charset}: {error}")) {
            // A half of a surrogate pair, which UCS-2 takes for a character, is none.
            if let Ok(character) = String::from_utf8(row.get_unchecked(1)) {
                all.push((row.get(0), character));
            }
        }
    }
    all
}

/// A database with the table `codes` of the numbers below 65536.
async fn numbers() -> MySqlDatabase {
    let from = MySqlDatabase::create("CREATE TABLE codes (n INT NOT NULL PRIMARY KEY);\nINSERT INTO codes VALUES (0);\n").await;
    for power in 0..16 {
        from.run(&format!("INSERT INTO codes SELECT n + {} FROM codes", 1 << power)).await;
    }
    from
}

#[tokio::test]
async fn every_character_of_every_character_set_arrives() {
    let from = numbers().await;
    let sql = "SELECT CAST(CHARACTER_SET_NAME AS CHAR), CAST(MAXLEN AS SIGNED) FROM information_schema.CHARACTER_SETS WHERE CHARACTER_SET_NAME <> 'binary' ORDER BY 1";
    let charsets = sqlx::query(sql).fetch_all(&mut from.connect().await).await.unwrap();
    let mut bulk = Bulk::new();
    for row in charsets {
        let (charset, most): (String, i64) = (row.get(0), row.get(1));
        // Those of UTF-8 have properties of their own; of others every code that has a character.
        if charset.starts_with("utf8") {
            continue;
        }
        let codes = codes(&from, &charset, i32::try_from(most).unwrap()).await;
        assert!(codes.len() >= 120, "{charset} has {} characters", codes.len());
        let values = codes.chunks(CODES_OF_ONE_VALUE).map(|codes| {
            let (bytes, text): (String, String) = codes.iter().cloned().unzip();
            Some(Value::new(format!("_{charset} x'{bytes}'"), text))
        });
        bulk.given(&format!("TEXT CHARACTER SET {charset}"), "c = v", values.collect());
    }
    assert!(bulk.columns.len() >= 30, "{} character sets", bulk.columns.len());
    from.drop().await;
    bulk.arrives().await;
}

#[tokio::test]
async fn postgres_reads_the_codes_of_a_character_set_alike() {
    let from = numbers().await;
    let to = PostgresDatabase::create(
        "CREATE FUNCTION read_code(code bytea, name text) RETURNS text LANGUAGE plpgsql AS $$
         BEGIN RETURN convert_from(code, name); EXCEPTION WHEN OTHERS THEN RETURN 'no character: ' || SQLSTATE; END $$",
    )
    .await;
    // Where they differ, besides characters for private use: codes that Windows leaves empty and MySQL fills; and two where MySQL has `ⁿ` and `²`, as the older cp437,
    // instead of `№` and `¤`. What the source's own server says is what arrives.
    for (charset, theirs, otherwise) in [
        ("latin1", "WIN1252", vec!["81", "8D", "8F", "90", "9D"]),
        ("cp1251", "WIN1251", vec![]),
        ("cp1250", "WIN1250", vec![]),
        ("cp1257", "WIN1257", vec![]),
        ("cp866", "WIN866", vec!["FC", "FD"]),
        ("koi8r", "KOI8R", vec![]),
        ("latin2", "LATIN2", vec![]),
        ("latin5", "LATIN5", vec![]),
        ("cp932", "SJIS", vec![]),
        ("euckr", "UHC", vec![]),
    ] {
        let codes = codes(&from, charset, if matches!(theirs, "SJIS" | "UHC") { 2 } else { 1 }).await;
        let mut connection = to.connect().await;
        let (bytes, characters): (Vec<String>, Vec<String>) = codes.iter().cloned().unzip();
        let sql = "SELECT code, told, character FROM
            (SELECT code, character, read_code(decode(code, 'hex'), $3) AS told FROM unnest($1::text[], $2::text[]) AS u(code, character)) AS x
            WHERE told <> character AND character !~ '[\u{e000}-\u{f8ff}]'";
        let rows = sqlx::query(sql).bind(&bytes).bind(&characters).bind(theirs).fetch_all(&mut connection).await.unwrap();
        let differ: Vec<(String, String, String)> = rows.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect();
        let mut unexpected: Vec<_> = differ.iter().filter(|(code, ..)| !otherwise.contains(&code.as_str())).collect();
        unexpected.sort();
        assert!(unexpected.is_empty(), "{charset}: {} of {} codes differ: {unexpected:?}", unexpected.len(), codes.len());
    }
    from.drop().await;
    to.drop().await;
}
