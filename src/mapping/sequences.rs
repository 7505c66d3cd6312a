//! Sequences: their names in the target, and the defaults of columns that take numbers from them.

use std::collections::{HashMap, HashSet};

use crate::engine::SequenceStep;
use crate::model::ObjectName;
use crate::model::catalog::{Catalog, DefaultValue, Problem, Severity, Table};
use crate::model::sequence::CarriedSequence;

use super::rules::Rules;
use super::{Mapped, names, tables};

/// Carries each sequence that the target can have. Names follow patterns and styles as those of tables do.
pub(super) fn carry(mapped: &mut Mapped, catalog: &Catalog, rules: &Rules<'_>, schema: tables::UsualSchema<'_>) {
    let target = rules.route.target;
    let Mapped { tables, sequences, problems } = mapped;
    // Tables, indexes and sequences share one name space in PostgreSQL.
    let mut taken: HashSet<ObjectName> = HashSet::new();
    for table in tables.iter().map(|table| &table.target) {
        taken.insert(table.name.clone());
        let indexes = table.primary_key.iter().chain(&table.indexes);
        taken.extend(indexes.map(|index| ObjectName::new(&table.name.schema, &index.name)));
    }
    for one in &catalog.sequences {
        let mut carried = CarriedSequence { source: one.clone(), target: ObjectName::default(), stood: false };
        let wanted = tables::target_name(&Table::new(one.name.clone()), None, schema, rules);
        let mut name = names::shorten(&wanted.name, target.max_name_bytes());
        let mut number = 2;
        while !taken.insert(ObjectName::new(&wanted.schema, &name)) {
            name = names::shorten(&format!("{}_{number}", wanted.name), target.max_name_bytes());
            number += 1;
        }
        carried.target = ObjectName::new(&wanted.schema, &name);
        if let Err(why) = target.sequence(&carried.planned(), SequenceStep::Create, None) {
            let problem = Problem::new(Severity::NotCarried, "sequence", &one.name, why);
            problems.push(Problem { ddl: one.ddl.clone(), ..problem });
            continue;
        }
        if name != wanted.name {
            let why = format!("it becomes `{name}`, since the name is too long for the target, or taken there");
            problems.push(Problem::new(Severity::Note, "sequence", &one.name, why));
        }
        if let Some(next) = one.next.filter(|next| !one.holds(*next)) {
            let why = format!("it has come to its end ({next} would be next), and hands out nothing in the target either");
            problems.push(Problem::new(Severity::Note, "sequence", &one.name, why));
        }
        sequences.push(carried);
    }
    let names: HashMap<&ObjectName, &ObjectName> = sequences.iter().map(|one| (&one.source.name, &one.target)).collect();
    for column in tables.iter_mut().flat_map(|table| &mut table.target.columns) {
        if let Some(DefaultValue::NextOf(sequence)) = &mut column.default {
            match names.get(sequence) {
                Some(name) => sequence.clone_from(name),
                // Listed by the target, as any other default that it cannot have.
                None => column.default = Some(DefaultValue::Expression(format!("nextval({sequence}), which is not carried"))),
            }
        }
    }
}
