//! The rows of `docs/correctness.md`: the hard value in a real source, carried by the command, and what PostgreSQL says has arrived.

mod any_value;
mod bytes;
mod columns;
mod delivery;
mod documents;
mod hostile;
mod indexes;
mod keys;
mod labels;
mod listed;
mod names;
mod numbers;
mod shapes;
mod surroundings;
mod temporal;
mod text;
mod verification;

use serde_json::Value;

use super::renames::MappingFile;
use crate::support::ferry::table;
use crate::support::{MySqlDatabase, PostgresDatabase};

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

/// What a report's problems of that severity say of the place whose name ends so; nothing if they say nothing.
fn says(report: &Value, severity: &str, name: &str) -> String {
    let problems = report["problems"].as_array().expect("a report has problems");
    let of = problems
        .iter()
        .filter(|one| one["severity"] == severity && one["name"].as_str().is_some_and(|place| place.ends_with(name)));
    of.filter_map(|one| one["why"].as_str()).collect::<Vec<_>>().join("\n")
}

/// True for MariaDB, false for Oracle's MySQL.
async fn is_maria(from: &MySqlDatabase) -> bool {
    let version: String =
        sqlx::query_scalar("SELECT CAST(VERSION() AS CHAR)").fetch_one(&mut from.connect().await).await.expect("a version");
    version.contains("MariaDB")
}
