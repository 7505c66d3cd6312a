//! Whether rows of a table fit into a page of 8 kB: values of fixed size cannot be stored elsewhere, so that a server takes the table and
//! refuses its rows.

use super::{Labelled, labelled};
use crate::model::catalog::{Column, NativeType, Problem, Severity, Table};

/// The largest row in a page of 8 kB (`MaxHeapTupleSize`).
const MOST_BYTES: u64 = 8160;
/// The head of a row without NULL, and the part of it before the bits that say which columns are NULL.
const HEAD: u64 = 24;
const HEAD_BEFORE_BITS: u64 = 23;
/// What stays in the row of a value that is stored elsewhere.
const ELSEWHERE: u64 = 18;

/// A refusal where no row fits, a note where full ones may not.
pub(super) fn look(table: &Table) -> Option<Problem> {
    let count = u64::try_from(table.columns.len()).unwrap_or(u64::MAX);
    let nullable = table.columns.iter().any(|column| column.nullable);
    let bits = count.div_ceil(8).saturating_add(HEAD_BEFORE_BITS).next_multiple_of(8);
    let needed = table.columns.iter().filter(|column| !column.nullable);
    let least = data(needed, 1, if nullable { bits } else { HEAD });
    if least > MOST_BYTES {
        let why = format!(
            "its columns that are NOT NULL take {least} bytes of a row at least, and a row of PostgreSQL has {MOST_BYTES} at most \
             beside what can be stored elsewhere: no row would fit"
        );
        let hint = "Carry it in two tables (two `[[table]]` rules of its name, each with `to` and `only`), or leave columns out with `drop = true`";
        return Some(Problem::new(Severity::Refused, "table", &table.name, why).hint(hint));
    }
    let full = data(table.columns.iter(), ELSEWHERE, HEAD);
    (full > MOST_BYTES).then(|| {
        let why = format!(
            "a row with a value in each of its {count} columns may take up to {full} bytes, and a row of PostgreSQL has {MOST_BYTES} at \
             most beside what can be stored elsewhere: it refuses rows that take more, and their table fails"
        );
        Problem::new(Severity::Note, "table", &table.name, why)
    })
}

/// The bytes of a row with these columns behind a head of `head`; one of no fixed size takes `flexible`.
fn data<'a>(columns: impl Iterator<Item = &'a Column>, flexible: u64, head: u64) -> u64 {
    columns.fold(head, |end: u64, column| match fixed(&column.native) {
        Some((bytes, align)) => end.next_multiple_of(align).saturating_add(bytes),
        None => end.saturating_add(flexible),
    })
}

/// Size and alignment of a type of fixed size, as `pg_type` has them.
fn fixed(native: &NativeType) -> Option<(u64, u64)> {
    if labelled(native) == Some(Labelled::Enum) {
        return Some((4, 4));
    }
    Some(match native.name.as_str() {
        "boolean" => (1, 1),
        "smallint" => (2, 2),
        "integer" | "real" | "date" => (4, 4),
        "bigint" | "double precision" | "time" | "timestamp" | "timestamptz" => (8, 8),
        "macaddr" => (6, 4),
        "macaddr8" => (8, 4),
        "interval" => (16, 8),
        "uuid" => (16, 1),
        _ => return None,
    })
}
