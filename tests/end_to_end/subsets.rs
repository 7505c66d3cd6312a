//! Consistent small copies: foreign keys followed from chosen rows, and shares of a table; PostgreSQL says what arrived.

use super::renames::MappingFile;
use crate::support::ferry::{ferry, report};
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
    let customers = "[[table]]\nname = \"customer\"\nsource_where = \"code IN ('ann', 'bob')\"\nfollow = \"foreign_keys_and_children\"\n";
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
    // Those who have staff 4 above them, then all that they need: each boss, each store with its manager.
    let bosses = "[[table]]\nname = \"staff\"\nwhere = \"id = 4\"\nfollow = \"foreign_keys_and_children\"\n";
    let arrived = carried(&from, bosses).await;
    assert!(arrived.contains("staff 1 2 3 4 5; customer ann; orders 1/1 300/1; item 11 12 15"), "{arrived}");
    from.drop().await;
}
