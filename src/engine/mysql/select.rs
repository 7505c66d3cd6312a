//! Which expressions are asked of the server for a column: the column itself where its wire form is exact, otherwise
//! what tells the whole truth about it.

use super::connect::is_maria;
use super::typemap::MySqlDialect;
use crate::engine::Dialect;
use crate::model::catalog::{NativeType, ServerInfo};
use crate::model::unit::ReadColumn;
use crate::model::{LogicalType, ObjectName};

/// A table's name in SQL.
pub(super) fn quote_table(table: &ObjectName) -> String {
    if table.schema.is_empty() { quote(&table.name) } else { format!("{}.{}", quote(&table.schema), quote(&table.name)) }
}

/// A name in SQL.
pub(super) fn quote(name: &str) -> String {
    MySqlDialect.quote(name).to_string()
}

/// True for text that is kept as bytes: its character set is `binary`.
pub(super) fn is_bytes(native: &NativeType) -> bool {
    native.charset.as_deref() == Some("binary")
}

/// How a text column is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TextForm {
    /// Its bytes are UTF-8 already. Asked for as bytes, since a server that converts writes `?` for what it finds invalid:
    /// MariaDB stores any byte in an `ascii` column.
    Bytes,
    /// The server converts, and each of the 256 bytes of the character set has a character of its own, so nothing can be lost.
    Converted,
    /// The server converts, and a second expression tells whether the way back gives the same bytes.
    Checked,
}

/// The form for a character set.
pub(super) fn text_form(native: &NativeType) -> TextForm {
    match native.charset.as_deref() {
        Some("utf8mb3" | "utf8" | "ascii") => TextForm::Bytes,
        // MySQL's latin1 is cp1252 with the five holes filled; a test asks the server for all 256.
        // Without a character set the type is no text to the server (JSON, UUID, INET6): utf8mb4 on the wire.
        Some("utf8mb4" | "latin1" | "binary") | None => TextForm::Converted,
        Some(_) => TextForm::Checked,
    }
}

/// True for types whose values may be longer than the server's `max_allowed_packet`: its functions give NULL for those, without an error.
/// The others have at most 64 KiB, and a session with a limit below [`super::connect::LEAST_PACKET`] is refused.
pub(super) fn may_exceed_packet(native: &NativeType) -> bool {
    matches!(native.name.as_str(), "mediumtext" | "longtext" | "json")
}

/// The expressions for one column, in the order in which its decoder expects them.
/// Where rows are kept, the very bytes of text that the server converts come along.
pub(super) fn expressions(column: &ReadColumn, server: &ServerInfo, keep_raw: bool) -> Vec<String> {
    let name = quote(&column.name);
    match &column.logical {
        LogicalType::Geometry { .. } if !is_maria(server) && server.version_number >= (8, 0, 0) => {
            // By default MySQL 8 writes latitude first for a geographic system.
            vec![format!("ST_AsWKB({name}, 'axis-order=long-lat')"), format!("ST_SRID({name})")]
        }
        LogicalType::Geometry { .. } => vec![format!("ST_AsWKB({name})"), format!("ST_SRID({name})")],
        // A '' may be a label, or the value of index 0 that stands for an invalid one; only the number tells.
        LogicalType::Enum { labels } | LogicalType::Set { labels } if labels.iter().any(String::is_empty) => {
            vec![name.clone(), format!("CAST({name} + 0 AS UNSIGNED)")]
        }
        LogicalType::Text { .. } | LogicalType::Json => match text_form(&column.native) {
            TextForm::Bytes if may_exceed_packet(&column.native) => {
                vec![format!("CAST({name} AS BINARY)"), format!("{name} IS NOT NULL")]
            }
            TextForm::Bytes => vec![format!("CAST({name} AS BINARY)")],
            TextForm::Converted => vec![name],
            TextForm::Checked => {
                let charset = quote(column.native.charset.as_deref().unwrap_or("utf8mb4"));
                let mut all = vec![
                    name.clone(),
                    format!("CAST(CONVERT(CONVERT({name} USING utf8mb4) USING {charset}) AS BINARY) = CAST({name} AS BINARY)"),
                ];
                if keep_raw {
                    all.push(format!("CAST({name} AS BINARY)"));
                }
                all
            }
        },
        // The driver does not know the wire type of vectors.
        LogicalType::Vector { .. } => vec![format!("CAST({name} AS BINARY)")],
        _ => vec![name],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ValuePolicies;

    #[test]
    fn only_text_that_may_not_come_back_the_same_is_asked_for_twice() {
        let server = ServerInfo::default();
        let count = |charset: &str, keep_raw| {
            let (name, charset) = charset.split_once(' ').unwrap_or(("varchar", charset));
            let native = NativeType { name: name.into(), charset: Some(charset.into()), ..NativeType::default() };
            let logical = LogicalType::Text { length: None };
            let column = ReadColumn { name: "c".into(), native, logical, policies: ValuePolicies::default() };
            let all = expressions(&column, &server, keep_raw);
            (all.len(), all.concat().contains("CONVERT("))
        };
        for plain in ["utf8mb4", "utf8mb3", "ascii", "latin1"] {
            assert_eq!((count(plain, false), count(plain, true)), ((1, false), (1, false)), "{plain}");
        }
        // What may be longer than a packet is asked for twice, too: NULL alone would not tell whether it was NULL.
        assert_eq!((count("longtext utf8mb3", false), count("longtext utf8mb4", false)), ((2, false), (1, false)));
        for other in ["sjis", "cp932", "gbk", "cp1251"] {
            assert_eq!((count(other, false), count(other, true)), ((2, true), (3, true)), "{other}");
        }
    }
}
