//! What a pattern matched, put into the texts of an expression, and nowhere else.

use datafusion_sql::sqlparser::dialect::GenericDialect;
use datafusion_sql::sqlparser::tokenizer::{Token, Tokenizer};

use crate::error::{Error, ErrorKind, Result};

/// `sql` with `$1` to `$9`, and `$0` for all of it, replaced by what `group` says of each, within the quotes of texts.
///
/// # Errors
/// `Mapping` when a `$1` stands outside of a text, or when a group would change anything but the texts: whatever it holds, the rest of the
/// expression stays word by word what was written.
pub fn fill(sql: &str, group: impl Fn(usize) -> String) -> Result<String> {
    let mut filled = String::with_capacity(sql.len());
    let mut letters = sql.chars().peekable();
    while let Some(letter) = letters.next() {
        let digit = letters.peek().and_then(|next| next.to_digit(10)).filter(|_| letter == '$');
        match digit.and_then(|digit| usize::try_from(digit).ok()) {
            Some(number) => {
                letters.next();
                filled.push_str(&group(number).replace('\'', "''"));
            }
            None => filled.push(letter),
        }
    }
    if filled == sql {
        return Ok(filled);
    }
    let words = |sql: &str| Tokenizer::new(&GenericDialect {}, sql).tokenize().ok();
    let same = words(sql).zip(words(&filled)).is_some_and(|(before, after)| {
        let kept = |(one, two): (&Token, &Token)| match (one, two) {
            (Token::SingleQuotedString(_), Token::SingleQuotedString(_)) => true,
            // A comment would hide what follows it.
            (Token::Whitespace(_), Token::Whitespace(_)) => one == two,
            _ => one == two && !matches!(one, Token::Placeholder(_)),
        };
        before.len() == after.len() && before.iter().zip(&after).all(kept)
    });
    if same {
        return Ok(filled);
    }
    let what = format!("in `{}` a `$` and a digit stand outside of a text", sql.trim());
    Err(Error::new(ErrorKind::Mapping, what).hint("Write `'$1'`: a group is a text; `CAST('$1' AS BIGINT)` makes a number of it"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_only_ever_a_text() {
        let with = |sql: &str, group: &str| fill(sql, |_| group.to_string());
        assert_eq!(with("'$1'", "a").unwrap(), "'a'");
        assert_eq!(with("concat('t-$1', name)", "o'neil").unwrap(), "concat('t-o''neil', name)");
        assert_eq!(with("'$1'", "x' OR '1'='1").unwrap(), "'x'' OR ''1''=''1'");
        assert_eq!(with("'$1' -- it", "a\\").unwrap(), "'a\\' -- it");
        assert_eq!(with("a + 1", "x").unwrap(), "a + 1");
        for (sql, group) in [("$1", "a"), ("\"$1\"", "a"), ("a -- $1", "x\n + b"), ("a /* $1 */", "*/ + b /*"), ("x$1", "y")] {
            assert!(with(sql, group).is_err(), "{sql} with {group}");
        }
    }
}
