//! Which rows are taken out of the target so that chunks can be carried again: those of a chunk's range where its key tells them, otherwise
//! all of the table. Where several tables come together in one, the constants that tell them apart go with the range. Refused where rows of ours cannot be told from those of others.

use std::collections::BTreeMap;

use crate::engine::{DdlPhase, Extent, TakeOut};
use crate::error::{Error, ErrorKind, Result};
use crate::mapping::MappedTable;
use crate::mapping::discriminator::{Constant, fixed};
use crate::model::chunk::{ChunkRange, KeyValue};
use crate::model::logical::Zone;
use crate::model::unit::Receipt;
use crate::model::{LogicalType, ObjectName, civil};
use crate::plan::{Plan, TablePlan};

use super::baseline::Baselines;
use super::recheck::Carried;

/// What to do for one target table.
#[derive(Debug)]
pub(super) struct Order {
    /// One after the other.
    pub(super) first: Vec<TakeOut>,
    /// Instead, when one of them finds other rows than it should; none where that is refused.
    pub(super) otherwise: Option<TakeOut>,
}

/// Orders that take the rows of `differing` out.
///
/// # Errors
/// `Snapshot` for each table whose rows cannot be told from others, all at once.
pub(super) fn orders(plan: &Plan, differing: &[Carried], receipts: &[Receipt], stood: &Baselines) -> Result<Vec<Order>> {
    let mut by_target: BTreeMap<&ObjectName, Vec<&Carried>> = BTreeMap::new();
    for one in differing {
        by_target.entry(&one.receipt.table).or_default().push(one);
    }
    let (mut orders, mut faults) = (Vec::new(), Vec::new());
    for (target, chunks) in by_target {
        match order(plan, target, &chunks, receipts, stood) {
            Ok(order) => orders.push(order),
            Err(error) => faults.push(error.table(target)),
        }
    }
    Error::many(faults).map_or(Ok(orders), Err)
}

fn order(plan: &Plan, target: &ObjectName, chunks: &[&Carried], receipts: &[Receipt], stood: &Baselines) -> Result<Order> {
    let table = |one: &Carried| {
        plan.tables.get(one.place).ok_or_else(|| Error::internal("a chunk of a table that the plan does not have"))
    };
    let first = match chunks.first() {
        Some(one) => table(one)?,
        None => return Err(Error::internal("no chunk to take out")),
    };
    let refuse = |why: &str| {
        Err(Error::new(ErrorKind::Snapshot, format!("{} of its chunks are others in the source by now, and {why}", chunks.len()))
            .hint("Give the run up with `dbferry abandon RUN TARGET`, put the table back as it was, and begin again"))
    };
    if first.load.upsert.is_some() {
        return refuse("rows that were changed by their key cannot be taken out again");
    }
    if first.load.enforced {
        return refuse("its triggers and foreign keys would notice if rows were taken out");
    }
    let made = plan.statements(DdlPhase::Tables).any(|ddl| ddl.table.as_ref() == Some(target));
    let foreign_keys = if made { foreign_keys(plan, target) } else { Vec::new() };
    let take_out = |chunks: Vec<u32>, rows: u64, extent: Extent| TakeOut {
        table: target.clone(),
        chunks,
        rows,
        extent,
        stood: !made,
        foreign_keys: foreign_keys.clone(),
    };
    let alone = first.append && stood.get(target).is_none_or(|stood| stood.rows > 0);
    let otherwise = (!alone).then(|| {
        let all: Vec<&Receipt> = receipts.iter().filter(|receipt| receipt.table == *target).collect();
        let rows = all.iter().map(|receipt| receipt.digest.rows).fold(0, u64::saturating_add);
        take_out(all.iter().map(|receipt| receipt.chunk).collect(), rows, Extent::Whole)
    });
    let mut by_source: BTreeMap<usize, Vec<&Carried>> = BTreeMap::new();
    for one in chunks {
        by_source.entry(one.place).or_default().push(one);
    }
    let mut ranges = Vec::new();
    for (place, chunks) in by_source {
        let Some(parts) = parts(plan, place, &chunks, receipts) else {
            return match otherwise {
                Some(whole) => Ok(Order { first: vec![whole], otherwise: None }),
                None => refuse("their key does not tell their rows from those that stood there before"),
            };
        };
        ranges.extend(parts.into_iter().map(|(chunks, rows, extent)| take_out(chunks, rows, extent)));
    }
    Ok(Order { first: ranges, otherwise })
}

/// What takes the chunks of one source table out, and no row of another one: chunk by chunk, or all of its chunks, each with the rows that
/// receipts promise; none where neither can be told.
fn parts(plan: &Plan, place: usize, chunks: &[&Carried], receipts: &[Receipt]) -> Option<Vec<(Vec<u32>, u64, Extent)>> {
    let table = plan.tables.get(place)?;
    let apart = told_apart(plan, place)?;
    let ranges: Option<Vec<_>> = chunks
        .iter()
        .map(|one| Some((vec![one.chunk.id], one.receipt.digest.rows, range(table, &one.chunk.range, &apart)?)))
        .collect();
    if ranges.is_some() || apart.is_empty() {
        return ranges;
    }
    let own: Vec<&Receipt> = receipts
        .iter()
        .filter(|receipt| receipt.table == *table.target())
        .filter(|receipt| table.chunks.chunks.iter().any(|chunk| chunk.id == receipt.chunk))
        .collect();
    let rows = own.iter().map(|receipt| receipt.digest.rows).fold(0, u64::saturating_add);
    let extent = Extent::Range { apart, key: Vec::new(), range: ChunkRange::Whole };
    Some(vec![(own.iter().map(|receipt| receipt.chunk).collect(), rows, extent)])
}

/// The constants by which rows of a table are told from those of every other table that go to the same place; empty where it has the place
/// to itself, none where nothing tells them apart.
fn told_apart(plan: &Plan, place: usize) -> Option<Vec<(String, LogicalType, KeyValue)>> {
    let table = &plan.tables.get(place)?.mapped;
    if !table.merged {
        return Some(Vec::new());
    }
    let mut others: Vec<&MappedTable> = Vec::new();
    for (number, other) in plan.tables.iter().enumerate() {
        if number != place && *other.target() == table.target.name {
            others.push(&other.mapped);
        }
    }
    let mut apart = Vec::new();
    for column in table.columns.iter().filter(|column| column.mask.is_none()) {
        let Some(constant) = fixed(column) else { continue };
        let of = |other: &MappedTable| {
            let theirs = other.columns.iter().find(|theirs| theirs.target == column.target && theirs.mask.is_none());
            theirs.and_then(fixed)
        };
        // Those that this column does not settle are left to the next one.
        let before = others.len();
        others.retain(|other| of(other).is_none_or(|theirs| theirs == constant));
        if others.len() < before {
            let value = match constant {
                Constant::Text(text) => KeyValue::Text(text),
                Constant::Number(number) => KeyValue::Int(number),
            };
            apart.push((column.target.clone(), column.to.clone(), value));
        }
    }
    others.is_empty().then_some(apart)
}

/// The foreign keys that the run makes from or to a table.
fn foreign_keys(plan: &Plan, target: &ObjectName) -> Vec<(ObjectName, String)> {
    let mut all = Vec::new();
    for place in plan.leads() {
        let Some(table) = plan.tables.get(place).map(|table| &table.mapped.target) else { continue };
        for key in table.foreign_keys.iter().filter(|key| table.name == *target || key.parent == *target) {
            let makes = |name: &str| {
                let mut made = plan.statements(DdlPhase::ForeignKeys);
                made.any(|ddl| ddl.table.as_ref() == Some(&table.name) && ddl.object == format!("foreign key {name}"))
            };
            if makes(&key.name) {
                all.push((table.name.clone(), key.name.clone()));
            }
        }
    }
    all
}

/// The range in the target that has exactly the rows of a range of the source; none where no range does.
fn range(table: &TablePlan, range: &ChunkRange, apart: &[(String, LogicalType, KeyValue)]) -> Option<Extent> {
    let bounds: Vec<&Vec<KeyValue>> = match range {
        ChunkRange::NullKey => Vec::new(),
        ChunkRange::Key { lower, upper } => lower.iter().chain(upper).collect(),
        ChunkRange::Whole | ChunkRange::Pages { .. } => return None,
    };
    // Bounds may be over fewer columns than the key has.
    let used = bounds.iter().map(|bound| bound.len()).max().unwrap_or(1).max(1);
    let key = table.chunks.key.iter().take(used).map(|name| one_to_one(&table.mapped, name)).collect::<Option<Vec<_>>>()?;
    let expressible = |bound: &&Vec<KeyValue>| bound.iter().zip(&key).all(|(value, (_, logical))| is_literal(value, logical));
    (key.len() == used && bounds.iter().all(expressible)).then(|| Extent::Range {
        apart: apart.to_vec(),
        key,
        range: range.clone(),
    })
}

/// The target's column for a column of the key, if its values are the source's own, in the same order.
fn one_to_one(mapped: &MappedTable, name: &str) -> Option<(String, LogicalType)> {
    use LogicalType as L;
    let carries =
        |column: &&crate::mapping::ColumnMapping| column.source == name && column.computed.is_none() && column.mask.is_none();
    let column = mapped.columns.iter().find(carries)?;
    if mapped.policies.get(name).is_some_and(|policies| !policies.is_empty()) {
        return None;
    }
    let number = |logical: &L| logical.is_integer() || matches!(logical, L::Decimal { .. } | L::Numeric);
    let same = match (&column.from, &column.to) {
        (from, to) if number(from) => number(to),
        (L::Date, L::Date) | (L::Time { .. } | L::Duration { .. }, L::Time { .. } | L::Duration { .. }) => true,
        (L::Timestamp { zone: from, .. }, L::Timestamp { zone: to, .. }) => from == to,
        (L::Date, L::Timestamp { zone, .. }) => *zone == Zone::None,
        _ => false,
    };
    same.then(|| (column.target.clone(), column.to.clone()))
}

/// True for a bound that the target can read as a value of that type. MySQL keeps days that no calendar has.
fn is_literal(value: &KeyValue, logical: &LogicalType) -> bool {
    let text = match value {
        KeyValue::Int(_) => return true,
        KeyValue::Text(text) => text,
        KeyValue::Bytes(_) => return false,
    };
    if !matches!(logical, LogicalType::Date | LogicalType::Timestamp { .. }) {
        return true;
    }
    let day = text.split(' ').next().unwrap_or_default();
    let mut parts = day.splitn(3, '-').map(str::parse::<i64>);
    let (Some(Ok(year)), Some(Ok(month)), Some(Ok(day))) = (parts.next(), parts.next(), parts.next()) else { return false };
    year > 0 && civil::to_days(year, month, day).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_that_no_calendar_has_bounds_nothing() {
        let is = |text: &str, logical: &LogicalType| is_literal(&KeyValue::Text(text.into()), logical);
        let stamp = LogicalType::Timestamp { fsp: 6, zone: Zone::None };
        assert!(is("2024-02-29", &LogicalType::Date) && is("2024-02-29 23:59:59.000000", &stamp));
        for bad in ["0000-00-00", "2024-00-15", "2024-02-31", "0000-01-01", "x"] {
            assert!(!is(bad, &LogicalType::Date) && !is(&format!("{bad} 00:00:00"), &stamp), "{bad}");
        }
        assert!(is("12.50", &LogicalType::Decimal { precision: 10, scale: 2 }));
        assert!(!is_literal(&KeyValue::Bytes(b"a".to_vec()), &LogicalType::Text { length: None }));
    }
}
