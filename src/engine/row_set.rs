//! Prints a [`RowSet`] as a condition in SQL, for engines whose SQL has subqueries.
//!
//! Two forms. *Nested*: `(fk) IN (SELECT … WHERE (fk) IN (SELECT …))`, which servers turn into joins over the keys' indexes. *Reach*: one
//! recursive query over all sets at once, for circles, and for graphs with so many ways from one table to another that the nested text, and
//! the work, would grow with the number of ways. Each row of `reach` is a demand: "the row of table T whose columns are these values", with
//! columns of their own for each kind of demand, so that values keep their type and collation. No demand is met twice, so both text and
//! work grow with the graph and the rows alone, and no table needs a key for it.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::model::row_set::{RowLink, RowSet, RowSetPart};
use crate::model::ObjectName;

/// Most subqueries of the nested form.
const MOST_NESTED: usize = 12;

/// How an engine writes it.
pub struct Words<'a> {
    /// Quotes one part of a name.
    pub quote: &'a dyn Fn(&str) -> String,
    /// A table's name in SQL.
    pub table: &'a dyn Fn(&ObjectName) -> String,
    /// A join that begins at its left side: what is on the left is small, and the right side has an index.
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
                .map(|(group, (columns, _))| {
                    format!("({}) IN ({})", self.columns(columns, "").join(", "), select(part, group))
                })
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
        let reach = (self.words.quote)("reach");
        let with = self.reach(&ports);
        let parts = &self.sets[wanted].parts;
        self.any(wanted, &|part, group| {
            let at = parts.iter().position(|one| std::ptr::eq(one, part)).unwrap_or_default();
            let Some(&(number, width)) = ports.get(&(wanted, at, group)) else { return "SELECT NULL".into() };
            let columns: Vec<String> = (0..width).map(|place| self.demand(number, place)).collect();
            format!("{with} SELECT {} FROM {reach} WHERE {} = {number}", columns.join(", "), (self.words.quote)("port"))
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

    /// The column of `reach` for a port's column.
    fn demand(&self, port: usize, place: usize) -> String {
        (self.words.quote)(&format!("p{port}_{place}"))
    }

    /// `WITH RECURSIVE reach (…) AS (…)`.
    fn reach(&self, ports: &BTreeMap<Port, (usize, usize)>) -> String {
        let (reach, port) = ((self.words.quote)("reach"), (self.words.quote)("port"));
        let mut in_order: Vec<(usize, Port)> = ports.iter().map(|(at, (number, _))| (*number, *at)).collect();
        in_order.sort_unstable();
        // Each column of `reach`, with the column whose type it has: a query without rows, since a bare NULL has none.
        let mut names = vec![port.clone()];
        let mut nothing: Vec<(usize, String)> = Vec::new();
        for (number, (set, at, group)) in &in_order {
            let table = (self.words.table)(&self.sets[*set].table);
            let (columns, _) = &groups(&self.sets[*set].parts[*at])[*group];
            for (place, column) in self.columns(columns, "").iter().enumerate() {
                names.push(self.demand(*number, place));
                nothing.push((*number, format!("(SELECT {column} FROM {table} WHERE FALSE)")));
            }
        }
        let row = |number: usize, values: &[String], typed: bool| {
            let mut values = values.iter().cloned();
            let rest = nothing.iter().map(|(of, nothing)| match of {
                of if *of == number => values.next().unwrap_or_else(|| "NULL".into()),
                _ if typed => nothing.clone(),
                _ => "NULL".into(),
            });
            std::iter::once(number.to_string()).chain(rest).collect::<Vec<_>>().join(", ")
        };
        let mut anchors = vec![format!("SELECT {}", row(0, &[], true))];
        let mut steps = Vec::new();
        for (number, (set, at, group)) in &in_order {
            let (_, links) = &groups(&self.sets[*set].parts[*at])[*group];
            for link in links {
                let from = &self.sets[link.from];
                let table = (self.words.table)(&from.table);
                for (from_at, part) in from.parts.iter().enumerate() {
                    let met = groups(part);
                    if met.is_empty() {
                        let columns = self.columns(&link.from_columns, "");
                        let own = part.condition.as_deref().unwrap_or("1 = 0");
                        let row = row(*number, &columns, true);
                        anchors.push(format!("SELECT {row} FROM {table} WHERE ({own}) AND {}", not_null(&columns)));
                    }
                    for (from_group, (by, _)) in met.iter().enumerate() {
                        let Some((asked, _)) = ports.get(&(link.from, from_at, from_group)) else { continue };
                        // A query of its own, so that the names in the condition stay the table's own.
                        let one = part.condition.as_ref().map_or_else(
                            || table.clone(),
                            |own| {
                                let mut names = by.to_vec();
                                names.extend(link.from_columns.iter().filter(|name| !by.contains(name)).cloned());
                                format!("(SELECT {} FROM {table} WHERE {own})", self.columns(&names, "").join(", "))
                            },
                        );
                        let columns = self.columns(&link.from_columns, "one.");
                        let on = self.columns(by, "one.").into_iter().enumerate();
                        let on: Vec<String> =
                            on.map(|(place, column)| format!("{column} = {reach}.{}", self.demand(*asked, place))).collect();
                        let (join, on) = (self.words.join, on.join(" AND "));
                        steps.push(format!(
                            "SELECT {} FROM {reach} {join} {one} AS one ON {on} WHERE {reach}.{port} = {asked} AND {}",
                            row(*number, &columns, false),
                            not_null(&columns)
                        ));
                    }
                }
            }
        }
        let mut with = format!("WITH RECURSIVE {reach} ({}) AS (", names.join(", "));
        // Writing to a string cannot fail.
        let _ = write!(with, "{})", anchors.into_iter().chain(steps).collect::<Vec<_>>().join(" UNION "));
        with
    }

    fn columns(&self, names: &[String], prefix: &str) -> Vec<String> {
        names.iter().map(|name| format!("{prefix}{}", (self.words.quote)(name))).collect()
    }
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
        let links = links.iter().map(|(own, from, theirs)| RowLink {
            columns: columns(own),
            from: *from,
            from_columns: columns(theirs),
        });
        RowSetPart { condition: None, links: links.collect() }
    }

    fn print(sets: &[RowSet], wanted: usize, recursive: bool) -> Option<String> {
        let words = Words { quote: &str::to_string, table: &|name| name.name.clone(), join: "JOIN", recursive };
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
            "(id = 7) OR (id) IN (WITH RECURSIVE reach (port, p1_0) AS (SELECT 0, (SELECT id FROM staff WHERE FALSE) UNION SELECT 1, boss \
             FROM staff WHERE (id = 7) AND boss IS NOT NULL UNION SELECT 1, one.boss FROM reach JOIN staff AS one ON one.id = reach.p1_0 \
             WHERE reach.port = 1 AND one.boss IS NOT NULL) SELECT p1_0 FROM reach WHERE port = 1)"
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
