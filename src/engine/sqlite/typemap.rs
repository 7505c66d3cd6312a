//! Declared types to logical types.
//!
//! SQLite stores each value in a class of its own (NULL, INTEGER, REAL, TEXT, BLOB); the declared type is free text that only leans
//! values towards a class. So the table below decides what a column *means*, and the reader refuses each value that is not of it,
//! naming table, column and rowid. Rows are tried from the top; names are compared without regard to case and to `(n)`.
//!
//! | Declared type | Logical | Values that fit |
//! |---|---|---|
//! | contains `INT` (`INTEGER`, `BIGINT`, `UNSIGNED BIG INT`) | Int64 | INTEGER; sizes and signs are not enforced by SQLite, so all are 64 bits |
//! | `BOOL`, `BOOLEAN` | Bool | INTEGER 0 and 1 |
//! | `DECIMAL(p,s)`, `NUMERIC(p,s)`, `DEC`, `NUMBER` | Decimal(p, s) | INTEGER, REAL or decimal TEXT that is exactly a number of p digits, s behind the point |
//! | the same without `(p,s)`, or beyond 76 digits | Numeric | INTEGER, finite REAL, decimal TEXT |
//! | `DATE` | Date | TEXT `YYYY-MM-DD` |
//! | `DATETIME`, `TIMESTAMP`, `… WITHOUT TIME ZONE` | Timestamp(6) | TEXT `YYYY-MM-DD HH:MM:SS[.ffffff]`, or with a `T` |
//! | `TIMESTAMPTZ`, `… WITH TIME ZONE` | Timestamp(6) UTC | the same with `Z` or `±HH:MM` behind it |
//! | `TIME` | Time(6) | TEXT `HH:MM:SS[.ffffff]` |
//! | `JSON`, `JSONB` | Json | TEXT that is JSON; INTEGER and REAL, since the column's affinity turns the texts of numbers into them |
//! | `UUID`, `GUID` | Uuid | TEXT of 32 hexadecimal digits, with hyphens or without; BLOB of 16 bytes |
//! | `BINARY`, `VARBINARY`, `BYTEA` | Binary | BLOB |
//! | contains `CHAR`, `CLOB` or `TEXT` | Text | TEXT in UTF-8. Without a length: SQLite does not enforce the n of `VARCHAR(n)` |
//! | contains `BLOB` | Binary | BLOB |
//! | contains `REAL`, `FLOA` or `DOUB` | Float64 | REAL; an INTEGER that is exactly a double |
//! | none, `ANY`, and every other name | by the values | one class in the whole column decides (INTEGER beside REAL: Float64; no value: Text), else the column is refused |
//!
//! A REAL stands for the shortest decimal text that reads back as the same double: 19.99 fits `DECIMAL(10,2)`, 0.1 + 0.2 does not.
//! Numbers of seconds in temporal columns (Unix time, Julian days) are refused, since nothing says which of them they are.

use crate::config::subset::Sample;
use crate::engine::{Ddl, DdlOptions, Dialect, Fidelity, Quoted};
use crate::error::{Error, ErrorKind, Result};
use crate::model::LogicalType;
use crate::model::catalog::{Column, NativeType, Problem, ServerInfo, Severity, Table};
use crate::model::logical::Zone;
use crate::model::policy::PolicyKind;
use crate::model::row_set::RowSet;

/// Most digits of [`LogicalType::Decimal`].
const MAX_PRECISION: u8 = 76;

/// SQLite's types and names.
pub struct SqliteDialect;

/// Reads a declared type as it stands in CREATE TABLE.
pub(super) fn parse_declared(declared: &str) -> NativeType {
    let (before, numbers, behind) = match declared.split_once('(') {
        Some((before, rest)) => match rest.split_once(')') {
            Some((numbers, behind)) => (before, numbers, behind),
            None => (before, rest, ""),
        },
        None => (declared, "", ""),
    };
    let name = before.split_whitespace().chain(behind.split_whitespace()).collect::<Vec<_>>().join(" ").to_lowercase();
    let unsigned = name.split(' ').any(|word| word == "unsigned");
    let mut native = NativeType { full: declared.to_string(), unsigned, ..NativeType::default() };
    let numbers: Vec<Option<u64>> = numbers.split(',').map(|number| number.trim().parse().ok()).collect();
    let number = |place: usize| numbers.get(place).copied().flatten();
    let small = |place: usize| number(place).and_then(|number| u8::try_from(number).ok());
    if is_decimal(&name) {
        native.precision = small(0);
        native.scale = native.precision.map(|_| small(1).unwrap_or(0));
    } else if name.starts_with("time") || name.starts_with("datetime") {
        native.fsp = small(0);
    } else {
        native.length = number(0);
    }
    native.name = name;
    native
}

fn is_decimal(name: &str) -> bool {
    matches!(name, "decimal" | "numeric" | "dec" | "number")
}

/// The logical type of a declared one by the table above; `None` when only the values can tell.
pub(super) fn logical(native: &NativeType) -> Option<LogicalType> {
    let name = native.name.as_str();
    let has = |part: &str| name.contains(part);
    Some(match name {
        _ if has("int") => LogicalType::Int64,
        "bool" | "boolean" => LogicalType::Bool,
        _ if is_decimal(name) => match (native.precision, native.scale) {
            (Some(precision @ 1..=MAX_PRECISION), Some(scale)) if scale <= precision => LogicalType::Decimal { precision, scale },
            _ => LogicalType::Numeric,
        },
        "date" => LogicalType::Date,
        "datetime" | "timestamp" | "timestamp without time zone" | "datetime without time zone" => {
            LogicalType::Timestamp { fsp: 6, zone: Zone::None }
        }
        "timestamptz" | "timestamp with time zone" | "datetime with time zone" => {
            LogicalType::Timestamp { fsp: 6, zone: Zone::Utc }
        }
        "time" | "time without time zone" => LogicalType::Time { fsp: 6 },
        "json" | "jsonb" => LogicalType::Json,
        "uuid" | "guid" => LogicalType::Uuid,
        "binary" | "varbinary" | "bytea" => LogicalType::Binary { length: None },
        _ if has("char") || has("clob") || has("text") => LogicalType::Text { length: None },
        _ if has("blob") => LogicalType::Binary { length: None },
        _ if has("real") || has("floa") || has("doub") => LogicalType::Float64,
        _ => return None,
    })
}

/// A name in double quotes, as SQL text.
///
/// Always put a table's alias before a column (`t."name"`): SQLite takes a lone `"name"` that is no column for a string.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

impl Dialect for SqliteDialect {
    fn to_logical(&self, native: &NativeType) -> Option<LogicalType> {
        logical(native)
    }

    fn parse_type(&self, text: &str) -> Result<NativeType> {
        const KNOWN: [&str; 13] = [
            "integer",
            "boolean",
            "text",
            "blob",
            "real",
            "decimal",
            "numeric",
            "date",
            "datetime",
            "timestamp",
            "time",
            "json",
            "uuid",
        ];
        let native = parse_declared(text.trim());
        if logical(&native).is_some() {
            return Ok(native);
        }
        let nearest = KNOWN.into_iter().min_by_key(|known| strsim::damerau_levenshtein(known, &native.name)).unwrap_or("text");
        Err(Error::new(ErrorKind::Mapping, format!("`{text}` is no type that dbferry knows in SQLite"))
            .hint(format!("The nearest is `{nearest}`")))
    }

    fn to_native(&self, logical: &LogicalType, _server: &ServerInfo) -> Result<(NativeType, Fidelity)> {
        Err(Error::new(ErrorKind::Unsupported, format!("SQLite is no target yet, so {logical} has no type there")))
    }

    fn refuses_policy(&self, policy: PolicyKind, _native: &NativeType) -> Option<String> {
        let can = matches!(policy, PolicyKind::NulByte | PolicyKind::InvalidText);
        (!can).then(|| format!("SQLite's reader cannot apply `{}`", policy.word()))
    }

    fn takes_conditions(&self) -> bool {
        true
    }

    fn sample(&self, key: &[&Column], share: Sample) -> Option<String> {
        Some(super::subset::sample(key, share))
    }

    fn row_set(&self, sets: &[RowSet], wanted: usize, _server: &ServerInfo) -> Result<String> {
        super::subset::row_set(sets, wanted)
    }

    fn quote(&self, name: &str) -> Quoted {
        Quoted(quoted(name))
    }

    fn max_name_bytes(&self) -> Option<usize> {
        None
    }

    fn index_names_per_schema(&self) -> bool {
        true
    }

    fn default_schema(&self) -> &'static str {
        ""
    }

    fn ddl(&self, tables: &[Table], _options: &DdlOptions) -> (Vec<Ddl>, Vec<Problem>) {
        let refuse = |table: &Table| Problem::new(Severity::Refused, "table", &table.name, "SQLite is no target yet");
        (Vec::new(), tables.iter().map(refuse).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(declared: &str) -> Option<LogicalType> {
        logical(&parse_declared(declared))
    }

    #[test]
    fn declared_types_mean_what_the_table_says() {
        let text = Some(LogicalType::Text { length: None });
        let binary = Some(LogicalType::Binary { length: None });
        let timestamp = |zone| Some(LogicalType::Timestamp { fsp: 6, zone });
        for (declared, expected) in [
            ("INTEGER", Some(LogicalType::Int64)),
            ("unsigned big int", Some(LogicalType::Int64)),
            ("INT(11) UNSIGNED", Some(LogicalType::Int64)),
            ("tinyint(1)", Some(LogicalType::Int64)),
            ("CHARINT", Some(LogicalType::Int64)),
            ("Boolean", Some(LogicalType::Bool)),
            ("VARCHAR(20)", text.clone()),
            ("NATIVE CHARACTER(70)", text.clone()),
            ("BLOB", binary.clone()),
            ("VARBINARY(16)", binary),
            ("DOUBLE PRECISION", Some(LogicalType::Float64)),
            ("DECIMAL(10, 2)", Some(LogicalType::Decimal { precision: 10, scale: 2 })),
            ("numeric(5)", Some(LogicalType::Decimal { precision: 5, scale: 0 })),
            ("NUMERIC(76,76)", Some(LogicalType::Decimal { precision: 76, scale: 76 })),
            ("NUMERIC(77,0)", Some(LogicalType::Numeric)),
            ("NUMERIC(300,0)", Some(LogicalType::Numeric)),
            ("NUMERIC(2,3)", Some(LogicalType::Numeric)),
            ("NUMERIC", Some(LogicalType::Numeric)),
            ("DATE", Some(LogicalType::Date)),
            ("DATETIME(3)", timestamp(Zone::None)),
            ("TIMESTAMP(3) WITH TIME ZONE", timestamp(Zone::Utc)),
            ("TIME", Some(LogicalType::Time { fsp: 6 })),
            ("JSON", Some(LogicalType::Json)),
            ("UUID", Some(LogicalType::Uuid)),
            ("", None),
            ("ANY", None),
            ("STRING", None),
            ("MONEY", None),
            ("VARCHAR(", text),
        ] {
            assert_eq!(of(declared), expected, "{declared}");
        }
    }

    #[test]
    fn the_parts_of_a_type_are_read() {
        let native = parse_declared("VARCHAR(20)");
        assert_eq!((native.name.as_str(), native.length), ("varchar", Some(20)));
        let native = parse_declared("decimal(10,2)");
        assert_eq!((native.precision, native.scale), (Some(10), Some(2)));
        assert!(parse_declared("INT(11) UNSIGNED").unsigned);
        assert_eq!(SqliteDialect.parse_type("txt").unwrap_err().hint_text(), Some("The nearest is `text`"));
    }

    #[test]
    fn quotes_in_names_are_doubled() {
        assert_eq!(SqliteDialect.quote("a\"b").to_string(), "\"a\"\"b\"");
    }
}
