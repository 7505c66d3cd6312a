//! What a change of the mapping changes in the target, as `plan --diff` tells it.

use serde_json::Value;

use super::renames::MappingFile;
use crate::support::ferry::{ferry, ferry_with};
use crate::support::{MySqlDatabase, PostgresDatabase};

const SHOP: &str =
    "CREATE TABLE customers (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, name VARCHAR(40) NOT NULL, email VARCHAR(60), UNIQUE KEY by_email (email));
CREATE TABLE orders (id INT NOT NULL PRIMARY KEY, customer_id INT NOT NULL, total DECIMAL(10,2) NOT NULL, state ENUM('a','b') NOT NULL,
  CONSTRAINT of_customer FOREIGN KEY (customer_id) REFERENCES customers (id));
CREATE TABLE logs (v VARCHAR(20), FULLTEXT KEY words (v));
CREATE TABLE odd (v BIGINT UNSIGNED NOT NULL);
INSERT INTO customers VALUES (1, 'Ada', 'ada@x');
";

#[tokio::test]
async fn a_change_of_the_mapping_is_told_and_nothing_is_changed() {
    let (from, to) = (MySqlDatabase::create(SHOP).await, PostgresDatabase::create("").await);
    let one = MappingFile::new("[[table]]\nname = \"orders\"\n[table.columns]\ntotal = { rename = \"sum\" }\n");
    let two = MappingFile::new(
        r#"[[type]]
match = { type = "bigint", unsigned = true }
to = "bigint"

[[table]]
name = "customers"
to = "crm.people"
[table.columns]
name = { rename = "full_name" }
email = { drop = true }
shout = { expr = "upper(name)" }

[[table]]
name = "orders"
where = "total > 5"
[table.columns]
total = { rename = "sum", to = "numeric(20,4)" }
state = { to = "text" }

[[table]]
name = "logs"
[table.columns]
v = { mask = "redact" }

[[hook]]
name = "count"
when = "after"
side = "target"
sql = "SELECT 1"
"#,
    );
    let plan = ["plan", &from.url, &to.url, "-m", &one.path()];
    let said = ferry(&[&plan[..], &["--diff", &two.path()]].concat()).code(0).prints(&[
        ".customers -> crm.people\n  ~ it is named crm.people, no longer public.customers\n  ~ column name is named full_name\n  - column email: ",
        "  + column shout: text, `upper(name)`",
        "  - unique index ",
        "  + rows where: total > 5\n",
        "  ~ column sum: numeric(10,2) not null becomes numeric(20,4) not null  [built-in mysql-to-postgres.toml:",
        "  ~ column v: numeric(20,0) not null, never negative becomes bigint not null, never negative",
        "  + mask of column v: `redact`",
        "  + schema crm\n",
        "  + hook count: after the run, on the target\n",
        "Problems that come:\n",
    ]);
    // What the target never gets, or keeps under another name, is no change of it.
    said.never_says("words").never_says("of_customer");

    let said = ferry(&[&plan[..], &["--diff", &two.path(), "--format", "json"]].concat()).code(0);
    let told: Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!((told["from"].as_str(), told["to"].as_str()), (Some(one.path().as_str()), Some(two.path().as_str())));
    assert!(told["tables"].as_array().is_some_and(|tables| tables.len() == 4), "{told:#}");
    ferry(&[&plan[..], &["--diff", &one.path()]].concat()).code(0).prints(&["Nothing changes in the target."]);
    let none: String = to.value("SELECT count(*) FROM pg_namespace WHERE nspname IN ('crm', 'dbferry')").await.unwrap();
    assert_eq!(none, "0");
    from.drop().await;
    to.drop().await;
}

#[tokio::test]
async fn both_mappings_are_checked_each_with_its_own_places() {
    let (from, to) = (MySqlDatabase::create(SHOP).await, PostgresDatabase::create("").await);
    let one = MappingFile::new("[[table]]\nname = \"custmers\"\n");
    let two = MappingFile::new("\n[[table]]\nname = \"orders\"\n[table.columns]\nid = { expr = \"nothing + 1\" }\n");
    let plan = ["plan", &from.url, &to.url];
    let both = ferry(&[&plan[..], &["-m", &one.path(), "--diff", &two.path()]].concat()).code(2);
    both.complains(&[
        &format!("{}:1: ", one.path()),
        "customers",
        &format!("{}:5: ", two.path()),
        "there is no column `nothing`",
    ]);
    let (one, two) = (MappingFile::new("tabel = 1\n"), MappingFile::new("\n[[type]]\nmatch = 3\n"));
    ferry(&[&plan[..], &["-m", &one.path(), "--diff", &two.path()]].concat())
        .code(2)
        .complains(&[&format!("{}:1:1: ", one.path()), &format!("{}:3:", two.path())]);

    // What would refuse the run is told as plan tells it: by the exit code as well.
    let refused = MappingFile::new("[[table]]\nname = \"customers\"\n[table.columns]\nid = { to = \"date\" }\n");
    ferry(&[&plan[..], &["--diff", &refused.path()]].concat()).code(1).prints(&[
        "- table public.customers, from",
        "is refused: see the problems",
        "+ refuses the run: column",
    ]);
    ferry(&[&plan[..], &["--diff", &refused.path(), "--format", "sql"]].concat()).code(2).complains(&["no form in SQL"]);

    let masked = MappingFile::new(
        "[masking]\nkey = \"${DBFERRY_MASK_KEY}\"\n[[table]]\nname = \"customers\"\n[table.columns]\nid = { mask = \"hash\" }\n",
    );
    let key = "not-to-be-told-0123456789abcdef0123456789";
    let said = ferry_with("DBFERRY_MASK_KEY", key, &[&plan[..], &["--diff", &masked.path()]].concat()).code(0);
    said.prints(&["+ mask of column id: `hash`", "+ mask of column customer_id: `hash`"]).never_says(key);
    from.drop().await;
    to.drop().await;
}
