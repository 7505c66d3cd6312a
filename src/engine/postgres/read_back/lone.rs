//! Rows so wide that each is read again by a statement of its own.
//!
//! The driver puts a wide message together in one buffer from what it receives in another, and where both are too small for the next one
//! they grow behind what was used already. So by its second wide row a statement may have it four times. Between statements the driver
//! can be told to let its buffers go, and then no more than two are there.

use std::collections::BTreeMap;

use sqlx::{AssertSqlSafe, PgConnection, Row};

use super::narrowed;
use crate::engine::Dialect;
use crate::engine::postgres::target::{PgType, TargetColumn};
use crate::engine::postgres::typemap::PostgresDialect;
use crate::model::Table;

/// Bytes above which a row goes alone. Four times of it, for some sessions, are little beside what a run may take.
pub(super) const LONE_BYTES: usize = 4 << 20;

/// What the server stores of a value from which it is looked at in full, where that is the only way to know its width. What is less has half a
/// MiB at most, however well it is compressed.
const STORED_BYTES: usize = 2_000;

/// A row that goes alone, by its place in one snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Lone {
    /// The OID of the table that has it: a partition, maybe.
    table: i64,
    ctid: String,
}

impl Lone {
    /// The condition that leaves this row alone.
    pub(super) fn condition(&self) -> String {
        format!("tableoid = {} AND ctid = '{}'::tid", self.table, self.ctid)
    }
}

/// The wide rows of `place` that are under a condition.
pub(super) async fn find(
    connection: &mut PgConnection,
    table: &Table,
    columns: &[TargetColumn],
    place: &str,
    condition: Option<&str>,
) -> Result<Vec<Lone>, sqlx::Error> {
    let widths: Vec<String> = columns.iter().filter_map(width).collect();
    if widths.is_empty() {
        return Ok(Vec::new());
    }
    let wide = format!("{} > {LONE_BYTES}", widths.join(" + "));
    let rows_of = narrowed(both(condition, Some(&wide)), table);
    let sql = format!("SELECT tableoid::int8, ctid::text FROM {place}{rows_of}");
    let rows = sqlx::raw_sql(AssertSqlSafe(sql)).fetch_all(connection).await?;
    rows.iter().map(|row| Ok(Lone { table: row.try_get(0)?, ctid: row.try_get(1)? })).collect()
}

/// The condition that leaves all rows but these; `None` without any.
pub(super) fn without(lone: &[Lone]) -> Option<String> {
    let mut places: BTreeMap<i64, Vec<String>> = BTreeMap::new();
    for row in lone {
        places.entry(row.table).or_default().push(format!("\"{}\"", row.ctid));
    }
    let each = places
        .into_iter()
        .map(|(table, places)| format!("NOT (tableoid = {table} AND ctid = ANY ('{{{}}}'::tid[]))", places.join(",")));
    let all: Vec<String> = each.collect();
    (!all.is_empty()).then(|| all.join(" AND "))
}

/// Two conditions as one.
pub(super) fn both(one: Option<&str>, other: Option<&str>) -> Option<String> {
    let all: Vec<&str> = one.into_iter().chain(other).collect();
    (!all.is_empty()).then(|| all.join(" AND "))
}

/// How wide a value of the column is, as SQL; `None` where none can be wide. Of texts and bytes the server knows it without reading them.
fn width(column: &TargetColumn) -> Option<String> {
    let name = PostgresDialect.quote(&column.name);
    match &column.pg_type {
        PgType::Text | PgType::Bpchar | PgType::Bytea => Some(format!("coalesce(octet_length({name}), 0)::int8")),
        PgType::Json | PgType::Jsonb | PgType::Varbit | PgType::Geometry | PgType::Array(_) | PgType::Other => Some(format!(
            "CASE WHEN pg_catalog.pg_column_size({name}) > {STORED_BYTES} THEN octet_length({name}::text) ELSE 0 END::int8"
        )),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_alone_is_left_out_of_the_rest() {
        let lone = |table, ctid: &str| Lone { table, ctid: ctid.into() };
        assert_eq!(without(&[]), None);
        let all = [lone(7, "(0,1)"), lone(8, "(0,1)"), lone(7, "(3,2)")];
        let expected = "NOT (tableoid = 7 AND ctid = ANY ('{\"(0,1)\",\"(3,2)\"}'::tid[])) \
                        AND NOT (tableoid = 8 AND ctid = ANY ('{\"(0,1)\"}'::tid[]))";
        assert_eq!(without(&all).as_deref(), Some(expected));
        assert_eq!(all[2].condition(), "tableoid = 7 AND ctid = '(3,2)'::tid");
        assert_eq!(both(Some("a"), Some("b")).as_deref(), Some("a AND b"));
        assert_eq!(both(None, None), None);
    }
}
