//! Next ids: past the source's counter, and past the numbers that have arrived. The counter is read with the plan, and rows come in until
//! the snapshot; and it says nothing of merged tables, or of numbers that an expression or a mask makes.

use crate::config::{IfExists, Scope, Settings};
use crate::engine::{Ddl, DdlPhase, Dialect};
use crate::mapping::MappedTable;
use crate::model::Table;

/// Adds statements that move the numbers of tables past those that arrived. Tables that stand are left as [`super::standing`] has them.
pub(super) fn go_on(
    settings: &Settings,
    dialect: &dyn Dialect,
    groups: &[Vec<usize>],
    tables: &[MappedTable],
    existing: &[Table],
    ddl: &mut Vec<Ddl>,
) {
    if settings.scope != Scope::All {
        return;
    }
    for group in groups {
        let members: Vec<&MappedTable> = group.iter().filter_map(|place| tables.get(*place)).collect();
        let Some(target) = members.first().map(|table| &table.target) else { continue };
        let stands = settings.if_exists != IfExists::Drop && existing.iter().any(|table| table.name == target.name);
        if stands {
            continue;
        }
        // Behind the statement that sets the counter, and before the one that gives the table away, after which it may be out of reach.
        let own = |made: &Ddl| made.phase == DdlPhase::Finish && made.table.as_ref() == Some(&target.name);
        let last = ddl.iter().rposition(|made| own(made) && !made.object.starts_with("owner of "));
        let at = last.map_or_else(|| ddl.iter().position(own).unwrap_or(ddl.len()), |last| last + 1);
        ddl.splice(at..at, dialect.continue_numbers(target));
    }
}
