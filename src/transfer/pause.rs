//! Waiting for servers that have it hard: no chunk is begun while one shows more than its threshold.
//!
//! A chunk that has begun goes on to its end, since it holds a transaction open on the target.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::config::Pause;
use crate::engine::{Gauge, Sink, Source, Strain};
use crate::error::Result;
use crate::progress::{Event, Progress};
use crate::report::PauseReport;

/// How often servers are asked.
const ASK_EVERY: Duration = Duration::from_secs(2);
/// Checkpoints are counted over this long.
const WINDOW: Duration = Duration::from_secs(60);

/// How long an undo history may be waited for that does not shrink.
const HISTORY_PATIENCE: Duration = Duration::from_secs(60);

/// A history that grew by fewer transactions is purged in seconds.
const GROWN_BY: u64 = 100_000;

/// Where the beginning of a chunk waits.
#[derive(Clone)]
pub struct Gate(Option<watch::Receiver<State>>);

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Unknown,
    Open,
    Closed,
}

impl Gate {
    /// Waits while a server has it hard.
    pub async fn pass(&self) {
        if let Some(state) = &self.0 {
            // Who asked is gone at the end of the run: nothing is waited for.
            let _ = state.clone().wait_for(|state| *state == State::Open).await;
        }
    }
}

/// Asks both servers, until it is dropped.
pub struct Watcher {
    task: Option<JoinHandle<()>>,
    gate: Gate,
    pauses: Arc<Mutex<Pauses>>,
    progress: Progress,
}

#[derive(Default)]
struct Pauses {
    over: Vec<PauseReport>,
    /// Since when, and why.
    now: Option<(Instant, String)>,
}

impl Watcher {
    /// Begins to ask, if there are thresholds.
    pub fn start(thresholds: Pause, source: Arc<dyn Source>, sink: Arc<dyn Sink>, progress: Progress) -> Self {
        let pauses: Arc<Mutex<Pauses>> = Arc::default();
        if thresholds == Pause::default() {
            return Watcher { task: None, gate: Gate(None), pauses, progress };
        }
        let (state, gate) = watch::channel(State::Unknown);
        let (own, told) = (Arc::clone(&pauses), progress.clone());
        let task = tokio::spawn(async move {
            let mut sides = [
                Side::new(Server::Source(source), of_source(&thresholds)),
                Side::new(Server::Target(sink), of_target(&thresholds)),
            ];
            loop {
                let mut why = Vec::new();
                for side in &mut sides {
                    why.extend(side.above(&progress).await);
                }
                let closed = !why.is_empty();
                turn(&own, closed.then(|| why.join(", ")), Instant::now(), &progress);
                // Told only when it changes; without a listener the task is about to end.
                state.send_if_modified(|state| {
                    let now = if closed { State::Closed } else { State::Open };
                    std::mem::replace(state, now) != now
                });
                tokio::time::sleep(ASK_EVERY).await;
            }
        });
        Watcher { task: Some(task), gate: Gate(Some(gate)), pauses, progress: told }
    }

    /// Where chunks wait.
    pub fn gate(&self) -> Gate {
        self.gate.clone()
    }

    /// Ends it, and tells the pauses that there were.
    pub fn end(self) -> Vec<PauseReport> {
        if let Some(task) = &self.task {
            task.abort();
        }
        turn(&self.pauses, None, Instant::now(), &self.progress);
        let mut pauses = self.pauses.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut pauses.over)
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

/// Notes what is, and tells of what has changed.
fn turn(pauses: &Mutex<Pauses>, why: Option<String>, now: Instant, progress: &Progress) {
    let mut pauses = pauses.lock().unwrap_or_else(PoisonError::into_inner);
    match (why, pauses.now.is_some()) {
        (Some(why), false) => {
            pauses.now = Some((now, why.clone()));
            progress.emit(Event::Paused { why });
        }
        (None, true) => {
            if let Some(seconds) = close(&mut pauses, now) {
                progress.emit(Event::Resumed { seconds });
            }
        }
        _ => {}
    }
}

/// Ends the pause that there is; its seconds.
fn close(pauses: &mut Pauses, now: Instant) -> Option<f64> {
    let (since, why) = pauses.now.take()?;
    let seconds = now.saturating_duration_since(since).as_secs_f64();
    pauses.over.push(PauseReport { why, seconds });
    Some(seconds)
}

enum Server {
    Source(Arc<dyn Source>),
    Target(Arc<dyn Sink>),
}

struct Side {
    server: Server,
    thresholds: Vec<(Strain, u64)>,
    gauge: Option<Box<dyn Gauge>>,
    /// What a counter showed, and when.
    counted: VecDeque<(Instant, u64)>,
    /// The shortest undo history of this pause, and since when.
    shortest: Option<(Instant, u64)>,
    /// It was told already that the server does not answer.
    silent: bool,
}

impl Side {
    fn new(server: Server, thresholds: Vec<(Strain, u64)>) -> Self {
        Side { server, thresholds, gauge: None, counted: VecDeque::new(), shortest: None, silent: false }
    }

    /// What is above its threshold.
    async fn above(&mut self, progress: &Progress) -> Vec<String> {
        if self.thresholds.is_empty() {
            return Vec::new();
        }
        match self.read().await {
            Ok(readings) => {
                self.silent = false;
                if let Some(text) = self.give_up_history(&readings, Instant::now()) {
                    progress.emit(Event::Note { text });
                }
                readings.into_iter().filter_map(|(strain, value)| self.judge(strain, value, Instant::now())).collect()
            }
            Err(error) => {
                // A server that cannot be asked is no reason to wait: its own connections tell what is the matter.
                self.gauge = None;
                if !std::mem::replace(&mut self.silent, true) {
                    progress.emit(Event::Note { text: format!("whether to wait for the server cannot be asked: {error}") });
                }
                Vec::new()
            }
        }
    }

    async fn read(&mut self) -> Result<Vec<(Strain, u64)>> {
        let gauge = match &mut self.gauge {
            Some(gauge) => gauge,
            None => {
                let asked: Vec<Strain> = self.thresholds.iter().map(|(strain, _)| *strain).collect();
                let opened = match &self.server {
                    Server::Source(source) => source.gauge(&asked).await?,
                    Server::Target(sink) => sink.gauge(&asked).await?,
                };
                self.gauge.insert(opened)
            }
        };
        gauge.read().await
    }

    /// Drops the threshold of the undo history where waiting only lets it grow, since it is the run's own snapshot that keeps it; says so.
    fn give_up_history(&mut self, readings: &[(Strain, u64)], now: Instant) -> Option<String> {
        let (_, value) = *readings.iter().find(|(strain, _)| *strain == Strain::HistoryLength)?;
        let (_, most) = *self.thresholds.iter().find(|(strain, _)| *strain == Strain::HistoryLength)?;
        if value <= most {
            self.shortest = None;
            return None;
        }
        match self.shortest {
            Some((since, shortest)) if value >= shortest => {
                if now.saturating_duration_since(since) < HISTORY_PATIENCE {
                    return None;
                }
                self.thresholds.retain(|(strain, _)| *strain != Strain::HistoryLength);
                self.gauge = None;
                Some(format!(
                    "the source's undo history ({value} transactions) does not shrink while the run waits, since a snapshot is open that keeps \
                     it: the run goes on, and does not wait for it any more"
                ))
            }
            _ => {
                self.shortest = Some((now, value));
                None
            }
        }
    }

    fn judge(&mut self, strain: Strain, value: u64, now: Instant) -> Option<String> {
        let (_, most) = *self.thresholds.iter().find(|(asked, _)| *asked == strain)?;
        let value = if strain == Strain::ForcedCheckpoints { within_window(&mut self.counted, now, value) } else { value };
        (value > most).then(|| format!("{value} {strain}, where {most} are allowed"))
    }
}

/// How far a counter went within the window.
fn within_window(counted: &mut VecDeque<(Instant, u64)>, now: Instant, value: u64) -> u64 {
    counted.push_back((now, value));
    while counted.front().is_some_and(|(at, _)| now.saturating_duration_since(*at) > WINDOW) {
        counted.pop_front();
    }
    // Statistics that were set back count from there.
    counted.front().map_or(0, |(_, first)| value.saturating_sub(*first))
}

/// The thresholds that are set for the source.
fn of_source(pause: &Pause) -> Vec<(Strain, u64)> {
    let all = [
        (Strain::ReplicaLag, pause.replica_lag),
        (Strain::ThreadsRunning, pause.threads_running),
        (Strain::HistoryLength, pause.history_length),
    ];
    all.into_iter().filter_map(|(strain, most)| Some((strain, most?))).collect()
}

/// The thresholds that are set for the target.
fn of_target(pause: &Pause) -> Vec<(Strain, u64)> {
    pause.checkpoints_per_minute.into_iter().map(|most| (Strain::ForcedCheckpoints, most)).collect()
}

/// Asks each server once what the thresholds need, so that a missing right is known before anything changes.
///
/// # Errors
/// What the servers say; `Unsupported` for what they do not have.
pub async fn check(thresholds: &Pause, source: &dyn Source, sink: &dyn Sink) -> Result<()> {
    let names = |all: Vec<(Strain, u64)>| all.into_iter().map(|(strain, _)| strain).collect::<Vec<_>>();
    let (of_source, of_target) = (names(of_source(thresholds)), names(of_target(thresholds)));
    if !of_source.is_empty() {
        source.gauge(&of_source).await?.read().await?;
    }
    if !of_target.is_empty() {
        sink.gauge(&of_target).await?.read().await?;
    }
    Ok(())
}

/// The source's undo history when the snapshot was taken, and when its rows had been read: it cannot be purged in between.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct History {
    /// Before.
    pub before: u64,
    /// After.
    pub after: u64,
}

/// The history's length before the snapshot, if the source tells.
#[derive(Debug, Clone, Copy, Default)]
pub struct HistoryBefore(Option<u64>);

impl History {
    /// Reads it for the first time. Whoever may not is not told: nobody has asked for it.
    pub async fn begin(source: &dyn Source) -> HistoryBefore {
        HistoryBefore(history(source).await)
    }

    /// True if it has grown by so much that the server feels it.
    pub fn has_grown(&self) -> bool {
        self.after > self.before.saturating_mul(2) && self.after.saturating_sub(self.before) >= GROWN_BY
    }
}

impl HistoryBefore {
    /// Reads it again.
    pub async fn end(self, source: &dyn Source) -> Option<History> {
        Some(History { before: self.0?, after: history(source).await? })
    }
}

async fn history(source: &dyn Source) -> Option<u64> {
    let read = async { source.gauge(&[Strain::HistoryLength]).await?.read().await };
    match read.await {
        Ok(readings) => readings.first().map(|(_, value)| *value),
        Err(error) => {
            tracing::debug!(%error, "the undo history of the source is not watched");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_is_read_over_a_minute() {
        let mut counted = VecDeque::new();
        let began = Instant::now();
        let values = [(0, 100), (25, 102), (50, 104), (75, 104), (100, 104), (110, 3)];
        let seen = values.map(|(second, value)| within_window(&mut counted, began + Duration::from_secs(second), value));
        assert_eq!(seen, [0, 2, 4, 2, 0, 0]);
    }

    #[test]
    fn a_pause_is_told_once_and_has_its_seconds() {
        let pauses = Mutex::default();
        let progress = Progress::silent();
        let began = Instant::now();
        turn(&pauses, Some("5 threads".into()), began, &progress);
        turn(&pauses, Some("7 threads".into()), began + Duration::from_secs(4), &progress);
        turn(&pauses, None, began + Duration::from_secs(8), &progress);
        turn(&pauses, None, began + Duration::from_secs(9), &progress);
        let pauses = pauses.into_inner().unwrap();
        assert_eq!(pauses.over, [PauseReport { why: "5 threads".into(), seconds: 8.0 }]);
    }
}
