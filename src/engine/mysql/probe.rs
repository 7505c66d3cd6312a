//! Questions about the data, asked of the server in one pass over a table.
//!
//! Questions about values share one statement of counts. Those about foreign keys ask each its own, since they join. For what was
//! found, one more statement fetches the key of a row.

use sqlx::mysql::MySqlRow;
use sqlx::{AssertSqlSafe, MySqlConnection, Row};

use super::error::failed;
use super::select::{TextForm, quote, quote_table, text_form};
use crate::error::{Error, Result};
use crate::model::catalog::{ForeignKey, Table};
use crate::model::probe::{Answer, Question};

/// Characters in which the signs of text that was encoded twice are looked for.
const LOOKED_AT: u32 = 1000;

/// [`crate::engine::Source::probe`].
pub(super) async fn probe(
    connection: &mut MySqlConnection,
    mark: &str,
    table: &Table,
    questions: &[Question],
    first_rows: Option<u64>,
) -> Result<Vec<Answer>> {
    let mut asking = Asking { connection, mark, table, first_rows };
    let mut answers = asking.values(questions).await?;
    for (question, answer) in questions.iter().zip(&mut answers) {
        if let Some(sql) = asking.join(question) {
            answer.found = asking.counts(&format!("SELECT COUNT(*) {sql}")).await?.first().copied().unwrap_or_default();
            // Whoever has a parent or none has a value.
            answer.values = answer.found;
            if answer.found > 0 {
                answer.example = asking.example(&sql, "c.").await?;
            }
        } else if answer.found > 0 {
            let condition = condition(table, question)?;
            let mut sql = format!("FROM {} WHERE {condition}", asking.rows());
            if let Question::LongEntry { parts, .. } = question {
                let length = entry_length(table, parts);
                answer.longest = asking.counts(&format!("SELECT MAX({length}) {sql}")).await?.first().copied();
                sql.push_str(&format!(" ORDER BY {length} DESC"));
            }
            answer.example = asking.example(&sql, "").await?;
        }
    }
    Ok(answers)
}

struct Asking<'a> {
    connection: &'a mut MySqlConnection,
    mark: &'a str,
    table: &'a Table,
    first_rows: Option<u64>,
}

impl Asking<'_> {
    /// The rows that are carried, as a table of a statement.
    fn rows(&self) -> String {
        self.own_rows("r")
    }

    fn own_rows(&self, alias: &str) -> String {
        let columns = self.table.columns.iter().map(|column| column.name.as_str());
        rows(&quote_table(&self.table.name), columns, self.table.row_filter.as_deref(), self.first_rows, alias)
    }

    async fn values(&mut self, questions: &[Question]) -> Result<Vec<Answer>> {
        let mut expressions = Vec::new();
        for question in questions {
            match columns(question) {
                None => expressions.extend(["0".to_string(), "0".to_string()]),
                Some(columns) => {
                    let first = columns.first().map(|column| quote(column)).unwrap_or_else(|| "1".into());
                    expressions.push(format!("COUNT({first})"));
                    expressions.push(format!("COUNT(IF({}, 1, NULL))", condition(self.table, question)?));
                }
            }
        }
        if questions.iter().all(|question| columns(question).is_none()) {
            return Ok(vec![Answer::default(); questions.len()]);
        }
        let sql = format!("SELECT {} FROM {}", expressions.join(", "), self.rows());
        let counts = self.counts(&sql).await?;
        let pairs = counts.chunks_exact(2).map(|pair| match pair {
            [values, found] => Answer { values: *values, found: *found, example: None, longest: None },
            _ => Answer::default(),
        });
        Ok(pairs.collect())
    }

    async fn counts(&mut self, sql: &str) -> Result<Vec<u64>> {
        // Without preparing it: the statement runs once, and with many small tables the ways there and back are what takes time.
        let row = sqlx::raw_sql(AssertSqlSafe(format!("{}{sql}", self.mark)))
            .fetch_optional(&mut *self.connection)
            .await
            .map_err(|error| failed("the rows could not be probed", error).table(&self.table.name))?
            .ok_or_else(|| Error::internal("a count without a row"))?;
        (0..row.len())
            .map(|place| {
                let count: i64 = row.try_get_unchecked(place).map_err(|error| failed("a count could not be read", error))?;
                u64::try_from(count).map_err(|_| Error::internal("a negative count"))
            })
            .collect()
    }

    async fn one(&mut self, sql: &str) -> Result<Option<MySqlRow>> {
        let sql = format!("{}{sql}", self.mark);
        sqlx::query(AssertSqlSafe(sql))
            .persistent(false)
            .fetch_optional(&mut *self.connection)
            .await
            .map_err(|error| failed("the rows could not be probed", error).table(&self.table.name))
    }

    /// The key of one row that `from_where` finds.
    async fn example(&mut self, from_where: &str, prefix: &str) -> Result<Option<String>> {
        let key = self.table.key_columns();
        if key.is_empty() {
            return Ok(None);
        }
        let shown: Vec<String> =
            key.iter().map(|column| format!("CAST({prefix}{} AS CHAR CHARACTER SET utf8mb4)", quote(column))).collect();
        let Some(row) = self.one(&format!("SELECT {} {from_where} LIMIT 1", shown.join(", "))).await? else { return Ok(None) };
        let mut parts = Vec::new();
        for (place, column) in key.iter().enumerate() {
            let bytes: Option<Vec<u8>> =
                row.try_get_unchecked(place).map_err(|error| failed("a key could not be read", error).table(&self.table.name))?;
            let value = bytes.map_or("NULL".into(), |bytes| String::from_utf8_lossy(&bytes).into_owned());
            parts.push(format!("{column} = {value}"));
        }
        Ok(Some(parts.join(", ")))
    }

    /// FROM and WHERE of a question about a foreign key; the child is `c`.
    fn join(&self, question: &Question) -> Option<String> {
        let (key, parent_filter, same) = match question {
            Question::Orphan { key, parent_filter } => (key, parent_filter, false),
            Question::OtherSpelling { key, parent_filter } => (key, parent_filter, true),
            _ => return None,
        };
        let child = self.own_rows("c");
        let columns = key.parent_columns.iter().map(String::as_str);
        let parent = rows(&quote_table(&key.parent), columns, parent_filter.as_deref(), None, "p");
        let given = each(key, " AND ", |child, _| format!("c.{child} IS NOT NULL"));
        let equal = each(key, " AND ", |child, parent| format!("p.{parent} = c.{child}"));
        let exists = |condition: &str| format!("EXISTS (SELECT 1 FROM {parent} WHERE {condition})");
        Some(if same {
            // Under the table's own collation the index serves; the bytes decide. Asked for with `<>`: MariaDB takes columns that are
            // equal for the same, also within BINARY, so that `NOT EXISTS (… BINARY p = BINARY c)` finds too little.
            let other = each(key, " OR ", |child, parent| format!("BINARY p.{parent} <> BINARY c.{child}"));
            format!("FROM {child} WHERE {given} AND {}", exists(&format!("{equal} AND ({other})")))
        } else {
            format!("FROM {child} WHERE {given} AND NOT {}", exists(&equal))
        })
    }
}

fn each(key: &ForeignKey, between: &str, part: impl Fn(&str, &str) -> String) -> String {
    let pairs = key.columns.iter().zip(&key.parent_columns);
    pairs.map(|(child, parent)| part(&quote(child), &quote(parent))).collect::<Vec<_>>().join(between)
}

/// A table, or those of its rows that count, under an alias. `columns` are named, since `*` leaves invisible ones out.
fn rows<'a>(
    table: &str,
    columns: impl IntoIterator<Item = &'a str>,
    filter: Option<&str>,
    first_rows: Option<u64>,
    alias: &str,
) -> String {
    let filter = filter.map(|filter| format!(" WHERE ({filter})")).unwrap_or_default();
    let limit = first_rows.map(|rows| format!(" LIMIT {rows}")).unwrap_or_default();
    if filter.is_empty() && limit.is_empty() {
        return format!("{table} {alias}");
    }
    let columns: Vec<String> = columns.into_iter().map(quote).collect();
    format!("(SELECT {} FROM {table}{filter}{limit}) {alias}", columns.join(", "))
}

/// The columns of a question about values; `None` for one about a foreign key.
fn columns(question: &Question) -> Option<Vec<&str>> {
    use Question as Q;
    match question {
        Q::ZeroDate { column }
        | Q::InvalidDate { column }
        | Q::NotZeroOrOne { column }
        | Q::NotTimeOfDay { column }
        | Q::OutOfRange { column, .. }
        | Q::NoLabel { column }
        | Q::NulCharacter { column }
        | Q::NulEscape { column }
        | Q::InvalidText { column }
        | Q::EncodedTwice { column } => Some(vec![column]),
        Q::LongerThan { columns, .. } => Some(columns.iter().map(String::as_str).collect()),
        Q::LongEntry { parts, .. } => Some(parts.iter().map(|(column, _)| column.as_str()).collect()),
        Q::Orphan { .. } | Q::OtherSpelling { .. } => None,
    }
}

/// A question about values as a condition of the server's.
fn condition(table: &Table, question: &Question) -> Result<String> {
    use Question as Q;
    let native = |column: &str| table.column(column).map(|column| column.native.clone()).unwrap_or_default();
    Ok(match question {
        Q::ZeroDate { column } => zero_date(&quote(column)),
        Q::InvalidDate { column } => invalid_date(&quote(column)),
        Q::NotZeroOrOne { column } => format!("{} NOT IN (0, 1)", quote(column)),
        Q::NotTimeOfDay { column } => {
            let name = quote(column);
            format!("({name} < CAST('00:00:00' AS TIME) OR {name} >= CAST('24:00:00' AS TIME))")
        }
        Q::OutOfRange { column, min, max } => {
            let name = quote(column);
            format!("({name} < {min} OR {name} > {max})")
        }
        // Index 0; a label '' has an index of its own.
        Q::NoLabel { column } => format!("{} + 0 = 0", quote(column)),
        // As bytes: to some collations a NUL is nothing, and found everywhere.
        Q::NulCharacter { column } => {
            format!("LOCATE(CAST(CHAR(0) AS BINARY), CAST(CONVERT({} USING utf8mb4) AS BINARY)) > 0", quote(column))
        }
        // Behind an even number of backslashes, each pair of which is one. The cheap condition comes first.
        Q::NulEscape { column } => {
            let text = format!("CONVERT({} USING utf8mb4)", quote(column));
            format!("(LOCATE('\\\\u0000', {text}) > 0 AND {text} REGEXP '(^|[^\\\\\\\\])(\\\\\\\\\\\\\\\\)*\\\\\\\\u0000')")
        }
        Q::InvalidText { column } => {
            let (name, native) = (quote(column), native(column));
            match text_form(&native) {
                TextForm::Checked => {
                    let charset = quote(native.charset.as_deref().unwrap_or("utf8mb4"));
                    format!("CAST(CONVERT(CONVERT({name} USING utf8mb4) USING {charset}) AS BINARY) <> CAST({name} AS BINARY)")
                }
                // MariaDB stores any byte in an `ascii` column.
                TextForm::Bytes if native.charset.as_deref() == Some("ascii") => {
                    format!("HEX({name}) REGEXP '^(..)*[89A-F]'")
                }
                TextForm::Bytes | TextForm::Converted => "FALSE".into(),
            }
        }
        Q::EncodedTwice { column } => encoded_twice(&quote(column), native(column).charset.as_deref() == Some("latin1")),
        Q::LongerThan { columns, bytes } => {
            let lengths: Vec<String> = columns.iter().map(|column| format!("COALESCE(LENGTH({}), 0)", quote(column))).collect();
            format!("{} > {bytes}", lengths.join(" + "))
        }
        Q::LongEntry { parts, bytes, .. } => format!("{} > {bytes}", entry_length(table, parts)),
        Q::Orphan { .. } | Q::OtherSpelling { .. } => return Err(Error::internal("a join is no condition")),
    })
}

/// The bytes of an index entry's text and bytes, text as UTF-8.
fn entry_length(table: &Table, parts: &[(String, Option<u32>)]) -> String {
    let lengths = parts.iter().map(|(name, start)| {
        let is_text = table.column(name).is_some_and(|column| column.native.charset.is_some());
        let whole = quote(name);
        let value = start.map_or(whole.clone(), |start| format!("LEFT({whole}, {start})"));
        let value = if is_text { format!("CONVERT({value} USING utf8mb4)") } else { value };
        format!("COALESCE(LENGTH({value}), 0)")
    });
    lengths.collect::<Vec<_>>().join(" + ")
}

fn zero_date(name: &str) -> String {
    format!("(YEAR({name}) = 0 AND MONTH({name}) = 0 AND DAYOFMONTH({name}) = 0)")
}

/// The server keeps 31 February under ALLOW_INVALID_DATES, and a month or a day of zero without NO_ZERO_IN_DATE.
fn invalid_date(name: &str) -> String {
    let leap = format!("(YEAR({name}) % 4 = 0 AND (YEAR({name}) % 100 <> 0 OR YEAR({name}) % 400 = 0))");
    format!(
        "(NOT {} AND (YEAR({name}) = 0 OR MONTH({name}) = 0 OR DAYOFMONTH({name}) = 0 \
         OR (DAYOFMONTH({name}) > 30 AND MONTH({name}) IN (4, 6, 9, 11)) \
         OR (MONTH({name}) = 2 AND DAYOFMONTH({name}) > 28 + {leap})))",
        zero_date(name)
    )
}

/// A letter of U+00C2 or U+00C3 with one of U+0080 to U+00BF behind it: what a letter of Latin-1 in UTF-8 looks like to a reader of Latin-1.
/// Digits of the bytes, since collations fold letters. The cheap condition comes first.
fn encoded_twice(name: &str, latin1: bool) -> String {
    let start = format!("LEFT({name}, {LOOKED_AT})");
    if latin1 {
        return format!("(LOCATE(0xC3, CAST({name} AS BINARY)) > 0 AND HEX({start}) REGEXP '^(..)*C[23][89AB]')");
    }
    let utf8 = format!("CONVERT({start} USING utf8mb4)");
    format!("(LENGTH({utf8}) <> CHAR_LENGTH({start}) AND HEX({utf8}) REGEXP '^(..)*C38[23]C2[89AB]')")
}
