//! An explanation for people: what it is, what it becomes, why; then one section for each kind of fact.

use std::fmt::Write;

use crate::model::catalog::Severity;
use crate::report::human;

use super::{ColumnExplanation, Compared, Explanation, Side, TableExplanation};

/// Most characters of a definition that are shown; the JSON form has all.
const SHOWN: usize = 300;

/// The whole explanation.
pub fn text(explanation: &Explanation) -> String {
    let mut page = Page { out: String::new() };
    for table in &explanation.tables {
        of_table(&mut page, table);
    }
    for column in &explanation.columns {
        of_column(&mut page, column);
    }
    let problems = explanation.problems.iter().map(|problem| {
        let grave = match problem.severity {
            Severity::Refused => "refuses the run",
            Severity::NotCarried => "not carried",
            Severity::Note => "worth knowing",
        };
        let mut lines = vec![format!("{grave}: {} `{}`: {}", problem.object, problem.name, problem.why)];
        lines.extend(problem.hint.iter().flat_map(|hint| hint.lines()).map(|line| format!("    {line}")));
        lines
    });
    let problems: Vec<String> = problems.flatten().collect();
    page.section("problems of the plan", &problems);
    page.out
}

struct Page {
    out: String,
}

impl Page {
    fn line(&mut self, text: &str) {
        // A name or a comment may hold anything. Writing to a string cannot fail.
        let clean: String = text
            .chars()
            .flat_map(|letter| if letter.is_control() { letter.escape_default().collect::<Vec<_>>() } else { vec![letter] })
            .collect();
        let _ = writeln!(self.out, "{}", clean.trim_end());
    }

    fn head(&mut self, text: &str) {
        if !self.out.is_empty() {
            self.out.push('\n');
        }
        self.line(text);
    }

    fn section(&mut self, title: &str, lines: &[String]) {
        if lines.is_empty() {
            return;
        }
        self.head(&format!("{title}:"));
        for text in lines {
            self.line(&format!("  {}", cut(text)));
        }
    }

    fn compared(&mut self, all: &[Compared]) {
        let lines: Vec<String> = all.iter().map(|one| format!("{:<7} {}", one.level, one.what)).collect();
        self.section("what is compared, each level with those before it", &lines);
    }
}

fn cut(text: &str) -> String {
    if text.chars().count() <= SHOWN {
        return text.to_string();
    }
    text.chars().take(SHOWN).collect::<String>() + "… (in full with --format json)"
}

fn of_table(page: &mut Page, table: &TableExplanation) {
    page.head(&format!("{} -> {}   about {} rows", table.source, table.target, human::count(table.estimated_rows)));
    let width = |place: usize| table.columns.iter().map(|row| row[place].chars().count().min(40)).max().unwrap_or(0);
    let widths = [width(0), width(1), width(2)];
    let columns: Vec<String> = table
        .columns
        .iter()
        .map(|[name, from, to, rule]| format!("{name:0$}  {from:1$}  ->  {to:2$}  [{rule}]", widths[0], widths[1], widths[2]))
        .collect();
    page.section("rows", &table.rows);
    page.section("columns", &columns);
    page.section("keys, indexes and checks", &table.objects);
    page.compared(&table.compared);
}

fn of_column(page: &mut Page, column: &ColumnExplanation) {
    let name = |side: &Option<Side>, none: &str| match side {
        Some(side) => format!("{}.{}", side.table, side.column),
        None => none.to_string(),
    };
    page.head(&format!("{} -> {}", name(&column.source, "(the mapping)"), name(&column.target, "(not carried)")));
    for (word, side) in [("source", &column.source), ("target", &column.target)] {
        if let Some(side) = side {
            page.line(&format!("  {word:<8} {}", cut(&of_side(side))));
        }
    }
    if !column.rule.is_empty() {
        page.line(&format!("  {:<8} {}", "rule", column.rule));
    }
    let candidates: Vec<String> = column
        .candidates
        .iter()
        .map(|one| format!("{} {} [{}]: {}", if one.decides { "*" } else { "-" }, one.to, one.rule, one.why))
        .collect();
    page.section("what might decide its type, in the order of asking", &candidates);
    page.section("what touches its values", &column.touched_by);
    page.section("what each value is checked for", &column.checked);
    page.section("part of", &column.part_of);
    page.compared(&column.compared);
}

fn of_side(side: &Side) -> String {
    let mut text = side.full.clone();
    let _ = write!(text, "{}", if side.nullable { ", may be NULL" } else { ", NOT NULL" });
    for (word, value) in [("character set", &side.charset), ("collation", &side.collation), ("default", &side.default)] {
        if let Some(value) = value {
            let _ = write!(text, ", {word} {value}");
        }
    }
    for also in &side.also {
        let _ = write!(text, ", {also}");
    }
    if let Some(logical) = side.logical.as_ref().filter(|logical| **logical != side.full) {
        let _ = write!(text, " ({logical})");
    }
    text
}
