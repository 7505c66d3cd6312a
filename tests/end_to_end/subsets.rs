//! Consistent small copies: foreign keys followed from chosen rows, and shares of a table; PostgreSQL says what arrived.

use super::renames::MappingFile;
use crate::support::ferry::{ferry, report, table};
use crate::support::{MySqlDatabase, PostgresDatabase};

/// A shop with a circle (store and staff), staff that point to their bosses, a diamond (address), a foreign key of two columns, and
/// tables that have nothing to do with it.
const SHOP: &str = "CREATE TABLE address (id INT UNSIGNED NOT NULL PRIMARY KEY, street VARCHAR(40) NOT NULL);
CREATE TABLE store (id SMALLINT UNSIGNED NOT NULL PRIMARY KEY, manager TINYINT UNSIGNED NOT NULL, address INT UNSIGNED NOT NULL);
CREATE TABLE staff (id TINYINT UNSIGNED NOT NULL PRIMARY KEY, store SMALLINT UNSIGNED NOT NULL, boss TINYINT UNSIGNED, address INT UNSIGNED NOT NULL);
CREATE TABLE customer (code VARCHAR(10) NOT NULL PRIMARY KEY, store SMALLINT UNSIGNED, address INT UNSIGNED);
CREATE TABLE orders (shop SMALLINT UNSIGNED NOT NULL, no INT NOT NULL, customer VARCHAR(10), taken_by TINYINT UNSIGNED, placed DATE NOT NULL, PRIMARY KEY (shop, no));
CREATE TABLE item (id BIGINT NOT NULL PRIMARY KEY, shop SMALLINT UNSIGNED, no INT, product INT NOT NULL);
CREATE TABLE product (id INT NOT NULL PRIMARY KEY, name VARCHAR(20) NOT NULL);
CREATE TABLE review (id INT NOT NULL PRIMARY KEY, product INT);
CREATE TABLE reply (id INT NOT NULL PRIMARY KEY, review INT);
CREATE TABLE country (id INT NOT NULL PRIMARY KEY);
CREATE TABLE tax (id INT NOT NULL PRIMARY KEY, country INT NOT NULL, FOREIGN KEY (country) REFERENCES country (id));
INSERT INTO address VALUES (1, 'a'), (2, 'b'), (3, 'c'), (4, 'd'), (5, 'e'), (6, 'f'), (7, 'g'), (8, 'h');
INSERT INTO store VALUES (1, 1, 1), (2, 2, 2), (300, 3, 3);
INSERT INTO staff VALUES (1, 2, NULL, 1), (2, 2, 1, 2), (3, 300, 2, 3), (4, 1, 3, 4), (5, 1, 4, 4);
INSERT INTO customer VALUES ('ann', 1, 5), ('bob', 2, 6), ('cid', NULL, 7), ('dot', 300, NULL);
INSERT INTO orders VALUES (1, 1, 'ann', 4, '2020-01-01'), (1, 2, 'bob', NULL, '2021-01-01'), (2, 1, 'ann', 1, '2022-01-01'), (2, 2, NULL, NULL, '2023-01-01'), (300, 1, 'cid', 5, '2024-01-01');
INSERT INTO product VALUES (1, 'p'), (2, 'q'), (3, 'r'), (4, 's');
INSERT INTO item VALUES (11, 1, 1, 1), (12, 1, 1, 2), (13, 2, 2, 3), (14, NULL, 7, 4), (15, 300, 1, 1), (16, 1, 2, 2);
INSERT INTO review VALUES (1, 1), (2, 3), (3, NULL);
INSERT INTO reply VALUES (1, 1), (2, NULL);
INSERT INTO country VALUES (1), (2), (3);
INSERT INTO tax VALUES (1, 1), (2, 2);
ALTER TABLE store ADD FOREIGN KEY (manager) REFERENCES staff (id), ADD FOREIGN KEY (address) REFERENCES address (id);
ALTER TABLE staff ADD FOREIGN KEY (store) REFERENCES store (id), ADD FOREIGN KEY (boss) REFERENCES staff (id), ADD FOREIGN KEY (address) REFERENCES address (id);
ALTER TABLE customer ADD FOREIGN KEY (store) REFERENCES store (id), ADD FOREIGN KEY (address) REFERENCES address (id);
ALTER TABLE orders ADD FOREIGN KEY (customer) REFERENCES customer (code), ADD FOREIGN KEY (taken_by) REFERENCES staff (id);
ALTER TABLE item ADD FOREIGN KEY (shop, no) REFERENCES orders (shop, no), ADD FOREIGN KEY (product) REFERENCES product (id);
ALTER TABLE review ADD FOREIGN KEY (product) REFERENCES product (id);
ALTER TABLE reply ADD FOREIGN KEY (review) REFERENCES review (id);
";

/// The keys of all tables, as PostgreSQL has them, and how many foreign keys are validated.
async fn arrived(to: &PostgresDatabase) -> String {
    let mut all = Vec::new();
    for (table, key) in [
        ("address", "id"),
        ("store", "id"),
        ("staff", "id"),
        ("customer", "code"),
        ("orders", "shop || '/' || no"),
        ("item", "id"),
        ("product", "id"),
        ("review", "id"),
        ("reply", "id"),
        ("country", "id"),
        ("tax", "id"),
    ] {
        let sql = format!("SELECT coalesce(string_agg(({key})::text, ' ' ORDER BY ({key})::text), '-') FROM {table}");
        all.push(format!("{table} {}", to.value(&sql).await.unwrap()));
    }
    let keys = "SELECT count(*) FROM pg_constraint WHERE contype = 'f' AND convalidated";
    all.push(format!("{} foreign keys", to.value(keys).await.unwrap()));
    all.join("; ")
}

/// Carries the shop by a mapping, proves it on all levels, and says what arrived.
async fn carried(from: &MySqlDatabase, mapping: &str) -> String {
    let to = PostgresDatabase::create("").await;
    let file = MappingFile::new(mapping);
    let ends = [from.url.as_str(), to.url.as_str(), "-m", &file.path()];
    let report = report(0, &[&["run"][..], &ends, &["--verify", "full"]].concat());
    assert_eq!(report["exit_code"], 0);
    for level in ["rows", "digest", "full"] {
        ferry(&[&["verify"][..], &ends, &["--level", level]].concat()).code(0);
    }
    let arrived = arrived(&to).await;
    to.drop().await;
    arrived
}

#[tokio::test]
async fn what_chosen_rows_need_comes_along_and_nothing_else() {
    let from = MySqlDatabase::create(SHOP).await;
    let mapping = "[[table]]\nname = \"item\"\nwhere = \"id in (11, 14)\"\nfollow = \"foreign_keys\"\n";
    assert_eq!(
        carried(&from, mapping).await,
        // Item 11 needs order 1/1, that needs ann (store 1, address 5) and staff 4, whose bosses are 3, 2 and 1, with their stores.
        "address 1 2 3 4 5; store 1 2 300; staff 1 2 3 4; customer ann; orders 1/1; item 11 14; product 1 4; review -; reply -; \
         country 1 2 3; tax 1 2; 14 foreign keys"
    );
    let mapping = "[[table]]\nname = \"customer\"\nsource_where = \"code = 'cid'\"\nfollow = \"foreign_keys\"\n";
    assert_eq!(
        carried(&from, mapping).await,
        "address 7; store -; staff -; customer cid; orders -; item -; product 1 2 3 4; review 1 2 3; reply 1 2; country 1 2 3; tax 1 2; \
         14 foreign keys"
    );
    from.drop().await;
}

#[tokio::test]
async fn children_come_along_where_that_is_wanted_and_a_condition_of_their_own_narrows_them() {
    let from = MySqlDatabase::create(SHOP).await;
    let customers =
        "[[table]]\nname = \"customer\"\nsource_where = \"code IN ('ann', 'bob')\"\nfollow = \"foreign_keys_and_children\"\n";
    assert_eq!(
        carried(&from, customers).await,
        "address 1 2 3 4 5 6; store 1 2 300; staff 1 2 3 4; customer ann bob; orders 1/1 1/2 2/1; item 11 12 16; product 1 2; review -; \
         reply -; country 1 2 3; tax 1 2; 14 foreign keys"
    );
    let narrowed = format!("{customers}\n[[table]]\nname = \"orders\"\nwhere = \"placed >= date '2021-06-01'\"\n");
    assert_eq!(
        carried(&from, &narrowed).await,
        "address 1 2 5 6; store 1 2; staff 1 2; customer ann bob; orders 2/1; item -; product -; review -; reply -; country 1 2 3; tax 1 2; \
         14 foreign keys"
    );
    // Whom staff 4 is above, and what they sold; then what all of that needs: bosses, stores with their managers, customers.
    let bosses = "[[table]]\nname = \"staff\"\nwhere = \"id = 4\"\nfollow = \"foreign_keys_and_children\"\n";
    assert_eq!(
        carried(&from, bosses).await,
        "address 1 2 3 4 5 7; store 1 2 300; staff 1 2 3 4 5; customer ann cid; orders 1/1 300/1; item 11 12 15; product 1 2; review -; \
         reply -; country 1 2 3; tax 1 2; 14 foreign keys"
    );
    from.drop().await;
}

/// 5,000 events of about a kilobyte, each with one of 20,000 customers of the same size.
const EVENTS: &str = "CREATE TABLE customers (id INT NOT NULL PRIMARY KEY, pad VARCHAR(1000) NOT NULL);
CREATE TABLE events (id INT NOT NULL PRIMARY KEY, customer INT NOT NULL, day DATE NOT NULL, pad VARCHAR(1000) NOT NULL, FOREIGN KEY (customer) REFERENCES customers (id));
INSERT INTO customers SELECT seq, REPEAT('c', 1000) FROM seq_1_to_20000;
INSERT INTO events SELECT seq, 1 + seq * 7919 % 20000, '2024-01-01', REPEAT('e', 1000) FROM seq_1_to_5000;
ANALYZE TABLE customers, events;
";

#[tokio::test]
async fn a_sample_is_the_same_each_time_also_when_resumed_in_chunks_and_takes_its_parents_along() {
    let from = MySqlDatabase::create(EVENTS).await;
    let file = MappingFile::new("[[table]]\nname = \"events\"\nsample = 0.05\nfollow = \"foreign_keys\"\n");
    let path = file.path();
    let ids = "SELECT md5(string_agg(id::text, ',' ORDER BY id)) FROM events";
    let mut sets = Vec::new();
    let mut last = String::new();
    for attempt in 0..2 {
        let to = PostgresDatabase::create("").await;
        let run = ["run", &from.url, &to.url, "-m", &path, "--chunk", "1MiB", "--verify", "full"];
        if attempt == 0 {
            let report = report(0, &run);
            let rows = table(&report, "events")["rows"].as_u64().unwrap();
            assert!((200..=300).contains(&rows), "{rows} of 5,000 rows are no twentieth");
            assert!(table(&report, "events")["chunks"].as_u64().unwrap() > 3, "{report:#}");
            assert!(table(&report, "customers")["chunks"].as_u64().unwrap() > 1, "{report:#}");
            assert_eq!(table(&report, "customers")["rows"].as_u64(), Some(rows));
            last = to.value("SELECT max(id) FROM events").await.unwrap();
        } else {
            from.run(&format!("UPDATE events SET day = '0000-00-00' WHERE id = {last};")).await;
            ferry(&[&run[..], &["--probe", "off"]].concat()).code(1).prints(&["0000-00-00"]);
            from.run(&format!("UPDATE events SET day = '2024-01-01' WHERE id = {last};")).await;
            ferry(&[&run[..], &["--resume"]].concat()).code(0).prints(&["Proven in full"]);
        }
        ferry(&["verify", &from.url, &to.url, "-m", &path]).code(0);
        sets.push(to.value(ids).await);
        let orphans = "SELECT (SELECT count(*) FROM customers WHERE id NOT IN (SELECT customer FROM events)) || ' ' || count(*) \
                       FROM events WHERE customer NOT IN (SELECT id FROM customers)";
        assert_eq!(to.value(orphans).await.as_deref(), Some("0 0"));
        to.drop().await;
    }
    assert_eq!(sets[0], sets[1]);
    from.drop().await;
}

#[tokio::test]
async fn a_chain_longer_than_the_servers_limit_of_recursion_arrives_in_full() {
    let from = MySqlDatabase::create(
        "CREATE TABLE person (id INT NOT NULL PRIMARY KEY, boss INT, FOREIGN KEY (boss) REFERENCES person (id));
INSERT INTO person SELECT seq, NULLIF(seq - 1, 0) FROM seq_1_to_2500;
",
    )
    .await;
    let to = PostgresDatabase::create("").await;
    let file = MappingFile::new("[[table]]\nname = \"person\"\nwhere = \"id = 2400\"\nfollow = \"foreign_keys\"\n");
    let report = report(0, &["run", &from.url, &to.url, "-m", &file.path(), "--verify", "full"]);
    assert_eq!(table(&report, "person")["rows"], 2400);
    from.drop().await;
    to.drop().await;
}

const FEW: &str = "CREATE TABLE a (id INT NOT NULL PRIMARY KEY, name VARCHAR(10) NOT NULL);
CREATE TABLE b (id INT NOT NULL PRIMARY KEY, a INT NOT NULL, FOREIGN KEY (a) REFERENCES a (id));
CREATE TABLE heap (n INT);
CREATE TABLE nothing (id INT NOT NULL PRIMARY KEY);
INSERT INTO a VALUES (1, 'x'), (2, 'y');
INSERT INTO b VALUES (1, 1), (2, 2);
INSERT INTO heap VALUES (1);
";

#[tokio::test]
async fn a_condition_that_lets_nothing_through_is_refused_unless_that_is_allowed() {
    let from = MySqlDatabase::create(FEW).await;
    let to = PostgresDatabase::create("").await;
    for (rule, words) in [
        ("name = \"a\"\nwhere = \"id > 7\"", &["`where = id > 7` lets no row through"][..]),
        ("name = \"a\"\nwhere = \"upper(name) = 'Z'\"", &["`where = upper(name) = 'Z'` lets no row through"]),
        ("name = \"a\"\nwhere = \"id > 1 and upper(name) = 'X'\"", &["lets no row through"]),
        ("name = \"a\"\nsource_where = \"id > 7\"", &["`source_where = id > 7` lets no row through"]),
        ("name = \"a\"\nsample = 0.000001", &["`sample = 0.000001` lets no row through"]),
        (
            "name = \"a\"\nwhere = \"id = 1\"\nsource_where = \"id = 2\"",
            &["`where = id = 1` and `source_where = id = 2` let no row through"],
        ),
        ("name = \"b\"\nwhere = \"id > 7\"\nfollow = \"foreign_keys\"", &["`where = id > 7` lets no row through"]),
    ] {
        let file = MappingFile::new(&format!("[[table]]\n{rule}\n"));
        let ends = [from.url.as_str(), to.url.as_str(), "-m", &file.path()];
        let said = ferry(&[&["run"][..], &ends].concat()).code(2);
        said.complains(words).complains(&["m.toml:1", "--allow-empty", &format!("{}.", from.name)]);
        ferry(&[&["plan"][..], &ends].concat()).code(2).complains(words);
        assert_eq!(
            to.value("SELECT count(*) FROM pg_tables WHERE schemaname IN ('public', 'dbferry')").await.as_deref(),
            Some("0")
        );
        let other = PostgresDatabase::create("").await;
        // Without rows in `a` the foreign key of `b` would not hold.
        let without: &[&str] = if rule.contains("\"a\"") { &["--exclude", "b"] } else { &[] };
        ferry(&[&["run", &from.url, &other.url, "-m", &file.path(), "--allow-empty"][..], without].concat()).code(0);
        other.drop().await;
    }
    // A table without rows, and tables that nothing asks for, are no mistake.
    let rules = "[[table]]\nname = \"nothing\"\nwhere = \"id > 7\"\n[[table]]\nname = \"a\"\nwhere = \"id = 1\"\nfollow = \"foreign_keys\"\n";
    let file = MappingFile::new(rules);
    ferry(&["run", &from.url, &to.url, "-m", &file.path()]).code(0).prints(&["arrives empty: it points to `a`"]);
    from.drop().await;
    to.drop().await;
}

#[tokio::test]
async fn what_cannot_be_followed_or_sampled_is_refused_with_its_place() {
    let from = MySqlDatabase::create(FEW).await;
    let to = PostgresDatabase::create("").await;
    for (rule, words) in [
        ("name = \"a\"\nwhere = \"upper(name) = 'X'\"\nfollow = \"foreign_keys\"", &["m.toml:1", "source_where"][..]),
        ("name = \"a\"\nfollow = \"foreign_keys\"", &["m.toml:1", "no rows to begin with"]),
        ("name = \"a\"\nfollow = \"parents\"\nwhere = \"id = 1\"", &["m.toml:3", "foreign_keys_and_children"]),
        ("name = \"a\"\nsample = 0.0", &["m.toml:1", "no share"]),
        ("name = \"a\"\nsample = 1.5", &["m.toml:3", "from 0 to 1"]),
        ("name = \"a\"\nsample = nan", &["m.toml:3", "from 0 to 1"]),
        ("name = \"a\"\nsample = \"1%\"", &["m.toml:3", "number"]),
        ("name = \"a\"\nexclude = true\nsample = 0.5", &["m.toml:1", "left out"]),
        ("name = \"heap\"\nsample = 0.5", &["m.toml:1", "heap", "by their key", "primary key"]),
        (
            "name = \"b\"\nwhere = \"id = 1\"\nfollow = \"foreign_keys\"\n[[table]]\nname = \"a\"\nwhere = \"id < 2\"",
            &["m.toml:5", "does not say how", "follow = \"foreign_keys\""],
        ),
    ] {
        let file = MappingFile::new(&format!("[[table]]\n{rule}\n"));
        ferry(&["run", &from.url, &to.url, "-m", &file.path()]).code(2).complains(words);
    }
    let file = MappingFile::new("[[table]]\nname = \"b\"\nwhere = \"id = 1\"\nfollow = \"foreign_keys\"\n");
    ferry(&["plan", &from.url, &to.url, "-m", &file.path(), "--exclude", "a"]).code(0).prints(&[
        "`t",
        ".b_ibfk_1`",
        ".a` is not carried, so the subset does not follow it",
        "a subset: what `where = id = 1` chooses",
    ]);
    from.drop().await;
    to.drop().await;
}

#[tokio::test]
async fn a_sqlite_file_is_followed_and_sampled_alike() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s.db");
    let writer = rusqlite::Connection::open(&path).unwrap();
    writer
        .execute_batch(
            "PRAGMA foreign_keys = OFF;
             CREATE TABLE staff (id INTEGER PRIMARY KEY, store INTEGER REFERENCES store (id), boss INTEGER REFERENCES staff (id));
             CREATE TABLE store (id INTEGER PRIMARY KEY, manager INTEGER REFERENCES staff (id));
             CREATE TABLE sale (store INTEGER, no TEXT, staff INTEGER REFERENCES staff (id), PRIMARY KEY (store, no)) WITHOUT ROWID;
             CREATE TABLE line (id INTEGER PRIMARY KEY, store INTEGER, no TEXT, price DECIMAL(8,2), FOREIGN KEY (store, no) REFERENCES sale (store, no));
             CREATE TABLE other (id INTEGER PRIMARY KEY, name TEXT);
             INSERT INTO staff VALUES (1, 1, NULL), (2, 2, 1), (3, 2, 2), (4, 1, 1);
             INSERT INTO store VALUES (1, 1), (2, 2), (3, NULL);
             INSERT INTO sale VALUES (1, 'a', 3), (1, 'b', 4), (2, 'a', NULL);
             INSERT INTO line VALUES (1, 1, 'a', 1.5), (2, 1, 'a', 2), (3, 1, 'b', 3), (4, 2, 'a', 4.25), (5, NULL, 'z', 5);
             WITH RECURSIVE n (id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM n LIMIT 5000) INSERT INTO other SELECT id, 'n' || id FROM n;",
        )
        .unwrap();
    let url = format!("sqlite://{}", path.display());
    let to = PostgresDatabase::create("").await;
    let file = MappingFile::new(
        "[[table]]\nname = \"line\"\nsource_where = \"id = 1\"\nfollow = \"foreign_keys\"\n[[table]]\nname = \"other\"\nsample = 0.1\n",
    );
    let said = ferry(&["run", &url, &to.url, "-m", &file.path(), "--verify", "full"]).code(0);
    said.prints(&["a subset: what `sample = 0.1` chooses", "a subset: what `sale`, `staff`, `store` need"]);
    ferry(&["verify", &url, &to.url, "-m", &file.path(), "--level", "full"]).code(0);
    let all = "SELECT concat_ws(' ', (SELECT string_agg(id::text, ',' ORDER BY id) FROM staff), (SELECT string_agg(id::text, ',' ORDER BY id) \
               FROM store), (SELECT string_agg(store || no, ',') FROM sale), (SELECT string_agg(id::text, ',') FROM line))";
    assert_eq!(to.value(all).await.as_deref(), Some("1,2,3 1,2 1a 1"));
    // The same keys are taken of a MySQL table.
    let from = MySqlDatabase::create(
        "CREATE TABLE other (id BIGINT UNSIGNED ZEROFILL NOT NULL PRIMARY KEY);
INSERT INTO other SELECT seq FROM seq_1_to_5000;
",
    )
    .await;
    let file = MappingFile::new("[[table]]\nname = \"other\"\nsample = 0.1\n");
    ferry(&["run", &from.url, &to.url, "-m", &file.path(), "--schema", "mysql"]).code(0);
    let same = "SELECT count(*) BETWEEN 430 AND 570 AND count(*) = count(a.id) AND count(*) = count(b.id) FROM other a FULL JOIN mysql.other b ON a.id = b.id";
    assert_eq!(to.value(same).await.as_deref(), Some("true"));
    let nothing = MappingFile::new("[[table]]\nname = \"other\"\nsource_where = \"name = 'x'\"\n");
    ferry(&["run", &url, &to.url, "-m", &nothing.path(), "--if-exists", "drop"]).code(2).complains(&["lets no row through"]);
    from.drop().await;
    to.drop().await;
}
