//! The turn of a chunk that was opened ahead: only so many take memory for rows at a time, however many are under way.
//!
//! A reader that is ahead has asked for its rows, and reads none of them before its turn; the server waits, and the kernel's buffers hold what
//! is under way. Who waits for a turn holds no part of the budget, and who has one waits for nothing that others hold: its transaction is
//! open, and its reader is its own. So turns add no deadlock to the budget's rules.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use futures::future::BoxFuture;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// What a turn waits for once it is the next one.
type Pass = dyn Fn() -> BoxFuture<'static, ()> + Send + Sync;

/// All turns of a run. Cheap to clone.
#[derive(Clone)]
pub struct Turns(Arc<All>);

struct All {
    permits: Arc<Semaphore>,
    pass: Box<Pass>,
}

impl fmt::Debug for Turns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Turns({} free)", self.0.permits.available_permits())
    }
}

impl Turns {
    /// So many at a time; each waits for `pass` before it begins.
    pub fn new(at_a_time: usize, pass: impl Fn() -> BoxFuture<'static, ()> + Send + Sync + 'static) -> Self {
        Turns(Arc::new(All { permits: Arc::new(Semaphore::new(at_a_time.max(1))), pass: Box::new(pass) }))
    }

    /// The turn of one more chunk.
    pub fn next(&self) -> Turn {
        Turn { turns: self.clone(), state: Arc::default() }
    }
}

#[derive(Debug, Default)]
enum State {
    #[default]
    Waiting,
    Begun(#[expect(dead_code, reason = "held until it is dropped")] OwnedSemaphorePermit),
    Ended,
}

/// The turn of one chunk. Clones are the same turn.
#[derive(Debug, Clone)]
pub struct Turn {
    turns: Turns,
    state: Arc<Mutex<State>>,
}

impl Turn {
    /// Waits for the turn; at once if it has begun, or has ended. The caller holds no part of a budget.
    pub async fn begin(&self) {
        if !matches!(*self.lock(), State::Waiting) {
            return;
        }
        // The semaphore is never closed; a chunk without a permit would go uncounted, which is no reason to lose it.
        let Ok(permit) = Arc::clone(&self.turns.0.permits).acquire_owned().await else { return };
        (self.turns.0.pass)().await;
        let mut state = self.lock();
        if matches!(*state, State::Waiting) {
            *state = State::Begun(permit);
        }
    }

    /// Gives the turn to the next one; it never begins again.
    pub fn end(&self) {
        *self.lock() = State::Ended;
    }

    /// Ends the turn when what is returned is dropped.
    pub fn guard(&self) -> TurnGuard {
        TurnGuard(self.clone())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// See [`Turn::guard`].
#[derive(Debug)]
pub struct TurnGuard(Turn);

impl Drop for TurnGuard {
    fn drop(&mut self) {
        self.0.end();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    async fn waits(turn: &Turn) -> bool {
        tokio::time::timeout(Duration::from_millis(20), turn.begin()).await.is_err()
    }

    #[tokio::test]
    async fn the_next_one_begins_when_one_has_ended() {
        let turns = Turns::new(2, || Box::pin(async {}));
        let [one, two, three] = [turns.next(), turns.next(), turns.next()];
        one.begin().await;
        two.begin().await;
        two.begin().await;
        assert!(waits(&three).await);
        drop(one.guard());
        assert!(!waits(&three).await);
    }

    #[tokio::test]
    async fn one_that_has_ended_takes_nothing() {
        let turns = Turns::new(1, || Box::pin(async {}));
        let (one, two) = (turns.next(), turns.next());
        one.end();
        one.begin().await;
        assert!(!waits(&two).await);
        // One that waits when it ends gives back what it gets.
        let three = turns.next();
        let waiting = tokio::spawn({
            let three = three.clone();
            async move { three.begin().await }
        });
        tokio::task::yield_now().await;
        three.end();
        two.end();
        waiting.await.unwrap();
        assert!(!waits(&turns.next()).await);
    }
}
