//! Which tables of a plan belong together: those whose rows go into one target table, and those that are read of one source table.

use std::collections::HashMap;

use crate::mapping::MappedTable;
use crate::model::{ObjectName, Table};

use super::Plan;

impl Plan {
    /// The tables by their places, those of one target table together; groups and members in the order of the plan. Most have one member.
    pub fn groups(&self) -> Vec<Vec<usize>> {
        groups(self.tables.iter().map(|table| &table.mapped))
    }

    /// The first table of each target table: what is done once for a target table is done with it.
    pub fn leads(&self) -> Vec<usize> {
        self.groups().into_iter().filter_map(|group| group.first().copied()).collect()
    }

    /// The source tables, each once, whatever is made of it.
    pub fn source_tables(&self) -> Vec<Table> {
        let mut seen: HashMap<&ObjectName, ()> = HashMap::new();
        let first = self.tables.iter().filter(|table| seen.insert(table.source(), ()).is_none());
        first.map(|table| table.mapped.source.clone()).collect()
    }
}

/// [`Plan::groups`], of tables that have no plan yet.
pub(super) fn groups<'a>(tables: impl Iterator<Item = &'a MappedTable>) -> Vec<Vec<usize>> {
    let mut groups: Vec<Vec<usize>> = Vec::new();
    let mut known: HashMap<&ObjectName, usize> = HashMap::new();
    for (place, table) in tables.enumerate() {
        let group = *known.entry(&table.target.name).or_insert_with(|| {
            groups.push(Vec::new());
            groups.len() - 1
        });
        if let Some(group) = groups.get_mut(group) {
            group.push(place);
        }
    }
    groups
}
