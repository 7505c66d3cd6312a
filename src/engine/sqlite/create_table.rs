//! What only the text of CREATE TABLE tells, not the pragmas: checks, expressions of generated columns, and a few words.
//!
//! Not a parser of SQL: SQLite has accepted the text, so it is enough to find quotes, comments, parentheses and commas.

/// A piece of SQL.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Token<'a> {
    kind: Kind,
    /// As it stands in the text.
    text: &'a str,
    /// Where it begins in the text.
    start: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// A keyword, a bare name or a number.
    Word,
    /// `"name"`, `[name]`, `` `name` `` or `'text'`.
    Quoted,
    /// Any other single character.
    Sign,
}

impl Token<'_> {
    fn is_word(&self, word: &str) -> bool {
        self.kind == Kind::Word && self.text.eq_ignore_ascii_case(word)
    }

    fn is_sign(&self, sign: &str) -> bool {
        self.kind == Kind::Sign && self.text == sign
    }

    /// The name that the token spells.
    fn name(&self) -> String {
        if self.kind != Kind::Quoted {
            return self.text.to_string();
        }
        let inner = self.text.get(1..self.text.len().saturating_sub(1)).unwrap_or_default();
        match self.text.as_bytes().first() {
            Some(b'[') | None => inner.to_string(),
            Some(quote) => {
                let quote = char::from(*quote).to_string();
                inner.replace(&quote.repeat(2), &quote)
            }
        }
    }
}

/// Cuts SQL into tokens; blanks and comments are left out.
fn tokens(sql: &str) -> Vec<Token<'_>> {
    let bytes = sql.as_bytes();
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let start = at;
        let find = |from: usize, what: &str| sql.get(from..).and_then(|rest| rest.find(what)).map(|place| from + place);
        match byte {
            b' ' | b'\t' | b'\n' | b'\r' | 0x0c => at += 1,
            b'-' if bytes.get(at + 1) == Some(&b'-') => at = find(at, "\n").map_or(bytes.len(), |end| end + 1),
            b'/' if bytes.get(at + 1) == Some(&b'*') => at = find(at + 2, "*/").map_or(bytes.len(), |end| end + 2),
            b'[' => {
                at = find(at, "]").map_or(bytes.len(), |end| end + 1);
                push(&mut found, Kind::Quoted, sql, start, at);
            }
            b'"' | b'\'' | b'`' => {
                at += 1;
                while let Some(&inner) = bytes.get(at) {
                    at += 1;
                    if inner == byte {
                        if bytes.get(at) != Some(&byte) {
                            break;
                        }
                        at += 1;
                    }
                }
                push(&mut found, Kind::Quoted, sql, start, at);
            }
            b'_' | b'$' | b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | 0x80.. => {
                while matches!(bytes.get(at), Some(b'_' | b'$' | b'.' | b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | 0x80..)) {
                    at += 1;
                }
                push(&mut found, Kind::Word, sql, start, at);
            }
            _ => {
                at += 1;
                push(&mut found, Kind::Sign, sql, start, at);
            }
        }
    }
    found
}

fn push<'a>(found: &mut Vec<Token<'a>>, kind: Kind, sql: &'a str, start: usize, end: usize) {
    if let Some(text) = sql.get(start..end) {
        found.push(Token { kind, text, start });
    }
}

/// What the text of a CREATE TABLE tells beyond the pragmas.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct CreateTable {
    /// Each check with its name, or without, as it was written: `CHECK (qty > 0)`.
    pub(super) checks: Vec<(Option<String>, String)>,
    /// Expressions of generated columns, by the column's name in lower case.
    pub(super) generated: Vec<(String, String)>,
    /// AUTOINCREMENT.
    pub(super) autoincrement: bool,
    /// Some foreign key is DEFERRABLE.
    pub(super) deferrable: bool,
}

impl CreateTable {
    /// Reads the text, as it stands in `sqlite_schema`.
    pub(super) fn parse(sql: &str) -> Self {
        let all = tokens(sql);
        let mut found = CreateTable {
            autoincrement: all.iter().any(|token| token.is_word("AUTOINCREMENT")),
            deferrable: all.iter().any(|token| token.is_word("DEFERRABLE")),
            ..CreateTable::default()
        };
        let mut depth = 0;
        let mut column: Option<String> = None;
        // True at the first token of a column or a table constraint.
        let mut fresh = false;
        let mut name = None;
        for (place, token) in all.iter().enumerate() {
            if token.is_sign("(") {
                depth += 1;
                fresh = depth == 1;
                continue;
            }
            if token.is_sign(")") {
                depth -= 1;
                continue;
            }
            if depth != 1 {
                continue;
            }
            if token.is_sign(",") {
                fresh = true;
                name = None;
                continue;
            }
            if fresh {
                column = Some(token.name().to_lowercase());
                fresh = false;
            }
            if token.is_word("CONSTRAINT") {
                name = all.get(place + 1).map(Token::name);
            } else if token.is_word("CHECK") {
                if let Some((start, end)) = group(&all, place + 1) {
                    let expression = sql.get(start..end).unwrap_or_default();
                    found.checks.push((name.take(), format!("CHECK {expression}")));
                }
            } else if token.is_word("AS")
                && let (Some(column), Some((start, end))) = (&column, group(&all, place + 1))
            {
                let inner = sql.get(start + 1..end.saturating_sub(1)).unwrap_or_default();
                found.generated.push((column.clone(), inner.trim().to_string()));
            }
        }
        found
    }

    /// The expression of a generated column.
    pub(super) fn generated(&self, column: &str) -> Option<&str> {
        let column = column.to_lowercase();
        self.generated.iter().find(|(name, _)| *name == column).map(|(_, expression)| expression.as_str())
    }
}

/// Where in the text the group in parentheses begins and ends whose `(` is token `open`.
fn group(all: &[Token<'_>], open: usize) -> Option<(usize, usize)> {
    let start = all.get(open).filter(|token| token.is_sign("("))?.start;
    let mut depth = 0;
    for token in all.get(open..)? {
        if token.is_sign("(") {
            depth += 1;
        } else if token.is_sign(")") {
            depth -= 1;
            if depth == 0 {
                return Some((start, token.start + 1));
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checks_and_expressions_are_found_between_quotes_and_comments() {
        let found = CreateTable::parse(
            r#"CREATE TABLE "a (b" ( -- CHECK (no)
                id INTEGER PRIMARY KEY AUTOINCREMENT, /* , CHECK (no) */
                "check" TEXT DEFAULT ('x, CHECK (no)') CONSTRAINT "it's" CHECK ("check" <> ')'),
                [qty] INT CHECK(qty>0),
                total AS (qty * 2) STORED,
                "Äpfel" INT GENERATED ALWAYS AS (max(qty, 3)),
                CHECK (qty IN (1, 2))
            ) STRICT"#,
        );
        assert_eq!(
            found.checks,
            [
                (Some("it's".to_string()), r#"CHECK ("check" <> ')')"#.to_string()),
                (None, "CHECK (qty>0)".to_string()),
                (None, "CHECK (qty IN (1, 2))".to_string()),
            ]
        );
        assert_eq!(found.generated("TOTAL"), Some("qty * 2"));
        assert_eq!(found.generated("Äpfel"), Some("max(qty, 3)"));
        assert_eq!(found.generated("qty"), None);
        assert!(found.autoincrement && !found.deferrable);
    }

    #[test]
    fn broken_text_is_read_to_its_end() {
        for sql in ["", "CREATE TABLE t (", "CREATE TABLE t (a CHECK (", "'", "\"", "[", "/*", "--", "ä(ö"] {
            let _ = CreateTable::parse(sql);
        }
    }
}
