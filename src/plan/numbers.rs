//! Next ids of tables whose numbers are not all handed out by the source's counter: merged ones, and those that an expression moves.

use crate::config::{IfExists, Scope, Settings};
use crate::engine::{Ddl, DdlPhase, Dialect};
use crate::mapping::MappedTable;
use crate::mapping::merge::is_lacking;
use crate::model::Table;

/// Adds statements that move the numbers of such tables past those that arrived. Tables that stand are left as [`super::standing`] has them.
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
        if stands || !members.iter().any(|table| has_other_numbers(table)) {
            continue;
        }
        // Behind the statement that sets the counter, and before the one that gives the table away, after which it may be out of reach.
        let own = |made: &Ddl| made.phase == DdlPhase::Finish && made.table.as_ref() == Some(&target.name);
        let last = ddl.iter().rposition(|made| own(made) && !made.object.starts_with("owner of "));
        let at = last.map_or_else(|| ddl.iter().position(own).unwrap_or(ddl.len()), |last| last + 1);
        ddl.splice(at..at, dialect.continue_numbers(target));
    }
}

/// True if the source's counter says nothing of the numbers in a column that hands out new ones.
fn has_other_numbers(table: &MappedTable) -> bool {
    let numbered = table.columns.iter().zip(&table.target.columns).filter(|(_, target)| target.identity);
    let mut others = numbered.filter(|(mapping, _)| {
        let counted = table.source.column(&mapping.source).is_some_and(|column| column.identity);
        !is_lacking(mapping) && (mapping.computed.is_some() || !counted)
    });
    others.next().is_some()
}
