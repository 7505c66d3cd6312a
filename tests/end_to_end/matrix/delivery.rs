//! Rows D8, D9 and D16: rejected rows, triggers of the target, and runs over nothing.

use crate::end_to_end::renames::MappingFile;
use crate::support::ferry::{ferry, report, table};
use crate::support::{MySqlDatabase, PostgresDatabase};

#[tokio::test]
async fn rejected_rows_are_never_a_success() {
    let from = MySqlDatabase::create(
        "CREATE TABLE t (id INT NOT NULL PRIMARY KEY, d DATE);
INSERT INTO t VALUES (1, '2020-01-01'), (2, '0000-00-00'), (3, '2024-02-31'), (4, NULL);
",
    )
    .await;
    let to = PostgresDatabase::create("").await;
    let file = MappingFile::new("[[table]]\nname = \"t\"\non_error = \"reject\"\n");
    let done = report(1, &["run", &from.url, &to.url, "-m", &file.path()]);
    // D8: counted, kept, and the exit code says so.
    assert_eq!((table(&done, "t")["rejected"].as_u64(), table(&done, "t")["outcome"].as_str()), (Some(2), Some("rejected")));
    assert_eq!(to.value("SELECT string_agg(id::text, ' ' ORDER BY id) FROM t").await.as_deref(), Some("1 4"));
    let listed = ferry(&["rejects", done["run"].as_str().unwrap(), &to.url]).code(0);
    assert_eq!(listed.out.lines().count(), 2);
    from.drop().await;
    to.drop().await;
}

#[tokio::test]
async fn triggers_of_the_target_stay_silent_and_are_on_again_on_every_path() {
    let from = MySqlDatabase::create(
        "CREATE TABLE t (id INT NOT NULL PRIMARY KEY, v INT);
INSERT INTO t VALUES (1, 10), (2, 70000);
",
    )
    .await;
    let to = PostgresDatabase::create(
        "CREATE TABLE t (id int PRIMARY KEY, v smallint); CREATE TABLE heard (id int);
         CREATE FUNCTION hear() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO public.heard VALUES (NEW.id); RETURN NULL; END';
         CREATE TRIGGER usual AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION hear();
         CREATE TRIGGER stubborn AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION hear(); ALTER TABLE t ENABLE ALWAYS TRIGGER stubborn",
    )
    .await;
    let state = "SELECT string_agg(tgname || tgenabled::text, ' ' ORDER BY tgname) FROM pg_trigger WHERE tgrelid = 't'::regclass";
    let probe_off = ["--tables", "existing", "--probe", "off"];
    // D9: a run whose table fails midway: nothing was heard, and both are as they were.
    ferry(&[&["run", &from.url, &to.url], &probe_off[..]].concat()).code(1);
    assert_eq!(to.value("SELECT count(*) FROM heard").await.as_deref(), Some("0"));
    assert_eq!(to.value(state).await.as_deref(), Some("stubbornA usualO"));
    // D9: and one that succeeds.
    from.run("UPDATE t SET v = 7 WHERE id = 2;\n").await;
    ferry(&[&["run", &from.url, &to.url, "--if-exists", "truncate"], &probe_off[..]].concat()).code(0);
    assert_eq!(to.value("SELECT (SELECT count(*) FROM heard) || ' ' || (SELECT sum(v) FROM t)").await.as_deref(), Some("0 17"));
    assert_eq!(to.value(state).await.as_deref(), Some("stubbornA usualO"));
    to.run("INSERT INTO t VALUES (3, 3)").await;
    assert_eq!(to.value("SELECT count(*) FROM heard").await.as_deref(), Some("2"));
    from.drop().await;
    to.drop().await;
}

#[tokio::test]
async fn a_run_over_nothing_is_an_error_unless_it_is_wanted() {
    let from =
        MySqlDatabase::create("CREATE TABLE orders (id INT NOT NULL PRIMARY KEY);\nINSERT INTO orders VALUES (1), (2);\n").await;
    let empty = MySqlDatabase::create("").await;
    let to = PostgresDatabase::create("").await;
    // D16: patterns, a condition, and a database that have nothing.
    ferry(&["run", &from.url, &to.url, "--include", "ordres"]).code(2).complains(&[
        "no table to carry",
        "(orders)",
        "--allow-empty",
    ]);
    ferry(&["run", &empty.url, &to.url]).code(2).complains(&["no table to carry", "--allow-empty"]);
    let file = MappingFile::new("[[table]]\nname = \"orders\"\nwhere = \"id > 100\"\n");
    ferry(&["run", &from.url, &to.url, "-m", &file.path()])
        .code(2)
        .complains(&["`where = id > 100` lets no row through", "--allow-empty"]);
    assert_eq!(to.value("SELECT count(*) FROM pg_namespace WHERE nspname = 'dbferry'").await.as_deref(), Some("0"));
    // D16: and each of them is a success when it is wanted.
    ferry(&["run", &from.url, &to.url, "--include", "ordres", "--allow-empty"]).code(0);
    ferry(&["run", &empty.url, &to.url, "--allow-empty"]).code(0);
    ferry(&["run", &from.url, &to.url, "-m", &file.path(), "--allow-empty"]).code(0);
    assert_eq!(to.value("SELECT count(*) FROM orders").await.as_deref(), Some("0"));
    empty.drop().await;
    from.drop().await;
    to.drop().await;
}
