//! Tables that an application's own migrations have made: loaded as they stand, with their own types, triggers, keys and indexes.

use std::time::Duration;

use super::renames::MappingFile;
use crate::support::ferry::{command, ferry, ferry_with_report, report, table};
use crate::support::{MySqlDatabase, PostgresDatabase};

const SHOP: &str = "CREATE TABLE users (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, email VARCHAR(255) NOT NULL, full_name VARCHAR(100), is_active TINYINT(1) NOT NULL,
  born DATE, created_at TIMESTAMP(6) NOT NULL, token CHAR(36), mood ENUM('happy','sad'), settings JSON, balance DECIMAL(10,2), display_name VARCHAR(100), small SMALLINT, UNIQUE KEY (email));
CREATE TABLE posts (id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, author_id INT NOT NULL, title VARCHAR(80) NOT NULL, KEY (author_id), FOREIGN KEY (author_id) REFERENCES users (id));
CREATE TABLE _prisma_migrations (id VARCHAR(36) PRIMARY KEY, checksum VARCHAR(64), finished_at DATETIME(3), migration_name VARCHAR(255), logs TEXT, rolled_back_at DATETIME(3), started_at DATETIME(3), applied_steps_count INT);
INSERT INTO users VALUES (3, 'ada@x', 'Ada', 1, '1815-12-10', '2020-01-02 03:04:05.678', 'f81d4fae-7dec-11d0-a765-00a0c91e6bf6', 'happy', '{\"a\": 1}', 12.50, 'x', 7), (9, 'bob@x', NULL, 0, NULL, '2021-01-01 00:00:00', NULL, 'sad', NULL, NULL, NULL, NULL);
INSERT INTO posts VALUES (5, 9, 'first'), (6, 3, 'second');
INSERT INTO _prisma_migrations VALUES ('a', 'b', NULL, 'init', NULL, NULL, NULL, 1);
";

/// As Prisma makes it, with an audit of the owner's own.
const PRISMA: &str = r#"CREATE TYPE "Mood" AS ENUM ('sad', 'other', 'happy');
CREATE DOMAIN small_count AS integer CHECK (VALUE < 100);
CREATE TABLE "User" (id serial PRIMARY KEY, email varchar(191) NOT NULL UNIQUE, "fullName" text, "isActive" boolean NOT NULL, born date,
  "createdAt" timestamptz(3) NOT NULL DEFAULT now(), token uuid, mood "Mood", settings jsonb, balance numeric(12,3),
  "displayName" text GENERATED ALWAYS AS (upper("fullName")) STORED, small small_count, note text DEFAULT 'mine');
CREATE TABLE "Post" (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, "authorId" bigint NOT NULL REFERENCES "User" (id), title varchar(60) NOT NULL);
CREATE INDEX "Post_authorId_idx" ON "Post" ("authorId");
CREATE INDEX post_title ON "Post" (lower(title) DESC) INCLUDE (id) WITH (fillfactor = 70) WHERE title <> '';
COMMENT ON INDEX post_title IS 'it''s for search';
CREATE TABLE audit (what text);
CREATE FUNCTION note_it() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO public.audit VALUES (TG_TABLE_NAME || ' ' || TG_OP); RETURN NEW; END $$;
CREATE TRIGGER noted AFTER INSERT OR UPDATE ON "User" FOR EACH ROW EXECUTE FUNCTION note_it();
CREATE TRIGGER noted_too BEFORE INSERT ON "Post" FOR EACH ROW EXECUTE FUNCTION note_it();
CREATE TRIGGER sleeping BEFORE INSERT ON "Post" FOR EACH ROW EXECUTE FUNCTION note_it();
ALTER TABLE "Post" DISABLE TRIGGER sleeping;
CREATE TABLE _prisma_migrations (id varchar(36) PRIMARY KEY, checksum varchar(64));
INSERT INTO _prisma_migrations VALUES ('mine', 'c')"#;

const NAMES: &str =
    "[naming]\ncolumns = \"camelCase\"\n[[table]]\nname = \"users\"\nto = \"User\"\n[[table]]\nname = \"posts\"\nto = \"Post\"\n";

const TRIGGERS: &str = "SELECT string_agg(tgrelid::regclass || '.' || tgname || tgenabled::text, ' ' ORDER BY 1, tgname) FROM pg_trigger WHERE NOT tgisinternal";
const INDEXES: &str = "SELECT string_agg(pg_get_indexdef(indexrelid) || coalesce(obj_description(indexrelid, 'pg_class'), ''), '; ' ORDER BY indexrelid::regclass::text) FROM pg_index WHERE indrelid::regclass::text !~ '^(pg_|dbferry|information)'";

/// A config file with these lines under `[run]`, gone with it.
pub struct ConfigFile(tempfile::TempDir);

impl ConfigFile {
    pub fn new(run: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("c.toml"), format!("[run]\n{run}\n")).unwrap();
        ConfigFile(folder)
    }

    pub fn path(&self) -> String {
        self.0.path().join("c.toml").to_str().unwrap().to_string()
    }
}

/// Waits for the first receipts of a run, kills it, and makes sure that it was killed midway.
pub async fn kill_midway(to: &PostgresDatabase, ends: &[&str]) {
    let mut first = command(ends).spawn().unwrap();
    for _ in 0..4000 {
        let receipts =
            sqlx::query_scalar::<_, i64>("SELECT count(*) FROM dbferry.receipts").fetch_one(&mut to.connect().await).await;
        if receipts.is_ok_and(|receipts| receipts >= 1) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(3)).await;
    }
    first.kill().unwrap();
    first.wait().unwrap();
    assert_eq!(to.value("SELECT state FROM dbferry.runs").await.as_deref(), Some("running"), "the run was too fast to be killed");
}

#[tokio::test]
async fn a_schema_of_an_orm_is_loaded_with_its_own_types_and_nothing_fires() {
    let (from, to) = (MySqlDatabase::create(SHOP).await, PostgresDatabase::create(PRISMA).await);
    let file = MappingFile::new(NAMES);
    let config = ConfigFile::new("tables = \"existing\"\ntarget_indexes = \"rebuild\"");
    let before = (to.value(TRIGGERS).await, to.value(INDEXES).await);
    let ends = [&from.url, &to.url, "-m", &file.path(), "-c", &config.path()].map(str::to_string);
    let ends: Vec<&str> = ends.iter().map(String::as_str).collect();
    ferry(&[&["plan"], &ends[..]].concat()).code(0).prints(
        &[
            "[the existing table's type]",
            "`shop",
            "the history of Prisma is left out",
            "its triggers do not fire during the load: `noted`",
            "the existing table computes the column by itself, so it is not written",
            "columns that the source does not have take their default: `note`",
            "dropped before the load, and made again after it: index Post_authorId_idx, index post_title",
        ]
        .map(|text| if text == "`shop" { "posts" } else { text }),
    );
    let done = report(0, &[&["run"], &ends[..], &["--verify", "full"]].concat());
    for name in ["users", "posts"] {
        assert_eq!(table(&done, name)["outcome"], "verified", "{done:#}");
    }
    to.has_types("\"User\"", &[("isActive", "boolean"), ("email", "character varying(191)"), ("mood", "\"Mood\"")]).await;
    to.holds(
        "\"User\"",
        "id = 3",
        &["email", "\"fullName\"", "\"isActive\"", "born", "\"createdAt\"", "token", "mood", "settings", "balance", "\"displayName\"", "small", "note"],
        "'ada@x', 'Ada', true, '1815-12-10', '2020-01-02 03:04:05.678+00', 'f81d4fae-7dec-11d0-a765-00a0c91e6bf6', 'happy', '{\"a\": 1}', 12.5, 'ADA', 7, 'mine'",
    )
    .await;
    // D9: no trigger has fired, and all of them stand as before.
    assert_eq!(to.value("SELECT count(*) FROM audit").await.as_deref(), Some("0"));
    assert_eq!(to.value("SELECT string_agg(id, ',') FROM _prisma_migrations").await.as_deref(), Some("mine"));
    assert_eq!((to.value(TRIGGERS).await, to.value(INDEXES).await), before);
    // The numbers go on.
    to.run("INSERT INTO \"User\" (email, \"isActive\") VALUES ('new', true); INSERT INTO \"Post\" (\"authorId\", title) VALUES (3, 't')").await;
    assert_eq!(to.value("SELECT id FROM \"User\" WHERE email = 'new'").await.as_deref(), Some("10"));
    assert_eq!(to.value("SELECT max(id) FROM \"Post\"").await.as_deref(), Some("7"));

    // A second time there are rows: refused with their number; emptied and loaded, the numbers still go on.
    let verified = to.value("SELECT count(*) FROM \"Post\"").await;
    ferry(&[&["run"], &ends[..]].concat()).code(2).complains(&[
        "it has 3 rows already",
        "`upsert`",
        "public.User",
        "public.Post",
    ]);
    assert_eq!(to.value("SELECT count(*) FROM \"Post\"").await, verified);
    report(0, &[&["run"], &ends[..], &["--if-exists", "truncate"]].concat());
    to.run("SELECT setval('\"User_id_seq\"', 1, false)").await;
    report(0, &[&["run"], &ends[..], &["--if-exists", "truncate"]].concat());
    assert_eq!(to.value("SELECT nextval('\"User_id_seq\"')").await.as_deref(), Some("10"));
    // Named exactly, the history is carried: as any other table, so it must fit.
    let named = ["plan", &from.url, &to.url, "--tables", "existing", "--include", "_prisma_migrations"];
    ferry(&named).code(1).prints(&["public._prisma_migrations.finished_at"]);
    from.drop().await;
    to.drop().await;
}

#[tokio::test]
async fn all_that_does_not_fit_is_said_at_once_and_nothing_is_changed() {
    let from = MySqlDatabase::create(
        "CREATE TABLE people (id INT NOT NULL PRIMARY KEY, full_name VARCHAR(40), bornOn DATE, seen DATETIME, place FLOAT, extra INT, addr VARCHAR(40), day_of DATE);
CREATE TABLE Visits (id INT NOT NULL PRIMARY KEY);
CREATE TABLE gone (id INT NOT NULL PRIMARY KEY);
CREATE TABLE looked (id INT NOT NULL PRIMARY KEY);
INSERT INTO people VALUES (1, 'Ada', '1815-12-10', '2020-01-01 00:00:00', 1.5, 1, '::1', NULL);
",
    )
    .await;
    let to = PostgresDatabase::create(
        "CREATE TABLE people (id int PRIMARY KEY, \"fullName\" text, born_on date, seen timestamptz, place int, addr inet, demanded int NOT NULL, day_of int);
CREATE TABLE visits (id int); CREATE VIEW looked AS SELECT 1 AS id",
    )
    .await;
    let said = ferry(&["run", &from.url, &to.url, "--tables", "existing"]).code(2).complains(&[
        "public.people.full_name",
        "rename = \"fullName\"",
        "public.people.bornOn",
        "rename = \"born_on\"",
        "`datetime` cannot become `timestamp with time zone`, the existing table's type",
        "seen AT TIME ZONE 'UTC'",
        "cannot become `integer`",
        "public.people.extra",
        "drop = true",
        "public.people.demanded",
        "public.gone",
        "`public.visits` stands there",
        "public.people.addr",
        "is no table",
    ]);
    drop(said);
    assert_eq!(to.value("SELECT to_regclass('dbferry.runs') IS NULL").await.as_deref(), Some("true"));
    // With the lines that were said it arrives.
    to.run("ALTER TABLE people ALTER demanded DROP NOT NULL, ALTER place TYPE real, ALTER addr TYPE text, ALTER day_of TYPE date USING NULL; DROP VIEW looked; CREATE TABLE looked (id int)").await;
    let file = MappingFile::new(
        "[[table]]\nname = \"people\"\n[table.columns.full_name]\nrename = \"fullName\"\n[table.columns.bornOn]\nrename = \"born_on\"\n\
         [table.columns.seen]\nexpr = \"seen AT TIME ZONE 'UTC'\"\n[table.columns.extra]\ndrop = true\n\
         [[table]]\nname = \"Visits\"\nto = \"public.visits\"\n",
    );
    let ends = ["run", &from.url, &to.url, "-m", &file.path(), "--data-only", "--exclude", "gone"];
    let done = report(0, &ends);
    assert_eq!(table(&done, "people")["outcome"], "verified", "{done:#}");
    to.holds("people", "id = 1", &["seen", "\"fullName\""], "'2020-01-01 00:00:00+00', 'Ada'").await;
    from.drop().await;
    to.drop().await;
}

#[tokio::test]
async fn values_that_the_existing_type_cannot_hold_are_refused_by_their_key() {
    let from = MySqlDatabase::create(
        "CREATE TABLE flags (id INT NOT NULL PRIMARY KEY, on_off TINYINT);
CREATE TABLE names (id INT NOT NULL PRIMARY KEY, v VARCHAR(20), e VARCHAR(20));
CREATE TABLE good (id BIGINT NOT NULL PRIMARY KEY, n DECIMAL(20,4), u CHAR(36), i BIGINT);
INSERT INTO flags VALUES (1, 1), (2, 2);
INSERT INTO names VALUES (1, 'fits', 'a'), (2, 'does not fit', 'a');
INSERT INTO good VALUES (1, 1.2500, 'f81d4fae-7dec-11d0-a765-00a0c91e6bf6', 5);
",
    )
    .await;
    let to = PostgresDatabase::create(
        "CREATE EXTENSION citext; CREATE TYPE letters AS ENUM ('a', 'b'); CREATE TABLE flags (id int, on_off boolean); CREATE TABLE names (id int, v varchar(5), e letters); CREATE TABLE good (id int, n numeric(6,2), u uuid, i smallint)",
    )
    .await;
    let done = report(1, &["run", &from.url, &to.url, "--tables", "existing", "--probe", "off"]);
    for (name, key) in [("flags", "id = 2"), ("names", "id = 2")] {
        assert_eq!(table(&done, name)["outcome"], "failed", "{done:#}");
        assert!(table(&done, name)["errors"].to_string().contains(key), "{done:#}");
    }
    assert_eq!(table(&done, "good")["outcome"], "verified", "{done:#}");
    to.holds("good", "true", &["n", "i"], "1.25, 5").await;
    from.drop().await;
    to.drop().await;
}

#[tokio::test]
async fn rows_without_a_parent_are_found_after_the_load_or_at_once_as_chosen() {
    let from = MySqlDatabase::create(
        "CREATE TABLE a_child (id INT NOT NULL PRIMARY KEY, parent_id INT, KEY (parent_id));
CREATE TABLE parent (id INT NOT NULL PRIMARY KEY);
INSERT INTO parent VALUES (1), (2);
INSERT INTO a_child VALUES (1, 1), (2, NULL), (3, 77), (4, 78);
",
    )
    .await;
    let standing = "CREATE TABLE parent (id int PRIMARY KEY); CREATE TABLE a_child (id int PRIMARY KEY, parent_id int CONSTRAINT of_parent REFERENCES parent)";
    let to = PostgresDatabase::create(standing).await;
    let done = report(1, &["run", &from.url, &to.url, "--tables", "existing"]);
    assert_eq!(table(&done, "parent")["outcome"], "verified");
    let errors = table(&done, "a_child")["errors"].to_string();
    assert!(errors.contains("2 rows of public.a_child have no parent in public.parent by the foreign key of_parent"), "{errors}");
    assert!(errors.contains("(77)") && errors.contains("(78)"), "{errors}");

    // Enforced: the child comes after its parent, though its name is before, and its rows are refused.
    to.run("TRUNCATE parent, a_child").await;
    let config = ConfigFile::new("tables = \"existing\"\ntarget_foreign_keys = \"keep\"");
    let keep = ["run", &from.url, &to.url, "-c", &config.path()];
    let done = report(1, &keep);
    assert!(table(&done, "a_child")["errors"].to_string().contains("of_parent"), "{done:#}");
    assert_eq!(to.value("SELECT count(*) FROM a_child").await.as_deref(), Some("0"));
    from.run("DELETE FROM a_child WHERE parent_id > 2;").await;
    to.run("TRUNCATE parent, a_child").await;
    report(0, &keep);

    // No order, or no switch for both.
    to.run("DROP SCHEMA dbferry CASCADE; TRUNCATE parent, a_child; ALTER TABLE parent ADD CONSTRAINT back FOREIGN KEY (id) REFERENCES a_child DEFERRABLE")
        .await;
    ferry(&keep).code(2).complains(&["lead round in a circle", "check_after"]);
    let both = ConfigFile::new("target_triggers = \"on\"\ntarget_foreign_keys = \"check_after\"");
    ferry(&["run", &from.url, &to.url, "-c", &both.path()]).code(2).complains(&["cannot both be"]);
    from.drop().await;
    to.drop().await;
}

const MANY: &str = "CREATE TABLE many (id INT NOT NULL PRIMARY KEY, v VARCHAR(300) NOT NULL, w INT NOT NULL);
INSERT INTO many SELECT seq, REPEAT(CHAR(65 + seq % 26), 250), seq DIV 10 FROM seq_1_to_60000;
ANALYZE TABLE many;
";

#[tokio::test(flavor = "multi_thread")]
async fn what_was_set_aside_is_put_back_after_a_kill() {
    let from = MySqlDatabase::create(MANY).await;
    let to = PostgresDatabase::create(
        "CREATE TABLE audit (what text); CREATE TABLE many (id int PRIMARY KEY, v varchar(300) NOT NULL, w int NOT NULL);
CREATE INDEX by_w ON many (w DESC); CREATE INDEX by_v ON many USING hash (v); COMMENT ON INDEX by_w IS 'kept';
CREATE FUNCTION note_it() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO public.audit VALUES (TG_OP); RETURN NEW; END $$;
CREATE TRIGGER plain AFTER INSERT ON many FOR EACH ROW EXECUTE FUNCTION note_it();
CREATE TRIGGER always AFTER INSERT ON many FOR EACH ROW EXECUTE FUNCTION note_it(); ALTER TABLE many ENABLE ALWAYS TRIGGER always;
CREATE TRIGGER emptied AFTER TRUNCATE ON many FOR EACH STATEMENT EXECUTE FUNCTION note_it();
CREATE TRIGGER off AFTER INSERT ON many FOR EACH ROW EXECUTE FUNCTION note_it(); ALTER TABLE many DISABLE TRIGGER off;
INSERT INTO many VALUES (-1, 'old', 0); TRUNCATE audit",
    )
    .await;
    let before = (to.value(TRIGGERS).await, to.value(INDEXES).await);
    for keys in ["keep", "check_after"] {
        to.run("DROP SCHEMA IF EXISTS dbferry CASCADE").await;
        let config = ConfigFile::new(&format!(
            "tables = \"existing\"\nif_exists = \"truncate\"\ntarget_indexes = \"rebuild\"\ntarget_foreign_keys = \"{keys}\""
        ));
        let ends = ["run", &from.url, &to.url, "-c", &config.path(), "--chunk", "1MiB", "--jobs", "1"].map(str::to_string);
        let ends: Vec<&str> = ends.iter().map(String::as_str).collect();
        kill_midway(&to, &ends).await;
        assert_ne!(to.value(TRIGGERS).await, before.0);
        assert_ne!(to.value(INDEXES).await, before.1);
        // A new run would take the table for one without them.
        ferry(&ends).code(2).complains(&[
            "has set aside what it has not put back",
            "index by_w",
            "trigger always",
            "CREATE INDEX by_w",
            "--resume",
        ]);
        let done = report(0, &[&ends[..], &["--resume"]].concat());
        assert_eq!(table(&done, "many")["outcome"], "verified");
        assert_eq!((to.value(TRIGGERS).await, to.value(INDEXES).await), before);
        assert_eq!(
            to.value("SELECT count(*) || ' ' || (SELECT count(*) FROM audit) FROM many").await.as_deref(),
            Some("60000 0")
        );
    }
    // Put back as well when the rows do not arrive.
    from.run("UPDATE many SET v = REPEAT('z', 300) WHERE id = 30000;").await;
    to.run("ALTER TABLE many ADD CHECK (length(v) < 300) NOT VALID").await;
    let config = ConfigFile::new("tables = \"existing\"\nif_exists = \"truncate\"\ntarget_indexes = \"rebuild\"");
    let done = report(1, &["run", &from.url, &to.url, "-c", &config.path(), "--chunk", "1MiB"]);
    assert_eq!(table(&done, "many")["outcome"], "failed");
    assert_eq!((to.value(TRIGGERS).await, to.value(INDEXES).await), before);
    from.drop().await;
    to.drop().await;
}

#[tokio::test]
async fn a_role_of_few_rights_is_told_what_it_lacks_and_loads_what_it_may() {
    let from = MySqlDatabase::create(SHOP).await;
    let to = PostgresDatabase::create(PRISMA).await;
    let role = format!("e_{}", to.name);
    to.run(&format!(
        "CREATE ROLE {role} LOGIN PASSWORD 'few-rights'; CREATE SCHEMA dbferry AUTHORIZATION {role}; REVOKE CREATE ON SCHEMA public FROM PUBLIC;
         GRANT SELECT ON \"User\", \"Post\" TO {role}; GRANT INSERT ON \"User\" TO {role}"
    ))
    .await;
    let mut url = url::Url::parse(&to.url).unwrap();
    url.set_username(&role).unwrap();
    url.set_password(Some("few-rights")).unwrap();
    let file = MappingFile::new(NAMES);
    let ends = ["run", &from.url, url.as_str(), "-m", &file.path(), "--tables", "existing"].map(str::to_string);
    let ends: Vec<&str> = ends.iter().map(String::as_str).collect();
    ferry(&ends).code(2).complains(&[
        "INSERT ON \"public\".\"Post\"",
        "session_replication_role",
        "GRANT SET ON PARAMETER",
        "target_triggers = \"on\"",
        "GRANT ALL ON SEQUENCE",
    ]);
    assert_eq!(to.value("SELECT count(*) FROM \"User\"").await.as_deref(), Some("0"));
    to.run(&format!("GRANT INSERT ON \"Post\", audit TO {role}; GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO {role}")).await;
    let config = ConfigFile::new("target_triggers = \"on\"");
    let (said, done) = ferry_with_report(&[&ends[..], &["-c", &config.path()]].concat());
    said.code(0).prints(&["its triggers fire for each row"]);
    assert_eq!(table(&done.unwrap(), "posts")["outcome"], "verified");
    assert_eq!(to.value("SELECT count(*) FROM audit").await.as_deref(), Some("4"));
    // With the right that was named, nothing fires.
    to.run(&format!("TRUNCATE audit, \"User\", \"Post\"; GRANT SET ON PARAMETER session_replication_role TO {role}")).await;
    ferry(&ends).code(0);
    assert_eq!(to.value("SELECT count(*) FROM audit").await.as_deref(), Some("0"));
    to.run(&format!("REVOKE SET ON PARAMETER session_replication_role FROM {role}; DROP OWNED BY {role}; DROP ROLE {role}"))
        .await;
    from.drop().await;
    to.drop().await;
}
