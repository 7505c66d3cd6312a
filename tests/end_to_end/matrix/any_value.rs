//! Values over the whole range of each type, new ones at each run: the same literal goes to the source and, as the judge, to PostgreSQL.
//!
//! `DBFERRY_TEST_SEED` (a number) repeats a run; a failure names it.

use std::time::{SystemTime, UNIX_EPOCH};

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use crate::support::ferry::report;
use crate::support::{MySqlDatabase, PostgresDatabase};

const ROWS: usize = 150;

/// A column: its type in the source, and per row its literal for the source and for PostgreSQL.
struct Tried {
    kind: String,
    rows: Vec<(String, String)>,
}

struct Some {
    runner: TestRunner,
    seed: u64,
}

impl Some {
    fn new() -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos();
        let given = std::env::var("DBFERRY_TEST_SEED").ok().map(|text| text.parse().unwrap());
        let seed: u64 = given.unwrap_or(now as u64);
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
        Some { runner: TestRunner::new_with_rng(Config::default(), rng), seed }
    }

    /// A column of that type; a tenth of its rows is NULL.
    fn column<S: Strategy>(&mut self, kind: &str, values: S, literals: impl Fn(S::Value) -> (String, String)) -> Tried {
        let mut rows = Vec::new();
        for row in 0..ROWS {
            let value = values.new_tree(&mut self.runner).unwrap().current();
            rows.push(if row % 10 == 9 { ("NULL".into(), "NULL".into()) } else { literals(value) });
        }
        Tried { kind: kind.into(), rows }
    }
}

/// The same literal for both.
fn same(text: String) -> (String, String) {
    (text.clone(), text)
}

/// Carries the columns in one table, and asks PostgreSQL which of its values are not what their literal says.
async fn carried(seed: u64, columns: &[Tried]) {
    let names: Vec<String> = (0..columns.len()).map(|place| format!("c{place}")).collect();
    let kinds: Vec<String> = names.iter().zip(columns).map(|(name, column)| format!("{name} {} NULL", column.kind)).collect();
    let rows = |literal: fn(&(String, String)) -> &String| -> String {
        let row = |row: usize| {
            let values: Vec<&str> = columns.iter().map(|column| literal(&column.rows[row]).as_str()).collect();
            format!("({row}, {})", values.join(", "))
        };
        (0..ROWS).map(row).collect::<Vec<_>>().join(",\n")
    };
    let from = MySqlDatabase::create(&format!(
        "CREATE TABLE t (id INT NOT NULL PRIMARY KEY, {});\nINSERT INTO t VALUES {};\n",
        kinds.join(", "),
        rows(|pair| &pair.0)
    ))
    .await;
    let to = PostgresDatabase::create("").await;
    report(0, &["run", &from.url, &to.url, "--verify", "full"]);
    // The types of the target's own columns, so that a literal is read as one of them.
    to.run(&format!(
        "CREATE TABLE expected AS SELECT * FROM t WHERE false; INSERT INTO expected VALUES {}",
        rows(|pair| &pair.1)
    ))
    .await;
    for (name, column) in names.iter().zip(columns) {
        let sql = format!(
            "SELECT string_agg(id || ': ' || left(coalesce(t.{name}::text, 'NULL'), 200) || ' for ' || left(coalesce(e.{name}::text, 'NULL'), 200), '; ')
             FROM t FULL JOIN expected e USING (id) WHERE t.{name} IS DISTINCT FROM e.{name}"
        );
        assert_eq!(to.value(&sql).await, None, "{}, with DBFERRY_TEST_SEED={seed}", column.kind);
    }
    assert_eq!(to.value("SELECT count(*) FROM t").await, std::option::Option::Some(ROWS.to_string()));
    from.drop().await;
    to.drop().await;
}

/// Digits with a sign: at most so many before the point, and exactly so many behind it.
fn decimal(before: usize, behind: usize) -> impl Strategy<Value = String> {
    let digits = |count: std::ops::RangeInclusive<usize>| proptest::collection::vec(0u8..10, count);
    (any::<bool>(), digits(0..=before), digits(behind..=behind)).prop_map(|(negative, before, behind)| {
        let text = |digits: &[u8]| digits.iter().map(|digit| char::from(b'0' + digit)).collect::<String>();
        let point = if behind.is_empty() { "" } else { "." };
        format!("{}0{}{point}{}", if negative { "-" } else { "" }, text(&before), text(&behind))
    })
}

#[tokio::test]
async fn any_number() {
    let mut some = Some::new();
    let mut columns = Vec::new();
    macro_rules! integers {
        ($($kind:literal: $range:expr),* $(,)?) => {$(
            columns.push(some.column($kind, prop_oneof![6 => $range, 1 => Just($range.min().unwrap()), 1 => Just($range.max().unwrap())], |n| same(n.to_string())));
        )*};
    }
    integers!(
        "TINYINT": (i8::MIN..=i8::MAX), "SMALLINT": (i16::MIN..=i16::MAX), "MEDIUMINT": (-8_388_608i32..=8_388_607), "INT": (i32::MIN..=i32::MAX),
        "TINYINT UNSIGNED": (0..=u8::MAX), "SMALLINT UNSIGNED": (0..=u16::MAX), "MEDIUMINT UNSIGNED": (0..=16_777_215u32), "INT UNSIGNED": (0..=u32::MAX),
    );
    columns.push(some.column("BIGINT", any::<i64>(), |n| same(n.to_string())));
    columns.push(some.column("BIGINT UNSIGNED", any::<u64>(), |n| same(n.to_string())));
    for (precision, scale) in [(65, 30), (65, 0), (38, 10), (39, 38), (30, 30), (18, 4), (10, 2), (5, 0), (1, 1)] {
        let scale = if precision == 39 { 30 } else { scale };
        columns.push(some.column(&format!("DECIMAL({precision},{scale})"), decimal(precision - scale, scale), same));
    }
    // By their shortest text, which is theirs alone; not zero, of which MariaDB keeps no sign.
    let float = proptest::num::f32::NORMAL | proptest::num::f32::SUBNORMAL;
    columns.push(some.column("FLOAT", float, |f| (format!("{f:e}"), format!("'{f:e}'::real"))));
    let double = proptest::num::f64::NORMAL | proptest::num::f64::SUBNORMAL;
    columns.push(some.column("DOUBLE", double, |f| (format!("{f:e}"), format!("'{f:e}'::float8"))));
    for width in [1, 2, 7, 8, 9, 31, 63, 64] {
        let most = u64::MAX >> (64 - width);
        columns.push(some.column(&format!("BIT({width})"), 0..=most, move |bits| {
            let text = format!("{bits:064b}");
            let digits = &text[64 - width..];
            (format!("b'{digits}'"), format!("B'{digits}'"))
        }));
    }
    // N1, N2, N6, N7, N8, N10: each value is the number that its literal is to PostgreSQL.
    carried(some.seed, &columns).await;
}

/// Days of the years 1000 to 9999, as MySQL promises them.
fn day() -> impl Strategy<Value = String> {
    (1000u16..=9999, 1u8..=12, 1u8..=31).prop_map(|(year, month, day)| {
        let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let last = match month {
            2 => 28 + u8::from(leap),
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        };
        format!("{year:04}-{month:02}-{:02}", day.min(last))
    })
}

fn clock(fsp: usize) -> impl Strategy<Value = String> {
    (0u8..24, 0u8..60, 0u8..60, 0u32..1_000_000)
        .prop_map(move |(hour, minute, second, micros)| format!("{hour:02}:{minute:02}:{second:02}{}", fraction(micros, fsp)))
}

fn fraction(micros: u32, fsp: usize) -> String {
    if fsp == 0 { String::new() } else { format!(".{}", &format!("{micros:06}")[..fsp]) }
}

#[tokio::test]
async fn any_date_and_time() {
    let mut some = Some::new();
    let quoted = |text: String| same(format!("'{text}'"));
    let mut columns = vec![some.column("DATE", day(), quoted)];
    for fsp in 0..=6 {
        columns.push(some.column(
            &format!("DATETIME({fsp})"),
            (day(), clock(fsp)).prop_map(|(day, clock)| format!("{day} {clock}")),
            quoted,
        ));
        let moment = (1u32..=2_147_483_647, 0u32..1_000_000);
        columns.push(some.column(&format!("TIMESTAMP({fsp})"), moment, move |(seconds, micros)| {
            let fraction = fraction(micros, fsp);
            (
                format!("'1970-01-01 00:00:00{fraction}' + INTERVAL {seconds} SECOND"),
                format!("timestamptz '1970-01-01 00:00:00{fraction}Z' + interval '{seconds} seconds'"),
            )
        }));
        let length = (any::<bool>(), 0u16..=838, 0u8..60, 0u8..59, 0u32..1_000_000);
        columns.push(some.column(&format!("TIME({fsp})"), length, move |(negative, hours, minutes, seconds, micros)| {
            let sign = if negative { "-" } else { "" };
            same(format!("'{sign}{hours:02}:{minutes:02}:{seconds:02}{}'", fraction(micros, fsp)))
        }));
    }
    columns.push(some.column("YEAR", prop_oneof![9 => 1901u16..=2155, 1 => Just(0)], |year| same(year.to_string())));
    // T7, T8, T9: each value is what its literal is to PostgreSQL, to the last digit.
    carried(some.seed, &columns).await;
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Letters of a pool; the source is told them in utf8mb4, and converts.
fn letters(pool: &'static str, most: usize) -> impl Strategy<Value = String> {
    let all: Vec<char> = pool.chars().collect();
    proptest::collection::vec(proptest::sample::select(all), 0..=most).prop_map(|letters| letters.into_iter().collect())
}

#[tokio::test]
async fn any_text_and_bytes() {
    let mut some = Some::new();
    let text = |text: String| {
        let hex = hex(text.as_bytes());
        (format!("CONVERT(x'{hex}' USING utf8mb4)"), format!("convert_from('\\x{hex}', 'UTF8')"))
    };
    const ASCII: &str = "aZ09 '\"\\\t\r\n%_,;|{}[]\u{1}\u{7f}";
    let mut columns = Vec::new();
    for (charset, pool) in [
        ("latin1", concat!("aZ '\"\\\t\n", "äöüßéÿ€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ¡¿÷")),
        ("cp1251", "aZ '\\АБВяюэЁёЂѓ№«»—€"),
        ("sjis", "aZ '\\ソ表日本語アイウｱｲｳ、。"),
        ("cp932", "aZ '\\ソ①②～－㈱日本"),
        ("gbk", "aZ '\\汉字中文臺灣"),
        ("ujis", "aZ '\\日本語ソ表ｱｲ"),
        ("utf8mb3", "aZ '\\äЯ日\u{ffff}\u{feff}\u{301}\u{202e}"),
        ("utf8mb4", "aZ '\\äЯ日😀𝄞\u{10ffff}\u{301}\u{200d}👩"),
        ("utf16", "aZ '\\äЯ日😀𝄞"),
        ("ascii", ASCII),
    ] {
        columns.push(some.column(&format!("VARCHAR(40) CHARACTER SET {charset}"), letters(pool, 40), text));
        columns.push(some.column(&format!("TEXT CHARACTER SET {charset}"), letters(pool, 200), text));
    }
    let bytes = |bytes: Vec<u8>| (format!("x'{}'", hex(&bytes)), format!("'\\x{}'::bytea", hex(&bytes)));
    for kind in ["VARBINARY(60)", "BLOB", "LONGBLOB"] {
        columns.push(some.column(kind, proptest::collection::vec(any::<u8>(), 0..=60), bytes));
    }
    let labels = ["a", "it''s", "back\\\\slash", "say \"hi\"", "null", "{x}", "two words", "größe", "%", "日本"];
    let shown = |label: &str| label.replace("\\\\", "\\");
    let quoted: Vec<String> = labels.iter().map(|label| format!("'{label}'")).collect();
    columns.push(some.column(&format!("ENUM({})", quoted.join(",")), 0..labels.len(), |at| {
        (format!("'{}'", labels[at]), format!("'{}'", shown(labels[at])))
    }));
    columns.push(some.column(&format!("SET({})", quoted.join(",")), 0u32..1024, |bits| {
        let chosen: Vec<&str> = (0..10).filter(|at| bits >> at & 1 == 1).map(|at| labels[at]).collect();
        let array: Vec<String> = chosen.iter().map(|label| format!("'{}'", shown(label))).collect();
        (format!("'{}'", chosen.join(",")), format!("ARRAY[{}]::text[]", array.join(",")))
    }));
    // Compared by their meaning.
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<u64>().prop_map(Into::into),
        letters("aZ '\"\\ä日😀\n\u{1}", 8).prop_map(Into::into),
    ];
    let document = leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Into::into),
            proptest::collection::btree_map(letters("abÄ\"\\ 😀", 4), inner, 0..4)
                .prop_map(|members| serde_json::Value::Object(members.into_iter().collect())),
        ]
    });
    columns.push(some.column("JSON", document, |document| {
        let hex = hex(document.to_string().as_bytes());
        (format!("CONVERT(x'{hex}' USING utf8mb4)"), format!("convert_from('\\x{hex}', 'UTF8')::jsonb"))
    }));
    // S2, S4, S13, B1, E3, E4, J2, J3: each value is the text, the bytes, the labels or the document that its literal is to PostgreSQL.
    carried(some.seed, &columns).await;
}
