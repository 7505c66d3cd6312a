//! How the target is loaded: what it compresses long values with, and statements about many small tables together.

use super::existing::ConfigFile;
use crate::support::ferry::{ferry, outcomes, report, table};
use crate::support::{MySqlDatabase, PostgresDatabase};

#[tokio::test]
async fn long_values_are_compressed_with_lz4_unless_asked_otherwise() {
    let from = MySqlDatabase::create(
        "CREATE TABLE notes (id INT PRIMARY KEY, body MEDIUMTEXT NOT NULL, code CHAR(4) NOT NULL, name VARCHAR(100), long_name VARCHAR(2000), raw LONGBLOB, extra JSON);
         INSERT INTO notes SELECT seq, REPEAT(CONCAT('words and words ', seq), 2000), 'abcd', 'n', 'l', REPEAT('x', 9000), '{}' FROM seq_1_to_50;
         ANALYZE TABLE notes;",
    )
    .await;
    let to = PostgresDatabase::create("").await;
    let version: u32 = to.value("SELECT current_setting('server_version_num')").await.unwrap().parse().unwrap();
    assert!(version >= 140_000, "the test needs a server that knows LZ4");
    let methods = "SELECT string_agg(attname || attcompression::text, ' ' ORDER BY attnum) FROM pg_attribute
                   WHERE attrelid = 'notes'::regclass AND attnum > 0";
    let used = "SELECT string_agg(DISTINCT pg_column_compression(body), ' ') FROM notes";
    ferry(&["plan", &from.url, &to.url, "--format", "sql"]).code(0).prints(&["\"body\" text COMPRESSION lz4 NOT NULL"]);
    ferry(&["plan", &from.url, &to.url]).code(0).prints(&["long values are compressed with LZ4"]);
    for (choice, columns, method) in [
        ("", "id bodyl code name long_namel rawl extral", "lz4"),
        ("toast_compression = \"pglz\"", "id bodyp code name long_namep rawp extrap", "pglz"),
        ("toast_compression = \"default\"", "id body code name long_name raw extra", "pglz"),
    ] {
        let config = ConfigFile::new(choice);
        let done = report(0, &["run", &from.url, &to.url, "--if-exists", "drop", "-c", &config.path()]);
        assert_eq!(table(&done, "notes")["outcome"], "verified", "{done:#}");
        assert_eq!(to.value(methods).await.as_deref(), Some(columns), "{choice}");
        assert_eq!(to.value(used).await.as_deref(), Some(method), "{choice}");
    }
    from.drop().await;
    to.drop().await;
}

#[tokio::test]
async fn of_many_small_tables_one_whose_key_fails_is_named_and_the_others_arrive() {
    let mut script = String::new();
    for number in 0..64 {
        script.push_str(&format!(
            "CREATE TABLE t{number:02} (id VARCHAR(3000) CHARACTER SET latin1 PRIMARY KEY, v INT, KEY by_v (v)) COMMENT 'table {number}';
             INSERT INTO t{number:02} SELECT CONCAT('k', seq), seq FROM seq_1_to_3;\n"
        ));
    }
    // Digits that nothing compresses, longer than an entry of an index may be.
    script.push_str("INSERT INTO t40 SELECT GROUP_CONCAT(SHA2(seq, 512) SEPARATOR ''), 1 FROM seq_1_to_23;\n");
    let (from, to) = (MySqlDatabase::create(&script).await, PostgresDatabase::create("").await);
    // The probe would refuse the run.
    let done = report(1, &["run", &from.url, &to.url, "--jobs", "2", "--probe", "off"]);
    for (name, outcome) in outcomes(&done) {
        let expected = if name.ends_with("t40") { "failed" } else { "verified" };
        assert_eq!(outcome, expected, "{name}: {done:#}");
    }
    assert!(table(&done, "t40")["errors"].to_string().contains("t40_pkey"), "{done:#}");
    let keys = "SELECT count(*) FROM pg_constraint WHERE contype = 'p' AND conrelid::regclass::text ~ '^t[0-9]+$'";
    assert_eq!(to.value(keys).await.as_deref(), Some("63"));
    let indexes = "SELECT count(*) FROM pg_class WHERE relkind = 'i' AND relname ~ 'by_v'";
    assert_eq!(to.value(indexes).await.as_deref(), Some("64"));
    assert_eq!(to.value("SELECT obj_description('t41'::regclass)").await.as_deref(), Some("table 41"));
    from.drop().await;
    to.drop().await;
}
