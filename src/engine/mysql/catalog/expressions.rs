//! Undoes what MySQL 8 and later do to an expression before they print it in `information_schema`.
//!
//! The text is escaped once as a whole (`_utf8mb4\'it\\\'s\'`), and its UTF-8 bytes are taken for latin1, so that `é` comes as
//! `Ã©`. MySQL 5.7 and MariaDB do neither.

use super::super::typemap::parse::unescaped;
use super::query::Session;

/// The expression as `SHOW CREATE TABLE` prints it.
pub(super) fn plain(session: &Session<'_>, text: &str) -> String {
    if session.mariadb || session.version < (8, 0, 0) { text.to_string() } else { from_mysql_8(text) }
}

fn from_mysql_8(text: &str) -> String {
    let text = read_as_latin1(text).unwrap_or_else(|| text.to_string());
    let mut plain = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => plain.extend(chars.next().map(unescaped)),
            other => plain.push(other),
        }
    }
    plain
}

/// The text whose UTF-8 bytes were taken for MySQL's latin1; none if this text did not come about so.
fn read_as_latin1(text: &str) -> Option<String> {
    if text.is_ascii() {
        return None;
    }
    String::from_utf8(text.chars().map(latin1_byte).collect::<Option<Vec<u8>>>()?).ok()
}

/// MySQL's latin1 is cp1252 with its five gaps filled by the control characters of the same number.
fn latin1_byte(c: char) -> Option<u8> {
    const HIGH: [(char, u8); 27] = [
        ('€', 0x80),
        ('‚', 0x82),
        ('ƒ', 0x83),
        ('„', 0x84),
        ('…', 0x85),
        ('†', 0x86),
        ('‡', 0x87),
        ('ˆ', 0x88),
        ('‰', 0x89),
        ('Š', 0x8a),
        ('‹', 0x8b),
        ('Œ', 0x8c),
        ('Ž', 0x8e),
        ('‘', 0x91),
        ('’', 0x92),
        ('“', 0x93),
        ('”', 0x94),
        ('•', 0x95),
        ('–', 0x96),
        ('—', 0x97),
        ('˜', 0x98),
        ('™', 0x99),
        ('š', 0x9a),
        ('›', 0x9b),
        ('œ', 0x9c),
        ('ž', 0x9e),
        ('Ÿ', 0x9f),
    ];
    match HIGH.iter().find(|(high, _)| *high == c) {
        Some((_, byte)) => Some(*byte),
        None => u8::try_from(u32::from(c)).ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mysql_escapes_and_mistaken_bytes_are_undone() {
        assert_eq!(from_mysql_8(r#"concat(`i`,_utf8mb4\'q\\\'"\\\\\')"#), r#"concat(`i`,_utf8mb4'q\'"\\')"#);
        assert_eq!(from_mysql_8(r"concat(_utf8mb4\'Ã©\\n\')"), r"concat(_utf8mb4'é\n')");
        assert_eq!(from_mysql_8("_utf8mb4\\'ð\u{178}˜€\\'"), "_utf8mb4'😀'");
    }

    #[test]
    fn text_that_was_not_mistaken_stays() {
        assert_eq!(from_mysql_8(r"_utf8mb4\'é\'"), "_utf8mb4'é'");
        assert_eq!(from_mysql_8(r"_utf8mb4\'日本\'"), "_utf8mb4'日本'");
    }
}
