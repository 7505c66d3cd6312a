//! A plan for people, and as SQL.

use std::fmt::Write;

use crate::engine::{Ddl, DdlPhase};
use crate::model::catalog::{Problem, Severity};
use crate::model::chunk::{Chunk, ChunkRange, KeyValue};
use crate::model::hook::HookWhen;
use crate::model::sequence::{CarriedSequence, Sequence};
use crate::report::human;

use super::{Plan, TablePlan, hooks};

/// Most chunk bounds of one table that are shown; the JSON form has all.
const BOUNDS_SHOWN: usize = 4;

/// Most characters of a condition in the source's SQL that are shown.
const FILTER_SHOWN: usize = 400;

/// The plan for people.
pub fn text(plan: &Plan) -> String {
    let mut out = String::new();
    let chunks: usize = plan.tables.iter().map(|table| table.chunks.chunks.len()).sum();
    line(&mut out, format_args!("from  {}  ({})", plan.source.address, plan.source.server));
    line(&mut out, format_args!("to    {}  ({})", plan.target.address, plan.target.server));
    line(
        &mut out,
        format_args!(
            "{} tables, about {} rows and {}, in {chunks} chunks",
            plan.tables.len(),
            human::count(plan.estimated_rows()),
            human::bytes(plan.estimated_bytes())
        ),
    );
    for group in plan.groups() {
        let all: Vec<&TablePlan> = group.iter().filter_map(|place| plan.tables.get(*place)).collect();
        let sources = |without: &TablePlan| {
            let others = all.iter().filter(|other| other.source() != without.source());
            others.map(|other| other.source().to_string()).collect::<Vec<_>>().join(", ")
        };
        for (place, table) in all.iter().enumerate() {
            describe_table(&mut out, table);
            if all.len() > 1 {
                line(&mut out, format_args!("  merged with {}", sources(table)));
            }
            // The keys of a merged table are told once.
            if place + 1 == all.len() {
                describe_keys(&mut out, table);
            }
            describe_chunks(&mut out, table);
        }
    }
    for CarriedSequence { source, target, .. } in &plan.sequences {
        let next = source.next.map(|next| format!(", next {next}")).unwrap_or_default();
        let Sequence { start, increment, min, max, .. } = source;
        line(
            &mut out,
            format_args!("\nsequence {} -> {target}   from {start} by {increment}, {min} to {max}{next}", source.name),
        );
    }
    out.push('\n');
    for phase in DdlPhase::ALL {
        let statements = plan.statements(phase).count();
        if statements > 0 {
            line(&mut out, format_args!("phase {}: {statements} statements (see --format sql)", phase_name(phase)));
        }
    }
    hooks::text(&plan.hooks, &mut out);
    for (severity, title) in [
        (Severity::Note, "Worth knowing"),
        (Severity::NotCarried, "Not carried (its SQL stands in --format json)"),
        (Severity::Refused, "Refused: settle these first"),
    ] {
        let found: Vec<&Problem> = plan.problems.iter().filter(|problem| problem.severity == severity).collect();
        if !found.is_empty() {
            line(&mut out, format_args!("\n{title}:"));
        }
        for problem in found {
            line(&mut out, format_args!("  {} `{}`: {}", problem.object, problem.name, problem.why));
            for hint in problem.hint.iter().flat_map(|hint| hint.lines()) {
                line(&mut out, format_args!("      {hint}"));
            }
        }
    }
    out
}

fn line(out: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    let _ = writeln!(out, "{text}");
}

fn describe_table(out: &mut String, table: &TablePlan) {
    let source = &table.mapped.source;
    line(
        out,
        format_args!(
            "\n{} -> {}   about {} rows, {}",
            table.source(),
            table.target(),
            human::count(source.estimated_rows),
            human::bytes(source.estimated_bytes)
        ),
    );
    if let Some(condition) = &table.mapped.condition {
        let by = match (condition.complete, &source.row_filter) {
            (true, _) => "checked by the source",
            (false, Some(_)) => "checked in part by the source, and in full on each batch",
            (false, None) => "checked on each batch",
        };
        line(out, format_args!("  where {}  [{by}]", condition.sql));
    }
    if let Some(subset) = &table.mapped.subset {
        line(out, format_args!("  {subset}"));
    }
    if let Some(filter) = &source.row_filter {
        let more = if filter.chars().nth(FILTER_SHOWN).is_some() { "… (in full with --format json)" } else { "" };
        let filter: String = filter.chars().take(FILTER_SHOWN).collect();
        line(out, format_args!("  in the source: where {filter}{more}"));
    }
    let rows: Vec<[String; 4]> = table
        .mapped
        .columns
        .iter()
        .zip(&table.mapped.target.columns)
        .map(|(mapping, target)| {
            let from = source.column(&mapping.source).map(|column| shown(&column.native.full)).unwrap_or_default();
            let (from, name) = match &mapping.computed {
                Some(computed) => (computed.sql.clone(), mapping.target.clone()),
                None => (from, String::new()),
            };
            let name = if !name.is_empty() {
                name
            } else if mapping.source == mapping.target {
                mapping.source.clone()
            } else {
                format!("{} -> {}", mapping.source, mapping.target)
            };
            let null = if target.nullable { "" } else { " not null" };
            let mask = mapping.mask.as_ref().map(|mask| format!("]  masked: {} [{}", mask.kind.word(), mask.because));
            let rule = format!("{}{}", mapping.rule, mask.unwrap_or_default());
            [name, from, format!("{}{null}", shown(&target.native.full)), rule]
        })
        .collect();
    let width = |place: usize| rows.iter().map(|row| row[place].chars().count()).max().unwrap_or(0);
    let widths = [width(0), width(1), width(2)];
    for [name, from, to, rule] in &rows {
        line(out, format_args!("  {name:0$}  {from:1$}  ->  {to:2$}  [{rule}]", widths[0], widths[1], widths[2]));
    }
}

fn describe_keys(out: &mut String, table: &TablePlan) {
    let target = &table.mapped.target;
    let mut keys = Vec::new();
    if let Some(key) = &target.primary_key {
        keys.push(format!("primary key ({})", key.plain_columns().unwrap_or_default().join(", ")));
    }
    for (count, what) in
        [(target.indexes.len(), "index"), (target.foreign_keys.len(), "foreign key"), (target.checks.len(), "check")]
    {
        if count > 0 {
            let plural = if count == 1 {
                what.to_string()
            } else if what == "index" {
                "indexes".into()
            } else {
                format!("{what}s")
            };
            keys.push(format!("{count} {plural}"));
        }
    }
    if let Some(next) = target.next_identity {
        keys.push(format!("next id {next}"));
    }
    if !keys.is_empty() {
        line(out, format_args!("  {}", keys.join(", ")));
    }
}

/// A long list of labels says little.
fn shown(full: &str) -> String {
    if full.chars().count() <= 40 { full.to_string() } else { full.chars().take(39).chain(['…']).collect() }
}

fn describe_chunks(out: &mut String, table: &TablePlan) {
    let chunks = &table.chunks.chunks;
    if chunks.len() <= 1 {
        return;
    }
    let bounds: Vec<String> = chunks.iter().filter_map(lower_bound).collect();
    let more = if bounds.len() > BOUNDS_SHOWN { ", …" } else { "" };
    let by = table.chunks.key.join(", ");
    if table.mapped.columns.iter().any(|column| column.mask.is_some())
        && table.chunks.key.iter().any(|column| table.mapped.hides(column))
    {
        line(out, format_args!("  {} chunks by ({by}), cut at values that are masked", chunks.len()));
        return;
    }
    let shown = bounds.iter().take(BOUNDS_SHOWN).cloned().collect::<Vec<_>>().join(", ");
    line(out, format_args!("  {} chunks by ({by}), cut at {shown}{more}", chunks.len()));
}

fn lower_bound(chunk: &Chunk) -> Option<String> {
    let ChunkRange::Key { lower: Some(lower), .. } = &chunk.range else { return None };
    let values: Vec<String> = lower
        .iter()
        .map(|value| match value {
            KeyValue::Int(number) => number.to_string(),
            KeyValue::Text(text) => text.clone(),
            KeyValue::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        })
        .collect();
    Some(values.join("/"))
}

/// The statements, in the order of the work, as a script for people to read.
pub fn sql(plan: &Plan) -> String {
    let mut out = String::new();
    hooks::sql(&plan.hooks, HookWhen::Before, false, &mut out);
    for phase in DdlPhase::ALL {
        // In this order: the tables are there, their rows come next; rows and indexes are there, foreign keys come next.
        match phase {
            DdlPhase::Indexes => hooks::sql(&plan.hooks, HookWhen::Before, true, &mut out),
            DdlPhase::ForeignKeys => hooks::sql(&plan.hooks, HookWhen::After, true, &mut out),
            _ => {}
        }
        let statements: Vec<&Ddl> = plan.statements(phase).collect();
        if statements.is_empty() {
            continue;
        }
        line(&mut out, format_args!("-- {}", phase_name(phase)));
        if phase == DdlPhase::Indexes && !plan.tables.is_empty() {
            line(&mut out, format_args!("-- (the rows of {} tables are copied before this)", plan.tables.len()));
        }
        for statement in statements {
            // A table that exists is a refusal; a schema or a type that exists is simply used.
            if let Some(exists) = statement.exists_sql.as_ref().filter(|_| phase == DdlPhase::Before) {
                line(&mut out, format_args!("-- unless it exists: {exists}"));
            }
            line(&mut out, format_args!("{};", statement.sql));
        }
        out.push('\n');
    }
    hooks::sql(&plan.hooks, HookWhen::After, false, &mut out);
    for problem in plan.problems.iter().filter(|problem| problem.severity != Severity::Note) {
        line(&mut out, format_args!("-- NOT CARRIED: {} {}: {}", problem.object, problem.name, problem.why.replace('\n', " ")));
        for sql in problem.ddl.iter().flat_map(|ddl| ddl.lines()) {
            line(&mut out, format_args!("--   {sql}"));
        }
    }
    out
}

fn phase_name(phase: DdlPhase) -> &'static str {
    match phase {
        DdlPhase::Clear => "clear",
        DdlPhase::Before => "schemas and types",
        DdlPhase::Tables => "tables",
        DdlPhase::Restore => "put back what was set aside",
        DdlPhase::Logged => "tables get their log",
        DdlPhase::Indexes => "keys and indexes",
        DdlPhase::Finish => "next ids, comments, owners",
        DdlPhase::ForeignKeys => "foreign keys",
        DdlPhase::Validate => "validate foreign keys",
        DdlPhase::Analyze => "statistics",
    }
}
