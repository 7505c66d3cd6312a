//! Adds up the events of a run: how far it is, how fast, how long it will take. Pure: the time is handed in.
//!
//! Estimates are the server's and may be far off. So a table grows with its rows, and the whole with its tables: nothing is ever
//! over 100 %, and nothing is divided by an estimate that may be 0. Progress is weighed by estimated bytes, since a row of one
//! table may be a thousand times as wide as one of another; all of it is integer arithmetic.

use std::collections::{HashMap, HashSet, VecDeque};
use std::time::Duration;

use super::{Event, Phase};

/// Rates are of the last so many seconds: long enough to be calm, short enough to show a change.
const RATE_WINDOW: Duration = Duration::from_secs(10);
/// Distance of the samples that rates are made of.
const SAMPLE_EVERY: Duration = Duration::from_millis(500);
/// Bytes of a row about which nothing is known.
const UNKNOWN_ROW_BYTES: u64 = 100;
/// No time left is told before so much of a phase has passed: it would jump.
const ETA_AFTER: Duration = Duration::from_secs(2);

/// What has happened, with what is known of it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Happened {
    /// Since the start of the run.
    pub at: Duration,
    /// The phase it belongs to.
    pub phase: Option<Phase>,
    /// The event.
    pub event: Event,
    /// Of a finished table or step: how much, and how long it took.
    pub done: Option<Done>,
}

/// The extent of a finished table or step.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Done {
    pub rows: u64,
    pub bytes: u64,
    pub took: Duration,
}

/// How far the run is, at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct View {
    pub elapsed: Duration,
    pub phase: Option<Phase>,
    pub phase_elapsed: Duration,
    /// Of the phase.
    pub rows: u64,
    /// Never fewer than `rows`.
    pub expected_rows: u64,
    /// Of the phase.
    pub bytes: u64,
    pub rows_per_second: u64,
    pub bytes_per_second: u64,
    /// Of the phase, 0 to 100; none as long as nothing is known of the whole.
    pub percent: Option<u64>,
    /// Of the phase.
    pub left: Option<Duration>,
    pub tables: usize,
    pub tables_done: usize,
    pub tables_failed: usize,
    pub steps: usize,
    pub steps_done: usize,
    /// The first ones to begin.
    pub running: Vec<Running>,
    /// Running ones that are not in `running`.
    pub more: usize,
    /// Why no chunk is begun, if none is.
    pub paused: Option<String>,
    /// Time that batches have waited for `max_rate`, of the phase and of all jobs.
    pub throttled: Duration,
}

/// A table or a step at work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Running {
    pub name: String,
    /// None for a step.
    pub table: Option<RunningTable>,
    pub elapsed: Duration,
}

/// How far a table is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RunningTable {
    pub rows: u64,
    /// Never fewer than `rows`.
    pub expected_rows: u64,
}

#[derive(Debug, Clone, Copy, Default)]
struct Table {
    expected_rows: u64,
    row_bytes: u64,
    rows: u64,
    bytes: u64,
    since: Duration,
}

impl Table {
    fn new(rows: u64, bytes: u64, since: Duration) -> Self {
        let row_bytes = bytes.checked_div(rows).filter(|bytes| *bytes > 0).unwrap_or(UNKNOWN_ROW_BYTES);
        Table { expected_rows: rows, row_bytes, since, ..Table::default() }
    }

    fn expected(&self) -> u64 {
        self.expected_rows.max(self.rows)
    }
}

/// The sum of all events.
#[derive(Debug, Default)]
pub(super) struct Tally {
    planned: (usize, u64, u64),
    phase: Option<Phase>,
    phase_since: Duration,
    /// Rows and weight of tables that have not begun.
    unseen: (u64, u64),
    /// Rows and weight of tables that are done.
    past: (u64, u64),
    rows: u64,
    bytes: u64,
    samples: VecDeque<(Duration, u64, u64)>,
    running: HashMap<String, Table>,
    done: HashSet<String>,
    failed: usize,
    /// Tables of an earlier phase: their true rows are the estimates of the next one.
    known: HashMap<String, Table>,
    steps: usize,
    steps_done: usize,
    steps_running: Vec<(String, Duration)>,
    paused: Option<String>,
    throttled: Duration,
}

impl Tally {
    /// Takes an event at `now`, since the start of the run. What a person or a machine is to be told at once comes back.
    pub fn take(&mut self, event: &Event, now: Duration) -> Option<Happened> {
        let phase = self.phase;
        let mut done = None;
        match event {
            Event::Started { tables, estimated_rows, estimated_bytes, .. } => {
                self.planned = (*tables, *estimated_rows, *estimated_bytes);
                self.expect_all();
            }
            Event::Phase { phase, steps } => self.enter(*phase, *steps, now),
            Event::TableStarted { table, estimated_rows, estimated_bytes, .. } => {
                self.begin(table, Table::new(*estimated_rows, *estimated_bytes, now), now);
            }
            Event::Rows { table, rows, bytes } => {
                self.rows_moved(table, *rows, *bytes, now);
                return None;
            }
            Event::TableFinished { table, error } => done = Some(self.end(table, error.is_some(), now)),
            Event::StepStarted { step } => self.steps_running.push((step.clone(), now)),
            Event::StepFinished { step, .. } => {
                self.steps_done = self.steps_done.saturating_add(1);
                let at = self.steps_running.iter().position(|(name, _)| name == step);
                let since = at.map_or(now, |at| self.steps_running.remove(at).1);
                done = Some(Done { took: now.saturating_sub(since), ..Done::default() });
            }
            Event::Paused { why } => self.paused = Some(why.clone()),
            Event::Resumed { .. } => self.paused = None,
            Event::Throttled { seconds } => {
                self.throttled = self.throttled.saturating_add(Duration::try_from_secs_f64(*seconds).unwrap_or_default());
                return None;
            }
            Event::Note { .. } | Event::Finished { .. } => {}
        }
        let phase = if let Event::Phase { phase, .. } = event { Some(*phase) } else { phase };
        Some(Happened { at: now, phase, event: event.clone(), done })
    }

    fn expect_all(&mut self) {
        let (_, rows, bytes) = self.planned;
        self.unseen = (rows, if bytes > 0 { bytes } else { rows.saturating_mul(UNKNOWN_ROW_BYTES) });
    }

    fn enter(&mut self, phase: Phase, steps: usize, now: Duration) {
        for (name, table) in self.running.drain() {
            self.known.insert(name, table);
        }
        let known = std::mem::take(&mut self.known);
        *self = Tally { planned: self.planned, phase: Some(phase), phase_since: now, steps, known, ..Tally::default() };
        if phase == Phase::Verify && !self.known.is_empty() {
            for table in self.known.values() {
                self.unseen.0 = self.unseen.0.saturating_add(table.expected_rows);
                self.unseen.1 = self.unseen.1.saturating_add(weight(table.expected_rows, table.row_bytes));
            }
        } else if matches!(phase, Phase::Copy | Phase::Verify) {
            self.expect_all();
        }
        self.samples.push_back((now, 0, 0));
    }

    fn begin(&mut self, name: &str, estimate: Table, now: Duration) {
        if self.running.contains_key(name) || self.done.contains(name) {
            return;
        }
        let table = match self.known.get(name) {
            Some(known) => {
                Table { expected_rows: known.expected_rows, row_bytes: known.row_bytes, since: now, ..Table::default() }
            }
            None => estimate,
        };
        self.unseen.0 = self.unseen.0.saturating_sub(table.expected_rows);
        self.unseen.1 = self.unseen.1.saturating_sub(weight(table.expected_rows, table.row_bytes));
        self.running.insert(name.to_string(), table);
    }

    fn rows_moved(&mut self, name: &str, rows: u64, bytes: u64, now: Duration) {
        self.rows = self.rows.saturating_add(rows);
        self.bytes = self.bytes.saturating_add(bytes);
        if self.samples.back().is_none_or(|(at, ..)| now.saturating_sub(*at) >= SAMPLE_EVERY) {
            self.samples.push_back((now, self.rows, self.bytes));
            self.forget_samples(now);
        }
        if !self.running.contains_key(name) {
            self.begin(name, Table::new(0, 0, now), now);
        }
        if let Some(table) = self.running.get_mut(name) {
            table.rows = table.rows.saturating_add(rows);
            table.bytes = table.bytes.saturating_add(bytes);
        } else {
            // A straggler of a table that is done: it counts for the whole, but the table does not come back.
            self.past = add(self.past, (rows, weight(rows, UNKNOWN_ROW_BYTES)));
        }
    }

    fn end(&mut self, name: &str, failed: bool, now: Duration) -> Done {
        if !self.done.insert(name.to_string()) {
            return Done::default();
        }
        self.failed += usize::from(failed);
        let Some(mut table) = self.running.remove(name) else { return Done::default() };
        self.past = add(self.past, (table.rows, weight(table.rows, table.row_bytes)));
        table.expected_rows = table.rows;
        self.known.insert(name.to_string(), table);
        Done { rows: table.rows, bytes: table.bytes, took: now.saturating_sub(table.since) }
    }

    /// Keeps one sample that is older than the window, to measure from.
    fn forget_samples(&mut self, now: Duration) {
        while self.samples.get(1).is_some_and(|(at, ..)| now.saturating_sub(*at) >= RATE_WINDOW) {
            self.samples.pop_front();
        }
    }

    fn rates(&self, now: Duration) -> (u64, u64) {
        // Samples come with rows; when none come the newest one before the window is where to measure from.
        let old = self.samples.iter().rfind(|(at, ..)| now.saturating_sub(*at) >= RATE_WINDOW).or(self.samples.front());
        let Some((since, rows, bytes)) = old else { return (0, 0) };
        let millis = now.saturating_sub(*since).as_millis();
        let rate = |new: u64, old: u64| (u128::from(new.saturating_sub(old)) * 1000).checked_div(millis).map_or(0, narrow);
        (rate(self.rows, *rows), rate(self.bytes, *bytes))
    }

    /// How far it is, with at most `limit` of what runs.
    pub fn view(&self, now: Duration, limit: usize) -> View {
        let (mut expected_rows, mut whole) = add(self.unseen, self.past);
        let mut weight_done = self.past.1;
        for table in self.running.values() {
            expected_rows = expected_rows.saturating_add(table.expected());
            whole = whole.saturating_add(weight(table.expected(), table.row_bytes));
            weight_done = weight_done.saturating_add(weight(table.rows, table.row_bytes));
        }
        let (part, whole) = if self.steps > 0 {
            let steps = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
            (steps(self.steps_done.min(self.steps)), steps(self.steps))
        } else {
            (weight_done, whole)
        };
        let phase_elapsed = now.saturating_sub(self.phase_since);
        let (rows_per_second, bytes_per_second) = self.rates(now);
        let mut running = self.all_running(now);
        let more = running.len().saturating_sub(limit);
        running.truncate(limit);
        View {
            elapsed: now,
            phase: self.phase,
            phase_elapsed,
            rows: self.rows,
            expected_rows: expected_rows.max(self.rows),
            bytes: self.bytes,
            rows_per_second,
            bytes_per_second,
            percent: (u128::from(part) * 100).checked_div(u128::from(whole)).map(narrow),
            left: left(phase_elapsed, part, whole),
            tables: self.planned.0.max(self.done.len() + self.running.len()),
            tables_done: self.done.len(),
            tables_failed: self.failed,
            steps: self.steps.max(self.steps_done),
            steps_done: self.steps_done,
            running,
            more,
            paused: self.paused.clone(),
            throttled: self.throttled,
        }
    }

    fn all_running(&self, now: Duration) -> Vec<Running> {
        let tables = self.running.iter().map(|(name, table)| {
            let rows = RunningTable { rows: table.rows, expected_rows: table.expected() };
            (table.since, Running { name: name.clone(), table: Some(rows), elapsed: now.saturating_sub(table.since) })
        });
        let steps = self
            .steps_running
            .iter()
            .map(|(name, since)| (*since, Running { name: name.clone(), table: None, elapsed: now.saturating_sub(*since) }));
        let mut all: Vec<_> = tables.chain(steps).collect();
        // A fixed order, so that lines do not jump.
        all.sort_by(|(a_since, a), (b_since, b)| (a_since, &a.name).cmp(&(b_since, &b.name)));
        all.into_iter().map(|(_, running)| running).collect()
    }
}

fn weight(rows: u64, row_bytes: u64) -> u64 {
    rows.saturating_mul(row_bytes)
}

fn add(a: (u64, u64), b: (u64, u64)) -> (u64, u64) {
    (a.0.saturating_add(b.0), a.1.saturating_add(b.1))
}

fn narrow(number: u128) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

/// The time left, if it goes on as it went in this phase so far.
fn left(elapsed: Duration, part: u64, whole: u64) -> Option<Duration> {
    if elapsed < ETA_AFTER || part == 0 {
        return None;
    }
    let millis = elapsed.as_millis().checked_mul(u128::from(whole.saturating_sub(part)))? / u128::from(part);
    Some(Duration::from_millis(u64::try_from(millis).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn started(tables: usize, rows: u64, bytes: u64) -> Event {
        let text = String::new;
        Event::Started { run: text(), source: text(), target: text(), tables, estimated_rows: rows, estimated_bytes: bytes }
    }

    fn table(name: &str, rows: u64, bytes: u64) -> Event {
        Event::TableStarted { table: name.into(), estimated_rows: rows, estimated_bytes: bytes, chunks: 1 }
    }

    fn rows(name: &str, rows: u64, bytes: u64) -> Event {
        Event::Rows { table: name.into(), rows, bytes }
    }

    fn finished(name: &str) -> Event {
        Event::TableFinished { table: name.into(), error: None }
    }

    fn phase(phase: Phase, steps: usize) -> Event {
        Event::Phase { phase, steps }
    }

    fn after(events: &[(u64, Event)]) -> Tally {
        let mut tally = Tally::default();
        for (seconds, event) in events {
            tally.take(event, at(*seconds));
        }
        tally
    }

    #[test]
    fn half_of_the_bytes_is_half_of_the_way() {
        let tally = after(&[
            (0, started(2, 1100, 20_000)),
            (0, phase(Phase::Copy, 0)),
            (0, table("wide", 100, 10_000)),
            (5, rows("wide", 100, 9_000)),
            (10, finished("wide")),
        ]);
        let view = tally.view(at(10), 8);
        assert_eq!((view.percent, view.left), (Some(50), Some(at(10))));
        assert_eq!((view.rows, view.expected_rows, view.bytes), (100, 1100, 9_000));
        assert_eq!((view.rows_per_second, view.bytes_per_second), (10, 900));
        assert_eq!((view.tables, view.tables_done, view.running.len()), (2, 1, 0));
    }

    #[test]
    fn an_estimate_that_is_too_low_grows_and_never_passes_a_hundred() {
        let mut tally = after(&[(0, started(2, 20, 2_000)), (0, phase(Phase::Copy, 0)), (0, table("a", 10, 1_000))]);
        for second in 1..100 {
            tally.take(&rows("a", 10, 1_000), at(second));
            let view = tally.view(at(second), 8);
            assert!(view.percent <= Some(99), "{view:?}");
            assert!(view.rows <= view.expected_rows);
            assert_eq!(view.running[0].table, Some(RunningTable { rows: second * 10, expected_rows: second * 10 }));
        }
        tally.take(&finished("a"), at(100));
        tally.take(&table("b", 10, 1_000), at(100));
        tally.take(&rows("b", 10, 1_000), at(100));
        tally.take(&finished("b"), at(100));
        let view = tally.view(at(100), 8);
        assert_eq!((view.percent, view.rows, view.expected_rows, view.left), (Some(100), 1000, 1000, Some(at(0))));
    }

    #[test]
    fn without_estimates_nothing_is_divided_by_zero() {
        let mut tally = Tally::default();
        assert_eq!(tally.view(at(0), 8), View::default());
        for event in [started(0, 0, 0), phase(Phase::Copy, 0), table("a", 0, 0)] {
            tally.take(&event, at(0));
            let view = tally.view(at(0), 8);
            assert_eq!((view.percent, view.left, view.rows_per_second), (None, None, 0));
        }
        tally.take(&rows("a", 5, 0), at(3));
        tally.take(&rows("never started", 5, 0), at(3));
        let view = tally.view(at(3), 8);
        assert_eq!((view.percent, view.left, view.rows, view.running.len()), (Some(100), Some(at(0)), 10, 2));
    }

    #[test]
    fn the_largest_numbers_do_not_overflow() {
        let tally = after(&[
            (0, started(1, u64::MAX, u64::MAX)),
            (0, phase(Phase::Copy, 0)),
            (0, table("a", u64::MAX, u64::MAX)),
            (0, table("b", 1, u64::MAX)),
            (9, rows("a", u64::MAX, u64::MAX)),
            (9, rows("b", u64::MAX, u64::MAX)),
        ]);
        assert!(tally.view(at(9), 8).percent <= Some(100));
    }

    #[test]
    fn the_rate_is_that_of_the_last_seconds() {
        let mut tally = after(&[(0, phase(Phase::Copy, 0))]);
        for second in 1..=20 {
            tally.take(&rows("a", 1000, 0), at(second));
        }
        assert_eq!(tally.view(at(20), 8).rows_per_second, 1000);
        for second in 21..=40 {
            tally.take(&rows("a", 10, 0), at(second));
        }
        assert_eq!(tally.view(at(40), 8).rows_per_second, 10);
        assert_eq!(tally.view(at(400), 8).rows_per_second, 0, "a stall shows");
    }

    #[test]
    fn verification_expects_the_rows_that_were_carried() {
        let mut tally = after(&[
            (0, started(2, 10, 1_000)),
            (0, phase(Phase::Copy, 0)),
            (0, table("a", 10, 1_000)),
            (1, rows("a", 400, 40_000)),
            (1, finished("a")),
            (2, phase(Phase::Index, 4)),
        ]);
        assert_eq!(tally.view(at(2), 8).percent, Some(0));
        tally.take(&Event::StepStarted { step: "index i".into() }, at(2));
        assert_eq!(tally.view(at(5), 8).running[0].elapsed, at(3));
        let happened = tally.take(&Event::StepFinished { step: "index i".into(), error: None }, at(6)).unwrap();
        assert_eq!(happened.done.unwrap().took, at(4));
        let view = tally.view(at(6), 8);
        assert_eq!((view.percent, view.left, view.steps_done, view.steps), (Some(25), Some(at(12)), 1, 4));
        tally.take(&phase(Phase::Verify, 0), at(7));
        tally.take(&rows("a", 100, 0), at(9));
        let view = tally.view(at(9), 8);
        assert_eq!((view.percent, view.expected_rows, view.left), (Some(25), 400, Some(at(6))));
    }

    #[test]
    fn a_straggler_does_not_bring_a_finished_table_back() {
        let mut tally = after(&[(0, phase(Phase::Copy, 0)), (0, table("a", 1, 1)), (1, finished("a")), (1, finished("a"))]);
        tally.take(&rows("a", 7, 7), at(2));
        tally.take(&table("a", 1, 1), at(2));
        let view = tally.view(at(2), 8);
        assert_eq!((view.rows, view.tables_done, view.running.len()), (7, 1, 0));
    }

    #[test]
    fn of_many_running_tables_a_few_are_shown_in_a_steady_order() {
        let mut tally = after(&[(0, phase(Phase::Copy, 0))]);
        for number in 0..300 {
            tally.take(&table(&format!("t{number:03}"), 1, 1), at(0));
        }
        let view = tally.view(at(1), 8);
        let names: Vec<_> = view.running.iter().map(|running| running.name.as_str()).collect();
        assert_eq!(names, ["t000", "t001", "t002", "t003", "t004", "t005", "t006", "t007"]);
        assert_eq!(view.more, 292);
    }
}
