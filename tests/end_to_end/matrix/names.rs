//! Rows I1 to I6: names.

use super::listed::lists;
use crate::end_to_end::renames::MappingFile;
use crate::support::ferry::{ferry, report, table};
use crate::support::{MySqlDatabase, PostgresDatabase};

/// The relations of the public schema, in order.
const RELATIONS: &str = "SELECT string_agg(relname, ' ' ORDER BY relname COLLATE \"C\") FROM pg_class
    WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace";

#[tokio::test]
async fn names_that_are_too_long_or_alike_stay_apart_and_the_report_has_the_map() {
    // 64 characters each, alike in the first 63; and 64 letters of two bytes.
    let (t, c, k, wide) = ("t".repeat(63), "c".repeat(63), "k".repeat(63), "ж".repeat(63));
    let from = MySqlDatabase::create(&format!(
        "CREATE TABLE `{t}1` (`{c}1` INT NOT NULL AUTO_INCREMENT PRIMARY KEY, `{c}2` INT, `{wide}1` ENUM('a'), `{wide}2` ENUM('b'), KEY `{k}1` (`{c}2`), KEY `{k}2` (`{c}2`, `{c}1`));
CREATE TABLE `{t}2` (`{c}1` INT NOT NULL PRIMARY KEY, CONSTRAINT `{k}3` FOREIGN KEY (`{c}1`) REFERENCES `{t}1` (`{c}1`));
INSERT INTO `{t}1` VALUES (1, 11, 'a', NULL), (5, 12, NULL, 'b');
INSERT INTO `{t}2` VALUES (5);
"
    ))
    .await;
    let to = PostgresDatabase::create("").await;
    let done = report(0, &["run", &from.url, &to.url, "--verify", "full"]);
    // I1: deterministic, distinct, at most 63 bytes, and each listed with what it became.
    let names = to.value(RELATIONS).await.unwrap();
    let names: Vec<&str> = names.split(' ').collect();
    assert!(names.len() == 2 && names[0] != names[1] && names.iter().all(|name| name.len() == 63), "{names:?}");
    let mapped =
        [table(&done, &format!("{t}1")), table(&done, &format!("{t}2"))].map(|one| one["target"].as_str().unwrap().to_string());
    assert!(mapped.iter().all(|target| names.contains(&target.strip_prefix("public.").unwrap())), "{mapped:?}");
    let columns = format!(
        "SELECT count(DISTINCT attname) || ' ' || max(octet_length(attname::text)) FROM pg_attribute WHERE attnum > 0 AND attrelid = '{}'::regclass",
        mapped[0]
    );
    assert_eq!(to.value(&columns).await.as_deref(), Some("4 63"));
    lists(&done, "note", "table", &[&format!("{t}1"), &mapped[0][7..]]);
    lists(&done, "note", "column", &[&format!("{t}1.{wide}2"), "127 bytes"]);
    lists(&done, "note", "index names", &[&format!("`{k}1` becomes"), &format!("`{k}2` becomes")]);
    lists(&done, "note", "foreign key names", &[&format!("`{k}3` becomes")]);
    assert_eq!(to.value("SELECT count(*) FROM pg_constraint WHERE contype = 'f' AND convalidated").await.as_deref(), Some("1"));
    let rows = format!("SELECT string_agg(t::text, ' ' ORDER BY t) FROM {} AS t", mapped[0]);
    assert_eq!(to.value(&rows).await.as_deref(), Some("(1,11,a,) (5,12,,b)"));
    // The same again in another database gives the same names.
    let again = PostgresDatabase::create("").await;
    ferry(&["run", &from.url, &again.url]).code(0);
    assert_eq!(again.value(RELATIONS).await.unwrap().split(' ').collect::<Vec<_>>(), names);
    again.drop().await;
    from.drop().await;
    to.drop().await;
}

#[tokio::test]
async fn names_that_differ_by_case_or_only_within_their_table_all_arrive() {
    let from = MySqlDatabase::create(
        "CREATE TABLE Foo (id INT NOT NULL PRIMARY KEY, v INT, KEY v (v), KEY Foo_pkey (v, id));
CREATE TABLE foo (id INT NOT NULL PRIMARY KEY, v INT, KEY v (v), UNIQUE KEY Foo (v));
CREATE TABLE parent (id INT NOT NULL PRIMARY KEY);
CREATE TABLE child (id INT NOT NULL PRIMARY KEY, kind ENUM('x'), big BIGINT UNSIGNED, CONSTRAINT child_pkey FOREIGN KEY (id) REFERENCES parent (id), KEY parent (big));
CREATE TABLE child_kind (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY);
CREATE TABLE child_kind_id_seq (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY);
INSERT INTO Foo VALUES (1, 1);
INSERT INTO foo VALUES (2, 2);
INSERT INTO parent VALUES (7);
INSERT INTO child VALUES (7, 'x', 18446744073709551615);
INSERT INTO child_kind VALUES (3);
INSERT INTO child_kind_id_seq VALUES (4);
",
    )
    .await;
    let to = PostgresDatabase::create("").await;
    let done = report(0, &["run", &from.url, &to.url, "--verify", "full"]);
    // I2: two tables that differ by case are two.
    assert_eq!(to.value("SELECT (SELECT v FROM \"Foo\") || ' ' || (SELECT v FROM foo)").await.as_deref(), Some("1 2"));
    // I3: indexes and constraints that bear one name in the source, renamed and listed.
    let indexes = "SELECT count(*) || ' ' || count(DISTINCT relname) FROM pg_class WHERE relkind = 'i' AND relnamespace = 'public'::regnamespace";
    assert_eq!(to.value(indexes).await.as_deref(), Some("11 11"));
    lists(&done, "note", "index names", &["Foo: ", "`v` becomes `Foo_v`"]);
    lists(&done, "note", "index names", &["child: ", "`parent` becomes `child_parent`"]);
    lists(&done, "note", "foreign key names", &["child: ", "`child_pkey` becomes `child_pkey_2`"]);
    assert_eq!(to.value("SELECT kind FROM child").await.as_deref(), Some("x"), "a type beside a table of its name");
    assert_eq!(to.value("SELECT nextval(pg_get_serial_sequence('child_kind', 'id'))").await.as_deref(), Some("4"));
    // I2: a style that makes them alike is refused before anything is made.
    let other = PostgresDatabase::create("").await;
    let style = MappingFile::new("[naming]\ntables = \"snake_case\"\n");
    ferry(&["run", &from.url, &other.url, "-m", &style.path()])
        .code(2)
        .complains(&[&format!("{}.foo`: it would become `public.foo`, which `{}.Foo` becomes already", from.name, from.name)]);
    assert_eq!(
        other
            .value("SELECT count(*) FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace")
            .await
            .as_deref(),
        Some("0")
    );
    other.drop().await;
    from.drop().await;
    to.drop().await;
}

#[tokio::test]
async fn names_are_kept_as_they_are_unless_the_mapping_says_otherwise() {
    let from = MySqlDatabase::create(
        "CREATE TABLE `userData` (`userName` INT NOT NULL PRIMARY KEY, `user_name` INT, `Order` INT, KEY `byName` (`user_name`));
CREATE TABLE `group` (`select` INT NOT NULL PRIMARY KEY, `from.where` VARCHAR(9), `a \"b\" 'c' ``d` INT, `xmax_` INT, `CTID` INT);
INSERT INTO `userData` VALUES (1, 2, 3);
INSERT INTO `group` VALUES (4, 'x', 5, 6, 7);
",
    )
    .await;
    let to = PostgresDatabase::create("").await;
    let done = report(0, &["run", &from.url, &to.url, "--verify", "full", "--schema", "a \"b\".c"]);
    // I4: reserved words, blanks, quotes and dots are quoted everywhere. I6: the schema is the one that was named.
    let at = "\"a \"\"b\"\".c\"";
    assert_eq!(
        to.value(&format!(
            "SELECT t FROM (SELECT \"select\", \"from.where\", \"a \"\"b\"\" 'c' `d\", xmax_, \"CTID\" FROM {at}.\"group\") AS t"
        ))
        .await
        .as_deref(),
        Some("(4,x,5,6,7)")
    );
    // I5: nothing is renamed.
    assert_eq!(
        to.value(&format!("SELECT t FROM (SELECT \"userName\", user_name, \"Order\" FROM {at}.\"userData\") AS t"))
            .await
            .as_deref(),
        Some("(1,2,3)")
    );
    assert_eq!(table(&done, "userData")["target"], "a \"b\".c.userData");
    assert_eq!(to.value(&format!("SELECT to_regclass('{at}.\"byName\"') IS NOT NULL")).await.as_deref(), Some("true"));
    // I5: a style is asked for, says what becomes of each name, and is refused where two become one.
    let style = MappingFile::new("[naming]\ncolumns = \"snake_case\"\n");
    ferry(&["plan", &from.url, &to.url, "-m", &style.path()])
        .code(1)
        .prints(&["would become `user_name`, which the column", "`userName`"]);
    let style = MappingFile::new(
        "[naming]\ntables = \"snake_case\"\n[[table]]\nname = \"userData\"\ncolumns.Order.rename = \"position\"\n",
    );
    let done = report(0, &["run", &from.url, &to.url, "-m", &style.path()]);
    assert_eq!(table(&done, "userData")["target"], "public.user_data");
    assert_eq!(to.value("SELECT position FROM user_data").await.as_deref(), Some("3"));
    // I4: what no quotes help against is refused before anything is made.
    from.run("ALTER TABLE `group` ADD `xmin` INT, ADD `tableoid` INT;\n").await;
    let other = PostgresDatabase::create("").await;
    ferry(&["run", &from.url, &other.url]).code(2).complains(&["has a system column `xmin`", "rename = \"xmin_\"", "`tableoid`"]);
    assert_eq!(other.value("SELECT count(*) FROM pg_namespace WHERE nspname = 'dbferry'").await.as_deref(), Some("0"));
    let file = MappingFile::new(
        "[[table]]\nname = \"group\"\n[table.columns.xmin]\nrename = \"xmin_\"\n[table.columns.tableoid]\nrename = \"xid\"\n",
    );
    ferry(&["run", &from.url, &other.url, "-m", &file.path()]).code(0);
    other.drop().await;
    from.drop().await;
    to.drop().await;
}
