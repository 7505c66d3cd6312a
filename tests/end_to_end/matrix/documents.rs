//! JSON: rows J1 to J4.

use super::{MappingFile, has_nothing, is_maria, losses};
use crate::support::ferry::{ferry, report, table};
use crate::support::{MySqlDatabase, PostgresDatabase};

const ESCAPED: &str = r#"CREATE TABLE j (id INT NOT NULL PRIMARY KEY, j JSON);
INSERT INTO j VALUES (1, '{"a": "x\\u0000y", "k\\u0000": ["\\u0000", "\\\\u0000", "\\u00000"]}'), (2, '"\\\\u0000"'), (3, '{"b": 1}'), (4, NULL), (5, '"\\\\\\u0000"');
"#;

#[tokio::test]
async fn a_nul_in_json_is_refused_kept_as_json_or_stripped() {
    let from = MySqlDatabase::create(ESCAPED).await;
    let to = PostgresDatabase::create("").await;
    // J1: found before anything is made; a backslash that is itself escaped is none.
    ferry(&["run", &from.url, &to.url]).code(2).complains(&[
        "j.j`: 2 JSON texts have a NUL character in them, for example where id = ",
        "[table.columns.j]\njson = \"strip\"",
    ]);
    has_nothing(&to).await;
    // J1: and while it moves, with the key.
    let failed = report(1, &["run", &from.url, &to.url, "--probe", "off"]);
    let error = table(&failed, "j")["errors"][0].as_str().unwrap_or_default().to_string();
    for part in ["j.j` (id = 1)", "U+0000", "json = \"json\"  # or \"strip\""] {
        assert!(error.contains(part), "no `{part}` in {error}");
    }
    assert_eq!(to.value("SELECT count(*) FROM j").await.as_deref(), Some("0"));
    // J1: stripped, and counted.
    let file = MappingFile::new("[[table]]\nname = \"j\"\n[table.columns.j]\njson = \"strip\"\n");
    ferry(&["plan", &from.url, &to.url, "-m", &file.path(), "--if-exists", "drop"])
        .code(0)
        .prints(&["2 JSON texts have a NUL character in them", "they are carried without it by `json`"]);
    let done = report(0, &["run", &from.url, &to.url, "-m", &file.path(), "--if-exists", "drop", "--verify", "full"]);
    assert_eq!(losses(&done, "j"), ["j nul_byte strip 2"]);
    to.has_types("j", &[("j", "jsonb")]).await;
    for (id, value) in [
        (1, r#"'{"a": "xy", "k": ["", "\\u0000", "0"]}'"#),
        (2, r#"'"\\u0000"'"#),
        (3, r#"'{"b": 1}'"#),
        (4, "NULL"),
        (5, r#"'"\\"'"#),
    ] {
        to.holds("j", &format!("id = {id}"), &["j"], value).await;
    }
    ferry(&["verify", &from.url, &to.url, "-m", &file.path(), "--level", "full"]).code(0);
    ferry(&["run", &from.url, &to.url, "-m", &file.path(), "--if-exists", "drop", "--max-loss", "1"]).code(1);
    // J1: kept, as json.
    let file = MappingFile::new("[[type]]\nmatch = { type = \"json\" }\njson = \"json\"\n");
    let done = report(0, &["run", &from.url, &to.url, "-m", &file.path(), "--if-exists", "drop", "--verify", "full"]);
    assert_eq!(losses(&done, "j"), Vec::<String>::new());
    to.has_types("j", &[("j", "json")]).await;
    assert_eq!(to.value("SELECT position('\\u0000' in j::text) > 0 FROM j WHERE id = 1").await.as_deref(), Some("true"));
    from.drop().await;
    to.drop().await;
}

#[tokio::test]
async fn numbers_in_json_keep_each_digit() {
    let from = MySqlDatabase::create(
        r#"CREATE TABLE n (id INT NOT NULL PRIMARY KEY, j JSON);
INSERT INTO n VALUES (1, '18446744073709551615'), (2, '[1.0, 1, 0.1, -0.0, 1e2]'), (3, '9007199254740993');
"#,
    )
    .await;
    let maria = is_maria(&from).await;
    if maria {
        from.run("INSERT INTO n VALUES (4, '123456789012345678901234567890.123456789'), (5, '1e400'), (6, '0.1000000000000000055511151231257827');")
            .await;
    } else {
        // Read as a double when it is written.
        from.run("INSERT INTO n VALUES (4, '123456789012345678901234567890');").await;
    }
    let to = PostgresDatabase::create("").await;
    report(0, &["run", &from.url, &to.url, "--verify", "full"]);
    // J2: jsonb keeps numbers as decimals; 1.0 and 1 are one number.
    to.holds("n", "id = 1", &["j"], "'18446744073709551615'").await;
    to.holds("n", "id = 2", &["j"], "'[1, 1.0, 0.1, 0, 100]'").await;
    to.holds("n", "id = 3", &["j"], "'9007199254740993'").await;
    if maria {
        assert_eq!(
            to.value("SELECT j::text FROM n WHERE id = 4").await.as_deref(),
            Some("123456789012345678901234567890.123456789")
        );
        to.holds("n", "id = 5", &["j"], &format!("'1{}'", "0".repeat(400))).await;
        assert_eq!(to.value("SELECT j::text FROM n WHERE id = 6").await.as_deref(), Some("0.1000000000000000055511151231257827"));
    } else {
        to.holds("n", "id = 4", &["j"], "'1.2345678901234568e29'").await;
    }
    from.drop().await;
    to.drop().await;
}

#[tokio::test]
async fn what_jsonb_would_drop_is_refused_or_stays_json() {
    let from = MySqlDatabase::create(
        r#"CREATE TABLE fine (id INT NOT NULL PRIMARY KEY, j JSON);
INSERT INTO fine VALUES (1, '{ "b" :1,   "a":[ true , null ] }');
CREATE TABLE twice (id INT NOT NULL PRIMARY KEY, j JSON);
INSERT INTO twice VALUES (7, '{"a": 1, "b": {"c": 1, "c": 2}}');
"#,
    )
    .await;
    let to = PostgresDatabase::create("").await;
    report(0, &["run", &from.url, &to.url, "--include", "fine", "--verify", "full"]);
    // J3: the order of keys and white space are not a part of the value.
    to.holds("fine", "id = 1", &["j"], r#"'{"a": [true, null], "b": 1}'"#).await;
    if !is_maria(&from).await {
        // MySQL has dropped the first of the two when the value was written.
        report(0, &["run", &from.url, &to.url, "--include", "twice", "--verify", "full"]);
        to.holds("twice", "id = 7", &["j"], r#"'{"a": 1, "b": {"c": 2}}'"#).await;
        from.drop().await;
        to.drop().await;
        return;
    }
    from.run("CREATE TABLE huge (id INT NOT NULL PRIMARY KEY, j JSON);\nINSERT INTO huge VALUES (7, '[1e400000]');").await;
    for (name, why) in [("twice", "names the key `c` twice"), ("huge", "more digits than `jsonb` keeps")] {
        let failed = report(1, &["run", &from.url, &to.url, "--include", name]);
        let error = table(&failed, name)["errors"][0].as_str().unwrap_or_default().to_string();
        // J3: a key that stands twice, and a number that jsonb cannot keep, are refused with the line.
        for part in [&format!("{name}.j` (id = 7)"), why, "[table.columns.j]\njson = \"json\""] {
            assert!(error.contains(part), "no `{part}` in {error}");
        }
        assert_eq!(to.value(&format!("SELECT count(*) FROM {name}")).await.as_deref(), Some("0"));
        let file = MappingFile::new(&format!("[[table]]\nname = \"{name}\"\n[table.columns.j]\njson = \"json\"\n"));
        let line = ["run", &from.url, &to.url, "-m", &file.path(), "--include", name, "--if-exists", "drop", "--verify", "full"]
            .map(String::from);
        let done = report(0, &line.each_ref().map(String::as_str));
        assert_eq!(losses(&done, name), Vec::<String>::new());
    }
    // J3: json keeps the text as it is.
    assert_eq!(to.value("SELECT j::text FROM twice").await.as_deref(), Some(r#"{"a": 1, "b": {"c": 1, "c": 2}}"#));
    assert_eq!(to.value("SELECT j::text FROM huge").await.as_deref(), Some("[1e400000]"));
    from.drop().await;
    to.drop().await;
}

#[tokio::test]
async fn json_is_found_where_it_is_a_text_with_a_check() {
    let from = MySqlDatabase::create(
        r#"CREATE TABLE j (id INT NOT NULL PRIMARY KEY, j JSON NOT NULL, l LONGTEXT CHECK (json_valid(`l`)), plain LONGTEXT, d JSON DEFAULT NULL);
INSERT INTO j (id, j, l, plain) VALUES (1, '{"a": "\\"q\\" é 😀"}', '[1]', '{"a": 1}'), (2, '"text"', 'null', 'not json'), (3, 'null', NULL, NULL);
"#,
    )
    .await;
    let maria = is_maria(&from).await;
    let to = PostgresDatabase::create("").await;
    report(0, &["run", &from.url, &to.url, "--verify", "full"]);
    // J4: a document, and no text in quotes; text without the check stays text.
    to.has_types("j", &[("j", "jsonb"), ("l", if maria { "jsonb" } else { "text" }), ("plain", "text")]).await;
    to.holds("j", "id = 1", &["j", "plain"], r#"'{"a": "\"q\" é 😀"}', '{"a": 1}'"#).await;
    assert_eq!(to.value("SELECT jsonb_typeof(j) FROM j WHERE id = 1").await.as_deref(), Some("object"));
    assert_eq!(to.value("SELECT jsonb_typeof(j) FROM j WHERE id = 2").await.as_deref(), Some("string"));
    // J4: the document `null` is no NULL.
    assert_eq!(to.value("SELECT jsonb_typeof(j) || ' ' || (l IS NULL) FROM j WHERE id = 3").await.as_deref(), Some("null true"));
    if maria {
        to.holds("j", "id = 1", &["l"], "'[1]'").await;
    }
    from.drop().await;
    to.drop().await;
}
