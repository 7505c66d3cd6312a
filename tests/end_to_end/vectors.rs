//! Vectors as applications keep them in MySQL: JSON arrays, and packed floats.

use super::renames::MappingFile;
use crate::support::ferry::{ferry, report, table};
use crate::support::{MySqlDatabase, PostgresDatabase};

#[tokio::test]
async fn json_arrays_and_packed_floats_become_arrays_of_floats() {
    let from = MySqlDatabase::create(
        "CREATE TABLE docs (id INT NOT NULL PRIMARY KEY, j JSON, t TEXT, p BLOB, b VARBINARY(12), d JSON);
INSERT INTO docs VALUES (1, '[0.1, -2.5, 3]', '[1e-3,0.5]', UNHEX('cdcccc3d0000803f'), UNHEX('0000803f'), '[0.123456789, null]');
INSERT INTO docs VALUES (2, NULL, '[]', '', NULL, '[]');
",
    )
    .await;
    let to = PostgresDatabase::create("").await;
    let rule = |name: &str, to: &str| format!("[table.columns.{name}]\nto = \"{to}\"\n");
    let columns: String = ["j", "t", "p", "b"].iter().map(|name| rule(name, "real[]")).collect();
    let table_rule = format!("[[table]]\nname = \"docs\"\n{columns}");
    let file = MappingFile::new(&format!("{table_rule}{}", rule("d", "double precision[]")));
    let done = report(0, &["run", &from.url, &to.url, "-m", &file.path(), "--verify", "full"]);
    assert_eq!(table(&done, "docs")["outcome"], "verified", "{done:#}");
    let values = "'{0.1,-2.5,3}', '{0.001,0.5}', '{0.1,1}', '{1}', '{0.123456789,NULL}'";
    to.holds("docs", "id = 1", &["j", "t", "p", "b", "d"], values).await;
    to.holds("docs", "id = 2", &["j", "t", "p", "b", "d"], "NULL, '{}', '{}', NULL, '{}'").await;

    let narrow = MappingFile::new(&format!("{table_rule}{}", rule("d", "real[]")));
    let lost = report(1, &["run", &from.url, &to.url, "-m", &narrow.path(), "--if-exists", "drop"]);
    let errors = table(&lost, "docs")["errors"].to_string();
    assert!(errors.contains("(id = 1)") && errors.contains("double precision[]"), "{errors}");
    // This server has no pgvector, so a vector is refused before anything is made.
    let vector = MappingFile::new(&format!("{table_rule}{}", rule("d", "vector(2)")));
    ferry(&["run", &from.url, &to.url, "-m", &vector.path(), "--if-exists", "drop"]).code(2).complains(&["extension `vector`"]);
    from.drop().await;
    to.drop().await;
}
