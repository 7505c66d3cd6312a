//! Progress for machines: one JSON object a line.
//!
//! Each line has `at` (seconds since 1970 UTC), `seconds` (since the start of the run) and `event`. Events are those of
//! [`Event`], by its field names, except that rows are summed up: every two seconds an event `progress` tells
//! `phase`, `rows`, `expected_rows`, `bytes`, `rows_per_second`, `bytes_per_second`, `percent`, `seconds_left`, `tables`, `tables_done`,
//! `tables_failed`, `steps`, `steps_done` and `running` (each with `name`, `seconds` and, for tables, `rows` and `expected_rows`).
//! While no chunk is begun it tells why as `paused`, and the seconds that batches have waited for `max_rate` as `throttled_seconds`.
//! What is not known is left out. The end of a table or a step also tells its `took_seconds`, and that of a table its `rows` and
//! `bytes`. A log line comes as the event `log` with its `text`.

use std::io::Write;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::Event;
use super::screen::{Item, Style};
use super::tally::{Happened, Running, View};

/// Between two sums.
const PROGRESS_EVERY: Duration = Duration::from_secs(2);

/// JSON lines to a writer.
pub(super) struct Json<W> {
    out: W,
    /// The start of the run, since 1970 UTC.
    epoch: Duration,
    last: Option<Duration>,
}

impl<W: Write> Json<W> {
    /// Writes to `out`, which is given whole lines at once. The run began at `epoch`, since 1970 UTC.
    pub fn new(out: W, epoch: Duration) -> Self {
        Json { out, epoch, last: None }
    }

    fn line(&self, text: &mut String, at: Duration, fields: Map<String, Value>) {
        let mut object = Map::new();
        object.insert("at".into(), seconds(self.epoch + at));
        object.insert("seconds".into(), seconds(at));
        for (name, value) in fields {
            // The end of a run tells its own, exact `seconds`.
            if !value.is_null() {
                object.insert(name, value);
            }
        }
        text.push_str(&Value::Object(object).to_string());
        text.push('\n');
    }
}

impl<W: Write + Send> Style for Json<W> {
    fn tick(&self) -> Duration {
        PROGRESS_EVERY / 8
    }

    fn show(&mut self, items: Vec<Item>, view: &View, last: bool) {
        let mut text = String::new();
        for item in items {
            match item {
                Item::Lines(lines) => {
                    for log in lines.lines() {
                        self.line(&mut text, view.elapsed, fields(json!({ "event": "log", "text": log })));
                    }
                }
                Item::Happened(happened) => self.line(&mut text, happened.at, event_fields(&happened)),
            }
        }
        let due = self.last.is_none_or(|last| view.elapsed.saturating_sub(last) >= PROGRESS_EVERY);
        if !last && due && view.phase.is_some() {
            self.last = Some(view.elapsed);
            self.line(&mut text, view.elapsed, fields(progress(view)));
        }
        if !text.is_empty() {
            // Nobody reads it any more; the run goes on.
            let _ = self.out.write_all(text.as_bytes()).and_then(|()| self.out.flush());
        }
    }
}

/// Seconds with three digits of fraction.
fn seconds(time: Duration) -> Value {
    let millis = Duration::from_millis(u64::try_from(time.as_millis()).unwrap_or(u64::MAX));
    json!(millis.as_secs_f64())
}

fn fields(value: Value) -> Map<String, Value> {
    if let Value::Object(fields) = value { fields } else { Map::new() }
}

fn event_fields(happened: &Happened) -> Map<String, Value> {
    let mut fields = fields(serde_json::to_value(&happened.event).unwrap_or_default());
    if let Some(done) = happened.done {
        fields.insert("took_seconds".into(), seconds(done.took));
        if matches!(happened.event, Event::TableFinished { .. }) {
            fields.insert("rows".into(), done.rows.into());
            fields.insert("bytes".into(), done.bytes.into());
        }
    }
    fields
}

fn progress(view: &View) -> Value {
    json!({
        "event": "progress",
        "phase": view.phase,
        "rows": view.rows,
        "expected_rows": view.expected_rows,
        "bytes": view.bytes,
        "rows_per_second": view.rows_per_second,
        "bytes_per_second": view.bytes_per_second,
        "percent": view.percent,
        "seconds_left": view.left.map(seconds),
        "tables": view.tables,
        "tables_done": view.tables_done,
        "tables_failed": view.tables_failed,
        "steps": view.steps,
        "steps_done": view.steps_done,
        "paused": view.paused,
        "throttled_seconds": (!view.throttled.is_zero()).then(|| seconds(view.throttled)),
        "running": view.running.iter().map(running).collect::<Vec<_>>(),
    })
}

fn running(running: &Running) -> Value {
    let elapsed = seconds(running.elapsed);
    match running.table {
        Some(table) => {
            json!({ "name": running.name, "seconds": elapsed, "rows": table.rows, "expected_rows": table.expected_rows })
        }
        None => json!({ "name": running.name, "seconds": elapsed }),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Phase;
    use super::super::plain::tests::middle;
    use super::super::tally::Done;
    use super::*;

    #[test]
    fn each_line_is_an_object_with_its_time() {
        let mut out = Vec::new();
        let mut json = Json::new(&mut out, Duration::from_millis(1_700_000_000_250));
        let happened =
            |event, done| Item::Happened(Happened { at: Duration::from_millis(1500), phase: Some(Phase::Copy), event, done });
        let done = Done { rows: 5, bytes: 500, took: Duration::from_millis(400) };
        json.show(
            vec![
                happened(Event::Phase { phase: Phase::Copy, steps: 0 }, None),
                happened(Event::TableFinished { table: "shop.a".into(), error: None }, Some(done)),
                happened(Event::StepFinished { step: "index i".into(), error: Some("no".into()) }, Some(done)),
                Item::Lines("WARN one\nWARN two\n".into()),
            ],
            &middle(),
            false,
        );
        json.show(Vec::new(), &View { elapsed: Duration::from_secs(13), ..middle() }, false);
        json.show(vec![happened(Event::Finished { seconds: 14.5 }, None)], &middle(), true);
        insta::assert_snapshot!(String::from_utf8(out).unwrap(), @r#"
        {"at":1700000001.75,"seconds":1.5,"event":"phase","phase":"copy","steps":0}
        {"at":1700000001.75,"seconds":1.5,"event":"table_finished","table":"shop.a","took_seconds":0.4,"rows":5,"bytes":500}
        {"at":1700000001.75,"seconds":1.5,"event":"step_finished","step":"index i","error":"no","took_seconds":0.4}
        {"at":1700000012.25,"seconds":12.0,"event":"log","text":"WARN one"}
        {"at":1700000012.25,"seconds":12.0,"event":"log","text":"WARN two"}
        {"at":1700000012.25,"seconds":12.0,"event":"progress","phase":"copy","rows":1234567,"expected_rows":5000000,"bytes":120000000,"rows_per_second":123456,"bytes_per_second":12000000,"percent":24,"seconds_left":31.7,"tables":12,"tables_done":3,"tables_failed":0,"steps":0,"steps_done":0,"running":[{"name":"shop.orders","seconds":3.0,"rows":600000,"expected_rows":1250000},{"name":"shop.items","seconds":3.0,"rows":0,"expected_rows":0}]}
        {"at":1700000001.75,"seconds":14.5,"event":"finished"}
        "#);
    }
}
