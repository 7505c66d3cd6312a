//! Questions about the data, asked of the server in one pass over each table.
//!
//! Questions about values share one statement, which looks at most rows by their `signs` alone and counts by the `exact` conditions
//! among those that are left. Those about foreign keys ask each its own, since they join. Then, for what was found, a statement fetches the
//! key of a row. A large table is asked in pieces of its key, side by side; many small ones in one message.

use std::collections::BTreeMap;

use exact::{NEVER, entry_length, exact, possible};
use message::{Statement, cells, counts};
use rows::{Piece, Rows, rows};
use signs::{Sign, sign};

use super::askers::Askers;
use super::connect::Connector;
use super::plan;
use super::select::quote;
use crate::error::Result;
use crate::model::catalog::{ForeignKey, ServerInfo, Table};
use crate::model::probe::{Answer, Asked, Question};

mod exact;
mod message;
mod rows;
mod signs;

/// A table of fewer bytes is asked in one piece: opening a session costs more.
const LARGE: u64 = 32 << 20;

/// Pieces of a large table for each session, so that all of them end at about the same time, and the fewest bytes of one.
const PIECES_PER_SESSION: u64 = 4;
const LEAST_PIECE: u64 = 8 << 20;

/// Rows that are looked at for a value, before all are: most columns have one there.
const FIRST_LOOK: u64 = 1000;

/// Who asks.
pub(super) struct Prober<'a> {
    pub(super) connector: &'a Connector,
    pub(super) mark: String,
    pub(super) server: &'a ServerInfo,
    pub(super) askers: &'a Askers,
    /// Most sessions.
    pub(super) jobs: usize,
    /// Of each table so many rows at most.
    pub(super) first_rows: Option<u64>,
    /// Asks nothing but the exact conditions, in one piece.
    pub(super) plain: bool,
}

/// A table whose rows are asked, and what is known of it so far.
struct Probing<'a> {
    asked: &'a Asked<'a>,
    /// One at least.
    pieces: Vec<Option<Piece>>,
    conditions: Vec<Option<Condition>>,
    answers: Vec<Answer>,
    /// Of each question, the first piece that has what it asks for.
    found_in: BTreeMap<usize, usize>,
    /// Columns of facts that had no value at the first look, and whether that was a look at all rows.
    valueless: Vec<usize>,
    seen_all: bool,
}

/// A question about values, in SQL.
struct Condition {
    exact: String,
    sign: Option<Sign>,
}

impl Condition {
    /// The sign, and what it may be one of.
    fn sql(&self) -> String {
        self.sign.as_ref().map_or_else(|| self.exact.clone(), |sign| format!("({}) AND {}", sign.sql(), self.exact))
    }
}

/// What a statement's answer is for.
#[derive(Debug, Clone)]
enum Use {
    /// One count for each of these questions, in a piece of the table.
    Found { piece: usize, questions: Vec<usize> },
    /// The rows of this question about a foreign key.
    Joined(usize),
    /// How many rows there were, and how many had a value for each of these questions.
    Values(Vec<usize>),
    /// The longest entry.
    Longest(usize),
    /// The key of a row.
    Example(usize),
}

impl Prober<'_> {
    /// [`crate::engine::Source::probe`].
    pub(super) async fn probe(&self, asked: &[Asked<'_>]) -> Result<Vec<Vec<Answer>>> {
        let mut tables = Vec::with_capacity(asked.len());
        for one in asked {
            tables.push(Probing {
                asked: one,
                pieces: vec![None],
                conditions: self.conditions(one)?,
                answers: vec![Answer::default(); one.questions.len()],
                found_in: BTreeMap::new(),
                valueless: Vec::new(),
                seen_all: false,
            });
        }
        self.cut(&mut tables).await?;
        let mut first = Vec::new();
        for (at, table) in tables.iter().enumerate() {
            self.count(at, table, &mut first);
        }
        self.ask(first, &mut tables).await?;
        let mut second = Vec::new();
        for (at, table) in tables.iter().enumerate() {
            self.follow(at, table, &mut second);
        }
        self.ask(second, &mut tables).await?;
        Ok(tables.into_iter().map(|table| table.answers).collect())
    }

    fn conditions(&self, asked: &Asked<'_>) -> Result<Vec<Option<Condition>>> {
        let mut conditions = Vec::with_capacity(asked.questions.len());
        for question in &asked.questions {
            if is_join(question) || !(self.plain || possible(asked.table, question)) {
                conditions.push(None);
                continue;
            }
            let exact = exact(asked.table, question)?;
            let sign = if self.plain { None } else { sign(asked.table, self.server, question) };
            conditions.push((exact != NEVER).then_some(Condition { exact, sign }));
        }
        Ok(conditions)
    }

    /// Cuts the large tables into pieces, if there is more than one session to ask them.
    async fn cut(&self, tables: &mut [Probing<'_>]) -> Result<()> {
        if self.plain || self.first_rows.is_some() || self.jobs < 2 {
            return Ok(());
        }
        for table in tables {
            let of = table.asked.table;
            if of.estimated_bytes < LARGE || !of.transactional || table.conditions.iter().all(Option::is_none) {
                continue;
            }
            let most = u64::try_from(self.jobs).unwrap_or(u64::MAX).saturating_mul(PIECES_PER_SESSION);
            let count = (of.estimated_bytes / LEAST_PIECE).clamp(1, most);
            let mut asker = self.askers.take(self.connector).await?;
            let pieces = plan::pieces(asker.connection()?, &self.mark, of, count).await?;
            asker.give_back();
            if let Some(pieces) = pieces {
                table.pieces = Piece::all(&pieces).into_iter().map(Some).collect();
            }
        }
        Ok(())
    }

    /// What is asked first: counts.
    fn count<'t>(&self, at: usize, table: &Probing<'t>, statements: &mut Vec<Statement<'t, Use>>) {
        let of = table.asked.table;
        let given = table.conditions.iter().enumerate().filter_map(|(place, condition)| Some((place, condition.as_ref()?)));
        let (questions, conditions): (Vec<usize>, Vec<&Condition>) = given.unzip();
        if !questions.is_empty() {
            let counts: Vec<String> =
                conditions.iter().map(|condition| format!("COUNT(IF({}, 1, NULL))", condition.sql())).collect();
            let signs: Vec<Sign> = conditions
                .iter()
                .map(|condition| condition.sign.clone().unwrap_or_else(|| Sign::Own(condition.exact.clone())))
                .collect();
            let any = if self.plain { String::new() } else { signs::any(&signs) };
            for (piece, range) in table.pieces.iter().enumerate() {
                let sql = format!("SELECT {} {}", counts.join(", "), self.rows(of, range.as_ref()).which(&any));
                let share = of.estimated_bytes / u64::try_from(table.pieces.len()).unwrap_or(1).max(1);
                statements.push(Statement {
                    table: of,
                    at,
                    sql,
                    weight: share,
                    reason: Use::Found { piece, questions: questions.clone() },
                });
            }
        }
        let weight = of.estimated_bytes;
        for (place, question) in table.asked.questions.iter().enumerate() {
            if let Some(join) = self.join(of, question) {
                let sql = format!("SELECT COUNT(*) {join}");
                statements.push(Statement { table: of, at, sql, weight, reason: Use::Joined(place) });
            }
        }
        let proving = |question: &Question| self.first_rows.is_none() && question.fact().is_some();
        let facts: Vec<usize> =
            table.asked.questions.iter().enumerate().filter(|(_, question)| proving(question)).map(|(place, _)| place).collect();
        if !facts.is_empty() {
            let some = rows(&of.name, names(of), of.row_filter.as_deref(), Some(FIRST_LOOK), "r", None);
            let sql = format!("SELECT COUNT(*), {} {}", values(table.asked, &facts), some.which(""));
            statements.push(Statement { table: of, at, sql, weight: 0, reason: Use::Values(facts) });
        }
    }

    /// What is asked next: examples of what was found, and values where the first rows had none.
    fn follow<'t>(&self, at: usize, table: &Probing<'t>, statements: &mut Vec<Statement<'t, Use>>) {
        let of = table.asked.table;
        let weight = of.estimated_bytes;
        for (place, (question, answer)) in table.asked.questions.iter().zip(&table.answers).enumerate() {
            if answer.found == 0 {
                continue;
            }
            if let Some(join) = self.join(of, question) {
                statements.extend(example(of, &join, "c.").map(|sql| Statement {
                    table: of,
                    at,
                    sql,
                    weight,
                    reason: Use::Example(place),
                }));
                continue;
            }
            let Some(condition) = table.conditions.get(place).and_then(Option::as_ref) else { continue };
            let piece = table.found_in.get(&place).and_then(|piece| table.pieces.get(*piece)).and_then(Option::as_ref);
            let mut which = self.rows(of, piece).which(&condition.sql());
            if let Question::LongEntry { parts, .. } = question {
                let length = entry_length(of, parts);
                which = self.rows(of, None).which(&condition.sql());
                let sql = format!("SELECT MAX({length}) {which}");
                statements.push(Statement { table: of, at, sql, weight, reason: Use::Longest(place) });
                which.push_str(&format!(" ORDER BY {length} DESC"));
            }
            statements.extend(example(of, &which, "").map(|sql| Statement {
                table: of,
                at,
                sql,
                weight,
                reason: Use::Example(place),
            }));
        }
        let unknown: Vec<usize> = table
            .valueless
            .iter()
            .copied()
            .filter(|place| !table.seen_all && table.answers.get(*place).is_some_and(|answer| answer.found == 0))
            .collect();
        if !unknown.is_empty() {
            let sql = format!("SELECT COUNT(*), {} {}", values(table.asked, &unknown), self.rows(of, None).which(""));
            statements.push(Statement { table: of, at, sql, weight, reason: Use::Values(unknown) });
        }
    }

    /// Asks, and enters what came back.
    async fn ask(&self, statements: Vec<Statement<'_, Use>>, tables: &mut [Probing<'_>]) -> Result<()> {
        let answers = message::send(self, &statements).await?;
        for (statement, row) in statements.iter().zip(answers) {
            let Some(table) = tables.get_mut(statement.at) else { continue };
            match &statement.reason {
                Use::Found { piece, questions } => {
                    for (place, found) in questions.iter().zip(counts(row.as_ref())?) {
                        if let Some(answer) = table.answers.get_mut(*place).filter(|_| found > 0) {
                            answer.found += found;
                            table.found_in.entry(*place).or_insert(*piece);
                        }
                    }
                }
                Use::Joined(place) => {
                    if let Some(answer) = table.answers.get_mut(*place) {
                        answer.found = counts(row.as_ref())?.first().copied().unwrap_or_default();
                    }
                }
                Use::Values(questions) => {
                    let counted = counts(row.as_ref())?;
                    table.seen_all = counted.first().is_some_and(|rows| *rows < FIRST_LOOK);
                    table.valueless.clear();
                    for (place, values) in questions.iter().zip(counted.into_iter().skip(1)) {
                        match table.answers.get_mut(*place) {
                            Some(answer) if values > 0 => answer.has_values = true,
                            _ => table.valueless.push(*place),
                        }
                    }
                }
                Use::Longest(place) => {
                    if let Some(answer) = table.answers.get_mut(*place) {
                        answer.longest = counts(row.as_ref())?.first().copied();
                    }
                }
                Use::Example(place) => {
                    if let (Some(answer), Some(row)) = (table.answers.get_mut(*place), row.as_ref()) {
                        let keys = statement.table.key_columns();
                        let parts = keys.iter().zip(cells(row)).map(|(column, value)| format!("{column} = {value}"));
                        answer.example = Some(parts.collect::<Vec<_>>().join(", "));
                    }
                }
            }
        }
        Ok(())
    }

    /// The rows that are carried, or those of them in one piece.
    fn rows(&self, table: &Table, piece: Option<&Piece>) -> Rows {
        rows(&table.name, names(table), table.row_filter.as_deref(), self.first_rows, "r", piece)
    }

    /// FROM and WHERE of a question about a foreign key; the child is `c`.
    fn join(&self, table: &Table, question: &Question) -> Option<String> {
        let (key, parent_filter, same) = match question {
            Question::Orphan { key, parent_filter } => (key, parent_filter, false),
            Question::OtherSpelling { key, parent_filter } => (key, parent_filter, true),
            _ => return None,
        };
        let child = rows(&table.name, names(table), table.row_filter.as_deref(), self.first_rows, "c", None);
        let columns = key.parent_columns.iter().map(String::as_str);
        let parent = rows(&key.parent, columns, parent_filter.as_deref(), None, "p", None);
        let given = each(key, " AND ", |child, _| format!("c.{child} IS NOT NULL"));
        let equal = each(key, " AND ", |child, parent| format!("p.{parent} = c.{child}"));
        let exists = |condition: &str| format!("EXISTS (SELECT 1 {})", parent.which(condition));
        Some(if same {
            // Under the table's own collation the index serves; the bytes decide. Asked for with `<>`: MariaDB takes columns that are
            // equal for the same, also within BINARY, so that `NOT EXISTS (… BINARY p = BINARY c)` finds too little.
            let other = each(key, " OR ", |child, parent| format!("BINARY p.{parent} <> BINARY c.{child}"));
            child.which(&format!("{given} AND {}", exists(&format!("{equal} AND ({other})"))))
        } else {
            child.which(&format!("{given} AND NOT {}", exists(&equal)))
        })
    }
}

fn is_join(question: &Question) -> bool {
    matches!(question, Question::Orphan { .. } | Question::OtherSpelling { .. })
}

fn each(key: &ForeignKey, between: &str, part: impl Fn(&str, &str) -> String) -> String {
    let pairs = key.columns.iter().zip(&key.parent_columns);
    pairs.map(|(child, parent)| part(&quote(child), &quote(parent))).collect::<Vec<_>>().join(between)
}

fn names(table: &Table) -> impl Iterator<Item = &str> {
    table.columns.iter().map(|column| column.name.as_str())
}

/// How many values the columns of these questions have.
fn values(asked: &Asked<'_>, questions: &[usize]) -> String {
    let columns = questions.iter().filter_map(|place| asked.questions.get(*place)?.fact());
    columns.map(|(column, _)| format!("COUNT({})", quote(column))).collect::<Vec<_>>().join(", ")
}

/// Asks for the key of one row; none for a table without a key.
fn example(table: &Table, which: &str, prefix: &str) -> Option<String> {
    let key = table.key_columns();
    let shown: Vec<String> =
        key.iter().map(|column| format!("CAST({prefix}{} AS CHAR CHARACTER SET utf8mb4)", quote(column))).collect();
    (!shown.is_empty()).then(|| format!("SELECT {} {which} LIMIT 1", shown.join(", ")))
}
