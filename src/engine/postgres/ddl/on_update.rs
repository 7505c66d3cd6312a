//! ON UPDATE CURRENT_TIMESTAMP as triggers, made once the rows are there.
//!
//! MySQL sets the column when the statement changes the row and does not name the column. A trigger is not told what the statement
//! names, but one for `UPDATE OF column` fires only then. So two for each column, in the order of their names: the first marks a
//! column that was named and kept as `infinity`, which no value from MySQL is; the second takes the mark back, or sets the time.

use super::literal::table_oid;
use super::{Draft, column_problem, made, quote_literal, quote_name, quote_table};
use crate::engine::DdlPhase;
use crate::model::ObjectName;
use crate::model::catalog::{Column, Severity, Table};

/// The columns of `table` that PostgreSQL sets when a row changes.
pub(super) fn columns(table: &Table) -> impl Iterator<Item = &Column> {
    table.columns.iter().filter(|column| {
        column.on_update_now && column.generated.is_none() && matches!(column.native.name.as_str(), "timestamp" | "timestamptz")
    })
}

/// The function behind the triggers of a column: `orders_changed_at_on_update`, in the table's schema.
pub(super) fn function_name(table: &ObjectName, column: &str) -> ObjectName {
    ObjectName::new(&table.schema, super::names::shortened(&format!("{}_{column}_on_update", table.name), table, column))
}

/// The functions and triggers of `table`.
pub(super) fn create(draft: &mut Draft<'_>, table: &Table) {
    for column in table.columns.iter().filter(|column| column.on_update_now) {
        if !columns(table).any(|other| other.name == column.name) {
            let why = format!("the column becomes `{}`, which takes no time", column.native.full);
            let ddl = format!("ON UPDATE CURRENT_TIMESTAMP({})", column.native.fsp.unwrap_or(0));
            draft.problems.push(column_problem(Severity::NotCarried, "on update", table, column, why).ddl(ddl));
        }
    }
    for (place, column) in columns(table).enumerate() {
        let function = function_name(&table.name, &column.name);
        create_function(draft, table, column, &function);
        let (owner, name, call) = (quote_table(&table.name), quote_name(&column.name), quote_table(&function));
        let kept = trigger_name(table, column, place, 'a');
        let sql = format!(
            "CREATE TRIGGER {} BEFORE UPDATE OF {name} ON {owner} FOR EACH ROW EXECUTE FUNCTION {call}('kept')",
            quote_name(&kept)
        );
        push(draft, table, &kept, sql);
        let others = |row: &str| {
            // What PostgreSQL computes is not computed yet at this point.
            let others = table.columns.iter().filter(|other| other.name != column.name && other.generated.is_none());
            others.map(|other| format!("{row}.{}", quote_name(&other.name))).collect::<Vec<_>>().join(", ")
        };
        // By their bytes, as MySQL compares: a type without `=`, or with one that knows no case, is no trouble.
        let changed = format!(
            "NEW.{name} IS NOT DISTINCT FROM OLD.{name} AND (ROW({})::record OPERATOR(pg_catalog.*<>) ROW({})::record)",
            others("OLD"),
            others("NEW")
        );
        let set = trigger_name(table, column, place, 'b');
        let sql = format!(
            "CREATE TRIGGER {} BEFORE UPDATE ON {owner} FOR EACH ROW WHEN (NEW.{name} = 'infinity' OR ({changed})) \
             EXECUTE FUNCTION {call}('set')",
            quote_name(&set)
        );
        push(draft, table, &set, sql);
    }
}

fn trigger_name(table: &Table, column: &Column, place: usize, step: char) -> String {
    super::names::shortened(&format!("on_update_{place:04}{step}_{}", column.name), &table.name, &column.name)
}

fn push(draft: &mut Draft<'_>, table: &Table, trigger: &str, sql: String) {
    let exists = format!(
        "SELECT EXISTS (SELECT FROM pg_catalog.pg_trigger WHERE tgrelid = {} AND tgname = {} AND NOT tgisinternal)",
        table_oid(&table.name),
        quote_literal(trigger)
    );
    draft.push(DdlPhase::Finish, table, format!("trigger {trigger}"), sql, Some(exists));
    draft.note(|table| table.triggers.push(made::trigger(trigger)));
}

fn create_function(draft: &mut Draft<'_>, table: &Table, column: &Column, function: &ObjectName) {
    let name = quote_name(&column.name);
    let now = match column.native.name.as_str() {
        "timestamp" => "pg_catalog.statement_timestamp()::pg_catalog.timestamp",
        _ => "pg_catalog.statement_timestamp()",
    };
    // MySQL cuts the digits off that the column has no place for; an assignment would round them.
    let now = match column.native.fsp.unwrap_or(6) {
        0 => format!("pg_catalog.date_trunc('second', {now})"),
        3 => format!("pg_catalog.date_trunc('milliseconds', {now})"),
        _ => now.to_string(),
    };
    let body = format!(
        "BEGIN IF TG_ARGV[0] = 'kept' THEN \
         IF NEW.{name} IS NOT DISTINCT FROM OLD.{name} THEN NEW.{name} := 'infinity'; END IF; \
         ELSIF NEW.{name} = 'infinity' THEN NEW.{name} := OLD.{name}; \
         ELSE NEW.{name} := {now}; END IF; RETURN NEW; END"
    );
    let schema = if function.schema.is_empty() { super::DEFAULT_SCHEMA } else { &function.schema };
    // One of that name with another body is not ours: CREATE FUNCTION then fails.
    let exists = format!(
        "SELECT EXISTS (SELECT FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace \
         WHERE n.nspname = {} AND p.proname = {} AND p.pronargs = 0 AND p.prosrc = {})",
        quote_literal(schema),
        quote_literal(&function.name),
        quote_literal(&body)
    );
    let sql = format!("CREATE FUNCTION {}() RETURNS trigger LANGUAGE plpgsql AS {}", quote_table(function), quote_literal(&body));
    draft.push(DdlPhase::Finish, table, format!("function {function}"), sql, Some(exists));
    if let Some(owner) = draft.options.owner.as_deref().map(quote_name) {
        let sql = format!("ALTER FUNCTION {}() OWNER TO {owner}", quote_table(function));
        draft.push(DdlPhase::Finish, table, format!("owner of {function}"), sql, None);
    }
}
