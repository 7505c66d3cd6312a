//! Several statements in one message, for the ways there and back that this saves.
//!
//! A statement with bound values costs two of them, since it is prepared first; what is written out costs one, however many statements the
//! message has. Values in it are numbers, texts quoted by [`super::ddl::quote_literal`], and ids.

use futures::StreamExt;
use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, Either, PgConnection};

use super::ddl::quote_literal;

/// The text as a literal, or NULL.
pub(super) fn literal(text: Option<&str>) -> String {
    text.map_or_else(|| "NULL".to_string(), quote_literal)
}

/// Texts as one literal.
pub(super) fn texts<T: AsRef<str>>(texts: &[T]) -> String {
    let all: Vec<String> = texts.iter().map(|text| quote_literal(text.as_ref())).collect();
    format!("ARRAY[{}]::pg_catalog.text[]", all.join(", "))
}

/// Numbers as one literal.
pub(super) fn numbers<T: std::fmt::Display>(numbers: &[T]) -> String {
    let all: Vec<String> = numbers.iter().map(ToString::to_string).collect();
    format!("ARRAY[{}]::pg_catalog.int8[]", all.join(", "))
}

/// The rows of a query whose `$1`, `$2` and so on, nine at most, are these literals. Arrays in the answer are text, and better asked for otherwise.
pub(super) async fn rows(connection: &mut PgConnection, sql: &str, literals: &[String]) -> Result<Vec<PgRow>, sqlx::Error> {
    // From the front to the back, so that what was put in is not looked at again.
    let mut written = String::with_capacity(sql.len());
    let mut rest = sql;
    while let Some((before, behind)) = rest.split_once('$') {
        written.push_str(before);
        let number = behind.chars().next().and_then(|digit| digit.to_digit(10)).and_then(|digit| usize::try_from(digit).ok());
        match number.and_then(|number| literals.get(number.checked_sub(1)?)) {
            Some(literal) => {
                written.push_str(literal);
                rest = behind.get(1..).unwrap_or_default();
            }
            None => {
                written.push('$');
                rest = behind;
            }
        }
    }
    written.push_str(rest);
    sqlx::raw_sql(AssertSqlSafe(written)).fetch_all(connection).await
}

/// Runs the statements of a message, and gives how many rows each was about, as the server counts them.
pub(super) async fn counts(connection: &mut PgConnection, sql: String) -> Result<Vec<u64>, sqlx::Error> {
    let mut answers = sqlx::raw_sql(AssertSqlSafe(sql)).fetch_many(connection);
    let mut counts = Vec::new();
    while let Some(answer) = answers.next().await {
        if let Either::Left(done) = answer? {
            counts.push(done.rows_affected());
        }
    }
    Ok(counts)
}
