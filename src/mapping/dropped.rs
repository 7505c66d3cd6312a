//! What goes with a column that is left out: keys, indexes and foreign keys over it. Each is listed.

use crate::model::catalog::{Index, Problem, Severity, Table};

/// Takes out of `target`, which still has the source's column names, all that needs one of the `dropped` columns; `why` is what says so.
pub(super) fn without_dropped(source: &Table, target: &mut Table, dropped: &[&str], why: &str, problems: &mut Vec<Problem>) {
    if dropped.is_empty() {
        return;
    }
    for name in dropped {
        let place = format!("{}.{name}", source.name);
        problems.push(Problem::new(Severity::Note, "column", place, format!("left out, as the mapping says ({why})")));
    }
    let needs = |index: &Index| {
        let mut columns = index.parts.iter().filter_map(|part| part.column.as_deref());
        columns.find(|column| dropped.contains(column)).map(str::to_string)
    };
    let mut lost = |object: &str, name: String, columns: String, column: &str| {
        let why = format!("its column `{column}` is left out");
        problems.push(Problem::new(Severity::NotCarried, object, name, why).ddl(columns));
    };
    if let Some(column) = target.primary_key.as_ref().and_then(needs)
        && let Some(key) = target.primary_key.take()
    {
        lost("primary key", source.name.to_string(), format!("PRIMARY KEY ({})", parts(&key)), &column);
    }
    target.indexes.retain(|index| match needs(index) {
        None => true,
        Some(column) => {
            let kind = if index.unique { "unique index" } else { "index" };
            let ddl = format!("{} {} ({})", kind.to_uppercase(), index.name, parts(index));
            lost(kind, format!("{}.{}", source.name, index.name), ddl, &column);
            false
        }
    });
    target.foreign_keys.retain(|key| match key.columns.iter().find(|column| dropped.contains(&column.as_str())) {
        None => true,
        Some(column) => {
            let ddl = super::foreign_keys::ddl(key);
            lost("foreign key", format!("{}.{}", source.name, key.name), ddl, column);
            false
        }
    });
    if !target.columns.iter().any(|column| column.identity) {
        target.next_identity = None;
    }
}

/// The columns and expressions of an index, for people.
pub(super) fn parts(index: &Index) -> String {
    let parts = index.parts.iter().map(|part| part.column.as_deref().or(part.expression.as_deref()).unwrap_or("?"));
    parts.collect::<Vec<_>>().join(", ")
}
