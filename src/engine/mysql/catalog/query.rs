//! Questions to the server and their answers, as text.

use std::collections::{HashMap, HashSet};
use std::str::FromStr;

use futures::StreamExt;
use sqlx::mysql::MySqlRow;
use sqlx::{AssertSqlSafe, Column, Either, MySqlConnection, Row as _};

use super::super::typemap::MySqlDialect;
use crate::engine::{Dialect, TableFilter};
use crate::error::{Error, ErrorKind, Result};
use crate::model::ObjectName;
use crate::model::catalog::ServerInfo;

/// The views of `information_schema` whose columns differ between servers.
const VARYING_VIEWS: &str = "'COLUMNS', 'STATISTICS', 'CHECK_CONSTRAINTS', 'TABLE_CONSTRAINTS'";

/// Asks what the session is.
const OF_THE_SESSION: &str = "SELECT DATABASE(), @@lower_case_table_names, @@character_set_results, @@sql_mode";

/// Asks what the views have.
fn of_views() -> String {
    format!(
        "SELECT TABLE_NAME, COLUMN_NAME FROM information_schema.COLUMNS \
         WHERE TABLE_SCHEMA = 'information_schema' AND TABLE_NAME IN ({VARYING_VIEWS})"
    )
}

/// A connection, the database it is in, and what its server can tell.
pub(super) struct Session<'c> {
    connection: &'c mut MySqlConnection,
    /// What each statement begins with.
    mark: String,
    /// MariaDB, as opposed to MySQL.
    pub(super) mariadb: bool,
    /// Major, minor, patch.
    pub(super) version: (u32, u32, u32),
    /// The database, as the server spells it.
    pub(super) database: String,
    /// The database is one of several that are carried together.
    pub(super) one_of_several: bool,
    exact_case: bool,
    known: HashSet<(String, String)>,
    /// What was asked so far.
    asked: Vec<String>,
    /// Answers to what was asked the last time, had in one message.
    ahead: HashMap<String, Vec<MySqlRow>>,
}

/// The questions of a reading of the catalog, in their order. The next one asks most of them again, and so all of them in one message.
#[derive(Debug, Default)]
pub struct Questions(Vec<String>);

impl<'c> Session<'c> {
    /// Checks and prepares the session. The database is that of the connection; where several are read, [`Session::go_to`] comes next.
    pub(super) async fn open(
        connection: &'c mut MySqlConnection,
        mark: &str,
        server: &ServerInfo,
        before: &Questions,
    ) -> Result<Self> {
        let mariadb = server.flavour.eq_ignore_ascii_case("mariadb");
        let version = server.version_number;
        let mut session = Session {
            connection,
            mark: mark.to_string(),
            mariadb,
            version,
            database: server.database.clone(),
            one_of_several: false,
            exact_case: false,
            known: HashSet::new(),
            asked: Vec::new(),
            ahead: HashMap::new(),
        };
        let first = Questions(vec![OF_THE_SESSION.to_string(), of_views()]);
        session.ask_ahead(if before.0.is_empty() { &first } else { before }).await?;
        for row in session.rows(OF_THE_SESSION).await? {
            if let Some(database) = row.text(0)? {
                session.database = database;
            }
            session.exact_case = row.number::<u8>(1)? == Some(0);
            let (charset, mode) = (row.need(2)?, row.need(3)?);
            if charset != "utf8mb4" {
                return Err(Error::internal(format!("the catalog is read in a session in {charset}, not in utf8mb4")));
            }
            // Both change how names and texts are quoted in what the server prints.
            if mode.split(',').any(|part| matches!(part, "ANSI_QUOTES" | "NO_BACKSLASH_ESCAPES")) {
                return Err(Error::internal(format!("the catalog is read in a session with the modes {mode}")));
            }
        }
        if !mariadb && version >= (8, 0, 0) {
            // Otherwise AUTO_INCREMENT and sizes may be a day old.
            session.run("SET SESSION information_schema_stats_expiry = 0").await?;
        }
        if !mariadb && version >= (8, 0, 30) {
            session.run("SET SESSION show_gipk_in_create_table_and_information_schema = ON").await?;
        }
        for row in session.rows(&of_views()).await? {
            session.known.insert((row.need(0)?.to_ascii_uppercase(), row.need(1)?.to_ascii_uppercase()));
        }
        Ok(session)
    }

    /// True if this server's `information_schema.view` has the column. Both in capitals.
    pub(super) fn has(&self, view: &str, column: &str) -> bool {
        self.known.contains(&(view.to_string(), column.to_string()))
    }

    /// `column`, if this server has it, or else SQL for NULL.
    pub(super) fn if_known(&self, view: &str, column: &'static str) -> &'static str {
        if self.has(view, column) { column } else { "NULL" }
    }

    /// Goes on to one of several databases. The connection itself stays in none.
    pub(super) fn go_to(&mut self, database: &str) {
        self.database = database.to_string();
        self.one_of_several = true;
    }

    /// True if the filter lets the table of this database through.
    pub(super) fn wants(&self, filter: &TableFilter, table: &str) -> bool {
        if self.one_of_several { filter.accepts_in(&self.database, table) } else { filter.accepts(table) }
    }

    /// A table's name for `--exclude`.
    pub(super) fn in_patterns(&self, table: &str) -> String {
        if self.one_of_several { format!("{}.{table}", self.database) } else { table.to_string() }
    }

    /// A condition that `column` names this database.
    pub(super) fn in_database(&self, column: &str) -> String {
        let name = text_literal(&self.database);
        if self.exact_case {
            // The views compare without regard to case, though the names of databases do not.
            format!("{column} = {name} AND BINARY {column} = BINARY {name}")
        } else {
            format!("{column} = {name}")
        }
    }

    /// Asks questions in one message and keeps their answers. When the server refuses one of them, each is asked when its time comes.
    async fn ask_ahead(&mut self, questions: &Questions) -> Result<()> {
        let marked: Vec<String> = questions.0.iter().map(|question| format!("{}{question}", self.mark)).collect();
        let mut answers = sqlx::raw_sql(AssertSqlSafe(marked.join(";\n"))).fetch_many(&mut *self.connection);
        let mut questions = questions.0.iter();
        let mut rows = Vec::new();
        while let Some(answer) = answers.next().await {
            match answer {
                Ok(Either::Right(row)) => rows.push(row),
                Ok(Either::Left(_)) => {
                    let Some(question) = questions.next() else { break };
                    self.ahead.insert(question.clone(), std::mem::take(&mut rows));
                }
                Err(sqlx::Error::Database(_)) => break,
                Err(error) => return Err(read_error(error)),
            }
        }
        Ok(())
    }

    /// What was asked.
    pub(super) fn questions(self) -> Questions {
        Questions(self.asked)
    }

    /// The rows of a query.
    pub(super) async fn rows(&mut self, sql: &str) -> Result<Vec<Row>> {
        if let Some(rows) = self.ahead.remove(sql) {
            self.asked.push(sql.to_string());
            return Ok(rows.into_iter().map(Row).collect());
        }
        let marked = format!("{}{sql}", self.mark);
        let rows = sqlx::raw_sql(AssertSqlSafe(marked)).fetch_all(&mut *self.connection).await;
        let rows = rows.map_err(read_error)?.into_iter().map(Row).collect();
        // One that is refused would end the message of the next time.
        self.asked.push(sql.to_string());
        Ok(rows)
    }

    /// Runs a statement.
    async fn run(&mut self, sql: &str) -> Result<()> {
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *self.connection).await.map_err(read_error)?;
        Ok(())
    }

    /// A name in this database.
    pub(super) fn name(&self, name: &str) -> ObjectName {
        ObjectName::new(&self.database, name)
    }

    /// A name in this database, quoted for SQL.
    pub(super) fn quoted(&self, name: &str) -> String {
        format!("{}.{}", quote(&self.database), quote(name))
    }
}

/// A row, all of whose values are text.
pub(super) struct Row(MySqlRow);

impl Row {
    /// The bytes of a value.
    pub(super) fn bytes(&self, at: usize) -> Result<Option<&[u8]>> {
        // Unchecked: whatever type the column claims, its value is text on the wire.
        self.0.try_get_unchecked(at).map_err(read_error)
    }

    /// A value.
    pub(super) fn text(&self, at: usize) -> Result<Option<String>> {
        let Some(bytes) = self.bytes(at)? else { return Ok(None) };
        let text = std::str::from_utf8(bytes).map_err(|error| {
            Error::new(ErrorKind::SourceRead, "the server's catalog holds a text that is not UTF-8").with_source(error)
        })?;
        Ok(Some(text.to_string()))
    }

    /// A value that is never NULL.
    pub(super) fn need(&self, at: usize) -> Result<String> {
        self.text(at)?.ok_or_else(|| {
            let name = self.0.columns().get(at).map(|column| column.name().to_string()).unwrap_or_default();
            Error::new(ErrorKind::SourceRead, format!("the server's catalog holds a NULL in `{name}`"))
        })
    }

    /// A number.
    pub(super) fn number<N: FromStr>(&self, at: usize) -> Result<Option<N>> {
        let Some(text) = self.text(at)? else { return Ok(None) };
        let bad = || Error::new(ErrorKind::SourceRead, format!("the server's catalog holds `{text}` where a number belongs"));
        Ok(Some(text.trim().parse().map_err(|_| bad())?))
    }

    /// The value of the first column whose name `wanted` accepts, as far as it is UTF-8; for definitions that people read.
    pub(super) fn definition(&self, wanted: impl Fn(&str) -> bool) -> Result<Option<String>> {
        let Some(at) = self.0.columns().iter().position(|column| wanted(column.name())) else { return Ok(None) };
        Ok(self.bytes(at)?.map(|bytes| String::from_utf8_lossy(bytes).into_owned()))
    }
}

/// A name, quoted.
pub(super) fn quote(name: &str) -> String {
    MySqlDialect.quote(name).to_string()
}

/// A text as a literal that no mode of the session can misread.
pub(super) fn text_literal(text: &str) -> String {
    use std::fmt::Write as _;
    let mut literal = String::from("_utf8mb4 X'");
    for byte in text.bytes() {
        // Writing to a String cannot fail.
        let _ = write!(literal, "{byte:02X}");
    }
    literal.push('\'');
    literal
}

/// The bytes of hexadecimal text.
pub(super) fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes();
    if !digits.len().is_multiple_of(2) || !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}

/// A driver's error while the catalog is read.
fn read_error(error: sqlx::Error) -> Error {
    let kind = match &error {
        sqlx::Error::Io(_) | sqlx::Error::Tls(_) => ErrorKind::ConnectionLost,
        sqlx::Error::Database(inner) => {
            let number = inner.try_downcast_ref::<sqlx::mysql::MySqlDatabaseError>().map(|error| error.number());
            match number {
                // Access denied to a database, a table, a column, a routine; a missing privilege.
                Some(1044 | 1142 | 1143 | 1227 | 1370) => ErrorKind::MissingRight,
                Some(1205 | 3024) => ErrorKind::Timeout,
                _ => ErrorKind::SourceRead,
            }
        }
        _ => ErrorKind::SourceRead,
    };
    Error::new(kind, "the catalog could not be read").with_source(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_literal_has_no_quote_to_escape() {
        assert_eq!(text_literal("a'\\"), "_utf8mb4 X'61275C'");
        assert_eq!(unhex("61275C").as_deref(), Some(&b"a'\\"[..]));
        assert_eq!(unhex("6"), None);
        assert_eq!(unhex("+6+6"), None);
    }
}
