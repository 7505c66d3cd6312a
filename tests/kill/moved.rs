//! A run that goes on at a later instant: whether the source has moved meanwhile, and what becomes of what was carried.

use dbferry::failpoint as at;
use serde_json::Value;

use crate::support::ferry::{Said, command, ferry, ferry_with_report, finish, report};
use crate::support::{MySqlDatabase, PostgresDatabase};

/// Where a test here kills, beside those of [`super::points`].
pub const POINTS: &[(&str, u32)] = &[
    (at::INSTANT_NOTED, 1),
    (at::RECHECKED, 1),
    (at::TAKING_OUT, 2),
    (at::TAKEN_OUT, 1),
    (at::TAKEN_OUT, 3),
    (at::INSTANT_SETTLED, 1),
];

/// Keys of each kind, each in several chunks: whole numbers, times, decimals and text, none at all; and a parent with children.
const SOURCE: &str = "CREATE TABLE numbers (id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY, email VARCHAR(40) NOT NULL, v VARCHAR(500) NOT NULL, UNIQUE KEY by_email (email));
CREATE TABLE times (at DATETIME(3) NOT NULL, n INT NOT NULL, v VARCHAR(500) NOT NULL, PRIMARY KEY (at, n));
CREATE TABLE words (w VARCHAR(30) NOT NULL PRIMARY KEY, v VARCHAR(500) NOT NULL);
CREATE TABLE keyless (v VARCHAR(500) NOT NULL, w INT);
CREATE TABLE children (id INT NOT NULL PRIMARY KEY, of BIGINT UNSIGNED NOT NULL, KEY by_of (of), CONSTRAINT of_number FOREIGN KEY (of) REFERENCES numbers (id) ON DELETE CASCADE);
INSERT INTO numbers SELECT seq * 2, CONCAT('e', seq), REPEAT(CHAR(65 + seq % 26), 450) FROM seq_1_to_6000;
INSERT INTO times SELECT '2024-01-01' + INTERVAL seq DIV 3 MINUTE, seq % 3, REPEAT(CHAR(65 + seq % 26), 450) FROM seq_1_to_6000;
INSERT INTO words SELECT CONCAT('w', LPAD(seq, 6, '0')), REPEAT(CHAR(65 + seq % 26), 450) FROM seq_1_to_4000;
INSERT INTO keyless SELECT REPEAT(CHAR(65 + seq % 26), 450), seq FROM seq_1_to_3000;
INSERT INTO children SELECT seq, seq * 2 FROM seq_1_to_500;
ANALYZE TABLE numbers, times, words, keyless, children;
";

/// What an application does between two attempts, on all tables but the one without a key.
const CHANGES: &str = "UPDATE numbers SET v = 'changed' WHERE id = 20;
DELETE FROM numbers WHERE id = 11000;
INSERT INTO numbers VALUES (21, 'new', 'inserted in the midst'), (99999, 'last', 'behind the last');
UPDATE numbers SET email = 'x' WHERE id = 40;
UPDATE numbers SET email = 'e20' WHERE id = 11998;
UPDATE numbers SET email = 'e5999' WHERE id = 40;
UPDATE times SET v = 'changed' WHERE n = 2 AND at < '2024-01-01 00:30:00';
INSERT INTO times VALUES ('2023-01-01', 7, 'before the first');
UPDATE words SET v = 'changed' WHERE w = 'w000007';
DELETE FROM children WHERE id = 3;
";

/// What the target must hold, as MySQL says it.
async fn digests(from: &MySqlDatabase) -> String {
    let mut connection = from.connect().await;
    let mut all = Vec::new();
    for (table, row) in TABLES {
        let sql = format!(
            "SELECT CONCAT(COUNT(*), '/', CAST(SUM(CAST(CONV(LEFT(MD5({row}), 8), 16, 10) AS UNSIGNED)) AS CHAR)) FROM {table}",
            row = row.0
        );
        let one: String = sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).fetch_one(&mut connection).await.unwrap();
        all.push(one);
    }
    all.join(" ")
}

/// The same, as PostgreSQL says it.
async fn digests_in(to: &PostgresDatabase) -> String {
    let mut all = Vec::new();
    for (table, row) in TABLES {
        let sql =
            format!("SELECT count(*) || '/' || sum(('x' || left(md5({row}), 8))::bit(32)::bigint) FROM {table}", row = row.1);
        all.push(to.value(&sql).await.unwrap());
    }
    all.join(" ")
}

/// Each table with a text of its rows, in the SQL of both.
const TABLES: [(&str, (&str, &str)); 5] = [
    ("numbers", ("CONCAT(id, email, v)", "id || email || v")),
    ("times", ("CONCAT(DATE_FORMAT(at, '%Y-%m-%d %H:%i'), n, v)", "to_char(at, 'YYYY-MM-DD HH24:MI') || n || v")),
    ("words", ("CONCAT(w, v)", "w || v")),
    ("keyless", ("CONCAT(v, w)", "v || w")),
    ("children", ("CONCAT(id, '-', of)", "id || '-' || of")),
];

fn killed(line: &[&str], place: &str) -> Said {
    finish(command(line).env("DBFERRY_FAILPOINT", place).spawn().unwrap()).code(-1)
}

/// Chunks that were compared, and carried again, of a table.
fn rechecked(report: &Value, table: &str) -> (u64, u64) {
    let tables = report["instants"][0]["rechecked"].as_array().unwrap_or_else(|| panic!("nothing was compared: {report:#}"));
    let found = tables.iter().find(|one| one["table"].as_str().unwrap().ends_with(&format!(".{table}")));
    let found = found.unwrap_or_else(|| panic!("{table} was not compared: {report:#}"));
    (found["chunks"].as_u64().unwrap(), found["carried_again"].as_u64().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_changed_between_two_attempts_is_carried_again() {
    // Killed when all is carried, and when all is made, foreign keys too.
    for place in [at::COPIED, at::VERIFY_BEFORE] {
        let (from, to) = (MySqlDatabase::create(SOURCE).await, PostgresDatabase::create("").await);
        let line = ["run", &from.url, &to.url, "--chunk", "1MiB", "--jobs", "2"];
        killed(&line, place);
        from.run(CHANGES).await;
        let before = to.value("SELECT count(*) || ' ' || max(written_at) FROM dbferry.receipts").await;
        let refused = ferry(&[&line[..], &["--resume", "--on-moved-source", "fail"]].concat()).code(3);
        refused.complains(&[
            "had moved (from binlog.",
            " to binlog.",
            "nothing was changed",
            "--on-moved-source recheck",
            "dbferry abandon",
        ]);
        assert_eq!(to.value("SELECT count(*) || ' ' || max(written_at) FROM dbferry.receipts").await, before);

        let (said, report) = ferry_with_report(&[&line[..], &["--resume"]].concat());
        let said = said.code(0).prints(&["Proven by digest", "Resumed at a later instant; the source had moved (from binlog."]);
        let report = report.unwrap();
        // D1: all of it is of the second instant.
        assert_eq!(digests_in(&to).await, digests(&from).await, "killed at {place}:\n{}", said.out);
        // D4: only chunks that differ are carried again, each whole.
        let (chunks, again) = rechecked(&report, "numbers");
        assert!(chunks >= 4 && (2..chunks).contains(&again), "{again} of {chunks} of numbers");
        let (chunks, again) = rechecked(&report, "times");
        assert!(chunks >= 3 && (1..chunks).contains(&again), "{again} of {chunks} of times");
        // A key of text is compared by the source alone, so its table goes whole.
        let (chunks, again) = rechecked(&report, "words");
        assert!(chunks >= 2 && again == chunks, "{again} of {chunks} of words");
        assert_eq!(rechecked(&report, "keyless"), (1, 0));
        assert_eq!(rechecked(&report, "children"), (1, 1));
        assert_eq!(report["instants"][0]["source"], "moved");
        let doubled = "SELECT count(*) FROM (SELECT FROM dbferry.receipts GROUP BY table_name, chunk HAVING count(*) > 1) AS x";
        assert_eq!(to.value(doubled).await.as_deref(), Some("0"));
        // What was validated over rows that are gone is validated again.
        let keys = "SELECT string_agg(conname || convalidated, ' ') FROM pg_constraint WHERE contype = 'f'";
        assert_eq!(to.value(keys).await.as_deref(), Some("of_numbertrue"), "{place}");
        assert_eq!(to.value("SELECT nextval(pg_get_serial_sequence('numbers', 'id')) > 99999").await.as_deref(), Some("true"));
        from.drop().await;
        to.drop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_without_a_key_is_carried_again_as_a_whole_and_killed_on_the_way_as_well() {
    let from = MySqlDatabase::create(SOURCE).await;
    for (place, nth) in POINTS {
        let to = PostgresDatabase::create("").await;
        let line = ["run", &from.url, &to.url, "--chunk", "1MiB", "--jobs", "2"];
        // In the midst: some tables are carried in part.
        killed(&line, "chunk-committed:11");
        from.run(&format!(
            "{CHANGES}UPDATE keyless SET v = 'changed' WHERE w = 7;\nINSERT INTO keyless VALUES ('new', 1), ('new', 1);\n"
        ))
        .await;
        let resume = [&line[..], &["--resume"]].concat();
        killed(&resume, &format!("{place}:{nth}"));
        // And it moves once more before the next attempt.
        from.run("UPDATE numbers SET v = 'once more' WHERE id = 22;").await;
        ferry(&resume).code(0).prints(&["Proven by digest", "the source had moved"]);
        assert_eq!(digests_in(&to).await, digests(&from).await, "killed at {place}");
        to.drop().await;
        // The source as it was.
        from.run("DROP TABLE children, numbers, times, words, keyless;").await;
        from.run(SOURCE).await;
    }
    from.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_stood_there_are_never_taken_for_the_runs_own() {
    const STANDING: &str = "CREATE TABLE numbers (id numeric(20) PRIMARY KEY, v varchar(500) NOT NULL); CREATE TABLE keyless (v varchar(500), w int);
        INSERT INTO numbers VALUES (-5, 'stood'); INSERT INTO keyless VALUES ('stood', 0)";
    const FEW: &str = "CREATE TABLE numbers (id BIGINT UNSIGNED NOT NULL PRIMARY KEY, v VARCHAR(500) NOT NULL);
CREATE TABLE keyless (v VARCHAR(500) NOT NULL, w INT);
INSERT INTO numbers SELECT seq, REPEAT('a', 450) FROM seq_1_to_6000;
INSERT INTO keyless VALUES ('x', 1);
ANALYZE TABLE numbers, keyless;
";
    let (from, to) = (MySqlDatabase::create(FEW).await, PostgresDatabase::create(STANDING).await);
    let line = ["run", &from.url, &to.url, "--tables", "existing", "--if-exists", "append", "--chunk", "1MiB", "--jobs", "1"];
    let resume = [&line[..], &["--resume"]].concat();
    killed(&line, at::COPIED);
    let rows = "SELECT (SELECT count(*) FROM numbers) || ' ' || (SELECT count(*) FROM keyless)";
    // By its key what is added last is told from what stood; a table without one is not.
    from.run("UPDATE numbers SET v = 'b' WHERE id = 5999;\nUPDATE keyless SET v = 'y';").await;
    ferry(&resume).code(3).complains(&[
        "keyless",
        "their key does not tell their rows from those that stood there before",
        "dbferry abandon",
    ]);
    assert_eq!(to.value(rows).await.as_deref(), Some("6001 2"), "nothing was changed");
    from.run("UPDATE keyless SET v = 'x';").await;
    ferry(&resume).code(0).prints(&["Proven by digest"]);
    assert_eq!(to.value("SELECT v FROM numbers WHERE id = 5999").await.as_deref(), Some("b"));
    assert_eq!(to.value(rows).await.as_deref(), Some("6001 2"));
    to.drop().await;

    // The first chunk is open downwards, and what stood lies in it.
    let to = PostgresDatabase::create(STANDING).await;
    let line = ["run", &from.url, &to.url, "--tables", "existing", "--if-exists", "append", "--chunk", "1MiB", "--jobs", "1"];
    let resume = [&line[..], &["--resume"]].concat();
    killed(&line, at::COPIED);
    from.run("UPDATE numbers SET v = 'c' WHERE id = 1;").await;
    ferry(&resume).code(3).complains(&["numbers", "rows are there in their place", "Rows of somebody else"]);
    assert_eq!(to.value(rows).await.as_deref(), Some("6001 2"), "nothing was changed");
    assert_eq!(to.value("SELECT v FROM numbers WHERE id = -5").await.as_deref(), Some("stood"));
    from.drop().await;
    to.drop().await;
}

/// Tables of two tenants that come together: with keys that meet, of numbers and of text, and none at all.
const TENANTS: &str = "CREATE TABLE a_numbers (id INT NOT NULL PRIMARY KEY, v VARCHAR(500) NOT NULL);
CREATE TABLE a_words (w VARCHAR(30) NOT NULL PRIMARY KEY, v VARCHAR(500) NOT NULL);
CREATE TABLE a_keyless (v VARCHAR(500) NOT NULL, w INT);
INSERT INTO a_numbers SELECT seq, REPEAT(CHAR(65 + seq % 26), 450) FROM seq_1_to_6000;
INSERT INTO a_words SELECT CONCAT('w', LPAD(seq, 6, '0')), REPEAT(CHAR(65 + seq % 26), 450) FROM seq_1_to_4000;
INSERT INTO a_keyless SELECT REPEAT('k', 450), seq FROM seq_1_to_100;
CREATE TABLE b_numbers LIKE a_numbers;
CREATE TABLE b_words LIKE a_words;
CREATE TABLE b_keyless LIKE a_keyless;
INSERT INTO b_numbers SELECT * FROM a_numbers;
INSERT INTO b_words SELECT * FROM a_words;
INSERT INTO b_keyless SELECT * FROM a_keyless;
ANALYZE TABLE a_numbers, a_words, a_keyless, b_numbers, b_words, b_keyless;
";

const MERGED: &str = "[[table]]\nmatch = \"([ab])_(numbers|words)\"\nto = \"$2\"\nmerge = true\n
[table.columns.tenant]\nexpr = \"'$1'\"\nkey = true\n
[[table]]\nmatch = \"([ab])_keyless\"\nto = \"keyless\"\nmerge = true\n
[table.columns.tenant]\nexpr = \"'$1'\"\n";

#[tokio::test(flavor = "multi_thread")]
async fn of_merged_tables_only_the_rows_of_their_own_source_are_carried_again() {
    let folder = tempfile::tempdir().unwrap();
    let mapping = folder.path().join("m.toml");
    std::fs::write(&mapping, MERGED).unwrap();
    // What stands there already is of a third tenant; it lies below the first chunk of the others.
    let standing = "CREATE TABLE numbers (id int, v varchar(500) NOT NULL, tenant text, PRIMARY KEY (tenant, id));
        CREATE TABLE words (w varchar(30), v varchar(500) NOT NULL, tenant text, PRIMARY KEY (tenant, w));
        CREATE TABLE keyless (v varchar(500) NOT NULL, w int, tenant text);
        INSERT INTO numbers VALUES (-5, 'stood', 'z'); INSERT INTO words VALUES ('a', 'stood', 'z'); INSERT INTO keyless VALUES ('stood', 0, 'z')";
    for (stood, script) in [(0, ""), (1, standing)] {
        let (from, to) = (MySqlDatabase::create(TENANTS).await, PostgresDatabase::create(script).await);
        let mut line = vec!["run", &from.url, &to.url, "--chunk", "1MiB", "--jobs", "2", "-m", mapping.to_str().unwrap()];
        if stood > 0 {
            line.extend(["--tables", "existing", "--if-exists", "append"]);
        }
        killed(&line, at::COPIED);
        from.run(
            "UPDATE a_numbers SET v = 'changed' WHERE id = 1;
INSERT INTO a_numbers VALUES (-9, 'new');
UPDATE b_numbers SET v = 'changed' WHERE id = 5999;
DELETE FROM a_words WHERE w = 'w000007';
UPDATE b_keyless SET v = 'changed' WHERE w = 7;
",
        )
        .await;
        // Rows of one tenant that nobody touched tell whether they were carried again.
        let kept = "SELECT string_agg(DISTINCT xmin::text, ' ' ORDER BY xmin::text) FROM words WHERE tenant <> 'a'";
        let before = to.value(kept).await;
        let (said, report) = ferry_with_report(&[&line[..], &["--resume"]].concat());
        let report = report.unwrap();
        said.code(0).prints(&["Proven by digest"]);
        // Where the key tells it, one chunk goes; otherwise all of its own table, and no other one.
        for (table, again) in
            [("a_numbers", Some(1)), ("b_numbers", Some(1)), ("a_words", None), ("a_keyless", Some(0)), ("b_keyless", Some(1))]
        {
            let (chunks, carried) = rechecked(&report, table);
            assert_eq!(carried, again.unwrap_or(chunks), "{table} of {chunks}");
        }
        assert_eq!(rechecked(&report, "b_words").1, 0);
        assert_eq!(to.value(kept).await, before);
        let all =
            "SELECT (SELECT count(*) || '/' || sum((v = 'changed')::int) FROM numbers) || ' ' || (SELECT count(*) FROM words)
            || ' ' || (SELECT count(*) || '/' || sum((v = 'changed')::int) FROM keyless)";
        let wanted = format!("{}/2 {} {}/1", 12001 + stood, 7999 + stood, 200 + stood);
        assert_eq!(to.value(all).await, Some(wanted));
        from.drop().await;
        to.drop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_who_may_not_ask_for_the_position_learns_that_nothing_is_proven() {
    let (from, to) = (MySqlDatabase::create(SOURCE).await, PostgresDatabase::create("").await);
    let user = format!("u_{}", from.name);
    from.run(&format!(
        "CREATE USER '{user}'@'%' IDENTIFIED BY 'p';\nGRANT SELECT, LOCK TABLES, SHOW VIEW ON `{}`.* TO '{user}'@'%';",
        from.name
    ))
    .await;
    let url = format!("mysql://{user}:p@{}", from.url.rsplit_once('@').unwrap().1);
    let line = ["run", &url, &to.url, "--chunk", "1MiB", "--jobs", "2"];
    killed(&line, at::COPIED);
    let resume = [&line[..], &["--resume"]].concat();
    let report = report(0, &resume);
    assert_eq!(report["instants"][0]["source"], "unproven");
    assert!(report["instants"][0]["why"].as_str().unwrap().contains("BINLOG MONITOR"), "{report:#}");
    assert_eq!(rechecked(&report, "words").1, 0);
    assert_eq!(digests_in(&to).await, digests(&from).await);
    from.run(&format!("DROP USER '{user}'@'%';")).await;
    from.drop().await;
    to.drop().await;
}
