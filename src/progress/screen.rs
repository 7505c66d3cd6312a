//! The thread that shows progress. The work only adds numbers up under a lock that is never held while something is written,
//! so a slow terminal, or one that is stopped, slows nothing down.

use std::io::{self, IsTerminal};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

use indicatif::ProgressDrawTarget;

use super::bars::Bars;
use super::json::Json;
use super::plain::Plain;
use super::tally::{Happened, Tally, View};
use super::{Event, Observer, Progress, print_now};

/// Most tables or steps that are shown at the same time.
pub(super) const MOST_BARS: usize = 8;

/// Smooth for the eye, next to nothing for the processor and a slow line.
pub(super) const DRAWINGS_PER_SECOND: u8 = 10;

/// How progress is shown.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize, schemars::JsonSchema, clap::ValueEnum,
)]
#[serde(rename_all = "snake_case")]
pub enum ProgressMode {
    /// Bars on a terminal, else plain lines.
    #[default]
    Auto,
    /// A bar for each running table and one for all; plain lines when stderr is no terminal.
    Bars,
    /// A line every few seconds.
    Plain,
    /// One JSON object a line.
    Json,
    /// Nothing.
    None,
}

/// Opens a view of a run on stderr. Call [`Progress::close`] before anything else is written there.
pub fn start(mode: ProgressMode) -> Progress {
    match mode {
        ProgressMode::None => Progress::silent(),
        ProgressMode::Auto | ProgressMode::Bars if draws() => {
            Progress::new(Arc::new(Screen::open(Bars::new(ProgressDrawTarget::stderr_with_hz(DRAWINGS_PER_SECOND)))))
        }
        ProgressMode::Auto | ProgressMode::Bars | ProgressMode::Plain => {
            Progress::new(Arc::new(Screen::open(Plain::new(io::stderr()))))
        }
        ProgressMode::Json => {
            let epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
            Progress::new(Arc::new(Screen::open(Json::new(io::stderr(), epoch))))
        }
    }
}

/// True if stderr is a terminal that can draw over its lines.
fn draws() -> bool {
    io::stderr().is_terminal() && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

/// Something to be shown at once.
pub(super) enum Item {
    /// An event, but never `Rows`.
    Happened(Happened),
    /// Whole lines of somebody else.
    Lines(String),
}

/// A way to show progress.
pub(super) trait Style: Send {
    /// The longest time between two calls of `show`.
    fn tick(&self) -> Duration;

    /// Shows what happened, and where the run is now. After the `last` call nothing of it moves any more.
    fn show(&mut self, items: Vec<Item>, view: &View, last: bool);
}

struct Screen {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

struct Shared {
    start: Instant,
    state: Mutex<State>,
    wake: Condvar,
}

#[derive(Default)]
struct State {
    tally: Tally,
    pending: Vec<Item>,
    closed: bool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Screen {
    fn open(style: impl Style + 'static) -> Self {
        let shared = Arc::new(Shared { start: Instant::now(), state: Mutex::default(), wake: Condvar::new() });
        let theirs = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name("progress".into()).spawn(move || show(&theirs, style));
        // A machine that has no thread to spare shows no progress.
        shared.lock().closed = thread.is_err();
        Screen { shared, thread: Mutex::new(thread.ok()) }
    }
}

fn show(shared: &Shared, mut style: impl Style) {
    // However the thread ends, nothing may wait for it or pile up.
    struct Close<'a>(&'a Shared);
    impl Drop for Close<'_> {
        fn drop(&mut self) {
            self.0.lock().closed = true;
        }
    }
    let _close = Close(shared);
    loop {
        let (items, view, last) = {
            let nothing = |state: &mut State| state.pending.is_empty() && !state.closed;
            let waited = shared.wake.wait_timeout_while(shared.lock(), style.tick(), nothing);
            let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
            (std::mem::take(&mut state.pending), state.tally.view(shared.start.elapsed(), MOST_BARS), state.closed)
        };
        style.show(items, &view, last);
        if last {
            return;
        }
    }
}

impl Observer for Screen {
    fn event(&self, event: &Event) {
        let mut state = self.shared.lock();
        if state.closed {
            return;
        }
        if let Some(happened) = state.tally.take(event, self.shared.start.elapsed()) {
            state.pending.push(Item::Happened(happened));
            drop(state);
            self.shared.wake.notify_one();
        }
        if matches!(event, Event::Finished { .. }) {
            self.close();
        }
    }

    fn print(&self, lines: &str) {
        let mut state = self.shared.lock();
        if state.closed {
            drop(state);
            print_now(lines);
        } else {
            state.pending.push(Item::Lines(lines.to_string()));
            drop(state);
            self.shared.wake.notify_one();
        }
    }

    fn close(&self) {
        let mut thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        self.shared.lock().closed = true;
        self.shared.wake.notify_one();
        if let Some(thread) = thread.take() {
            // It panicked, then it has said so itself.
            let _ = thread.join();
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Keeps what it is given.
    #[derive(Default, Clone)]
    struct Sink(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Sink {
        fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
        }
    }

    fn plain() -> (Progress, Sink) {
        let sink = Sink::default();
        (Progress::new(Arc::new(Screen::open(Plain::new(sink.clone())))), sink)
    }

    fn note(text: &str) -> Event {
        Event::Note { text: text.into() }
    }

    #[test]
    fn the_end_of_a_run_shows_all_that_was_reported_from_many_threads() {
        let (progress, sink) = plain();
        std::thread::scope(|scope| {
            for worker in 0..8 {
                let progress = progress.clone();
                scope.spawn(move || {
                    for _ in 0..1000 {
                        progress.emit(Event::Rows { table: "t".into(), rows: 3, bytes: 7 });
                    }
                    progress.emit(note(&format!("worker {worker} is done")));
                });
            }
        });
        progress.emit(Event::TableFinished { table: "t".into(), error: None });
        progress.emit(Event::Finished { seconds: 1.0 });
        let text = sink.text();
        assert!((0..8).all(|worker| text.contains(&format!("note: worker {worker} is done\n"))), "{text}");
        assert!(text.contains("t: 24,000 rows, 56.0 kB in"), "{text}");
        assert!(text.ends_with("finished in 1.0 s\n"), "{text}");
        progress.emit(note("too late"));
        progress.close();
        assert_eq!(sink.text(), text);
    }

    #[test]
    fn log_lines_come_among_the_others_and_whole() {
        let (progress, sink) = plain();
        progress.emit(note("before"));
        let log = tracing_subscriber::fmt().with_writer(progress.log_writer()).with_ansi(false).without_time();
        tracing::subscriber::with_default(log.finish(), || tracing::warn!("of the log"));
        progress.print("without a line feed");
        progress.emit(note("after"));
        progress.close();
        let log = " WARN dbferry::progress::screen::tests: of the log";
        assert_eq!(sink.text(), format!("[00:00] note: before\n{log}\nwithout a line feed\n[00:00] note: after\n"));
    }

    #[test]
    fn the_last_clone_that_goes_shows_the_rest() {
        let (progress, sink) = plain();
        let clone = progress.clone();
        drop(progress);
        clone.emit(note("still here"));
        drop(clone);
        assert!(sink.text().contains("still here"));
    }

    #[test]
    fn a_view_that_breaks_stops_showing_and_nothing_else() {
        struct Broken;
        impl Style for Broken {
            fn tick(&self) -> Duration {
                Duration::from_millis(1)
            }
            fn show(&mut self, _: Vec<Item>, _: &View, _: bool) {
                std::panic::resume_unwind(Box::new("the terminal is gone"));
            }
        }
        let progress = Progress::new(Arc::new(Screen::open(Broken)));
        for _ in 0..100 {
            progress.emit(note("a"));
        }
        progress.close();
    }

    #[test]
    fn silence_takes_everything() {
        let progress = start(ProgressMode::None);
        progress.emit(Event::Finished { seconds: 0.0 });
        progress.close();
    }
}
