//! What stood in the tables that rows are added to: read before the first row is added, and kept in the ledger.
//!
//! The digest of a table is a sum over its rows, so what is there at the end must be what stood there plus what was sent. A resumed
//! run takes what the first attempt has stored: read again, it would count rows of its own.

use std::collections::HashMap;

use crate::config::VerifyLevel;
use crate::engine::Sink;
use crate::error::{Error, ErrorKind, Result};
use crate::failpoint;
use crate::model::unit::Receipt;
use crate::model::{Digest, ObjectName, RunId};
use crate::plan::Plan;
use crate::progress::{Event, Progress};
use crate::verify::facts::{Asking, of_target};

/// The mark in the ledger, followed by the rows and their digest: `stood 12 9f3a…`.
const STOOD: &str = "stood";

/// What stood in each table that rows are added to, by its name in the target.
pub type Baselines = HashMap<ObjectName, Digest>;

/// Reads what the ledger has, and reads and stores what it has not.
///
/// # Errors
/// `Ledger` when rows were added before their table was read, or when two coordinators have read different things; what the target says.
pub async fn baselines(
    run: RunId,
    plan: &Plan,
    sink: &dyn Sink,
    receipts: &[Receipt],
    marks: &[(ObjectName, String)],
    asking: &Asking,
) -> Result<Baselines> {
    let level = asking.level.min(VerifyLevel::Digest);
    let mut known = stored(marks)?;
    let mut wanted: Vec<usize> = plan
        .leads()
        .into_iter()
        .filter(|place| plan.tables[*place].append && !known.contains_key(plan.tables[*place].target()))
        .collect();
    if level == VerifyLevel::None || wanted.is_empty() {
        return Ok(known);
    }
    if let Some(table) = wanted.iter().map(|place| plan.tables[*place].target()).find(|table| has_rows(table, receipts)) {
        let what = "rows were added before it was known what stood there";
        return Err(Error::new(ErrorKind::Ledger, what).table(table).hint("Take them out by hand, and begin a new run"));
    }
    asking.progress.emit(Event::Note { text: format!("reading what stands in {} tables that rows are added to", wanted.len()) });
    // Its rows are no part of the copy that the view shows.
    let quiet = Asking { level, progress: Progress::silent(), ..asking.clone() };
    let read_back = asking.stop.unless_stopped(sink.read_back(asking.jobs)).await?;
    // Asked again after the view was taken: what no other coordinator has stored by now, none has added to in this view.
    known = stored(&sink.ledger().marks(run).await?)?;
    wanted.retain(|place| !known.contains_key(plan.tables[*place].target()));
    let facts = of_target(plan, &read_back, None, &wanted, &quiet).await?;
    drop(read_back);
    for place in wanted {
        let (table, facts) = (plan.tables[place].target(), &facts[place]);
        if let Some(error) = facts.errors.first() {
            let what = format!("what stands there could not be read, and nothing was added: {error}");
            return Err(Error::new(ErrorKind::Verification, what).table(table));
        }
        let rows = facts.rows.unwrap_or_default();
        let stood = facts.digest.unwrap_or(Digest { rows, sum: 0 });
        if stood.rows != rows {
            let what = format!("{rows} rows were counted and {} read in one snapshot", stood.rows);
            return Err(Error::new(ErrorKind::Verification, what).table(table));
        }
        failpoint::reached(failpoint::BASELINE_READ);
        sink.ledger().mark(run, table, &format!("{STOOD} {} {stood}", stood.rows)).await?;
        failpoint::reached(failpoint::BASELINE_STORED);
        known.insert(table.clone(), stood);
    }
    // Another coordinator may have stored its own meanwhile; it must be the same.
    stored(&sink.ledger().marks(run).await?)?;
    Ok(known)
}

fn has_rows(table: &ObjectName, receipts: &[Receipt]) -> bool {
    receipts.iter().any(|receipt| receipt.table == *table)
}

/// The baselines among the marks of a run.
///
/// # Errors
/// `Ledger` for a mark that cannot be read, and when two coordinators have read different things.
pub fn stored(marks: &[(ObjectName, String)]) -> Result<Baselines> {
    let mut all = Baselines::new();
    for (table, mark) in marks {
        let Some(payload) = mark.strip_prefix(STOOD).and_then(|rest| rest.strip_prefix(' ')) else { continue };
        let digest = payload
            .split_once(' ')
            .and_then(|(rows, sum)| Some(Digest { rows: rows.parse().ok()?, sum: u128::from_str_radix(sum, 16).ok()? }));
        let digest =
            digest.ok_or_else(|| Error::new(ErrorKind::Ledger, format!("the mark `{mark}` cannot be read")).table(table))?;
        if all.insert(table.clone(), digest).is_some_and(|other| other != digest) {
            let what = "two coordinators of this run have found different rows there: somebody else has changed them";
            return Err(Error::new(ErrorKind::Ledger, what).table(table).hint("Take out what was added, and begin a new run"));
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stood_there_comes_back_from_its_mark() {
        let table = ObjectName::new("public", "t");
        let digest = Digest { rows: 3, sum: u128::MAX - 7 };
        let marks = vec![(table.clone(), format!("{STOOD} {} {digest}", digest.rows)), (table.clone(), "verified".to_string())];
        assert_eq!(stored(&marks).unwrap()[&table], digest);
        let other = vec![marks[0].clone(), (table.clone(), format!("{STOOD} 4 {digest}"))];
        assert_eq!(stored(&other).unwrap_err().kind(), ErrorKind::Ledger);
        assert!(stored(&[(table, format!("{STOOD} x y"))]).is_err());
    }
}
