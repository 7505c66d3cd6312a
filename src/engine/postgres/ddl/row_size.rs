//! How large the rows of a table are in a page of PostgreSQL, where a row must fit in whole.
//!
//! Long values are kept elsewhere, but each leaves 18 bytes, and numbers, times and the like stay where they are. So tables that are
//! wide in MySQL may have rows that no page holds: an UNSIGNED number or a TIME takes more room here than there.

use super::{Labelled, labelled};
use crate::model::catalog::{Column, NativeType, Problem, Severity, Table};

/// The most bytes of a row (`MaxHeapTupleSize` of pages of 8 KiB).
const MOST: usize = 8160;

/// What stands in the row of a value that is kept elsewhere.
const POINTER: usize = 18;

/// Bytes of a row without its values, but for the bits that say which are NULL.
const HEADER: usize = 23;

/// The bytes of a value in the row, and its alignment; at most, for types whose values differ in length.
fn size(native: &NativeType) -> (usize, usize) {
    if labelled(native) == Some(Labelled::Enum) {
        return (4, 4);
    }
    match native.name.as_str() {
        "boolean" => (1, 1),
        "smallint" => (2, 2),
        "integer" | "real" | "date" => (4, 4),
        "bigint" | "double precision" | "time" | "timestamp" | "timestamptz" => (8, 8),
        "interval" => (16, 8),
        "uuid" => (16, 1),
        // A byte of length, a word of weight, sign and scale, and a word for each four digits on either side of the point.
        "numeric" => match (native.precision, native.scale) {
            (Some(precision), Some(scale)) => {
                let whole = usize::from(precision.saturating_sub(scale)).div_ceil(4);
                ((3 + 2 * (whole + usize::from(scale).div_ceil(4))).min(POINTER), 1)
            }
            _ => (POINTER, 1),
        },
        _ => (POINTER, 1),
    }
}

/// True for types whose every value takes as much.
fn is_fixed(native: &NativeType) -> bool {
    !matches!(size(native), (_, 1)) || matches!(native.name.as_str(), "boolean" | "uuid")
}

fn bytes<'a>(table: &Table, columns: impl Iterator<Item = (&'a Column, usize, usize)>) -> usize {
    let nulls = if table.columns.iter().any(|column| column.nullable) { table.columns.len().div_ceil(8) } else { 0 };
    let header = (HEADER + nulls).next_multiple_of(8);
    columns.fold(header, |at, (_, size, align)| at.next_multiple_of(align) + size)
}

/// What is to be said of the size of the table's rows.
pub(super) fn problem(table: &Table) -> Option<Problem> {
    let least = bytes(
        table,
        table.columns.iter().filter(|column| !column.nullable).map(|column| match is_fixed(&column.native) {
            true => (column, size(&column.native).0, size(&column.native).1),
            false => (column, 1, 1),
        }),
    );
    let most = bytes(table, table.columns.iter().map(|column| (column, size(&column.native).0, size(&column.native).1)));
    let hint = "Choose smaller types for some of its columns with `to`, leave columns out, or split it: several `[[table]]` rules of one name";
    if least > MOST {
        let why = format!(
            "its columns that are NOT NULL take {least} bytes of a row at least, and a row of PostgreSQL has {MOST} at most \
             beside what can be stored elsewhere: no row would fit"
        );
        return Some(Problem::new(Severity::Refused, "table", &table.name, why).hint(hint));
    }
    (most > MOST).then(|| {
        let why = format!(
            "a row with a value in each of its {} columns may take up to {most} bytes, and a row of PostgreSQL has {MOST} at most \
             beside what can be stored elsewhere: it refuses rows that take more, and their table fails",
            table.columns.len()
        );
        Problem::new(Severity::Note, "table", &table.name, why).hint(hint)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Dialect;
    use crate::engine::postgres::typemap::PostgresDialect;
    use crate::model::ObjectName;

    fn table(native: &str, count: usize, nullable: bool) -> Table {
        let mut table = Table::new(ObjectName::new("public", "t"));
        for place in 0..count {
            table
                .columns
                .push(Column { nullable, ..Column::new(format!("c{place}"), None, PostgresDialect.parse_type(native).unwrap()) });
        }
        table
    }

    #[test]
    fn rows_are_measured_as_the_server_lays_them_out() {
        let said = |native: &str, count, nullable| problem(&table(native, count, nullable)).map(|problem| problem.severity);
        // 8160 - 24 bytes of header are 1017 times 8.
        assert_eq!(said("bigint", 1017, false), None);
        assert_eq!(said("bigint", 1018, false), Some(Severity::Refused));
        assert_eq!(said("bigint", 1017, true), Some(Severity::Note));
        assert_eq!(said("interval(0)", 600, false), Some(Severity::Refused));
        assert_eq!(said("interval(0)", 600, true), Some(Severity::Note));
        assert_eq!(said("numeric(20,0)", 900, false), Some(Severity::Note));
        assert_eq!(said("text", 400, false), None);
        assert_eq!(said("text", 500, true), Some(Severity::Note));
        assert_eq!(said("boolean", 1600, false), None);
    }
}
