//! The rows of `docs/correctness.md`: the hard value in a real source, carried by the command, and what PostgreSQL says has arrived.

use serde_json::Value;

use crate::support::ferry::table;

/// The losses of a table in a report, as `column kind policy count`.
fn losses(report: &Value, name: &str) -> Vec<String> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_string();
    let all = table(report, name)["losses"].as_array().cloned().unwrap_or_default();
    all.iter()
        .map(|loss| format!("{} {} {} {}", text(&loss["column"]), text(&loss["kind"]), text(&loss["policy"]), loss["count"]))
        .collect()
}
