//! Progress as plain lines: one every few seconds, one for each phase, and one for each table or step that matters.
//!
//! The sentences are also those that the bars leave behind them.

use std::io::Write;
use std::time::Duration;

use super::screen::{Item, Style};
use super::tally::{Happened, View};
use super::{Event, Phase};
use crate::report::human;

/// Between two lines of status.
const STATUS_EVERY: Duration = Duration::from_secs(5);
/// With more tables than this, only the notable ones get a line of their own.
const FEW_TABLES: usize = 20;
/// A table with so many rows is notable.
const NOTABLE_ROWS: u64 = 100_000;
/// What took so long is notable.
const NOTABLE_TIME: Duration = Duration::from_secs(5);

/// Lines to a writer.
pub(super) struct Plain<W> {
    out: W,
    last_status: Duration,
}

impl<W: Write> Plain<W> {
    /// Writes to `out`, which is given whole lines at once.
    pub fn new(out: W) -> Self {
        Plain { out, last_status: Duration::ZERO }
    }
}

impl<W: Write + Send> Style for Plain<W> {
    fn tick(&self) -> Duration {
        // Short of the interval, since waking late would make a line of every second tick.
        STATUS_EVERY / 10
    }

    fn show(&mut self, items: Vec<Item>, view: &View, last: bool) {
        let mut text = String::new();
        for item in items {
            match item {
                Item::Lines(lines) => text.push_str(&lines),
                Item::Happened(happened) => {
                    let heading = heading(&happened).or_else(|| sentence(&happened, view.tables));
                    if let Some(sentence) = heading {
                        text.push_str(&stamped(happened.at, &sentence));
                    }
                }
            }
        }
        if !last && view.phase.is_some() && view.elapsed.saturating_sub(self.last_status) >= STATUS_EVERY {
            self.last_status = view.elapsed;
            text.push_str(&stamped(view.elapsed, &status(view)));
        }
        if !text.is_empty() {
            // Nobody reads it any more; the run goes on.
            let _ = self.out.write_all(text.as_bytes()).and_then(|()| self.out.flush());
        }
    }
}

fn stamped(at: Duration, sentence: &str) -> String {
    let (hours, minutes, seconds) = (at.as_secs() / 3600, at.as_secs() / 60 % 60, at.as_secs() % 60);
    let hours = if hours > 0 { format!("{hours}:") } else { String::new() };
    format!("[{hours}{minutes:02}:{seconds:02}] {sentence}\n")
}

/// The name of a phase.
pub(crate) fn phase_name(phase: Option<Phase>) -> &'static str {
    match phase {
        None => "start",
        Some(Phase::Plan) => "plan",
        Some(Phase::Create) => "create",
        Some(Phase::Copy) => "copy",
        Some(Phase::Index) => "index",
        Some(Phase::Constrain) => "constrain",
        Some(Phase::Verify) => "verify",
        Some(Phase::After) => "after",
    }
}

/// What only plain lines say, since bars show it anyway.
fn heading(happened: &Happened) -> Option<String> {
    match &happened.event {
        Event::Started { run, source, target, tables, estimated_rows, .. } => {
            let rows = human::count(*estimated_rows);
            Some(format!("run {run}: {source} to {target}, {tables} tables, about {rows} rows"))
        }
        Event::Phase { phase, steps: 0 } => Some(format!("{} begins", phase_name(Some(*phase)))),
        Event::Phase { phase, steps } => Some(format!("{} begins: {steps} steps", phase_name(Some(*phase)))),
        Event::Finished { seconds } => Some(format!("finished in {}", human::seconds(*seconds))),
        _ => None,
    }
}

/// One sentence for what a person should see pass by; none for the rest. `tables` is the number in all.
pub(super) fn sentence(happened: &Happened, tables: usize) -> Option<String> {
    let done = happened.done.unwrap_or_default();
    let took = human::duration(done.took);
    let long = done.took >= NOTABLE_TIME;
    match &happened.event {
        Event::TableFinished { table, error: Some(error) } => Some(format!("{table} FAILED: {error}")),
        Event::TableFinished { table, error: None } if tables <= FEW_TABLES || long || done.rows >= NOTABLE_ROWS => {
            let rows = human::count(done.rows);
            Some(match happened.phase {
                Some(Phase::Verify) if done.rows == 0 => format!("{table}: compared"),
                Some(Phase::Verify) => format!("{table}: {rows} rows read again in {took}"),
                _ => format!("{table}: {rows} rows, {} in {took}", human::bytes(done.bytes)),
            })
        }
        Event::StepFinished { step, error: Some(error) } => Some(format!("{step} FAILED: {error}")),
        Event::StepFinished { step, error: None } if long => Some(format!("{step}: done in {took}")),
        Event::Paused { why } => Some(format!("PAUSED, no chunk is begun: {why}")),
        Event::Resumed { seconds } => Some(format!("goes on after a pause of {}", human::seconds(*seconds))),
        Event::Note { text } => Some(format!("note: {text}")),
        _ => None,
    }
}

/// How far the run is, in one line: the phase, then what matters most.
fn status(view: &View) -> String {
    let mut parts = Vec::new();
    if view.steps > 0 {
        parts.push(format!("{} of {} steps", view.steps_done, view.steps));
        parts.extend(view.running.first().map(|running| format!("now {}", running.name)));
    } else {
        let about = if view.percent == Some(100) { "" } else { "about " };
        let of = if view.percent.is_some() { format!(" of {about}{}", human::count(view.expected_rows)) } else { String::new() };
        parts.push(format!("{}{of} rows", human::count(view.rows)));
    }
    parts.extend(measures(view));
    let percent = view.percent.map_or_else(String::new, |percent| format!(" {percent}%"));
    format!("{}{percent}: {}", phase_name(view.phase), parts.join(", "))
}

/// Speed, tables, and time left, as far as they are known.
pub(super) fn measures(view: &View) -> Vec<String> {
    let mut parts = Vec::new();
    if view.paused.is_some() {
        parts.push("PAUSED".into());
    }
    if view.rows > 0 {
        parts.push(format!("{} rows/s", human::count(view.rows_per_second)));
        parts.push(format!("{}/s", human::bytes(view.bytes_per_second)));
    }
    if !view.throttled.is_zero() {
        parts.push(format!("held back for {}", human::duration(view.throttled)));
    }
    if view.steps == 0 && view.tables > 0 {
        parts.push(format!("{}/{} tables", view.tables_done, view.tables));
    }
    if view.tables_failed > 0 {
        parts.push(format!("{} FAILED", view.tables_failed));
    }
    if let Some(left) = view.left {
        parts.push(format!("{} left", human::whole_seconds(left)));
    }
    parts
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::tally::{Done, Running, RunningTable};
    use super::*;

    /// A view of a copy in the middle.
    pub(in crate::progress) fn middle() -> View {
        let table = |name: &str, rows, expected_rows| Running {
            name: name.into(),
            table: Some(RunningTable { rows, expected_rows }),
            elapsed: Duration::from_secs(3),
        };
        View {
            elapsed: Duration::from_secs(12),
            phase: Some(Phase::Copy),
            phase_elapsed: Duration::from_secs(10),
            rows: 1_234_567,
            expected_rows: 5_000_000,
            bytes: 120_000_000,
            rows_per_second: 123_456,
            bytes_per_second: 12_000_000,
            percent: Some(24),
            left: Some(Duration::from_millis(31_700)),
            tables: 12,
            tables_done: 3,
            running: vec![table("shop.orders", 600_000, 1_250_000), table("shop.items", 0, 0)],
            ..View::default()
        }
    }

    /// A view of an index phase in the middle.
    pub(in crate::progress) fn building() -> View {
        View {
            elapsed: Duration::from_secs(70),
            phase: Some(Phase::Index),
            percent: Some(25),
            steps: 8,
            steps_done: 2,
            running: vec![Running { name: "index orders_idx".into(), table: None, elapsed: Duration::from_secs(61) }],
            ..View::default()
        }
    }

    fn happened(event: Event, rows: u64, seconds: u64) -> Item {
        let done = Some(Done { rows, bytes: rows * 100, took: Duration::from_secs(seconds) });
        Item::Happened(Happened { at: Duration::from_secs(9), phase: Some(Phase::Copy), event, done })
    }

    fn finished(table: &str, rows: u64, error: Option<&str>) -> Item {
        happened(Event::TableFinished { table: table.into(), error: error.map(str::to_string) }, rows, 2)
    }

    fn shown(steps: Vec<(Vec<Item>, View)>) -> String {
        let mut out = Vec::new();
        let mut plain = Plain::new(&mut out);
        for (items, view) in steps {
            plain.show(items, &view, false);
        }
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn lines_come_for_phases_for_tables_and_every_few_seconds() {
        let later = |seconds| View { elapsed: Duration::from_secs(seconds), ..middle() };
        let text = shown(vec![
            (vec![happened(Event::Phase { phase: Phase::Copy, steps: 0 }, 0, 0)], later(2)),
            (vec![finished("shop.orders", 1_000_000, None), finished("shop.items", 5, Some("disk full"))], later(12)),
            (vec![Item::Lines("WARN a log line\n".into())], later(13)),
            (vec![happened(Event::Note { text: "no lock rights".into() }, 0, 0)], later(14)),
            (vec![], later(16)),
            (vec![], later(17)),
            (vec![happened(Event::Phase { phase: Phase::Index, steps: 8 }, 0, 0)], building()),
            (vec![happened(Event::StepFinished { step: "index quick".into(), error: None }, 0, 1)], building()),
            (vec![happened(Event::StepFinished { step: "index slow".into(), error: None }, 0, 61)], building()),
            (vec![happened(Event::Finished { seconds: 71.0 }, 0, 0)], building()),
        ]);
        insta::assert_snapshot!(text, @r"
        [00:09] copy begins
        [00:09] shop.orders: 1,000,000 rows, 100.0 MB in 2.0 s
        [00:09] shop.items FAILED: disk full
        [00:12] copy 24%: 1,234,567 of about 5,000,000 rows, 123,456 rows/s, 12.0 MB/s, 3/12 tables, 31 s left
        WARN a log line
        [00:09] note: no lock rights
        [00:17] copy 24%: 1,234,567 of about 5,000,000 rows, 123,456 rows/s, 12.0 MB/s, 3/12 tables, 31 s left
        [00:09] index begins: 8 steps
        [01:10] index 25%: 2 of 8 steps, now index orders_idx
        [00:09] index slow: done in 1 min 01 s
        [00:09] finished in 1 min 11 s
        ");
    }

    #[test]
    fn small_tables_among_hundreds_are_only_counted() {
        let many = View { tables: 500, ..View::default() };
        let text = shown(vec![
            (vec![finished("small", 5, None)], many.clone()),
            (vec![finished("large", NOTABLE_ROWS, None)], many.clone()),
            (vec![finished("broken", 5, Some("why"))], many),
        ]);
        assert!(!text.contains("small") && text.contains("large") && text.contains("broken FAILED: why"), "{text}");
    }

    #[test]
    fn a_view_of_nothing_is_a_line_without_nonsense() {
        assert_eq!(status(&View::default()), "start: 0 rows");
    }
}
