//! What has no place in the model: listed with its definition, so that nothing is forgotten.

use std::collections::BTreeMap;

use super::query::{Session, quote, text_literal};
use super::tables::Listed;
use crate::engine::TableFilter;
use crate::error::{ErrorKind, Result};
use crate::model::catalog::{Problem, Severity, Table};

/// Tables with more rows than this, by estimate, are not asked for the number of their history rows.
const COUNT_HISTORY_UP_TO_ROWS: u64 = 100_000;

/// The rights of users on the whole server.
pub(super) const USER_RIGHTS: &str = "SELECT PRIVILEGE_TYPE FROM information_schema.USER_PRIVILEGES";

/// SQL for the user as GRANTEE has it, `'user'@'host'`; an administrator sees the rights of others in these views too.
pub(super) const ME: &str = "CONCAT('''', LEFT(CURRENT_USER(), CHAR_LENGTH(CURRENT_USER()) - \
    CHAR_LENGTH(SUBSTRING_INDEX(CURRENT_USER(), '@', -1)) - 1), '''@''', SUBSTRING_INDEX(CURRENT_USER(), '@', -1), '''')";

/// Lists views, routines, triggers, events, history rows and periods.
pub(super) async fn list(
    session: &mut Session<'_>,
    listed: &[Listed],
    tables: &BTreeMap<String, Table>,
    filter: &TableFilter,
    problems: &mut Vec<Problem>,
) -> Result<()> {
    for one in listed {
        match one.kind.as_str() {
            "BASE TABLE" => {}
            "SYSTEM VERSIONED" => problems.push(history(session, one, tables).await?),
            "VIEW" => list_one(session, problems, "view", &one.name, "Views are not carried").await?,
            // Read by `sequences`.
            "SEQUENCE" => {}
            other => {
                let why = format!("dbferry does not know tables of the type `{other}`");
                problems.push(Problem::new(Severity::NotCarried, "table", session.name(&one.name), why));
            }
        }
    }
    periods(session, tables, problems).await?;
    routines(session, problems).await?;
    triggers(session, filter, problems).await?;
    events(session, problems).await?;
    blind_spots(session, problems).await
}

/// Lists one object with its DDL.
async fn list_one(session: &mut Session<'_>, problems: &mut Vec<Problem>, object: &str, name: &str, why: &str) -> Result<()> {
    let (ddl, note) = definition(session, object, name).await?;
    let mut problem = Problem::new(Severity::NotCarried, object, session.name(name), format!("{why}{note}"));
    problem.ddl = ddl;
    problems.push(problem);
    Ok(())
}

/// The object's DDL; or a remark on why it could not be read.
pub(super) async fn definition(session: &mut Session<'_>, object: &str, name: &str) -> Result<(Option<String>, String)> {
    let sql = format!("SHOW CREATE {} {}", object.to_ascii_uppercase(), session.quoted(name));
    let shown = match session.rows(&sql).await {
        Ok(rows) => match rows.first() {
            // `Create View`, `Create Procedure` …, but not `Created`; a trigger's is called otherwise.
            Some(row) => row.definition(|column| column.starts_with("Create ") || column == "SQL Original Statement")?,
            None => None,
        },
        Err(error) if error.kind() == ErrorKind::ConnectionLost => return Err(error),
        Err(_) => None,
    };
    // The server shows NULL instead of a definition to users without the right to see it.
    let note = if shown.is_some() { "" } else { "; its definition could not be read, for lack of a right or since it is broken" };
    Ok((shown, note.to_string()))
}

async fn history(session: &mut Session<'_>, one: &Listed, tables: &BTreeMap<String, Table>) -> Result<Problem> {
    let few = tables.get(&one.name).is_some_and(|table| table.estimated_rows <= COUNT_HISTORY_UP_TO_ROWS);
    let mut count = format!("; they are not counted, since the table has more than {COUNT_HISTORY_UP_TO_ROWS} rows");
    if few {
        let table = session.quoted(&one.name);
        let sql = format!("SELECT (SELECT COUNT(*) FROM {table} FOR SYSTEM_TIME ALL) - (SELECT COUNT(*) FROM {table})");
        if let Some(row) = session.rows(&sql).await?.first() {
            count = format!(", {} of them", row.need(0)?);
        }
    }
    let why = format!("The current rows are carried; the rows of the past are not{count}");
    Ok(Problem::new(Severity::NotCarried, "history of a system-versioned table", session.name(&one.name), why))
}

/// Application-time periods of MariaDB, which most versions tell nowhere but in the table's DDL.
///
/// They leave a trace: a check of the table, named like the period, that its start is before its end.
async fn periods(session: &mut Session<'_>, tables: &BTreeMap<String, Table>, problems: &mut Vec<Problem>) -> Result<()> {
    if !session.mariadb {
        return Ok(());
    }
    for table in tables.values() {
        let suspects = table.checks.iter().filter(|check| !check.name.is_empty() && check.expression.contains("` < `"));
        if suspects.count() == 0 {
            continue;
        }
        let (ddl, _) = definition(session, "table", &table.name.name).await?;
        for line in ddl.unwrap_or_default().lines().map(|line| line.trim().trim_end_matches(',')) {
            let period = line.starts_with("PERIOD FOR `");
            if period || line.ends_with("WITHOUT OVERLAPS)") {
                let why = if period {
                    "The period is not carried; its columns, and the check that it starts before it ends, are"
                } else {
                    "That the periods of a key do not overlap is not carried"
                };
                problems.push(Problem::new(Severity::NotCarried, "period", &table.name, why).ddl(line));
            }
        }
    }
    Ok(())
}

async fn routines(session: &mut Session<'_>, problems: &mut Vec<Problem>) -> Result<()> {
    let sql = format!(
        "SELECT ROUTINE_TYPE, ROUTINE_NAME FROM information_schema.ROUTINES WHERE {} ORDER BY ROUTINE_TYPE, ROUTINE_NAME",
        session.in_database("ROUTINE_SCHEMA")
    );
    for row in session.rows(&sql).await? {
        // FUNCTION, PROCEDURE; PACKAGE and PACKAGE BODY in MariaDB; LIBRARY in MySQL 9.
        let object = row.need(0)?.to_ascii_lowercase();
        list_one(session, problems, &object, &row.need(1)?, "Routines are not carried").await?;
    }
    Ok(())
}

async fn triggers(session: &mut Session<'_>, filter: &TableFilter, problems: &mut Vec<Problem>) -> Result<()> {
    let sql = format!(
        "SELECT TRIGGER_NAME, EVENT_OBJECT_TABLE FROM information_schema.TRIGGERS WHERE {} ORDER BY TRIGGER_NAME",
        session.in_database("TRIGGER_SCHEMA")
    );
    for row in session.rows(&sql).await? {
        let table = row.need(1)?;
        if session.wants(filter, &table) {
            let why = format!("Triggers are not carried; it belongs to the table {}", quote(&table));
            list_one(session, problems, "trigger", &row.need(0)?, &why).await?;
        }
    }
    Ok(())
}

async fn events(session: &mut Session<'_>, problems: &mut Vec<Problem>) -> Result<()> {
    let sql = format!(
        "SELECT EVENT_NAME FROM information_schema.EVENTS WHERE {} ORDER BY EVENT_NAME",
        session.in_database("EVENT_SCHEMA")
    );
    for row in session.rows(&sql).await? {
        list_one(session, problems, "event", &row.need(0)?, "Events are not carried").await?;
    }
    Ok(())
}

/// Notes the kinds of objects that the user has no right to see: the server leaves them out without a word.
async fn blind_spots(session: &mut Session<'_>, problems: &mut Vec<Problem>) -> Result<()> {
    let sql = format!(
        "{USER_RIGHTS} WHERE GRANTEE = {ME} \
         UNION SELECT PRIVILEGE_TYPE FROM information_schema.SCHEMA_PRIVILEGES WHERE GRANTEE = {ME} AND {} LIKE TABLE_SCHEMA",
        text_literal(&session.database)
    );
    let rights = session.rows(&sql).await?.iter().map(|row| row.need(0)).collect::<Result<Vec<_>>>()?;
    if !rights.iter().any(|held| held.eq_ignore_ascii_case("SELECT")) {
        let why = "The user does not hold the right SELECT on the database, so tables may exist that are not listed, and so not carried";
        let problem = Problem::new(Severity::Note, "tables", &session.database, why);
        problems.push(problem.hint("Grant SELECT on the database to the user, and plan again, to have them all"));
    }
    for (right, object) in [("TRIGGER", "triggers"), ("EVENT", "events")] {
        if !rights.iter().any(|held| held.eq_ignore_ascii_case(right)) {
            let why =
                format!("The user does not hold the right {right} on the database, so {object} may exist that are not listed");
            let problem = Problem::new(Severity::Note, object, &session.database, why);
            problems.push(problem.hint(format!("Grant {right} to the user, and plan again, to have them listed")));
        }
    }
    Ok(())
}
