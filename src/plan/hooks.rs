//! The hooks of a mapping, as they will run: names of tables are the target's, and files are read already.

use std::fmt::Write;

use crate::config::Settings;
use crate::config::nearest::nearest;
use crate::engine::{Sink, Source};
use crate::error::{Error, ErrorKind, Result};
use crate::mapping::MappedTable;
use crate::model::catalog::{Problem, Severity};
use crate::model::hook::{HookSide, HookWhen};
use crate::model::{Hook, ObjectName};

/// Plans the hooks of `settings`; engines that cannot run them refuse.
///
/// # Errors
/// `Mapping` for hooks of tables that are not carried, all at once.
pub(super) fn plan(
    settings: &Settings,
    tables: &[MappedTable],
    schema: &str,
    source: &dyn Source,
    sink: &dyn Sink,
    problems: &mut Vec<Problem>,
) -> Result<Vec<Hook>> {
    let mut hooks = Vec::new();
    let mut faults = Vec::new();
    for (place, rule) in settings.mapping.hooks.iter().enumerate() {
        let name = rule.name_at(place);
        let at = format!("{}:{}", settings.mapping.file, rule.line);
        let table = match rule.table.as_deref().map(|wanted| (wanted, find(wanted, tables))) {
            None => None,
            Some((wanted, Some(table)))
                if table.part && names(wanted, &table.source.name) && !names(wanted, &table.target.name) =>
            {
                let what = format!("the hook `{name}` is about `{wanted}`, of which several tables are made");
                let parts = tables.iter().filter(|part| part.source.name == table.source.name);
                let parts: Vec<String> = parts.map(|part| format!("`{}`", part.target.name)).collect();
                let hint = format!("Name one of {} instead", parts.join(", "));
                faults.push(Error::new(ErrorKind::Mapping, what).hint(hint).file(at));
                continue;
            }
            Some((wanted, Some(table))) if let Some(other) = namesake(wanted, table, tables) => {
                let what = format!("the hook `{name}` is about `{wanted}`, which several databases have");
                let hint = format!("Write `{}` or `{}`", table.source.name, other.source.name);
                faults.push(Error::new(ErrorKind::Mapping, what).hint(hint).file(at));
                continue;
            }
            Some((_, Some(table))) => Some(table.target.name.clone()),
            Some((wanted, None)) => {
                let what = format!("the hook `{name}` is about the table `{wanted}`, which is not carried");
                let names = tables.iter().map(|table| table.source.name.name.as_str());
                let hint = nearest(wanted, names)
                    .map_or_else(|| "Correct the name, or take the hook out".into(), |near| format!("Did you mean `{near}`?"));
                faults.push(Error::new(ErrorKind::Mapping, what).hint(hint).file(at));
                continue;
            }
        };
        // The ledger of the target keeps account of both sides.
        let refused = match rule.side {
            HookSide::Source => source.refuses_hooks().or(sink.refuses_hooks()),
            HookSide::Target => sink.refuses_hooks(),
        };
        if let Some(why) = refused {
            let hint = format!("Take the hook in {at} out, and do by hand what it does");
            problems.push(Problem::new(Severity::Refused, "hook", &name, why).hint(hint));
        }
        let sql = rule.sql.clone().unwrap_or_default();
        hooks.push(Hook {
            name,
            when: rule.when,
            side: rule.side,
            table,
            schema: schema.to_string(),
            sha256: super::hex(sql.as_bytes()),
            sql,
            transaction: rule.transaction,
            rerun: rule.rerun,
        });
    }
    Error::many(faults).map_or(Ok(hooks), Err)
}

/// By the source's name; a part of a table, and a table that several are merged into, also by the target's.
fn find<'a>(wanted: &str, tables: &'a [MappedTable]) -> Option<&'a MappedTable> {
    let by_target = |table: &&MappedTable| (table.part || table.merged) && names(wanted, &table.target.name);
    // A part whose target is called like the source is meant before the others.
    let by_part = tables.iter().find(|table| table.part && by_target(table));
    by_part.or_else(|| tables.iter().find(|table| names(wanted, &table.source.name))).or_else(|| tables.iter().find(by_target))
}

/// Another table of that name, in another database, that goes another way.
fn namesake<'a>(wanted: &str, found: &MappedTable, tables: &'a [MappedTable]) -> Option<&'a MappedTable> {
    let by_source = |table: &&MappedTable| names(wanted, &table.source.name);
    let mut others = tables.iter().filter(by_source).filter(|_| by_source(&found));
    others.find(|table| table.source.name != found.source.name && table.target.name != found.target.name)
}

fn names(wanted: &str, name: &ObjectName) -> bool {
    name.name == wanted || name.to_string() == wanted
}

/// The hooks of one point, in their order.
pub fn at(hooks: &[Hook], when: HookWhen, of_tables: bool) -> impl Iterator<Item = &Hook> {
    hooks.iter().filter(move |hook| hook.when == when && hook.table.is_some() == of_tables)
}

/// `before the run, on the target`.
pub fn describe(hook: &Hook) -> String {
    let about = hook.table.as_ref().map_or_else(|| "the run".to_string(), ToString::to_string);
    format!("{} {about}, on the {}", hook.when.name(), hook.side.name())
}

/// The hooks for people: where each runs, how, and how it begins.
pub(super) fn text(hooks: &[Hook], out: &mut String) {
    if hooks.is_empty() {
        return;
    }
    // Writing to a string cannot fail.
    let _ = writeln!(out, "\nHooks (their SQL in full: --format sql):");
    for hook in hooks {
        let how = match (hook.transaction, hook.side) {
            (true, HookSide::Target) => "one transaction with its ledger entry",
            (true, HookSide::Source) => "one transaction",
            (false, _) => "no transaction",
        };
        let start: String = hook.sql.split_whitespace().collect::<Vec<_>>().join(" ");
        let shown: String = start.chars().take(60).collect();
        let more = if shown.len() < start.len() { "…" } else { "" };
        let _ = writeln!(out, "  {}: {}, {how}\n      {shown}{more}", hook.name, describe(hook));
    }
}

/// The hooks of one point as SQL; those of the source as comments, since a script runs in one database.
pub(super) fn sql(hooks: &[Hook], when: HookWhen, of_tables: bool, out: &mut String) {
    for hook in at(hooks, when, of_tables) {
        let _ = writeln!(out, "-- hook {}: {}", hook.name, describe(hook));
        let sql = hook.sql.trim_end();
        match hook.side {
            HookSide::Source => sql.lines().for_each(|line| {
                let _ = writeln!(out, "--   {line}");
            }),
            HookSide::Target => {
                let _ = writeln!(out, "{sql}{}", if sql.ends_with(';') { "" } else { ";" });
            }
        }
        out.push('\n');
    }
}
