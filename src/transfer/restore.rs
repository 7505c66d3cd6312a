//! Putting back what was set aside of tables that stand: triggers that were switched off, indexes that were dropped.
//!
//! The plan in the ledger holds how, from before the first of them was set aside. So nothing is lost with a coordinator: `--resume` puts
//! it back, and a new run into such a table is refused until that is done.

use crate::engine::{Ddl, DdlPhase, Sink};
use crate::error::{Error, ErrorKind, Result};
use crate::ledger::RunRecord;
use crate::model::ObjectName;
use crate::plan::Plan;

/// The mark in the ledger once all is as it was.
pub(super) const RESTORED: &str = "restored";

/// What a plan sets aside, for people; none if nothing.
pub(super) fn told(plan: &Plan) -> Option<String> {
    let mut objects: Vec<String> = plan
        .statements(DdlPhase::Restore)
        .map(|ddl| match &ddl.table {
            Some(table) => format!("{} of {table}", ddl.object),
            None => ddl.object.clone(),
        })
        .collect();
    objects.dedup();
    (!objects.is_empty()).then(|| objects.join(", "))
}

/// The statements of one table together, in their order.
pub(super) fn groups(plan: &Plan) -> Vec<Vec<Ddl>> {
    let mut groups: Vec<Vec<Ddl>> = Vec::new();
    for ddl in plan.statements(DdlPhase::Restore) {
        match groups
            .iter_mut()
            .find(|group| group.first().is_some_and(|first| first.table == ddl.table && first.object == ddl.object))
        {
            Some(group) => group.push(ddl.clone()),
            None => groups.push(vec![ddl.clone()]),
        }
    }
    groups
}

/// Refuses a run into tables of which another one has set something aside and not put it back: the plan would take that for how they are.
///
/// # Errors
/// `Ledger`, one for each such run, with the statements that put it back.
pub(super) async fn refuse_unrestored(plan: &Plan, runs: &[RunRecord], sink: &dyn Sink) -> Result<()> {
    let targets: Vec<&ObjectName> = plan.tables.iter().map(crate::plan::TablePlan::target).collect();
    let mut faults = Vec::new();
    for record in runs {
        // A plan of another version sets nothing aside.
        let Ok(theirs) = serde_json::from_value::<Plan>(record.plan.clone()) else { continue };
        let back = theirs.statements(DdlPhase::Restore);
        let back: Vec<&Ddl> = back.filter(|ddl| ddl.table.as_ref().is_some_and(|table| targets.contains(&table))).collect();
        if back.is_empty() || sink.ledger().marks(record.run).await?.iter().any(|(_, mark)| mark == RESTORED) {
            continue;
        }
        let mut away = Vec::new();
        for ddl in back {
            if !sink.stands(ddl).await? {
                away.push(ddl);
            }
        }
        let Some(first) = away.first() else { continue };
        let objects: Vec<&str> = away.iter().map(|ddl| ddl.object.as_str()).collect();
        let what = format!("the run {} has set aside what it has not put back: {}", record.run, objects.join(", "));
        let sql: Vec<String> = away.iter().map(|ddl| format!("{};", ddl.sql)).collect();
        let mut error = Error::new(ErrorKind::Ledger, what)
            .hint(format!("Go on with that run by `--resume`, or put it back by hand:\n{}", sql.join("\n")));
        if let Some(table) = &first.table {
            error = error.table(table);
        }
        faults.push(error);
    }
    Error::many(faults).map_or(Ok(()), Err)
}
