//! Tables in many chunks, side by side, whatever their key is: each row once, whole.

use proptest::prelude::*;
use sqlx::AssertSqlSafe;

use super::texts::is_uuid;
use super::{Value, hex, server_is_maria};
use crate::support::ferry::{report, table};
use crate::support::random::Random;
use crate::support::{MySqlDatabase, PostgresDatabase};

/// Rows of each table.
const ROWS: usize = 600;

/// Bytes of a row besides its key, so that a table has several chunks.
const FILLER: usize = 5000;

/// A table by its key: the columns, and its distinct values.
struct Keyed {
    name: &'static str,
    columns: String,
    key: &'static str,
    /// The values of the key's columns as SQL, and as PostgreSQL prints them.
    rows: Vec<(String, String)>,
    /// How PostgreSQL prints a row's key.
    print: &'static str,
}

fn distinct(random: &mut Random, strategy: impl Strategy<Value = Value>) -> Vec<(String, String)> {
    let mut all = std::collections::BTreeMap::new();
    for _ in 0..ROWS * 20 {
        if all.len() == ROWS {
            break;
        }
        let Value { told: super::Told::Sql(sql), wanted } = random.one(&strategy) else { continue };
        all.insert(wanted, sql);
    }
    all.into_iter().map(|(wanted, sql)| (sql, wanted)).collect()
}

fn number(least: i128, most: i128) -> impl Strategy<Value = Value> {
    prop_oneof![1 => Just(least), 1 => Just(most), 10 => least..=most, 10 => (most - 2000).max(least)..=most]
        .prop_map(|number| Value::new(number.to_string(), number.to_string()))
}

fn tables(random: &mut Random, maria: bool) -> Vec<Keyed> {
    let mut all = Vec::new();
    let mut add = |name, native: &str, print, rows| {
        all.push(Keyed { name, columns: format!("k {native} NOT NULL"), key: "PRIMARY KEY (k)", rows, print });
    };
    let i64_range = (i128::from(i64::MIN), i128::from(i64::MAX));
    add("big_unsigned", "BIGINT UNSIGNED", "k::text", distinct(random, number(0, i128::from(u64::MAX))));
    add("big", "BIGINT", "k::text", distinct(random, number(i64_range.0, i64_range.1)));
    add("negative", "INT", "k::text", distinct(random, number(i128::from(i32::MIN), -1)));
    let decimal = (number(-(10i128.pow(19)), 10i128.pow(19)), 0u32..10_000).prop_map(|(whole, fraction)| {
        let text = format!("{}.{fraction:04}", whole.wanted);
        let text = if text == "-0.0000" { "0.0000".to_string() } else { text };
        Value::new(text.clone(), text)
    });
    add("decimals", "DECIMAL(30,4)", "k::text", distinct(random, decimal));
    let date = (1u32..=9999, 1u32..=12, 1u32..=28).prop_map(|(year, month, day)| {
        let text = format!("{year:04}-{month:02}-{day:02}");
        Value::new(format!("'{text}'"), text)
    });
    add("dates", "DATE", "to_char(k, 'YYYY-MM-DD')", distinct(random, date.clone()));
    let moment = (date, 0u32..24, 0u32..60, 0u32..1_000_000).prop_map(|(day, hour, minute, micros)| {
        let text = format!("{} {hour:02}:{minute:02}:59.{micros:06}", day.wanted);
        Value::new(format!("'{text}'"), text)
    });
    add("moments", "DATETIME(6)", "to_char(k, 'YYYY-MM-DD HH24:MI:SS.US')", distinct(random, moment));
    let instant = (1i64..2_147_483_647, 0u32..1_000_000)
        .prop_map(|(second, micros)| Value::new(format!("FROM_UNIXTIME({second}.{micros:06})"), format!("{second}.{micros:06}")));
    add("instants", "TIMESTAMP(6)", "extract(epoch FROM k)::numeric(20,6)::text", distinct(random, instant));
    let length =
        (any::<bool>(), 0u32..838, 0u32..60, 0u32..60, 0u32..1_000_000).prop_map(|(minus, hour, minute, second, micros)| {
            let text = format!("{}{hour:02}:{minute:02}:{second:02}.{micros:06}", if minus { "-" } else { "" });
            let micros = (i64::from(hour) * 3600 + i64::from(minute) * 60 + i64::from(second)) * 1_000_000 + i64::from(micros);
            Value::new(format!("'{text}'"), if minus { -micros } else { micros }.to_string())
        });
    add("lengths", "TIME(6)", "(extract(epoch FROM k) * 1000000)::bigint::text", distinct(random, length));
    let bytes = |range: std::ops::RangeInclusive<usize>| proptest::collection::vec(any::<u8>(), range);
    let value = |bytes: Vec<u8>| Value::new(format!("x'{}'", hex(&bytes)), hex(&bytes));
    add("fixed_bytes", "BINARY(16)", "encode(k, 'hex')", distinct(random, bytes(16..=16).prop_map(value)));
    add("bytes", "VARBINARY(40)", "encode(k, 'hex')", distinct(random, bytes(0..=40).prop_map(value)));
    let text = |text: String| Value::new(format!("_utf8mb4 x'{}'", hex(text.as_bytes())), text);
    // Letters of one case and no accents, so that what differs is also another key without case.
    let plain = "[a-z0-9'\\\\%_]{1,30}".prop_map(text);
    add("texts_ci", "VARCHAR(30) COLLATE utf8mb4_general_ci", "k", distinct(random, plain.clone()));
    add("texts_unicode", "VARCHAR(30) COLLATE utf8mb4_unicode_520_ci", "k", distinct(random, plain));
    let any_text = proptest::collection::vec(
        prop_oneof![proptest::char::range('!', '~'), proptest::char::range('\u{a1}', char::MAX)],
        1..20,
    )
    .prop_map(String::from_iter);
    add("texts_bin", "VARCHAR(30) COLLATE utf8mb4_bin", "k", distinct(random, any_text.prop_map(text)));
    let latin = proptest::collection::vec(prop_oneof![0x21u8..0x7f, 0xa1u8..=0xff], 1..20).prop_map(|bytes| {
        let text: String = bytes.iter().copied().map(char::from).collect();
        Value::new(format!("_latin1 x'{}'", hex(&bytes)), text)
    });
    add("texts_latin1", "VARCHAR(30) CHARACTER SET latin1 COLLATE latin1_bin", "k", distinct(random, latin));
    let cyrillic = "[а-я]{4,20}"
        .prop_map(|text: String| Value::new(format!("CONVERT(_utf8mb4 x'{}' USING cp1251)", hex(text.as_bytes())), text));
    add("texts_cp1251", "CHAR(20) CHARACTER SET cp1251", "k", distinct(random, cyrillic));
    if maria {
        let uuid = any::<[u8; 16]>()
            .prop_filter("a UUID to MariaDB", is_uuid)
            .prop_map(|bytes| Value::new(format!("'{}'", hex(&bytes)), hex(&bytes)));
        add("uuids", "UUID", "encode(uuid_send(k), 'hex')", distinct(random, uuid));
        let address = any::<[u8; 16]>().prop_map(|bytes| {
            let text = std::net::Ipv6Addr::from(bytes).to_string();
            Value::new(format!("'{text}'"), text)
        });
        add("addresses", "INET6", "host(k::inet)", distinct(random, address));
    }
    let parts = (0u8..3, "[A-Z]{1,2}", any::<i16>()).prop_map(|(tenant, code, number)| {
        Value::new(format!("{tenant},'{code}',{number}"), format!("{tenant}|{code}|{number}"))
    });
    all.push(Keyed {
        name: "composite",
        columns: "a TINYINT UNSIGNED NOT NULL, b VARCHAR(9) COLLATE utf8mb4_bin NOT NULL, c SMALLINT NOT NULL".into(),
        key: "PRIMARY KEY (a, b, c)",
        rows: distinct(random, parts.clone()),
        print: "a || '|' || b || '|' || c",
    });
    // No key but an index over columns that may be NULL.
    let mut rows = distinct(random, parts);
    for (at, row) in rows.iter_mut().enumerate() {
        if at % 7 == 0 {
            *row = (format!("NULL,'n',{at}"), format!("-|n|{at}"));
        }
    }
    all.push(Keyed {
        name: "keyless",
        columns: "a INT, b VARCHAR(9), c INT NOT NULL".into(),
        key: "KEY (a)",
        rows,
        print: "coalesce(a::text, '-') || '|' || b || '|' || c",
    });
    all
}

#[tokio::test]
async fn every_row_arrives_once_whatever_bounds_the_chunks() {
    let maria = server_is_maria().await;
    let mut random = Random::new();
    let seed = random.seed;
    eprintln!("seed {seed}");
    let tables = tables(&mut random, maria);
    let from = MySqlDatabase::create("").await;
    let mut connection = from.connect().await;
    for keyed in &tables {
        let create =
            format!("CREATE TABLE {} ({}, n INT NOT NULL, filler TEXT NOT NULL, {})", keyed.name, keyed.columns, keyed.key);
        sqlx::raw_sql(AssertSqlSafe(create)).execute(&mut connection).await.unwrap();
        for (first, rows) in keyed.rows.chunks(100).enumerate() {
            let rows: Vec<String> = rows
                .iter()
                .enumerate()
                .map(|(at, (sql, _))| format!("({sql}, {}, REPEAT('x', {FILLER}))", first * 100 + at))
                .collect();
            let sql = format!("INSERT INTO {} VALUES {}", keyed.name, rows.join(","));
            let result = sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await;
            result.unwrap_or_else(|error| panic!("{} (seed {seed}): {error}", keyed.name));
        }
        sqlx::raw_sql(AssertSqlSafe(format!("ANALYZE TABLE {}", keyed.name))).execute(&mut connection).await.unwrap();
    }
    let to = PostgresDatabase::create("").await;
    let done = report(0, &["run", &from.url, &to.url, "--verify", "full", "--chunk", "1MiB", "--jobs", "4"]);
    let mut target = to.connect().await;
    sqlx::raw_sql("SET timezone = 'UTC'").execute(&mut target).await.unwrap();
    for keyed in &tables {
        let said = table(&done, keyed.name);
        assert!(said["chunks"].as_u64().unwrap() > 2, "{} (seed {seed}) has {} chunks", keyed.name, said["chunks"]);
        assert_eq!(said["rows"], keyed.rows.len(), "{} (seed {seed})", keyed.name);
        let wanted: Vec<&str> = keyed.rows.iter().map(|(_, wanted)| wanted.as_str()).collect();
        let sql = format!(
            "SELECT coalesce(string_agg(coalesce(w.v, '?') || ' -> ' || coalesce(t.v, '?'), ', '), '') FROM
             (SELECT {} AS v, n FROM {}) AS t FULL JOIN (SELECT v, n - 1 AS n FROM unnest($1::text[]) WITH ORDINALITY AS u(v, n)) AS w USING (n)
             WHERE t.v IS DISTINCT FROM w.v",
            keyed.print, keyed.name
        );
        let differ: String = sqlx::query_scalar(AssertSqlSafe(sql)).bind(&wanted).fetch_one(&mut target).await.unwrap();
        assert!(differ.is_empty(), "{} (seed {seed}): {}", keyed.name, differ.chars().take(500).collect::<String>());
    }
    from.drop().await;
    to.drop().await;
}
