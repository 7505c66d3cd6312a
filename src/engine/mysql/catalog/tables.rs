//! Tables: which there are, how large, and which number their identity column hands out next.

use std::collections::BTreeMap;

use super::query::{Row, Session, quote};
use crate::engine::TableFilter;
use crate::error::{Error, ErrorKind, Result};
use crate::model::catalog::{Problem, Severity, Table};

/// What a row takes at least, header included. Right after a bulk load InnoDB knows the rows and not yet the pages: 600,000 rows were
/// seen with one page of data, and the table was carried as one chunk.
const LEAST_ROW_BYTES: u64 = 32;

/// How many tables are asked for their largest id in one statement.
const TABLES_PER_QUESTION: usize = 50;

/// Storage engines that open a consistent snapshot.
const TRANSACTIONAL: &[&str] = &["innodb", "rocksdb", "tokudb"];

/// A row of `information_schema.TABLES`.
pub(super) struct Listed {
    /// Name.
    pub(super) name: String,
    /// `BASE TABLE`, `VIEW`, `SEQUENCE`, `SYSTEM VERSIONED` …
    pub(super) kind: String,
    storage: Option<String>,
    rows: u64,
    bytes: u64,
    next: Option<i128>,
    /// Options, in lower case.
    pub(super) options: String,
    comment: String,
}

impl Listed {
    /// True for what holds rows of its own that are carried.
    pub(super) fn is_table(&self) -> bool {
        matches!(self.kind.as_str(), "BASE TABLE" | "SYSTEM VERSIONED")
    }
}

/// Everything in the database that is like a table, and that the filter accepts.
pub(super) async fn list(session: &mut Session<'_>, filter: &TableFilter) -> Result<Vec<Listed>> {
    let sql = format!(
        "SELECT TABLE_NAME, TABLE_TYPE, ENGINE, TABLE_ROWS, DATA_LENGTH, AUTO_INCREMENT, CREATE_OPTIONS, TABLE_COMMENT \
         FROM information_schema.TABLES WHERE {} ORDER BY TABLE_NAME",
        session.in_database("TABLE_SCHEMA")
    );
    let mut all = Vec::new();
    for row in session.rows(&sql).await? {
        let name = row.need(0)?;
        if session.wants(filter, &name) {
            all.push(listed(name, &row)?);
        }
    }
    Ok(all)
}

fn listed(name: String, row: &Row) -> Result<Listed> {
    Ok(Listed {
        name,
        kind: row.need(1)?.to_ascii_uppercase(),
        storage: row.text(2)?,
        rows: row.number(3)?.unwrap_or(0),
        bytes: row.number(4)?.unwrap_or(0),
        next: row.number(5)?,
        options: row.text(6)?.unwrap_or_default().to_ascii_lowercase(),
        comment: row.text(7)?.unwrap_or_default(),
    })
}

/// The tables that can be carried, by name, still without columns.
pub(super) fn carried(session: &Session<'_>, listed: &[Listed], problems: &mut Vec<Problem>) -> BTreeMap<String, Table> {
    let mut tables = BTreeMap::new();
    for one in listed.iter().filter(|one| one.is_table()) {
        let Some(storage) = one.storage.clone() else {
            // The comment then holds the reason: a damaged file, a missing plugin, a part of a MERGE table that is gone.
            let why = format!("The server cannot open it: {}", one.comment);
            problems.push(
                Problem::new(Severity::Refused, "table", session.name(&one.name), why)
                    .hint(format!("Repair it, or leave it out: `--exclude {}`", session.in_patterns(&one.name))),
            );
            continue;
        };
        let mut table = Table::new(session.name(&one.name));
        table.comment.clone_from(&one.comment);
        table.next_identity = one.next;
        table.estimated_rows = one.rows;
        table.estimated_bytes = one.bytes.max(one.rows.saturating_mul(LEAST_ROW_BYTES));
        table.transactional = TRANSACTIONAL.contains(&storage.to_ascii_lowercase().as_str());
        table.storage = storage;
        tables.insert(one.name.clone(), table);
    }
    tables
}

/// Raises each counter to the largest id plus one: some engines and versions tell the counter late, or not at all.
pub(super) async fn next_identities(session: &mut Session<'_>, tables: &mut BTreeMap<String, Table>) -> Result<()> {
    let mut questions = Vec::new();
    for (name, table) in tables.iter_mut() {
        match table.columns.iter().find(|column| column.identity) {
            Some(column) => questions.push((name.clone(), column.name.clone())),
            // A counter without a column that uses it.
            None => table.next_identity = None,
        }
    }
    for group in questions.chunks(TABLES_PER_QUESTION) {
        let answers = match largest(session, group).await {
            Ok(answers) => answers,
            // One by one, so that the error names the table.
            Err(error) if group.len() > 1 && error.kind() != ErrorKind::ConnectionLost => {
                let mut answers = Vec::new();
                for one in group {
                    let answer = largest(session, std::slice::from_ref(one)).await;
                    answers.extend(answer.map_err(|error| error.table(session.name(&one.0)))?);
                }
                answers
            }
            Err(error) => return Err(error),
        };
        for ((name, _), largest) in group.iter().zip(answers) {
            if let Some(table) = tables.get_mut(name) {
                let after = largest.map(|largest| largest.saturating_add(1));
                table.next_identity = [Some(1), table.next_identity, after].into_iter().flatten().max();
            }
        }
    }
    Ok(())
}

/// The largest id of each table, in order.
async fn largest(session: &mut Session<'_>, questions: &[(String, String)]) -> Result<Vec<Option<i128>>> {
    let selects: Vec<String> = questions
        .iter()
        .enumerate()
        .map(|(at, (table, column))| {
            // A DECIMAL, since an identity may be a FLOAT too, which would print with an exponent.
            format!("SELECT {at} AS nr, CAST(MAX({}) AS DECIMAL(65,0)) AS id FROM {}", quote(column), session.quoted(table))
        })
        .collect();
    let mut answers = vec![None; questions.len()];
    for row in session.rows(&selects.join(" UNION ALL ")).await? {
        let at: usize = row.number(0)?.unwrap_or(usize::MAX);
        let answer = answers.get_mut(at).ok_or_else(|| Error::internal("an answer without a question"))?;
        *answer = row.number(1)?;
    }
    Ok(answers)
}
