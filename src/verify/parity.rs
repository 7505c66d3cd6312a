//! Schema parity: what stands in the target, compared with what was planned. Pure.
//!
//! Planned is only what the plan makes (what it lists as not carried is no difference), or, of a table that stood before the run, what was
//! to stay. Objects that somebody has added are no difference, but for columns: those would change what a row is. Expressions of tables
//! that the run has made are in our words in the plan and in the server's in the catalog, so of these the names are compared that they
//! look at; all else is compared as it is.

use std::collections::BTreeSet;

use crate::model::ObjectName;
use crate::model::catalog::{Check, Column, ForeignKey, Index, IndexPart, ReferentialAction, Table};
use crate::model::schema::TableSchema;
use crate::model::sequence::{CarriedSequence, Sequence};
use crate::report::{SchemaDifference, SchemaReport};

/// Compares each planned table with what is found under its name.
pub fn compare<'a>(planned: impl IntoIterator<Item = &'a TableSchema>, found: &[TableSchema]) -> SchemaReport {
    let mut report = SchemaReport::default();
    for planned in planned {
        let Table { name, columns, primary_key, indexes, foreign_keys, checks, .. } = &planned.table;
        report.tables += 1;
        report.stood += usize::from(planned.stood);
        report.columns += columns.len();
        report.indexes += indexes.len() + usize::from(primary_key.is_some());
        report.foreign_keys += foreign_keys.len();
        report.checks += checks.len();
        let found = found.iter().find(|found| found.table.name == *name);
        let differences = differences(planned, found);
        report.differences.extend(differences.into_iter().map(|what| SchemaDifference { table: name.to_string(), what }));
    }
    report
}

/// Adds each planned sequence to `report`, compared with what is found under its name.
pub fn compare_sequences(report: &mut SchemaReport, planned: &[&CarriedSequence], found: &[Sequence]) {
    for one in planned {
        report.sequences += 1;
        let wanted = one.planned();
        let found = found.iter().find(|found| found.name == wanted.name);
        let differences = sequence_differences(&wanted, found, one.stood);
        let table = wanted.name.to_string();
        report.differences.extend(differences.into_iter().map(|what| SchemaDifference { table: table.clone(), what }));
    }
}

fn sequence_differences(planned: &Sequence, found: Option<&Sequence>, stood: bool) -> Vec<String> {
    let name = &planned.name;
    let Some(found) = found else { return vec![format!("the sequence `{name}` is missing in the target")] };
    let mut all = Vec::new();
    let shape = |one: &Sequence| {
        let Sequence { start, increment, min, max, cache, cycle, .. } = one;
        let cycle = if *cycle { ", over and over" } else { "" };
        format!("from {start} by {increment}, {min} to {max}, {cache} at once{cycle}")
    };
    if !stood && shape(planned) != shape(found) {
        all.push(format!("the sequence `{name}` goes {}, and {} was planned", shape(found), shape(planned)));
    }
    match (planned.next, found.next) {
        (Some(_), None) => all.push(format!("the next number of the sequence `{name}` cannot be read")),
        (Some(wanted), Some(next)) if found.is_before(next, wanted) => {
            all.push(format!("the sequence `{name}` hands out {next} next, and {wanted} was planned"));
        }
        _ => {}
    }
    all
}

/// One sentence on the outcome, to follow what was proven of the rows; empty where nothing was compared.
pub fn sentence(schema: Option<&SchemaReport>) -> String {
    let Some(schema) = schema.filter(|schema| schema.tables > 0) else { return String::new() };
    let tables: BTreeSet<&str> = schema.differences.iter().map(|one| one.table.as_str()).collect();
    let all = match schema.tables {
        1 => "The schema of the one table".to_string(),
        tables => format!("The schema of {}{tables} tables", if schema.not_compared.is_empty() { "all " } else { "" }),
    };
    let all = match schema.sequences {
        0 => all,
        1 => format!("{all}, and of a sequence,"),
        some => format!("{all}, and of {some} sequences,"),
    };
    let as_it_should = if schema.stood > 0 { "as planned, or as it stood" } else { "as planned" };
    match tables.len() {
        0 => format!(" {all} is {as_it_should}."),
        some => format!(" {all} was compared: {some} {} not {as_it_should}.", if some == 1 { "is" } else { "are" }),
    }
}

/// Where a table differs, in words.
pub fn differences(planned: &TableSchema, found: Option<&TableSchema>) -> Vec<String> {
    let Some(found) = found else { return vec![format!("the table `{}` is missing in the target", planned.table.name)] };
    let mut list = List { stood: planned.stood, found: Vec::new() };
    columns(&mut list, &planned.table, &found.table);
    keys(&mut list, &planned.table, &found.table);
    foreign_keys(&mut list, planned, found);
    checks(&mut list, planned, found);
    for trigger in &planned.triggers {
        match found.triggers.iter().find(|other| other.name == trigger.name) {
            None => list.missing("trigger", &trigger.name),
            Some(other) if other.fires != trigger.fires => {
                list.push(format!("the trigger `{}` is {}", trigger.name, fires(&other.fires)));
            }
            Some(_) => {}
        }
    }
    if planned.table.comment != found.table.comment {
        list.push("its comment is another one".into());
    }
    if let (Some(owner), Some(other)) = (&planned.owner, &found.owner)
        && owner != other
    {
        list.push(format!("its owner is `{other}`, and {}", list.expected(owner)));
    }
    next_number(&mut list, planned, found);
    list.found
}

struct List {
    stood: bool,
    found: Vec<String>,
}

impl List {
    fn push(&mut self, what: String) {
        self.found.push(what);
    }

    fn missing(&mut self, object: &str, name: &str) {
        let before = if self.stood { ", and stood there before the run" } else { "" };
        self.push(format!("the {object} `{name}` is missing{before}"));
    }

    /// `bigint` was planned, or stood there.
    fn expected(&self, what: &str) -> String {
        if self.stood { format!("`{what}` stood there before the run") } else { format!("`{what}` was planned") }
    }

    fn unplanned(&self) -> &'static str {
        if self.stood { "which it did not before the run" } else { "which was not planned" }
    }
}

fn columns(list: &mut List, planned: &Table, found: &Table) {
    for column in &planned.columns {
        match found.column(&column.name) {
            None => list.missing("column", &column.name),
            Some(other) => one_column(list, column, other),
        }
    }
    for column in found.columns.iter().filter(|column| planned.column(&column.name).is_none()) {
        let unplanned = if list.stood { "was not there before the run" } else { "was not planned" };
        list.push(format!("there is a column `{}`, which {unplanned}", column.name));
    }
}

fn one_column(list: &mut List, planned: &Column, found: &Column) {
    let name = &planned.name;
    let labels = planned.native.name == "enum" && found.native.name == "enum" && !list.stood;
    if labels && planned.native.labels != found.native.labels {
        list.push(format!("the column `{name}` has other labels than were planned"));
    } else if !labels && planned.native.full != found.native.full {
        list.push(format!("the column `{name}` is `{}`, and {}", found.native.full, list.expected(&planned.native.full)));
    }
    if planned.native.collation != found.native.collation {
        let word = |collation: &Option<String>| collation.clone().unwrap_or_else(|| "the database's".into());
        let expected = list.expected(&word(&planned.native.collation));
        list.push(format!("the collation of the column `{name}` is `{}`, and {expected}", word(&found.native.collation)));
    }
    match (planned.nullable, found.nullable) {
        (false, true) => list.push(format!("the column `{name}` may be NULL, and {}", list.expected("NOT NULL"))),
        (true, false) => list.push(format!("the column `{name}` is NOT NULL, {}", list.unplanned().replace("it did", "it was"))),
        _ => {}
    }
    let has = [
        (planned.default.is_some(), found.default.is_some(), "has a default", "has lost its default"),
        (planned.identity, found.identity, "numbers new rows", "does not number new rows"),
        (planned.generated.is_some(), found.generated.is_some(), "is computed", "is not computed"),
    ];
    for (planned, found, there, gone) in has {
        match (planned, found) {
            (true, false) => list.push(format!("the column `{name}` {gone}")),
            (false, true) => list.push(format!("the column `{name}` {there}, {}", list.unplanned())),
            _ => {}
        }
    }
    if list.stood && planned.default.is_some() && found.default.is_some() && planned.default != found.default {
        list.push(format!("the default of the column `{name}` is another one"));
    }
    if let (Some(one), Some(two)) = (&planned.generated, &found.generated) {
        if one.stored != two.stored {
            list.push(format!("the column `{name}` is {}stored", if two.stored { "" } else { "not " }));
        }
        if !alike(list.stood, &one.expression, &two.expression) {
            list.push(format!("the column `{name}` is computed in another way"));
        }
    }
    if planned.comment != found.comment {
        list.push(format!("the comment of the column `{name}` is another one"));
    }
}

fn keys(list: &mut List, planned: &Table, found: &Table) {
    match (&planned.primary_key, &found.primary_key) {
        (Some(_), None) => list.push("the primary key is missing".into()),
        (Some(key), Some(other)) => {
            one_index(list, "primary key", key, other);
            if !key.name.is_empty() && key.name != other.name {
                list.push(format!("the primary key is called `{}`, and {}", other.name, list.expected(&key.name)));
            }
        }
        (None, Some(_)) => list.push(format!("it has a primary key, {}", list.unplanned())),
        (None, None) => {}
    }
    for index in &planned.indexes {
        match found.indexes.iter().find(|other| other.name == index.name) {
            None => list.missing("index", &index.name),
            Some(other) => one_index(list, &format!("index `{}`", index.name), index, other),
        }
    }
}

fn one_index(list: &mut List, what: &str, planned: &Index, found: &Index) {
    if planned.unique != found.unique {
        list.push(format!("the {what} is {}unique", if found.unique { "" } else { "not " }));
    }
    let same = planned.parts.len() == found.parts.len()
        && planned.parts.iter().zip(&found.parts).all(|(one, two)| same_part(list.stood, one, two));
    if !same {
        let (is, was) = (parts(found), parts(planned));
        list.push(format!("the {what} is over ({is}), and {}", list.expected(&was)));
    }
    if planned.method != found.method {
        list.push(format!("the {what} is of another kind than {}", if list.stood { "it was" } else { "was planned" }));
    }
}

fn same_part(exactly: bool, planned: &IndexPart, found: &IndexPart) -> bool {
    let over = match (&planned.expression, &found.expression) {
        (Some(one), Some(two)) => alike(exactly, one, two),
        (None, None) => true,
        _ => false,
    };
    over && planned.column == found.column && planned.descending == found.descending
}

fn parts(index: &Index) -> String {
    let parts = index.parts.iter().map(|part| {
        let over = part.column.as_deref().or(part.expression.as_deref()).unwrap_or("?");
        if part.descending { format!("{over} DESC") } else { over.to_string() }
    });
    parts.collect::<Vec<_>>().join(", ")
}

fn foreign_keys(list: &mut List, planned: &TableSchema, found: &TableSchema) {
    for key in &planned.table.foreign_keys {
        let Some(other) = found.table.foreign_keys.iter().find(|other| other.name == key.name) else {
            list.missing("foreign key", &key.name);
            continue;
        };
        if leads(key) != leads(other) {
            list.push(format!("the foreign key `{}` leads {}, and {}", key.name, leads(other), list.expected(&leads(key))));
        }
        for (event, is, was) in [("delete", other.on_delete, key.on_delete), ("update", other.on_update, key.on_update)] {
            if is != was {
                let expected = list.expected(action(was));
                list.push(format!("the foreign key `{}` says {} on {event}, and {expected}", key.name, action(is)));
            }
        }
        validated(list, "foreign key", &key.name, planned, found);
    }
}

fn leads(key: &ForeignKey) -> String {
    format!("from ({}) to {} ({})", key.columns.join(", "), key.parent, key.parent_columns.join(", "))
}

fn action(action: ReferentialAction) -> &'static str {
    match action {
        ReferentialAction::NoAction => "NO ACTION",
        ReferentialAction::Restrict => "RESTRICT",
        ReferentialAction::Cascade => "CASCADE",
        ReferentialAction::SetNull => "SET NULL",
        ReferentialAction::SetDefault => "SET DEFAULT",
    }
}

fn validated(list: &mut List, object: &str, name: &String, planned: &TableSchema, found: &TableSchema) {
    if found.not_validated.contains(name) && !planned.not_validated.contains(name) {
        list.push(format!("the {object} `{name}` is not validated: rows may break it"));
    }
}

fn checks(list: &mut List, planned: &TableSchema, found: &TableSchema) {
    let mut free: Vec<&Check> = found.table.checks.iter().collect();
    let (named, unnamed): (Vec<&Check>, Vec<&Check>) = planned.table.checks.iter().partition(|check| !check.name.is_empty());
    for check in named {
        let Some(place) = free.iter().position(|other| other.name == check.name) else {
            list.missing("check", &check.name);
            continue;
        };
        let other = free.swap_remove(place);
        if !alike(list.stood, &check.expression, &other.expression) {
            list.push(format!("the check `{}` demands something else", check.name));
        }
        if check.enforced {
            validated(list, "check", &check.name, planned, found);
        }
    }
    for check in unnamed {
        match free.iter().position(|other| alike(false, &check.expression, &other.expression)) {
            None => list.push(format!("the check `{}` is missing", check.expression)),
            Some(place) => {
                let other = free.swap_remove(place);
                validated(list, "check", &other.name, planned, found);
            }
        }
    }
}

fn next_number(list: &mut List, planned: &TableSchema, found: &TableSchema) {
    let numbered = found.table.columns.iter().any(|column| column.identity);
    let Some(wanted) = planned.table.next_identity.filter(|_| numbered) else { return };
    let Some(next) = found.table.next_identity else {
        return list.push("the number that the next row gets cannot be read".into());
    };
    if next < wanted {
        list.push(format!("the next row gets the number {next}, and {}", list.expected(&wanted.to_string())));
    }
    // A sequence that has come to its end hands out nothing.
    let ended = next > i128::from(i64::MAX);
    if let Some(largest) = found.largest_number.filter(|largest| !ended && next <= *largest) {
        list.push(format!("the next row gets the number {next}, and there is a row with {largest}"));
    }
}

/// True if both may mean the same: equal, or, unless they must be equal, the second one looks at all names that the first one does.
fn alike(exactly: bool, planned: &str, found: &str) -> bool {
    if planned == found {
        return true;
    }
    let found = words(found);
    !exactly && words(planned).iter().filter(|word| word.quoted).all(|word| found.iter().any(|other| other.text == word.text))
}

/// A name, or a keyword.
struct Word {
    text: String,
    quoted: bool,
}

/// The names and keywords of an expression; what stands in `'…'` is none.
fn words(sql: &str) -> Vec<Word> {
    let mut words = Vec::new();
    let mut letters = sql.chars().peekable();
    while let Some(letter) = letters.next() {
        if letter == '"' || letter == '\'' {
            let mut text = String::new();
            while let Some(next) = letters.next() {
                if next != letter {
                    text.push(next);
                } else if letters.next_if_eq(&letter).is_some() {
                    text.push(letter);
                } else {
                    break;
                }
            }
            if letter == '"' {
                words.push(Word { text, quoted: true });
            }
        } else if letter.is_alphanumeric() || letter == '_' {
            let mut text = String::from(letter);
            while let Some(next) = letters.next_if(|next| next.is_alphanumeric() || matches!(next, '_' | '$')) {
                text.push(next);
            }
            words.push(Word { text, quoted: false });
        }
    }
    words
}

fn fires(state: &str) -> &'static str {
    match state {
        "D" => "switched off",
        "R" => "set to fire in replicas alone",
        "A" => "set to fire always",
        _ => "set to fire as usual",
    }
}

/// The planned tables that are to be compared, and the names of those that nothing is known of.
pub fn chosen<'a>(planned: &'a [TableSchema], wanted: &[&ObjectName]) -> (Vec<&'a TableSchema>, Vec<String>) {
    let find = |name: &ObjectName| planned.iter().find(|schema| schema.table.name == *name);
    let unknown = wanted.iter().filter(|name| find(name).is_none()).map(ToString::to_string).collect();
    (wanted.iter().filter_map(|name| find(name)).collect(), unknown)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::catalog::{DefaultValue, IndexMethod, NativeType};
    use crate::model::schema::TriggerState;

    fn column(name: &str, full: &str) -> Column {
        Column::new(name, None, NativeType::named(full))
    }

    fn index(name: &str, columns: &[&str]) -> Index {
        let part = |name: &&str| IndexPart { column: Some((*name).into()), expression: None, prefix: None, descending: false };
        Index {
            name: name.into(),
            parts: columns.iter().map(part).collect(),
            unique: false,
            method: IndexMethod::BTree,
            visible: true,
        }
    }

    fn orders() -> TableSchema {
        let mut table = Table::new(ObjectName::new("public", "orders"));
        table.columns = vec![column("id", "bigint"), column("customer", "bigint"), column("total", "numeric(10,2)")];
        table.columns[0].identity = true;
        table.columns[0].nullable = false;
        table.columns[2].default = Some(DefaultValue::Expression("0".into()));
        table.primary_key = Some(Index { unique: true, ..index("orders_pkey", &["id"]) });
        table.indexes = vec![index("orders_customer_idx", &["customer", "id"])];
        table.foreign_keys = vec![ForeignKey {
            name: "orders_customer".into(),
            columns: vec!["customer".into()],
            parent: ObjectName::new("public", "customers"),
            parent_columns: vec!["id".into()],
            on_delete: ReferentialAction::Cascade,
            on_update: ReferentialAction::NoAction,
        }];
        table.checks = vec![
            Check { name: "positive".into(), expression: "(\"total\" > 0)".into(), enforced: true },
            Check { name: String::new(), expression: "\"customer\" >= 0".into(), enforced: true },
        ];
        table.next_identity = Some(7);
        TableSchema { triggers: vec![TriggerState { name: "touch".into(), fires: "O".into() }], ..TableSchema::new(table) }
    }

    /// The table as a server tells it.
    fn standing() -> TableSchema {
        let mut found = orders();
        found.owner = Some("loader".into());
        found.table.checks[0].expression = "(total > (0)::numeric)".into();
        found.table.checks[1] =
            Check { name: "orders_customer_check".into(), expression: "(customer >= 0)".into(), enforced: true };
        found.largest_number = Some(6);
        found
    }

    /// What a change of the standing table is called.
    fn says(change: impl FnOnce(&mut TableSchema)) -> Vec<String> {
        let mut found = standing();
        change(&mut found);
        differences(&orders(), Some(&found))
    }

    #[test]
    fn a_table_as_it_was_planned_has_no_differences() {
        assert_eq!(says(|_| {}), Vec::<String>::new());
        // Objects that somebody has added change nothing of what was planned.
        assert!(says(|found| found.table.indexes.push(index("more", &["total"]))).is_empty());
        assert!(says(|found| found.table.next_identity = Some(900)).is_empty());
        assert_eq!(differences(&orders(), None), ["the table `public.orders` is missing in the target"]);
    }

    #[test]
    fn each_change_is_told_in_a_sentence() {
        let one = |change: &dyn Fn(&mut TableSchema)| says(|found| change(found)).join("; ");
        let table = |change: &dyn Fn(&mut Table)| says(|found| change(&mut found.table)).join("; ");
        assert_eq!(table(&|found| found.indexes.clear()), "the index `orders_customer_idx` is missing");
        assert_eq!(
            table(&|found| found.indexes[0].parts[1].descending = true),
            "the index `orders_customer_idx` is over (customer, id DESC), and `customer, id` was planned"
        );
        assert_eq!(table(&|found| found.primary_key = None), "the primary key is missing");
        assert_eq!(table(&|found| found.columns[0].nullable = true), "the column `id` may be NULL, and `NOT NULL` was planned");
        assert_eq!(table(&|found| found.columns[1].nullable = false), "the column `customer` is NOT NULL, which was not planned");
        assert_eq!(table(&|found| found.columns[2].default = None), "the column `total` has lost its default");
        assert_eq!(
            table(&|found| found.columns[2].native.full = "numeric(12,2)".into()),
            "the column `total` is `numeric(12,2)`, and `numeric(10,2)` was planned"
        );
        assert_eq!(table(&|found| found.columns.push(column("x", "text"))), "there is a column `x`, which was not planned");
        assert_eq!(table(&|found| found.foreign_keys.clear()), "the foreign key `orders_customer` is missing");
        assert!(table(&|found| found.foreign_keys[0].on_delete = ReferentialAction::NoAction).contains("NO ACTION on delete"));
        assert_eq!(
            one(&|found| found.not_validated.push("orders_customer".into())),
            "the foreign key `orders_customer` is not validated: rows may break it"
        );
        assert_eq!(
            one(&|found| found.not_validated.push("orders_customer_check".into())),
            "the check `orders_customer_check` is not validated: rows may break it"
        );
        assert_eq!(table(&|found| found.checks.truncate(1)), "the check `\"customer\" >= 0` is missing");
        assert_eq!(table(&|found| drop(found.checks.remove(0))), "the check `positive` is missing");
        assert_eq!(
            table(&|found| found.checks[0].expression = "(customer > 0)".into()),
            "the check `positive` demands something else"
        );
        assert!(table(&|found| found.next_identity = Some(6)).contains("the number 6, and `7` was planned"));
        assert_eq!(one(&|found| found.largest_number = Some(7)), "the next row gets the number 7, and there is a row with 7");
        assert_eq!(one(&|found| found.triggers[0].fires = "D".into()), "the trigger `touch` is switched off");
    }

    #[test]
    fn what_was_left_not_validated_may_be_so_and_what_stood_must_be_the_same() {
        let mut planned = orders();
        planned.not_validated = vec!["orders_customer".into()];
        let mut found = standing();
        found.not_validated = vec!["orders_customer".into()];
        assert!(differences(&planned, Some(&found)).is_empty());
        let mut planned = TableSchema { stood: true, ..standing() };
        planned.largest_number = None;
        assert!(differences(&planned, Some(&standing())).is_empty());
        let mut found = standing();
        found.table.checks[0].expression = "(total > (1)::numeric)".into();
        assert_eq!(differences(&planned, Some(&found)), ["the check `positive` demands something else"]);
        let report = compare([&planned], &[found]);
        assert_eq!((report.tables, report.stood, report.columns, report.indexes, report.checks), (1, 1, 3, 2, 2));
        assert_eq!(sentence(Some(&report)), " The schema of the one table was compared: 1 is not as planned, or as it stood.");
    }

    #[test]
    fn names_are_found_in_expressions_and_not_in_texts() {
        assert!(alike(false, "(left(\"Name\"::text, 3))", "\"left\"((\"Name\")::text, 3)"));
        assert!(!alike(false, "\"name\" <> 'x'", "(other <> 'name'::text)"));
        assert!(alike(false, "\"a\"\"b\" > 0", "(\"a\"\"b\" > 0)"));
    }
}
