//! Tables whose rows come together in one: tenants and shards, keys that meet, and the proof over all of them.

use std::time::Duration;

use super::renames::MappingFile;
use crate::support::ferry::{Said, command, ferry, ferry_with, ferry_with_report, report, table};
use crate::support::{MySqlDatabase, PostgresDatabase};

/// Demands that standard output has the sentence in it, however it is folded.
#[track_caller]
fn says(said: &Said, sentence: &str) {
    let words = said.words();
    assert!(words.contains(sentence), "no `{sentence}` in stdout:\n{}", said.out);
}

const TENANTS: &str = "CREATE TABLE a_customers (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, email VARCHAR(60) NOT NULL, score DECIMAL(8,2), born DATE, UNIQUE KEY by_email (email)) COMMENT 'people';
CREATE TABLE b_customers (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, email VARCHAR(60) NOT NULL, score DECIMAL(8,2) NOT NULL, vip TINYINT, UNIQUE KEY by_email (email), KEY by_score (score));
CREATE TABLE a_orders (id INT NOT NULL PRIMARY KEY, customer_id INT NOT NULL, CONSTRAINT a_of FOREIGN KEY (customer_id) REFERENCES a_customers (id));
CREATE TABLE b_orders (id INT NOT NULL PRIMARY KEY, customer_id INT NOT NULL, CONSTRAINT b_of FOREIGN KEY (customer_id) REFERENCES b_customers (id));
INSERT INTO a_customers VALUES (1, 'ada@x', 1.50, '2001-02-03'), (2, 'bob@x', NULL, NULL);
INSERT INTO b_customers VALUES (1, 'ada@x', 2.25, 1), (9, 'eve@x', -3.00, NULL);
INSERT INTO a_orders VALUES (1, 2), (2, 2);
INSERT INTO b_orders VALUES (1, 9);
";

const BY_PATTERN: &str = r#"
[[table]]
match = "([ab])_customers"
to = "customers"
merge = true
[table.columns.tenant]
expr = "'$1'"
key = true

[[table]]
match = "([ab])_orders"
to = "orders"
merge = true
[table.columns.tenant]
expr = "'$1'"
key = true
"#;

#[tokio::test]
async fn tenants_become_one_table_with_the_tenant_in_its_keys() {
    let (from, to) = (MySqlDatabase::create(TENANTS).await, PostgresDatabase::create("").await);
    let file = MappingFile::new(BY_PATTERN);
    ferry(&["plan", &from.url, &to.url, "-m", &file.path(), "--verify", "full"]).code(0).prints(&[
        "a_customers -> public.customers",
        "merged with",
        "primary key (tenant, id)",
        "next id 10",
        "come together in it",
        "it is NULL in its rows",
        "only the digest proves tenant",
        "by_score",
        // A rule by name would take the place of the one by pattern.
        "[[type]]\n      match = { type = \"varchar\", column = \"email\" }\n      collation = \"citext\"",
    ]);
    let (said, done) = ferry_with_report(&["run", &from.url, &to.url, "-m", &file.path(), "--verify", "full"]);
    says(&said.code(0), "The rows of 4 of them were merged into 2 (public.customers, public.orders)");
    let done = done.unwrap();
    for (name, rows) in [("a_customers", 2), ("b_customers", 2), ("a_orders", 2), ("b_orders", 1)] {
        let entry = table(&done, name);
        assert_eq!((entry["outcome"].as_str(), entry["rows"].as_u64()), (Some("verified"), Some(rows)), "{entry:#}");
    }
    let rows = "SELECT string_agg(concat_ws('/', tenant, id, email, score, born, vip), ' ' ORDER BY tenant, id) FROM customers";
    assert_eq!(to.value(rows).await.as_deref(), Some("a/1/ada@x/1.50/2001-02-03 a/2/bob@x b/1/ada@x/2.25/1 b/9/eve@x/-3.00"));
    assert_eq!(
        to.value("SELECT string_agg(tenant || id || customer_id, ' ' ORDER BY tenant, id) FROM orders").await.as_deref(),
        Some("a12 a22 b19")
    );
    // Uniqueness and parents are per tenant; numbers go on after the largest (10 went into the refused row).
    to.refuses("INSERT INTO customers (tenant, id, email) VALUES ('a', 1, 'new')", "23505").await;
    to.refuses("INSERT INTO customers (tenant, email) VALUES ('a', 'ada@x')", "23505").await;
    to.refuses("INSERT INTO orders (tenant, id, customer_id) VALUES ('a', 7, 9)", "23503").await;
    to.run("INSERT INTO customers (tenant, email) VALUES ('c', 'ada@x')").await;
    assert_eq!(to.value("SELECT id FROM customers WHERE tenant = 'c'").await.as_deref(), Some("11"));
    assert_eq!(to.value("SELECT count(*) FROM pg_constraint WHERE contype = 'f'").await.as_deref(), Some("1"));
    // Later: the row too many is seen, and gone it is proven again.
    let later = ["verify", &from.url, &to.url, "-m", &file.path(), "--level", "full"];
    says(&ferry(&later).code(1), "`public.customers` has 5 rows as the target counts them, and 4 were read");
    to.run("DELETE FROM customers WHERE tenant = 'c'").await;
    says(&ferry(&later).code(0), "merged into 2");
    ferry(&["status", &to.url]).code(0).prints(&["done"]);
    // A value of one tenant that changes is a difference of the whole.
    to.run("UPDATE customers SET score = 7 WHERE tenant = 'b' AND id = 9").await;
    says(&ferry(&later).code(1), "column `score`: min is -3 in the source and 1.5 in the target");
    // Again, over what stands.
    for how in ["truncate", "drop"] {
        ferry(&["run", &from.url, &to.url, "-m", &file.path(), "--if-exists", how]).code(0).prints(&["Proven by digest"]);
        assert_eq!(to.value("SELECT count(*) FROM customers").await.as_deref(), Some("4"), "{how}");
    }
    from.drop().await;
    to.drop().await;
}

const SHARDS: &str = "CREATE TABLE orders_1 (id VARCHAR(20) COLLATE utf8mb4_general_ci NOT NULL PRIMARY KEY, v INT);
CREATE TABLE orders_2 LIKE orders_1;
CREATE TABLE items (id INT NOT NULL PRIMARY KEY, order_id VARCHAR(20) COLLATE utf8mb4_general_ci, CONSTRAINT of FOREIGN KEY (order_id) REFERENCES orders_1 (id));
INSERT INTO orders_1 VALUES ('x', 1), ('b', 2);
INSERT INTO items VALUES (1, 'b');
";

const SHARDED: &str = "[[table]]\nmatch = \"orders_\\\\d+\"\nto = \"orders\"\nmerge = true\n";

#[tokio::test]
async fn keys_that_meet_are_refused_and_nothing_is_created() {
    let (from, to) = (MySqlDatabase::create(SHARDS).await, PostgresDatabase::create("").await);
    let file = MappingFile::new(SHARDED);
    from.run("INSERT INTO orders_2 VALUES ('b', 3), ('X', 4);\n").await;
    let says = ["merged key", "orders_1", "orders_2", "1 key in common, such as b", "key = true"];
    ferry(&["plan", &from.url, &to.url, "-m", &file.path()]).code(1).prints(&says);
    ferry(&["run", &from.url, &to.url, "-m", &file.path()]).code(2).complains(&says);
    assert_eq!(
        to.value("SELECT to_regclass('orders') IS NULL AND to_regnamespace('dbferry') IS NULL").await.as_deref(),
        Some("true")
    );
    // With a discriminator they do not meet; a child without it has no key to lead to.
    let keyed = format!("{SHARDED}[table.columns.shard]\nexpr = \"'$0'\"\nkey = true\n");
    let told = ["primary key (shard, id)", "the key of `public.orders` begins with `shard`"];
    ferry(&["plan", &from.url, &to.url, "-m", &MappingFile::new(&keyed).path()]).code(0).prints(&told);
    let alone = MappingFile::new("[[table]]\nname = \"items\"\nmerge = true\n");
    ferry(&["plan", &from.url, &to.url, "-m", &alone.path()]).code(0).prints(&["no other table goes there"]);
    // 'x' and 'X' are one key under the source's collation, and two in the target; a condition of the source's own takes the other out.
    let narrowed = MappingFile::new(&format!("{SHARDED}source_where = \"NOT (id = 'b' AND v = 3)\"\n"));
    let done = report(0, &["run", &from.url, &to.url, "-m", &narrowed.path(), "--verify", "full"]);
    assert_eq!(table(&done, "orders_2")["rows"], 1);
    assert_eq!(to.value("SELECT string_agg(id || v, ' ' ORDER BY v) FROM orders").await.as_deref(), Some("x1 b2 X4"));
    // A child of one of them finds its parent there.
    to.refuses("INSERT INTO items VALUES (2, 'zz')", "23503").await;
    from.drop().await;
    to.drop().await;
}

#[tokio::test]
async fn a_key_that_the_source_cannot_compare_is_left_to_the_target_and_never_silent() {
    let (from, to) = (MySqlDatabase::create(SHARDS).await, PostgresDatabase::create("").await);
    from.run("INSERT INTO orders_2 VALUES ('B', 3);\n").await;
    let file = MappingFile::new(&format!("{SHARDED}[table.columns.id]\nexpr = \"lower(id)\"\n"));
    ferry(&["plan", &from.url, &to.url, "-m", &file.path()])
        .code(0)
        .prints(&["is not known before the run, since `id` is computed", "the target's unique index decides"]);
    let done = report(1, &["run", &from.url, &to.url, "-m", &file.path(), "--include", "orders_*"]);
    for name in ["orders_1", "orders_2"] {
        assert_eq!(table(&done, name)["outcome"], "failed", "{done:#}");
    }
    from.drop().await;
    to.drop().await;
}

#[tokio::test]
async fn tables_that_do_not_agree_are_refused_with_both_places() {
    let from = MySqlDatabase::create(
        "CREATE TABLE t_1 (id INT NOT NULL PRIMARY KEY, v VARCHAR(10), w INT NOT NULL);
CREATE TABLE t_2 (id INT NOT NULL PRIMARY KEY, v VARCHAR(20));
",
    )
    .await;
    let to = PostgresDatabase::create("").await;
    let one = "[[table]]\nname = \"t_1\"\nto = \"t\"\nmerge = true\n";
    let both = format!("{one}[[table]]\nname = \"t_2\"\nto = \"t\"\n");
    let cases = [
        (both.clone(), vec!["it would become `public.t`, which", "merge = true"]),
        (
            format!("{both}merge = true\n"),
            vec![
                "public.t.v",
                "character varying(10)",
                "character varying(20)",
                "one column has one type",
                "public.t.w",
                "t_2` does not have it",
                "NOT NULL",
            ],
        ),
        ("[[table]]\nmatch = \"x_(.*)\"\nto = \"t\"\n".into(), vec!["the pattern `x_(.*)` fits no table"]),
        ("[[table]]\nmatch = \"t_(.*)\"\nto = \"$2\"\n".into(), vec!["`$2` stands for group 2"]),
        ("[[table]]\nmatch = \"t_(.*)\"\nname = \"t_1\"\n".into(), vec!["either a `name` or a `match`"]),
        ("[[table]]\nto = \"x\"\n".into(), vec!["has a `name`, or a `match`"]),
        ("[[table]]\nmatch = \"t_(.*)\"\n[table.columns.n]\nexpr = \"$1 + 1\"\n".into(), vec!["stand outside of a text"]),
        (
            "[[table]]\nmatch = \"t_(.*)\"\n[table.columns.vv]\nto = \"text\"\n".into(),
            vec!["the mapping names the column `vv`, which the source does not have"],
        ),
        (
            "[[table]]\nname = \"t_1\"\nonly = [\"id\", \"vv\"]\n".into(),
            vec!["the mapping names the column `vv`, which the source does not have"],
        ),
    ];
    for (mapping, says) in cases {
        let file = MappingFile::new(&mapping);
        ferry(&["run", &from.url, &to.url, "-m", &file.path()]).code(2).complains(&says);
    }
    let settled = format!(
        "{one}[table.columns.v]\nto = \"varchar(20)\"\n[[table]]\nname = \"t_2\"\nto = \"t\"\nmerge = true\n[table.columns.w]\nexpr = \"7\"\nto = \"integer\"\n"
    );
    let file = MappingFile::new(&settled);
    from.run("INSERT INTO t_1 VALUES (1, 'a', 1);\nINSERT INTO t_2 VALUES (2, 'b');\n").await;
    ferry(&["run", &from.url, &to.url, "-m", &file.path(), "--verify", "full"]).code(0);
    assert_eq!(to.value("SELECT string_agg(id || v || w, ' ' ORDER BY id) FROM t").await.as_deref(), Some("1a1 2b7"));
    from.drop().await;
    to.drop().await;
}

#[tokio::test]
async fn keys_with_an_offset_do_not_meet_and_numbers_go_on_past_them() {
    let from = MySqlDatabase::create(
        "CREATE TABLE n_1 (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, d DATE);
CREATE TABLE n_2 LIKE n_1;
INSERT INTO n_1 VALUES (1, NULL), (2, '2020-01-01');
INSERT INTO n_2 VALUES (1, NULL), (5, '2020-01-01');
",
    )
    .await;
    let to = PostgresDatabase::create("").await;
    let file = MappingFile::new(
        "[[table]]\nname = \"n_1\"\nto = \"n\"\nmerge = true\n[[table]]\nname = \"n_2\"\nto = \"n\"\nmerge = true\n[table.columns.id]\nexpr = \"id + 1000\"\n",
    );
    let done = report(0, &["run", &from.url, &to.url, "-m", &file.path(), "--verify", "full", "--owner", "postgres"]);
    assert!(done["problems"].to_string().contains("`id` is computed"), "{done:#}");
    to.run("INSERT INTO n (d) VALUES (NULL)").await;
    assert_eq!(to.value("SELECT string_agg(id::text, ' ' ORDER BY id) FROM n").await.as_deref(), Some("1 2 1001 1005 1006"));
    // One that does not arrive takes the proof from the others.
    from.run("INSERT INTO n_2 VALUES (9, '2020-02-31');\n").await;
    let done = report(1, &["run", &from.url, &to.url, "-m", &file.path(), "--if-exists", "drop", "--probe", "off"]);
    for (name, says) in [("n_1", "together with those of"), ("n_2", "2020-02-31")] {
        let entry = table(&done, name);
        assert_eq!(entry["outcome"], "failed");
        assert!(entry["errors"].to_string().contains(says), "{entry:#}");
    }
    from.drop().await;
    to.drop().await;
}

const MANY: &str = "CREATE TABLE many_1 (id INT NOT NULL PRIMARY KEY, v VARCHAR(300) NOT NULL);
CREATE TABLE many_2 LIKE many_1;
INSERT INTO many_1 SELECT seq, REPEAT(CHAR(65 + seq % 26), 250) FROM seq_1_to_30000;
INSERT INTO many_2 SELECT seq + 100000, REPEAT(CHAR(97 + seq % 26), 250) FROM seq_1_to_30000;
ANALYZE TABLE many_1, many_2;
";

const ALL_MANY: &str = "[[table]]\nmatch = \"many_(.*)\"\nto = \"many\"\nmerge = true\n[table.columns.shard]\nexpr = \"'$1'\"\n";

#[tokio::test(flavor = "multi_thread")]
async fn a_merge_that_was_killed_goes_on_and_a_lost_row_of_it_is_found() {
    let from = MySqlDatabase::create(MANY).await;
    let to = PostgresDatabase::create(
        "CREATE TABLE many (id int PRIMARY KEY, v varchar(300) NOT NULL, shard text); INSERT INTO many VALUES (-1, 'old', NULL)",
    )
    .await;
    let file = MappingFile::new(ALL_MANY);
    let path = file.path();
    let ends = ["run", &from.url, &to.url, "-m", &path, "--chunk", "1MiB", "--jobs", "1", "--if-exists", "append"];
    let mut first = command(&ends).spawn().unwrap();
    // The chunks of both are there in part.
    for _ in 0..4000 {
        let receipts =
            sqlx::query_scalar::<_, i64>("SELECT count(*) FROM dbferry.receipts").fetch_one(&mut to.connect().await).await;
        if receipts.is_ok_and(|receipts| receipts >= 2) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    first.kill().unwrap();
    first.wait().unwrap();
    let rows = to.value("SELECT count(*) FROM many").await;
    assert!(rows.as_deref().is_some_and(|rows| rows != "1" && rows != "60001"), "nothing was tried: {rows:?} rows");
    let done = report(0, &[&ends[..], &["--resume"]].concat());
    for name in ["many_1", "many_2"] {
        let entry = table(&done, name);
        assert_eq!(
            (entry["outcome"].as_str(), entry["stood"]["rows"].as_u64(), entry["rows"].as_u64()),
            (Some("verified"), Some(1), Some(30_000)),
            "{entry:#}"
        );
        assert!(entry["chunks"].as_u64().is_some_and(|chunks| chunks > 2), "{entry:#}");
    }
    let rows = to.value("SELECT count(*) || ' ' || count(DISTINCT id) || ' ' || count(*) FILTER (WHERE shard = '2' AND v ~ '^[a-z]') FROM many").await;
    assert_eq!(rows.as_deref(), Some("60001 60001 30000"));
    let later = ["verify", &from.url, &to.url, "-m", &path];
    says(&ferry(&later).code(0), "merged into one (public.many)");
    to.run("DELETE FROM many WHERE id = 100777").await;
    says(&ferry(&later).code(1), "60000 were added, and it holds 60000 now");
    // As many rows as before, and another value.
    to.run("INSERT INTO many VALUES (100777, 'x', '2')").await;
    says(&ferry(&later).code(1), "the values of `public.many` are not those that stood there");
    from.drop().await;
    to.drop().await;
}

#[tokio::test]
async fn a_row_that_is_lost_on_the_way_is_found_in_a_merged_table() {
    let (from, to) = (MySqlDatabase::create(SHARDS).await, PostgresDatabase::create("").await);
    from.run("INSERT INTO orders_2 VALUES ('c', 3);\n").await;
    let hook = "[[hook]]\nwhen = \"after\"\nside = \"target\"\ntable = \"orders\"\nsql = \"DELETE FROM orders WHERE id = 'c'\"\n";
    let file = MappingFile::new(&format!("{SHARDED}{hook}"));
    let done = report(1, &["run", &from.url, &to.url, "-m", &file.path()]);
    for name in ["orders_1", "orders_2"] {
        assert_eq!(table(&done, name)["outcome"], "differs", "{done:#}");
    }
    assert_eq!(table(&done, "items")["outcome"], "verified");
    assert_eq!(done["hooks"].as_array().map(Vec::len), Some(1));
    from.drop().await;
    to.drop().await;
}

#[tokio::test]
async fn masked_tables_are_merged_and_their_joins_hold() {
    let (from, to) = (MySqlDatabase::create(TENANTS).await, PostgresDatabase::create("").await);
    let file = MappingFile::new(
        &BY_PATTERN
            .replace(
                "[[table]]\nmatch = \"([ab])_orders\"",
                "[table.columns.email]\nmask = \"fake_email\"\n\n[[table]]\nmatch = \"([ab])_orders\"",
            )
            .replacen("", "[masking]\nkey = \"${MERGE_KEY}\"\n", 1),
    );
    let key = "0123456789abcdef0123456789abcdef";
    let said = ferry_with("MERGE_KEY", key, &["run", &from.url, &to.url, "-m", &file.path(), "--verify", "full"]);
    says(&said.code(0), "Proven in full");
    let same = "SELECT count(*) = 4 AND count(DISTINCT email) = 3 AND bool_and(email NOT LIKE '%@x') FROM customers";
    assert_eq!(to.value(same).await.as_deref(), Some("true"));
    from.drop().await;
    to.drop().await;
}

#[tokio::test]
async fn tables_of_a_sqlite_file_are_merged_too_into_either_target() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let source = rusqlite::Connection::open(&path).unwrap();
    source
        .execute_batch(
            "CREATE TABLE log_1 (id INTEGER PRIMARY KEY, v TEXT, n REAL); CREATE TABLE log_2 (id INTEGER PRIMARY KEY, v TEXT, n REAL);
             INSERT INTO log_1 VALUES (1, 'a', 0.5), (2, NULL, 1e300); INSERT INTO log_2 VALUES (3, 'c', -1.25);",
        )
        .unwrap();
    let to = PostgresDatabase::create("").await;
    let file = MappingFile::new("[[table]]\nmatch = \"log_.*\"\nto = \"log\"\nmerge = true\n");
    let from = format!("sqlite://{}", path.display());
    ferry(&["run", &from, &to.url, "-m", &file.path(), "--verify", "full"]).code(0).prints(&["Proven in full"]);
    assert_eq!(
        to.value("SELECT string_agg(concat_ws('/', id, v, n), ' ' ORDER BY id) FROM log").await.as_deref(),
        Some("1/a/0.5 2/1e+300 3/c/-1.25")
    );
    let parquet = format!("parquet://{}", folder.path().join("out").display());
    let done = report(0, &["run", &from, &parquet, "-m", &file.path(), "--verify", "full"]);
    assert_eq!(table(&done, "log_2")["outcome"], "verified");
    ferry(&["verify", &from, &parquet, "-m", &file.path()]).code(0).prints(&["merged", "Proven by digest"]);
    source.execute_batch("INSERT INTO log_2 VALUES (1, 'z', 0);").unwrap();
    ferry(&["plan", &from, &parquet, "-m", &file.path()]).code(1).prints(&["1 key in common, such as 1"]);
    to.drop().await;
}
