//! `dbferry explain`: one column or table, with all that is known of it.

use serde_json::Value;

use super::renames::MappingFile;
use crate::support::ferry::ferry;
use crate::support::{MySqlDatabase, PostgresDatabase};

const SHOP: &str = "
CREATE TABLE customers (id INT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY, email VARCHAR(40) CHARACTER SET latin1 NOT NULL DEFAULT 'none', UNIQUE KEY email (email));
CREATE TABLE orders (
  id INT NOT NULL PRIMARY KEY, customer_id INT UNSIGNED NOT NULL, paid TINYINT(1) NOT NULL, odd TINYINT(1) NOT NULL, placed DATE,
  total DECIMAL(10,2) NOT NULL DEFAULT 0 COMMENT 'with tax', secret VARCHAR(20), gone INT, shape GEOMETRY,
  KEY customer (customer_id), KEY by_total (total DESC, id),
  CONSTRAINT positive CHECK (total >= 0),
  CONSTRAINT bought_by FOREIGN KEY (customer_id) REFERENCES customers (id) ON DELETE CASCADE
);
INSERT INTO customers (id) VALUES (1);
INSERT INTO orders (id, customer_id, paid, odd) VALUES (1, 1, 0, 2), (2, 1, 1, 0);
";

const MAPPING: &str = "[[table]]
name = \"customers\"
columns.id.to = \"numeric(12,0)\"
[[table]]
name = \"orders\"
to = \"sales.orders\"
where = \"total >= 0\"
[table.columns]
gone = { drop = true }
shape = { drop = true }
secret = { mask = \"redact\" }
total = { to = \"integer\", rename = \"cents\" }
double = { expr = \"total * 2\" }
";

#[tokio::test]
async fn a_column_is_explained_from_its_type_to_what_is_compared_of_it() {
    let (from, to) = (MySqlDatabase::create(SHOP).await, PostgresDatabase::create("").await);
    let mapping = MappingFile::new(MAPPING);
    let path = mapping.path();
    let explain = |what: &str| ferry(&["explain", &from.url, &to.url, what, "-m", &path]);

    explain("orders.total").code(0).prints(&[
        "orders.total -> sales.orders.cents",
        "decimal(10,2), NOT NULL",
        "comment: with tax",
        "* integer [",
        "m.toml:12]: decides",
        "- numeric(10,2) [built-in mysql-to-postgres.toml:",
        "comes after it",
        "chooses the rows: total >= 0",
        "decimal(10,2) to int32: a number that is not in its range, or would lose a digit, is refused",
        "NULL is refused by the target",
        "index by_total (cents DESC, id)",
        "check positive",
        "digest  every value by its digits",
        "full    count, min, max, sum, computed by both databases",
    ]);
    // What the probe has proven, and what it has not.
    explain("orders.paid").code(0).prints(&[
        "* boolean",
        "decides: the probe has proven that every number is 0 or 1",
        "- smallint",
    ]);
    explain("orders.odd").code(0).prints(&[
        "- boolean",
        "only when it is proven that every number is 0 or 1; it is not",
        "* smallint",
    ]);
    ferry(&["explain", "orders.paid", &from.url, &to.url, "-m", &path, "--probe", "off"])
        .code(0)
        .prints(&["* smallint", "it is not"]);
    // A foreign key's partner decides.
    explain("orders.customer_id").code(0).prints(&[
        "* numeric(12,0) [as `",
        "since a foreign key joins them]: decides: columns that a foreign key joins have one type",
        "foreign key bought_by (customer_id) to public.customers (id)",
        "a value that no row of",
    ]);
    explain("customers.id").code(0).prints(&[
        "numbers new rows",
        "primary key (id)",
        "parent of foreign key bought_by of sales.orders",
    ]);
    explain("customers.email").code(0).prints(&[
        "character set latin1",
        "default 'none'",
        "text that is none in its character set is refused",
        "characters, as UTF-8",
    ]);
    explain("orders.placed").code(0).prints(&["a zero date is refused", "every value by its day"]);
    explain("orders.secret").code(0).prints(&["masked: redact", "full    count, computed by both databases"]);
    explain("orders.double").code(0).prints(&[
        "(the mapping) -> sales.orders.double",
        "computed as total * 2",
        "the source cannot compute its values",
    ]);
    explain("orders.gone").code(0).prints(&["-> (not carried)", "it is left out, as the mapping says"]);
    // In the target's names too, with the schema or without.
    for name in ["sales.orders.cents", "orders.cents", &format!("{}.orders.total", from.name)] {
        explain(name).code(0).prints(&["orders.total -> sales.orders.cents"]);
    }
    explain("orders").code(0).prints(&[
        "-> sales.orders",
        "rows where total >= 0",
        "total -> cents",
        "foreign key bought_by",
        "rows    how many rows both databases count",
    ]);
    explain("orders.totla").code(2).complains(&["has no column `totla`", "Did you mean `total`?"]);
    explain("ordes.total").code(2).complains(&["`ordes.total`", "Did you mean `orders`?"]);
    ferry(&["explain", &from.url, &to.url]).code(2).complains(&["what to explain"]);

    let json: Value = serde_json::from_str(
        &ferry(&["explain", &from.url, &to.url, "orders.total", "-m", &path, "--format", "json"]).code(0).out,
    )
    .unwrap();
    let column = &json["columns"][0];
    assert_eq!(column["source"]["type"], "decimal(10,2)");
    assert_eq!(column["target"]["type"], "integer");
    assert_eq!(column["candidates"][0]["decides"], true, "{column:#}");
    assert_eq!(column["compared"][2]["level"], "digest");
    assert_eq!(to.value("SELECT count(*) FROM pg_class WHERE relname = 'orders'").await.as_deref(), Some("0"), "nothing is made");

    // What refuses the run is explained as well, and so is what stands.
    let strict = MappingFile::new("[[table]]\nname = \"orders\"\ncolumns.shape.drop = true\ncolumns.odd.to = \"boolean\"\n");
    let said = ferry(&["explain", &from.url, &to.url, "orders.odd", "-m", &strict.path()]).code(1);
    said.prints(&["refuses the run", "neither 0 nor 1", "0 and 1 alone, and anything else is refused"]);
    to.run("CREATE TABLE customers (id bigint PRIMARY KEY, email text NOT NULL)").await;
    let only = MappingFile::new("");
    let standing =
        ["explain", &from.url, &to.url, "customers.email", "-m", &only.path(), "--include", "customers", "--data-only"];
    ferry(&standing).code(0).prints(&["* text [the existing table's type]", "- character varying(40)"]);
    from.drop().await;
    to.drop().await;
}
