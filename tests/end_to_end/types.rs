//! Every common type with its extremes: the values in PostgreSQL are compared with literals by PostgreSQL.

use crate::support::ferry::{report, table};
use crate::support::{MySqlDatabase, PostgresDatabase};

/// Row 1 the lowest values, row 2 the highest, row 3 NULL wherever it is allowed.
const NUMBERS: &str = r"
CREATE TABLE numbers (
  id INT NOT NULL PRIMARY KEY,
  t TINYINT, tu TINYINT UNSIGNED, flag TINYINT(1), s SMALLINT, su SMALLINT UNSIGNED, m MEDIUMINT, mu MEDIUMINT UNSIGNED,
  i INT, iu INT UNSIGNED, b BIGINT, bu BIGINT UNSIGNED, z INT(8) UNSIGNED ZEROFILL,
  d DECIMAL(10,2), du DECIMAL(10,0) UNSIGNED, d38 DECIMAL(38,10), d65 DECIMAL(65,30), dfrac DECIMAL(30,30),
  f FLOAT, g DOUBLE, gu DOUBLE UNSIGNED, b1 BIT(1), b13 BIT(13), b64 BIT(64), y YEAR
);
INSERT INTO numbers VALUES (1, -128, 0, -1, -32768, 0, -8388608, 0, -2147483648, 0, -9223372036854775808, 0, 0,
  -99999999.99, 0, -9999999999999999999999999999.9999999999, -99999999999999999999999999999999999.999999999999999999999999999999,
  -0.000000000000000000000000000001, -3.402823466e38, -1.7976931348623157e308, 0, b'0', b'0000000000001', b'0', 0);
INSERT INTO numbers VALUES (2, 127, 255, 2, 32767, 65535, 8388607, 16777215, 2147483647, 4294967295, 9223372036854775807,
  18446744073709551615, 42,
  99999999.99, 9999999999, 9999999999999999999999999999.9999999999, 99999999999999999999999999999999999.999999999999999999999999999999,
  0.999999999999999999999999999999, 21666.66, 4.9406564584124654e-324, 1.7976931348623157e308, b'1', b'1000000000000', b'1111111111111111111111111111111111111111111111111111111111111110', 2155);
INSERT INTO numbers (id) VALUES (3);
INSERT INTO numbers (id, d, d38, d65, y) VALUES (4, 0.10, 1.00001, 1.00001, 1901);
";

#[tokio::test]
async fn every_number_arrives_exactly() {
    let from = MySqlDatabase::create(NUMBERS).await;
    let to = PostgresDatabase::create("").await;
    let report = report(0, &["run", &from.url, &to.url, "--verify", "full"]);
    assert_eq!((table(&report, "numbers")["rows"].as_u64(), &report["exit_code"]), (Some(4), &0.into()));

    let types = [
        ("t", "smallint"),
        ("tu", "smallint"),
        ("flag", "smallint"),
        ("s", "smallint"),
        ("su", "integer"),
        ("m", "integer"),
        ("mu", "integer"),
        ("i", "integer"),
        ("iu", "bigint"),
        ("b", "bigint"),
        ("bu", "numeric(20,0)"),
        ("z", "bigint"),
        ("d", "numeric(10,2)"),
        ("du", "numeric(10,0)"),
        ("d38", "numeric(38,10)"),
        ("d65", "numeric(65,30)"),
        ("dfrac", "numeric(30,30)"),
        ("f", "real"),
        ("g", "double precision"),
        ("gu", "double precision"),
        ("b1", "bit(1)"),
        ("b13", "bit(13)"),
        ("b64", "bit(64)"),
        ("y", "smallint"),
    ];
    to.has_types("numbers", &types).await;
    let lowest = "-128, 0, -1, -32768, 0, -8388608, 0, -2147483648, 0, -9223372036854775808, 0, 0, -99999999.99, 0,
        -9999999999999999999999999999.9999999999, -99999999999999999999999999999999999.999999999999999999999999999999,
        -0.000000000000000000000000000001, '-3.4028235e38'::real, '-1.7976931348623157e308'::float8, 0::float8, B'0', B'0000000000001',
        0::bit(64), 0";
    let highest =
        "127, 255, 2, 32767, 65535, 8388607, 16777215, 2147483647, 4294967295, 9223372036854775807, 18446744073709551615, 42,
        99999999.99, 9999999999, 9999999999999999999999999999.9999999999,
        99999999999999999999999999999999999.999999999999999999999999999999, 0.999999999999999999999999999999, '21666.66'::real,
        '4.9406564584124654e-324'::float8, '1.7976931348623157e308'::float8, B'1', B'1000000000000',
        B'1111111111111111111111111111111111111111111111111111111111111110', 2155";
    let columns: Vec<&str> = types.iter().map(|(name, _)| *name).collect();
    to.holds("numbers", "id = 1", &columns, lowest).await;
    to.holds("numbers", "id = 2", &columns, highest).await;
    to.holds("numbers", "id = 3", &columns, &vec!["NULL"; columns.len()].join(", ")).await;
    to.holds("numbers", "id = 4", &["d", "d38", "d65", "y"], "0.1, 1.00001, 1.00001, 1901").await;
    // UNSIGNED stays a promise where the wider type would break it.
    for column in ["bu", "du", "gu"] {
        to.refuses(&format!("INSERT INTO numbers (id, {column}) VALUES (9, -1)"), "23514").await;
    }
    from.drop().await;
    to.drop().await;
}

#[tokio::test]
async fn every_text_and_every_byte_arrives_exactly() {
    let all_bytes: String = (0..=255u8).map(|byte| format!("{byte:02x}")).collect();
    let from = MySqlDatabase::create(&format!(
        r#"
CREATE TABLE texts (
  id INT NOT NULL PRIMARY KEY,
  c CHAR(5), v VARCHAR(100), tt TINYTEXT, x TEXT, mt MEDIUMTEXT, lt LONGTEXT,
  l1 VARCHAR(50) CHARACTER SET latin1, u2 VARCHAR(20) CHARACTER SET ucs2, a CHAR(3) CHARACTER SET ascii,
  b BINARY(4), vb VARBINARY(300), tb TINYBLOB, bl BLOB, mb MEDIUMBLOB, lb LONGBLOB,
  e ENUM('small','it''s','größe','a,b'), st SET('read','wri''te','NULL','{{}}'), j JSON, un CHAR(0)
);
INSERT INTO texts VALUES (1, 'ab  ', 'a  ', '', 'line
two\ttab\\.', 'NULL', '{{', x'80fce9', '日本', 'abc',
  x'01', x'{all_bytes}', '', x'00', x'ff00', x'{all_bytes}', 'größe', 'wri''te,NULL', '{{"b": [1, 2.50, null], "a": "\\u00e9 \\\\"}}', '');
INSERT INTO texts VALUES (2, '日本語😀x', '\\N', 'é', 'a\r\n"quote''', 'x', '', '', '', '',
  x'ffffffff', '', '', '', '', '', 'it''s', '', '[]', NULL);
INSERT INTO texts (id) VALUES (3);
INSERT INTO texts (id, v, e, st, j) VALUES (4, '😀 U+1F600', 'a,b', 'read,{{}}', '18446744073709551616');
UPDATE texts SET mt = REPEAT('x', 100000), lb = REPEAT(x'00ff', 100000) WHERE id = 4;
"#
    ))
    .await;
    let to = PostgresDatabase::create("").await;
    report(0, &["run", &from.url, &to.url, "--verify", "full"]);
    to.has_types(
        "texts",
        &[
            ("c", "character varying(5)"),
            ("v", "character varying(100)"),
            ("tt", "text"),
            ("x", "text"),
            ("mt", "text"),
            ("lt", "text"),
            ("l1", "character varying(50)"),
            ("u2", "character varying(20)"),
            ("a", "character varying(3)"),
            ("b", "bytea"),
            ("vb", "bytea"),
            ("tb", "bytea"),
            ("bl", "bytea"),
            ("mb", "bytea"),
            ("lb", "bytea"),
            ("st", "text[]"),
            ("j", "jsonb"),
            ("un", "text"),
        ],
    )
    .await;
    let columns =
        ["c", "v", "tt", "x", "mt", "lt", "l1", "u2", "a", "b", "vb", "tb", "bl", "mb", "lb", "e::text", "st", "j", "un"];
    // 0x80 of MySQL's latin1 is the euro sign, as in cp1252.
    let one = format!(
        r#"'ab', 'a  ', '', E'line\ntwo\ttab\\.', 'NULL', '{{', '€üé', '日本', 'abc', '\x01000000', '\x{all_bytes}', '', '\x00',
        '\xff00', '\x{all_bytes}', 'größe', ARRAY['wri''te','NULL'], '{{"a": "é \\", "b": [1, 2.5, null]}}'::jsonb, ''"#
    );
    to.holds("texts", "id = 1", &columns, &one).await;
    let two = r#"'日本語😀x', '\N', 'é', E'a\r\n"quote''', 'x', '', '', '', '', '\xffffffff', '', '', '', '', '', 'it''s', ARRAY[]::text[],
        '[]'::jsonb, NULL"#;
    to.holds("texts", "id = 2", &columns, two).await;
    to.holds("texts", "id = 3", &columns, &vec!["NULL"; columns.len()].join(", ")).await;
    let four = "'😀 U+1F600', 'a,b', ARRAY['read','{}'], '18446744073709551616'::jsonb, repeat('x', 100000),
        decode(repeat('00ff', 100000), 'hex')";
    to.holds("texts", "id = 4", &["v", "e::text", "st", "j", "mt", "lb"], four).await;
    // An ENUM sorts in the order of its declaration.
    let order = to.value("SELECT string_agg(e::text, '|' ORDER BY e) FROM texts WHERE e IS NOT NULL").await;
    assert_eq!(order.as_deref(), Some("it's|größe|a,b"));
    to.refuses("INSERT INTO texts (id, e) VALUES (9, 'huge')", "22P02").await;
    from.drop().await;
    to.drop().await;
}

#[tokio::test]
async fn every_date_and_time_arrives_exactly() {
    let from = MySqlDatabase::create(
        r"
CREATE TABLE times (
  id INT NOT NULL PRIMARY KEY,
  d DATE, dt DATETIME, dt6 DATETIME(6), ts TIMESTAMP NULL, ts3 TIMESTAMP(3) NULL, ts6 TIMESTAMP(6) NULL, t TIME, t6 TIME(6)
);
INSERT INTO times VALUES (1, '1000-01-01', '1000-01-01 00:00:00', '1000-01-01 00:00:00.000001', '1970-01-01 00:00:01',
  '1970-01-01 00:00:01.000', '1970-01-01 00:00:01.000001', '-838:59:59', '-838:59:59.999999');
INSERT INTO times VALUES (2, '9999-12-31', '9999-12-31 23:59:59', '9999-12-31 23:59:59.999999', '2038-01-19 03:14:07',
  '2038-01-19 03:14:07.999', '2038-01-19 03:14:07.999999', '838:59:59', '838:59:59.999999');
INSERT INTO times (id) VALUES (3);
INSERT INTO times VALUES (4, '2024-02-29', '2024-03-31 02:30:00', '1969-12-31 23:59:59.999999', '2024-03-31 02:30:00',
  '2024-10-27 01:30:00.5', '2001-09-09 01:46:40.123456', '25:00:00', '-00:00:00.000001');
",
    )
    .await;
    let to = PostgresDatabase::create("").await;
    report(0, &["run", &from.url, &to.url, "--verify", "full"]);
    to.has_types(
        "times",
        &[
            ("d", "date"),
            ("dt", "timestamp(0) without time zone"),
            ("dt6", "timestamp(6) without time zone"),
            ("ts", "timestamp(0) with time zone"),
            ("ts3", "timestamp(3) with time zone"),
            ("ts6", "timestamp(6) with time zone"),
            ("t", "interval(0)"),
            ("t6", "interval(6)"),
        ],
    )
    .await;
    let columns = ["d", "dt", "dt6", "ts", "ts3", "ts6", "t", "t6"];
    for (id, values) in [
        (
            1,
            "'1000-01-01', '1000-01-01 00:00:00', '1000-01-01 00:00:00.000001', '1970-01-01 00:00:01Z', '1970-01-01 00:00:01Z',
            '1970-01-01 00:00:01.000001Z', '-838:59:59', '-838:59:59.999999'",
        ),
        (
            2,
            "'9999-12-31', '9999-12-31 23:59:59', '9999-12-31 23:59:59.999999', '2038-01-19 03:14:07Z', '2038-01-19 03:14:07.999Z',
            '2038-01-19 03:14:07.999999Z', '838:59:59', '838:59:59.999999'",
        ),
        (3, "NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL"),
        (
            4,
            "'2024-02-29', '2024-03-31 02:30:00', '1969-12-31 23:59:59.999999', '2024-03-31 02:30:00Z', '2024-10-27 01:30:00.5Z',
            '2001-09-09 01:46:40.123456Z', '25:00:00', '-00:00:00.000001'",
        ),
    ] {
        to.holds("times", &format!("id = {id}"), &columns, values).await;
    }
    from.drop().await;
    to.drop().await;
}

#[tokio::test]
async fn a_date_that_is_none_fails_its_table_and_no_other() {
    let from = MySqlDatabase::create(
        "CREATE TABLE good (id INT NOT NULL PRIMARY KEY);
INSERT INTO good VALUES (1), (2);
CREATE TABLE bad (id INT NOT NULL PRIMARY KEY, shipped_on DATE);
INSERT INTO bad VALUES (6, '2024-01-01'), (7, '0000-00-00');
",
    )
    .await;
    let to = PostgresDatabase::create("").await;
    let report = report(1, &["run", &from.url, &to.url, "--probe", "off"]);
    let (good, bad) = (table(&report, "good"), table(&report, "bad"));
    assert_eq!((good["outcome"].as_str(), bad["outcome"].as_str()), (Some("verified"), Some("failed")));
    let error = bad["errors"][0].as_str().unwrap();
    for part in [format!("{}.bad.shipped_on", from.name).as_str(), "7", "0000-00-00"] {
        assert!(error.contains(part), "no `{part}` in: {error}");
    }
    assert!(report["proven"].as_str().unwrap().starts_with("NOT PROVEN"), "{report:#}");
    assert_eq!(to.value("SELECT count(*) FROM good").await.as_deref(), Some("2"));
    assert_eq!(to.value("SELECT count(*) FROM bad").await.as_deref(), Some("0"));
    from.drop().await;
    to.drop().await;
}
