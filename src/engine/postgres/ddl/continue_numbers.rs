//! Next ids of tables that rows were added to.

use super::{quote_literal, quote_name, quote_table};
use crate::engine::{Ddl, DdlPhase};
use crate::model::catalog::Table;

/// Statements that move each sequence of `standing` past the numbers that are there; one that is past them stays as it is.
pub(in crate::engine::postgres) fn continue_numbers(standing: &Table) -> Vec<Ddl> {
    let owner = quote_table(&standing.name);
    let numbered = standing.columns.iter().filter(|column| column.identity && column.generated.is_none());
    let statements = numbered.map(|column| {
        // Of a column whose numbers come from a sequence of somebody else's nothing is known, and nothing is changed. A sequence that
        // has no number left hands out none. `greatest` and `least` pass over NULL, which is what an empty table has.
        let body = format!(
            "DECLARE numbers regclass := pg_catalog.pg_get_serial_sequence({}, {}); next numeric; past numeric; last bigint; \
             BEGIN IF numbers IS NULL THEN RETURN; END IF; \
             SELECT seqmax INTO last FROM pg_catalog.pg_sequence WHERE seqrelid = numbers AND seqincrement > 0; \
             EXECUTE 'SELECT last_value::numeric + is_called::int FROM ' || numbers::text INTO next; \
             SELECT max({})::numeric + 1 INTO past FROM {owner}; \
             IF past > next THEN PERFORM pg_catalog.setval(numbers, least(past, last)::bigint, past > last); END IF; END",
            quote_literal(&owner),
            quote_literal(&column.name),
            quote_name(&column.name)
        );
        Ddl {
            phase: DdlPhase::Finish,
            table: Some(standing.name.clone()),
            object: format!("next number of {}.{}", standing.name, column.name),
            sql: format!("DO {}", quote_literal(&body)),
            exists_sql: None,
        }
    });
    statements.collect()
}
