//! Text: rows S1 to S13 and S15; S14 and what depends on a server's settings are in `surroundings`.

use super::{MappingFile, has_nothing, is_maria, losses, says};
use crate::support::ferry::{ferry, report, table};
use crate::support::{MySqlDatabase, PostgresDatabase};

/// The bytes of a PostgreSQL text.
async fn utf8_hex(to: &PostgresDatabase, column: &str, table: &str, id: u32) -> String {
    let sql = format!("SELECT encode(convert_to({column}, 'UTF8'), 'hex') FROM {table} WHERE id = {id}");
    to.value(&sql).await.unwrap_or_default()
}

fn hex(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test]
async fn a_nul_in_a_text_is_refused_or_goes_by_policy() {
    let from = MySqlDatabase::create(
        "CREATE TABLE n (id INT NOT NULL PRIMARY KEY, t TEXT, v VARCHAR(5), e VARCHAR(9) CHARACTER SET latin1);
INSERT INTO n VALUES (1, 'plain', 'a b', 'c'), (2, 'a\\0b', '\\0', 'é\\0\\0x'), (3, '', NULL, '0');
",
    )
    .await;
    let to = PostgresDatabase::create("").await;
    // S1: refused before anything is made, column by column, with the line.
    let said = ferry(&["run", &from.url, &to.url]).code(2);
    for column in ["t", "v", "e"] {
        assert!(
            said.err.contains(&format!("n.{column}`: 1 text has a NUL character in it, for example where id = 2")),
            "{}",
            said.err
        );
    }
    said.complains(&["[table.columns.t]\nnul_byte = \"strip\""]);
    has_nothing(&to).await;
    // S1: and while it moves.
    let failed = report(1, &["run", &from.url, &to.url, "--probe", "off"]);
    let error = table(&failed, "n")["errors"][0].as_str().unwrap_or_default().to_string();
    assert!(error.contains("n.t` (id = 2)") && error.contains("nul_byte = \"strip\""), "{error}");
    assert_eq!(to.value("SELECT count(*) FROM n").await.as_deref(), Some("0"));
    // S1: each policy, counted.
    for (policy, values, expected) in [
        ("\"strip\"", "'ab', '', 'éx'", ["e nul_byte strip 1", "t nul_byte strip 1", "v nul_byte strip 1"]),
        (
            "\"replace\"",
            "E'a\\uFFFDb', E'\\uFFFD', E'é\\uFFFD\\uFFFDx'",
            ["e nul_byte replace 1", "t nul_byte replace 1", "v nul_byte replace 1"],
        ),
        ("{ replace = \" \" }", "'a b', ' ', 'é  x'", ["e nul_byte replace 1", "t nul_byte replace 1", "v nul_byte replace 1"]),
    ] {
        let file = MappingFile::new(&format!("[[table]]\nname = \"n\"\nnul_byte = {policy}\n"));
        let done = report(0, &["run", &from.url, &to.url, "-m", &file.path(), "--if-exists", "drop", "--verify", "full"]);
        assert_eq!(losses(&done, "n"), expected);
        to.holds("n", "id = 2", &["t", "v", "e"], values).await;
        to.holds("n", "id = 1", &["t", "v", "e"], "'plain', 'a b', 'c'").await;
        to.holds("n", "id = 3", &["t", "v", "e"], "'', NULL, '0'").await;
    }
    let file = MappingFile::new("[[table]]\nname = \"n\"\nnul_byte = \"bytea\"\n");
    let done = report(0, &["run", &from.url, &to.url, "-m", &file.path(), "--if-exists", "drop", "--verify", "full"]);
    // S1: bytes lose nothing, so nothing is counted.
    assert_eq!(losses(&done, "n"), Vec::<String>::new());
    to.has_types("n", &[("t", "bytea"), ("v", "bytea"), ("e", "bytea")]).await;
    to.holds("n", "id = 2", &["t", "v", "e"], "'\\x610062', '\\x00', '\\xc3a9000078'").await;
    from.drop().await;
    to.drop().await;
}

#[tokio::test]
async fn characters_of_four_bytes_arrive_from_every_unicode_column() {
    let from = MySqlDatabase::create(
        "CREATE TABLE u (id INT NOT NULL PRIMARY KEY, m4 VARCHAR(9) CHARACTER SET utf8mb4, u16 VARCHAR(9) CHARACTER SET utf16, u32 VARCHAR(9) CHARACTER SET utf32, le VARCHAR(9) CHARACTER SET utf16le, m3 VARCHAR(9) CHARACTER SET utf8mb3, u2 VARCHAR(9) CHARACTER SET ucs2);
INSERT INTO u VALUES (1, '😀𝄞', '😀𝄞', '😀𝄞', '😀𝄞', 'é語', 'é語'), (2, '👩‍👩‍👧', '👩‍👩‍👧', '👩‍👩‍👧', '👩‍👩‍👧', '', '');
",
    )
    .await;
    let to = PostgresDatabase::create("").await;
    report(0, &["run", &from.url, &to.url, "--verify", "full"]);
    for column in ["m4", "u16", "u32", "le"] {
        // S2: no `?` in the place of a character beyond the BMP.
        assert_eq!(utf8_hex(&to, column, "u", 1).await, hex("😀𝄞"), "{column}");
        assert_eq!(utf8_hex(&to, column, "u", 2).await, hex("👩‍👩‍👧"), "{column}");
    }
    to.holds("u", "id = 1", &["m3", "u2"], "'é語', 'é語'").await;
    from.drop().await;
    to.drop().await;
}

#[tokio::test]
async fn text_that_was_encoded_twice_is_told_and_decoded_only_by_word() {
    let from = MySqlDatabase::create(
        "CREATE TABLE m (id INT NOT NULL PRIMARY KEY, l VARCHAR(20) CHARACTER SET latin1, u VARCHAR(20) CHARACTER SET utf8mb4);
INSERT INTO m VALUES (1, x'4772c3bcc39f65', 'GrÃ¼ÃŸe'), (2, 'plain', 'plain');
",
    )
    .await;
    let to = PostgresDatabase::create("").await;
    // S3: told with the line, and carried as it is.
    let plan = ferry(&["plan", &from.url, &to.url]).code(0);
    plan.prints(&["m.l`: 1 text looks as if it had been encoded twice, for example where id = 1", "decode = \"utf8\""]);
    report(0, &["run", &from.url, &to.url, "--verify", "full"]);
    to.holds("m", "id = 1", &["l", "u"], "'GrÃ¼ÃŸe', 'GrÃ¼ÃŸe'").await;
    let file = MappingFile::new("[[table]]\nname = \"m\"\ndecode = \"utf8\"\n");
    let done =
        report(0, &["run", &from.url, &to.url, "-m", &file.path(), "--if-exists", "drop", "--verify", "full", "--max-loss", "0"]);
    // S3: decoded by word, counted, and no loss.
    assert_eq!(losses(&done, "m"), ["l decoded utf8 1", "u decoded utf8 1"]);
    to.holds("m", "id = 1", &["l", "u"], "'Grüße', 'Grüße'").await;
    to.holds("m", "id = 2", &["l", "u"], "'plain', 'plain'").await;
    from.drop().await;
    to.drop().await;
}

/// What MySQL's latin1 has at 0x80 to 0x9F: cp1252, its holes filled with the control characters of that number.
const HIGH: &str = "€\u{81}‚ƒ„…†‡ˆ‰Š‹Œ\u{8d}Ž\u{8f}\u{90}‘’“”•–—˜™š›œ\u{9d}žŸ";

#[tokio::test]
async fn latin1_is_cp1252_byte_for_byte() {
    let bytes: String = (1..=255u8).map(|byte| format!("{byte:02x}")).collect();
    let from = MySqlDatabase::create(&format!(
        "CREATE TABLE l (id INT NOT NULL PRIMARY KEY, v VARCHAR(300) CHARACTER SET latin1);\nINSERT INTO l VALUES (1, x'{bytes}');\n"
    ))
    .await;
    let to = PostgresDatabase::create("").await;
    report(0, &["run", &from.url, &to.url, "--verify", "full"]);
    let low: String = (1..0x80u8).map(char::from).collect();
    let last: String = (0xa0..=0xffu8).map(char::from).collect();
    // S4: each of the 255 bytes is the character that cp1252 has there.
    assert_eq!(utf8_hex(&to, "v", "l", 1).await, hex(&format!("{low}{HIGH}{last}")));
    from.drop().await;
    to.drop().await;
}

#[tokio::test]
async fn what_a_character_set_cannot_say_in_unicode_is_refused_and_not_a_question_mark() {
    // A backslash as the second byte (ソ), characters of Microsoft's own, and ordinary ones.
    let good = "CREATE TABLE good (id INT NOT NULL PRIMARY KEY, s VARCHAR(10) CHARACTER SET sjis, c VARCHAR(10) CHARACTER SET cp932, j VARCHAR(10) CHARACTER SET ujis,
  g VARCHAR(10) CHARACTER SET gbk, b VARCHAR(10) CHARACTER SET big5, k VARCHAR(10) CHARACTER SET euckr, r VARCHAR(10) CHARACTER SET koi8r, y VARCHAR(10) CHARACTER SET cp1251);
INSERT INTO good VALUES (1, 'ソ表日本', '①～ソ', '日本語', '汉字', '漢字', '한국', 'Мир', 'Мир№');
";
    let from = MySqlDatabase::create(good).await;
    let to = PostgresDatabase::create("").await;
    report(0, &["run", &from.url, &to.url, "--verify", "full"]);
    // S4: the server converts, and the way back has been checked.
    let values = "'ソ表日本', '①～ソ', '日本語', '汉字', '漢字', '한국', 'Мир', 'Мир№'";
    to.holds("good", "id = 1", &["s", "c", "j", "g", "b", "k", "r", "y"], values).await;
    // Bytes that are stored, and have no character.
    for (charset, bytes, at) in
        [("sjis", "61854062", 1), ("gbk", "61fefe62", 2), ("cp1251", "619862", 3), ("cp932", "61854062", 4)]
    {
        from.run(&format!(
            "CREATE TABLE bad{at} (id INT NOT NULL PRIMARY KEY, v VARCHAR(10) CHARACTER SET {charset});\nINSERT INTO bad{at} VALUES (1, 'good'), (7, x'{bytes}');\n"
        ))
        .await;
        let mut source = from.connect().await;
        let ask = |what: &str| format!("SELECT {what} FROM bad{at} WHERE id = 7");
        let stored: String = sqlx::query_scalar(sqlx::AssertSqlSafe(ask("LOWER(HEX(v))"))).fetch_one(&mut source).await.unwrap();
        assert_eq!(stored, bytes, "{charset}");
        let shown: String =
            sqlx::query_scalar(sqlx::AssertSqlSafe(ask("CONVERT(v USING utf8mb4)"))).fetch_one(&mut source).await.unwrap();
        let line = ["run", &from.url, &to.url, "--if-exists", "drop", "--include", &format!("bad{at}")].map(String::from);
        let run = |more: &[&str]| line.iter().cloned().chain(more.iter().map(|word| (*word).to_string())).collect::<Vec<_>>();
        let refused = run(&[]);
        let refused: Vec<&str> = refused.iter().map(String::as_str).collect();
        ferry(&refused).code(2).complains(&[
            &format!("bad{at}.v`: 1 text is not valid in its character set, for example where id = 7"),
            "invalid_text = \"replace\"",
        ]);
        let failing = run(&["--probe", "off"]);
        let failing: Vec<&str> = failing.iter().map(String::as_str).collect();
        let failed = report(1, &failing);
        let error = table(&failed, &format!("bad{at}"))["errors"][0].as_str().unwrap_or_default().to_string();
        // S4: an `invalid_text`, with key and bytes.
        assert!(error.contains("(id = 7)") && error.contains(&format!("0x{}", hex(&shown))), "{error}");
        let file = MappingFile::new(&format!("[[table]]\nname = \"bad{at}\"\ninvalid_text = \"replace\"\n"));
        let path = file.path();
        let settled = run(&["-m", &path, "--verify", "full"]);
        let settled: Vec<&str> = settled.iter().map(String::as_str).collect();
        let done = report(0, &settled);
        assert_eq!(losses(&done, &format!("bad{at}")), ["v invalid_text replace 1"]);
        to.holds(&format!("bad{at}"), "id = 7", &["v"], &format!("'{shown}'")).await;
        to.holds(&format!("bad{at}"), "id = 1", &["v"], "'good'").await;
    }
    from.drop().await;
    to.drop().await;
}

#[tokio::test]
async fn bytes_that_are_no_text_are_refused_with_their_digits() {
    let from = MySqlDatabase::create(
        "CREATE TABLE a (id INT NOT NULL PRIMARY KEY, v VARCHAR(10) CHARACTER SET ascii);
INSERT INTO a VALUES (1, 'good'), (7, x'61ff62'), (8, NULL);
",
    )
    .await;
    let to = PostgresDatabase::create("").await;
    if !is_maria(&from).await {
        // S5: MySQL has cut the text there when it was written, and what is left is carried.
        report(0, &["run", &from.url, &to.url, "--verify", "full"]);
        to.holds("a", "id = 7", &["v"], "'a'").await;
        from.drop().await;
        to.drop().await;
        return;
    }
    ferry(&["run", &from.url, &to.url])
        .code(2)
        .complains(&["a.v`: 1 text is not valid in its character set, for example where id = 7"]);
    has_nothing(&to).await;
    let failed = report(1, &["run", &from.url, &to.url, "--probe", "off"]);
    let error = table(&failed, "a")["errors"][0].as_str().unwrap_or_default().to_string();
    // S5: table, column, key, the digits, and the line.
    for part in ["a.v` (id = 7)", "not valid UTF-8 at byte 2: 0xff62", "[table.columns.v]\ninvalid_text = \"replace\""] {
        assert!(error.contains(part), "no `{part}` in {error}");
    }
    assert_eq!(to.value("SELECT count(*) FROM a").await.as_deref(), Some("0"));
    let file = MappingFile::new("[[table]]\nname = \"a\"\ninvalid_text = \"replace\"\n");
    let done = report(0, &["run", &from.url, &to.url, "-m", &file.path(), "--if-exists", "drop", "--verify", "full"]);
    // S5: replaced by U+FFFD, and counted.
    assert_eq!(losses(&done, "a"), ["v invalid_text replace 1"]);
    assert_eq!(utf8_hex(&to, "v", "a", 7).await, hex("a\u{fffd}b"));
    let file = MappingFile::new("[[table]]\nname = \"a\"\non_error = \"reject\"\n");
    let done = report(1, &["run", &from.url, &to.url, "-m", &file.path(), "--if-exists", "drop"]);
    assert_eq!((table(&done, "a")["rows"].as_u64(), table(&done, "a")["rejected"].as_u64()), (Some(2), Some(1)));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("r.json");
    let path = path.to_str().unwrap();
    ferry(&["rejects", done["run"].as_str().unwrap(), &to.url, "--export", path]).code(0);
    // S5: or set aside, with each byte.
    assert!(std::fs::read_to_string(path).unwrap().contains("61ff62"));
    from.drop().await;
    to.drop().await;
}

#[tokio::test]
async fn spaces_at_the_end_are_as_the_source_shows_them() {
    let from = MySqlDatabase::create(
        "CREATE TABLE s (id INT NOT NULL PRIMARY KEY, c CHAR(5), v VARCHAR(5), b BINARY(3), t TEXT);
INSERT INTO s VALUES (1, 'ab   ', 'ab   ', 'a', 'ab  '), (2, '     ', '     ', ' ', ' '), (3, '  ab ', '  ab ', '', '');
",
    )
    .await;
    let to = PostgresDatabase::create("").await;
    report(0, &["run", &from.url, &to.url, "--verify", "full"]);
    // S6: a CHAR has lost its spaces in the source already, and is not filled up again; a VARCHAR keeps them.
    to.has_types("s", &[("c", "character varying(5)"), ("v", "character varying(5)"), ("b", "bytea")]).await;
    to.holds("s", "id = 1", &["c", "v", "b", "t"], "'ab', 'ab   ', '\\x610000', 'ab  '").await;
    to.holds("s", "id = 2", &["c", "v", "b", "t"], "'', '     ', '\\x200000', ' '").await;
    to.holds("s", "id = 3", &["c", "v", "b", "t"], "'  ab', '  ab ', '\\x000000', ''").await;
    assert_eq!(to.value("SELECT octet_length(c) FROM s WHERE id = 1").await.as_deref(), Some("2"));
    from.drop().await;
    to.drop().await;
}

#[tokio::test]
async fn keys_that_took_texts_with_spaces_for_the_same_are_told_of() {
    let from = MySqlDatabase::create(
        "CREATE TABLE p (code VARCHAR(9) COLLATE utf8mb4_bin NOT NULL PRIMARY KEY, g VARCHAR(9) COLLATE utf8mb4_general_ci, b VARBINARY(9), UNIQUE KEY g (g), UNIQUE KEY b (b));
CREATE TABLE c (id INT NOT NULL PRIMARY KEY, code VARCHAR(9) COLLATE utf8mb4_bin, CONSTRAINT of_p FOREIGN KEY (code) REFERENCES p (code));
INSERT INTO p VALUES ('a', 'x ', 'k'), ('b ', 'y', 'k ');
INSERT INTO c VALUES (1, 'a'), (2, NULL);
",
    )
    .await;
    let to = PostgresDatabase::create("").await;
    let done = report(0, &["run", &from.url, &to.url, "--verify", "full"]);
    // S7: the bytes are kept, and the keys that then take more are told of; bytes never ignored anything.
    to.holds("p", "code = 'b '", &["g", "b"], "'y', '\\x6b20'").await;
    to.holds("p", "code = 'a'", &["g", "b"], "'x ', '\\x6b'").await;
    assert!(says(&done, "note", "p.PRIMARY").contains("without regard to spaces at its end"), "{:#}", done["problems"]);
    assert!(says(&done, "note", "p.g").contains("'a' beside 'A', and 'a ' beside 'a'"), "{:#}", done["problems"]);
    assert_eq!(says(&done, "note", "p.b"), "");
    to.run("INSERT INTO p VALUES ('a ', NULL, NULL)").await;
    // S7: a foreign key that relied on it is found before anything moves.
    from.run("INSERT INTO c VALUES (3, 'a  '), (4, 'b');").await;
    let to_again = PostgresDatabase::create("").await;
    ferry(&["run", &from.url, &to_again.url]).code(2).complains(&[
        "c.of_p`: 2 rows spell their parent's key in another way, for example where id = ",
        "orphans = \"not_valid\"",
    ]);
    has_nothing(&to_again).await;
    from.drop().await;
    to.drop().await;
    to_again.drop().await;
}

#[tokio::test]
async fn keys_without_case_are_told_of_and_kept_by_choice() {
    let from = MySqlDatabase::create(
        "CREATE TABLE k (id INT NOT NULL PRIMARY KEY, email VARCHAR(30) COLLATE utf8mb4_general_ci, UNIQUE KEY email (email));
INSERT INTO k VALUES (1, 'Ann@x'), (2, 'Jürgen@x'), (3, NULL);
",
    )
    .await;
    let to = PostgresDatabase::create("").await;
    let done = report(0, &["run", &from.url, &to.url, "--verify", "full"]);
    // S8: as it is, the key takes more, and the plan says so with the line.
    assert!(says(&done, "note", "k.email").contains("compared without regard to case in the source"), "{:#}", done["problems"]);
    to.run("INSERT INTO k VALUES (9, 'ANN@x')").await;
    for choice in ["citext", "nondeterministic"] {
        let file = MappingFile::new(&format!("[[table]]\nname = \"k\"\ncolumns.email.collation = \"{choice}\"\n"));
        let done = report(0, &["run", &from.url, &to.url, "-m", &file.path(), "--if-exists", "drop", "--verify", "full"]);
        // S8: kept by choice, and the spelling of each value with it.
        assert_eq!(says(&done, "note", "k.email"), "");
        to.holds("k", "id = 1", &["email::text"], "'Ann@x'").await;
        to.holds("k", "id = 2", &["email::text"], "'Jürgen@x'").await;
        to.refuses("INSERT INTO k VALUES (9, 'ANN@x')", "23505").await;
    }
    from.drop().await;
    to.drop().await;
}

const SPELLED: &str = "CREATE TABLE p (code VARCHAR(9) COLLATE utf8mb4_general_ci NOT NULL PRIMARY KEY);
CREATE TABLE c (id INT NOT NULL PRIMARY KEY, code VARCHAR(9) COLLATE utf8mb4_general_ci, CONSTRAINT of_p FOREIGN KEY (code) REFERENCES p (code));
INSERT INTO p VALUES ('abc'), ('Def');
INSERT INTO c VALUES (1, 'abc'), (2, 'ABC'), (3, 'def'), (4, NULL);
";

#[tokio::test]
async fn a_child_that_spells_its_parents_key_otherwise_is_found_and_never_deleted() {
    let from = MySqlDatabase::create(SPELLED).await;
    let to = PostgresDatabase::create("").await;
    // S9: found before anything moves, with the ways out.
    ferry(&["run", &from.url, &to.url]).code(2).complains(&[
        "c.of_p`: 2 rows spell their parent's key in another way, for example where id = ",
        "Write the parent's spelling in the source",
        "columns.code.collation = \"citext\"",
        "orphans = \"not_valid\"",
    ]);
    has_nothing(&to).await;
    let file = MappingFile::new("[[table]]\nname = \"c\"\norphans = \"not_valid\"\n");
    report(0, &["run", &from.url, &to.url, "-m", &file.path(), "--verify", "full"]);
    // S9: each child is there as it was, under a foreign key for what comes.
    assert_eq!(to.value("SELECT string_agg(code, ',' ORDER BY id) FROM c").await.as_deref(), Some("abc,ABC,def"));
    assert_eq!(to.value("SELECT convalidated FROM pg_constraint WHERE conname = 'of_p'").await.as_deref(), Some("false"));
    to.refuses("INSERT INTO c VALUES (9, 'ABC')", "23503").await;
    // S9: text without case keeps the spelling and the foreign key.
    let file = MappingFile::new(
        "[[table]]\nname = \"p\"\ncolumns.code.collation = \"citext\"\n\n[[table]]\nname = \"c\"\ncolumns.code.collation = \"citext\"\n",
    );
    report(0, &["run", &from.url, &to.url, "-m", &file.path(), "--if-exists", "drop", "--verify", "full"]);
    assert_eq!(to.value("SELECT string_agg(code::text, ',' ORDER BY id) FROM c").await.as_deref(), Some("abc,ABC,def"));
    assert_eq!(to.value("SELECT convalidated FROM pg_constraint WHERE conname = 'of_p'").await.as_deref(), Some("true"));
    // S9: and so does the parent's spelling, written in the source.
    from.run("UPDATE c JOIN p ON p.code = c.code SET c.code = p.code WHERE BINARY c.code <> BINARY p.code;").await;
    report(0, &["run", &from.url, &to.url, "--if-exists", "drop", "--verify", "full"]);
    assert_eq!(to.value("SELECT string_agg(code, ',' ORDER BY id) FROM c").await.as_deref(), Some("abc,abc,Def"));
    assert_eq!(to.value("SELECT convalidated FROM pg_constraint WHERE conname = 'of_p'").await.as_deref(), Some("true"));
    from.drop().await;
    to.drop().await;
}

#[tokio::test]
async fn no_order_of_texts_decides_what_is_carried() {
    // Letters that collations put in other places, or take for one another.
    let letters = ["a", "A", "ä", "Ä", "z", "Z", "ß", "ss", "é", "E", "_", "-", "10", "9", "я", "日", "😀", "ch", "ll", "ø"];
    for collation in ["utf8mb4_general_ci", "utf8mb4_swedish_ci", "utf8mb4_unicode_ci", "utf8mb4_bin"] {
        let rows: String = (0..1500)
            .map(|at| format!("('{}{at:04}', {at}, REPEAT('x', 3000))", letters[at % letters.len()]))
            .collect::<Vec<_>>()
            .join(", ");
        let from = MySqlDatabase::create(&format!(
            "CREATE TABLE o (k VARCHAR(20) CHARACTER SET utf8mb4 COLLATE {collation} NOT NULL PRIMARY KEY, n INT NOT NULL, filler TEXT);
INSERT INTO o VALUES {rows};
ANALYZE TABLE o;
"
        ))
        .await;
        let to = PostgresDatabase::create("").await;
        let done = report(0, &["run", &from.url, &to.url, "--verify", "full", "--chunk", "1MiB"]);
        // S10: several chunks by a text key, each row once, and verified without an order.
        assert!(table(&done, "o")["chunks"].as_u64().unwrap() > 1, "{done:#}");
        assert_eq!(table(&done, "o")["outcome"], "verified");
        let found = "SELECT count(*) || ' ' || count(DISTINCT n) || ' ' || sum(n) FROM o WHERE right(k, 4)::int = n";
        assert_eq!(to.value(found).await.as_deref(), Some("1500 1500 1124250"), "{collation}");
        from.drop().await;
        to.drop().await;
    }
}

#[tokio::test]
async fn lengths_count_characters() {
    let from = MySqlDatabase::create(
        "CREATE TABLE l (id INT NOT NULL PRIMARY KEY, v VARCHAR(3), c CHAR(3), s VARCHAR(3) CHARACTER SET sjis, l VARCHAR(255) CHARACTER SET latin1, b VARBINARY(3));
INSERT INTO l VALUES (1, '日本語', '日本語', '日本語', REPEAT('ü', 255), 'abc'), (2, '😀😀😀', '😀', 'abc', '', '');
",
    )
    .await;
    let to = PostgresDatabase::create("").await;
    report(0, &["run", &from.url, &to.url, "--verify", "full"]);
    // S11: the number is one of characters on both sides.
    to.has_types("l", &[("v", "character varying(3)"), ("s", "character varying(3)"), ("l", "character varying(255)")]).await;
    to.holds("l", "id = 1", &["v", "c", "s", "l"], "'日本語', '日本語', '日本語', repeat('ü', 255)").await;
    to.holds("l", "id = 2", &["v", "c", "s"], "'😀😀😀', '😀', 'abc'").await;
    assert_eq!(to.value("SELECT octet_length(v) FROM l WHERE id = 2").await.as_deref(), Some("12"));
    to.refuses("INSERT INTO l (id, v) VALUES (3, 'abcd')", "22001").await;
    from.drop().await;
    to.drop().await;
}

#[tokio::test]
async fn nothing_the_empty_text_and_words_for_nothing_stay_apart() {
    let from = MySqlDatabase::create(
        r#"CREATE TABLE n (id INT NOT NULL PRIMARY KEY, v VARCHAR(9), b VARBINARY(9), t TEXT NOT NULL);
INSERT INTO n VALUES (1, '', '', ''), (2, NULL, NULL, 'NULL'), (3, 'NULL', 'NULL', '\\N'), (4, '\\N', '\\N', 'null'), (5, 'null', 'None', 'nil'), (6, '\\\\N', '\N', '""');
"#,
    )
    .await;
    let to = PostgresDatabase::create("").await;
    report(0, &["run", &from.url, &to.url, "--verify", "full"]);
    // S12: each is what it was.
    for (id, values) in [
        (1, "'', '', ''"),
        (2, "NULL, NULL, 'NULL'"),
        (3, "'NULL', 'NULL', '\\N'"),
        (4, "'\\N', '\\\\N', 'null'"),
        (5, "'null', 'None', 'nil'"),
        (6, "'\\\\N', 'N', '\"\"'"),
    ] {
        to.holds("n", &format!("id = {id}"), &["v", "b", "t"], values).await;
    }
    assert_eq!(to.value("SELECT count(*) FROM n WHERE v IS NULL").await.as_deref(), Some("1"));
    from.drop().await;
    to.drop().await;
}

#[tokio::test]
async fn characters_that_formats_use_as_marks_are_text() {
    let texts = [
        "a\tb",
        "a\nb",
        "a\r\nb",
        "\r",
        "\\",
        "\\.",
        "\\.\n",
        "a\\nb",
        "\"",
        "''",
        ",;|",
        "{a,b}",
        "\u{1}\u{1a}\u{7f}",
        "\u{feff}x",
        "\u{2028}",
    ];
    let rows: String =
        texts.iter().enumerate().map(|(id, text)| format!("INSERT INTO m VALUES ({id}, x'{0}', x'{0}');\n", hex(text))).collect();
    let from = MySqlDatabase::create(&format!("CREATE TABLE m (id INT NOT NULL PRIMARY KEY, t TEXT, b BLOB);\n{rows}")).await;
    let to = PostgresDatabase::create("").await;
    report(0, &["run", &from.url, &to.url, "--verify", "full"]);
    for (id, text) in (0u32..).zip(&texts) {
        // S13: no row is split, and no sign is taken for a mark.
        assert_eq!(utf8_hex(&to, "t", "m", id).await, hex(text), "{text:?}");
        assert_eq!(to.value(&format!("SELECT encode(b, 'hex') FROM m WHERE id = {id}")).await, Some(hex(text)));
    }
    assert_eq!(to.value("SELECT count(*) FROM m").await.as_deref(), Some("15"));
    from.drop().await;
    to.drop().await;
}

#[tokio::test]
async fn names_labels_and_comments_arrive_whatever_the_character_set_of_table_and_client() {
    let from = MySqlDatabase::create(
        "CREATE TABLE `Größe` (`Straße` INT NOT NULL PRIMARY KEY COMMENT 'Länge in Meter', `имя` VARCHAR(9) CHARACTER SET cp1251 COMMENT '日本語',
  farbe ENUM('grün','weiß') CHARACTER SET latin1, jp ENUM('日本','本') CHARACTER SET sjis, em SET('😀','ä') CHARACTER SET utf8mb4, KEY `индекс` (`имя`)) DEFAULT CHARSET=latin1 COMMENT='Здравствуй, 世界';
INSERT INTO `Größe` VALUES (1, 'Мир', 'weiß', '本', '😀,ä'), (2, NULL, 'grün', '日本', '');
SET character_set_client = cp1251;
CREATE TABLE `naïve` (`é` INT NOT NULL PRIMARY KEY COMMENT 'ü');
INSERT INTO `naïve` VALUES (3);
",
    )
    .await;
    let to = PostgresDatabase::create("").await;
    report(0, &["run", &from.url, &to.url, "--verify", "full"]);
    // S15: names of tables, columns, indexes and labels, and comments.
    to.holds(
        "\"Größe\"",
        "\"Straße\" = 1",
        &["\"имя\"", "farbe::text", "jp::text", "em"],
        "'Мир', 'weiß', '本', ARRAY['😀','ä']",
    )
    .await;
    to.holds(
        "\"Größe\"",
        "\"Straße\" = 2",
        &["\"имя\"", "farbe::text", "jp::text", "em"],
        "NULL, 'grün', '日本', ARRAY[]::text[]",
    )
    .await;
    for (sql, text) in [
        ("SELECT obj_description('\"Größe\"'::regclass)", "Здравствуй, 世界"),
        ("SELECT col_description('\"Größe\"'::regclass, 1)", "Länge in Meter"),
        ("SELECT col_description('\"Größe\"'::regclass, 2)", "日本語"),
        ("SELECT 'индекс'::regclass::text", "\"индекс\""),
    ] {
        assert_eq!(to.value(sql).await.as_deref(), Some(text), "{sql}");
    }
    // S15: a client that spoke another character set made other names of the same bytes, and those are the names.
    assert_eq!(to.value("SELECT \"Г©\" FROM \"naГЇve\"").await.as_deref(), Some("3"));
    assert_eq!(to.value("SELECT col_description('\"naГЇve\"'::regclass, 1)").await.as_deref(), Some("Гј"));
    from.drop().await;
    to.drop().await;
}
