//! Statements of one row each, on their way to the server and back: several of small tables in one message, messages side by side.

use futures::{StreamExt, TryStreamExt, stream};
use sqlx::mysql::MySqlRow;
use sqlx::{AssertSqlSafe, Either, MySqlConnection, Row};

use super::Prober;
use crate::engine::mysql::error::failed;
use crate::error::{Error, Result};
use crate::model::catalog::Table;

/// Most statements of one message, and bytes of its text: a server's `max_allowed_packet` is 256 KiB at least.
const STATEMENTS: usize = 32;
const TEXT: usize = 128 * 1024;

/// Bytes of tables that one message goes through; a larger table has a message of its own.
const WEIGHT: u64 = 4 << 20;

/// A statement, and what its answer is for.
#[derive(Debug)]
pub(super) struct Statement<'a, R> {
    pub(super) table: &'a Table,
    /// The table's place among those that are asked.
    pub(super) at: usize,
    pub(super) sql: String,
    /// Bytes that the server reads for it.
    pub(super) weight: u64,
    pub(super) reason: R,
}

/// The text of each cell of a row.
pub(super) type Cells = Vec<Option<Vec<u8>>>;

/// The answers, in the order of the statements: a row, or none.
pub(super) async fn send<R>(prober: &Prober<'_>, statements: &[Statement<'_, R>]) -> Result<Vec<Option<Cells>>> {
    let mut sending = Vec::new();
    for (place, message) in pack(statements, prober.jobs).into_iter().enumerate() {
        sending.push(exchange(prober, place, message));
    }
    let mut answers: Vec<(usize, Vec<Option<Cells>>)> = stream::iter(sending).buffer_unordered(prober.jobs).try_collect().await?;
    answers.sort_unstable_by_key(|(place, _)| *place);
    Ok(answers.into_iter().flat_map(|(_, rows)| rows).collect())
}

/// Neighbours that go together: as many as leave something to each session.
fn pack<'a, 't, R>(statements: &'a [Statement<'t, R>], jobs: usize) -> Vec<&'a [Statement<'t, R>]> {
    let most = statements.len().div_ceil(jobs.max(1)).clamp(1, STATEMENTS);
    let mut messages = Vec::new();
    let (mut begin, mut text, mut weight) = (0, 0, 0_u64);
    for (place, statement) in statements.iter().enumerate() {
        let full = place - begin >= most || text + statement.sql.len() > TEXT || weight.saturating_add(statement.weight) > WEIGHT;
        if full && place > begin {
            messages.extend(statements.get(begin..place));
            (begin, text, weight) = (place, 0, 0);
        }
        text += statement.sql.len();
        weight = weight.saturating_add(statement.weight);
    }
    messages.extend(statements.get(begin..).filter(|rest| !rest.is_empty()));
    messages
}

async fn exchange<R>(prober: &Prober<'_>, place: usize, message: &[Statement<'_, R>]) -> Result<(usize, Vec<Option<Cells>>)> {
    let mut asker = prober.askers.take(prober.connector).await?;
    let rows = tell(asker.connection()?, &prober.mark, message).await?;
    asker.give_back();
    Ok((place, rows))
}

async fn tell<R>(connection: &mut MySqlConnection, mark: &str, message: &[Statement<'_, R>]) -> Result<Vec<Option<Cells>>> {
    // Each with its mark: the server shows the statement that it is at.
    let text: Vec<String> = message.iter().map(|statement| format!("{mark}{}", statement.sql)).collect();
    // Without preparing them: they run once, and with many small tables the ways there and back are what takes time.
    let mut results = sqlx::raw_sql(AssertSqlSafe(text.join(";"))).fetch_many(connection);
    let mut rows: Vec<Option<Cells>> = Vec::with_capacity(message.len());
    let mut row = None;
    while let Some(next) = results.next().await {
        // Those before the one that failed have ended.
        let table = message.get(rows.len()).map(|statement| &statement.table.name);
        let of = |error: Error| if let Some(table) = table { error.table(table) } else { error };
        match next.map_err(|error| of(failed("the rows could not be probed", error)))? {
            Either::Right(found) => row = Some(read(&found).map_err(of)?),
            Either::Left(_) => rows.push(row.take()),
        }
    }
    if rows.len() == message.len() { Ok(rows) } else { Err(Error::internal("fewer answers than questions")) }
}

fn read(row: &MySqlRow) -> Result<Cells> {
    let cell = |place| row.try_get_unchecked(place).map_err(|error| failed("an answer about the rows could not be read", error));
    (0..row.len()).map(cell).collect()
}

/// The counts of a row; NULL counts nothing.
pub(super) fn counts(row: Option<&Cells>) -> Result<Vec<u64>> {
    let row = row.ok_or_else(|| Error::internal("a count without a row"))?;
    let number = |cell: &Option<Vec<u8>>| {
        let Some(bytes) = cell else { return Ok(0) };
        let text = String::from_utf8_lossy(bytes);
        text.parse().map_err(|error| Error::internal(format!("`{text}` is no count")).with_source(error))
    };
    row.iter().map(number).collect()
}

/// The cells of a row, for people.
pub(super) fn cells(row: &Cells) -> impl Iterator<Item = String> {
    row.iter().map(|cell| cell.as_deref().map_or("NULL".into(), |bytes| String::from_utf8_lossy(bytes).into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ObjectName;

    #[test]
    fn small_tables_go_together_and_large_ones_alone() {
        let table = Table::new(ObjectName::new("shop", "t"));
        let statement = |weight| Statement { table: &table, at: 0, sql: "SELECT 1".into(), weight, reason: () };
        let sizes = |weights: &[u64], jobs| {
            let statements: Vec<_> = weights.iter().map(|weight| statement(*weight)).collect();
            pack(&statements, jobs).iter().map(|message| message.len()).collect::<Vec<_>>()
        };
        assert_eq!(sizes(&[], 2), Vec::<usize>::new());
        assert_eq!(sizes(&[1, WEIGHT * 9, 1, 1, WEIGHT - 1, 1], 1), [1, 1, 2, 2]);
        assert_eq!(sizes(&[1; 8], 4), [2, 2, 2, 2]);
        assert_eq!(sizes(&[1; 100], 1), [32, 32, 32, 4]);
    }
}
