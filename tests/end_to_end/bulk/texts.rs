//! Text of all characters, and bytes.

use proptest::prelude::*;

use super::{Bulk, Value, hex, server_is_maria};

/// What has a meaning of its own somewhere between two databases.
const PIECES: &[&str] = &[
    "'", "\"", "`", "\\", "\\.", "\\N", "\\0", "\t", "\n", "\r\n", "\r", " ", "  ", "NULL", "null", "{", "}", "{}", "%", "_",
    ",", ";", "--", "/*", "\u{1}", "\u{8}", "\u{1a}", "\u{7f}", "\u{85}", "\u{a0}", "é", "e\u{301}", "ß", "İ", "ﬀ", "\u{feff}",
    "\u{fffd}", "\u{fffe}", "\u{ffff}", "\u{2028}", "\u{200d}", "日本", "\u{d7ff}", "\u{e000}",
];

/// Text of at most `most` characters; `astral` lets in those beyond U+FFFF.
fn text(most: usize, astral: bool) -> impl Strategy<Value = String> {
    let last = if astral { char::MAX } else { '\u{ffff}' };
    let any = prop_oneof![
        2 => proptest::char::range('\u{1}', '\u{7f}'),
        2 => proptest::char::range('\u{80}', '\u{7ff}'),
        3 => proptest::char::range('\u{800}', '\u{ffff}'),
        3 => proptest::char::any().prop_map(move |any| if any == '\0' || any > last { last } else { any }),
    ];
    let piece = prop_oneof![4 => any.prop_map(String::from), 3 => proptest::sample::select(PIECES).prop_map(str::to_string)];
    let pieces = prop_oneof![1 => Just(0..=1usize), 4 => Just(0..=8), 3 => Just(most..=most)];
    pieces
        .prop_flat_map(move |count| proptest::collection::vec(piece.clone(), count))
        .prop_map(move |pieces| pieces.concat().chars().take(most).collect())
}

/// Text, told by its bytes.
fn told(charset: &'static str, text: &str) -> Value {
    Value::new(format!("_{charset} x'{}'", hex(text.as_bytes())), text)
}

#[tokio::test]
async fn text_arrives_with_every_character() {
    let mut bulk = Bulk::new();
    for (native, most) in [
        ("VARCHAR(1)", 1),
        ("VARCHAR(30)", 30),
        ("VARCHAR(60) COLLATE utf8mb4_bin", 60),
        ("VARCHAR(60) COLLATE utf8mb4_unicode_ci", 60),
        ("TINYTEXT", 63),
        ("TEXT", 100),
        ("MEDIUMTEXT", 100),
        ("LONGTEXT", 100),
    ] {
        bulk.column(native, "c = v", text(most, true).prop_map(|text| told("utf8mb4", &text)));
    }
    // The server takes the spaces at a CHAR's end away.
    bulk.column("CHAR(20)", "c = rtrim(v, ' ')", text(20, true).prop_map(|text| told("utf8mb4", &text)));
    for native in ["VARCHAR(30) CHARACTER SET utf8mb3", "TEXT CHARACTER SET utf8mb3"] {
        bulk.column(native, "c = v", text(30, false).prop_map(|text| told("utf8mb3", &text)));
    }
    for native in ["VARCHAR(30) CHARACTER SET utf16", "TEXT CHARACTER SET utf32", "VARCHAR(30) CHARACTER SET utf16le"] {
        bulk.column(native, "c = v", text(30, true).prop_map(|text| told("utf8mb4", &text)));
    }
    bulk.column("VARCHAR(30) CHARACTER SET ucs2", "c = v", text(30, false).prop_map(|text| told("utf8mb3", &text)));
    bulk.arrives().await;
}

#[tokio::test]
async fn bytes_arrive_with_every_byte() {
    let mut bulk = Bulk::new();
    let same = "c = decode(v, 'hex')";
    let bytes = |most: usize| {
        let byte = prop_oneof![3 => any::<u8>(), 1 => Just(0u8), 1 => Just(0xffu8), 1 => Just(b'\\'), 1 => Just(b' ')];
        proptest::collection::vec(byte, 0..=most)
    };
    let value = |bytes: Vec<u8>| Value::new(format!("x'{}'", hex(&bytes)), hex(&bytes));
    for (native, most) in [
        ("VARBINARY(1)", 1),
        ("VARBINARY(300)", 300),
        ("TINYBLOB", 255),
        ("BLOB", 300),
        ("MEDIUMBLOB", 100),
        ("LONGBLOB", 100),
        ("VARCHAR(90) CHARACTER SET binary", 90),
        ("TEXT CHARACTER SET binary", 90),
    ] {
        bulk.column(native, same, bytes(most).prop_map(value));
    }
    for length in [1usize, 16, 255] {
        // Filled up with zero bytes, which are a part of the value.
        let value = move |bytes: Vec<u8>| {
            Value::new(format!("x'{}'", hex(&bytes)), format!("{:0<width$}", hex(&bytes), width = 2 * length))
        };
        bulk.column(&format!("BINARY({length})"), same, bytes(length).prop_map(value));
    }
    let all: Vec<u8> = (0..=255).collect();
    bulk.given("MEDIUMBLOB", same, vec![Some(value(all.clone())), Some(value(all.repeat(300))), None, Some(value(Vec::new()))]);
    bulk.arrives().await;
}

/// True for sixteen bytes that MariaDB takes for a UUID: not those of a high version and an old variant.
pub(super) fn is_uuid(bytes: &[u8; 16]) -> bool {
    bytes[6] < 0x80 || bytes[8] == 0 || bytes[8] > 0x80
}

#[tokio::test]
async fn uuids_and_addresses_arrive() {
    if !server_is_maria().await {
        // MySQL has no such types; what it holds them in is tried above.
        return;
    }
    let mut bulk = Bulk::new();
    let edge = prop_oneof![1 => Just([0u8; 16]), 1 => Just([0xffu8; 16]), 8 => any::<[u8; 16]>()];
    // MariaDB takes for none what is of neither of the two forms that it stores.
    let edge = edge.prop_filter("a UUID to MariaDB", is_uuid);
    bulk.column(
        "UUID",
        "uuid_send(c) = decode(v, 'hex')",
        edge.prop_map(|bytes| Value::new(format!("'{}'", hex(&bytes)), hex(&bytes))),
    );
    let address = |bytes: [u8; 16]| {
        let text = std::net::Ipv6Addr::from(bytes).to_string();
        Value::new(format!("'{text}'"), text)
    };
    // Runs of zeros, which are written short.
    let sparse = proptest::collection::vec(prop_oneof![3 => Just(0u8), 1 => any::<u8>()], 16)
        .prop_map(|bytes| <[u8; 16]>::try_from(bytes).unwrap());
    let mapped = any::<[u8; 4]>().prop_map(|last| {
        let mut bytes = [0; 16];
        bytes[10..12].fill(0xff);
        bytes[12..].copy_from_slice(&last);
        bytes
    });
    let addresses = prop_oneof![3 => sparse, 1 => mapped, 3 => any::<[u8; 16]>()];
    bulk.column("INET6", "c::inet = v::inet", addresses.prop_map(address));
    let short = |bytes: [u8; 4]| {
        let text = std::net::Ipv4Addr::from(bytes).to_string();
        Value::new(format!("'{text}'"), text)
    };
    bulk.column("INET4", "c = v", any::<[u8; 4]>().prop_map(short));
    bulk.arrives().await;
}
