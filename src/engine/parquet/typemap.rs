//! Logical types and their names in Parquet files.
//!
//! | Logical | Name | In the file |
//! |---|---|---|
//! | Bool, Int8..64, UInt8..64, Float32/64 | `bool`, `int8` … `uint64`, `float32`, `float64` | BOOLEAN, INT32/INT64 with their annotation, FLOAT, DOUBLE |
//! | Decimal(p, s) | `decimal(p,s)` | DECIMAL in INT32, INT64 or FIXED_LEN_BYTE_ARRAY |
//! | Numeric | `numeric` | STRING of digits |
//! | Date, Time, Timestamp | `date`, `time(f)`, `timestamp(f)`, `timestamp(f,utc)` | DATE, TIME and TIMESTAMP in microseconds |
//! | Duration | `duration(f)` | INT64 of microseconds |
//! | Interval | `interval` | a group of months, days, nanoseconds; see [`super::stored`] |
//! | Text(n), Binary(n) | `utf8`, `utf8(n)`, `binary`, `binary(n)` | STRING, BYTE_ARRAY |
//! | Bits(n), Uuid, Json | `bits(n)`, `uuid`, `json` | BYTE_ARRAY, FIXED_LEN_BYTE_ARRAY(16), STRING |
//! | Geometry | `geometry`, `geometry(POINT,4326)` | BYTE_ARRAY of EWKB |
//! | Enum, Set | `enum('a','b')`, `set('a','b')` | STRING, LIST of STRING |
//! | Array(t), Vector(n) | `list<t>`, `vector(n)` | LIST |
//!
//! The name in full says everything, so name and logical type are one to one, and every field carries its logical type in the metadata too.

use std::fmt::Write as _;

use super::ddl;
use crate::engine::{Ddl, DdlOptions, Dialect, Fidelity, Quoted};
use crate::error::{Error, ErrorKind, Result};
use crate::model::LogicalType;
use crate::model::catalog::{NativeType, Problem, ServerInfo, Table};
use crate::model::logical::Zone;
use crate::model::schema::TableSchema;

/// Types and names of Parquet folders.
pub struct ParquetDialect;

/// Names without arguments that a person may write, and what they mean; the first of each type is how it is spelt back.
static PLAIN: [(&str, LogicalType); 38] = {
    use LogicalType as L;
    [
        ("bool", L::Bool),
        ("boolean", L::Bool),
        ("int8", L::Int8),
        ("tinyint", L::Int8),
        ("int16", L::Int16),
        ("smallint", L::Int16),
        ("int32", L::Int32),
        ("int", L::Int32),
        ("integer", L::Int32),
        ("int64", L::Int64),
        ("bigint", L::Int64),
        ("uint8", L::UInt8),
        ("uint16", L::UInt16),
        ("uint32", L::UInt32),
        ("uint64", L::UInt64),
        ("float32", L::Float32),
        ("float", L::Float32),
        ("real", L::Float32),
        ("float64", L::Float64),
        ("double", L::Float64),
        ("numeric", L::Numeric),
        ("date", L::Date),
        ("time", L::Time { fsp: 6 }),
        ("timestamp", L::Timestamp { fsp: 6, zone: Zone::None }),
        ("datetime", L::Timestamp { fsp: 6, zone: Zone::None }),
        ("timestamptz", L::Timestamp { fsp: 6, zone: Zone::Utc }),
        ("duration", L::Duration { fsp: 6 }),
        ("interval", L::Interval),
        ("utf8", L::Text { length: None }),
        ("text", L::Text { length: None }),
        ("string", L::Text { length: None }),
        ("varchar", L::Text { length: None }),
        ("binary", L::Binary { length: None }),
        ("bytes", L::Binary { length: None }),
        ("uuid", L::Uuid),
        ("json", L::Json),
        ("geometry", L::Geometry { srid: None, shape: None }),
        ("bit", L::Bits { length: 1 }),
    ]
};

/// Names that take arguments.
const WITH_ARGUMENTS: [&str; 16] = [
    "decimal",
    "numeric",
    "time",
    "timestamp",
    "duration",
    "utf8",
    "text",
    "varchar",
    "binary",
    "bits",
    "geometry",
    "enum",
    "set",
    "vector",
    "list",
    "array",
];

/// The name of a type, in full.
pub fn type_name(logical: &LogicalType) -> String {
    use LogicalType as L;
    match logical {
        L::Decimal { precision, scale } => format!("decimal({precision},{scale})"),
        L::Time { fsp } => format!("time({fsp})"),
        L::Timestamp { fsp, zone: Zone::None } => format!("timestamp({fsp})"),
        L::Timestamp { fsp, zone: Zone::Utc } => format!("timestamp({fsp},utc)"),
        L::Duration { fsp } => format!("duration({fsp})"),
        L::Text { length: Some(length) } => format!("utf8({length})"),
        L::Binary { length: Some(length) } => format!("binary({length})"),
        L::Bits { length } => format!("bits({length})"),
        L::Geometry { srid: None, shape: None } => "geometry".into(),
        L::Geometry { srid, shape } => {
            let arguments: Vec<String> = shape.iter().cloned().chain(srid.map(|srid| srid.to_string())).collect();
            format!("geometry({})", arguments.join(","))
        }
        L::Enum { labels } => format!("enum({})", label_list(labels)),
        L::Set { labels } => format!("set({})", label_list(labels)),
        L::Array { item } => format!("list<{}>", type_name(item)),
        L::Vector { dimensions } => format!("vector({dimensions})"),
        plain => PLAIN.iter().find(|(_, logical)| logical == plain).map_or_else(String::new, |(name, _)| (*name).to_string()),
    }
}

fn label_list(labels: &[String]) -> String {
    let mut text = String::new();
    for label in labels {
        let comma = if text.is_empty() { "" } else { "," };
        let _ = write!(text, "{comma}'{}'", label.replace('\'', "''"));
    }
    text
}

/// The type with its parts, for rules to match on.
fn native(logical: &LogicalType) -> NativeType {
    use LogicalType as L;
    let full = type_name(logical);
    let name = full.split(['(', '<']).next().unwrap_or_default().to_string();
    let mut native = NativeType { name, full, ..NativeType::default() };
    match logical {
        L::Decimal { precision, scale } => {
            native.precision = Some(*precision);
            native.scale = Some(*scale);
        }
        L::Time { fsp } | L::Timestamp { fsp, .. } | L::Duration { fsp } => native.fsp = Some(*fsp),
        L::Text { length } | L::Binary { length } => native.length = length.map(u64::from),
        L::Bits { length } | L::Vector { dimensions: length } => native.length = Some(u64::from(*length)),
        L::UInt8 | L::UInt16 | L::UInt32 | L::UInt64 => native.unsigned = true,
        L::Enum { labels } | L::Set { labels } => native.labels.clone_from(labels),
        L::Geometry { srid, .. } => native.srid = *srid,
        _ => {}
    }
    native
}

/// What Parquet, or Arrow in between, has no place for.
fn refusal(logical: &LogicalType) -> Option<String> {
    use LogicalType as L;
    match logical {
        L::Decimal { precision, scale } if !(1..=76).contains(precision) || scale > precision => {
            Some(format!("a decimal has 1 to 76 digits, as many of them behind the point, not {precision} and {scale}"))
        }
        L::Time { fsp } | L::Timestamp { fsp, .. } | L::Duration { fsp } if *fsp > 6 => {
            Some(format!("a second's fraction has at most 6 digits, not {fsp}"))
        }
        L::Vector { dimensions } if *dimensions == 0 || i32::try_from(*dimensions).is_err() => {
            Some(format!("a vector of {dimensions} dimensions has no place in a Parquet list"))
        }
        L::Array { item } => refusal(item),
        _ => None,
    }
}

/// Reads the name of a type.
fn parse(text: &str) -> Option<LogicalType> {
    use LogicalType as L;
    let text = text.trim();
    let lower = text.to_ascii_lowercase();
    if let Some((_, logical)) = PLAIN.iter().find(|(name, _)| *name == lower) {
        return Some(logical.clone());
    }
    if let Some(item) = text.strip_suffix('>').and_then(|text| text.split_once('<')) {
        let list = matches!(item.0.trim().to_ascii_lowercase().as_str(), "list" | "array");
        return list.then(|| parse(item.1)).flatten().map(|item| L::Array { item: Box::new(item) });
    }
    let (name, inside) = text.strip_suffix(')')?.split_once('(')?;
    let name = name.trim().to_ascii_lowercase();
    if matches!(name.as_str(), "enum" | "set") {
        let labels = parse_labels(inside)?;
        return Some(if name == "enum" { L::Enum { labels } } else { L::Set { labels } });
    }
    let arguments: Vec<&str> = inside.split(',').map(str::trim).collect();
    let logical = match (name.as_str(), arguments.as_slice()) {
        ("decimal" | "numeric", [precision]) => L::Decimal { precision: precision.parse().ok()?, scale: 0 },
        ("decimal" | "numeric", [precision, scale]) => {
            L::Decimal { precision: precision.parse().ok()?, scale: scale.parse().ok()? }
        }
        ("time", [fsp]) => L::Time { fsp: fsp.parse().ok()? },
        ("timestamp" | "datetime", [fsp]) => L::Timestamp { fsp: fsp.parse().ok()?, zone: Zone::None },
        ("timestamp", [fsp, zone]) if zone.eq_ignore_ascii_case("utc") => {
            L::Timestamp { fsp: fsp.parse().ok()?, zone: Zone::Utc }
        }
        ("timestamptz", [fsp]) => L::Timestamp { fsp: fsp.parse().ok()?, zone: Zone::Utc },
        ("duration", [fsp]) => L::Duration { fsp: fsp.parse().ok()? },
        ("utf8" | "text" | "string" | "varchar", [length]) => L::Text { length: Some(length.parse().ok()?) },
        ("binary" | "bytes", [length]) => L::Binary { length: Some(length.parse().ok()?) },
        ("bits" | "bit", [length]) => L::Bits { length: length.parse().ok()? },
        ("vector", [dimensions]) => L::Vector { dimensions: dimensions.parse().ok()? },
        ("geometry", [one]) => match one.parse() {
            Ok(srid) => L::Geometry { srid: Some(srid), shape: None },
            Err(_) => L::Geometry { srid: None, shape: Some(one.to_ascii_uppercase()) },
        },
        ("geometry", [shape, srid]) => L::Geometry { srid: Some(srid.parse().ok()?), shape: Some(shape.to_ascii_uppercase()) },
        _ => return None,
    };
    Some(logical)
}

/// `'a','it''s'`
fn parse_labels(text: &str) -> Option<Vec<String>> {
    let mut labels = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        rest = rest.strip_prefix('\'')?;
        let mut label = String::new();
        loop {
            let (before, after) = rest.split_once('\'')?;
            label.push_str(before);
            rest = after;
            match rest.strip_prefix('\'') {
                Some(after) => {
                    label.push('\'');
                    rest = after;
                }
                None => break,
            }
        }
        labels.push(label);
        rest = rest.trim_start();
        if let Some(after) = rest.strip_prefix(',') {
            rest = after.trim_start();
            if rest.is_empty() {
                return None;
            }
        } else if !rest.is_empty() {
            return None;
        }
    }
    Some(labels)
}

impl Dialect for ParquetDialect {
    fn to_logical(&self, native: &NativeType) -> Option<LogicalType> {
        parse(&native.full).filter(|logical| refusal(logical).is_none())
    }

    fn parse_type(&self, text: &str) -> Result<NativeType> {
        let Some(logical) = parse(text) else {
            let error = Error::new(ErrorKind::Mapping, format!("`{text}` is no type of a Parquet file"));
            let name = text.split(['(', '<']).next().unwrap_or_default().trim().to_ascii_lowercase();
            let known = PLAIN.iter().map(|(name, _)| *name).chain(WITH_ARGUMENTS);
            let near = known.max_by(|a, b| strsim::jaro_winkler(a, &name).total_cmp(&strsim::jaro_winkler(b, &name)));
            return Err(match near {
                Some(near) if near == name => error
                    .hint(format!("Write `{near}` with other arguments, such as `decimal(20,4)`, `timestamp(6)`, `list<utf8>`")),
                Some(near) => error.hint(format!("The nearest known type is `{near}`")),
                None => error,
            });
        };
        match refusal(&logical) {
            Some(why) => Err(Error::new(ErrorKind::Mapping, format!("`{text}` is no type of a Parquet file: {why}"))),
            None => Ok(native(&logical)),
        }
    }

    fn to_native(&self, logical: &LogicalType, _server: &ServerInfo) -> Result<(NativeType, Fidelity)> {
        match refusal(logical) {
            Some(why) => {
                Err(Error::new(ErrorKind::Mapping, why).hint("Map the column to another type, for example `to = \"utf8\"`"))
            }
            None => Ok((native(logical), Fidelity::Exact)),
        }
    }

    fn quote(&self, name: &str) -> Quoted {
        Quoted(format!("\"{}\"", name.replace('"', "\"\"")))
    }

    fn max_name_bytes(&self) -> Option<usize> {
        None
    }

    fn index_names_per_schema(&self) -> bool {
        false
    }

    fn default_schema(&self) -> &'static str {
        ""
    }

    fn made(&self, tables: &[Table], _options: &DdlOptions) -> Vec<TableSchema> {
        ddl::made(tables)
    }

    fn ddl(&self, tables: &[Table], _options: &DdlOptions) -> (Vec<Ddl>, Vec<Problem>) {
        (Vec::new(), ddl::not_kept(tables))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_and_logical_type_are_one_to_one() {
        use LogicalType as L;
        let labels = vec!["a,b".to_string(), "it's".into(), String::new(), ")".into(), ">".into()];
        let mut all: Vec<LogicalType> = PLAIN.iter().map(|(_, logical)| logical.clone()).collect();
        all.extend([
            L::Decimal { precision: 65, scale: 30 },
            L::Time { fsp: 3 },
            L::Timestamp { fsp: 0, zone: Zone::None },
            L::Timestamp { fsp: 2, zone: Zone::Utc },
            L::Duration { fsp: 1 },
            L::Text { length: Some(20) },
            L::Binary { length: Some(16) },
            L::Bits { length: 9 },
            L::Geometry { srid: Some(4326), shape: None },
            L::Geometry { srid: None, shape: Some("POINT".into()) },
            L::Geometry { srid: Some(4326), shape: Some("POINT".into()) },
            L::Enum { labels: labels.clone() },
            L::Set { labels: labels.clone() },
            L::Enum { labels: Vec::new() },
            L::Vector { dimensions: 3 },
            L::Array { item: Box::new(L::Array { item: Box::new(L::Enum { labels }) }) },
        ]);
        for logical in all {
            let (native, fidelity) = ParquetDialect.to_native(&logical, &ServerInfo::default()).unwrap();
            assert_eq!(fidelity, Fidelity::Exact);
            assert_eq!(ParquetDialect.to_logical(&native), Some(logical), "{}", native.full);
            assert_eq!(ParquetDialect.parse_type(&native.full).unwrap(), native);
        }
    }

    #[test]
    fn what_has_no_place_is_refused() {
        for logical in [
            LogicalType::Decimal { precision: 77, scale: 0 },
            LogicalType::Decimal { precision: 5, scale: 6 },
            LogicalType::Vector { dimensions: 0 },
            LogicalType::Array { item: Box::new(LogicalType::Time { fsp: 7 }) },
        ] {
            assert_eq!(ParquetDialect.to_native(&logical, &ServerInfo::default()).unwrap_err().kind(), ErrorKind::Mapping);
        }
        let error = ParquetDialect.parse_type("unit32").unwrap_err();
        assert_eq!(error.hint_text(), Some("The nearest known type is `uint32`"));
        for text in ["decimal(x)", "enum('a'", "enum('a',)", "list<nothing>", "decimal(90,2)", ""] {
            assert!(ParquetDialect.parse_type(text).is_err(), "{text}");
        }
    }
}
