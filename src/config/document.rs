//! A TOML file against its JSON schema: every fault in one go, each with its place, and the values with the environment put in.
//!
//! Knows nothing of what the keys mean; what is checked beyond JSON's own rules is named by `format` in the schema (see
//! [`crate::config::file`]). A fault never repeats a value that came from the environment, nor an address.

use std::collections::BTreeMap;
use std::ops::Range;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::config::endpoint::Endpoint;
use crate::config::environment::{self, Environment, Unresolved};
use crate::config::masking::KEY_VARIABLE;
use crate::config::{limits, naming, nearest};
use crate::error::{Error, ErrorKind, Result};

/// Most lines that are no TOML that are told one by one: a file of another format has a fault in each.
const SYNTAX_FAULTS: usize = 5;

/// A file that was read and checked.
#[derive(Debug)]
pub struct Document {
    /// Its name, as faults repeat it.
    file: String,
    /// Its values, with the environment put in. Complete only when there are no faults.
    value: Value,
    /// The lines of tables, by JSON pointer: `/table/0`.
    lines: BTreeMap<String, u32>,
    /// What is wrong, in the order of the file.
    faults: Vec<Error>,
    /// Values from the environment, which no message may repeat.
    secrets: Vec<String>,
}

impl Document {
    /// Reads `text` and checks it. `file` is its name for people. Values at the JSON pointers of `unused` are neither looked at nor
    /// kept: a source's password need not be there for a look at the target.
    pub fn check(file: &str, text: &str, schema: &Value, environment: &Environment<'_>, unused: &[&str]) -> Self {
        let (table, syntax) = DeTable::parse_recoverable(text);
        let mut checker = Checker {
            schema,
            environment,
            unused,
            faults: Vec::new(),
            lines: BTreeMap::new(),
            secrets: Vec::new(),
            text,
            broken: !syntax.is_empty(),
        };
        let value = checker.table(table.get_ref(), &table.span(), schema, "", "");
        let Checker { faults: mut found, lines, secrets, .. } = checker;
        let wrong_lines: Vec<u32> = syntax.iter().filter_map(|error| Some(line_of(text, error.span()?.start))).collect();
        // What follows from a line that could not be read is no fault of its own.
        found.retain(|(offset, _)| !wrong_lines.contains(&line_of(text, *offset)));
        let offset_of = |span: Option<Range<usize>>| span.map_or(text.len(), |span| span.start);
        if let Some(next) = syntax.get(SYNTAX_FAULTS) {
            let what = format!("{} more faults of this kind", syntax.len() - SYNTAX_FAULTS);
            let error = Error::new(ErrorKind::Config, what).hint("Is it a TOML file? See https://toml.io for the format");
            found.push((offset_of(next.span()), error));
        }
        // Only the message: the error's own text would show the line, and with it a password.
        found.extend(syntax.into_iter().take(SYNTAX_FAULTS).map(|error| {
            (
                offset_of(error.span()),
                Error::new(ErrorKind::Config, format!("this is no TOML: {}", error.message()))
                    .hint("See https://toml.io for the format"),
            )
        }));
        found.sort_by_key(|(offset, _)| *offset);
        let faults = found.into_iter().map(|(offset, error)| error.file(format!("{file}:{}", place(text, offset)))).collect();
        Document { file: file.into(), value, lines, faults, secrets }
    }

    /// The text at a JSON pointer, also when other parts are at fault.
    pub fn text_at(&self, pointer: &str) -> Option<&str> {
        self.value.pointer(pointer)?.as_str()
    }

    /// The lines of all tables, by JSON pointer: `/table/0`, `/table/0/columns/total`.
    pub fn lines(&self) -> BTreeMap<String, u32> {
        self.lines.clone()
    }

    /// The values as `T`, or every fault.
    ///
    /// # Errors
    /// `Config`; all faults of the file.
    pub fn into<T: DeserializeOwned>(self) -> Result<T, Vec<Error>> {
        if !self.faults.is_empty() {
            return Err(self.faults);
        }
        serde_json::from_value(self.value).map_err(|error| {
            let mut why = error.to_string();
            for secret in self.secrets.iter().filter(|secret| !secret.is_empty()) {
                why = why.replace(secret.as_str(), "****");
            }
            vec![Error::new(ErrorKind::Config, why).file(&self.file)]
        })
    }
}

/// A name as a part of a JSON pointer (RFC 6901).
pub fn pointer_part(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

/// Line and column of a byte, both from 1; columns in characters.
fn place(text: &str, offset: usize) -> String {
    let before = text.get(..offset).unwrap_or(text);
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    format!("{}:{column}", line_of(text, offset))
}

fn line_of(text: &str, offset: usize) -> u32 {
    let before = text.get(..offset).unwrap_or(text);
    u32::try_from(before.matches('\n').count() + 1).unwrap_or(u32::MAX)
}

/// What a JSON schema calls a value's type, and what people call it.
fn type_of(value: &DeValue<'_>) -> (&'static str, &'static str) {
    match value {
        DeValue::String(_) => ("string", "text"),
        DeValue::Integer(_) => ("integer", "a whole number"),
        DeValue::Float(_) => ("number", "a number"),
        DeValue::Boolean(_) => ("boolean", "true or false"),
        DeValue::Datetime(_) => ("datetime", "a date"),
        DeValue::Array(_) => ("array", "a list"),
        DeValue::Table(_) => ("object", "a table"),
    }
}

fn words_for(name: &str) -> &'static str {
    match name {
        "string" => "text in quotes",
        "integer" => "a whole number",
        "number" => "a number",
        "boolean" => "true or false",
        "array" => "a list",
        _ => "a table",
    }
}

struct Checker<'a> {
    schema: &'a Value,
    environment: &'a Environment<'a>,
    unused: &'a [&'a str],
    text: &'a str,
    /// Parts of the file could not be read, so what seems to be missing may stand there.
    broken: bool,
    faults: Vec<(usize, Error)>,
    lines: BTreeMap<String, u32>,
    secrets: Vec<String>,
}

type Keywords = Map<String, Value>;

impl Checker<'_> {
    fn fault(&mut self, span: &Range<usize>, error: Error) {
        self.faults.push((span.start, error));
    }

    fn wrong(&mut self, span: &Range<usize>, what: String, hint: impl Into<String>) {
        self.fault(span, Error::new(ErrorKind::Config, what).hint(hint));
    }

    /// A schema's keywords, with references followed and the null that stands for "not given" left out.
    fn keywords(&self, schema: &Value) -> Keywords {
        let mut merged = Keywords::new();
        let Some(own) = schema.as_object() else { return merged };
        let reference = own.get("$ref").and_then(Value::as_str).and_then(|name| name.strip_prefix('#'));
        if let Some(target) = reference.and_then(|pointer| self.schema.pointer(pointer)) {
            merged.extend(self.keywords(target));
        }
        for part in own.get("allOf").and_then(Value::as_array).into_iter().flatten() {
            merged.extend(self.keywords(part));
        }
        let options = own.get("anyOf").and_then(Value::as_array);
        let options: Vec<&Value> = options.into_iter().flatten().filter(|option| option["type"] != "null").collect();
        if let [only] = options.as_slice() {
            merged.extend(self.keywords(only));
        } else if !options.is_empty() {
            merged.insert("anyOf".into(), options.into_iter().cloned().collect());
        }
        merged.extend(
            own.iter()
                .filter(|(key, _)| !matches!(key.as_str(), "$ref" | "allOf" | "anyOf"))
                .map(|(key, value)| (key.clone(), value.clone())),
        );
        merged
    }

    /// The keywords for `value`: of several shapes, the first whose type fits.
    fn keywords_for(&self, schema: &Value, value: &DeValue<'_>) -> Keywords {
        let keywords = self.keywords(schema);
        let shapes = keywords.get("anyOf").and_then(Value::as_array).into_iter().flatten().map(|option| self.keywords(option));
        let fitting = shapes.into_iter().find(|shape| {
            let types = types(shape);
            types.is_empty() || types.contains(&type_of(value).0)
        });
        fitting.unwrap_or(keywords)
    }

    /// Checks one value. `key` is its last name, `pointer` its JSON pointer.
    fn value(&mut self, node: &Spanned<DeValue<'_>>, schema: &Value, key: &str, pointer: &str) -> Value {
        if self.unused.contains(&pointer) {
            return Value::Null;
        }
        let (value, span) = (node.get_ref(), node.span());
        let keywords = self.keywords_for(schema, value);
        let (name, words) = type_of(value);
        let expected = types(&keywords);
        let fits = expected.contains(&name) || (name == "integer" && expected.contains(&"number"));
        if !expected.is_empty() && !fits {
            let all: Vec<&str> = expected.iter().map(|name| words_for(name)).collect();
            let hint = match keywords.get("format").and_then(Value::as_str) {
                Some("byte-size") => "Write a size with its unit, in quotes, such as \"512MiB\"".to_string(),
                _ if expected == ["array"] && name == "object" => format!("Write `[[{key}]]`, with two brackets on each side"),
                _ if expected == ["object"] && name == "array" => {
                    format!("Write `[{key}]`, once and with one bracket on each side")
                }
                _ if expected == ["array"] && name == "string" => format!("Write `{key} = [\"…\"]`"),
                _ if expected == ["object"] => self.table_hint(key, &keywords),
                _ => format!("Write {} here", all.join(" or ")),
            };
            self.wrong(&span, format!("`{key}` is {words}, but must be {}", all.join(" or ")), hint);
            return Value::Null;
        }
        match value {
            DeValue::String(text) => self.string(text, &span, &keywords, key),
            DeValue::Integer(number) => {
                let parsed = i128::from_str_radix(number.as_str(), number.radix()).ok();
                self.integer(parsed, &span, &keywords, key)
            }
            DeValue::Float(number) => self.float(number.as_str().parse().ok(), &span, &keywords, key),
            DeValue::Boolean(flag) => Value::Bool(*flag),
            DeValue::Datetime(time) => {
                self.wrong(&span, format!("`{key}` is a date, but dates are written as text"), format!("Write \"{time}\""));
                Value::Null
            }
            DeValue::Array(elements) => {
                let element_schema = keywords.get("items").unwrap_or(&Value::Null);
                let elements = elements.iter().enumerate().map(|(index, element)| {
                    let pointer = format!("{pointer}/{index}");
                    if element.get_ref().is_table() {
                        self.lines.insert(pointer.clone(), line_of(self.text, element.span().start));
                    }
                    self.value(element, element_schema, key, &pointer)
                });
                Value::Array(elements.collect())
            }
            DeValue::Table(table) => {
                let schema = Value::Object(keywords);
                self.table(table, &span, &schema, key, pointer)
            }
        }
    }

    fn table(&mut self, table: &DeTable<'_>, span: &Range<usize>, schema: &Value, key: &str, pointer: &str) -> Value {
        let keywords = self.keywords(schema);
        let nothing = Keywords::new();
        let known = keywords.get("properties").and_then(Value::as_object).unwrap_or(&nothing);
        let other = keywords.get("additionalProperties");
        let mut object = Keywords::new();
        for (name, node) in table {
            let below = format!("{pointer}/{}", pointer_part(name.get_ref()));
            if node.get_ref().is_table() {
                self.lines.insert(below.clone(), line_of(self.text, name.span().start));
            }
            match known.get(name.get_ref().as_ref()).or(other.filter(|other| other.is_object())) {
                Some(schema) => {
                    let value = self.value(node, schema, name.get_ref(), &below);
                    object.insert(name.get_ref().to_string(), value);
                }
                None if other == Some(&Value::Bool(false)) => {
                    let hint = self.unknown_key_hint(name.get_ref(), known);
                    let within = if key.is_empty() { "this file".to_string() } else { format!("`{key}`") };
                    self.wrong(&name.span(), format!("`{}` is no key of {within}", name.get_ref()), hint);
                }
                None => {
                    let value = self.value(node, &Value::Null, name.get_ref(), &below);
                    object.insert(name.get_ref().to_string(), value);
                }
            }
        }
        for required in keywords.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str) {
            if !self.broken && !table.iter().any(|(name, _)| name.get_ref() == required) {
                self.wrong(span, format!("`{key}` has no `{required}`"), format!("Add `{required} = …`"));
            }
        }
        Value::Object(object)
    }

    /// How a table is written, with the first key that it knows.
    fn table_hint(&self, key: &str, keywords: &Keywords) -> String {
        let known = keywords.get("properties").and_then(Value::as_object);
        match known.and_then(|known| known.keys().next()) {
            Some(first) => format!("Write `{key} = {{ {first} = … }}`"),
            None => format!("Write `{key} = {{ … }}`"),
        }
    }

    fn unknown_key_hint(&self, name: &str, known: &Keywords) -> String {
        // A key of a section that stands before the first section, or a section's key one level too high.
        for (section, schema) in known {
            let inner = self.keywords(schema);
            let inner = inner.get("items").map_or(inner.clone(), |items| self.keywords(items));
            if inner.get("properties").is_some_and(|properties| properties.get(name).is_some()) {
                let list = types(&self.keywords(schema)).contains(&"array");
                return if list {
                    format!("`{name}` belongs under `[[{section}]]`")
                } else {
                    format!("`{name}` belongs under `[{section}]`")
                };
            }
        }
        nearest::hint(name, known.keys().map(String::as_str))
    }

    fn integer(&mut self, number: Option<i128>, span: &Range<usize>, keywords: &Keywords, key: &str) -> Value {
        let (mut least, mut most) = match keywords.get("format").and_then(Value::as_str) {
            Some("uint8") => (0, i128::from(u8::MAX)),
            Some("uint16") => (0, i128::from(u16::MAX)),
            Some("uint32") => (0, i128::from(u32::MAX)),
            Some("int32") => (i128::from(i32::MIN), i128::from(i32::MAX)),
            Some("uint" | "uint64") => (0, i128::from(u64::MAX)),
            _ => (i128::from(i64::MIN), i128::from(i64::MAX)),
        };
        least = keywords.get("minimum").and_then(Value::as_i64).map_or(least, |minimum| least.max(minimum.into()));
        most = keywords.get("maximum").and_then(Value::as_u64).map_or(most, |maximum| most.min(maximum.into()));
        match number.filter(|number| (least..=most).contains(number)) {
            Some(number) => {
                i64::try_from(number).map(Value::from).or_else(|_| u64::try_from(number).map(Value::from)).unwrap_or(Value::Null)
            }
            None => {
                let is = number.map_or("too large".to_string(), |number| number.to_string());
                self.wrong(
                    span,
                    format!("`{key}` is {is}, but must be from {least} to {most}"),
                    format!("Choose a number from {least} to {most}"),
                );
                Value::Null
            }
        }
    }

    fn float(&mut self, number: Option<f64>, span: &Range<usize>, keywords: &Keywords, key: &str) -> Value {
        let limit = |name: &str, default: f64| keywords.get(name).and_then(Value::as_f64).unwrap_or(default);
        let (least, most) = (limit("minimum", f64::MIN), limit("maximum", f64::MAX));
        // `nan` and `inf` are numbers to TOML, but not to JSON.
        match number.filter(|number| number.is_finite() && (least..=most).contains(number)) {
            Some(number) => Value::from(number),
            None => {
                let hint = format!("Choose a number from {least} to {most}");
                self.wrong(span, format!("`{key}` must be from {least} to {most}"), hint);
                Value::Null
            }
        }
    }

    fn string(&mut self, text: &str, span: &Range<usize>, keywords: &Keywords, key: &str) -> Value {
        let format = keywords.get("format").and_then(Value::as_str);
        let expand = match format {
            Some("database-url") => environment::expand_address,
            // `$${` is nothing special to a database, and what comes from the environment would be stored with the plan.
            Some("sql") => |text: &str, _: &Environment<'_>| Ok(text.to_string()),
            _ => environment::expand,
        };
        let value = match expand(text, self.environment) {
            Ok(value) => value,
            Err(unresolved) => {
                for error in unresolved_faults(unresolved) {
                    self.fault(span, error);
                }
                return Value::Null;
            }
        };
        if value != text {
            self.secrets.push(value.clone());
        }
        if let Err(error) = self.check_string(text, &value, format, keywords, key) {
            self.fault(span, error);
            return Value::Null;
        }
        Value::String(value)
    }

    /// Checks a text. Messages repeat `written`, as it stands in the file, never `value`.
    fn check_string(&self, written: &str, value: &str, format: Option<&str>, keywords: &Keywords, key: &str) -> Result<()> {
        let bad = |what: String| Error::new(ErrorKind::Config, what);
        match format {
            Some("database-url") => {
                Endpoint::parse(value)?;
            }
            Some("byte-size") => {
                let bytes = limits::parse_size(value).map_err(|_| size_fault(written, key))?;
                limits::check_size(
                    &format!("`{key}`"),
                    bytes,
                    keywords.get("x-least-bytes").and_then(Value::as_u64).unwrap_or(0),
                )?;
            }
            Some("duration") => {
                limits::parse_duration(value).map_err(|_| duration_fault(written, key))?;
            }
            Some("glob") => check_glob(value).map_err(|why| glob_fault(written, &why))?,
            // A mapping is kept with the program, and read by many.
            Some("secret") if environment::expand(written, &|_| None).is_ok() => {
                return Err(bad(format!("`{key}` is a secret, and stands in the file itself"))
                    .hint(format!("Take it from the environment: `{key} = \"${{{KEY_VARIABLE}}}\"`")));
            }
            Some("regex") => {
                naming::whole_name(value).map_err(|why| {
                    bad(format!("`{written}` is no regular expression: {why}"))
                        .hint("Write it as in `shop_(.*)`; it must fit the whole name")
                })?;
            }
            _ => {}
        }
        if value.is_empty() && keywords.get("minLength").and_then(Value::as_u64).is_some_and(|least| least > 0) {
            return Err(bad(format!("`{key}` is empty")).hint("Give it a value, or leave the line out"));
        }
        let words = words(keywords);
        if !words.is_empty() && !words.contains(&value) {
            let later = keywords.get("x-later").and_then(Value::as_array).into_iter().flatten();
            if later.into_iter().any(|word| word == value) {
                return Err(not_yet(&format!("`{key} = \"{written}\"`"), &words));
            }
            return Err(bad(format!("`{written}` is no value of `{key}`")).hint(nearest::hint(written, words.iter().copied())));
        }
        Ok(())
    }
}

/// A setting that has its name already but does nothing so far.
pub fn not_yet(what: &str, instead: &[&str]) -> Error {
    let instead: Vec<String> = instead.iter().map(|word| format!("`{word}`")).collect();
    Error::new(ErrorKind::Config, format!("{what} is not available yet")).hint(format!("Use {}", instead.join(" or ")))
}

/// The faults of references that could not be resolved, one per variable.
pub fn unresolved_faults(unresolved: Unresolved) -> Vec<Error> {
    match unresolved {
        Unresolved::Missing(names) => names
            .into_iter()
            .map(|name| {
                Error::new(ErrorKind::Config, format!("the environment variable `{name}` is not set"))
                    .hint(format!("Set it first: `export {name}=…`"))
            })
            .collect(),
        Unresolved::Malformed(why) => {
            vec![
                Error::new(ErrorKind::Config, why)
                    .hint("Write `${NAME}` for the environment variable NAME, and `$${` for a plain `${`"),
            ]
        }
    }
}

/// Checks a shell pattern; the `Err` says what is wrong with it.
pub fn check_glob(pattern: &str) -> Result<(), String> {
    if pattern.is_empty() {
        return Err("it is empty".into());
    }
    globset::Glob::new(pattern).map(|_| ()).map_err(|error| error.kind().to_string())
}

/// The fault of a shell pattern.
pub fn glob_fault(written: &str, why: &str) -> Error {
    Error::new(ErrorKind::Config, format!("`{written}` is no pattern: {why}"))
        .hint("Patterns have `*`, `?`, `[a-z]` and `{a,b}`, as in a shell")
}

fn size_fault(written: &str, key: &str) -> Error {
    Error::new(ErrorKind::Config, format!("`{written}` is no size for `{key}`"))
        .hint("Write a whole number and its unit, such as \"512MiB\", \"2GiB\" or \"500MB\"")
}

fn duration_fault(written: &str, key: &str) -> Error {
    Error::new(ErrorKind::Config, format!("`{written}` is no duration for `{key}`"))
        .hint("Write a whole number and its unit, such as \"30s\", \"10min\" or \"2h\"")
}

/// The types that a schema allows, without null.
fn types(keywords: &Keywords) -> Vec<&str> {
    let all = match keywords.get("type") {
        Some(Value::String(name)) => vec![name.as_str()],
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect(),
        _ if words(keywords).is_empty() => Vec::new(),
        _ => vec!["string"],
    };
    all.into_iter().filter(|name| *name != "null").collect()
}

/// The words that a schema allows; empty when any text is fine.
fn words(keywords: &Keywords) -> Vec<&str> {
    let listed = keywords.get("enum").and_then(Value::as_array).into_iter().flatten();
    let one_of = keywords.get("oneOf").and_then(Value::as_array).into_iter().flatten();
    let named = one_of.flat_map(|option| {
        option.get("const").into_iter().chain(option.get("enum").and_then(Value::as_array).into_iter().flatten())
    });
    listed.chain(named).filter_map(Value::as_str).collect()
}
