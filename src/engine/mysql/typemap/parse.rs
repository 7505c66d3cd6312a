//! Reads a type as MySQL and MariaDB print it (`COLUMN_TYPE`), or as a person writes it, into its parts.

use crate::model::catalog::NativeType;

/// What stands behind a type's name in parentheses.
#[derive(Debug, Default)]
struct Arguments {
    numbers: Vec<u64>,
    labels: Vec<String>,
}

/// The parts of a type. Never fails on names that it does not know: `MySqlDialect::to_logical` decides those.
///
/// `None` for text that is no type at all: no name, an open parenthesis or quote, arguments that are neither numbers nor quoted.
pub fn native_type(text: &str) -> Option<NativeType> {
    let text = text.trim();
    let word_end = text.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(text.len());
    let (name, rest) = text.split_at_checked(word_end)?;
    if name.is_empty() {
        return None;
    }
    let rest = rest.trim_start();
    let (arguments, modifiers) = match rest.strip_prefix('(') {
        Some(inside) => arguments(inside)?,
        None => (Arguments::default(), rest),
    };
    let modifiers = modifiers.to_ascii_lowercase();
    let (word, modifiers, arguments) = two_words(name.to_ascii_lowercase(), modifiers, arguments)?;
    let mut native = NativeType { full: text.to_string(), labels: arguments.labels, ..NativeType::default() };
    let has = |word: &str| modifiers.split_whitespace().any(|part| part == word);
    // ZEROFILL makes a column unsigned, whether it says so or not.
    native.unsigned = has("unsigned") || has("zerofill") || word == "serial";
    native.charset = after(&modifiers, &["character set", "charset"]);
    native.collation = after(&modifiers, &["collate"]);
    native.name = canonical(&word, &arguments.numbers).to_string();
    let first = arguments.numbers.first().copied();
    let second = arguments.numbers.get(1).copied();
    match native.name.as_str() {
        "decimal" => {
            native.precision = Some(u8::try_from(first.unwrap_or(10)).ok()?);
            native.scale = Some(u8::try_from(second.unwrap_or(0)).ok()?);
        }
        "float" | "double" => {
            // FLOAT(M,D) rounds to D digits when a value is stored; FLOAT(p) only chose between the two types.
            if let (Some(digits), Some(behind)) = (first, second) {
                native.precision = Some(u8::try_from(digits).ok()?);
                native.scale = Some(u8::try_from(behind).ok()?);
            }
        }
        "datetime" | "timestamp" | "time" => native.fsp = Some(u8::try_from(first.unwrap_or(0)).ok()?),
        "char" | "binary" | "bit" => native.length = Some(first.unwrap_or(1)),
        "tinyint" if matches!(word.as_str(), "bool" | "boolean") => native.length = Some(1),
        _ => native.length = first,
    }
    Some(native)
}

/// `inside` begins behind the opening parenthesis; also returns what stands behind the closing one.
fn arguments(inside: &str) -> Option<(Arguments, &str)> {
    let mut found = Arguments::default();
    let mut rest = inside.trim_start();
    loop {
        rest = rest.trim_start();
        if let Some(quoted) = rest.strip_prefix('\'') {
            let (label, behind) = unquote(quoted)?;
            found.labels.push(label);
            rest = behind.trim_start();
        } else {
            let end = rest.find([',', ')'])?;
            let (number, behind) = rest.split_at_checked(end)?;
            found.numbers.push(number.trim().parse().ok()?);
            rest = behind;
        }
        match rest.strip_prefix(',') {
            Some(more) => rest = more,
            None => return Some((found, rest.strip_prefix(')')?.trim_start())),
        }
    }
}

/// Reads a quoted text whose opening quote is gone: quotes are doubled or escaped, backslashes escaped. Also returns what
/// stands behind the closing quote.
pub fn unquote(text: &str) -> Option<(String, &str)> {
    let mut plain = String::with_capacity(text.len());
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '\'' => {
                let behind = text.get(at + 1..)?;
                if !behind.starts_with('\'') {
                    return Some((plain, behind));
                }
                chars.next();
                plain.push('\'');
            }
            '\\' => plain.push(unescaped(chars.next()?.1)),
            other => plain.push(other),
        }
    }
    None
}

/// The character that a backslash and `c` stand for.
pub fn unescaped(c: char) -> char {
    match c {
        '0' => '\0',
        'b' => '\u{8}',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'Z' => '\u{1a}',
        other => other,
    }
}

/// Type names of two words, whose second word stands before or behind the arguments.
fn two_words(mut word: String, mut modifiers: String, mut found: Arguments) -> Option<(String, String, Arguments)> {
    loop {
        let (next, rest) = match modifiers.split_once(|c: char| c.is_whitespace() || c == '(') {
            Some((next, _)) => (next.to_string(), modifiers.get(next.len()..)?.trim_start().to_string()),
            None => (std::mem::take(&mut modifiers), String::new()),
        };
        let joined = match (word.as_str(), next.as_str()) {
            ("double", "precision") => "double",
            ("national", "char" | "character") => "char",
            ("national", "varchar") | ("char" | "character" | "nchar", "varying") | ("nchar", "varchar") => "varchar",
            ("long", "varchar") => "mediumtext",
            ("long", "varbinary") => "mediumblob",
            _ => {
                modifiers = if rest.is_empty() { next } else { format!("{next} {rest}") };
                return Some((word, modifiers, found));
            }
        };
        word = joined.to_string();
        modifiers = rest;
        if let Some(inside) = modifiers.strip_prefix('(') {
            let (more, behind) = arguments(inside)?;
            let behind = behind.to_string();
            found = more;
            modifiers = behind;
        }
    }
}

/// The word behind one of `keys`: `latin1` of `character set latin1`.
fn after(modifiers: &str, keys: &[&str]) -> Option<String> {
    keys.iter().find_map(|key| Some(modifiers.split_once(key)?.1.split_whitespace().next()?.to_string()))
}

/// The name that the servers print for the words that they take.
fn canonical<'a>(word: &'a str, numbers: &[u64]) -> &'a str {
    match word {
        "integer" | "int4" => "int",
        "bool" | "boolean" | "int1" => "tinyint",
        "int2" => "smallint",
        "int3" | "middleint" => "mediumint",
        "int8" | "serial" => "bigint",
        "dec" | "numeric" | "fixed" => "decimal",
        "real" | "float8" => "double",
        "float4" => "float",
        "float" if numbers.len() == 1 && numbers.first().is_some_and(|bits| *bits > 24) => "double",
        "character" | "nchar" => "char",
        "nvarchar" | "varcharacter" => "varchar",
        "long" => "mediumtext",
        "geomcollection" => "geometrycollection",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> NativeType {
        native_type(text).unwrap_or_else(|| panic!("{text} is a type"))
    }

    #[test]
    fn integers_keep_their_width_and_their_sign() {
        let native = parsed("int(10) unsigned zerofill");
        assert_eq!((native.name.as_str(), native.length, native.unsigned), ("int", Some(10), true));
        let native = parsed("bigint unsigned");
        assert_eq!((native.name.as_str(), native.length, native.unsigned), ("bigint", None, true));
        assert!(parsed("int zerofill").unsigned);
        assert_eq!(parsed("tinyint(1)").length, Some(1));
        assert_eq!(parsed("BOOLEAN").length, Some(1));
    }

    #[test]
    fn labels_are_unescaped_and_commas_in_them_are_text() {
        let native = parsed("enum('a','b''c','d\\\\e','é,f','','g\"h','nl\\nx','(')");
        assert_eq!(native.labels, ["a", "b'c", "d\\e", "é,f", "", "g\"h", "nl\nx", "("]);
        assert_eq!(parsed("set('x', 'UNSIGNED') charset latin1").charset.as_deref(), Some("latin1"));
        assert!(!parsed("set('x','unsigned')").unsigned);
    }

    #[test]
    fn numbers_go_where_the_type_has_them() {
        let native = parsed("decimal(65,30) unsigned");
        assert_eq!((native.precision, native.scale, native.length), (Some(65), Some(30), None));
        assert_eq!((parsed("numeric").precision, parsed("dec(5)").scale), (Some(10), Some(0)));
        assert_eq!(parsed("datetime(6)").fsp, Some(6));
        assert_eq!(parsed("timestamp").fsp, Some(0));
        assert_eq!(parsed("char").length, Some(1));
        assert_eq!(parsed("text").length, None);
        assert_eq!(parsed("float(7,3)").scale, Some(3));
        assert_eq!((parsed("float(53)").name, parsed("float(10)").name), ("double".into(), "float".into()));
        assert_eq!(parsed("vector(3)").length, Some(3));
    }

    #[test]
    fn notes_in_comments_and_two_words_are_read() {
        let native = parsed("varchar(10) /*M!100301 COMPRESSED*/");
        assert_eq!((native.name.as_str(), native.length), ("varchar", Some(10)));
        assert_eq!(parsed("double precision unsigned").name, "double");
        assert!(parsed("double precision unsigned").unsigned);
        let native = parsed("national varchar(7) collate x");
        assert_eq!((native.name.as_str(), native.length, native.collation.as_deref()), ("varchar", Some(7), Some("x")));
        assert_eq!(parsed("character varying(9)").length, Some(9));
        assert_eq!(parsed("geomcollection").name, "geometrycollection");
    }

    #[test]
    fn text_that_is_no_type_is_none() {
        for text in ["", "(3)", "int(", "int(x)", "enum('a", "enum('a'", "'a'", "decimal(999,1)"] {
            assert!(native_type(text).is_none(), "{text}");
        }
    }
}
