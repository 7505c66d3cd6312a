//! No more than so many bytes of source data a second, over all jobs.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::progress::{Event, Progress};

/// Longest wait without a word, so that a slow run is not taken for one that hangs.
const WORD_EVERY: Duration = Duration::from_secs(1);

/// Holds batches up. Who comes first goes first.
#[derive(Debug)]
pub struct Rate {
    bytes_per_second: Option<u64>,
    schedule: Mutex<Schedule>,
    waited_us: AtomicU64,
}

/// When the next batch may go.
#[derive(Debug, Default)]
struct Schedule(Option<Instant>);

impl Schedule {
    /// When a batch may go that comes now: when those before it would have passed at the rate.
    fn next(&mut self, bytes: usize, rate: u64, now: Instant) -> Instant {
        let cost = u128::from(u64::try_from(bytes).unwrap_or(u64::MAX)) * 1_000_000 / u128::from(rate.max(1));
        let cost = Duration::from_micros(u64::try_from(cost).unwrap_or(u64::MAX));
        // What was not used is not saved up: a burst is what a rate is to prevent.
        let at = self.0.map_or(now, |next| next.max(now));
        self.0 = at.checked_add(cost).or(Some(at));
        at
    }
}

impl Rate {
    /// A rate, or none.
    pub fn new(bytes_per_second: Option<u64>) -> Self {
        let bytes_per_second = bytes_per_second.filter(|rate| *rate > 0);
        Rate { bytes_per_second, schedule: Mutex::default(), waited_us: AtomicU64::new(0) }
    }

    /// Waits until a batch of so many bytes may go.
    pub async fn pass(&self, bytes: usize, progress: &Progress) {
        let Some(rate) = self.bytes_per_second else { return };
        let until = self.schedule.lock().unwrap_or_else(PoisonError::into_inner).next(bytes, rate, Instant::now());
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            let slice = left.min(WORD_EVERY);
            tokio::time::sleep(slice).await;
            self.waited_us.fetch_add(u64::try_from(slice.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
            progress.emit(Event::Throttled { seconds: slice.as_secs_f64() });
        }
    }

    /// Seconds that jobs have waited, all of them added up.
    pub fn waited_seconds(&self) -> f64 {
        Duration::from_micros(self.waited_us.load(Ordering::Relaxed)).as_secs_f64()
    }

    /// The rate, in bytes per second.
    pub fn bytes_per_second(&self) -> Option<u64> {
        self.bytes_per_second
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_of_all_jobs_take_their_time_and_nothing_is_saved_up() {
        let mut schedule = Schedule::default();
        let began = Instant::now();
        let seconds = |at: Instant| at.saturating_duration_since(began).as_secs_f64();
        let at: Vec<f64> = (0..4).map(|_| seconds(schedule.next(500, 1000, began))).collect();
        assert_eq!(at, [0.0, 0.5, 1.0, 1.5]);
        let later = began + Duration::from_secs(100);
        assert_eq!(seconds(schedule.next(3000, 1000, later)), 100.0);
        assert_eq!(seconds(schedule.next(1, 1000, later)), 103.0);
        assert_eq!(seconds(schedule.next(usize::MAX, 1, later)), 103.001);
    }

    #[tokio::test]
    async fn without_a_rate_nobody_waits() {
        let rate = Rate::new(None);
        rate.pass(usize::MAX, &Progress::silent()).await;
        rate.pass(usize::MAX, &Progress::silent()).await;
        assert!(rate.waited_seconds() < f64::EPSILON);
    }
}
