//! Which run is meant, what has changed since it began, and giving it up.

use crate::support::ferry::{Said, command, ferry, finish};
use crate::support::{MySqlDatabase, PostgresDatabase};

const SHOP: &str = "CREATE TABLE customers (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, name VARCHAR(40) NOT NULL, mood ENUM('a','b'));
CREATE TABLE orders (id INT NOT NULL PRIMARY KEY, customer INT NOT NULL, total DECIMAL(10,2), CONSTRAINT of_customer FOREIGN KEY (customer) REFERENCES customers (id));
INSERT INTO customers VALUES (1, 'Ada', 'a'), (2, 'Bob', NULL);
INSERT INTO orders VALUES (1, 1, 2.50), (2, 1, NULL);
";

fn killed(line: &[&str], place: &str) -> Said {
    finish(command(line).env("DBFERRY_FAILPOINT", place).spawn().unwrap()).code(-1)
}

async fn runs(to: &PostgresDatabase) -> Vec<String> {
    let runs = to.value("SELECT string_agg(replace(run::text, '-', ''), ' ' ORDER BY started_at DESC) FROM dbferry.runs").await;
    runs.unwrap_or_default().split(' ').map(String::from).collect()
}

#[tokio::test]
async fn what_changed_since_is_named() {
    let (from, to) = (MySqlDatabase::create(SHOP).await, PostgresDatabase::create("").await);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("m.toml");
    let mapping = |text: &str| std::fs::write(&file, text).unwrap();
    mapping("[[table]]\nname = \"orders\"\n[table.columns.total]\nto = \"numeric(12,2)\"\n");
    let line = ["run", &from.url, &to.url, "-m", file.to_str().unwrap()];
    let resume = |more: &[&str]| ferry(&[&line[..], &["--resume"], more].concat());
    killed(&line, "chunk-committed");
    let run = runs(&to).await.remove(0);

    mapping("[[table]]\nname = \"orders\"\n[table.columns.total]\nto = \"numeric(20,4)\"\n");
    let place = "mapping.table `orders`.columns.total.to: \"numeric(12,2)\" before, \"numeric(20,4)\" now";
    resume(&[]).code(2).complains(&[&run, "other choices", place, "dbferry abandon"]);
    mapping("[[table]]\nname = \"orders\"\n[table.columns.total]\nto = \"numeric(12,2)\"\n");
    resume(&["--exclude", "customers"]).code(2).complains(&["exclude: none before, \"customers\" now"]);
    let named = format!("--resume={}", &run[..30]);
    ferry(&[&line[..], &[&named, "--schema", "other"]].concat()).code(2).complains(&["schema: none before, \"other\" now"]);

    from.run("ALTER TABLE orders MODIFY total DECIMAL(11,2), ADD COLUMN late INT;").await;
    let said = resume(&[]).code(2);
    let said =
        said.complains(&[".orders` (", "the column `late` (", ") is new", "the column `total` was ", "Put the source back"]);
    assert!(!said.err.contains(".customers`"), "{}", said.err);
    assert_eq!(to.value("SELECT count(*) FROM dbferry.leases").await.as_deref(), Some("1"), "the killed run's own is left");
    from.run("ALTER TABLE orders MODIFY total DECIMAL(10,2), DROP COLUMN late;").await;

    ferry(&[&line[..], &["--resume=ffff"]].concat()).code(2).complains(&["ffff", "dbferry status"]);
    ferry(&[&line[..], &[&named]].concat()).code(0).prints(&[&run, "Proven by digest"]);
    for again in ["--resume", &named] {
        ferry(&[&line[..], &[again]].concat()).code(0).complains(&["done already"]);
    }
    ferry(&["abandon", &run, &to.url, "--yes"]).code(2).complains(&["is done"]);
    from.drop().await;
    to.drop().await;
}

#[tokio::test]
async fn a_resumed_run_is_verified_as_the_command_asks_and_a_plan_as_it_says() {
    let (from, to) = (MySqlDatabase::create(SHOP).await, PostgresDatabase::create("").await);
    let line = ["run", &from.url, &to.url];
    let with = |more: &[&str]| ferry(&[&line[..], more].concat());
    killed(&line, "chunk-committed");
    with(&["--resume", "--verify", "full"])
        .code(0)
        .complains(&["verified by `full`, as is asked for now, and not by `digest`"])
        .prints(&["Proven in full"]);

    // What was asked for at the beginning stays, where nothing is asked for now.
    killed(&[&line[..], &["--verify", "full", "--if-exists", "drop"]].concat(), "chunk-committed");
    let said = with(&["--if-exists", "drop", "--resume"]).code(0).prints(&["Proven in full"]);
    assert!(!said.err.contains("asked for now"), "{}", said.err);

    let done = with(&["--if-exists", "drop", "--verify", "rows"]).code(0);
    assert!(!done.err.contains("--level"), "{}", done.err);
    with(&["--if-exists", "drop", "--verify", "full", "--resume"]).code(0).complains(&[
        "done already",
        "it was verified by `rows`, not by `full`",
        "--level full",
    ]);

    let folder = tempfile::tempdir().unwrap();
    let plan = folder.path().join("p.json");
    let plan = plan.to_str().unwrap();
    ferry(&["plan", &from.url, &to.url, "--if-exists", "drop", "--out", plan]).code(0);
    with(&["--plan", plan, "--include", "orders", "--if-exists", "truncate", "--chunk", "64MiB"]).code(2).complains(&[
        plan,
        "made with other choices than `--include`, `--if-exists`\n",
        "leave the flags out",
    ]);
    with(&["--plan", plan, "--if-exists", "drop", "--verify", "full"])
        .code(0)
        .complains(&["verified by `full`"])
        .prints(&["Proven in full"]);
    from.drop().await;
    to.drop().await;
}

#[tokio::test]
async fn several_runs_that_may_be_meant_are_listed() {
    let (from, to) = (MySqlDatabase::create(SHOP).await, PostgresDatabase::create("").await);
    let of = |include: &'static str| ["run", &from.url, &to.url, "--include", include].map(String::from);
    for (include, schema) in [("customers", "a"), ("orders", "b")] {
        let line = of(include);
        let line: Vec<&str> = line.iter().map(String::as_str).chain(["--schema", schema]).collect();
        killed(&line, "chunk-committed");
    }
    let both = runs(&to).await;
    ferry(&["run", &from.url, &to.url, "--resume"]).code(2).complains(&[
        "2 unfinished runs may be meant",
        &both[0],
        &both[1],
        "schema: \"a\" before",
        "--resume=RUN",
    ]);
    // With its own choices each is found.
    ferry(&["run", &from.url, &to.url, "--include", "customers", "--schema", "a", "--resume"]).code(0).prints(&[&both[1]]);
    from.drop().await;
    to.drop().await;
}

#[tokio::test]
async fn a_run_that_is_given_up_leaves_what_stood_before() {
    const STANDING: &str = "CREATE TABLE orders (id int PRIMARY KEY, customer int NOT NULL, total numeric(10,2)); INSERT INTO orders VALUES (77, 1, 1);
CREATE INDEX by_customer ON orders (customer)";
    const LEFT: &str = "SELECT string_agg(c.oid::regclass::text, ' ' ORDER BY c.oid::regclass::text) || ' ' || (SELECT string_agg(id::text, ',' ORDER BY id) FROM orders)
         || ' ' || (SELECT count(*) FROM pg_type WHERE typtype = 'e') FROM pg_class AS c WHERE relnamespace = 'public'::regnamespace";
    let (from, to) = (MySqlDatabase::create(SHOP).await, PostgresDatabase::create(STANDING).await);
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("c.toml");
    std::fs::write(&config, "[run]\nif_exists = \"append\"\ntarget_indexes = \"rebuild\"\n").unwrap();
    let line = ["run", &from.url, &to.url, "-c", config.to_str().unwrap(), "--jobs", "1"];
    for place in [
        "run-started",
        "clear-done",
        "table-made",
        "chunk-committed",
        "chunk-committed:2",
        "restore-before",
        "index-made",
        "verified",
    ] {
        killed(&line, place);
        let run = runs(&to).await.remove(0);
        let asked = ferry(&["abandon", &run, &to.url]).code(2);
        asked.prints(&["would"]).complains(&["nothing was changed", "--yes"]);
        let given = ferry(&["abandon", &run[..31], &to.url, "--yes"]).code(0).never_says("drop public.orders");
        if place == "verified" {
            assert!(
                given.out.contains("drop public.customers")
                    && given.out.contains("leave public.orders, which stood before, with 2 rows"),
                "{}",
                given.out
            );
            to.run("DELETE FROM orders WHERE id < 77").await;
        } else {
            to.run("DELETE FROM orders WHERE id < 77").await;
        }
        assert_eq!(to.value(LEFT).await.as_deref(), Some("by_customer orders orders_pkey 77 0"), "{place}");
        let left = "SELECT (SELECT count(*) FROM dbferry.runs) + (SELECT count(*) FROM dbferry.receipts) + (SELECT count(*) FROM dbferry.marks) + (SELECT count(*) FROM dbferry.leases)";
        assert_eq!(to.value(left).await.as_deref(), Some("0"), "{place}");
    }
    ferry(&line).code(0).prints(&["Proven by digest"]);
    from.drop().await;
    to.drop().await;
}

#[tokio::test]
async fn another_server_or_another_order_of_keys_is_named() {
    let (from, to) = (MySqlDatabase::create(SHOP).await, PostgresDatabase::create("").await);
    let line = ["run", &from.url, &to.url];
    let resume = || ferry(&["run", &from.url, &to.url, "--resume"]);
    killed(&line, "chunk-committed");
    // As if the servers had been others when the run began.
    let stored = to.value("SELECT plan::text FROM dbferry.runs").await.unwrap();
    for (side, key, value, says) in [
        ("source", "version_number", "[10, 6, 21]", "the source is MariaDB"),
        ("source", "flavour", "\"MySQL\"", "the plan was made for MySQL"),
        ("target", "version_number", "[12, 0, 0]", "the target is PostgreSQL"),
    ] {
        to.run(&format!("UPDATE dbferry.runs SET plan = jsonb_set(plan::jsonb, '{{{side},server,{key}}}', '{value}')::json"))
            .await;
        resume().code(2).complains(&[says, "the plan was made for", "dbferry abandon"]);
        to.run(&format!("UPDATE dbferry.runs SET plan = $plan${stored}$plan$::json")).await;
    }
    // D11: what a run began with is what it goes on with.
    from.run("ALTER TABLE customers MODIFY name VARCHAR(40) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL;").await;
    resume().code(2).complains(&[".customers` (", "the column `name` had utf8mb4_general_ci and has utf8mb4_bin"]);
    from.run("ALTER TABLE customers MODIFY name VARCHAR(40) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci NOT NULL;").await;
    resume().code(0).prints(&["Proven by digest"]);
    from.drop().await;
    to.drop().await;
}
