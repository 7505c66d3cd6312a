//! Enumerations and sets: rows E1 to E5.

use super::{MappingFile, has_nothing, losses, says};
use crate::support::ferry::{ferry, report, table};
use crate::support::{MySqlDatabase, PostgresDatabase};

#[tokio::test]
async fn the_error_value_of_an_enumeration_is_refused_or_goes_by_policy() {
    let from = MySqlDatabase::create(
        "CREATE TABLE e (id INT NOT NULL PRIMARY KEY, n ENUM('a','b'), x ENUM('a','b') NOT NULL, w ENUM('','b'));
INSERT IGNORE INTO e VALUES (1, 'a', 'b', ''), (2, 'zzz', 'zzz', 'zzz'), (3, NULL, 'a', NULL);
",
    )
    .await;
    let to = PostgresDatabase::create("").await;
    // E1: found before anything is made; '' as a label of its own is none.
    let said = ferry(&["run", &from.url, &to.url]).code(2);
    for column in ["n", "x", "w"] {
        let why = format!("e.{column}`: 1 value is '' with index 0, which is no label, for example where id = 2");
        assert!(said.err.contains(&why), "{}", said.err);
    }
    said.complains(&["[table.columns.n]\nenum_empty = \"null\"", "enum_empty = \"null\"\nnullable = true"]);
    has_nothing(&to).await;
    // E1: and while it moves.
    let failed = report(1, &["run", &from.url, &to.url, "--probe", "off"]);
    let error = table(&failed, "e")["errors"][0].as_str().unwrap_or_default().to_string();
    assert!(error.contains("e.n` (id = 2)") && error.contains("enum_empty = \"null\""), "{error}");
    assert_eq!(to.value("SELECT count(*) FROM e").await.as_deref(), Some("0"));
    // E1: by policy NULL, a label that is there, or one that is added; each counted, and no row lost.
    let file = MappingFile::new(
        "[[table]]\nname = \"e\"\n[table.columns]\nn = { enum_empty = \"null\" }\nx = { enum_empty = \"unknown\" }\nw = { enum_empty = \"b\" }\n",
    );
    let done = report(0, &["run", &from.url, &to.url, "-m", &file.path(), "--if-exists", "drop", "--verify", "full"]);
    assert_eq!(losses(&done, "e"), ["n enum_empty null 1", "w enum_empty b 1", "x enum_empty unknown 1"]);
    for (id, values) in [(1, "'a', 'b', ''"), (2, "NULL, 'unknown', 'b'"), (3, "NULL, 'a', NULL")] {
        to.holds("e", &format!("id = {id}"), &["n::text", "x::text", "w::text"], values).await;
    }
    from.drop().await;
    to.drop().await;
}

#[tokio::test]
async fn labels_keep_the_order_of_their_declaration() {
    let from = MySqlDatabase::create(
        "CREATE TABLE o (id INT NOT NULL PRIMARY KEY, size ENUM('small','medium','large','extra') NOT NULL DEFAULT 'medium', s SET('z','a','m'));
INSERT INTO o VALUES (1, 'large', 'a,z'), (2, 'small', 'm,a,z'), (3, 'extra', 'm'), (4, 'medium', '');
",
    )
    .await;
    let to = PostgresDatabase::create("").await;
    report(0, &["run", &from.url, &to.url, "--verify", "full"]);
    // E2: ORDER BY sorts as in the source, and so does a comparison.
    let order = "SELECT string_agg(size::text, ' ' ORDER BY size) FROM o";
    assert_eq!(to.value(order).await.as_deref(), Some("small medium large extra"));
    assert_eq!(to.value("SELECT count(*) FROM o WHERE size > 'medium'").await.as_deref(), Some("2"));
    let labels = "SELECT string_agg(enumlabel, ' ' ORDER BY enumsortorder) FROM pg_enum WHERE enumtypid = 'o_size'::regtype";
    assert_eq!(to.value(labels).await.as_deref(), Some("small medium large extra"));
    to.run("INSERT INTO o (id) VALUES (5)").await;
    to.holds("o", "id = 5", &["size::text"], "'medium'").await;
    // E4: a set's members stand in that order too.
    to.holds("o", "id = 1", &["s"], "ARRAY['z','a']").await;
    to.holds("o", "id = 2", &["s"], "ARRAY['z','a','m']").await;
    from.drop().await;
    to.drop().await;
}

#[tokio::test]
async fn hostile_labels_are_labels() {
    // 63 bytes fit into a label of a type; 64 do not, nor do 22 letters of three bytes.
    let (fits, long, wide) = ("x".repeat(63), "y".repeat(64), "語".repeat(22));
    let from = MySqlDatabase::create(&format!(
        r#"CREATE TABLE h (id INT NOT NULL PRIMARY KEY, e ENUM('it''s','back\\slash','say "hi"','null','NULL','a,b','{{x}}','two words','%','größe','{fits}','A','é') COLLATE utf8mb4_bin,
  l ENUM('{long}','b') NOT NULL DEFAULT 'b', w ENUM('{wide}','c'));
INSERT INTO h VALUES (1, 'it''s', '{long}', '{wide}'), (2, 'back\\slash', 'b', 'c'), (3, 'say "hi"', 'b', NULL), (4, 'null', 'b', NULL), (5, 'NULL', 'b', NULL), (6, 'a,b', 'b', NULL),
  (7, '{{x}}', 'b', NULL), (8, 'two words', 'b', NULL), (9, '%', 'b', NULL), (10, 'größe', 'b', NULL), (11, '{fits}', 'b', NULL), (12, 'A', 'b', NULL), (13, 'é', 'b', NULL), (14, NULL, 'b', NULL);
"#
    ))
    .await;
    let to = PostgresDatabase::create("").await;
    let done = report(0, &["run", &from.url, &to.url, "--verify", "full"]);
    let labels = ["it''s", "back\\slash", "say \"hi\"", "null", "NULL", "a,b", "{x}", "two words", "%", "größe", &fits, "A", "é"];
    for (id, label) in (1..).zip(labels) {
        // E3: quotes, backslashes, and what an array or a list would take for its own.
        to.holds("h", &format!("id = {id}"), &["e::text"], &format!("'{label}'")).await;
    }
    to.holds("h", "id = 14", &["e::text"], "NULL").await;
    to.has_types("h", &[("e", "h_e"), ("l", "text"), ("w", "text")]).await;
    // E3: labels that are too long for a type are text with a check, which is told.
    for column in ["h.l", "h.w"] {
        assert!(says(&done, "note", column).contains("a label of a type has at most 63"), "{:#}", done["problems"]);
    }
    to.holds("h", "id = 1", &["l", "w"], &format!("'{long}', '{wide}'")).await;
    to.refuses("INSERT INTO h (id, l) VALUES (99, 'z')", "23514").await;
    to.refuses("INSERT INTO h (id, e) VALUES (99, 'a')", "22P02").await;
    // E3: text with a check for all, by choice.
    let file = MappingFile::new("[objects]\nenum = \"text\"\n");
    report(0, &["run", &from.url, &to.url, "-m", &file.path(), "--if-exists", "drop", "--verify", "full"]);
    to.has_types("h", &[("e", "text")]).await;
    to.holds("h", "id = 2", &["e"], "'back\\slash'").await;
    to.refuses("INSERT INTO h (id, e) VALUES (99, 'a')", "23514").await;
    from.drop().await;
    to.drop().await;
}

#[tokio::test]
async fn sets_are_arrays_of_their_labels() {
    let from = MySqlDatabase::create(
        r#"CREATE TABLE s (id INT NOT NULL PRIMARY KEY, s SET('read','null','NULL','it''s','say "hi"','back\\slash','{x}','a b','ä') COLLATE utf8mb4_bin, d SET('a','b') NOT NULL DEFAULT 'a,b');
INSERT INTO s VALUES (1, 'read,null,NULL', 'a'), (2, 'it''s,say "hi",back\\slash,{x},a b,ä', 'b'), (3, '', ''), (4, NULL, 'a,b');
CREATE TABLE wide (id INT NOT NULL PRIMARY KEY, s SET('l00','l01','l02','l03','l04','l05','l06','l07','l08','l09','l10','l11','l12','l13','l14','l15','l16','l17','l18','l19','l20','l21','l22','l23','l24','l25','l26','l27','l28','l29','l30','l31','l32','l33','l34','l35','l36','l37','l38','l39','l40','l41','l42','l43','l44','l45','l46','l47','l48','l49','l50','l51','l52','l53','l54','l55','l56','l57','l58','l59','l60','l61','l62','l63'));
INSERT INTO wide VALUES (1, 18446744073709551615), (2, 'l63'), (3, 'l00,l32');
"#,
    )
    .await;
    let to = PostgresDatabase::create("").await;
    report(0, &["run", &from.url, &to.url, "--verify", "full"]);
    to.has_types("s", &[("s", "text[]"), ("d", "text[]")]).await;
    // E4: a label `null` is a text, and the empty set is not NULL.
    to.holds("s", "id = 1", &["s", "d"], "ARRAY['read','null','NULL'], ARRAY['a']").await;
    to.holds("s", "id = 2", &["s"], r#"ARRAY['it''s','say "hi"','back\slash','{x}','a b','ä']"#).await;
    to.holds("s", "id = 3", &["s", "d"], "'{}', '{}'").await;
    to.holds("s", "id = 4", &["s"], "NULL").await;
    assert_eq!(to.value("SELECT array_position(s, NULL) IS NULL FROM s WHERE id = 1").await.as_deref(), Some("true"));
    // E4: all 64 labels, the highest bit among them.
    assert_eq!(to.value("SELECT cardinality(s) FROM wide WHERE id = 1").await.as_deref(), Some("64"));
    to.holds("wide", "id = 2", &["s"], "ARRAY['l63']").await;
    to.holds("wide", "id = 3", &["s"], "ARRAY['l00','l32']").await;
    // E4: nothing but labels comes in later, and the default is one.
    to.refuses("INSERT INTO s (id, s) VALUES (9, ARRAY['write'])", "23514").await;
    to.run("INSERT INTO s (id) VALUES (10)").await;
    to.holds("s", "id = 10", &["d"], "ARRAY['a','b']").await;
    from.drop().await;
    to.drop().await;
}

#[tokio::test]
async fn the_types_of_two_columns_never_share_a_name() {
    let long = "t".repeat(60);
    let from = MySqlDatabase::create(&format!(
        "CREATE TABLE a_b (id INT NOT NULL PRIMARY KEY, c ENUM('one'));
CREATE TABLE a (id INT NOT NULL PRIMARY KEY, b_c ENUM('two'), x ENUM('three'));
CREATE TABLE a_x (id INT NOT NULL PRIMARY KEY);
CREATE TABLE {long} (id INT NOT NULL PRIMARY KEY, c1 ENUM('four'), c2 ENUM('five'));
INSERT INTO a_b VALUES (1, 'one');
INSERT INTO a VALUES (1, 'two', 'three');
INSERT INTO {long} VALUES (1, 'four', 'five');
"
    ))
    .await;
    let to = PostgresDatabase::create("").await;
    report(0, &["run", &from.url, &to.url, "--verify", "full"]);
    // E5: each column has a type of its own, with its own label.
    let types =
        "SELECT count(DISTINCT atttypid) FROM pg_attribute JOIN pg_type t ON t.oid = atttypid WHERE typtype = 'e' AND attnum > 0";
    assert_eq!(to.value(types).await.as_deref(), Some("5"));
    to.holds("a_b", "id = 1", &["c::text"], "'one'").await;
    to.holds("a", "id = 1", &["b_c::text", "x::text"], "'two', 'three'").await;
    to.holds(&long, "id = 1", &["c1::text", "c2::text"], "'four', 'five'").await;
    to.refuses("INSERT INTO a_b VALUES (2, 'two')", "22P02").await;
    // E5: and the same names again in a second run.
    let names = "SELECT string_agg(typname, ' ' ORDER BY typname) FROM pg_type WHERE typtype = 'e'";
    let first = to.value(names).await;
    report(0, &["run", &from.url, &to.url, "--if-exists", "drop"]);
    assert_eq!(to.value(names).await, first);
    from.drop().await;
    to.drop().await;
}
