//! Sequences of MariaDB: each is a table of one row.

use super::objects::definition;
use super::query::{Row, Session};
use super::tables::Listed;
use crate::error::{ErrorKind, Result};
use crate::model::catalog::{Problem, Severity};
use crate::model::sequence::Sequence;

/// The sequences among what is like a table; one that cannot be read is listed.
///
/// The next number is the one after those that the server has set aside for its cache, which are lost when it stops, and may be so here.
pub(super) async fn read(session: &mut Session<'_>, listed: &[Listed], problems: &mut Vec<Problem>) -> Result<Vec<Sequence>> {
    let mut found = Vec::new();
    for one in listed.iter().filter(|one| one.kind == "SEQUENCE") {
        let (ddl, _) = definition(session, "sequence", &one.name).await?;
        let sql = format!(
            "SELECT start_value, increment, minimum_value, maximum_value, cache_size, cycle_option, next_not_cached_value FROM {}",
            session.quoted(&one.name)
        );
        let rows = match session.rows(&sql).await {
            Err(error) if error.kind() == ErrorKind::ConnectionLost => return Err(error),
            rows => rows.unwrap_or_default(),
        };
        match rows.first() {
            Some(row) => found.push(sequence(session, &one.name, row, ddl)?),
            None => {
                let why = "its numbers could not be read, for lack of the right SELECT on it";
                let problem = Problem::new(Severity::NotCarried, "sequence", session.name(&one.name), why);
                problems.push(
                    Problem { ddl, ..problem }.hint("Grant SELECT on it, and plan again, or make it in the target by hand"),
                );
            }
        }
    }
    Ok(found)
}

fn sequence(session: &Session<'_>, name: &str, row: &Row, ddl: Option<String>) -> Result<Sequence> {
    let number = |at: usize| row.number::<i128>(at).map(Option::unwrap_or_default);
    let mut sequence = Sequence {
        name: session.name(name),
        start: number(0)?,
        increment: number(1)?,
        min: number(2)?,
        max: number(3)?,
        cache: row.number::<u64>(4)?.unwrap_or_default().max(1),
        cycle: row.number::<u8>(5)?.unwrap_or_default() != 0,
        next: None,
        ddl,
    };
    let next = number(6)?;
    sequence.next = Some(match (sequence.holds(next), sequence.cycle, sequence.increment > 0) {
        (true, ..) => next,
        (false, true, true) => sequence.min,
        (false, true, false) => sequence.max,
        // However far beyond, it has come to its end.
        (false, false, true) => sequence.max + sequence.increment,
        (false, false, false) => sequence.min + sequence.increment,
    });
    Ok(sequence)
}
