//! No hang: a run in which nothing moves for too long names what it waits for, and ends in a state that `--resume` continues.
//!
//! Every event of progress is a move. A server that is busy for us (building an index, sorting) moves too, though it says nothing: the
//! servers are asked before the run gives up.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::config::Settings;
use crate::engine::{Sink, Source, Waiting};
use crate::error::{Error, ErrorKind, Result};
use crate::model::EngineKind;
use crate::progress::{Event, Observer, Phase, Progress, phase_name};

/// Longest wait for a server's word on what it does.
const ASKING: Duration = Duration::from_secs(10);

/// Longest wait before the servers are asked for the second time.
const SECOND_LOOK: Duration = Duration::from_secs(5);

/// Notes when something moved last; passes everything on.
pub struct Moves {
    inner: Progress,
    began: Instant,
    /// Milliseconds since `began`.
    last: AtomicU64,
    stage: Mutex<(Option<Phase>, String)>,
    /// Whether the run waits of its own will.
    paused: AtomicBool,
}

impl Moves {
    /// Wraps `progress`; the second one is what the run is to use.
    pub fn watch(progress: Progress) -> (Arc<Self>, Progress) {
        let moves = Arc::new(Moves {
            inner: progress,
            began: Instant::now(),
            last: AtomicU64::new(0),
            stage: Mutex::new((None, String::new())),
            paused: AtomicBool::new(false),
        });
        let wrapped = Progress::new(Arc::clone(&moves) as Arc<dyn Observer>);
        (moves, wrapped)
    }

    fn moved(&self) {
        let now = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last.store(now, Ordering::Relaxed);
    }

    fn idle(&self) -> Duration {
        if self.paused.load(Ordering::Relaxed) {
            return Duration::ZERO;
        }
        self.began.elapsed().saturating_sub(Duration::from_millis(self.last.load(Ordering::Relaxed)))
    }

    fn stage(&self) -> String {
        let (phase, step) = &*self.stage.lock().unwrap_or_else(PoisonError::into_inner);
        let phase = phase_name(*phase);
        if step.is_empty() { format!("phase {phase}") } else { format!("phase {phase}, at {step}") }
    }
}

impl Observer for Moves {
    fn event(&self, event: &Event) {
        self.moved();
        let mut stage = self.stage.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            Event::Phase { phase, .. } => *stage = (Some(*phase), String::new()),
            Event::StepStarted { step } => stage.1.clone_from(step),
            Event::StepFinished { .. } => stage.1.clear(),
            Event::Paused { .. } => self.paused.store(true, Ordering::Relaxed),
            Event::Resumed { .. } => self.paused.store(false, Ordering::Relaxed),
            Event::TableStarted { table, .. } | Event::Rows { table, .. } => stage.1.clone_from(table),
            _ => {}
        }
        drop(stage);
        self.inner.emit(event.clone());
    }

    fn print(&self, lines: &str) {
        self.inner.print(lines);
    }

    fn close(&self) {
        self.inner.close();
    }
}

/// How long planning and a later verification may stand still, in which much is asked and little is told; zero for any time. A file is read
/// without a word, and nobody can be asked whether it goes on.
pub fn quiet_patience(settings: &Settings) -> Duration {
    if settings.source.engine == EngineKind::Sqlite { Duration::ZERO } else { settings.stall_timeout }
}

/// Does `work`, unless nothing moves for `limit`: then it is dropped where it stands. No limit when zero.
///
/// # Errors
/// Those of `work`, or `Timeout` with the stage and what is waited for.
pub async fn unless_stalled<T>(
    work: impl Future<Output = Result<T>>,
    limit: Duration,
    moves: &Moves,
    source: &dyn Source,
    sink: &dyn Sink,
) -> Result<T> {
    if limit.is_zero() {
        return work.await;
    }
    tokio::select! {
        biased;
        result = work => result,
        error = stalled(limit, moves, async || {
            let (source, target) = tokio::join!(ask("source", source.waiting()), ask("target", sink.waiting()));
            source.into_iter().chain(target).collect()
        }) => Err(error),
    }
}

/// Ends when nothing has moved for `limit`, and nothing worked for the run whenever `look` was asked.
async fn stalled(limit: Duration, moves: &Moves, look: impl AsyncFn() -> Vec<Waiting>) -> Error {
    loop {
        tokio::time::sleep(limit.saturating_sub(moves.idle()).max(Duration::from_millis(100))).await;
        let idle = moves.idle();
        if idle < limit {
            continue;
        }
        if look().await.iter().any(|one| one.working) {
            moves.moved();
            continue;
        }
        // A long statement may have ended just now, and its session wait for what comes next, which comes within moments.
        tokio::time::sleep(limit.min(SECOND_LOOK)).await;
        let all = look().await;
        if moves.idle() < limit || all.iter().any(|one| one.working) {
            continue;
        }
        let what = format!("nothing has moved for {} seconds, in {}", idle.as_secs(), moves.stage());
        let waits: Vec<String> = all.into_iter().map(|one| one.what).collect();
        let what = if waits.is_empty() { what } else { format!("{what}: {}", waits.join("; ")) };
        return Error::new(ErrorKind::Timeout, what)
            .hint("Free what it waits for, then run the same command again with `--resume`; `stall_timeout` sets the patience");
    }
}

async fn ask(side: &str, asking: impl Future<Output = Result<Vec<Waiting>>>) -> Vec<Waiting> {
    let silent = |why: String| vec![Waiting { what: format!("the {side} does not say what it does: {why}"), working: false }];
    match tokio::time::timeout(ASKING, asking).await {
        Ok(Ok(waiting)) => waiting,
        Ok(Err(error)) => silent(error.to_string()),
        Err(_) => silent(format!("no answer within {} seconds", ASKING.as_secs())),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;

    /// Looks at servers that say `working` one after the other, then nothing but that they wait.
    async fn looked(moves: &Moves, limit: Duration, working: &[bool], between: impl Fn(usize)) -> (Error, usize) {
        let looks = AtomicUsize::new(0);
        let error = stalled(limit, moves, async || {
            let look = looks.fetch_add(1, Ordering::Relaxed);
            between(look);
            vec![Waiting { what: "waits".into(), working: working.get(look).copied().unwrap_or_default() }]
        })
        .await;
        (error, looks.into_inner())
    }

    #[tokio::test]
    async fn a_statement_that_ends_as_it_is_looked_at_is_no_hang() {
        let (moves, progress) = Moves::watch(Progress::silent());
        let limit = Duration::from_millis(200);
        // The first look finds the session between two statements; then the work goes on.
        let next = |look| {
            if look == 1 {
                progress.emit(Event::Note { text: "the next one".into() })
            }
        };
        let (error, looks) = looked(&moves, limit, &[], next).await;
        assert_eq!((error.kind(), looks), (ErrorKind::Timeout, 4));
        // It works again when it is asked for the second time.
        assert_eq!(looked(&moves, limit, &[false, true], |_| {}).await.1, 4);
        assert_eq!(looked(&moves, limit, &[true], |_| {}).await.1, 3);
        assert_eq!(looked(&moves, limit, &[], |_| {}).await.1, 2);
    }
}
