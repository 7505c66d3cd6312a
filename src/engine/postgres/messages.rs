//! Several statements in one message, for the ways there and back that this saves.
//!
//! A statement with bound values costs two of them, since it is prepared first; what is written out costs one, however many statements the
//! message has. Values in it are numbers, texts quoted by [`super::ddl::quote_literal`], and ids.

use futures::StreamExt;
use sqlx::{AssertSqlSafe, Either, PgConnection};

use super::ddl::quote_literal;

/// The text as a literal, or NULL.
pub(super) fn literal(text: Option<&str>) -> String {
    text.map_or_else(|| "NULL".to_string(), quote_literal)
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
