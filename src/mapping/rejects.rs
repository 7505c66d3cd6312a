//! Which tables reject rows that cannot be carried, and go on.

use crate::config::OnError;
use crate::config::rules::TableRule;
use crate::model::catalog::{Problem, Severity};

use super::rules::Rules;
use super::{MapOptions, Mapped};

/// Decides for each table. Masks are decided before: a rejected row is kept as it came.
pub(super) fn decide(mapped: &mut Mapped, rules: &Rules<'_>, resolved: &[Option<TableRule>], options: MapOptions<'_>) {
    let Mapped { tables, problems, .. } = mapped;
    for (table, rule) in tables.iter_mut().zip(resolved) {
        let rule = rule.as_ref();
        let on_error = rule.and_then(|rule| rule.on_error).unwrap_or(options.on_error);
        if on_error == OnError::Stop {
            continue;
        }
        let why = if !rules.route.source.keeps_raw() {
            Some("this source cannot keep rows as they came")
        } else if !rules.route.target.keeps_rejects() {
            Some("the ledger of this target keeps no rows")
        } else if table.columns.iter().any(|column| column.mask.is_some()) {
            Some("a rejected row is kept as it came in the target's ledger, and the table has masked columns")
        } else {
            None
        };
        match why {
            Some(why) => problems.push(
                Problem::new(Severity::Refused, "table", &table.source.name, format!("`on_error = \"reject\"`: {why}"))
                    .hint("Say `on_error = \"stop\"` for the table"),
            ),
            None => table.max_rejects = Some(rule.and_then(|rule| rule.max_rejects).unwrap_or(options.max_rejects)),
        }
    }
}
