//! The report for people: a header, a line per table, what was not carried, and one sentence that says what was proven.
//!
//! What needs a person comes first: failed and differing tables stand at the top, then the largest. All are listed.

use std::fmt::Write;

use super::{HookState, Outcome, Report, TableReport, human};
use crate::engine::Consistency;
use crate::model::catalog::{Problem, Severity};

/// How the text looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TextOptions {
    /// Sentences are folded at so many characters; the table of tables is as wide as it must be.
    pub width: usize,
}

impl Default for TextOptions {
    /// 100 characters.
    fn default() -> Self {
        TextOptions { width: 100 }
    }
}

/// The whole report as text, with a line feed at its end.
pub fn render(report: &Report, options: TextOptions) -> String {
    let mut page = Page { text: String::new(), width: options.width.max(40) };
    header(&mut page, report);
    if !report.tables.is_empty() {
        tables(&mut page, report);
    }
    instants(&mut page, report);
    later(&mut page, report);
    added(&mut page, report);
    schema(&mut page, report);
    losses(&mut page, report);
    rejects(&mut page, report);
    hooks(&mut page, report);
    for (severity, title) in
        [(Severity::Refused, "Refused"), (Severity::NotCarried, "Not carried"), (Severity::Note, "Worth knowing")]
    {
        problems(&mut page, title, report.problems.iter().filter(|problem| problem.severity == severity).collect());
    }
    errors(&mut page, report);
    page.gap();
    page.fold("", &report.proven);
    page.text
}

struct Page {
    text: String,
    width: usize,
}

impl Page {
    fn line(&mut self, line: &str) {
        self.text.push_str(line.trim_end());
        self.text.push('\n');
    }

    fn gap(&mut self) {
        if !self.text.is_empty() {
            self.text.push('\n');
        }
    }

    /// Sentences, folded at the width; what follows a fold is indented two more. Line feeds stay: a hint may hold lines of a mapping file.
    fn fold(&mut self, indent: &str, text: &str) {
        let deeper = if indent.is_empty() { String::new() } else { format!("{indent}  ") };
        for (at, line) in text.trim_end().split('\n').enumerate() {
            let start = if at == 0 { indent } else { &deeper };
            let whole = format!("{start}{}", printable(line));
            if whole.chars().count() <= self.width {
                self.line(&whole);
            } else {
                self.fold_line(start, &deeper, &printable(line));
            }
        }
    }

    fn fold_line(&mut self, start: &str, deeper: &str, words: &str) {
        let mut line = start.to_string();
        let mut used = 0;
        for word in words.split_whitespace() {
            if used > 0 && line.chars().count() + 1 + word.chars().count() > self.width {
                self.line(&line);
                line = deeper.to_string();
                used = 0;
            }
            if used > 0 {
                line.push(' ');
            }
            line.push_str(word);
            used += 1;
        }
        self.line(&line);
    }
}

/// A name may hold anything, and must neither break a line nor reach the terminal as a command.
fn printable(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            control if control.is_control() => clean.extend(control.escape_default()),
            other => clean.push(other),
        }
    }
    clean
}

fn header(page: &mut Page, report: &Report) {
    let what = match (report.command.as_str(), report.run.as_str()) {
        (command, "") => command.to_string(),
        ("verify", run) => format!("verify of run {run}"),
        (command, run) => format!("{command} {run}"),
    };
    page.line(&format!("{what}, dbferry {}", report.version));
    let sides = [("from", &report.source), ("to", &report.target)];
    let width = sides.iter().map(|(_, side)| side.address.chars().count()).max().unwrap_or(0);
    for (word, side) in sides {
        page.line(&printable(&format!("  {word:<5} {:<width$}  {}", side.address, side.server)));
    }
    let phases: Vec<_> = report.phases.iter().map(|phase| format!("{} {}", phase.phase, human::seconds(phase.seconds))).collect();
    let phases = if phases.is_empty() { String::new() } else { format!(" ({})", phases.join(", ")) };
    page.line(&format!("  took  {}{phases}", human::seconds(report.seconds)));
    resources(page, report);
    if let Some(position) = &report.position {
        let mut line = String::from("  log   ");
        if !position.file.is_empty() {
            let _ = write!(line, "{}:{} ", position.file, position.offset);
        }
        if !position.gtid.is_empty() {
            let _ = write!(line, "GTID {}", position.gtid);
        }
        page.line(&printable(&line));
    }
}

/// Memory, and how the run held itself back.
fn resources(page: &mut Page, report: &Report) {
    let Some(resources) = &report.resources else { return };
    if let Some(peak) = resources.peak_resident_bytes {
        let (peak, memory) = (human::bytes(peak), human::bytes(resources.memory_bytes));
        page.line(&format!("  peak  {peak} of memory in all, where {memory} were allowed for data"));
    }
    if let Some(rate) = resources.max_rate_bytes {
        let waited = human::seconds(resources.throttled_seconds);
        page.line(&format!("  rate  at most {}/s; batches waited {waited} for it", human::bytes(rate)));
    }
    for pause in &resources.pauses {
        page.fold("  ", &format!("PAUSED for {}: {}", human::seconds(pause.seconds), pause.why));
    }
}

fn rank(table: &TableReport) -> impl Ord {
    let outcome = match table.outcome {
        Outcome::Failed => 0,
        Outcome::Differs => 1,
        Outcome::Rejected => 2,
        // A table with an error counts as one that needs a person, whatever else is said of it.
        Outcome::Verified | Outcome::NotVerified => 3 + u8::from(table.errors.is_empty()),
    };
    let largest = std::cmp::Reverse((table.bytes, table.rows));
    (outcome, largest, table.source.clone())
}

fn word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Verified => "verified",
        Outcome::NotVerified => "not verified",
        Outcome::Differs => "DIFFERS",
        Outcome::Rejected => "REJECTS",
        Outcome::Failed => "FAILED",
    }
}

/// True when the table has another name in the target; another schema alone is not told, since it is the same for all.
fn renamed(table: &TableReport) -> bool {
    fn bare(name: &str) -> &str {
        name.split_once('.').map_or(name, |(_, bare)| bare)
    }
    bare(&table.source) != bare(&table.target)
}

fn tables(page: &mut Page, report: &Report) {
    let mut sorted: Vec<_> = report.tables.iter().collect();
    sorted.sort_by_cached_key(|table| rank(table));
    let mut rows = vec![["table", "rows", "bytes", "time", "rows/s", "digest", "outcome"].map(String::from)];
    for table in &sorted {
        let name = if renamed(table) { format!("{} -> {}", table.source, table.target) } else { table.source.clone() };
        rows.push([
            printable(&name),
            human::count(table.rows),
            human::bytes(table.bytes),
            human::seconds(table.seconds),
            human::per_second(table.rows, table.seconds),
            table.digest.map_or_else(|| "-".into(), |digest| digest.to_string().chars().take(8).collect()),
            word(table.outcome).into(),
        ]);
    }
    if sorted.len() > 1 {
        let total_rows = sorted.iter().map(|table| table.rows).fold(0, u64::saturating_add);
        let total_bytes = sorted.iter().map(|table| table.bytes).fold(0, u64::saturating_add);
        // Tables run side by side, so the sum of their times would be too long: the phase tells.
        let copy = report.phases.iter().find(|phase| phase.phase == "copy").map(|phase| phase.seconds);
        rows.push([
            format!("{} tables", human::count(u64::try_from(sorted.len()).unwrap_or(u64::MAX))),
            human::count(total_rows),
            human::bytes(total_bytes),
            copy.map_or_else(|| "-".into(), human::seconds),
            copy.map_or_else(|| "-".into(), |seconds| human::per_second(total_rows, seconds)),
            String::new(),
            outcomes(&sorted),
        ]);
    }
    page.gap();
    write_columns(page, &rows, sorted.len() > 1);
}

/// `1 FAILED, 12 verified`.
fn outcomes(tables: &[&TableReport]) -> String {
    let all = [Outcome::Failed, Outcome::Differs, Outcome::Rejected, Outcome::NotVerified, Outcome::Verified];
    let counted = all.map(|outcome| (outcome, tables.iter().filter(|table| table.outcome == outcome).count()));
    let parts: Vec<_> = counted
        .iter()
        .filter(|(_, number)| *number > 0)
        .map(|(outcome, number)| format!("{number} {}", word(*outcome)))
        .collect();
    parts.join(", ")
}

/// The first and the last two columns to the left, numbers to the right; a rule under the head and above the sum.
fn write_columns(page: &mut Page, rows: &[[String; 7]], with_sum: bool) {
    let mut widths = [0; 7];
    for (at, row) in rows.iter().enumerate() {
        for (column, (width, cell)) in widths.iter_mut().zip(row).enumerate() {
            // The outcomes of all tables end the last line, where nothing has to stand under them.
            if column < 6 || !with_sum || at + 1 < rows.len() {
                *width = cell.chars().count().max(*width);
            }
        }
    }
    let rule: Vec<_> = widths.iter().map(|width| "-".repeat(*width)).collect();
    for (at, row) in rows.iter().enumerate() {
        if at == 1 || (with_sum && at + 1 == rows.len()) {
            page.line(&rule.join("  "));
        }
        let mut line = String::new();
        for (column, (cell, width)) in row.iter().zip(widths).enumerate() {
            let _ = match column {
                0 => write!(line, "{cell:<width$}"),
                5 | 6 => write!(line, "  {cell:<width$}"),
                _ => write!(line, "  {cell:>width$}"),
            };
        }
        page.line(&line);
    }
}

/// Tables that do not stand at the one instant of the others: the report says it instead of pretending.
fn instants(page: &mut Page, report: &Report) {
    for (consistency, says) in [
        (Consistency::PerTable, "Read at an instant of its own, not that of the other tables"),
        (Consistency::PerChunk, "Read chunk by chunk at different instants"),
    ] {
        let names: Vec<_> =
            report.tables.iter().filter(|table| table.consistency == consistency).map(|table| table.source.as_str()).collect();
        if !names.is_empty() {
            page.gap();
            page.fold("", &format!("{says}: {}", names.join(", ")));
        }
    }
}

/// Snapshots that were not the run's first.
fn later(page: &mut Page, report: &Report) {
    for instant in &report.instants {
        page.gap();
        page.fold("", &instant.to_string());
    }
}

fn added(page: &mut Page, report: &Report) {
    let mut tables: Vec<String> = report
        .tables
        .iter()
        .filter_map(|table| Some(format!("{} ({} rows)", table.target, human::count(table.stood?.rows))))
        .collect();
    // Several may have gone into one.
    let mut seen = std::collections::HashSet::new();
    tables.retain(|table| seen.insert(table.clone()));
    if !tables.is_empty() {
        page.gap();
        page.fold("", &format!("Rows were added to what stood in: {}", tables.join(", ")));
    }
}

/// The differences stand among the errors, with their tables.
fn schema(page: &mut Page, report: &Report) {
    let Some(schema) = report.schema.as_ref() else { return };
    if schema.tables == 0 && schema.not_compared.is_empty() {
        return;
    }
    let count = |number: usize, one: &str, many: &str| {
        let word = if number == 1 { one } else { many };
        format!("{} {word}", human::count(u64::try_from(number).unwrap_or(u64::MAX)))
    };
    let mut parts = vec![count(schema.tables, "table", "tables"), count(schema.columns, "column", "columns")];
    for (number, one, many) in [
        (schema.indexes, "index", "indexes"),
        (schema.foreign_keys, "foreign key", "foreign keys"),
        (schema.checks, "check", "checks"),
        (schema.sequences, "sequence", "sequences"),
    ] {
        if number > 0 {
            parts.push(count(number, one, many));
        }
    }
    let outcome = match (schema.differences.len(), schema.stood) {
        (0, 0) => "as planned".to_string(),
        (0, stood) => format!("as planned ({stood} as they stood before the run)"),
        (differences, _) => format!("compared, {} from the plan", count(differences, "difference", "differences")),
    };
    page.gap();
    if schema.tables > 0 {
        page.fold("", &format!("Schema: {} {outcome}", parts.join(", ")));
    }
    if !schema.not_compared.is_empty() {
        let names = schema.not_compared.join(", ");
        page.fold("", &format!("Schema not compared, since the ledger has no finished run that says what was planned: {names}"));
    }
}

/// The loss ledger: what the mapping's policies have done, and how often.
fn losses(page: &mut Page, report: &Report) {
    let all = report.tables.iter().flat_map(|table| table.losses.0.iter().map(move |loss| (table, loss)));
    let all: Vec<_> = all.collect();
    if all.is_empty() {
        return;
    }
    let values: u64 = all.iter().map(|(_, loss)| loss.count).fold(0, u64::saturating_add);
    page.gap();
    page.line(&format!("Changed by the mapping's policies: {} values", human::count(values)));
    for (table, loss) in all {
        let example = loss.example.as_ref().map(|key| format!(", as in {key}")).unwrap_or_default();
        let (kind, policy) = (loss.kind.word(), &loss.policy);
        page.fold("  ", &format!("{}.{}: {} {kind} -> {policy}{example}", table.source, loss.column, human::count(loss.count)));
    }
}

/// Rows that did not arrive, and where they are.
fn rejects(page: &mut Page, report: &Report) {
    let tables: Vec<&TableReport> = report.tables.iter().filter(|table| table.rejected > 0).collect();
    if tables.is_empty() {
        return;
    }
    page.gap();
    let named: Vec<String> = tables.iter().map(|table| format!("{} ({})", table.source, human::count(table.rejected))).collect();
    page.fold("", &format!("Rejected rows, kept in the target's ledger: {}", named.join(", ")));
    let run = &report.run;
    page.fold(
        "  ",
        &format!("`dbferry rejects {run} TARGET` lists them; `dbferry retry-rejects {run} TARGET -m FILE` sends them again"),
    );
}

fn hooks(page: &mut Page, report: &Report) {
    if report.hooks.is_empty() {
        return;
    }
    page.gap();
    page.line(&format!("Hooks: {}", report.hooks.len()));
    for hook in &report.hooks {
        let about = hook.table.as_deref().unwrap_or("the run");
        let state = match hook.state {
            HookState::Done => format!("done in {}", human::seconds(hook.seconds)),
            HookState::DoneBefore => format!("done by an earlier attempt in {}", human::seconds(hook.seconds)),
            HookState::Skipped => "NOT RUN".into(),
        };
        page.fold("  ", &format!("{} ({} {about}, on the {}): {state}", hook.name, hook.when.name(), hook.side.name()));
    }
}

fn problems(page: &mut Page, title: &str, problems: Vec<&Problem>) {
    if problems.is_empty() {
        return;
    }
    page.gap();
    page.line(&format!("{title}: {}", problems.len()));
    // Equal reasons are told once: a database with 200 views says so in one entry with 200 names.
    let mut groups: Vec<(&Problem, Vec<&str>)> = Vec::new();
    for problem in problems {
        let same = |other: &Problem| (&other.object, &other.why, &other.hint) == (&problem.object, &problem.why, &problem.hint);
        match groups.iter_mut().find(|(first, _)| same(first)) {
            Some((_, names)) => names.push(&problem.name),
            None => groups.push((problem, vec![&problem.name])),
        }
    }
    groups.sort_by_key(|(problem, _)| &problem.object);
    for (problem, names) in groups {
        match names.as_slice() {
            [name] => page.fold("  ", &format!("{} {name}: {}", problem.object, problem.why)),
            _ => {
                page.fold("  ", &format!("{} ({}): {}", problem.object, names.len(), problem.why));
                page.fold("    ", &names.join(", "));
            }
        }
        if let Some(hint) = &problem.hint {
            page.fold("    ", &format!("hint: {hint}"));
        }
    }
}

fn errors(page: &mut Page, report: &Report) {
    let mut all = Vec::new();
    for table in &report.tables {
        // Most errors name their table themselves.
        let named = |error: &String| error.contains(&table.source) || error.contains(&table.target);
        let say = |error: &String| if named(error) { error.clone() } else { format!("{}: {error}", table.source) };
        all.extend(table.errors.iter().map(say));
    }
    all.extend(report.errors.iter().cloned());
    if all.is_empty() {
        return;
    }
    page.gap();
    page.line(&format!("Errors: {}", all.len()));
    for error in all {
        page.fold("  ", &error);
    }
}

#[cfg(test)]
pub(super) use tests::sample;

#[cfg(test)]
mod tests {
    use super::super::{PhaseReport, Side};
    use super::*;
    use crate::config::VerifyLevel;
    use crate::engine::LogPosition;
    use crate::model::Digest;

    fn table(name: &str, rows: u64, outcome: Outcome) -> TableReport {
        TableReport {
            source: format!("shop.{name}"),
            target: format!("public.{name}"),
            rows,
            bytes: rows * 97,
            seconds: rows as f64 / 123_456.0,
            chunks: 1,
            consistency: Consistency::OneInstant,
            digest: Some(Digest { rows, sum: (0x9f3a_21c4 << 96) + 1 }),
            stood: None,
            losses: crate::model::Losses::default(),
            rejected: 0,
            outcome,
            errors: Vec::new(),
        }
    }

    /// A run where all went well but for two views and a trigger.
    pub(in crate::report) fn sample() -> Report {
        let why = "views are not carried yet";
        Report {
            command: "run".into(),
            run: "01934fd2a6c17b7e8f1d2c3b4a596877".into(),
            version: "0.1.0".into(),
            source: Side { address: "mysql://reader:****@db1/shop".into(), server: "MariaDB 10.11.14".into() },
            target: Side { address: "postgres://loader@db2/shop".into(), server: "PostgreSQL 15.8".into() },
            seconds: 14.25,
            phases: [("plan", 0.2), ("copy", 10.5), ("verify", 3.55)]
                .map(|(phase, seconds)| PhaseReport { phase: phase.into(), seconds })
                .into(),
            position: Some(LogPosition { file: "binlog.000003".into(), offset: 4711, gtid: "0-1-99".into() }),
            instants: Vec::new(),
            verify: VerifyLevel::Digest,
            tables: vec![table("customers", 5_000, Outcome::Verified), table("orders", 1_234_567, Outcome::Verified)],
            schema: None,
            resources: None,
            hooks: Vec::new(),
            problems: vec![
                Problem::new(Severity::NotCarried, "view", "shop.v_orders", why).ddl("CREATE VIEW v_orders AS SELECT 1"),
                Problem::new(Severity::NotCarried, "trigger", "shop.audit", "triggers are written in the source's own language")
                    .hint("Write it again in the target's language, or leave it out:\n[[trigger]]\nexclude = true"),
                Problem::new(Severity::NotCarried, "view", "shop.v_customers", why),
                Problem::new(Severity::Note, "index", "shop.orders.idx", "its name is longer than 63 bytes and was cut"),
            ],
            errors: Vec::new(),
            proven:
                "All 1,239,567 rows of 2 tables arrived: an independent re-read of the target gives the digest of what was sent."
                    .into(),
            exit_code: 0,
        }
    }

    #[test]
    fn a_good_run_reads_from_sides_to_proof() {
        insta::assert_snapshot!(render(&sample(), TextOptions::default()), @r"
        run 01934fd2a6c17b7e8f1d2c3b4a596877, dbferry 0.1.0
          from  mysql://reader:****@db1/shop  MariaDB 10.11.14
          to    postgres://loader@db2/shop    PostgreSQL 15.8
          took  14.3 s (plan 200 ms, copy 10.5 s, verify 3.6 s)
          log   binlog.000003:4711 GTID 0-1-99

        table                rows     bytes    time   rows/s  digest    outcome
        --------------  ---------  --------  ------  -------  --------  --------
        shop.orders     1,234,567  119.8 MB  10.0 s  123,456  9f3a21c4  verified
        shop.customers      5,000  485.0 kB   40 ms  123,456  9f3a21c4  verified
        --------------  ---------  --------  ------  -------  --------  --------
        2 tables        1,239,567  120.2 MB  10.5 s  118,054            2 verified

        Not carried: 3
          trigger shop.audit: triggers are written in the source's own language
            hint: Write it again in the target's language, or leave it out:
              [[trigger]]
              exclude = true
          view (2): views are not carried yet
            shop.v_orders, shop.v_customers

        Worth knowing: 1
          index shop.orders.idx: its name is longer than 63 bytes and was cut

        All 1,239,567 rows of 2 tables arrived: an independent re-read of the target gives the digest of
        what was sent.
        ");
    }

    #[test]
    fn what_needs_a_person_stands_at_the_top() {
        let mut report = sample();
        let mut lost = table("lost", 10, Outcome::Failed);
        lost.digest = None;
        lost.seconds = 0.0;
        lost.errors = vec!["the date 0000-00-00 has no place in a PostgreSQL `date`".into()];
        let mut renamed = table("swapped", 3, Outcome::Differs);
        renamed.target = "sales.other".into();
        renamed.consistency = Consistency::PerTable;
        report.tables.extend([lost, renamed]);
        report.problems.clear();
        report.position = None;
        report.errors = vec!["the foreign key `a_b` could not be validated".into()];
        report.proven = "Nothing was proven for 2 of 4 tables.".into();
        insta::assert_snapshot!(render(&report, TextOptions { width: 60 }), @r"
        run 01934fd2a6c17b7e8f1d2c3b4a596877, dbferry 0.1.0
          from  mysql://reader:****@db1/shop  MariaDB 10.11.14
          to    postgres://loader@db2/shop    PostgreSQL 15.8
          took  14.3 s (plan 200 ms, copy 10.5 s, verify 3.6 s)

        table                             rows     bytes    time   rows/s  digest    outcome
        ---------------------------  ---------  --------  ------  -------  --------  --------
        shop.lost                           10     970 B    0 ms        -  -         FAILED
        shop.swapped -> sales.other          3     291 B    0 ms  123,456  9f3a21c4  DIFFERS
        shop.orders                  1,234,567  119.8 MB  10.0 s  123,456  9f3a21c4  verified
        shop.customers                   5,000  485.0 kB   40 ms  123,456  9f3a21c4  verified
        ---------------------------  ---------  --------  ------  -------  --------  --------
        4 tables                     1,239,580  120.2 MB  10.5 s  118,055            1 FAILED, 1 DIFFERS, 2 verified

        Read at an instant of its own, not that of the other tables:
        shop.swapped

        Errors: 2
          shop.lost: the date 0000-00-00 has no place in a
            PostgreSQL `date`
          the foreign key `a_b` could not be validated

        Nothing was proven for 2 of 4 tables.
        ");
    }

    #[test]
    fn five_hundred_tables_are_all_listed() {
        let mut report = sample();
        report.tables = (0..500).map(|number| table(&format!("t{number}"), number, Outcome::Verified)).collect();
        let text = render(&report, TextOptions::default());
        assert!((0..500).all(|number| text.contains(&format!("shop.t{number} "))));
        assert!(text.contains("500 tables"));
        assert!(text.contains("500 verified"));
    }

    #[test]
    fn a_name_with_control_characters_cannot_break_the_page() {
        let mut report = sample();
        report.tables = vec![table("a\u{1b}[2J\nb", 1, Outcome::Verified)];
        let text = render(&report, TextOptions::default());
        assert!(!text.contains('\u{1b}'));
        assert!(text.contains("a\\u{1b}[2J\\nb"), "{text}");
    }

    #[test]
    fn a_report_without_tables_still_says_what_was_proven() {
        let mut report = sample();
        report.tables.clear();
        report.problems.clear();
        let wide = render(&report, TextOptions { width: 200 });
        assert_eq!(wide.lines().last(), Some(report.proven.as_str()));
    }
}
