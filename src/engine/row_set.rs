//! Prints a [`RowSet`] as a condition in SQL, for engines whose SQL has subqueries.
//!
//! Two forms. *Nested*: `(fk) IN (SELECT … WHERE (fk) IN (SELECT …))`, which servers turn into joins over the keys' indexes. *Reach*: one
//! recursive query over all sets at once, for circles, and for graphs with so many ways from one table to another that the nested text, and
//! the work, would grow with the number of ways. Each row of `reach` is a demand: "the row of table T whose columns are these values", with
//! columns of their own for each kind of demand, so that values keep their type and collation. No demand is met twice, so both text and
//! work grow with the graph and the rows alone, and no table needs a key for it.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::model::ObjectName;
use crate::model::row_set::{RowLink, RowSet, RowSetPart};

/// Most subqueries of the nested form.
const MOST_NESTED: usize = 12;
/// Most tables that a recursive query joins: MySQL joins 61, SQLite 64.
const MOST_JOINED: usize = 50;

/// How an engine writes it.
pub struct Words<'a> {
    /// Quotes one part of a name.
    pub quote: &'a dyn Fn(&str) -> String,
    /// A table's name in SQL.
    pub table: &'a dyn Fn(&ObjectName) -> String,
    /// The beginning of a query whose tables are joined in the order in which they stand: the first is small, the others have indexes.
    pub select: &'a str,
    /// The join of such a query.
    pub join: &'a str,
    /// The server knows recursive queries.
    pub recursive: bool,
}

/// The condition that a row of the set at `wanted` meets, and no other row of its table; `None` if it takes a recursive query, which the
/// server does not know. The parts must be free of volatile functions.
pub fn condition(sets: &[RowSet], wanted: usize, words: &Words<'_>) -> Option<String> {
    let printer = Printer { sets, words };
    match printer.nested_size(wanted, &mut Vec::new(), MOST_NESTED) {
        Some(_) => Some(printer.nested(wanted)),
        None if words.recursive => Some(printer.by_reach(wanted)),
        None => None,
    }
}

struct Printer<'a> {
    sets: &'a [RowSet],
    words: &'a Words<'a>,
}

/// The columns of a part's table that rows are demanded by: set, part, and group of links within it.
type Port = (usize, usize, usize);

/// A row that is demanded by the port `asked` makes a demand of its own: of these columns, at the port `makes`.
struct Step<'a> {
    asked: usize,
    makes: usize,
    columns: &'a [String],
}

impl Printer<'_> {
    /// The subqueries of the nested form; none in a circle, or beyond `most`.
    fn nested_size(&self, set: usize, path: &mut Vec<usize>, most: usize) -> Option<usize> {
        if path.contains(&set) {
            return None;
        }
        path.push(set);
        let mut size = 0;
        for link in self.sets.get(set)?.parts.iter().flat_map(|part| &part.links) {
            size += 1;
            size += self.nested_size(link.from, path, most.checked_sub(size)?)?;
        }
        path.pop();
        (size <= most).then_some(size)
    }

    fn nested(&self, set: usize) -> String {
        self.any(set, &|part, group| {
            let links = groups(part);
            let selects: Vec<String> = links[group]
                .1
                .iter()
                .map(|link| {
                    let from = &self.sets[link.from];
                    let columns = self.columns(&link.from_columns, "");
                    let table = (self.words.table)(&from.table);
                    let inner = self.nested(link.from);
                    format!("SELECT {} FROM {table} WHERE ({inner}) AND {}", columns.join(", "), not_null(&columns))
                })
                .collect();
            match selects.as_slice() {
                [one] => one.clone(),
                // By a table of its own: MySQL would ask a bare UNION anew for each row.
                all => format!("SELECT * FROM ({}) AS {}", all.join(" UNION "), (self.words.quote)("needed")),
            }
        })
    }

    /// The parts of a set joined by OR; `select` is the query of a group of links.
    fn any(&self, set: usize, select: &dyn Fn(&RowSetPart, usize) -> String) -> String {
        let parts = self.sets[set].parts.iter().map(|part| {
            let links: Vec<String> = groups(part)
                .iter()
                .enumerate()
                .map(|(group, (columns, _))| format!("({}) IN ({})", self.columns(columns, "").join(", "), select(part, group)))
                .collect();
            match (&part.condition, links.is_empty()) {
                (Some(own), true) => format!("({own})"),
                (Some(own), false) => format!("(({own}) AND ({}))", links.join(" OR ")),
                (None, _) => links.join(" OR "),
            }
        });
        let parts: Vec<String> = parts.filter(|part| !part.is_empty()).collect();
        if parts.is_empty() { "1 = 0".into() } else { parts.join(" OR ") }
    }

    fn by_reach(&self, wanted: usize) -> String {
        let ports = self.ports(wanted);
        let with = self.reach(&ports);
        let parts = &self.sets[wanted].parts;
        self.any(wanted, &|part, group| {
            let at = parts.iter().position(|one| std::ptr::eq(one, part)).unwrap_or_default();
            let Some(&(number, width)) = ports.get(&(wanted, at, group)) else { return "SELECT NULL".into() };
            let columns: Vec<String> = (0..width).map(|place| demand(number, place)).collect();
            format!("{with} SELECT {} FROM reach WHERE port = {number} AND {}", columns.join(", "), not_null(&columns))
        })
    }

    /// The ports of all sets that the wanted one depends on, each with its number and its width.
    fn ports(&self, wanted: usize) -> BTreeMap<Port, (usize, usize)> {
        let (mut ports, mut seen, mut open) = (BTreeMap::new(), vec![wanted], vec![wanted]);
        while let Some(set) = open.pop() {
            for (at, part) in self.sets[set].parts.iter().enumerate() {
                for (group, (columns, links)) in groups(part).iter().enumerate() {
                    let number = ports.len() + 1;
                    ports.insert((set, at, group), (number, columns.len()));
                    for link in links {
                        if !seen.contains(&link.from) {
                            seen.push(link.from);
                            open.push(link.from);
                        }
                    }
                }
            }
        }
        ports
    }

    /// `WITH RECURSIVE steps (…) AS (…), reach (…) AS (…)`.
    ///
    /// `steps` says which demands a row that was demanded makes itself. One recursive member joins the tables of many ports, each row of
    /// `reach` finding rows through its own port alone, as its other columns are NULL: MariaDB takes exponential time and memory to plan many
    /// recursive members.
    fn reach(&self, ports: &BTreeMap<Port, (usize, usize)>) -> String {
        let mut in_order: Vec<(usize, Port)> = ports.iter().map(|(at, (number, _))| (*number, *at)).collect();
        in_order.sort_unstable();
        // Each column of `reach`, with a query without rows for its type, since a bare NULL has none.
        let mut names = vec!["port".to_string()];
        let mut nothing: Vec<(usize, String)> = Vec::new();
        for (number, port) in &in_order {
            let table = (self.words.table)(&self.sets[port.0].table);
            for (place, column) in self.columns(self.group(*port).0, "").iter().enumerate() {
                names.push(demand(*number, place));
                nothing.push((*number, format!("(SELECT {column} FROM {table} WHERE FALSE)")));
            }
        }
        let anchor = |number: usize, values: &[String], from: &str| {
            let mut values = values.iter();
            let rest = nothing.iter().map(|(of, nothing)| match of {
                of if *of == number => values.next().unwrap_or(nothing).clone(),
                _ => nothing.clone(),
            });
            let row: Vec<String> = std::iter::once(number.to_string()).chain(rest).collect();
            format!("SELECT {}{from}", row.join(", "))
        };
        let mut members = vec![anchor(0, &[], "")];
        let mut steps: Vec<Step<'_>> = Vec::new();
        for (number, port) in &in_order {
            for link in self.group(*port).1 {
                let from = &self.sets[link.from];
                for (at, part) in from.parts.iter().enumerate() {
                    if part.links.is_empty() {
                        let columns = self.columns(&link.from_columns, "");
                        let (table, own) = ((self.words.table)(&from.table), part.condition.as_deref().unwrap_or("1 = 0"));
                        let rows = format!(" FROM {table} WHERE ({own}) AND {}", not_null(&columns));
                        members.push(anchor(*number, &columns, &rows));
                    }
                    let asked = (0..groups(part).len()).filter_map(|group| ports.get(&(link.from, at, group)));
                    steps.extend(asked.map(|(asked, _)| Step { asked: *asked, makes: *number, columns: &link.from_columns }));
                }
            }
        }
        let table = steps.iter().enumerate().map(|(at, step)| format!("SELECT {at}, {}, {}", step.asked, step.makes));
        let table: Vec<String> = table.collect();
        for asked in in_order.chunks(MOST_JOINED) {
            members.extend(self.step(asked, &steps, &names));
        }
        let table = if table.is_empty() { vec!["SELECT 0, 0, 0".into()] } else { table };
        format!(
            "WITH RECURSIVE steps (step, asked, makes) AS ({}), reach ({}) AS ({})",
            table.join(" UNION ALL "),
            names.join(", "),
            members.join(" UNION ")
        )
    }

    /// The recursive member for what is demanded by some ports; none if that demands nothing.
    fn step(&self, asked: &[(usize, Port)], steps: &[Step<'_>], names: &[String]) -> Option<String> {
        let mut from = format!("reach {} steps ON steps.asked = reach.port", self.words.join);
        let mut made = vec![String::new(); names.len()];
        for (number, port) in asked {
            let (set, part) = (&self.sets[port.0], &self.sets[port.0].parts[port.1]);
            let mine = || steps.iter().enumerate().filter(|(_, step)| step.asked == *number);
            if mine().next().is_none() {
                continue;
            }
            let by = self.group(*port).0;
            let mut wanted: Vec<String> = by.clone();
            wanted.extend(mine().flat_map(|(_, step)| step.columns).cloned());
            wanted.sort();
            wanted.dedup();
            let table = (self.words.table)(&set.table);
            // A query of its own, so that the names in the condition stay the table's own.
            let table = part.condition.as_ref().map_or(table.clone(), |own| {
                format!("(SELECT {} FROM {table} WHERE {own})", self.columns(&wanted, "").join(", "))
            });
            let alias = format!("t{number}.");
            let on = self.columns(by, &alias).into_iter().enumerate();
            let on: Vec<String> = on.map(|(place, column)| format!("{column} = reach.{}", demand(*number, place))).collect();
            // Writing to a string cannot fail.
            let _ = write!(from, " LEFT JOIN {table} AS t{number} ON {}", on.join(" AND "));
            for (at, step) in mine() {
                for (place, column) in self.columns(step.columns, &alias).iter().enumerate() {
                    let into = names.iter().position(|name| *name == demand(step.makes, place));
                    if let Some(made) = into.and_then(|into| made.get_mut(into)) {
                        let _ = write!(made, " WHEN {at} THEN {column}");
                    }
                }
            }
        }
        if made.iter().all(String::is_empty) {
            return None;
        }
        let made = made.iter().skip(1).map(|whens| match whens.as_str() {
            "" => "NULL".to_string(),
            whens => format!("CASE steps.step{whens} END"),
        });
        Some(format!("{} steps.makes, {} FROM {from}", self.words.select, made.collect::<Vec<_>>().join(", ")))
    }

    fn group(&self, port: Port) -> (&Vec<String>, Vec<&RowLink>) {
        let mut groups = groups(&self.sets[port.0].parts[port.1]);
        groups.swap_remove(port.2)
    }

    fn columns(&self, names: &[String], prefix: &str) -> Vec<String> {
        names.iter().map(|name| format!("{prefix}{}", (self.words.quote)(name))).collect()
    }
}

/// The column of `reach` for a port's column.
fn demand(port: usize, place: usize) -> String {
    format!("p{port}_{place}")
}

/// The links of a part by the columns that they are about.
fn groups(part: &RowSetPart) -> Vec<(&Vec<String>, Vec<&RowLink>)> {
    let mut groups: Vec<(&Vec<String>, Vec<&RowLink>)> = Vec::new();
    for link in &part.links {
        match groups.iter_mut().find(|(columns, _)| **columns == link.columns) {
            Some((_, links)) => links.push(link),
            None => groups.push((&link.columns, vec![link])),
        }
    }
    groups
}

fn not_null(columns: &[String]) -> String {
    columns.iter().map(|column| format!("{column} IS NOT NULL")).collect::<Vec<_>>().join(" AND ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(table: &str, parts: Vec<RowSetPart>) -> RowSet {
        RowSet { table: ObjectName::new("", table), parts }
    }

    fn own(condition: &str) -> RowSetPart {
        RowSetPart { condition: Some(condition.into()), links: Vec::new() }
    }

    fn needed(links: &[(&str, usize, &str)]) -> RowSetPart {
        let columns = |text: &str| text.split(' ').map(str::to_string).collect::<Vec<_>>();
        let links =
            links.iter().map(|(own, from, theirs)| RowLink { columns: columns(own), from: *from, from_columns: columns(theirs) });
        RowSetPart { condition: None, links: links.collect() }
    }

    fn print(sets: &[RowSet], wanted: usize, recursive: bool) -> Option<String> {
        let words = Words { quote: &str::to_string, table: &|name| name.name.clone(), select: "SELECT", join: "JOIN", recursive };
        condition(sets, wanted, &words)
    }

    #[test]
    fn a_chain_is_nested() {
        let sets = [
            set("items", vec![own("n > 1")]),
            set("orders", vec![own("id = 7"), needed(&[("shop id", 0, "shop order_id")])]),
            set("customers", vec![needed(&[("id", 1, "customer"), ("id", 0, "payer")])]),
        ];
        assert_eq!(print(&sets, 0, false).unwrap(), "(n > 1)");
        let orders = "(id = 7) OR (shop, id) IN (SELECT shop, order_id FROM items WHERE ((n > 1)) AND shop IS NOT NULL AND order_id IS NOT NULL)";
        assert_eq!(print(&sets, 1, false).unwrap(), orders);
        assert_eq!(
            print(&sets, 2, false).unwrap(),
            format!(
                "(id) IN (SELECT * FROM (SELECT customer FROM orders WHERE ({orders}) AND customer IS NOT NULL UNION SELECT payer FROM \
                 items WHERE ((n > 1)) AND payer IS NOT NULL) AS needed)"
            )
        );
    }

    #[test]
    fn a_circle_takes_a_recursive_query() {
        let sets = [set("staff", vec![own("id = 7"), needed(&[("id", 0, "boss")])])];
        assert_eq!(print(&sets, 0, false), None);
        assert_eq!(
            print(&sets, 0, true).unwrap(),
            "(id = 7) OR (id) IN (WITH RECURSIVE steps (step, asked, makes) AS (SELECT 0, 1, 1), reach (port, p1_0) AS (SELECT 0, (SELECT \
             id FROM staff WHERE FALSE) UNION SELECT 1, boss FROM staff WHERE (id = 7) AND boss IS NOT NULL UNION SELECT steps.makes, CASE \
             steps.step WHEN 0 THEN t1.boss END FROM reach JOIN steps ON steps.asked = reach.port LEFT JOIN staff AS t1 ON t1.id = \
             reach.p1_0) SELECT p1_0 FROM reach WHERE port = 1 AND p1_0 IS NOT NULL)"
        );
    }

    #[test]
    fn the_text_of_many_diamonds_does_not_double_with_each() {
        let sets: Vec<RowSet> = (0..40)
            .map(|place: usize| match place.checked_sub(1) {
                None => set("t0", vec![own("id = 1")]),
                Some(below) => set(&format!("t{place}"), vec![needed(&[("id", below, "a"), ("id", below, "b")])]),
            })
            .collect();
        assert!(print(&sets, 39, true).unwrap().len() < 40_000);
        assert_eq!(print(&sets, 39, false), None);
        assert!(print(&sets, 2, false).unwrap().starts_with("(id) IN (SELECT * FROM (SELECT a FROM t1"));
    }
}
