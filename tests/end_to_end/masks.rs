//! Masked copies: joins hold, the key and what it hides are nowhere to be found, and what cannot be masked safely is refused.

use super::renames::MappingFile;
use crate::support::ferry::{Said, ferry, ferry_with};
use crate::support::{MySqlDatabase, PostgresDatabase};

const VARIABLE: &str = "DBFERRY_MASK_KEY";
const KEY: &str = "correct horse battery staple";
const MASKING: &str = "[masking]\nkey = \"${DBFERRY_MASK_KEY}\"\n";

const SHOP: &str = "CREATE TABLE customers (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, email VARCHAR(80) NOT NULL, name VARCHAR(60), born DATE, card VARCHAR(20),
  code BINARY(16) NOT NULL, big BIGINT UNSIGNED, notes TEXT, phone VARCHAR(20), score DOUBLE, kind ENUM('a','REDACTED'), UNIQUE KEY (email), UNIQUE KEY (code), UNIQUE KEY (big));
CREATE TABLE orders (id BIGINT NOT NULL PRIMARY KEY, customer_id INT NOT NULL, customer_email VARCHAR(40), placed DATETIME NOT NULL, shipped DATETIME,
  KEY (customer_id), CONSTRAINT by_id FOREIGN KEY (customer_id) REFERENCES customers (id), CONSTRAINT by_email FOREIGN KEY (customer_email) REFERENCES customers (email));
CREATE TABLE notes (customer_id INT NOT NULL, line INT NOT NULL, PRIMARY KEY (customer_id, line), CONSTRAINT note_of FOREIGN KEY (customer_id) REFERENCES orders (customer_id));
INSERT INTO customers SELECT seq, CONCAT('private', seq, '@home.uk'), CONCAT('Ada ', seq), '1990-01-01' + INTERVAL seq DAY, CONCAT('411111111111', 1000 + seq),
  UNHEX(MD5(seq)), 18446744073709551615 - seq, 'a secret note', IF(seq % 2, '0123456', NULL), seq / 2, IF(seq % 2, 'a', NULL) FROM seq_1_to_500;
INSERT INTO orders SELECT seq, 1 + seq % 500, IF(seq % 3, CONCAT('private', 1 + seq % 500, '@home.uk'), NULL), '2024-01-01' + INTERVAL seq HOUR, '2024-01-01' + INTERVAL seq * 2 HOUR FROM seq_1_to_2000;
INSERT INTO notes SELECT seq, 1 FROM seq_1_to_500;
";

const MASKS: &str = r#"
[[type]]
match = { type = "varchar", column = "email" }
mask = "fake_email"

[[table]]
name = "customers"
[table.columns]
id = { mask = "hash" }
name = { mask = "hash", rename = "label" }
born = { mask = "shift_date" }
card = { mask = "partial" }
code = { mask = "hash" }
big = { mask = "hash" }
notes = { mask = "redact" }
phone = { mask = "null" }
score = { mask = "redact" }
kind = { mask = "redact" }

[[table]]
name = "orders"
[table.columns]
placed = { mask = "shift_date" }
shipped = { mask = "shift_date" }
"#;

fn mapping(masks: &str) -> MappingFile {
    MappingFile::new(&format!("{MASKING}{masks}"))
}

fn with_key(args: &[&str]) -> Said {
    ferry_with(VARIABLE, KEY, args).never_says(KEY)
}

#[tokio::test]
async fn joins_hold_over_masked_keys_and_the_key_is_nowhere() {
    let from = MySqlDatabase::create(SHOP).await;
    let to = PostgresDatabase::create("").await;
    let file = mapping(MASKS);
    let file = file.path();
    let folder = tempfile::tempdir().unwrap();
    let report = folder.path().join("report.json").to_str().unwrap().to_string();
    let stored = folder.path().join("plan.json").to_str().unwrap().to_string();
    let plan = with_key(&["plan", &from.url, &to.url, "-m", &file, "--out", &stored]).code(0);
    assert!(!plan.out.contains("profiles"), "profiles are a matter of --verify full: {}", plan.out);
    plan.prints(&["masked: hash", "masked: fake_email", "as its parent `", "masked column `", "may meet one that was masked"]);
    with_key(&["plan", &from.url, &to.url, "-m", &file, "--format", "json"]).code(0).prints(&["\"fingerprint\""]);
    let run = with_key(&["run", &from.url, &to.url, "-m", &file, "--verify", "full", "--report", &report, "-vv"]).code(0);
    run.prints(&["by `shift_date` (", "column profiles compare only how many values it has", "Proven in full"])
        .never_says("home.uk");

    // Every row still finds its parent, and none is what it was.
    let one = |sql: &'static str| to.value(sql);
    assert_eq!(one("SELECT count(*) FROM orders o JOIN customers c ON c.id = o.customer_id").await.as_deref(), Some("2000"));
    assert_eq!(
        one("SELECT count(*) FROM orders o JOIN customers c ON c.email = o.customer_email AND c.id = o.customer_id")
            .await
            .as_deref(),
        Some("1334")
    );
    assert_eq!(one("SELECT count(*) FROM notes n JOIN customers c ON c.id = n.customer_id").await.as_deref(), Some("500"));
    assert_eq!(
        one("SELECT count(*) FROM pg_constraint WHERE contype = 'f' AND convalidated AND conname LIKE 'by_%'").await.as_deref(),
        Some("2")
    );
    assert_eq!(one("SELECT count(DISTINCT id) || ' ' || count(DISTINCT email) || ' ' || count(DISTINCT code) || ' ' || count(DISTINCT big) || ' ' || count(DISTINCT label) FROM customers").await.as_deref(), Some("500 500 500 500 500"));
    assert_eq!(one("SELECT count(*) FROM customers WHERE email ~ '^[0-9a-f]{24}@example\\.com$' AND label ~ '^[0-9a-f]{32}$' AND card ~ '^4\\*+1[0-9]{3}$' AND notes = 'REDACTED' AND phone IS NULL AND score = 0 AND octet_length(code) = 16 AND id >= 0 AND big >= 0").await.as_deref(), Some("500"));
    assert_eq!(
        one("SELECT string_agg(DISTINCT kind::text, ',') || count(kind) FROM customers").await.as_deref(),
        Some("REDACTED250")
    );
    assert_eq!(one("SELECT count(*) FROM customers WHERE id BETWEEN 1 AND 500").await.as_deref(), Some("0"));
    assert_eq!(
        one("SELECT count(*) FROM orders WHERE shipped - placed = id * interval '1 hour'").await.as_deref(),
        Some("2000"),
        "intervals hold"
    );
    assert_eq!(
        one("SELECT count(DISTINCT placed - '2024-01-01'::timestamp - id * interval '1 hour') FROM orders").await.as_deref(),
        Some("1")
    );
    assert_eq!(one("SELECT (min(placed) <> '2024-01-01 01:00')::text FROM orders").await.as_deref(), Some("true"));

    // Neither the key nor what it hides stands in the ledger, the plan or the report.
    let ledger = to.value("SELECT string_agg(r::text, '') FROM dbferry.runs r").await.unwrap();
    let files = [&stored, &report].map(|path| std::fs::read_to_string(path).unwrap());
    for text in [&ledger, &files[0], &files[1]] {
        assert!(!text.contains(KEY) && !text.contains("home.uk") && !text.contains("a secret note"), "{text}");
    }
    assert!(files[1].contains("by `hash` (") && files[1].contains("email"));
    let whole = "SELECT (SELECT string_agg(c::text, '') FROM customers c) || (SELECT string_agg(o::text, '') FROM orders o)";
    let whole = to.value(whole).await.unwrap();
    assert!(!whole.contains("private") && !whole.contains("Ada"));

    // Compared again: with the same key all agree, with another one nothing is compared.
    with_key(&["verify", &from.url, &to.url, "-m", &file, "--level", "full"]).code(0);
    ferry_with(VARIABLE, "another key of the same sort", &["verify", &from.url, &to.url, "-m", &file])
        .code(2)
        .complains(&["the masks were made with another key: its fingerprint is "])
        .never_says("another key of the same sort");
    from.drop().await;
    to.drop().await;
}

#[tokio::test]
async fn the_same_key_masks_alike_in_every_run_and_another_does_not() {
    let from = MySqlDatabase::create(
        "CREATE TABLE t (id BIGINT NOT NULL PRIMARY KEY, v VARCHAR(40));\nINSERT INTO t VALUES (-5, 'x'), (7, 'y');\n",
    )
    .await;
    let masks = "[[table]]\nname = \"t\"\ncolumns = { id = { mask = \"hash\" }, v = { mask = \"hash\" } }\n";
    let file = mapping(masks);
    let mut seen = Vec::new();
    for key in [KEY, KEY, "a key that is not the same"] {
        let to = PostgresDatabase::create("").await;
        ferry_with(VARIABLE, key, &["run", &from.url, &to.url, "-m", &file.path()]).code(0);
        seen.push(to.value("SELECT string_agg(t::text, ' ' ORDER BY id) FROM t").await.unwrap());
        assert_eq!(to.value("SELECT count(*) FROM t WHERE id < 0").await.as_deref(), Some("1"));
        to.drop().await;
    }
    assert_eq!(seen[0], seen[1]);
    assert_ne!(seen[0], seen[2]);
    from.drop().await;
}

#[tokio::test]
async fn a_run_goes_on_only_with_its_own_key() {
    let from = MySqlDatabase::create("CREATE TABLE t (id INT NOT NULL PRIMARY KEY, v VARCHAR(40));\nCREATE TABLE u (id INT NOT NULL PRIMARY KEY);\nINSERT INTO t VALUES (1, 'x'), (2, 'y');\n").await;
    let to = PostgresDatabase::create("").await;
    let file = mapping("[[table]]\nname = \"t\"\ncolumns.v.mask = \"hash\"\n");
    let folder = tempfile::tempdir().unwrap();
    let stored = folder.path().join("plan.json").to_str().unwrap().to_string();
    let (from_url, to_url, path) = (from.url.as_str(), to.url.as_str(), file.path());
    with_key(&["plan", from_url, to_url, "-m", &path, "--out", &stored]).code(0);
    // A stored plan holds no key.
    with_key(&["run", from_url, to_url, "--plan", &stored]).code(2).complains(&["the masks of the plan need their key"]);
    ferry_with(VARIABLE, "another key of the same sort", &["run", from_url, to_url, "--plan", &stored, "-m", &path])
        .code(2)
        .complains(&["made with another key"]);
    with_key(&["run", from_url, to_url, "--plan", &stored, "-m", &path]).code(0);
    let masked = to.value("SELECT string_agg(v, ',' ORDER BY id) FROM t").await;

    to.run("UPDATE dbferry.runs SET state = 'running'; DELETE FROM dbferry.receipts WHERE table_name = 't'; DELETE FROM t").await;
    let resume = ["run", from_url, to_url, "-m", &path, "--resume"];
    ferry_with(VARIABLE, "another key of the same sort", &resume).code(2).complains(&["made with another key"]);
    with_key(&resume).code(0).complains(&["going on with run"]);
    assert_eq!(to.value("SELECT string_agg(v, ',' ORDER BY id) FROM t").await, masked);
    ferry_with(VARIABLE, "another key of the same sort", &resume).code(2).complains(&["made with another key"]);
    from.drop().await;
    to.drop().await;
}

#[tokio::test]
async fn masks_that_would_break_something_are_refused_before_anything_changes() {
    let from = MySqlDatabase::create(
        "CREATE TABLE p (id INT NOT NULL PRIMARY KEY, short VARCHAR(12), UNIQUE KEY by_short (short), long_one VARCHAR(60), UNIQUE KEY by_start (long_one(10)),
  amount DOUBLE, day DATE NOT NULL, kind ENUM('a','b'), tags SET('x','y'), doc JSON, upper_one VARCHAR(60) GENERATED ALWAYS AS (UPPER(long_one)) STORED);
CREATE TABLE c (id INT NOT NULL PRIMARY KEY, p_id INT, CONSTRAINT to_p FOREIGN KEY (p_id) REFERENCES p (id));
",
    )
    .await;
    let to = PostgresDatabase::create("").await;
    let rule = |table: &str, column: &str, mask: &str| {
        format!("{MASKING}[[table]]\nname = \"{table}\"\ncolumns.{column}.mask = \"{mask}\"\n")
    };
    let cases: [(String, &[&str]); 22] = [
        (
            rule("p", "short", "hash"),
            &[
                ".p.short`: it is in the unique key `by_short`, and it needs 16 characters to keep values apart, and has room for 12",
                "m.toml:5",
            ],
        ),
        (rule("p", "long_one", "hash"), &["it is in the unique key `by_start`", "room for 10"]),
        (rule("p", "short", "redact"), &["`redact` makes different values the same"]),
        (rule("p", "short", "fake_email"), &["a made-up address has at least 20 characters, and the column has room for 12"]),
        (rule("p", "id", "redact"), &["it is in the unique key `PRIMARY`"]),
        (rule("p", "id", "null"), &["`null` writes NULL, and the column is NOT NULL"]),
        (rule("p", "day", "null"), &["`null` writes NULL, and the column is NOT NULL"]),
        (rule("p", "day", "hash"), &["`hash` has no meaning for date; use `shift_date`"]),
        (rule("p", "amount", "hash"), &["`hash` has no meaning for float64; use `redact` or `null`"]),
        (rule("p", "amount", "shift_date"), &["use it for dates and timestamps"]),
        (rule("p", "amount", "partial"), &["`partial` has no meaning"]),
        (rule("p", "kind", "redact"), &["the column has no such label"]),
        (rule("p", "kind", "hash"), &["none of the column's labels"]),
        (rule("p", "tags", "hash"), &["none of the column's labels"]),
        (rule("p", "doc", "hash"), &["`hash` has no meaning for json"]),
        (
            rule("p", "upper_one", "hash").replace("upper_one", "long_one"),
            &["it is computed from `long_one`, which is masked, and would carry that in the clear"],
        ),
        (rule("c", "p_id", "hash"), &[".c.p_id`: it points to `", "which is not masked, so no row would find its parent"]),
        (
            format!(
                "{MASKING}[[table]]\nname = \"p\"\ncolumns.id.mask = \"hash\"\n[[table]]\nname = \"c\"\ncolumns.p_id.mask = \"redact\"\n"
            ),
            &["its mask is `redact`, and that of its parent"],
        ),
        (
            format!(
                "{MASKING}[[table]]\nname = \"p\"\ncolumns.id = {{ mask = \"hash\", to = \"smallint\" }}\n[[table]]\nname = \"c\"\ncolumns.p_id.to = \"integer\"\n"
            ),
            &["gives different types", "`smallint`", "`integer`"],
        ),
        (rule("p", "id", "hsh"), &["m.toml:5:", "`hsh` is no value of `mask`", "Did you mean `hash`?"]),
        (
            format!("{MASKING}[[type]]\nmatch = {{ type = \"varchar\", column = \"e-mail\" }}\nmask = \"hash\"\n"),
            &["m.toml:3: no column of the source is as the masking rule says"],
        ),
        (
            "[masking]\nkey = \"a literal that is long enough\"\n".into(),
            &["m.toml:2:7: `key` is a secret, and stands in the file itself", "key = \"${DBFERRY_MASK_KEY}\""],
        ),
    ];
    for (mapping, says) in &cases {
        let file = MappingFile::new(mapping);
        with_key(&["run", &from.url, &to.url, "-m", &file.path()]).code(2).complains(says).never_says("a literal that");
        assert_eq!(
            to.value("SELECT count(*) FROM pg_namespace WHERE nspname = 'dbferry'").await.as_deref(),
            Some("0"),
            "{mapping}"
        );
    }
    let file = mapping("[[table]]\nname = \"p\"\ncolumns.id.mask = \"hash\"\n");
    let run = ["run", &from.url, &to.url, "-m", &file.path()];
    ferry(&run).code(2).complains(&["m.toml:2:7: the environment variable `DBFERRY_MASK_KEY` is not set"]);
    ferry_with(VARIABLE, "too short", &run)
        .code(2)
        .complains(&["m.toml:1: the key of the masks has fewer than 16 bytes"])
        .never_says("too short");
    let keyless = MappingFile::new("[[table]]\nname = \"p\"\ncolumns.id.mask = \"hash\"\n");
    let run = ["run", &from.url, &to.url, "-m", &keyless.path()];
    with_key(&run).code(2).complains(&[
        "m.toml:3: `mask = \"hash\"` needs a key, from the environment variable `DBFERRY_MASK_KEY`",
        "export DBFERRY_MASK_KEY",
    ]);
    // Some need none; and a child of a masked parent may lose its value.
    let keyless = MappingFile::new("[[table]]\nname = \"c\"\ncolumns.p_id.mask = \"null\"\n");
    ferry(&["run", &from.url, &to.url, "-m", &keyless.path()]).code(0);
    from.drop().await;
    to.drop().await;
}

#[tokio::test]
async fn a_key_that_is_masked_is_told_by_no_plan_and_no_error() {
    let from = MySqlDatabase::create(
        "CREATE TABLE people (email VARCHAR(60) NOT NULL PRIMARY KEY, boss VARCHAR(60), v VARCHAR(20), pad VARCHAR(200), CONSTRAINT of_boss FOREIGN KEY (boss) REFERENCES people (email));
INSERT INTO people SELECT CONCAT('private', seq, '@home.uk'), NULL, 'abc', REPEAT('p', 150) FROM seq_1_to_20000;
UPDATE people SET boss = 'private7@home.uk' WHERE email <> 'private9@home.uk';
ANALYZE TABLE people;
",
    )
    .await;
    let to = PostgresDatabase::create("").await;
    let masks = "[[table]]\nname = \"people\"\ncolumns.email.mask = \"hash\"\n";
    let file = mapping(masks);
    let run = ["run", &from.url, &to.url, "-m", &file.path(), "--chunk", "1MiB", "--jobs", "4"];
    let plan = with_key(&["plan", &from.url, &to.url, "-m", &file.path(), "--chunk", "1MiB"]).code(0);
    plan.prints(&["cut at values that are masked", "holds some of its values in the clear"]).never_says("private");
    with_key(&run).code(0).never_says("private").prints(&["by `hash` (as its parent `"]);
    let joined = "SELECT count(*) FROM people a JOIN people b ON b.email = a.boss";
    assert_eq!(to.value(joined).await.as_deref(), Some("19999"));
    assert_eq!(to.value("SELECT count(DISTINCT boss) FROM people").await.as_deref(), Some("1"));

    from.run("UPDATE people SET v = 'secret' WHERE email = 'private77@home.uk';\n").await;
    let narrow = mapping(&format!("{masks}columns.v.to = \"varchar(3)\"\n"));
    let said = with_key(&["run", &from.url, &to.url, "-m", &narrow.path(), "--if-exists", "drop"]).code(1);
    said.prints(&["(key hidden)"]).never_says("private");
    assert!(!to.value("SELECT string_agg(report::text, '') FROM dbferry.runs").await.unwrap().contains("private"));
    let narrow = mapping(&format!("{masks}columns.v = {{ to = \"varchar(3)\", mask = \"redact\" }}\n"));
    let said = with_key(&["run", &from.url, &to.url, "-m", &narrow.path(), "--if-exists", "drop"]).code(1);
    said.prints(&["the value cannot be cast or masked"]).never_says("private").never_says("secret");
    from.drop().await;
    to.drop().await;
}

#[test]
fn a_sqlite_file_becomes_masked_parquet() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_string();
    let source = rusqlite::Connection::open(path("a.db")).unwrap();
    source
        .execute_batch(
            "CREATE TABLE Users (id INTEGER PRIMARY KEY, eMail VARCHAR(80) NOT NULL, born DATE, gone TEXT);
             CREATE TABLE UserPosts (id INTEGER PRIMARY KEY, userId INTEGER REFERENCES Users (id));
             INSERT INTO Users VALUES (1, 'private@home.uk', '1990-01-01', 'x'), (2, 'other@home.uk', NULL, NULL);
             INSERT INTO UserPosts VALUES (10, 1), (11, 2), (12, NULL);",
        )
        .unwrap();
    drop(source);
    let file = mapping(
        "[naming]\ntables = \"snake_case\"\ncolumns = \"snake_case\"\n[[table]]\nname = \"Users\"\ncolumns = { id = { mask = \"hash\" }, eMail = { mask = \"fake_email\" }, gone = { drop = true } }\n",
    );
    let (from, to) = (format!("sqlite://{}", path("a.db")), format!("parquet://{}", path("out")));
    let run = with_key(&["run", &from, &to, "-m", &file.path(), "--verify", "full"]).code(0);
    run.prints(&["user_posts", "as its parent `Users.id`", "left out, as the mapping says"]).never_says("home.uk");
    with_key(&["verify", &from, &to, "-m", &file.path()]).code(0);
    ferry_with(VARIABLE, "another key of the same sort", &["verify", &from, &to, "-m", &file.path()])
        .code(2)
        .complains(&["made with another key"]);
    let mut folders = vec![folder.path().join("out")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if entry.is_dir() {
                folders.push(entry);
                continue;
            }
            let bytes = std::fs::read(&entry).unwrap();
            for secret in [KEY, "home.uk"] {
                assert!(
                    !bytes.windows(secret.len()).any(|window| window == secret.as_bytes()),
                    "{secret} in {}",
                    entry.display()
                );
            }
        }
    }
}
