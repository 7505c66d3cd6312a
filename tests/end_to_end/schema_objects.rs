//! Checks, generated columns, defaults, triggers, indexes and types by choice: what PostgreSQL does with them, carried by the real command.

use serde_json::Value;

use crate::support::ferry::{ferry, report};
use crate::support::{MySqlDatabase, PostgresDatabase};

const ORDERS: &str = "
CREATE TABLE orders (
  id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, status VARCHAR(10) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci NOT NULL DEFAULT 'new',
  price DECIMAL(10,2) NOT NULL, quantity INT NOT NULL, note VARCHAR(100), body TEXT, code CHAR(36) DEFAULT (UUID()),
  low INT DEFAULT (1 + 2), active TINYINT(1) NOT NULL DEFAULT 1, size ENUM('s','l') NOT NULL DEFAULT 's', ordered DATE,
  total DECIMAL(12,2) AS (price * quantity) STORED, ratio DOUBLE AS (quantity / 4e0) STORED, third DECIMAL(12,8) AS (quantity / 3) STORED,
  label VARCHAR(120) AS (CONCAT(status, ':', quantity)) VIRTUAL, big INT AS (IF(quantity > 5, 1, 0)) STORED,
  hashed VARCHAR(32) AS (MD5(note)) STORED, again DECIMAL(12,2) AS (price + 1) STORED,
  changed TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3) ON UPDATE CURRENT_TIMESTAMP(3), touched DATETIME NULL ON UPDATE CURRENT_TIMESTAMP,
  KEY total (total), FULLTEXT KEY words (note, body),
  CONSTRAINT known_status CHECK (status IN ('new', 'paid')),
  CONSTRAINT positive CHECK (quantity > 0 AND price BETWEEN 0 AND 1000),
  CONSTRAINT is_active CHECK (active),
  CONSTRAINT large CHECK (size = 's' OR quantity > 1),
  CONSTRAINT hash CHECK (MD5(note) <> 'x'),
  CONSTRAINT recent CHECK (ordered >= '2000-01-01')
);
INSERT INTO orders (id, status, price, quantity, note, body, ordered, changed, touched) VALUES
  (1, 'new', 1.05, 3, 'red Apple', 'a b', '2020-01-01', '2020-01-01 00:00:00.123', '2020-01-01'), (2, 'PAID', 10.00, 7, NULL, NULL, NULL, '2020-01-01', NULL);
";

fn names(report: &Value, severity: &str, object: &str) -> Vec<String> {
    let problems = report["problems"].as_array().unwrap();
    let of = |problem: &&Value| problem["severity"] == severity && problem["object"].as_str().unwrap() == object;
    problems.iter().filter(of).map(|problem| problem["name"].as_str().unwrap().rsplit('.').next().unwrap().to_string()).collect()
}

#[tokio::test]
async fn checks_defaults_generated_columns_and_triggers_act_as_in_the_source() {
    let from = MySqlDatabase::create(ORDERS).await;
    let to = PostgresDatabase::create("").await;
    let report = report(0, &["run", &from.url, &to.url, "--verify", "full"]);
    assert_eq!(names(&report, "not_carried", "check"), ["hash"], "{:#}", report["problems"]);
    assert_eq!(names(&report, "not_carried", "generated column"), ["third", "hashed"], "{:#}", report["problems"]);
    assert_eq!(names(&report, "note", "check"), ["known_status"], "{:#}", report["problems"]);
    assert!(names(&report, "not_carried", "default").is_empty() && names(&report, "not_carried", "on update").is_empty());

    // K5: all validated, and each refuses what the source refuses.
    let valid = "SELECT string_agg(conname, ',' ORDER BY conname) FROM pg_constraint WHERE contype = 'c' AND convalidated AND conrelid = 'orders'::regclass";
    assert_eq!(to.value(valid).await.as_deref(), Some("is_active,known_status,large,positive,recent"));
    let insert = |columns: &str, values: &str| format!("INSERT INTO orders (price, quantity, {columns}) VALUES (1, 2, {values})");
    for (columns, values) in [("status", "'gone'"), ("active", "false"), ("ordered", "'1999-12-31'")] {
        to.refuses(&insert(columns, values), "23514").await;
    }
    to.refuses("INSERT INTO orders (price, quantity) VALUES (1, 0)", "23514").await;
    to.refuses("INSERT INTO orders (price, quantity, size) VALUES (1, 1, 'l')", "23514").await;
    to.run(&insert("status, ordered", "'Paid ', NULL")).await;

    // C4: defaults that are expressions. C1: columns that are computed.
    to.holds(
        "orders",
        "status = 'Paid '",
        &["low", "total", "ratio", "label", "big", "again"],
        "3, 2.00, 0.5, 'Paid :2', 0, 2.00",
    )
    .await;
    assert_eq!(to.value("SELECT length(code) FROM orders WHERE status = 'Paid '").await.as_deref(), Some("36"));
    to.holds("orders", "id = 2", &["total", "label", "big", "hashed"], "70.00, 'PAID:7', 1, NULL").await;
    to.refuses("UPDATE orders SET total = 5 WHERE id = 1", "428C9").await;
    let kinds = "SELECT string_agg(attname, ',' ORDER BY attnum) FROM pg_attribute WHERE attrelid = 'orders'::regclass AND attgenerated <> ''";
    assert_eq!(to.value(kinds).await.as_deref(), Some("total,ratio,label,big,again"));

    // C3: only when the row changes and the statement does not set the column.
    let state = "SELECT (changed = '2020-01-01 00:00:00.123+00') || ' ' || (touched = '2020-01-01') FROM orders WHERE id = 1";
    assert_eq!(to.value(state).await.as_deref(), Some("true true"), "the copy has set it");
    to.run("UPDATE orders SET quantity = quantity").await;
    assert_eq!(to.value(state).await.as_deref(), Some("true true"), "nothing has changed");
    to.run("UPDATE orders SET quantity = 4, changed = changed WHERE id = 1").await;
    assert_eq!(to.value(state).await.as_deref(), Some("true false"), "set to what it was");
    to.run("UPDATE orders SET note = 'Red apple' WHERE id = 1").await;
    assert_eq!(to.value(state).await.as_deref(), Some("false false"));
    let now = "SELECT now() - changed BETWEEN '-1 second' AND '1 minute' AND touched = date_trunc('second', touched) FROM orders WHERE id = 1";
    assert_eq!(to.value(now).await.as_deref(), Some("true"));
    to.run("UPDATE orders SET quantity = 5, changed = '2021-01-01' WHERE id = 1").await;
    assert_eq!(to.value("SELECT changed = '2021-01-01+00' FROM orders WHERE id = 1").await.as_deref(), Some("true"));
    to.run("UPDATE orders SET quantity = 6 WHERE id = 2").await;
    assert_eq!(to.value("SELECT touched IS NOT NULL FROM orders WHERE id = 2").await.as_deref(), Some("true"), "it was NULL");

    // X4: words.
    let index = to.value("SELECT pg_get_indexdef('words'::regclass)").await.unwrap();
    assert!(index.contains("USING gin (to_tsvector('simple'::regconfig"), "{index}");
    let found = "SELECT string_agg(id::text, ',') FROM orders
        WHERE to_tsvector('simple', coalesce(note::text, '') || ' ' || coalesce(body, '')) @@ to_tsquery('simple', 'apple & b')";
    assert_eq!(to.value(found).await.as_deref(), Some("1"));
    // All of it again in the place of the first: functions and triggers go with their table.
    ferry(&["run", &from.url, &to.url, "--if-exists", "drop"]).code(0);
    ferry(&["run", &from.url, &to.url, "--if-exists", "truncate"]).code(0);
    ferry(&["verify", &from.url, &to.url]).code(0);
    from.drop().await;
    to.drop().await;
}

#[tokio::test]
async fn columns_that_foreign_keys_join_get_one_type_and_a_rule_pulls_the_others_along() {
    let from = MySqlDatabase::create(
        "CREATE TABLE a (id INT UNSIGNED NOT NULL PRIMARY KEY, kind ENUM('x','y') NOT NULL, code CHAR(4) NOT NULL, UNIQUE (kind), UNIQUE (code));
CREATE TABLE b (id INT UNSIGNED NOT NULL PRIMARY KEY, kind ENUM('x','y'), code VARCHAR(8), CONSTRAINT b_a FOREIGN KEY (id) REFERENCES a (id),
  CONSTRAINT b_kind FOREIGN KEY (kind) REFERENCES a (kind), CONSTRAINT b_code FOREIGN KEY (code) REFERENCES a (code));
CREATE TABLE c (b_id INT UNSIGNED, CONSTRAINT c_b FOREIGN KEY (b_id) REFERENCES b (id));
INSERT INTO a VALUES (1, 'x', 'k'), (4000000000, 'y', 'l');
INSERT INTO b VALUES (4000000000, 'y', 'k');
INSERT INTO c VALUES (4000000000), (NULL);
",
    )
    .await;
    let to = PostgresDatabase::create("").await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("m.toml");
    let mapping = file.to_str().unwrap();
    std::fs::write(&file, "[[table]]\nname = \"b\"\ncolumns.id.to = \"numeric(12,0)\"\n").unwrap();
    let plan = ferry(&["plan", &from.url, &to.url, "-m", mapping]).code(0);
    assert!(plan.out.contains("since a foreign key joins them"), "{}", plan.out);
    let report = report(0, &["run", &from.url, &to.url, "-m", mapping, "--verify", "full"]);
    assert!(names(&report, "not_carried", "foreign key").is_empty(), "{:#}", report["problems"]);
    for (table, column) in [("a", "id"), ("b", "id"), ("c", "b_id")] {
        to.has_types(table, &[(column, "numeric(12,0)")]).await;
    }
    to.has_types("a", &[("kind", "a_kind"), ("code", "character varying(8)")]).await;
    to.has_types("b", &[("kind", "a_kind"), ("code", "character varying(8)")]).await;
    assert_eq!(to.value("SELECT count(*) FROM pg_constraint WHERE contype = 'f' AND convalidated").await.as_deref(), Some("4"));
    to.refuses("INSERT INTO b VALUES (1, 'x', 'z')", "23503").await;
    std::fs::write(
        &file,
        "[[table]]\nname = \"b\"\ncolumns.id.to = \"numeric(12,0)\"\n[[table]]\nname = \"c\"\ncolumns.b_id.to = \"bigint\"\n",
    )
    .unwrap();
    ferry(&["plan", &from.url, &to.url, "-m", mapping]).code(2).complains(&[
        "different types",
        "b.id",
        "c.b_id",
        "m.toml:3",
        "m.toml:6",
    ]);
    from.drop().await;
    to.drop().await;
}

#[tokio::test]
async fn text_without_case_enumerations_and_copies_are_made_as_the_mapping_chooses() {
    let from = MySqlDatabase::create(
        "CREATE TABLE people (email VARCHAR(20) COLLATE utf8mb4_general_ci NOT NULL PRIMARY KEY, nick VARCHAR(9) COLLATE utf8mb4_general_ci NOT NULL,
  level ENUM('low','high') NOT NULL, twice INT AS (CHAR_LENGTH(nick) * 2) STORED, about TEXT, UNIQUE KEY nick (nick), FULLTEXT KEY about (about),
  CONSTRAINT named CHECK (nick <> ''));
INSERT INTO people (email, nick, level, about) VALUES ('A@x', 'Ann', 'high', 'running');
",
    )
    .await;
    let to = PostgresDatabase::create("").await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("m.toml");
    let mapping = file.to_str().unwrap();
    let plain = report(0, &["run", &from.url, &to.url]);
    assert_eq!(names(&plain, "note", "unique key"), ["PRIMARY", "nick"], "S8: {:#}", plain["problems"]);
    to.run("INSERT INTO people VALUES ('a@X', 'ANN', 'low')").await;
    std::fs::write(
        &file,
        "[objects]\nenum = \"text\"\ncollation = \"citext\"\nfulltext = \"english\"\n[[table]]\nname = \"people\"\n\
         columns.nick.collation = \"nondeterministic\"\ncolumns.twice.generated = \"copy\"\n",
    )
    .unwrap();
    let chosen = report(0, &["run", &from.url, &to.url, "-m", mapping, "--if-exists", "drop", "--verify", "full"]);
    assert!(names(&chosen, "note", "unique key").is_empty(), "{:#}", chosen["problems"]);
    to.has_types("people", &[("email", "citext"), ("nick", "character varying(9)"), ("level", "text")]).await;
    to.refuses("INSERT INTO people VALUES ('a@X', 'Bob', 'low')", "23505").await;
    to.refuses("INSERT INTO people VALUES ('b', 'ÁNN', 'low')", "23505").await;
    to.refuses("INSERT INTO people VALUES ('b', 'Bob', 'middle')", "23514").await;
    to.refuses("INSERT INTO people VALUES ('b', '', 'low')", "23514").await;
    to.refuses(&format!("INSERT INTO people VALUES ('{}', 'Bob', 'low')", "x".repeat(21)), "23514").await;
    to.run("INSERT INTO people VALUES ('b', 'Bob', 'low', 77)").await;
    assert_eq!(to.value("SELECT twice FROM people WHERE email = 'a@X'").await.as_deref(), Some("6"));
    let index = to.value("SELECT pg_get_indexdef('about'::regclass)").await.unwrap();
    assert!(index.contains("'english'::regconfig"), "{index}");
    std::fs::write(&file, "[objects]\nfulltext = \"klingon\"\n").unwrap();
    let plan = ferry(&["run", &from.url, &to.url, "-m", mapping, "--if-exists", "drop"]).code(2);
    plan.complains(&["klingon", "english"]);
    from.drop().await;
    to.drop().await;
}
