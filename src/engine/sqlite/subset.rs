//! Which rows belong to a subset, as conditions in SQLite's own SQL: by a share of the keys, and along foreign keys.

use std::fmt::Write;

use rusqlite::functions::{Context, FunctionFlags};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Result};

use super::typemap::quoted;
use crate::config::subset::Sample;
use crate::engine::row_set::{Words, condition};
use crate::error::Error;
use crate::model::ObjectName;
use crate::model::catalog::Column;
use crate::model::row_set::RowSet;

/// The function that every connection has; see [`hash`].
const HASH: &str = "dbferry_hash";

/// [`crate::engine::Dialect::sample`].
pub(super) fn sample(key: &[&Column], share: Sample) -> String {
    let columns: Vec<String> = key.iter().map(|column| quoted(&column.name)).collect();
    format!("{HASH}({}) < {}", columns.join(", "), share.bound())
}

/// [`crate::engine::Dialect::row_set`].
pub(super) fn row_set(sets: &[RowSet], wanted: usize) -> crate::error::Result<String> {
    let words = Words {
        quote: &quoted,
        table: &|name: &ObjectName| quoted(&name.name),
        select: "SELECT",
        // It keeps its order.
        join: "CROSS JOIN",
        recursive: true,
    };
    condition(sets, wanted, &words).ok_or_else(|| Error::internal("a set of rows without a condition"))
}

/// Gives the connection the function that samples are taken by.
pub(super) fn register(connection: &Connection) -> Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC | FunctionFlags::SQLITE_DIRECTONLY;
    connection.create_scalar_function(HASH, -1, flags, |context| Ok(i64::from(hash(context))))
}

/// The CRC-32 of the digits of the CRC-32 of the arguments' text, as MySQL computes it for equal keys: numbers as digits, text and bytes
/// as hexadecimal digits, with commas between.
fn hash(context: &Context<'_>) -> u32 {
    let mut text = String::new();
    for at in 0..context.len() {
        if at > 0 {
            text.push(',');
        }
        match context.get_raw(at) {
            ValueRef::Null => {}
            ValueRef::Integer(number) => text.push_str(&number.to_string()),
            ValueRef::Real(number) => push_digits(&mut text, number.to_string().as_bytes()),
            ValueRef::Text(bytes) | ValueRef::Blob(bytes) => push_digits(&mut text, bytes),
        }
    }
    crc32(crc32(text.as_bytes()).to_string().as_bytes())
}

fn push_digits(text: &mut String, bytes: &[u8]) {
    for byte in bytes {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02X}");
    }
}

/// CRC-32 as in zlib and MySQL (polynomial 0x04C11DB7, reflected).
fn crc32(bytes: &[u8]) -> u32 {
    let mut remainder = u32::MAX;
    for byte in bytes {
        remainder ^= u32::from(*byte);
        for _ in 0..8 {
            remainder = (remainder >> 1) ^ (0xEDB8_8320 & 0u32.wrapping_sub(remainder & 1));
        }
    }
    !remainder
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_that_of_zlib_and_mysql() {
        // SELECT CRC32('123456789'), CRC32('')
        assert_eq!((crc32(b"123456789"), crc32(b"")), (0xCBF4_3926, 0));
    }

    #[test]
    fn shares_of_consecutive_keys_are_even() {
        let connection = Connection::open_in_memory().unwrap();
        register(&connection).unwrap();
        let below = |first: i64, share: &str| -> i64 {
            let sql = format!(
                "WITH RECURSIVE n (id) AS (SELECT {first} UNION ALL SELECT id + 1 FROM n LIMIT 5000) SELECT count(*) FROM n \
                 WHERE dbferry_hash(id) < {share} * 4294967296"
            );
            connection.query_row(&sql, [], |row| row.get(0)).unwrap()
        };
        for first in [1, 1000, 1_000_000, 123_456_789] {
            for (share, expected, off) in [("0.01", 50, 24), ("0.1", 500, 70), ("0.5", 2500, 120)] {
                let count = below(first, share);
                assert!((expected - off..=expected + off).contains(&count), "{count} of 5000 from {first} at {share}");
            }
        }
    }
}
