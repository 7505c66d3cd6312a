//! Asking the data before it moves: what would stop its table midway is found now, and what is proven may choose a type.
//!
//! `questions` are decided by the types of the source and by what the target cannot hold; the source answers all questions of a table
//! in one pass; `finding` says what was found, with its count, an example and the lines of a mapping that settle
//! it. A fact is used once, by this plan; every value is checked again when it is decoded and encoded, since rows change meanwhile.

use std::sync::Arc;

use super::settled;
use crate::config::rules::Orphans;
use crate::config::{ProbeLevel, Settings};
use crate::engine::{Dialect, Source};
use crate::error::Result;
use crate::mapping::{ColumnMapping, MappedTable, lines};
use crate::model::LogicalType;
use crate::model::catalog::{ForeignKey, Problem, Severity};
use crate::model::probe::{Answer, Asked, Proven, Question};

/// Rows that `--probe sample` looks at, of each table.
const SAMPLE_ROWS: u64 = 10_000;

/// What was asked, and what came back.
#[derive(Debug, Default)]
pub struct Probed {
    /// What may choose types.
    pub proven: Proven,
    /// What a person should know, or settle.
    pub problems: Vec<Problem>,
}

/// Asks the source about every table that is wanted.
///
/// # Errors
/// What the source says.
pub async fn ask(
    settings: &Settings,
    source: &Arc<dyn Source>,
    target: &dyn Dialect,
    tables: &[MappedTable],
    wanted: impl Fn(&MappedTable) -> bool,
) -> Result<Probed> {
    let first_rows = match settings.probe {
        ProbeLevel::Off => return Ok(Probed::default()),
        ProbeLevel::Sample => Some(SAMPLE_ROWS),
        ProbeLevel::Full => None,
    };
    let (mut asking, mut asked) = (Vec::new(), Vec::new());
    for table in tables.iter().filter(|table| wanted(table)) {
        let questions = questions(table, tables, target);
        if !questions.is_empty() {
            asking.push(table);
            asked.push(Asked { table: &table.source, questions });
        }
    }
    if asked.is_empty() {
        return Ok(Probed::default());
    }
    let answers = source.probe(&asked, first_rows).await?.unwrap_or_default();
    let mut probed = Probed::default();
    for ((table, asked), answers) in asking.into_iter().zip(&asked).zip(answers) {
        for (question, answer) in asked.questions.iter().zip(answers) {
            if settings.probe == ProbeLevel::Full
                && answer.rules_out()
                && let Some((column, fact)) = question.fact()
            {
                probed.proven.insert(&table.source.name, column, fact);
            }
            if answer.found > 0 {
                let sampled = first_rows.is_some();
                probed.problems.extend(finding(table, question, &answer, settings.hide_keys || table.hides_key(), sampled));
            }
        }
    }
    Ok(probed)
}

/// What is asked of a table.
pub(super) fn questions(table: &MappedTable, all: &[MappedTable], target: &dyn Dialect) -> Vec<Question> {
    use LogicalType as L;
    let mut questions = Vec::new();
    // Whatever is read is decoded, carried or not.
    for read in table.read_columns() {
        let column = read.name.clone();
        match &read.logical {
            _ if matches!(read.logical, L::Date | L::Timestamp { .. }) || read.policies.zero_date.is_some() => {
                questions.push(Question::ZeroDate { column: column.clone() });
                questions.push(Question::InvalidDate { column });
            }
            L::Enum { .. } => questions.push(Question::NoLabel { column }),
            L::Text { .. } if read.native.charset.is_some() => {
                questions.push(Question::InvalidText { column: column.clone() });
                questions.push(Question::EncodedTwice { column });
            }
            _ => {}
        }
    }
    for mapping in table.columns.iter().filter(|mapping| mapping.computed.is_none() && mapping.mask.is_none()) {
        questions.extend(of_the_cast(table, mapping, target));
    }
    if let Some(bytes) = target.max_index_entry_bytes() {
        questions.extend(super::entries::questions(table, bytes));
    }
    questions.extend(unique_texts(table, target).map(|column| Question::EndSpaces { column }));
    for key in &table.source.foreign_keys {
        let mut parents = all.iter().filter(|parent| parent.source.name == key.parent);
        // To a table that is split, foreign keys lead to a part that has all rows; without one they are not made.
        let whole = |parent: &&MappedTable| !parent.part || (parent.condition.is_none() && parent.source.row_filter.is_none());
        let Some(parent) = parents.find(whole) else { continue };
        let parent_filter = parent.source.row_filter.clone();
        questions.push(Question::Orphan { key: key.clone(), parent_filter: parent_filter.clone() });
        // Collations that compare bytes ignore spaces at the end, too, all but a few.
        let folds = |name: &String| compares_other_texts(table, name, target);
        if key.columns.iter().any(folds) {
            questions.push(Question::OtherSpelling { key: key.clone(), parent_filter });
        }
    }
    questions
}

/// True for text that the source compares by a collation, and the target by its bytes.
fn compares_other_texts(table: &MappedTable, column: &str, target: &dyn Dialect) -> bool {
    let mapped = table.columns.iter().position(|mapping| mapping.source == column && mapping.computed.is_none());
    let there = mapped.and_then(|place| table.target.columns.get(place));
    table.source.column(column).is_some_and(|column| column.native.collation.is_some())
        && there.is_some_and(|there| target.compares_bytes(&there.native))
}

/// The columns of unique keys that the target compares otherwise, each once.
fn unique_texts(table: &MappedTable, target: &dyn Dialect) -> impl Iterator<Item = String> {
    let keys = table.source.primary_key.iter().chain(table.source.indexes.iter().filter(|index| index.unique));
    let parts = keys.flat_map(|key| &key.parts).filter_map(|part| part.column.as_deref());
    let names: std::collections::BTreeSet<&str> = parts.filter(|name| compares_other_texts(table, name, target)).collect();
    names.into_iter().map(str::to_string)
}

/// What may stand in the way of a column's own cast.
fn of_the_cast(table: &MappedTable, mapping: &ColumnMapping, target: &dyn Dialect) -> Vec<Question> {
    use LogicalType as L;
    let column = mapping.source.clone();
    let native = table.source.column(&column).map(|column| column.native.clone()).unwrap_or_default();
    let mut questions = Vec::new();
    match (&mapping.from, &mapping.to) {
        (from, L::Bool) if from.is_integer() => questions.push(Question::NotZeroOrOne { column: column.clone() }),
        (L::Int8, _) if native.length == Some(1) => questions.push(Question::NotZeroOrOne { column: column.clone() }),
        (L::Duration { .. }, _) => questions.push(Question::NotTimeOfDay { column: column.clone() }),
        (from, to) => {
            if let (Some((least, most)), Some((min, max))) = (integer_range(from), integer_range(to))
                && (least < min || most > max)
            {
                let (min, max) = (min.to_string(), max.to_string());
                questions.push(Question::OutOfRange { column: column.clone(), min, max });
            }
        }
    }
    let is_text = matches!(mapping.to, L::Text { .. } | L::Json | L::Enum { .. });
    if is_text && matches!(mapping.from, L::Text { .. } | L::Json) && !target.holds_nul_in_text() {
        questions.push(Question::NulCharacter { column: column.clone() });
    }
    let json = table.target.column(&mapping.target).filter(|_| mapping.from == L::Json && mapping.to == L::Json);
    if json.is_some_and(|there| !target.holds_nul_in_json(&there.native)) {
        questions.push(Question::NulEscape { column: column.clone() });
    }
    let unbounded = matches!(native.name.as_str(), "longtext" | "longblob" | "json");
    if let Some(bytes) = target.max_field_bytes().filter(|_| unbounded) {
        questions.push(Question::LongerThan { columns: vec![column], bytes });
    }
    questions
}

/// The smallest and the largest number of an integer type.
fn integer_range(logical: &LogicalType) -> Option<(i128, i128)> {
    use LogicalType as L;
    Some(match logical {
        L::Int8 => (i8::MIN.into(), i8::MAX.into()),
        L::Int16 => (i16::MIN.into(), i16::MAX.into()),
        L::Int32 => (i32::MIN.into(), i32::MAX.into()),
        L::Int64 => (i64::MIN.into(), i64::MAX.into()),
        L::UInt8 => (0, u8::MAX.into()),
        L::UInt16 => (0, u16::MAX.into()),
        L::UInt32 => (0, u32::MAX.into()),
        L::UInt64 => (0, u64::MAX.into()),
        _ => return None,
    })
}

/// What was found, for people: how many, one of them, and what settles it.
fn finding(table: &MappedTable, question: &Question, answer: &Answer, hide_keys: bool, sampled: bool) -> Option<Problem> {
    use Question as Q;
    let name = &table.source.name;
    let example = match &answer.example {
        Some(key) if !hide_keys => format!(", for example where {key}"),
        _ => String::new(),
    };
    let looked = if sampled { format!(" among the first {SAMPLE_ROWS} rows") } else { String::new() };
    let rows = |one: &str, more: &str| {
        let what = if answer.found == 1 { one } else { more };
        format!("{} {what}{looked}{example}", answer.found)
    };
    let at = |column: &str| format!("{name}.{column}");
    let line =
        |column: &str, setting: &str| format!("Add to the mapping file (`-m FILE`):\n{}", lines::column(name, column, setting));
    let policies = |column: &str| table.policies.get(column);
    let done = |column: &str| policies(column).and_then(|policies| settled::by_policy(policies, question, answer.found == 1));
    let refused = |column: &str, why: String, setting: &str| {
        let note = |what: &str| Some(Problem::new(Severity::Note, "column", at(column), format!("{why}; {what}")));
        if let Some(done) = done(column) {
            return note(&done);
        }
        let why = match table.max_rejects {
            Some(most) if answer.found <= most => return note("these rows will be rejected"),
            Some(most) => format!("{why}; `max_rejects` allows {most} rejected rows"),
            None => why,
        };
        Some(Problem::new(Severity::Refused, "column", at(column), why).hint(line(column, setting)))
    };
    let target_of = |column: &str| table.columns.iter().find(|mapping| mapping.source == column);
    match question {
        Q::ZeroDate { column } => {
            refused(column, rows("value is a zero date", "values are zero dates"), &settled::dates(table, column))
        }
        Q::InvalidDate { column } => {
            let why = rows("value is a date that no calendar has", "values are dates that no calendar has");
            refused(column, why, &settled::dates(table, column))
        }
        Q::NotZeroOrOne { column } => match target_of(column).map(|mapping| &mapping.to) {
            Some(LogicalType::Bool) => {
                let why = rows("value is neither 0 nor 1", "values are neither 0 nor 1");
                refused(column, why, &settled::no_truth_value(table, column))
            }
            _ => None,
        },
        Q::NotTimeOfDay { column } => match target_of(column).map(|mapping| &mapping.to) {
            Some(LogicalType::Time { .. }) => {
                let why = rows("value lies outside of a day", "values lie outside of a day");
                refused(column, why, &settled::no_time_of_day(table, column))
            }
            _ => None,
        },
        Q::OutOfRange { column, min, max } => {
            let beyond = format!("beyond {min} to {max}");
            let why = rows(&format!("value lies {beyond}"), &format!("values lie {beyond}"));
            refused(column, why, &settled::beyond(table, column))
        }
        Q::NoLabel { column } => {
            let why = rows("value is '' with index 0, which is no label", "values are '' with index 0, which is no label");
            refused(column, why, &settled::no_label(table, column))
        }
        Q::NulCharacter { column } => {
            let why = rows("text has a NUL character in it", "texts have a NUL character in them");
            refused(column, why, r#"nul_byte = "strip""#)
        }
        Q::NulEscape { column } => {
            let why = rows("JSON text has a NUL character in it", "JSON texts have a NUL character in them");
            refused(column, why, r#"json = "strip"  # leaves it out; or "json", which keeps it"#)
        }
        Q::EndSpaces { column } => {
            let why = rows(
                "value of a unique key ends in a space, which the source ignores when it compares",
                "values of a unique key end in spaces, which the source ignores when it compares",
            );
            let why = format!("{why}; the target does not, and takes 'a' beside 'a '");
            Some(Problem::new(Severity::Note, "column", at(column), why))
        }
        Q::InvalidText { column } => {
            let why = rows("text is not valid in its character set", "texts are not valid in their character set");
            refused(column, why, r#"invalid_text = "replace""#)
        }
        Q::EncodedTwice { column } => {
            let why = rows("text looks as if it had been encoded twice", "texts look as if they had been encoded twice");
            if let Some(done) = done(column) {
                return Some(Problem::new(Severity::Note, "column", at(column), format!("{why}; {done}")));
            }
            let hint = format!(
                "They are carried as they are. If they are, add to the mapping file:\n{}",
                lines::column(name, column, r#"decode = "utf8""#)
            );
            Some(Problem::new(Severity::Note, "column", at(column), why).hint(hint))
        }
        Q::LongerThan { columns, bytes } => {
            let column = columns.first()?;
            let why = rows(
                "value is larger than the target takes in one field",
                "values are larger than the target takes in one field",
            );
            let hint = "Leave the rows out with `source_where`, or the column with `drop = true`";
            Some(Problem::new(Severity::Refused, "column", at(column), format!("{why} ({bytes} bytes)")).hint(hint))
        }
        Q::LongEntry { index, bytes, .. } => {
            let longest = answer.longest.map(|longest| format!("; the longest has {longest}")).unwrap_or_default();
            let more =
                |what: &str| format!("{what} more than {bytes} bytes in the index, which is what the target takes{longest}");
            Some(super::entries::finding(table, index, rows(&more("row has"), &more("rows have"))))
        }
        Q::Orphan { key, .. } => {
            let why = rows("row points to a parent that is not carried", "rows point to a parent that is not carried");
            let hint = "Mend the rows in the source, leave them out with `source_where`";
            Some(orphans(table, key, &format!("{why}: `{}` has no such row", key.parent), hint))
        }
        Q::OtherSpelling { key, .. } => {
            let why = rows("row spells its parent's key in another way", "rows spell their parent's key in another way");
            let settings: Vec<String> =
                key.columns.iter().map(|name| format!("columns.{}.collation = \"citext\"", lines::key(name))).collect();
            let hint = format!(
                "Write the parent's spelling in the source, or let both be text without case (`{}` of `{}`, and of its parent likewise)",
                settings.join("`, `"),
                name.name
            );
            Some(orphans(table, key, &format!("{why}: equal in the source, not in the target"), &hint))
        }
    }
}

fn orphans(table: &MappedTable, key: &ForeignKey, why: &str, hint: &str) -> Problem {
    let name = &table.source.name;
    let place = format!("{name}.{}", key.name);
    if table.orphans == Orphans::NotValid {
        let why = format!("{why}; the foreign key is made for new and changed rows, and is not validated");
        return Problem::new(Severity::Note, "foreign key", place, why);
    }
    let lines = lines::table(name, "orphans = \"not_valid\"");
    let hint = format!("{hint}, or carry them under foreign keys that are made and not validated:\n{lines}");
    Problem::new(Severity::Refused, "foreign key", place, why).hint(hint)
}
