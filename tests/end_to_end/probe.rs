//! What the probe finds in the data before anything moves, and what it proves.

use serde_json::Value;

use crate::support::ferry::{ferry, report};
use crate::support::{MySqlDatabase, PostgresDatabase};

const AWKWARD: &str = r"
SET sql_mode = 'ALLOW_INVALID_DATES';
CREATE TABLE parents (code VARCHAR(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci PRIMARY KEY);
INSERT INTO parents VALUES ('abc');
CREATE TABLE odd (
  id INT NOT NULL, part VARCHAR(5) NOT NULL, PRIMARY KEY (id, part),
  zero DATE, partial_date DATETIME, invalid DATE, moment TIMESTAMP NULL,
  flag TINYINT(1), span TIME, small INT UNSIGNED, kind ENUM('a', 'b'),
  nul TEXT, doubled VARCHAR(50) CHARACTER SET utf8mb4, doubled1 VARCHAR(50) CHARACTER SET latin1, asc7 VARCHAR(10) CHARACTER SET ascii,
  code VARCHAR(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci, KEY (code)
);
INSERT INTO odd (id, part, zero, partial_date, invalid, moment, flag, span, small, kind, nul, doubled, doubled1, code) VALUES
  (1, 'x', '2024-02-29', '2024-01-01 10:00:00', '2024-12-31', '2024-01-01', 1, '10:00:00', 5, 'a', 'plain', 'Grüße', 'Grüße', 'abc'),
  (2, 'y', '0000-00-00', '2024-00-15 00:00:00', '2023-02-29', 0, 2, '24:00:00', 4000000000, '', concat('a', char(0), 'b'),
   convert(convert(binary 'Grüße' using latin1) using utf8mb4), convert(binary 'Grüße' using latin1), 'ABC'),
  (3, 'y', '0000-00-00', NULL, '2024-04-31', NULL, 0, '-00:00:01', 7, 'b', NULL, NULL, NULL, NULL);
SET FOREIGN_KEY_CHECKS = 0;
INSERT INTO odd (id, part, code) VALUES (4, 'z', 'missing');
SET FOREIGN_KEY_CHECKS = 1;
";
/// Added last, so that the rows above may break it.
const KEY: &str =
    "SET FOREIGN_KEY_CHECKS = 0; ALTER TABLE odd ADD CONSTRAINT odd_code FOREIGN KEY (code) REFERENCES parents (code);";

const MAPPING: &str = r#"
[[table]]
name = "odd"
[table.columns]
flag = { to = "boolean" }
span = { to = "time" }
small = { to = "integer" }
"#;

fn mapping(text: &str) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("mapping.toml");
    std::fs::write(&path, text).expect("the mapping is written");
    let path = path.to_str().expect("the path is UTF-8").to_string();
    (folder, path)
}

/// What is said of a place, in one line, with its severity.
fn said_of<'a>(plan: &'a Value, name: &str) -> Vec<(&'a str, &'a str)> {
    let problems = plan["problems"].as_array().expect("problems");
    let of = problems.iter().filter(|problem| problem["name"].as_str().is_some_and(|place| place.ends_with(name)));
    of.map(|problem| (problem["severity"].as_str().expect("a severity"), problem["why"].as_str().expect("a reason"))).collect()
}

#[tokio::test]
async fn what_would_stop_the_run_is_found_before_anything_moves() {
    let from = MySqlDatabase::create(&format!("{AWKWARD}{KEY}")).await;
    let to = PostgresDatabase::create("").await;
    let (_folder, file) = mapping(MAPPING);
    let said = ferry(&["plan", &from.url, &to.url, "-m", &file, "--format", "json"]).code(1);
    let plan: Value = serde_json::from_str(&said.out).expect("a plan is JSON");
    let expected = [
        ("odd.zero", "refused", "2 values are zero dates, for example where id = "),
        ("odd.partial_date", "refused", "1 value is a date that no calendar has, for example where id = 2, part = y"),
        ("odd.invalid", "refused", "2 values are dates that no calendar has"),
        ("odd.moment", "refused", "1 value is a zero date, for example where id = 2, part = y"),
        ("odd.flag", "refused", "1 value is neither 0 nor 1, for example where id = 2, part = y"),
        ("odd.span", "refused", "2 values lie outside of a day"),
        ("odd.small", "refused", "1 value lies beyond -2147483648 to 2147483647, for example where id = 2, part = y"),
        ("odd.kind", "refused", "1 value is '' with index 0, which is no label, for example where id = 2, part = y"),
        ("odd.nul", "refused", "1 text has a NUL character in it, for example where id = 2, part = y"),
        ("odd.doubled", "note", "1 text looks as if it had been encoded twice, for example where id = 2, part = y"),
        ("odd.doubled1", "note", "1 text looks as if it had been encoded twice, for example where id = 2, part = y"),
    ];
    for (place, severity, why) in expected {
        let said = said_of(&plan, place);
        assert_eq!(said.len(), 1, "{place}: {said:?}");
        assert_eq!(said[0].0, severity, "{place}");
        assert!(said[0].1.starts_with(why), "{place}: {}", said[0].1);
    }
    assert!(said_of(&plan, "odd.asc7").is_empty());
    let key = said_of(&plan, "odd.odd_code");
    assert!(key[0].1.starts_with("1 row points to a parent that is not carried, for example where id = 4, part = z"), "{key:?}");
    assert!(key[1].1.starts_with("1 row spells its parent's key in another way, for example where id = 2, part = y"), "{key:?}");
    assert_eq!(key.len(), 2);

    let hidden = ferry(&["plan", &from.url, &to.url, "-m", &file, "--hide-keys"]).code(1);
    hidden.prints(&["2 values are zero dates"]).never_says("id = 2");
    ferry(&["run", &from.url, &to.url, "-m", &file]).code(2).complains(&[
        "zero dates",
        "zero_date = \"null\"",
        "orphans = \"not_valid\"",
    ]);
    assert_eq!(
        to.value("SELECT count(*)::text FROM pg_tables WHERE schemaname IN ('public', 'dbferry')").await,
        Some("0".into())
    );
    // Who does not look finds none of it.
    ferry(&["plan", &from.url, &to.url, "-m", &file, "--probe", "off"]).code(0).never_says("zero date");
}

#[tokio::test]
async fn what_is_proven_chooses_the_type_and_what_is_not_does_not() {
    let from = MySqlDatabase::create(
        r"
CREATE TABLE t (
  id INT PRIMARY KEY, yes_no TINYINT(1) NOT NULL DEFAULT 1, number TINYINT(1), nothing TINYINT(1),
  at TIME(3), span TIME, nowhen TIME
);
INSERT INTO t VALUES (1, 0, 0, NULL, '00:00:00', '-00:00:01', NULL), (2, 1, 2, NULL, '23:59:59.999', '10:00:00', NULL);
",
    )
    .await;
    let to = PostgresDatabase::create("").await;
    let wide = [
        ("yes_no", "smallint"),
        ("number", "smallint"),
        ("nothing", "smallint"),
        ("at", "interval(3)"),
        ("span", "interval(0)"),
        ("nowhen", "interval(0)"),
    ];
    for how in ["off", "sample"] {
        let _ = report(0, &["run", &from.url, &to.url, "--if-exists", "drop", "--probe", how]);
        to.has_types("t", &wide).await;
    }
    let _ = report(0, &["run", &from.url, &to.url, "--if-exists", "drop", "--verify", "full"]);
    let proven = [
        ("yes_no", "boolean"),
        ("number", "smallint"),
        ("nothing", "smallint"),
        ("at", "time(3) without time zone"),
        ("span", "interval(0)"),
        ("nowhen", "interval(0)"),
    ];
    to.has_types("t", &proven).await;
    let rows = to.value("SELECT string_agg(format('%s %s %s', id, yes_no, at), '; ' ORDER BY id) FROM t").await;
    assert_eq!(rows, Some("1 f 00:00:00; 2 t 23:59:59.999".into()));
    let default = "SELECT pg_get_expr(adbin, adrelid) FROM pg_attrdef WHERE adrelid = 't'::regclass";
    assert_eq!(to.value(default).await, Some("true".into()));
    ferry(&["verify", &from.url, &to.url, "--level", "full"]).code(0);
}

#[tokio::test]
async fn a_stored_plan_does_not_decide_again_and_each_value_is_checked() {
    let from = MySqlDatabase::create("CREATE TABLE t (id INT PRIMARY KEY, f TINYINT(1)); INSERT INTO t VALUES (1, 1);").await;
    let to = PostgresDatabase::create("").await;
    let folder = tempfile::tempdir().expect("a temporary folder");
    let plan = folder.path().join("plan.json");
    let plan = plan.to_str().expect("the path is UTF-8");
    ferry(&["plan", &from.url, &to.url, "--out", plan]).code(0);
    from.run("INSERT INTO t VALUES (2, 2)").await;
    // The plan says boolean; a 2 that came later is refused, with its key.
    ferry(&["run", &from.url, &to.url, "--plan", plan]).code(1).complains(&["t.f` (id = 2): 2 is neither 0 nor 1"]);
    to.has_types("t", &[("f", "boolean")]).await;
}

#[tokio::test]
async fn orphans_are_carried_when_the_mapping_says_so() {
    let from = MySqlDatabase::create(
        "CREATE TABLE p (id INT PRIMARY KEY); CREATE TABLE c (id INT PRIMARY KEY, p INT, CONSTRAINT cp FOREIGN KEY (p) REFERENCES p (id));
         INSERT INTO p VALUES (1); SET FOREIGN_KEY_CHECKS = 0; INSERT INTO c VALUES (1, 1), (2, 9);",
    )
    .await;
    let to = PostgresDatabase::create("").await;
    ferry(&["run", &from.url, &to.url]).code(2).complains(&["1 row points to a parent that is not carried", "id = 2"]);
    let (_folder, file) = mapping("[[table]]\nname = \"c\"\norphans = \"not_valid\"\n");
    let report = report(0, &["run", &from.url, &to.url, "-m", &file]);
    let notes = serde_json::to_string(&report["problems"]).expect("problems");
    assert!(notes.contains("1 row points to a parent that is not carried"), "{notes}");
    let state = "SELECT concat(convalidated, ' ', (SELECT count(*) FROM c)) FROM pg_constraint WHERE conname = 'cp'";
    assert_eq!(to.value(state).await, Some("f 2".into()));
}

/// Columns that do not take NULL, and what the other tables do not have.
const STRICT: &str = "
CREATE TABLE strict (id INT PRIMARY KEY, day DATE NOT NULL, kind ENUM('a') NOT NULL, asc7 VARCHAR(10) CHARACTER SET ascii);
INSERT INTO strict VALUES (1, '0000-00-00', '', x'61ff62');
CREATE TABLE days (day DATE PRIMARY KEY);
INSERT INTO days VALUES ('0000-00-00');
CREATE TABLE twice (id INT PRIMARY KEY, t VARCHAR(50) CHARACTER SET utf8mb4);
INSERT INTO twice VALUES (1, convert(convert(binary 'Grüße' using latin1) using utf8mb4));
";

/// A mapping, and on top of it all lines that the plan's hints propose: rules of one table joined, as a person would.
fn settled(mapping: &str, plan: &Value) -> String {
    let mut whole: toml::Table = mapping.parse().expect("the mapping is TOML");
    let problems = plan["problems"].as_array().expect("problems");
    let wanted = problems.iter().filter(|problem| {
        problem["severity"] == "refused" || problem["name"].as_str().is_some_and(|name| name.ends_with("twice.t"))
    });
    for problem in wanted {
        let hint = problem["hint"].as_str().unwrap_or_else(|| panic!("no hint: {problem:#}"));
        let (_, lines) = hint.split_once("[[table]]").unwrap_or_else(|| panic!("no lines: {hint}"));
        let rule: toml::Table = format!("[[table]]{lines}").parse().unwrap_or_else(|error| panic!("{error}: {hint}"));
        join(&mut whole, rule);
    }
    whole.to_string()
}

fn join(whole: &mut toml::Table, more: toml::Table) {
    for (key, value) in more {
        match (whole.get_mut(&key), value) {
            (Some(toml::Value::Table(old)), toml::Value::Table(new)) => join(old, new),
            (Some(toml::Value::Array(old)), toml::Value::Array(new)) => {
                for rule in new {
                    match old.iter_mut().find(|other| other["name"] == rule["name"]) {
                        Some(other) => join(other.as_table_mut().expect("a rule"), rule.as_table().expect("a rule").clone()),
                        None => old.push(rule),
                    }
                }
            }
            (_, value) => {
                whole.insert(key, value);
            }
        }
    }
}

#[tokio::test]
async fn the_lines_of_the_hints_settle_what_was_found() {
    let from = MySqlDatabase::create(&format!("{AWKWARD}{STRICT}{KEY}")).await;
    let to = PostgresDatabase::create("").await;
    let (_folder, file) = mapping(MAPPING);
    let said = ferry(&["plan", &from.url, &to.url, "-m", &file, "--format", "json"]).code(1);
    let plan: Value = serde_json::from_str(&said.out).expect("a plan is JSON");
    let lines = settled(MAPPING, &plan);
    let (_folder, file) = mapping(&lines);
    let said = ferry(&["plan", &from.url, &to.url, "-m", &file, "--format", "json"]).code(0);
    let plan: Value = serde_json::from_str(&said.out).expect("a plan is JSON");
    for (place, end) in [
        ("odd.zero", "; they become NULL by `zero_date`"),
        ("odd.invalid", "; they become NULL by `zero_date`"),
        ("odd.moment", "; it becomes NULL by `zero_date`"),
        ("odd.kind", "; it becomes NULL by `enum_empty`"),
        ("odd.nul", "; it is carried without it by `nul_byte`"),
        ("strict.day", "; it becomes NULL by `zero_date`"),
        ("strict.asc7", "; it is carried, what is no character replaced, by `invalid_text`"),
        ("days.day", "; it becomes 1970-01-01 by `zero_date`"),
        ("twice.t", "; it is decoded by `decode`"),
    ] {
        let said = said_of(&plan, place);
        assert!(said.len() == 1 && said[0].0 == "note" && said[0].1.ends_with(end), "{place}: {said:?}\n{lines}");
    }
    let done = report(0, &["run", &from.url, &to.url, "-m", &file]);
    assert_eq!(done["exit_code"], 0);
    let values = "NULL, NULL, NULL, NULL, 2, '24:00:00', 4000000000, NULL, 'ab'";
    let columns = ["zero", "partial_date", "invalid", "moment", "flag", "span", "small", "kind", "nul"];
    to.holds("odd", "id = 2", &columns, values).await;
    to.holds("strict", "id = 1", &["day", "kind::text", "asc7"], "NULL, NULL, 'a\u{fffd}b'").await;
    to.holds("days", "true", &["day"], "'1970-01-01'").await;
    to.holds("twice", "id = 1", &["t"], "'Grüße'").await;
}

#[tokio::test]
async fn values_of_a_table_that_rejects_rows_refuse_nothing() {
    let from = MySqlDatabase::create(AWKWARD).await;
    let to = PostgresDatabase::create("").await;
    let rejecting = MAPPING.replace("name = \"odd\"", "name = \"odd\"\non_error = \"reject\"");
    let (_folder, file) = mapping(&rejecting);
    let said = ferry(&["plan", &from.url, &to.url, "-m", &file, "--format", "json"]).code(0);
    let plan: Value = serde_json::from_str(&said.out).expect("a plan is JSON");
    for column in ["zero", "partial_date", "invalid", "moment", "flag", "span", "small", "kind", "nul"] {
        let said = said_of(&plan, &format!("odd.{column}"));
        assert!(said.len() == 1 && said[0].0 == "note" && said[0].1.ends_with("; these rows will be rejected"), "{said:?}");
    }
    let done = report(1, &["run", &from.url, &to.url, "-m", &file]);
    let odd = crate::support::ferry::table(&done, "odd");
    assert_eq!((odd["rows"].as_u64(), odd["rejected"].as_u64()), (Some(2), Some(2)), "{odd:#}");
    let (_folder, file) = mapping(&rejecting.replace("on_error = \"reject\"", "on_error = \"reject\"\nmax_rejects = 1"));
    ferry(&["run", &from.url, &to.url, "-m", &file, "--if-exists", "drop"]).code(2).complains(&["`max_rejects` allows 1"]);
}
