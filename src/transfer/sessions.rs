//! How many sessions a run opens, and whether the servers have them.

use crate::engine::{Sink, Source, distance};
use crate::error::{Error, ErrorKind, Result};
use crate::progress::{Event, Progress};

/// Sessions beside those that carry rows, on each server at most. The source: the catalog, the lock of the snapshot, pauses, and the question
/// what a run waits for; spare readers are only opened where the source has enough left. The target: the ledger, the lease, pauses (or the holder of the re-read's snapshot), and that question.
const BESIDE: u64 = 4;

/// Fewest further sessions that a run comes to its end with: one that carries rows, and two beside it.
const LEAST: u64 = 3;

/// Refuses a run for which a server has too few sessions left, and says so where it has fewer than would be used. Gives how many chunks are
/// opened ahead of their turn: none unless a server is far, and no more than both servers have sessions for.
///
/// # Errors
/// `TooManyConnections`.
pub(super) async fn check(jobs: usize, source: &dyn Source, sink: &dyn Sink, progress: &Progress) -> Result<usize> {
    // One on each side is open, and asks.
    let wanted = u64::try_from(jobs).unwrap_or(u64::MAX).saturating_add(BESIDE) - 1;
    let mut ahead = distance::ahead(source.round_trip().max(sink.round_trip()));
    for (side, free) in [("source", source.free_sessions().await?), ("target", sink.free_sessions().await?)] {
        let Some(free) = free else { continue };
        if free < LEAST {
            let what = format!("the {side} takes {free} more sessions of this user, and a run needs {LEAST}");
            return Err(
                Error::new(ErrorKind::TooManyConnections, what).hint("Free connections on the server, or raise its limit")
            );
        }
        if free < wanted {
            let text = format!(
                "the {side} takes {free} more sessions, and the run opens up to {wanted}: with `--jobs {}` it leaves none to others",
                free.saturating_sub(BESIDE - 1).max(1)
            );
            progress.emit(Event::Note { text });
        }
        // Others are left at least as many as the run takes.
        let spare = usize::try_from(free.saturating_sub(wanted) / 2).unwrap_or(usize::MAX);
        ahead = ahead.min(spare);
    }
    Ok(ahead)
}
