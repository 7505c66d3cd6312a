//! Databases for tests: each test gets one of its own on the servers that `tests/run` has started.
//!
//! `DBFERRY_TEST_MYSQL` and `DBFERRY_TEST_POSTGRES` hold the address of each server with an administrator's login and no database,
//! as `mysql://root:secret@127.0.0.1:3306`. Without them a test fails and says so; it never passes by skipping.
#![allow(dead_code)]

pub mod balancer;
pub mod ferry;
pub mod proxy;
pub mod random;

use std::sync::atomic::{AtomicU32, Ordering};

use sqlx::{AssertSqlSafe, Connection, MySqlConnection, PgConnection};

static NEXT: AtomicU32 = AtomicU32::new(0);

fn server(variable: &str) -> String {
    std::env::var(variable)
        .unwrap_or_else(|_| panic!("`{variable}` is not set: this test needs a real server; run it with `tests/run NAME`"))
}

/// A name that no other test of this machine uses.
fn unique_name() -> String {
    format!("t{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// A MySQL or MariaDB database of the test's own.
pub struct MySqlDatabase {
    /// Its address, login included.
    pub url: String,
    /// Its name.
    pub name: String,
}

impl MySqlDatabase {
    /// Creates one and runs `script` in it, statement by statement (separated by `;` at the end of a line).
    pub async fn create(script: &str) -> Self {
        Self::create_named(unique_name(), script).await
    }

    /// Creates one of this name, in the place of one that is there.
    pub async fn create_named(name: String, script: &str) -> Self {
        Self::make(&server("DBFERRY_TEST_MYSQL"), name, script).await
    }

    /// Creates one on another server; see [`Self::create`].
    pub async fn create_on(server: &str, script: &str) -> Self {
        Self::make(server, unique_name(), script).await
    }

    async fn make(server: &str, name: String, script: &str) -> Self {
        let mut admin = MySqlConnection::connect(&format!("{server}/mysql")).await.expect("the MySQL test server answers");
        for sql in [format!("DROP DATABASE IF EXISTS `{name}`"), format!("CREATE DATABASE `{name}` CHARACTER SET utf8mb4")] {
            sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut admin).await.expect("the test database can be made");
        }
        let database = MySqlDatabase { url: format!("{server}/{name}"), name };
        database.run(script).await;
        database
    }

    /// A connection as a client of our own has it: strict mode off, utf8mb4, UTC.
    pub async fn connect(&self) -> MySqlConnection {
        let mut connection = MySqlConnection::connect(&self.url).await.expect("the test database answers");
        sqlx::raw_sql(
            "SET SESSION sql_mode = 'NO_ENGINE_SUBSTITUTION,ALLOW_INVALID_DATES,NO_AUTO_VALUE_ON_ZERO', time_zone = '+00:00'",
        )
        .execute(&mut connection)
        .await
        .expect("the session can be set");
        connection
    }

    /// Runs a script.
    pub async fn run(&self, script: &str) {
        let mut connection = self.connect().await;
        for sql in statements(script) {
            let result = sqlx::raw_sql(AssertSqlSafe(sql.clone())).execute(&mut connection).await;
            result.unwrap_or_else(|error| panic!("{error}\nin: {sql}"));
        }
    }

    /// Drops it; a test that fails leaves its database for a look.
    pub async fn drop(self) {
        self.run(&format!("DROP DATABASE `{}`", self.name)).await;
    }
}

/// A PostgreSQL database of the test's own.
pub struct PostgresDatabase {
    /// Its address, login included.
    pub url: String,
    /// Its name.
    pub name: String,
    server: String,
}

impl PostgresDatabase {
    /// Creates one and runs `script` in it.
    pub async fn create(script: &str) -> Self {
        Self::create_named(unique_name(), script).await
    }

    /// Creates one of this name, in the place of one that is there.
    pub async fn create_named(name: String, script: &str) -> Self {
        Self::make(&server("DBFERRY_TEST_POSTGRES"), name, script).await
    }

    /// Creates one on another server; see [`Self::create`].
    pub async fn create_on(server: &str, script: &str) -> Self {
        Self::make(server, unique_name(), script).await
    }

    async fn make(server: &str, name: String, script: &str) -> Self {
        let mut admin = PgConnection::connect(&format!("{server}/postgres")).await.expect("the PostgreSQL test server answers");
        for sql in [
            format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"),
            format!("CREATE DATABASE {name} ENCODING 'UTF8' TEMPLATE template0"),
        ] {
            sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut admin).await.expect("the test database can be made");
        }
        let database = PostgresDatabase { url: format!("{server}/{name}"), name, server: server.to_string() };
        database.run(script).await;
        database
    }

    /// A connection.
    pub async fn connect(&self) -> PgConnection {
        PgConnection::connect(&self.url).await.expect("the test database answers")
    }

    /// Runs a script.
    pub async fn run(&self, script: &str) {
        let result = sqlx::raw_sql(AssertSqlSafe(script.to_string())).execute(&mut self.connect().await).await;
        result.unwrap_or_else(|error| panic!("{error}\nin: {script}"));
    }

    /// The first column of a query's first row, as the server prints it.
    pub async fn value(&self, sql: &str) -> Option<String> {
        use sqlx::Row;
        let wrapped = format!("SELECT (x.v)::text FROM ({sql}) AS x(v)");
        let row = sqlx::query(AssertSqlSafe(wrapped)).fetch_one(&mut self.connect().await).await;
        row.unwrap_or_else(|error| panic!("{error}\nin: {sql}")).get(0)
    }

    /// Demands that each column has the type, as PostgreSQL prints it.
    pub async fn has_types(&self, table: &str, types: &[(&str, &str)]) {
        for (column, expected) in types {
            let sql = format!(
                "SELECT (SELECT format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = '{table}'::regclass AND attname = '{column}')"
            );
            assert_eq!(self.value(&sql).await.as_deref(), Some(*expected), "the type of {table}.{column}");
        }
    }

    /// Demands that the one row has these values; the server compares each with its literal.
    pub async fn holds(&self, table: &str, condition: &str, columns: &[&str], values: &str) {
        let names: Vec<String> = (0..columns.len()).map(|place| format!("e{place}")).collect();
        let compared: Vec<String> = columns
            .iter()
            .zip(&names)
            .map(|(column, name)| {
                format!("CASE WHEN {column} IS NOT DISTINCT FROM {name} THEN NULL ELSE $d${column}: $d$ || coalesce(left(({column})::text, 300), 'NULL') END")
            })
            .collect();
        // The literals take the types of the columns, as in an INSERT.
        let expected = format!(
            "SELECT {} FROM {table} WHERE false UNION ALL SELECT {values}",
            columns.iter().zip(&names).map(|(column, name)| format!("{column} AS {name}")).collect::<Vec<_>>().join(", ")
        );
        let sql = format!(
            "SELECT coalesce((SELECT concat_ws('; ', {}) FROM {table}, ({expected}) AS expected WHERE {condition}), 'no such row')",
            compared.join(", ")
        );
        assert_eq!(self.value(&sql).await.as_deref(), Some(""), "what {table} has where {condition}");
    }

    /// Demands that a statement fails with this SQLSTATE.
    pub async fn refuses(&self, sql: &str, state: &str) {
        let result = sqlx::raw_sql(AssertSqlSafe(sql.to_string())).execute(&mut self.connect().await).await;
        let error = result.expect_err(sql);
        let code = error.as_database_error().and_then(|error| error.code().map(|code| code.into_owned()));
        assert_eq!(code.as_deref(), Some(state), "{sql}: {error}");
    }

    /// Drops it.
    pub async fn drop(self) {
        let mut admin = PgConnection::connect(&format!("{}/postgres", self.server)).await.expect("the server answers");
        let sql = format!("DROP DATABASE {} WITH (FORCE)", self.name);
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut admin).await.expect("the test database can be dropped");
    }
}

/// The statements of a script: each ends with `;` at the end of a line.
fn statements(script: &str) -> Vec<String> {
    let mut all = vec![String::new()];
    for line in script.lines() {
        if let Some(last) = all.last_mut() {
            last.push_str(line);
            last.push('\n');
        }
        if line.trim_end().ends_with(';') {
            all.push(String::new());
        }
    }
    all.retain(|sql| !sql.trim().is_empty());
    all
}
