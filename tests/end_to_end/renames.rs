//! Names by rule, by pattern and by style, and columns that are left out; keys, indexes and next ids follow.

use crate::support::ferry::{Said, ferry, ferry_with_report, report, table};
use crate::support::{MySqlDatabase, PostgresDatabase};

/// A mapping file of a test, gone with it.
pub struct MappingFile(tempfile::TempDir);

impl MappingFile {
    pub fn new(text: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("m.toml"), text).unwrap();
        MappingFile(folder)
    }

    pub fn path(&self) -> String {
        self.0.path().join("m.toml").to_str().unwrap().to_string()
    }
}

const SHOP: &str = "CREATE TABLE shop_Customers (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, fullName VARCHAR(60) NOT NULL, Email VARCHAR(60), KEY by_name (fullName), UNIQUE KEY (Email));
CREATE TABLE shop_orderItems (order_id INT NOT NULL, line_no INT NOT NULL, customer_id INT NOT NULL, state ENUM('open','paid') NOT NULL, secret TEXT NOT NULL,
  PRIMARY KEY (order_id, line_no), KEY by_customer (customer_id), KEY by_secret (secret(5)), CONSTRAINT of_customer FOREIGN KEY (customer_id) REFERENCES shop_Customers (id));
CREATE TABLE plain (id INT NOT NULL PRIMARY KEY, v INT);
INSERT INTO shop_Customers VALUES (1, 'Ada', 'a@x'), (7, 'Bob', NULL);
INSERT INTO shop_orderItems VALUES (1, 1, 7, 'open', 's1'), (1, 2, 7, 'paid', 's2'), (2, 1, 1, 'open', 's3');
INSERT INTO plain VALUES (1, 2);
";

#[tokio::test]
async fn patterns_styles_and_exact_names_carry_keys_indexes_and_next_ids_along() {
    let from = MySqlDatabase::create(SHOP).await;
    let to = PostgresDatabase::create("").await;
    let file = MappingFile::new(&format!(
        r#"[naming]
tables = "snake_case"
columns = "snake_case"

[[rename]]
schemas = "{}"
to = "sales"

[[rename]]
tables = "shop_(.*)"
to = "$1"

[[rename]]
columns = "(.*)_id"
to = "$1Key"
in = "shop_order*"

[[table]]
name = "plain"
to = "other.PlainOne"
[table.columns.v]
rename = "V"

[[table]]
name = "shop_orderItems"
[table.columns.secret]
drop = true
"#,
        from.name
    ));
    let plan = ferry(&["plan", &from.url, &to.url, "-m", &file.path()]).code(0);
    plan.prints(&[
        ".shop_Customers -> sales.customers",
        ".shop_orderItems -> sales.order_items",
        ".plain -> other.PlainOne",
        "fullName -> full_name",
        "customer_id -> customer_key",
        "left out, as the mapping says",
        "by_secret",
        "its column `secret` is left out",
    ]);
    let report = report(0, &["run", &from.url, &to.url, "-m", &file.path(), "--verify", "full"]);
    assert_eq!(table(&report, "shop_orderItems")["target"], "sales.order_items");
    to.has_types("sales.order_items", &[("order_key", "integer"), ("line_no", "integer"), ("customer_key", "integer")]).await;
    to.has_types("other.\"PlainOne\"", &[("id", "integer"), ("V", "integer")]).await;
    let columns = "SELECT string_agg(attname, ',' ORDER BY attnum) FROM pg_attribute WHERE attrelid = 'sales.order_items'::regclass AND attnum > 0";
    assert_eq!(to.value(columns).await.as_deref(), Some("order_key,line_no,customer_key,state"));
    let foreign = "SELECT pg_get_constraintdef(oid) || convalidated FROM pg_constraint WHERE conname = 'of_customer'";
    assert_eq!(
        to.value(foreign).await.as_deref(),
        Some("FOREIGN KEY (customer_key) REFERENCES sales.customers(id) ON UPDATE RESTRICT ON DELETE RESTRICTtrue")
    );
    let indexes = "SELECT string_agg(indexdef, '; ' ORDER BY indexdef) FROM pg_indexes WHERE tablename = 'order_items'";
    let indexes = to.value(indexes).await.unwrap();
    assert!(
        indexes.contains("(customer_key)") && indexes.contains("(order_key, line_no)") && !indexes.contains("secret"),
        "{indexes}"
    );
    assert_eq!(to.value("SELECT count(*) FROM pg_indexes WHERE indexdef LIKE '%full_name%'").await.as_deref(), Some("1"));
    to.run("INSERT INTO sales.customers (full_name) VALUES ('Eve')").await;
    assert_eq!(to.value("SELECT max(id) FROM sales.customers").await.as_deref(), Some("8"));
    // The same mapping again, and a look at what differs: the new row alone.
    ferry(&["verify", &from.url, &to.url, "-m", &file.path()]).code(1).prints(&["sales.customers"]);
    to.run("DELETE FROM sales.customers WHERE id = 8").await;
    ferry(&["verify", &from.url, &to.url, "-m", &file.path(), "--level", "full"]).code(0);
    from.drop().await;
    to.drop().await;
}

#[tokio::test]
async fn a_run_with_a_mapping_goes_on_and_a_stored_plan_with_one_is_executed() {
    let from = MySqlDatabase::create(SHOP).await;
    let to = PostgresDatabase::create("").await;
    let file = MappingFile::new(
        "[[rename]]\ntables = \"shop_(.*)\"\nto = \"$1\"\n[[table]]\nname = \"plain\"\nto = \"p\"\ncolumns.v.to = \"bigint\"\n",
    );
    let stored = tempfile::tempdir().unwrap();
    let stored = stored.path().join("plan.json").to_str().unwrap().to_string();
    std::fs::create_dir_all(std::path::Path::new(&stored).parent().unwrap()).unwrap();
    ferry(&["plan", &from.url, &to.url, "-m", &file.path(), "--out", &stored]).code(0);
    ferry(&["run", &from.url, &to.url, "--plan", &stored]).code(0);
    to.has_types("p", &[("v", "bigint")]).await;
    // What is done already is found again, also when a comment has moved the lines of the mapping.
    let moved = MappingFile::new(
        "# a remark\n\n[[rename]]\ntables = \"shop_(.*)\"\nto = \"$1\"\n[[table]]\nname = \"plain\"\nto = \"p\"\ncolumns.v.to = \"bigint\"\n",
    );
    ferry(&["run", &from.url, &to.url, "-m", &moved.path(), "--resume"]).code(0).complains(&["is done already"]);
    // Marked as unfinished, it is gone on with.
    to.run("UPDATE dbferry.runs SET state = 'running'").await;
    to.run("DELETE FROM dbferry.receipts WHERE table_name = 'p'; DELETE FROM p").await;
    let (said, _) = ferry_with_report(&["run", &from.url, &to.url, "-m", &moved.path(), "--resume"]);
    said.code(0).complains(&["going on with run"]);
    assert_eq!(to.value("SELECT count(*) FROM p").await.as_deref(), Some("1"));
    from.drop().await;
    to.drop().await;
}

/// Runs with a mapping that must be refused before anything changes.
async fn refused(from: &MySqlDatabase, to: &PostgresDatabase, mapping: &str) -> Said {
    let file = MappingFile::new(mapping);
    let said = ferry(&["run", &from.url, &to.url, "-m", &file.path()]).code(2);
    assert_eq!(to.value("SELECT count(*) FROM pg_namespace WHERE nspname = 'dbferry'").await.as_deref(), Some("0"), "{mapping}");
    said
}

#[tokio::test]
async fn rules_that_fit_nothing_or_collide_are_refused_with_their_line() {
    let from = MySqlDatabase::create(
        "CREATE TABLE a_one (id INT NOT NULL PRIMARY KEY, userName INT, user_name INT);
CREATE TABLE b_one (id INT NOT NULL PRIMARY KEY, value INT, w INT);
",
    )
    .await;
    let to = PostgresDatabase::create("").await;
    let cases: [(&str, &[&str]); 15] = [
        (
            "[[rename]]\ntables = \"[ab]_(.*)\"\nto = \"$1\"\n",
            &[".b_one`: it would become `public.one`, which `", ".a_one` becomes already"],
        ),
        (
            "[naming]\ncolumns = \"snake_case\"\n",
            &[".a_one.user_name`: it would become `user_name`, which the column `userName` becomes already"],
        ),
        (
            "[[rename]]\ntables = \"a_on\"\nto = \"x\"\n",
            &["m.toml:1: the pattern `a_on` fits no table of the source", "Did you mean `a_one`?"],
        ),
        ("\n[[rename]]\nschemas = \"nowhere\"\nto = \"x\"\n", &["m.toml:2: the pattern `nowhere` fits no schema of the source"]),
        ("[[rename]]\ncolumns = \"id\"\nto = \"x\"\nin = \"c*\"\n", &["m.toml:1: no table of the source is like `c*`"]),
        ("[[rename]]\ncolumns = \"x(.*)\"\nto = \"x\"\n", &["m.toml:1: the pattern `x(.*)` fits no column of the source"]),
        ("[[rename]]\ntables = \"a_(.*)\"\nto = \"$2\"\n", &["m.toml:1: `$2` stands for group 2, and the pattern has 1 group"]),
        ("[[rename]]\ntables = \"a_(.*\"\nto = \"$1\"\n", &["m.toml:2:10: `a_(.*` is no regular expression: unclosed group"]),
        ("[[rename]]\ntables = \"a_one(.*)\"\nto = \"$1\"\n", &["the mapping's pattern leaves nothing of its name"]),
        ("[[rename]]\nto = \"x\"\n", &["m.toml:1: a `[[rename]]` has exactly one of"]),
        (
            "[naming]\ntables = \"snakecase\"\n",
            &["m.toml:2:10: `snakecase` is no value of `tables`", "Did you mean `snake_case`?"],
        ),
        ("[[table]]\nname = \"a_one\"\n[[table]]\nname = \"a_one\"\n", &["m.toml:3: `a_one` has a rule already, in line 1"]),
        (
            "[[table]]\nname = \"b_one\"\n[table.columns.id]\nrename = \"x\"\n[table.columns.valu]\ndrop = true\n",
            &["m.toml:5: ", "names the column `valu`", "Did you mean `value`?"],
        ),
        (
            "[[table]]\nname = \"b_one\"\n[table.columns.value]\ndrop = true\nrename = \"x\"\n",
            &["m.toml:3: column `value` is left out, so its other rules say nothing"],
        ),
        (
            "[[table]]\nname = \"b_one\"\ncolumns = { id = { drop = true }, value = { drop = true }, w = { drop = true } }\n",
            &["each of its columns is left out"],
        ),
    ];
    // I5: two names that a rule or a style makes one are refused.
    for (mapping, says) in cases {
        refused(&from, &to, mapping).await.complains(says);
    }
    from.drop().await;
    to.drop().await;
}

#[tokio::test]
async fn a_dropped_key_column_takes_its_keys_along_and_each_is_listed() {
    let from = MySqlDatabase::create(
        "CREATE TABLE parent (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, code VARCHAR(10), UNIQUE KEY by_code (code));
CREATE TABLE child (id INT NOT NULL PRIMARY KEY, parent_id INT, gone INT NOT NULL, KEY both_of (parent_id, gone), CONSTRAINT to_parent FOREIGN KEY (parent_id) REFERENCES parent (id));
INSERT INTO parent SELECT seq, CONCAT('c', seq) FROM seq_1_to_3000;
INSERT INTO child SELECT seq, seq, seq FROM seq_1_to_3000;
",
    )
    .await;
    let to = PostgresDatabase::create("").await;
    let file = MappingFile::new(
        "[[table]]\nname = \"parent\"\ncolumns.id.drop = true\n[[table]]\nname = \"child\"\ncolumns.gone.drop = true\n",
    );
    let plan = ferry(&["plan", &from.url, &to.url, "-m", &file.path()]).code(0);
    plan.prints(&[
        "primary key `",
        "its column `id` is left out",
        "the column `id` of `",
        "both_of`: its column `gone` is left out",
    ])
    .never_says("next id");
    let report = report(0, &["run", &from.url, &to.url, "-m", &file.path(), "--verify", "full", "--chunk", "1MiB"]);
    assert_eq!(table(&report, "parent")["rows"], 3000);
    assert_eq!(
        to.value("SELECT count(*) FROM pg_constraint WHERE contype IN ('p', 'f') AND connamespace = 'public'::regnamespace")
            .await
            .as_deref(),
        Some("1"),
        "child's key alone"
    );
    assert_eq!(to.value("SELECT count(DISTINCT code) FROM parent").await.as_deref(), Some("3000"));
    from.drop().await;
    to.drop().await;
}
