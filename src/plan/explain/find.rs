//! What a name means: a table or a column of the source, or of the target, with or without its database or schema.

use crate::config::nearest;
use crate::error::{Error, ErrorKind, Result};
use crate::mapping::ColumnMapping;
use crate::model::ObjectName;
use crate::model::catalog::Column;

use super::super::{Plan, TablePlan};

/// What was found.
pub(super) enum Found<'a> {
    /// A table.
    Table(&'a TablePlan),
    /// A column: as it is in the source, and as it is planned.
    Column(&'a TablePlan, Option<&'a Column>, Option<(&'a ColumnMapping, &'a Column)>),
    /// Something that is not planned since it is refused, and problems say why.
    Refused,
}

/// True if `asked` may be about that table of the source, or a column of it.
pub fn is_about(asked: &str, table: &ObjectName) -> bool {
    rest(asked, table).is_some()
}

/// What stands behind the table's name: empty for the table itself.
fn rest<'a>(asked: &'a str, table: &ObjectName) -> Option<&'a str> {
    let full = table.to_string();
    let behind = |name: &str| {
        let rest = asked.strip_prefix(name)?;
        if rest.is_empty() { Some(rest) } else { rest.strip_prefix('.') }
    };
    behind(&full).or_else(|| behind(&table.name))
}

/// True if a problem of that name is about what was asked for, or about a part of it.
pub(super) fn names_it(problem: &str, asked: &str) -> bool {
    let bare = problem.split_once('.').map_or(problem, |(_, bare)| bare);
    [problem, bare].iter().any(|name| name.strip_prefix(asked).is_some_and(|rest| rest.is_empty() || rest.starts_with('.')))
}

/// All that the name stands for.
///
/// # Errors
/// `Config`: nothing has that name.
pub(super) fn find<'a>(plan: &'a Plan, asked: &str) -> Result<Vec<Found<'a>>> {
    for of_target in [false, true] {
        let mut found = Vec::new();
        for table in &plan.tables {
            let name = if of_target { table.target() } else { table.source() };
            match rest(asked, name) {
                Some("") => found.push(Found::Table(table)),
                Some(column) => found.extend(of_column(table, column, of_target)),
                None => {}
            }
        }
        if !found.is_empty() {
            return Ok(found);
        }
    }
    if plan.problems.iter().any(|problem| names_it(&problem.name, asked)) {
        return Ok(vec![Found::Refused]);
    }
    Err(unknown(plan, asked))
}

fn of_column<'a>(table: &'a TablePlan, name: &str, of_target: bool) -> Option<Found<'a>> {
    let mut planned = table.mapped.columns.iter().zip(&table.mapped.target.columns);
    let wanted =
        |(mapping, target): &(&ColumnMapping, &Column)| if of_target { target.name == name } else { mapping.source == name };
    let planned = planned.find(wanted).or_else(|| {
        let mut new = table.mapped.columns.iter().zip(&table.mapped.target.columns);
        // A column that the source does not have is known by its name in the target.
        new.find(|(mapping, target)| mapping.source.is_empty() && target.name == name)
    });
    let source = match planned {
        Some((mapping, _)) => table.mapped.source.column(&mapping.source),
        None => table.mapped.source.column(name).filter(|_| !of_target),
    };
    (planned.is_some() || source.is_some()).then_some(Found::Column(table, source, planned))
}

fn unknown(plan: &Plan, asked: &str) -> Error {
    // The table may be right, and its column not.
    let of_table = plan.tables.iter().find_map(|table| Some((table, rest(asked, table.source())?)));
    if let Some((table, column)) = of_table {
        let columns = table.mapped.source.columns.iter().map(|column| column.name.as_str());
        let what = format!("the table `{}` has no column `{column}`", table.source());
        return Error::new(ErrorKind::Config, what).hint(nearest::hint(column, columns));
    }
    let error = Error::new(ErrorKind::Config, format!("the source has no table or column `{asked}`"));
    let tables: Vec<&str> = plan.tables.iter().map(|table| table.source().name.as_str()).collect();
    // `ordes.total`: the table is what is wrong.
    let table = asked.split('.').next().unwrap_or(asked);
    let near = nearest::nearest(asked, tables.iter().copied()).or_else(|| nearest::nearest(table, tables.iter().copied()));
    match near {
        Some(near) => error.hint(format!("Did you mean `{near}`?")),
        None => error.hint("Name a table or a column of it: `orders`, `orders.total`; `dbferry plan` lists all that are carried"),
    }
}
