//! The examples of `mappings/examples`, as a person follows them: each `README.md` is run, command by command, in its folder, and has
//! to say what the commands say.
//!
//! The blocks ` ```console ` of a README hold commands (`$ …`, continued by `> …`) and what they print. A line that begins with `…`
//! stands for what is left out. After a change of the output, `DBFERRY_BLESS=1` writes it anew where nothing is left out.

use std::path::{Path, PathBuf};

use dbferry::config::endpoint::Endpoint;
use regex::Regex;
use sqlx::{AssertSqlSafe, Column, Row, TypeInfo, ValueRef};

use crate::support::ferry::{Said, command, finish};
use crate::support::{MySqlDatabase, PostgresDatabase};

/// Every example; each has a test below.
const ALL: [&str; 5] = ["orm", "split", "staging", "subset", "tenants"];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("mappings/examples")
}

fn blesses() -> bool {
    std::env::var_os("DBFERRY_BLESS").is_some()
}

fn text(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A command of a README.
#[derive(Debug)]
struct Step {
    command: String,
    /// The lines of what it prints: the first, and the one behind the last.
    output: std::ops::Range<usize>,
}

fn steps(readme: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut inside = false;
    for (line, text) in readme.lines().enumerate() {
        if text.starts_with("```") {
            inside = text == "```console";
        } else if let Some(command) = text.strip_prefix("$ ").filter(|_| inside) {
            steps.push(Step { command: command.into(), output: line + 1..line + 1 });
        } else if let Some(step) = steps.last_mut().filter(|_| inside) {
            match text.strip_prefix("> ") {
                Some(more) if step.output.start == line => {
                    step.command.push('\n');
                    step.command.push_str(more);
                    step.output.start += 1;
                }
                _ => {}
            }
            step.output.end = line + 1;
        }
    }
    steps
}

/// What is between the quotes behind `before`.
fn quoted<'a>(command: &'a str, before: &str) -> Option<&'a str> {
    let rest = command.split_once(before)?.1;
    let quote = rest.chars().next().filter(|quote| ['"', '\''].contains(quote))?;
    Some(rest[1..].split_once(quote)?.0)
}

/// The rows of a query as psql prints them.
async fn table(to: &PostgresDatabase, sql: &str) -> Vec<String> {
    let rows = sqlx::raw_sql(AssertSqlSafe(sql.to_string())).fetch_all(&mut to.connect().await).await.expect(sql);
    let columns = rows.first().expect(sql).columns();
    let numeric: Vec<bool> =
        columns.iter().map(|column| ["INT2", "INT4", "INT8", "NUMERIC"].contains(&column.type_info().name())).collect();
    let mut cells = vec![columns.iter().map(|column| column.name().to_string()).collect::<Vec<_>>()];
    for row in &rows {
        let value = |place| row.try_get_raw(place).unwrap();
        let cell = |place| if value(place).is_null() { String::new() } else { value(place).as_str().unwrap().to_string() };
        cells.push((0..columns.len()).map(cell).collect());
    }
    let length = |text: &String| text.chars().count();
    let widths: Vec<usize> = (0..numeric.len()).map(|place| cells.iter().map(|row| length(&row[place])).max().unwrap()).collect();
    let mut lines: Vec<String> = Vec::new();
    for (number, row) in cells.iter().enumerate() {
        let padded = row.iter().zip(&widths).zip(&numeric).map(|((cell, width), numeric)| match (number, numeric) {
            (0, _) => format!(" {cell:^width$} "),
            (_, true) => format!(" {cell:>width$} "),
            (_, false) => format!(" {cell:<width$} "),
        });
        lines.push(padded.collect::<Vec<_>>().join("|").trim_end().to_string());
    }
    lines.insert(1, widths.iter().map(|width| "-".repeat(width + 2)).collect::<Vec<_>>().join("+"));
    lines.push(format!("({} row{})", rows.len(), if rows.len() == 1 { "" } else { "s" }));
    lines
}

/// What a command prints, without what is another on each run and each machine: times, sizes on disk, versions, positions,
/// lines of the built-in rules, widths.
fn lasting(text: &str) -> String {
    let mut text = text.to_string();
    for (volatile, lasting) in [
        (r"(?m)^( *(?:from|to) +[a-z]+://\S+).*$", "$1"),
        (r"(?m)^  log .*$", ""),
        (r"(?m)^  took .*$", "took"),
        (r"(?m)^  peak .*$", ""),
        (r"\brun [0-9a-f]{32}, dbferry \S+", "run"),
        (r"[\d.,]+ (?:µs|ms|s)\b( +[\d,]+)?", "T"),
        (r"about [\d,]+ rows(?:,| and) [\d.,]+ \w?B", "about N"),
        (r"\d+ readers?(, spare ones among them,)? shares? one", "N readers share one"),
        (r"built-in (\S+\.toml):\d+", "built-in $1"),
        (r"-{2,}", "--"),
        (r"\s+", " "),
    ] {
        text = Regex::new(volatile).unwrap().replace_all(&text, lasting).into_owned();
    }
    text.trim().to_string()
}

/// Demands that what was printed is what the README shows.
#[track_caller]
fn agrees(shown: &[&str], printed: &[String], command: &str) {
    let whole = printed.join("\n");
    let printed = lasting(&whole);
    let parts: Vec<String> = shown.split(|line| line.starts_with('…')).map(|part| lasting(&part.join("\n"))).collect();
    let mut rest = printed.as_str();
    for part in &parts {
        let found = if parts.len() == 1 { rest == part } else { rest.contains(part.as_str()) };
        assert!(found, "the README of `{command}` shows:\n{part}\n\nand it prints:\n{rest}\n\nwhich is:\n{whole}");
        rest = rest.split_once(part.as_str()).map_or("", |(_, behind)| behind);
    }
}

/// Runs an example's README in databases of its own.
struct Walk {
    folder: PathBuf,
    from: MySqlDatabase,
    to: PostgresDatabase,
    key: String,
    /// What stands in the output, and what the README shows in its place.
    names: Vec<(Regex, String)>,
}

impl Walk {
    async fn begin(name: &str, readme: &str) -> Self {
        let folder = folder().join(name);
        let exported = |name: &str| {
            let found = steps(readme).iter().find_map(|step| Some(quoted(&step.command, &format!("{name}="))?.to_string()));
            Endpoint::parse(&found.unwrap_or_else(|| panic!("no `export {name}=` in the README"))).unwrap()
        };
        let shown = [exported("SOURCE"), exported("TARGET")];
        let (from, to) = if blesses() {
            // Widths of columns follow the names.
            let [from, to] = shown.clone().map(|shown| shown.database);
            (MySqlDatabase::create_named(from, "").await, PostgresDatabase::create_named(to, "").await)
        } else {
            (MySqlDatabase::create("").await, PostgresDatabase::create("").await)
        };
        let mut names = Vec::new();
        for (real, shown) in [&from.url, &to.url].into_iter().zip(shown) {
            let real = Endpoint::parse(real).unwrap();
            for (real, shown) in [(real.to_string(), shown.to_string()), (real.database, shown.database)] {
                names.push((Regex::new(&format!(r"{}\b", regex::escape(&real))).unwrap(), shown));
            }
        }
        let key = steps(readme).iter().find_map(|step| Some(quoted(&step.command, "DBFERRY_MASK_KEY=")?.to_string()));
        Walk { folder, from, to, key: key.unwrap_or_default(), names }
    }

    /// Runs a command line as a shell does, in the example's folder.
    fn shell(&self, line: &str) -> Said {
        let binary = Path::new(env!("CARGO_BIN_EXE_dbferry")).parent().unwrap().display().to_string();
        let mut shell = std::process::Command::new("sh");
        shell.args(["-c", line]).current_dir(&self.folder).env_remove("RUST_LOG").env_remove("DBFERRY_MASK_KEY");
        shell.env("PATH", format!("{binary}:{}", std::env::var("PATH").unwrap_or_default()));
        shell.env("SOURCE", &self.from.url).env("TARGET", &self.to.url);
        if !self.key.is_empty() {
            shell.env("DBFERRY_MASK_KEY", &self.key);
        }
        shell.stdin(std::process::Stdio::null()).stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
        finish(shell.spawn().expect("a shell starts"))
    }

    /// Does what a command says; `None` if it prints nothing of interest.
    async fn step(&self, line: &str) -> Option<Vec<String>> {
        let file = |marker: &str| line.split_once(marker).map(|(_, file)| text(&self.folder.join(file.trim())));
        match line.split_whitespace().next().unwrap_or_default() {
            "export" | "createdb" => None,
            "mariadb" => {
                if let Some(script) = file("<") {
                    self.from.run(&script).await;
                }
                None
            }
            "psql" => {
                if let Some(sql) = quoted(line, "-c ") {
                    return Some(table(&self.to, sql).await);
                }
                self.to.run(&file("-f").expect("psql runs a query or a file")).await;
                None
            }
            "dbferry" => {
                let mut said = self.shell(line).code(0).out;
                if line.starts_with("dbferry run") {
                    assert!(said.contains("Proven"), "{said}");
                }
                for (real, shown) in &self.names {
                    said = real.replace_all(&said, regex::NoExpand(shown)).into_owned();
                }
                Some(said.lines().map(str::to_string).collect())
            }
            other => panic!("`{other}` in a README is a command that this test does not know"),
        }
    }

    async fn end(self) {
        self.from.drop().await;
        self.to.drop().await;
    }
}

/// Follows the README of an example; the databases are as it leaves them.
async fn follow(name: &str) -> Walk {
    let path = folder().join(name).join("README.md");
    let readme = text(&path);
    let lines: Vec<&str> = readme.lines().collect();
    let mut blessed: Vec<String> = lines.iter().map(|line| (*line).to_string()).collect();
    let walk = Walk::begin(name, &readme).await;
    let mut printed = Vec::new();
    for step in steps(&readme) {
        let says = walk.step(&step.command).await;
        printed.push((step, says));
    }
    let runs = printed.iter().filter(|(step, _)| step.command.starts_with("dbferry run")).count();
    let queries = printed.iter().filter(|(step, _)| step.command.starts_with("psql") && step.command.contains("-c ")).count();
    assert!(runs >= 1 && queries >= 1, "the README of `{name}` runs {runs} times, and looks {queries} times at what arrived");
    for (step, says) in printed.into_iter().rev() {
        let shown = &lines[step.output.clone()];
        let says = says.unwrap_or_default();
        if blesses() && !shown.iter().any(|line| line.starts_with('…')) {
            blessed.splice(step.output, says);
        } else {
            agrees(shown, &says, &step.command);
        }
    }
    if blesses() {
        std::fs::write(&path, format!("{}\n", blessed.join("\n"))).unwrap();
    }
    walk
}

#[tokio::test]
async fn tenants() {
    let walk = follow("tenants").await;
    // What the README says of the keys.
    walk.to
        .refuses(
            "INSERT INTO orders (tenant, customer_id, total, paid, placed_at) VALUES ('initech', 300, 1, true, now())",
            "23503",
        )
        .await;
    walk.to.refuses("INSERT INTO customers (tenant, email, name, country, created_at) VALUES ('acme', 'PERSON7@mail.test', 'x', 'DE', now())", "23505").await;
    walk.end().await;
}

#[tokio::test]
async fn staging() {
    let walk = follow("staging").await;
    let secrets = "SELECT GROUP_CONCAT(s SEPARATOR '\\n') FROM (SELECT email AS s FROM customers UNION SELECT full_name FROM customers UNION SELECT iban FROM customers WHERE iban IS NOT NULL UNION SELECT phone FROM customers UNION SELECT password_hash FROM customers UNION SELECT email FROM newsletter) AS all_of_them";
    let mut source = walk.from.connect().await;
    sqlx::raw_sql("SET SESSION group_concat_max_len = 10000000").execute(&mut source).await.unwrap();
    let secrets: String = sqlx::query_scalar(secrets).fetch_one(&mut source).await.unwrap();
    assert!(secrets.lines().count() > 3000);
    let whole = "SELECT concat((SELECT string_agg(c::text, ' ') FROM customers c), (SELECT string_agg(o::text, ' ') FROM orders o), (SELECT string_agg(n::text, ' ') FROM newsletter n), (SELECT string_agg(r::text, ' ') FROM dbferry.runs r))";
    let whole = walk.to.value(whole).await.unwrap();
    for secret in secrets.lines() {
        assert!(!whole.contains(secret), "`{secret}` is in the target");
    }
    walk.end().await;
}

#[tokio::test]
async fn split() {
    follow("split").await.end().await;
}

#[tokio::test]
async fn orm() {
    follow("orm").await.end().await;
}

#[tokio::test]
async fn subset() {
    let walk = follow("subset").await;
    assert_eq!(
        walk.to.value("SELECT count(*) FROM pg_constraint WHERE contype = 'f' AND NOT convalidated").await.as_deref(),
        Some("0")
    );
    walk.end().await;
}

#[test]
fn every_example_is_complete_is_tested_and_can_be_checked_without_a_server() {
    let mut found: Vec<String> = std::fs::read_dir(folder())
        .unwrap()
        .map(Result::unwrap)
        .filter(|entry| entry.path().is_dir())
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    found.sort();
    assert_eq!(found, ALL, "each example has a test of its name in this file");
    let index = text(&folder().join("README.md"));
    let project = text(&Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md"));
    assert!(project.contains("mappings/examples/README.md"), "the project's README leads to the examples");
    for name in ALL {
        let file = |file: &str| folder().join(name).join(file).to_str().unwrap().to_string();
        let shown: Vec<String> = steps(&text(Path::new(&file("README.md")))).into_iter().map(|step| step.command).collect();
        assert!(shown.contains(&"dbferry run -c dbferry.toml".to_string()), "{name}: {shown:#?}");
        assert!(index.contains(&format!("({name}/README.md)")), "the index leads to `{name}`");
        for checked in ["mapping.toml", "dbferry.toml"] {
            let mut check = command(&["check", &file(checked)]);
            check.env("SOURCE", "mysql://u@h/d").env("TARGET", "postgres://u@h/d").env("DBFERRY_MASK_KEY", "0123456789abcdef");
            finish(check.spawn().unwrap()).code(0);
        }
    }
}
