//! Statements about many small tables, several to a transaction and to a message: what a schema of hundreds of tables waits for is
//! the way to the server and back, and the disk at each commit.

use crate::engine::{Ddl, DdlPhase, Sink};
use crate::error::Result;
use crate::failpoint;
use crate::progress::{Event, Progress};

use super::statements::points;
use super::stop::Stop;

/// Tables of no more bytes in the source are small: their keys are built in a moment.
pub(super) const SMALL_BYTES: u64 = 4 << 20;

/// Statements that go together at most: each table that a transaction makes or changes takes a few entries of the server's table of locks.
const TOGETHER: usize = 32;

/// Shares that each worker gets at least, so that all of them have something to do to the end.
const SHARES: usize = 4;

/// Joins neighbouring groups that are `light`; the others stay as they are. With few groups nothing is joined.
pub(super) fn together(groups: Vec<Vec<Ddl>>, workers: usize, light: impl Fn(&[Ddl]) -> bool) -> Vec<Vec<Ddl>> {
    let most = (groups.len() / (workers.max(1) * SHARES)).min(TOGETHER);
    let mut joined: Vec<(bool, Vec<Ddl>)> = Vec::new();
    for group in groups {
        let is_light = light(&group);
        match joined.last_mut() {
            Some((true, last)) if is_light && last.len() + group.len() <= most => last.extend(group),
            _ => joined.push((is_light, group)),
        }
    }
    joined.into_iter().map(|(_, group)| group).collect()
}

/// Runs statements that [`together`] has joined in one transaction. False if nothing was done: they are of one table, or one of them failed, so
/// that they are to be run one by one, and tell. What is put back or rewritten,
/// and foreign keys, which lock two tables each, are never joined.
///
/// # Errors
/// `Interrupted`. A connection that is lost is one of the failures: one by one, the statements are tried again.
pub(super) async fn done_at_once(group: &[Ddl], sink: &dyn Sink, stop: &Stop, progress: &Progress) -> Result<bool> {
    let Some(first) =
        group.first().filter(|first| !matches!(first.phase, DdlPhase::Restore | DdlPhase::Logged | DdlPhase::ForeignKeys))
    else {
        return Ok(false);
    };
    if group.iter().all(|other| other.table == first.table) {
        return Ok(false);
    }
    let (before, after) = points(first.phase);
    group.iter().for_each(|_| failpoint::reached(before));
    let result = stop.unless_stopped(sink.apply_all(group)).await;
    match result {
        Ok(()) => {
            for statement in group {
                failpoint::reached(after);
                progress.emit(Event::StepStarted { step: statement.object.clone() });
                progress.emit(Event::StepFinished { step: statement.object.clone(), error: None });
            }
            Ok(true)
        }
        Err(error) if stop.reason().is_some() => Err(error),
        Err(error) => {
            tracing::debug!(%error, "statements together have failed; they are run one by one");
            Ok(false)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn statements(count: usize) -> Vec<Vec<Ddl>> {
        let one = |number: usize| Ddl {
            phase: DdlPhase::Tables,
            table: None,
            object: number.to_string(),
            sql: String::new(),
            exists_sql: None,
        };
        (0..count).map(|number| vec![one(number)]).collect()
    }

    #[test]
    fn few_statements_stay_alone() {
        assert_eq!(together(statements(9), 2, |_| true).len(), 9);
    }

    #[test]
    fn many_are_joined_in_their_order_and_all_of_them_stay() {
        let joined = together(statements(500), 2, |_| true);
        assert!(joined.iter().all(|group| group.len() <= TOGETHER));
        assert!(joined.len() < 20, "{}", joined.len());
        let order: Vec<String> = joined.into_iter().flatten().map(|ddl| ddl.object).collect();
        assert_eq!(order, (0..500).map(|number| number.to_string()).collect::<Vec<_>>());
    }

    #[test]
    fn heavy_ones_stay_alone() {
        let joined = together(statements(500), 2, |group| group.iter().all(|ddl| ddl.object != "250"));
        assert!(joined.iter().any(|group| group.len() == 1 && group[0].object == "250"));
    }
}
