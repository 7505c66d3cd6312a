//! Which databases of a server are meant, where patterns choose several, and what of them cannot be seen.

use globset::Glob;

use super::objects::{ME, USER_RIGHTS};
use super::query::Session;
use crate::config::nearest::nearest;
use crate::error::{Error, ErrorKind, Result};
use crate::model::catalog::{Problem, Severity};

/// Databases that are the server's own.
const SYSTEM: [&str; 4] = ["information_schema", "mysql", "performance_schema", "sys"];

/// How names begin that are those of folders, and not of databases.
const FOLDER: &str = "#mysql50#";

/// The databases that fit one of `patterns`, sorted. Those of the system never do. What may be hidden from the user is a problem.
///
/// # Errors
/// `UnknownDatabase` for a pattern that fits none, `Config` for one that names a database of the system, or is no pattern; all at once.
pub(super) async fn choose(session: &mut Session<'_>, patterns: &[String], problems: &mut Vec<Problem>) -> Result<Vec<String>> {
    let mut all = Vec::new();
    for row in session.rows("SELECT SCHEMA_NAME FROM information_schema.SCHEMATA").await? {
        all.push(row.need(0)?);
    }
    // By their bytes: the server sorts without regard to case.
    all.sort();
    let is_system = |name: &str| SYSTEM.iter().any(|system| system.eq_ignore_ascii_case(name));
    let (mut chosen, mut faults) = (Vec::new(), Vec::new());
    for pattern in patterns {
        if is_system(pattern) {
            let what = format!("`{pattern}` is a database of the server itself, and is never carried");
            faults.push(Error::new(ErrorKind::Config, what).hint("Leave it out of `--database` and `databases`"));
            continue;
        }
        let glob = Glob::new(pattern)
            .map_err(|error| Error::new(ErrorKind::Config, format!("`{pattern}` is no pattern")).with_source(error))?;
        let glob = glob.compile_matcher();
        let fitting: Vec<&String> = all.iter().filter(|name| !is_system(name) && glob.is_match(name.as_str())).collect();
        if fitting.is_empty() {
            faults.push(unknown(pattern, &all));
        }
        chosen.extend(fitting.into_iter().cloned());
    }
    if let Some(error) = Error::many(faults) {
        return Err(error);
    }
    chosen.sort();
    chosen.dedup();
    chosen.retain(|name| {
        let folder = name.starts_with(FOLDER);
        if folder {
            let why = "It is a folder of the server whose name is not that of a database, so its tables are not carried";
            let problem = Problem::new(Severity::NotCarried, "database", name, why);
            problems.push(problem.hint("Give it a name of today in the source: `ALTER DATABASE … UPGRADE DATA DIRECTORY NAME`"));
        }
        !folder
    });
    blind_spots(session, patterns, &chosen, problems).await?;
    Ok(chosen)
}

fn unknown(pattern: &str, all: &[String]) -> Error {
    let what = format!("no database of the server fits `{pattern}`, or none that this user may see");
    let visible = all.iter().map(String::as_str).filter(|name| !SYSTEM.contains(name));
    let hint = match nearest(pattern, visible) {
        Some(near) => format!("Did you mean `{near}`?"),
        None => "Correct the name, or grant the user SELECT on the database; `SHOW DATABASES` lists what the user may see".into(),
    };
    Error::new(ErrorKind::UnknownDatabase, what).hint(hint)
}

/// Notes what the user may have no right to see: the server leaves it out without a word.
async fn blind_spots(
    session: &mut Session<'_>,
    patterns: &[String],
    chosen: &[String],
    problems: &mut Vec<Problem>,
) -> Result<()> {
    let global = rights(session, &format!("{USER_RIGHTS} WHERE GRANTEE = {ME}")).await?;
    let holds = |rights: &[String], right: &str| rights.iter().any(|held| held == right);
    if holds(&global, "SELECT") {
        return Ok(());
    }
    let open = patterns.iter().filter(|pattern| pattern.contains(['*', '?', '[', '{'])).map(|pattern| format!("`{pattern}`"));
    let open: Vec<String> = open.collect();
    if !open.is_empty() && !holds(&global, "SHOW DATABASES") {
        let why = format!(
            "The user does not see all databases of the server, so others may fit {} that are not carried",
            open.join(", ")
        );
        let problem = Problem::new(Severity::Note, "databases", chosen.join(", "), why);
        problems.push(problem.hint("Grant SHOW DATABASES and SELECT to the user, and plan again, to have them all"));
    }
    Ok(())
}

async fn rights(session: &mut Session<'_>, sql: &str) -> Result<Vec<String>> {
    session.rows(sql).await?.iter().map(|row| Ok(row.need(0)?.to_ascii_uppercase())).collect()
}
