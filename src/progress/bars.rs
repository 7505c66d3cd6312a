//! Progress as bars on a terminal: one for each running table or step, up to [`MOST_BARS`], and one for the phase as a whole.
//!
//! A finished table's bar goes away and leaves a line, if it is notable. The lines are our own; indicatif keeps them in place.

use std::fmt::Write;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::plain::{measures, phase_name, sentence};
use super::screen::{DRAWINGS_PER_SECOND, Item, MOST_BARS, Style};
use super::tally::{Running, View};
use crate::report::human;

const CELLS: usize = 20;
/// Longer names are cut, so that the bars stand under each other on a narrow terminal.
const NAME_WIDTH: usize = 30;

/// Bars on stderr.
pub(super) struct Bars {
    multi: MultiProgress,
    total: ProgressBar,
    running: Vec<ProgressBar>,
    /// The widest name so far: lines that moved with every table would be hard to read.
    name_width: usize,
}

impl Bars {
    /// Draws to `target`.
    pub fn new(target: ProgressDrawTarget) -> Self {
        let multi = MultiProgress::with_draw_target(target);
        let total = multi.add(bar());
        Bars { multi, total, running: Vec::new(), name_width: 0 }
    }
}

fn bar() -> ProgressBar {
    // Cut at the width of the terminal, since a line that wraps could not be drawn over.
    let style = ProgressStyle::with_template("{wide_msg}").unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::no_length().with_style(style)
}

impl Style for Bars {
    fn tick(&self) -> Duration {
        Duration::from_secs(1) / u32::from(DRAWINGS_PER_SECOND)
    }

    fn show(&mut self, items: Vec<Item>, view: &View, last: bool) {
        for item in items {
            let text = match item {
                Item::Lines(lines) => Some(lines),
                Item::Happened(happened) => sentence(&happened, view.tables),
            };
            for line in text.iter().flat_map(|text| text.lines()) {
                // A terminal that is gone is no reason for a run to fail.
                let _ = self.multi.println(line);
            }
        }
        let shown = if last { 0 } else { view.running.len() };
        for gone in self.running.drain(shown.min(self.running.len())..) {
            gone.finish_and_clear();
            self.multi.remove(&gone);
        }
        if last {
            self.total.finish_and_clear();
            let _ = self.multi.clear();
            return;
        }
        while self.running.len() < shown {
            self.running.push(self.multi.insert_before(&self.total, bar()));
        }
        let widest = view.running.iter().map(|running| running.name.chars().count()).max().unwrap_or(0);
        self.name_width = self.name_width.max(widest.min(NAME_WIDTH));
        for (bar, running) in self.running.iter().zip(&view.running) {
            bar.set_message(running_line(running, self.name_width));
        }
        self.total.set_message(total_line(view));
    }
}

fn running_line(running: &Running, width: usize) -> String {
    let mut name: String = running.name.chars().map(|character| if character.is_control() { '?' } else { character }).collect();
    if name.chars().count() > width {
        name = name.chars().take(width.saturating_sub(1)).chain(['…']).collect();
    }
    match running.table {
        Some(table) => {
            let expected = human::count(table.expected_rows);
            format!("  {name:<width$} {} {} of {expected} rows", cells(table.rows, table.expected_rows), human::count(table.rows))
        }
        None => format!("  {name:<width$} {}", human::whole_seconds(running.elapsed)),
    }
}

/// The most telling first, since a narrow terminal cuts the end.
fn total_line(view: &View) -> String {
    let mut line = phase_name(view.phase).to_string();
    if let Some(percent) = view.percent {
        let _ = write!(line, " {percent:>3}% {}", cells(percent, 100));
    }
    let mut parts = measures(view);
    // Time left comes last there, and first here.
    if view.left.is_some() {
        parts.rotate_right(1);
    }
    if view.steps > 0 {
        parts.push(format!("{}/{} steps", view.steps_done, view.steps));
    } else if view.rows > 0 {
        parts.push(format!("{} rows", human::count(view.rows)));
    }
    if view.more > 0 {
        parts.push(format!("{} more at work", view.more));
    }
    if parts.is_empty() {
        parts.push(human::whole_seconds(view.phase_elapsed));
    }
    let _ = write!(line, " {}", parts.join(", "));
    line
}

fn cells(part: u64, whole: u64) -> String {
    let whole = u128::from(whole);
    let full = (u128::from(part) * CELLS as u128).checked_div(whole).and_then(|full| usize::try_from(full).ok());
    let full = full.unwrap_or(0).min(CELLS);
    format!("[{}{}]", "#".repeat(full), "-".repeat(CELLS - full))
}

const _: () = assert!(MOST_BARS >= 1 && MOST_BARS <= 16, "more bars than a small terminal has lines");

#[cfg(test)]
mod tests {
    use super::super::plain::tests::{building, middle};
    use super::super::tally::RunningTable;
    use super::*;

    fn lines(view: &View) -> String {
        let running: Vec<_> = view.running.iter().map(|running| running_line(running, 16)).collect();
        format!("{}\n{}", running.join("\n"), total_line(view))
    }

    #[test]
    fn a_table_has_a_line_and_the_phase_another() {
        insta::assert_snapshot!(lines(&middle()), @r"
          shop.orders      [#########-----------] 600,000 of 1,250,000 rows
          shop.items       [--------------------] 0 of 0 rows
        copy  24% [####----------------] 31 s left, 123,456 rows/s, 12.0 MB/s, 3/12 tables, 1,234,567 rows
        ");
    }

    #[test]
    fn a_step_shows_how_long_it_has_been_at_work() {
        insta::assert_snapshot!(lines(&building()), @r"
          index orders_idx 1 min 01 s
        index  25% [#####---------------] 2/8 steps
        ");
    }

    #[test]
    fn before_anything_is_known_the_time_passes() {
        assert_eq!(total_line(&View::default()), "start 0 s");
    }

    #[test]
    fn long_names_are_cut_and_control_characters_are_not_drawn() {
        let name = "shop.a_table_with_a_\u{1b}[2Jvery_long_name_indeed".to_string();
        let running = Running { name, table: Some(RunningTable { rows: 1, expected_rows: 1 }), elapsed: Duration::ZERO };
        assert_eq!(running_line(&running, 24), "  shop.a_table_with_a_?[2… [####################] 1 of 1 rows");
    }

    #[test]
    fn bars_come_and_go_with_the_tables() {
        let mut bars = Bars::new(ProgressDrawTarget::hidden());
        for running in [2, 8, 0, 3] {
            let one = middle().running.remove(0);
            let view = View { running: vec![one; running], ..middle() };
            bars.show(vec![Item::Lines("a log line\n".into())], &view, false);
            assert_eq!(bars.running.len(), running);
        }
        bars.show(Vec::new(), &middle(), true);
        assert!(bars.running.is_empty() && bars.total.is_finished());
    }
}
