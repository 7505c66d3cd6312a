//! One table that becomes several: by columns and by rows, each with its own keys, counts and digests.

use super::renames::MappingFile;
use crate::support::ferry::{ferry, report};
use crate::support::{MySqlDatabase, PostgresDatabase};

const WIDE: &str = "CREATE TABLE regions (id INT NOT NULL PRIMARY KEY);
CREATE TABLE people (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, name VARCHAR(40) NOT NULL, street VARCHAR(60), region_id INT, born DATE, KEY by_name (name), CONSTRAINT in_region FOREIGN KEY (region_id) REFERENCES regions (id));
CREATE TABLE visits (id INT NOT NULL PRIMARY KEY, person_id INT NOT NULL, CONSTRAINT of_person FOREIGN KEY (person_id) REFERENCES people (id));
INSERT INTO regions VALUES (1), (2);
INSERT INTO people VALUES (1, 'Ada', 'x', 1, '1990-01-02'), (5, 'Bob', NULL, 2, NULL), (7, 'Eve', 'y', NULL, '2000-05-06');
INSERT INTO visits VALUES (1, 5), (2, 7);
";

/// The entry of a report for a target table.
fn target<'a>(report: &'a serde_json::Value, name: &str) -> &'a serde_json::Value {
    let tables = report["tables"].as_array().unwrap();
    tables.iter().find(|table| table["target"] == name).unwrap_or_else(|| panic!("no `{name}` in {report:#}"))
}

#[tokio::test]
async fn columns_go_into_two_tables_and_keys_with_them() {
    let (from, to) = (MySqlDatabase::create(WIDE).await, PostgresDatabase::create("").await);
    let file = MappingFile::new(
        r#"[[table]]
name = "people"
to = "names"
only = ["id", "name", "born"]
[table.columns.initial]
expr = "substr(name, 1, 1)"

[[table]]
name = "people"
to = "addresses"
only = ["id", "street", "region_id"]
[table.columns.id]
rename = "person_id"

[[hook]]
when = "after"
side = "target"
table = "addresses"
sql = "CREATE TABLE hook_ran AS SELECT count(*) FROM addresses"
"#,
    );
    let plan = ferry(&["plan", &from.url, &to.url, "-m", &file.path()]).code(0);
    assert!(!plan.out.contains("left out"), "{}", plan.out);
    let done = report(0, &["run", &from.url, &to.url, "-m", &file.path(), "--verify", "full"]);
    for name in ["public.names", "public.addresses"] {
        let entry = target(&done, name);
        assert_eq!((entry["outcome"].as_str(), entry["rows"].as_u64()), (Some("verified"), Some(3)), "{entry:#}");
    }
    assert_ne!(target(&done, "public.names")["digest"], target(&done, "public.addresses")["digest"]);
    let names = "SELECT string_agg(concat_ws('/', id, name, born, initial), ' ' ORDER BY id) FROM names";
    assert_eq!(to.value(names).await.as_deref(), Some("1/Ada/1990-01-02/A 5/Bob/B 7/Eve/2000-05-06/E"));
    let addresses = "SELECT string_agg(concat_ws('/', person_id, street, region_id), ' ' ORDER BY person_id) FROM addresses";
    assert_eq!(to.value(addresses).await.as_deref(), Some("1/x/1 5/2 7/y"));
    assert_eq!(to.value("SELECT count FROM hook_ran").await.as_deref(), Some("3"));
    // Both have the primary key and go on with their numbers; children lead to the first; the key of the region went with its column.
    let keys = "SELECT string_agg(conrelid::regclass || '>' || confrelid::regclass, ' ' ORDER BY conname) FROM pg_constraint WHERE contype = 'f'";
    assert_eq!(to.value(keys).await.as_deref(), Some("addresses>regions visits>names"));
    to.run("INSERT INTO names (name) VALUES ('New'); INSERT INTO addresses (street) VALUES ('z')").await;
    assert_eq!(
        to.value("SELECT max(id) || ' ' || (SELECT max(person_id) FROM addresses) FROM names").await.as_deref(),
        Some("8 8")
    );
    to.refuses("INSERT INTO addresses (person_id) VALUES (1)", "23505").await;
    let later = ["verify", &from.url, &to.url, "-m", &file.path(), "--level", "full"];
    ferry(&later).code(1);
    to.run("DELETE FROM names WHERE id = 8; DELETE FROM addresses WHERE person_id = 8").await;
    ferry(&later).code(0).prints(&["Proven in full"]);
    to.run("UPDATE addresses SET street = 'yy' WHERE person_id = 7").await;
    ferry(&later).code(1).prints(&["1 differ", "public.addresses"]);
    // A hook about the source's name would not say which.
    let unclear =
        MappingFile::new(&std::fs::read_to_string(file.path()).unwrap().replace("table = \"addresses\"", "table = \"people\""));
    ferry(&["plan", &from.url, &to.url, "-m", &unclear.path()]).code(2).complains(&["several tables are made", "public.names"]);
    from.drop().await;
    to.drop().await;
}

#[tokio::test]
async fn rows_go_into_two_tables_and_what_no_part_takes_is_told() {
    let (from, to) = (MySqlDatabase::create(WIDE).await, PostgresDatabase::create("").await);
    let by_rows = |second: &str| {
        MappingFile::new(&format!(
            "[[table]]\nname = \"people\"\nto = \"some\"\nwhere = \"id < 5\"\n[[table]]\nname = \"people\"\nto = \"others\"\nwhere = \"{second}\"\n"
        ))
    };
    let file = by_rows("id >= 5 AND name <> 'Eve'");
    ferry(&["plan", &from.url, &to.url, "-m", &file.path()]).code(0).prints(&[
        "rows that no part's condition lets through are left behind",
        "so that rows may lack their parent there",
        "of_person",
    ]);
    // Where each row belongs to a part, nobody is told of rows that there are not.
    let gap = by_rows("id = 7");
    ferry(&["plan", &from.url, &to.url, "-m", &gap.path()]).code(0).prints(&["left behind, and there are such rows"]);
    let all = by_rows("id >= 5");
    ferry(&["plan", &from.url, &to.url, "-m", &all.path()]).code(0).never_says("left behind");
    ferry(&["plan", &from.url, &to.url, "-m", &all.path(), "--probe", "off"]).code(0).prints(&["left behind"]);
    let done = report(0, &["run", &from.url, &to.url, "-m", &file.path(), "--verify", "full"]);
    assert_eq!((&target(&done, "public.some")["rows"], &target(&done, "public.others")["rows"]), (&1.into(), &1.into()));
    let rows = "SELECT (SELECT string_agg(name, ' ') FROM \"some\") || '|' || (SELECT string_agg(name, ' ') FROM others)";
    assert_eq!(to.value(rows).await.as_deref(), Some("Ada|Bob"));
    // Both parts are bound to their regions.
    assert_eq!(to.value("SELECT count(*) FROM pg_constraint WHERE contype = 'f'").await.as_deref(), Some("2"));
    // One part without a condition takes all: children lead to it, though it comes second.
    let whole = MappingFile::new(
        "[[table]]\nname = \"people\"\nto = \"some\"\nwhere = \"id < 5\"\n[[table]]\nname = \"people\"\nto = \"all_people\"\n",
    );
    to.run("DROP TABLE others").await;
    ferry(&["run", &from.url, &to.url, "-m", &whole.path(), "--if-exists", "drop"]).code(0);
    let keys = "SELECT confrelid::regclass FROM pg_constraint WHERE contype = 'f' AND conrelid = 'visits'::regclass";
    assert_eq!(to.value(keys).await.as_deref(), Some("all_people"));
    // Added to what stands, each with its own baseline.
    to.run("TRUNCATE visits, regions, \"some\", all_people").await;
    let done = report(0, &["run", &from.url, &to.url, "-m", &whole.path(), "--if-exists", "append"]);
    assert_eq!(target(&done, "public.all_people")["stood"]["rows"], 0);
    let same = MappingFile::new("[[table]]\nname = \"people\"\nto = \"a\"\n[[table]]\nname = \"people\"\nto = \"a\"\n");
    ferry(&["plan", &from.url, &to.url, "-m", &same.path()]).code(2).complains(&["`people` has a rule already, in line 1"]);
    from.drop().await;
    to.drop().await;
}

#[tokio::test]
async fn a_part_may_go_into_a_merged_table() {
    let from = MySqlDatabase::create(
        "CREATE TABLE orders (id INT NOT NULL PRIMARY KEY, y INT NOT NULL);
CREATE TABLE archive (id INT NOT NULL PRIMARY KEY, y INT NOT NULL);
INSERT INTO orders VALUES (1, 2020), (2, 2024);
INSERT INTO archive VALUES (2, 2019), (3, 2018);
",
    )
    .await;
    let to = PostgresDatabase::create("").await;
    let file = MappingFile::new(
        "[[table]]\nname = \"orders\"\nto = \"recent\"\nwhere = \"y > 2022\"\n[[table]]\nname = \"orders\"\nto = \"old\"\nwhere = \"y <= 2022\"\nmerge = true\n[[table]]\nname = \"archive\"\nto = \"old\"\nmerge = true\n",
    );
    let done = report(0, &["run", &from.url, &to.url, "-m", &file.path(), "--verify", "full"]);
    assert_eq!(target(&done, "public.recent")["rows"], 1);
    assert_eq!(
        to.value("SELECT string_agg(id || '/' || y, ' ' ORDER BY id) FROM old").await.as_deref(),
        Some("1/2020 2/2019 3/2018")
    );
    from.drop().await;
    to.drop().await;
}
