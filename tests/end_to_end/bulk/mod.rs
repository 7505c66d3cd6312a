//! Values over the whole range of each type, carried by the command; PostgreSQL compares each with what the source was told.
//!
//! A [`Column`] has a type of the source and random values of it, each as the source is told it and as a text that PostgreSQL reads.
//! [`Bulk::arrives`] writes them, carries them, and asks PostgreSQL for the rows that differ. `DBFERRY_TEST_VALUES` says how many values a
//! column has, `DBFERRY_TEST_SEED` repeats a failure; `DBFERRY_TEST_MYSQL` may be MariaDB or MySQL.

mod charsets;
mod documents;
mod keys;
mod labels;
mod numbers;
mod texts;
mod times;

use std::fmt::Write;

use proptest::strategy::Strategy;
use sqlx::mysql::MySqlArguments;
use sqlx::{Arguments, AssertSqlSafe, Row};

use super::renames::MappingFile;
use crate::support::ferry::{report, table};
use crate::support::random::Random;
use crate::support::{MySqlDatabase, PostgresDatabase};

/// Rows of one INSERT.
const ROWS_OF_ONE_INSERT: usize = 50;

/// How the source is told a value.
#[derive(Debug, Clone)]
enum Told {
    /// As SQL.
    Sql(String),
    /// By its bits, as a parameter: servers read the text of a float in ways of their own.
    Float(f32),
    /// The same.
    Double(f64),
}

/// A value that is not NULL.
#[derive(Debug, Clone)]
struct Value {
    told: Told,
    /// What must be in the target, as PostgreSQL is told.
    wanted: String,
}

impl Value {
    fn new(sql: impl Into<String>, wanted: impl Into<String>) -> Self {
        Value { told: Told::Sql(sql.into()), wanted: wanted.into() }
    }
}

/// A column of the source with its values.
struct Column {
    /// Its type in the source.
    native: String,
    values: Vec<Option<Value>>,
    /// SQL for PostgreSQL that is true when the column `c` is what the text `v` says.
    same: String,
}

/// A table whose values are judged.
struct Bulk {
    random: Random,
    columns: Vec<Column>,
    mapping: Option<MappingFile>,
}

impl Bulk {
    fn new() -> Self {
        Bulk { random: Random::new(), columns: Vec::new(), mapping: None }
    }

    /// Adds a column with random values of a strategy; in PostgreSQL `same` compares `c` with the text `v`.
    fn column(&mut self, native: &str, same: &str, strategy: impl Strategy<Value = Value>) {
        let values = self.random.some(strategy);
        self.given(native, same, values);
    }

    /// Adds a column with these values.
    fn given(&mut self, native: &str, same: &str, values: Vec<Option<Value>>) {
        self.columns.push(Column { native: native.to_string(), values, same: same.to_string() });
    }

    /// Carries the table and lets PostgreSQL compare.
    async fn arrives(self) {
        let seed = self.random.seed;
        let from = MySqlDatabase::create(&self.create("bulk")).await;
        self.fill(&from, "bulk").await;
        let to = PostgresDatabase::create("").await;
        let path = self.mapping.as_ref().map(MappingFile::path);
        let mut args = vec!["run", &from.url, &to.url, "--verify", "full"];
        if let Some(path) = &path {
            args.extend(["-m", path]);
        }
        eprintln!("seed {seed}");
        let done = report(0, &args);
        assert_eq!(table(&done, "bulk")["rows"], self.rows(), "seed {seed}");
        assert_eq!(done["losses"].as_array().map_or(0, Vec::len), 0, "seed {seed}");
        self.compare(&to, "bulk").await;
        from.drop().await;
        to.drop().await;
    }

    fn rows(&self) -> usize {
        self.columns.iter().map(|column| column.values.len()).max().unwrap_or_default()
    }

    /// The statement that makes the table: a number as the key, and the columns as `c0`, `c1`, ….
    fn create(&self, name: &str) -> String {
        let columns = self.columns.iter().enumerate().fold(String::new(), |mut text, (at, column)| {
            let _ = write!(text, ",\n  c{at} {}", column.native);
            text
        });
        format!("CREATE TABLE {name} (\n  id INT NOT NULL PRIMARY KEY{columns}\n) CHARACTER SET utf8mb4;\n")
    }

    async fn fill(&self, from: &MySqlDatabase, name: &str) {
        let mut connection = from.connect().await;
        let names: Vec<String> = (0..self.columns.len()).map(|at| format!("c{at}")).collect();
        for first in (0..self.rows()).step_by(ROWS_OF_ONE_INSERT) {
            let mut sql = format!("INSERT INTO {name} (id, {}) VALUES ", names.join(", "));
            let mut arguments = MySqlArguments::default();
            for row in first..self.rows().min(first + ROWS_OF_ONE_INSERT) {
                let _ = write!(sql, "{}({row}", if row > first { "," } else { "" });
                for column in &self.columns {
                    sql.push(',');
                    match column.values.get(row).and_then(Option::as_ref).map(|value| &value.told) {
                        None => sql.push_str("NULL"),
                        Some(Told::Sql(text)) => sql.push_str(text),
                        Some(Told::Float(float)) => {
                            sql.push('?');
                            arguments.add(*float).unwrap();
                        }
                        Some(Told::Double(float)) => {
                            sql.push('?');
                            arguments.add(*float).unwrap();
                        }
                    }
                }
                sql.push(')');
            }
            let start: String = sql.chars().take(3000).collect();
            let insert = sqlx::query_with(AssertSqlSafe(sql), arguments).persistent(false);
            insert
                .execute(&mut connection)
                .await
                .unwrap_or_else(|error| panic!("seed {}: {error}\nin: {start}", self.random.seed));
        }
        // What the server does not take becomes another value in its lax mode; then it is not the value that was told.
        sqlx::raw_sql(AssertSqlSafe(format!("ANALYZE TABLE {name}"))).execute(&mut connection).await.unwrap();
    }

    /// Demands that the target's table has each value.
    async fn compare(&self, to: &PostgresDatabase, name: &str) {
        let seed = self.random.seed;
        let mut connection = to.connect().await;
        sqlx::raw_sql("SET timezone = 'UTC'; SET extra_float_digits = 3; CREATE TEMP TABLE want (col int, id int, v text)")
            .execute(&mut connection)
            .await
            .unwrap();
        let rows = i64::try_from(self.rows()).unwrap();
        let there: i64 =
            sqlx::query(AssertSqlSafe(format!("SELECT count(*) FROM {name}"))).fetch_one(&mut connection).await.unwrap().get(0);
        assert_eq!(there, rows, "rows in the target, seed {seed}");
        let ids: Vec<i32> = (0..i32::try_from(rows).unwrap()).collect();
        let mut wrong = String::new();
        for (at, column) in self.columns.iter().enumerate() {
            let wanted: Vec<Option<&str>> = (0..self.rows())
                .map(|row| column.values.get(row).and_then(Option::as_ref).map(|value| value.wanted.as_str()))
                .collect();
            sqlx::query("INSERT INTO want SELECT $1, * FROM unnest($2::int[], $3::text[])")
                .bind(i32::try_from(at).unwrap())
                .bind(&ids)
                .bind(&wanted)
                .execute(&mut connection)
                .await
                .unwrap_or_else(|error| panic!("`{}` (seed {seed}): {error}", column.native));
            let sql = format!(
                "SELECT id, left(c::text, 300), left(v, 300), count(*) OVER () FROM (SELECT id, c{at} AS c FROM {name}) AS t
                 FULL JOIN (SELECT id, v FROM want WHERE col = {at}) AS w USING (id)
                 WHERE (CASE WHEN v IS NULL THEN c IS NULL ELSE {} END) IS NOT TRUE ORDER BY id LIMIT 3",
                column.same
            );
            let differ = sqlx::query(AssertSqlSafe(sql)).fetch_all(&mut connection).await;
            for row in differ.unwrap_or_else(|error| panic!("`{}` (seed {seed}): {error}", column.native)) {
                let (id, there, wanted): (i32, Option<String>, Option<String>) = (row.get(0), row.get(1), row.get(2));
                let count: i64 = row.get(3);
                let told = usize::try_from(id).ok().and_then(|id| column.values.get(id)).and_then(Option::as_ref);
                let told = told.map(|value| format!("{:?}", value.told).chars().take(300).collect::<String>());
                let _ = writeln!(
                    wrong,
                    "c{at} {} id {id}: {there:?} instead of {wanted:?}, of {told:?} ({count} rows differ)",
                    column.native
                );
            }
        }
        assert!(wrong.is_empty(), "seed {seed}, {name} of {}:\n{wrong}", to.name);
    }
}

/// True for MariaDB.
async fn is_maria(from: &MySqlDatabase) -> bool {
    let row = sqlx::query("SELECT VERSION()").fetch_one(&mut from.connect().await).await.unwrap();
    row.get::<String, _>(0).contains("MariaDB")
}

/// True if the test server is MariaDB.
async fn server_is_maria() -> bool {
    let from = MySqlDatabase::create("").await;
    let maria = is_maria(&from).await;
    from.drop().await;
    maria
}

/// Bytes as MySQL and PostgreSQL (`\x…`) know them.
fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
