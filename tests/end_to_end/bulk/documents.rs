//! JSON, compared by its meaning; and what `jsonb` cannot keep.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::Value as Json;

use super::{Bulk, Value, hex, server_is_maria};
use crate::end_to_end::renames::MappingFile;
use crate::support::ferry::{ferry_with_report, table};
use crate::support::{MySqlDatabase, PostgresDatabase};

/// A document.
#[derive(Debug, Clone)]
enum Document {
    /// A number, a word.
    Plain(String),
    Text(String),
    Array(Vec<Document>),
    Object(BTreeMap<String, Document>),
}

fn characters() -> impl Strategy<Value = String> {
    let special = proptest::sample::select(vec![
        '"', '\\', '/', '\n', '\t', '\u{1}', '\u{1f}', '\u{7f}', 'é', '\u{2028}', '\u{fffe}', '😀', '\'',
    ]);
    let any = prop_oneof![3 => special, 3 => proptest::char::range(' ', '~'), 2 => proptest::char::range('\u{1}', char::MAX)];
    proptest::collection::vec(any, 0..8).prop_map(String::from_iter)
}

/// Documents. MySQL reads numbers beyond 64 bits as floats; MariaDB keeps the text.
fn documents(exact: bool) -> impl Strategy<Value = Document> {
    let finite = |bits: &u64| f64::from_bits(*bits).is_finite();
    let float = any::<u64>().prop_filter("finite", finite).prop_map(|bits| format!("{:e}", f64::from_bits(bits)));
    let decimal = "-?(0|[1-9][0-9]{0,40})(\\.[0-9]{1,40})?([eE][+-]?[0-9]{1,3})?";
    let number = prop_oneof![
        2 => any::<i64>().prop_map(|number| number.to_string()),
        2 => any::<u64>().prop_map(|number| number.to_string()),
        1 => (-1000i32..1000).prop_map(|number| format!("{number}.0")),
        1 => (-1000i32..1000).prop_map(|number| format!("{}.25E+3", number)),
        2 => float,
        3 => decimal.prop_map(move |text| if exact { text } else { "1.5".into() }),
        1 => proptest::sample::select(vec!["-0", "0.0", "-0.0", "18446744073709551615", "9223372036854775808", "1e308", "5e-324", "0.1"]).prop_map(str::to_string),
    ];
    let leaf = prop_oneof![
        1 => proptest::sample::select(vec!["null", "true", "false"]).prop_map(|word| Document::Plain(word.into())),
        4 => number.prop_map(Document::Plain),
        4 => characters().prop_map(Document::Text),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Document::Array),
            proptest::collection::btree_map(characters(), inner, 0..6).prop_map(Document::Object),
        ]
    })
}

/// A document as text; `style` chooses among its spellings.
fn write(document: &Document, style: u8, out: &mut String) {
    let space = ["", " ", "\n\t"][usize::from(style % 3)];
    match document {
        Document::Plain(text) => out.push_str(text),
        Document::Text(text) => write_text(text, style, out),
        Document::Array(items) => {
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                out.push_str(if at > 0 { "," } else { "" });
                out.push_str(space);
                write(item, style, out);
            }
            out.push(']');
        }
        Document::Object(members) => {
            out.push('{');
            let mut all: Vec<_> = members.iter().collect();
            if style > 127 {
                all.reverse();
            }
            for (at, (key, value)) in all.into_iter().enumerate() {
                out.push_str(if at > 0 { "," } else { "" });
                write_text(key, style, out);
                out.push_str(space);
                out.push(':');
                write(value, style, out);
            }
            out.push('}');
        }
    }
}

fn write_text(text: &str, style: u8, out: &mut String) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => out.extend(['\\', character]),
            '/' if style & 4 == 4 => out.push_str("\\/"),
            '\n' => out.push_str("\\n"),
            _ if u32::from(character) < 32 || style & 8 == 8 => {
                let mut units = [0; 2];
                for unit in character.encode_utf16(&mut units) {
                    out.push_str(&if style & 16 == 16 { format!("\\u{unit:04X}") } else { format!("\\u{unit:04x}") });
                }
            }
            _ => out.push(character),
        }
    }
    out.push('"');
}

fn told(text: &str) -> Value {
    Value::new(format!("_utf8mb4 x'{}'", hex(text.as_bytes())), text)
}

#[tokio::test]
async fn json_arrives_with_its_meaning() {
    let maria = server_is_maria().await;
    let text = |exact: bool| {
        (documents(exact), any::<u8>()).prop_map(|(document, style)| {
            let mut text = String::new();
            write(&document, style, &mut text);
            told(&text)
        })
    };
    let mut bulk = Bulk::new();
    bulk.column("JSON", "c = v::jsonb", text(false));
    if maria {
        // There it is a text with a check, so the numbers are what was written.
        bulk.column("JSON", "c = v::jsonb", text(true));
    }
    let mut nested = vec![Some(told(&format!("{}{}", "[".repeat(30), "]".repeat(30))))];
    nested.push(Some(told(&format!("{}1{}", "{\"a\":".repeat(30), "}".repeat(30)))));
    nested.extend(["null", "\"\"", "\"NULL\"", "{}", "[]", "0", "\"\\\\u0000\""].map(|text| Some(told(text))));
    bulk.given("JSON NOT NULL", "c = v::jsonb", nested.into_iter().cycle().take(bulk.rows()).collect());
    bulk.arrives().await;
}

#[tokio::test]
async fn json_as_text_arrives_letter_by_letter() {
    if !server_is_maria().await {
        // MySQL keeps no text, but what it has read of it.
        return;
    }
    let text = (documents(true), any::<u8>()).prop_map(|(document, style)| {
        let mut text = String::new();
        write(&document, style, &mut text);
        text
    });
    let hard = proptest::sample::select(vec!["{\"a\":1,\"a\":2}", "\"\\u0000\"", "1e999999", "  [ 1 ]  ", "-1E-99999"]);
    let mut bulk = Bulk::new();
    bulk.mapping = Some(MappingFile::new("[[type]]\nmatch = { type = \"json\" }\njson = \"json\"\n"));
    bulk.column("JSON", "c::text = v", prop_oneof![4 => text, 1 => hard.prop_map(str::to_string)].prop_map(|text| told(&text)));
    bulk.arrives().await;
}

#[tokio::test]
async fn what_jsonb_cannot_keep_is_rejected_and_nothing_else() {
    let maria = server_is_maria().await;
    let mut good: Vec<String> =
        ["\"\\\\u0000\"", "{\"a\":{\"a\":1},\"b\":{\"a\":1}}", "\"\\ud83d\\ude00\"", "1e100", "[\"\\\\\\\\u0000\"]"]
            .map(str::to_string)
            .to_vec();
    let mut bad =
        vec!["\"\\u0000\"".to_string(), "{\"a\\u0000\": 1}".into(), "[[\"x\\u0000y\"]]".into(), "[\"\\\\\\u0000\"]".into()];
    if maria {
        good.extend([format!("1{}", "0".repeat(1000)), "1e131071".into(), "1e-16383".into()]);
        bad.extend(["{\"a\":1,\"\\u0061\":2}", "1e131072", "1e-16384", "[{\"k\":0,\"k\":0}]"].map(String::from));
    }
    let mut script = "CREATE TABLE j (id INT NOT NULL PRIMARY KEY, j JSON);\n".to_string();
    for (id, text) in good.iter().chain(&bad).enumerate() {
        script.push_str(&format!("INSERT INTO j VALUES ({id}, _utf8mb4 x'{}');\n", hex(text.as_bytes())));
    }
    let from = MySqlDatabase::create(&script).await;
    let to = PostgresDatabase::create("").await;
    let file = MappingFile::new("[[table]]\nname = \"j\"\non_error = \"reject\"\n");
    let (said, done) = ferry_with_report(&["run", &from.url, &to.url, "-m", &file.path(), "--verify", "full"]);
    said.code(1);
    let done: Json = done.unwrap();
    assert_eq!(table(&done, "j")["rejected"], bad.len(), "{done:#}");
    assert_eq!(to.value("SELECT count(*) FROM j").await, Some(good.len().to_string()));
    for (id, text) in good.iter().enumerate() {
        let text = text.replace('\'', "''");
        assert_eq!(
            to.value(&format!("SELECT j = '{text}'::jsonb FROM j WHERE id = {id}")).await.as_deref(),
            Some("true"),
            "{text}"
        );
    }
    let kept = to.value("SELECT count(*) FROM dbferry.rejects").await;
    assert_eq!(kept, Some(bad.len().to_string()));
    from.drop().await;
    to.drop().await;
}
