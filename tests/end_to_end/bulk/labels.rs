//! ENUM and SET with labels that are hard on whoever writes or splits them.

use std::fmt::Write;

use proptest::prelude::*;

use super::{Bulk, Value};

/// A name for a `CREATE TABLE`.
fn literal(label: &str) -> String {
    format!("'{}'", label.replace('\\', "\\\\").replace('\'', "''"))
}

fn list(labels: &[String]) -> String {
    labels.iter().map(|label| literal(label)).collect::<Vec<_>>().join(",")
}

fn strings(labels: &[&str]) -> Vec<String> {
    labels.iter().map(ToString::to_string).collect()
}

/// Labels that an ENUM and a SET may both have.
const HOSTILE: &[&str] = &[
    "a",
    "A",
    "NULL",
    "null",
    "'",
    "''",
    "\"",
    "\\",
    "\\\\",
    "\\'",
    "{",
    "}",
    "{}",
    "{a}",
    "(",
    "\t",
    "line\nbreak",
    "\r",
    " leading",
    "%",
    "_",
    "0",
    "1",
    "ünï",
    "日本語",
    "É",
    "é",
    "ß",
    "ss",
    "\\N",
    "\\.",
    "--",
    "`",
    "$1",
    "e\u{301}",
];

/// The labels by their numbers, in the form `wanted` gives.
fn enumerated(labels: &[String]) -> impl Strategy<Value = Value> + use<> {
    let labels = labels.to_vec();
    (0..labels.len()).prop_map(move |at| Value::new((at + 1).to_string(), &labels[at]))
}

/// Any members, told by their bits.
fn members(labels: &[String]) -> impl Strategy<Value = Value> + use<> {
    let labels = labels.to_vec();
    let all = u64::MAX >> (64 - labels.len());
    let bits = prop_oneof![1 => Just(0), 1 => Just(all), 2 => (0..labels.len()).prop_map(|bit| 1u64 << bit), 6 => any::<u64>().prop_map(move |bits| bits & all)];
    bits.prop_map(move |bits| {
        let chosen: Vec<&String> =
            labels.iter().enumerate().filter(|(at, _)| bits >> at & 1 == 1).map(|(_, label)| label).collect();
        Value::new(bits.to_string(), serde_json::to_string(&chosen).unwrap())
    })
}

#[tokio::test]
async fn enumerations_and_sets_arrive_with_hostile_labels() {
    let mut bulk = Bulk::new();
    let (same_label, same_members) = ("c::text = v", "to_jsonb(c) = v::jsonb");
    let hostile = strings(HOSTILE);
    let binary = "CHARACTER SET utf8mb4 COLLATE utf8mb4_bin";
    let with = |more: &[&str]| [strings(more), hostile.clone()].concat();
    for labels in [hostile.clone(), with(&["", "a,b", ","]), with(&["a,b", &"ä".repeat(31), &"x".repeat(63)])] {
        bulk.column(&format!("ENUM({}) {binary}", list(&labels)), same_label, enumerated(&labels));
    }
    // Too long for a type of its own: text under a check.
    let long = with(&["", &"ö".repeat(32), &"y".repeat(64), &"z'\"\\".repeat(40)]);
    bulk.column(&format!("ENUM({}) {binary}", list(&long)), same_label, enumerated(&long));
    // Case-insensitive, so without labels that differ by case alone; the declaration's spelling stands.
    let plain = strings(&["Small", "MEDIUM", "lärge", "x-Large"]);
    bulk.column(&format!("ENUM({})", list(&plain)), same_label, enumerated(&plain));
    let many: Vec<String> = (0..3000).map(|number| format!("label {number}")).collect();
    bulk.column(&format!("ENUM({})", list(&many)), same_label, enumerated(&many));
    for (charset, labels) in [
        ("latin1", &["é", "€", "ÿ", "'"][..]),
        ("cp1251", &["привет", "Ж", "№", "\\"]),
        ("sjis", &["表示", "ｶﾅ", "ソ", "能"]),
        ("utf8mb3", &["日本", "é", ""]),
        ("ucs2", &["日", "a"]),
    ] {
        let labels = strings(labels);
        bulk.column(&format!("ENUM({}) CHARACTER SET {charset}", list(&labels)), same_label, enumerated(&labels));
        bulk.column(&format!("SET({}) CHARACTER SET {charset}", list(&labels)), same_members, members(&labels));
    }
    bulk.column(&format!("SET({}) {binary}", list(&hostile)), same_members, members(&hostile));
    let empty = with(&[""]);
    bulk.column(&format!("SET({}) {binary}", list(&empty)), same_members, members(&empty));
    let full: Vec<String> = (0..64).map(|number| format!("m{number}")).collect();
    bulk.column(&format!("SET({})", list(&full)), same_members, members(&full));
    let one = strings(&["NULL"]);
    bulk.column(&format!("SET({})", list(&one)), same_members, members(&one));
    bulk.arrives().await;
}

#[test]
fn a_label_is_quoted_as_the_servers_read_it() {
    let mut all = String::new();
    for label in ["it's", "\\", "a"] {
        let _ = write!(all, "{} ", literal(label));
    }
    assert_eq!(all, r"'it''s' '\\' 'a' ");
}
