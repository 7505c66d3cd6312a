//! Keys, indexes, defaults and the other objects, as PostgreSQL's own catalog shows them; what is not carried is listed.

use serde_json::Value;

use crate::support::ferry::{ferry, report};
use crate::support::{MySqlDatabase, PostgresDatabase};

const SHOP: &str = "
CREATE TABLE regions (
  country CHAR(2) NOT NULL COMMENT 'ISO 3166', code VARCHAR(10) NOT NULL, title VARCHAR(50) NOT NULL DEFAULT 'it''s none',
  PRIMARY KEY (country, code)
) COMMENT='Where ''people'' live';
CREATE TABLE people (
  id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
  email VARCHAR(100) NOT NULL,
  boss_id BIGINT UNSIGNED NULL,
  country CHAR(2) NULL, region VARCHAR(10) NULL,
  note TEXT, score INT NOT NULL DEFAULT -7, ratio DECIMAL(5,2) NOT NULL DEFAULT 1.50, level ENUM('low','high') NOT NULL DEFAULT 'high',
  active TINYINT(1) NOT NULL DEFAULT 1, raw BINARY(2) NOT NULL DEFAULT x'00ff', flags BIT(4) NOT NULL DEFAULT b'0101',
  born DATE DEFAULT '2000-02-29', secret INT INVISIBLE DEFAULT 5,
  created_at DATETIME(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3), updated_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP,
  double_score INT AS (score * 2) STORED, half VARCHAR(10) AS (LEFT(email, 3)) VIRTUAL,
  nothing VARCHAR(5) DEFAULT NULL, word VARCHAR(5) DEFAULT 'NULL',
  UNIQUE KEY email (email), KEY boss (boss_id), KEY place (country, region), KEY note_start (note(10)), UNIQUE KEY start_of (email(5), id),
  KEY newest (score DESC, id),
  FULLTEXT KEY words (note),
  CONSTRAINT boss_of FOREIGN KEY (boss_id) REFERENCES people (id) ON DELETE SET NULL ON UPDATE RESTRICT,
  CONSTRAINT lives_in FOREIGN KEY (country, region) REFERENCES regions (country, code) ON DELETE RESTRICT ON UPDATE CASCADE,
  CONSTRAINT score_range CHECK (score > -100)
) AUTO_INCREMENT=1000;
CREATE TABLE orders (
  id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, person_id BIGINT UNSIGNED NOT NULL, total DECIMAL(12,2) NOT NULL,
  KEY email (total),
  CONSTRAINT ordered_by FOREIGN KEY (person_id) REFERENCES people (id) ON DELETE CASCADE ON UPDATE RESTRICT
);
INSERT INTO regions VALUES ('de', 'by', 'Bayern'), ('fr', 'idf', 'Île-de-France');
INSERT INTO people (id, email, boss_id, country, region, secret) VALUES (1, 'a@x', NULL, 'de', 'by', 11), (7, 'b@x', 1, 'fr', 'idf', NULL);
INSERT INTO orders VALUES (5, 7, 10.00), (6, 7, 20.00);
CREATE VIEW v_totals AS SELECT person_id, SUM(total) AS total FROM orders GROUP BY person_id;
CREATE TRIGGER orders_audit BEFORE INSERT ON orders FOR EACH ROW SET NEW.total = NEW.total + 0;
CREATE PROCEDURE refresh() SELECT 1;
CREATE FUNCTION twice(n INT) RETURNS INT DETERMINISTIC RETURN n * 2;
CREATE EVENT nightly ON SCHEDULE EVERY 1 DAY DO DELETE FROM orders WHERE total < 0;
";

/// Names of the problems of a report of that severity and object.
fn listed(report: &Value, severity: &str, object: &str) -> Vec<String> {
    let problems = report["problems"].as_array().unwrap();
    let of = |problem: &&Value| problem["severity"] == severity && problem["object"].as_str().unwrap().contains(object);
    problems.iter().filter(of).map(|problem| problem["name"].as_str().unwrap().to_string()).collect()
}

#[tokio::test]
async fn keys_indexes_defaults_and_comments_arrive_and_the_rest_is_listed() {
    let from = MySqlDatabase::create(SHOP).await;
    let to = PostgresDatabase::create("").await;
    let report = report(0, &["run", &from.url, &to.url, "--verify", "full"]);
    assert!(report["proven"].as_str().unwrap().starts_with("Proven in full: all 3 tables, 6 rows"), "{report:#}");
    let server = report["source"]["server"].as_str().unwrap();
    assert!(server.contains("MariaDB") || server.contains("MySQL"), "{server}");
    assert!(!report.to_string().contains("test:test"), "the password is in the report");

    // C8: what is not carried is listed, with its source.
    for (object, name) in
        [("view", "v_totals"), ("trigger", "orders_audit"), ("procedure", "refresh"), ("function", "twice"), ("event", "nightly")]
    {
        let names = listed(&report, "not_carried", object);
        assert!(names.iter().any(|found| found.contains(name)), "{object} {name} is not listed: {:#}", report["problems"]);
    }
    let ddl: Vec<&Value> = report["problems"].as_array().unwrap().iter().filter(|one| one["object"] == "view").collect();
    assert!(ddl[0]["ddl"].as_str().unwrap().to_lowercase().contains("sum("), "{ddl:?}");

    // C2: columns that are invisible arrive; C4: so do defaults, `NULL` and 'NULL' apart.
    let nullable = "SELECT string_agg(attname, ',' ORDER BY attnum) FROM pg_attribute
        WHERE attrelid = 'people'::regclass AND attnum > 0 AND NOT attnotnull";
    assert_eq!(
        to.value(nullable).await.as_deref(),
        Some("boss_id,country,region,note,born,secret,double_score,half,nothing,word")
    );
    to.holds("people", "id = 7", &["secret", "double_score", "half", "raw", "flags"], r"NULL, -14, 'b@x', '\x00ff', B'0101'")
        .await;
    to.holds("people", "id = 1", &["secret"], "11").await;
    assert_eq!(to.value("SELECT obj_description('regions'::regclass)").await.as_deref(), Some("Where 'people' live"));
    assert_eq!(to.value("SELECT col_description('regions'::regclass, 1)").await.as_deref(), Some("ISO 3166"));

    // Defaults and the next number, by using them.
    to.run("INSERT INTO people (email, level) VALUES ('new@x', DEFAULT)").await;
    to.holds(
        "people",
        "email = 'new@x'",
        &["id", "score", "ratio", "level::text", "active", "raw", "flags", "born", "secret", "nothing", "word"],
        r"1000, -7, 1.50, 'high', true, '\x00ff', B'0101', '2000-02-29', 5, NULL, 'NULL'",
    )
    .await;
    let recent =
        "SELECT now() - updated_at < '1 minute' AND timezone('UTC', now()) - created_at < '1 minute' FROM people WHERE id = 1000";
    assert_eq!(to.value(recent).await.as_deref(), Some("true"));
    let next = "SELECT nextval(pg_get_serial_sequence('orders', 'id'))";
    assert_eq!(to.value(next).await.as_deref(), Some("7"));
    to.run("INSERT INTO regions (country, code) VALUES ('xx', 'y')").await;
    assert_eq!(to.value("SELECT title FROM regions WHERE country = 'xx'").await.as_deref(), Some("it's none"));

    // Keys and indexes.
    let indexes = "SELECT string_agg(pg_get_indexdef(indexrelid), E'\\n' ORDER BY indexrelid::regclass::text)
        FROM pg_index WHERE indrelid IN ('people'::regclass, 'orders'::regclass, 'regions'::regclass)";
    let indexes = to.value(indexes).await.unwrap();
    for part in [
        "UNIQUE INDEX people_pkey ON public.people USING btree (id)",
        "UNIQUE INDEX regions_pkey ON public.regions USING btree (country, code)",
        "ON public.people USING btree (boss_id)",
        "ON public.people USING btree (country, region)",
        "(\"left\"(note, 10))",
        "UNIQUE INDEX start_of ON public.people USING btree (\"left\"((email)::text, 5), id)",
        "ON public.people USING btree (score DESC",
        "UNIQUE INDEX people_email ON public.people USING btree (email)",
        "INDEX orders_email ON public.orders USING btree (total)",
        "INDEX words ON public.people USING gin (to_tsvector('simple'::regconfig, COALESCE(note, ''::text)))",
    ] {
        assert!(indexes.contains(part), "no `{part}` in\n{indexes}");
    }
    let keys = "SELECT string_agg(conname || ' ' || convalidated || ' ' || pg_get_constraintdef(oid), E'\\n' ORDER BY conname)
        FROM pg_constraint WHERE contype = 'f'";
    assert_eq!(
        to.value(keys).await.as_deref(),
        Some(
            "boss_of true FOREIGN KEY (boss_id) REFERENCES people(id) ON UPDATE RESTRICT ON DELETE SET NULL\n\
             lives_in true FOREIGN KEY (country, region) REFERENCES regions(country, code) ON UPDATE CASCADE ON DELETE RESTRICT\n\
             ordered_by true FOREIGN KEY (person_id) REFERENCES people(id) ON UPDATE RESTRICT ON DELETE CASCADE"
        )
    );
    assert_ne!(to.value("SELECT count(*) FROM pg_stats WHERE tablename = 'people'").await.as_deref(), Some("0"), "not analyzed");
    assert!(listed(&report, "not_carried", "check").is_empty());
    to.refuses("INSERT INTO people (email, score) VALUES ('z', -100)", "23514").await;
    from.drop().await;
    to.drop().await;
}

#[tokio::test]
async fn a_foreign_key_whose_rows_break_it_is_reported_and_costs_the_exit_code() {
    let from = MySqlDatabase::create(
        "CREATE TABLE parent (id INT NOT NULL PRIMARY KEY);
CREATE TABLE child (id INT NOT NULL PRIMARY KEY, parent_id INT, CONSTRAINT of_parent FOREIGN KEY (parent_id) REFERENCES parent (id));
INSERT INTO parent VALUES (1);
SET foreign_key_checks = 0; INSERT INTO child VALUES (1, 1), (2, 99);
",
    )
    .await;
    let to = PostgresDatabase::create("").await;
    let report = report(1, &["run", &from.url, &to.url, "--probe", "off"]);
    let text = report.to_string();
    assert!(text.contains("of_parent") && text.contains("child"), "{report:#}");
    assert_eq!(to.value("SELECT count(*) FROM child").await.as_deref(), Some("2"), "no row goes for the sake of a key");
    from.drop().await;
    to.drop().await;
}

#[tokio::test]
async fn a_foreign_key_to_a_table_that_is_left_out_is_listed() {
    let from = MySqlDatabase::create(SHOP).await;
    let to = PostgresDatabase::create("").await;
    let report = report(0, &["run", &from.url, &to.url, "--exclude", "people"]);
    let names = listed(&report, "not_carried", "foreign key");
    assert!(names.iter().any(|name| name.contains("ordered_by")), "{:#}", report["problems"]);
    assert_eq!(to.value("SELECT to_regclass('people') IS NULL").await.as_deref(), Some("true"));
    from.drop().await;
    to.drop().await;
}

#[tokio::test]
async fn names_of_every_kind_arrive_as_they_are() {
    let long = "ö".repeat(50);
    let from = MySqlDatabase::create(&format!(
        r#"
CREATE TABLE `Select` (`Order` INT NOT NULL PRIMARY KEY, `two words` INT, `it's` INT, `say "hi"` INT, `dot.ted` INT, `back``tick` INT, `größe 日本 x` INT, KEY `a "quoted.key` (`two words`));
CREATE TABLE `select_` (`order` INT, `$1` INT, `{{x}}` INT, `100%` INT, `back\slash` INT);
CREATE TABLE `a.b "c" d'e``f` (`id` INT NOT NULL PRIMARY KEY, CONSTRAINT `k'e"y` FOREIGN KEY (`id`) REFERENCES `Select` (`Order`));
CREATE TABLE `{long}` (`{long}x` INT NOT NULL AUTO_INCREMENT PRIMARY KEY, KEY `{long}k` (`{long}x`));
INSERT INTO `Select` VALUES (1, 2, 3, 4, 5, 6, 7);
INSERT INTO `select_` VALUES (1, 2, 3, 4, 5), (1, 2, 3, 4, 5);
INSERT INTO `a.b "c" d'e``f` VALUES (1);
INSERT INTO `{long}` VALUES (3), (9);
"#
    ))
    .await;
    let to = PostgresDatabase::create("").await;
    let report = report(0, &["run", &from.url, &to.url, "--verify", "full", "--schema", "My \"own\" Schema"]);
    let tables = "SELECT string_agg(relname, E'\\n' ORDER BY relname COLLATE \"C\") FROM pg_class
        WHERE relkind = 'r' AND relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = 'My \"own\" Schema')";
    let tables = to.value(tables).await.unwrap();
    let (known, last) = tables.rsplit_once('\n').unwrap();
    assert_eq!(known, "Select\na.b \"c\" d'e`f\nselect_");
    assert!(last.len() <= 63 && last.starts_with("öööö"), "{last}");
    assert!(!listed(&report, "note", "table").is_empty(), "the cut name is not listed: {:#}", report["problems"]);
    let columns = r#""Order", "two words", "it's", "say ""hi""", "dot.ted", "back`tick", "größe 日本 x""#;
    let row = to.value(&format!(r#"SELECT t FROM (SELECT {columns} FROM "My ""own"" Schema"."Select") AS t"#)).await;
    assert_eq!(row.as_deref(), Some("(1,2,3,4,5,6,7)"));
    let odd = to.value(r#"SELECT sum("order" + "$1" + "{x}" + "100%" + "back\slash") FROM "My ""own"" Schema"."select_""#).await;
    assert_eq!(odd.as_deref(), Some("30"));
    let key = to.value("SELECT count(*) FROM pg_constraint WHERE contype = 'f' AND conname = 'k''e\"y' AND convalidated").await;
    assert_eq!(key.as_deref(), Some("1"));
    let said = ferry(&["verify", &from.url, &to.url, "--schema", "My \"own\" Schema"]);
    said.code(0).prints(&["Proven by digest: all 4 tables, 6 rows"]);
    from.drop().await;
    to.drop().await;
}
