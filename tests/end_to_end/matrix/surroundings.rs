//! Servers that are set up otherwise: another time zone, other character sets and modes, small packets. Rows T5, S2, S6 and S14.

use sqlx::{AssertSqlSafe, Connection, MySqlConnection};

use super::{MappingFile, losses};
use crate::kill::servers::Servers;
use crate::support::ferry::{ferry, report, table};
use crate::support::{MySqlDatabase, PostgresDatabase};

/// Private servers; `settings` are global ones of the MariaDB, which every later session takes over.
async fn servers(settings: &str) -> Servers {
    // Another process of this machine may take a port that was free a moment ago.
    let mut started = tokio::task::spawn_blocking(Servers::start).await;
    if started.is_err() {
        started = tokio::task::spawn_blocking(Servers::start).await;
    }
    let servers = started.unwrap();
    let mut admin = MySqlConnection::connect(&format!("{}/mysql", servers.mysql)).await.unwrap();
    let sql: Vec<String> = settings.split(',').map(|setting| format!("GLOBAL {}", setting.trim())).collect();
    sqlx::raw_sql(AssertSqlSafe(format!("SET {}", sql.join(", ")))).execute(&mut admin).await.unwrap();
    servers
}

#[tokio::test(flavor = "multi_thread")]
async fn a_servers_own_zone_character_set_and_mode_change_nothing() {
    let servers = servers(
        "time_zone = '+03:00', sql_mode = 'PAD_CHAR_TO_FULL_LENGTH', character_set_server = latin1, collation_server = latin1_swedish_ci, init_connect = 'SET time_zone = \"-05:00\"'",
    )
    .await;
    let from = MySqlDatabase::create_on(
        &servers.mysql,
        "SET SESSION time_zone = '+03:00';
CREATE TABLE t (id INT NOT NULL PRIMARY KEY, ts TIMESTAMP(3) NULL, dt DATETIME(3), c CHAR(5), u VARCHAR(9) CHARACTER SET utf8mb4, d TIMESTAMP NOT NULL DEFAULT '2024-06-01 12:00:00');
INSERT INTO t VALUES (1, '2024-06-01 12:00:00.5', '2024-06-01 12:00:00.5', 'ab', '😀', '2024-01-01 02:00:00');
INSERT INTO t VALUES (2, '1970-01-01 03:00:01', '1970-01-01 03:00:01', '', 'é', '2038-01-19 06:14:07');
SET SESSION time_zone = '+00:00';
INSERT INTO t VALUES (3, '2024-06-01 12:00:00', NULL, NULL, NULL, '2024-06-01 12:00:00');
",
    )
    .await;
    let to = PostgresDatabase::create_on(&servers.postgres, "").await;
    to.run(&format!("ALTER DATABASE {} SET timezone = 'America/New_York'", to.name)).await;
    report(0, &["run", &from.url, &to.url, "--verify", "full"]);
    // T5: the instant, whatever the zones of both servers and of who wrote it.
    to.holds("t", "id = 1", &["ts", "d"], "timestamptz '2024-06-01 09:00:00.5Z', timestamptz '2023-12-31 23:00:00Z'").await;
    to.holds("t", "id = 2", &["ts", "d"], "timestamptz '1970-01-01 00:00:01Z', timestamptz '2038-01-19 03:14:07Z'").await;
    to.holds("t", "id = 3", &["ts", "d"], "timestamptz '2024-06-01 12:00:00Z', timestamptz '2024-06-01 12:00:00Z'").await;
    // T6: a reading is moved by none of them.
    to.holds("t", "id = 1", &["dt"], "timestamp '2024-06-01 12:00:00.5'").await;
    // S2: our sessions speak utf8mb4, whatever the server's own character set.
    assert_eq!(to.value("SELECT encode(convert_to(u, 'UTF8'), 'hex') FROM t WHERE id = 1").await.as_deref(), Some("f09f9880"));
    // S6: PAD_CHAR_TO_FULL_LENGTH is not taken over.
    assert_eq!(to.value("SELECT string_agg('<' || c || '>', '' ORDER BY id) FROM t").await.as_deref(), Some("<ab><>"));
    ferry(&["verify", &from.url, &to.url, "--level", "full"]).code(0);
}

#[tokio::test(flavor = "multi_thread")]
async fn values_beyond_a_packet_arrive_or_are_refused_and_never_cut() {
    // More than the 16 MB that one packet of the protocol holds, and for the others more than the limit, which is lowered when they are there.
    const LARGE: usize = 17_000_000;
    const BYTES: usize = 2_000_000;
    let servers = servers("max_allowed_packet = 1073741824").await;
    let tables = [
        ("b", "LONGBLOB", "x"),
        ("m4", "LONGTEXT CHARACTER SET utf8mb4", "x"),
        ("l1", "LONGTEXT CHARACTER SET latin1", "x"),
        ("j", "JSON", "x"),
        ("m3", "LONGTEXT CHARACTER SET utf8mb3", "x"),
        ("cyr", "LONGTEXT CHARACTER SET cp1251", "x"),
        ("asc", "LONGTEXT CHARACTER SET ascii", "x"),
    ];
    let script: String = tables
        .iter()
        .map(|(name, column, letter)| {
            let value = format!("REPEAT('{letter}', {})", if *name == "b" { LARGE } else { BYTES });
            let value = if *column == "JSON" { format!("CONCAT('\"', {value}, '\"')") } else { value };
            format!(
                "CREATE TABLE t_{name} (id INT NOT NULL PRIMARY KEY, v {column});\nINSERT INTO t_{name} VALUES (1, '1'), (7, {value}), (8, NULL);\n"
            )
        })
        .collect();
    let from = MySqlDatabase::create_on(&servers.mysql, &script).await;
    let to = PostgresDatabase::create_on(&servers.postgres, "").await;
    from.run("SET GLOBAL max_allowed_packet = 1048576;").await;
    let done = report(1, &["run", &from.url, &to.url, "--verify", "digest"]);
    for name in ["b", "m4", "l1", "j"] {
        // S14: larger than a packet, and there in full.
        let length = if name == "b" { "octet_length(v)" } else { "octet_length(v::text)" };
        let expected = match name {
            "b" => LARGE,
            "j" => BYTES + 2,
            _ => BYTES,
        };
        let found = to.value(&format!("SELECT {length} FROM t_{name} WHERE id = 7")).await;
        assert_eq!(found, Some(expected.to_string()), "{name}");
        assert_eq!(table(&done, &format!("t_{name}"))["outcome"], "verified");
        assert_eq!(to.value(&format!("SELECT count(*) FROM t_{name} WHERE v IS NULL")).await.as_deref(), Some("1"));
    }
    let equal = format!(
        "SELECT count(*) FROM t_b JOIN t_m4 USING (id) WHERE id = 7 AND t_b.v = convert_to(repeat('x', {LARGE}), 'UTF8') AND t_m4.v = repeat('x', {BYTES})"
    );
    assert_eq!(to.value(&equal).await.as_deref(), Some("1"));
    for name in ["m3", "cyr", "asc"] {
        // S14: what the server's functions would give as NULL is refused, with its key.
        let error = table(&done, &format!("t_{name}"))["errors"][0].as_str().unwrap_or_default().to_string();
        for part in
            [&format!("t_{name}.v` (id = 7)"), "longer than the server's `max_allowed_packet`", "SET GLOBAL max_allowed_packet"]
        {
            assert!(error.contains(part), "no `{part}` in {error}");
        }
        assert_eq!(to.value(&format!("SELECT count(*) FROM t_{name}")).await.as_deref(), Some("0"));
    }
    // S14: nor is it a row that may be set aside or mended: not all of it was there.
    let file = MappingFile::new("[[table]]\nname = \"t_m3\"\non_error = \"reject\"\ninvalid_text = \"replace\"\n");
    let rejecting = report(1, &["run", &from.url, &to.url, "-m", &file.path(), "--include", "t_m3", "--if-exists", "drop"]);
    assert_eq!((&table(&rejecting, "t_m3")["outcome"], losses(&rejecting, "t_m3").len()), (&"failed".into(), 0));
    // S14: the hint's setting is enough.
    from.run("SET GLOBAL max_allowed_packet = 1073741824;").await;
    for name in ["m3", "cyr", "asc"] {
        report(0, &["run", &from.url, &to.url, "--include", &format!("t_{name}"), "--if-exists", "drop"]);
        let found = format!("SELECT count(*) FROM t_{name} WHERE id = 7 AND v = repeat('x', {BYTES})");
        assert_eq!(to.value(&found).await.as_deref(), Some("1"), "{name}");
    }
    // S14: so small a limit that a short text would be read as NULL is refused at once.
    from.run("SET GLOBAL max_allowed_packet = 16384;").await;
    ferry(&["run", &from.url, &to.url, "--include", "t_b", "--if-exists", "drop"])
        .code(2)
        .complains(&["`max_allowed_packet` is 16384 bytes"]);
}
