//! Tables with partitions: plain ones in the target, or, where a person asks for it and it can be had, ones with the same partitions.

use std::collections::HashSet;

use crate::config::rules::{PartitionChoice, TableRule};
use crate::model::catalog::{Problem, Severity};
use crate::model::logical::Zone;
use crate::model::partition::{Part, PartBound, PartMethod, Partitioning, Parts};
use crate::model::{LogicalType, ObjectName};

use super::rules::Rules;
use super::{Mapped, MappedTable, names};

/// The name of the partition that takes what no other does, behind that of its table.
const REST: &str = "default";

/// Decides the partitions of all tables; each decision is a note. `resolved` has the rule of each table.
pub(super) fn apply(mapped: &mut Mapped, rules: &Rules<'_>, resolved: &[Option<TableRule>]) {
    let Mapped { tables, problems, .. } = mapped;
    let mut taken: HashSet<ObjectName> = HashSet::new();
    for table in tables.iter() {
        let name = &table.target.name;
        taken.insert(name.clone());
        let indexes = table.target.primary_key.iter().chain(&table.target.indexes);
        taken.extend(indexes.map(|index| ObjectName::new(&name.schema, &index.name)));
    }
    for (table, rule) in tables.iter_mut().zip(resolved) {
        table.target.partitioning = None;
        let Some(partitioning) = table.source.partitioning.clone() else { continue };
        let choice = rule.as_ref().and_then(|rule| rule.partitions).or(rules.objects().partitions).unwrap_or_default();
        let plain = format!("Carried as one plain table; the source has {} partitions", partitioning.count);
        let why = match choice {
            PartitionChoice::Plain => plain,
            PartitionChoice::Translate => match translated(table, &partitioning, rules, &mut taken) {
                Ok(parts) => {
                    let rest = parts.parts.len() > partitioning.count;
                    let note = if rest { ", and one more for NULL and whatever else none of them takes" } else { "" };
                    let why = format!("Carried into {} partitions of their own{note}", partitioning.count);
                    let count = parts.parts.len();
                    table.target.partitioning = Some(Partitioning { count, parts: Some(parts), ..partitioning.clone() });
                    why
                }
                Err(why) => format!("{plain}: {why}"),
            },
        };
        problems.push(Problem::new(Severity::Note, "partitions", &table.source.name, why).ddl(partitioning.definition));
    }
}

/// The partitions in the names of the target.
///
/// # Errors
/// Why it cannot have them.
fn translated(
    table: &MappedTable,
    partitioning: &Partitioning,
    rules: &Rules<'_>,
    taken: &mut HashSet<ObjectName>,
) -> Result<Parts, String> {
    let Some(parts) = &partitioning.parts else { return Err(partitioning.why_not.clone()) };
    if table.merged || table.part {
        return Err("its rows are merged with those of other tables, or split".into());
    }
    let route = rules.route;
    route.target.can_partition(route.target_server)?;
    if !table.target.foreign_keys.is_empty() {
        return Err("it has foreign keys".into());
    }
    let mut columns = Vec::new();
    let mut rest = false;
    for name in &parts.columns {
        let place = table.columns.iter().position(|column| column.source == *name && column.computed.is_none());
        let found = place.and_then(|place| Some((table.columns.get(place)?, table.target.columns.get(place)?)));
        let Some((mapping, column)) = found.filter(|(mapping, column)| mapping.mask.is_none() && column.generated.is_none())
        else {
            return Err(format!("its column `{name}` is not carried as it is"));
        };
        if !alike(&mapping.from, &mapping.to) {
            return Err(format!("its column `{name}` becomes `{}`, whose bounds are others", column.native.full));
        }
        // Under another collation, equal texts would go to different partitions.
        rest |= matches!(mapping.to, LogicalType::Text { .. }) || (parts.method == PartMethod::Range && column.nullable);
        columns.push(column.name.clone());
    }
    let unique = table.target.primary_key.iter().chain(table.target.indexes.iter().filter(|index| index.unique));
    for index in unique {
        let has = |column: &String| index.parts.iter().any(|part| part.column.as_ref() == Some(column) && part.prefix.is_none());
        if !columns.iter().all(has) {
            return Err(format!("its unique key `{}` is not over all of the columns that part it", index.name));
        }
    }
    let limit = route.target.max_name_bytes();
    let mut name = |part: &str| {
        let wanted = format!("{}_{part}", table.target.name.name);
        let (mut name, mut number) = (names::shorten(&wanted, limit), 2);
        while !taken.insert(ObjectName::new(&table.target.name.schema, &name)) {
            name = names::shorten(&format!("{wanted}_{number}"), limit);
            number += 1;
        }
        name
    };
    let mut made: Vec<Part> = parts.parts.iter().map(|part| Part { name: name(&part.name), bound: part.bound.clone() }).collect();
    if rest && !made.iter().any(|part| part.bound == PartBound::Rest) {
        made.push(Part { name: name(REST), bound: PartBound::Rest });
    }
    Ok(Parts { method: parts.method, columns, parts: made })
}

/// True if the values, and their order, are the same in both types.
fn alike(from: &LogicalType, to: &LogicalType) -> bool {
    use LogicalType as L;
    let family = |logical: &LogicalType| match logical {
        L::Int8 | L::Int16 | L::Int32 | L::Int64 | L::UInt8 | L::UInt16 | L::UInt32 | L::UInt64 | L::Decimal { scale: 0, .. } => {
            1
        }
        L::Date => 2,
        L::Timestamp { zone: Zone::None, .. } => 3,
        L::Text { .. } => 4,
        _ => 0,
    };
    family(from) != 0 && family(from) == family(to)
}
