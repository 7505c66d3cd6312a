//! The MySQL catalog against a real server: what it says of every type, default, index, key, check and object.
//!
//! `DBFERRY_TEST_MYSQL` may be a MariaDB or a MySQL server; what the two print differently is told apart here.

use dbferry::engine::TableFilter;
use dbferry::engine::mysql::catalog;
use dbferry::model::LogicalType as L;
use dbferry::model::catalog::{
    Catalog, Column, DefaultValue as D, Index, IndexMethod, Problem, ReferentialAction as A, ServerInfo, Severity, Table,
};
use dbferry::model::logical::Zone;
use sqlx::{Row as _, raw_sql};

use crate::support::MySqlDatabase;

async fn server(database: &MySqlDatabase) -> ServerInfo {
    let row = raw_sql("SELECT VERSION()").fetch_one(&mut database.connect().await).await.expect("a version");
    let version: String = row.get(0);
    let mut numbers = version.split(['.', '-']).map_while(|part| part.parse().ok());
    let mut next = || numbers.next().unwrap_or(0);
    let version_number = (next(), next(), next());
    let flavour = if version.contains("MariaDB") { "MariaDB" } else { "MySQL" };
    ServerInfo { flavour: flavour.into(), version, version_number, database: database.name.clone(), features: vec![] }
}

async fn read(database: &MySqlDatabase, filter: &TableFilter) -> Catalog {
    let server = server(database).await;
    catalog::read(&mut database.connect().await, "", &server, filter, &mut catalog::Questions::default())
        .await
        .expect("the catalog can be read")
}

fn table<'c>(catalog: &'c Catalog, name: &str) -> &'c Table {
    catalog.tables.iter().find(|table| table.name.name == name).unwrap_or_else(|| panic!("no table {name}"))
}

fn column<'c>(table: &'c Table, name: &str) -> &'c Column {
    table.column(name).unwrap_or_else(|| panic!("no column {name}"))
}

fn index<'c>(table: &'c Table, name: &str) -> &'c Index {
    table.indexes.iter().find(|index| index.name == name).unwrap_or_else(|| panic!("no index {name}"))
}

fn problem<'c>(catalog: &'c Catalog, object: &str, name: &str) -> &'c Problem {
    let name = format!("{}.{name}", catalog.server.database);
    let found = catalog.problems.iter().find(|problem| problem.object == object && problem.name == name);
    found.unwrap_or_else(|| panic!("no {object} {name} in {:#?}", catalog.problems))
}

fn is_mariadb(catalog: &Catalog) -> bool {
    catalog.server.flavour == "MariaDB"
}

fn text(value: &str) -> Option<D> {
    Some(D::Literal(value.into()))
}

const TYPES: &str = "CREATE TABLE types (
    id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
    i1 TINYINT, i2 SMALLINT UNSIGNED, i3 MEDIUMINT, i4 INT UNSIGNED ZEROFILL, i5 BOOL, i6 BIGINT,
    n1 DECIMAL(65,30), n2 FLOAT, n3 DOUBLE, n4 FLOAT(7,3), n5 DECIMAL(10) UNSIGNED, b1 BIT(1), b64 BIT(64),
    c0 CHAR(0), c1 CHAR(3), c2 VARCHAR(20) CHARACTER SET latin1, c3 TINYTEXT, c4 TEXT, c5 MEDIUMTEXT COLLATE utf8mb4_bin, c6 LONGTEXT,
    cb VARCHAR(10) CHARACTER SET binary, ct TEXT CHARACTER SET binary,
    x1 BINARY(4), x2 VARBINARY(8), x3 TINYBLOB, x4 BLOB, x5 MEDIUMBLOB, x6 LONGBLOB,
    e ENUM('a','b''c','d\\\\e','é,f','','g\"h') NOT NULL, s SET('x','y','z''z'),
    j JSON,
    d DATE, dt DATETIME, dt6 DATETIME(6), ts TIMESTAMP(3) NULL, t TIME, t6 TIME(6), y YEAR,
    g GEOMETRY, gp POINT, gl LINESTRING, gg POLYGON, gmp MULTIPOINT, gml MULTILINESTRING, gmg MULTIPOLYGON, gc GEOMETRYCOLLECTION
) COMMENT 'it''s é';";

#[tokio::test]
async fn every_type_is_read_with_its_parts() {
    let database = MySqlDatabase::create(TYPES).await;
    let catalog = read(&database, &TableFilter::all()).await;
    let types = table(&catalog, "types");
    assert_eq!(types.name.schema, database.name);
    assert_eq!(types.comment, "it's é");
    assert_eq!((types.storage.as_str(), types.transactional), ("InnoDB", true));
    let geometry = |shape: Option<&str>| L::Geometry { srid: None, shape: shape.map(str::to_string) };
    let labels = |all: &[&str]| all.iter().map(|label| label.to_string()).collect::<Vec<_>>();
    for (name, logical) in [
        ("id", L::UInt64),
        ("i1", L::Int8),
        ("i2", L::UInt16),
        ("i3", L::Int32),
        ("i4", L::UInt32),
        ("i5", L::Int8),
        ("i6", L::Int64),
        ("n1", L::Decimal { precision: 65, scale: 30 }),
        ("n2", L::Float32),
        ("n3", L::Float64),
        ("n4", L::Float32),
        ("n5", L::Decimal { precision: 10, scale: 0 }),
        ("b1", L::Bits { length: 1 }),
        ("b64", L::Bits { length: 64 }),
        ("c0", L::Text { length: Some(0) }),
        ("c1", L::Text { length: Some(3) }),
        ("c2", L::Text { length: Some(20) }),
        ("c3", L::Text { length: None }),
        ("c4", L::Text { length: None }),
        ("c5", L::Text { length: None }),
        ("c6", L::Text { length: None }),
        ("cb", L::Binary { length: Some(10) }),
        ("ct", L::Binary { length: None }),
        ("x1", L::Binary { length: Some(4) }),
        ("x2", L::Binary { length: Some(8) }),
        ("x3", L::Binary { length: None }),
        ("x4", L::Binary { length: None }),
        ("x5", L::Binary { length: None }),
        ("x6", L::Binary { length: None }),
        ("e", L::Enum { labels: labels(&["a", "b'c", "d\\e", "é,f", "", "g\"h"]) }),
        ("s", L::Set { labels: labels(&["x", "y", "z'z"]) }),
        ("j", L::Json),
        ("d", L::Date),
        ("dt", L::Timestamp { fsp: 0, zone: Zone::None }),
        ("dt6", L::Timestamp { fsp: 6, zone: Zone::None }),
        ("ts", L::Timestamp { fsp: 3, zone: Zone::Utc }),
        ("t", L::Duration { fsp: 0 }),
        ("t6", L::Duration { fsp: 6 }),
        ("y", L::Int16),
        ("g", geometry(None)),
        ("gp", geometry(Some("POINT"))),
        ("gl", geometry(Some("LINESTRING"))),
        ("gg", geometry(Some("POLYGON"))),
        ("gmp", geometry(Some("MULTIPOINT"))),
        ("gml", geometry(Some("MULTILINESTRING"))),
        ("gmg", geometry(Some("MULTIPOLYGON"))),
        ("gc", geometry(Some("GEOMETRYCOLLECTION"))),
    ] {
        assert_eq!(column(types, name).logical.as_ref(), Some(&logical), "{name}");
    }
    // Character set `binary` is gone as soon as the table is made.
    assert_eq!((column(types, "cb").native.name.as_str(), column(types, "ct").native.name.as_str()), ("varbinary", "blob"));
    assert_eq!(column(types, "j").native.name, "json");
    assert!(types.checks.is_empty(), "the check that marks JSON is none: {:?}", types.checks);
    assert_eq!(column(types, "c2").native.charset.as_deref(), Some("latin1"));
    assert_eq!(column(types, "c5").native.collation.as_deref(), Some("utf8mb4_bin"));
    assert_eq!(column(types, "i5").native.length, Some(1));
    assert!(column(types, "id").identity && !column(types, "id").nullable && column(types, "i1").nullable);
    assert!(!column(types, "e").nullable);
    assert_eq!(types.next_identity, Some(1));
    assert_eq!(types.columns.iter().map(|column| column.name.as_str()).take(3).collect::<Vec<_>>(), ["id", "i1", "i2"]);
    // ZEROFILL is told of, and nothing else.
    assert!(catalog.problems.iter().all(|one| one.why.contains("zeros in front")), "{:#?}", catalog.problems);
    database.drop().await;
}

const DEFAULTS: &str = "CREATE TABLE defaults (
    id INT NOT NULL PRIMARY KEY, none_null INT, none INT NOT NULL, a INT DEFAULT -5, z INT(10) UNSIGNED ZEROFILL DEFAULT 7, b BOOL DEFAULT TRUE,
    d DECIMAL(10,3) DEFAULT -1.5, f DOUBLE DEFAULT -0.25, f10 FLOAT DEFAULT 1e10, big BIGINT UNSIGNED DEFAULT 18446744073709551615,
    h BIT(8) DEFAULT b'101', h1 BIT(1) DEFAULT b'0', h64 BIT(64) DEFAULT x'ffffffffffffffff',
    v VARCHAR(30) DEFAULT 'O''Br\\\\ien \"x\" `y`', v0 VARCHAR(20) DEFAULT '', vn VARCHAR(20) DEFAULT 'NULL', vc VARCHAR(30) DEFAULT 'CURRENT_TIMESTAMP',
    vl VARCHAR(30) DEFAULT 'a\\nb\tcé', vq VARCHAR(20) DEFAULT 'what?', vx VARCHAR(20) DEFAULT '😀?', vz VARCHAR(9) CHARACTER SET latin1 DEFAULT 'é?',
    num VARCHAR(5) DEFAULT '007', x4 BINARY(4) DEFAULT x'00ff41', xv VARBINARY(4) DEFAULT 'abc', x0 VARBINARY(4) DEFAULT '',
    e ENUM('a','b''c') DEFAULT 'b''c', s SET('x','y') DEFAULT 'x,y', s0 SET('x','y') DEFAULT '',
    dd DATE DEFAULT '2020-02-29', d0 DATE DEFAULT '0000-00-00', dz DATETIME DEFAULT '0000-00-00 00:00:00', dc DATETIME(6) DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6),
    tc TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP, t3 TIMESTAMP(3) NULL DEFAULT NULL, tl TIMESTAMP NOT NULL DEFAULT '2020-01-01 00:00:00',
    tu TIMESTAMP NOT NULL DEFAULT '2020-01-01 00:00:00' ON UPDATE CURRENT_TIMESTAMP,
    ti TIME DEFAULT '-838:59:59', t2 TIME(3) DEFAULT '01:02:03.45', y YEAR DEFAULT 1999, y0 YEAR DEFAULT '0000',
    xp VARCHAR(50) DEFAULT (concat('é', 'it''s')), xi INT DEFAULT (1+1), xn INT DEFAULT (NULL)
);";

#[tokio::test]
async fn every_form_of_default_is_told_apart() {
    let database = MySqlDatabase::create(DEFAULTS).await;
    let catalog = read(&database, &TableFilter::all()).await;
    let defaults = table(&catalog, "defaults");
    let ones = "1".repeat(64);
    for (name, expected) in [
        ("id", None),
        ("none_null", None),
        ("none", None),
        ("a", text("-5")),
        ("z", text("7")),
        ("b", text("1")),
        ("d", text("-1.500")),
        ("f", text("-0.25")),
        ("f10", text("10000000000")),
        ("big", text("18446744073709551615")),
        ("h", text("00000101")),
        ("h1", text("0")),
        ("h64", text(&ones)),
        ("v", text("O'Br\\ien \"x\" `y`")),
        ("v0", text("")),
        ("vn", text("NULL")),
        ("vc", text("CURRENT_TIMESTAMP")),
        ("vl", text("a\nb\tcé")),
        ("vq", text("what?")),
        ("vx", text("😀?")),
        ("vz", text("é?")),
        ("num", text("007")),
        ("x4", Some(D::Bytes(vec![0, 0xff, 0x41, 0]))),
        ("xv", Some(D::Bytes(b"abc".to_vec()))),
        ("x0", Some(D::Bytes(vec![]))),
        ("e", text("b'c")),
        ("s", text("x,y")),
        ("s0", text("")),
        ("dd", text("2020-02-29")),
        ("d0", text("0000-00-00")),
        ("dz", text("0000-00-00 00:00:00")),
        ("dc", Some(D::CurrentTimestamp(6))),
        ("tc", Some(D::CurrentTimestamp(0))),
        ("t3", None),
        ("tl", text("2020-01-01 00:00:00")),
        ("tu", text("2020-01-01 00:00:00")),
        ("ti", text("-838:59:59")),
        ("t2", text("01:02:03.450")),
        ("y", text("1999")),
        ("y0", text("0")),
        ("xn", None),
    ] {
        assert_eq!(column(defaults, name).default, expected, "{name}");
    }
    for name in ["dc", "tc", "tu"] {
        assert!(column(defaults, name).on_update_now, "{name}");
    }
    assert!(!column(defaults, "tl").on_update_now);
    let expression = if is_mariadb(&catalog) { "concat('é','it\\'s')" } else { "concat(_utf8mb4'é',_utf8mb4'it\\'s')" };
    assert_eq!(column(defaults, "xp").default, Some(D::Expression(expression.into())));
    assert_eq!(column(defaults, "xi").default, Some(D::Expression("(1 + 1)".into())));
    // ZEROFILL is told of, and nothing else.
    assert!(catalog.problems.iter().all(|one| one.why.contains("zeros in front")), "{:#?}", catalog.problems);
    database.drop().await;
}

#[tokio::test]
async fn generated_and_invisible_columns_are_marked() {
    let database = MySqlDatabase::create(
        "CREATE TABLE g (a INT, v VARCHAR(9), w INT AS (a + 1) VIRTUAL, x INT AS (a * 2) STORED, y VARCHAR(30) AS (concat(v, 'é\\'\"\\\\')) STORED,
         i INT INVISIBLE DEFAULT 3, c INT COMMENT 'it''s \\\\ \"é\"');",
    )
    .await;
    let catalog = read(&database, &TableFilter::all()).await;
    let g = table(&catalog, "g");
    let generated = |name: &str| column(g, name).generated.clone().map(|generated| (generated.expression, generated.stored));
    let (w, x, y) = if is_mariadb(&catalog) {
        ("`a` + 1", "`a` * 2", "concat(`v`,'é\\'\"\\\\')")
    } else {
        ("(`a` + 1)", "(`a` * 2)", "concat(`v`,_utf8mb4'é\\'\"\\\\')")
    };
    assert_eq!(generated("w"), Some((w.into(), false)));
    assert_eq!(generated("x"), Some((x.into(), true)));
    assert_eq!(generated("y"), Some((y.into(), true)));
    assert_eq!(generated("a"), None);
    assert_eq!(column(g, "w").default, None);
    assert!(column(g, "i").invisible && !column(g, "a").invisible);
    assert_eq!(column(g, "i").default, text("3"));
    assert_eq!(column(g, "c").comment, "it's \\ \"é\"");
    assert_eq!(g.primary_key, None);
    assert_eq!(g.next_identity, None);
    database.drop().await;
}

#[tokio::test]
async fn indexes_keep_their_parts_in_order() {
    let database = MySqlDatabase::create(
        "CREATE TABLE i (a INT NOT NULL, b VARCHAR(300) NOT NULL, c TEXT, p POINT NOT NULL, x VARBINARY(300),
         PRIMARY KEY (b(20), a), KEY d (a DESC, b(10)), UNIQUE KEY u (a, b), UNIQUE KEY `U2` (x(7)), FULLTEXT KEY ft (b, c), SPATIAL KEY sp (p));",
    )
    .await;
    let mariadb = is_mariadb(&read(&database, &TableFilter::all()).await);
    database
        .run(if mariadb {
            "ALTER TABLE i ADD KEY h (a) IGNORED;"
        } else {
            "ALTER TABLE i ADD KEY h (a) INVISIBLE, ADD KEY fx ((lower(b)), a);"
        })
        .await;
    let catalog = read(&database, &TableFilter::all()).await;
    let i = table(&catalog, "i");
    let parts = |index: &Index| {
        index.parts.iter().map(|part| (part.column.clone().unwrap_or_default(), part.prefix, part.descending)).collect::<Vec<_>>()
    };
    let key = i.primary_key.as_ref().expect("a primary key");
    assert_eq!(parts(key), [("b".into(), Some(20), false), ("a".into(), None, false)]);
    assert!(key.unique);
    assert_eq!(parts(index(i, "d")), [("a".into(), None, true), ("b".into(), Some(10), false)]);
    assert!(index(i, "u").unique && !index(i, "d").unique);
    assert_eq!(parts(index(i, "U2")), [("x".into(), Some(7), false)]);
    assert_eq!(index(i, "ft").method, IndexMethod::FullText);
    assert_eq!(parts(index(i, "ft")), [("b".into(), None, false), ("c".into(), None, false)]);
    assert_eq!(index(i, "sp").method, IndexMethod::Spatial);
    assert_eq!(parts(index(i, "sp")), [("p".into(), None, false)]);
    assert!(!index(i, "h").visible && index(i, "d").visible && key.visible);
    assert_eq!(i.key_columns(), ["a", "b"]);
    if !mariadb {
        assert_eq!(index(i, "fx").parts[0].expression.as_deref(), Some("lower(`b`)"));
        assert_eq!(index(i, "fx").parts[0].column, None);
    }
    let names: Vec<_> = i.indexes.iter().map(|index| index.name.as_str()).collect();
    assert!(names.is_sorted(), "{names:?}");
    database.drop().await;
}

#[tokio::test]
async fn foreign_keys_keep_their_actions_and_other_databases() {
    let other = MySqlDatabase::create("CREATE TABLE far (id INT PRIMARY KEY);").await;
    let database = MySqlDatabase::create(&format!(
        "CREATE TABLE parent (a INT, b INT, PRIMARY KEY (a, b));
         CREATE TABLE child (id INT PRIMARY KEY, a INT, b INT, c INT,
            CONSTRAINT `f k` FOREIGN KEY (a, b) REFERENCES parent (a, b) ON DELETE CASCADE ON UPDATE SET NULL,
            CONSTRAINT far FOREIGN KEY (c) REFERENCES `{}`.far (id) ON DELETE RESTRICT,
            CONSTRAINT own FOREIGN KEY (c) REFERENCES child (id) ON DELETE NO ACTION ON UPDATE NO ACTION);",
        other.name
    ))
    .await;
    let catalog = read(&database, &TableFilter::all()).await;
    let child = table(&catalog, "child");
    let key = |name: &str| child.foreign_keys.iter().find(|key| key.name == name).unwrap_or_else(|| panic!("no key {name}"));
    assert_eq!(key("f k").columns, ["a", "b"]);
    assert_eq!(key("f k").parent_columns, ["a", "b"]);
    assert_eq!((key("f k").on_delete, key("f k").on_update), (A::Cascade, A::SetNull));
    assert_eq!(key("f k").parent, table(&catalog, "parent").name);
    assert_eq!((key("far").parent.schema.as_str(), key("far").parent.name.as_str()), (other.name.as_str(), "far"));
    assert_eq!(key("far").on_delete, A::Restrict);
    assert_eq!((key("own").on_delete, key("own").on_update), (A::NoAction, A::NoAction));
    assert_eq!(key("own").parent, child.name);
    database.drop().await;
    other.drop().await;
}

#[tokio::test]
async fn checks_are_read_with_their_conditions() {
    let database = MySqlDatabase::create(
        "CREATE TABLE c (a INT CHECK (a > 0), b VARCHAR(9), j JSON, j2 LONGTEXT, CONSTRAINT `it's é` CHECK (b <> 'é\\'x'), CHECK (json_valid(j2)));",
    )
    .await;
    let catalog = read(&database, &TableFilter::all()).await;
    let c = table(&catalog, "c");
    let found = |name: &str| c.checks.iter().find(|check| check.name == name).map(|check| check.expression.as_str());
    let count = c.checks.len();
    assert_eq!(count, 3, "{:?}", c.checks);
    assert!(c.checks.iter().all(|check| check.enforced));
    // A check that a person wrote over the whole table does not make a column JSON.
    assert_eq!(
        (column(c, "j").logical.clone(), column(c, "j2").logical.clone()),
        (Some(L::Json), Some(L::Text { length: None }))
    );
    if is_mariadb(&catalog) {
        assert_eq!(found(""), Some("`a` > 0"));
        assert_eq!(found("it's é"), Some("`b` <> 'é\\'x'"));
    } else {
        assert_eq!(found("c_chk_1"), Some("(`a` > 0)"));
        assert_eq!(found("it's é"), Some("(`b` <> _utf8mb4'é\\'x')"));
        database.run("ALTER TABLE c ALTER CHECK c_chk_1 NOT ENFORCED;").await;
        let catalog = read(&database, &TableFilter::all()).await;
        assert_eq!(table(&catalog, "c").checks.iter().filter(|check| !check.enforced).count(), 1);
    }
    database.drop().await;
}

#[tokio::test]
async fn the_next_identity_is_after_the_largest_id_and_never_before_the_counter() {
    let database = MySqlDatabase::create(
        "CREATE TABLE fresh (id INT AUTO_INCREMENT PRIMARY KEY);
         CREATE TABLE ahead (id INT AUTO_INCREMENT PRIMARY KEY) AUTO_INCREMENT = 500;
         INSERT INTO ahead VALUES (7);
         CREATE TABLE deleted (id INT AUTO_INCREMENT PRIMARY KEY);
         INSERT INTO deleted VALUES (1), (2), (300);
         DELETE FROM deleted WHERE id = 300;
         CREATE TABLE huge (id BIGINT UNSIGNED AUTO_INCREMENT PRIMARY KEY);
         INSERT INTO huge VALUES (18446744073709551614);
         CREATE TABLE negative (id INT AUTO_INCREMENT PRIMARY KEY);
         INSERT INTO negative VALUES (-5), (0);
         CREATE TABLE isam (k INT, id INT AUTO_INCREMENT, PRIMARY KEY (k, id)) ENGINE = MyISAM;
         INSERT INTO isam (k) VALUES (1), (1), (2);
         CREATE TABLE mem (id INT AUTO_INCREMENT PRIMARY KEY) ENGINE = MEMORY;",
    )
    .await;
    let catalog = read(&database, &TableFilter::all()).await;
    for (name, next) in [
        ("fresh", 1),
        ("ahead", 500),
        ("deleted", 301),
        ("huge", 18_446_744_073_709_551_615),
        ("negative", 1),
        ("isam", 3),
        ("mem", 1),
    ] {
        assert_eq!(table(&catalog, name).next_identity, Some(next), "{name}");
    }
    assert!(!table(&catalog, "isam").transactional && !table(&catalog, "mem").transactional);
    assert_eq!(table(&catalog, "isam").storage, "MyISAM");
    database.drop().await;
}

#[tokio::test]
async fn objects_without_a_place_are_listed_with_their_ddl() {
    let database = MySqlDatabase::create(
        "CREATE TABLE t (id INT PRIMARY KEY, d DATE);
         CREATE VIEW `v \"1` AS SELECT id FROM t;
         CREATE VIEW broken AS SELECT d FROM t;
         ALTER TABLE t DROP COLUMN d;
         CREATE PROCEDURE p() SELECT 1;
         CREATE FUNCTION f(x INT) RETURNS INT DETERMINISTIC RETURN x + 1;
         CREATE TRIGGER tr BEFORE INSERT ON t FOR EACH ROW SET NEW.id = NEW.id + 1;
         CREATE EVENT ev ON SCHEDULE EVERY 1 DAY DISABLE DO SELECT 1;
         CREATE TABLE parts (id INT PRIMARY KEY) PARTITION BY RANGE (id) (PARTITION p0 VALUES LESS THAN (10), PARTITION p1 VALUES LESS THAN MAXVALUE);",
    )
    .await;
    let catalog = read(&database, &TableFilter::all()).await;
    assert_eq!(catalog.tables.len(), 2);
    for (object, name, start) in [
        ("view", "v \"1", "CREATE "),
        ("view", "broken", "CREATE "),
        ("procedure", "p", "CREATE "),
        ("function", "f", "CREATE "),
        ("trigger", "tr", "CREATE "),
        ("event", "ev", "CREATE "),
    ] {
        let problem = problem(&catalog, object, name);
        let ddl = problem.ddl.as_deref().unwrap_or_else(|| panic!("{object} {name} has no DDL"));
        assert!(ddl.starts_with(start), "{ddl}");
        assert_eq!(problem.severity, Severity::NotCarried, "{object}");
    }
    assert_eq!(catalog.problems.len(), 6, "{:#?}", catalog.problems);
    let parts = catalog.tables.iter().find(|table| table.name.name == "parts").and_then(|table| table.partitioning.as_ref());
    assert!(parts.is_some_and(|parts| parts.count == 2 && parts.definition.starts_with("PARTITION BY RANGE (`id`) (PARTITION ")));
    database.drop().await;
}

#[tokio::test]
async fn objects_of_mariadb_alone_are_read_or_listed() {
    let database = MySqlDatabase::create("CREATE TABLE t (id INT);").await;
    if !is_mariadb(&read(&database, &TableFilter::all()).await) {
        return database.drop().await;
    }
    database
        .run(
            "CREATE SEQUENCE s1 START WITH 5;
             CREATE TABLE versioned (id INT PRIMARY KEY, v INT) WITH SYSTEM VERSIONING;
             INSERT INTO versioned VALUES (1, 1), (2, 2);
             UPDATE versioned SET v = 9;
             CREATE TABLE explicit (x INT UNIQUE, s TIMESTAMP(6) GENERATED ALWAYS AS ROW START, e TIMESTAMP(6) GENERATED ALWAYS AS ROW END, PERIOD FOR SYSTEM_TIME (s, e)) WITH SYSTEM VERSIONING;
             CREATE TABLE booked (a INT, s DATE, e DATE, PERIOD FOR p (s, e), UNIQUE (a, p WITHOUT OVERLAPS));
             CREATE TABLE types (u UUID DEFAULT uuid(), u2 UUID DEFAULT '01234567-89ab-cdef-8123-456789abcdef', i6 INET6 DEFAULT '::1', i4 INET4, c VARCHAR(10) COMPRESSED, b BLOB DEFAULT 'xyz', t TEXT DEFAULT 'x', d DATE DEFAULT curdate(), n VARCHAR(40) DEFAULT current_timestamp());
             CREATE TABLE aria (id INT) ENGINE = Aria;",
        )
        .await;
    let catalog = read(&database, &TableFilter::all()).await;
    let numbers = &catalog.sequences[0];
    assert_eq!((numbers.name.name.as_str(), numbers.start, numbers.increment, numbers.next), ("s1", 5, 1, Some(5)));
    assert!(numbers.ddl.as_deref().is_some_and(|ddl| ddl.contains("start with 5")));
    assert!(catalog.tables.iter().all(|table| table.name.name != "s1"));
    let history = problem(&catalog, "history of a system-versioned table", "versioned");
    assert!(history.why.ends_with(", 2 of them"), "{}", history.why);
    let explicit = table(&catalog, "explicit");
    assert_eq!(column(explicit, "s").generated.as_ref().map(|generated| generated.expression.as_str()), Some("ROW START"));
    assert_eq!(index(explicit, "x").plain_columns(), Some(vec!["x"]), "the server adds the end of the row");
    assert_eq!(problem(&catalog, "period", "booked").ddl.as_deref(), Some("PERIOD FOR `p` (`s`, `e`)"));
    let types = table(&catalog, "types");
    assert_eq!(column(types, "u").logical, Some(L::Uuid));
    assert_eq!(column(types, "u").default, Some(D::Expression("uuid()".into())));
    assert_eq!(column(types, "u2").default, text("01234567-89ab-cdef-8123-456789abcdef"));
    assert_eq!(column(types, "i6").logical, Some(L::Text { length: None }));
    assert_eq!(column(types, "i6").default, text("::1"));
    assert_eq!(column(types, "c").logical, Some(L::Text { length: Some(10) }));
    assert_eq!(column(types, "b").default, Some(D::Bytes(b"xyz".to_vec())));
    assert_eq!(column(types, "t").default, text("x"));
    assert_eq!(column(types, "d").default, Some(D::Expression("curdate()".into())));
    assert_eq!(column(types, "n").default, Some(D::Expression("current_timestamp()".into())));
    assert!(!table(&catalog, "aria").transactional);
    database.drop().await;
}

#[tokio::test]
async fn hostile_names_arrive_as_they_are() {
    let names = ["Orders", "sel ect", "we`ird \"Na'me\" é", "back\\slash", "per%cent_", "日本語", "select", "a.b"];
    let mut script = String::new();
    for name in names {
        let quoted = name.replace('`', "``");
        script += &format!(
            "CREATE TABLE `{quoted}` (`{quoted}` INT AUTO_INCREMENT, `x?` VARCHAR(9) DEFAULT '?', PRIMARY KEY (`{quoted}`), KEY `{quoted}` (`x?`));\n\
             INSERT INTO `{quoted}` VALUES (41, 'x');\n\
             CREATE TRIGGER `{quoted}` BEFORE INSERT ON `{quoted}` FOR EACH ROW SET NEW.`x?` = 'y';\n"
        );
    }
    let database = MySqlDatabase::create(&script).await;
    let catalog = read(&database, &TableFilter::all()).await;
    let mut sorted = names.to_vec();
    sorted.sort_unstable();
    assert_eq!(catalog.tables.iter().map(|table| table.name.name.as_str()).collect::<Vec<_>>(), sorted);
    for name in names {
        let table = table(&catalog, name);
        assert_eq!(table.columns[0].name, name);
        assert_eq!(column(table, "x?").default, text("?"));
        assert_eq!(table.key_columns(), [name]);
        assert_eq!(index(table, name).plain_columns(), Some(vec!["x?"]));
        assert_eq!(table.next_identity, Some(42));
        assert!(problem(&catalog, "trigger", name).ddl.is_some());
    }
    database.drop().await;
}

#[tokio::test]
async fn labels_that_the_server_prints_as_question_marks_are_read_from_rows() {
    let database = MySqlDatabase::create(
        "CREATE TABLE l (e ENUM('😀', '?', 'a?b', '💾x') DEFAULT '😀', s SET('q', '😀', 'z', '💾x', 'no?'), un ENUM('😀', '💾'));
         INSERT INTO l (e, s) VALUES ('😀', 'q,😀,💾x'), ('💾x', 'q'), ('?', NULL);",
    )
    .await;
    let catalog = read(&database, &TableFilter::all()).await;
    let l = table(&catalog, "l");
    assert_eq!(column(l, "e").native.labels, ["😀", "?", "a?b", "💾x"]);
    assert_eq!(column(l, "e").default, text("😀"));
    assert_eq!(column(l, "s").native.labels, ["q", "😀", "z", "💾x", "no?"]);
    assert_eq!(column(l, "e").logical, Some(L::Enum { labels: column(l, "e").native.labels.clone() }));
    // General collations hold all characters outside the BMP for the same one; no row could hold the second label.
    assert_eq!(problem(&catalog, "column", "l.un").severity, Severity::Refused);
    assert!(problem(&catalog, "label", "l.s").why.contains("`no?`"));
    database.drop().await;
}

#[tokio::test]
async fn the_filter_leaves_tables_views_and_their_triggers_out() {
    let database = MySqlDatabase::create(
        "CREATE TABLE keep (id INT);
         CREATE TABLE tmp_a (id INT);
         CREATE VIEW tmp_v AS SELECT 1;
         CREATE VIEW v AS SELECT 1;
         CREATE TRIGGER tr BEFORE INSERT ON tmp_a FOR EACH ROW SET NEW.id = 1;",
    )
    .await;
    let filter = TableFilter::new(&["*".into()], &["tmp_*".into()]).expect("a filter");
    let catalog = read(&database, &filter).await;
    assert_eq!(catalog.tables.len(), 1);
    assert_eq!(catalog.problems.len(), 1);
    problem(&catalog, "view", "v");
    database.drop().await;
}

#[tokio::test]
async fn an_empty_database_has_an_empty_catalog() {
    let database = MySqlDatabase::create("").await;
    let catalog = read(&database, &TableFilter::all()).await;
    assert!(catalog.tables.is_empty() && catalog.problems.is_empty());
    database.drop().await;
}

#[tokio::test]
async fn a_database_whose_name_differs_in_case_stays_out() {
    let database = MySqlDatabase::create("CREATE TABLE t (a INT PRIMARY KEY);").await;
    let upper = database.name.to_uppercase();
    if upper == database.name || raw_sql("SELECT 1").execute(&mut database.connect().await).await.is_err() {
        return database.drop().await;
    }
    database.run(&format!("CREATE DATABASE `{upper}`;\nCREATE TABLE `{upper}`.t (a INT PRIMARY KEY, b INT, CHECK (b > 0));\nCREATE TABLE `{upper}`.u (a INT);")).await;
    let catalog = read(&database, &TableFilter::all()).await;
    assert_eq!(catalog.tables.len(), 1);
    assert_eq!(catalog.tables[0].columns.len(), 1);
    assert_eq!(catalog.tables[0].primary_key.as_ref().map(|key| key.parts.len()), Some(1));
    database.run(&format!("DROP DATABASE `{upper}`;")).await;
    database.drop().await;
}

#[tokio::test]
async fn five_hundred_tables_take_about_a_second() {
    let mut script = String::new();
    for number in 0..500 {
        script +=
            &format!("CREATE TABLE t{number} (id INT AUTO_INCREMENT PRIMARY KEY, a VARCHAR(9), KEY (a)) ENGINE = MyISAM;\n");
    }
    let database = MySqlDatabase::create(&script).await;
    let start = std::time::Instant::now();
    let catalog = read(&database, &TableFilter::all()).await;
    assert_eq!(catalog.tables.len(), 500);
    // Far above what it takes, since other tests run at the same time.
    assert!(start.elapsed().as_secs() < 15, "{:?}", start.elapsed());
    database.drop().await;
}

#[tokio::test]
async fn objects_of_mysql_alone_are_read_or_listed() {
    let database = MySqlDatabase::create("CREATE TABLE t (id INT);").await;
    let server = server(&database).await;
    if server.flavour != "MySQL" || server.version_number < (9, 0, 0) {
        return database.drop().await;
    }
    database
        .run(
            "SET SESSION sql_generate_invisible_primary_key = ON;
             CREATE TABLE gipk (a INT);
             SET SESSION sql_generate_invisible_primary_key = OFF;
             CREATE TABLE m (p POINT SRID 4326 NOT NULL, p0 POINT SRID 0, v VECTOR(3), v0 VECTOR, j JSON DEFAULT (json_object('é', 1)), b VARBINARY(9) DEFAULT (x'00ff'),
                 SPATIAL KEY sp (p), KEY mv ((CAST(j->'$.é' AS UNSIGNED ARRAY))), UNIQUE KEY `fé` ((concat(b, 'x'))));",
        )
        .await;
    let catalog = read(&database, &TableFilter::all()).await;
    let gipk = table(&catalog, "gipk");
    assert_eq!(gipk.key_columns(), ["my_row_id"]);
    assert!(column(gipk, "my_row_id").invisible && column(gipk, "my_row_id").identity);
    let m = table(&catalog, "m");
    let point = |srid| Some(L::Geometry { srid: Some(srid), shape: Some("POINT".into()) });
    assert_eq!((column(m, "p").logical.clone(), column(m, "p0").logical.clone()), (point(4326), point(0)));
    assert_eq!(column(m, "v").logical, Some(L::Vector { dimensions: 3 }));
    assert_eq!(column(m, "v0").logical, Some(L::Vector { dimensions: 2048 }));
    assert_eq!(column(m, "j").default, Some(D::Expression("json_object(_utf8mb4'é',1)".into())));
    assert_eq!(column(m, "b").default, Some(D::Expression("0x00ff".into())));
    assert_eq!(index(m, "mv").parts[0].expression.as_deref(), Some("cast(json_extract(`j`,_utf8mb4'$.é') as unsigned array)"));
    assert!(index(m, "fé").unique);
    database.drop().await;
}

#[tokio::test]
async fn a_user_with_few_rights_is_told_what_may_be_missing() {
    let database = MySqlDatabase::create(
        "CREATE TABLE t (id INT AUTO_INCREMENT PRIMARY KEY);
         CREATE VIEW v AS SELECT id FROM t;
         CREATE PROCEDURE p() SELECT 1;
         CREATE TRIGGER tr BEFORE INSERT ON t FOR EACH ROW SET NEW.id = 1;",
    )
    .await;
    let user = format!("u_{}", database.name);
    database
        .run(&format!(
            "CREATE USER `{user}` IDENTIFIED BY 'Few-rights-1';
             GRANT SELECT, EXECUTE ON `{}`.* TO `{user}`;",
            database.name
        ))
        .await;
    let (_, host) = database.url.split_once('@').expect("a login");
    let few = MySqlDatabase { url: format!("mysql://{user}:Few-rights-1@{host}"), name: database.name.clone() };
    let catalog = read(&few, &TableFilter::all()).await;
    assert_eq!(table(&catalog, "t").next_identity, Some(1));
    for object in ["view", "procedure"] {
        let problem = problem(&catalog, object, &object[..1]);
        assert_eq!(problem.ddl, None);
        assert!(problem.why.contains("could not be read"), "{}", problem.why);
    }
    let notes: Vec<_> = catalog.problems.iter().filter(|problem| problem.severity == Severity::Note).collect();
    assert_eq!(notes.iter().map(|note| note.object.as_str()).collect::<Vec<_>>(), ["triggers", "events"]);
    database.run(&format!("DROP USER `{user}`;")).await;
    database.drop().await;
}

#[tokio::test]
async fn a_table_that_the_server_cannot_open_is_refused_and_the_others_are_read() {
    let database = MySqlDatabase::create(
        "CREATE TABLE a (id INT) ENGINE = MyISAM;
         CREATE TABLE good (id INT);
         CREATE TABLE merged (id INT) ENGINE = MERGE UNION = (a);
         DROP TABLE a;",
    )
    .await;
    let catalog = read(&database, &TableFilter::all()).await;
    let carried: Vec<_> = catalog.tables.iter().map(|table| table.name.name.as_str()).collect();
    if is_mariadb(&catalog) {
        assert_eq!(carried, ["good"]);
        let merged = problem(&catalog, "table", "merged");
        assert_eq!(merged.severity, Severity::Refused);
        assert!(merged.why.len() > "The server cannot open it: ".len(), "{}", merged.why);
    } else {
        // MySQL says nothing until the table is read.
        assert_eq!(carried, ["good", "merged"]);
    }
    database.drop().await;
}

#[tokio::test]
async fn labels_made_without_backslash_escapes_are_read() {
    let database = MySqlDatabase::create(
        "SET SESSION sql_mode = 'NO_BACKSLASH_ESCAPES';
         CREATE TABLE l (e ENUM('a\\b', 'n\\n') DEFAULT 'a\\b', v VARCHAR(9) DEFAULT 'x\\y', g VARCHAR(9) AS (concat(v, '\\')));",
    )
    .await;
    let catalog = read(&database, &TableFilter::all()).await;
    let l = table(&catalog, "l");
    assert_eq!(column(l, "e").native.labels, ["a\\b", "n\\n"]);
    assert_eq!((column(l, "e").default.clone(), column(l, "v").default.clone()), (text("a\\b"), text("x\\y")));
    database.drop().await;
}
