//! Entries of indexes that are longer than the target takes: found before the first row moves, and not hours later, when the index is made.
//!
//! The target compresses a value before it looks at its length, so that a long entry may fit all the same. Nobody knows that before, which
//! is why a person decides: `indexes` of the table's rule.

use crate::config::objects::IndexChoice;
use crate::mapping::{MappedTable, lines};
use crate::model::LogicalType;
use crate::model::catalog::{Index, IndexMethod, Problem, Severity};
use crate::model::probe::Question;

/// Bytes of an entry's own head.
const HEAD: u64 = 8;
/// Bytes that a text or some bytes take beside themselves: their length, and the space up to the next multiple of four.
const LENGTH: u64 = 8;
/// Bytes of a value of any other type, in most cases fewer.
const OTHER: u64 = 16;
/// A character of UTF-8.
const MOST_BYTES: u64 = 4;

/// Of each index whose entries may have more than `bytes` bytes, whether some do.
pub(super) fn questions(table: &MappedTable, bytes: u64) -> Vec<Question> {
    let indexes = table.source.primary_key.iter().chain(&table.source.indexes);
    let made = indexes.filter(|index| !matches!(choice(table, index), Some(IndexChoice::Hash | IndexChoice::Drop)));
    made.filter_map(|index| question(table, index, bytes)).collect()
}

fn choice(table: &MappedTable, index: &Index) -> Option<IndexChoice> {
    table.indexes.get(&index.name).copied()
}

/// Asked only where the columns' own limits allow an entry that is too long.
fn question(table: &MappedTable, index: &Index, bytes: u64) -> Option<Question> {
    if index.method != IndexMethod::BTree {
        return None;
    }
    let mut parts = Vec::new();
    let (mut most, mut beside) = (0_u64, HEAD);
    for part in &index.parts {
        // What an expression gives is not known.
        let Some(name) = &part.column else { continue };
        let column = table.source.column(name)?;
        let (declared, each) = match &column.logical {
            Some(LogicalType::Text { length } | LogicalType::Binary { length }) => {
                (*length, if column.native.charset.is_some() { MOST_BYTES } else { 1 })
            }
            _ => {
                beside += OTHER;
                continue;
            }
        };
        beside += LENGTH;
        let length = part.prefix.or(declared).map_or(u64::from(u32::MAX), u64::from);
        most = most.saturating_add(length.saturating_mul(each));
        parts.push((name.clone(), part.prefix));
    }
    let bytes = bytes.saturating_sub(beside);
    (most > bytes).then(|| Question::LongEntry { index: index.name.clone(), parts, bytes })
}

/// What becomes of an index with entries that are too long; `found` says how many there are.
pub(super) fn finding(table: &MappedTable, index: &str, found: String) -> Problem {
    let name = &table.source.name;
    let place = format!("{name}.{index}");
    if table.indexes.get(index) == Some(&IndexChoice::AsIs) {
        let why = format!("{found}; it is made all the same, as the mapping says, and fails where compression does not help");
        return Problem::new(Severity::Note, "index", place, why);
    }
    let hint = format!(
        "Have it over hashes, which finds equal values only; or \"as_is\", where you know that compression makes the entries short; \
         or \"drop\". Add to the mapping file (`-m FILE`):\n{}",
        lines::table(name, &format!("indexes.{} = \"hash\"", lines::key(index)))
    );
    Problem::new(Severity::Refused, "index", place, found).hint(hint)
}
