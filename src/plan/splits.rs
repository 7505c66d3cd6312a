//! Tables that are split by rows: whether rows belong to none of their parts. Where the source can tell, it is asked, so that nobody is told of
//! rows that there are not.

use crate::config::{ProbeLevel, Scope, Settings};
use crate::engine::Source;
use crate::error::Result;
use crate::mapping::MappedTable;
use crate::mapping::parts::{LEFT_BEHIND, SPLIT_TABLE};
use crate::model::catalog::{Problem, Table};

/// Takes the note away where each row belongs to a part, and says so where one does not. What the source cannot tell stays as it is.
///
/// # Errors
/// What the source says.
pub(super) async fn look(
    settings: &Settings,
    source: &dyn Source,
    tables: &[MappedTable],
    problems: &mut Vec<Problem>,
) -> Result<()> {
    if settings.probe != ProbeLevel::Full || settings.scope == Scope::SchemaOnly {
        return Ok(());
    }
    let mut kept = Vec::new();
    for mut problem in std::mem::take(problems) {
        if problem.object == SPLIT_TABLE
            && let Some(rest) = rest(tables, &problem.name)
        {
            if !source.any_row(&rest).await.map_err(|error| error.table(&rest.name))? {
                continue;
            }
            problem.why = format!("{LEFT_BEHIND}, and there are such rows");
        }
        kept.push(problem);
    }
    *problems = kept;
    Ok(())
}

/// The rows that belong to none of the table's parts; none where the source alone cannot tell which these are.
fn rest(tables: &[MappedTable], name: &str) -> Option<Table> {
    let parts: Vec<&MappedTable> = tables.iter().filter(|table| table.source.name.to_string() == name).collect();
    let filters = parts.iter().map(|part| {
        let whole = part.subset.is_none() && part.condition.as_ref().is_none_or(|condition| condition.complete);
        part.source.row_filter.as_ref().filter(|_| whole).map(|filter| format!("({filter}) IS NOT TRUE"))
    });
    let filters: Vec<String> = filters.collect::<Option<_>>()?;
    let first = parts.first()?;
    Some(Table { row_filter: Some(filters.join(" AND ")), ..first.source.clone() })
}
