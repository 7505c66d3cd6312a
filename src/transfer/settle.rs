//! The end of the copying: every receipt that a commit has promised is asked for once more, when nothing can take it back.
//!
//! A chunk's commit does not wait for the disk: rows and receipt are lost together, or not at all. A server that crashes in the midst may so
//! forget chunks that it has acknowledged, and a run that outlives the crash must not go on as if they were there.

use std::collections::HashSet;

use crate::engine::Sink;
use crate::error::{Error, ErrorKind, Result};
use crate::model::{ObjectName, RunId};
use crate::plan::Plan;

use super::copy::Account;

/// Makes all commits so far durable, and compares the receipts with the accounts.
///
/// # Errors
/// `ConnectionLost` when receipts are missing: a resume carries their chunks again.
pub(super) async fn settle(run: RunId, plan: &Plan, sink: &dyn Sink, accounts: &[Account]) -> Result<()> {
    let receipts = sink.ledger().settle(run).await?;
    let there: HashSet<(&ObjectName, u32)> = receipts.iter().map(|receipt| (&receipt.table, receipt.chunk)).collect();
    for (table, account) in plan.tables.iter().zip(accounts) {
        let chunks = &table.chunks.chunks;
        let found = chunks.iter().filter(|chunk| there.contains(&(table.target(), chunk.id))).count();
        let expected = chunks.len().saturating_sub(account.left);
        if found < expected {
            let what = format!("the target has forgotten {} chunks that it had acknowledged: it was restarted", expected - found);
            return Err(Error::new(ErrorKind::ConnectionLost, what).table(table.target()));
        }
    }
    Ok(())
}
