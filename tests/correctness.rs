//! Every row of `docs/correctness.md` has a test, and each test that it names exists and says which row it proves.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// The rows that the page must have: the first and the last of each letter.
const ROWS: &[(char, u32)] = &[
    ('T', 10),
    ('N', 10),
    ('S', 15),
    ('B', 3),
    ('E', 5),
    ('J', 4),
    ('G', 1),
    ('I', 6),
    ('X', 5),
    ('K', 9),
    ('C', 8),
    ('D', 16),
    ('V', 7),
];

fn rows() -> BTreeSet<String> {
    ROWS.iter().flat_map(|(letter, last)| (1..=*last).map(move |number| format!("{letter}{number}"))).collect()
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The tests of each row that a page has, and what is wrong with the page itself.
fn page(text: &str) -> (BTreeMap<String, Vec<String>>, Vec<String>) {
    let (mut found, mut faults) = (BTreeMap::new(), Vec::new());
    for line in text.lines().filter(|line| line.starts_with('|')) {
        // `\|` is a bar within a cell.
        let cells: Vec<String> =
            line.replace("\\|", "\u{1}").trim_matches('|').split('|').map(|cell| cell.trim().to_string()).collect();
        let row = cells.first().cloned().unwrap_or_default();
        let is_row = row.starts_with(|letter: char| letter.is_ascii_uppercase())
            && row.len() > 1
            && row.chars().skip(1).all(|letter| letter.is_ascii_digit());
        if !is_row {
            continue;
        }
        if cells.len() != 4 || cells.iter().any(String::is_empty) {
            faults.push(format!("{row}: the row has not four cells that say something"));
        }
        let tests = cells.last().map(|cell| cell.split('`').skip(1).step_by(2).map(str::to_string).collect::<Vec<_>>());
        if found.insert(row.clone(), tests.unwrap_or_default()).is_some() {
            faults.push(format!("{row}: the row stands twice"));
        }
    }
    (found, faults)
}

/// A function with `#[test]` or `#[tokio::test]`, by its path, and its lines.
fn tests_of(path: &str, text: &str, into: &mut BTreeMap<String, Vec<String>>) {
    let lines: Vec<&str> = text.lines().collect();
    // The modules of the file that are open, with their indentation: files are formatted.
    let mut open: Vec<(usize, String)> = Vec::new();
    let mut marked = false;
    for (place, line) in lines.iter().enumerate() {
        let indent = line.len() - line.trim_start().len();
        let code = line.trim_start();
        if code == "}" {
            open.retain(|(of, _)| *of < indent);
        }
        if code.starts_with("#[") {
            marked |= code.starts_with("#[test]") || code.starts_with("#[tokio::test");
            continue;
        }
        let words: Vec<&str> = code.split(|letter: char| !(letter.is_alphanumeric() || letter == '_')).collect();
        if code.ends_with('{') && !code.starts_with("//") {
            if let Some(name) = words.iter().position(|word| *word == "mod").and_then(|at| words.get(at + 1)) {
                open.push((indent, (*name).to_string()));
            }
            if let Some(name) = words.iter().position(|word| *word == "fn").and_then(|at| words.get(at + 1)).filter(|_| marked) {
                let parts = [path].into_iter().filter(|path| !path.is_empty()).chain(open.iter().map(|(_, name)| name.as_str()));
                let full: Vec<&str> = parts.chain([*name]).collect();
                let end = format!("{}}}", " ".repeat(indent));
                let body = lines.iter().skip(place + 1).take_while(|line| **line != end).map(|line| line.trim().to_string());
                into.insert(full.join("::"), body.collect());
            }
        }
        marked = false;
    }
}

/// The tests of all files below a folder.
fn read_folder(folder: &Path, module: &str, into: &mut BTreeMap<String, Vec<String>>) {
    let mut entries: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        let Some(stem) = path.file_stem().and_then(|stem| stem.to_str()) else { continue };
        let own = match stem {
            "mod" | "main" | "lib" => module.to_string(),
            _ if module.is_empty() => stem.to_string(),
            _ => format!("{module}::{stem}"),
        };
        if path.is_dir() {
            read_folder(&path, &own, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            tests_of(&own, &std::fs::read_to_string(&path).unwrap(), into);
        }
    }
}

/// True if a line of the test is a comment that names the row before its colon: `// T1: …`, or `// T1, T3: …`.
fn names_row(body: &[String], row: &str) -> bool {
    body.iter().any(|line| {
        let named = line.strip_prefix("// ").and_then(|comment| comment.split_once(':'));
        named.is_some_and(|(rows, _)| rows.split(',').any(|name| name.trim() == row))
    })
}

/// What is wrong with a page, given the tests that there are.
fn faults(text: &str, tests: &BTreeMap<String, Vec<String>>) -> Vec<String> {
    let wanted = rows();
    let (found, mut faults) = page(text);
    faults.extend(wanted.iter().filter(|row| !found.contains_key(*row)).map(|row| format!("{row}: the row is missing")));
    faults.extend(found.keys().filter(|row| !wanted.contains(*row)).map(|row| format!("{row}: there is no such row")));
    for (row, named) in &found {
        if named.is_empty() {
            faults.push(format!("{row}: it has no test"));
        }
        for name in named {
            match tests.get(name) {
                None => faults.push(format!("{row}: there is no test `{name}`")),
                Some(body) if !names_row(body, row) => {
                    faults.push(format!("{row}: `{name}` has no comment `// {row}: …` at the assertion that proves the row"));
                }
                Some(_) => {}
            }
        }
    }
    faults
}

#[test]
fn every_row_has_a_test_that_names_it() {
    let mut tests = BTreeMap::new();
    for folder in ["tests", "src"] {
        read_folder(&root().join(folder), "", &mut tests);
    }
    let text = std::fs::read_to_string(root().join("docs/correctness.md")).unwrap();
    let faults = faults(&text, &tests);
    assert!(faults.is_empty(), "docs/correctness.md:\n{}", faults.join("\n"));
}

#[test]
fn the_guard_sees_what_is_missing() {
    let source = "
#[test]
fn plain() {
    // T1, T3: both.
    assert!(true);
}
mod inner {
    #[tokio::test(flavor = \"multi_thread\")]
    async fn deep() {
        // T2: here
    }
}
fn helper() {
    // T4: a helper is no test.
}
";
    let mut tests = BTreeMap::new();
    tests_of("some::file", source, &mut tests);
    assert_eq!(tests.keys().collect::<Vec<_>>(), ["some::file::inner::deep", "some::file::plain"]);
    let all: String = rows()
        .iter()
        .map(|row| match row.as_str() {
            "T1" | "T3" | "T4" => format!("| {row} | a | b | `some::file::plain` |\n"),
            "T2" => "| T2 | a \\| b | c | `some::file::inner::deep`, `some::file::helper` |\n".into(),
            "T5" => "| T5 | a | b | not tested |\n".into(),
            "T6" => String::new(),
            "T7" => "| T7 | | b | `some::file::plain` |\n| T7 | a | b | `some::file::plain` |\n| Q9 | a | b | `x` |\n".into(),
            _ => format!("| {row} | a | b | `ok` |\n"),
        })
        .collect();
    tests.insert("ok".into(), rows().iter().map(|row| format!("// {row}: yes")).collect());
    let faults = faults(&all, &tests);
    for fault in [
        "T2: there is no test `some::file::helper`",
        "T4: `some::file::plain` has no comment",
        "T5: it has no test",
        "T6: the row is missing",
        "T7: the row has not four cells",
        "T7: the row stands twice",
        "T7: `some::file::plain` has no comment",
        "Q9: there is no such row",
        "Q9: there is no test `x`",
    ] {
        assert!(faults.iter().any(|found| found.starts_with(fault)), "no `{fault}` in {faults:#?}");
    }
    assert_eq!(faults.len(), 9, "{faults:#?}");
}
