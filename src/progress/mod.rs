//! Events of a run, made into bars, plain lines, JSON lines, or silence. Everything goes to stderr.
//!
//! The work calls [`Progress::emit`] and knows nothing of how it looks. Events are per batch, never per row.
//! [`start`] opens a view: `tally` adds events up, `screen` is the thread that shows them by one of `bars`, `plain` and `json`.

use std::io;
use std::sync::Arc;

use serde::Serialize;

mod bars;
mod json;
mod plain;
mod screen;
mod tally;

pub(crate) use plain::phase_name;
pub use screen::{ProgressMode, start};

/// Something that happened in a run.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// The run begins.
    Started {
        /// Its identity.
        run: String,
        /// The source, masked.
        source: String,
        /// The target, masked.
        target: String,
        /// Number of tables.
        tables: usize,
        /// Rows in all, estimated.
        estimated_rows: u64,
        /// Bytes in all, estimated.
        estimated_bytes: u64,
    },
    /// A phase begins.
    Phase {
        /// Which.
        phase: Phase,
        /// How many things it has to do (statements, tables), 0 if that is not known.
        steps: usize,
    },
    /// The first chunk of a table begins.
    TableStarted {
        /// The table.
        table: String,
        /// Rows, estimated.
        estimated_rows: u64,
        /// Bytes, estimated.
        estimated_bytes: u64,
        /// Chunks that are to be done.
        chunks: usize,
    },
    /// Rows have gone to the target (in phase `copy`), or have been read again (in phase `verify`).
    ///
    /// Chunks that an earlier run has carried may be reported as one such event, so that a resumed run begins where it stands.
    Rows {
        /// The table.
        table: String,
        /// Rows since the last event.
        rows: u64,
        /// Bytes since the last event.
        bytes: u64,
    },
    /// The last chunk of a table is committed, or the table is verified.
    TableFinished {
        /// The table.
        table: String,
        /// What went wrong, if something did.
        #[serde(skip_serializing_if = "Option::is_none")]
        error: Option<String>,
    },
    /// One step of a phase begins: an index, a foreign key.
    StepStarted {
        /// What it makes.
        step: String,
    },
    /// One step of a phase is done.
    StepFinished {
        /// What it made.
        step: String,
        /// What went wrong, if something did.
        #[serde(skip_serializing_if = "Option::is_none")]
        error: Option<String>,
    },
    /// No chunk is begun from now on, since a server has it hard.
    Paused {
        /// What is above its threshold.
        why: String,
    },
    /// Chunks are begun again.
    Resumed {
        /// Seconds of the pause.
        seconds: f64,
    },
    /// A batch has waited, since more would have gone than `max_rate` allows. Never shown by itself.
    Throttled {
        /// Seconds that it has waited since the last such event.
        seconds: f64,
    },
    /// Something that a person should know now.
    Note {
        /// One sentence.
        text: String,
    },
    /// The run ends.
    Finished {
        /// Seconds since its start.
        seconds: f64,
    },
}

/// A phase of a run, in the order of the work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Catalogs are read and chunks are cut.
    Plan,
    /// Tables are created.
    Create,
    /// Rows move.
    Copy,
    /// Keys and indexes are built.
    Index,
    /// Foreign keys are added and validated.
    Constrain,
    /// Both sides are compared.
    Verify,
    /// Hooks of the run's end.
    After,
}

/// Takes events; must not block the work.
pub trait Observer: Send + Sync {
    /// Takes one event.
    fn event(&self, event: &Event);

    /// Prints whole lines, each with its line feed, among what is drawn. May be called from anywhere; the lines may come a moment later.
    fn print(&self, lines: &str) {
        print_now(lines);
    }

    /// Shows what is still to be shown, and gives stderr back. Later lines are printed at once, later events are dropped.
    fn close(&self) {}
}

fn print_now(lines: &str) {
    // Who closed stderr does not want to read it; that is no reason for a run to fail.
    let _ = io::Write::write_all(&mut io::stderr(), lines.as_bytes());
}

/// The way to report events; cheap to clone.
#[derive(Clone)]
pub struct Progress(Arc<dyn Observer>);

impl Progress {
    /// Sends events to `observer`.
    pub fn new(observer: Arc<dyn Observer>) -> Self {
        Progress(observer)
    }

    /// Says nothing.
    pub fn silent() -> Self {
        struct Silent;
        impl Observer for Silent {
            fn event(&self, _: &Event) {}
        }
        Progress(Arc::new(Silent))
    }

    /// Reports an event.
    pub fn emit(&self, event: Event) {
        self.0.event(&event);
    }

    /// Prints lines to stderr without tearing the bars; the last one gets its line feed if it has none. See [`Observer::print`].
    pub fn print(&self, lines: &str) {
        if lines.ends_with('\n') {
            self.0.print(lines);
        } else if !lines.is_empty() {
            self.0.print(&format!("{lines}\n"));
        }
    }

    /// Ends the view: call it before anything else is written to stderr. Safe to repeat; [`Event::Finished`] does it too.
    pub fn close(&self) {
        self.0.close();
    }

    /// A writer for log lines: `tracing_subscriber::fmt().with_writer(progress.log_writer())`.
    ///
    /// It keeps the view alive: a process whose log goes this way must [`close`](Progress::close) it itself.
    pub fn log_writer(&self) -> LogWriter {
        LogWriter(self.clone())
    }
}

/// Writes log lines among what is drawn. Each `write` must hold whole lines, as those of `tracing_subscriber::fmt` do.
#[derive(Clone)]
pub struct LogWriter(Progress);

impl tracing_subscriber::fmt::MakeWriter<'_> for LogWriter {
    type Writer = LogWriter;

    fn make_writer(&self) -> LogWriter {
        self.clone()
    }
}

impl io::Write for LogWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.print(&String::from_utf8_lossy(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
