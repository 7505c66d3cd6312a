//! PostgreSQL's types and the logical types, in both directions; names in SQL.
//!
//! `NativeType::name` is the short name: `smallint`, `integer`, `bigint`, `real`, `double precision`, `numeric`, `boolean`, `date`,
//! `time`, `timestamp`, `timestamptz`, `interval`, `varchar`, `char`, `text`, `citext`, `bytea`, `bit`, `uuid`, `json`, `jsonb`, `enum`,
//! `geometry`, `vector`, `inet`, `cidr`, `macaddr`, `macaddr8`, and each of them with `[]` for an array. `full` is the spelling of
//! `format_type`, never with a schema; the schema of an extension's type is added when SQL is written ([`super::ddl`]).
//!
//! Three types say more than their name by their labels: `enum`, `text` (an ENUM that PostgreSQL cannot have as a type: CHECK) and
//! `text[]` (a SET).

use super::ddl;
use super::type_text::{self, MAX_BITS, MAX_CHARACTERS, MAX_DIMENSIONS};
use crate::config::objects::CollationChoice;
use crate::engine::{Clear, Ddl, DdlOptions, Dialect, Fidelity, Folding, Quoted, SequenceStep};
use crate::error::{Error, ErrorKind, Result};
use crate::model::catalog::{Column, NativeType, Problem, ServerInfo, Table};
use crate::model::logical::{LogicalType, Zone};
use crate::model::schema::TableSchema;
use crate::model::sequence::Sequence;

/// PostgreSQL's types and SQL.
pub struct PostgresDialect;

/// The most digits of a decimal that Arrow holds; more are carried as text.
const MAX_ARROW_DIGITS: u8 = 76;

impl Dialect for PostgresDialect {
    fn to_logical(&self, native: &NativeType) -> Option<LogicalType> {
        to_logical(native)
    }

    fn parse_type(&self, text: &str) -> Result<NativeType> {
        type_text::parse(text)
    }

    fn to_native(&self, logical: &LogicalType, server: &ServerInfo) -> Result<(NativeType, Fidelity)> {
        to_native(logical, server)
    }

    fn keeps_rejects(&self) -> bool {
        true
    }

    fn quote(&self, name: &str) -> Quoted {
        Quoted(ddl::quote_name(name))
    }

    fn sequence(&self, one: &Sequence, step: SequenceStep, owner: Option<&str>) -> Result<Vec<Ddl>, String> {
        ddl::sequence(one, step, owner)
    }

    /// The system columns of every table; in capitals they are other names.
    fn reserves_column_name(&self, name: &str) -> bool {
        matches!(name, "tableoid" | "xmin" | "cmin" | "xmax" | "cmax" | "ctid")
    }

    fn holds_nul_in_text(&self) -> bool {
        false
    }

    fn holds_nul_in_json(&self, native: &NativeType) -> bool {
        native.name != "jsonb"
    }

    /// A third of a page of 8 kB: "Limits for Index Row Size" in the manual's chapter on B-Tree indexes.
    fn max_index_entry_bytes(&self) -> Option<u64> {
        Some(2704)
    }

    /// 1 GB, "PostgreSQL Limits" in the manual's appendix K.
    fn max_field_bytes(&self) -> Option<u64> {
        Some((1 << 30) - 1)
    }

    fn max_name_bytes(&self) -> Option<usize> {
        Some(ddl::MAX_NAME_BYTES)
    }

    fn index_names_per_schema(&self) -> bool {
        true
    }

    fn default_schema(&self) -> &'static str {
        ddl::DEFAULT_SCHEMA
    }

    fn clear(&self, tables: &[&Table], how: Clear) -> Option<Vec<Ddl>> {
        Some(super::ddl::clear(tables, how))
    }

    fn recheck(&self, standing: &Table) -> Vec<Ddl> {
        super::ddl::recheck(standing)
    }

    fn can_partition(&self, server: &ServerInfo) -> Result<(), String> {
        ddl::can_partition(server)
    }

    fn appends(&self) -> bool {
        true
    }

    fn continue_numbers(&self, standing: &Table) -> Vec<Ddl> {
        super::ddl::continue_numbers(standing)
    }

    fn compares_bytes(&self, native: &NativeType) -> bool {
        matches!(native.name.as_str(), "varchar" | "text" | "char") && native.collation.is_none()
    }

    fn without_case(
        &self,
        native: &NativeType,
        choice: CollationChoice,
        folding: Folding,
        server: &ServerInfo,
    ) -> Result<Option<NativeType>> {
        if !matches!(native.name.as_str(), "varchar" | "text" | "char") || !native.labels.is_empty() {
            return Ok(None);
        }
        match choice {
            CollationChoice::AsIs => Ok(None),
            CollationChoice::Citext => {
                if !server.has("citext") && !server.has("can_install:citext") {
                    let why = "the target does not have the extension `citext`, and this role may not install it";
                    return Err(Error::new(ErrorKind::Mapping, why)
                        .hint("Let an administrator run `CREATE EXTENSION citext` in the target, or choose `nondeterministic`"));
                }
                // The length is kept as a CHECK.
                Ok(Some(NativeType { length: native.length, ..type_text::parse("citext")? }))
            }
            CollationChoice::Nondeterministic => {
                if !server.has("icu") {
                    let why = "the target was built without ICU, which compares text without regard to case";
                    return Err(Error::new(ErrorKind::Mapping, why).hint("Choose `collation = \"citext\"`"));
                }
                let locale = match folding {
                    Folding::Case => ddl::LOCALE_WITHOUT_CASE,
                    Folding::CaseAndAccents => ddl::LOCALE_WITHOUT_ACCENTS,
                };
                Ok(Some(NativeType { collation: Some(locale.into()), ..native.clone() }))
            }
        }
    }

    fn enum_as_text(&self, native: &NativeType) -> Option<NativeType> {
        let text = type_text::parse("text").ok().filter(|_| native.name == "enum")?;
        Some(NativeType { labels: native.labels.clone(), ..text })
    }

    fn wider(&self, one: &NativeType, other: &NativeType) -> Option<NativeType> {
        wider(one, other)
    }

    fn can_generate(&self, table: &Table, column: &Column, sql: &str, server: &ServerInfo) -> Result<(), String> {
        ddl::computed_sql(table, column, sql, &server.features).map(drop)
    }

    fn made(&self, tables: &[Table], options: &DdlOptions) -> Vec<TableSchema> {
        ddl::made(tables, options)
    }

    fn ddl(&self, tables: &[Table], options: &DdlOptions) -> (Vec<Ddl>, Vec<Problem>) {
        ddl::ddl(tables, options)
    }
}

/// The wider of two whole numbers, or of two texts: the families whose columns PostgreSQL's foreign keys can join, or nearly.
fn wider(one: &NativeType, other: &NativeType) -> Option<NativeType> {
    if one.full == other.full && one.collation == other.collation && one.labels == other.labels {
        return Some(one.clone());
    }
    if !one.labels.is_empty() || !other.labels.is_empty() || one.collation != other.collation {
        return None;
    }
    let whole = |native: &NativeType| match native.name.as_str() {
        "smallint" => Some(1),
        "integer" => Some(2),
        "bigint" => Some(3),
        "numeric" if native.scale == Some(0) => Some(3 + native.precision.unwrap_or(0)),
        _ => None,
    };
    if let (Some(first), Some(second)) = (whole(one), whole(other)) {
        return Some(if first >= second { one } else { other }.clone())
            .filter(|wide| wide.name != "numeric" || first.max(second) > 22);
    }
    let text = |native: &NativeType| matches!(native.name.as_str(), "varchar" | "char" | "text");
    if !text(one) || !text(other) {
        return None;
    }
    match (one.length, other.length) {
        (Some(first), Some(second)) => type_text::parse(&format!("varchar({})", first.max(second))).ok(),
        _ => type_text::parse("text").ok(),
    }
}

fn to_logical(native: &NativeType) -> Option<LogicalType> {
    use LogicalType as L;
    if let Some(name) = native.name.strip_suffix("[]") {
        if name == "text" && !native.labels.is_empty() {
            return Some(L::Set { labels: native.labels.clone() });
        }
        let full = native.full.strip_suffix("[]").unwrap_or(&native.full).to_string();
        let item = NativeType { name: name.to_string(), full, ..native.clone() };
        return Some(L::Array { item: Box::new(to_logical(&item)?) });
    }
    let length = native.length.and_then(|length| u32::try_from(length).ok());
    let fsp = native.fsp.unwrap_or(6);
    Some(match native.name.as_str() {
        "smallint" => L::Int16,
        "integer" => L::Int32,
        "bigint" => L::Int64,
        "real" => L::Float32,
        "double precision" => L::Float64,
        "numeric" => match (native.precision, native.scale) {
            (Some(precision @ 1..=MAX_ARROW_DIGITS), Some(scale)) if scale <= precision => L::Decimal { precision, scale },
            _ => L::Numeric,
        },
        "boolean" => L::Bool,
        "date" => L::Date,
        "time" => L::Time { fsp },
        "timestamp" => L::Timestamp { fsp, zone: Zone::None },
        "timestamptz" => L::Timestamp { fsp, zone: Zone::Utc },
        "interval" => L::Interval,
        "text" if !native.labels.is_empty() => L::Enum { labels: native.labels.clone() },
        "varchar" | "char" => L::Text { length },
        "text" | "citext" | "inet" | "cidr" | "macaddr" | "macaddr8" => L::Text { length: None },
        "bytea" => L::Binary { length: None },
        "bit" => L::Bits { length: length.unwrap_or(1) },
        "uuid" => L::Uuid,
        "json" | "jsonb" => L::Json,
        "geometry" => L::Geometry { srid: native.srid, shape: shape(&native.full) },
        "vector" => L::Vector { dimensions: length? },
        "enum" if !native.labels.is_empty() => L::Enum { labels: native.labels.clone() },
        _ => return None,
    })
}

/// The shape that `geometry(Point,4326)` demands, in capitals.
fn shape(full: &str) -> Option<String> {
    let (_, inside) = full.split_once('(')?;
    let shape = inside.split([',', ')']).next()?.to_uppercase();
    Some(shape).filter(|shape| shape != "GEOMETRY")
}

fn to_native(logical: &LogicalType, server: &ServerInfo) -> Result<(NativeType, Fidelity)> {
    use Fidelity::{Exact, Widened};
    use LogicalType as L;
    let (text, fidelity) = match logical {
        L::Bool => ("boolean".to_string(), Exact),
        L::Int8 | L::UInt8 => ("smallint".into(), Widened),
        L::Int16 => ("smallint".into(), Exact),
        L::UInt16 => ("integer".into(), Widened),
        L::Int32 => ("integer".into(), Exact),
        L::UInt32 => ("bigint".into(), Widened),
        L::Int64 => ("bigint".into(), Exact),
        L::UInt64 => ("numeric(20,0)".into(), Widened),
        L::Float32 => ("real".into(), Exact),
        L::Float64 => ("double precision".into(), Exact),
        L::Decimal { precision, scale } => (format!("numeric({precision},{scale})"), Exact),
        L::Numeric => ("numeric".into(), Exact),
        L::Date => ("date".into(), Exact),
        L::Time { fsp } => (format!("time({fsp})"), Exact),
        L::Timestamp { fsp, zone: Zone::None } => (format!("timestamp({fsp})"), Exact),
        L::Timestamp { fsp, zone: Zone::Utc } => (format!("timestamptz({fsp})"), Exact),
        L::Duration { fsp } => (format!("interval({fsp})"), Widened),
        L::Interval => ("interval".into(), Exact),
        // MySQL has VARCHAR(0), PostgreSQL has not.
        L::Text { length: Some(0) } => ("varchar(1)".into(), Widened),
        L::Text { length: Some(length) } if *length <= MAX_CHARACTERS => (format!("varchar({length})"), Exact),
        L::Text { length: Some(_) } => ("text".into(), Widened),
        L::Text { length: None } => ("text".into(), Exact),
        L::Binary { length: None } => ("bytea".into(), Exact),
        L::Binary { length: Some(_) } => ("bytea".into(), Widened),
        L::Bits { length: length @ 1..=MAX_BITS } => (format!("bit({length})"), Exact),
        L::Uuid => ("uuid".into(), Exact),
        L::Json => ("jsonb".into(), Exact),
        L::Geometry { srid, shape } => return geometry(*srid, shape.as_deref(), server),
        L::Enum { labels } => {
            let name = if ddl::labels_fit(labels).is_ok() { "enum" } else { "text" };
            return Ok((NativeType { labels: labels.clone(), ..type_text::parse(name)? }, Exact));
        }
        L::Set { labels } => return Ok((NativeType { labels: labels.clone(), ..type_text::parse("text[]")? }, Exact)),
        L::Array { item } if matches!(**item, L::Enum { .. }) => ("text[]".into(), Widened),
        L::Array { item } if !matches!(**item, L::Array { .. } | L::Set { .. }) => {
            let (item, fidelity) = to_native(item, server)?;
            (format!("{}[]", item.full), fidelity)
        }
        L::Vector { dimensions: dimensions @ 1..=MAX_DIMENSIONS } => {
            if !server.has("vector") {
                return Err(refused(logical, "PostgreSQL has it only with the extension `vector`").hint(
                    "Set `to = \"real[]\"` for the column in the mapping, or install pgvector in the target with `CREATE EXTENSION vector`",
                ));
            }
            (format!("vector({dimensions})"), Exact)
        }
        L::Vector { .. } => {
            return Err(refused(logical, "a vector of pgvector has 1 to 16000 dimensions")
                .hint("Set `to = \"real[]\"` for the column in the mapping"));
        }
        L::Array { .. } => {
            return Err(
                refused(logical, "PostgreSQL has no arrays of arrays").hint("Set `to = \"jsonb\"` for the column in the mapping")
            );
        }
        L::Bits { .. } => {
            return Err(refused(logical, "PostgreSQL's `bit` holds 1 to 83886080 bits")
                .hint("Set `to = \"bytea\"` for the column in the mapping"));
        }
    };
    Ok((type_text::parse(&text)?, fidelity))
}

fn refused(logical: &LogicalType, why: &str) -> Error {
    Error::new(ErrorKind::Mapping, format!("the type {logical} has no place in the target: {why}"))
}

fn geometry(srid: Option<u32>, shape: Option<&str>, server: &ServerInfo) -> Result<(NativeType, Fidelity)> {
    if !server.has("postgis") {
        let logical = LogicalType::Geometry { srid, shape: shape.map(str::to_string) };
        return Err(refused(&logical, "PostgreSQL has it only with the extension `postgis`").hint(
            "Set `to = \"bytea\"` for the column in the mapping (it then carries EWKB bytes), \
             or install PostGIS in the target with `CREATE EXTENSION postgis`",
        ));
    }
    let text = format!("geometry({},{})", shape.unwrap_or("Geometry"), srid.unwrap_or(0));
    // A column of SRID 0 cannot be told from one that takes any.
    let fidelity = if srid == Some(0) { Fidelity::Widened } else { Fidelity::Exact };
    Ok((type_text::parse(&text)?, fidelity))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(features: &[&str]) -> ServerInfo {
        ServerInfo { features: features.iter().map(ToString::to_string).collect(), ..ServerInfo::default() }
    }

    fn native(logical: &LogicalType) -> (String, Fidelity) {
        let (native, fidelity) = PostgresDialect.to_native(logical, &server(&["postgis", "vector"])).unwrap();
        if fidelity == Fidelity::Exact {
            assert_eq!(PostgresDialect.to_logical(&native).as_ref(), Some(logical), "exact types come back");
        }
        (native.full, fidelity)
    }

    #[test]
    fn every_logical_type_has_its_default_place() {
        use Fidelity::{Exact, Widened};
        use LogicalType as L;
        let long = "x".repeat(64);
        for (logical, full, fidelity) in [
            (L::Bool, "boolean", Exact),
            (L::Int8, "smallint", Widened),
            (L::UInt8, "smallint", Widened),
            (L::UInt16, "integer", Widened),
            (L::UInt32, "bigint", Widened),
            (L::UInt64, "numeric(20,0)", Widened),
            (L::Decimal { precision: 65, scale: 30 }, "numeric(65,30)", Exact),
            (L::Numeric, "numeric", Exact),
            (L::Time { fsp: 0 }, "time(0) without time zone", Exact),
            (L::Timestamp { fsp: 6, zone: Zone::None }, "timestamp(6) without time zone", Exact),
            (L::Timestamp { fsp: 3, zone: Zone::Utc }, "timestamp(3) with time zone", Exact),
            (L::Duration { fsp: 6 }, "interval(6)", Widened),
            (L::Text { length: Some(20) }, "character varying(20)", Exact),
            (L::Text { length: Some(0) }, "character varying(1)", Widened),
            (L::Text { length: Some(u32::MAX) }, "text", Widened),
            (L::Binary { length: Some(16) }, "bytea", Widened),
            (L::Bits { length: 5 }, "bit(5)", Exact),
            (L::Json, "jsonb", Exact),
            (L::Geometry { srid: Some(4326), shape: Some("POINT".into()) }, "geometry(Point,4326)", Exact),
            (L::Geometry { srid: Some(4326), shape: None }, "geometry(Geometry,4326)", Exact),
            (L::Geometry { srid: None, shape: None }, "geometry", Exact),
            (L::Geometry { srid: Some(0), shape: Some("GEOMETRYCOLLECTION".into()) }, "geometry(GeometryCollection)", Widened),
            (L::Enum { labels: vec!["a".into(), "b".into()] }, "enum", Exact),
            (L::Enum { labels: vec![long] }, "text", Exact),
            (L::Set { labels: vec!["a".into()] }, "text[]", Exact),
            (L::Array { item: Box::new(L::Decimal { precision: 9, scale: 2 }) }, "numeric(9,2)[]", Exact),
            (L::Vector { dimensions: 3 }, "vector(3)", Exact),
        ] {
            assert_eq!(native(&logical), (full.to_string(), fidelity), "{logical}");
        }
    }

    #[test]
    fn a_geometry_without_postgis_is_refused_with_the_line_that_settles_it() {
        let logical = LogicalType::Geometry { srid: Some(0), shape: Some("POINT".into()) };
        let error = PostgresDialect.to_native(&logical, &server(&[])).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Mapping);
        assert!(error.what().contains("geometry"));
        let hint = error.hint_text().unwrap();
        assert!(hint.contains("`to = \"bytea\"`") && hint.contains("CREATE EXTENSION postgis"), "{hint}");
    }

    #[test]
    fn a_type_that_cannot_be_carried_has_no_logical_type() {
        let native = NativeType::named("money");
        assert_eq!(PostgresDialect.to_logical(&native), None);
        assert_eq!(PostgresDialect.to_logical(&PostgresDialect.parse_type("enum").unwrap()), None);
    }

    #[test]
    fn interval_and_unbounded_numeric_keep_their_own_meaning() {
        let logical = |text: &str| PostgresDialect.to_logical(&PostgresDialect.parse_type(text).unwrap());
        assert_eq!(logical("interval"), Some(LogicalType::Interval));
        assert_eq!(logical("numeric(77,1)"), Some(LogicalType::Numeric));
        assert_eq!(logical("numeric(76,76)"), Some(LogicalType::Decimal { precision: 76, scale: 76 }));
        assert_eq!(logical("inet"), Some(LogicalType::Text { length: None }));
    }
}
