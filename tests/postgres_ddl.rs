//! PostgreSQL's DDL, catalog and checks of rights; the server is the judge of names, constants and types.

use dbferry::engine::postgres::catalog::existing;
use dbferry::engine::postgres::check::check;
use dbferry::engine::postgres::ddl::{enum_type_name, quote_literal, quote_table};
use dbferry::engine::postgres::typemap::PostgresDialect;
use dbferry::engine::{Ddl, DdlOptions, DdlPhase, Dialect};
use dbferry::model::catalog::{
    Check, Column, DefaultValue, ForeignKey, Generated, Index, IndexMethod, IndexPart, NativeType, Problem, ReferentialAction,
    ServerInfo, Severity, Table,
};
use dbferry::model::{LogicalType, ObjectName};
use dbferry::{Error, ErrorKind};
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use sqlx::{AssertSqlSafe, Column as _, PgConnection, Row};

use crate::support::PostgresDatabase;

const SCHEMA: &str = "Shop \"one\"";

fn name(table: &str) -> ObjectName {
    ObjectName::new(SCHEMA, table)
}

fn column(name: &str, native: &str) -> Column {
    let native = PostgresDialect.parse_type(native).expect("the test names a known type");
    Column::new(name, PostgresDialect.to_logical(&native), native)
}

fn with_default(name: &str, native: &str, default: DefaultValue) -> Column {
    Column { default: Some(default), nullable: false, ..column(name, native) }
}

fn literal(text: &str) -> DefaultValue {
    DefaultValue::Literal(text.into())
}

fn labelled(name: &str, native: &str, labels: &[&str], default: &str) -> Column {
    let mut column = with_default(name, native, literal(default));
    column.native.labels = labels.iter().map(ToString::to_string).collect();
    column.logical = PostgresDialect.to_logical(&column.native);
    column
}

fn identity(name: &str, native: &str) -> Column {
    Column { identity: true, nullable: false, ..column(name, native) }
}

fn table(table: &str, columns: Vec<Column>) -> Table {
    Table { columns, ..Table::new(name(table)) }
}

fn part(column: &str) -> IndexPart {
    IndexPart { column: Some(column.into()), expression: None, prefix: None, descending: false }
}

fn index(name: &str, unique: bool, parts: Vec<IndexPart>) -> Index {
    Index { name: name.into(), parts, unique, method: IndexMethod::BTree, visible: true }
}

fn foreign_key(name_of: &str, column: &str, parent: &str, parent_column: &str) -> ForeignKey {
    ForeignKey {
        name: name_of.into(),
        columns: vec![column.into()],
        parent: name(parent),
        parent_columns: vec![parent_column.into()],
        on_delete: ReferentialAction::Cascade,
        on_update: ReferentialAction::Restrict,
    }
}

fn options() -> DdlOptions {
    DdlOptions { schemas: vec![SCHEMA.into()], ..DdlOptions::default() }
}

async fn session(database: &PostgresDatabase) -> PgConnection {
    let mut connection = database.connect().await;
    sqlx::raw_sql("SET search_path = ''; SET timezone = 'UTC'").execute(&mut connection).await.expect("the session can be set");
    connection
}

async fn stands(connection: &mut PgConnection, ddl: &Ddl) -> bool {
    let sql = ddl.exists_sql.clone().expect("the statement has a question");
    let row = sqlx::query(AssertSqlSafe(sql.clone())).fetch_one(connection).await;
    row.unwrap_or_else(|error| panic!("{error}\nin: {sql}")).get(0)
}

async fn execute(connection: &mut PgConnection, sql: &str) -> Result<(), sqlx::Error> {
    sqlx::raw_sql(AssertSqlSafe(sql.to_string())).execute(connection).await.map(drop)
}

/// Runs every statement in the order of the phases, each twice: as it is the first time, as a resumed run does it the second time.
async fn apply(connection: &mut PgConnection, statements: &[Ddl]) {
    for round in 0..2 {
        for phase in DdlPhase::ALL {
            for ddl in statements.iter().filter(|ddl| ddl.phase == phase) {
                if ddl.exists_sql.is_some() {
                    let before = stands(connection, ddl).await;
                    assert_eq!(before, round == 1, "before round {round}: {}\n{:?}", ddl.sql, ddl.exists_sql);
                    if before {
                        continue;
                    }
                }
                execute(connection, &ddl.sql).await.unwrap_or_else(|error| panic!("{error}\nin: {}", ddl.sql));
                if ddl.exists_sql.is_some() {
                    assert!(stands(connection, ddl).await, "after: {}\n{:?}", ddl.sql, ddl.exists_sql);
                }
            }
        }
    }
}

async fn rows(connection: &mut PgConnection, sql: &str) -> Vec<Vec<Option<String>>> {
    let rows = sqlx::query(AssertSqlSafe(sql.to_string())).fetch_all(connection).await;
    let rows = rows.unwrap_or_else(|error| panic!("{error}\nin: {sql}"));
    rows.iter().map(|row| (0..row.len()).map(|at| row.get(at)).collect()).collect()
}

async fn value(connection: &mut PgConnection, sql: &str) -> String {
    rows(connection, sql).await[0][0].clone().unwrap_or_else(|| "NULL".into())
}

fn listed<'a>(problems: &'a [Problem], object: &str, what: &str) -> &'a Problem {
    problems
        .iter()
        .find(|problem| problem.object == object && problem.name.contains(what))
        .unwrap_or_else(|| panic!("no {object} {what} in {problems:#?}"))
}

#[tokio::test]
async fn every_type_arrives_with_its_spelling_and_its_default() {
    let database = PostgresDatabase::create("").await;
    let mut connection = session(&database).await;
    // Column, type as written, default, type and default as the server then shows them.
    let cases = [
        ("smallint", "int2", "-32768", "smallint", "-32768"),
        ("integer", "int", "+7", "integer", "7"),
        ("bigint", "bigint", "-9223372036854775808", "bigint", "-9223372036854775808"),
        ("real", "real", "-1.5", "real", "-1.5"),
        ("double", "float8", "1e-300", "double precision", "1e-300"),
        ("negative zero", "float8", "-0", "double precision", "-0"),
        ("denormal", "float8", "5e-324", "double precision", "5e-324"),
        ("small", "real", "1e-45", "real", "1e-45"),
        ("numeric", "decimal(65,30)", "-0.000000000000000000000000000001", "numeric(65,30)", "-0.000000000000000000000000000001"),
        ("unbounded", "numeric", "12345678901234567890.5", "numeric", "12345678901234567890.5"),
        ("boolean", "bool", "1", "boolean", "true"),
        ("date", "date", "2024-02-29", "date", "2024-02-29"),
        ("time", "time(3)", "24:00:00", "time(3) without time zone", "24:00:00"),
        (
            "timestamp",
            "timestamp(6)",
            "2024-02-29 23:59:59.123456",
            "timestamp(6) without time zone",
            "2024-02-29 23:59:59.123456",
        ),
        ("timestamptz", "timestamptz(0)", "2024-02-29 23:59:59", "timestamp(0) with time zone", "2024-02-29 23:59:59+00"),
        ("interval", "interval(6)", "-838:59:59.999999", "interval(6)", "-838:59:59.999999"),
        ("varchar", "varchar(20)", r"it's \n ä😀", "character varying(20)", r"it's \n ä😀"),
        ("char", "char(3)", "abc", "character(3)", "abc"),
        ("text", "text", "'; DROP TABLE x; --", "text", "'; DROP TABLE x; --"),
        ("empty", "text", "", "text", ""),
        ("bytea", "bytea", "a'\\", "bytea", "\\x61275c"),
        ("bit", "bit(12)", "b'101'", "bit(12)", "000000000101"),
        ("uuid", "uuid", "00112233-4455-6677-8899-AABBCCDDEEFF", "uuid", "00112233-4455-6677-8899-aabbccddeeff"),
        ("json", "json", "{\"a\":  1}", "json", "{\"a\":  1}"),
        ("jsonb", "jsonb", "[1.50, \"it's\"]", "jsonb", "[1.50, \"it's\"]"),
        ("inet", "inet", "10.0.0.1", "inet", "10.0.0.1/32"),
        ("select", "integer", "1", "integer", "1"),
        ("with space", "integer", "2", "integer", "2"),
        ("Quote\"s", "integer", "3", "integer", "3"),
        ("naïve😀", "integer", "4", "integer", "4"),
        ("it's.a.name", "integer", "5", "integer", "5"),
        ("a234567890123456789012345678901234567890123456789012345678901_x", "integer", "6", "integer", "6"),
    ];
    let mut columns: Vec<Column> =
        cases.iter().map(|(name, native, default, ..)| with_default(name, native, literal(default))).collect();
    columns.push(column("array", "numeric(9,2)[]"));
    columns.push(with_default("bytes", "bytea", DefaultValue::Bytes(vec![0, 255])));
    columns.push(with_default("local", "timestamp(3)", DefaultValue::CurrentTimestamp(3)));
    columns.push(with_default("instant", "timestamptz(6)", DefaultValue::CurrentTimestamp(6)));
    columns
        .push(Column { native: NativeType { unsigned: true, ..column("x", "integer").native }, ..column("unsigned", "integer") });
    let all = table("All 'Types'", columns);
    let (statements, problems) = PostgresDialect.ddl(std::slice::from_ref(&all), &options());
    assert_eq!(problems, []);
    // Types that a table can have and COPY is not written for: told before anything is made.
    let strange = table("strange", vec![column("c", "cidr"), column("m", "macaddr")]);
    let (_, problems) = PostgresDialect.ddl(std::slice::from_ref(&strange), &options());
    assert!(problems.len() == 2 && problems.iter().all(|problem| problem.severity == Severity::Refused), "{problems:?}");
    apply(&mut connection, &statements).await;

    let place = quote_table(&all.name);
    let shown = rows(
        &mut connection,
        &format!(
            "SELECT attname::text, pg_catalog.format_type(atttypid, atttypmod), attnotnull::text FROM pg_catalog.pg_attribute \
             WHERE attrelid = {}::pg_catalog.regclass AND attnum > 0 ORDER BY attnum",
            quote_literal(&place)
        ),
    )
    .await;
    assert_eq!(shown.len(), all.columns.len());
    execute(&mut connection, &format!("INSERT INTO {place} DEFAULT VALUES")).await.unwrap();
    for (at, (name, _, _, full, default)) in cases.iter().enumerate() {
        assert_eq!(shown[at], [Some(name.to_string()), Some(full.to_string()), Some("true".to_string())]);
        let sql = format!("SELECT {}::text FROM {place}", PostgresDialect.quote(name));
        assert_eq!(value(&mut connection, &sql).await, *default, "{name}");
    }
    let sql = format!("SELECT (bytes = '\\x00ff' AND local = instant::timestamp(3) AND instant <= now())::text FROM {place}");
    assert_eq!(value(&mut connection, &sql).await, "true");
    assert!(execute(&mut connection, &format!("INSERT INTO {place} (unsigned) VALUES (-1)")).await.is_err());

    // What was made reads back as what was planned.
    let found = existing(&mut connection, &[name("gone"), all.name.clone()]).await.unwrap();
    assert_eq!(found.len(), 1);
    for (found, planned) in found[0].columns.iter().zip(&all.columns) {
        assert_eq!((&found.native.full, &found.logical), (&planned.native.full, &planned.logical), "{}", planned.name);
        assert_eq!(found.nullable, planned.nullable, "{}", planned.name);
        assert_eq!(found.default.is_some(), planned.default.is_some(), "{}", planned.name);
    }
    drop(connection);
    database.drop().await;
}

#[tokio::test]
async fn enums_and_sets_keep_their_labels_and_their_order() {
    let database = PostgresDatabase::create("").await;
    let mut connection = session(&database).await;
    let long = "x".repeat(64);
    let hostile = ["zebra", "it's", "a\"b\\", "null", "{,}", "", "Zebra"];
    let tables = [
        table(
            "orders",
            vec![
                labelled("status", "enum", &hostile, "it's"),
                labelled("tags", "text[]", &hostile[..5], "null,zebra"),
                labelled("long", "enum", &[&long, "b"], "b"),
                labelled("none", "text[]", &["a"], ""),
            ],
        ),
        // The row type of a table stands among the types: the name `orders_status` is taken.
        table("orders_status", vec![column("id", "integer")]),
    ];
    let (statements, problems) = PostgresDialect.ddl(&tables, &options());
    assert_eq!(listed(&problems, "enum", "orders.long").severity, Severity::Note);
    assert_eq!(problems.len(), 1);
    apply(&mut connection, &statements).await;

    let place = quote_table(&tables[0].name);
    execute(&mut connection, &format!("INSERT INTO {place} DEFAULT VALUES")).await.unwrap();
    let shown = rows(&mut connection, &format!("SELECT status::text, tags::text, long, \"none\"::text FROM {place}")).await;
    assert_eq!(shown[0], ["it's", "{zebra,\"null\"}", "b", "{}"].map(|text| Some(text.to_string())));
    for (column, wrong) in [("status", "'x'"), ("tags", "ARRAY['x']"), ("tags", "ARRAY[NULL]::text[]"), ("long", "'c'")] {
        let sql = format!("INSERT INTO {place} ({column}) VALUES ({wrong})");
        assert!(execute(&mut connection, &sql).await.is_err(), "{sql}");
    }
    let found = existing(&mut connection, &[tables[0].name.clone()]).await.unwrap();
    let labels = hostile.iter().map(ToString::to_string).collect();
    assert_eq!(found[0].columns[0].logical, Some(LogicalType::Enum { labels }));
    assert_eq!(found[0].columns[0].native.name, "enum");

    // A type of that name with other labels is not taken for ours.
    let other = [table("invoices", vec![labelled("state", "enum", &["a", "b"], "a")])];
    let made = quote_table(&enum_type_name(&other[0].name, "state"));
    execute(&mut connection, &format!("CREATE TYPE {made} AS ENUM ('b', 'a')")).await.unwrap();
    let (statements, _) = PostgresDialect.ddl(&other, &options());
    let create = statements.iter().find(|ddl| ddl.object.starts_with("type")).unwrap();
    assert!(!stands(&mut connection, create).await);
    assert!(execute(&mut connection, &create.sql).await.is_err());
    drop(connection);
    database.drop().await;
}

#[tokio::test]
async fn the_next_row_gets_the_next_number() {
    let database = PostgresDatabase::create("").await;
    let mut connection = session(&database).await;
    let numbered = |name: &str, native: &str, next: i128| Table {
        next_identity: Some(next),
        primary_key: Some(index("", true, vec![part("Id 'x'")])),
        ..table(name, vec![identity("Id 'x'", native), column("v", "integer")])
    };
    let tables = [
        numbered("plain", "integer", 42),
        numbered("negative", "bigint", -5),
        numbered("unsigned", "numeric(20,0)", 9_000_000_000_000_000_000),
        numbered("it's \"full\"", "smallint", 32_768),
        numbered("over", "numeric(20,0)", 10_000_000_000_000_000_000),
        numbered("floating", "double precision", 3),
        // Another table has the name that PostgreSQL would give to the sequence.
        numbered("clash", "integer", 9),
        table("clash_Id 'x'_seq", vec![column("v", "integer")]),
        table("text", vec![identity("code", "text")]),
    ];
    let (statements, problems) = PostgresDialect.ddl(&tables, &options());
    assert_eq!(listed(&problems, "auto-increment", "full").severity, Severity::NotCarried);
    listed(&problems, "auto-increment", "over");
    listed(&problems, "auto-increment", "text.code");
    assert_eq!(problems.len(), 3);
    apply(&mut connection, &statements).await;
    for (name_of, next) in [
        ("plain", Some("42")),
        ("negative", Some("1")),
        ("unsigned", Some("9000000000000000000")),
        ("it's \"full\"", None),
        ("over", None),
        ("floating", Some("3")),
        ("clash", Some("9")),
    ] {
        let found = existing(&mut connection, &[name(name_of)]).await.unwrap().remove(0);
        assert!(found.columns[0].identity && found.columns[0].default.is_none());
        if let Some(next) = next {
            assert_eq!(found.next_identity.map(|next| next.to_string()).as_deref(), Some(next), "{name_of}");
        }
        let sql = format!("INSERT INTO {} (v) VALUES (1) RETURNING \"Id 'x'\"::text", quote_table(&name(name_of)));
        match (sqlx::query(AssertSqlSafe(sql)).fetch_one(&mut connection).await, next) {
            (Ok(row), Some(next)) => assert_eq!(row.get::<String, _>(0), next, "{name_of}"),
            (Err(_), None) => {}
            (result, next) => panic!("{name_of}: {result:?} instead of {next:?}"),
        }
        let found = existing(&mut connection, &[name(name_of)]).await.unwrap().remove(0);
        let after = next.map(|next| (next.parse::<i128>().unwrap() + 1).to_string());
        if after.is_some() {
            assert_eq!(found.next_identity.map(|next| next.to_string()), after, "{name_of}");
        }
    }
    // The sequence goes with its table.
    execute(&mut connection, &format!("DROP TABLE {}", quote_table(&name("unsigned")))).await.unwrap();
    assert_eq!(
        value(&mut connection, "SELECT count(*)::text FROM pg_catalog.pg_class WHERE relname LIKE 'unsigned%'").await,
        "0"
    );
    drop(connection);
    database.drop().await;
}

#[tokio::test]
async fn indexes_are_built_as_they_were_or_listed() {
    let database = PostgresDatabase::create("").await;
    let mut connection = session(&database).await;
    let prefix = |column: &str, length: u32| IndexPart { prefix: Some(length), ..part(column) };
    let descending = |column: &str| IndexPart { descending: true, ..part(column) };
    let expression = IndexPart { column: None, expression: Some("lower(`name`)".into()), prefix: None, descending: false };
    let customers = Table {
        primary_key: Some(index("customers \"pk\"", true, vec![part("b"), part("a")])),
        indexes: vec![
            index("by name", false, vec![prefix("name", 10), descending("a")]),
            index("by bytes", true, vec![prefix("bytes", 4)]),
            index("it's unique", true, vec![part("a"), part("name")]),
            Index { visible: false, ..index("hidden", false, vec![part("a")]) },
            Index { method: IndexMethod::FullText, ..index("words", false, vec![part("name")]) },
            Index { method: IndexMethod::Spatial, ..index("place", false, vec![part("a")]) },
            index("functional", true, vec![expression]),
            index("over json", false, vec![part("json")]),
            index("over a number", true, vec![prefix("a", 3)]),
        ],
        ..table(
            "customers",
            vec![
                column("a", "integer"),
                column("b", "varchar(20)"),
                column("name", "varchar(100)"),
                column("bytes", "bytea"),
                column("json", "json"),
            ],
        )
    };
    let notes = Table {
        primary_key: Some(index("notes_pk", true, vec![prefix("body", 5)])),
        ..table("notes", vec![column("body", "text")])
    };
    let (statements, problems) = PostgresDialect.ddl(&[customers.clone(), notes.clone()], &options());
    assert_eq!(listed(&problems, "index", "hidden").severity, Severity::Note);
    assert_eq!(listed(&problems, "full-text index", "words").severity, Severity::Note);
    listed(&problems, "spatial index", "place");
    assert_eq!(
        listed(&problems, "unique index", "functional").ddl.as_deref(),
        Some("UNIQUE INDEX \"functional\" ((lower(`name`)))")
    );
    listed(&problems, "index", "over json");
    listed(&problems, "unique index", "over a number");
    listed(&problems, "primary key", "notes");
    assert_eq!(problems.len(), 7);
    apply(&mut connection, &statements).await;
    let shown = rows(
        &mut connection,
        "SELECT replace(pg_catalog.pg_get_indexdef(indexrelid), ' ON \"Shop \"\"one\"\"\".', ' ON ') FROM pg_catalog.pg_index i \
         JOIN pg_catalog.pg_class c ON c.oid = i.indrelid WHERE c.relname IN ('customers', 'notes') ORDER BY indexrelid",
    )
    .await;
    let shown: Vec<String> = shown.into_iter().flatten().flatten().collect();
    assert_eq!(
        shown.iter().map(|sql| sql.replace("SUBSTRING(bytes FROM 1 FOR 4)", "\"substring\"(bytes, 1, 4)")).collect::<Vec<_>>(),
        [
            r#"CREATE UNIQUE INDEX "customers ""pk""" ON customers USING btree (b, a)"#,
            r#"CREATE INDEX "by name" ON customers USING btree ("left"((name)::text, 10), a DESC)"#,
            r#"CREATE UNIQUE INDEX "by bytes" ON customers USING btree ("substring"(bytes, 1, 4))"#,
            r#"CREATE UNIQUE INDEX "it's unique" ON customers USING btree (a, name)"#,
            r#"CREATE INDEX hidden ON customers USING btree (a)"#,
            r#"CREATE INDEX words ON customers USING gin (to_tsvector('simple'::regconfig, COALESCE((name)::text, ''::text)))"#,
            r#"CREATE UNIQUE INDEX notes_pk ON notes USING btree ("left"(body, 5))"#,
        ]
    );
    let found = existing(&mut connection, &[notes.name, customers.name.clone()]).await.unwrap();
    assert_eq!(found[1].primary_key, customers.primary_key);
    assert!(found[0].primary_key.is_none() && found[0].indexes[0].parts[0].expression.is_some());
    assert!(found[1].indexes.contains(&customers.indexes[2]));
    assert_eq!(found[1].key_columns(), ["b", "a"]);
    drop(connection);
    database.drop().await;
}

#[tokio::test]
async fn foreign_keys_are_made_and_validated_or_listed() {
    let database = PostgresDatabase::create("").await;
    let mut connection = session(&database).await;
    let parent = Table {
        primary_key: Some(index("parent_pk", true, vec![part("id"), part("tenant")])),
        indexes: vec![
            index("code", true, vec![part("code")]),
            index("wide", true, vec![part("wide")]),
            index("start", true, vec![IndexPart { prefix: Some(3), ..part("body") }]),
            index("state", true, vec![part("state")]),
        ],
        ..table(
            "Parent's",
            vec![
                column("id", "bigint"),
                column("tenant", "text"),
                column("code", "text"),
                column("wide", "numeric(20,0)"),
                column("body", "text"),
                labelled("state", "enum", &["a"], "a"),
            ],
        )
    };
    let composite = ForeignKey {
        columns: vec!["t".into(), "p".into()],
        parent_columns: vec!["tenant".into(), "id".into()],
        ..foreign_key("fk \"both\"", "", "Parent's", "")
    };
    let child = Table {
        primary_key: Some(index("child_pk", true, vec![part("p")])),
        foreign_keys: vec![
            composite.clone(),
            foreign_key("to code", "t", "Parent's", "code"),
            foreign_key("to wide", "p", "Parent's", "wide"),
            foreign_key("to itself", "p", "child", "p"),
            foreign_key("to nobody", "p", "gone", "id"),
            foreign_key("to start", "t", "Parent's", "body"),
            foreign_key("to other type", "t", "Parent's", "wide"),
            foreign_key("to enum", "s", "Parent's", "state"),
        ],
        ..table("child", vec![column("p", "integer"), column("t", "varchar(20)"), labelled("s", "enum", &["a"], "a")])
    };
    let (statements, problems) = PostgresDialect.ddl(&[child.clone(), parent], &options());
    for (what, why) in [("to nobody", "not carried"), ("to start", "unique"), ("to other", "one type")] {
        let problem = listed(&problems, "foreign key", what);
        assert!(problem.severity == Severity::NotCarried && problem.why.contains(why), "{problem:?}");
        assert!(problem.ddl.as_deref().is_some_and(|ddl| ddl.contains("REFERENCES")), "{problem:?}");
    }
    assert_eq!(problems.len(), 3);
    apply(&mut connection, &statements).await;
    let shown = rows(
        &mut connection,
        "SELECT conname::text, convalidated::text, confdeltype::text || confupdtype::text FROM pg_catalog.pg_constraint \
         WHERE contype = 'f' ORDER BY conname COLLATE \"C\"",
    )
    .await;
    let expected = ["fk \"both\"", "to code", "to enum", "to itself", "to wide"]
        .map(|name| [name, "true", "cr"].map(|text| Some(text.to_string())));
    assert_eq!(shown, expected);
    let found = existing(&mut connection, &[child.name]).await.unwrap();
    assert_eq!(found[0].foreign_keys[0], composite);
    drop(connection);
    database.drop().await;
}

#[tokio::test]
async fn comments_owners_and_extension_types_arrive_and_the_rest_is_listed() {
    let database = PostgresDatabase::create("CREATE SCHEMA \"my ext\"; CREATE EXTENSION citext SCHEMA \"my ext\"").await;
    let mut connection = session(&database).await;
    let owner = format!("Owner \"{}\"", database.name);
    execute(&mut connection, &format!("CREATE ROLE {}", PostgresDialect.quote(&owner))).await.unwrap();
    let commented = Table {
        comment: "it's a \\table\nof two lines".into(),
        checks: vec![Check { name: "positive".into(), expression: "`n` > 0".into(), enforced: false }],
        next_identity: Some(5),
        ..table(
            "commented",
            vec![
                Column { comment: "';--".into(), ..identity("id", "numeric(20,0)") },
                Column { invisible: true, ..column("ci", "citext") },
                labelled("state", "enum", &["a"], "a"),
                Column {
                    generated: Some(Generated { expression: "`n` + 1".into(), stored: false }),
                    ..column("computed", "integer")
                },
                Column { on_update_now: true, ..with_default("zero", "timestamp", literal("0000-00-00 00:00:00")) },
                with_default("expression", "integer", DefaultValue::Expression("(1 + 1)".into())),
                with_default("wrong", "date", literal("2024-02-31")),
            ],
        )
    };
    let options =
        DdlOptions { owner: Some(owner.clone()), features: vec!["citext".into(), "citext_schema:my ext".into()], ..options() };
    let (statements, problems) = PostgresDialect.ddl(std::slice::from_ref(&commented), &options);
    assert_eq!(
        listed(&problems, "check", "positive").ddl.as_deref(),
        Some("CONSTRAINT \"positive\" CHECK (`n` > 0) NOT ENFORCED")
    );
    assert_eq!(listed(&problems, "column", "ci").severity, Severity::Note);
    assert_eq!(listed(&problems, "generated column", "computed").severity, Severity::Refused);
    assert_eq!(listed(&problems, "default", "zero").severity, Severity::Note);
    assert_eq!(listed(&problems, "default", "expression").ddl.as_deref(), Some("DEFAULT (1 + 1)"));
    assert_eq!(listed(&problems, "default", "wrong").severity, Severity::NotCarried);
    assert_eq!(problems.len(), 6);
    apply(&mut connection, &statements).await;
    let found = existing(&mut connection, std::slice::from_ref(&commented.name)).await.unwrap().remove(0);
    assert_eq!((&found.comment, &found.columns[0].comment), (&commented.comment, &commented.columns[0].comment));
    assert_eq!(found.columns[1].native.full, "citext");
    assert_eq!(found.columns[3].generated, None);
    let owners = rows(
        &mut connection,
        "SELECT DISTINCT pg_catalog.pg_get_userbyid(o)::text FROM (SELECT c.relowner, n.nspname FROM pg_catalog.pg_class c \
         JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace UNION SELECT t.typowner, n.nspname FROM pg_catalog.pg_type t \
         JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace UNION SELECT nspowner, nspname FROM pg_catalog.pg_namespace) \
         AS all_of_it(o, s) WHERE s LIKE 'Shop%'",
    )
    .await;
    assert_eq!(owners, [[Some(owner.clone())]]);
    drop(connection);
    let role = PostgresDialect.quote(&owner);
    database.run(&format!("DROP SCHEMA {} CASCADE; DROP ROLE {role}", PostgresDialect.quote(SCHEMA))).await;
    database.drop().await;
}

#[tokio::test]
async fn whatever_holds_a_name_counts_as_existing_and_domains_are_resolved() {
    let database = PostgresDatabase::create(
        "CREATE DOMAIN price AS numeric(10,2) NOT NULL; CREATE DOMAIN \"Cheap\" AS price CHECK (VALUE < 10);
         CREATE TABLE t (p \"Cheap\", m money, i int GENERATED ALWAYS AS IDENTITY, g int GENERATED ALWAYS AS (1) STORED,
                         s serial, c text COLLATE \"C\", r int[], CHECK (m > 0::money));
         CREATE UNIQUE INDEX half ON t (s) WHERE s > 0;
         CREATE VIEW v AS SELECT 1 AS x; CREATE SEQUENCE q; CREATE TABLE parts (a int) PARTITION BY LIST (a)",
    )
    .await;
    let mut connection = session(&database).await;
    let names = ["parts", "v", "gone", "q"].map(|name| ObjectName::new("public", name));
    let names = [&names[..], &[ObjectName::new("", "t")]].concat();
    let found = existing(&mut connection, &names).await.unwrap();
    let kinds: Vec<_> = found.iter().map(|table| (table.name.name.as_str(), table.storage.as_str())).collect();
    assert_eq!(kinds, [("parts", "p"), ("v", "v"), ("q", "S"), ("t", "r")]);
    let t = &found[3];
    assert_eq!((t.columns[0].native.full.as_str(), t.columns[0].nullable), ("numeric(10,2)", false));
    assert_eq!((t.columns[1].native.full.as_str(), t.columns[1].logical.clone()), ("money", None));
    assert!(t.columns[2].identity && t.columns[4].identity && t.columns[3].generated.is_some());
    assert_eq!(t.columns[5].native.collation.as_deref(), Some("C"));
    assert_eq!(t.columns[6].logical, Some(LogicalType::Array { item: Box::new(LogicalType::Int32) }));
    assert!(t.indexes.is_empty(), "a partial index is no key");
    assert_eq!(t.checks.len(), 1);
    drop(connection);
    database.drop().await;
}

#[tokio::test]
async fn all_missing_rights_are_told_at_once() {
    let database = PostgresDatabase::create("CREATE SCHEMA locked").await;
    let mut connection = session(&database).await;
    let version: String = value(&mut connection, "SELECT current_setting('server_version_num')").await;
    let server = ServerInfo { version_number: (version.parse::<u32>().unwrap() / 10000, 0, 0), ..ServerInfo::default() };
    let schemas = ["public".to_string(), "new".to_string(), "locked".to_string()];
    check(&mut connection, &server, &schemas, None, "dbferry").await.unwrap();

    let (weak, owner) = (format!("{}_weak", database.name), format!("{}_owner", database.name));
    execute(&mut connection, &format!("CREATE ROLE {weak}; CREATE ROLE {owner}")).await.unwrap();
    execute(&mut connection, "REVOKE CREATE ON SCHEMA public FROM PUBLIC").await.unwrap();
    execute(&mut connection, &format!("SET SESSION AUTHORIZATION {weak}; SET default_transaction_read_only = on")).await.unwrap();
    let error = check(&mut connection, &server, &schemas, Some(&owner), "dbferry").await.unwrap_err();
    let whats: Vec<&str> = std::iter::once(&error).chain(error.also()).map(Error::what).collect();
    let all = whats.join("\n");
    for part in [
        "is read-only",
        "may not create tables in the schema `public`",
        "the schema `new` does not exist",
        "may not create tables in the schema `locked`",
        "may not own tables in the schema `locked`",
        "the ledger's schema `dbferry` does not exist",
        "cannot give tables to the role",
    ] {
        assert!(all.contains(part), "{part} in {all}");
    }
    assert!(std::iter::once(&error).chain(error.also()).all(|error| error.hint_text().is_some()));
    let none = check(&mut connection, &server, &["pg_x".into()], Some("nobody of that name"), "public").await.unwrap_err();
    assert!(none.also().iter().any(|error| error.kind() == ErrorKind::Config && error.what().contains("nobody")), "{none:?}");

    execute(&mut connection, "RESET SESSION AUTHORIZATION; SET default_transaction_read_only = off").await.unwrap();
    execute(
        &mut connection,
        &format!(
            "GRANT CREATE ON DATABASE {} TO {weak}; GRANT {owner} TO {weak}; \
             GRANT USAGE, CREATE ON SCHEMA public, locked TO {owner}",
            database.name
        ),
    )
    .await
    .unwrap();
    execute(&mut connection, &format!("SET SESSION AUTHORIZATION {weak}")).await.unwrap();
    check(&mut connection, &server, &schemas, Some(&owner), "dbferry").await.unwrap();
    // What the check has promised holds: tables can be made, given away, and pointed to.
    let parent = Table {
        primary_key: Some(index("parent_pk", true, vec![part("id")])),
        next_identity: Some(2),
        ..Table { columns: vec![identity("id", "numeric(20,0)")], ..Table::new(ObjectName::new("locked", "parent")) }
    };
    let child = Table {
        foreign_keys: vec![ForeignKey { parent: parent.name.clone(), ..foreign_key("fk", "p", "", "id") }],
        ..Table { columns: vec![column("p", "numeric(20,0)")], ..Table::new(ObjectName::new("new", "child")) }
    };
    let options = DdlOptions { owner: Some(owner.clone()), schemas: schemas.to_vec(), ..DdlOptions::default() };
    let (statements, problems) = PostgresDialect.ddl(&[parent, child], &options);
    assert_eq!(problems, []);
    for phase in DdlPhase::ALL {
        for ddl in statements.iter().filter(|ddl| ddl.phase == phase) {
            if ddl.exists_sql.is_none() || !stands(&mut connection, ddl).await {
                execute(&mut connection, &ddl.sql).await.unwrap_or_else(|error| panic!("{error}\nin: {}", ddl.sql));
            }
        }
    }
    execute(&mut connection, &format!("RESET SESSION AUTHORIZATION; DROP OWNED BY {weak}, {owner} CASCADE")).await.unwrap();
    execute(&mut connection, &format!("DROP ROLE {weak}; DROP ROLE {owner}")).await.unwrap();
    drop(connection);
    database.drop().await;
}

#[tokio::test]
async fn any_text_survives_as_a_constant_and_any_name_as_a_name() {
    let database = PostgresDatabase::create("").await;
    let mut connection = session(&database).await;
    let mut runner = TestRunner::default();
    let text = proptest::collection::vec(
        proptest::prop_oneof![
            proptest::sample::select(vec![
                '\'', '"', '\\', ';', '-', '$', '\n', '\r', '\t', 'n', 'E', '%', '\u{1}', '\u{7f}', '\u{feff}'
            ]),
            proptest::char::any().prop_filter("NUL is no text", |character| *character != '\0'),
        ],
        0..24,
    )
    .prop_map(|characters| characters.into_iter().collect::<String>());
    for _ in 0..300 {
        let text = text.new_tree(&mut runner).unwrap().current();
        let sql = format!("SELECT {} = $1", quote_literal(&text));
        let equal: bool =
            sqlx::query(AssertSqlSafe(sql)).bind(&text).persistent(false).fetch_one(&mut connection).await.unwrap().get(0);
        assert!(equal, "{text:?}");

        let name: String = text
            .chars()
            .scan(0, |bytes, character| {
                *bytes += character.len_utf8();
                (*bytes <= 63).then_some(character)
            })
            .collect();
        if !name.is_empty() {
            let sql = format!("SELECT 1 AS {}", PostgresDialect.quote(&name));
            let row = sqlx::query(AssertSqlSafe(sql)).persistent(false).fetch_one(&mut connection).await.unwrap();
            assert_eq!(row.column(0).name(), name);
        }
    }
    drop(connection);
    database.drop().await;
}

/// A default that is written must be one that the server takes, at CREATE TABLE and at INSERT; a wrong one is listed instead.
#[tokio::test]
async fn whatever_stands_in_a_default_the_table_can_be_made() {
    const TYPES: [&str; 22] = [
        "smallint",
        "integer",
        "bigint",
        "real",
        "double precision",
        "numeric",
        "boolean",
        "date",
        "time",
        "timestamp",
        "timestamptz",
        "interval",
        "varchar(5)",
        "text",
        "bytea",
        "bit(4)",
        "uuid",
        "json",
        "jsonb",
        "inet",
        "char(2)",
        "text[]",
    ];
    const PIECES: [&str; 30] = [
        "0",
        "1",
        "9",
        "99999",
        "-",
        "+",
        ".",
        "e",
        "E",
        ":",
        "2024-02-29",
        "2023-02-29",
        "0000-00-00",
        "23:59:59",
        "24:00:00",
        ".123456",
        " ",
        "T",
        "{",
        "}",
        "[",
        "]",
        "\"a\"",
        "'",
        "\\",
        "b'1'",
        "::",
        "true",
        "00112233445566778899aabbccddeeff",
        "infinity",
    ];
    let database = PostgresDatabase::create("").await;
    let mut connection = session(&database).await;
    let mut runner = TestRunner::default();
    let text = proptest::collection::vec(proptest::sample::select(PIECES.to_vec()), 1..4).prop_map(|pieces| pieces.concat());
    let mut kept = 0;
    for _ in 0..60 {
        let columns = TYPES.iter().map(|native| {
            let text = text.new_tree(&mut runner).expect("a text can be made").current();
            let default = if text.len() % 5 == 0 { DefaultValue::Bytes(text.into_bytes()) } else { DefaultValue::Literal(text) };
            Column { nullable: true, ..with_default(native, native, default) }
        });
        let any = Table { columns: columns.collect(), ..Table::new(ObjectName::new("public", "any")) };
        let (statements, problems) = PostgresDialect.ddl(std::slice::from_ref(&any), &DdlOptions::default());
        kept += TYPES.len() - problems.len();
        let create = statements.iter().find(|ddl| ddl.phase == DdlPhase::Tables).expect("a table is made");
        let sql = format!("{}; INSERT INTO \"public\".\"any\" DEFAULT VALUES; DROP TABLE \"public\".\"any\"", create.sql);
        execute(&mut connection, &sql).await.unwrap_or_else(|error| panic!("{error}\nin: {sql}"));
    }
    assert!(kept > 60, "the test makes defaults that are kept too");
    drop(connection);
    database.drop().await;
}
