//! Rights that are missing: told all at once, before anything is made, with the statements that give them; and the least that is needed.

use crate::support::ferry::ferry;
use crate::support::{MySqlDatabase, PostgresDatabase};

const THREE: &str = "CREATE TABLE a (id INT PRIMARY KEY, v INT);
CREATE TABLE b (id INT PRIMARY KEY, secret VARCHAR(10) NOT NULL);
CREATE TABLE c (id INT PRIMARY KEY);
INSERT INTO a VALUES (1, 2);
INSERT INTO b VALUES (1, 'x'), (2, 'y');
INSERT INTO c VALUES (5);
";

/// The address with another login.
fn login(url: &str, user: &str, password: &str) -> String {
    let mut url = url::Url::parse(url).unwrap();
    url.set_username(user).unwrap();
    url.set_password(Some(password)).unwrap();
    url.to_string()
}

async fn forget(from: MySqlDatabase, reader: &str, to: PostgresDatabase, loader: &str) {
    from.run(&format!("DROP USER '{reader}'@'%';")).await;
    to.run(&format!("DROP OWNED BY {loader} CASCADE; DROP ROLE {loader}")).await;
    from.drop().await;
    to.drop().await;
}

/// A user who may read `a`, one column of `b`, and of `c` nothing.
async fn few_rights(from: &MySqlDatabase, reader: &str) {
    from.run(&format!(
        "CREATE USER '{reader}'@'%' IDENTIFIED BY 'few';
GRANT SELECT ON `{0}`.a TO '{reader}'@'%';
GRANT SELECT (id) ON `{0}`.b TO '{reader}'@'%';
GRANT INSERT ON `{0}`.c TO '{reader}'@'%';
",
        from.name
    ))
    .await;
}

#[tokio::test]
async fn all_that_is_missing_is_told_at_once_with_what_gives_it() {
    let (from, to) = (MySqlDatabase::create(THREE).await, PostgresDatabase::create("CREATE TABLE c (id int)").await);
    let (reader, loader) = (format!("r_{}", from.name), format!("l_{}", to.name));
    // Of `b` only one column is granted: the server's catalog shows no other one.
    few_rights(&from, &reader).await;
    to.run(&format!(
        "CREATE ROLE {loader} LOGIN PASSWORD 'few'; REVOKE CREATE ON SCHEMA public FROM PUBLIC;
         REVOKE ALL ON DATABASE {} FROM PUBLIC; GRANT CONNECT ON DATABASE {0} TO {loader}",
        to.name
    ))
    .await;
    let (source, target) = (login(&from.url, &reader, "few"), login(&to.url, &loader, "few"));
    let line = ["run", &source, &target, "--if-exists", "drop"];
    let said = ferry(&line).code(2).complains(&[
        "may not read it, or not all of its columns",
        "the ledger's schema `dbferry` does not exist",
        "may not create tables in the schema `public`",
        "may not drop it, since `postgres` owns it",
    ]);
    assert_eq!(to.value("SELECT count(*) FROM pg_namespace WHERE nspname = 'dbferry'").await.as_deref(), Some("0"));

    // Each hint is a statement that can be run as it is.
    let mut ran = 0;
    for line in said.err.lines().filter_map(|line| line.strip_prefix("hint: Run `")) {
        if let Some((sql, _)) = line.split_once("`, or leave the table out") {
            from.run(&format!("{sql};")).await;
        } else {
            to.run(line.split_once('`').unwrap().0).await;
        }
        ran += 1;
    }
    assert_eq!(ran, 5, "{}", said.err);
    let said = ferry(&line).code(0).prints(&["Proven by digest", "4 rows", "GRANT REPLICATION CLIENT"]);
    drop(said);
    to.holds("b", "id = 2", &["secret"], "'y'").await;
    forget(from, &reader, to, &loader).await;
}

#[tokio::test]
async fn the_least_rights_that_the_readme_names_are_enough() {
    let readme = std::fs::read_to_string("README.md").unwrap();
    let section = readme.split("### The least rights").nth(1).expect("the README names them");
    let block = |nth: usize| section.split("```sql\n").nth(nth).unwrap().split("```").next().unwrap().to_string();
    let (from, to) =
        (MySqlDatabase::create(THREE).await, PostgresDatabase::create("REVOKE ALL ON SCHEMA public FROM PUBLIC").await);
    let (reader, loader) = (format!("r_{}", from.name), format!("l_{}", to.name));
    to.run(&format!("REVOKE ALL ON DATABASE {} FROM PUBLIC; GRANT CONNECT ON DATABASE {0} TO PUBLIC", to.name)).await;
    from.run("CREATE VIEW w AS SELECT id FROM a; CREATE TRIGGER t BEFORE INSERT ON a FOR EACH ROW SET NEW.v = 1;").await;
    let written = |sql: String, user: (&str, &str), name: &str| {
        assert!(sql.contains(user.0) && sql.contains("shop"), "{sql}");
        sql.replace(user.0, user.1).replace("shop", name)
    };
    from.run(&written(block(1), ("ferry_reader", &reader), &from.name)).await;
    to.run(&written(block(2), ("ferry_loader", &loader), &to.name)).await;
    let (source, target) = (login(&from.url, &reader, "secret"), login(&to.url, &loader, "secret"));
    let said = ferry(&["run", &source, &target]).code(0);
    let said = said.prints(&["Proven by digest", "log   ", "view ", "trigger "]);
    assert!(said.words().contains("share one instant, by read locks on the tables"), "{}", said.out);
    said.never_says("does not hold the right").never_says("rights of");
    forget(from, &reader, to, &loader).await;
}

#[tokio::test]
async fn foreign_keys_and_tables_that_the_server_hides_are_never_lost_without_a_word() {
    let from = MySqlDatabase::create(
        "CREATE TABLE parents (id INT PRIMARY KEY);
CREATE TABLE children (id INT PRIMARY KEY, p INT, CONSTRAINT fk_p FOREIGN KEY (p) REFERENCES parents (id));
INSERT INTO parents VALUES (1);
INSERT INTO children VALUES (1, 1);
",
    )
    .await;
    let to = PostgresDatabase::create("").await;
    let reader = format!("r_{}", from.name);
    from.run(&format!("CREATE USER '{reader}'@'%' IDENTIFIED BY 'few'; GRANT SELECT ON `{}`.* TO '{reader}'@'%';", from.name))
        .await;
    let source = login(&from.url, &reader, "few");
    // MariaDB's catalog shows such a user no foreign keys, but for their columns.
    ferry(&["run", &source, &to.url]).code(2).complains(&[
        "children",
        "does not tell the actions of the foreign key `fk_p`",
        "GRANT SHOW VIEW ON",
    ]);
    assert_eq!(to.value("SELECT to_regclass('children')::text").await, None);
    from.run(&format!("GRANT SHOW VIEW ON `{}`.* TO '{reader}'@'%';", from.name)).await;
    ferry(&["run", &source, &to.url]).code(0).prints(&["1 foreign key"]);
    assert_eq!(
        to.value("SELECT count(*) FROM pg_constraint WHERE conname = 'fk_p' AND convalidated").await.as_deref(),
        Some("1")
    );
    // Of one table alone the others are not even listed.
    from.run(&format!("REVOKE ALL ON `{0}`.* FROM '{reader}'@'%'; GRANT SELECT ON `{0}`.parents TO '{reader}'@'%';", from.name))
        .await;
    let said = ferry(&["run", &source, &to.url, "--schema", "elsewhere"]).code(0);
    assert!(said.words().contains("so tables may exist that are not listed"), "{}", said.out);
    from.run(&format!("DROP USER '{reader}'@'%';")).await;
    from.drop().await;
    to.drop().await;
}

#[tokio::test]
async fn a_schema_that_may_not_even_be_looked_into_hides_no_other_right() {
    let from = MySqlDatabase::create(THREE).await;
    // The numbering of a table that stands cannot be read in a schema that may not be used.
    let to = PostgresDatabase::create(
        "CREATE SCHEMA shop; CREATE TABLE shop.a (id int GENERATED ALWAYS AS IDENTITY); CREATE SCHEMA dbferry;
         CREATE TABLE dbferry.runs (run uuid)",
    )
    .await;
    let (reader, loader) = (format!("r_{}", from.name), format!("l_{}", to.name));
    few_rights(&from, &reader).await;
    to.run(&format!(
        "CREATE ROLE {loader} LOGIN PASSWORD 'few'; REVOKE ALL ON DATABASE {} FROM PUBLIC; GRANT CONNECT ON DATABASE {0} TO {loader}",
        to.name
    ))
    .await;
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("c.toml");
    std::fs::write(&config, "[run.pause]\nhistory_length = 1000000000\n").unwrap();
    let (source, target) = (login(&from.url, &reader, "few"), login(&to.url, &loader, "few"));
    for more in [&["--if-exists", "drop"][..], &[]] {
        let line = ["run", &source, &target, "--schema", "shop", "-c", config.to_str().unwrap()];
        let said = ferry(&[&line[..], more].concat()).code(2).complains(&[
            "rights of table `",
            "the length of the undo history cannot be read",
            &format!("GRANT SELECT ON `{}`.`b` TO", from.name),
            &format!("GRANT SELECT ON `{}`.`c` TO", from.name),
            "may not create tables in the schema `shop`",
            "may not create tables in the schema `dbferry`",
        ]);
        assert_eq!(said.err.contains("may not drop it, since `postgres` owns it"), !more.is_empty(), "{}", said.err);
    }
    forget(from, &reader, to, &loader).await;
}

#[tokio::test]
async fn many_tables_are_asked_about_together_and_the_answers_are_those_of_each() {
    let from = MySqlDatabase::create("").await;
    let to = PostgresDatabase::create("").await;
    let reader = format!("r_{}", from.name);
    let role = format!("o_{}", from.name);
    let mut script =
        format!("CREATE USER '{reader}'@'%' IDENTIFIED BY 'few';\nCREATE ROLE '{role}';\nGRANT '{role}' TO '{reader}'@'%';\n");
    // By a right on the table, on each of its columns, by a role that is on from the start; and some of that missing.
    let mut refused = Vec::new();
    for number in 0..150 {
        let table = format!("`{}`.t{number}", from.name);
        script += &format!("CREATE TABLE {table} (id INT PRIMARY KEY, v INT);\n");
        script += &match number % 5 {
            0 if number != 75 => format!("GRANT SELECT (id, v) ON {table} TO '{reader}'@'%';\n"),
            1 => format!("GRANT SELECT ON {table} TO '{role}';\n"),
            _ if [3, 63, 64, 65, 75, 149].contains(&number) => {
                refused.push(number);
                format!("GRANT SELECT (v), INSERT ON {table} TO '{reader}'@'%';\n")
            }
            _ => format!("GRANT SELECT ON {table} TO '{reader}'@'%';\n"),
        };
    }
    script += &format!("SET DEFAULT ROLE '{role}' FOR '{reader}'@'%';\n");
    from.run(&script).await;
    let said = ferry(&["run", &login(&from.url, &reader, "few"), &to.url]).code(2);
    let mut told: Vec<&str> = said.err.split("GRANT SELECT ON `").skip(1).filter_map(|text| text.split('`').nth(2)).collect();
    told.sort_by_key(|name| name[1..].parse::<u32>().unwrap());
    refused.sort_unstable();
    assert_eq!(told, refused.iter().map(|number| format!("t{number}")).collect::<Vec<_>>(), "{}", said.err);
    from.run(&format!("DROP USER '{reader}'@'%';\nDROP ROLE '{role}';\n")).await;
    from.drop().await;
    to.drop().await;
}
