//! What a report lists, and which server is the source.

use serde_json::Value;
use sqlx::AssertSqlSafe;

use crate::support::MySqlDatabase;

/// The problems of that severity and object, each as `name: why`, names without their database.
pub fn listed(report: &Value, severity: &str, object: &str) -> Vec<String> {
    let problems = report["problems"].as_array().expect("a report has problems");
    let of = problems.iter().filter(|one| one["severity"] == severity && one["object"] == object);
    let text = |one: &Value, field: &str| one[field].as_str().unwrap_or_default().to_string();
    let short = |name: String| name.split_once('.').map_or(name.clone(), |(_, rest)| rest.to_string());
    of.map(|one| format!("{}: {}", short(text(one, "name")), text(one, "why"))).collect()
}

/// Demands that one of the problems of that severity and object has all of these texts in it.
#[track_caller]
pub fn lists(report: &Value, severity: &str, object: &str, texts: &[&str]) {
    let all = listed(report, severity, object);
    let found = all.iter().any(|one| texts.iter().all(|text| one.contains(text)));
    assert!(found, "no {severity} {object} with {texts:?}: {:#}", report["problems"]);
}

/// True for MariaDB, false for MySQL of Oracle.
pub async fn is_mariadb(from: &MySqlDatabase) -> bool {
    let sql = AssertSqlSafe("SELECT VERSION()".to_string());
    let version: String = sqlx::query_scalar(sql).fetch_one(&mut from.connect().await).await.expect("a version");
    version.contains("MariaDB")
}
