//! Columns that are computed and conditions on rows; PostgreSQL says what arrived.

use super::renames::MappingFile;
use crate::support::ferry::{ferry, report, table};
use crate::support::{MySqlDatabase, PostgresDatabase};

const ORDERS: &str = "CREATE TABLE orders (id INT NOT NULL PRIMARY KEY, customer VARCHAR(40), total DECIMAL(10,2) NOT NULL, tax TINYINT UNSIGNED NOT NULL, placed DATETIME(3), n BIGINT NOT NULL);
INSERT INTO orders VALUES (1, 'Ada', 10.00, 19, '2019-12-31 23:59:59.999', 1), (2, 'Bob', 20.10, 7, '2020-01-01', 2), (3, NULL, 0.05, 0, '2021-05-05 05:05:05.5', 3), (4, 'ada', 99.99, 19, NULL, 4);
";

#[tokio::test]
async fn columns_are_computed_and_rows_are_chosen_and_all_of_it_is_proven() {
    let from = MySqlDatabase::create(ORDERS).await;
    let to = PostgresDatabase::create("").await;
    let file = MappingFile::new(
        r#"[[table]]
name = "orders"
where = "placed >= timestamp '2020-01-01 00:00:00' and upper(customer) = 'BOB' or id = 3"
[table.columns.total]
expr = "total * (100 + tax) / 100"
to = "numeric(14,4)"
round = true
[table.columns.who]
expr = "coalesce(upper(customer), 'nobody')"
to = "varchar(40)"
[table.columns.carried_at]
expr = "now()"
"#,
    );
    let plan = ferry(&["plan", &from.url, &to.url, "-m", &file.path()]).code(0);
    plan.prints(&["where placed >=", "total * (100 + tax) / 100", "carried_at", "timestamp(6) with time zone"]);
    let report = report(0, &["run", &from.url, &to.url, "-m", &file.path(), "--verify", "full"]);
    assert_eq!(table(&report, "orders")["rows"], 2);
    assert_eq!(table(&report, "orders")["outcome"], "verified");
    let rows = "SELECT string_agg(concat_ws(' ', id, total, who), ', ' ORDER BY id) FROM orders";
    assert_eq!(to.value(rows).await.as_deref(), Some("2 21.5070 BOB, 3 0.0500 nobody"));
    let age = "SELECT count(DISTINCT carried_at) = 1 AND max(carried_at) BETWEEN now() - interval '10 min' AND now() FROM orders";
    assert_eq!(to.value(age).await.as_deref(), Some("true"));
    // Later, `now()` is still the start of that run.
    ferry(&["verify", &from.url, &to.url, "-m", &file.path()]).code(0);
    to.run("UPDATE orders SET total = total + 0.0001 WHERE id = 2").await;
    ferry(&["verify", &from.url, &to.url, "-m", &file.path()]).code(1);
    from.drop().await;
    to.drop().await;
}

#[tokio::test]
async fn the_source_checks_what_it_can_of_a_condition_and_counts_the_same_rows() {
    let from = MySqlDatabase::create(ORDERS).await;
    let to = PostgresDatabase::create("").await;
    let file = MappingFile::new(
        "[[table]]\nname = \"orders\"\nwhere = \"placed < timestamp '2021-01-01 00:00:00' and total > 10.5 and n in (1, 2, 3)\"\nsource_where = \"tax <> 19\"\n",
    );
    let plan = ferry(&["plan", &from.url, &to.url, "-m", &file.path()]).code(0);
    plan.prints(&["[checked by the source]", "(tax <> 19) AND", "`total` > 10.5"]);
    let report = report(0, &["run", &from.url, &to.url, "-m", &file.path(), "--verify", "full"]);
    assert_eq!(table(&report, "orders")["rows"], 1);
    ferry(&["verify", &from.url, &to.url, "-m", &file.path(), "--level", "rows"]).code(0);
    from.drop().await;
    to.drop().await;
}

#[tokio::test]
async fn an_expression_that_does_not_fit_is_told_with_its_place_before_anything_is_made() {
    let from = MySqlDatabase::create(ORDERS).await;
    let to = PostgresDatabase::create("").await;
    for (rule, words) in [
        ("where = \"totl > 1\"", &["m.toml:", "totl", "total"][..]),
        ("where = \"total\"", &["a condition is true or false"]),
        ("where = \"1 = 2\"", &["lets no row through"]),
        ("[table.columns.total]\nexpr = \"upper(total, 1)\"", &["m.toml:", "total"]),
        ("[table.columns.total]\nexpr = \"customer\"\nto = \"bytea[]\"", &["total"]),
        ("[table.columns.x]\nexpr = \"random()\"", &["m.toml:", "random"]),
        ("[table.columns.x]\nexpr = \"(select 1)\"", &["m.toml:"]),
        ("[table.columns.x]\nexpr = \"sum(total)\"", &["m.toml:", "sum"]),
    ] {
        let file = MappingFile::new(&format!("[[table]]\nname = \"orders\"\n{rule}\n"));
        let said = ferry(&["run", &from.url, &to.url, "-m", &file.path()]).code(2);
        said.complains(words);
    }
    assert_eq!(to.value("SELECT count(*) FROM pg_tables WHERE schemaname IN ('public', 'dbferry')").await.as_deref(), Some("0"));
    from.drop().await;
    to.drop().await;
}

#[tokio::test]
async fn a_value_that_an_expression_cannot_make_is_refused_with_its_key() {
    let from = MySqlDatabase::create(ORDERS).await;
    from.run("INSERT INTO orders VALUES (5, 'Max', 1, 1, NULL, 9223372036854775807);").await;
    let to = PostgresDatabase::create("").await;
    let file = MappingFile::new("[[table]]\nname = \"orders\"\n[table.columns.n]\nexpr = \"n + 1\"\n");
    let said = ferry(&["run", &from.url, &to.url, "-m", &file.path()]).code(1);
    said.prints(&["(id = 5)", "n + 1"]);
    from.drop().await;
    to.drop().await;
}
