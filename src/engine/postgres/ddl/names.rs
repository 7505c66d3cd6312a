//! Names of the types and sequences that stand behind columns: short enough, the same every time, and held by nothing else.

use std::collections::{HashMap, HashSet};

use super::{Labelled, MAX_NAME_BYTES, labelled};
use crate::model::ObjectName;
use crate::model::catalog::{NativeType, Table};

/// The name of the type behind an ENUM column, unless something else in the schema has that name: `orders_status`, in the table's schema.
pub fn enum_type_name(table: &ObjectName, column: &str) -> ObjectName {
    ObjectName::new(&table.schema, shortened(&format!("{}_{column}", table.name), table, column))
}

/// The name that PostgreSQL itself gives to a sequence behind a column.
fn sequence_name(table: &ObjectName, column: &str) -> ObjectName {
    ObjectName::new(&table.schema, shortened(&format!("{}_{column}_seq", table.name), table, column))
}

/// Why PostgreSQL cannot have a type of these labels, if it cannot.
pub(in crate::engine::postgres) fn labels_fit(labels: &[String]) -> Result<(), String> {
    if labels.is_empty() {
        return Err("an enumeration without labels has no type of its own".into());
    }
    if let Some(long) = labels.iter().find(|label| label.len() > MAX_NAME_BYTES) {
        return Err(format!("the label `{long}` has {} bytes, and a label of a type has at most {MAX_NAME_BYTES}", long.len()));
    }
    let mut seen = HashSet::new();
    match labels.iter().find(|label| !seen.insert(*label)) {
        Some(twice) => Err(format!("the label `{twice}` is declared twice")),
        None => Ok(()),
    }
}

/// `name` when it is short enough, else its start and a hash of where it comes from.
pub(super) fn shortened(name: &str, table: &ObjectName, column: &str) -> String {
    if name.len() <= MAX_NAME_BYTES { name.to_string() } else { hashed(name, table, column) }
}

/// The start of `name` and eight digits of a hash over schema, table and column, in at most 63 bytes.
fn hashed(name: &str, table: &ObjectName, column: &str) -> String {
    let whole = format!("{}\0{}\0{column}\0{name}", table.schema, table.name);
    let hash = xxhash_rust::xxh3::xxh3_64(whole.as_bytes()) >> 32;
    let end = name.floor_char_boundary(MAX_NAME_BYTES - 9);
    format!("{}_{hash:08x}", name.get(..end).unwrap_or_default())
}

/// The names of all types and sequences of a run, no two alike and none that of a table or an index.
pub(super) struct Names {
    types: HashMap<(ObjectName, String), ObjectName>,
    sequences: HashMap<(ObjectName, String), ObjectName>,
    /// ENUM columns whose type is that of another column, which a foreign key joins them to.
    shared: HashMap<(ObjectName, String), (ObjectName, String)>,
}

/// For each ENUM column that a foreign key joins to another one of the same labels, the column whose type both have.
fn shared_types(tables: &[Table]) -> HashMap<(ObjectName, String), (ObjectName, String)> {
    type Place = (ObjectName, String);
    fn root(above: &HashMap<Place, Place>, place: &Place) -> Place {
        let mut place = place;
        while let Some(next) = above.get(place) {
            place = next;
        }
        place.clone()
    }
    let labels = |place: &Place| {
        let column = tables.iter().find(|table| table.name == place.0)?.column(&place.1)?;
        (labelled(&column.native) == Some(Labelled::Enum)).then_some(&column.native.labels)
    };
    let mut above: HashMap<Place, Place> = HashMap::new();
    for table in tables {
        for key in &table.foreign_keys {
            for (child, parent) in key.columns.iter().zip(&key.parent_columns) {
                let (child, parent) = ((table.name.clone(), child.clone()), (key.parent.clone(), parent.clone()));
                let (from, to) = (root(&above, &child), root(&above, &parent));
                if from != to && labels(&child).is_some() && labels(&child) == labels(&parent) {
                    above.insert(from, to);
                }
            }
        }
    }
    above.keys().map(|place| (place.clone(), root(&above, place))).collect()
}

impl Names {
    /// Gives names to the columns of `tables`, in their order.
    pub(super) fn new(tables: &[Table]) -> Self {
        // A table's row type stands among the types, a sequence among the tables and indexes: one set for all is simplest.
        let mut taken: HashSet<ObjectName> = HashSet::new();
        for table in tables {
            taken.insert(table.name.clone());
            taken.extend(super::partition::names(table));
            let indexes = table.primary_key.iter().chain(&table.indexes);
            taken.extend(indexes.map(|index| ObjectName::new(&table.name.schema, &index.name)));
        }
        let mut give = |name: ObjectName, table: &ObjectName, column: &str| {
            if taken.insert(name.clone()) {
                return name;
            }
            let other = ObjectName::new(&name.schema, hashed(&name.name, table, column));
            taken.insert(other.clone());
            other
        };
        let mut names = Names { types: HashMap::new(), sequences: HashMap::new(), shared: shared_types(tables) };
        for table in tables {
            for column in &table.columns {
                let key = (table.name.clone(), column.name.clone());
                if labelled(&column.native) == Some(Labelled::Enum) {
                    let name = give(enum_type_name(&table.name, &column.name), &table.name, &column.name);
                    names.types.insert(key.clone(), name);
                }
                if column.identity {
                    let name = give(sequence_name(&table.name, &column.name), &table.name, &column.name);
                    names.sequences.insert(key, name);
                }
            }
        }
        names
    }

    /// The type behind an ENUM column.
    pub(super) fn enum_type(&self, table: &ObjectName, column: &str) -> ObjectName {
        let place = (table.clone(), column.to_string());
        let place = self.shared.get(&place).unwrap_or(&place);
        self.types.get(place).cloned().unwrap_or_else(|| enum_type_name(&place.0, &place.1))
    }

    /// False for a column whose type is made for another column.
    pub(super) fn makes_type(&self, table: &ObjectName, column: &str) -> bool {
        !self.shared.contains_key(&(table.clone(), column.to_string()))
    }

    /// The sequence behind a column that numbers rows.
    pub(super) fn sequence(&self, table: &ObjectName, column: &str) -> ObjectName {
        self.sequences.get(&(table.clone(), column.to_string())).cloned().unwrap_or_else(|| sequence_name(table, column))
    }

    /// The sequence's name, when it is not the one that PostgreSQL would choose by itself.
    pub(super) fn unusual_sequence(&self, table: &ObjectName, column: &str) -> Option<ObjectName> {
        let name = self.sequence(table, column);
        (name != sequence_name(table, column)).then_some(name)
    }
}

/// True for the types that PostgreSQL lets be an identity.
pub(super) fn can_be_identity(native: &NativeType) -> bool {
    matches!(native.name.as_str(), "smallint" | "integer" | "bigint")
}

/// True for the other types whose default may be the next number of a sequence.
pub(super) fn can_take_sequence(native: &NativeType) -> bool {
    matches!(native.name.as_str(), "numeric" | "real" | "double precision")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::catalog::Column;

    fn enum_column(name: &str) -> Column {
        Column::new(
            name,
            None,
            NativeType { name: "enum".into(), full: "enum".into(), labels: vec!["x".into()], ..NativeType::default() },
        )
    }

    fn table(name: &str, columns: &[&str]) -> Table {
        Table { columns: columns.iter().map(|name| enum_column(name)).collect(), ..Table::new(ObjectName::new("s", name)) }
    }

    #[test]
    fn a_type_is_named_after_its_column_in_at_most_63_bytes() {
        assert_eq!(enum_type_name(&ObjectName::new("shop", "orders"), "status"), ObjectName::new("shop", "orders_status"));
        let long = ObjectName::new("shop", "ü".repeat(31));
        let name = enum_type_name(&long, "status").name;
        assert!(name.len() <= 63 && name.starts_with("üü"), "{name}");
        assert_ne!(name, enum_type_name(&long, "statuS").name);
    }

    #[test]
    fn two_columns_or_a_table_never_share_the_name_of_a_type() {
        let tables = [table("a_b", &["c"]), table("a", &["b_c", "x"]), table("a_x", &[])];
        let names = Names::new(&tables);
        let all =
            [("a_b", "c"), ("a", "b_c"), ("a", "x")].map(|(table, column)| names.enum_type(&ObjectName::new("s", table), column));
        assert_eq!(all[0].name, "a_b_c");
        assert!(all[1].name.starts_with("a_b_c_") && all[2].name.starts_with("a_x_"), "{all:?}");
        assert_eq!(Names::new(&tables).enum_type(&ObjectName::new("s", "a"), "x"), all[2], "the same every time");
    }

    #[test]
    fn labels_that_no_type_can_have_are_found() {
        let fit = |labels: &[&str]| labels_fit(&labels.iter().map(ToString::to_string).collect::<Vec<_>>()).is_ok();
        assert!(fit(&["", "a", "A"]) && fit(&[&"x".repeat(63)]));
        assert!(!fit(&[]) && !fit(&["a", "a"]) && !fit(&[&"ü".repeat(32)]));
    }
}
