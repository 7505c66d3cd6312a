//! Names by pattern and by style: `[[rename]]` and `[naming]` of a mapping file.
//!
//! Who decides a name: the table's own rule (`to`, `rename`), and the name stands as it is written there; else the first `[[rename]]`
//! whose pattern fits the whole name, and then the style. Nothing is renamed unless a rule says so.

use regex::Regex;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::rules::is_zero;

/// Renames by pattern. Exactly one of `tables`, `schemas` and `columns` is given.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RenameRule {
    /// Regular expression over the names of source tables; it must fit the whole name: `shop_(.*)`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1), extend("format" = "regex"))]
    pub tables: Option<String>,
    /// Regular expression over the names of source schemas, which are databases in MySQL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1), extend("format" = "regex"))]
    pub schemas: Option<String>,
    /// Regular expression over the names of source columns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1), extend("format" = "regex"))]
    pub columns: Option<String>,
    /// Shell pattern of the source tables whose columns are meant; only with `columns`. Default: all.
    #[serde(default, rename = "in", skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "glob"))]
    pub within: Option<String>,
    /// The new name. `$1` to `$9` stand for what the groups matched, `$0` for the whole name, `$$` for a plain `$`. Of a table it may
    /// carry a schema: `sales.$1`.
    #[schemars(length(min = 1))]
    pub to: String,
    /// Line in its file, for messages; set when it is loaded.
    #[serde(default, skip_serializing_if = "is_zero")]
    #[schemars(skip)]
    pub line: u32,
}

/// What a [`RenameRule`] is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Named {
    /// Tables.
    Tables,
    /// Schemas.
    Schemas,
    /// Columns.
    Columns,
}

impl RenameRule {
    /// What the rule is about, and its pattern.
    ///
    /// # Errors
    /// A sentence, unless exactly one pattern is given, and `in` only with `columns`.
    pub fn subject(&self) -> Result<(Named, &str), String> {
        let given = [(Named::Tables, &self.tables), (Named::Schemas, &self.schemas), (Named::Columns, &self.columns)];
        let mut given = given.into_iter().filter_map(|(named, pattern)| Some((named, pattern.as_deref()?)));
        let (Some(subject), None) = (given.next(), given.next()) else {
            return Err("a `[[rename]]` has exactly one of `tables`, `schemas` and `columns`".into());
        };
        if self.within.is_some() && subject.0 != Named::Columns {
            return Err("`in` chooses the tables of `columns`; `tables` and `schemas` do not have it".into());
        }
        Ok(subject)
    }
}

/// Compiles a pattern that must fit a whole name.
///
/// # Errors
/// What is wrong with it, in one line.
pub fn whole_name(pattern: &str) -> Result<Regex, String> {
    // By itself first: its own faults are told without the brackets around it.
    Regex::new(pattern).and_then(|_| Regex::new(&format!(r"\A(?:{pattern})\z"))).map_err(|error| {
        let text = error.to_string();
        let last = text.lines().last().unwrap_or_default();
        last.trim_start_matches("error: ").to_string()
    })
}

/// A piece of the `to` of a [`RenameRule`].
enum Piece {
    Text(char),
    Group(usize),
}

fn pieces(template: &str) -> Result<Vec<Piece>, String> {
    let mut pieces = Vec::new();
    let mut letters = template.chars();
    while let Some(letter) = letters.next() {
        pieces.push(match letter {
            '$' => match letters.next() {
                Some('$') => Piece::Text('$'),
                Some(digit) if digit.is_ascii_digit() => {
                    Piece::Group(digit.to_digit(10).and_then(|digit| usize::try_from(digit).ok()).unwrap_or_default())
                }
                _ => return Err("a `$` stands before the number of a group, as in `$1`; `$$` is a plain `$`".into()),
            },
            other => Piece::Text(other),
        });
    }
    Ok(pieces)
}

/// Checks that `template` names only groups that `pattern` has.
///
/// # Errors
/// What is wrong with it, in one sentence.
pub fn check_template(template: &str, pattern: &Regex) -> Result<(), String> {
    let groups = pattern.captures_len() - 1;
    for piece in pieces(template)? {
        if let Piece::Group(group) = piece
            && group > groups
        {
            let has = if groups == 1 { "1 group".to_string() } else { format!("{groups} groups") };
            return Err(format!("`${group}` stands for group {group}, and the pattern has {has}"));
        }
    }
    Ok(())
}

/// `name` as `template` makes it of what `pattern` matches; `None` if the pattern does not fit.
pub fn renamed(name: &str, pattern: &Regex, template: &str) -> Option<String> {
    let groups = pattern.captures(name)?;
    let mut text = String::new();
    for piece in pieces(template).ok()? {
        match piece {
            Piece::Text(letter) => text.push(letter),
            Piece::Group(group) => text.push_str(groups.get(group).map_or("", |found| found.as_str())),
        }
    }
    Some(text)
}

/// Styles of names, for all that no rule names exactly.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Naming {
    /// Of tables. Default `keep`.
    #[serde(default, skip_serializing_if = "Style::is_keep")]
    pub tables: Style,
    /// Of columns. Default `keep`.
    #[serde(default, skip_serializing_if = "Style::is_keep")]
    pub columns: Style,
}

impl Naming {
    /// True when no name is touched.
    pub fn is_keep(&self) -> bool {
        self.tables.is_keep() && self.columns.is_keep()
    }
}

/// A style of names.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Style {
    /// As they are.
    #[default]
    #[serde(rename = "keep")]
    Keep,
    /// `userName` and `User-Name` become `user_name`, `HTTPServer` becomes `http_server`.
    #[serde(rename = "snake_case")]
    Snake,
    /// `user_name` and `UserName` become `userName`.
    #[serde(rename = "camelCase")]
    Camel,
    /// Lower case, and nothing else.
    #[serde(rename = "lower")]
    Lower,
    /// Upper case, and nothing else.
    #[serde(rename = "upper")]
    Upper,
}

impl Style {
    /// True for [`Style::Keep`].
    pub fn is_keep(&self) -> bool {
        *self == Style::Keep
    }

    /// `name` in this style. Signs before its first and after its last word stay; a name without letters and digits stays as it is.
    pub fn of(self, name: &str) -> String {
        match self {
            Style::Keep => name.to_string(),
            Style::Lower => name.to_lowercase(),
            Style::Upper => name.to_uppercase(),
            Style::Snake => dressed(name, |words| words.iter().map(|word| word.to_lowercase()).collect::<Vec<_>>().join("_")),
            Style::Camel => dressed(name, |words| {
                let mut text = String::new();
                for (place, word) in words.iter().enumerate() {
                    let lower = word.to_lowercase();
                    let mut letters = lower.chars();
                    match letters.next() {
                        Some(first) if place > 0 => text.extend(first.to_uppercase().chain(letters)),
                        _ => text.push_str(&lower),
                    }
                }
                text
            }),
        }
    }
}

fn dressed(name: &str, join: impl Fn(&[String]) -> String) -> String {
    let inner = name.trim_matches(|letter: char| !letter.is_alphanumeric());
    if inner.is_empty() {
        return name.to_string();
    }
    let (before, rest) = name.split_once(inner).unwrap_or(("", ""));
    format!("{before}{}{rest}", join(&words(inner)))
}

/// A word ends at a sign, before a capital behind a small letter or a digit, and before the last capital of several when a small
/// letter follows it.
fn words(name: &str) -> Vec<String> {
    let letters: Vec<char> = name.chars().collect();
    let mut words = vec![String::new()];
    for (at, letter) in letters.iter().enumerate() {
        if !letter.is_alphanumeric() {
            words.push(String::new());
            continue;
        }
        let before = at.checked_sub(1).and_then(|at| letters.get(at));
        let after = letters.get(at + 1);
        let begins = letter.is_uppercase()
            && before.is_some_and(|before| {
                before.is_lowercase()
                    || before.is_numeric()
                    || (before.is_uppercase() && after.is_some_and(|after| after.is_lowercase()))
            });
        if begins {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut() {
            word.push(*letter);
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn styles_find_the_words_of_a_name() {
        for (name, snake, camel) in [
            ("userName", "user_name", "userName"),
            ("UserName", "user_name", "userName"),
            ("HTTPServer", "http_server", "httpServer"),
            ("user_id", "user_id", "userId"),
            ("USER_ID", "user_id", "userId"),
            ("_private id-2", "_private_id_2", "_privateId2"),
            ("line1Total", "line1_total", "line1Total"),
            ("größeÄndern", "größe_ändern", "größeÄndern"),
            ("__", "__", "__"),
            ("x", "x", "x"),
        ] {
            assert_eq!((Style::Snake.of(name).as_str(), Style::Camel.of(name).as_str()), (snake, camel), "{name}");
        }
        assert_eq!(
            (Style::Upper.of("aÄ-b"), Style::Lower.of("AÄ-b"), Style::Keep.of("aB")),
            ("AÄ-B".into(), "aä-b".into(), "aB".into())
        );
    }

    #[test]
    fn a_pattern_fits_the_whole_name_or_not_at_all() {
        let pattern = whole_name("shop_(.*)|old").unwrap();
        assert_eq!(renamed("shop_orders", &pattern, "$1"), Some("orders".into()));
        assert_eq!(renamed("old", &pattern, "x$1"), Some("x".into()));
        assert_eq!(renamed("my_shop_orders", &pattern, "$1"), None);
        assert_eq!(renamed("older", &pattern, "$1"), None);
        let key = whole_name("(.*)_id").unwrap();
        assert_eq!(renamed("customer_id", &key, "$1_key$$"), Some("customer_key$".into()));
    }

    #[test]
    fn a_template_may_only_name_groups_that_are_there() {
        let pattern = whole_name("(a)(b)").unwrap();
        assert!(check_template("$0$1$2$$", &pattern).is_ok());
        assert!(check_template("$3", &pattern).unwrap_err().contains("the pattern has 2 groups"));
        assert!(check_template("$name", &pattern).is_err());
        assert!(check_template("cash$", &pattern).is_err());
        assert!(whole_name("(a").unwrap_err().contains("unclosed group"), "{:?}", whole_name("(a"));
        assert!(whole_name("a)(?:b").is_err(), "brackets around a pattern do not mend it");
    }
}
