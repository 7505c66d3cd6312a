//! The commented files that `dbferry init` writes for a live source. Pure: texts in memory, no I/O.
//!
//! Both load without a change. In the mapping file a line that starts with `#` and no space is a rule that is switched off;
//! taking the `#` away switches it on, and the file loads then too.

use std::fmt::Write;

use crate::config::endpoint::Endpoint;
use crate::config::environment::percent_encode;
use crate::config::{DEFAULT_CHUNK_BYTES, DEFAULT_MEMORY_BYTES, limits};
use crate::model::catalog::{Catalog, Column, NativeType, Severity, Table};

/// The variable that stands for the source's password in a file that `init` writes.
pub const SOURCE_PASSWORD_VARIABLE: &str = "DBFERRY_SOURCE_PASSWORD";
/// The variable that stands for the target's password.
pub const TARGET_PASSWORD_VARIABLE: &str = "DBFERRY_TARGET_PASSWORD";

/// The config file for `source`, and for `target` if that is known already. `mapping` is the mapping file's path from the
/// config file's folder. Passwords stand in it only as references to the environment.
pub fn config_text(source: &Endpoint, target: Option<&Endpoint>, mapping: &str) -> String {
    let mut text =
        String::from("# Where from, where to, how hard to push. `dbferry plan -c THIS_FILE` shows what would happen.\n");
    text.push_str("# Strings may refer to the environment: ${NAME}; a plain ${ is written $${.\n");
    section(&mut text, "source", source, SOURCE_PASSWORD_VARIABLE);
    match target {
        Some(target) => section(&mut text, "target", target, TARGET_PASSWORD_VARIABLE),
        None => line(
            &mut text,
            format_args!(
                "\n[target]\n# Take the # away and say where to, or give TARGET on the command line.\n\
                 #url = \"postgres://user:${{{TARGET_PASSWORD_VARIABLE}}}@localhost:5432/database\""
            ),
        ),
    }
    line(
        &mut text,
        format_args!(
            "#schema = \"public\"            # the schema that tables go to; created when it is missing\n\n\
             [run]\n\
             mapping = {mapping}\n\
             include = [\"*\"]               # shell patterns of tables\n\
             exclude = []\n\
             #jobs = 4                     # chunks at the same time, {least} to {most}; default: the smaller of 8 and the cores\n\
             memory = \"{memory}\"            # bound for all data buffers together, at least {least_memory}\n\
             chunk = \"{chunk}\"              # source data per transaction, at least {least_chunk}\n\
             verify = \"digest\"             # none | rows | digest | full\n\
             if_exists = \"error\"           # error | truncate | drop | append | upsert: what to do with a target table that exists\n\
             on_table_error = \"continue\"   # continue | stop: what to do with the other tables when one fails\n\
             #owner = \"role\"              # the role that is to own what is created\n\
             #ledger_schema = \"dbferry\"   # where the run's receipts stand in the target\n\
             allow_empty = false           # true: a filter that matches no table is a success",
            mapping = quoted(mapping),
            least = limits::JOBS_RANGE.start(),
            most = limits::JOBS_RANGE.end(),
            memory = limits::size_text(DEFAULT_MEMORY_BYTES),
            least_memory = limits::size_text(limits::MIN_MEMORY_BYTES),
            chunk = limits::size_text(DEFAULT_CHUNK_BYTES),
            least_chunk = limits::size_text(limits::MIN_CHUNK_BYTES),
        ),
    );
    text
}

/// The mapping file for what `catalog` holds: rules that are likely to be wanted, then every table with its columns, all
/// switched off.
pub fn mapping_text(catalog: &Catalog) -> String {
    let mut text = String::new();
    line(
        &mut text,
        format_args!(
            "# What becomes of names and types of `{}` ({}).",
            comment(&catalog.server.database),
            comment(&catalog.server.to_string())
        ),
    );
    text.push_str(
        "# A line that starts with # and no space is a rule that is switched off: take the # away to switch it on.\n\
         # A table's column decides first, then the [[type]] rules from the top, then the built-in rules of the route.\n",
    );
    type_rules(&mut text, catalog);
    refusals(&mut text, catalog);
    text.push_str(
        "\n# Names stay as they are, unless a style is chosen here: keep | snake_case | camelCase | lower | upper.\n\
         # For names by pattern there are [[rename]] rules, such as `tables = \"shop_(.*)\"` with `to = \"$1\"`.\n\
         #[naming]\n#tables = \"keep\"\n#columns = \"keep\"\n\
         \n# The tables. One may have `where`, an SQL condition on the rows that are carried.\n\
         # A column may have `to`, its target type; `rename`, its name in the target; `expr`, an SQL expression that makes its values (under a\n\
         # new name: a new column); `mask` = hash | redact | fake_email | partial | null | shift_date; `drop` = true. Masks need [masking] with a\n\
         # key from the environment. [[hook]] runs SQL of your own. `dbferry check THIS_FILE` finds faults, `dbferry plan` shows what becomes of it.\n",
    );
    let several = catalog.tables.windows(2).any(|pair| pair[0].name.schema != pair[1].name.schema);
    for table in &catalog.tables {
        let name = if several { table.name.to_string() } else { table.name.name.clone() };
        table_rules(&mut text, table, &quoted(&name));
    }
    text
}

/// Writing to a String cannot fail.
fn line(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    let _ = text.write_fmt(arguments);
    text.push('\n');
}

fn section(text: &mut String, name: &str, endpoint: &Endpoint, variable: &str) {
    line(text, format_args!("\n[{name}]"));
    if endpoint.password.is_some() {
        line(text, format_args!("# The password may have any character: it is put in percent-encoded."));
    }
    let (url, left_out) = address(endpoint, variable);
    for parameter in left_out {
        line(text, format_args!("# Left out, since it may be a secret: the parameter `{}`.", comment(&parameter)));
    }
    line(text, format_args!("url = \"{}\"", escaped(&url)));
    if endpoint.has_several() {
        let patterns: Vec<String> = endpoint.databases.iter().map(|pattern| quoted(pattern)).collect();
        line(
            text,
            format_args!(
                "databases = [{}]   # shell patterns; each database goes into a schema of its name",
                patterns.join(", ")
            ),
        );
    }
}

/// The address with a reference in place of the password, and the names of parameters that were left out.
fn address(endpoint: &Endpoint, variable: &str) -> (String, Vec<String>) {
    let mut url = format!("{}://", endpoint.engine.name());
    if endpoint.host.is_empty() {
        url.push_str(&endpoint.database.replace("${", "$${"));
        return (url, Vec::new());
    }
    if let Some(user) = &endpoint.user {
        url.push_str(&percent_encode(user));
    }
    if endpoint.password.is_some() {
        let _ = write!(url, ":${{{variable}}}");
    }
    if endpoint.user.is_some() || endpoint.password.is_some() {
        url.push('@');
    }
    if endpoint.host.contains(':') {
        let _ = write!(url, "[{}]", endpoint.host);
    } else {
        url.push_str(&endpoint.host.replace("${", "$${"));
    }
    if let Some(port) = endpoint.port {
        let _ = write!(url, ":{port}");
    }
    let _ = write!(url, "/{}", percent_encode(&endpoint.database));
    let is_secret = |name: &str| ["pass", "secret", "token", "pwd"].iter().any(|part| name.to_lowercase().contains(part));
    let (left_out, kept): (Vec<_>, Vec<_>) = endpoint.params.iter().partition(|(name, _)| is_secret(name));
    for (index, (name, value)) in kept.into_iter().enumerate() {
        let mark = if index == 0 { '?' } else { '&' };
        let _ = write!(url, "{mark}{}={}", percent_encode(name), percent_encode(value));
    }
    (url, left_out.into_iter().map(|(name, _)| name.clone()).collect())
}

/// A rule by type that people often want: what it matches, its lines, and what to know before switching it on.
struct TypeSuggestion {
    wants: fn(&NativeType) -> bool,
    matches: &'static str,
    to: &'static str,
    why: &'static str,
}

const TYPE_SUGGESTIONS: [TypeSuggestion; 4] = [
    TypeSuggestion {
        wants: |native| native.name == "tinyint" && native.length == Some(1),
        matches: "{ type = \"tinyint\", width = 1 }",
        to: "boolean",
        why: "tinyint(1) as truth values; a value other than 0, 1 and NULL is an error then",
    },
    TypeSuggestion {
        wants: |native| native.name == "bit" && native.length == Some(1),
        matches: "{ type = \"bit\", width = 1 }",
        to: "boolean",
        why: "bit(1) as truth values",
    },
    TypeSuggestion {
        wants: |native| native.name == "char" && native.length == Some(36),
        matches: "{ type = \"char\", width = 36 }",
        to: "uuid",
        why: "char(36) as UUIDs; a value that is none is an error then",
    },
    TypeSuggestion {
        wants: |native| native.name == "bigint" && native.unsigned,
        matches: "{ type = \"bigint\", unsigned = true }",
        to: "bigint",
        why: "bigint unsigned as bigint, not numeric(20,0); a value above 9223372036854775807 is an error then",
    },
];

fn type_rules(text: &mut String, catalog: &Catalog) {
    for suggestion in TYPE_SUGGESTIONS {
        let columns: Vec<String> = catalog
            .tables
            .iter()
            .flat_map(|table| table.columns.iter().map(move |column| (table, column)))
            .filter(|(_, column)| (suggestion.wants)(&column.native))
            .map(|(table, column)| format!("{}.{}", table.name.name, column.name))
            .collect();
        if columns.is_empty() {
            continue;
        }
        // A schema of a thousand tables must not make one comment of a thousand names.
        let shown: Vec<&str> = columns.iter().take(5).map(String::as_str).collect();
        let more = columns.len() - shown.len();
        let rest = if more > 0 { format!(" and {more} more") } else { String::new() };
        line(text, format_args!("\n# {}.\n# Here: {}{rest}.", suggestion.why, comment(&shown.join(", "))));
        line(text, format_args!("#[[type]]\n#match = {}\n#to = \"{}\"", suggestion.matches, suggestion.to));
    }
}

fn refusals(text: &mut String, catalog: &Catalog) {
    for problem in catalog.problems.iter().filter(|problem| problem.severity == Severity::Refused) {
        line(
            text,
            format_args!(
                "\n# Refused until it is settled: {} {}: {}.",
                comment(&problem.object),
                comment(&problem.name),
                comment(&problem.why)
            ),
        );
        for hint in problem.hint.iter().flat_map(|hint| hint.lines()) {
            line(text, format_args!("#   {}", comment(hint)));
        }
    }
}

fn table_rules(text: &mut String, table: &Table, name: &str) {
    let mut about = format!("{}: about {} rows, {}", table.name, table.estimated_rows, about_bytes(table.estimated_bytes));
    let key = table.key_columns();
    if !key.is_empty() {
        let _ = write!(about, ", key ({})", key.join(", "));
    }
    line(text, format_args!("\n# {}", comment(&about)));
    line(text, format_args!("#[[table]]\n#name = {name}"));
    line(text, format_args!("{:<45} # or \"schema.name\"", format!("#to = {name}")));
    line(text, format_args!("{:<45} # true leaves the table out", "#exclude = false"));
    for column in &table.columns {
        let rule = format!("#columns.{} = {{ rename = {} }}", key_text(&column.name), quoted(&column.name));
        line(text, format_args!("{rule:<45} # {}", comment(&about_column(column))));
    }
}

fn about_column(column: &Column) -> String {
    let mut about = if column.native.full.is_empty() { "no declared type".into() } else { column.native.full.clone() };
    if !column.nullable {
        about.push_str(", not null");
    }
    if column.identity {
        about.push_str(", numbered by the database");
    }
    if let Some(generated) = &column.generated {
        let _ = write!(about, ", {} from {}", if generated.stored { "stored" } else { "computed" }, generated.expression);
    }
    if !column.comment.is_empty() {
        let _ = write!(about, ": {}", column.comment);
    }
    about
}

/// Bytes for people, in whole units, rounded down.
fn about_bytes(bytes: u64) -> String {
    let units = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
    let unit = units.into_iter().find(|(_, factor)| bytes >= *factor);
    unit.map_or_else(|| format!("{bytes} bytes"), |(name, factor)| format!("{} {name}", bytes / factor))
}

/// Text for a comment: on one line, without control characters, at most 200 characters.
fn comment(text: &str) -> String {
    let mut clean: String =
        text.chars().take(200).map(|character| if character.is_control() { ' ' } else { character }).collect();
    if text.chars().nth(200).is_some() {
        clean.push('…');
    }
    clean
}

/// A text as a TOML string that a loader reads back unchanged.
fn quoted(text: &str) -> String {
    format!("\"{}\"", escaped(&text.replace("${", "$${")))
}

/// A text inside the quotes of a TOML string.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '"' | '\\' => {
                escaped.push('\\');
                escaped.push(character);
            }
            control if control.is_control() => {
                let _ = write!(escaped, "\\u{:04X}", u32::from(control));
            }
            other => escaped.push(other),
        }
    }
    escaped
}

/// A name as a TOML key.
fn key_text(name: &str) -> String {
    let bare = !name.is_empty() && name.chars().all(|character| character.is_ascii_alphanumeric() || "_-".contains(character));
    if bare { name.to_string() } else { format!("\"{}\"", escaped(name)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::load;
    use crate::config::schema::config_schema;
    use crate::config::{document::Document, file::ConfigFile};
    use crate::model::ObjectName;
    use crate::model::catalog::{Generated, Index, IndexMethod, IndexPart, Problem};

    const HOSTILE: &str = "a \"b\"\\ \n#'${X}$${Y}=[.]ü\u{7f}";

    fn column(name: &str, native: &str, length: Option<u64>) -> Column {
        Column {
            nullable: name != "id",
            generated: (name == HOSTILE).then(|| Generated { expression: HOSTILE.into(), stored: true }),
            identity: name == "id",
            comment: if name == HOSTILE { HOSTILE.into() } else { String::new() },
            ..Column::new(
                name,
                None,
                NativeType {
                    name: native.into(),
                    full: format!("{native}({})", length.unwrap_or(0)),
                    length,
                    unsigned: native == "bigint",
                    ..NativeType::default()
                },
            )
        }
    }

    fn catalog() -> Catalog {
        let mut catalog = Catalog::default();
        catalog.server.database = HOSTILE.into();
        for name in ["orders", HOSTILE] {
            let mut table = Table::new(ObjectName::new("shop", name));
            table.columns = vec![
                column("id", "bigint", None),
                column("is_paid", "tinyint", Some(1)),
                column("token", "char", Some(36)),
                column(HOSTILE, "enum", None),
            ];
            table.estimated_bytes = 5 << 20;
            table.primary_key = Some(Index {
                name: "PRIMARY".into(),
                parts: vec![IndexPart { column: Some("id".into()), expression: None, prefix: None, descending: false }],
                unique: true,
                method: IndexMethod::BTree,
                visible: true,
            });
            catalog.tables.push(table);
        }
        catalog.problems.push(Problem::new(Severity::Refused, "column", HOSTILE, HOSTILE).hint("[[type]]\nto = \"text\""));
        catalog
    }

    fn switched_on(text: &str) -> String {
        let lines = text.lines().map(|line| line.strip_prefix('#').filter(|rest| !rest.starts_with(' ')).unwrap_or(line));
        lines.collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn the_mapping_loads_as_it_is_and_with_every_rule_switched_on() {
        let text = mapping_text(&catalog());
        let nothing = |_: &str| None;
        let off = load::mapping_from_text("m.toml", &text, &nothing).unwrap();
        assert!(off.types.is_empty() && off.tables.is_empty(), "{text}");
        let on =
            load::mapping_from_text("m.toml", &switched_on(&text), &nothing).unwrap_or_else(|error| panic!("{error:?}\n{text}"));
        assert_eq!(on.types.len(), 3, "{text}");
        let names: Vec<&str> = on.tables.iter().map(|table| table.name.as_str()).collect();
        assert_eq!(names, ["orders", HOSTILE]);
        for table in &on.tables {
            assert_eq!(table.columns.len(), 4);
            assert!(table.columns.iter().all(|(name, rule)| rule.rename.as_ref() == Some(name)));
        }
    }

    #[test]
    fn the_config_loads_and_holds_no_password() {
        let source =
            Endpoint::parse("mysql://a%24%7Bb:hunter2@[::1]:3307/sh%20op?ssl-mode=require&ssl_password=hunter3").unwrap();
        let target = Endpoint::parse("sqlite://a${b}\"c\\.db").unwrap();
        for target in [None, Some(&target)] {
            let text = config_text(&source, target, "shop.mapping.toml");
            assert!(!text.contains("hunter"), "{text}");
            let set =
                |name: &str| (name == SOURCE_PASSWORD_VARIABLE || name == TARGET_PASSWORD_VARIABLE).then(|| "p@ss".to_string());
            for text in [text.clone(), switched_on(&text)] {
                let file: ConfigFile = Document::check("c.toml", &text, &config_schema(), &set, &[])
                    .into()
                    .unwrap_or_else(|errors| panic!("{errors:?}\n{text}"));
                let read = file.source.url.unwrap().0;
                assert_eq!(
                    (&read.user, &read.host, read.port, &read.database),
                    (&source.user, &source.host, source.port, &source.database)
                );
                assert_eq!(read.password.as_ref().map(|secret| secret.expose()), Some("p@ss"));
                assert_eq!(read.params.len(), 1);
                assert!(target.is_none_or(|target| file.target.url.unwrap().0 == *target));
                assert_eq!(file.run.memory.unwrap().0, DEFAULT_MEMORY_BYTES);
            }
        }
    }
}
