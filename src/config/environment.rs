//! References to the environment, `${NAME}`, in the strings of both files and in addresses.
//!
//! `$${` stands for a plain `${`; any other `$` is itself. Values are never looked into again, so a password may hold `${`.

use std::collections::BTreeSet;

/// Where variables come from: the process, or a test.
pub type Environment<'a> = dyn Fn(&str) -> Option<String> + 'a;

/// The process's own environment.
pub fn process_environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// One piece of a text with references.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    Variable(String),
}

/// Cuts a text at its references. The `Err` is a sentence about a reference that is none.
fn pieces(text: &str) -> Result<Vec<Piece>, String> {
    let mut all = Vec::new();
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        if let Some(head) = before.strip_suffix('$') {
            plain.push_str(head);
            plain.push_str("${");
            rest = after;
            continue;
        }
        plain.push_str(before);
        let Some((name, tail)) = after.split_once('}') else {
            return Err("a `${` has no `}` behind it".into());
        };
        let mut characters = name.chars();
        let starts_well = characters.next().is_some_and(|first| first.is_ascii_alphabetic() || first == '_');
        if !starts_well || !characters.all(|character| character.is_ascii_alphanumeric() || character == '_') {
            return Err("a `${…}` holds no name of an environment variable".into());
        }
        all.push(Piece::Text(std::mem::take(&mut plain)));
        all.push(Piece::Variable(name.to_string()));
        rest = tail;
    }
    plain.push_str(rest);
    all.push(Piece::Text(plain));
    Ok(all)
}

/// Why a text could not be completed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unresolved {
    /// These variables are not set.
    Missing(BTreeSet<String>),
    /// A reference is malformed; the sentence says how.
    Malformed(String),
}

/// Puts in the values of all references, as they are.
///
/// # Errors
/// The variables that are missing, or what is malformed. Never a value.
pub fn expand(text: &str, environment: &Environment<'_>) -> Result<String, Unresolved> {
    join(&pieces(text).map_err(Unresolved::Malformed)?, environment, |_, value| value)
}

/// Puts in the values of all references of an address so that each stays what it stands for, whatever characters it has.
///
/// | A reference | becomes |
/// |---|---|
/// | as the whole address, or before `://` | its value as it is |
/// | in user, password, database or parameters of a server's address | its value, percent-encoded: a password with `@` or `/` works |
/// | in host or port, or in a path (`sqlite://`, `parquet://`) | its value as it is |
///
/// # Errors
/// As for [`expand`].
pub fn expand_address(text: &str, environment: &Environment<'_>) -> Result<String, Unresolved> {
    let pieces = pieces(text).map_err(Unresolved::Malformed)?;
    let literal: String = pieces.iter().map(|piece| if let Piece::Text(text) = piece { text.as_str() } else { "" }).collect();
    let is_path = literal.starts_with("sqlite:") || literal.starts_with("parquet:");
    let Some(scheme_end) = literal.find("://").filter(|_| !is_path) else {
        return join(&pieces, environment, |_, value| value);
    };
    let start = scheme_end + "://".len();
    let authority = literal.get(start..).unwrap_or_default();
    let authority = authority.find(['/', '?', '#']).map_or(authority, |end| authority.get(..end).unwrap_or_default());
    let end = start + authority.len();
    let at = authority.rfind('@').map(|at| start + at);
    join(&pieces, environment, |offset, value| {
        let in_login = offset >= start && at.is_some_and(|at| offset <= at);
        if in_login || offset > end { percent_encode(&value) } else { value }
    })
}

/// Joins pieces; `place` gets each value with its offset in the literal text.
fn join(pieces: &[Piece], environment: &Environment<'_>, place: impl Fn(usize, String) -> String) -> Result<String, Unresolved> {
    let mut text = String::new();
    let mut offset = 0;
    let mut missing = BTreeSet::new();
    for piece in pieces {
        match piece {
            Piece::Text(literal) => {
                text.push_str(literal);
                offset += literal.len();
            }
            Piece::Variable(name) => match environment(name) {
                Some(value) => text.push_str(&place(offset, value)),
                None => {
                    missing.insert(name.clone());
                }
            },
        }
    }
    if missing.is_empty() { Ok(text) } else { Err(Unresolved::Missing(missing)) }
}

/// Percent-encodes all but letters, digits and `-._~` (RFC 3986, section 2.3).
pub fn percent_encode(text: &str) -> String {
    use std::fmt::Write;
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(name: &str) -> Option<String> {
        match name {
            "PASSWORD" => Some("p@s/s:w?o#r%d ${X}".into()),
            "HOST" => Some("db1:3307".into()),
            "URL" => Some("mysql://me:a%40b@h/shop".into()),
            "EMPTY" => Some(String::new()),
            _ => None,
        }
    }

    #[test]
    fn references_are_replaced_once_and_escapes_stay() {
        assert_eq!(expand("a$b ${HOST}$${HOST} $$ ${EMPTY}.", &environment).unwrap(), "a$b db1:3307${HOST} $$ .");
        assert_eq!(expand("${PASSWORD}", &environment).unwrap(), "p@s/s:w?o#r%d ${X}");
    }

    #[test]
    fn every_missing_variable_is_named() {
        let missing = expand("${A} ${HOST} ${B}", &environment).unwrap_err();
        assert_eq!(missing, Unresolved::Missing(["A".to_string(), "B".to_string()].into()));
        for text in ["${", "${A", "${}", "${A-B}", "${1}"] {
            assert!(matches!(expand(text, &environment), Err(Unresolved::Malformed(_))), "{text}");
        }
    }

    #[test]
    fn a_value_in_an_address_stays_what_it_stands_for() {
        let expanded = expand_address("mysql://me:${PASSWORD}@${HOST}/shop", &environment).unwrap();
        let endpoint = crate::config::endpoint::Endpoint::parse(&expanded).unwrap();
        assert_eq!(endpoint.password.as_ref().map(|secret| secret.expose()), Some("p@s/s:w?o#r%d ${X}"));
        assert_eq!((endpoint.host.as_str(), endpoint.port, endpoint.database.as_str()), ("db1", Some(3307), "shop"));
        let expanded = expand_address("postgres://${PASSWORD}@h/${PASSWORD}?application_name=${PASSWORD}", &environment).unwrap();
        let endpoint = crate::config::endpoint::Endpoint::parse(&expanded).unwrap();
        assert_eq!(endpoint.user.as_deref(), Some("p@s/s:w?o#r%d ${X}"));
        assert_eq!(endpoint.database, "p@s/s:w?o#r%d ${X}");
        assert_eq!(endpoint.params.get("application_name").map(String::as_str), Some("p@s/s:w?o#r%d ${X}"));
    }

    #[test]
    fn a_whole_address_and_a_path_are_taken_as_they_are() {
        assert_eq!(expand_address("${URL}", &environment).unwrap(), "mysql://me:a%40b@h/shop");
        assert_eq!(expand_address("sqlite://x/${PASSWORD}", &environment).unwrap(), "sqlite://x/p@s/s:w?o#r%d ${X}");
        assert_eq!(expand_address("mysql://${HOST}/shop", &environment).unwrap(), "mysql://db1:3307/shop");
    }
}
