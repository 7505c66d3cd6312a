//! SQL of a person's own around the work: where it runs, that it runs once, and what a failure leaves.

use super::renames::MappingFile;
use crate::support::ferry::{ferry, ferry_with_report, report};
use crate::support::{MySqlDatabase, PostgresDatabase};

const SHOP: &str = "CREATE TABLE orders (id INT NOT NULL PRIMARY KEY, v INT NOT NULL);
CREATE TABLE notes (id INT NOT NULL PRIMARY KEY);
CREATE TABLE steps (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, what VARCHAR(40) NOT NULL);
INSERT INTO orders VALUES (1, 10), (2, 20);
";

/// Says what the target looks like when it runs.
const LOG: &str =
    "CREATE SCHEMA IF NOT EXISTS log; CREATE TABLE log.steps (id int GENERATED ALWAYS AS IDENTITY, what text, seen text);
CREATE FUNCTION log.now() RETURNS text LANGUAGE plpgsql AS $$
DECLARE seen text := 'no table'; BEGIN
  IF to_regclass('public.orders') IS NOT NULL THEN
    EXECUTE 'SELECT count(*) || '' rows'' FROM public.orders' INTO seen;
    IF EXISTS (SELECT FROM pg_index WHERE indrelid = 'public.orders'::regclass) THEN seen := seen || ', key'; END IF;
  END IF;
  RETURN seen;
END $$";

fn note(when: &str, table: &str, what: &str) -> String {
    let table = if table.is_empty() { String::new() } else { format!("table = \"{table}\"\n") };
    format!(
        "[[hook]]\nname = \"{what}\"\nwhen = \"{when}\"\nside = \"target\"\n{table}sql = \"INSERT INTO log.steps (what, seen) VALUES ('{what}', log.now())\"\n"
    )
}

#[tokio::test]
async fn hooks_run_once_at_their_points_and_plan_and_report_show_them() {
    let (from, to) = (MySqlDatabase::create(SHOP).await, PostgresDatabase::create(LOG).await);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("m.toml");
    std::fs::write(
        folder.path().join("last.sql"),
        "UPDATE orders SET v = -1 WHERE id = 1;\nINSERT INTO log.steps (what) VALUES ('last');\n",
    )
    .unwrap();
    let text = [
        note("after", "", "run after"),
        note("after", "orders", "table after"),
        note("before", "orders", "table before"),
        note("before", "", "run before"),
        "[[hook]]\nwhen = \"after\"\nside = \"target\"\nfile = \"last.sql\"\n".into(),
        "[[hook]]\nwhen = \"after\"\nside = \"target\"\nsql = \"VACUUM orders\"\ntransaction = false\n".into(),
        "[[hook]]\nwhen = \"before\"\nside = \"source\"\nsql = \"INSERT INTO steps (what) VALUES ('by a hook'); UPDATE orders SET v = 21 WHERE id = 2\"\n".into(),
        "[[hook]]\nwhen = \"after\"\nside = \"source\"\ntable = \"notes\"\nsql = \"INSERT INTO steps (what) VALUES ('after notes')\"\n".into(),
    ];
    std::fs::write(&path, text.concat()).unwrap();
    let mapping = path.to_str().unwrap();
    let ends = ["run", &from.url, &to.url, "-m", mapping];

    ferry(&["plan", &from.url, &to.url, "-m", mapping]).code(0).prints(&[
        "Hooks",
        "table before: before public.orders, on the target, one transaction with its ledger entry",
        "hook 7: before the run, on the source, one transaction",
        "hook 6: after the run, on the target, no transaction\n      VACUUM orders",
    ]);
    let sql = ferry(&["plan", &from.url, &to.url, "-m", mapping, "--format", "sql"]).code(0).out;
    let places = [
        "'run before'",
        "--   INSERT INTO steps",
        "CREATE TABLE",
        "'table before'",
        "PRIMARY KEY",
        "'table after'",
        "SET v = -1",
        "VACUUM orders;",
    ];
    let found: Vec<Option<usize>> = places.iter().map(|text| sql.find(text)).collect();
    assert!(found.is_sorted() && found[0].is_some(), "{found:?}\n{sql}");
    let json: serde_json::Value =
        serde_json::from_str(&ferry(&["plan", &from.url, &to.url, "-m", mapping, "--format", "json"]).code(0).out).unwrap();
    assert!(json["hooks"][4]["sql"].as_str().unwrap().starts_with("UPDATE orders SET v = -1"), "{:#}", json["hooks"]);

    let (said, report) = ferry_with_report(&ends);
    said.code(0).prints(&["Hooks: 8", "hook 6 (after the run, on the target): done in", "Hooks ran after that"]);
    let report = report.unwrap();
    let hooks: Vec<String> = report["hooks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|hook| format!("{} {}", hook["name"].as_str().unwrap(), hook["state"].as_str().unwrap()))
        .collect();
    assert_eq!(
        hooks,
        [
            "run before done",
            "hook 7 done",
            "table before done",
            "table after done",
            "hook 8 done",
            "run after done",
            "hook 5 done",
            "hook 6 done"
        ]
    );
    let seen = to.value("SELECT string_agg(what || ': ' || coalesce(seen, ''), '; ' ORDER BY id) FROM log.steps").await;
    let expected = "run before: no table; table before: 0 rows; table after: 2 rows, key; run after: 2 rows, key; last: ";
    assert_eq!(seen.as_deref(), Some(expected));
    // The source's hook came before the snapshot, that of the end after the verification.
    assert_eq!(to.value("SELECT string_agg(v::text, ',' ORDER BY id) FROM orders").await.as_deref(), Some("-1,21"));
    assert_eq!(to.value("SELECT string_agg(what, ',') FROM steps").await.as_deref(), Some("by a hook"));
    assert_eq!(to.value("SELECT count(*) FROM dbferry.hooks WHERE done_at IS NOT NULL").await.as_deref(), Some("8"));
    ferry(&[&ends[..], &["--resume"]].concat()).code(0);
    assert_eq!(to.value("SELECT count(*) FROM log.steps").await.as_deref(), Some("5"));
    // A later comparison sees what the last hook changed.
    ferry(&["verify", &from.url, &to.url, "-m", mapping]).code(1).prints(&["DIFFERS"]);
    from.drop().await;
    to.drop().await;
}

#[tokio::test]
async fn a_hook_that_fails_leaves_nothing_and_the_run_goes_on_from_there() {
    let (from, to) = (MySqlDatabase::create(SHOP).await, PostgresDatabase::create("").await);
    for (when, table) in [("before", ""), ("before", "table = \"orders\"\n"), ("after", "table = \"orders\"\n"), ("after", "")] {
        to.run(
            "DROP SCHEMA public CASCADE; CREATE SCHEMA public; DROP SCHEMA IF EXISTS dbferry CASCADE; CREATE TABLE made (id int)",
        )
        .await;
        let hook = |name: &str, sql: &str| {
            format!("[[hook]]\nname = \"{name}\"\nwhen = \"{when}\"\nside = \"target\"\n{table}sql = \"{sql}\"\n")
        };
        let first = hook("first", "INSERT INTO made VALUES (1)");
        let file = MappingFile::new(&format!(
            "{first}{}",
            hook("second", "INSERT INTO made VALUES (2); INSERT INTO missing VALUES (1)")
        ));
        let ends = ["run", &from.url, &to.url, "-m", &file.path()];
        ferry(&ends).code(3).complains(&["the hook `second` failed in the target", "missing", "--resume"]);
        assert_eq!(to.value("SELECT string_agg(id::text, ',') FROM made").await.as_deref(), Some("1"), "{when} {table}");
        assert_eq!(to.value("SELECT count(*) FROM dbferry.hooks").await.as_deref(), Some("1"));
        // Other hooks are another run, never this one with other SQL.
        let other = MappingFile::new(&first);
        ferry(&["run", &from.url, &to.url, "-m", &other.path(), "--resume"])
            .code(2)
            .complains(&["hooks are not those of the unfinished run"]);
        to.run("CREATE TABLE missing (id int)").await;
        let report = report(0, &[&ends[..], &["--resume"]].concat());
        let states: Vec<&str> = report["hooks"].as_array().unwrap().iter().map(|hook| hook["state"].as_str().unwrap()).collect();
        assert_eq!(states, ["done_before", "done"], "{report:#}");
        assert_eq!(to.value("SELECT string_agg(id::text, ',') FROM made").await.as_deref(), Some("1,2"));
        assert_eq!(to.value("SELECT (SELECT count(*) FROM missing) + (SELECT count(*) FROM orders)").await.as_deref(), Some("3"));
    }
    from.drop().await;
    to.drop().await;
}

#[tokio::test]
async fn a_hook_begun_and_not_known_to_be_done_stops_a_resume_until_rerun_is_allowed() {
    let (from, to) = (MySqlDatabase::create(SHOP).await, PostgresDatabase::create("").await);
    let mapping = |rerun: &str| {
        MappingFile::new(&format!(
            "[[hook]]\nname = \"mark\"\nwhen = \"before\"\nside = \"source\"\nsql = \"INSERT INTO steps (what) VALUES ('marked')\"\n{rerun}\n\
             [[hook]]\nname = \"later\"\nwhen = \"before\"\nside = \"target\"\nsql = \"SELECT * FROM not_yet\"\n"
        ))
    };
    let (strict, lax) = (mapping(""), mapping("rerun = true"));
    let run = |file: &MappingFile| ferry(&["run", &from.url, &to.url, "-m", &file.path(), "--resume"]);
    run(&strict).code(3).complains(&["`later`"]);
    // As a coordinator leaves it that dies between the statement and its entry.
    to.run("UPDATE dbferry.hooks SET done_at = NULL WHERE hook = 'mark'; CREATE TABLE not_yet ()").await;
    run(&strict).code(2).complains(&["the hook `mark` (before the run, on the source) was begun", "rerun = true"]);
    assert_eq!(to.value("SELECT to_regclass('orders') IS NULL").await.as_deref(), Some("true"));
    run(&lax).code(0).prints(&["Proven by digest"]);
    assert_eq!(to.value("SELECT count(*) FROM steps WHERE what = 'marked'").await.as_deref(), Some("2"));
    from.drop().await;
    to.drop().await;
}

#[tokio::test]
async fn hooks_that_cannot_be_are_refused_before_anything_is_made() {
    let (from, to) = (MySqlDatabase::create(SHOP).await, PostgresDatabase::create("").await);
    let hook = |more: &str| MappingFile::new(&format!("[[hook]]\nwhen = \"before\"\nside = \"target\"\n{more}\n"));
    for (more, says) in [
        ("", "the hook `hook 1` has nothing to run"),
        ("sql = \"SELECT 1\"\nfile = \"a.sql\"", "both `sql` and `file`"),
        ("file = \"nowhere.sql\"", "`nowhere.sql` of a hook cannot be read"),
        ("sql = \"SELECT 1\"\ntable = \"order\"", "Did you mean `orders`?"),
        (
            "sql = \"SELECT 1\"\n[[hook]]\nname = \"hook 1\"\nwhen = \"after\"\nside = \"source\"\nsql = \"SELECT 2\"",
            "is named `hook 1`, too",
        ),
    ] {
        ferry(&["run", &from.url, &to.url, "-m", &hook(more).path()])
            .code(2)
            .complains(&[says, "m.toml:1"].map(|text| if more.contains("name") { says } else { text }));
    }
    let commits = hook("sql = \"CREATE TABLE kept (); COMMIT; CREATE TABLE lost ()\"");
    ferry(&["run", &from.url, &to.url, "-m", &commits.path()]).code(3).complains(&["ends the transaction that it runs in"]);
    ferry(&["run", &from.url, &to.url, "-m", &commits.path(), "--resume"])
        .code(2)
        .complains(&["it is not known whether it went through"]);
    let folder = tempfile::tempdir().unwrap();
    let parquet = format!("parquet://{}", folder.path().join("out").display());
    let plain = hook("sql = \"SELECT 1\"");
    ferry(&["run", &from.url, &parquet, "-m", &plain.path()]).code(2).complains(&["hook `hook 1`", "runs no SQL"]);
    from.drop().await;
    to.drop().await;
}

#[tokio::test]
async fn sql_is_run_as_it_is_written_and_a_plan_that_was_changed_is_refused() {
    let (from, to) = (MySqlDatabase::create(SHOP).await, PostgresDatabase::create("CREATE TABLE said (t text)").await);
    let file = MappingFile::new(
        "[[hook]]\nwhen = \"after\"\nside = \"target\"\nsql = 'INSERT INTO said VALUES ($${HOME}$$)'\n\
         [[hook]]\nwhen = \"after\"\nside = \"target\"\nsql = \"SELECT * FROM not_yet\"\n",
    );
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("plan.json");
    let plan = path.to_str().unwrap();
    ferry(&["plan", &from.url, &to.url, "-m", &file.path(), "--out", plan]).code(0);
    let stored = std::fs::read_to_string(&path).unwrap();
    let changed = folder.path().join("changed.json");
    // In the mapping and in the hook.
    std::fs::write(&changed, stored.replace("{HOME}", "{home}")).unwrap();
    ferry(&["run", &from.url, &to.url, "--plan", changed.to_str().unwrap()])
        .code(2)
        .complains(&["`hook 1` was changed in the plan"]);
    ferry(&["run", &from.url, &to.url, "--plan", plan]).code(3).complains(&["`hook 2` failed"]);
    assert_eq!(to.value("SELECT t FROM said").await.as_deref(), Some("{HOME}"));
    // Verified, but not at its end: that is what the ledger tells meanwhile.
    let run = to.value("SELECT replace(run::text, '-', '') FROM dbferry.runs").await.unwrap();
    ferry(&["report", &run, &to.url, "--format", "json"])
        .code(0)
        .prints(&["Proven by digest", "Hooks of the run's end have not run yet."]);
    to.run("CREATE TABLE not_yet (); DELETE FROM orders").await;
    // What was verified is not verified again: rows may have been changed on purpose since.
    let done = report(0, &["run", &from.url, &to.url, "--plan", plan, "--resume"]);
    let proven = done["proven"].as_str().unwrap();
    assert!(
        proven.starts_with("Proven by digest") && proven.ends_with("no part of it.") && !proven.contains("not run yet"),
        "{proven}"
    );
    assert_eq!(to.value("SELECT count(*) FROM said").await.as_deref(), Some("1"));
    from.drop().await;
    to.drop().await;
}
