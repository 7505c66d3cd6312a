//! The types of MySQL and MariaDB, and what they are to dbferry.
//!
//! | Native | Logical | The trap |
//! |---|---|---|
//! | TINYINT, SMALLINT, INT, BIGINT | Int8, Int16, Int32, Int64 | `tinyint(1)`, which is BOOL, holds -128 to 127: Int8, never Bool by itself |
//! | MEDIUMINT | Int32 | 24 bits |
//! | … UNSIGNED, ZEROFILL | UInt8, UInt16, UInt32 (also MEDIUMINT), UInt64 | the width in `int(11)` is for display, and gone in MySQL 8 but for `tinyint(1)` and ZEROFILL |
//! | DECIMAL(p,s) | Decimal(p,s) | to 65 digits, 30 (MariaDB: 38) behind the point |
//! | FLOAT, DOUBLE | Float32, Float64 | the text protocol prints 6 digits of a FLOAT; `FLOAT(M,D)` only rounds on the way in |
//! | BIT(n) | Bits(n) | 1 to 64 bits, sent as ceil(n/8) bytes with the value in the *low* bits |
//! | CHAR(n), VARCHAR(n) | Text(n) | n counts characters, and may be 0; trailing spaces of a CHAR are gone |
//! | TINYTEXT, TEXT, MEDIUMTEXT, LONGTEXT | Text | |
//! | the same with character set `binary` | Binary | both servers turn these into BINARY, VARBINARY and BLOB when the table is made, so no live column has such a type |
//! | BINARY(n), VARBINARY(n) | Binary(n) | BINARY pads with 0x00, and the padding is part of the value |
//! | TINYBLOB, BLOB, MEDIUMBLOB, LONGBLOB | Binary | |
//! | ENUM | Enum | a bad value is stored as `''` with index 0, which is no label |
//! | SET | Set | at most 64 labels, none with a comma; `''` is the empty set |
//! | JSON | Json | in MariaDB an alias: LONGTEXT with the column check `json_valid(…)`; [`super::catalog`] finds it and calls it `json` |
//! | DATE | Date | may hold 0000-00-00, 2024-00-15, and 2024-02-31 under ALLOW_INVALID_DATES |
//! | DATETIME(fsp) | Timestamp(fsp), no zone | as DATE |
//! | TIMESTAMP(fsp) | Timestamp(fsp), UTC | is read in the session's time zone, so the session must be in UTC; may hold the zero date |
//! | TIME(fsp) | Duration(fsp) | ±838:59:59.999999: a length of time more than a time of day |
//! | YEAR | Int16 | 0000 is a value of its own |
//! | GEOMETRY, POINT, … | Geometry | a column demands an SRID only in MySQL 8+; MariaDB's REF_SYSTEM_ID is never enforced, so it is not read |
//! | VECTOR(n) | Vector(n) | MySQL 9, MariaDB 11.7 |
//! | UUID | Uuid | MariaDB 10.7 |
//! | INET4, INET6 | Text | MariaDB; their text is exact, which of the spellings of an address another engine prints is not |
//!
//! Anything else has no logical type, and the catalog lists the column as a problem.

use super::super::{Batch, Ddl, DdlOptions, Dialect, Fidelity, Folding, Quoted};
use crate::config::subset::Sample;
use crate::error::{Error, ErrorKind, Result};
use crate::model::catalog::{Column, NativeType, Problem, ServerInfo, Severity, Table};
use crate::model::expression::Understood;
use crate::model::logical::{LogicalType, Zone};
use crate::model::policy::PolicyKind;
use crate::model::predicate::PushedPredicate;
use crate::model::reject::RawRow;
use crate::model::row_set::RowSet;
use crate::model::unit::ReadPlan;

pub mod parse;

/// Types and SQL of MySQL and MariaDB.
pub struct MySqlDialect;

/// Names that [`Dialect::parse_type`] knows, for its advice.
const NAMES: &[&str] = &[
    "tinyint",
    "smallint",
    "mediumint",
    "int",
    "bigint",
    "decimal",
    "float",
    "double",
    "bit",
    "char",
    "varchar",
    "tinytext",
    "text",
    "mediumtext",
    "longtext",
    "binary",
    "varbinary",
    "tinyblob",
    "blob",
    "mediumblob",
    "longblob",
    "enum",
    "set",
    "json",
    "date",
    "datetime",
    "timestamp",
    "time",
    "year",
    "geometry",
    "point",
    "linestring",
    "polygon",
    "multipoint",
    "multilinestring",
    "multipolygon",
    "geometrycollection",
    "vector",
    "uuid",
    "inet4",
    "inet6",
];

impl Dialect for MySqlDialect {
    /// Both count their series by two numbers: 8.0 and 8.4, 10.6 and 10.11.
    fn series(&self, server: &ServerInfo) -> (u32, u32) {
        (server.version_number.0, server.version_number.1)
    }

    fn to_logical(&self, native: &NativeType) -> Option<LogicalType> {
        use LogicalType as L;
        let unsigned = native.unsigned;
        let length = native.length.and_then(|length| u32::try_from(length).ok());
        let fsp = native.fsp.unwrap_or(0);
        let bytes = native.charset.as_deref() == Some("binary");
        Some(match native.name.as_str() {
            "tinyint" if unsigned => L::UInt8,
            "tinyint" => L::Int8,
            "smallint" if unsigned => L::UInt16,
            "smallint" => L::Int16,
            "mediumint" | "int" if unsigned => L::UInt32,
            "mediumint" | "int" => L::Int32,
            "bigint" if unsigned => L::UInt64,
            "bigint" => L::Int64,
            "decimal" => {
                let (precision, scale) = (native.precision.unwrap_or(10), native.scale.unwrap_or(0));
                if precision == 0 || precision > 76 || scale > precision {
                    return None;
                }
                L::Decimal { precision, scale }
            }
            "float" => L::Float32,
            "double" => L::Float64,
            "bit" => L::Bits { length: length? },
            "char" | "varchar" if bytes => L::Binary { length },
            "char" | "varchar" => L::Text { length },
            "tinytext" | "text" | "mediumtext" | "longtext" if bytes => L::Binary { length: None },
            "tinytext" | "text" | "mediumtext" | "longtext" => L::Text { length: None },
            "binary" | "varbinary" => L::Binary { length },
            "tinyblob" | "blob" | "mediumblob" | "longblob" => L::Binary { length: None },
            "enum" => L::Enum { labels: native.labels.clone() },
            "set" => L::Set { labels: native.labels.clone() },
            "json" => L::Json,
            "date" => L::Date,
            "datetime" => L::Timestamp { fsp, zone: Zone::None },
            "timestamp" => L::Timestamp { fsp, zone: Zone::Utc },
            "time" => L::Duration { fsp },
            "year" => L::Int16,
            "geometry" => L::Geometry { srid: native.srid, shape: None },
            "point" | "linestring" | "polygon" | "multipoint" | "multilinestring" | "multipolygon" | "geometrycollection" => {
                L::Geometry { srid: native.srid, shape: Some(native.name.to_ascii_uppercase()) }
            }
            // MySQL allows VECTOR without a length, which means 2048.
            "vector" => L::Vector { dimensions: if native.length.is_none() { 2048 } else { length? } },
            "uuid" => L::Uuid,
            "inet4" | "inet6" => L::Text { length: None },
            _ => return None,
        })
    }

    fn parse_type(&self, text: &str) -> Result<NativeType> {
        let bad = |what: String| Error::new(ErrorKind::Mapping, what);
        let native = parse::native_type(text).ok_or_else(|| {
            bad(format!("`{text}` cannot be read as a type")).hint("Write a type as MySQL prints it, such as `decimal(20,4)`")
        })?;
        if NAMES.contains(&native.name.as_str()) && self.to_logical(&native).is_some() {
            return Ok(native);
        }
        let nearest =
            NAMES.iter().max_by(|a, b| strsim::jaro_winkler(&native.name, a).total_cmp(&strsim::jaro_winkler(&native.name, b)));
        let hint = nearest.map(|name| format!("The nearest known type is `{name}`")).unwrap_or_default();
        Err(bad(format!("`{text}` is no type of MySQL or MariaDB")).hint(hint))
    }

    fn to_native(&self, logical: &LogicalType, _server: &ServerInfo) -> Result<(NativeType, Fidelity)> {
        Err(Error::new(ErrorKind::Unsupported, format!("MySQL cannot be a target yet, so `{logical}` has no type there")))
    }

    fn condition(&self, _table: &Table, predicate: &PushedPredicate) -> Option<String> {
        super::filter::sql(predicate)
    }

    fn compares_bytes(&self, native: &NativeType) -> bool {
        super::filter::compares_bytes(native)
    }

    fn refuses_policy(&self, policy: PolicyKind, native: &NativeType) -> Option<String> {
        super::decode::refuses_policy(policy, native)
    }

    fn keeps_raw(&self) -> bool {
        true
    }

    fn decode_raw(&self, what: &ReadPlan, row: &RawRow) -> Result<Batch> {
        super::batch::decode_raw(what, row)
    }

    fn understand(&self, table: &Table, sql: &str) -> Result<Understood, String> {
        super::expression::understand(table, sql)
    }

    fn folding(&self, native: &NativeType) -> Option<Folding> {
        let collation = native.collation.as_deref().filter(|_| native.labels.is_empty())?;
        // MariaDB: `uca1400_ai_ci`, `general_nopad_ci`. Those without `as` find `e` and `é` alike too.
        match collation {
            name if name.ends_with("_as_ci") => Some(Folding::Case),
            name if name.ends_with("_ci") => Some(Folding::CaseAndAccents),
            _ => None,
        }
    }

    fn ignores_end_spaces(&self, native: &NativeType) -> bool {
        // PAD SPACE: all but MySQL's newest and MariaDB's `_nopad_` ones.
        let collation = native.collation.as_deref().filter(|_| native.labels.is_empty());
        collation.is_some_and(|name| name != "binary" && !name.contains("_0900_") && !name.contains("_nopad_"))
    }

    fn takes_conditions(&self) -> bool {
        true
    }

    fn sample(&self, key: &[&Column], share: Sample) -> Option<String> {
        Some(super::subset::sample(key, share))
    }

    fn row_set(&self, sets: &[RowSet], wanted: usize, server: &ServerInfo) -> Result<String> {
        super::subset::row_set(sets, wanted, server)
    }

    fn quote(&self, name: &str) -> Quoted {
        Quoted(format!("`{}`", name.replace('`', "``")))
    }

    fn max_name_bytes(&self) -> Option<usize> {
        // 64 characters, not bytes; decided when MySQL becomes a target.
        None
    }

    fn index_names_per_schema(&self) -> bool {
        false
    }

    fn default_schema(&self) -> &'static str {
        ""
    }

    fn ddl(&self, tables: &[Table], _options: &DdlOptions) -> (Vec<Ddl>, Vec<Problem>) {
        let refuse = |table: &Table| Problem::new(Severity::Refused, "table", &table.name, "MySQL cannot be a target yet");
        (Vec::new(), tables.iter().map(refuse).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use LogicalType as L;

    fn logical(text: &str) -> Option<L> {
        MySqlDialect.to_logical(&parse::native_type(text).expect(text))
    }

    #[test]
    fn each_type_has_its_logical_type() {
        for (text, expected) in [
            ("tinyint(1)", L::Int8),
            ("tinyint unsigned", L::UInt8),
            ("smallint(5) unsigned", L::UInt16),
            ("mediumint", L::Int32),
            ("mediumint unsigned", L::UInt32),
            ("int(10) unsigned zerofill", L::UInt32),
            ("bigint", L::Int64),
            ("bigint(20) unsigned", L::UInt64),
            ("decimal(65,30)", L::Decimal { precision: 65, scale: 30 }),
            ("float(7,3)", L::Float32),
            ("double", L::Float64),
            ("bit(64)", L::Bits { length: 64 }),
            ("char(0)", L::Text { length: Some(0) }),
            ("varchar(20)", L::Text { length: Some(20) }),
            ("varchar(20) character set binary", L::Binary { length: Some(20) }),
            ("longtext", L::Text { length: None }),
            ("text charset binary", L::Binary { length: None }),
            ("binary(4)", L::Binary { length: Some(4) }),
            ("mediumblob", L::Binary { length: None }),
            ("enum('b','a')", L::Enum { labels: vec!["b".into(), "a".into()] }),
            ("set('x')", L::Set { labels: vec!["x".into()] }),
            ("json", L::Json),
            ("date", L::Date),
            ("datetime(6)", L::Timestamp { fsp: 6, zone: Zone::None }),
            ("timestamp", L::Timestamp { fsp: 0, zone: Zone::Utc }),
            ("time(3)", L::Duration { fsp: 3 }),
            ("year(4)", L::Int16),
            ("geometry", L::Geometry { srid: None, shape: None }),
            ("geomcollection", L::Geometry { srid: None, shape: Some("GEOMETRYCOLLECTION".into()) }),
            ("vector(3)", L::Vector { dimensions: 3 }),
            ("uuid", L::Uuid),
            ("inet6", L::Text { length: None }),
        ] {
            assert_eq!(logical(text), Some(expected), "{text}");
        }
        assert_eq!(logical("xmltype"), None);
    }

    #[test]
    fn the_rules_of_the_route_to_postgresql_name_each_type_and_no_other() {
        let text = include_str!("../../../mappings/mysql-to-postgres.toml");
        let rules: crate::config::rules::Mapping = toml::from_str(text).expect("the rules can be read");
        for name in NAMES {
            let signs: Vec<_> =
                rules.types.iter().filter(|rule| rule.matches.name == *name).map(|rule| rule.matches.unsigned).collect();
            assert!(
                signs.contains(&None) || (signs.contains(&Some(true)) && signs.contains(&Some(false))),
                "no rule for all of `{name}`"
            );
        }
        for rule in &rules.types {
            assert!(NAMES.contains(&rule.matches.name.as_str()), "`{}` is no type", rule.matches.name);
        }
        // Each rule is explained in the line before it.
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines.windows(2).filter(|pair| pair[1] == "[[type]]").all(|pair| pair[0].starts_with("# ")));
    }

    #[test]
    fn an_unknown_type_names_the_nearest_one() {
        let error = MySqlDialect.parse_type("varchr(20)").expect_err("no type");
        assert_eq!(error.kind(), ErrorKind::Mapping);
        assert!(error.hint_text().is_some_and(|hint| hint.contains("`varchar`")));
        assert_eq!(MySqlDialect.parse_type(" INTEGER UNSIGNED ").map(|native| native.name).ok().as_deref(), Some("int"));
    }

    #[test]
    fn a_backtick_in_a_name_is_doubled() {
        assert_eq!(MySqlDialect.quote("a`b\"c").to_string(), "`a``b\"c`");
    }
}
