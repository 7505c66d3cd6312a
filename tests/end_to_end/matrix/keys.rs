//! Rows K1 to K9: primary and foreign keys, checks, and the numbers of new rows.

use super::listed::{is_mariadb, listed, lists};
use crate::end_to_end::databases::Databases;
use crate::end_to_end::renames::MappingFile;
use crate::support::ferry::{ferry, report, table};
use crate::support::{MySqlDatabase, PostgresDatabase};

async fn constraint(to: &PostgresDatabase, name: &str) -> String {
    let sql =
        format!("SELECT (SELECT convalidated || ' ' || pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = '{name}')");
    to.value(&sql).await.unwrap_or_else(|| panic!("no constraint {name}"))
}

#[tokio::test]
async fn cycles_and_children_before_their_parents_arrive_and_every_action_is_kept() {
    let from = MySqlDatabase::create(
        "CREATE TABLE a (id INT NOT NULL PRIMARY KEY, b_id INT);
CREATE TABLE b (id INT NOT NULL PRIMARY KEY, a_id INT, CONSTRAINT b_a FOREIGN KEY (a_id) REFERENCES a (id) ON DELETE NO ACTION ON UPDATE RESTRICT);
ALTER TABLE a ADD CONSTRAINT a_b FOREIGN KEY (b_id) REFERENCES b (id) ON DELETE SET NULL ON UPDATE CASCADE;
CREATE TABLE tree (id INT NOT NULL PRIMARY KEY, up INT, CONSTRAINT up FOREIGN KEY (up) REFERENCES tree (id) ON DELETE CASCADE ON UPDATE NO ACTION);
CREATE TABLE codes (x INT NOT NULL, y VARCHAR(5) NOT NULL, PRIMARY KEY (x, y));
CREATE TABLE uses (y VARCHAR(5), x INT, CONSTRAINT both_of FOREIGN KEY (x, y) REFERENCES codes (x, y) ON DELETE RESTRICT ON UPDATE CASCADE);
SET foreign_key_checks = 0;
INSERT INTO a VALUES (1, 2);
INSERT INTO b VALUES (2, 1);
INSERT INTO tree VALUES (1, 3), (2, 1), (3, NULL);
INSERT INTO uses VALUES ('k', 1), (NULL, 1);
INSERT INTO codes VALUES (1, 'k');
",
    )
    .await;
    let to = PostgresDatabase::create("").await;
    report(0, &["run", &from.url, &to.url, "--verify", "full"]);
    // K1: each is made after the rows, and validated.
    let all = "SELECT string_agg(conname, ' ' ORDER BY conname) FROM pg_constraint WHERE contype = 'f' AND convalidated";
    assert_eq!(to.value(all).await.as_deref(), Some("a_b b_a both_of up"));
    // K8: with its name, and each action as it was.
    assert_eq!(constraint(&to, "b_a").await, "true FOREIGN KEY (a_id) REFERENCES a(id) ON UPDATE RESTRICT");
    assert_eq!(constraint(&to, "a_b").await, "true FOREIGN KEY (b_id) REFERENCES b(id) ON UPDATE CASCADE ON DELETE SET NULL");
    assert_eq!(constraint(&to, "up").await, "true FOREIGN KEY (up) REFERENCES tree(id) ON DELETE CASCADE");
    assert_eq!(
        constraint(&to, "both_of").await,
        "true FOREIGN KEY (x, y) REFERENCES codes(x, y) ON UPDATE CASCADE ON DELETE RESTRICT"
    );
    to.run("DELETE FROM tree WHERE id = 3").await;
    assert_eq!(to.value("SELECT count(*) FROM tree").await.as_deref(), Some("0"), "K8: the children go along");
    to.run("UPDATE codes SET y = 'm'").await;
    assert_eq!(to.value("SELECT string_agg(y, ' ') FROM uses").await.as_deref(), Some("m"));
    from.drop().await;
    to.drop().await;
}

#[tokio::test]
async fn orphans_are_told_with_their_number_and_no_row_is_dropped() {
    let from = MySqlDatabase::create(
        "CREATE TABLE parent (id INT NOT NULL PRIMARY KEY);
CREATE TABLE child (id INT NOT NULL PRIMARY KEY, parent_id INT, CONSTRAINT of_parent FOREIGN KEY (parent_id) REFERENCES parent (id));
SET foreign_key_checks = 0;
INSERT INTO parent VALUES (1);
INSERT INTO child VALUES (1, 1), (2, 77), (3, 78), (4, NULL);
",
    )
    .await;
    let to = PostgresDatabase::create("").await;
    // K2: refused before anything, with how many and which.
    ferry(&["run", &from.url, &to.url]).code(2).complains(&[
        "child.of_parent`: 2 rows point to a parent",
        "id = 2",
        "orphans = \"not_valid\"",
    ]);
    assert_eq!(to.value("SELECT count(*) FROM pg_namespace WHERE nspname = 'dbferry'").await.as_deref(), Some("0"));
    // K2: carried as they are when the mapping says so: the key stands, binds new rows, and is not called valid.
    let file = MappingFile::new("[[table]]\nname = \"child\"\norphans = \"not_valid\"\n");
    let done = report(0, &["run", &from.url, &to.url, "-m", &file.path(), "--verify", "full"]);
    assert_eq!(table(&done, "child")["rows"], 4);
    lists(&done, "note", "foreign key", &["child.of_parent", "2 rows", "not validated"]);
    assert!(constraint(&to, "of_parent").await.starts_with("false FOREIGN KEY"));
    to.refuses("INSERT INTO child VALUES (5, 79)", "23503").await;
    // K2: or without the key, which is listed then.
    let file = MappingFile::new("[[table]]\nname = \"child\"\ndrop_foreign_keys = [\"of_parent\"]\n");
    let done = report(0, &["run", &from.url, &to.url, "-m", &file.path(), "--if-exists", "drop"]);
    lists(&done, "not_carried", "foreign key", &["child.of_parent", "left out, as the mapping says"]);
    assert_eq!(to.value("SELECT count(*) FROM pg_constraint WHERE contype = 'f'").await.as_deref(), Some("0"));
    let file = MappingFile::new("[[table]]\nname = \"child\"\ndrop_foreign_keys = [\"off_parent\"]\n");
    ferry(&["plan", &from.url, &to.url, "-m", &file.path()])
        .code(2)
        .complains(&["the foreign key `off_parent`", "Did you mean `of_parent`?"]);
    from.drop().await;
    to.drop().await;
}

#[tokio::test]
async fn a_key_to_what_is_not_unique_is_listed_with_the_key_that_it_would_need() {
    let from = MySqlDatabase::create("").await;
    let loose = if is_mariadb(&from).await { "" } else { "SET SESSION restrict_fk_on_non_standard_key = OFF;\n" };
    from.run(&format!(
        "{loose}CREATE TABLE prices (code INT, day INT NOT NULL, region INT NOT NULL, KEY code (code), PRIMARY KEY (day, region));
CREATE TABLE sales (id INT NOT NULL PRIMARY KEY, code INT, day INT, CONSTRAINT by_code FOREIGN KEY (code) REFERENCES prices (code), CONSTRAINT by_day FOREIGN KEY (day) REFERENCES prices (day));
INSERT INTO prices VALUES (1, 1, 1), (1, 1, 2);
INSERT INTO sales VALUES (1, 1, 1);
"
    ))
    .await;
    let to = PostgresDatabase::create("").await;
    let done = report(0, &["run", &from.url, &to.url, "--verify", "full"]);
    // K3: to a key that is not unique, and to a part of one.
    lists(&done, "not_carried", "foreign key", &["sales.by_code", "over exactly (code)"]);
    lists(&done, "not_carried", "foreign key", &["sales.by_day", "over exactly (day)"]);
    let hints = done["problems"].to_string();
    assert!(hints.contains("CREATE UNIQUE INDEX ON \\\"public\\\".\\\"prices\\\" (\\\"code\\\")"), "K3: {hints}");
    assert_eq!(to.value("SELECT count(*) FROM pg_constraint WHERE contype = 'f'").await.as_deref(), Some("0"));
    assert_eq!(to.value("SELECT count(*) FROM sales").await.as_deref(), Some("1"));
    from.drop().await;
    to.drop().await;
}

#[tokio::test]
async fn the_next_number_is_that_of_the_source_and_numbers_below_one_stay() {
    let from = MySqlDatabase::create(
        "CREATE TABLE ahead (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY) AUTO_INCREMENT = 500;
CREATE TABLE gone (id INT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY);
CREATE TABLE odd (id SMALLINT NOT NULL AUTO_INCREMENT PRIMARY KEY, v INT);
CREATE TABLE below (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, v INT);
CREATE TABLE large (id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY);
CREATE TABLE full_one (id TINYINT NOT NULL AUTO_INCREMENT PRIMARY KEY);
CREATE TABLE beyond (id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY);
CREATE TABLE behind (k INT NOT NULL, id INT NOT NULL AUTO_INCREMENT, PRIMARY KEY (k, id), KEY id (id));
INSERT INTO gone VALUES (1), (2), (10);
DELETE FROM gone WHERE id > 1;
INSERT INTO odd VALUES (-3, 1), (0, 2), (7, 3);
INSERT INTO below VALUES (-5, 1), (0, 2);
INSERT INTO large VALUES (9000000000);
INSERT INTO full_one VALUES (127);
INSERT INTO beyond VALUES (18446744073709551614);
INSERT INTO behind VALUES (1, 4), (2, 3);
",
    )
    .await;
    let to = PostgresDatabase::create("").await;
    let done = report(0, &["run", &from.url, &to.url, "--verify", "full"]);
    let next = async |table: &str| to.value(&format!("SELECT nextval(pg_get_serial_sequence('{table}', 'id'))")).await;
    // K6: the source's counter, where it is ahead of the rows, rows that are gone included.
    assert_eq!(next("ahead").await.as_deref(), Some("500"));
    assert_eq!(next("gone").await.as_deref(), Some("11"));
    assert_eq!(next("large").await.as_deref(), Some("9000000001"));
    assert_eq!(next("behind").await.as_deref(), Some("5"));
    assert_eq!(next("full_one").await.as_deref(), Some("128"), "K6: a smallint has room for it");
    // K6: one that no sequence reaches hands out none, and is listed.
    lists(&done, "not_carried", "auto-increment", &["beyond.id", "18446744073709551615"]);
    to.refuses("INSERT INTO beyond DEFAULT VALUES", "2200H").await;
    // K9: rows 0 and below are carried as they are, and the next number is 1 at least.
    assert_eq!(to.value("SELECT string_agg(id || '/' || v, ' ' ORDER BY id) FROM odd").await.as_deref(), Some("-3/1 0/2 7/3"));
    assert_eq!(next("odd").await.as_deref(), Some("8"));
    assert_eq!(to.value("SELECT string_agg(id || '/' || v, ' ' ORDER BY id) FROM below").await.as_deref(), Some("-5/1 0/2"));
    assert_eq!(next("below").await.as_deref(), Some("1"));
    from.drop().await;
    to.drop().await;
}

#[tokio::test]
async fn rows_come_in_after_the_plan_and_the_next_number_is_past_them() {
    let from =
        MySqlDatabase::create("CREATE TABLE t (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY);\nINSERT INTO t VALUES (1);\n").await;
    let to = PostgresDatabase::create("").await;
    let folder = tempfile::tempdir().unwrap();
    let stored = folder.path().join("plan.json").to_str().unwrap().to_string();
    ferry(&["plan", &from.url, &to.url, "--out", &stored]).code(0);
    from.run("INSERT INTO t VALUES (2), (3);\n").await;
    ferry(&["run", &from.url, &to.url, "--plan", &stored]).code(0);
    // K6: also for a plan that is older than the rows.
    assert_eq!(to.value("SELECT nextval(pg_get_serial_sequence('t', 'id'))").await.as_deref(), Some("4"));
    from.drop().await;
    to.drop().await;
}

#[tokio::test]
async fn checks_are_translated_or_listed_and_those_not_enforced_stay_so() {
    let from = MySqlDatabase::create(
        "CREATE TABLE t (id INT NOT NULL PRIMARY KEY, n INT, s VARCHAR(20) COLLATE utf8mb4_bin, CONSTRAINT few CHECK (n BETWEEN 1 AND 10 OR n IS NULL), CONSTRAINT hashed CHECK (MD5(s) <> 'x'),
  CONSTRAINT kinds CHECK (s IN ('a', 'b') AND CHAR_LENGTH(s) = 1));
INSERT INTO t VALUES (1, 5, 'a'), (2, NULL, NULL);
",
    )
    .await;
    let maria = is_mariadb(&from).await;
    if !maria {
        from.run("ALTER TABLE t ADD CONSTRAINT asleep CHECK (n > 100) NOT ENFORCED;\n").await;
    }
    let to = PostgresDatabase::create("").await;
    let done = report(0, &["run", &from.url, &to.url, "--verify", "full"]);
    // K5: translated, validated, and acting.
    let all = "SELECT string_agg(conname, ' ' ORDER BY conname) FROM pg_constraint WHERE contype = 'c' AND convalidated AND conrelid = 't'::regclass";
    assert_eq!(to.value(all).await.as_deref(), Some("few kinds"));
    to.refuses("INSERT INTO t VALUES (3, 11, 'a')", "23514").await;
    to.refuses("INSERT INTO t VALUES (3, 1, 'A')", "23514").await;
    // K5: what is not translated is listed with its source.
    lists(&done, "not_carried", "check", &["hashed"]);
    if !maria {
        let asleep =
            listed(&done, "not_carried", "check").iter().any(|one| one.contains("asleep") && one.contains("not enforced"));
        assert!(asleep, "K5: PostgreSQL before 18: {:#}", done["problems"]);
    }
    from.drop().await;
    to.drop().await;
}

#[tokio::test]
async fn tables_without_a_key_keep_their_duplicates_and_are_compared_all_the_same() {
    let from = MySqlDatabase::create(
        "CREATE TABLE log (a INT, b VARCHAR(9));
INSERT INTO log VALUES (1, 'x'), (1, 'x'), (1, 'x'), (NULL, NULL), (NULL, NULL), (2, NULL);
",
    )
    .await;
    let to = PostgresDatabase::create("").await;
    // K4: all of them, and once each.
    let done = report(0, &["run", &from.url, &to.url, "--verify", "full"]);
    assert_eq!((&table(&done, "log")["rows"], table(&done, "log")["outcome"].as_str()), (&6.into(), Some("verified")));
    assert_eq!(
        to.value("SELECT string_agg(n::text, ' ' ORDER BY a, b) FROM (SELECT a, b, count(*) n FROM log GROUP BY a, b) x")
            .await
            .as_deref(),
        Some("3 1 2")
    );
    // V5: a bag of rows is compared as a bag: one duplicate for another is seen, at the same count.
    to.run("DELETE FROM log WHERE ctid = (SELECT min(ctid) FROM log WHERE a = 1); INSERT INTO log VALUES (2, NULL)").await;
    ferry(&["verify", &from.url, &to.url, "--level", "rows"]).code(0);
    ferry(&["verify", &from.url, &to.url]).code(1).prints(&["log", "DIFFERS"]);
    from.drop().await;
    to.drop().await;
}

#[tokio::test]
async fn a_key_into_a_database_that_is_not_carried_is_refused_until_somebody_decides() {
    let from = Databases::create(
        &["_crm", "_shop"],
        "CREATE TABLE @_crm.customers (id INT NOT NULL PRIMARY KEY);
CREATE TABLE @_shop.orders (id INT NOT NULL PRIMARY KEY, customer_id INT, CONSTRAINT of_customer FOREIGN KEY (customer_id) REFERENCES @_crm.customers (id));
INSERT INTO @_crm.customers VALUES (1);
INSERT INTO @_shop.orders VALUES (1, 1);
",
    )
    .await;
    let to = PostgresDatabase::create("").await;
    let (url, all) = (from.url(), from.all());
    let alone = format!("{url}{}", from.fill("@_shop"));
    // K7: a plan error, with both ways out; nothing is changed.
    ferry(&["plan", &alone, &to.url]).code(1).prints(&[&from.fill("the database `@_crm` is not in the run")]);
    ferry(&["run", &alone, &to.url]).code(2).complains(&[
        "orders.of_customer",
        &from.fill("`--database @_shop --database @_crm`"),
        "drop_foreign_keys = [\"of_customer\"]",
    ]);
    assert_eq!(to.value("SELECT count(*) FROM pg_namespace WHERE nspname = 'dbferry'").await.as_deref(), Some("0"));
    // K7: without the key, because the mapping says so.
    let file = MappingFile::new("[[table]]\nname = \"orders\"\ndrop_foreign_keys = [\"of_customer\"]\n");
    let done = report(0, &["run", &alone, &to.url, "-m", &file.path()]);
    lists(&done, "not_carried", "foreign key", &["orders.of_customer", "left out"]);
    // K7: with it, when both go along.
    ferry(&["run", &url, &to.url, "--database", &all]).code(0);
    let key = from.fill("SELECT confrelid::regclass || ' ' || convalidated FROM pg_constraint WHERE conname = 'of_customer' AND conrelid = '@_shop.orders'::regclass");
    assert_eq!(to.value(&key).await, Some(from.fill("@_crm.customers true")));
    from.drop().await;
    to.drop().await;
}
