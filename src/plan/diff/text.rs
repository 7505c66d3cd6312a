//! The difference of two plans for people: grouped by table, one line a change.

use std::fmt::Write;

use crate::model::catalog::Severity;

use super::{Change, How, PlanDiff, TableDiff};

/// Most characters of one side of a change that are shown; the JSON form has all.
const SHOWN_CHARS: usize = 200;

/// The difference for people.
pub fn text(diff: &PlanDiff) -> String {
    let mut out = String::new();
    let file = |name: &str| if name.is_empty() { "(no mapping file)".to_string() } else { shown(name) };
    line(&mut out, &format!("from  {}", file(&diff.from)));
    line(&mut out, &format!("to    {}", file(&diff.to)));
    if diff.is_empty() {
        line(&mut out, "\nNothing changes in the target.");
        return out;
    }
    if diff.other_key {
        line(&mut out, "\nThe masks are made with another key: every value that is masked with it is another one.");
    }
    for table in &diff.tables {
        table_text(&mut out, table);
    }
    for (title, changes) in [("Schemas that are made if they are missing", &diff.shared), ("Hooks", &diff.hooks)] {
        if !changes.is_empty() {
            line(&mut out, &format!("\n{title}:"));
        }
        for change in changes {
            line(&mut out, &format!("  {}", change_text(change)));
        }
    }
    for (how, title) in [(How::Goes, "Problems that are settled"), (How::Comes, "Problems that come")] {
        let mut found: Vec<_> = diff.problems.iter().filter(|change| change.how == how).map(|change| &change.problem).collect();
        // The gravest first; the sort is stable.
        found.sort_by_key(|problem| std::cmp::Reverse(problem.severity));
        if !found.is_empty() {
            line(&mut out, &format!("\n{title}:"));
        }
        for problem in found {
            let grave = match problem.severity {
                Severity::Refused => "refuses the run",
                Severity::NotCarried => "not carried",
                Severity::Note => "worth knowing",
            };
            let sign = sign(how);
            line(&mut out, &format!("  {sign} {grave}: {} `{}`: {}", problem.object, shown(&problem.name), shown(&problem.why)));
            for hint in problem.hint.iter().filter(|_| how == How::Comes).flat_map(|hint| hint.lines()) {
                line(&mut out, &format!("      {}", shown(hint)));
            }
        }
    }
    out
}

fn line(out: &mut String, text: &str) {
    // Writing to a string cannot fail.
    let _ = writeln!(out, "{text}");
}

fn table_text(out: &mut String, table: &TableDiff) {
    let TableDiff { source, target, .. } = table;
    let (source, target) = (shown(source), shown(target));
    let columns = format!("{} column{}", table.columns, if table.columns == 1 { "" } else { "s" });
    match (table.how, table.refused) {
        (How::Comes, _) => line(out, &format!("\n+ table {target} comes, from {source}: {columns}")),
        (How::Goes, true) => line(out, &format!("\n- table {target}, from {source}, is refused: see the problems")),
        (How::Goes, false) => line(out, &format!("\n- table {target} goes, from {source}: {columns}")),
        _ => line(out, &format!("\n{source} -> {target}")),
    }
    for change in &table.changes {
        line(out, &format!("  {}", change_text(change)));
    }
}

fn sign(how: How) -> char {
    match how {
        How::Comes => '+',
        How::Goes => '-',
        How::Renamed | How::Changes => '~',
    }
}

fn change_text(change: &Change) -> String {
    let side = |side: &Option<String>| side.as_deref().map(shown).unwrap_or_default();
    let (from, to) = (side(&change.from), side(&change.to));
    let subject = [change.what, &shown(&change.name)].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ");
    let what = match change.how {
        How::Renamed if change.what == "table" => format!("it is named {to}, no longer {from}"),
        How::Renamed => format!("{} {from} is named {to}", change.what),
        How::Changes => format!("{subject}: {from} becomes {to}"),
        How::Comes if to.is_empty() => subject,
        How::Comes => format!("{subject}: {to}"),
        How::Goes if from.is_empty() => subject,
        How::Goes => format!("{subject}: {from}"),
    };
    let rules = match (&change.from_rule, &change.to_rule) {
        (Some(from), Some(to)) if from != to => format!("  [{}, then {}]", shown(from), shown(to)),
        (Some(rule), _) | (None, Some(rule)) => format!("  [{}]", shown(rule)),
        (None, None) => String::new(),
    };
    format!("{} {what}{rules}", sign(change.how))
}

/// On one line, and not without end. A name must not reach the terminal as a command.
fn shown(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    for (at, character) in text.chars().enumerate() {
        if at == SHOWN_CHARS {
            clean.push('…');
            break;
        }
        clean.push(if character.is_control() { ' ' } else { character });
    }
    clean
}
