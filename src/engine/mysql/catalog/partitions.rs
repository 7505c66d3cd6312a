//! Partitions: what the server prints of them, and what that means, where it is about the plain values of columns.

use std::collections::BTreeMap;

use super::query::{Session, quote};
use crate::error::Result;
use crate::model::catalog::{Column, Table};
use crate::model::logical::Zone;
use crate::model::partition::{Part, PartBound, PartMethod, Partitioning, Parts};
use crate::model::{LogicalType, civil};

/// Of so many partitions each is shown in the definition.
const SHOWN: usize = 100;

/// What `TO_DAYS` says of 1970-01-01.
const DAYS_BEFORE_1970: i64 = 719_528;

/// What is printed of the partitions of one table.
#[derive(Default)]
struct Printed {
    method: String,
    expression: String,
    /// Of the partitions within partitions, or empty.
    below: String,
    /// Name and bound of each.
    parts: Vec<(String, Option<String>)>,
}

/// Adds the partitions to those of `tables` that have some.
pub(super) async fn read(session: &mut Session<'_>, tables: &mut BTreeMap<String, Table>) -> Result<()> {
    let sql = format!(
        "SELECT TABLE_NAME, PARTITION_METHOD, PARTITION_EXPRESSION, SUBPARTITION_METHOD, SUBPARTITION_EXPRESSION, PARTITION_NAME, \
         PARTITION_DESCRIPTION FROM information_schema.PARTITIONS WHERE {} AND PARTITION_NAME IS NOT NULL \
         ORDER BY TABLE_NAME, PARTITION_ORDINAL_POSITION, SUBPARTITION_ORDINAL_POSITION",
        session.in_database("TABLE_SCHEMA")
    );
    let mut found: BTreeMap<String, Printed> = BTreeMap::new();
    for row in session.rows(&sql).await? {
        let printed = found.entry(row.need(0)?).or_default();
        printed.method = row.text(1)?.unwrap_or_default();
        printed.expression = row.text(2)?.unwrap_or_default();
        if let Some(method) = row.text(3)? {
            printed.below = format!("{method} ({})", row.text(4)?.unwrap_or_default());
        }
        let name = row.need(5)?;
        if printed.parts.last().is_none_or(|(last, _)| *last != name) {
            printed.parts.push((name, row.text(6)?));
        }
    }
    for (name, printed) in found {
        let Some(table) = tables.get_mut(&name) else { continue };
        let (parts, why_not) = match meaning(table, &printed) {
            Ok(parts) => (Some(parts), String::new()),
            Err(why) => (None, why),
        };
        table.partitioning = Some(Partitioning { definition: definition(&printed), count: printed.parts.len(), parts, why_not });
    }
    Ok(())
}

/// The clause of CREATE TABLE, as far as it is of interest.
fn definition(printed: &Printed) -> String {
    let mut text = format!("PARTITION BY {}", printed.method);
    if !printed.expression.is_empty() {
        text.push_str(&format!(" ({})", printed.expression));
    }
    if !printed.below.is_empty() {
        text.push_str(&format!(" SUBPARTITION BY {}", printed.below));
    }
    let is_list = printed.method.starts_with("LIST");
    let mut parts: Vec<String> = printed
        .parts
        .iter()
        .take(SHOWN)
        .map(|(name, bound)| {
            let name = quote(name);
            match bound.as_deref() {
                None => format!("PARTITION {name}"),
                Some(bound) if is_list => format!("PARTITION {name} VALUES IN ({bound})"),
                Some("MAXVALUE") => format!("PARTITION {name} VALUES LESS THAN MAXVALUE"),
                Some(bound) => format!("PARTITION {name} VALUES LESS THAN ({bound})"),
            }
        })
        .collect();
    if printed.parts.len() > SHOWN {
        parts.push("…".into());
    }
    format!("{text} ({})", parts.join(", "))
}

/// What a bound is about.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Number,
    Date,
    Text,
    /// A number of years, over a column of dates.
    Year,
    /// A number of days, over a column of dates.
    Days,
}

/// What the partitions mean.
///
/// # Errors
/// Why that is more than ranges or lists of plain values.
fn meaning(table: &Table, printed: &Printed) -> Result<Parts, String> {
    if !printed.below.is_empty() {
        return Err("partitions within partitions are not translated".into());
    }
    let expression = printed.expression.trim();
    let (method, columns) = match printed.method.to_ascii_uppercase().as_str() {
        "RANGE COLUMNS" => (PartMethod::Range, names(table, expression)?),
        "LIST COLUMNS" => (PartMethod::List, names(table, expression)?),
        "RANGE" => (PartMethod::Range, vec![by_expression(table, expression)?]),
        "LIST" => (PartMethod::List, names(table, expression)?),
        other => return Err(format!("{other} is a way of the source alone to part rows")),
    };
    if method == PartMethod::List && columns.len() > 1 {
        return Err("lists are over one column alone in the target".into());
    }
    if method == PartMethod::Range && columns.iter().any(|(_, form)| *form == Form::Text) {
        return Err("ranges of text follow the order of the source's collation".into());
    }
    let forms: Vec<Form> = columns.iter().map(|(_, form)| *form).collect();
    let parts = printed.parts.iter().map(|(name, bound)| {
        let bound = bound.as_deref().ok_or("the source does not tell their bounds")?;
        let bound = bound_of(method, &forms, bound).map_err(|why| format!("the bound {bound} of `{name}` {why}"))?;
        Ok(Part { name: name.clone(), bound })
    });
    Ok(Parts {
        method,
        columns: columns.into_iter().map(|(name, _)| name).collect(),
        parts: parts.collect::<Result<_, String>>()?,
    })
}

/// Columns, separated by commas.
fn names(table: &Table, text: &str) -> Result<Vec<(String, Form)>, String> {
    let one = |part: &str| {
        let column = column(table, part).ok_or_else(|| format!("the expression {text} is not translated"))?;
        let form = plain_form(column)
            .ok_or_else(|| format!("values of `{}`, a `{}`, are not translated", column.name, column.native.full))?;
        Ok((column.name.clone(), form))
    };
    text.split(',').map(one).collect()
}

fn plain_form(column: &Column) -> Option<Form> {
    use LogicalType as L;
    Some(match column.logical.as_ref()? {
        L::Int8 | L::Int16 | L::Int32 | L::Int64 | L::UInt8 | L::UInt16 | L::UInt32 | L::UInt64 => Form::Number,
        L::Date | L::Timestamp { zone: Zone::None, .. } => Form::Date,
        L::Text { .. } => Form::Text,
        _ => return None,
    })
}

/// One column, by its values or by a function that its bounds can be taken through.
fn by_expression(table: &Table, text: &str) -> Result<(String, Form), String> {
    if let Ok(mut columns) = names(table, text)
        && let (Some(only), true) = (columns.pop(), columns.is_empty())
    {
        return Ok(only);
    }
    let lower = text.to_ascii_lowercase();
    for (start, form) in [("year(", Form::Year), ("to_days(", Form::Days)] {
        let inner = lower.strip_prefix(start).and_then(|_| text.get(start.len()..)?.strip_suffix(')'));
        if let Some(column) = inner.and_then(|inner| column(table, inner))
            && plain_form(column) == Some(Form::Date)
        {
            return Ok((column.name.clone(), form));
        }
    }
    Err(format!("the expression {text} is not translated"))
}

/// The column of that name, quoted or not.
fn column<'t>(table: &'t Table, text: &str) -> Option<&'t Column> {
    let text = text.trim();
    let name = match text.strip_prefix('`') {
        Some(rest) => rest.strip_suffix('`')?.replace("``", "`"),
        None => text.to_string(),
    };
    table.columns.iter().find(|column| column.name.eq_ignore_ascii_case(&name))
}

/// A value as it is printed.
#[derive(Debug, PartialEq, Eq)]
enum Value {
    Text(String),
    Number(String),
    /// MAXVALUE, NULL, DEFAULT.
    Word(String),
}

/// Values separated by commas; `None` for anything else.
fn values(text: &str) -> Option<Vec<Value>> {
    let mut all = Vec::new();
    let mut letters = text.chars().peekable();
    loop {
        while letters.next_if(|letter| letter.is_ascii_whitespace()).is_some() {}
        let mut word = String::new();
        if letters.next_if_eq(&'\'').is_some() {
            loop {
                match letters.next()? {
                    '\'' if letters.next_if_eq(&'\'').is_some() => word.push('\''),
                    '\'' => break,
                    '\\' => word.push(super::super::typemap::parse::unescaped(letters.next()?)),
                    other => word.push(other),
                }
            }
            all.push(Value::Text(word));
        } else {
            while let Some(letter) = letters.next_if(|letter| letter.is_ascii_alphanumeric() || *letter == '-') {
                word.push(letter);
            }
            let digits = word.strip_prefix('-').unwrap_or(&word);
            all.push(match word.to_ascii_uppercase().as_str() {
                _ if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) => Value::Number(word),
                word @ ("MAXVALUE" | "NULL" | "DEFAULT") => Value::Word(word.to_string()),
                _ => return None,
            });
        }
        while letters.next_if(|letter| letter.is_ascii_whitespace()).is_some() {}
        match letters.next() {
            None => return Some(all),
            Some(',') => {}
            Some(_) => return None,
        }
    }
}

fn bound_of(method: PartMethod, forms: &[Form], text: &str) -> Result<PartBound, String> {
    let values = values(text).ok_or("is not understood")?;
    if method == PartMethod::List {
        if values == [Value::Word("DEFAULT".into())] {
            return Ok(PartBound::Rest);
        }
        let form = forms.first().copied().ok_or("is not understood")?;
        let listed = values.into_iter().map(|value| match value {
            Value::Word(word) if word == "NULL" => Ok(None),
            other => literal(form, other).map(Some),
        });
        return Ok(PartBound::In(listed.collect::<Result<_, String>>()?));
    }
    if values.len() != forms.len() {
        return Err("is not understood".into());
    }
    let below = values.into_iter().zip(forms).map(|(value, form)| match value {
        Value::Word(word) if word == "MAXVALUE" => Ok(None),
        other => literal(*form, other).map(Some),
    });
    let below: Vec<Option<String>> = below.collect::<Result<_, String>>()?;
    let above_all = below.iter().position(Option::is_none).unwrap_or(below.len());
    if below.iter().skip(above_all).any(Option::is_some) {
        return Err("has a value behind MAXVALUE".into());
    }
    Ok(PartBound::Below(below))
}

/// The first day of those that a bound by a function leaves out; a date as it is.
fn literal(form: Form, value: Value) -> Result<String, String> {
    let number = |text: &str| text.parse::<i64>().map_err(|_| "is too large".to_string());
    match (form, value) {
        (Form::Number, Value::Number(text)) | (Form::Text, Value::Text(text)) => Ok(text),
        (Form::Date, Value::Text(text)) => is_date(&text).then_some(text).ok_or_else(|| "is no date".into()),
        (Form::Year, Value::Number(text)) => match number(&text)? {
            year @ 1..=9_999 => Ok(format!("{year:04}-01-01")),
            _ => Err("is no year of a date".into()),
        },
        (Form::Days, Value::Number(text)) => {
            let days = number(&text)?.saturating_sub(DAYS_BEFORE_1970);
            let known = civil::to_days(1, 1, 1).zip(civil::to_days(10_000, 1, 1));
            match known {
                Some((first, last)) if (first..=last).contains(&days) => Ok(civil::date_text(days)),
                _ => Err("is no day of a date".into()),
            }
        }
        _ => Err("is not understood".into()),
    }
}

/// True for a date that the calendar has, with or without a time of day.
fn is_date(text: &str) -> bool {
    let date = text.split(' ').next().unwrap_or_default();
    let mut numbers = date.split('-').map(|part| part.parse::<i64>().ok());
    let (year, month, day) = (numbers.next().flatten(), numbers.next().flatten(), numbers.next().flatten());
    let known = year.zip(month).zip(day).and_then(|((year, month), day)| civil::to_days(year, month, day).filter(|_| year > 0));
    known.is_some() && numbers.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_read_as_they_are_printed() {
        let bound = |method, forms: &[Form], text| bound_of(method, forms, text);
        let below =
            |values: &[Option<&str>]| Ok(PartBound::Below(values.iter().map(|value| value.map(str::to_string)).collect()));
        let listed = |values: &[Option<&str>]| Ok(PartBound::In(values.iter().map(|value| value.map(str::to_string)).collect()));
        let (range, list) = (PartMethod::Range, PartMethod::List);
        assert_eq!(bound(range, &[Form::Number], "-10"), below(&[Some("-10")]));
        assert_eq!(bound(range, &[Form::Number], "MAXVALUE"), below(&[None]));
        assert_eq!(bound(range, &[Form::Year], "2020"), below(&[Some("2020-01-01")]));
        assert_eq!(bound(range, &[Form::Days], "737790"), below(&[Some("2020-01-01")]));
        assert_eq!(bound(range, &[Form::Date, Form::Number], "'2020-02-29',MAXVALUE"), below(&[Some("2020-02-29"), None]));
        assert_eq!(bound(list, &[Form::Text], "'it''s','a,b',NULL"), listed(&[Some("it's"), Some("a,b"), None]));
        assert_eq!(bound(list, &[Form::Number], "DEFAULT"), Ok(PartBound::Rest));
        for (forms, text) in [
            (&[Form::Year][..], "0"),
            (&[Form::Days][..], "7"),
            (&[Form::Date][..], "'2020-00-00'"),
            (&[Form::Number, Form::Number][..], "MAXVALUE,3"),
            (&[Form::Number][..], "1 + 1"),
            (&[Form::Text][..], "_latin1 0x61"),
        ] {
            assert!(bound(range, forms, text).is_err(), "{text}");
        }
    }
}
