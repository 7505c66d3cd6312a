//! Which rows belong to a subset, as conditions in MySQL's own SQL: by a share of the keys, and along foreign keys.

use super::connect::is_maria;
use super::select::{is_bytes, quote, quote_table};
use super::typemap::MySqlDialect;
use crate::config::subset::Sample;
use crate::engine::Dialect;
use crate::engine::row_set::{Words, condition};
use crate::error::{Error, ErrorKind, Result};
use crate::model::LogicalType;
use crate::model::catalog::{Column, ServerInfo};
use crate::model::row_set::RowSet;

/// [`Dialect::sample`]. Numbers as digits, text as the hexadecimal digits of its UTF-8, all else as those of its bytes.
///
/// The CRC-32 of consecutive numbers is far from even, being linear; that of its own digits is even.
pub(super) fn sample(key: &[&Column], share: Sample) -> String {
    let parts: Vec<String> = key
        .iter()
        .map(|column| {
            let name = quote(&column.name);
            match MySqlDialect.to_logical(&column.native) {
                // The sum has no ZEROFILL.
                Some(logical) if is_whole(&logical) => format!("CAST({name} + 0 AS CHAR)"),
                Some(LogicalType::Text { .. }) if !is_bytes(&column.native) && column.native.charset.is_some() => {
                    format!("HEX(CONVERT({name} USING utf8mb4))")
                }
                _ => format!("HEX(CAST({name} AS BINARY))"),
            }
        })
        .collect();
    format!("CRC32(CRC32(CONCAT_WS(',', {}))) < {}", parts.join(", "), share.bound())
}

fn is_whole(logical: &LogicalType) -> bool {
    use LogicalType as L;
    matches!(logical, L::Int8 | L::Int16 | L::Int32 | L::Int64 | L::UInt8 | L::UInt16 | L::UInt32 | L::UInt64)
}

/// [`Dialect::row_set`].
pub(super) fn row_set(sets: &[RowSet], wanted: usize, server: &ServerInfo) -> Result<String> {
    let words = Words {
        quote: &quote,
        table: &quote_table,
        select: "SELECT STRAIGHT_JOIN",
        join: "JOIN",
        recursive: is_maria(server) || server.version_number >= (8, 0, 1),
    };
    condition(sets, wanted, &words).ok_or_else(|| {
        let what =
            format!("{server} knows no recursive queries, which these foreign keys need: they form a circle, or too many ways");
        Error::new(ErrorKind::Unsupported, what).hint("Leave out a table of the circle, or use MySQL 8 or later")
    })
}
