//! The command as a person types it: what goes wrong, and what it then says.

use std::process::Stdio;
use std::time::Duration;

use sqlx::Connection;

use crate::support::ferry::{Said, command, ferry, finish, report, table};
use crate::support::{MySqlDatabase, PostgresDatabase};

const SHOP: &str = "
CREATE TABLE customers (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, name VARCHAR(40) NOT NULL, active TINYINT(1) NOT NULL);
CREATE TABLE orders (id INT NOT NULL PRIMARY KEY, customer_id INT NOT NULL, total DECIMAL(10,2) NOT NULL,
  CONSTRAINT of_customer FOREIGN KEY (customer_id) REFERENCES customers (id));
CREATE TABLE tmp_scratch (v INT);
INSERT INTO customers VALUES (1, 'Ada', 1), (2, 'Grace', 0);
INSERT INTO orders VALUES (1, 1, 10.50), (2, 2, 20.00), (3, 2, 1.25);
INSERT INTO tmp_scratch VALUES (1);
";

/// The parts of `mysql://user:password@host:port/name`.
fn with(url: &str, password: Option<&str>, port: Option<&str>, name: Option<&str>) -> String {
    let mut url = url::Url::parse(url).unwrap();
    if let Some(password) = password {
        url.set_password(Some(password)).unwrap();
    }
    if let Some(port) = port {
        url.set_port(port.parse().ok()).unwrap();
    }
    if let Some(name) = name {
        url.set_path(name);
    }
    url.to_string()
}

/// Demands exit code 2, an error, a hint, and these texts.
#[track_caller]
fn refused(said: Said, texts: &[&str]) -> Said {
    said.code(2).complains(&["error: ", "hint: "]).complains(texts)
}

#[tokio::test]
async fn what_cannot_be_reached_is_named_and_the_password_is_not() {
    let from = MySqlDatabase::create(SHOP).await;
    let to = PostgresDatabase::create("").await;
    let (my, pg) = (from.url.as_str(), to.url.as_str());
    let cases = [
        (with(my, Some("Sesame7"), Some("1"), None), pg.to_string(), vec!["127.0.0.1", "1"]),
        (my.to_string(), with(pg, Some("Sesame7"), Some("1"), None), vec!["127.0.0.1"]),
        (with(my, Some("Sesame7"), None, None), pg.to_string(), vec!["password"]),
        (with(my, None, None, Some("nowhere_here")), pg.to_string(), vec!["nowhere_here"]),
        (my.to_string(), with(pg, None, None, Some("nowhere_here")), vec!["nowhere_here"]),
        ("mysql://u:Sesame7@no-such-host.invalid/x".to_string(), pg.to_string(), vec!["no-such-host.invalid"]),
        ("oracle://u:Sesame7@h/x".to_string(), pg.to_string(), vec!["oracle", "mysql"]),
        ("shop.db".to_string(), pg.to_string(), vec!["scheme"]),
        ("mysql://u:${DBFERRY_NO_SUCH_SECRET}@h/x".to_string(), pg.to_string(), vec!["DBFERRY_NO_SUCH_SECRET"]),
    ];
    for (source, target, texts) in cases {
        for verb in ["run", "plan", "verify"] {
            refused(ferry(&[verb, &source, &target]), &texts).never_says("Sesame7");
        }
    }
    ferry(&["run", pg, pg]).code(2).complains(&["cannot be a source yet"]);
    ferry(&["run", my, my]).code(2).complains(&["cannot be a target yet"]);
    assert_eq!(to.value("SELECT count(*) FROM pg_namespace WHERE nspname = 'dbferry'").await.as_deref(), Some("0"));
    from.drop().await;
    to.drop().await;
}

#[tokio::test]
async fn a_target_table_that_exists_is_refused_before_anything_is_made() {
    let from = MySqlDatabase::create(SHOP).await;
    let to = PostgresDatabase::create("CREATE TABLE orders (id int)").await;
    refused(ferry(&["run", &from.url, &to.url]), &["public.orders", "--if-exists", "--schema"]);
    assert_eq!(
        to.value("SELECT to_regclass('customers') IS NULL AND to_regnamespace('dbferry') IS NULL").await.as_deref(),
        Some("true")
    );
    ferry(&["plan", &from.url, &to.url]).code(1).prints(&["public.orders"]);
    from.drop().await;
    to.drop().await;
}

#[tokio::test]
async fn a_target_without_rights_is_refused_before_anything_is_made() {
    let from = MySqlDatabase::create(SHOP).await;
    let to = PostgresDatabase::create("").await;
    let role = format!("r_{}", to.name);
    to.run(&format!(
        "CREATE ROLE {role} LOGIN PASSWORD 'few-rights'; REVOKE CREATE ON SCHEMA public FROM PUBLIC; REVOKE CREATE ON DATABASE {} FROM PUBLIC",
        to.name
    ))
    .await;
    let mut url = url::Url::parse(&to.url).unwrap();
    url.set_username(&role).unwrap();
    url.set_password(Some("few-rights")).unwrap();
    refused(ferry(&["run", &from.url, url.as_str()]), &["public", "dbferry"]);
    // With one schema for the tables and one for the ledger, no right on the database is needed.
    to.run(&format!("CREATE SCHEMA mine AUTHORIZATION {role}; CREATE SCHEMA ferry_ledger AUTHORIZATION {role}")).await;
    ferry(&["run", &from.url, url.as_str(), "--schema", "mine", "--ledger-schema", "ferry_ledger"]).code(0);
    assert_eq!(to.value("SELECT count(*) FROM mine.orders").await.as_deref(), Some("3"));
    ferry(&["status", url.as_str(), "--ledger-schema", "ferry_ledger"]).code(0).prints(&["done", "6 rows"]);
    to.run(&format!("DROP OWNED BY {role}; DROP ROLE {role}")).await;
    from.drop().await;
    to.drop().await;
}

#[tokio::test]
async fn files_with_faults_say_all_of_them_with_their_places() {
    let from = MySqlDatabase::create(SHOP).await;
    let to = PostgresDatabase::create("").await;
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_string()
    };
    let config =
        write("bad.toml", "[source]\nurl = \"mysql://u@h/a\"\n[target]\nurll = \"x\"\n[run]\njobs = 0\nverify = \"digets\"\n");
    refused(ferry(&["run", "-c", &config]), &["urll", "url", "jobs", "digets", "digest", "bad.toml:4"]);
    let mapping = write(
        "map.toml",
        "[[table]]\nname = \"ordres\"\n[[table]]\nname = \"customers\"\n[table.columns.nmae]\nrename = \"x\"\n",
    );
    refused(ferry(&["run", &from.url, &to.url, "-m", &mapping]), &["ordres", "orders", "nmae", "name", "map.toml:1"]);
    refused(ferry(&["run", "-c", "/no/such/file.toml"]), &["/no/such/file.toml"]);
    refused(ferry(&["run", &from.url]), &["target"]);
    refused(ferry(&["run", &from.url, &to.url, "--include", "nothing_*"]), &["orders", "--allow-empty"]);
    ferry(&["run", &from.url, &to.url, "--include", "nothing_*", "--allow-empty"]).code(0);
    ferry(&["run", &from.url, &to.url, "--report", "report.html"]).code(2).complains(&["json"]);
    ferry(&["run", &from.url, &to.url, "--verfiy", "rows"]).code(2).complains(&["--verify"]);
    from.drop().await;
    to.drop().await;
}

#[tokio::test]
async fn a_mapping_decides_names_and_types_and_a_value_that_does_not_fit_is_told_by_its_key() {
    let from = MySqlDatabase::create(SHOP).await;
    let to = PostgresDatabase::create("").await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mapping.toml");
    std::fs::write(
        &path,
        "[[type]]\nmatch = { type = \"tinyint\", width = 1 }\nto = \"boolean\"\n\
         [[table]]\nname = \"orders\"\nto = \"sales.bills\"\n[table.columns.total]\nto = \"numeric(20,4)\"\n\
         [table.columns.customer_id]\nrename = \"client\"\n\
         [[table]]\nname = \"tmp_scratch\"\nexclude = true\n",
    )
    .unwrap();
    let mapping = path.to_str().unwrap();
    let done = report(0, &["run", &from.url, &to.url, "-m", mapping, "--verify", "full"]);
    assert_eq!(done["tables"].as_array().unwrap().len(), 2);
    to.has_types("customers", &[("active", "boolean")]).await;
    to.has_types("sales.bills", &[("total", "numeric(20,4)"), ("client", "integer")]).await;
    to.holds("customers", "id = 1", &["active", "name"], "true, 'Ada'").await;
    to.holds("customers", "id = 2", &["active"], "false").await;
    to.holds("sales.bills", "id = 3", &["total::text", "client"], "'1.2500', 2").await;
    let key = "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'of_customer' AND convalidated";
    assert!(to.value(key).await.unwrap().contains("(client) REFERENCES customers(id)"));
    ferry(&["verify", &from.url, &to.url, "-m", mapping, "--level", "full"]).code(0);

    from.run("INSERT INTO customers VALUES (7, 'Two', 2);").await;
    let again = ["run", &from.url, &to.url, "-m", mapping, "--if-exists", "drop"];
    ferry(&again).code(2).complains(&["customers.active", "id = 7", "neither 0 nor 1"]);
    let failed = report(1, &[&again[..], &["--probe", "off"]].concat());
    let error = table(&failed, "customers")["errors"][0].as_str().unwrap();
    for part in ["customers.active", "(id = 7)", "2 is neither 0 nor 1"] {
        assert!(error.contains(part), "no `{part}` in {error}");
    }
    // The rows of the other table are there; what it lacks is its key to the one that failed.
    assert_eq!(to.value("SELECT count(*) FROM sales.bills").await.as_deref(), Some("3"));
    let orders = table(&failed, "orders");
    assert!(
        orders["errors"].as_array().unwrap().iter().all(|error| error.as_str().unwrap().contains("of_customer")),
        "{orders:#}"
    );
    from.drop().await;
    to.drop().await;
}

#[tokio::test]
async fn existing_tables_are_dropped_or_emptied_as_asked() {
    let from = MySqlDatabase::create(SHOP).await;
    let to = PostgresDatabase::create("").await;
    let url = |how| ["run", &from.url, &to.url, "--exclude", "tmp_*", "--if-exists", how];
    ferry(&url("error")).code(0);
    ferry(&url("error")).code(2);
    from.run("INSERT INTO orders VALUES (4, 1, 5);").await;
    ferry(&url("drop")).code(0);
    assert_eq!(to.value("SELECT count(*) FROM orders").await.as_deref(), Some("4"));
    from.run("INSERT INTO orders VALUES (5, 1, 5);").await;
    to.run("COMMENT ON TABLE orders IS 'kept'").await;
    ferry(&url("truncate")).code(0);
    assert_eq!(to.value("SELECT count(*) || obj_description('orders'::regclass) FROM orders").await.as_deref(), Some("5kept"));
    // What depends on a table is never dropped with it.
    to.run("CREATE VIEW v AS SELECT * FROM orders").await;
    let said = ferry(&url("drop"));
    said.code(2).complains(&["`public.orders`: it cannot be dropped: view public.v depends on it", "hint: Drop that first"]);
    assert_eq!(to.value("SELECT count(*) FROM v").await.as_deref(), Some("5"));
    from.drop().await;
    to.drop().await;
}

#[tokio::test]
async fn schema_and_rows_can_come_one_after_the_other() {
    let from = MySqlDatabase::create(SHOP).await;
    let to = PostgresDatabase::create("").await;
    let role = format!("o_{}", to.name);
    to.run(&format!("CREATE ROLE {role}")).await;
    let ends = ["run", &from.url, &to.url, "--exclude", "tmp_*", "--schema", "New Place"];
    let made = ferry(&[&ends[..], &["--schema-only", "--owner", &role]].concat()).code(0);
    assert!(!made.out.contains("Proven by"), "{}", made.out);
    assert_eq!(to.value("SELECT count(*) FROM \"New Place\".orders").await.as_deref(), Some("0"));
    let owners = "SELECT count(*) FROM pg_class WHERE relkind = 'r' AND pg_get_userbyid(relowner) LIKE 'o\\_%'";
    assert_eq!(to.value(owners).await.as_deref(), Some("2"));
    // The keys stand already, and a child may arrive before its parent.
    ferry(&[&ends[..], &["--data-only"]].concat()).code(0).prints(&["Proven by digest"]);
    assert_eq!(to.value("SELECT count(*) FROM \"New Place\".orders").await.as_deref(), Some("3"));
    ferry(&["verify", &from.url, &to.url, "--exclude", "tmp_*", "--schema", "New Place"]).code(0);
    // A row that breaks a key that stands is told: the target does not check it while rows are loaded.
    from.run("SET foreign_key_checks = 0; INSERT INTO orders VALUES (9, 99, 1);").await;
    let again = ferry(&[&ends[..], &["--data-only", "--if-exists", "truncate", "--probe", "off"]].concat()).code(1);
    again.prints(&["of_customer", "NOT PROVEN"]);
    let missing = PostgresDatabase::create("").await;
    refused(ferry(&["run", &from.url, &missing.url, "--data-only"]), &["public.orders", "no table is made"]);
    to.run(&format!("REASSIGN OWNED BY {role} TO CURRENT_USER; DROP ROLE {role}")).await;
    for database in [to, missing] {
        database.drop().await;
    }
    from.drop().await;
}

#[tokio::test]
async fn a_plan_changes_nothing_and_is_executed_exactly_or_not_at_all() {
    let from = MySqlDatabase::create(SHOP).await;
    let to = PostgresDatabase::create("").await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("plan.json");
    let file = file.to_str().unwrap();
    let (my, pg) = (from.url.as_str(), to.url.as_str());
    ferry(&["plan", my, pg]).code(0).prints(&["customers", "varchar(40)", "mysql-to-postgres.toml"]);
    let sql =
        ferry(&["plan", my, pg, "--format", "sql"]).code(0).prints(&["CREATE TABLE", "FOREIGN KEY", "NOT VALID", "VALIDATE"]);
    let json = ferry(&["plan", my, pg, "--format", "json", "--exclude", "tmp_*", "--out", file]).code(0).never_says("test:test");
    let plan: serde_json::Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!(plan["tables"].as_array().unwrap().len(), 2);
    assert_eq!(serde_json::from_str::<serde_json::Value>(&std::fs::read_to_string(file).unwrap()).unwrap(), plan);
    let objects =
        "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace OR relnamespace = to_regnamespace('dbferry')";
    assert_eq!(to.value(objects).await.as_deref(), Some("0"), "a plan changes nothing");
    // What is printed as SQL is SQL.
    let other = PostgresDatabase::create(&sql.out.replace("CREATE SCHEMA \"public\";", "")).await;
    assert_eq!(
        other.value("SELECT count(*) FROM pg_constraint WHERE contype = 'f' AND convalidated").await.as_deref(),
        Some("1")
    );
    other.drop().await;

    from.run("ALTER TABLE orders ADD COLUMN late INT;").await;
    refused(ferry(&["run", my, pg, "--plan", file]), &["orders", "changed", "dbferry plan"]);
    assert_eq!(to.value(objects).await.as_deref(), Some("0"));
    from.run("ALTER TABLE orders DROP COLUMN late;").await;
    refused(ferry(&["run", my, pg, "--plan", file, "--include", "*"]), &[file, "made with other choices than `--include`"]);
    let done = report(0, &["run", my, pg, "--plan", file]);
    assert_eq!(done["tables"].as_array().unwrap().len(), 2);
    refused(ferry(&["run", my, pg, "--plan", file]), &[]);
    refused(ferry(&["run", my, pg, "--plan", "/no/plan"]), &["/no/plan"]);
    from.drop().await;
    to.drop().await;
}

#[tokio::test]
async fn status_and_report_tell_what_the_ledger_knows() {
    let from = MySqlDatabase::create(SHOP).await;
    let to = PostgresDatabase::create("").await;
    ferry(&["status", &to.url]).code(0).complains(&["no run"]);
    let done = report(0, &["run", &from.url, &to.url]);
    let run = done["run"].as_str().unwrap();
    ferry(&["status", &to.url]).code(0).prints(&[run, "done", "3 of 3 chunks", "6 rows"]).never_says("test:test");
    ferry(&["report", run, &to.url]).code(0).prints(&["Proven by digest", "orders"]);
    let json = ferry(&["report", &run[..30], &to.url, "--format", "json"]).code(0);
    let mut stored: serde_json::Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!((&stored["run"], &stored["tables"]), (&done["run"], &done["tables"]));
    stored["run"].take();
    refused(ferry(&["report", "ffffff", &to.url]), &["ffffff"]);
    let again = ferry(&["run", &from.url, &to.url, "--resume"]).code(0).prints(&["Proven by digest"]);
    assert!(again.err.contains("done already"), "{}", again.err);
    from.drop().await;
    to.drop().await;
}

#[tokio::test]
async fn init_writes_files_that_a_run_can_use() {
    let from = MySqlDatabase::create(SHOP).await;
    let to = PostgresDatabase::create("").await;
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().to_str().unwrap();
    ferry(&["init", &from.url, "--dir", dir]).code(0).complains(&["dbferry.toml", "mapping.toml", "3 tables"]);
    ferry(&["init", &from.url, "--dir", dir]).code(2).complains(&["dbferry.toml", "hint: "]);
    let config = folder.path().join("dbferry.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    assert!(!text.contains("test:test@"), "the password is in the file:\n{text}");
    let secret: Vec<&str> = text.split("${").skip(1).filter_map(|rest| rest.split_once('}').map(|(name, _)| name)).collect();
    let mut run = command(&["run", "-c", config.to_str().unwrap(), &from.url, &to.url]);
    for name in &secret {
        run.env(name, "test");
    }
    finish(run.spawn().unwrap()).code(0).prints(&["Proven by digest: all 3 tables"]);
    from.drop().await;
    to.drop().await;
}

#[tokio::test]
async fn what_is_shown_is_what_was_asked_for() {
    let from = MySqlDatabase::create(
        "CREATE TABLE good (id INT NOT NULL PRIMARY KEY);
INSERT INTO good VALUES (1);
CREATE TABLE bad (secret_key VARCHAR(20) NOT NULL PRIMARY KEY, d DATE);
INSERT INTO bad VALUES ('ann@example.org', '2024-02-00');
",
    )
    .await;
    let to = PostgresDatabase::create("").await;
    let ends = ["run", &from.url, &to.url, "--if-exists", "drop", "--probe", "off"];
    let said = ferry(&ends).code(1).prints(&["ann@example.org", "2024-02-00", "bad.d"]);
    assert!(said.err.contains("copy"), "{}", said.err);
    let hidden = ferry(&[&ends[..], &["--hide-keys"]].concat()).code(1).never_says("ann@");
    assert!(hidden.out.contains("bad.d"), "{}", hidden.out);
    let quiet = ferry(&[&ends[..], &["--quiet", "--include", "good"]].concat()).code(0);
    assert_eq!((quiet.out.as_str(), quiet.err.as_str()), ("", ""));
    let json = ferry(&[&ends[..], &["--progress", "json", "--include", "good"]].concat()).code(0);
    for line in json.err.lines() {
        let _: serde_json::Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in {line}"));
    }
    assert!(json.err.lines().count() > 3, "{}", json.err);
    let none = ferry(&[&ends[..], &["--progress", "none", "--include", "good", "--verify", "none"]].concat()).code(0);
    assert_eq!(none.err, "");
    assert!(none.out.contains("Nothing was proven"), "{}", none.out);
    ferry(&["completions", "bash"]).code(0).prints(&["_dbferry", "--if-exists"]);
    ferry(&["--version"]).code(0).prints(&[env!("CARGO_PKG_VERSION")]);
    ferry(&["--help"]).code(0).prints(&["Exit codes", "demo", "verify"]);
    from.drop().await;
    to.drop().await;
}

/// A database whose copy takes a while: many chunks, one at a time.
async fn slow_source() -> MySqlDatabase {
    MySqlDatabase::create(
        "CREATE TABLE wide (id INT NOT NULL PRIMARY KEY, v VARCHAR(500) NOT NULL, w INT, KEY (w));
INSERT INTO wide SELECT seq, REPEAT(CHAR(65 + seq % 26), 400), seq % 100 FROM seq_1_to_40000;
CREATE TABLE keyless (v VARCHAR(20));
INSERT INTO keyless SELECT CONCAT('v', seq % 10) FROM seq_1_to_1000;
ANALYZE TABLE wide, keyless;
",
    )
    .await
}

/// Starts a run, waits until its first chunks are in the ledger, sends the signal, and gives what it said.
async fn interrupted(from: &MySqlDatabase, to: &PostgresDatabase, signal: &str) -> Said {
    let mut run = command(&["run", &from.url, &to.url, "--chunk", "1MiB", "--jobs", "1"]);
    let child = run.stderr(Stdio::piped()).spawn().unwrap();
    let id = child.id().to_string();
    let waiting = tokio::task::spawn_blocking(move || finish(child));
    let mut connection = to.connect().await;
    for _ in 0..2000 {
        let receipts = sqlx::query_scalar::<_, i64>("SELECT count(*) FROM dbferry.receipts").fetch_one(&mut connection).await;
        if receipts.is_ok_and(|receipts| receipts >= 2) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let killed = std::process::Command::new("kill").args([format!("-{signal}"), id]).status().unwrap();
    assert!(killed.success(), "the run was over before it could be stopped");
    connection.close().await.unwrap();
    waiting.await.unwrap()
}

/// After an interruption: `--resume` ends well, with each row once, and without reading what was there.
async fn resumes(from: &MySqlDatabase, to: &PostgresDatabase) {
    let before: usize = to.value("SELECT count(*) FROM dbferry.receipts").await.unwrap().parse().unwrap();
    assert!(before >= 2);
    ferry(&["status", &to.url]).code(0).prints(&["unfinished"]);
    // The tables are in the way of a new run, which must point at the way on.
    refused(ferry(&["run", &from.url, &to.url, "--chunk", "1MiB", "--jobs", "1"]), &["--resume"]);
    let said = ferry(&["run", &from.url, &to.url, "--chunk", "1MiB", "--jobs", "2", "--resume"]).code(0);
    let said = said.prints(&["Proven by digest: all 2 tables, 41,000 rows"]);
    assert!(said.err.contains("going on with run"), "{}", said.err);
    let counts = "SELECT (SELECT count(*) || '/' || count(DISTINCT id) FROM wide) || ' ' || (SELECT count(*) FROM keyless)";
    assert_eq!(to.value(counts).await.as_deref(), Some("40000/40000 1000"));
    assert_eq!(to.value("SELECT count(DISTINCT run) FROM dbferry.receipts").await.as_deref(), Some("1"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_killed_goes_on_where_it_was() {
    let (from, to) = (slow_source().await, PostgresDatabase::create("").await);
    interrupted(&from, &to, "KILL").await.code(-1);
    resumes(&from, &to).await;
    from.drop().await;
    to.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_run_says_so_and_goes_on() {
    let (from, to) = (slow_source().await, PostgresDatabase::create("").await);
    interrupted(&from, &to, "INT").await.code(130).complains(&["--resume"]);
    resumes(&from, &to).await;
    to.drop().await;
    let to = PostgresDatabase::create("").await;
    interrupted(&from, &to, "TERM").await.code(143).complains(&["--resume"]);
    resumes(&from, &to).await;
    to.drop().await;
    from.drop().await;
}
