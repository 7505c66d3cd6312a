//! `--if-exists drop`: what stands in the way of it is said before anything is changed.

use crate::support::ferry::ferry;
use crate::support::{MySqlDatabase, PostgresDatabase};

const SHOP: &str = "
CREATE TABLE customers (id INT NOT NULL PRIMARY KEY, kind ENUM('new','old'));
CREATE TABLE orders (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, customer_id INT, changed TIMESTAMP NULL ON UPDATE CURRENT_TIMESTAMP,
  CONSTRAINT of_customer FOREIGN KEY (customer_id) REFERENCES customers (id));
INSERT INTO customers VALUES (1, 'old');
INSERT INTO orders (id, customer_id) VALUES (5, 1);
";

#[tokio::test]
async fn what_depends_on_a_table_and_would_stay_is_named_before_anything_is_dropped() {
    let from = MySqlDatabase::create(SHOP).await;
    let to = PostgresDatabase::create("").await;
    let ends = ["run", &from.url, &to.url, "--if-exists", "drop"];
    ferry(&ends).code(0);
    // Tables that point to each other, their indexes, sequences, types and triggers are no obstacle.
    ferry(&ends).code(0);
    to.run(
        "CREATE TABLE invoices (id int PRIMARY KEY, customer_id int CONSTRAINT billed REFERENCES customers (id), kind customers_kind);
         CREATE TABLE numbers (id int DEFAULT nextval('orders_id_seq'), order_row orders);
         CREATE VIEW newest AS SELECT max(id) FROM orders;
         CREATE MATERIALIZED VIEW all_kinds AS SELECT kind FROM customers;
         CREATE TABLE heirs () INHERITS (customers);
         CREATE TRIGGER borrowed BEFORE UPDATE ON numbers FOR EACH ROW EXECUTE FUNCTION orders_changed_on_update('set')",
    )
    .await;
    let before = to.value("SELECT string_agg(oid::text, ' ' ORDER BY oid) FROM pg_class").await;
    let runs = to.value("SELECT count(*) FROM dbferry.runs").await;
    ferry(&ends).code(2).complains(&[
        "public.customers`: it cannot be dropped: constraint billed on table public.invoices depends on it",
        "column kind of table public.invoices depends on it",
        "materialized view public.all_kinds depends on it",
        "table public.heirs depends on it",
        "public.orders`: it cannot be dropped: view public.newest depends on it",
        "default value for column id of table public.numbers depends on it",
        "column order_row of table public.numbers depends on it",
        "trigger borrowed on table public.numbers depends on it",
    ]);
    assert_eq!(to.value("SELECT string_agg(oid::text, ' ' ORDER BY oid) FROM pg_class").await, before, "nothing is changed");
    assert_eq!(to.value("SELECT count(*) FROM dbferry.runs").await, runs);
    to.run("DROP TABLE invoices, numbers, heirs; DROP VIEW newest; DROP MATERIALIZED VIEW all_kinds").await;
    ferry(&ends).code(0);
    // A name that something else has, and a table of another role.
    to.run("DROP TABLE orders; CREATE VIEW orders AS SELECT 1 AS id").await;
    ferry(&ends).code(2).complains(&["public.orders`: what stands there under this name is no table"]);
    assert_eq!(to.value("SELECT count(*) FROM customers").await.as_deref(), Some("1"));
    from.drop().await;
    to.drop().await;
}
