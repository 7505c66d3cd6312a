//! What is set once the rows are there: next ids, comments, owners. Repeating any of it changes nothing.

use super::names::{can_be_identity, can_take_sequence};
use super::{Draft, Labelled, column_problem, labelled, named, quote_literal, quote_name, quote_table};
use crate::engine::DdlPhase;
use crate::model::catalog::{Problem, Severity, Table};

/// The number that the next row gets.
pub(super) fn next_identity(draft: &mut Draft<'_>, table: &Table) {
    for column in table.columns.iter().filter(|column| column.identity && column.generated.is_none()) {
        let owner = quote_table(&table.name);
        let sequence = draft.names.sequence(&table.name, &column.name);
        let by_sequence = can_take_sequence(&column.native);
        if by_sequence {
            let sql = format!(
                "ALTER TABLE {owner} ALTER COLUMN {} SET DEFAULT pg_catalog.nextval({}::pg_catalog.regclass)",
                quote_name(&column.name),
                quote_literal(&quote_table(&sequence))
            );
            draft.push(DdlPhase::Finish, table, format!("numbering of {}.{}", table.name, column.name), sql, None);
            draft.note_column(&column.name, |made| made.identity = true);
        } else if !can_be_identity(&column.native) {
            continue;
        }
        let Some(next) = table.next_identity else { continue };
        let last = match column.native.name.as_str() {
            "smallint" => i64::from(i16::MAX),
            "integer" => i64::from(i32::MAX),
            _ => i64::MAX,
        };
        // A sequence starts at 1, and MySQL never hands out less either.
        let (value, called) = match i64::try_from(next.max(1)).ok().filter(|next| *next <= last) {
            Some(next) => (next, false),
            None => {
                let why = format!("the next number would be {next}, and its sequence ends at {last}: it hands out none");
                draft.problems.push(column_problem(Severity::NotCarried, "auto-increment", table, column, why));
                (last, true)
            }
        };
        let hands_out = i128::from(value) + i128::from(called);
        draft.note(|made| made.table.next_identity = Some(hands_out));
        let place = if by_sequence {
            quote_literal(&quote_table(&sequence))
        } else {
            // By the column: PostgreSQL may have named the sequence in its own way.
            format!("pg_catalog.pg_get_serial_sequence({}, {})", quote_literal(&owner), quote_literal(&column.name))
        };
        let sql = format!("SELECT pg_catalog.setval({place}::pg_catalog.regclass, {value}, {called})");
        draft.push(DdlPhase::Finish, table, format!("next number of {}.{}", table.name, column.name), sql, None);
    }
}

/// Comments on the table and its columns.
pub(super) fn comments(draft: &mut Draft<'_>, table: &Table) {
    let owner = quote_table(&table.name);
    if let Some(text) = comment(draft, table.name.to_string(), &table.comment) {
        let sql = format!("COMMENT ON TABLE {owner} IS {text}");
        draft.push(DdlPhase::Finish, table, format!("comment on {}", table.name), sql, None);
        draft.note(|made| made.table.comment.clone_from(&table.comment));
    }
    for column in &table.columns {
        let name = named(&table.name, &column.name);
        if let Some(text) = comment(draft, name.clone(), &column.comment) {
            let sql = format!("COMMENT ON COLUMN {owner}.{} IS {text}", quote_name(&column.name));
            draft.push(DdlPhase::Finish, table, format!("comment on {name}"), sql, None);
            draft.note_column(&column.name, |made| made.comment.clone_from(&column.comment));
        }
    }
}

fn comment(draft: &mut Draft<'_>, name: String, text: &str) -> Option<String> {
    if text.contains('\0') {
        let why = "it holds the character NUL, which PostgreSQL's text cannot";
        draft.problems.push(Problem::new(Severity::NotCarried, "comment", name, why));
        return None;
    }
    (!text.is_empty()).then(|| quote_literal(text))
}

/// The owner of the table, its types and, with the table, its sequences; of schemas it is set when they are made.
pub(super) fn owner(draft: &mut Draft<'_>, table: &Table) {
    let Some(owner) = draft.options.owner.as_deref().map(quote_name) else { return };
    let types = table.columns.iter().filter(|column| labelled(&column.native) == Some(Labelled::Enum));
    for column in types.filter(|column| draft.names.makes_type(&table.name, &column.name)).collect::<Vec<_>>() {
        let name = draft.names.enum_type(&table.name, &column.name);
        let sql = format!("ALTER TYPE {} OWNER TO {owner}", quote_table(&name));
        draft.push(DdlPhase::Finish, table, format!("owner of {name}"), sql, None);
    }
    let sql = format!("ALTER TABLE {} OWNER TO {owner}", quote_table(&table.name));
    draft.push(DdlPhase::Finish, table, format!("owner of {}", table.name), sql, None);
}
