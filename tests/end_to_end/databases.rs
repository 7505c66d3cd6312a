//! Several databases of one server in one run: a schema for each, foreign keys across them, tenants in databases of their own.

use super::renames::MappingFile;
use crate::support::ferry::{ferry, ferry_with_report, report, table};
use crate::support::{MySqlDatabase, PostgresDatabase};

/// Databases of one test, whose names begin alike. `@` in a script stands for that beginning.
pub struct Databases {
    home: MySqlDatabase,
    names: Vec<String>,
}

impl Databases {
    pub async fn create(endings: &[&str], script: &str) -> Self {
        let home = MySqlDatabase::create("").await;
        let names: Vec<String> = endings.iter().map(|ending| format!("{}{ending}", home.name)).collect();
        for name in &names {
            home.run(&format!("DROP DATABASE IF EXISTS `{name}`;\nCREATE DATABASE `{name}` CHARACTER SET utf8mb4;")).await;
        }
        let databases = Databases { home, names };
        databases.home.run(&databases.fill(script)).await;
        databases
    }

    pub fn fill(&self, text: &str) -> String {
        text.replace('@', &self.home.name)
    }

    /// The server's address, without a database.
    pub fn url(&self) -> String {
        self.home.url.strip_suffix(&self.home.name).unwrap().to_string()
    }

    /// The pattern of all of them, but not of their home.
    pub fn all(&self) -> String {
        format!("{}?*", self.home.name)
    }

    pub async fn drop(self) {
        // Children stand behind their parents.
        for name in self.names.iter().rev() {
            self.home.run(&format!("DROP DATABASE `{name}`;")).await;
        }
        self.home.drop().await;
    }
}

const TWO: &str = "CREATE TABLE @_crm.customers (id INT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY, name VARCHAR(40) NOT NULL, state ENUM('new','old') NOT NULL, KEY by_name (name));
CREATE TABLE @_crm.notes (id INT NOT NULL PRIMARY KEY, body TEXT);
CREATE TABLE @_shop.orders (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, customer_id INT UNSIGNED NOT NULL, state ENUM('open','paid') NOT NULL, KEY by_name (state), CONSTRAINT of_customer FOREIGN KEY (customer_id) REFERENCES @_crm.customers (id) ON DELETE CASCADE);
CREATE TABLE @_shop.customers (id INT NOT NULL PRIMARY KEY, state ENUM('x','y'), KEY by_name (state));
CREATE VIEW @_shop.v AS SELECT o.id, c.name FROM @_shop.orders o JOIN @_crm.customers c ON c.id = o.customer_id;
CREATE TRIGGER @_crm.touch BEFORE INSERT ON @_crm.notes FOR EACH ROW SET NEW.body = UPPER(NEW.body);
INSERT INTO @_crm.customers VALUES (1, 'Ada', 'new'), (41, 'Bob', 'old');
INSERT INTO @_crm.notes VALUES (1, 'hi');
INSERT INTO @_shop.orders VALUES (7, 41, 'paid'), (8, 1, 'open'), (9, 41, 'open');
INSERT INTO @_shop.customers VALUES (1, 'y');
";

#[tokio::test]
async fn each_database_goes_into_a_schema_of_its_name_with_foreign_keys_across() {
    let from = Databases::create(&["_crm", "_shop"], TWO).await;
    let to = PostgresDatabase::create("").await;
    let (url, all) = (from.url(), from.all());
    let ends = [url.as_str(), to.url.as_str(), "--database", &all];
    let planned = ferry(&[&["plan"], &ends[..]].concat()).code(0);
    let says = |text: &str| from.fill(text);
    planned.prints(&[
        &says("@_crm.customers -> @_crm.customers"),
        &says("@_shop.customers -> @_shop.customers"),
        &says("@_shop.v"),
        &says("@_crm.touch"),
    ]);
    let done = report(0, &[&["run"], &ends[..], &["--verify", "full"]].concat());
    assert_eq!(done["tables"].as_array().unwrap().len(), 4);
    for (name, rows) in [("_crm.customers", 2), ("_crm.notes", 1), ("_shop.orders", 3), ("_shop.customers", 1)] {
        let name = format!("{}{name}", from.home.name);
        let entry = done["tables"].as_array().unwrap().iter().find(|entry| entry["source"] == name.as_str()).unwrap();
        assert_eq!((entry["outcome"].as_str(), entry["rows"].as_u64()), (Some("verified"), Some(rows)), "{entry:#}");
        assert_eq!(entry["target"], name.as_str());
    }
    let joined = says(
        "SELECT string_agg(o.id || c.name || o.state, ' ' ORDER BY o.id) FROM @_shop.orders o JOIN @_crm.customers c ON c.id = o.customer_id",
    );
    assert_eq!(to.value(&joined).await.as_deref(), Some("7Bobpaid 8Adaopen 9Bobopen"));
    to.refuses(&says("INSERT INTO @_shop.orders (customer_id, state) VALUES (5, 'open')"), "23503").await;
    let keys = "SELECT string_agg(conname || confrelid::regclass || convalidated, ' ') FROM pg_constraint WHERE contype = 'f'";
    assert_eq!(to.value(keys).await, Some(says("of_customer@_crm.customerstrue")));
    // Names of indexes are unique per schema: `by_name` of one schema's only table keeps its name.
    let indexes = says("SELECT count(*) FROM pg_indexes WHERE schemaname = '@_crm' AND indexname = 'by_name'");
    assert_eq!(to.value(&indexes).await.as_deref(), Some("1"));
    assert_eq!(to.value(&says("SELECT nextval(pg_get_serial_sequence('@_crm.customers', 'id'))")).await.as_deref(), Some("42"));
    let labels = says(
        "SELECT string_agg(enumlabel, ',' ORDER BY enumsortorder) FROM pg_enum WHERE enumtypid = '@_shop.customers_state'::regtype",
    );
    assert_eq!(to.value(&labels).await.as_deref(), Some("x,y"));
    assert_eq!(to.value("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").await.as_deref(), Some("0"));
    // Later.
    ferry(&[&["verify"], &ends[..], &["--level", "full"]].concat()).code(0);
    to.run(&says("UPDATE @_shop.customers SET state = 'x'")).await;
    ferry(&[&["verify"], &ends[..]].concat()).code(1).prints(&[&says("@_shop.customers")]);
    ferry(&["status", &to.url]).code(0).prints(&[&format!("{{{all}}}")]);
    ferry(&[&["run"], &ends[..], &["--if-exists", "drop"]].concat()).code(0);
    ferry(&[&["run"], &ends[..], &["--if-exists", "truncate"]].concat()).code(0);
    // One database by its address is as ever.
    let one = format!("{url}{}_crm", from.home.name);
    ferry(&["run", &one, &to.url]).code(0);
    assert_eq!(to.value("SELECT count(*) FROM public.customers").await.as_deref(), Some("2"));
    from.drop().await;
    to.drop().await;
}

const TENANTS: &str = "CREATE TABLE @_tenant_a.customers (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, email VARCHAR(40));
CREATE TABLE @_tenant_b.customers LIKE @_tenant_a.customers;
CREATE TABLE @_tenant_a.orders (id INT NOT NULL PRIMARY KEY, customer_id INT NOT NULL, CONSTRAINT of FOREIGN KEY (customer_id) REFERENCES @_tenant_a.customers (id));
CREATE TABLE @_tenant_b.orders (id INT NOT NULL PRIMARY KEY, customer_id INT NOT NULL, CONSTRAINT of FOREIGN KEY (customer_id) REFERENCES @_tenant_b.customers (id));
CREATE TABLE @_tenant_b.tags (id INT NOT NULL PRIMARY KEY);
INSERT INTO @_tenant_a.customers VALUES (1, 'ada'), (2, 'bob');
INSERT INTO @_tenant_b.customers VALUES (1, 'eve');
INSERT INTO @_tenant_a.orders VALUES (1, 2);
INSERT INTO @_tenant_b.orders VALUES (1, 1), (2, 1);
";

#[tokio::test]
async fn tenants_in_databases_of_their_own_become_one_table() {
    let from = Databases::create(&["_tenant_a", "_tenant_b"], TENANTS).await;
    let to = PostgresDatabase::create("").await;
    let rule = |table: &str| {
        format!(
            "[[table]]\nmatch = \".*_tenant_(.*)\\\\.{table}\"\nto = \"{table}\"\nmerge = true\n[table.columns.tenant]\nexpr = \"'$1'\"\nkey = true\n"
        )
    };
    let file = MappingFile::new(&(rule("customers") + &rule("orders")));
    let (url, all) = (from.url(), from.all());
    ferry(&["run", &url, &to.url, "--database", &all, "-m", &file.path(), "--verify", "full"]).code(0);
    let rows = "SELECT string_agg(concat_ws('/', c.tenant, c.id, c.email, o.id), ' ' ORDER BY c.tenant, c.id, o.id) \
                FROM public.customers c LEFT JOIN public.orders o ON (o.tenant, o.customer_id) = (c.tenant, c.id)";
    assert_eq!(to.value(rows).await.as_deref(), Some("a/1/ada a/2/bob/1 b/1/eve/1 b/1/eve/2"));
    to.refuses("INSERT INTO public.orders (tenant, id, customer_id) VALUES ('a', 9, 3)", "23503").await;
    // What no rule merges stays with its database.
    assert_eq!(to.value(&from.fill("SELECT count(*) FROM @_tenant_b.tags")).await.as_deref(), Some("0"));
    from.drop().await;
    to.drop().await;
}

#[tokio::test]
async fn rules_renames_and_patterns_say_which_database_they_mean() {
    let from = Databases::create(&["_crm", "_shop"], TWO).await;
    let to = PostgresDatabase::create("").await;
    let (url, all) = (from.url(), from.all());
    let plan = |rules: &str, more: &[&str]| {
        let file = MappingFile::new(&from.fill(rules));
        ferry(&[&["plan", &url, &to.url, "--database", &all, "-m", &file.path()], more].concat())
    };
    // A bare name that two databases have.
    let both = from.fill("`@_crm.customers` and `@_shop.customers`");
    plan("[[table]]\nname = \"customers\"\nto = \"people\"\n", &[]).code(2).complains(&[
        "`customers` names tables of several databases",
        &both,
        &from.fill("name = \"@_crm.customers\""),
    ]);
    plan("[[hook]]\nwhen = \"after\"\ntable = \"customers\"\nside = \"target\"\nsql = \"SELECT 1\"\n", &[])
        .code(2)
        .complains(&["which several databases have"]);
    // In full, by a name that only one has, and schemas by pattern.
    plan(
        "[[rename]]\nschemas = \".*_(shop|crm)\"\nto = \"$1\"\n[[table]]\nname = \"@_shop.customers\"\nto = \"people\"\n[[table]]\nname = \"notes\"\nto = \"etc.notes\"\n",
        &[],
    )
    .code(0)
    .prints(&[
        &from.fill("@_shop.customers -> shop.people"),
        &from.fill("@_crm.customers -> crm.customers"),
        &from.fill("@_crm.notes -> etc.notes"),
    ]);
    // All into one schema: two tables would become one.
    plan("", &["--schema", "one"])
        .code(1)
        .prints(&["it would become `one.customers`", &from.fill("name = \"@_shop.customers\"")]);
    plan("[[table]]\nname = \"@_shop.customers\"\nto = \"people\"\n", &["--schema", "one"])
        .code(0)
        .prints(&["one.people", "one.customers"]);
    plan("[[rename]]\nschemas = \".*_crm\"\nto = \"dbferry\"\n", &[]).code(1).prints(&["which is the ledger's"]);
    // Patterns with a point are of both.
    let some = plan("", &["--include", "*_shop.*", "--include", "notes", "--exclude", "*_shop.customers"]).code(0);
    let some = some.prints(&[&from.fill("@_shop.orders ->"), &from.fill("@_crm.notes ->")]);
    // The parent is left out: the key is listed, with the reason.
    some.never_says(&from.fill("customers ->"))
        .prints(&[&from.fill("the table `@_crm.customers` that it points to is not carried")]);
    let alone = format!("{}_shop", from.home.name);
    ferry(&["plan", &url, &to.url, "--database", &alone])
        .code(1)
        .prints(&[&from.fill("the database `@_crm` is not in the run"), "--database"]);
    from.drop().await;
    to.drop().await;
}

#[tokio::test]
async fn what_cannot_be_meant_is_refused_before_anything() {
    let from = Databases::create(&["_crm"], "CREATE TABLE @_crm.t (id INT PRIMARY KEY);\n").await;
    let to = PostgresDatabase::create("").await;
    let url = from.url();
    let with = |address: &str, patterns: &[&str]| {
        let patterns: Vec<&str> = patterns.iter().flat_map(|pattern| ["--database", *pattern]).collect();
        ferry(&[&["plan", address, &to.url], patterns.as_slice()].concat())
    };
    with(&url, &[]).code(2).complains(&["names no database", "--database GLOB"]);
    with(&format!("{url}mysql"), &["x"]).code(2).complains(&["and patterns choose databases too"]);
    with("sqlite://x.db", &["x"]).code(2).complains(&["of a MySQL server"]);
    let near = from.fill("@_crn");
    with(&url, &["mysql", &near, "no such *"]).code(2).complains(&[
        "`mysql` is a database of the server itself",
        &from.fill("no database of the server fits `@_crn`"),
        &from.fill("Did you mean `@_crm`?"),
        "fits `no such *`",
    ]);
    ferry(&["plan", &url, &url, "--database", "x"]).code(2).complains(&["names no database"]);
    from.drop().await;
    to.drop().await;
}

#[tokio::test]
async fn databases_that_differ_by_case_alone_are_two() {
    let from = Databases::create(&["_one", "_ONE"], "").await;
    let to = PostgresDatabase::create("").await;
    from.home
        .run(&from.fill(
            "CREATE TABLE `@_one`.t (id INT PRIMARY KEY, v VARCHAR(9) DEFAULT 'low', KEY by_v (v));
             CREATE TABLE `@_ONE`.t (id INT PRIMARY KEY, w INT DEFAULT 3, CONSTRAINT of FOREIGN KEY (id) REFERENCES `@_one`.t (id));
             INSERT INTO `@_one`.t VALUES (1, 'x'), (2, 'y');
             INSERT INTO `@_ONE`.t VALUES (2, 7);",
        ))
        .await;
    ferry(&["run", &from.url(), &to.url, "--database", &from.all(), "--verify", "full"]).code(0);
    assert_eq!(
        to.value(&from.fill("SELECT string_agg(id || v, ' ' ORDER BY id) FROM \"@_one\".t")).await.as_deref(),
        Some("1x 2y")
    );
    assert_eq!(to.value(&from.fill("SELECT id || '/' || w FROM \"@_ONE\".t")).await.as_deref(), Some("2/7"));
    to.refuses(&from.fill("INSERT INTO \"@_ONE\".t VALUES (9)"), "23503").await;
    from.drop().await;
    to.drop().await;
}

#[tokio::test]
async fn what_the_user_may_not_see_is_told() {
    let from = Databases::create(&["_crm", "_shop", "_dark"], TWO).await;
    let to = PostgresDatabase::create("").await;
    from.home.run(&from.fill("CREATE TABLE @_dark.t (id INT PRIMARY KEY);")).await;
    let user = format!("u{}", from.home.name);
    from.home
        .run(&from.fill(&format!(
            "CREATE USER '{user}' IDENTIFIED BY 'pw';
             GRANT SELECT ON @_crm.* TO '{user}';
             GRANT SELECT ON @_shop.customers TO '{user}';"
        )))
        .await;
    let at = from.url();
    let host = at.rsplit_once('@').unwrap().1;
    let url = format!("mysql://{user}:pw@{host}");
    let (said, done) = ferry_with_report(&["run", &url, &to.url, "--database", &from.all(), "--verify", "full"]);
    said.code(0).never_says(&from.fill("@_dark"));
    let done = done.unwrap();
    assert_eq!(done["tables"].as_array().unwrap().len(), 3, "{done:#}");
    let problems = done["problems"].to_string();
    assert!(problems.contains("does not see all databases of the server"), "{problems}");
    assert!(problems.contains("does not hold the right SELECT on the database"), "{problems}");
    ferry(&["plan", &url, &to.url, "--database", &from.fill("@_dark")]).code(2).complains(&["or none that this user may see"]);
    from.home.run(&format!("DROP USER '{user}';")).await;
    from.drop().await;
    to.drop().await;
}

#[tokio::test]
async fn a_small_copy_follows_foreign_keys_into_other_databases() {
    let from = Databases::create(&["_crm", "_shop"], TWO).await;
    let to = PostgresDatabase::create("").await;
    let file = MappingFile::new(&from.fill(
        "[[table]]\nname = \"orders\"\nwhere = \"id = 8\"\nfollow = \"foreign_keys\"\n[[table]]\nname = \"@_crm.customers\"\ncolumns.name.mask = \"redact\"\n",
    ));
    ferry(&["run", &from.url(), &to.url, "--database", &from.all(), "-m", &file.path(), "--verify", "full"]).code(0);
    let rows = from.fill("SELECT string_agg(o.id || '/' || c.id || '/' || (c.name = 'Ada'), ' ') FROM @_shop.orders o JOIN @_crm.customers c ON c.id = o.customer_id");
    assert_eq!(to.value(&rows).await.as_deref(), Some("8/1/false"));
    assert_eq!(to.value(&from.fill("SELECT count(*) FROM @_crm.customers")).await.as_deref(), Some("1"));
    from.drop().await;
    to.drop().await;
}

#[tokio::test]
async fn names_that_are_too_long_for_a_schema_stay_two() {
    // As long as a database's name may be, and alike up to the last letter.
    let home = MySqlDatabase::create("").await;
    let names = ["a", "b"].map(|last| format!("{:_<63}{last}", home.name));
    for name in &names {
        home.run(&format!(
            "DROP DATABASE IF EXISTS `{name}`;\nCREATE DATABASE `{name}`;\nCREATE TABLE `{name}`.t (id INT PRIMARY KEY);"
        ))
        .await;
    }
    let to = PostgresDatabase::create("").await;
    let url = home.url.strip_suffix(&home.name).unwrap().to_string();
    let pattern = format!("{}_*", home.name);
    let (said, _) = ferry_with_report(&["run", &url, &to.url, "--database", &pattern]);
    said.code(0).prints(&["64 bytes"]);
    let schemas = "SELECT count(DISTINCT schemaname) FROM pg_tables WHERE tablename = 't'";
    assert_eq!(to.value(schemas).await.as_deref(), Some("2"));
    for name in &names {
        home.run(&format!("DROP DATABASE `{name}`;")).await;
    }
    home.drop().await;
    to.drop().await;
}

#[tokio::test]
async fn init_writes_files_that_carry_all_of_them() {
    let from = Databases::create(&["_crm", "_shop"], TWO).await;
    let to = PostgresDatabase::create("").await;
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_string();
    let at = from.url();
    ferry(&["init", &at, "--database", &from.all(), "--dir", &path("")]).code(0);
    let mapping = std::fs::read_to_string(path("mapping.toml")).unwrap();
    assert!(mapping.contains(&from.fill("#name = \"@_shop.customers\"")), "{mapping}");
    // Switched on, every rule names its table and changes nothing of where it goes.
    let on: Vec<&str> =
        mapping.lines().map(|line| if line.starts_with("# ") { line } else { line.trim_start_matches('#') }).collect();
    let on: String = on.join("\n").split("[[type]]").next().unwrap().to_string();
    let tables = mapping.lines().filter(|line| line.starts_with("#[[table]]")).count();
    assert_eq!(tables, 4, "{on}");
    let config = std::fs::read_to_string(path("dbferry.toml")).unwrap();
    assert!(config.contains(&format!("databases = [\"{}\"]", from.all())), "{config}");
    let done = report(0, &["run", "-c", &path("dbferry.toml"), &at, &to.url]);
    assert_eq!(table(&done, &from.fill("@_shop.orders"))["outcome"].as_str(), Some("verified"));
    from.drop().await;
    to.drop().await;
}
