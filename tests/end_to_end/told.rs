//! What commands say where nothing, or something else than it seems, was done.

use crate::support::ferry::{ferry, ferry_with_report};
use crate::support::{MySqlDatabase, PostgresDatabase};

const SHOP: &str =
    "CREATE TABLE items (id INT NOT NULL PRIMARY KEY, name VARCHAR(20) NOT NULL, price DECIMAL(8,2), KEY by_price (price));
INSERT INTO items VALUES (1, 'cup', 2.50), (2, 'pot', NULL);
";

#[tokio::test]
async fn a_ledger_without_runs_and_a_run_that_is_done_say_so() {
    let (from, to) = (MySqlDatabase::create(SHOP).await, PostgresDatabase::create("").await);
    ferry(&["rejects", &to.url]).code(2).complains(&["the ledger of this target knows no run"]).never_says("``");
    ferry(&["rejects", "abc", &to.url]).code(2).complains(&["the ledger knows no run `abc`"]);
    // A verification of rows that no run has brought has no run to name.
    to.run("CREATE TABLE items (id int PRIMARY KEY, name varchar(20) NOT NULL, price numeric(8,2)); INSERT INTO items VALUES (1, 'cup', 2.50), (2, 'pot', NULL)").await;
    let (said, report) = ferry_with_report(&["verify", &from.url, &to.url]);
    let said = said.code(0).prints(&["verify, dbferry ", "Proven by digest"]);
    assert!(!said.out.contains("it is loaded as it stands"), "{}", said.out);
    assert!(report.unwrap().get("run").is_none());

    let line = ["run", &from.url, &to.url, "--if-exists", "drop"];
    let (said, report) = ferry_with_report(&line);
    said.code(0);
    let run = report.unwrap()["run"].as_str().unwrap().to_string();
    let (said, report) = ferry_with_report(&["verify", &from.url, &to.url]);
    said.code(0).prints(&[&format!("verify of run {run}, dbferry ")]).never_says("it is loaded as it stands");
    assert_eq!(report.unwrap()["run"], run);
    let ended =
        to.value("SELECT to_char(updated_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS') FROM dbferry.runs").await.unwrap();
    let done = ferry(&[&line[..], &["--resume"]].concat()).code(0).prints(&[&run]);
    done.complains(&["is done already: it ended at ", &format!("{ended} UTC"), "nothing was compared now", "its report of then"]);
    from.drop().await;
    to.drop().await;
}

#[tokio::test]
async fn a_plan_that_has_grown_old_says_in_words_what_has_changed() {
    let (from, to) = (MySqlDatabase::create(SHOP).await, PostgresDatabase::create("").await);
    let folder = tempfile::tempdir().unwrap();
    let plan = folder.path().join("p.json");
    let plan = plan.to_str().unwrap();
    ferry(&["plan", &from.url, &to.url, "--out", plan]).code(0);
    from.run(
        "ALTER TABLE items MODIFY name VARCHAR(30) NULL DEFAULT 'x', DROP COLUMN price, ADD COLUMN weight DOUBLE NOT NULL, ADD UNIQUE KEY by_name (name);",
    )
    .await;
    let said = ferry(&["run", &from.url, &to.url, "--plan", plan]).code(2).complains(&[
        "have changed since the plan was made",
        "the column `name` was varchar(20) and is varchar(30), may be NULL now, had no default and has the default `x`",
        "the column `price` (decimal(8,2)) is gone",
        "the column `weight` (double not null) is new",
        "the index `by_price` (on price) is gone",
        "the index `by_name` (unique on name) is new",
    ]);
    assert!(!said.err.contains(['{', '"']), "{}", said.err);
    from.drop().await;
    to.drop().await;
}

#[tokio::test]
async fn a_run_without_logs_is_not_begun_under_a_promise_of_resume() {
    let (from, to) = (MySqlDatabase::create(SHOP).await, PostgresDatabase::create("").await);
    // D6: there is nothing to go on with, and what would begin could not be gone on with.
    ferry(&["run", &from.url, &to.url, "--unlogged", "--resume"])
        .code(2)
        .complains(&["promises no resume", "Leave out `--resume`"]);
    assert_eq!(to.value("SELECT to_regclass('items')::text").await, None);
    ferry(&["run", &from.url, &to.url, "--unlogged"]).code(0);
    ferry(&["run", &from.url, &to.url, "--unlogged", "--resume"]).code(0).complains(&["is done already"]);
    from.drop().await;
    to.drop().await;
}

#[cfg(debug_assertions)]
#[tokio::test]
async fn an_upsert_that_is_given_up_says_that_its_rows_may_have_changed_others() {
    use crate::support::ferry::{command, finish};

    let from = MySqlDatabase::create(SHOP).await;
    let to = PostgresDatabase::create(
        "CREATE TABLE items (id int PRIMARY KEY, name varchar(20) NOT NULL, price numeric(8,2)); INSERT INTO items VALUES (1, 'old', 1), (7, 'own', 7)",
    )
    .await;
    let line = ["run", &from.url, &to.url, "--tables", "existing", "--if-exists", "upsert"];
    finish(command(&line).env("DBFERRY_FAILPOINT", "chunk-committed").spawn().unwrap()).code(-1);
    let run = to.value("SELECT replace(run::text, '-', '') FROM dbferry.runs").await.unwrap();
    for yes in [&[][..], &["--yes"]] {
        let given = ferry(&[&["abandon", &run, &to.url], yes].concat());
        assert!(
            given.out.contains("leave public.items, which stood before, as it is now: 2 rows were sent there by their key, and added or put in the place of others")
                && !given.out.contains("has put there"),
            "{}",
            given.out
        );
    }
    assert_eq!(to.value("SELECT string_agg(name, ' ' ORDER BY id) FROM items").await.as_deref(), Some("cup pot own"));
    from.drop().await;
    to.drop().await;
}

#[tokio::test]
async fn statistics_are_left_out_if_that_is_asked_for_at_the_beginning_or_later() {
    let (from, to) = (MySqlDatabase::create(SHOP).await, PostgresDatabase::create("").await);
    let line = ["run", &from.url, &to.url, "--if-exists", "drop"];
    let analyzed = async || to.value("SELECT count(DISTINCT tablename) FROM pg_stats WHERE schemaname = 'public'").await.unwrap();
    let plan = |more: &[&str]| ferry(&[&["plan"], &line[1..], &["--format", "sql"], more].concat()).code(0);
    plan(&[]).prints(&["ANALYZE"]);
    plan(&["--no-analyze"]).never_says("ANALYZE");
    let said = ferry(&[&line[..], &["--no-analyze"]].concat()).code(0).prints(&["statistics", "Proven by digest"]);
    assert!(said.words().contains("until ANALYZE or autovacuum has run"), "{}", said.out);
    assert_eq!(analyzed().await, "0");
    ferry(&line).code(0).prints(&["Proven by digest"]);
    assert_ne!(analyzed().await, "0");

    #[cfg(debug_assertions)]
    {
        use crate::support::ferry::{command, finish};
        let mut killed = command(&line);
        finish(killed.env("DBFERRY_FAILPOINT", "chunk-committed").spawn().unwrap()).code(-1);
        ferry(&[&line[..], &["--resume", "--no-analyze"]].concat()).code(0).prints(&["Proven by digest"]);
        assert_eq!(analyzed().await, "0");
    }
    from.drop().await;
    to.drop().await;
}
