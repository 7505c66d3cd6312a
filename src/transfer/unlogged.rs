//! Tables without a log of their own: faster to load, and empty after a crash of the target, while the receipts of their rows still stand.
//!
//! So nothing is tried again that a crash may have ended, and a run whose tables have rows but no log is not gone on with. They get their
//! log before their indexes, which a mark in the ledger says; from then on the run is one like any other.

use std::time::Duration;

use crate::error::{Error, ErrorKind, Result};
use crate::model::unit::Receipt;
use crate::model::{ObjectName, RunId};
use crate::plan::Plan;

/// The mark in the ledger once each table has its log.
pub(super) const LOGGED: &str = "logged";

/// How long a chunk is tried again.
pub(super) fn patience(plan: &Plan, wanted: Duration) -> Duration {
    if plan.choices.unlogged { Duration::ZERO } else { wanted }
}

/// Refuses to go on with a run whose rows a crash may have taken.
///
/// # Errors
/// `Ledger`.
pub(super) fn refuse(run: RunId, plan: &Plan, marks: &[(ObjectName, String)], receipts: &[Receipt]) -> Result<()> {
    if !plan.choices.unlogged || receipts.is_empty() || marks.iter().any(|(_, mark)| mark == LOGGED) {
        return Ok(());
    }
    let what = format!(
        "the run {run} was begun with `unlogged` and stopped before its tables had a log: a crash of the target would have emptied them, and \
         the ledger would not know"
    );
    Err(Error::new(ErrorKind::Ledger, what).hint(format!(
        "Give the run up with `dbferry abandon {run} TARGET` and begin again; without `unlogged` it may be gone on with"
    )))
}
