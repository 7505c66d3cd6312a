//! Cuts a table by ranges of its rowid, and guesses how large it is.

use rusqlite::{Connection, OptionalExtension};

use super::error::from_sqlite;
use super::rowid::{Rowid, rowid_of};
use super::typemap::quoted;
use crate::error::Result;
use crate::model::catalog::Table;
use crate::model::chunk::{Chunk, ChunkPlan, ChunkRange, KeyValue};

/// Rows that are looked at to guess the size of one.
const SAMPLE_ROWS: u32 = 500;
/// In files up to this size rows are counted; in larger ones they are guessed from the rowids, since counting reads an index in full.
const COUNT_UP_TO_BYTES: u64 = 1 << 30;
/// Rowids are taken for evenly spread up to so many per row; beyond, the bounds are looked up row by row.
const DENSE_ROWIDS_PER_ROW: u64 = 4;

/// Rows and bytes of a table, roughly.
pub(super) fn estimate(connection: &Connection, table: &Table, rowid: Option<&Rowid>) -> Result<(u64, u64)> {
    let failed = |error| from_sqlite(error, "the size of the table cannot be estimated").table(&table.name);
    let name = quoted(&table.name.name);
    let lengths: Vec<String> = table
        .columns
        .iter()
        .filter(|column| column.generated.is_none())
        .map(|column| format!("coalesce(octet_length(t.{}), 0)", quoted(&column.name)))
        .collect();
    let lengths = if lengths.is_empty() { "0".to_string() } else { lengths.join(" + ") };
    let sql =
        format!("SELECT count(*), coalesce(sum(bytes), 0) FROM (SELECT {lengths} AS bytes FROM {name} t LIMIT {SAMPLE_ROWS})");
    let (sampled, bytes): (i64, i64) = connection.query_row(&sql, [], |row| Ok((row.get(0)?, row.get(1)?))).map_err(failed)?;
    let (sampled, bytes) = (sampled.unsigned_abs(), bytes.unsigned_abs());
    if sampled == 0 {
        return Ok((0, 0));
    }
    let row_bytes = (bytes / sampled).max(1);
    let file_bytes: i64 = connection
        .query_row("SELECT c.page_count * s.page_size FROM pragma_page_count c, pragma_page_size s", [], |row| row.get(0))
        .map_err(failed)?;
    let file_bytes = file_bytes.unsigned_abs();
    let rows = if file_bytes <= COUNT_UP_TO_BYTES || rowid.is_none() {
        count(connection, &Table::new(table.name.clone()))?
    } else {
        let (first, last) = bounds(connection, table, rowid)?.unwrap_or((0, 0));
        last.abs_diff(first).saturating_add(1).min(file_bytes / row_bytes)
    };
    Ok((rows, rows.saturating_mul(row_bytes)))
}

/// The rows of a table that pass its filter, counted by SQLite.
pub(super) fn count(connection: &Connection, table: &Table) -> Result<u64> {
    let rows: i64 = connection
        .query_row(&format!("SELECT count(*) FROM {}", filtered(table)), [], |row| row.get(0))
        .map_err(|error| from_sqlite(error, "the rows cannot be counted").table(&table.name))?;
    Ok(rows.unsigned_abs())
}

/// The rows that are carried, as the table `t`.
pub(super) fn filtered(table: &Table) -> String {
    format!("{} t WHERE {}", quoted(&table.name.name), table.row_filter.as_ref().map_or("TRUE".into(), |own| format!("({own})")))
}

fn bounds(connection: &Connection, table: &Table, rowid: Option<&Rowid>) -> Result<Option<(i64, i64)>> {
    let Some(rowid) = rowid else { return Ok(None) };
    let (id, name) = (rowid.sql(), quoted(&table.name.name));
    // Two statements: SQLite finds the smallest and the largest by a seek only when asked for one of them.
    let sql = format!("SELECT (SELECT min({id}) FROM {name} t), (SELECT max({id}) FROM {name} t)");
    let (first, last): (Option<i64>, Option<i64>) = connection
        .query_row(&sql, [], |row| Ok((row.get(0)?, row.get(1)?)))
        .map_err(|error| from_sqlite(error, "the range of rowids cannot be read").table(&table.name))?;
    Ok(first.zip(last))
}

/// Ranges of rowids, about `target_bytes` each. A table without rowids is one chunk.
pub(super) fn plan_chunks(connection: &Connection, table: &Table, target_bytes: u64) -> Result<ChunkPlan> {
    let rowid = rowid_of(connection, &table.name.name)?;
    let (rows, bytes) = estimate(connection, table, rowid.as_ref())?;
    let wanted = bytes.div_ceil(target_bytes.max(1)).clamp(1, rows.max(1)).min(u64::from(u32::MAX));
    let (Some(rowid), Some((first, last))) = (&rowid, bounds(connection, table, rowid.as_ref())?) else {
        return Ok(ChunkPlan::whole(rows, bytes));
    };
    if wanted <= 1 {
        return Ok(ChunkPlan::whole(rows, bytes));
    }
    let span = last.abs_diff(first);
    let cuts = if span / DENSE_ROWIDS_PER_ROW <= rows {
        even_cuts(first, span, wanted)
    } else {
        counted_cuts(connection, table, rowid, rows.div_ceil(wanted))?
    };
    let pieces = u64::try_from(cuts.len()).unwrap_or(u64::MAX).saturating_add(1);
    let value = |cut: &i64| vec![KeyValue::Int(i128::from(*cut))];
    let lowers = std::iter::once(None).chain(cuts.iter().map(Some));
    let uppers = cuts.iter().map(Some).chain(std::iter::once(None));
    let chunks = (0..).zip(lowers.zip(uppers)).map(|(id, (lower, upper))| Chunk {
        id,
        range: ChunkRange::Key { lower: lower.map(value), upper: upper.map(value) },
        estimated_rows: rows / pieces,
        estimated_bytes: bytes / pieces,
    });
    Ok(ChunkPlan { key: vec![rowid.name.clone()], index: None, chunks: chunks.collect() })
}

/// `wanted - 1` bounds that cut a range of rowids evenly.
fn even_cuts(first: i64, span: u64, wanted: u64) -> Vec<i64> {
    let mut cuts: Vec<i64> = (1..wanted)
        .filter_map(|piece| {
            let offset = (u128::from(span) + 1) * u128::from(piece) / u128::from(wanted);
            i64::try_from(i128::from(first) + i128::try_from(offset).ok()?).ok()
        })
        .filter(|cut| *cut > first)
        .collect();
    cuts.dedup();
    cuts
}

/// Bounds that stand `rows` rows apart, looked up in the table: for rowids with large gaps.
fn counted_cuts(connection: &Connection, table: &Table, rowid: &Rowid, rows: u64) -> Result<Vec<i64>> {
    let failed = |error| from_sqlite(error, "the rowids cannot be read").table(&table.name);
    let id = rowid.sql();
    let name = quoted(&table.name.name);
    let sql = format!("SELECT {id} FROM {name} t WHERE {id} >= ?1 ORDER BY {id} LIMIT 1 OFFSET ?2");
    let mut statement = connection.prepare(&sql).map_err(failed)?;
    let step = i64::try_from(rows.max(1)).unwrap_or(i64::MAX);
    let mut cuts = Vec::new();
    let mut from = i64::MIN;
    while let Some(cut) = statement.query_row((from, step), |row| row.get(0)).optional().map_err(failed)? {
        cuts.push(cut);
        from = cut;
    }
    Ok(cuts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn even_cuts_stand_inside_the_range() {
        assert_eq!(even_cuts(1, 99, 4), [26, 51, 76]);
        assert_eq!(even_cuts(5, 0, 4), [] as [i64; 0]);
        assert_eq!(even_cuts(i64::MIN, u64::MAX, 2), [0]);
        assert_eq!(even_cuts(i64::MAX - 1, 1, 2), [i64::MAX]);
    }
}
