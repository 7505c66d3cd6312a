//! What a column's default is, from how each flavour prints it.
//!
//! | | MySQL | MariaDB 10.2.7 and later |
//! |---|---|---|
//! | no default | NULL | NULL for NOT NULL columns, else the word `NULL` |
//! | text `it's` | `it's` | `'it''s'` |
//! | bits | `b'101'` | `b'101'` |
//! | bytes | `0x` and bytes up to the first 0 | `'…'` with `?` for bytes that are no text |
//! | the time | `CURRENT_TIMESTAMP(6)` | `current_timestamp(6)` |
//! | an expression | as text, and DEFAULT_GENERATED in EXTRA | as text |
//!
//! Both print `?` for characters outside the BMP. So bytes, and text with a `?`, are asked for again by `DEFAULT(column)`
//! over a row that does not exist.

use super::super::typemap::parse::unquote;
use super::expressions;
use super::query::{Session, quote, unhex};
use crate::error::Result;
use crate::model::ObjectName;
use crate::model::catalog::{Column, DefaultValue, NativeType, Problem, Severity, Table};

/// The default, as far as the printed text tells it. `extra` in lower case.
pub(super) fn parse(session: &Session<'_>, native: &NativeType, extra: &str, printed: Option<&str>) -> Option<DefaultValue> {
    let printed = printed?;
    let temporal = matches!(native.name.as_str(), "datetime" | "timestamp");
    if let Some(now) = current_timestamp(printed).filter(|_| temporal) {
        return Some(DefaultValue::CurrentTimestamp(now));
    }
    if native.name == "bit"
        && let Some(bits) = bits(native, printed)
    {
        return Some(DefaultValue::Literal(bits));
    }
    if session.mariadb && session.version >= (10, 2, 7) {
        mariadb(native, printed)
    } else if extra.contains("default_generated") {
        // `DEFAULT (NULL)` is no default, but prints as an expression.
        let expression = expressions::plain(session, printed);
        (!expression.eq_ignore_ascii_case("null")).then_some(DefaultValue::Expression(expression))
    } else {
        Some(DefaultValue::Literal(number(native, printed).unwrap_or_else(|| printed.to_string())))
    }
}

fn mariadb(native: &NativeType, printed: &str) -> Option<DefaultValue> {
    if printed.eq_ignore_ascii_case("null") {
        return None;
    }
    if let Some(quoted) = printed.strip_prefix('\'')
        && let Some((plain, "")) = unquote(quoted)
    {
        return Some(DefaultValue::Literal(plain));
    }
    Some(match number(native, printed) {
        Some(number) => DefaultValue::Literal(number),
        None => match next_of(printed) {
            Some(sequence) => DefaultValue::NextOf(sequence),
            None => DefaultValue::Expression(printed.to_string()),
        },
    })
}

/// The sequence of ``nextval(`shop`.`numbers`)``.
fn next_of(printed: &str) -> Option<ObjectName> {
    let quoted = printed.strip_prefix("nextval(`")?.strip_suffix("`)")?;
    // A backtick within a name stands there twice.
    let mut parts = quoted.split("`.`");
    let (schema, name) = (parts.next()?, parts.next()?);
    let plain = |part: &str| part.replace("``", "`");
    parts.next().is_none().then(|| ObjectName::new(plain(schema), plain(name)))
}

/// The digits of `CURRENT_TIMESTAMP`, `current_timestamp()` and `CURRENT_TIMESTAMP(6)`.
fn current_timestamp(printed: &str) -> Option<u8> {
    let lower = printed.to_ascii_lowercase();
    let digits = lower.strip_prefix("current_timestamp")?;
    if digits.is_empty() || digits == "()" {
        return Some(0);
    }
    digits.strip_prefix('(')?.strip_suffix(')')?.parse().ok()
}

/// The bits of `b'101'`, filled up to the column's width.
fn bits(native: &NativeType, printed: &str) -> Option<String> {
    let bits = printed.strip_prefix("b'")?.strip_suffix('\'')?;
    let width = usize::try_from(native.length.unwrap_or(1)).ok()?;
    bits.bytes().all(|bit| matches!(bit, b'0' | b'1')).then(|| format!("{bits:0>width$}"))
}

/// A number without the zeros of ZEROFILL and of YEAR; none for what is no plain number, or no number's type.
fn number(native: &NativeType, printed: &str) -> Option<String> {
    match native.name.as_str() {
        "tinyint" | "smallint" | "mediumint" | "int" | "bigint" | "year" => {
            printed.parse::<i128>().ok().map(|number| number.to_string())
        }
        "decimal" | "float" | "double" => {
            printed.parse::<f64>().ok().filter(|number| number.is_finite())?;
            let (sign, digits) = printed.strip_prefix('-').map_or(("", printed), |digits| ("-", digits));
            let short = digits.trim_start_matches('0');
            let zero = if short.starts_with(|c: char| c.is_ascii_digit()) { "" } else { "0" };
            Some(format!("{sign}{zero}{short}"))
        }
        _ => None,
    }
}

/// True if the printed text may not be the whole truth.
fn doubtful(column: &Column) -> bool {
    let Some(DefaultValue::Literal(text)) = &column.default else { return false };
    let binary = matches!(column.native.name.as_str(), "binary" | "varbinary" | "tinyblob" | "blob" | "mediumblob" | "longblob")
        || (column.native.charset.as_deref() == Some("binary") && column.native.labels.is_empty());
    binary || text.contains(['?', char::REPLACEMENT_CHARACTER])
}

/// Asks again for the defaults of `table` that print badly.
///
/// A default that the server will not tell exactly is taken out, and listed.
pub(super) async fn mend(session: &mut Session<'_>, table: &mut Table, problems: &mut Vec<Problem>) -> Result<()> {
    let name = table.name.clone();
    for column in table.columns.iter_mut().filter(|column| doubtful(column)) {
        let binary = column.native.labels.is_empty()
            && (column.native.charset.is_none() || column.native.charset.as_deref() == Some("binary"));
        let value = format!("DEFAULT(t.{})", quote(&column.name));
        let value = if binary { value } else { format!("CONVERT({value} USING utf8mb4)") };
        let from = format!("{} AS t", session.quoted(&name.name));
        let mut exact = told(session, &format!("SELECT HEX({value}) FROM (SELECT 1) AS one LEFT JOIN {from} ON FALSE")).await?;
        if exact.is_none() {
            // MariaDB answers NULL for a NOT NULL column of a row that is not there; any row of the table will do.
            exact = told(session, &format!("SELECT HEX({value}) FROM {from} LIMIT 1")).await?;
        }
        let exact = exact.and_then(|bytes| {
            if binary { Some(DefaultValue::Bytes(bytes)) } else { String::from_utf8(bytes).ok().map(DefaultValue::Literal) }
        });
        if exact.is_none() {
            let why = "The server prints this default only in part, and does not tell it exactly";
            let place = format!("{name}.{}", column.name);
            problems
                .push(Problem::new(Severity::NotCarried, "default", place, why).hint("Set the default by hand in the target"));
        }
        column.default = exact;
    }
    Ok(())
}

/// The one answer of `sql` as bytes; none if the server has none.
async fn told(session: &mut Session<'_>, sql: &str) -> Result<Option<Vec<u8>>> {
    match session.rows(sql).await {
        Ok(rows) => match rows.first() {
            Some(row) => Ok(row.text(0)?.as_deref().and_then(unhex)),
            None => Ok(None),
        },
        Err(_) => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::typemap::parse::native_type;
    use super::*;
    use DefaultValue as D;

    fn native(text: &str) -> NativeType {
        native_type(text).expect(text)
    }

    fn maria(text: &str, printed: &str) -> Option<D> {
        mariadb(&native(text), printed)
    }

    #[test]
    fn mariadb_tells_a_text_from_a_word() {
        assert_eq!(maria("varchar(9)", "NULL"), None);
        assert_eq!(maria("varchar(9)", "'NULL'"), Some(D::Literal("NULL".into())));
        assert_eq!(maria("varchar(9)", r#"'O''Br\\ien\n "x"'"#), Some(D::Literal("O'Br\\ien\n \"x\"".into())));
        assert_eq!(maria("varchar(9)", "''"), Some(D::Literal(String::new())));
        assert_eq!(maria("varchar(9)", "uuid()"), Some(D::Expression("uuid()".into())));
        assert_eq!(maria("varchar(9)", "'a' + 'b'"), Some(D::Expression("'a' + 'b'".into())));
        assert_eq!(maria("int", "(1 + 1)"), Some(D::Expression("(1 + 1)".into())));
        assert_eq!(maria("datetime", "'0000-00-00 00:00:00'"), Some(D::Literal("0000-00-00 00:00:00".into())));
    }

    #[test]
    fn numbers_lose_the_zeros_that_only_fill() {
        assert_eq!(number(&native("int(10) unsigned zerofill"), "0000000007").as_deref(), Some("7"));
        assert_eq!(number(&native("int"), "-5").as_deref(), Some("-5"));
        assert_eq!(number(&native("year"), "0000").as_deref(), Some("0"));
        assert_eq!(number(&native("decimal(10,3)"), "-1.500").as_deref(), Some("-1.500"));
        assert_eq!(number(&native("decimal(10,3) zerofill"), "0000000.250").as_deref(), Some("0.250"));
        assert_eq!(number(&native("decimal(10,0)"), "0").as_deref(), Some("0"));
        assert_eq!(number(&native("double"), "1e10").as_deref(), Some("1e10"));
        assert_eq!(number(&native("double"), "nan"), None);
        assert_eq!(number(&native("varchar(3)"), "7"), None);
        assert_eq!(number(&native("bigint unsigned"), "18446744073709551615").as_deref(), Some("18446744073709551615"));
    }

    #[test]
    fn the_time_of_the_statement_has_its_digits() {
        assert_eq!(current_timestamp("CURRENT_TIMESTAMP"), Some(0));
        assert_eq!(current_timestamp("current_timestamp()"), Some(0));
        assert_eq!(current_timestamp("CURRENT_TIMESTAMP(6)"), Some(6));
        assert_eq!(current_timestamp("current_timestamp() + interval 1 day"), None);
    }

    #[test]
    fn bits_are_filled_up_to_the_width() {
        assert_eq!(bits(&native("bit(8)"), "b'101'").as_deref(), Some("00000101"));
        assert_eq!(bits(&native("bit"), "b'0'").as_deref(), Some("0"));
        assert_eq!(bits(&native("bit(8)"), "uuid()"), None);
    }
}
