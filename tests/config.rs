//! Files, environment and flags.

use std::path::{Path, PathBuf};

use dbferry::config::endpoint::{Endpoint, Secret};
use dbferry::config::load::{self, AddressText, Overrides};
use dbferry::config::{IfExists, OnTableError, Scope, TargetTables, VerifyLevel, schema};
use dbferry::{Error, ErrorKind};

fn nothing_is_set(_: &str) -> Option<String> {
    None
}

fn all_are_set(_: &str) -> Option<String> {
    Some("p@s/s ü".into())
}

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Folder(tempfile::tempdir().expect("a folder can be made"))
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a file has a folder")).expect("the folder can be made");
        std::fs::write(&path, text).expect("the file can be written");
        path
    }
}

fn with_config(path: &Path) -> Overrides {
    Overrides { config: Some(path.to_path_buf()), ..Overrides::default() }
}

fn with_urls() -> Overrides {
    Overrides {
        source: Some(AddressText::new("mysql://u@h/shop")),
        target: Some(AddressText::new("postgres://u@h/shop")),
        ..Overrides::default()
    }
}

/// Every fault as `line:column: sentence | hint`, without the folder.
fn faults(error: &Error, path: &Path) -> Vec<String> {
    std::iter::once(error)
        .chain(error.also())
        .map(|error| {
            assert_eq!(error.kind(), ErrorKind::Config);
            let text = error.to_string().replace(&format!("{}:", path.display()), "");
            format!("{text} | {}", error.hint_text().unwrap_or("no hint"))
        })
        .collect()
}

#[test]
fn every_fault_of_a_file_is_reported_in_one_go_with_its_place() {
    let folder = Folder::new();
    let path = folder.write(
        "shop.toml",
        r#"[source]
url = "mysql://reader:${SHOP_PASSWORD}@db1/shop"
[target]
url = "oracle://loader:hunter2@db2/shop"
shema = "shop"
[run]
jobs = 0
memory = "1GiBit"
chunk = 5
include = ["[a-", "ok", 7]
verify = "digset"
if_exists = "upset"
on_table_error = true
owner = ""
"#,
    );
    let error = load::settings(&with_config(&path), &nothing_is_set).unwrap_err();
    let found = faults(&error, &path);
    let expected = [
        "2:7: the environment variable `SHOP_PASSWORD` is not set | Set it first: `export SHOP_PASSWORD=…`",
        "4:7: `oracle://` is no known engine | The engines are mysql, mariadb, postgres, sqlite and parquet",
        "5:1: `shema` is no key of `target` | Did you mean `schema`?",
        "7:8: `jobs` is 0, but must be from 1 to 256 | Choose a number from 1 to 256",
        "8:10: `1GiBit` is no size for `memory` | Write a whole number and its unit, such as \"512MiB\", \"2GiB\" or \"500MB\"",
        "9:9: `chunk` is a whole number, but must be text in quotes | Write a size with its unit, in quotes, such as \"512MiB\"",
        "10:12: `[a-` is no pattern: unclosed character class; missing ']' | Patterns have `*`, `?`, `[a-z]` and `{a,b}`, as in a shell",
        "10:25: `include` is a whole number, but must be text in quotes | Write text in quotes here",
        "11:10: `digset` is no value of `verify` | Did you mean `digest`?",
        "12:13: `upset` is no value of `if_exists` | Did you mean `upsert`?",
        "13:18: `on_table_error` is true or false, but must be text in quotes | Write text in quotes here",
        "14:9: `owner` is empty | Give it a value, or leave the line out",
    ];
    assert_eq!(found, expected);
}

#[test]
fn a_line_that_is_no_toml_does_not_hide_other_faults() {
    let folder = Folder::new();
    let path = folder.write("shop.toml", "jobs = 4\n[run]\nmemory = \n[source]\nurl = \"x\"\n[target\n");
    let found = faults(&load::settings(&with_config(&path), &nothing_is_set).unwrap_err(), &path);
    assert!(
        found.iter().any(|fault| fault.starts_with("1:1: `jobs` is no key of this file | `jobs` belongs under `[run]`")),
        "{found:#?}"
    );
    assert!(found.iter().any(|fault| fault.starts_with("3:") && fault.contains("no TOML")), "{found:#?}");
    assert!(found.iter().any(|fault| fault.starts_with("5:7: the address has no scheme")), "{found:#?}");
    assert!(found.iter().any(|fault| fault.starts_with("6:") && fault.contains("no TOML")), "{found:#?}");
}

#[test]
fn a_syntax_error_never_shows_the_line_with_its_password() {
    let folder = Folder::new();
    let path = folder.write("shop.toml", "[source]\nurl = \"mysql://u:hunter2@h/d\n");
    let error = load::settings(&with_config(&path), &nothing_is_set).unwrap_err();
    assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
}

#[test]
fn the_faults_of_config_mapping_and_flags_come_together() {
    let folder = Folder::new();
    let mapping = folder.write(
        "maps/shop.toml",
        "[[type]]\nmatch = { typ = \"tinyint\" }\nto = \"boolean\"\n\n[[table]]\nto = \"x\"\n[table.columns.total]\nrenam = \"sum\"\n",
    );
    let config = folder.write("configs/shop.toml", "[run]\nmapping = \"../maps/shop.toml\"\nverfy = \"full\"\n");
    let overrides = Overrides { jobs: Some(1000), memory: Some("1MiB".into()), ..with_config(&config) };
    let error = load::settings(&overrides, &nothing_is_set).unwrap_err();
    let found = faults(&error, &config);
    assert_eq!(found.len(), 6, "{found:#?}");
    assert!(found[0].starts_with("3:1: `verfy` is no key of `run` | Did you mean `verify`?"), "{found:#?}");
    let in_mapping = |place: &str, what: &str| {
        let name = config.parent().unwrap().join("../maps/shop.toml");
        let start = format!("{}:{place}: {what}", name.display());
        assert!(found.iter().any(|fault| fault.starts_with(&start)), "{start} not in {found:#?}");
    };
    in_mapping("2:9", "`match` has no `type`");
    in_mapping("2:11", "`typ` is no key of `match`");
    in_mapping("8:1", "`renam` is no key of `total`");
    assert!(found.iter().any(|fault| fault.contains("`--jobs` is 1000, but must be from 1 to 256")), "{found:#?}");
    assert!(found.iter().any(|fault| fault.contains("`--memory` is 1MiB, but must be at least 64MiB")), "{found:#?}");
    assert!(mapping.exists());
}

#[test]
fn flags_win_over_the_file_and_the_file_over_defaults() {
    let folder = Folder::new();
    folder.write(
        "maps/shop.toml",
        "\n[[table]]\nname = \"a\"\n[[type]]\nmatch = {type = \"bit\"}\nto = \"x\"\n[[table]]\nname = \"b\"\n",
    );
    let path = folder.write(
        "configs/shop.toml",
        r#"[source]
url = "mysql://a@h/one"
[target]
url = "postgres://a@h/two"
schema = "shop"
[run]
mapping = "../maps/shop.toml"
include = ["a*"]
jobs = 3
memory = "64MiB"
chunk = "2MB"
verify = "full"
on_table_error = "stop"
owner = "boss"
allow_empty = true
"#,
    );
    let settings = load::settings(&with_config(&path), &nothing_is_set).unwrap();
    assert_eq!(settings.source.to_string(), "mysql://a@h/one");
    assert_eq!((settings.jobs, settings.memory_bytes, settings.chunk_bytes), (Some(3), 64 << 20, 2_000_000));
    assert_eq!((settings.verify, settings.on_table_error), (VerifyLevel::Full, OnTableError::Stop));
    assert_eq!((settings.if_exists, settings.ledger_schema.as_str()), (IfExists::Error, "dbferry"));
    assert!(settings.allow_empty && !settings.hide_keys);
    let lines: Vec<u32> = settings.mapping.tables.iter().map(|table| table.line).collect();
    assert_eq!((lines, settings.mapping.types[0].line), (vec![2, 7], 4));
    assert!(settings.mapping.file.ends_with("shop.toml"));

    let overrides = Overrides {
        source: Some(AddressText::new("sqlite://x.db")),
        include: vec!["b*".into()],
        schema: Some("other".into()),
        jobs: Some(9),
        memory: Some("1GiB".into()),
        verify: Some(VerifyLevel::Rows),
        if_exists: Some(IfExists::Truncate),
        data_only: true,
        ledger_schema: Some("book".into()),
        ..with_config(&path)
    };
    let settings = load::settings(&overrides, &nothing_is_set).unwrap();
    assert_eq!(settings.source.to_string(), "sqlite://x.db");
    assert_eq!((settings.include, settings.schema.as_deref()), (vec!["b*".to_string()], Some("other")));
    assert_eq!((settings.jobs, settings.memory_bytes, settings.verify), (Some(9), 1 << 30, VerifyLevel::Rows));
    assert_eq!(
        (settings.if_exists, settings.scope, settings.ledger_schema.as_str()),
        (IfExists::Truncate, Scope::DataOnly, "book")
    );
}

#[test]
fn without_addresses_the_error_says_how_to_give_them() {
    let error = load::settings(&Overrides::default(), &nothing_is_set).unwrap_err();
    assert_eq!(
        faults(&error, Path::new("x")),
        [
            "no source is given | Give SOURCE as a URL, or name a file with `-c FILE` that has `url` under `[source]`",
            "no target is given | Give TARGET as a URL, or name a file with `-c FILE` that has `url` under `[target]`",
        ]
    );
}

#[test]
fn what_comes_later_or_contradicts_itself_is_refused() {
    let refused = |overrides: Overrides, start: &str| {
        let error = load::settings(&overrides, &nothing_is_set).unwrap_err();
        assert!(error.to_string().starts_with(start), "{error}");
    };
    refused(
        Overrides { if_exists: Some(IfExists::Drop), data_only: true, ..with_urls() },
        "tables that stand already cannot be dropped",
    );
    let existing = Overrides { tables: Some(TargetTables::Existing), ..with_urls() };
    assert_eq!(load::settings(&existing, &nothing_is_set).unwrap().scope, Scope::DataOnly);
    refused(Overrides { schema_only: true, ..existing }, "`--schema-only` and `--tables existing` together");
    refused(
        Overrides { tables: Some(TargetTables::Create), data_only: true, ..with_urls() },
        "`--data-only` makes no tables, and `--tables create` makes them",
    );
    refused(Overrides { schema_only: true, data_only: true, ..with_urls() }, "`--schema-only` and `--data-only` together");
    refused(Overrides { include: vec!["[".into()], ..with_urls() }, "--include: `[` is no pattern");
    refused(Overrides { schema: Some(String::new()), ..with_urls() }, "`--schema` is empty");
    refused(Overrides { chunk: Some("1KiB".into()), ..with_urls() }, "`--chunk` is 1KiB, but must be at least 1MiB");
    refused(
        Overrides { source: Some(AddressText::new("mysql://u:${NO}@h/d")), ..with_urls() },
        "SOURCE: the environment variable `NO`",
    );
    refused(Overrides { mapping: Some("no/such.toml".into()), ..with_urls() }, "no/such.toml: the mapping file cannot be read");
    assert!(load::report_file(Path::new("a.html")).unwrap_err().to_string().contains("not available yet"));
    assert!(load::report_file(Path::new("a.txt")).is_err());
    assert!(load::report_file(Path::new("a.json")).is_ok());
}

#[test]
fn a_password_of_any_characters_comes_from_the_environment_and_is_never_printed() {
    let overrides = Overrides {
        source: Some(AddressText::new("mysql://u:${A}@h/d?ssl-password=hidden1")),
        target: Some(AddressText::new("postgres://u:hidden2@h/d")),
        ..Overrides::default()
    };
    let password = "p@s/s:#?%41 ${A}$";
    let settings = load::settings(&overrides, &|_| Some(password.into())).unwrap();
    assert_eq!(settings.source.password.as_ref().map(Secret::expose), Some(password));
    let printed = format!("{settings:?} {settings:#?} {} {} {overrides:?}", settings.source, settings.target);
    for secret in [password, "hidden1", "hidden2"] {
        assert!(!printed.contains(secret), "{secret} in {printed}");
    }
    let raw: Endpoint = load::source(&overrides, &|_| Some(String::new())).unwrap();
    assert_eq!(raw.password, None);
}

#[test]
fn strings_of_a_mapping_take_the_environment_too() {
    let folder = Folder::new();
    let path = folder.write("m.toml", "[[table]]\nname = \"${TABLE}\"\nto = \"a$${b}\"\n");
    let mapping = load::mapping(&path, &|name| (name == "TABLE").then(|| "orders".into())).unwrap();
    assert_eq!((mapping.tables[0].name.as_str(), mapping.tables[0].to.as_deref()), ("orders", Some("a${b}")));
}

#[test]
fn the_key_of_the_masks_is_never_printed_nor_stored() {
    let folder = Folder::new();
    let path = folder.write("m.toml", "[masking]\nkey = \"${KEY}\"\n[[table]]\nname = \"t\"\ncolumns.v.mask = \"hash\"\n");
    let overrides = Overrides { mapping: Some(path), ..with_urls() };
    let settings = load::settings(&overrides, &|_| Some("a key of many letters".into())).unwrap();
    let choices = dbferry::plan::Choices::of(&settings);
    let stored = serde_json::to_string(&choices).unwrap();
    let printed = format!("{settings:?} {choices:#?} {stored} {}", serde_json::to_string(&settings.mapping).unwrap());
    assert!(!printed.contains("many letters") && stored.contains("fingerprint"), "{printed}");
    let back: dbferry::plan::Choices = serde_json::from_str(&stored).unwrap();
    assert_eq!(back.mapping.masking.fingerprint, choices.mapping.masking.fingerprint);
    let path = folder.write("n.toml", "[masking]\nfingerprint = \"12345678\"\n");
    assert!(load::mapping(&path, &nothing_is_set).unwrap_err().to_string().contains("`fingerprint` is no key of `masking`"));
}

#[test]
fn an_address_that_is_not_used_needs_no_password() {
    let folder = Folder::new();
    let text =
        "[source]\nurl = \"mysql://u:${A}@h/d\"\n[target]\nurl = \"postgres://u:${B}@h/d\"\n[run]\nledger_schema = \"book\"\n";
    let path = folder.write("c.toml", text);
    let only = |wanted: &'static str| move |name: &str| (name == wanted).then(|| "x".to_string());
    assert_eq!(load::target(&with_config(&path), &only("B")).unwrap().1, "book");
    assert_eq!(load::source(&with_config(&path), &only("A")).unwrap().to_string(), "mysql://u:****@h/d");
    let typed = Overrides { source: Some(AddressText::new("sqlite://x")), ..with_config(&path) };
    assert!(load::settings(&typed, &only("B")).is_ok());
    assert!(load::settings(&with_config(&path), &only("B")).is_err());
}

#[test]
fn brackets_that_do_not_fit_are_explained() {
    let folder = Folder::new();
    let path = folder.write("m.toml", "[table]\nname = \"orders\"\n[[type]]\nmatch = \"int\"\nto = 2026-01-01\n");
    let found = faults(&load::mapping(&path, &nothing_is_set).unwrap_err(), &path);
    let expected = [
        "1:1: `table` is a table, but must be a list | Write `[[table]]`, with two brackets on each side",
        "4:9: `match` is text, but must be a table | Write `match = { type = … }`",
        "5:6: `to` is a date, but must be text in quotes | Write text in quotes here",
    ];
    assert_eq!(found, expected);
}

proptest::proptest! {
    #![proptest_config(proptest::test_runner::Config { failure_persistence: None, ..Default::default() })]
    /// Whatever stands in a file, it is either refused with a place, or read by serde alone just the same.
    #[test]
    fn a_damaged_file_is_refused_or_means_what_serde_reads(at in 0usize..1200, length in 0usize..20, put in "[\\[\\]\"'=\\.a-z0-9\n${}#]{0,6}") {
        use dbferry::config::{document::Document, environment, file::ConfigFile};
        let x = |_: &str| Some("x".to_string());
        let mut text: Vec<char> = include_str!("../configs/shop.toml").chars().collect();
        let start = at.min(text.len());
        let end = (start + length).min(text.len());
        text.splice(start..end, put.chars());
        let text: String = text.into_iter().collect();
        match Document::check("c.toml", &text, &schema::config_schema(), &x, &[]).into::<ConfigFile>() {
            // A comment may hold what is no reference.
            Ok(_) => if let Ok(expanded) = environment::expand(&text, &x) {
                proptest::prop_assert!(toml::from_str::<ConfigFile>(&expanded).is_ok(), "{}", text);
            },
            Err(errors) => for error in errors {
                proptest::prop_assert!(error.place().file.as_deref().is_some_and(|file| file.starts_with("c.toml:")), "{:?}", error);
                proptest::prop_assert!(error.hint_text().is_some());
            },
        }
    }
}

fn toml_files(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let entries =
        std::fs::read_dir(folder).expect("the folder is there").map(|entry| entry.expect("its entries can be read").path());
    entries.filter(|path| path.extension().is_some_and(|extension| extension == "toml")).collect()
}

#[test]
fn every_example_and_every_built_in_rule_file_loads() {
    let configs = toml_files("configs");
    assert!(!configs.is_empty());
    for path in configs {
        load::settings(&with_config(&path), &all_are_set).unwrap_or_else(|error| panic!("{}: {error:?}", path.display()));
    }
    for path in toml_files("mappings") {
        load::mapping(&path, &nothing_is_set).unwrap_or_else(|error| panic!("{}: {error:?}", path.display()));
    }
}

#[test]
fn the_json_schemas_in_configs_are_those_of_the_code() {
    for (name, schema) in [("dbferry", schema::config_schema()), ("mapping", schema::mapping_schema())] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("configs/{name}.schema.json"));
        if std::env::var("DBFERRY_BLESS").is_ok_and(|value| value == "1") {
            std::fs::write(&path, schema::text(&schema)).unwrap();
        }
        let stored = std::fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(stored, schema::text(&schema), "run the test with DBFERRY_BLESS=1 to write {}", path.display());
    }
}

#[test]
fn a_file_is_checked_without_any_server() {
    let check = |file: &str| {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_dbferry")).args(["check", file]).output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let (code, text) = check("mappings/shop.toml");
    assert_eq!((code, text.contains("without faults")), (Some(0), true), "{text}");
    let folder = tempfile::tempdir().unwrap();
    let bad = folder.path().join("bad.toml");
    std::fs::write(&bad, "[source]\nurl = \"postgres://x\"\n[runn]\njobs = 0\n").unwrap();
    let (code, text) = check(bad.to_str().unwrap());
    assert_eq!(code, Some(2));
    assert!(text.contains("bad.toml:3:2: `runn` is no key") && text.contains("Did you mean `run`?"), "{text}");
    assert!(text.contains("names no database"), "{text}");
    let mapping = folder.path().join("mapping.toml");
    let rules = "[[table]]\nname = \"orders\"\nwhere = \"total >\"\n[table.columns]\nname = { expr = \"uper(name)\" }\nv = { to = \"varchr(3)\" }\n";
    std::fs::write(&mapping, rules).unwrap();
    let config = "[source]\nurl = \"mysql://h/x\"\n[target]\nurl = \"postgres://h/x\"\n[run]\nmapping = \"mapping.toml\"\n";
    std::fs::write(&bad, config).unwrap();
    for file in [&mapping, &bad] {
        let (code, text) = check(file.to_str().unwrap());
        assert_eq!(code, Some(2));
        for says in [
            "mapping.toml:1: `orders`: the expression `total >` is no SQL expression",
            "mapping.toml:5: `orders.name`: ",
            "there is no function `uper`\nhint: Did you mean `upper`?",
            "mapping.toml:6: `orders.v`: ",
        ] {
            assert!(text.contains(says), "no `{says}` in:\n{text}");
        }
    }
}

#[test]
fn a_file_of_another_format_is_told_in_a_few_lines() {
    let folder = Folder::new();
    let path = folder.write("shop.sql", &"CREATE TABLE t (id INT);\n".repeat(60));
    let error = load::settings(&with_config(&path), &nothing_is_set).unwrap_err();
    let found = faults(&error, &path);
    assert_eq!(found.len(), 6, "{found:#?}");
    assert!(found[5].contains("55 more faults of this kind | Is it a TOML file?"), "{found:#?}");
}
