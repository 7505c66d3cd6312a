//! Bytes of a server, and expressions of a catalog, for fuzzing; see [`crate::fuzzing`].

use super::decode::{RowBytes, decoder};
use super::expression::understand;
use super::select::expressions;
use super::typemap::{MySqlDialect, parse};
use super::wire::Sample;
use crate::engine::Dialect;
use crate::engine::postgres::expression::print;
use crate::error::ErrorKind;
use crate::fuzzing::Input;
use crate::model::catalog::{Column, NativeType, ServerInfo, Table};
use crate::model::policy::{EnumEmpty, NulByte, UuidOrder, ZeroDate};
use crate::model::unit::ReadColumn;
use crate::model::{LogicalType, ObjectName, ValuePolicies};
use crate::verify::canonical;

/// Each sort of column that has a decoder of its own.
const TYPES: &[&str] = &[
    "tinyint(1)",
    "tinyint unsigned",
    "smallint",
    "smallint unsigned",
    "mediumint",
    "int unsigned",
    "bigint",
    "bigint unsigned",
    "decimal(1,0)",
    "decimal(38,10)",
    "decimal(65,30)",
    "float",
    "double",
    "bit(1)",
    "bit(13)",
    "bit(64)",
    "char(5)",
    "varchar(20)",
    "text",
    "binary(16)",
    "longblob",
    "enum('a','b','it''s')",
    "enum('','x')",
    "set('a','b','c')",
    "set('','x')",
    "json",
    "date",
    "datetime",
    "datetime(6)",
    "timestamp(3)",
    "time",
    "time(6)",
    "year",
    "geometry",
    "point",
    "vector(3)",
    "uuid",
    "inet6",
];

const CHARSETS: &[&str] = &["utf8mb4", "latin1", "sjis", "utf8mb3", "cp1251"];

fn native(text: &str) -> NativeType {
    parse::native_type(text).unwrap_or_else(|| panic!("`{text}` is no type"))
}

/// A column of any type, under any policies that may come together.
fn column(input: &mut Input<'_>) -> Option<ReadColumn> {
    let mut native = self::native(input.one_of::<&str>(TYPES));
    native.charset = Some((*input.one_of(CHARSETS)).to_string());
    let mut logical = MySqlDialect.to_logical(&native)?;
    let mut policies = ValuePolicies::default();
    let bits = input.byte();
    if bits & 1 == 1 {
        policies.zero_date =
            Some(*input.one_of(&[ZeroDate::Null, ZeroDate::NegativeInfinity, ZeroDate::Day(i32::MAX), ZeroDate::Text]));
        policies.enum_empty = Some(EnumEmpty::Label("b".into()));
        if policies.zero_date == Some(ZeroDate::Text) && matches!(logical, LogicalType::Date | LogicalType::Timestamp { .. }) {
            logical = LogicalType::Text { length: None };
        }
    }
    if bits & 2 == 2 {
        policies.nul_byte = Some(NulByte::Replace("\u{fffd}".into()));
    }
    policies.replace_invalid = bits & 4 == 4;
    policies.decode_utf8 = bits & 8 == 8;
    if bits & 16 == 16 && native.full == "binary(16)" {
        policies.uuid = Some(if bits & 32 == 32 { UuidOrder::Swapped } else { UuidOrder::Plain });
        logical = LogicalType::Uuid;
    }
    if bits & 64 == 64 && native.full == "tinyint(1)" {
        logical = LogicalType::Bool;
    }
    Some(ReadColumn { name: "c".into(), native, logical, policies })
}

/// Any bytes as the values of a column: each is a value or an error, and what was taken is a column of its type.
///
/// # Panics
/// Where that is not so.
pub fn values(data: &[u8]) {
    let mut input = Input::new(data);
    let Some(column) = column(&mut input) else { return };
    let Ok(mut decoder) = decoder(&column, 0) else { return };
    let width = expressions(&column, &ServerInfo::default(), false).len();
    let mut rows = 0;
    loop {
        let row: Vec<Option<Vec<u8>>> = (0..width).map(|_| (input.byte() != 255).then(|| input.some_bytes().to_vec())).collect();
        let bytes = RowBytes::Kept(&row);
        match decoder.append(bytes) {
            Ok(()) => rows += 1,
            // The decoder is of no use afterwards, but for what it has.
            Err(error) => {
                assert!(matches!(error.kind(), ErrorKind::Value | ErrorKind::SourceRead), "{error:?} of {column:?} for {row:?}");
                let _ = decoder.finish();
                return;
            }
        }
        decoder.applied(&mut Vec::new());
        if input.is_empty() || rows == 8 {
            break;
        }
    }
    let array = decoder.finish();
    assert_eq!(array.len(), rows, "{column:?}");
    let mut seen = 0;
    let visited = canonical::visit(&array, &column.logical, |_, _| seen += 1);
    assert!(visited.is_ok() && seen == rows, "{visited:?} of {column:?}");
}

/// Any bytes as a row of the binary protocol, of columns of any types: its values or an error.
///
/// # Panics
/// Where that is not so.
pub fn wire(data: &[u8]) {
    let mut input = Input::new(data);
    let types: Vec<u8> = (0..=input.below(20)).map(|_| input.byte()).collect();
    let row = input.all();
    let Ok(sample) = Sample::of(&types, &[row]) else { return };
    let block = sample.block();
    assert_eq!((block.rows(), block.width()), (1, types.len()));
    let values: Vec<_> = (0..types.len()).map(|at| block.value(0, at).expect("a value for each column")).collect();
    assert!(values.into_iter().flatten().map(<[u8]>::len).sum::<usize>() <= row.len());
}

/// Expressions to begin with.
pub(crate) const EXPRESSIONS: &[&[u8]] = &[
    b"(`i` between 1 and 10) and (`v` like 'a%' or `v` in ('x',_utf8mb4'y')) and `d` is not null",
    b"concat(upper(`v`),'-',lpad(`i`,5,'0'),json_unquote(json_extract(`j`,'$.a.b[0]')))",
    b"case when `i` > 0 then `m` * 1.5 else -`m` end + interval 1 day",
    b"cast(`v` as unsigned) xor (`i` << 3 & 7 | ~1) div 2 mod 3",
    b"date_format(`d`,'%Y-%m') >= timestamp'2024-01-01 00:00:00' && octet_length(`v`) != 0x41",
    b"if(`e` = 'a', coalesce(`v`, 'none'), substring_index(`v`, ',', -1)) regexp '^[a-z]+$'",
    b"((((((((((1))))))))))",
    b"uuid()",
    b"current_timestamp(6) on update current_timestamp()",
];

/// The table that expressions are about, as the source has it, or as the target has it.
fn table(target: bool) -> Table {
    let columns = [
        ("i", "int", "integer"),
        ("u", "bigint unsigned", "numeric"),
        ("m", "decimal(10,2)", "numeric"),
        ("f", "double", "double precision"),
        ("v", "varchar(20)", "varchar"),
        ("b", "varbinary(20)", "bytea"),
        ("d", "datetime(3)", "timestamp"),
        ("t", "timestamp", "timestamptz"),
        ("day", "date", "date"),
        ("y", "year", "smallint"),
        ("e", "enum('a','b')", "text"),
        ("s", "set('a','b')", "text"),
        ("j", "json", "jsonb"),
        ("w", "bit(8)", "bit"),
        ("l", "time", "interval"),
    ];
    let mut table = Table::new(ObjectName::new("shop", "t"));
    for (name, source, wanted) in columns {
        let source = native(source);
        table.columns.push(Column::new(
            name,
            MySqlDialect.to_logical(&source),
            if target { NativeType::named(wanted) } else { source },
        ));
    }
    table
}

/// Any text as an expression of a catalog: it is understood or refused, and what is understood is printed or refused.
pub fn understood(data: &[u8]) {
    let Ok(sql) = std::str::from_utf8(data) else { return };
    if let Ok(understood) = understand(&table(false), sql) {
        let _ = print(&understood.tree, &table(true), &[]);
    }
}
