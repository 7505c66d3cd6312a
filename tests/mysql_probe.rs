//! What the source answers about its rows, compared with the exact conditions asked of each row.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use dbferry::engine::mysql::MySqlSource;
use dbferry::engine::{SessionOptions, Source, TableFilter};
use dbferry::model::catalog::Table;
use dbferry::model::probe::{Answer, Asked, Question};
use proptest::prelude::*;
use proptest::sample::select;
use sqlx::Row;

use crate::support::MySqlDatabase;
use crate::support::random::Random;

async fn open(database: &MySqlDatabase) -> MySqlSource {
    let options = SessionOptions { application_name: "dbferry/test".into(), jobs: 4, ledger_schema: "dbferry".into() };
    MySqlSource::open(&dbferry::config::endpoint::Endpoint::parse(&database.url).unwrap(), &options).await.unwrap()
}

async fn tables(source: &MySqlSource) -> Vec<Table> {
    source.catalog(&TableFilter::all()).await.unwrap().tables
}

/// Everything that is asked of a column of its type, and more.
fn questions(table: &Table) -> Vec<Question> {
    let mut questions = vec![];
    for column in table.columns.iter().filter(|column| column.name != "id") {
        let (name, native) = (column.name.clone(), &column.native);
        match native.name.as_str() {
            "date" | "datetime" | "timestamp" => {
                questions.push(Question::ZeroDate { column: name.clone() });
                questions.push(Question::InvalidDate { column: name });
            }
            "tinyint" => questions.push(Question::NotZeroOrOne { column: name }),
            "int" => questions.push(Question::OutOfRange { column: name, min: "-5".into(), max: "5".into() }),
            "time" => questions.push(Question::NotTimeOfDay { column: name }),
            "enum" => questions.push(Question::NoLabel { column: name }),
            _ => {
                questions.push(Question::InvalidText { column: name.clone() });
                questions.push(Question::NulCharacter { column: name.clone() });
                questions.push(Question::LongerThan { columns: vec![name.clone()], bytes: 20 });
                if native.charset.is_some() {
                    questions.push(Question::EncodedTwice { column: name.clone() });
                    questions.push(Question::EndSpaces { column: name.clone() });
                }
                if matches!(native.charset.as_deref(), Some("utf8mb4" | "utf8mb3" | "utf8" | "latin1")) || native.name == "json" {
                    questions.push(Question::NulEscape { column: name.clone() });
                }
                for (prefix, bytes) in [(None, 20), (Some(3), 6)] {
                    let parts = vec![(name.clone(), prefix)];
                    questions.push(Question::LongEntry { index: "i".into(), parts, bytes });
                }
            }
        }
    }
    questions
}

/// Bytes that are hard for a text in some character set, as a literal.
fn text() -> impl Strategy<Value = String> {
    let pieces: Vec<&'static [u8]> = vec![
        b"A",
        b" ",
        b"\0",
        b"\\u0000",
        b"\\\\u0000",
        b"\\U0000",
        b"plain text of some length",
        "ü".as_bytes(),
        "Â\u{a0}".as_bytes(),
        "Ã©".as_bytes(),
        "Ä\u{a0}".as_bytes(),
        "â\u{80}".as_bytes(),
        "\u{a7}".as_bytes(),
        "😀".as_bytes(),
        "ſK".as_bytes(),
        "漢字".as_bytes(),
        b"\xED\xA0\x80",
        b"\x80",
        b"\xFF",
        b"\xC2",
        b"\xC3\xA4",
        b"\xC3",
        b"\x81\x30\x89\x38",
        b"\xD8\x00",
        b"\xD8\x3D\xDE\x00",
        b"\0A",
    ];
    let piece = prop_oneof![4 => select(pieces).prop_map(<[u8]>::to_vec), 1 => proptest::collection::vec(any::<u8>(), 1..3)];
    let bytes = proptest::collection::vec(piece, 0..5).prop_map(|pieces| pieces.concat());
    // As the bytes of the column's own character set, or as text that the server brings to it.
    (bytes, any::<bool>()).prop_map(|(bytes, own)| match String::from_utf8(bytes) {
        Ok(text) if !own => format!("_utf8mb4 x'{}'", hex(text.as_bytes())),
        Ok(text) => format!("_binary x'{}'", hex(text.as_bytes())),
        Err(error) => format!("_binary x'{}'", hex(error.as_bytes())),
    })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02X}")).collect()
}

fn date() -> impl Strategy<Value = String> {
    let year = select(vec![0, 0, 1, 1900, 2000, 2023, 2024, 9999]);
    let likely = (year.clone(), 0..=12, 0..=31);
    let edge = (year, select(vec![0, 1, 2, 4, 12]), select(vec![0, 1, 28, 29, 30, 31]));
    prop_oneof![likely, edge, Just((0, 0, 0))].prop_map(|(year, month, day)| format!("{year:04}-{month:02}-{day:02}"))
}

/// A column's type, and a value for it.
fn value(random: &mut Random, kind: &str) -> String {
    let quoted = |text: String| format!("'{text}'");
    match kind {
        "date" => quoted(random.one(&date())),
        "datetime" => {
            quoted(random.one(&(date(), select(vec!["00:00:00", "10:20:30", "23:59:59"])).prop_map(|(d, t)| format!("{d} {t}"))))
        }
        "timestamp" => {
            random.one(&select(vec!["0", "'2024-02-29 10:00:00'", "'2037-12-31 23:59:59'", "'1970-01-01 00:00:01'"])).into()
        }
        "tinyint(1)" => random.one(&(-2..4_i32)).to_string(),
        "int" => random.one(&(-9..9_i32)).to_string(),
        "time" => quoted(random.one(&select(vec!["00:00:00", "23:59:59", "24:00:00", "-00:00:01", "838:59:59"])).into()),
        "json" => {
            quoted(random.one(&select(vec![r#"{"a": 1}"#, r#""x\\u0000""#, r#"["\\\\u0000"]"#, r#""\\\\\\u0000""#, "0"])).into())
        }
        kind if kind.starts_with("enum") => random.one(&(0..3_i32)).to_string(),
        _ => random.one(&text()),
    }
}

fn found(questions: &[Question], answers: &[Answer]) -> BTreeMap<String, u64> {
    let mut all = BTreeMap::new();
    for (question, answer) in questions.iter().zip(answers) {
        let kind = format!("{question:?}").split(' ').next().unwrap_or_default().to_string();
        *all.entry(kind).or_default() += answer.found;
    }
    all
}

/// Columns of every type and character set, one row of rather good values for each of bad ones: most columns of most rows are good, so
/// that signs decide.
#[tokio::test(flavor = "multi_thread")]
async fn the_cheap_way_answers_as_the_exact_one() {
    let database = MySqlDatabase::create("").await;
    let mut connection = database.connect().await;
    let rows = sqlx::raw_sql("SELECT CAST(character_set_name AS CHAR) FROM information_schema.character_sets")
        .fetch_all(&mut connection)
        .await
        .unwrap();
    let charsets: Vec<String> =
        rows.iter().map(|row| String::from_utf8(row.try_get_unchecked::<Vec<u8>, _>(0).unwrap()).unwrap()).collect();
    let others = ["date", "datetime", "timestamp", "tinyint(1)", "int", "time", "enum('a', '')", "json"];
    let mut kinds: Vec<String> = others.iter().map(ToString::to_string).collect();
    for charset in charsets.iter().filter(|charset| *charset != "binary") {
        kinds.extend(["char(1)", "varchar(12)", "tinytext", "mediumtext"].map(|kind| format!("{kind} character set {charset}")));
    }
    kinds.push("varchar(1200) character set utf8mb4".into());
    let mut random = Random::new();
    // A few columns to a table, so that one column's rows are not always hidden behind another's.
    let mut script = String::new();
    for (place, kinds) in kinds.chunks(9).enumerate() {
        let columns =
            kinds.iter().enumerate().flat_map(|(at, kind)| [format!("c{at} {kind} NULL"), format!("d{at} {kind} NOT NULL")]);
        let columns: Vec<String> = columns.collect();
        writeln!(script, "CREATE TABLE t{place} (id INT PRIMARY KEY, {});", columns.join(", ")).unwrap();
        let rows: Vec<String> = (0..120)
            .map(|id| {
                let mut values = vec![id.to_string()];
                for kind in kinds {
                    for nullable in [true, false] {
                        let odd = random.one(&(0..4_i32)) == 0;
                        values.push(match kind.as_str() {
                            _ if nullable && random.one(&(0..5_i32)) == 0 => "NULL".into(),
                            kind if odd => value(&mut random, kind),
                            "date" | "datetime" | "timestamp" => "'2024-02-29'".into(),
                            "time" => "'10:00:00'".into(),
                            "json" => "'1'".into(),
                            kind if kind.starts_with("enum") || kind.contains("int") => "1".into(),
                            _ => "'good text'".into(),
                        });
                    }
                }
                format!("({})", values.join(", "))
            })
            .collect();
        writeln!(script, "INSERT IGNORE INTO t{place} VALUES {};", rows.join(", ")).unwrap();
    }
    database.run(&script).await;
    let source = open(&database).await;
    let mut found_in_all = BTreeMap::new();
    let mut tables = tables(&source).await;
    let asked = |tables: &[Table]| -> Vec<Vec<Question>> { tables.iter().map(questions).collect() };
    let questions = asked(&tables);
    let asked = |tables: &'_ [Table]| -> Vec<(usize, Table)> { tables.iter().cloned().enumerate().collect() };
    for pieces in [false, true] {
        if pieces {
            for table in &mut tables {
                (table.estimated_rows, table.estimated_bytes) = (120, 1 << 30);
            }
        }
        let tables = asked(&tables);
        let asked: Vec<Asked<'_>> = tables.iter().map(|(at, table)| Asked { table, questions: questions[*at].clone() }).collect();
        let cheap = source.probe(&asked, None).await.unwrap().expect("the source can be asked");
        let exact = source.probe_plainly(&asked).await.unwrap();
        for ((asked, cheap), exact) in asked.iter().zip(&cheap).zip(&exact) {
            for ((question, cheap), exact) in asked.questions.iter().zip(cheap).zip(exact) {
                assert_eq!(cheap, exact, "{}: {question:?} (pieces: {pieces}, seed {})", asked.table.name, random.seed);
            }
            for (kind, count) in found(&asked.questions, exact) {
                *found_in_all.entry(kind).or_insert(0) += count;
            }
        }
    }
    // A property over nothing would hold.
    for kind in [
        "ZeroDate",
        "InvalidDate",
        "NotZeroOrOne",
        "OutOfRange",
        "NotTimeOfDay",
        "NoLabel",
        "InvalidText",
        "NulCharacter",
        "NulEscape",
        "EncodedTwice",
        "EndSpaces",
        "LongerThan",
        "LongEntry",
    ] {
        assert!(found_in_all.get(kind).is_some_and(|count| *count > 0), "{kind}: {found_in_all:?}");
    }
    database.drop().await;
}

/// NULL proves nothing, and a value behind the first rows does.
#[tokio::test(flavor = "multi_thread")]
async fn a_value_far_behind_is_a_value() {
    let database = MySqlDatabase::create(
        "CREATE TABLE t (id INT PRIMARY KEY, none TINYINT(1), late TINYINT(1), early TINYINT(1), wrong TINYINT(1));
         CREATE TABLE digits (n INT PRIMARY KEY);
         INSERT INTO digits VALUES (0), (1), (2), (3), (4), (5), (6), (7), (8), (9);
         INSERT INTO t SELECT a.n + 10 * b.n + 100 * c.n + 1000 * d.n, NULL, NULL, 1, NULL FROM digits a, digits b, digits c, digits d;
         UPDATE t SET late = 0, wrong = 2 WHERE id = 9999;",
    )
    .await;
    let source = open(&database).await;
    let mut tables = tables(&source).await;
    tables.retain(|table| table.name.name == "t");
    let questions: Vec<Question> =
        ["none", "late", "early", "wrong"].map(|column| Question::NotZeroOrOne { column: column.into() }).to_vec();
    for bytes in [1 << 16, 1 << 30] {
        tables[0].estimated_bytes = bytes;
        let asked = [Asked { table: &tables[0], questions: questions.clone() }];
        let answers = source.probe(&asked, None).await.unwrap().unwrap();
        let said: Vec<(bool, u64)> = answers[0].iter().map(|answer| (answer.rules_out(), answer.found)).collect();
        assert_eq!(said, [(false, 0), (true, 0), (true, 0), (false, 1)]);
        assert_eq!(answers[0][3].example.as_deref(), Some("id = 9999"));
        // Among the first rows there is none.
        let answers = source.probe(&asked, Some(100)).await.unwrap().unwrap();
        assert_eq!(answers[0].iter().map(|answer| answer.found).collect::<Vec<_>>(), [0; 4]);
    }
    database.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_tables_in_one_message_each_gets_its_own_answer() {
    let mut script = String::new();
    for n in 0..80 {
        writeln!(script, "CREATE TABLE t{n:02} (id INT PRIMARY KEY, d DATE);").unwrap();
        writeln!(script, "INSERT INTO t{n:02} VALUES ({n}, '{}');", if n % 7 == 3 { "0000-00-00" } else { "2024-01-01" })
            .unwrap();
    }
    let database = MySqlDatabase::create(&script).await;
    let source = open(&database).await;
    let tables = tables(&source).await;
    let asking = |table| Asked { table, questions: vec![Question::ZeroDate { column: "d".into() }] };
    let asked: Vec<Asked<'_>> = tables.iter().map(asking).collect();
    let answers = source.probe(&asked, None).await.unwrap().unwrap();
    assert_eq!(answers.len(), 80);
    for (n, answers) in answers.iter().enumerate() {
        let expected = (n % 7 == 3).then(|| format!("id = {n}"));
        assert_eq!((answers[0].found, &answers[0].example), (u64::from(n % 7 == 3), &expected), "{n}");
    }
    // One that is gone is named, wherever it stands in a message.
    database.run("DROP TABLE t31;").await;
    let error = source.probe(&asked, None).await.unwrap_err();
    assert!(error.place().table.as_ref().is_some_and(|table| table.to_string().contains("t31")), "{error:?}");
    database.drop().await;
}
