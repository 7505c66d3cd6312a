//! A mapping by itself, before any server is asked: its expressions as far as they can be judged without the source's columns, and its
//! target types.

use std::collections::BTreeMap;

use crate::config::rules::{ColumnRule, Mapping, TableRule};
use crate::engine::Dialect;
use crate::error::{Error, ErrorKind};
use crate::model::catalog::NativeType;
use crate::transform::expr;

use super::rules::fill;

/// What is wrong whatever the source holds, each fault with its line. A target type must be one of `targets`, which are all engines that
/// the mapping may be for.
pub fn faults(mapping: &Mapping, targets: &[&dyn Dialect]) -> Vec<Error> {
    let mut faults = Vec::new();
    let at = |line: u32| format!("{}:{line}", mapping.file);
    for rule in &mapping.types {
        if let Some(error) = rule.to.as_deref().and_then(|to| type_fault(to, targets)) {
            faults.push(error.file(at(rule.line)));
        }
    }
    for table in &mapping.tables {
        if let Some(Err(error)) = table.condition.as_deref().map(expr::Predicate::check_alone) {
            faults.push(error.table(&table.name).file(at(table.line)));
        }
        for (name, column) in &table.columns {
            let found = column_faults(column, targets);
            faults.extend(found.into_iter().map(|error| error.table(&table.name).column(name).file(at(column.line_in(table)))));
        }
        faults.extend(same_names(table).into_iter().map(|(error, line)| error.table(&table.name).file(at(line))));
    }
    faults
}

fn column_faults(column: &ColumnRule, targets: &[&dyn Dialect]) -> Vec<Error> {
    let mut faults = Vec::new();
    let mut fault = |what: &str, hint: &str| faults.push(Error::new(ErrorKind::Mapping, what).hint(hint));
    if column.round && column.trunc {
        fault("`round` and `trunc` contradict each other", "Take out one of the two");
    }
    if column.expr.is_none() && (column.round || column.trunc) {
        fault(
            "`round` and `trunc` say how an expression loses digits, and there is none",
            "Give the column an `expr`, or take it out",
        );
    }
    if column.expr.is_some() && column.drop {
        fault("the column is left out, so its expression says nothing", "Take out `drop = true`, or the expression");
    }
    faults.extend(column.expr.as_deref().and_then(|sql| expr::check_alone(sql).err()));
    faults.extend(column.to.as_deref().and_then(|to| type_fault(to, targets)));
    faults
}

/// Why no target knows the type.
fn type_fault(to: &str, targets: &[&dyn Dialect]) -> Option<Error> {
    // Any numbers will do for a placeholder.
    let native = NativeType { length: Some(10), precision: Some(10), scale: Some(2), fsp: Some(6), ..NativeType::default() };
    let to = fill(to, &native);
    let mut errors = targets.iter().map(|target| target.parse_type(&to));
    let first = errors.next()?.err()?;
    errors.all(|parsed| parsed.is_err()).then_some(first)
}

/// Two columns of a rule that take one name in the target.
fn same_names(table: &TableRule) -> Vec<(Error, u32)> {
    let mut taken: BTreeMap<&str, &str> = BTreeMap::new();
    let mut faults = Vec::new();
    for (name, column) in &table.columns {
        let Some(rename) = column.rename.as_deref().filter(|_| !column.drop) else { continue };
        if let Some(first) = taken.insert(rename, name) {
            let what = format!("`{first}` and `{name}` both take the name `{rename}`");
            faults.push((Error::new(ErrorKind::Mapping, what).hint("Give one of them another name"), column.line_in(table)));
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::load::mapping_from_text;
    use crate::engine::registry::engine;
    use crate::model::EngineKind;

    fn told(text: &str) -> Vec<String> {
        let mapping = mapping_from_text("m.toml", text, &|_| None).unwrap_or_else(|error| panic!("{error:?}"));
        let targets = [engine(EngineKind::Postgres).dialect(), engine(EngineKind::Parquet).dialect()];
        faults(&mapping, &targets).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn expressions_are_judged_without_their_columns() {
        let rule = |what: &str| told(&format!("[[table]]\nname = \"t\"\n{what}\n"));
        for (what, says) in [
            ("where = \"a >\"", "m.toml:1: `t`: the expression `a >` is no SQL expression"),
            ("where = \"uper(a) = 'X'\"", "there is no function `uper`"),
            ("where = \"a = random()\"", "gives another value at each call"),
            ("where = \"a in (select 1)\"", "a subquery needs other rows"),
            (
                "columns.v = { expr = \"sum(a)\" }",
                "m.toml:3: `t.v`: the expression `sum(a)` is wrong at 1:1: `sum` is over many rows",
            ),
            ("columns.v = { expr = \"1 + date '2020-02-30'\" }", "is wrong"),
            ("where = \"1 + 1\"", "a condition is true or false"),
            ("columns.v = { expr = \"cast(a as nosuch)\" }", "there is no cast to `nosuch`"),
            ("columns.v = { expr = \"1 / 0\" }", "is wrong"),
            ("columns.v = { expr = \"x.a + 1\" }", "names a column with its table"),
            ("columns.v = { round = true }", "there is none"),
            ("columns.v = { expr = \"a\", round = true, trunc = true }", "contradict"),
            ("columns.v = { expr = \"a\", drop = true }", "says nothing"),
            ("columns.v = { to = \"varchr(10)\" }", "varchr"),
            ("columns = { a = { rename = \"x\" }, b = { rename = \"x\" } }", "`a` and `b` both take the name `x`"),
        ] {
            let found = rule(what);
            assert!(found.len() == 1 && found[0].contains(says), "{what}: {found:#?}");
        }
        for fine in [
            "where = \"a > 1 and upper(b) like 'X%'\"",
            "columns.v = { expr = \"round(a * 1.19, 2)\", to = \"numeric(12,2)\" }",
            "columns.v = { expr = \"'DE'\", to = \"utf8(2)\" }",
            "columns.v = { expr = \"now()\" }",
            "columns.v = { expr = \"cast(a as decimal(10, 2)) + try_cast(b as timestamp)\" }",
        ] {
            assert!(rule(fine).is_empty(), "{fine}: {:?}", rule(fine));
        }
    }

    #[test]
    fn a_target_type_is_one_of_any_target() {
        let rule = |to: &str| told(&format!("[[type]]\nmatch = {{ type = \"int\" }}\nto = \"{to}\"\n"));
        for to in
            ["numeric({precision},{scale})", "varchar({length})", "uint64", "timestamptz({fsp})", "vector({length})", "enum"]
        {
            assert!(rule(to).is_empty(), "{to}: {:?}", rule(to));
        }
        assert!(rule("nummeric(10)")[0].starts_with("m.toml:1: "));
    }
}
