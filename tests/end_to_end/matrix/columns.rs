//! Rows C1 to C8: columns, and objects that are no tables.

use super::listed::{is_mariadb, listed, lists};
use crate::end_to_end::renames::MappingFile;
use crate::support::ferry::{ferry, report, table};
use crate::support::{MySqlDatabase, PostgresDatabase};

#[tokio::test]
async fn generated_columns_are_computed_or_copied_and_listed() {
    let from = MySqlDatabase::create(
        "CREATE TABLE sums (id INT NOT NULL PRIMARY KEY, a INT NOT NULL, b INT NOT NULL, total INT AS (a + b) STORED, twice INT AS (a * 2) VIRTUAL, hash VARCHAR(32) AS (MD5(a)) STORED,
  named VARCHAR(30) AS (CONCAT(a, ':', b)) VIRTUAL, UNIQUE KEY total (total));
CREATE TABLE one (id INT NOT NULL PRIMARY KEY, a INT, next_a INT AS (a + 1) STORED);
CREATE TABLE two (id INT NOT NULL PRIMARY KEY, a INT, next_a INT AS (a + 1) STORED);
INSERT INTO sums (id, a, b) VALUES (1, 2, 3), (2, -7, 0);
INSERT INTO one (id, a) VALUES (1, 5);
INSERT INTO two (id, a) VALUES (2, 6);
",
    )
    .await;
    let to = PostgresDatabase::create("").await;
    let file = MappingFile::new(
        "[[table]]\nname = \"one\"\nto = \"both\"\nmerge = true\n[[table]]\nname = \"two\"\nto = \"both\"\nmerge = true\n",
    );
    let done = report(0, &["run", &from.url, &to.url, "-m", &file.path(), "--verify", "full"]);
    // C1: computed by the target, from then on too; left out of COPY, read again and compared.
    to.holds("sums", "id = 1", &["total", "twice", "named", "hash"], "5, 4, '2:3', md5('2')").await;
    to.run("UPDATE sums SET a = 10 WHERE id = 1").await;
    to.holds("sums", "id = 1", &["total", "twice", "named", "hash"], "13, 20, '10:3', md5('2')").await;
    to.refuses("UPDATE sums SET total = 1", "428C9").await;
    to.refuses("INSERT INTO sums (id, a, b) VALUES (3, 6, 7)", "23505").await;
    // C1: what is not translated is copied into a plain column, and listed; so is one of a merged table.
    lists(&done, "not_carried", "generated column", &["sums.hash", "carried into a plain column"]);
    lists(&done, "not_carried", "generated column", &["one.next_a", "its table is merged with others"]);
    lists(&done, "not_carried", "generated column", &["two.next_a", "its table is merged with others"]);
    assert_eq!(to.value("SELECT string_agg(next_a::text, ' ' ORDER BY id) FROM \"both\"").await.as_deref(), Some("6 7"));
    to.run("UPDATE \"both\" SET next_a = 0").await;
    from.drop().await;
    to.drop().await;
}

#[tokio::test]
async fn columns_that_nobody_sees_arrive() {
    let from = MySqlDatabase::create(
        "CREATE TABLE shy (id INT NOT NULL PRIMARY KEY, a INT, hidden VARCHAR(9) INVISIBLE DEFAULT 'x', last INT);
INSERT INTO shy (id, a, hidden, last) VALUES (1, 2, 'seen', 3), (2, NULL, NULL, 4);
",
    )
    .await;
    let maria = is_mariadb(&from).await;
    if !maria {
        from.run("SET SESSION sql_generate_invisible_primary_key = ON;\nCREATE TABLE keyless (v INT);\nINSERT INTO keyless VALUES (7), (7);\n").await;
    }
    let to = PostgresDatabase::create("").await;
    let done = report(0, &["run", &from.url, &to.url, "--verify", "full"]);
    // C2: read by its name, and listed, since everybody sees it in PostgreSQL.
    let rows = "SELECT string_agg(t::text, ' ' ORDER BY id) FROM shy AS t";
    assert_eq!(to.value(rows).await.as_deref(), Some("(1,2,seen,3) (2,,,4)"));
    lists(&done, "note", "column", &["shy.hidden", "invisible"]);
    if !maria {
        // C2: the primary key that MySQL has made by itself.
        assert_eq!(
            to.value("SELECT string_agg(my_row_id || '/' || v, ' ' ORDER BY 1) FROM keyless").await.as_deref(),
            Some("1/7 2/7")
        );
        assert_eq!(to.value("SELECT nextval(pg_get_serial_sequence('keyless', 'my_row_id'))").await.as_deref(), Some("3"));
        assert_eq!(to.value("SELECT count(*) FROM pg_constraint WHERE conname = 'keyless_pkey'").await.as_deref(), Some("1"));
    }
    from.drop().await;
    to.drop().await;
}

#[tokio::test]
async fn the_time_of_the_last_change_and_defaults_go_on() {
    let from = MySqlDatabase::create(
        "CREATE TABLE t (id INT NOT NULL PRIMARY KEY, v INT, changed DATETIME(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3) ON UPDATE CURRENT_TIMESTAMP(3),
  word VARCHAR(9) DEFAULT 'NULL', nothing VARCHAR(9) DEFAULT NULL, quoted VARCHAR(20) DEFAULT 'it''s \\\\ \"x\"', sum_of INT DEFAULT (2 + 3), day DATE DEFAULT (CURRENT_DATE), func VARCHAR(30) DEFAULT 'current_timestamp()');
INSERT INTO t (id, v, changed) VALUES (1, 1, '2001-01-01 00:00:00.5');
",
    )
    .await;
    let to = PostgresDatabase::create("").await;
    report(0, &["run", &from.url, &to.url, "--verify", "full"]);
    let old = "SELECT changed = '2001-01-01 00:00:00.5' FROM t WHERE id = 1";
    // C3: an update that changes nothing leaves it; one that does sets it.
    to.run("UPDATE t SET v = 1 WHERE id = 1").await;
    assert_eq!(to.value(old).await.as_deref(), Some("true"));
    to.run("UPDATE t SET v = 2 WHERE id = 1").await;
    assert_eq!(to.value(old).await.as_deref(), Some("false"));
    // C4: what each default is, by using it: words that look like keywords are words.
    to.run("INSERT INTO t (id) VALUES (2)").await;
    to.holds(
        "t",
        "id = 2",
        &["word", "nothing", "quoted", "sum_of", "day", "func"],
        r#"'NULL', NULL, 'it''s \ "x"', 5, CURRENT_DATE, 'current_timestamp()'"#,
    )
    .await;
    from.drop().await;
    to.drop().await;
}

#[tokio::test]
async fn sequences_and_types_of_mariadb_are_carried_and_the_past_is_counted() {
    let from = MySqlDatabase::create("").await;
    if !is_mariadb(&from).await {
        // MySQL has none of these; there is nothing to carry and nothing to list.
        return from.drop().await;
    }
    from.run(
        "CREATE SEQUENCE tickets START WITH 100 INCREMENT BY 7 MINVALUE 1 MAXVALUE 100000 NOCACHE;
CREATE SEQUENCE `down \"by\" two` START WITH -5 INCREMENT BY -2 MINVALUE -1000 MAXVALUE 10 NOCACHE CYCLE;
CREATE SEQUENCE ended MAXVALUE 2 NOCACHE;
CREATE SEQUENCE `visits_id_seq` START WITH 9 CACHE 20;
CREATE SEQUENCE by_server INCREMENT BY 0 NOCACHE;
CREATE TABLE visits (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, ticket BIGINT NOT NULL DEFAULT NEXTVAL(tickets), u UUID, four INET4, six INET6);
CREATE TABLE past (id INT NOT NULL PRIMARY KEY, v INT) WITH SYSTEM VERSIONING;
SELECT NEXTVAL(tickets), NEXTVAL(tickets), NEXTVAL(`down \"by\" two`), NEXTVAL(ended), NEXTVAL(ended);
INSERT INTO visits (id, u, four, six) VALUES (3, '123e4567-e89b-12d3-a456-426614174000', '10.0.0.255', '2001:db8::ff00:42:8329'), (4, NULL, NULL, NULL);
INSERT INTO past VALUES (1, 1), (2, 1);
UPDATE past SET v = 2;
",
    )
    .await;
    let to = PostgresDatabase::create("").await;
    ferry(&["plan", &from.url, &to.url]).code(0).prints(&["tickets -> public.tickets   from 100 by 7, 1 to 100000, next 128"]);
    let done = report(0, &["run", &from.url, &to.url, "--verify", "full"]);
    assert_eq!(done["schema"]["sequences"], 4, "{:#}", done["schema"]);
    // C5: each with its numbers, and the number that it hands out next.
    let shapes = "SELECT string_agg(concat_ws(' ', seqrelid::regclass, seqstart, seqincrement, seqmin, seqmax, seqcache, seqcycle), E'\\n' ORDER BY seqrelid::regclass::text COLLATE \"C\")
        FROM pg_sequence WHERE seqrelid NOT IN (SELECT objid FROM pg_depend WHERE deptype IN ('a', 'i'))";
    assert_eq!(
        to.value(shapes).await.as_deref(),
        Some(
            "\"down \"\"by\"\" two\" -5 -2 -1000 10 1 t\nended 1 1 1 2 1 f\ntickets 100 7 1 100000 1 f\n\
             visits_id_seq 9 1 1 9223372036854775806 20 f"
        )
    );
    assert_eq!(to.value("SELECT nextval('\"down \"\"by\"\" two\"')").await.as_deref(), Some("-7"));
    to.refuses("SELECT nextval('ended')", "2200H").await;
    lists(&done, "note", "sequence", &["ended", "come to its end"]);
    lists(&done, "not_carried", "sequence", &["by_server", "auto_increment_increment"]);
    // C5: a column that takes its numbers from one goes on taking them.
    to.run("INSERT INTO visits (u) VALUES (NULL)").await;
    assert_eq!(to.value("SELECT max(ticket) || ' ' || max(id) FROM visits").await.as_deref(), Some("128 5"));
    // C5: types that other engines have not.
    to.has_types("visits", &[("u", "uuid"), ("four", "text"), ("six", "text")]).await;
    to.holds(
        "visits",
        "id = 3",
        &["u", "four::inet", "six::inet"],
        "'123e4567-e89b-12d3-a456-426614174000', '10.0.0.255'::inet, '2001:db8::ff00:42:8329'::inet",
    )
    .await;
    // C5: rows of the past are told with their number.
    lists(&done, "not_carried", "history of a system-versioned table", &["past", "2 of them"]);

    // Compared later; and what stands is refused, made anew, or goes on.
    ferry(&["verify", &from.url, &to.url]).code(1).prints(&["visits"]);
    to.run("DELETE FROM visits WHERE id = 5").await;
    let later = report(0, &["verify", &from.url, &to.url]);
    assert!(later["proven"].as_str().unwrap().ends_with("and of 4 sequences, is as planned."), "{}", later["proven"]);
    to.run("SELECT setval('tickets', 1); DROP SEQUENCE ended").await;
    let later = report(1, &["verify", &from.url, &to.url]);
    let errors = later["errors"].to_string();
    for what in ["the sequence `public.tickets` hands out 8 next, and 128 was planned", "the sequence `public.ended` is missing"]
    {
        assert!(errors.contains(what), "{errors}");
    }
    to.run("CREATE SEQUENCE ended").await;
    ferry(&["run", &from.url, &to.url]).code(2).complains(&["sequence `public.tickets`: it exists in the target already"]);
    ferry(&["run", &from.url, &to.url, "--if-exists", "drop"]).code(0);
    assert_eq!(to.value(shapes).await.unwrap().lines().nth(1), Some("ended 1 1 1 2 1 f"));
    from.run("SELECT NEXTVAL(tickets), NEXTVAL(tickets), NEXTVAL(`down \"by\" two`);\n").await;
    ferry(&["run", &from.url, &to.url, "--if-exists", "truncate"]).code(0);
    // Both have handed out two: the source's, and this one's for the row that came in by the default.
    assert_eq!(
        to.value("SELECT nextval('tickets') || ' ' || nextval('\"down \"\"by\"\" two\"')").await.as_deref(),
        Some("142 -9")
    );
    to.run("DROP SEQUENCE tickets CASCADE; CREATE TABLE tickets ()").await;
    ferry(&["run", &from.url, &to.url, "--if-exists", "drop"])
        .code(2)
        .complains(&["sequence `public.tickets`: something else has its name"]);
    from.drop().await;
    to.drop().await;
}

#[tokio::test]
async fn tables_that_are_too_wide_are_refused_or_told_before_anything() {
    let columns = |count: usize, what: &str| (0..count).map(|number| format!("c{number} {what}")).collect::<Vec<_>>().join(", ");
    let from = MySqlDatabase::create(&format!(
        "CREATE TABLE many ({}) ENGINE=MyISAM;
CREATE TABLE times (id INT NOT NULL PRIMARY KEY, {});
CREATE TABLE sparse (id INT NOT NULL PRIMARY KEY, {}, {});
CREATE TABLE floats (id INT NOT NULL PRIMARY KEY, f FLOAT(7,3), d DOUBLE(10,2), plain FLOAT);
INSERT INTO times (id) VALUES (1);
INSERT INTO sparse (id, c0, s0) VALUES (1, 9, 'x');
INSERT INTO floats VALUES (1, 1.2345, 5.678, 1.2345), (2, -1234.5, -0.01, 16777216);
",
        columns(1601, "TINYINT"),
        columns(600, "TIME NOT NULL DEFAULT '30:00:00'"),
        columns(500, "BIGINT"),
        columns(400, "VARCHAR(5) CHARACTER SET latin1").replace(", c", ", s").replacen('c', "s", 1)
    ))
    .await;
    let to = PostgresDatabase::create("").await;
    // C7: too many columns, and rows that fit no page: both at once, before anything is made.
    ferry(&["run", &from.url, &to.url]).code(2).complains(&[
        "many`: it has 1601 columns, and a table of PostgreSQL has at most 1600",
        "times`: its columns that are NOT NULL take",
        "no row would fit",
    ]);
    assert_eq!(to.value("SELECT count(*) FROM pg_namespace WHERE nspname = 'dbferry'").await.as_deref(), Some("0"));
    // C7: in two tables the rows fit; rows that need not be large arrive, and the danger is told.
    let names = |from: usize, to: usize| (from..to).map(|number| format!("\"c{number}\"")).collect::<Vec<_>>().join(", ");
    let file = MappingFile::new(&format!(
        "[[table]]\nname = \"times\"\nto = \"times_1\"\nonly = [\"id\", {}]\n[[table]]\nname = \"times\"\nto = \"times_2\"\nonly = [\"id\", {}]\n\
         [[table]]\nname = \"floats\"\n[table.columns.d]\nto = \"numeric(10,2)\"\n[table.columns.f]\nto = \"numeric(7,3)\"\n",
        names(0, 300),
        names(300, 600)
    ));
    let done = report(0, &["run", &from.url, &to.url, "--exclude", "many", "-m", &file.path(), "--verify", "full"]);
    assert_eq!(
        to.value("SELECT c0 || ' ' || (SELECT c599 FROM times_2) FROM times_1").await.as_deref(),
        Some("30:00:00 30:00:00")
    );
    lists(&done, "note", "table", &["sparse", "a row with a value in each of its 901 columns", "refuses rows that take more"]);
    assert_eq!(to.value("SELECT c0 || s0 FROM sparse").await.as_deref(), Some("9x"));
    // C7: FLOAT(M,D) as the exact number that it prints, where the mapping says so.
    to.has_types("floats", &[("f", "numeric(7,3)"), ("d", "numeric(10,2)"), ("plain", "real")]).await;
    to.holds("floats", "id = 1", &["f", "d", "plain"], "1.235, 5.68, 1.2345::real").await;
    // C7: as a float without a rule; that the source rounds what comes in is told, with the line that keeps it.
    let plain = report(0, &["run", &from.url, &to.url, "--include", "floats", "--if-exists", "drop"]);
    to.has_types("floats", &[("f", "real"), ("d", "double precision")]).await;
    lists(&plain, "note", "column", &["floats.f", "`float(7,3)` to 3 digits"]);
    assert!(plain["problems"].to_string().contains("to = \\\"numeric(7,3)\\\""), "{:#}", plain["problems"]);
    assert!(!listed(&plain, "note", "column").iter().any(|one| one.contains("floats.plain")));
    assert_eq!(table(&plain, "floats")["outcome"], "verified");
    from.drop().await;
    to.drop().await;
}
