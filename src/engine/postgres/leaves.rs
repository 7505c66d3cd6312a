//! The tables behind a partitioned one, which has no pages of its own.
//!
//! A range of pages says which of them is meant by its upper bits: the first one's pages begin at 0, the next one's at 2^33, and so on. No
//! table has so many pages. Their order is that of their OIDs, the same in one snapshot.

use sqlx::postgres::types::Oid;
use sqlx::{PgConnection, Row};

use crate::model::ObjectName;
use crate::model::chunk::ChunkRange;

use super::target::quoted;

/// Bits of the number of a page.
const PAGE_BITS: u32 = 33;

/// A table with rows of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Leaf {
    /// For SQL text.
    pub(super) name: String,
    /// Pages of its rows, and bytes with what lies outside them.
    pub(super) pages: u64,
    pub(super) bytes: u64,
}

// By what the catalog holds in this snapshot: a partition that is added meanwhile is not seen, and nor are its rows.
const LEAVES: &str = "
    WITH RECURSIVE below(oid) AS (
        SELECT $1::oid
        UNION ALL
        SELECT i.inhrelid FROM below JOIN pg_catalog.pg_inherits AS i ON i.inhparent = below.oid
    )
    SELECT n.nspname::text, c.relname::text, pg_catalog.pg_relation_size(c.oid) / current_setting('block_size')::int8,
           pg_catalog.pg_table_size(c.oid)
    FROM below JOIN pg_catalog.pg_class AS c ON c.oid = below.oid JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    WHERE c.relkind = 'r' ORDER BY c.oid";

/// The tables behind the table of that OID.
pub(super) async fn read(connection: &mut PgConnection, table: Oid) -> Result<Vec<Leaf>, sqlx::Error> {
    let rows = sqlx::query(LEAVES).bind(table).fetch_all(connection).await?;
    let number =
        |row: &sqlx::postgres::PgRow, at: usize| row.try_get::<i64, _>(at).map(|value| u64::try_from(value).unwrap_or_default());
    rows.iter()
        .map(|row| {
            let name = quoted(&ObjectName::new(row.try_get::<String, _>(0)?, row.try_get::<String, _>(1)?));
            Ok(Leaf { name, pages: number(row, 2)?, bytes: number(row, 3)? })
        })
        .collect()
}

/// The ranges of all leaves, each of `target_bytes` or so, with their bytes.
pub(super) fn ranges(leaves: &[Leaf], target_bytes: u64) -> Vec<(ChunkRange, u64)> {
    let mut all = Vec::new();
    for (leaf, place) in leaves.iter().zip(0_u64..) {
        let base = place << PAGE_BITS;
        let count = leaf.bytes.div_ceil(target_bytes.max(1)).clamp(1, leaf.pages.max(1));
        let step = leaf.pages.div_ceil(count).max(1);
        let pieces = leaf.pages.div_ceil(step).max(1);
        for piece in 0..pieces {
            // The last one is open: its table may have grown since its size was read.
            let to = if piece + 1 < pieces { base + (piece + 1) * step } else { (place + 1) << PAGE_BITS };
            all.push((ChunkRange::Pages { from: base + piece * step, to: Some(to) }, leaf.bytes / pieces));
        }
    }
    all
}

/// The leaf of a range, and the range within it.
pub(super) fn within<'l>(leaves: &'l [Leaf], range: &ChunkRange) -> Option<(&'l Leaf, ChunkRange)> {
    let ChunkRange::Pages { from, to } = range else { return None };
    let place = from >> PAGE_BITS;
    let leaf = leaves.get(usize::try_from(place).ok()?)?;
    let base = place << PAGE_BITS;
    let to = to.map(|to| to - base).filter(|to| *to < 1 << PAGE_BITS);
    Some((leaf, ChunkRange::Pages { from: from - base, to }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_page_of_each_leaf_is_in_one_range() {
        let leaf = |name: &str, pages| Leaf { name: name.into(), pages, bytes: pages * 8192 };
        let leaves = [leaf("a", 0), leaf("b", 7), leaf("c", 2)];
        let ranges = ranges(&leaves, 3 * 8192);
        let found: Vec<(String, ChunkRange)> = ranges
            .iter()
            .map(|(range, _)| within(&leaves, range).map(|(leaf, range)| (leaf.name.clone(), range)).unwrap())
            .collect();
        let pages = |name: &str, from, to| (name.to_string(), ChunkRange::Pages { from, to });
        let expected =
            [pages("a", 0, None), pages("b", 0, Some(3)), pages("b", 3, Some(6)), pages("b", 6, None), pages("c", 0, None)];
        assert_eq!(found, expected);
        assert!(within(&leaves, &ChunkRange::Whole).is_none());
    }
}
