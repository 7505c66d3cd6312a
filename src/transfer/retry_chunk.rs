//! Trying again what may pass by itself: a lost connection, a server that restarts, a deadlock, a lock that cannot be had.
//!
//! Which kinds those are stands in [`crate::advice`]. What is tried is always whole: a chunk in one new transaction, a statement that is safe
//! to repeat. Between two tries there is a pause that grows, and is drawn by lot, so that the workers that a server has lost all at once do
//! not come back all at once. The patience is counted from the first failure, and a person sets it.

use std::hash::{BuildHasher, Hasher};
use std::time::{Duration, Instant};

use crate::advice::{Retry, advice};
use crate::error::{Error, ErrorKind, Result};
use crate::model::unit::{Receipt, WorkUnit};
use crate::progress::{Event, Progress};

use super::execute::{Hands, execute};

/// The pause before the second try. A deadlock has passed by then.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
/// The longest pause: a server that is back is noticed within it.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// The tries of one piece of work.
pub(super) struct Tries {
    patience: Duration,
    failed: Option<Instant>,
    count: u32,
}

impl Tries {
    /// None so far.
    pub(super) fn new(patience: Duration) -> Self {
        Tries { patience, failed: None, count: 0 }
    }

    /// The pause before the next try, after a try that ended with `error`.
    ///
    /// # Errors
    /// `error`, when it does not pass by itself, or the patience is over.
    pub(super) fn again(&mut self, error: Error) -> Result<(Duration, Error)> {
        if advice(error.kind()).retry == Retry::Never {
            return Err(error);
        }
        let since = *self.failed.get_or_insert_with(Instant::now);
        let pause = jittered(FIRST_PAUSE.saturating_mul(2u32.saturating_pow(self.count)).min(LONGEST_PAUSE));
        self.count = self.count.saturating_add(1);
        if since.elapsed() + pause > self.patience {
            return Err(self.given_up(error, since));
        }
        Ok((pause, error))
    }

    /// True once a try has failed.
    fn has_failed(&self) -> bool {
        self.count > 0
    }

    fn given_up(&self, error: Error, since: Instant) -> Error {
        if self.patience.is_zero() {
            return error;
        }
        let patience = since.elapsed().as_secs();
        error.hint(format!(
            "It was tried {} times in {patience} seconds. Run the same command again with `--resume`; `--retry-for` sets how long a run tries \
             by itself",
            self.count
        ))
    }
}

/// Between half of it and all of it.
fn jittered(pause: Duration) -> Duration {
    // Its keys are random: no crate is needed for a die.
    let die = std::hash::RandomState::new().build_hasher().finish() % 1024;
    let half = pause / 2;
    half + half * u32::try_from(die).unwrap_or(0) / 1024
}

/// Does `work` until it succeeds, it fails for good, or the patience is over. `name` is what notes call it.
///
/// # Errors
/// The last one.
pub(super) async fn persist<T, F>(patience: Duration, progress: &Progress, name: &str, mut work: impl FnMut() -> F) -> Result<T>
where
    F: Future<Output = Result<T>>,
{
    let mut tries = Tries::new(patience);
    loop {
        match work().await {
            Ok(done) => return Ok(done),
            Err(error) => {
                let (pause, error) = tries.again(error)?;
                progress.emit(Event::Note { text: format!("{name} is tried again: {error}") });
                tokio::time::sleep(pause).await;
            }
        }
    }
}

/// Carries one chunk, again and again if need be.
///
/// # Errors
/// The last one of [`execute`].
pub(super) async fn carry(unit: &WorkUnit, hands: &Hands, patience: Duration) -> Result<Receipt> {
    let mut tries = Tries::new(patience);
    loop {
        let result = if tries.has_failed() { once_more(unit, hands).await } else { execute(unit, hands).await };
        match result {
            Ok(receipt) => return Ok(receipt),
            Err(error) => {
                let (pause, error) = tries.again(error)?;
                let error = error.hide_keys(hands.hides_keys());
                let text = format!("chunk {} of `{}` is tried again: {error}", unit.chunk.id, hands.mapped.label());
                hands.progress.emit(Event::Note { text });
                tokio::time::sleep(pause).await;
            }
        }
    }
}

/// A connection that was lost in its commit leaves open whether that took place: the ledger knows, now or once the lost session has ended.
/// It is asked before the source is, so a target that is away costs the source no reading.
async fn once_more(unit: &WorkUnit, hands: &Hands) -> Result<Receipt> {
    if let Some(receipt) = committed(unit, hands).await? {
        return Ok(receipt);
    }
    match execute(unit, hands).await {
        Err(error) if error.kind() == ErrorKind::Ledger => committed(unit, hands).await?.ok_or(error),
        result => result,
    }
}

async fn committed(unit: &WorkUnit, hands: &Hands) -> Result<Option<Receipt>> {
    let receipts = hands.sink.ledger().receipts(unit.run).await?;
    let own = receipts.into_iter().find(|receipt| receipt.table == unit.target && receipt.chunk == unit.chunk.id);
    if let Some(receipt) = &own {
        hands.rejected.fetch_add(receipt.rejected, std::sync::atomic::Ordering::AcqRel);
    }
    Ok(own)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lost() -> Error {
        Error::new(ErrorKind::ConnectionLost, "gone")
    }

    #[test]
    fn pauses_grow_up_to_a_bound_and_are_drawn_by_lot() {
        let mut tries = Tries::new(Duration::from_secs(3600));
        let pauses: Vec<Duration> = (0..12).map(|_| tries.again(lost()).unwrap().0).collect();
        assert!(pauses[0] >= FIRST_PAUSE / 2 && pauses[0] <= FIRST_PAUSE, "{pauses:?}");
        assert!(pauses[11] >= LONGEST_PAUSE / 2 && pauses[11] <= LONGEST_PAUSE, "{pauses:?}");
        let drawn: std::collections::HashSet<Duration> = (0..20).map(|_| jittered(LONGEST_PAUSE)).collect();
        assert!(drawn.len() > 10, "{drawn:?}");
    }

    #[test]
    fn what_does_not_pass_is_not_tried_again_and_neither_is_anything_without_patience() {
        let mut tries = Tries::new(Duration::from_secs(3600));
        assert_eq!(tries.again(Error::new(ErrorKind::DiskFull, "full")).unwrap_err().kind(), ErrorKind::DiskFull);
        assert_eq!(tries.again(Error::new(ErrorKind::TooLarge, "large")).unwrap_err().kind(), ErrorKind::TooLarge);
        assert_eq!(Tries::new(Duration::ZERO).again(lost()).unwrap_err().what(), "gone");
    }

    #[tokio::test]
    async fn work_is_done_until_it_succeeds() {
        let progress = Progress::silent();
        let mut count = 0;
        let done = persist(Duration::from_secs(3600), &progress, "it", || {
            count += 1;
            let so_far = count;
            async move { if so_far < 3 { Err(lost()) } else { Ok(so_far) } }
        });
        assert_eq!(done.await.unwrap(), 3);
    }
}
