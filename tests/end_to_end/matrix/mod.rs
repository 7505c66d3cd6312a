//! The rows of `docs/correctness.md`: the hard value in a real source, carried by the command, and what PostgreSQL says has arrived.

mod indexes;
mod keys;
mod listed;
mod names;
mod temporal;

use serde_json::Value;

use super::renames::MappingFile;
use crate::support::PostgresDatabase;
use crate::support::ferry::table;

/// The losses of a table in a report, as `column kind policy count`.
fn losses(report: &Value, name: &str) -> Vec<String> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_string();
    let all = table(report, name)["losses"].as_array().cloned().unwrap_or_default();
    all.iter()
        .map(|loss| format!("{} {} {} {}", text(&loss["column"]), text(&loss["kind"]), text(&loss["policy"]), loss["count"]))
        .collect()
}

/// Demands that a refused run has made nothing: no table, no type, no ledger.
async fn has_nothing(to: &PostgresDatabase) {
    let made = "SELECT count(*) FROM pg_class WHERE relnamespace NOT IN ('pg_catalog'::regnamespace, 'pg_toast'::regnamespace)
        AND relnamespace <> 'information_schema'::regnamespace";
    assert_eq!(to.value(made).await.as_deref(), Some("0"), "a refused run has made something");
}
