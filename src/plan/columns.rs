//! A table that is loaded as it stands: every column of the source has its place there, and nothing there is left without a value.
//!
//! All faults of all tables are listed at once, each with the mapping lines that settle it.

use crate::config::naming::Style;
use crate::mapping::{MappedTable, toml_key, toml_string};
use crate::model::ObjectName;
use crate::model::catalog::{Column, Problem, Severity, Table};

/// Styles of names, and how a mapping file writes them.
const STYLES: [(Style, &str); 4] =
    [(Style::Snake, "snake_case"), (Style::Camel, "camelCase"), (Style::Lower, "lower"), (Style::Upper, "upper")];

/// Compares what is planned with what stands.
pub(super) fn compare(table: &MappedTable, found: &Table, problems: &mut Vec<Problem>) {
    let place = |column: &str| format!("{}.{column}", table.target.name);
    let missing: Vec<&Column> = table.target.columns.iter().filter(|column| found.column(&column.name).is_none()).collect();
    let surplus: Vec<&Column> = found.columns.iter().filter(|column| table.target.column(&column.name).is_none()).collect();
    let style = style_of(missing.iter().map(|column| column.name.as_str()), |name| found.column(name).is_some());
    for column in &missing {
        let problem = Problem::new(Severity::Refused, "column", place(&column.name), "the existing table does not have it");
        problems.push(problem.hint(settle(table, column, &surplus, style)));
    }
    for column in &table.target.columns {
        let Some(there) = found.column(&column.name) else { continue };
        if column.logical.is_some() && there.native.full != column.native.full && there.logical != column.logical {
            let why = format!("the existing table has `{}`, and `{}` is planned", there.native.full, column.native.full);
            let problem = Problem::new(Severity::Refused, "column", place(&column.name), why);
            problems.push(problem.hint("Take the column's `to` out of the mapping: then the existing table's type is taken"));
        }
    }
    let mut defaults = Vec::new();
    for column in surplus {
        let filled = column.nullable || column.default.is_some() || column.identity;
        if column.generated.is_some() {
            continue;
        }
        if filled {
            defaults.push(format!("`{}`", column.name));
            continue;
        }
        let why = "the existing table demands it, and the source does not have it";
        problems.push(Problem::new(Severity::Refused, "column", place(&column.name), why).hint(format!(
            "Give the column a default, or let it be NULL, or compute it in the mapping:\n{}[table.columns.{}]\nexpr = \"…\"",
            head(table),
            toml_key(&column.name)
        )));
    }
    if !defaults.is_empty() {
        let why = format!("columns that the source does not have take their default: {}", defaults.join(", "));
        problems.push(Problem::new(Severity::Note, "table", &table.target.name, why));
    }
}

fn head(table: &MappedTable) -> String {
    format!("[[table]]\nname = {}\n", toml_string(&table.source.name.name))
}

/// The lines for a column that the existing table lacks.
fn settle(table: &MappedTable, column: &Column, surplus: &[&Column], style: Option<&str>) -> String {
    let mapping = table.columns.iter().find(|mapping| mapping.target == column.name);
    let source = mapping.map(|mapping| mapping.source.as_str()).filter(|name| !name.is_empty()).unwrap_or(&column.name);
    let near = surplus.iter().find(|other| alike(&other.name, &column.name));
    let lines = match (near, style) {
        (Some(near), Some(style)) => format!(
            "[naming]\ncolumns = \"{style}\"\n# or for this column alone:\n{}[table.columns.{}]\nrename = {}",
            head(table),
            toml_key(source),
            toml_string(&near.name)
        ),
        (Some(near), None) => {
            format!("{}[table.columns.{}]\nrename = {}", head(table), toml_key(source), toml_string(&near.name))
        }
        (None, _) => format!(
            "{}[table.columns.{}]\ndrop = true  # or rename = \"the name of the column that it belongs to\"",
            head(table),
            toml_key(source)
        ),
    };
    format!("Add to the mapping file (`-m FILE`):\n{lines}")
}

/// Names that differ by case, or by the style of words, alone.
pub(super) fn alike(one: &str, other: &str) -> bool {
    let plain =
        |name: &str| name.chars().filter(|letter| letter.is_alphanumeric()).flat_map(char::to_lowercase).collect::<String>();
    plain(one) == plain(other)
}

/// The style that makes all of `names` names that stand.
pub(super) fn style_of<'a>(names: impl Iterator<Item = &'a str> + Clone, stands: impl Fn(&str) -> bool) -> Option<&'static str> {
    STYLES.iter().find(|(style, _)| names.clone().all(|name| stands(&style.of(name)))).map(|(_, word)| *word)
}

/// The refusal of a table that does not stand, and should.
pub(super) fn absent(table: &MappedTable, names: &[ObjectName]) -> Problem {
    let (source, target) = (&table.source.name.name, &table.target.name);
    let near = names.iter().find(|name| alike(&name.name, &target.name) && name.schema == target.schema);
    let hint = match near {
        Some(near) => format!(
            "`{near}` stands there. Add to the mapping file (`-m FILE`):\n[[table]]\nname = {}\nto = {}",
            toml_string(source),
            toml_string(&near.to_string())
        ),
        None => {
            format!("Create it first, leave it out with `--exclude {source}`, or let the run make the tables (`--tables create`)")
        }
    };
    Problem::new(Severity::Refused, "table", target, "it does not exist in the target, and no table is made").hint(hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_alike_by_their_words() {
        assert!(alike("user_name", "userName") && alike("ID", "id") && !alike("user", "users"));
        let there = ["fullName", "bornOn"];
        assert_eq!(style_of(["full_name", "born_on"].into_iter(), |name| there.contains(&name)), Some("camelCase"));
        assert_eq!(style_of(["full_name", "age"].into_iter(), |name| there.contains(&name)), None);
    }
}
