//! The rights that reading needs, asked of the server itself before anything is looked at or created.
//!
//! The server's catalog hides the columns that a user may not read, without a word: a table of which only some are granted looks like a
//! smaller one. So each table is asked for all of its columns, and what is refused is told with the GRANT that allows it.

use sqlx::{AssertSqlSafe, MySqlConnection};

use super::connect::{execute, is_maria};
use super::error::{failed, number};
use super::select::quote_table;
use crate::error::Result;
use crate::model::catalog::{Problem, ServerInfo, Severity, Table};

/// Tables that are asked about in one statement.
const AT_ONCE: usize = 64;

/// What the user lacks: refusals for tables that may not be read, and notes for what is only told less of.
///
/// # Errors
/// What the server says of anything but rights.
pub(super) async fn missing(
    connection: &mut MySqlConnection,
    mark: &str,
    server: &ServerInfo,
    tables: &[Table],
) -> Result<Vec<Problem>> {
    let me = me(connection).await?;
    let mut problems: Vec<Problem> = refused(connection, mark, tables)
        .await?
        .into_iter()
        .map(|table| {
            let why = format!("the user {me} may not read it, or not all of its columns");
            let hint =
                format!("Run `GRANT SELECT ON {} TO {me}`, or leave the table out with `--exclude`", quote_table(&table.name));
            Problem::new(Severity::Refused, "rights of table", &table.name, why).hint(hint)
        })
        .collect();
    let renamed = !is_maria(server) && server.version_number >= (8, 2, 0);
    let show = if renamed { "SHOW BINARY LOG STATUS" } else { "SHOW MASTER STATUS" };
    match execute(connection, show).await {
        Err(error) if is_refused(&error) => {
            let why =
                format!("the user {me} may not ask where the binary log stands, so the report cannot say where changes go on");
            let problem = Problem::new(Severity::Note, "rights of", &server.database, why);
            problems.push(problem.hint(format!("Run `GRANT REPLICATION CLIENT ON *.* TO {me}` to have it")));
        }
        Err(error) if number(&error).is_none() => return Err(failed("the rights of the user could not be tried", error)),
        _ => {}
    }
    Ok(problems)
}

/// Those of `tables` that may not be read, in their order. Many are asked about in one statement; one that fails is cut in halves, down to the
/// table that it fails for.
async fn refused<'a>(connection: &mut MySqlConnection, mark: &str, tables: &'a [Table]) -> Result<Vec<&'a Table>> {
    let mut refused = Vec::new();
    let mut left: Vec<&[Table]> = tables.chunks(AT_ONCE).rev().collect();
    while let Some(asked) = left.pop() {
        let Err(error) = execute(connection, format!("{mark}{}", question(asked))).await else { continue };
        match asked {
            _ if number(&error).is_none() => {
                let error = failed("the rights of the user could not be tried", error);
                return Err(if let [table] = asked { error.table(&table.name) } else { error });
            }
            [table] if is_refused(&error) => refused.push(table),
            // A table that is broken is told when it is read.
            [] | [_] => {}
            many => {
                let (first, second) = many.split_at(many.len() / 2);
                left.extend([second, first]);
            }
        }
    }
    Ok(refused)
}

/// Asks for all columns of the tables, and for no row.
fn question(tables: &[Table]) -> String {
    let names: Vec<String> = tables.iter().map(|table| quote_table(&table.name)).collect();
    match names.as_slice() {
        [name] => format!("SELECT * FROM {name} LIMIT 0"),
        names => names
            .iter()
            .map(|name| format!("SELECT 1 FROM (SELECT * FROM {name} LIMIT 0) AS t"))
            .collect::<Vec<_>>()
            .join(" UNION ALL "),
    }
}

/// Denied for a database, a table, a column; or for want of a right on the server.
fn is_refused(error: &sqlx::Error) -> bool {
    matches!(number(error), Some(1044 | 1142 | 1143 | 1227))
}

/// The user as GRANT takes it: the one that the server has chosen, which need not be the one that logged in.
async fn me(connection: &mut MySqlConnection) -> Result<String> {
    let user: String = sqlx::query_scalar(AssertSqlSafe("SELECT CONVERT(CURRENT_USER() USING utf8mb4)"))
        .fetch_one(connection)
        .await
        .map_err(|error| failed("the user's own name could not be read", error))?;
    let (name, host) = user.rsplit_once('@').unwrap_or((&user, "%"));
    let quoted = |text: &str| format!("'{}'", text.replace('\\', "\\\\").replace('\'', "''"));
    Ok(format!("{}@{}", quoted(name), quoted(host)))
}
